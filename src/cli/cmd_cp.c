/* skiff cp */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "cli/cmds.h"
#include "cli/session.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/litter.h"
#include "os/random.h"

static const struct flag flags[] = {
    {"node-id", 0, FLAG_STR, "ID", "only artifacts of this node"},
    {"template-name", 0, FLAG_STR, "TEMPLATE", "only artifacts of this template's steps"},
    {"artifact-name", 0, FLAG_STR, "NAME", "only artifacts of this name"},
    {"path", 0, FLAG_STR, "TEMPLATE", "below the directory: {namespace} {workflowName} {templateName} {nodeId} {artifactName}"},
};

static const char usual_path[] = "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}";

static bool wanted(const struct cli *cli, const struct run_artifact *art)
{
    const struct { const char *flag; struct str is; } rows[] = {
        {"node-id", art->node_id}, {"template-name", art->template_name}, {"artifact-name", art->name}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *want = args_str(&cli->args, rows[i].flag);
        if (want && !str_is(rows[i].is, want)) return false;
    }
    return true;
}

/* Names come from documents: none of them may lead out of the directory. */
static bool part_ok(struct str part)
{
    return part.n && !str_is(part, ".") && !str_is(part, "..") && str_find_char(part, '/', 0) < 0;
}

static bool path_fill(struct cli *cli, const char *template, const struct workflow_ref *ref, const struct run_artifact *art,
                      struct str *out, struct err *e)
{
    const struct { const char *word; struct str value; } words[] = {
        {"{namespace}", ref->ns}, {"{workflowName}", ref->name}, {"{templateName}", art->template_name},
        {"{nodeId}", art->node_id}, {"{artifactName}", art->name}};
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    while (*template) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && strncmp(template, words[i].word, strlen(words[i].word)) != 0) i++;
        if (i == ARRAY_LEN(words)) {
            buf_char(&b, *template++);
            continue;
        }
        if (!part_ok(words[i].value))
            return err_set(e, ERR_UNSUPPORTED, "'%.*s' cannot be part of a path", STR_ARG(words[i].value));
        buf_str(&b, words[i].value);
        template += strlen(words[i].word);
    }
    *out = buf_dup(&cli->a, &b);
    return true;
}

struct copying {
    struct cli *cli;
    struct service *s;
    struct workflow_ref ref;
    VEC(const struct run_artifact *) arts;
    VEC(struct str) to_dirs, to; /* of the same */
    struct buf *said;
    struct litter *litter;
};

static bool place_add(struct copying *c, const struct run_artifact *art, struct err *e)
{
    struct cli *cli = c->cli;
    const char *template = args_str(&cli->args, "path");
    struct str below, name = artifact_file_name(&cli->a, art);
    if (!path_fill(cli, template ? template : usual_path, &c->ref, art, &below, e)) return false;
    if (!part_ok(name)) return err_set(e, ERR_UNSUPPORTED, "'%.*s' cannot be the name of a file", STR_ARG(name));
    struct str dir = str_fmt(&cli->a, "%s/%.*s", cli->args.words[1], STR_ARG(below));
    VEC_PUSH(&c->arts, art);
    VEC_PUSH(&c->to_dirs, dir);
    VEC_PUSH(&c->to, str_fmt(&cli->a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name)));
    return true;
}

/* Before anything is written. */
static bool places_differ(const struct copying *c, struct err *e)
{
    struct map seen = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < c->to.n; i++) {
        bool fresh;
        struct map_slot *slot = map_put(&seen, c->to.items[i], &fresh);
        if (!fresh)
            ok = err_set(e, ERR_CONFLICT, "artifacts of '%.*s' and of '%.*s' would both be \"%.*s\"; {nodeId} in --path keeps them apart",
                         STR_ARG(c->arts.items[slot->num]->node), STR_ARG(c->arts.items[i]->node), STR_ARG(c->to.items[i]));
        slot->num = i;
    }
    map_fini(&seen);
    return ok;
}

/* What is there already stays until the new file is whole. */
static bool one_copy(struct copying *c, size_t i, struct err *e)
{
    const struct run_artifact *art = c->arts.items[i];
    const char *to = c->to.items[i].p, *tmp = str_fmt(&c->cli->a, "%s.%016llx.part", to, (unsigned long long)random_u64()).p;
    if (!dir_make_all(c->to_dirs.items[i].p, 0755, e)) return false;
    litter_add(c->litter, tmp);
    int fd CLEANUP(close_fd) = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return err_set(e, ERR_IO, "'%s': %s", tmp, strerror(errno));
    bool ok = service_artifact_fetch(c->s, &c->ref, art, false, fd, e) ||
              err_ctx(e, "artifact '%.*s' of '%.*s'", STR_ARG(art->name), STR_ARG(art->node));
    if (ok && rename(tmp, to) != 0) ok = err_set(e, ERR_IO, "'%s': %s", to, strerror(errno));
    if (ok) buf_printf(c->said, "Created \"%s\"\n", to);
    else unlink(tmp);
    litter_forget(c->litter);
    return ok;
}

static bool all_copy(struct cli *cli, struct service *s, struct buf *said, struct err *e)
{
    struct copying c = {.cli = cli, .s = s, .said = said};
    struct run_artifact *arts;
    size_t n;
    if (!workflow_ref(cli, s, cli->args.words[0], &c.ref, e) ||
        !service_artifacts(&cli->a, s, c.ref.ns, c.ref.name, false, &arts, &n, e))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        if (wanted(cli, &arts[i])) ok = place_add(&c, &arts[i], e);
    ok = ok && places_differ(&c, e);
    if (ok && c.arts.n) c.litter = litter_new();
    for (size_t i = 0; ok && i < c.arts.n; i++) ok = one_copy(&c, i, e);
    litter_free(c.litter);
    if (ok && !c.arts.n) cli_note(cli, "no artifact of '%.*s' was asked for; skiff artifact list shows all", STR_ARG(c.ref.name));
    VEC_FINI(&c.arts);
    VEC_FINI(&c.to_dirs);
    VEC_FINI(&c.to);
    return ok;
}

static bool cp_run(struct cli *cli, struct err *e)
{
    CLEANUP(buf_fini) struct buf said;
    buf_init(&said, LIMIT_SHOWN_BYTES);
    struct service *s = reader_open(cli, e);
    bool ok = s && all_copy(cli, s, &said, e);
    if (!cli->quiet) cli_out(cli, buf_view(&said));
    service_close(s);
    return ok;
}

const struct cmd cmd_cp = {
    .name = "cp",
    .group = "LOOK",
    .usage = "NAME DIRECTORY [flags]",
    .summary = "copy the artifacts of a run to a directory",
    .details = "Files are what argo's would be: a gzipped tar unless the artifact says archive: none or zip. The usual path is\n"
               "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}.",
    .examples = "  skiff cp @latest out\n  skiff cp @latest out --artifact-name model --path '{artifactName}'",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 2,
    .max_words = 2,
    .word = WORD_WORKFLOW,
    .run = cp_run,
};
