/* skiff sync create|get|update|delete KEY: limits of semaphores, as `argo sync` */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/session.h"

static const struct flag flags[] = {
    {"type", 0, FLAG_STR, "database|configmap", "where the limit is kept"},
    {"cm-name", 0, FLAG_STR, "NAME", "the ConfigMap, with --type configmap"},
    {"limit", 0, FLAG_INT, "N", "how many may hold it at once, with create and update"},
};

static const char *const verbs[] = {"create", "update", "delete", "get"};
enum { VERB_GET = 3 };
static const char *const done[] = {"created", "updated", "deleted"};

static bool verb_of(struct cli *cli, size_t *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (!strcmp(cli->args.words[0], verbs[i])) return *out = i, true;
    return err_set(e, ERR_USAGE, "'sync %s': create, get, update or delete", cli->args.words[0]);
}

static bool ref_of(struct cli *cli, struct sync_limit_ref *out, struct err *e)
{
    const char *type = args_str(&cli->args, "type"), *name = args_str(&cli->args, "cm-name");
    if (!type) return err_set(e, ERR_USAGE, "'sync' needs --type database or --type configmap");
    bool map = !strcmp(type, "configmap");
    if (map && !name) return err_set(e, ERR_USAGE, "--cm-name is required when type is configmap");
    if (!map && name) return err_set(e, ERR_USAGE, "--cm-name goes with --type configmap only");
    *out = (struct sync_limit_ref){.ns = cli_namespace(cli), .key = str_of(cli->args.words[1]),
                                   .config_map = map ? str_of(name) : STR_NONE};
    return true;
}

static void show(struct cli *cli, const struct sync_limit_ref *ref, int64_t limit)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_SHOWN_BYTES);
    bool map = ref->config_map.n;
    buf_printf(&b, "Key: %.*s\nType: %s\n", STR_ARG(ref->key), map ? "configmap" : "database");
    if (map) buf_printf(&b, "ConfigMap Name: %.*s\n", STR_ARG(ref->config_map));
    buf_printf(&b, "Namespace: %.*s\nLimit: %lld\n", STR_ARG(ref->ns), (long long)limit);
    cli_out(cli, buf_view(&b));
}

static bool sync_run(struct cli *cli, struct err *e)
{
    struct sync_limit_ref ref;
    size_t verb = 0;
    int64_t limit = args_int(&cli->args, "limit", 0);
    if (!verb_of(cli, &verb, e) || !ref_of(cli, &ref, e)) return false;
    bool get = verb == VERB_GET, sets = !get && verb != SYNC_DELETE;
    if (sets && !args_has(&cli->args, "limit")) return err_set(e, ERR_USAGE, "'sync %s' needs --limit", verbs[verb]);
    struct service *s = get ? reader_open(cli, e) : changer_open(cli, e);
    bool ok = s != NULL;
    if (ok && get) ok = service_sync_get(s, &ref, &limit, e);
    if (ok && !get) ok = service_sync_change(s, (enum sync_verb)verb, &ref, limit, e);
    service_close(s);
    if (!ok) return err_ctx(e, "failed to %s sync limit", verbs[verb]);
    if (!get && !cli->quiet) cli_out(cli, str_fmt(&cli->a, "Sync limit %s\n", done[verb]));
    if (get || (sets && !cli->quiet)) show(cli, &ref, limit);
    return true;
}

const struct cmd cmd_sync = {
    .name = "sync",
    .group = "CONTROL",
    .usage = "create|get|update|delete KEY --type database|configmap [--cm-name NAME] [--limit N]",
    .summary = "limits of semaphores",
    .details = "A semaphore with `database: {key: KEY}` takes its limit from here; one with `configMapKeyRef` from the\n"
               "ConfigMap, which this changes as well. Whoever waits goes on when a limit grows; whoever holds keeps "
               "it.",
    .examples = "  skiff sync create gpu --type database --limit 2\n"
                "  skiff sync update template --type configmap --cm-name my-config --limit 5",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 2,
    .max_words = 2,
    .run = sync_run,
};
