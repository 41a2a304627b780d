/* See shell.h. Grammar and commands: README.md 2.1; shell.py is the same in the other judge. */
#include "shell.h"

enum { WORDS_MAX = 256, OUT_MAX = 1 << 20 };

struct reader {
    struct arena *a;
    struct str text;
    size_t at;
};

/* A simple command: its words and where its output goes. */
struct simple {
    struct str words[WORDS_MAX];
    size_t n;
    struct str to;
    bool append;
};

static bool is_end(char c)
{
    return c == ';' || c == '\n' || c == '&' || c == '|';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t')) r->at++;
}

/* The part of a word up to the closing quote. */
static void quoted(struct reader *r, struct buf *b, char quote)
{
    while (r->at < r->text.n && r->text.p[r->at] != quote) {
        char c = r->text.p[r->at++];
        if (c == '\\' && quote == '"' && r->at < r->text.n && strchr("\"\\$`", r->text.p[r->at]))
            c = r->text.p[r->at++];
        buf_char(b, c);
    }
    r->at++;
}

static struct str word(struct reader *r)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    while (r->at < r->text.n) {
        char c = r->text.p[r->at];
        if (c == ' ' || c == '\t' || c == '>' || is_end(c)) break;
        r->at++;
        if (c == '\'' || c == '"') quoted(r, &b, c);
        else if (c == '\\' && r->at < r->text.n) buf_char(&b, r->text.p[r->at++]);
        else buf_char(&b, c);
    }
    struct str s = buf_dup(r->a, &b);
    buf_fini(&b);
    return s;
}

static void read_simple(struct reader *r, struct simple *c)
{
    c->n = 0;
    c->to = STR_NONE;
    for (skip_blanks(r); r->at < r->text.n && !is_end(r->text.p[r->at]); skip_blanks(r)) {
        if (r->text.p[r->at] != '>') {
            struct str w = word(r);
            if (c->n < WORDS_MAX) c->words[c->n++] = w;
            continue;
        }
        r->at++;
        c->append = r->at < r->text.n && r->text.p[r->at] == '>';
        if (c->append) r->at++;
        skip_blanks(r);
        c->to = word(r);
    }
}

/* ';' for the end of a line too, '&' for &&, '|' for ||, 0 at the end. */
static char separator(struct reader *r)
{
    if (r->at >= r->text.n) return 0;
    char c = r->text.p[r->at++];
    if ((c == '&' || c == '|') && r->at < r->text.n && r->text.p[r->at] == c) r->at++;
    return c == '\n' ? ';' : c;
}

static int64_t duration_us(struct str s)
{
    double unit = 1e6, n = 0;
    if (str_ends(s, STR("m"))) unit = 60e6;
    if (str_ends(s, STR("h"))) unit = 3600e6;
    if (s.n && strchr("smh", s.p[s.n - 1])) s.n--;
    str_to_double(s, &n);
    return (int64_t)(n * unit + 0.5);
}

static struct str join(struct arena *a, const struct str *words, size_t n)
{
    struct str s = STR("");
    for (size_t i = 0; i < n; i++) s = str_fmt(a, "%.*s%s%.*s", STR_ARG(s), i ? " " : "", STR_ARG(words[i]));
    return s;
}

static void file_put(struct arena *a, struct shell_run *run, const struct simple *c, struct str text)
{
    for (size_t i = 0; i < run->files.n; i++) {
        struct shell_file *f = &run->files.items[i];
        if (!str_eq(f->path, c->to)) continue;
        f->text = c->append ? str_cat(a, f->text, text) : text;
        return;
    }
    struct shell_file f = {c->to, text};
    VEC_PUSH(&run->files, f);
}

struct str shell_file(const struct shell_run *run, struct str path)
{
    for (size_t i = 0; i < run->files.n; i++)
        if (str_eq(run->files.items[i].path, path)) return run->files.items[i].text;
    return STR_NONE;
}

/* The status of one command; its output in `out`. */
static int command(struct arena *a, struct shell_run *run, const struct simple *c, struct str *out)
{
    const struct str *w = c->words;
    *out = STR("");
    if (str_is(w[0], "true") || str_is(w[0], ":")) return 0;
    if (str_is(w[0], "false")) return 1;
    if (str_is(w[0], "sleep")) {
        run->took_us += c->n > 1 ? duration_us(w[1]) : 0;
        return 0;
    }
    if (str_is(w[0], "echo") || str_is(w[0], "printf")) {
        bool bare = str_is(w[0], "printf") || (c->n > 1 && str_is(w[1], "-n"));
        size_t from = c->n > 1 && str_is(w[1], "-n") ? 2 : 1;
        struct str text = join(a, w + from, c->n - from);
        *out = bare ? text : str_cat(a, text, STR("\n"));
        return 0;
    }
    if (str_is(w[0], "cat") && c->n > 1) {
        *out = shell_file(run, w[1]);
        return out->p ? 0 : 1;
    }
    if (str_is(w[0], "test") && c->n == 4) {
        bool same = str_eq(w[1], w[3]);
        return str_is(w[2], "!=") ? same : !same;
    }
    return 127;
}

static void execute(struct arena *a, struct shell_run *run, const struct simple *c)
{
    struct str out;
    run->code = command(a, run, c, &out);
    if (c->to.p) file_put(a, run, c, out);
    else run->out = str_cat(a, run->out, out);
}

static void script(struct arena *a, struct shell_run *run, struct str text)
{
    struct reader r = {a, text, 0};
    struct simple *c = ARENA_NEW(a, struct simple);
    char before = ';';
    do {
        read_simple(&r, c);
        bool goes = before == ';' || (before == '&' ? !run->code : run->code != 0);
        if (c->n && goes && str_is(c->words[0], "exit")) {
            int64_t code = run->code;
            if (c->n > 1) str_to_i64(c->words[1], &code);
            run->code = (int)code;
            return;
        }
        if (c->n && goes) execute(a, run, c);
    } while ((before = separator(&r)));
}

static bool is_shell(struct str s)
{
    return str_is(s, "sh") || str_is(s, "/bin/sh") || str_is(s, "bash");
}

void shell_run(struct arena *a, const struct val *tmpl, struct shell_run *r)
{
    const struct val *body = val_get(tmpl, STR("container")), *source = val_path(tmpl, "script.source");
    const struct val *lists[] = {val_get(body, STR("command")), val_get(body, STR("args"))};
    struct simple *c = ARENA_NEW(a, struct simple);
    *r = (struct shell_run){.out = STR("")};
    if (source) {
        script(a, r, val_text(source));
        return;
    }
    c->n = 0, c->to = STR_NONE;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (uint32_t i = 0; lists[k] && i < lists[k]->n && c->n < WORDS_MAX; i++)
            c->words[c->n++] = val_text(&lists[k]->items[i]);
    if (c->n == 3 && is_shell(c->words[0]) && str_is(c->words[1], "-c")) script(a, r, c->words[2]);
    else if (c->n) execute(a, r, c);
}
