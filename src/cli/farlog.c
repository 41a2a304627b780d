/* See farlog.h. A run's lines come merged; those of several runs, when they are printed at once, are merged here. */
#include "cli/farlog.h"

#include "base/id.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "cli/change.h"

enum { FLUSH_BYTES = 64 << 10, DRAIN_US = 3000000 };

struct far_run {
    struct farlog *f;
    struct workflow_ref ref;
    struct log_stream *stream;
    bool over;
};

struct far_line {
    struct str time, text; /* with its prefix */
    size_t nth;
};

struct farlog {
    struct cli *cli;
    struct service *service;
    struct steplog_opts o;
    struct far_run *runs;
    size_t n;
    struct buf out;
    struct loop_timer *flush; /* while following */
    struct map labels;        /* pod -> name of its step; NULL: not known, though it was looked for */
    bool merges;              /* lines are kept until all have come */
    VEC(struct far_line) lines;
    size_t given;
    bool late;
};

static void out_flush(struct farlog *f)
{
    if (f->o.fd == f->cli->env->out_fd) cli_out(f->cli, buf_view(&f->out));
    else cli_err(f->cli, buf_view(&f->out));
    buf_reset(&f->out);
}

static void on_flush(void *user) { out_flush(user); }

/* ---- whose line it is ---- */

static void label_put(struct farlog *f, struct str pod, struct str label)
{
    struct arena *a = &f->cli->a;
    struct str *kept = label.p ? ARENA_NEW(a, struct str) : NULL;
    struct map_slot *slot = map_get(&f->labels, pod);
    if (kept) *kept = str_dup(a, label);
    if (slot) slot->ptr = kept;
    else map_set_ptr(&f->labels, str_dup(a, pod), kept);
}

static void node_label(struct farlog *f, struct arena *a, struct str workflow, const struct val *node)
{
    struct str pod = pod_name(a, workflow, val_get_str(node, "templateName"), val_get_str(node, "name"));
    if (!map_ptr(&f->labels, pod)) label_put(f, pod, val_get_str(node, "displayName"));
}

void farlog_note(struct farlog *f, const struct val *v)
{
    struct arena a CLEANUP(arena_fini);
    struct change c;
    arena_init(&a);
    if (f->o.labels && change_read(v, &c) && c.node && str_is(val_get_str(c.node, "type"), "Pod")) node_label(f, &a, c.workflow, c.node);
}

static void labels_read(struct farlog *f, const struct workflow_ref *ref)
{
    struct arena a CLEANUP(arena_fini);
    struct val wf;
    struct err ignored;
    arena_init(&a);
    if (!service_get(&a, f->service, ref->ns, ref->name, &wf, &ignored)) return;
    const struct val *nodes = val_path(&wf, "status.nodes");
    for (uint32_t i = 0; nodes && nodes->kind == VAL_MAP && i < nodes->n; i++) node_label(f, &a, ref->name, &nodes->map[i].v);
}

/* A line may be here before its step is. One look for each pod: what it does not bring, farlog_note may. */
static struct str label_of(struct farlog *f, const struct workflow_ref *ref, struct str pod)
{
    if (!f->o.labels) return pod;
    if (!map_get(&f->labels, pod)) {
        label_put(f, pod, STR_NONE);
        labels_read(f, ref);
    }
    const struct str *label = map_ptr(&f->labels, pod);
    return label ? *label : pod;
}

/* ---- lines ---- */

static void line_write(struct farlog *f, struct buf *b, const struct workflow_ref *ref, const struct log_line *line)
{
    steplog_prefix_put(b, &f->o.style, label_of(f, ref, line->pod));
    if (f->o.timestamps && line->time.n) buf_printf(b, "%.*s ", STR_ARG(line->time));
    buf_str(b, line->text);
    buf_char(b, '\n');
}

static void on_line(void *user, const struct log_line *line)
{
    struct far_run *run = user;
    struct farlog *f = run->f;
    size_t before = f->out.n;
    f->given++;
    line_write(f, &f->out, &run->ref, line);
    if (f->merges) {
        struct str text = str_dup(&f->cli->a, str_from(buf_view(&f->out), before));
        VEC_PUSH(&f->lines, ((struct far_line){str_dup(&f->cli->a, line->time), text, f->lines.n}));
        f->out.n = before;
    } else if (f->flush) {
        loop_timer_arm_us(f->flush, 0);
    } else if (f->out.n >= FLUSH_BYTES) {
        out_flush(f);
    }
}

static int by_time(const void *x, const void *y)
{
    const struct far_line *a = x, *b = y;
    int order = str_cmp(a->time, b->time);
    return order ? order : a->nth < b->nth ? -1 : a->nth > b->nth;
}

static void merged_put(struct farlog *f)
{
    if (f->lines.n) qsort(f->lines.items, f->lines.n, sizeof *f->lines.items, by_time);
    for (size_t i = 0; i < f->lines.n; i++) {
        buf_str(&f->out, f->lines.items[i].text);
        if (f->out.n >= FLUSH_BYTES) out_flush(f);
    }
}

static struct farlog *farlog_new(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, const struct steplog_opts *o)
{
    struct farlog *f = mem_zalloc(sizeof *f);
    f->cli = cli;
    f->service = s;
    f->o = *o;
    f->n = n;
    f->runs = mem_zalloc((n + 1) * sizeof *f->runs);
    for (size_t i = 0; i < n; i++) f->runs[i] = (struct far_run){.f = f, .ref = refs[i]};
    buf_init(&f->out, LIMIT_SHOWN_BYTES);
    return f;
}

void farlog_free(struct farlog *f)
{
    for (size_t i = 0; i < f->n; i++) service_log_stream_free(f->runs[i].stream);
    out_flush(f);
    loop_timer_free(f->flush);
    map_fini(&f->labels);
    VEC_FINI(&f->lines);
    buf_fini(&f->out);
    free(f->runs);
    free(f);
}

static struct log_opts opts_of(struct far_run *run)
{
    const struct steplog_opts *o = &run->f->o;
    return (struct log_opts){.ref = run->ref, .pod = o->pod, .container = o->container, .selector = o->selector, .grep = o->grep, .since_ns = o->since_ns,
                             .tail = o->tail, .previous = o->previous, .on_line = on_line, .user = run};
}

/* ---- at once ---- */

/* The step may have printed nothing. */
static bool step_is_there(struct farlog *f, struct str pod, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct val wf;
    arena_init(&a);
    for (size_t i = 0; i < f->n; i++) {
        if (!service_get(&a, f->service, f->runs[i].ref.ns, f->runs[i].ref.name, &wf, e)) return false;
        const struct val *nodes = val_path(&wf, "status.nodes");
        for (uint32_t k = 0; nodes && nodes->kind == VAL_MAP && k < nodes->n; k++) {
            const struct val *v = &nodes->map[k].v;
            struct str name = pod_name(&a, f->runs[i].ref.name, val_get_str(v, "templateName"), val_get_str(v, "name"));
            if (str_eq(pod, name) || str_eq(pod, nodes->map[k].key) || str_eq(pod, val_get_str(v, "displayName"))) return true;
        }
    }
    return err_set(e, ERR_NOT_FOUND, "no pod or step '%.*s' with a log in this workflow", STR_ARG(pod));
}

bool farlog_print(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, const struct steplog_opts *o, struct err *e)
{
    struct farlog *f = farlog_new(cli, s, refs, n, o);
    bool ok = true;
    f->merges = n > 1;
    for (size_t i = 0; ok && i < n; i++) {
        struct log_opts l = opts_of(&f->runs[i]);
        ok = service_log_lines(s, &l, e);
    }
    merged_put(f);
    if (ok && o->pod.n && !o->selector.n && !f->given) ok = step_is_there(f, o->pod, e);
    farlog_free(f);
    return ok;
}

struct tail_text {
    struct farlog *f;
    struct str label;
    struct buf *out;
};

static void on_tail_line(void *user, const struct log_line *line)
{
    struct tail_text *t = user;
    steplog_prefix_put(t->out, &t->f->o.style, t->label);
    buf_str(t->out, line->text);
    buf_char(t->out, '\n');
}

void farlog_tail(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct str node_id, struct str label, struct buf *out)
{
    struct steplog_opts o = {.pod = node_id, .tail = STEPLOG_TAIL_LINES, .style = cli->style, .fd = cli->env->out_fd};
    struct farlog *f = farlog_new(cli, s, ref, 1, &o);
    struct tail_text t = {f, label, out};
    struct log_opts l = opts_of(&f->runs[0]);
    struct err ignored; /* the log's tail is help for a person; when it cannot be read there is none */
    l.on_line = on_tail_line;
    l.user = &t;
    service_log_lines(s, &l, &ignored);
    farlog_free(f);
}

/* ---- as they come ---- */

static void on_end(void *user, const struct err *e)
{
    struct far_run *run = user;
    run->over = true;
    if (e && e->code != ERR_NOT_FOUND) cli_note(run->f->cli, "log of %.*s: %s", STR_ARG(run->ref.name), e->text);
    loop_timer_arm_us(run->f->flush, 0); /* farlog_drain looks again */
}

struct farlog *farlog_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, const struct steplog_opts *o)
{
    struct farlog *f = farlog_new(cli, s, refs, n, o);
    f->flush = loop_timer_new(service_loop(s), on_flush, f);
    for (size_t i = 0; i < n; i++) {
        struct log_opts l = opts_of(&f->runs[i]);
        l.on_end = on_end;
        f->runs[i].stream = service_log_stream(s, &l);
    }
    return f;
}

static void on_late(void *user) { ((struct farlog *)user)->late = true; }

static bool all_over(const struct farlog *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (!f->runs[i].over) return false;
    return true;
}

void farlog_drain(struct farlog *f)
{
    struct loop *l = service_loop(f->service);
    struct loop_timer *late = loop_timer_new(l, on_late, f);
    loop_timer_arm_us(late, DRAIN_US);
    while (!f->late && !all_over(f)) {
        size_t before = f->given;
        loop_turn(l, true);
        if (f->given != before) loop_timer_arm_us(late, DRAIN_US);
    }
    loop_timer_free(late);
}
