/* skiff graph */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/graph.h"
#include "cli/inputs.h"
#include "cli/session.h"

static const struct flag flags[] = {
    {"output", 'o', FLAG_STR, "ascii|dot|mermaid", "form of the picture (default: ascii)"},
    {"run", 0, FLAG_STR, "NAME", "of a run, with the states of its nodes"},
};

static enum graph_form form_of(const struct cli *cli)
{
    const char *o = args_str(&cli->args, "output");
    if (!o || strcmp(o, "ascii") == 0) return GRAPH_ASCII;
    return strcmp(o, "dot") == 0 ? GRAPH_DOT : GRAPH_MERMAID;
}

static bool files_graph(struct cli *cli, struct buf *b, struct err *e)
{
    struct inputs in;
    bool ok = true;
    inputs_init(&in, cli);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = inputs_add(&in, cli->args.words[i], e);
    if (ok && in.diags.errors) {
        CLEANUP(buf_fini) struct buf d;
        buf_init(&d, LIMIT_SHOWN_BYTES);
        inputs_diags_put(&in, NULL, &cli->err_style, &d);
        cli_err(cli, buf_view(&d));
        ok = err_set(e, ERR_SPEC, "%zu errors in the documents", in.diags.errors);
    }
    for (size_t i = 0; ok && i < in.docs.n; i++)
        if (in.docs.items[i].spec) graph_spec(&cli->a, in.docs.items[i].val, form_of(cli), &cli->style, b);
    inputs_fini(&in);
    return ok;
}

static bool run_graph(struct cli *cli, const char *name, struct buf *b, struct err *e)
{
    struct val wf;
    struct service *s = reader_open(cli, e);
    if (!s) return false;
    bool ok = workflow_read(cli, s, name, &wf, e);
    if (ok) graph_run(&cli->a, &wf, form_of(cli), &cli->style, b);
    service_close(s);
    return ok;
}

static bool graph_cmd_run(struct cli *cli, struct err *e)
{
    const char *run = args_str(&cli->args, "run");
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!run && cli->args.n_words == 0) return err_set(e, ERR_USAGE, "'graph' needs a file or --run NAME");
    if (run ? !run_graph(cli, run, &b, e) : !files_graph(cli, &b, e)) return false;
    cli_out(cli, buf_view(&b));
    return true;
}

const struct cmd cmd_graph = {
    .name = "graph",
    .group = "WRITE",
    .usage = "FILE… | --run NAME",
    .summary = "draw the tasks of a document, or of a run",
    .examples = "  skiff graph pipeline.yaml\n  skiff graph -o dot pipeline.yaml | dot -Tsvg > pipeline.svg\n"
                "  skiff graph --run @latest",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = -1,
    .word = WORD_FILE,
    .run = graph_cmd_run,
};
