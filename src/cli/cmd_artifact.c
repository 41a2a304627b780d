/* skiff artifact list|get */
#include <unistd.h>

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/session.h"
#include "cli/text.h"
#include "doc/json_write.h"

static const struct flag list_flags[] = {
    {"inputs", 0, FLAG_BOOL, NULL, "input artifacts as well"},
    {"output", 'o', FLAG_STR, "name|json|wide", "form of the output"},
};
static const struct flag get_flags[] = {
    {"node-id", 0, FLAG_STR, "ID", "of this node; needed when several have an artifact of that name"},
    {"inputs", 0, FLAG_BOOL, NULL, "look among input artifacts as well"},
};

static bool artifacts_read(struct cli *cli, struct service *s, struct workflow_ref *ref, struct run_artifact **out, size_t *n, struct err *e)
{
    return workflow_ref(cli, s, cli->args.words[0], ref, e) &&
           service_artifacts(&cli->a, s, ref->ns, ref->name, args_on(&cli->args, "inputs"), out, n, e);
}

static struct str text_or(struct str s, const char *other) { return s.n ? s : str_of(other); }

static void table_put(struct cli *cli, const struct run_artifact *arts, size_t n, struct buf *b)
{
    static const char *const heads[] = {"NODE", "ARTIFACT", "KIND", "FORM", "SIZE", "NODE ID", "KEY"};
    struct table t;
    table_begin(&t, &cli->a);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) table_cell(&t, str_of(heads[i]));
    table_row_end(&t);
    for (size_t i = 0; i < n; i++) {
        table_cell(&t, arts[i].node);
        table_cell(&t, arts[i].name);
        table_cell(&t, arts[i].input ? STR("input") : STR("output"));
        table_cell(&t, text_or(arts[i].form, "-"));
        table_cell(&t, arts[i].form.n ? str_fmt(&cli->a, "%lld", (long long)arts[i].size_bytes) : STR("-"));
        table_cell(&t, arts[i].node_id);
        table_cell(&t, text_or(arts[i].key, "-"));
        table_row_end(&t);
    }
    table_print(&t, 3, b);
}

static void json_put(struct cli *cli, const struct run_artifact *arts, size_t n, struct buf *out)
{
    struct val_builder list;
    list_begin(&list, &cli->a);
    for (size_t i = 0; i < n; i++) {
        struct val_builder b;
        map_begin(&b, &cli->a);
        map_add_str(&b, "node", arts[i].node);
        map_add_str(&b, "nodeId", arts[i].node_id);
        map_add_str(&b, "templateName", arts[i].template_name);
        map_add_str(&b, "name", arts[i].name);
        map_add(&b, STR("input"), val_of_bool(arts[i].input));
        map_add_str(&b, "key", arts[i].key);
        map_add_str(&b, "form", arts[i].form);
        map_add(&b, STR("sizeBytes"), val_of_i64(&cli->a, arts[i].size_bytes));
        list_add(&list, map_done(&b));
    }
    struct val v = list_done(&list);
    json_write(out, &v, 4);
    buf_char(out, '\n');
}

static bool list_run(struct cli *cli, struct err *e)
{
    struct workflow_ref ref;
    struct run_artifact *arts;
    enum output form;
    size_t n;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) && artifacts_read(cli, s, &ref, &arts, &n, e);
    if (ok && form == OUTPUT_JSON) json_put(cli, arts, n, &b);
    else if (ok && form == OUTPUT_NAME)
        for (size_t i = 0; i < n; i++) buf_printf(&b, "%.*s\n", STR_ARG(arts[i].name));
    else if (ok && n) table_put(cli, arts, n, &b);
    else if (ok) buf_str(&b, STR("No artifacts found\n"));
    cli_out(cli, buf_view(&b));
    service_close(s);
    return ok;
}

static bool pick(struct cli *cli, const struct run_artifact *arts, size_t n, const struct run_artifact **out, struct err *e)
{
    const char *name = cli->args.words[1], *node = args_str(&cli->args, "node-id");
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!str_is(arts[i].name, name) || (node && !str_is(arts[i].node_id, node))) continue;
        if (*out)
            return err_set(e, ERR_CONFLICT, "several steps have an artifact '%s': choose with --node-id %.*s or --node-id %.*s",
                           name, STR_ARG((*out)->node_id), STR_ARG(arts[i].node_id));
        *out = &arts[i];
    }
    return *out || err_set(e, ERR_NOT_FOUND, "the run has no artifact '%s' (skiff artifact list shows them)", name);
}

static bool get_run(struct cli *cli, struct err *e)
{
    struct workflow_ref ref;
    struct run_artifact *arts;
    const struct run_artifact *art;
    size_t n;
    const char *to = cli->args.n_words > 2 ? cli->args.words[2] : cli->args.words[1];
    struct service *s = reader_open(cli, e);
    bool ok = s && artifacts_read(cli, s, &ref, &arts, &n, e) && pick(cli, arts, n, &art, e);
    if (ok && strcmp(to, "-") == 0) {
        ok = service_artifact_fetch(s, &ref, art, true, cli->env->out_fd, e);
    } else if (ok && access(to, F_OK) == 0) {
        ok = err_set(e, ERR_CONFLICT, "'%s' exists already", to);
    } else if (ok) {
        ok = service_artifact_copy(s, &ref, art, to, e);
        if (ok) cli_note(cli, "copied to %s", to);
    }
    service_close(s);
    return ok;
}

static const struct cmd verb_list = {
    .name = "artifact list",
    .aliases = "ls",
    .group = "LOOK",
    .usage = "NAME",
    .summary = "list the artifacts of a run",
    .flags = list_flags,
    .n_flags = ARRAY_LEN(list_flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_WORKFLOW,
    .run = list_run,
};
static const struct cmd verb_get = {
    .name = "artifact get",
    .group = "LOOK",
    .usage = "NAME ARTIFACT [TO|-]",
    .summary = "copy one artifact as the step produced it: a file or a directory",
    .details = "`-` writes a file to stdout, and a directory as a gzipped tar.",
    .examples = "  skiff artifact get @latest report report.html\n  skiff artifact get @latest metrics - | jq .",
    .flags = get_flags,
    .n_flags = ARRAY_LEN(get_flags),
    .min_words = 2,
    .max_words = 3,
    .word = WORD_WORKFLOW,
    .run = get_run,
};
static const struct cmd *const verbs[] = {&verb_list, &verb_get};

const struct cmd cmd_artifact = {
    .name = "artifact",
    .group = "LOOK",
    .usage = "VERB …",
    .summary = "list and fetch what the steps of a run produced",
    .examples = "  skiff artifact list @latest\n  skiff artifact get @latest model",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
