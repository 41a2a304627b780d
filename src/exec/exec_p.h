/* Private to src/exec. */
#pragma once
#include "artifact/artifact.h"
#include "base/vec.h"
#include "config/images.h"
#include "engine/throttle.h"
#include "exec/exec.h"
#include "pod/pod.h"
#include "step/launcher.h"
#include "step/past.h"

enum {
    FRESH_US = 10000, /* a step younger than this counts as busy starting */
    TELL_US = 30000,  /* a step that runs for so long is shown as Running; a shorter one only at its end */
    SEEK_US = 5000,   /* until a supervisor that did not answer is asked again */
    WAIT_US = 5000,   /* a transaction stays open so long while committed steps are still to be started */
};

struct job;

/* A run in memory. */
struct active {
    struct exec *x;
    int64_t id;
    struct arena arena; /* of the workflow value */
    struct val workflow;
    struct run *run;
    struct throttle_item *ticket; /* NULL: it has ended */
    bool over;
    bool stale;        /* stands in exec.stale */
    size_t at;         /* in exec.lives */
    size_t n_jobs;     /* not ended */
    struct job **jobs; /* by node index; NULL: no job */
    size_t cap_jobs;
};

enum job_state {
    JOB_DECIDED, /* its command is in the open transaction */
    JOB_QUEUED,  /* committed; waits for a slot */
    JOB_STOPPED, /* was told to end before it began: ends at the end of the turn */
    JOB_SOUGHT,  /* an engine before this one started it: its supervisor does not answer yet */
    JOB_RUNNING, /* a supervisor has it */
    JOB_ENDED,
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
    int64_t id; /* of the command, and of the step */
    enum job_state state;
    bool killed, told_started;
    bool fresh;     /* counts in exec.fresh */
    bool in_kills;  /* stands in exec.kills */
    size_t at;      /* in exec.jobs */
    int64_t started_us; /* monotonic */
    struct lane *lane;
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
};

struct exec {
    struct exec_opts o;
    struct store *store;
    struct artifact_repo *repo;
    struct arena arena;   /* as long as exec: images, paths */
    struct arena scratch; /* of one operation */
    struct image_map *images;
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
    bool plain;  /* --runtime=none */
    struct locks *locks; /* of all runs */
    struct throttle *throttle;
    bool pumping;        /* locks_pump is at work */
    VEC(struct active *) lives;
    VEC(struct active *) begun; /* submitted in the open transaction */
    VEC(struct active *) over;  /* ended in it */
    VEC(struct active *) stale; /* their own status changed in it: written once, before the commit */
    VEC(struct job *) jobs;     /* not ended */
    VEC(struct job *) decided;
    VEC(struct job *) kills;    /* to be signalled after the commit */
    struct job_list queue, stopped, sought;
    struct job_list young;      /* running, not yet shown so; in the order of their start */
    VEC(struct job *) fresh;    /* as many as may start at once, at most */
    VEC(struct lane *) lanes;
    VEC(struct lane *) idle;    /* of those, ready for a step */
    struct past *past;          /* journals of slots that are not lanes any more */
    VEC(char *) old_slots;      /* closed; their journals go with the next commit */
    uint32_t running, max_running, max_fresh;
    uint32_t quiet; /* with fewer new steps than this a processor is idle */
    bool realtime; /* engine and supervisors run at SCHED_FIFO 1 */
    VEC(char *) rubbish; /* paths that a worker is to remove, after what is urgent */
};

/* run.c */
struct active *active_new(struct exec *x, int64_t id, const struct val *workflow);
struct active *active_of(const struct exec *x, int64_t run); /* NULL: none */
void active_free(struct active *l);
void active_forget(struct active *l);
bool active_persist(struct active *l, const struct outbox *out, struct err *e);
bool active_event(struct active *l, const struct outbox *out, struct err *e); /* persist and act */
bool actives_flush(struct exec *x, struct err *e); /* the stale ones */
void actives_reap(struct exec *x); /* finished ones leave memory; the others are committed now */
void actives_drop(struct exec *x); /* those whose submission was rolled back */
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
struct job *job_new(struct active *l, struct node *n, struct err *e);
/* For a command that is stored already; live NULL: of a workflow that is over. */
struct job *job_known(struct exec *x, struct active *l, struct node *n, int64_t id);
struct job *job_of(const struct active *l, const struct node *n);
void job_list_push(struct job_list *list, struct job *j);
struct job *job_list_pop(struct job_list *list);
void jobs_committed(struct exec *x);
void jobs_dropped(struct exec *x); /* rolled back: what was decided never was */
void job_event(struct job *j, const struct step_outcome *how);
void job_result(struct job *j, const struct step_result *r);
void job_failed(struct job *j, const char *text);
void job_forget(struct job *j);
void job_kill(struct job *j);
void slots_settled(struct exec *x); /* everything is committed */
void jobs_orphan(struct active *l); /* a workflow that is over leaves no step at work */

/* lane.c */
void jobs_dispatch(struct exec *x);
bool job_adopt(struct job *j, struct slot *s, struct err *e);
void lane_kill(struct lane *l, int signo, uint32_t grace_ms);
void lanes_close(struct exec *x);

/* build.c */
bool job_plan(struct job *j, struct pod_plan *plan, struct err *e);
bool plan_prepare(struct exec *x, const struct pod_plan *plan, struct err *e);

/* outcome.c */
/* Phase, exit code and message; then the output parameters. */
void outcome_end(struct arena *a, const struct step_result *r, struct step_outcome *out);
void outcome_params(struct arena *a, const struct step_result *r, struct step_outcome *out);
bool job_outcome(struct job *j, const struct step_result *r, struct step_outcome *out, struct err *e);

/* What is private to a step goes, but never between a step and the next one. */
void step_clean_later(struct exec *x, int64_t step);
void rubbish_remove(struct exec *x);

/* load.c */
bool exec_load(struct exec *x, struct err *e);
/* What became of a step whose supervisor is not connected: one of an engine before this one, or one
 * whose supervisor has just died (its journal is in exec.past then). */
bool job_seek(struct job *j, struct err *e);
void jobs_seek(struct exec *x); /* asks for those in exec.sought again */

/* lookup.c */
const struct val *exec_lookup(void *ctx, struct str kind, struct str ns, struct str name);
struct pod_lookup pod_lookup_of(struct active *l);
