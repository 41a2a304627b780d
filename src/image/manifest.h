/* The documents of an image: index (manifest list), manifest, configuration. OCI's and Docker's
 * (schema 2); schema 1, foreign layers and unknown media types are refused with a reason. Sizes,
 * digests and counts are checked, so that what comes out can be relied on. Pure; any thread.
 * Reference: OCI image-spec 1.1; distribution manifest-v2-2. */
#pragma once
#include "doc/val.h"
#include "image/ref.h"

struct image_desc {
    struct str media_type, digest;
    int64_t size;
};

struct image_index_row {
    struct image_desc desc;
    struct image_platform platform; /* os absent: not said */
    struct str ref_name;            /* the annotation org.opencontainers.image.ref.name, or that of containerd */
    bool attestation;               /* not an image */
};

struct image_manifest {
    struct image_desc config;
    struct image_desc *layers; /* lowest first */
    size_t n;
    struct str subject;
};

struct image_document {
    bool is_index;
    struct image_index_row *rows;
    size_t n_rows;
    struct image_manifest manifest;
};

/* `type`: the registry's Content-Type, or absent; must not contradict the document. */
bool image_document_parse(struct arena *a, struct str bytes, struct str type, struct image_document *out, struct err *e);
/* The manifest for that platform; NOT_FOUND lists those that there are. */
bool image_index_pick(struct arena *a, const struct image_document *index, const struct image_platform *want,
                      struct image_desc *out, struct err *e);
/* What an Accept header lists. */
extern const char image_document_types[];

struct image_words_list {
    struct str *items;
    size_t n;
};

struct image_config {
    struct image_platform platform;
    struct image_words_list entrypoint, cmd, env; /* env: "NAME=value" */
    struct str user, workdir, stop_signal, created;
    struct image_words_list volumes;   /* paths */
    struct val labels;                 /* a map, or VAL_NULL */
    struct image_words_list diff_ids;  /* lowest first */
};

bool image_config_parse(struct arena *a, struct str bytes, struct image_config *out, struct err *e);

enum layer_packing { LAYER_TAR, LAYER_GZIP, LAYER_ZSTD };
bool image_layer_packing(struct str media_type, enum layer_packing *out, struct err *e);
