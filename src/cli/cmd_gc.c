/* skiff gc */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/image_view.h"
#include "service/upkeep.h"

static const struct flag flags[] = {
    {"dry-run", 0, FLAG_BOOL, NULL, "only say what would go"},
    {"output", 'o', FLAG_STR, "json|yaml", "form of the output"},
};

static int64_t bytes_of(const struct val *v)
{
    int64_t n = 0;
    const struct val *bytes = val_get(v, STR("bytes"));
    if (bytes) val_i64(bytes, &n);
    return n;
}

static void gc_put(const struct val *done, bool dry_run, struct buf *b)
{
    const struct val *items = val_get(done, STR("items"));
    for (uint32_t i = 0; i < items->n; i++) {
        const struct val *v = &items->items[i];
        buf_printf(b, "%s %.*s %.*s ", dry_run ? "would remove" : "removed", STR_ARG(val_get_str(v, "kind")), STR_ARG(val_get_str(v, "name")));
        bytes_put(b, bytes_of(v));
        buf_char(b, '\n');
    }
    buf_printf(b, "%s: ", dry_run ? "would be free" : "free now");
    bytes_put(b, bytes_of(done));
    buf_char(b, '\n');
}

static bool gc_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val done;
    struct str dir;
    enum output form;
    bool dry_run = args_on(&cli->args, "dry-run");
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e) || !config_state_dir(&cli->a, &cli->config, &cli->world, &dir, e)) return false;
    struct upkeep *u = upkeep_open(&cli->config, dir, !dry_run, e);
    bool ok = u && upkeep_gc(&cli->a, u, &done, e);
    const struct val *left = ok ? val_get(&done, STR("left")) : NULL;
    for (uint32_t i = 0; left && i < left->n; i++) cli_note(cli, "%.*s", STR_ARG(val_text(&left->items[i])));
    if (ok && (form == OUTPUT_JSON || form == OUTPUT_YAML)) output_put(&done, form, &b);
    else if (ok && !cli->quiet) gc_put(&done, dry_run, &b);
    cli_out(cli, buf_view(&b));
    upkeep_close(u);
    return ok;
}

const struct cmd cmd_gc = {
    .name = "gc",
    .where = WHERE_HERE,
    .group = "MACHINE",
    .usage = "[--dry-run] [-o json|yaml]",
    .summary = "remove what no run needs from the state directory",
    .details = "Logs and private files of steps whose run was deleted, artifact contents that no key shows, what a crash left, image\n"
               "layers that no image has, and free room in the database. Beside an engine that is at work only what it can never need\n"
               "again goes, and the command says what it left. Runs and artifacts that have a key stay: see `skiff delete`.",
    .examples = "  skiff gc --dry-run\n  skiff gc -o json | jq .bytes",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = gc_run,
};
