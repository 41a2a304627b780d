/* Lists of runs, newest first. Ids are given out in the order of creation and never change, so a page that continues below
 * an id shows each run once, whatever came, changed or went meanwhile. See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

/* A JSON list; absent for no filter. */
static struct str phases_text(struct arena *a, const struct run_filter *f)
{
    if (!f->n_phases) return STR_NONE;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < f->n_phases; i++) {
        buf_char(&b, i ? ',' : '[');
        buf_json(&b, f->phases[i]);
    }
    buf_char(&b, ']');
    return buf_dup(a, &b);
}

static void filters_bind(struct query *q, struct arena *a, const struct run_filter *f)
{
    query_int(q, f->before_run ? f->before_run : INT64_MAX);
    query_text_opt(q, f->ns);
    query_text_opt(q, phases_text(a, f));
    query_text_opt(q, f->name);
    query_int(q, f->match);
    query_int(q, f->completed);
    query_int(q, f->created_after_us ? f->created_after_us : INT64_MIN);
    query_int(q, f->finished_before_us);
    query_int(q, f->started_after_us ? f->started_after_us : INT64_MIN);
    query_int(q, f->started_before_us ? f->started_before_us : INT64_MAX);
}

/* The texts of a row live until the next one. */
static struct run_row row_view(const struct query *q)
{
    struct query at = *q;
    struct run_row row = {.run = query_get_int(&at), .uid = query_get(&at), .ns = query_get(&at), .name = query_get(&at),
                          .phase = query_get(&at), .created_us = query_get_int(&at), .started_us = query_get_int(&at),
                          .finished_us = query_get_int(&at), .labels = query_get(&at), .message = query_get(&at),
                          .progress = query_get(&at), .completed = query_get_int(&at) != 0, .rv = query_get_int(&at)};
    return row;
}

struct found {
    VEC(struct run_row) rows;
    int64_t seen_to; /* nothing below this id was looked at; 0: all was */
};

/* One row more than the limit says that there is more. */
static bool walk(struct arena *a, struct query *q, const struct run_filter *f, size_t limit, struct found *out, struct err *e)
{
    size_t looked = 0, n = 0;
    while (n <= limit && query_row(q)) {
        if (f->keep) {
            struct run_row seen = row_view(q);
            if (f->look && looked++ == f->look) {
                out->seen_to = MAX(out->seen_to, seen.run + 1);
                break;
            }
            if (!f->keep(f->ctx, &seen)) continue;
        }
        struct run_row row;
        run_read(q, a, &row);
        VEC_PUSH(&out->rows, row);
        n++;
    }
    return query_end(q, e);
}

static bool walk_tag(struct arena *a, struct store *s, const struct run_filter *f, struct str tag, size_t limit,
                     struct found *out, struct err *e)
{
    struct query q = query_new(s, STMT_RUN_LIST_TAG);
    filters_bind(&q, a, f);
    query_text(&q, tag);
    return walk(a, &q, f, limit, out, e);
}

static int newest_first(const void *x, const void *y)
{
    int64_t a = ((const struct run_row *)x)->run, b = ((const struct run_row *)y)->run;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* The page ends where the limit is reached, or before what was not looked at with every tag. */
static void page_cut(struct found *x, size_t limit, struct run_page *out)
{
    size_t n = MIN(x->rows.n, limit);
    while (x->seen_to && n && x->rows.items[n - 1].run < x->seen_to) n--;
    bool full = n == limit && x->rows.n > limit;
    out->next = full ? x->rows.items[n - 1].run : x->seen_to;
    x->rows.n = n;
}

bool store_run_list(struct arena *a, struct store *s, const struct run_filter *f, struct run_page *out,
                    struct err *e)
{
    size_t limit = store_limit(f->limit, LIMIT_LIST_ROWS);
    struct found x = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < f->n_tags; i++) ok = walk_tag(a, s, f, f->tags[i], limit, &x, e);
    if (!f->n_tags) {
        struct query q = query_new(s, f->completed < 0 ? STMT_RUN_LIST_ACTIVE : STMT_RUN_LIST);
        filters_bind(&q, a, f);
        ok = walk(a, &q, f, limit, &x, e);
    }
    if (f->n_tags > 1 && x.rows.n) qsort(x.rows.items, x.rows.n, sizeof *x.rows.items, newest_first);
    page_cut(&x, limit, out);
    ROWS_MOVE(a, &x.rows, &out->rows, &out->n);
    return ok;
}

bool store_run_count(struct arena *a, struct store *s, const struct run_filter *f, int64_t *n, struct err *e)
{
    ASSERT(!f->n_tags && !f->keep);
    struct query q = query_new(s, STMT_RUN_COUNT);
    filters_bind(&q, a, f);
    *n = query_row(&q) ? query_get_int(&q) : 0;
    return query_end(&q, e);
}

bool store_tag_count(struct store *s, struct str tag, int64_t before_run, int64_t most, int64_t *n, struct err *e)
{
    struct query q = query_new(s, STMT_TAG_COUNT);
    query_text(&q, tag);
    query_int(&q, before_run ? before_run : INT64_MAX);
    query_int(&q, most);
    *n = query_row(&q) ? query_get_int(&q) : 0;
    return query_end(&q, e);
}
