/* Private to upkeep*.c. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "service/upkeep.h"
#include "store/store.h"

struct upkeep {
    struct arena arena;
    const struct config *config;
    struct str dir;
    bool change;
    bool alone;          /* the engine's lock is ours */
    int lock_fd;
    struct store *store; /* NULL: there is none, or `broken` says why it cannot be read */
    struct err broken;
};

struct waste {
    const char *kind;
    struct str name, path;
    int64_t bytes;
};
struct waste_list {
    VEC(struct waste) rows;
    VEC(struct str) left; /* sentences: what was not looked at */
};
/* Nothing is changed. The list's texts live in the arena. */
bool waste_find(struct arena *a, struct upkeep *u, struct waste_list *out, struct err *e);
/* All that can be; the first failure is told. A step's directory whose container cannot be removed is left, and no row afterwards. */
bool waste_remove(struct arena *a, struct waste_list *w, struct err *e);
void waste_fini(struct waste_list *w);
