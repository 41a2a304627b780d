/* What an `image:` means on this machine: the host's root file system, a root directory, an image, or nothing.
 *
 * Rows of the user's map are tried in file order; what they do not know an image of that name is (exec looks for it), or
 * else the built-in table (images.def). A pattern has * and ?; one without a tag matches every tag and digest;
 * "docker.io/" and "library/" before a name do not count. Nothing is pulled here. Pure except for looking whether programs exist.
 * Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "doc/val.h"

enum image_kind {
    IMAGE_ABSENT, /* there is none: an error of the step unless images.fallback = host */
    IMAGE_HOST,   /* the host's root file system */
    IMAGE_ROOT,   /* a directory is the root */
    IMAGE_STORED, /* the image that `ref` names; with its layers once it is here */
};

struct image_words {
    const struct str *items;
    size_t n;
};
/* name → value: environment variables; shims (command → absolute path of the host). */
struct image_pair {
    struct str name, value;
};
struct image_pairs {
    const struct image_pair *items;
    size_t n;
};
/* A file that the runtime places in the step before it starts, mode 0755. An absolute path means
 * exactly there; a bare name means in the step's shim directory, which is first on PATH. */
struct image_file {
    struct str path, text;
};
struct image_files {
    const struct image_file *items;
    size_t n;
};

struct image {
    enum image_kind kind;
    struct str root;               /* IMAGE_ROOT: absolute directory */
    struct str ref;                /* IMAGE_STORED */
    struct image_words layers;     /* of it, as directories, topmost first */
    struct str user;               /* of it: "USER", "UID:GROUP", …; absent: root */
    struct str passwd, group;      /* the texts of these files in it */
    struct image_words volumes;    /* directories of it that are to be there */
    struct image_words entrypoint; /* n == 0: none */
    struct image_words cmd;
    struct image_pairs env;
    struct image_pairs shims; /* links to make in the shim directory: `python` → /usr/bin/python3 */
    struct image_files files;
    struct str workdir; /* absent: "/" */
    struct str missing; /* a program that this row needs and the host has not; absent: none */
    struct str row;     /* the pattern that matched and where it stands, for messages */
};

struct image_map; /* lives in the arena */
/* `search`: colon-separated directories in which host programs are looked for; NULL: the standard
 * ones (never the caller's PATH: a step cannot see the caller's home). */
struct image_map *image_map_new(struct arena *a, const char *search);
/* Adds the rows of a parsed images file ({images: {pattern: host | absent | {…}}}). `file` names
 * it in errors; relative roots are an error. */
bool image_map_add(struct image_map *m, const struct val *doc, const char *file, struct err *e);
/* The first row of the user's that is about it; false: there is none. */
bool image_mapped(const struct image_map *m, struct str name, struct image *out);
/* The same of the built-in table. */
bool image_built_in(struct arena *a, const struct image_map *m, struct str name, struct image *out);

/* Rows of the built-in table, for docs and `skiff explain images`. */
struct image_row_doc {
    const char *pattern, *doc;
};
size_t image_builtin(const struct image_row_doc **rows);
/* true when `name` (an image reference) is what `pattern` describes. */
bool image_pattern_matches(struct str pattern, struct str name);
