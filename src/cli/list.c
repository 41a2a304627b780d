/* Columns and texts as argo prints them. */
#include "cli/list.h"

#include "base/limits.h"
#include "cli/human.h"
#include "cli/text.h"
#include "cli/wf.h"
#include "doc/json_write.h"
#include "doc/yaml_write.h"

static struct str short_cell(struct arena *a, int64_t us)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 64);
    human_short(&b, us);
    return buf_dup(a, &b);
}

static struct str counts_cell(struct arena *a, const struct val *wf)
{
    const struct val *nodes = val_path(wf, "status.nodes");
    int pending = 0, running = 0, completed = 0;
    for (uint32_t i = 0; nodes && nodes->kind == VAL_MAP && i < nodes->n; i++) {
        struct str phase = val_get_str(&nodes->map[i].v, "phase");
        if (!str_is(val_get_str(&nodes->map[i].v, "type"), "Pod")) continue;
        if (str_is(phase, "Running")) running++;
        else if (str_is(phase, "Succeeded") || str_is(phase, "Failed") || str_is(phase, "Error")) completed++;
        else pending++;
    }
    return str_fmt(a, "%d/%d/%d", pending, running, completed);
}

/* Long values keep their first and last characters. */
static struct str parameters_cell(struct arena *a, const struct val *wf)
{
    const struct val *list = val_path(wf_exec_spec(wf), "arguments.parameters");
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        struct str value = val_get_str(&list->items[i], "value");
        if (!str_set(value)) continue;
        buf_printf(&b, "%s%.*s=", b.n ? "," : "", STR_ARG(val_get_str(&list->items[i], "name")));
        if (value.n <= 50) {
            text_clean(&b, value);
            continue;
        }
        text_clean(&b, str_sub(value, 0, 32));
        buf_str(&b, STR("..."));
        text_clean(&b, str_from(value, value.n - 15));
    }
    return buf_dup(a, &b);
}

static struct str clean_cell(struct arena *a, struct str s)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    text_clean(&b, s);
    return buf_dup(a, &b);
}

static void head_add(struct table *t, const struct list_view *o)
{
    static const char *const heads[] = {"NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE", "P/R/C", "PARAMETERS"};
    if (o->all_namespaces) table_cell(t, STR("NAMESPACE"));
    for (size_t i = 0; i < (o->wide ? 8 : 6); i++) table_cell(t, str_of(heads[i]));
    if (o->uid) table_cell(t, STR("UID"));
    table_row_end(t);
}

static void wf_add(struct arena *a, struct table *t, const struct val *wf, const struct list_view *o)
{
    int64_t created = wf_time(wf, "metadata.creationTimestamp"), priority = 0;
    int64_t started = wf_time(wf, "status.startedAt"), finished = wf_time(wf, "status.finishedAt");
    const struct val *p = val_path(wf, "spec.priority");
    if (p) val_i64(p, &priority);
    if (o->all_namespaces) table_cell(t, wf_namespace(wf));
    table_cell(t, clean_cell(a, wf_name(wf)));
    table_cell(t, wf_status_text(wf));
    table_cell(t, short_cell(a, created ? o->now_us - created : 0));
    table_cell(t, short_cell(a, started ? (finished ? finished : o->now_us) - started : 0));
    table_cell(t, str_fmt(a, "%lld", (long long)priority));
    table_cell(t, clean_cell(a, val_text(val_path(wf, "status.message"))));
    if (o->wide) {
        table_cell(t, counts_cell(a, wf));
        table_cell(t, parameters_cell(a, wf));
    }
    if (o->uid) table_cell(t, val_text(val_path(wf, "metadata.uid")));
    table_row_end(t);
}

void view_list(struct arena *a, const struct val *items, const struct list_view *o, struct buf *out)
{
    struct table t;
    if (items->n == 0) {
        buf_str(out, STR("No workflows found\n"));
        return;
    }
    table_begin(&t, a);
    if (!o->no_headers) head_add(&t, o);
    for (uint32_t i = 0; i < items->n; i++) wf_add(a, &t, &items->items[i], o);
    table_print(&t, 3, out);
}

bool output_parse(const char *text, enum output *out, struct err *e)
{
    static const struct { const char *name; enum output form; } forms[] = {
        {"", OUTPUT_TABLE}, {"wide", OUTPUT_WIDE}, {"short", OUTPUT_SHORT},
        {"name", OUTPUT_NAME}, {"json", OUTPUT_JSON}, {"yaml", OUTPUT_YAML}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (strcmp(text ? text : "", forms[i].name) != 0) continue;
        *out = forms[i].form;
        return true;
    }
    return err_set(e, ERR_USAGE, "unknown output form '%s' (name, json, yaml, wide, short)", text);
}

static void names_put(const struct val *v, struct buf *out)
{
    if (v->kind == VAL_LIST) {
        for (uint32_t i = 0; i < v->n; i++) names_put(&v->items[i], out);
        return;
    }
    text_clean(out, wf_name(v));
    buf_char(out, '\n');
}

void output_put(const struct val *v, enum output form, struct buf *out)
{
    ASSERT(form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML);
    if (form == OUTPUT_NAME) {
        names_put(v, out);
    } else if (form == OUTPUT_JSON) {
        json_write(out, v, 4);
        buf_char(out, '\n');
    } else {
        yaml_write(out, v, true);
        if (out->n && out->p[out->n - 1] != '\n') buf_char(out, '\n');
    }
}
