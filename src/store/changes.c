/* The change log. Its seqs have no gaps, and rows go only from its front (txn.c trims), so that a
 * seq range tells at once what is missing. See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

bool store_change_add(struct store *s, const struct change_row *row, int64_t *out_seq, struct err *e)
{
    struct query q = query_new(s, STMT_CHANGE_ADD);
    query_int(&q, s->now.change + 1);
    query_int(&q, s->now.version);
    query_int(&q, row->run);
    query_text(&q, row->kind);
    query_text(&q, row->payload);
    if (!query_run(&q, e)) return false;
    s->now.change++;
    if (out_seq) *out_seq = s->now.change;
    return true;
}

/* The seqs that are there: first > last when none is. */
struct change_range {
    int64_t first, last;
};

static bool range_get(struct store *s, struct change_range *r, struct err *e)
{
    r->last = store_change_last(s);
    r->first = 0;
    struct query q = query_new(s, STMT_CHANGE_FIRST);
    if (query_row(&q)) r->first = query_get_int(&q);
    if (!r->first) r->first = r->last + 1;
    return query_end(&q, e);
}

int64_t store_change_last(struct store *s)
{
    if (s->mode == STORE_WRITE) return s->now.change;
    int64_t last = 0;
    struct query q = query_new(s, STMT_META_GET);
    if (query_row(&q)) {
        q.column = 3; /* last_change */
        last = query_get_int(&q);
    }
    query_end(&q, NULL);
    return last;
}

static bool change_gone(struct err *e, int64_t wanted)
{
    return err_set(e, ERR_GONE, "changes after %lld are no longer there; list again", (long long)wanted);
}

bool store_changes_read(struct arena *a, struct store *s, const struct change_query *cq,
                        struct change_page *out, struct err *e)
{
    struct change_range range;
    if (!range_get(s, &range, e)) return false;
    if (cq->after < range.first - 1 || cq->after > range.last) return change_gone(e, cq->after);
    VEC(struct change_row) rows = {0};
    struct query q = query_new(s, STMT_CHANGES_READ);
    query_int(&q, cq->after);
    query_int(&q, (int64_t)store_limit(cq->limit, LIMIT_LIST_ROWS));
    out->next = cq->after;
    while (query_row(&q)) {
        struct change_row row = {.seq = query_get_int(&q)};
        out->next = row.seq;
        row.rv = query_get_int(&q);
        row.run = query_get_int(&q);
        if (cq->run && cq->run != row.run) continue;
        row.kind = query_get_dup(&q, a);
        row.payload = query_get_dup(&q, a);
        VEC_PUSH(&rows, row);
    }
    ROWS_MOVE(a, &rows, &out->rows, &out->n);
    return query_end(&q, e);
}

static bool rv_of(struct store *s, int64_t seq, int64_t *out, struct err *e)
{
    struct query q = query_new(s, STMT_CHANGE_RV);
    query_int(&q, seq);
    if (query_row(&q)) *out = query_get_int(&q);
    return query_end(&q, e);
}

/* Commit numbers never fall along the log: bisect for the last row that is not newer than rv. */
bool store_change_seq_at(struct store *s, int64_t rv, int64_t *out_seq, struct err *e)
{
    struct change_range range;
    if (!range_get(s, &range, e)) return false;
    if (rv > store_version(s)) return change_gone(e, rv);
    int64_t low = range.first - 1, high = range.last; /* the answer is in [low, high] */
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2, at = 0;
        if (!rv_of(s, middle, &at, e)) return false;
        if (at <= rv) low = middle;
        else high = middle - 1;
    }
    if (low < range.first && range.first > 1 && range.first <= range.last) return change_gone(e, rv);
    *out_seq = low;
    return true;
}
