/* Single sign-on: one OpenID Connect provider, its keys, and people who sign in there.
 *
 * Its configuration and keys are fetched when they are first needed and again when they are old; an unknown key in a token makes them be
 * fetched, but never more often than LIMIT_SSO_FETCHES in LIMIT_SSO_FETCHES_S. Nothing here waits: who comes before the keys gets
 * UNREACHABLE and may come again. Nothing is stored here and nothing about HTTP requests is known.
 * Reference: OpenID Connect Core §3.1, Discovery §4, RFC 7636. Runs on: the loop thread. */
#pragma once
#include "loop/loop.h"
#include "sso/login.h"
#include "sso/rules.h"

struct sso_opts { /* copied */
    struct str issuer, client_id;
    struct str issuer_alias;  /* what it calls itself in tokens; absent or "": the issuer */
    struct str client_secret; /* absent or "": a public client */
    struct str redirect_url;  /* of this server's /oauth2/callback, as browsers know it */
    struct str scopes;        /* words */
    struct str groups_claim;
    struct str userinfo_path; /* below the issuer: asked for the groups of who signs in; absent or "": the ID token has them */
    struct str groups_filter; /* regular expressions, words: only groups that one is found in count; absent or "": all */
    struct str audiences;     /* words: other audiences whose tokens count */
    struct str ca_file;       /* PEM: who vouches for the provider; absent or "": the system's */
    bool insecure;            /* nobody needs to vouch for it */
    struct str rules, rules_file; /* text and name */
};

struct sso;
/* USAGE: what is given does not fit together; UNSUPPORTED: a library is not there. */
struct sso *sso_new(struct loop *l, const struct sso_opts *o, struct err *e);
void sso_free(struct sso *s); /* NULL is fine; sign-ins that were not over are told so */
bool sso_is_https(const struct sso *s); /* browsers come by HTTPS: cookies are for that alone */

/* Where the browser is to be sent, and the cookie for it. `wanted`: where the sign-in leads: a path or address of this server, else SPEC. */
bool sso_login_begin(struct arena *a, struct sso *s, struct str wanted, int64_t now_us, struct login *out, struct str *location, struct err *e);

/* The sign-in that comes back with `state`, by the cookie of that name (login.h). AUTH: see login_resume. */
bool sso_login_resume(struct arena *a, const struct sso *s, struct str cookie, struct str state, int64_t now_us, struct login *out, struct err *e);
/* Redeems the code of a sign-in that has come back, and asks for its groups where that is set. `done` is called once, from the loop and never from within, unless it is cancelled:
 * with the claims, which live until it returns, or an error: AUTH (the provider or its token does not say so), UNREACHABLE, TIMEOUT, … */
struct sso_login;
typedef void sso_done_fn(void *user, const struct val *claims, const struct err *e);
struct sso_login *sso_login_finish(struct sso *s, const struct login *l, struct str code, sso_done_fn *done, void *user, struct err *e);
void sso_login_cancel(struct sso_login *l); /* NULL is fine */

/* The claims of an ID token that somebody shows. AUTH: it does not count; UNREACHABLE: the keys are not here, try again soon. */
bool sso_bearer(struct arena *a, struct sso *s, struct str text, int64_t now_us, struct val *claims, struct err *e);

/* Claims that a session has kept. AUTH: they are of another provider than the one that counts now. */
bool sso_kept(const struct sso *s, const struct val *claims, struct err *e);

/* Whose claims they are, and what the rules allow: person, name, role (AUTH_OPEN: no rule fits), namespaces. */
void sso_rights(struct arena *a, const struct sso *s, const struct val *claims, int64_t now_us, struct auth_token *out);
