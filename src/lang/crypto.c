/* See crypto.h. The functions of libcrypto are the rows of crypto.def. */
#include "lang/crypto.h"

#include <crypt.h>
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/library.h"

#define CRYPT_SONAME "libcrypt.so.1"

static struct api {
#define CRYPTO_FN(fn) __typeof__(fn) *fn;
#include "lang/crypto.def"
#undef CRYPTO_FN
} api;

static const struct library_fn fns[] = {
#define CRYPTO_FN(fn) {#fn, offsetof(struct api, fn)},
#include "lang/crypto.def"
#undef CRYPTO_FN
};

static const struct library libcrypto = {{"libcrypto.so.3"}, "keys and ciphers need libcrypto (Debian package libssl3)", fns, ARRAY_LEN(fns)};

static bool opened;
static struct err why;

static void open_once(void) { opened = library_open(&libcrypto, &api, &why); }

static bool crypto_open(struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_once);
    if (!opened && e) *e = why;
    return opened;
}

/* Nobody reads libcrypto's own queue of errors. */
static bool failed(struct err *e, const char *what)
{
    api.ERR_clear_error();
    return err_set(e, ERR_SPEC, "%s", what);
}

/* --- keys --- */

struct crypto_key {
    EVP_PKEY *pkey;
    enum crypto_kind kind;
    int curve; /* CRYPTO_EC: index in curves */
};

static const char *const curves[] = {"secp224r1", "prime256v1", "secp384r1", "secp521r1"};

void crypto_key_clear(struct crypto_key **k)
{
    if (*k) api.EVP_PKEY_free((*k)->pkey);
    free(*k);
    *k = NULL;
}

/* -1: not one of Go's, or not given by its name. */
static int curve_of(const EVP_PKEY *pkey)
{
    char name[40] = "", how[40] = "";
    size_t n;
    int i = ARRAY_LEN(curves) - 1;
    api.EVP_PKEY_get_utf8_string_param(pkey, "encoding", how, sizeof how, &n);
    if (strcmp(how, "named_curve")) return -1;
    api.EVP_PKEY_get_group_name(pkey, name, sizeof name, &n);
    while (i >= 0 && strcmp(name, curves[i])) i--;
    return i;
}

/* Takes pkey; NULL gives NULL. */
static struct crypto_key *key_of(EVP_PKEY *pkey, struct err *e)
{
    static const struct {
        int id;
        enum crypto_kind kind;
    } kinds[] = {{EVP_PKEY_RSA, CRYPTO_RSA}, {EVP_PKEY_DSA, CRYPTO_DSA}, {EVP_PKEY_EC, CRYPTO_EC}, {EVP_PKEY_ED25519, CRYPTO_ED25519}};
    if (!pkey) return NULL;
    struct crypto_key *k = calloc(1, sizeof *k);
    ASSERT(k);
    *k = (struct crypto_key){.pkey = pkey, .kind = CRYPTO_OTHER};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (api.EVP_PKEY_get_base_id(pkey) == kinds[i].id) k->kind = kinds[i].kind;
    if (k->kind == CRYPTO_EC && (k->curve = curve_of(pkey)) < 0) {
        failed(e, "x509: unknown elliptic curve");
        crypto_key_clear(&k);
    }
    return k;
}

static EVP_PKEY *new_dsa(void)
{
    EVP_PKEY *params = NULL, *pkey = NULL;
    EVP_PKEY_CTX *c = api.EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL), *from = NULL;
    bool ok = c && api.EVP_PKEY_paramgen_init(c) > 0 && api.EVP_PKEY_CTX_set_dsa_paramgen_bits(c, 2048) > 0 &&
              api.EVP_PKEY_CTX_set_dsa_paramgen_q_bits(c, 256) > 0 && api.EVP_PKEY_paramgen(c, &params) > 0;
    if (ok) from = api.EVP_PKEY_CTX_new(params, NULL);
    if (from && api.EVP_PKEY_keygen_init(from) > 0) api.EVP_PKEY_keygen(from, &pkey);
    api.EVP_PKEY_CTX_free(from);
    api.EVP_PKEY_free(params);
    api.EVP_PKEY_CTX_free(c);
    return pkey;
}

struct crypto_key *crypto_key_new(enum crypto_kind kind, int bits, struct err *e)
{
    EVP_PKEY *pkey = NULL;
    if (!crypto_open(e)) return NULL;
    if (kind == CRYPTO_RSA) pkey = api.EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    if (kind == CRYPTO_DSA) pkey = new_dsa();
    if (kind == CRYPTO_EC) pkey = api.EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (kind == CRYPTO_ED25519) pkey = api.EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!pkey) failed(e, "libcrypto could not make a key");
    return key_of(pkey, e);
}

/* What follows the version number tells the forms apart: libcrypto takes any of them for any other. */
static bool has_form(enum crypto_kind form, struct str der)
{
    static const char after[] = {[CRYPTO_RSA] = 0x02, [CRYPTO_DSA] = 0x02, [CRYPTO_EC] = 0x04, [CRYPTO_OTHER] = 0x30};
    if (der.n < 10 || der.p[0] != 0x30) return false;
    size_t length = (unsigned char)der.p[1], at = 2 + (length & 0x80 ? length & 0x7f : 0);
    return at + 3 < der.n && der.p[at] == 2 && der.p[at + 1] == 1 && der.p[at + 3] == after[form];
}

/* Go's reader of PKCS#8 knows no DSA; its keys of other kinds sign nothing. */
static bool kind_fits(enum crypto_kind form, const struct crypto_key *k)
{
    if (form == CRYPTO_OTHER) return k->kind != CRYPTO_DSA && (k->kind != CRYPTO_OTHER || api.EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_X25519);
    return k->kind == form;
}

static bool factors_hold(const EVP_PKEY *pkey)
{
    BIGNUM *n = NULL, *p = NULL, *q = NULL, *product = api.BN_new();
    BN_CTX *c = api.BN_CTX_new();
    bool ok = product && c && api.EVP_PKEY_get_bn_param(pkey, "n", &n) > 0 && api.EVP_PKEY_get_bn_param(pkey, "rsa-factor1", &p) > 0 &&
              api.EVP_PKEY_get_bn_param(pkey, "rsa-factor2", &q) > 0 && api.BN_mul(product, p, q, c) > 0 && !api.BN_cmp(product, n);
    BIGNUM *all[] = {n, p, q, product};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) api.BN_free(all[i]);
    api.BN_CTX_free(c);
    return ok;
}

/* The parts of an RSA key belong together: as Go finds out, and without looking for primes, which takes long. */
static bool rsa_holds(EVP_PKEY *pkey)
{
    unsigned char text[1] = {0}, signature[4096];
    size_t n = sizeof signature;
    EVP_MD_CTX *to = api.EVP_MD_CTX_new(), *from = api.EVP_MD_CTX_new();
    bool ok = factors_hold(pkey) && to && from && api.EVP_DigestSignInit_ex(to, NULL, "SHA256", NULL, NULL, pkey, NULL) > 0 &&
              api.EVP_DigestSign(to, signature, &n, text, 1) > 0 &&
              api.EVP_DigestVerifyInit_ex(from, NULL, "SHA256", NULL, NULL, pkey, NULL) > 0 &&
              api.EVP_DigestVerify(from, signature, n, text, 1) > 0;
    api.EVP_MD_CTX_free(to);
    api.EVP_MD_CTX_free(from);
    return ok;
}

struct crypto_key *crypto_key_read(enum crypto_kind form, struct str der, struct err *e)
{
    const unsigned char *p = (const unsigned char *)der.p;
    if (!crypto_open(e)) return NULL;
    EVP_PKEY *pkey = has_form(form, der) ? api.d2i_AutoPrivateKey(NULL, &p, (long)der.n) : NULL;
    bool all = form == CRYPTO_DSA || p == (const unsigned char *)der.p + der.n;
    struct err inner = {0};
    struct crypto_key *k CLEANUP(crypto_key_clear) = key_of(pkey, &inner), *out = k;
    bool good = k && all && kind_fits(form, k);
    if (!good || (k->kind == CRYPTO_RSA && !rsa_holds(pkey))) {
        failed(e, inner.code ? inner.text : "it is not a private key of that form");
        return NULL;
    }
    if (k->kind == CRYPTO_EC) api.EVP_PKEY_set_int_param(pkey, "include-public", 1);
    k = NULL;
    return out;
}

enum crypto_kind crypto_key_kind(const struct crypto_key *k) { return k->kind; }

static struct str encoded(struct arena *a, int (*fn)(const EVP_PKEY *, unsigned char **), const EVP_PKEY *pkey)
{
    int n = fn(pkey, NULL);
    if (n <= 0) return STR_NONE;
    char *bytes = arena_alloc_bytes(a, (size_t)n + 1);
    unsigned char *p = (unsigned char *)bytes;
    return str_n(bytes, (size_t)fn(pkey, &p));
}

struct str crypto_key_der(struct arena *a, const struct crypto_key *k) { return encoded(a, api.i2d_PrivateKey, k->pkey); }
struct str crypto_key_public(struct arena *a, const struct crypto_key *k) { return encoded(a, api.i2d_PUBKEY, k->pkey); }

/* --- signatures --- */

#define BYTES(lit) {(lit), sizeof(lit) - 1}
static const struct scheme {
    const char *digest; /* NULL: the whole text is signed */
    struct str algorithm;
} rsa = {"SHA256", BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")},
  ed25519 = {NULL, BYTES("\x30\x05\x06\x03\x2b\x65\x70")},
  ecdsa[] = { /* in the order of curves */
      {"SHA256", BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")},
      {"SHA256", BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")},
      {"SHA384", BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")},
      {"SHA512", BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04")},
};

static const struct scheme *scheme_of(const struct crypto_key *k)
{
    return k->kind == CRYPTO_RSA ? &rsa : k->kind == CRYPTO_EC ? &ecdsa[k->curve] : k->kind == CRYPTO_ED25519 ? &ed25519 : NULL;
}

struct str crypto_key_algorithm(const struct crypto_key *k)
{
    const struct scheme *s = scheme_of(k);
    return s ? s->algorithm : STR_NONE;
}

bool crypto_sign(struct arena *a, const struct crypto_key *k, struct str data, struct str *out, struct err *e)
{
    const struct scheme *s = scheme_of(k);
    EVP_MD_CTX *c = api.EVP_MD_CTX_new();
    const unsigned char *p = (const unsigned char *)data.p;
    size_t n = 0;
    bool small = k->kind == CRYPTO_RSA && api.EVP_PKEY_get_bits(k->pkey) < 1024; /* Go signs with none of them */
    bool ok = s && !small && c && api.EVP_DigestSignInit_ex(c, NULL, s->digest, NULL, NULL, k->pkey, NULL) > 0 &&
              api.EVP_DigestSign(c, NULL, &n, p, data.n) > 0;
    char *bytes = arena_alloc_bytes(a, n + 1);
    ok = ok && api.EVP_DigestSign(c, (unsigned char *)bytes, &n, p, data.n) > 0;
    api.EVP_MD_CTX_free(c);
    *out = str_n(bytes, n);
    return ok || failed(e, small ? "crypto/rsa: keys of less than 1024 bits are insecure" : "libcrypto could not sign");
}

/* --- certificates --- */

bool crypto_issuer_read(struct arena *a, struct str der, const struct crypto_key *k, struct crypto_issuer *out, struct err *e)
{
    const unsigned char *p = (const unsigned char *)der.p;
    if (!crypto_open(e)) return false;
    X509 *cert = api.d2i_X509(NULL, &p, (long)der.n);
    bool ok = cert && p == (const unsigned char *)der.p + der.n && api.X509_get0_pubkey(cert);
    *out = (struct crypto_issuer){.key_id = STR("")};
    if (ok) {
        const X509_NAME *name = api.X509_get_subject_name(cert);
        int n = api.i2d_X509_NAME(name, NULL);
        char *bytes = arena_alloc_bytes(a, (size_t)n + 1);
        unsigned char *to = (unsigned char *)bytes;
        out->name = str_n(bytes, (size_t)api.i2d_X509_NAME(name, &to));
        const ASN1_OCTET_STRING *id = api.X509_get0_subject_key_id(cert);
        if (id) out->key_id = str_dup(a, str_n((const char *)api.ASN1_STRING_get0_data(id), (size_t)api.ASN1_STRING_length(id)));
        out->owns = k && api.EVP_PKEY_eq(api.X509_get0_pubkey(cert), k->pkey) == 1;
    }
    api.X509_free(cert);
    api.ERR_clear_error();
    return ok || failed(e, "x509: malformed certificate");
}

/* --- hashes and ciphers --- */

bool crypto_sha256(struct str data, unsigned char out[32], struct err *e)
{
    return crypto_open(e) && (api.EVP_Q_digest(NULL, "SHA256", NULL, data.p, data.n, out, NULL) > 0 || failed(e, "no SHA-256"));
}

bool crypto_hmac_sha256(struct str key, struct str data, unsigned char out[32], struct err *e)
{
    size_t n;
    return crypto_open(e) && (api.EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.p, key.n, (const unsigned char *)data.p,
                                            data.n, out, 32, &n) || failed(e, "no HMAC"));
}

bool crypto_scrypt(struct str password, struct str salt, unsigned char out[64], struct err *e)
{
    enum { MEMORY = 64 << 20 };
    return crypto_open(e) && (api.EVP_PBE_scrypt(password.p, password.n, (const unsigned char *)salt.p, salt.n, 32768, 8, 2, MEMORY,
                                                 out, 64) > 0 || failed(e, "scrypt failed"));
}

bool crypto_aes_cbc(bool encrypt, const unsigned char key[32], const unsigned char iv[16], struct str in, char *out, struct err *e)
{
    int n = 0;
    if (!crypto_open(e)) return false;
    EVP_CIPHER_CTX *c = api.EVP_CIPHER_CTX_new();
    bool ok = c && api.EVP_CipherInit_ex(c, api.EVP_aes_256_cbc(), NULL, key, iv, encrypt) > 0 &&
              api.EVP_CIPHER_CTX_set_padding(c, 0) > 0 &&
              api.EVP_CipherUpdate(c, (unsigned char *)out, &n, (const unsigned char *)in.p, (int)in.n) > 0 && (size_t)n == in.n;
    api.EVP_CIPHER_CTX_free(c);
    return ok || failed(e, "AES failed");
}

/* --- bcrypt --- */

typedef char *crypt_fn(const char *phrase, const char *setting, void *data, int size);
static crypt_fn *crypt_run;

static void crypt_open_once(void)
{
    void *lib = dlopen(CRYPT_SONAME, RTLD_NOW | RTLD_LOCAL);
    void *fn = lib ? dlsym(lib, "crypt_rn") : NULL;
    memcpy(&crypt_run, &fn, sizeof fn);
}

static void put_salt(char *out, const unsigned char salt[16])
{
    static const char digits[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (int i = 0; i < 22; i++) {
        int bit = 6 * i, byte = bit / 8;
        unsigned pair = (unsigned)salt[byte] << 8 | (byte < 15 ? salt[byte + 1] : 0);
        out[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    out[22] = '\0';
}

/* "2b" is what Go calls "2a": the library's own "2a" guards against a bug that Go never had. */
bool crypto_bcrypt(struct arena *a, struct str password, const unsigned char salt[16], struct str *out, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, crypt_open_once);
    if (!crypt_run) return err_set(e, ERR_UNSUPPORTED, "bcrypt needs libxcrypt (Debian package libcrypt1)");
    struct crypt_data *data = arena_alloc(a, sizeof *data);
    char setting[40] = "$2b$10$";
    put_salt(setting + 7, salt);
    const char *hash = crypt_run(str_z(a, password), setting, data, sizeof *data);
    if (!hash || strlen(hash) != 60) return err_set(e, ERR_UNSUPPORTED, "libxcrypt has no bcrypt");
    *out = str_fmt(a, "$2a%s", hash + 3);
    return true;
}
