/* See expr.h. */
#include "base/limits.h"
#include "lang/expr_p.h"

static bool has_root(void *ctx, struct str name)
{
    struct xv v;
    return xroot_get(ctx, name, &v);
}

bool xctx_open(struct xctx *x, struct arena *a, struct str text, const struct expr_env *env,
               struct err *e)
{
    *x = (struct xctx){.a = a, .env = env, .text = text, .e = e, .fault = EXPR_COMPILE};
    struct xparse opts = {a, text, has_root, x, e};
    x->tree = xparse_tree(&opts);
    if (x->tree) x->fault = EXPR_FINE;
    /* Names that were asked for while there was no tree were looked up without the lazy ones. */
    x->roots = NULL;
    return x->tree != NULL;
}

/* A context's own e says where errors go. */
static bool run(struct xctx *x, struct arena *a, struct str text, const struct expr_env *env,
                struct xv *out)
{
    bool ok = xctx_open(x, a, text, env, x->e) && xcheck(x, x->tree) && xeval(x, x->tree, out);
    if (env && env->fault) *env->fault = ok ? EXPR_FINE : x->fault;
    return ok;
}

bool expr_eval(struct arena *a, struct str text, const struct expr_env *env, struct val *out,
               struct err *e)
{
    struct xctx x = {.e = e};
    struct xv v;
    return run(&x, a, text, env, &v) && xv_to_val(&x, &v, out);
}

bool expr_eval_json(struct arena *a, struct str text, const struct expr_env *env, struct str *out,
                    struct err *e)
{
    struct xctx x = {.e = e};
    struct xv v;
    if (!run(&x, a, text, env, &v)) return false;
    *out = xv_json(&x, &v, 0);
    return str_set(*out);
}

bool expr_eval_bool(struct arena *a, struct str text, const struct expr_env *env, bool *out,
                    struct err *e)
{
    struct xctx x = {.e = e};
    struct xv v;
    if (!run(&x, a, text, env, &v)) return false;
    if (v.kind != X_BOOL) {
        struct str got = xv_text(&x, &v);
        return err_set(e, ERR_SPEC, "unable to cast expression result '%.*s' to bool", STR_ARG(got));
    }
    *out = v.b;
    return true;
}

/* "sprig.getHostByName", wherever it stands. True: e says so. */
static bool find_refused(const struct xnode *n, struct str text, struct err *e)
{
    bool named = n->kind == XN_MEMBER && n->kids[0]->kind == XN_IDENT && str_is(n->kids[0]->s, "sprig") && n->kids[1]->kind == XN_STR;
    if (named && sprig_is_refused(n->kids[1]->s)) {
        char why[200];
        snprintf(why, sizeof why, "sprig.%.*s is refused: %s", STR_ARG(n->kids[1]->s), sprig_refusal);
        return !xerr_at(e, text, n->at, why);
    }
    for (uint32_t i = 0; i < n->n; i++)
        if (n->kids[i] && (!i || n->kids[i] != n->kids[i - 1]) && find_refused(n->kids[i], text, e)) return true;
    return false;
}

bool expr_check(struct arena *a, struct str text, struct err *e)
{
    struct xparse opts = {.a = a, .text = text, .e = e};
    const struct xnode *tree = xparse_tree(&opts);
    return tree && !find_refused(tree, text, e);
}

bool expr_names(struct arena *a, struct str text, bool (*fn)(void *ctx, struct str dotted),
                void *ctx, struct err *e)
{
    struct xparse opts = {.a = a, .text = text, .e = e};
    struct xnode *tree = xparse_tree(&opts);
    return tree && xnames(a, tree, fn, ctx);
}
