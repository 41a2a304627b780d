/* See library.h. */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

bool library_open(const struct library *l, void *table, struct err *e)
{
    const char *soname = l->sonames[0];
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (!lib && l->sonames[1]) lib = dlopen(soname = l->sonames[1], RTLD_NOW | RTLD_LOCAL);
    if (!lib) return err_set(e, ERR_UNSUPPORTED, "%s: %s", l->needs, dlerror());
    for (size_t i = 0; i < l->n; i++) {
        void *fn = dlsym(lib, l->fns[i].name);
        if (!fn) {
            dlclose(lib);
            return err_set(e, ERR_UNSUPPORTED, "%s has no function %s", soname, l->fns[i].name);
        }
        memcpy((char *)table + l->fns[i].offset, &fn, sizeof fn);
    }
    return true;
}
