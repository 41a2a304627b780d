/* Private to src/api: the handlers of routes.def, and what they share. Runs on: the loop thread. */
#pragma once
#include "api/api.h"
#include "api/fields.h"
#include "doc/val.h"
#include "http/server.h"
#include "sso/sso.h"

#define ROUTE(method, pattern, role, handler, ...) void handler(struct http_req *r, void *user);
#include "api/routes.def"
#undef ROUTE

struct service *api_service(void *user); /* of a handler's `user` */
struct http_server *api_http(void *user);
/* Of a server where people sign in; else NULL. */
struct sso *api_sso(void *user);
struct guard *api_guard(void *user);
int64_t api_session_us(void *user);
void api_done(void *user, const struct http_done *d); /* observe.c: a request is over */
/* What `fields` of the request wants of v. */
void api_answer(struct http_req *r, const struct val *v);
/* A parameter of the query; without it `out` stays. */
bool api_number(struct http_req *r, const char *key, int64_t *out, struct err *e);
/* lists.c: listOptions of a request, and a page as its answer. `list` names the list in its tokens. */
struct list_query {
    struct str labels, fields; /* selectors; absent: all */
    struct str position;       /* of the token; absent: from the start */
    size_t limit;              /* 0: none was asked for */
};
bool api_list_query(struct http_req *r, const char *list, struct list_query *q, struct err *e);
struct list_end {
    struct str position; /* where the next page begins; absent: this was the last */
    int64_t remaining;   /* -1: not known */
    int64_t rv;
};
void api_answer_list(struct http_req *r, const char *kind, const char *list, const struct val *items, const struct list_end *end);
/* {"items": …}, or `e`. */
void api_answer_items(struct http_req *r, bool ok, struct val items, const struct err *e);
void api_answer_empty(struct http_req *r, bool ok, const struct err *e);
/* {namespace} and {name} of the request's path; @latest is the newest of its namespace. */
bool api_ref(struct http_req *r, void *user, struct workflow_ref *out, struct err *e);
/* The one with this uid in {namespace} of the path, which is all that the caller may have been let in for. */
bool api_uid_ref(struct http_req *r, void *user, struct str uid, struct workflow_ref *out, struct err *e);
/* The workflow as it is now, or `e`. */
void api_answer_workflow(struct http_req *r, void *user, bool ok, const struct workflow_ref *ref, struct err *e);
/* What a request about `ref` asks for, and its answer. */
void api_retry(struct http_req *r, void *user, const struct workflow_ref *ref);
void api_resubmit(struct http_req *r, void *user, const struct workflow_ref *ref);
/* The body, of the type that the route gives it; an empty one is an empty object. */
bool api_body(struct http_req *r, struct val *out, struct err *e);
/* [{"name", "value"}, …] */
struct param *api_pairs(struct arena *a, const struct val *list, size_t *n);
/* ["name=value", …], as Argo's requests have them. */
bool api_params(struct arena *a, const struct val *list, const struct param **out, size_t *n, struct err *e);
/* Of a request or of its submit options: dryRun or createOptions.dryRun (what is given, checked), or serverDryRun (what would run). */
enum dry { DRY_NOT, DRY_UNNAMED, DRY };
enum dry api_dry(const struct val *body);

/* artifacts.c: the artifact that nodeId and artifactName of a request are about. */
bool api_artifact_find(struct http_req *r, struct service *s, const struct workflow_ref *ref, bool input, struct run_artifact *out,
                       struct err *e);
/* Takes the descriptor. */
void api_answer_file(struct http_req *r, int fd, struct str file_name, const char *type, struct str etag);

/* argo_stream.c. `pump`: the client has room again; `close`: it is over, whoever ended it; nothing is given after. */
struct argo_stream;
struct argo_stream_fns {
    void (*pump)(void *user);
    void (*close)(void *user);
    void *user;
};
struct argo_stream *argo_stream_begin(struct http_req *r, struct service *s, const struct argo_stream_fns *fns);
bool argo_stream_result(struct argo_stream *x, const struct val *result); /* false: no room; `pump` comes */
bool argo_stream_typed(struct argo_stream *x, const char *type, struct str object); /* the same for {"type": …, "object": …}, of JSON */
/* `close` comes in a later turn, so this may be called from anywhere. e: what broke it, or NULL. */
void argo_stream_end(struct argo_stream *x, const struct err *e);

/* creator.c: labels of who asks; none when nobody needs to say who they are. */
const struct param *api_creator(struct http_req *r, size_t *n);
/* The documents with these, and with nobody else's; of what is stored already under the name, with those that it has.
 * ns: of documents that name none. */
void api_sign(struct http_req *r, struct service *s, struct str ns, struct documents *docs);
/* Labels for what is submitted, without those. */
void api_labels_take(struct http_req *r, const struct param *given, size_t n, struct submit_opts *o);

/* given.c: the documents of a request, and what was found in them. Goes before the request does. */
struct given {
    struct arena *arena; /* of the request */
    struct str ns;       /* of the request's path; absent: it has none */
    struct documents docs;
    struct diags diags;
};
void given_init(struct given *g, struct http_req *r);
void given_fini(struct given *g);
/* Exactly one, of this kind: the `member` of a request's body. */
bool given_typed(struct given *g, const struct val *body, const char *member, enum doc_kind kind, struct err *e);
/* Any number, each of a kind that is used here. */
bool given_list(struct given *g, const struct val *docs, struct err *e);
/* After a failure: `e` says what the first error among the findings says. Always false. */
bool given_fail(const struct given *g, struct err *e);

/* Submits the one Workflow of `g`, or tries to, and answers what became of it: at the end of the turn. Takes what is in `g`. */
void api_submit(struct http_req *r, struct service *s, struct given *g, const struct submit_opts *o, enum dry dry);
