/* The way of a sign-in through the browser, without memory of ours: a cookie, from which with a key that only this server has follows
 * what is sent along to the provider and must come back (`state`, `nonce`) and what the code is redeemed with (PKCE).
 *
 * So nobody can fill a table of sign-ins that were begun, and what comes back counts in the browser that began it alone, for
 * LIMIT_SSO_LOGIN_S. Pure but for random bytes (it opens libsodium). Reference: RFC 6749 §10.12, RFC 7636 §4. Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { LOGIN_KEY = 32 };

struct login {
    struct str cookie_name, cookie;
    struct str state, nonce, verifier, challenge;
    struct str redirect; /* a path of this server */
    bool ours;           /* begun by this browser at this server, maybe too long ago */
};
void login_key_make(unsigned char key[LOGIN_KEY]);
/* UNSUPPORTED: no libsodium. */
bool login_begin(struct arena *a, const unsigned char key[LOGIN_KEY], struct str redirect, int64_t now_us, struct login *out, struct err *e);
/* The name of the cookie that belongs to a `state`; absent: it is none of ours. */
struct str login_cookie_name(struct arena *a, struct str state);
/* ERR_AUTH: not begun by this browser at this server (out->ours is false), or too long ago. */
bool login_resume(struct arena *a, const unsigned char key[LOGIN_KEY], struct str cookie, struct str state, int64_t now_us, struct login *out,
                  struct err *e);

/* What a provider calls a refusal: a word by its definition (RFC 6749 §4.1.2.1, §5.2); "": it said something else, which is not told on. */
struct str login_error_word(struct str said);

/* Where a sign-in may lead: a path of the server that `own` (https://host[:port]/…) is at. Absent or "": "/". False: elsewhere. */
bool login_redirect_path(struct str wanted, struct str own, struct str *path);
