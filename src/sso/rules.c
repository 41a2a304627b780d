/* See rules.h. */
#include "sso/rules.h"

#include "base/limits.h"
#include "doc/yaml.h"
#include "lang/expr.h"
#include "sso/jwt.h"

/* ---- reading ---- */

struct reading {
    struct arena *a;
    const char *file;
};

static bool at_fail(const struct reading *r, const struct val *v, const char *what, struct err *e)
{
    return err_set(e, ERR_SPEC, "%s:%u:%u: %s", r->file, v->line, v->col, what);
}

/* YAML reads `y`, `on` and 12 as something else than was meant. */
static struct str text_at(const struct val *v) { return v->kind == VAL_STR ? v->s : STR_NONE; }

static bool namespaces_read(const struct reading *r, const struct val *v, struct sso_rule *out, struct err *e)
{
    if (v->kind != VAL_LIST || !v->n) return at_fail(r, v, "`namespaces` is a list of names; without it a rule is about all", e);
    if (v->n > LIMIT_TOKEN_NAMESPACES) return at_fail(r, v, "more than LIMIT_TOKEN_NAMESPACES (100) namespaces", e);
    struct str *names = ARENA_ARRAY(r->a, struct str, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        names[i] = text_at(&v->items[i]);
        if (!names[i].n || names[i].n > LIMIT_TOKEN_NAME_BYTES) return at_fail(r, &v->items[i], "the name of a namespace is expected, in quotes where YAML reads something else", e);
    }
    out->namespaces = names;
    out->n = v->n;
    return true;
}

static bool when_read(const struct reading *r, const struct val *v, struct sso_rule *out, struct err *e)
{
    struct err why;
    out->when = text_at(v);
    if (!out->when.n) return at_fail(r, v, "`when` is an expression", e);
    return expr_check(r->a, out->when, &why) || at_fail(r, v, why.text, e);
}

static bool member_read(const struct reading *r, const struct val_pair *p, struct sso_rule *out, struct err *e)
{
    struct err why;
    if (str_is(p->key, "group")) return (out->group = text_at(&p->v)).n || at_fail(r, &p->v, "`group` is the name of one, in quotes where YAML reads something else", e);
    if (str_is(p->key, "when")) return when_read(r, &p->v, out, e);
    if (str_is(p->key, "role")) return auth_role_parse(text_at(&p->v), &out->role, &why) || at_fail(r, &p->v, why.text, e);
    if (str_is(p->key, "namespaces")) return namespaces_read(r, &p->v, out, e);
    return err_set(e, ERR_SPEC, "%s:%u:%u: unknown member '%.*s' (group, when, role, namespaces)", r->file, p->line, p->col,
                   STR_ARG(str_sub(p->key, 0, 100)));
}

static bool rule_read(const struct reading *r, const struct val *v, struct sso_rule *out, struct err *e)
{
    if (v->kind != VAL_MAP) return at_fail(r, v, "a rule is a map of `group` or `when`, `role`, `namespaces`", e);
    for (uint32_t i = 0; i < v->n; i++)
        if (!member_read(r, &v->map[i], out, e)) return false;
    if (!out->group.n == !out->when.n) return at_fail(r, v, "a rule has `group` or `when`, one of the two", e);
    return out->role || at_fail(r, v, "a rule has a `role`", e);
}

static bool name_note(void *ctx, struct str dotted)
{
    struct val_builder *b = ctx;
    struct str rest;
    str_cut(dotted, '.', &dotted, &rest);
    map_set(b, str_dup(b->a, dotted), val_null);
    return true;
}

static struct val names_mentioned(struct arena *a, const struct sso_rules *r)
{
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].when.n) expr_names(a, r->items[i].when, name_note, &b, NULL);
    return map_done(&b);
}

bool rules_read(struct arena *a, struct str text, const char *file, struct sso_rules *out, struct err *e)
{
    struct reading r = {a, file};
    struct yaml_opts opts = {.strict = true};
    struct val doc;
    if (!yaml_parse(a, text, &opts, &doc, e)) return err_ctx(e, "%s", file);
    const struct val *list = val_get(&doc, STR("rules"));
    if (doc.kind != VAL_MAP || doc.n != 1 || !list || list->kind != VAL_LIST || !list->n)
        return err_set(e, ERR_SPEC, "%s: `rules`, a list, is expected, and nothing else", file);
    if (list->n > LIMIT_SSO_RULES) return err_set(e, ERR_LIMIT, "%s: more than LIMIT_SSO_RULES (%d) rules", file, LIMIT_SSO_RULES);
    *out = (struct sso_rules){.items = ARENA_ARRAY(a, struct sso_rule, list->n), .n = list->n};
    for (uint32_t i = 0; i < list->n; i++)
        if (!rule_read(&r, &list->items[i], &out->items[i], e)) return false;
    out->names = names_mentioned(a, out);
    return true;
}

/* ---- people ---- */

void person_read(struct arena *a, const struct val *claims, struct str groups_claim, struct auth_person *out)
{
    const struct val *v = val_get(claims, groups_claim), *verified = val_get(claims, STR("email_verified"));
    const struct val *items = v && v->kind == VAL_LIST ? v->items : v;
    size_t n = !v ? 0 : v->kind == VAL_LIST ? v->n : 1;
    struct str *groups = ARENA_ARRAY(a, struct str, n + 1);
    *out = (struct auth_person){.issuer = text_member(claims, "iss"), .subject = text_member(claims, "sub"), .email = text_member(claims, "email"),
                                .name = text_member(claims, "name"), .username = text_member(claims, "preferred_username"), .groups = groups};
    out->email_verified = verified && (verified->kind == VAL_BOOL ? verified->b : str_is(val_text(verified), "true"));
    if (!out->name.n) out->name = out->username;
    for (size_t i = 0; i < n && out->n < LIMIT_SSO_GROUPS; i++)
        if (items[i].kind == VAL_STR) groups[out->n++] = items[i].s;
}

static bool in_group(const struct auth_person *p, struct str group)
{
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->groups[i], group)) return true;
    return false;
}

/* The claims, and what an expression may count on whoever it is. */
static struct val names_of(struct arena *a, const struct sso_rules *r, const struct val *claims, const struct auth_person *p)
{
    struct val_builder b, groups;
    list_begin(&groups, a);
    for (size_t i = 0; i < p->n; i++) list_add(&groups, val_of_str(p->groups[i]));
    map_begin(&b, a);
    for (uint32_t i = 0; i < r->names.n; i++) map_add(&b, r->names.map[i].key, r->names.map[i].v);
    map_set(&b, STR("email"), val_of_str(STR("")));
    map_set(&b, STR("name"), val_of_str(STR("")));
    for (uint32_t i = 0; i < claims->n; i++) map_set(&b, claims->map[i].key, claims->map[i].v);
    map_set(&b, STR("email_verified"), val_of_bool(p->email_verified));
    map_set(&b, STR("groups"), list_done(&groups));
    return map_done(&b);
}

const struct sso_rule *rules_match(struct arena *a, const struct sso_rules *r, const struct val *claims, const struct auth_person *p, int64_t now_us)
{
    struct val names = names_of(a, r, claims, p);
    struct expr_env env = {.extra = &names, .clock = {.now_us = now_us}};
    struct err absent;
    for (size_t i = 0; i < r->n; i++) {
        bool fits = false;
        if (r->items[i].group.n) fits = in_group(p, r->items[i].group);
        else if (!expr_eval_bool(a, r->items[i].when, &env, &fits, &absent)) fits = false;
        if (fits) return &r->items[i];
    }
    return NULL;
}
