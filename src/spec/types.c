/* Every type of the schema, found once by following the fields of the kinds. See lint.h. */
#include <pthread.h>
#include <strings.h>

#include "spec/lint.h"

enum { TYPES_MAX = 1024 };

static const struct field_type *types[TYPES_MAX];
static size_t n_types;

static void add(const struct field_type *t)
{
    for (size_t i = 0; i < n_types; i++)
        if (types[i] == t) return;
    ASSERT(n_types < TYPES_MAX);
    types[n_types++] = t;
}

static void collect(void)
{
    for (enum doc_kind k = DOC_NONE + 1; k < DOC_KIND_MAX; k++) add(doc_kind_type(k));
    for (size_t i = 0; i < n_types; i++)
        for (size_t k = 0; k < types[i]->n; k++)
            if (types[i]->rows[k].kind == FIELD_STRUCT) add(types[i]->rows[k].type);
}

const struct field_type *const *spec_types(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, collect);
    *n = n_types;
    return types;
}

const struct field_type *spec_type_find(struct str name)
{
    size_t n;
    const struct field_type *const *all = spec_types(&n);
    for (size_t i = 0; i < n; i++)
        if (strlen(all[i]->name) == name.n && strncasecmp(all[i]->name, name.p, name.n) == 0) return all[i];
    return NULL;
}
