/* Label selectors: tokens, requirements, matching. See selector.h. */
#include "resource/selector.h"

#include "base/limits.h"
#include "base/vec.h"

struct reqs {
    VEC(struct selector_req) v;
};

struct parser {
    struct arena *a;
    struct str text;
    size_t at;
    struct str tok; /* one of the symbols, or an identifier; absent at the end */
    bool ident;
    struct err *e;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_symbol(char c)
{
    return c && strchr("=!(),<>", c);
}

static void token_next(struct parser *p)
{
    struct str t = p->text;
    while (p->at < t.n && is_space(t.p[p->at])) p->at++;
    size_t start = p->at;
    p->ident = false;
    p->tok = STR_NONE;
    if (start == t.n) return;
    if (is_symbol(t.p[start])) {
        bool two = start + 1 < t.n && t.p[start + 1] == '=' && (t.p[start] == '=' || t.p[start] == '!');
        p->at += two ? 2 : 1;
    } else {
        while (p->at < t.n && !is_symbol(t.p[p->at]) && !is_space(t.p[p->at])) p->at++;
        p->ident = true;
    }
    p->tok = str_sub(t, start, p->at - start);
}

static bool token_is(const struct parser *p, const char *symbol)
{
    return !p->ident && str_set(p->tok) && str_is(p->tok, symbol);
}

static bool parse_fail(struct parser *p, const char *expected)
{
    return err_set(p->e, ERR_SPEC, "selector \"%.*s\": found \"%.*s\" where %s should be", STR_ARG(p->text),
                   STR_ARG(p->tok), expected);
}

struct strs {
    VEC(struct str) v;
};

static void req_values(struct parser *p, struct selector_req *r, struct strs *values)
{
    r->n = values->v.n;
    r->values = ARENA_ARRAY(p->a, struct str, r->n);
    for (size_t i = 0; i < r->n; i++) r->values[i] = str_dup(p->a, values->v.items[i]);
}

/* "(a,b)": an empty place counts as the empty value, an empty list is an error. */
static bool parse_value_list(struct parser *p, struct strs *values)
{
    if (!token_is(p, "(")) return parse_fail(p, "\"(\"");
    token_next(p);
    if (token_is(p, ")")) return parse_fail(p, "a value");
    for (;;) {
        struct str value = STR("");
        if (p->ident) {
            value = p->tok;
            token_next(p);
        }
        VEC_PUSH(&values->v, value);
        if (token_is(p, ")")) break;
        if (!token_is(p, ",")) return parse_fail(p, "\",\" or \")\"");
        token_next(p);
    }
    token_next(p);
    return true;
}

/* What follows the operator of an exact requirement; nothing is the empty value. */
static void parse_exact_value(struct parser *p, struct strs *values)
{
    struct str value = STR("");
    if (p->ident) {
        value = p->tok;
        token_next(p);
    }
    VEC_PUSH(&values->v, value);
}

static bool req_check(struct parser *p, const struct selector_req *r)
{
    int64_t i;
    if (!label_key_check(r->key, p->e)) return false;
    for (size_t k = 0; k < r->n; k++) {
        if (!label_value_check(r->values[k], p->e)) return false;
        if ((r->op == SELECTOR_GT || r->op == SELECTOR_LT) && !str_to_i64(r->values[k], &i))
            return err_set(p->e, ERR_SPEC, "selector \"%.*s\": \"%.*s\" is not an integer", STR_ARG(p->text),
                           STR_ARG(r->values[k]));
    }
    return true;
}

struct operator {
    const char *text;
    enum selector_op op;
    bool list;
};

static const struct operator operators[] = {
    {"=", SELECTOR_IN, false},  {"==", SELECTOR_IN, false}, {"!=", SELECTOR_NOT_IN, false},
    {">", SELECTOR_GT, false},  {"<", SELECTOR_LT, false},  {"in", SELECTOR_IN, true},
    {"notin", SELECTOR_NOT_IN, true},
};

static const struct operator *operator_find(const struct parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (p->ident == operators[i].list && str_is(p->tok, operators[i].text)) return &operators[i];
    return NULL;
}

static bool at_requirement_end(const struct parser *p)
{
    return !str_set(p->tok) || token_is(p, ",");
}

static bool parse_requirement(struct parser *p, struct selector_req *r)
{
    bool negated = token_is(p, "!");
    if (negated) token_next(p);
    if (!p->ident || str_is(p->tok, "in") || str_is(p->tok, "notin")) return parse_fail(p, "a label key");
    *r = (struct selector_req){.key = str_dup(p->a, p->tok),
                               .op = negated ? SELECTOR_NOT_EXISTS : SELECTOR_EXISTS,
                               .sign = negated ? "!" : ""};
    token_next(p);
    if (!at_requirement_end(p)) {
        const struct operator *op = operator_find(p);
        if (negated || !op) return parse_fail(p, negated ? "\",\" or the end" : "an operator");
        struct strs values = {0};
        r->op = op->op;
        r->sign = op->text;
        token_next(p);
        bool ok = true;
        if (op->list) ok = parse_value_list(p, &values);
        else parse_exact_value(p, &values);
        if (ok) req_values(p, r, &values);
        VEC_FINI(&values.v);
        if (!ok) return false;
    }
    return req_check(p, r) && (at_requirement_end(p) || parse_fail(p, "\",\" or the end"));
}

static void reqs_take(struct arena *a, struct reqs *reqs, struct selector *out)
{
    out->n = reqs->v.n;
    out->reqs = ARENA_ARRAY(a, struct selector_req, out->n);
    if (out->n) memcpy(out->reqs, reqs->v.items, out->n * sizeof *out->reqs);
    VEC_FINI(&reqs->v);
}

bool selector_parse(struct arena *a, struct str text, struct selector *out, struct err *e)
{
    struct parser p = {.a = a, .text = text, .e = e};
    struct reqs reqs = {0};
    bool ok = true;
    token_next(&p);
    while (ok && str_set(p.tok)) {
        struct selector_req r;
        ok = parse_requirement(&p, &r);
        if (!ok) break;
        VEC_PUSH(&reqs.v, r);
        if (!token_is(&p, ",")) break;
        token_next(&p);
        if (!str_set(p.tok)) ok = parse_fail(&p, "a label key after \",\"");
    }
    reqs_take(a, &reqs, out);
    return ok;
}

static bool value_listed(const struct selector_req *r, struct str value)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(r->values[i], value)) return true;
    return false;
}

bool selector_req_holds(const struct selector_req *r, struct str value)
{
    int64_t have, bound;
    switch (r->op) {
    case SELECTOR_EXISTS: return str_set(value);
    case SELECTOR_NOT_EXISTS: return !str_set(value);
    case SELECTOR_IN: return str_set(value) && value_listed(r, value);
    case SELECTOR_NOT_IN: return !str_set(value) || !value_listed(r, value);
    case SELECTOR_GT:
    case SELECTOR_LT:
        if (!str_set(value) || !str_to_i64(value, &have) || !str_to_i64(r->values[0], &bound)) return false;
        return r->op == SELECTOR_GT ? have > bound : have < bound;
    }
    IMPOSSIBLE("selector operator");
}

bool selector_matches(const struct selector *sel, const struct val *labels)
{
    for (size_t i = 0; i < sel->n; i++) {
        const struct val *v = val_get(labels, sel->reqs[i].key);
        if (!selector_req_holds(&sel->reqs[i], v ? val_text(v) : STR_NONE)) return false;
    }
    return true;
}

static int by_bytes(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

struct str selector_req_text(struct arena *a, const struct selector_req *r)
{
    struct buf b CLEANUP(buf_fini);
    struct str *sorted = ARENA_ARRAY(a, struct str, r->n + 1);
    bool list = r->sign && (str_is(str_of(r->sign), "in") || str_is(str_of(r->sign), "notin"));
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (r->n) memcpy(sorted, r->values, r->n * sizeof *sorted);
    if (r->n > 1) qsort(sorted, r->n, sizeof *sorted, by_bytes);
    if (r->op == SELECTOR_NOT_EXISTS) buf_char(&b, '!');
    buf_str(&b, r->key);
    if (r->n) buf_printf(&b, list ? " %s (" : "%s", r->sign ? r->sign : "=");
    for (size_t i = 0; i < r->n; i++) {
        if (i) buf_char(&b, ',');
        buf_str(&b, sorted[i]);
    }
    if (list) buf_char(&b, ')');
    return buf_dup(a, &b);
}
