/* Argo's streams: logs, workflows as they change, Kubernetes events. */
#include "api/api_p.h"

#include "base/rfc3339.h"
#include "os/clock.h"
#include "service/streams.h"

/* What a request reads from, as long as its client does. */
struct source {
    struct argo_stream *stream;
    struct tail *tail;
    struct workflow_watch *watch;
    struct fields wanted; /* of each workflow; lives in the request's arena */
    struct happenings *happenings;
};

static void source_pump(void *user)
{
    struct source *x = user;
    if (x->tail) tail_pump(x->tail);
    if (x->watch) workflow_watch_pump(x->watch);
    if (x->happenings) happenings_pump(x->happenings);
}

static void source_close(void *user)
{
    struct source *x = user;
    tail_free(x->tail);
    workflow_watch_free(x->watch);
    happenings_free(x->happenings);
    free(x);
}

static void on_end(void *user, const struct err *e) { argo_stream_end(((struct source *)user)->stream, e); }

/* Takes x over. Its source gives nothing before this returns. */
static void source_serve(struct http_req *r, void *user, struct source *x, bool ok, const struct err *e)
{
    if (ok) {
        x->stream = argo_stream_begin(r, api_service(user), &(struct argo_stream_fns){source_pump, source_close, x});
        return;
    }
    source_close(x);
    http_reply_err(r, e);
}

/* ---- logs ---- */

enum { SECOND_US = 1000000, US_NS = 1000 };

static bool on_line(void *user, struct str pod, struct str line)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b;
    arena_init(&a);
    map_begin(&b, &a);
    map_add_str(&b, "content", line);
    map_add_str(&b, "podName", pod);
    struct val result = map_done(&b);
    return argo_stream_result(((struct source *)user)->stream, &result);
}

static bool is_true(struct http_req *r, const char *key) { return str_is(http_req_query(r, key), "true"); }

/* Before 1970 is everything; after 2262 is nothing yet. */
static int64_t ns_of(int64_t us) { return us <= 0 ? 0 : us > INT64_MAX / US_NS ? INT64_MAX : us * US_NS; }

static bool since_read(struct http_req *r, struct tail_opts *o, struct err *e)
{
    int64_t age_s = -1, at_s = -1, us;
    struct str time = http_req_query(r, "logOptions.sinceTime");
    if (!api_number(r, "logOptions.sinceSeconds", &age_s, e) || !api_number(r, "logOptions.sinceTime.seconds", &at_s, e)) return false;
    if (age_s >= 0 && (time.n || at_s >= 0)) return err_set(e, ERR_SPEC, "at most one of sinceTime or sinceSeconds may be specified");
    if (age_s >= 0) o->since_ns = ns_of(clock_now_us() - MIN(age_s, INT64_MAX / SECOND_US) * SECOND_US);
    if (at_s >= 0) o->since_ns = ns_of(MIN(at_s, INT64_MAX / SECOND_US) * SECOND_US);
    if (!time.n) return true;
    if (!rfc3339_parse(time, &us)) return err_set(e, ERR_SPEC, "logOptions.sinceTime is an RFC 3339 time, not '%.*s'", STR_ARG(time));
    o->since_ns = ns_of(us);
    return true;
}

static bool options_read(struct http_req *r, struct tail_opts *o, struct err *e)
{
    struct str pod = http_req_param(r, "podName");
    o->pod = pod.n ? pod : http_req_query(r, "podName");
    o->container = http_req_query(r, "logOptions.container");
    o->grep = http_req_query(r, "grep");
    o->follow = is_true(r, "logOptions.follow");
    o->timestamps = is_true(r, "logOptions.timestamps");
    o->previous = is_true(r, "logOptions.previous");
    o->tail = -1;
    if (str_is(http_req_query(r, "logOptions.limitBytes"), "0")) return err_set(e, ERR_SPEC, "logOptions.limitBytes is at least 1");
    return api_number(r, "logOptions.limitBytes", &o->bytes, e) && api_number(r, "logOptions.tailLines", &o->tail, e) && since_read(r, o, e);
}

/* One workflow, or without a name those with the labels of `selector`. */
static bool logs_refs(struct http_req *r, void *user, struct tail_opts *o, struct err *e)
{
    struct service *s = api_service(user);
    struct arena *a = http_req_arena(r);
    struct str ns = http_req_param(r, "namespace"), name = http_req_param(r, "name"), selector = http_req_query(r, "selector");
    struct val items;
    if (name.n) {
        struct workflow_ref *one = ARENA_NEW(a, struct workflow_ref);
        o->refs = one;
        o->n = 1;
        o->selector = selector; /* over labels of its pods */
        return api_ref(r, user, one, e);
    }
    if (!selector.n) return err_set(e, ERR_SPEC, "the log needs a workflow's name or a selector");
    struct list_opts l = {.ns = ns.n ? ns : STR_NONE, .selector = selector};
    if (!service_list(a, s, &l, &items, e)) return false;
    struct workflow_ref *refs = ARENA_ARRAY(a, struct workflow_ref, items.n + 1);
    for (uint32_t i = 0; i < items.n; i++)
        refs[i] = (struct workflow_ref){val_text(val_path(&items.items[i], "metadata.namespace")), val_text(val_path(&items.items[i], "metadata.name"))};
    o->refs = refs;
    o->n = items.n;
    return true;
}

void stream_logs(struct http_req *r, void *user)
{
    struct source *x = mem_zalloc(sizeof *x);
    struct tail_opts o = {.on_line = on_line, .on_end = on_end, .user = x};
    struct err e;
    bool ok = options_read(r, &o, &e) && logs_refs(r, user, &o, &e) && (x->tail = tail_new(api_service(user), &o, &e));
    source_serve(r, user, x, ok, &e);
}

/* ---- what happens ---- */

static bool on_workflow(void *user, const char *type, const struct val *object, struct str text)
{
    struct source *x = user;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (!x->wanted.n) return argo_stream_typed(x->stream, type, text);
    const struct val_pair pairs[] = {{.key = STR("type"), .v = val_of_str(str_of(type))},
                                     {.key = STR("object"), .v = fields_pick(&a, &x->wanted, object)}};
    struct val result = {.kind = VAL_MAP, .n = ARRAY_LEN(pairs), .map = pairs};
    return argo_stream_result(x->stream, &result);
}

/* A watch of one workflow: there must be such a one. @latest is the newest now. */
static bool watched_find(struct http_req *r, void *user, struct workflow_watch_opts *o, struct err *e)
{
    static const struct str tag = {"metadata.name=", 14};
    struct arena *a = http_req_arena(r);
    ptrdiff_t at = str_find(o->fields, tag, 0);
    struct workflow_ref ref = {.ns = o->ns};
    struct str rest, phase;
    bool ended;
    if (at < 0 || !o->ns.n) return true;
    str_cut(str_from(o->fields, (size_t)at + tag.n), ',', &ref.name, &rest);
    if (ref.name.n && ref.name.p[0] == '=') ref.name = str_from(ref.name, 1);
    if (!str_is(ref.name, "@latest")) return service_phase(a, api_service(user), &ref, &phase, &ended, e);
    if (!service_find(a, api_service(user), ref.ns, ref.name, &ref, e)) return false;
    o->fields = str_fmt(a, "metadata.name=%.*s", STR_ARG(ref.name));
    return true;
}

void stream_workflows(struct http_req *r, void *user)
{
    struct source *x = mem_zalloc(sizeof *x);
    struct workflow_watch_opts o = {.ns = http_req_param(r, "namespace"), .labels = http_req_query(r, "listOptions.labelSelector"),
                                    .fields = http_req_query(r, "listOptions.fieldSelector"),
                                    .on_event = on_workflow, .on_end = on_end, .user = x};
    struct err e;
    fields_parse(http_req_arena(r), http_req_query(r, "fields"), &x->wanted);
    fields_without_prefix(&x->wanted, "result.object."); /* what is around the workflow always comes */
    o.no_nodes = fields_leave_out(&x->wanted, "status.nodes");
    bool ok = api_number(r, "listOptions.resourceVersion", &o.after_rv, &e) && watched_find(r, user, &o, &e) &&
              (x->watch = workflow_watch_new(api_service(user), &o, &e));
    source_serve(r, user, x, ok, &e);
}

static bool on_happening(void *user, const struct val *event) { return argo_stream_result(((struct source *)user)->stream, event); }

void stream_happenings(struct http_req *r, void *user)
{
    struct source *x = mem_zalloc(sizeof *x);
    struct happenings_opts o = {.ns = http_req_param(r, "namespace"), .fields = http_req_query(r, "listOptions.fieldSelector"),
                                .on_event = on_happening, .on_end = on_end, .user = x};
    struct err e;
    bool ok = api_number(r, "listOptions.resourceVersion", &o.after_rv, &e) && (x->happenings = happenings_new(api_service(user), &o, &e));
    source_serve(r, user, x, ok, &e);
}

/* Of what there is none: it never changes. */
void stream_nothing(struct http_req *r, void *user) { source_serve(r, user, mem_zalloc(sizeof(struct source)), true, NULL); }
