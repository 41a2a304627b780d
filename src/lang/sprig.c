/* sprig.*: looking a function up, and what its files share. See sprig.def. */
#include "base/limits.h"
#include "lang/sprig_p.h"

static const struct xfunc functions[] = {
#define SP(name, spec, fn, doc) {#name, spec, fn, doc},
#include "lang/sprig.def"
#undef SP
};

const struct xfunc *sprig_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (name.n && name.p[0] == functions[i].name[0] && str_is(name, functions[i].name)) return &functions[i];
    return NULL;
}

const char sprig_refusal[] = "it asks the network, which is not waited for while a run is decided; look the name up in a step";

bool sprig_is_refused(struct str name)
{
    const struct xfunc *f = sprig_find(name);
    return f && f->fn == sprig_refused;
}

/* "12.7" -> "12": spf13/cast cuts off what follows a point when all else are digits. */
static struct str whole_part(struct str s)
{
    size_t from = s.n && (s.p[0] == '-' || s.p[0] == '+'), dot = s.n;
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '.' && dot == s.n) dot = i;
        else if (s.p[i] < '0' || s.p[i] > '9') return s;
    }
    if (dot == s.n) return s;
    return dot > from ? str_sub(s, 0, dot) : STR("0");
}

/* strconv.ParseInt with base 0: Go's prefixes, "_" between digits. What is no number is 0. */
static int64_t int_of_text(struct str s)
{
    s = whole_part(s);
    bool minus = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_from(s, 1);
    unsigned base = 10;
    bool gap_allowed = false; /* an underscore may come next */
    if (s.n > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 32);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = str_from(s, base != 8 || c == 'o' ? 2 : 1);
        gap_allowed = true;
        if (!s.n) return 0;
    }
    uint64_t v = 0, most = (uint64_t)INT64_MAX + minus;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '_' && gap_allowed && i + 1 < s.n) {
            gap_allowed = false;
            continue;
        }
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10) : 99;
        if (digit >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v) || v > most) return 0;
        gap_allowed = true;
    }
    return (int64_t)(minus ? 0 - v : v);
}

int64_t sprig_nearest_i64(struct str s)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v = 0, most = (uint64_t)INT64_MAX + minus;
    if (minus || (s.n && s.p[0] == '+')) s = str_from(s, 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return 0;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) { /* what follows is not looked at */
            v = most;
            break;
        }
    }
    v = MIN(v, most);
    return (int64_t)(minus ? 0 - v : v);
}

int64_t sprig_int_of(const struct xv *v)
{
    switch ((enum xkind)v->kind) {
    case X_INT:
    case X_DURATION: return v->i;
    case X_FLOAT: return xv_to_int(v->d);
    case X_BOOL: return v->b;
    case X_STR: return int_of_text(v->s);
    default: return 0;
    }
}

double sprig_float_of(const struct xv *v)
{
    double d;
    switch ((enum xkind)v->kind) {
    case X_FLOAT: return v->d;
    case X_STR: return xv_parse_float(v->s, &d) ? d : 0;
    default: return (double)sprig_int_of(v);
    }
}

uint64_t sprig_random(struct xctx *x)
{
    if (x->env && x->env->clock.random) return x->env->clock.random(x->env->clock.random_ctx);
    uint64_t z = (x->seed += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

bool sprig_empty_value(const struct xv *v)
{
    switch ((enum xkind)v->kind) {
    case X_NIL: return true;
    case X_BOOL: return !v->b;
    case X_INT:
    case X_DURATION: return !v->i;
    case X_FLOAT: return v->d == 0;
    case X_STR: return !v->s.n;
    case X_LIST: return !v->list->n;
    case X_MAP: return !v->map->n;
    default: return false;
    }
}

bool sprig_done(struct xctx *x, struct buf *b, struct xv *out)
{
    bool fits = !b->overflow;
    if (fits) *out = xv_str(buf_dup(x->a, b));
    buf_fini(b);
    return fits ? xcharge(x, out->s.n / 64) : xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
}
