/* The text of a token, and how one is made. See token.h.
 *
 * The cost of the hash is small on purpose: nobody guesses 256 random bits, and the loop thread waits for it. */
#include "auth/token.h"

#include "auth/sodium.h"
#include "base/limits.h"
#include "os/random.h"

enum { HASH_PASSES = 2, HASH_MEMORY = 1 << 20, RANDOM = TOKEN_SECRET / 2 };
static const char token_prefix[] = "skt_";
_Static_assert(TOKEN_HASH == crypto_pwhash_argon2id_STRBYTES, "room for a hash");

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f')) return false;
    return true;
}

bool auth_text_parse(const char *prefix, struct str text, struct str *id, struct str *secret)
{
    if (text.n != TOKEN_TEXT || !str_starts(text, str_of(prefix)) || text.p[TOKEN_TEXT - TOKEN_SECRET - 1] != '_') return false;
    *id = str_sub(text, strlen(prefix), TOKEN_ID);
    *secret = str_from(text, TOKEN_TEXT - TOKEN_SECRET);
    return is_hex(*id) && is_hex(*secret);
}

bool token_text_parse(struct str text, struct str *id, struct str *secret) { return auth_text_parse(token_prefix, text, id, secret); }

static void hex_put(struct buf *b, size_t digits)
{
    unsigned char bytes[RANDOM];
    ASSERT(digits / 2 <= sizeof bytes);
    random_bytes(bytes, digits / 2);
    for (size_t i = 0; i < digits / 2; i++) buf_printf(b, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
}

struct str auth_text_make(struct arena *a, const char *prefix)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, TOKEN_TEXT);
    buf_str(&b, str_of(prefix));
    hex_put(&b, TOKEN_ID);
    buf_char(&b, '_');
    hex_put(&b, TOKEN_SECRET);
    return buf_dup(a, &b);
}

static bool word_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') && (c == 0 || !strchr("-_.@", c))) return false;
    }
    return s.n > 0 && s.n <= LIMIT_TOKEN_NAME_BYTES;
}

static bool want_check(struct arena *a, struct store *s, const struct auth_token *want, int64_t now_us, struct err *e)
{
    struct auth_token *all;
    size_t n;
    if (!word_ok(want->name))
        return err_set(e, ERR_SPEC, "'%.*s' cannot name a token: 1 to %d letters, digits, '-', '_', '.' and '@'", STR_ARG(want->name), LIMIT_TOKEN_NAME_BYTES);
    for (size_t i = 0; i < want->n; i++)
        if (!word_ok(want->namespaces[i])) return err_set(e, ERR_SPEC, "'%.*s' is no namespace", STR_ARG(want->namespaces[i]));
    if (want->n > LIMIT_TOKEN_NAMESPACES) return err_set(e, ERR_LIMIT, "more than LIMIT_TOKEN_NAMESPACES (%d) namespaces", LIMIT_TOKEN_NAMESPACES);
    if (auth_token_expired(want, now_us)) return err_set(e, ERR_SPEC, "the token would have expired already");
    if (!auth_token_list(a, s, &all, &n, e)) return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].name, want->name)) return err_set(e, ERR_CONFLICT, "there is a token '%.*s' already", STR_ARG(want->name));
    return n < LIMIT_TOKENS || err_set(e, ERR_LIMIT, "there are LIMIT_TOKENS (%d) tokens already", LIMIT_TOKENS);
}

bool auth_token_create(struct arena *a, struct store *s, const struct auth_token *want, int64_t now_us, struct str *text,
                       struct auth_token *made, struct err *e)
{
    char hash[TOKEN_HASH];
    struct str secret;
    const struct sodium_api *sodium = sodium_open(e);
    if (!sodium || !want_check(a, s, want, now_us, e)) return false;
    *made = *want;
    *text = auth_text_make(a, token_prefix);
    bool ok = token_text_parse(*text, &made->id, &secret);
    ASSERT(ok);
    if (sodium->crypto_pwhash_argon2id_str(hash, secret.p, secret.n, HASH_PASSES, HASH_MEMORY) != 0)
        return err_set(e, ERR_LIMIT, "no memory for the hash of a token");
    made->hash = str_dup(a, str_of(hash));
    made->created_us = now_us;
    made->used_us = 0;
    return auth_token_put(s, made, e);
}
