/* libsodium, opened on first use: a program that meets no token does not load it. Runs on: the loop thread. */
#pragma once
#include <sodium.h>

#include "base/err.h"

struct sodium_api {
#define SODIUM_FN(fn, what) __typeof__(&fn) fn;
#include "auth/sodium.def"
#undef SODIUM_FN
};

/* The functions, or NULL (e set) when the library is not installed. Stays open. */
const struct sodium_api *sodium_open(struct err *e);
