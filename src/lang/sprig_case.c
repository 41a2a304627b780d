/* sprig.* on letter cases: title, snakecase and their like. See sprig.def. */
#include "base/limits.h"
#include "lang/rune.h"
#include "lang/sprig_p.h"

bool sprig_upper(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(rune_upper_all(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}

bool sprig_lower(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(rune_lower_all(x->a, args[0].s));
    return xcharge(x, args[0].s.n / 64);
}

static bool is_upper(uint32_t r) { return rune_lower(r) != r; }
static bool is_lower(uint32_t r) { return rune_upper(r) != r; }

/* strings.Title: after anything that is no letter, digit, underscore or apostrophe. */
bool sprig_title(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    bool start = true;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len)) {
        uint32_t r = rune_read(s, &len);
        rune_put(&b, start ? rune_upper(r) : r);
        bool word = rune_is_letter(r) || rune_is_digit(r) || r == '_';
        start = r < 0x80 ? !word : !word && rune_is_space(r);
    }
    return sprig_done(x, &b, out);
}

bool sprig_untitle(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    bool start = true;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len)) {
        uint32_t r = rune_read(s, &len);
        rune_put(&b, start ? rune_lower(r) : r);
        start = rune_is_space(r);
    }
    return sprig_done(x, &b, out);
}

bool sprig_swapcase(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len)) {
        uint32_t r = rune_read(s, &len);
        rune_put(&b, is_upper(r) ? rune_lower(r) : rune_upper(r));
    }
    return sprig_done(x, &b, out);
}

/* --- words --- */

enum word_kind { WORD_NONE, WORD_LOWER, WORD_UPPER, WORD_NUMBER, WORD_CONNECTOR, WORD_PUNCT };

struct word {
    enum word_kind kind;
    struct str text;
};

static enum word_kind kind_of(uint32_t r)
{
    if (r == '-' || r == '_' || rune_is_space(r)) return WORD_CONNECTOR;
    if (r < 0x80 && r > ' ' && strchr("!\"#%&'()*,./:;?@[\\]{}", (int)r)) return WORD_PUNCT;
    if (rune_is_digit(r)) return WORD_NUMBER;
    if (is_upper(r)) return WORD_UPPER;
    return WORD_LOWER;
}

/* A capital may be followed by more capitals or by small letters; of "HTTPStatus" the word "HTTP"
 * ends before the capital that starts the next. */
static struct word next_word(struct str *rest)
{
    struct word w = {WORD_NONE, str_sub(*rest, 0, 0)};
    size_t at = 0, len, before = 0;
    bool capitals = true;
    while (at < rest->n) {
        enum word_kind kind = kind_of(rune_read(str_from(*rest, at), &len));
        if (!at) {
            w.kind = kind;
        } else if (w.kind == WORD_UPPER && kind == WORD_LOWER) {
            if (capitals && before) { /* the last capital belongs to the next word */
                at = before;
                break;
            }
            capitals = false;
        } else if (kind != w.kind || (kind == WORD_UPPER && !capitals)) {
            break;
        }
        before = at;
        at += len;
    }
    w.text = str_sub(*rest, 0, at);
    *rest = str_from(*rest, at);
    return w;
}

static void put_lower(struct buf *b, const struct word *w, char connector)
{
    struct str s = w->text;
    for (size_t len; s.n; s = str_from(s, len)) {
        uint32_t r = rune_read(s, &len);
        if (w->kind == WORD_CONNECTOR) buf_char(b, connector);
        else rune_put(b, rune_lower(r));
    }
}

/* Letters and numbers that follow a number without a gap stay with it. */
static struct word put_tail(struct buf *b, struct word w, struct str *rest, char connector)
{
    while (w.kind == WORD_LOWER || w.kind == WORD_NUMBER) {
        put_lower(b, &w, connector);
        w = next_word(rest);
    }
    bool joined = w.kind == WORD_NONE || w.kind == WORD_PUNCT || w.kind == WORD_CONNECTOR;
    if (!joined) buf_char(b, connector);
    return w;
}

/* A number belongs to the word before it ("bld4_floor"), unless small letters follow ("http_2xx"). */
static struct word put_number(struct buf *b, struct word number, struct str *rest, char connector)
{
    if (!rest->n) return number;
    struct word w = next_word(rest);
    if (w.kind != WORD_LOWER) {
        put_lower(b, &number, connector);
        if (w.kind != WORD_CONNECTOR && w.kind != WORD_PUNCT) buf_char(b, connector);
        return w;
    }
    buf_char(b, connector);
    put_lower(b, &number, connector);
    return put_tail(b, w, rest, connector);
}

static bool connected(struct xctx *x, struct str s, char connector, struct xv *out)
{
    struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    struct word w = next_word(&s);
    while (s.n) {
        struct word last = w;
        if (w.kind != WORD_CONNECTOR) put_lower(&b, &w, connector);
        w = next_word(&s);
        if (last.kind == WORD_NUMBER) {
            w = put_tail(&b, w, &s, connector);
        } else if (last.kind == WORD_CONNECTOR) {
            put_lower(&b, &last, connector);
        } else if (last.kind != WORD_PUNCT) {
            if (w.kind == WORD_NUMBER) w = put_number(&b, w, &s, connector);
            else if (w.kind != WORD_CONNECTOR && w.kind != WORD_PUNCT) buf_char(&b, connector);
        }
    }
    put_lower(&b, &w, connector);
    return sprig_done(x, &b, out);
}

bool sprig_snakecase(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return connected(x, args[0].s, '_', out);
}

bool sprig_kebabcase(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    return connected(x, args[0].s, '-', out);
}

/* Connectors go; what follows one becomes a capital, what follows a capital small. Connectors at
 * the ends stay. */
bool sprig_camelcase(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct buf b;
    struct str s = args[0].s;
    bool start = true, leading = true, capitals = false;
    size_t pending = 0; /* connectors not yet known to be inside */
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t len; s.n; s = str_from(s, len)) {
        uint32_t r = rune_read(s, &len);
        if (kind_of(r) == WORD_CONNECTOR) {
            if (leading) buf_add(&b, s.p, len);
            else pending += len;
            start = true;
            continue;
        }
        bool upper = is_upper(r);
        bool next_lower = s.n > len && is_lower(rune_read(str_from(s, len), &(size_t){0}));
        if (start) rune_put(&b, rune_upper(r));
        else if (upper && capitals && !next_lower) rune_put(&b, rune_lower(r));
        else rune_put(&b, r);
        capitals = upper || start;
        start = leading = false;
        pending = 0;
    }
    buf_str(&b, str_from(args[0].s, args[0].s.n - pending));
    return sprig_done(x, &b, out);
}
