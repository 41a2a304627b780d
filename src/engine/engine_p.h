/* Private to src/engine: how a run is laid out in memory.
 *
 * A node is made once and lives as long as its run. Composite nodes have a frame, freed when they
 * end: steps and dag instances hold the state of their calls (steps or tasks), groups and retries
 * count the children they wait for. A child that is fulfilled tells its parent; nothing walks the
 * whole workflow. Strings live in the run's arena. */
#pragma once
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "lang/depends.h"
#include "lang/scope.h"
#include "lang/tags.h"

enum tmpl_type {
    TMPL_NONE,
    TMPL_CONTAINER,
    TMPL_CONTAINERSET,
    TMPL_STEPS,
    TMPL_DAG,
    TMPL_SCRIPT,
    TMPL_RESOURCE,
    TMPL_DATA,
    TMPL_SUSPEND,
    TMPL_HTTP,
    TMPL_PLUGIN,
};

/* A step or a dag task as written: what its template compiles to. */
struct call {
    struct str name;
    const struct val *src;
    uint32_t idx;   /* in its template */
    uint32_t group; /* steps: index of the parallel group */
    bool loops, has_tags, captures_result;
    bool is_target; /* dag: counts for the phase of the whole */
    uint32_t n_in, n_out;
    uint32_t *in, *out; /* dag: calls that it depends on, calls that depend on it */
    const struct depends *logic; /* NULL: runs at once */
    const struct val *hooks;     /* life cycle hooks by name; NULL: none but perhaps `exit` */
    uint32_t n_watch;
    uint32_t *watch; /* steps of the same group whose hooks mention this one */
};

/* Where a template stands: local names resolve there (the workflow or one WorkflowTemplate). */
struct tmpl_scope {
    struct str key; /* "local", "namespaced/NAME", "cluster/NAME": as status.storedTemplates has */
    const struct val *templates;
    struct map by_name; /* name -> struct tmpl */
};

struct tmpl {
    struct str name; /* empty for inline */
    struct str key;  /* unique in the run: "local/name", "namespaced/wft/name", "KEY#call" */
    const struct val *src;
    struct tmpl_scope *scope;
    enum tmpl_type type;
    bool compiled, has_tags;
    struct err *fault; /* why it cannot be compiled; NULL: it can */
    const struct val *retry; /* its own strategy or the workflow's; NULL = none */
    struct call *calls;
    uint32_t n_calls, n_groups;
    struct map call_by_name;
    struct ancestry *ancestry; /* dag */
};

struct group_frame;

struct ancestry *ancestry_new(struct arena *a);
/* ancestry.c: whether task `idx` of the dag is one that task `of` depends on, directly or not. */
bool ancestry_has(struct run *r, const struct tmpl *t, uint32_t idx, uint32_t of);

/* Which hook of its parent a node is. */
enum { HOOK_NONE, HOOK_EXIT, HOOK_FIRST /* + its place in the map of hooks */, HOOK_END = HOOK_FIRST + LIMIT_HOOKS };

/* What a node passes before it runs: locks, and the cache of outputs. Most nodes have none. */
struct gate {
    struct lock_claim *claim; /* NULL: none, or none any more */
    struct lock_name *names;
    uint32_t n_names;
    bool waiting;             /* for its locks: it is no pod at work */
    bool told;                /* its message says what it waits for */
    bool timed_out;           /* while it waited */
    struct str waiting_for;   /* the lock, as the status shows it */
    struct str key, cache, max_age; /* memoize; key absent: not at all */
    bool looked, hit;
    struct str outputs;       /* of a hit */
};

struct used {
    struct str name; /* of a resource */
    int64_t seconds;
};

struct used_list {
    struct used *items;
    uint32_t n, cap;
};

/* What not every node has. */
struct extra {
    int64_t done, of;      /* progress that the pod told; of == 0: none */
    int64_t estimated_s;   /* how long it took in an earlier run */
    struct used_list used; /* resourcesDuration of a pod, so far */
    struct parts *parts;   /* a pod with init containers or sidecars; NULL: it has none */
    struct str address;    /* of a pod; absent: the machine's */
    const struct str *display; /* given by the template; NULL: made from the name */
};

struct node {
    uint32_t idx;
    uint32_t hash; /* FNV-1a of the name: its id */
    uint32_t hooks_fired; /* a bit for each life cycle hook that was ever wanted */
    uint32_t attempt;     /* of a retried node */
    uint16_t container;   /* of a container set: its place there, + 1 */
    uint8_t type, phase;
    uint32_t hook : 6;       /* HOOK_*: what it is to its parent */
    uint32_t hooks_open : 6; /* life cycle hooks at work or held back */
    uint32_t wf_status : 4;  /* below a hook of the workflow: workflow.status when that began, + 1 */
    bool hooked : 1, retried : 1, in_exit : 1, dirty : 1;
    bool killed : 1;      /* told to end: will be Failed with the message that it has now */
    bool hook_done : 1;   /* its exit hook has run or there is none */
    bool counted : 1;     /* takes part in its boundary's active children */
    bool condemned : 1;   /* an Error because of its hooks: they are not looked at again */
    bool exit_open : 1;   /* its exit hook is at work or held back */
    bool ended : 1;       /* fulfilled, and its hooks have been looked at */
    bool told : 1;        /* whoever waits for it knows that it is over, hooks included */
    bool bad_outputs : 1; /* container set: what main gave was not all that is declared; the message says so */
    bool broken : 1;      /* container: it could not be run */
    bool daemoned : 1;    /* a daemon that is ready, or a retry of one: it counts as ended well */
    bool again : 1;       /* was reset: run_continue goes on with what it lacks */
    struct node *parent;   /* who waits for it; NULL for the root and the workflow's exit handler */
    struct node *boundary; /* the steps or dag instance that it belongs to */
    const struct tmpl *tmpl;
    const struct call *call;
    struct str name, message, inputs, outputs, item;
    struct gate *gate;
    struct extra *extra; /* NULL: nothing */
    int64_t started_us, finished_us;
    int64_t deadline_us; /* of a running or waiting node, 0 = none */
    uint32_t *children;
    uint32_t n_children, cap_children;
    uint32_t *up; /* the same edges seen from below: decided when the node is made, kept in its row */
    uint32_t n_up, cap_up;
    union {
        struct body *body;         /* steps and dag instances; shrunk to `outbound` at their end */
        struct group_frame *group; /* step group, task group */
        struct retry_frame *retry;
        struct set_frame *set;    /* the pod of a container set */
    };
};

static inline bool has_set(const struct node *n)
{
    return n->type == NTYPE_POD && n->set && n->tmpl->type == TMPL_CONTAINERSET;
}

static inline struct parts *parts_of(const struct node *n) { return n->extra ? n->extra->parts : NULL; }

static inline bool has_parts(const struct node *n)
{
    return n->type == NTYPE_POD && parts_of(n);
}

/* State of one call of a steps or dag instance. */
struct call_state {
    struct node *node;        /* its only node, or its task group; NULL so far */
    struct group_frame *loop; /* its children when it loops */
    uint32_t waiting;         /* dag: calls it depends on that are not finished */
    uint32_t rank;            /* dag: place in Argo's walk; decides who gets a free slot */
    bool needed, target;      /* dag: an ancestor of a target; a target */
};

/* Something that a limit holds back: a call, the next attempt of a retry, or an exit hook. A call is
 * resolved again when its turn comes. */
struct blocked {
    struct node *parent;      /* call: the step group, task group or dag that waits for it */
    const struct call *call;
    struct str item;          /* JSON text, absent when the call does not loop */
    uint32_t item_idx;
    struct node *retry;       /* attempt: its retry node */
    struct node *hook_of;     /* hook: the node that has it */
    uint8_t hook;             /* HOOK_* */
};

/* A steps or dag instance at work. */
struct body {
    const struct tmpl *tmpl;
    struct call_state *calls;
    struct scope inputs;       /* inputs.* and locals over the globals */
    struct arena arena;        /* of the scope's values */
    uint32_t group;            /* steps: the group at work */
    struct node *group_node;
    uint32_t active_children;  /* Pod, Steps, DAG nodes in Pending or Running, for parallelism */
    uint32_t active_pods;      /* of those, the pods, for failFast */
    uint32_t bad_children;     /* of those types, Failed or Error, for failFast */
    uint32_t open;             /* dag: children not fulfilled */
    VEC(struct blocked) blocked; /* in the order of Argo's walk */
    size_t blocked_head;         /* first entry that still waits */
    bool queued;               /* stands in run.held */
    uint32_t *targets;         /* dag: calls in the order in which they are judged */
    uint32_t n_targets;
    uint32_t *outbound;        /* node indexes, set at the end */
    uint32_t n_outbound;
    int64_t parallelism;       /* 0 = no limit */
    bool fail_fast;            /* template.failFast */
};

/* Step group, or the children of a looping call. */
struct group_frame {
    uint32_t open; /* children or hooks not fulfilled, and starts still to come */
    struct node **items; /* of a loop, by item index; NULL so far */
    uint32_t n_items;
    struct str items_json; /* the loop's decided items, for a restart */
    struct val *task;    /* of a loop with items that a limit holds back: resolved once, without its list */
    struct str error;    /* step group: a child could not even be started */
};

struct retry_frame {
    uint32_t attempts;
    int64_t first_started_us;
    struct node *last;
    bool waiting; /* a backoff timer is armed */
};

struct timer {
    int64_t at_us;
    uint32_t node; /* index; UINT32_MAX: the workflow's own deadline */
};

struct progress {
    int64_t done, of;
};

struct run {
    struct run_opts opts;
    struct arena arena, scratch;
    struct str name, ns, uid;
    const struct val *spec;
    struct tmpl_scope *local;
    VEC(struct tmpl_scope *) scopes;
    VEC(struct tmpl *) tmpls;
    struct map tmpl_by_key;
    struct scope globals;
    VEC(struct val_pair) looked_up; /* arguments of the workflow that come from ConfigMaps, as decided */
    bool unkept;                    /* the caller has not got these yet */
    struct scope status_globals[NODE_PHASE_MAX]; /* with workflow.status, for hooks of the workflow */
    uint8_t starting_status; /* a hook of the workflow is being started: see node.wf_status */
    VEC(struct node *) nodes;
    struct map memo; /* node name without the workflow's -> struct val of run_opts.memo */
    VEC(struct node *) again; /* instances and retries that were reset, by index */
    struct node *root, *exit_node;
    bool begun;      /* run_start was called; it may still wait for its locks */
    bool postponed;  /* run_postpone was called before */
    struct gate *gate; /* the workflow's own locks */
    struct lock_party *party; /* NULL: it has never asked for a lock */
    struct locks *own_locks;  /* when nobody shares any */
    VEC(struct node *) waits; /* waiting since this event, not told why */
    bool dirty, done, exit_started;
    bool entry_error; /* the entry template itself could not be judged: the message says so */
    bool full;      /* it has as many nodes as it may: whatever makes more looks here first */
    bool releasing; /* the next limit_pass is for something whose turn has come */
    enum node_phase phase;
    struct str message;
    int64_t started_us, finished_us, deadline_us, now_us, progress_us;
    enum stop_strategy stop;
    bool suspended, deadline_passed;
    bool podspec_tags; /* what the workflow says about pods has tags */
    bool pods_by_id; /* the older names of pods: those of their nodes' ids */
    int64_t parallelism;
    uint32_t active_pods;
    struct progress progress; /* of all nodes that count */
    struct used_list used;    /* resourcesDuration of the pods that have ended */
    VEC(struct node *) held; /* instances with blocked children */
    VEC(struct node *) daemons; /* those that are daemoned */
    VEC(struct timer) timers; /* binary heap by at_us, then node */
    VEC(struct node *) dirty_nodes;
    VEC(struct action) actions;
    VEC(struct metric_sample) metrics;
    struct str metrics_error; /* the last thing that went wrong with one; absent: nothing */
    size_t hook_head;
    VEC(struct node *) hook_due; /* nodes whose life cycle hooks are to be looked at */
    size_t finished_head;
    VEC(struct node *) finished; /* fulfilled nodes whose parents are not told yet */
    VEC(struct val_pair) globals_out; /* workflow.outputs.parameters */
    VEC(struct val_pair) artifacts_out;
    size_t frame_bytes;
};

/* phases and nodes: node.c */
struct node *node_make(struct run *r, struct str name, enum node_type type, struct node *boundary);
uint32_t node_limit(const struct run *r);
void node_touch(struct run *r, struct node *n);
void node_child(struct run *r, struct node *parent, struct node *child);
void node_message_set(struct run *r, struct node *n, struct str message);
/* The one way a phase changes. A fulfilled node is queued for its parent. */
void node_phase_set(struct run *r, struct node *n, enum node_phase p);
void node_finish(struct run *r, struct node *n, enum node_phase p, struct str message);
/* An Error from outside: of a node at work, or of one that had ended well but is not told yet. */
void node_condemn(struct run *r, struct node *n, struct str why);
const struct scope *globals_for(const struct run *r, uint8_t wf_status);
/* A pod that waits for a lock is no pod at work: takes it out of the counts, or puts it back. */
void node_count_pod(struct run *r, struct node *n, bool at_work);
/* Calls fn for each outbound node (operator.go getOutboundNodes). */
void node_outbound(struct run *r, struct node *n, void (*fn)(void *ctx, struct node *out), void *ctx);
/* `n` hangs below all that comes out of the one before. */
void node_follow(struct run *r, struct node *before, struct node *n);
struct str node_display(const struct node *n);
void show_as(struct run *r, struct node *n, struct str display); /* empty: by its name */
/* A name without its boundary's and the leading "[i]." or "." (operator.go). */
struct str node_name_within(struct str name, const struct node *boundary);
uint32_t step_group_index(const struct node *n); /* i of "parent[i]" */
uint32_t node_item_index(const struct node *n);  /* i of "name(i:words)" */

/* templates: tmpl.c */
bool tmpl_resolve(struct run *r, struct tmpl_scope *scope, const struct tmpl *caller,
                  const struct call *call, const struct val *holder, const struct tmpl **out,
                  struct err *e);
const struct tmpl *tmpl_by_name(struct run *r, struct tmpl_scope *s, struct str name);
struct tmpl *tmpl_by_key(struct run *r, struct str key);
bool tmpl_is_pod(const struct tmpl *t);

/* starting: start.c */
struct start {
    struct str name;
    struct node *parent, *boundary;
    const struct call *call;
    const struct tmpl *tmpl;
    const struct val *args; /* substituted arguments, or NULL */
    struct str item;
    bool hooked, in_exit, retried;
    uint8_t hook, wf_status;
    struct str inputs; /* retry attempts: decided already */
    uint32_t attempt;
};
/* Executes a template under a name; what goes wrong shows on the node. */
struct node *start_template(struct run *r, const struct start *s);
struct node *start_attempt(struct run *r, struct node *retry);
/* A node that has passed its gate begins. */
void start_open(struct run *r, struct node *n);
/* Why a stopped or overdue run starts it no more; absent: it may. */
struct str start_refusal(const struct run *r, const struct node *n);
/* A node of a step group that could not be started at all makes the group an error. */
void start_fault(struct run *r, const struct node *n);
struct str start_fault_text(struct run *r, const struct node *n, struct str why); /* its message then */
struct node *start_skipped(struct run *r, const struct start *s, enum node_phase p,
                           struct str message);
/* The template of a pod or request as it stands now, and its deadline set; NULL: it has ended in Error. */
const struct val *leaf_begin(struct run *r, struct node *n);
/* It runs now, so another deadline counts. */
void leaf_runs(struct run *r, struct node *n);
/* Starts one (expanded) call of a boundary under `b->parent`, or puts it aside when a limit holds
 * it back. `task` is the resolved step or task, or NULL to resolve it now. */
void call_start(struct run *r, struct node *boundary, const struct blocked *b,
                const struct val *task);

/* A step that cannot be executed at all makes its group an error, and those after it in the group are
 * not tried (steps.go executeStepGroup). A task says so in its message (dag.go executeDAGTask). */
void fault_group(struct run *r, struct node *parent, const struct node *n, struct str why);
struct str fault_text(struct run *r, const struct node *boundary, struct str name, struct str why);

/* limits.c: parallelism and template.failFast */
/* True: it may start now. False: it was put aside and starts by itself when its turn comes. */
bool limit_pass(struct run *r, struct node *boundary, const struct blocked *b);
void limit_hold(struct run *r, struct node *boundary, const struct blocked *b);
void limit_drop(struct node *boundary); /* forgets what is held of an instance */
void limit_drop_new(struct node *boundary); /* all but the attempts of retries */
void limit_release(struct run *r);
bool limit_fail_fast(const struct node *boundary);
bool limit_exists(const struct run *r, const struct body *b);
bool limit_has_room(const struct run *r);
bool limit_node_before(const void *a, const void *b); /* in Argo's walk; struct node */

/* sync.c: locks of nodes and of the workflow */
bool sync_decide(struct run *r, const struct val *sync, struct gate *g, struct err *e);
bool sync_check(struct run *r, const struct gate *g, struct err *e); /* its semaphores have limits */
bool sync_wait(struct run *r, struct node *n, struct err *e); /* stands in the queues from now on */
bool sync_ask(struct run *r, struct node *n, struct err *e); /* the same without a time limit */
struct node *sync_next(struct run *r); /* who can have its locks, and may go; NULL: nobody */
void sync_take(struct run *r, struct node *n);
void sync_leave(struct run *r, struct node *n); /* gives back, or leaves the queues */
void sync_time_out(struct run *r, struct node *n);
void sync_tell(struct run *r);  /* says to new waiters what they wait for */
bool sync_begin(struct run *r); /* the workflow's own locks; false: it waits, or it has failed */
bool sync_begin_again(struct run *r); /* true: it has them now */
void sync_reset(struct run *r); /* its own locks, for a run that is to go on after its end */
void sync_end(struct run *r);
void sync_fini(struct run *r);
void sync_restore(struct run *r, struct node *n, const struct val *priv); /* n NULL: the workflow's own */
void sync_restore_claims(struct run *r); /* once the order of the walk is known again */
void sync_write_private(struct buf *b, const struct gate *g);

/* memo.c: outputs that are kept */
bool memo_decide(const struct val *memoize, struct arena *a, struct gate *g, struct err *e);
/* *hit: the outputs of the earlier step are *outputs, JSON text that may be absent. */
bool memo_look(struct run *r, struct gate *g, bool *hit, struct str *outputs, struct err *e);
bool memo_save(struct run *r, const struct node *n, struct err *e);

/* gate.c */
/* What a template asks for under this name; *out NULL: nothing. */
bool gate_make(struct run *r, const struct start *s, struct gate **out, struct err *e);
/* The node has its locks: it begins, or shows what the cache has. */
void gate_pass(struct run *r, struct node *n);
/* A node that goes on after a reset stands in the queues again when its template has locks. */
bool gate_again(struct run *r, struct node *n, struct err *e);
struct gate *gate_of_attempt(struct run *r, const struct node *retry);

/* arguments and inputs: args.c */
bool inputs_decide(struct run *r, const struct start *s, struct str *out, struct err *e);
void inputs_scope(struct run *r, struct arena *a, struct scope *s, const struct node *n);
void locals_scope(struct run *r, struct arena *a, struct scope *s, const struct node *n);
bool pod_template(struct run *r, struct node *n, const struct val **out, struct err *e);
/* One field of it. */
bool pod_template_field(struct run *r, struct node *n, const struct val *field, struct val *out, struct err *e);

/* loops: loop.c */
bool loop_expand(struct run *r, const struct val *task, struct val *items, struct err *e);
struct str loop_name(struct arena *a, struct str base, uint32_t idx, const struct val *item);
void item_scope(struct arena *a, struct scope *s, const struct val *item);
bool item_task(struct run *r, const struct val *task, const struct val *item, struct val *out,
               struct err *e);
bool task_loops(const struct val *task); /* a resolved task that is to be expanded */
bool loop_check(struct run *r, const struct call *c, const struct val *task, const struct val *items,
                struct err *e);

/* references between steps: refs.c */
void refs_scope(struct run *r, struct scope *s, struct node *boundary);
/* What the hook expressions of `n` may mention: what came before it, and its own status. */
void refs_scope_hook(struct run *r, struct scope *s, struct node *n);
bool call_resolve(struct run *r, struct node *boundary, const struct call *c, struct val *out,
                  struct err *e);
/* Who refers to steps or tasks: a call, or a hook of one; all zero: the workflow. */
struct asker {
    struct node *boundary;
    const struct call *call;
    bool hook;
};
void refs_scope_for(struct run *r, struct scope *s, const struct asker *who);
bool args_resolve(struct run *r, const struct asker *who, const struct val *args,
                  enum tags_policy policy, struct val *out, struct err *e);

/* One artifact argument or output: `from` and `fromExpression` looked up. */
bool artifact_resolve(struct run *r, const struct scope *scope, const struct val *art,
                      struct val *out, bool *found, struct err *e);
/* Argo's shouldExecute: an empty text is true. */
bool when_decide(struct run *r, struct str when, bool *go, struct err *e);

/* outputs: outputs.c */
bool outputs_collect(struct run *r, struct node *n, struct err *e);
bool outputs_of_step(struct run *r, struct node *n, const struct step_outcome *how,
                     struct str *out, struct err *e);
void outputs_globalize(struct run *r, const struct node *n);
void global_put(struct run *r, bool artifact, struct str name, const struct val *v);
const struct val *node_outputs_val(struct arena *a, const struct node *n);
bool loop_results_valid(struct run *r, const struct group_frame *g, const struct node **which);
bool loop_aggregate(struct run *r, const struct group_frame *g, struct str what,
                    struct scope_value *out);

/* steps.c */
void steps_begin(struct run *r, struct node *n);
void steps_again(struct run *r, struct node *n);
void steps_child_done(struct run *r, struct node *group);
void steps_group_done(struct run *r, struct node *n, struct node *group);
/* Nothing new begins in the group, the first reason counts; what has begun is waited for, retries included. */
void steps_group_error(struct run *r, struct node *group, struct str why);

/* dag.c */
void dag_begin(struct run *r, struct node *n);
void dag_again(struct run *r, struct node *dag);
void dag_child_done(struct run *r, struct node *dag, struct node *child);
void dag_hook_done(struct run *r, struct node *dag);
void dag_group_child_done(struct run *r, struct node *group);
void dag_link(struct run *r, struct node *dag, const struct call *c, struct node *n);
bool dag_targets(struct run *r, struct node *dag, struct err *e); /* which tasks count */

/* retry.c */
void retry_child_done(struct run *r, struct node *retry);
void retry_decide(struct run *r, struct node *retry);
/* After a reset, or when a workflow is resumed: the next attempt, or what follows the last one. */
void retry_again(struct run *r, struct node *retry);
int64_t retry_over_us(struct run *r, const struct node *attempt); /* 0: nothing of its strategy ends it */

/* cset.c: container sets */
bool cset_begin(struct run *r, struct node *pod, const struct val *tmpl, struct err *e); /* its nodes */
void cset_go(struct run *r, struct node *pod, const struct val *tmpl); /* they start */
void cset_drop(struct run *r, struct node *pod); /* their pod has ended without them */
void cset_release(struct run *r, struct node *pod); /* of a daemon that is not needed any more */
void cset_step_started(struct run *r, struct node *c);
void cset_step_done(struct run *r, struct node *c, const struct step_outcome *how);
void cset_collected(struct run *r, struct node *pod, const struct step_outcome *how);
void cset_container_done(struct run *r, struct node *c);
void cset_retry_due(struct run *r, struct node *c);
void cset_kill(struct run *r, struct node *pod, struct str why);
bool cset_restore(struct run *r, struct node *pod, struct err *e);
bool cset_restore_container(struct node *c);
bool cset_restored(struct run *r, struct node *pod);

/* parts.c: init containers and sidecars */
bool parts_wanted(const struct val *tmpl);
bool parts_begin(struct run *r, struct node *n, const struct val *tmpl, struct err *e);
void parts_done(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how);
void parts_kill(struct run *r, struct node *n); /* all of them, main too, but not the containers of a set */
/* The containers of the set are over: the same for main. */
void parts_set_over(struct run *r, struct node *n, enum node_phase p, struct str message);
void parts_write(struct buf *b, const struct node *n);
bool parts_restore(struct run *r, struct node *n, const struct val *priv, struct err *e);

/* progress.c */
bool progress_counts(const struct node *n);
struct progress progress_of(const struct node *n);
bool progress_parse(struct str line, struct progress *out);
/* The node's share in the run's leaves it while it changes. */
void progress_take(struct run *r, const struct node *n);
void progress_give(struct run *r, const struct node *n);
struct str node_address(const struct node *n);
struct extra *extra_of(struct run *r, struct node *n); /* made when there is none */

/* usage.c: resourcesDuration */
void usage_add(struct run *r, struct node *n, uint32_t part, const struct step_outcome *how); /* a container has ended */
void usage_total(struct run *r, const struct node *n); /* its pod has */
void usage_write(struct buf *b, const struct used_list *l);
void usage_read(struct run *r, struct node *n, const struct val *map);

/* daemon.c */
void daemon_started(struct run *r, struct node *n);
void daemon_ready(struct run *r, struct node *n);
void daemons_end(struct run *r, const struct node *boundary); /* its boundary has ended */
void daemon_tell(struct run *r, struct node *n); /* run.c: whoever waits for it may go on */

/* metrics.c */
void metrics_of_node(struct run *r, struct node *n, bool begins);
void metrics_of_attempt(struct run *r, struct node *attempt); /* another is about to follow */
void metrics_of_run(struct run *r, bool begins);

/* podspec.c */
bool podspec_has_tags(const struct val *spec);
/* A held attempt's turn has come; by now it may be too late for it. */
void retry_go(struct run *r, struct node *retry);

/* suspend.c */
void suspend_begin(struct run *r, struct node *n);
void suspend_resume(struct run *r, struct node *n); /* to Succeeded, or Error when an output is not set */

/* again.c: going on after a reset */
void again_note(struct run *r, struct node *n); /* while loading */
/* A node of a loop whose frame was not stored: it is made from the nodes that there are. */
void again_place(struct run *r, struct group_frame **g, struct node *n, uint32_t item);
void again_begin(struct run *r);
/* Whatever need not wait for locks, or for something above it that does. */
void again_go_on(struct run *r);
/* Its parent has been told: fulfilled, and no exit hook at work. */
bool node_told(const struct run *r, const struct node *n);
/* http.c */
void http_begin(struct run *r, struct node *n);
void http_end(struct run *r, struct node *n, struct str why); /* Failed, and its request is dropped */
struct str http_outputs(struct run *r, const struct step_outcome *how);

/* hooks.c: exit handlers, and what both kinds of hooks have in common */
bool hook_direct(const struct node *n); /* it stands for its call: hooks of the call are its own */
bool hook_of_target(const struct node *n); /* a task that its dag's phase depends on */
bool hook_of_item(struct run *r, const struct node *n, struct val *hook, struct err *e);
bool hook_begin(struct run *r, struct node *n); /* true: an exit hook runs, n is told when it ends */
void hook_run(struct run *r, struct node *n, uint8_t hook);
void exit_begin(struct run *r);
bool exit_exists(struct run *r); /* the workflow has an exit handler */

/* lifecycle.c: hooks with a name of their own */
bool lifecycle_compile(struct run *r, struct tmpl *t, struct err *e);
void lifecycle_note(struct run *r, struct node *n); /* its phase has changed: looked at soon */
void lifecycle_look(struct run *r, struct node *n);
void lifecycle_look_watchers(struct run *r, struct node *n);
void lifecycle_workflow(struct run *r);
const struct val_pair *lifecycle_hook(const struct run *r, const struct node *n, uint8_t hook);

/* body.c: steps and dag instances */
void body_begin(struct run *r, struct node *n);
void body_end(struct run *r, struct node *n); /* keeps only `outbound` */
void body_finish(struct run *r, struct node *n, enum node_phase p, struct str message);
/* The instance could not be executed to its end: an error of whoever called the template. */
void body_error(struct run *r, struct node *n, struct str why);
void body_fail_fast(struct run *r, struct node *n);
/* Ends an instance over the heads of its children. */
void body_break(struct run *r, struct node *n, enum node_phase p, struct str why);
/* Items that have a node already, from before a reset, keep it. */
struct group_frame *loop_begin(struct run *r, struct node *boundary, const struct call *c,
                               const struct val *items);
void loop_frame_free(struct run *r, struct group_frame *g); /* NULL is fine */
bool continues_on(const struct call *c, enum node_phase p);

/* run.c and timer.c */
/* run_new; `kept`: name -> value of run.looked_up, NULL when nothing was kept. */
struct run *run_make(const struct run_opts *opts, const struct val *kept, struct err *e);
/* What a step's end means for its node; its outputs are taken. */
enum node_phase step_end(struct run *r, struct node *n, const struct step_outcome *how, struct str *message);
void run_advance(struct run *r);
void event_begin(struct run *r, int64_t now_us);
void event_end(struct run *r, struct outbox *out);
void root_begin(struct run *r);
void run_entry_fails(struct run *r); /* the entry template itself could not be judged */
void node_frames_free(struct run *r, struct node *n);
void timer_add(struct run *r, int64_t at_us, const struct node *n); /* NULL: the run's own */
void timer_fire(struct run *r);
void work_end(struct run *r, struct str why, bool exit_too); /* suspend nodes of a stopped run: stopped_text */
struct str stopped_text(const struct run *r); /* "Stopped with strategy 'Stop'" */
void run_begin(struct run *r); /* it has its locks */
int64_t run_deadline_us(const struct run *r); /* of a run that begins now; 0: none */
void run_close(struct run *r, enum node_phase p, struct str message); /* it is over */
void node_kill(struct run *r, struct node *n, struct str why);
