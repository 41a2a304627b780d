/* Events that wait, and what a watch of workflows makes of changes, in an engine that starts no step. */
#include "base/limits.h"
#include "doc/json.h"
#include "service/service_test_p.h"
#include "service/streams.h"

/* What the callers of this test were told. */
static struct {
    int acks, bad_acks;
    bool refuse; /* events of the watch */
    bool may_end; /* it may fall behind; */
    int gone;     /* was told so */
    struct buf seen;
} told;

static int setup(void **state)
{
    memset(&told, 0, sizeof told);
    buf_init(&told.seen, 1 << 20);
    return fixture_setup(state);
}

static int teardown(void **state)
{
    fixture_teardown(state);
    buf_fini(&told.seen);
    return 0;
}

static void on_ack(void *user, const struct err *e)
{
    (void)user;
    told.acks++;
    told.bad_acks += e != NULL;
}

static bool take(struct fixture *f)
{
    struct val payload = val_of_str(STR("x")), metadata = {.kind = VAL_MAP};
    struct given_event g = {STR("default"), STR("d"), &payload, &metadata};
    return service_event_take(f->s, &g, on_ack, NULL, &f->e);
}

static void the_queue_is_bounded_and_kept(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < LIMIT_EVENTS_QUEUED; i++)
        if (!take(f)) fail_msg("%d: %s", i, f->e.text);
    assert_int_equal(told.acks, 0); /* nothing is on the disk yet */
    assert_false(take(f));
    assert_int_equal(f->e.code, ERR_UNREACHABLE);
    assert_string_equal(f->e.text, "operation queue full");
    assert_true(exec_commit(f->s->exec, &f->e));
    assert_int_equal(told.acks, 0); /* no binding was asked yet */
    fixture_reopen(f);
    assert_int_equal(told.acks, LIMIT_EVENTS_QUEUED);
    assert_int_equal(told.bad_acks, 0); /* they are taken */
    assert_int_equal(f->s->events_waiting, LIMIT_EVENTS_QUEUED);
    assert_false(take(f)); /* those of the engine before count */
    loop_timer_arm_us(f->s->event_timer, 0);
    while (f->s->events_waiting) loop_turn(f->s->loop, true);
    assert_true(take(f));
}

static void what_cannot_be_kept_is_told(void **state)
{
    struct fixture *f = *state;
    assert_true(take(f));
    service_close(f->s);
    assert_int_equal(told.acks, 1);
    assert_int_equal(told.bad_acks, 1);
    fixture_open(f);
    struct val metadata = {.kind = VAL_MAP}, payload;
    char *big = arena_alloc_bytes(&f->a, LIMIT_EVENT_BYTES);
    memset(big, 'x', LIMIT_EVENT_BYTES);
    payload = val_of_str(str_n(big, LIMIT_EVENT_BYTES));
    struct given_event g = {STR("default"), STR("d"), &payload, &metadata};
    assert_false(service_event_take(f->s, &g, on_ack, NULL, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
}

static void what_cannot_be_looked_at_is_told(void **state)
{
    struct fixture *f = *state;
    struct object_row broken = {.kind = STR("WorkflowEventBinding"), .ns = STR("default"), .name = STR("b"), .uid = STR("u"), .doc = STR("{")};
    assert_true(exec_begin(f->s->exec, &f->e));
    assert_true(store_object_put(service_store(f->s), &broken, OBJECT_RV_NEW, &f->e));
    assert_true(take(f));
    assert_true(exec_commit(f->s->exec, &f->e));
    while (!told.acks) loop_turn(f->s->loop, true);
    assert_int_equal(told.bad_acks, 1);
    assert_int_equal(f->s->events_waiting, 1); /* it stays */
    assert_true(exec_begin(f->s->exec, &f->e));
    assert_true(store_object_delete(service_store(f->s), &broken, OBJECT_RV_ANY, 1, &f->e));
    assert_true(take(f));
    while (f->s->events_waiting) loop_turn(f->s->loop, true);
    assert_true(exec_commit(f->s->exec, &f->e));
    assert_int_equal(told.acks, 2);
    assert_int_equal(told.bad_acks, 1);
}

/* ---- watching ---- */

static bool on_event(void *user, const char *type, const struct val *object, struct str text)
{
    (void)user;
    assert_true(str_find(text, STR("metadata"), 0) > 0);
    if (told.refuse) return false;
    buf_printf(&told.seen, "%s %s|", type, val_text(val_path(object, "metadata.name")).p);
    return true;
}

static void on_end(void *user, const struct err *e)
{
    (void)user;
    if (!told.may_end || !e || e->code != ERR_GONE) fail_msg("%s", e ? e->text : "it ended");
    told.gone++;
}

static struct workflow_watch *watching(struct fixture *f, const char *labels, int64_t after_rv)
{
    struct workflow_watch_opts o = {.ns = STR("default"), .labels = str_of(labels), .after_rv = after_rv, .on_event = on_event, .on_end = on_end};
    struct workflow_watch *w = workflow_watch_new(f->s, &o, &f->e);
    if (!w) fail_msg("%s", f->e.text);
    return w;
}

static void submit(struct fixture *f, const char *name)
{
    fixture_submit(f, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec: {entrypoint: m, templates: [{name: m, suspend: {}}]}\n", name);
}

/* What comes until there is nothing more to do. */
static const char *seen(struct fixture *f)
{
    for (int i = 0; i < 20; i++) loop_turn(f->s->loop, false);
    while (f->s->feed_timer && loop_timer_armed(f->s->feed_timer)) loop_turn(f->s->loop, true);
    struct str s = buf_dup(&f->a, &told.seen);
    buf_reset(&told.seen);
    return s.p;
}

static void changes_wait_as_one(void **state)
{
    struct fixture *f = *state;
    submit(f, "a");
    struct workflow_watch *w = watching(f, NULL, 0);
    assert_string_equal(seen(f), "ADDED a|");
    told.refuse = true;
    submit(f, "b");
    assert_true(service_suspend(f->s, STR("default"), STR("a"), &f->e));
    assert_true(service_resume(f->s, STR("default"), STR("a"), STR_NONE, &f->e));
    assert_true(service_suspend(f->s, STR("default"), STR("b"), &f->e));
    assert_string_equal(seen(f), "");
    told.refuse = false;
    workflow_watch_pump(w);
    assert_string_equal(seen(f), "MODIFIED a|ADDED b|"); /* in the order of their last change */
    workflow_watch_free(w);
}

static void a_selector_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    submit(f, "a");
    struct workflow_watch *w = watching(f, "workflows.argoproj.io/phase=Running", 0);
    assert_string_equal(seen(f), "ADDED a|");
    assert_true(service_stop(f->s, STR("default"), STR("a"), SERVICE_TERMINATE, &f->e));
    assert_string_equal(seen(f), "DELETED a|");
    assert_true(service_delete(f->s, STR("default"), STR("a"), false, &f->e));
    assert_string_equal(seen(f), ""); /* it was gone already */
    workflow_watch_free(w);
}

static void a_watch_is_taken_up_again(void **state)
{
    struct fixture *f = *state;
    submit(f, "a");
    submit(f, "b");
    int64_t rv = store_version(service_store(f->s));
    submit(f, "c");
    assert_true(service_stop(f->s, STR("default"), STR("a"), SERVICE_TERMINATE, &f->e));
    struct workflow_watch *w = watching(f, NULL, rv);
    assert_string_equal(seen(f), "ADDED b|ADDED c|MODIFIED a|"); /* b: changes of that version come again */
    workflow_watch_free(w);
    struct workflow_watch_opts o = {.after_rv = store_version(service_store(f->s)) + 5, .on_event = on_event, .on_end = on_end};
    assert_null(workflow_watch_new(f->s, &o, &f->e));
    assert_int_equal(f->e.code, ERR_GONE);
    assert_true(store_set_limits(service_store(f->s), 0, 3, &f->e));
    for (int i = 0; i < 4; i++) submit(f, str_fmt(&f->a, "more-%d", i).p);
    o.after_rv = rv;
    assert_null(workflow_watch_new(f->s, &o, &f->e));
    assert_int_equal(f->e.code, ERR_GONE);
}

/* ---- changes, each once ---- */

struct watcher {
    struct service_watch *w;
    int64_t last;
    uint64_t sum;
    int lines, room, told, deleted, gone;
    int64_t newest; /* of all changes, when it was told that it has fallen behind */
};

static bool on_line(void *user, struct str json)
{
    struct watcher *x = user;
    struct arena a CLEANUP(arena_fini);
    struct val v;
    int64_t seq;
    arena_init(&a);
    if (x->room-- <= 0) return false;
    assert_true(json_parse(&a, json, NULL, &v, NULL));
    x->deleted += str_is(val_get_str(&v, "type"), "deleted") && str_is(val_text(val_path(&v, "status.message")), "deleted");
    x->lines++;
    if (!val_get(&v, STR("seq"))) return true; /* a state, not the last of them */
    assert_true(val_i64(val_get(&v, STR("seq")), &seq));
    if (seq <= x->last) fail_msg("%lld after %lld", (long long)seq, (long long)x->last);
    x->last = seq;
    x->sum = x->sum * 31 + (uint64_t)seq;
    return true;
}

static void on_ready(void *user) { ((struct watcher *)user)->told++; }

static void on_watch_end(void *user, int64_t last, const struct err *e)
{
    struct watcher *x = user;
    assert_int_equal(e->code, ERR_GONE);
    x->gone++;
    x->newest = last;
}

static void watch(struct fixture *f, struct watcher *x, const struct workflow_ref *ref, int64_t after, bool takes)
{
    struct watch_opts o = {.refs = ref, .n = ref != NULL, .after = after, .on_line = on_line, .on_ready = takes ? on_ready : NULL, .on_end = on_watch_end, .user = x};
    *x = (struct watcher){.room = 1 << 20};
    if (!(x->w = service_watch_new(f->s, &o, &f->e))) fail_msg("%s", f->e.text);
    service_watch_pump(x->w);
}

static void node_changes(struct fixture *f, int64_t run, struct str status)
{
    struct change_row c = {.run = run, .kind = STR("node"), .payload = status};
    assert_true(exec_begin(f->s->exec, &f->e) && store_change_add(service_store(f->s), &c, NULL, &f->e) && exec_commit(f->s->exec, &f->e));
}

/* Made once for all: whoever is given them, takes them, or comes to them from the log sees the same. */
static void changes_are_the_same_for_all(void **state)
{
    struct fixture *f = *state;
    struct workflow_ref b = {STR("default"), STR("b")};
    struct watcher given, takes, late, one;
    submit(f, "a");
    submit(f, "b");
    watch(f, &given, NULL, 0, false);
    watch(f, &takes, NULL, 0, true);
    watch(f, &one, &b, 0, true);
    int of_b = one.lines;
    node_changes(f, 1, STR("{}"));
    assert_int_equal(one.told, 0);
    node_changes(f, 2, STR("{}"));
    assert_int_equal(takes.told, 1); /* once, until it has taken all */
    assert_int_equal(one.told, 1);
    takes.room = 1;
    assert_true(service_watch_take(takes.w));
    node_changes(f, 2, STR("{}"));
    assert_int_equal(takes.told, 1);
    takes.room = 1 << 20;
    assert_true(service_watch_take(takes.w));
    assert_true(service_watch_take(one.w));
    watch(f, &late, NULL, 0, false);
    assert_int_equal(takes.lines, given.lines);
    assert_int_equal(takes.sum, given.sum);
    assert_int_equal(late.sum, given.sum);
    assert_true(one.lines > of_b && one.lines < given.lines);
    assert_true(service_stop(f->s, STR("default"), STR("b"), SERVICE_TERMINATE, &f->e) && service_delete(f->s, STR("default"), STR("b"), false, &f->e));
    assert_true(service_watch_take(one.w));
    assert_int_equal(one.deleted, 1);
    assert_int_equal(given.deleted, 1);
}

static void gone(struct fixture *f, const char *name)
{
    assert_true(service_stop(f->s, STR("default"), str_of(name), SERVICE_TERMINATE, &f->e) &&
                service_delete(f->s, STR("default"), str_of(name), false, &f->e));
}

/* Whoever watches all hears of it once, at its place: at once, from the log, and from a later engine. */
static void a_deletion_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct watcher given, late, later, after;
    submit(f, "a");
    submit(f, "b");
    watch(f, &given, NULL, 0, false);
    gone(f, "a");
    int64_t of_a = given.last;
    assert_int_equal(given.deleted, 1);
    submit(f, "a");
    gone(f, "b");
    assert_int_equal(given.deleted, 2);
    watch(f, &late, NULL, 0, false);
    assert_int_equal(late.deleted, 2);
    assert_int_equal(late.last, given.last);
    service_watch_free(given.w);
    service_watch_free(late.w);
    fixture_reopen(f);
    watch(f, &later, NULL, of_a - 1, false);
    watch(f, &after, NULL, of_a, false);
    assert_int_equal(later.deleted, 2);
    assert_int_equal(after.deleted, 1);
    assert_int_equal(after.last, given.last);
    struct watch_opts o = {.after = after.last + 1, .on_line = on_line};
    assert_null(service_watch_new(f->s, &o, &f->e)); /* from the future */
    assert_int_equal(f->e.code, ERR_GONE);
    assert_true(store_set_limits(service_store(f->s), 0, 3, &f->e));
    for (int i = 0; i < 4; i++) submit(f, str_fmt(&f->a, "more-%d", i).p);
    o.after = of_a;
    assert_null(service_watch_new(f->s, &o, &f->e)); /* no longer kept */
    assert_int_equal(f->e.code, ERR_GONE);
}

/* Who takes nothing for a while goes on from the change log. */
static void who_falls_behind_misses_nothing(void **state)
{
    enum { BIG = 100 << 10, MANY = 40 };
    struct fixture *f = *state;
    struct watcher given, takes;
    char *text = arena_alloc_bytes(&f->a, BIG);
    submit(f, "a");
    watch(f, &given, NULL, 0, false);
    watch(f, &takes, NULL, 0, true);
    memset(text, ' ', BIG);
    memcpy(text, "{}", 2);
    takes.room = 0;
    for (int i = 0; i < MANY; i++) node_changes(f, 1, str_n(text, BIG));
    assert_true(f->s->recent.changes.n < MANY);
    assert_false(service_watch_take(takes.w));
    takes.room = MANY / 2;
    service_watch_pump(takes.w);
    takes.room = 1 << 20;
    service_watch_pump(takes.w);
    assert_int_equal(takes.sum, given.sum);
    assert_int_equal(takes.lines, given.lines);
    node_changes(f, 1, STR("{}"));
    assert_true(service_watch_take(takes.w));
    assert_int_equal(takes.sum, given.sum);
    service_watch_free(given.w);
    service_watch_free(takes.w);
    assert_false(f->s->recent.on); /* nobody looks: nothing is kept */
}

/* More than is kept, of the log and of what all share. */
static void changes_many(struct fixture *f)
{
    enum { BIG = 100 << 10, MANY = 40 };
    char *text = arena_alloc_bytes(&f->a, BIG);
    memset(text, ' ', BIG);
    memcpy(text, "{}", 2);
    assert_true(store_set_limits(service_store(f->s), 0, 3, &f->e));
    for (int i = 0; i < MANY; i++) node_changes(f, 1, str_n(text, BIG));
}

/* By more than is kept: who watches all is told, once, and where to go on. */
static void who_falls_too_far_behind_is_told(void **state)
{
    struct fixture *f = *state;
    struct watcher given, takes, again;
    submit(f, "a");
    watch(f, &given, NULL, 0, false);
    watch(f, &takes, NULL, 0, true);
    given.room = takes.room = 0;
    node_changes(f, 1, STR("{}"));
    assert_true(service_watch_take(takes.w)); /* it takes nothing from here on */
    changes_many(f);
    assert_int_equal(given.gone + takes.gone, 0);
    int lines = given.lines;
    given.room = takes.room = 1 << 20;
    service_watch_pump(given.w);
    assert_false(service_watch_take(takes.w));
    service_watch_pump(takes.w);
    node_changes(f, 1, STR("{}"));
    assert_int_equal(given.gone, 1);
    assert_int_equal(takes.gone, 1);
    assert_int_equal(given.lines, lines);
    assert_int_equal(given.newest, store_change_last(service_store(f->s)) - 1);
    watch(f, &again, NULL, given.newest, false);
    assert_int_equal(again.lines, 1);
    service_watch_free(given.w);
    service_watch_free(takes.w);
    service_watch_free(again.w);
}

/* Who watches some gets their states again, and hears which are there no more. */
static void who_looks_at_some_gets_their_states_again(void **state)
{
    struct fixture *f = *state;
    struct workflow_ref refs[] = {{STR("default"), STR("b")}, {STR("default"), STR("a")}, {STR("default"), STR("b")}};
    struct watcher x = {.room = 1 << 20};
    struct watch_opts o = {.refs = refs, .n = ARRAY_LEN(refs), .on_line = on_line, .on_ready = on_ready, .user = &x};
    submit(f, "a");
    submit(f, "b");
    OK(f, x.w = service_watch_new(f->s, &o, &f->e));
    service_watch_pump(x.w);
    x.room = 0;
    gone(f, "b");
    assert_true(service_watch_take(x.w));
    changes_many(f);
    int lines = x.lines;
    x.room = 1 << 20;
    service_watch_pump(x.w);
    assert_int_equal(x.lines, lines + 3); /* a, its node, and that b was deleted */
    assert_int_equal(x.deleted, 1);
    assert_int_equal(x.last, store_change_last(service_store(f->s)));
    x.room = 0;
    node_changes(f, 1, STR("{}"));
    assert_true(service_watch_take(x.w));
    changes_many(f);
    x.room = 1 << 20;
    service_watch_pump(x.w);
    assert_int_equal(x.lines, lines + 5);
    assert_int_equal(x.deleted, 1); /* once */
    service_watch_free(x.w);
}

static bool on_happening(void *user, const struct val *event)
{
    (void)user;
    if (!told.refuse) buf_printf(&told.seen, "%s|", val_get_str(event, "reason").p);
    return !told.refuse;
}

/* Argo's streams, too. That of workflows notes what has changed however slow its client is: a great many changes in one turn are too much for it. */
static void argos_streams_tell_it_too(void **state)
{
    struct fixture *f = *state;
    struct happenings_opts o = {.on_event = on_happening, .on_end = on_end};
    struct happenings *h;
    submit(f, "a");
    OK(f, h = happenings_new(f->s, &o, &f->e));
    assert_true(strstr(seen(f), "WorkflowRunning|"));
    told.refuse = told.may_end = true;
    assert_true(service_stop(f->s, STR("default"), STR("a"), SERVICE_TERMINATE, &f->e));
    assert_string_equal(seen(f), "");
    changes_many(f);
    assert_string_equal(seen(f), "");
    told.refuse = false;
    happenings_pump(h);
    assert_string_equal(seen(f), "");
    assert_int_equal(told.gone, 1);
    node_changes(f, 1, STR("{}"));
    assert_string_equal(seen(f), "");
    assert_int_equal(told.gone, 1);
    happenings_free(h);
    struct workflow_watch *w = watching(f, NULL, 0);
    assert_string_equal(seen(f), "ADDED a|");
    changes_many(f);
    assert_string_equal(seen(f), "");
    assert_int_equal(told.gone, 2);
    workflow_watch_free(w);
}

/* Changes that nobody is told of have no text, and go like the others. */
static void what_has_no_text_is_not_kept_for_ever(void **state)
{
    enum { MANY = 40000 };
    struct fixture *f = *state;
    struct watcher given;
    struct change_row c = {.kind = STR("binding"), .payload = STR("{}")};
    submit(f, "a");
    watch(f, &given, NULL, 0, false);
    assert_true(exec_begin(f->s->exec, &f->e));
    for (int i = 0; i < MANY; i++) assert_true(store_change_add(service_store(f->s), &c, NULL, &f->e));
    assert_true(exec_commit(f->s->exec, &f->e));
    assert_true(f->s->recent.changes.n < MANY / 2);
    int lines = given.lines;
    node_changes(f, 1, STR("{}"));
    assert_int_equal(given.lines, lines + 1);
    service_watch_free(given.w);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_queue_is_bounded_and_kept), TEST(what_cannot_be_kept_is_told), TEST(what_cannot_be_looked_at_is_told), TEST(changes_wait_as_one),
        TEST(a_selector_comes_and_goes), TEST(a_watch_is_taken_up_again), TEST(changes_are_the_same_for_all), TEST(a_deletion_is_told_once),
        TEST(who_falls_behind_misses_nothing), TEST(what_has_no_text_is_not_kept_for_ever),
        TEST(who_falls_too_far_behind_is_told), TEST(who_looks_at_some_gets_their_states_again), TEST(argos_streams_tell_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
