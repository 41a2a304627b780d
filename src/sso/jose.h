/* Signatures of tokens, by libjose, opened on first use. The only file that sees its headers is jose.c: jansson, whose names
 * json-c has too, must not be linked with. Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* False (e set): the library is not installed. */
bool jose_open(struct err *e);

/* The three parts of a token as they came, each base64url (the caller has checked that), and one public key as JSON. The
 * algorithm is the token's own word: the caller has checked that, too, and that it is one of the key's kind. False also without
 * the library. */
struct jose_signed {
    struct str head, payload, signature;
};
bool jose_signed_by(const struct jose_signed *s, struct str jwk);
