/* Inside of the expression language: tokens, tree, values. Not for other folders.
 *
 * A text becomes tokens (expr_lex.c), a tree (expr_parse.c), is checked against the names and
 * types of the environment (expr_check.c) and walked (expr_eval.c). Everything lives in one arena. */
#pragma once
#include "lang/expr.h"
#include "lang/semver.h"
#include "lang/timefmt.h"

/* --- tokens --- */

enum xtoken_kind { XT_EOF, XT_IDENT, XT_NUMBER, XT_STRING, XT_OP, XT_BRACKET, XT_ERROR };

struct xtoken {
    uint8_t kind;
    uint32_t at;     /* byte offset */
    struct str text; /* strings unescaped; XT_ERROR: the message */
};

struct xtokens {
    struct xtoken *items;
    size_t n, cap;
};

void xlex(struct arena *a, struct str text, struct xtokens *out);

/* --- tree --- */

enum xnode_kind {
    XN_NIL, XN_BOOL, XN_INT, XN_FLOAT, XN_STR, XN_IDENT,
    XN_UNARY, XN_BINARY, XN_CHAIN, XN_MEMBER, XN_SLICE, XN_CALL, XN_BUILTIN, XN_PREDICATE,
    XN_POINTER, XN_LET, XN_SEQUENCE, XN_COND, XN_ARRAY, XN_MAP,
};

enum xop {
    XO_NONE,
    XO_OR, XO_AND, XO_EQ, XO_NE, XO_LT, XO_GT, XO_GE, XO_LE, XO_IN, XO_MATCHES, XO_CONTAINS,
    XO_STARTS, XO_ENDS, XO_RANGE, XO_ADD, XO_SUB, XO_MUL, XO_DIV, XO_MOD, XO_POW, XO_COALESCE,
    XO_PIPE, XO_NOT, XO_NEG, XO_PLUS,
};

struct xbuiltin;

struct xnode {
    uint8_t kind;
    uint8_t op;
    bool optional; /* XN_MEMBER: "?."; XN_BINARY in: a list of string literals (xfold) */
    bool method;   /* XN_MEMBER: is called */
    bool looked;   /* XN_MEMBER: see xchain_find */
    uint16_t depth;
    uint32_t at;
    uint32_t n; /* kids; XN_MAP: keys and values in turn */
    union {
        bool b;
        int64_t i;
        double d;
        struct str s; /* XN_STR, XN_IDENT, XN_POINTER, XN_LET */
        const struct xbuiltin *builtin;
        const struct xv *found; /* XN_MEMBER: see xchain_find; NULL: not there */
    };
    struct str op_text; /* operator as written, for messages */
    struct xnode **kids; /* SLICE: node, from, to (NULL when left out); CALL: callee, then arguments */
};

/* Whether the environment has a top-level name, which then hides the builtin of that name. */
typedef bool xhas_fn(void *ctx, struct str name);

struct xparse {
    struct arena *a;
    struct str text;
    xhas_fn *has; /* may be NULL */
    void *has_ctx;
    struct err *e;
};

struct xnode *xparse_tree(const struct xparse *opts); /* NULL: e is set */

/* "message (line:column)" for a byte offset of the text. Returns false. */
bool xerr_at(struct err *e, struct str text, uint32_t at, const char *message);

/* --- values --- */

enum xkind {
    X_NIL, X_BOOL, X_INT, X_FLOAT, X_STR, X_LIST, X_MAP, X_TIME, X_DURATION, X_FUNC, X_SPRIG, X_ZONE,
    X_OBJECT, /* of Go: a version, a certificate */
};

/* Integers: what Go calls them. */
enum xint_sub { XI_INT, XI_INT64, XI_UINT64, XI_UINT32, XI_WEEKDAY, XI_MONTH };

/* What Go would call the elements of a list; only messages show it. */
enum xsub { XS_ANY, XS_STR, XS_INT, XS_FLOAT };
/* Maps with keys of any type have no JSON form; a key that a map of lists lacks has a nil list. */
enum xmap_sub { XM_ANY, XM_STR, XM_ANY_KEY, XM_GROUPS };

struct xv {
    uint8_t kind;
    uint8_t sub;
    bool b; /* X_BOOL; X_LIST, X_MAP: a nil one of Go, which is empty, and null in JSON */
    union {
        int64_t i; /* X_INT, X_DURATION (ns) */
        double d;
        struct str s;
        const struct xlist *list;
        const struct xmap *map;
        const struct moment *time;
        const struct xfunc *func;
        const struct xobject *obj;
        int32_t offset_s; /* X_ZONE */
    };
};

struct xobject {
    enum { XOB_SEMVER, XOB_CERTIFICATE } kind;
    struct semver version; /* XOB_SEMVER; xv.sub 1: a value of Go, else a pointer */
    struct str cert, key;  /* XOB_CERTIFICATE: PEM */
};

struct xlist {
    size_t n;
    struct xv *items;
};

struct xpair {
    struct xv key, v;
};

/* Sorted by key (xv_order), keys unique. */
struct xmap {
    size_t n;
    struct xpair *pairs;
};

struct xctx;
typedef bool xfunc_fn(struct xctx *x, const struct xv *args, size_t n, struct xv *out);

/* A function of the environment or of sprig. `spec`: a letter a parameter: s string, i int, f
 * float, b bool, l list, m map, t time, c certificate, u uint32 (only nil is one), a anything; '*' = the
 * letter before it any number of times; '?' = the letter before it may be missing. */
struct xfunc {
    const char *name;
    const char *spec;
    xfunc_fn *fn;
    const char *doc;
};

/* Static types: what the checker knows. */
enum xtype {
    TY_ANY, TY_NIL, TY_BOOL, TY_INT, TY_FLOAT, TY_STR, TY_LIST, TY_MAP, TY_TIME, TY_DURATION,
    TY_FUNC, TY_ZONE,
    TY_METHOD, /* of a time or a duration; what it gives is the elem */
    TY_NAMED,  /* time.Month and time.Weekday: no operator takes them */
};

struct xbuiltin {
    const char *name;
    const char *spec;
    uint8_t result;    /* enum xtype */
    bool predicate;    /* takes a predicate as second argument; evaluated by expr_loop.c */
    xfunc_fn *fn;
    const char *doc;
};

const struct xbuiltin *xbuiltin_find(struct str name);
const struct xfunc *xfunc_find(struct str name);  /* asInt, asFloat, toJson, jsonpath */
const struct xfunc *sprig_find(struct str name);
extern const char sprig_refusal[]; /* why some exist in name only */
bool sprig_is_refused(struct str name);

/* --- evaluation --- */

struct xvar {
    const struct xvar *up;
    struct str name;
    struct xv v;
};

struct xloop { /* innermost predicate */
    const struct xloop *up;
    struct xv item, acc;
    int64_t index;
};

struct xroot { /* a top-level name, resolved once an evaluation */
    struct xroot *next;
    struct str name;
    bool known;
    struct xv v;
};

/* The chains that a tree mentions, each as far as it goes (xnames). */
struct xchains {
    size_t n; /* more than fit: which ones is not known */
    struct str names[16];
};

struct xctx {
    struct arena *a;
    const struct expr_env *env;
    struct str text;
    struct xnode *tree;
    struct err *e;
    enum expr_fault fault;
    const struct xvar *vars;
    const struct xloop *loop;
    struct xroot *roots;
    struct xchains *chains; /* NULL so far */
    uint64_t steps;   /* of LIMIT_EXPR_STEPS */
    uint64_t seed;    /* of the fixed random stream */
    uint32_t at;      /* what is being evaluated, for messages */
    bool chain_ended; /* an optional member of the current chain was nil */
};

/* Parses and prepares; then the names may be asked for, and the tree run. */
bool xctx_open(struct xctx *x, struct arena *a, struct str text, const struct expr_env *env,
               struct err *e);
bool xcheck(struct xctx *x, struct xnode *tree);
/* The rewrites of expr-lang's optimizer that show in results; in place, after the check. */
void xfold(struct arena *a, struct xnode *n);
bool xeval(struct xctx *x, const struct xnode *n, struct xv *out);
bool xeval_loop(struct xctx *x, const struct xnode *n, struct xv *out);
bool xbinary(struct xctx *x, enum xop op, const struct xv v[2], struct xv *out);
bool xfetch(struct xctx *x, const struct xv v[2], struct xv *out);
bool xmap_find(struct xctx *x, const struct xv *map, const struct xv *key, const struct xv **hit);

/* --- objects of Go (expr_object.c); the first argument of each is one --- */

const char *xobject_type(const struct xv *v);      /* Go's %T */
const char *xobject_full_type(const struct xv *v); /* with the path of its package */
const char *xobject_kind(const struct xv *v);
bool xobject_eq(const struct xv *a, const struct xv *b);
struct str xobject_text(struct arena *a, const struct xv *v);
struct xv xobject_plain(struct arena *a, const struct xv *v); /* what JSON shows */
bool xobject_has(struct xctx *x, const struct xv *v, const struct xv *key, bool *out);
bool xobject_fetch(struct xctx *x, const struct xv *v, const struct xv *key, struct xv *out);
bool xobject_call(struct xctx *x, struct xv *args, size_t n, struct str name, struct xv *out); /* args[0]: the object */

/* JSONPath in the dialect of the jsonpath() function (jsonpath.c). */
bool xjsonpath(struct xctx *x, const struct xv *root, struct str path, struct xv *out);

/* The value of a top-level name; false when it is unknown. */
bool xroot_get(struct xctx *x, struct str name, struct xv *out);
/* Whether the value of a chain such as "a.b.c" stands in the scope under just this name, with nothing below it: then it
 * is n->found, and `a` need not be turned into maps. */
bool xchain_find(struct xctx *x, struct xnode *n);
/* What looking at each of its members would have cost. */
static inline uint64_t xchain_steps(const struct xnode *n) { return 2 * (uint64_t)(n->depth - 1); }
/* Every variable chain of the tree. */
bool xnames(struct arena *a, const struct xnode *tree, bool (*fn)(void *ctx, struct str dotted),
            void *ctx);

/* Calls fn for every name and every path "a.b.c", with all its beginnings, that must exist as Argo sees it
 * and does not: what stands left of "??" or before "?." counts with its first name only. Variables of "let"
 * count too. */
void xmissing(struct xctx *x, void (*fn)(void *ctx, struct str dotted), void *ctx);

/* Each sets x->e at x->at and returns false. */
bool xfail(struct xctx *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool xlimit(struct xctx *x, const char *what, size_t limit);
/* Charges work to the step budget. */
bool xcharge(struct xctx *x, size_t steps);
/* Charges for going over all of a value, which may be far larger than what it took to make it: a list may hold another twice,
 * that one a third twice, and so on. */
bool xweigh(struct xctx *x, const struct xv *v);

/* --- value helpers (expr_value.c) --- */

static inline struct xv xv_nil(void) { return (struct xv){.kind = X_NIL}; }
static inline struct xv xv_bool(bool b) { return (struct xv){.kind = X_BOOL, .b = b}; }
static inline struct xv xv_int(int64_t i) { return (struct xv){.kind = X_INT, .i = i}; }
static inline struct xv xv_float(double d) { return (struct xv){.kind = X_FLOAT, .d = d}; }
static inline struct xv xv_str(struct str s) { return (struct xv){.kind = X_STR, .s = s}; }
static inline struct xv xv_duration(int64_t ns) { return (struct xv){.kind = X_DURATION, .i = ns}; }
/* As Go sees it: a nil slice or map is nil too. */
static inline bool xv_is_nil(const struct xv *v) { return v->kind == X_NIL || ((v->kind == X_LIST || v->kind == X_MAP) && v->b); }
static inline bool xv_is_number(const struct xv *v) { return v->kind == X_INT || v->kind == X_FLOAT; }
static inline double xv_number(const struct xv *v) { return v->kind == X_INT ? (double)v->i : v->d; }
struct xv xv_time(struct arena *a, struct moment m);
struct xv xv_list(struct arena *a, size_t n); /* n nils to fill in */
static inline struct xv *xv_items(const struct xv *list) { return list->list->items; }

/* A growing list, and a map that is sorted when done (a later key replaces an earlier one). */
struct xbuild {
    struct arena *a;
    struct xpair *pairs;
    size_t n, cap;
};
void xbuild_add(struct xbuild *b, struct xv key, struct xv v);
struct xv xbuild_list(const struct xbuild *b);
struct xv xbuild_map(struct xbuild *b);
const struct xv *xmap_get(const struct xv *map, const struct xv *key);
const struct xv *xmap_get_str(const struct xv *map, struct str key);

/* A key that Go can hash, else an error. */
/* What a method of a time (else of a duration) gives; TY_NIL: there is none. */
enum xtype xmethod_type(bool of_time, struct str name);
bool xv_hashable(struct xctx *x, const struct xv *key);
const char *xv_type(const struct xv *v); /* Go's %T */
bool xv_eq(const struct xv *a, const struct xv *b);
bool xv_same(const struct xv *a, const struct xv *b); /* reflect.DeepEqual: of the same types, too; 1 and 1.0 are not */
int xv_order(const struct xv *a, const struct xv *b); /* total, for sorting keys */
struct str xv_text(struct xctx *x, const struct xv *v); /* Go's %v */
void xv_put_text(struct buf *b, struct arena *a, const struct xv *v);

/* As encoding/json writes it, HTML characters escaped; indent 0: compact. */
struct str xv_json(struct xctx *x, const struct xv *v, int indent);
bool xv_from_json(struct xctx *x, struct str text, struct xv *out);
struct xv xv_from_val(struct arena *a, const struct val *v);
bool xv_to_val(struct xctx *x, const struct xv *v, struct val *out);
bool xv_parse_float(struct str s, double *out); /* strconv.ParseFloat */
int64_t xv_to_int(double d);                    /* Go's int(float64) on amd64 */
