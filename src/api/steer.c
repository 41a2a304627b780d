/* Argo's routes that change a workflow: stop, terminate, suspend, resume, set, retry, resubmit, submit. */
#include "api/api_p.h"
#include "doc/json.h"

static bool assignments(struct arena *a, const struct val *list, const char *form, const struct param **out, size_t *n, struct err *e)
{
    struct param *p = ARENA_ARRAY(a, struct param, list ? list->n + 1 : 1);
    *n = 0;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++, ++*n) {
        struct str text = val_text(&list->items[i]);
        if (!str_cut(text, '=', &p[*n].name, &p[*n].value))
            return err_set(e, ERR_SPEC, "expected %s. Received: %.*s", form, STR_ARG(text));
    }
    *out = p;
    return true;
}

bool api_params(struct arena *a, const struct val *list, const struct param **out, size_t *n, struct err *e)
{
    return assignments(a, list, "parameter of the form: NAME=VALUE", out, n, e);
}

bool api_ref(struct http_req *r, void *user, struct workflow_ref *out, struct err *e)
{
    *out = (struct workflow_ref){http_req_param(r, "namespace"), http_req_param(r, "name")};
    return !str_is(out->name, "@latest") || service_find(http_req_arena(r), api_service(user), out->ns, out->name, out, e);
}

bool api_uid_ref(struct http_req *r, void *user, struct str uid, struct workflow_ref *out, struct err *e)
{
    struct str ns = http_req_param(r, "namespace");
    return service_find_uid(http_req_arena(r), api_service(user), uid, out, e) &&
           (str_eq(out->ns, ns) || err_set(e, ERR_NOT_FOUND, "there is no workflow with uid \"%.*s\" in namespace \"%.*s\"", STR_ARG(uid), STR_ARG(ns)));
}

/* Every one of them answers the workflow as it is now. */
void api_answer_workflow(struct http_req *r, void *user, bool ok, const struct workflow_ref *ref, struct err *e)
{
    struct arena *a = http_req_arena(r);
    struct fields wanted;
    struct val wf;
    fields_parse(a, http_req_query(r, "fields"), &wanted);
    bool nodes = !fields_leave_out(&wanted, "status.nodes");
    if (ok && service_get_part(a, api_service(user), ref, nodes, &wf, e)) api_answer(r, &wf);
    else http_reply_err(r, e);
}

static bool is_on(const struct val *body, const char *key)
{
    const struct val *v = val_get(body, str_of(key));
    return v && v->kind == VAL_BOOL && v->b;
}

void stop_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) && api_ref(r, user, &ref, &e);
    struct set_opts o = {.nodes = ok ? val_get_str(&body, "nodeFieldSelector") : STR_NONE, .phase = STR("Failed"),
                         .message = ok ? val_get_str(&body, "message") : STR_NONE};
    if (ok && o.nodes.n) ok = service_set(api_service(user), ref.ns, ref.name, &o, &e);
    else if (ok) ok = service_stop(api_service(user), ref.ns, ref.name, SERVICE_STOP, &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

void terminate_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) && api_ref(r, user, &ref, &e) && service_stop(api_service(user), ref.ns, ref.name, SERVICE_TERMINATE, &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

void suspend_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) && api_ref(r, user, &ref, &e) && service_suspend(api_service(user), ref.ns, ref.name, &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

void resume_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) && api_ref(r, user, &ref, &e) &&
              service_resume(api_service(user), ref.ns, ref.name, val_get_str(&body, "nodeFieldSelector"), &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

/* outputParameters is a text that holds a JSON object. */
static bool outputs_read(struct arena *a, const struct val *body, struct set_opts *o, struct err *e)
{
    struct str text = val_get_str(body, "outputParameters");
    struct val map = {.kind = VAL_MAP};
    if (text.n && !json_parse(a, text, NULL, &map, e)) return err_ctx(e, "outputParameters");
    if (map.kind != VAL_MAP) return err_set(e, ERR_SPEC, "outputParameters is not a JSON object");
    struct param *p = ARENA_ARRAY(a, struct param, map.n + 1);
    for (uint32_t i = 0; i < map.n; i++) p[i] = (struct param){map.map[i].key, val_text(&map.map[i].v)};
    o->params = p;
    o->n_params = map.n;
    return true;
}

void set_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct set_opts o = {0};
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) && api_ref(r, user, &ref, &e) && outputs_read(http_req_arena(r), &body, &o, &e);
    if (ok) {
        o.nodes = val_get_str(&body, "nodeFieldSelector");
        o.phase = val_get_str(&body, "phase");
        o.message = val_get_str(&body, "message");
        ok = service_set(api_service(user), ref.ns, ref.name, &o, &e);
    }
    api_answer_workflow(r, user, ok, &ref, &e);
}

void api_retry(struct http_req *r, void *user, const struct workflow_ref *ref)
{
    struct retry_opts o = {0};
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) &&
              api_params(http_req_arena(r), val_get(&body, STR("parameters")), &o.params, &o.n_params, &e);
    if (ok) {
        o.restart_successful = is_on(&body, "restartSuccessful");
        o.nodes = val_get_str(&body, "nodeFieldSelector");
        ok = service_retry(api_service(user), ref->ns, ref->name, &o, &e);
    }
    api_answer_workflow(r, user, ok, ref, &e);
}

void retry_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    if (api_ref(r, user, &ref, &e)) api_retry(r, user, &ref);
    else http_reply_err(r, &e);
}

void api_resubmit(struct http_req *r, void *user, const struct workflow_ref *ref)
{
    struct workflow_ref made = *ref;
    struct resubmit_opts o = {0};
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e) &&
              api_params(http_req_arena(r), val_get(&body, STR("parameters")), &o.params, &o.n_params, &e);
    if (ok) {
        o.memoized = is_on(&body, "memoized");
        o.priority = val_text(val_get(&body, STR("priority")));
        o.token = val_get_str(&body, "token");
        o.labels = api_creator(r, &o.n_labels);
        ok = service_resubmit(http_req_arena(r), api_service(user), ref->ns, ref->name, &o, &made, &e);
    }
    api_answer_workflow(r, user, ok, &made, &e);
}

void resubmit_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    if (api_ref(r, user, &ref, &e)) api_resubmit(r, user, &ref);
    else http_reply_err(r, &e);
}

/* ---- submitting and checking ---- */

void lint_workflow(struct http_req *r, void *user)
{
    struct given g CLEANUP(given_fini);
    struct val body;
    struct err e;
    given_init(&g, r);
    bool ok = api_body(r, &body, &e) && given_typed(&g, &body, "workflow", DOC_WORKFLOW, &e) &&
              (service_lint(g.arena, api_service(user), &g.docs, http_req_param(r, "namespace"), &g.diags, &e) ||
               given_fail(&g, &e));
    if (ok) api_sign(r, api_service(user), g.ns, &g.docs);
    if (ok) api_answer(r, g.docs.items[0].val);
    else http_reply_err(r, &e);
}

/* Argo's SubmitOpts; labels and annotations are "a=b,c=d". */
static bool pairs_of_text(struct arena *a, const struct val *v, const char *what, const struct param **out, size_t *n, struct err *e)
{
    struct str text = val_get_str(v, what);
    struct param *p = ARENA_ARRAY(a, struct param, text.n / 2 + 1);
    struct str head, rest = text;
    *n = 0;
    while (rest.n) {
        str_cut(rest, ',', &head, &rest);
        if (!str_cut(head, '=', &p[*n].name, &p[*n].value))
            return err_set(e, ERR_SPEC, "expected %s of the form: NAME1=VALUE2,NAME2=VALUE2. Received: %.*s", what, STR_ARG(text));
        ++*n;
    }
    *out = p;
    return true;
}

static bool submit_opts_read(struct arena *a, const struct val *v, struct submit_opts *o, struct err *e)
{
    o->name = val_get_str(v, "name");
    o->generate_name = val_get_str(v, "generateName");
    o->entrypoint = val_get_str(v, "entryPoint");
    o->service_account = val_get_str(v, "serviceAccount");
    o->priority = val_text(val_get(v, STR("priority")));
    return api_params(a, val_get(v, STR("parameters")), &o->params, &o->n_params, e) &&
           pairs_of_text(a, v, "labels", &o->labels, &o->n_labels, e) && pairs_of_text(a, v, "annotations", &o->annotations, &o->n_annotations, e);
}

static bool stored_read(struct arena *a, void *user, struct str ns, const struct val *body, struct val *out, struct err *e)
{
    struct str kind = val_get_str(body, "resourceKind"), name = val_get_str(body, "resourceName");
    if (service_from(a, api_service(user), ns, str_fmt(a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name)), out, e)) return true;
    return e->code == ERR_USAGE && err_set(e, ERR_SPEC, "Resource kind '%.*s' is not supported for submitting", STR_ARG(kind));
}

static bool more_read(struct arena *a, const struct val *v, struct from_more *m, struct err *e)
{
    const struct val *owner = val_get(v, STR("ownerReference"));
    *m = (struct from_more){.pod_priority_class = val_get_str(v, "podPriorityClassName"), .owner = owner && owner->kind == VAL_MAP ? owner : NULL};
    if (!assignments(a, val_get(v, STR("artifacts")), "artifact of the form: NAME=KEY", &m->artifacts, &m->n_artifacts, e)) return false;
    for (size_t i = 0; i < m->n_artifacts; i++)
        if (!m->artifacts[i].name.n || !m->artifacts[i].value.n)
            return err_set(e, ERR_SPEC, "expected artifact of the form: NAME=KEY. Received: %.*s=%.*s", STR_ARG(m->artifacts[i].name), STR_ARG(m->artifacts[i].value));
    return true;
}

void submit_from(struct http_req *r, void *user)
{
    struct submit_opts o = {.ns = http_req_param(r, "namespace")};
    struct given g CLEANUP(given_fini);
    struct val body;
    struct err e;
    given_init(&g, r);
    struct from_more more;
    struct val *doc = ARENA_NEW(g.arena, struct val); /* it is stored after this returns */
    bool ok = api_body(r, &body, &e);
    const struct val *options = ok ? val_get(&body, STR("submitOptions")) : NULL;
    ok = ok && submit_opts_read(g.arena, options, &o, &e) && more_read(g.arena, options, &more, &e) &&
         stored_read(g.arena, user, o.ns, &body, doc, &e) && service_from_more(g.arena, api_service(user), &more, doc, &e);
    if (ok && !documents_add_val(&g.docs, doc, 0, &g.diags)) ok = err_set(&e, ERR_SPEC, "it is not valid") || given_fail(&g, &e);
    if (ok) api_labels_take(r, o.labels, o.n_labels, &o);
    if (ok) api_submit(r, api_service(user), &g, &o, api_dry(options));
    else http_reply_err(r, &e);
}
