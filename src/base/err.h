/* Errors: a code from errors.def and a text, on the stack of whoever can answer.
 *
 * Convention: `bool f(..., struct err *e)`: true = done and `e` untouched, false = `e` set.
 * Context is added with err_ctx exactly where a call crosses a folder border. Texts are lower
 * case, quote their subject and have no full stop. Runs on: any thread. */
#pragma once
#include "base/base.h"

enum err_code {
    ERR_NONE = 0,
#define ERR(name, exit_status, http, grpc, meaning) ERR_##name,
#include "base/errors.def"
#undef ERR
    ERR_MAX
};

enum { ERR_TEXT_MAX = 1000 };

struct err {
    enum err_code code;
    int sys; /* errno when a system call failed, else 0 */
    char text[ERR_TEXT_MAX];
};

/* Each sets `*e` (when not NULL) and returns false, so that `return err_set(...)` reads well. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set with ERR_IO, errno kept and its text appended. */
bool err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prefixes "what: " to the text. Returns false. */
bool err_ctx(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_name(enum err_code code);    /* "NOT_FOUND" */
const char *err_meaning(enum err_code code); /* the table's documentation column */
int err_exit_status(enum err_code code);
int err_http_status(enum err_code code);
int err_grpc_code(enum err_code code);
