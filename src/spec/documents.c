/* See documents.h. */
#include "spec/documents.h"

#include "doc/closest.h"
#include "doc/yaml.h"
#include "doc/yaml_mend.h"

static const struct kind_row {
    const char *text, *api_version, *doc;
    bool namespaced;
} kinds[DOC_KIND_MAX] = {
#define KIND(name, text, group, version, namespaced, doc)                                          \
    [DOC_##name] = {#text, sizeof(group) > 1 ? group "/" version : version, doc, namespaced},
#include "spec/kinds.def"
#undef KIND
};

const struct field_type *doc_kind_type(enum doc_kind kind)
{
    static const struct field_type *const types[DOC_KIND_MAX] = {
        [DOC_WORKFLOW] = &argo_workflow_type,
        [DOC_WORKFLOW_TEMPLATE] = &argo_workflow_template_type,
        [DOC_CLUSTER_WORKFLOW_TEMPLATE] = &argo_cluster_workflow_template_type,
        [DOC_CRON_WORKFLOW] = &argo_cron_workflow_type,
        [DOC_WORKFLOW_EVENT_BINDING] = &argo_workflow_event_binding_type,
        [DOC_CONFIG_MAP] = &argo_config_map_type,
        [DOC_SECRET] = &argo_secret_type,
        [DOC_PERSISTENT_VOLUME_CLAIM] = &argo_persistent_volume_claim_type,
    };
    ASSERT(kind < DOC_KIND_MAX);
    return types[kind];
}

const char *doc_kind_text(enum doc_kind kind) { return kinds[kind].text; }
const char *doc_kind_api_version(enum doc_kind kind) { return kinds[kind].api_version; }
const char *doc_kind_doc(enum doc_kind kind) { return kinds[kind].doc; }
bool doc_kind_namespaced(enum doc_kind kind) { return kinds[kind].namespaced; }

enum doc_kind doc_kind_of(struct str kind)
{
    for (enum doc_kind k = DOC_NONE + 1; k < DOC_KIND_MAX; k++)
        if (str_is(kind, kinds[k].text)) return k;
    return DOC_NONE;
}

void documents_init(struct documents *d, struct arena *a) { *d = (struct documents){.a = a}; }

void documents_fini(struct documents *d)
{
    free(d->items);
    *d = (struct documents){0};
}

static void find_spec(struct document *doc)
{
    switch (doc->kind) {
    case DOC_WORKFLOW: doc->spec = doc->workflow->spec; break;
    case DOC_WORKFLOW_TEMPLATE: doc->spec = doc->workflow_template->spec; break;
    case DOC_CLUSTER_WORKFLOW_TEMPLATE: doc->spec = doc->cluster_workflow_template->spec; break;
    case DOC_CRON_WORKFLOW:
        doc->spec = doc->cron_workflow->spec ? doc->cron_workflow->spec->workflow_spec : NULL;
        break;
    default: break;
    }
}

/* The decoder has named every 3.x form in a note. */
static bool has_older_forms(const struct diags *d, size_t from)
{
    for (size_t i = from; i < d->n; i++)
        if (d->items[i].code && strcmp(d->items[i].code, "N0102") == 0) return true;
    return d->dropped > 0;
}

/* Read by Argo's programs, which take a number for the text that it is; Kubernetes refuses its own kinds with one. */
static bool is_of_argo(enum doc_kind kind) { return str_starts(str_of(doc_kind_api_version(kind)), STR("argoproj.io/")); }

static bool decode(struct documents *d, struct document *doc, const struct val *v,
                   struct diags *diags)
{
    const struct field_type *t = doc_kind_type(doc->kind);
    struct diags unwanted;
    diags_init(&unwanted, d->a);
    if (!documents_wanted(d, doc->kind)) diags = &unwanted;
    size_t before = diags->n;
    diags->loose = diags->unquoted = false;
    void *object = arena_alloc(d->a, t->size);
    bool ok = field_decode(d->a, t, v, object, diags);
    doc->val = v;
    if (ok && (has_older_forms(diags, before) || diags->loose || (diags->unquoted && is_of_argo(doc->kind)))) {
        struct diags again;
        diags_init(&again, d->a);
        again.lenient = diags->lenient;
        doc->val = document_upgrade(d->a, t, v);
        object = arena_alloc(d->a, t->size);
        ok = field_decode(d->a, t, doc->val, object, &again);
        diags_fini(&again);
    }
    doc->object = object;
    doc->broken = !ok;
    find_spec(doc);
    ok |= diags == &unwanted;
    diags_fini(&unwanted);
    return ok;
}

static bool check_api_version(enum doc_kind kind, struct str given, const struct val *v,
                              struct diags *diags)
{
    if (str_is(given, doc_kind_api_version(kind))) return true;
    struct diag *g;
    if (!given.p) {
        g = diags_add(diags, DIAG_WARNING, "W0003", "this %s has no apiVersion",
                      doc_kind_text(kind));
        diag_at(g, v);
        diag_fix_val(diags, g, FIX_ADD_PAIR, v,
                     str_cat(diags->a, STR("apiVersion: "), str_of(doc_kind_api_version(kind))));
    } else {
        g = diags_add(diags, DIAG_ERROR, "E0004", "apiVersion \"%.*s\" is not known for a %s",
                      STR_ARG(given), doc_kind_text(kind));
        diag_at(g, val_get(v, STR("apiVersion")));
        diag_fix_val(diags, g, FIX_VALUE, val_get(v, STR("apiVersion")), str_of(doc_kind_api_version(kind)));
    }
    diag_help(diags, g, "write apiVersion: %s", doc_kind_api_version(kind));
    return !given.p;
}

static bool add_object(struct documents *d, enum doc_kind kind, const struct val *v, uint16_t file,
                       struct diags *diags)
{
    struct document doc = {.kind = kind, .file = v->file ? v->file : file, .line = v->line};
    doc.api_version = val_get_str(v, "apiVersion");
    if (!check_api_version(kind, doc.api_version, v, diags)) return false;
    bool ok = decode(d, &doc, v, diags);
    /* every kind has metadata at the same place in the tables */
    const struct field_row *row = field_find(doc_kind_type(kind), STR("metadata"));
    doc.metadata =
        *(const struct argo_object_meta *const *)((const char *)doc.object + row->offset);
    if (doc.metadata) {
        doc.name = doc.metadata->name;
        doc.generate_name = doc.metadata->generate_name;
        doc.ns = doc.metadata->namespace;
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->items = mem_grow(d->items, d->cap * sizeof *d->items);
    }
    d->items[d->n++] = doc;
    return ok;
}

/* A kind of ours misspelt is an error; anybody else's kind is skipped. */
static bool unknown_kind(struct str kind, const struct val *v, struct diags *diags)
{
    struct str names[DOC_KIND_MAX];
    size_t n = 0;
    for (enum doc_kind k = DOC_NONE + 1; k < DOC_KIND_MAX; k++) names[n++] = str_of(kinds[k].text);
    struct str api = val_get_str(v, "apiVersion");
    struct str near = str_starts(api, STR("argoproj.io/")) || !api.p ? str_closest(kind, names, n)
                                                                     : STR_NONE;
    struct diag *g;
    if (near.p) {
        g = diags_add(diags, DIAG_ERROR, "E0003", "unknown kind `%.*s`", STR_ARG(kind));
        diag_label(diags, g, "did you mean `%.*s`?", STR_ARG(near));
    } else {
        g = diags_add(diags, DIAG_WARNING, "W0002",
                      "kind `%.*s` is not used here; the document is skipped", STR_ARG(kind));
    }
    diag_at(g, val_get(v, STR("kind")));
    if (near.p) diag_fix_val(diags, g, FIX_VALUE, val_get(v, STR("kind")), near);
    return !near.p;
}

static bool is_list_kind(struct str kind, const struct val *items)
{
    return str_ends(kind, STR("List")) && items && items->kind == VAL_LIST;
}

bool documents_add_val(struct documents *d, const struct val *v, uint16_t file, struct diags *diags)
{
    bool ok = true;
    if (v->kind == VAL_NULL) return true;
    if (v->kind != VAL_MAP) {
        diag_at(diags_add(diags, DIAG_ERROR, "E0002", "a document is a map, but this is a %s",
                          val_kind_name(v->kind)),
                v);
        return false;
    }
    struct str kind = val_get_str(v, "kind");
    const struct val *items = val_get(v, STR("items"));
    if (kind.n == 0) {
        struct diag *g = diags_add(diags, DIAG_WARNING, "W0001",
                                   "a document without a kind is skipped");
        diag_at(g, v);
        diag_help(diags, g, "write kind: Workflow");
        if (val_get(val_get(v, STR("spec")), STR("entrypoint")))
            diag_fix_val(diags, g, FIX_ADD_PAIR, v, STR("kind: Workflow"));
        return true;
    }
    if (is_list_kind(kind, items)) {
        for (uint32_t i = 0; i < items->n; i++) {
            const struct val *item = &items->items[i];
            bool bare = val_get_str(item, "kind").n == 0; /* WorkflowList items may leave it out */
            enum doc_kind k = bare ? doc_kind_of(str_n(kind.p, kind.n - 4)) : DOC_NONE;
            ok &= k ? add_object(d, k, item, file, diags) : documents_add_val(d, item, file, diags);
        }
        return ok;
    }
    enum doc_kind k = doc_kind_of(kind);
    return k ? add_object(d, k, v, file, diags) : unknown_kind(kind, v, diags);
}

bool documents_add(struct documents *d, struct str text, uint16_t file, struct diags *diags)
{
    struct doc_error where = {0};
    struct yaml_opts opts = {.file = file, .strict = true, .where = &where};
    struct val *docs;
    size_t n;
    bool ok = yaml_parse_all(d->a, text, &opts, &docs, &n, NULL);
    if (!ok && where.first_line != 0) { /* a key stands twice: the last one counts, as with Argo */
        struct diag *g = diags_add(diags, DIAG_WARNING, "W0004", "%s", where.text);
        g->file = file;
        g->line = where.line;
        g->col = where.col;
        g->len = where.len;
        diag_help(diags, g, "remove one of them; the last one counts");
        struct fix_step *step = diag_fix(diags, g, FIX_REMOVE_SAME, where.line, where.col, STR_NONE);
        step->other_line = where.first_line;
        step->other_col = where.first_col;
        opts.strict = false;
        ok = yaml_parse_all(d->a, text, &opts, &docs, &n, NULL);
    }
    if (!ok) {
        yaml_mend(diags, diags_add_doc_error(diags, "E0001", &where), text);
        return false;
    }
    for (size_t i = 0; i < n; i++) ok &= documents_add_val(d, &docs[i], file, diags);
    return ok;
}

const struct document *documents_find(const struct documents *d, enum doc_kind kind, struct str ns,
                                      struct str name)
{
    for (size_t i = 0; d && i < d->n; i++) {
        const struct document *doc = &d->items[i];
        if (doc->kind != kind || !str_eq(doc->name, name)) continue;
        if (!doc_kind_namespaced(kind) || !ns.p || !doc->ns.p || str_eq(ns, doc->ns)) return doc;
    }
    return NULL;
}
