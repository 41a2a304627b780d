/* Directories: make, list, remove. Removing never follows a symlink. Runs on: any thread. */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

bool dir_make_all(const char *path, mode_t mode, struct err *e); /* mkdir -p */
/* Removes a file or a whole tree; a missing one is fine. Makes unwritable directories writable. */
bool dir_remove_tree(const char *path, struct err *e);
bool dir_remove_tree_at(int dir_fd, const char *name, struct err *e);
bool dir_sync(const char *path, struct err *e);
/* What a file or tree takes on the disk; as far as it can be read. */
int64_t dir_tree_bytes(const char *path);

struct dir_entry {
    struct str name;
    unsigned char type; /* DT_* */
};
struct dir_list {
    struct dir_entry *items;
    size_t n;
};
/* Sorted by name, without "." and "..". */
bool dir_read(struct arena *a, const char *path, struct dir_list *out, struct err *e);
