/* Digests: "sha256:<64 hex>" and "sha512:<128 hex>", and computing them. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { DIGEST_HEX_MAX = 128 };

/* A well-formed digest of an algorithm that is known; ERR_SPEC says what is wrong. */
bool digest_check(struct str digest, struct err *e);
struct str digest_hex(struct str digest); /* of a checked one */

/* One computation; reusable after digest_end. */
struct digester {
    void *ctx;
    bool wide; /* sha512 */
};
/* By the algorithm of `digest` (checked); absent: sha256. */
void digester_init(struct digester *d, struct str digest);
void digester_fini(struct digester *d); /* may be called twice, and by CLEANUP */
void digester_add(struct digester *d, const void *p, size_t n);
/* "sha256:…" in the arena; the digester begins anew. */
struct str digester_end(struct digester *d, struct arena *a);

struct str digest_of(struct arena *a, struct str bytes); /* sha256 */
/* ERR_SPEC when the bytes do not have that digest. `what` names them. */
bool digest_verify(struct str digest, struct str bytes, const char *what, struct err *e);
