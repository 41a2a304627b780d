/* Builtins on texts. See expr_builtins.def. */
#include "base/limits.h"
#include "lang/expr_builtin.h"
#include "lang/rune.h"

/* strings.Trim: characters of `set` off both ends. */
static bool in_set(struct str set, uint32_t r)
{
    for (size_t len; set.n; set = str_from(set, len))
        if (rune_read(set, &len) == r) return true;
    return false;
}

static struct str trim_set(struct str s, struct str set)
{
    size_t len;
    while (s.n && in_set(set, rune_read(s, &len))) s = str_from(s, len);
    while (s.n) {
        size_t at = s.n - 1;
        while (at && s.n - at < 4 && ((unsigned char)s.p[at] & 0xc0) == 0x80) at--;
        if (!in_set(set, rune_read(str_from(s, at), &len))) break;
        s.n = at;
    }
    return s;
}

bool builtin_trim(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(n == 2 ? trim_set(args[0].s, args[1].s) : rune_trim_space(args[0].s));
    return true;
}

bool builtin_trim_prefix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s, prefix = n == 2 ? args[1].s : STR(" ");
    *out = xv_str(str_starts(s, prefix) ? str_from(s, prefix.n) : s);
    return true;
}

bool builtin_trim_suffix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s, suffix = n == 2 ? args[1].s : STR(" ");
    *out = xv_str(str_ends(s, suffix) ? str_sub(s, 0, s.n - suffix.n) : s);
    return true;
}

bool builtin_upper(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(rune_upper_all(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}

bool builtin_lower(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(rune_lower_all(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}

/* strings.SplitN and SplitAfterN; most < 0: all. */
static bool split(struct xctx *x, const struct xv *args, size_t n, bool after, struct xv *out)
{
    struct str s = args[0].s, sep = args[1].s;
    int64_t most = n == 3 ? args[2].i : -1;
    struct xbuild b = {.a = x->a};
    while (most != 0 && (most < 0 || (int64_t)b.n < most - 1)) {
        size_t len = 0;
        if (!sep.n && s.n) rune_read(s, &len);
        ptrdiff_t at = sep.n ? str_find(s, sep, 0) : len && len < s.n ? (ptrdiff_t)len : -1;
        if (at < 0) break;
        xbuild_add(&b, xv_nil(), xv_str(str_sub(s, 0, (size_t)at + (after ? sep.n : 0))));
        s = str_from(s, (size_t)at + sep.n);
        if (!xcharge(x, 1)) return false;
    }
    if (most != 0 && (sep.n || s.n)) xbuild_add(&b, xv_nil(), xv_str(s));
    *out = xbuild_list(&b);
    out->sub = XS_STR;
    out->b = most == 0;
    return true;
}

bool builtin_split(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return split(x, args, n, false, out);
}

bool builtin_split_after(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return split(x, args, n, true, out);
}

/* strings.Replace; an empty text is found before every character and at the end. */
bool builtin_replace(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s, old = args[1].s, new = args[2].s;
    int64_t most = n == 4 ? args[3].i : -1;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    size_t at = 0;
    for (int64_t done = 0; done != most; done++) {
        size_t len = 0;
        if (!old.n && done) {
            if (at >= s.n) break;
            rune_read(str_from(s, at), &len);
        }
        ptrdiff_t hit = old.n ? str_find(s, old, at) : (ptrdiff_t)(at + len);
        if (hit < 0) break;
        buf_str(&b, str_sub(s, at, (size_t)hit - at));
        buf_str(&b, new);
        at = (size_t)hit + old.n;
        if (!xcharge(x, 1)) return false;
    }
    buf_str(&b, str_from(s, at));
    if (b.overflow) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    *out = xv_str(buf_dup(x->a, &b));
    return true;
}

bool builtin_repeat(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s;
    int64_t times = args[1].i;
    if (times < 0)
        return xfail(x, "invalid argument for repeat (expected positive integer, got %lld)", (long long)times);
    if (times > 1000000) return xfail(x, "memory budget exceeded");
    if (s.n * (size_t)times > LIMIT_VALUE_BYTES)
        return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    if (!xcharge(x, s.n * (size_t)times / 64)) return false;
    char *p = arena_alloc_bytes(x->a, s.n * (size_t)times + 1);
    for (size_t i = 0; s.n && i < (size_t)times; i++) memcpy(p + i * s.n, s.p, s.n);
    p[s.n * (size_t)times] = 0;
    *out = xv_str(str_n(p, s.n * (size_t)times));
    return true;
}

bool builtin_join(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str glue = n == 2 ? args[1].s : STR("");
    if (args[0].kind != X_LIST) return xfail(x, "invalid argument for join (type %s)", xv_type(&args[0]));
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < args[0].list->n; i++) {
        const struct xv *item = &args[0].list->items[i];
        if (item->kind != X_STR)
            return xfail(x, "interface conversion: interface {} is %s, not string",
                         item->kind == X_NIL ? "nil" : xv_type(item));
        if (i) buf_str(&b, glue);
        buf_str(&b, item->s);
    }
    if (b.overflow) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    *out = xv_str(buf_dup(x->a, &b));
    return true;
}

bool builtin_index_of(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_int(str_find(args[0].s, args[1].s, 0));
    return true;
}

static struct str backwards(struct arena *a, struct str s)
{
    char *p = arena_alloc_bytes(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[s.n - 1 - i];
    return str_n(p, s.n);
}

/* A search from the front in the texts turned round: its time grows with their length only. */
bool builtin_last_index_of(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s, part = args[1].s;
    *out = xv_int(-1);
    if (part.n > s.n) return true;
    if (!xcharge(x, s.n / 64)) return false;
    ptrdiff_t at = str_find(backwards(x->a, s), backwards(x->a, part), 0);
    if (at >= 0) *out = xv_int((int64_t)(s.n - part.n) - at);
    return true;
}

bool builtin_has_prefix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(str_starts(args[0].s, args[1].s));
    return true;
}

bool builtin_has_suffix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(str_ends(args[0].s, args[1].s));
    return true;
}
