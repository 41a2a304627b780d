/* Private to the tests of artifact: a scratch repository and files in it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "os/dir.h"
#include "os/fd.h"

struct scratch {
    char dir[64];
    struct artifact_repo *repo;
    struct arena a;
    struct err e;
};

static int scratch_setup(void **state)
{
    struct scratch *s = mem_zalloc(sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/artifact-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    arena_init(&s->a);
    assert_true(artifact_local_open(str_fmt(&s->a, "%s/repo", s->dir).p, &s->repo, &s->e));
    *state = s;
    return 0;
}

static int scratch_teardown(void **state)
{
    struct scratch *s = *state;
    artifact_close(s->repo);
    dir_remove_tree(s->dir, NULL);
    arena_fini(&s->a);
    free(s);
    return 0;
}

/* Absolute path of a name below the scratch directory. */
UNUSED static const char *at(struct scratch *s, const char *name)
{
    return str_fmt(&s->a, "%s/%s", s->dir, name).p;
}

UNUSED static const char *put_bytes(struct scratch *s, const char *name, struct str bytes, mode_t mode)
{
    const char *path = at(s, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(fd_write_all(fd, bytes, NULL));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

UNUSED static const char *put(struct scratch *s, const char *name, const char *text, mode_t mode)
{
    return put_bytes(s, name, str_of(text), mode);
}

UNUSED static const char *make_dir(struct scratch *s, const char *name)
{
    const char *path = at(s, name);
    assert_int_equal(mkdir(path, 0755), 0);
    return path;
}

/* Up to 64 KiB of a file. */
UNUSED static struct str slurp(struct scratch *s, const char *path)
{
    char *p = arena_alloc_bytes(&s->a, (64 << 10) + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, p, 64 << 10);
    assert_true(n >= 0);
    p[n] = 0;
    close(fd);
    return str_n(p, (size_t)n);
}

UNUSED static struct artifact_place place(struct scratch *s, const char *id, const char *subpath)
{
    struct artifact_place out;
    struct artifact_ref ref = {.id = str_of(id), .subpath = str_of(subpath)};
    if (!artifact_path(&s->a, s->repo, &ref, &out, &s->e)) fail_msg("%s", s->e.text);
    return out;
}

UNUSED static size_t id_count(struct scratch *s)
{
    struct str *ids;
    size_t n;
    assert_true(artifact_list(&s->a, s->repo, &ids, &n, &s->e));
    return n;
}

UNUSED static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}
