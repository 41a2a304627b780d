/* OCI images: pulled, imported, unpacked once, kept below the state directory (images/), given to steps as
 * directories for overlayfs.
 *
 * A pulled or imported image is a reference, a manifest and layers; all are found by content, so images share
 * what they have in common, and several processes may use one store: each blob and layer has a lock, and
 * whoever comes second waits for the first. Files appear complete or not at all (written aside, then renamed);
 * what a crash leaves behind is taken up again by the next pull, or removed by image_gc.
 *
 *   images/lock             shared by whoever adds, alone by whoever removes
 *   images/refs/HASH        a name: {"ref", "digest", "manifest", "platform", "pulled"}
 *   images/manifests/HEX    an image: {"manifest", "config", "layers", …}
 *   images/blobs/sha256/HEX manifests, configurations; layers until they are unpacked. HEX.partial: on its way
 *   images/layers/NAME/fs   an unpacked layer; NAME is the diff_id's HEX, or c-HEX of the chain where the layer depends on
 *                           those below. `unsynced`: of this boot, not yet known to be on the disk
 *   images/holds/HEX        locked (shared) by the users of that image
 *   images/locks/, tmp/     of the moment
 *
 * Functions that may wait long run on a thread of the caller's, never on the loop's; image_ensure_new makes one. */
#pragma once
#include <stdatomic.h>

#include "base/limits.h"
#include "image/manifest.h"
#include "loop/loop.h"

struct image_settings {
    struct str mirrors;  /* "docker.io=mirror.example:5000/prefix quay.io=…": words; asked first, in order */
    struct str insecure; /* hosts, as words, that may be asked without TLS or with a certificate that nobody signed */
    struct str auth_file; /* credentials; absent: the usual files */
    int parallel;        /* layers at once; 0: 4 */
};

struct image_store;
struct image_store *image_store_open(const char *state_dir, const struct image_settings *settings, struct err *e);
void image_store_close(struct image_store *s); /* NULL is fine; nothing may be under way */

struct image_layer {
    struct str digest, diff_id; /* as packed, and not */
    struct str media_type;
    int64_t size;               /* packed */
    struct str name, dir;       /* below layers/; the absolute directory to mount */
    int64_t bytes, entries;     /* unpacked */
    int64_t devices, xattrs;    /* that were left out */
};

struct image_info {
    struct str ref;            /* in full; absent: nobody names it any more */
    struct str digest;         /* what the reference stood for: of an index or a manifest */
    struct str manifest;       /* digest of the manifest: which image it is */
    struct str config_digest;
    struct image_config config; /* entrypoint, cmd, env, user, workdir, platform, … */
    struct image_layer *layers; /* lowest first */
    size_t n_layers;
    int64_t pulled_us;
    int64_t size, bytes;       /* packed and unpacked */
};

/* The image as it lies here; NOT_FOUND: it does not, or not completely. `platform` NULL: this machine's. */
bool image_find(struct arena *a, struct image_store *s, const struct image_ref *ref, const struct image_platform *platform,
                struct image_info *out, struct err *e);
/* All names, sorted. */
bool image_list(struct arena *a, struct image_store *s, struct image_info **out, size_t *n, struct err *e);

/* As long as the descriptor (or a copy of it in another process) is open, rm and gc leave the image alone. -1: e is set. */
int image_hold(struct image_store *s, struct str manifest, struct err *e);
/* The same without waiting: CONFLICT while something is being removed. */
int image_hold_now(struct image_store *s, struct str manifest, struct err *e);

/* Another number whenever a name was added, changed or removed; 0: just now, so that more may follow unnoticed.
 * What image_find said holds as long as it is the same, and the layers as long as they are held beside. */
int64_t image_store_stamp(const struct image_store *s);

/* A small file of the image as its layers show it together; links stay within them. NOT_FOUND: it has no such file. */
bool image_read(struct arena *a, const struct image_info *info, const char *path, size_t max, struct str *out, struct err *e);

/* ---- getting ---- */

enum image_policy { IMAGE_IF_NOT_PRESENT, IMAGE_ALWAYS, IMAGE_NEVER };
/* Argo's and Kubernetes' default: Always for the tag latest, else IfNotPresent. `text`: "Always", …, or absent. */
bool image_policy_parse(struct str text, const struct image_ref *ref, enum image_policy *out, struct err *e);

enum image_stage { IMAGE_RESOLVING, IMAGE_WAITING, IMAGE_DOWNLOADING, IMAGE_UNPACKING, IMAGE_READY, IMAGE_STAGES };

/* How far it is: written by the threads that work, read by whoever shows it. */
struct image_progress_layer {
    char digest[16];           /* the first 12 digits */
    atomic_int stage;
    atomic_ullong got, unpacked; /* packed bytes, of size */
    uint64_t size;
};
struct image_progress {
    atomic_int stage;
    atomic_int n;              /* layers; they are filled in before this is set */
    struct image_progress_layer layers[LIMIT_IMAGE_LAYERS];
};

struct image_get {
    const struct image_ref *ref;
    const struct image_platform *platform; /* NULL: this machine's */
    enum image_policy policy;
    const atomic_bool *cancelled;          /* may be NULL; ends it with TIMEOUT */
    struct image_progress *progress;       /* may be NULL; zeroed by the caller */
    bool *pulled;                          /* may be NULL: something was asked of a registry, and new */
};
/* Makes sure that the image is here, under the policy. *hold: as image_hold. Waits. */
bool image_get(struct arena *a, struct image_store *s, const struct image_get *g, struct image_info *out, int *hold, struct err *e);
/* Afterwards: what is new survives a power cut, and packed layers that are no longer needed go. Waits. */
bool image_settle(struct image_store *s, const struct image_info *info, struct err *e);

/* The same on a loop. `done` is called once, from the loop; info lives until it returns, the hold is the
 * receiver's. Requests for one image and platform under one policy share the work. Cancelling calls
 * nothing more; what nobody wants any more stops. Runs on: the loop thread. */
struct image_waiter;
typedef void image_done_fn(void *user, const struct image_info *info, int hold, const struct err *e);
struct image_puller;
struct image_puller *image_puller_new(struct loop *l, struct image_store *s, struct err *e);
void image_puller_free(struct image_puller *p); /* ends what is under way, and waits for that */
struct image_waiter *image_ensure_new(struct image_puller *p, const struct image_ref *ref, const struct image_platform *platform,
                                      enum image_policy policy, image_done_fn *done, void *user, struct err *e);
void image_ensure_cancel(struct image_waiter *w); /* NULL is fine; not after done */
const struct image_progress *image_ensure_progress(const struct image_waiter *w);

/* ---- importing, removing ---- */

/* A docker-archive or OCI-layout, as tar (packed or not) or directory. `name` absent: the names that it has. *out: what came. */
bool image_import(struct arena *a, struct image_store *s, const char *path, struct str name, const struct image_platform *platform,
                  const atomic_bool *cancelled, struct image_info **out, size_t *n, struct err *e);

/* Forgets a name (`platform` NULL: for all of them); CONFLICT while the image has users and no other name. Nothing else
 * is removed: image_gc. */
bool image_remove(struct image_store *s, const struct image_ref *ref, const struct image_platform *platform, struct err *e);

enum image_waste { IMAGE_WASTE_IMAGE, IMAGE_WASTE_LAYER, IMAGE_WASTE_BLOB, IMAGE_WASTE_PARTIAL, IMAGE_WASTE_TMP };
struct image_waste_row {
    enum image_waste kind;
    struct str name;
    int64_t bytes;
};
/* What no name and no user needs is removed; with dry_run only listed. `partials`: unfinished downloads too. CONFLICT
 * while something is being pulled or imported. */
bool image_gc(struct arena *a, struct image_store *s, bool dry_run, bool partials, struct image_waste_row **out, size_t *n,
              struct err *e);

/* Names whose image is not whole: a record, a layer or a document of it is missing or damaged. *out: a sentence for each. With
 * `mend` such a name goes, so that the image is fetched again when somebody wants it; CONFLICT as for gc. */
bool image_check(struct arena *a, struct image_store *s, bool mend, struct str **out, size_t *n, struct err *e);
