/* The rows above the tree: "%-20s value", in argo's order. */
#include "cli/human.h"
#include "cli/text.h"
#include "cli/tree.h"
#include "cli/wf.h"

static void row(struct buf *b, struct str label, struct str value)
{
    buf_str(b, label);
    if (value.n) text_pad(b, text_width(label) < 20 ? 21 - text_width(label) : 1);
    text_clean(b, value);
    buf_char(b, '\n');
}

static void stamp_row(struct buf *b, const char *label, int64_t us, const struct view_opts *o)
{
    if (!us) return;
    buf_printf(b, "%-20s ", label);
    human_stamp(b, us, o->tz_s);
    buf_str(b, STR(" ("));
    human_ago(b, o->now_us, us);
    buf_str(b, STR(")\n"));
}

static void account_row(struct buf *b, const struct val *wf)
{
    struct str account = val_get_str(wf_exec_spec(wf), "serviceAccountName");
    if (!account.n)
        account = val_path(wf, "spec.workflowTemplateRef") ? STR("unset")
                                                           : STR("unset (will run with the default ServiceAccount)");
    row(b, STR("ServiceAccount:"), account);
}

static void condition_rows(struct arena *a, struct buf *b, const struct val *wf, const struct style *s)
{
    const struct val *list = val_path(wf, "status.conditions");
    if (!list || list->kind != VAL_LIST || list->n == 0) return;
    row(b, STR("Conditions:"), STR(""));
    for (uint32_t i = 0; i < list->n; i++) {
        struct str type = val_get_str(&list->items[i], "type"), text = val_get_str(&list->items[i], "message");
        const char *icon = str_is(type, "MetricsError") ? style_pick(s, "✖", "Error")
                           : str_is(type, "SpecWarning") ? style_pick(s, "⚠", "Warning") : "";
        row(b, str_fmt(a, "%s %.*s", icon, STR_ARG(type)), text.n ? text : val_get_str(&list->items[i], "status"));
    }
}

static void duration_row(struct buf *b, const char *label, int64_t us)
{
    buf_printf(b, "%-20s ", label);
    human_long(b, us);
    buf_char(b, '\n');
}

static void time_rows(struct buf *b, const struct val *wf, const struct view_opts *o)
{
    int64_t started = wf_time(wf, "status.startedAt"), finished = wf_time(wf, "status.finishedAt"), estimate = 0;
    stamp_row(b, "Created:", wf_time(wf, "metadata.creationTimestamp"), o);
    stamp_row(b, "Started:", started, o);
    stamp_row(b, "Finished:", finished, o);
    if (started) duration_row(b, "Duration:", (finished ? finished : o->now_us) - started);
    const struct val *e = val_path(wf, "status.estimatedDuration");
    if (e && val_i64(e, &estimate) && estimate > 0 && str_is(wf_phase(wf), "Running"))
        duration_row(b, "EstimatedDuration:", estimate * 1000000);
}

static void parameter_rows(struct arena *a, struct buf *b, const char *heading, const struct val *list)
{
    if (!list || list->kind != VAL_LIST || list->n == 0) return;
    row(b, str_of(heading), STR(""));
    for (uint32_t i = 0; i < list->n; i++) {
        struct str value = val_get_str(&list->items[i], "value");
        if (str_set(value)) row(b, str_fmt(a, "  %.*s:", STR_ARG(val_get_str(&list->items[i], "name"))), value);
    }
}

static void artifact_rows(struct arena *a, struct buf *b, const struct val *list)
{
    if (!list || list->kind != VAL_LIST || list->n == 0) return;
    row(b, STR("Output Artifacts:"), STR(""));
    for (uint32_t i = 0; i < list->n; i++) {
        struct str key = val_text(val_path(&list->items[i], "s3.key"));
        row(b, str_fmt(a, "  %.*s:", STR_ARG(val_get_str(&list->items[i], "name"))), key);
    }
}

static void fact_rows(struct arena *a, const struct val *wf, const struct view_opts *o, struct buf *b)
{
    row(b, STR("Name:"), wf_name(wf));
    row(b, STR("Namespace:"), wf_namespace(wf));
    account_row(b, wf);
    row(b, STR("Status:"), wf_status_text(wf));
    struct str message = val_text(val_path(wf, "status.message"));
    if (message.n) row(b, STR("Message:"), message);
    condition_rows(a, b, wf, &o->style);
    time_rows(b, wf, o);
    row(b, STR("Progress:"), val_text(val_path(wf, "status.progress")));
    const struct val *used = val_path(wf, "status.resourcesDuration");
    if (used && used->n) {
        buf_printf(b, "%-20s ", "ResourcesDuration:");
        wf_resources(b, used);
        buf_char(b, '\n');
    }
    parameter_rows(a, b, "Parameters:", val_path(wf_exec_spec(wf), "arguments.parameters"));
    parameter_rows(a, b, "Output Parameters:", val_path(wf, "status.outputs.parameters"));
    artifact_rows(a, b, val_path(wf, "status.outputs.artifacts"));
}

void view_workflow(struct arena *a, const struct val *wf, const struct view_opts *o, struct buf *out)
{
    size_t before = out->n;
    if (o->form != VIEW_SHORT) {
        fact_rows(a, wf, o, out);
        before = out->n;
        buf_char(out, '\n');
    }
    size_t table = out->n;
    view_tree(a, wf, o, out);
    if (out->n == table) out->n = before; /* no nodes: no empty line either */
}
