/* Flags to list options. */
#include "cli/select.h"

#include "base/limits.h"
#include "cli/human.h"
#include "cli/list.h"
#include "os/clock.h"

static bool age_read(const struct cli *cli, const char *flag, int64_t *out, struct err *e)
{
    int64_t us;
    const char *text = args_str(&cli->args, flag);
    if (!text) return true;
    if (!human_parse(str_of(text), &us)) return err_set(e, ERR_USAGE, "--%s is a duration such as 10m, 3h or 7d, not '%s'", flag, text);
    *out = clock_now_us() - us;
    return true;
}

static struct str selector_of(struct cli *cli)
{
    const char *text = args_str(&cli->args, "selector");
    struct str label = STR("workflows.argoproj.io/resubmitted-from-workflow");
    if (!args_on(&cli->args, "resubmitted")) return str_of(text);
    return text && *text ? str_fmt(&cli->a, "%s,%.*s", text, STR_ARG(label)) : label;
}

/* Misspelt, nothing would be found, and nothing deleted. */
static bool phase_known(struct str name, struct err *e)
{
    static const char *const phases[] = {"Pending", "Running", "Succeeded", "Failed", "Error"};
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (str_is(name, phases[i])) return true;
    return err_set(e, ERR_USAGE, "--status is Pending, Running, Succeeded, Failed or Error, or several of them with commas, not '%.*s'", STR_ARG(name));
}

static bool phases_read(struct cli *cli, struct list_opts *o, struct err *e)
{
    const char *text;
    size_t bytes = 0;
    for (size_t i = 0; (text = args_nth(&cli->args, "status", i)); i++) bytes += strlen(text) + 1;
    struct str *phases = ARENA_ARRAY(&cli->a, struct str, bytes + 1);
    o->phases = phases;
    for (size_t i = 0; (text = args_nth(&cli->args, "status", i)); i++) {
        struct str head, rest = str_of(text);
        while (str_set(rest)) {
            str_cut(rest, ',', &head, &rest);
            head = str_trim(head);
            if (!head.n) continue;
            if (!phase_known(head, e)) return false;
            phases[o->n_phases++] = head;
        }
    }
    return true;
}

/* An empty one picks every run: in a script it is a variable that is not set. */
bool select_says(const struct cli *cli, const char *name, struct err *e)
{
    const char *text;
    for (size_t i = 0; (text = args_nth(&cli->args, name, i)); i++)
        if (!text[strspn(text, ", ")]) return err_set(e, ERR_USAGE, "--%s is empty, and would pick every run", name);
    return true;
}

bool select_given(const struct cli *cli, bool *out, struct err *e)
{
    static const char *const names[] = {"all", "completed", "running", "status", "since", "older", "prefix", "selector", "field-selector", "resubmitted"};
    *out = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!args_has(&cli->args, names[i])) continue;
        bool is_switch = cmd_flag(cli->args.cmd, str_of(names[i]))->kind == FLAG_BOOL;
        if (!is_switch && !select_says(cli, names[i], e)) return false;
        *out |= !is_switch || args_on(&cli->args, names[i]);
    }
    return true;
}

bool select_but_status(struct cli *cli, struct list_opts *o, struct err *e)
{
    const struct args *g = &cli->args;
    const char *prefix = args_str(g, "prefix");
    *o = (struct list_opts){.name = str_of(prefix), .selector = selector_of(cli)};
    if (!args_on(g, "all-namespaces")) o->ns = cli_namespace(cli);
    o->fields = str_of(args_str(g, "field-selector"));
    if (args_on(g, "completed") && args_on(g, "running"))
        return err_set(e, ERR_USAGE, "--completed and --running exclude each other");
    o->completed = args_on(g, "completed") - args_on(g, "running");
    int64_t limit = args_int(g, "limit", args_int(g, "chunk-size", 0));
    o->limit = limit > 0 && args_has(g, "limit") ? (size_t)limit : 0;
    return age_read(cli, "since", &o->created_after_us, e) && age_read(cli, "older", &o->finished_before_us, e);
}

bool select_read(struct cli *cli, struct list_opts *o, struct err *e) { return select_but_status(cli, o, e) && phases_read(cli, o, e); }

bool select_list(struct cli *cli, const struct list_opts *o, struct val *items, struct err *e)
{
    struct err none = {0};
    struct service *s = reader_open(cli, &none);
    *items = (struct val){.kind = VAL_LIST};
    if (!s && none.code == ERR_NOT_FOUND) return true; /* nothing has run here yet */
    if (!s) *e = none;
    bool ok = s && service_list(&cli->a, s, o, items, e);
    service_close(s);
    return ok;
}

bool select_show(struct cli *cli, const struct list_opts *o, const struct list_view *usual, struct err *e)
{
    struct val items;
    enum output form;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    if (!cli_output(cli, &form, e)) return false;
    struct list_opts whole = *o;
    struct list_view v = *usual;
    v.wide |= form == OUTPUT_WIDE;
    v.all_namespaces |= args_on(&cli->args, "all-namespaces");
    v.no_headers = args_on(&cli->args, "no-headers");
    if (v.wide || (form != OUTPUT_TABLE && form != OUTPUT_NAME)) whole.form = LIST_WHOLE;
    if (form == OUTPUT_NAME) whole.form = LIST_SHORT;
    if (!select_list(cli, &whole, &items, e)) return false;
    v.now_us = clock_now_us();
    if (form == OUTPUT_NAME || form == OUTPUT_JSON || form == OUTPUT_YAML) output_put(&items, form, &b);
    else view_list(&cli->a, &items, &v, &b);
    if (b.overflow) return err_set(e, ERR_LIMIT, "the list is too large to be printed: --limit, -l or another filter makes it smaller");
    cli_out(cli, buf_view(&b));
    return true;
}
