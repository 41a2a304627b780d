/* References to other documents. See lint_p.h. */
#include "spec/lint_p.h"

static struct str ns_of(const struct lint *l, const struct document *doc)
{
    if (doc->ns.p) return doc->ns;
    return l->opts->default_ns.p ? l->opts->default_ns : STR("default");
}

/* Many calls refer to few documents. */
static const struct document *find(struct lint *l, enum doc_kind kind, struct str ns, struct str name)
{
    bool fresh;
    struct map_slot *slot = map_put(&l->references, str_fmt(l->a, "%d/%.*s/%.*s", kind, STR_ARG(ns), STR_ARG(name)), &fresh);
    if (!fresh) return slot->ptr;
    const struct document *doc = documents_find(l->docs, kind, ns, name);
    if (!doc) doc = documents_find(l->opts->others, kind, ns, name);
    if (!doc && l->opts->fetch) doc = l->opts->fetch(l->opts->fetch_ctx, kind, ns, name);
    slot->ptr = (void *)(uintptr_t)doc;
    return doc;
}

const struct document *lint_document(struct lint *l, const struct document *from,
                                     enum doc_kind kind, struct str name, const struct val *at)
{
    const struct document *doc = find(l, kind, ns_of(l, from), name);
    if (doc || (l->opts->quiet_refs && !l->opts->refs_required)) return doc;
    struct str names[64];
    size_t n = 0;
    for (size_t i = 0; i < l->docs->n && n < ARRAY_LEN(names); i++)
        if (l->docs->items[i].kind == kind && l->docs->items[i].name.p)
            names[n++] = l->docs->items[i].name;
    struct diag *g = LINT(l, l->opts->refs_required ? DIAG_ERROR : DIAG_WARNING,
                          l->opts->refs_required ? "E0209" : "W0209", at,
                          l->opts->refs_required ? "there is no %s `%.*s`" : "%s `%.*s` is not known here, so calls of it are not checked",
                          doc_kind_text(kind), STR_ARG(name));
    lint_did_you_mean(l, g, at, name, names, n);
    return NULL;
}

const struct argo_template *lint_other_template(struct lint *l, const struct document *doc,
                                                struct str name)
{
    if (!doc->spec) return NULL;
    struct map_slot *slot = lint_remembered(l, doc);
    if (slot->ptr) return template_find(&((struct lint_index *)slot->ptr)->index, name);
    struct lint_index *x = slot->ptr = mem_zalloc(sizeof *x);
    x->doc = doc;
    template_index_init(&x->index, &doc->spec->templates);
    VEC_PUSH(&l->indexes, x);
    return template_find(&x->index, name);
}
