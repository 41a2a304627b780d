/* Layers as overlayfs stacks them, seen without mounting them: whiteouts and opaque directories count, links are not
 * followed. Runs on: any thread. */
#pragma once
#include <sys/stat.h>

#include "base/str.h"

bool stack_is_whiteout(const struct stat *st);
bool stack_is_opaque(int fd);
/* `path`, relative and plain, in layers (topmost first): the directory that holds it and the last name, in the arena. -1: not there. */
int stack_find(struct arena *a, const int *layers, size_t n, struct str path, const char **last);
