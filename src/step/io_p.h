/* The few file helpers of supervisors (which include no other folder than base). EINTR is retried,
 * descriptors are close-on-exec. Runs on: any thread. */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

bool io_write_all(int fd, const char *p, size_t n); /* errno */
bool io_read_file(struct arena *a, int dir_fd, const char *name, size_t max, struct str *out); /* errno */
/* mkdir -p; existing directories are fine. */
bool io_mkdirs(const char *path, mode_t mode); /* errno */
/* openat2; `resolve` are RESOLVE_* bits. */
int io_open_in(int dir_fd, const char *path, int flags, uint64_t resolve); /* errno */
/* Opens `path`, relative, below `top` as O_PATH; no link leads out of it. Directories that are missing are made with
 * `mode`. */
int io_open_beneath(int top, const char *path, mode_t mode); /* errno */
/* Removes a file or tree without following symlinks or leaving the file system. */
bool io_remove_tree(int dir_fd, const char *name); /* errno */
/* What a copy looks like; all zero but mode, uid and gid: as its source, owned by the caller. */
struct io_copy {
    int64_t mode;    /* permission bits of what is copied, or -1 */
    bool recurse;    /* and of all that is in it */
    mode_t add_mode; /* bits that all get in any case */
    int64_t uid, gid; /* or -1 */
    bool leave_unreadable; /* what the caller may not open stays where it is, and counts in left_out */
    size_t max_entries; /* E2BIG when there are more; 0: any number */
    uint64_t bytes;  /* out: of all its files */
    size_t entries, left_out; /* out */
};
/* Copies the file or directory open as `src` to dir_fd/name (a new name). Symlinks are copied as
 * symlinks; special files are left out. */
bool io_copy_tree(int src, int dir_fd, const char *name, struct io_copy *how); /* errno */
int64_t io_now_us(void);
int64_t io_mono_ms(void);
