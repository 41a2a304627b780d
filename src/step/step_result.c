/* The wire form of a result: magic, version, checksum, body.
 *
 * Supervisors outlive the program that made them, and journals too: every version that there was is read. A field that comes
 * later is visited only from its version on, and has its zero value in older results. */
#include "step/step_result.h"

#include "base/limits.h"
#include "step/codec_p.h"

static const uint32_t wire_magic = 0x52534b53; /* "SKSR" */
enum { RESULT_VERSION = 2 }; /* 2: left_out, memory_limit */

int step_result_status(const struct step_result *r)
{
    if (r->end == STEP_END_EXIT) return r->exit_code;
    if (r->end == STEP_END_SIGNAL) return 128 + r->signo;
    return -1;
}

static void visit_rusage(struct codec *c, struct step_rusage *u)
{
    codec_u64(c, &u->user_us);
    codec_u64(c, &u->system_us);
    codec_u64(c, &u->max_rss_bytes);
    codec_u64(c, &u->read_blocks);
    codec_u64(c, &u->write_blocks);
}

static void visit_outputs(struct codec *c, struct step_result *r, uint32_t version)
{
    CODEC_LIST(c, &r->params, 13);
    for (size_t i = 0; i < r->params.n && !c->failed; i++) {
        codec_text(c, &r->params.items[i].name);
        codec_bool(c, &r->params.items[i].found);
        codec_bytes(c, &r->params.items[i].value);
        codec_text(c, &r->params.items[i].error);
    }
    CODEC_LIST(c, &r->artifacts, 21);
    for (size_t i = 0; i < r->artifacts.n && !c->failed; i++) {
        codec_text(c, &r->artifacts.items[i].name);
        CODEC_ENUM(c, r->artifacts.items[i].form, STEP_FORM_MAX);
        codec_u64(c, &r->artifacts.items[i].size);
        codec_bool(c, &r->artifacts.items[i].moved);
        if (version >= 2) codec_u64(c, &r->artifacts.items[i].left_out);
        codec_text(c, &r->artifacts.items[i].error);
    }
}

static void visit_result(struct codec *c, struct step_result *r, uint32_t version)
{
    codec_u64(c, &r->id);
    CODEC_ENUM(c, r->end, STEP_END_MAX);
    codec_i32(c, &r->exit_code);
    codec_i32(c, &r->signo);
    codec_bool(c, &r->killed);
    codec_text(c, &r->error);
    codec_i32(c, &r->error_sys);
    codec_i64(c, &r->started_us);
    codec_i64(c, &r->finished_us);
    visit_rusage(c, &r->rusage);
    codec_bool(c, &r->has_result);
    codec_bool(c, &r->result_cut);
    codec_bytes(c, &r->result);
    codec_bool(c, &r->log_cut);
    visit_outputs(c, r, version);
    if (version >= 2) codec_u64(c, &r->memory_limit);
}

/* A torn file (power cut without fsync) must not pass; FNV-1a over the body is enough for that. */
static uint64_t checksum(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)p[i]) * 0x100000001b3;
    return h;
}

enum { HEAD_BYTES = 4 + 4 + 8 };

bool step_result_encode(const struct step_result *r, struct buf *out, struct err *e)
{
    ASSERT(out->n == 0);
    struct step_result copy = *r;
    uint32_t magic = wire_magic, version = RESULT_VERSION;
    uint64_t sum = 0;
    struct codec c = {.out = out};
    codec_u32(&c, &magic);
    codec_u32(&c, &version);
    codec_u64(&c, &sum);
    visit_result(&c, &copy, version);
    if (out->overflow || c.failed) return err_set(e, ERR_LIMIT, "step: the result is too large");
    sum = checksum(out->p + HEAD_BYTES, out->n - HEAD_BYTES);
    for (int i = 0; i < 8; i++) out->p[8 + i] = (char)(uint8_t)(sum >> (8 * i));
    return true;
}

bool step_result_decode(struct arena *a, struct str bytes, struct step_result *out, struct err *e)
{
    *out = (struct step_result){0};
    struct codec c = {.p = bytes.p, .end = bytes.p + bytes.n, .arena = a};
    uint32_t magic = 0, version = 0;
    uint64_t sum = 0;
    codec_u32(&c, &magic);
    codec_u32(&c, &version);
    codec_u64(&c, &sum);
    if (c.failed || magic != wire_magic || version == 0 || version > RESULT_VERSION ||
        sum != checksum(bytes.p + HEAD_BYTES, bytes.n - HEAD_BYTES))
        return err_set(e, ERR_IO, "step: the result is damaged, or of a version after %d", RESULT_VERSION);
    visit_result(&c, out, version);
    if (c.failed || c.p != c.end) return err_set(e, ERR_IO, "step: the result is damaged");
    return true;
}
