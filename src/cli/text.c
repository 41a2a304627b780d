/* Widths by a short table of wide and zero-width ranges (Unicode 15, East Asian Width W and F). */
#include "cli/text.h"

struct range {
    uint32_t from, to;
};
static const struct range zero[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x093c, 0x093c},
    {0x0941, 0x0948}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},
    {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
    {0xe0100, 0xe01ef},
};
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f004, 0x1f004}, {0x1f18e, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1faff},
    {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c < r[mid].from) hi = mid;
        else if (c > r[mid].to) lo = mid + 1;
        else return true;
    }
    return false;
}

static size_t rune_width(uint32_t c)
{
    if (c < 0x300) return 1;
    if (in_ranges(zero, ARRAY_LEN(zero), c)) return 0;
    return in_ranges(wide, ARRAY_LEN(wide), c) ? 2 : 1;
}

/* What stands at s.p[0]: its length in bytes and cells. */
struct piece {
    size_t bytes, cells;
    bool escape, control, bad;
};

static size_t escape_bytes(struct str s)
{
    if (s.n < 2 || s.p[1] != '[') return 1;
    size_t i = 2;
    while (i < s.n && (unsigned char)s.p[i] < 0x40) i++;
    return i < s.n ? i + 1 : s.n;
}

static struct piece piece_at(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c == 0x1b) return (struct piece){escape_bytes(s), 0, .escape = true};
    if (c < 0x20 || c == 0x7f) return (struct piece){1, 1, .control = true};
    if (c < 0x80) return (struct piece){1, 1};
    size_t n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (n == 0 || c >= 0xf5 || n > s.n) return (struct piece){1, 1, .bad = true};
    uint32_t r = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80) return (struct piece){1, 1, .bad = true};
        r = r << 6 | ((unsigned char)s.p[i] & 0x3f);
    }
    bool c1 = r >= 0x80 && r < 0xa0;
    return (struct piece){n, rune_width(r), .control = c1};
}

size_t text_width(struct str s)
{
    size_t cells = 0;
    while (s.n > 0) {
        struct piece p = piece_at(s);
        cells += p.cells;
        s = str_from(s, p.bytes);
    }
    return cells;
}

void text_cut(struct buf *b, struct str s, size_t cols, bool ascii)
{
    if (text_width(s) <= cols) {
        buf_str(b, s);
        return;
    }
    if (cols == 0) return;
    size_t used = 0;
    bool styled = false;
    while (s.n > 0) {
        struct piece p = piece_at(s);
        if (used + p.cells > cols - 1) break;
        styled |= p.escape;
        used += p.cells;
        buf_add(b, s.p, p.bytes);
        s = str_from(s, p.bytes);
    }
    buf_str(b, ascii ? STR("~") : STR("…"));
    if (styled) buf_str(b, STR("\033[0m"));
}

void text_clean(struct buf *b, struct str s)
{
    while (s.n > 0) {
        struct piece p = piece_at(s);
        if (p.control) buf_char(b, ' ');
        else if (p.bad) buf_char(b, '?');
        else if (!p.escape) buf_add(b, s.p, p.bytes);
        s = str_from(s, p.bytes);
    }
}

void text_pad(struct buf *b, size_t cols)
{
    while (cols-- > 0) buf_char(b, ' ');
}

void table_begin(struct table *t, struct arena *a) { *t = (struct table){.a = a}; }

void table_cell(struct table *t, struct str s) { VEC_PUSH(&t->cells, str_dup(t->a, s)); }

void table_row_end(struct table *t) { VEC_PUSH(&t->ends, t->cells.n); }

static size_t columns_measure(const struct table *t, size_t **widths)
{
    size_t most = 0, start = 0;
    for (size_t r = 0; r < t->ends.n; start = t->ends.items[r++]) most = MAX(most, t->ends.items[r] - start);
    *widths = mem_zalloc((most + 1) * sizeof **widths);
    start = 0;
    for (size_t r = 0; r < t->ends.n; start = t->ends.items[r++])
        for (size_t i = start; i < t->ends.items[r]; i++)
            (*widths)[i - start] = MAX((*widths)[i - start], text_width(t->cells.items[i]));
    return most;
}

void table_print(struct table *t, size_t gap, struct buf *b)
{
    CLEANUP(free_ptr) size_t *widths = NULL;
    columns_measure(t, &widths);
    size_t start = 0;
    for (size_t r = 0; r < t->ends.n; start = t->ends.items[r++]) {
        size_t owed = 0; /* blanks before the next cell that has text: no blanks at line ends */
        for (size_t i = start; i < t->ends.items[r]; i++) {
            struct str cell = t->cells.items[i];
            if (cell.n > 0) {
                text_pad(b, owed);
                buf_str(b, cell);
                owed = 0;
            }
            owed += widths[i - start] - text_width(cell) + gap;
        }
        buf_char(b, '\n');
    }
    VEC_FINI(&t->cells);
    VEC_FINI(&t->ends);
}
