/* Versions: reading, order, text. See semver.h; constraints are in semver_range.c. */
#include "lang/semver.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_digit(c) || (c | 32) - 'a' + 0u < 26u || c == '-'; }

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return s.n > 0;
}

/* strconv.ParseUint: false when it is no number, or too large. */
static bool read_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    if (!all_digits(s)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    *out = v;
    return true;
}

/* Identifiers between dots, none of them empty. */
static bool identifiers(struct str s, bool zeros)
{
    struct str id, rest = s;
    while (str_set(rest)) {
        str_cut(rest, '.', &id, &rest);
        for (size_t i = 0; i < id.n; i++)
            if (!is_word(id.p[i])) return false;
        if (!id.n || (!zeros && id.n > 1 && id.p[0] == '0' && all_digits(id))) return false;
    }
    return true;
}

bool semver_pre_valid(struct str pre) { return identifiers(pre, false); }
bool semver_meta_valid(struct str meta) { return identifiers(meta, true); }

static bool fault(struct err *e, const char *text) { return err_set(e, ERR_SPEC, "%s", text); }

bool semver_read(struct str text, struct semver *out, struct err *e)
{
    static const char invalid[] = "Invalid Semantic Version";
    struct str s = text, meta, pre, part, rest;
    *out = (struct semver){.pre = STR(""), .meta = STR(""), .original = text};
    if (s.n && s.p[0] == 'v') s = str_from(s, 1);
    if (str_cut(s, '+', &s, &meta)) {
        if (!semver_meta_valid(meta)) return fault(e, invalid);
        out->meta = meta;
    }
    if (str_cut(s, '-', &s, &pre)) {
        if (!semver_pre_valid(pre)) return fault(e, invalid);
        out->pre = pre;
    }
    rest = s;
    for (int i = 0; str_set(rest); i++) {
        str_cut(rest, '.', &part, &rest);
        if (i == 3 || !all_digits(part) || (part.n > 1 && part.p[0] == '0')) return fault(e, invalid);
        if (!read_u64(part, &out->part[i]))
            return err_set(e, ERR_SPEC, "Error parsing version segment: strconv.ParseUint: parsing \"%.*s\": value out of range",
                           STR_ARG(part));
    }
    return true;
}

static int part_order(struct str a, struct str b)
{
    uint64_t x, y;
    if (str_eq(a, b)) return 0;
    if (!a.n || !b.n) return a.n ? 1 : -1;
    bool xn = read_u64(a, &x), yn = read_u64(b, &y);
    if (xn && yn) return x > y ? 1 : -1;
    if (xn != yn) return xn ? -1 : 1;
    return str_cmp(a, b) > 0 ? 1 : -1;
}

int semver_pre_order(struct str a, struct str b)
{
    while (str_set(a) || str_set(b)) {
        struct str x = STR(""), y = STR("");
        if (str_set(a)) str_cut(a, '.', &x, &a);
        if (str_set(b)) str_cut(b, '.', &y, &b);
        int order = part_order(x, y);
        if (order) return order;
    }
    return 0;
}

int semver_order(const struct semver *a, const struct semver *b)
{
    for (int i = 0; i < 3; i++)
        if (a->part[i] != b->part[i]) return a->part[i] < b->part[i] ? -1 : 1;
    if (!a->pre.n || !b->pre.n) return (a->pre.n == 0) - (b->pre.n == 0);
    return semver_pre_order(a->pre, b->pre);
}

bool semver_same(const struct semver *a, const struct semver *b)
{
    return !memcmp(a->part, b->part, sizeof a->part) && str_eq(a->pre, b->pre) && str_eq(a->meta, b->meta) &&
           str_eq(a->original, b->original);
}

struct str semver_text(struct arena *a, const struct semver *v)
{
    return str_fmt(a, "%llu.%llu.%llu%s%.*s%s%.*s", (unsigned long long)v->part[0], (unsigned long long)v->part[1],
                   (unsigned long long)v->part[2], v->pre.n ? "-" : "", STR_ARG(v->pre), v->meta.n ? "+" : "", STR_ARG(v->meta));
}
