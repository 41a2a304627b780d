/* Opens libsodium; the functions are the rows of sodium.def. */
#include "auth/sodium.h"

#include "base/library.h"

static const struct library_fn fns[] = {
#define SODIUM_FN(fn, what) {#fn, offsetof(struct sodium_api, fn)},
#include "auth/sodium.def"
#undef SODIUM_FN
};

static const struct library libsodium = {{"libsodium.so.23"}, "tokens need libsodium (Debian package libsodium23)", fns, ARRAY_LEN(fns)};

const struct sodium_api *sodium_open(struct err *e)
{
    static struct sodium_api api;
    static bool opened;
    if (opened) return &api;
    opened = library_open(&libsodium, &api, e) && (api.sodium_init() >= 0 || err_set(e, ERR_UNSUPPORTED, "libsodium does not start"));
    return opened ? &api : NULL;
}
