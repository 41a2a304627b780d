/* Private to image: one layer from a registry, or from what an earlier attempt left. See download.c. Runs on: any thread
 * that may wait. */
#pragma once
#include "image/registry.h"

/* `from`: registries, the best first; those without a base are passed over. `w`: the same layer as the store has it; one that
 * another process has unpacked while this one waited for its turn is not fetched again (out: fd -1). */
bool layer_download(struct arena *a, struct image_store *s, struct registry *from, size_t n, const struct image_desc *desc, struct layer_work *w,
                    const atomic_bool *cancelled, struct image_progress_layer *progress, struct layer_from *out, struct err *e);
