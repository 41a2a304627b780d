/* A slot supervisor: one small single-threaded process that runs one step at a time.
 *
 * States: idle (waits for START; ends when the engine's socket closes), busy, busy alone (the engine
 * is gone: listens on <state>/run/<id>.sock until the step has ended and its RESULT is written).
 * While busy it holds a flock on the step's directory: whoever can take it knows that nobody runs
 * that step. Runs on: its own process. */
#pragma once
#include "step/collect_p.h"
#include "step/launcher_p.h"
#include "step/sandbox_p.h"
#include "step/steplog_p.h"

struct run {
    struct step_spec spec;
    struct plan plan;
    struct steplog log;
    struct step_result result;
    int dir_fd; /* <state>/steps/<id>, locked */
    bool over;  /* it had a RESULT already: that is `result` */
    int pipes[STEPLOG_STREAMS];
    pid_t init_pid;
    int init_pidfd;
    int64_t kill_at_ms; /* SIGKILL then; 0 = no kill under way */
    int64_t tell_at_ms; /* the engine hears then that the step runs; 0 = it has */
};

struct supervisor {
    int sock; /* the engine, or -1 */
    int listener;
    bool alone; /* the engine that opened the slot is gone: end after this step */
    int null_fd, self_pidfd, run_dir;
    bool plain;
    bool realtime; /* at SCHED_FIFO 1 */
    const char *state_dir; /* as this process sees it */
    struct sandbox sb;
    struct err broken; /* code != 0: the sandbox could not be built */
    struct child_stacks *stacks;
    struct arena arena; /* of the current step */
    struct run run;
};

/* Never returns. `config` is the encoded slot_config. */
NORETURN void supervisor_main(int sock, struct str config);
bool slot_config_decode(struct arena *a, struct str bytes, struct slot_config *c, struct err *e);

/* run.c: from START to the result. The result is complete (in sv->run.result) when it returns. */
void run_step(struct supervisor *sv, struct str spec_bytes);
void run_clean(struct supervisor *sv); /* afterwards: frees everything, removes work files */
/* supervisor.c, called while busy: */
void supervisor_started(struct supervisor *sv);
void supervisor_engine_event(struct supervisor *sv); /* the socket or the listener is readable */
/* run.c */
void run_kill(struct supervisor *sv, int signo, uint32_t grace_ms);
