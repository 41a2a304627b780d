/* Rows of runs and their documents; lists of them: runs_list.c. See store.h. */
#include "base/limits.h"
#include "store/store_p.h"

void run_read(struct query *q, struct arena *a, struct run_row *out)
{
    out->run = query_get_int(q);
    out->uid = query_get_dup(q, a);
    out->ns = query_get_dup(q, a);
    out->name = query_get_dup(q, a);
    out->phase = query_get_dup(q, a);
    out->created_us = query_get_int(q);
    out->started_us = query_get_int(q);
    out->finished_us = query_get_int(q);
    out->labels = query_get_dup(q, a);
    out->message = query_get_dup(q, a);
    out->progress = query_get_dup(q, a);
    out->completed = query_get_int(q) != 0;
    out->rv = query_get_int(q);
}

bool store_run_set_doc(struct store *s, int64_t run, struct str doc, struct err *e)
{
    struct query q = query_new(s, STMT_DOC_PUT);
    query_int(&q, run);
    query_text(&q, doc);
    return query_run(&q, e);
}

bool store_run_insert(struct store *s, const struct run_row *row, struct str doc, int64_t *out_run,
                      struct err *e)
{
    struct query q = query_new(s, STMT_RUN_INSERT);
    query_int(&q, s->now.run + 1);
    query_text(&q, row->uid);
    query_text(&q, row->ns);
    query_text(&q, row->name);
    query_text(&q, row->phase);
    query_int(&q, row->created_us);
    query_int(&q, row->started_us);
    query_int(&q, row->finished_us);
    query_text(&q, row->labels);
    query_text(&q, row->message);
    query_text(&q, row->progress);
    query_int(&q, row->completed);
    query_int(&q, s->now.version);
    struct err why = {0};
    if (!query_run(&q, &why)) {
        if (e) *e = why;
        if (why.code != ERR_CONFLICT) return false;
        return err_set(e, ERR_CONFLICT, "a workflow \"%.*s\" exists already in namespace \"%.*s\"",
                       STR_ARG(row->name), STR_ARG(row->ns));
    }
    *out_run = ++s->now.run;
    return store_run_set_doc(s, *out_run, doc, e);
}

static bool run_must_exist(struct store *s, int64_t run, struct err *e)
{
    return store_rows_changed(s) > 0 || err_set(e, ERR_NOT_FOUND, "there is no run %lld", (long long)run);
}

/* True when it was done, or failed. */
static bool run_touch(struct store *s, const struct run_row *row, bool *ok, struct err *e)
{
    struct query q = query_new(s, STMT_RUN_TOUCH);
    query_text(&q, row->message);
    query_text(&q, row->progress);
    query_int(&q, s->now.version);
    query_int(&q, row->run);
    query_text(&q, row->phase);
    query_int(&q, row->started_us);
    query_int(&q, row->finished_us);
    query_int(&q, row->completed);
    *ok = query_run(&q, e);
    return !*ok || store_rows_changed(s) > 0;
}

static bool run_version(struct store *s, int64_t run, struct err *e)
{
    struct query q = query_new(s, STMT_RUN_VERSION);
    query_int(&q, s->now.version);
    query_int(&q, run);
    return query_run(&q, e) && run_must_exist(s, run, e);
}

bool store_run_update(struct store *s, const struct run_row *row, unsigned fields, struct err *e)
{
    const unsigned whole = RUN_PHASE | RUN_STARTED | RUN_FINISHED | RUN_MESSAGE | RUN_PROGRESS | RUN_COMPLETED;
    bool ok;
    if (!fields) return run_version(s, row->run, e);
    if (fields == whole && run_touch(s, row, &ok, e)) return ok;
    struct query q = query_new(s, STMT_RUN_UPDATE);
    query_int(&q, fields);
    query_int(&q, s->now.version);
    query_int(&q, row->run);
    query_text(&q, row->phase);
    query_int(&q, row->started_us);
    query_int(&q, row->finished_us);
    query_text(&q, row->labels);
    query_text(&q, row->message);
    query_text(&q, row->progress);
    query_int(&q, row->completed);
    return query_run(&q, e) && run_must_exist(s, row->run, e);
}

/* The one row of `q` into *out; *found tells whether there was one. */
static bool run_one(struct query *q, struct arena *a, struct run_row *out, bool *found, struct err *e)
{
    *found = query_row(q);
    if (*found) run_read(q, a, out);
    return query_end(q, e);
}

bool store_run_get(struct arena *a, struct store *s, int64_t run, struct run_row *out, struct err *e)
{
    bool found;
    struct query q = query_new(s, STMT_RUN_GET);
    query_int(&q, run);
    if (!run_one(&q, a, out, &found, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no run %lld", (long long)run);
}

bool store_run_find(struct arena *a, struct store *s, struct str ns, struct str name, struct run_row *out,
                    struct err *e)
{
    bool found;
    struct query q = query_new(s, STMT_RUN_FIND);
    query_text(&q, ns);
    query_text(&q, name);
    if (!run_one(&q, a, out, &found, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no workflow \"%.*s\" in namespace \"%.*s\"",
                            STR_ARG(name), STR_ARG(ns));
}

bool store_run_find_uid(struct arena *a, struct store *s, struct str uid, struct run_row *out, struct err *e)
{
    bool found;
    struct query q = query_new(s, STMT_RUN_FIND_UID);
    query_text(&q, uid);
    if (!run_one(&q, a, out, &found, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no workflow with uid \"%.*s\"", STR_ARG(uid));
}

bool store_run_doc(struct arena *a, struct store *s, int64_t run, struct str *doc, struct err *e)
{
    struct query q = query_new(s, STMT_DOC_GET);
    query_int(&q, run);
    bool found = query_row(&q);
    if (found) *doc = query_get_dup(&q, a);
    if (!query_end(&q, e)) return false;
    return found || err_set(e, ERR_NOT_FOUND, "there is no run %lld", (long long)run);
}

static bool delete_by_run(struct store *s, enum stmt id, int64_t run, struct err *e)
{
    struct query q = query_new(s, id);
    query_int(&q, run);
    return query_run(&q, e);
}

bool store_run_delete(struct store *s, int64_t run, int64_t now_us, struct err *e)
{
    struct query q = query_new(s, STMT_RUN_TOMBSTONE);
    query_int(&q, now_us);
    query_int(&q, s->now.version);
    query_int(&q, run);
    return query_run(&q, e) && run_must_exist(s, run, e) && store_nodes_cut(s, run, 0, e) &&
           delete_by_run(s, STMT_DOC_DELETE, run, e) && delete_by_run(s, STMT_VALUES_DELETE, run, e) &&
           delete_by_run(s, STMT_TIMERS_DELETE, run, e) && delete_by_run(s, STMT_ARTIFACT_UNREF_RUN, run, e);
}

bool store_run_phases(struct store *s, struct run_count out[STORE_PHASES_MAX], size_t *n, struct err *e)
{
    struct query q = query_new(s, STMT_RUN_PHASES);
    *n = 0;
    while (query_row(&q)) {
        if (*n == STORE_PHASES_MAX) continue;
        struct str phase = query_get(&q);
        snprintf(out[*n].phase, sizeof out[*n].phase, "%.*s", STR_ARG(phase));
        out[(*n)++].n = query_get_int(&q);
    }
    return query_end(&q, e);
}
