/* Opens libsodium; the functions are the rows of sodium.def. */
#include "auth/sodium.h"

#include <dlfcn.h>

#define SONAME "libsodium.so.23"

static const struct row {
    const char *name;
    size_t offset;
} rows[] = {
#define SODIUM_FN(fn, what) {#fn, offsetof(struct sodium_api, fn)},
#include "auth/sodium.def"
#undef SODIUM_FN
};

static bool api_fill(struct sodium_api *api, void *lib, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *fn = dlsym(lib, rows[i].name);
        if (!fn) return err_set(e, ERR_UNSUPPORTED, SONAME " has no function %s", rows[i].name);
        memcpy((char *)api + rows[i].offset, &fn, sizeof fn);
    }
    return api->sodium_init() >= 0 || err_set(e, ERR_UNSUPPORTED, SONAME " does not start");
}

const struct sodium_api *sodium_open(struct err *e)
{
    static struct sodium_api api;
    static bool opened;
    if (opened) return &api;
    void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        err_set(e, ERR_UNSUPPORTED, "cannot open the library for tokens: %s", dlerror());
        return NULL;
    }
    opened = api_fill(&api, lib, e);
    if (!opened) dlclose(lib);
    return opened ? &api : NULL;
}
