/* Tokens of callers of `skiff server`: made, listed and deleted like any object, and asked about for each request.
 *
 * As JSON a token is {name, role, namespaces (all when empty), id, created, expires, lastUsed}; only what create answers has `token`,
 * its text. Runs on: the loop thread. */
#pragma once
#include "auth/check.h"
#include "service/service.h"

/* Who needs a token. */
enum service_callers { CALLERS_ANY, CALLERS_ANY_UNTIL_TOKENS /* nobody while none is stored */, CALLERS_KNOWN };

/* name, role, namespaces, expires (RFC 3339) of `want`; on the disk when it returns true. */
bool service_token_create(struct arena *a, struct service *s, const struct val *want, struct val *out, struct err *e);
bool service_token_list(struct arena *a, struct service *s, struct val *out, struct err *e); /* a list, by name */
bool service_token_delete(struct service *s, struct str name, struct err *e);

/* ---- only while this process is the engine ---- */

bool service_token_any(struct service *s, bool *any, struct err *e);
/* As auth_check_text; notes that the token was used, once a minute. */
bool service_token_check(struct arena *a, struct service *s, struct auth_check *c, struct str text, struct auth_token *out, struct err *e);
