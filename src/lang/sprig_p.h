/* The functions of sprig.def, and what their files share. Inside of lang. */
#pragma once
#include "lang/expr_p.h"

#define SP(name, spec, fn, doc) xfunc_fn fn;
#include "lang/sprig.def"
#undef SP

int64_t sprig_int_of(const struct xv *v);  /* any value as integer, 0 when it is none */
int64_t sprig_nearest_i64(struct str s);   /* decimal text; 0 when it is none, the nearest when it does not fit */
double sprig_float_of(const struct xv *v);
uint64_t sprig_random(struct xctx *x);
bool sprig_empty_value(const struct xv *v);
/* The buffer's text as the result; frees the buffer. */
bool sprig_done(struct xctx *x, struct buf *b, struct xv *out);
/* An integer that Go would call int64. */
static inline struct xv sprig_i64(int64_t i) { return (struct xv){.kind = X_INT, .sub = 1, .i = i}; }
