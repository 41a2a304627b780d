/* What a client brings: a Content-Type (the first line), and a form; and the first line as a Range. */
#include "fuzz.h"
#include "http/multipart.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str head, body;
    struct multipart_part part;
    struct err e = {0};
    uint64_t from = 0, n = 0;
    if (!str_cut(str_n((const char *)data, size), '\n', &head, &body)) body = STR("");
    if (multipart_find(head, body, "file", &part, &e))
        ASSERT(part.bytes.p >= body.p && part.bytes.n <= body.n && part.bytes.p + part.bytes.n <= body.p + body.n);
    else
        ASSERT(e.text[0]);
    if (range_parse(head, size, &from, &n) == RANGE_PART) ASSERT(n && from < size && n <= size - from);
    return 0;
}
