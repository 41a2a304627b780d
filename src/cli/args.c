/* The one parser of command lines. */
#include "cli/args.h"

#include "doc/closest.h"

struct parse {
    struct arena *a;
    const struct cmd *cmd;
    int argc, i;
    char **argv;
    struct args *out;
};

static bool choice_ok(const char *choices, const char *value)
{
    struct str head, rest = str_of(choices);
    while (str_set(rest)) {
        str_cut(rest, '|', &head, &rest);
        if (str_is(head, value)) return true;
    }
    return false;
}

static bool value_ok(const struct flag *f, const char *value, struct err *e)
{
    int64_t n;
    if (f->kind == FLAG_NOT) return err_set(e, ERR_USAGE, "there is no --%s here: %s", f->name, f->arg);
    if (f->kind == FLAG_INT && !str_to_i64(str_of(value), &n))
        return err_set(e, ERR_USAGE, "--%s takes a whole number, not '%s'", f->name, value);
    if (f->kind == FLAG_BOOL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return err_set(e, ERR_USAGE, "--%s is true or false, not '%s'", f->name, value);
    if (flag_choices(f) && !choice_ok(f->arg, value))
        return err_set(e, ERR_USAGE, "--%s is one of %s, not '%s'", f->name, f->arg, value);
    return true;
}

static bool give(struct parse *p, const struct flag *f, const char *value, struct err *e)
{
    if (!value_ok(f, value, e)) return false;
    p->out->given[p->out->n_given++] = (struct arg){f, value};
    return true;
}

/* The value that stands in the next word. */
static bool next_value(struct parse *p, const struct flag *f, const char **value, struct err *e)
{
    if (p->i + 1 >= p->argc) return err_set(e, ERR_USAGE, "--%s needs a value: --%s %s", f->name, f->name, f->arg);
    *value = p->argv[++p->i];
    return true;
}

static bool flag_unknown(struct parse *p, struct str name, struct err *e)
{
    size_t n = 0;
    struct str *names = ARENA_ARRAY(p->a, struct str, p->cmd->n_flags + n_global_flags);
    for (size_t i = 0; i < p->cmd->n_flags + n_global_flags; i++) {
        const struct flag *f = i < p->cmd->n_flags ? &p->cmd->flags[i] : &global_flags[i - p->cmd->n_flags];
        if (f->kind != FLAG_NOT) names[n++] = str_of(f->name);
    }
    struct str near = str_closest(name, names, n);
    if (str_set(near))
        return err_set(e, ERR_USAGE, "'%s' has no flag --%.*s, did you mean --%.*s?", p->cmd->name, STR_ARG(name),
                       STR_ARG(near));
    return err_set(e, ERR_USAGE, "'%s' has no flag --%.*s (try: skiff help %s)", p->cmd->name, STR_ARG(name),
                   p->cmd->name);
}

static bool long_parse(struct parse *p, const char *word, struct err *e)
{
    struct str name, value;
    bool has_value = str_cut(str_of(word), '=', &name, &value);
    const struct flag *f = cmd_flag(p->cmd, name);
    const char *text = has_value ? value.p : "true";
    if (!f) return flag_unknown(p, name, e);
    if (!has_value && f->kind != FLAG_BOOL && f->kind != FLAG_NOT && !next_value(p, f, &text, e)) return false;
    return give(p, f, text, e);
}

/* -f value, -fvalue, -f=value, -abc */
static bool short_parse(struct parse *p, const char *word, struct err *e)
{
    for (const char *c = word; *c; c++) {
        const struct flag *f = cmd_flag_letter(p->cmd, *c);
        if (!f) return err_set(e, ERR_USAGE, "'%s' has no flag -%c (try: skiff help %s)", p->cmd->name, *c, p->cmd->name);
        if (f->kind == FLAG_BOOL) {
            if (c[1] == '=') return give(p, f, c + 2, e);
            if (!give(p, f, "true", e)) return false;
            continue;
        }
        const char *text = c[1] == '=' ? c + 2 : c + 1;
        if (!*text && f->kind != FLAG_NOT && !next_value(p, f, &text, e)) return false;
        return give(p, f, text, e);
    }
    return true;
}

static bool count_ok(const struct args *g, struct err *e)
{
    const struct cmd *c = g->cmd;
    if (args_on(g, "help")) return true;
    if (g->n_words < (size_t)c->min_words)
        return err_set(e, ERR_USAGE, "'%s' needs more words: skiff %s %s", c->name, c->name, c->usage);
    if (c->max_words >= 0 && g->n_words > (size_t)c->max_words)
        return err_set(e, ERR_USAGE, "'%s' does not take '%s': skiff %s %s", c->name, g->words[c->max_words], c->name,
                       c->usage);
    return true;
}

bool args_parse(struct arena *a, const struct cmd *cmd, int argc, char **argv, struct args *out, struct err *e)
{
    struct parse p = {a, cmd, argc, 0, argv, out};
    size_t letters = 1; /* every letter of a word may be a flag */
    for (int i = 0; i < argc; i++) letters += strlen(argv[i]) + 1;
    *out = (struct args){.cmd = cmd, .given = ARENA_ARRAY(a, struct arg, letters),
                         .words = ARENA_ARRAY(a, const char *, argc + 1)};
    for (; p.i < argc; p.i++) {
        const char *word = argv[p.i];
        bool ok = true;
        if (strcmp(word, "--") == 0) {
            while (++p.i < argc) out->words[out->n_words++] = argv[p.i];
        } else if (word[0] == '-' && word[1] == '-') {
            ok = long_parse(&p, word + 2, e);
        } else if (word[0] == '-' && word[1]) {
            ok = short_parse(&p, word + 1, e);
        } else {
            out->words[out->n_words++] = word;
        }
        if (!ok) return false;
    }
    return count_ok(out, e);
}

const char *args_str(const struct args *g, const char *flag)
{
    for (size_t i = g->n_given; i-- > 0;)
        if (strcmp(g->given[i].flag->name, flag) == 0) return g->given[i].value;
    return NULL;
}

bool args_has(const struct args *g, const char *flag) { return args_str(g, flag) != NULL; }

bool args_on(const struct args *g, const char *flag)
{
    const char *v = args_str(g, flag);
    return v && strcmp(v, "true") == 0;
}

int64_t args_int(const struct args *g, const char *flag, int64_t absent)
{
    int64_t n;
    const char *v = args_str(g, flag);
    return v && str_to_i64(str_of(v), &n) ? n : absent;
}

const char *args_nth(const struct args *g, const char *flag, size_t i)
{
    for (size_t k = 0; k < g->n_given; k++)
        if (strcmp(g->given[k].flag->name, flag) == 0 && i-- == 0) return g->given[k].value;
    return NULL;
}
