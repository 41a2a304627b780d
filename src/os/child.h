/* A bounded helper program: clean environment, no descriptor but its own, limits on time and words, and
 * gone with the thread that waits for it. For programs that work on the engine's behalf (git); steps are
 * the business of step/. Runs on: any thread that may wait. */
#pragma once
#include <stdatomic.h>

#include "base/err.h"
#include "base/str.h"

struct child {
    const char *const *argv; /* argv[0]: absolute path; ends with NULL */
    const char *const *env;  /* "NAME=value"; ends with NULL */
    const char *dir;         /* working directory */
    struct str input;        /* its stdin; absent: empty */
    int64_t limit_ms;
    size_t most_bytes;       /* kept of each of its outputs; what comes after is read and dropped */
    const atomic_bool *cancelled; /* may be NULL; looked at several times a second */
};

/* How it ended: exit status, or 128 + signal. True: it ran, whatever its status. TIMEOUT: it was ended,
 * with all of its process group. Texts live in the arena. */
bool child_run(struct arena *a, const struct child *c, int *status, struct str *out, struct str *said, struct err *e);
