/* Step logs by way of the log folder's readers; one source for each step's file. */
#include "cli/steplog.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "cli/change.h"
#include "cli/farlog.h"
#include "cli/text.h"
#include "logs/logs.h"

struct source {
    struct str prefix; /* "pod: ", coloured */
    bool finished;
};

struct noted {
    const struct workflow_ref *ref;
    struct str node;
};

/* Nodes that changed; each once. */
struct noted_list {
    VEC(struct noted) nodes;
    struct map keys;
    struct arena a;
};

struct steplog {
    struct cli *cli;
    struct service *service;
    const struct workflow_ref *refs;
    size_t n_refs;
    struct steplog_opts o;
    struct pod_filter *pods; /* with o.selector; made when it is first needed */
    struct farlog *far; /* of a server elsewhere: in place of all below */
    struct logs_follow *follow;
    struct map by_path; /* log path → index + 1 in sources */
    VEC(struct source) sources;
    VEC(struct logs_source) files; /* for printing at once; same order */
    struct buf out;
    bool all;  /* every node is to be looked at, not only those noted */
    bool text; /* lines stay in `out` */
    struct noted_list noted;
};

/* One colour for one name, as argo: by the sum of its bytes. */
void steplog_prefix_put(struct buf *b, const struct style *style, struct str name)
{
    static const int colors[] = {32, 33, 34, 35, 36, 37};
    unsigned sum = 0;
    for (size_t i = 0; i < name.n; i++) sum += (unsigned char)name.p[i];
    if (style->color) buf_printf(b, "\033[%dm%.*s\033[0m: ", colors[sum % ARRAY_LEN(colors)], STR_ARG(name));
    else buf_printf(b, "%.*s: ", STR_ARG(name));
}

static struct str prefix_of(struct steplog *l, struct str name)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    steplog_prefix_put(&b, &l->o.style, name);
    return buf_dup(&l->cli->a, &b);
}

static void out_flush(struct steplog *l)
{
    if (l->o.fd == l->cli->env->out_fd) cli_out(l->cli, buf_view(&l->out));
    else cli_err(l->cli, buf_view(&l->out));
    buf_reset(&l->out);
}

static bool line_put(void *ctx, const struct logs_line *line, struct err *e)
{
    struct steplog *l = ctx;
    struct buf *b = &l->out;
    buf_str(b, l->sources.items[line->source].prefix);
    logs_line_format(b, line, l->o.timestamps);
    if (b->n >= 64 << 10 && !l->text) out_flush(l);
    return true;
}

static bool source_add(struct steplog *l, const struct step_log *s, struct err *e)
{
    const char *path = str_dup(&l->cli->a, s->path).p; /* the step's text is short-lived */
    struct logs_source file = {.path = path, .finished = s->finished};
    size_t index = l->sources.n;
    if (l->follow && !logs_follow_add(l->follow, &file, &index, e)) return false;
    ASSERT(index == l->sources.n);
    map_put(&l->by_path, str_of(path), NULL)->num = index + 1;
    VEC_PUSH(&l->sources, ((struct source){prefix_of(l, l->o.labels ? s->display_name : s->pod_name), s->finished}));
    VEC_PUSH(&l->files, file);
    return true;
}

static void noted_fini(struct noted_list *list)
{
    VEC_FINI(&list->nodes);
    map_fini(&list->keys);
    arena_fini(&list->a);
    *list = (struct noted_list){0};
}

static void node_note(struct steplog *l, const struct workflow_ref *ref, struct str node)
{
    struct noted_list *list = &l->noted;
    bool fresh;
    struct str key = str_fmt(&list->a, "%.*s/%.*s/%.*s", STR_ARG(ref->ns), STR_ARG(ref->name), STR_ARG(node));
    map_put(&list->keys, key, &fresh);
    if (fresh) VEC_PUSH(&list->nodes, ((struct noted){ref, str_dup(&list->a, node)}));
}

void steplog_note(struct steplog *l, const struct val *v)
{
    struct change c;
    if (l->far) {
        farlog_note(l->far, v);
        return;
    }
    struct str ns = val_text(val_path(v, "workflow.namespace"));
    if (!change_read(v, &c) || !c.node || !change_node_is_leaf(c.node)) return;
    for (size_t i = 0; i < l->n_refs; i++)
        if (str_eq(l->refs[i].name, c.workflow) && str_eq(l->refs[i].ns, ns)) {
            node_note(l, &l->refs[i], val_get_str(c.node, "id"));
            return;
        }
}

static bool pod_is_meant(struct steplog *l, const struct step_log *s, bool *meant, struct err *e)
{
    *meant = step_log_is_meant(s, l->o.pod, l->o.container);
    if (!*meant || !l->o.selector.n) return true;
    if (!l->pods) l->pods = service_pod_filter(l->service, l->refs, l->o.selector, e);
    return l->pods && service_pod_passes(l->pods, s, meant, e);
}

static bool step_see(struct steplog *l, const struct step_log *s, struct err *e)
{
    struct map_slot *slot = map_get(&l->by_path, s->path);
    bool meant = true;
    if (!slot && !pod_is_meant(l, s, &meant, e)) return false;
    if (!slot) return !meant || source_add(l, s, e);
    struct source *known = &l->sources.items[slot->num - 1];
    if (s->finished && !known->finished && l->follow) logs_follow_finish(l->follow, slot->num - 1);
    known->finished = s->finished;
    return true;
}

static bool node_see(struct steplog *l, const struct noted *x, struct err *e)
{
    CLEANUP(arena_fini) struct arena a;
    struct step_log *steps;
    size_t n;
    arena_init(&a);
    if (!service_logs_node(&a, l->service, x->ref, x->node, &steps, &n, e)) return false;
    for (size_t i = 0; i < n; i++)
        if (!step_see(l, &steps[i], e)) return false;
    return true;
}

/* All are looked at again when one cannot be. */
static bool noted_see(struct steplog *l, struct err *e)
{
    struct noted_list *list = &l->noted;
    for (size_t i = 0; i < list->nodes.n; i++)
        if (!node_see(l, &list->nodes.items[i], e)) return false;
    noted_fini(list);
    arena_init(&list->a);
    return true;
}

static bool steps_see(struct steplog *l, struct err *e)
{
    CLEANUP(arena_fini) struct arena a;
    arena_init(&a);
    l->all = false;
    for (size_t i = 0; i < l->n_refs; i++) {
        struct step_log *steps;
        size_t n;
        const struct workflow_ref *r = &l->refs[i];
        bool ok = l->o.previous ? service_logs_previous(&a, l->service, r->ns, r->name, &steps, &n, e)
                                : service_logs(&a, l->service, r->ns, r->name, &steps, &n, e);
        if (!ok) return false;
        for (size_t k = 0; k < n; k++)
            if (!step_see(l, &steps[k], e)) return false;
    }
    return true;
}

static struct logs_query query_of(const struct steplog_opts *o)
{
    return (struct logs_query){.since_ns = o->since_ns, .tail = logs_tail_of(o->tail), .grep = o->grep};
}

static struct steplog *steplog_new(struct cli *cli, struct service *s, const struct steplog_opts *o)
{
    struct steplog *l = mem_zalloc(sizeof *l);
    l->cli = cli;
    l->service = s;
    l->o = *o;
    buf_init(&l->out, LIMIT_SHOWN_BYTES);
    arena_init(&l->noted.a);
    l->all = true;
    return l;
}

static void steplog_drop(struct steplog *l)
{
    logs_follow_close(l->follow);
    service_pod_filter_free(l->pods);
    map_fini(&l->by_path);
    VEC_FINI(&l->sources);
    VEC_FINI(&l->files);
    noted_fini(&l->noted);
    buf_fini(&l->out);
    free(l);
}

bool steplog_print(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n,
                   const struct steplog_opts *o, struct err *e)
{
    if (service_is_remote(s)) return farlog_print(cli, s, refs, n, o, e);
    struct steplog *l = steplog_new(cli, s, o);
    struct logs_query q = query_of(o);
    l->refs = refs;
    l->n_refs = n;
    bool ok = steps_see(l, e);
    if (ok && o->pod.n && !o->selector.n && l->sources.n == 0)
        ok = err_set(e, ERR_NOT_FOUND, "no pod or step '%.*s' with a log in this workflow", STR_ARG(o->pod));
    ok = ok && logs_read(l->files.items, l->files.n, &q, line_put, l, e);
    out_flush(l);
    steplog_drop(l);
    return ok;
}

/* The log's tail is help for a person; when it cannot be read there is none. */
void steplog_tail(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct str node_id,
                  struct str label, struct buf *out)
{
    if (service_is_remote(s)) {
        farlog_tail(cli, s, ref, node_id, label, out);
        return;
    }
    struct steplog_opts o = {.tail = STEPLOG_TAIL_LINES, .style = cli->style, .fd = cli->env->out_fd};
    struct steplog *l = steplog_new(cli, s, &o);
    struct logs_query q = query_of(&o);
    struct err ignored = {0};
    struct noted node = {ref, node_id};
    l->text = true;
    bool ok = node_see(l, &node, &ignored);
    for (size_t i = 0; i < l->sources.n; i++) l->sources.items[i].prefix = prefix_of(l, label);
    if (ok && logs_read(l->files.items, l->files.n, &q, line_put, l, &ignored)) buf_str(out, buf_view(&l->out));
    steplog_drop(l);
}

static bool unread_show(struct steplog *l, struct err *e)
{
    bool ok = logs_follow_read(l->follow, line_put, l, e);
    out_flush(l);
    return ok;
}

static void lines_ready(void *user)
{
    struct err ignored = {0};
    unread_show(user, &ignored);
}

bool steplog_refresh(struct steplog *l, struct err *e)
{
    if (l->far) return true;
    return (l->all ? steps_see(l, e) : noted_see(l, e)) && unread_show(l, e);
}

struct steplog *steplog_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n,
                               const struct steplog_opts *o, struct err *e)
{
    struct steplog *l = steplog_new(cli, s, o);
    struct logs_query q = query_of(o);
    l->refs = refs;
    l->n_refs = n;
    if (service_is_remote(s)) {
        l->far = farlog_follow(cli, s, refs, n, o);
        return l;
    }
    l->follow = logs_follow_open(service_loop(s), &q, lines_ready, l, e);
    if (l->follow && steplog_refresh(l, e)) return l;
    steplog_drop(l);
    return NULL;
}

void steplog_drain(struct steplog *l)
{
    if (l && l->far) farlog_drain(l->far);
}

void steplog_free(struct steplog *l)
{
    struct err ignored = {0};
    if (!l) return;
    l->all = true;
    steplog_refresh(l, &ignored);
    if (l->far) farlog_free(l->far);
    steplog_drop(l);
}
