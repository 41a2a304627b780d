/* Private to logs/: a reader turns one file into lines; a merge orders the lines of several. */
#pragma once
#include "logs/logs.h"

/* ---- filter.c ---- */

struct logs_filter {
    int64_t since_ns;
    int64_t bytes;       /* 0: all */
    struct pcre2 *regex; /* NULL: no grep */
};
bool logs_filter_init(struct logs_filter *f, const struct logs_query *q, struct err *e);
void logs_filter_fini(struct logs_filter *f);
bool logs_filter_keeps(const struct logs_filter *f, const struct logs_line *line, bool *keeps, struct err *e);
/* Of a line that is not too old: *used grows by its bytes, and what is beyond the bound is cut off. False: nothing of it is left. */
bool logs_filter_fits(const struct logs_filter *f, struct logs_line *line, int64_t *used);

/* ---- reader.c ---- */

/* What several readers may do in one go. */
struct logs_piece {
    int64_t bytes; /* of the files that may still be read */
    bool held;     /* the line that was given last was not taken */
};

struct pending {
    struct buf text; /* P records so far */
    int64_t time_ns;
    bool open;
};

struct logs_reader {
    char *path;
    size_t source;
    const struct logs_filter *filter; /* NULL: every line */
    bool finished;     /* no byte will follow those of the file */
    bool flush;        /* P records without their end count at the end of the file */
    struct logs_piece *piece; /* NULL: no bound */
    bool starved;      /* the piece was used up before the next line: `have` = false says nothing */
    int64_t offset;    /* in the file, of the end of `raw` */
    int64_t end;       /* nothing beyond this offset is read */
    int64_t skip;      /* lines to pass over */
    int64_t used;      /* of the filter's bytes */
    bool headless;     /* the first raw line may lack its beginning: drop it */
    struct buf raw;
    size_t at;         /* of the next line in raw */
    int64_t last_ns;
    struct pending pending[2]; /* by stream */
    struct pending *shown;     /* holds the text of `line` */
    bool have;                 /* `line` is the next one */
    struct logs_line line;     /* valid until the next advance */
};
void reader_init(struct logs_reader *r, const struct logs_source *source, size_t index);
void reader_fini(struct logs_reader *r);
/* Sets offset and skip so that `tail` lines come of what is there now. */
bool reader_seek_tail(struct logs_reader *r, int64_t tail, struct err *e);
/* To the next line that the filter keeps; have = false at the end of what is there. */
bool reader_advance(struct logs_reader *r, struct err *e);

/* ---- merge.c ---- */

/* Emits the lines of all readers in time order, until all are at their ends, or the piece that they share is. Goes on
 * with what they have when it is called again. */
bool readers_merge(struct logs_reader *const *readers, size_t n, logs_line_fn *each, void *ctx, struct err *e);
