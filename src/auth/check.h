/* Checking a token that was shown: one row, one argon2id; the second time no argon2id.
 *
 * What was verified is remembered by the SHA-256 of its text, with the hash that it was verified against; the row is read each
 * time. So a token that is deleted, or has expired, is refused at once, whoever changed the row. Runs on: the loop thread. */
#pragma once
#include "auth/token.h"

struct auth_check;
struct auth_check *auth_check_new(void);
void auth_check_free(struct auth_check *c); /* NULL is fine */

/* ERR_AUTH, with what may be told: it is no token, not one of ours, or has expired. Anything else is our failure. */
bool auth_check_text(struct arena *a, struct auth_check *c, struct store *s, struct str text, int64_t now_us,
                     struct auth_token *out, struct err *e);
/* As a token that was verified: what somebody else vouched for. */
void auth_check_note(struct auth_check *c, struct str text);
/* Was it verified before? Then checking it is cheap. */
bool auth_check_knows(const struct auth_check *c, struct str text);
