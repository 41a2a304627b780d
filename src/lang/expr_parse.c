/* The parser of the expression language: operator precedence, pipes, chains, predicates.
 * See expr_p.h. The first error ends it. */
#include <stdarg.h>

#include "base/limits.h"
#include "lang/expr_p.h"
#include "lang/rune.h"

enum {
    NODES_MAX = 10000, /* as expr-lang */
    TREE_DEPTH_MAX = 1000,
    ARGS_MAX = 10000,
};

struct parser {
    const struct xparse *opts;
    struct arena *a;
    const struct xtokens *tokens;
    size_t at;
    const struct xtoken *now;
    int depth;      /* of recursion */
    int predicates; /* of nested predicates */
    size_t nodes;
    bool failed;
};

struct operator {
    struct str text;
    uint8_t op;
    int16_t precedence;
};

static const struct operator binaries[] = {
    {STR("|"), XO_PIPE, 0},        {STR("or"), XO_OR, 10},        {STR("||"), XO_OR, 10},
    {STR("and"), XO_AND, 15},      {STR("&&"), XO_AND, 15},       {STR("=="), XO_EQ, 20},
    {STR("!="), XO_NE, 20},        {STR("<"), XO_LT, 20},         {STR(">"), XO_GT, 20},
    {STR(">="), XO_GE, 20},        {STR("<="), XO_LE, 20},        {STR("in"), XO_IN, 20},
    {STR("matches"), XO_MATCHES, 20}, {STR("contains"), XO_CONTAINS, 20}, {STR("startsWith"), XO_STARTS, 20},
    {STR("endsWith"), XO_ENDS, 20}, {STR(".."), XO_RANGE, 25},    {STR("+"), XO_ADD, 30},
    {STR("-"), XO_SUB, 30},        {STR("*"), XO_MUL, 60},        {STR("/"), XO_DIV, 60},
    {STR("%"), XO_MOD, 60},        {STR("**"), XO_POW, 100},      {STR("^"), XO_POW, 100},
    {STR("??"), XO_COALESCE, 500},
};

static const struct operator unaries[] = {
    {STR("not"), XO_NOT, 50}, {STR("!"), XO_NOT, 50}, {STR("-"), XO_NEG, 90}, {STR("+"), XO_PLUS, 90},
};

static const struct operator *find_operator(const struct operator *table, size_t n,
                                            const struct xtoken *t)
{
    for (size_t i = 0; t->kind == XT_OP && i < n; i++)
        if (str_eq(t->text, table[i].text)) return &table[i];
    return NULL;
}

bool xerr_at(struct err *e, struct str text, uint32_t at, const char *message)
{
    size_t line = 1, column = 1, i = 0;
    for (size_t len; i < text.n && i < at; i += len) {
        bool feed = rune_read(str_from(text, i), &len) == '\n';
        line += feed;
        column = feed ? 1 : column + 1;
    }
    return err_set(e, ERR_SPEC, "%s (%zu:%zu)", message, line, column);
}

static struct xnode *fail_at(struct parser *p, uint32_t at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static struct xnode *fail_at(struct parser *p, uint32_t at, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!p->failed) xerr_at(p->opts->e, p->opts->text, at, text);
    p->failed = true;
    return NULL;
}

/* A token as expr-lang shows it. */
static struct str shown(const struct parser *p, const struct xtoken *t)
{
    static const char *const kinds[] = {"EOF", "Identifier", "Number", "String", "Operator",
                                        "Bracket", "error"};
    if (!t->text.n) return str_of(kinds[t->kind]);
    return str_fmt(p->a, "%s(\"%.*s\")", kinds[t->kind], STR_ARG(t->text));
}

static struct xnode *unexpected(struct parser *p)
{
    return fail_at(p, p->now->at, "unexpected token %.*s", STR_ARG(shown(p, p->now)));
}

static void next(struct parser *p)
{
    if (p->failed) return;
    if (p->at + 1 >= p->tokens->n) {
        fail_at(p, p->now->at, "unexpected end of expression");
        return;
    }
    p->now = &p->tokens->items[++p->at];
    if (p->now->kind == XT_ERROR) fail_at(p, p->now->at, "%.*s", STR_ARG(p->now->text));
}

static bool is_op(const struct parser *p, const char *text)
{
    return p->now->kind == XT_OP && str_is(p->now->text, text);
}
static bool is_bracket(const struct parser *p, const char *text)
{
    return p->now->kind == XT_BRACKET && str_is(p->now->text, text);
}

static bool expect(struct parser *p, bool there)
{
    if (there) next(p);
    else unexpected(p);
    return !p->failed;
}

/* --- nodes --- */

static struct xnode *node_new(struct parser *p, enum xnode_kind kind, uint32_t at, size_t n)
{
    if (p->failed) return NULL;
    if (++p->nodes > NODES_MAX)
        return fail_at(p, p->now->at, "compilation failed: expression exceeds maximum allowed nodes");
    struct xnode *node = ARENA_NEW(p->a, struct xnode);
    node->kind = (uint8_t)kind;
    node->at = at;
    node->n = (uint32_t)n;
    node->kids = n ? arena_alloc_raw(p->a, n * sizeof *node->kids) : NULL; /* to be filled in */
    return node;
}

/* All kids are in place: notes how deep the tree is, which bounds every later walk. */
static struct xnode *node_done(struct parser *p, struct xnode *node)
{
    if (!node || p->failed) return NULL;
    uint16_t depth = 0;
    for (uint32_t i = 0; i < node->n; i++)
        if (node->kids[i]) depth = MAX(depth, node->kids[i]->depth);
    node->depth = (uint16_t)(depth + 1);
    if (node->depth > TREE_DEPTH_MAX)
        return fail_at(p, node->at, "the expression is nested deeper than %d", TREE_DEPTH_MAX);
    return node;
}

static struct xnode *node_str(struct parser *p, enum xnode_kind kind, const struct xtoken *t)
{
    struct xnode *node = node_new(p, kind, t->at, 0);
    if (node) node->s = t->text;
    return node_done(p, node);
}

static struct xnode *node_op(struct parser *p, const struct operator *op, const struct xtoken *t,
                             struct xnode *kids[2])
{
    size_t n = kids[1] ? 2 : 1;
    struct xnode *node = node_new(p, n == 2 ? XN_BINARY : XN_UNARY, t->at, n);
    if (!node || !kids[0]) return NULL;
    memcpy(node->kids, kids, n * sizeof *kids);
    node->op = op->op;
    node->op_text = t->text;
    return node_done(p, node);
}

struct nodes {
    struct xnode **items;
    size_t n, cap;
};

static void nodes_push(struct parser *p, struct nodes *v, struct xnode *node)
{
    if (v->n >= ARGS_MAX) fail_at(p, p->now->at, "more than %d elements", ARGS_MAX);
    if (!node || p->failed) return;
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 4;
        struct xnode **items = ARENA_ARRAY(p->a, struct xnode *, cap);
        if (v->n) memcpy(items, v->items, v->n * sizeof *items);
        v->items = items;
        v->cap = cap;
    }
    v->items[v->n++] = node;
}

static struct xnode *node_of(struct parser *p, enum xnode_kind kind, uint32_t at,
                             const struct nodes *kids)
{
    struct xnode *node = node_new(p, kind, at, 0);
    if (!node) return NULL;
    node->n = (uint32_t)kids->n;
    node->kids = kids->items;
    return node_done(p, node);
}

/* --- grammar --- */

static struct xnode *parse_expression(struct parser *p, int precedence);
static struct xnode *parse_postfix(struct parser *p, struct xnode *node);

static struct xnode *parse_sequence(struct parser *p)
{
    struct nodes nodes = {0};
    nodes_push(p, &nodes, parse_expression(p, 0));
    while (!p->failed && is_op(p, ";")) {
        next(p);
        if (p->now->kind == XT_EOF) break;
        nodes_push(p, &nodes, parse_expression(p, 0));
    }
    if (p->failed) return NULL;
    return nodes.n == 1 ? nodes.items[0] : node_of(p, XN_SEQUENCE, nodes.items[0]->at, &nodes);
}

static struct xnode *parse_let(struct parser *p)
{
    next(p);
    const struct xtoken *name = p->now;
    if (!expect(p, name->kind == XT_IDENT) || !expect(p, is_op(p, "="))) return NULL;
    struct xnode *value = parse_expression(p, 0);
    if (!value || !expect(p, is_op(p, ";"))) return NULL;
    struct xnode *body = parse_sequence(p);
    struct xnode *node = node_new(p, XN_LET, name->at, 2);
    if (!node) return NULL;
    node->s = name->text;
    node->kids[0] = value;
    node->kids[1] = body;
    return node_done(p, node);
}

static struct xnode *node_cond(struct parser *p, uint32_t at, struct xnode *kids[3])
{
    struct xnode *node = node_new(p, XN_COND, at, 3);
    if (!node) return NULL;
    memcpy(node->kids, kids, 3 * sizeof *kids);
    return node_done(p, node);
}

static struct xnode *parse_block(struct parser *p)
{
    if (!expect(p, is_bracket(p, "{"))) return NULL;
    struct xnode *node = parse_sequence(p);
    return node && expect(p, is_bracket(p, "}")) ? node : NULL;
}

static struct xnode *parse_if(struct parser *p)
{
    uint32_t at = p->now->at;
    if (++p->depth > LIMIT_EXPR_DEPTH)
        return fail_at(p, at, "nested deeper than %d", LIMIT_EXPR_DEPTH);
    next(p);
    struct xnode *kids[3] = {parse_expression(p, 0)};
    if (!p->failed) kids[1] = parse_block(p);
    if (p->failed || !expect(p, is_op(p, "else"))) return NULL;
    kids[2] = is_op(p, "if") ? parse_if(p) : parse_block(p);
    p->depth--;
    return p->failed ? NULL : node_cond(p, at, kids);
}

static struct xnode *parse_ternary(struct parser *p, struct xnode *node)
{
    while (!p->failed && is_op(p, "?")) {
        struct xnode *kids[3] = {node, node};
        next(p);
        if (!is_op(p, ":")) kids[1] = parse_expression(p, 0);
        if (p->failed || !expect(p, is_op(p, ":"))) return NULL;
        kids[2] = parse_expression(p, 0);
        node = p->failed ? NULL : node_cond(p, p->now->at, kids);
    }
    return p->failed ? NULL : node;
}

/* Whether another expression starts here (arguments, elements); eats the comma before it. */
static bool more(struct parser *p, const char *close, size_t n)
{
    if (p->failed || is_bracket(p, close)) return false;
    if (n && !expect(p, is_op(p, ","))) return false;
    return !is_bracket(p, close);
}

static bool parse_arguments(struct parser *p, struct nodes *args)
{
    size_t given = args->n;
    if (!expect(p, is_bracket(p, "("))) return false;
    while (more(p, ")", args->n - given)) nodes_push(p, args, parse_expression(p, 0));
    return !p->failed && expect(p, is_bracket(p, ")"));
}

static struct xnode *parse_predicate(struct parser *p)
{
    uint32_t at = p->now->at;
    bool braces = is_bracket(p, "{");
    if (braces) next(p);
    p->predicates++;
    struct xnode *body = braces ? parse_sequence(p) : parse_expression(p, 0);
    p->predicates--;
    if (p->failed) return NULL;
    if (!braces && is_op(p, ";"))
        return fail_at(p, p->now->at, "wrap predicate with brackets { and }");
    if (braces && !expect(p, is_bracket(p, "}"))) return NULL;
    struct nodes kids = {0};
    nodes_push(p, &kids, body);
    return node_of(p, XN_PREDICATE, at, &kids);
}

/* The spec of a builtin with a predicate: 'e' expression, 'p' predicate, "?" may be missing. */
static bool parse_loop_arguments(struct parser *p, const char *spec, struct nodes *args)
{
    if (!expect(p, is_bracket(p, "("))) return false;
    size_t skip = args->n, first = skip;
    for (const char *c = spec; *c; c++) {
        if (*c == '?') continue;
        if (skip) {
            skip--;
            continue;
        }
        bool optional = c[1] == '?';
        if (is_bracket(p, ")")) {
            if (optional) break;
            fail_at(p, p->now->at, "expected at least %zu arguments", strcspn(spec, "?") - first);
            return false;
        }
        if (args->n > first && !expect(p, is_op(p, ","))) return false;
        nodes_push(p, args, *c == 'p' ? parse_predicate(p) : parse_expression(p, 0));
        if (p->failed) return false;
    }
    if (is_op(p, ",")) next(p);
    return expect(p, is_bracket(p, ")"));
}

/* A call by name; `piped` is what stood before "|". "::name" always means the builtin. */
static struct xnode *parse_call(struct parser *p, const struct xtoken *name, struct xnode *piped,
                                bool hidden_by_env)
{
    struct nodes args = {0};
    const struct xbuiltin *builtin = xbuiltin_find(name->text);
    if (builtin && hidden_by_env && p->opts->has && p->opts->has(p->opts->has_ctx, name->text))
        builtin = NULL;
    if (!builtin) nodes_push(p, &args, node_str(p, XN_IDENT, name));
    if (piped) nodes_push(p, &args, piped);
    bool ok = builtin && builtin->predicate ? parse_loop_arguments(p, builtin->spec, &args)
                                            : parse_arguments(p, &args);
    if (!ok) return NULL;
    struct xnode *node = node_of(p, builtin ? XN_BUILTIN : XN_CALL, name->at, &args);
    if (node && builtin) node->builtin = builtin;
    return node;
}

static struct xnode *parse_array(struct parser *p)
{
    uint32_t at = p->now->at;
    struct nodes items = {0};
    next(p);
    while (more(p, "]", items.n)) nodes_push(p, &items, parse_expression(p, 0));
    if (p->failed || !expect(p, is_bracket(p, "]"))) return NULL;
    return node_of(p, XN_ARRAY, at, &items);
}

static struct xnode *parse_key(struct parser *p)
{
    const struct xtoken *t = p->now;
    if (t->kind == XT_NUMBER || t->kind == XT_STRING || t->kind == XT_IDENT) {
        struct xnode *key = node_str(p, XN_STR, t);
        next(p);
        return key;
    }
    if (is_bracket(p, "(")) return parse_expression(p, 0);
    return fail_at(p, t->at, "a map key must be a quoted string, a number, a identifier, or an "
                             "expression enclosed in parentheses (unexpected token %.*s)",
                   STR_ARG(shown(p, t)));
}

static struct xnode *parse_map(struct parser *p)
{
    uint32_t at = p->now->at;
    struct nodes pairs = {0};
    next(p);
    while (more(p, "}", pairs.n)) {
        nodes_push(p, &pairs, parse_key(p));
        if (p->failed || !expect(p, is_op(p, ":"))) return NULL;
        nodes_push(p, &pairs, parse_expression(p, 0));
    }
    if (p->failed || !expect(p, is_bracket(p, "}"))) return NULL;
    return node_of(p, XN_MAP, at, &pairs);
}

static bool parse_integer(struct str s, int base, int64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = (int64_t)v;
    return s.n && v <= INT64_MAX;
}

static struct xnode *parse_number(struct parser *p)
{
    const struct xtoken *t = p->now;
    char *z = arena_alloc_bytes(p->a, t->text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->text.n; i++)
        if (t->text.p[i] != '_') z[n++] = t->text.p[i];
    z[n] = 0;
    next(p);
    struct str s = str_n(z, n);
    char base = n > 1 && z[0] == '0' ? (char)(z[1] | 32) : 0;
    bool is_float = base != 'x' && strpbrk(z, ".eE");
    struct xnode *node = node_new(p, is_float ? XN_FLOAT : XN_INT, t->at, 0);
    if (!node) return NULL;
    if (is_float) {
        if (!xv_parse_float(s, &node->d)) return fail_at(p, p->now->at, "invalid float literal: %s", z);
        return node_done(p, node);
    }
    int radix = base == 'x' ? 16 : base == 'b' ? 2 : base == 'o' ? 8 : 10;
    const char *what = radix == 16 ? "hex" : radix == 2 ? "binary" : radix == 8 ? "octal" : "integer";
    if (!parse_integer(str_from(s, radix == 10 ? 0 : 2), radix, &node->i))
        return fail_at(p, p->now->at, "invalid %s literal: %s", what, z);
    return node_done(p, node);
}

static struct xnode *parse_name(struct parser *p)
{
    const struct xtoken *t = p->now;
    next(p);
    bool literal = str_is(t->text, "true") || str_is(t->text, "false");
    if (literal || str_is(t->text, "nil")) {
        struct xnode *node = node_new(p, literal ? XN_BOOL : XN_NIL, t->at, 0);
        if (node) node->b = str_is(t->text, "true");
        return node_done(p, node);
    }
    struct xnode *node = is_bracket(p, "(") ? parse_call(p, t, NULL, true) : node_str(p, XN_IDENT, t);
    return parse_postfix(p, node);
}

static struct xnode *parse_secondary(struct parser *p)
{
    const struct xtoken *t = p->now;
    struct xnode *node;
    switch ((enum xtoken_kind)t->kind) {
    case XT_IDENT: return parse_name(p);
    case XT_NUMBER: return parse_number(p);
    case XT_STRING:
        next(p);
        node = node_str(p, XN_STR, t);
        break;
    default:
        node = is_bracket(p, "[") ? parse_array(p) : is_bracket(p, "{") ? parse_map(p) : unexpected(p);
    }
    return parse_postfix(p, node);
}

static struct xnode *parse_pointer(struct parser *p)
{
    const struct xtoken *t = p->now;
    struct xnode *node = node_new(p, XN_POINTER, t->at, 0);
    if (!node) return NULL;
    node->s = STR("");
    if (is_op(p, "#")) {
        next(p);
        if (p->now->kind == XT_IDENT) {
            node->s = p->now->text;
            next(p);
        }
    }
    return parse_postfix(p, node_done(p, node));
}

static struct xnode *parse_primary(struct parser *p)
{
    const struct xtoken *t = p->now;
    const struct operator *op = find_operator(unaries, ARRAY_LEN(unaries), t);
    if (op) {
        next(p);
        struct xnode *kids[2] = {parse_expression(p, op->precedence), NULL};
        return parse_postfix(p, node_op(p, op, t, kids));
    }
    if (is_bracket(p, "(")) {
        next(p);
        struct xnode *inner = parse_sequence(p);
        if (p->failed || !expect(p, is_bracket(p, ")"))) return NULL;
        return parse_postfix(p, inner);
    }
    if (p->predicates && (is_op(p, "#") || is_op(p, "."))) return parse_pointer(p);
    if (is_op(p, "::")) {
        next(p);
        t = p->now;
        if (!expect(p, t->kind == XT_IDENT)) return NULL;
        return parse_postfix(p, parse_call(p, t, NULL, false));
    }
    return parse_secondary(p);
}

/* ".name", "?.name", and a call of it. */
static struct xnode *parse_member(struct parser *p, struct xnode *node, bool optional)
{
    const struct xtoken *name = p->now;
    next(p);
    bool word = name->kind == XT_OP && name->text.n && rune_is_letter((unsigned char)name->text.p[0]);
    if (name->kind != XT_IDENT && !word) return fail_at(p, p->now->at, "expected name");
    bool chain = node->kind == XN_CHAIN;
    struct xnode *key = node_str(p, XN_STR, name), *member = node_new(p, XN_MEMBER, name->at, 2);
    if (!member) return NULL;
    member->kids[0] = chain ? node->kids[0] : node;
    member->kids[1] = key;
    member->optional = optional;
    node = node_done(p, member);
    if (!node) return NULL;
    if (is_bracket(p, "(")) {
        struct nodes call = {0};
        node->method = true;
        nodes_push(p, &call, node);
        if (!parse_arguments(p, &call)) return NULL;
        node = node_of(p, XN_CALL, name->at, &call);
    }
    if (!node || !(chain || optional)) return node;
    struct nodes inner = {0};
    nodes_push(p, &inner, node);
    return node_of(p, XN_CHAIN, name->at, &inner);
}

/* "[i]", "[from:to]" with either side optional. */
static struct xnode *parse_index(struct parser *p, struct xnode *base, bool optional)
{
    uint32_t at = p->now->at;
    struct xnode *from = NULL, *to = NULL;
    next(p);
    if (!is_op(p, ":")) from = parse_expression(p, 0);
    bool slice = !p->failed && is_op(p, ":");
    if (slice) {
        next(p);
        if (!is_bracket(p, "]")) to = parse_expression(p, 0);
    }
    if (p->failed || !expect(p, is_bracket(p, "]"))) return NULL;
    struct xnode *node = node_new(p, slice ? XN_SLICE : XN_MEMBER, at, slice ? 3 : 2);
    if (!node) return NULL;
    node->kids[0] = base;
    node->kids[1] = from;
    if (slice) node->kids[2] = to;
    node->optional = !slice && optional;
    node = node_done(p, node);
    if (!node || !node->optional) return node;
    struct nodes inner = {0};
    nodes_push(p, &inner, node);
    return node_of(p, XN_CHAIN, at, &inner);
}

static struct xnode *parse_postfix(struct parser *p, struct xnode *node)
{
    while (node && !p->failed) {
        bool optional = is_op(p, "?.");
        if (optional || is_op(p, ".")) {
            next(p);
            if (p->failed) return NULL;
            node = optional && is_bracket(p, "[") ? parse_index(p, node, true)
                                                  : parse_member(p, node, optional);
        } else if (is_bracket(p, "[")) {
            node = parse_index(p, node, false);
        } else {
            return node;
        }
    }
    return NULL;
}

/* "a < b < c" means "a < b && b < c". */
static struct xnode *parse_comparison(struct parser *p, struct xnode *left,
                                      const struct operator *op, const struct xtoken *t)
{
    static const struct operator and_op = {STR("&&"), XO_AND, 15};
    struct xnode *root = NULL;
    for (;;) {
        struct xnode *right = parse_expression(p, op->precedence + 1);
        struct xnode *pair[2] = {left, right};
        struct xnode *node = right ? node_op(p, op, t, pair) : NULL;
        if (!node) return NULL;
        struct xnode *both[2] = {root, node};
        root = root ? node_op(p, &and_op, t, both) : node;
        left = right;
        t = p->now;
        op = find_operator(binaries, ARRAY_LEN(binaries), t);
        if (p->failed || !op || op->op < XO_LT || op->op > XO_LE) return p->failed ? NULL : root;
        next(p);
    }
}

/* After the operator. */
static struct xnode *parse_right(struct parser *p, struct xnode *left, const struct operator *op,
                                 const struct xtoken *t)
{
    if (op->op == XO_PIPE) {
        const struct xtoken *name = p->now;
        if (!expect(p, name->kind == XT_IDENT)) return NULL;
        return parse_call(p, name, left, true);
    }
    if (op->op >= XO_LT && op->op <= XO_LE) return parse_comparison(p, left, op, t);
    struct xnode *right = parse_expression(p, op->precedence + (op->op != XO_POW));
    struct xnode *kids[2] = {left, right};
    return right ? node_op(p, op, t, kids) : NULL;
}

/* "not in" and its like: the operator after "not", or NULL. */
static const struct operator *negated(struct parser *p)
{
    if (p->at + 1 >= p->tokens->n) return NULL;
    const struct operator *op =
        find_operator(binaries, ARRAY_LEN(binaries), &p->tokens->items[p->at + 1]);
    return op && op->op >= XO_IN && op->op <= XO_ENDS ? op : NULL;
}

static struct xnode *parse_binary(struct parser *p, int precedence, struct xnode *left)
{
    enum xop before = XO_NONE;
    while (left && !p->failed && p->now->kind == XT_OP) {
        bool negate = is_op(p, "not");
        const struct operator *op = negate ? negated(p)
                                           : find_operator(binaries, ARRAY_LEN(binaries), p->now);
        if (negate && !op) {
            next(p);
            return unexpected(p);
        }
        if (!op || op->precedence < precedence) return left;
        if (negate) next(p);
        const struct xtoken *t = p->now;
        next(p);
        if (before == XO_COALESCE && op->op != XO_COALESCE && op->op != XO_PIPE)
            return fail_at(p, t->at, "Operator (%s) and coalesce expressions (?" "?) cannot be mixed. "
                                     "Wrap either by parentheses.", op->text.p);
        left = p->failed ? NULL : parse_right(p, left, op, t);
        if (negate && left) {
            struct xnode *kids[2] = {left, NULL};
            left = node_op(p, &unaries[0], t, kids);
        }
        before = op->op;
    }
    return p->failed ? NULL : left;
}

static struct xnode *parse_expression(struct parser *p, int precedence)
{
    if (p->failed) return NULL;
    if (++p->depth > LIMIT_EXPR_DEPTH)
        return fail_at(p, p->now->at, "nested deeper than %d", LIMIT_EXPR_DEPTH);
    struct xnode *node;
    if (precedence == 0 && is_op(p, "let")) {
        node = parse_let(p);
    } else if (precedence == 0 && is_op(p, "if")) {
        node = parse_if(p);
    } else {
        node = parse_binary(p, precedence, parse_primary(p));
        if (precedence == 0 && node) node = parse_ternary(p, node);
    }
    p->depth--;
    return node;
}

struct xnode *xparse_tree(const struct xparse *opts)
{
    if (opts->text.n > LIMIT_EXPR_BYTES) {
        err_set(opts->e, ERR_LIMIT, "the expression is longer than %d bytes", LIMIT_EXPR_BYTES);
        return NULL;
    }
    struct xtokens tokens;
    xlex(opts->a, opts->text, &tokens);
    struct parser p = {.opts = opts, .a = opts->a, .tokens = &tokens, .now = tokens.items};
    if (p.now->kind == XT_ERROR) return fail_at(&p, p.now->at, "%.*s", STR_ARG(p.now->text));
    struct xnode *tree = parse_sequence(&p);
    if (p.failed) return NULL;
    return p.now->kind == XT_EOF ? tree : unexpected(&p);
}
