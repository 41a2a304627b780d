/* Colours and symbols by role, from style.def and icons.def. Pure. Runs on: any thread. */
#pragma once
#include "base/str.h"

enum style_role {
#define STYLE(role, sgr, doc) STYLE_##role,
#include "cli/style.def"
#undef STYLE
    STYLE_MAX
};

struct style {
    bool color, ascii;
};

void style_put(struct buf *b, const struct style *s, enum style_role role, struct str text);

struct icon {
    const char *phase, *symbol, *word, *plain;
    enum style_role role;
};
/* By phase; an unknown or empty phase gives an icon with empty texts. */
const struct icon *icon_of(struct str phase);
void icon_put(struct buf *b, const struct style *s, const struct icon *i);
static inline const char *style_pick(const struct style *s, const char *utf8, const char *ascii)
{
    return s->ascii ? ascii : utf8;
}
