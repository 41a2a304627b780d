/* The artifact repository: produced files and directories as immutable content with an id.
 *
 * A driver behind one vtable keeps the content; the local driver keeps it below <state>/artifacts,
 * as it was produced (a file or a tree). Nobody writes to it, although its modes allow that: a step that gets
 * a copy, or an overlay that looks like one, has the modes of its files. Archives exist at the border only: artifact_import
 * unpacks what comes in, artifact_export packs what goes out. Content never changes; which logical
 * key shows which content is the caller's row. Symlinks are kept as they are and never followed out
 * of a content. No hard link is shared with anything writable.
 * Errors: ERR_NOT_FOUND says that the content or the path in it does not exist, and nothing else
 * does (optional artifacts depend on it); ERR_LIMIT names the limit; ERR_SPEC is a bad archive.
 * Runs on: worker threads, several at a time (a repository has no mutable state of its own). */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum artifact_form { ARTIFACT_FILE, ARTIFACT_TREE, ARTIFACT_TGZ, ARTIFACT_ZIP, ARTIFACT_FORM_MAX };

const char *artifact_form_name(enum artifact_form form); /* "file", "tree", "tgz", "zip" */
bool artifact_form_parse(struct str name, enum artifact_form *out);

enum { ARTIFACT_ID_MAX = 48 };

struct artifact_content {
    char id[ARTIFACT_ID_MAX]; /* 32 hex digits, a dot and the form */
    enum artifact_form form;
    uint64_t size_bytes; /* of a tree: the sum over its files */
    uint64_t files;      /* regular files */
    uint64_t skipped;    /* sockets, pipes and devices that were left out */
};

struct artifact_save;
struct artifact_import;
struct artifact_ref;
struct artifact_place;
struct artifact_export;

struct artifact_repo {
    const struct artifact_driver *driver;
};

/* What a driver does; see the functions of the same names below. */
struct artifact_driver {
    const char *name;
    bool (*save)(struct artifact_repo *r, const struct artifact_save *in, struct artifact_content *out,
                 struct err *e);
    bool (*save_text)(struct artifact_repo *r, struct str text, struct artifact_content *out,
                      struct err *e);
    bool (*import)(struct artifact_repo *r, const struct artifact_import *in,
                   struct artifact_content *out, struct err *e);
    bool (*path)(struct arena *a, struct artifact_repo *r, const struct artifact_ref *ref,
                 struct artifact_place *out, struct err *e);
    bool (*export)(struct artifact_repo *r, const struct artifact_ref *ref,
                   const struct artifact_export *how, struct err *e);
    bool (*load)(struct artifact_repo *r, const struct artifact_ref *ref, const char *to, struct err *e);
    bool (*remove)(struct artifact_repo *r, struct str id, struct err *e);
    bool (*list)(struct arena *a, struct artifact_repo *r, struct str **ids, size_t *n, struct err *e);
    bool (*sync)(struct artifact_repo *r, struct err *e);
    void (*close)(struct artifact_repo *r);
};

/* The local driver on directory `dir` (made when missing; on the state directory's file system). */
bool artifact_local_open(const char *dir, struct artifact_repo **out, struct err *e);
void artifact_close(struct artifact_repo *r); /* NULL is fine */

/* Takes in a file or directory that a step produced: moved when it is on the same file system and
 * `move` is set, else copied (reflink, copy_file_range, bytes; with `move` the source is removed). */
struct artifact_save {
    const char *path;
    bool move;
    enum artifact_form packed; /* ARTIFACT_TGZ or _ZIP: the file is such an archive and stays one */
    /* 32 hex digits of the id to be, or NULL. The same save once more, after a crash that nobody
     * knows the answer of, then gives the same content, whether or not its source is gone already. */
    const char *digits;
};
bool artifact_save(struct artifact_repo *r, const struct artifact_save *in,
                   struct artifact_content *out, struct err *e);
/* A raw artifact: the text as a file. */
bool artifact_save_text(struct artifact_repo *r, struct str text, struct artifact_content *out,
                        struct err *e);

/* Takes in a file that came from outside, unpacked as Argo does: AUTO unpacks a gzipped tar and
 * nothing else (neither a plain tar nor a zip); TAR takes plain, gzip, zstd, lz4 and xz. An archive
 * with a single top-level file or directory becomes that file or directory. */
enum artifact_archive { ARTIFACT_ARCHIVE_AUTO, ARTIFACT_ARCHIVE_NONE, ARTIFACT_ARCHIVE_TAR, ARTIFACT_ARCHIVE_ZIP };
struct artifact_import {
    const char *path;
    enum artifact_archive archive;
    bool move;              /* the file may be taken or removed */
    uint64_t max_bytes;     /* unpacked; 0 = LIMIT_ARTIFACT_MIB */
};
bool artifact_import(struct artifact_repo *r, const struct artifact_import *in,
                     struct artifact_content *out, struct err *e);

/* A content, or what lies at `subpath` below a tree (absent or "" = the content itself). */
struct artifact_ref {
    struct str id, subpath;
};
struct artifact_place {
    struct str path; /* absolute; for reading only; lower half of an overlay */
    enum artifact_form form;
    uint64_t size_bytes; /* of a file; 0 for a tree */
};
/* Where it lies on this machine; ERR_UNSUPPORTED when the driver has no local files. */
bool artifact_path(struct arena *a, struct artifact_repo *r, const struct artifact_ref *ref,
                   struct artifact_place *out, struct err *e);

/* Writes it to `fd` in a border form. tgz and zip are deterministic: names sorted, times and owners
 * zero, modes 0644 or 0755. NONE writes a file's bytes; a tree has none: ERR_UNSUPPORTED. */
struct artifact_export {
    int fd;
    enum artifact_archive archive; /* AUTO = TAR: gzipped tar */
    int level;                     /* gzip 1..9; 0 = none; -1 = default */
    const char *name;              /* base name within the archive, as Argo's */
};
bool artifact_export(struct artifact_repo *r, const struct artifact_ref *ref,
                     const struct artifact_export *how, struct err *e);

/* A private writable copy at `to`, which must not exist; its parents must. */
bool artifact_load(struct artifact_repo *r, const struct artifact_ref *ref, const char *to,
                   struct err *e);

bool artifact_remove(struct artifact_repo *r, struct str id, struct err *e); /* a missing one is fine */
/* All ids on disk, sorted: those that no row refers to are left-overs of a crash. */
bool artifact_list(struct arena *a, struct artifact_repo *r, struct str **ids, size_t *n, struct err *e);
/* What was saved so far survives a power cut. */
bool artifact_sync(struct artifact_repo *r, struct err *e);
