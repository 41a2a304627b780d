/* See stream.h. A ring of blocks between the reading thread and the one that makes files. */
#include "image/stream.h"

#include <archive.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/limits.h"
#include "image/digest.h"

enum { BLOCK = 256 << 10, BLOCKS = 12 };
#define MIB(n) ((uint64_t)(n) << 20)

struct stream {
    struct arena a;
    struct unpack_source source;
    struct str blob_digest, diff_id;
    const atomic_bool *cancelled;
    atomic_ullong *read_bytes;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more, room;
    char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    unsigned first, n; /* filled ones; the first may be in use */
    bool in_use, ended, stop;
    struct err err;  /* of the reader; code 0: none */
    /* the reader's own */
    uint64_t at, out;
    bool plain, hash_packed;
    char *in;
    struct digester packed, unpacked;
};

/* ---- the reader ---- */

/* A block to fill, or NULL when nobody wants more. */
static char *block_get(struct stream *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->n == BLOCKS && !s->stop) pthread_cond_wait(&s->room, &s->mutex);
    char *p = s->stop ? NULL : s->blocks[(s->first + s->n) % BLOCKS];
    pthread_mutex_unlock(&s->mutex);
    return p;
}

static void block_put(struct stream *s, size_t n)
{
    pthread_mutex_lock(&s->mutex);
    s->sizes[(s->first + s->n) % BLOCKS] = n;
    s->n++;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->mutex);
}

static bool is_stopped(struct stream *s)
{
    if (s->cancelled && atomic_load(s->cancelled)) return !err_set(&s->err, ERR_TIMEOUT, "not wanted any more");
    return false;
}

/* Up to `n` bytes of the source; -1: failed. */
static ssize_t source_read(struct stream *s, char *to, size_t n)
{
    ssize_t got;
    n = (size_t)MIN((uint64_t)n, s->source.size - s->at);
    if (!n) return 0;
    do got = pread(s->source.fd, to, n, (off_t)(s->source.offset + s->at));
    while (got < 0 && errno == EINTR);
    if (got < 0) err_sys(&s->err, "cannot read a layer");
    if (got == 0) err_set(&s->err, ERR_IO, "a layer is shorter than it was said to be");
    if (got <= 0) return -1;
    s->at += (uint64_t)got;
    if (s->read_bytes) atomic_fetch_add(s->read_bytes, (unsigned long long)got);
    if (s->hash_packed) digester_add(&s->packed, to, (size_t)got);
    return got;
}

static bool unpacked_count(struct stream *s, const void *p, size_t n)
{
    s->out += n;
    digester_add(&s->unpacked, p, n);
    if (s->out > MIB(LIMIT_IMAGE_LAYER_MIB))
        return err_set(&s->err, ERR_LIMIT, "a layer unpacks to more than %d MiB (LIMIT_IMAGE_LAYER_MIB)", LIMIT_IMAGE_LAYER_MIB);
    if (s->plain || s->out <= MIB(LIMIT_IMAGE_RATIO_FREE_MIB) || s->out / LIMIT_IMAGE_RATIO <= s->source.size) return true;
    return err_set(&s->err, ERR_LIMIT, "a layer expands more than %d times (LIMIT_IMAGE_RATIO)", LIMIT_IMAGE_RATIO);
}

static bool plain_run(struct stream *s)
{
    for (char *p; (p = block_get(s));) {
        ssize_t n = is_stopped(s) ? -1 : source_read(s, p, BLOCK);
        if (n <= 0) return n == 0;
        if (!unpacked_count(s, p, (size_t)n)) return false;
        block_put(s, (size_t)n);
    }
    return true;
}

static la_ssize_t on_read(struct archive *ar, void *user, const void **p)
{
    struct stream *s = user;
    ssize_t n = is_stopped(s) ? -1 : source_read(s, s->in, BLOCK);
    (void)ar;
    *p = s->in;
    return n < 0 ? ARCHIVE_FATAL : n;
}

static bool damaged(struct stream *s, struct archive *ar)
{
    const char *why = archive_error_string(ar);
    return s->err.code ? false : err_set(&s->err, ERR_SPEC, "a layer cannot be unpacked: %s", why ? why : "unknown error");
}

static bool piece_put(struct stream *s, const char *p, size_t n, bool *wanted)
{
    while (n) {
        char *to = block_get(s);
        size_t part = MIN(n, (size_t)BLOCK);
        if (!(*wanted = to != NULL)) return true;
        memcpy(to, p, part);
        block_put(s, part);
        p += part;
        n -= part;
    }
    return true;
}

static bool packed_copy(struct stream *s, struct archive *ar)
{
    struct archive_entry *ae;
    const void *p;
    size_t n;
    la_int64_t at;
    bool wanted = true;
    int got = archive_read_next_header(ar, &ae);
    if (got == ARCHIVE_EOF) return true;
    if (got < ARCHIVE_WARN) return damaged(s, ar);
    while (wanted && (got = archive_read_data_block(ar, &p, &n, &at)) == ARCHIVE_OK)
        if (n && (!unpacked_count(s, p, n) || !piece_put(s, p, n, &wanted))) return false;
    if (!wanted) return true;
    if (got != ARCHIVE_EOF) return damaged(s, ar);
    ssize_t rest; /* what follows the packed data counts for the digest */
    do rest = source_read(s, s->in, BLOCK);
    while (rest > 0);
    return rest == 0;
}

static bool packed_run(struct stream *s)
{
    struct archive *ar = archive_read_new();
    if (!ar) IMPOSSIBLE("no memory for an archive");
    archive_read_support_filter_gzip(ar);
    archive_read_support_filter_zstd(ar);
    archive_read_support_format_raw(ar);
    archive_read_support_format_empty(ar);
    bool ok = archive_read_open(ar, s, NULL, on_read, NULL) == ARCHIVE_OK ? packed_copy(s, ar) : damaged(s, ar);
    archive_read_free(ar);
    return ok;
}

static void *reader(void *user)
{
    struct stream *s = user;
    bool ok = s->plain ? plain_run(s) : packed_run(s);
    ASSERT(ok || s->err.code);
    pthread_mutex_lock(&s->mutex);
    s->ended = true;
    pthread_cond_signal(&s->more);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* ---- the other side ---- */

static bool is_packed(const struct unpack_source *source)
{
    unsigned char m[4];
    if (source->size < 4 || pread(source->fd, m, 4, (off_t)source->offset) != 4) return false;
    return (m[0] == 0x1f && m[1] == 0x8b) || (m[0] == 0x28 && m[1] == 0xb5 && m[2] == 0x2f && m[3] == 0xfd) ||
           ((m[0] & 0xf0) == 0x50 && m[1] == 0x2a && m[2] == 0x4d && m[3] == 0x18); /* a skippable frame of zstd */
}

static void stream_free(struct stream *s)
{
    for (size_t i = 0; i < BLOCKS; i++) free(s->blocks[i]);
    free(s->in);
    digester_fini(&s->packed);
    digester_fini(&s->unpacked);
    pthread_cond_destroy(&s->more);
    pthread_cond_destroy(&s->room);
    pthread_mutex_destroy(&s->mutex);
    arena_fini(&s->a);
    free(s);
}

struct stream *stream_new(const struct unpack_source *source, struct str blob_digest, struct str diff_id,
                          const atomic_bool *cancelled, atomic_ullong *read_bytes, struct err *e)
{
    struct stream *s = mem_zalloc(sizeof *s);
    *s = (struct stream){.source = *source, .cancelled = cancelled, .read_bytes = read_bytes};
    arena_init(&s->a);
    if (blob_digest.p) s->blob_digest = str_dup(&s->a, blob_digest);
    if (diff_id.p) s->diff_id = str_dup(&s->a, diff_id);
    s->plain = !is_packed(source);
    s->hash_packed = blob_digest.p && (!s->plain || str_starts(blob_digest, STR("sha512")) != str_starts(diff_id, STR("sha512")));
    digester_init(&s->packed, blob_digest);
    digester_init(&s->unpacked, diff_id);
    for (size_t i = 0; i < BLOCKS; i++) s->blocks[i] = mem_alloc(BLOCK);
    s->in = mem_alloc(BLOCK);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->more, NULL);
    pthread_cond_init(&s->room, NULL);
    int rc = pthread_create(&s->thread, NULL, reader, s);
    if (!rc) return s;
    stream_free(s);
    err_set(e, ERR_IO, "no thread for unpacking: %s", strerror(rc));
    return NULL;
}

bool stream_next(struct stream *s, const void **p, size_t *n)
{
    pthread_mutex_lock(&s->mutex);
    if (s->in_use) {
        s->first = (s->first + 1) % BLOCKS;
        s->n--;
        s->in_use = false;
        pthread_cond_signal(&s->room);
    }
    while (!s->n && !s->ended) pthread_cond_wait(&s->more, &s->mutex);
    bool ok = s->n || !s->err.code;
    s->in_use = s->n > 0;
    *p = s->in_use ? s->blocks[s->first] : NULL;
    *n = s->in_use ? s->sizes[s->first] : 0;
    pthread_mutex_unlock(&s->mutex);
    return ok;
}

static bool digests_check(struct stream *s, struct err *e)
{
    struct str diff = digester_end(&s->unpacked, &s->a);
    if (s->blob_digest.p) {
        struct str is = s->hash_packed ? digester_end(&s->packed, &s->a) : diff;
        if (!str_eq(is, s->blob_digest))
            return err_set(e, ERR_SPEC, "a layer has the digest %.*s instead of %.*s", STR_ARG(is), STR_ARG(s->blob_digest));
    }
    if (s->diff_id.p && !str_eq(diff, s->diff_id))
        return err_set(e, ERR_SPEC, "a layer unpacks to the digest %.*s instead of %.*s, its diff_id", STR_ARG(diff), STR_ARG(s->diff_id));
    return true;
}

bool stream_end(struct stream *s, bool drop, struct err *e)
{
    const void *p;
    size_t n = 1;
    bool ok = true;
    while (!drop && n && ok) ok = stream_next(s, &p, &n);
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_signal(&s->room);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    if (!drop && s->err.code) {
        if (e) *e = s->err;
        ok = false;
    }
    ok = ok && (drop || digests_check(s, e));
    stream_free(s);
    return ok;
}
