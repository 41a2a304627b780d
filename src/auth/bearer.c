/* See bearer.h. */
#include "auth/bearer.h"

#include <strings.h>

static bool token_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\",;\\", s.p[i])) return false;
    return s.n > 0;
}

bool bearer_parse(struct str value, struct str *token)
{
    static const char scheme[] = "bearer ";
    value = str_trim(value);
    if (value.n < sizeof scheme || strncasecmp(value.p, scheme, sizeof scheme - 1) != 0) return false;
    *token = str_trim(str_from(value, sizeof scheme - 1));
    return token_ok(*token);
}

static struct str unquoted(struct str s)
{
    s = str_trim(s);
    return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? str_sub(s, 1, s.n - 2) : s;
}

/* With or without "Bearer ", whose space a page may have written as an escape. */
static bool cookie_token(struct str value, struct str *token)
{
    static const char escaped[] = "bearer%20";
    value = unquoted(value);
    if (value.n >= sizeof escaped && strncasecmp(value.p, escaped, sizeof escaped - 1) == 0) {
        *token = str_from(value, sizeof escaped - 1);
        return token_ok(*token);
    }
    if (bearer_parse(value, token)) return true;
    *token = value;
    return token_ok(value);
}

bool bearer_cookie(struct str header, struct str *token)
{
    struct str one, name, value;
    while (str_set(header)) {
        str_cut(header, ';', &one, &header);
        if (str_cut(one, '=', &name, &value) && str_is(str_trim(name), "authorization") && cookie_token(value, token)) return true;
    }
    return false;
}
