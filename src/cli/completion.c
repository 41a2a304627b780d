/* Completion scripts for bash, zsh and fish, written out from the command tables. */
#include "cli/cmd.h"

static void names_put(struct buf *b)
{
    for (size_t i = 0; i < n_cmds; i++) buf_printf(b, "%s%s", i ? " " : "", cmds[i]->name);
}

static void flag_words(struct buf *b, const struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!flags[i].doc) continue;
        buf_printf(b, " --%s", flags[i].name);
        if (flags[i].letter) buf_printf(b, " -%c", flags[i].letter);
    }
}

static void choice_words(struct buf *b, const char *choices)
{
    for (const char *c = choices; *c; c++) buf_char(b, *c == '|' ? ' ' : *c);
}

/* How the arguments of a command are completed. */
static const char *bash_words(enum word_kind k)
{
    switch (k) {
    case WORD_FILE: return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case WORD_WORKFLOW: return "COMPREPLY=($(compgen -W \"@latest $(skiff list -o name 2>/dev/null)\" -- \"$cur\"))";
    case WORD_TOPIC: return "COMPREPLY=($(compgen -W \"flags exit-codes config $cmds\" -- \"$cur\"))";
    case WORD_SHELL: return "COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$cur\"))";
    case WORD_OBJECT: return "COMPREPLY=($(compgen -W \"$(skiff ${verb%% *} list -o name 2>/dev/null)\" -- \"$cur\"))";
    case WORD_NONE: break;
    }
    return ":";
}

/* `words`: the quoted words of a command, or a pattern of those of any. */
static void bash_choices(struct buf *b, const char *words, const struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!flag_choices(&flags[i])) continue;
        buf_printf(b, "  %s:--%s) COMPREPLY=($(compgen -W \"", words, flags[i].name);
        choice_words(b, flags[i].arg);
        buf_str(b, STR("\" -- \"$cur\")); return ;;\n"));
    }
}

static void bash_cmd_choices(struct buf *b, const struct cmd *c)
{
    CLEANUP(buf_fini) struct buf words;
    for (size_t i = 0; i < c->n_subs; i++) bash_cmd_choices(b, c->subs[i]);
    buf_init(&words, 200);
    buf_printf(&words, "'%s'", c->name);
    buf_char(&words, '\0');
    bash_choices(b, words.p, c->flags, c->n_flags);
}

static void bash_cmd(struct buf *b, const struct cmd *c)
{
    buf_printf(b, "  '%s') flags=\"", c->name);
    flag_words(b, c->flags, c->n_flags);
    buf_str(b, STR("\"; case $cur in -*) ;; *) "));
    if (c->n_subs) buf_str(b, STR("COMPREPLY=($(compgen -W \""));
    for (size_t i = 0; i < c->n_subs; i++) buf_printf(b, "%s%s", i ? " " : "", cmd_verb(c->subs[i]));
    if (c->n_subs) buf_str(b, STR("\" -- \"$cur\"))"));
    else buf_str(b, str_of(bash_words(c->word)));
    buf_str(b, STR(" ;; esac ;;\n"));
    for (size_t i = 0; i < c->n_subs; i++) bash_cmd(b, c->subs[i]);
}

/* The words of a group and its verb count as one. */
static void bash_groups(struct buf *b)
{
    bool first = true;
    for (size_t i = 0; i < n_cmds; i++) {
        if (!cmds[i]->n_subs) continue;
        buf_printf(b, "%s%s", first ? "" : "|", cmds[i]->name);
        first = false;
    }
}

static void bash_script(struct buf *b)
{
    buf_str(b, STR("# skiff completion for bash: source <(skiff completion bash)\n_skiff() {\n"
                   "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= flags= w cmds=\""));
    names_put(b);
    buf_str(b, STR("\"\n  COMPREPLY=()\n"
                   "  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do case $w in -*) continue ;; esac\n"
                   "    verb=${verb:+$verb }$w; case $verb in "));
    bash_groups(b);
    buf_str(b, STR(") ;; *) break ;; esac; done\n"
                   "  if [ -z \"$verb\" ]; then COMPREPLY=($(compgen -W \"$cmds\" -- \"$cur\")); return; fi\n"
                   "  case \"$verb:$prev\" in\n"));
    for (size_t i = 0; i < n_cmds; i++) bash_cmd_choices(b, cmds[i]);
    bash_choices(b, "*", global_flags, n_global_flags);
    buf_str(b, STR("  esac\n  case \"$verb\" in\n"));
    for (size_t i = 0; i < n_cmds; i++) bash_cmd(b, cmds[i]);
    buf_str(b, STR("  esac\n  case $cur in -*) COMPREPLY=($(compgen -W \"$flags"));
    flag_words(b, global_flags, n_global_flags);
    buf_str(b, STR("\" -- \"$cur\")) ;; esac\n}\ncomplete -o filenames -F _skiff skiff\n"));
}

/* Single quotes inside single quotes, as shells need them. */
static void quoted(struct buf *b, const char *text)
{
    buf_char(b, '\'');
    for (; *text; text++) {
        if (*text == '\'') buf_str(b, STR("'\\''"));
        else buf_char(b, *text);
    }
    buf_char(b, '\'');
}

static void zsh_script(struct buf *b)
{
    buf_str(b, STR("#compdef skiff\n# skiff completion for zsh: source <(skiff completion zsh)\n"
                   "autoload -U +X bashcompinit && bashcompinit\n"));
    bash_script(b);
}

static void fish_flag(struct buf *b, const char *cond, const struct flag *f)
{
    if (!f->doc) return;
    buf_printf(b, "complete -c skiff %s-l %s", cond, f->name);
    if (f->letter) buf_printf(b, " -s %c", f->letter);
    if (f->kind != FLAG_BOOL) buf_str(b, STR(" -r"));
    if (flag_choices(f)) {
        buf_str(b, STR(" -f -a '"));
        choice_words(b, f->arg);
        buf_char(b, '\'');
    }
    buf_str(b, STR(" -d "));
    quoted(b, f->doc);
    buf_char(b, '\n');
}

static void fish_words(struct buf *b, const struct cmd *c)
{
    static const char *const lists[] = {
        [WORD_WORKFLOW] = "'@latest (skiff list -o name 2>/dev/null)'",
        [WORD_TOPIC] = "'flags exit-codes config'",
        [WORD_SHELL] = "'bash zsh fish'",
        [WORD_FILE] = NULL,
    };
    const char *list = c->word < ARRAY_LEN(lists) ? lists[c->word] : NULL;
    if (list) buf_printf(b, "complete -c skiff -n '__fish_seen_subcommand_from %s' -f -a %s\n", c->name, list);
}

/* Of a group: its verbs, then their flags once the verb stands there. */
static void fish_subs(struct buf *b, const struct cmd *c)
{
    for (size_t i = 0; i < c->n_subs; i++) {
        const struct cmd *s = c->subs[i];
        CLEANUP(buf_fini) struct buf cond;
        buf_printf(b, "complete -c skiff -n '__fish_seen_subcommand_from %s' -f -a %s -d ", c->name, cmd_verb(s));
        quoted(b, s->summary);
        buf_char(b, '\n');
        buf_init(&cond, 200);
        buf_printf(&cond, "-n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s' ", c->name, cmd_verb(s));
        buf_char(&cond, '\0');
        for (size_t k = 0; k < s->n_flags; k++) fish_flag(b, cond.p, &s->flags[k]);
    }
}

static void fish_script(struct buf *b)
{
    buf_str(b, STR("# skiff completion for fish: skiff completion fish | source\n"));
    for (size_t i = 0; i < n_cmds; i++) {
        buf_printf(b, "complete -c skiff -n __fish_use_subcommand -f -a %s -d ", cmds[i]->name);
        quoted(b, cmds[i]->summary);
        buf_char(b, '\n');
        fish_words(b, cmds[i]);
        fish_subs(b, cmds[i]);
        CLEANUP(buf_fini) struct buf cond;
        buf_init(&cond, 200);
        buf_printf(&cond, "-n '__fish_seen_subcommand_from %s' ", cmds[i]->name);
        buf_char(&cond, '\0');
        for (size_t k = 0; k < cmds[i]->n_flags; k++) fish_flag(b, cond.p, &cmds[i]->flags[k]);
    }
    for (size_t i = 0; i < n_global_flags; i++) fish_flag(b, "", &global_flags[i]);
}

bool completion_script(struct buf *b, const char *shell, struct err *e)
{
    if (strcmp(shell, "bash") == 0) bash_script(b);
    else if (strcmp(shell, "zsh") == 0) zsh_script(b);
    else if (strcmp(shell, "fish") == 0) fish_script(b);
    else return err_set(e, ERR_USAGE, "no completion for '%s' (bash, zsh, fish)", shell);
    return true;
}
