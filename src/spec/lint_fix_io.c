/* Mending the names of parameters and artifacts: a name is changed wherever it stands in the file, so that
 * whatever belonged together still does. See lint_p.h.
 *
 * Nothing is done when the mended name is taken, or when a reference could be read in two ways. */
#include "spec/lint_p.h"

/* Each name costs a walk over the file: none is mended in a large one. */
enum { FILE_VALUES_MAX = 10000, WALKED_MAX = 1 << 19 /* values, for all names of a reading */ };

struct io_name {
    struct lint *l;
    struct diag *g;
    struct str from, to;
    const char *list;         /* "parameters" or "artifacts" */
    struct str patterns[3];   /* of references: .LIST.NAME, LIST['NAME'], LIST["NAME"] */
    size_t skip;              /* where the name begins in each */
    size_t seen; /* values of this walk */
    bool apply, ok;
};

/* What cannot stand there becomes a dash, several in a row one, none at the ends. */
static struct str mended(struct arena *a, struct str name, enum name_form form)
{
    char *out = arena_alloc_bytes(a, name.n + 1);
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < name.n; i++) {
        bool fine = lint_well_formed(str_sub(name, i, 1), form);
        if (fine && gap && n) out[n++] = '-';
        if (fine) out[n++] = name.p[i];
        gap = !fine;
    }
    out[n] = '\0';
    return n ? str_n(out, n) : STR_NONE;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* `other` is declared too: can the two be told apart? */
static bool is_clear(const struct io_name *x, struct str other)
{
    if (str_eq(other, x->from)) return true;
    if (str_eq(other, x->to)) return false;
    if (str_starts(other, x->from)) return word_char(other.p[x->from.n]);
    return !(str_starts(x->from, other) && x->from.p[other.n] == '.'); /* a.b may be member b of a */
}

static void name_see(struct io_name *x, const struct val *item, const char *key)
{
    const struct val *name = val_get(item, str_of(key));
    if (!name || name->kind != VAL_STR || !name->s.n) return;
    if (!x->apply) x->ok = x->ok && is_clear(x, name->s);
    else if (str_eq(name->s, x->from)) diag_fix_val(x->l->d, x->g, FIX_VALUE, name, x->to);
}

/* In an expression the mended name would be a subtraction. */
static bool in_plain_tag(struct str s, size_t at)
{
    ptrdiff_t open = -1;
    for (ptrdiff_t i = -1; (i = str_find(s, STR("{{"), (size_t)(i + 1))) >= 0 && (size_t)i < at;) open = i;
    return open >= 0 && s.p[open + 2] != '=' && str_find(str_sub(s, (size_t)open, at - (size_t)open), STR("}}"), 0) < 0;
}

static void text_see(struct io_name *x, const struct val *v)
{
    for (size_t k = 0; x->apply && k < ARRAY_LEN(x->patterns); k++) {
        struct str p = x->patterns[k];
        for (ptrdiff_t at = -1; (at = str_find(v->s, p, (size_t)(at + 1))) >= 0;) {
            size_t end = (size_t)at + p.n;
            if (k == 0 && end < v->s.n && word_char(v->s.p[end])) continue;
            x->ok = x->ok && (k > 0 || in_plain_tag(v->s, (size_t)at)) &&
                    lint_fix_text(x->l, x->g, v, (size_t)at + x->skip, x->from.n, x->to);
        }
    }
}

static void walk(struct io_name *x, const struct val *v)
{
    if (++x->seen > FILE_VALUES_MAX) x->l->walked = WALKED_MAX; /* of no other name either */
    if (x->l->walked++ >= WALKED_MAX) x->ok = false;
    if (!x->ok) return;
    if (v->kind == VAL_STR && memchr(v->s.p, 's', v->s.n)) text_see(x, v);
    if (v->kind == VAL_LIST)
        for (uint32_t i = 0; i < v->n; i++) walk(x, &v->items[i]);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
        const struct val_pair *p = &v->map[i];
        bool list = str_is(p->key, x->list) && p->v.kind == VAL_LIST;
        for (uint32_t k = 0; list && k < p->v.n; k++) {
            name_see(x, &p->v.items[k], "name");
            name_see(x, &p->v.items[k], "globalName");
        }
        walk(x, &p->v);
    }
}

static void walk_file(struct io_name *x, bool apply)
{
    const struct documents *docs = x->l->docs;
    x->apply = apply;
    x->seen = 0;
    for (size_t i = 0; i < docs->n; i++)
        if (docs->items[i].val->file == x->g->file) walk(x, docs->items[i].val);
}

void lint_fix_io_name(struct lint *l, struct diag *g, struct str name, enum name_form form)
{
    struct str fine = name.n && !lint_full(l) ? mended(l->a, name, form) : STR_NONE;
    const char *list = form == NAME_PARAMETER ? "parameters" : "artifacts";
    if (!fine.p) return;
    struct io_name x = {.l = l, .g = g, .from = name, .to = fine, .list = list, .skip = strlen(list) + 2, .ok = true};
    x.patterns[0] = str_fmt(l->a, ".%s.%.*s", list, STR_ARG(name));
    x.patterns[1] = str_fmt(l->a, "%s['%.*s']", list, STR_ARG(name));
    x.patterns[2] = str_fmt(l->a, "%s[\"%.*s\"]", list, STR_ARG(name));
    walk_file(&x, false);
    if (x.ok) walk_file(&x, true);
    if (!x.ok) g->fix = NULL;
}
