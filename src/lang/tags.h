/* Tags: "{{name}}" and "{{=expression}}" in strings, as Argo's util/template replaces them.
 *
 * Works on plain strings, not on JSON text: the result is the same, because Argo quotes what it
 * inserts. A string value goes in raw; the value of an expression that is no string goes in as
 * JSON. (Where the two differ, Argo fails: it cannot insert control characters or bad UTF-8, for
 * which Go's quoting has no JSON form; and an opening without an end, which is literal here, can end
 * in another string there.) Inserted text is not looked at again, and of two nested tags only the inner
 * one is replaced: whoever wants Argo's later passes calls again.
 *
 * Expressions: every name and every path "a.b.c" that one mentions must exist, unless it stands left of
 * "??" or before "?." (the first name of the path must exist even then). One with a missing name is
 * unresolved as the policy says. One whose names all exist must succeed, except under TAGS_LEAVE, which
 * leaves it as it is. Names that only come to exist later (item, retries, lastRetry.*, workflow.status,
 * workflow.failures) leave the expression alone until they do, unless they are guarded so.
 *
 * Text without "{{" costs one search and is returned as it is. Runs on: any thread; pure. */
#pragma once
#include "doc/val.h"
#include "lang/expr.h"
#include "lang/scope.h"

enum tags_policy {
    TAGS_LEAVE,         /* an unresolved tag stays literally in the text */
    TAGS_FAIL,          /* it is an error: "failed to resolve {{x}}" */
    TAGS_FAIL_PREFIXES, /* only steps.* and tasks.* fail, the rest stays */
};

enum tags_outcome {
    TAGS_OK,         /* every tag was replaced */
    TAGS_UNRESOLVED, /* true: some were left; false: one failed to resolve */
    TAGS_ABSENT,     /* false: a declared output of a skipped or omitted node (terminal) */
    TAGS_ERROR,      /* false: bad expression, limit, … (terminal) */
};

struct tags_opts {
    const struct scope *scope;
    enum tags_policy policy;
    struct expr_clock clock;    /* for now() and random functions inside {{=…}} */
    enum tags_outcome *outcome; /* may be NULL; set by every call */
};

bool tags_replace(struct arena *a, struct str text, const struct tags_opts *opts, struct str *out,
                  struct err *e);

/* As tags_replace for every string of a tree, map keys included. Subtrees without tags are
 * shared with the input, not copied. Positions are kept. */
bool tags_replace_val(struct arena *a, const struct val *v, const struct tags_opts *opts,
                      struct val *out, struct err *e);

static inline bool tags_present(struct str text) { return str_find(text, STR("{{"), 0) >= 0; }
bool tags_present_val(const struct val *v);

struct tag {
    struct str inner; /* trimmed; without the leading '=' of an expression */
    size_t offset;    /* of the opening "{{" in the text */
    size_t end;       /* just after the closing "}}" */
    bool is_expr;
};

/* Next tag of the text at or after *at (start with 0), in order; false at the end. Of nested tags
 * only the inner one is reported: the name of the outer one is not known yet. An opening without an
 * end is no tag. */
bool tags_next(struct str text, size_t *at, struct tag *out);

/* Calls fn for every tag of the text, or in every string of the tree; stops and returns false when
 * fn does. */
bool tags_scan(struct str text, bool (*fn)(void *ctx, const struct tag *tag), void *ctx);
bool tags_scan_val(const struct val *v, bool (*fn)(void *ctx, const struct tag *tag), void *ctx);

/* When the whole text is one simple tag, its name ("{{ a.b }}" -> "a.b"); else absent. */
struct str tags_sole_name(struct str text);
