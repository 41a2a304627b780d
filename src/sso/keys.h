/* The public keys of a provider, and whether one of them signed a token.
 *
 * Only the members of a public key that are known are kept of what came. Keys that no algorithm of algs.def uses are passed over, among them all
 * shared secrets. Reference: RFC 7517 §4, §5, RFC 7518 §6. Pure but for opening libjose. Runs on: the loop thread. */
#pragma once
#include "sso/jwt.h"

struct sso_key {
    struct str kid, alg, kty, crv; /* absent: not said */
    struct str text;               /* the key as JSON */
};
struct sso_keys {
    struct sso_key *items;
    size_t n;
};
/* A JWK set. SPEC: it is none. Lives in the arena. */
bool keys_read(struct arena *a, struct str jwks, struct sso_keys *out, struct err *e);
/* ERR_AUTH: not signed by one of them; *known: the key that the token names is among them (fetching them anew would not help). */
bool keys_verify(const struct sso_keys *keys, const struct jwt *t, bool *known, struct err *e);
