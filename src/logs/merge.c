/* Lines of several readers in time order, through a binary heap of readers. See logs_p.h. */
#include "logs/logs_p.h"

struct heap {
    struct logs_reader **at;
    size_t n;
};

static bool earlier(const struct logs_reader *x, const struct logs_reader *y)
{
    if (x->line.time_ns != y->line.time_ns) return x->line.time_ns < y->line.time_ns;
    return x->source < y->source;
}

static void heap_sink(struct heap *h, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t c = left; c < left + 2 && c < h->n; c++)
            if (earlier(h->at[c], h->at[least])) least = c;
        if (least == i) return;
        struct logs_reader *r = h->at[i];
        h->at[i] = h->at[least];
        h->at[least] = r;
        i = least;
    }
}

/* The earliest line is only known once every reader has its next one. */
static bool heap_fill(struct heap *h, struct logs_reader *const *readers, size_t n, bool *starved, struct err *e)
{
    h->at = mem_alloc((n + 1) * sizeof *h->at);
    for (size_t i = 0; i < n; i++) {
        if (!readers[i]->have && !reader_advance(readers[i], e)) return false;
        *starved = *starved || readers[i]->starved;
        if (readers[i]->have) h->at[h->n++] = readers[i];
    }
    for (size_t i = h->n; i-- > 0;) heap_sink(h, i);
    return true;
}

bool readers_merge(struct logs_reader *const *readers, size_t n, logs_line_fn *each, void *ctx, struct err *e)
{
    struct heap h = {0};
    bool starved = false;
    bool ok = heap_fill(&h, readers, n, &starved, e);
    while (ok && h.n && !starved) {
        struct logs_reader *r = h.at[0];
        ok = each(ctx, &r->line, e);
        if (r->piece && r->piece->held) break;
        ok = ok && reader_advance(r, e);
        starved = r->starved;
        if (ok && !r->have) h.at[0] = h.at[--h.n];
        if (ok) heap_sink(&h, 0);
    }
    free(h.at);
    return ok;
}

bool logs_read(const struct logs_source *sources, size_t n, const struct logs_query *q, logs_line_fn *each,
               void *ctx, struct err *e)
{
    struct logs_filter filter;
    if (!logs_filter_init(&filter, q, e)) return false;
    struct logs_reader *readers = mem_zalloc((n + 1) * sizeof *readers);
    struct logs_reader **list = mem_alloc((n + 1) * sizeof *list);
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        reader_init(&readers[i], &sources[i], i);
        readers[i].filter = &filter;
        readers[i].flush = true;
        list[i] = &readers[i];
        ok = ok && reader_seek_tail(&readers[i], q->tail, e);
    }
    ok = ok && readers_merge(list, n, each, ctx, e);
    for (size_t i = 0; i < n; i++) reader_fini(&readers[i]);
    free(list);
    free(readers);
    logs_filter_fini(&filter);
    return ok;
}
