/* Libraries that are opened when they are first needed, and stay open: a program that does not need one neither loads it nor must
 * have it. Their functions are rows of a .def file. Runs on: any thread; one library not on two at once. */
#pragma once
#include <stddef.h>

#include "base/err.h"

struct library_fn {
    const char *name; /* as the library has it, or what it depends on */
    size_t offset;    /* of the pointer to it in the table */
};

struct library {
    const char *sonames[2]; /* the first that is there; the second may be NULL */
    const char *needs;      /* what cannot be done without it, and where it is had */
    const struct library_fn *fns;
    size_t n;
};

/* Fills the table. UNSUPPORTED: no such library, or not all of its functions; what the table has then is for nobody. */
bool library_open(const struct library *l, void *table, struct err *e);
