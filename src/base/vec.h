/* A growing array of any type, on the heap: VEC(int) ints = {0}; VEC_PUSH(&ints, 3);
 * Elements move when it grows, so no pointer into it survives a push. Runs on: any thread. */
#pragma once
#include "base/base.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t n, cap;                                                                             \
    }

#define VEC_PUSH(v, item)                                                                          \
    do {                                                                                           \
        if ((v)->n == (v)->cap) {                                                                  \
            (v)->cap = (v)->cap ? (v)->cap * 2 : 8;                                                \
            (v)->items = mem_grow((v)->items, (v)->cap * sizeof *(v)->items);                      \
        }                                                                                          \
        (v)->items[(v)->n++] = (item);                                                             \
    } while (0)

#define VEC_POP(v) ((v)->items[--(v)->n])
#define VEC_FINI(v)                                                                                \
    do {                                                                                           \
        free((v)->items);                                                                          \
        (v)->items = NULL;                                                                         \
        (v)->n = (v)->cap = 0;                                                                     \
    } while (0)
