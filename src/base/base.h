/* The few words every file may use: attributes, assertions, array length.
 * Runs on: any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A false ASSERT is a bug of ours, never bad input; it stays on in release builds. */
#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0)) bug_stop(__FILE__, __LINE__, #cond);                     \
    } while (0)
#define IMPOSSIBLE(why) bug_stop(__FILE__, __LINE__, why)

/* Prints "bug: FILE:LINE: WHAT" with the version on stderr and aborts. */
NORETURN void bug_stop(const char *file, int line, const char *what);

/* malloc family that aborts when memory is gone. Sizes that a user controls are bounded by
 * limits.h before they get here. */
void *mem_alloc(size_t n);
void *mem_zalloc(size_t n);
void *mem_alloc_aligned(size_t alignment, size_t n); /* a power of two */
void *mem_grow(void *p, size_t n);
char *mem_strdup(const char *s);

/* for CLEANUP(free_ptr): frees what a pointer variable holds */
void free_ptr(void *pp);
