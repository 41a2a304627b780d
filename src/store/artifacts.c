/* Rows of artifacts and of the runs that refer to them. See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

static void artifact_read(struct query *q, struct arena *a, struct artifact_row *out)
{
    out->ns = query_get_dup(q, a);
    out->key = query_get_dup(q, a);
    out->content = query_get_dup(q, a);
    out->form = query_get_dup(q, a);
    out->size_bytes = query_get_int(q);
    out->hash = query_get_dup(q, a);
    out->created_us = query_get_int(q);
    out->rv = query_get_int(q);
}

struct artifact_rows {
    struct artifact_row **rows;
    size_t *n;
};

/* Reads and ends `q`, as long as keys start with `prefix`. */
static bool artifacts_read(struct arena *a, struct query *q, struct str prefix, struct artifact_rows out,
                           struct err *e)
{
    VEC(struct artifact_row) rows = {0};
    while (query_row(q)) {
        struct artifact_row row;
        artifact_read(q, a, &row);
        if (!str_starts(row.key, prefix)) break;
        VEC_PUSH(&rows, row);
    }
    ROWS_MOVE(a, &rows, out.rows, out.n);
    return query_end(q, e);
}

static bool artifact_missing(struct err *e, struct str ns, struct str key)
{
    return err_set(e, ERR_NOT_FOUND, "there is no artifact \"%.*s\" in namespace \"%.*s\"", STR_ARG(key),
                   STR_ARG(ns));
}

bool store_artifact_put(struct store *s, const struct artifact_row *row, struct err *e)
{
    struct query q = query_new(s, STMT_ARTIFACT_PUT);
    query_text(&q, row->ns);
    query_text(&q, row->key);
    query_text(&q, row->content);
    query_text(&q, row->form);
    query_int(&q, row->size_bytes);
    query_text(&q, row->hash);
    query_int(&q, row->created_us);
    query_int(&q, s->now.version);
    return query_run(&q, e);
}

bool store_artifact_get(struct arena *a, struct store *s, struct str ns, struct str key,
                        struct artifact_row *out, struct err *e)
{
    struct query q = query_new(s, STMT_ARTIFACT_GET);
    query_text(&q, ns);
    query_text(&q, key);
    bool found = query_row(&q);
    if (found) artifact_read(&q, a, out);
    if (!query_end(&q, e)) return false;
    return found || artifact_missing(e, ns, key);
}

bool store_artifact_list(struct arena *a, struct store *s, const struct artifact_filter *f,
                         struct artifact_row **out, size_t *n, struct err *e)
{
    struct query q = query_new(s, STMT_ARTIFACT_LIST);
    query_text(&q, f->ns);
    query_text(&q, f->prefix);
    query_text_opt(&q, f->after);
    query_int(&q, (int64_t)store_limit(f->limit, LIMIT_LIST_ROWS));
    return artifacts_read(a, &q, f->prefix, (struct artifact_rows){out, n}, e);
}

/* Runs a write with the parameters (ns, key). */
static bool run_by_key(struct store *s, enum stmt id, struct str ns, struct str key, struct err *e)
{
    struct query q = query_new(s, id);
    query_text(&q, ns);
    query_text(&q, key);
    return query_run(&q, e);
}

bool store_artifact_delete(struct store *s, struct str ns, struct str key, struct err *e)
{
    return run_by_key(s, STMT_ARTIFACT_DELETE_REFS, ns, key, e) &&
           run_by_key(s, STMT_ARTIFACT_DELETE, ns, key, e) &&
           (store_rows_changed(s) > 0 || artifact_missing(e, ns, key));
}

bool store_artifact_ref(struct store *s, int64_t run, struct str ns, struct str key, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct artifact_row row;
    if (!store_artifact_get(&a, s, ns, key, &row, e)) return false;
    struct query q = query_new(s, STMT_ARTIFACT_REF);
    query_int(&q, run);
    query_text(&q, ns);
    query_text(&q, key);
    return query_run(&q, e);
}

bool store_artifact_unref(struct store *s, int64_t run, struct str ns, struct str key, struct err *e)
{
    struct query q = query_new(s, STMT_ARTIFACT_UNREF);
    query_int(&q, run);
    query_text(&q, ns);
    query_text(&q, key);
    return query_run(&q, e);
}

bool store_artifact_orphans(struct arena *a, struct store *s, size_t limit, struct artifact_row **out,
                            size_t *n, struct err *e)
{
    struct query q = query_new(s, STMT_ARTIFACT_ORPHANS);
    query_int(&q, (int64_t)store_limit(limit, LIMIT_LIST_ROWS));
    return artifacts_read(a, &q, STR(""), (struct artifact_rows){out, n}, e);
}

bool store_artifacts_load(struct store *s, store_artifact_fn *each, void *ctx, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct query q = query_new(s, STMT_ARTIFACTS_LOAD);
    bool ok = true;
    arena_init(&a);
    while (ok && query_row(&q)) {
        struct artifact_row row;
        artifact_read(&q, &a, &row);
        ok = each(ctx, &row, e);
        arena_reset(&a);
    }
    return query_end(&q, ok ? e : NULL) && ok;
}

bool store_content_uses(struct store *s, struct str content, int64_t *out, struct err *e)
{
    struct query q = query_new(s, STMT_CONTENT_USES);
    query_text(&q, content);
    if (query_row(&q)) *out = query_get_int(&q);
    return query_end(&q, e);
}
