/* Fixture of the store's tests: a fresh directory, a store in it, an arena. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_p.h"

struct fixture {
    struct arena a;
    struct str dir;
    struct store *s;
    struct err e;
};

static inline int fixture_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    arena_init(&f->a);
    char dir[] = "/tmp/skiff-store-XXXXXX";
    assert_non_null(mkdtemp(dir));
    f->dir = str_dup(&f->a, str_of(dir));
    f->s = store_open(f->dir, STORE_WRITE, &f->e);
    assert_non_null(f->s);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_fault.hit = NULL;
    store_close(f->s);
    nftw(f->dir.p, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_fini(&f->a);
    free(f);
    return 0;
}

static inline void fixture_reopen(struct fixture *f)
{
    store_close(f->s);
    f->s = store_open(f->dir, STORE_WRITE, &f->e);
    if (!f->s) fail_msg("%s", f->e.text);
}

/* Asserts that a call of the store worked, and prints its error when not. */
#define OK(f, call)                                                                                \
    do {                                                                                           \
        if (!(call)) fail_msg("%s: %s", #call, (f)->e.text);                                       \
    } while (0)
#define FAILS(f, expected_code, call)                                                              \
    do {                                                                                           \
        (f)->e.code = ERR_NONE;                                                                    \
        assert_false(call);                                                                        \
        assert_string_equal(err_name((f)->e.code), err_name(expected_code));                       \
    } while (0)
#define STR_EQUAL(value, expected) assert_string_equal(str_z(&f->a, value), expected)

static inline int64_t fixture_run(struct fixture *f, const char *name)
{
    int64_t run = 0;
    struct run_row row = {.uid = str_fmt(&f->a, "uid-%s", name), .ns = STR("default"), .name = str_of(name),
                          .phase = STR("Pending"), .created_us = 1000, .labels = STR("{}")};
    OK(f, store_run_insert(f->s, &row, str_fmt(&f->a, "{\"name\":\"%s\"}", name), &run, &f->e));
    return run;
}
