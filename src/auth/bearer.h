/* Where a request carries its token: `Authorization: Bearer TOKEN`, or the cookie `authorization` that Argo's page sets. Pure.
 * Reference: RFC 6750 §2.1, RFC 6265 §4.2. Runs on: any thread. */
#pragma once
#include "base/str.h"

/* The token of a header's value; the scheme in any case. False: it is something else. */
bool bearer_parse(struct str value, struct str *token);
/* The first cookie `authorization` with a token in a Cookie header; other cookies, and damaged ones, do not matter. */
bool bearer_cookie(struct str header, struct str *token);
