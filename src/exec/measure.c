/* What is measured where: the moments of steps and workflows, and what is so now when somebody asks. */
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/version.h"
#include "exec/op_p.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/proc.h"

static const char *const stages[JOB_STATE_MAX] = {
    [JOB_DECIDED] = "commit", [JOB_FETCHING] = "fetch", [JOB_QUEUED] = "wait", [JOB_PULLING] = "pull", [JOB_RUNNING] = "run", [JOB_SENDING] = "send",
};

/* ---- moments ---- */

static void pod_entered(struct job *j, enum pod_phase phase)
{
    static const char *const names[POD_PHASE_MAX] = {"Pending", "Running", "Succeeded", "Failed"};
    struct active *l = j->live;
    if (!l || j->part) return;
    struct str labels[] = {str_of(names[phase]), run_namespace(l->run)};
    stats_add_kept(l->x->stats, STAT_PODS_TOTAL, labels, 1, &l->pods[phase]);
}

void job_move(struct job *j, enum job_state to)
{
    struct exec *x = j->x;
    int64_t now = clock_mono_us();
    if (stages[j->state]) {
        struct str label = str_of(stages[j->state]);
        stats_add_kept(x->stats, STAT_STEP_STAGE, &label, (double)(now - j->since_us) / 1e6, &x->stages[j->state]);
    }
    if (j->state == JOB_DECIDED) pod_entered(j, POD_PENDING);
    if (to == JOB_RUNNING && !j->old) pod_entered(j, POD_RUNNING);
    if (to == JOB_RUNNING && j->live && j->live->accepted_us) {
        stats_add(x->stats, STAT_START, NULL, (double)(now - j->live->accepted_us) / 1e6);
        j->live->accepted_us = 0;
    }
    j->state = to;
    j->since_us = now;
}

void measure_pod_end(struct job *j, bool good) { pod_entered(j, good ? POD_SUCCEEDED : POD_FAILED); }

void measure_commit(struct exec *x, bool durable, int64_t from_us)
{
    int64_t now = clock_mono_us();
    struct str label = durable ? STR("durable") : STR("fast");
    stats_add_kept(x->stats, STAT_COMMITS, &label, 1, &x->commits[durable]);
    stats_add_kept(x->stats, STAT_COMMIT, &label, (double)(now - from_us) / 1e6, &x->commit_times[durable]);
    stats_add_kept(x->stats, STAT_OPERATION, NULL, (double)(now - x->dirty_since_us) / 1e6, &x->operations);
}

void measure_run(struct active *l, const struct run_row *row)
{
    struct exec *x = l->x;
    if (str_is(row->phase, l->phase)) return;
    snprintf(l->phase, sizeof l->phase, "%.*s", STR_ARG(row->phase));
    struct str labels[] = {row->phase, run_namespace(l->run)};
    stats_add(x->stats, STAT_TOTAL, labels, 1);
    const struct val *ref = val_get(exec_given_spec(&l->workflow), STR("workflowTemplateRef"));
    struct str name = val_get_str(ref, "name");
    if (!name.n) return;
    const struct val *scope = val_get(ref, STR("clusterScope"));
    bool cluster = scope && scope->kind == VAL_BOOL && scope->b;
    struct str by_template[] = {name, run_namespace(l->run), cluster ? STR("true") : STR("false"), row->phase};
    stats_add(x->stats, STAT_TEMPLATE_TRIGGERED, by_template, 1);
    if (row->completed && row->started_us) stats_add(x->stats, STAT_TEMPLATE_RUNTIME, by_template, (double)(row->finished_us - row->started_us) / 1e6);
}

/* ---- now ---- */

/* All rows of runs are counted: with very many that takes a moment, and so it is done less often then. */
static void phases_now(struct exec *x)
{
    static const char *const known[] = {"Pending", "Running", "Succeeded", "Failed", "Error"};
    enum { PART = 100 };
    struct run_count counts[STORE_PHASES_MAX];
    struct err e;
    size_t n;
    int64_t from = clock_mono_us();
    if (from < x->phases_again_us || !store_run_phases(x->store, counts, &n, &e)) return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct str label = str_of(known[i]);
        int64_t found = 0;
        for (size_t k = 0; k < n; k++)
            if (strcmp(counts[k].phase, known[i]) == 0) found += counts[k].n;
        stats_add(x->stats, STAT_GAUGE, &label, (double)found);
    }
    int64_t now = clock_mono_us();
    x->phases_again_us = now + (now - from) * PART;
}

/* There is a place for the first that waits, and it is too early for it; then it is for those behind it. */
static bool rate_holds(const struct exec *x)
{
    const struct job *first = x->queue.first;
    return first && !first->paced && lane_is_free(x) && pace_next(&x->pace) > clock_mono_us();
}

static void jobs_now(struct exec *x, struct exec_load_now *out)
{
    size_t by_state[JOB_STATE_MAX] = {0};
    bool rate = rate_holds(x);
    for (size_t i = 0; i < x->jobs.n; i++) {
        const struct job *j = x->jobs.items[i];
        by_state[j->state]++;
        out->steps_hungry += j->state == JOB_QUEUED && j->list == &x->hungry;
        out->steps_paced += rate && j->state == JOB_QUEUED && j->list == &x->queue;
        if (j->part || !j->live) continue;
        out->pods_running += j->state == JOB_RUNNING;
        out->pods_pending += j->state < JOB_SOUGHT;
    }
    out->steps_running = by_state[JOB_RUNNING];
    out->steps_waiting = by_state[JOB_QUEUED];
    out->steps_fetching = by_state[JOB_FETCHING] + by_state[JOB_SENDING];
    out->steps_pulling = by_state[JOB_PULLING];
    for (size_t i = 0; i < JOB_STATE_MAX; i++) {
        if (!stages[i]) continue;
        struct str label = str_of(stages[i]);
        stats_add(x->stats, STAT_STEPS, &label, (double)by_state[i]);
    }
}

static bool has_pod_running(const struct active *l)
{
    for (size_t i = 0; l->n_jobs && i < l->cap_jobs; i++)
        for (const struct job *j = l->jobs[i]; j; j = j->beside)
            if (j->state == JOB_RUNNING) return true;
    return false;
}

static void runs_now(struct exec *x, struct exec_load_now *out)
{
    for (size_t i = 0; i < x->lives.n; i++) {
        const struct active *l = x->lives.items[i];
        if (l->over) continue;
        out->workflows++;
        out->workflows_waiting += throttle_waits(l->ticket);
        out->locks_awaited += run_lock_waits(l->run);
        out->steps_limited += run_limit_waits(l->run);
        out->workflows_running += has_pod_running(l);
    }
}

void exec_load_get(struct exec *x, struct exec_load_now *out)
{
    *out = (struct exec_load_now){.steps_most = x->max_running, .requests = x->requests.n};
    jobs_now(x, out);
    runs_now(x, out);
}

static void job_count(const struct exec *x, const struct job *j, bool rate, struct exec_run_load *out)
{
    bool hungry = j->list == &x->hungry;
    rate = rate && j->list == &x->queue;
    out->running += j->state == JOB_RUNNING;
    out->waiting += j->state < JOB_SOUGHT;
    out->for_files += j->state == JOB_FETCHING;
    out->for_image += j->state == JOB_PULLING;
    out->for_machine += j->state == JOB_QUEUED && hungry;
    out->for_rate += j->state == JOB_QUEUED && rate;
    out->for_slot += j->state == JOB_QUEUED && !hungry && !rate;
}

void exec_run_load(const struct exec *x, int64_t run, struct exec_run_load *out)
{
    const struct active *l = active_of(x, run);
    bool rate = rate_holds(x);
    *out = (struct exec_run_load){0};
    if (!l) return;
    out->postponed = throttle_waits(l->ticket);
    out->for_locks = run_lock_waits(l->run);
    out->for_limit = run_limit_waits(l->run);
    for (size_t i = 0; l->n_jobs && i < l->cap_jobs; i++)
        for (const struct job *j = l->jobs[i]; j; j = j->beside) job_count(x, j, rate, out);
}

/* What stands in the way, whoever it is. */
static void held_put(struct exec *x, const struct exec_load_now *n)
{
    const struct { struct str by; size_t n; } rows[] = {
        {STR("parallelism"), n->workflows_waiting}, {STR("own-parallelism"), n->steps_limited}, {STR("lock"), n->locks_awaited},
        {STR("machine"), n->steps_hungry}, {STR("rate"), n->steps_paced},
        {STR("slot"), n->steps_waiting - n->steps_hungry - n->steps_paced}, {STR("image"), n->steps_pulling}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) stats_add(x->stats, STAT_HELD, &rows[i].by, (double)rows[i].n);
}

static void load_put(struct exec *x, const struct exec_load_now *n)
{
    struct stats *s = x->stats;
    struct str pending = STR("Pending"), running = STR("Running"), workflows = STR("workflow_queue"), cleanup = STR("pod_cleanup_queue");
    struct str with[] = {STR("PodRunning"), STR("true")}, without[] = {STR("PodRunning"), STR("false")};
    stats_add(s, STAT_PODS, &pending, (double)n->pods_pending);
    stats_add(s, STAT_PODS, &running, (double)n->pods_running);
    held_put(x, n);
    stats_add(s, STAT_STEPS_MOST, NULL, (double)n->steps_most);
    stats_add(s, STAT_WORKFLOWS, NULL, (double)n->workflows);
    stats_add(s, STAT_REQUESTS, NULL, (double)n->requests);
    stats_add(s, STAT_QUEUE_DEPTH, &workflows, (double)n->workflows_waiting);
    stats_add(s, STAT_QUEUE_DEPTH, &cleanup, (double)x->rubbish.n);
    stats_add(s, STAT_CONDITION, with, (double)n->workflows_running);
    stats_add(s, STAT_CONDITION, without, (double)(n->workflows - n->workflows_running));
}

/* ---- locks, as Argo names them ---- */

static void lock_put(struct exec *x, enum stat_id what, const struct lock_name *n, double value)
{
    bool database = n->kind == LOCK_DB || n->kind == LOCK_DB_MUTEX, mutex = n->kind == LOCK_MUTEX || n->kind == LOCK_DB_MUTEX;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str labels[] = {mutex ? STR("mutex") : STR("semaphore"), database ? STR("database") : STR("configmap"),
                           n->kind == LOCK_CONFIG_MAP ? str_fmt(&a, "%.*s/%.*s", STR_ARG(n->name), STR_ARG(n->key)) : n->name, n->ns};
    stats_add(x->stats, what, labels, value);
}

static void on_lock_taken(void *ctx, const struct lock_name *n) { lock_put(ctx, STAT_LOCKS_TAKEN, n, 1); }

static void on_lock_seen(void *ctx, const struct lock_name *n, size_t held, size_t waits)
{
    lock_put(ctx, STAT_LOCKS_HELD, n, (double)held);
    lock_put(ctx, STAT_LOCKS_PENDING, n, (double)waits);
}

static void on_lock_gone(void *ctx, const struct lock_name *n) { on_lock_seen(ctx, n, 0, 0); }

void measure_locks(struct exec *x) { locks_watch(x->locks, &(struct locks_watch){on_lock_taken, on_lock_gone, x}); }

static void process_put(struct exec *x)
{
    struct stats *s = x->stats;
    struct arena a CLEANUP(arena_fini);
    struct rusage use;
    struct rlimit most;
    struct dir_list fds;
    struct str text;
    struct err e;
    int64_t kib = 0;
    arena_init(&a);
    if (getrusage(RUSAGE_SELF, &use) == 0)
        stats_count_is(s, STAT_CPU, NULL, (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    if (proc_status_field(&a, 0, "VmRSS", &text, &e) && str_cut(str_trim(text), ' ', &text, &(struct str){0}) && str_to_i64(text, &kib))
        stats_add(s, STAT_MEMORY, NULL, (double)kib * 1024);
    if (dir_read(&a, "/proc/self/fd", &fds, &e)) stats_add(s, STAT_DESCRIPTORS, NULL, (double)fds.n);
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) stats_add(s, STAT_DESCRIPTORS_MOST, NULL, (double)most.rlim_cur);
    stats_add(s, STAT_STARTED, NULL, (double)x->opened_us / 1e6);
}

static void about_put(struct exec *x)
{
    static const char *const levels[] = {"error", "warn", "info"};
    struct utsname u;
    struct str version[] = {STR(SKIFF_VERSION), uname(&u) == 0 ? str_fmt(&x->scratch, "linux/%s", u.machine) : STR("linux"), STR("cc " __VERSION__)};
    stats_count_is(x->stats, STAT_VERSION, version, 1);
    stats_add(x->stats, STAT_LEADER, NULL, 1);
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        struct str label = str_of(levels[i]);
        stats_count_is(x->stats, STAT_LOG_MESSAGES, &label, (double)log_count((enum log_level)i));
    }
    arena_reset(&x->scratch);
}

struct stats *exec_stats(struct exec *x) { return x->stats; }

void exec_metrics_write(struct exec *x, struct buf *b)
{
    struct exec_load_now now;
    exec_load_get(x, &now);
    load_put(x, &now);
    stats_make_room(x->stats, STAT_LOCKS_HELD);
    locks_visit(x->locks, on_lock_seen, x);
    phases_now(x);
    process_put(x);
    about_put(x);
    trace_measure(x);
    int64_t at = clock_now_us();
    stats_write(b, x->stats, at);
    metrics_write(b, x->metrics, "argo_workflows_", at);
}
