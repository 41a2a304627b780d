/* Resource templates: what kubectl would do with the manifest and the flags, done to our own objects,
 * and the conditions that are waited for. Semantics and messages: Argo's executor
 * (workflow/executor/resource.go) and kubectl. Runs on: the loop thread, in the open transaction. */
#include "base/limits.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "exec/op_p.h"
#include "os/fd.h"
#include "spec/documents.h"
#include "spec/merge.h"

enum verb { GET, CREATE, APPLY, DELETE, REPLACE, PATCH };

struct doing {
    struct op *o;
    struct arena *a;
    const struct val *r; /* the template's `resource` */
    enum verb action;
    struct str manifest;
    struct val *docs; /* of the manifest */
    size_t n_docs;
    struct kubectl k;
    bool by_file;     /* the manifest names the object */
    bool nothing;     /* --ignore-not-found: there is no object */
    struct err *e;
};

static const char *const actions[] = {"get", "create", "apply", "delete", "replace", "patch"};

static struct str field(const struct doing *d, const char *name)
{
    return val_get_str(d->r, name);
}

/* Argo tries what a server may mend, and says so. */
static bool kubectl_failed(struct doing *d)
{
    struct err why = *d->e;
    if (why.code == ERR_UNSUPPORTED || why.code == ERR_IO || why.code == ERR_INTERNAL) return false;
    return err_set(d->e, why.code, "no more retries %s", why.text);
}

/* ---- what is given ---- */

static bool action_read(struct doing *d)
{
    struct str word = field(d, "action");
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_is(word, actions[i])) return d->action = (enum verb)i, true;
    return err_set(d->e, ERR_SPEC, "resource.action must be one of: get, create, apply, delete, replace, patch");
}

static bool flags_read(struct doing *d)
{
    const struct val *list = val_get(d->r, STR("flags"));
    size_t n = list && list->kind == VAL_LIST ? list->n : 0;
    struct str *words = ARENA_ARRAY(d->a, struct str, n + 1);
    for (size_t i = 0; i < n; i++) words[i] = val_text(&list->items[i]);
    if (!n && !d->manifest.n) return err_set(d->e, ERR_SPEC, "Must provide at least one of flags or manifest.");
    return kubectl_parse(d->a, words, n, &d->k, d->e) || kubectl_failed(d);
}

/* The text of an input artifact. */
static bool manifest_from(struct doing *d, struct str name)
{
    struct op *o = d->o;
    struct job j = {.x = o->x, .live = o->live, .node = o->node};
    struct pod_artifact art;
    const struct val *list = val_path(&o->tmpl, "inputs.artifacts");
    for (uint32_t i = 0; list && i < list->n; i++) {
        if (!str_eq(val_get_str(&list->items[i], "name"), name)) continue;
        if (!input_single(&j, &list->items[i], &art, d->e)) return err_ctx(d->e, "input artifact '%.*s'", STR_ARG(name));
        if (art.content.p) return d->manifest = art.content, true;
        if (file_read(d->a, str_z(d->a, art.source), LIMIT_DOC_BYTES, &d->manifest, d->e)) return true;
        d->e->code = ERR_SPEC; /* a directory, perhaps: nothing is wrong with the store */
        return err_ctx(d->e, "input artifact '%.*s'", STR_ARG(name));
    }
    return err_set(d->e, ERR_SPEC, "manifestFrom: '%.*s' is not an input artifact of this template", STR_ARG(name));
}

static bool manifest_read(struct doing *d)
{
    const struct val *from = val_path(d->r, "manifestFrom.artifact");
    d->manifest = field(d, "manifest");
    return !from || manifest_from(d, val_get_str(from, "name"));
}

/* A List stands for its items. */
static void lists_open(struct doing *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_docs; i++) {
        const struct val *items = val_get(&d->docs[i], STR("items"));
        n += str_is(val_get_str(&d->docs[i], "kind"), "List") && items ? items->n : 1;
    }
    struct val *all = ARENA_ARRAY(d->a, struct val, n + 1);
    size_t at = 0;
    for (size_t i = 0; i < d->n_docs; i++) {
        const struct val *items = val_get(&d->docs[i], STR("items"));
        if (!str_is(val_get_str(&d->docs[i], "kind"), "List") || !items) all[at++] = d->docs[i];
        else for (uint32_t k = 0; k < items->n; k++) all[at++] = items->items[k];
    }
    d->docs = all;
    d->n_docs = n;
}

static struct val owned_by(struct doing *d, const struct val *doc)
{
    const struct run *run = d->o->live->run;
    struct owner_ref owner = {STR("argoproj.io/v1alpha1"), STR("Workflow"), run_name(run), run_uid(run), true};
    return owner_ref_add(d->a, doc, &owner);
}

static bool docs_read(struct doing *d)
{
    const struct val *set = val_get(d->r, STR("setOwnerReference"));
    if (!yaml_parse_all(d->a, d->manifest, NULL, &d->docs, &d->n_docs, d->e))
        return err_ctx(d->e, "error: error parsing /tmp/manifest.yaml") || kubectl_failed(d);
    lists_open(d);
    if (set && set->kind == VAL_BOOL && set->b && d->n_docs && d->docs[0].kind == VAL_MAP && field(d, "manifest").n)
        d->docs[0] = owned_by(d, &d->docs[0]);
    return true;
}

/* Does `-f` stand among kubectl's words? (getKubectlArguments) */
static void file_flag(struct doing *d)
{
    bool json = str_is(field(d, "mergeStrategy"), "json");
    bool has_flags = val_get(d->r, STR("flags")) && val_get(d->r, STR("flags"))->n;
    d->by_file = d->manifest.n > 0;
    if (d->action != PATCH) return;
    if (json || (has_flags && d->n_docs && !val_get(&d->docs[0], STR("kind")))) d->by_file = false;
}

/* ---- which object ---- */

static bool namespace_fits(struct doing *d, struct str own)
{
    return !own.n || !d->k.ns.n || str_eq(own, d->k.ns) ||
           err_set(d->e, ERR_SPEC, "error: the namespace from the provided object \"%.*s\" does not match the namespace "
                   "\"%.*s\". You must pass '--namespace=%.*s' to perform this operation.", STR_ARG(own),
                   STR_ARG(d->k.ns), STR_ARG(own));
}

static void key_complete(struct doing *d, struct object_key *k, struct str ns)
{
    bool cluster = !k->is_run && !resource_kinds[k->kind].namespaced;
    k->ns = cluster ? STR("") : ns.n ? ns : d->k.ns.n ? d->k.ns : run_namespace(d->o->live->run);
}

static bool key_of_doc(struct doing *d, const struct val *doc, struct object_key *k)
{
    const struct val *meta = val_get(doc, STR("metadata"));
    struct str ns = val_get_str(meta, "namespace");
    if (!object_kind_of(doc, k, d->e) || !namespace_fits(d, ns)) return false;
    k->name = val_get_str(meta, "name");
    key_complete(d, k, ns);
    bool may_lack = d->action == CREATE || d->action == APPLY; /* which say so themselves */
    return k->name.n || may_lack || err_set(d->e, ERR_SPEC, "error: resource name may not be empty");
}

static bool key_of_target(struct doing *d, const struct kubectl_target *t, struct object_key *k)
{
    if (!object_kind(t->kind, k, d->e)) return false;
    k->name = t->name;
    key_complete(d, k, STR_NONE);
    return true;
}

/* The one object that get and patch are about. */
static bool key_single(struct doing *d, struct object_key *k)
{
    if (d->by_file && kubectl_selects(&d->k))
        return err_set(d->e, ERR_SPEC, "error: when paths, URLs, or stdin is provided as resource input, you may not "
                       "specify resource arguments as well");
    if (d->by_file && d->n_docs == 1) return key_of_doc(d, &d->docs[0], k);
    if (!d->by_file && d->k.n_targets == 1) return key_of_target(d, &d->k.targets[0], k);
    if (!d->by_file && !kubectl_selects(&d->k))
        return err_set(d->e, ERR_SPEC, "error: You must provide one or more resources by argument or filename.");
    return err_set(d->e, ERR_SPEC, "Kind and name are both required but at least one of them is missing from the manifest");
}

static bool one_document(struct doing *d)
{
    if (kubectl_selects(&d->k)) return err_set(d->e, ERR_SPEC, "error: unexpected args");
    if (d->n_docs == 1 && d->docs[0].kind == VAL_MAP) return true;
    if (!d->n_docs) return err_set(d->e, ERR_SPEC, "error: no objects passed to %s", actions[d->action]);
    return err_set(d->e, ERR_UNSUPPORTED, "a manifest of several documents is not supported for the action %s",
                   actions[d->action]);
}

/* ---- the actions ---- */

static bool act_get(struct doing *d)
{
    struct object_key *k = &d->o->target;
    struct val v;
    if (!key_single(d, k)) return false;
    if (object_get(d->a, d->o->x, k, false, &v, d->e)) return true;
    return d->k.ignore_not_found && d->e->code == ERR_NOT_FOUND ? d->nothing = true : false;
}

static bool act_create(struct doing *d)
{
    struct object_key *k = &d->o->target;
    return one_document(d) && key_of_doc(d, &d->docs[0], k) &&
           object_create(d->a, d->o->live, &d->docs[0], k, d->e);
}

static bool act_apply(struct doing *d)
{
    struct object_key *k = &d->o->target;
    struct val live, merged;
    struct err absent;
    if (!one_document(d) || !key_of_doc(d, &d->docs[0], k)) return false;
    if (!k->name.n) return err_set(d->e, ERR_SPEC, "error: from %.*s: cannot use generate name with apply",
                                   STR_ARG(val_get_str(val_get(&d->docs[0], STR("metadata")), "generateName")));
    bool there = object_get(d->a, d->o->x, k, false, &live, &absent);
    merged = apply_merge(d->a, there ? &live : NULL, &d->docs[0]);
    if (!there) return object_create(d->a, d->o->live, &merged, k, d->e);
    return object_change(d->a, d->o->x, k, &live, &merged, d->e);
}

static bool act_replace(struct doing *d)
{
    struct object_key *k = &d->o->target;
    struct val live;
    if (!one_document(d) || !key_of_doc(d, &d->docs[0], k)) return false;
    if (object_get(d->a, d->o->x, k, false, &live, d->e))
        return object_change(d->a, d->o->x, k, &live, &d->docs[0], d->e);
    if (d->e->code != ERR_NOT_FOUND) return false;
    struct str what = object_group_name(d->a, k);
    return err_set(d->e, ERR_NOT_FOUND, "Error from server (NotFound): error when replacing \"/tmp/manifest.yaml\": %.*s "
                   "not found", STR_ARG(what));
}

static const struct field_type *core_type(const struct object_key *k)
{
    if (k->is_run) return NULL;
    switch (k->kind) {
    case RESOURCE_CONFIG_MAP: return doc_kind_type(DOC_CONFIG_MAP);
    case RESOURCE_SECRET: return doc_kind_type(DOC_SECRET);
    case RESOURCE_PVC: return doc_kind_type(DOC_PERSISTENT_VOLUME_CLAIM);
    default: return NULL;
    }
}

static bool patched(struct doing *d, const struct val *live, struct val *out)
{
    struct str how = field(d, "mergeStrategy");
    const struct field_type *type = core_type(&d->o->target);
    if (d->n_docs != 1) return err_set(d->e, ERR_SPEC, "error: a patch is one document");
    if (str_is(how, "json")) return patch_json(d->a, live, &d->docs[0], out, d->e);
    if (d->docs[0].kind != VAL_MAP) return err_set(d->e, ERR_SPEC, "error: a merge patch is a map");
    if (str_is(how, "merge")) return *out = merge_json(d->a, live, &d->docs[0]), true;
    if (!type)
        return err_set(d->e, ERR_SPEC, "Error from server (UnsupportedMediaType): the body of the request was in an "
                       "unknown format - accepted media types include: application/json-patch+json, "
                       "application/merge-patch+json, application/apply-patch+yaml");
    *out = merge_strategic(d->a, type, live, &d->docs[0]);
    return true;
}

static bool act_patch(struct doing *d)
{
    struct object_key *k = &d->o->target;
    struct val live, now;
    return key_single(d, k) && object_get(d->a, d->o->x, k, false, &live, d->e) && patched(d, &live, &now) &&
           object_change(d->a, d->o->x, k, &live, &now, d->e);
}

static bool is_self(const struct doing *d, const struct object_key *k)
{
    const struct run *run = d->o->live->run;
    return k->is_run && str_eq(k->name, run_name(run)) && str_eq(k->ns, run_namespace(run));
}

/* kubectl delete --ignore-not-found, as Argo calls it. */
static bool delete_one(struct doing *d, const struct object_key *k)
{
    struct err why = {0};
    if (is_self(d, k)) return err_set(d->e, ERR_UNSUPPORTED, "a workflow that deletes itself is not supported");
    if (object_delete(d->a, d->o->x, k, &why) || why.code == ERR_NOT_FOUND) return true;
    *d->e = why;
    return false;
}

static bool delete_selected(struct doing *d)
{
    struct object_key k;
    struct str *names;
    size_t n;
    if (!d->k.all && !d->k.labels.n && !d->k.fields.n)
        return err_set(d->e, ERR_SPEC, "error: resource(s) were provided, but no name was specified");
    if (!object_kind(d->k.kind, &k, d->e)) return false;
    key_complete(d, &k, STR_NONE);
    if (!object_select(d->a, d->o->x, &k, &d->k, &names, &n, d->e)) return false;
    for (size_t i = 0; i < n; i++) {
        k.name = names[i];
        if (!delete_one(d, &k)) return false;
    }
    return true;
}

static bool act_delete(struct doing *d)
{
    struct object_key k;
    if (d->by_file && kubectl_selects(&d->k))
        return err_set(d->e, ERR_SPEC, "error: cannot specify both a file and resource arguments");
    for (size_t i = 0; d->by_file && i < d->n_docs; i++)
        if (!key_of_doc(d, &d->docs[i], &k) || !delete_one(d, &k)) return false;
    for (size_t i = 0; i < d->k.n_targets; i++)
        if (!key_of_target(d, &d->k.targets[i], &k) || !delete_one(d, &k)) return false;
    if (d->k.kind.n) return delete_selected(d);
    if (!d->by_file && !d->k.n_targets)
        return err_set(d->e, ERR_SPEC, "error: You must provide one or more resources by argument or filename.");
    return true;
}

static bool act(struct doing *d)
{
    static bool (*const fns[])(struct doing *) = {[GET] = act_get,         [CREATE] = act_create,
                                                  [APPLY] = act_apply,     [DELETE] = act_delete,
                                                  [REPLACE] = act_replace, [PATCH] = act_patch};
    return fns[d->action](d) || kubectl_failed(d);
}

/* ---- together ---- */

/* successCondition, failureCondition and outputs say something about an object that stays. */
static bool delete_is_plain(struct doing *d)
{
    const struct val *params = val_path(&d->o->tmpl, "outputs.parameters");
    if (d->action != DELETE || (!field(d, "successCondition").n && !field(d, "failureCondition").n && !(params && params->n)))
        return true;
    return err_set(d->e, ERR_SPEC, "successCondition, failureCondition and outputs are not supported for delete action");
}

static bool prepared(struct doing *d)
{
    return action_read(d) && delete_is_plain(d) && manifest_read(d) && flags_read(d) && docs_read(d) &&
           (file_flag(d), true);
}

/* Output parameters of an object that is not there: their defaults, else nothing. */
static struct step_outcome nothing_found(struct op *o)
{
    const struct val *list = val_path(&o->tmpl, "outputs.parameters");
    struct step_outcome how = {.phase = NODE_SUCCEEDED, .exit_code = 0};
    struct step_outcome_param *params = ARENA_ARRAY(&o->arena, struct step_outcome_param, (list ? list->n : 0) + 1);
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct val *p = &list->items[i];
        if (!val_get(p, STR("valueFrom")) || val_path(p, "valueFrom.default")) continue;
        params[how.n_params++] = (struct step_outcome_param){val_get_str(p, "name"), STR("")};
    }
    how.params = params;
    return how;
}

static bool condition_read(struct op *o, struct err *e)
{
    const struct val *r = val_get(&o->tmpl, STR("resource"));
    return condition_parse(&o->arena, val_get_str(r, "successCondition"), val_get_str(r, "failureCondition"),
                           &o->condition, e);
}

bool resource_act(struct op *o, struct step_outcome *how, struct err *fatal)
{
    struct err why = {0};
    struct doing d = {.o = o, .a = &o->arena, .r = val_get(&o->tmpl, STR("resource")), .e = &why};
    if (prepared(&d) && act(&d) && (d.nothing || condition_read(o, &why))) {
        if (d.action != DELETE && !d.nothing) return true;
        *how = d.nothing ? nothing_found(o) : (struct step_outcome){.phase = NODE_SUCCEEDED, .exit_code = 0};
        return false;
    }
    if (why.code == ERR_IO || why.code == ERR_INTERNAL) *fatal = why;
    *how = why.code == ERR_UNSUPPORTED ? op_refusal(o, why.text) : op_failure(o, str_of(why.text));
    return false;
}

enum condition_state resource_judge(struct op *o, struct step_outcome *how, struct val *object)
{
    struct arena *a = &o->x->scratch;
    struct err e = {0};
    struct str why;
    if (!o->condition.given && !condition_read(o, &e)) { /* after a restart; it was read before */
        *how = op_failure(o, str_of(e.text));
        return CONDITION_FAILED;
    }
    bool nodes = condition_reads(&o->condition, STR("status.nodes"));
    if (!object_get(a, o->x, &o->target, nodes, object, &e)) {
        struct str name = object_group_name(a, &o->target);
        *how = op_failure(o, str_fmt(a, "The resource has been deleted while its status was still being checked. Will "
                                     "not be retried: %.*s not found", STR_ARG(name)));
        return CONDITION_FAILED;
    }
    enum condition_state state = condition_judge(a, &o->condition, object, &why);
    if (state == CONDITION_FAILED) *how = op_failure(o, why);
    if (state == CONDITION_HOLDS && !nodes && outputs_declared(&o->tmpl)) /* nodes are many: only when they may be read */
        object_get(a, o->x, &o->target, true, object, &e);
    return state;
}
