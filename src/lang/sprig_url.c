/* sprig.urlParse and sprig.urlJoin: URLs as maps. See gourl.h. */
#include "base/limits.h"
#include "lang/gourl.h"
#include "lang/sprig_p.h"

static bool parse(struct xctx *x, struct str text, const char *what, struct gourl *u)
{
    struct err inner = {0};
    struct str shown, rest;
    str_cut(text, '#', &shown, &rest);
    return (xcharge(x, text.n / 16) && gourl_parse(x->a, text, u, &inner)) ||
           xfail(x, "unable to parse %s: parse \"%.*s\": %s", what, STR_ARG(shown), inner.text);
}

bool sprig_url_parse(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct gourl u;
    if (!parse(x, args[0].s, "url", &u)) return false;
    const struct {
        const char *key;
        struct str v;
    } rows[] = {{"scheme", u.scheme}, {"host", u.host}, {"hostname", gourl_hostname(&u)}, {"path", u.path}, {"query", u.query},
                {"opaque", u.opaque}, {"fragment", u.fragment}, {"userinfo", gourl_userinfo(x->a, &u)}};
    struct xbuild b = {.a = x->a};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) xbuild_add(&b, xv_str(str_of(rows[i].key)), xv_str(rows[i].v));
    *out = xbuild_map(&b);
    return true;
}

bool sprig_url_join(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct gourl u = {0}, other;
    struct str info = STR("");
    const struct {
        const char *key;
        struct str *v;
    } rows[] = {{"scheme", &u.scheme}, {"host", &u.host}, {"path", &u.path}, {"query", &u.query}, {"opaque", &u.opaque},
                {"fragment", &u.fragment}, {"userinfo", &info}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct xv *v = xmap_get_str(&args[0], str_of(rows[i].key));
        *rows[i].v = v && v->kind == X_STR ? v->s : STR("");
        if (v && v->kind == X_NIL) return xfail(x, "runtime error: invalid memory address or nil pointer dereference");
        if (v && v->kind != X_STR)
            return xfail(x, "unable to parse %s key, must be of type string, but %s found", rows[i].key, xv_type(v));
    }
    if (info.n) {
        struct str text = str_fmt(x->a, "proto://%.*s@host", STR_ARG(info));
        if (!parse(x, text, "userinfo in dict", &other)) return false;
        u.user = other.user;
        u.password = other.password;
    }
    struct str text = gourl_text(x->a, &u);
    if (text.n > LIMIT_VALUE_BYTES) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    *out = xv_str(text);
    return xcharge(x, text.n / 16);
}
