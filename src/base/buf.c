/* The growing byte string of str.h. */
#include <stdarg.h>

#include "base/str.h"

void buf_init(struct buf *b, size_t max)
{
    ASSERT(max > 0);
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->overflow || n > b->max - b->n) {
        b->overflow = true;
        return NULL;
    }
    if (b->n + n + 1 > b->cap) {
        size_t cap = MAX(b->cap * 2, b->n + n + 1);
        b->p = mem_grow(b->p, MAX(cap, (size_t)64));
        b->cap = MAX(cap, (size_t)64);
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);
    if (!to) return;
    if (n) memcpy(to, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void buf_str(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
void buf_char(struct buf *b, char c) { buf_add(b, &c, 1); }

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    size_t free_now = b->p && !b->overflow ? MIN(b->cap - b->n, b->max - b->n + 1) : 0;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(free_now ? b->p + b->n : NULL, free_now, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    bool fits = (size_t)n < free_now;
    char *to = fits ? NULL : buf_room(b, (size_t)n); /* has a byte more for the NUL */
    if (to) vsnprintf(to, (size_t)n + 1, fmt, again);
    else if (!fits && b->p && b->cap) b->p[b->n] = 0;
    if (to || fits) b->n += (size_t)n;
    va_end(again);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

struct str buf_dup(struct arena *a, const struct buf *b) { return str_dup(a, buf_view(b)); }

/* Length of the valid UTF-8 sequence at p (1..4), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
    if (p[0] == 0xed && p[1] > 0x9f) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
    return len;
}

static void json_escape(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"': buf_add(b, "\\\"", 2); break;
    case '\\': buf_add(b, "\\\\", 2); break;
    case '\n': buf_add(b, "\\n", 2); break;
    case '\r': buf_add(b, "\\r", 2); break;
    case '\t': buf_add(b, "\\t", 2); break;
    default: buf_printf(b, "\\u%04x", c);
    }
}

void buf_json(struct buf *b, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t start = 0, i = 0;
    buf_char(b, '"');
    while (i < s.n) {
        size_t len = utf8_len(p + i, s.n - i);
        if (len > 1 || (len == 1 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')) {
            i += len;
            continue;
        }
        buf_add(b, s.p + start, i - start);
        if (len) json_escape(b, p[i]);
        else buf_str(b, STR("\xef\xbf\xbd"));
        start = ++i;
    }
    buf_add(b, s.p + start, i - start);
    buf_char(b, '"');
}
