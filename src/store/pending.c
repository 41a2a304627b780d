/* What is still to happen: rows of timers and commands. See store.h. */
#include "store/store_p.h"

bool store_timer_put(struct store *s, const struct timer_row *row, struct err *e)
{
    struct query q = query_new(s, STMT_TIMER_PUT);
    query_int(&q, row->run);
    query_int(&q, row->id);
    query_int(&q, row->deadline_us);
    query_int(&q, row->kind);
    query_blob(&q, row->payload);
    return query_run(&q, e);
}

bool store_timer_del(struct store *s, int64_t run, int64_t id, struct err *e)
{
    struct query q = query_new(s, STMT_TIMER_DELETE);
    query_int(&q, run);
    query_int(&q, id);
    return query_run(&q, e);
}

bool store_timers_load(struct arena *a, struct store *s, int64_t run, struct timer_row **out, size_t *n,
                       struct err *e)
{
    VEC(struct timer_row) rows = {0};
    struct query q = query_new(s, run ? STMT_TIMERS_LOAD_RUN : STMT_TIMERS_LOAD);
    if (run) query_int(&q, run);
    while (query_row(&q)) {
        struct timer_row row = {.run = query_get_int(&q)};
        row.id = query_get_int(&q);
        row.deadline_us = query_get_int(&q);
        row.kind = (int)query_get_int(&q);
        row.payload = query_get_dup(&q, a);
        VEC_PUSH(&rows, row);
    }
    ROWS_MOVE(a, &rows, out, n);
    return query_end(&q, e);
}

bool store_command_put(struct store *s, const struct command_row *row, int64_t *out_id, struct err *e)
{
    struct query q = query_new(s, STMT_COMMAND_PUT);
    query_int(&q, s->now.command + 1);
    query_int(&q, row->run);
    query_int(&q, row->node);
    query_int(&q, row->kind);
    query_blob(&q, row->payload);
    if (!query_run(&q, e)) return false;
    *out_id = ++s->now.command;
    return true;
}

bool store_command_ack(struct store *s, int64_t id, struct err *e)
{
    struct query q = query_new(s, STMT_COMMAND_DELETE);
    query_int(&q, id);
    return query_run(&q, e);
}

bool store_commands_orphan(struct store *s, int64_t run, struct err *e)
{
    struct query q = query_new(s, STMT_COMMANDS_ORPHAN);
    query_int(&q, COMMAND_NO_NODE);
    query_int(&q, run);
    return query_run(&q, e);
}

bool store_commands_load(struct arena *a, struct store *s, int64_t run, struct command_row **out, size_t *n,
                         struct err *e)
{
    VEC(struct command_row) rows = {0};
    struct query q = query_new(s, STMT_COMMANDS_LOAD);
    query_int(&q, run);
    while (query_row(&q)) {
        struct command_row row = {.id = query_get_int(&q)};
        row.run = query_get_int(&q);
        row.node = (uint32_t)query_get_int(&q);
        row.kind = (int)query_get_int(&q);
        row.payload = query_get_dup(&q, a);
        VEC_PUSH(&rows, row);
    }
    ROWS_MOVE(a, &rows, out, n);
    return query_end(&q, e);
}
