/* The engine's side of running steps: the launcher process and slots.
 *
 * The engine process never forks: launcher_start is the first thing in main, before threads and
 * library state, and forks a tiny single-threaded launcher that makes the slot supervisors. Should
 * somebody kill it, the next one is the program executed anew. A slot runs one step at a time. An idle supervisor exits when the engine does; a busy one outlives it,
 * holds the lock of its journal and waits to be adopted (past.h). Runs on: one thread. */
#pragma once
#include "step/step_result.h"
#include "step/step_spec.h"

struct launcher;
struct slot;

/* First thing in main: does not return in a process that was made to be a launcher. */
void launcher_take_part(int argc, char **argv);
/* Forks the launcher. argv is what main got: the child blanks its copy of the arguments and the
 * environment, which steps could read otherwise (/proc/1/cmdline). NULL argv: not blanked. */
struct launcher *launcher_start(int argc, char **argv, struct err *e);
/* Closes the connection; the launcher ends. Slots are not affected. NULL is fine. */
void launcher_stop(struct launcher *l);

struct slot_config {
    struct str state_dir;    /* absolute; has (or gets) slots/ and steps/ */
    struct str name;         /* set by slot_open: the slot's journal is <state_dir>/slots/<name> */
    bool plain;              /* no sandbox at all: for STEP_TIER_NONE, and for nothing else */
    struct step_strs masked; /* hidden from steps besides the state directory: the caller's $HOME */
    struct str tools;        /* a host directory that steps in a sandbox see at STEP_TOOLS_DIR; absent: none */
    uint64_t scratch_bytes;  /* default size of a step's private tmpfs; 0 = min(25 % RAM, 2 GiB) */
    bool durable;            /* the journal is found after a power cut, too: for steps with fsync_result */
    bool realtime;           /* the supervisor runs at SCHED_FIFO 1 when permitted; steps do not */
};

/* Asks the launcher for a supervisor. It gets ready in the background; a failure to build the
 * sandbox is reported as STEP_END_ERROR by the first step. `user_ns`: that of the networks that its steps are to enter
 * (nets.h), which the caller keeps, or -1. */
struct slot *slot_open(struct launcher *l, const struct slot_config *c, int user_ns, struct err *e);
/* Leaves the slot: an idle supervisor exits, a busy one goes on alone; the journal stays. NULL is fine. */
void slot_close(struct slot *s);
int slot_fd(const struct slot *s); /* poll for reading, then slot_read until SLOT_NOTHING */
bool slot_busy(const struct slot *s);
const char *slot_name(const struct slot *s); /* of its journal: see past.h */

struct slot_start_opts {
    bool quiet;  /* processors are idle, so that the supervisor may prepare a next step while this one's end is looked at */
    int hold_fd; /* kept open until the step's outputs are collected; -1: none */
    int net_fd;  /* the network namespace of a step with private_net (nets.h), which the slot keeps while the step runs; -1: none */
};
/* Hands over an encoded step_spec; the slot must be idle. `id` is the spec's. The caller keeps its descriptors. */
bool slot_start(struct slot *s, const struct step_spec *spec, struct str bytes, const struct slot_start_opts *o, struct err *e);
/* Signals the step's process group; SIGKILL for everything after grace_ms. */
bool slot_kill(struct slot *s, int signo, uint32_t grace_ms, struct err *e);

enum { SLOT_PROBES = 6 }; /* at once, each with a number below this */
/* Runs a command in the sandbox of the step that runs (with `probed` in its description): its root, environment,
 * directory and user, no output. Killed after timeout_ms. */
bool slot_probe(struct slot *s, uint32_t number, const struct step_strs *argv, uint32_t timeout_ms, struct err *e);

enum slot_event_kind {
    SLOT_NOTHING, /* no event now */
    SLOT_STARTED, /* pid, time_us: of a step that has run for a moment, or was adopted; then net_fd, and its address in line */
    SLOT_PROGRESS, /* line: what the step says about its progress, as it stands in its file */
    SLOT_PROBED,  /* number, code: what became of a command of slot_probe */
    SLOT_RESULT,  /* result; the slot is idle again (an adopted one ends) */
    SLOT_EXITED,  /* the supervisor is gone; what became of a step that it had tells its journal. Close the slot. */
};

struct slot_event {
    enum slot_event_kind kind;
    uint64_t id;
    int32_t pid;
    int64_t time_us;
    struct str line; /* lives like the result */
    int net_fd; /* the receiver's; -1: none */
    uint32_t number;
    int32_t code; /* -1: it did not end in time, or could not be started */
    struct step_result result; /* lives in the arena given to slot_read */
    size_t bytes;              /* what the result takes in the journal, about */
};
/* Never blocks. */
void slot_read(struct slot *s, struct arena *a, struct slot_event *out);
