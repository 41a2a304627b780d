/* What becomes of a pod: a pure function of the case, its name and its template (README.md section 2). */
#include "shell.h"
#include "world.h"

uint64_t draw(struct stream *s)
{
    uint64_t z = (s->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t fnv64(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
    return h;
}

int64_t val_number(const struct val *map, const char *key)
{
    int64_t n = 0;
    str_to_i64(val_text(val_get(map, str_of(key))), &n);
    return n;
}

static struct str note(const struct val *tmpl, const char *kind, struct str name)
{
    struct arena a;
    arena_init(&a);
    struct str key = str_fmt(&a, "sim/%s%.*s", kind, STR_ARG(name));
    struct str v = val_text(val_get(val_path(tmpl, "metadata.annotations"), key));
    arena_fini(&a);
    return v;
}

/* The number in the last "(digits)" of a node name. */
static int64_t attempt_of(struct str name)
{
    for (size_t i = name.n; i-- > 0;) {
        int64_t n;
        if (name.p[i] != '(') continue;
        ptrdiff_t close = str_find_char(name, ')', i);
        if (close > 0 && str_to_i64(str_sub(name, i + 1, (size_t)close - i - 1), &n)) return n;
    }
    return 0;
}

static void fate_exit(struct arena *a, struct step_outcome *how, int64_t code)
{
    how->phase = code ? NODE_FAILED : NODE_SUCCEEDED;
    how->exit_code = (int)code;
    how->message = code ? str_fmt(a, "main: Error (exit code %lld)", (long long)code) : STR_NONE;
}

static void fate_error(struct step_outcome *how, struct str message)
{
    *how = (struct step_outcome){.phase = NODE_ERROR, .exit_code = STEP_NO_EXIT_CODE, .message = message};
}

static struct str without_newline(struct str s)
{
    if (s.n && s.p[s.n - 1] == '\n') s.n--;
    return s;
}

/* The value of an output file: drawn, or written by the command. Absent when it is missing. */
static struct str file_value(struct world *w, const struct val *tmpl, const struct val *p, struct stream *s,
                             const struct shell_run *run)
{
    struct str name = val_get_str(p, "name");
    if (run) return without_newline(shell_file(run, val_text(val_path(p, "valueFrom.path"))));
    struct str drawn = str_fmt(&w->arena, "v%llu", (unsigned long long)(draw(s) % 5));
    struct str given = note(tmpl, "out-", name);
    if (str_is(note(tmpl, "missing-", name), "true")) return STR_NONE;
    return given.p ? given : drawn;
}

static void fate_params(struct world *w, const struct val *tmpl, struct stream *s, const struct shell_run *run,
                        struct step_outcome *how)
{
    const struct val *params = val_path(tmpl, "outputs.parameters");
    struct step_outcome_param *out = ARENA_ARRAY(&w->arena, struct step_outcome_param, params ? params->n + 1 : 1);
    for (uint32_t i = 0; params && i < params->n; i++) {
        const struct val *p = &params->items[i];
        struct str name = val_get_str(p, "name");
        const struct val *from = val_get(p, STR("valueFrom"));
        if (!val_get(from, STR("path")) && !val_get(from, STR("jsonPath")) && !val_get(from, STR("jqFilter"))) continue;
        struct str value = file_value(w, tmpl, p, s, run);
        bool fatal = !value.p && !val_path(p, "valueFrom.default");
        if (fatal && !how->message.p && how->phase == NODE_SUCCEEDED)
            how->message = str_fmt(&w->arena, "output parameter '%.*s' is missing", STR_ARG(name));
        out[how->n_params++] = (struct step_outcome_param){name, value};
    }
    how->params = out;
}

/* A request: always with a result when there is an answer, and never with an exit code. */
static void fate_http(struct world *w, struct step_outcome *how, bool error, struct str result)
{
    int code = how->exit_code;
    *how = (struct step_outcome){.phase = error ? NODE_FAILED : how->phase, .exit_code = STEP_NO_EXIT_CODE};
    if (error) how->message = STR("sim: no answer");
    else how->result = result;
    if (!error && code) how->message = str_fmt(&w->arena, "received non-2xx response code: %d", code);
}

/* Drawn from the seed, with the annotations of the template (README.md section 2). */
static struct fate fate_drawn(struct world *w, const struct node *n, const struct val *tmpl)
{
    struct str name = node_name(n);
    struct str seed = str_fmt(&w->arena, "%lld/%.*s", (long long)val_number(w->fate, "seed"), STR_ARG(name));
    struct stream s = {fnv64(seed)};
    struct fate f = {.duration_us = 1000 * (int64_t)(1 + draw(&s) % 50)};
    int64_t pct = (int64_t)(draw(&s) % 100), error_pct = val_number(w->fate, "error_pct");
    int64_t code = (int64_t)(1 + draw(&s) % 3), fail_pct = val_number(w->fate, "fail_pct");
    struct str result = str_fmt(&w->arena, "%llu", (unsigned long long)(draw(&s) % 10));
    bool error = pct < error_pct;
    fate_exit(&w->arena, &f.how, pct < error_pct + fail_pct ? code : 0);

    struct str exit_note = note(tmpl, "exit", STR("")), fails = note(tmpl, "fail-attempts", STR(""));
    int64_t v;
    if (fails.n && str_to_i64(fails, &v)) {
        error = false;
        fate_exit(&w->arena, &f.how, attempt_of(name) < v ? 1 : 0);
    } else if (exit_note.n) {
        error = str_is(exit_note, "error");
        if (str_to_i64(exit_note, &v)) fate_exit(&w->arena, &f.how, v);
    }
    if (str_to_i64(note(tmpl, "duration-ms", STR("")), &v)) f.duration_us = 1000 * v;
    struct str result_note = note(tmpl, "result", STR(""));
    if (node_type(n) == NTYPE_HTTP) {
        fate_http(w, &f.how, error, result_note.p ? result_note : result);
        return f;
    }
    if (error) {
        fate_error(&f.how, STR("sim: infrastructure error"));
        return f;
    }
    if (node_captures_result(n) || val_get(tmpl, STR("data"))) f.how.result = result_note.p ? result_note : result;
    fate_params(w, tmpl, &s, NULL, &f.how);
    return f;
}

/* What its command says, unless the case knows better (README.md 2.1). */
static struct fate fate_commanded(struct world *w, const struct node *n, const struct val *tmpl)
{
    const struct val *given = val_get(w->given, node_name(n));
    struct str error = val_get_str(given, "error");
    struct shell_run run;
    struct fate f = {0};
    int64_t v;
    shell_run(&w->arena, tmpl, &run);
    f.duration_us = run.took_us ? run.took_us : 1000000;
    if (str_to_i64(val_get_str(given, "takes_us"), &v)) f.duration_us = v;
    if (str_to_i64(val_get_str(given, "exit"), &v)) run.code = (int)v;
    if (error.p) {
        fate_error(&f.how, error);
    } else {
        fate_exit(&w->arena, &f.how, run.code);
        struct str result = val_get_str(given, "result");
        if (node_captures_result(n)) f.how.result = result.p ? result : without_newline(run.out);
        fate_params(w, tmpl, NULL, &run, &f.how);
    }
    VEC_FINI(&run.files);
    return f;
}

struct fate fate_of(struct world *w, const struct node *n, const struct val *given)
{
    /* the engine's own copy lives only until its next event */
    struct val copy = val_copy(&w->arena, given);
    return w->shell ? fate_commanded(w, n, &copy) : fate_drawn(w, n, &copy);
}

/* README.md section 1.4: any container of a pod; 0 is main. */
struct fate fate_of_part(struct world *w, const struct node *n, uint32_t part, const struct val *tmpl)
{
    struct str name = node_part_name(n, part);
    struct fate f = {.duration_us = node_part_is_aside(n, part) ? NEVER : 10000};
    int64_t v;
    if (!part) {
        f = fate_of(w, n, tmpl);
        if (node_is_daemon(n) && !note(tmpl, "duration-ms", STR("")).n) f.duration_us = NEVER;
        return f;
    }
    fate_exit(&w->arena, &f.how, str_to_i64(note(tmpl, "exit-", name), &v) ? v : 0);
    if (str_to_i64(note(tmpl, "duration-ms-", name), &v)) f.duration_us = 1000 * v;
    return f;
}

int64_t fate_ready_us(const struct val *tmpl)
{
    int64_t ms;
    return str_to_i64(note(tmpl, "ready-ms", STR("")), &ms) ? 1000 * ms : NEVER;
}
