/* Locks: mutexes and semaphores that the runs of one machine share. A pure object beside the runs.
 *
 * A party is one run, a claim one holder of it (a node, or the workflow itself) with all the locks
 * that it asks for. Semantics as Argo's workflow/sync: each lock has a queue of parties, by priority
 * (larger first), then creation, then number. A claim gets all of its locks or none, when each of them has
 * room and its party stands first in each queue; which claim of a party goes first, the party
 * says. A limit that was lowered takes nothing away from who holds.
 * Nothing here wakes anybody: locks_next says who may go on.
 * Runs on: the thread of its runs. Strings that come in are copied. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum lock_kind {
    LOCK_MUTEX,      /* ns/Mutex/name; its limit is 1 */
    LOCK_CONFIG_MAP, /* ns/ConfigMap/name/key; the ConfigMap says its limit */
    LOCK_DB_MUTEX,   /* ns/Database/name */
    LOCK_DB,         /* ns/Database/name; the table of limits says its limit */
};

struct lock_name {
    enum lock_kind kind;
    struct str ns, name;
    struct str key; /* LOCK_CONFIG_MAP only */
};

/* The limit of a semaphore as it is now. 0: there is none, or it is not a number. */
typedef int64_t lock_limit_fn(void *ctx, const struct lock_name *name);

struct locks;
struct locks *locks_new(lock_limit_fn *limit, void *ctx);
void locks_free(struct locks *k); /* every party has left; NULL is fine */
/* Limits may have changed: asks for each one that is in use. */
void locks_refresh(struct locks *k);

/* For whoever measures: a lock is held once more (after a restart not again), and nobody has to do with it any longer. */
struct locks_watch {
    void (*taken)(void *ctx, const struct lock_name *name);
    void (*gone)(void *ctx, const struct lock_name *name);
    void *ctx;
};
void locks_watch(struct locks *k, const struct locks_watch *w);
/* Those that somebody has to do with: how many hold it, and how many claims wait for it. */
void locks_visit(const struct locks *k, void (*seen)(void *ctx, const struct lock_name *name, size_t held, size_t waits), void *ctx);

/* ---- parties ---- */

struct lock_party;
struct lock_party_opts {
    int64_t priority, created_us;
    uint64_t number; /* of the run: decides between two that are alike */
    void *owner;
    /* Which of the party's own claims goes first; NULL: the one that came first. */
    bool (*before)(const void *a, const void *b);
};
struct lock_party *locks_join(struct locks *k, const struct lock_party_opts *o);
/* Gives everything back. NULL is fine. */
void locks_leave(struct lock_party *p);
/* The owner of a party of which lock_next may give something, or whose waits have other reasons than before
 * (lock_party_stale); each once after a change; NULL: none. */
void *locks_next(struct locks *k);
/* A limit that it waits for has changed since it was asked last. NULL: no. */
bool lock_party_stale(struct lock_party *p);
size_t lock_party_lines(const struct lock_party *p); /* locks that it holds or waits for */
size_t lock_party_waits(const struct lock_party *p); /* claims of it that wait. NULL: none */
/* Argo's SynchronizationStatus as JSON; nothing when the party neither holds nor waits. */
bool lock_party_write(struct buf *b, const struct lock_party *p);

/* ---- claims ---- */

struct lock_claim;
/* Stands in the queues from now on. `holder` is Argo's key: NS/WORKFLOW or NS/WORKFLOW/NODE-ID. Of two
 * names for the same lock one counts. Fails when a semaphore that nobody uses yet has no limit. */
struct lock_claim *lock_claim_new(struct lock_party *p, struct str holder, void *what,
                                  const struct lock_name *names, size_t n, struct err *e);
/* What lock_claim_new would refuse, without standing anywhere. */
bool lock_names_check(struct locks *k, const struct lock_name *names, size_t n, struct err *e);
/* Restart: it held these locks, whatever their limits are now; or it waited for them. */
struct lock_claim *lock_claim_again(struct lock_party *p, struct str holder, void *what,
                                    const struct lock_name *names, size_t n, bool held);
/* Gives its locks back, or leaves the queues. NULL is fine. */
void lock_claim_free(struct lock_claim *c);
void *lock_claim_what(const struct lock_claim *c);
bool lock_claim_held(const struct lock_claim *c);
/* The first waiting claim of the party that can have all of its locks now; NULL: none. */
struct lock_claim *lock_next(struct lock_party *p);
void lock_take(struct lock_claim *c); /* what lock_next gave */
/* Why it waits: Argo's message, and the lock's text. False: for no lock, it could be taken. */
bool lock_claim_why(struct arena *a, const struct lock_claim *c, struct str *message, struct str *lock);

/* "ns/Mutex/name" and so on. Fails where Argo could not read the text back. */
bool lock_text(struct arena *a, const struct lock_name *n, struct str *out, struct err *e);
