/* Which labels the runs of a list have: pure. */
#include "service/service.h"

static int text_order(const void *x, const void *y) { return str_cmp(*(const struct str *)x, *(const struct str *)y); }

static const struct val *labels_of(const struct val *wf)
{
    static const struct val none = {.kind = VAL_MAP};
    const struct val *labels = val_path(wf, "metadata.labels");
    return labels && labels->kind == VAL_MAP ? labels : &none;
}

struct str *service_labels(struct arena *a, const struct val *items, struct str key, size_t *n)
{
    size_t found = 0, most = 0;
    for (uint32_t i = 0; i < items->n; i++) most += labels_of(&items->items[i])->n;
    struct str *out = ARENA_ARRAY(a, struct str, most + 1);
    for (uint32_t i = 0; i < items->n; i++) {
        const struct val *labels = labels_of(&items->items[i]);
        for (uint32_t k = 0; k < labels->n; k++)
            if (!key.n) out[found++] = labels->map[k].key;
            else if (str_eq(labels->map[k].key, key)) out[found++] = val_text(&labels->map[k].v);
    }
    if (found) qsort(out, found, sizeof *out, text_order);
    *n = 0;
    for (size_t i = 0; i < found; i++)
        if (!*n || !str_eq(out[i], out[*n - 1])) out[(*n)++] = out[i];
    return out;
}
