/* ID tokens: taken apart, and their claims checked. Nothing here says whether the signature is right: see keys.h.
 * Pure (it opens libsodium). Reference: RFC 7515 §3, RFC 7519 §4, OpenID Connect Core §2, §3.1.3.7. Runs on: any thread. */
#pragma once
#include "doc/val.h"

struct jwt_alg { /* a row of algs.def */
    const char *name, *kty, *crv;
};

struct jwt {
    struct str head, payload, signature; /* as they came; nothing but base64url */
    const struct jwt_alg *alg;
    struct str kid; /* absent: it has none */
    struct val claims;
};
/* ERR_AUTH: it is none, or one that is never taken (algorithm, `crit`, a member twice); LIMIT: too large. */
bool jwt_read(struct arena *a, struct str text, struct jwt *out, struct err *e);
/* Has a text the form of one? Cheap. */
bool jwt_like(struct str text);

struct jwt_wanted {
    struct str issuer, client_id;
    struct str audiences; /* words: others that it may be for; absent or "": none */
    struct str nonce;     /* absent: it is not the answer to a sign-in */
    int64_t now_us;
};
/* ERR_AUTH, with what may be told. */
bool jwt_check(const struct val *claims, const struct jwt_wanted *w, struct err *e);

struct str text_member(const struct val *v, const char *name); /* absent: it is not there, or no text */
/* base64url without padding, of at most a token's size. */
bool base64url_decode(struct arena *a, struct str text, struct str *out);
struct str base64url_encode(struct arena *a, struct str bytes);
