/* See base64.h. */
#include "doc/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct arena *a, struct str text, struct str *out)
{
    char *p = arena_alloc_bytes(a, text.n / 4 * 3 + 4);
    size_t n = 0, digits = 0, pads = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
        int d = c == '=' ? 0 : digit(c);
        if (d < 0 || (pads && c != '=')) return false;
        pads += c == '=';
        bits = bits << 6 | (uint32_t)d;
        if (++digits % 4) continue;
        p[n++] = (char)(bits >> 16);
        p[n++] = (char)(bits >> 8);
        p[n++] = (char)bits;
    }
    if (digits % 4 || pads > 2) return false;
    n -= pads;
    p[n] = 0;
    *out = str_n(p, n);
    return true;
}

struct str base64_encode(struct arena *a, struct str bytes)
{
    char *p = arena_alloc_bytes(a, (bytes.n + 2) / 3 * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = MIN(bytes.n - i, (size_t)3);
        uint32_t w = 0;
        for (size_t k = 0; k < 3; k++) w = w << 8 | (k < left ? (uint8_t)bytes.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++) p[n++] = k <= left ? alphabet[w >> (18 - 6 * k) & 63] : '=';
    }
    p[n] = 0;
    return str_n(p, n);
}
