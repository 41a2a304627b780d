/* See rune.h. */
#include "lang/rune.h"

uint32_t rune_read_wide(struct str s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s.p;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *len = 1;
    size_t n = p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] >= 0xf5 || s.n < n) return 0xfffd;
    uint32_t rune = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0xfffd;
        rune = rune << 6 | (p[i] & 0x3f);
    }
    if (rune < least[n] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return 0xfffd;
    *len = n;
    return rune;
}

void rune_put(struct buf *b, uint32_t rune)
{
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) rune = 0xfffd;
    if (rune < 0x80) {
        buf_char(b, (char)rune);
    } else if (rune < 0x800) {
        buf_char(b, (char)(0xc0 | rune >> 6));
        buf_char(b, (char)(0x80 | (rune & 0x3f)));
    } else if (rune < 0x10000) {
        buf_char(b, (char)(0xe0 | rune >> 12));
        buf_char(b, (char)(0x80 | (rune >> 6 & 0x3f)));
        buf_char(b, (char)(0x80 | (rune & 0x3f)));
    } else {
        buf_char(b, (char)(0xf0 | rune >> 18));
        buf_char(b, (char)(0x80 | (rune >> 12 & 0x3f)));
        buf_char(b, (char)(0x80 | (rune >> 6 & 0x3f)));
        buf_char(b, (char)(0x80 | (rune & 0x3f)));
    }
}

size_t rune_count(struct str s)
{
    size_t n = 0;
    for (size_t len; s.n; s = str_from(s, len), n++) rune_read(s, &len);
    return n;
}

size_t rune_offset(struct str s, size_t n)
{
    struct str rest = s;
    for (size_t len; rest.n && n; rest = str_from(rest, len), n--) rune_read(rest, &len);
    return s.n - rest.n;
}

struct range {
    uint32_t from, to;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t r)
{
    for (size_t i = 0; i < n; i++)
        if (r >= ranges[i].from && r <= ranges[i].to) return true;
    return false;
}
#define IN(table, r) in_ranges((table), ARRAY_LEN(table), (r))

bool rune_is_wide_space(uint32_t r)
{
    static const struct range spaces[] = {
        {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
        {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
    };
    return IN(spaces, r);
}

bool rune_is_digit(uint32_t r)
{
    static const struct range digits[] = {
        {'0', '9'},       {0x660, 0x669},   {0x6f0, 0x6f9},   {0x966, 0x96f},
        {0x9e6, 0x9ef},   {0xe50, 0xe59},   {0x17e0, 0x17e9}, {0xff10, 0xff19},
    };
    if (r < 0x80) return r >= '0' && r <= '9';
    return IN(digits, r);
}

bool rune_is_letter(uint32_t r)
{
    static const struct range others[] = { /* marks, symbols, punctuation, spaces, private use */
        {0x80, 0xa9},     {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},
        {0xf7, 0xf7},     {0x2c2, 0x2c5},   {0x2d2, 0x2df},   {0x300, 0x36f},   {0x375, 0x375},
        {0x37e, 0x37e},   {0x387, 0x387},   {0x482, 0x489},   {0x55a, 0x55f},   {0x589, 0x5cf},
        {0x600, 0x61f},   {0x64b, 0x66d},   {0x6d4, 0x6d4},   {0x1680, 0x1680}, {0x2000, 0x2070},
        {0x2074, 0x207e}, {0x2080, 0x208e}, {0x20a0, 0x20ff}, {0x2190, 0x2bff}, {0x2e00, 0x2e7f},
        {0x3000, 0x3004}, {0x3007, 0x3030}, {0xd800, 0xf8ff}, {0xfe00, 0xfe6f}, {0xfeff, 0xff20},
        {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1d000, 0x1d3ff},
        {0x1f000, 0x1fbff}, {0xe0000, 0x10ffff},
    };
    if (r < 0x80) return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z');
    return !rune_is_digit(r) && !IN(others, r);
}

bool rune_prints(uint32_t r)
{
    static const struct range hidden[] = {
        {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},     {0x600, 0x605},   {0x61c, 0x61c},
        {0x6dd, 0x6dd},   {0x70f, 0x70f},   {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f},
        {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff},
        {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff},
    };
    return !IN(hidden, r);
}

/* Blocks where capital and small letters stand a fixed distance apart, or in turn (step 1). */
static const struct {
    uint32_t capital_from, capital_to;
    uint32_t distance; /* 1: capitals at even code points; 2: at odd ones */
} cases[] = {
    {'A', 'Z', 32},       {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x100, 0x12f, 1},
    {0x132, 0x137, 1},    {0x139, 0x148, 2},  {0x14a, 0x177, 1},  {0x179, 0x17e, 2},
    {0x391, 0x3a1, 32},   {0x3a3, 0x3ab, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32},
    {0x460, 0x481, 1},    {0x48a, 0x4bf, 1},  {0x4d0, 0x52f, 1},  {0x531, 0x556, 48},
    {0x1e00, 0x1e95, 1},  {0x1ea0, 0x1eff, 1},
};

uint32_t rune_lower(uint32_t r)
{
    if (r < 'A') return r;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (r < cases[i].capital_from || r > cases[i].capital_to) continue;
        if (cases[i].distance > 2) return r + cases[i].distance;
        return (r & 1) == (cases[i].distance == 2) ? r + 1 : r;
    }
    return r;
}

uint32_t rune_upper(uint32_t r)
{
    if (r < 'a') return r;
    if (r == 0xff) return 0x178;
    if (r == 0xb5) return 0x39c;
    if (r == 0x3c2) return 0x3a3;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t distance = cases[i].distance;
        if (distance <= 2) {
            bool inside = r >= cases[i].capital_from && r <= cases[i].capital_to;
            if (inside) return (r & 1) == (distance == 2) ? r : r - 1;
        } else if (r >= cases[i].capital_from + distance && r <= cases[i].capital_to + distance) {
            return r - distance;
        }
    }
    return r;
}

static struct str map_all(struct arena *a, struct str s, uint32_t (*fn)(uint32_t))
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, s.n * 4 + 1);
    for (size_t len; s.n; s = str_from(s, len)) rune_put(&b, fn(rune_read(s, &len)));
    return buf_dup(a, &b);
}

struct str rune_upper_all(struct arena *a, struct str s) { return map_all(a, s, rune_upper); }
struct str rune_lower_all(struct arena *a, struct str s) { return map_all(a, s, rune_lower); }

struct str rune_trim_space(struct str s)
{
    for (size_t len; s.n && rune_is_space(rune_read(s, &len)); s = str_from(s, len)) {}
    while (s.n) {
        size_t at = s.n - 1, len;
        while (at && s.n - at < 4 && ((unsigned char)s.p[at] & 0xc0) == 0x80) at--;
        if (!rune_is_space(rune_read(str_from(s, at), &len)) || at + len != s.n) break;
        s.n = at;
    }
    return s;
}
