/* A slot supervisor: one small single-threaded process that runs one step at a time.
 *
 * States: idle (waits for START; ends when the engine's socket closes), busy, busy alone (the engine
 * is gone: listens on <state>/slots/<name>.sock until the step has ended and its result is in the
 * journal). It holds the journal's lock as long as it lives. Runs on: its own process. */
#pragma once
#include "step/collect_p.h"
#include "step/groups_p.h"
#include "step/launcher_p.h"
#include "step/sandbox_p.h"
#include "step/steplog_p.h"

/* What a step says about its progress. */
struct progress {
    int watch;      /* of the directory; -1: it is looked at every few seconds instead */
    int64_t due_ms; /* it may have changed: looked at then; 0 = nothing is new */
    int64_t looked_ms;
    bool unwatched; /* it has just begun: its watch comes with the first look */
    bool there;     /* its file was seen */
    char last[128]; /* line that was told */
};

/* A command that runs beside the step. */
struct probe {
    pid_t pid;
    int pidfd; /* -1: none */
    int64_t kill_at_ms;
};

struct run {
    struct step_spec spec;
    struct plan plan;
    struct steplog log;
    struct step_result result;
    struct step_dir dir;
    pid_t pid;
    int pidfd; /* -1: it has ended */
    int64_t kill_at_ms; /* SIGKILL then; 0 = no kill under way */
    int net_fd;         /* its network namespace; -1: the host's, or one that it alone has */
    struct progress progress;
    struct probe probes[SLOT_PROBES];
    int64_t tell_at_ms; /* the engine hears then that the step runs; 0 = it has */
};

struct supervisor {
    int sock; /* the engine, or -1 */
    int journal;
    const char *name; /* of the journal */
    int listener;
    bool alone; /* the engine that opened the slot is gone: end after this step */
    int null_fd, slots_dir;
    int inotify; /* -1: not needed yet, or there is none */
    int pipes[STEPLOG_STREAMS]; /* what the step prints: read ends, */
    int write_ends[STEPLOG_STREAMS]; /* and the others, open so that a step's end is one wake-up, not three */
    bool plain;
    bool realtime; /* at SCHED_FIFO 1 */
    const char *state_dir; /* as this process sees it */
    struct sandbox sb;
    struct err broken; /* code != 0: the sandbox could not be built */
    char *stack;
    struct plan_common *common;
    struct groups groups;
    struct child_ready ready; /* of a step that is still to come */
    enum step_tier last_tier;
    struct arena arena; /* of the current step */
    struct run run;
};

/* What the launcher gives it. */
struct supervisor_birth {
    int sock, journal;
    struct slot_config config;
    bool user_ns; /* it is in a user namespace, */
    bool mapped;  /* which is mapped already; else to these: */
    uid_t uid;
    gid_t gid;
    struct err broken; /* code != 0: what no step can be run for */
};

NORETURN void supervisor_main(const struct supervisor_birth *b);
bool slot_config_decode(struct arena *a, struct str bytes, struct slot_config *c, struct err *e);

/* run.c: from START to the result. The result is complete (in sv->run.result) when it returns. */
void run_step(struct supervisor *sv, struct str spec_bytes, int net_fd); /* takes net_fd */
void run_clean(struct supervisor *sv); /* afterwards: frees everything */
/* The view of a next step like the last one is made before it comes. */
void run_get_ready(struct supervisor *sv);
/* supervisor.c, called while busy: */
void supervisor_started(struct supervisor *sv);
void supervisor_engine_event(struct supervisor *sv); /* the socket or the listener is readable */
void supervisor_probed(struct supervisor *sv, uint32_t number, int code);
void supervisor_progress(struct supervisor *sv, struct str line);
/* run.c */
void run_kill(struct supervisor *sv, int signo, uint32_t grace_ms);
/* progress.c: while a step runs */
void progress_prepare(struct supervisor *sv); /* before it starts: it may write at once */
void progress_begin(struct supervisor *sv);
int progress_fd(const struct supervisor *sv); /* to be read, or -1 */
void progress_event(struct supervisor *sv);   /* it can be */
void progress_look(struct supervisor *sv);
void progress_again(struct supervisor *sv);   /* another engine has come: it knows nothing */
void progress_end(struct supervisor *sv);
/* probe.c: commands beside the step */
void probes_init(struct supervisor *sv);
void probe_start(struct supervisor *sv, uint32_t number, uint32_t timeout_ms, struct str words);
int64_t probes_clock(struct supervisor *sv, int64_t now_ms); /* kills what is late; when the next will be, INT64_MAX: none */
void probe_event(struct supervisor *sv, uint32_t number);    /* it has ended */
void probes_end(struct supervisor *sv); /* the step has ended, and they with it */
