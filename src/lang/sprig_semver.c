/* sprig.semverCompare: constraints such as ">=1.2 <2 || ~3.1" on semantic versions.
 *
 * Format reference: github.com/Masterminds/semver: = != > < >= <= ~ ^, wildcards x X *, comma or
 * space for and, || for or, "1.2 - 1.4" for a range. A pre-release meets a constraint only when the
 * constraint names one too. */
#include "lang/sprig_p.h"

struct version {
    uint64_t part[3];
    int given; /* how many parts were written before a wildcard */
    struct str pre;
};

static bool read_part(struct str s, uint64_t *out)
{
    int64_t v;
    if (s.n > 1 && s.p[0] == '0') return false; /* no leading zeros */
    if (!s.n || s.p[0] == '+' || s.p[0] == '-' || !str_to_i64(s, &v)) return false;
    *out = (uint64_t)v;
    return true;
}

static bool read_version(struct str s, struct version *v)
{
    *v = (struct version){.pre = STR("")};
    if (s.n && (s.p[0] == 'v' || s.p[0] == 'V')) s = str_from(s, 1);
    struct str build, rest, part;
    str_cut(s, '+', &s, &build);
    if (str_cut(s, '-', &s, &rest)) v->pre = rest;
    for (rest = s; str_set(rest) && v->given < 3;) {
        str_cut(rest, '.', &part, &rest);
        bool wild = str_is(part, "x") || str_is(part, "X") || str_is(part, "*");
        if (wild) return true;
        if (!read_part(part, &v->part[v->given++])) return false;
    }
    return !str_set(rest) && s.n;
}

/* Identifiers of pre-releases: numbers before texts, each in its order. */
static int pre_order(struct str a, struct str b)
{
    if (!a.n || !b.n) return (a.n == 0) - (b.n == 0);
    while (str_set(a) && str_set(b)) {
        struct str x, y;
        uint64_t i, j;
        str_cut(a, '.', &x, &a);
        str_cut(b, '.', &y, &b);
        bool xn = read_part(x, &i), yn = read_part(y, &j);
        int order = xn && yn ? (i > j) - (i < j) : xn != yn ? (xn ? -1 : 1) : str_cmp(x, y);
        if (order) return order;
    }
    return (int)str_set(a) - (int)str_set(b);
}

static int version_order(const struct version *a, const struct version *b)
{
    for (int i = 0; i < 3; i++)
        if (a->part[i] != b->part[i]) return a->part[i] < b->part[i] ? -1 : 1;
    return pre_order(a->pre, b->pre);
}

static bool same_parts(const struct version *a, const struct version *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a->part[i] != b->part[i]) return false;
    return true;
}

static bool caret(const struct version *v, const struct version *c)
{
    int fixed = 1;
    while (fixed < c->given && !c->part[fixed - 1]) fixed++;
    return version_order(v, c) >= 0 && same_parts(v, c, MIN(fixed, c->given));
}

static bool meets(const struct version *v, struct str op, const struct version *c)
{
    bool wild = c->given < 3;
    int order = version_order(v, c);
    if (v->pre.n && !c->pre.n) return str_is(op, "!=");
    if (str_is(op, "") || str_is(op, "=")) return wild ? same_parts(v, c, c->given) : !order;
    if (str_is(op, "!=")) return wild ? !same_parts(v, c, c->given) : order != 0;
    if (str_is(op, ">")) return wild ? order > 0 && !same_parts(v, c, c->given) : order > 0;
    if (str_is(op, ">=") || str_is(op, "=>")) return order >= 0;
    if (str_is(op, "<")) return order < 0;
    if (str_is(op, "<=") || str_is(op, "=<")) return order <= 0 || (wild && same_parts(v, c, c->given));
    if (str_is(op, "~") || str_is(op, "~>")) return order >= 0 && same_parts(v, c, MIN(c->given, 2));
    return str_is(op, "^") && caret(v, c);
}

static bool is_op(char c) { return c && strchr("=!<>~^", c); }
static bool is_gap(char c) { return c == ' ' || c == ','; }

struct reader {
    struct str rest;
};

static void skip_gaps(struct reader *r)
{
    while (r->rest.n && is_gap(r->rest.p[0])) r->rest = str_from(r->rest, 1);
}

static struct str take(struct reader *r, bool ops)
{
    size_t n = 0;
    while (n < r->rest.n && !is_gap(r->rest.p[n]) && is_op(r->rest.p[n]) == ops) n++;
    struct str s = str_sub(r->rest, 0, n);
    r->rest = str_from(r->rest, n);
    return s;
}

/* Constraints that must all hold. *bad: one cannot be read. */
static bool meets_all(const struct version *v, struct str text, bool *bad)
{
    struct reader r = {text};
    bool all = true;
    for (skip_gaps(&r); r.rest.n; skip_gaps(&r)) {
        struct str op = take(&r, true);
        while (r.rest.n && r.rest.p[0] == ' ') r.rest = str_from(r.rest, 1);
        struct version from, to;
        struct str body = take(&r, false);
        if (!read_version(body, &from)) return !(*bad = true);
        if (str_starts(r.rest, STR(" - ")) && !op.n) {
            r.rest = str_from(r.rest, 3);
            if (!read_version(take(&r, false), &to)) return !(*bad = true);
            all = all && meets(v, STR(">="), &from) && meets(v, STR("<="), &to);
        } else {
            all = all && meets(v, op, &from);
        }
    }
    return all;
}

bool sprig_semver_compare(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct version v;
    bool any = false, bad = false;
    if (!read_version(args[1].s, &v)) return xfail(x, "Invalid Semantic Version");
    for (struct str rest = args[0].s; str_set(rest) && !bad;) {
        ptrdiff_t or = str_find(rest, STR("||"), 0);
        struct str part = or < 0 ? rest : str_sub(rest, 0, (size_t)or);
        rest = or < 0 ? STR_NONE : str_from(rest, (size_t)or + 2);
        bad = bad || !str_trim(part).n;
        any = meets_all(&v, part, &bad) || any;
    }
    if (bad) return xfail(x, "improper constraint: %.*s", STR_ARG(args[0].s));
    *out = xv_bool(any);
    return true;
}
