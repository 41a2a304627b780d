/* The table of routes: what the router, the check of roles, the checks of queries and bodies, metrics and the OpenAPI document are
 * made of. Constant. */
#pragma once
#include "auth/token.h"
#include "doc/field.h"
#include "http/server.h"

/* Forms of bodies and answers; in routes.def without CONTENT_. */
enum content_kind {
    CONTENT_NOTHING,
    CONTENT_JSON,     /* one document of the type */
    CONTENT_ANYTHING, /* any JSON */
    CONTENT_FORM,     /* a multipart form with a field `file` */
    CONTENT_STREAM,   /* Argo's framing: {"result": …} or {"error": …}, one a line or an event */
    CONTENT_LINES,    /* documents, one a line or an event */
    CONTENT_BYTES,    /* a file, or a part of it */
    CONTENT_TEXT,
    CONTENT_REDIRECT, /* 302: to another address */
    CONTENT_ABSENT,   /* always 404 */
    CONTENT_REFUSED,  /* always 501 */
};

struct api_content {
    enum content_kind kind;
    const struct field_type *type; /* of JSON, STREAM and LINES */
};

struct api_route {
    const char *method, *pattern;
    enum auth_role role;
    http_handler *handle;
    const char *operation;
    const struct field_type *query;
    struct api_content body, answer;
    const char *doc;
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* Values of the query that are not of the type that the route gives them: ERR_SPEC. What it does not know does not count, and
 * of a key that comes again the first value does, as with Argo's server. */
bool query_check(const struct http_req *r, const struct field_type *t, struct err *e);
/* The same of a body. Whatever is in a document (a type that is not open) is left to its reader. */
bool body_check(const struct val *body, const struct field_type *t, struct err *e);

/* The OpenAPI document (3.1) of the whole table. */
struct val openapi_document(struct arena *a);
