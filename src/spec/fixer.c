/* See fixer.h. */
#include "spec/fixer.h"

#include "base/limits.h"
#include "doc/fix.h"
#include "doc/layout.h"

enum {
    ROUNDS_MAX = 400,
    GRACE_MAX = 40, /* rounds after which there are not fewer findings: what was hidden came to light */
};

/* One reading of one text. */
struct reading {
    struct arena a;
    struct diags d;
    struct source_files files;
    struct documents docs;
    struct str text;
};

static void reading_fini(struct reading *r)
{
    documents_fini(&r->docs);
    diags_fini(&r->d);
    source_files_fini(&r->files);
    arena_fini(&r->a);
}

static void reading_init(struct reading *r, struct str text, const struct lint_opts *opts)
{
    struct lint_opts o = opts ? *opts : (struct lint_opts){0};
    *r = (struct reading){.text = text};
    arena_init(&r->a);
    diags_init(&r->d, &r->a);
    documents_init(&r->docs, &r->a);
    o.files = &r->files;
    uint16_t file = source_files_add(&r->files, STR("-"), text);
    documents_add(&r->docs, text, file, &r->d);
    spec_lint(&r->a, &r->docs, &o, &r->d);
    diags_sort(&r->d);
    fixes_place(&r->d, &r->files);
}

static const struct diag *syntax_error(const struct reading *r)
{
    for (size_t i = 0; i < r->d.n; i++)
        if (r->d.items[i].code && strcmp(r->d.items[i].code, "E0001") == 0) return &r->d.items[i];
    return NULL;
}

/* --------------------------------------------------------------------------------- proof */

struct walk { /* the scalars of a text, without those that an edit touches */
    const struct layout *l;
    uint32_t at;
    const struct diag_edit *edits; /* in order */
    size_t n_edits, edit;
    ptrdiff_t shift; /* of the edits passed, for the new text; 0 for the old one */
    bool is_new;
};

/* Range of the current edit in this walk's own text. */
static void edit_range(const struct walk *w, size_t *from, size_t *to)
{
    const struct diag_edit *x = &w->edits[w->edit];
    *from = (size_t)((ptrdiff_t)x->from + w->shift);
    *to = w->is_new ? *from + x->text.n : x->to;
}

static bool touched(struct walk *w, const struct layout_node *n)
{
    while (w->edit < w->n_edits) {
        size_t from, to;
        edit_range(w, &from, &to);
        if (to >= n->from) return from <= n->to;
        if (w->is_new)
            w->shift += (ptrdiff_t)w->edits[w->edit].text.n -
                        (ptrdiff_t)(w->edits[w->edit].to - w->edits[w->edit].from);
        w->edit++;
    }
    return false;
}

static const struct layout_node *next_untouched(struct walk *w)
{
    while (w->at < w->l->n) {
        const struct layout_node *n = &w->l->nodes[w->at++];
        bool scalar = n->kind == LAYOUT_SCALAR || n->kind == LAYOUT_ALIAS;
        if (scalar && n->to > n->from && !touched(w, n)) return n;
    }
    return NULL;
}

static bool same_node(const struct layout *lx, const struct layout_node *x, const struct layout *ly,
                      const struct layout_node *y)
{
    return x->kind == y->kind && x->style == y->style && x->key == y->key &&
           str_eq(str_sub(lx->text, x->from, x->to - x->from), str_sub(ly->text, y->from, y->to - y->from));
}

static bool rest_is_same(const struct layout *before, const struct layout *after, const struct diag_edit *edits,
                         size_t n)
{
    struct walk x = {.l = before, .edits = edits, .n_edits = n}, y = x;
    y.l = after;
    y.is_new = true;
    for (;;) {
        const struct layout_node *p = next_untouched(&x), *q = next_untouched(&y);
        if (!p || !q) return p == q;
        if (!same_node(before, p, after, q)) return false;
    }
}

static size_t findings(const struct reading *r) { return r->d.n + r->d.dropped; }

/* Fewer errors, or as many and fewer findings. */
static bool is_better(const struct reading *before, const struct reading *after)
{
    if (after->d.errors != before->d.errors) return after->d.errors < before->d.errors;
    return findings(after) < findings(before);
}

/* What a document that could not be decoded holds is looked at only once it can be. */
static bool hides_more(const struct reading *r)
{
    bool broken = false;
    for (size_t i = 0; i < r->docs.n; i++) broken |= r->docs.items[i].broken;
    for (size_t i = 0; i < r->d.n && !broken; i++)
        broken = str_starts(str_of(r->d.items[i].code), STR("E00")) || str_starts(str_of(r->d.items[i].code), STR("W00"));
    return broken;
}

/* A text that did not parse must do so now, or fail further on. */
static bool is_progress(const struct reading *before, const struct reading *after)
{
    const struct diag *x = syntax_error(before), *y = syntax_error(after);
    if (!x) return !y && after->docs.n >= before->docs.n && (hides_more(before) || is_better(before, after));
    return !y || y->line > x->line || (y->line == x->line && y->col > x->col);
}

static int edit_cmp(const void *x, const void *y)
{
    const struct diag_edit *a = x, *b = y;
    return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to > b->to) - (a->to < b->to);
}

static bool is_sound(const struct reading *before, const struct reading *after)
{
    struct arena a CLEANUP(arena_fini);
    struct layout x, y;
    arena_init(&a);
    if (!is_progress(before, after)) return false;
    if (syntax_error(before)) return true;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < before->d.n; i++) n += before->d.items[i].n_edits;
    struct diag_edit *edits = arena_alloc_raw(&a, MAX(n, 1u) * sizeof *edits);
    for (size_t i = 0; i < before->d.n; i++)
        for (size_t k = 0; k < before->d.items[i].n_edits; k++) edits[at++] = before->d.items[i].edits[k];
    qsort(edits, n, sizeof *edits, edit_cmp);
    return layout_read(&a, before->text, &x, NULL) && layout_read(&a, after->text, &y, NULL) &&
           rest_is_same(&x, &y, edits, n);
}

/* -------------------------------------------------------------------------------- rounds */

struct round {
    struct str text;
    const struct lint_opts *opts;
    struct reading before;
    struct buf out;
    size_t grace;
};

/* Applies what has edits; true when the result is proved. */
static bool attempt(struct round *r, size_t *fixes)
{
    struct reading after;
    buf_reset(&r->out);
    *fixes = fixes_apply(&r->before.d, &r->before.files, 1, &r->out);
    if (!*fixes || r->out.overflow) return false;
    reading_init(&after, buf_view(&r->out), r->opts);
    bool ok = is_sound(&r->before, &after);
    if (ok && !is_better(&r->before, &after)) ok = r->grace++ < GRACE_MAX;
    reading_fini(&after);
    return ok;
}

/* One after the other, until one of them is sound by itself. */
static bool attempt_each(struct round *r, size_t *fixes)
{
    enum { BYTES_MAX = 32 << 20 }; /* read in vain */
    struct diags *d = &r->before.d;
    struct arena *a = &r->before.a;
    size_t *kept = ARENA_ARRAY(a, size_t, d->n + 1), bytes = 0;
    for (size_t i = 0; i < d->n; i++) {
        kept[i] = d->items[i].edits ? d->items[i].n_edits : 0;
        d->items[i].n_edits = 0;
    }
    for (size_t i = 0; i < d->n && bytes <= BYTES_MAX; i++) {
        if (!kept[i]) continue;
        d->items[i].n_edits = kept[i];
        if (attempt(r, fixes)) return true;
        d->items[i].n_edits = 0;
        bytes += r->text.n + 1;
    }
    return false;
}

static bool round_run(struct round *r, size_t *fixes)
{
    reading_init(&r->before, r->text, r->opts);
    bool done = diags_fixable(&r->before.d) > 0 && (attempt(r, fixes) || attempt_each(r, fixes));
    reading_fini(&r->before);
    return done;
}

bool spec_fix(struct str text, const struct lint_opts *opts, struct buf *out, struct fixed *fixed, struct err *e)
{
    struct round r = {.text = text, .opts = opts};
    size_t fixes = 0;
    *fixed = (struct fixed){0};
    buf_init(&r.out, LIMIT_DOC_BYTES);
    buf_str(out, text);
    while (fixed->rounds < ROUNDS_MAX && !out->overflow) {
        r.text = buf_view(out);
        fixed->rounds++;
        if (!round_run(&r, &fixes)) break;
        fixed->fixes += fixes;
        buf_reset(out);
        buf_str(out, buf_view(&r.out));
    }
    bool overflow = r.out.overflow || out->overflow;
    buf_fini(&r.out);
    return !overflow || err_set(e, ERR_LIMIT, "the text is longer than %d bytes (LIMIT_DOC_BYTES)", LIMIT_DOC_BYTES);
}
