/* Evaluations a second, on one core: what a step costs the languages.
 *
 *   langspeed [MILLISECONDS]      for each part; default 300
 *
 * Prints a line a part: name, evaluations a second. Each evaluation begins with the text, as the engine
 * does it, in an arena that is reset every 64; the names are those of a step with five inputs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"
#include "lang/expr.h"
#include "lang/tags.h"
#include "lang/when.h"

enum { BATCH = 64 };

struct part {
    const char *name, *text;
    bool (*run)(struct arena *a, struct str text, const struct scope *s);
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_when(struct arena *a, struct str text, const struct scope *s)
{
    bool out;
    struct err e;
    return when_eval(a, text, &out, &e) && out;
}

static bool run_tags(struct arena *a, struct str text, const struct scope *s)
{
    struct tags_opts opts = {.scope = s, .policy = TAGS_FAIL};
    struct str out;
    struct err e;
    return tags_replace(a, text, &opts, &out, &e) && out.n > 0;
}

/* What a step with a condition costs: its tags, then the condition. */
static bool run_both(struct arena *a, struct str text, const struct scope *s)
{
    struct tags_opts opts = {.scope = s, .policy = TAGS_FAIL};
    struct str out;
    struct err e;
    bool go;
    return tags_replace(a, text, &opts, &out, &e) && when_eval(a, out, &go, &e) && go;
}

static const struct part parts[] = {
    {"when", "heads == heads", run_when},
    {"tag", "echo {{inputs.parameters.message}}", run_tags},
    {"when with a tag", "{{inputs.parameters.flip}} == heads", run_both},
    {"expression tag", "{{=inputs.parameters.flip == 'heads'}}", run_tags},
};

static bool measure(const struct part *p, const struct scope *s, double for_s)
{
    struct arena a;
    struct str text = str_of(p->text);
    double start = seconds_now(), took = 0;
    size_t n = 0;
    bool ok = true;
    arena_init(&a);
    for (; ok && took < for_s; took = seconds_now() - start) {
        for (size_t i = 0; i < 100 * BATCH; i++) {
            if (i % BATCH == 0) arena_reset(&a);
            ok = p->run(&a, text, s) && ok;
        }
        n += 100 * BATCH;
    }
    arena_fini(&a);
    printf("%s\t%.0f\n", p->name, (double)n / took);
    return ok;
}

int main(int argc, char **argv)
{
    static const char *const names[][2] = {
        {"inputs.parameters.message", "hello world"}, {"inputs.parameters.flip", "heads"},
        {"inputs.parameters.n", "5"},                 {"inputs.parameters.a", "x"},
        {"inputs.parameters.b", "y"},
    };
    static const char *const globals[][2] = {
        {"workflow.name", "wf"}, {"workflow.namespace", "default"}, {"workflow.uid", "u"},
        {"workflow.parameters.p", "v"}, {"workflow.status", "Running"},
    };
    double for_s = (argc > 1 ? strtod(argv[1], NULL) : 300) / 1000;
    struct scope global, inputs;
    bool ok = true;
    scope_init(&global, NULL);
    scope_init(&inputs, &global);
    for (size_t i = 0; i < ARRAY_LEN(globals); i++) scope_set(&global, str_of(globals[i][0]), str_of(globals[i][1]));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) scope_set(&inputs, str_of(names[i][0]), str_of(names[i][1]));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) ok = measure(&parts[i], &inputs, for_s) && ok;
    scope_fini(&inputs);
    scope_fini(&global);
    return ok ? 0 : 1;
}
