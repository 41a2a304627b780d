/* See digest.h. */
#include "image/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

enum { HEX_256 = 64, HEX_512 = 128 };

/* Looking an algorithm up costs more than hashing a short text with it. */
static EVP_MD *md256, *md512;
static void fetch(void)
{
    md256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    ASSERT(md256 && md512);
}

bool digest_check(struct str digest, struct err *e)
{
    struct str name, hex;
    if (!str_cut(digest, ':', &name, &hex))
        return err_set(e, ERR_SPEC, "digest '%.*s' is not ALGORITHM:HEX", STR_ARG(str_sub(digest, 0, 150)));
    size_t want = str_is(name, "sha256") ? HEX_256 : str_is(name, "sha512") ? HEX_512 : 0;
    if (!want)
        return err_set(e, ERR_SPEC, "digest '%.*s': sha256 and sha512 are known", STR_ARG(str_sub(digest, 0, 150)));
    if (hex.n != want)
        return err_set(e, ERR_SPEC, "digest '%.*s' has %zu digits instead of %zu", STR_ARG(str_sub(digest, 0, 150)), hex.n, want);
    for (size_t i = 0; i < hex.n; i++)
        if (!(hex.p[i] >= '0' && hex.p[i] <= '9') && !(hex.p[i] >= 'a' && hex.p[i] <= 'f'))
            return err_set(e, ERR_SPEC, "digest '%.*s' has a character that is no lower case hexadecimal digit", STR_ARG(digest));
    return true;
}

struct str digest_hex(struct str digest) { return str_from(digest, 7); /* sha256: and sha512: */ }

static void begin(struct digester *d)
{
    int ok = EVP_DigestInit_ex2(d->ctx, d->wide ? md512 : md256, NULL);
    ASSERT(ok == 1);
}

void digester_init(struct digester *d, struct str digest)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    *d = (struct digester){.ctx = EVP_MD_CTX_new(), .wide = str_starts(digest, STR("sha512:"))};
    ASSERT(d->ctx);
    begin(d);
}

void digester_fini(struct digester *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

void digester_add(struct digester *d, const void *p, size_t n)
{
    int ok = EVP_DigestUpdate(d->ctx, p, n);
    ASSERT(ok == 1);
}

struct str digester_end(struct digester *d, struct arena *a)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    char hex[DIGEST_HEX_MAX + 1];
    unsigned n = 0;
    int ok = EVP_DigestFinal_ex(d->ctx, raw, &n);
    ASSERT(ok == 1 && n * 2 <= DIGEST_HEX_MAX);
    for (unsigned i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    begin(d);
    return str_fmt(a, "%s:%s", d->wide ? "sha512" : "sha256", hex);
}

static struct str digest_as(struct arena *a, struct str like, struct str bytes)
{
    struct digester d CLEANUP(digester_fini);
    digester_init(&d, like);
    digester_add(&d, bytes.p, bytes.n);
    return digester_end(&d, a);
}

struct str digest_of(struct arena *a, struct str bytes) { return digest_as(a, STR_NONE, bytes); }

bool digest_verify(struct str digest, struct str bytes, const char *what, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str is = digest_as(&a, digest, bytes);
    return str_eq(is, digest) || err_set(e, ERR_SPEC, "%s has the digest %.*s instead of %.*s", what, STR_ARG(is), STR_ARG(digest));
}
