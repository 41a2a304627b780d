/* The functions of expr_builtins.def. Inside of lang. */
#pragma once
#include "lang/expr_p.h"

#define XL(name, spec, result, doc)
#define XB(name, spec, result, fn, doc) xfunc_fn fn;
#include "lang/expr_builtins.def"
#undef XB
#undef XL
