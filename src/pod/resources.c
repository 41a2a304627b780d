/* See resources.h. */
#include "pod/resources.h"

#include "lang/quantity.h"

static const struct {
    const char *name;
    int64_t unit;
} rows[POD_RESOURCES] = {
#define RESOURCE(id, name, unit, doc) {name, unit},
#include "pod/resources.def"
#undef RESOURCE
};

const char *pod_resource_name(enum pod_resource r) { return rows[r].name; }

bool pod_quantity(enum pod_resource r, struct str text, int64_t *out)
{
    int64_t milli;
    if (!quantity_milli(text, &milli) || milli < 0) return false;
    *out = milli / rows[r].unit + (milli % rows[r].unit != 0);
    return true;
}

/* Absent: 0, and *there is false. */
static bool one(const struct val *resources, const char *kind, enum pod_resource r, bool *there, int64_t *out, struct err *e)
{
    const struct val *v = val_get(val_get(resources, str_of(kind)), str_of(rows[r].name));
    *out = 0;
    *there = v != NULL;
    if (!v || pod_quantity(r, val_text(v), out)) return true;
    return err_set(e, ERR_SPEC, "resources.%s.%s: '%.*s' is no quantity", kind, rows[r].name, STR_ARG(val_text(v)));
}

/* What is requested, else what it is limited to. */
static bool asked(const struct val *resources, enum pod_resource r, bool *there, int64_t *out, struct err *e)
{
    if (!one(resources, "requests", r, there, out, e)) return false;
    return *there || one(resources, "limits", r, there, out, e);
}

/* ---- pods ---- */

/* The containers of a pod: init containers first. */
struct walk {
    const struct val *tmpl;
    size_t list;
    uint32_t i;
    bool init; /* it ends before main begins */
    struct str name;
};

static const struct val *next(struct walk *w)
{
    static const char *const lists[] = {"initContainers", "container", "script", "containerSet.containers", "sidecars"};
    for (; w->list < ARRAY_LEN(lists); w->list++, w->i = 0) {
        const struct val *l = val_path(w->tmpl, lists[w->list]), *c = l;
        if (!l || (l->kind == VAL_LIST ? w->i >= l->n : w->i > 0)) continue;
        if (l->kind == VAL_LIST) c = &l->items[w->i];
        w->i++;
        w->init = w->list == 0 && !str_is(val_get_str(c, "restartPolicy"), "Always");
        w->name = l->kind == VAL_LIST ? val_get_str(c, "name") : STR("main");
        return c;
    }
    return NULL;
}

static bool need(const struct val *tmpl, const struct val *shared, enum pod_resource r, int64_t *out, struct err *e)
{
    struct walk w = {.tmpl = tmpl};
    int64_t sum = 0, most = 0, n;
    bool there;
    for (const struct val *c; (c = next(&w));) {
        if (!asked(val_get(c, STR("resources")), r, &there, &n, e)) return err_ctx(e, "%.*s", STR_ARG(w.name)), false;
        if (__builtin_add_overflow(sum, n, &n)) return err_set(e, ERR_SPEC, "the containers ask for too much %s", rows[r].name);
        if (w.init) most = MAX(most, n); /* beside those that have begun to go on */
        else sum = n;
    }
    *out = MAX(sum, most);
    if (!asked(shared, r, &there, &n, e)) return err_ctx(e, "podResources"), false;
    if (there) *out = n; /* of the pod as a whole: says last */
    return true;
}

bool pod_needs(const struct val *tmpl, const struct val *shared, struct pod_needs *out, struct err *e)
{
    for (enum pod_resource r = 0; r < POD_RESOURCES; r++)
        if (!need(tmpl, shared, r, &out->of[r], e)) return false;
    return true;
}

uint32_t pod_devices(const struct val *tmpl, struct str container, enum pod_resource r, uint32_t *first)
{
    struct walk w = {.tmpl = tmpl};
    int64_t before = 0, n;
    bool there;
    for (const struct val *c; (c = next(&w));) {
        if (!asked(val_get(c, STR("resources")), r, &there, &n, NULL)) return 0;
        *first = (uint32_t)before;
        if (str_eq(w.name, container)) return (uint32_t)n;
        if (!w.init) before += n;
    }
    return 0;
}

/* ---- containers ---- */

/* Its own limit, else that of the pod as a whole, which no container may exceed either. */
static bool limit(const struct val *resources, const struct val *shared, enum pod_resource r, int64_t *request, int64_t *most,
                  struct err *e)
{
    struct str name = str_of(rows[r].name);
    bool requested, limited;
    if (!one(resources, "requests", r, &requested, request, e) || !one(resources, "limits", r, &limited, most, e)) return false;
    if (limited && *request > *most)
        return err_set(e, ERR_SPEC, "resources.requests.%s: '%.*s' must be less than or equal to %s limit of %.*s", rows[r].name,
                       STR_ARG(val_text(val_get(val_get(resources, STR("requests")), name))), rows[r].name,
                       STR_ARG(val_text(val_get(val_get(resources, STR("limits")), name))));
    if (!requested) *request = *most;
    return limited || one(shared, "limits", r, &limited, most, e);
}

bool pod_limits(const struct val *container, const struct val *shared, struct step_limits *out, struct err *e)
{
    const struct val *resources = val_get(container, STR("resources"));
    int64_t request, cpu, memory;
    *out = (struct step_limits){0};
    if (!resources && !shared) return true;
    if (!limit(resources, shared, POD_MEMORY, &request, &memory, e) || !limit(resources, shared, POD_CPU, &request, &cpu, e)) return false;
    out->memory_bytes = (uint64_t)memory;
    out->cpu_milli = (uint64_t)cpu;
    out->share_milli = (uint64_t)request;
    return true;
}
