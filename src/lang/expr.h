/* The expression language of "{{=…}}", depends, retryStrategy.expression and hooks: expr-lang
 * v1.17 with Argo's functions (asInt, asFloat, toJson, jsonpath, sprig.*).
 *
 * Pure: the time and a random stream come in. A text is checked whole before it is run, so that
 * "unknown name" is reported even in a branch that is not taken. Bounded by LIMIT_EXPR_*.
 * Format reference: expr-lang.org/docs/language-definition. Runs on: any thread. */
#pragma once
#include "doc/val.h"
#include "lang/scope.h"

struct expr_clock {
    int64_t now_us;                /* what now() and date functions see */
    uint64_t (*random)(void *ctx); /* NULL: a fixed stream */
    void *random_ctx;
};

enum expr_fault {
    EXPR_FINE,
    EXPR_COMPILE, /* syntax, unknown name: no value of a variable can mend it, but a new name can */
    EXPR_RUN,     /* types and values */
};

struct expr_env {
    const struct scope *scope;  /* flat keys, seen as nested maps; may be NULL */
    const struct val *extra;    /* map of more top-level names; nearer than the scope; may be NULL */
    struct expr_clock clock;
    enum expr_fault *fault;     /* may be NULL; set by every evaluation */
};

/* Error texts are expr-lang's, with "(line:column)" at the end. */
bool expr_eval(struct arena *a, struct str text, const struct expr_env *env, struct val *out,
               struct err *e);
/* As expr_eval, but the value as JSON text, as Go's json.Marshal writes it. False with EXPR_FINE: it was
 * evaluated, but JSON has no form for it (infinity, a function, a map whose keys are no texts). */
bool expr_eval_json(struct arena *a, struct str text, const struct expr_env *env, struct str *out,
                    struct err *e);
/* As expr_eval; anything but a bool is an error. */
bool expr_eval_bool(struct arena *a, struct str text, const struct expr_env *env, bool *out,
                    struct err *e);

/* Syntax, and functions that are refused; other names and types are not looked at. */
bool expr_check(struct arena *a, struct str text, struct err *e);

/* Calls fn for every variable that the text mentions, as a dotted chain as far as its parts are
 * constant ("steps.a.outputs.result", "inputs.parameters.my-p"). False when the text does not
 * parse (e set) or fn stopped it (e untouched). */
bool expr_names(struct arena *a, struct str text, bool (*fn)(void *ctx, struct str dotted),
                void *ctx, struct err *e);
