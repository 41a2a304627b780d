/* skiff image pull|ls|inspect|import|rm|gc */
#include "base/limits.h"
#include "cli/cmds.h"
#include "cli/image_view.h"
#include "os/clock.h"

static const struct flag pull_flags[] = {
    {"policy", 0, FLAG_STR, "Always|IfNotPresent|Never", "as imagePullPolicy; default: Always"},
    {"platform", 0, FLAG_STR, "OS/ARCH[/VARIANT]", "of this platform instead of this machine's"},
};
static const struct flag ls_flags[] = {
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "form of the output"},
};
static const struct flag inspect_flags[] = {
    {"platform", 0, FLAG_STR, "OS/ARCH[/VARIANT]", "of this platform instead of this machine's"},
    {"output", 'o', FLAG_STR, "json|yaml", "form of the output"},
};
static const struct flag import_flags[] = {
    {"name", 0, FLAG_STR, "REF", "instead of the names in the archive"},
    {"from", 0, FLAG_STR, "docker|podman", "IMAGE is one that this program has"},
    {"platform", 0, FLAG_STR, "OS/ARCH[/VARIANT]", "of this platform instead of this machine's"},
};
static const struct flag rm_flags[] = {
    {"platform", 0, FLAG_STR, "OS/ARCH[/VARIANT]", "only of this platform"},
};
static const struct flag gc_flags[] = {
    {"dry-run", 0, FLAG_BOOL, NULL, "only say what would go"},
    {"output", 'o', FLAG_STR, "json|yaml", "form of the output"},
};

static struct service_images *images_open(struct cli *cli, struct err *e)
{
    struct str dir;
    if (!config_state_dir(&cli->a, &cli->config, &cli->world, &dir, e)) return NULL;
    return service_images_open(&cli->config, dir, e);
}

static struct str platform_flag(const struct cli *cli) { return str_of(args_str(&cli->args, "platform")); }

/* What an image has and a step will not. */
static void left_out_note(struct cli *cli, const struct val *image)
{
    const struct val *layers = val_get(image, STR("layers"));
    int64_t devices = 0, xattrs = 0, n;
    for (uint32_t i = 0; layers && i < layers->n; i++) {
        const struct val *d = val_get(&layers->items[i], STR("devicesLeftOut")), *x = val_get(&layers->items[i], STR("attributesLeftOut"));
        if (d && val_i64(d, &n)) devices += n;
        if (x && val_i64(x, &n)) xattrs += n;
    }
    if (devices)
        cli_note(cli, "%.*s: %lld device files or sockets were left out: a step has a /dev of its own", STR_ARG(val_get_str(image, "name")), (long long)devices);
    if (xattrs)
        cli_note(cli, "%.*s: %lld extended attributes were left out (file capabilities have no effect in steps)", STR_ARG(val_get_str(image, "name")),
                 (long long)xattrs);
}

static bool one_pull(struct cli *cli, struct service_images *s, const char *ref, struct err *e)
{
    struct pull_view v = {.cli = cli, .progress = term_progress(cli, cli->env->err_fd), .name = ref};
    struct service_pull p = {.ref = str_of(ref), .platform = platform_flag(cli), .policy = str_of(args_str(&cli->args, "policy")),
                             .look = pull_look, .user = &v};
    struct val image;
    bool ok = service_images_pull(&cli->a, s, &p, &image, e);
    pull_end(&v);
    if (ok) left_out_note(cli, &image);
    if (ok && !cli->quiet)
        cli_out(cli, str_fmt(&cli->a, "%.*s@%.*s\n", STR_ARG(val_get_str(&image, "name")), STR_ARG(val_get_str(&image, "digest"))));
    return ok;
}

static bool pull_run(struct cli *cli, struct err *e)
{
    struct service_images *s = images_open(cli, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < cli->args.n_words; i++) ok = one_pull(cli, s, cli->args.words[i], e);
    service_images_close(s);
    return ok;
}

static void names_put(const struct val *list, struct buf *b)
{
    for (uint32_t i = 0; i < list->n; i++) buf_printf(b, "%.*s\n", STR_ARG(val_get_str(&list->items[i], "name")));
}

static bool ls_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val list;
    enum output form;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service_images *s = images_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) && service_images_list(&cli->a, s, &list, e);
    if (ok && form == OUTPUT_NAME) names_put(&list, &b);
    else if (ok && (form == OUTPUT_JSON || form == OUTPUT_YAML)) output_put(&list, form, &b);
    else if (ok && list.n) images_table(&cli->a, &list, clock_now_us(), form == OUTPUT_WIDE, &b);
    else if (ok) buf_str(&b, STR("No images found\n"));
    cli_out(cli, buf_view(&b));
    service_images_close(s);
    return ok;
}

static bool inspect_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val image;
    enum output form;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service_images *s = images_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) &&
              service_images_inspect(&cli->a, s, str_of(cli->args.words[0]), platform_flag(cli), &image, e);
    if (ok && (form == OUTPUT_JSON || form == OUTPUT_YAML)) output_put(&image, form, &b);
    else if (ok) image_text(&cli->a, &image, &b);
    cli_out(cli, buf_view(&b));
    service_images_close(s);
    return ok;
}

static bool import_run(struct cli *cli, struct err *e)
{
    const char *from = args_str(&cli->args, "from"), *what = cli->args.words[0];
    struct str name = str_of(args_str(&cli->args, "name"));
    CLEANUP(buf_fini) struct buf b;
    struct val list;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service_images *s = images_open(cli, e);
    bool ok = s && (from ? service_images_import_from(&cli->a, s, from, str_of(what), name, &list, e)
                         : service_images_import(&cli->a, s, what, name, platform_flag(cli), &list, e));
    for (uint32_t i = 0; ok && i < list.n; i++) left_out_note(cli, &list.items[i]);
    if (ok && !cli->quiet) names_put(&list, &b);
    cli_out(cli, buf_view(&b));
    service_images_close(s);
    return ok;
}

static bool rm_run(struct cli *cli, struct err *e)
{
    struct service_images *s = images_open(cli, e);
    bool ok = s != NULL;
    size_t gone = 0;
    for (; ok && gone < cli->args.n_words; gone += ok) {
        struct str name;
        ok = service_images_remove(&cli->a, s, str_of(cli->args.words[gone]), platform_flag(cli), &name, e);
        if (ok && !cli->quiet) cli_out(cli, str_fmt(&cli->a, "%.*s\n", STR_ARG(name)));
    }
    struct val waste;
    struct err later = {0};
    if (gone && !service_images_gc(&cli->a, s, false, false, &waste, &later)) {
        if (later.code != ERR_CONFLICT && ok) ok = e ? (*e = later, false) : false;
        else cli_note(cli, "its files stay until the next skiff image gc: %s", later.text);
    }
    service_images_close(s);
    return ok;
}

static void gc_put(struct cli *cli, const struct val *list, bool dry_run, struct buf *b)
{
    int64_t sum = 0, n;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct val *v = &list->items[i], *bytes = val_get(v, STR("bytes"));
        n = 0;
        val_i64(bytes, &n);
        sum += n;
        buf_printf(b, "%s %.*s %.*s ", dry_run ? "would remove" : "removed", STR_ARG(val_get_str(v, "kind")), STR_ARG(val_get_str(v, "name")));
        bytes_put(b, n);
        buf_char(b, '\n');
    }
    buf_printf(b, "%s: ", dry_run ? "would be free" : "free now");
    bytes_put(b, sum);
    buf_char(b, '\n');
    (void)cli;
}

static bool gc_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    struct val list;
    enum output form;
    bool dry_run = args_on(&cli->args, "dry-run");
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct service_images *s = images_open(cli, e);
    bool ok = s && cli_output(cli, &form, e) && service_images_gc(&cli->a, s, dry_run, true, &list, e);
    if (ok && (form == OUTPUT_JSON || form == OUTPUT_YAML)) output_put(&list, form, &b);
    else if (ok && !cli->quiet) gc_put(cli, &list, dry_run, &b);
    cli_out(cli, buf_view(&b));
    service_images_close(s);
    return ok;
}

static const struct cmd verb_pull = {
    .name = "image pull",
    .where = WHERE_HERE,
    .group = "STORE",
    .usage = "REF… [--policy POLICY] [--platform PLATFORM]",
    .summary = "fetch images from their registries",
    .details = "Layers come several at once, are checked against their digests, and are unpacked once. What breaks off is taken up\n"
               "where it was, also by a later pull. Prints each name with its digest. Credentials are those of `docker login`\n"
               "and `podman login`; mirrors and registries without TLS stand in the settings images.mirrors and images.insecure.",
    .examples = "  skiff image pull python:3.12-slim\n  skiff image pull ghcr.io/org/tool@sha256:… --platform linux/arm64",
    .flags = pull_flags,
    .n_flags = ARRAY_LEN(pull_flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_OBJECT,
    .run = pull_run,
};
static const struct cmd verb_ls = {
    .name = "image ls",
    .where = WHERE_HERE,
    .aliases = "list",
    .group = "STORE",
    .usage = "[-o name|json|yaml|wide]",
    .summary = "list the images of the state directory",
    .flags = ls_flags,
    .n_flags = ARRAY_LEN(ls_flags),
    .run = ls_run,
};
static const struct cmd verb_inspect = {
    .name = "image inspect",
    .where = WHERE_HERE,
    .group = "STORE",
    .usage = "REF [-o json|yaml]",
    .summary = "show what an image runs, and its layers",
    .examples = "  skiff image inspect python:3.12-slim -o json | jq .config",
    .flags = inspect_flags,
    .n_flags = ARRAY_LEN(inspect_flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_OBJECT,
    .run = inspect_run,
};
static const struct cmd verb_import = {
    .name = "image import",
    .where = WHERE_HERE,
    .group = "STORE",
    .usage = "FILE|DIRECTORY|-|IMAGE [--name REF] [--from docker|podman]",
    .summary = "take images from an archive, a directory, or another program",
    .details = "Archives are those of `docker save` and `podman save` (docker-archive) and OCI layouts, as a tar (also gzip or zstd) or\n"
               "a directory. With --from the image comes out of docker's or podman's own store, through its program's `save`.",
    .examples = "  docker save app:1 | skiff image import -\n  skiff image import layout/ --name app:1\n"
                "  skiff image import --from podman localhost/app:1",
    .flags = import_flags,
    .n_flags = ARRAY_LEN(import_flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_FILE,
    .run = import_run,
};
static const struct cmd verb_rm = {
    .name = "image rm",
    .where = WHERE_HERE,
    .aliases = "remove delete",
    .group = "STORE",
    .usage = "REF…",
    .summary = "forget images; their layers go when no other image has them",
    .details = "An image that a step uses is kept, and the command fails (exit status 9).",
    .flags = rm_flags,
    .n_flags = ARRAY_LEN(rm_flags),
    .min_words = 1,
    .max_words = -1,
    .word = WORD_OBJECT,
    .run = rm_run,
};
static const struct cmd verb_gc = {
    .name = "image gc",
    .where = WHERE_HERE,
    .group = "STORE",
    .usage = "[--dry-run]",
    .summary = "remove layers that no image has, unfinished downloads, and what a crash left",
    .flags = gc_flags,
    .n_flags = ARRAY_LEN(gc_flags),
    .run = gc_run,
};
static const struct cmd *const verbs[] = {&verb_pull, &verb_ls, &verb_inspect, &verb_import, &verb_rm, &verb_gc};

const struct cmd cmd_image = {
    .name = "image",
    .aliases = "images",
    .group = "STORE",
    .usage = "VERB …",
    .summary = "container images: pull, list, inspect, import, remove",
    .examples = "  skiff image pull busybox:1.36\n  skiff image ls",
    .subs = verbs,
    .n_subs = ARRAY_LEN(verbs),
};
