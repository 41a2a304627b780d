/* See page.h. The text list/position in hexadecimal digits: clients that forget to encode it in a URL do no harm. */
#include "api/page.h"

struct str page_token(struct arena *a, const char *list, struct str position)
{
    static const char digits[] = "0123456789abcdef";
    struct str text = str_cat(a, str_fmt(a, "%s/", list), position);
    char *p = arena_alloc(a, 2 * text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        p[2 * i] = digits[(uint8_t)text.p[i] >> 4];
        p[2 * i + 1] = digits[text.p[i] & 15];
    }
    return str_n(p, 2 * text.n);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct arena *a, struct str token, struct str *out)
{
    char *p = arena_alloc(a, token.n / 2 + 1);
    for (size_t i = 0; i + 1 < token.n; i += 2) {
        int high = digit(token.p[i]), low = digit(token.p[i + 1]);
        if (high < 0 || low < 0) return false;
        p[i / 2] = (char)(high << 4 | low);
    }
    *out = str_n(p, token.n / 2);
    return token.n % 2 == 0;
}

bool page_token_read(struct arena *a, struct str token, const char *list, struct str *position, struct err *e)
{
    struct str text, of;
    return (decode(a, token, &text) && str_cut(text, '/', &of, position) && str_is(of, list)) ||
           err_set(e, ERR_SPEC, "the continue token is not one of this list: begin again without it");
}
