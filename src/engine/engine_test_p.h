/* What the tests of the engine share: one run in memory, driven by hand. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/yaml.h"
#include "engine/engine.h"

enum { T0 = 1000000 };

struct fixture {
    struct arena a;
    struct run *run;
    struct outbox out;
    struct run_opts opts;
    const char *given; /* for what looks documents up */
};

/* `lookup` gets the fixture. */
static inline void begin_with(struct fixture *f, const char *spec, run_lookup_fn *lookup)
{
    struct err e = {0};
    struct val *wf = NULL;
    arena_init(&f->a);
    struct str text = str_fmt(&f->a, "metadata: {name: wf, namespace: default, uid: u}\nspec:\n%s", spec);
    wf = ARENA_NEW(&f->a, struct val);
    if (!yaml_parse(&f->a, text, NULL, wf, &e)) fail_msg("%s", e.text);
    f->opts = (struct run_opts){.workflow = wf, .seed = 1, .lookup = lookup, .lookup_ctx = f};
    f->run = run_new(&f->opts, &e);
    if (!f->run) fail_msg("%s", e.text);
    run_start(f->run, T0, &f->out);
}

static inline void begin(struct fixture *f, const char *spec)
{
    begin_with(f, spec, NULL);
}

static inline void end(struct fixture *f)
{
    run_free(f->run);
    arena_fini(&f->a);
}

static inline struct node *named(struct fixture *f, const char *name)
{
    for (size_t i = 0; i < run_node_count(f->run); i++)
        if (str_is(node_name(run_node_at(f->run, i)), name)) return run_node_at(f->run, i);
    return NULL;
}

static inline void done(struct fixture *f, const char *name, enum node_phase p, int64_t now_us)
{
    struct step_outcome how = {.phase = p, .exit_code = p == NODE_SUCCEEDED ? 0 : 1};
    assert_non_null(named(f, name));
    run_step_done(f->run, named(f, name), &how, now_us, &f->out);
}

static inline size_t count(const struct fixture *f, enum action_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < f->out.n_actions; i++) n += f->out.actions[i].kind == kind;
    return n;
}

static inline enum node_phase phase_of_run(struct fixture *f)
{
    enum node_phase p;
    assert_true(run_phase(f->run, &p));
    return p;
}

static inline const char *message_of(struct fixture *f, const char *name)
{
    assert_non_null(named(f, name));
    return node_message(named(f, name)).n ? node_message(named(f, name)).p : "";
}

/* As after a crash: the engine is built again from what it would have committed. */
static inline void restart(struct fixture *f)
{
    size_t n = run_node_count(f->run);
    struct saved_node *rows = ARENA_ARRAY(&f->a, struct saved_node, n + 1);
    struct buf b;
    struct err e = {0};
    buf_init(&b, 1 << 22);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&b);
        node_write_status(&b, f->run, run_node_at(f->run, i));
        rows[i].status = buf_dup(&f->a, &b);
        buf_reset(&b);
        node_write_private(&b, f->run, run_node_at(f->run, i));
        rows[i].priv = buf_dup(&f->a, &b);
    }
    buf_reset(&b);
    run_write_status(&b, f->run);
    struct str status = buf_dup(&f->a, &b);
    buf_reset(&b);
    run_write_private(&b, f->run);
    struct str priv = buf_dup(&f->a, &b);
    buf_fini(&b);
    run_free(f->run);
    f->run = run_load(&f->opts, status, priv, rows, n, &e);
    if (!f->run) fail_msg("%s", e.text);
}

/* A member of a node's status, or of the workflow's (node NULL), as the whole object shows it; NULL: it is not there. */
static inline const struct val *status_member(struct fixture *f, const char *node, const char *key)
{
    struct buf b;
    struct val *v = ARENA_NEW(&f->a, struct val);
    buf_init(&b, 1 << 20);
    run_write_workflow(&b, f->run);
    assert_true(json_parse(&f->a, str_dup(&f->a, buf_view(&b)), NULL, v, NULL));
    buf_fini(&b);
    const struct val *status = val_get(v, STR("status")), *at = status;
    if (node) at = val_get(val_get(status, STR("nodes")), node_id_text(&f->a, f->run, named(f, node)));
    return val_get(at, str_of(key));
}
