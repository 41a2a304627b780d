/* Memory that never fails softly, and the one way a bug ends the process. */
#include "base/base.h"

#include "base/version.h"

void bug_stop(const char *file, int line, const char *what)
{
    fprintf(stderr, "skiff %s: bug: %s:%d: %s\n", SKIFF_VERSION, file, line, what);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) bug_stop(__FILE__, __LINE__, "out of memory");
    return p;
}

void *mem_zalloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p) bug_stop(__FILE__, __LINE__, "out of memory");
    return p;
}

void *mem_alloc_aligned(size_t alignment, size_t n)
{
    void *p = NULL;
    if (posix_memalign(&p, alignment, n)) bug_stop(__FILE__, __LINE__, "out of memory");
    return p;
}

void *mem_grow(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q) bug_stop(__FILE__, __LINE__, "out of memory");
    return q;
}

char *mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

void free_ptr(void *pp)
{
    void **p = pp;
    free(*p);
    *p = NULL;
}
