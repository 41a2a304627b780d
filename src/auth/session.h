/* Sessions of people who signed in: what was claimed of them then, under a text that their browser shows, sks_ID_SECRET, of the form of a token.
 *
 * The secret has 256 random bits and is kept as its SHA-256 alone. A session ends when its row goes or its time comes; what it allows is
 * decided anew for each request, from its claims. Runs on: the loop thread. */
#pragma once
#include "auth/token.h"
#include "doc/val.h"

struct auth_session {
    struct str id;
    struct val claims;
    int64_t created_us, expires_us;
    struct str hash; /* hex */
};
/* Within a write transaction: claims and expires_us as a new row. Sessions that are over go, and the oldest of one subject when it has too many.
 * LIMIT: the claims are too large, or there are too many sessions. *text is the only place where the secret is. */
bool auth_session_create(struct arena *a, struct store *s, const struct val *claims, int64_t expires_us, int64_t now_us, struct str *text, struct err *e);
/* ERR_AUTH: there is no such session, or it is over. */
bool auth_session_check(struct arena *a, struct store *s, struct str text, int64_t now_us, struct auth_session *out, struct err *e);
/* Those that are not over, the oldest first. */
bool auth_session_list(struct arena *a, struct store *s, int64_t now_us, struct auth_session **out, size_t *n, struct err *e);
bool auth_session_delete(struct store *s, struct str id, int64_t now_us, struct err *e); /* NOT_FOUND */
bool session_like(struct str text); /* has it that form? */
