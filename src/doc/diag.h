/* Diagnostics: what is wrong with a document, where, and what to do about it.
 *
 * A list keeps at most LIMIT_DIAGS entries and counts the rest. Everything a diagnostic refers to is
 * copied into the list's arena. Shape and formats follow rustc: human, short (one line each) and
 * json (one object per line). Runs on: one thread. */
#pragma once
#include "doc/doc_error.h"
#include "doc/val.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };
enum diag_format { DIAG_HUMAN, DIAG_SHORT, DIAG_JSON };
enum { DIAG_NOTES_MAX = 6 };

/* The texts that positions refer to: file index -> path and text. Index 0 is "no file". */
struct source_file {
    struct str path;
    struct str text; /* not copied: must outlive the registry; absent = lines cannot be shown */
};
struct source_files {
    struct source_file *items;
    size_t n, cap;
};

void source_files_fini(struct source_files *f);
/* Returns the new file's index (from 1), or 0 when 65535 files are registered. */
uint16_t source_files_add(struct source_files *f, struct str path, struct str text);
const struct source_file *source_files_get(const struct source_files *f, uint16_t index); /* or NULL */
/* Line `line` (from 1) without its line end; absent when there is no such line. */
struct str source_line(const struct source_file *f, uint32_t line);

struct diag {
    enum diag_severity severity;
    const char *code; /* "E0012", "W0101"; a literal. NULL = none */
    uint16_t file;
    uint32_t line, col, len; /* 0 = no position; len 0 = a single caret */
    struct str message;      /* one line, lower case, no full stop */
    struct str label;        /* beside the carets: "did you mean `x`?"; may be absent */
    struct str notes[DIAG_NOTES_MAX];
    size_t n_notes;
    struct str help; /* what to do; may be absent */
    struct str fix;  /* text that may replace the marked range; may be absent */
};

struct diags {
    struct arena *a;
    struct diag *items;
    size_t n, cap;
    size_t errors, warnings; /* all of them, also those not kept */
    size_t dropped;          /* beyond LIMIT_DIAGS */
};

void diags_init(struct diags *d, struct arena *a);
void diags_fini(struct diags *d);

/* Adds one and returns it for label, notes, help and fix (strings made in d->a); never NULL: beyond
 * the limit it is a scratch entry that nobody shows. Valid until the next add. */
struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *code,
                       const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Where a diagnostic points: at a value (its text's length when a scalar), or at a pair's key. */
void diag_at(struct diag *d, const struct val *v);
void diag_at_key(struct diag *d, const struct val_pair *pair, uint16_t file);
void diag_note(struct diags *d, struct diag *to, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_help(struct diags *d, struct diag *to, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_label(struct diags *d, struct diag *to, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A reader's error as a diagnostic. */
struct diag *diags_add_doc_error(struct diags *d, const char *code, const struct doc_error *e);

/* By file, line, column; stable. */
void diags_sort(struct diags *d);

struct diag_style {
    enum diag_format format;
    bool colour;
};
void diag_render(struct buf *b, const struct diag *d, const struct source_files *files,
                 struct diag_style style);
void diags_render(struct buf *b, const struct diags *d, const struct source_files *files,
                  struct diag_style style);
