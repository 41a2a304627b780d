/* SHA-1 and SHA-2 of a text in hexadecimal, for the functions of expressions. What guards something
 * (artifacts, signatures) uses libcrypto instead. Format reference: FIPS 180-4. Pure; any thread. */
#pragma once
#include "base/str.h"

struct str digest_sha1(struct arena *a, struct str s);
struct str digest_sha256(struct arena *a, struct str s);
struct str digest_sha512(struct arena *a, struct str s);
