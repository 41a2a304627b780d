/* What keeps a database in order: rows that belong to nothing, and room that is free. See store.h. */
#include <sys/stat.h>

#include "store/store_p.h"

#define NO_RUN(run) "NOT EXISTS (SELECT 1 FROM runs r WHERE r.run=" run " AND r.deleted_us=0)"

/* Values and references under run 0 belong to the whole directory. Commands of runs that are gone wait for their steps' ends. */
static const struct {
    const char *what, *table, *where;
} strays[] = {
    {"nodes of no run", "nodes", NO_RUN("(nodes.key>>24)")},
    {"values of no run", "run_values", "run<>0 AND " NO_RUN("run_values.run")},
    {"documents of no run", "docs", NO_RUN("docs.run")},
    {"timers of no run", "timers", NO_RUN("timers.run")},
    {"claims of no run on artifacts", "artifact_refs", "run<>0 AND " NO_RUN("artifact_refs.run")},
    {"claims on no artifact", "artifact_refs", "NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.id=artifact_refs.artifact)"},
};

bool store_strays(struct arena *a, struct store *s, bool remove, struct str *report, int64_t *n, struct err *e)
{
    *report = STR("");
    *n = 0;
    for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
        int64_t some = 0;
        const char *from = str_fmt(a, "FROM %s WHERE %s", strays[i].table, strays[i].where).p;
        if (!store_exec_int(s, str_fmt(a, "SELECT count(*) %s", from).p, &some, e)) return false;
        if (!some) continue;
        if (remove && !store_exec(s, str_fmt(a, "DELETE %s", from).p, e)) return false;
        *n += some;
        *report = str_fmt(a, "%.*s%s%lld %s", STR_ARG(*report), report->n ? ", " : "", (long long)some, strays[i].what);
    }
    return true;
}

static bool free_pages(struct store *s, int64_t *bytes, int64_t *all, struct err *e)
{
    int64_t empty = 0, pages = 0, size = 0;
    bool ok = store_exec_int(s, "PRAGMA freelist_count", &empty, e) && store_exec_int(s, "PRAGMA page_count", &pages, e) &&
              store_exec_int(s, "PRAGMA page_size", &size, e);
    *bytes = empty * size;
    *all = pages * size;
    return ok;
}

bool store_slack(struct store *s, int64_t *bytes, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct stat log;
    int64_t all;
    arena_init(&a);
    if (!free_pages(s, bytes, &all, e)) return false;
    if (stat(str_fmt(&a, "%s-wal", s->path).p, &log) == 0) *bytes += (int64_t)log.st_size;
    return true;
}

bool store_compact(struct store *s, struct err *e)
{
    enum { WORTH = 4 }; /* a quarter of it is empty */
    int64_t empty, all;
    ASSERT(s->mode == STORE_WRITE && !s->open_txn);
    if (!store_checkpoint(s, e) || !free_pages(s, &empty, &all, e)) return false;
    if (empty > all / WORTH && !store_exec(s, "VACUUM", e)) return false;
    int64_t busy;
    return store_exec_int(s, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, e);
}
