/* Private to src/api: the handlers of routes.def, and what they share. Runs on: the loop thread. */
#pragma once
#include "api/api.h"
#include "doc/val.h"
#include "http/server.h"

#define ROUTE(method, pattern, handler, doc) void handler(struct http_req *r, void *user);
#include "api/routes.def"
#undef ROUTE

struct service *api_service(void *user); /* of a handler's `user` */
void api_answer(struct http_req *r, const struct val *v);
void api_answer_empty(struct http_req *r, bool ok, const struct err *e);
/* A value from the body; an empty body is an empty object. */
bool api_body(struct http_req *r, struct val *out, struct err *e);
/* [{"name", "value"}, …] */
struct param *api_pairs(struct arena *a, const struct val *list, size_t *n);
/* ["name=value", …], as Argo's requests have them. */
bool api_params(struct arena *a, const struct val *list, const struct param **out, size_t *n, struct err *e);
/* serverDryRun, dryRun or createOptions.dryRun of a request or of its submit options. */
bool api_is_dry(const struct val *body);
/* Answers what the one document would become. */
void api_dry_run(struct service *s, struct http_req *r, const struct val *docs, const struct submit_opts *o);
/* Unless ok: `e` says what the first error among the findings says. */
void api_first_finding(bool ok, const struct diags *diags, struct err *e);
/* Submits documents; `e` is the first finding when they are not valid. */
bool api_submit(struct service *s, struct http_req *r, const struct val *docs, const struct submit_opts *o,
                struct workflow_ref **refs, size_t *n, struct err *e);
