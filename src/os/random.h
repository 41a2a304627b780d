/* Random bytes of the kernel. Runs on: any thread. */
#pragma once
#include "base/base.h"

void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
