/* Trying again: retry goes on with a run that ended badly, resubmit makes a new run from one
 * (workflow/util/util.go FormulateRetryWorkflow, FormulateResubmitWorkflow). */
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/nodesel.h"
#include "service/service_p.h"

static struct val param_list(struct arena *a, const struct param *p, size_t n)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++)
        list_add(&list, val_of_str(str_fmt(a, "%.*s=%.*s", STR_ARG(p[i].name), STR_ARG(p[i].value))));
    return list_done(&list);
}

static bool doc_read(struct arena *a, struct service *s, const struct act *x, struct run_row *row, struct val *doc,
                     struct err *e)
{
    struct str text;
    return store_run_find(a, service_store(s), x->ns, x->name, row, e) &&
           store_run_doc(a, service_store(s), row->run, &text, e) && json_parse(a, text, NULL, doc, e);
}

/* What stopped the run before is not to stop it again. */
static struct val spec_reopened(struct arena *a, const struct val *spec)
{
    int64_t deadline;
    const struct val *limit = val_get(spec, STR("activeDeadlineSeconds"));
    struct val v = map_without(a, spec, STR("shutdown"));
    return limit && val_i64(limit, &deadline) && !deadline ? map_without(a, &v, STR("activeDeadlineSeconds")) : v;
}

static struct val reopened(struct arena *a, const struct val *doc)
{
    const struct val *given = val_get(doc, STR(EXEC_GIVEN));
    struct val v = map_with(a, doc, STR("spec"), spec_reopened(a, val_get(doc, STR("spec"))));
    return given ? map_with(a, &v, STR(EXEC_GIVEN), spec_reopened(a, given)) : v;
}

/* ---- retry ---- */

static bool retry_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    const struct retry_opts *o = x->opts;
    struct submit_opts over = {.params = o->params, .n_params = o->n_params};
    struct run_row row;
    struct nodesel sel;
    struct val doc;
    arena_init(&a);
    if (!doc_read(&a, s, x, &row, &doc, e) || !nodesel_parse(&a, str_z(&a, o->nodes), &sel, e)) return false;
    if (!row.completed)
        return err_set(e, ERR_NOT_NOW, "Cannot retry a workflow in phase %.*s", STR_ARG(row.phase));
    doc = reopened(&a, &doc);
    doc = workflow_stored_override(&a, &doc, &over);
    struct exec_retry again = {.workflow = &doc, .reset = {.arguments_changed = o->n_params > 0}};
    if (o->restart_successful && sel.n) again.reset.pick = node_is_picked, again.reset.ctx = &sel;
    return exec_retry(s->exec, row.run, &again, e);
}

bool service_retry(struct service *s, struct str ns, struct str name, const struct retry_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b;
    arena_init(&a);
    map_begin(&b, &a);
    map_add(&b, STR("restartSuccessful"), val_of_bool(o->restart_successful));
    map_add_str(&b, "nodeFieldSelector", o->nodes);
    map_add(&b, STR("parameters"), param_list(&a, o->params, o->n_params));
    struct act x = {.ns = ns, .name = name, .verb = "retry", .body = map_done(&b), .here = retry_here, .opts = o,
                    .alone = true};
    return act(s, &x, e);
}

/* ---- resubmit ---- */

static bool label_stays(struct str key)
{
    static const char *const dropped[] = {
        "workflows.argoproj.io/creator", "workflows.argoproj.io/creator-email",
        "workflows.argoproj.io/creator-preferred-username", "workflows.argoproj.io/phase",
        "workflows.argoproj.io/completed", "workflows.argoproj.io/workflow-archiving-status",
    };
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (str_is(key, dropped[i])) return false;
    return true;
}

static struct val meta_of_copy(struct arena *a, const struct val *meta)
{
    struct val_builder b, labels;
    struct str name = val_get_str(meta, "name");
    const struct val *own = val_get(meta, STR("labels"));
    struct str base = val_get_str(meta, "generateName");
    map_begin(&labels, a);
    for (uint32_t i = 0; own && own->kind == VAL_MAP && i < own->n; i++)
        if (label_stays(own->map[i].key)) map_add(&labels, own->map[i].key, own->map[i].v);
    map_set(&labels, STR("workflows.argoproj.io/resubmitted-from-workflow"), val_of_str(name));
    map_begin(&b, a);
    map_add_str(&b, "generateName", base.n ? base : str_fmt(a, "%.*s-", STR_ARG(name)));
    map_add_str(&b, "namespace", val_get_str(meta, "namespace"));
    map_add(&b, STR("labels"), map_done(&labels));
    static const char *const kept[] = {"annotations", "ownerReferences"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (val_get(meta, str_of(kept[i]))) map_add(&b, str_of(kept[i]), *val_get(meta, str_of(kept[i])));
    return map_done(&b);
}

/* The stored spec has its template merged in already: the copy runs what the original ran. */
static bool copy_make(struct arena *a, struct service *s, const struct val *doc, const struct resubmit_opts *o, struct val *out,
                      struct err *e)
{
    struct submit_opts over = {.params = o->params, .n_params = o->n_params, .labels = o->labels, .n_labels = o->n_labels, .priority = o->priority,
                               .uid = uid_of_submission(a, o->token, 0)};
    struct val copy = reopened(a, doc);
    copy = map_with(a, &copy, STR("metadata"), meta_of_copy(a, val_get(doc, STR("metadata"))));
    return workflow_copy(a, s, &copy, &over, out, e);
}

struct resubmitting {
    struct arena *a; /* of *out */
    const struct resubmit_opts *o;
    struct workflow_ref *out;
};

static struct workflow_ref ref_in(struct arena *a, struct str ns, struct str name)
{
    return (struct workflow_ref){str_dup(a, ns), str_dup(a, name)};
}

static bool resubmit_here(struct service *s, const struct act *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    const struct resubmitting *r = x->opts;
    struct run_row row, before;
    struct val doc, copy, memo;
    struct err absent;
    int64_t run;
    arena_init(&a);
    if (store_run_find_uid(&a, service_store(s), uid_of_submission(&a, r->o->token, 0), &before, &absent)) {
        *r->out = ref_in(r->a, before.ns, before.name); /* accepted by an engine that died before it could say so */
        return true;
    }
    if (!doc_read(&a, s, x, &row, &doc, e) || !copy_make(&a, s, &doc, r->o, &copy, e)) return false;
    if (r->o->memoized && !exec_memo(&a, s->exec, row.run, &memo, e)) return false;
    *r->out = ref_in(r->a, val_text(val_path(&copy, "metadata.namespace")), val_text(val_path(&copy, "metadata.name")));
    return exec_submit(s->exec, &copy, r->o->memoized ? &memo : NULL, &run, e);
}

bool service_resubmit(struct arena *to, struct service *s, struct str ns, struct str name, const struct resubmit_opts *o,
                      struct workflow_ref *out, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct resubmit_opts own = *o;
    struct resubmitting r = {to, &own, out};
    struct val_builder b;
    struct val reply = val_null;
    int64_t priority;
    arena_init(&a);
    if (!submission_token_check(own.token, e)) return false;
    if (!own.token.n) own.token = uuid_random(&a);
    map_begin(&b, &a);
    map_add(&b, STR("memoized"), val_of_bool(o->memoized));
    if (o->priority.n && str_to_i64(o->priority, &priority)) map_add(&b, STR("priority"), val_of_i64(&a, priority));
    map_add(&b, STR("parameters"), param_list(&a, o->params, o->n_params));
    map_add_str(&b, "token", own.token);
    struct act x = {.ns = ns, .name = name, .verb = "resubmit", .body = map_done(&b), .here = resubmit_here, .opts = &r,
                    .alone = true, .reply = &reply, .arena = &a};
    if (!act(s, &x, e)) return false;
    if (reply.kind == VAL_MAP)
        *out = ref_in(to, val_text(val_path(&reply, "metadata.namespace")), val_text(val_path(&reply, "metadata.name")));
    return true;
}
