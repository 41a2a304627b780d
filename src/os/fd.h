/* Descriptors and whole files: the small wrappers that everybody needs.
 *
 * Every descriptor made here is close-on-exec. EINTR is retried. Runs on: any thread. */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* for CLEANUP(close_fd): closes what an int variable holds, when >= 0, and sets it to -1 */
void close_fd(int *fd);

/* Reads to the end; ERR_LIMIT when there is more than buf's maximum allows. */
bool fd_read_all(int fd, struct buf *out, struct err *e);
bool fd_write_all(int fd, struct str bytes, struct err *e);
bool fd_set_nonblock(int fd, bool on, struct err *e);

/* The whole file, NUL-terminated, in the arena; ERR_NOT_FOUND when there is none. */
bool file_read(struct arena *a, const char *path, size_t max, struct str *out, struct err *e);
/* Replaces `path` (tmp, fsync, rename, fsync of the directory). `sync` false leaves out the fsyncs. */
bool file_write_atomic(const char *path, struct str bytes, mode_t mode, bool sync, struct err *e);
/* New content for the file that `path` leads to, also through symlinks: mode, owner, group and other names of
 * it stay. As a whole, unless only a write in place can do that. */
bool file_change(const char *path, struct str bytes, struct err *e);
bool file_exists(const char *path);

/* Opens `path` below `dir_fd`: "..", symlinks and mounts cannot lead out of it. Symlinks within
 * are followed unless flags has O_NOFOLLOW (then none is followed on the whole way). */
int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e);
