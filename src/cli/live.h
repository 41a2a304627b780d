/* The live view: a run's tree redrawn in place on a terminal.
 *
 * Fed with changes (cli/change.h), it keeps a model of the nodes; a frame is drawn from it into a
 * buffer. A frame never has more lines than the screen less one nor wider ones than it less one
 * cell, is bracketed by synchronized output, and only erases what the view itself drew. When the
 * tree has no room, finished and pending nodes fold into counts; failures and running steps stay.
 * Time and screen size come in: nothing here reads a clock. Runs on: one thread. */
#pragma once
#include "cli/style.h"
#include "doc/val.h"

enum { LIVE_FRAME_US = 100000 }; /* at most ten frames a second */

struct live;
struct live *live_new(struct style style);
void live_free(struct live *l); /* NULL is fine */

void live_feed(struct live *l, const struct val *change, int64_t now_us);
/* A line of our own under the header ("stopping, once more to kill"); absent: none. */
void live_notice(struct live *l, struct str text);
/* When the next frame is due: at once or LIVE_FRAME_US after the last for changes, each second for the clock. */
int64_t live_next_us(const struct live *l);
void live_draw(struct live *l, int64_t now_us, int rows, int cols, struct buf *out);
/* Removes the frame and shows the cursor again: what is printed next stands where the frame was. */
void live_erase(struct live *l, int rows, int cols, struct buf *out);
