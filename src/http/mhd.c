/* Opens libmicrohttpd; the functions are the rows of mhd.def. */
#include <dlfcn.h>

#include "http/mhd.h"

#define MHD_SONAME "libmicrohttpd.so.12"

static const struct row {
    const char *name;
    size_t offset;
} rows[] = {
#define MHD_FN(fn, what) {"MHD_" #fn, offsetof(struct mhd_api, fn)},
#include "http/mhd.def"
#undef MHD_FN
};

static bool api_fill(struct mhd_api *api, void *lib, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *fn = dlsym(lib, rows[i].name);
        if (!fn) return err_set(e, ERR_UNSUPPORTED, MHD_SONAME " has no function %s", rows[i].name);
        memcpy((char *)api + rows[i].offset, &fn, sizeof fn);
    }
    return true;
}

const struct mhd_api *mhd_open(struct err *e)
{
    static struct mhd_api api;
    static bool opened;
    if (opened) return &api;
    void *lib = dlopen(MHD_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        err_set(e, ERR_UNSUPPORTED, "cannot open the HTTP library: %s", dlerror());
        return NULL;
    }
    opened = api_fill(&api, lib, e);
    if (!opened) dlclose(lib);
    return opened ? &api : NULL;
}
