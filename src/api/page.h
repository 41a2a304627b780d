/* What a client that goes on with a list sends back: `continue`. Opaque to it; says which list it is of, and where the next
 * page begins. Pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* `list`: a name of the list, without '/'. */
struct str page_token(struct arena *a, const char *list, struct str position);
/* SPEC: not a token, or one of another list. */
bool page_token_read(struct arena *a, struct str token, const char *list, struct str *position, struct err *e);
