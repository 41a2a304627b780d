/* YAML: whatever is read can be written as YAML and as JSON, and both read back to an equal value. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "doc/yaml.h"
#include "doc/yaml_write.h"
#include "fuzz.h"

enum { TEXT_MAX = 4 << 20 }; /* aliases may multiply a small input */

static void doc_reads_back(struct arena *a, const struct val *v)
{
    struct buf b CLEANUP(buf_fini);
    struct val back;
    struct err e = {0};
    buf_init(&b, TEXT_MAX);
    yaml_write(&b, v, true);
    if (b.overflow) return;
    struct yaml_opts strict = {.strict = true};
    if (!yaml_parse(a, buf_view(&b), &strict, &back, &e)) bug_stop(__FILE__, __LINE__, e.text);
    ASSERT(val_eq(v, &back));
    buf_reset(&b);
    json_write(&b, v, 0);
    if (b.overflow) return;
    if (!json_parse(a, buf_view(&b), NULL, &back, &e)) bug_stop(__FILE__, __LINE__, e.text);
    ASSERT(val_eq(v, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct val *docs;
    size_t n;
    struct err e = {0};
    struct doc_error where = {0};
    arena_init(&a);
    struct yaml_opts opts = {.where = &where};
    if (!yaml_parse_all(&a, str_n((const char *)data, size), &opts, &docs, &n, &e)) {
        ASSERT(e.code && e.text[0] && where.line);
        return 0;
    }
    for (size_t i = 0; i < n; i++) doc_reads_back(&a, &docs[i]);
    return 0;
}
