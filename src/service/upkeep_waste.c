/* Files of a state directory that nobody needs. See upkeep.h.
 *
 * What is in a directory is read before the rows that could refer to it: a row is committed before the first file of what
 * it is about is made, and ids are never used again. So a file without a row will never get one. That does not hold for contents,
 * which come before their rows, nor for pods and slots: they are only looked at while no engine is at work and no
 * step is under way, whose outputs the next engine takes. */
#include <fcntl.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "base/fail.h"
#include "container/container.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "service/upkeep_p.h"

struct search {
    struct arena *a;
    struct upkeep *u;
    struct waste_list *out;
    struct map steps;   /* ids (text) that a run that is there refers to */
    struct map pending; /* of commands that are not acknowledged */
};

static const char *in_dir(struct search *s, const char *place, struct str name)
{
    return str_fmt(s->a, "%.*s/%s%s%.*s", STR_ARG(s->u->dir), place, *place ? "/" : "", STR_ARG(name)).p;
}

static void waste_add(struct search *s, const char *kind, const char *place, struct str name)
{
    const char *path = in_dir(s, place, name);
    VEC_PUSH(&s->out->rows, ((struct waste){kind, name, str_of(path), dir_tree_bytes(path)}));
}

/* Empty where it is missing. */
static bool names_of(struct search *s, const char *place, struct dir_list *out, struct err *e)
{
    struct err why = {0};
    *out = (struct dir_list){0};
    if (dir_read(s->a, in_dir(s, place, STR("")), out, &why) || why.code == ERR_NOT_FOUND) return true;
    return e ? (*e = why, false) : false;
}

/* ---- what is known ---- */

static bool step_see(void *ctx, struct str key, struct str bytes, struct err *e)
{
    struct search *s = ctx;
    (void)key, (void)e;
    map_put(&s->steps, str_dup(s->a, bytes), NULL);
    return true;
}

static bool runs_see(struct search *s, struct err *e)
{
    struct run_filter f = {0};
    do {
        struct run_page page;
        if (!store_run_list(s->a, s->u->store, &f, &page, e)) return false;
        for (size_t i = 0; i < page.n; i++)
            if (!store_values_load_prefix(s->u->store, page.rows[i].run, STR("step/"), step_see, s, e) ||
                !store_values_load_prefix(s->u->store, page.rows[i].run, STR("lost/"), step_see, s, e))
                return false;
        f.before_run = page.next;
    } while (f.before_run);
    return true;
}

static bool rows_see(struct search *s, struct err *e)
{
    struct command_row *commands;
    size_t n;
    if (!store_commands_load(s->a, s->u->store, 0, &commands, &n, e)) return false;
    for (size_t i = 0; i < n; i++) map_put(&s->pending, str_fmt(s->a, "%lld", (long long)commands[i].id), NULL);
    return runs_see(s, e);
}

/* ---- beside an engine, too ---- */

static void steps_look(struct search *s, const struct dir_list *dirs)
{
    for (size_t i = 0; i < dirs->n; i++)
        if (!map_get(&s->steps, dirs->items[i].name) && !map_get(&s->pending, dirs->items[i].name))
            waste_add(s, "log", "steps", dirs->items[i].name);
}

/* "ID", or "transfer-ID-TIME" */
static void work_look(struct search *s, const struct dir_list *dirs)
{
    for (size_t i = 0; i < dirs->n; i++) {
        struct str id = dirs->items[i].name, rest;
        if (str_starts(id, STR("transfer-"))) str_cut(str_from(id, STR("transfer-").n), '-', &id, &rest);
        if (!map_get(&s->pending, id)) waste_add(s, "work", "work", dirs->items[i].name);
    }
}

/* ---- alone ---- */

static bool pods_look(struct search *s, struct err *e)
{
    struct dir_list dirs;
    if (!names_of(s, "pods", &dirs, e)) return false;
    for (size_t i = 0; i < dirs.n; i++) {
        struct run_row row;
        struct err why = {0};
        bool there = store_run_find_uid(s->a, s->u->store, dirs.items[i].name, &row, &why);
        if (!there && why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
        if (!there || row.completed) waste_add(s, "pod", "pods", dirs.items[i].name);
    }
    return true;
}

/* A journal whose lock is held has a supervisor, and its socket too. */
static bool slots_look(struct search *s, struct err *e)
{
    struct dir_list files;
    if (!names_of(s, "slots", &files, e)) return false;
    for (size_t i = 0; i < files.n; i++) {
        struct str name = files.items[i].name, journal = name, end;
        bool socket = str_cut(name, '.', &journal, &end);
        if (!lockfile_held(in_dir(s, "slots", journal))) waste_add(s, socket ? "socket" : "journal", "slots", name);
    }
    return true;
}

static bool contents_look(struct search *s, struct err *e)
{
    struct artifact_repo *repo;
    struct str *ids;
    size_t n;
    const char *dir = in_dir(s, "artifacts", STR(""));
    if (!file_exists(dir)) return true;
    if (!artifact_local_open(dir, &repo, e)) return false;
    bool ok = artifact_list(s->a, repo, &ids, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        int64_t uses = 0;
        ok = store_content_uses(s->u->store, ids[i], &uses, e);
        if (ok && !uses) waste_add(s, "artifact", str_fmt(s->a, "artifacts/%.*s", 2, ids[i].p).p, ids[i]);
    }
    artifact_close(repo);
    return ok;
}

static bool top_look(struct search *s, struct err *e)
{
    struct dir_list files;
    if (!names_of(s, "", &files, e)) return false;
    for (size_t i = 0; i < files.n; i++) {
        struct str name = files.items[i].name;
        bool copy = str_starts(name, STR("skiff.db.v")) && str_ends(name, STR(".tmp"));
        if (str_is(name, "engine.sock")) waste_add(s, "socket", "", name);
        else if (copy || str_starts(name, STR(".doctor-"))) waste_add(s, "temporary", "", name);
    }
    return true;
}

/* ---- all of it ---- */

static bool alone_look(struct search *s, struct err *e)
{
    if (!s->u->alone) {
        VEC_PUSH(&s->out->left, STR("an engine is at work: artifacts, pods, slots and the database are left to it"));
        return true;
    }
    if (s->pending.n) {
        VEC_PUSH(&s->out->left, str_fmt(s->a, "%zu steps are under way: artifacts, pods and slots are left to the next `skiff run`", s->pending.n));
        return true;
    }
    return pods_look(s, e) && slots_look(s, e) && contents_look(s, e) && top_look(s, e);
}

bool waste_find(struct arena *a, struct upkeep *u, struct waste_list *out, struct err *e)
{
    struct search s = {.a = a, .u = u, .out = out};
    struct dir_list steps, work;
    bool snapshot = u->store && !(u->change && u->alone), ok = names_of(&s, "steps", &steps, e) && names_of(&s, "work", &work, e);
    if (!u->store) return ok;
    ok = ok && (!snapshot || store_begin(u->store, e)) && rows_see(&s, e);
    if (ok) {
        steps_look(&s, &steps);
        work_look(&s, &work);
        ok = alone_look(&s, e);
    }
    if (snapshot) store_rollback(u->store);
    map_fini(&s.steps);
    map_fini(&s.pending);
    return ok;
}

bool waste_remove(struct arena *a, struct waste_list *w, struct err *e)
{
    /* what stands in work/ was private to a step */
    bool ok = true;
    size_t kept = 0;
    for (size_t i = 0; i < w->rows.n; i++) {
        const struct waste row = w->rows.items[i];
        struct err why;
        fail_point(FAIL_RUBBISH);
        if (!strcmp(row.kind, "work") && !container_remove(row.path.p, &why)) {
            VEC_PUSH(&w->left, str_fmt(a, "the container of step %.*s is still there: %s", STR_ARG(row.name), why.text));
            continue;
        }
        if (!dir_remove_tree(row.path.p, ok ? e : NULL)) ok = false;
        w->rows.items[kept++] = row;
    }
    w->rows.n = kept;
    return ok;
}

void waste_fini(struct waste_list *w)
{
    VEC_FINI(&w->rows);
    VEC_FINI(&w->left);
}
