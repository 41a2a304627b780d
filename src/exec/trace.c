/* Traces: a workflow is one, its uid the trace's id unless who submitted it has said which trace it is part of. Each node that has ended is a
 * span below that of its boundary node (the steps or dag that it belongs to).
 *
 * Ids follow from the uid and the node's id, so that an engine that takes over gives the same ones. The attributes have Argo's names.
 * Format reference: OTLP's JSON form; W3C Trace Context. Runs on: the loop thread. */
#include <ctype.h>

#include "base/limits.h"
#include "doc/json.h"
#include "exec/exec_p.h"

enum { US_NS = 1000, STATUS_UNSET = 0, STATUS_OK = 1, STATUS_ERROR = 2, INTERNAL = 1 };

struct trace {
    struct traceparent parent; /* .trace: the trace's id; .span: "" when the workflow is its root */
    bool run_told;             /* its own span was made; rows may be written again */
    uint8_t *told;             /* a bit for each node, the same */
    size_t cap;
};

/* ---- ids ---- */

static bool hex_take(struct str *s, size_t digits, char *out)
{
    bool zero = true;
    if (s->n < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)s->p[i]) && !(s->p[i] >= 'a' && s->p[i] <= 'f')) return false;
        zero = zero && s->p[i] == '0';
        out[i] = s->p[i];
    }
    out[digits] = 0;
    *s = str_from(*s, digits);
    return !zero || digits == 2;
}

static bool dash_take(struct str *s)
{
    if (!s->n || s->p[0] != '-') return false;
    *s = str_from(*s, 1);
    return true;
}

bool exec_traceparent(struct str text, struct traceparent *out)
{
    char version[3], flags[3];
    bool ok = hex_take(&text, 2, version) && dash_take(&text) && hex_take(&text, 32, out->trace) && dash_take(&text) && hex_take(&text, 16, out->span) &&
              dash_take(&text) && hex_take(&text, 2, flags) && strcmp(version, "ff") != 0 && (!text.n || (strcmp(version, "00") != 0 && text.p[0] == '-'));
    if (ok) out->sampled = strtoul(flags, NULL, 16) & 1;
    return ok;
}

static void trace_id_of(struct str uid, char out[33])
{
    size_t n = 0;
    for (size_t i = 0; i < uid.n && n < 32; i++)
        if (uid.p[i] != '-') out[n++] = (char)tolower((unsigned char)uid.p[i]);
    while (n < 32) out[n++] = '0';
    out[32] = 0;
}

static struct trace *trace_of(struct active *l)
{
    if (l->trace) return l->trace;
    struct trace *t = l->trace = mem_zalloc(sizeof *t);
    const struct val *annotations = val_path(&l->workflow, "metadata.annotations");
    if (exec_traceparent(val_get_str(annotations, EXEC_TRACEPARENT), &t->parent)) return t;
    t->parent = (struct traceparent){.sampled = true};
    trace_id_of(run_uid(l->run), t->parent.trace);
    return t;
}

void trace_free(struct trace *t)
{
    if (t) free(t->told);
    free(t);
}

/* Of a node, or with an absent id of the workflow. */
static struct str span_id(struct active *l, struct str node)
{
    struct arena *a = &l->x->scratch;
    uint64_t h = str_hash(str_fmt(a, "%.*s/%.*s", STR_ARG(run_uid(l->run)), STR_ARG(node)));
    return str_fmt(a, "%016llx", (unsigned long long)(h ? h : 1));
}

/* ---- spans ---- */

struct span {
    struct str id, parent, name, phase, message;
    int64_t start_us, end_us;
};

static void begin(struct exec *x, const struct traceparent *of, const struct span *s)
{
    struct buf *b = &x->spans;
    if (x->n_spans++) buf_char(b, ',');
    buf_printf(b, "{\"traceId\":\"%s\",\"spanId\":\"%.*s\",", of->trace, STR_ARG(s->id));
    if (s->parent.n) buf_printf(b, "\"parentSpanId\":\"%.*s\",", STR_ARG(s->parent));
    buf_str(b, STR("\"name\":"));
    buf_json(b, s->name);
    buf_printf(b, ",\"kind\":%d,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\",\"attributes\":[", INTERNAL,
               (long long)(s->start_us * US_NS), (long long)(MAX(s->end_us, s->start_us) * US_NS));
}

static void attribute(struct exec *x, const char *key, struct str value)
{
    struct buf *b = &x->spans;
    if (!value.n) return;
    if (b->n && b->p[b->n - 1] != '[') buf_char(b, ',');
    buf_printf(b, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
    buf_json(b, value);
    buf_str(b, STR("}}"));
}

static void end(struct exec *x, const struct span *s)
{
    bool bad = str_is(s->phase, "Failed") || str_is(s->phase, "Error");
    buf_printf(&x->spans, "],\"status\":{\"code\":%d", bad ? STATUS_ERROR : str_is(s->phase, "Succeeded") ? STATUS_OK : STATUS_UNSET);
    if (bad && s->message.n) {
        buf_str(&x->spans, STR(",\"message\":"));
        buf_json(&x->spans, s->message);
    }
    buf_str(&x->spans, STR("}}"));
}

static bool first_time(struct trace *t, size_t i)
{
    if (i / 8 >= t->cap) {
        size_t cap = MAX(t->cap * 2, i / 8 + 16);
        t->told = mem_grow(t->told, cap);
        memset(t->told + t->cap, 0, cap - t->cap);
        t->cap = cap;
    }
    bool told = t->told[i / 8] >> i % 8 & 1;
    t->told[i / 8] |= (uint8_t)(1u << i % 8);
    return !told;
}

void trace_node(struct active *l, const struct node *n, const struct node_row *row)
{
    struct exec *x = l->x;
    struct val v;
    if (!x->otlp || !phase_fulfilled(node_phase(n)) || !node_finished_us(n)) return;
    struct trace *t = trace_of(l);
    if (!t->parent.sampled || !first_time(t, row->idx) || !json_parse(&x->scratch, row->status, NULL, &v, NULL)) return;
    struct str boundary = val_get_str(&v, "boundaryID");
    struct span s = {.id = span_id(l, row->id), .parent = span_id(l, boundary), .name = val_get_str(&v, "displayName"), .phase = val_get_str(&v, "phase"),
                     .message = val_get_str(&v, "message"), .end_us = node_finished_us(n),
                     .start_us = node_started_us(n) ? node_started_us(n) : node_finished_us(n)};
    begin(x, &t->parent, &s);
    attribute(x, "name", run_name(l->run));
    attribute(x, "namespace", run_namespace(l->run));
    attribute(x, "node_id", row->id);
    attribute(x, "node_name", val_get_str(&v, "name"));
    attribute(x, "node_type", val_get_str(&v, "type"));
    attribute(x, "node_phase", s.phase);
    attribute(x, "template_name", val_get_str(&v, "templateName"));
    attribute(x, "exit_code", val_text(val_path(&v, "outputs.exitCode")));
    attribute(x, "message", s.message);
    end(x, &s);
}

void trace_run(struct active *l, const struct run_row *row)
{
    struct exec *x = l->x;
    if (!x->otlp || !row->completed || !row->finished_us) return;
    struct trace *t = trace_of(l);
    if (!t->parent.sampled || t->run_told) return;
    t->run_told = true;
    struct span s = {.id = span_id(l, STR_NONE), .parent = str_of(t->parent.span), .name = run_name(l->run), .phase = row->phase, .message = row->message,
                     .start_us = row->started_us ? row->started_us : row->finished_us, .end_us = row->finished_us};
    begin(x, &t->parent, &s);
    attribute(x, "name", run_name(l->run));
    attribute(x, "namespace", run_namespace(l->run));
    attribute(x, "uid", run_uid(l->run));
    attribute(x, "phase", s.phase);
    attribute(x, "message", s.message);
    end(x, &s);
}

/* ---- with the transaction ---- */

bool trace_open(struct exec *x, struct err *e)
{
    buf_init(&x->spans, LIMIT_OTLP_QUEUE_BYTES);
    return x->o.idle || otlp_open(x->o.config, &x->otlp, e);
}

void trace_close(struct exec *x)
{
    otlp_close(x->otlp);
    x->otlp = NULL;
    buf_fini(&x->spans);
}

void trace_dropped(struct exec *x)
{
    buf_reset(&x->spans);
    x->n_spans = 0;
}

/* More than the queue can hold counts as dropped there. */
void trace_committed(struct exec *x)
{
    if (!x->n_spans) return;
    otlp_add(x->otlp, x->spans.overflow ? STR_NONE : buf_view(&x->spans), x->n_spans);
    trace_dropped(x);
}

void trace_measure(struct exec *x)
{
    struct otlp_counts n;
    struct str sent = STR("sent"), dropped = STR("dropped");
    if (!x->otlp) return;
    otlp_counts(x->otlp, &n);
    stats_count_is(x->stats, STAT_SPANS, &sent, (double)n.sent);
    stats_count_is(x->stats, STAT_SPANS, &dropped, (double)n.dropped);
    stats_add(x->stats, STAT_SPANS_WAITING, NULL, (double)n.waiting);
}
