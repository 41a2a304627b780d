/* Inside of the jsonpath() dialect: paths (jsonpath.c, jsonpath_parse.c) and the scripts in their
 * brackets (jsonpath_script.c). They compile to trees in the arena of the context. */
#pragma once
#include "lang/expr_p.h"

struct jscript;

enum jarg_kind { JA_NIL, JA_INT, JA_KEY, JA_SCRIPT };

struct jarg {
    uint8_t kind;
    int64_t i;
    struct str s;
    const struct jscript *script;
};

enum jtoken_kind {
    J_ROOT, J_CURRENT, J_WILDCARD, J_RECURSIVE, J_LENGTH, J_KEY, J_INDEX, J_FILTER, J_SCRIPT, J_UNION,
    J_RANGE, /* args: from, to, step */
};

struct jtoken {
    uint8_t kind;
    struct jarg arg;   /* of KEY, INDEX, FILTER, SCRIPT */
    struct jarg *args; /* of UNION, RANGE */
    size_t n;
};

struct jpath {
    struct jtoken *tokens;
    size_t n;
};

bool jpath_compile(struct xctx *x, struct str text, struct jpath *out);
/* Applies the tokens to `now`. False: x->e is set; often only that the path leads nowhere. */
bool jpath_apply(struct xctx *x, const struct jpath *p, const struct xv *root, const struct xv *now,
                 struct xv *out);

bool jscript_compile(struct xctx *x, struct str text, const struct jscript **out);
bool jscript_eval(struct xctx *x, const struct jscript *s, const struct xv *root, const struct xv *now,
                  struct xv *out);
bool jscript_is_empty(const struct jscript *s);

/* A number without a fraction. */
bool jpath_integer(const struct xv *v, int64_t *out);
