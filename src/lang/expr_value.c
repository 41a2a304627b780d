/* Values of the expression language: lists, maps, equality, order, texts. See expr_p.h. */
#include <math.h>
#include <stdarg.h>

#include "base/limits.h"
#include "lang/duration.h"
#include "lang/expr_p.h"
#include "lang/gofmt.h"
#include "lang/timefmt_p.h"

struct xv xv_time(struct arena *a, struct moment m)
{
    struct moment *kept = ARENA_NEW(a, struct moment);
    *kept = m;
    return (struct xv){.kind = X_TIME, .time = kept};
}

struct xv xv_list(struct arena *a, size_t n)
{
    struct xlist *list = ARENA_NEW(a, struct xlist);
    list->n = n;
    list->items = ARENA_ARRAY(a, struct xv, n + 1);
    return (struct xv){.kind = X_LIST, .list = list};
}

void xbuild_add(struct xbuild *b, struct xv key, struct xv v)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 8;
        struct xpair *pairs = ARENA_ARRAY(b->a, struct xpair, cap);
        if (b->n) memcpy(pairs, b->pairs, b->n * sizeof *pairs);
        b->pairs = pairs;
        b->cap = cap;
    }
    b->pairs[b->n++] = (struct xpair){key, v};
}

struct xv xbuild_list(const struct xbuild *b)
{
    struct xv list = xv_list(b->a, b->n);
    for (size_t i = 0; i < b->n; i++) xv_items(&list)[i] = b->pairs[i].v;
    return list;
}

/* Merge sort: stable, so that of two equal keys the later one is known. */
static void sort_pairs(struct xpair *pairs, struct xpair *space, size_t n)
{
    if (n < 2) return;
    size_t half = n / 2, i = 0, j = half, at = 0;
    sort_pairs(pairs, space, half);
    sort_pairs(pairs + half, space, n - half);
    memcpy(space, pairs, n * sizeof *pairs);
    while (at < n) {
        bool left = i < half && (j == n || xv_order(&space[i].key, &space[j].key) <= 0);
        pairs[at++] = left ? space[i++] : space[j++];
    }
}

struct xv xbuild_map(struct xbuild *b)
{
    struct xmap *map = ARENA_NEW(b->a, struct xmap);
    map->pairs = b->pairs;
    bool sorted = true;
    for (size_t i = 1; i < b->n && sorted; i++)
        sorted = xv_order(&b->pairs[i - 1].key, &b->pairs[i].key) < 0;
    if (!sorted) sort_pairs(b->pairs, ARENA_ARRAY(b->a, struct xpair, b->n), b->n);
    for (size_t i = 0; i < b->n; i++) {
        bool again = map->n && !xv_order(&map->pairs[map->n - 1].key, &b->pairs[i].key);
        map->pairs[again ? map->n - 1 : map->n++] = b->pairs[i];
    }
    return (struct xv){.kind = X_MAP, .map = map};
}

const struct xv *xmap_get(const struct xv *map, const struct xv *key)
{
    size_t low = 0, high = map->map->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = xv_order(&map->map->pairs[mid].key, key);
        if (!order) return &map->map->pairs[mid].v;
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return NULL;
}

const struct xv *xmap_get_str(const struct xv *map, struct str key)
{
    struct xv k = xv_str(key);
    return xmap_get(map, &k);
}

const char *xv_type(const struct xv *v)
{
    static const char *const lists[] = {"[]interface {}", "[]string", "[]int", "[]float64"};
    static const char *const ints[] = {"int", "int64", "uint64", "uint32", "time.Weekday", "time.Month"};
    static const char *const maps[] = {"map[string]interface {}", "map[string]string",
                                       "map[interface {}]interface {}", "map[interface {}][]interface {}"};
    switch ((enum xkind)v->kind) {
    case X_NIL: return "<nil>";
    case X_BOOL: return "bool";
    case X_INT: return ints[v->sub];
    case X_FLOAT: return "float64";
    case X_STR: return "string";
    case X_LIST: return lists[v->sub];
    case X_MAP: return maps[v->sub];
    case X_SPRIG: return "map[string]interface {}";
    case X_TIME: return "time.Time";
    case X_DURATION: return "time.Duration";
    case X_FUNC: return "func";
    case X_ZONE: return "*time.Location";
    case X_OBJECT: return xobject_type(v);
    }
    IMPOSSIBLE("kind of value");
}

bool xv_hashable(struct xctx *x, const struct xv *key)
{
    bool fine = key->kind != X_LIST && key->kind != X_MAP && key->kind != X_FUNC;
    return fine || xfail(x, "hash of unhashable type: %s", xv_type(key));
}

static bool list_eq(const struct xv *a, const struct xv *b)
{
    if (a->list->n != b->list->n) return false;
    for (size_t i = 0; i < a->list->n; i++)
        if (!xv_eq(&a->list->items[i], &b->list->items[i])) return false;
    return true;
}

static bool map_eq(const struct xv *a, const struct xv *b)
{
    if (a->map->n != b->map->n) return false;
    for (size_t i = 0; i < a->map->n; i++)
        if (!xv_eq(&a->map->pairs[i].key, &b->map->pairs[i].key) ||
            !xv_eq(&a->map->pairs[i].v, &b->map->pairs[i].v))
            return false;
    return true;
}

bool xv_eq(const struct xv *a, const struct xv *b)
{
    if (xv_is_number(a) && xv_is_number(b))
        return a->kind == X_INT && b->kind == X_INT ? a->i == b->i : xv_number(a) == xv_number(b);
    if (xv_is_nil(a) && xv_is_nil(b)) return true;
    if (a->kind != b->kind) return false;
    switch ((enum xkind)a->kind) {
    case X_NIL:
    case X_SPRIG: return true;
    case X_BOOL: return a->b == b->b;
    case X_STR: return str_eq(a->s, b->s);
    case X_LIST: return list_eq(a, b);
    case X_MAP: return map_eq(a, b);
    case X_TIME: return !moment_cmp(*a->time, *b->time);
    case X_DURATION: return a->i == b->i;
    case X_FUNC: return a->func == b->func;
    case X_ZONE: return a->offset_s == b->offset_s;
    case X_OBJECT: return xobject_eq(a, b);
    default: return false;
    }
}

bool xv_same(const struct xv *a, const struct xv *b)
{
    if (a->kind != b->kind || (a->kind == X_INT && a->sub != b->sub)) return false;
    if (a->kind == X_LIST) {
        bool same = a->sub == b->sub && a->list->n == b->list->n;
        for (size_t i = 0; same && i < a->list->n; i++) same = xv_same(&a->list->items[i], &b->list->items[i]);
        return same;
    }
    if (a->kind != X_MAP) return xv_eq(a, b);
    bool same = a->map->n == b->map->n;
    for (size_t i = 0; same && i < a->map->n; i++)
        same = xv_eq(&a->map->pairs[i].key, &b->map->pairs[i].key) && xv_same(&a->map->pairs[i].v, &b->map->pairs[i].v);
    return same;
}

int xv_order(const struct xv *a, const struct xv *b)
{
    bool numbers = xv_is_number(a) && xv_is_number(b);
    if (!numbers && a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->kind == X_STR) return str_cmp(a->s, b->s);
    if (a->kind == X_INT && b->kind == X_INT) return (a->i > b->i) - (a->i < b->i);
    if (numbers) {
        double x = xv_number(a), y = xv_number(b);
        return (x > y) - (x < y);
    }
    switch ((enum xkind)a->kind) {
    case X_BOOL: return a->b - b->b;
    case X_DURATION: return (a->i > b->i) - (a->i < b->i);
    case X_TIME: return moment_cmp(*a->time, *b->time);
    case X_LIST:
        for (size_t i = 0; i < a->list->n && i < b->list->n; i++) {
            int order = xv_order(&a->list->items[i], &b->list->items[i]);
            if (order) return order;
        }
        return (a->list->n > b->list->n) - (a->list->n < b->list->n);
    default: return 0;
    }
}

static void put_pairs(struct buf *b, struct arena *a, const struct xmap *map)
{
    buf_str(b, STR("map["));
    for (size_t i = 0; i < map->n; i++) {
        if (i) buf_char(b, ' ');
        xv_put_text(b, a, &map->pairs[i].key);
        buf_char(b, ':');
        xv_put_text(b, a, &map->pairs[i].v);
    }
    buf_char(b, ']');
}

void xv_put_text(struct buf *b, struct arena *a, const struct xv *v)
{
    if (b->overflow) return;
    switch ((enum xkind)v->kind) {
    case X_NIL: buf_str(b, STR("<nil>")); return;
    case X_BOOL: buf_str(b, v->b ? STR("true") : STR("false")); return;
    case X_INT:
        if (v->sub == XI_WEEKDAY) buf_printf(b, "%s", timefmt_days[v->i]);
        else if (v->sub == XI_MONTH) buf_printf(b, "%s", timefmt_months[v->i - 1]);
        else buf_printf(b, "%lld", (long long)v->i);
        return;
    case X_FLOAT: buf_str(b, gofmt_double_g(a, v->d)); return;
    case X_STR: buf_str(b, v->s); return;
    case X_MAP: put_pairs(b, a, v->map); return;
    case X_TIME: buf_str(b, timefmt_string(a, *v->time)); return;
    case X_DURATION: buf_str(b, duration_text(a, v->i)); return;
    case X_FUNC: buf_printf(b, "func %s", v->func->name); return;
    case X_SPRIG: buf_str(b, STR("sprig")); return;
    case X_ZONE: buf_printf(b, "UTC%+d", v->offset_s / 3600); return;
    case X_OBJECT: buf_str(b, xobject_text(a, v)); return;
    case X_LIST:
        buf_char(b, '[');
        for (size_t i = 0; i < v->list->n; i++) {
            if (i) buf_char(b, ' ');
            xv_put_text(b, a, &v->list->items[i]);
        }
        buf_char(b, ']');
        return;
    }
}

struct str xv_text(struct xctx *x, const struct xv *v)
{
    if (v->kind == X_STR) return v->s;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (!xweigh(x, v)) return STR_NONE;
    xv_put_text(&b, x->a, v);
    if (!b.overflow) return buf_dup(x->a, &b);
    xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    x->steps = LIMIT_EXPR_STEPS + 1; /* whoever does not look at the result does not get far */
    return STR_NONE;
}

static bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

/* Takes out the underscores that stand between digits, or behind "0x". False: others. */
static bool without_gaps(struct str s, char *to, size_t size)
{
    size_t n = 0, from = s.n && (s.p[0] == '+' || s.p[0] == '-');
    bool hex = s.n > from + 1 && s.p[from] == '0' && (s.p[from + 1] | 32) == 'x';
    for (size_t i = 0; i < s.n; i++) {
        bool digit[2] = {false, false}; /* before and behind */
        for (size_t k = 0; k < 2; k++) {
            char c = k ? (i + 1 < s.n ? s.p[i + 1] : 0) : (char)(i ? s.p[i - 1] : 0);
            digit[k] = hex ? is_hex_digit(c) || (!k && i == from + 2) : c >= '0' && c <= '9';
        }
        if (s.p[i] == '_' && (!digit[0] || !digit[1])) return false;
        if (s.p[i] == '_') continue;
        if (n + 1 >= size) return false;
        to[n++] = s.p[i];
    }
    to[n] = 0;
    return true;
}

/* "0x1.8p-2": the exponent must be there. */
static bool parse_hex_float(const char *text, double *out)
{
    char *end;
    const char *digits = text + (*text == '+' || *text == '-') + 2, *at = digits;
    size_t n = 0;
    for (; is_hex_digit(*at) || *at == '.'; at++) n += *at != '.';
    if (!n || (*at | 32) != 'p') return false;
    *out = strtod(text, &end);
    return end > at + 1 && !*end && isfinite(*out);
}

bool xv_parse_float(struct str s, double *out)
{
    struct str body = s;
    if (body.n && (body.p[0] == '+' || body.p[0] == '-')) body = str_from(body, 1);
    static const char *const infinite[] = {"inf", "infinity", "nan"};
    for (size_t i = 0; i < ARRAY_LEN(infinite); i++) {
        if (body.n != strlen(infinite[i])) continue;
        bool same = true;
        for (size_t c = 0; c < body.n; c++) same = same && (body.p[c] | 32) == infinite[i][c];
        if (!same) continue;
        double d = i == 2 ? (double)NAN : (double)INFINITY;
        *out = s.p[0] == '-' ? -d : d;
        return true;
    }
    char text[400];
    bool hex = body.n > 1 && body.p[0] == '0' && (body.p[1] | 32) == 'x';
    if (!hex && str_find_char(s, '_', 0) < 0) return str_to_double(s, out) && isfinite(*out);
    if (memchr(s.p, 0, s.n) || !without_gaps(s, text, sizeof text)) return false;
    return hex ? parse_hex_float(text, out) : str_to_double(str_of(text), out) && isfinite(*out);
}

int64_t xv_to_int(double d)
{
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 ? (int64_t)d : INT64_MIN;
}

bool xfail(struct xctx *x, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    x->fault = EXPR_RUN;
    return xerr_at(x->e, x->text, x->at, text);
}

bool xlimit(struct xctx *x, const char *what, size_t limit)
{
    xfail(x, "%s: limit %zu", what, limit);
    if (x->e) x->e->code = ERR_LIMIT;
    return false;
}

bool xcharge(struct xctx *x, size_t steps)
{
    x->steps += steps;
    return x->steps <= LIMIT_EXPR_STEPS || xlimit(x, "memory budget exceeded", LIMIT_EXPR_STEPS);
}

/* Stops when nothing is left. */
static void weigh(const struct xv *v, size_t *left)
{
    if (*left) --*left;
    for (size_t i = 0; v->kind == X_LIST && i < v->list->n && *left; i++) weigh(&v->list->items[i], left);
    for (size_t i = 0; v->kind == X_MAP && i < v->map->n && *left; i++) weigh(&v->map->pairs[i].v, left);
}

bool xweigh(struct xctx *x, const struct xv *v)
{
    enum { VALUES_PER_STEP = 64 };
    if (v->kind != X_LIST && v->kind != X_MAP) return true;
    size_t most = (LIMIT_EXPR_STEPS + 1 - MIN(x->steps, (size_t)LIMIT_EXPR_STEPS)) * VALUES_PER_STEP, left = most;
    weigh(v, &left);
    return xcharge(x, (most - left) / VALUES_PER_STEP);
}
