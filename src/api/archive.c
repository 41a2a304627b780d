/* Argo's routes of archived workflows. Finished workflows stay where they are, so these are the finished
 * ones, addressed by uid. */
#include "api/api_p.h"
#include "base/str.h"

static bool find(struct http_req *r, void *user, struct workflow_ref *out, struct err *e)
{
    struct str phase;
    bool ended;
    struct arena *a = http_req_arena(r);
    return service_find_uid(a, api_service(user), http_req_param(r, "uid"), out, e) &&
           service_phase(a, api_service(user), out, &phase, &ended, e) &&
           (ended || err_set(e, ERR_NOT_FOUND, "workflow '%.*s' is not finished", STR_ARG(out->name)));
}

static void answer_workflow(struct http_req *r, void *user, bool ok, const struct workflow_ref *ref, struct err *e)
{
    struct val wf;
    if (ok && service_get(http_req_arena(r), api_service(user), ref->ns, ref->name, &wf, e)) api_answer(r, &wf);
    else http_reply_err(r, e);
}

static bool finished(struct http_req *r, void *user, struct val *items, struct err *e)
{
    struct list_opts o = {.completed = 1, .selector = http_req_query(r, "listOptions.labelSelector"),
                          .fields = http_req_query(r, "listOptions.fieldSelector"), .prefix = http_req_query(r, "namePrefix")};
    struct str ns = http_req_query(r, "namespace");
    if (ns.n) o.ns = ns;
    return service_list(http_req_arena(r), api_service(user), &o, items, e);
}

void list_archived(struct http_req *r, void *user)
{
    struct val items, meta = {.kind = VAL_MAP};
    struct val_builder b;
    struct err e;
    if (!finished(r, user, &items, &e)) {
        http_reply_err(r, &e);
        return;
    }
    map_begin(&b, http_req_arena(r));
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("WorkflowList"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("items"), items);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

void get_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    bool ok = find(r, user, &ref, &e);
    answer_workflow(r, user, ok, &ref, &e);
}

void delete_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    bool ok = find(r, user, &ref, &e) && service_delete(api_service(user), ref.ns, ref.name, false, &e);
    api_answer_empty(r, ok, &e);
}

static bool is_on(const struct val *body, const char *key)
{
    const struct val *v = val_get(body, str_of(key));
    return v && v->kind == VAL_BOOL && v->b;
}

void retry_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct retry_opts o = {0};
    struct val body;
    struct err e;
    bool ok = find(r, user, &ref, &e) && api_body(r, &body, &e) &&
              api_params(http_req_arena(r), val_get(&body, STR("parameters")), &o.params, &o.n_params, &e);
    if (ok) {
        o.restart_successful = is_on(&body, "restartSuccessful");
        o.nodes = val_get_str(&body, "nodeFieldSelector");
        ok = service_retry(api_service(user), ref.ns, ref.name, &o, &e);
    }
    answer_workflow(r, user, ok, &ref, &e);
}

void resubmit_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct resubmit_opts o = {0};
    struct val body;
    struct err e;
    bool ok = find(r, user, &ref, &e) && api_body(r, &body, &e) &&
              api_params(http_req_arena(r), val_get(&body, STR("parameters")), &o.params, &o.n_params, &e);
    if (ok) {
        o.memoized = is_on(&body, "memoized");
        ok = service_resubmit(api_service(user), ref.ns, ref.name, &o, &ref, &e);
    }
    answer_workflow(r, user, ok, &ref, &e);
}

/* ---- labels ---- */

static int text_order(const void *x, const void *y) { return str_cmp(*(const struct str *)x, *(const struct str *)y); }

static const struct val *labels_of(const struct val *wf)
{
    static const struct val none = {.kind = VAL_MAP};
    const struct val *labels = val_path(wf, "metadata.labels");
    return labels ? labels : &none;
}

/* Distinct keys, or values of `key`. */
static void answer_labels(struct http_req *r, const struct val *items, struct str key)
{
    struct arena *a = http_req_arena(r);
    size_t n = 0, most = 0;
    for (uint32_t i = 0; i < items->n; i++) most += labels_of(&items->items[i])->n;
    struct str *found = ARENA_ARRAY(a, struct str, most + 1);
    for (uint32_t i = 0; i < items->n; i++) {
        const struct val *labels = labels_of(&items->items[i]);
        for (uint32_t k = 0; k < labels->n; k++)
            if (!key.n) found[n++] = labels->map[k].key;
            else if (str_eq(labels->map[k].key, key)) found[n++] = val_text(&labels->map[k].v);
    }
    if (n) qsort(found, n, sizeof *found, text_order);
    struct val_builder list, b;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++)
        if (!i || !str_eq(found[i], found[i - 1])) list_add(&list, val_of_str(found[i]));
    map_begin(&b, a);
    map_add(&b, STR("items"), list_done(&list));
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

void archived_label_keys(struct http_req *r, void *user)
{
    struct val items;
    struct err e;
    if (finished(r, user, &items, &e)) answer_labels(r, &items, STR_NONE);
    else http_reply_err(r, &e);
}

/* As in Argo the selector is only the key here. */
void archived_label_values(struct http_req *r, void *user)
{
    struct str key = http_req_query(r, "listOptions.labelSelector");
    struct val items;
    struct err e;
    if (!key.n) err_set(&e, ERR_SPEC, "listOptions.labelSelector names the key");
    if (key.n && finished(r, user, &items, &e)) answer_labels(r, &items, key);
    else http_reply_err(r, &e);
}
