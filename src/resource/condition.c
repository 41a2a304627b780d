/* Conditions over the fields of an object. See condition.h. */
#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/condition.h"

/* Requirements are looked at in the order of their keys, as Kubernetes sorts them. */
static void sort_by_key(struct selector *s)
{
    for (size_t i = 1; i < s->n; i++) {
        struct selector_req r = s->reqs[i];
        size_t k = i;
        for (; k && str_cmp(s->reqs[k - 1].key, r.key) > 0; k--) s->reqs[k] = s->reqs[k - 1];
        s->reqs[k] = r;
    }
}

static bool one_parse(struct arena *a, struct str text, const char *what, struct selector *out, struct err *e)
{
    *out = (struct selector){0};
    if (!text.n) return true;
    if (!selector_parse(a, str_dup(a, text), out, e))
        return err_ctx(e, "%s condition '%.*s' failed to parse", what, STR_ARG(text));
    sort_by_key(out);
    return true;
}

bool condition_parse(struct arena *a, struct str success, struct str failure, struct condition *out, struct err *e)
{
    out->given = success.n || failure.n;
    return one_parse(a, success, "success", &out->success, e) && one_parse(a, failure, "fail", &out->failure, e);
}

/* A member by name, an item by its index. */
static const struct val *member(const struct val *v, struct str part)
{
    int64_t i;
    if (!v || v->kind != VAL_LIST) return val_get(v, part);
    return str_to_i64(part, &i) && i >= 0 && i < (int64_t)v->n ? &v->items[i] : NULL;
}

/* Absent: the object has no such field. */
static struct str field_text(struct arena *a, const struct val *v, struct str path)
{
    struct str part, rest = path;
    while (v && str_set(rest)) {
        str_cut(rest, '.', &part, &rest);
        v = member(v, part);
    }
    if (!v) return STR_NONE;
    if (v->kind == VAL_NULL) return STR("");
    return v->kind == VAL_LIST || v->kind == VAL_MAP ? json_text(a, v) : val_text(v);
}

static bool holds(struct arena *a, const struct selector_req *r, const struct val *object)
{
    return selector_req_holds(r, field_text(a, object, r->key));
}

enum condition_state condition_judge(struct arena *a, const struct condition *c, const struct val *object,
                                     struct str *why)
{
    bool all = true;
    for (size_t i = 0; i < c->failure.n; i++) {
        if (!holds(a, &c->failure.reqs[i], object)) continue;
        struct str text = selector_req_text(a, &c->failure.reqs[i]);
        *why = str_fmt(a, "failure condition '%.*s' evaluated true", STR_ARG(text));
        return CONDITION_FAILED;
    }
    for (size_t i = 0; i < c->success.n; i++) all = holds(a, &c->success.reqs[i], object) && all;
    return all ? CONDITION_HOLDS : CONDITION_OPEN;
}

static bool reads(const struct selector *s, struct str path)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_starts(s->reqs[i].key, path)) return true;
    return false;
}

bool condition_reads(const struct condition *c, struct str path)
{
    return reads(&c->success, path) || reads(&c->failure, path);
}
