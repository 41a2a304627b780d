/* A sign-in that has come back: its code is redeemed for an ID token, and that is checked. A key that is not known is waited for once.
 * Then the userinfo endpoint is asked for the groups, where that is set. */
#include "base/limits.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "os/clock.h"
#include "sso/sso_p.h"

static void login_free(struct sso_login *l)
{
    struct sso *s = l->s;
    for (size_t i = 0; i < s->logins.n; i++)
        if (s->logins.items[i] == l) {
            s->logins.items[i] = s->logins.items[s->logins.n - 1];
            s->logins.n--;
            break;
        }
    web_call_cancel(l->call);
    arena_fini(&l->arena);
    free(l);
}

void sso_login_cancel(struct sso_login *l)
{
    if (l) login_free(l);
}

static void login_end(struct sso_login *l, const struct val *claims, const struct err *e)
{
    l->done(l->user, claims, e);
    login_free(l);
}

static void login_fail(struct sso_login *l, struct err e, const char *doing)
{
    err_ctx(&e, "%s", doing);
    login_end(l, NULL, &e);
}

/* What nobody may get at is not kept, and takes no room of the session's. */
static void login_pass(struct sso_login *l, const struct val *claims)
{
    struct sso *s = l->s;
    struct val kept;
    struct err e;
    bool ok = groups_filter(&l->arena, &s->filter, s->o.groups_claim, claims, &kept, &e);
    login_end(l, ok ? &kept : NULL, ok ? NULL : &e);
}

/* ---- the groups ---- */

static struct str content_type(const struct web_reply *reply)
{
    for (size_t i = 0; i < reply->n_fields; i++)
        if (str_is(reply->fields[i].name, "Content-Type")) return reply->fields[i].value;
    return STR("");
}

static bool groups_read(struct sso_login *l, const struct web_reply *reply, struct val *claims, struct err *e)
{
    if (reply->status >= 500) return err_set(e, ERR_UNREACHABLE, "the provider answers %d when it is asked for groups (sso.userinfo_path)", reply->status);
    if (reply->status != 200 || reply->led_away)
        return err_set(e, ERR_AUTH, "the provider does not tell the groups (%d%s, sso.userinfo_path)", reply->status, reply->led_away ? " of somebody else" : "");
    return userinfo_read(&l->arena, content_type(reply), reply->body, l->s->o.groups_claim, &l->claims, claims, e);
}

static void on_groups(void *user, const struct web_reply *reply, const struct err *why)
{
    struct sso_login *l = user;
    struct val claims;
    struct err e;
    l->call = NULL;
    if (why) login_fail(l, *why, "asking for groups (sso.userinfo_path)");
    else if (groups_read(l, reply, &claims, &e)) login_pass(l, &claims);
    else login_end(l, NULL, &e);
}

static void groups_ask(struct sso_login *l)
{
    struct sso *s = l->s;
    struct web_field fields[] = {{STR("Accept"), STR("application/json")}, {STR("Authorization"), str_fmt(&l->arena, "Bearer %.*s", STR_ARG(l->access_token))}};
    struct web_request r = provider_request(s, provider_below(&l->arena, s, s->o.userinfo_path.p));
    struct err e;
    r.fields = fields;
    r.n_fields = ARRAY_LEN(fields);
    l->call = web_call_new(s->web, &r, on_groups, l, &e);
    if (!l->call) login_fail(l, e, "asking for groups (sso.userinfo_path)");
}

/* ---- the token ---- */

/* may_wait: keys that are not here yet are waited for. */
static void login_judge(struct sso_login *l, bool may_wait)
{
    struct err e;
    bool known = true;
    bool ok = token_verify(&l->arena, l->s, l->id_token, l->nonce, clock_now_us(), &l->claims, &known, &e);
    if (!ok && !known && may_wait && (provider_fetch(l->s) || l->s->fetch)) return;
    if (!ok) login_end(l, NULL, &e);
    else if (l->s->o.userinfo_path.n) groups_ask(l);
    else login_pass(l, &l->claims);
}

void logins_retry(struct sso *s)
{
    for (size_t i = s->logins.n; i-- > 0;)
        if (i < s->logins.n && !s->logins.items[i]->call) login_judge(s->logins.items[i], false);
}

static bool refused(const struct web_reply *reply, const struct val *v, struct err *e)
{
    struct str word = login_error_word(val_get_str(v, "error"));
    if (reply->status >= 500) return err_set(e, ERR_UNREACHABLE, "the provider answers %d to a sign-in", reply->status);
    return err_set(e, ERR_AUTH, "the provider does not redeem the sign-in (%d%s%.*s)", reply->status, word.n ? ", " : "", STR_ARG(word));
}

/* It is going to be a line of a request. */
static bool access_token_ok(struct str t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= ' ' || t.p[i] > '~') return false;
    return t.n && t.n <= LIMIT_SSO_TOKEN_BYTES;
}

static bool answer_read(struct sso_login *l, const struct web_reply *reply, struct err *e)
{
    struct val v = {0};
    bool json = json_parse(&l->arena, reply->body, NULL, &v, NULL);
    const struct val *token = val_get(&v, STR("id_token"));
    if (reply->status != 200) return refused(reply, &v, e);
    if (!json || !token || token->kind != VAL_STR) return err_set(e, ERR_AUTH, "the provider's answer has no ID token: is `openid` among the scopes?");
    l->id_token = token->s;
    l->access_token = text_member(&v, "access_token");
    if (!l->s->o.userinfo_path.n) return true;
    return access_token_ok(l->access_token) || err_set(e, ERR_AUTH, "the provider's answer has no access token, which it could be asked for groups with (sso.userinfo_path)");
}

static void on_answer(void *user, const struct web_reply *reply, const struct err *why)
{
    struct sso_login *l = user;
    struct err e;
    l->call = NULL;
    if (why) login_fail(l, *why, "redeeming a sign-in");
    else if (answer_read(l, reply, &e)) login_judge(l, true);
    else login_end(l, NULL, &e);
}

/* ---- the request ---- */

static void form_put(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "%s%s=", b->n ? "&" : "", name);
    web_escape_to(b, value);
}

/* Both are escaped before they are joined: RFC 6749 §2.3.1. */
static struct str basic(struct arena *a, const struct sso_opts *o)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_HTTP_HEAD_BYTES);
    web_escape_to(&b, o->client_id);
    buf_char(&b, ':');
    web_escape_to(&b, o->client_secret);
    return str_fmt(a, "Basic %.*s", STR_ARG(base64_encode(a, buf_view(&b))));
}

static struct web_call *redeem(struct sso_login *l, const struct login *from, struct str code, struct err *e)
{
    struct sso *s = l->s;
    struct buf b CLEANUP(buf_fini);
    bool in_head = s->o.client_secret.n && !s->provider.secret_in_body;
    struct web_field fields[3] = {{STR("Content-Type"), STR("application/x-www-form-urlencoded")}, {STR("Accept"), STR("application/json")}};
    struct web_request r = provider_request(s, s->provider.token);
    r.method = STR("POST");
    r.fields = fields;
    r.n_fields = 2;
    buf_init(&b, LIMIT_HTTP_HEAD_BYTES);
    form_put(&b, "grant_type", STR("authorization_code"));
    form_put(&b, "code", code);
    form_put(&b, "redirect_uri", s->o.redirect_url);
    form_put(&b, "code_verifier", from->verifier);
    if (in_head) fields[r.n_fields++] = (struct web_field){STR("Authorization"), basic(&l->arena, &s->o)};
    else form_put(&b, "client_id", s->o.client_id);
    if (!in_head && s->o.client_secret.n) form_put(&b, "client_secret", s->o.client_secret);
    if (b.overflow) return err_set(e, ERR_LIMIT, "the code of the sign-in is too long"), NULL;
    r.body = buf_view(&b);
    return web_call_new(s->web, &r, on_answer, l, e);
}

struct sso_login *sso_login_finish(struct sso *s, const struct login *from, struct str code, sso_done_fn *done, void *user, struct err *e)
{
    if (!provider_usable(s, e)) return NULL;
    if (s->logins.n >= LIMIT_SSO_LOGINS) {
        err_set(e, ERR_UNREACHABLE, "more than LIMIT_SSO_LOGINS (%d) sign-ins at once: try again in a moment", LIMIT_SSO_LOGINS);
        return NULL;
    }
    struct sso_login *l = mem_zalloc(sizeof *l);
    *l = (struct sso_login){.s = s, .done = done, .user = user};
    arena_init(&l->arena);
    l->nonce = str_dup(&l->arena, from->nonce);
    VEC_PUSH(&s->logins, l);
    if ((l->call = redeem(l, from, code, e))) return l;
    login_free(l);
    return NULL;
}
