/* See err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

struct err_row {
    const char *name;
    int exit_status, http, grpc;
    const char *meaning;
};

static const struct err_row rows[ERR_MAX] = {
    [ERR_NONE] = {"NONE", 0, 200, 0, "no error"},
#define ERR(name, exit_status, http, grpc, meaning) \
    [ERR_##name] = {#name, exit_status, http, grpc, meaning},
#include "base/errors.def"
#undef ERR
};

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e) return false;
    va_list ap;
    va_start(ap, fmt);
    e->code = code;
    e->sys = 0;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return false;
}

bool err_sys(struct err *e, const char *fmt, ...)
{
    int sys = errno;
    if (!e) return false;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    e->code = ERR_IO;
    e->sys = sys;
    if (n >= 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror(sys));
    return false;
}

bool err_ctx(struct err *e, const char *fmt, ...)
{
    if (!e) return false;
    char old[ERR_TEXT_MAX];
    memcpy(old, e->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + sizeof ": " > sizeof e->text) return false;
    size_t room = sizeof e->text - (size_t)n - sizeof ": ";
    snprintf(e->text + n, sizeof e->text - (size_t)n, ": %.*s", (int)room, old);
    return false;
}

static const struct err_row *row(enum err_code code)
{
    ASSERT(code >= 0 && code < ERR_MAX);
    return &rows[code];
}

const char *err_name(enum err_code code) { return row(code)->name; }
const char *err_meaning(enum err_code code) { return row(code)->meaning; }
int err_exit_status(enum err_code code) { return row(code)->exit_status; }
int err_http_status(enum err_code code) { return row(code)->http; }
int err_grpc_code(enum err_code code) { return row(code)->grpc; }
