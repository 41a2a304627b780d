/* Small readers and makers of values that several files of the engine share. Private. */
#pragma once
#include "engine/engine_p.h"

/* Marks an argument whose producer was skipped or omitted; only the consumer's default helps. */
#define ABSENT_MARK "\x01" "absent"

struct str text_of(struct arena *a, const struct val *v); /* as Argo's AnyString; null: absent */
const struct val *named(const struct val *list, struct str name); /* item whose "name" is this */
bool val_is_true(const struct val *map, const char *key);
struct val parsed(struct arena *a, struct str json); /* of our own text, see json_kept; empty: null */
/* JSON that a node keeps: ERR_LIMIT beyond LIMIT_NODE_BYTES. `what` it is, for the error. */
bool json_kept(struct arena *a, const struct val *v, const char *what, struct str *out, struct err *e);
bool param_value_from(struct run *r, const struct val *p, struct str *out, struct err *e);
/* `no_code`: what lastRetry.exitCode reads when there was none; templates see 0, expressions -1. */
void retry_scope(struct arena *a, struct scope *s, const struct node *last, uint32_t retries,
                 struct str no_code);
int64_t duration_us(struct str text, struct err *e); /* -1: not a duration */
struct expr_clock run_clock(struct run *r);
struct str start_pod_name(struct run *r, const struct start *s);

/* 0: it is not there, or no whole number. */
static inline int64_t num(const struct val *map, const char *key)
{
    const struct val *v = val_get(map, str_of(key));
    int64_t n = 0;
    return v && val_i64(v, &n) ? n : 0;
}

/* Of the name of a step or task, where a text mentions it. */
static inline bool is_name_char(char c)
{
    return c == '-' || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* "fl" of a node's private part. */
enum { FLAG_HOOKED = 1, FLAG_RETRIED = 2, FLAG_IN_EXIT = 4, FLAG_KILLED = 8, FLAG_HOOK_DONE = 16,
       FLAG_CONDEMNED = 32, FLAG_BAD_OUTPUTS = 64, FLAG_BROKEN = 128, FLAG_AGAIN = 256, FLAG_DAEMONED = 512 };
