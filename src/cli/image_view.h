/* Images as tables, sizes as people read them, and a pull while it goes on. Pure but for the writer's descriptor.
 * Runs on: the main thread. */
#pragma once
#include "cli/cli_p.h"
#include "service/images.h"

void bytes_put(struct buf *b, int64_t n); /* 0B 999B 1.5kB 12.3MB, in thousands, as docker */
void images_table(struct arena *a, const struct val *list, int64_t now_us, bool wide, struct buf *out);
void image_text(struct arena *a, const struct val *image, struct buf *out); /* inspect */

/* Shows a pull: redrawn in place on a terminal, a line for each change in a pipe. */
struct pull_view {
    struct cli *cli;
    enum progress progress;
    const char *name;
    int drawn;               /* lines on the screen */
    const char *stages[128]; /* that were said, by layer */
};
void pull_look(void *view, const char *stage, const struct service_pull_layer *layers, size_t n);
void pull_end(struct pull_view *v);
