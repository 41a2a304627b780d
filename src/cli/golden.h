/* Test help: a text compared with a file of golden/. GOLDEN_WRITE=1 in the environment rewrites the
 * files; read the difference before committing it. Included by test programs only. */
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include "doc/json.h"

static inline const char *golden_path(struct arena *a, const char *name)
{
    return strchr(name, '/') ? name : str_fmt(a, "src/cli/golden/%s", name).p;
}

static inline struct str golden_read(struct arena *a, const char *name)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 16 << 20);
    int fd = open(golden_path(a, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail_msg("golden file %s is missing (run from the source directory)", name);
    ssize_t n;
    char chunk[4096];
    while ((n = read(fd, chunk, sizeof chunk)) > 0) buf_add(&b, chunk, (size_t)n);
    close(fd);
    return buf_dup(a, &b);
}

static inline void golden_check(struct arena *a, const char *name, const struct buf *got)
{
    if (getenv("GOLDEN_WRITE")) {
        int fd = open(golden_path(a, name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
        assert_int_equal(write(fd, got->p ? got->p : "", got->n), got->n);
        close(fd);
        return;
    }
    struct buf z = *got;
    assert_string_equal(buf_dup(a, &z).p, golden_read(a, name).p);
}

static inline struct val golden_json(struct arena *a, const char *name)
{
    struct val v;
    struct err e = {0};
    if (!json_parse(a, golden_read(a, name), NULL, &v, &e)) fail_msg("%s: %s", name, e.text);
    return v;
}
