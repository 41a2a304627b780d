/* Artifacts that come from elsewhere or go there: fetched before a step gets a slot, sent after its end.
 *
 * Each step's transfer is a thread of its own, at most LIMIT_FETCHES at once; the loop thread prepares it
 * (Secrets, paths) and takes what came of it. What was fetched stands in the repository under the key
 * inputs/ID/NAME until the step is over. A crash in between loses nothing: a step that never began is
 * decided anew and fetched again, and the end of one that is being sent is still in its slot's journal.
 * Runs on: the loop thread, but for transfer_work. */
#include <pthread.h>

#include "base/fail.h"
#include "base/limits.h"
#include "doc/json.h"
#include "os/clock.h"
#include "os/dir.h"
#include "exec/exec_p.h"

enum { RESULT_MAX = 256 << 20 };

struct item {
    struct str name;
    struct remote remote;
    enum artifact_archive archive;
    int level;
    int64_t mode; /* permission bits, or -1 */
    bool optional, recurse;
    const char *path; /* what is to be sent; or where it is fetched to */
    struct str base;  /* name within an archive */
    bool done;
    struct artifact_content content;
};

struct transfer {
    struct exec *x;
    struct job *job; /* NULL: nobody wants it any more */
    bool sends, running, listed;
    size_t at; /* in exec.transfers */
    struct arena arena;
    const char *dir; /* for private files meanwhile */
    VEC(struct item) items;
    struct str result; /* sends: the end of the step, encoded */
    atomic_bool cancelled;
    struct err err;    /* of the first item that failed */
    struct str failed; /* its name */
    pthread_t thread;
    struct transfer *next; /* of those that wait for a thread */
};

/* ---- the work ---- */

/* It is the step's own, so it gets the very bits that are asked for. */
static bool item_mode(struct transfer *t, const struct item *i, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_ref ref = {.id = str_of(i->content.id)};
    struct artifact_place place;
    arena_init(&a);
    if (i->mode < 0) return true;
    return artifact_path(&a, t->x->repo, &ref, &place, e) && remote_mode(place.path.p, (uint32_t)i->mode, i->recurse, e);
}

static bool item_fetch(struct transfer *t, struct item *i, struct err *e)
{
    struct artifact_import in = {.path = i->path, .archive = i->archive, .move = true};
    struct artifact_save whole = {.path = i->path, .move = true};
    if (!remote_load(&i->remote, i->path, e)) return false;
    bool tree = i->remote.driver == &remote_git_driver;
    i->done = tree ? artifact_save(t->x->repo, &whole, &i->content, e) : artifact_import(t->x->repo, &in, &i->content, e);
    return i->done && item_mode(t, i, e);
}

static bool item_send(struct item *i, struct err *e)
{
    struct artifact_export how = {.archive = i->archive, .level = i->level, .name = i->base.p};
    return i->done = remote_save(&i->remote, i->path, &how, e);
}

/* On a thread of its own. */
static void *transfer_work(void *user)
{
    struct transfer *t = user;
    bool ok = !t->err.code && dir_make_all(t->dir, 0700, &t->err);
    for (size_t k = 0; ok && k < t->items.n; k++) {
        struct item *i = &t->items.items[k];
        ok = t->sends ? item_send(i, &t->err) : item_fetch(t, i, &t->err);
        if (!ok) t->failed = i->name;
        if (!ok && !t->sends && i->optional && t->err.code == ERR_NOT_FOUND) ok = true;
    }
    if (ok) t->err.code = ERR_NONE;
    dir_remove_tree(t->dir, NULL);
    bool sent = loop_channel_send(t->x->channel, t);
    ASSERT(sent); /* there are never so many */
    return NULL;
}

/* ---- beginning ---- */

static void transfer_run(struct transfer *t)
{
    struct exec *x = t->x;
    x->transferring++;
    t->running = true;
    if (pthread_create(&t->thread, NULL, transfer_work, t) == 0) return;
    t->running = false;
    err_set(&t->err, ERR_IO, "no thread for a transfer");
    loop_channel_send(x->channel, t);
}

static void on_ended(void *user, void *message);

static bool begin(struct transfer *t)
{
    struct exec *x = t->x;
    if (!x->channel && !(x->channel = loop_channel_new(x->o.loop, on_ended, x, &t->err))) return false;
    t->job->transfer = t;
    t->at = x->transfers.n;
    t->listed = true;
    VEC_PUSH(&x->transfers, t);
    if (x->transferring < LIMIT_FETCHES) {
        transfer_run(t);
        return true;
    }
    *x->transfers_wait_last = t;
    x->transfers_wait_last = &t->next;
    return true;
}

static struct transfer *transfer_new(struct job *j, bool sends)
{
    struct exec *x = j->x;
    struct transfer *t = mem_zalloc(sizeof *t);
    *t = (struct transfer){.x = x, .job = j, .sends = sends};
    arena_init(&t->arena);
    /* what a crash leaves of it is swept with the private files of steps; never twice the same name */
    t->dir = str_fmt(&t->arena, "%.*s/work/transfer-%lld-%lld", STR_ARG(x->o.state_dir), (long long)j->id,
                     (long long)clock_now_us()).p;
    return t;
}

static void transfer_free(struct transfer *t)
{
    struct exec *x = t->x;
    struct transfer *last = t->listed ? VEC_POP(&x->transfers) : t;
    if (last != t) {
        x->transfers.items[t->at] = last;
        last->at = t->at;
    }
    if (t->job) t->job->transfer = NULL;
    VEC_FINI(&t->items);
    arena_fini(&t->arena);
    free(t);
}

/* A place that cannot be made out fails the transfer, not its beginning. */
static struct item *item_add(struct transfer *t, const struct val *art)
{
    const struct val *optional = val_get(art, STR("optional")), *mode = val_get(art, STR("mode"));
    const struct val *recurse = val_get(art, STR("recurseMode"));
    struct item i = {.mode = -1, .recurse = recurse && recurse->kind == VAL_BOOL && recurse->b,
                     .name = str_dup(&t->arena, val_get_str(art, "name")), .archive = place_archive(art), .level = -1,
                     .optional = optional && optional->kind == VAL_BOOL && optional->b};
    const struct val *level = val_path(art, "archive.tar.compressionLevel");
    int64_t n;
    if (level && val_i64(level, &n) && n >= 0 && n <= 9) i.level = (int)n;
    if (!t->err.code && !place_remote(t->job->live, &t->arena, art, &i.remote, &t->err)) t->failed = i.name;
    i.remote.scratch = t->dir;
    i.remote.cancelled = &t->cancelled;
    if (mode) val_i64(mode, &i.mode);
    VEC_PUSH(&t->items, i);
    return &t->items.items[t->items.n - 1];
}

/* ---- before a step ---- */

static struct str input_prefix(struct arena *a, const struct job *j) { return str_fmt(a, "inputs/%lld/", (long long)j->id); }

struct str transfer_key(struct arena *a, const struct job *j, struct str name)
{
    return str_cat(a, input_prefix(a, j), name);
}

/* A look at the text spares most steps the reading of their inputs. */
static bool has_remote_inputs(const struct job *j)
{
    static const char *const marks[] = {"\"http\":", "\"artifactory\":", "\"git\":"};
    struct str text = j->live && job_has_inputs(j) ? node_inputs(j->node) : STR_NONE;
    bool may = str_find(text, STR("\"artifacts\":"), 0) >= 0;
    for (size_t i = 0; may && i < ARRAY_LEN(marks); i++)
        if (str_find(text, str_of(marks[i]), 0) >= 0) return true;
    return false;
}

bool transfer_fetch(struct job *j)
{
    struct exec *x = j->x;
    struct arena *a = &x->scratch;
    struct val decided;
    if (x->plain || !has_remote_inputs(j) || !json_parse(a, node_inputs(j->node), NULL, &decided, NULL)) return false;
    const struct val *list = val_get(&decided, STR("artifacts"));
    struct transfer *t = transfer_new(j, false);
    for (uint32_t i = 0; list && i < list->n; i++) {
        if (!place_is_remote(&list->items[i])) continue;
        struct item *m = item_add(t, &list->items[i]);
        m->path = str_fmt(&t->arena, "%s/%zu", t->dir, t->items.n).p;
    }
    bool begun = t->items.n && begin(t);
    if (begun) job_move(j, JOB_FETCHING);
    else transfer_free(t);
    arena_reset(a);
    return begun;
}

static bool rows_put(struct transfer *t, struct err *e)
{
    struct job *j = t->job;
    struct exec *x = t->x;
    struct str ns = run_namespace(j->live->run);
    if (!exec_begin(x, e)) return false;
    for (size_t i = 0; i < t->items.n; i++) {
        const struct item *m = &t->items.items[i];
        if (!m->done) continue;
        struct artifact_row row = {.ns = ns, .key = transfer_key(&x->scratch, j, m->name), .content = str_of(m->content.id),
                                   .form = str_of(artifact_form_name(m->content.form)), .hash = STR(""),
                                   .size_bytes = (int64_t)m->content.size_bytes, .created_us = clock_now_us()};
        if (!store_artifact_put(x->store, &row, e) || !store_artifact_ref(x->store, j->live->id, ns, row.key, e)) return false;
    }
    return x->saved = true;
}

void content_drop(struct exec *x, struct str id)
{
    struct artifact_place place;
    struct artifact_ref ref = {.id = id};
    if (artifact_path(&x->scratch, x->repo, &ref, &place, NULL)) rubbish_add(x, place.path.p, false);
    else artifact_remove(x->repo, id, NULL); /* what is left of one that was never whole, or nothing */
}

static void fetched(struct transfer *t)
{
    struct exec *x = t->x;
    struct job *j = t->job;
    struct err e = t->err;
    for (size_t i = 0; (!j || e.code) && i < t->items.n; i++)
        if (t->items.items[i].done) content_drop(x, str_of(t->items.items[i].content.id));
    if (!j) return;
    fail_point(FAIL_FETCHED);
    if (e.code) {
        err_ctx(&e, "artifact %.*s failed to load", STR_ARG(t->failed));
        job_failed(j, e.text);
    } else if (rows_put(t, &e)) {
        job_queue(j);
    } else {
        exec_fail(x, &e);
    }
}

bool transfer_forget_inputs(struct job *j, struct err *e)
{
    struct exec *x = j->x;
    struct arena *a = &x->scratch;
    struct artifact_row *rows;
    size_t n;
    if (x->plain || !has_remote_inputs(j)) return true;
    struct artifact_filter f = {.ns = run_namespace(j->live->run), .prefix = input_prefix(a, j)};
    if (!store_artifact_list(a, x->store, &f, &rows, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!store_artifact_delete(x->store, f.ns, rows[i].key, e)) return false;
        content_drop(x, rows[i].content);
    }
    return true;
}

/* ---- after a step ---- */

static void items_of_result(struct transfer *t, const struct val *tmpl, const struct step_result *r)
{
    struct exec *x = t->x;
    for (size_t i = 0; i < r->artifacts.n; i++) {
        const struct val *art = output_declared(tmpl, r->artifacts.items[i].name);
        if (!art || !place_is_remote(art) || r->artifacts.items[i].form == STEP_FORM_MISSING) continue;
        struct str dir = step_work_path(&t->arena, x->o.state_dir, (uint64_t)t->job->id);
        struct item *m = item_add(t, art);
        m->path = str_fmt(&t->arena, "%.*s/outputs/%.*s", STR_ARG(dir), STR_ARG(m->name)).p;
        m->base = str_dup(&t->arena, path_base_name(val_get_str(art, "path")));
    }
}

bool transfer_send(struct job *j, const struct step_result *r)
{
    struct exec *x = j->x;
    struct buf b CLEANUP(buf_fini);
    struct err e;
    buf_init(&b, RESULT_MAX);
    if (!j->live || j->part || j->transfer || !r->artifacts.n) return false;
    const struct val *tmpl = node_template(j->live->run, j->node, &e);
    struct transfer *t = transfer_new(j, true);
    if (tmpl) items_of_result(t, tmpl, r);
    if (!t->items.n || !step_result_encode(r, &b, &e) || !begin(t)) {
        transfer_free(t);
        return false;
    }
    t->result = buf_dup(&t->arena, &b);
    job_move(j, JOB_SENDING);
    x->sending++;
    return true;
}

static void sent(struct transfer *t)
{
    struct exec *x = t->x;
    struct step_result r;
    struct err e;
    x->sending--;
    if (!t->job) return;
    fail_point(FAIL_SENT);
    job_move(t->job, JOB_ENDED);
    if (step_result_decode(&x->scratch, t->result, &r, &e)) job_result(t->job, &r);
    else job_failed(t->job, e.text);
}

bool transfer_sent(const struct job *j, struct str name, struct err *e)
{
    const struct transfer *t = j->transfer;
    for (size_t i = 0; t && i < t->items.n; i++)
        if (str_eq(t->items.items[i].name, name) && t->items.items[i].done) return true;
    if (t && t->err.code) *e = t->err;
    else err_set(e, ERR_INTERNAL, "it was not sent");
    return err_ctx(e, "output artifact '%.*s'", STR_ARG(name));
}

/* ---- ending ---- */

static void next_run(struct exec *x)
{
    struct transfer *t;
    while (!x->closing && (t = x->transfers_wait)) {
        x->transfers_wait = t->next;
        if (!t->next) x->transfers_wait_last = &x->transfers_wait;
        if (t->job) {
            transfer_run(t);
            return;
        }
        if (t->sends) x->sending--;
        transfer_free(t);
    }
}

static void on_ended(void *user, void *message)
{
    struct exec *x = user;
    struct transfer *t = message;
    if (t->running) pthread_join(t->thread, NULL);
    t->running = false;
    x->transferring--;
    next_run(x);
    if (x->failed) return;
    if (t->sends) sent(t);
    else fetched(t);
    transfer_free(t);
    arena_reset(&x->scratch);
    loop_again(x->o.loop);
}

void transfer_leave(struct job *j)
{
    struct transfer *t = j->transfer;
    if (!t) return;
    atomic_store(&t->cancelled, true);
    t->job = NULL;
    j->transfer = NULL;
}

void transfer_cancel(struct job *j)
{
    if (j->transfer) atomic_store(&j->transfer->cancelled, true);
}

void transfers_close(struct exec *x)
{
    for (size_t i = 0; i < x->transfers.n; i++) atomic_store(&x->transfers.items[i]->cancelled, true);
    while (x->transfers.n) {
        struct transfer *t = x->transfers.items[0];
        if (t->running) pthread_join(t->thread, NULL);
        transfer_free(t);
    }
    loop_channel_free(x->channel, NULL);
    VEC_FINI(&x->transfers);
}
