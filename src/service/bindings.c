/* Events that start workflows (Argo: server/event/dispatch). An event is a row of the store until everything that it starts is
 * accepted, so it outlives the engine; a workflow's uid follows from the event and the binding, so an event that is looked at again
 * after a crash starts nothing twice. Whoever sent it is told when its bindings were asked. */
#include "base/limits.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "lang/expr.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "exec/stats.h"
#include "service/service_p.h"
#include "service/streams.h"

#define KEY "event/"
enum { TURN_US = 4000 }; /* of one turn of the loop */

/* One event and one binding. */
struct matching {
    struct arena *a;
    struct service *s;
    struct str ns, id, name; /* id: the event's; name: the binding's */
    struct expr_env env;
    const struct val *spec;  /* the binding's */
    const struct val *sender; /* labels of who sent it; NULL: nobody said */
};

static uint64_t random_next(void *ctx)
{
    (void)ctx;
    return random_u64();
}

/* ---- what a binding makes of an event ---- */

static bool text_eval(struct matching *m, struct str expression, const char *of, struct str *out, struct err *e)
{
    struct val v;
    if (!expr_eval(m->a, expression, &m->env, &v, e)) return err_ctx(e, "submit.metadata: %s", of);
    if (v.kind != VAL_STR) return err_set(e, ERR_SPEC, "submit.metadata: %s: '%.*s' gives no text", of, STR_ARG(expression));
    *out = v.s;
    return true;
}

static bool pairs_eval(struct matching *m, const char *key, struct val *meta, struct err *e)
{
    const struct val *given = val_get(val_path(m->spec, "submit.metadata"), str_of(key));
    struct val_builder b;
    bool ok = true, labels = str_is(str_of(key), "labels");
    map_begin(&b, m->a);
    for (uint32_t i = 0; ok && given && given->kind == VAL_MAP && i < given->n; i++) {
        struct str text;
        ok = text_eval(m, val_text(&given->map[i].v), key, &text, e);
        if (ok) map_add(&b, given->map[i].key, val_of_str(text));
    }
    struct val map = map_done(&b);
    if (!ok) return false;
    if (labels) map = map_with_all(m->a, m->sender, &map);
    if (labels) map = map_with(m->a, &map, STR("workflows.argoproj.io/workflow-event-binding"), val_of_str(m->name));
    if (map.n) *meta = map_with(m->a, meta, str_of(key), map);
    return true;
}

/* Every text of submit.metadata is an expression. */
static bool meta_eval(struct matching *m, struct str tmpl, struct val *out, struct err *e)
{
    static const char *const names[] = {"name", "generateName"};
    *out = map_with(m->a, NULL, STR("generateName"), val_of_str(str_fmt(m->a, "%.*s-", STR_ARG(tmpl))));
    *out = map_with(m->a, out, STR("namespace"), val_of_str(m->ns));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str text = val_get_str(val_path(m->spec, "submit.metadata"), names[i]);
        if (!text.n) continue;
        if (!text_eval(m, text, names[i], &text, e)) return false;
        *out = map_with(m->a, out, str_of(names[i]), val_of_str(text));
    }
    return pairs_eval(m, "labels", out, e) && pairs_eval(m, "annotations", out, e);
}

static bool param_eval(struct matching *m, const struct val *p, struct val *out, struct err *e)
{
    struct str name = val_get_str(p, "name"), text = val_text(val_path(p, "valueFrom.event"));
    enum expr_fault fault = EXPR_FINE;
    struct val v;
    m->env.fault = &fault;
    if (!text.n) return err_set(e, ERR_SPEC, "malformed workflow template parameter \"%.*s\": valueFrom.event is missing", STR_ARG(name));
    if (!expr_eval_json(m->a, text, &m->env, &text, e)) {
        if (fault == EXPR_FINE) err_set(e, ERR_SPEC, "JSON has no form for the value");
        return err_ctx(e, "failed to evaluate workflow template parameter \"%.*s\" expression", STR_ARG(name));
    }
    if (str_starts(text, STR("\""))) {
        if (!json_parse(m->a, text, NULL, &v, e)) return false;
        text = v.s;
    }
    *out = map_with(m->a, NULL, STR("name"), val_of_str(name));
    *out = map_with(m->a, out, STR("value"), val_of_str(text));
    return true;
}

static bool spec_eval(struct matching *m, const struct val *ref, struct val *out, struct err *e)
{
    const struct val *params = val_path(m->spec, "submit.arguments.parameters");
    struct val_builder list;
    bool ok = true;
    list_begin(&list, m->a);
    for (uint32_t i = 0; ok && params && params->kind == VAL_LIST && i < params->n; i++) {
        struct val p = val_null;
        ok = param_eval(m, &params->items[i], &p, e);
        if (ok) list_add(&list, p);
    }
    *out = map_with(m->a, NULL, STR("workflowTemplateRef"), *ref);
    *out = map_with(m->a, out, STR("arguments"), map_with(m->a, NULL, STR("parameters"), list_done(&list)));
    return ok;
}

static bool workflow_of(struct matching *m, struct val *out, struct err *e)
{
    const struct val *ref = val_path(m->spec, "submit.workflowTemplateRef");
    struct val meta, spec;
    struct val_builder b;
    if (!ref) return err_set(e, ERR_SPEC, "submit.workflowTemplateRef is missing");
    if (!meta_eval(m, val_get_str(ref, "name"), &meta, e) || !spec_eval(m, ref, &spec, e)) return false;
    map_begin(&b, m->a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), meta);
    map_add(&b, STR("spec"), spec);
    *out = map_done(&b);
    return true;
}

/* The same for the same two, and random otherwise. */
static struct str token_of(struct arena *a, struct str event, struct str binding)
{
    static const char digits[] = "0123456789abcdef";
    char *to = arena_alloc_bytes(a, event.n + 1);
    memcpy(to, event.p, event.n);
    to[event.n] = 0;
    for (size_t i = 0; i < event.n && i < binding.n; i++) {
        const char *x = strchr(digits, to[i]), *y = strchr(digits, binding.p[i]);
        if (x && y && *x && *y && i != 14 && i != 19) to[i] = digits[(x - digits) ^ (y - digits)]; /* version and variant stay */
    }
    return str_n(to, event.n);
}

static bool workflow_start(struct matching *m, const struct val *workflow, struct str binding_uid, struct err *e)
{
    struct documents docs CLEANUP(documents_fini);
    struct diags diags CLEANUP(diags_fini);
    struct submit_opts o = {.ns = m->ns, .token = token_of(m->a, m->id, binding_uid)};
    struct workflow_ref *refs;
    size_t n;
    documents_init(&docs, m->a);
    diags_init(&diags, m->a);
    bool ok = documents_add_val(&docs, workflow, 0, &diags);
    if (!ok) err_set(e, ERR_SPEC, "the workflow is not valid");
    ok = ok && service_submit(m->s, &docs, &o, &diags, &refs, &n, e);
    for (size_t i = 0; !ok && i < diags.n; i++)
        if (diags.items[i].severity == DIAG_ERROR) return err_set(e, ERR_SPEC, "%.*s", STR_ARG(diags.items[i].message));
    return ok;
}

static bool binding_look(struct matching *m, const struct val *binding, struct err *e)
{
    struct val workflow;
    bool matches;
    m->spec = val_get(binding, STR("spec"));
    m->name = val_text(val_path(binding, "metadata.name"));
    if (!expr_eval_bool(m->a, val_text(val_path(m->spec, "event.selector")), &m->env, &matches, e)) return err_ctx(e, "failed to evaluate the selector");
    if (!matches || !val_get(m->spec, STR("submit"))) return true;
    return workflow_of(m, &workflow, e) && workflow_start(m, &workflow, val_text(val_path(binding, "metadata.uid")), e);
}

/* In the log, as a metric, and, as Argo does it, as a Kubernetes event about the binding (happenings.c). */
static bool failure_tell(struct matching *m, const struct val *binding, const struct err *why, struct err *e)
{
    struct str labels[] = {m->name, m->ns};
    struct val_builder b;
    log_event(LOG_WARN, "failed to dispatch event", (struct log_field[]){{"namespace", m->ns, false}, {"binding", m->name, false}, {"event", m->id, false},
              {"error", str_of(why->text), false}}, 4);
    stats_add(exec_stats(m->s->exec), STAT_BINDING_ERRORS, labels, 1);
    map_begin(&b, m->a);
    map_add_str(&b, "namespace", m->ns);
    map_add_str(&b, "name", m->name);
    map_add_str(&b, "uid", val_text(val_path(binding, "metadata.uid")));
    map_add_str(&b, "message", str_fmt(m->a, "failed to dispatch event: %s", why->text));
    map_add_str(&b, "at", rfc3339(m->a, clock_now_us()));
    struct val v = map_done(&b);
    struct change_row row = {.kind = STR("binding"), .payload = json_text(m->a, &v)};
    return exec_begin(m->s->exec, e) && store_change_add(service_store(m->s), &row, NULL, e);
}

/* As Argo's server words what several bindings say. */
static void failure_add(struct arena *a, struct err *failed, const struct err *why)
{
    struct str before = failed->code ? str_fmt(a, "%.*s ", (int)strlen(failed->text) - 1, failed->text) : STR("failed to dispatch event: [");
    err_set(failed, ERR_INTERNAL, "%.*s%s]", STR_ARG(before), why->text);
}

/* A binding that fails keeps no other from its event. */
static bool event_look(struct service *s, struct arena *a, const struct val *event, struct err *failed, struct err *e)
{
    struct val seen = map_without(a, event, STR("sender"));
    struct matching m = {.a = a, .s = s, .ns = val_get_str(event, "namespace"), .id = val_get_str(event, "id"), .sender = val_get(event, STR("sender")),
                         .env = {.extra = &seen, .clock = {.now_us = clock_now_us(), .random = random_next}}};
    struct resource_query q = {.kind = RESOURCE_EVENT_BINDING, .ns = m.ns};
    struct resource_page page;
    do {
        if (!resource_list(a, service_store(s), &q, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++) {
            struct err why = {0};
            bool ok = binding_look(&m, &page.docs[i], &why);
            if (!ok) failure_add(a, failed, &why);
            if (!ok && !failure_tell(&m, &page.docs[i], &why, e)) return false;
            if (service_failed(s, e)) return false;
        }
        q.continue_token = page.continue_token;
    } while (q.continue_token.n);
    return true;
}

/* ---- the queue ---- */

static int64_t number_of(struct str key) { return strtoll(str_from(key, sizeof KEY - 1).p, NULL, 16); }

/* Who waits is told with the next commit. Events are looked at in the order in which they came: it is among the first. */
static void event_looked(struct service *s, int64_t number, const struct err *failed)
{
    struct event_ack *ack = s->event_acks.items, *end = ack + s->event_acks.n;
    while (ack < end && ack->number != number) ack++;
    if (ack == end) return; /* sent to the engine before */
    ack->looked = true;
    if (!failed->code) return;
    ack->why = mem_zalloc(sizeof *ack->why);
    *ack->why = *failed;
}

/* It goes whatever became of it: what fails now fails again. */
static bool first_take(struct service *s, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct str key, text;
    struct val event;
    struct err failed = {0};
    arena_init(&a);
    if (!store_value_next(&a, service_store(s), 0, STR(KEY), &key, e) || !store_value_get(&a, service_store(s), 0, key, &text, e)) return false;
    if (json_parse(&a, text, NULL, &event, &failed) && !event_look(s, &a, &event, &failed, e)) return false;
    event_looked(s, number_of(key), &failed);
    return exec_begin(s->exec, e) && store_value_del(service_store(s), 0, key, e);
}

/* What cannot be read waits for another event or another engine; nobody waits with it. */
static void on_event_timer(void *user)
{
    struct service *s = user;
    struct err e = {0};
    bool ok = s->exec && !s->failure.code;
    for (int64_t end_us = loop_now_us() + TURN_US; ok && s->events_waiting && loop_now_us() < end_us;) {
        ok = first_take(s, &e);
        s->events_waiting -= ok;
    }
    if (!ok && e.code) {
        log_line(LOG_ERROR, "events: %s", e.text);
        events_committed(s, &e);
    }
    if (ok && s->events_waiting) loop_timer_arm_us(s->event_timer, 0);
    loop_again(s->loop);
}

static bool event_count(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct service *s = ctx;
    (void)bytes, (void)e;
    s->events_waiting++;
    s->event_last = number_of(key);
    return true;
}

bool events_begin(struct service *s, struct err *e)
{
    s->events_waiting = s->event_last = 0;
    s->event_timer = loop_timer_new(s->loop, on_event_timer, s);
    if (!store_values_load_prefix(service_store(s), 0, STR(KEY), event_count, s, e)) return false;
    if (s->events_waiting && !s->o.idle) loop_timer_arm_us(s->event_timer, 0);
    return true;
}

/* An event on the disk is taken, whichever engine looks at it. */
void events_end(struct service *s)
{
    struct err e;
    err_set(&e, ERR_UNREACHABLE, "the engine is leaving");
    for (size_t i = 0; i < s->event_acks.n; i++) s->event_acks.items[i].looked = s->event_acks.items[i].stored;
    events_committed(s, NULL);
    events_committed(s, &e);
    VEC_FINI(&s->event_acks);
    loop_timer_free(s->event_timer);
    s->event_timer = NULL;
}

/* The list is taken first: whoever is told may send another. */
void events_committed(struct service *s, const struct err *e)
{
    size_t n = s->event_acks.n;
    struct event_ack *acks = s->event_acks.items;
    bool fresh = false;
    if (!n) return;
    s->event_acks.items = NULL;
    s->event_acks.n = s->event_acks.cap = 0;
    for (size_t i = 0; i < n; i++) {
        struct event_ack ack = acks[i];
        fresh |= !ack.stored;
        ack.stored = true;
        if (!e && !ack.looked) {
            VEC_PUSH(&s->event_acks, ack);
            continue;
        }
        ack.done(ack.user, e ? e : ack.why);
        free(ack.why);
    }
    free(acks);
    if (!e && fresh) loop_timer_arm_us(s->event_timer, 0);
}

static struct val event_of(struct arena *a, const struct given_event *g)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "id", uuid_random(a));
    map_add_str(&b, "namespace", g->ns);
    map_add_str(&b, "discriminator", g->discriminator.n ? g->discriminator : STR(""));
    map_add(&b, STR("payload"), *g->payload);
    map_add(&b, STR("metadata"), *g->metadata);
    if (g->sender) map_add(&b, STR("sender"), *g->sender);
    return map_done(&b);
}

bool service_event_take(struct service *s, const struct given_event *g, void (*done)(void *user, const struct err *e),
                        void *user, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct buf text CLEANUP(buf_fini);
    arena_init(&a);
    buf_init(&text, LIMIT_EVENT_BYTES);
    if (!s->exec) return err_set(e, ERR_UNREACHABLE, "no engine is at work here");
    if (s->events_waiting >= LIMIT_EVENTS_QUEUED) return err_set(e, ERR_UNREACHABLE, "operation queue full");
    struct val event = event_of(&a, g);
    json_write(&text, &event, 0);
    if (text.overflow) return err_set(e, ERR_LIMIT, "the event is larger than %d bytes (LIMIT_EVENT_BYTES)", LIMIT_EVENT_BYTES);
    struct str key = str_fmt(&a, KEY "%016llx", (unsigned long long)(s->event_last + 1));
    if (!exec_promise(s->exec, e) || !store_value_put(service_store(s), 0, key, buf_view(&text), e)) return false;
    s->event_last++;
    s->events_waiting++;
    VEC_PUSH(&s->event_acks, ((struct event_ack){.done = done, .user = user, .number = s->event_last}));
    return true;
}
