/* What `token` and `session` share: lists of who may call a server, and removals. Runs on: the main thread. */
#pragma once
#include "cli/cmd.h"
#include "service/service.h"

struct callers_column {
    const char *head, *member;
    struct str (*cell)(struct arena *a, const struct val *member, int64_t now_us);
};
struct callers {
    bool (*list)(struct arena *a, struct service *s, struct val *items, struct err *e);
    bool (*remove)(struct service *s, struct str name, struct err *e);
    const struct callers_column *columns;
    size_t n_columns;
    const char *name;                /* the member that -o name prints */
    const char *none;                /* what is said when there is nobody */
    const char *removed[2];          /* what is said before and after a name that was removed */
};

struct str callers_text(struct arena *a, const struct val *member, int64_t now_us);
struct str callers_time(struct arena *a, const struct val *member, int64_t now_us); /* how long ago, or how soon; or "never" */

bool callers_list(struct cli *cli, const struct callers *c, struct err *e);
/* Each word is a name. */
bool callers_remove(struct cli *cli, const struct callers *c, struct err *e);
