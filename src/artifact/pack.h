/* Private to artifact: a file or tree as a deterministic archive; libarchive is written to in
 * streaming mode. Runs on: worker threads. */
#pragma once
#include "artifact/artifact.h"

/* Packs `name` in `dir_fd` to how->fd as gzipped tar or zip. */
bool pack_tree(int dir_fd, const char *name, const struct artifact_export *how, struct err *e);
