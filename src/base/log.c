/* See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "base/rfc3339.h"

enum { MESSAGE_BYTES = 2048 };

static enum log_level threshold = LOG_WARN;
static enum log_format form = LOG_TEXT;
static _Atomic uint64_t counts[LOG_DEBUG + 1];

void log_set_level(enum log_level level) { threshold = level; }
void log_set_format(enum log_format format) { form = format; }
enum log_format log_get_format(void) { return form; }
bool log_on(enum log_level level) { return level <= threshold; }

uint64_t log_count(enum log_level level) { return counts[level]; }

/* Bare where that can be read in one way only. */
static void put_value(struct buf *b, struct str v)
{
    bool bare = v.n > 0;
    for (size_t i = 0; i < v.n && bare; i++) bare = v.p[i] > ' ' && v.p[i] != '"' && v.p[i] != '=' && v.p[i] != 0x7f;
    if (bare) buf_str(b, v);
    else buf_json(b, v);
}

static void write_json(struct buf *b, const char *level, int64_t now_us, struct str message, const struct log_field *fields, size_t n)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    buf_printf(b, "{\"time\":\"%.*s\",\"level\":\"%s\",\"msg\":", STR_ARG(rfc3339(&a, now_us)), level);
    buf_json(b, message);
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, ",\"%s\":", fields[i].key);
        if (fields[i].number) buf_str(b, fields[i].value);
        else buf_json(b, fields[i].value);
    }
    buf_str(b, STR("}\n"));
}

void log_write(struct buf *b, enum log_format format, enum log_level level, int64_t now_us, struct str message,
               const struct log_field *fields, size_t n)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (format == LOG_JSON) {
        write_json(b, names[level], now_us, message, fields, n);
        return;
    }
    buf_printf(b, "skiff: %s: %.*s", names[level], STR_ARG(message));
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, " %s=", fields[i].key);
        put_value(b, fields[i].value);
    }
    buf_char(b, '\n');
}

static void line_out(enum log_level level, struct str message, const struct log_field *fields, size_t n)
{
    struct buf b CLEANUP(buf_fini);
    struct timespec now;
    counts[level]++;
    buf_init(&b, SIZE_MAX / 2);
    clock_gettime(CLOCK_REALTIME, &now);
    log_write(&b, form, level, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, message, fields, n);
    if (write(STDERR_FILENO, b.p, b.n) < 0) return; /* nowhere left to say it */
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (!log_on(level)) return;
    char text[MESSAGE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    line_out(level, str_n(text, MIN((size_t)MAX(n, 0), sizeof text - 1)), NULL, 0);
}

void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    if (log_on(level)) line_out(level, str_of(message), fields, n);
}
