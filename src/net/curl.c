/* Opens libcurl; the functions are the rows of curl.def. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include "net/curl_p.h"

/* Both flavours have the same functions; the first is Debian's libcurl4. */
static const char *const sonames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static const struct row {
    const char *name;
    size_t offset;
} rows[] = {
#define CURL_FN(fn, what) {"curl_" #fn, offsetof(struct curl_api, fn)},
#include "net/curl.def"
#undef CURL_FN
};

static struct curl_api api;
static bool opened;
static struct err why;

static bool api_fill(void *lib, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *fn = dlsym(lib, rows[i].name);
        if (!fn) return err_set(e, ERR_UNSUPPORTED, "the HTTP library has no function %s", rows[i].name);
        memcpy((char *)&api + rows[i].offset, &fn, sizeof fn);
    }
    return true;
}

static void open_once(void)
{
    void *lib = NULL;
    for (size_t i = 0; !lib && i < ARRAY_LEN(sonames); i++) lib = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        err_set(&why, ERR_UNSUPPORTED, "requests need libcurl (Debian package libcurl4): %s", dlerror());
        return;
    }
    struct sigaction sa;
    opened = api_fill(lib, &why);
    /* TLS writes to sockets whose peer may be gone */
    if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    if (opened && api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        opened = err_set(&why, ERR_INTERNAL, "the HTTP library cannot be initialised");
}

const struct curl_api *curl_open(struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_once);
    if (opened) return &api;
    if (e) *e = why;
    return NULL;
}
