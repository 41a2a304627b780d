/* See groups.h. */
#include "sso/groups.h"

#include <strings.h>

#include "base/limits.h"
#include "doc/json.h"
#include "lang/regex.h"
#include "os/clock.h"
#include "sso/jwt.h"

/* Claims with other groups; NULL: none. */
static struct val with_groups(struct arena *a, const struct val *claims, struct str groups_claim, const struct val *groups)
{
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; i < claims->n; i++)
        if (!str_eq(claims->map[i].key, groups_claim)) map_add(&b, claims->map[i].key, claims->map[i].v);
    if (groups) map_add(&b, groups_claim, *groups);
    return map_done(&b);
}

/* ---- the userinfo endpoint ---- */

static bool is_json(struct str content_type)
{
    static const char json[] = "application/json";
    struct str type, rest;
    str_cut(content_type, ';', &type, &rest);
    type = str_trim(type);
    return type.n == sizeof json - 1 && strncasecmp(type.p, json, type.n) == 0;
}

/* Its `sub` must be there and the same: else tokens could be mixed up. */
bool userinfo_read(struct arena *a, struct str content_type, struct str body, struct str groups_claim, const struct val *claims, struct val *out,
                   struct err *e)
{
    static const struct json_opts opts = {.strict = true};
    struct val v;
    struct err why;
    if (!is_json(content_type)) return err_set(e, ERR_AUTH, "the provider's userinfo is no application/json");
    if (!json_parse(a, body, &opts, &v, &why) || v.kind != VAL_MAP) return err_set(e, ERR_AUTH, "the provider's userinfo is no JSON object");
    struct str sub = text_member(&v, "sub");
    if (!sub.n || !str_eq(sub, text_member(claims, "sub"))) return err_set(e, ERR_AUTH, "the provider's userinfo is not about who signed in (sub)");
    *out = with_groups(a, claims, groups_claim, val_get(&v, groups_claim));
    return true;
}

/* ---- the filter ---- */

bool group_filter_read(struct group_filter *f, struct str words, struct err *e)
{
    struct str word, rest = words;
    *f = (struct group_filter){.items = mem_zalloc(LIMIT_SSO_FILTERS * sizeof(struct regex *))};
    while (str_set(rest)) {
        str_cut(rest, ' ', &word, &rest);
        if (!word.n) continue;
        if (f->n == LIMIT_SSO_FILTERS) return err_set(e, ERR_USAGE, "sso.groups_filter: more than LIMIT_SSO_FILTERS (%d) regular expressions", LIMIT_SSO_FILTERS);
        struct err why;
        if (!(f->items[f->n] = regex_new(word, &why))) return err_set(e, ERR_USAGE, "sso.groups_filter: %s", why.text);
        f->n++;
    }
    return true;
}

void group_filter_free(struct group_filter *f)
{
    for (size_t i = 0; i < f->n; i++) regex_free(f->items[i]);
    free(f->items);
    *f = (struct group_filter){0};
}

static bool passes(const struct group_filter *f, struct str group, bool *out, struct err *e)
{
    struct regex_hit hit = {0};
    for (size_t i = 0; i < f->n && !hit.found; i++)
        if (!regex_search(f->items[i], group, 0, &hit, e)) return err_ctx(e, "sso.groups_filter");
    *out = hit.found;
    return true;
}

static bool filtered(struct arena *a, const struct group_filter *f, const struct val *items, size_t n, struct val *out, struct err *e)
{
    int64_t until_us = clock_mono_us() + (int64_t)LIMIT_SSO_FILTER_MS * 1000;
    struct val_builder b;
    bool fits = false;
    list_begin(&b, a);
    for (size_t i = 0; i < n; i++) {
        if (items[i].kind != VAL_STR) continue;
        if (clock_mono_us() > until_us) return err_set(e, ERR_LIMIT, "sso.groups_filter: the groups take longer than LIMIT_SSO_FILTER_MS (%d)", LIMIT_SSO_FILTER_MS);
        if (!passes(f, items[i].s, &fits, e)) return false;
        if (fits) list_add(&b, items[i]);
    }
    *out = list_done(&b);
    return true;
}

bool groups_filter(struct arena *a, const struct group_filter *f, struct str groups_claim, const struct val *claims, struct val *out, struct err *e)
{
    const struct val *v = val_get(claims, groups_claim);
    struct val kept;
    *out = *claims;
    if (!f->n || !v) return true;
    bool list = v->kind == VAL_LIST, ok = filtered(a, f, list ? v->items : v, list ? v->n : 1, &kept, e);
    *out = with_groups(a, claims, groups_claim, ok ? &kept : NULL);
    return ok;
}
