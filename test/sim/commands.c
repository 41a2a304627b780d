/* What is done to a simulated run from outside: README.md 1.1. */
#include "world.h"

int64_t command_due(const struct world *w)
{
    int64_t at_ms = 0;
    if (!w->commands || w->next_command >= w->commands->n) return INT64_MAX;
    val_i64(val_get(&w->commands->items[w->next_command], STR("at_ms")), &at_ms);
    return w->start_us + at_ms * 1000;
}

void command_deliver(struct world *w, const struct val *c, struct outbox *out)
{
    struct str what = val_get_str(c, "do");
    struct err e;
    if (str_is(what, "resume")) run_resume(w->run, w->now_us, out, &e);
    else run_stop(w->run, str_is(what, "stop") ? STOP_STOP : STOP_TERMINATE, w->now_us, out);
}
