/* The engine: a workflow as a pure state machine, (state, event, now) -> (state', actions).
 *
 * It never reads a clock, a file or a socket. Time comes in with each event (wall clock, us, never
 * decreasing); documents come in through a look-up that must be immutable for the run's life;
 * what it wants done leaves as actions, what it decided as the list of changed nodes, which the
 * caller commits before it carries any action out. A transition costs O(1) beside the values it
 * computes and the nodes it creates. Semantics: Argo Workflows 4.1.
 * Runs on: one thread per run (the loop thread, or a simulator). */
#pragma once
#include "base/err.h"
#include "base/metrics.h"
#include "base/str.h"
#include "doc/val.h"
#include "engine/locks.h"

enum node_phase {
#define PHASE(name, text, fulfilled, completed, failed, doc) NODE_##name,
#include "engine/phases.def"
#undef PHASE
    NODE_PHASE_MAX
};

enum node_type {
#define NTYPE(name, text, counted, doc) NTYPE_##name,
#include "engine/types.def"
#undef NTYPE
    NTYPE_MAX
};

const char *phase_text(enum node_phase p);
bool phase_fulfilled(enum node_phase p);
bool phase_completed(enum node_phase p);
bool phase_failed(enum node_phase p);
bool phase_parse(struct str text, enum node_phase *out);
const char *ntype_text(enum node_type t);
bool ntype_parse(struct str text, enum node_type *out);

struct run;
struct node;

/* Finds a document: kind is "WorkflowTemplate", "ClusterWorkflowTemplate" or "ConfigMap"; ns is
 * empty for cluster kinds. NULL when there is none. What it returns must outlive the run. */
typedef const struct val *run_lookup_fn(void *ctx, struct str kind, struct str ns, struct str name);

/* ConfigMaps that keep outputs (memoize), as they are now and with what was written since the last commit.
 * What is written belongs to the transaction of the event. Both NULL: nothing is kept. */
struct run_cache {
    /* False: there is none. The value lives in the arena. */
    bool (*read)(void *ctx, struct arena *a, struct str ns, struct str name, struct val *doc);
    bool (*write)(void *ctx, const struct val *doc, struct err *e); /* the whole ConfigMap, new or not */
    /* The run, or else the cache, holds on to the artifacts among these outputs. NULL is fine. */
    bool (*hold)(void *ctx, const struct val *outputs, bool for_run, struct err *e);
};

struct run_opts {
    const struct val *workflow; /* the whole object: name, namespace, uid, creationTimestamp set;
                                   spec after merging with its workflowTemplateRef and defaults */
    run_lookup_fn *lookup;
    void *lookup_ctx; /* of lookup, estimate and cache, and what locks_next names */
    uint64_t seed; /* of the random streams of expressions */
    const struct val *memo; /* `argo resubmit --memoized`: what run_memo wrote of the run before; NULL: nothing */
    int64_t estimated_s; /* how long an earlier run of the same template took; 0: nobody knows */
    /* And how long the node of that run took that has this name behind the workflow's. NULL: nobody knows. */
    int64_t (*estimate)(void *ctx, struct str within);
    struct run_cache cache;
    struct locks *locks; /* shared with the other runs of the machine; NULL: the run's own */
    uint64_t number;     /* of the run, in the order of submission; see run_number_set */
    uint32_t max_nodes;  /* a run with more ends in Error; 0: as many as can be stored */
};

/* The opts' values must outlive the run. Fails with ERR_SPEC when the workflow cannot be run. */
struct run *run_new(const struct run_opts *opts, struct err *e);
/* Before it starts: for a run whose number was not known when it was made. */
void run_number_set(struct run *r, uint64_t number);
void run_free(struct run *r);

/* The workflow's metadata with its spec.workflowMetadata applied, in `a`. The caller makes it the object's
 * before it stores the run. False: the run will say so itself when it is started. */
bool run_metadata(struct arena *a, struct run *r, struct val *out, struct err *e);

/* ---- events ---- */

enum { STEP_NO_EXIT_CODE = -1 };

struct step_outcome_param {
    struct str name;
    struct str value; /* absent: the file was missing, */
    struct str error; /* or could not be read: why */
};

/* How a step ended, as its runtime reports it. */
struct step_outcome {
    enum node_phase phase; /* SUCCEEDED, FAILED (its command) or ERROR (its surroundings) */
    int exit_code;         /* of the main container, or STEP_NO_EXIT_CODE */
    struct str message;    /* "main: Error (exit code 1)"; absent when it succeeded */
    struct str result;     /* captured stdout; absent when not captured */
    const struct step_outcome_param *params; /* output parameters that come from files */
    size_t n_params;
    const struct val *artifacts; /* list of Argo artifacts, or NULL */
    int64_t started_us, finished_us; /* its process, wall clock; 0: there was none */
    int64_t cpu_us;              /* used processor time */
    int64_t memory_bytes;        /* peak */
};

enum stop_strategy { STOP_NONE, STOP_STOP, STOP_TERMINATE };

/* What one event led to. Everything lives until the next event of the run. */
enum action_kind {
    ACTION_START,   /* run this pod, or this container of a set: the pod's template in `tmpl` */
    ACTION_KILL,    /* end it: SIGTERM, then SIGKILL after its grace period; it still reports */
    ACTION_REQUEST, /* make the request of this http node: template in `tmpl`; reports as a step does */
    ACTION_CANCEL,  /* the node has ended: drop its request; nothing is reported any more */
    ACTION_DONE,    /* the workflow is over */
};

struct action {
    enum action_kind kind;
    struct node *node;
    uint16_t part; /* START, KILL: which container of the pod, see node_parts; 0: main, or all there is */
    const struct val *tmpl; /* START, REQUEST: the template with everything substituted */
};

struct outbox {
    const struct action *actions;
    size_t n_actions;
    struct node *const *dirty; /* nodes changed since the last event, each once, creation order */
    size_t n_dirty;
    bool run_dirty; /* the workflow's own status changed */
    const struct metric_sample *metrics; /* told by this event: to be counted with its commit */
    size_t n_metrics;
};

void run_start(struct run *r, int64_t now_us, struct outbox *out);
/* Too many workflows are at work: it is Pending until run_start. */
void run_postpone(struct run *r, int64_t now_us, struct outbox *out);
/* The runtime has begun to execute the node (Pending -> Running). */
void run_step_started(struct run *r, struct node *n, int64_t now_us, struct outbox *out);
/* It waits for something beside its turn: the message of its pod's node while that is Pending; absent: not any more. */
void run_step_waits(struct run *r, struct node *n, struct str why, int64_t now_us, struct outbox *out);
/* The pod has an address of its own. Told with the node's next event, which has to come. */
void run_pod_address(struct run *r, struct node *n, struct str address);
/* The pod says how far it is: "N/M". False: that is no progress, and nothing has changed. */
bool run_step_progress(struct run *r, struct node *n, struct str line, int64_t now_us, struct outbox *out);
/* A daemon's readinessProbe has succeeded. One without a probe is ready when it has started. */
void run_step_ready(struct run *r, struct node *n, int64_t now_us, struct outbox *out);
void run_step_done(struct run *r, struct node *n, const struct step_outcome *how, int64_t now_us,
                   struct outbox *out);
/* The same for one of the pod's other containers. */
void run_part_done(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how, int64_t now_us,
                   struct outbox *out);
/* One that goes on while the next begin (an init container with restartPolicy Always) has started. */
void run_part_started(struct run *r, struct node *n, uint32_t part, int64_t now_us, struct outbox *out);
/* Lets the earliest timer fire if it is due: call again while run_next_timer_us is not later than
 * now. Timers of one instant fire in the order of their nodes' names. */
void run_tick(struct run *r, int64_t now_us, struct outbox *out);
/* `argo stop` and `argo terminate`. */
void run_stop(struct run *r, enum stop_strategy how, int64_t now_us, struct outbox *out);
/* The three that follow can be refused: false, `e` says why, nothing has happened and the outbox is empty. */
/* `argo suspend`: nothing new begins, and the workflow does not end, before it is resumed. Twice is
 * fine. CONFLICT when it is over or being stopped. */
bool run_suspend(struct run *r, int64_t now_us, struct outbox *out, struct err *e);
/* `argo resume`: completes the suspend nodes that wait, and lifts run_suspend and spec.suspend. Nothing
 * changes when an output of such a node has neither been supplied nor a default (SPEC). One that is not
 * suspended stays as it is. */
bool run_resume(struct run *r, int64_t now_us, struct outbox *out, struct err *e);

/* `argo node set`, and resume and stop with a node field selector: changes the suspend nodes that wait
 * and that `pick` chooses, all or none (SPEC: a parameter cannot be set; NOT_FOUND: there is no such node). */
typedef bool node_pick_fn(void *ctx, const struct run *r, const struct node *n);
struct node_change {
    node_pick_fn *pick;
    void *ctx;
    enum node_phase phase; /* SUCCEEDED, SKIPPED, FAILED or ERROR ends it; RUNNING: it goes on waiting */
    struct str message;    /* absent: as it is */
    const struct step_outcome_param *params; /* for outputs with valueFrom.supplied */
    size_t n_params;
};
bool run_set(struct run *r, const struct node_change *c, int64_t now_us, struct outbox *out, struct err *e);

/* Wall-clock time of the earliest timer, or 0; and its node, NULL for the workflow's deadline. */
int64_t run_next_timer_us(struct run *r);
struct node *run_next_timer_node(struct run *r);

/* ---- http templates ---- */

/* What came back for a request. */
struct http_answer {
    int status;
    struct str body;
    const struct val *headers; /* map of canonical name -> list of values */
};
/* How the node ends, in the words of Argo's agent: by `successCondition` of the template, else by the
 * status. Pure; texts live in the arena. */
void http_judge(struct arena *a, const struct val *tmpl, const struct http_answer *answer, int64_t now_us,
                struct step_outcome *out);
/* A sample could not be counted: a condition of the workflow. */
void run_metrics_failed(struct run *r, struct str name, struct str why);

/* ---- looking at a run ---- */

struct str run_name(const struct run *r);
struct str run_namespace(const struct run *r);
struct str run_uid(const struct run *r);
const struct val *run_workflow(const struct run *r);
bool run_phase(const struct run *r, enum node_phase *out); /* false before run_start */
struct str run_message(const struct run *r);
bool run_has_begun(const struct run *r);  /* run_start was called */
size_t run_lock_waits(const struct run *r); /* how many of it wait for a lock: nodes, templates, or the whole run */
size_t run_limit_waits(const struct run *r); /* what spec.parallelism or that of a template holds back: no nodes yet, attempts and hooks too */
bool run_is_waiting(const struct run *r); /* for a lock of its own: nothing of it has begun */
bool run_is_done(const struct run *r);
size_t run_node_count(const struct run *r);
struct node *run_node_at(struct run *r, size_t idx); /* creation order */
size_t run_memory_bytes(const struct run *r); /* of the engine, strings excluded, for the bench */

uint32_t node_index(const struct node *n);
enum node_phase node_phase(const struct node *n);
enum node_type node_type(const struct node *n);
struct str node_name(const struct node *n);
struct str node_message(const struct node *n);
struct str node_item(const struct node *n);
struct str node_inputs(const struct node *n);  /* JSON text of Argo's Inputs, or absent */
struct str node_outputs(const struct node *n); /* JSON text of Argo's Outputs, or absent */
int64_t node_started_us(const struct node *n);
int64_t node_finished_us(const struct node *n);
struct str node_id_text(struct arena *a, const struct run *r, const struct node *n);
struct str node_pod_name(struct arena *a, const struct run *r, const struct node *n);
struct str node_template_name(const struct node *n);
/* The node of the pod that a container belongs to; any other node itself. */
struct node *node_pod(struct node *n);
bool node_has_containers(const struct node *n); /* the pod of a container set */
/* The i-th container of the set at work; NULL: there are no more. */
const struct node *node_set_container(const struct node *pod, uint32_t i);
struct str node_container(const struct node *n); /* name in its set; absent: no container of a set */
/* A pod may have containers beside main, which are no nodes: init containers, then sidecars, numbered from 1. */
uint32_t node_parts(const struct node *n);
struct str node_part_name(const struct node *n, uint32_t part); /* absent: there is none of that number */
bool node_part_is_at_work(const struct node *n, uint32_t part); /* decided to start, not over yet */
/* It goes on while the next begin, and they wait for run_part_started. */
bool node_part_is_awaited(const struct node *n, uint32_t part);
bool node_part_is_ending(const struct node *n, uint32_t part);  /* was told to end; after a restart it is told again */
bool node_part_is_aside(const struct node *n, uint32_t part);   /* others wait for what runs beside it, not for its end */
bool node_is_daemon(const struct node *n); /* by its template */
bool node_is_ready(const struct node *n);  /* a daemon that others may use */
bool node_captures_result(const struct node *n); /* its stdout is wanted as outputs.result */
bool node_in_exit(const struct node *n); /* of an exit handler, at any depth */
bool node_is_waiting(const struct node *n); /* for a lock: there is nothing to start yet */
bool node_is_killed(const struct node *n); /* was told to end; after a restart it is told again */
/* The template of a pod node that has not ended, substituted again from what was decided. Lives
 * until the next event of the run. */
const struct val *node_template(struct run *r, struct node *n, struct err *e);

/* The same with podSpecPatch applied, as the pod would be. */
const struct val *node_pod_template(struct run *r, struct node *n, struct err *e);
/* podResources of the pod: the template's (node_pod_template), else the workflow's; NULL: none. */
const struct val *run_pod_resources(const struct run *r, const struct val *tmpl);
bool node_may_ask(const struct run *r, struct node *n); /* false: surely none of its containers has resources */
bool node_may_be_probed(const struct run *r, const struct node *n); /* false: surely none of its containers has a probe */

/* A text with the tags filled in that this pod's template could have. */
bool node_replace(struct arena *a, struct run *r, struct node *n, struct str text, struct str *out, struct err *e);
/* The workflow object with the tags in what it says about pods (volumes, podSpecPatch, …) filled in for
 * this node. Lives as long as node_template's. */
const struct val *node_workflow(struct run *r, struct node *n, struct err *e);

/* The labels that podMetadata and its template give the pod of this node. Lives as long as node_template's. */
bool node_pod_labels(struct run *r, struct node *n, struct val *out, struct err *e);
bool node_labels_are_plain(const struct run *r, struct node *n); /* they stand in documents, by the template's name and without tags */

/* ---- status as JSON, and back ---- */

/* One NodeStatus object; Argo's shape, times in whole seconds. As a stored row it may lack children
 * that came later: these name their parents ("u": indexes) in their own private part. */
void node_write_status(struct buf *b, const struct run *r, const struct node *n);
/* What run_load needs beside the status: opaque text. */
void node_write_private(struct buf *b, const struct run *r, const struct node *n);
/* The run's own status without nodes: {"phase":…,"startedAt":…,"message":…,"progress":…}. */
void run_write_status(struct buf *b, const struct run *r);
void run_write_private(struct buf *b, const struct run *r);
/* Nodes by id, with what those above others show of them added: progress, resourcesDuration. */
struct val nodes_sum(struct arena *a, const struct val *nodes);
/* The whole Workflow object with .status.nodes. */
void run_write_workflow(struct buf *b, const struct run *r);

/* The steps that did well, for run_opts.memo of another run: such a step is not run again there; its
 * node is Skipped and has the outputs from here (util.go FormulateResubmitWorkflow). CONFLICT when this
 * run has not ended badly. */
bool run_memo(struct buf *b, struct run *r, struct err *e);

struct saved_node {
    struct str status;
    struct str priv;
};

/* Rebuilds a run from what was committed. Nothing that was decided is decided again. Afterwards
 * the caller reports what became of nodes in Pending or Running, then calls run_tick. */
struct run *run_load(const struct run_opts *opts, struct str status, struct str priv,
                     const struct saved_node *rows, size_t n_rows, struct err *e);

/* What `argo retry` makes of a finished run (util.go FormulateRetryWorkflow): steps that failed, and what
 * came after them, are forgotten; what they stood in goes on. */
struct reset_opts {
    node_pick_fn *pick;     /* these are forgotten too, whatever their phase; NULL: none */
    void *ctx;
    bool arguments_changed; /* loops at work are expanded anew */
};
/* Rewrites a run that was loaded and is over. Afterwards it is only good for the writers above and
 * run_free: its rows, loaded again, go on from there with run_continue. (*moved)[i] is the new index
 * of the node that had index i, UINT32_MAX when it is gone; it lives as long as the run. CONFLICT when it
 * is not over, has succeeded (without `pick`), or holds no step that could be run again. */
bool run_reset(struct run *r, const struct reset_opts *o, int64_t now_us, uint32_t **moved, struct err *e);
/* After run_load and the look at running steps: goes on with whatever was ready. Timers that are due
 * fire with run_tick, as ever. */
void run_continue(struct run *r, int64_t now_us, struct outbox *out);
