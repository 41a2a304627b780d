/* Limits of `database` semaphores (Argo's table sync_limit): named numbers of a namespace, kept in the
 * store beside the documents, but no documents. Writing needs an open write transaction of the caller.
 * Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "store/store.h"

/* NOT_FOUND when there is none. */
bool sync_limit_get(struct store *s, struct str ns, struct str name, int64_t *limit, struct err *e);
/* `create`: CONFLICT when there is one; else NOT_FOUND when there is none. The limit is positive. */
bool sync_limit_put(struct store *s, struct str ns, struct str name, int64_t limit, bool create, int64_t now_us,
                    struct err *e);
bool sync_limit_delete(struct store *s, struct str ns, struct str name, int64_t now_us, struct err *e);

struct sync_limit {
    struct str ns, name;
    int64_t limit;
};
/* Of one namespace (absent: of all), by name. */
bool sync_limit_list(struct arena *a, struct store *s, struct str ns, struct sync_limit **out, size_t *n,
                     struct err *e);
