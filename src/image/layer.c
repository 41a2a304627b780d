/* Layers in the store: there already, or unpacked aside and renamed. See image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "image/digest.h"
#include "image/store_p.h"
#include "os/dir.h"
#include "os/fd.h"

enum { META_MAX = 4096 };

bool layers_plan(struct arena *a, struct image_store *s, const struct image_manifest *m, const struct image_config *c,
                 struct layer_work **out, struct err *e)
{
    struct str chain = STR_NONE;
    (void)s;
    if (m->n != c->diff_ids.n)
        return err_set(e, ERR_SPEC, "the manifest has %zu layers, the configuration %zu", m->n, c->diff_ids.n);
    *out = ARENA_ARRAY(a, struct layer_work, m->n + 1);
    for (size_t i = 0; i < m->n; i++) {
        struct str diff = c->diff_ids.items[i];
        chain = i ? digest_of(a, str_fmt(a, "%.*s %.*s", STR_ARG(chain), STR_ARG(diff))) : diff;
        (*out)[i] = (struct layer_work){.chain = chain, .lowest = i == 0,
            .layer = {.digest = m->layers[i].digest, .diff_id = diff, .media_type = m->layers[i].media_type, .size = m->layers[i].size}};
    }
    return true;
}

/* ---- what is there ---- */

static struct str boot_id(struct arena *a)
{
    struct str s;
    struct err ignored;
    return file_read(a, "/proc/sys/kernel/random/boot_id", 100, &s, &ignored) ? str_trim(s) : STR("unknown");
}

/* Its files may be empty after a power cut, unless it was synced, or the machine still runs. */
static bool layer_survived(struct arena *a, const char *dir)
{
    struct str boot;
    struct err e;
    if (!file_read(a, str_fmt(a, "%s/unsynced", dir).p, 100, &boot, &e)) return e.code == ERR_NOT_FOUND;
    return str_eq(str_trim(boot), boot_id(a));
}

static bool meta_read(struct arena *a, const char *dir, struct image_layer *l)
{
    struct str text;
    struct val v;
    struct err ignored;
    if (!file_read(a, str_fmt(a, "%s/meta", dir).p, META_MAX, &text, &ignored) || !json_parse(a, text, NULL, &v, &ignored)) return false;
    struct { const char *key; int64_t *to; } rows[] = {{"bytes", &l->bytes}, {"entries", &l->entries}, {"devices", &l->devices}, {"xattrs", &l->xattrs}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct val *n = val_get(&v, str_of(rows[i].key));
        if (!n || !val_i64(n, rows[i].to)) return false;
    }
    return true;
}

bool layer_at(struct arena *a, struct image_store *s, struct str name, struct image_layer *l)
{
    const char *dir = store_path(a, s, "layers/%.*s", STR_ARG(name));
    if (!file_exists(dir) || !layer_survived(a, dir) || !meta_read(a, dir, l)) return false;
    l->name = name;
    l->dir = str_fmt(a, "%s/fs", dir);
    return true;
}

bool layer_look(struct arena *a, struct image_store *s, struct layer_work *w)
{
    struct str alone = str_dup(a, digest_hex(w->layer.diff_id)), chained = str_fmt(a, "c-%.*s", STR_ARG(digest_hex(w->chain)));
    return w->done = layer_at(a, s, alone, &w->layer) || layer_at(a, s, chained, &w->layer);
}

/* ---- making ---- */

static bool meta_write(struct arena *a, const char *dir, const struct unpack_result *r, struct err *e)
{
    struct str text = str_fmt(a, "{\"bytes\":%llu,\"entries\":%llu,\"devices\":%llu,\"xattrs\":%llu}\n", (unsigned long long)r->bytes,
                              (unsigned long long)r->entries, (unsigned long long)r->devices, (unsigned long long)r->xattrs);
    return file_write_atomic(str_fmt(a, "%s/meta", dir).p, text, 0600, true, e) &&
           file_write_atomic(str_fmt(a, "%s/unsynced", dir).p, boot_id(a), 0600, true, e);
}

static bool unpack_to(struct arena *a, struct layer_work *w, const int *lower, size_t n_lower, const struct layer_from *from,
                      const char *tmp, struct err *e)
{
    struct unpack_result r;
    const char *fs = str_fmt(a, "%s/fs", tmp).p;
    if (mkdir(fs, 0700) != 0) return err_sys(e, "%s", fs);
    CLEANUP(close_fd) int root = open(fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return err_sys(e, "%s", fs);
    struct unpack_opts o = {.source = from->source, .blob_digest = from->blob_digest, .diff_id = w->layer.diff_id, .root_fd = root,
                            .lowest = w->lowest, .lower_fds = lower, .n_lower = n_lower, .cancelled = from->cancelled,
                            .read_bytes = from->progress ? &from->progress->unpacked : NULL};
    if (from->progress) {
        atomic_store(&from->progress->unpacked, 0);
        atomic_store(&from->progress->stage, IMAGE_UNPACKING);
    }
    bool ok = layer_unpack(&o, &r, e);
    w->needs_lower = !ok && r.needs_lower;
    if (!ok && !w->needs_lower) err_ctx(e, "layer %.*s", STR_ARG(str_sub(digest_hex(w->layer.digest), 0, 12)));
    return ok && meta_write(a, tmp, &r, e);
}

/* What stands under the name is left over from before a power cut, or damaged. */
static bool layer_place(struct arena *a, struct image_store *s, const char *tmp, const char *to, struct err *e)
{
    const char *aside = str_fmt(a, "%s.old", tmp).p;
    if (rename(to, aside) == 0) {
        if (!dir_remove_tree(aside, e)) return false;
    } else if (errno != ENOENT) {
        return err_sys(e, "%s", to);
    }
    if (fail_point(FAIL_LAYER_BEFORE) || rename(tmp, to) != 0) return err_sys(e, "%s", to);
    fail_point(FAIL_LAYER_AFTER);
    return dir_sync(store_path(a, s, "layers"), e);
}

static bool layer_unpack_new(struct arena *a, struct image_store *s, struct layer_work *w, const int *lower, size_t n_lower,
                             const struct layer_from *from, struct err *e)
{
    const char *tmp;
    struct err why = {0}, ignored;
    if (!store_tmp(a, s, &tmp, e)) return false;
    struct str hex = digest_hex(n_lower ? w->chain : w->layer.diff_id);
    const char *to = store_path(a, s, "layers/%s%.*s", n_lower ? "c-" : "", STR_ARG(hex));
    bool ok = unpack_to(a, w, lower, n_lower, from, tmp, &why) && layer_place(a, s, tmp, to, &why);
    if (!ok) dir_remove_tree(tmp, &ignored);
    if (ok) ok = layer_look(a, s, w) || err_set(&why, ERR_IO, "layer %.*s is gone again", STR_ARG(hex));
    if (ok || w->needs_lower) return true;
    if (e) *e = why;
    return false;
}

bool layer_make(struct arena *a, struct image_store *s, struct layer_work *w, const struct layer_work *below, size_t n_below,
                const struct layer_from *from, struct err *e)
{
    int lower[LIMIT_IMAGE_LAYERS];
    size_t n = 0;
    struct str hex = digest_hex(w->layer.diff_id);
    CLEANUP(close_fd) int lock = store_lock_item(s, "layer", hex, from->cancelled, from->progress ? &from->progress->stage : NULL, e);
    if (lock < 0) return false;
    if (layer_look(a, s, w)) return true;
    bool ok = true;
    for (; ok && n < n_below; n++) { /* topmost first */
        const char *dir = below[n_below - 1 - n].layer.dir.p;
        lower[n] = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lower[n] < 0) {
            ok = err_sys(e, "%s", dir);
            break;
        }
    }
    w->needs_lower = false;
    ok = ok && layer_unpack_new(a, s, w, lower, n, from, e);
    while (n) close(lower[--n]);
    return ok;
}

void layers_info(struct arena *a, const struct layer_work *works, size_t n, struct image_info *info)
{
    info->layers = ARENA_ARRAY(a, struct image_layer, n + 1);
    info->n_layers = n;
    info->size = info->bytes = 0;
    for (size_t i = 0; i < n; i++) {
        info->layers[i] = works[i].layer;
        info->size += works[i].layer.size;
        info->bytes += works[i].layer.bytes;
    }
}

bool image_settle(struct image_store *s, const struct image_info *info, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    CLEANUP(close_fd) int all = store_lock(s, STORE_SHARED, NULL, e);
    CLEANUP(close_fd) int dir = all < 0 ? -1 : open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fresh = false;
    if (dir < 0) return all < 0 ? false : err_sys(e, "%s", s->dir);
    for (size_t i = 0; i < info->n_layers; i++) fresh = fresh || file_exists(store_path(&a, s, "layers/%.*s/unsynced", STR_ARG(info->layers[i].name)));
    if (fresh && syncfs(dir) != 0) return err_sys(e, "cannot write the image to the disk");
    fail_point(FAIL_IMAGE_SETTLE);
    for (size_t i = 0; i < info->n_layers; i++) {
        const struct image_layer *l = &info->layers[i];
        if (fresh) unlink(store_path(&a, s, "layers/%.*s/unsynced", STR_ARG(l->name)));
        if (l->digest.n) unlink(store_blob_path(&a, s, l->digest));
    }
    return true;
}
