/* The engine at work on one machine: runs, their commits, and the steps that they start.
 *
 * The caller holds engine.lock. Events of one loop turn share one transaction, and ends of steps one
 * of up to 5 ms while every slot is busy and more starts are committed. It is committed before
 * anything that it decided is told or acted on (LOOP_HOOK_COMMIT). A start is a command row
 * first; after a crash each command is looked up at its supervisor: adopted, taken over as finished,
 * or lost. Runs on: the loop thread. */
#pragma once
#include "base/map.h"
#include "base/metrics.h"
#include "config/config.h"
#include "doc/val.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

struct exec;
struct launcher;
struct zone;

struct exec_opts {
    struct str state_dir; /* absolute */
    const struct config *config;
    struct launcher *launcher;
    struct loop *loop;
    struct str host_home;  /* hidden from steps; absent: none */
    bool idle;             /* decides, but starts no step: that is left to the engine that comes next */
    bool schedules;        /* starts what stored CronWorkflows say, when they say */
    bool restart_lost;     /* a step that was lost with a crash is started again, not an error */
    void (*on_commit)(void *user);                      /* something was committed: read the changes */
    void (*on_fail)(void *user, const struct err *e);   /* the store failed: nothing goes on */
    /* Checks a document that a step creates; a Workflow is made complete, as a submission's would be.
     * NULL: steps create no workflows. `ns`: for documents that name none. */
    bool (*admit)(void *user, struct arena *a, const struct val *doc, struct str ns, struct val *out, struct err *e);
    void *user;
};

/* Opens the store and takes over every unfinished run in it. */
struct exec *exec_open(const struct exec_opts *o, struct err *e);
/* Leaves: steps at work go on under their supervisors and can be adopted later. NULL is fine. */
void exec_close(struct exec *x);

/* For reading: what was written in this turn is there, and is committed at its end, before anything is sent. */
struct store *exec_store(struct exec *x);
/* Rows of runs are written at the end of a turn, those of nodes at once: for who shows whole workflows they agree. */
bool exec_settle(struct exec *x);
/* Opens the turn's transaction if it is not open yet. What goes into it is committed at the end of
 * the turn, or now and on the disk by exec_commit. */
bool exec_begin(struct exec *x, struct err *e);
bool exec_commit(struct exec *x, struct err *e);
/* The commit at the end of this turn is on the disk before on_commit: one for all that is promised in a turn. */
bool exec_promise(struct exec *x, struct err *e);
/* The same with nothing else of this turn in it: that is committed first. */
bool exec_begin_alone(struct exec *x, struct err *e);
/* Forgets what was done since exec_begin_alone; no other transaction may be rolled back. */
void exec_rollback(struct exec *x);

/* Stores a complete Workflow object and starts it, in the open transaction. The values are copied.
 * `memo`: what exec_memo gave of the run that this one repeats, or NULL. */
bool exec_submit(struct exec *x, const struct val *workflow, const struct val *memo, int64_t *out_run, struct err *e);
/* The steps of a finished run that did well, for `argo resubmit --memoized`. */
bool exec_memo(struct arena *a, struct exec *x, int64_t run, struct val *out, struct err *e);
/* Tries a finished run again (engine.h, run_reset): its rows are rewritten and loaded as after a crash, in
 * the open transaction, which must hold nothing else. */
struct exec_retry {
    const struct val *workflow; /* as it is from now on: other arguments, no spec.shutdown */
    struct reset_opts reset;
};
bool exec_retry(struct exec *x, int64_t run, const struct exec_retry *o, struct err *e);
/* The metrics of all runs so far, as they are stored. */
bool exec_metrics_read(struct store *s, struct metrics *m, struct err *e);
/* They and what the engine measures (stats.def), in Prometheus' form. */
void exec_metrics_write(struct exec *x, struct buf *b);
struct stats *exec_stats(struct exec *x); /* others add to it what they measure */
/* What is going on now. Pods have one main step; steps are containers. */
struct exec_load_now {
    size_t workflows, workflows_waiting, workflows_running; /* not over; until they may be at work; with a pod running */
    size_t pods_pending, pods_running;
    size_t steps_running, steps_waiting, steps_fetching, steps_pulling, steps_most;
    size_t steps_hungry, steps_paced; /* of those that wait: for processors, memory or devices; for starts_per_second */
    size_t steps_limited, locks_awaited; /* not begun because of parallelism of workflows and templates; holders-to-be of locks */
    size_t requests; /* of http templates */
};
void exec_load_get(struct exec *x, struct exec_load_now *out);
/* The same of one run: what holds it back. */
struct exec_run_load {
    size_t running, waiting; /* steps; those that wait are in the next five */
    size_t for_slot, for_machine, for_files, for_image, for_rate;
    size_t for_limit; /* its own parallelism, or that of its templates; what it holds back has not begun to wait */
    size_t for_locks; /* steps and templates, or the workflow itself */
    bool postponed;   /* parallelism: too many workflows are at work */
};
void exec_run_load(const struct exec *x, int64_t run, struct exec_run_load *out);
/* NOT_NOW when no such run is at work. */
bool exec_stop(struct exec *x, int64_t run, enum stop_strategy how, struct err *e);
/* The same for suspend, resume and node set (engine.h); nothing has changed when they refuse. */
bool exec_suspend(struct exec *x, int64_t run, struct err *e);
bool exec_resume(struct exec *x, int64_t run, struct err *e);
bool exec_set(struct exec *x, int64_t run, const struct node_change *c, struct err *e);
bool exec_has_run(const struct exec *x, int64_t run);
size_t exec_active_runs(const struct exec *x);
bool exec_is_ending(const struct exec *x); /* steps of runs that are over were told to end and have not yet */
/* Deletes a run, at work or not, with all that it owns, in the open transaction; what lies in files goes
 * after the commit, and artifacts whose artifactGC says so go too. */
bool exec_delete(struct exec *x, const struct run_row *row, struct err *e);
/* A stored object is gone: what it alone owns goes, too, in the open transaction. */
bool exec_owner_gone(struct exec *x, struct str uid, struct err *e);
/* The zone of that name, or the machine's own (absent name); UTC when there is none. It lives as long as the arena. */
const struct zone *exec_zone(struct arena *a, struct str name);
/* How many workflows are at work that steps of these runs created, directly or not. */
size_t exec_descendants_active(const struct exec *x, const int64_t *runs, size_t n);

/* The Workflow object as clients see it: with its status, and .status.nodes when wanted. */
bool exec_workflow(struct arena *a, struct store *st, const struct run_row *row, bool with_nodes, struct val *out,
                   struct err *e);
/* The templates that the nodes of a run are made of: of its document, and of those that it has used so far. */
struct exec_templates {
    struct val workflow;
    struct map libraries;
};
bool exec_templates_load(struct arena *a, struct store *st, int64_t run, struct exec_templates *out, struct err *e);
void exec_templates_fini(struct exec_templates *t);
/* Of a node's status; NULL: an inline one, or (*unknown) of a document that was first used after they were loaded. */
const struct val *exec_template_of(struct arena *a, const struct exec_templates *t, const struct val *node, bool *unknown);
/* Value of a run: the labels that the pod of this step has, as a JSON object, when they cannot be read from its documents. */
#define EXEC_LABELS_KEY "labels/"
/* Member of a stored workflow beside `spec`, which has templates and defaults merged in: the spec as it was
 * submitted, when that is another one. */
#define EXEC_GIVEN "givenSpec"
/* What users know as its spec. */
const struct val *exec_given_spec(const struct val *stored);
/* Its metadata: Argo mirrors phase and completion in labels, and clients select by them. */
struct val exec_workflow_meta(struct arena *a, const struct val *meta, const struct run_row *row);
/* And its spec, with what was asked of the run since: to be suspended, to stop. `priv` is its stored value "private". */
struct val exec_workflow_spec(struct arena *a, const struct val *spec, const struct val *priv);
/* Stored objects or limits have changed: semaphores look their limits up again. */
void exec_limits_changed(struct exec *x);
/* SIGKILL for every step of the run now. */
void exec_kill(struct exec *x, int64_t run);
/* The annotation with the trace that a workflow is part of (W3C traceparent), as Argo names it. */
#define EXEC_TRACEPARENT "opentelemetry.io/traceparent"
struct traceparent {
    char trace[33], span[17]; /* hexadecimal digits */
    bool sampled;
};
bool exec_traceparent(struct str text, struct traceparent *out); /* false: it is none */
/* Once per process: a sentence about weaker isolation than the default; absent when there is none. */
struct str exec_notice(const struct exec *x);

/* The run's value with its priority as text, when that is not 0: lists show it without reading documents. */
#define EXEC_PRIORITY_KEY "priority"
/* + the number of a step whose node a retry has dropped: {"container": its name in the pod, or empty, "node": the
 * members of its status that name its logs}. */
#define EXEC_PAST_KEY "past/"
/* Where the log of a node's latest step lies; absent when it never started. */
struct str exec_step_log_path(struct arena *a, struct str state_dir, int64_t step_id);
