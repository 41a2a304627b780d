/* Readers behind sprig's functions: versions and constraints, URLs, PEM blocks with keys and certificates in
 * them, DER without PEM. The first byte chooses. */
#include "fuzz.h"
#include "lang/crypto.h"
#include "lang/gourl.h"
#include "lang/pem.h"
#include "lang/semver.h"

static void versions(struct arena *a, struct str s)
{
    struct str version, constraint;
    struct semver v;
    struct err e = {0};
    bool met;
    str_cut(s, '|', &version, &constraint);
    if (!semver_read(version, &v, &e)) {
        ASSERT(e.text[0]);
        semver_read(STR("1.2.3-a"), &v, NULL);
    }
    struct semver again;
    ASSERT(semver_read(semver_text(a, &v), &again, NULL) && !semver_order(&v, &again));
    ASSERT(semver_meets(a, str_set(constraint) ? constraint : s, &v, &met, &e) || e.text[0]);
}

/* What is put together can be taken apart, but for texts that hide a part in another. */
static void urls(struct arena *a, struct str s)
{
    struct gourl u, again;
    struct err e = {0};
    if (!gourl_parse(a, s, &u, &e)) {
        ASSERT(e.text[0]);
        return;
    }
    struct str text = gourl_text(a, &u);
    if (gourl_parse(a, text, &again, NULL)) ASSERT(str_eq(u.fragment, again.fragment));
    ASSERT(gourl_hostname(&u).n <= u.host.n && str_set(gourl_userinfo(a, &u)));
}

static void keys(struct arena *a, struct str der)
{
    for (enum crypto_kind form = CRYPTO_RSA; form <= CRYPTO_OTHER; form++) {
        if (form == CRYPTO_ED25519) continue; /* stands in PKCS#8 only */
        struct err e = {0};
        struct crypto_key *k CLEANUP(crypto_key_clear) = crypto_key_read(form, der, &e);
        ASSERT(k || e.text[0]);
        if (k && crypto_key_kind(k) != CRYPTO_OTHER) ASSERT(crypto_key_der(a, k).n && crypto_key_public(a, k).n);
    }
    struct crypto_issuer issuer;
    struct err e = {0};
    ASSERT(crypto_issuer_read(a, der, NULL, &issuer, &e) || e.text[0]);
}

static void blocks(struct arena *a, struct str s)
{
    struct str type, bytes, again;
    if (!pem_read(a, s, &type, &bytes)) return;
    keys(a, bytes);
    if (str_find_char(type, '\n', 0) >= 0 || !pem_read(a, pem_write(a, STR("X"), bytes), &type, &again)) __builtin_trap();
    ASSERT(str_eq(bytes, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct arena *a, struct str s) = {versions, urls, blocks, keys};
    if (!size || size > 8000) return 0;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    readers[data[0] % ARRAY_LEN(readers)](&a, str_n((const char *)data + 1, size - 1));
    return 0;
}
