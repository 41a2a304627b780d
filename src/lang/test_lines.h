/* For tests: golden vectors kept as lines of data files under test/data/lang. */
#pragma once
#include <stdio.h>

#include "base/str.h"

/* Calls fn for every line that is neither empty nor a comment ("# "); returns how many. */
static inline size_t each_line(struct arena *a, const char *path,
                               void (*fn)(struct arena *a, struct str line))
{
    FILE *f = fopen(path, "r");
    if (!f) f = fopen("/dev/null", "r");
    char *line = NULL;
    size_t cap = 0, n = 0;
    for (ssize_t len; (len = getline(&line, &cap, f)) > 0;) {
        struct str s = str_dup(a, str_n(line, (size_t)len - (line[len - 1] == '\n')));
        if (!s.n || str_starts(s, STR("# "))) continue;
        fn(a, s);
        n++;
    }
    free(line);
    fclose(f);
    return n;
}

/* "left => right" at the last arrow. */
static inline bool split_arrow(struct str line, struct str *left, struct str *right)
{
    static const struct str arrow = {" => ", 4};
    ptrdiff_t at = -1;
    for (ptrdiff_t next = 0; (next = str_find(line, arrow, (size_t)next)) >= 0; next++) at = next;
    if (at < 0) return false;
    *left = str_sub(line, 0, (size_t)at);
    *right = str_from(line, (size_t)at + arrow.n);
    return true;
}
