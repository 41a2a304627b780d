/* How a hop ended: complete, led on by a redirect, or failed, and then in which words. Go's rules
 * (net/http client.go redirectBehavior, shouldCopyHeaderOnRedirect, refererForURL). */
#include <errno.h>

#include "base/limits.h"
#include "net/exchange_p.h"

/* Like Go's url.Error: `Get "http://host/": why`. While a body is read there is no such frame. */
static bool framed(const struct exchange *x, struct arena *a, struct err *e)
{
    char op[16];
    struct str url = address_shown(x->curl, a, x->url);
    snprintf(op, sizeof op, "%.*s", STR_ARG(x->req.method));
    for (char *p = op + 1; op[0] && *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p | 32);
    return err_ctx(e, "%s \"%.*s\"", op, STR_ARG(str_sub(url, 0, 400)));
}

/* libcurl quotes an address of a proxy that it cannot use as a whole, with the password: these words do not. */
static const char *wrong_proxy(const struct exchange *x)
{
    if (strstr(x->text, "proxy scheme")) return "proxyconnect tcp: unsupported protocol scheme in the proxy's address";
    return strstr(x->text, "proxy syntax") ? "proxyconnect tcp: the proxy's address is not a valid address" : NULL;
}

/* Where a connection was wanted: the proxy, when one was asked for. */
static struct str dialled(struct exchange *x, struct arena *a)
{
    struct str proxy = x->req.proxy;
    if (!proxy.n) return x->url;
    return str_find(proxy, STR("://"), 0) >= 0 ? proxy : str_fmt(a, "http://%.*s", STR_ARG(proxy));
}

static void why_connect(struct exchange *x, struct arena *a, struct err *e)
{
    long sys = 0;
    x->curl->easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &sys);
    struct str to = dialled(x, a);
    struct str host = address_part(x->curl, a, to, CURLUPART_HOST);
    struct str port = address_part(x->curl, a, to, CURLUPART_PORT);
    char text[CURL_ERROR_SIZE], room[128];
    snprintf(text, sizeof text, "%s", sys ? strerror_r((int)sys, room, sizeof room) : x->text);
    if (text[0] >= 'A' && text[0] <= 'Z') text[0] = (char)(text[0] | 32); /* as Go has it */
    err_set(e, ERR_UNREACHABLE, "%sdial tcp %.*s:%.*s: connect: %s", x->req.proxy.n ? "proxyconnect tcp: " : "", STR_ARG(host), STR_ARG(port), text);
}

static void why(struct exchange *x, CURLcode code, struct arena *a, struct err *e)
{
    const char *words = x->text[0] ? x->text : x->curl->easy_strerror(code);
    struct str host = address_part(x->curl, a, x->url, CURLUPART_HOST);
    struct str scheme = address_part(x->curl, a, x->url, CURLUPART_SCHEME);
    bool late = x->deadline_us && loop_now_us() + 1000 >= x->deadline_us; /* libcurl may round its milliseconds up */
    if (wrong_proxy(x)) {
        err_set(e, ERR_UNREACHABLE, "%s", wrong_proxy(x));
        return;
    }
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        err_set(e, ERR_TIMEOUT, "%s", late ? "context deadline exceeded" : strstr(words, "too slow") ? "read tcp: i/o timeout" : "dial tcp: i/o timeout");
        return;
    case CURLE_ABORTED_BY_CALLBACK: err_set(e, ERR_TIMEOUT, "context canceled"); return;
    case CURLE_COULDNT_CONNECT: why_connect(x, a, e); return;
    case CURLE_COULDNT_RESOLVE_HOST:
        err_set(e, ERR_UNREACHABLE, "dial tcp: lookup %.*s: no such host", STR_ARG(host));
        return;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also a reply that is no HTTP/1 */
        if (str_starts(scheme, STR("http"))) break;
        err_set(e, ERR_SPEC, "unsupported protocol scheme \"%.*s\"", STR_ARG(scheme));
        return;
    case CURLE_URL_MALFORMAT: err_set(e, ERR_SPEC, "not a valid address: %s", words); return;
    case CURLE_PARTIAL_FILE: err_set(e, ERR_UNREACHABLE, "unexpected EOF"); return;
    case CURLE_GOT_NOTHING: err_set(e, ERR_UNREACHABLE, "EOF"); return;
    case CURLE_PEER_FAILED_VERIFICATION:
        err_set(e, ERR_UNREACHABLE, "tls: failed to verify certificate: %s", words);
        return;
    default: break;
    }
    err_set(e, ERR_UNREACHABLE, "%s", words);
}

static enum hop_end failed(struct exchange *x, CURLcode code, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (x->err.code && e) *e = x->err;
    else why(x, code, &a, e);
    if (!x->status) framed(x, &a, e);
    return HOP_FAILED;
}

static enum hop_end refused(struct exchange *x, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    err_set(e, ERR_LIMIT, "stopped after %d redirects", LIMIT_WEB_REQUESTS);
    framed(x, &a, e);
    return HOP_FAILED;
}

static struct str location(const struct exchange *x)
{
    for (size_t i = 0; i < x->fields.n; i++)
        if (str_is(x->fields.items[i].name, "Location")) return x->fields.items[i].value;
    return STR_NONE;
}

/* Without the address's own user; never from https to http. */
static void referer_set(struct exchange *x, struct str to)
{
    struct str user = address_part(x->curl, &x->arena, x->url, CURLUPART_USER);
    bool down = str_starts(x->url, STR("https:")) && str_starts(to, STR("http:"));
    x->referer = down || user.n ? NULL : x->url.p;
}

static bool same_origin(struct exchange *x, struct str to)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!str_eq(address_part(x->curl, &x->arena, x->url, parts[i]), address_part(x->curl, &x->arena, to, parts[i]))) return false;
    return true;
}

static enum hop_end onward(struct exchange *x, const char *to, struct err *e)
{
    struct str next, host;
    bool repeats = x->status == 307 || x->status == 308;
    if (x->requests >= LIMIT_WEB_REQUESTS) return refused(x, e);
    if (!address_clean(&x->arena, str_of(to), &next, e)) return HOP_FAILED;
    host = address_part(x->curl, &x->arena, next, CURLUPART_HOST);
    x->trusted = x->trusted && (x->req.same_origin ? same_origin(x, next) : host_is_within(host, x->first_host));
    if (x->req.same_origin && !x->trusted && repeats && x->with_body)
        return err_set(e, ERR_AUTH, "a request is redirected to another host (%.*s), which is not to see it", STR_ARG(host)), HOP_FAILED;
    x->keeps_host = x->keeps_host && str_find(location(x), STR("://"), 0) < 0;
    referer_set(x, next);
    x->url = next;
    if (!repeats && !str_is(x->method, "GET") && !str_is(x->method, "HEAD")) x->method = STR("GET");
    if (!repeats) x->with_body = false;
    return HOP_AGAIN;
}

enum hop_end exchange_hop_done(struct exchange *x, CURLcode code, struct err *e)
{
    char *to = NULL;
    bool redirects = (x->status >= 301 && x->status <= 303) || x->status == 307 || x->status == 308;
    if (redirects) x->curl->easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &to);
    if (to && x->req.same_host && !str_eq(address_part(x->curl, &x->arena, str_of(to), CURLUPART_HOST), x->first_host)) to = NULL;
    if (to && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        x->err.code = ERR_NONE; /* its body is of no interest */
        return onward(x, to, e);
    }
    return code == CURLE_OK ? HOP_DONE : failed(x, code, e);
}
