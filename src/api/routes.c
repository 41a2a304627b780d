/* See routes.h and routes.def. */
#include "api/routes.h"

#include "api/api_p.h"
#include "spec/argo_gen.h"

#define NOTHING {CONTENT_NOTHING, NULL}
#define JSON(type) {CONTENT_JSON, &argo_##type##_type}
#define ANYTHING {CONTENT_ANYTHING, NULL}
#define FORM {CONTENT_FORM, NULL}
#define STREAM(type) {CONTENT_STREAM, &argo_##type##_type}
#define LINES(type) {CONTENT_LINES, &argo_##type##_type}
#define BYTES {CONTENT_BYTES, NULL}
#define TEXT {CONTENT_TEXT, NULL}
#define REDIRECT {CONTENT_REDIRECT, NULL}
#define ABSENT {CONTENT_ABSENT, NULL}
#define REFUSED {CONTENT_REFUSED, NULL}

const struct api_route api_routes[] = {
#define ROUTE(method, pattern, role, handler, operation, query, body, answer, doc) \
    {method, pattern, AUTH_##role, handler, operation, &argo_##query##_type, body, answer, doc},
#include "api/routes.def"
#undef ROUTE
};
const size_t api_route_count = ARRAY_LEN(api_routes);
