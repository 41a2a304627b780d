/* docs/cli.md, docs/exit-codes.md, docs/metrics.md and others say what the tables say. GOLDEN_WRITE=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "cli/cmds.h"
#include "cli/fake_service.h"
#include "cli/explain.h"
#include "cli/golden.h"
#include "exec/stats.h"
#include "spec/lint.h"

static struct arena a;
static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

/* In a table cell a bar must be escaped. */
static void cell_put(struct buf *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buf_char(b, '\\');
        buf_char(b, *text);
    }
}

static void flags_put(struct buf *b, const struct flag *flags, size_t n)
{
    size_t shown = 0;
    for (size_t i = 0; i < n; i++) shown += flags[i].doc != NULL;
    if (!shown) return;
    buf_str(b, STR("\n| flag | meaning |\n|---|---|\n"));
    for (size_t i = 0; i < n; i++) {
        const struct flag *f = &flags[i];
        if (!f->doc) continue;
        buf_str(b, STR("| `"));
        if (f->letter) buf_printf(b, "-%c, ", f->letter);
        buf_printf(b, "--%s", f->name);
        if (f->kind != FLAG_BOOL) buf_char(b, ' '), cell_put(b, f->arg);
        buf_printf(b, "` | %s%s |\n", f->doc, f->kind == FLAG_LIST ? " (may be repeated)" : "");
    }
}

static void cmd_put(struct buf *b, const struct cmd *c)
{
    const char *level = strchr(c->name, ' ') ? "###" : "##";
    buf_printf(b, "\n%s skiff %s\n\n`skiff %s %s`\n\nPurpose: %s.", level, c->name, c->name, c->usage, c->summary);
    if (c->details) buf_printf(b, "\n%s", c->details);
    buf_char(b, '\n');
    if (c->examples) buf_printf(b, "\n```sh\n%s\n```\n", c->examples);
    flags_put(b, c->flags, c->n_flags);
    if (c->aliases) buf_printf(b, "\nAlso called: `%s`.\n", c->aliases);
}

static void cmds_put(struct buf *b, const struct cmd *c)
{
    cmd_put(b, c);
    for (size_t i = 0; i < c->n_subs; i++) cmds_put(b, c->subs[i]);
}

static const char intro[] =
    "# The command line\n\n"
    "This page is made from the tables of the program; `skiff help COMMAND` prints the same.\n\n"
    "Every command works on the state directory alone: no server is needed. Data goes to stdout; progress, notices\n"
    "and errors go to stderr (`run` and `watch` without `-o` show the run on stdout). `NAME` is a run's name, a unique\n"
    "beginning of it, its uid, or `@latest`. Exit statuses: [exit-codes.md](exit-codes.md).\n\n"
    "On a terminal a run is redrawn in place, at most ten times a second and never taller than the screen; what has\n"
    "ended folds into a count when there is no room. Elsewhere, and where `CI` is set, every transition is one line:\n\n"
    "```\n12:03:04.120 train(3) SUCCEEDED 12.3s\n12:03:04.180 eval FAILED 0.42s: exit code 1\n```\n\n"
    "Colours are used on terminals only; `NO_COLOR`, `TERM=dumb` and `--no-color` turn them off, `CLICOLOR_FORCE=1`\n"
    "turns them on. `--ascii` replaces symbols by words. Ctrl-C stops a `run` as `skiff stop` would, a second one\n"
    "kills its steps; in `watch`, `wait` and `logs -f` it only stops looking.\n\n"
    "## Flags of every command\n";

static void the_command_page_is_current(void **state)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, str_of(intro));
    flags_put(&b, global_flags, n_global_flags);
    for (size_t i = 0; i < n_cmds; i++) cmds_put(&b, cmds[i]);
    golden_check(&a, "docs/cli.md", &b);
}

static const struct { enum err_code code; const char *name; } codes[] = {
#define ERR(name, exit_status, http, grpc, meaning) {ERR_##name, #name},
#include "base/errors.def"
#undef ERR
};

static void the_page_of_exit_codes_is_current(void **state)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("# Exit statuses\n\nThe same number always means the same thing, whatever the command.\n\n"
                    "| status | name | meaning |\n|---|---|---|\n"
                    "| 0 | | done; for `run`, `watch` and `wait`: the workflow succeeded |\n"));
    for (int status = 1; status < 128; status++)
        for (size_t i = 0; i < ARRAY_LEN(codes); i++)
            if (err_exit_status(codes[i].code) == status)
                buf_printf(&b, "| %d | %s | %s |\n", status, codes[i].name, err_meaning(codes[i].code));
    buf_str(&b, STR("| 130 | | ended by Ctrl-C |\n| 141 | | the reader of the output went away |\n| 143 | | ended by SIGTERM |\n\n"
                    "`lint` ends with 3 when a document has errors, `fmt --check` when a file would change, `doctor` with 1 when something that runs need is missing,\n"
                    "or something in the state directory is broken and was not repaired (`doctor --fix`).\n"));
    golden_check(&a, "docs/exit-codes.md", &b);
}

/* The index of findings, as `skiff explain CODE` prints them. */
static void the_page_of_findings_is_current(void **state)
{
    static const char *const severities[] = {"error", "warning", "note"};
    size_t n;
    const struct spec_code *all = spec_codes(&n);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("# Findings\n\nWhat `skiff lint` says, by code; `skiff explain CODE` prints the same. Errors are what a cluster refuses\n"
                    "too. Warnings are what would go wrong in the run, or has no effect here. Notes are hints; `--no-hints` leaves them\n"
                    "out. Many findings have a fix that `skiff fmt --fix` applies and `-o json` and `-o sarif` show.\n\n"
                    "| code | | finding | what it means |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "| %s | %s | ", all[i].code, severities[all[i].severity]);
        cell_put(&b, all[i].title);
        buf_str(&b, STR(" | "));
        cell_put(&b, all[i].text);
        buf_str(&b, STR(" |\n"));
    }
    golden_check(&a, "docs/findings.md", &b);
}

static void the_page_of_fields_is_current(void **state)
{
    CLEANUP(buf_fini) struct buf b;
    (void)state;
    buf_init(&b, 4 << 20);
    explain_page_write(&a, &b);
    golden_check(&a, "docs/fields.md", &b);
}

static const char metrics_intro[] =
    "# Metrics\n\n"
    "`GET /metrics` of a server answers these, and the metrics that workflows have emitted (`skiff metrics` prints those alone), in the\n"
    "text form of Prometheus. This page is made from `src/exec/stats.def`. What is counted is counted since the engine began;\n"
    "the metrics of workflows are stored and survive it. A workflow cannot emit a metric of a name that stands in the first table:\n"
    "its `MetricsError` condition says so.\n\n"
    "To collect them:\n\n"
    "```yaml\nscrape_configs:\n- job_name: skiff\n  static_configs: [{targets: ['127.0.0.1:2746']}]\n```\n";

static const char metrics_outro[] =
    "\n## What Argo has and Skiff has not\n\n"
    "Left out because there is nothing here that they could count: `k8s_request_*`, `client_rate_limiter_latency`, `resource_rate_limiter_latency`\n"
    "(no Kubernetes), `queue_adds_count`, `queue_duration`, `queue_latency`, `queue_longest_running`, `queue_retries`, `queue_unfinished_work`,\n"
    "`workers_busy_count` (no work queues with workers; `skiff_step_stage_seconds` has the times), `pod_missing`, `pod_pending_count`,\n"
    "`pod_restarts_total` (no pods of Kubernetes), `deprecated_feature`. Of `version`'s labels there are three.\n";

static void metrics_page_is_current(void **state)
{
    static const struct {
        const char *place, *name, *kind, *labels, *doc;
    } rows[] = {
#define STAT(id, place, kind, name, labels, buckets, doc) {#place, name, #kind, labels, doc},
#include "exec/stats.def"
#undef STAT
    };
    static const struct {
        const char *place, *prefix, *title;
    } places[] = {{"ARGO", "argo_workflows_", "Under Argo's names"}, {"OWN", "skiff_", "Skiff's own"}, {"PROCESS", "process_", "The process"}};
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, str_of(metrics_intro));
    for (size_t p = 0; p < ARRAY_LEN(places); p++) {
        buf_printf(&b, "\n## %s\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n", places[p].title);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            if (strncmp(rows[i].place, places[p].place, strlen(places[p].place)) != 0) continue;
            buf_printf(&b, "| `%s%s` | ", places[p].prefix, rows[i].name);
            for (const char *k = rows[i].kind; *k; k++) buf_char(&b, (char)(*k | 0x20));
            buf_printf(&b, " | %s | ", rows[i].labels);
            cell_put(&b, rows[i].doc);
            buf_str(&b, STR(" |\n"));
        }
    }
    buf_str(&b, str_of(metrics_outro));
    golden_check(&a, "docs/metrics.md", &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_page_is_current),
        cmocka_unit_test(the_page_of_exit_codes_is_current),
        cmocka_unit_test(the_page_of_findings_is_current),
        cmocka_unit_test(the_page_of_fields_is_current),
        cmocka_unit_test(metrics_page_is_current),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
