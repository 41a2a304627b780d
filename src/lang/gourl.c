/* See gourl.h. */
#include <arpa/inet.h>

#include "base/limits.h"
#include "lang/gourl.h"

/* What may stand unescaped, beside letters, digits and "-._~". */
enum part { PATH, HOST, ZONE, USER, FRAGMENT };
static const char *const plain[] = {
    [PATH] = "$&+,/:;=@", [HOST] = "!\"$&'()*+,:;<=>[]", [ZONE] = "!\"$&'()*+,:;<=>[]", [USER] = "$&+,;=", [FRAGMENT] = "!$&()*+,/:;=?@",
};

static bool is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_plain(char c, enum part part)
{
    return is_letter(c) || is_digit(c) || (c && strchr("-._~", c)) || (c && strchr(plain[part], c));
}

static int hex_of(struct str s, size_t at)
{
    char c = at < s.n ? s.p[at] : 0;
    if (is_digit(c)) return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool escape_fault(struct err *e, struct str s, size_t at)
{
    struct str shown = str_sub(s, at, 3);
    return err_set(e, ERR_SPEC, "invalid URL escape \"%.*s\"", STR_ARG(shown));
}

/* A host may escape only what is no ASCII, and a percent sign before a zone. */
static bool may_escape(struct str s, size_t at, unsigned char byte, enum part part)
{
    if (str_starts(str_from(s, at), STR("%25"))) return true;
    if (part == HOST) return byte >= 0x80;
    return part != ZONE || byte == ' ' || is_plain((char)byte, HOST);
}

static bool unescape(struct arena *a, struct str s, enum part part, struct str *out, struct err *e)
{
    char *p = arena_alloc_bytes(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool host = part == HOST || part == ZONE;
        if (s.p[i] != '%') {
            if (host && (unsigned char)s.p[i] < 0x80 && !is_plain(s.p[i], part))
                return err_set(e, ERR_SPEC, "invalid character \"%c\" in host name", s.p[i]);
            p[n++] = s.p[i];
            continue;
        }
        int high = hex_of(s, i + 1), low = hex_of(s, i + 2);
        if (high < 0 || low < 0) return escape_fault(e, s, i);
        unsigned char byte = (unsigned char)(high << 4 | low);
        if (!may_escape(s, i, byte, part)) return escape_fault(e, s, i);
        p[n++] = (char)byte;
        i += 2;
    }
    *out = str_n(p, n);
    return true;
}

static void put_escaped(struct buf *b, struct str s, enum part part)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_plain(s.p[i], part)) buf_char(b, s.p[i]);
        else buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
    }
}

static bool is_port(struct str s)
{
    for (size_t i = 1; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return !s.n || s.p[0] == ':';
}

static ptrdiff_t last_of(struct str s, char c)
{
    ptrdiff_t at = (ptrdiff_t)s.n - 1;
    while (at >= 0 && s.p[at] != c) at--;
    return at;
}

static bool is_ipv6(struct arena *a, struct str s)
{
    struct str address, zone;
    unsigned char bytes[16];
    bool scoped = str_cut(s, '%', &address, &zone);
    return inet_pton(AF_INET6, str_z(a, address), bytes) == 1 && (!scoped || zone.n);
}

/* "[address]:port", "[address%25zone]". */
static bool parse_literal(struct arena *a, struct str host, struct str *out, struct err *e)
{
    ptrdiff_t close = last_of(host, ']'), zone;
    if (close < 0) return err_set(e, ERR_SPEC, "missing ']' in host");
    struct str name = str_sub(host, 1, (size_t)close - 1), port = str_from(host, (size_t)close + 1), first, second = STR("");
    if (!is_port(port)) return err_set(e, ERR_SPEC, "invalid port \"%.*s\" after host", STR_ARG(port));
    zone = str_find(name, STR("%25"), 0);
    if (!unescape(a, zone < 0 ? name : str_sub(name, 0, (size_t)zone), HOST, &first, e)) return false;
    if (zone >= 0 && !unescape(a, str_from(name, (size_t)zone), ZONE, &second, e)) return false;
    name = str_cat(a, first, second);
    if (!is_ipv6(a, name)) return err_set(e, ERR_SPEC, "invalid host: %.*s is no IPv6 address", STR_ARG(name));
    *out = str_fmt(a, "[%.*s]%.*s", STR_ARG(name), STR_ARG(port));
    return true;
}

static bool parse_host(struct arena *a, struct str host, struct str *out, struct err *e)
{
    ptrdiff_t open = last_of(host, '['), colon = last_of(host, ':');
    if (open > 0) return err_set(e, ERR_SPEC, "invalid IP-literal");
    if (open == 0) return parse_literal(a, host, out, e);
    if (colon >= 0 && !is_port(str_from(host, (size_t)colon)))
        return err_set(e, ERR_SPEC, "invalid port \"%.*s\" after host", STR_ARG(str_from(host, (size_t)colon)));
    return unescape(a, host, HOST, out, e);
}

static bool parse_authority(struct arena *a, struct str s, struct gourl *u, struct err *e)
{
    ptrdiff_t at = last_of(s, '@');
    struct str info = at < 0 ? STR_NONE : str_sub(s, 0, (size_t)at), name, password;
    if (!parse_host(a, str_from(s, (size_t)(at + 1)), &u->host, e)) return false;
    if (at < 0) return true;
    for (size_t i = 0; i < info.n; i++)
        if (!is_letter(info.p[i]) && !is_digit(info.p[i]) && (!info.p[i] || !strchr("-._:~!$&'()*+,;=%@", info.p[i])))
            return err_set(e, ERR_SPEC, "net/url: invalid userinfo");
    bool both = str_cut(info, ':', &name, &password);
    return unescape(a, name, USER, &u->user, e) && (!both || unescape(a, password, USER, &u->password, e));
}

/* Cuts "scheme:" off, in small letters. */
static bool parse_scheme(struct arena *a, struct str *rest, struct gourl *u, struct err *e)
{
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (is_letter(c) || (i && (is_digit(c) || (c && strchr("+-.", c))))) continue;
        if (c != ':') return true;
        if (!i) return err_set(e, ERR_SPEC, "missing protocol scheme");
        char *p = arena_alloc_bytes(a, i + 1);
        for (size_t k = 0; k < i; k++) p[k] = rest->p[k] >= 'A' && rest->p[k] <= 'Z' ? (char)(rest->p[k] | 32) : rest->p[k];
        u->scheme = str_n(p, i);
        *rest = str_from(*rest, i + 1);
        return true;
    }
    return true;
}

static bool parse_rest(struct arena *a, struct str rest, struct gourl *u, struct err *e)
{
    struct str head, tail;
    if (!parse_scheme(a, &rest, u, e)) return false;
    if (str_cut(rest, '?', &rest, &tail)) u->query = tail;
    if (!str_starts(rest, STR("/"))) {
        if (u->scheme.n) return u->opaque = rest, true;
        str_cut(rest, '/', &head, &tail);
        if (str_find_char(head, ':', 0) >= 0)
            return err_set(e, ERR_SPEC, "first path segment in URL cannot contain colon");
    }
    if (str_starts(rest, STR("//")) && (u->scheme.n || !str_starts(rest, STR("///")))) {
        ptrdiff_t slash = str_find_char(rest, '/', 2);
        struct str authority = str_sub(rest, 2, slash < 0 ? rest.n : (size_t)slash - 2);
        rest = slash < 0 ? STR("") : str_from(rest, (size_t)slash);
        if (!parse_authority(a, authority, u, e)) return false;
    }
    return unescape(a, rest, PATH, &u->path, e);
}

bool gourl_parse(struct arena *a, struct str text, struct gourl *out, struct err *e)
{
    struct str rest, fragment;
    struct str none = STR("");
    *out = (struct gourl){.scheme = none, .opaque = none, .host = none, .path = none, .query = none, .fragment = none};
    bool marked = str_cut(text, '#', &rest, &fragment);
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] < ' ' || rest.p[i] == 0x7f)
            return err_set(e, ERR_SPEC, "net/url: invalid control character in URL");
    if (str_is(rest, "*")) out->path = rest;
    else if (!parse_rest(a, rest, out, e)) return false;
    return !marked || unescape(a, fragment, FRAGMENT, &out->fragment, e);
}

static void put_userinfo(struct buf *b, const struct gourl *u)
{
    put_escaped(b, u->user, USER);
    if (!str_set(u->password)) return;
    buf_char(b, ':');
    put_escaped(b, u->password, USER);
}

struct str gourl_userinfo(struct arena *a, const struct gourl *u)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 4 * (size_t)LIMIT_VALUE_BYTES);
    put_userinfo(&b, u);
    return buf_dup(a, &b);
}

static void put_place(struct buf *b, const struct gourl *u)
{
    bool authority = u->host.n || str_set(u->user);
    if (authority || (u->scheme.n && u->path.n)) buf_str(b, STR("//"));
    if (str_set(u->user)) put_userinfo(b, u), buf_char(b, '@');
    put_escaped(b, u->host, HOST);
    if (u->path.n && u->path.p[0] != '/' && u->host.n) buf_char(b, '/');
    struct str head, tail;
    str_cut(u->path, '/', &head, &tail);
    if (!b->n && str_find_char(head, ':', 0) >= 0) buf_str(b, STR("./"));
    if (str_is(u->path, "*")) buf_char(b, '*');
    else put_escaped(b, u->path, PATH);
}

struct str gourl_text(struct arena *a, const struct gourl *u)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 4 * (size_t)LIMIT_VALUE_BYTES);
    buf_str(&b, u->scheme);
    if (u->scheme.n) buf_char(&b, ':');
    if (u->opaque.n) buf_str(&b, u->opaque);
    else put_place(&b, u);
    if (u->query.n) buf_char(&b, '?');
    buf_str(&b, u->query);
    if (u->fragment.n) buf_char(&b, '#');
    put_escaped(&b, u->fragment, FRAGMENT);
    return buf_dup(a, &b);
}

struct str gourl_hostname(const struct gourl *u)
{
    ptrdiff_t colon = last_of(u->host, ':');
    struct str s = colon >= 0 && is_port(str_from(u->host, (size_t)colon)) ? str_sub(u->host, 0, (size_t)colon) : u->host;
    bool brackets = s.n > 1 && s.p[0] == '[' && s.p[s.n - 1] == ']';
    return brackets ? str_sub(s, 1, s.n - 2) : s;
}
