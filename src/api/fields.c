/* See fields.h. */
#include "api/fields.h"

#include "base/limits.h"

void fields_parse(struct arena *a, struct str text, struct fields *out)
{
    struct str part, rest = text;
    *out = (struct fields){0};
    if (!text.n) return;
    if (text.p[0] == '-') {
        out->except = true;
        rest = str_from(text, 1);
    }
    out->paths = ARENA_ARRAY(a, struct field_path, LIMIT_FIELDS);
    while (str_set(rest) && out->n < LIMIT_FIELDS) {
        str_cut(rest, ',', &part, &rest);
        bool minus = part.n && part.p[0] == '-';
        out->paths[out->n++] = (struct field_path){minus ? str_from(part, 1) : part, minus || out->except};
    }
}

void fields_strip(struct fields *f, const char *top)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_starts(f->paths[i].path, str_of(top))) f->paths[i].path = str_from(f->paths[i].path, strlen(top));
}

/* `path` is `top` or lies below it. */
static bool is_below(struct str path, struct str top)
{
    return str_starts(path, top) && (path.n == top.n || path.p[top.n] == '.');
}

static bool is_dropped(const struct fields *f, struct str path)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->paths[i].minus && str_eq(f->paths[i].path, path)) return true;
    return false;
}

/* What becomes of a member that is not dropped. */
enum wanted { WANTED_NOT, WANTED_PARTS, WANTED_WHOLE };

static enum wanted wanted(const struct fields *f, struct str path)
{
    enum wanted best = f->except ? WANTED_WHOLE : WANTED_NOT;
    for (size_t i = 0; i < f->n && !f->except; i++) {
        const struct field_path *p = &f->paths[i];
        if (p->minus) continue;
        if (is_below(path, p->path)) return WANTED_WHOLE;
        if (is_below(p->path, path)) best = WANTED_PARTS;
    }
    return best;
}

bool fields_leave_out(const struct fields *f, const char *path)
{
    struct str p = str_of(path);
    if (!f->n) return false;
    for (size_t i = 0; i < f->n; i++)
        if (f->paths[i].minus && is_below(p, f->paths[i].path)) return true;
    return wanted(f, p) == WANTED_NOT;
}

bool fields_within(const struct fields *f, const char *const *paths, size_t n)
{
    if (!f->n || f->except) return false;
    for (size_t i = 0; i < f->n; i++) {
        bool inside = f->paths[i].minus;
        for (size_t k = 0; k < n && !inside; k++) inside = is_below(f->paths[i].path, str_of(paths[k]));
        if (!inside) return false;
    }
    return true;
}

struct picking {
    struct arena *a;
    const struct fields *f;
    struct buf path;
};

static struct val pick(struct picking *x, const struct val *v, bool whole);

/* False: it is not wanted. */
static bool member_pick(struct picking *x, const struct val_pair *p, bool whole, struct val *out)
{
    size_t before = x->path.n;
    if (before) buf_char(&x->path, '.');
    buf_str(&x->path, p->key);
    struct str path = buf_view(&x->path);
    enum wanted w = whole ? WANTED_WHOLE : wanted(x->f, path);
    bool keep = !x->path.overflow && w != WANTED_NOT && !is_dropped(x->f, path);
    if (keep) *out = pick(x, &p->v, w == WANTED_WHOLE);
    x->path.n = before;
    x->path.overflow = false;
    return keep;
}

static bool names_parts(const struct fields *f, struct str path)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->paths[i].path.n > path.n && is_below(f->paths[i].path, path)) return true;
    return false;
}

static struct val members_pick(struct picking *x, const struct val *v, bool whole)
{
    struct val_builder b;
    map_begin(&b, x->a);
    for (uint32_t i = 0; i < v->n; i++) {
        struct val part;
        if (member_pick(x, &v->map[i], whole, &part)) map_add(&b, v->map[i].key, part);
    }
    return map_done(&b);
}

/* The nodes of a workflow: their parts are named without the id between. */
static struct val nodes_pick(struct picking *x, const struct val *v, bool whole)
{
    struct val_builder b;
    map_begin(&b, x->a);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct val *node = &v->map[i].v;
        map_add(&b, v->map[i].key, node->kind == VAL_MAP ? members_pick(x, node, whole) : *node);
    }
    return map_done(&b);
}

static struct val map_pick(struct picking *x, const struct val *v, bool whole)
{
    struct str path = buf_view(&x->path);
    bool nodes = str_ends(path, STR(".nodes")) || str_is(path, "nodes");
    return nodes && names_parts(x->f, path) ? nodes_pick(x, v, whole) : members_pick(x, v, whole);
}

static struct val pick(struct picking *x, const struct val *v, bool whole)
{
    struct val_builder b;
    if (v->kind == VAL_MAP) return map_pick(x, v, whole);
    if (v->kind != VAL_LIST) return *v;
    list_begin(&b, x->a);
    for (uint32_t i = 0; i < v->n; i++) list_add(&b, pick(x, &v->items[i], whole));
    return list_done(&b);
}

struct val fields_pick(struct arena *a, const struct fields *f, const struct val *v)
{
    enum { PATH_BYTES = 64 << 10 };
    struct picking x = {.a = a, .f = f};
    if (!f->n) return *v;
    buf_init(&x.path, PATH_BYTES);
    struct val out = pick(&x, v, false);
    buf_fini(&x.path);
    return out;
}
