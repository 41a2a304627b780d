/* sprig.*: looking a function up. See sprig.def. */
#include "lang/sprig_p.h"

static const struct xfunc functions[] = {
#define SP(name, spec, fn, doc) {#name, spec, fn, doc},
#include "lang/sprig.def"
#undef SP
};

const struct xfunc *sprig_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (str_is(name, functions[i].name)) return &functions[i];
    return NULL;
}
