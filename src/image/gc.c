/* Forgetting names, and removing what nobody needs. See image.h.
 *
 * Whoever adds holds the store's lock shared from before the first file until the name is written and held, so
 * alone in the store everything without a name or a user is waste. A crash in between leaves waste. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "image/digest.h"
#include "image/store_p.h"
#include "os/dir.h"
#include "os/fd.h"

enum { RECORD_MAX = 1 << 20 };

/* ---- names ---- */

static bool is_held(struct arena *a, struct image_store *s, struct str hex)
{
    CLEANUP(close_fd) int fd = open(store_path(a, s, "holds/%.*s", STR_ARG(hex)), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
}

static bool is_meant(struct arena *a, const struct ref_record *r, const struct image_ref *ref, const struct image_platform *p)
{
    struct image_ref own;
    struct err ignored;
    if (p && !image_platform_fits(p, &r->platform)) return false;
    if (str_eq(r->ref, image_ref_text(a, ref))) return true;
    return ref->digest.p && !ref->tag.p && image_ref_parse(a, r->ref, &own, &ignored) && str_eq(own.host, ref->host) &&
           str_eq(own.path, ref->path) && (str_eq(r->digest, ref->digest) || str_eq(r->manifest, ref->digest));
}

static bool has_other_name(const struct ref_record *all, const bool *meant, size_t n, struct str manifest)
{
    for (size_t i = 0; i < n; i++)
        if (!meant[i] && str_eq(all[i].manifest, manifest)) return true;
    return false;
}

bool image_remove(struct image_store *s, const struct image_ref *ref, const struct image_platform *platform, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct ref_record *all;
    size_t n, found = 0;
    arena_init(&a);
    CLEANUP(close_fd) int lock = store_lock(s, STORE_ALONE, NULL, e);
    if (lock < 0 || !refs_read(&a, s, &all, &n, e)) return false;
    bool *meant = ARENA_ARRAY(&a, bool, n + 1);
    for (size_t i = 0; i < n; i++) found += meant[i] = is_meant(&a, &all[i], ref, platform);
    if (!found) return err_set(e, ERR_NOT_FOUND, "no image '%.*s' is in the image store", STR_ARG(image_ref_short(&a, ref)));
    for (size_t i = 0; i < n; i++)
        if (meant[i] && !has_other_name(all, meant, n, all[i].manifest) && is_held(&a, s, digest_hex(all[i].manifest)))
            return err_set(e, ERR_CONFLICT, "image '%.*s' is in use by a step", STR_ARG(image_ref_short(&a, ref)));
    for (size_t i = 0; i < n; i++)
        if (meant[i] && unlink(ref_path(&a, s, all[i].ref, &all[i].platform)) != 0 && errno != ENOENT)
            return err_sys(e, "cannot remove the name of an image");
    return dir_sync(store_path(&a, s, "refs"), e);
}

/* ---- waste ---- */

struct sweep {
    struct arena *a;
    struct image_store *s;
    bool dry_run, partials;
    struct map manifests, layers, blobs; /* what is needed */
    VEC(struct image_waste_row) rows;
};

static bool need_json(struct sweep *w, struct str hex, struct err *e)
{
    struct str text;
    struct val v;
    const char *path = store_path(w->a, w->s, "manifests/%.*s", STR_ARG(hex));
    struct err why = {0};
    if (!file_read(w->a, path, RECORD_MAX, &text, &why)) return why.code == ERR_NOT_FOUND || (e && (*e = why, false));
    if (!json_parse(w->a, text, NULL, &v, e)) return err_ctx(e, "%s", path);
    map_put(&w->blobs, val_get_str(&v, "manifest"), NULL);
    map_put(&w->blobs, val_get_str(&v, "config"), NULL);
    const struct val *layers = val_get(&v, STR("layers"));
    for (uint32_t i = 0; layers && layers->kind == VAL_LIST && i < layers->n; i++)
        map_put(&w->layers, val_get_str(&layers->items[i], "name"), NULL);
    return true;
}

static bool needs_find(struct sweep *w, struct err *e)
{
    struct ref_record *refs;
    struct dir_list held;
    size_t n;
    if (!refs_read(w->a, w->s, &refs, &n, e) || !dir_read(w->a, store_path(w->a, w->s, "holds"), &held, e)) return false;
    for (size_t i = 0; i < n; i++) map_put(&w->manifests, digest_hex(refs[i].manifest), NULL);
    for (size_t i = 0; i < held.n; i++)
        if (is_held(w->a, w->s, held.items[i].name)) map_put(&w->manifests, held.items[i].name, NULL);
        else if (!w->dry_run) unlink(store_path(w->a, w->s, "holds/%.*s", STR_ARG(held.items[i].name)));
    for (struct map_slot *m = NULL; (m = map_next(&w->manifests, m));)
        if (!need_json(w, m->key, e)) return false;
    return true;
}

static int64_t size_of(struct sweep *w, const char *path, enum image_waste kind)
{
    struct stat st;
    struct str text;
    struct val v;
    int64_t n = 0;
    struct err ignored;
    const char *meta = kind == IMAGE_WASTE_LAYER ? str_fmt(w->a, "%s/meta", path).p : NULL;
    if (!meta) return lstat(path, &st) == 0 ? (int64_t)st.st_size : 0;
    if (file_read(w->a, meta, RECORD_MAX, &text, &ignored) && json_parse(w->a, text, NULL, &v, &ignored)) {
        const struct val *bytes = val_get(&v, STR("bytes"));
        if (bytes) val_i64(bytes, &n);
    }
    return n;
}

/* A layer is first moved aside: half of it must not stand under its name. */
static bool waste_remove(struct sweep *w, const char *path, enum image_waste kind, struct err *e)
{
    const char *aside;
    if (kind != IMAGE_WASTE_LAYER) return dir_remove_tree(path, e);
    if (!store_tmp(w->a, w->s, &aside, e)) return false;
    if (rename(path, aside) != 0) return err_sys(e, "%s", path);
    fail_point(FAIL_IMAGE_ASIDE);
    return dir_remove_tree(aside, e);
}

static bool waste(struct sweep *w, const char *place, struct str name, enum image_waste kind, struct err *e)
{
    const char *path = store_path(w->a, w->s, "%s/%.*s", place, STR_ARG(name));
    VEC_PUSH(&w->rows, ((struct image_waste_row){kind, name, size_of(w, path, kind)}));
    return w->dry_run || waste_remove(w, path, kind, e);
}

static enum image_waste blob_kind(struct str name)
{
    return str_ends(name, STR(".tmp")) ? IMAGE_WASTE_TMP : str_ends(name, STR(".partial")) ? IMAGE_WASTE_PARTIAL : IMAGE_WASTE_BLOB;
}

static bool blobs_sweep(struct sweep *w, const char *algorithm, struct err *e)
{
    struct dir_list files;
    const char *place = str_fmt(w->a, "blobs/%s", algorithm).p;
    if (!dir_read(w->a, store_path(w->a, w->s, "%s", place), &files, e)) return false;
    for (size_t i = 0; i < files.n; i++) {
        struct str name = files.items[i].name;
        enum image_waste kind = blob_kind(name);
        if (map_get(&w->blobs, str_fmt(w->a, "%s:%.*s", algorithm, STR_ARG(name)))) continue;
        if (kind == IMAGE_WASTE_PARTIAL && !w->partials) continue;
        if (!waste(w, place, name, kind, e)) return false;
    }
    return true;
}

static bool place_sweep(struct sweep *w, const char *place, const struct map *needed, enum image_waste kind, struct err *e)
{
    struct dir_list files;
    if (!dir_read(w->a, store_path(w->a, w->s, "%s", place), &files, e)) return false;
    for (size_t i = 0; i < files.n; i++) {
        struct str name = files.items[i].name;
        bool aside = str_ends(name, STR(".tmp")) && kind != IMAGE_WASTE_TMP;
        if (!aside && needed && map_get(needed, name)) continue;
        if (!waste(w, place, name, aside ? IMAGE_WASTE_TMP : kind, e)) return false;
    }
    return true;
}

/* Only what was written aside; names themselves stay. */
static bool refs_sweep(struct sweep *w, struct err *e)
{
    struct dir_list files;
    if (!dir_read(w->a, store_path(w->a, w->s, "refs"), &files, e)) return false;
    for (size_t i = 0; i < files.n; i++)
        if (str_ends(files.items[i].name, STR(".tmp")) && !waste(w, "refs", files.items[i].name, IMAGE_WASTE_TMP, e)) return false;
    return true;
}

static bool locks_sweep(struct sweep *w, struct err *e)
{
    struct dir_list files;
    if (w->dry_run) return true;
    if (!dir_read(w->a, store_path(w->a, w->s, "locks"), &files, e)) return false;
    for (size_t i = 0; i < files.n; i++) unlink(store_path(w->a, w->s, "locks/%.*s", STR_ARG(files.items[i].name)));
    return true;
}

bool image_gc(struct arena *a, struct image_store *s, bool dry_run, bool partials, struct image_waste_row **out, size_t *n,
              struct err *e)
{
    struct sweep w = {.a = a, .s = s, .dry_run = dry_run, .partials = partials};
    CLEANUP(close_fd) int lock = store_lock(s, STORE_ALONE, NULL, e);
    bool ok = lock >= 0 && needs_find(&w, e) && place_sweep(&w, "manifests", &w.manifests, IMAGE_WASTE_IMAGE, e) &&
              place_sweep(&w, "layers", &w.layers, IMAGE_WASTE_LAYER, e) && blobs_sweep(&w, "sha256", e) && blobs_sweep(&w, "sha512", e) &&
              refs_sweep(&w, e) && place_sweep(&w, "tmp", NULL, IMAGE_WASTE_TMP, e) && locks_sweep(&w, e);
    *n = w.rows.n;
    *out = ARENA_ARRAY(a, struct image_waste_row, w.rows.n + 1);
    if (w.rows.n) memcpy(*out, w.rows.items, w.rows.n * sizeof **out);
    VEC_FINI(&w.rows);
    map_fini(&w.manifests);
    map_fini(&w.layers);
    map_fini(&w.blobs);
    return ok;
}
