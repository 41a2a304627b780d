/* Retries: what follows a failed attempt (operator.go processNodeRetries), in Argo's order:
 * success, shutdown, longest duration, backoff, policy, limit, expression. */
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/duration.h"
#include "lang/expr.h"

enum retry_policy { RETRY_ALWAYS, RETRY_ON_FAILURE, RETRY_ON_ERROR, RETRY_ON_TRANSIENT };

struct strategy {
    const struct val *src;
    bool limited;
    int64_t limit;
    enum retry_policy policy;
    struct str expression;
    const struct val *backoff;
};

static bool policy_read(const struct strategy *s, enum retry_policy *out, struct err *e)
{
    static const char *const names[] = {"Always", "OnFailure", "OnError", "OnTransientError"};
    struct str text = val_get_str(s->src, "retryPolicy");
    *out = s->expression.n ? RETRY_ALWAYS : RETRY_ON_FAILURE;
    if (!text.n) return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(text, names[i])) return *out = (enum retry_policy)i, true;
    return err_set(e, ERR_SPEC, "%.*s is not a valid RetryPolicy", STR_ARG(text));
}

static bool strategy_read(struct run *r, const struct node *retry, struct strategy *s, struct err *e)
{
    struct scope inputs CLEANUP(scope_fini) = {0};
    struct val *src = ARENA_NEW(&r->scratch, struct val);
    scope_init(&inputs, &r->globals);
    inputs_scope(r, &r->scratch, &inputs, retry);
    struct tags_opts opts = {.scope = &inputs, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    if (!tags_replace_val(&r->scratch, retry->tmpl->retry, &opts, src, e)) return false;
    *s = (struct strategy){.src = src};
    struct str limit = val_text(val_get(src, STR("limit")));
    s->expression = val_get_str(src, "expression");
    s->backoff = val_get(src, STR("backoff"));
    s->limited = limit.n > 0;
    if (s->limited && !str_to_i64(limit, &s->limit))
        return err_set(e, ERR_SPEC, "retryStrategy.limit '%.*s' is not a number", STR_ARG(limit));
    return policy_read(s, &s->policy, e);
}

static bool seconds_of(const struct val *backoff, const char *key, int64_t *us, struct err *e)
{
    struct str text = val_get_str(backoff, key);
    int64_t ns = 0;
    if (text.n && !duration_parse_seconds(text, &ns, e))
        return err_ctx(e, "retryStrategy.backoff.%s", key);
    *us = ns / 1000;
    return true;
}

/* duration x factor^(attempts-1), at most cap. */
static bool backoff_us(const struct strategy *s, uint32_t attempts, int64_t *out, struct err *e)
{
    int64_t base = 0, cap = 0, factor = 1;
    struct str text = val_text(val_get(s->backoff, STR("factor")));
    if (!val_get_str(s->backoff, "duration").n)
        return err_set(e, ERR_SPEC, "no base duration specified for retryStrategy");
    if (!seconds_of(s->backoff, "duration", &base, e) || !seconds_of(s->backoff, "cap", &cap, e))
        return false;
    if (text.n && (!str_to_i64(text, &factor) || factor <= 0)) factor = 1;
    for (uint32_t i = 1; i < attempts && base < INT64_MAX / factor / 2 && factor > 1; i++)
        base *= factor;
    *out = cap && base > cap ? cap : base;
    return true;
}

/* The strategy itself is wrong: an error of whoever called the template. */
static void broken(struct run *r, struct node *retry, const struct err *e)
{
    struct str why = str_of(e->text);
    fault_group(r, retry->parent, retry, why);
    node_finish(r, retry, NODE_ERROR, retry->hooked ? why : fault_text(r, retry->boundary, retry->name, why));
}

/* Over for good: the phase of the last attempt under this message. */
static bool give_up(struct run *r, struct node *retry, struct str message)
{
    const struct node *last = retry->retry->last;
    if (last->outputs.n) retry->outputs = last->outputs;
    node_finish(r, retry, last->phase, message);
    return false;
}

/* True: no need to wait (any more). */
static bool backoff_passed(struct run *r, struct node *retry, const struct strategy *s)
{
    struct retry_frame *f = retry->retry;
    struct err e;
    int64_t most = 0, wait = 0;
    if (!seconds_of(s->backoff, "maxDuration", &most, &e) ||
        !backoff_us(s, f->attempts, &wait, &e)) {
        broken(r, retry, &e);
        return false;
    }
    int64_t over_us = most ? f->first_started_us + most : 0;
    if (over_us && r->now_us >= over_us)
        return give_up(r, retry, STR("Max duration limit exceeded"));
    int64_t until = f->last->finished_us + wait;
    if (over_us && until > over_us)
        return give_up(r, retry, STR("Backoff would exceed max duration limit"));
    if (r->now_us < until && s->limited && f->attempts <= s->limit) {
        struct str text = duration_text(&r->scratch, wait * 1000);
        node_message_set(r, retry, str_fmt(&r->scratch, "Backoff for %.*s", STR_ARG(text)));
        retry->deadline_us = until;
        f->waiting = true;
        timer_add(r, until, retry);
        return false;
    }
    node_message_set(r, retry, STR_NONE);
    return true;
}

/* backoff.maxDuration also ends a pod that is a later attempt (operator.go, opts.executionDeadline). */
int64_t retry_over_us(struct run *r, const struct node *attempt)
{
    const struct node *retry = attempt->parent;
    struct strategy s;
    struct err e;
    int64_t most = 0;
    if (!attempt->retried || !attempt->attempt || attempt->type != NTYPE_POD || !val_get(attempt->tmpl->retry, STR("backoff"))) return 0;
    if (!strategy_read(r, retry, &s, &e) || !seconds_of(s.backoff, "maxDuration", &most, &e)) return 0; /* told when it is decided */
    return most ? retry->retry->first_started_us + most : 0;
}

static bool is_transient(struct str message)
{
    return str_find(message, STR("i/o timeout"), 0) >= 0 ||
           str_find(message, STR("connection refused"), 0) >= 0 ||
           str_find(message, STR("connection reset"), 0) >= 0 ||
           str_find(message, STR("temporarily unavailable"), 0) >= 0;
}

static bool policy_allows(const struct strategy *s, const struct node *last)
{
    switch (s->policy) {
    case RETRY_ALWAYS: return true;
    case RETRY_ON_FAILURE: return last->phase == NODE_FAILED;
    case RETRY_ON_ERROR: return last->phase == NODE_ERROR;
    case RETRY_ON_TRANSIENT: return is_transient(last->message);
    }
    return false;
}

static bool expression_allows(struct run *r, struct node *retry, const struct strategy *s,
                              bool *out, struct err *e)
{
    struct scope scope CLEANUP(scope_fini) = {0};
    *out = true;
    if (!s->expression.n) return true;
    scope_init(&scope, &r->globals);
    retry_scope(&r->scratch, &scope, retry->retry->last, retry->retry->attempts - 1, STR("-1"));
    struct expr_env env = {.scope = &scope, .clock = run_clock(r)};
    return expr_eval_bool(&r->scratch, s->expression, &env, out, e);
}

static struct str shutdown_text(struct run *r)
{
    return r->stop ? stopped_text(r) : STR("retry exceeded workflow deadline");
}

static bool no_more_attempts(const struct run *r, const struct node *retry)
{
    return r->stop == STOP_TERMINATE || (!retry->in_exit && (r->stop || r->deadline_passed));
}

void retry_go(struct run *r, struct node *retry)
{
    bool first = !retry->retry->last; /* a reset has dropped those before: what stops it is said by the attempt */
    if (!first && no_more_attempts(r, retry)) give_up(r, retry, shutdown_text(r));
    else start_attempt(r, retry);
}

static void attempt_begin(struct run *r, struct node *retry)
{
    struct blocked next = {.retry = retry};
    if (r->full) return;
    if (!retry->boundary && r->suspended) return; /* nothing holds it; run_resume comes back to it */
    if (limit_pass(r, retry->boundary, &next)) start_attempt(r, retry);
}

void retry_again(struct run *r, struct node *retry)
{
    const struct node *last = retry->retry->last;
    if (retry->retry->waiting) return;
    if (!last) attempt_begin(r, retry);
    else if (phase_fulfilled(last->phase)) retry_child_done(r, retry);
}

void retry_decide(struct run *r, struct node *retry)
{
    const struct node *last = retry->retry->last;
    struct strategy s;
    struct err e;
    bool again;
    retry->retry->waiting = false;
    retry->deadline_us = 0;
    if (no_more_attempts(r, retry)) {
        give_up(r, retry, shutdown_text(r));
        return;
    }
    if (!strategy_read(r, retry, &s, &e)) {
        broken(r, retry, &e);
        return;
    }
    if (s.backoff && !backoff_passed(r, retry, &s)) return;
    if (!policy_allows(&s, last)) {
        give_up(r, retry, last->message);
        return;
    }
    if (s.limited && retry->retry->attempts > s.limit) {
        give_up(r, retry, STR("No more retries left"));
        return;
    }
    if (!expression_allows(r, retry, &s, &again, &e)) {
        broken(r, retry, &e);
        return;
    }
    if (!again) give_up(r, retry, STR("retryStrategy.expression evaluated to false"));
    else attempt_begin(r, retry);
}

void retry_child_done(struct run *r, struct node *retry)
{
    const struct node *last = retry->retry->last;
    if (phase_failed(last->phase)) {
        retry_decide(r, retry);
        return;
    }
    retry->outputs = last->outputs;
    node_finish(r, retry, last->phase, STR_NONE);
}
