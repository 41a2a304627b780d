/* What resource templates act on: workflows and stored documents under one name, with kubectl's words
 * for what goes wrong. Runs on: the loop thread, in the open transaction. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "exec/op_p.h"
#include "os/clock.h"
#include "os/random.h"

static const char manifest_path[] = "/tmp/manifest.yaml"; /* where Argo's executor has it */

/* ---- kinds ---- */

/* "configmaps", "workflow.argoproj.io", "workflows.v1alpha1.argoproj.io" */
static bool group_fits(const char *api_version, struct str rest)
{
    struct str group, version;
    if (!str_cut(str_of(api_version), '/', &group, &version)) return !rest.n;
    if (str_starts(rest, version) && rest.n > version.n && rest.p[version.n] == '.') rest = str_from(rest, version.n + 1);
    return !rest.n || str_eq(rest, group);
}

static bool foreign(struct str kind, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "kind '%.*s' is not supported: Skiff keeps workflows, their templates, cron "
                   "workflows, event bindings, ConfigMaps, Secrets and PersistentVolumeClaims only", STR_ARG(kind));
}

bool object_kind(struct str word, struct object_key *out, struct err *e)
{
    static const char *const runs[] = {"workflow", "workflows", "wf"};
    struct str head, rest;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    str_cut(word, '.', &head, &rest);
    char *low = arena_alloc_bytes(&a, head.n + 1);
    for (size_t i = 0; i < head.n; i++) low[i] = head.p[i] >= 'A' && head.p[i] <= 'Z' ? (char)(head.p[i] | 32) : head.p[i];
    *out = (struct object_key){0};
    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        if (str_is(str_n(low, head.n), runs[i]) && group_fits("argoproj.io/v1alpha1", rest)) return out->is_run = true;
    if (resource_kind_find(head, &out->kind) && group_fits(resource_kinds[out->kind].api_version, rest)) return true;
    return foreign(word, e);
}

bool object_kind_of(const struct val *doc, struct object_key *out, struct err *e)
{
    struct str kind = val_get_str(doc, "kind"), api = val_get_str(doc, "apiVersion");
    *out = (struct object_key){0};
    if (!kind.n) return err_set(e, ERR_SPEC, "error: error validating \"%s\": error validating data: kind not set", manifest_path);
    if (!api.n)
        return err_set(e, ERR_SPEC, "error: error validating \"%s\": error validating data: apiVersion not set", manifest_path);
    if (str_is(kind, "Workflow")) out->is_run = true;
    else if (!resource_kind_find(kind, &out->kind) || !str_is(kind, resource_kinds[out->kind].kind))
        return foreign(kind, e); /* of a manifest: letter case counts */
    const char *wanted = out->is_run ? "argoproj.io/v1alpha1" : resource_kinds[out->kind].api_version;
    return str_is(api, wanted) || err_set(e, ERR_UNSUPPORTED, "kind '%.*s' in version '%.*s' is not supported: it is %s",
                                          STR_ARG(kind), STR_ARG(api), wanted);
}

struct str object_kind_text(const struct object_key *k)
{
    return k->is_run ? STR("Workflow") : str_of(resource_kinds[k->kind].kind);
}

struct str object_group_name(struct arena *a, const struct object_key *k)
{
    struct str group, version;
    const char *plural = k->is_run ? "workflows" : resource_kinds[k->kind].plural;
    bool has = str_cut(str_of(k->is_run ? "argoproj.io/v1alpha1" : resource_kinds[k->kind].api_version), '/', &group, &version);
    return str_fmt(a, "%s%s%.*s \"%.*s\"", plural, has ? "." : "", has ? (int)group.n : 0, group.p, STR_ARG(k->name));
}

/* Limits of semaphores stand in ConfigMaps; whoever waits is looked at in this turn. */
static void limits_note(struct exec *x, const struct object_key *k)
{
    if (!k->is_run && k->kind == RESOURCE_CONFIG_MAP) locks_refresh(x->locks);
}

/* ---- looking ---- */

static bool not_found(struct arena *a, const struct object_key *k, struct err *e)
{
    struct str what = object_group_name(a, k);
    return err_set(e, ERR_NOT_FOUND, "Error from server (NotFound): %.*s not found", STR_ARG(what));
}

static bool get(struct arena *a, struct exec *x, const struct object_key *k, bool nodes, struct val *out, struct err *e)
{
    struct run_row row;
    struct resource_key key = {.kind = k->kind, .ns = k->ns, .name = k->name};
    if (!k->is_run) return resource_get(a, x->store, &key, out, e);
    return store_run_find(a, x->store, k->ns, k->name, &row, e) && exec_workflow(a, x->store, &row, nodes, out, e);
}

bool object_get(struct arena *a, struct exec *x, const struct object_key *k, bool nodes, struct val *out, struct err *e)
{
    struct err why = {0};
    if (get(a, x, k, nodes, out, &why)) return true;
    if (why.code == ERR_NOT_FOUND) return not_found(a, k, e);
    *e = why;
    return false;
}

bool object_exists(struct exec *x, const struct object_key *k)
{
    struct arena a CLEANUP(arena_fini);
    struct val v;
    struct err ignored;
    arena_init(&a);
    return get(&a, x, k, false, &v, &ignored);
}

struct names {
    VEC(struct str) v;
};

static bool runs_select(struct arena *a, struct exec *x, struct str ns, const struct selector *labels,
                        const struct selector *fields, struct names *out, struct err *e)
{
    struct run_filter f = {.ns = ns};
    do {
        struct run_page page;
        if (!store_run_list(a, x->store, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            struct val doc;
            if (!exec_workflow(a, x->store, &page.rows[i], false, &doc, e)) return false;
            if (selector_matches(labels, val_path(&doc, "metadata.labels")) && field_selector_matches(fields, &doc))
                VEC_PUSH(&out->v, page.rows[i].name);
        }
        f.before_run = page.next;
    } while (f.before_run);
    return true;
}

static bool documents_select(struct arena *a, struct exec *x, const struct resource_query *query, struct names *out,
                             struct err *e)
{
    struct resource_query q = *query;
    do {
        struct resource_page page;
        if (!resource_list(a, x->store, &q, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) VEC_PUSH(&out->v, val_text(val_path(&page.docs[i], "metadata.name")));
        q.continue_token = page.continue_token;
    } while (q.continue_token.n);
    return true;
}

bool object_select(struct arena *a, struct exec *x, const struct object_key *kind, const struct kubectl *how,
                   struct str **names, size_t *n, struct err *e)
{
    struct names found = {0};
    struct selector labels, fields;
    struct resource_query q = {.kind = kind->kind, .ns = kind->ns, .label_selector = how->labels,
                               .field_selector = how->fields};
    bool ok = selector_parse(a, how->labels, &labels, e) && field_selector_parse(a, how->fields, &fields, e);
    if (ok) ok = kind->is_run ? runs_select(a, x, kind->ns, &labels, &fields, &found, e)
                              : documents_select(a, x, &q, &found, e);
    *n = found.v.n;
    *names = ARENA_ARRAY(a, struct str, found.v.n + 1);
    if (found.v.n) memcpy(*names, found.v.items, found.v.n * sizeof **names);
    VEC_FINI(&found.v);
    return ok;
}

/* ---- changing ---- */

static bool admit(struct arena *a, struct exec *x, const struct val *doc, struct str ns, struct val *out, struct err *e)
{
    if (x->o.admit) return x->o.admit(x->o.user, a, doc, ns, out, e);
    return err_set(e, ERR_UNSUPPORTED, "objects cannot be created here");
}

static bool exists_already(struct arena *a, const struct object_key *k, struct err *e)
{
    struct str what = object_group_name(a, k);
    return err_set(e, ERR_CONFLICT, "Error from server (AlreadyExists): error when creating \"%s\": %.*s already exists",
                   manifest_path, STR_ARG(what));
}

static bool run_create(struct arena *a, struct active *by, const struct val *workflow, struct object_key *k, struct err *e)
{
    struct exec *x = by->x;
    const struct val *meta = val_get(workflow, STR("metadata"));
    k->name = val_get_str(meta, "name");
    k->ns = val_get_str(meta, "namespace");
    struct owned what = {object_kind_text(k), k->ns, k->name, val_get_str(meta, "uid")};
    if (object_exists(x, k)) return exists_already(a, k, e);
    return run_submit(by, workflow, e) && resource_change_log(x->store, "ADDED", &what, e);
}

bool object_create(struct arena *a, struct active *by, const struct val *doc, struct object_key *k, struct err *e)
{
    struct exec *x = by->x;
    const struct val *meta = val_get(doc, STR("metadata"));
    struct str ns = val_get_str(meta, "namespace");
    struct val ready;
    struct resource_result r;
    k->name = val_get_str(meta, "name");
    if (ns.n) k->ns = ns;
    if (!k->name.n && !val_get_str(meta, "generateName").n)
        return err_set(e, ERR_SPEC, "error: error when creating \"%s\": resource name may not be empty", manifest_path);
    if (k->name.n && object_exists(x, k)) return exists_already(a, k, e);
    if (!admit(a, x, doc, k->ns, &ready, e)) return false;
    if (k->is_run) return run_create(a, by, &ready, k, e);
    struct resource_write w = {.store = x->store, .verb = RESOURCE_CREATE, .doc = &ready, .ns = k->ns,
                               .now_us = clock_now_us(), .random = {random_u64(), random_u64()}};
    if (!resource_put(a, &w, &r, e)) return false;
    limits_note(x, k);
    k->name = r.name;
    k->ns = r.ns;
    return true;
}

static bool document_change(struct arena *a, struct exec *x, const struct object_key *k, const struct val *doc,
                            struct err *e)
{
    struct val ready;
    struct resource_result r;
    if (!admit(a, x, doc, k->ns, &ready, e)) return false;
    struct resource_write w = {.store = x->store, .verb = RESOURCE_UPDATE, .doc = &ready, .ns = k->ns,
                               .now_us = clock_now_us(), .random = {random_u64(), random_u64()}};
    if (!resource_put(a, &w, &r, e)) return false;
    limits_note(x, k);
    return true;
}

bool object_change(struct arena *a, struct exec *x, const struct object_key *k, const struct val *live,
                   const struct val *doc, struct err *e)
{
    static const char *const fixed[] = {"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.uid"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        struct str was = val_text(val_path(live, fixed[i])), is = val_text(val_path(doc, fixed[i]));
        bool may_lack = is.n == 0 && i >= 3; /* a replacing document need not know them */
        if (!may_lack && !str_eq(was, is))
            return err_set(e, ERR_SPEC, "Error from server (Invalid): %s: Invalid value: \"%.*s\": field is immutable",
                           fixed[i], STR_ARG(is));
    }
    return k->is_run ? run_change(a, x, k, live, doc, e) : document_change(a, x, k, doc, e);
}

bool object_delete(struct arena *a, struct exec *x, const struct object_key *k, struct err *e)
{
    struct run_row row;
    struct object_row object;
    struct resource_key key = {.kind = k->kind, .ns = k->ns, .name = k->name};
    struct val doc;
    struct err why = {0};
    if (k->is_run) {
        if (store_run_find(a, x->store, k->ns, k->name, &row, &why)) return exec_delete(x, &row, e);
    } else if (resource_get(a, x->store, &key, &doc, &why)) {
        object.uid = val_text(val_path(&doc, "metadata.uid"));
        if (!resource_delete(x->store, &key, OBJECT_RV_ANY, clock_now_us(), e)) return false;
        limits_note(x, k);
        return owned_delete(x, 0, object.uid, e);
    }
    if (why.code == ERR_NOT_FOUND) return not_found(a, k, e);
    *e = why;
    return false;
}
