/* Stored objects as argo prints them: the table of `list`, the lines of `get`. Pure. Runs on: any thread. */
#pragma once
#include "cli/list.h"
#include "cli/tree.h"
#include "service/service.h"

void object_table(struct arena *a, enum service_kind kind, const struct val *items, const struct list_view *o, struct buf *out);
void object_view(struct arena *a, enum service_kind kind, const struct val *v, const struct view_opts *o, struct buf *out);
