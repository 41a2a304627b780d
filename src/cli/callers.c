/* See callers.h. */
#include "cli/callers.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "cli/human.h"
#include "cli/session.h"
#include "cli/text.h"
#include "os/clock.h"

struct str callers_text(struct arena *a, const struct val *member, int64_t now_us)
{
    (void)a, (void)now_us;
    return member ? val_text(member) : STR_NONE;
}

struct str callers_time(struct arena *a, const struct val *member, int64_t now_us)
{
    CLEANUP(buf_fini) struct buf b;
    int64_t us;
    buf_init(&b, 100);
    if (!member || !rfc3339_parse(val_text(member), &us)) return STR("never");
    human_ago(&b, now_us, us);
    return buf_dup(a, &b);
}

static void table_put(struct arena *a, const struct callers *c, const struct val *items, struct buf *out)
{
    int64_t now_us = clock_now_us();
    struct table t;
    table_begin(&t, a);
    for (size_t k = 0; k < c->n_columns; k++) table_cell(&t, str_of(c->columns[k].head));
    table_row_end(&t);
    for (uint32_t i = 0; i < items->n; i++) {
        for (size_t k = 0; k < c->n_columns; k++)
            table_cell(&t, c->columns[k].cell(a, val_get(&items->items[i], str_of(c->columns[k].member)), now_us));
        table_row_end(&t);
    }
    table_print(&t, 3, out);
}

bool callers_list(struct cli *cli, const struct callers *c, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val items;
    enum output form;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) && c->list(&cli->a, s, &items, e);
    service_close(s);
    if (!ok) return false;
    if (form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&items, form, &b);
    else if (form == OUTPUT_NAME) for (uint32_t i = 0; i < items.n; i++) buf_printf(&b, "%.*s\n", STR_ARG(val_get_str(&items.items[i], c->name)));
    else if (items.n) table_put(&cli->a, c, &items, &b);
    else buf_printf(&b, "%s\n", c->none);
    cli_out(cli, buf_view(&b));
    return true;
}

bool callers_remove(struct cli *cli, const struct callers *c, struct err *e)
{
    struct service *s = changer_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) {
        ok = c->remove(s, str_of(cli->args.words[i]), e);
        if (ok && !cli->quiet) cli_out(cli, str_fmt(&cli->a, "%s '%s' %s\n", c->removed[0], cli->args.words[i], c->removed[1]));
    }
    service_close(s);
    return ok;
}
