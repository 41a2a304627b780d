/* Requests of http templates: a command as a step is, but made by the engine itself on its loop, so that
 * it takes no slot and nothing waits for it.
 *
 * Committed before it is made, and acknowledged in the transaction that ends its node. Nobody knows
 * what became of one that was under way when the engine died: it is made again, as Argo's agent does.
 * Runs on: the loop thread. */
#include "base/limits.h"
#include "doc/base64.h"
#include "os/clock.h"
#include "exec/exec_p.h"

/* ---- from the template to a request ---- */

/* A header's value may be a key of a Secret. */
static bool header_value(struct active *l, const struct val *h, struct str *out, struct err *e)
{
    const struct val *ref = val_path(h, "valueFrom.secretKeyRef");
    struct pod_lookup look = pod_lookup_of(l);
    *out = val_text(val_get(h, STR("value")));
    if (ref) return look.value(look.ctx, true, val_get_str(ref, "name"), val_get_str(ref, "key"), out, e);
    if (!out->p) *out = STR("");
    return true;
}

static bool headers(struct active *l, const struct val *http, struct web_request *r, struct err *e)
{
    const struct val *list = val_get(http, STR("headers"));
    struct web_field *fields = ARENA_ARRAY(&l->x->scratch, struct web_field, list ? list->n + 1 : 1);
    for (uint32_t i = 0; list && i < list->n; i++) {
        fields[i].name = val_get_str(&list->items[i], "name");
        if (!header_value(l, &list->items[i], &fields[i].value, e)) return false;
    }
    r->fields = fields;
    r->n_fields = list ? list->n : 0;
    return true;
}

static bool body(struct arena *a, const struct val *http, struct web_request *r, struct err *e)
{
    const struct val *from = val_get(http, STR("bodyFrom"));
    struct str bytes = val_text(val_get(from, STR("bytes")));
    r->body = val_text(val_get(http, STR("body")));
    if (!from) return true;
    if (bytes.p && base64_decode(a, bytes, &r->body)) return true;
    return err_set(e, ERR_SPEC, "bodyFrom.bytes is not base64");
}

static bool request_fill(struct active *l, const struct val *http, struct web_request *r, struct err *e)
{
    int64_t seconds = 0;
    struct str timeout = val_text(val_get(http, STR("timeoutSeconds")));
    const struct val *insecure = val_get(http, STR("insecureSkipVerify"));
    *r = (struct web_request){.method = val_get_str(http, "method"), .url = val_get_str(http, "url"),
                              .max_bytes = LIMIT_WEB_RESULT_BYTES};
    if (timeout.n && (!str_to_i64(timeout, &seconds) || seconds < 0 || seconds > INT32_MAX))
        return err_set(e, ERR_SPEC, "timeoutSeconds '%.*s' is not a number of seconds", STR_ARG(timeout));
    r->timeout_ms = seconds * 1000;
    r->insecure = insecure && insecure->kind == VAL_BOOL && insecure->b;
    return headers(l, http, r, e) && body(&l->x->scratch, http, r, e);
}

/* ---- lists ---- */

static void index_put(struct active *l, const struct node *n, struct request *q)
{
    size_t i = node_index(n), cap = l->cap_requests ? l->cap_requests : 16;
    while (cap <= i) cap *= 2;
    if (cap > l->cap_requests) {
        l->requests = mem_grow(l->requests, cap * sizeof(struct request *));
        memset(l->requests + l->cap_requests, 0, (cap - l->cap_requests) * sizeof(struct request *));
        l->cap_requests = cap;
    }
    l->requests[i] = q;
    l->n_requests++;
}

static void request_add(struct active *l, struct node *n, int64_t id)
{
    struct exec *x = l->x;
    struct request *q = mem_zalloc(sizeof *q);
    *q = (struct request){.x = x, .live = l, .node = n, .id = id, .at = x->requests.n};
    VEC_PUSH(&x->requests, q);
    VEC_PUSH(&x->due, q);
    index_put(l, n, q);
}

/* Its next one begins at the end of this turn. */
static void room_note(struct active *l)
{
    if (l->has_room || l->waiting_head == l->waiting.n) return;
    l->has_room = true;
    VEC_PUSH(&l->x->roomy, l);
}

static void request_forget(struct request *q)
{
    struct exec *x = q->x;
    struct request *last = VEC_POP(&x->requests);
    if (last != q) {
        x->requests.items[q->at] = last;
        last->at = q->at;
    }
    for (size_t i = 0; i < x->due.n; i++)
        if (x->due.items[i] == q) x->due.items[i] = NULL;
    struct active *l = q->live;
    l->requests[node_index(q->node)] = NULL;
    l->n_requests--;
    if (q->waits) l->waiting.items[q->waits_at] = NULL;
    if (q->made) {
        l->n_made--;
        room_note(l);
    }
    web_call_cancel(q->call);
    free(q);
}

/* ---- its end ---- */

static void request_event(struct request *q, const struct step_outcome *how)
{
    struct exec *x = q->x;
    struct active *l = q->live;
    struct node *n = q->node;
    struct outbox out;
    struct err e;
    if (!exec_begin(x, &e) || !store_command_ack(x->store, q->id, &e)) {
        exec_fail(x, &e);
        return;
    }
    request_forget(q);
    run_step_done(l->run, n, how, clock_now_us(), &out);
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

static void request_failed(struct request *q, const struct err *why)
{
    struct arena *a = &q->x->scratch;
    struct step_outcome how = {.phase = NODE_FAILED, .exit_code = STEP_NO_EXIT_CODE,
                               .message = str_dup(a, str_of(why->text))};
    request_event(q, &how);
}

static struct val header_map(struct arena *a, const struct web_reply *reply)
{
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < reply->n_fields; i++) {
        struct val_builder values;
        list_begin(&values, a);
        for (size_t k = 0; k < reply->n_fields; k++)
            if (str_eq(reply->fields[k].name, reply->fields[i].name)) list_add(&values, val_of_str(reply->fields[k].value));
        map_set(&b, reply->fields[i].name, list_done(&values));
    }
    return map_done(&b);
}

static void on_done(void *user, const struct web_reply *reply, const struct err *why)
{
    struct request *q = user;
    struct exec *x = q->x;
    struct arena *a = &x->scratch;
    struct step_outcome how;
    struct err e;
    q->call = NULL; /* it ends itself */
    if (why) {
        request_failed(q, why);
        return;
    }
    const struct val *given = node_template(q->live->run, q->node, &e);
    if (!given) {
        request_failed(q, &e);
        return;
    }
    struct val tmpl = val_copy(a, given), map = header_map(a, reply);
    struct http_answer answer = {.status = reply->status, .body = str_dup(a, reply->body), .headers = &map};
    http_judge(a, &tmpl, &answer, clock_now_us(), &how);
    request_event(q, &how);
}

/* ---- its beginning ---- */

bool request_new(struct active *l, struct node *n, struct err *e)
{
    struct exec *x = l->x;
    struct command_row row = {.run = l->id, .node = node_index(n), .kind = COMMAND_REQUEST, .payload = STR("")};
    int64_t id;
    if (!store_command_put(x->store, &row, &id, e)) return false;
    request_add(l, n, id);
    return true;
}

static void request_make(struct request *q)
{
    struct exec *x = q->x;
    struct web_request r;
    struct err e;
    q->made = true;
    q->live->n_made++;
    const struct val *tmpl = node_template(q->live->run, q->node, &e);
    bool ok = tmpl && request_fill(q->live, val_get(tmpl, STR("http")), &r, &e) &&
              (x->web || (x->web = web_client_new(x->o.loop, &e)));
    if (ok) q->call = web_call_new(x->web, &r, on_done, q, &e);
    if (!q->call) request_failed(q, &e);
    arena_reset(&x->scratch);
}

static void request_wait(struct request *q)
{
    struct active *l = q->live;
    q->waits = true;
    q->waits_at = l->waiting.n;
    VEC_PUSH(&l->waiting, q);
    room_note(l);
}

/* Those that waited longest. */
static void waiting_make(struct active *l)
{
    while (l->n_made < LIMIT_RUN_REQUESTS && l->waiting_head < l->waiting.n && !l->over && !l->x->failed) {
        struct request *q = l->waiting.items[l->waiting_head++];
        if (!q) continue;
        q->waits = false;
        request_make(q);
    }
    if (l->waiting_head == l->waiting.n) l->waiting_head = l->waiting.n = 0;
}

void requests_committed(struct exec *x)
{
    struct request **due = x->due.items;
    size_t n = x->closing ? 0 : x->due.n;
    if (n) {
        x->due.items = NULL;
        x->due.n = x->due.cap = 0;
    }
    for (size_t i = 0; i < n; i++)
        if (due[i]) request_wait(due[i]);
    if (n) free(due);
}

/* What one that cannot be made leads to is decided in the next transaction. Time limits begin with the
 * request itself, so it waits here for its turn and not in the library. */
void requests_run(struct exec *x)
{
    while (!x->failed && !x->closing && x->roomy.n) {
        struct active *l = VEC_POP(&x->roomy);
        l->has_room = false;
        waiting_make(l);
    }
}

void requests_dropped(struct exec *x)
{
    for (size_t i = 0; i < x->due.n; i++)
        if (x->due.items[i]) request_forget(x->due.items[i]);
    x->due.n = 0;
}

bool request_cancel(struct active *l, const struct node *n, struct err *e)
{
    uint32_t i = node_index(n);
    struct request *q = i < l->cap_requests ? l->requests[i] : NULL;
    if (!q) return true;
    int64_t id = q->id;
    request_forget(q);
    return store_command_ack(l->x->store, id, e);
}

/* Left behind by failFast, which ends a workflow over the heads of its nodes. */
void requests_orphan(struct active *l)
{
    struct exec *x = l->x;
    struct err e;
    for (size_t i = 0; l->has_room && i < x->roomy.n; i++)
        if (x->roomy.items[i] == l) {
            x->roomy.items[i] = VEC_POP(&x->roomy);
            l->has_room = false;
        }
    for (size_t i = 0; l->n_requests && i < l->cap_requests; i++) {
        struct request *q = l->requests[i];
        if (!q) continue;
        if (!exec_begin(l->x, &e) || !store_command_ack(l->x->store, q->id, &e)) exec_fail(l->x, &e);
        l->waiting_head = l->waiting.n = 0;
        q->waits = q->made = false;
        request_forget(q);
    }
}

/* ---- a new engine ---- */

bool request_restore(struct exec *x, struct active *l, const struct command_row *c, struct err *e)
{
    struct node *n = l && c->node < run_node_count(l->run) ? run_node_at(l->run, c->node) : NULL;
    if (!n || phase_fulfilled(node_phase(n))) return exec_begin(x, e) && store_command_ack(x->store, c->id, e);
    request_add(l, n, c->id);
    return true;
}

void requests_close(struct exec *x)
{
    while (x->requests.n) request_forget(x->requests.items[0]);
    VEC_FINI(&x->requests);
    VEC_FINI(&x->due);
    VEC_FINI(&x->roomy);
    web_client_free(x->web);
}
