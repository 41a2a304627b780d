/* Private to src/service: a server elsewhere, in place of a store and an engine (service_opts.server).
 *
 * Operations that change something go the same way as to the engine of a state directory (service_ask); each read has a row of its
 * own here. Argo's routes where they suffice, so that a server of Argo's does as well. Runs on: the loop thread. */
#pragma once
#include "net/web_lines.h"
#include "service/service_p.h"

struct remote {
    struct str url; /* without a slash at its end */
    struct web_field *fields;
    size_t n_fields;
    bool insecure, known; /* it is sent a token */
    struct str ca_file, cert, key, proxy; /* as of service_server */
    bool asked, skiff;    /* remote_is_skiff */
    bool *answered;       /* it was there once: a read that does not reach it now is tried again, because it may be restarting */
    struct web_kept *kept;
    struct web_client *client; /* made with the first stream */
};

/* Lives in the service's arena. */
struct remote *remote_new(struct arena *a, const struct service_server *o, struct err *e);
void remote_close(struct remote *r); /* NULL is fine */

/* ---- requests: `target` begins with a slash and is escaped ---- */

bool remote_ask(struct arena *a, struct remote *r, const char *method, const char *target, struct str body, struct val *out, struct err *e);
bool remote_get(struct arena *a, struct remote *r, const char *target, struct val *out, struct err *e); /* a JSON object */
bool remote_text(struct arena *a, struct remote *r, const char *target, struct str *out, struct err *e);
bool remote_file(struct remote *r, const char *target, int fd, struct err *e);
/* The body of a success piece by piece. */
bool remote_pieces(struct remote *r, const char *target,
                   bool (*on_piece)(void *user, const struct web_reply *head, struct str piece, struct err *e), void *user, struct err *e);
struct web_lines *remote_lines(struct service *s, const char *method, const char *target, struct str body,
                               const struct web_lines_opts *o, struct err *e); /* without a request */
/* What a reply that is none of success says, and what to do about it. Returns false. */
bool remote_refused(struct remote *r, const struct web_reply *reply, struct err *e);
/* Of a request that got no answer: `e`, and what may be done about it. Which request that was (`Get "http://…": why`) is not the user's
 * business. Returns false. */
bool remote_unanswered(const struct remote *r, struct err *e);
/* Something else than what Argo's API answers with came, in words. Returns false. */
bool remote_strange(const struct remote *r, const char *what, struct err *e);
/* The server does not know the route, or does not let this caller use it: another one may do. */
bool remote_lacks(const struct err *e);
bool remote_is_skiff(struct remote *r); /* asked until it has answered; no when it does not say */

/* A stream that is asked for again when it breaks off. */
struct remote_tries {
    int n; /* connections in a row that brought nothing; whoever gets something of it sets it to 0 */
    int64_t begun_us, lost_us; /* the last of them; when the first of them ended */
};
void remote_tries_begin(struct remote_tries *t); /* with each connection */
/* How long to wait before the next one; < 0: no more, after a minute. One that lasted longer than any attempt to make it was there,
 * though it was silent: whatever is between ends those that say nothing for long. */
int64_t remote_tries_pause_us(struct remote_tries *t);

/* "&KEY=VALUE", or nothing when it is empty; `key` with its `&`, `?` and `=`. */
void query_add(struct buf *b, struct arena *a, const char *key, struct str value);

/* ---- following: remote_follow.c ---- */

void remote_follow(struct service *s); /* begins, or goes on after a while */
void remote_follow_free(struct remote_follow *x); /* NULL is fine */

/* ---- artifacts: remote_artifacts.c ---- */

bool remote_artifact_write(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e);
bool remote_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e);

/* ---- reads; as their namesakes of service.h ---- */

bool remote_find(struct arena *a, struct service *s, struct str ns, struct str name, struct workflow_ref *out, struct err *e);
bool remote_find_uid(struct arena *a, struct service *s, struct str ns, struct str uid, struct workflow_ref *out, struct err *e);
bool remote_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended, struct err *e);
bool remote_get_part(struct arena *a, struct service *s, const struct workflow_ref *ref, bool nodes, struct val *out, struct err *e);
bool remote_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e);
/* One page of whatever `path` lists; it may have a query. */
bool remote_page(struct arena *a, struct service *s, const char *path, const struct object_query *o, struct object_page *out, struct err *e);
