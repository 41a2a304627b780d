/* Rows of stored documents. One row a name: a tombstone is written over when the name comes back.
 * See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

static void object_read(struct query *q, struct arena *a, struct object_row *out)
{
    out->kind = query_get_dup(q, a);
    out->ns = query_get_dup(q, a);
    out->name = query_get_dup(q, a);
    out->uid = query_get_dup(q, a);
    out->created_us = query_get_int(q);
    out->rv = query_get_int(q);
    out->doc = query_get_dup(q, a);
}

static void key_bind(struct query *q, const struct object_row *key)
{
    query_text(q, key->kind);
    query_text(q, key->ns);
    query_text(q, key->name);
}

static bool object_missing(struct err *e, const struct object_row *key)
{
    return err_set(e, ERR_NOT_FOUND, "there is no %.*s \"%.*s\"%s%.*s%s", STR_ARG(key->kind), STR_ARG(key->name),
                   key->ns.n ? " in namespace \"" : "", STR_ARG(key->ns), key->ns.n ? "\"" : "");
}

static bool version_check(struct store *s, const struct object_row *key, int64_t expected, struct err *e)
{
    if (expected == OBJECT_RV_ANY) return true;
    struct query q = query_new(s, STMT_OBJECT_RV);
    key_bind(&q, key);
    int64_t rv = query_row(&q) ? query_get_int(&q) : OBJECT_RV_NEW;
    if (!query_end(&q, e)) return false;
    if (rv == expected) return true;
    if (expected == OBJECT_RV_NEW)
        return err_set(e, ERR_CONFLICT, "%.*s \"%.*s\" exists already", STR_ARG(key->kind), STR_ARG(key->name));
    if (rv == OBJECT_RV_NEW) return object_missing(e, key);
    return err_set(e, ERR_CONFLICT, "%.*s \"%.*s\" was changed meanwhile: version %lld is not %lld",
                   STR_ARG(key->kind), STR_ARG(key->name), (long long)rv, (long long)expected);
}

bool store_object_put(struct store *s, const struct object_row *row, int64_t expected_rv, struct err *e)
{
    if (!version_check(s, row, expected_rv, e)) return false;
    s->objects_written++;
    struct query q = query_new(s, STMT_OBJECT_PUT);
    key_bind(&q, row);
    query_text(&q, row->uid);
    query_int(&q, row->created_us);
    query_int(&q, s->now.version);
    query_text(&q, row->doc);
    return query_run(&q, e);
}

bool store_object_get(struct arena *a, struct store *s, const struct object_row *key, struct object_row *out,
                      struct err *e)
{
    struct query q = query_new(s, STMT_OBJECT_GET);
    key_bind(&q, key);
    bool found = query_row(&q);
    if (found) object_read(&q, a, out);
    if (!query_end(&q, e)) return false;
    return found || object_missing(e, key);
}

int64_t store_objects_written(const struct store *s) { return s->objects_written; }

bool store_object_list(struct arena *a, struct store *s, const struct object_filter *f,
                       struct object_row **out, size_t *n, struct err *e)
{
    VEC(struct object_row) rows = {0};
    struct query q = query_new(s, STMT_OBJECT_LIST);
    query_text(&q, f->kind);
    query_text_opt(&q, f->ns);
    query_text(&q, f->after_ns);
    query_text(&q, f->after_name);
    query_int(&q, (int64_t)store_limit(f->limit, LIMIT_LIST_ROWS));
    while (query_row(&q)) {
        struct object_row row;
        object_read(&q, a, &row);
        VEC_PUSH(&rows, row);
    }
    ROWS_MOVE(a, &rows, out, n);
    return query_end(&q, e);
}

bool store_object_delete(struct store *s, const struct object_row *key, int64_t expected_rv, int64_t now_us,
                         struct err *e)
{
    if (!version_check(s, key, expected_rv, e)) return false;
    s->objects_written++;
    struct query q = query_new(s, STMT_OBJECT_TOMBSTONE);
    query_int(&q, now_us);
    query_int(&q, s->now.version);
    key_bind(&q, key);
    return query_run(&q, e) && (store_rows_changed(s) > 0 || object_missing(e, key));
}
