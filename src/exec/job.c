/* Jobs: what the engine decided to start, from the command row to the event that ends its node.
 *
 * A job is found by its node in O(1) and stands in one list at most, so that nothing here walks over
 * the steps of a machine. Ends are events of the engine: the same transaction removes the command.
 * Runs on: the loop thread. */
#include <signal.h>

#include "doc/json_write.h"
#include "exec/exec_p.h"
#include "os/clock.h"

/* ---- lists and indexes ---- */

void job_list_push(struct job_list *list, struct job *j)
{
    ASSERT(!j->list);
    j->list = list;
    j->prev = list->last;
    j->next = NULL;
    if (list->last) list->last->next = j;
    else list->first = j;
    list->last = j;
}

void job_list_leave(struct job *j)
{
    struct job_list *list = j->list;
    if (!list) return;
    if (j->prev) j->prev->next = j->next;
    else list->first = j->next;
    if (j->next) j->next->prev = j->prev;
    else list->last = j->prev;
    j->list = NULL;
    j->prev = j->next = NULL;
}

struct job *job_list_pop(struct job_list *list)
{
    struct job *j = list->first;
    if (j) job_list_leave(j);
    return j;
}

struct job *job_of(const struct active *l, const struct node *n, uint32_t part)
{
    uint32_t i = node_index(n);
    struct job *j = i < l->cap_jobs ? l->jobs[i] : NULL;
    while (j && j->part != part) j = j->beside;
    return j;
}

static void index_put(struct active *l, const struct node *n, struct job *j)
{
    size_t i = node_index(n), cap = l->cap_jobs ? l->cap_jobs : 16;
    while (cap <= i) cap *= 2;
    if (cap > l->cap_jobs) {
        l->jobs = mem_grow(l->jobs, cap * sizeof(struct job *));
        memset(l->jobs + l->cap_jobs, 0, (cap - l->cap_jobs) * sizeof(struct job *));
        l->cap_jobs = cap;
    }
    j->beside = l->jobs[i];
    l->jobs[i] = j;
}

struct job *job_known(struct exec *x, struct active *l, struct node *n, uint32_t part, int64_t id)
{
    struct job *j = mem_zalloc(sizeof *j);
    *j = (struct job){.x = x, .live = l, .node = n, .id = id, .part = part, .state = JOB_DECIDED, .since_us = clock_mono_us(), .at = x->jobs.n, .hold = -1};
    j->told_started = part > 0; /* a pod is at work when its main container is */
    j->aside = l && node_part_is_aside(n, part);
    VEC_PUSH(&x->jobs, j);
    if (!l) return j;
    index_put(l, n, j);
    l->n_jobs++;
    return j;
}

static void job_detach(struct job *j)
{
    if (!j->live) return;
    struct job **at = &j->live->jobs[node_index(j->node)];
    while (*at != j) at = &(*at)->beside;
    *at = j->beside;
    j->beside = NULL;
    j->live->n_jobs--;
    if (!probes_are_ending(j)) probes_free(j); /* a hook before its end goes on */
    j->live = NULL;
    j->node = NULL;
}

void job_forget(struct job *j)
{
    struct exec *x = j->x;
    struct job *last = VEC_POP(&x->jobs);
    if (last != j) {
        x->jobs.items[j->at] = last;
        last->at = j->at;
    }
    for (size_t i = 0; j->in_kills && i < x->kills.n; i++)
        if (x->kills.items[i] == j) x->kills.items[i] = NULL;
    job_detach(j);
    job_list_leave(j);
    transfer_leave(j);
    job_pull_leave(j);
    probes_free(j);
    budget_leave(j);
    free(j->pull_failed);
    free(j);
}

void job_queue(struct job *j)
{
    job_move(j, JOB_QUEUED);
    job_list_push(budget_list(j), j);
}

void job_waits(struct job *j, struct str why)
{
    struct active *l = j->live;
    struct exec *x = j->x;
    struct outbox out;
    struct err e;
    j->told_waiting = why.n > 0;
    if (!exec_begin(x, &e)) {
        exec_fail(x, &e);
        return;
    }
    run_step_waits(l->run, j->node, why, clock_now_us(), &out);
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

/* ---- deciding and ending ---- */

bool pod_labels(struct active *l, struct node *n, struct val *out, struct err *e)
{
    struct arena *a = &l->x->scratch;
    struct val labels;
    if (!node_pod_labels(l->run, n, &labels, e)) return false;
    if (node_in_exit(n)) labels = map_with(a, &labels, STR(POD_ON_EXIT_LABEL), val_of_str(STR("true")));
    *out = map_with(a, &labels, STR("workflows.argoproj.io/workflow"), val_of_str(run_name(l->run)));
    return true;
}

/* What a template is made of is not kept, so labels are, where they are not what stands there. A template that cannot be made is told when its
 * step is to begin. */
static bool labels_note(struct active *l, struct node *n, struct str step, struct err *e)
{
    struct arena *a = &l->x->scratch;
    struct val labels;
    struct err ignored;
    if (!node_in_exit(n) && node_labels_are_plain(l->run, n)) return true;
    if (!pod_labels(l, n, &labels, &ignored)) return true;
    return store_value_put(l->x->store, l->id, str_fmt(a, EXEC_LABELS_KEY "%.*s", STR_ARG(step)), json_text(a, &labels), e);
}

struct job *job_new(struct active *l, struct node *n, uint32_t part, struct err *e)
{
    struct exec *x = l->x;
    struct command_row row = {.run = l->id, .node = node_index(n), .kind = COMMAND_STEP, .payload = STR("")};
    struct arena *a = &x->scratch;
    int64_t id;
    if (part) row.payload = str_fmt(a, "%u", part);
    if (!store_command_put(x->store, &row, &id, e)) return NULL;
    struct str key = str_fmt(a, "step/%u", node_index(n)), value = str_fmt(a, "%lld", (long long)id);
    if (part) key = str_fmt(a, "%.*s/%.*s", STR_ARG(key), STR_ARG(node_part_name(n, part)));
    if (!store_value_put(x->store, l->id, key, value, e) || !labels_note(l, n, value, e)) return NULL;
    key = str_fmt(a, "lost/%.*s", STR_ARG(value)); /* a container's next try takes its place, yet not its directory */
    if (node_container(n).p && !store_value_put(x->store, l->id, key, value, e)) return NULL;
    struct job *j = job_known(x, l, n, part, id);
    VEC_PUSH(&x->decided, j);
    return j;
}

/* An event of the engine about this job's node; the job is over when `how` is given. */
void job_event(struct job *j, const struct step_outcome *how)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct node *n = j->node;
    struct outbox out;
    struct err e;
    int64_t now = clock_now_us();
    if (!exec_begin(x, &e) || (how && (!store_command_ack(x->store, j->id, &e) || !transfer_forget_inputs(j, &e)))) {
        exec_fail(x, &e);
        return;
    }
    if (how) {
        int64_t step = j->id;
        uint32_t part = j->part;
        measure_pod_end(j, how->phase == NODE_SUCCEEDED);
        job_forget(j);
        if (part) run_part_done(l->run, n, part, how, now, &out);
        else run_step_done(l->run, n, how, now, &out);
        pod_dir_drop(l, n);
        budget_settle(l, n);
        pod_network_drop(l, n);
        if (!retire_step(l, n, step, &e)) exec_fail(x, &e);
    } else {
        run_step_started(l->run, n, now, &out);
    }
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    if (!how) probes_begin(j);
    loop_again(x->o.loop);
}

/* Its workflow is over (failFast can end one while others of its steps run): only the command is
 * left to be forgotten. */
static void job_orphan_done(struct job *j)
{
    struct exec *x = j->x;
    struct err e;
    if (!exec_begin(x, &e) || !store_command_ack(x->store, j->id, &e)) {
        exec_fail(x, &e);
        return;
    }
    step_clean_later(x, j->id);
    job_forget(j);
    loop_again(x->o.loop);
}

void job_failed(struct job *j, const char *text)
{
    if (!j->live) {
        job_orphan_done(j);
        return;
    }
    struct step_outcome how = {.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = str_of(text)};
    job_event(j, &how);
}

void job_result(struct job *j, const struct step_result *given)
{
    struct step_result mine = *given, *r = &mine;
    struct step_outcome how;
    struct err e = {0};
    container_result(j, r);
    if (transfer_send(j, r)) return;
    if (!j->live) job_orphan_done(j);
    else if (exec_begin(j->x, &e) && job_outcome(j, r, &how, &e)) job_event(j, &how);
    else job_failed(j, e.text);
}

/* A line that says nothing is no error of the step, as in Argo. */
void job_progress(struct job *j, struct str line)
{
    struct active *l = j->live;
    struct exec *x = j->x;
    struct outbox out;
    struct err e;
    if (!l) return;
    if (!exec_begin(x, &e)) {
        exec_fail(x, &e);
        return;
    }
    bool known = run_step_progress(l->run, node_pod(j->node), line, clock_now_us(), &out);
    if (!known)
        say(l, j->node, "unable to parse progress: a line is N/M, not '%.*s'", STR_ARG(line));
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

/* ---- telling to end ---- */

/* One that waits for a slot ends without one; one that runs reports its end. */
void job_kill(struct job *j)
{
    j->killed = true;
    if (j->state == JOB_SENDING) transfer_cancel(j);
    if (j->state == JOB_QUEUED || j->state == JOB_FETCHING || j->state == JOB_PULLING) {
        job_list_leave(j);
        transfer_leave(j);
        job_pull_leave(j);
        job_move(j, JOB_STOPPED);
        job_list_push(&j->x->stopped, j);
    }
    if (j->lane) job_terminate(j, 0); /* its own grace period: job_plan, podSpecPatch */
}

void jobs_orphan(struct active *l)
{
    for (size_t i = 0; l->n_jobs && i < l->cap_jobs; i++) {
        for (struct job *j = l->jobs[i]; j; j = l->jobs[i]) {
            if (!j->killed) job_kill(j);
            job_detach(j);
        }
    }
}

bool exec_is_ending(const struct exec *x)
{
    for (size_t i = 0; !x->failed && i < x->jobs.n; i++)
        if (!x->jobs.items[i]->live && x->jobs.items[i]->lane) return true;
    return false;
}

void exec_kill(struct exec *x, int64_t run)
{
    const struct active *l = active_of(x, run);
    for (size_t i = 0; l && i < l->cap_jobs; i++) {
        for (struct job *j = l->jobs[i]; j; j = j->beside) {
            if (j->lane) lane_kill(j->lane, SIGKILL, 0);
            else job_kill(j);
        }
    }
}

/* ---- the transaction ---- */

/* What was reported is stored: the journals are not needed any more. */
void slots_settled(struct exec *x)
{
    if (x->sending) return; /* the end of such a step stands nowhere else */
    while (x->old_slots.n) {
        char *name = VEC_POP(&x->old_slots);
        past_remove(x->o.state_dir, name);
        free(name);
    }
    if (x->sought.first) return;
    past_refresh(x->past);
    past_forget_dead(x->past);
}

/* It is committed: its starts may go, its kills are carried out. */
void jobs_committed(struct exec *x)
{
    for (size_t i = 0; i < x->decided.n; i++) {
        struct job *j = x->decided.items[i];
        if (!transfer_fetch(j)) job_queue(j);
        if (j->killed) job_kill(j);
    }
    x->decided.n = 0;
    for (size_t i = 0; i < x->kills.n; i++) {
        struct job *j = x->kills.items[i];
        if (!j) continue;
        j->in_kills = false;
        job_kill(j);
    }
    x->kills.n = 0;
    budget_committed(x);
    actives_reap(x);
    slots_settled(x);
    requests_committed(x);
}

void jobs_dropped(struct exec *x)
{
    while (x->decided.n) job_forget(VEC_POP(&x->decided));
    for (size_t i = 0; i < x->kills.n; i++)
        if (x->kills.items[i]) x->kills.items[i]->in_kills = false;
    x->kills.n = 0;
    requests_dropped(x);
}
