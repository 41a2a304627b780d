/* See object_view.h (cmd/argo/commands/{template,clustertemplate,cron}). */
#include "cli/object_view.h"

#include "base/limits.h"
#include "cli/human.h"
#include "cli/text.h"
#include "cli/wf.h"

static const char *const nothing[] = {
    [SERVICE_TEMPLATE] = "No workflow templates found", [SERVICE_CLUSTER_TEMPLATE] = "No cluster workflow templates found",
    [SERVICE_CRON] = "No cron workflows found",
};

/* ---- cron workflows ---- */

static struct str schedules_of(struct arena *a, const struct val *cron)
{
    const struct val *list = val_path(cron, "spec.schedules");
    struct str all = STR("");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str one = val_text(&list->items[i]);
        all = i ? str_fmt(a, "%.*s,%.*s", STR_ARG(all), STR_ARG(one)) : one;
    }
    return all;
}

static bool is_suspended(const struct val *cron)
{
    const struct val *v = val_path(cron, "spec.suspend");
    return v && v->kind == VAL_BOOL && v->b;
}

static struct str span(struct arena *a, int64_t us)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 64);
    human_short(&b, us);
    return buf_dup(a, &b);
}

static struct str text_or_empty(struct str s) { return s.p ? s : STR(""); }

static void cron_cells(struct arena *a, struct table *t, const struct val *v, int64_t now_us)
{
    int64_t created = wf_time(v, "metadata.creationTimestamp"), last = wf_time(v, "status.lastScheduledTime"), next;
    table_cell(t, span(a, created ? now_us - created : 0));
    table_cell(t, last ? span(a, now_us - last) : STR("N/A"));
    table_cell(t, service_cron_next(v, now_us, &next) ? span(a, next - now_us) : STR("N/A"));
    table_cell(t, schedules_of(a, v));
    table_cell(t, text_or_empty(val_text(val_path(v, "spec.timezone"))));
    table_cell(t, is_suspended(v) ? STR("true") : STR("false"));
}

/* ---- tables ---- */

void object_table(struct arena *a, enum service_kind kind, const struct val *items, const struct list_view *o, struct buf *out)
{
    static const char *const cron_heads[] = {"AGE", "LAST RUN", "NEXT RUN", "SCHEDULES", "TIMEZONE", "SUSPENDED"};
    bool with_ns = o->all_namespaces && kind != SERVICE_CLUSTER_TEMPLATE;
    struct table t;
    if (!items->n) {
        buf_printf(out, "%s\n", nothing[kind]);
        return;
    }
    table_begin(&t, a);
    if (!o->no_headers) {
        if (with_ns) table_cell(&t, STR("NAMESPACE"));
        table_cell(&t, STR("NAME"));
        for (size_t i = 0; kind == SERVICE_CRON && i < ARRAY_LEN(cron_heads); i++) table_cell(&t, str_of(cron_heads[i]));
        table_row_end(&t);
    }
    for (uint32_t i = 0; i < items->n; i++) {
        const struct val *v = &items->items[i];
        if (with_ns) table_cell(&t, wf_namespace(v));
        table_cell(&t, wf_name(v));
        if (kind == SERVICE_CRON) cron_cells(a, &t, v, o->now_us);
        table_row_end(&t);
    }
    table_print(&t, 3, out);
}

/* ---- one object ---- */

static void row(struct buf *b, int width, const char *label, struct str value)
{
    buf_printf(b, "%-*s ", width, label);
    text_clean(b, value);
    buf_char(b, '\n');
}

static void time_row(struct arena *a, struct buf *b, int width, const char *label, int64_t us, const struct view_opts *o)
{
    if (!us) return;
    CLEANUP(buf_fini) struct buf t;
    buf_init(&t, 200);
    human_stamp(&t, us, o->tz_s);
    buf_str(&t, STR(" ("));
    human_ago(&t, o->now_us, us);
    buf_char(&t, ')');
    row(b, width, label, buf_dup(a, &t));
}

static void active_row(struct arena *a, struct buf *b, const struct val *v)
{
    const struct val *list = val_path(v, "status.active");
    struct str names = STR("");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str name = val_get_str(&list->items[i], "name");
        names = i ? str_fmt(a, "%.*s, %.*s", STR_ARG(names), STR_ARG(name)) : name;
    }
    if (names.n) row(b, 30, "Active Workflows:", names);
}

static void conditions_rows(struct arena *a, struct buf *b, const struct val *v)
{
    const struct val *list = val_path(v, "status.conditions");
    if (str_is(val_text(val_path(v, "status.phase")), "Stopped")) row(b, 30, "Stopped:", STR("true"));
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        row(b, 30, str_fmt(a, "%.*s:", STR_ARG(val_get_str(&list->items[i], "type"))).p, val_get_str(&list->items[i], "message"));
}

static void cron_view(struct arena *a, const struct val *v, const struct view_opts *o, struct buf *b)
{
    static const struct { const char *label, *path; } given[] = {{"Timezone:", "spec.timezone"},
        {"StartingDeadlineSeconds:", "spec.startingDeadlineSeconds"}, {"ConcurrencyPolicy:", "spec.concurrencyPolicy"}};
    const struct val *params = val_path(v, "spec.workflowSpec.arguments.parameters");
    int64_t next;
    row(b, 30, "Schedules:", schedules_of(a, v));
    row(b, 30, "Suspended:", is_suspended(v) ? STR("true") : STR("false"));
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        struct str text = val_text(val_path(v, given[i].path));
        if (text.n) row(b, 30, given[i].label, text);
    }
    time_row(a, b, 30, "LastScheduledTime:", wf_time(v, "status.lastScheduledTime"), o);
    if (service_cron_next(v, o->now_us, &next)) time_row(a, b, 30, "NextScheduledTime:", next, o);
    active_row(a, b, v);
    conditions_rows(a, b, v);
    if (!params || !params->n) return;
    row(b, 30, "Workflow Parameters:", STR(""));
    for (uint32_t i = 0; i < params->n; i++) {
        struct str value = val_text(val_get(&params->items[i], STR("value")));
        struct str label = str_fmt(a, "  %.*s:", STR_ARG(val_get_str(&params->items[i], "name")));
        if (value.p) row(b, 30, label.p, value);
    }
}

void object_view(struct arena *a, enum service_kind kind, const struct val *v, const struct view_opts *o, struct buf *out)
{
    int width = kind == SERVICE_CRON ? 30 : 20;
    row(out, width, "Name:", wf_name(v));
    if (kind != SERVICE_CLUSTER_TEMPLATE) row(out, width, "Namespace:", wf_namespace(v));
    time_row(a, out, width, "Created:", wf_time(v, "metadata.creationTimestamp"), o);
    if (kind == SERVICE_CRON) cron_view(a, v, o, out);
}
