/* See api.h and routes.def. */
#include "api/api_p.h"
#include "api/guard.h"
#include "api/routes.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "base/version.h"
#include "doc/json.h"
#include "doc/json_write.h"

enum { MAX_ROUTES = 160 };

struct api {
    struct service *s; /* first: see api_service */
    struct http_server *server;
    struct sso *sso;     /* NULL: nobody signs in */
    int64_t session_us;
    struct guard *guard; /* NULL: engine.sock, whose callers are the owner */
    struct buf openapi;  /* the document, once somebody has asked for it */
    struct http_route routes[MAX_ROUTES];
};

struct service *api_service(void *user) { return ((struct api *)user)->s; }
struct http_server *api_http(void *user) { return ((struct api *)user)->server; }
struct sso *api_sso(void *user) { return ((struct api *)user)->sso; }
struct guard *api_guard(void *user) { return ((struct api *)user)->guard; }
int64_t api_session_us(void *user) { return ((struct api *)user)->session_us; }

void api_answer(struct http_req *r, const struct val *v)
{
    struct arena *a = http_req_arena(r);
    struct fields wanted;
    fields_parse(a, http_req_query(r, "fields"), &wanted);
    struct val picked = fields_pick(a, &wanted, v);
    http_reply(r, 200, "application/json", json_text(a, &picked));
}

void api_answer_items(struct http_req *r, bool ok, struct val items, const struct err *e)
{
    struct val_builder b;
    if (!ok) {
        http_reply_err(r, e);
        return;
    }
    map_begin(&b, http_req_arena(r));
    map_add(&b, STR("items"), items);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

bool api_number(struct http_req *r, const char *key, int64_t *out, struct err *e)
{
    struct str text = http_req_query(r, key);
    return !text.n || (str_to_i64(text, out) && *out >= 0) ||
           err_set(e, ERR_SPEC, "%s is a number that is not negative, not '%.*s'", key, STR_ARG(text));
}

static struct val refs_list(struct arena *a, const struct workflow_ref *refs, size_t n)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) {
        struct val_builder m, b;
        map_begin(&m, a);
        map_add_str(&m, "name", refs[i].name);
        map_add_str(&m, "namespace", refs[i].ns);
        map_begin(&b, a);
        map_add(&b, STR("metadata"), map_done(&m));
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

/* ---- submitting ---- */

struct param *api_pairs(struct arena *a, const struct val *list, size_t *n)
{
    struct param *out = ARENA_ARRAY(a, struct param, list ? list->n + 1 : 1);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        out[(*n)++] = (struct param){val_get_str(&list->items[i], "name"), val_get_str(&list->items[i], "value")};
    return out;
}

/* A submission that waits for its commit. Lives with its request. */
struct submitting {
    struct http_req *r;
    struct service *s;
    struct given g;
    void (*answer)(const struct submitting *x, const struct workflow_ref *refs, size_t n);
};

static void on_submitted(void *user, const struct err *e, const struct workflow_ref *refs, size_t n)
{
    struct submitting *x = user;
    given_fini(&x->g);
    if (e) http_reply_err(x->r, e);
    else x->answer(x, refs, n);
}

/* With the trace that the request is part of, as an annotation. One that is asked for by name counts before it. */
static struct submit_opts traced(struct http_req *r, const struct submit_opts *o)
{
    struct arena *a = http_req_arena(r);
    struct submit_opts out = *o;
    const struct param *trace;
    if (!service_traceparent(a, http_req_header(r, "traceparent"), &trace)) return out;
    struct param *all = ARENA_ARRAY(a, struct param, o->n_annotations + 1);
    all[0] = *trace;
    for (size_t i = 0; i < o->n_annotations; i++) all[i + 1] = o->annotations[i];
    out.annotations = all;
    out.n_annotations++;
    return out;
}

/* Takes what was given; whoever gave it has nothing left. */
static void submit(struct http_req *r, struct service *s, struct given *g, const struct submit_opts *o,
                   void (*answer)(const struct submitting *x, const struct workflow_ref *refs, size_t n))
{
    struct submitting *x = ARENA_NEW(g->arena, struct submitting);
    struct err e;
    *x = (struct submitting){r, s, *g, answer};
    given_init(g, r);
    if (service_submit_later(x->s, &x->g.docs, o, &x->g.diags, on_submitted, x, &e)) return;
    given_fail(&x->g, &e);
    on_submitted(x, &e, NULL, 0);
}

static void answer_names(const struct submitting *x, const struct workflow_ref *refs, size_t n)
{
    api_answer_items(x->r, true, refs_list(http_req_arena(x->r), refs, n), NULL);
}

static void answer_one(const struct submitting *x, const struct workflow_ref *refs, size_t n)
{
    struct val v;
    struct err e;
    (void)n;
    if (service_get(http_req_arena(x->r), x->s, refs[0].ns, refs[0].name, &v, &e)) api_answer(x->r, &v);
    else http_reply_err(x->r, &e);
}

void submit_documents(struct http_req *r, void *user)
{
    struct arena *a = http_req_arena(r);
    struct given g CLEANUP(given_fini);
    struct submit_opts o;
    struct val body;
    struct err e;
    given_init(&g, r);
    if (!api_body(r, &body, &e) || !given_list(&g, val_get(&body, STR("documents")), &e)) {
        http_reply_err(r, &e);
        return;
    }
    o = (struct submit_opts){.ns = val_get_str(&body, "namespace"), .entrypoint = val_get_str(&body, "entrypoint"),
                             .name = val_get_str(&body, "name"), .generate_name = val_get_str(&body, "generateName"),
                             .token = val_get_str(&body, "token")};
    o.params = api_pairs(a, val_get(&body, STR("parameters")), &o.n_params);
    const struct param *labels = api_pairs(a, val_get(&body, STR("labels")), &o.n_labels);
    api_labels_take(r, labels, o.n_labels, &o);
    o.annotations = api_pairs(a, val_get(&body, STR("annotations")), &o.n_annotations);
    o.service_account = val_get_str(&body, "serviceAccount");
    o.priority = val_get_str(&body, "priority");
    o = traced(r, &o);
    api_sign(r, api_service(user), o.ns, &g.docs);
    submit(r, api_service(user), &g, &o, answer_names);
}

enum dry api_dry(const struct val *body)
{
    const struct val *mere = val_get(body, STR("dryRun")), *server = val_get(body, STR("serverDryRun")), *all = val_path(body, "createOptions.dryRun");
    if ((mere && mere->kind == VAL_BOOL && mere->b) || (all && all->kind == VAL_LIST && all->n)) return DRY_UNNAMED;
    return server && server->kind == VAL_BOOL && server->b ? DRY : DRY_NOT;
}

void api_submit(struct http_req *r, struct service *s, struct given *g, const struct submit_opts *o, enum dry dry)
{
    struct submit_opts own = traced(r, o);
    own.unnamed = dry == DRY_UNNAMED;
    api_sign(r, s, o->ns, &g->docs);
    struct val v;
    struct err e;
    if (dry == DRY_NOT) {
        submit(r, s, g, &own, answer_one);
    } else if (service_dry_run(g->arena, s, &g->docs, &own, &g->diags, &v, &e)) {
        api_answer(r, &v.items[0]);
    } else {
        given_fail(g, &e);
        http_reply_err(r, &e);
    }
}

void create_workflow(struct http_req *r, void *user)
{
    struct submit_opts o = {.ns = http_req_param(r, "namespace")};
    struct given g CLEANUP(given_fini);
    struct val body;
    struct err e;
    given_init(&g, r);
    if (api_body(r, &body, &e) && given_typed(&g, &body, "workflow", DOC_WORKFLOW, &e))
        api_submit(r, api_service(user), &g, &o, api_dry(&body));
    else http_reply_err(r, &e);
}

/* ---- one workflow ---- */

void get_workflow(struct http_req *r, void *user)
{
    struct workflow_ref ref;
    struct str uid = http_req_query(r, "uid");
    struct err e;
    bool ok = uid.n ? api_uid_ref(r, user, uid, &ref, &e) : api_ref(r, user, &ref, &e);
    api_answer_workflow(r, user, ok, &ref, &e);
}

void api_answer_empty(struct http_req *r, bool ok, const struct err *e)
{
    if (ok) http_reply(r, 200, "application/json", STR("{}"));
    else http_reply_err(r, e);
}

void delete_workflow(struct http_req *r, void *user)
{
    struct api *x = user;
    struct workflow_ref ref;
    struct err e;
    bool ok = api_ref(r, user, &ref, &e) && service_delete(x->s, ref.ns, ref.name, true, &e);
    api_answer_empty(r, ok, &e);
}

/* ---- limits of semaphores ---- */

/* Argo's enum SyncConfigType. A request has it by name or number; an answer by number, without CONFIGMAP, which is 0: Argo's
 * clients understand nothing else. */
enum { SYNC_TYPE_DATABASE = 1 };

static bool sync_ref(struct http_req *r, struct str key, struct str type, struct str map, struct sync_limit_ref *out,
                     struct err *e)
{
    bool db = str_is(type, "DATABASE") || str_is(type, "1");
    *out = (struct sync_limit_ref){.ns = http_req_param(r, "namespace"), .key = key, .config_map = db ? STR_NONE : map};
    if (!db && type.n && !str_is(type, "CONFIGMAP") && !str_is(type, "0"))
        return err_set(e, ERR_SPEC, "type is CONFIGMAP or DATABASE, not '%.*s'", STR_ARG(type));
    if (db || map.n) return true;
    return err_set(e, ERR_SPEC, "cmName is needed when type is CONFIGMAP");
}

static void sync_answer(struct http_req *r, const struct sync_limit_ref *ref, int64_t limit)
{
    struct arena *a = http_req_arena(r);
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "namespace", ref->ns);
    map_add_str(&b, "cmName", ref->config_map);
    map_add_str(&b, "key", ref->key);
    map_add(&b, STR("limit"), val_of_i64(a, limit));
    if (!ref->config_map.n) map_add(&b, STR("type"), val_of_i64(a, SYNC_TYPE_DATABASE));
    struct val v = map_done(&b);
    api_answer(r, &v);
}

static void sync_put(struct http_req *r, struct api *x, enum sync_verb verb)
{
    struct sync_limit_ref ref;
    struct val body;
    struct err e;
    int64_t limit = 0;
    bool ok = api_body(r, &body, &e);
    const struct val *given = val_get(&body, STR("limit"));
    struct str key = verb == SYNC_CREATE ? val_get_str(&body, "key") : http_req_param(r, "key");
    if (ok && given) val_i64(given, &limit);
    ok = ok && sync_ref(r, key, val_text(val_get(&body, STR("type"))), val_get_str(&body, "cmName"), &ref, &e) &&
         service_sync_change(x->s, verb, &ref, limit, &e);
    if (ok) sync_answer(r, &ref, limit);
    else http_reply_err(r, &e);
}

void create_sync_limit(struct http_req *r, void *user) { sync_put(r, user, SYNC_CREATE); }
void update_sync_limit(struct http_req *r, void *user) { sync_put(r, user, SYNC_UPDATE); }

void get_sync_limit(struct http_req *r, void *user)
{
    struct api *x = user;
    struct sync_limit_ref ref;
    struct err e;
    int64_t limit;
    if (sync_ref(r, http_req_param(r, "key"), http_req_query(r, "type"), http_req_query(r, "cmName"), &ref, &e) &&
        service_sync_get(x->s, &ref, &limit, &e))
        sync_answer(r, &ref, limit);
    else http_reply_err(r, &e);
}

void delete_sync_limit(struct http_req *r, void *user)
{
    struct api *x = user;
    struct sync_limit_ref ref;
    struct err e;
    bool ok = sync_ref(r, http_req_param(r, "key"), http_req_query(r, "type"), http_req_query(r, "cmName"), &ref, &e) &&
              service_sync_change(x->s, SYNC_DELETE, &ref, 0, &e);
    api_answer_empty(r, ok, &e);
}

/* Argo's clients want all of its members, each a text; those of a Go program are empty. */
void get_version(struct http_req *r, void *user)
{
    struct arena *a = http_req_arena(r);
    struct utsname host;
    struct val_builder b;
    (void)user;
    map_begin(&b, a);
    map_add_str(&b, "version", STR("skiff-" SKIFF_VERSION));
    map_add_str(&b, "argo", STR(SKIFF_ARGO_BASELINE));
    static const char *const empty[] = {"buildDate", "gitCommit", "gitTag", "gitTreeState", "goVersion"};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) map_add_str(&b, empty[i], STR(""));
    map_add_str(&b, "compiler", STR("C " __VERSION__));
    map_add_str(&b, "platform", uname(&host) == 0 ? str_fmt(a, "linux/%s", host.machine) : STR("linux"));
    struct val v = map_done(&b);
    api_answer(r, &v);
}

/* The same for everybody, also for those without a token; making it takes milliseconds. */
void get_openapi(struct http_req *r, void *user)
{
    struct api *x = user;
    if (!x->openapi.n) {
        struct val v = openapi_document(http_req_arena(r));
        buf_init(&x->openapi, SIZE_MAX / 2);
        json_write(&x->openapi, &v, 0);
    }
    http_reply(r, 200, "application/json", buf_view(&x->openapi));
}

/* ---- the stream ---- */

struct changes {
    struct http_stream *stream;
    struct service_watch *watch;
    struct loop_timer *more; /* the client has taken all that it was given, and the rest is in the change log; or this ends */
    bool ended;
};

static void changes_free(struct changes *c)
{
    loop_timer_free(c->more);
    service_watch_free(c->watch);
    free(c);
}

static void changes_end(struct changes *c)
{
    struct http_stream *stream = c->stream;
    changes_free(c);
    http_stream_end(stream);
}

static void on_gone(void *user) { changes_end(user); }

/* What a slow client does not take stays where it is: in the change log. */
static bool on_line(void *user, struct str line)
{
    return http_stream_event(((struct changes *)user)->stream, STR_NONE, STR_NONE, line);
}

/* However slow the client is: it must not take the end for the whole. */
static void on_end(void *user, int64_t last, const struct err *e)
{
    struct changes *c = user;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    buf_printf(&b, "{\"seq\":%lld,\"type\":\"error\",\"code\":%d,\"message\":", (long long)last, err_grpc_code(e->code));
    buf_json(&b, str_of(e->text));
    buf_char(&b, '}');
    http_stream_limit(c->stream, 0);
    http_stream_event(c->stream, STR_NONE, STR_NONE, buf_view(&b));
    c->ended = true;
    loop_timer_arm_us(c->more, 0);
}

/* Out of the server's sending: what is not among the last changes is read in a turn of its own. */
static void on_taken(void *user)
{
    struct changes *c = user;
    if (!c->ended && !service_watch_take(c->watch)) loop_timer_arm_us(c->more, 0);
}

static void on_ready(void *user) { http_stream_more(((struct changes *)user)->stream); }

static void on_more(void *user)
{
    struct changes *c = user;
    if (c->ended) changes_end(c);
    else service_watch_pump(c->watch);
}

/* Of the query and of the body. */
static bool refs_read(struct http_req *r, const struct val *body, struct watch_opts *o, struct err *e)
{
    const struct val *list = val_get(body, STR("workflows"));
    size_t most = list && list->kind == VAL_LIST ? list->n : 0, in_body = most;
    struct str key, value;
    for (size_t i = 0; http_req_query_at(r, i, &key, &value); i++) most++;
    struct workflow_ref *refs = ARENA_ARRAY(http_req_arena(r), struct workflow_ref, most + 1);
    o->refs = refs;
    for (size_t i = 0; http_req_query_at(r, i, &key, &value); i++) {
        if (!str_is(key, "workflow") || !value.n) continue;
        struct workflow_ref *ref = &refs[o->n++];
        if (!str_cut(value, '/', &ref->ns, &ref->name) || !ref->name.n)
            return err_set(e, ERR_SPEC, "workflow is NAMESPACE/NAME, not '%.*s'", STR_ARG(value));
    }
    for (size_t i = 0; i < in_body; i++) {
        refs[o->n] = (struct workflow_ref){val_get_str(&list->items[i], "namespace"), val_get_str(&list->items[i], "name")};
        if (!refs[o->n++].name.n) return err_set(e, ERR_SPEC, "workflows[%zu] has no name", i);
    }
    return true;
}

/* Of the query or of the body, where less than 0 is as none. */
static bool after_read(struct http_req *r, const struct val *body, int64_t *out, struct err *e)
{
    const struct val *given = val_get(body, STR("after"));
    struct str text = http_req_query(r, "after");
    *out = -1;
    if (!text.n && (!given || given->kind == VAL_NULL)) return true;
    if (!text.n) text = val_text(given);
    if (!str_to_i64(text, out)) return err_set(e, ERR_SPEC, "after is a number, not '%.*s'", STR_ARG(text));
    *out = MAX(*out, -1);
    return true;
}

static bool changes_asked(struct http_req *r, struct watch_opts *o, struct err *e)
{
    struct val body;
    if (!api_body(r, &body, e) || !refs_read(r, &body, o, e) || !after_read(r, &body, &o->after, e)) return false;
    o->from_start = o->after < 0 && o->n;
    return true;
}

void leave_workflows(struct http_req *r, void *user)
{
    struct watch_opts o = {0};
    struct val body, none = {.kind = VAL_MAP};
    struct err e;
    if (api_body(r, &body, &e) && refs_read(r, &body, &o, &e) && service_leave(api_service(user), o.refs, o.n, &e)) api_answer(r, &none);
    else http_reply_err(r, &e);
}

void stream_changes(struct http_req *r, void *user)
{
    struct api *x = user;
    struct changes *c = mem_zalloc(sizeof *c);
    struct watch_opts o = {.on_line = on_line, .on_ready = on_ready, .on_end = on_end, .user = c};
    struct err e;
    if (changes_asked(r, &o, &e)) c->watch = service_watch_new(x->s, &o, &e);
    if (!c->watch) {
        free(c);
        http_reply_err(r, &e);
        return;
    }
    c->more = loop_timer_new(service_loop(x->s), on_more, c);
    c->stream = http_stream_begin(r, http_req_wants_sse(r) ? "text/event-stream" : "application/x-ndjson");
    http_stream_limit(c->stream, LIMIT_CHANGES_AHEAD_BYTES);
    http_stream_source(c->stream, on_taken, c);
    http_req_on_gone(r, on_gone, c);
    service_watch_pump(c->watch);
}

/* ---- serving ---- */

static const struct api_route *route_of(const struct http_req *r)
{
    const struct http_route *route = http_req_route(r);
    return &api_routes[route - ((struct api *)route->user)->routes];
}

bool api_body(struct http_req *r, struct val *out, struct err *e)
{
    const struct field_type *type = route_of(r)->body.type;
    struct str body = http_req_body(r);
    *out = (struct val){.kind = VAL_MAP};
    if (!body.n) return true;
    return json_parse(http_req_arena(r), body, NULL, out, e) && (!type || body_check(out, type, e));
}

static void handle(struct http_req *r, void *user)
{
    const struct api_route *route = route_of(r);
    struct err e;
    if (query_check(r, route->query, &e)) route->handle(r, user);
    else http_reply_err(r, &e);
}

/* Over TCP: who signs in there, and who may do what. */
static bool gate_open(struct api *a, const struct api_opts *o, struct http_server_opts *h, struct err *e)
{
    if (o->sso && !(a->sso = sso_new(service_loop(a->s), o->sso, e))) return false;
    struct guard_opts g = {.s = a->s, .rows = api_routes, .routes = a->routes, .callers = o->callers, .local = o->local, .sso = a->sso, .per_s = o->per_s,
                           .paces_local = o->paces_local, .cors_origin = o->cors_origin};
    a->session_us = o->session_us;
    a->guard = guard_new(&g, e);
    h->admit = guard_admit;
    h->answered = guard_answered;
    h->user = a->guard;
    return a->guard != NULL;
}

struct api *api_serve(struct service *s, const struct api_opts *o, struct err *e)
{
    struct api *a = mem_zalloc(sizeof *a);
    a->s = s;
    ASSERT(api_route_count <= MAX_ROUTES);
    for (size_t i = 0; i < api_route_count; i++) {
        const char *spool_dir = api_routes[i].body.kind == CONTENT_FORM ? service_state_dir(s) : NULL;
        bool signs_in = api_routes[i].answer.kind == CONTENT_REDIRECT; /* brings a code */
        a->routes[i] = (struct http_route){api_routes[i].method, api_routes[i].pattern, handle, a, spool_dir, signs_in};
    }
    struct http_server_opts h = {.unix_path = o->unix_path, .listen_fd = o->listen_fd, .tls_cert = o->tls_cert, .tls_key = o->tls_key, .on_done = api_done, .done_user = a,
                                 .routes = a->routes, .route_count = api_route_count};
    if (!o->unix_path && !gate_open(a, o, &h, e)) close(o->listen_fd);
    else a->server = http_server_new(service_loop(s), &h, e);
    if (a->server) return a;
    api_free(a);
    return NULL;
}

bool api_certificate(struct api *a, const char *cert, const char *key, struct err *e) { return http_server_certificate(a->server, cert, key, e); }

void api_free(struct api *a)
{
    if (!a) return;
    http_server_free(a->server);
    sso_free(a->sso);
    guard_free(a->guard);
    buf_fini(&a->openapi);
    free(a);
}
