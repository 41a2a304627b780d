/* A small part of TOML: `key = value` lines, [section] and [section.sub] headers, comments.
 *
 * Values: "basic" strings with \n \t \" \\ \uXXXX escapes, 'literal' strings, integers (with _),
 * true and false. Anything else (arrays, inline tables, dates, multi-line strings) is refused with
 * its position. A key given twice is an error. Pure. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum toml_kind { TOML_STR, TOML_INT, TOML_BOOL };

struct toml_row {
    struct str key;  /* "section.name" */
    struct str text; /* the value: string contents, decimal digits, true or false */
    enum toml_kind kind;
    int line, col; /* of the key, from 1 */
};
/* false with `e` set stops the reading. */
typedef bool toml_row_fn(void *ctx, const struct toml_row *row, struct err *e);

/* `file` is for error texts only. */
bool toml_read(struct arena *a, struct str text, const char *file, toml_row_fn *each, void *ctx, struct err *e);
