/* Reading the log files of steps, which supervisors write in CRI form, one record a line:
 * "2026-11-21T23:55:21.123456789Z stdout F text"; P instead of F: the line goes on in the next
 * record of that stream.
 *
 * Records of one file are in time order. A last line without newline is still being written: it is
 * left for later while following and shown when the file is finished. Lines that are no CRI record
 * are shown whole, with the time of the record before. Files are opened only while they are read,
 * so any number can be merged. Runs on: any thread (one per object). */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

enum logs_stream { LOGS_STDOUT, LOGS_STDERR };

struct logs_record {
    int64_t time_ns;
    enum logs_stream stream;
    bool partial;    /* P: no line end after the text */
    struct str text; /* without prefix and newline */
};
/* One line without its newline; false: not of CRI form. */
bool logs_record_parse(struct str line, struct logs_record *out);

struct logs_query {
    int64_t since_ns; /* 0: all */
    int64_t tail;     /* last N lines of each source; 0: all; LOGS_TAIL_NONE: nothing that is there */
    int64_t bytes; /* 0: all; so many of each source, counted as Kubernetes does: lines with their times, before grep */
    struct str grep;  /* of these, only lines with this regular expression; absent: all */
};
enum { LOGS_TAIL_NONE = -1 };
/* `tail` for what options say, where -1 means all and 0 none. */
static inline int64_t logs_tail_of(int64_t lines) { return lines < 0 ? 0 : lines == 0 ? LOGS_TAIL_NONE : lines; }

/* One line as a user reads it: P records joined. One longer than LIMIT_LOG_JOIN_BYTES comes in
 * pieces. */
struct logs_line {
    size_t source;   /* index of the file it came from */
    int64_t time_ns; /* of its first record */
    enum logs_stream stream;
    struct str text;
};
/* `line` is valid until it returns; false with `e` set stops. */
typedef bool logs_line_fn(void *ctx, const struct logs_line *line, struct err *e);

struct logs_source {
    const char *path; /* a missing file has no lines (the step has not begun) */
    bool finished;    /* nothing will be appended */
};

/* Reads what is there: all sources merged in time order (ties: source order). */
bool logs_read(const struct logs_source *sources, size_t n, const struct logs_query *q, logs_line_fn *each,
               void *ctx, struct err *e);

/* Follows files that grow: first what is there (merged, as logs_read), then new lines in the order of their arrival. Files are
 * watched as paths of `l` (loop.h), so any number may be followed; `ready` is called from the loop when there may be
 * something new, and then not before the next look. Without a loop nothing is awaited. Runs on: the loop thread. */
struct logs_follow;
struct logs_follow *logs_follow_open(struct loop *l, const struct logs_query *q, loop_fn *ready, void *user, struct err *e);
void logs_follow_close(struct logs_follow *f); /* NULL is fine */
/* A source more; its number comes back in *index. Neither the file nor its directory need exist yet. */
bool logs_follow_add(struct logs_follow *f, const struct logs_source *source, size_t *index, struct err *e);
/* The step is over: what is still unread is the rest, and an unfinished last line counts. */
void logs_follow_finish(struct logs_follow *f, size_t index);
/* Emits what is new. Call it once after adding or finishing sources too. */
bool logs_follow_read(struct logs_follow *f, logs_line_fn *each, void *ctx, struct err *e);
/* The same in two steps, for readers that must not be kept. First: what is to be read. */
bool logs_follow_look(struct logs_follow *f, struct err *e);
/* Then a piece of it: ends when `each` has called logs_follow_hold, or after about `bytes` of the files. *more: something was
 * left, and comes with the next piece. May run on another thread, as long as nothing but logs_follow_quit is called meanwhile. */
bool logs_follow_piece(struct logs_follow *f, int64_t bytes, logs_line_fn *each, void *ctx, bool *more, struct err *e);
/* From inside `each`: this line is not taken; the next piece begins with it. */
void logs_follow_hold(struct logs_follow *f);
/* Nothing is awaited any more, and `ready` is not called again. */
void logs_follow_quit(struct logs_follow *f);

/* "TIME text\n" (timestamps) or "text\n", as `argo logs` prints it. */
void logs_line_format(struct buf *b, const struct logs_line *line, bool timestamps);
