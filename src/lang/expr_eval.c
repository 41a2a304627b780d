/* Walks the tree of an expression. See expr_p.h. */
#include "base/limits.h"
#include "lang/duration.h"
#include "lang/expr_p.h"

enum { ARGS_ON_STACK = 8 };

static bool not_bool(struct xctx *x, const struct xv *v)
{
    return xfail(x, "interface conversion: interface {} is %s, not bool",
                 v->kind == X_NIL ? "nil" : xv_type(v));
}

static bool eval_ident(struct xctx *x, const struct xnode *n, struct xv *out)
{
    for (const struct xvar *var = x->vars; var; var = var->up)
        if (str_eq(var->name, n->s)) {
            *out = var->v;
            return true;
        }
    x->at = n->at;
    if (!xroot_get(x, n->s, out)) *out = xv_nil(); /* "$env" and unchecked names */
    return true;
}

static bool eval_unary(struct xctx *x, const struct xnode *n, struct xv *out)
{
    if (!xeval(x, n->kids[0], out)) return false;
    x->at = n->at;
    if (n->op == XO_NOT) {
        if (out->kind != X_BOOL) return not_bool(x, out);
        out->b = !out->b;
        return true;
    }
    if (n->op == XO_PLUS) return true;
    if (out->kind == X_FLOAT) out->d = -out->d;
    else if (out->kind == X_INT) out->i = (int64_t)(0 - (uint64_t)out->i);
    else return xfail(x, "invalid operation: - %s", xv_type(out));
    return true;
}

/* && || and ?? look at the left side first. */
static bool eval_binary(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xv v[2];
    if (n->op == XO_COALESCE) {
        if (!xeval(x, n->kids[0], out)) return false;
        return !xv_is_nil(out) || xeval(x, n->kids[1], out);
    }
    if (!xeval(x, n->kids[0], &v[0])) return false;
    x->at = n->at;
    if (n->op == XO_AND || n->op == XO_OR) {
        if (v[0].kind != X_BOOL) return not_bool(x, &v[0]);
        if (v[0].b == (n->op == XO_OR)) {
            *out = v[0];
            return true;
        }
        return xeval(x, n->kids[1], out);
    }
    if (!xeval(x, n->kids[1], &v[1])) return false;
    x->at = n->at;
    if (n->op == XO_IN && n->optional) { /* a look-up in a map of strings */
        if (v[0].kind == X_NIL) v[0] = xv_str(STR(""));
        if (v[0].kind != X_STR)
            return xfail(x, "reflect.Value.MapIndex: value of type %s is not assignable to type string", xv_type(&v[0]));
    }
    return xbinary(x, n->op, v, out);
}

/* A look-up as Go's reflection does it: nil stands for the key type's zero value. *hit NULL: none. */
bool xmap_find(struct xctx *x, const struct xv *map, const struct xv *key, const struct xv **hit)
{
    struct xv empty = xv_str(STR(""));
    if (map->map->n == 0 && key->kind == X_NIL) return *hit = NULL, true;
    if (map->sub >= XM_ANY_KEY) {
        if (!xv_hashable(x, key)) return false;
    } else if (key->kind == X_NIL) {
        key = &empty;
    } else if (key->kind != X_STR) {
        return xfail(x, "reflect.Value.MapIndex: value of type %s is not assignable to type string", xv_type(key));
    }
    *hit = xmap_get(map, key);
    return true;
}

bool xfetch(struct xctx *x, const struct xv v[2], struct xv *out)
{
    const struct xv *from = &v[0], *key = &v[1];
    const struct xv *hit;
    if (from->kind == X_MAP) {
        if (!xmap_find(x, from, key, &hit)) return false;
        *out = hit ? *hit : from->sub == XM_GROUPS ? xv_list(x->a, 0) : xv_nil();
        if (!hit) out->b = from->sub == XM_GROUPS;
        return true;
    }
    if (from->kind == X_SPRIG) {
        const struct xfunc *f = key->kind == X_STR ? sprig_find(key->s) : NULL;
        *out = f ? (struct xv){.kind = X_FUNC, .func = f} : xv_nil();
        return true;
    }
    if (from->kind == X_OBJECT) return xobject_fetch(x, from, key, out);
    if (from->kind != X_LIST && from->kind != X_STR) {
        struct str text = xv_text(x, key);
        return xfail(x, "cannot fetch %.*s from %s", STR_ARG(text), xv_type(from));
    }
    if (!xv_is_number(key)) return xfail(x, "invalid operation: int(%s)", xv_type(key));
    int64_t n = (int64_t)(from->kind == X_LIST ? from->list->n : from->s.n);
    int64_t i = key->kind == X_INT ? key->i : xv_to_int(key->d);
    if (i < 0) i += n;
    if (i < 0 || i >= n)
        return xfail(x, "index out of range: %lld (array length is %lld)", (long long)i, (long long)n);
    *out = from->kind == X_LIST ? from->list->items[i] : xv_int((unsigned char)from->s.p[i]);
    return true;
}

static bool eval_member(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xv v[2];
    if (n->found && !x->vars && !x->chain_ended) { /* a variable may have the name of its root, where nothing was checked */
        x->steps += xchain_steps(n);
        x->at = n->at;
        *out = *n->found;
        return true;
    }
    if (!xeval(x, n->kids[0], &v[0])) return false;
    if (x->chain_ended || (n->optional && xv_is_nil(&v[0]))) {
        x->chain_ended = true;
        *out = xv_nil();
        return true;
    }
    if (!xeval(x, n->kids[1], &v[1])) return false;
    x->at = n->at;
    return xfetch(x, v, out);
}

static bool eval_chain(struct xctx *x, const struct xnode *n, struct xv *out)
{
    bool outer = x->chain_ended;
    x->chain_ended = false;
    bool ok = xeval(x, n->kids[0], out);
    if (ok && xv_is_nil(out)) *out = xv_nil();
    x->chain_ended = outer;
    return ok;
}

static bool slice_bound(struct xctx *x, const struct xnode *n, size_t length, size_t *bound)
{
    struct xv v;
    if (!n) return true;
    if (!xeval(x, n, &v)) return false;
    if (!xv_is_number(&v)) return xfail(x, "invalid operation: int(%s)", xv_type(&v));
    int64_t i = v.kind == X_INT ? v.i : xv_to_int(v.d);
    if (i < 0) i = (int64_t)length + i;
    *bound = i < 0 ? 0 : MIN((size_t)i, length);
    return true;
}

static bool eval_slice(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xv base;
    if (!xeval(x, n->kids[0], &base)) return false;
    if (x->chain_ended) {
        *out = xv_nil();
        return true;
    }
    x->at = n->at;
    if (base.kind != X_LIST && base.kind != X_STR) return xfail(x, "cannot slice %s", xv_type(&base));
    size_t length = base.kind == X_LIST ? base.list->n : base.s.n, from = 0, to = length;
    if (!slice_bound(x, n->kids[1], length, &from) || !slice_bound(x, n->kids[2], length, &to))
        return false;
    if (from > to) from = to;
    if (base.kind == X_STR) {
        *out = xv_str(str_sub(base.s, from, to - from));
        return true;
    }
    struct xlist *list = ARENA_NEW(x->a, struct xlist);
    *list = (struct xlist){to - from, base.list->items + from};
    *out = base;
    out->list = list;
    return true;
}

static bool eval_items(struct xctx *x, const struct xnode *n, struct xv *items)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (!xeval(x, n->kids[i], &items[i])) return false;
    return true;
}

static bool eval_array(struct xctx *x, const struct xnode *n, struct xv *out)
{
    *out = xv_list(x->a, n->n);
    return xcharge(x, n->n) && eval_items(x, n, xv_items(out));
}

static bool eval_map(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xbuild b = {.a = x->a};
    if (!xcharge(x, n->n)) return false;
    for (uint32_t i = 0; i < n->n; i += 2) {
        struct xv key, v;
        if (!xeval(x, n->kids[i], &key) || !xeval(x, n->kids[i + 1], &v)) return false;
        x->at = n->at;
        if (key.kind != X_STR)
            return xfail(x, "interface conversion: interface {} is %s, not string",
                         key.kind == X_NIL ? "nil" : xv_type(&key));
        xbuild_add(&b, key, v);
    }
    for (size_t i = 0; i < b.n / 2; i++) { /* the first of two equal keys wins */
        struct xpair swap = b.pairs[i];
        b.pairs[i] = b.pairs[b.n - 1 - i];
        b.pairs[b.n - 1 - i] = swap;
    }
    *out = xbuild_map(&b);
    return true;
}

static bool eval_let(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xvar var = {.up = x->vars, .name = n->s};
    if (!xeval(x, n->kids[0], &var.v)) return false;
    x->vars = &var;
    bool ok = xeval(x, n->kids[1], out);
    x->vars = var.up;
    return ok;
}

static bool eval_pointer(struct xctx *x, const struct xnode *n, struct xv *out)
{
    if (!x->loop) return xfail(x, "cannot use pointer accessor outside predicate");
    if (!n->s.n) *out = x->loop->item;
    else if (str_is(n->s, "index")) *out = xv_int(x->loop->index);
    else *out = x->loop->acc;
    return true;
}

/* --- calls --- */

/* Functions take their arguments as Go's reflection does: the very type. Builtins are not so strict. */
static bool value_fits(char letter, const struct xv *v, bool strict)
{
    uint8_t kind = v->kind;
    if (strict && letter == 'i') return kind == X_INT && v->sub == XI_INT;
    if (strict && letter == 'm') return kind == X_MAP && v->sub == XM_ANY;
    if (strict && letter == 'l') return kind == X_LIST && v->sub == XS_ANY;
    switch (letter) {
    case 's': return kind == X_STR;
    case 'i': return kind == X_INT;
    case 'f': return kind == X_FLOAT;
    case 'b': return kind == X_BOOL;
    case 'm': return kind == X_MAP;
    case 't': return kind == X_TIME;
    case 'c': return kind == X_OBJECT && v->obj->kind == XOB_CERTIFICATE;
    case 'u': return kind == X_INT && v->sub == XI_UINT32;
    default: return true;
    }
}

static const char *letter_type(char letter)
{
    switch (letter) {
    case 's': return "string";
    case 'i': return "int";
    case 'f': return "float64";
    case 'b': return "bool";
    case 'l': return "[]interface {}";
    case 'm': return "map[string]interface {}";
    case 't': return "time.Time";
    case 'c': return "sprig.certificate";
    case 'u': return "uint32";
    default: return "interface {}";
    }
}

/* Checks arguments against a spec such as "sai*". */
static bool fits_spec(struct xctx *x, const char *spec, const struct xv *args, size_t n, bool strict)
{
    size_t least = 0, most = 0, i = 0;
    for (const char *c = spec; *c; c++) {
        if (*c == '*') most = SIZE_MAX, least--;
        else if (*c == '?') least--;
        else least++, most += most != SIZE_MAX;
    }
    if (n < least)
        return xfail(x, "invalid number of arguments: expected %s%zu, got %zu",
                     most == least ? "" : "at least ", least, n);
    if (n > most) return xfail(x, "invalid number of arguments: expected %zu, got %zu", most, n);
    for (const char *c = spec; *c && i < n; c++) {
        if (*c == '*' || *c == '?') continue;
        size_t end = c[1] == '*' ? n : i + 1;
        for (; i < end; i++)
            if (!value_fits(*c, &args[i], strict))
                return xfail(x, c[1] == '*' ? "reflect: cannot use %s as type %s in Call"
                                            : "reflect: Call using %s as type %s",
                             xv_type(&args[i]), letter_type(*c));
    }
    return true;
}

static struct xobject *empty_certificate(struct arena *a)
{
    struct xobject *o = ARENA_NEW(a, struct xobject);
    *o = (struct xobject){.kind = XOB_CERTIFICATE, .cert = STR(""), .key = STR("")};
    return o;
}

/* Go calls a function with the zero value of its parameter's type where an argument is nil. */
static void zero_nils(struct xctx *x, const char *spec, struct xv *args, size_t n)
{
    size_t i = 0;
    for (const char *c = spec; *c && i < n; c++) {
        if (*c == '*' || *c == '?') continue;
        size_t end = c[1] == '*' ? n : i + 1;
        for (; i < end; i++) {
            if (args[i].kind != X_NIL) continue;
            if (*c == 's') args[i] = xv_str(STR(""));
            else if (*c == 'u') args[i] = (struct xv){.kind = X_INT, .sub = XI_UINT32};
            else if (*c == 'l') args[i] = xv_list(x->a, 0);
            else if (*c == 'c') args[i] = (struct xv){.kind = X_OBJECT, .obj = empty_certificate(x->a)};
            else if (*c == 'i') args[i] = xv_int(0);
            else if (*c == 'f') args[i] = xv_float(0);
            else if (*c == 'b') args[i] = xv_bool(false);
            else if (*c == 't') args[i] = xv_time(x->a, (struct moment){.s = -62135596800, .zone = "UTC"});
            else if (*c == 'm') args[i] = (struct xv){.kind = X_MAP, .b = true, .map = ARENA_NEW(x->a, struct xmap)};
        }
    }
}

static bool call_builtin(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xv space[ARGS_ON_STACK], *args = space;
    if (n->n > ARGS_ON_STACK) args = ARENA_ARRAY(x->a, struct xv, n->n);
    if (!eval_items(x, n, args)) return false;
    x->at = n->at;
    return fits_spec(x, n->builtin->spec, args, n->n, false) && n->builtin->fn(x, args, n->n, out);
}

enum xtype xmethod_type(bool of_time, struct str name)
{
    static const struct {
        const char *names;
        uint8_t type;
    } of_times[] = {
        {" Year Day Hour Minute Second Nanosecond YearDay Unix UnixMilli UnixMicro UnixNano ", TY_INT},
        {" Month Weekday ", TY_NAMED}, {" String Format GoString ", TY_STR},
        {" UTC Local In Add AddDate Truncate Round ", TY_TIME}, {" Sub ", TY_DURATION},
        {" IsZero After Before Equal IsDST ", TY_BOOL}, {" Location Zone ISOWeek Clock Date Compare ", TY_ANY},
    }, of_durations[] = {
        {" Hours Minutes Seconds ", TY_FLOAT}, {" Milliseconds Microseconds Nanoseconds ", TY_INT},
        {" String ", TY_STR}, {" Abs Round Truncate ", TY_DURATION},
    };
    char word[40];
    snprintf(word, sizeof word, " %.*s ", STR_ARG(name));
    for (size_t i = 0; i < (of_time ? ARRAY_LEN(of_times) : ARRAY_LEN(of_durations)); i++)
        if (strstr(of_time ? of_times[i].names : of_durations[i].names, word))
            return of_time ? of_times[i].type : of_durations[i].type;
    return TY_NIL;
}

/* Methods of times and durations that Go gives them. */
static bool call_duration(struct xctx *x, const struct xv *args, struct str name, struct xv *out)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"Hours", 3600e9}, {"Minutes", 60e9}, {"Seconds", 1e9}};
    static const struct {
        const char *name;
        int64_t ns;
    } whole[] = {{"Milliseconds", 1000000}, {"Microseconds", 1000}, {"Nanoseconds", 1}};
    int64_t ns = args[0].i;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_is(name, units[i].name)) {
            *out = xv_float((double)ns / units[i].ns);
            return true;
        }
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (str_is(name, whole[i].name)) {
            *out = xv_int(ns / whole[i].ns);
            out->sub = XI_INT64;
            return true;
        }
    if (!str_is(name, "String"))
        return xfail(x, "type time.Duration has no method %.*s", STR_ARG(name));
    *out = xv_str(duration_text(x->a, ns));
    return true;
}

static bool call_time_part(struct str name, struct moment m, struct xv *out)
{
    struct moment_parts p = moment_parts(m);
    const struct {
        const char *name;
        int64_t v;
        uint8_t sub;
    } parts[] = {
        {"Year", p.year, XI_INT}, {"Month", p.month, XI_MONTH}, {"Day", p.day, XI_INT}, {"Hour", p.hour, XI_INT},
        {"Minute", p.minute, XI_INT}, {"Second", p.second, XI_INT}, {"Nanosecond", m.ns, XI_INT},
        {"Weekday", p.weekday, XI_WEEKDAY}, {"YearDay", p.yearday, XI_INT}, {"Unix", m.s, XI_INT64},
        {"UnixMilli", m.s * 1000 + m.ns / 1000000, XI_INT64},
        {"UnixMicro", m.s * 1000000 + m.ns / 1000, XI_INT64},
        {"UnixNano", (int64_t)((uint64_t)m.s * 1000000000u) + m.ns, XI_INT64},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (str_is(name, parts[i].name)) {
            *out = xv_int(parts[i].v);
            out->sub = parts[i].sub;
            return true;
        }
    return false;
}

static bool call_time_with(struct xctx *x, const struct xv *args, struct str name, struct xv *out)
{
    struct moment m = *args[0].time;
    const struct xv *arg = &args[1];
    if (arg->kind == X_TIME) {
        int order = moment_cmp(m, *arg->time);
        if (str_is(name, "Sub")) *out = xv_duration(moment_diff(m, *arg->time));
        else if (str_is(name, "After")) *out = xv_bool(order > 0);
        else if (str_is(name, "Before")) *out = xv_bool(order < 0);
        else if (str_is(name, "Equal")) *out = xv_bool(order == 0);
        else return xfail(x, "type time.Time has no method %.*s", STR_ARG(name));
        return true;
    }
    if (str_is(name, "Format") && arg->kind == X_STR) {
        *out = xv_str(timefmt_layout(x->a, arg->s, m));
    } else if (str_is(name, "Add") && arg->kind == X_DURATION) {
        *out = xv_time(x->a, moment_add(m, arg->i));
    } else if (str_is(name, "Truncate") && arg->kind == X_DURATION && arg->i > 0) {
        int64_t rest = (int64_t)(((__int128)m.s + 62135596800) * 1000000000 % arg->i + m.ns) % arg->i;
        *out = xv_time(x->a, moment_add(m, -rest));
    } else if (str_is(name, "In") && arg->kind == X_ZONE) {
        m.offset_s = arg->offset_s;
        snprintf(m.zone, sizeof m.zone, "%s", arg->offset_s ? "" : "UTC");
        *out = xv_time(x->a, m);
    } else {
        return xfail(x, "type time.Time has no method %.*s", STR_ARG(name));
    }
    return true;
}

static bool call_method(struct xctx *x, struct xv *args, size_t n, struct str name, struct xv *out)
{
    if (args[0].kind == X_OBJECT) return xobject_call(x, args, n, name, out);
    if (args[0].kind == X_DURATION) return call_duration(x, args, name, out);
    struct moment m = *args[0].time;
    if (n == 2) return call_time_with(x, args, name, out);
    if (n == 4 && str_is(name, "AddDate")) {
        struct moment_parts p = moment_parts(m);
        int64_t months = p.year * 12 + p.month - 1 + args[1].i * 12 + args[2].i;
        p.year = months >= 0 ? months / 12 : -((-months + 11) / 12);
        p.month = (int)(months - p.year * 12) + 1;
        int64_t days = p.day - 1 + args[3].i;
        p.day = 1;
        m.s = moment_from_parts(&p) - m.offset_s + days * 86400;
        *out = xv_time(x->a, m);
        return true;
    }
    if (call_time_part(name, m, out)) return true;
    if (str_is(name, "String")) {
        *out = xv_str(timefmt_string(x->a, m));
    } else if (str_is(name, "UTC")) {
        m.offset_s = 0;
        memcpy(m.zone, "UTC", 4);
        *out = xv_time(x->a, m);
    } else if (str_is(name, "IsZero")) {
        *out = xv_bool(m.s == -62135596800 && !m.ns);
    } else {
        return xfail(x, "type time.Time has no method %.*s", STR_ARG(name));
    }
    return true;
}

/* "a.f(…)": a method of a time, or a function that is a member of a map (sprig). args[0] becomes
 * the receiver or the function. */
static bool eval_callee(struct xctx *x, const struct xnode *callee, struct xv *out, bool *is_method)
{
    *is_method = false;
    if (callee->kind != XN_MEMBER || !callee->method) return xeval(x, callee, out);
    struct xv v[2] = {{0}, xv_str(callee->kids[1]->s)};
    if (!xeval(x, callee->kids[0], &v[0])) return false;
    if (x->chain_ended || (callee->optional && xv_is_nil(&v[0]))) {
        x->chain_ended = true;
        *out = xv_nil();
        return true;
    }
    *is_method = v[0].kind == X_TIME || v[0].kind == X_DURATION || v[0].kind == X_OBJECT;
    x->at = callee->at;
    if (!*is_method) return xfetch(x, v, out);
    *out = v[0];
    return true;
}

static bool eval_call(struct xctx *x, const struct xnode *n, struct xv *out)
{
    struct xv *args = ARENA_ARRAY(x->a, struct xv, n->n);
    bool is_method;
    if (!eval_callee(x, n->kids[0], &args[0], &is_method)) return false;
    if (x->chain_ended) {
        *out = xv_nil();
        return true;
    }
    for (uint32_t i = 1; i < n->n; i++)
        if (!xeval(x, n->kids[i], &args[i])) return false;
    x->at = n->at;
    if (is_method) return call_method(x, args, n->n, n->kids[0]->kids[1]->s, out);
    if (args[0].kind == X_NIL) return xfail(x, "invalid operation: cannot call nil");
    if (args[0].kind != X_FUNC)
        return xfail(x, "invalid operation: cannot call non-function of type %s", xv_type(&args[0]));
    const struct xfunc *f = args[0].func;
    zero_nils(x, f->spec, args + 1, n->n - 1);
    return fits_spec(x, f->spec, args + 1, n->n - 1, true) && f->fn(x, args + 1, n->n - 1, out);
}

/* --- */

static bool eval_more(struct xctx *x, const struct xnode *n, struct xv *out)
{
    switch ((enum xnode_kind)n->kind) {
    case XN_UNARY: return eval_unary(x, n, out);
    case XN_BINARY: return eval_binary(x, n, out);
    case XN_CHAIN: return eval_chain(x, n, out);
    case XN_MEMBER: return eval_member(x, n, out);
    case XN_SLICE: return eval_slice(x, n, out);
    case XN_CALL: return eval_call(x, n, out);
    case XN_BUILTIN: return n->builtin->predicate ? xeval_loop(x, n, out) : call_builtin(x, n, out);
    case XN_PREDICATE: return xeval(x, n->kids[0], out);
    case XN_POINTER: return eval_pointer(x, n, out);
    case XN_LET: return eval_let(x, n, out);
    case XN_COND:
        if (!xeval(x, n->kids[0], out)) return false;
        x->at = n->at;
        return out->kind == X_BOOL ? xeval(x, n->kids[out->b ? 1 : 2], out) : not_bool(x, out);
    case XN_SEQUENCE:
        for (uint32_t i = 0; i < n->n; i++)
            if (!xeval(x, n->kids[i], out)) return false;
        return true;
    case XN_ARRAY: return eval_array(x, n, out);
    case XN_MAP: return eval_map(x, n, out);
    default: IMPOSSIBLE("kind of node");
    }
}

bool xeval(struct xctx *x, const struct xnode *n, struct xv *out)
{
    if (++x->steps > LIMIT_EXPR_STEPS) return xcharge(x, 0);
    switch ((enum xnode_kind)n->kind) {
    case XN_NIL: *out = xv_nil(); return true;
    case XN_BOOL: *out = xv_bool(n->b); return true;
    case XN_INT: *out = xv_int(n->i); return true;
    case XN_FLOAT: *out = xv_float(n->d); return true;
    case XN_STR: *out = xv_str(n->s); return true;
    case XN_IDENT: return eval_ident(x, n, out);
    default: return eval_more(x, n, out) && x->steps <= LIMIT_EXPR_STEPS; /* a charge whose result nobody looked at counts, too */
    }
}
