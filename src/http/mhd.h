/* libmicrohttpd, opened on first use: a program that serves nothing does not load it (it brings
 * GnuTLS along). Runs on: the loop thread. */
#pragma once
#include <microhttpd.h>

#include "base/err.h"

struct mhd_api {
#define MHD_FN(name, what) __typeof__(&MHD_##name) name;
#include "http/mhd.def"
#undef MHD_FN
};

/* The functions, or NULL (e set) when the library is not installed. Stays open. */
const struct mhd_api *mhd_open(struct err *e);
