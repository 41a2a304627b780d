/* The tables of style.def and icons.def at work. */
#include "cli/style.h"

static const char *const sgr[STYLE_MAX] = {
#define STYLE(role, codes, doc) codes,
#include "cli/style.def"
#undef STYLE
};

static const struct icon icons[] = {
#define ICON(phase, symbol, word, plain, role) {phase, symbol, word, plain, STYLE_##role},
#include "cli/icons.def"
#undef ICON
};

void style_put(struct buf *b, const struct style *s, enum style_role role, struct str text)
{
    if (!s->color || !sgr[role][0]) {
        buf_str(b, text);
        return;
    }
    buf_printf(b, "\033[%sm", sgr[role]);
    buf_str(b, text);
    buf_str(b, STR("\033[0m"));
}

const struct icon *icon_of(struct str phase)
{
    static const struct icon none = {"", "", "", "", STYLE_PLAIN};
    for (size_t i = 0; i < ARRAY_LEN(icons); i++)
        if (str_is(phase, icons[i].phase)) return &icons[i];
    return &none;
}

void icon_put(struct buf *b, const struct style *s, const struct icon *i)
{
    style_put(b, s, i->role, str_of(s->ascii ? i->word : i->symbol));
}
