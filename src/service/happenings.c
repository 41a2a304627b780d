/* What happened to workflows, nodes and event bindings, as Kubernetes events: each change of a phase once, from the change log. See
 * streams.h; names and texts are those of Argo's controller (workflow/controller/operator.go). */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "doc/json.h"
#include "engine/engine.h"
#include "resource/selector.h"
#include "service/service_p.h"
#include "service/streams.h"

enum { PAGE = 200, PHASES_KEPT = 100000 };

struct happenings {
    struct feed feed; /* first */
    struct service *s;
    struct happenings_opts o;
    struct arena arena;
    struct selector fields;
    int64_t after;
    struct map phases; /* "RUN/NODE" or "RUN" -> phase + 1, as last seen */
    struct arena phases_arena;
    bool begun; /* something was given, or all that there was has been looked at */
    bool full, ended;
};

struct happening {
    struct arena *a;
    const struct run_row *run;
    const struct change_row *c;
    const char *kind;       /* what it is about, if that is no workflow: `run` has its names then */
    const struct val *node; /* NULL: the workflow itself */
    const char *type;
    struct str reason, message;
    int64_t at_us;
    int nth; /* of those that one change tells of */
};

static struct val text_map(struct arena *a, const struct str pairs[][2], size_t n)
{
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < n; i++)
        if (pairs[i][1].p) map_add(&b, pairs[i][0], val_of_str(pairs[i][1]));
    return map_done(&b);
}

/* As the controller marks events of nodes. */
static struct val annotations_of(struct arena *a, const struct val *node)
{
    int64_t from_us = 0, to_us = 0;
    rfc3339_parse(val_get_str(node, "startedAt"), &from_us);
    rfc3339_parse(val_get_str(node, "finishedAt"), &to_us);
    const struct str pairs[][2] = {
        {STR("workflows.argoproj.io/node-id"), val_get_str(node, "id")},
        {STR("workflows.argoproj.io/node-name"), val_get_str(node, "name")},
        {STR("workflows.argoproj.io/node-type"), val_get_str(node, "type")},
        {STR("workflows.argoproj.io/node-start-time"), from_us ? str_fmt(a, "%lld", (long long)from_us * 1000) : STR_NONE},
        {STR("workflows.argoproj.io/node-end-time"), to_us ? str_fmt(a, "%lld", (long long)to_us * 1000) : STR_NONE},
    };
    return text_map(a, pairs, ARRAY_LEN(pairs));
}

/* The same change always makes the same event: who takes up a stream again can tell what it has. */
static struct val event_of(const struct happening *h)
{
    struct arena *a = h->a;
    const struct run_row *run = h->run;
    struct str rv = str_fmt(a, "%lld", (long long)h->c->rv), at = rfc3339(a, h->at_us ? h->at_us : run->created_us);
    const struct str meta[][2] = {
        {STR("name"), str_fmt(a, "%.*s.%llx%s", STR_ARG(run->name), (long long)h->c->seq, h->nth ? "b" : "a")},
        {STR("namespace"), run->ns}, {STR("uid"), str_fmt(a, "%.*s.%lld.%d", STR_ARG(run->uid), (long long)h->c->seq, h->nth)},
        {STR("resourceVersion"), rv}, {STR("creationTimestamp"), at}};
    const struct str object[][2] = {{STR("kind"), str_of(h->kind ? h->kind : "Workflow")}, {STR("namespace"), run->ns}, {STR("name"), run->name},
                                    {STR("uid"), run->uid}, {STR("apiVersion"), STR("argoproj.io/v1alpha1")}, {STR("resourceVersion"), rv}};
    const struct str source[][2] = {{STR("component"), STR("workflow-controller")}};
    struct val m = text_map(a, meta, ARRAY_LEN(meta));
    if (h->node) m = map_with(a, &m, STR("annotations"), annotations_of(a, h->node));
    struct val_builder b;
    map_begin(&b, a);
    map_add(&b, STR("metadata"), m);
    map_add(&b, STR("involvedObject"), text_map(a, object, ARRAY_LEN(object)));
    map_add_str(&b, "reason", h->reason);
    map_add_str(&b, "message", h->message);
    map_add(&b, STR("source"), text_map(a, source, ARRAY_LEN(source)));
    map_add_str(&b, "firstTimestamp", at);
    map_add_str(&b, "lastTimestamp", at);
    map_add(&b, STR("count"), val_of_i64(a, 1));
    map_add_str(&b, "type", str_of(h->type));
    return map_done(&b);
}

/* True: it was taken, or nobody asked for it. */
static bool give(struct happenings *x, const struct happening *h)
{
    struct val event = event_of(h);
    if (!field_selector_matches(&x->fields, &event)) return true;
    x->full = !x->o.on_event(x->o.user, &event);
    x->begun = x->begun || !x->full;
    return !x->full;
}

static bool workflow_give(struct happenings *x, struct happening *h, const struct val *status, enum node_phase phase)
{
    bool failed = phase == NODE_FAILED || phase == NODE_ERROR;
    if (phase == NODE_PENDING) return true;
    h->type = failed ? "Warning" : "Normal";
    h->reason = failed ? STR("WorkflowFailed") : phase == NODE_RUNNING ? STR("WorkflowRunning") : STR("WorkflowSucceeded");
    h->message = failed ? val_get_str(status, "message") : phase == NODE_RUNNING ? STR("Workflow Running") : STR("Workflow completed");
    if (!h->message.p) h->message = STR("");
    rfc3339_parse(val_get_str(status, phase == NODE_RUNNING ? "startedAt" : "finishedAt"), &h->at_us);
    return give(x, h);
}

static bool node_phase_give(struct happenings *x, struct happening *h, struct str phase)
{
    bool fine = str_is(phase, "Succeeded") || str_is(phase, "Running");
    struct str message = val_get_str(h->node, "message");
    bool more = message.n && !str_is(phase, "Running");
    h->type = fine ? "Normal" : "Warning";
    h->reason = str_fmt(h->a, "WorkflowNode%.*s", STR_ARG(phase));
    h->message = str_fmt(h->a, "%.*s node %.*s%s%.*s", STR_ARG(phase), STR_ARG(val_get_str(h->node, "name")), more ? ": " : "",
                         more ? (int)message.n : 0, more ? message.p : "");
    rfc3339_parse(val_get_str(h->node, str_is(phase, "Running") ? "startedAt" : "finishedAt"), &h->at_us);
    return give(x, h);
}

/* Only what ran is told of; one that was never seen at work is told to have been. */
static bool node_give(struct happenings *x, struct happening *h, enum node_phase phase, const uint64_t *before)
{
    bool ended = phase_fulfilled(phase) && phase != NODE_SKIPPED && phase != NODE_OMITTED;
    if (phase != NODE_RUNNING && !ended) return true;
    if (ended && before && *before == NODE_PENDING + 1) {
        if (!node_phase_give(x, h, STR("Running"))) return false;
        h->nth = 1;
    }
    return node_phase_give(x, h, val_get_str(h->node, "phase"));
}

static void phase_note(struct happenings *x, struct str key, enum node_phase phase)
{
    if (x->phases.n >= PHASES_KEPT) { /* then some may be told of twice */
        map_fini(&x->phases);
        x->phases = (struct map){0};
        arena_reset(&x->phases_arena);
    }
    struct map_slot *slot = map_get(&x->phases, key);
    if (!slot) slot = map_put(&x->phases, str_dup(&x->phases_arena, key), NULL);
    slot->num = (uint64_t)phase + 1;
}

/* A WorkflowEventBinding that could not start a workflow (bindings.c). */
static bool binding_give(struct happenings *x, struct arena *a, const struct change_row *c)
{
    struct val v;
    if (!json_parse(a, c->payload, NULL, &v, NULL)) return true;
    struct run_row of = {.ns = val_get_str(&v, "namespace"), .name = val_get_str(&v, "name"), .uid = val_get_str(&v, "uid")};
    struct happening h = {.a = a, .run = &of, .c = c, .kind = "WorkflowEventBinding", .type = "Warning", .reason = STR("WorkflowEventBindingError"),
                          .message = val_get_str(&v, "message")};
    rfc3339_parse(val_get_str(&v, "at"), &h.at_us);
    return (x->o.ns.n && !str_eq(x->o.ns, of.ns)) || give(x, &h);
}

static bool change_give(struct happenings *x, struct arena *a, const struct change_row *c, struct run_row *run)
{
    if (str_is(c->kind, "binding")) return binding_give(x, a, c);
    struct happening h = {.a = a, .run = run, .c = c};
    struct val v;
    struct err gone;
    enum node_phase phase;
    bool node = str_is(c->kind, "node");
    if (!node && !str_is(c->kind, "workflow")) return true;
    if (run->run != c->run && !store_run_get(a, service_store(x->s), c->run, run, &gone)) return true;
    if ((x->o.ns.n && !str_eq(x->o.ns, run->ns)) || !json_parse(a, c->payload, NULL, &v, NULL)) return true;
    if (!phase_parse(val_get_str(&v, "phase"), &phase)) return true;
    struct str key = str_fmt(a, "%lld/%.*s", (long long)c->run, node ? (int)val_get_str(&v, "id").n : 0, val_get_str(&v, "id").p);
    const struct map_slot *before = map_get(&x->phases, key);
    if (before && before->num == (uint64_t)phase + 1) return true;
    h.node = node ? &v : NULL;
    if (!(node ? node_give(x, &h, phase, before ? &before->num : NULL) : workflow_give(x, &h, &v, phase))) return false;
    phase_note(x, key, phase);
    return true;
}

static bool begin_at(struct happenings *x, struct err *e)
{
    struct store *st = service_store(x->s);
    struct err trimmed;
    if (x->o.after_rv > store_version(st))
        return err_set(e, ERR_GONE, "resourceVersion %lld is from the future; list again", (long long)x->o.after_rv);
    if (x->o.after_rv > 0) return store_change_seq_at(st, x->o.after_rv - 1, &x->after, e);
    struct change_query q = {.after = MAX(store_change_last(st) - LIMIT_CHANGES, 0), .limit = 1};
    struct change_page page;
    if (store_changes_read(&x->arena, st, &q, &page, &trimmed)) x->after = q.after;
    else x->after = store_change_last(st);
    return true;
}

/* The next changes are no longer kept. Who has seen nothing yet, and asked for whatever is there, has missed nothing. */
static bool fell_behind(struct happenings *x)
{
    struct err e;
    if (!x->begun && x->o.after_rv <= 0) return begin_at(x, &e);
    err_set(&e, ERR_GONE, "what happened after change %lld is no longer there; a new stream begins at the oldest that is", (long long)x->after);
    x->ended = true;
    x->o.on_end(x->o.user, &e);
    return false;
}

static bool piece(struct feed *f)
{
    struct happenings *x = (struct happenings *)f;
    struct arena a CLEANUP(arena_fini);
    struct change_query q = {.after = x->after, .limit = PAGE};
    struct change_page page;
    struct run_row run = {0};
    struct err e;
    arena_init(&a);
    if (x->full || x->ended || x->after >= store_change_last(service_store(x->s))) return false;
    if (!store_changes_read(&a, service_store(x->s), &q, &page, &e)) return e.code == ERR_GONE && fell_behind(x);
    for (size_t i = 0; i < page.n; i++) {
        if (!change_give(x, &a, &page.rows[i], &run)) return false;
        x->after = page.rows[i].seq;
    }
    x->begun = x->begun || page.n < PAGE;
    return true;
}

struct happenings *happenings_new(struct service *s, const struct happenings_opts *o, struct err *e)
{
    struct happenings *x = mem_zalloc(sizeof *x);
    *x = (struct happenings){.s = s, .o = *o, .feed.piece = piece};
    arena_init(&x->arena);
    arena_init(&x->phases_arena);
    x->o.ns = str_dup(&x->arena, o->ns.n ? o->ns : STR(""));
    bool ok = field_selector_parse(&x->arena, o->fields, &x->fields, e) && begin_at(x, e);
    feed_add(s, &x->feed);
    if (ok) return x;
    happenings_free(x);
    return NULL;
}

void happenings_pump(struct happenings *x)
{
    x->full = false;
    feeds_wake(x->s);
}

void happenings_free(struct happenings *x)
{
    if (!x) return;
    feed_remove(x->s, &x->feed);
    map_fini(&x->phases);
    arena_fini(&x->phases_arena);
    arena_fini(&x->arena);
    free(x);
}
