/* Signing in at an identity provider: there, back, and out again (Argo: server/auth/sso). */
#include <strings.h>

#include "api/api_p.h"
#include "api/guard.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "service/sessions.h"

/* A sign-in that has come back and is being redeemed. Lives in the request's arena. */
struct signing {
    struct http_req *r;
    void *user;
    struct sso_login *login; /* NULL: it is over */
    struct str redirect, address;
    bool begun; /* by this browser */
};

static bool here(struct http_req *r, void *user)
{
    struct err e;
    if (api_sso(user)) return true;
    err_set(&e, ERR_NOT_FOUND, "nobody signs in here: server_auth is not sso");
    http_reply_err(r, &e);
    return false;
}

/* What a page of somebody else, a script, or a cache must not see. */
static void cookie_set(struct http_req *r, void *user, struct str name, struct str value, const char *path, int64_t max_age_s)
{
    http_reply_header(r, "Set-Cookie", str_fmt(http_req_arena(r), "%.*s=%.*s; Path=%s; Max-Age=%lld; HttpOnly; SameSite=Lax%s", STR_ARG(name),
                                               STR_ARG(value), path, (long long)max_age_s, sso_is_https(api_sso(user)) ? "; Secure" : ""));
}

static void go(struct http_req *r, struct str location)
{
    http_reply_header(r, "Location", location);
    http_reply_header(r, "Cache-Control", STR("no-store"));
    http_reply_header(r, "Referrer-Policy", STR("no-referrer"));
    http_reply(r, 302, NULL, STR(""));
}

static void fail(struct http_req *r, const struct err *e)
{
    http_reply_header(r, "Cache-Control", STR("no-store"));
    if (e->code == ERR_UNREACHABLE) http_reply_header(r, "Retry-After", STR("2"));
    http_reply_err(r, e);
}

/* ---- there ---- */

#define LOGIN_PATH "/oauth2/callback"

void login_redirect(struct http_req *r, void *user)
{
    struct login l;
    struct str location;
    struct err e;
    if (!here(r, user)) return;
    if (!sso_login_begin(http_req_arena(r), api_sso(user), http_req_query(r, "redirect"), clock_now_us(), &l, &location, &e)) {
        fail(r, &e);
        return;
    }
    cookie_set(r, user, l.cookie_name, l.cookie, LOGIN_PATH, LIMIT_SSO_LOGIN_S);
    go(r, location);
}

/* ---- back ---- */

/* Of all Cookie headers; absent: there is none of that name. */
static struct str cookie_get(const struct http_req *r, struct str wanted)
{
    struct str name, value, one, key, rest;
    for (size_t i = 0; http_req_header_at(r, i, &name, &value); i++) {
        if (name.n != 6 || strncasecmp(name.p, "cookie", 6) != 0) continue;
        for (rest = value; str_set(rest);) {
            str_cut(rest, ';', &one, &rest);
            if (str_cut(one, '=', &key, &value) && str_eq(str_trim(key), wanted)) return str_trim(value);
        }
    }
    return STR_NONE;
}

/* What nobody has begun does not count: any page can send a browser here with a made-up state, and a state cannot be guessed. */
static void signing_fail(struct signing *x, const struct err *e)
{
    if (x->begun && e->code == ERR_AUTH) guard_failed(api_guard(x->user), x->address);
    fail(x->r, e);
}

static bool session_make(struct signing *x, const struct val *claims, struct str *text, struct err *e)
{
    struct arena *a = http_req_arena(x->r);
    struct auth_token *who = ARENA_NEW(a, struct auth_token);
    struct val kept = val_copy(a, claims);
    sso_rights(a, api_sso(x->user), &kept, clock_now_us(), who);
    guard_signed_in(x->r, who);
    if (who->role == AUTH_OPEN) return err_set(e, ERR_AUTH, "'%.*s' may sign in, but no rule lets them in here", STR_ARG(who->name));
    return service_session_create(a, api_service(x->user), &kept, api_session_us(x->user), text, e);
}

static void on_claims(void *user, const struct val *claims, const struct err *why)
{
    struct signing *x = user;
    struct str text;
    struct err e;
    x->login = NULL;
    if (!claims) {
        log_line(LOG_WARN, "a sign-in from %.*s failed: %s", STR_ARG(x->address), why->text);
        signing_fail(x, why);
    } else if (!session_make(x, claims, &text, &e)) {
        fail(x->r, &e);
    } else {
        struct str value = str_fmt(http_req_arena(x->r), "\"Bearer %.*s\"", STR_ARG(text));
        cookie_set(x->r, x->user, STR("authorization"), value, "/", api_session_us(x->user) / 1000000);
        go(x->r, x->redirect);
    }
}

static void on_gone(void *user)
{
    struct signing *x = user;
    struct err e;
    sso_login_cancel(x->login);
    err_set(&e, ERR_UNREACHABLE, "the browser went away");
    http_reply_err(x->r, &e);
}

/* `error` is only told to the browser that began. */
static bool answer_check(const struct http_req *r, struct err *e)
{
    struct str error = http_req_query(r, "error"), word = login_error_word(error);
    if (str_set(error)) return err_set(e, ERR_AUTH, "the identity provider did not let you in%s%.*s", word.n ? ": " : "", STR_ARG(word));
    return http_req_query(r, "code").n || err_set(e, ERR_SPEC, "`code` is missing");
}

static bool resume(struct signing *x, struct login *l, struct err *e)
{
    struct arena *a = http_req_arena(x->r);
    struct str state = http_req_query(x->r, "state"), name = login_cookie_name(a, state);
    if (!name.n) return err_set(e, ERR_AUTH, "this is no sign-in that was begun here (state)");
    bool ok = sso_login_resume(a, api_sso(x->user), cookie_get(x->r, name), state, clock_now_us(), l, e);
    x->begun = l->ours;
    if (x->begun) guard_signing_in(x->r);
    if (!ok) return false;
    cookie_set(x->r, x->user, name, STR(""), LOGIN_PATH, 0);
    return answer_check(x->r, e);
}

void login_callback(struct http_req *r, void *user)
{
    struct signing *x = ARENA_NEW(http_req_arena(r), struct signing);
    struct login l;
    struct err e;
    if (!here(r, user)) return;
    *x = (struct signing){.r = r, .user = user, .address = str_dup(http_req_arena(r), http_req_peer(r))};
    bool ok = resume(x, &l, &e);
    x->redirect = ok ? l.redirect : STR_NONE;
    if (ok) x->login = sso_login_finish(api_sso(user), &l, http_req_query(r, "code"), on_claims, x, &e);
    if (x->login) http_req_on_gone(r, on_gone, x);
    else signing_fail(x, &e);
}

/* ---- out, and by whom ---- */

void logout(struct http_req *r, void *user)
{
    const struct auth_token *t = guard_caller(r);
    struct err e;
    if (!here(r, user)) return;
    bool ok = !t || !t->id.n || !t->person || service_session_delete(api_service(user), t->id, &e);
    cookie_set(r, user, STR("authorization"), STR(""), "/", 0);
    api_answer_empty(r, ok, &e);
}

void list_sessions(struct http_req *r, void *user)
{
    struct val items;
    struct err e;
    bool ok = service_session_list(http_req_arena(r), api_service(user), &items, &e);
    api_answer_items(r, ok, items, &e);
}

void delete_session(struct http_req *r, void *user)
{
    struct err e;
    bool ok = service_session_delete(api_service(user), http_req_param(r, "whose"), &e);
    api_answer_empty(r, ok, &e);
}
