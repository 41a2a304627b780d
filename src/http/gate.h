/* The gate: what a request head must be like before anything looks at it. Refuses whatever two
 * HTTP parsers could read in two ways (request smuggling). Pure.
 * Reference: RFC 9112 §3, §6.1–6.3; RFC 9110 §5. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct http_field {
    struct str name, value;
};

struct gate_head {
    struct str method, version; /* "GET", "HTTP/1.1" */
    const struct http_field *fields;
    size_t field_count;
};

struct gate_body {
    bool chunked;
    uint64_t length; /* announced; 0 when there is none */
};

/* False: ERR_USAGE (400) or ERR_UNSUPPORTED (501); the connection must be closed. */
bool gate_check(const struct gate_head *h, struct gate_body *body, struct err *e);

bool field_name_ok(struct str name);
bool field_value_ok(struct str value);
bool field_name_eq(struct str a, struct str b); /* ASCII case does not count */
