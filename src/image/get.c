/* An image that is wanted: as it lies here, or from a registry. See image.h. */
#include <unistd.h>

#include "image/digest.h"
#include "image/download.h"
#include "os/clock.h"
#include "os/fd.h"

struct getting {
    struct arena *a;
    struct image_store *s;
    const struct image_get *g;
    struct image_platform want;
    struct registry *registries; /* the one that had the manifest first */
    size_t n;
    struct str digest, manifest, manifest_bytes, config_bytes;
    struct image_manifest m;
    struct image_info info;
};

bool image_policy_parse(struct str text, const struct image_ref *ref, enum image_policy *out, struct err *e)
{
    static const struct { const char *word; enum image_policy policy; } rows[] = {
        {"Always", IMAGE_ALWAYS}, {"IfNotPresent", IMAGE_IF_NOT_PRESENT}, {"Never", IMAGE_NEVER}};
    *out = !ref->digest.p && str_is(ref->tag, "latest") ? IMAGE_ALWAYS : IMAGE_IF_NOT_PRESENT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_is(text, rows[i].word)) return *out = rows[i].policy, true;
    return !text.n || err_set(e, ERR_SPEC, "image pull policy '%.*s' is none of Always, IfNotPresent and Never", STR_ARG(text));
}

/* ---- documents ---- */

static bool document_get(struct getting *x, struct registry *r, struct str reference, const struct image_desc *expected,
                         struct image_document *doc, struct str *bytes, struct str *digest, struct err *e)
{
    struct str type;
    if (!registry_manifest(x->a, r, reference, bytes, &type, digest, e)) return false;
    if (expected && (int64_t)bytes->n != expected->size)
        return err_set(e, ERR_SPEC, "manifest %.*s has %zu bytes instead of %lld", STR_ARG(*digest), bytes->n, (long long)expected->size);
    return image_document_parse(x->a, *bytes, type.n ? type : expected ? expected->media_type : STR_NONE, doc, e) ||
           err_ctx(e, "registry %.*s, %.*s", STR_ARG(r->host), STR_ARG(r->path));
}

static bool manifest_get(struct getting *x, struct registry *r, struct err *e)
{
    struct image_document doc;
    struct image_desc child;
    const struct image_ref *ref = x->g->ref;
    if (!document_get(x, r, ref->digest.p ? ref->digest : ref->tag, NULL, &doc, &x->manifest_bytes, &x->digest, e)) return false;
    x->manifest = x->digest;
    if (doc.is_index) {
        if (!image_index_pick(x->a, &doc, &x->want, &child, e) ||
            !document_get(x, r, child.digest, &child, &doc, &x->manifest_bytes, &x->manifest, e))
            return false;
        if (doc.is_index) return err_set(e, ERR_UNSUPPORTED, "the index of the image leads to another index");
    }
    x->m = doc.manifest;
    return true;
}

static bool bytes_keep(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    (void)head, (void)e;
    buf_str(user, piece);
    return true;
}

static bool config_get(struct getting *x, struct registry *r, struct err *e)
{
    struct image_desc *d = &x->m.config;
    struct buf b CLEANUP(buf_fini);
    struct web_reply reply = {0};
    buf_init(&b, LIMIT_IMAGE_DOCUMENT_BYTES);
    if (store_blob_read(x->a, x->s, d->digest, &x->config_bytes, &(struct err){0})) return true;
    for (unsigned tries = 1;; tries++) {
        buf_reset(&b);
        bool ok = registry_blob(x->a, r, d->digest, 0, (uint64_t)d->size, bytes_keep, &b, &reply, e);
        if (ok && !registry_is_passing(&reply)) break;
        if (!ok && e->code != ERR_UNREACHABLE && e->code != ERR_TIMEOUT) return err_ctx(e, "registry %.*s", STR_ARG(r->host));
        if (registry_wait(r, tries, ok ? &reply : NULL)) continue;
        return ok ? registry_says(x->a, r, &reply, "the image's configuration", e) : err_ctx(e, "registry %.*s", STR_ARG(r->host));
    }
    if (reply.status != 200) return registry_says(x->a, r, &reply, "the image's configuration", e);
    x->config_bytes = buf_dup(x->a, &b);
    return digest_verify(d->digest, x->config_bytes, "the image's configuration", e);
}

/* The first registry that has it all; then it is asked for the layers first. */
static bool documents_get(struct getting *x, struct err *e)
{
    struct err first = {0};
    for (size_t i = 0; i < x->n; i++) {
        struct err why = {0};
        struct registry *r = &x->registries[i];
        if (registry_ping(x->a, r, &why) && manifest_get(x, r, &why) && config_get(x, r, &why)) {
            struct registry chosen = *r;
            memmove(&x->registries[1], &x->registries[0], i * sizeof *r);
            x->registries[0] = chosen;
            return true;
        }
        first = why; /* of the image's own host in the end: mirrors may lack things */
        if (x->g->cancelled && atomic_load(x->g->cancelled)) break;
    }
    return e ? (*e = first, false) : false;
}

/* ---- layers ---- */

static bool fetch(void *user, struct arena *a, size_t i, struct layer_work *w, const atomic_bool *stop, struct layer_from *out, struct err *e)
{
    struct getting *x = user;
    struct image_progress_layer *p = x->g->progress ? &x->g->progress->layers[i] : NULL;
    return layer_download(a, x->s, x->registries, x->n, &x->m.layers[i], w, stop, p, out, e);
}

static void progress_fill(struct getting *x)
{
    struct image_progress *p = x->g->progress;
    if (!p) return;
    for (size_t i = 0; i < x->m.n; i++) {
        snprintf(p->layers[i].digest, sizeof p->layers[i].digest, "%.12s", digest_hex(x->m.layers[i].digest).p);
        p->layers[i].size = (uint64_t)x->m.layers[i].size;
    }
    atomic_store(&p->n, (int)x->m.n);
    atomic_store(&p->stage, IMAGE_DOWNLOADING);
}

static bool layers_get(struct getting *x, struct err *e)
{
    struct layer_work *works;
    struct image_config *c = &x->info.config;
    if (!image_config_parse(x->a, x->config_bytes, c, e) || !layers_plan(x->a, x->s, &x->m, c, &works, e)) return false;
    if (!c->platform.os.n) c->platform = x->want;
    if (!image_platform_fits(&x->want, &c->platform))
        return err_set(e, ERR_NOT_FOUND, "image %.*s is for %.*s, not for %.*s", STR_ARG(image_ref_short(x->a, x->g->ref)),
                       STR_ARG(image_platform_text(x->a, &c->platform)), STR_ARG(image_platform_text(x->a, &x->want)));
    progress_fill(x);
    struct layers_job j = {.works = works, .n = x->m.n, .parallel = x->s->settings.parallel, .fetch = fetch, .user = x,
                           .cancelled = x->g->cancelled, .progress = x->g->progress};
    if (!layers_make(x->a, x->s, &j, e)) return false;
    layers_info(x->a, works, x->m.n, &x->info);
    return true;
}

static bool image_keep(struct getting *x, struct err *e)
{
    struct image_info *i = &x->info;
    i->ref = image_ref_text(x->a, x->g->ref);
    i->digest = x->digest;
    i->manifest = x->manifest;
    i->config_digest = x->m.config.digest;
    i->pulled_us = clock_now_us();
    struct ref_record r = {.ref = i->ref, .digest = i->digest, .manifest = i->manifest, .platform = x->want, .pulled_us = i->pulled_us};
    return store_blob_write(x->s, i->config_digest, x->config_bytes, e) && store_blob_write(x->s, i->manifest, x->manifest_bytes, e) &&
           record_write(x->s, i, e) && ref_write(x->s, &r, e);
}

static bool image_pull(struct getting *x, struct err *e)
{
    struct ref_record before;
    struct err ignored = {0};
    if (x->g->progress) atomic_store(&x->g->progress->stage, IMAGE_RESOLVING);
    if (!registries_of(x->a, x->s, x->g->ref, x->g->cancelled, &x->registries, &x->n, e) || !documents_get(x, e)) return false;
    bool had = ref_read(x->a, x->s, image_ref_text(x->a, x->g->ref), &x->want, &before, &ignored) && str_eq(before.manifest, x->manifest) &&
               record_read(x->a, x->s, x->manifest, &x->info, &ignored);
    if (x->g->pulled) *x->g->pulled = !had;
    if (!had) x->info = (struct image_info){0};
    return layers_get(x, e) && image_keep(x, e);
}

bool image_get(struct arena *a, struct image_store *s, const struct image_get *g, struct image_info *out, int *hold, struct err *e)
{
    struct getting x = {.a = a, .s = s, .g = g, .want = g->platform ? *g->platform : image_platform_host()};
    struct err why = {0};
    *hold = -1;
    if (g->pulled) *g->pulled = false;
    CLEANUP(close_fd) int lock = store_lock(s, STORE_SHARED, g->cancelled, e);
    if (lock < 0) return false;
    bool here = g->policy != IMAGE_ALWAYS && image_find(a, s, g->ref, &x.want, &x.info, &why);
    if (!here && g->policy == IMAGE_NEVER) {
        if (why.code == ERR_NOT_FOUND) err_set(&why, ERR_NOT_FOUND, "%s, and its pull policy is Never", why.text);
        return e ? (*e = why, false) : false;
    }
    if (!here && !image_pull(&x, &why)) {
        err_ctx(&why, "image %.*s", STR_ARG(image_ref_short(a, g->ref)));
        return e ? (*e = why, false) : false;
    }
    if (g->progress) atomic_store(&g->progress->stage, IMAGE_READY);
    *out = x.info;
    return (*hold = image_hold(s, x.info.manifest, e)) >= 0;
}
