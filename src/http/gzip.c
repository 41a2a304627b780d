/* Compressed answers.
 *
 * The text is compressed piece by piece when libmicrohttpd asks for more to send, so a large one neither holds up
 * the loop nor is there twice. References: RFC 9110 §12.5.3 (Accept-Encoding), RFC 1952. */
#include <strings.h>
#include <zlib.h>

#include "http/server_p.h"

enum { BLOCK = 32 << 10, INPUT_BLOCK = 256 << 10, GZIP_WINDOW = 15 + 16, MEM_LEVEL = 8 };

struct gzip {
    z_stream z;
    struct buf body;
    size_t at;
};

/* "gzip", "x-gzip" or "*", and whether its weight is not zero. */
static bool coding_fits(struct str item, bool *any, bool *wanted)
{
    struct str name, weight;
    bool weighted = str_cut(item, ';', &name, &weight);
    name = str_trim(name);
    *any = str_is(name, "*");
    bool gzip = (name.n == 4 && strncasecmp(name.p, "gzip", 4) == 0) || (name.n == 6 && strncasecmp(name.p, "x-gzip", 6) == 0);
    weight = weighted ? str_trim(weight) : STR_NONE;
    *wanted = true;
    if (weight.n > 2 && (weight.p[0] | 0x20) == 'q' && weight.p[1] == '=') {
        double q = 0;
        *wanted = str_to_double(str_from(weight, 2), &q) && q > 0;
    }
    return gzip || *any;
}

bool gzip_wanted(struct str accept)
{
    bool by_any = false;
    struct str item, rest = accept;
    for (bool more = accept.n > 0; more;) {
        bool any, wanted;
        more = str_cut(rest, ',', &item, &rest);
        if (!coding_fits(item, &any, &wanted)) continue;
        if (!any) return wanted; /* what is named counts before what is any */
        by_any = wanted;
    }
    return by_any;
}

/* The state may say nothing for a while: it is fed until it does. */
static ssize_t gzip_read(void *user, uint64_t pos, char *to, size_t max)
{
    struct gzip *g = user;
    int rc = Z_OK;
    (void)pos;
    g->z.next_out = (Bytef *)to;
    g->z.avail_out = (uInt)MIN(max, (size_t)BLOCK);
    uInt room = g->z.avail_out;
    while (rc == Z_OK && g->z.avail_out == room) {
        if (!g->z.avail_in) {
            size_t n = MIN(g->body.n - g->at, (size_t)INPUT_BLOCK);
            g->z.next_in = (Bytef *)g->body.p + g->at;
            g->z.avail_in = (uInt)n;
            g->at += n;
        }
        rc = deflate(&g->z, g->at == g->body.n ? Z_FINISH : Z_NO_FLUSH);
    }
    size_t made = room - g->z.avail_out;
    if (made) return (ssize_t)made;
    return rc == Z_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void gzip_free(void *user)
{
    struct gzip *g = user;
    deflateEnd(&g->z);
    buf_fini(&g->body);
    free(g);
}

struct MHD_Response *gzip_response(const struct mhd_api *mhd, struct buf *body)
{
    struct gzip *g = mem_zalloc(sizeof *g);
    int rc = deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY);
    ASSERT(rc == Z_OK); /* it fails only without memory */
    g->body = *body;
    *body = (struct buf){0};
    struct MHD_Response *m = mhd->create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, gzip_read, g, gzip_free);
    ASSERT(m);
    return m;
}
