/* argo cron backfill: workflows whose steps create, for each scheduled time of a span, the workflow that was not started then
 * (cmd/argo/commands/cron/backfill.go). */
#include "base/rfc3339.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/cron.h"
#include "lang/timefmt.h"
#include "os/clock.h"
#include "service/service_p.h"

enum { TIMES_MAX = 10000, PREFIX_MAX = 62 - 5 };

#define TIME_PARAMETER "{{inputs.parameters.backfillscheduletime}}"

/* The last one that was asked for: its file is not read for each of thousands of times. */
struct zones {
    struct arena *a;
    struct str name;
    const struct zone *zone;
};

static const struct zone *zone_of(void *ctx, struct str name)
{
    struct zones *z = ctx;
    if (z->zone && str_set(z->name) == str_set(name) && str_eq(z->name, name)) return z->zone;
    z->name = name.p ? str_dup(z->a, name) : STR_NONE;
    return z->zone = exec_zone(z->a, name);
}

static bool time_read(struct str text, struct str format, const char *flag, int64_t *out, struct err *e)
{
    struct moment m;
    if (rfc3339_parse(text, out)) return true;
    if (timefmt_parse(format, text, &m)) return *out = m.s * 1000000 + m.ns / 1000, true;
    return err_set(e, ERR_USAGE, "--%s is a time such as 2026-11-21T10:00:00Z, or in the form '%.*s', not '%.*s'", flag, STR_ARG(format),
                   STR_ARG(text));
}

/* The manifest is a text of a template: its own tags are written so that they are tags only when it has been read. */
static struct str manifest_of(struct arena *a, const struct val *doc)
{
    struct buf b CLEANUP(buf_fini);
    struct str text = json_text(a, doc), mark = STR(TIME_PARAMETER);
    buf_init(&b, text.n * 6 + 1);
    for (size_t i = 0; i < text.n;) {
        struct str rest = str_from(text, i);
        if (str_starts(rest, mark)) buf_str(&b, mark), i += mark.n;
        else if (str_starts(rest, STR("{{"))) buf_str(&b, STR("\\u007b\\u007b")), i += 2;
        else buf_char(&b, text.p[i++]);
    }
    return buf_dup(a, &b);
}

static struct val child_of(struct arena *a, const struct val *cron, const struct backfill_opts *o)
{
    struct param time = {o->arg_name, STR(TIME_PARAMETER)};
    struct submit_opts with = {.params = &time, .n_params = 1};
    struct val doc = cron_workflow(a, cron, STR_NONE, clock_now_us()), spec;
    struct str prefix = str_fmt(a, "%.*s-backfill-%.*s", STR_ARG(val_text(val_path(cron, "metadata.name"))), STR_ARG(o->name));
    doc = workflow_override(a, &doc, &with);
    spec = *val_get(&doc, STR("spec"));
    if (!o->parallel) { /* one after the other */
        struct val mutex = map_with(a, NULL, STR("mutex"), map_with(a, NULL, STR("name"), val_of_str(o->name)));
        spec = map_with(a, &spec, STR("priority"), val_of_i64(a, INT32_MAX));
        spec = map_with(a, &spec, STR("synchronization"), mutex);
    }
    struct val base = val_of_str(str_cat(a, str_sub(prefix, 0, PREFIX_MAX), STR("-")));
    doc = map_with(a, &doc, STR("metadata"), map_with(a, val_get(&doc, STR("metadata")), STR("generateName"), base));
    return map_with(a, &doc, STR("spec"), spec);
}

/* What creates them and waits for each. */
static bool creator_of(struct arena *a, const struct val *cron, struct str manifest, const struct val *times, struct val *out, struct err *e)
{
    static const char text[] =
        "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Workflow\",\"spec\":{\"entrypoint\":\"main\",\"templates\":["
        "{\"name\":\"main\",\"steps\":[[{\"name\":\"create-workflow\",\"template\":\"create-workflow\",\"arguments\":{\"parameters\":"
        "[{\"name\":\"backfillscheduletime\",\"value\":\"{{item}}\"}]},\"withParam\":%s}]]},"
        "{\"name\":\"create-workflow\",\"inputs\":{\"parameters\":[{\"name\":\"backfillscheduletime\"}]},"
        "\"resource\":{\"action\":\"create\",\"successCondition\":\"status.phase == Succeeded\","
        "\"failureCondition\":\"status.phase in (Failed, Error)\",\"manifest\":%s}}]}}";
    struct val list = val_of_str(json_text(a, times)), body = val_of_str(manifest);
    struct val labels = map_with(a, NULL, STR("workflows.argoproj.io/backfill"), val_of_str(val_text(val_path(cron, "metadata.name"))));
    struct val meta = map_with(a, NULL, STR("generateName"), val_of_str(STR("backfill-wf-")));
    struct str whole = str_fmt(a, text, json_text(a, &list).p, json_text(a, &body).p);
    if (!json_parse(a, whole, NULL, out, e)) return false;
    meta = map_with(a, &meta, STR("namespace"), val_of_str(val_text(val_path(cron, "metadata.namespace"))));
    *out = map_with(a, out, STR("metadata"), map_with(a, &meta, STR("labels"), labels));
    return true;
}

bool service_backfill(struct arena *a, struct service *s, struct str ns, struct str name, const struct backfill_opts *o, struct val *out,
                      size_t *n, struct err *e)
{
    struct val cron, one;
    struct val_builder workflows, times;
    struct zones zones = {.a = a};
    int64_t at, end = clock_now_us();
    size_t some = 0;
    bool ok = true;
    if (!time_read(o->start, o->format, "start", &at, e) || (o->end.n && !time_read(o->end, o->format, "end", &end, e))) return false;
    if (!service_object_get(a, s, SERVICE_CRON, ns, name, &cron, e)) return false;
    struct val child = child_of(a, &cron, o);
    struct str manifest = manifest_of(a, &child);
    *n = 0;
    list_begin(&workflows, a);
    list_begin(&times, a);
    for (bool more = true; ok && more;) {
        more = cron_next_time(zone_of, &zones, &cron, at, &at) && at <= end;
        if (more && ++*n > TIMES_MAX) ok = err_set(e, ERR_LIMIT, "there are more than %d times from --start to --end", TIMES_MAX);
        if (more) list_add(&times, val_of_str(timefmt_string(a, moment_utc(at)))), some++;
        if (some < (more ? o->most : 1)) continue;
        struct val list = list_done(&times);
        ok = ok && creator_of(a, &cron, manifest, &list, &one, e);
        list_add(&workflows, ok ? one : val_null);
        list_begin(&times, a);
        some = 0;
    }
    list_done(&times);
    *out = list_done(&workflows);
    return ok;
}
