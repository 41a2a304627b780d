/* Private to container: requests to the engine, and what its answers mean. */
#pragma once
#include <stdatomic.h>

#include "container/container.h"
#include "doc/val.h"
#include "net/web.h"

struct api {
    struct arena *a;
    const char *socket;
    const atomic_bool *cancelled; /* may be NULL */
};

enum { API_TIMEOUT_MS = 120000, API_HELLO_MS = 30000, API_PATIENCE_MS = 60000, API_PAUSE_MS = 200 };

/* method /path, with `body` as JSON (NULL: none). True: there was an answer, of any status. */
bool api_call(const struct api *api, const char *method, struct str target, const struct val *body, struct web_reply *out, struct err *e);
/* The same with more in `r` than the address. */
bool api_fetch(const struct api *api, const char *method, struct str target, struct web_request *r, struct web_reply *out, struct err *e);
/* Its refusal → e, in the engine's words. False. */
bool api_refusal(const struct api *api, const struct web_reply *reply, const char *what, struct err *e);
bool api_json(const struct api *api, const struct web_reply *reply, struct val *out, struct err *e);
static inline bool api_good(const struct web_reply *r) { return r->status >= 200 && r->status < 300; }
struct str api_escape(struct arena *a, struct str text); /* as a value in a query */

/* pull.c */
bool image_present(const struct api *api, const struct val *job, struct err *e);
/* outputs.c: each of the job's outputs that is there lies at its `to` afterwards. */
bool outputs_fetch(const struct api *api, struct str id, const struct val *job, struct err *e);
/* beneath.c: directories that are to be mounted are there, and no link leads to them. */
bool directories_make(struct arena *a, const struct val *list, struct err *e);
/* remove.c: the container of that name when it is of this step (absent: of any step but `not_step`). */
bool container_drop(const struct api *api, struct str name, struct str step, struct str not_step, struct err *e);
/* run.c, probe.c: exit statuses */
int container_run(const char *job_path);
int container_probe(const char *socket, const char *name, char **words);
int container_begun(const char *path); /* waits until that is there */
