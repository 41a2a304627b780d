/* Text on a terminal: widths in cells, cutting, and tables. UTF-8; escape sequences (CSI … letter)
 * take no room; control characters are shown as spaces. Pure. Runs on: any thread. */
#pragma once
#include "base/str.h"
#include "base/vec.h"

size_t text_width(struct str s);
/* At most `cols` cells of `s`, ending in … (or ~ in ASCII) when cut; SGR is reset after a cut. */
void text_cut(struct buf *b, struct str s, size_t cols, bool ascii);
/* One line: control characters become spaces, bad UTF-8 becomes '?'; escape sequences removed. */
void text_clean(struct buf *b, struct str s);
void text_pad(struct buf *b, size_t cols);

/* Rows of cells, aligned in columns on printing; the last cell of a row is not padded. */
struct table {
    struct arena *a;
    VEC(struct str) cells;
    VEC(size_t) ends; /* index after the last cell of each row */
};
void table_begin(struct table *t, struct arena *a);
void table_cell(struct table *t, struct str s); /* copied */
void table_row_end(struct table *t);
void table_print(struct table *t, size_t gap, struct buf *b); /* and frees the table's memory */
