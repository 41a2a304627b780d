/* What libFuzzer calls: once per input. A target that finds a broken promise calls bug_stop. */
#pragma once
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
