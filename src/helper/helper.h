/* jq programs, run by a process of their own: libjq is large, and a program may never end, take all
 * memory or break the library. None of that reaches the engine.
 *
 * The process is `skiff-helper`, found beside the running program or in ../libexec/skiff; it starts with the
 * first call, serves one call after the other, and is killed and started again when a call takes more
 * than HELPER_TIME_MS of processor time or HELPER_WALL_MS of any, uses more memory than HELPER_MEMORY_MIB, answers nonsense, or dies.
 * Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct helper;
struct helper_call;

/* `program`: path of the helper, or NULL to look for it. */
struct helper *helper_new(struct loop *l, const char *program);
/* Calls that have not ended are forgotten, their `done` is not called. NULL is fine. */
void helper_free(struct helper *h);

/* The results as Argo's `jqFilter` gives them: strings as they are, other values as JSON (as Go writes
 * it), each on a line of its own, white space at both ends taken away. e == NULL, or why there is none:
 * ERR_SPEC (the program is wrong or failed), ERR_TIMEOUT, ERR_LIMIT, ERR_UNSUPPORTED (no helper here). */
typedef void helper_done_fn(void *user, struct str output, const struct err *e);
/* `done` is called once, from the loop, never from inside. The texts are copied. */
struct helper_call *helper_jq(struct helper *h, struct str program, struct str input_json, helper_done_fn *done,
                              void *user);
void helper_cancel(struct helper_call *c); /* not after done */
int helper_pid(const struct helper *h);    /* of the process, for tests; 0: none */
