/* Field tables: one engine for every typed document.
 *
 * tools/mkspec.py turns gen/argo.schema and gen/kubernetes.schema into plain structs and these tables
 * (spec/argo_gen.h, argo_gen.c). The engine decodes a value strictly, encodes, copies, compares,
 * emits JSON Schemas and answers questions about fields. Every generated struct starts with
 * `const struct val *src`, the value that it was decoded from (NULL when made by hand).
 * Tables are constant. Runs on: any thread; a result lives as long as its arena. */
#pragma once
#include "doc/diag.h"
#include "doc/val.h"

/* What a generated field is in C. Absent: p == NULL, set == false, NULL or n == 0. */
struct opt_i64 {
    int64_t v;
    bool set;
};
struct opt_bool {
    bool v;
    bool set;
};
struct str_pair {
    struct str key, v;
};
struct str_list {
    struct str *items;
    size_t n;
};
struct str_map {
    struct str_pair *items; /* source order */
    size_t n;
};
struct i64_list {
    int64_t *items;
    size_t n;
};
struct val_list {
    const struct val *items; /* the very items of the source list */
    size_t n;
};

enum field_kind {
    FIELD_STRING,      /* struct str */
    FIELD_ANYSTRING,   /* struct str; any scalar, as text (Argo's AnyString) */
    FIELD_INTORSTRING, /* struct str */
    FIELD_QUANTITY,    /* struct str; 100m, 1.5, 2Gi */
    FIELD_DURATION,    /* struct str; 20, 90s, 1h30m, or a tag */
    FIELD_TIME,        /* struct str; RFC 3339 */
    FIELD_NUMBER,      /* struct str; number text */
    FIELD_INT,         /* struct opt_i64, 32 bits */
    FIELD_INT64,       /* struct opt_i64 */
    FIELD_BOOL,        /* struct opt_bool */
    FIELD_ANY,         /* const struct val * */
    FIELD_ITEM,        /* in lists only: struct val_list */
    FIELD_STRUCT,      /* const struct T *; by value in lists and maps */
    FIELD_KIND_MAX
};
enum field_shape { FIELD_ONE, FIELD_LIST, FIELD_MAP };
enum field_flag {
    FIELD_REQUIRED = 1,
    FIELD_IGNORED = 2, /* accepted, has no effect on one machine */
};

/* What Skiff does with a field; for documentation, and W0105 for what is noted. */
enum field_support {
    FIELD_EXACT,   /* as Argo */
    FIELD_DIFFERS, /* `support_text` says how */
    FIELD_NOTED,   /* accepted and kept, without effect in this version: a warning says what happens instead */
    FIELD_REFUSED, /* `support_text` says by whom */
};

struct field_row {
    const char *name; /* as in documents */
    uint8_t name_n;
    uint8_t kind;  /* enum field_kind */
    uint8_t shape; /* enum field_shape */
    uint8_t flags; /* enum field_flag */
    uint16_t offset;
    const struct field_type *type; /* FIELD_STRUCT */
    const char *merge_key;         /* lists that merge by this member, else NULL */
    const char *enum_values;       /* "A|B|C" or NULL */
    const char *since, *was;       /* first version; what to write instead (3.x forms) */
    const char *doc;
    uint8_t support; /* enum field_support */
    const char *support_text;
};

struct field_type {
    const char *name, *doc;
    const struct field_row *rows;
    uint16_t n, size;
    bool wrap;                     /* the value is rows[0] itself, not a map */
    uint8_t slot_mask, mul[4];     /* perfect hash of the names: field_slot */
    const uint8_t *slots;          /* row index + 1, or 0 */
    uint64_t required[2];          /* bit i: rows[i] is required */
    bool open;                     /* further members do not count; field_decode knows nothing of it */
};

/* Reads `v` into the struct at `out` (of t->size bytes). Problems are added to `d` with position,
 * length and suggestion; false when any of them is an error (the struct is then partly filled). */
bool field_decode(struct arena *a, const struct field_type *t, const struct val *v, void *out,
                  struct diags *d);
/* field_decode into new memory; NULL on errors. */
void *field_new(struct arena *a, const struct field_type *t, const struct val *v, struct diags *d);

/* What a text field has of a scalar. */
struct str field_text(struct arena *a, const struct field_row *r, const struct val *v);

struct val field_encode(struct arena *a, const struct field_type *t, const void *in);
/* Deep copy of everything but the source values, which are shared. */
void field_copy(struct arena *a, const struct field_type *t, void *out, const void *in);
bool field_eq(const struct field_type *t, const void *x, const void *y); /* src does not count */

/* Exact name first, then any case (as Go). NULL when there is none. */
const struct field_row *field_find(const struct field_type *t, struct str name);
/* The known name nearest to a misspelt one, or NULL. */
const char *field_suggest(const struct field_type *t, struct str name);

/* "spec.templates.container" from `root`; list and map steps are silent, an index or a map key may
 * stand as a part. Sets *row (NULL when the path is empty) and *type (NULL when no struct). */
bool field_lookup(const struct field_type *root, struct str path, const struct field_row **row,
                  const struct field_type **type);
/* "list of WorkflowStep", "map of string", "integer": for documentation. */
struct str field_kind_text(struct arena *a, const struct field_row *r);

/* JSON Schemas (2020-12) of types and of whatever they reach, which refer to each other as PREFIX and name. */
struct field_schemas;
struct field_schemas *field_schemas_new(struct arena *a, const char *prefix);
struct val field_schemas_ref(struct field_schemas *s, const struct field_type *t); /* {"$ref": …} */
/* Of a field alone. */
struct val field_schemas_of_row(struct field_schemas *s, const struct field_row *r);
/* Name -> schema of all that was referred to; ends it. */
struct val field_schemas_done(struct field_schemas *s);
