/* See pod.h: the parts put together. */
#include "base/limits.h"
#include "pod/pod_p.h"

static bool choose_image(struct pod *p, struct err *e)
{
    struct str name = val_get_str(p->main, "image");
    p->image = image_resolve(p->a, p->in->images, name);
    if (p->image.kind == IMAGE_ABSENT && p->in->image_fallback_host) p->image.kind = IMAGE_HOST;
    if (p->image.missing.p)
        return err_set(e, ERR_SPEC, "image '%.*s' needs the program '%.*s', which this host does not have",
                       STR_ARG(name), STR_ARG(p->image.missing));
    if (p->image.kind != IMAGE_ABSENT) return true;
    return err_set(e, ERR_SPEC, "image '%.*s' is neither mapped nor available: say what it is in a file for --images, "
                   "or set SKIFF_IMAGE_FALLBACK=host to run it with this host's programs", STR_ARG(name));
}

static struct str parent_dir(struct str path)
{
    size_t n = path.n;
    while (n > 1 && path.p[n - 1] != '/') n--;
    return str_sub(path, 0, n > 1 ? n - 1 : 1);
}

static bool absolute(struct str path, const char *what, struct str name, struct err *e)
{
    if (path.n && path.p[0] == '/') return true;
    return err_set(e, ERR_SPEC, "%s '%.*s': path '%.*s' must be absolute", what, STR_ARG(name), STR_ARG(path));
}

static bool outputs(struct pod *p, struct err *e)
{
    const struct val *params = val_path(p->in->tmpl, "outputs.parameters");
    const struct val *arts = val_path(p->in->tmpl, "outputs.artifacts");
    for (uint32_t i = 0; params && i < params->n; i++) {
        struct step_output o = {.name = val_get_str(&params->items[i], "name"), .optional = true,
                                .path = val_text(val_path(&params->items[i], "valueFrom.path"))};
        if (!o.path.n) continue;
        if (!absolute(o.path, "output parameter", o.name, e)) return false;
        VEC_PUSH(&p->params, o);
        VEC_PUSH(&p->writable, parent_dir(o.path));
    }
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        struct step_output o = {.name = val_get_str(&arts->items[i], "name"), .optional = true,
                                .path = val_get_str(&arts->items[i], "path")};
        if (!absolute(o.path, "output artifact", o.name, e)) return false;
        VEC_PUSH(&p->artifacts, o);
        VEC_PUSH(&p->writable, parent_dir(o.path));
    }
    return true;
}

static bool inputs(struct pod *p, struct err *e)
{
    for (size_t i = 0; i < p->in->n_artifacts; i++) {
        const struct pod_artifact *art = &p->in->artifacts[i];
        if (!absolute(art->path, "input artifact", art->name, e)) return false;
        if (art->source.p) {
            struct step_bind b = {.source = art->source, .target = art->path, .read_only = true};
            VEC_PUSH(&p->binds, b);
        } else {
            struct step_file f = {.path = art->path, .content = art->content,
                                  .mode = art->mode >= 0 ? (uint32_t)art->mode : 0644};
            VEC_PUSH(&p->files, f);
        }
    }
    if (p->in->n_artifacts && p->in->tier == STEP_TIER_NONE)
        return err_set(e, ERR_UNSUPPORTED, "input artifacts need a sandbox: run without --runtime=none");
    return true;
}

/* Host programs under an image's own name for them, and the image's files. */
static void image_parts(struct pod *p)
{
    struct str shims = str_fmt(p->a, "%.*s/shims", STR_ARG(p->in->state_dir));
    for (size_t i = 0; i < p->image.shims.n; i++) {
        const struct image_pair *s = &p->image.shims.items[i];
        struct step_bind link = {.source = s->value,
                                 .target = str_fmt(p->a, "%.*s/%.*s", STR_ARG(shims), STR_ARG(s->name))};
        VEC_PUSH(&p->links, link);
    }
    for (size_t i = 0; i < p->image.files.n; i++) {
        const struct image_file *f = &p->image.files.items[i];
        bool bare = f->path.n && f->path.p[0] != '/';
        struct step_file file = {.content = f->text, .mode = 0755,
                                 .path = bare ? str_fmt(p->a, "/argo/files/%.*s", STR_ARG(f->path)) : f->path};
        VEC_PUSH(&p->files, file);
    }
    if (p->image.shims.n) VEC_PUSH(&p->dirs, shims);
}

static void identity(struct pod *p, struct step_spec *s)
{
    static const char *const places[] = {"securityContext.runAsUser", "securityContext.runAsGroup"};
    const struct val *spec = val_get(p->in->workflow, STR("spec"));
    const struct val *levels[] = {spec, p->in->tmpl, p->main}; /* the container's own says last */
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        int64_t id;
        const struct val *uid = val_path(levels[i], places[0]), *gid = val_path(levels[i], places[1]);
        if (uid && val_i64(uid, &id)) s->uid = id;
        if (gid && val_i64(gid, &id)) s->gid = id;
    }
}

static void finish(struct pod *p, struct pod_plan *out)
{
    struct step_spec *s = &out->spec;
    struct str dir = val_get_str(p->main, "workingDir");
    step_spec_init(s);
    s->id = p->in->step_id;
    s->tier = p->image.kind == IMAGE_ROOT ? STEP_TIER_IMAGE : p->in->tier;
    s->cwd = dir.n ? dir : p->image.workdir;
    s->grace_ms = p->in->grace_ms;
    s->capture_result = p->in->capture_result;
    s->fsync_result = false;
    if (p->image.kind == IMAGE_ROOT) {
        s->layers.items = ARENA_NEW(p->a, struct str);
        s->layers.items[0] = p->image.root;
        s->layers.n = 1;
    }
    identity(p, s);
#define MOVE(to, from)                                                                             \
    do {                                                                                           \
        (to).n = (from).n;                                                                         \
        (to).items = arena_alloc(p->a, ((from).n + 1) * sizeof *(from).items);                     \
        if ((from).n) memcpy((to).items, (from).items, (from).n * sizeof *(from).items);           \
        VEC_FINI(&(from));                                                                         \
    } while (0)
    MOVE(s->argv, p->argv);
    MOVE(s->env, p->env);
    MOVE(s->masks, p->masks);
    MOVE(s->writable, p->writable);
    MOVE(s->binds, p->binds);
    MOVE(s->tmpfs, p->tmpfs);
    MOVE(s->files, p->files);
    MOVE(s->params, p->params);
    MOVE(s->artifacts, p->artifacts);
    MOVE(out->make_dirs, p->dirs);
    MOVE(out->links, p->links);
#undef MOVE
}

static const char *const unsupported[] = {"initContainers", "sidecars", "containerSet", "daemon"};

static bool supported(const struct pod *p, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++) {
        const struct val *v = val_get(p->in->tmpl, str_of(unsupported[i]));
        bool used = v && (v->kind == VAL_BOOL ? v->b : v->n > 0);
        if (used)
            return err_set(e, ERR_UNSUPPORTED, "`%s` is not supported by this version of Skiff; see "
                           "docs/compatibility.md", unsupported[i]);
    }
    return true;
}

/* exec would say no more than "argument list too long". */
static bool words_fit(const struct step_strs *words, const char *what, struct err *e)
{
    for (size_t i = 0; i < words->n; i++)
        if (words->items[i].n > LIMIT_STEP_WORD_BYTES)
            return err_set(e, ERR_LIMIT, "%s has more than LIMIT_STEP_WORD_BYTES (%d) bytes: '%.*s…'; pass it as a raw "
                           "artifact or in a script's source", what, LIMIT_STEP_WORD_BYTES, 40, words->items[i].p);
    return true;
}

bool pod_build(struct arena *a, const struct pod_input *in, struct pod_plan *out, struct err *e)
{
    struct pod p = {.a = a, .in = in};
    memset(out, 0, sizeof *out);
    p.main = val_get(in->tmpl, STR("script"));
    p.is_script = p.main != NULL;
    if (!p.main) p.main = val_get(in->tmpl, STR("container"));
    p.work_dir = step_work_path(a, in->state_dir, in->step_id);
    bool ok = supported(&p, e) && choose_image(&p, e) && pod_env(&p, e) && pod_command(&p, e) &&
              pod_volumes(&p, e) && inputs(&p, e) && outputs(&p, e);
    if (ok) image_parts(&p);
    finish(&p, out);
    if (ok && p.overflow)
        return err_set(e, ERR_LIMIT, "with $(NAME) replaced an argument or variable has more than "
                       "LIMIT_STEP_WORD_BYTES (%d) bytes", LIMIT_STEP_WORD_BYTES);
    return ok && words_fit(&out->spec.argv, "an argument", e) &&
           words_fit(&out->spec.env, "an environment variable", e) && step_spec_check(&out->spec, e);
}
