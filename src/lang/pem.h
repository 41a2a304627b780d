/* PEM blocks as Go's encoding/pem writes and reads them. Pure; any thread. */
#pragma once
#include "base/str.h"

struct str pem_write(struct arena *a, struct str type, struct str bytes);
/* The first block of a text; false when there is none. Lines "Key: value" at its head are skipped. */
bool pem_read(struct arena *a, struct str text, struct str *type, struct str *bytes);
/* Base64 as Go reads it: padding where it must stand, line ends anywhere and nothing else. -1 when it is fine,
 * else the byte at which Go gives up. */
ptrdiff_t b64_fault(struct str s);
