/* The documents of a request. Argo's requests have one each, of a type that their route decides; so its kind and
 * apiVersion may be left out there, but may not contradict. */
#include "api/api_p.h"

void given_init(struct given *g, struct http_req *r)
{
    g->arena = http_req_arena(r);
    g->ns = http_req_param(r, "namespace");
    documents_init(&g->docs, g->arena);
    diags_init(&g->diags, g->arena);
}

void given_fini(struct given *g)
{
    documents_fini(&g->docs);
    diags_fini(&g->diags);
}

bool given_fail(const struct given *g, struct err *e)
{
    for (size_t i = 0; e->code == ERR_SPEC && i < g->diags.n; i++)
        if (g->diags.items[i].severity == DIAG_ERROR)
            return err_set(e, ERR_SPEC, "%.*s", STR_ARG(g->diags.items[i].message));
    return false;
}

static bool left_out(const struct val *v, const char *key)
{
    const struct val *own = val_get(v, str_of(key));
    return !own || own->kind == VAL_NULL || (own->kind == VAL_STR && !own->s.n);
}

static struct val typed(struct arena *a, const struct val *v, enum doc_kind kind)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; i < v->n; i++) map_add(&b, v->map[i].key, v->map[i].v);
    if (left_out(v, "apiVersion")) map_set(&b, STR("apiVersion"), val_of_str(str_of(doc_kind_api_version(kind))));
    if (left_out(v, "kind")) map_set(&b, STR("kind"), val_of_str(str_of(doc_kind_text(kind))));
    return map_done(&b);
}

bool given_typed(struct given *g, const struct val *body, const char *member, enum doc_kind kind, struct err *e)
{
    const struct val *v = val_get(body, str_of(member));
    if (!v || v->kind != VAL_MAP) return err_set(e, ERR_SPEC, "the body needs a `%s`", member);
    struct val *whole = ARENA_NEW(g->arena, struct val);
    *whole = typed(g->arena, v, kind);
    struct str is = val_get_str(whole, "kind");
    if (!str_is(is, doc_kind_text(kind)))
        return err_set(e, ERR_SPEC, "`%s` is of kind '%.*s', not %s", member, STR_ARG(is), doc_kind_text(kind));
    struct str ns = val_text(val_path(whole, "metadata.namespace"));
    if (g->ns.n && ns.n && !str_eq(ns, g->ns)) /* as Kubernetes; a caller may be allowed the path's namespace alone */
        return err_set(e, ERR_SPEC, "the namespace of `%s` is '%.*s', that of the request '%.*s'", member, STR_ARG(ns), STR_ARG(g->ns));
    if (!documents_add_val(&g->docs, whole, 0, &g->diags))
        return err_set(e, ERR_SPEC, "`%s` is not valid", member), given_fail(g, e);
    ASSERT(g->docs.n == 1);
    return true;
}

bool given_list(struct given *g, const struct val *docs, struct err *e)
{
    for (uint32_t i = 0; docs && docs->kind == VAL_LIST && i < docs->n; i++) {
        size_t before = g->docs.n;
        if (!documents_add_val(&g->docs, &docs->items[i], 0, &g->diags))
            return err_set(e, ERR_SPEC, "a document is not valid"), given_fail(g, e);
        if (g->docs.n == before) return err_set(e, ERR_SPEC, "document %u is of no kind that is used here", i + 1);
    }
    return true;
}
