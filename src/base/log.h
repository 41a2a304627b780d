/* One log: "TIME LEVEL message key=value" lines on stderr. Folders below service return errors
 * and do not log them; the top logs each once. Runs on: any thread (one write(2) per line). */
#pragma once
#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* default LOG_WARN */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
