/* Private to locks.c and lock_status.c: see the head of locks.c. */
#pragma once
#include "base/heap.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/locks.h"

struct lock_entry { /* `lines[which]` of the group is this line */
    struct lock_group *group;
    size_t which;
};

struct lock_entry_held { /* `seats[which]` of the claim is about this lock */
    struct lock_claim *claim;
    size_t which;
};

struct lock {
    struct locks *locks;
    struct str key, text;
    struct lock_name name;
    int64_t limit;
    VEC(struct lock_entry_held) holders;
    struct heap lines; /* of parties with somebody who waits */
    size_t n_lines;    /* all of them */
    size_t waits;      /* claims that wait for it */
};

struct lock_line {
    struct lock *lock;
    struct lock_party *party;
    size_t place;      /* in lock.lines while a group waits */
    size_t pins;       /* claims that have a seat here */
    VEC(struct lock_entry) groups;
    VEC(struct lock_entry_held) held;
};

struct lock_group {
    struct lock_party *party;
    struct str key;
    size_t n;
    struct lock_line **lines;
    size_t *at;         /* in lines[i]->groups */
    struct heap claims; /* waiting; never empty between calls */
    size_t place;       /* in party.ready */
};

struct lock_seat {
    struct lock_line *line;
    size_t in_lock, in_line; /* among the holders */
};

struct lock_claim {
    struct lock_party *party;
    struct str holder;
    void *what;
    uint64_t number;
    size_t n;
    struct lock_seat *seats;
    struct lock_group *group; /* while it waits */
    size_t place;             /* in group.claims */
    size_t at;                /* in party.claims */
    bool held;
};

struct lock_party {
    struct locks *locks;
    struct lock_party_opts o;
    VEC(struct lock_line *) lines; /* in the order in which they came */
    VEC(struct lock_claim *) claims;
    struct map by_lock, groups;
    struct heap ready; /* groups to be looked at */
    bool awake;        /* stands in locks.awake */
    bool stale;        /* what it says about its waits is out of date */
    uint64_t next_claim;
};

struct locks {
    lock_limit_fn *limit;
    void *ctx;
    struct map by_name;
    VEC(struct lock_party *) awake;
    struct locks_watch watch;
};
