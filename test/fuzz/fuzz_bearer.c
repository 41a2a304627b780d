/* Where a token stands in Authorization and Cookie: what is found is part of the text, a word, and the same when it is read again. */
#include "auth/bearer.h"
#include "auth/token.h"
#include "fuzz.h"

static void found(struct arena *a, struct str text, struct str token)
{
    struct str again, id, secret;
    ASSERT(token.n > 0 && token.p >= text.p && token.p + token.n <= text.p + text.n);
    ASSERT(str_find_char(token, ' ', 0) < 0 && str_find_char(token, ';', 0) < 0);
    ASSERT(bearer_parse(str_fmt(a, "Bearer %.*s", STR_ARG(token)), &again) && str_eq(again, token));
    if (token_text_parse(token, &id, &secret)) ASSERT(id.n == TOKEN_ID && secret.n == TOKEN_SECRET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str text = str_n((const char *)data, size), token;
    arena_init(&a);
    if (bearer_parse(text, &token)) found(&a, text, token);
    if (bearer_cookie(text, &token)) found(&a, text, token);
    return 0;
}
