/* Answers the cases of generate.py with src/lang, in the form that the oracle (go/main.go) gives.
 *
 * Reads one JSON list a line, ["LANG", "TEXT", …], and prints one JSON string a line. ["env", {…}]
 * sets the names for the lines after it. */
#include <stdio.h>
#include <time.h>

#include "doc/json.h"
#include "helper/helper.h"
#include "lang/cron.h"
#include "lang/depends.h"
#include "lang/expr.h"
#include "lang/jsonpath.h"
#include "lang/regex.h"
#include "lang/tags.h"
#include "lang/when.h"
#include "os/zonefile.h"

struct oracle {
    struct arena names; /* what the scope points into */
    struct scope scope;
    struct arena a; /* one line */
    const char *program; /* this one: the helper lies two folders up */
    struct loop *loop;   /* for jq; NULL until then */
    struct helper *helper;
    int64_t now_us; /* some functions of sprig take the present time for anything that is no time */
};

static struct str arg_str(const struct val *args, uint32_t i)
{
    return i < args->n ? val_text(&args->items[i]) : STR("");
}

static struct str verdict(struct arena *a, bool ok, bool value, const struct err *e)
{
    if (!ok) return str_fmt(a, "ERR %s", e->text);
    return value ? STR("true") : STR("false");
}

static struct str answer_when(struct oracle *o, const struct val *args)
{
    bool out = false;
    struct err e = {0};
    bool ok = when_eval(&o->a, arg_str(args, 1), &out, &e);
    return verdict(&o->a, ok, out, &e);
}

static struct str answer_params(struct oracle *o, const struct val *args)
{
    bool out = false;
    struct err e = {0};
    bool ok = when_eval_params(&o->a, arg_str(args, 1), &args->items[2], &out, &e);
    return verdict(&o->a, ok, out, &e);
}

static struct str answer_expr(struct oracle *o, const struct val *args)
{
    enum expr_fault fault;
    struct expr_env env = {.scope = &o->scope, .clock = {.now_us = o->now_us}, .fault = &fault};
    struct err e = {0};
    struct str json;
    if (expr_eval_json(&o->a, arg_str(args, 1), &env, &json, &e)) return str_cat(&o->a, STR("= "), json);
    if (fault == EXPR_FINE) return STR("= unmarshalable");
    return str_fmt(&o->a, "%s %s", fault == EXPR_COMPILE ? "COMPILE-ERR" : "RUN-ERR", e.text);
}

static struct str answer_tags(struct oracle *o, const struct val *args)
{
    struct str policy = arg_str(args, 2), out;
    enum tags_outcome outcome;
    struct err e = {0};
    struct tags_opts opts = {
        .scope = &o->scope, .outcome = &outcome,
        .policy = str_is(policy, "leave") ? TAGS_LEAVE : str_is(policy, "fail") ? TAGS_FAIL
                                                                                : TAGS_FAIL_PREFIXES,
    };
    if (tags_replace(&o->a, arg_str(args, 1), &opts, &out, &e)) return str_cat(&o->a, STR("OK "), out);
    return str_fmt(&o->a, "%s %s", outcome == TAGS_UNRESOLVED ? "UNRESOLVED" : "ERR", e.text);
}

struct phases {
    const struct depends *d;
    const struct val *of; /* task -> phase */
};

static uint32_t results_of(void *ctx, size_t index)
{
    const struct phases *p = ctx;
    const struct val *v = val_get(p->of, p->d->names[index].name);
    struct str phase = v ? val_text(v) : STR("");
    return depends_result_of(str_is(phase, "Error") ? STR("Errored") : phase);
}

static struct str answer_depends(struct oracle *o, const struct val *args)
{
    struct err e = {0};
    struct phases p = {.of = &args->items[2]};
    if (!depends_parse(&o->a, arg_str(args, 1), &p.d, &e)) return str_fmt(&o->a, "ERR %s", e.text);
    for (size_t i = 0; i < p.d->n_names; i++)
        if (!val_get(p.of, p.d->names[i].name)) return STR("ERR unknown task");
    return depends_eval(p.d, results_of, &p) ? STR("true") : STR("false");
}

static struct str answer_kubectl(struct oracle *o, const struct val *args)
{
    struct val doc;
    struct str out;
    struct err e = {0};
    if (!json_parse(&o->a, arg_str(args, 2), NULL, &doc, &e) ||
        !jsonpath_template(&o->a, arg_str(args, 1), &doc, &out, &e))
        return str_fmt(&o->a, "ERR %s", e.text);
    return str_cat(&o->a, STR("OK "), out);
}

static struct str answer_regex(struct oracle *o, const struct val *args)
{
    struct err e = {0};
    struct regex_hit hit;
    struct regex *r CLEANUP(regex_clear) = regex_new(arg_str(args, 1), &e);
    if (!r || !regex_search(r, arg_str(args, 2), 0, &hit, &e)) return str_fmt(&o->a, "ERR %s", e.text);
    struct str out = STR("[");
    for (uint32_t i = 0; hit.found && i < 2 * hit.groups; i++)
        out = str_fmt(&o->a, "%.*s%s%zd", STR_ARG(out), i ? " " : "", (ptrdiff_t)hit.at[i]);
    return str_cat(&o->a, out, STR("]"));
}

struct filtered {
    struct arena *a;
    struct str out;
    bool done;
};

static void jq_done(void *user, struct str output, const struct err *e)
{
    struct filtered *f = user;
    f->out = e ? str_fmt(f->a, "ERR %s", e->text) : str_cat(f->a, STR("OK "), output);
    f->done = true;
}

static struct str answer_jq(struct oracle *o, const struct val *args)
{
    struct err e = {0};
    struct filtered f = {.a = &o->a};
    if (!o->loop) {
        const char *slash = strrchr(o->program, '/');
        o->loop = loop_new(&e);
        if (!o->loop) return str_fmt(&o->a, "bad loop: %s", e.text);
        o->helper = helper_new(o->loop, str_z(&o->names, str_fmt(&o->a, "%.*s/../../skiff-helper", slash ? (int)(slash - o->program) : 1,
                                                                slash ? o->program : ".")));
    }
    helper_jq(o->helper, arg_str(args, 1), arg_str(args, 2), jq_done, &f);
    while (!f.done) loop_turn(o->loop, true);
    return f.out;
}

/* "Local" and no zone are UTC here; so they are at the oracle's, by TZ. */
static struct str answer_cron(struct oracle *o, const struct val *args)
{
    struct err e = {0};
    struct cron c;
    struct str bytes, out = STR("");
    const struct zone *zone = zone_utc();
    int64_t at = 0, count = 0;
    val_i64(&args->items[2], &at);
    val_i64(&args->items[3], &count);
    bool ok = cron_parse(arg_str(args, 1), &c, &e);
    if (ok && c.zone.n && !str_is(c.zone, "UTC") && !str_is(c.zone, "Local"))
        ok = zonefile_read(&o->a, c.zone, &bytes, &e) && tzif_parse(&o->a, bytes, &zone, &e);
    if (!ok) return str_fmt(&o->a, "ERR %s", e.text);
    at *= 1000000;
    for (; count > 0; count--) {
        const char *gap = out.n ? " " : "";
        if (!cron_next(&c, zone, at, &at)) return str_fmt(&o->a, "%.*s%snever", STR_ARG(out), gap);
        out = str_fmt(&o->a, "%.*s%s%lld", STR_ARG(out), gap, (long long)(at / 1000000));
    }
    return out;
}

static struct str set_names(struct oracle *o, const struct val *args)
{
    scope_fini(&o->scope);
    arena_reset(&o->names);
    scope_init(&o->scope, NULL);
    struct val env = val_copy(&o->names, &args->items[1]);
    for (uint32_t i = 0; i < env.n; i++) {
        const struct val *v = &env.map[i].v;
        if (v->kind == VAL_STR) scope_set(&o->scope, env.map[i].key, v->s);
        else if (v->kind == VAL_NULL) scope_set_nil(&o->scope, env.map[i].key);
        else scope_set_val(&o->scope, env.map[i].key, v);
    }
    return STR("ok");
}

static const struct {
    const char *lang;
    uint32_t args;
    struct str (*answer)(struct oracle *o, const struct val *args);
} languages[] = {
    {"env", 2, set_names},          {"when", 2, answer_when},       {"params", 3, answer_params},
    {"expr", 2, answer_expr},       {"tags", 3, answer_tags},       {"depends", 3, answer_depends},
    {"kubectl", 3, answer_kubectl}, {"regex", 3, answer_regex},
    {"cron", 4, answer_cron},       {"jq", 3, answer_jq},
};

static struct str answer(struct oracle *o, struct str line)
{
    struct val args;
    struct err e = {0};
    if (!json_parse(&o->a, line, NULL, &args, &e)) return str_fmt(&o->a, "bad line: %s", e.text);
    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (str_is(arg_str(&args, 0), languages[i].lang) && args.n >= languages[i].args)
            return languages[i].answer(o, &args);
    return STR("bad line");
}

int main(int argc, char **argv)
{
    struct oracle o = {.program = argv[0], .now_us = (int64_t)time(NULL) * 1000000};
    char *line = NULL;
    size_t cap = 0;
    arena_init(&o.names);
    arena_init(&o.a);
    scope_init(&o.scope, NULL);
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0; arena_reset(&o.a)) {
        struct buf b CLEANUP(buf_fini);
        buf_init(&b, 256 << 20);
        buf_json(&b, answer(&o, str_n(line, (size_t)n)));
        buf_char(&b, '\n');
        fwrite(b.p, 1, b.n, stdout);
    }
    free(line);
    if (o.loop) helper_free(o.helper), loop_free(o.loop);
    scope_fini(&o.scope);
    arena_fini(&o.a);
    arena_fini(&o.names);
    return 0;
}
