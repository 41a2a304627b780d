/* Where everything stands in a YAML text: the byte range of every key, value and item.
 *
 * Made for changing a text in place. A node is found by its line and column, which are those of the
 * struct val that the YAML reader makes of it. Ranges of block collections end with their last
 * node; those of block scalars with the last line that is not blank. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum layout_kind { LAYOUT_SCALAR, LAYOUT_LIST, LAYOUT_MAP, LAYOUT_ALIAS };
enum layout_style { LAYOUT_PLAIN, LAYOUT_SINGLE, LAYOUT_DOUBLE, LAYOUT_LITERAL, LAYOUT_FOLDED };
enum { LAYOUT_NONE = UINT32_MAX };

struct layout_node {
    uint32_t from, to;  /* bytes, quotes and brackets included */
    uint32_t line, col; /* of `from`, from 1, col in bytes */
    uint32_t parent, prev, next; /* nodes, or LAYOUT_NONE; keys and values of a map take turns */
    uint32_t n;         /* children */
    uint8_t kind, style;
    bool flow;          /* a collection in brackets, or a node inside of one */
    bool key;
    bool decorated;     /* has an anchor or a tag, at which it begins */
};

struct layout {
    struct str text;
    struct layout_node *nodes; /* in the order of the text; the first child follows its parent */
    uint32_t n;
    uint32_t *lines; /* offset of each */
    uint32_t n_lines;
};

/* False when the text is no YAML; the lines are known nevertheless. The nodes are the arena's; the text
 * must outlive them. */
bool layout_read(struct arena *a, struct str text, struct layout *out, struct err *e);

/* The key at a place, or the value (a collection of which the first key stands there), or NONE. */
uint32_t layout_key(const struct layout *l, uint32_t line, uint32_t col);
uint32_t layout_value(const struct layout *l, uint32_t line, uint32_t col);

size_t layout_line_start(struct str text, size_t at);
size_t layout_line_end(struct str text, size_t at); /* before the line feed, or the text's end */
/* Byte offset of a place, or the text's size when there is none. */
size_t layout_offset(const struct layout *l, uint32_t line, uint32_t col);
