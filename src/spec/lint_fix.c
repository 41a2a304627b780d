/* Fixes that need more than one value: places inside of texts, and names with all that refers to them.
 * See lint_p.h. */
#include "spec/lint_p.h"

enum { CALLS_MAX = 500 }; /* of a template in which names are mended: each costs a walk */

/* Occurrences of `what` in `s` that begin before `end`. */
static size_t count_before(struct str s, struct str what, size_t end)
{
    size_t n = 0;
    for (ptrdiff_t at = -1; (at = str_find(s, what, (size_t)(at + 1))) >= 0 && (size_t)at < end;) n++;
    return n;
}

/* The bytes of a scalar stand in the source in the same order, whatever quotes and indentation surround
 * them; so the n-th occurrence there is the n-th here. */
bool lint_source_place(const struct lint *l, const struct val *v, size_t off, size_t len, uint32_t *line, uint32_t *col)
{
    const struct source_file *f = l->opts->files ? source_files_get(l->opts->files, v->file) : NULL;
    struct str what = str_sub(v->s, off, len);
    if (!f || !v->line || lint_full(l) || what.n == 0) return false;
    size_t left = count_before(v->s, what, off), budget = v->s.n * 4 + 4096;
    for (uint32_t i = 0; budget > 0; i++) {
        struct str text = source_line(f, v->line + i);
        if (!text.p) return false;
        ptrdiff_t at = i == 0 ? (ptrdiff_t)v->col - 2 : -1;
        while ((at = str_find(text, what, (size_t)(at + 1))) >= 0) {
            if (left-- > 0) continue;
            *line = v->line + i;
            *col = (uint32_t)at + 1;
            return true;
        }
        budget -= MIN(budget, text.n + 1);
    }
    return false;
}

bool lint_fix_text(struct lint *l, struct diag *g, const struct val *v, size_t off, size_t len, struct str text)
{
    uint32_t line, col;
    if (v->file != g->file || !lint_source_place(l, v, off, len, &line, &col)) return false;
    diag_fix(l->d, g, FIX_TEXT, line, col, text)->len = (uint32_t)len;
    return true;
}

void lint_fix_add_pair(struct lint *l, struct diag *g, const struct val *map, const char *key, struct str text)
{
    if (!map || map->kind != VAL_MAP || !map->line || map->file != g->file) return;
    struct fix_step *step = diag_fix(l->d, g, FIX_ADD_PAIR, map->line, map->col, text);
    for (uint32_t i = 0; i < map->n; i++) {
        if (key ? !str_is(map->map[i].key, key) : str_is(map->map[i].key, "name")) continue;
        if (step->other_line) break;
        step->other_line = map->map[i].line;
        step->other_col = map->map[i].col;
    }
}

/* --------------------------------------------------------------------------- mended names */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Letters, digits and single dashes, none at the ends; absent when nothing is left. */
static struct str mended(struct arena *a, struct str name, bool lower)
{
    char *out = arena_alloc_bytes(a, name.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = is_name_char(name.p[i]) ? name.p[i] : '-';
        if (lower && c >= 'A' && c <= 'Z') c = (char)(c + 32);
        if (c == '-' && (n == 0 || out[n - 1] == '-')) continue;
        out[n++] = c;
    }
    while (n > 0 && out[n - 1] == '-') n--;
    out[n] = '\0';
    return n ? str_n(out, n) : STR_NONE;
}

void lint_fix_object_name(struct lint *l, struct diag *g, const struct val *meta, struct str name)
{
    struct str fine = mended(l->a, name, true);
    if (fine.p) diag_fix_val(l->d, g, FIX_VALUE, val_get(meta, STR("name")), fine);
}

/* Where templates are called by name: `template`, `entrypoint` and `onExit` below `v`. */
static void collect_names(struct lint *l, struct map *refs, const struct val *v)
{
    static const char *const keys[] = {"template", "entrypoint", "onExit"};
    if (v->kind == VAL_LIST)
        for (uint32_t i = 0; i < v->n; i++) collect_names(l, refs, &v->items[i]);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
        const struct val_pair *p = &v->map[i];
        bool name = p->v.kind == VAL_STR && p->v.s.n > 0;
        for (size_t k = 0; k < ARRAY_LEN(keys) && name; k++) {
            if (!str_is(p->key, keys[k])) continue;
            struct lint_ref *r = ARENA_NEW(l->a, struct lint_ref);
            struct map_slot *slot = map_put(refs, p->v.s, NULL);
            *r = (struct lint_ref){&p->v, slot->ptr};
            slot->ptr = r;
        }
        if (!str_is(p->key, "templateRef")) collect_names(l, refs, &p->v);
    }
}

void lint_fix_template_name(struct lint_doc *ld, struct diag *g, const struct argo_template *t)
{
    struct lint *l = ld->l;
    struct str fine = lint_full(l) ? STR_NONE : mended(l->a, t->name, false);
    if (!fine.p || template_find(&ld->index, fine)) return;
    if (!ld->refs_known) collect_names(l, &ld->refs, ld->doc->val);
    ld->refs_known = true;
    diag_fix_val(l->d, g, FIX_VALUE, val_get(t->src, STR("name")), fine);
    for (const struct lint_ref *r = map_ptr(&ld->refs, t->name); r; r = r->next)
        diag_fix_val(l->d, g, FIX_VALUE, r->v, fine);
}

/* ------------------------------------------------------------------- names of steps, tasks */

struct renaming {
    struct lint *l;
    struct diag *g;
    struct str from, to;
    struct str tags[2]; /* "tasks.NAME." and "tasks['NAME']" */
    bool ok;
};

static bool word_char(char c) { return is_name_char(c) || c == '_'; }

static void rename_at(struct renaming *r, const struct val *v, size_t off)
{
    r->ok = r->ok && lint_fix_text(r->l, r->g, v, off, r->from.n, r->to);
}

/* In the logic of `depends` and in targets every word is a name. */
static void rename_words(struct renaming *r, const struct val *v)
{
    for (ptrdiff_t at = -1; v && v->kind == VAL_STR && (at = str_find(v->s, r->from, (size_t)(at + 1))) >= 0;) {
        size_t end = (size_t)at + r->from.n;
        bool before = at > 0 && (word_char(v->s.p[at - 1]) || v->s.p[at - 1] == '.');
        if (!before && (end == v->s.n || !word_char(v->s.p[end]))) rename_at(r, v, (size_t)at);
    }
}

static void rename_tags(struct renaming *r, const struct val *v)
{
    for (size_t k = 0; k < ARRAY_LEN(r->tags); k++) {
        size_t skip = k ? 7 : 6; /* tasks[' or tasks. */
        for (ptrdiff_t at = -1; (at = str_find(v->s, r->tags[k], (size_t)(at + 1))) >= 0;)
            if (at == 0 || !word_char(v->s.p[at - 1])) rename_at(r, v, (size_t)at + skip);
    }
}

static void rename_below(struct renaming *r, const struct val *v)
{
    if (v->kind == VAL_STR && memchr(v->s.p, 's', v->s.n)) rename_tags(r, v);
    if (v->kind == VAL_LIST)
        for (uint32_t i = 0; i < v->n; i++) rename_below(r, &v->items[i]);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
        const struct val_pair *p = &v->map[i];
        if (str_is(p->key, "depends") || str_is(p->key, "target")) rename_words(r, &p->v);
        else if (str_is(p->key, "dependencies") && p->v.kind == VAL_LIST)
            for (uint32_t k = 0; k < p->v.n; k++) rename_words(r, &p->v.items[k]);
        else rename_below(r, &p->v);
    }
}

void lint_fix_call_name(struct lint *l, struct diag *g, const struct tag_scope *s, const struct call *c)
{
    struct str fine = lint_full(l) || s->n_calls > CALLS_MAX ? STR_NONE : mended(l->a, c->name, false);
    const char *p = s->calls_prefix;
    if (!fine.p) return;
    if (s->dag_names && fine.p[0] >= '0' && fine.p[0] <= '9') fine = str_cat(l->a, STR("t"), fine);
    const struct val *name = val_get(c->src, STR("name"));
    if (call_find(s->by_name, fine) != CALL_NONE || !name || name->kind != VAL_STR) return;
    struct renaming r = {.l = l, .g = g, .from = c->name, .to = fine, .ok = true};
    r.tags[0] = str_fmt(l->a, "%s.%.*s.", p, STR_ARG(c->name));
    r.tags[1] = str_fmt(l->a, "%s['%.*s']", p, STR_ARG(c->name));
    diag_fix_val(l->d, g, FIX_VALUE, name, fine);
    rename_below(&r, s->tmpl->src);
    if (!r.ok) g->fix = NULL;
}
