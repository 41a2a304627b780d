/* struct val to block-style YAML as kubectl -o yaml prints it; reads back to an equal value.
 * Lines are never folded. Runs on: any thread. */
#pragma once
#include "doc/val.h"

/* sort_keys: go-yaml's natural key order, as kubectl; else the tree's own order. */
void yaml_write(struct buf *b, const struct val *v, bool sort_keys);
