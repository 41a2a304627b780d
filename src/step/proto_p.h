/* Messages between engine and supervisors (seqpacket): a fixed head and a body, which travels inline
 * or, when large, in a memory file whose descriptor is passed. Both sides check version and lengths.
 * Runs on: both sides. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { PROTO_VERSION = 2, PROTO_INLINE_BYTES = 32 << 10 };

enum proto_kind {
    PROTO_OPEN = 1, /* engine -> launcher: slot configuration, with the supervisor's socket and journal, and perhaps the user
                     * namespace that it is to be in */
    PROTO_START,    /* engine -> supervisor: a step_spec; b = 1: get ready for another one afterwards; with what is to be
                     * held open until the step is over, if anything */
    PROTO_KILL,     /* engine -> supervisor: a = signal, b = grace in ms */
    PROTO_HELLO,    /* supervisor -> adopting engine: id, a = pid, time_us = start */
    PROTO_STARTED,  /* supervisor -> engine: as HELLO, of a step that has run for LIMIT_STEP_QUIET_MS */
    PROTO_RESULT,   /* supervisor -> engine: a step_result */
    PROTO_PROGRESS, /* supervisor -> engine: the last line of the step's progress file */
    PROTO_PROBE,    /* engine -> supervisor: run a command beside the step; a = number, b = time-out in ms; words */
    PROTO_PROBED,   /* supervisor -> engine: a = exit code, or PROTO_PROBE_NONE; b = number */
    PROTO_NET,      /* engine -> launcher: a keeper of networks, with its socket; engine -> keeper: give one, or, with a
                       descriptor and its address, take one back; keeper -> engine: these, or what is wrong */
    PROTO_KIND_MAX
};

/* What comes along with a START, in this order; in a. */
enum { PROTO_START_HOLD = 1, PROTO_START_NET = 2 };
enum { PROTO_PROBE_NONE = -1 /* it did not end in time, or could not be started */ };

struct proto_head {
    uint32_t version, kind;
    uint64_t id;
    int64_t time_us;
    int32_t a;
    uint32_t b;
    uint64_t body; /* length; > PROTO_INLINE_BYTES: in the passed memory file */
};

enum proto_got { PROTO_MESSAGE, PROTO_NONE /* would block */, PROTO_CLOSED /* or broken */ };

enum { PROTO_PASSED = 3 };

/* `pass` (may be NULL) are up to PROTO_PASSED descriptors that are sent along; -1 ends them. */
bool proto_send(int sock, struct proto_head *h, struct str body, const int *pass, struct err *e);
/* The body lives in the arena. `passed` (may be NULL) gets the descriptors that came along, then -1. */
enum proto_got proto_recv(int sock, struct arena *a, struct proto_head *h, struct str *body, int *passed);
