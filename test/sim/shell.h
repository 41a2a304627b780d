/* The commands of simulated steps: a shell so small that both judges can have it (README.md 2.1). */
#pragma once
#include "base/str.h"
#include "base/vec.h"
#include "doc/val.h"

struct shell_file {
    struct str path, text;
};

struct shell_run {
    int64_t took_us; /* its sleeps; 0: it did not sleep */
    int code;
    struct str out; /* what it printed */
    VEC(struct shell_file) files;
};

/* Runs the command of a template. The caller frees `files`. */
void shell_run(struct arena *a, const struct val *tmpl, struct shell_run *r);
/* What it wrote to a path, or absent. */
struct str shell_file(const struct shell_run *r, struct str path);
