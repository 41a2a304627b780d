/* Names and images as files: written whole, read strictly. See image.h. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "image/digest.h"
#include "image/store_p.h"
#include "os/dir.h"
#include "os/fd.h"

enum { RECORD_MAX = 1 << 20 };

static bool json_read(struct arena *a, const char *path, struct val *out, struct err *e)
{
    struct str text;
    return file_read(a, path, RECORD_MAX, &text, e) && (json_parse(a, text, NULL, out, e) || err_ctx(e, "%s", path));
}

static bool json_save(struct arena *a, const char *path, const struct val *v, struct err *e)
{
    return file_write_atomic(path, str_cat(a, json_text(a, v), STR("\n")), 0600, true, e);
}

static void add_i64(struct val_builder *b, const char *key, int64_t n) { map_add(b, str_of(key), val_of_i64(b->a, n)); }

static int64_t get_i64(const struct val *v, const char *key)
{
    int64_t n = 0;
    const struct val *x = val_get(v, str_of(key));
    return x && val_i64(x, &n) ? n : 0;
}

/* ---- names ---- */

const char *ref_path(struct arena *a, const struct image_store *s, struct str ref, const struct image_platform *p)
{
    struct str key = str_fmt(a, "%.*s\n%.*s", STR_ARG(ref), STR_ARG(image_platform_text(a, p)));
    return store_path(a, s, "refs/%.*s", STR_ARG(digest_hex(digest_of(a, key))));
}

bool ref_write(struct image_store *s, const struct ref_record *r, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b;
    arena_init(&a);
    map_begin(&b, &a);
    map_add_str(&b, "ref", r->ref);
    map_add_str(&b, "digest", r->digest);
    map_add_str(&b, "manifest", r->manifest);
    map_add_str(&b, "platform", image_platform_text(&a, &r->platform));
    add_i64(&b, "pulled", r->pulled_us);
    struct val v = map_done(&b);
    if (fail_point(FAIL_IMAGE_REF)) return err_sys(e, "the name of an image");
    return json_save(&a, ref_path(&a, s, r->ref, &r->platform), &v, e);
}

bool ref_file_read(struct arena *a, const char *path, struct ref_record *out, struct err *e)
{
    struct val v;
    if (!json_read(a, path, &v, e)) return false;
    *out = (struct ref_record){val_get_str(&v, "ref"), val_get_str(&v, "digest"), val_get_str(&v, "manifest"), {{0}}, get_i64(&v, "pulled")};
    if (!image_platform_parse(a, val_get_str(&v, "platform"), &out->platform, e) || !digest_check(out->manifest, e) ||
        !digest_check(out->digest, e))
        return err_ctx(e, "%s", path);
    return out->ref.n || err_set(e, ERR_SPEC, "%s names nothing", path);
}

bool ref_read(struct arena *a, struct image_store *s, struct str ref, const struct image_platform *p, struct ref_record *out, struct err *e)
{
    return ref_file_read(a, ref_path(a, s, ref, p), out, e);
}

static int by_ref(const void *a, const void *b)
{
    const struct ref_record *x = a, *y = b;
    int c = str_cmp(x->ref, y->ref);
    return c ? c : str_cmp(x->manifest, y->manifest);
}

bool refs_read(struct arena *a, struct image_store *s, struct ref_record **out, size_t *n, struct err *e)
{
    struct dir_list files;
    if (!dir_read(a, store_path(a, s, "refs"), &files, e)) return false;
    *n = 0;
    *out = ARENA_ARRAY(a, struct ref_record, files.n + 1);
    for (size_t i = 0; i < files.n; i++) {
        struct err why = {0};
        if (str_ends(files.items[i].name, STR(".tmp"))) continue;
        if (ref_file_read(a, store_path(a, s, "refs/%.*s", STR_ARG(files.items[i].name)), &(*out)[*n], &why)) ++*n;
        else if (why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false; /* not: removed meanwhile */
    }
    if (*n) qsort(*out, *n, sizeof **out, by_ref);
    return true;
}

/* ---- images ---- */

static struct val layer_val(struct arena *a, const struct image_layer *l)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "digest", l->digest);
    map_add_str(&b, "diffId", l->diff_id);
    map_add_str(&b, "mediaType", l->media_type);
    add_i64(&b, "size", l->size);
    map_add_str(&b, "name", l->name);
    add_i64(&b, "bytes", l->bytes);
    add_i64(&b, "entries", l->entries);
    add_i64(&b, "devices", l->devices);
    add_i64(&b, "xattrs", l->xattrs);
    return map_done(&b);
}

bool record_write(struct image_store *s, const struct image_info *info, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val_builder b, layers;
    arena_init(&a);
    list_begin(&layers, &a);
    for (size_t i = 0; i < info->n_layers; i++) list_add(&layers, layer_val(&a, &info->layers[i]));
    map_begin(&b, &a);
    map_add_str(&b, "manifest", info->manifest);
    map_add_str(&b, "config", info->config_digest);
    map_add(&b, STR("layers"), list_done(&layers));
    struct val v = map_done(&b);
    if (fail_point(FAIL_IMAGE_RECORD)) return err_sys(e, "the record of an image");
    return json_save(&a, store_path(&a, s, "manifests/%.*s", STR_ARG(digest_hex(info->manifest))), &v, e);
}

/* A name below layers/, as this program makes them. */
static bool name_ok(struct str name)
{
    struct str hex = str_starts(name, STR("c-")) ? str_from(name, 2) : name;
    for (size_t i = 0; i < hex.n; i++)
        if (!(hex.p[i] >= '0' && hex.p[i] <= '9') && !(hex.p[i] >= 'a' && hex.p[i] <= 'f')) return false;
    return hex.n == 64 || hex.n == 128;
}

static bool layer_read(struct arena *a, struct image_store *s, const struct val *v, struct image_layer *l, struct err *e)
{
    *l = (struct image_layer){.digest = val_get_str(v, "digest"), .diff_id = val_get_str(v, "diffId"), .media_type = val_get_str(v, "mediaType"),
                              .size = get_i64(v, "size"), .name = val_get_str(v, "name"), .bytes = get_i64(v, "bytes"),
                              .entries = get_i64(v, "entries"), .devices = get_i64(v, "devices"), .xattrs = get_i64(v, "xattrs")};
    if (!name_ok(l->name) || !digest_check(l->diff_id, e)) return err_set(e, ERR_SPEC, "a record of an image is damaged");
    /* Only under the name that the record keeps image_gc from. */
    return layer_at(a, s, l->name, l) || err_set(e, ERR_NOT_FOUND, "layer %.*s is not there", STR_ARG(str_sub(l->name, 0, 14)));
}

bool record_read(struct arena *a, struct image_store *s, struct str manifest, struct image_info *out, struct err *e)
{
    struct val v;
    struct str config;
    *out = (struct image_info){.manifest = manifest, .digest = manifest};
    if (!json_read(a, store_path(a, s, "manifests/%.*s", STR_ARG(digest_hex(manifest))), &v, e)) return false;
    const struct val *layers = val_get(&v, STR("layers"));
    out->config_digest = val_get_str(&v, "config");
    if (!layers || layers->kind != VAL_LIST || layers->n > LIMIT_IMAGE_LAYERS || !digest_check(out->config_digest, e))
        return err_set(e, ERR_SPEC, "the record of image %.*s is damaged", STR_ARG(manifest));
    out->layers = ARENA_ARRAY(a, struct image_layer, layers->n + 1);
    for (; out->n_layers < layers->n; out->n_layers++) {
        struct image_layer *l = &out->layers[out->n_layers];
        if (!layer_read(a, s, &layers->items[out->n_layers], l, e)) return false;
        out->size += l->size;
        out->bytes += l->bytes;
    }
    return store_blob_read(a, s, out->config_digest, &config, e) && image_config_parse(a, config, &out->config, e);
}

/* ---- finding ---- */

/* A digest says what it is, whatever it was called when it came, but for the repository. */
static bool find_by_digest(struct arena *a, struct image_store *s, const struct image_ref *ref, const struct image_platform *p,
                           struct ref_record *out, struct err *e)
{
    struct ref_record *all;
    size_t n;
    if (!refs_read(a, s, &all, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct image_ref r;
        if (!str_eq(all[i].digest, ref->digest) && !str_eq(all[i].manifest, ref->digest)) continue;
        if (!image_platform_fits(p, &all[i].platform) || !image_ref_parse(a, all[i].ref, &r, e)) continue;
        if (!str_eq(r.host, ref->host) || !str_eq(r.path, ref->path)) continue;
        *out = all[i];
        return true;
    }
    return err_set(e, ERR_NOT_FOUND, "not there");
}

static bool find_by_tag(struct arena *a, struct image_store *s, const struct image_ref *ref, const struct image_platform *p,
                        struct ref_record *out, struct err *e)
{
    struct ref_record *all;
    size_t n;
    struct str text = image_ref_text(a, ref);
    if (ref_read(a, s, text, p, out, e)) return true;
    if (e->code != ERR_NOT_FOUND || !refs_read(a, s, &all, &n, e)) return false;
    for (size_t i = 0; i < n; i++) /* amd64 is there, and amd64/v1 is wanted */
        if (str_eq(all[i].ref, text) && image_platform_fits(p, &all[i].platform)) return *out = all[i], true;
    return err_set(e, ERR_NOT_FOUND, "not there");
}

bool image_find(struct arena *a, struct image_store *s, const struct image_ref *ref, const struct image_platform *platform,
                struct image_info *out, struct err *e)
{
    struct image_platform host = image_platform_host();
    const struct image_platform *p = platform ? platform : &host;
    struct ref_record r;
    struct err why = {0};
    bool ok = ref->digest.p ? find_by_digest(a, s, ref, p, &r, &why) : find_by_tag(a, s, ref, p, &r, &why);
    ok = ok && record_read(a, s, r.manifest, out, &why);
    if (ok) {
        out->ref = r.ref;
        out->digest = r.digest;
        out->pulled_us = r.pulled_us;
        return true;
    }
    if (why.code == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "image %.*s for %.*s is not in the image store", STR_ARG(image_ref_short(a, ref)),
                       STR_ARG(image_platform_text(a, p)));
    return e ? (*e = why, false) : false;
}

bool image_list(struct arena *a, struct image_store *s, struct image_info **out, size_t *n, struct err *e)
{
    struct ref_record *all;
    size_t n_all;
    *n = 0;
    if (!refs_read(a, s, &all, &n_all, e)) return false;
    *out = ARENA_ARRAY(a, struct image_info, n_all + 1);
    for (size_t i = 0; i < n_all; i++) {
        struct err why = {0};
        struct image_info *info = &(*out)[*n];
        if (!record_read(a, s, all[i].manifest, info, &why)) {
            if (why.code == ERR_NOT_FOUND) continue; /* a power cut took a layer: the next pull brings it back */
            return e ? (*e = why, false) : false;
        }
        info->ref = all[i].ref;
        info->digest = all[i].digest;
        info->pulled_us = all[i].pulled_us;
        ++*n;
    }
    return true;
}
