/* Who may ask for what, and how often: the gate before every route of a server that others reach.
 *
 * A request passes when its caller has a role that is enough for the route (routes.def) and covers the namespace that it is about.
 * What changes something is noted in the audit log, also what was refused. Runs on: the loop thread. */
#pragma once
#include "api/routes.h"
#include "service/tokens.h"
#include "sso/sso.h"

struct guard;

struct guard_opts {
    struct service *s;
    const struct api_route *rows; /* in the order of the server's routes */
    const struct http_route *routes;
    enum service_callers callers;
    bool local;             /* only this machine reaches it */
    struct sso *sso;        /* people who sign in may call, too; NULL: tokens of ours alone */
    int64_t per_s;          /* so many requests a second from each address; 0: any number */
    bool paces_local;       /* also from this machine's own */
    struct str cors_origin; /* a page of this origin may call, with a token; absent or "": none */
};

struct guard *guard_new(const struct guard_opts *o, struct err *e);
void guard_free(struct guard *g); /* NULL is fine */

/* For http_server_opts; `user` is the guard. */
void guard_admit(struct http_req *r, void *user, struct http_verdict *out);
void guard_answered(const struct http_req *r, int status, void *user);

/* A sign-in that was begun there failed: as a wrong token. */
void guard_failed(struct guard *g, struct str address);

/* Whose token a request was let through with, or who signed in by it; NULL: none was needed. Lives as long as the request. */
const struct auth_token *guard_caller(const struct http_req *r);
/* For the audit log: a sign-in that this browser has begun is being answered; and whose it turned out to be. */
void guard_signing_in(struct http_req *r);
void guard_signed_in(struct http_req *r, struct auth_token *who);
