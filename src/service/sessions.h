/* Sessions of people who signed in (src/sso): begun, checked, listed and ended.
 *
 * As JSON a session is {id, issuer, subject, email, name, created, expires}. Runs on: the loop thread. */
#pragma once
#include "auth/session.h"
#include "service/service.h"

/* ---- only while this process is the engine ---- */

/* On the disk when it returns true. */
bool service_session_create(struct arena *a, struct service *s, const struct val *claims, int64_t lasts_us, struct str *text, struct err *e);
bool service_session_check(struct arena *a, struct service *s, struct str text, struct auth_session *out, struct err *e);

/* ---- always ---- */

bool service_session_list(struct arena *a, struct service *s, struct val *out, struct err *e); /* a list, the oldest first */
/* Of one session's id; or all of whom the subject or email is. NOT_FOUND: there is none. */
bool service_session_delete(struct service *s, struct str whose, struct err *e);
