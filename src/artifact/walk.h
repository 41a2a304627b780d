/* Private to artifact: goes through a file or tree, sorted by name, never through a symlink.
 *
 * Every entry is held by a descriptor before it is looked at, so that nobody can swap it for a
 * symlink in between. Runs on: worker threads. */
#pragma once
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"

enum walk_event { WALK_FILE, WALK_LINK, WALK_SPECIAL, WALK_ENTER, WALK_LEAVE };

struct walk_entry {
    int dir_fd;       /* of the directory that it is in */
    const char *name; /* there */
    int fd;           /* O_PATH, of the entry itself */
    struct str path;  /* from the root of the walk; "" for the root itself */
    struct stat st;
};

/* Calls `visit` for each entry; a directory gets ENTER before and LEAVE after its children. Limits:
 * LIMIT_ARTIFACT_DEPTH and LIMIT_ARTIFACT_ENTRIES. A missing root is ERR_NOT_FOUND. */
typedef bool walk_visit(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e);
bool walk_tree(int dir_fd, const char *name, walk_visit *visit, void *ctx, struct err *e);
/* The same for whole stores of such trees, of up to LIMIT_BUNDLE_ENTRIES, where others change them meanwhile: what vanishes
 * below the root is left out. */
bool walk_tree_live(int dir_fd, const char *name, walk_visit *visit, void *ctx, struct err *e);

/* Opens the entry's file for reading (its O_PATH descriptor leads there, whatever its name does). */
int walk_open_file(const struct walk_entry *entry, struct err *e);
/* chmod of the entry itself. */
bool walk_chmod(const struct walk_entry *entry, mode_t mode, struct err *e);

/* Names in a directory, sorted. */
bool names_read(struct arena *a, int dir_fd, struct str **names, size_t *n, struct err *e);
