/* See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <unistd.h>

static enum log_level threshold = LOG_WARN;

void log_set_level(enum log_level level) { threshold = level; }

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > threshold) return;
    char line[2048];
    int head = snprintf(line, sizeof line, "skiff: %s: ", names[level]);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + head, sizeof line - (size_t)head - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)head + MIN((size_t)MAX(n, 0), sizeof line - (size_t)head - 2);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0) return; /* nowhere left to say it */
}
