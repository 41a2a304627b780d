/* See check.h. The memory is a table of sets: a text can be in one set alone, where it replaces what was used longest ago. */
#include "auth/check.h"

#include "auth/sodium.h"

enum { SETS = 64, WAYS = 4, KEY = crypto_hash_sha256_BYTES };

struct entry {
    unsigned char key[KEY]; /* of the text */
    char hash[TOKEN_HASH];
    uint64_t used; /* 0: free */
};

struct auth_check {
    struct entry entries[SETS][WAYS];
    uint64_t clock;
};

struct auth_check *auth_check_new(void) { return mem_zalloc(sizeof(struct auth_check)); }

void auth_check_free(struct auth_check *c)
{
    if (c) explicit_bzero(c, sizeof *c);
    free(c);
}

static void key_of(const struct sodium_api *sodium, struct str text, unsigned char key[KEY])
{
    sodium->crypto_hash_sha256(key, (const unsigned char *)text.p, text.n);
}

static struct entry *entry_find(const struct sodium_api *sodium, const struct auth_check *c, const unsigned char key[KEY])
{
    const struct entry *set = c->entries[key[0] % SETS];
    for (int i = 0; i < WAYS; i++)
        if (set[i].used && sodium->sodium_memcmp(set[i].key, key, KEY) == 0) return (struct entry *)(uintptr_t)&set[i];
    return NULL;
}

static void entry_put(struct auth_check *c, const unsigned char key[KEY], struct str hash)
{
    struct entry *set = c->entries[key[0] % SETS], *oldest = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used) oldest = &set[i];
    *oldest = (struct entry){.used = ++c->clock};
    memcpy(oldest->key, key, KEY);
    memcpy(oldest->hash, hash.p, hash.n);
}

/* Is it the secret of the row's hash? */
static bool verify(const struct sodium_api *sodium, struct auth_check *c, struct str text, struct str secret, struct str hash)
{
    unsigned char key[KEY];
    char padded[TOKEN_HASH] = {0};
    if (hash.n >= sizeof padded) return false;
    memcpy(padded, hash.p, hash.n);
    key_of(sodium, text, key);
    struct entry *known = entry_find(sodium, c, key);
    if (known && !sodium->sodium_memcmp(known->hash, padded, sizeof padded)) return known->used = ++c->clock, true;
    if (sodium->crypto_pwhash_argon2id_str_verify(padded, secret.p, secret.n) != 0) return false;
    entry_put(c, key, hash);
    return true;
}

void auth_check_note(struct auth_check *c, struct str text)
{
    unsigned char key[KEY];
    const struct sodium_api *sodium = sodium_open(NULL);
    if (!sodium) return;
    key_of(sodium, text, key);
    struct entry *known = entry_find(sodium, c, key);
    if (known) known->used = ++c->clock;
    else entry_put(c, key, STR(""));
}

bool auth_check_knows(const struct auth_check *c, struct str text)
{
    unsigned char key[KEY];
    if (!c->clock) return false; /* and the library need not be there */
    const struct sodium_api *sodium = sodium_open(NULL);
    if (!sodium) return false;
    key_of(sodium, text, key);
    return entry_find(sodium, c, key) != NULL;
}

bool auth_check_text(struct arena *a, struct auth_check *c, struct store *s, struct str text, int64_t now_us,
                     struct auth_token *out, struct err *e)
{
    struct str id, secret;
    if (!token_text_parse(text, &id, &secret)) return err_set(e, ERR_AUTH, "this is no token of Skiff");
    const struct sodium_api *sodium = sodium_open(e);
    if (!sodium) return false;
    struct err why;
    bool found = auth_token_get(a, s, id, out, &why);
    if (!found && why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    if (!found || !verify(sodium, c, text, secret, out->hash)) return err_set(e, ERR_AUTH, "the token is not valid");
    return !auth_token_expired(out, now_us) || err_set(e, ERR_AUTH, "the token has expired");
}
