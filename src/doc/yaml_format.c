/* See yaml_format.h. Every line gets a new indentation: that of the key or dash that begins it, that of its
 * neighbours when it is a comment, or a shift when it goes on with a text or brackets. */
#include "doc/yaml_format.h"

#include "base/limits.h"
#include "doc/layout.h"
#include "doc/yaml.h"

enum { UNKNOWN = -1 };
enum line_kind { LINE_OTHER, LINE_BEGINS, LINE_GOES_ON, LINE_TEXT }; /* TEXT: of a block, kept with its blanks */

struct line {
    uint32_t from, to; /* without the line feed */
    int32_t indent;    /* as it is */
    int32_t fresh;     /* as it shall be; UNKNOWN until it is known */
    int32_t shift;     /* of LINE_GOES_ON and LINE_TEXT */
    uint32_t dashes, content; /* how many dashes begin it, and where what is behind them begins */
    uint8_t kind;
    bool blank, comment;
};

struct block { /* of a node: where its keys or dashes stand */
    int32_t old, fresh;
};

struct format {
    struct layout l;
    struct line *lines;
    size_t n;
    struct block *blocks; /* one for each node; only block collections have one */
};

static struct str line_text(const struct format *f, size_t i)
{
    return str_sub(f->l.text, f->lines[i].from, f->lines[i].to - f->lines[i].from);
}

static size_t line_at(const struct format *f, size_t offset)
{
    size_t from = 0, to = f->n;
    while (to - from > 1) {
        size_t mid = from + (to - from) / 2;
        if (f->lines[mid].from <= offset) from = mid;
        else to = mid;
    }
    return from;
}

static void lines_read(struct arena *a, struct format *f)
{
    f->n = f->l.n_lines;
    f->lines = ARENA_ARRAY(a, struct line, f->n);
    for (size_t i = 0; i < f->n; i++) {
        struct line *x = &f->lines[i];
        x->from = f->l.lines[i];
        x->to = i + 1 < f->n ? f->l.lines[i + 1] - 1 : (uint32_t)f->l.text.n;
        x->fresh = UNKNOWN;
        struct str s = line_text(f, i);
        while ((size_t)x->indent < s.n && s.p[x->indent] == ' ') x->indent++;
        struct str rest = str_trim(s);
        x->blank = rest.n == 0;
        x->comment = rest.n > 0 && rest.p[0] == '#';
    }
}

/* The dash of an item: the first one behind the item before. */
static size_t dash_of(const struct format *f, const struct layout_node *list, const struct layout_node *item)
{
    size_t at = item->prev == LAYOUT_NONE ? list->from : f->l.nodes[item->prev].to;
    while (at < item->from && f->l.text.p[at] != '-') {
        if (f->l.text.p[at] == '#') at = layout_line_end(f->l.text, at);
        else at++;
    }
    return at;
}

static void begins(struct format *f, size_t offset, int32_t fresh)
{
    struct line *x = &f->lines[line_at(f, offset)];
    if (x->from + (size_t)x->indent != offset) return;
    x->kind = LINE_BEGINS;
    x->fresh = fresh;
}

/* Where the children of a block collection go, given its parent's place. */
static void block_place(struct format *f, uint32_t i)
{
    const struct layout_node *n = &f->l.nodes[i], *first = &f->l.nodes[i + 1];
    const struct layout_node *parent = n->parent == LAYOUT_NONE ? NULL : &f->l.nodes[n->parent];
    struct block *b = &f->blocks[i];
    bool map = n->kind == LAYOUT_MAP;
    size_t at = map ? first->from : dash_of(f, n, first);
    b->old = (int32_t)(at - layout_line_start(f->l.text, at));
    if (!parent) b->fresh = 0;
    else if (parent->kind == LAYOUT_LIST) b->fresh = f->blocks[n->parent].fresh + 2;
    else b->fresh = f->blocks[n->parent].fresh + (map ? 2 : 0);
}

/* `-   -   name` becomes `- - name`. */
static void close_gap(struct format *f, size_t dash, const struct layout_node *item)
{
    struct line *x = &f->lines[line_at(f, dash)];
    size_t gap = item->from > dash + 1 ? item->from - dash - 1 : 0;
    if (gap == 0 || item->from >= x->to || str_trim(str_sub(f->l.text, dash + 1, gap)).n > 0) return;
    x->dashes++;
    x->content = item->from;
}

/* The lines behind the first one of a text or of brackets move as their block does. */
static void goes_on(struct format *f, const struct layout_node *n, int32_t shift)
{
    bool text = n->style >= LAYOUT_LITERAL && n->kind == LAYOUT_SCALAR;
    size_t from = line_at(f, n->from), to = line_at(f, n->to ? n->to - 1 : 0);
    if (n->to <= n->from) return;
    if (text) { /* blank lines at the end belong to it when the block keeps them */
        size_t head = MIN(layout_line_end(f->l.text, n->from), (size_t)n->from + 4);
        if (memchr(f->l.text.p + n->from, '+', head - n->from))
            while (to + 1 < f->n && f->lines[to + 1].blank) to++;
    }
    for (size_t i = from + 1; i <= to; i++) {
        f->lines[i].kind = text ? LINE_TEXT : LINE_GOES_ON;
        f->lines[i].shift = shift;
    }
}

static void nodes_place(struct format *f)
{
    for (uint32_t i = 0; i < f->l.n; i++) {
        const struct layout_node *n = &f->l.nodes[i];
        const struct layout_node *parent = n->parent == LAYOUT_NONE ? NULL : &f->l.nodes[n->parent];
        bool block = (n->kind == LAYOUT_MAP || n->kind == LAYOUT_LIST) && !n->flow && n->n > 0;
        if (parent && parent->flow) continue;
        if (block) block_place(f, i);
        struct block *b = parent ? &f->blocks[n->parent] : NULL;
        if (b && parent->kind == LAYOUT_MAP && n->key) begins(f, n->from, b->fresh);
        if (b && parent->kind == LAYOUT_LIST) {
            size_t dash = dash_of(f, parent, n);
            begins(f, dash, b->fresh);
            close_gap(f, dash, n);
        }
        if (!block) goes_on(f, n, b ? b->fresh - b->old : 0);
    }
}

/* A comment stands as the line does that it stood with: the next one, or the one before. */
static void comments_place(struct format *f)
{
    int32_t old = 0, fresh = 0;
    for (size_t i = f->n; i-- > 0;) {
        struct line *x = &f->lines[i];
        if (x->kind == LINE_BEGINS) old = x->indent, fresh = x->fresh;
        if (x->kind != LINE_OTHER || !x->comment) continue;
        if (x->indent == old) x->fresh = fresh;
        else x->shift = fresh - old;
    }
    for (size_t i = 0; i < f->n; i++) {
        struct line *x = &f->lines[i];
        if (x->kind == LINE_BEGINS) old = x->indent, fresh = x->fresh;
        if (x->kind != LINE_OTHER || !x->comment || x->fresh != UNKNOWN) continue;
        x->fresh = x->indent == old ? fresh : MAX(x->indent + x->shift, 0);
    }
}

/* ------------------------------------------------------------------------------- writing */

static void spaces(struct buf *b, int32_t n)
{
    while (n-- > 0) buf_char(b, ' ');
}

static struct str without_end_blanks(struct str s)
{
    while (s.n && strchr(" \t\r", s.p[s.n - 1])) s.n--;
    return s;
}

static void line_write(const struct format *f, size_t i, bool indent, struct buf *out)
{
    const struct line *x = &f->lines[i];
    struct str s = line_text(f, i), rest = str_from(s, (size_t)x->indent);
    int32_t fresh = x->indent;
    if (indent && (x->kind == LINE_GOES_ON || x->kind == LINE_TEXT)) fresh = MAX(x->indent + x->shift, 0);
    else if (indent && x->fresh != UNKNOWN) fresh = x->fresh;
    if (x->kind == LINE_TEXT) {
        bool empty = x->blank && s.n <= (size_t)MAX(x->indent, 0) && x->shift < 0;
        spaces(out, empty ? MIN(fresh, x->indent) : x->blank && x->indent == 0 ? 0 : fresh);
        buf_str(out, rest);
        return;
    }
    spaces(out, fresh);
    rest = without_end_blanks(rest);
    if (indent && x->dashes) {
        for (uint32_t k = 0; k < x->dashes; k++) buf_str(out, STR("- "));
        rest = str_from(rest, x->content - (x->from + (size_t)x->indent));
    }
    buf_str(out, rest);
}

static void lines_write(const struct format *f, bool indent, struct buf *out)
{
    bool gap = true; /* no blank lines at the beginning */
    size_t n = f->n;
    while (n > 0 && f->lines[n - 1].blank && f->lines[n - 1].kind != LINE_TEXT) n--;
    if (n == f->n && n > 0 && f->lines[n - 1].blank) n--; /* what is behind the last line feed */
    for (size_t i = 0; i < n; i++) {
        bool blank = f->lines[i].blank && f->lines[i].kind == LINE_OTHER;
        if (blank && gap) continue;
        if (blank) buf_char(out, '\n');
        else {
            line_write(f, i, indent, out);
            buf_char(out, '\n');
        }
        gap = blank;
    }
}

static bool same_value(struct str x, struct str y)
{
    struct arena a CLEANUP(arena_fini);
    struct val *before, *after;
    size_t n, m;
    arena_init(&a);
    if (!yaml_parse_all(&a, x, NULL, &before, &n, NULL) || !yaml_parse_all(&a, y, NULL, &after, &m, NULL)) return false;
    for (size_t i = 0; i < n && n == m; i++)
        if (!val_eq(&before[i], &after[i])) return false;
    return n == m;
}

static bool is_json(struct str text)
{
    struct str s = str_trim(text);
    return s.n && (s.p[0] == '{' || s.p[0] == '[');
}

bool yaml_format(struct str text, struct buf *out, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct format f = {0};
    struct val *docs;
    size_t n;
    bool done = false;
    arena_init(&a);
    buf_init(&b, LIMIT_DOC_BYTES);
    if (!yaml_parse_all(&a, text, NULL, &docs, &n, e)) return false;
    if (is_json(text) || !layout_read(&a, text, &f.l, NULL)) {
        buf_str(out, text);
        return true;
    }
    lines_read(&a, &f);
    f.blocks = ARENA_ARRAY(&a, struct block, f.l.n + 1);
    nodes_place(&f);
    comments_place(&f);
    for (int indent = 1; indent >= 0 && !done; indent--) { /* at least without blanks at the ends */
        buf_reset(&b);
        lines_write(&f, indent != 0, &b);
        done = !b.overflow && same_value(text, buf_view(&b));
    }
    buf_str(out, done ? buf_view(&b) : text);
    return !out->overflow || err_set(e, ERR_LIMIT, "the text is longer than %d bytes (LIMIT_DOC_BYTES)", LIMIT_DOC_BYTES);
}
