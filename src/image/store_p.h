/* Private to image: the store's places, locks, records. */
#pragma once
#include <pthread.h>

#include "image/image.h"
#include "image/unpack.h"

struct registry_cache;
struct image_store {
    struct arena arena;
    const char *dir; /* STATE/images, absolute */
    struct image_settings settings;
    struct registry_cache *registries; /* registry.c: tokens and schemes that were found out */
};

/* registry.c */
struct registry_cache *registry_cache_new(void);
void registry_cache_free(struct registry_cache *c);

/* "DIR/…" in the arena */
const char *store_path(struct arena *a, const struct image_store *s, const char *fmt, ...) PRINTF_LIKE(3, 4);
const char *store_blob_path(struct arena *a, const struct image_store *s, struct str digest);
/* A directory of its own below tmp/. */
bool store_tmp(struct arena *a, struct image_store *s, const char **out, struct err *e);

enum store_lock { STORE_SHARED, STORE_NOW, STORE_ALONE };
/* The whole store. NOW (shared) and ALONE do not wait: CONFLICT. Returns the descriptor or -1. */
int store_lock(struct image_store *s, enum store_lock how, const atomic_bool *cancelled, struct err *e);
/* One blob or layer; waits for whoever has it. `stage` (may be NULL) says so meanwhile. */
int store_lock_item(struct image_store *s, const char *kind, struct str name, const atomic_bool *cancelled, atomic_int *stage,
                    struct err *e);

bool store_blob_write(struct image_store *s, struct str digest, struct str bytes, struct err *e);
/* Checked against its digest: what lies on a disk may have changed. */
bool store_blob_read(struct arena *a, struct image_store *s, struct str digest, struct str *out, struct err *e);

/* ---- records (record.c) ---- */

struct ref_record {
    struct str ref, digest, manifest;
    struct image_platform platform;
    int64_t pulled_us;
};
bool record_write(struct image_store *s, const struct image_info *info, struct err *e);
bool ref_write(struct image_store *s, const struct ref_record *r, struct err *e);
bool ref_read(struct arena *a, struct image_store *s, struct str ref, const struct image_platform *p, struct ref_record *out, struct err *e);
bool ref_file_read(struct arena *a, const char *path, struct ref_record *out, struct err *e);
bool refs_read(struct arena *a, struct image_store *s, struct ref_record **out, size_t *n, struct err *e);
const char *ref_path(struct arena *a, const struct image_store *s, struct str ref, const struct image_platform *p);
/* The image of a manifest; its layers are complete, or NOT_FOUND. */
bool record_read(struct arena *a, struct image_store *s, struct str manifest, struct image_info *out, struct err *e);

/* ---- layers (layer.c) ---- */

struct layer_work {
    struct image_layer layer; /* digest, diff_id, … come in; name, dir, counts come out */
    struct str chain;         /* chain id up to this layer, "sha256:…" */
    bool lowest, done, needs_lower;
};
/* digest … of a manifest's layers and a configuration's diff_ids → work. They must match in number. */
bool layers_plan(struct arena *a, struct image_store *s, const struct image_manifest *m, const struct image_config *c,
                 struct layer_work **out, struct err *e);
/* The one of that name, which lives as long as *l; false: it is not there. Fills in *l. */
bool layer_at(struct arena *a, struct image_store *s, struct str name, struct image_layer *l);
/* Is it there already, under either of its names? Fills it in. */
bool layer_look(struct arena *a, struct image_store *s, struct layer_work *w);
struct layer_from {
    struct unpack_source source;
    struct str blob_digest; /* absent: the source is right */
    bool own; /* the source's descriptor is closed afterwards */
    const atomic_bool *cancelled;
    struct image_progress_layer *progress; /* may be NULL */
};
/* Unpacks it unless it is there. needs_lower (and true): again with the layers below, when they are there. */
bool layer_make(struct arena *a, struct image_store *s, struct layer_work *w, const struct layer_work *below, size_t n_below,
                const struct layer_from *from, struct err *e);
void layers_info(struct arena *a, const struct layer_work *works, size_t n, struct image_info *info);

/* ---- all layers of an image (layers.c) ---- */

struct layers_job {
    struct layer_work *works;
    size_t n;
    int parallel;
    /* Where the bytes of layer i, which is w, are; nowhere (fd -1) when somebody else has unpacked it meanwhile; may take long. Called from several threads, for different layers. */
    bool (*fetch)(void *user, struct arena *a, size_t i, struct layer_work *w, const atomic_bool *stop, struct layer_from *out, struct err *e);
    void *user;
    const atomic_bool *cancelled;
    struct image_progress *progress; /* may be NULL */
};
/* Those that are not there yet, several at once; the first failure stops the others. */
bool layers_make(struct arena *a, struct image_store *s, struct layers_job *j, struct err *e);
