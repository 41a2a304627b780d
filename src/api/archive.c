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

void get_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    bool ok = find(r, user, &ref, &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

void delete_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    bool ok = find(r, user, &ref, &e) && service_delete(api_service(user), ref.ns, ref.name, false, &e);
    api_answer_empty(r, ok, &e);
}

void retry_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    if (find(r, user, &ref, &e)) api_retry(r, user, &ref);
    else http_reply_err(r, &e);
}

void resubmit_archived(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct err e;
    if (find(r, user, &ref, &e)) api_resubmit(r, user, &ref);
    else http_reply_err(r, &e);
}

/* ---- labels ---- */

static void answer_labels(struct http_req *r, const struct val *items, struct str key)
{
    struct arena *a = http_req_arena(r);
    struct val_builder list;
    size_t n;
    const struct str *found = service_labels(a, items, key, &n);
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) list_add(&list, val_of_str(found[i]));
    api_answer_items(r, true, list_done(&list), NULL);
}

static bool finished(struct http_req *r, void *user, struct val *items, struct err *e)
{
    struct list_opts o = {.completed = 1};
    struct str ns = http_req_query(r, "namespace");
    if (ns.n) o.ns = ns;
    return service_list(http_req_arena(r), api_service(user), &o, items, e);
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
