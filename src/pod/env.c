/* The environment of a step: nothing of the host's, only image, template and what Argo provides. */
#include "base/limits.h"
#include "doc/json_write.h"
#include "pod/pod_p.h"

struct expansion {
    struct buf out;
    struct str missing; /* the first name without a value */
};

void pod_env_set(struct pod *p, struct str name, struct str value)
{
    struct str entry = str_fmt(p->a, "%.*s=%.*s", STR_ARG(name), STR_ARG(value));
    struct str prefix = str_sub(entry, 0, name.n + 1);
    for (size_t i = 0; i < p->env.n; i++)
        if (str_starts(p->env.items[i], prefix)) {
            p->env.items[i] = entry;
            return;
        }
    VEC_PUSH(&p->env, entry);
}

struct str pod_env_get(const struct pod *p, struct str name)
{
    for (size_t i = 0; i < p->env.n; i++) {
        struct str e = p->env.items[i];
        if (e.n > name.n && e.p[name.n] == '=' && str_starts(e, name)) return str_from(e, name.n + 1);
    }
    return STR_NONE;
}

/* What `text` begins with, '$' and '(' or '$' or something else, goes to `out`: how many bytes that were. */
static size_t expand_one(struct pod *p, struct str text, struct expansion *x)
{
    ptrdiff_t close = text.p[1] == '(' ? str_find_char(text, ')', 2) : -1;
    if (text.p[1] == '$') { /* an escape */
        buf_char(&x->out, '$');
        return 2;
    }
    if (close < 0) {
        buf_str(&x->out, str_sub(text, 0, 2));
        return 2;
    }
    struct str name = str_sub(text, 2, (size_t)close - 2), value = pod_env_get(p, name);
    if (!value.n && !x->missing.p) x->missing = name;
    buf_str(&x->out, value.p ? value : str_sub(text, 0, (size_t)close + 1));
    return (size_t)close + 1;
}

struct str pod_expand(struct pod *p, struct str text, struct str *missing)
{
    struct expansion x = {.missing = STR_NONE};
    size_t from = 0;
    ptrdiff_t at;
    if (missing) *missing = STR_NONE;
    if (str_find_char(text, '$', 0) < 0) return text;
    buf_init(&x.out, LIMIT_STEP_WORD_BYTES);
    while ((at = str_find_char(text, '$', from)) >= 0 && (size_t)at + 1 < text.n) {
        buf_str(&x.out, str_sub(text, from, (size_t)at - from));
        from = (size_t)at + expand_one(p, str_from(text, (size_t)at), &x);
    }
    buf_str(&x.out, str_from(text, from));
    struct str out = buf_dup(p->a, &x.out);
    p->overflow |= x.out.overflow;
    buf_fini(&x.out);
    if (missing) *missing = x.missing;
    return out;
}

/* fieldRef: the pod fields that mean something on one machine. */
bool pod_field(struct pod *p, struct str path, struct str *out, struct err *e)
{
    const struct val *meta = val_get(p->in->workflow, STR("metadata"));
    struct str local = STR("127.0.0.1"), host = p->in->host_address.n ? p->in->host_address : local;
    struct str address = p->in->address.n ? p->in->address : local;
    struct {
        const char *path;
        struct str value;
    } rows[] = {
        {"metadata.name", p->in->pod_name},
        {"metadata.namespace", val_get_str(meta, "namespace")},
        {"metadata.uid", val_get_str(meta, "uid")},
        {"spec.nodeName", STR("localhost")},
        {"spec.serviceAccountName", STR("default")},
        {"status.hostIP", host}, {"status.hostIPs", host},
        {"status.podIP", address}, {"status.podIPs", address},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_is(path, rows[i].path)) return *out = rows[i].value, true;
    if (str_is(path, "metadata.labels") || str_is(path, "metadata.annotations"))
        return *out = pod_meta_all(p->a, p->in, str_is(path, "metadata.labels")), true;
    for (int label = 0; label < 2; label++) { /* metadata.labels['KEY'] */
        struct str head = label ? STR("metadata.labels['") : STR("metadata.annotations['");
        if (!str_starts(path, head) || path.n < head.n + 2 || path.p[path.n - 1] != ']') continue;
        *out = pod_meta(p->in, label, str_sub(path, head.n, path.n - head.n - 2));
        if (!out->p) *out = STR("");
        return true;
    }
    return err_set(e, ERR_UNSUPPORTED, "fieldRef '%.*s' is not supported", STR_ARG(path));
}

static void mask(struct pod *p, struct str secret)
{
    if (secret.n >= 4) VEC_PUSH(&p->masks, secret); /* shorter ones would blank ordinary words */
}

static bool ref_value(struct pod *p, const struct val *ref, bool secret, struct str *out, struct err *e)
{
    const struct val *optional = val_get(ref, STR("optional"));
    struct err own;
    if (p->in->lookup.value(p->in->lookup.ctx, secret, val_get_str(ref, "name"),
                            val_get_str(ref, "key"), out, &own)) {
        if (secret) mask(p, *out);
        return true;
    }
    *out = STR_NONE;
    if (own.code == ERR_NOT_FOUND && optional && optional->kind == VAL_BOOL && optional->b) return true;
    if (e) *e = own;
    return false;
}

static bool env_item(struct pod *p, const struct val *item, struct err *e)
{
    const struct val *from = val_get(item, STR("valueFrom"));
    struct str name = val_get_str(item, "name"), value = val_text(val_get(item, STR("value")));
    const struct val *secret = val_get(from, STR("secretKeyRef"));
    const struct val *config = val_get(from, STR("configMapKeyRef"));
    const struct val *field = val_get(from, STR("fieldRef")), *resource = val_get(from, STR("resourceFieldRef"));
    if (secret && !ref_value(p, secret, true, &value, e)) return err_ctx(e, "env %.*s", STR_ARG(name));
    if (config && !ref_value(p, config, false, &value, e)) return err_ctx(e, "env %.*s", STR_ARG(name));
    if (field && !pod_field(p, val_get_str(field, "fieldPath"), &value, e))
        return err_ctx(e, "env %.*s", STR_ARG(name)), false;
    if (resource && !pod_resource_ref(p, resource, &value, e)) return err_ctx(e, "env %.*s", STR_ARG(name));
    if (from && !secret && !config && !field && !resource)
        return err_set(e, ERR_UNSUPPORTED, "env %.*s: this valueFrom is not supported", STR_ARG(name));
    if (from && !value.p) return true; /* optional and absent */
    if (!from && value.n) value = pod_expand(p, value, NULL); /* what comes from elsewhere is a text as it is */
    pod_env_set(p, name, value.p ? value : STR(""));
    return true;
}

static bool env_from(struct pod *p, const struct val *item, struct err *e)
{
    const struct val *secret = val_get(item, STR("secretRef")), *config = val_get(item, STR("configMapRef"));
    const struct val *ref = secret ? secret : config, *optional = val_get(ref, STR("optional"));
    struct str prefix = val_get_str(item, "prefix");
    struct val map;
    struct err own;
    if (!p->in->lookup.all(p->in->lookup.ctx, secret != NULL, val_get_str(ref, "name"), &map, &own)) {
        if (own.code == ERR_NOT_FOUND && optional && optional->kind == VAL_BOOL && optional->b) return true;
        *e = own;
        return err_ctx(e, "envFrom");
    }
    for (uint32_t i = 0; i < map.n; i++) {
        struct str value = val_text(&map.map[i].v);
        if (secret) mask(p, value);
        pod_env_set(p, str_cat(p->a, prefix, map.map[i].key), value);
    }
    return true;
}

/* A plain process has no root of its own. */
struct str pod_files_dir(struct pod *p)
{
    bool plain = p->in->tier == STEP_TIER_NONE;
    return plain ? str_fmt(p->a, "%.*s/files", STR_ARG(p->work_dir)) : STR("/argo/files");
}

static void env_default(struct pod *p, struct str name, struct str value)
{
    if (!pod_env_get(p, name).p) pod_env_set(p, name, value);
}

void pod_env_defaults(struct pod *p)
{
    bool plain = p->in->tier == STEP_TIER_NONE;
    if (p->in->engine_image) return;
    struct str shims = plain ? str_fmt(p->a, "%.*s/shims", STR_ARG(p->in->state_dir)) : STR(POD_SHIM_DIR);
    for (size_t i = 0; i < p->image.env.n; i++) env_default(p, p->image.env.items[i].name, p->image.env.items[i].value);
    bool image = p->image.kind == IMAGE_STORED;
    if (image) env_default(p, STR("PATH"), STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    else env_default(p, STR("PATH"), str_fmt(p->a, "%.*s:%.*s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        STR_ARG(pod_files_dir(p)), STR_ARG(shims)));
    env_default(p, STR("HOME"), image ? p->home : STR("/tmp"));
    env_default(p, STR("HOSTNAME"), p->hostname.n ? p->hostname : p->in->pod_name);
}

/* Plain processes have no files of their own. */
struct str pod_progress_path(struct pod *p)
{
    if (p->in->tier != STEP_TIER_NONE) return STR("/var/run/argo/progress");
    return str_fmt(p->a, "%.*s/progress/%llu", STR_ARG(p->in->state_dir), (unsigned long long)p->in->step_id);
}

/* Argo's own; the template's text is left out when it would not fit in an argument. */
static void env_argo(struct pod *p)
{
    const struct val *meta = val_get(p->in->workflow, STR("metadata"));
    struct str tmpl = json_text(p->a, p->as_given);
    struct str name = p->in->part.p ? p->in->part : p->in->container;
    pod_env_set(p, STR("ARGO_CONTAINER_NAME"), name.p ? name : STR("main"));
    pod_env_set(p, STR("ARGO_NODE_ID"), p->in->node_id);
    pod_env_set(p, STR("ARGO_POD_NAME"), p->in->pod_name);
    pod_env_set(p, STR("ARGO_POD_UID"), val_get_str(meta, "uid"));
    pod_env_set(p, STR("ARGO_WORKFLOW_NAME"), val_get_str(meta, "name"));
    pod_env_set(p, STR("ARGO_WORKFLOW_UID"), val_get_str(meta, "uid"));
    pod_env_set(p, STR("ARGO_INCLUDE_SCRIPT_OUTPUT"), p->in->capture_result ? STR("true") : STR("false"));
    pod_env_set(p, STR("ARGO_PROGRESS_FILE"), pod_progress_path(p));
    if (tmpl.n < 64 << 10) pod_env_set(p, STR("ARGO_TEMPLATE"), tmpl);
}

bool pod_env(struct pod *p, struct err *e)
{
    const struct val *from = val_get(p->main, STR("envFrom")), *env = val_get(p->main, STR("env"));
    for (uint32_t i = 0; from && i < from->n; i++)
        if (!env_from(p, &from->items[i], e)) return false;
    for (uint32_t i = 0; env && i < env->n; i++)
        if (!env_item(p, &env->items[i], e)) return false;
    env_argo(p); /* appended, so that values cannot refer to these, but command and args can */
    return true;
}
