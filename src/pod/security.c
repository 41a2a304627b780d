/* securityContext but for the user (user.c): groups, and what a step may. A template's takes the place of the workflow's, as in
 * Argo; what a container says goes before both. */
#include "pod/pod_p.h"

const struct val *pod_right_field(const struct pod *p, const char *name)
{
    const struct val *own = val_get(val_get(p->main, STR("securityContext")), str_of(name));
    return own ? own : val_get(val_get(&p->pod, STR("securityContext")), str_of(name));
}

bool pod_right(const struct pod *p, const char *name)
{
    const struct val *v = pod_right_field(p, name);
    return v && v->kind == VAL_BOOL && v->b;
}

bool pod_id(const struct val *v, const char *name, int64_t *out, struct err *e)
{
    int64_t id;
    if (!v) return true;
    if (!val_i64(v, &id) || id < 0 || id > INT32_MAX)
        return err_set(e, ERR_SPEC, "securityContext.%s: must be between 0 and 2147483647, inclusive", name);
    *out = id;
    return true;
}

/* Groups that go with the user: supplementalGroups, and fsGroup, which the pod's own volumes belong to. */
static bool groups(struct pod *p, struct step_spec *s, struct err *e)
{
    const struct val *list = pod_right_field(p, "supplementalGroups"), *fs = pod_right_field(p, "fsGroup");
    uint32_t n = list && list->kind == VAL_LIST ? list->n : 0;
    s->groups.items = ARENA_ARRAY(p->a, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (!pod_id(&list->items[i], "supplementalGroups", &s->groups.items[s->groups.n++], e)) return false;
    if (!fs) return true;
    if (!pod_id(fs, "fsGroup", &s->groups.items[s->groups.n], e)) return false;
    p->fs_group = s->groups.items[s->groups.n++];
    return true;
}

static const struct { const char *name; uint32_t bit; } rights[] = {
#define CAPABILITY(name, doc) {#name, STEP_CAPABILITY_##name},
#include "step/capabilities.def"
#undef CAPABILITY
};

/* "CHOWN", "CAP_CHOWN" or "ALL"; 0: none that a step can have. */
static uint32_t right_bits(struct str name)
{
    if (str_starts(name, STR("CAP_"))) name = str_from(name, 4);
    if (str_is(name, "ALL")) return STEP_CAPABILITIES;
    for (size_t i = 0; i < ARRAY_LEN(rights); i++)
        if (str_is(name, rights[i].name)) return rights[i].bit;
    return 0;
}

static uint32_t rights_named(const struct val *context, const char *field)
{
    const struct val *list = val_get(val_get(context, STR("capabilities")), str_of(field));
    uint32_t bits = 0;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) bits |= right_bits(val_text(&list->items[i]));
    return bits;
}

/* First what is dropped, then what is added. */
static uint32_t capabilities(const struct pod *p)
{
    const struct val *context = val_get(p->main, STR("securityContext"));
    uint32_t drop = rights_named(context, "drop");
    return (STEP_CAPABILITIES & ~drop) | rights_named(context, "add");
}

bool pod_security(struct pod *p, struct step_spec *s, struct err *e)
{
    p->fs_group = -1;
    if (!groups(p, s, e)) return false;
    s->root_read_only = pod_right(p, "readOnlyRootFilesystem");
    if (p->image.kind == IMAGE_STORED) s->capabilities = capabilities(p);
    if (!p->in->one_user) return true;
    if (!p->in->engine_image) s->groups.n = 0; /* the only user and group there are own the volumes */
    p->fs_group = -1;
    return true;
}
