/* The engine at work on one machine: runs, their commits, and the steps that they start.
 *
 * The caller holds engine.lock. Events of one loop turn share one transaction, and ends of steps one
 * of up to 5 ms while every slot is busy and more starts are committed. It is committed before
 * anything that it decided is told or acted on (LOOP_HOOK_COMMIT). A start is a command row
 * first; after a crash each command is looked up at its supervisor: adopted, taken over as finished,
 * or lost. Runs on: the loop thread. */
#pragma once
#include "config/config.h"
#include "doc/val.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

struct exec;
struct launcher;

struct exec_opts {
    struct str state_dir; /* absolute */
    const struct config *config;
    struct launcher *launcher;
    struct loop *loop;
    struct str host_home;  /* hidden from steps; absent: none */
    bool restart_lost;     /* a step that was lost with a crash is started again, not an error */
    void (*on_commit)(void *user);                      /* something was committed: read the changes */
    void (*on_fail)(void *user, const struct err *e);   /* the store failed: nothing goes on */
    void *user;
};

/* Opens the store and takes over every unfinished run in it. */
struct exec *exec_open(const struct exec_opts *o, struct err *e);
/* Leaves: steps at work go on under their supervisors and can be adopted later. NULL is fine. */
void exec_close(struct exec *x);

struct store *exec_store(struct exec *x);
/* Opens the turn's transaction if it is not open yet. What goes into it is committed at the end of
 * the turn, or now and on the disk by exec_commit. */
bool exec_begin(struct exec *x, struct err *e);
bool exec_commit(struct exec *x, struct err *e);
/* Forgets what was submitted since exec_begin; call exec_commit before exec_begin, so that nothing
 * else of this turn is in the transaction. */
void exec_rollback(struct exec *x);

/* Stores a complete Workflow object and starts it, in the open transaction. The value is copied. */
bool exec_submit(struct exec *x, const struct val *workflow, int64_t *out_run, struct err *e);
/* NOT_FOUND when no such run is at work. */
bool exec_stop(struct exec *x, int64_t run, enum stop_strategy how, struct err *e);
bool exec_has_run(const struct exec *x, int64_t run);
size_t exec_active_runs(const struct exec *x);
/* Stored objects or limits have changed: semaphores look their limits up again. */
void exec_limits_changed(struct exec *x);
/* SIGKILL for every step of the run now. */
void exec_kill(struct exec *x, int64_t run);
/* Once per process: a sentence about weaker isolation than the default; absent when there is none. */
struct str exec_notice(const struct exec *x);

/* Where the log of a node's latest step lies; absent when it never started. */
struct str exec_step_log_path(struct arena *a, struct str state_dir, int64_t step_id);
