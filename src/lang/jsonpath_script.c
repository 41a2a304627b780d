/* Scripts and filters of the jsonpath() dialect: see jsonpath_p.h. Operators are found by their text, the
 * loosest first, outside of quotes and brackets; what has none is a name, a number or a plain text. Values of
 * paths that are texts come in single quotes, which decides what equals what. */
#include "base/limits.h"
#include "doc/json.h"
#include "lang/jsonpath_p.h"
#include "lang/gomath.h"
#include "lang/regex.h"

enum { SCRIPT_BYTES = 4096, DEPTH_MAX = 100 };

enum jop { S_OR, S_AND, S_EQ, S_NE, S_LE, S_GE, S_LT, S_GT, S_REGEX, S_NOT, S_ADD, S_SUB, S_POW, S_MUL,
           S_DIV, S_MOD, S_NOT_IN, S_IN, S_NOW, S_ROOT, S_COUNT };

static const char *const op_text[S_COUNT] = {"||", "&&", "==", "!=", "<=", ">=", "<", ">", "=~", "!", "+", "-",
                                             "**", "*", "/", "%", "not in", "in", "@", "$"};

enum operand_kind { O_NONE, O_TEXT, O_VALUE, O_NODE };

struct operand {
    uint8_t kind;
    struct str s;
    struct xv v;
    const struct snode *node;
};

struct snode {
    uint8_t op; /* S_NOW: a path */
    struct operand left, right;
    struct jpath path;
};

struct jscript {
    struct str text;
    const struct snode *root; /* NULL: no operator */
};

struct names {
    struct xctx *x;
    const struct xv *root, *now;
};

bool jscript_is_empty(const struct jscript *s) { return !s->text.n; }

/* --- compiling --- */

struct compiler {
    struct xctx *x;
    int depth;
};

/* Where the operator begins, outside of quotes and brackets; -1. An empty one is found after the first
 * character (which the library looks for when parentheses were taken off). */
static ptrdiff_t find_op(struct str s, struct str op)
{
    bool single = false, twice = false;
    int square = 0, round = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool quoted = single || twice;
        if ((c == '(' || c == ')') && (quoted || square > 0)) continue;
        if ((c == '[' || c == ']') && (quoted || round > 0)) continue;
        if (c == '\'' && (twice || square > 0 || round > 0)) continue;
        if (c == '"' && (single || square > 0 || round > 0)) continue;
        round += (c == '(') - (c == ')');
        square += (c == '[') - (c == ']');
        single ^= c == '\'';
        twice ^= c == '"';
        if (single || twice || square > 0 || round > 0 || op.n > i + 1) continue;
        if (str_eq(str_sub(s, i + 1 - op.n, op.n), op)) return (ptrdiff_t)(i + 1 - op.n);
    }
    return -1;
}

static bool build(struct compiler *c, struct str s, int op, const struct snode **out);

static bool operand_of(struct compiler *c, struct str s, int op, struct operand *out)
{
    const struct snode *node;
    if (!build(c, s, op, &node)) return false;
    *out = (struct operand){.kind = node ? O_NODE : O_NONE, .node = node};
    s = str_trim(s);
    if (node || !s.n) return true;
    *out = (struct operand){.kind = O_TEXT, .s = s};
    bool json = (s.p[0] == '[' && s.p[s.n - 1] == ']') || (s.p[0] == '{' && s.p[s.n - 1] == '}');
    struct val v;
    struct err ignored = {0};
    if (json && json_parse(c->x->a, s, NULL, &v, &ignored)) *out = (struct operand){.kind = O_VALUE, .v = xv_from_val(c->x->a, &v)};
    return true;
}

/* op -1: the empty operator in front of all others. */
static bool build_with(struct compiler *c, struct str s, int op, const struct snode **out)
{
    int first = op; /* which operators the operands are searched for */
    struct str text = op < 0 ? STR("") : str_of(op_text[op]);
    s = str_trim(s);
    if (!s.n) return true;
    if (s.p[0] == '(' && s.p[s.n - 1] == ')' && s.n > 1) {
        s = str_trim(str_sub(s, 1, s.n - 2));
        first = -1;
    }
    ptrdiff_t at = find_op(s, text);
    bool path = op == S_NOW || op == S_ROOT;
    struct snode node = {.op = (uint8_t)op};
    if (at < 0) return first + 1 >= S_COUNT || build(c, s, first + 1, out);
    struct str right = str_trim(str_from(s, (size_t)at + text.n)), left = str_trim(str_sub(s, 0, (size_t)at));
    if (!right.n && !path) return first + 1 >= S_COUNT || build(c, s, first + 1, out);
    if (!operand_of(c, right, first, &node.right)) return false;
    if (!left.n && !path && op != S_NOT) return first + 1 >= S_COUNT || build(c, s, first + 1, out);
    if (!operand_of(c, left, first, &node.left)) return false;
    if ((path || op == S_NOT) && node.left.kind != O_NONE) return first + 1 >= S_COUNT || build(c, s, first + 1, out);
    if (op < 0) return xfail(c->x, "unsupported operator");
    if (path) {
        node.op = S_NOW;
        if (!jpath_compile(c->x, s, &node.path)) return false;
    }
    struct snode *kept = ARENA_NEW(c->x->a, struct snode);
    *kept = node;
    *out = kept;
    return true;
}

static bool build(struct compiler *c, struct str s, int op, const struct snode **out)
{
    *out = NULL;
    if (c->depth > DEPTH_MAX + S_COUNT) return xfail(c->x, "a script is nested deeper than %d", DEPTH_MAX);
    if (!xcharge(c->x, s.n / 16 + 1)) return false;
    c->depth++;
    bool ok = build_with(c, s, op, out);
    c->depth--;
    return ok;
}

bool jscript_compile(struct xctx *x, struct str text, const struct jscript **out)
{
    struct compiler c = {.x = x};
    struct jscript *s = ARENA_NEW(x->a, struct jscript);
    if (text.n > SCRIPT_BYTES) return xlimit(x, "a script in a path is too long", SCRIPT_BYTES);
    s->text = text;
    *out = s;
    return build(&c, text, S_OR, &s->root);
}

/* --- running --- */

static bool run(const struct names *n, const struct snode *node, struct xv *out);

/* "@", "$", "nil" and "null" are names. */
static bool is_name(const struct names *n, struct str s, struct xv *out)
{
    if (str_is(s, "$")) *out = *n->root;
    else if (str_is(s, "@")) *out = *n->now;
    else if (str_is(s, "nil") || str_is(s, "null")) *out = xv_nil();
    else return false;
    return true;
}

/* The operand's value; a text that is a name stands for its value. *missing: there is no operand. */
static bool value_of(const struct names *n, const struct operand *o, struct xv *out, bool *named)
{
    *out = xv_nil();
    *named = false;
    if (o->kind == O_NONE) return xfail(n->x, "invalid argument. is nil");
    if (o->kind == O_NODE) {
        if (!run(n, o->node, out)) return false;
    } else {
        *out = o->kind == O_TEXT ? xv_str(o->s) : o->v;
    }
    if (out->kind == X_STR) *named = is_name(n, out->s, out);
    return true;
}

static bool number_of(const struct names *n, const struct operand *o, double *out)
{
    struct xv v;
    bool named;
    if (!value_of(n, o, &v, &named)) return false;
    return xv_parse_float(xv_text(n->x, &v), out) || xfail(n->x, "invalid argument. expected number");
}

static bool integer_of(const struct names *n, const struct operand *o, int64_t *out)
{
    struct xv v;
    bool named;
    if (!value_of(n, o, &v, &named)) return false;
    return str_to_i64(xv_text(n->x, &v), out) || xfail(n->x, "invalid argument. expected integer");
}

/* strconv.ParseBool */
static bool read_bool(struct str s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (str_is(s, yes[i]) || str_is(s, no[i])) return *out = str_is(s, yes[i]), true;
    return false;
}

static bool bool_of(const struct names *n, const struct operand *o, bool *out)
{
    struct xv v;
    bool named;
    *out = false;
    if (o->kind == O_NONE) return true;
    if (!value_of(n, o, &v, &named)) return false;
    if (v.kind == X_NIL) return true;
    return read_bool(xv_text(n->x, &v), out) || xfail(n->x, "invalid argument. expected boolean");
}

static bool quoted_by(struct str s, char quote) { return s.n > 1 && s.p[0] == quote && s.p[s.n - 1] == quote; }

static bool text_of(const struct names *n, const struct operand *o, struct str *out)
{
    struct xv v;
    bool named;
    if (!value_of(n, o, &v, &named)) return false;
    *out = xv_text(n->x, &v);
    if (v.kind != X_STR || quoted_by(*out, '\'')) return true;
    bool twice = quoted_by(*out, '"');
    if (twice) *out = str_sub(*out, 1, out->n - 2);
    if (twice || named) *out = str_fmt(n->x->a, "'%.*s'", STR_ARG(*out));
    return true;
}

static struct str unquoted(struct str s) { return quoted_by(s, '\'') ? str_sub(s, 1, s.n - 2) : s; }

static bool run_regex(const struct names *n, const struct snode *node, struct xv *out)
{
    struct str text, pattern;
    bool hit;
    if (!text_of(n, &node->left, &text) || !text_of(n, &node->right, &pattern)) return false;
    if (!regex_match(unquoted(pattern), unquoted(text), &hit, n->x->e)) return false;
    *out = xv_bool(hit);
    return true;
}

static bool run_equal(const struct names *n, const struct snode *node, struct xv *out)
{
    double a, b;
    struct str x, y;
    bool equal;
    if (number_of(n, &node->left, &a) && number_of(n, &node->right, &b)) equal = a == b;
    else if (!text_of(n, &node->left, &x) || !text_of(n, &node->right, &y)) return false;
    else equal = str_eq(x, y);
    *out = xv_bool(equal == (node->op == S_EQ));
    return true;
}

static bool elements_of(const struct names *n, const struct operand *o, struct xv *out)
{
    bool named;
    struct val v;
    struct err ignored = {0};
    if (!value_of(n, o, out, &named)) return false;
    bool json = out->kind == X_STR && !named && out->s.n > 1 &&
                ((out->s.p[0] == '[' && out->s.p[out->s.n - 1] == ']') || (out->s.p[0] == '{' && out->s.p[out->s.n - 1] == '}'));
    if (json) {
        if (!json_parse(n->x->a, out->s, NULL, &v, &ignored)) return xfail(n->x, "invalid argument");
        *out = xv_from_val(n->x->a, &v);
    }
    return out->kind == X_LIST || out->kind == X_MAP || xfail(n->x, "invalid argument. expected array, map, or slice");
}

static bool run_in(const struct names *n, const struct snode *node, struct xv *out)
{
    struct xv item = xv_nil(), list;
    double d;
    struct str s;
    bool b, hit = false;
    if (number_of(n, &node->left, &d)) item = xv_float(d);
    else if (text_of(n, &node->left, &s)) item = xv_str(s);
    else if (bool_of(n, &node->left, &b)) item = xv_bool(b);
    if (!elements_of(n, &node->right, &list)) return false;
    size_t count = list.kind == X_LIST ? list.list->n : list.map->n;
    if (!xcharge(n->x, count)) return false;
    for (size_t i = 0; i < count && !hit; i++) {
        const struct xv *v = list.kind == X_LIST ? &list.list->items[i] : &list.map->pairs[i].v;
        hit = v->kind == item.kind && v->kind != X_LIST && v->kind != X_MAP && xv_eq(v, &item);
    }
    *out = xv_bool(hit == (node->op == S_IN));
    return true;
}

static bool run_numbers(const struct names *n, const struct snode *node, struct xv *out)
{
    double a, b;
    int64_t i, j;
    if (node->op == S_MOD) {
        if (!integer_of(n, &node->left, &i) || !integer_of(n, &node->right, &j)) return false;
        if (!j) return xfail(n->x, "runtime error: integer divide by zero");
        *out = (struct xv){.kind = X_INT, .sub = XI_INT64, .i = j == -1 ? 0 : i % j};
        return true;
    }
    if (!number_of(n, &node->left, &a) || !number_of(n, &node->right, &b)) return false;
    switch ((enum jop)node->op) {
    case S_LT: *out = xv_bool(a < b); return true;
    case S_LE: *out = xv_bool(a <= b); return true;
    case S_GT: *out = xv_bool(a > b); return true;
    case S_GE: *out = xv_bool(a >= b); return true;
    case S_ADD: *out = xv_float(a + b); return true;
    case S_SUB: *out = xv_float(a - b); return true;
    case S_MUL: *out = xv_float(a * b); return true;
    case S_DIV: *out = xv_float(a / b); return true;
    default: *out = xv_float(gomath_pow(a, b)); return true;
    }
}

static bool run_path(const struct names *n, const struct snode *node, struct xv *out)
{
    if (!jpath_apply(n->x, &node->path, n->root, n->now, out)) return false;
    if (out->kind == X_STR && !quoted_by(out->s, '\'')) *out = xv_str(str_fmt(n->x->a, "'%.*s'", STR_ARG(out->s)));
    return true;
}

static bool run(const struct names *n, const struct snode *node, struct xv *out)
{
    bool a, b;
    if (!xcharge(n->x, 1)) return false;
    switch ((enum jop)node->op) {
    case S_NOW: return run_path(n, node, out);
    case S_REGEX: return run_regex(n, node, out);
    case S_EQ:
    case S_NE: return run_equal(n, node, out);
    case S_IN:
    case S_NOT_IN: return run_in(n, node, out);
    case S_OR:
    case S_AND:
        if (!bool_of(n, &node->left, &a) || !bool_of(n, &node->right, &b)) return false;
        *out = xv_bool(node->op == S_OR ? a || b : a && b);
        return true;
    case S_NOT:
        if (!bool_of(n, &node->right, &a)) return false;
        *out = xv_bool(!a);
        return true;
    default: return run_numbers(n, node, out);
    }
}

bool jscript_eval(struct xctx *x, const struct jscript *s, const struct xv *root, const struct xv *now,
                  struct xv *out)
{
    struct names n = {x, root, now};
    double d;
    bool b;
    if (s->root) return run(&n, s->root, out);
    if (is_name(&n, s->text, out)) return true;
    if (xv_parse_float(s->text, &d)) *out = xv_float(d);
    else if (read_bool(s->text, &b)) *out = xv_bool(b);
    else *out = xv_str(s->text);
    return true;
}
