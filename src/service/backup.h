/* A state directory as one file, taken while an engine is at work, and a state directory from such a file.
 *
 * What is kept: the database, artifacts, logs, volumes. Not kept: images, and what belongs to steps at work. The database is a
 * snapshot, without what is deleted while it is taken; all that it names is in the backup, and perhaps something more. Files of volumes are as they were when they were
 * read. Runs on: the main thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct backup_report {
    uint64_t files, bytes;
    int64_t workflows;
    size_t missing;  /* artifacts that the state itself has lost before */
    struct str made; /* when, RFC 3339 */
};

/* Writes it to `fd`. NOT_FOUND: there is no state. A killed one leaves a directory, which the next one removes. */
bool backup_make(struct arena *a, struct str state_dir, int fd, struct backup_report *out, struct err *e);
/* Makes state_dir, which must be absent or empty, from the backup that is read from `fd`; with `force` in place of what is there. It
 * appears as a whole, after everything was checked, or not at all. CONFLICT: an engine or a step is at work in it, or it is not empty. */
bool backup_restore(struct arena *a, struct str state_dir, int fd, bool force, struct backup_report *out, struct err *e);
