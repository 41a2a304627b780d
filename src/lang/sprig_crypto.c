/* sprig.*: passwords and encryption. See crypto.h. */
#include "base/limits.h"
#include "doc/base64.h"
#include "lang/crypto.h"
#include "lang/pem.h"
#include "lang/sprig_p.h"

/* What each costs of LIMIT_EXPR_STEPS: a few seconds of work make an expression too expensive. */
enum { BCRYPT_STEPS = 30000, SCRYPT_STEPS = 60000, BCRYPT_MAX = 72, BLOCK = 16 };

static void random_bytes(struct xctx *x, unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)(sprig_random(x) >> 32);
}

/* --- bcrypt --- */

static bool bcrypt(struct xctx *x, struct str password, struct str *out)
{
    unsigned char salt[16];
    struct err inner = {0};
    if (password.n > BCRYPT_MAX) {
        *out = STR("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
        return true;
    }
    if (password.n && memchr(password.p, 0, password.n)) return xfail(x, "bcrypt of a text with a NUL byte is not supported");
    random_bytes(x, salt, sizeof salt);
    return xcharge(x, BCRYPT_STEPS) && (crypto_bcrypt(x->a, password, salt, out, &inner) || xfail(x, "%s", inner.text));
}

bool sprig_bcrypt(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str hash;
    if (!bcrypt(x, args[0].s, &hash)) return false;
    *out = xv_str(hash);
    return true;
}

bool sprig_htpasswd(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str hash;
    if (str_find_char(args[0].s, ':', 0) >= 0) {
        *out = xv_str(str_cat(x->a, STR("invalid username: "), args[0].s));
        return true;
    }
    if (!bcrypt(x, args[1].s, &hash)) return false;
    *out = xv_str(str_cat(x->a, str_cat(x->a, args[0].s, STR(":")), hash));
    return true;
}

/* --- derivePassword: the algorithm of Master Password --- */

/* Shapes of passwords; a letter stands for one of a set of characters. */
static const struct {
    const char *type;
    const char *shapes; /* a space between them */
} types[] = {
    {"maximum", "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno"},
    {"long", "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv CvcvCvccnoCvcv "
             "CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc "
             "CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno"},
    {"medium", "CvcnoCvc CvcCvcno"}, {"short", "Cvcn"}, {"basic", "aaanaaan aannaaan aaannaaa"}, {"pin", "nnnn"},
};

static const char *characters(char letter)
{
    switch (letter) {
    case 'V': return "AEIOU";
    case 'C': return "BCDFGHJKLMNPQRSTVWXYZ";
    case 'v': return "aeiou";
    case 'c': return "bcdfghjklmnpqrstvwxyz";
    case 'a': return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    case 'n': return "0123456789";
    case 'o': return "@&%?,=[]_:-+*$#!'^~;()/.";
    default: return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
    }
}

static struct str shape_of(const char *shapes, unsigned char seed)
{
    struct str rest = str_of(shapes), shape = rest;
    size_t n = 1;
    for (const char *p = shapes; *p; p++) n += *p == ' ';
    for (size_t i = 0; i <= seed % n; i++) str_cut(rest, ' ', &shape, &rest);
    return shape;
}

/* "com.lyndir.masterpassword", the length of a text, the text. */
static struct str salted(struct arena *a, struct str s)
{
    char length[4] = {(char)(s.n >> 24), (char)(s.n >> 16), (char)(s.n >> 8), (char)s.n};
    return str_cat(a, str_cat(a, STR("com.lyndir.masterpassword"), str_n(length, 4)), s);
}

/* Counter, type, password, user, site. The counter is an uint32 of Go, so nil is all that an expression can give. */
bool sprig_derive_password(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    unsigned char key[64], seed[32];
    struct err inner = {0};
    size_t i = 0;
    while (i < ARRAY_LEN(types) && !str_is(args[1].s, types[i].type)) i++;
    if (i == ARRAY_LEN(types)) {
        *out = xv_str(str_cat(x->a, STR("cannot find password template "), args[1].s));
        return true;
    }
    struct str site = str_cat(x->a, salted(x->a, args[4].s), str_n("\0\0\0\0", 4));
    if (!xcharge(x, SCRYPT_STEPS)) return false;
    if (!crypto_scrypt(args[2].s, salted(x->a, args[3].s), key, &inner) ||
        !crypto_hmac_sha256(str_n((const char *)key, sizeof key), site, seed, &inner))
        return xfail(x, "%s", inner.text);
    struct str shape = shape_of(types[i].shapes, seed[0]);
    char *p = arena_alloc_bytes(x->a, shape.n + 1);
    for (size_t c = 0; c < shape.n; c++) {
        const char *set = characters(shape.p[c]);
        p[c] = set[seed[c + 1] % strlen(set)];
    }
    *out = xv_str(str_n(p, shape.n));
    return true;
}

/* --- AES-256-CBC, the vector before the text, in base64 --- */

static void key_of(struct str password, unsigned char key[32])
{
    memset(key, 0, 32);
    if (password.n) memcpy(key, password.p, MIN(password.n, (size_t)32));
}

bool sprig_encrypt_aes(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str text = args[1].s;
    struct err inner = {0};
    unsigned char key[32];
    *out = xv_str(STR(""));
    if (!text.n) return true;
    if (text.n > LIMIT_VALUE_BYTES / 2) return xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
    size_t pad = BLOCK - text.n % BLOCK, whole = text.n + pad;
    char *plain = arena_alloc_bytes(x->a, whole), *bytes = arena_alloc_bytes(x->a, BLOCK + whole);
    memcpy(plain, text.p, text.n);
    memset(plain + text.n, (int)pad, pad);
    random_bytes(x, (unsigned char *)bytes, BLOCK);
    key_of(args[0].s, key);
    if (!crypto_aes_cbc(true, key, (unsigned char *)bytes, str_n(plain, whole), bytes + BLOCK, &inner))
        return xfail(x, "%s", inner.text);
    *out = xv_str(base64_encode(x->a, str_n(bytes, BLOCK + whole)));
    return xcharge(x, whole / 64);
}

bool sprig_decrypt_aes(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str bytes;
    struct err inner = {0};
    unsigned char key[32];
    *out = xv_str(STR(""));
    if (!args[1].s.n) return true;
    ptrdiff_t fault = b64_fault(args[1].s);
    if (fault >= 0 || !base64_decode(x->a, args[1].s, &bytes))
        return xfail(x, "illegal base64 data at input byte %zd", fault);
    if (bytes.n <= BLOCK || bytes.n % BLOCK) return xfail(x, "crypto/cipher: input not full blocks");
    size_t whole = bytes.n - BLOCK;
    char *plain = arena_alloc_bytes(x->a, whole);
    key_of(args[0].s, key);
    if (!crypto_aes_cbc(false, key, (const unsigned char *)bytes.p, str_from(bytes, BLOCK), plain, &inner))
        return xfail(x, "%s", inner.text);
    size_t pad = (unsigned char)plain[whole - 1];
    if (pad > whole) return xfail(x, "runtime error: slice bounds out of range [:-%zu]", pad - whole);
    *out = xv_str(str_n(plain, whole - pad));
    return xcharge(x, whole / 64);
}
