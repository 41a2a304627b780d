/* What the engine and its helper say to each other over a stream socket: one request, one reply.
 *
 * Heads are of fixed size, numbers in host order: both ends are the same build on the same machine.
 * Whatever does not fit is refused: the peer may be a process that a hostile program has broken.
 * Pure; runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum {
    HELPER_MAGIC = 0x6b736a31,         /* changes with the form of the messages */
    HELPER_PROGRAM_MAX = 1 << 20,      /* bytes of a jq program */
    HELPER_INPUT_MAX = 64 << 20,       /* bytes of its input */
    HELPER_OUTPUT_MAX = 16 << 20,      /* bytes of its output, or of its message */
    HELPER_TIME_MS = 800,              /* processor time of one program */
    HELPER_WALL_MS = 30000,            /* from the request to the whole reply, on a machine that is busy */
    HELPER_MEMORY_MIB = 512,           /* address space of the helper */
    HELPER_EXIT_MEMORY = 77,           /* its exit status when that was not enough */
};

struct helper_request {
    uint32_t magic, id;
    uint32_t program_bytes, input_bytes; /* the texts follow */
};

enum helper_status { HELPER_DONE, HELPER_FAILED, HELPER_STATUS_MAX };

struct helper_reply {
    uint32_t magic, id;
    uint32_t status; /* enum helper_status */
    uint32_t bytes;  /* the output, or what went wrong, follows */
};

void helper_request_write(struct buf *b, uint32_t id, struct str program, struct str input);
void helper_reply_write(struct buf *b, uint32_t id, enum helper_status status, struct str text);
/* One result of a program, as it stands in the text of a reply: a string, or JSON. */
void helper_result_write(struct buf *b, bool json, struct str text);
/* All results as Argo's jqFilter gives them: strings as they are, others as Go's json.Marshal writes
 * them, a line each, white space at both ends taken away. */
bool helper_results_text(struct arena *a, struct str results, struct str *out, struct err *e);

enum helper_read { HELPER_MORE /* not all of it is there yet */, HELPER_WHOLE, HELPER_BAD };
/* The message at the start of `bytes`; texts point into it. *used: its length, when WHOLE. */
enum helper_read helper_request_read(struct str bytes, struct helper_request *out, struct str *program,
                                     struct str *input, size_t *used);
enum helper_read helper_reply_read(struct str bytes, struct helper_reply *out, struct str *text, size_t *used);
