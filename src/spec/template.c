/* See template.h. */
#include "spec/template.h"

enum { SCAN_MAX = 16 };

static const struct {
    const char *text, *field, *doc;
    bool leaf;
} types[TEMPLATE_TYPE_MAX] = {
    [TEMPLATE_NONE] = {"", "", "has no body", true},
#define TTYPE(name, text, field, leaf, doc) [TEMPLATE_##name] = {text, field, doc, leaf},
#include "spec/template_types.def"
#undef TTYPE
};

const char *template_type_text(enum template_type type) { return types[type].text; }
const char *template_type_field(enum template_type type) { return types[type].field; }
const char *template_type_doc(enum template_type type) { return types[type].doc; }
bool template_type_leaf(enum template_type type) { return types[type].leaf; }

static bool has_body(const struct argo_template *t, enum template_type type)
{
    switch (type) {
    case TEMPLATE_CONTAINER: return t->container != NULL;
    case TEMPLATE_CONTAINER_SET: return t->container_set != NULL;
    case TEMPLATE_STEPS: return t->steps.items != NULL;
    case TEMPLATE_DAG: return t->dag != NULL;
    case TEMPLATE_SCRIPT: return t->script != NULL;
    case TEMPLATE_RESOURCE: return t->resource != NULL;
    case TEMPLATE_DATA: return t->data != NULL;
    case TEMPLATE_SUSPEND: return t->suspend != NULL;
    case TEMPLATE_HTTP: return t->http != NULL;
    case TEMPLATE_PLUGIN: return t->plugin != NULL;
    default: return false;
    }
}

enum template_type template_type(const struct argo_template *t)
{
    for (enum template_type k = TEMPLATE_NONE + 1; k < TEMPLATE_TYPE_MAX; k++)
        if (has_body(t, k)) return k;
    return TEMPLATE_NONE;
}

size_t template_bodies(const struct argo_template *t)
{
    size_t n = 0;
    for (enum template_type k = TEMPLATE_NONE + 1; k < TEMPLATE_TYPE_MAX; k++) n += has_body(t, k);
    return n;
}

void template_index_init(struct template_index *x, const struct argo_template_list *list)
{
    *x = (struct template_index){.items = list->items, .n = list->n};
    if (x->n <= SCAN_MAX) return;
    for (size_t i = x->n; i-- > 0;) /* the first of equal names wins */
        if (x->items[i].name.p)
            map_set_ptr(&x->by_name, x->items[i].name, (void *)(uintptr_t)&x->items[i]);
}

void template_index_fini(struct template_index *x)
{
    map_fini(&x->by_name);
    *x = (struct template_index){0};
}

const struct argo_template *template_find(const struct template_index *x, struct str name)
{
    if (x->n > SCAN_MAX) return name.p ? map_ptr(&x->by_name, name) : NULL;
    for (size_t i = 0; i < x->n; i++)
        if (x->items[i].name.p && str_eq(x->items[i].name, name)) return &x->items[i];
    return NULL;
}

const struct argo_parameter *parameter_find(const struct argo_parameter_list *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i].name, name)) return &list->items[i];
    return NULL;
}

const struct argo_artifact *artifact_find(const struct argo_artifact_list *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i].name, name)) return &list->items[i];
    return NULL;
}

const struct argo_container *template_container(const struct argo_template *t)
{
    if (t->container) return t->container;
    if (t->script) return &t->script->container;
    for (size_t i = 0; t->container_set && i < t->container_set->containers.n; i++) {
        const struct argo_container_node *node = &t->container_set->containers.items[i];
        if (str_is(node->name, "main")) return &node->container;
    }
    return NULL;
}
