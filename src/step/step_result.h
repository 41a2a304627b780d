/* How a step ended, and its wire form: what a supervisor writes into its journal and tells the engine. What
 * supervisors of earlier versions wrote is read, too. Damaged bytes fail their checksum. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum step_end {
    STEP_END_EXIT,   /* exit_code */
    STEP_END_SIGNAL, /* signo */
    STEP_END_ERROR,  /* never ran, or its outputs could not be saved: `error` says why */
    STEP_END_LOST,   /* its supervisor died with it */
    STEP_END_MAX
};

enum step_form { STEP_FORM_MISSING, STEP_FORM_FILE, STEP_FORM_DIR, STEP_FORM_MAX };

struct step_param_out {
    struct str name;
    bool found;
    struct str value;
    struct str error; /* why it was not found, when it is more than "no such file" */
};

struct step_artifact_out {
    struct str name;
    enum step_form form; /* saved as <work>/outputs/<name> */
    uint64_t size;       /* of a file; of a directory the sum over its files when it was copied, else 0 */
    bool moved;          /* renamed, not copied */
    uint64_t left_out;   /* files and directories in it that the step itself may not read */
    struct str error;
};

struct step_rusage {
    uint64_t user_us, system_us;
    uint64_t max_rss_bytes;
    uint64_t read_blocks, write_blocks; /* of 512 bytes */
};

struct step_result {
    uint64_t id;
    enum step_end end;
    int32_t exit_code, signo;
    bool killed;       /* slot_kill was called before it ended */
    uint64_t memory_limit; /* the kernel killed in it because it would have used more bytes than these; 0: it did not */
    struct str error;  /* STEP_END_ERROR: `executable "x" not found`, ...; also for LOST */
    int32_t error_sys; /* errno behind it, or 0 */
    int64_t started_us, finished_us; /* wall clock */
    struct step_rusage rusage;
    bool has_result;   /* stdout was captured */
    bool result_cut;   /* only its tail is kept */
    struct str result; /* one trailing newline dropped */
    bool log_cut;      /* log_max_bytes was reached */
    struct {
        struct step_param_out *items;
        size_t n;
    } params; /* in the order of the spec */
    struct {
        struct step_artifact_out *items;
        size_t n;
    } artifacts;
};

/* 0..255: the exit code, or 128 + signal; -1 for ERROR and LOST. */
int step_result_status(const struct step_result *r);
bool step_result_encode(const struct step_result *r, struct buf *out, struct err *e);
/* Texts point into `bytes`. */
bool step_result_decode(struct arena *a, struct str bytes, struct step_result *out, struct err *e);
