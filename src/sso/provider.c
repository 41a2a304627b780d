/* What a provider says about itself: its configuration, then its keys. What is here stays until the next has come as a whole. */
#include "base/limits.h"
#include "doc/json.h"
#include "lang/gourl.h"
#include "os/clock.h"
#include "sso/sso_p.h"

enum { S = 1000000 };

static bool host_is_here(struct str host) { return str_is(host, "localhost") || str_is(host, "127.0.0.1") || str_is(host, "::1"); }

bool url_ok(struct str url, bool plain_local)
{
    struct arena a CLEANUP(arena_fini);
    struct gourl u;
    arena_init(&a);
    if (!gourl_parse(&a, url, &u, NULL) || !u.host.n || str_set(u.user) || u.fragment.n) return false;
    return str_starts(url, STR("https://")) || (plain_local && str_starts(url, STR("http://")) && host_is_here(gourl_hostname(&u)));
}

/* ---- asking ---- */

static void fetch_failed(struct sso *s, const struct err *e)
{
    arena_fini(&s->coming.arena);
    s->fetch = NULL;
    s->trouble = *e;
    logins_retry(s);
}

struct web_request provider_request(const struct sso *s, struct str url)
{
    return (struct web_request){.url = url, .timeout_ms = LIMIT_SSO_TALK_MS, .max_bytes = LIMIT_SSO_REPLY_BYTES, .same_origin = true, .same_host = true,
                                .ca_file = s->o.ca_file, .insecure = s->o.insecure};
}

struct str provider_below(struct arena *a, const struct sso *s, const char *path)
{
    struct str issuer = s->o.issuer;
    if (str_ends(issuer, STR("/"))) issuer = str_sub(issuer, 0, issuer.n - 1);
    return str_fmt(a, "%.*s%s", STR_ARG(issuer), path);
}

static struct web_call *ask(struct sso *s, struct str url, web_done_fn *done, struct err *e)
{
    static const struct web_field fields[] = {{STR("Accept"), STR("application/json")}};
    struct web_request r = provider_request(s, url);
    r.fields = fields;
    r.n_fields = ARRAY_LEN(fields);
    return web_call_new(s->web, &r, done, s, e);
}

static bool reply_ok(const struct web_reply *reply, const struct err *why, const char *what, struct err *e)
{
    if (why) return *e = *why, err_ctx(e, "%s", what);
    if (reply->status == 200 && !reply->led_away) return true;
    return err_set(e, ERR_UNREACHABLE, "%s: the provider answers %.*s", what, STR_ARG(str_sub(reply->status_text, 0, 100)));
}

static void on_keys(void *user, const struct web_reply *reply, const struct err *why)
{
    struct sso *s = user;
    struct err e;
    if (!reply_ok(reply, why, "the provider's keys", &e) || !keys_read(&s->coming.arena, reply->body, &s->coming.keys, &e)) {
        fetch_failed(s, &e);
        return;
    }
    arena_fini(&s->provider.arena);
    s->provider = s->coming;
    s->provider.since_us = clock_mono_us();
    s->coming = (struct provider){0};
    s->fetch = NULL;
    s->trouble = (struct err){0};
    logins_retry(s);
}

static bool address_read(const struct sso *s, struct provider *p, const struct val *v, const char *name, struct str *out, struct err *e)
{
    const struct val *m = val_get(v, str_of(name));
    if (!m || m->kind != VAL_STR || !url_ok(m->s, s->insecure_ok)) return err_set(e, ERR_SPEC, "the provider's configuration: `%s` is no https:// address", name);
    *out = str_dup(&p->arena, m->s);
    return true;
}

static bool listed(const struct val *list, const char *word)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_is(val_text(&list->items[i]), word)) return true;
    return false;
}

/* The issuer must be the one that was asked: else one provider could speak for another. With an alias it is only known that it differs. */
static bool configuration_read(const struct sso *s, struct provider *p, struct str body, struct err *e)
{
    struct val v;
    if (!json_parse(&p->arena, body, NULL, &v, e)) return err_ctx(e, "the provider's configuration");
    const struct val *methods = val_get(&v, STR("token_endpoint_auth_methods_supported"));
    struct str issuer = val_get_str(&v, "issuer");
    if (!s->o.issuer_alias.n && !str_eq(issuer, s->o.issuer))
        return err_set(e, ERR_SPEC, "the provider calls itself '%.*s', not '%.*s' (sso.issuer)", STR_ARG(str_sub(issuer, 0, 200)), STR_ARG(s->o.issuer));
    p->secret_in_body = listed(methods, "client_secret_post") && !listed(methods, "client_secret_basic");
    return address_read(s, p, &v, "authorization_endpoint", &p->authorize, e) && address_read(s, p, &v, "token_endpoint", &p->token, e) &&
           address_read(s, p, &v, "jwks_uri", &p->jwks, e);
}

static void on_configuration(void *user, const struct web_reply *reply, const struct err *why)
{
    struct sso *s = user;
    struct err e;
    if (!reply_ok(reply, why, "the provider's configuration", &e) || !configuration_read(s, &s->coming, reply->body, &e) ||
        !(s->fetch = ask(s, s->coming.jwks, on_keys, &e)))
        fetch_failed(s, &e);
}

bool provider_fetch(struct sso *s)
{
    int64_t now = clock_mono_us(), *slot = &s->fetched_us[s->fetches % LIMIT_SSO_FETCHES];
    struct err e;
    if (s->fetch || (*slot && now - *slot < (int64_t)LIMIT_SSO_FETCHES_S * S)) return false;
    *slot = now;
    s->fetches++;
    arena_init(&s->coming.arena);
    s->fetch = ask(s, provider_below(&s->coming.arena, s, "/.well-known/openid-configuration"), on_configuration, &e);
    if (s->fetch) return true;
    arena_fini(&s->coming.arena);
    s->trouble = e;
    return false;
}

bool provider_usable(struct sso *s, struct err *e)
{
    int64_t age = s->provider.since_us ? clock_mono_us() - s->provider.since_us : INT64_MAX;
    if (age >= (int64_t)LIMIT_SSO_KEYS_FRESH_S * S) provider_fetch(s);
    if (age < (int64_t)LIMIT_SSO_KEYS_OLD_S * S) return true;
    if (s->trouble.code) return err_set(e, ERR_UNREACHABLE, "the identity provider cannot be asked: %s", s->trouble.text);
    return err_set(e, ERR_UNREACHABLE, "the identity provider has not answered yet: try again in a moment");
}

void provider_stop(struct sso *s)
{
    if (s->fetch) {
        web_call_cancel(s->fetch);
        s->fetch = NULL;
        arena_fini(&s->coming.arena);
    }
    arena_fini(&s->provider.arena);
}
