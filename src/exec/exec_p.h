/* Private to src/exec. */
#pragma once
#include "artifact/artifact.h"
#include "artifact/remote.h"
#include "base/map.h"
#include "base/vec.h"
#include "config/images.h"
#include "engine/throttle.h"
#include "exec/exec.h"
#include "exec/otlp.h"
#include "exec/pace.h"
#include "exec/stats.h"
#include "net/web.h"
#include "pod/pod.h"
#include "step/launcher.h"
#include "step/nets.h"
#include "step/past.h"

enum {
    SLOT_TRIES = 3, /* new slots that are asked for, in a row, until one takes a step */
    FRESH_US = 10000, /* a step younger than this counts as busy starting */
    TELL_US = 30000,  /* a step that runs for so long is shown as Running; a shorter one only at its end */
    SEEK_US = 5000,   /* until a supervisor that did not answer is asked again */
    ADOPT_MS = 1000,  /* until a supervisor that is adopted has said which network its pod has */
    WAIT_US = 5000,   /* a transaction stays open so long while committed steps are still to be started */
};

struct containers;
struct image_waiter;
struct images;
struct job;
struct share;
struct timetable;
struct request;
struct trace;
struct transfer;

/* The network namespace of a pod that has begun. */
struct pod_network {
    uint32_t pod; /* index of its node */
    int fd;
    char address[16]; /* "": only a loopback device */
    uint64_t user_ns; /* that it belongs to; 0: the engine's */
};

/* As Argo counts pods. */
enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_PHASE_MAX };

/* A run in memory. */
struct active {
    struct exec *x;
    int64_t id;
    struct arena arena; /* of the workflow value */
    struct val workflow;
    struct run *run;
    struct throttle_item *ticket; /* NULL: it has ended */
    bool over;
    bool gc_noted;                  /* some artifact of it may be to go; true after a restart */
    bool repository_known;          /* its artifactRepositoryRef has been looked at */
    const struct val *repository;   /* what it says; NULL: nothing */
    bool stale;        /* stands in exec.stale */
    size_t at;         /* in exec.lives */
    size_t n_jobs;     /* not ended */
    struct job **jobs; /* by node index, those of one pod linked; NULL: no job */
    size_t cap_jobs;
    struct op **ops;   /* the same for steps that the engine does itself */
    size_t cap_ops;
    VEC(struct pod_network) networks; /* of its pods at work */
    int64_t creator;   /* the run that a person started and whose step led to this one; 0: none */
    struct request **requests; /* by node index; NULL: no request */
    size_t n_requests, cap_requests;
    VEC(struct request *) waiting; /* for one of those under way to end; NULL: it has ended itself */
    size_t waiting_head, n_made;
    bool has_room; /* stands in exec.roomy */
    int64_t baseline; /* the run whose times are its estimates; 0: none */
    bool estimates_read;
    char phase[16];       /* as it was counted last */
    int64_t accepted_us;  /* monotonic; 0: its first step runs, or an engine before this one accepted it */
    struct metric_series *pods[POD_PHASE_MAX];
    struct map shares;    /* index of a pod's node -> struct share */
    uint8_t unlimited_told; /* which kinds of limits cannot be applied here (groups.c) */
    struct trace *trace;  /* NULL: not known yet */
    struct map estimates; /* name within the workflow -> seconds, as a pointer */
};

enum job_state {
    JOB_DECIDED, /* its command is in the open transaction */
    JOB_FETCHING, /* committed; its input artifacts are on their way */
    JOB_QUEUED,  /* and here; waits for a slot */
    JOB_PULLING, /* its image is on its way; then it is queued again */
    JOB_STOPPED, /* was told to end before it began: ends at the end of the turn */
    JOB_SOUGHT,  /* an engine before this one started it: its supervisor does not answer yet */
    JOB_RUNNING, /* a supervisor has it */
    JOB_SENDING, /* it has ended; output artifacts are on their way elsewhere */
    JOB_ENDED,
    JOB_STATE_MAX,
};

/* First in, first out; a job is in one list at most. */
struct job_list {
    struct job *first, *last;
};

/* One step of one run: a command and what became of it. */
struct job {
    struct exec *x;
    struct active *live; /* NULL: its workflow is over */
    struct node *node;
    uint32_t part; /* which container of the pod: engine.h, node_parts */
    bool paced;    /* it has waited for its turn to begin, and keeps it */
    bool aside;    /* takes no place among the steps that may run at once: others wait for it to be there */
    struct share *share; /* what its pod has of the machine; NULL: nothing */
    struct pod_needs needs; /* what its pod asks for, while it is hungry */
    bool told_waiting; /* its node says that it waits for that, or for its image */
    struct probes *probes; /* what is asked of it; NULL: nothing */
    bool old;              /* an engine before this one started it */
    bool ready;            /* it runs, and its readinessProbe, if any, has succeeded */
    uint32_t grace_ms; /* its own; 0: not known any more */
    const char *unhealthy; /* the probe that it was ended for; NULL: none */
    struct job *beside; /* another container of the same pod */
    int64_t id; /* of the command, and of the step */
    enum job_state state; /* job_move changes it */
    int64_t since_us;     /* when it did; monotonic */
    bool killed, told_started;
    bool fresh;     /* counts in exec.fresh */
    bool in_kills;  /* stands in exec.kills */
    size_t at;      /* in exec.jobs */
    int64_t started_us; /* monotonic */
    struct lane *lane;
    struct transfer *transfer; /* FETCHING, SENDING */
    struct image_waiter *pull; /* PULLING */
    bool pulled;               /* a registry was asked for its image */
    char *pull_failed;         /* what came of it; NULL: the image */
    int hold;                  /* while it is being started: keeps its image where it is; -1: none */
    struct job_list *list;
    struct job *prev, *next;
};

/* A slot and its watch. */
struct lane {
    struct exec *x;
    struct slot *slot;
    struct loop_fd *watch;
    struct job *job;
    size_t at; /* in exec.lanes */
    size_t steps, bytes; /* in the slot's journal */
    bool adopted;
    uint64_t user_ns; /* which networks its steps may enter */
};

/* What a command row is about; the numbers are stored. */
enum command_kind { COMMAND_STEP = 1, COMMAND_REQUEST = 2 };

/* One request of an http template: a command too. */
struct request {
    struct exec *x;
    struct active *live;
    struct node *node;
    int64_t id; /* of the command */
    size_t at;  /* in exec.requests */
    size_t waits_at; /* in its workflow's list, when `waits` */
    bool waits, made;
    struct web_call *call;
};

/* What steps and users have written may be in it, under any name: only the private directory of a step may have the mark of a
 * container, which goes first. */
struct rubbish_path {
    char *path;
    bool of_step;
};

struct exec {
    struct exec_opts o;
    struct store *store;
    struct artifact_repo *repo;
    struct arena arena;   /* as long as exec: images, paths */
    struct arena scratch; /* of one operation */
    struct image_map *images;
    struct images *stored; /* those of the image store; NULL: not needed so far */
    bool one_user;         /* steps can be nobody but who runs Skiff */
    bool noticed;          /* a plan's notice was told */
    enum step_tier tier;
    struct str notice;
    struct str tools; /* the directory of shims: links to host programs under the names that images have for them */
    struct loop_hook *commit_hook;
    struct loop_timer *timer;      /* of the engine */
    struct loop_timer *job_timer;  /* something about jobs is due */
    int64_t job_due_us;            /* when it is armed for; monotonic */
    int64_t next_timer_us;         /* not later than the engine's earliest timer; 0: none */
    bool dirty;  /* the open transaction holds something */
    int64_t dirty_since_us; /* monotonic */
    bool saved;  /* and refers to new artifacts */
    bool failed; /* the store failed; nothing goes on */
    bool closing; /* no more steps are started */
    bool loaded; /* what engines before this one left is known */
    bool full;   /* every transition survives a power cut */
    bool promise; /* the open transaction does, too */
    bool looked;  /* somebody may have read what it has written */
    bool lone;    /* what is open is committed for exec_begin_alone: nothing begins */
    bool plain;  /* --runtime=none */
    struct containers *containers; /* --runtime=container; else NULL */
    bool private_net;      /* each pod has a network of its own, */
    bool addresses;        /* with an address */
    struct subnet subnet;
    struct nets *nets;     /* NULL: not opened (again) yet */
    struct str hosts, resolv; /* the machine's /etc/hosts and /etc/resolv.conf */
    struct locks *locks; /* of all runs */
    struct throttle *throttle;
    bool pumping;        /* locks_pump is at work */
    VEC(struct active *) lives;
    VEC(struct active *) begun; /* submitted in the open transaction */
    VEC(struct active *) over;  /* ended in it */
    VEC(struct active *) stale; /* their own status changed in it: written once, before the commit */
    VEC(struct op *) ops;       /* steps that need no slot, not ended */
    size_t ops_decided;         /* how many of them are in the open transaction */
    struct map waits;           /* object -> the first of the ops that wait for it */
    bool ops_due;               /* some are to be looked at */
    int64_t ops_seen;           /* up to here the change log has been looked at for them */
    struct helper *helper;      /* NULL: not needed so far */
    VEC(struct job *) jobs;     /* not ended */
    VEC(struct job *) decided;
    VEC(struct job *) kills;    /* to be signalled after the commit */
    VEC(struct request *) requests; /* not ended */
    VEC(struct request *) due;      /* of those, not made yet; NULL: it has ended meanwhile */
    VEC(struct active *) roomy;     /* a request of theirs has ended while others wait */
    struct web_client *web;     /* made with the first request or probe */
    VEC(struct transfer *) transfers; /* not ended */
    struct transfer *transfers_wait, **transfers_wait_last; /* of those, for a thread */
    struct loop_channel *channel;   /* from their threads; made with the first */
    uint32_t transferring, sending;
    struct job_list queue, stopped, sought;
    struct job_list hungry; /* for what their pods ask for; first in, first out */
    struct job_list promised; /* they have it, and the open transaction says which devices */
    struct budget *budget;
    struct groups *groups; /* control groups; NULL: nothing was limited so far */
    struct job_list asides; /* as the queue, for jobs that take no place */
    struct job_list young;      /* running, not yet shown so; in the order of their start */
    VEC(struct job *) fresh;    /* as many as may start at once, at most */
    VEC(struct lane *) lanes;
    VEC(struct lane *) idle;    /* of those, ready for a step */
    struct past *past;          /* journals of slots that are not lanes any more */
    VEC(char *) old_slots;      /* closed; their journals go with the next commit */
    uint32_t cpus;      /* of the machine; asking takes four system calls */
    uint64_t ram_bytes;
    uint32_t running, max_running, max_fresh;
    struct pace pace; /* of what takes a place */
    uint64_t max_processes; /* of one container; 0: no limit */
    uint32_t quiet; /* with fewer new steps than this a processor is idle */
    bool realtime; /* engine and supervisors run at SCHED_FIFO 1 */
    VEC(char *) dead;          /* paths that nobody knows once the transaction is committed */
    VEC(char *) dead_contents; /* and ids in the repository */
    bool sweep_due;            /* it is noted that some day contents without a row are looked for */
    int64_t archive_ttl_us, archive_at_us; /* how long finished runs stay, 0: for good; when they are looked for */
    int64_t due_us;            /* wall clock: when something is to go by itself; 0: nothing */
    struct timetable *timetable; /* of cron workflows; NULL: they are not started here */
    struct metrics *metrics; /* of all runs; what is stored, and the open transaction */
    struct stats *stats;     /* of this engine */
    struct otlp *otlp;       /* NULL: nobody wants traces */
    struct buf spans;        /* of the open transaction */
    size_t n_spans;
    struct metric_series *stages[JOB_STATE_MAX], *commits[2], *commit_times[2], *operations;
    int64_t phases_again_us; /* monotonic: until then the workflows are not counted again */
    int64_t opened_us;       /* wall clock */
    VEC(struct rubbish_path) rubbish; /* what a worker is to remove, after what is urgent */
};

/* trace.c: what became of nodes and runs, as spans; sent once it is committed. All do nothing when nobody wants traces */
bool trace_open(struct exec *x, struct err *e);
void trace_close(struct exec *x);
void trace_node(struct active *l, const struct node *n, const struct node_row *row);
void trace_run(struct active *l, const struct run_row *row);
void trace_committed(struct exec *x);
void trace_dropped(struct exec *x);
void trace_measure(struct exec *x);
void trace_free(struct trace *t); /* NULL is fine */

/* say.c: a warning in the log about a run, and one of its nodes (NULL: none) */
void say(const struct active *l, const struct node *n, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* run.c */
struct active *active_new(struct exec *x, int64_t id, const struct val *workflow);
struct active *active_of(const struct exec *x, int64_t run); /* NULL: none */
void active_free(struct active *l);
void active_forget(struct active *l);
bool active_persist(struct active *l, const struct outbox *out, struct err *e);
bool active_event(struct active *l, const struct outbox *out, struct err *e); /* persist and act */
/* A workflow that a step of `by` creates, as exec_submit. */
bool run_submit(struct active *by, const struct val *workflow, struct err *e);
bool actives_flush(struct exec *x, struct err *e); /* the stale ones */
void actives_reap(struct exec *x); /* finished ones leave memory; the others are committed now */
void actives_drop(struct exec *x); /* those whose submission was rolled back */
/* estimate.c */
#define ESTIMATE_KEY "baseline" /* the value of a run that names its baseline */
int64_t estimate_of_run(struct active *l); /* for a new one: finds the baseline; seconds, 0 = nobody knows */
bool estimate_note(struct active *l, struct err *e); /* stores which it was */
int64_t estimate_of_node(void *ctx, struct str within);
/* locking.c */
struct run_opts active_opts(struct active *l);
int64_t exec_lock_limit(void *ctx, const struct lock_name *n);
void active_queue(struct active *l); /* among the workflows that may be at work; it has a run */
bool active_begin(struct active *l, struct err *e); /* when it may; else it is postponed */
bool locks_pump(struct exec *x, struct err *e); /* runs whose turn for a lock, or to begin, has come go on */
/* exec.c */
void exec_fail(struct exec *x, const struct err *e);
void timer_note(struct active *l);

/* job.c */
struct job *job_new(struct active *l, struct node *n, uint32_t part, struct err *e);
/* The labels that the pod of this node has: the workflow's, its template's, Argo's own. Lives as long as node_template's. */
bool pod_labels(struct active *l, struct node *n, struct val *out, struct err *e);
/* For a command that is stored already; live NULL: of a workflow that is over. */
struct job *job_known(struct exec *x, struct active *l, struct node *n, uint32_t part, int64_t id);
struct job *job_of(const struct active *l, const struct node *n, uint32_t part);
void job_queue(struct job *j); /* it waits for a slot */
void job_waits(struct job *j, struct str why); /* for something else: its node says so; absent: not any more */
/* It sees the input artifacts: all but a container beside main that does not mirror its mounts. */
bool job_has_inputs(const struct job *j);
void job_list_push(struct job_list *list, struct job *j);
struct job *job_list_pop(struct job_list *list);
void job_list_leave(struct job *j); /* whichever it is in, if any */
void jobs_committed(struct exec *x);
void jobs_dropped(struct exec *x); /* rolled back: what was decided never was */
void job_event(struct job *j, const struct step_outcome *how);
void job_result(struct job *j, const struct step_result *r);
void job_failed(struct job *j, const char *text);
void job_progress(struct job *j, struct str line); /* of its progress file */
void job_forget(struct job *j);
void job_kill(struct job *j);
void slots_settled(struct exec *x); /* everything is committed */
void jobs_orphan(struct active *l); /* a workflow that is over leaves no step at work */

/* budget.c: what steps ask for of this machine. Pods hold it, from before their first container starts until they
 * are over; who must wait does so in the order of asking, and those who ask for nothing pass. */
bool budget_open(struct exec *x, struct err *e);
void budget_close(struct exec *x);
struct job_list *budget_list(struct job *j); /* where it waits: for its turn when it asks for nothing, or its pod has it already */
void budget_serve(struct exec *x); /* those whose turn it is */
void budget_committed(struct exec *x);
void budget_adopt(struct job *j); /* it runs, whatever it asked for */
void budget_leave(struct job *j); /* the job is over */
void budget_settle(struct active *l, struct node *n); /* and perhaps its pod */
void budget_drop(struct active *l, struct node *n);   /* as if it had never begun */
void budget_run_over(struct active *l);
/* Which devices it sees, for pod_input. */
bool budget_devices(struct job *j, struct str out[POD_RESOURCES], struct err *e);

/* groups.c: control groups */
bool groups_sweep(struct exec *x, struct err *e); /* what dead supervisors of engines before this one left */
void groups_apply(struct job *j, struct step_limits *limits); /* where there are none, that is told once for each run */
void groups_slot_dead(struct exec *x, const char *slot); /* it could not remove its own */
void groups_close(struct exec *x);

/* probe.c, try.c: what is asked of a container that runs */
/* SIGTERM, after its preStop hook if it has one; the grace period (0: its own) is for both. */
void job_terminate(struct job *j, uint32_t grace_ms);
bool job_has_post_start(struct job *j); /* then it has started at once */
bool probes_are_ending(const struct job *j); /* its preStop hook is under way */
void job_await_begin(struct job *j); /* what runs in an engine's container runs once that has begun, which is told then */
void job_tell_started(struct job *j);
void probes_begin(struct job *j);
void probes_free(struct job *j); /* none is fine */
void probes_answered(struct job *j, uint32_t number, bool good); /* an exec probe: by its supervisor */

/* network.c */
bool networks_prepare(struct exec *x, struct err *e);
void networks_close(struct exec *x);
struct pod_network *pod_network_of(const struct active *l, struct node *n); /* NULL: the host's */
bool pod_network_take(struct job *j, struct pod_network **out, struct err *e); /* its pod's, made when there is none; NULL: the host's */
void pod_network_known(struct job *j, int fd, struct str address); /* takes fd */
void pod_network_drop(struct active *l, struct node *n); /* when the pod is over */
void pod_networks_free(struct active *l);

/* request.c */
bool request_new(struct active *l, struct node *n, struct err *e);
bool request_cancel(struct active *l, const struct node *n, struct err *e); /* in the open transaction */
bool request_restore(struct exec *x, struct active *l, const struct command_row *c, struct err *e);
void requests_committed(struct exec *x); /* those that are decided may be made, */
void requests_run(struct exec *x);       /* and are at the end of the turn */
void requests_dropped(struct exec *x);   /* rolled back: they never were */
void requests_orphan(struct active *l);
void requests_close(struct exec *x);

/* place.c */
bool place_is_remote(const struct val *art);
enum artifact_archive place_archive(const struct val *art);
/* Texts, secrets included, live in the arena. */
bool place_remote(struct active *l, struct arena *a, const struct val *art, struct remote *out, struct err *e);

/* transfer.c */
bool transfer_fetch(struct job *j); /* false: there is nothing to fetch. Else it is queued later, or fails */
struct str transfer_key(struct arena *a, const struct job *j, struct str name); /* of what was fetched */
bool transfer_forget_inputs(struct job *j, struct err *e); /* in the open transaction; the step is over */
/* False: there is nothing to send (any more). Else job_result is called again later with the same result. */
bool transfer_send(struct job *j, const struct step_result *r);
bool transfer_sent(const struct job *j, struct str name, struct err *e); /* meanwhile: was it sent? */
void transfer_leave(struct job *j);  /* the job is gone, its transfer soon */
void transfer_cancel(struct job *j); /* it fails soon */
void transfers_close(struct exec *x);

/* images.c: what `image:` means to a job that is being started (pod.h, pod_images). False with j->pull: the job is to
 * wait for its image (JOB_PULLING), and is queued again. */
bool job_image(void *job, struct arena *a, struct str name, struct str policy, struct image *out, struct err *e);
void job_pull_leave(struct job *j);
void images_close(struct exec *x);

/* lane.c */
void jobs_dispatch(struct exec *x);
bool lane_is_free(const struct exec *x); /* one more of those that take a place may begin */
bool job_adopt(struct job *j, struct slot *s, struct err *e);
void lane_kill(struct lane *l, int signo, uint32_t grace_ms);
void lanes_close(struct exec *x);

/* build.c */
/* Where an input artifact is: a file, or its content. */
bool input_single(struct job *j, const struct val *art, struct pod_artifact *out, struct err *e);
bool job_plan(struct job *j, const struct pod_network *net, struct pod_plan *plan, struct err *e); /* net NULL: the host's */
/* What the containers of one pod share: <state>/pods/<uid of the run>/<index of the pod's node>. */
struct str pod_dir_path(struct arena *a, const struct active *l, struct node *n);
bool plan_prepare(struct exec *x, const struct pod_plan *plan, struct err *e);

/* container.c: --runtime=container */
bool containers_open(struct exec *x, struct err *e);
bool container_plan(struct job *j, const struct pod_input *in, struct pod_plan *plan, struct err *e);
bool container_is(struct exec *x, int64_t step); /* it may have a container now, whatever the runtime is */
struct str container_name(struct arena *a, const struct job *j);
/* What runs an exec probe's command in the container of that name. */
struct step_strs container_probe_words(struct exec *x, struct str name, struct step_strs words);
struct step_strs container_begun_words(const struct job *j); /* what ends once its container has begun */
void container_result(const struct job *j, struct step_result *r); /* what its end was in truth */

/* keys.c: names in the repository */
struct inputs {
    struct pod_artifact *items;
    size_t n, cap;
};
/* Fills in the last entry of `to`, or puts several in its place. */
bool input_from_repository(struct job *j, const struct val *art, struct inputs *to, struct err *e);
void content_drop(struct exec *x, struct str id); /* its files go on the pool, at the end of the turn */
struct str path_base_name(struct str path); /* as Go's filepath.Base: slashes at the end do not count */
const struct val *output_declared(const struct val *tmpl, struct str name); /* the output artifact of that name, or NULL */
bool output_key(struct job *j, const struct val *tmpl, const struct val *art, struct str *out, struct err *e);
bool log_key(struct job *j, const struct val *tmpl, struct str container, struct str *out, struct err *e);
bool logs_are_archived(struct job *j, const struct val *tmpl);

/* outcome.c */
/* Phase, exit code and message; then the output parameters. */
void outcome_end(struct arena *a, const struct step_result *r, struct step_outcome *out);
void outcome_params(struct arena *a, const struct step_result *r, struct step_outcome *out);
bool job_outcome(struct job *j, const struct step_result *r, struct step_outcome *out, struct err *e);

/* What is private to a step goes, but never between a step and the next one. */
void step_clean_later(struct exec *x, int64_t step);
void rubbish_add(struct exec *x, const char *path, bool of_step);
void rubbish_remove(struct exec *x);
void pods_dir_drop(const struct active *l); /* the run is over */
void pod_dir_drop(struct active *l, struct node *n); /* of a container whose pod is over */

/* load.c */
bool run_restore(struct active *l, struct err *e); /* from its rows */
bool exec_load(struct exec *x, struct err *e);
/* What became of a step whose supervisor is not connected: one of an engine before this one, or one
 * whose supervisor has just died (its journal is in exec.past then). */
bool job_seek(struct job *j, struct err *e);
void jobs_seek(struct exec *x); /* asks for those in exec.sought again */

/* retire.c: what goes by itself */
bool artifact_gc_note(struct active *l, const struct val *art, struct str key, struct err *e);
bool retire_step(struct active *l, struct node *n, int64_t step, struct err *e);
bool retire_run(struct active *l, struct err *e); /* it is over: in the transaction of its end */
bool retire_due(struct exec *x, struct err *e);
bool run_rows_delete(struct exec *x, const struct run_row *row, struct err *e); /* rows now, files with the commit */
void retired_remove(struct exec *x); /* committed */
void retired_keep(struct exec *x);   /* rolled back */

/* measure.c */
void job_move(struct job *j, enum job_state to);
void measure_pod_end(struct job *j, bool good);
void measure_commit(struct exec *x, bool durable, int64_t from_us); /* it is done */
void measure_locks(struct exec *x); /* from now on */
void measure_run(struct active *l, const struct run_row *row);      /* as it is stored now */

/* timetable.c; with none nothing happens */
struct timetable *timetable_new(struct exec *x, struct err *e);
void timetable_free(struct timetable *t);
/* Before a commit: whatever is due, or has changed in the transaction. What is rolled back (exec_rollback) it has not seen. */
bool timetable_turn(struct exec *x, struct err *e);
void timetable_note(struct exec *x, const struct val *workflow); /* it has begun or ended, goes, or is at work again */

/* metrics.c */
bool metrics_reload(struct exec *x, struct err *e); /* as they are stored */
bool active_metrics(struct active *l, const struct outbox *out, bool *told, struct err *e);

/* lookup.c */
#define EXEC_DOC_KEY "doc/" /* + "KIND/NAME": the run's value that keeps a template document which it has used */
const struct val *exec_lookup(void *ctx, struct str kind, struct str ns, struct str name);
struct pod_lookup pod_lookup_of(struct active *l);
