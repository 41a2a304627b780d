/* Base64 (RFC 4648, standard alphabet). Pure; any thread. */
#pragma once
#include "base/str.h"

/* Padding required; line breaks and spaces are skipped. */
bool base64_decode(struct arena *a, struct str text, struct str *out);
struct str base64_encode(struct arena *a, struct str bytes);
