/* sprig.*: private keys and certificates. See crypto.h and cert.h. */
#include <arpa/inet.h>

#include "base/limits.h"
#include "doc/base64.h"
#include "lang/cert.h"
#include "lang/pem.h"
#include "lang/sprig_p.h"

/* Of LIMIT_EXPR_STEPS, by time: three keys of 4096 bits use an expression up. */
enum { RSA_BITS = 4096, CERT_BITS = 2048, LARGE_KEY_STEPS = 300000, CERT_KEY_STEPS = 40000, SMALL_KEY_STEPS = 500,
       READ_KEY_STEPS = 5000, SIGN_STEPS = 1000 };

/* --- private keys as PEM --- */

static const struct {
    const char *block; /* what stands before "PRIVATE KEY" */
    enum crypto_kind kind;
    const char *about;
} blocks[] = {{"RSA ", CRYPTO_RSA, "parsing RSA private key from PEM"}, {"EC ", CRYPTO_EC, "parsing EC private key from PEM"},
              {"DSA ", CRYPTO_DSA, "parsing DSA private key from PEM"}, {"", CRYPTO_OTHER, "decoding PEM as PKCS#8"}};

static struct str key_text(struct arena *a, const struct crypto_key *k)
{
    size_t i = 0;
    while (blocks[i].kind != crypto_key_kind(k) && blocks[i].kind != CRYPTO_OTHER) i++;
    return pem_write(a, str_fmt(a, "%sPRIVATE KEY", blocks[i].block), crypto_key_der(a, k));
}

static bool read_key(struct xctx *x, const char *about, struct str text, struct crypto_key **out)
{
    struct str type, bytes;
    struct err inner = {0};
    if (!xcharge(x, READ_KEY_STEPS + text.n)) return false;
    if (!pem_read(x->a, text, &type, &bytes)) return xfail(x, "%s: no PEM data in input", about);
    if (!xcharge(x, bytes.n * bytes.n / 400)) return false; /* it is tried: a quarter of a second for 16384 bits */
    if (!str_is(type, "PRIVATE KEY") && !str_ends(type, STR(" PRIVATE KEY")))
        return xfail(x, "%s: no private key data in PEM block of type %.*s", about, STR_ARG(type));
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        if (!str_eq(type, str_fmt(x->a, "%sPRIVATE KEY", blocks[i].block))) continue;
        *out = crypto_key_read(blocks[i].kind, bytes, &inner);
        return *out || xfail(x, "%s: %s: %s", about, blocks[i].about, inner.text);
    }
    return xfail(x, "%s: invalid private key type %.*s", about, STR_ARG(type));
}

static bool new_key(struct xctx *x, enum crypto_kind kind, int bits, size_t steps, struct crypto_key **out)
{
    struct err inner = {0};
    if (!xcharge(x, steps)) return false;
    *out = crypto_key_new(kind, bits, &inner);
    return *out || xfail(x, "%s", inner.text);
}

bool sprig_gen_private_key(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    static const struct {
        const char *name;
        enum crypto_kind kind;
        size_t steps;
    } types[] = {{"", CRYPTO_RSA, LARGE_KEY_STEPS}, {"rsa", CRYPTO_RSA, LARGE_KEY_STEPS}, {"dsa", CRYPTO_DSA, LARGE_KEY_STEPS},
                 {"ecdsa", CRYPTO_EC, SMALL_KEY_STEPS}, {"ed25519", CRYPTO_ED25519, SMALL_KEY_STEPS}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_is(args[0].s, types[i].name)) continue;
        struct crypto_key *k CLEANUP(crypto_key_clear) = NULL;
        if (!new_key(x, types[i].kind, RSA_BITS, types[i].steps, &k)) return false;
        *out = xv_str(key_text(x->a, k));
        return true;
    }
    *out = xv_str(str_cat(x->a, STR("Unknown type "), args[0].s));
    return true;
}

/* --- what a certificate is made of --- */

static bool parse_ip(struct arena *a, struct str text, struct str *out)
{
    char *p = arena_alloc_bytes(a, 16);
    static const char mapped[12] = {[10] = '\xff', [11] = '\xff'};
    const char *z = str_z(a, text);
    if (strlen(z) != text.n) return false;
    if (inet_pton(AF_INET, z, p) == 1) return *out = str_n(p, 4), true;
    if (inet_pton(AF_INET6, z, p) != 1) return false;
    *out = memcmp(p, mapped, sizeof mapped) ? str_n(p, 16) : str_n(p + 12, 4);
    return true;
}

static bool texts_of(struct xctx *x, const struct xv *list, bool ips, const struct str **out, size_t *n)
{
    struct str *texts = ARENA_ARRAY(x->a, struct str, list->list->n + 1);
    *out = texts;
    *n = list->list->n;
    if (!xcharge(x, *n)) return false;
    for (size_t i = 0; i < *n; i++) {
        const struct xv *v = &list->list->items[i];
        struct str shown = xv_text(x, v);
        texts[i] = shown;
        if (v->kind != X_STR)
            return xfail(x, ips ? "error parsing ip: %.*s is not a string" : "error processing alternate dns name: %.*s is not a string",
                         STR_ARG(shown));
        if (ips && !parse_ip(x->a, shown, &texts[i])) return xfail(x, "error parsing ip: %.*s", STR_ARG(shown));
    }
    return true;
}

/* args: the name; for others than authorities addresses and further names; days. */
static bool wish_of(struct xctx *x, const struct xv *args, bool authority, struct cert_wish *w)
{
    static const int64_t day_ns = 86400000000000;
    int64_t days = args[authority ? 1 : 3].i;
    *w = (struct cert_wish){.cn = args[0].s, .authority = authority, .from = moment_utc(x->env ? x->env->clock.now_us : 0)};
    w->to = moment_add(w->from, (int64_t)((uint64_t)days * (uint64_t)day_ns)); /* wraps, as in Go */
    for (size_t i = 0; i < CERT_SERIAL_BYTES; i++) w->serial[i] = (unsigned char)(sprig_random(x) >> 32);
    return authority || (texts_of(x, &args[1], true, &w->ips, &w->n_ips) && texts_of(x, &args[2], false, &w->dns, &w->n_dns));
}

/* The new one's key; issuer NULL: it signs itself. */
struct signing {
    const struct crypto_key *key, *signer;
    const struct crypto_issuer *issuer;
};

static bool finish(struct xctx *x, const struct cert_wish *w, const struct signing *s, struct xv *out)
{
    struct str bytes;
    struct err inner = {0};
    if (!xcharge(x, SIGN_STEPS)) return false;
    if (!cert_make(x->a, w, s->key, s->issuer, s->signer, &bytes, &inner)) return xfail(x, "%s", inner.text);
    struct xobject *o = ARENA_NEW(x->a, struct xobject);
    *o = (struct xobject){.kind = XOB_CERTIFICATE, .cert = pem_write(x->a, STR("CERTIFICATE"), bytes), .key = key_text(x->a, s->key)};
    *out = (struct xv){.kind = X_OBJECT, .obj = o};
    return true;
}

/* pem NULL: a new key. */
static bool key_for(struct xctx *x, const struct xv *pem, struct crypto_key **k)
{
    return pem ? read_key(x, "parsing private key", pem->s, k) : new_key(x, CRYPTO_RSA, CERT_BITS, CERT_KEY_STEPS, k);
}

static bool self_signed(struct xctx *x, const struct xv *args, bool authority, const struct xv *pem, struct xv *out)
{
    struct crypto_key *k CLEANUP(crypto_key_clear) = NULL;
    struct cert_wish w;
    if (!wish_of(x, args, authority, &w) || !key_for(x, pem, &k)) return false;
    return finish(x, &w, &(struct signing){k, k, NULL}, out);
}

bool sprig_gen_ca(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return self_signed(x, args, true, n > 2 ? &args[2] : NULL, out);
}
bool sprig_gen_self_signed(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return self_signed(x, args, false, n > 4 ? &args[4] : NULL, out);
}

static bool read_certificate(struct xctx *x, struct str text, const char *about, const struct crypto_key *k, struct crypto_issuer *out)
{
    struct str type, bytes;
    struct err inner = {0};
    if (!xcharge(x, text.n / 16)) return false;
    if (!pem_read(x->a, text, &type, &bytes)) return xfail(x, "unable to decode certificate");
    return crypto_issuer_read(x->a, bytes, k, out, &inner) || xfail(x, "error parsing certificate: %s: %s", about, inner.text);
}

bool sprig_gen_signed(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    const struct xobject *ca = args[4].obj;
    struct crypto_key *k CLEANUP(crypto_key_clear) = NULL, *signer CLEANUP(crypto_key_clear) = NULL;
    struct crypto_issuer issuer;
    struct cert_wish w;
    if (!read_certificate(x, ca->cert, "decodedSignerCert.Bytes", NULL, &issuer)) return false;
    if (!read_key(x, "error parsing private key", ca->key, &signer)) return false;
    if (!read_certificate(x, ca->cert, "decodedSignerCert.Bytes", signer, &issuer)) return false;
    if (!wish_of(x, args, false, &w) || !key_for(x, n > 5 ? &args[5] : NULL, &k)) return false;
    return finish(x, &w, &(struct signing){k, signer, &issuer}, out);
}

static bool decode(struct xctx *x, struct str text, const char *what, struct str *out)
{
    bool fine = b64_fault(text) < 0 && base64_decode(x->a, text, out);
    return xcharge(x, text.n / 16) && (fine || xfail(x, "unable to decode base64 %s", what));
}

bool sprig_build_custom_cert(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct crypto_key *k CLEANUP(crypto_key_clear) = NULL;
    struct crypto_issuer issuer;
    struct xobject *o = ARENA_NEW(x->a, struct xobject);
    o->kind = XOB_CERTIFICATE;
    *out = (struct xv){.kind = X_OBJECT, .obj = o};
    return decode(x, args[0].s, "certificate", &o->cert) && decode(x, args[1].s, "private key", &o->key) &&
           read_certificate(x, o->cert, "decodedCert.Bytes", NULL, &issuer) && read_key(x, "error parsing private key", o->key, &k);
}
