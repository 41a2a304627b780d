/* See tags.h. */
#include "lang/tags.h"

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "lang/expr_p.h"

/* The text being made, in the arena; doubled when full. */
struct output {
    struct arena *a;
    char *p;
    size_t n, cap;
};

struct replacer {
    struct arena *a;
    const struct tags_opts *opts;
    struct output out;
    struct err *e;
    enum tags_outcome outcome;
};

static void put(struct output *o, struct str s)
{
    if (o->n + s.n + 1 > o->cap) {
        size_t cap = MAX(o->cap * 2, o->n + s.n + 64);
        char *p = arena_alloc_bytes(o->a, cap);
        if (o->n) memcpy(p, o->p, o->n);
        o->p = p;
        o->cap = cap;
    }
    if (s.n) memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
    o->p[o->n] = 0;
}

static bool fail(struct replacer *r, enum tags_outcome outcome)
{
    r->outcome = outcome;
    return false;
}

/* steps.x or tasks.x. Artifacts are resolved elsewhere and may be optional. */
static bool must_resolve(const struct replacer *r, struct str name)
{
    if (r->opts->policy == TAGS_LEAVE) return false;
    if (r->opts->policy == TAGS_FAIL) return true;
    struct str head, rest;
    str_cut(name, '.', &head, &rest);
    if (!str_is(head, "steps") && !str_is(head, "tasks")) return false;
    return str_find(name, STR(".outputs.artifacts."), 0) < 0;
}

static bool lookup(const struct replacer *r, struct str name, struct scope_value *v)
{
    return r->opts->scope && scope_get(r->opts->scope, name, v);
}

static bool put_value(struct replacer *r, struct str tag, const struct scope_value *v)
{
    if (v->kind == SCOPE_NIL || (v->kind == SCOPE_VAL && (!v->val || v->val->kind == VAL_NULL))) {
        err_set(r->e, ERR_SPEC, "failed to resolve {{%.*s}}: absent optional value", STR_ARG(tag));
        return fail(r, TAGS_ABSENT);
    }
    if (v->kind == SCOPE_STR) put(&r->out, v->str);
    else if (v->kind == SCOPE_TIME) put(&r->out, timefmt_string(r->a, moment_utc(v->time_us)));
    else if (v->val->kind == VAL_STR) put(&r->out, v->val->s);
    else put(&r->out, json_text(r->a, v->val));
    return true;
}

/* --- simple tags --- */

static ptrdiff_t last_open(struct str tag)
{
    for (size_t at = tag.n; at >= 2; at--)
        if (tag.p[at - 1] == '{' && tag.p[at - 2] == '{') return (ptrdiff_t)at - 2;
    return -1;
}

static bool unresolved(struct replacer *r, struct str tag, struct str as_left)
{
    if (must_resolve(r, str_trim(tag))) {
        err_set(r->e, ERR_SPEC, "failed to resolve {{%.*s}}", STR_ARG(tag));
        return fail(r, TAGS_UNRESOLVED);
    }
    r->outcome = TAGS_UNRESOLVED;
    put(&r->out, as_left);
    return true;
}

/* "a.{{b": the inner tag is replaced; the outer one, now complete, is left to the next pass. */
static bool replace_nested(struct replacer *r, struct str tag, struct str whole, size_t open)
{
    struct scope_value v;
    struct str inner = str_from(tag, open + 2);
    if (!lookup(r, inner, &v)) return unresolved(r, tag, whole);
    if (v.kind == SCOPE_NIL) {
        err_set(r->e, ERR_SPEC, "unable to substitute nested tag {{%.*s}}: \"%.*s\" is an absent optional value",
                STR_ARG(tag), STR_ARG(inner));
        return fail(r, TAGS_ABSENT);
    }
    if (v.kind != SCOPE_STR) return unresolved(r, tag, whole);
    put(&r->out, STR("{{"));
    put(&r->out, str_sub(tag, 0, open));
    put(&r->out, v.str);
    r->outcome = TAGS_UNRESOLVED;
    return true;
}

static bool replace_simple(struct replacer *r, struct str tag, struct str whole)
{
    struct scope_value v;
    if (lookup(r, str_trim(tag), &v)) return put_value(r, tag, &v);
    ptrdiff_t open = last_open(tag);
    return open > 0 ? replace_nested(r, tag, whole, (size_t)open) : unresolved(r, tag, whole);
}

/* --- expressions --- */

/* Names that come to exist only later, whatever the text has as a default. */
static bool is_late(struct str name)
{
    static const char *const late[] = {"item", "retries", "lastRetry.exitCode", "lastRetry.status",
                                       "lastRetry.duration", "lastRetry.message",
                                       "workflow.status", "workflow.failures"};
    for (size_t i = 0; i < ARRAY_LEN(late); i++)
        if (str_is(name, late[i])) return true;
    return false;
}

struct missing {
    struct replacer *r;
    bool any, late;
    struct str fatal; /* a missing name that the policy does not forgive */
};

static void note_missing(void *ctx, struct str dotted)
{
    struct missing *m = ctx;
    m->any = true;
    m->late = m->late || is_late(dotted);
    if (!str_set(m->fatal) && must_resolve(m->r, dotted)) m->fatal = dotted;
}

/* `why` may be where the text already is. */
static bool expr_failed(struct replacer *r, const struct err *why)
{
    if (r->e && r->e != why) *r->e = *why;
    err_ctx(r->e, "failed to evaluate expression");
    return fail(r, TAGS_ERROR);
}

static bool result_text(struct replacer *r, struct xctx *x, const struct xv *v, struct str *out)
{
    struct xv plain = v->kind == X_OBJECT ? xobject_plain(r->a, v) : *v;
    *out = plain.kind == X_STR    ? plain.s
           : plain.kind == X_BOOL ? (plain.b ? STR("true") : STR("false"))
           : plain.kind == X_TIME ? timefmt_rfc3339(r->a, *plain.time)
                                  : xv_json(x, &plain, 0);
    return str_set(*out);
}

static bool leave(struct replacer *r, struct str whole)
{
    r->outcome = TAGS_UNRESOLVED;
    put(&r->out, whole);
    return true;
}

/* An expression that does not parse fails under every policy; so does one that passes a limit. One
 * that fails or gives nil otherwise is left as it is, when a name is missing that may be missing, or
 * when everything may be left. */
static bool replace_expr(struct replacer *r, struct str text, struct str whole)
{
    struct expr_env env = {.scope = r->opts->scope, .clock = r->opts->clock};
    struct xctx x;
    struct err inner = {0};
    if (!xctx_open(&x, r->a, text, &env, &inner)) return expr_failed(r, &inner);
    struct missing m = {.r = r};
    xmissing(&x, note_missing, &m);
    if (str_set(m.fatal)) {
        err_set(r->e, ERR_SPEC, "failed to evaluate expression: %.*s is missing", STR_ARG(m.fatal));
        return fail(r, TAGS_UNRESOLVED);
    }
    bool lenient = m.any || r->opts->policy == TAGS_LEAVE;
    if (m.late) return leave(r, whole);
    struct xv v = {0};
    struct str out = STR_NONE;
    bool ok = xcheck(&x, x.tree) && xeval(&x, x.tree, &v);
    if (ok && v.kind != X_NIL && result_text(r, &x, &v, &out)) {
        put(&r->out, out);
        return true;
    }
    if (inner.code == ERR_LIMIT) return expr_failed(r, &inner);
    if (lenient) return leave(r, whole);
    if (!ok || v.kind != X_NIL) return expr_failed(r, &inner);
    err_set(r->e, ERR_SPEC, "failed to evaluate expression \"%.*s\": absent optional value",
            STR_ARG(text));
    return fail(r, TAGS_ABSENT);
}

/* --- whole texts --- */

static bool replace_text(struct replacer *r, struct str text, struct str *out)
{
    struct str rest = text;
    r->out = (struct output){.a = r->a};
    for (;;) {
        ptrdiff_t open = str_find(rest, STR("{{"), 0);
        ptrdiff_t end = open < 0 ? -1 : str_find(rest, STR("}}"), (size_t)open + 2);
        if (end < 0) break;
        struct str tag = str_sub(rest, (size_t)open + 2, (size_t)(end - open) - 2);
        struct str whole = str_sub(rest, (size_t)open, (size_t)(end - open) + 2);
        put(&r->out, str_sub(rest, 0, (size_t)open));
        rest = str_from(rest, (size_t)end + 2);
        bool ok = tag.n && tag.p[0] == '=' ? replace_expr(r, str_from(tag, 1), whole)
                                           : replace_simple(r, tag, whole);
        if (!ok) return false;
        if (r->out.n > LIMIT_VALUE_BYTES) {
            err_set(r->e, ERR_LIMIT, "a text with its tags replaced is longer than %d bytes",
                    LIMIT_VALUE_BYTES);
            return fail(r, TAGS_ERROR);
        }
    }
    if (!r->out.p) {
        *out = text; /* nothing was replaced */
        return true;
    }
    put(&r->out, rest);
    *out = str_n(r->out.p, r->out.n);
    return true;
}

static bool finish(const struct tags_opts *opts, const struct replacer *r, bool ok)
{
    if (opts->outcome) *opts->outcome = r->outcome;
    return ok;
}

bool tags_replace(struct arena *a, struct str text, const struct tags_opts *opts, struct str *out,
                  struct err *e)
{
    struct replacer r = {.a = a, .opts = opts, .e = e};
    return finish(opts, &r, replace_text(&r, text, out));
}

/* --- trees --- */

static bool replace_val(struct replacer *r, const struct val *v, struct val *out, bool *changed);

static bool replace_list(struct replacer *r, const struct val *v, struct val *out, bool *changed)
{
    struct val *items = NULL;
    for (uint32_t i = 0; i < v->n; i++) {
        struct val item;
        bool fresh = false;
        if (!replace_val(r, &v->items[i], &item, &fresh)) return false;
        if (!fresh) continue;
        if (!items) {
            items = ARENA_ARRAY(r->a, struct val, v->n);
            memcpy(items, v->items, v->n * sizeof *items);
        }
        items[i] = item;
    }
    *out = *v;
    if (items) out->items = items;
    *changed = items != NULL;
    return true;
}

static bool replace_map(struct replacer *r, const struct val *v, struct val *out, bool *changed)
{
    struct val_pair *pairs = NULL;
    for (uint32_t i = 0; i < v->n; i++) {
        struct val_pair pair = v->map[i];
        bool fresh = false, fresh_key = tags_present(pair.key);
        if (fresh_key && !replace_text(r, v->map[i].key, &pair.key)) return false;
        if (!replace_val(r, &v->map[i].v, &pair.v, &fresh)) return false;
        if (!fresh && !fresh_key) continue;
        if (!pairs) {
            pairs = ARENA_ARRAY(r->a, struct val_pair, v->n);
            memcpy(pairs, v->map, v->n * sizeof *pairs);
        }
        pairs[i] = pair;
    }
    *out = *v;
    if (pairs) out->map = pairs;
    *changed = pairs != NULL;
    return true;
}

static bool replace_val(struct replacer *r, const struct val *v, struct val *out, bool *changed)
{
    *changed = false;
    switch ((enum val_kind)v->kind) {
    case VAL_LIST: return replace_list(r, v, out, changed);
    case VAL_MAP: return replace_map(r, v, out, changed);
    case VAL_STR:
        *out = *v;
        if (!tags_present(v->s)) return true;
        *changed = true;
        return replace_text(r, v->s, &out->s);
    default: *out = *v; return true;
    }
}

bool tags_replace_val(struct arena *a, const struct val *v, const struct tags_opts *opts,
                      struct val *out, struct err *e)
{
    struct replacer r = {.a = a, .opts = opts, .e = e};
    bool changed;
    return finish(opts, &r, replace_val(&r, v, out, &changed));
}

/* --- looking only --- */

bool tags_next(struct str text, size_t *at, struct tag *out)
{
    ptrdiff_t open = str_find(text, STR("{{"), *at);
    ptrdiff_t end = open < 0 ? -1 : str_find(text, STR("}}"), (size_t)open + 2);
    if (end < 0) return false;
    struct str inner = str_sub(text, (size_t)open + 2, (size_t)(end - open) - 2);
    out->is_expr = inner.n && inner.p[0] == '=';
    out->offset = (size_t)open;
    ptrdiff_t nested = out->is_expr ? -1 : last_open(inner);
    if (nested > 0) {
        out->offset += (size_t)nested + 2;
        inner = str_from(inner, (size_t)nested + 2);
    }
    out->inner = str_trim(out->is_expr ? str_from(inner, 1) : inner);
    *at = out->end = (size_t)end + 2;
    return true;
}

bool tags_scan(struct str text, bool (*fn)(void *ctx, const struct tag *tag), void *ctx)
{
    struct tag tag;
    for (size_t at = 0; tags_next(text, &at, &tag);)
        if (!fn(ctx, &tag)) return false;
    return true;
}

bool tags_scan_val(const struct val *v, bool (*fn)(void *ctx, const struct tag *tag), void *ctx)
{
    if (v->kind == VAL_STR) return tags_scan(v->s, fn, ctx);
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
        if (!tags_scan_val(&v->items[i], fn, ctx)) return false;
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
        if (!tags_scan(v->map[i].key, fn, ctx) || !tags_scan_val(&v->map[i].v, fn, ctx)) return false;
    return true;
}

static bool stop(void *ctx, const struct tag *tag) { return false; }

bool tags_present_val(const struct val *v) { return !tags_scan_val(v, stop, NULL); }

struct str tags_sole_name(struct str text)
{
    struct tag tag;
    size_t at = 0;
    text = str_trim(text);
    bool sole = tags_next(text, &at, &tag) && !tag.is_expr && !tag.offset && tag.end == text.n;
    return sole ? tag.inner : STR_NONE;
}
