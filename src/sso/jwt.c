/* See jwt.h. */
#include "sso/jwt.h"

#include <strings.h>

#include "auth/sodium.h"
#include "base/limits.h"
#include "doc/json.h"

static const struct jwt_alg algs[] = {
#define SSO_ALG(name, kty, crv) {name, kty, crv},
#include "sso/algs.def"
#undef SSO_ALG
};

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

/* libsodium 1.0.18 takes bytes beyond ASCII for digits. */
static bool base64url_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') && s.p[i] != '-' && s.p[i] != '_') return false;
    return true;
}

bool base64url_decode(struct arena *a, struct str text, struct str *out)
{
    const struct sodium_api *sodium = sodium_open(NULL);
    size_t n, max = text.n / 4 * 3 + 3;
    if (!sodium || text.n > LIMIT_SSO_TOKEN_BYTES || !base64url_ok(text)) return false;
    char *p = arena_alloc_bytes(a, max + 1);
    if (sodium->sodium_base642bin((unsigned char *)p, max, text.p ? text.p : "", text.n, NULL, &n, NULL, VARIANT) != 0) return false;
    p[n] = 0;
    *out = str_n(p, n);
    return true;
}

struct str base64url_encode(struct arena *a, struct str bytes)
{
    const struct sodium_api *sodium = sodium_open(NULL);
    size_t room = sodium_base64_ENCODED_LEN(bytes.n, VARIANT);
    if (!sodium) return STR("");
    char *p = arena_alloc_bytes(a, room);
    return str_of(sodium->sodium_bin2base64(p, room, (const unsigned char *)bytes.p, bytes.n, VARIANT));
}

struct str text_member(const struct val *v, const char *name)
{
    const struct val *m = val_get(v, str_of(name));
    return m && m->kind == VAL_STR ? m->s : STR_NONE;
}

/* ---- taking apart ---- */

static bool parts_of(struct str text, struct jwt *out)
{
    struct str rest;
    return str_cut(text, '.', &out->head, &rest) && str_cut(rest, '.', &out->payload, &out->signature) &&
           str_find_char(out->signature, '.', 0) < 0 && out->head.n && out->payload.n;
}

bool jwt_like(struct str text)
{
    struct jwt t;
    return parts_of(text, &t);
}

static bool malformed(struct err *e, const char *what) { return err_set(e, ERR_AUTH, "this is no ID token: %s", what); }

static bool part_read(struct arena *a, struct str part, struct val *out, struct err *e)
{
    static const struct json_opts opts = {.strict = true};
    struct str text;
    struct err why;
    if (!base64url_decode(a, part, &text)) return malformed(e, "a part is not base64url");
    if (!json_parse(a, text, &opts, out, &why) || out->kind != VAL_MAP) return malformed(e, "a part is no JSON object, or has a member twice");
    return true;
}

static const struct jwt_alg *alg_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (str_is(name, algs[i].name)) return &algs[i];
    return NULL;
}

/* An access token says so in `typ` (at+jwt): it is not about who signed in. */
static bool head_read(struct arena *a, struct jwt *out, struct err *e)
{
    struct val head;
    if (!part_read(a, out->head, &head, e)) return false;
    const struct val *typ = val_get(&head, STR("typ")), *kid = val_get(&head, STR("kid")), *alg = val_get(&head, STR("alg"));
    if (typ && (typ->kind != VAL_STR || typ->s.n != 3 || strncasecmp(typ->s.p, "JWT", 3) != 0)) return malformed(e, "`typ` is not JWT");
    if (val_get(&head, STR("crit"))) return malformed(e, "`crit` asks for what is not known here");
    if (kid && kid->kind != VAL_STR) return malformed(e, "`kid` is no text");
    out->kid = kid ? kid->s : STR_NONE;
    out->alg = alg && alg->kind == VAL_STR ? alg_find(alg->s) : NULL;
    return out->alg || malformed(e, "its algorithm is none that is taken here");
}

bool jwt_read(struct arena *a, struct str text, struct jwt *out, struct err *e)
{
    struct str signature;
    *out = (struct jwt){0};
    if (text.n > LIMIT_SSO_TOKEN_BYTES) return err_set(e, ERR_LIMIT, "an ID token has at most LIMIT_SSO_TOKEN_BYTES (%d)", LIMIT_SSO_TOKEN_BYTES);
    if (!sodium_open(e)) return false;
    if (!parts_of(text, out)) return malformed(e, "it has not three parts");
    if (!base64url_decode(a, out->signature, &signature) || !signature.n) return malformed(e, "it has no signature");
    return head_read(a, out, e) && part_read(a, out->payload, &out->claims, e);
}

/* ---- claims ---- */

static bool wrong(struct err *e, const char *what) { return err_set(e, ERR_AUTH, "the ID token %s", what); }

/* Who it is for: this client, or one that is let in beside it. With several audiences, or when it says so, also who asked for it (azp). */
static bool audience_check(const struct val *claims, const struct jwt_wanted *w, struct err *e)
{
    const struct val *aud = val_get(claims, STR("aud")), *azp = val_get(claims, STR("azp"));
    const struct val *items = aud && aud->kind == VAL_LIST ? aud->items : aud;
    size_t n = !aud ? 0 : aud->kind == VAL_LIST ? aud->n : 1;
    bool own = false, other = false;
    for (size_t i = 0; i < n; i++) {
        if (items[i].kind != VAL_STR) return wrong(e, "has an `aud` that is no text");
        own = own || str_eq(items[i].s, w->client_id);
        other = other || str_has_word(w->audiences, ' ', items[i].s);
    }
    if (!own && !(other && !str_set(w->nonce))) return wrong(e, "is for somebody else (aud)");
    if (!own) return true;
    if (azp ? azp->kind != VAL_STR || !str_eq(azp->s, w->client_id) : n > 1) return wrong(e, "was made for another client (azp)");
    return true;
}

/* Seconds since 1970, a fraction allowed; false: it is there and no such number. */
static bool time_of(const struct val *claims, const char *name, bool *there, double *out)
{
    const struct val *v = val_get(claims, str_of(name));
    *there = v != NULL;
    return !v || ((v->kind == VAL_INT || v->kind == VAL_FLOAT) && val_double(v, out) && *out >= 0 && *out < 1e12);
}

static bool times_check(const struct val *claims, int64_t now_us, struct err *e)
{
    double now = (double)now_us / 1e6, exp = 0, nbf = 0, iat = 0;
    bool has_exp, has_nbf, has_iat;
    if (!time_of(claims, "exp", &has_exp, &exp) || !time_of(claims, "nbf", &has_nbf, &nbf) || !time_of(claims, "iat", &has_iat, &iat))
        return wrong(e, "has a time that is none");
    if (!has_exp || !has_iat) return wrong(e, "does not say when it was made (iat) and when it ends (exp)");
    if (now >= exp + LIMIT_SSO_LEEWAY_S) return wrong(e, "has expired");
    if (has_nbf && now + LIMIT_SSO_LEEWAY_S < nbf) return wrong(e, "does not count yet (nbf)");
    if (now + LIMIT_SSO_LEEWAY_S < iat) return wrong(e, "was made in the future (iat): do the clocks agree?");
    return true;
}

static bool nonce_check(const struct val *claims, struct str nonce)
{
    const struct sodium_api *sodium = sodium_open(NULL);
    struct str shown = text_member(claims, "nonce");
    if (!str_set(nonce)) return true;
    return sodium && shown.n == nonce.n && sodium->sodium_memcmp(shown.p, nonce.p, nonce.n) == 0;
}

bool jwt_check(const struct val *claims, const struct jwt_wanted *w, struct err *e)
{
    struct str sub = text_member(claims, "sub");
    if (!str_eq(text_member(claims, "iss"), w->issuer)) return wrong(e, "is from another issuer (iss)");
    if (!sub.n || sub.n > LIMIT_SSO_SUBJECT_BYTES) return wrong(e, "does not say whom it is about (sub)");
    return audience_check(claims, w, e) && times_check(claims, w->now_us, e) &&
           (nonce_check(claims, w->nonce) || wrong(e, "answers another sign-in (nonce)"));
}
