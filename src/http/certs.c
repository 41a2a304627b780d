/* See certs.h. The functions are the rows of gnutls.def. */
#include "http/certs.h"

#include <gnutls/gnutls.h>

#include "base/library.h"
#include "base/str.h"

struct gnutls_api {
#define GNUTLS_FN(name, what) __typeof__(&gnutls_##name) name;
#include "http/gnutls.def"
#undef GNUTLS_FN
};

static const struct library_fn fns[] = {
#define GNUTLS_FN(fn, what) {"gnutls_" #fn, offsetof(struct gnutls_api, fn)},
#include "http/gnutls.def"
#undef GNUTLS_FN
};

static const struct library libgnutls = {{"libgnutls.so.30"}, "TLS needs GnuTLS (Debian package libgnutls30)", fns, ARRAY_LEN(fns)};

struct cert {
    gnutls_certificate_credentials_t credentials;
    unsigned connections;
    LIST_ENTRY(cert) link;
};

static struct gnutls_api gnutls; /* whole once the first certificate is there */

static bool api_open(struct err *e)
{
    static bool opened;
    if (!opened) opened = library_open(&libgnutls, &gnutls, e);
    return opened;
}

static gnutls_datum_t datum(const char *text) { return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)}; }

bool certs_add(struct certs *c, const char *cert, const char *key, struct err *e)
{
    gnutls_datum_t texts[] = {datum(cert), datum(key)};
    gnutls_certificate_credentials_t made;
    if (!api_open(e)) return false;
    int rc = gnutls.certificate_allocate_credentials(&made);
    if (rc < 0) return err_set(e, ERR_IO, "%s", gnutls.strerror(rc));
    rc = gnutls.certificate_set_x509_key_mem(made, &texts[0], &texts[1], GNUTLS_X509_FMT_PEM);
    if (rc < 0) {
        gnutls.certificate_free_credentials(made);
        return err_set(e, ERR_USAGE, "certificate and key cannot be used: %s", gnutls.strerror(rc));
    }
    struct cert *one = mem_zalloc(sizeof *one);
    one->credentials = made;
    LIST_INSERT_HEAD(c, one, link);
    certs_sweep(c);
    return true;
}

struct cert *certs_take(struct certs *c, void *session)
{
    struct cert *one = LIST_FIRST(c);
    if (!one || gnutls.credentials_set(session, GNUTLS_CRD_CERTIFICATE, one->credentials) < 0) return NULL;
    one->connections++;
    return one;
}

void certs_leave(struct cert *one)
{
    if (one) one->connections--;
}

static void cert_free(struct cert *one)
{
    LIST_REMOVE(one, link);
    gnutls.certificate_free_credentials(one->credentials);
    free(one);
}

void certs_sweep(struct certs *c)
{
    struct cert *one = LIST_FIRST(c), *next;
    for (one = one ? LIST_NEXT(one, link) : NULL; one; one = next) {
        next = LIST_NEXT(one, link);
        if (!one->connections) cert_free(one);
    }
}

void certs_fini(struct certs *c)
{
    struct cert *one;
    while ((one = LIST_FIRST(c))) {
        ASSERT(!one->connections);
        cert_free(one);
    }
}
