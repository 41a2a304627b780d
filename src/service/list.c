/* Lists of workflows, page by page. What the store has an index for is asked of it: name, namespace, phase, times, and the
 * rarest of the labels that are asked for. The rest of a filter is looked at row by row, of which one page sees a bounded
 * number. Runs on: the loop thread. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "base/vec.h"
#include "doc/json.h"
#include "resource/selector.h"
#include "service/remote_p.h"

/* ---- what an item looks like ---- */

/* Of runs at work and of those that were stopped the list shows more than their phase. */
static struct val short_spec(struct arena *a, struct store *st, const struct run_row *row)
{
    struct val priv = val_null;
    struct str text;
    struct err absent;
    bool worth = !row->completed || str_is(row->phase, "Failed");
    if (worth && store_value_get(a, st, row->run, STR("private"), &text, &absent))
        json_parse(a, text, NULL, &priv, NULL);
    struct val spec = exec_workflow_spec(a, NULL, &priv);
    int64_t priority;
    if (!store_value_get(a, st, row->run, STR(EXEC_PRIORITY_KEY), &text, &absent) || !str_to_i64(text, &priority)) return spec;
    return map_with(a, &spec, STR("priority"), val_of_i64(a, priority));
}

/* What the row alone says. */
static struct val row_form(struct arena *a, const struct run_row *row)
{
    struct val_builder b, m, st;
    struct val labels = {.kind = VAL_MAP};
    json_parse(a, row->labels, NULL, &labels, NULL);
    map_begin(&m, a);
    map_add_str(&m, "name", row->name);
    map_add_str(&m, "namespace", row->ns);
    map_add_str(&m, "uid", row->uid);
    map_add_str(&m, "creationTimestamp", rfc3339(a, row->created_us));
    map_add(&m, STR("labels"), labels);
    struct val meta = map_done(&m);
    map_begin(&st, a);
    map_add_str(&st, "phase", row->phase);
    map_add_str(&st, "startedAt", rfc3339(a, row->started_us));
    map_add_str(&st, "finishedAt", rfc3339(a, row->finished_us));
    if (row->message.n) map_add_str(&st, "message", row->message);
    if (row->progress.n) map_add_str(&st, "progress", row->progress);
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), exec_workflow_meta(a, &meta, row));
    map_add(&b, STR("status"), map_done(&st));
    return map_done(&b);
}

struct val run_short_form(struct arena *a, struct store *s, const struct run_row *row)
{
    struct val v = row_form(a, row), spec = short_spec(a, s, row);
    return spec.n ? map_with(a, &v, STR("spec"), spec) : v;
}

static bool item_of(struct arena *a, struct store *s, const struct run_row *row, enum list_form form, struct val *out, struct err *e)
{
    if (form == LIST_SHORT) *out = run_short_form(a, s, row);
    return form == LIST_SHORT || exec_workflow(a, s, row, form == LIST_WHOLE, out, e);
}

/* ---- filters ---- */

static const struct str phase_label = {"workflows.argoproj.io/phase", 27};
static const struct str completed_label = {"workflows.argoproj.io/completed", 31};

struct finding {
    struct run_filter f;
    struct selector labels, fields; /* what is left of them for keep */
    struct store *store;
    struct arena scratch;
};

static bool is_any_of(const struct selector_req *r, struct str key)
{
    return r->op == SELECTOR_IN && str_eq(r->key, key);
}

/* True: the filter says it, nothing is left to look at. */
static bool label_is_column(struct run_filter *f, const struct selector_req *r)
{
    if (is_any_of(r, phase_label) && !f->n_phases) {
        f->phases = r->values;
        f->n_phases = r->n;
        return true;
    }
    if (!str_eq(r->key, completed_label) || r->n != 1) return false;
    int wanted = str_is(r->values[0], "true") - str_is(r->values[0], "false");
    if (r->op == SELECTOR_NOT_IN) wanted = wanted > 0 ? -1 : 0; /* as argo asks for those that go on; who has no such label is not over */
    else if (r->op != SELECTOR_IN) return false;
    if (!wanted || (f->completed && f->completed != wanted)) return false;
    f->completed = wanted;
    return true;
}

static bool field_is_column(struct run_filter *f, const struct selector_req *r)
{
    bool one = r->op == SELECTOR_IN && r->n == 1;
    if (one && str_is(r->key, "metadata.namespace") && !str_set(f->ns)) return f->ns = r->values[0], true;
    if (!one || !str_is(r->key, "metadata.name") || str_set(f->name)) return false;
    f->name = r->values[0];
    f->match = RUN_NAME_EXACT;
    return true;
}

static void selector_drop(struct selector *s, size_t i)
{
    memmove(s->reqs + i, s->reqs + i + 1, (--s->n - i) * sizeof *s->reqs);
}

static bool keeps(void *ctx, const struct run_row *row)
{
    struct finding *x = ctx;
    struct val given = val_null;
    arena_reset(&x->scratch);
    json_parse(&x->scratch, row->labels, NULL, &given, NULL);
    struct val_pair labels = {.key = STR("labels"), .v = given};
    struct val meta = exec_workflow_meta(&x->scratch, &(struct val){.kind = VAL_MAP, .n = 1, .map = &labels}, row);
    if (!selector_matches(&x->labels, val_get(&meta, STR("labels")))) return false;
    if (!x->fields.n) return true;
    struct val doc = row_form(&x->scratch, row);
    return field_selector_matches(&x->fields, &doc);
}

enum { RARE = 5000 };

struct tags {
    struct str *items;
    size_t n;
    int64_t runs; /* that have one of them, up to RARE of each */
};

/* The requirement's labels, each once: "in (a,a)" finds no run twice. */
static bool tags_of(struct arena *a, struct finding *x, const struct selector_req *r, struct tags *out, struct err *e)
{
    *out = (struct tags){.items = ARENA_ARRAY(a, struct str, r->n)};
    for (size_t i = 0; i < r->n; i++) {
        int64_t one;
        size_t same = 0;
        while (same < i && !str_eq(r->values[same], r->values[i])) same++;
        if (same < i) continue;
        struct str tag = out->items[out->n++] = str_fmt(a, "%.*s=%.*s", STR_ARG(r->key), STR_ARG(r->values[i]));
        if (!store_tag_count(x->store, tag, x->f.before_run, RARE, &one, e)) return false;
        out->runs += one;
    }
    return true;
}

/* The requirement that fewest runs meet leads, if it is one that few meet. One that many meet soon fills a page, whichever
 * way the runs are gone through. */
static bool lead_choose(struct arena *a, struct finding *x, struct err *e)
{
    enum { VALUES_MAX = 16 };
    int64_t best = RARE;
    size_t lead = x->labels.n;
    for (size_t i = 0; i < x->labels.n; i++) {
        const struct selector_req *r = &x->labels.reqs[i];
        if (r->op != SELECTOR_IN || r->n > VALUES_MAX || str_eq(r->key, phase_label) || str_eq(r->key, completed_label)) continue;
        struct tags tags;
        if (!tags_of(a, x, r, &tags, e)) return false;
        if (tags.runs >= best) continue;
        best = tags.runs;
        lead = i;
        x->f.tags = tags.items;
        x->f.n_tags = tags.n;
    }
    if (lead < x->labels.n) selector_drop(&x->labels, lead);
    return true;
}

/* What a row says; of any other field no workflow would ever be found. */
bool run_fields_check(const struct selector *fields, struct err *e)
{
    static const char *const status[] = {"status.phase", "status.startedAt", "status.finishedAt", "status.message", "status.progress"};
    for (size_t i = 0; i < fields->n; i++) {
        struct str key = fields->reqs[i].key;
        bool known = str_starts(key, STR("metadata."));
        for (size_t k = 0; !known && k < ARRAY_LEN(status); k++) known = str_is(key, status[k]);
        if (!known) return err_set(e, ERR_SPEC, "field selector: %.*s is not supported: metadata.NAME, or status.phase, startedAt, "
                                   "finishedAt, message, progress", STR_ARG(key));
    }
    return true;
}

static bool namespaces_agree(struct str ns, const struct selector *fields, struct err *e)
{
    for (size_t i = 0; ns.n && i < fields->n; i++) {
        const struct selector_req *r = &fields->reqs[i];
        if (is_any_of(r, STR("metadata.namespace")) && !str_eq(r->values[0], ns))
            return err_set(e, ERR_SPEC, "field selector: the namespace is '%.*s' already, and not '%.*s'", STR_ARG(ns), STR_ARG(r->values[0]));
    }
    return true;
}

static bool filter_make(struct arena *a, const struct list_opts *o, struct finding *x, struct err *e)
{
    struct run_filter *f = &x->f;
    *f = (struct run_filter){.ns = o->ns, .phases = o->phases, .n_phases = o->n_phases, .completed = o->completed,
                             .created_after_us = o->created_after_us, .finished_before_us = o->finished_before_us,
                             .started_after_us = o->started_after_us, .started_before_us = o->started_before_us,
                             .before_run = o->before_run, .limit = o->limit};
    if (o->name.n) {
        f->name = o->name;
        f->match = (enum run_name_match)o->match;
    }
    if (!selector_parse(a, o->selector, &x->labels, e) || !field_selector_parse(a, o->fields, &x->fields, e) ||
        !run_fields_check(&x->fields, e) || !namespaces_agree(o->ns, &x->fields, e))
        return false;
    for (size_t i = x->labels.n; i-- > 0;)
        if (label_is_column(f, &x->labels.reqs[i])) selector_drop(&x->labels, i);
    for (size_t i = x->fields.n; i-- > 0;)
        if (field_is_column(f, &x->fields.reqs[i])) selector_drop(&x->fields, i);
    if (!lead_choose(a, x, e)) return false;
    if (!x->labels.n && !x->fields.n) return true;
    f->keep = keeps;
    f->ctx = x;
    f->look = o->limit ? LIMIT_LIST_LOOK : 0;
    return true;
}

/* ---- pages ---- */

/* Only where the store can count by its index. */
static bool count_rest(struct arena *a, const struct finding *x, bool wanted, struct list_page *out, struct err *e)
{
    struct run_filter rest = x->f;
    out->remaining = -1;
    if (!wanted || x->f.n_tags || x->f.keep) return true;
    rest.before_run = out->next;
    return store_run_count(a, x->store, &rest, &out->remaining, e);
}

static bool page_read(struct arena *a, struct finding *x, const struct list_opts *o, struct list_page *out, struct err *e)
{
    struct run_page page;
    struct val_builder list;
    bool ok = filter_make(a, o, x, e) && store_run_list(a, x->store, &x->f, &page, e);
    list_begin(&list, a);
    for (size_t i = 0; ok && i < page.n; i++) {
        struct val v;
        ok = item_of(a, x->store, &page.rows[i], o->form, &v, e);
        if (ok) list_add(&list, v);
    }
    out->items = list_done(&list);
    out->rv = store_version(x->store);
    out->next = ok ? page.next : 0;
    return ok && (!out->next || count_rest(a, x, o->count, out, e));
}

bool service_list_page(struct arena *a, struct service *s, const struct list_opts *o, struct list_page *out, struct err *e)
{
    struct finding x = {.store = service_store(s)};
    *out = (struct list_page){.items = {.kind = VAL_LIST}};
    if (!x.store) return true;
    arena_init(&x.scratch);
    bool ok = page_read(a, &x, o, out, e);
    arena_fini(&x.scratch);
    return ok;
}

bool service_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e)
{
    struct list_opts at = *o;
    struct val_builder list;
    struct list_page page;
    bool ok;
    if (s->remote) return remote_list(a, s, o, out, e);
    list_begin(&list, a);
    do {
        at.limit = o->limit ? o->limit - list.n : 0;
        ok = service_list_page(a, s, &at, &page, e);
        for (uint32_t i = 0; ok && i < page.items.n; i++) list_add(&list, page.items.items[i]);
        at.before_run = page.next;
    } while (ok && page.next && !(o->limit && list.n >= o->limit));
    *out = list_done(&list);
    return ok;
}
