/* For artifact and container: what is done to whole trees. Runs on: worker threads. */
#pragma once
#include "artifact/artifact.h"

/* Bytes from one file to another: reflink, copy_file_range, or read and write. */
bool file_copy(int from_fd, int to_fd, struct err *e);

/* Copies a file or tree, writable, modes 0644 or 0755, symlinks as symlinks; sockets, pipes and
 * devices are left out. `to` must not exist. */
bool tree_copy(int from_dir, const char *from, int to_dir, const char *to, struct err *e);

/* Makes content of it: modes 0644 or 0755, ours, no file shared by hard links with anything
 * else, sockets, pipes and devices removed; counts sizes into `out`. `part` is a free name below dir_fd for a
 * file that is being made. */
bool tree_seal(int dir_fd, const char *name, const char *part, struct artifact_content *out, struct err *e);
