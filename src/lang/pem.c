/* See pem.h. */
#include "lang/pem.h"

#include "base/limits.h"
#include "doc/base64.h"

enum { LINE = 64 };

struct str pem_write(struct arena *a, struct str type, struct str bytes)
{
    struct str body = base64_encode(a, bytes);
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 2 * (size_t)LIMIT_VALUE_BYTES);
    buf_printf(&b, "-----BEGIN %.*s-----\n", STR_ARG(type));
    for (size_t at = 0; at < body.n; at += LINE) {
        buf_str(&b, str_sub(body, at, LINE));
        buf_char(&b, '\n');
    }
    buf_printf(&b, "-----END %.*s-----\n", STR_ARG(type));
    return buf_dup(a, &b);
}

/* Without spaces, tabs and the carriage return at its end. */
static struct str cut_line(struct str s, struct str *rest)
{
    struct str line;
    if (!str_cut(s, '\n', &line, rest)) *rest = str_from(s, s.n);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t')) line.n--;
    return line;
}

static struct str without_spaces(struct arena *a, struct str s)
{
    char *p = arena_alloc_bytes(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t') p[n++] = s.p[i];
    return str_n(p, n);
}

static struct str skip_head(struct str s, bool *any)
{
    struct str next;
    *any = false;
    while (s.n && str_find_char(cut_line(s, &next), ':', 0) >= 0) s = next, *any = true;
    return s;
}

static bool read_body(struct arena *a, struct str s, struct str type, struct str *bytes)
{
    bool head;
    struct str rest = skip_head(s, &head), after;
    bool empty = !head && str_starts(rest, STR("-----END "));
    ptrdiff_t end = empty ? 0 : str_find(rest, STR("\n-----END "), 0);
    if (!rest.n || end < 0) return false;
    struct str tail = str_from(rest, (size_t)end + (empty ? 9 : 10));
    if (!str_starts(tail, type) || !str_starts(str_from(tail, type.n), STR("-----"))) return false;
    if (cut_line(str_from(tail, type.n + 5), &after).n) return false;
    struct str text = without_spaces(a, str_sub(rest, 0, (size_t)end));
    return b64_fault(text) < 0 && base64_decode(a, text, bytes);
}

/* A block begins at the start of a line, a search goes on behind the line that began no good one. */
bool pem_read(struct arena *a, struct str text, struct str *type, struct str *bytes)
{
    struct str rest = text;
    for (;;) {
        bool here = str_starts(rest, STR("-----BEGIN "));
        ptrdiff_t at = here ? 0 : str_find(rest, STR("\n-----BEGIN "), 0);
        if (at < 0) return false;
        struct str line = cut_line(str_from(rest, (size_t)at + (here ? 11 : 12)), &rest);
        if (!str_ends(line, STR("-----"))) continue;
        *type = str_sub(line, 0, line.n - 5);
        if (read_body(a, rest, *type, bytes)) return true;
    }
}

ptrdiff_t b64_fault(struct str s)
{
    size_t filled = 0, pads = 0, first = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n' || c == '\r') continue;
        if (pads && (c != '=' || filled + pads == 4)) return (ptrdiff_t)i - (filled + pads < 4);
        bool digit = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' || c == '/';
        if (c == '=' && filled < 2) return (ptrdiff_t)i;
        if (c == '=') pads++;
        else if (!digit) return (ptrdiff_t)i;
        else if (filled++ % 4 == 0) first = i, filled = 1;
        if (filled == 4) filled = 0;
    }
    if (pads) return filled + pads == 4 ? -1 : (ptrdiff_t)s.n;
    return filled ? (ptrdiff_t)first : -1;
}
