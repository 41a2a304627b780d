/* Progress: "N/M" of each node that does something, and their sum (workflow/progress/updater.go, progress.go).
 *
 * A node counts as 0/1 unless its pod said something else; one that ended well, or was skipped, is done. */
#include "engine/engine_p.h"

bool progress_counts(const struct node *n)
{
    static const bool counts[NTYPE_MAX] = {
        [NTYPE_POD] = true, [NTYPE_CONTAINER] = true, [NTYPE_SUSPEND] = true, [NTYPE_HTTP] = true, [NTYPE_PLUGIN] = true};
    return counts[n->type];
}

struct extra *extra_of(struct run *r, struct node *n)
{
    if (!n->extra) n->extra = ARENA_NEW(&r->arena, struct extra);
    return n->extra;
}

struct progress progress_of(const struct node *n)
{
    struct progress p = {0, 1};
    if (n->extra && n->extra->of) p = (struct progress){n->extra->done, n->extra->of};
    if (n->phase == NODE_SUCCEEDED || n->phase == NODE_SKIPPED || n->phase == NODE_OMITTED) p.done = p.of;
    return p;
}

/* Steps may say anything: sums wrap around, as Go's do. */
static int64_t wrap(int64_t a, int64_t b, bool minus) { return (int64_t)(minus ? (uint64_t)a - (uint64_t)b : (uint64_t)a + (uint64_t)b); }

static void change(struct run *r, const struct node *n, bool minus)
{
    if (!progress_counts(n)) return;
    struct progress p = progress_of(n);
    r->progress = (struct progress){wrap(r->progress.done, p.done, minus), wrap(r->progress.of, p.of, minus)};
}

void progress_take(struct run *r, const struct node *n) { change(r, n, true); }
void progress_give(struct run *r, const struct node *n) { change(r, n, false); }

bool progress_parse(struct str line, struct progress *out)
{
    struct str done, of;
    if (!str_cut(line, '/', &done, &of) || !str_to_i64(done, &out->done) || !str_to_i64(of, &out->of)) return false;
    return out->done >= 0 && out->done <= out->of && out->of > 0;
}

bool run_step_progress(struct run *r, struct node *n, struct str line, int64_t now_us, struct outbox *out)
{
    struct progress p;
    bool known = progress_parse(line, &p);
    event_begin(r, now_us);
    if (known && progress_counts(n) && !phase_fulfilled(n->phase)) {
        progress_take(r, n);
        struct extra *x = extra_of(r, n);
        x->done = p.done;
        x->of = p.of;
        progress_give(r, n);
        node_touch(r, n);
        r->dirty = true;
    }
    event_end(r, out);
    return known;
}
