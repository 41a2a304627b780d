/* Constraints on versions: ">=1.2, <2 || ~3.1 || 1.4 - 1.6". See semver.h.
 *
 * = != > < >= <= ~ ^, wildcards x X *, comma or space for "and", || for "or", " - " for a range. A
 * pre-release meets a constraint only when that names one too. What is accepted is decided by the
 * patterns below, which are the library's, because they accept more than one would write down. */
#include "lang/regex.h"
#include "lang/semver.h"

#define WORDS "[0-9A-Za-z\\-]+"
#define PIECE "[0-9|x|X|\\*]+"
#define VERSION "v?(" PIECE ")(\\." PIECE ")?(\\." PIECE ")?(-(" WORDS "(\\." WORDS ")*))?(\\+(" WORDS "(\\." WORDS ")*))?"
#define OPERATOR "=||!=|>|<|>=|=>|<=|=<|~|~>|\\^"
#define ONE "(" OPERATOR ")\\s*(" VERSION ")"
enum { GROUPS = 10 }; /* of "(VERSION)" */

struct limit { /* one constraint */
    struct semver v;
    int given;  /* parts before the first wildcard or end */
};

typedef bool meets_fn(const struct semver *v, const struct limit *c);

static bool minor_open(const struct limit *c) { return c->given == 1; }
static bool patch_open(const struct limit *c) { return c->given == 2; }

static bool unequal(const struct semver *v, const struct limit *c)
{
    if (c->given == 3) return semver_order(v, &c->v) != 0;
    if (v->pre.n && !c->v.pre.n) return false;
    if (v->part[0] != c->v.part[0]) return true;
    if (minor_open(c)) return false;
    if (v->part[1] != c->v.part[1]) return true;
    if (!patch_open(c)) return v->part[2] != c->v.part[2] || semver_order(v, &c->v) != 0;
    return (v->pre.n || c->v.pre.n) && semver_pre_order(v->pre, c->v.pre) != 0;
}

static bool greater(const struct semver *v, const struct limit *c)
{
    if (c->given == 3) return semver_order(v, &c->v) > 0;
    if (v->part[0] != c->v.part[0]) return v->part[0] > c->v.part[0];
    if (minor_open(c)) return false;
    if (patch_open(c)) return v->part[1] > c->v.part[1];
    return semver_order(v, &c->v) > 0;
}

static bool less(const struct semver *v, const struct limit *c) { return semver_order(v, &c->v) < 0; }
static bool at_least(const struct semver *v, const struct limit *c) { return semver_order(v, &c->v) >= 0; }

static bool at_most(const struct semver *v, const struct limit *c)
{
    if (c->given == 3) return semver_order(v, &c->v) <= 0;
    if (v->part[0] != c->v.part[0]) return v->part[0] < c->v.part[0];
    return v->part[1] <= c->v.part[1] || minor_open(c);
}

static bool tilde(const struct semver *v, const struct limit *c)
{
    if (semver_order(v, &c->v) < 0) return false;
    bool zero = !c->v.part[0] && !c->v.part[1] && !c->v.part[2];
    if (zero && !minor_open(c) && !patch_open(c)) return true; /* ~0.0.0 and ~* are met by everything */
    return v->part[0] == c->v.part[0] && (minor_open(c) || v->part[1] == c->v.part[1]);
}

static bool equal(const struct semver *v, const struct limit *c)
{
    return c->given < 3 ? tilde(v, c) : semver_order(v, &c->v) == 0;
}

static bool caret(const struct semver *v, const struct limit *c)
{
    if (semver_order(v, &c->v) < 0) return false;
    if (c->v.part[0] || minor_open(c)) return v->part[0] == c->v.part[0];
    if (v->part[0]) return false;
    if (c->v.part[1] || patch_open(c)) return v->part[1] == c->v.part[1];
    return !v->part[1] && v->part[2] == c->v.part[2];
}

static const struct {
    const char *op;
    meets_fn *fn;
} operators[] = {{"", equal}, {"=", equal}, {"!=", unequal}, {">", greater}, {"<", less}, {">=", at_least}, {"=>", at_least},
                 {"<=", at_most}, {"=<", at_most}, {"~", tilde}, {"~>", tilde}, {"^", caret}};

static struct str group(struct str text, const struct regex_hit *hit, size_t i)
{
    bool took = i < hit->groups && hit->at[2 * i] != SIZE_MAX;
    return took ? str_sub(text, hit->at[2 * i], hit->at[2 * i + 1] - hit->at[2 * i]) : STR("");
}

static bool is_wild(struct str s) { return !s.n || str_is(s, "x") || str_is(s, "X") || str_is(s, "*"); }

/* Groups 1: operator, 2: version, 3 to 5: its parts with their dots, 6: the pre-release with its hyphen. */
static bool read_limit(struct arena *a, struct str text, const struct regex_hit *hit, struct limit *c, struct err *e)
{
    struct str version = group(text, hit, 2), kept = STR("");
    c->given = 0;
    while (c->given < 3) {
        struct str part = group(text, hit, 3 + (size_t)c->given);
        if (is_wild(c->given ? str_from(part, 1) : part)) break;
        kept = str_cat(a, kept, part);
        c->given++;
    }
    static const char *const rest[] = {"0.0.0", ".0.0", ".0"};
    if (c->given < 3) version = str_fmt(a, "%.*s%s%.*s", STR_ARG(kept), rest[c->given], STR_ARG(group(text, hit, 6)));
    return semver_read(version, &c->v, NULL) || err_set(e, ERR_SPEC, "constraint Parser Error");
}

/* What stands between two "||". */
static bool meets_all(struct arena *a, struct str text, const struct semver *v, bool *out, struct err *e)
{
    struct regex *one CLEANUP(regex_clear) = regex_new(STR(ONE), e);
    struct regex_hit hit;
    *out = true;
    for (size_t at = 0; at <= text.n; at = hit.to) {
        struct limit c;
        if (!regex_search(one, text, at, &hit, e)) return false;
        if (!hit.found) return true;
        if (!read_limit(a, text, &hit, &c, e)) return false;
        struct str op = group(text, &hit, 1);
        size_t i = 0;
        while (!str_is(op, operators[i].op)) i++;
        bool before = v->pre.n && !c.v.pre.n && operators[i].fn != unequal;
        *out = *out && !before && operators[i].fn(v, &c);
    }
    return true;
}

/* "1.2 - 1.4" becomes ">= 1.2, <= 1.4 "; of equal texts the first is replaced each time. */
static bool rewrite_ranges(struct arena *a, struct str *text, struct err *e)
{
    struct regex *range CLEANUP(regex_clear) = regex_new(STR("\\s*(" VERSION ")\\s+-\\s+(" VERSION ")\\s*"), e);
    struct str all = *text;
    struct regex_hit hit;
    for (size_t at = 0; at <= all.n; at = hit.to) {
        if (!regex_search(range, all, at, &hit, e)) return false;
        if (!hit.found) return true;
        struct str found = group(all, &hit, 0), from = group(all, &hit, 1), to = group(all, &hit, 1 + GROUPS);
        ptrdiff_t where = str_find(*text, found, 0);
        if (where < 0) continue;
        *text = str_fmt(a, "%.*s>= %.*s, <= %.*s %.*s", (int)where, text->p, STR_ARG(from), STR_ARG(to),
                        STR_ARG(str_from(*text, (size_t)where + found.n)));
    }
    return true;
}

bool semver_meets(struct arena *a, struct str constraint, const struct semver *v, bool *out, struct err *e)
{
    static const char whole[] = "^(\\s*" ONE "\\s*)((?:\\s+|,\\s*)" ONE "\\s*)*$";
    struct regex *valid CLEANUP(regex_clear) = regex_new(STR(whole), e);
    struct regex_hit hit;
    if (!rewrite_ranges(a, &constraint, e)) return false;
    *out = false;
    for (struct str rest = constraint; str_set(rest);) {
        ptrdiff_t or = str_find(rest, STR("||"), 0);
        struct str part = or < 0 ? rest : str_sub(rest, 0, (size_t)or);
        rest = or < 0 ? STR_NONE : str_from(rest, (size_t)or + 2);
        bool met;
        if (!regex_search(valid, part, 0, &hit, e)) return false;
        if (!hit.found) return err_set(e, ERR_SPEC, "improper constraint: %.*s", STR_ARG(part));
        if (!meets_all(a, part, v, &met, e)) return false;
        *out = *out || met;
    }
    return true;
}
