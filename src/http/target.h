/* Request targets: "/a/b%2Fc?x=1" taken apart and decoded. Pure. Reference: RFC 3986 §2.1, §3.3;
 * queries as application/x-www-form-urlencoded. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct target_pair {
    struct str key, value;
};

struct target {
    struct str raw, path; /* as received: all of it, and up to the '?' */
    struct str *parts;    /* between the slashes, decoded; "/" has one, "" */
    struct str *raw_parts;
    size_t part_count;
    struct target_pair *query;
    size_t query_count;
};

/* Refuses (ERR_USAGE) what does not begin with '/', bad escapes, and NUL. */
bool target_parse(struct arena *a, struct str raw, struct target *t, struct err *e);
