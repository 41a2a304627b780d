/* skiff fmt */
#include <errno.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "doc/yaml_format.h"
#include "os/fd.h"
#include "spec/fixer.h"

static const struct flag flags[] = {
    {"fix", 0, FLAG_BOOL, NULL, "also apply the fixes of lint's findings"},
    {"check", 0, FLAG_BOOL, NULL, "write nothing; exit with 3 when a file would change"},
    {"stdout", 0, FLAG_BOOL, NULL, "print the result instead of writing files"},
};

struct job {
    struct cli *cli;
    struct inputs *in;
    struct lint_opts opts;
    bool fix, check, print;
    size_t changed, fixes;
};

/* The text as it should be. */
static bool text_make(struct job *j, struct str text, struct buf *out, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct fixed fixed = {0};
    buf_init(&b, LIMIT_DOC_BYTES);
    if (!j->fix) return yaml_format(text, out, e);
    bool ok = spec_fix(text, &j->opts, &b, &fixed, e) && yaml_format(buf_view(&b), out, e);
    j->fixes += fixed.fixes;
    return ok;
}

static bool file_do(struct job *j, const struct source_file *f, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    bool no_file = str_is(f->path, "stdin") || input_is_url(f->path);
    buf_init(&b, LIMIT_DOC_BYTES);
    if (!text_make(j, f->text, &b, e)) return err_ctx(e, "%.*s", STR_ARG(f->path));
    bool same = str_eq(buf_view(&b), f->text);
    j->changed += !same;
    if (j->check || !(j->print || no_file)) {
        if (!same) cli_out(j->cli, str_fmt(&j->cli->a, "%.*s\n", STR_ARG(f->path)));
        return same || j->check || file_change(str_z(&j->cli->a, f->path), buf_view(&b), e);
    }
    cli_out(j->cli, buf_view(&b));
    return true;
}

/* A file that cannot be read as YAML is reported as lint does; the others are written all the same. */
static bool files_do(struct job *j, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < j->in->files.n; i++) {
        struct err one = {0};
        if (file_do(j, &j->in->files.items[i], &one)) continue;
        if (ok) *e = one;
        else cli_err(j->cli, str_fmt(&j->cli->a, "skiff: %s\n", one.text));
        ok = false;
    }
    return ok;
}

static bool fmt_run(struct cli *cli, struct err *e)
{
    struct inputs in;
    struct job j = {.cli = cli, .in = &in, .fix = args_on(&cli->args, "fix"), .check = args_on(&cli->args, "check"),
                    .print = args_on(&cli->args, "stdout")};
    bool ok = true;
    inputs_init(&in, cli);
    for (size_t i = 0; i < cli->args.n_words && ok; i++) ok = inputs_add(&in, cli->args.words[i], e);
    j.opts = (struct lint_opts){.default_ns = cli_namespace(cli), .others = &in.docs, .quiet_refs = true};
    ok = ok && files_do(&j, e);
    if (ok && j.fixes) cli_note(cli, "%zu fix%s applied", j.fixes, j.fixes == 1 ? "" : "es");
    if (ok && j.check && j.changed) cli->exit_status = err_exit_status(ERR_SPEC);
    inputs_fini(&in);
    return ok;
}

const struct cmd cmd_fmt = {
    .name = "fmt",
    .where = WHERE_NOWHERE,
    .group = "WRITE",
    .usage = "FILE|URL|DIRECTORY…",
    .summary = "put YAML documents into their usual form, and mend what lint can mend",
    .details = "Files are changed in place and named; what - or a URL gives is printed. Comments, the order of keys, quotes and\n"
               "texts in blocks stay as they are: what is not part of a change keeps its bytes.\n"
               "With --fix, misspelt fields and values, forms of Argo 3.x, wrong types, malformed names and whatever\n"
               "else lint knows a safe fix for are changed; skiff lint -o json shows the edits.",
    .examples = "  skiff fmt pipeline.yaml\n  skiff fmt --fix pipelines/\n  skiff fmt --check pipelines/\n"
                "  skiff fmt --fix - < draft.yaml",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_FILE,
    .run = fmt_run,
};
