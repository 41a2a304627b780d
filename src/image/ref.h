/* Image references, in Docker's grammar: [host[:port]/]path[:tag][@digest].
 *
 * A name without a host is one of docker.io, a path of one word there begins with library/, and without
 * tag and digest the tag is latest. The first word is a host when it has a dot or a colon, or is
 * localhost. Pure. Runs on: any thread. Reference: distribution/reference, OCI distribution spec 1.1. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct image_ref {
    struct str host;   /* "docker.io", "localhost:5000" */
    struct str path;   /* "library/busybox" */
    struct str tag;    /* absent: only a digest */
    struct str digest; /* "sha256:…", or absent */
};

/* ERR_SPEC, with what is wrong with it. */
bool image_ref_parse(struct arena *a, struct str text, struct image_ref *out, struct err *e);
/* All of it: "docker.io/library/busybox:latest". */
struct str image_ref_text(struct arena *a, const struct image_ref *r);
/* As people write it: "busybox:latest"; and without tag and digest: "busybox". */
struct str image_ref_short(struct arena *a, const struct image_ref *r);
struct str image_ref_repository(struct arena *a, const struct image_ref *r);

/* Where the words "os/arch[/variant]" of a platform lead. */
struct image_platform {
    struct str os, arch, variant; /* "linux", "arm64", "v8"; variant may be absent */
};
/* Also the other usual names of a processor (x86_64, aarch64). ERR_SPEC: not such words. */
bool image_platform_parse(struct arena *a, struct str text, struct image_platform *out, struct err *e);
struct image_platform image_platform_host(void);
struct str image_platform_text(struct arena *a, const struct image_platform *p);
/* Does an image for `have` run on `want`? What either does not say fits. */
bool image_platform_fits(const struct image_platform *want, const struct image_platform *have);
