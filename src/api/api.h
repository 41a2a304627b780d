/* The engine's HTTP face: Argo's routes and a few of our own, over engine.sock and, of `skiff server`, over TCP. Each decodes, calls
 * one operation of service.h and encodes. Runs on: the loop thread. */
#pragma once
#include "service/tokens.h"
#include "sso/sso.h"

struct api;

struct api_opts {
    const char *unix_path; /* listens there */
    int listen_fd;         /* without unix_path: a listening socket, taken over */
    /* of the latter: */
    enum service_callers callers;
    bool local;             /* only this machine reaches it */
    int64_t per_s;          /* see guard.h, as the next two */
    bool paces_local;
    struct str cors_origin;
    const struct sso_opts *sso; /* people may sign in; NULL: nobody does */
    int64_t session_us;         /* for how long */
    const char *tls_cert, *tls_key; /* PEM texts that live as long as the server; NULL: no TLS */
};

/* Serves until api_free, which comes before the service is closed. */
struct api *api_serve(struct service *s, const struct api_opts *o, struct err *e);
bool api_certificate(struct api *a, const char *cert, const char *key, struct err *e); /* as http_server_certificate */
void api_free(struct api *a); /* NULL is fine */
