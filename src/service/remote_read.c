/* Reading from a server elsewhere: workflows by any of their names, lists, stored objects. See remote_p.h. */
#include "base/limits.h"
#include "base/rfc3339.h"
#include "engine/engine.h"
#include "service/remote_p.h"

enum { UUID_CHARS = 36, TARGET_MAX = 64 << 10 };

static const char *workflow_target(struct arena *a, struct str ns, struct str name, const char *query)
{
    return str_fmt(a, "/api/v1/workflows/%.*s/%.*s%s", STR_ARG(web_escape(a, ns)), STR_ARG(web_escape(a, name)), query).p;
}

static struct workflow_ref ref_of(const struct val *wf)
{
    return (struct workflow_ref){val_text(val_path(wf, "metadata.namespace")), val_text(val_path(wf, "metadata.name"))};
}

/* ---- names ---- */

static bool first_of(struct arena *a, struct service *s, const struct list_opts *o, const char *what, struct val *items, struct err *e)
{
    return remote_list(a, s, o, items, e) && (items->n > 0 || err_set(e, ERR_NOT_FOUND, "no workflow %s", what));
}

/* Finished ones are known by their uid alone; the others only to who looks for them. */
bool remote_find_uid(struct arena *a, struct service *s, struct str ns, struct str uid, struct workflow_ref *out, struct err *e)
{
    struct val wf, items;
    struct list_opts o = {.ns = ns, .fields = str_fmt(a, "metadata.uid=%.*s", STR_ARG(uid)), .limit = 1};
    const char *what = str_fmt(a, "'%.*s'", STR_ARG(uid)).p;
    if (uid.n != UUID_CHARS) return err_set(e, ERR_NOT_FOUND, "no workflow %s", what);
    const char *target = str_fmt(a, "/api/v1/archived-workflows/%.*s?fields=metadata.name,metadata.namespace", STR_ARG(web_escape(a, uid))).p;
    bool found = remote_get(a, s->remote, target, &wf, e);
    if (!found && (!remote_lacks(e) || !first_of(a, s, &o, what, &items, e))) return false;
    *out = ref_of(found ? &wf : &items.items[0]);
    return true;
}

static bool latest(struct arena *a, struct service *s, struct str ns, struct workflow_ref *out, struct err *e)
{
    struct val items;
    struct list_opts o = {.ns = ns, .limit = 1};
    if (!first_of(a, s, &o, "in this namespace", &items, e)) return false;
    *out = ref_of(&items.items[0]);
    return true;
}

static bool by_prefix(struct arena *a, struct service *s, struct str ns, struct str name, struct workflow_ref *out, struct err *e)
{
    struct val items;
    struct list_opts o = {.ns = ns, .name = name, .limit = 2};
    const char *what = str_fmt(a, "'%.*s' in namespace '%.*s'", STR_ARG(name), STR_ARG(ns)).p;
    if (!first_of(a, s, &o, what, &items, e)) return false;
    *out = ref_of(&items.items[0]);
    return items.n == 1 || err_set(e, ERR_NOT_FOUND, "no workflow '%.*s', and several begin so: '%.*s', '%.*s', …", STR_ARG(name), STR_ARG(out->name),
                                   STR_ARG(ref_of(&items.items[1]).name));
}

bool remote_find(struct arena *a, struct service *s, struct str ns, struct str name, struct workflow_ref *out, struct err *e)
{
    struct val wf;
    if (str_is(name, "@latest")) return latest(a, s, ns, out, e);
    if (remote_get(a, s->remote, workflow_target(a, ns, name, "?fields=metadata.name,metadata.namespace"), &wf, e)) {
        *out = ref_of(&wf);
        return out->name.n || remote_strange(s->remote, "no workflow", e);
    }
    if (e->code != ERR_NOT_FOUND) return false;
    return remote_find_uid(a, s, ns, name, out, e) || (e->code == ERR_NOT_FOUND && by_prefix(a, s, ns, name, out, e));
}

/* ---- one workflow ---- */

bool remote_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended, struct err *e)
{
    struct val wf;
    enum node_phase p;
    if (!remote_get(a, s->remote, workflow_target(a, ref->ns, ref->name, "?fields=status.phase"), &wf, e)) return false;
    *phase = val_text(val_path(&wf, "status.phase"));
    *ended = phase_parse(*phase, &p) && phase_fulfilled(p);
    return true;
}

bool remote_get_part(struct arena *a, struct service *s, const struct workflow_ref *ref, bool nodes, struct val *out, struct err *e)
{
    return remote_get(a, s->remote, workflow_target(a, ref->ns, ref->name, nodes ? "" : "?fields=-status.nodes"), out, e);
}

/* ---- lists ---- */

/* What the narrow rows of a list say; asked for by name, a server reads no more than they hold. */
#define SHORT_FIELDS \
    "metadata,items.apiVersion,items.kind,items.metadata.name,items.metadata.namespace,items.metadata.uid," \
    "items.metadata.creationTimestamp,items.metadata.labels,items.metadata.resourceVersion,items.status.phase,items.status.startedAt," \
    "items.status.finishedAt,items.status.message,items.status.progress,items.spec.suspend,items.spec.shutdown,items.spec.priority"

static void part_add(struct buf *b, struct str part)
{
    if (b->n && part.n) buf_char(b, ',');
    buf_str(b, part);
}

/* Phases and the like are labels, as argo asks for them. */
static struct str labels_of(struct arena *a, const struct list_opts *o)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, TARGET_MAX);
    part_add(&b, o->selector);
    if (o->completed > 0) part_add(&b, STR("workflows.argoproj.io/completed=true"));
    if (o->completed < 0) part_add(&b, STR("workflows.argoproj.io/completed!=true"));
    for (size_t i = 0; i < o->n_phases; i++) {
        if (!i) part_add(&b, STR("workflows.argoproj.io/phase in ("));
        buf_printf(&b, "%s%.*s", i ? "," : "", STR_ARG(o->phases[i]));
    }
    if (o->n_phases) buf_char(&b, ')');
    return buf_dup(a, &b);
}

static struct str fields_of(struct arena *a, const struct list_opts *o)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, TARGET_MAX);
    part_add(&b, o->fields);
    if (o->name.n) part_add(&b, str_fmt(a, "metadata.name=%.*s", STR_ARG(o->name)));
    return buf_dup(a, &b);
}

static const char *list_path(struct arena *a, const struct list_opts *o)
{
    static const char *const matches[] = {[LIST_NAME_PREFIX] = "Prefix", [LIST_NAME_EXACT] = "Exact", [LIST_NAME_CONTAINS] = "Contains"};
    static const char *const forms[] = {[LIST_SHORT] = SHORT_FIELDS, [LIST_NO_NODES] = "-items.status.nodes", [LIST_WHOLE] = ""};
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, TARGET_MAX);
    buf_printf(&b, "/api/v1/workflows/%.*s?", STR_ARG(web_escape(a, o->ns)));
    query_add(&b, a, "fields=", str_of(forms[o->form]));
    if (o->name.n) query_add(&b, a, "&nameFilter=", str_of(matches[o->match]));
    if (o->created_after_us) query_add(&b, a, "&createdAfter=", rfc3339(a, o->created_after_us));
    if (o->finished_before_us) query_add(&b, a, "&finishedBefore=", rfc3339(a, o->finished_before_us));
    return buf_dup(a, &b).p;
}

bool remote_page(struct arena *a, struct service *s, const char *path, const struct object_query *o, struct object_page *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    struct val reply;
    buf_init(&b, TARGET_MAX);
    buf_printf(&b, "%s%s", path, strchr(path, '?') ? "" : "?");
    query_add(&b, a, "&listOptions.labelSelector=", o->labels);
    query_add(&b, a, "&listOptions.fieldSelector=", o->fields);
    query_add(&b, a, "&namePattern=", o->name_part);
    query_add(&b, a, "&listOptions.continue=", o->position);
    if (o->limit) buf_printf(&b, "&listOptions.limit=%zu", o->limit);
    if (b.overflow) return err_set(e, ERR_LIMIT, "the selection is larger than %d bytes", TARGET_MAX);
    *out = (struct object_page){.items = {.kind = VAL_LIST}};
    if (!remote_get(a, s->remote, buf_dup(a, &b).p, &reply, e)) return false;
    const struct val *items = val_get(&reply, STR("items"));
    bool none = !items || items->kind == VAL_NULL; /* Go's empty list */
    if (none ? !val_get(&reply, STR("metadata")) : items->kind != VAL_LIST) return remote_strange(s->remote, "no list", e);
    if (!none) out->items = *items;
    out->next = val_text(val_path(&reply, "metadata.continue"));
    str_to_i64(val_text(val_path(&reply, "metadata.resourceVersion")), &out->rv);
    return true;
}

bool remote_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e)
{
    struct object_query q = {.labels = labels_of(a, o), .fields = fields_of(a, o)};
    const char *path = list_path(a, o);
    struct val_builder list;
    struct object_page page;
    bool ok;
    list_begin(&list, a);
    do {
        q.limit = o->limit ? o->limit - list.n : 0;
        ok = remote_page(a, s, path, &q, &page, e);
        for (uint32_t i = 0; ok && i < page.items.n && !(o->limit && list.n >= o->limit); i++) list_add(&list, page.items.items[i]);
        q.position = page.next;
    } while (ok && page.next.n && !(o->limit && list.n >= o->limit));
    *out = list_done(&list);
    return ok;
}
