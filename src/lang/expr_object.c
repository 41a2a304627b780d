/* Values of expressions that are objects of Go: versions (semver) and certificates of sprig. See expr_p.h.
 *
 * A version has methods, a certificate fields. Methods that change their object, or take or give bytes, are
 * left out; a method must be called where it is named. */
#include "lang/expr_p.h"

enum xgives { GIVES_TEXT, GIVES_PART, GIVES_NEXT, GIVES_SET, GIVES_ORDER, GIVES_BOOL };

/* `of_value`: also of what Inc… and Set… give, which is no pointer in Go. */
static const struct method {
    const char *name;
    bool of_value;
    char arg; /* none, s: text, v: pointer to a version */
    uint8_t gives;
    uint8_t what; /* of those that give the same */
} methods[] = {
    {"String", true, 0, GIVES_TEXT, 0}, {"Value", true, 0, GIVES_TEXT, 0}, {"Prerelease", true, 0, GIVES_TEXT, 1},
    {"Metadata", true, 0, GIVES_TEXT, 2}, {"Original", false, 0, GIVES_TEXT, 3},
    {"Major", true, 0, GIVES_PART, 0}, {"Minor", true, 0, GIVES_PART, 1}, {"Patch", true, 0, GIVES_PART, 2},
    {"IncMajor", true, 0, GIVES_NEXT, 0}, {"IncMinor", true, 0, GIVES_NEXT, 1}, {"IncPatch", true, 0, GIVES_NEXT, 2},
    {"SetPrerelease", true, 's', GIVES_SET, 0}, {"SetMetadata", true, 's', GIVES_SET, 1},
    {"Compare", false, 'v', GIVES_ORDER, 0}, {"Equal", false, 'v', GIVES_BOOL, 0},
    {"LessThan", false, 'v', GIVES_BOOL, 1}, {"LessThanEqual", false, 'v', GIVES_BOOL, 2},
    {"GreaterThan", false, 'v', GIVES_BOOL, 3}, {"GreaterThanEqual", false, 'v', GIVES_BOOL, 4},
};

enum { VALUE = 1 }; /* xv.sub */

static bool is_certificate(const struct xv *v) { return v->obj->kind == XOB_CERTIFICATE; }

const char *xobject_type(const struct xv *v)
{
    if (is_certificate(v)) return "sprig.certificate";
    return v->sub == VALUE ? "semver.Version" : "*semver.Version";
}

const char *xobject_full_type(const struct xv *v)
{
    return is_certificate(v) ? "github.com/Masterminds/sprig/v3.certificate" : "github.com/Masterminds/semver/v3.Version";
}

const char *xobject_kind(const struct xv *v)
{
    return is_certificate(v) || v->sub == VALUE ? "struct" : "ptr";
}

bool xobject_eq(const struct xv *a, const struct xv *b)
{
    if (a->obj->kind != b->obj->kind) return false;
    if (!is_certificate(a)) return semver_same(&a->obj->version, &b->obj->version);
    return str_eq(a->obj->cert, b->obj->cert) && str_eq(a->obj->key, b->obj->key);
}

struct str xobject_text(struct arena *a, const struct xv *v)
{
    if (!is_certificate(v)) return semver_text(a, &v->obj->version);
    return str_fmt(a, "{%.*s %.*s}", STR_ARG(v->obj->cert), STR_ARG(v->obj->key));
}

struct xv xobject_plain(struct arena *a, const struct xv *v)
{
    if (!is_certificate(v)) return xv_str(semver_text(a, &v->obj->version));
    struct xbuild b = {.a = a};
    xbuild_add(&b, xv_str(STR("Cert")), xv_str(v->obj->cert));
    xbuild_add(&b, xv_str(STR("Key")), xv_str(v->obj->key));
    return xbuild_map(&b);
}

static const struct method *find_method(const struct xv *v, struct str name)
{
    if (is_certificate(v)) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_is(name, methods[i].name) && (methods[i].of_value || v->sub != VALUE)) return &methods[i];
    return NULL;
}

bool xobject_has(struct xctx *x, const struct xv *v, const struct xv *key, bool *out)
{
    if (key->kind != X_STR)
        return xfail(x, "cannot use %s as field name of %s", xv_type(key), xobject_type(v));
    *out = is_certificate(v) && (str_is(key->s, "Cert") || str_is(key->s, "Key"));
    return true;
}

bool xobject_fetch(struct xctx *x, const struct xv *v, const struct xv *key, struct xv *out)
{
    bool field = is_certificate(v) && key->kind == X_STR;
    if (field && str_is(key->s, "Cert")) return *out = xv_str(v->obj->cert), true;
    if (field && str_is(key->s, "Key")) return *out = xv_str(v->obj->key), true;
    struct str name = xv_text(x, key);
    if (key->kind == X_STR && find_method(v, name))
        return xfail(x, "%.*s of %s must be called: methods are no values here", STR_ARG(name), xobject_type(v));
    return xfail(x, "cannot fetch %.*s from %s", STR_ARG(name), xobject_type(v));
}

/* A version made from another keeps that one's "v". */
static struct xv derived(struct arena *a, const struct semver *from, struct semver v)
{
    struct xobject *o = ARENA_NEW(a, struct xobject);
    bool prefix = from->original.n && from->original.p[0] == 'v';
    v.original = str_cat(a, prefix ? STR("v") : STR(""), semver_text(a, &v));
    *o = (struct xobject){.kind = XOB_SEMVER, .version = v};
    return (struct xv){.kind = X_OBJECT, .sub = VALUE, .obj = o};
}

static struct xv next_version(struct arena *a, const struct semver *from, int part)
{
    struct semver v = *from;
    v.pre = v.meta = STR("");
    if (part < 2 || !from->pre.n) v.part[part]++;
    for (int i = part + 1; i < 3; i++) v.part[i] = 0;
    return derived(a, from, v);
}

static bool with_text(struct xctx *x, const struct semver *from, bool meta, struct str text, struct xv *out)
{
    struct semver v = *from;
    if (text.n && !(meta ? semver_meta_valid(text) : semver_pre_valid(text)))
        return xfail(x, "Invalid %s string", meta ? "Metadata" : "Prerelease");
    *(meta ? &v.meta : &v.pre) = text;
    *out = derived(x->a, from, v);
    return true;
}

static bool compared(const struct semver *a, const struct semver *b, uint8_t how)
{
    int c = semver_order(a, b);
    return how == 0 ? c == 0 : how == 1 ? c < 0 : how == 2 ? c <= 0 : how == 3 ? c > 0 : c >= 0;
}

static bool call_version(struct xctx *x, const struct xv *args, const struct method *m, struct xv *out)
{
    const struct semver *v = &args[0].obj->version, *other = m->arg == 'v' ? &args[1].obj->version : NULL;
    switch ((enum xgives)m->gives) {
    case GIVES_TEXT:
        *out = xv_str(m->what == 0 ? semver_text(x->a, v) : m->what == 1 ? v->pre : m->what == 2 ? v->meta : v->original);
        return true;
    case GIVES_PART:
        if (v->part[m->what] > INT64_MAX) return xfail(x, "%s: a number above 9223372036854775807", m->name);
        *out = (struct xv){.kind = X_INT, .sub = XI_UINT64, .i = (int64_t)v->part[m->what]};
        return true;
    case GIVES_NEXT: *out = next_version(x->a, v, m->what); return true;
    case GIVES_SET: return with_text(x, v, m->what, args[1].s, out);
    case GIVES_ORDER: *out = xv_int(semver_order(v, other)); return true;
    case GIVES_BOOL: *out = xv_bool(compared(v, other, m->what)); return true;
    }
    IMPOSSIBLE("kind of method");
}

bool xobject_call(struct xctx *x, struct xv *args, size_t n, struct str name, struct xv *out)
{
    const struct method *m = find_method(&args[0], name);
    if (!m) return xfail(x, "cannot fetch %.*s from %s", STR_ARG(name), xobject_type(&args[0]));
    if (n != 1 + (m->arg != 0)) return xfail(x, "invalid number of arguments: expected %d, got %zu", m->arg != 0, n - 1);
    struct xv *arg = &args[n - 1];
    if (m->arg == 's' && arg->kind == X_NIL) *arg = xv_str(STR(""));
    if (m->arg == 'v' && arg->kind == X_NIL) {
        *out = xv_bool(false);
        return str_is(name, "Equal") || xfail(x, "runtime error: invalid memory address or nil pointer dereference");
    }
    bool fits = m->arg == 's'   ? arg->kind == X_STR
                : m->arg == 'v' ? arg->kind == X_OBJECT && !is_certificate(arg) && arg->sub != VALUE
                                : true;
    if (!fits) return xfail(x, "reflect: Call using %s as type %s", xv_type(arg), m->arg == 's' ? "string" : "*semver.Version");
    return call_version(x, args, m, out);
}
