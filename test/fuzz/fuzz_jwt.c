/* ID tokens and key sets: what is taken apart keeps its promises, and nothing that is made up is signed. The first line is a token or, without a dot,
 * becomes one's head; the rest is a key set and, without a dot, the claims too. */
#include "base/limits.h"
#include "fuzz.h"
#include "sso/keys.h"
#include "sso/rules.h"

static void base64url_holds(struct str s)
{
    for (size_t i = 0; i < s.n; i++) ASSERT(char_is_one_of(s.p[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"));
}

static void token_holds(struct arena *a, const struct jwt *t, const struct sso_keys *keys, bool made_up)
{
    struct jwt_wanted w = {.issuer = STR("https://idp.example"), .client_id = STR("skiff"), .audiences = STR("a b"), .now_us = 1700000000000000};
    struct auth_person p;
    struct err e = {0};
    bool known;
    ASSERT(t->alg && t->head.n && t->payload.n && t->signature.n && t->claims.kind == VAL_MAP);
    base64url_holds(t->head);
    base64url_holds(t->payload);
    base64url_holds(t->signature);
    if (keys_verify(keys, t, &known, &e)) ASSERT(known && !made_up);
    if (!jwt_check(&t->claims, &w, &e)) ASSERT(e.code == ERR_AUTH);
    person_read(a, &t->claims, STR("groups"), &p);
    ASSERT(p.n <= LIMIT_SSO_GROUPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str text = str_n((const char *)data, size), first, rest;
    struct sso_keys keys = {0};
    struct err e = {0};
    struct jwt t;
    arena_init(&a);
    str_cut(text, '\n', &first, &rest);
    bool made_up = str_find_char(first, '.', 0) < 0;
    if (!keys_read(&a, rest.p ? rest : STR(""), &keys, &e)) keys.n = 0;
    ASSERT(keys.n <= LIMIT_SSO_KEYS);
    if (made_up) first = str_fmt(&a, "%.*s.%.*s.AAAA", STR_ARG(base64url_encode(&a, first)), STR_ARG(base64url_encode(&a, rest)));
    if (jwt_read(&a, first, &t, &e)) token_holds(&a, &t, &keys, made_up);
    else ASSERT(e.code == ERR_AUTH || e.code == ERR_LIMIT);
    return 0;
}
