/* Images from archives and directories. See image.h. */
#include <unistd.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "image/bundle.h"
#include "image/digest.h"
#include "os/clock.h"
#include "os/fd.h"

struct import {
    struct arena *a;
    struct image_store *s;
    struct bundle b;
    struct str name; /* as given; absent: what is in it */
    struct image_platform want;
    const atomic_bool *cancelled;
    VEC(struct image_info) done;
};

struct one { /* image */
    struct str *names;
    size_t n_names;
    struct str manifest, manifest_bytes, config, config_bytes;
    struct image_manifest m;
    struct unpack_source *sources;
    bool verified; /* digests of m are claims about the sources' bytes */
};

static bool fetch(void *user, struct arena *a, size_t i, struct layer_work *w, const atomic_bool *stop, struct layer_from *out, struct err *e)
{
    const struct one *o = user;
    (void)a, (void)w, (void)stop, (void)e;
    *out = (struct layer_from){.source = o->sources[i], .blob_digest = o->verified ? o->m.layers[i].digest : STR_NONE};
    return true;
}

static bool names_write(struct import *x, const struct one *o, struct image_info *info, struct err *e)
{
    for (size_t i = 0; i < o->n_names; i++) {
        struct image_ref ref;
        if (!image_ref_parse(x->a, o->names[i], &ref, e)) return false;
        struct ref_record r = {.ref = image_ref_text(x->a, &ref), .digest = o->manifest, .manifest = o->manifest,
                               .platform = info->config.platform, .pulled_us = info->pulled_us};
        if (!ref_write(x->s, &r, e)) return false;
        info->ref = r.ref;
        VEC_PUSH(&x->done, *info);
    }
    return true;
}

static bool platform_default(struct import *x, struct image_config *c, struct err *e)
{
    if (!c->platform.os.n) c->platform.os = STR("linux");
    if (!c->platform.arch.n) c->platform.arch = x->want.arch;
    return str_is(c->platform.os, "linux") || err_set(e, ERR_UNSUPPORTED, "the image is for %.*s, not for linux", STR_ARG(c->platform.os));
}

static bool one_import(struct import *x, struct one *o, struct err *e)
{
    struct image_info info = {.manifest = o->manifest, .digest = o->manifest, .config_digest = o->config, .pulled_us = clock_now_us()};
    struct layer_work *works;
    if (!o->n_names) return err_set(e, ERR_USAGE, "the image has no name: give one with --name");
    if (!image_config_parse(x->a, o->config_bytes, &info.config, e) || !platform_default(x, &info.config, e) ||
        !layers_plan(x->a, x->s, &o->m, &info.config, &works, e))
        return false;
    struct layers_job j = {.works = works, .n = o->m.n, .parallel = x->s->settings.parallel, .fetch = fetch, .user = o, .cancelled = x->cancelled};
    if (!layers_make(x->a, x->s, &j, e)) return false;
    layers_info(x->a, works, o->m.n, &info);
    return store_blob_write(x->s, o->config, o->config_bytes, e) && store_blob_write(x->s, o->manifest, o->manifest_bytes, e) &&
           record_write(x->s, &info, e) && names_write(x, o, &info, e);
}

static void names_given(struct import *x, struct one *o, const struct val *tags)
{
    o->names = ARENA_ARRAY(x->a, struct str, (tags ? tags->n : 0) + 1);
    if (x->name.n) o->names[o->n_names++] = x->name;
    else
        for (uint32_t i = 0; tags && tags->kind == VAL_LIST && i < tags->n; i++)
            if (tags->items[i].kind == VAL_STR) o->names[o->n_names++] = tags->items[i].s;
}

/* ---- docker-archive ---- */

/* It has no manifest of the usual kind: one is made, of the unpacked layers. */
static void manifest_make(struct import *x, struct one *o, const struct image_config *c)
{
    struct arena *a = x->a;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_IMAGE_DOCUMENT_BYTES);
    buf_printf(&b, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
               "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%.*s\",\"size\":%zu},\"layers\":[", STR_ARG(o->config), o->config_bytes.n);
    o->m.layers = ARENA_ARRAY(a, struct image_desc, o->m.n + 1);
    for (size_t i = 0; i < o->m.n; i++) {
        struct image_desc *d = &o->m.layers[i];
        *d = (struct image_desc){STR("application/vnd.oci.image.layer.v1.tar"), c->diff_ids.items[i], (int64_t)o->sources[i].size};
        buf_printf(&b, "%s{\"mediaType\":\"%.*s\",\"digest\":\"%.*s\",\"size\":%lld}", i ? "," : "", STR_ARG(d->media_type), STR_ARG(d->digest),
                   (long long)d->size);
    }
    buf_str(&b, STR("]}"));
    o->manifest_bytes = buf_dup(a, &b);
    o->manifest = digest_of(a, o->manifest_bytes);
}

static bool docker_one(struct import *x, const struct val *v, struct err *e)
{
    struct one o = {0};
    struct image_config c;
    const struct val *layers = val_get(v, STR("Layers"));
    struct str config = val_get_str(v, "Config");
    if (!config.n || !layers || layers->kind != VAL_LIST) return err_set(e, ERR_SPEC, "manifest.json has an entry without Config or Layers");
    if (!bundle_read(&x->b, config, &o.config_bytes, e) || !image_config_parse(x->a, o.config_bytes, &c, e)) return false;
    if (layers->n != c.diff_ids.n || layers->n > LIMIT_IMAGE_LAYERS)
        return err_set(e, ERR_SPEC, "manifest.json has %u layers, the configuration %zu", layers->n, c.diff_ids.n);
    o.config = digest_of(x->a, o.config_bytes);
    o.sources = ARENA_ARRAY(x->a, struct unpack_source, layers->n + 1);
    for (; o.m.n < layers->n; o.m.n++)
        if (!bundle_find(&x->b, val_text(&layers->items[o.m.n]), &o.sources[o.m.n], e)) return false;
    manifest_make(x, &o, &c);
    names_given(x, &o, val_get(v, STR("RepoTags")));
    return one_import(x, &o, e);
}

static bool docker_import(struct import *x, struct str text, struct err *e)
{
    struct val v;
    if (!json_parse(x->a, text, NULL, &v, e)) return err_ctx(e, "manifest.json");
    if (v.kind != VAL_LIST || !v.n) return err_set(e, ERR_SPEC, "manifest.json is no list of images");
    if (v.n > 1 && x->name.n) return err_set(e, ERR_USAGE, "--name: there are %u images in it", v.n);
    for (uint32_t i = 0; i < v.n; i++)
        if (!docker_one(x, &v.items[i], e)) return false;
    return true;
}

/* ---- OCI layout ---- */

static struct str blob_name(struct import *x, struct str digest)
{
    struct str algorithm, hex;
    str_cut(digest, ':', &algorithm, &hex);
    return str_fmt(x->a, "blobs/%.*s/%.*s", STR_ARG(algorithm), STR_ARG(hex));
}

static bool blob_read(struct import *x, const struct image_desc *d, struct str *out, struct err *e)
{
    if (!bundle_read(&x->b, blob_name(x, d->digest), out, e)) return false;
    if ((int64_t)out->n != d->size) return err_set(e, ERR_SPEC, "%.*s has %zu bytes instead of %lld", STR_ARG(d->digest), out->n, (long long)d->size);
    return digest_verify(d->digest, *out, "a file of the image", e);
}

static bool layout_sources(struct import *x, struct one *o, struct err *e)
{
    o->sources = ARENA_ARRAY(x->a, struct unpack_source, o->m.n + 1);
    for (size_t i = 0; i < o->m.n; i++) {
        const struct image_desc *d = &o->m.layers[i];
        if (!bundle_find(&x->b, blob_name(x, d->digest), &o->sources[i], e)) return false;
        if ((int64_t)o->sources[i].size != d->size)
            return err_set(e, ERR_SPEC, "layer %.*s has %llu bytes instead of %lld", STR_ARG(d->digest),
                           (unsigned long long)o->sources[i].size, (long long)d->size);
    }
    return true;
}

static bool layout_one(struct import *x, const struct image_index_row *row, struct err *e)
{
    struct one o = {.verified = true};
    struct image_document doc;
    struct image_desc d = row->desc;
    struct val tag = val_of_str(row->ref_name), tags = {.kind = VAL_LIST, .n = row->ref_name.n ? 1 : 0, .items = &tag};
    if (!blob_read(x, &d, &o.manifest_bytes, e) || !image_document_parse(x->a, o.manifest_bytes, d.media_type, &doc, e)) return false;
    if (doc.is_index) {
        if (!image_index_pick(x->a, &doc, &x->want, &d, e) || !blob_read(x, &d, &o.manifest_bytes, e) ||
            !image_document_parse(x->a, o.manifest_bytes, d.media_type, &doc, e))
            return false;
        if (doc.is_index) return err_set(e, ERR_UNSUPPORTED, "an index within an index within an index");
    }
    o.m = doc.manifest;
    o.manifest = d.digest;
    o.config = o.m.config.digest;
    /* only a tag, as skopeo writes it, is no name */
    if (tags.n && !x->name.n && str_find_char(tag.s, '/', 0) < 0 && str_find_char(tag.s, ':', 0) < 0)
        return err_set(e, ERR_USAGE, "the image is called '%.*s' only: give it a name with --name", STR_ARG(tag.s));
    names_given(x, &o, &tags);
    return blob_read(x, &o.m.config, &o.config_bytes, e) && layout_sources(x, &o, e) && one_import(x, &o, e);
}

static bool layout_import(struct import *x, struct str text, struct err *e)
{
    struct image_document index;
    size_t fitting = 0;
    if (!image_document_parse(x->a, text, STR("application/vnd.oci.image.index.v1+json"), &index, e)) return err_ctx(e, "index.json");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < index.n_rows; i++) {
            const struct image_index_row *r = &index.rows[i];
            if (r->attestation || (r->platform.os.n && !image_platform_fits(&x->want, &r->platform))) continue;
            if (pass == 0) fitting++;
            else if (!layout_one(x, r, e)) return false;
            if (pass == 0 && fitting > 1 && x->name.n) return err_set(e, ERR_USAGE, "--name: there are several images in it");
        }
    return fitting || err_set(e, ERR_NOT_FOUND, "it has no image for %.*s", STR_ARG(image_platform_text(x->a, &x->want)));
}

static bool bundle_import(struct import *x, struct err *e)
{
    struct str text;
    struct err why = {0};
    if (bundle_read(&x->b, STR("manifest.json"), &text, &why)) return docker_import(x, text, e);
    if (why.code == ERR_NOT_FOUND && bundle_read(&x->b, STR("index.json"), &text, &why)) return layout_import(x, text, e);
    if (why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    return err_set(e, ERR_SPEC, "neither a docker-archive (manifest.json) nor an OCI layout (index.json)");
}

bool image_import(struct arena *a, struct image_store *s, const char *path, struct str name, const struct image_platform *platform,
                  const atomic_bool *cancelled, struct image_info **out, size_t *n, struct err *e)
{
    struct import x = {.a = a, .s = s, .name = name, .want = platform ? *platform : image_platform_host(), .cancelled = cancelled};
    struct image_ref ref;
    *n = 0;
    if (name.n && !image_ref_parse(a, name, &ref, e)) return false;
    if (name.n && ref.digest.p) return err_set(e, ERR_USAGE, "--name: a name has no digest");
    CLEANUP(close_fd) int lock = store_lock(s, STORE_SHARED, cancelled, e);
    if (lock < 0) return false;
    bool ok = bundle_open(&x.b, a, s, path, cancelled, e) && (bundle_import(&x, e) || err_ctx(e, "%s", path));
    bundle_close(&x.b);
    for (size_t i = 0; ok && i < x.done.n; i++) ok = image_settle(s, &x.done.items[i], e);
    *n = x.done.n;
    *out = ARENA_ARRAY(a, struct image_info, x.done.n + 1);
    if (x.done.n) memcpy(*out, x.done.items, x.done.n * sizeof **out);
    VEC_FINI(&x.done);
    return ok;
}
