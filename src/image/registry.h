/* Private to image: one repository in a registry, by the OCI distribution protocol. Tokens and what was found
 * out about a registry are kept in the store's cache, for all threads.
 * Runs on: any thread that may wait. Reference: OCI distribution-spec 1.1; distribution/docs/spec/auth. */
#pragma once
#include "image/store_p.h"
#include "net/web.h"

struct registry {
    struct image_store *s;
    struct str host, path;  /* "docker.io", "library/busybox"; of a mirror: its own */
    struct str base;        /* "https://registry-1.docker.io" */
    bool insecure;          /* TLS without a check of the certificate */
    const atomic_bool *cancelled;
};

/* Where the image may be asked for: mirrors, then the host. */
bool registries_of(struct arena *a, struct image_store *s, const struct image_ref *ref, const atomic_bool *cancelled,
                   struct registry **out, size_t *n, struct err *e);
/* Finds out how it is spoken to: r->base. UNREACHABLE, or it is no registry. */
bool registry_ping(struct arena *a, struct registry *r, struct err *e);
/* `reference`: a tag or digest. The digest of the bytes is computed, and compared with what the registry says. */
bool registry_manifest(struct arena *a, struct registry *r, struct str reference, struct str *bytes, struct str *type, struct str *digest,
                       struct err *e);
/* The bytes from `offset` on go to on_piece; head->status says whether that offset was minded (206) or not (200). Tries once. */
bool registry_blob(struct arena *a, struct registry *r, struct str digest, uint64_t offset, uint64_t size,
                   bool (*on_piece)(void *user, const struct web_reply *head, struct str piece, struct err *e), void *user,
                   struct web_reply *reply, struct err *e);
/* Waits before try number `tries` (from 1), or as long as the reply (may be NULL) asks for. False: no more, or not wanted. */
bool registry_wait(const struct registry *r, unsigned tries, const struct web_reply *reply);
bool registry_is_passing(const struct web_reply *reply); /* 429, 408 and 5xx: it may be different later */
bool registry_says(struct arena *a, const struct registry *r, const struct web_reply *reply, const char *what, struct err *e); /* its refusal → e */
