/* Opens libmicrohttpd; the functions are the rows of mhd.def. */
#include "http/mhd.h"

#include "base/library.h"

static const struct library_fn fns[] = {
#define MHD_FN(fn, what) {"MHD_" #fn, offsetof(struct mhd_api, fn)},
#include "http/mhd.def"
#undef MHD_FN
};

static const struct library libmicrohttpd = {{"libmicrohttpd.so.12"}, "serving HTTP needs libmicrohttpd (Debian package libmicrohttpd12)", fns, ARRAY_LEN(fns)};

const struct mhd_api *mhd_open(struct err *e)
{
    static struct mhd_api api;
    static bool opened;
    if (!opened) opened = library_open(&libmicrohttpd, &api, e);
    return opened ? &api : NULL;
}
