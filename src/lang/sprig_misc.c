/* sprig.*: defaults, types, encodings, hashes, random texts, times. See sprig.def. */
#include "base/id.h"
#include "base/limits.h"
#include "doc/base64.h"
#include "doc/json_write.h"
#include "lang/digest.h"
#include "lang/duration.h"
#include "lang/expr_builtin.h"
#include "lang/pem.h"
#include "lang/rune.h"
#include "lang/sprig_p.h"

/* --- defaults and conditions --- */

bool sprig_default(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = n > 1 && !sprig_empty_value(&args[1]) ? args[1] : args[0];
    return true;
}
bool sprig_empty(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(sprig_empty_value(&args[0]));
    return true;
}

static size_t count_empty(const struct xv *args, size_t n)
{
    size_t empty = 0;
    for (size_t i = 0; i < n; i++) empty += sprig_empty_value(&args[i]);
    return empty;
}

bool sprig_coalesce(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    size_t i = 0;
    while (i < n && sprig_empty_value(&args[i])) i++;
    *out = i < n ? args[i] : xv_nil();
    return true;
}
bool sprig_all(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(!count_empty(args, n));
    return true;
}
bool sprig_any(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(count_empty(args, n) < n);
    return true;
}
bool sprig_ternary(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = args[args[2].b ? 0 : 1];
    return true;
}
bool sprig_fail(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return xfail(x, "%.*s", STR_ARG(args[0].s));
}

/* --- JSON --- */

static bool json(struct xctx *x, const struct xv *v, int indent, struct xv *out)
{
    struct str s = xv_json(x, v, indent);
    *out = xv_str(s);
    return str_set(s);
}

/* What has no JSON form gives an empty text; a limit stays an error. */
static bool json_or_empty(struct xctx *x, const struct xv *v, int indent, struct xv *out)
{
    struct err inner = {0}, *outer = x->e;
    x->e = &inner;
    bool ok = json(x, v, indent, out);
    x->e = outer;
    if (!ok && inner.code == ERR_LIMIT) return json(x, v, indent, out);
    if (!ok) *out = xv_str(STR(""));
    x->fault = EXPR_FINE;
    return true;
}

bool sprig_to_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return json_or_empty(x, &args[0], 0, out);
}
bool sprig_to_pretty_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return json_or_empty(x, &args[0], 2, out);
}
bool sprig_must_to_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return json(x, &args[0], 0, out);
}
bool sprig_must_to_pretty_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return json(x, &args[0], 2, out);
}

bool sprig_to_raw_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct val v;
    if (xv_is_nil(&args[0])) return *out = xv_str(STR("null")), true;
    if (!json(x, &args[0], 0, out) || !xv_to_val(x, &args[0], &v)) return false;
    struct str text = json_text(x->a, &v);
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0, len; i < text.n; i += len) { /* Go leaves HTML alone, but not the two line ends of JavaScript */
        bool line = str_starts(str_from(text, i), STR("\xe2\x80\xa8")), paragraph = str_starts(str_from(text, i), STR("\xe2\x80\xa9"));
        len = line || paragraph ? 3 : 1;
        if (len == 1) buf_char(&b, text.p[i]);
        else buf_str(&b, line ? STR("\\u2028") : STR("\\u2029"));
    }
    return sprig_done(x, &b, out);
}

bool sprig_must_from_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return xcharge(x, args[0].s.n / 64) && xv_from_json(x, args[0].s, out);
}

bool sprig_refused(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return xfail(x, "this function is refused: %s", sprig_refusal);
}

/* A text that is no JSON gives nil. */
bool sprig_from_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct err *kept = x->e;
    x->e = NULL;
    if (!xv_from_json(x, args[0].s, out)) *out = xv_nil();
    x->e = kept;
    x->fault = EXPR_FINE;
    return xcharge(x, args[0].s.n / 64);
}

/* --- types --- */

static struct str kind_name(const struct xv *v)
{
    static const char *const kinds[] = {
        [X_NIL] = "invalid", [X_BOOL] = "bool", [X_INT] = "int", [X_FLOAT] = "float64",
        [X_STR] = "string", [X_LIST] = "slice", [X_MAP] = "map", [X_TIME] = "struct",
        [X_DURATION] = "int64", [X_FUNC] = "func", [X_SPRIG] = "map", [X_ZONE] = "ptr",
    };
    static const char *const ints[] = {[XI_INT] = "int", [XI_INT64] = "int64", [XI_UINT64] = "uint64", [XI_UINT32] = "uint32",
                                       [XI_WEEKDAY] = "int", [XI_MONTH] = "int"};
    if (v->kind == X_OBJECT) return str_of(xobject_kind(v));
    return str_of(v->kind == X_INT ? ints[v->sub] : kinds[v->kind]);
}

bool sprig_type_of(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(str_of(xv_type(&args[0])));
    return true;
}
bool sprig_type_is(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(str_is(args[0].s, xv_type(&args[1])));
    return true;
}
bool sprig_kind_of(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(kind_name(&args[0]));
    return true;
}
bool sprig_kind_is(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(str_eq(args[0].s, kind_name(&args[1])));
    return true;
}
bool sprig_deep_equal(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (!xweigh(x, &args[0])) return false;
    *out = xv_bool(xv_same(&args[0], &args[1]));
    return true;
}

/* --- encodings and hashes --- */

bool sprig_b64enc(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return builtin_to_base64(x, args, 1, out);
}

bool sprig_b64dec(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s;
    ptrdiff_t fault = b64_fault(s);
    if (fault < 0 && base64_decode(x->a, args[0].s, &s)) *out = xv_str(s);
    else *out = xv_str(str_fmt(x->a, "illegal base64 data at input byte %zd", fault));
    return true;
}

static const char b32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

bool sprig_b32enc(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t at = 0; at < s.n; at += 5) {
        uint64_t bits = 0;
        size_t len = MIN(s.n - at, (size_t)5), digits = (len * 8 + 4) / 5;
        for (size_t i = 0; i < 5; i++) bits = bits << 8 | (i < len ? (unsigned char)s.p[at + i] : 0);
        for (size_t i = 0; i < 8; i++) buf_char(&b, i < digits ? b32[bits >> (35 - 5 * i) & 31] : '=');
    }
    return sprig_done(x, &b, out);
}

static const char *b32_digit(char c) { return c ? strchr(b32, c) : NULL; }

/* A group of eight ends at `i`, its digit number `j`, by padding: the byte at which Go gives up, or -1. */
static ptrdiff_t b32_padding_fault(struct str s, size_t i, size_t j)
{
    size_t left = s.n - i - 1;
    if (left + j < 7) return (ptrdiff_t)s.n;
    for (size_t k = 0; k < 7 - j && k < left; k++)
        if (s.p[i + 1 + k] != '=') return (ptrdiff_t)(i + k);
    return j == 3 || j == 6 ? (ptrdiff_t)i : -1; /* so many digits are no whole bytes */
}

/* `s` is without line ends. -1: its digits are the first `digits`. */
static ptrdiff_t b32_fault(struct str s, size_t *digits)
{
    for (*digits = 0; *digits < s.n; ++*digits) {
        size_t i = *digits, j = i % 8;
        if (s.p[i] == '=' && j >= 2 && s.n - i <= 8) return b32_padding_fault(s, i, j);
        if (!b32_digit(s.p[i])) return (ptrdiff_t)i;
    }
    return *digits % 8 ? (ptrdiff_t)(*digits - *digits % 8) : -1;
}

bool sprig_b32dec(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    uint64_t bits = 0;
    int have = 0;
    size_t digits;
    char *p = arena_alloc_bytes(x->a, args[0].s.n + 1);
    struct str s = {p, 0};
    for (size_t i = 0; i < args[0].s.n; i++)
        if (args[0].s.p[i] != '\n' && args[0].s.p[i] != '\r') p[s.n++] = args[0].s.p[i];
    ptrdiff_t fault = b32_fault(s, &digits);
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (fault >= 0) buf_printf(&b, "illegal base32 data at input byte %td", fault);
    for (size_t i = 0; fault < 0 && i < digits; i++) {
        bits = bits << 5 | (uint64_t)(b32_digit(s.p[i]) - b32);
        have += 5;
        if (have >= 8) buf_char(&b, (char)(bits >> (have -= 8)));
    }
    return sprig_done(x, &b, out);
}

bool sprig_sha1sum(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(digest_sha1(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}
bool sprig_sha256sum(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(digest_sha256(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}
bool sprig_sha512sum(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(digest_sha512(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}

bool sprig_adler32sum(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < args[0].s.n; i++) {
        a = (a + (unsigned char)args[0].s.p[i]) % 65521;
        b = (b + a) % 65521;
    }
    *out = xv_str(str_fmt(x->a, "%u", b << 16 | a));
    return xcharge(x, args[0].s.n / 64);
}

/* --- random --- */

static bool random_text(struct xctx *x, int64_t count, const char *set, struct xv *out)
{
    struct buf b;
    size_t n = strlen(set);
    if (count < 0) return xfail(x, "Requested random string length %lld is less than 0.", (long long)count);
    if (count > LIMIT_VALUE_BYTES) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (int64_t i = 0; i < count; i++) {
        char c = n ? set[sprig_random(x) % n] : (char)(' ' + sprig_random(x) % 95);
        buf_char(&b, c);
    }
    return sprig_done(x, &b, out);
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool sprig_rand_alpha(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return random_text(x, args[0].i, LETTERS, out);
}
bool sprig_rand_alpha_num(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return random_text(x, args[0].i, LETTERS "0123456789", out);
}
bool sprig_rand_numeric(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return random_text(x, args[0].i, "0123456789", out);
}
bool sprig_rand_ascii(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return random_text(x, args[0].i, "", out);
}

bool sprig_rand_bytes(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (args[0].i < 0 || args[0].i > LIMIT_VALUE_BYTES / 2)
        return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    size_t count = (size_t)args[0].i;
    char *p = arena_alloc_bytes(x->a, count + 1);
    for (size_t i = 0; i < count; i++) p[i] = (char)sprig_random(x);
    *out = xv_str(base64_encode(x->a, str_n(p, count)));
    return xcharge(x, count / 64);
}

bool sprig_shuffle(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s;
    size_t count = rune_count(s), at = 0;
    if (!xcharge(x, count / 4)) return false;
    uint32_t *runes = ARENA_ARRAY(x->a, uint32_t, count + 1);
    for (size_t len; s.n; s = str_from(s, len)) runes[at++] = rune_read(s, &len);
    for (size_t i = count; i > 1; i--) {
        size_t j = sprig_random(x) % i;
        uint32_t swap = runes[i - 1];
        runes[i - 1] = runes[j];
        runes[j] = swap;
    }
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < count; i++) rune_put(&b, runes[i]);
    return sprig_done(x, &b, out);
}

bool sprig_uuidv4(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    uint64_t random[2] = {sprig_random(x), sprig_random(x)};
    *out = xv_str(uuid_text(x->a, (const uint8_t *)random));
    return true;
}

/* --- times; there is no local zone here but UTC --- */

bool sprig_now(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return builtin_now(x, args, 0, out);
}

/* A time, Unix seconds, or else the present. */
static struct moment moment_of(struct xctx *x, const struct xv *v)
{
    if (v->kind == X_TIME) return *v->time;
    if (v->kind == X_INT) return (struct moment){.s = v->i, .zone = "UTC"};
    return moment_utc(x->env ? x->env->clock.now_us : 0);
}

static bool date(struct xctx *x, struct str layout, const struct xv *when, struct xv *out)
{
    struct moment m = moment_of(x, when);
    m.offset_s = 0;
    memcpy(m.zone, "UTC", 4);
    *out = xv_str(timefmt_layout(x->a, layout, m));
    return true;
}

/* What Go finds no zone for, such as "+02:00", is shown in UTC; what it may find one for is an error, since expressions read no files. */
static bool date_in(struct xctx *x, struct str layout, const struct xv *when, struct str zone, struct xv *out)
{
    bool named = zone.n && !str_is(zone, "UTC") && !str_is(zone, "Local") && (zone.p[0] | 32) >= 'a' && (zone.p[0] | 32) <= 'z';
    for (size_t i = 0; i < zone.n; i++) {
        char c = zone.p[i];
        named = named && (((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_+-/", c)));
    }
    return named ? xfail(x, "time zone %.*s: expressions know only UTC", STR_ARG(zone)) : date(x, layout, when, out);
}

bool sprig_date(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return date(x, args[0].s, &args[1], out);
}
bool sprig_html_date(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return date(x, STR("2006-01-02"), &args[0], out);
}

bool sprig_date_in_zone(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return date_in(x, args[0].s, &args[1], args[2].s, out);
}
bool sprig_html_date_in_zone(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return date_in(x, STR("2006-01-02"), &args[0], args[1].s, out);
}

bool sprig_date_modify(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t ns;
    *out = args[1];
    if (duration_parse(args[0].s, &ns, NULL)) *out = xv_time(x->a, moment_add(*args[1].time, ns));
    return true;
}

bool sprig_must_date_modify(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t ns;
    struct err inner = {0};
    return duration_parse(args[0].s, &ns, &inner) ? sprig_date_modify(x, args, n, out) : xfail(x, "%s", inner.text);
}

bool sprig_must_to_date(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct moment m;
    if (!timefmt_parse(args[0].s, args[1].s, &m))
        return xfail(x, "parsing time \"%.*s\" as \"%.*s\"", STR_ARG(args[1].s), STR_ARG(args[0].s));
    *out = xv_time(x->a, m);
    return true;
}

bool sprig_to_date(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct moment m;
    if (!timefmt_parse(args[0].s, args[1].s, &m)) m = (struct moment){.s = -62135596800, .zone = "UTC"};
    *out = xv_time(x->a, m);
    return true;
}

bool sprig_unix_epoch(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(str_fmt(x->a, "%lld", (long long)args[0].time->s));
    return true;
}

bool sprig_duration(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t s = 0;
    if (args[0].kind == X_STR) s = sprig_nearest_i64(args[0].s);
    if (args[0].kind == X_INT && args[0].sub == XI_INT64) s = args[0].i;
    *out = xv_str(duration_text(x->a, (int64_t)((uint64_t)s * 1000000000u)));
    return true;
}

bool sprig_duration_round(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    static const struct {
        const char *unit;
        uint64_t s;
    } units[] = {{"y", 365 * 86400}, {"mo", 30 * 86400}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    int64_t ns = 0;
    const struct xv *v = &args[0];
    if (v->kind == X_STR && !duration_parse(v->s, &ns, NULL)) ns = 0;
    else if (v->kind == X_INT && v->sub == XI_INT64) ns = v->i;
    else if (v->kind == X_TIME) ns = moment_diff(moment_of(x, &(struct xv){0}), *v->time);
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    *out = xv_str(STR("0s"));
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = units[i].s * 1000000000u;
        if (u <= unit) continue;
        *out = xv_str(str_fmt(x->a, "%llu%s", (unsigned long long)(u / unit), units[i].unit));
        break;
    }
    return true;
}

bool sprig_ago(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t ns = moment_diff(moment_of(x, &(struct xv){0}), moment_of(x, &args[0]));
    int64_t s = ns / 1000000000, rest = ns % 1000000000;
    s += (rest >= 500000000) - (rest <= -500000000);
    *out = xv_str(duration_text(x->a, s * 1000000000));
    return true;
}
