/* See sso.h. */
#include "sso/sso.h"

#include "auth/sodium.h"
#include "base/limits.h"
#include "os/clock.h"
#include "sso/jose.h"
#include "sso/sso_p.h"

/* ---- its beginning ---- */

static void opts_copy(struct sso *s, const struct sso_opts *o)
{
    struct str *texts[] = {&s->o.issuer, &s->o.client_id, &s->o.client_secret, &s->o.redirect_url, &s->o.scopes, &s->o.groups_claim,
                           &s->o.audiences, &s->o.ca_file, &s->o.rules, &s->o.rules_file,
                           &s->o.issuer_alias, &s->o.userinfo_path, &s->o.groups_filter};
    s->o = *o;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) *texts[i] = str_dup(&s->arena, *texts[i]);
    s->iss = s->o.issuer_alias.n ? s->o.issuer_alias : s->o.issuer;
}

static bool opts_check(struct sso *s, struct err *e)
{
    const struct sso_opts *o = &s->o;
    const struct {
        const char *key;
        struct str value;
    } needed[] = {{"sso.issuer", o->issuer}, {"sso.client_id", o->client_id}, {"sso.redirect_url", o->redirect_url}, {"sso.rules", o->rules_file}};
    struct str path;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!needed[i].value.n) return err_set(e, ERR_USAGE, "server_auth is sso, and `%s` is not set", needed[i].key);
    if (!url_ok(o->issuer, true)) return err_set(e, ERR_USAGE, "sso.issuer: '%.*s' is no https:// address", STR_ARG(o->issuer));
    if (!url_ok(o->redirect_url, true) || str_find_char(o->redirect_url, '?', 0) >= 0 ||
        !login_redirect_path(o->redirect_url, o->redirect_url, &path) || !str_is(path, "/oauth2/callback"))
        return err_set(e, ERR_USAGE, "sso.redirect_url: '%.*s' is not this server's https://HOST/oauth2/callback", STR_ARG(o->redirect_url));
    if (!str_has_word(o->scopes, ' ', STR("openid"))) return err_set(e, ERR_USAGE, "sso.scopes: `openid` is not among '%.*s'", STR_ARG(o->scopes));
    if (o->userinfo_path.n && (o->userinfo_path.p[0] != '/' || !url_ok(provider_below(&s->arena, s, o->userinfo_path.p), true)))
        return err_set(e, ERR_USAGE, "sso.userinfo_path: '%.*s' is no path below sso.issuer", STR_ARG(o->userinfo_path));
    s->https = str_starts(o->redirect_url, STR("https://"));
    s->insecure_ok = !str_starts(o->issuer, STR("https://"));
    return true;
}

struct sso *sso_new(struct loop *l, const struct sso_opts *o, struct err *e)
{
    struct sso *s = mem_zalloc(sizeof *s);
    s->loop = l;
    arena_init(&s->arena);
    opts_copy(s, o);
    login_key_make(s->key);
    bool ok = opts_check(s, e) && group_filter_read(&s->filter, s->o.groups_filter, e) && rules_read(&s->arena, s->o.rules, s->o.rules_file.p, &s->rules, e) && jose_open(e) && sodium_open(e) &&
              (s->web = web_client_new(l, e));
    if (ok) {
        provider_fetch(s);
        return s;
    }
    sso_free(s);
    return NULL;
}

void sso_free(struct sso *s)
{
    if (!s) return;
    struct err e;
    err_set(&e, ERR_UNREACHABLE, "the server ends");
    while (s->logins.n) {
        struct sso_login *l = s->logins.items[0];
        l->done(l->user, NULL, &e);
        sso_login_cancel(l);
    }
    VEC_FINI(&s->logins);
    provider_stop(s);
    web_client_free(s->web);
    group_filter_free(&s->filter);
    explicit_bzero(s->key, sizeof s->key);
    arena_fini(&s->arena);
    free(s);
}

bool sso_is_https(const struct sso *s) { return s->https; }

/* ---- tokens ---- */

bool token_verify(struct arena *a, struct sso *s, struct str text, struct str nonce, int64_t now_us, struct val *claims, bool *known, struct err *e)
{
    struct jwt_wanted w = {.issuer = s->iss, .client_id = s->o.client_id, .audiences = s->o.audiences, .nonce = nonce, .now_us = now_us};
    struct jwt t;
    *known = true;
    if (!jwt_read(a, text, &t, e) || !keys_verify(&s->provider.keys, &t, known, e) || !jwt_check(&t.claims, &w, e)) return false;
    *claims = t.claims;
    return true;
}

bool sso_bearer(struct arena *a, struct sso *s, struct str text, int64_t now_us, struct val *claims, struct err *e)
{
    bool known;
    if (!provider_usable(s, e)) return false;
    if (token_verify(a, s, text, STR_NONE, now_us, claims, &known, e)) return true;
    if (!known && (provider_fetch(s) || s->fetch)) err_set(e, ERR_UNREACHABLE, "the provider is asked for new keys: try again in a moment");
    return false;
}

bool sso_kept(const struct sso *s, const struct val *claims, struct err *e)
{
    return str_eq(val_get_str(claims, "iss"), s->iss) || err_set(e, ERR_AUTH, "the session is of another provider: sign in again");
}

/* Where groups cannot be filtered no rule counts: one may let in who is not in a group. */
void sso_rights(struct arena *a, const struct sso *s, const struct val *claims, int64_t now_us, struct auth_token *out)
{
    struct auth_person *p = ARENA_NEW(a, struct auth_person);
    struct val kept;
    struct err why;
    bool filtered = groups_filter(a, &s->filter, s->o.groups_claim, claims, &kept, &why);
    person_read(a, &kept, s->o.groups_claim, p);
    const struct sso_rule *rule = filtered ? rules_match(a, &s->rules, &kept, p, now_us) : NULL;
    *out = (struct auth_token){.person = p, .name = p->email.n ? p->email : p->subject};
    if (!rule) return;
    out->role = rule->role;
    out->namespaces = rule->namespaces;
    out->n = rule->n;
}

/* ---- the way to the provider ---- */

static struct str authorize_url(struct arena *a, const struct sso *s, const struct login *l)
{
    const struct {
        const char *name;
        struct str value;
    } words[] = {{"response_type", STR("code")},  {"client_id", s->o.client_id}, {"redirect_uri", s->o.redirect_url},
                 {"scope", s->o.scopes},          {"state", l->state},           {"nonce", l->nonce},
                 {"code_challenge", l->challenge}, {"code_challenge_method", STR("S256")}};
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_HTTP_HEAD_BYTES);
    buf_str(&b, s->provider.authorize);
    char before = str_find_char(s->provider.authorize, '?', 0) >= 0 ? '&' : '?';
    for (size_t i = 0; i < ARRAY_LEN(words); i++, before = '&') {
        buf_printf(&b, "%c%s=", before, words[i].name);
        web_escape_to(&b, words[i].value);
    }
    return buf_dup(a, &b);
}

bool sso_login_begin(struct arena *a, struct sso *s, struct str wanted, int64_t now_us, struct login *out, struct str *location, struct err *e)
{
    struct str path;
    if (!login_redirect_path(wanted, s->o.redirect_url, &path)) return err_set(e, ERR_SPEC, "`redirect` is not a path of this server");
    if (!provider_usable(s, e) || !login_begin(a, s->key, path, now_us, out, e)) return false;
    *location = authorize_url(a, s, out);
    return true;
}

bool sso_login_resume(struct arena *a, const struct sso *s, struct str cookie, struct str state, int64_t now_us, struct login *out, struct err *e)
{
    return login_resume(a, s->key, cookie, state, now_us, out, e);
}
