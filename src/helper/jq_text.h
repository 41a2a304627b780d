/* A jq program as gojq takes it, in the words of libjq 1.6: `if` without `else` gets one, `.a.[0]` becomes
 * `.a[0]`. What cannot be followed is left as it is, for the compiler to judge. Lines stay lines. False: the
 * program names an integer beyond 2^53, which gojq would keep and libjq cannot.
 * Pure; runs on: any thread. */
#pragma once
#include "base/str.h"

bool jq_text_adapt(struct buf *out, struct str program);
