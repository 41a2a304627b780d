/* See sync_limit.h. A limit is an object row of a kind that no document has; its text is the number. */
#include "resource/sync_limit.h"

#include "base/vec.h"

#define KIND STR("SyncLimit")

static bool limit_load(struct arena *a, struct store *s, struct str ns, struct str name, struct object_row *out,
                       int64_t *limit, struct err *e)
{
    struct object_row key = {.kind = KIND, .ns = ns, .name = name};
    struct err why;
    if (store_object_get(a, s, &key, out, &why))
        return str_to_i64(out->doc, limit) || err_set(e, ERR_INTERNAL, "a stored limit is damaged");
    if (why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    return err_set(e, ERR_NOT_FOUND, "Database sync limit not found in namespace \"%.*s\".", STR_ARG(ns));
}

bool sync_limit_get(struct store *s, struct str ns, struct str name, int64_t *limit, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct object_row row;
    arena_init(&a);
    return limit_load(&a, s, ns, name, &row, limit, e);
}

bool sync_limit_put(struct store *s, struct str ns, struct str name, int64_t limit, bool create, int64_t now_us,
                    struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct object_row old;
    struct err why = {0};
    int64_t was;
    arena_init(&a);
    bool found = limit_load(&a, s, ns, name, &old, &was, &why);
    if (!found && why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    if (limit <= 0) return err_set(e, ERR_SPEC, "limit must be greater than zero");
    if (create && found)
        return err_set(e, ERR_CONFLICT, "Database sync limit already exists in namespace \"%.*s\".", STR_ARG(ns));
    if (!create && !found) return e ? (*e = why, false) : false;
    struct object_row row = {.kind = KIND, .ns = ns, .name = name, .uid = STR(""), .created_us = now_us,
                             .doc = str_fmt(&a, "%lld", (long long)limit)};
    return store_object_put(s, &row, OBJECT_RV_ANY, e);
}

bool sync_limit_delete(struct store *s, struct str ns, struct str name, int64_t now_us, struct err *e)
{
    struct object_row key = {.kind = KIND, .ns = ns, .name = name};
    int64_t limit;
    return sync_limit_get(s, ns, name, &limit, e) && store_object_delete(s, &key, OBJECT_RV_ANY, now_us, e);
}

bool sync_limit_list(struct arena *a, struct store *s, struct str ns, struct sync_limit **out, size_t *n,
                     struct err *e)
{
    enum { BATCH = 500 };
    struct object_filter f = {.kind = KIND, .ns = ns, .limit = BATCH};
    struct object_row *rows;
    VEC(struct sync_limit) all = {0};
    size_t got = BATCH;
    bool ok = true;
    while (ok && got == BATCH) {
        ok = store_object_list(a, s, &f, &rows, &got, e);
        for (size_t i = 0; ok && i < got; i++) {
            struct sync_limit l = {.ns = rows[i].ns, .name = rows[i].name};
            if (str_to_i64(rows[i].doc, &l.limit)) VEC_PUSH(&all, l);
            f.after_ns = l.ns;
            f.after_name = l.name;
        }
    }
    *n = all.n;
    *out = ARENA_ARRAY(a, struct sync_limit, all.n + 1);
    if (ok && all.n) memcpy(*out, all.items, all.n * sizeof **out);
    VEC_FINI(&all);
    return ok;
}
