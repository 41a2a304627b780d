/* See depends.h.
 *
 * Parsing is recursive descent over "name", "name.Result", !, ==, !=, &&, || and parentheses; nodes refer
 * to each other by index in one array. A name node asks for any bit of its mask. */
#include "lang/depends.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"

enum node_kind { NODE_NAME, NODE_NOT, NODE_AND, NODE_OR, NODE_EQ, NODE_NE, NODE_TRUE };

struct depends_node {
    uint8_t kind;
    uint32_t mask;        /* NODE_NAME */
    uint32_t left, right; /* NODE_NAME: left = index in names; else nodes */
};

static const struct {
    const char *name;
    uint32_t bit;
} results[] = {
    {"Succeeded", DEPENDS_SUCCEEDED}, {"Failed", DEPENDS_FAILED},
    {"Errored", DEPENDS_ERRORED},     {"Skipped", DEPENDS_SKIPPED},
    {"Omitted", DEPENDS_OMITTED},     {"Daemoned", DEPENDS_DAEMONED},
    {"AnySucceeded", DEPENDS_ANY_SUCCEEDED}, {"AllFailed", DEPENDS_ALL_FAILED},
};

uint32_t depends_result_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        if (str_is(name, results[i].name)) return results[i].bit;
    return 0;
}

struct parser {
    struct str text;
    size_t at;
    int depth;
    VEC(struct depends_name) names;
    struct map index; /* of names */
    VEC(struct depends_node) nodes;
    struct buf expanded;
    struct err *e;
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
static bool is_alpha(char c) { return is_alnum(c) && !(c >= '0' && c <= '9'); }

static void parser_fini(struct parser *p)
{
    VEC_FINI(&p->names);
    map_fini(&p->index);
    VEC_FINI(&p->nodes);
    buf_fini(&p->expanded);
}

static uint32_t node_add(struct parser *p, struct depends_node node)
{
    VEC_PUSH(&p->nodes, node);
    return (uint32_t)(p->nodes.n - 1);
}

static uint32_t name_index(struct parser *p, struct str name)
{
    bool fresh = false;
    struct map_slot *slot = map_put(&p->index, name, &fresh);
    if (!fresh) return (uint32_t)slot->num;
    struct depends_name added = {.name = name};
    slot->num = p->names.n;
    VEC_PUSH(&p->names, added);
    return (uint32_t)slot->num;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->text.n && char_is_one_of(p->text.p[p->at], " \t\r\n")) p->at++;
}

static bool accept(struct parser *p, const char *token)
{
    skip_space(p);
    if (!str_starts(str_from(p->text, p->at), str_of(token))) return false;
    p->at += strlen(token);
    buf_printf(&p->expanded, token[1] ? " %s " : "%s", token);
    return true;
}

static bool unexpected(struct parser *p)
{
    skip_space(p);
    if (p->at >= p->text.n)
        return err_set(p->e, ERR_SPEC, "unexpected end of depends logic \"%.*s\"",
                       STR_ARG(p->text));
    return err_set(p->e, ERR_SPEC, "unexpected character '%c' at %zu in depends logic \"%.*s\"",
                   p->text.p[p->at], p->at + 1, STR_ARG(p->text));
}

/* "Succeeded || n.Skipped …" of a bare name, in Argo's order. */
static void expand_name(struct buf *b, struct str name, uint32_t mask)
{
    static const uint32_t order[] = {DEPENDS_SUCCEEDED, DEPENDS_SKIPPED, DEPENDS_DAEMONED,
                                     DEPENDS_ERRORED, DEPENDS_FAILED};
    const char *before = "(";
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (!(mask & order[i])) continue;
        for (size_t r = 0; r < ARRAY_LEN(results); r++)
            if (results[r].bit == order[i])
                buf_printf(b, "%s%.*s.%s", before, STR_ARG(name), results[r].name);
        before = " || ";
    }
    buf_char(b, ')');
}

static uint32_t bare_node(struct parser *p, struct str name, uint32_t mask)
{
    uint32_t i = name_index(p, name);
    p->names.items[i].bare = mask;
    expand_name(&p->expanded, name, mask);
    return node_add(p, (struct depends_node){.kind = NODE_NAME, .mask = mask, .left = i});
}

static bool parse_result(struct parser *p, struct str name, uint32_t *out)
{
    size_t from = ++p->at;
    while (p->at < p->text.n && is_alpha(p->text.p[p->at])) p->at++;
    struct str result = str_sub(p->text, from, p->at - from);
    uint32_t bit = depends_result_of(result);
    if (!bit)
        return err_set(p->e, ERR_SPEC, "task result '%.*s' for task '%.*s' is invalid",
                       STR_ARG(result), STR_ARG(name));
    uint32_t i = name_index(p, name);
    p->names.items[i].asked |= bit;
    buf_printf(&p->expanded, "%.*s.%.*s", STR_ARG(name), STR_ARG(result));
    *out = node_add(p, (struct depends_node){.kind = NODE_NAME, .mask = bit, .left = i});
    return true;
}

static bool parse_name(struct parser *p, uint32_t *out)
{
    size_t from = p->at;
    while (p->at < p->text.n && (is_alnum(p->text.p[p->at]) || p->text.p[p->at] == '-')) p->at++;
    struct str name = str_sub(p->text, from, p->at - from);
    if (p->at < p->text.n && p->text.p[p->at] == '.') return parse_result(p, name, out);
    *out = bare_node(p, name, DEPENDS_BARE);
    return true;
}

static bool parse_or(struct parser *p, uint32_t *out);

static bool parse_unary(struct parser *p, uint32_t *out)
{
    skip_space(p);
    if (p->at >= p->text.n) return unexpected(p);
    if (++p->depth > LIMIT_EXPR_DEPTH)
        return err_set(p->e, ERR_LIMIT, "depends logic is nested deeper than %d", LIMIT_EXPR_DEPTH);
    bool ok;
    if (accept(p, "!")) {
        uint32_t operand;
        ok = parse_unary(p, &operand);
        if (ok) *out = node_add(p, (struct depends_node){.kind = NODE_NOT, .left = operand});
    } else if (accept(p, "(")) {
        ok = parse_or(p, out) && (accept(p, ")") || unexpected(p));
    } else {
        ok = is_alnum(p->text.p[p->at]) ? parse_name(p, out) : unexpected(p);
    }
    p->depth--;
    return ok;
}

/* Argo hands the logic to expr, which also compares. */
static bool parse_equal(struct parser *p, uint32_t *out)
{
    if (!parse_unary(p, out)) return false;
    int chain = 0;
    for (bool same; (same = accept(p, "==")) || accept(p, "!=");) {
        uint32_t right;
        if (++chain > LIMIT_EXPR_DEPTH)
            return err_set(p->e, ERR_LIMIT, "depends logic compares more than %d in a row", LIMIT_EXPR_DEPTH);
        if (!parse_unary(p, &right)) return false;
        uint8_t kind = same ? NODE_EQ : NODE_NE;
        *out = node_add(p, (struct depends_node){.kind = kind, .left = *out, .right = right});
    }
    return true;
}

static bool parse_and(struct parser *p, uint32_t *out)
{
    if (!parse_equal(p, out)) return false;
    while (accept(p, "&&")) {
        uint32_t right;
        if (!parse_equal(p, &right)) return false;
        *out = node_add(p, (struct depends_node){.kind = NODE_AND, .left = *out, .right = right});
    }
    return true;
}

static bool parse_or(struct parser *p, uint32_t *out)
{
    if (!parse_and(p, out)) return false;
    while (accept(p, "||")) {
        uint32_t right;
        if (!parse_and(p, &right)) return false;
        *out = node_add(p, (struct depends_node){.kind = NODE_OR, .left = *out, .right = right});
    }
    return true;
}

static const struct depends *freeze(struct arena *a, struct parser *p, uint32_t root)
{
    struct depends_name *names = ARENA_ARRAY(a, struct depends_name, p->names.n + 1);
    struct depends_node *nodes = ARENA_ARRAY(a, struct depends_node, p->nodes.n + 1);
    for (size_t i = 0; i < p->names.n; i++) {
        names[i] = p->names.items[i];
        names[i].name = str_dup(a, names[i].name);
    }
    if (p->nodes.n) memcpy(nodes, p->nodes.items, p->nodes.n * sizeof *nodes);
    struct depends *d = ARENA_NEW(a, struct depends);
    *d = (struct depends){names, p->names.n, buf_dup(a, &p->expanded), nodes, root};
    return d;
}

bool depends_parse(struct arena *a, struct str text, const struct depends **out, struct err *e)
{
    if (text.n > LIMIT_EXPR_BYTES)
        return err_set(e, ERR_LIMIT, "depends logic is longer than %d bytes", LIMIT_EXPR_BYTES);
    struct parser p = {.text = text, .e = e};
    buf_init(&p.expanded, LIMIT_VALUE_BYTES);
    uint32_t root = 0;
    bool ok = true;
    skip_space(&p);
    if (!text.n) {
        root = node_add(&p, (struct depends_node){.kind = NODE_TRUE});
    } else {
        ok = parse_or(&p, &root);
        skip_space(&p);
        if (ok && p.at < text.n) ok = unexpected(&p);
    }
    if (ok) *out = freeze(a, &p, root);
    parser_fini(&p);
    return ok;
}

const struct depends *depends_from_list(struct arena *a, const struct depends_item *items,
                                        size_t n)
{
    struct parser p = {0};
    buf_init(&p.expanded, LIMIT_VALUE_BYTES);
    uint32_t root = 0;
    if (!n) root = node_add(&p, (struct depends_node){.kind = NODE_TRUE});
    for (size_t i = 0; i < n; i++) {
        uint32_t mask = DEPENDS_BARE | (items[i].continue_on_error ? DEPENDS_ERRORED : 0) |
                        (items[i].continue_on_failed ? DEPENDS_FAILED : 0);
        if (i) buf_str(&p.expanded, STR(" && "));
        uint32_t node = bare_node(&p, items[i].name, mask);
        root = i ? node_add(&p, (struct depends_node){.kind = NODE_AND, .left = root, .right = node})
                 : node;
    }
    const struct depends *d = freeze(a, &p, root);
    parser_fini(&p);
    return d;
}

/* Chains of && and || lean to the left: the recursion follows the right side of each, and the
 * loop the left one, so that its depth is the nesting of the text and not its length. */
static bool eval_node(const struct depends *d, uint32_t at, depends_results_fn *fn, void *ctx)
{
    const struct depends_node *n = &d->nodes[at];
    switch ((enum node_kind)n->kind) {
    case NODE_NAME: return (fn(ctx, n->left) & n->mask) != 0;
    case NODE_NOT: return !eval_node(d, n->left, fn, ctx);
    case NODE_AND:
    case NODE_OR: {
        uint8_t kind = n->kind;
        bool decided = kind == NODE_OR;
        for (; n->kind == kind; n = &d->nodes[n->left])
            if (eval_node(d, n->right, fn, ctx) == decided) return decided;
        return eval_node(d, (uint32_t)(n - d->nodes), fn, ctx);
    }
    case NODE_EQ:
    case NODE_NE: {
        bool right = eval_node(d, n->right, fn, ctx);
        return (eval_node(d, n->left, fn, ctx) == right) == (n->kind == NODE_EQ);
    }
    case NODE_TRUE: return true;
    }
    IMPOSSIBLE("depends node");
}

bool depends_eval(const struct depends *d, depends_results_fn *fn, void *ctx)
{
    return eval_node(d, d->root, fn, ctx);
}
