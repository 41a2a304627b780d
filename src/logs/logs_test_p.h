/* Fixture of the log tests: a fresh directory, files in it, and what was shown as one text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/logs.h"

struct fixture {
    struct arena a;
    char dir[64];
    struct buf seen; /* "SOURCE:TEXT|" for each line */
    struct err e;
};

/* As a supervisor writes it. */
static inline void record_write(struct buf *b, const struct logs_record *r)
{
    logs_line_format(b, &(struct logs_line){.time_ns = r->time_ns, .text = STR("")}, true);
    b->n--; /* its newline */
    buf_printf(b, "%s %c %.*s\n", r->stream == LOGS_STDOUT ? "stdout" : "stderr", r->partial ? 'P' : 'F', STR_ARG(r->text));
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    arena_init(&f->a);
    buf_init(&f->seen, 64 << 20);
    snprintf(f->dir, sizeof f->dir, "/tmp/skiff-logs-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    nftw(f->dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_fini(&f->seen);
    arena_fini(&f->a);
    free(f);
    return 0;
}

/* Appends to a file of the directory and returns its path. */
static inline const char *append(struct fixture *f, const char *name, struct str text)
{
    const char *path = str_fmt(&f->a, "%s/%s", f->dir, name).p;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    close(fd);
    return path;
}

static inline bool note(void *ctx, const struct logs_line *line, struct err *e)
{
    struct fixture *f = ctx;
    buf_printf(&f->seen, "%zu:", line->source);
    buf_str(&f->seen, line->text);
    buf_char(&f->seen, '|');
    return true;
}

/* What was seen since the last call. */
static inline const char *seen(struct fixture *f)
{
    struct str s = buf_dup(&f->a, &f->seen);
    buf_reset(&f->seen);
    return s.p;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call)) fail_msg("%s: %s", #call, f->e.text);                                         \
    } while (0)
#define T(second) "2026-11-21T23:55:" second "Z "
