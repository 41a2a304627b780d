/* One frame: first the whole tree, then with done and pending nodes folded, then a flat list of
 * failures and running steps; whichever fits first. */
#include "base/limits.h"
#include "cli/human.h"
#include "cli/live_p.h"
#include "cli/text.h"

enum {
    TREE_NODES = 20000, /* larger runs go to the flat list at once: a frame must stay cheap */
};

struct frame {
    struct live *l;
    int64_t now_us;
    size_t max, n, cols; /* lines allowed, lines so far, cells allowed */
    bool fold, full;     /* full: a line found no room */
    struct buf text;     /* lines joined by \n */
    struct buf line;
};

static void line_end(struct frame *f)
{
    if (f->n == f->max) {
        f->full = true;
    } else {
        if (f->n++) buf_char(&f->text, '\n');
        text_cut(&f->text, buf_view(&f->line), f->cols, f->l->style.ascii);
    }
    buf_reset(&f->line);
}

/* --- lines --- */

static void node_line(struct frame *f, const struct lnode *n, size_t depth)
{
    struct buf *b = &f->line;
    text_pad(b, 1 + 2 * depth);
    icon_put(b, &f->l->style, n->icon);
    buf_char(b, ' ');
    buf_str(b, n->label);
    if (lnode_running(n) && n->started_us) {
        buf_str(b, STR("  "));
        human_short(b, f->now_us - n->started_us);
    } else if (n->ended_us && n->icon->role != STYLE_SKIPPED && n->leaf) {
        buf_str(b, STR("  "));
        human_exact(b, n->ended_us - n->started_us);
    }
    if (n->message.n) {
        buf_str(b, STR("  "));
        style_put(b, &f->l->style, lnode_failed(n) ? STYLE_FAILED : STYLE_DIM, n->message);
    }
    line_end(f);
}

static void count_line(struct frame *f, const char *phase, size_t count, const char *what, size_t depth)
{
    if (!count) return;
    text_pad(&f->line, 1 + 2 * depth);
    icon_put(&f->line, &f->l->style, icon_of(str_of(phase)));
    buf_printf(&f->line, " %zu %s", count, what);
    line_end(f);
}

static void head_lines(struct frame *f)
{
    struct live *l = f->l;
    icon_put(&f->line, &l->style, l->icon);
    buf_char(&f->line, ' ');
    style_put(&f->line, &l->style, STYLE_HEAD, l->workflow);
    if (l->message.n) buf_printf(&f->line, "  %.*s", STR_ARG(l->message));
    line_end(f);
    if (!l->notice.n) return;
    style_put(&f->line, &l->style, STYLE_WARN, l->notice);
    line_end(f);
}

struct counts {
    size_t total, done, failed, running, pending;
};

static struct counts units_count(const struct live *l)
{
    struct counts c = {0};
    for (size_t i = 1; i < l->nodes.n; i++) {
        const struct lnode *n = &l->nodes.items[i];
        if (!lnode_unit(n)) continue;
        c.total++;
        c.done += lnode_ended(n);
        c.failed += lnode_failed(n);
        c.running += lnode_running(n);
    }
    c.pending = c.total - c.done - c.running;
    return c;
}

static void status_line(struct frame *f, const struct counts *c)
{
    const struct style *s = &f->l->style;
    const char *dot = style_pick(s, " · ", ", ");
    struct buf *b = &f->line;
    buf_printf(b, "[%zu/%zu] ", c->done, c->total);
    if (c->failed) {
        CLEANUP(buf_fini) struct buf t;
        buf_init(&t, 64);
        buf_printf(&t, "%zu failed", c->failed);
        style_put(b, s, STYLE_FAILED, buf_view(&t));
        buf_str(b, str_of(dot));
    }
    buf_printf(b, "%zu running%s", c->running, dot);
    human_clock(b, (f->l->ended_us ? f->l->ended_us : f->now_us) - f->l->started_us);
    line_end(f);
}

/* --- the tree --- */

/* Not shown itself; its kids take its place: the root node (the header stands for it), a Retry
 * with one attempt, a node that is only mentioned. */
static bool passes_through(const struct live *l, const struct lnode *n)
{
    if (!n->known) return true;
    if (n->retry) return n->first && n->first == n->last;
    return !n->leaf && str_eq(n->id, l->workflow);
}

static size_t units_below(const struct live *l, uint32_t i, int depth)
{
    const struct lnode *n = &l->nodes.items[i];
    size_t sum = lnode_unit(n);
    if (n->retry || depth > LIMIT_DOC_DEPTH) return sum;
    for (uint32_t k = n->first; k; k = l->nodes.items[k].next) sum += units_below(l, k, depth + 1);
    return sum;
}

/* A failed attempt is done when its Retry goes on. */
static bool is_foldable(const struct live *l, const struct lnode *n, bool *done)
{
    bool retried = n->fixed && lnode_failed(n) && !lnode_failed(&l->nodes.items[n->parent]);
    *done = lnode_ok(n) || retried;
    return *done || (n->leaf && !lnode_running(n) && !lnode_ended(n));
}

static void kids_draw(struct frame *f, uint32_t parent, size_t depth, int nesting);

static void node_draw(struct frame *f, uint32_t i, size_t depth, int nesting)
{
    const struct lnode *n = &f->l->nodes.items[i];
    bool through = passes_through(f->l, n);
    if (!through) node_line(f, n, depth);
    if (nesting < LIMIT_DOC_DEPTH) kids_draw(f, i, through ? depth : depth + 1, nesting + 1);
}

static void kids_draw(struct frame *f, uint32_t parent, size_t depth, int nesting)
{
    const struct lnode *all = f->l->nodes.items;
    size_t done = 0, pending = 0;
    for (uint32_t k = all[parent].first; k && f->fold; k = all[k].next) {
        bool is_done;
        if (passes_through(f->l, &all[k]) || !is_foldable(f->l, &all[k], &is_done)) continue;
        size_t units = MAX(units_below(f->l, k, 0), 1);
        *(is_done ? &done : &pending) += units;
    }
    count_line(f, "Succeeded", done, "done", depth);
    for (uint32_t k = all[parent].first; k && !f->full; k = all[k].next) {
        bool is_done;
        if (f->fold && !passes_through(f->l, &all[k]) && is_foldable(f->l, &all[k], &is_done)) continue;
        node_draw(f, k, depth, nesting);
    }
    count_line(f, "Pending", pending, "pending", depth);
}

/* --- the flat list --- */

/* In `room` lines at most; the last one counts what is not shown. */
static void failures_draw(struct frame *f, size_t failed, size_t room)
{
    size_t shown = failed > room ? room - 1 : failed;
    size_t left = failed - shown;
    for (size_t i = f->l->nodes.n; i-- > 1 && shown > 0;) {
        const struct lnode *n = &f->l->nodes.items[i];
        if (!lnode_unit(n) || !lnode_failed(n)) continue;
        node_line(f, n, 0);
        shown--;
    }
    count_line(f, "Failed", left, left == failed ? "failed" : "more failed", 0);
}

static void running_draw(struct frame *f, size_t running, size_t room)
{
    size_t shown = running > room ? room - 1 : running;
    size_t left = running - shown;
    for (size_t i = 1; i < f->l->nodes.n && shown > 0; i++) {
        const struct lnode *n = &f->l->nodes.items[i];
        if (!lnode_unit(n) || !lnode_running(n)) continue;
        node_line(f, n, 0);
        shown--;
    }
    count_line(f, "Running", left, left == running ? "running" : "more running", 0);
}

/* Failures get half of the lines, and what running steps do not need; the folded counts come last
 * and only where there is room for something above them. */
static void flat_draw(struct frame *f, const struct counts *c)
{
    size_t room = f->max - f->n;
    size_t sums = (c->done > c->failed) + (c->pending > 0);
    bool with_sums = room >= sums + 2;
    if (with_sums) room -= sums;
    size_t spare = room > c->running ? room - c->running : 0;
    size_t for_failed = MIN(c->failed, MAX(MAX(room / 2, spare), 1));
    if (room > 0 && for_failed > 0) failures_draw(f, c->failed, for_failed);
    if (room > for_failed && c->running) running_draw(f, c->running, room - for_failed);
    if (!with_sums) return;
    count_line(f, "Succeeded", c->done - c->failed, "done", 0);
    count_line(f, "Pending", c->pending, "pending", 0);
}

/* --- the frame --- */

static void frame_restart(struct frame *f, bool fold)
{
    buf_reset(&f->text);
    f->n = 0;
    f->full = false;
    f->fold = fold;
    if (f->max > 1) head_lines(f);
}

static void frame_compose(struct frame *f)
{
    struct counts c = units_count(f->l);
    f->max--; /* the status line's place */
    for (int fold = 0; fold < 2; fold++) {
        frame_restart(f, fold);
        f->full |= f->l->nodes.n > TREE_NODES;
        if (!f->full) kids_draw(f, 0, 0, 0);
        if (!f->full) break;
    }
    if (f->full) {
        frame_restart(f, false);
        flat_draw(f, &c);
    }
    f->max++;
    status_line(f, &c);
}

/* How many lines the old frame takes on a screen of this width: a narrower one has wrapped it. */
static size_t lines_up(const struct live *l, int rows, int cols)
{
    size_t lines = 0;
    for (size_t i = 0; i < l->widths.n; i++) lines += MAX((l->widths.items[i] + (size_t)cols - 1) / (size_t)cols, 1);
    return MIN(lines, (size_t)rows);
}

static void to_frame_start(const struct live *l, int rows, int cols, struct buf *out)
{
    size_t up = lines_up(l, rows, cols);
    buf_char(out, '\r');
    if (up > 1) buf_printf(out, "\033[%zuA", up - 1);
}

static void lines_put(struct live *l, struct str text, struct buf *out)
{
    struct str line, rest = text;
    l->widths.n = 0;
    while (str_set(rest)) {
        if (l->widths.n) buf_str(out, STR("\r\n"));
        str_cut(rest, '\n', &line, &rest);
        buf_str(out, line);
        buf_str(out, STR("\033[K"));
        VEC_PUSH(&l->widths, text_width(line));
    }
}

void live_draw(struct live *l, int64_t now_us, int rows, int cols, struct buf *out)
{
    rows = MAX(2, MIN(rows, LIMIT_SCREEN_ROWS));
    cols = MAX(2, MIN(cols, LIMIT_SCREEN_COLS));
    struct frame f = {.l = l, .now_us = now_us, .max = (size_t)rows - 1, .cols = (size_t)cols - 1};
    buf_init(&f.text, LIMIT_SHOWN_BYTES);
    buf_init(&f.line, LIMIT_SHOWN_BYTES);
    frame_compose(&f);
    buf_str(out, STR("\033[?2026h\033[?25l"));
    to_frame_start(l, rows, cols, out);
    lines_put(l, buf_view(&f.text), out);
    buf_str(out, STR("\033[J\033[?2026l"));
    buf_fini(&f.text);
    buf_fini(&f.line);
    l->drawn_us = now_us;
    l->changed = false;
}

void live_erase(struct live *l, int rows, int cols, struct buf *out)
{
    if (l->widths.n) {
        to_frame_start(l, MAX(rows, 2), MAX(cols, 2), out);
        buf_str(out, STR("\033[J"));
    }
    buf_str(out, STR("\033[?25h"));
    l->widths.n = 0;
    l->changed = true;
}
