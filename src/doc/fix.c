/* See fix.h. Each operation is a function over the layout of one text. */
#include "doc/fix.h"

#include "base/vec.h"
#include "doc/layout.h"
#include "doc/scalar.h"

enum { EDITS_MAX = 4096 }; /* of one fix: more is no slip of the pen */

struct placer {
    struct arena *a;
    struct layout l;
    struct diag_edit edits[EDITS_MAX];
    size_t n;
};

typedef bool place_fn(struct placer *p, const struct fix_step *s);

static bool edit(struct placer *p, size_t from, size_t to, struct str text)
{
    if (p->n == EDITS_MAX || from > to || to > p->l.text.n) return false;
    p->edits[p->n++] = (struct diag_edit){(uint32_t)from, (uint32_t)to, text};
    return true;
}

static const struct layout_node *node(const struct placer *p, uint32_t i)
{
    return i == LAYOUT_NONE ? NULL : &p->l.nodes[i];
}

static struct str slice(const struct placer *p, size_t from, size_t to)
{
    return str_sub(p->l.text, from, to > from ? to - from : 0);
}

/* "\n" and as many spaces as reach column `col`. */
static struct str new_line(struct placer *p, uint32_t col)
{
    return str_fmt(p->a, "\n%*s", (int)MIN(col - 1, 100000u), "");
}

static bool first_on_line(const struct placer *p, size_t at)
{
    size_t start = layout_line_start(p->l.text, at);
    return str_trim(slice(p, start, at)).n == 0;
}

/* ---------------------------------------------------------------------------- scalars */

static bool is_plain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_./", c);
}

/* Words of harmless characters, which mean themselves without quotes anywhere. */
static bool is_plain(struct str s)
{
    bool word = s.n > 0 && s.p[0] != '-' && s.p[0] != '.' && !scalar_needs_quotes(s);
    for (size_t i = 0; i < s.n && word; i++) word = s.p[i] && is_plain_char(s.p[i]);
    return word;
}

static struct str double_quoted(struct placer *p, struct str s)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 24);
    buf_json(&b, s);
    return buf_dup(p->a, &b);
}

static struct str single_quoted(struct placer *p, struct str s)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 24);
    buf_char(&b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_char(&b, '\'');
        buf_char(&b, s.p[i]);
    }
    buf_char(&b, '\'');
    return buf_dup(p->a, &b);
}

static bool scalar_put(struct placer *p, const struct layout_node *n, struct str text)
{
    if (!n || n->kind != LAYOUT_SCALAR || n->decorated || n->style >= LAYOUT_LITERAL) return false;
    if (n->style == LAYOUT_SINGLE && str_find_char(text, '\n', 0) < 0)
        return edit(p, n->from, n->to, single_quoted(p, text));
    bool plain = n->style == LAYOUT_PLAIN && is_plain(text);
    return edit(p, n->from, n->to, plain ? text : double_quoted(p, text));
}

static bool place_key(struct placer *p, const struct fix_step *s)
{
    return scalar_put(p, node(p, layout_key(&p->l, s->line, s->col)), s->text);
}

static bool place_value(struct placer *p, const struct fix_step *s)
{
    return scalar_put(p, node(p, layout_value(&p->l, s->line, s->col)), s->text);
}

/* From behind the colon of a key to the end of the collection below it. */
static bool replace_block(struct placer *p, const struct layout_node *n, struct str text)
{
    const struct layout_node *key = node(p, n->prev);
    if (!key || !key->key) return false;
    struct str gap = slice(p, key->to, n->from);
    ptrdiff_t colon = str_find_char(gap, ':', 0);
    if (colon < 0 || str_find_char(slice(p, key->to, n->to), '#', 0) >= 0) return false;
    return edit(p, key->to + (size_t)colon + 1, n->to, str_fmt(p->a, " %.*s", STR_ARG(text)));
}

/* A value that is absent (`key:`) stands behind the colon. */
static bool place_yaml(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *n = node(p, layout_value(&p->l, s->line, s->col));
    if (!n || n->decorated || n->style >= LAYOUT_LITERAL) return false;
    if (n->kind != LAYOUT_SCALAR && !n->flow) return replace_block(p, n, s->text);
    bool space = n->from == n->to && n->from > 0 && p->l.text.p[n->from - 1] == ':';
    return edit(p, n->from, n->to, space ? str_fmt(p->a, " %.*s", STR_ARG(s->text)) : s->text);
}

static bool place_quote(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *n = node(p, layout_value(&p->l, s->line, s->col));
    if (!n || n->kind != LAYOUT_SCALAR || n->decorated || n->style != LAYOUT_PLAIN || n->from == n->to)
        return false;
    struct str text = slice(p, n->from, n->to);
    if (s->text.p && !str_eq(text, s->text)) return false;
    for (size_t i = 0; i < text.n; i++)
        if (!is_plain_char(text.p[i]) && !char_is_one_of(text.p[i], "+:~ ")) return false;
    return edit(p, n->from, n->to, str_fmt(p->a, "\"%.*s\"", STR_ARG(text)));
}

static bool place_text(struct placer *p, const struct fix_step *s)
{
    size_t from = layout_offset(&p->l, s->line, s->col);
    return edit(p, from, MIN(from + s->len, p->l.text.n), s->text);
}

/* ---------------------------------------------------------------------------- removing */

/* From the beginning of `n`'s line to that of the line behind `to`, or up to `next`, which then
 * stands where `n` stood (behind a dash). */
static bool remove_lines(struct placer *p, size_t from, size_t to, const struct layout_node *next)
{
    struct str text = p->l.text;
    size_t end = layout_line_end(text, to);
    if (first_on_line(p, from)) return edit(p, layout_line_start(text, from), MIN(end + 1, text.n), STR(""));
    if (!next || str_find_char(slice(p, to, next->from), '#', 0) >= 0) return false;
    return edit(p, from, next->from, STR(""));
}

/* Between brackets a comma goes as well: the one behind, or that before the last one. */
static bool remove_between(struct placer *p, size_t from, size_t to, const struct layout_node *prev,
                           const struct layout_node *next)
{
    size_t end = next ? next->from : to;
    if (!next) from = prev->to;
    if (str_find_char(slice(p, from, end), '#', 0) >= 0) return false;
    return edit(p, from, end, STR(""));
}

static bool remove_node(struct placer *p, const struct layout_node *first, const struct layout_node *last)
{
    const struct layout_node *parent = node(p, first->parent), *prev = node(p, first->prev);
    const struct layout_node *next = node(p, last->next);
    if (!parent || (!prev && !next)) return false;
    if (parent->flow) return remove_between(p, first->from, last->to, prev, next);
    size_t from = first->from;
    if (parent->kind == LAYOUT_LIST) { /* the dash goes too */
        while (from > 0 && p->l.text.p[from - 1] == ' ') from--;
        if (from == 0 || p->l.text.p[--from] != '-') return false;
        if (!first_on_line(p, from)) return false;
    }
    return remove_lines(p, from, MAX(last->to, first->to), parent->kind == LAYOUT_MAP ? next : NULL);
}

static bool place_remove(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *key = node(p, layout_key(&p->l, s->line, s->col));
    const struct layout_node *v = key ? node(p, key->next) : NULL;
    return v && !key->decorated && !v->decorated && remove_node(p, key, v);
}

static bool place_remove_same(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *x = node(p, layout_key(&p->l, s->line, s->col));
    const struct layout_node *y = node(p, layout_key(&p->l, s->other_line, s->other_col));
    const struct layout_node *vx = x ? node(p, x->next) : NULL, *vy = y ? node(p, y->next) : NULL;
    if (!vx || !vy || x->parent != y->parent || vx->kind != vy->kind) return false;
    if (!str_eq(slice(p, vx->from, vx->to), slice(p, vy->from, vy->to))) return false;
    return place_remove(p, s);
}

static bool place_remove_item(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *n = node(p, layout_value(&p->l, s->line, s->col));
    const struct layout_node *list = n ? node(p, n->parent) : NULL;
    return list && list->kind == LAYOUT_LIST && !n->decorated && remove_node(p, n, n);
}

/* ------------------------------------------------------------------------------ adding */

static bool has_key(const struct placer *p, uint32_t map, struct str pair)
{
    struct str name, rest;
    str_cut(pair, ':', &name, &rest);
    for (const struct layout_node *k = p->l.nodes[map].n ? node(p, map + 1) : NULL; k;) {
        if (str_eq(slice(p, k->from, k->to), name)) return true;
        const struct layout_node *v = node(p, k->next);
        k = v ? node(p, v->next) : NULL;
    }
    return false;
}

static bool place_add_pair(struct placer *p, const struct fix_step *s)
{
    uint32_t i = layout_value(&p->l, s->line, s->col);
    const struct layout_node *map = node(p, i);
    if (!map || map->kind != LAYOUT_MAP || map->decorated || has_key(p, i, s->text)) return false;
    if (map->n == 0) return edit(p, map->from + 1, map->from + 1, s->text);
    uint32_t before = s->other_line ? layout_key(&p->l, s->other_line, s->other_col) : LAYOUT_NONE;
    const struct layout_node *key = before == LAYOUT_NONE ? node(p, i + 1) : node(p, before);
    struct str behind = map->flow ? STR(", ") : new_line(p, key->col);
    return edit(p, key->from, key->from, str_cat(p->a, s->text, behind));
}

static bool place_add_item(struct placer *p, const struct fix_step *s)
{
    uint32_t i = layout_value(&p->l, s->line, s->col);
    const struct layout_node *list = node(p, i), *last;
    if (!list || list->kind != LAYOUT_LIST || list->decorated) return false;
    if (list->n == 0) return edit(p, list->from + 1, list->from + 1, s->text);
    for (last = node(p, i + 1); last->next != LAYOUT_NONE;) last = node(p, last->next);
    if (list->flow) {
        struct str behind = slice(p, last->to, list->to);
        if (str_find_char(behind, ',', 0) >= 0 || str_find_char(behind, '#', 0) >= 0) return false;
        return edit(p, last->to, last->to, str_cat(p->a, STR(", "), s->text));
    }
    size_t end = layout_line_end(p->l.text, last->to);
    if (end > 0 && p->l.text.p[end - 1] == '\r') end--;
    return edit(p, end, end, str_fmt(p->a, "%.*s- %.*s", STR_ARG(new_line(p, list->col)), STR_ARG(s->text)));
}

/* -------------------------------------------------------------------------------- lists */

static bool scalar_to_list(struct placer *p, const struct layout_node *n)
{
    struct str text = slice(p, n->from, n->to);
    if (n->style >= LAYOUT_LITERAL || n->kind == LAYOUT_ALIAS) return false;
    bool bare = n->kind == LAYOUT_SCALAR && n->style == LAYOUT_PLAIN;
    if (bare && str_find_char(text, '\n', 0) >= 0) return false;
    if (bare && !is_plain(text) && scalar_resolve(NULL, text).kind == SCALAR_STR) text = double_quoted(p, text);
    return edit(p, n->from, n->to, str_fmt(p->a, "[%.*s]", STR_ARG(text)));
}

/* Every line of the item but the first moves two columns to the right. */
static bool shift_lines(struct placer *p, const struct layout_node *n)
{
    for (size_t at = layout_line_end(p->l.text, n->from) + 1; at < n->to; at = layout_line_end(p->l.text, at) + 1)
        if (p->l.text.p[at] != '\n' && !edit(p, at, at, STR("  "))) return false;
    return true;
}

/* `key:` and below it, further right, a map: a dash in the two columns before its first key. */
static bool place_list(struct placer *p, const struct fix_step *s)
{
    const struct layout_node *n = node(p, layout_value(&p->l, s->line, s->col));
    if (!n || n->decorated) return false;
    if (n->kind == LAYOUT_SCALAR || n->flow) return scalar_to_list(p, n);
    const struct layout_node *key = node(p, n->prev), *parent = node(p, n->parent);
    if (n->kind != LAYOUT_MAP) return false;
    if (parent && parent->kind == LAYOUT_LIST) return edit(p, n->from, n->from, STR("- ")) && shift_lines(p, n);
    if (!key || !key->key || !first_on_line(p, n->from)) return false;
    if (n->col < key->col + 2 || !str_is(slice(p, n->from - 2, n->from), "  ")) return false;
    return edit(p, n->from - 2, n->from, STR("- "));
}

/* -------------------------------------------------------------------------------- placing */

static place_fn *const ops[] = {
    [FIX_KEY] = place_key,
    [FIX_VALUE] = place_value,
    [FIX_YAML] = place_yaml,
    [FIX_QUOTE] = place_quote,
    [FIX_REMOVE] = place_remove,
    [FIX_REMOVE_SAME] = place_remove_same,
    [FIX_REMOVE_ITEM] = place_remove_item,
    [FIX_ADD_PAIR] = place_add_pair,
    [FIX_ADD_ITEM] = place_add_item,
    [FIX_LIST] = place_list,
    [FIX_TEXT] = place_text,
};

static int edit_cmp(const void *x, const void *y)
{
    const struct diag_edit *a = x, *b = y;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

/* All steps, in the order of the text; nothing when one fails or two meet. */
static void place(struct placer *p, struct diag *d, bool text_only)
{
    p->n = 0;
    for (const struct fix_step *s = d->fix; s; s = s->next)
        if ((text_only && s->op != FIX_TEXT) || !ops[s->op](p, s)) return;
    qsort(p->edits, p->n, sizeof p->edits[0], edit_cmp);
    for (size_t i = 1; i < p->n; i++)
        if (p->edits[i].from < p->edits[i - 1].to) return;
    d->edits = arena_alloc_raw(p->a, p->n * sizeof *d->edits);
    memcpy(d->edits, p->edits, p->n * sizeof *d->edits);
    d->n_edits = p->n;
}

static void place_file(struct diags *d, struct placer *p, uint16_t file, struct str text)
{
    bool any = false;
    for (size_t i = 0; i < d->n && !any; i++) any = d->items[i].file == file && d->items[i].fix;
    if (!any || !text.p) return;
    bool parses = layout_read(p->a, text, &p->l, NULL);
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].file == file && d->items[i].fix && !d->items[i].edits) place(p, &d->items[i], !parses);
}

void fixes_place(struct diags *d, const struct source_files *files)
{
    struct placer *p = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const struct source_file *f = source_files_get(files, d->items[i].file);
        if (!d->items[i].fix || !f || d->items[i].edits) continue;
        if (!p) p = mem_zalloc(sizeof *p);
        p->a = d->a;
        place_file(d, p, d->items[i].file, f->text);
        /* what could not be placed is not tried again */
        for (size_t k = i; k < d->n; k++)
            if (d->items[k].file == d->items[i].file && !d->items[k].edits) d->items[k].fix = NULL;
    }
    free(p);
}

/* ------------------------------------------------------------------------------- applying */

struct chosen {
    VEC(struct diag_edit) edits; /* in order, apart */
};

static bool fits(const struct chosen *c, const struct diag *d)
{
    for (size_t i = 0; i < d->n_edits; i++) {
        const struct diag_edit *x = &d->edits[i];
        size_t from = 0, to = c->edits.n; /* the first edit that ends behind x's beginning */
        while (from < to) {
            size_t mid = from + (to - from) / 2;
            if (c->edits.items[mid].to < x->from) from = mid + 1;
            else to = mid;
        }
        if (from < c->edits.n && c->edits.items[from].from <= x->to) return false;
    }
    return true;
}

static int diag_by_edit(const void *x, const void *y)
{
    const struct diag *const *a = x, *const *b = y;
    uint32_t p = (*a)->edits[0].from, q = (*b)->edits[0].from;
    return p != q ? (p < q ? -1 : 1) : (*a < *b ? -1 : *a > *b);
}

static void text_write(const struct chosen *c, struct str text, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < c->edits.n; i++) {
        const struct diag_edit *x = &c->edits.items[i];
        buf_str(out, str_sub(text, at, x->from - at));
        buf_str(out, x->text);
        at = x->to;
    }
    buf_str(out, str_from(text, at));
}

size_t fixes_apply(struct diags *d, const struct source_files *files, uint16_t file, struct buf *out)
{
    const struct source_file *f = source_files_get(files, file);
    struct chosen c = {0};
    VEC(struct diag *) all = {0};
    size_t applied = 0;
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].file == file && d->items[i].n_edits) VEC_PUSH(&all, &d->items[i]);
    if (all.n) qsort(all.items, all.n, sizeof all.items[0], diag_by_edit);
    for (size_t i = 0; i < all.n; i++) {
        if (!fits(&c, all.items[i])) {
            all.items[i]->n_edits = 0;
            continue;
        }
        applied++;
        size_t before = c.edits.n;
        for (size_t k = 0; k < all.items[i]->n_edits; k++) VEC_PUSH(&c.edits, all.items[i]->edits[k]);
        if (before && c.edits.items[before].from < c.edits.items[before - 1].from)
            qsort(c.edits.items, c.edits.n, sizeof c.edits.items[0], edit_cmp);
    }
    text_write(&c, f ? f->text : STR(""), out);
    VEC_FINI(&all);
    VEC_FINI(&c.edits);
    return applied;
}
