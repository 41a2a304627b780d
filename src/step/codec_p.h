/* One visitor for both directions of the wire forms: the same list of calls encodes and decodes, so
 * the two cannot drift apart.
 *
 * Integers are little-endian; a text is u32 length (0xffffffff: absent), bytes, NUL, so that decoded
 * texts are C strings in place. Decoding trusts no length: a list's count is checked against the
 * limit and the bytes that are left before anything is allocated. After the first failure every
 * further call does nothing. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

struct codec {
    struct buf *out;       /* encoding, or NULL */
    const char *p, *end;   /* decoding */
    struct arena *arena;   /* decoding: lists */
    bool failed;
};

void codec_u64(struct codec *c, uint64_t *v);
void codec_u32(struct codec *c, uint32_t *v);
void codec_i64(struct codec *c, int64_t *v);
void codec_i32(struct codec *c, int32_t *v);
void codec_bool(struct codec *c, bool *v);
void codec_bytes(struct codec *c, struct str *v); /* may hold NULs */
void codec_text(struct codec *c, struct str *v);  /* must not */
/* An enum kept as int: 0 <= v < max. */
void codec_enum(struct codec *c, int *v, int max);
/* The length of a list whose elements take `size` bytes of memory and at least `wire_min` on the
 * wire; decoding makes the zeroed array. */
void codec_list(struct codec *c, void **items, size_t *n, size_t size, size_t wire_min);

#define CODEC_ENUM(c, lvalue, max)                                                                 \
    do {                                                                                           \
        int codec_tmp_ = (int)(lvalue);                                                            \
        codec_enum((c), &codec_tmp_, (max));                                                       \
        if (!(c)->out) (lvalue) = codec_tmp_;                                                      \
    } while (0)
#define CODEC_LIST(c, list, wire_min)                                                              \
    codec_list((c), (void **)&(list)->items, &(list)->n, sizeof *(list)->items, (wire_min))
