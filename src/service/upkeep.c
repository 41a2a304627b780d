/* Opening a state directory for its upkeep, and reclaiming what nobody needs. See upkeep.h. */
#include "service/upkeep.h"

#include <unistd.h>

#include "os/fd.h"
#include "os/lockfile.h"
#include "service/images.h"
#include "service/upkeep_p.h"

/* Nobody at all writes beside an engine; the store of a directory without one is opened to be changed. */
static void store_take(struct upkeep *u)
{
    u->store = store_open(u->dir, u->change && u->alone ? STORE_WRITE : STORE_READ, &u->broken);
    if (!u->store && u->broken.code == ERR_NOT_FOUND) u->broken = (struct err){0};
}

struct upkeep *upkeep_open(const struct config *c, struct str state_dir, bool change, struct err *e)
{
    struct upkeep *u = mem_zalloc(sizeof *u);
    struct err why = {0};
    arena_init(&u->arena);
    u->config = c;
    u->change = change;
    u->dir = str_dup(&u->arena, state_dir);
    u->lock_fd = -1;
    if (!file_exists(u->dir.p)) {
        err_set(e, ERR_NOT_FOUND, "there is no state in '%s': nothing has run here yet", u->dir.p);
        upkeep_close(u);
        return NULL;
    }
    const char *lock = str_fmt(&u->arena, "%s/engine.lock", u->dir.p).p;
    if (change) u->lock_fd = lockfile_take(lock, &why);
    u->alone = change ? u->lock_fd >= 0 : !lockfile_held(lock); /* who only looks keeps nobody from beginning */
    if (!u->alone && change && why.code != ERR_CONFLICT) {
        if (e) *e = why;
        upkeep_close(u);
        return NULL;
    }
    store_take(u);
    return u;
}

void upkeep_close(struct upkeep *u)
{
    if (!u) return;
    store_close(u->store);
    close_fd(&u->lock_fd);
    arena_fini(&u->arena);
    free(u);
}

/* ---- reclaiming ---- */

struct reclaimed {
    struct arena *a;
    struct val_builder items, left;
    int64_t bytes;
};

static void item_add(struct reclaimed *r, const char *kind, struct str name, int64_t bytes)
{
    struct val_builder b;
    map_begin(&b, r->a);
    map_add_str(&b, "kind", str_of(kind));
    map_add_str(&b, "name", name);
    map_add(&b, STR("bytes"), val_of_i64(r->a, bytes));
    list_add(&r->items, map_done(&b));
    r->bytes += bytes;
}

static bool files_reclaim(struct upkeep *u, struct reclaimed *r, struct err *e)
{
    struct waste_list w = {0};
    bool ok = waste_find(r->a, u, &w, e) && (!u->change || waste_remove(r->a, &w, e));
    for (size_t i = 0; ok && i < w.rows.n; i++) item_add(r, w.rows.items[i].kind, w.rows.items[i].name, w.rows.items[i].bytes);
    for (size_t i = 0; ok && i < w.left.n; i++) list_add(&r->left, val_of_str(w.left.items[i]));
    waste_fini(&w);
    return ok;
}

/* As `skiff image gc`. */
static bool images_reclaim(struct upkeep *u, struct reclaimed *r, struct err *e)
{
    struct val list;
    struct err why = {0};
    if (!file_exists(str_fmt(r->a, "%s/images", u->dir.p).p)) return true;
    struct service_images *s = service_images_open(u->config, u->dir, e);
    if (!s) return false;
    bool ok = service_images_gc(r->a, s, !u->change, true, &list, &why);
    for (uint32_t i = 0; ok && i < list.n; i++) {
        const struct val *bytes = val_get(&list.items[i], STR("bytes"));
        int64_t n = 0;
        if (bytes) val_i64(bytes, &n);
        item_add(r, str_fmt(r->a, "image %.*s", STR_ARG(val_get_str(&list.items[i], "kind"))).p, val_get_str(&list.items[i], "name"), n);
    }
    service_images_close(s);
    if (ok) return true;
    if (why.code != ERR_CONFLICT) return e ? (*e = why, false) : false;
    list_add(&r->left, val_of_str(str_dup(r->a, str_of(why.text))));
    return true;
}

static bool database_reclaim(struct upkeep *u, struct reclaimed *r, struct err *e)
{
    int64_t before, after = 0;
    if (!u->store || !u->alone) return true;
    if (!store_slack(u->store, &before, e)) return false;
    if (u->change && (!store_compact(u->store, e) || !store_slack(u->store, &after, e))) return false;
    if (before > after) item_add(r, "database", STR("skiff.db"), before - after);
    return true;
}

bool upkeep_gc(struct arena *a, struct upkeep *u, struct val *out, struct err *e)
{
    struct reclaimed r = {.a = a};
    struct val_builder b;
    list_begin(&r.items, a);
    list_begin(&r.left, a);
    bool ok = u->broken.code == ERR_NONE || (e && (*e = u->broken, false));
    ok = ok && files_reclaim(u, &r, e) && images_reclaim(u, &r, e) && database_reclaim(u, &r, e);
    map_begin(&b, a);
    map_add(&b, STR("items"), list_done(&r.items));
    map_add(&b, STR("bytes"), val_of_i64(a, r.bytes));
    map_add(&b, STR("left"), list_done(&r.left));
    *out = map_done(&b);
    return ok;
}
