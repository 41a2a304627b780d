/* Argo's routes of archived workflows. Finished workflows stay where they are, so these are the finished
 * ones, addressed by uid. */
#include "api/api_p.h"
#include "base/str.h"
#include "resource/selector.h"

/* Who has no uid, as `argo archive get NAME`, leaves it empty in the path and names the workflow in the query. guard.c asks the
 * same namespace. */
static bool find(struct http_req *r, void *user, struct workflow_ref *out, struct err *e)
{
    struct str phase, uid = http_req_param(r, "uid");
    bool ended;
    struct arena *a = http_req_arena(r);
    *out = (struct workflow_ref){http_req_query(r, "namespace"), http_req_query(r, "name")};
    bool named = !uid.n && out->name.n;
    return (named || service_find_uid(a, api_service(user), uid, out, e)) &&
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

/* As in Argo the selector is only the key here: "there is such a label". */
static bool key_read(struct http_req *r, struct str *out, struct err *e)
{
    struct selector s;
    if (!selector_parse(http_req_arena(r), http_req_query(r, "listOptions.labelSelector"), &s, e)) return false;
    if (s.n != 1) return err_set(e, ERR_SPEC, "listOptions.labelSelector: only allow 1 labelRequirement, found %zu", s.n);
    *out = s.reqs[0].key;
    return s.reqs[0].op == SELECTOR_EXISTS ||
           err_set(e, ERR_SPEC, "listOptions.labelSelector: operation %s is not supported", s.reqs[0].sign);
}

void archived_label_values(struct http_req *r, void *user)
{
    struct str key;
    struct val items;
    struct err e;
    if (key_read(r, &key, &e) && finished(r, user, &items, &e)) answer_labels(r, &items, key);
    else http_reply_err(r, &e);
}
