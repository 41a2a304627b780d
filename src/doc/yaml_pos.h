/* Private to doc: libyaml's marks (lines and characters) as lines and byte columns, and its errors
 * with a hint for the reader. Runs on: one thread. */
#pragma once
#include <yaml.h>

#include "doc/doc_error.h"
#include "doc/val.h"

/* Walks forward with the marks; going back starts over. */
struct yaml_cursor {
    struct str text;
    bool ascii;           /* characters are bytes: nothing to walk */
    bool plain_breaks;    /* every line ends in LF or CR LF: lines need no walk */
    size_t at, line_start; /* byte offsets */
    uint32_t line, column; /* of `at`, from 0, in characters */
};

void yaml_cursor_init(struct yaml_cursor *c, struct str text);
/* Byte column (from 1) of a mark. */
uint32_t yaml_cursor_col(struct yaml_cursor *c, yaml_mark_t mark);

/* The failed parser's complaint with position and hint. */
void yaml_problem(struct doc_error *d, const yaml_parser_t *p, struct str text);

/* When the source at line:col has `{{…}}`: underlines it, says to quote it and returns true. */
bool yaml_hint_template(struct doc_error *d, struct str text);
