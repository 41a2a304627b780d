/* The checks of a state directory. See upkeep.h. */
#include <sys/stat.h>

#include "artifact/artifact.h"
#include "os/fd.h"
#include "service/images.h"
#include "service/upkeep_p.h"

struct checking {
    struct upkeep *u;
    struct arena a;
    upkeep_told_fn *told;
    void *user;
};

#define DETAIL(c, ...) str_fmt(&(c)->a, __VA_ARGS__)

static void tell(struct checking *c, enum upkeep_health h, const char *check, struct str detail)
{
    struct upkeep_finding f = {.health = h, .check = check, .detail = detail};
    c->told(c->user, &f);
}

/* Something that could be mended, and was when it may. */
static void tell_mends(struct checking *c, bool mended, const char *check, struct str detail)
{
    struct upkeep_finding f = {.health = mended ? UPKEEP_MENDED : UPKEEP_POOR, .check = check, .detail = detail, .mends = true};
    c->told(c->user, &f);
}

static void tell_failed(struct checking *c, const char *check, const struct err *e, const char *fix)
{
    struct upkeep_finding f = {.health = UPKEEP_BAD, .check = check, .detail = str_of(e->text), .fix = fix};
    c->told(c->user, &f);
}

/* ---- permissions ---- */

/* Secrets are in the database; whoever may write into the directory may do what its owner can. */
static const struct {
    const char *name;
    mode_t wrong;
} modes[] = {{"", 022}, {"skiff.db", 077}, {"skiff.db-wal", 077}, {"engine.lock", 022}, {"artifacts", 022}, {"steps", 022}, {"slots", 077}, {"images", 077}};

static void modes_check(struct checking *c)
{
    struct str wrong = STR("");
    bool mended = c->u->change;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        const char *path = DETAIL(c, "%.*s/%s", STR_ARG(c->u->dir), modes[i].name).p;
        struct stat st;
        if (lstat(path, &st) != 0 || S_ISLNK(st.st_mode) || !(st.st_mode & modes[i].wrong)) continue;
        wrong = DETAIL(c, "%.*s%s%s is %04o", STR_ARG(wrong), wrong.n ? ", " : "", *modes[i].name ? modes[i].name : "the directory", st.st_mode & 07777);
        mended = mended && chmod(path, st.st_mode & 07777 & ~modes[i].wrong) == 0;
    }
    if (wrong.n) tell_mends(c, mended, "permissions", wrong);
    else tell(c, UPKEEP_GOOD, "permissions", STR("as they should be"));
}

/* ---- database ---- */

static bool database_check(struct checking *c)
{
    struct upkeep *u = c->u;
    struct str report;
    struct err e = u->broken;
    const char *fix = "move the state directory away, or put a copy of skiff.db back: `skiff doctor` changes nothing here";
    if (u->broken.code == ERR_NONE && !u->store) return tell(c, UPKEEP_GOOD, "database", STR("none yet")), false;
    if (e.code == ERR_UNSUPPORTED) fix = NULL; /* of another version, not broken; the error says what to do */
    if (!u->store || !store_check(&c->a, u->store, &report, &e)) return tell_failed(c, "database", &e, fix), false;
    if (str_is(report, "ok")) return tell(c, UPKEEP_GOOD, "database", STR("whole")), true;
    err_set(&e, ERR_IO, "%.*s", STR_ARG(report));
    return tell_failed(c, "database", &e, fix), false;
}

static bool may_write(const struct checking *c) { return c->u->change && c->u->alone; }

static void strays_check(struct checking *c)
{
    struct str report;
    struct err e;
    int64_t n = 0;
    bool change = may_write(c), ok = (!change || store_begin(c->u->store, &e)) && store_strays(&c->a, c->u->store, change, &report, &n, &e);
    if (change && ok) ok = store_commit(c->u->store, STORE_DURABLE, &e);
    else if (change) store_rollback(c->u->store);
    if (!ok) tell_failed(c, "rows", &e, NULL);
    else if (n) tell_mends(c, change, "rows", report);
    else tell(c, UPKEEP_GOOD, "rows", STR("each belongs to something"));
}

/* ---- artifacts ---- */

struct lost_keys {
    struct checking *c;
    struct artifact_repo *repo;
    VEC(struct artifact_row) rows;
    size_t all;
};

static bool key_look(void *ctx, const struct artifact_row *row, struct err *e)
{
    struct lost_keys *k = ctx;
    struct arena *a = &k->c->a;
    struct artifact_place place;
    struct artifact_ref ref = {.id = row->content};
    struct err why = {0};
    k->all++;
    if (artifact_path(a, k->repo, &ref, &place, &why) || why.code != ERR_NOT_FOUND) return true;
    VEC_PUSH(&k->rows, ((struct artifact_row){.ns = str_dup(a, row->ns), .key = str_dup(a, row->key)}));
    (void)e;
    return true;
}

static bool keys_remove(struct lost_keys *k, struct err *e)
{
    struct store *s = k->c->u->store;
    if (!store_begin(s, e)) return false;
    for (size_t i = 0; i < k->rows.n; i++)
        if (!store_artifact_delete(s, k->rows.items[i].ns, k->rows.items[i].key, e)) return store_rollback(s), false;
    return store_commit(s, STORE_DURABLE, e);
}

static void artifacts_check(struct checking *c)
{
    struct lost_keys k = {.c = c};
    struct err e;
    const char *dir = DETAIL(c, "%.*s/artifacts", STR_ARG(c->u->dir)).p;
    if (!file_exists(dir)) return;
    bool ok = artifact_local_open(dir, &k.repo, &e) && store_artifacts_load(c->u->store, key_look, &k, &e);
    bool mends = ok && k.rows.n && may_write(c);
    if (mends) ok = keys_remove(&k, &e);
    if (!ok) tell_failed(c, "artifacts", &e, NULL);
    else if (k.rows.n) tell_mends(c, mends, "artifacts", DETAIL(c, "the content of %zu of %zu artifacts is gone, the first is '%.*s'", k.rows.n, k.all, STR_ARG(k.rows.items[0].key)));
    else tell(c, UPKEEP_GOOD, "artifacts", DETAIL(c, "%zu, and the content of each is there", k.all));
    artifact_close(k.repo);
    VEC_FINI(&k.rows);
}

/* ---- what is left over ---- */

static void waste_check(struct checking *c)
{
    struct waste_list w = {0};
    struct err e;
    int64_t bytes = 0;
    bool ok = waste_find(&c->a, c->u, &w, &e);
    size_t not_ours = w.left.n;
    ok = ok && (!c->u->change || waste_remove(&c->a, &w, &e));
    struct str what = STR("");
    for (size_t i = 0; ok && i < w.rows.n; i++) {
        bytes += w.rows.items[i].bytes;
        if (i < 5) what = DETAIL(c, "%.*s, %s %.*s", STR_ARG(what), w.rows.items[i].kind, STR_ARG(w.rows.items[i].name));
    }
    if (!ok) tell_failed(c, "left-overs", &e, NULL);
    else if (w.left.n > not_ours) tell(c, UPKEEP_POOR, "left-overs", w.left.items[not_ours]);
    else if (w.rows.n)
        tell_mends(c, c->u->change, "left-overs", DETAIL(c, "%zu of runs that are gone or of crashes, %lld KiB%.*s%s", w.rows.n, (long long)(bytes >> 10), STR_ARG(what), w.rows.n > 5 ? ", …" : ""));
    else tell(c, UPKEEP_GOOD, "left-overs", w.left.n ? w.left.items[0] : STR("none"));
    waste_fini(&w);
}

static void images_check(struct checking *c)
{
    struct val list;
    struct err e;
    if (!file_exists(DETAIL(c, "%.*s/images", STR_ARG(c->u->dir)).p)) return;
    struct service_images *s = service_images_open(c->u->config, c->u->dir, &e);
    bool ok = s && service_images_check(&c->a, s, c->u->change, &list, &e);
    if (!ok && e.code == ERR_CONFLICT) tell(c, UPKEEP_GOOD, "images", str_of(e.text));
    else if (!ok) tell_failed(c, "images", &e, NULL);
    else if (list.n) tell_mends(c, c->u->change, "images", DETAIL(c, "%u not whole: %.*s", list.n, STR_ARG(val_text(&list.items[0]))));
    else tell(c, UPKEEP_GOOD, "images", STR("those that have names are whole"));
    service_images_close(s);
}

void upkeep_check(struct upkeep *u, upkeep_told_fn *told, void *user)
{
    struct checking c = {.u = u, .told = told, .user = user};
    arena_init(&c.a);
    modes_check(&c);
    if (database_check(&c)) {
        strays_check(&c);
        artifacts_check(&c);
        waste_check(&c);
    }
    images_check(&c);
    arena_fini(&c.a);
}
