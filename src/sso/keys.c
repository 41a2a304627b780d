/* See keys.h. */
#include "sso/keys.h"

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "sso/jose.h"

enum { RSA_BITS = 2048, RSA_BITS_MOST = 8192 };

/* What a public key of a kind is made of. */
static const struct kind {
    const char *kty;
    const char *members[3];
} kinds[] = {{"RSA", {"n", "e", NULL}}, {"EC", {"crv", "x", "y"}}};

/* A modulus that is too small can be taken apart, one that is too large costs. */
static bool size_ok(struct arena *a, const struct val *key)
{
    struct str n;
    if (!base64url_decode(a, text_member(key, "n"), &n)) return false;
    while (n.n && !n.p[0]) n = str_from(n, 1);
    return n.n * 8 >= RSA_BITS && n.n * 8 <= RSA_BITS_MOST;
}

/* False: it is no key that signs tokens, or not a whole one. */
static bool key_read(struct arena *a, const struct val *v, struct sso_key *out)
{
    struct str kty = text_member(v, "kty"), use = text_member(v, "use");
    const struct kind *kind = NULL;
    struct val_builder b;
    struct str bytes;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(kty, kinds[i].kty)) kind = &kinds[i];
    if (!kind || (use.n && !str_is(use, "sig"))) return false;
    map_begin(&b, a);
    map_add_str(&b, "kty", kty);
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(kind->members) && kind->members[i]; i++) {
        struct str text = text_member(v, kind->members[i]);
        ok = ok && text.n && (str_is(str_of(kind->members[i]), "crv") || base64url_decode(a, text, &bytes));
        map_add_str(&b, kind->members[i], text);
    }
    struct val whole = map_done(&b);
    if (!ok || (str_is(kty, "RSA") && !size_ok(a, v))) return false;
    *out = (struct sso_key){.kid = text_member(v, "kid"), .alg = text_member(v, "alg"), .kty = kty, .crv = text_member(v, "crv"), .text = json_text(a, &whole)};
    return true;
}

bool keys_read(struct arena *a, struct str jwks, struct sso_keys *out, struct err *e)
{
    struct val v;
    *out = (struct sso_keys){0};
    if (!json_parse(a, jwks, NULL, &v, e)) return err_ctx(e, "the provider's keys");
    const struct val *list = val_get(&v, STR("keys"));
    if (!list || list->kind != VAL_LIST) return err_set(e, ERR_SPEC, "the provider's keys are no JWK set");
    if (list->n > LIMIT_SSO_KEYS) return err_set(e, ERR_LIMIT, "the provider has more than LIMIT_SSO_KEYS (%d) keys", LIMIT_SSO_KEYS);
    out->items = ARENA_ARRAY(a, struct sso_key, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++)
        if (key_read(a, &list->items[i], &out->items[out->n])) out->n++;
    return out->n || err_set(e, ERR_SPEC, "the provider has no key of an algorithm that is taken here");
}

static bool key_fits(const struct sso_key *k, const struct jwt *t)
{
    return str_is(k->kty, t->alg->kty) && (!t->alg->crv[0] || str_is(k->crv, t->alg->crv)) && (!k->alg.n || str_is(k->alg, t->alg->name)) &&
           (!str_set(t->kid) || str_eq(k->kid, t->kid));
}

/* A token that names no key is only taken when there is no choice: so one look is one check of a signature. */
bool keys_verify(const struct sso_keys *keys, const struct jwt *t, bool *known, struct err *e)
{
    const struct sso_key *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < keys->n; i++)
        if (key_fits(&keys->items[i], t) && !n++) found = &keys->items[i];
    *known = n > 0 || !str_set(t->kid);
    if (!found) return err_set(e, ERR_AUTH, "the ID token is signed with a key that the provider does not have");
    if (n > 1) return err_set(e, ERR_AUTH, "the ID token does not say which of the provider's keys signed it");
    struct jose_signed s = {t->head, t->payload, t->signature};
    return jose_signed_by(&s, found->text) || err_set(e, ERR_AUTH, "the ID token is not signed by the provider");
}
