/* skiff top: what the engine of a state directory has to do, once or again and again. */
#include <time.h>

#include "base/limits.h"
#include "base/rfc3339.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/session.h"
#include "cli/text.h"
#include "os/clock.h"

enum { INTERVAL_S = 1, INTERVAL_MOST_S = 3600, HEAD_ROWS = 6 };

static const struct flag flags[] = {
    {.name = "interval", .kind = FLAG_INT, .arg = "SECONDS", .doc = "how often it is drawn on a terminal (default 1)"},
    {.name = "output", .letter = 'o', .kind = FLAG_STR, .arg = "table|json", .doc = "form of the output; json is printed once"},
};

static int64_t number(const struct val *v, const char *key)
{
    int64_t n = 0;
    const struct val *m = val_get(v, str_of(key));
    if (m) val_i64(m, &n);
    return n;
}

static void head_put(struct buf *b, const struct val *top)
{
    const struct val *e = val_get(top, STR("engine"));
    if (!e) {
        buf_str(b, STR("no engine is at work here\n"));
        return;
    }
    buf_printf(b, "Workflows: %lld at work, %lld waiting\n", (long long)(number(e, "workflows") - number(e, "workflowsWaiting")), (long long)number(e, "workflowsWaiting"));
    int64_t hungry = number(e, "stepsHungry"), locks = number(e, "locksAwaited"), paced = number(e, "stepsPaced"), limited = number(e, "stepsLimited");
    buf_printf(b, "Steps:     %lld of %lld running, %lld waiting, %lld moving files, %lld pulling images, %lld requests\n", (long long)number(e, "stepsRunning"),
               (long long)number(e, "stepsMost"), (long long)number(e, "stepsWaiting"), (long long)number(e, "stepsFetching"), (long long)number(e, "stepsPulling"),
               (long long)number(e, "requests"));
    if (hungry) buf_printf(b, "           %lld of those that wait ask for more of the machine than is left (cpus, memory, gpus)\n", (long long)hungry);
    if (paced) buf_printf(b, "           %lld of those that wait begin as starts_per_second allows\n", (long long)paced);
    if (limited) buf_printf(b, "           %lld have not begun to wait: the parallelism of their workflow or template is reached\n", (long long)limited);
    if (locks) buf_printf(b, "Locks:     %lld waiting for one\n", (long long)locks);
}

/* Who has most at work comes first; of equals the newest. */
static int busier(const void *x, const void *y)
{
    const struct val *a = *(const struct val *const *)x, *b = *(const struct val *const *)y;
    int64_t n = number(b, "running") - number(a, "running");
    if (n) return n > 0 ? 1 : -1;
    return a < b ? -1 : a > b;
}

/* "parallelism", "lock 2, machine 3" */
static struct str held_text(struct arena *a, const struct val *list)
{
    struct str text = STR("");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *one = &list->items[i];
        struct str by = val_get_str(one, "by");
        int64_t n = number(one, "n");
        text = str_fmt(a, "%.*s%s%.*s", STR_ARG(text), i ? ", " : "", STR_ARG(by));
        if (!str_is(by, "parallelism")) text = str_fmt(a, "%.*s %lld", STR_ARG(text), (long long)n);
    }
    return text.n ? text : STR("-");
}

static void row_put(struct arena *a, struct table *t, const struct val *item, bool engine)
{
    struct buf age CLEANUP(buf_fini);
    int64_t started = 0;
    buf_init(&age, 64);
    if (rfc3339_parse(val_get_str(item, "startedAt"), &started)) human_short(&age, clock_now_us() - started);
    table_cell(t, val_get_str(item, "namespace"));
    table_cell(t, val_get_str(item, "name"));
    table_cell(t, val_get_str(item, "phase"));
    table_cell(t, buf_dup(a, &age));
    table_cell(t, val_get_str(item, "progress"));
    if (engine) table_cell(t, str_fmt(a, "%lld", (long long)number(item, "running")));
    if (engine) table_cell(t, str_fmt(a, "%lld", (long long)number(item, "waiting")));
    if (engine) table_cell(t, held_text(a, val_get(item, STR("heldBy"))));
    table_row_end(t);
}

/* `rows`: as many as there is room for; 0: all. */
static void table_put(struct arena *a, const struct val *top, size_t rows, struct buf *out)
{
    static const char *const heads[] = {"NAMESPACE", "NAME", "STATUS", "DURATION", "PROGRESS", "RUNNING", "WAITING", "HELD BY"};
    const struct val *list = val_get(top, STR("items"));
    bool engine = val_get(top, STR("engine"));
    size_t n = list ? list->n : 0;
    const struct val **sorted = ARENA_ARRAY(a, const struct val *, n + 1);
    struct table t;
    for (size_t i = 0; i < n; i++) sorted[i] = &list->items[i];
    qsort(sorted, n, sizeof *sorted, busier);
    head_put(out, top);
    if (!n) return;
    table_begin(&t, a);
    for (size_t i = 0; i < (engine ? ARRAY_LEN(heads) : 5); i++) table_cell(&t, str_of(heads[i]));
    table_row_end(&t);
    for (size_t i = 0; i < n && (!rows || i < rows); i++) row_put(a, &t, sorted[i], engine);
    table_print(&t, 2, out);
}

static bool top_once(struct cli *cli, bool screen, bool json, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct err none = {0};
    struct val top = {.kind = VAL_MAP};
    int rows = 0, cols;
    arena_init(&a);
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, &none);
    if (!s && none.code != ERR_NOT_FOUND) return *e = none, false; /* else nothing has run here yet */
    bool ok = !s || service_top(&a, s, &top, e);
    if (ok && screen) {
        term_size(cli->env->out_fd, &rows, &cols);
        buf_str(&b, STR("\x1b[H\x1b[J"));
    }
    if (ok && json) output_put(&top, OUTPUT_JSON, &b);
    else if (ok) table_put(&a, &top, screen ? (size_t)MAX(rows - HEAD_ROWS, 1) : 0, &b);
    if (ok) cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

static bool top_run(struct cli *cli, struct err *e)
{
    int64_t interval_s = args_int(&cli->args, "interval", INTERVAL_S);
    const char *output = args_str(&cli->args, "output");
    bool json = output && strcmp(output, "json") == 0, screen = !json && term_is(cli->env->out_fd);
    if (interval_s < 1 || interval_s > INTERVAL_MOST_S) return err_set(e, ERR_USAGE, "--interval is from 1 to %d seconds", INTERVAL_MOST_S);
    bool ok = top_once(cli, screen, json, e);
    while (ok && screen) {
        struct timespec pause = {.tv_sec = interval_s};
        nanosleep(&pause, NULL);
        ok = top_once(cli, screen, json, e);
    }
    return ok;
}

const struct cmd cmd_top = {
    .name = "top",
    .group = "LOOK",
    .usage = "[flags]",
    .summary = "show what is at work: workflows, steps, queues",
    .details = "On a terminal it is drawn again every second, until Ctrl-C; elsewhere it is printed once. What waits and what runs is\n"
               "the engine's to say; where none is at work, workflows that are not over are shown. HELD BY: parallelism (too many workflows are at\n"
               "work), own-parallelism (of the workflow or a template: steps that have not begun to wait), lock (a mutex or semaphore), machine\n"
               "(processors, memory or GPUs that a step asks for), rate (`starts_per_second`), slot (`parallel`), image, files.",
    .examples = "  skiff top\n  skiff top -o json",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = top_run,
};
