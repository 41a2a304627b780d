/* For artifact and container: archives from outside into a directory of ours. Nothing in the archive can
 * reach outside: names are checked, every parent is opened without following a symlink, files are
 * made anew. Runs on: worker threads. */
#pragma once
#include "artifact/artifact.h"

/* Is the file a gzipped tar (what Argo unpacks without being told)? */
bool unpack_is_tgz(int fd);

/* Unpacks the file `fd`, read from its start, into the empty directory `dir_fd`. */
bool unpack_archive(int fd, int dir_fd, enum artifact_archive archive, uint64_t max_bytes,
                    struct err *e);
