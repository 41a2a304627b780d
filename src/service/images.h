/* Operations on the images of a state directory: pull, list, inspect, import, forget, reclaim. They need neither the
 * database nor an engine, and may run beside one.
 *
 * What is shown is struct val: {"ref", "repository", "tag", "digest", "manifest", "id", "platform", "created", "pulled",
 * "sizeBytes" (packed), "bytes" (unpacked), "layers": […], "config": {…}}.
 * Runs on: the main thread; pulls have threads of their own. */
#pragma once
#include "config/config.h"
#include "doc/val.h"
#include "loop/loop.h"

struct service_images;
/* Makes the directories that are missing. NULL: e is set. */
struct service_images *service_images_open(const struct config *c, struct str state_dir, struct err *e);
void service_images_close(struct service_images *s); /* NULL is fine */

bool service_images_list(struct arena *a, struct service_images *s, struct val *out, struct err *e);
/* `platform` absent: the configured one. Absent also means "all" for remove. */
bool service_images_inspect(struct arena *a, struct service_images *s, struct str ref, struct str platform, struct val *out, struct err *e);
/* *out: a list of what came. `path` "-": stdin. */
bool service_images_import(struct arena *a, struct service_images *s, const char *path, struct str name, struct str platform, struct val *out,
                           struct err *e);
/* The images named so, from docker's or podman's own store, through their programs. `from`: "docker" or "podman". */
bool service_images_import_from(struct arena *a, struct service_images *s, const char *from, struct str ref, struct str name, struct val *out,
                                struct err *e);
bool service_images_remove(struct arena *a, struct service_images *s, struct str ref, struct str platform, struct str *done, struct err *e);

/* *out: a list of {"kind", "name", "bytes"}. */
bool service_images_gc(struct arena *a, struct service_images *s, bool dry_run, bool partials, struct val *out, struct err *e);

/* *out: a list of sentences about images that are not whole; with `mend` their names go. */
bool service_images_check(struct arena *a, struct service_images *s, bool mend, struct val *out, struct err *e);

struct service_pull_layer {
    const char *digest; /* its first digits */
    const char *stage;  /* "waiting", "downloading", "unpacking", "ready", or "" */
    uint64_t got, unpacked, size;
};
/* Waits for the image while the loop runs; `look` is called some times a second with how far it is. `policy`: Always,
 * IfNotPresent, Never, or absent: Always. *out: the image; *fresh: it was not there. */
struct service_pull {
    struct str ref, platform, policy;
    void (*look)(void *user, const char *stage, const struct service_pull_layer *layers, size_t n);
    void *user;
};
bool service_images_pull(struct arena *a, struct service_images *s, const struct service_pull *p, struct val *out, struct err *e);
