/* The wire form of requests and replies. See proto.h. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "helper/proto.h"

void helper_request_write(struct buf *b, uint32_t id, struct str program, struct str input)
{
    struct helper_request head = {HELPER_MAGIC, id, (uint32_t)program.n, (uint32_t)input.n};
    buf_add(b, &head, sizeof head);
    buf_str(b, program);
    buf_str(b, input);
}

void helper_reply_write(struct buf *b, uint32_t id, enum helper_status status, struct str text)
{
    struct helper_reply head = {HELPER_MAGIC, id, status, (uint32_t)text.n};
    buf_add(b, &head, sizeof head);
    buf_str(b, text);
}

enum helper_read helper_request_read(struct str bytes, struct helper_request *out, struct str *program,
                                     struct str *input, size_t *used)
{
    if (bytes.n < sizeof *out) return HELPER_MORE;
    memcpy(out, bytes.p, sizeof *out);
    if (out->magic != HELPER_MAGIC || out->program_bytes > HELPER_PROGRAM_MAX || out->input_bytes > HELPER_INPUT_MAX)
        return HELPER_BAD;
    *used = sizeof *out + out->program_bytes + out->input_bytes;
    if (bytes.n < *used) return HELPER_MORE;
    *program = str_sub(bytes, sizeof *out, out->program_bytes);
    *input = str_sub(bytes, sizeof *out + out->program_bytes, out->input_bytes);
    return HELPER_WHOLE;
}

enum helper_read helper_reply_read(struct str bytes, struct helper_reply *out, struct str *text, size_t *used)
{
    if (bytes.n < sizeof *out) return HELPER_MORE;
    memcpy(out, bytes.p, sizeof *out);
    if (out->magic != HELPER_MAGIC || out->status >= HELPER_STATUS_MAX || out->bytes > HELPER_OUTPUT_MAX)
        return HELPER_BAD;
    *used = sizeof *out + out->bytes;
    if (bytes.n < *used) return HELPER_MORE;
    *text = str_sub(bytes, sizeof *out, out->bytes);
    return HELPER_WHOLE;
}

/* ---- results ---- */

struct result_head {
    uint32_t json, bytes;
};

void helper_result_write(struct buf *b, bool json, struct str text)
{
    struct result_head head = {json, (uint32_t)text.n};
    buf_add(b, &head, sizeof head);
    buf_str(b, text);
}

/* Go writes these as escapes, so that JSON can stand in HTML; they occur in strings only. */
static void html_escape(struct buf *b, struct str json)
{
    for (size_t i = 0; i < json.n; i++) {
        struct str three = str_sub(json, i, 3);
        char c = json.p[i];
        if (c == '<' || c == '>' || c == '&') {
            buf_printf(b, "\\u%04x", (unsigned)c);
        } else if (str_is(three, "\xe2\x80\xa8") || str_is(three, "\xe2\x80\xa9")) { /* line ends of JavaScript */
            buf_str(b, str_is(three, "\xe2\x80\xa8") ? STR("\\u2028") : STR("\\u2029"));
            i += 2;
        } else {
            buf_char(b, c);
        }
    }
}

static bool result_text(struct arena *a, bool json, struct str text, struct buf *b, struct err *e)
{
    struct val v;
    if (!json) buf_str(b, text);
    if (!json) return true;
    if (!json_parse(a, text, NULL, &v, e)) return err_ctx(e, "a result of the jq program");
    html_escape(b, json_text(a, &v));
    return true;
}

bool helper_results_text(struct arena *a, struct str results, struct str *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    struct result_head head;
    buf_init(&b, HELPER_OUTPUT_MAX);
    while (results.n) {
        if (results.n < sizeof head) return err_set(e, ERR_SPEC, "the results of the jq program are cut");
        memcpy(&head, results.p, sizeof head);
        results = str_from(results, sizeof head);
        if (head.bytes > results.n) return err_set(e, ERR_SPEC, "the results of the jq program are cut");
        if (!result_text(a, head.json, str_sub(results, 0, head.bytes), &b, e)) return false;
        buf_char(&b, '\n');
        results = str_from(results, head.bytes);
    }
    if (b.overflow) return err_set(e, ERR_LIMIT, "the output is longer than HELPER_OUTPUT_MAX (%d bytes)", HELPER_OUTPUT_MAX);
    *out = str_dup(a, str_trim(buf_view(&b)));
    return true;
}
