/* Directories as one tar that says at its end whether it is whole: the last entry, BUNDLE_SEAL, has the number of entries and
 * a SHA-256 over all of them (names, kinds, modes, owners, times, bytes). A bundle without it, with something after it, or with another digest
 * is refused. Plain tar (pax), so that other programs can read it; compression is somebody else's. Sockets, pipes and devices
 * are left out. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

#define BUNDLE_SEAL ".skiff-backup"

struct bundle_count {
    uint64_t entries, bytes; /* of files */
};

struct bundle_writer;
/* Writes to `fd`, which stays the caller's; a pipe will do. */
struct bundle_writer *bundle_begin(int fd, struct err *e);
/* A file or tree below dir_fd under its own name; one that is not there is fine. A file that changes meanwhile has the size that it had
 * at first. */
bool bundle_add(struct bundle_writer *w, int dir_fd, const char *name, struct err *e);
/* `note`: a JSON object that bundle_extract gives back. Not calling it leaves a bundle that nobody takes for a whole one. */
bool bundle_end(struct bundle_writer *w, struct str note, struct bundle_count *out, struct err *e);
void bundle_free(struct bundle_writer *w); /* NULL is fine */

/* Into the empty directory dir_fd. ERR_SPEC: it is no bundle, not whole, or damaged; what was extracted is there then, too. */
bool bundle_extract(struct arena *a, int fd, int dir_fd, struct str *note, struct bundle_count *out, struct err *e);

/* Makes `to` in to_dir a mirror of the file or tree `from`: directories anew, files as hard links (or copies, where links cannot be).
 * What is there already stays; what vanishes meanwhile is left out. `from` may be absent. */
bool tree_mirror(int from_dir, const char *from, int to_dir, const char *to, struct err *e);
