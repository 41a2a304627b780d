/* Encoding and decoding primitives; see codec_p.h. */
#include "step/codec_p.h"

#define ABSENT UINT32_MAX

static const char *take(struct codec *c, size_t n)
{
    if (c->failed || (size_t)(c->end - c->p) < n) {
        c->failed = true;
        return NULL;
    }
    const char *at = c->p;
    c->p += n;
    return at;
}

static void number(struct codec *c, uint64_t *v, unsigned bytes)
{
    if (c->out) {
        uint8_t b[8];
        for (unsigned i = 0; i < bytes; i++) b[i] = (uint8_t)(*v >> (8 * i));
        buf_add(c->out, b, bytes);
        return;
    }
    const uint8_t *p = (const uint8_t *)take(c, bytes);
    *v = 0;
    for (unsigned i = 0; p && i < bytes; i++) *v |= (uint64_t)p[i] << (8 * i);
}

void codec_u64(struct codec *c, uint64_t *v) { number(c, v, 8); }

void codec_u32(struct codec *c, uint32_t *v)
{
    uint64_t x = *v;
    number(c, &x, 4);
    if (!c->out) *v = (uint32_t)x;
}

void codec_i64(struct codec *c, int64_t *v)
{
    uint64_t x = (uint64_t)*v;
    number(c, &x, 8);
    if (!c->out) *v = (int64_t)x;
}

void codec_i32(struct codec *c, int32_t *v)
{
    uint32_t x = (uint32_t)*v;
    codec_u32(c, &x);
    if (!c->out) *v = (int32_t)x;
}

void codec_bool(struct codec *c, bool *v)
{
    uint64_t x = *v;
    number(c, &x, 1);
    if (x > 1) c->failed = true;
    if (!c->out) *v = x == 1;
}

void codec_enum(struct codec *c, int *v, int max)
{
    uint32_t x = (uint32_t)*v;
    codec_u32(c, &x);
    if (x >= (uint32_t)max) {
        c->failed = true;
        x = 0;
    }
    *v = (int)x;
}

void codec_bytes(struct codec *c, struct str *v)
{
    uint32_t n = str_set(*v) ? (uint32_t)v->n : ABSENT;
    if (c->out && v->n >= LIMIT_STEP_SPEC_BYTES) {
        c->failed = true;
        return;
    }
    codec_u32(c, &n);
    if (c->out) {
        if (n == ABSENT) return;
        buf_add(c->out, v->p, v->n);
        buf_char(c->out, 0);
        return;
    }
    *v = STR_NONE;
    if (c->failed || n == ABSENT) return;
    const char *p = take(c, (size_t)n + 1);
    if (!p) return;
    if (p[n] != 0) c->failed = true;
    else *v = str_n(p, n);
}

void codec_text(struct codec *c, struct str *v)
{
    codec_bytes(c, v);
    if (str_set(*v) && memchr(v->p, 0, v->n)) c->failed = true;
}

void codec_list(struct codec *c, void **items, size_t *n, size_t size, size_t wire_min)
{
    if (c->out && *n > LIMIT_STEP_ITEMS) c->failed = true;
    uint32_t count = (uint32_t)*n;
    codec_u32(c, &count);
    if (c->out) return;
    *items = NULL;
    *n = 0;
    if (c->failed) return;
    ASSERT(wire_min > 0);
    if (count > LIMIT_STEP_ITEMS || count > (size_t)(c->end - c->p) / wire_min) {
        c->failed = true;
        return;
    }
    *items = count ? arena_alloc(c->arena, size * count) : NULL;
    *n = count;
}
