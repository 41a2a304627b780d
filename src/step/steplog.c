/* CRI log lines, masking, result tail; see steplog_p.h. */
#include "step/steplog_p.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/rfc3339.h"
#include "step/io_p.h"

static const struct str mask_text = {"***", 3};
static const char *const stream_names[STEPLOG_STREAMS] = {"stdout", "stderr"};

enum { OUT_FLUSH_BYTES = 48 << 10 };

void steplog_init(struct steplog *l, struct step_dir *dir, const struct step_spec *spec)
{
    *l = (struct steplog){.dir = dir, .fd = -1, .spec = spec, .second = -1};
    for (size_t i = 0; i < spec->masks.n; i++) {
        struct str m = spec->masks.items[i];
        if (m.n == 0) continue;
        l->longest = MAX(l->longest, m.n);
        l->first[(uint8_t)m.p[0] / 8] |= (uint8_t)(1 << (uint8_t)m.p[0] % 8);
    }
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        buf_init(&l->in[s].held, LIMIT_STEP_SPEC_BYTES);
        buf_init(&l->in[s].line, LIMIT_LOG_LINE_BYTES + 1);
    }
    buf_init(&l->out, OUT_FLUSH_BYTES + 2 * LIMIT_LOG_LINE_BYTES);
    buf_init(&l->tail, 2 * LIMIT_RESULT_BYTES + 1);
}

static void flush(struct steplog *l)
{
    if (l->out.n == 0) return;
    if (l->fd < 0 && step_dir_open(l->dir, NULL))
        l->fd = openat(l->dir->fd, "main.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (l->fd < 0 || !io_write_all(l->fd, l->out.p, l->out.n)) l->cut = true;
    buf_reset(&l->out);
}

static void stamp(struct steplog *l)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (t.tv_sec != l->second) {
        struct civil c = civil_from_us((int64_t)t.tv_sec * 1000000);
        snprintf(l->stamp, sizeof l->stamp, "%04d-%02d-%02dT%02d:%02d:%02d", c.year % 10000, c.month % 100, c.day % 100,
                 c.hour % 100, c.minute % 100, c.second % 100);
        l->second = t.tv_sec;
    }
    buf_printf(&l->out, "%s.%09ldZ", l->stamp, t.tv_nsec);
}

static void record(struct steplog *l, enum steplog_stream s, char tag, struct str text)
{
    if (l->cut) return;
    size_t before = l->out.n;
    uint64_t max = l->spec->log_max_bytes;
    bool over = max && l->written + text.n + 50 > max;
    stamp(l);
    buf_printf(&l->out, " %s %c ", stream_names[s], over ? 'F' : tag);
    buf_str(&l->out, over ? STR("[log cut: it has reached its maximum size]") : text);
    buf_char(&l->out, '\n');
    l->written += l->out.n - before;
    if (over || l->out.n >= OUT_FLUSH_BYTES) flush(l);
    if (over) l->cut = true;
}

static void split(struct steplog *l, enum steplog_stream s, struct str text)
{
    struct buf *line = &l->in[s].line;
    while (text.n > 0) {
        ptrdiff_t nl = str_find_char(text, '\n', 0);
        size_t n = MIN(nl < 0 ? text.n : (size_t)nl, LIMIT_LOG_LINE_BYTES - line->n);
        bool ends = nl >= 0 && (size_t)nl == n;
        struct str part = str_sub(text, 0, n);
        if (ends && line->n == 0) {
            record(l, s, 'F', part); /* the common case needs no copy */
        } else {
            buf_str(line, part);
            if (ends || line->n == LIMIT_LOG_LINE_BYTES) {
                record(l, s, ends ? 'F' : 'P', buf_view(line));
                buf_reset(line);
            }
        }
        text = str_from(text, n + ends);
    }
}

/* The secret at the beginning of `at` (the longest one); or, when `at` may be the beginning of one
 * that goes on, *wait. */
static size_t secret_at(const struct steplog *l, struct str at, bool last, bool *wait)
{
    size_t best = 0;
    if (!(l->first[(uint8_t)at.p[0] / 8] >> (uint8_t)at.p[0] % 8 & 1)) return 0;
    for (size_t i = 0; i < l->spec->masks.n; i++) {
        struct str m = l->spec->masks.items[i];
        if (m.n > 0 && m.n <= at.n && memcmp(m.p, at.p, m.n) == 0) best = MAX(best, m.n);
        if (!last && m.n > at.n && memcmp(m.p, at.p, at.n) == 0) *wait = true;
    }
    return best;
}

static void mask(struct steplog *l, enum steplog_stream s, struct str text, bool last)
{
    struct buf *held = &l->in[s].held;
    if (held->n > 0) {
        buf_str(held, text);
        text = buf_view(held);
    }
    size_t from = 0, i = 0;
    bool wait = false;
    while (i < text.n) {
        size_t n = secret_at(l, str_from(text, i), last, &wait);
        if (wait) break;
        if (n > 0) {
            split(l, s, str_sub(text, from, i - from));
            split(l, s, mask_text);
            from = i + n;
        }
        i += n ? n : 1;
    }
    split(l, s, str_sub(text, from, i - from));
    struct str rest = str_from(text, i);
    if (held->n > 0) {
        if (rest.n) memmove(held->p, rest.p, rest.n);
        held->n = rest.n;
    } else {
        buf_str(held, rest);
    }
}

static void keep_tail(struct steplog *l, struct str text)
{
    l->tail_total += text.n;
    if (text.n > LIMIT_RESULT_BYTES) text = str_from(text, text.n - LIMIT_RESULT_BYTES);
    if (l->tail.n + text.n > 2 * LIMIT_RESULT_BYTES) {
        size_t keep = LIMIT_RESULT_BYTES;
        memmove(l->tail.p, l->tail.p + l->tail.n - keep, keep);
        l->tail.n = keep;
    }
    buf_str(&l->tail, text);
}

void steplog_feed(struct steplog *l, enum steplog_stream s, const char *p, size_t n)
{
    if (s == STEPLOG_OUT && l->spec->capture_result) keep_tail(l, str_n(p, n));
    if (l->longest) mask(l, s, str_n(p, n), false);
    else split(l, s, str_n(p, n));
    flush(l);
}

void steplog_end(struct steplog *l)
{
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        if (l->in[s].held.n > 0) mask(l, s, STR(""), true);
        if (l->in[s].line.n > 0) record(l, s, 'F', buf_view(&l->in[s].line));
        buf_reset(&l->in[s].line);
    }
    flush(l);
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

struct str steplog_result(const struct steplog *l, bool *was_cut)
{
    struct str r = buf_view(&l->tail);
    *was_cut = l->tail_total > LIMIT_RESULT_BYTES;
    if (r.n > LIMIT_RESULT_BYTES) r = str_from(r, r.n - LIMIT_RESULT_BYTES);
    if (r.n > 0 && r.p[r.n - 1] == '\n') r.n--;
    return r;
}

void steplog_fini(struct steplog *l)
{
    if (l->fd >= 0) close(l->fd);
    for (int s = 0; s < STEPLOG_STREAMS; s++) {
        buf_fini(&l->in[s].held);
        buf_fini(&l->in[s].line);
    }
    buf_fini(&l->out);
    buf_fini(&l->tail);
}
