/* Opening and closing, and the transaction of a loop turn. */
#include <linux/capability.h>
#include <unistd.h>

#include "base/limits.h"
#include "doc/yaml.h"
#include "lang/duration.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/sched.h"
#include "exec/op_p.h"
#include "helper/helper.h"

struct store *exec_store(struct exec *x)
{
    x->looked = x->looked || x->dirty;
    return x->store;
}

struct str exec_notice(const struct exec *x) { return x->notice; }
size_t exec_active_runs(const struct exec *x) { return x->lives.n; }

struct str exec_step_log_path(struct arena *a, struct str state_dir, int64_t step_id)
{
    struct str dir = step_dir_path(a, state_dir, (uint64_t)step_id);
    return str_fmt(a, "%.*s/main.log", STR_ARG(dir));
}

/* The store cannot be trusted to take more: stop deciding, tell the owner once. */
void exec_fail(struct exec *x, const struct err *e)
{
    if (x->failed) return;
    x->failed = true;
    x->o.on_fail(x->o.user, e);
}

bool exec_begin(struct exec *x, struct err *e)
{
    if (x->failed) return err_set(e, ERR_IO, "the state directory failed earlier");
    if (x->dirty) return true;
    if (!store_begin(x->store, e)) return err_ctx(e, "state");
    x->dirty = true;
    x->dirty_since_us = clock_mono_us();
    return true;
}

/* What a durable row refers to is on the disk before it. */
static bool commit_rows(struct exec *x, enum store_durability how, struct err *e)
{
    if (!actives_flush(x, e) || (how == STORE_DURABLE && x->saved && !artifact_sync(x->repo, e))) {
        store_rollback(x->store);
        return false;
    }
    if (how == STORE_DURABLE) x->saved = false;
    return store_commit(x->store, how, e);
}

static bool commit(struct exec *x, enum store_durability how, struct err *e)
{
    if (!x->dirty) return true;
    bool whole = exec_begin(x, e) && timetable_turn(x, e); /* a failure before may have left half of something */
    if (x->promise) how = STORE_DURABLE;
    x->dirty = x->promise = x->looked = false;
    int64_t from_us = clock_mono_us();
    if (!whole) store_rollback(x->store);
    if (!whole || !commit_rows(x, how, e)) {
        err_ctx(e, "state");
        exec_fail(x, e);
        return false;
    }
    measure_commit(x, how == STORE_DURABLE, from_us);
    trace_committed(x);
    ops_committed(x);
    jobs_committed(x);
    retired_remove(x);
    if (!x->closing && !x->lone) jobs_dispatch(x); /* steps begin while their commit is still being looked at */
    loop_timer_arm_us(x->timer, 0);    /* a turn is to follow, whatever else the loop has to wait for */
    if (!x->dirty) x->o.on_commit(x->o.user);
    return true;
}

bool exec_commit(struct exec *x, struct err *e) { return commit(x, STORE_DURABLE, e); }

/* A commit lets steps begin, of which one may end at once and be in the next transaction: so none begins until this one is open. */
bool exec_begin_alone(struct exec *x, struct err *e)
{
    bool ok = true, outer = x->lone;
    x->lone = true;
    while (ok && x->dirty) ok = commit(x, x->full ? STORE_DURABLE : STORE_FAST, e);
    x->lone = outer;
    return ok && exec_begin(x, e);
}

bool exec_settle(struct exec *x)
{
    struct err e;
    if (x->failed || !x->dirty || actives_flush(x, &e)) return !x->failed;
    exec_fail(x, &e);
    return false;
}

bool exec_promise(struct exec *x, struct err *e)
{
    if (!exec_begin(x, e)) return false;
    return x->promise = true;
}

void exec_rollback(struct exec *x)
{
    if (x->dirty) store_rollback(x->store);
    x->dirty = x->promise = x->looked = false;
    jobs_dropped(x);
    ops_dropped(x);
    retired_keep(x);
    actives_drop(x);
    trace_dropped(x);
    struct err e;
    if (!metrics_reload(x, &e)) exec_fail(x, &e);
}

static void timer_arm(struct exec *x)
{
    int64_t after_us = x->next_timer_us ? MAX(x->next_timer_us - clock_now_us(), 0) : INT64_MAX;
    if (x->due_us) after_us = MIN(after_us, MAX(x->due_us - clock_now_us(), 0));
    if (x->dirty) after_us = MIN(after_us, MAX(x->dirty_since_us + WAIT_US - clock_mono_us(), 0));
    if (after_us < INT64_MAX) loop_timer_arm_us(x->timer, after_us);
    else loop_timer_disarm(x->timer);
}

/* Ends of steps may share a transaction as long as nothing waits for it: every slot is busy, what
 * is to be started next is committed, and nobody was given anything of it to show. A crash loses nothing: the supervisors have written the results. */
static bool commit_waits(const struct exec *x)
{
    return x->queue.first && !x->full && !x->promise && !x->looked && !x->kills.n && !x->over.n && !x->begun.n &&
           clock_mono_us() - x->dirty_since_us < WAIT_US;
}

/* At the end of each turn: commit, then act; acting may decide anew, which is the next turn's. Steps
 * whose start is committed take the slots that are free before that, unless some are to be ended. */
static void turn_end(void *user)
{
    struct exec *x = user;
    struct err e;
    if (!x->failed && (!timetable_turn(x, &e) || !locks_pump(x, &e))) exec_fail(x, &e);
    if (x->dirty && !x->kills.n && !x->over.n) jobs_dispatch(x);
    if (x->dirty && !commit_waits(x)) commit(x, x->full ? STORE_DURABLE : STORE_FAST, &e);
    else jobs_dispatch(x);
    ops_run(x);
    requests_run(x);
    /* a run that was deleted must not get another event before that is committed */
    bool more = x->dirty && x->over.n && commit(x, x->full ? STORE_DURABLE : STORE_FAST, &e);
    timer_arm(x);
    if (!x->dirty) rubbish_remove(x);
    if (more || (x->dirty && !commit_waits(x))) loop_again(x->o.loop);
}

static void on_timer(void *user)
{
    struct exec *x = user;
    int64_t now = clock_now_us();
    struct err e;
    x->next_timer_us = 0;
    for (size_t i = 0; i < x->lives.n && !x->failed; i++) {
        struct active *l = x->lives.items[i];
        if (l->over) continue;
        for (int64_t at = run_next_timer_us(l->run); at && at <= now; at = run_next_timer_us(l->run)) {
            struct outbox out;
            run_tick(l->run, now, &out);
            if (!exec_begin(x, &e) || !active_event(l, &out, &e)) {
                exec_fail(x, &e);
                return;
            }
        }
        timer_note(l);
    }
    if (x->due_us && x->due_us <= now && !x->failed && !retire_due(x, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

/* After each event of a run: the machine's next timer is not later than the run's. */
void timer_note(struct active *l)
{
    struct exec *x = l->x;
    int64_t at = l->over ? 0 : run_next_timer_us(l->run);
    if (at && (!x->next_timer_us || at < x->next_timer_us)) x->next_timer_us = at;
}

static void on_job_timer(void *user)
{
    struct exec *x = user;
    jobs_seek(x);
    loop_again(x->o.loop);
}

/* ---- opening ---- */

/* Trying what the host allows costs several forks, so it is done only where the answer is open. */
static bool can_sandbox(void)
{
    struct host_caps caps;
    if (proc_has_capability(CAP_SYS_ADMIN)) return true; /* in a container root often is root by name only */
    host_caps_probe(&caps);
    return host_caps_sandbox(&caps);
}

static bool choose_tier(struct exec *x, struct err *e)
{
    struct str want = config_str(x->o.config, CONFIG_RUNTIME);
    x->plain = str_is(want, "none");
    if (x->plain) {
        x->tier = STEP_TIER_NONE;
        x->notice = STR("steps run as plain processes of this host, without a sandbox (--runtime=none)");
        return true;
    }
    if (str_is(want, "container")) {
        x->tier = STEP_TIER_OVERLAY; /* what templates may ask for is what a sandbox has */
        return containers_open(x, e);
    }
    if (!can_sandbox())
        return err_set(e, ERR_UNSUPPORTED, "this host allows no sandbox to this user: see `skiff doctor`, or "
                       "accept plain processes with --runtime=none");
    x->one_user = geteuid() != 0 || !proc_has_capability(CAP_SYS_ADMIN);
    x->tier = str_is(want, "ro") ? STEP_TIER_RO : STEP_TIER_OVERLAY;
    return true;
}

static bool load_images(struct exec *x, struct err *e)
{
    struct str file = config_str(x->o.config, CONFIG_IMAGES), text;
    struct val doc;
    x->images = image_map_new(&x->arena, NULL);
    if (!file.n) return true;
    const char *path = str_z(&x->arena, file);
    if (!file_read(&x->arena, path, LIMIT_DOC_BYTES, &text, e)) return err_ctx(e, "images file '%s'", path);
    if (!yaml_parse(&x->arena, text, NULL, &doc, e)) return err_ctx(e, "images file '%s'", path);
    return image_map_add(x->images, &doc, path, e);
}

/* A machine may be without. */
static bool load_names(struct exec *x)
{
    struct err absent;
    if (!file_read(&x->arena, "/etc/hosts", LIMIT_DOC_BYTES, &x->hosts, &absent)) x->hosts = STR("");
    if (!file_read(&x->arena, "/etc/resolv.conf", LIMIT_DOC_BYTES, &x->resolv, &absent)) x->resolv = STR("");
    return true;
}

enum { STARTS_BURST_MAX = 10000, ARCHIVE_DAYS_MAX = 36500 };

static bool pace_open(struct exec *x, struct err *e)
{
    struct str rate = config_str(x->o.config, CONFIG_STARTS);
    int64_t milli = 0, burst = config_int(x->o.config, CONFIG_STARTS_BURST);
    if (rate.n && (!pod_quantity(POD_CPU, rate, &milli) || milli <= 0))
        return err_set(e, ERR_USAGE, "starts_per_second is a number such as 10 or 0.5, not '%.*s'", STR_ARG(rate));
    if (burst < 1 || burst > STARTS_BURST_MAX) return err_set(e, ERR_USAGE, "starts_burst is from 1 to %d", STARTS_BURST_MAX);
    pace_init(&x->pace, milli, burst);
    return true;
}

/* As Argo's archiveTTL: 30d, 12h, 45m. */
static bool archive_open(struct exec *x, struct err *e)
{
    struct str text = config_str(x->o.config, CONFIG_ARCHIVE_TTL), days = str_sub(text, 0, text.n ? text.n - 1 : 0);
    int64_t n = 0;
    if (!text.n) return true;
    bool in_days = text.p[text.n - 1] == 'd', ok = in_days ? str_to_i64(days, &n) && n > 0 && n <= ARCHIVE_DAYS_MAX : duration_parse(text, &n, NULL);
    if (ok) x->archive_ttl_us = in_days ? n * 24 * 3600 * 1000000 : n / 1000;
    return x->archive_ttl_us > 0 || err_set(e, ERR_USAGE, "archive_ttl is a time such as 30d or 12h, not '%.*s'", STR_ARG(text));
}

static bool open_parts(struct exec *x, struct err *e)
{
    struct str dir = x->o.state_dir;
    x->timer = loop_timer_new(x->o.loop, on_timer, x);
    x->job_timer = loop_timer_new(x->o.loop, on_job_timer, x);
    x->commit_hook = loop_hook_new(x->o.loop, LOOP_HOOK_COMMIT, turn_end, x);
    if (!budget_open(x, e) || !pace_open(x, e) || !archive_open(x, e) || !groups_sweep(x, e) || !trace_open(x, e)) return false;
    if (!(x->store = store_open(dir, STORE_WRITE, e)) || !(x->past = past_open(dir, e)))
        return err_ctx(e, "state directory '%.*s'", STR_ARG(dir));
    const char *repo = str_fmt(&x->arena, "%.*s/artifacts", STR_ARG(dir)).p;
    x->tools = str_fmt(&x->arena, "%.*s/shims", STR_ARG(dir));
    if (!dir_make_all(x->tools.p, 0755, e)) return false;
    /* on a busy machine the hand-over from step to step would wait for others' time slices; on an idle
     * one normal priority is faster */
    x->realtime = sched_pressure() && sched_realtime_set(true);
    bool ready = x->o.idle || (choose_tier(x, e) && load_images(x, e) && load_names(x) && networks_prepare(x, e)); /* what only steps need */
    return ready && artifact_local_open(repo, &x->repo, e) && metrics_reload(x, e) && exec_load(x, e) && retire_due(x, e) &&
           (!x->o.schedules || (x->timetable = timetable_new(x, e)));
}

struct exec *exec_open(const struct exec_opts *o, struct err *e)
{
    struct exec *x = mem_zalloc(sizeof *x);
    int64_t parallel = config_int(o->config, CONFIG_PARALLEL);
    unsigned cpus = host_cpus();
    x->o = *o;
    x->cpus = cpus;
    x->stats = stats_new();
    x->opened_us = clock_now_us();
    x->ram_bytes = host_ram_bytes();
    arena_init(&x->arena);
    arena_init(&x->scratch);
    x->closing = o->idle;
    x->transfers_wait_last = &x->transfers_wait;
    x->full = config_is(o->config, CONFIG_DURABILITY, "full");
    x->locks = locks_new(exec_lock_limit, x);
    measure_locks(x);
    x->throttle = throttle_new(config_int(o->config, CONFIG_WORKFLOWS), config_int(o->config, CONFIG_NAMESPACE_WORKFLOWS));
    x->max_processes = (uint64_t)MAX(config_int(o->config, CONFIG_STEP_PROCESSES), 0);
    x->quiet = cpus / 2;
    x->max_fresh = 6 * MAX(cpus, 1u);
    x->max_running = parallel > 0 ? (uint32_t)parallel : MAX(16u, 4 * cpus);
    if (open_parts(x, e)) return x;
    exec_close(x);
    return NULL;
}

void exec_close(struct exec *x)
{
    struct err e;
    if (!x) return;
    x->closing = true;
    if (x->dirty && !x->failed) commit(x, STORE_FAST, &e);
    timetable_free(x->timetable);
    x->timetable = NULL;
    trace_close(x);
    lanes_close(x);
    networks_close(x);
    ops_close(x);
    helper_free(x->helper);
    transfers_close(x);
    images_close(x);
    for (size_t i = 0; i < x->jobs.n; i++) probes_free(x->jobs.items[i]);
    requests_close(x);
    if (!x->failed && x->loaded) slots_settled(x);
    while (x->old_slots.n) free(VEC_POP(&x->old_slots));
    past_close(x->past);
    groups_close(x);
    loop_timer_free(x->timer);
    loop_timer_free(x->job_timer);
    loop_hook_free(x->commit_hook);
    while (x->jobs.n) {
        struct job *j = VEC_POP(&x->jobs);
        budget_leave(j);
        free(j->pull_failed);
        free(j);
    }
    for (size_t i = 0; i < x->lives.n; i++) active_free(x->lives.items[i]);
    budget_close(x);
    locks_free(x->locks);
    throttle_free(x->throttle);
    rubbish_remove(x);
    retired_keep(x);
    VEC_FINI(&x->dead);
    VEC_FINI(&x->dead_contents);
    VEC_FINI(&x->rubbish);
    VEC_FINI(&x->jobs);
    VEC_FINI(&x->lives);
    VEC_FINI(&x->begun);
    VEC_FINI(&x->over);
    VEC_FINI(&x->fresh);
    VEC_FINI(&x->idle);
    VEC_FINI(&x->decided);
    VEC_FINI(&x->kills);
    VEC_FINI(&x->stale);
    VEC_FINI(&x->lanes);
    metrics_free(x->metrics);
    stats_free(x->stats);
    VEC_FINI(&x->old_slots);
    artifact_close(x->repo);
    store_close(x->store);
    arena_fini(&x->arena);
    arena_fini(&x->scratch);
    free(x);
}
