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

static struct val with_labels_of(struct arena *a, const struct val *doc, const struct param *who, size_t n)
{
    const struct val *meta = val_get(doc, STR("metadata")), *own = val_get(meta, STR("labels"));
    struct val_builder labels;
    map_begin(&labels, a);
    for (uint32_t i = 0; own && own->kind == VAL_MAP && i < own->n; i++)
        if (!is_key(own->map[i].key)) map_add(&labels, own->map[i].key, own->map[i].v);
    for (size_t i = 0; i < n; i++) map_add_str(&labels, who[i].name.p, who[i].value);
    struct val all = map_done(&labels);
    return all.n || own ? map_with(a, doc, STR("metadata"), map_with(a, meta, STR("labels"), all)) : *doc;
}

/* Whoever made what is there already under this name. */
static bool made_before(struct arena *a, struct service *s, const struct document *d, struct str ns, struct param *who, size_t *n)
{
    struct stored_ref ref = {str_of(doc_kind_text(d->kind)), d->ns.n ? d->ns : ns.n ? ns : STR("default"), d->name};
    struct val old;
    struct err absent;
    if (d->kind == DOC_WORKFLOW || !d->name.n || !service_stored_get(a, s, &ref, &old, &absent)) return false;
    for (size_t i = *n = 0; i < KEYS; i++) {
        struct str text = val_get_str(val_path(&old, "metadata.labels"), keys[i].p);
        if (text.n) who[(*n)++] = (struct param){keys[i], text};
    }
    return true;
}

static bool is_signed(enum doc_kind kind)
{
    return kind == DOC_WORKFLOW || kind == DOC_WORKFLOW_TEMPLATE || kind == DOC_CLUSTER_WORKFLOW_TEMPLATE || kind == DOC_CRON_WORKFLOW;
}

void api_sign(struct http_req *r, struct service *s, struct str ns, struct documents *docs)
{
    size_t n, n_old;
    struct arena *a = http_req_arena(r);
    const struct param *who = api_creator(r, &n);
    for (size_t i = 0; guard_caller(r) && i < docs->n; i++) {
        struct document *d = &docs->items[i];
        struct param old[KEYS];
        if (!is_signed(d->kind)) continue;
        bool change = made_before(a, s, d, ns, old, &n_old);
        struct val *v = ARENA_NEW(a, struct val);
        *v = change ? with_labels_of(a, d->val, old, n_old) : with_labels_of(a, d->val, who, n);
        d->val = v;
    }
}

void api_labels_take(struct http_req *r, const struct param *given, size_t n, struct submit_opts *o)
{
    struct param *out = ARENA_ARRAY(http_req_arena(r), struct param, n + 1);
    o->labels = out;
    o->n_labels = 0;
    for (size_t i = 0; i < n; i++)
        if (!guard_caller(r) || !is_key(given[i].name)) out[o->n_labels++] = given[i];
}
