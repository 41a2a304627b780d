/* engine: several runs that share locks: who waits, who is told, what a stop and a restart do. What one
 * run does alone is judged by test/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/yaml.h"
#include "engine/engine.h"

enum { T0 = 1000000, RUNS = 5, NODES = 64 };

struct one {
    struct run *run;
    struct run_opts opts;
    struct outbox out;
    /* what was committed of it */
    struct saved_node rows[NODES];
    size_t n_rows;
    struct str status, priv;
};

struct fixture {
    struct arena a;
    struct locks *locks;
    struct one runs[RUNS];
    size_t n;
    int64_t limit; /* of every semaphore */
    int64_t now;
};

static int64_t limit_fn(void *ctx, const struct lock_name *n)
{
    (void)n;
    return ((struct fixture *)ctx)->limit;
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.limit = 1, .now = T0};
    arena_init(&f->a);
    f->locks = locks_new(limit_fn, f);
}

static void end(struct fixture *f)
{
    for (size_t i = 0; i < f->n; i++) run_free(f->runs[i].run);
    locks_free(f->locks);
    arena_fini(&f->a);
}

static void commit(struct fixture *f, struct one *o)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < o->out.n_dirty; i++) {
        struct node *n = o->out.dirty[i];
        struct saved_node *row = &o->rows[node_index(n)];
        buf_reset(&b);
        node_write_status(&b, o->run, n);
        row->status = buf_dup(&f->a, &b);
        buf_reset(&b);
        node_write_private(&b, o->run, n);
        row->priv = buf_dup(&f->a, &b);
    }
    o->n_rows = run_node_count(o->run);
    buf_reset(&b);
    run_write_status(&b, o->run);
    o->status = buf_dup(&f->a, &b);
    buf_reset(&b);
    run_write_private(&b, o->run);
    o->priv = buf_dup(&f->a, &b);
}

/* Whoever may go on goes on, as the engine at work does it. */
static void pump(struct fixture *f)
{
    struct one *o;
    while ((o = locks_next(f->locks))) {
        run_continue(o->run, f->now, &o->out);
        commit(f, o);
    }
}

static struct one *add(struct fixture *f, const char *meta, const char *spec)
{
    struct one *o = &f->runs[f->n++];
    struct err e = {0};
    struct val *wf = ARENA_NEW(&f->a, struct val);
    struct str text = str_fmt(&f->a, "metadata: {name: w%zu, namespace: default, uid: u%s}\nspec:\n%s", f->n, meta, spec);
    if (!yaml_parse(&f->a, text, NULL, wf, &e)) fail_msg("%s", e.text);
    o->opts = (struct run_opts){.workflow = wf, .seed = 1, .locks = f->locks, .lookup_ctx = o, .number = f->n};
    o->run = run_new(&o->opts, &e);
    if (!o->run) fail_msg("%s", e.text);
    run_start(o->run, f->now, &o->out);
    commit(f, o);
    pump(f);
    return o;
}

static void restart(struct fixture *f)
{
    struct err e;
    for (size_t i = 0; i < f->n; i++) run_free(f->runs[i].run);
    locks_free(f->locks);
    f->locks = locks_new(limit_fn, f);
    for (size_t i = f->n; i-- > 0;) { /* in any order */
        struct one *o = &f->runs[i];
        o->opts.locks = f->locks;
        o->run = run_load(&o->opts, o->status, o->priv, o->rows, o->n_rows, &e);
        if (!o->run) fail_msg("%s", e.text);
    }
    for (size_t i = 0; i < f->n; i++) {
        run_continue(f->runs[i].run, f->now, &f->runs[i].out);
        assert_int_equal(f->runs[i].out.n_dirty, 0);
        assert_int_equal(f->runs[i].out.n_actions, 0);
    }
    pump(f);
}

static void done(struct fixture *f, struct one *o, const char *name, enum node_phase p)
{
    struct step_outcome how = {.phase = p, .exit_code = p == NODE_SUCCEEDED ? 0 : 1};
    for (size_t i = 0; i < run_node_count(o->run); i++)
        if (str_is(node_name(run_node_at(o->run, i)), name)) {
            run_step_done(o->run, run_node_at(o->run, i), &how, f->now, &o->out);
            commit(f, o);
            pump(f);
            return;
        }
    fail_msg("no node %s", name);
}

static void stop(struct fixture *f, struct one *o, enum stop_strategy how)
{
    run_stop(o->run, how, f->now, &o->out);
    commit(f, o);
    pump(f);
}

static void is_phase(const struct one *o, enum node_phase want)
{
    enum node_phase p;
    assert_true(run_phase(o->run, &p));
    assert_string_equal(phase_text(p), phase_text(want));
}

static struct str status_part(struct fixture *f, const struct one *o, const char *path)
{
    struct val v;
    assert_true(json_parse(&f->a, o->status, NULL, &v, NULL));
    struct str s = val_text(val_path(&v, path));
    return s.p ? s : STR("");
}

#define OWN "  entrypoint: main\n  synchronization: {mutexes: [{name: m}]}\n"
#define MAIN "  templates:\n  - {name: main, container: {image: x}}\n"
#define STEP "  entrypoint: main\n  templates:\n" \
             "  - {name: main, synchronization: {mutexes: [{name: m}]}, container: {image: x}}\n"

static void a_workflow_waits_for_its_own_lock(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", OWN MAIN), *b = add(&f, "", OWN "  activeDeadlineSeconds: 10\n" MAIN);
    is_phase(a, NODE_RUNNING);
    is_phase(b, NODE_PENDING);
    assert_true(run_is_waiting(b->run));
    assert_int_equal(run_node_count(b->run), 0);
    assert_int_equal(run_next_timer_us(b->run), 0); /* the deadline counts from the begin */
    assert_string_equal(run_message(b->run).p, "Waiting for default/Mutex/m lock. Lock status: 0/1");
    assert_string_equal(status_part(&f, b, "synchronization.mutex.waiting.0.holder").p, "default/w1");
    assert_string_equal(status_part(&f, a, "synchronization.mutex.holding.0.mutex").p, "default/Mutex/m");
    f.now += 5000000;
    done(&f, a, "w1", NODE_FAILED);
    is_phase(a, NODE_FAILED);
    is_phase(b, NODE_RUNNING);
    assert_int_equal(run_next_timer_us(b->run), f.now + 10000000);
    assert_false(run_message(b->run).n);
    assert_string_equal(status_part(&f, a, "synchronization.mutex.holding.0.mutex").p, "");
    end(&f);
}

static void queues_go_by_priority_then_age(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", OWN MAIN);
    struct one *late = add(&f, ", creationTimestamp: '2026-01-01T00:00:02Z'", OWN MAIN);
    struct one *early = add(&f, ", creationTimestamp: '2026-01-01T00:00:01Z'", OWN MAIN);
    struct one *high = add(&f, ", creationTimestamp: '2026-01-01T00:00:09Z'", OWN "  priority: 3\n" MAIN);
    restart(&f);
    done(&f, a, "w1", NODE_SUCCEEDED);
    is_phase(high, NODE_RUNNING);
    is_phase(early, NODE_PENDING);
    restart(&f);
    done(&f, high, "w4", NODE_SUCCEEDED);
    is_phase(early, NODE_RUNNING);
    is_phase(late, NODE_PENDING);
    done(&f, early, "w3", NODE_SUCCEEDED);
    is_phase(late, NODE_RUNNING);
    end(&f);
}

static void steps_of_several_runs_take_turns(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", STEP), *b = add(&f, "", STEP), *c = add(&f, "", STEP);
    assert_int_equal(a->out.n_actions, 1);
    assert_int_equal(b->out.n_actions, 0);
    assert_true(node_is_waiting(run_node_at(b->run, 0)));
    restart(&f);
    done(&f, a, "w1", NODE_SUCCEEDED);
    assert_false(node_is_waiting(run_node_at(b->run, 0)));
    assert_int_equal(b->out.n_actions, 1);
    assert_int_equal(b->out.actions[0].kind, ACTION_START);
    assert_true(node_is_waiting(run_node_at(c->run, 0)));
    stop(&f, b, STOP_STOP); /* it holds the lock until its step has ended */
    assert_true(node_is_waiting(run_node_at(c->run, 0)));
    done(&f, b, "w2", NODE_SUCCEEDED);
    assert_int_equal(c->out.n_actions, 1);
    end(&f);
}

static void what_waits_is_stopped_at_once(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", STEP), *b = add(&f, "", STEP), *c = add(&f, "", STEP);
    stop(&f, b, STOP_STOP);
    is_phase(b, NODE_FAILED);
    assert_string_equal(run_message(b->run).p, "Stopped with strategy 'Stop'");
    assert_string_equal(node_message(run_node_at(b->run, 0)).p, "workflow shutdown with strategy: Stop");
    stop(&f, a, STOP_TERMINATE);
    done(&f, a, "w1", NODE_SUCCEEDED);
    assert_int_equal(c->out.n_actions, 1);
    end(&f);
}

static void a_workflow_that_waits_is_stopped(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", OWN MAIN), *b = add(&f, "", OWN MAIN), *c = add(&f, "", OWN MAIN);
    struct one *d = add(&f, "", OWN "  onExit: main\n" MAIN);
    stop(&f, b, STOP_TERMINATE); /* operator.go releaseLocksForPendingShuttingdownWfs */
    is_phase(b, NODE_SUCCEEDED);
    assert_int_equal(run_node_count(b->run), 0);
    stop(&f, c, STOP_STOP);
    is_phase(c, NODE_FAILED);
    stop(&f, d, STOP_STOP); /* its exit handler needs the lock */
    is_phase(d, NODE_PENDING);
    restart(&f);
    done(&f, a, "w1", NODE_SUCCEEDED);
    is_phase(d, NODE_RUNNING);
    done(&f, d, "w4.onExit", NODE_SUCCEEDED);
    is_phase(d, NODE_FAILED);
    end(&f);
}

static void a_lock_that_cannot_be_had_fails_the_workflow(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.limit = 0;
    struct one *a = add(&f, "", "  entrypoint: main\n  synchronization: {semaphores: [{database: {key: none}}]}\n" MAIN);
    is_phase(a, NODE_FAILED);
    assert_string_equal(run_message(a->run).p, "Failed to acquire the synchronization lock. failed to initialize "
                                               "semaphore default/Database/none with limit");
    assert_int_equal(a->out.actions[0].kind, ACTION_DONE);
    end(&f);
}

static void a_limit_that_grows_lets_others_go(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = add(&f, "", "  entrypoint: main\n  synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}\n" MAIN);
    is_phase(all[1], NODE_PENDING);
    f.limit = 2;
    locks_refresh(f.locks);
    pump(&f);
    is_phase(all[1], NODE_RUNNING);
    is_phase(all[2], NODE_PENDING);
    f.limit = 1; /* nobody loses it */
    locks_refresh(f.locks);
    pump(&f);
    restart(&f);
    is_phase(all[1], NODE_RUNNING);
    done(&f, all[0], "w1", NODE_SUCCEEDED);
    is_phase(all[2], NODE_PENDING);
    done(&f, all[1], "w2", NODE_SUCCEEDED);
    is_phase(all[2], NODE_RUNNING);
    end(&f);
}

/* A suspended workflow keeps its place, as in Argo. */
static void a_suspended_run_takes_no_lock_for_steps(void **state)
{
    struct fixture f;
    struct err e;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", "  suspend: true\n" OWN MAIN);
    is_phase(a, NODE_RUNNING); /* it holds its own lock */
    struct one *b = add(&f, "", OWN MAIN);
    is_phase(b, NODE_PENDING);
    assert_true(run_resume(a->run, f.now, &a->out, &e));
    commit(&f, a);
    pump(&f);
    done(&f, a, "w1", NODE_SUCCEEDED);
    is_phase(b, NODE_RUNNING);
    end(&f);
}

static void a_node_below_a_failed_template_leaves_the_queue(void **state)
{
    static const char spec[] =
        "  entrypoint: main\n  templates:\n"
        "  - {name: main, failFast: true, steps: [[{name: bad, template: free}, {name: w, template: locked}]]}\n"
        "  - {name: free, container: {image: x}}\n"
        "  - {name: locked, synchronization: {mutexes: [{name: m}]}, container: {image: x}}\n";
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", STEP), *b = add(&f, "", spec), *c = add(&f, "", STEP);
    done(&f, b, "w2[0].bad", NODE_FAILED);
    is_phase(b, NODE_FAILED);
    done(&f, a, "w1", NODE_SUCCEEDED);
    assert_int_equal(c->out.n_actions, 1);
    assert_string_equal(status_part(&f, b, "synchronization.mutex.waiting.0.mutex").p, "");
    end(&f);
}

static void the_status_says_who_waits_for_what(void **state)
{
    struct fixture f;
    struct val v;
    (void)state;
    begin(&f);
    add(&f, "", STEP);
    struct one *b = add(&f, "", STEP);
    assert_true(json_parse(&f.a, b->rows[0].status, NULL, &v, NULL));
    assert_string_equal(val_text(val_path(&v, "synchronizationStatus.waiting")).p, "default/Mutex/m");
    assert_string_equal(val_get_str(&v, "message").p, "Waiting for default/Mutex/m lock. Lock status: 0/1");
    assert_string_equal(val_get_str(&v, "phase").p, "Pending");
    restart(&f);
    assert_string_equal(status_part(&f, b, "synchronization.mutex.waiting.0.holder").p, "default/w1/w1");
    end(&f);
}

static void messages_follow_the_limit(void **state)
{
    static const char spec[] = "  entrypoint: main\n  templates:\n  - {name: main, steps: [[{name: a, template: s, withItems: [1, 2, 3]}]]}\n"
                               "  - {name: s, synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}, container: {image: x}}\n";
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", spec);
    struct one *b = add(&f, "", "  entrypoint: main\n  synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}\n" MAIN);
    assert_string_equal(node_message(run_node_at(a->run, 4)).p, "Waiting for default/ConfigMap/c/k lock. Lock status: 0/1");
    f.limit = 2;
    locks_refresh(f.locks);
    pump(&f);
    assert_string_equal(node_message(run_node_at(a->run, 4)).p, "Waiting for default/ConfigMap/c/k lock. Lock status: 0/2");
    assert_true(str_ends(run_message(b->run), STR("/2"))); /* as it was when b was told, before or after a went on */
    f.limit = 0;
    locks_refresh(f.locks);
    pump(&f);
    assert_string_equal(status_part(&f, b, "message").p, "Failed to get semaphore limit for default/ConfigMap/c/k");
    restart(&f);
    end(&f);
}

/* ---- any order of events ---- */

static uint64_t draw(uint64_t *state, uint64_t below)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

static const char *const shapes[] = {
    OWN MAIN,
    STEP,
    "  entrypoint: main\n  templates:\n"
    "  - {name: main, steps: [[{name: a, template: s, withItems: [1, 2, 3]}, {name: b, template: m}], [{name: c, template: both}]]}\n"
    "  - {name: s, synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}, container: {image: x}}\n"
    "  - {name: m, synchronization: {mutexes: [{name: m}]}, retryStrategy: {limit: 1}, container: {image: x}}\n"
    "  - {name: both, synchronization: {mutexes: [{name: m}, {name: n}], semaphores: [{configMapKeyRef: {name: c, key: k}}]}, "
    "container: {image: x}}\n",
    /* its own lock is nobody else's: who held one that another waits for, and asked for more, could wait for ever, in Argo too */
    "  entrypoint: main\n  synchronization: {mutexes: [{name: o}]}\n  templates:\n"
    "  - {name: main, dag: {tasks: [{name: a, template: s}, {name: b, template: m}, {name: c, template: s, depends: a || b}]}}\n"
    "  - {name: s, synchronization: {semaphores: [{configMapKeyRef: {name: c, key: k}}]}, container: {image: x}}\n"
    "  - {name: m, synchronization: {mutexes: [{name: m}]}, container: {image: x}}\n",
};

/* A step at work, by chance; NULL: none. */
static struct node *at_work(struct fixture *f, uint64_t *random, struct one **whose)
{
    struct node *found = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; !run_is_done(f->runs[i].run) && k < run_node_count(f->runs[i].run); k++) {
            struct node *node = run_node_at(f->runs[i].run, k);
            if (node_type(node) != NTYPE_POD || phase_fulfilled(node_phase(node)) || node_is_waiting(node)) continue;
            if (draw(random, ++n)) continue;
            found = node;
            *whose = &f->runs[i];
        }
    return found;
}

/* No lock has more holders than it may; `most` is the largest limit that the semaphore ever had. */
static void check_holders(struct fixture *f, int64_t most)
{
    int64_t mutex = 0, sem = 0;
    for (size_t i = 0; i < f->n; i++) {
        struct str json = f->runs[i].status;
        struct val v;
        assert_true(json_parse(&f->a, json, NULL, &v, NULL));
        const struct val *m = val_path(&v, "synchronization.mutex.holding"), *s = val_path(&v, "synchronization.semaphore.holding.0.holders");
        for (uint32_t k = 0; m && k < m->n; k++) mutex += str_is(val_get_str(&m->items[k], "mutex"), "default/Mutex/m");
        if (s) sem += s->n;
    }
    if (mutex > 1) fail_msg("%lld hold the mutex", (long long)mutex);
    if (sem > most) fail_msg("%lld hold the semaphore of %lld", (long long)sem, (long long)most);
}

static void random_runs(uint64_t seed)
{
    struct fixture f;
    uint64_t random = seed;
    int64_t most = 1;
    struct node *n;
    struct one *o = NULL;
    begin(&f);
    for (int i = 0; i < RUNS; i++) {
        struct str meta = str_fmt(&f.a, ", creationTimestamp: '2026-01-01T00:00:0%dZ'", (int)draw(&random, 3));
        add(&f, meta.p, shapes[draw(&random, ARRAY_LEN(shapes))]);
    }
    while ((n = at_work(&f, &random, &o))) {
        struct step_outcome how = {.phase = draw(&random, 6) ? NODE_SUCCEEDED : NODE_FAILED};
        run_step_done(o->run, n, &how, ++f.now, &o->out);
        commit(&f, o);
        pump(&f);
        check_holders(&f, most);
        if (!draw(&random, 4)) restart(&f);
        if (!draw(&random, 12)) stop(&f, &f.runs[draw(&random, RUNS)], draw(&random, 2) ? STOP_STOP : STOP_TERMINATE);
        if (draw(&random, 6)) continue;
        f.limit = 1 + (int64_t)draw(&random, 3);
        most = most > f.limit ? most : f.limit;
        locks_refresh(f.locks);
        pump(&f);
    }
    for (int i = 0; i < RUNS; i++)
        if (!run_is_done(f.runs[i].run)) fail_msg("seed %llu: run %d waits for ever", (unsigned long long)seed, i + 1);
    end(&f);
}

static void a_hook_of_the_workflow_runs_while_the_entry_dag_waits(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    struct one *a = add(&f, "", STEP), *b = add(&f, "", "  entrypoint: main\n"
        "  hooks: {p: {template: leaf, expression: 'workflow.status == \"Pending\"'}}\n"
        "  templates:\n"
        "  - {name: main, synchronization: {mutexes: [{name: m}]}, dag: {tasks: [{name: x, template: leaf}]}}\n"
        "  - {name: leaf, container: {image: x}}\n");
    is_phase(b, NODE_RUNNING);
    assert_int_equal(run_node_count(b->run), 2); /* the dag, Pending, and the hook */
    restart(&f);
    done(&f, a, "w1", NODE_SUCCEEDED);
    done(&f, b, "w2.x", NODE_SUCCEEDED);
    is_phase(b, NODE_RUNNING);
    restart(&f);
    done(&f, b, "w2.hooks.p", NODE_SUCCEEDED);
    is_phase(b, NODE_SUCCEEDED);
    end(&f);
}

static void a_time_out_of_the_entry_outlives_a_restart(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add(&f, "", STEP);
    struct one *b = add(&f, "", "  entrypoint: main\n  onExit: bye\n  templates:\n"
        "  - {name: main, timeout: 5s, synchronization: {mutexes: [{name: m}]}, container: {image: x}}\n"
        "  - {name: bye, container: {image: x}}\n");
    f.now += 5000000;
    run_tick(b->run, f.now, &b->out);
    assert_true(b->out.run_dirty);
    commit(&f, b);
    restart(&f);
    done(&f, b, "w2.onExit", NODE_SUCCEEDED);
    is_phase(b, NODE_ERROR);
    assert_string_equal(run_message(b->run).p, "error in entry template execution: timeout");
    end(&f);
}

static void all_runs_end_in_any_order_of_events(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) random_runs(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_workflow_waits_for_its_own_lock),
        cmocka_unit_test(queues_go_by_priority_then_age),
        cmocka_unit_test(steps_of_several_runs_take_turns),
        cmocka_unit_test(what_waits_is_stopped_at_once),
        cmocka_unit_test(a_workflow_that_waits_is_stopped),
        cmocka_unit_test(a_lock_that_cannot_be_had_fails_the_workflow),
        cmocka_unit_test(a_limit_that_grows_lets_others_go),
        cmocka_unit_test(a_suspended_run_takes_no_lock_for_steps),
        cmocka_unit_test(a_node_below_a_failed_template_leaves_the_queue),
        cmocka_unit_test(the_status_says_who_waits_for_what),
        cmocka_unit_test(messages_follow_the_limit),
        cmocka_unit_test(a_hook_of_the_workflow_runs_while_the_entry_dag_waits),
        cmocka_unit_test(a_time_out_of_the_entry_outlives_a_restart),
        cmocka_unit_test(all_runs_end_in_any_order_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
