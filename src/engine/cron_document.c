/* What a CronWorkflow's document says and is made to say, and the workflow that comes of it. See cron_p.h. */
#include "base/rfc3339.h"
#include "doc/json_write.h"
#include "engine/cron_p.h"
#include "engine/text_p.h"
#include "lang/tags.h"
#include "lang/when.h"

#define LAST_USED STR("cronworkflows.argoproj.io/last-used-schedule")
#define COMPLETED STR("cronworkflows.argoproj.io/completed")

const char *const cron_trouble_text[CRON_TROUBLES] = {[CRON_SPEC_ERROR] = "SpecError", [CRON_SUBMISSION_ERROR] = "SubmissionError"};

static const struct val *meta_of(const struct val *doc) { return val_get(doc, STR("metadata")); }
struct str cronwf_name(const struct cronwf *c) { return val_get_str(meta_of(&c->doc), "name"); }
struct str cronwf_uid(const struct cronwf *c) { return val_get_str(meta_of(&c->doc), "uid"); }
const struct val *cronwf_given(const struct cronwf *c) { return &c->doc; }
bool cronwf_dirty(const struct cronwf *c) { return c->dirty; }

bool cronwf_rests(const struct cronwf *c) { return c->stopped || val_is_true(c->spec, "suspend"); }

bool cron_rests(const struct val *cron)
{
    return val_is_true(val_get(cron, STR("spec")), "suspend") || str_is(val_text(val_path(cron, "status.phase")), "Stopped");
}

/* Writing it again is not about a version that somebody saw. */
struct val cron_without_version(struct arena *a, const struct val *doc)
{
    struct val_builder b;
    const struct val *meta = meta_of(doc);
    map_begin(&b, a);
    for (uint32_t i = 0; meta && i < meta->n; i++)
        if (!str_is(meta->map[i].key, "resourceVersion")) map_add(&b, meta->map[i].key, meta->map[i].v);
    struct val with = map_with(a, doc, STR("metadata"), map_done(&b));
    return val_copy(a, &with);
}

bool cron_schedule_is_noted(const struct cronwf *c)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return c->noted || str_eq(val_text(val_get(val_get(meta_of(&c->doc), STR("annotations")), LAST_USED)), schedules_text(&a, &c->doc));
}

void cron_schedule_note(struct cronwf *c)
{
    if (cron_schedule_is_noted(c)) return;
    c->noted = c->dirty = true;
}

/* ---- the status ---- */

static struct val active_val(struct arena *a, const struct cronwf *c)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < c->children.n; i++) {
        struct val_builder b;
        if (!c->children.items[i].active) continue;
        map_begin(&b, a);
        map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
        map_add_str(&b, "kind", STR("Workflow"));
        map_add_str(&b, "name", str_dup(a, str_of(c->children.items[i].name)));
        map_add_str(&b, "namespace", val_get_str(meta_of(&c->doc), "namespace"));
        map_add_str(&b, "uid", str_dup(a, str_of(c->children.items[i].uid)));
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

static struct val conditions_val(struct arena *a, const struct cronwf *c)
{
    struct val_builder list;
    list_begin(&list, a);
    for (int t = 0; t < CRON_TROUBLES; t++) {
        struct val_builder b;
        if (!c->trouble[t]) continue;
        map_begin(&b, a);
        map_add_str(&b, "type", str_of(cron_trouble_text[t]));
        map_add_str(&b, "status", STR("True"));
        map_add_str(&b, "message", str_dup(a, str_of(c->trouble[t])));
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

/* Clients take all of these for granted. */
static struct val status_val(struct arena *a, const struct cronwf *c)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add(&b, STR("active"), active_val(a, c));
    map_add(&b, STR("lastScheduledTime"), c->last_us ? val_of_str(rfc3339(a, c->last_us)) : val_null);
    map_add(&b, STR("conditions"), conditions_val(a, c));
    map_add(&b, STR("succeeded"), val_of_i64(a, c->succeeded));
    map_add(&b, STR("failed"), val_of_i64(a, c->failed));
    map_add_str(&b, "phase", c->stopped ? STR("Stopped") : c->begun ? STR("Active") : STR(""));
    return map_done(&b);
}

static struct val meta_with(struct arena *a, const struct val *meta, struct str member, struct str key, struct str text)
{
    return map_with(a, meta, member, map_with(a, val_get(meta, member), key, val_of_str(text)));
}

struct val cronwf_document(struct arena *a, struct cronwf *c)
{
    struct val meta = *meta_of(&c->doc);
    if (c->noted) meta = meta_with(&c->scratch, &meta, STR("annotations"), LAST_USED, schedules_text(&c->scratch, &c->doc));
    if (c->stopped) meta = meta_with(&c->scratch, &meta, STR("labels"), COMPLETED, STR("true"));
    struct val doc = map_with(&c->scratch, &c->doc, STR("metadata"), meta);
    doc = map_with(&c->scratch, &doc, STR("status"), status_val(&c->scratch, c));
    struct val out = val_copy(a, &doc);
    c->dirty = false;
    arena_reset(&c->scratch);
    return out;
}

/* ---- when, and when no more ---- */

static struct val json_of(struct arena *a, const struct val *map)
{
    static const struct val none = {.kind = VAL_MAP};
    return val_of_str(map ? json_text(a, map) : json_text(a, &none));
}

/* Labels and annotations as names have them, each with its `json`. What `annotations` is in Argo is the labels, by mistake; workflows have
 * been written against that, so they are there where there is no annotation of the name. */
struct named {
    struct val labels, annotations;
};

static void named_make(struct arena *a, const struct cronwf *c, struct named *out)
{
    const struct val *meta = meta_of(&c->doc), *labels = val_get(meta, STR("labels")), *annotations = val_get(meta, STR("annotations"));
    out->annotations = map_with_all(a, labels, annotations);
    out->labels = map_with(a, labels, STR("json"), json_of(a, labels));
    out->annotations = map_with(a, &out->annotations, STR("json"), json_of(a, annotations));
}

/* {{cronworkflow.labels.json}} alone; expressions find it in the map. */
static bool named_lookup(void *ctx, struct str key, struct scope_value *out)
{
    struct named *n = ctx;
    const struct val *map = str_is(key, "cronworkflow.labels.json") ? &n->labels : str_is(key, "cronworkflow.annotations.json") ? &n->annotations : NULL;
    if (map) *out = (struct scope_value){.kind = SCOPE_STR, .str = val_get_str(map, "json")};
    return map != NULL;
}

static void names_set(struct arena *a, struct scope *s, const struct cronwf *c)
{
    const struct val *meta = meta_of(&c->doc);
    struct named *named = ARENA_NEW(a, struct named);
    struct val *counts = ARENA_ARRAY(a, struct val, 2);
    counts[0] = val_of_i64(a, c->failed);
    counts[1] = val_of_i64(a, c->succeeded);
    named_make(a, c, named);
    scope_init(s, NULL);
    scope_set_lookup(s, named_lookup, named);
    scope_set(s, STR("cronworkflow.name"), val_get_str(meta, "name"));
    scope_set(s, STR("cronworkflow.namespace"), val_get_str(meta, "namespace"));
    scope_set_val(s, STR("cronworkflow.labels"), &named->labels);
    scope_set_val(s, STR("cronworkflow.annotations"), &named->annotations);
    scope_set_val(s, STR("cronworkflow.failed"), &counts[0]);
    scope_set_val(s, STR("cronworkflow.succeeded"), &counts[1]);
    if (c->last_us) scope_set_time(s, STR("cronworkflow.lastScheduledTime"), c->last_us);
    else scope_set_nil(s, STR("cronworkflow.lastScheduledTime"));
}

bool cron_stop_is_due(struct arena *a, const struct cronwf *c, int64_t now_us, bool *out, struct err *e)
{
    const struct val *stop = val_get(c->spec, STR("stopStrategy"));
    struct str text = val_get_str(stop, "expression");
    struct scope s CLEANUP(scope_fini);
    struct expr_env env = {.scope = &s, .clock.now_us = now_us};
    names_set(a, &s, c);
    *out = false;
    if (!text.n) text = val_get_str(stop, "condition");
    return !text.n || expr_eval_bool(a, text, &env, out, e) || err_ctx(e, "failed to evaluate stop expression");
}

bool cron_when_holds(struct arena *a, const struct cronwf *c, int64_t now_us, bool *out, struct err *e)
{
    struct str when = val_get_str(c->spec, "when"), text;
    struct scope s CLEANUP(scope_fini);
    struct tags_opts o = {.scope = &s, .policy = TAGS_FAIL, .clock.now_us = now_us};
    names_set(a, &s, c);
    *out = true;
    return !when.n || (tags_replace(a, when, &o, &text, e) && when_eval_params(a, text, NULL, out, e));
}

/* ---- the workflow ---- */

static struct val labels_of(struct arena *a, const struct val *cron)
{
    static const char *const inherited[] = {"workflows.argoproj.io/creator", "workflows.argoproj.io/creator-email",
        "workflows.argoproj.io/creator-preferred-username", "workflows.argoproj.io/controller-instanceid"};
    struct val_builder b;
    const struct val *own = val_path(cron, "metadata.labels");
    map_begin(&b, a);
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++) map_add_str(&b, inherited[i], val_get_str(own, inherited[i]));
    map_add_str(&b, "workflows.argoproj.io/cron-workflow", val_text(val_path(cron, "metadata.name")));
    struct val labels = map_done(&b);
    return map_with_all(a, &labels, val_path(cron, "spec.workflowMetadata.labels"));
}

struct val cron_workflow(struct arena *a, const struct val *cron, struct str name, int64_t at_us)
{
    struct val_builder b, m;
    struct val time = map_with(a, NULL, STR("workflows.argoproj.io/scheduled-time"), val_of_str(rfc3339(a, at_us)));
    const struct val *spec = val_path(cron, "spec.workflowSpec");
    map_begin(&m, a);
    if (name.n) map_add_str(&m, "name", name);
    else map_add_str(&m, "generateName", str_fmt(a, "%.*s-", STR_ARG(val_text(val_path(cron, "metadata.name")))));
    map_add_str(&m, "namespace", val_text(val_path(cron, "metadata.namespace")));
    map_add(&m, STR("labels"), labels_of(a, cron));
    map_add(&m, STR("annotations"), map_with_all(a, &time, val_path(cron, "spec.workflowMetadata.annotations")));
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&b, "kind", STR("Workflow"));
    map_add(&b, STR("metadata"), map_done(&m));
    map_add(&b, STR("spec"), spec ? *spec : val_null);
    return map_done(&b);
}
