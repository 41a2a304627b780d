/* Argo's lists: what a request asks for (listOptions and their like), and the answer, a page of it.
 * Conventions: Kubernetes' API for listOptions and metadata; Argo's server/utils/list_options.go for nameFilter and the field
 * selectors that are no fields. */
#include "api/api_p.h"
#include "api/page.h"
#include "base/limits.h"
#include "base/rfc3339.h"

/* ---- what is asked for ---- */

static bool moment(struct str text, const char *key, int64_t *out_us, struct err *e)
{
    return !text.n || rfc3339_parse(text, out_us) ||
           err_set(e, ERR_SPEC, "%s is not a time such as 2026-01-31T12:00:00Z: '%.*s'", key, STR_ARG(text));
}

bool api_list_query(struct http_req *r, const char *list, struct list_query *q, struct err *e)
{
    struct str token = http_req_query(r, "listOptions.continue");
    int64_t limit = 0;
    *q = (struct list_query){.labels = http_req_query(r, "listOptions.labelSelector"),
                             .fields = http_req_query(r, "listOptions.fieldSelector")};
    if (!api_number(r, "listOptions.limit", &limit, e)) return false;
    q->limit = (size_t)limit;
    return !token.n || page_token_read(http_req_arena(r), token, list, &q->position, e);
}

/* The parts of a field selector that are no fields; the rest is put together again. */
static bool field_extra(struct str part, struct list_opts *o, bool *taken, struct err *e)
{
    static const struct str after = {"spec.startedAt>", 15}, before = {"spec.startedAt<", 15}, count = {"ext.showRemainingItemCount=", 27};
    *taken = true;
    if (str_starts(part, after)) return moment(str_from(part, after.n), "spec.startedAt", &o->started_after_us, e);
    if (str_starts(part, before)) return moment(str_from(part, before.n), "spec.startedAt", &o->started_before_us, e);
    *taken = str_starts(part, count);
    if (!*taken) return true;
    o->count = str_is(str_from(part, count.n), "true");
    return o->count || str_is(str_from(part, count.n), "false") || err_set(e, ERR_SPEC, "ext.showRemainingItemCount is true or false");
}

static bool fields_split(struct arena *a, struct str text, struct list_opts *o, struct err *e)
{
    struct str part, rest = text, left = STR("");
    while (str_set(rest)) {
        bool taken;
        str_cut(rest, ',', &part, &rest);
        if (!field_extra(part, o, &taken, e)) return false;
        if (!taken) left = left.n ? str_fmt(a, "%.*s,%.*s", STR_ARG(left), STR_ARG(part)) : part;
    }
    o->fields = left;
    return true;
}

/* nameFilter says how the name of the field selector is meant; without it, namePrefix is a name of its own. */
static void name_filter(struct http_req *r, struct list_opts *o)
{
    struct str how = http_req_query(r, "nameFilter"), part, rest = o->fields, left = STR(""), key, value;
    o->name = http_req_query(r, "namePrefix");
    if (!how.n || str_is(how, "Exact")) return;
    while (str_set(rest)) {
        str_cut(rest, ',', &part, &rest);
        bool name = str_cut(part, '=', &key, &value) && str_is(key, "metadata.name");
        if (name && value.n && value.p[0] == '=') value = str_from(value, 1);
        if (name) o->name = value, o->match = str_is(how, "Contains") ? LIST_NAME_CONTAINS : LIST_NAME_PREFIX;
        else left = left.n ? str_fmt(http_req_arena(r), "%.*s,%.*s", STR_ARG(left), STR_ARG(part)) : part;
    }
    o->fields = left;
}

/* What the short form has; a request for no more than that is answered from the narrow rows. */
static const char *const short_paths[] = {
    "metadata", "kind", "apiVersion", "items.apiVersion", "items.kind", "items.metadata.name", "items.metadata.namespace",
    "items.metadata.uid", "items.metadata.creationTimestamp", "items.metadata.labels", "items.metadata.resourceVersion",
    "items.status.phase", "items.status.startedAt", "items.status.finishedAt", "items.status.message", "items.status.progress",
    "items.spec.suspend", "items.spec.shutdown", "items.spec.priority",
};

static enum list_form form_of(const struct fields *f)
{
    if (fields_within(f, short_paths, ARRAY_LEN(short_paths))) return LIST_SHORT;
    return fields_leave_out(f, "items.status.nodes") ? LIST_NO_NODES : LIST_WHOLE;
}

static bool opts_read(struct http_req *r, const char *list, struct list_opts *o, struct err *e)
{
    struct list_query q;
    struct fields wanted;
    if (!api_list_query(r, list, &q, e) || !fields_split(http_req_arena(r), q.fields, o, e) ||
        !moment(http_req_query(r, "createdAfter"), "createdAfter", &o->created_after_us, e) ||
        !moment(http_req_query(r, "finishedBefore"), "finishedBefore", &o->finished_before_us, e))
        return false;
    name_filter(r, o);
    fields_parse(http_req_arena(r), http_req_query(r, "fields"), &wanted);
    o->selector = q.labels;
    if (!q.labels.n && !q.fields.n) o->count = true; /* as in Kubernetes */
    o->form = form_of(&wanted);
    o->limit = q.limit;
    if (o->form != LIST_SHORT && (!o->limit || o->limit > LIMIT_LIST_WHOLE)) o->limit = LIMIT_LIST_WHOLE;
    if (!q.position.n) return true;
    return (str_to_i64(q.position, &o->before_run) && o->before_run > 0) ||
           err_set(e, ERR_SPEC, "the continue token is not one of this list: begin again without it");
}

/* ---- the answer ---- */

void api_answer_list(struct http_req *r, const char *kind, const char *list, const struct val *items, const struct list_end *end)
{
    struct arena *a = http_req_arena(r);
    struct val_builder b, meta;
    map_begin(&meta, a);
    map_add_str(&meta, "resourceVersion", str_fmt(a, "%lld", (long long)end->rv));
    if (end->position.n) map_add_str(&meta, "continue", page_token(a, list, end->position));
    if (end->position.n && end->remaining >= 0) map_add(&meta, STR("remainingItemCount"), val_of_i64(a, end->remaining));
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", str_fmt(a, "%sList", kind));
    map_add(&b, STR("metadata"), map_done(&meta));
    map_add(&b, STR("items"), *items);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

static void list_runs(struct http_req *r, void *user, const char *list, struct list_opts *o)
{
    struct list_page page;
    struct err e;
    if (!opts_read(r, list, o, &e) || !service_list_page(http_req_arena(r), api_service(user), o, &page, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct list_end end = {.rv = page.rv, .remaining = page.remaining};
    if (page.next) end.position = str_fmt(http_req_arena(r), "%lld", (long long)page.next);
    api_answer_list(r, "Workflow", list, &page.items, &end);
}

void list_workflows(struct http_req *r, void *user)
{
    struct list_opts o = {0};
    struct str ns = http_req_param(r, "namespace");
    if (ns.n) o.ns = ns;
    list_runs(r, user, "workflows", &o);
}

void list_archived(struct http_req *r, void *user)
{
    struct list_opts o = {.completed = 1};
    struct str ns = http_req_query(r, "namespace");
    if (ns.n) o.ns = ns;
    list_runs(r, user, "archived", &o);
}
