/* Following workflows of a server elsewhere: its own stream of changes, or Argo's watch where there is only that, or where the
 * caller may not have the other one (a token for some namespaces).
 *
 * A connection that ends is made anew: the stream of changes goes on after the last one that was shown, the watch at the version of
 * its last event. A watch has whole workflows, so what is new in them is found out here. */
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "service/remote_p.h"

/* A watch gives whole workflows again and again; whoever follows looks at none of these parts. */
#define NOT_SHOWN "-spec,status.nodes.inputs,status.nodes.outputs,status.storedTemplates,status.storedWorkflowTemplateSpec"

struct remote_follow {
    struct service *s;
    struct web_lines *lines;
    bool argo;      /* its watch */
    struct remote_tries tries;
    struct err why; /* the last one ended */
    struct buf version; /* of the last event */
    struct map seen;    /* "NAMESPACE/NAME/NODE" -> hash of what was shown */
    struct arena arena; /* of its keys */
};

void remote_follow_free(struct remote_follow *x)
{
    if (!x) return;
    web_lines_cancel(x->lines);
    buf_fini(&x->version);
    map_fini(&x->seen);
    arena_fini(&x->arena);
    free(x);
}

/* ---- events of Argo's watch ---- */

static bool node_is_new(struct remote_follow *x, struct str key, struct str text)
{
    bool fresh;
    struct map_slot *slot = map_get(&x->seen, key);
    uint64_t hash = str_hash(text);
    if (slot && slot->num == hash) return false;
    map_put(&x->seen, slot ? key : str_dup(&x->arena, key), &fresh)->num = hash;
    return true;
}

static struct val change_of(struct arena *a, const struct val *meta, const char *type, const char *member, struct val v)
{
    struct val_builder ref, b;
    map_begin(&ref, a);
    map_add_str(&ref, "namespace", val_get_str(meta, "namespace"));
    map_add_str(&ref, "name", val_get_str(meta, "name"));
    map_add_str(&ref, "uid", val_get_str(meta, "uid"));
    map_begin(&b, a);
    map_add(&b, STR("workflow"), map_done(&ref));
    map_add_str(&b, "type", str_of(type));
    map_add(&b, str_of(member), v);
    return map_done(&b);
}

static void workflow_show(struct remote_follow *x, struct arena *a, const struct val *wf)
{
    const struct val *meta = val_get(wf, STR("metadata")), *status = val_get(wf, STR("status")), *nodes = val_get(status, STR("nodes"));
    for (uint32_t i = 0; nodes && nodes->kind == VAL_MAP && i < nodes->n; i++) {
        const struct val *node = &nodes->map[i].v;
        struct str key = str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(val_get_str(meta, "namespace")), STR_ARG(val_get_str(meta, "name")),
                                 STR_ARG(nodes->map[i].key));
        if (!node_is_new(x, key, json_text(a, node))) continue;
        struct val v = change_of(a, meta, "node", "node", *node);
        follow_change(x->s, &v);
    }
    if (!status) return;
    struct val own = map_without(a, status, STR("nodes")), v = change_of(a, meta, "workflow", "status", own);
    follow_change(x->s, &v);
}

static bool is_followed(const struct following *f, const struct val *wf)
{
    struct str ns = val_text(val_path(wf, "metadata.namespace")), name = val_text(val_path(wf, "metadata.name"));
    for (size_t i = 0; i < f->f.n; i++)
        if (str_eq(f->f.refs[i].ns, ns) && str_eq(f->f.refs[i].name, name)) return true;
    return false;
}

/* The stream says that it broke; its end comes next. */
static void error_note(struct remote_follow *x, const struct val *error)
{
    int64_t status = 0;
    if (val_get(error, STR("http_code"))) val_i64(val_get(error, STR("http_code")), &status);
    if (status == err_http_status(ERR_GONE)) buf_reset(&x->version); /* all that is there comes again */
    err_set(&x->why, ERR_UNREACHABLE, "%.*s", STR_ARG(str_sub(val_get_str(error, "message"), 0, 400)));
}

static void event_show(struct remote_follow *x, struct str line)
{
    struct arena a CLEANUP(arena_fini);
    struct val v;
    arena_init(&a);
    if (!json_parse(&a, line, &(struct json_opts){.max_bytes = LIMIT_HTTP_LINE_BYTES}, &v, NULL)) return;
    const struct val *error = val_get(&v, STR("error")), *wf = val_path(&v, "result.object");
    if (error) error_note(x, error);
    if (!wf) return;
    x->tries.n = 0;
    if (!is_followed(&x->s->follow, wf)) return;
    struct workflow_ref ref = {val_text(val_path(wf, "metadata.namespace")), val_text(val_path(wf, "metadata.name"))};
    if (str_is(val_text(val_path(&v, "result.type")), "DELETED")) follow_gone(x->s, &ref);
    else workflow_show(x, &a, wf);
    buf_reset(&x->version);
    buf_str(&x->version, val_text(val_path(wf, "metadata.resourceVersion")));
}

/* ---- the connection ---- */

/* The end may be told only when whoever calls this has returned. */
static void soon(struct remote_follow *x, int64_t after_us) { loop_timer_arm_us(x->s->follow.retry, after_us); }

static void again(struct remote_follow *x)
{
    int64_t pause = remote_tries_pause_us(&x->tries);
    struct err e;
    if (pause >= 0) {
        soon(x, pause);
        return;
    }
    err_set(&e, ERR_UNREACHABLE, "the server does not come back; what runs there goes on without being watched%s%.400s",
            x->why.text[0] ? ": " : "", x->why.text);
    follow_end(x->s, &e);
}

/* Those that were deleted meanwhile. */
static void gone_note(struct service *s)
{
    struct following *f = &s->follow;
    for (size_t i = 0; i < f->f.n; i++) {
        struct arena a CLEANUP(arena_fini);
        struct str phase;
        struct err e = {0};
        bool ended;
        arena_init(&a);
        if (!f->finished[i] && !service_phase(&a, s, &f->f.refs[i], &phase, &ended, &e) && e.code == ERR_NOT_FOUND) follow_gone(s, &f->f.refs[i]);
    }
}

static void refused(struct remote_follow *x, const struct web_reply *reply)
{
    struct service *s = x->s;
    struct err e = {0};
    remote_refused(s->remote, reply, &e);
    if (reply->status == err_http_status(ERR_NOT_FOUND)) gone_note(s);
    if (!s->follow.left) {
        follow_end(s, NULL);
    } else if (reply->status == err_http_status(ERR_GONE)) {
        s->follow.seq = -1;
        buf_reset(&x->version);
        again(x);
    } else if (!x->argo && remote_lacks(&e)) {
        x->argo = true;
        soon(x, 0);
    } else if (e.code == ERR_UNREACHABLE || e.code == ERR_LIMIT) {
        x->why = e;
        again(x);
    } else {
        follow_end(s, &e);
    }
}

static void on_done(void *user, const struct web_reply *reply, const struct err *e)
{
    struct remote_follow *x = user;
    struct err why = {0};
    x->lines = NULL;
    if (e) why = *e, remote_unanswered(x->s->remote, &why);
    if (!x->s->follow.left) soon(x, 0);
    else if (e && e->code != ERR_UNREACHABLE && e->code != ERR_TIMEOUT) follow_end(x->s, &why); /* it would be the same again */
    else if (e) x->why = why, again(x);
    else if (reply->status >= 200 && reply->status < 300 && !reply->led_away) again(x);
    else refused(x, reply);
}

static void on_line(void *user, struct str line)
{
    struct remote_follow *x = user;
    if (x->argo) {
        event_show(x, line);
    } else {
        x->tries.n = 0;
        follow_line(x->s, line);
    }
    if (!x->s->follow.left) soon(x, 0);
}

/* Of one namespace, or of all when they are of several; of one workflow alone where it is only one. */
static const char *watch_target(struct arena *a, const struct remote_follow *x)
{
    const struct follow *f = &x->s->follow.f;
    struct buf b CLEANUP(buf_fini);
    bool same = true;
    for (size_t i = 1; i < f->n; i++) same = same && str_eq(f->refs[i].ns, f->refs[0].ns);
    buf_init(&b, LIMIT_HTTP_HEAD_BYTES);
    buf_printf(&b, "/api/v1/workflow-events/%.*s?", STR_ARG(same ? web_escape(a, f->refs[0].ns) : STR_NONE));
    if (f->n == 1) query_add(&b, a, "&listOptions.fieldSelector=", str_fmt(a, "metadata.name=%.*s", STR_ARG(f->refs[0].name)));
    query_add(&b, a, "&listOptions.resourceVersion=", buf_view(&x->version));
    query_add(&b, a, "&fields=", STR(NOT_SHOWN));
    return buf_dup(a, &b).p;
}

static void stream_begin(struct remote_follow *x)
{
    struct arena a CLEANUP(arena_fini);
    struct web_lines_opts o = {.on_line = on_line, .on_done = on_done, .user = x};
    struct err e = {0};
    arena_init(&a);
    remote_tries_begin(&x->tries);
    if (x->argo) x->lines = remote_lines(x->s, "GET", watch_target(&a, x), STR_NONE, &o, &e);
    else x->lines = remote_lines(x->s, "POST", "/api/v1/skiff/changes", follow_body(&a, &x->s->follow), &o, &e);
    if (!x->lines) follow_end(x->s, &e);
}

void remote_follow(struct service *s)
{
    struct following *f = &s->follow;
    if (!f->on) return;
    if (!f->left) {
        follow_end(s, NULL);
        return;
    }
    if (!f->far) {
        f->far = mem_zalloc(sizeof *f->far);
        f->far->s = s;
        arena_init(&f->far->arena);
        buf_init(&f->far->version, LIMIT_VALUE_BYTES);
    }
    if (!f->far->lines) stream_begin(f->far);
}
