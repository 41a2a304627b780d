/* Help texts, made from the tables: examples first, then flags. */
#include "base/err.h"
#include "base/version.h"
#include "cli/cmd.h"
#include "cli/text.h"

enum { DOC_COLUMN = 34 };

/* "  -o, --output FORM      what it does"; a long flag has its text on the next line. */
static void flag_line(struct buf *b, const struct flag *f)
{
    size_t start = b->n;
    if (!f->doc) return;
    if (f->letter) buf_printf(b, "  -%c, --%s", f->letter, f->name);
    else buf_printf(b, "      --%s", f->name);
    if (f->kind != FLAG_BOOL) buf_printf(b, " %s", f->arg);
    size_t used = text_width(str_from(buf_view(b), start));
    if (used + 2 > DOC_COLUMN) buf_char(b, '\n'), used = 0;
    text_pad(b, DOC_COLUMN - used);
    buf_printf(b, "%s%s\n", f->doc, f->kind == FLAG_LIST ? " (may be repeated)" : "");
}

/* Two blanks after the longest name. */
static int names_width(const struct cmd *const *list, size_t n, bool verbs)
{
    size_t w = 10;
    for (size_t i = 0; i < n; i++) w = MAX(w, strlen(verbs ? cmd_verb(list[i]) : list[i]->name));
    return (int)w + 2;
}

static void subs_put(struct buf *b, const struct cmd *c)
{
    int width = names_width(c->subs, c->n_subs, true);
    if (c->n_subs) buf_str(b, STR("\nVerbs:\n"));
    for (size_t i = 0; i < c->n_subs; i++) {
        const struct cmd *s = c->subs[i];
        buf_printf(b, "  %-*s%s\n", width, cmd_verb(s), s->summary);
    }
    if (c->n_subs) buf_printf(b, "\nMore: skiff help %s VERB\n", c->name);
}

void help_command(struct buf *b, const struct cmd *c)
{
    buf_printf(b, "skiff %s %s\n\n%s\n", c->name, c->usage, c->summary);
    if (c->details) buf_printf(b, "\n%s\n", c->details);
    if (c->examples) buf_printf(b, "\nExamples:\n%s\n", c->examples);
    subs_put(b, c);
    if (c->n_flags) buf_str(b, STR("\nFlags:\n"));
    for (size_t i = 0; i < c->n_flags; i++) flag_line(b, &c->flags[i]);
    if (c->aliases) buf_printf(b, "\nAlso called: %s\n", c->aliases);
    buf_str(b, STR("\nFlags of every command: skiff help flags    Exit statuses: skiff help exit-codes\n"));
}

void help_flags(struct buf *b)
{
    buf_str(b, STR("Flags of every command:\n"));
    for (size_t i = 0; i < n_global_flags; i++) flag_line(b, &global_flags[i]);
    buf_str(b, STR("\nFlags of the argo command about a cluster (--kubeconfig, --context, …) are accepted and\n"
                   "have no effect. Settings can also stand in skiff.toml: skiff help config\n"));
}

static const struct { enum err_code code; } error_rows[] = {
#define ERR(name, exit_status, http, grpc, meaning) {ERR_##name},
#include "base/errors.def"
#undef ERR
};

void help_exit_codes(struct buf *b)
{
    buf_str(b, STR("  0  done; for run, watch and wait: the workflow succeeded\n"));
    for (int status = 1; status < 128; status++)
        for (size_t i = 0; i < ARRAY_LEN(error_rows); i++)
            if (err_exit_status(error_rows[i].code) == status)
                buf_printf(b, "%3d  %s\n", status, err_meaning(error_rows[i].code));
    buf_str(b, STR("130  ended by Ctrl-C\n141  the reader of the output went away\n143  ended by SIGTERM\n"));
}

static bool group_seen(size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(cmds[i]->group, cmds[before]->group) == 0) return true;
    return false;
}

void help_overview(struct buf *b)
{
    int width = names_width(cmds, n_cmds, false);
    buf_str(b, STR("skiff runs Argo workflows on this machine: no cluster, no daemon, no root.\n\n"
                   "  skiff run hello.yaml          run a workflow and watch it\n"
                   "  skiff get @latest             what happened\n"
                   "  skiff logs @latest            what its steps printed\n"));
    for (size_t g = 0; g < n_cmds; g++) {
        if (group_seen(g)) continue;
        buf_printf(b, "\n%s\n", cmds[g]->group);
        for (size_t i = g; i < n_cmds; i++)
            if (strcmp(cmds[i]->group, cmds[g]->group) == 0)
                buf_printf(b, "  %-*s%s\n", width, cmds[i]->name, cmds[i]->summary);
    }
    buf_str(b, STR("\nMore: skiff help COMMAND, skiff help flags, skiff help exit-codes, skiff help config\n"));
}
