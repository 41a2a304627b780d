/* Submitting: lint, store the objects, accept the workflows; all or nothing, durable when true. */
#include <ctype.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "os/clock.h"
#include "os/random.h"
#include "os/zonefile.h"
#include "resource/resource.h"
#include "resource/selector.h"
#include "service/remote_p.h"
#include "spec/lint.h"

/* Stored templates, read when something refers to them. */
struct stored_templates {
    struct arena *a;
    struct service *s;
    VEC(struct documents *) docs; /* one each: lint keeps pointers to them */
    struct err e;
};

struct stored_templates *stored_templates_new(struct arena *a, struct service *s)
{
    struct stored_templates *t = ARENA_NEW(a, struct stored_templates);
    *t = (struct stored_templates){.a = a, .s = s};
    return t;
}

bool stored_templates_end(struct stored_templates *t, struct err *e)
{
    for (size_t i = 0; i < t->docs.n; i++) documents_fini(t->docs.items[i]);
    VEC_FINI(&t->docs);
    return !t->e.code || (*e = t->e, err_ctx(e, "stored templates"));
}

static bool template_get(struct stored_templates *t, enum service_kind kind, struct str ns, struct str name, struct val *out)
{
    struct err e;
    bool nowhere = !t->s->remote && !service_store(t->s);
    if (nowhere || t->e.code) return false;
    if (service_object_get(t->a, t->s, kind, ns, name, out, &e)) return true;
    if (e.code != ERR_NOT_FOUND) t->e = e;
    return false;
}

const struct document *stored_templates_fetch(void *ctx, enum doc_kind kind, struct str ns, struct str name)
{
    struct stored_templates *t = ctx;
    struct val *v = ARENA_NEW(t->a, struct val);
    struct diags told; /* when it was stored */
    bool cluster = kind == DOC_CLUSTER_WORKFLOW_TEMPLATE;
    if (kind != DOC_WORKFLOW_TEMPLATE && !cluster) return NULL;
    if (!template_get(t, cluster ? SERVICE_CLUSTER_TEMPLATE : SERVICE_TEMPLATE, ns, name, v)) return NULL;
    struct documents *d = ARENA_NEW(t->a, struct documents);
    documents_init(d, t->a);
    diags_init(&told, t->a);
    documents_add_val(d, v, 0, &told);
    diags_fini(&told);
    VEC_PUSH(&t->docs, d);
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

/* A workflow's, or that of a CronWorkflow. What is written here is no expression: tags are not replaced. */
static bool selectors_check(struct arena *a, const struct documents *docs, struct diags *diags)
{
    static const char *const paths[] = {"spec.podGC.labelSelector", "spec.workflowSpec.podGC.labelSelector"};
    bool ok = true;
    for (size_t i = 0; i < docs->n * ARRAY_LEN(paths); i++) {
        const struct val *v = val_path(docs->items[i / ARRAY_LEN(paths)].val, paths[i % ARRAY_LEN(paths)]);
        struct selector sel;
        struct err why;
        if (!v || v->kind != VAL_MAP || selector_from_val(a, v, &sel, &why)) continue;
        diag_at(diags_add(diags, DIAG_ERROR, "E0104", "`podGC.labelSelector`: %s", why.text), v);
        ok = false;
    }
    return ok;
}

bool documents_check(struct arena *a, struct service *s, const struct documents *docs, struct str ns, bool to_run,
                     struct diags *diags, struct err *e)
{
    struct stored_templates *t = stored_templates_new(a, s);
    struct lint_opts opts = {.fetch = stored_templates_fetch, .fetch_ctx = t, .default_ns = ns, .refs_required = true, .values_required = to_run,
                             .zone_known = s->remote ? NULL : zonefile_known}; /* a server elsewhere knows its own */
    bool ok = spec_lint(a, docs, &opts, diags);
    ok = selectors_check(a, docs, diags) && ok;
    if (!stored_templates_end(t, e)) return false;
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
    if (!submission_token_check(o->token, e) || !pairs_check(o, e)) return false;
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

enum { UUID_DIGITS = 36, INDEX_DIGITS = 4 };

/* Directories are named after what is made of it. */
bool submission_token_check(struct str t, struct err *e)
{
    bool ok = !t.n || t.n == UUID_DIGITS;
    for (size_t i = 0; ok && i < t.n; i++) ok = i == 8 || i == 13 || i == 18 || i == 23 ? t.p[i] == '-' : isxdigit((unsigned char)t.p[i]);
    return ok || err_set(e, ERR_SPEC, "token: a UUID is expected");
}

struct str uid_of_submission(struct arena *a, struct str t, size_t i)
{
    return !t.n ? uuid_random(a) : str_fmt(a, "%.*s%04zx", (int)(t.n - INDEX_DIGITS), t.p, i & 0xffff);
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
    *n = 0;
    if (!exec_begin_alone(s->exec, e)) return false;
    if (!accept_all(a, s, docs, o, out, n, e)) return exec_rollback(s->exec), false;
    if (!exec_commit(s->exec, e)) return false;
    if (docs->n > *n) exec_limits_changed(s->exec); /* objects came along */
    return true;
}

/* ---- those of one turn of the loop together ---- */

struct submission {
    const struct documents *docs;
    struct submit_opts o;
    service_submitted_fn *done;
    void *user;
    struct workflow_ref *refs;
    size_t n;
    bool ok;
    struct err e;
};

bool service_submit_later(struct service *s, const struct documents *docs, const struct submit_opts *o,
                          struct diags *diags, service_submitted_fn *done, void *user, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (!s->exec) return err_set(e, ERR_UNREACHABLE, "no engine is at work here");
    if (!check(&a, s, docs, o, diags, e)) return false;
    struct submission *x = ARENA_NEW(docs->a, struct submission);
    *x = (struct submission){.docs = docs, .o = *o, .done = done, .user = user, .refs = ARENA_ARRAY(docs->a, struct workflow_ref, docs->n + 1)};
    if (!x->o.token.n) x->o.token = uuid_random(docs->a);
    VEC_PUSH(&s->submissions, x);
    loop_again(s->loop);
    return true;
}

/* False: one was refused with some of it stored already. */
static bool accept_together(struct service *s, struct submission **all, size_t n)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (size_t i = 0; i < n; i++) {
        struct submission *x = all[i];
        int64_t before = store_written(service_store(s));
        x->n = 0;
        x->ok = accept_all(&a, s, x->docs, &x->o, x->refs, &x->n, &x->e);
        if (!x->ok && store_written(service_store(s)) != before) return false;
        arena_reset(&a);
    }
    return true;
}

static void submissions_fail(struct submission **all, size_t n, const struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (all[i]->ok) all[i]->e = *e;
        all[i]->ok = false;
    }
}

/* Each is all or nothing. One transaction is for all of them, unless one has to be undone: then each gets its own. */
static void submissions_accept(struct service *s, struct submission **all, size_t n)
{
    struct err e;
    bool objects = false;
    for (size_t i = 0; i < n; i++) all[i]->ok = true;
    if (!exec_begin_alone(s->exec, &e)) {
        submissions_fail(all, n, &e);
        return;
    }
    if (accept_together(s, all, n)) {
        if (!exec_commit(s->exec, &e)) submissions_fail(all, n, &e);
        for (size_t i = 0; i < n; i++) objects = objects || (all[i]->ok && all[i]->docs->n > all[i]->n);
        if (objects) exec_limits_changed(s->exec);
        return;
    }
    exec_rollback(s->exec);
    for (size_t i = 0; i < n; i++) {
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        all[i]->ok = submit_here(&a, s, all[i]->docs, &all[i]->o, all[i]->refs, &all[i]->n, &all[i]->e);
    }
}

/* The list is taken first: whoever is told may submit again. */
static void submissions_end(struct service *s, void (*accept)(struct service *s, struct submission **all, size_t n))
{
    struct submission **all = s->submissions.items;
    size_t n = s->submissions.n;
    if (!n) return;
    s->submissions.items = NULL;
    s->submissions.n = s->submissions.cap = 0;
    accept(s, all, n);
    for (size_t i = 0; i < n; i++) all[i]->done(all[i]->user, all[i]->ok ? NULL : &all[i]->e, all[i]->refs, all[i]->n); /* it may free it */
    free(all);
}

static void on_turn(void *user) { submissions_end(user, submissions_accept); }

void submissions_open(struct service *s) { s->submit_hook = loop_hook_new(s->loop, LOOP_HOOK_COMMIT, on_turn, s); }

static void submissions_refuse(struct service *s, struct submission **all, size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) err_set(&all[i]->e, ERR_UNREACHABLE, "the engine is leaving");
}

void submissions_close(struct service *s)
{
    submissions_end(s, submissions_refuse);
    loop_hook_free(s->submit_hook);
    s->submit_hook = NULL;
}

/* ---- asked of another engine ---- */

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

static bool object_send(struct arena *a, struct service *s, const struct document *d, struct str ns, struct err *e)
{
    static const struct { enum doc_kind kind; enum service_kind as; } rows[] = {
        {DOC_WORKFLOW_TEMPLATE, SERVICE_TEMPLATE}, {DOC_CLUSTER_WORKFLOW_TEMPLATE, SERVICE_CLUSTER_TEMPLATE}, {DOC_CRON_WORKFLOW, SERVICE_CRON}};
    struct documents one = {.a = a, .items = (struct document *)d, .n = 1};
    struct diags told CLEANUP(diags_fini); /* by the check of all of them */
    struct stored_result did;
    struct val stored;
    diags_init(&told, a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].kind == d->kind) return service_object_put(a, s, rows[i].as, SERVICE_APPLY, ns, &one, &told, &stored, e);
    return service_stored_apply(a, s, ns, &one, 0, &told, &did, e);
}

/* One after the other, by Argo's own routes: the other one is not there, or about more than this caller may do. What was accepted
 * before one is refused stays. */
static bool submit_by_argo(struct arena *a, struct service *s, const struct documents *docs, const struct submit_opts *o,
                           struct workflow_ref *out, size_t *n, struct err *e)
{
    struct str ns = o->ns.n ? o->ns : STR("default");
    for (size_t i = 0; i < docs->n; i++)
        if (docs->items[i].kind != DOC_WORKFLOW && !object_send(a, s, &docs->items[i], ns, e)) return false;
    for (size_t i = 0; i < docs->n; i++) {
        if (docs->items[i].kind != DOC_WORKFLOW) continue;
        struct val wf = workflow_to_send(a, docs->items[i].val, o), reply, body = map_with(a, NULL, STR("workflow"), wf);
        struct str own = val_text(val_path(&wf, "metadata.namespace"));
        const char *target = str_fmt(a, "/api/v1/workflows/%.*s", STR_ARG(web_escape(a, own))).p;
        if (!remote_ask(a, s->remote, "POST", target, json_text(a, &body), &reply, e))
            return *n ? err_ctx(e, "%zu of the workflows went before, up to '%.*s'; the next", *n, STR_ARG(out[*n - 1].name)) : false;
        out[(*n)++] = ref_of(docs->a, &reply);
    }
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
        if (s->remote && remote_lacks(e)) return submit_by_argo(&a, s, docs, &own, *out, n, e);
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
    struct val v = map_without(a, stored, STR(EXEC_GIVEN));
    const struct val *spec = exec_given_spec(stored);
    return spec ? map_with(a, &v, STR("spec"), *spec) : v;
}

/* Before a server made something of it. */
static struct val as_sent(struct arena *a, const struct val *made, const struct val *doc, const struct submit_opts *o)
{
    struct val meta = *val_get(made, STR("metadata"));
    bool named = o->name.n || (!o->generate_name.n && val_get_str(val_get(doc, STR("metadata")), "name").n);
    meta = map_without(a, &meta, STR("uid"));
    meta = map_without(a, &meta, STR("creationTimestamp"));
    return map_with(a, made, STR("metadata"), named ? meta : map_without(a, &meta, STR("name")));
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
        if (ok && workflow) v = as_submitted(a, &v);
        if (ok && workflow && o->unnamed) v = as_sent(a, &v, docs->items[i].val, o);
        if (ok) list_add(&list, v);
    }
    *objects = list_done(&list);
    return ok;
}
