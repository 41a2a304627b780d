/* Private to image: the pieces of unpack.c. */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <sys/types.h>

#include "base/vec.h"
#include "image/stream.h"

struct unpack_dir { /* gets its attributes at the end, when nothing is put into it any more */
    struct str path;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
    ino_t ino; /* the same path may lead to another one by then, and the number may be another one's */
    bool made; /* now; it was not there before */
    size_t order;
};

struct unpacker {
    const struct unpack_opts *o;
    struct unpack_result *r;
    struct stream *stream;
    struct archive *ar;
    bool root;             /* owners are kept */
    struct arena a;        /* of one entry */
    struct arena kept;     /* of paths in dirs */
    VEC(struct unpack_dir) dirs;
    struct buf parent;     /* path of parent_fd */
    int parent_fd;         /* -1: none */
    bool in_head;          /* libarchive reads what comes before the data of an entry: */
    uint64_t head_bytes;   /* so much by now */
    struct err *e;
};

/* unpack_path.c: where entries go */

/* The path without "./", leading and trailing slashes; absent for the root. */
bool unpack_name(struct unpacker *u, const char *raw, struct str *out);
/* The directory that `path` lies in; it belongs to the unpacker. `make`: with those that are missing. -1: e is set. */
int unpack_parent(struct unpacker *u, struct str path, bool make, const char **last);
void unpack_forget_parent(struct unpacker *u);
/* Makes way for something that is no directory; *whiteout: there was one. */
bool unpack_clear(struct unpacker *u, int dir, const char *name, bool *whiteout);
/* Makes or keeps the directory `name` in `dir`. */
bool unpack_mkdir(struct unpacker *u, int dir, const char *name, bool *made);
/* `name` in `dir` is the directory d->path: it gets what d says at the end. Every directory that is made is
 * noted before anything else is. */
bool unpack_dir_note(struct unpacker *u, int dir, const char *name, struct unpack_dir d);
bool unpack_opaque(struct unpacker *u, int dir, const char *name);
/* `path` in the layers below: the directory there that holds it, and the last name. -1: not there (e untouched). */
int unpack_lower(struct unpacker *u, struct str path, const char **last);
/* Ends for now: the layers below are needed. */
bool unpack_wants_lower(struct unpacker *u, struct str path);
