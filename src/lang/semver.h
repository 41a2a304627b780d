/* Semantic versions as github.com/Masterminds/semver 3.3.1 reads, orders and writes them.
 * Pure; any thread. Texts are not copied. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct semver {
    uint64_t part[3]; /* major, minor, patch; what is missing is 0 */
    struct str pre, meta; /* without "-" and "+"; "" = none */
    struct str original;
};

/* "v1.2-rc.1+build"; a leading v, and minor and patch, may be missing. */
bool semver_read(struct str text, struct semver *out, struct err *e);
bool semver_pre_valid(struct str pre);
bool semver_meta_valid(struct str meta);
/* -1, 0, 1; meta does not count. */
int semver_order(const struct semver *a, const struct semver *b);
int semver_pre_order(struct str a, struct str b); /* of two pre-releases that are both there */
bool semver_same(const struct semver *a, const struct semver *b); /* in every part, original included */
struct str semver_text(struct arena *a, const struct semver *v);

/* Whether v meets a constraint such as ">=1.2, <2 || ~3.1". False with e set: it cannot be read. */
bool semver_meets(struct arena *a, struct str constraint, const struct semver *v, bool *out, struct err *e);
