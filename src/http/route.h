/* Routes: which row of the caller's table a request belongs to. Pure.
 * Runs on: the loop thread. */
#pragma once
#include "http/server.h"
#include "http/target.h"

struct router;

struct route_match {
    const struct http_route *route; /* NULL: none fits */
    struct target_pair *params;     /* in the order of the pattern */
    size_t param_count;
    struct str allow; /* without a route: methods that the path knows (405), absent for 404 */
};

/* A pattern that is not well-formed is a bug. `routes` must outlive the router. */
struct router *router_new(const struct http_route *routes, size_t n);
void router_free(struct router *r);
void router_match(const struct router *r, struct arena *a, struct str method,
                  const struct target *t, struct route_match *out);
