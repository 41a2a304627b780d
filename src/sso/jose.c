/* See jose.h. Of libjose only the check of a signature is used; what a token claims, which algorithms count and which key may be
 * meant is decided before. */
#include "sso/jose.h"

#include <jose/jws.h>

#include "base/library.h"
#include "base/limits.h"

static struct jose_api {
#define JOSE_FN(fn, what) __typeof__(&fn) fn;
#include "sso/jose.def"
#undef JOSE_FN
} api;

/* A look-up in the library also finds what it depends on: jansson. */
static const struct library_fn fns[] = {
#define JOSE_FN(fn, what) {#fn, offsetof(struct jose_api, fn)},
#include "sso/jose.def"
#undef JOSE_FN
};

static const struct library libjose = {{"libjose.so.0"}, "single sign-on needs libjose (Debian package libjose0)", fns, ARRAY_LEN(fns)};

static jose_cfg_t *quiet;

static void say_nothing(void *misc, const char *file, int line, uint64_t code, const char *fmt, va_list words)
{
    (void)misc, (void)file, (void)line, (void)code, (void)fmt, (void)words;
}

bool jose_open(struct err *e)
{
    if (quiet) return true;
    if (!library_open(&libjose, &api, e)) return false;
    if (!(quiet = api.jose_cfg())) return err_set(e, ERR_UNSUPPORTED, "libjose does not start");
    api.jose_cfg_set_err_func(quiet, say_nothing, NULL);
    return true;
}

static json_t *load(struct str text) { return api.json_loadb(text.p, text.n, 0, NULL); }

/* jansson's own json_decref would be linked with its json_delete. */
static void drop(json_t *v)
{
    if (v && --v->refcount == 0) api.json_delete(v);
}

bool jose_signed_by(const struct jose_signed *s, struct str jwk)
{
    struct buf b CLEANUP(buf_fini);
    if (!jose_open(NULL)) return false;
    buf_init(&b, LIMIT_SSO_TOKEN_BYTES + 100);
    buf_printf(&b, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%.*s\"}", STR_ARG(s->head), STR_ARG(s->payload),
               STR_ARG(s->signature));
    json_t *jws = b.overflow ? NULL : load(buf_view(&b)), *key = load(jwk);
    bool ok = jws && key && api.jose_jws_ver(quiet, jws, NULL, key, false);
    drop(jws);
    drop(key);
    return ok;
}
