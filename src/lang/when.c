/* See when.h. Operators of one level group to the left; a node without operands is nil, as the
 * empty clause "()" gives; what stands behind a complete expression is not looked at: all as in
 * govaluate's planner. */
#include "lang/when.h"

#include <math.h>

#include "base/limits.h"
#include "lang/gofmt.h"
#include "lang/gomath.h"
#include "lang/regex.h"
#include "lang/when_p.h"

enum value_kind { V_NIL, V_BOOL, V_NUM, V_STR, V_LIST, V_PATTERN /* a text, compiled: no operand but of =~ and !~ */ };

struct list;
struct value {
    uint8_t kind;
    bool b;
    double num;
    struct str s;
    const struct list *list;
};

/* Lists grow by one at a time and share their memory while nobody else appended to it. */
struct store {
    struct value *items;
    size_t n, cap;
};

struct list {
    struct value *items;
    size_t n;
    struct store *store;
};

struct node {
    uint8_t op;                     /* OP_NONE: a token's value, or a clause (right) */
    const struct when_token *token; /* NULL: a clause */
    struct node *left, *right;
};

struct when {
    struct arena *a;
    const struct when_tokens *tokens;
    size_t at;
    int depth;
    const struct val *params;
    size_t text_bytes; /* of texts joined so far */
    struct err *e;
};

/* Precedence levels from the loosest; level 10 is prefixes and values. */
static const uint8_t levels[][9] = {
    {OP_SEPARATE}, {OP_IF, OP_ELSE, OP_COALESCE}, {OP_OR}, {OP_AND},
    {OP_EQ, OP_NEQ, OP_GT, OP_LT, OP_GTE, OP_LTE, OP_REQ, OP_NREQ, OP_IN},
    {OP_BITAND, OP_BITOR, OP_BITXOR}, {OP_LSHIFT, OP_RSHIFT}, {OP_PLUS, OP_MINUS},
    {OP_MULTIPLY, OP_DIVIDE, OP_MODULUS}, {OP_EXPONENT},
};

static bool parse_level(struct when *w, size_t level, struct node **out);

static struct node *node_new(struct when *w, uint8_t op, struct node *left, struct node *right)
{
    struct node *n = ARENA_NEW(w->a, struct node);
    *n = (struct node){.op = op, .left = left, .right = right};
    return n;
}

static const struct when_token *peek(const struct when *w)
{
    return w->at < w->tokens->n ? &w->tokens->items[w->at] : NULL;
}

static bool parse_value(struct when *w, struct node **out)
{
    const struct when_token *t = peek(w);
    *out = NULL;
    if (!t || t->kind == W_CLAUSE_CLOSE) return true;
    w->at++;
    struct node *inner = NULL;
    switch ((enum when_kind)t->kind) {
    case W_CLAUSE:
        if (!parse_level(w, 0, &inner)) return false;
        w->at++; /* the closing one, or whatever stands there */
        *out = node_new(w, OP_NONE, NULL, inner);
        return true;
    case W_PREFIX:
        if (!parse_value(w, &inner)) return false;
        *out = node_new(w, t->op, NULL, inner);
        return true;
    case W_ACCESSOR: {
        const struct when_token *next = peek(w);
        if (next && next->kind == W_CLAUSE && !parse_level(w, 0, &inner)) return false;
        break;
    }
    case W_NUMERIC:
    case W_BOOLEAN:
    case W_STRING:
    case W_TIME:
    case W_VARIABLE: break;
    default:
        return err_set(w->e, ERR_SPEC, "Unable to plan token kind: 'SEPARATOR', value: '%.*s'",
                       STR_ARG(t->text));
    }
    *out = node_new(w, OP_NONE, NULL, inner);
    (*out)->token = t;
    return true;
}

static bool level_has(size_t level, const struct when_token *t)
{
    if (!t || t->kind == W_PREFIX || !t->op) return false;
    for (size_t i = 0; i < ARRAY_LEN(levels[0]); i++)
        if (levels[level][i] == t->op) return true;
    return false;
}

static bool parse_level(struct when *w, size_t level, struct node **out)
{
    if (level == ARRAY_LEN(levels)) {
        if (++w->depth > LIMIT_EXPR_DEPTH)
            return err_set(w->e, ERR_LIMIT, "nested deeper than %d", LIMIT_EXPR_DEPTH);
        bool ok = parse_value(w, out);
        w->depth--;
        return ok;
    }
    if (!parse_level(w, level + 1, out)) return false;
    while (level_has(level, peek(w))) {
        uint8_t op = w->tokens->items[w->at++].op;
        struct node *right;
        if (!parse_level(w, level + 1, &right)) return false;
        *out = node_new(w, op, *out, right);
    }
    return true;
}

/* --- values --- */

static struct value of_bool(bool b) { return (struct value){.kind = V_BOOL, .b = b}; }
static struct value of_num(double d) { return (struct value){.kind = V_NUM, .num = d}; }
static struct value of_str(struct str s) { return (struct value){.kind = V_STR, .s = s}; }

static void put_value(struct buf *b, struct arena *a, const struct value *v)
{
    switch ((enum value_kind)v->kind) {
    case V_NIL: buf_str(b, STR("<nil>")); return;
    case V_BOOL: buf_str(b, v->b ? STR("true") : STR("false")); return;
    case V_NUM: buf_str(b, gofmt_double_g(a, v->num)); return;
    case V_PATTERN:
    case V_STR: buf_str(b, v->s); return;
    case V_LIST:
        buf_char(b, '[');
        for (size_t i = 0; i < v->list->n; i++) {
            if (i) buf_char(b, ' ');
            put_value(b, a, &v->list->items[i]);
        }
        buf_char(b, ']');
        return;
    }
}

static struct str value_text(struct arena *a, const struct value *v)
{
    if (v->kind == V_STR) return v->s;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    put_value(&b, a, v);
    return buf_dup(a, &b);
}

static bool value_eq(const struct value *x, const struct value *y)
{
    if (x->kind != y->kind) return false;
    switch ((enum value_kind)x->kind) {
    case V_NIL: return true;
    case V_BOOL: return x->b == y->b;
    case V_NUM: return x->num == y->num;
    case V_PATTERN:
    case V_STR: return str_eq(x->s, y->s);
    case V_LIST:
        if (x->list->n != y->list->n) return false;
        for (size_t i = 0; i < x->list->n; i++)
            if (!value_eq(&x->list->items[i], &y->list->items[i])) return false;
        return true;
    }
    return false;
}

/* --- evaluation --- */

static const struct {
    const char *symbol, *family, *not_a; /* for the message of a wrong type */
} op_texts[] = {
    [OP_EQ] = {"=", "comparator", "number"},      [OP_NEQ] = {"!=", "comparator", "number"},
    [OP_GT] = {">", "comparator", "number"},      [OP_LT] = {"<", "comparator", "number"},
    [OP_GTE] = {">=", "comparator", "number"},    [OP_LTE] = {"<=", "comparator", "number"},
    [OP_REQ] = {"=~", "comparator", "number"},    [OP_NREQ] = {"!~", "comparator", "number"},
    [OP_IN] = {"in", "comparator", "number"},     [OP_AND] = {"&&", "logical operator", "bool"},
    [OP_OR] = {"||", "logical operator", "bool"}, [OP_PLUS] = {"+", "modifier", "number"},
    [OP_MINUS] = {"-", "modifier", "number"},     [OP_BITAND] = {"&", "modifier", "number"},
    [OP_BITOR] = {"|", "modifier", "number"},     [OP_BITXOR] = {"^", "modifier", "number"},
    [OP_LSHIFT] = {"<<", "modifier", "number"},   [OP_RSHIFT] = {">>", "modifier", "number"},
    [OP_MULTIPLY] = {"*", "modifier", "number"},  [OP_DIVIDE] = {"/", "modifier", "number"},
    [OP_MODULUS] = {"%", "modifier", "number"},   [OP_EXPONENT] = {"**", "modifier", "number"},
    [OP_NEGATE] = {"-", "prefix", NULL},          [OP_INVERT] = {"!", "prefix", NULL},
    [OP_BITNOT] = {"~", "prefix", NULL},          [OP_IF] = {"?", "ternary operator", "bool"},
    [OP_ELSE] = {":", "ternary operator", "bool"},
    [OP_COALESCE] = {"??", "ternary operator", "bool"}, [OP_SEPARATE] = {",", "separator", NULL},
};

static bool wrong_type(struct when *w, uint8_t op, const struct value *v)
{
    struct str text = value_text(w->a, v);
    err_set(w->e, ERR_SPEC, "Value '%.*s' cannot be used with the %s '%s'", STR_ARG(text),
            op_texts[op].family, op_texts[op].symbol);
    if (!op_texts[op].not_a) return false;
    size_t n = strlen(w->e->text);
    snprintf(w->e->text + n, sizeof w->e->text - n, ", it is not a %s", op_texts[op].not_a);
    return false;
}

static bool check_types(struct when *w, uint8_t op, const struct value *l, const struct value *r)
{
    bool nums = l->kind == V_NUM && r->kind == V_NUM;
    uint8_t want_left = V_NUM, want_right = V_NUM;
    switch ((enum when_op)op) {
    case OP_GT:
    case OP_LT:
    case OP_GTE:
    case OP_LTE:
        return nums || (l->kind == V_STR && r->kind == V_STR) || wrong_type(w, op, l);
    case OP_PLUS: return nums || l->kind == V_STR || r->kind == V_STR || wrong_type(w, op, l);
    case OP_REQ:
    case OP_NREQ:
        want_left = V_STR;
        want_right = r->kind == V_PATTERN ? V_PATTERN : V_STR;
        break;
    case OP_AND:
    case OP_OR: want_left = want_right = V_BOOL; break;
    case OP_IN: return r->kind == V_LIST || wrong_type(w, op, r);
    case OP_IF: return l->kind == V_BOOL || wrong_type(w, op, l);
    case OP_INVERT: return r->kind == V_BOOL || wrong_type(w, op, r);
    case OP_NEGATE:
    case OP_BITNOT: return r->kind == V_NUM || wrong_type(w, op, r);
    case OP_EQ:
    case OP_NEQ:
    case OP_ELSE:
    case OP_COALESCE:
    case OP_SEPARATE:
    case OP_NONE: return true;
    default: break;
    }
    if (l->kind != want_left) return wrong_type(w, op, l);
    return r->kind == want_right || wrong_type(w, op, r);
}

static int64_t to_i64(double d)
{
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0)) return INT64_MIN;
    return (int64_t)d;
}

/* Go's conversion on amd64 for values outside the range of int64. */
static uint64_t to_u64(double d)
{
    if (d >= 9223372036854775808.0 && d < 18446744073709551616.0) return (uint64_t)d;
    return (uint64_t)to_i64(d);
}

static double arithmetic(uint8_t op, double l, double r)
{
    uint64_t shift = to_u64(r);
    switch ((enum when_op)op) {
    case OP_PLUS: return l + r;
    case OP_MINUS: return l - r;
    case OP_MULTIPLY: return l * r;
    case OP_DIVIDE: return l / r;
    case OP_MODULUS: return fmod(l, r);
    case OP_EXPONENT: return gomath_pow(l, r);
    case OP_BITAND: return (double)(to_i64(l) & to_i64(r));
    case OP_BITOR: return (double)(to_i64(l) | to_i64(r));
    case OP_BITXOR: return (double)(to_i64(l) ^ to_i64(r));
    case OP_LSHIFT: return shift > 63 ? 0 : (double)(to_u64(l) << shift);
    case OP_RSHIFT: return shift > 63 ? 0 : (double)(to_u64(l) >> shift);
    case OP_NEGATE: return -r;
    case OP_BITNOT: return (double)~to_i64(r);
    default: IMPOSSIBLE("arithmetic operator");
    }
}

static bool compare(uint8_t op, const struct value *l, const struct value *r)
{
    if (l->kind == V_STR) {
        int c = str_cmp(l->s, r->s);
        return op == OP_GT ? c > 0 : op == OP_LT ? c < 0 : op == OP_GTE ? c >= 0 : c <= 0;
    }
    double a = l->num, b = r->num;
    return op == OP_GT ? a > b : op == OP_LT ? a < b : op == OP_GTE ? a >= b : a <= b;
}

static struct value separate(struct when *w, const struct value *l, const struct value *r)
{
    size_t n = l->kind == V_LIST ? l->list->n : 1;
    struct store *store = l->kind == V_LIST ? l->list->store : NULL;
    if (!store || store->n != n || n == store->cap) {
        store = ARENA_NEW(w->a, struct store);
        *store = (struct store){.n = n, .cap = n * 2 + 4};
        store->items = ARENA_ARRAY(w->a, struct value, store->cap);
        memcpy(store->items, l->kind == V_LIST ? l->list->items : l, n * sizeof *store->items);
    }
    store->items[store->n++] = *r;
    struct list *list = ARENA_NEW(w->a, struct list);
    *list = (struct list){store->items, n + 1, store};
    return (struct value){.kind = V_LIST, .list = list};
}

static bool contains(const struct value *needle, const struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (value_eq(needle, &list->items[i])) return true;
    return false;
}

static bool apply_regex(struct when *w, uint8_t op, const struct value *v[2], struct value *out)
{
    bool hit;
    if (!regex_match(v[1]->s, v[0]->s, &hit, w->e)) return false;
    *out = of_bool(hit == (op == OP_REQ));
    return true;
}

static bool apply(struct when *w, uint8_t op, const struct value *v[2], struct value *out)
{
    const struct value *l = v[0], *r = v[1];
    if (!check_types(w, op, l, r)) return false;
    switch ((enum when_op)op) {
    case OP_NONE: *out = *r; return true;
    case OP_EQ: *out = of_bool(value_eq(l, r)); return true;
    case OP_NEQ: *out = of_bool(!value_eq(l, r)); return true;
    case OP_GT:
    case OP_LT:
    case OP_GTE:
    case OP_LTE: *out = of_bool(compare(op, l, r)); return true;
    case OP_REQ:
    case OP_NREQ: return apply_regex(w, op, v, out);
    case OP_IN: *out = of_bool(contains(l, r->list)); return true;
    case OP_AND: *out = of_bool(l->b && r->b); return true;
    case OP_OR: *out = of_bool(l->b || r->b); return true;
    case OP_INVERT: *out = of_bool(!r->b); return true;
    case OP_IF: *out = l->b ? *r : (struct value){0}; return true;
    case OP_ELSE:
    case OP_COALESCE: *out = l->kind != V_NIL ? *l : *r; return true;
    case OP_SEPARATE: *out = separate(w, l, r); return true;
    case OP_PLUS:
        if (l->kind == V_STR || r->kind == V_STR) {
            struct str left = value_text(w->a, l), right = value_text(w->a, r);
            w->text_bytes += left.n + right.n;
            if (w->text_bytes > LIMIT_VALUE_BYTES)
                return err_set(w->e, ERR_LIMIT, "texts are longer than %d bytes", LIMIT_VALUE_BYTES);
            *out = of_str(str_cat(w->a, left, right));
            return true;
        }
        break;
    default: break;
    }
    *out = of_num(arithmetic(op, l->num, r->num));
    return true;
}

static bool eval_param(struct when *w, struct str name, struct value *out)
{
    const struct val *v = val_get(w->params, name);
    double d;
    if (!v) return err_set(w->e, ERR_SPEC, "No parameter '%.*s' found.", STR_ARG(name));
    if (v->kind == VAL_STR) *out = of_str(v->s);
    else if (v->kind == VAL_BOOL) *out = of_bool(v->b);
    else if (val_double(v, &d)) *out = of_num(d);
    else *out = (struct value){0};
    return true;
}

static bool eval(struct when *w, const struct node *n, struct value *out);

static bool eval_token(struct when *w, const struct node *n, struct value *out)
{
    const struct when_token *t = n->token;
    switch ((enum when_kind)t->kind) {
    case W_NUMERIC: *out = of_num(t->num); return true;
    case W_BOOLEAN: *out = of_bool(t->b); return true;
    case W_STRING:
        *out = of_str(t->text);
        if (t->b) out->kind = V_PATTERN;
        return true;
    case W_TIME: *out = of_num((double)t->time->s); return true;
    case W_VARIABLE: return eval_param(w, t->text, out);
    default: break;
    }
    struct str parameter, field;
    struct value ignored;
    if (n->right && !eval(w, n->right, &ignored)) return false;
    str_cut(t->text, '.', &parameter, &field);
    if (!eval_param(w, parameter, &ignored)) return false;
    str_cut(field, '.', &field, &(struct str){0});
    return err_set(w->e, ERR_SPEC, "Unable to access '%.*s', '%.*s' is not a struct",
                   STR_ARG(field), STR_ARG(parameter));
}

/* && || ?? ? and : may make the right side superfluous; it is then not evaluated. */
static bool short_cut(uint8_t op, const struct value *l, struct value *out)
{
    bool cut = (op == OP_AND && l->kind == V_BOOL && !l->b) ||
               (op == OP_OR && l->kind == V_BOOL && l->b) ||
               ((op == OP_ELSE || op == OP_COALESCE) && l->kind != V_NIL);
    if (cut) *out = *l;
    if (op == OP_IF && l->kind == V_BOOL && !l->b) {
        *out = (struct value){0};
        return true;
    }
    return cut;
}

/* Long chains lean to the left: they are walked by a loop so that the stack grows with nesting
 * only. */
static bool eval(struct when *w, const struct node *n, struct value *out)
{
    size_t length = 0;
    const struct node *at = n;
    for (; at && at->left; at = at->left) length++;
    const struct node **chain = length ? ARENA_ARRAY(w->a, const struct node *, length) : NULL;
    for (size_t i = length; i > 0; i--, n = n->left) chain[i - 1] = n;
    struct value v = {0};
    for (size_t i = 0; i <= length; i++) {
        const struct node *node = i ? chain[i - 1] : at;
        if (!node) continue;
        if (node->token) {
            if (!eval_token(w, node, &v)) return false;
            continue;
        }
        struct value right = {0}, result;
        if (i && short_cut(node->op, &v, &v)) continue;
        if (node->right && !eval(w, node->right, &right)) return false;
        const struct value *pair[2] = {&v, &right};
        if (!apply(w, node->op, pair, &result)) return false;
        v = result;
    }
    *out = v;
    return true;
}

/* --- entry --- */

/* Patterns are compiled while parsing when they are literal, so a bad one is reported even where
 * it would not run. */
static bool check_patterns(const struct when_tokens *tokens, struct err *e)
{
    for (size_t i = 0; i + 1 < tokens->n; i++) {
        struct when_token *t = &tokens->items[i], *next = t + 1;
        bool regex = t->kind == W_COMPARATOR && (t->op == OP_REQ || t->op == OP_NREQ);
        if (!regex || next->kind != W_STRING || next->b) continue;
        struct regex *r = regex_new(next->text, e);
        if (!r) return false;
        regex_free(r);
        next->b = true; /* a pattern, no longer a text */
    }
    return true;
}

static bool parse(struct when *w, struct str expr, bool words, struct node **root)
{
    if (expr.n > LIMIT_EXPR_BYTES)
        return err_set(w->e, ERR_LIMIT, "longer than %d bytes", LIMIT_EXPR_BYTES);
    struct when_tokens *tokens = ARENA_NEW(w->a, struct when_tokens);
    w->tokens = tokens;
    if (!when_lex(w->a, expr, tokens, w->e) || !when_check(w->a, tokens, w->e)) return false;
    if (words && !check_patterns(tokens, w->e)) return false;
    for (size_t i = 0; words && i < tokens->n; i++)
        if (tokens->items[i].kind == W_VARIABLE) tokens->items[i].kind = W_STRING;
    if (words && !when_check(w->a, tokens, w->e)) return false;
    return check_patterns(tokens, w->e) && parse_level(w, 0, root);
}

static bool when_run(struct when *w, struct str expr, bool words, bool *out)
{
    struct node *root = NULL;
    struct value v;
    struct err scratch;
    if (!w->e) w->e = &scratch;
    if (!parse(w, expr, words, &root)) {
        bool token = strstr(w->e->text, "Invalid token") != NULL;
        err_ctx(w->e, "Invalid 'when' expression '%.*s'", STR_ARG(expr));
        size_t n = strlen(w->e->text);
        if (token)
            snprintf(w->e->text + n, sizeof w->e->text - n,
                     " (hint: try wrapping the affected expression in quotes (\"))");
        return false;
    }
    if (!eval(w, root, &v))
        return err_ctx(w->e, "failed to evaluate 'when' expression '%.*s'", STR_ARG(expr));
    if (v.kind != V_BOOL) {
        struct str got = value_text(w->a, &v);
        return err_set(w->e, ERR_SPEC, "Expected boolean evaluation for '%.*s'. Got %.*s",
                       STR_ARG(expr), STR_ARG(got));
    }
    *out = v.b;
    return true;
}

bool when_eval(struct arena *a, struct str expr, bool *out, struct err *e)
{
    struct when w = {.a = a, .e = e};
    return when_run(&w, expr, true, out);
}

bool when_eval_params(struct arena *a, struct str expr, const struct val *params, bool *out,
                      struct err *e)
{
    struct when w = {.a = a, .params = params, .e = e};
    return when_run(&w, expr, false, out);
}
