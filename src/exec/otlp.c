/* See otlp.h. */
#include "exec/otlp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/heap.h"
#include "base/version.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "net/web.h"
#include "os/clock.h"

enum { BATCH_US = 1000000, FIRST_PAUSE_US = 1000000, PAUSE_MOST_US = 30000000, TRIES = 6, FIELDS_MAX = 32, SECOND_US = 1000000, SECOND_NS = 1000000000, MS_US = 1000 };

struct chunk {
    struct chunk *next;
    size_t bytes, spans;
    char text[];
};

struct otlp {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct chunk *first, *last; /* under the lock, as are the next ones */
    size_t bytes;
    struct otlp_counts counts;
    bool done; /* the thread is at its end */
    _Atomic int64_t end_us; /* monotonic: when to give up; 0: not ending */
    atomic_bool cancelled; /* what is under way */
    /* of the thread alone, once it runs */
    struct arena arena;
    struct str url, head; /* head: up to the first span */
    struct web_field fields[FIELDS_MAX];
    size_t n_fields;
    bool told; /* that something went wrong, since something went well */
};

/* ---- settings ---- */

/* key=value,key2=value2 with values in percent encoding, as the variables have it; one that is not is taken as it stands. */
static size_t pairs_read(struct arena *a, struct str text, struct web_field *out, size_t most)
{
    size_t n = 0;
    while (text.n && n < most) {
        struct str one = text, rest = STR_NONE;
        if (!str_cut(text, ',', &one, &rest)) one = text;
        text = rest;
        struct str key, value, plain;
        if (!str_cut(str_trim(one), '=', &key, &value)) continue;
        value = str_trim(value);
        out[n++] = (struct web_field){str_dup(a, str_trim(key)), str_percent_decode(a, value, false, &plain) ? plain : str_dup(a, value)};
    }
    return n;
}

static void attribute_put(struct buf *b, struct str key, struct str value)
{
    buf_str(b, STR("{\"key\":"));
    buf_json(b, key);
    buf_str(b, STR(",\"value\":{\"stringValue\":"));
    buf_json(b, value);
    buf_str(b, STR("}}"));
}

static struct str head_make(struct arena *a)
{
    struct web_field more[FIELDS_MAX];
    struct buf b CLEANUP(buf_fini);
    struct str name = str_of(getenv("OTEL_SERVICE_NAME"));
    size_t n = pairs_read(a, str_of(getenv("OTEL_RESOURCE_ATTRIBUTES")), more, FIELDS_MAX);
    for (size_t i = 0; i < n && !name.n; i++)
        if (str_is(more[i].name, "service.name")) name = more[i].value;
    buf_init(&b, LIMIT_VALUE_BYTES);
    buf_str(&b, STR("{\"resourceSpans\":[{\"resource\":{\"attributes\":["));
    attribute_put(&b, STR("service.name"), name.n ? name : STR("skiff"));
    buf_char(&b, ',');
    attribute_put(&b, STR("service.version"), STR(SKIFF_VERSION));
    for (size_t i = 0; i < n; i++) {
        if (str_is(more[i].name, "service.name") || str_is(more[i].name, "service.version")) continue;
        buf_char(&b, ',');
        attribute_put(&b, more[i].name, more[i].value);
    }
    buf_str(&b, STR("]},\"scopeSpans\":[{\"scope\":{\"name\":\"skiff\"},\"spans\":["));
    return buf_dup(a, &b);
}

static bool is_set(const char *name, struct str *out)
{
    *out = str_of(getenv(name));
    return out->n > 0;
}

/* The variable for traces alone is the whole address; the other one, and the setting, are what the path is added to. */
static struct str url_of(struct arena *a, const struct config *c)
{
    struct str base = config_str(c, CONFIG_OTLP_ENDPOINT), off;
    if (is_set("OTEL_SDK_DISABLED", &off) && str_is(off, "true")) return STR_NONE;
    if (is_set("OTEL_TRACES_EXPORTER", &off) && str_is(off, "none")) return STR_NONE;
    if (!base.n && is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &base)) return str_dup(a, base);
    if (!base.n && !is_set("OTEL_EXPORTER_OTLP_ENDPOINT", &base)) return STR_NONE;
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    return str_fmt(a, "%.*s/v1/traces", STR_ARG(base));
}

/* The variables are for all programs of an environment: what they ask for and this one does not speak is said, and HTTP with JSON tried. */
static void protocol_check(void)
{
    struct str p;
    if (!is_set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", &p) && !is_set("OTEL_EXPORTER_OTLP_PROTOCOL", &p)) return;
    if (!str_is(p, "http/json")) log_line(LOG_WARN, "traces are sent as http/json, not as OTEL_EXPORTER_OTLP_PROTOCOL says (%.*s)", STR_ARG(p));
}

static void fields_read(struct otlp *o)
{
    struct str text;
    if (is_set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", &text) || is_set("OTEL_EXPORTER_OTLP_HEADERS", &text))
        o->n_fields = pairs_read(&o->arena, text, o->fields, FIELDS_MAX - 1);
    o->fields[o->n_fields++] = (struct web_field){STR("Content-Type"), STR("application/json")};
}

/* ---- the thread ---- */

static struct timespec at_us(int64_t mono_us)
{
    return (struct timespec){.tv_sec = mono_us / SECOND_US, .tv_nsec = mono_us % SECOND_US * (SECOND_NS / SECOND_US)};
}

/* Under the lock: until then, or the end, or until so many bytes wait. */
static void pause_until(struct otlp *o, int64_t mono_us, size_t most)
{
    struct timespec ts = at_us(mono_us);
    while (!o->end_us && o->bytes < most && clock_mono_us() < mono_us)
        if (pthread_cond_timedwait(&o->wake, &o->lock, &ts) != 0) break;
}

/* Takes what there is, up to a batch. NULL: the end. */
static struct chunk *batch_take(struct otlp *o)
{
    pthread_mutex_lock(&o->lock);
    while (!o->first && !o->end_us) pthread_cond_wait(&o->wake, &o->lock);
    if (o->first) pause_until(o, clock_mono_us() + BATCH_US, LIMIT_OTLP_BATCH_BYTES);
    struct chunk *batch = o->first, *last = batch;
    size_t bytes = batch ? batch->bytes : 0;
    while (last && last->next && bytes + last->next->bytes <= LIMIT_OTLP_BATCH_BYTES) bytes += (last = last->next)->bytes;
    if (last) {
        o->first = last->next;
        last->next = NULL;
        if (!o->first) o->last = NULL;
    }
    o->bytes -= bytes;
    pthread_mutex_unlock(&o->lock);
    return batch;
}

static size_t batch_body(struct otlp *o, const struct chunk *batch, struct buf *b)
{
    size_t spans = 0;
    buf_str(b, o->head);
    for (const struct chunk *c = batch; c; c = c->next) {
        if (c != batch) buf_char(b, ',');
        buf_str(b, str_n(c->text, c->bytes));
        spans += c->spans;
    }
    buf_str(b, STR("]}]}]}"));
    return spans;
}

static void complain(struct otlp *o, const char *what)
{
    if (!o->told) log_line(LOG_WARN, "traces: %s", what);
    o->told = true;
}

/* What the collector says that it has left out. */
static size_t rejected(struct arena *a, struct otlp *o, const struct web_reply *r, size_t spans)
{
    struct val v;
    int64_t n = 0;
    if (!json_parse(a, r->body, NULL, &v, NULL)) return 0;
    struct str text = val_text(val_path(&v, "partialSuccess.rejectedSpans"));
    if (!str_to_i64(text, &n) || n <= 0) return 0;
    complain(o, str_fmt(a, "the collector has rejected %lld spans: %.*s", (long long)n, STR_ARG(val_text(val_path(&v, "partialSuccess.errorMessage")))).p);
    return MIN((size_t)n, spans);
}

enum answer { TAKEN, AGAIN, REFUSED };

/* *lost: spans that will not arrive; *after_us: when to try again, at least. */
static enum answer send_once(struct otlp *o, struct str body, size_t spans, size_t *lost, int64_t *after_us)
{
    struct arena a CLEANUP(arena_fini);
    struct web_reply r;
    struct err e;
    int64_t left_us = o->end_us ? o->end_us - clock_mono_us() : INT64_MAX, seconds;
    arena_init(&a);
    struct web_request q = {.method = STR("POST"), .url = o->url, .fields = o->fields, .n_fields = o->n_fields, .body = body, .same_origin = true,
                            .timeout_ms = MAX(MIN(left_us / MS_US, LIMIT_OTLP_MS), 1), .max_bytes = LIMIT_OTLP_REPLY_BYTES, .cancelled = &o->cancelled};
    *after_us = 0;
    *lost = spans;
    if (!web_fetch(&a, &q, &r, &e)) {
        complain(o, e.text);
        return e.code == ERR_UNREACHABLE || e.code == ERR_TIMEOUT ? AGAIN : REFUSED;
    }
    if (r.status / 100 == 2) {
        o->told = false;
        *lost = rejected(&a, o, &r, spans);
        return TAKEN;
    }
    for (size_t i = 0; i < r.n_fields; i++)
        if (str_is(r.fields[i].name, "Retry-After") && str_to_i64(r.fields[i].value, &seconds) && seconds > 0)
            *after_us = MIN(seconds * SECOND_US, PAUSE_MOST_US);
    complain(o, str_fmt(&a, "the collector answers %.*s", STR_ARG(r.status_text)).p);
    return r.status == 429 || r.status == 502 || r.status == 503 || r.status == 504 ? AGAIN : REFUSED;
}

/* How many spans were lost. */
static size_t batch_send(struct otlp *o, struct str body, size_t spans)
{
    int64_t pause_us = FIRST_PAUSE_US;
    for (int i = 0; i < TRIES; i++, pause_us = MIN(pause_us * 2, PAUSE_MOST_US)) {
        size_t lost;
        int64_t after_us;
        if (send_once(o, body, spans, &lost, &after_us) != AGAIN) return lost;
        pthread_mutex_lock(&o->lock);
        bool ending = o->end_us;
        if (!ending) pause_until(o, clock_mono_us() + MAX(pause_us, after_us), SIZE_MAX);
        pthread_mutex_unlock(&o->lock);
        if (ending) break;
    }
    return spans;
}

static void batch_free(struct chunk *c)
{
    while (c) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
}

static void *work(void *user)
{
    struct otlp *o = user;
    struct chunk *batch;
    while ((batch = batch_take(o))) {
        struct buf b CLEANUP(buf_fini);
        buf_init(&b, LIMIT_OTLP_QUEUE_BYTES * 2);
        size_t spans = batch_body(o, batch, &b);
        size_t lost = b.overflow ? spans : batch_send(o, buf_view(&b), spans);
        batch_free(batch);
        pthread_mutex_lock(&o->lock);
        o->counts.sent += spans - lost;
        o->counts.dropped += lost;
        o->counts.waiting -= spans;
        pthread_mutex_unlock(&o->lock);
    }
    pthread_mutex_lock(&o->lock);
    o->done = true;
    pthread_cond_signal(&o->wake);
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* ---- from the loop thread ---- */

static void release(struct otlp *o)
{
    batch_free(o->first);
    pthread_cond_destroy(&o->wake);
    pthread_mutex_destroy(&o->lock);
    arena_fini(&o->arena);
    free(o);
}

bool otlp_open(const struct config *c, struct otlp **out, struct err *e)
{
    struct otlp *o = mem_zalloc(sizeof *o);
    pthread_condattr_t attr;
    *out = NULL;
    arena_init(&o->arena);
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&o->wake, &attr);
    pthread_condattr_destroy(&attr);
    o->url = url_of(&o->arena, c);
    if (!o->url.n) return release(o), true;
    protocol_check();
    fields_read(o);
    o->head = head_make(&o->arena);
    if (pthread_create(&o->thread, NULL, work, o) != 0) return release(o), err_set(e, ERR_IO, "no thread for traces");
    *out = o;
    return true;
}

void otlp_add(struct otlp *o, struct str spans, size_t n)
{
    pthread_mutex_lock(&o->lock);
    bool room = spans.n && o->bytes + spans.n <= LIMIT_OTLP_QUEUE_BYTES;
    if (room) {
        struct chunk *c = mem_alloc(sizeof *c + spans.n);
        *c = (struct chunk){.bytes = spans.n, .spans = n};
        memcpy(c->text, spans.p, spans.n);
        if (!o->first || o->bytes + spans.n >= LIMIT_OTLP_BATCH_BYTES) pthread_cond_signal(&o->wake); /* else it waits for a batch */
        if (o->last) o->last->next = c;
        else o->first = c;
        o->last = c;
        o->bytes += spans.n;
        o->counts.waiting += n;
    } else {
        o->counts.dropped += n;
    }
    pthread_mutex_unlock(&o->lock);
}

void otlp_counts(struct otlp *o, struct otlp_counts *out)
{
    pthread_mutex_lock(&o->lock);
    *out = o->counts;
    pthread_mutex_unlock(&o->lock);
}

void otlp_close(struct otlp *o)
{
    if (!o) return;
    pthread_mutex_lock(&o->lock);
    o->end_us = clock_mono_us() + LIMIT_OTLP_END_MS * MS_US;
    pthread_cond_signal(&o->wake); /* from here on only the thread signals */
    struct timespec ts = at_us(o->end_us);
    while (!o->done && pthread_cond_timedwait(&o->wake, &o->lock, &ts) == 0) continue;
    if (!o->done) atomic_store(&o->cancelled, true);
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->thread, NULL);
    struct otlp_counts n = o->counts;
    if (n.dropped) log_line(LOG_WARN, "traces: %llu spans were not taken by the collector", (unsigned long long)n.dropped);
    release(o);
}
