/* See guard.h. In order: pages of other origins, how often its address asks, the token, its role, its namespaces.
 *
 * Browsers send cookies, and requests to this machine, for whatever page asks them to. So a request that changes something and whose
 * caller is known by a cookie, or not at all, must come from a page of the server itself; and where nobody needs a token on the loopback
 * interface, only by a name that no foreign page can have (DNS rebinding). */
#include "api/guard.h"

#include <strings.h>

#include "auth/audit.h"
#include "auth/bearer.h"
#include "auth/rate.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "service/sessions.h"
#include "sso/jwt.h"

enum { GRPC_UNAUTHENTICATED = 16, GRPC_DENIED = 7, GRPC_EXHAUSTED = 8 };

struct guard {
    struct guard_opts o;
    struct auth_check *check;
    struct auth_rate *rate;
    struct auth_pace *pace; /* NULL: any */
    struct auth_audit *audit;
    bool audit_lost; /* it was said that lines are lost */
};

struct guard *guard_new(const struct guard_opts *o, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct guard *g = mem_zalloc(sizeof *g);
    arena_init(&a);
    g->o = *o;
    g->check = auth_check_new();
    g->rate = auth_rate_new();
    if (o->per_s) g->pace = auth_pace_new(o->per_s, o->paces_local);
    g->audit = auth_audit_open(str_fmt(&a, "%s/audit.log", service_state_dir(o->s)).p, LIMIT_AUDIT_BYTES, e);
    if (g->audit) return g;
    guard_free(g);
    return NULL;
}

void guard_free(struct guard *g)
{
    if (!g) return;
    auth_audit_close(g->audit);
    auth_pace_free(g->pace);
    auth_rate_free(g->rate);
    auth_check_free(g->check);
    free(g);
}

const struct auth_token *guard_caller(const struct http_req *r) { return http_req_note(r); }
void guard_signing_in(struct http_req *r) { http_req_set_note(r, ARENA_NEW(http_req_arena(r), struct auth_token)); }
void guard_signed_in(struct http_req *r, struct auth_token *who) { http_req_set_note(r, who); }
void guard_failed(struct guard *g, struct str address) { auth_rate_failed(g->rate, address, clock_mono_us()); }

static const struct api_route *row_of(const struct guard *g, const struct http_req *r)
{
    const struct http_route *route = http_req_route(r);
    return route ? &g->o.rows[route - g->o.routes] : NULL;
}

static bool reads(const struct http_req *r)
{
    struct str m = http_req_method(r);
    return str_is(m, "GET") || str_is(m, "HEAD");
}

static bool refuse(struct http_verdict *out, int status, int code, const char *text)
{
    *out = (struct http_verdict){.status = status, .code = code, .text = text};
    return false;
}

/* ---- how often ---- */

/* Whoever watches the server is to see it when others press it hard. */
static bool is_unpaced(const struct api_route *row)
{
    static const char *const patterns[] = {"/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; row && i < ARRAY_LEN(patterns); i++)
        if (str_is(str_of(row->pattern), patterns[i])) return true;
    return false;
}

/* At most a second from now there is room again. */
static bool too_many(const struct guard *g, struct http_req *r, const struct api_route *row, struct http_verdict *out)
{
    if (!g->pace || is_unpaced(row) || auth_pace_take(g->pace, http_req_peer(r), clock_mono_us())) return false;
    http_reply_header(r, "Retry-After", STR("1"));
    return !refuse(out, 429, GRPC_EXHAUSTED, "too many requests from this address");
}

/* ---- browsers ---- */

static bool same_text(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0); }

/* Is the page from this server, as the browser knows it? One of http:// at the same host may be somebody's who sits between. */
static bool origin_is_own(const struct http_req *r, bool https)
{
    struct str origin = http_req_header(r, "Origin"), host = http_req_header(r, "Host");
    ptrdiff_t at = str_find(origin, STR("://"), 0);
    return at >= 0 && host.n && (!https || str_starts(origin, STR("https://"))) && same_text(str_from(origin, (size_t)at + 3), host);
}

static bool host_is_local(struct str host)
{
    struct str name = host, port;
    if (host.n && host.p[0] == '[') return true; /* an address is nobody's name */
    str_cut(host, ':', &name, &port);
    bool address = true;
    for (size_t i = 0; address && i < name.n; i++) address = (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '.';
    return address || same_text(name, STR("localhost")) || (name.n > 10 && same_text(str_from(name, name.n - 10), STR(".localhost")));
}

/* True: it was a question about what a page may ask, and is answered. */
static bool cors(const struct guard *g, struct http_req *r, struct http_verdict *out)
{
    struct str origin = http_req_header(r, "Origin");
    if (!g->o.cors_origin.n || !origin.n || !str_eq(origin, g->o.cors_origin)) return false;
    http_reply_header(r, "Access-Control-Allow-Origin", origin);
    http_reply_header(r, "Vary", STR("Origin"));
    if (!str_is(http_req_method(r), "OPTIONS") || !http_req_header(r, "Access-Control-Request-Method").p) return false;
    http_reply_header(r, "Access-Control-Allow-Methods", STR("GET, POST, PUT, DELETE"));
    http_reply_header(r, "Access-Control-Allow-Headers", STR("Authorization, Content-Type"));
    http_reply_header(r, "Access-Control-Max-Age", STR("600"));
    return !refuse(out, 204, 0, NULL);
}

/* Who needs no token: only a page of somebody else is refused. */
static bool admit_anybody(const struct guard *g, struct http_req *r, struct http_verdict *out)
{
    if (g->o.local && !host_is_local(http_req_header(r, "Host")))
        return refuse(out, 403, GRPC_DENIED, "without tokens this server answers as localhost or by its address alone");
    struct str origin = http_req_header(r, "Origin");
    if (!reads(r) && origin.p && !origin_is_own(r, false) && !(origin.n && str_eq(origin, g->o.cors_origin)))
        return refuse(out, 403, GRPC_DENIED, "a page of another origin may change nothing here");
    return true;
}

/* ---- tokens ---- */

struct shown {
    struct str text;
    bool any;    /* something was shown */
    bool good;   /* it has the form of a token */
    bool cookie;
};

static struct shown token_shown(const struct http_req *r)
{
    struct shown s = {0};
    struct str name, value;
    size_t headers = 0;
    for (size_t i = 0; http_req_header_at(r, i, &name, &value); i++) {
        if (same_text(name, STR("authorization"))) {
            s.any = true;
            s.cookie = false;
            s.good = bearer_parse(value, &s.text) && headers == 0;
            headers++;
        } else if (!headers && !s.good && same_text(name, STR("cookie"))) {
            s.good = s.any = s.cookie = bearer_cookie(value, &s.text);
        }
    }
    return s;
}

static bool unknown(struct http_req *r, struct http_verdict *out, bool shown, const char *text)
{
    http_reply_header(r, "WWW-Authenticate", shown ? STR("Bearer error=\"invalid_token\"") : STR("Bearer"));
    return refuse(out, 401, GRPC_UNAUTHENTICATED, text);
}

static bool signs_in(const struct api_route *row) { return str_is(str_of(row->pattern), "/oauth2/callback"); }

/* s: NULL: none is shown here. */
static bool too_often(const struct guard *g, struct http_req *r, const struct shown *s, struct http_verdict *out)
{
    int wait_s = auth_rate_wait_s(g->rate, http_req_peer(r), clock_mono_us());
    if (!wait_s || (s && s->good && auth_check_knows(g->check, s->text))) return false;
    http_reply_header(r, "Retry-After", str_fmt(http_req_arena(r), "%d", wait_s));
    return !refuse(out, 429, GRPC_EXHAUSTED, "too many wrong tokens, or sign-ins that failed, from this address");
}

/* By its form: a session, an ID token of the provider, or a token of ours. What those two allow their claims say. */
static bool text_check(struct guard *g, struct arena *a, struct str text, struct auth_token *out, struct err *e)
{
    struct auth_session x = {.id = STR_NONE};
    int64_t now_us = clock_now_us();
    bool session = session_like(text);
    if (!g->o.sso || (!session && !jwt_like(text))) return service_token_check(a, g->o.s, g->check, text, out, e);
    bool ok = session ? service_session_check(a, g->o.s, text, &x, e) && sso_kept(g->o.sso, &x.claims, e)
                      : sso_bearer(a, g->o.sso, text, now_us, &x.claims, e);
    if (!ok) return false;
    auth_check_note(g->check, text);
    sso_rights(a, g->o.sso, &x.claims, now_us, out);
    out->id = x.id;
    return true;
}

/* One that is over is no guess: a page that was left open goes on showing it, and its user must get in again. */
static bool session_was(const struct guard *g, const struct shown *s)
{
    return g->o.sso && s->good && session_like(s->text) && auth_check_knows(g->check, s->text);
}

static bool caller_find(struct guard *g, struct http_req *r, const struct shown *s, struct auth_token *out, struct http_verdict *v)
{
    struct arena *a = http_req_arena(r);
    struct err e;
    if (!s->any) return unknown(r, v, false, "a token is needed: Authorization: Bearer TOKEN");
    if (too_often(g, r, s, v)) return false;
    if (!s->good) err_set(&e, ERR_AUTH, "this is no token: Authorization: Bearer TOKEN");
    else if (text_check(g, a, s->text, out, &e)) return true;
    const char *text = str_dup(a, str_of(e.text)).p;
    if (e.code == ERR_UNREACHABLE) http_reply_header(r, "Retry-After", STR("1"));
    if (e.code != ERR_AUTH) return refuse(v, err_http_status(e.code), err_grpc_code(e.code), text);
    if (!session_was(g, s)) guard_failed(g, http_req_peer(r));
    return unknown(r, v, true, text);
}

/* ---- namespaces ---- */

/* Routes without a namespace in their path; others than these are about all namespaces. */
static const struct {
    const char *prefix;
    enum scope { SCOPE_NONE, SCOPE_QUERY, SCOPE_RUN } scope;
} scopes[] = {
    {"/api/v1/cluster-workflow-templates", SCOPE_NONE}, /* everybody's; changing them takes an admin */
    {"/api/v1/info", SCOPE_NONE},
    {"/api/v1/userinfo", SCOPE_NONE},
    {"/api/v1/tracking/event", SCOPE_NONE},
    {"/oauth2/logout", SCOPE_NONE},
    {"/api/v1/archived-workflows/{uid}", SCOPE_RUN},
    {"/api/v1/archived-workflows", SCOPE_QUERY},
    {"/artifacts-by-uid/{uid}", SCOPE_RUN},
    {"/input-artifacts-by-uid/{uid}", SCOPE_RUN},
};

/* What is asked about is one of the token's, or no namespace's. A run that is not there is left to the handler. */
static bool covers(const struct guard *g, struct http_req *r, const char *pattern, const struct auth_token *t)
{
    struct str ns = http_req_param(r, "namespace");
    struct workflow_ref ref = {0};
    struct err absent;
    if (str_set(ns)) return auth_token_covers(t, ns);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (!str_starts(str_of(pattern), str_of(scopes[i].prefix))) continue;
        if (scopes[i].scope == SCOPE_NONE) return true;
        struct str uid = http_req_param(r, "uid");
        if (scopes[i].scope == SCOPE_QUERY || !uid.n) return auth_token_covers(t, http_req_query(r, "namespace"));
        bool found = service_find_uid(http_req_arena(r), g->o.s, uid, &ref, &absent);
        return found ? auth_token_covers(t, ref.ns) : absent.code == ERR_NOT_FOUND;
    }
    return auth_token_covers(t, STR_NONE);
}

static bool may(const struct guard *g, struct http_req *r, const struct api_route *row, const struct auth_token *t, struct http_verdict *out)
{
    struct arena *a = http_req_arena(r);
    const char *kind = t->person ? "" : "token ";
    if (t->role == AUTH_OPEN) return refuse(out, 403, GRPC_DENIED, str_fmt(a, "no rule lets '%.*s' in here", STR_ARG(t->name)).p);
    if (t->role < row->role)
        return refuse(out, 403, GRPC_DENIED, str_fmt(a, "%s'%.*s' has the role %s; this takes %s", kind, STR_ARG(t->name), auth_role_text(t->role),
                                                     auth_role_text(row->role)).p);
    if (t->n && !covers(g, r, row->pattern, t)) {
        struct str ns = http_req_param(r, "namespace");
        return refuse(out, 403, GRPC_DENIED, str_fmt(a, "%s'%.*s' is not for %s%.*s", kind, STR_ARG(t->name), ns.n ? "namespace " : "all namespaces",
                                                     STR_ARG(ns)).p);
    }
    return true;
}

static bool admit_known(struct guard *g, struct http_req *r, const struct api_route *row, struct http_verdict *out)
{
    struct shown s = token_shown(r);
    struct auth_token *t = ARENA_NEW(http_req_arena(r), struct auth_token);
    if (!caller_find(g, r, &s, t, out)) return false;
    http_req_set_note(r, t);
    bool https = t->person && sso_is_https(g->o.sso);
    if (s.cookie && !reads(r) && !origin_is_own(r, https)) return refuse(out, 403, GRPC_DENIED, "a cookie counts for this server's own pages alone (Origin)");
    return may(g, r, row, t, out);
}

static bool tokens_needed(const struct guard *g, bool *needed, struct err *e)
{
    *needed = g->o.callers == CALLERS_KNOWN;
    return g->o.callers != CALLERS_ANY_UNTIL_TOKENS || service_token_any(g->o.s, needed, e);
}

void guard_admit(struct http_req *r, void *user, struct http_verdict *out)
{
    struct guard *g = user;
    const struct api_route *row = row_of(g, r);
    struct err e;
    bool needed;
    bool answered = cors(g, r, out);
    if (too_many(g, r, row, out) || answered || !row) return;
    if (signs_in(row)) too_often(g, r, NULL, out);
    if (row->role == AUTH_OPEN) return;
    if (!tokens_needed(g, &needed, &e)) {
        refuse(out, err_http_status(e.code), err_grpc_code(e.code), str_dup(http_req_arena(r), str_of(e.text)).p);
        return;
    }
    if (needed) admit_known(g, r, row, out);
    else admit_anybody(g, r, out);
}

/* ---- the audit log ---- */

/* What changes something, or tries to; and sign-ins that were begun. Who asks too often is counted (/metrics): a flood of lines would push out all others. */
static bool noted(const struct http_req *r, const struct api_route *row, int status)
{
    if (!row || status == 429) return false;
    return signs_in(row) ? guard_caller(r) != NULL : row->role >= AUTH_RUN && !reads(r);
}

/* A request is not refused because its line cannot be kept: the disk is full then, and the engine stops by itself. */
void guard_answered(const struct http_req *r, int status, void *user)
{
    struct guard *g = user;
    const struct api_route *row = row_of(g, r);
    const struct auth_token *t = guard_caller(r);
    struct err e;
    const struct auth_person *p = t ? t->person : NULL;
    if (!noted(r, row, status)) return;
    struct audit_line line = {.now_us = clock_now_us(), .token = t && !p ? t->name : STR_NONE, .issuer = p ? p->issuer : STR_NONE,
                              .subject = p ? p->subject : STR_NONE, .email = p ? p->email : STR_NONE, .address = http_req_peer(r), .method = http_req_method(r), .path = http_req_path(r), .status = status};
    bool ok = auth_audit_write(g->audit, &line, &e);
    if (!ok && !g->audit_lost) log_line(LOG_ERROR, "the audit log loses lines: %s", e.text);
    g->audit_lost = !ok;
}
