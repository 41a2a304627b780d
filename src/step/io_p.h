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
/* Removes a file or tree without following symlinks or leaving the file system. */
bool io_remove_tree(int dir_fd, const char *name); /* errno */
/* Copies the file or directory open as `src` to dir_fd/name (a new name). Symlinks are copied as
 * symlinks; special files are left out. Adds the bytes of files to *size. */
bool io_copy_tree(int src, int dir_fd, const char *name, uint64_t *size); /* errno */
int64_t io_now_us(void);
int64_t io_mono_ms(void);
