/* Opens libcurl; the functions are the rows of curl.def. */
#include <pthread.h>
#include <signal.h>

#include "base/library.h"
#include "net/curl_p.h"

static const struct library_fn fns[] = {
#define CURL_FN(fn, what) {"curl_" #fn, offsetof(struct curl_api, fn)},
#include "net/curl.def"
#undef CURL_FN
};

/* Both flavours have the same functions; the first is Debian's libcurl4. */
static const struct library libcurl = {{"libcurl.so.4", "libcurl-gnutls.so.4"}, "requests need libcurl (Debian package libcurl4)", fns, ARRAY_LEN(fns)};

static struct curl_api api;
static bool opened;
static struct err why;

static void open_once(void)
{
    struct sigaction sa;
    opened = library_open(&libcurl, &api, &why);
    if (!opened) return;
    /* TLS writes to sockets whose peer may be gone */
    if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
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
