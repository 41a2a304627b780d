/* Offline validation of documents: everything that can be known to be wrong before a run.
 *
 * Rules are Argo 4.1's (validate.go and the CRD's CEL rules); codes and their explanations stand in
 * spec/codes.def. Decoding problems have been reported by documents_add already. Cost is linear in
 * the size of the documents. Runs on: any thread; pure. */
#pragma once
#include "spec/documents.h"

struct lint_opts {
    const struct source_files *files; /* lets findings point into texts of several lines; may be NULL */
    const struct documents *others; /* where templateRef and the like are looked up as well; may be NULL */
    /* Looks one up that is in neither; NULL when there is none. It must stay until lint is over. May be NULL. */
    const struct document *(*fetch)(void *ctx, enum doc_kind kind, struct str ns, struct str name);
    void *fetch_ctx;
    struct str default_ns;          /* absent: "default" */
    bool refs_required;             /* a reference to a document that is not there is an error, not a warning */
    bool values_required;       /* every workflow parameter must have a value (to run; not for templates) */
    bool quiet_refs;                /* such a reference is not even mentioned (ignored with refs_required) */
    bool hints;                     /* notes on what works but could be better, too */
    bool (*zone_known)(struct str name); /* whether the machine has this time zone; NULL: not checked */
};

/* Checks every document of `docs` (broken ones are left out). False when an error was added. */
bool spec_lint(struct arena *a, const struct documents *docs, const struct lint_opts *opts,
               struct diags *d);

/* A kind, or a type of the schema that a kind's fields lead to, by name in any case; NULL when there is none. */
const struct field_type *spec_type_find(struct str name);
/* All of them, kinds first, each once. */
const struct field_type *const *spec_types(size_t *n);

/* What a code means, for `skiff explain CODE`: NULL title when there is no such code. */
struct spec_code {
    const char *code, *title, *text;
    enum diag_severity severity;
};
const struct spec_code *spec_code_find(struct str code); /* NULL when unknown; any case */
const struct spec_code *spec_codes(size_t *n);           /* all, in order */
