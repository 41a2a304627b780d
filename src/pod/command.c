/* What is executed: command and args over the image's entrypoint and cmd, or a script's source. */
#include "pod/pod_p.h"

static void push_words(struct pod *p, const struct image_words *words)
{
    for (size_t i = 0; i < words->n; i++) VEC_PUSH(&p->argv, words->items[i]);
}

static void push_list(struct pod *p, const struct val *list)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        VEC_PUSH(&p->argv, pod_expand(p, val_text(&list->items[i]), NULL));
}

static void script_file(struct pod *p)
{
    bool plain = p->in->tier == STEP_TIER_NONE;
    struct str dir = plain ? p->work_dir : STR(POD_STAGING_DIR);
    struct str source = val_get_str(p->main, "source");
    struct step_file f = {.path = str_fmt(p->a, "%.*s/script", STR_ARG(dir)),
                          .content = source.p ? source : STR(""), .mode = 0755};
    VEC_PUSH(&p->files, f);
    VEC_PUSH(&p->argv, f.path);
}

/* Kubernetes: a given command replaces entrypoint and cmd; args alone replace cmd only. */
bool pod_command(struct pod *p, struct err *e)
{
    if (p->in->collect) {
        VEC_PUSH(&p->argv, STR("true"));
        return true;
    }
    const struct val *command = val_get(p->main, STR("command")), *args = val_get(p->main, STR("args"));
    bool own = command && command->n;
    if (own) push_list(p, command);
    else push_words(p, &p->image.entrypoint);
    if (own) p->n_command = p->argv.n;
    if (args && args->n) push_list(p, args);
    else if (!own && !p->is_script) push_words(p, &p->image.cmd);
    if (p->is_script) script_file(p);
    if (p->argv.n || p->in->engine_image) return true;
    if (p->image.kind == IMAGE_STORED)
        return err_set(e, ERR_SPEC, "no command specified: the image '%.*s' has neither entrypoint nor cmd", STR_ARG(val_get_str(p->main, "image")));
    return err_set(e, ERR_SPEC, "image '%.*s' has no known entrypoint: give the container a `command`",
                   STR_ARG(val_get_str(p->main, "image")));
}
