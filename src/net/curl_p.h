/* Private to net: libcurl, opened on first use. A program that asks nobody for anything does not load
 * it (it brings three TLS libraries and LDAP along). Runs on: any thread. */
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/err.h"

struct curl_api {
#define CURL_FN(name, what) __typeof__(&curl_##name) name;
#include "net/curl.def"
#undef CURL_FN
};

/* The functions, or NULL (e set) when the library is not installed. Stays open. */
const struct curl_api *curl_open(struct err *e);
