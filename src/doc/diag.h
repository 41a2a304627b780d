/* Diagnostics: what is wrong with a document, where, and what to do about it.
 *
 * A list keeps at most LIMIT_DIAGS entries and counts the rest. Everything a diagnostic refers to is
 * copied into the list's arena. Shape and formats follow rustc: human, short (one line each), json
 * (one object per line) and github (workflow commands, which become annotations). A diagnostic may
 * carry a fix: steps that say what to change at which place of the tree. fixes_place (doc/fix.h)
 * turns them into edits of the text. Runs on: one thread. */
#pragma once
#include "doc/doc_error.h"
#include "doc/val.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };
enum diag_format { DIAG_HUMAN, DIAG_SHORT, DIAG_JSON, DIAG_GITHUB };
enum { DIAG_NOTES_MAX = 6 };

/* The texts that positions refer to: file index -> path and text. Index 0 is "no file". */
struct source_file {
    struct str path;
    struct str text; /* not copied: must outlive the registry; absent = lines cannot be shown */
    uint32_t *lines; /* private: where each begins; made when first asked for */
    uint32_t n_lines, asked; /* `asked`: for lines, before they were found */
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

/* One change of a document, at the line and column of a key or value. Texts are YAML on one line. */
enum fix_op {
    FIX_KEY,        /* the key there becomes `text` */
    FIX_VALUE,      /* the string there becomes the string `text`, in the quotes that it had */
    FIX_YAML,       /* the value there becomes `text` as it is */
    FIX_QUOTE,      /* the plain scalar there is put in quotes; if it is `text`, when that is given */
    FIX_REMOVE,     /* the pair with the key there goes, unless it is the only one of its map */
    FIX_REMOVE_SAME, /* the same, if its value reads as that of the key at other_line:other_col */
    FIX_REMOVE_ITEM, /* the list item there goes, unless it is the only one */
    FIX_ADD_PAIR,   /* the pair `text` becomes the first of the map there, or goes before the key at `other` */
    FIX_ADD_ITEM,   /* `text` becomes the last item of the list there */
    FIX_LIST,       /* the value there becomes the only item of a list */
    FIX_TEXT,       /* `len` bytes there become `text`: inside of a scalar, or where nothing parses */
};
struct fix_step {
    enum fix_op op;
    uint32_t line, col, len;
    uint32_t other_line, other_col;
    struct str text;
    struct fix_step *next;
};
struct diag_edit { /* bytes [from, to) of the file become `text` */
    uint32_t from, to;
    struct str text;
};

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
    struct fix_step *fix;    /* all steps or none; in the diagnostic's file; NULL = no fix known */
    struct diag_edit *edits; /* the fix placed in the text: in order, apart; NULL before fixes_place */
    size_t n_edits;
};

struct diags {
    struct arena *a;
    struct diag *items;
    size_t n, cap;
    size_t errors, warnings; /* all of them, also those not kept */
    size_t dropped;          /* beyond LIMIT_DIAGS */
    bool lenient;            /* an unknown field is a warning */
    bool loose;              /* out: a decoded value has members that are null, unknown, or named in another case */
    bool unquoted;           /* out: it has a number, a boolean or null where text belongs */
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
/* Adds a step to the fix and returns it. `text` must live as long as d->a. */
struct fix_step *diag_fix(struct diags *d, struct diag *to, enum fix_op op, uint32_t line, uint32_t col,
                          struct str text);
/* The same at a value; nothing when it has no place, or stands in another file. */
void diag_fix_val(struct diags *d, struct diag *to, enum fix_op op, const struct val *v, struct str text);
/* The same at the key of `map`'s member; nothing when there is none. */
void diag_fix_key(struct diags *d, struct diag *to, enum fix_op op, const struct val *map,
                  const char *key, struct str text);
/* A reader's error as a diagnostic. */
struct diag *diags_add_doc_error(struct diags *d, const char *code, const struct doc_error *e);
size_t diags_fixable(const struct diags *d); /* diagnostics with placed edits */

/* By file, line, column; stable. What is said again of the same place goes, and does not count. */
void diags_sort(struct diags *d);

struct diag_style {
    enum diag_format format;
    bool colour;
};
void diag_render(struct buf *b, const struct diag *d, const struct source_files *files,
                 struct diag_style style);
void diags_render(struct buf *b, const struct diags *d, const struct source_files *files,
                  struct diag_style style);
