/* Private to src/exec. */
#pragma once
#include "artifact/artifact.h"
#include "base/vec.h"
#include "config/images.h"
#include "exec/exec.h"
#include "pod/pod.h"
#include "step/launcher.h"

enum { FRESH_US = 30000 }; /* a step younger than this counts as busy starting */

struct job;

/* A run in memory. */
struct active {
    struct exec *x;
    int64_t id;
    struct arena arena; /* of the workflow value */
    struct val workflow;
    struct run *run;
    bool over;
    bool committed; /* its submission is */
};

enum job_state {
    JOB_DECIDED, /* its command is in the open transaction */
    JOB_QUEUED,  /* committed; waits for a slot */
    JOB_RUNNING, /* a supervisor has it */
    JOB_ENDED,
};

/* One step of one run: a command and what became of it. */
struct job {
    struct exec *x;
    struct active *live; /* NULL: its workflow is over */
    struct node *node;
    int64_t id; /* of the command, and of the step */
    enum job_state state;
    bool killed, told_started;
    int64_t started_us; /* monotonic */
    struct lane *lane;
};

/* A slot and its watch. */
struct lane {
    struct exec *x;
    struct slot *slot;
    struct loop_fd *watch;
    struct job *job;
    bool adopted, plain;
};

struct exec {
    struct exec_opts o;
    struct store *store;
    struct artifact_repo *repo;
    struct arena arena;  /* as long as exec: images, paths */
    struct arena scratch; /* of one operation */
    struct arena lookups; /* documents that runs look up; as long as exec */
    struct image_map *images;
    enum step_tier tier;
    struct str notice;
    struct loop_hook *commit_hook;
    struct loop_timer *timer, *fresh_timer;
    bool dirty;  /* the open transaction holds something */
    bool failed; /* the store failed; nothing goes on */
    bool plain;  /* --runtime=none */
    VEC(struct active *) lives;
    VEC(struct job *) jobs;   /* not ended */
    VEC(struct job *) queue;  /* JOB_QUEUED, in order; queue_head is the next */
    size_t queue_head;
    VEC(struct job *) decided;
    VEC(struct job *) kills;  /* to be signalled after the commit */
    VEC(struct lane *) lanes;
    uint32_t running, fresh, max_running, max_fresh;
};

/* run.c */
bool active_new(struct exec *x, int64_t id, const struct val *workflow, struct active **out, struct err *e);
void active_free(struct active *l);
bool active_persist(struct active *l, const struct outbox *out, struct err *e);
bool active_event(struct active *l, const struct outbox *out, struct err *e); /* persist and act */
void actives_reap(struct exec *x); /* finished ones leave memory; the others are committed now */
void actives_drop(struct exec *x); /* those whose submission was rolled back */
void exec_fail(struct exec *x, const struct err *e);
void timers_arm(struct exec *x);

/* job.c */
struct job *job_new(struct active *l, struct node *n, struct err *e);
struct job *job_of(struct exec *x, const struct active *l, const struct node *n);
void jobs_dispatch(struct exec *x);
void jobs_committed(struct exec *x);
void jobs_dropped(struct exec *x); /* rolled back: what was decided never was */
void job_result(struct job *j, const struct step_result *r);
void job_failed(struct job *j, const char *text);
void job_kill(struct job *j);
void jobs_orphan(struct active *l); /* a workflow that is over leaves no step at work */
void job_adopt(struct job *j, struct slot *s);
void lanes_close(struct exec *x);

/* build.c */
bool job_plan(struct job *j, struct pod_plan *plan, struct err *e);
bool plan_prepare(struct exec *x, const struct pod_plan *plan, struct err *e);

/* outcome.c */
bool job_outcome(struct job *j, const struct step_result *r, struct step_outcome *out, struct err *e);

/* load.c */
bool exec_load(struct exec *x, struct err *e);

/* lookup.c */
const struct val *exec_lookup(void *ctx, struct str kind, struct str ns, struct str name);
struct pod_lookup pod_lookup_of(struct active *l);
