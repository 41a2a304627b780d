/* sprig.* on texts, patterns and paths. See sprig.def; letter cases are in sprig_case.c. */
#include "base/limits.h"
#include "lang/expr_builtin.h"
#include "lang/gofmt.h"
#include "lang/regex.h"
#include "lang/rune.h"
#include "lang/sprig_p.h"

bool sprig_hello(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(STR("Hello!"));
    return true;
}

bool sprig_trim(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return builtin_trim(x, args, 1, out);
}

/* sprig has the text last, the builtins have it first. */
static bool swapped(struct xctx *x, const struct xv *args, xfunc_fn *fn, struct xv *out)
{
    struct xv pair[2] = {args[1], args[0]};
    return fn(x, pair, 2, out);
}

bool sprig_trim_all(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return swapped(x, args, builtin_trim, out);
}
bool sprig_trim_prefix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return swapped(x, args, builtin_trim_prefix, out);
}
bool sprig_trim_suffix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return swapped(x, args, builtin_trim_suffix, out);
}
bool sprig_has_prefix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return swapped(x, args, builtin_has_prefix, out);
}
bool sprig_has_suffix(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return swapped(x, args, builtin_has_suffix, out);
}

bool sprig_contains(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(str_find(args[1].s, args[0].s, 0) >= 0);
    return true;
}

bool sprig_repeat(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    if (args[0].i < 0) return xfail(x, "strings: negative Repeat count");
    return swapped(x, args, builtin_repeat, out);
}

bool sprig_replace(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv ordered[3] = {args[2], args[0], args[1]};
    return builtin_replace(x, ordered, 3, out);
}

bool sprig_substr(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t from = args[0].i, to = args[1].i, len = (int64_t)args[2].s.n;
    if (from < 0) from = 0;
    else if (to < 0 || to > len) to = len;
    if (to < 0 || to > len || from > to)
        return xfail(x, "runtime error: slice bounds out of range [%lld:%lld]", (long long)from, (long long)to);
    *out = xv_str(str_sub(args[2].s, (size_t)from, (size_t)(to - from)));
    return true;
}

bool sprig_trunc(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t c = args[0].i, len = (int64_t)args[1].s.n;
    if (c < 0 && len + c > 0) *out = xv_str(str_from(args[1].s, (size_t)(len + c)));
    else if (c >= 0 && len > c) *out = xv_str(str_sub(args[1].s, 0, (size_t)c));
    else *out = args[1];
    return true;
}

static struct str abbreviate(struct arena *a, struct str s, int64_t offset, int64_t width)
{
    int64_t len = (int64_t)s.n, keep = width - 3;
    if (width < 4 || len <= width) return s;
    offset = MIN(offset, len);
    if (len - offset < keep) offset = len - keep;
    if (offset <= 4) return str_cat(a, str_sub(s, 0, (size_t)keep), STR("..."));
    if (width < 7) return STR("");
    if (offset + keep < len)
        return str_cat(a, STR("..."), abbreviate(a, str_from(s, (size_t)offset), 0, keep));
    return str_cat(a, STR("..."), str_from(s, (size_t)(len - keep)));
}

bool sprig_abbrev(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(abbreviate(x->a, args[1].s, 0, args[0].i));
    return true;
}

bool sprig_abbrevboth(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t left = args[0].i, right = args[1].i;
    bool whole = right < 4 || (left > 0 && right < 7) || !args[2].s.n;
    *out = whole ? args[2] : xv_str(abbreviate(x->a, args[2].s, left, right));
    return true;
}

bool sprig_nospace(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len))
        if (!rune_is_space(rune_read(s, &len))) buf_add(&b, s.p, len);
    return sprig_done(x, &b, out);
}

bool sprig_initials(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    bool gap = true;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len)) {
        bool space = rune_is_space(rune_read(s, &len));
        if (!space && gap) buf_add(&b, s.p, len);
        gap = space;
    }
    return sprig_done(x, &b, out);
}

struct wrapping {
    size_t width;
    struct str end;
    bool cut_long;
};

static ptrdiff_t last_space(struct str s, size_t from, size_t to)
{
    for (size_t i = MIN(to, s.n); i > from; i--)
        if (s.p[i - 1] == ' ') return (ptrdiff_t)i - 1;
    return -1;
}

static bool wrap(struct xctx *x, struct str s, struct wrapping w, struct xv *out)
{
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    size_t at = 0;
    while (s.n - at > w.width) {
        if (s.p[at] == ' ') {
            at++;
            continue;
        }
        ptrdiff_t cut = last_space(s, at, at + w.width + 1);
        size_t skip = 1;
        if (cut < 0 && w.cut_long) {
            cut = (ptrdiff_t)(at + w.width);
            skip = 0;
        } else if (cut < 0) {
            cut = str_find_char(s, ' ', at + w.width);
        }
        if (cut < 0) break;
        buf_str(&b, str_sub(s, at, (size_t)cut - at));
        buf_str(&b, w.end);
        at = (size_t)cut + skip;
    }
    buf_str(&b, str_from(s, at));
    return sprig_done(x, &b, out);
}

bool sprig_wrap(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct wrapping w = {args[0].i < 1 ? 1 : (size_t)args[0].i, STR("\n"), false};
    return wrap(x, args[1].s, w, out);
}

bool sprig_wrap_with(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct wrapping w = {args[0].i < 1 ? 1 : (size_t)args[0].i, args[1].s, true};
    if (!w.end.n) w.end = STR("\n");
    return wrap(x, args[2].s, w, out);
}

static void quoted_with(struct buf *b, struct str s, char quote)
{
    buf_char(b, quote);
    buf_str(b, s);
    buf_char(b, quote);
}

/* Arguments as texts, nil left out, each with `quote` around (0: none, joined by spaces). */
static bool quoted(struct xctx *x, const struct xv *args, size_t n, char quote, struct xv *out)
{
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (args[i].kind == X_NIL) continue;
        if (any) buf_char(&b, ' ');
        any = true;
        struct str s = xv_text(x, &args[i]);
        if (quote == '"') buf_str(&b, gofmt_quote(x->a, s));
        else if (quote) quoted_with(&b, s, quote);
        else buf_str(&b, s);
    }
    return sprig_done(x, &b, out);
}

bool sprig_quote(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return quoted(x, args, n, '"', out);
}
bool sprig_squote(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return quoted(x, args, n, '\'', out);
}
bool sprig_cat(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return quoted(x, args, n, 0, out);
}

static bool indent(struct xctx *x, const struct xv *args, const char *before, struct xv *out)
{
    struct buf b;
    int64_t spaces = args[0].i;
    if (spaces < 0) return xfail(x, "strings: negative Repeat count");
    if (spaces > 10000) return xlimit(x, "the indentation is too large", 10000);
    buf_init(&b, LIMIT_VALUE_BYTES);
    buf_printf(&b, "%s%*s", before, (int)spaces, "");
    for (size_t i = 0; i < args[1].s.n; i++) {
        buf_char(&b, args[1].s.p[i]);
        if (args[1].s.p[i] == '\n') buf_printf(&b, "%*s", (int)spaces, "");
    }
    return sprig_done(x, &b, out);
}

bool sprig_indent(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return indent(x, args, "", out);
}
bool sprig_nindent(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return indent(x, args, "\n", out);
}

bool sprig_plural(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = args[args[2].i == 1 ? 0 : 1];
    return true;
}

bool sprig_to_string(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(xv_text(x, &args[0]));
    return true;
}

/* --- patterns --- */

static struct regex *pattern(struct xctx *x, struct str s)
{
    struct err inner = {0};
    struct regex *r = regex_new(s, &inner);
    if (!r) xfail(x, "%s", inner.text);
    return r;
}

static bool search(struct xctx *x, struct regex *r, struct str text, size_t from,
                   struct regex_hit *hit)
{
    struct err inner = {0};
    return regex_search(r, text, from, hit, &inner) ? xcharge(x, 1) : xfail(x, "%s", inner.text);
}

/* Where to go on after a match: past it, and past one more character when it was empty. */
static size_t after(struct str text, const struct regex_hit *hit)
{
    size_t len = 1;
    if (hit->to > hit->from) return hit->to;
    if (hit->to < text.n) rune_read(str_from(text, hit->to), &len);
    return hit->to + len;
}

bool sprig_regex_match(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct err inner = {0};
    struct regex *r CLEANUP(regex_clear) = regex_new(args[0].s, &inner);
    struct regex_hit hit;
    if (!r && inner.code != ERR_LIMIT) { /* what is no pattern matches nothing */
        *out = xv_bool(false);
        return true;
    }
    if (!r) return xfail(x, "%s", inner.text);
    if (!search(x, r, args[1].s, 0, &hit)) return false;
    *out = xv_bool(hit.found);
    return true;
}

bool sprig_must_regex_match(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct regex *r CLEANUP(regex_clear) = pattern(x, args[0].s);
    struct regex_hit hit;
    if (!r || !search(x, r, args[1].s, 0, &hit)) return false;
    *out = xv_bool(hit.found);
    return true;
}

bool sprig_regex_find(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct regex *r CLEANUP(regex_clear) = pattern(x, args[0].s);
    struct regex_hit hit;
    if (!r || !search(x, r, args[1].s, 0, &hit)) return false;
    *out = xv_str(hit.found ? str_sub(args[1].s, hit.from, hit.to - hit.from) : STR(""));
    return true;
}

bool sprig_regex_find_all(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct regex *r CLEANUP(regex_clear) = pattern(x, args[0].s);
    struct xbuild b = {.a = x->a};
    struct str s = args[1].s;
    size_t end = SIZE_MAX; /* of the last match: an empty one there does not count */
    for (size_t at = 0; r && at <= s.n && (args[2].i < 0 || (int64_t)b.n < args[2].i);) {
        struct regex_hit hit;
        if (!search(x, r, s, at, &hit)) return false;
        if (!hit.found) break;
        if (hit.to > hit.from || hit.from != end)
            xbuild_add(&b, xv_nil(), xv_str(str_sub(s, hit.from, hit.to - hit.from)));
        end = hit.to;
        at = after(s, &hit);
    }
    *out = xbuild_list(&b);
    out->b = !b.n;
    out->sub = XS_STR;
    return r != NULL;
}

static bool in_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* "$1", "${name}" of a replacement; "$$" is a dollar. */
static void expand(struct buf *b, const struct regex *r, struct str text, struct str by,
                   const struct regex_hit *hit)
{
    for (size_t i = 0; i < by.n; i++) {
        if (by.p[i] != '$' || i + 1 >= by.n) {
            buf_char(b, by.p[i]);
            continue;
        }
        if (by.p[i + 1] == '$') {
            buf_char(b, by.p[++i]);
            continue;
        }
        bool braces = by.p[i + 1] == '{';
        size_t from = i + 1 + braces, end = from;
        while (end < by.n && in_name(by.p[end])) end++;
        if (end == from || (braces && (end >= by.n || by.p[end] != '}'))) {
            buf_char(b, '$');
            continue;
        }
        struct str name = str_sub(by, from, end - from);
        int64_t group;
        if (!str_to_i64(name, &group)) group = regex_group(r, name);
        if (group >= 0 && (size_t)group < hit->groups && hit->at[2 * group] != SIZE_MAX)
            buf_str(b, str_sub(text, hit->at[2 * group], hit->at[2 * group + 1] - hit->at[2 * group]));
        i = end - !braces;
    }
}

static bool regex_replace(struct xctx *x, const struct xv *args, bool literal, struct xv *out)
{
    struct regex *r CLEANUP(regex_clear) = pattern(x, args[0].s);
    struct str s = args[1].s;
    struct buf b CLEANUP(buf_fini);
    size_t kept = 0, at = 0;
    buf_init(&b, LIMIT_VALUE_BYTES);
    while (r && at <= s.n) {
        struct regex_hit hit;
        if (!search(x, r, s, at, &hit)) return false;
        if (!hit.found) break;
        bool touches = hit.to == hit.from && hit.from == kept && kept > 0 && at == hit.from;
        buf_str(&b, str_sub(s, kept, hit.from - kept));
        if (!touches && literal) buf_str(&b, args[2].s);
        if (!touches && !literal) expand(&b, r, s, args[2].s, &hit);
        kept = hit.to;
        at = after(s, &hit);
    }
    buf_str(&b, str_from(s, kept));
    return r && sprig_done(x, &b, out);
}

bool sprig_regex_replace(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return regex_replace(x, args, false, out);
}
bool sprig_regex_replace_literal(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return regex_replace(x, args, true, out);
}

bool sprig_regex_split(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct regex *r CLEANUP(regex_clear) = pattern(x, args[0].s);
    struct xbuild b = {.a = x->a};
    struct str s = args[1].s;
    size_t kept = 0, at = 0, before = SIZE_MAX, end = SIZE_MAX; /* end of the last match; start of the last that counts */
    int64_t most = args[2].i;
    while (r && most && at <= s.n && s.n && (most < 0 || (int64_t)b.n < most - 1)) {
        struct regex_hit hit;
        if (!search(x, r, s, at, &hit)) return false;
        if (!hit.found) break;
        bool counts = hit.to > hit.from || hit.from != before;
        before = hit.to;
        at = after(s, &hit);
        if (!counts) continue;
        end = hit.from;
        if (hit.to) xbuild_add(&b, xv_nil(), xv_str(str_sub(s, kept, hit.from - kept)));
        kept = hit.to;
    }
    if (most && (s.n ? end != s.n : args[0].s.n > 0)) xbuild_add(&b, xv_nil(), xv_str(str_from(s, kept)));
    *out = xbuild_list(&b);
    out->b = !most;
    out->sub = XS_STR;
    return r != NULL;
}

bool sprig_regex_quote(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < args[0].s.n; i++) {
        char c = args[0].s.p[i];
        if (c && strchr("\\.+*?()|[]{}^$", c)) buf_char(&b, '\\');
        buf_char(&b, c);
    }
    return sprig_done(x, &b, out);
}

/* --- paths --- */

/* path.Clean: "." and ".." elements and repeated slashes taken out. */
static struct str clean(struct arena *a, struct str path)
{
    if (!path.n) return STR(".");
    char *p = arena_alloc_bytes(a, path.n + 2);
    bool rooted = path.p[0] == '/';
    size_t n = 0, floor = rooted;
    if (rooted) p[n++] = '/';
    for (struct str rest = path, part; str_set(rest);) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, ".")) continue;
        if (str_is(part, "..") && n > floor) {
            while (n > floor && p[n - 1] != '/') n--;
            if (n > floor) n--;
            continue;
        }
        if (str_is(part, "..") && rooted) continue;
        if (n > (size_t)rooted) p[n++] = '/';
        memcpy(p + n, part.p, part.n);
        n += part.n;
        if (str_is(part, "..")) floor = n;
    }
    return n ? str_n(p, n) : STR(".");
}

static ptrdiff_t last_slash(struct str s)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == '/') return (ptrdiff_t)i - 1;
    return -1;
}

bool sprig_path_clean(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(clean(x->a, args[0].s));
    return true;
}

bool sprig_path_base(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = args[0].s;
    while (s.n && s.p[s.n - 1] == '/') s.n--;
    struct str last = str_from(s, (size_t)(last_slash(s) + 1));
    *out = xv_str(!args[0].s.n ? STR(".") : last.n ? last : STR("/"));
    return true;
}

bool sprig_path_dir(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(clean(x->a, str_sub(args[0].s, 0, (size_t)(last_slash(args[0].s) + 1))));
    return true;
}

bool sprig_path_ext(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = str_from(args[0].s, (size_t)(last_slash(args[0].s) + 1));
    size_t dot = s.n;
    while (dot && s.p[dot - 1] != '.') dot--;
    *out = xv_str(dot ? str_from(s, dot - 1) : STR(""));
    return true;
}

bool sprig_path_is_abs(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_bool(args[0].s.n && args[0].s.p[0] == '/');
    return true;
}
