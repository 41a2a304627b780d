/* The `list` table of Workflow objects, and one or many objects as json, yaml or names. Pure. */
#pragma once
#include "base/err.h"
#include "cli/style.h"
#include "doc/val.h"

struct list_view {
    int64_t now_us;
    bool wide, all_namespaces, no_headers, uid;
};
/* `items` is a list of Workflow objects. */
void view_list(struct arena *a, const struct val *items, const struct list_view *o, struct buf *out);

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_SHORT, OUTPUT_NAME, OUTPUT_JSON, OUTPUT_YAML };
/* NULL or "": OUTPUT_TABLE. */
bool output_parse(const char *text, enum output *out, struct err *e);
/* One object, or a list of them (names: one line each). Not for tables. */
void output_put(const struct val *v, enum output form, struct buf *out);
