/* See str.h. */
#include "base/str.h"

#include <sys/auxv.h>

#include <errno.h>
#include <stdarg.h>

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct str str_trim(struct str s)
{
    while (s.n && is_space(s.p[0])) s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t str_find(struct str s, struct str what, size_t from)
{
    if (from > s.n) return -1;
    if (!what.n) return (ptrdiff_t)from;
    if (what.n > s.n - from) return -1; /* an absent str has no bytes to point at */
    const char *hit = memmem(s.p + from, s.n - from, what.p, what.n);
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_find_char(struct str s, char c, size_t from)
{
    if (from >= s.n) return -1;
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? hit - s.p : -1;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *rest)
{
    ptrdiff_t at = str_find_char(s, sep, 0);
    *head = at < 0 ? s : str_sub(s, 0, (size_t)at);
    *rest = at < 0 ? STR_NONE : str_from(s, (size_t)at + 1);
    return at >= 0;
}

bool str_has_word(struct str list, char sep, struct str word)
{
    struct str head;
    while (str_set(list)) {
        str_cut(list, sep, &head, &list);
        if (word.n && str_eq(head, word)) return true;
    }
    return false;
}

/* Another one in each process, so that nobody can prepare keys that collide. */
static uint64_t hash_seed(void)
{
    static _Thread_local uint64_t seed;
    if (seed) return seed;
    const void *random = (const void *)getauxval(AT_RANDOM); /* 16 bytes, the same for all threads */
    if (random) memcpy(&seed, random, sizeof seed);
    seed |= 1;
    return seed;
}

uint64_t str_hash(struct str s)
{
    uint64_t h = hash_seed() ^ s.n;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    if (i < s.n) memcpy(&tail, s.p + i, s.n - i);
    h = (h ^ tail) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
}

bool str_to_i64(struct str s, int64_t *out)
{
    char z[32];
    if (!s.n || s.n >= sizeof z || is_space(s.p[0])) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    char *end;
    errno = 0;
    long long v = strtoll(z, &end, 10);
    if (errno || *end || end != z + s.n) return false;
    *out = v;
    return true;
}

bool str_to_double(struct str s, double *out)
{
    char z[512];
    if (!s.n || s.n >= sizeof z) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_one_of(s.p[i], "0123456789+-.eE")) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    char *end;
    *out = strtod(z, &end);
    return end == z + s.n;
}

struct str str_dup(struct arena *a, struct str s)
{
    if (!s.p) return s;
    char *p = arena_alloc_bytes(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (struct str){p, s.n};
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    char *p = arena_alloc_bytes(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}

struct str str_cat(struct arena *a, struct str x, struct str y)
{
    char *p = arena_alloc_bytes(a, x.n + y.n + 1);
    if (x.n) memcpy(p, x.p, x.n);
    if (y.n) memcpy(p + x.n, y.p, y.n);
    p[x.n + y.n] = 0;
    return (struct str){p, x.n + y.n};
}

const char *str_z(struct arena *a, struct str s) { return str_dup(a, s.p ? s : STR("")).p; }

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool str_percent_decode(struct arena *a, struct str s, bool plus, struct str *out)
{
    char *to = arena_alloc_bytes(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+' && plus) c = ' ';
        if (c == '%') {
            int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0) return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        if (c == 0) return false;
        to[n++] = c;
    }
    to[n] = 0;
    *out = str_n(to, n);
    return true;
}
