/* For tests: a state directory of one's own with an engine in it that starts no step. Included by test programs only; each test gets one
 * (FIXTURE_TEST). */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "os/dir.h"
#include "service/service_p.h"

struct fixture {
    struct arena a;
    char dir[64];
    struct config config;
    struct service *s;
    struct err e;
};

#define OK(f, call) do { if (!(call)) fail_msg("%s", (f)->e.text); } while (0)

static inline const char *fixture_env(const char *name)
{
    (void)name;
    return NULL;
}

static inline void fixture_open(struct fixture *f)
{
    struct service_opts o = {.state_dir = str_of(f->dir), .config = &f->config, .idle = true};
    OK(f, f->s = service_open(&o, &f->e));
    assert_true(service_is_engine(f->s));
}

static inline void fixture_reopen(struct fixture *f)
{
    service_close(f->s);
    fixture_open(f);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct config_world w = {fixture_env, NULL};
    arena_init(&f->a);
    snprintf(f->dir, sizeof f->dir, "/tmp/skiff-fixture-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(config_load(&f->a, &f->config, &w, &f->e));
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    service_close(f->s);
    dir_remove_tree(f->dir, NULL);
    arena_fini(&f->a);
    free(f);
    return 0;
}

#define FIXTURE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

/* `name`: in place of its own; NULL: as it is. */
static inline void fixture_submit(struct fixture *f, const char *yaml, const char *name)
{
    struct documents docs;
    struct diags diags;
    struct workflow_ref *refs;
    struct submit_opts o = {.name = str_of(name)};
    size_t n;
    documents_init(&docs, &f->a);
    diags_init(&diags, &f->a);
    documents_add(&docs, str_of(yaml), 0, &diags);
    if (!service_submit(f->s, &docs, &o, &diags, &refs, &n, &f->e))
        fail_msg("%s %s", f->e.text, diags.n ? diags.items[0].message.p : "");
    documents_fini(&docs);
    diags_fini(&diags);
}
