/* JSON Patch (RFC 6902) on immutable values: each operation makes a new root that shares what it
 * does not touch. See merge.h. Runs on: any thread. */
#include "spec/merge.h"

enum patch_op { OP_ADD, OP_REMOVE, OP_REPLACE };

struct patch {
    struct arena *a;
    enum patch_op op;
    const struct val *value;
    struct str path; /* of the operation, for messages */
    struct err *e;
};

/* ~1 is / and ~0 is ~ */
static struct str unescape(struct arena *a, struct str s)
{
    if (str_find_char(s, '~', 0) < 0) return s;
    char *p = arena_alloc_bytes(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escaped = s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
        p[n++] = escaped ? (s.p[++i] == '1' ? '/' : '~') : s.p[i];
    }
    p[n] = '\0';
    return str_n(p, n);
}

static bool no_such(struct patch *p)
{
    return err_set(p->e, ERR_SPEC, "json patch: nothing is at \"%.*s\"", STR_ARG(p->path));
}

static bool list_index(const struct val *list, struct str part, bool end_allowed, size_t *out)
{
    int64_t i;
    if (str_is(part, "-") && end_allowed) {
        *out = list->n;
        return true;
    }
    if (!str_to_i64(part, &i) || i < 0 || i > (int64_t)list->n - (end_allowed ? 0 : 1))
        return false;
    *out = (size_t)i;
    return true;
}

static bool apply(struct patch *p, const struct val *at, struct str rest, struct val *out);

static bool apply_list(struct patch *p, const struct val *at, struct str part, struct str rest,
                       struct val *out)
{
    size_t i;
    bool last = !rest.p;
    if (!list_index(at, part, last && p->op == OP_ADD, &i)) return no_such(p);
    struct val *items = ARENA_ARRAY(p->a, struct val, at->n + 1u);
    size_t n = 0;
    for (size_t k = 0; k < at->n; k++) {
        if (k == i && last && p->op == OP_REMOVE) continue;
        if (k == i && last && p->op == OP_ADD) items[n++] = *p->value;
        items[n] = at->items[k];
        if (k == i && last && p->op == OP_REPLACE) items[n] = *p->value;
        if (k == i && !last && !apply(p, &at->items[k], rest, &items[n])) return false;
        n++;
    }
    if (i == at->n) items[n++] = *p->value;
    *out = *at;
    out->items = items;
    out->n = (uint32_t)n;
    return true;
}

static bool apply_map(struct patch *p, const struct val *at, struct str part, struct str rest,
                      struct val *out)
{
    bool last = !rest.p;
    const struct val *member = val_get(at, part);
    if (!member && (!last || p->op != OP_ADD)) return no_such(p);
    struct val_pair *pairs = ARENA_ARRAY(p->a, struct val_pair, at->n + 1u);
    size_t n = 0;
    for (size_t k = 0; k < at->n; k++) {
        bool here = &at->map[k].v == member;
        if (here && last && p->op == OP_REMOVE) continue;
        pairs[n] = at->map[k];
        if (here && last) pairs[n].v = *p->value;
        if (here && !last && !apply(p, member, rest, &pairs[n].v)) return false;
        n++;
    }
    if (!member) pairs[n++] = (struct val_pair){.key = part, .v = *p->value};
    *out = *at;
    out->map = pairs;
    out->n = (uint32_t)n;
    return true;
}

/* `rest` begins behind the slash that leads here. */
static bool apply(struct patch *p, const struct val *at, struct str rest, struct val *out)
{
    struct str part, more;
    str_cut(rest, '/', &part, &more);
    part = unescape(p->a, part);
    if (at->kind == VAL_LIST) return apply_list(p, at, part, more, out);
    if (at->kind == VAL_MAP) return apply_map(p, at, part, more, out);
    return no_such(p);
}

static bool change(struct patch *p, const struct val *root, struct val *out)
{
    if (p->path.n == 0) {
        *out = p->op == OP_REMOVE ? val_null : *p->value;
        return true;
    }
    if (p->path.p[0] != '/')
        return err_set(p->e, ERR_SPEC, "json patch: path \"%.*s\" does not begin with /",
                       STR_ARG(p->path));
    return apply(p, root, str_from(p->path, 1), out);
}

static const struct val *look_up(struct arena *a, const struct val *v, struct str path)
{
    struct str part, rest = path.n ? str_from(path, 1) : STR_NONE;
    while (v && rest.p) {
        size_t i;
        str_cut(rest, '/', &part, &rest);
        part = unescape(a, part);
        if (v->kind == VAL_LIST) v = list_index(v, part, false, &i) ? &v->items[i] : NULL;
        else v = val_get(v, part);
    }
    return v;
}

static bool apply_operation(struct arena *a, const struct val *op, struct val *root, struct err *e)
{
    struct str name = val_get_str(op, "op"), from = val_get_str(op, "from");
    struct patch p = {
        .a = a, .value = val_get(op, STR("value")), .path = val_get_str(op, "path"), .e = e};
    if (!name.p || !p.path.p)
        return err_set(e, ERR_SPEC, "json patch: an operation needs op and path");
    bool moves = str_is(name, "move"), copies = str_is(name, "copy"), tests = str_is(name, "test");
    if (moves || copies) p.value = look_up(a, root, from);
    if (!p.value && !str_is(name, "remove"))
        return err_set(e, ERR_SPEC, "json patch: \"%.*s\" at \"%.*s\" has no value", STR_ARG(name),
                       STR_ARG(p.path));
    if (tests) {
        const struct val *have = look_up(a, root, p.path);
        if (have && val_eq(have, p.value)) return true;
        return err_set(e, ERR_SPEC, "json patch: the test of \"%.*s\" does not hold",
                       STR_ARG(p.path));
    }
    struct val next;
    if (moves) {
        struct patch taken = {.a = a, .op = OP_REMOVE, .path = from, .e = e};
        if (!change(&taken, root, &next)) return false;
        *root = next;
    }
    if (str_is(name, "remove")) p.op = OP_REMOVE;
    else if (str_is(name, "replace")) p.op = OP_REPLACE;
    else if (!moves && !copies && !str_is(name, "add"))
        return err_set(e, ERR_SPEC, "json patch: no operation \"%.*s\"", STR_ARG(name));
    if (!change(&p, root, &next)) return false;
    *root = next;
    return true;
}

bool patch_json(struct arena *a, const struct val *base, const struct val *operations,
                struct val *out, struct err *e)
{
    if (operations->kind != VAL_LIST)
        return err_set(e, ERR_SPEC, "json patch: not a list of operations");
    struct val root = *base;
    for (uint32_t i = 0; i < operations->n; i++)
        if (!apply_operation(a, &operations->items[i], &root, e)) return false;
    *out = root;
    return true;
}
