/* Addresses: made fit to be sent, taken apart, and shown without their password. */
#include "net/exchange_p.h"

enum { ADDRESS_MAX = 64 << 10 };

/* Go escapes what may not stand in a request line and refuses control characters; so must we, as
 * libcurl sends what it gets. Bytes of the host are left to libcurl (IDN). */
bool address_clean(struct arena *a, struct str url, struct str *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    ptrdiff_t host = str_find(url, STR("://"), 0);
    ptrdiff_t path = host < 0 ? 0 : str_find_char(url, '/', (size_t)host + 3);
    buf_init(&b, ADDRESS_MAX);
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c < ' ' || c == 0x7f)
            return err_set(e, ERR_SPEC, "parse \"%.*s\": net/url: invalid control character in URL",
                           STR_ARG(str_sub(url, 0, i)));
        if (path >= 0 && i >= (size_t)path && (c == ' ' || c > 0x7f)) buf_printf(&b, "%%%02X", c);
        else if (c == '#') break; /* a fragment is never sent */
        else buf_char(&b, (char)c);
    }
    if (b.overflow) return err_set(e, ERR_LIMIT, "an address is longer than %d bytes", ADDRESS_MAX);
    *out = buf_dup(a, &b);
    return true;
}

void web_escape_to(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || char_is_one_of(c, "-._~");
        if (plain) buf_char(b, c);
        else buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

struct str web_escape(struct arena *a, struct str s)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    web_escape_to(&b, s);
    return buf_dup(a, &b);
}

struct str address_part(const struct curl_api *c, struct arena *a, struct str url, CURLUPart part)
{
    struct str out = STR_NONE;
    char *text = NULL;
    CURLU *u = c->url();
    if (u && c->url_set(u, CURLUPART_URL, str_z(a, url), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        c->url_get(u, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK)
        out = str_dup(a, str_of(text));
    c->free(text);
    c->url_cleanup(u);
    return out;
}

/* Go's url.Error: "http://user:***@host/". */
struct str address_shown(const struct curl_api *c, struct arena *a, struct str url)
{
    struct str password = address_part(c, a, url, CURLUPART_PASSWORD), head, tail;
    ptrdiff_t from = str_find(url, STR("://"), 0), at;
    if (!password.n || from < 0) return url;
    size_t end = (size_t)from + 3;
    while (end < url.n && !strchr("/?", url.p[end])) end++;
    for (at = -1; end-- > (size_t)from + 3;)
        if (url.p[end] == '@') { at = (ptrdiff_t)end; break; }
    ptrdiff_t colon = str_find_char(url, ':', (size_t)from + 3);
    if (at < 0 || colon < 0 || colon > at) return url;
    head = str_sub(url, 0, (size_t)colon);
    tail = str_from(url, (size_t)at);
    return str_fmt(a, "%.*s:***%.*s", STR_ARG(head), STR_ARG(tail));
}

/* Such an address is never given to a proxy (Go's ProxyFromEnvironment). */
bool address_is_local(struct str host)
{
    if (str_is(host, "localhost") || str_is(host, "[::1]")) return true;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9')) return false;
    return str_starts(host, STR("127."));
}

/* The domain itself or a host below it; names of IPv6 addresses have nothing below them. */
bool host_is_within(struct str host, struct str domain)
{
    if (str_eq(host, domain)) return true;
    return host.n > domain.n && domain.n && !strchr("[", domain.p[0]) && str_ends(host, domain) &&
           host.p[host.n - domain.n - 1] == '.';
}
