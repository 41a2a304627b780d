/* The functions of sprig.def. Inside of lang. */
#pragma once
#include "lang/expr_p.h"

#define SP(name, spec, fn, doc) xfunc_fn fn;
#include "lang/sprig.def"
#undef SP
