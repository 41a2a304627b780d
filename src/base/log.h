/* One log on stderr: a line each, as text ("skiff: LEVEL: message key=value") or as a JSON object ({"time", "level", "msg",
 * and the fields}). Folders below service return errors and do not log them; the top logs each once.
 * Runs on: any thread (one write(2) per line); the two settings belong to the start of the program. */
#pragma once
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    struct str value; /* any bytes: no value reads like another line or field */
    bool number;      /* as JSON: without quotes */
};

void log_set_level(enum log_level level); /* default LOG_WARN */
void log_set_format(enum log_format format); /* default LOG_TEXT */
enum log_format log_get_format(void);
bool log_on(enum log_level level); /* whether a line of this level is written: before work that only the log needs */
uint64_t log_count(enum log_level level); /* lines of it so far */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n);
/* The line of either, without writing it. */
void log_write(struct buf *b, enum log_format format, enum log_level level, int64_t now_us, struct str message,
               const struct log_field *fields, size_t n);
