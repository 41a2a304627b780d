/* Fixes and the usual form: what was YAML stays YAML, documents do not vanish, what is formatted reads
 * to an equal value, and a second time nothing changes. */
#include "doc/yaml.h"
#include "doc/yaml_format.h"
#include "fuzz.h"
#include "spec/fixer.h"

enum { TEXT_MAX = 1 << 20 };

static bool read_all(struct arena *a, struct str text, struct val **docs, size_t *n)
{
    return yaml_parse_all(a, text, NULL, docs, n, NULL);
}

static void formats(struct arena *a, struct str text)
{
    struct buf once CLEANUP(buf_fini), twice CLEANUP(buf_fini);
    struct val *before, *after;
    size_t n, m;
    buf_init(&once, TEXT_MAX);
    buf_init(&twice, TEXT_MAX);
    bool yaml = read_all(a, text, &before, &n);
    ASSERT(yaml_format(text, &once, NULL) == yaml);
    if (!yaml) return;
    ASSERT(read_all(a, buf_view(&once), &after, &m) && n == m);
    for (size_t i = 0; i < n; i++) ASSERT(val_eq(&before[i], &after[i]));
    ASSERT(yaml_format(buf_view(&once), &twice, NULL));
    ASSERT(read_all(a, buf_view(&twice), &after, &m) && n == m);
}

static void fixes(struct arena *a, struct str text)
{
    struct buf once CLEANUP(buf_fini), twice CLEANUP(buf_fini);
    struct fixed first, second;
    struct val *before, *after;
    size_t n, m;
    buf_init(&once, TEXT_MAX);
    buf_init(&twice, TEXT_MAX);
    if (!spec_fix(text, NULL, &once, &first, NULL)) return;
    if (read_all(a, text, &before, &n)) {
        ASSERT(read_all(a, buf_view(&once), &after, &m));
        ASSERT(n == m);
    }
    if (first.fixes == 0) ASSERT(str_eq(text, buf_view(&once)));
    ASSERT(spec_fix(buf_view(&once), NULL, &twice, &second, NULL));
    ASSERT(second.fixes == 0 && str_eq(buf_view(&once), buf_view(&twice)));
    formats(a, buf_view(&once));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct str text = str_n((const char *)data, size);
    if (size > 8192) return 0; /* larger inputs only take longer */
    arena_init(&a);
    formats(&a, text);
    fixes(&a, text);
    return 0;
}
