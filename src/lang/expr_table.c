/* Tables of builtins and of Argo's functions, looked up by name. See expr_p.h. */
#include "lang/expr_builtin.h"

static const struct xbuiltin builtins[] = {
#define XL(name, spec, result, doc) {#name, spec, TY_##result, true, NULL, doc},
#define XB(name, spec, result, fn, doc) {#name, spec, TY_##result, false, fn, doc},
#include "lang/expr_builtins.def"
#undef XB
#undef XL
};

const struct xbuiltin *xbuiltin_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
        if (name.n && name.p[0] == builtins[i].name[0] && str_is(name, builtins[i].name)) return &builtins[i];
    return NULL;
}

static bool to_json(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct str s = xv_json(x, &args[0], 0);
    *out = xv_str(s);
    return str_set(s);
}

static bool jsonpath(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xv root;
    return xv_from_json(x, args[0].s, &root) && xjsonpath(x, &root, args[1].s, out);
}

/* What Argo adds to the environment of every expression. */
static const struct xfunc functions[] = {
    {"asInt", "a", builtin_int, "number or text as integer"},
    {"asFloat", "a", builtin_float, "number or text as float"},
    {"toJson", "a", to_json, "JSON text, compact"},
    {"jsonpath", "ss", jsonpath, "values of a JSON text at a path"},
};

const struct xfunc *xfunc_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (name.n && name.p[0] == functions[i].name[0] && str_is(name, functions[i].name)) return &functions[i];
    return NULL;
}
