/* Private to sso: what its files share. */
#pragma once
#include "base/limits.h"
#include "base/vec.h"
#include "net/web.h"
#include "sso/groups.h"
#include "sso/keys.h"
#include "sso/sso.h"

struct provider { /* as it describes itself */
    struct arena arena;
    struct str authorize, token, jwks; /* addresses */
    bool secret_in_body;               /* it takes the client's secret in no other way */
    struct sso_keys keys;
    int64_t since_us; /* monotonic; 0: never fetched */
};

struct sso {
    struct loop *loop;
    struct web_client *web;
    struct arena arena;
    struct sso_opts o;
    struct str iss; /* what tokens call the issuer */
    struct sso_rules rules;
    struct group_filter filter;
    unsigned char key[LOGIN_KEY];
    bool https, insecure_ok; /* the issuer is this machine: plain HTTP will do */
    struct provider provider, coming; /* the latter while it is fetched */
    struct web_call *fetch;
    int64_t fetched_us[LIMIT_SSO_FETCHES]; /* when the last ones began; a ring */
    unsigned fetches;
    struct err trouble; /* why the last fetch failed; no code: it did not */
    VEC(struct sso_login *) logins;
};

struct sso_login {
    struct sso *s;
    struct arena arena;
    struct web_call *call; /* NULL: waits for keys */
    struct str nonce, id_token, access_token;
    struct val claims; /* of the ID token, while the userinfo endpoint is asked */
    sso_done_fn *done;
    void *user;
};

/* provider.c: fetches configuration and keys; false: not now, or one is under way already. */
bool provider_fetch(struct sso *s);
/* Base of all requests to it: limits, and who vouches for it. */
struct web_request provider_request(const struct sso *s, struct str url);
struct str provider_below(struct arena *a, const struct sso *s, const char *path); /* an address below the issuer's */
bool provider_usable(struct sso *s, struct err *e); /* UNREACHABLE; begins a fetch where one is due */
void provider_stop(struct sso *s);
bool url_ok(struct str url, bool plain_local);
/* sso.c */
bool token_verify(struct arena *a, struct sso *s, struct str text, struct str nonce, int64_t now_us, struct val *claims, bool *known, struct err *e);
/* redeem.c: the keys have come, or have not. */
void logins_retry(struct sso *s);
