/* Private to image: the bytes of a packed or plain file, unpacked and hashed on a thread of their own.
 * gzip and zstd are recognised by their first bytes, whatever a media type says, as by others.
 * Runs on: one consumer thread. */
#pragma once
#include "image/unpack.h"

struct stream;
/* diff_id absent: not checked. NULL: e is set. */
struct stream *stream_new(const struct unpack_source *source, struct str blob_digest, struct str diff_id,
                          const atomic_bool *cancelled, atomic_ullong *read_bytes, struct err *e);
/* The next piece, valid until the next call; n == 0 at the end. False: failed (stream_end says why). */
bool stream_next(struct stream *s, const void **p, size_t *n);
/* Reads what is left, checks the digests and frees it. With `drop` only frees. */
bool stream_end(struct stream *s, bool drop, struct err *e);
