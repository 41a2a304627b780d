/* What a step prints: CRI log lines in <step_dir>/main.log, secrets masked, and the tail of stdout
 * for outputs.result. Masking works on the byte stream, before lines are cut, so that a secret is
 * found across reads and across the borders of long lines. The file is made with the first output.
 * Runs on: supervisors. */
#pragma once
#include "base/limits.h"
#include "base/str.h"
#include "step/step_dir_p.h"
#include "step/step_spec.h"

enum steplog_stream { STEPLOG_OUT, STEPLOG_ERR, STEPLOG_STREAMS };

struct steplog_in {
    struct buf held; /* the beginning of a possible secret */
    struct buf line;
};

struct steplog {
    struct step_dir *dir;
    int fd;
    const struct step_spec *spec;
    size_t longest;        /* secret */
    uint8_t first[32];     /* bitmap: bytes that a secret begins with */
    struct steplog_in in[STEPLOG_STREAMS];
    struct buf out;
    struct buf tail;       /* stdout */
    uint64_t tail_total, written;
    bool cut;              /* log_max_bytes reached or the disk is full */
    int64_t second;        /* that `stamp` is for */
    char stamp[80];
};

void steplog_init(struct steplog *l, struct step_dir *dir, const struct step_spec *spec);
void steplog_feed(struct steplog *l, enum steplog_stream s, const char *p, size_t n);
void steplog_end(struct steplog *l); /* writes what is held back, closes the file */
struct str steplog_result(const struct steplog *l, bool *was_cut);
void steplog_fini(struct steplog *l);
