/* Rows of nodes and of private values of a run. See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

_Static_assert(LIMIT_RUN_NODES == 1 << 24, "the key of table nodes is run << 24 | index");

static int64_t node_key(int64_t run, int64_t idx)
{
    return run * LIMIT_RUN_NODES + idx;
}

static void node_read(struct query *q, struct node_row *out)
{
    int64_t key = query_get_int(q);
    out->run = key / LIMIT_RUN_NODES;
    out->idx = (uint32_t)(key % LIMIT_RUN_NODES);
    out->id = query_get(q);
    out->status = query_get(q);
    out->private = query_get(q);
    out->rv = query_get_int(q);
}

bool store_node_put(struct store *s, const struct node_row *row, struct err *e)
{
    if (row->idx >= LIMIT_RUN_NODES)
        return err_set(e, ERR_LIMIT, "more than %d nodes in one workflow (LIMIT_RUN_NODES)", LIMIT_RUN_NODES);
    struct query q = query_new(s, STMT_NODE_PUT);
    query_int(&q, node_key(row->run, row->idx));
    query_text(&q, row->id);
    query_text(&q, row->status);
    query_blob(&q, row->private);
    query_int(&q, s->now.version);
    return query_run(&q, e);
}

bool store_nodes_load(struct store *s, int64_t run, store_node_fn *each, void *ctx, struct err *e)
{
    return store_nodes_load_from(s, run, 0, each, ctx, e);
}

bool store_nodes_load_from(struct store *s, int64_t run, uint32_t idx, store_node_fn *each, void *ctx, struct err *e)
{
    struct query q = query_new(s, STMT_NODES_LOAD);
    query_int(&q, node_key(run, idx));
    query_int(&q, node_key(run + 1, 0));
    bool ok = true;
    while (ok && query_row(&q)) {
        struct node_row row;
        node_read(&q, &row);
        ok = each(ctx, &row, e);
    }
    return query_end(&q, ok ? e : NULL) && ok;
}

bool store_node_get(struct arena *a, struct store *s, int64_t run, struct str id, struct node_row *out,
                    struct err *e)
{
    struct query q = query_new(s, STMT_NODE_GET);
    query_text(&q, id);
    query_int(&q, node_key(run, 0));
    query_int(&q, node_key(run + 1, 0));
    bool found = query_row(&q);
    if (found) {
        node_read(&q, out);
        out->id = str_dup(a, out->id);
        out->status = str_dup(a, out->status);
        if (str_set(out->private)) out->private = str_dup(a, out->private);
    }
    if (!query_end(&q, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no node \"%.*s\"", STR_ARG(id));
}

bool store_nodes_cut(struct store *s, int64_t run, uint32_t from, struct err *e)
{
    struct query q = query_new(s, STMT_NODES_CUT);
    query_int(&q, node_key(run, from));
    query_int(&q, node_key(run + 1, 0));
    return query_run(&q, e);
}

bool store_value_put(struct store *s, int64_t run, struct str key, struct str bytes, struct err *e)
{
    struct query q = query_new(s, STMT_VALUE_PUT);
    query_int(&q, run);
    query_text(&q, key);
    query_blob(&q, str_set(bytes) ? bytes : STR(""));
    return query_run(&q, e);
}

bool store_value_del(struct store *s, int64_t run, struct str key, struct err *e)
{
    struct query q = query_new(s, STMT_VALUE_DELETE);
    query_int(&q, run);
    query_text(&q, key);
    return query_run(&q, e);
}

bool store_value_get(struct arena *a, struct store *s, int64_t run, struct str key, struct str *out, struct err *e)
{
    struct query q = query_new(s, STMT_VALUE_GET);
    query_int(&q, run);
    query_text(&q, key);
    bool found = query_row(&q);
    if (found) *out = query_get_dup(&q, a);
    if (!query_end(&q, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "run %lld has no value \"%.*s\"", (long long)run, STR_ARG(key));
}

static bool values_give(struct query *q, store_value_fn *each, void *ctx, struct err *e)
{
    bool ok = true;
    while (ok && query_row(q)) {
        struct str key = query_get(q), bytes = query_get(q);
        ok = each(ctx, key, bytes, e);
    }
    return query_end(q, ok ? e : NULL) && ok;
}

bool store_values_load(struct store *s, int64_t run, store_value_fn *each, void *ctx, struct err *e)
{
    struct query q = query_new(s, STMT_VALUES_LOAD);
    query_int(&q, run);
    return values_give(&q, each, ctx, e);
}

bool store_values_load_between(struct store *s, int64_t run, struct str from, struct str to, store_value_fn *each,
                               void *ctx, struct err *e)
{
    struct query q = query_new(s, STMT_VALUES_BETWEEN);
    query_int(&q, run);
    query_text(&q, from);
    query_text(&q, to);
    return values_give(&q, each, ctx, e);
}

bool store_values_load_prefix(struct store *s, int64_t run, struct str prefix, store_value_fn *each, void *ctx, struct err *e)
{
    ASSERT(prefix.n > 0 && (unsigned char)prefix.p[prefix.n - 1] < 0x7f);
    char *before = mem_alloc(prefix.n);
    memcpy(before, prefix.p, prefix.n);
    before[prefix.n - 1]++;
    bool ok = store_values_load_between(s, run, prefix, str_n(before, prefix.n), each, ctx, e);
    free(before);
    return ok;
}

bool store_value_next(struct arena *a, struct store *s, int64_t run, struct str from, struct str *out, struct err *e)
{
    struct query q = query_new(s, STMT_VALUE_NEXT);
    query_int(&q, run);
    query_text(&q, from);
    bool found = query_row(&q);
    if (found) *out = query_get_dup(&q, a);
    if (!query_end(&q, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "run %lld has no value from \"%.*s\" on", (long long)run, STR_ARG(from));
}
