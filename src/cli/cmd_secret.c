/* skiff secret set|list|delete: named values that steps get. Nothing here shows one. */
#include <unistd.h>

#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/inputs.h"
#include "cli/session.h"
#include "cli/wf.h"
#include "doc/base64.h"
#include "os/fd.h"

enum { VALUE_MAX = 1 << 20 };

static const struct flag set_flags[] = {
    {"from-stdin", 0, FLAG_STR, "KEY", "the value of this key is what comes on stdin"},
};

static bool stdin_read(struct cli *cli, struct str *out, struct err *e)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, VALUE_MAX);
    if (!fd_read_all(STDIN_FILENO, &b, e)) return err_ctx(e, "stdin");
    *out = buf_dup(&cli->a, &b);
    return true;
}

/* KEY=VALUE or KEY=@FILE. */
static bool pair_read(struct cli *cli, const char *word, struct str *key, struct str *value, bool *in_argv, struct err *e)
{
    if (!str_cut(str_of(word), '=', key, value) || !key->n)
        return err_set(e, ERR_USAGE, "'secret set' needs KEY=VALUE or KEY=@FILE after the name"); /* the word may be a value */
    *in_argv = !str_starts(*value, STR("@"));
    return *in_argv || file_read(&cli->a, str_from(*value, 1).p, VALUE_MAX, value, e);
}

static bool values_read(struct cli *cli, struct val *data, bool *in_argv, struct err *e)
{
    const char *stdin_key = args_str(&cli->args, "from-stdin");
    struct val_builder b;
    struct str key, value;
    bool ok = true, plain = false;
    *in_argv = false;
    map_begin(&b, &cli->a);
    for (size_t i = 1; ok && i < cli->args.n_words; i++) {
        ok = pair_read(cli, cli->args.words[i], &key, &value, &plain, e);
        if (ok) map_set(&b, key, val_of_str(base64_encode(&cli->a, value)));
        *in_argv |= ok && plain;
    }
    if (ok && stdin_key && (ok = stdin_read(cli, &value, e))) map_set(&b, str_of(stdin_key), val_of_str(base64_encode(&cli->a, value)));
    *data = map_done(&b);
    return ok && (data->n || err_set(e, ERR_USAGE, "'secret set' needs KEY=@FILE, KEY=VALUE or --from-stdin KEY"));
}

static struct val document(struct arena *a, struct str ns, struct str name, struct val data)
{
    struct val_builder b, m;
    map_begin(&m, a);
    map_add_str(&m, "name", name);
    map_add_str(&m, "namespace", ns);
    map_begin(&b, a);
    map_add_str(&b, "apiVersion", STR("v1"));
    map_add_str(&b, "kind", STR("Secret"));
    map_add(&b, STR("metadata"), map_done(&m));
    map_add(&b, STR("data"), data);
    return map_done(&b);
}

static bool store(struct cli *cli, const struct val *doc, struct stored_result *did, struct err *e)
{
    struct documents docs CLEANUP(documents_fini);
    struct diags diags CLEANUP(diags_fini);
    documents_init(&docs, &cli->a);
    diags_init(&diags, &cli->a);
    if (!documents_add_val(&docs, doc, 0, &diags) || docs.n != 1) return err_set(e, ERR_SPEC, "this name or key is not one of a Secret");
    struct service *s = changer_open(cli, e);
    bool ok = s && service_stored_apply(&cli->a, s, cli_namespace(cli), &docs, STORED_JOIN, &diags, did, e);
    service_close(s);
    return ok;
}

static bool set_run(struct cli *cli, struct err *e)
{
    struct str name = str_of(cli->args.words[0]);
    struct stored_result did;
    struct val data;
    bool in_argv;
    if (!values_read(cli, &data, &in_argv, e)) return false;
    struct val doc = document(&cli->a, cli_namespace(cli), name, data);
    if (!store(cli, &doc, &did, e)) return false;
    if (in_argv && !cli->quiet)
        cli_err(cli, STR("warning: a value on the command line can be seen by others and stays in the shell's history: KEY=@FILE or --from-stdin\n"));
    if (!cli->quiet) cli_out(cli, str_fmt(&cli->a, "Secret/%.*s %.*s\n", STR_ARG(name), STR_ARG(did.did)));
    return true;
}

static bool list_run(struct cli *cli, struct err *e)
{
    struct object_query q = {.ns = cli_namespace(cli)};
    struct object_page page = {0};
    struct buf b CLEANUP(buf_fini);
    struct err none = {0};
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, &none);
    bool ok = s || none.code == ERR_NOT_FOUND; /* nothing has been stored here yet */
    if (!ok) *e = none;
    while (ok && s) {
        ok = service_stored_page(&cli->a, s, STR("Secret"), &q, &page, e);
        for (uint32_t i = 0; ok && i < page.items.n; i++) {
            const struct val *v = &page.items.items[i], *keys = val_get(v, STR("keys"));
            buf_str(&b, wf_name(v));
            for (uint32_t k = 0; keys && k < keys->n; k++) buf_printf(&b, "%s%.*s", k ? "," : "\t", STR_ARG(keys->items[k].s));
            buf_char(&b, '\n');
        }
        if (!(q.position = page.next).n) break;
    }
    service_close(s);
    cli_out(cli, buf_view(&b));
    return ok;
}

static bool delete_run(struct cli *cli, struct err *e)
{
    struct service *s = changer_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) {
        struct stored_ref ref = {STR("Secret"), cli_namespace(cli), str_of(cli->args.words[i])};
        ok = service_stored_delete(s, &ref, e);
        if (ok && !cli->quiet) cli_out(cli, str_fmt(&cli->a, "Secret/%.*s deleted\n", STR_ARG(ref.name)));
    }
    service_close(s);
    return ok;
}

static const struct cmd secret_set = {
    .name = "secret set", .group = "STORE", .usage = "NAME KEY=@FILE|KEY=VALUE… [--from-stdin KEY]", .summary = "store values under their keys",
    .details = "Keys that are there and not named keep their values.",
    .examples = "  skiff secret set registry password=@password.txt\n  pass show registry | skiff secret set registry --from-stdin password",
    .flags = set_flags, .n_flags = ARRAY_LEN(set_flags), .min_words = 1, .max_words = -1, .run = set_run};
static const struct cmd secret_list = {
    .name = "secret list", .aliases = "ls", .group = "STORE", .usage = "", .summary = "names of Secrets, and of their keys", .run = list_run};
static const struct cmd secret_delete = {
    .name = "secret delete", .aliases = "rm", .group = "STORE", .usage = "NAME…", .summary = "remove Secrets", .min_words = 1, .max_words = -1,
    .run = delete_run};

static const struct cmd *const subs[] = {&secret_set, &secret_list, &secret_delete};

const struct cmd cmd_secret = {
    .name = "secret",
    .group = "STORE",
    .usage = "set|list|delete",
    .summary = "values that steps get and nobody is shown",
    .details = "Workflows name them by secretKeyRef, secret volumes and the like. No command and no route shows a value.",
    .subs = subs,
    .n_subs = ARRAY_LEN(subs),
};
