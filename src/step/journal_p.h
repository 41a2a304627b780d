/* A slot's journal: what its supervisor has begun and how it ended, in <state>/slots/<name>.
 *
 * The engine makes the file and locks it (flock); the supervisor inherits the open description, so that
 * the lock is held from before the first step can be sent until the supervisor is dead: whoever can take
 * the lock knows that nothing in the file will change any more. Records are appended: BEGIN before a step
 * is started, END before its result is announced. A torn tail (power cut) fails its checksum and counts
 * as absent. Little-endian. Runs on: supervisors write, engines read. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { JOURNAL_NAME_MAX = 24 };

/* The directory <state>/slots, made when missing; -1 with errno. */
int journal_dir(struct str state_dir);
/* A new one, locked. The name has at most JOURNAL_NAME_MAX bytes with its NUL. `sync`: it is found after a power cut,
 * too. -1 with e. */
int journal_new(struct str state_dir, char name[JOURNAL_NAME_MAX], bool sync, struct err *e);

/* `sync`: it is on the disk before the step begins, or its end is told. False with errno: nothing is known to be
 * appended. */
bool journal_begin(int fd, uint64_t id, bool sync);
bool journal_end(int fd, uint64_t id, struct str result, bool sync);

struct journal_record {
    uint64_t id;
    bool ended;
    struct str result; /* of an END: an encoded step_result */
};

/* The next record of bytes[*at...], and *at behind it. False: no whole record is there (yet). */
bool journal_next(struct str bytes, size_t *at, struct journal_record *out);
