/* Submitting: lint, store the objects, accept the workflows; all or nothing, durable when true. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "resource/resource.h"
#include "resource/selector.h"
#include "service/service_p.h"
#include "spec/lint.h"

/* Stored templates, read when something refers to them. */
struct fetching {
    struct arena *a;
    struct store *store;
    VEC(struct documents *) docs; /* one each: lint keeps pointers to them */
    struct err e;
    bool failed;
};

static const struct document *stored_fetch(void *ctx, enum doc_kind kind, struct str ns, struct str name)
{
    struct fetching *f = ctx;
    struct resource_key key = {.ns = ns, .name = name};
    struct val *v = ARENA_NEW(f->a, struct val);
    struct diags told; /* when it was stored */
    if (kind == DOC_WORKFLOW_TEMPLATE) key.kind = RESOURCE_WORKFLOW_TEMPLATE;
    else if (kind == DOC_CLUSTER_WORKFLOW_TEMPLATE) key.kind = RESOURCE_CLUSTER_WORKFLOW_TEMPLATE;
    else return NULL;
    if (!f->store || f->failed) return NULL;
    if (!resource_get(f->a, f->store, &key, v, &f->e)) {
        f->failed = f->e.code != ERR_NOT_FOUND;
        return NULL;
    }
    struct documents *d = ARENA_NEW(f->a, struct documents);
    documents_init(d, f->a);
    diags_init(&told, f->a);
    documents_add_val(d, v, 0, &told);
    diags_fini(&told);
    VEC_PUSH(&f->docs, d);
    return d->n ? &d->items[0] : NULL;
}

/* The documents as they will run: what the options say counts before anything is judged. */
static void overridden(struct arena *a, const struct documents *docs, const struct submit_opts *o,
                       struct documents *out)
{
    struct diags told; /* when the documents were read */
    diags_init(&told, a);
    for (size_t i = 0; i < docs->n; i++) {
        struct val *v = ARENA_NEW(a, struct val);
        *v = *docs->items[i].val;
        if (docs->items[i].kind == DOC_WORKFLOW) *v = workflow_override(a, v, o);
        documents_add_val(out, v, docs->items[i].file, &told);
    }
    diags_fini(&told);
}

bool documents_check(struct arena *a, struct service *s, const struct documents *docs, struct str ns, bool to_run,
                     struct diags *diags, struct err *e)
{
    struct fetching f = {.a = a, .store = service_store(s)};
    struct lint_opts opts = {.fetch = stored_fetch, .fetch_ctx = &f, .default_ns = ns, .refs_required = true, .values_required = to_run};
    bool ok = spec_lint(a, docs, &opts, diags);
    for (size_t i = 0; i < f.docs.n; i++) documents_fini(f.docs.items[i]);
    VEC_FINI(&f.docs);
    if (f.failed) return *e = f.e, err_ctx(e, "stored templates");
    return ok || err_set(e, ERR_SPEC, "the documents are not valid");
}

bool service_lint(struct arena *a, struct service *s, const struct documents *docs, struct str ns, struct diags *diags,
                  struct err *e)
{
    return documents_check(a, s, docs, ns, true, diags, e);
}

/* Those of the documents are linted; these come from flags and requests. */
static bool pairs_check(const struct submit_opts *o, struct err *e)
{
    for (size_t i = 0; i < o->n_labels; i++)
        if (!label_key_check(o->labels[i].name, e) || !label_value_check(o->labels[i].value, e)) return err_ctx(e, "labels");
    for (size_t i = 0; i < o->n_annotations; i++)
        if (!label_key_check(o->annotations[i].name, e)) return err_ctx(e, "annotations");
    return true;
}

static bool check(struct arena *a, struct service *s, const struct documents *docs,
                  const struct submit_opts *o, struct diags *diags, struct err *e)
{
    struct documents given;
    if (!pairs_check(o, e)) return false;
    documents_init(&given, a);
    overridden(a, docs, o, &given);
    bool ok = documents_check(a, s, &given, o->ns, true, diags, e);
    documents_fini(&given);
    return ok;
}

static bool store_object(struct arena *a, struct service *s, const struct document *d,
                         const struct submit_opts *o, struct err *e)
{
    struct resource_write w = {.store = service_store(s), .verb = RESOURCE_APPLY, .doc = d->val, .ns = o->ns,
                               .now_us = clock_now_us(), .random = {random_u64(), random_u64()}};
    struct resource_result r;
    return resource_put(a, &w, &r, e);
}

/* The first complaint, with its place in the manifest. */
static bool first_complaint(const struct diags *diags, struct err *e)
{
    for (size_t i = 0; i < diags->n; i++) {
        const struct diag *g = &diags->items[i];
        if (g->severity == DIAG_ERROR)
            return err_set(e, ERR_SPEC, "%u:%u: %s %.*s", g->line, g->col, g->code, STR_ARG(g->message));
    }
    return err_set(e, ERR_SPEC, "the document is not valid");
}

bool service_admit(void *user, struct arena *a, const struct val *doc, struct str ns, struct val *out, struct err *e)
{
    struct service *s = user;
    struct documents docs CLEANUP(documents_fini);
    struct diags diags CLEANUP(diags_fini);
    struct submit_opts o = {.ns = ns};
    struct err why = {0};
    documents_init(&docs, a);
    diags_init(&diags, a);
    if (!documents_add_val(&docs, doc, 0, &diags)) return first_complaint(&diags, e);
    if (docs.n != 1) return err_set(e, ERR_SPEC, "a document of another kind");
    *out = *docs.items[0].val;
    if (docs.items[0].kind != DOC_WORKFLOW) return true; /* as in a cluster: judged when it is used */
    if (!check(a, s, &docs, &o, &diags, &why)) return first_complaint(&diags, e);
    return workflow_complete(a, s, out, &o, out, e);
}

static struct workflow_ref ref_of(struct arena *a, const struct val *workflow)
{
    const struct val *meta = val_get(workflow, STR("metadata"));
    return (struct workflow_ref){.ns = str_dup(a, val_get_str(meta, "namespace")), .name = str_dup(a, val_get_str(meta, "name"))};
}

struct str uid_of_submission(struct arena *a, struct str t, size_t i)
{
    enum { UUID_DIGITS = 36, INDEX_DIGITS = 4 };
    return t.n != UUID_DIGITS ? uuid_random(a) : str_fmt(a, "%.*s%04zx", (int)(t.n - INDEX_DIGITS), t.p, i & 0xffff);
}

/* The engine that accepted it died before it could say so. */
static bool accepted_before(struct arena *a, struct service *s, const struct documents *docs, const struct submit_opts *o, size_t i,
                            struct workflow_ref *out)
{
    struct run_row row;
    struct err absent;
    if (!o->token.n || !store_run_find_uid(a, service_store(s), uid_of_submission(a, o->token, i), &row, &absent)) return false;
    *out = (struct workflow_ref){.ns = str_dup(docs->a, row.ns), .name = str_dup(docs->a, row.name)};
    return true;
}

static bool accept_all(struct arena *a, struct service *s, const struct documents *docs,
                       const struct submit_opts *o, struct workflow_ref *out, size_t *n, struct err *e)
{
    for (size_t i = 0; i < docs->n; i++)
        if (docs->items[i].kind != DOC_WORKFLOW && !store_object(a, s, &docs->items[i], o, e)) return false;
    for (size_t i = 0; i < docs->n; i++) {
        struct val workflow;
        int64_t run;
        if (docs->items[i].kind != DOC_WORKFLOW) continue;
        if (accepted_before(a, s, docs, o, i, &out[*n])) {
            ++*n;
            continue;
        }
        struct submit_opts one = *o;
        one.uid = uid_of_submission(a, o->token, i);
        if (!workflow_complete(a, s, docs->items[i].val, &one, &workflow, e) ||
            !exec_submit(s->exec, &workflow, NULL, &run, e))
            return false;
        out[(*n)++] = ref_of(docs->a, &workflow);
    }
    return true;
}

static bool submit_here(struct arena *a, struct service *s, const struct documents *docs,
                        const struct submit_opts *o, struct workflow_ref *out, size_t *n, struct err *e)
{
    if (!exec_commit(s->exec, e) || !exec_begin(s->exec, e)) return false;
    if (!accept_all(a, s, docs, o, out, n, e)) return exec_rollback(s->exec), false;
    if (!exec_commit(s->exec, e)) return false;
    if (docs->n > *n) exec_limits_changed(s->exec); /* objects came along */
    return true;
}

static struct val pairs(struct arena *a, const struct param *p, size_t n)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) {
        struct val_builder b;
        map_begin(&b, a);
        map_add_str(&b, "name", p[i].name);
        map_add_str(&b, "value", p[i].value);
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

/* The engine's own route takes documents and options as they are here. */
static bool submit_there(struct arena *a, struct service *s, const struct documents *docs,
                         const struct submit_opts *o, struct workflow_ref *out, size_t *n, struct err *e)
{
    struct val_builder b, list;
    list_begin(&list, a);
    for (size_t i = 0; i < docs->n; i++) list_add(&list, *docs->items[i].val);
    map_begin(&b, a);
    map_add(&b, STR("documents"), list_done(&list));
    map_add_str(&b, "namespace", o->ns);
    map_add_str(&b, "entrypoint", o->entrypoint);
    map_add_str(&b, "name", o->name);
    map_add_str(&b, "generateName", o->generate_name);
    map_add_str(&b, "token", o->token);
    map_add(&b, STR("parameters"), pairs(a, o->params, o->n_params));
    map_add(&b, STR("labels"), pairs(a, o->labels, o->n_labels));
    map_add(&b, STR("annotations"), pairs(a, o->annotations, o->n_annotations));
    map_add_str(&b, "serviceAccount", o->service_account);
    map_add_str(&b, "priority", o->priority);
    struct val request = map_done(&b), reply = val_null;
    if (!service_ask(a, s, "POST", "/api/v1/skiff/submit", json_text(a, &request), &reply, e)) return false;
    const struct val *items = val_get(&reply, STR("items"));
    for (uint32_t i = 0; items && i < items->n && *n < docs->n; i++) out[(*n)++] = ref_of(docs->a, &items->items[i]);
    return true;
}

bool service_submit(struct service *s, const struct documents *docs, const struct submit_opts *o,
                    struct diags *diags, struct workflow_ref **out, size_t *n, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    *n = 0;
    *out = ARENA_ARRAY(docs->a, struct workflow_ref, docs->n + 1);
    if (!check(&a, s, docs, o, diags, e)) return false;
    struct submit_opts own = *o;
    if (!own.token.n) own.token = uuid_random(&a);
    for (unsigned i = 0; !s->exec; i++) {
        *n = 0;
        if (submit_there(&a, s, docs, &own, *out, n, e)) return true;
        if (!service_unreached(s, i, e)) return false;
    }
    return submit_here(&a, s, docs, &own, *out, n, e);
}

size_t service_traceparent(struct arena *a, struct str traceparent, const struct param **out)
{
    struct traceparent t;
    struct param *p = ARENA_NEW(a, struct param);
    if (!exec_traceparent(traceparent, &t)) return 0;
    *p = (struct param){STR(EXEC_TRACEPARENT), traceparent};
    *out = p;
    return 1;
}

static struct val as_submitted(struct arena *a, const struct val *stored)
{
    struct val v = map_without(a, stored, EXEC_GIVEN);
    const struct val *spec = exec_given_spec(stored);
    return spec ? map_with(a, &v, "spec", *spec) : v;
}

bool service_dry_run(struct arena *a, struct service *s, const struct documents *docs,
                     const struct submit_opts *o, struct diags *diags, struct val *objects, struct err *e)
{
    struct val_builder list;
    bool ok = true;
    if (!check(a, s, docs, o, diags, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; ok && i < docs->n; i++) {
        struct val v = *docs->items[i].val;
        bool workflow = docs->items[i].kind == DOC_WORKFLOW;
        if (workflow) ok = workflow_complete(a, s, docs->items[i].val, o, &v, e);
        if (ok) list_add(&list, workflow ? as_submitted(a, &v) : v);
    }
    *objects = list_done(&list);
    return ok;
}
