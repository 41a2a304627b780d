/* Names and types of an expression, before it runs: expr-lang's checker as far as it decides
 * whether a text is accepted. See expr_p.h. */
#include <stdarg.h>

#include "base/limits.h"
#include "lang/expr_builtin.h"
#include "lang/regex.h"

struct ty {
    uint8_t kind, elem; /* enum xtype; elem: of TY_LIST, and what a TY_MAP holds */
    bool any_key;       /* TY_MAP; TY_LIST: of Go strings, which first() and last() know */
};

struct tvar {
    const struct tvar *up;
    struct str name;
    struct ty t;
};

struct tloop {
    const struct tloop *up;
    struct ty item;
    bool index, acc;
};

struct checker {
    struct xctx *x;
    const struct tvar *vars;
    const struct tloop *loop;
    bool failed;
};

static const struct ty any = {TY_ANY, TY_ANY, false};

static struct ty ty_of(enum xtype kind) { return (struct ty){(uint8_t)kind, TY_ANY, false}; }
static bool is(struct ty t, enum xtype kind) { return t.kind == kind; }
static bool is_any(struct ty t) { return t.kind == TY_ANY; }
static bool is_number(struct ty t) { return t.kind == TY_INT || t.kind == TY_FLOAT; }

static const char *ty_name(struct ty t)
{
    static const char *const names[] = {
        [TY_ANY] = "unknown", [TY_NIL] = "unknown", [TY_BOOL] = "bool", [TY_INT] = "int",
        [TY_FLOAT] = "float64", [TY_STR] = "string", [TY_MAP] = "map[string]interface {}",
        [TY_TIME] = "time.Time", [TY_DURATION] = "time.Duration", [TY_FUNC] = "func",
        [TY_ZONE] = "*time.Location", [TY_METHOD] = "func", [TY_NAMED] = "time.Month",
    };
    if (t.kind == TY_LIST) return "[]interface {}";
    return names[t.kind];
}

static struct ty complain(struct checker *c, const struct xnode *n, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static struct ty complain(struct checker *c, const struct xnode *n, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->failed) {
        xerr_at(c->x->e, c->x->text, n->at, text);
        c->x->fault = EXPR_COMPILE;
    }
    c->failed = true;
    return any;
}

static struct ty check(struct checker *c, struct xnode *n);

static struct ty type_of_value(const struct xv *v)
{
    static const uint8_t kinds[] = {
        [X_NIL] = TY_NIL, [X_BOOL] = TY_BOOL, [X_INT] = TY_INT, [X_FLOAT] = TY_FLOAT,
        [X_STR] = TY_STR, [X_LIST] = TY_LIST, [X_MAP] = TY_MAP, [X_TIME] = TY_TIME,
        [X_DURATION] = TY_DURATION, [X_FUNC] = TY_FUNC, [X_SPRIG] = TY_MAP, [X_ZONE] = TY_ZONE,
        [X_OBJECT] = TY_ANY,
    };
    return ty_of(kinds[v->kind]);
}

static struct ty check_ident(struct checker *c, const struct xnode *n)
{
    struct xv v;
    for (const struct tvar *var = c->vars; var; var = var->up)
        if (str_eq(var->name, n->s)) return var->t;
    if (xroot_get(c->x, n->s, &v)) return type_of_value(&v);
    if (xbuiltin_find(n->s)) return ty_of(TY_FUNC);
    return complain(c, n, "unknown name %.*s", STR_ARG(n->s));
}

static struct ty check_unary(struct checker *c, const struct xnode *n)
{
    struct ty t = check(c, n->kids[0]);
    if (n->op == XO_NOT && (is(t, TY_BOOL) || is_any(t))) return ty_of(TY_BOOL);
    if (n->op != XO_NOT && (is_number(t) || is_any(t))) return t;
    return complain(c, n, "invalid operation: %.*s (mismatched type %s)", STR_ARG(n->op_text),
                    ty_name(t));
}

#define NUMBERS (1u << TY_INT | 1u << TY_FLOAT)
#define SPANS (1u << TY_TIME | 1u << TY_DURATION)

/* One side is unknown and the other may stand with the operator. */
static bool maybe(struct ty l, struct ty r, uint32_t kinds)
{
    bool left = is_any(l) || (kinds >> l.kind & 1), right = is_any(r) || (kinds >> r.kind & 1);
    return (is_any(l) || is_any(r)) && left && right;
}

static bool both(struct ty l, struct ty r, enum xtype kind) { return is(l, kind) && is(r, kind); }

static bool comparable(struct ty l, struct ty r)
{
    if (is(l, TY_MAP) && is(r, TY_MAP)) return l.any_key == r.any_key;
    return is_any(l) || is_any(r) || is(l, TY_NIL) || is(r, TY_NIL) || l.kind == r.kind ||
           (is_number(l) && is_number(r));
}

static struct ty promoted(struct ty l, struct ty r)
{
    return ty_of(both(l, r, TY_INT) ? TY_INT : TY_FLOAT);
}

/* + - * with two known types; TY_NIL when they do not go together. */
static struct ty arithmetic(enum xop op, struct ty l, struct ty r)
{
    bool span_l = is(l, TY_DURATION), span_r = is(r, TY_DURATION);
    if (is_number(l) && is_number(r)) return promoted(l, r);
    if (op == XO_ADD && both(l, r, TY_STR)) return l;
    if (span_l && span_r) return l;
    if (op == XO_ADD && ((is(l, TY_TIME) && span_r) || (span_l && is(r, TY_TIME))))
        return ty_of(TY_TIME);
    if (op == XO_SUB && both(l, r, TY_TIME)) return ty_of(TY_DURATION);
    if (op == XO_SUB && is(l, TY_TIME) && span_r) return l;
    if (op == XO_MUL && ((is_number(l) && span_r) || (span_l && is_number(r))))
        return ty_of(TY_DURATION);
    uint32_t kinds = NUMBERS | 1u << TY_DURATION | (op == XO_MUL ? 0 : 1u << TY_TIME) |
                     (op == XO_ADD ? 1u << TY_STR : 0);
    return maybe(l, r, kinds) ? any : ty_of(TY_NIL);
}

static struct ty check_in(struct checker *c, const struct xnode *n, struct ty l, struct ty r)
{
    if (is(r, TY_MAP)) {
        if (is_any(l) || is(l, TY_STR) || r.any_key) return ty_of(TY_BOOL);
        return complain(c, n, "cannot use %s as type string in map key", ty_name(l));
    }
    if (is(r, TY_LIST)) {
        if (comparable(l, ty_of(r.elem))) return ty_of(TY_BOOL);
        return complain(c, n, "cannot use %s as type %s in array", ty_name(l), ty_name(ty_of(r.elem)));
    }
    bool ok = is_any(r) || (is_any(l) && is(r, TY_STR));
    return ok ? ty_of(TY_BOOL) : ty_of(TY_NIL);
}

static struct ty coalesced(struct ty l, struct ty r)
{
    if (is(l, TY_NIL)) return r;
    return is(r, TY_NIL) || l.kind == r.kind ? l : any;
}

/* The type, or TY_NIL when the operands do not go together. */
static struct ty binary_type(struct checker *c, const struct xnode *n, struct ty l, struct ty r)
{
    struct ty yes = ty_of(TY_BOOL), no = ty_of(TY_NIL);
    switch ((enum xop)n->op) {
    case XO_EQ:
    case XO_NE: return comparable(l, r) ? yes : no;
    case XO_OR:
    case XO_AND: return both(l, r, TY_BOOL) || maybe(l, r, 1u << TY_BOOL) ? yes : no;
    case XO_LT:
    case XO_GT:
    case XO_LE:
    case XO_GE: {
        bool ok = (is_number(l) && is_number(r)) || both(l, r, TY_STR) || both(l, r, TY_TIME) ||
                  both(l, r, TY_DURATION) || maybe(l, r, NUMBERS | SPANS | 1u << TY_STR);
        return ok ? yes : no;
    }
    case XO_ADD:
    case XO_SUB:
    case XO_MUL: return arithmetic(n->op, l, r);
    case XO_DIV:
    case XO_POW:
        return (is_number(l) && is_number(r)) || maybe(l, r, NUMBERS) ? ty_of(TY_FLOAT) : no;
    case XO_MOD: return both(l, r, TY_INT) || maybe(l, r, 1u << TY_INT) ? ty_of(TY_INT) : no;
    case XO_RANGE:
        return both(l, r, TY_INT) || maybe(l, r, 1u << TY_INT) ? (struct ty){TY_LIST, TY_INT, false} : no;
    case XO_IN: return check_in(c, n, l, r);
    default: return both(l, r, TY_STR) || maybe(l, r, 1u << TY_STR) ? yes : no;
    }
}

static void check_pattern(struct checker *c, const struct xnode *n, struct str pattern)
{
    struct err inner = {0};
    struct regex *r = regex_new(pattern, &inner);
    if (!r) complain(c, n, "%s", inner.text);
    regex_free(r);
}

static struct ty check_binary(struct checker *c, const struct xnode *n)
{
    struct ty l = check(c, n->kids[0]), r = check(c, n->kids[1]);
    if (n->op == XO_COALESCE) return coalesced(l, r);
    if (n->op == XO_MATCHES && n->kids[1]->kind == XN_STR) check_pattern(c, n, n->kids[1]->s);
    if (n->op == XO_MOD && n->kids[1]->kind == XN_INT && !n->kids[1]->i)
        return complain(c, n, "integer divide by zero");
    struct ty t = binary_type(c, n, l, r);
    if (!is(t, TY_NIL)) return t;
    return complain(c, n, "invalid operation: %.*s (mismatched types %s and %s)",
                    STR_ARG(n->op_text), ty_name(l), ty_name(r));
}

static struct ty check_member(struct checker *c, struct xnode *n)
{
    if (xchain_find(c->x, n)) { /* members of maps */
        c->x->steps += xchain_steps(n);
        return any;
    }
    struct ty base = check(c, n->kids[0]), prop = check(c, n->kids[1]);
    const struct xnode *key = n->kids[1];
    bool named = key->kind == XN_STR;
    if (is_any(base)) return any;
    if (is(base, TY_NIL) && named) return complain(c, n, "type nil has no field %.*s", STR_ARG(key->s));
    if (is(base, TY_MAP)) {
        if (is(prop, TY_STR) || is_any(prop) || base.any_key) return ty_of(base.elem);
        return complain(c, key, "cannot use %s to get an element from %s", ty_name(prop), ty_name(base));
    }
    if (is(base, TY_LIST)) {
        if (is(prop, TY_INT) || is_any(prop)) return ty_of(base.elem);
        return complain(c, key, "array elements can only be selected using an integer (got %s)",
                        ty_name(prop));
    }
    if (n->method && named && (is(base, TY_TIME) || is(base, TY_DURATION))) {
        enum xtype result = xmethod_type(is(base, TY_TIME), key->s);
        if (result != TY_NIL) return (struct ty){TY_METHOD, (uint8_t)result, false};
    }
    if (!named) return complain(c, n, "type %s[%s] is undefined", ty_name(base), ty_name(prop));
    return complain(c, n, "type %s has no %s %.*s", ty_name(base), n->method ? "method" : "field",
                    STR_ARG(key->s));
}

static struct ty check_slice(struct checker *c, const struct xnode *n)
{
    struct ty t = check(c, n->kids[0]);
    if (!is_any(t) && !is(t, TY_STR) && !is(t, TY_LIST))
        return complain(c, n, "cannot slice %s", ty_name(t));
    for (int i = 1; i <= 2; i++) {
        if (!n->kids[i]) continue;
        struct ty bound = check(c, n->kids[i]);
        if (!is(bound, TY_INT) && !is_any(bound) && !is_any(t))
            return complain(c, n->kids[i], "non-integer slice index %s", ty_name(bound));
    }
    return t;
}

/* --- arguments --- */

static struct ty letter_type(char letter)
{
    switch (letter) {
    case 's': return ty_of(TY_STR);
    case 'i': return ty_of(TY_INT);
    case 'f': return ty_of(TY_FLOAT);
    case 'b': return ty_of(TY_BOOL);
    case 'l': return ty_of(TY_LIST);
    case 'm': return ty_of(TY_MAP);
    case 't': return ty_of(TY_TIME);
    default: return any;
    }
}

struct call {
    const struct xnode *n;
    struct str name;
    const char *spec;
    uint32_t first; /* kid that is the first argument */
};

static void count_arguments(const char *spec, size_t *least, size_t *most)
{
    *least = *most = 0;
    for (const char *p = spec; *p; p++) {
        if (*p == '*') *most = SIZE_MAX, --*least;
        else if (*p == '?') --*least;
        else ++*least, *most += *most != SIZE_MAX;
    }
}

static bool check_argument(struct checker *c, const struct call *call, char letter, uint32_t kid)
{
    struct ty want = letter_type(letter), got = check(c, call->n->kids[kid]);
    if (c->failed) return false;
    if (is_any(want) || is_any(got) || want.kind == got.kind) return true;
    if (letter == 'f' && is(got, TY_INT)) return true;
    if (is(got, TY_NIL))
        complain(c, call->n->kids[kid], "cannot use nil as argument (type %s) to call %.*s",
                 ty_name(want), STR_ARG(call->name));
    else
        complain(c, call->n->kids[kid], "cannot use %s as argument (type %s) to call %.*s ",
                 ty_name(got), ty_name(want), STR_ARG(call->name));
    return false;
}

static void check_arguments(struct checker *c, const struct call *call)
{
    size_t least, most, n = call->n->n - call->first;
    count_arguments(call->spec, &least, &most);
    if (n < least) complain(c, call->n, "not enough arguments to call %.*s", STR_ARG(call->name));
    if (n > most) complain(c, call->n, "too many arguments to call %.*s", STR_ARG(call->name));
    uint32_t kid = call->first;
    for (const char *p = call->spec; *p && kid < call->n->n && !c->failed; p++) {
        if (*p == '*' || *p == '?') continue;
        uint32_t end = p[1] == '*' ? call->n->n : kid + 1;
        for (; kid < end; kid++)
            if (!check_argument(c, call, *p, kid)) return;
    }
}

static struct ty check_call(struct checker *c, const struct xnode *n)
{
    struct ty callee = check(c, n->kids[0]);
    if (is(callee, TY_METHOD)) {
        for (uint32_t i = 1; i < n->n; i++) check(c, n->kids[i]);
        return ty_of(callee.elem);
    }
    struct xv v;
    bool named = n->kids[0]->kind == XN_IDENT && xroot_get(c->x, n->kids[0]->s, &v);
    if (named && v.kind == X_FUNC) {
        struct call call = {n, n->kids[0]->s, v.func->spec, 1};
        check_arguments(c, &call);
        return any;
    }
    if (is(callee, TY_NIL)) return complain(c, n, "function is nil; cannot call nil as function");
    if (!is_any(callee) && !is(callee, TY_FUNC))
        return complain(c, n, "%s is not callable", ty_name(callee));
    return any; /* expr-lang does not look at the arguments of what it does not know */
}

#define COUNTED (NUMBERS | 1u << TY_DURATION | 1u << TY_NAMED)

/* Builtins that take several types say so themselves. */
static const struct {
    const char *name;
    uint32_t kinds;
    const char *refusal; /* before the type; NULL: "invalid argument for NAME (type T)" */
} choosy[] = {
    {"len", 1u << TY_LIST | 1u << TY_MAP | 1u << TY_STR, NULL},
    {"abs", COUNTED, NULL}, {"ceil", COUNTED, NULL}, {"floor", COUNTED, NULL}, {"round", COUNTED, NULL},
    {"int", COUNTED | 1u << TY_STR | 1u << TY_NAMED, NULL}, {"float", COUNTED | 1u << TY_STR | 1u << TY_NAMED, NULL},
    {"first", 1u << TY_LIST, "cannot get first element from"},
    {"last", 1u << TY_LIST, "cannot get last element from"},
    {"take", 1u << TY_LIST, "cannot take from"}, {"keys", 1u << TY_MAP, "cannot get keys from"},
    {"values", 1u << TY_MAP, "cannot get values from"},
    {"toPairs", 1u << TY_MAP, "cannot transform"}, {"fromPairs", 1u << TY_LIST, "cannot transform"},
    {"reverse", 1u << TY_LIST, "cannot reverse"}, {"uniq", 1u << TY_LIST, "cannot uniq"},
    {"concat", 1u << TY_LIST, "cannot concat"}, {"max", COUNTED | 1u << TY_LIST, NULL},
    {"min", COUNTED | 1u << TY_LIST, NULL}, {"mean", COUNTED | 1u << TY_LIST, NULL},
    {"median", COUNTED | 1u << TY_LIST, NULL}, {"flatten", 1u << TY_LIST, "cannot flatten"},
};

static void check_choosy(struct checker *c, const struct xnode *n, size_t which)
{
    size_t least, most;
    count_arguments(n->builtin->spec, &least, &most);
    if (most == SIZE_MAX && !n->n) {
        complain(c, n, choosy[which].refusal ? "invalid number of arguments (expected at least 1, got 0)"
                                             : "not enough arguments to call %s", n->builtin->name);
        return;
    }
    if (n->n < least || n->n > most) {
        complain(c, n, "invalid number of arguments (expected %zu, got %u)", least, n->n);
        return;
    }
    for (uint32_t i = 0; i < (most == SIZE_MAX ? n->n : 1); i++) {
        struct ty t = check(c, n->kids[i]);
        if (is_any(t) || (choosy[which].kinds >> t.kind & 1)) continue;
        if (choosy[which].refusal) complain(c, n, "%s %s", choosy[which].refusal, ty_name(t));
        else complain(c, n, "invalid argument for %s (type %s)", n->builtin->name, ty_name(t));
    }
}

/* max, min, mean, median: the type of the first when all are numbers. */
static struct ty aggregate_type(struct checker *c, const struct xnode *n)
{
    struct ty first = any;
    for (uint32_t i = 0; i < n->n; i++) {
        struct ty t = check(c, n->kids[i]);
        if (is_any(t) || is(t, TY_LIST)) return any;
        if (!i) first = t;
    }
    return first;
}

/* get(): as an index, but what is not there is nil. */
static struct ty check_get(struct checker *c, const struct xnode *n)
{
    if (n->n != 2) return complain(c, n, "invalid number of arguments (expected 2, got %u)", n->n);
    struct ty base = check(c, n->kids[0]), key = check(c, n->kids[1]);
    if (c->failed || is_any(base)) return any;
    if (is(base, TY_LIST)) {
        if (is(key, TY_INT) || is_any(key)) return ty_of(base.elem);
        return complain(c, n->kids[1], "non-integer slice index %s", ty_name(key));
    }
    if (is(base, TY_MAP)) {
        if (is(key, TY_STR) || is_any(key) || base.any_key) return ty_of(base.elem);
        return complain(c, n->kids[1], "cannot use %s to get an element from %s", ty_name(key), ty_name(base));
    }
    return complain(c, n->kids[0], "type %s does not support indexing", ty_name(base));
}

static struct ty builtin_type_of(struct checker *c, const struct xnode *n)
{
    const char *name = n->builtin->name;
    if (n->n && !strcmp(name, "abs")) return check(c, n->kids[0]);
    if (n->n && (!strcmp(name, "first") || !strcmp(name, "last"))) {
        struct ty t = check(c, n->kids[0]);
        return is(t, TY_LIST) && t.any_key ? ty_of(t.elem) : any;
    }
    if (n->builtin->fn == builtin_max || n->builtin->fn == builtin_min ||
        n->builtin->fn == builtin_mean || n->builtin->fn == builtin_median)
        return aggregate_type(c, n);
    struct ty t = ty_of(n->builtin->result);
    if (!strncmp(name, "split", 5)) t.elem = TY_STR, t.any_key = true; /* a real []string */
    t.any_key = t.any_key || n->builtin->fn == builtin_from_pairs;
    return t;
}

static struct ty check_plain_builtin(struct checker *c, const struct xnode *n)
{
    if (n->builtin->fn == builtin_get) return check_get(c, n);
    struct call call = {n, str_of(n->builtin->name), n->builtin->spec, 0};
    size_t which = 0;
    while (which < ARRAY_LEN(choosy) && strcmp(choosy[which].name, n->builtin->name)) which++;
    if (which < ARRAY_LEN(choosy)) check_choosy(c, n, which);
    if (!c->failed) check_arguments(c, &call);
    return c->failed ? any : builtin_type_of(c, n);
}

static bool named_any(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

static struct ty check_loop(struct checker *c, const struct xnode *n)
{
    static const char *const bools[] = {"all", "none", "any", "one", "filter", "count", "find",
                                        "findIndex", "findLast", "findLastIndex"};
    const char *name = n->builtin->name;
    struct ty list = check(c, n->kids[0]), body = any;
    if (c->failed) return any;
    if (!is_any(list) && !is(list, TY_LIST))
        return complain(c, n->kids[0], "builtin %s takes only array (got %s)", name, ty_name(list));
    struct ty item = is(list, TY_LIST) ? ty_of(list.elem) : any;
    bool reduce = !strcmp(name, "reduce"), map = !strcmp(name, "map");
    struct tloop loop = {.up = c->loop, .item = item, .index = reduce || map, .acc = reduce};
    c->loop = &loop;
    if (n->n > 1) body = check(c, n->kids[1]);
    c->loop = loop.up;
    if (n->n > 1 && is(body, TY_NIL) && !c->failed)
        return complain(c, n->kids[1], "predicate should has %s input and one output param", reduce ? "two" : "one");
    bool want_bool = named_any(name, bools, ARRAY_LEN(bools));
    if (n->n > 1 && want_bool && !is(body, TY_BOOL) && !is_any(body) && !c->failed)
        return complain(c, n->kids[1], "predicate should return boolean (got %s)", ty_name(body));
    if (n->n > 2) {
        struct ty third = check(c, n->kids[2]);
        if (!reduce && !is(third, TY_STR) && !is_any(third))
            return complain(c, n->kids[2], "sortBy order argument must be a string (got %s)",
                            ty_name(third));
    }
    if (map) return (struct ty){TY_LIST, body.kind, false};
    if (!strcmp(name, "groupBy")) return (struct ty){TY_MAP, TY_LIST, true};
    if (!strcmp(name, "filter") || !strcmp(name, "sortBy")) return (struct ty){TY_LIST, item.kind, false};
    if (!strcmp(name, "find") || !strcmp(name, "findLast")) return item;
    if (!strcmp(name, "sum")) return n->n > 1 ? body : item;
    return reduce ? body : ty_of(n->builtin->result);
}

static struct ty check_pointer(struct checker *c, const struct xnode *n)
{
    if (!c->loop) return complain(c, n, "cannot use pointer accessor outside predicate");
    if (!n->s.n) return c->loop->item;
    if (c->loop->index && str_is(n->s, "index")) return ty_of(TY_INT);
    if (c->loop->acc && str_is(n->s, "acc")) return any;
    return complain(c, n, "unknown pointer #%.*s", STR_ARG(n->s));
}

static struct ty check_let(struct checker *c, const struct xnode *n)
{
    struct xv v;
    if (xroot_get(c->x, n->s, &v)) return complain(c, n, "cannot redeclare %.*s", STR_ARG(n->s));
    if (xbuiltin_find(n->s)) return complain(c, n, "cannot redeclare builtin %.*s", STR_ARG(n->s));
    for (const struct tvar *var = c->vars; var; var = var->up)
        if (str_eq(var->name, n->s))
            return complain(c, n, "cannot redeclare variable %.*s", STR_ARG(n->s));
    struct tvar var = {.up = c->vars, .name = n->s, .t = check(c, n->kids[0])};
    c->vars = &var;
    struct ty t = check(c, n->kids[1]);
    c->vars = var.up;
    return t;
}

static struct ty check_cond(struct checker *c, const struct xnode *n)
{
    struct ty cond = check(c, n->kids[0]);
    if (!is(cond, TY_BOOL) && !is_any(cond))
        return complain(c, n->kids[0], "non-bool expression (type %s) used as condition", ty_name(cond));
    struct ty yes = n->kids[1] == n->kids[0] ? cond : check(c, n->kids[1]);
    struct ty no = check(c, n->kids[2]);
    if (is(yes, TY_NIL)) return no;
    if (is(no, TY_NIL) || (yes.kind == no.kind && yes.elem == no.elem)) return yes;
    return is_any(no) ? yes : yes.kind == no.kind ? ty_of(yes.kind) : any;
}

static struct ty check_array(struct checker *c, const struct xnode *n)
{
    struct ty list = {TY_LIST, TY_ANY, false};
    bool same = true;
    for (uint32_t i = 0; i < n->n; i++) {
        struct ty t = check(c, n->kids[i]);
        same = same && (!i || t.kind == list.elem);
        list.elem = t.kind;
    }
    if (!same) list.elem = TY_ANY;
    return list;
}

static struct ty check_all(struct checker *c, const struct xnode *n)
{
    struct ty last = any;
    for (uint32_t i = 0; i < n->n; i++) last = check(c, n->kids[i]);
    return last;
}

static struct ty check_more(struct checker *c, struct xnode *n)
{
    switch ((enum xnode_kind)n->kind) {
    case XN_UNARY: return check_unary(c, n);
    case XN_BINARY: return check_binary(c, n);
    case XN_MEMBER: return check_member(c, n);
    case XN_SLICE: return check_slice(c, n);
    case XN_CALL: return check_call(c, n);
    case XN_BUILTIN: return n->builtin->predicate ? check_loop(c, n) : check_plain_builtin(c, n);
    case XN_POINTER: return check_pointer(c, n);
    case XN_LET: return check_let(c, n);
    case XN_COND: return check_cond(c, n);
    case XN_ARRAY: return check_array(c, n);
    case XN_MAP:
        check_all(c, n);
        return ty_of(TY_MAP);
    case XN_CHAIN:
    case XN_PREDICATE:
    case XN_SEQUENCE: return check_all(c, n);
    default: IMPOSSIBLE("kind of node");
    }
}

static struct ty check(struct checker *c, struct xnode *n)
{
    if (c->failed) return any;
    if (++c->x->steps > LIMIT_EXPR_STEPS)
        return complain(c, n, "compilation failed: expression exceeds maximum allowed nodes");
    switch ((enum xnode_kind)n->kind) {
    case XN_NIL: return ty_of(TY_NIL);
    case XN_BOOL: return ty_of(TY_BOOL);
    case XN_INT: return ty_of(TY_INT);
    case XN_FLOAT: return ty_of(TY_FLOAT);
    case XN_STR: return ty_of(TY_STR);
    case XN_IDENT: return check_ident(c, n);
    default: return check_more(c, n);
    }
}

bool xcheck(struct xctx *x, struct xnode *tree)
{
    struct checker c = {.x = x};
    check(&c, tree);
    if (!c.failed) xfold(x->a, tree);
    return !c.failed;
}
