/* Who made an object, in labels of it, as Argo's server says it (workflow/creator): lists are filtered by them, and CronWorkflows
 * hand them on. Where nobody needs to say who they are, labels stay as they are given. */
#include "api/api_p.h"
#include "api/guard.h"

enum { LABEL_BYTES = 63, KEYS = 3 };

static const struct str keys[KEYS] = {{"workflows.argoproj.io/creator", 29}, {"workflows.argoproj.io/creator-email", 35},
                                      {"workflows.argoproj.io/creator-preferred-username", 48}};

static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/* What a label may have of a text: its end, where it is long. */
static struct str label_of(struct arena *a, struct str text)
{
    struct str s = str_from(text, text.n > LABEL_BYTES ? text.n - LABEL_BYTES : 0);
    char *to = arena_alloc_bytes(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) to[i] = is_alnum(s.p[i]) || char_is_one_of(s.p[i], "-_.") ? s.p[i] : '-';
    size_t from = 0, end = s.n;
    while (from < end && !is_alnum(to[from])) from++;
    while (end > from && !is_alnum(to[end - 1])) end--;
    return str_dup(a, str_n(to + from, end - from));
}

static struct str email_label(struct arena *a, struct str email)
{
    struct str user, host;
    return label_of(a, str_cut(email, '@', &user, &host) ? str_fmt(a, "%.*s.at.%.*s", STR_ARG(user), STR_ARG(host)) : email);
}

const struct param *api_creator(struct http_req *r, size_t *n)
{
    struct arena *a = http_req_arena(r);
    const struct auth_token *t = guard_caller(r);
    struct param *out = ARENA_ARRAY(a, struct param, KEYS);
    *n = 0;
    if (!t) return out;
    const struct auth_person *p = t->person;
    struct str texts[KEYS] = {label_of(a, p ? p->subject : t->name), p ? email_label(a, p->email) : STR(""), p ? label_of(a, p->username) : STR("")};
    for (size_t i = 0; i < KEYS; i++)
        if (texts[i].n) out[(*n)++] = (struct param){keys[i], texts[i]};
    return out;
}

static bool is_key(struct str s)
{
    for (size_t i = 0; i < KEYS; i++)
        if (str_eq(s, keys[i])) return true;
    return false;
}

struct val api_created(struct http_req *r, const struct val *doc)
{
    size_t n;
    struct arena *a = http_req_arena(r);
    const struct param *who = api_creator(r, &n);
    const struct val *meta = val_get(doc, STR("metadata")), *own = val_get(meta, STR("labels"));
    struct val_builder labels;
    bool other = (meta && meta->kind != VAL_MAP && meta->kind != VAL_NULL) || (own && own->kind != VAL_MAP && own->kind != VAL_NULL);
    if (!n || other) return *doc; /* what is no map is told when it is read */
    map_begin(&labels, a);
    for (uint32_t i = 0; own && own->kind == VAL_MAP && i < own->n; i++)
        if (!is_key(own->map[i].key)) map_add(&labels, own->map[i].key, own->map[i].v);
    for (size_t i = 0; i < n; i++) map_add_str(&labels, who[i].name.p, who[i].value);
    return map_with(a, doc, STR("metadata"), map_with(a, meta, STR("labels"), map_done(&labels)));
}
