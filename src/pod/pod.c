/* See pod.h: the parts put together. */
#include "base/limits.h"
#include "pod/pod_p.h"

static bool choose_image(struct pod *p, struct err *e)
{
    struct str name = val_get_str(p->main, "image"), policy = val_get_str(p->main, "imagePullPolicy");
    if (p->in->engine_image) return name.n || err_set(e, ERR_SPEC, "the container names no image");
    if (p->in->collect) return p->image.kind = IMAGE_HOST, true; /* nothing runs in it */
    if (!p->in->images.find(p->in->images.ctx, p->a, name, policy, &p->image, e)) return false;
    return !p->image.missing.p || err_set(e, ERR_SPEC, "image '%.*s' needs the program '%.*s', which this host does not have",
                                          STR_ARG(name), STR_ARG(p->image.missing));
}

/* Its root is not the host's. */
static bool has_own_root(const struct pod *p) { return p->image.kind == IMAGE_ROOT || p->image.kind == IMAGE_STORED; }

static struct str parent_dir(struct str path)
{
    size_t n = path.n;
    while (n > 1 && path.p[n - 1] != '/') n--;
    return str_sub(path, 0, n > 1 ? n - 1 : 1);
}

static bool absolute(struct str path, const char *what, struct str name, struct err *e)
{
    if (!path.n || path.p[0] != '/')
        return err_set(e, ERR_SPEC, "%s '%.*s': path '%.*s' must be absolute", what, STR_ARG(name), STR_ARG(path));
    if (!pod_has_backstep(path)) return true;
    return err_set(e, ERR_SPEC, "%s '%.*s': path '%.*s' must not contain '..'", what, STR_ARG(name), STR_ARG(path));
}

static bool work_dir_ok(const struct pod *p, struct err *e)
{
    struct str dir = val_get_str(p->main, "workingDir");
    return !pod_has_backstep(dir) || err_set(e, ERR_SPEC, "workingDir '%.*s' must not contain '..'", STR_ARG(dir));
}

/* Of a set, what lies in common mounts is collected when all containers have ended. */
static bool collects(const struct pod *p, struct str path)
{
    return !p->in->container.p || pod_path_shared(p, path) == p->in->collect;
}

/* A root of its own is writable, and where it lacks a directory the step makes it. */
static void writable_for(struct pod *p, struct str path)
{
    if (!has_own_root(p)) VEC_PUSH(&p->writable, parent_dir(path));
}

static bool outputs(struct pod *p, struct err *e)
{
    const struct val *params = val_path(p->in->tmpl, "outputs.parameters");
    const struct val *arts = val_path(p->in->tmpl, "outputs.artifacts");
    if (!p->is_main) return true;
    for (uint32_t i = 0; params && i < params->n; i++) {
        struct step_output o = {.name = val_get_str(&params->items[i], "name"), .optional = true,
                                .path = val_text(val_path(&params->items[i], "valueFrom.path"))};
        if (!o.path.n || !collects(p, o.path)) continue;
        if (!absolute(o.path, "output parameter", o.name, e)) return false;
        VEC_PUSH(&p->params, o);
        writable_for(p, o.path);
    }
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        struct step_output o = {.name = val_get_str(&arts->items[i], "name"), .optional = true,
                                .path = val_get_str(&arts->items[i], "path")};
        if (!collects(p, o.path)) continue;
        if (!absolute(o.path, "output artifact", o.name, e)) return false;
        VEC_PUSH(&p->artifacts, o);
        writable_for(p, o.path);
    }
    return true;
}

static bool has_mirror(const struct val *tmpl, const char *list_name)
{
    const struct val *list = val_get(tmpl, str_of(list_name)), *mirror;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if ((mirror = val_get(&list->items[i], STR("mirrorVolumeMounts"))) && mirror->kind == VAL_BOOL && mirror->b) return true;
    return false;
}

/* Several containers of the pod see it, and each what the others do to it: where their one copy is made. */
static struct str shared_dir(struct pod *p, const struct pod_artifact *art)
{
    if (!p->in->pod_dir.n) return STR_NONE;
    if (!pod_path_shared(p, art->path) && !has_mirror(p->in->tmpl, "initContainers") && !has_mirror(p->in->tmpl, "sidecars"))
        return STR_NONE;
    return str_fmt(p->a, "%.*s/.inputs/%016llx", STR_ARG(p->in->pod_dir), (unsigned long long)str_hash(art->path));
}

static void input(struct pod *p, const struct pod_artifact *art)
{
    struct str shared = shared_dir(p, art);
    if (!art->source.p && !shared.p) {
        struct step_file f = {.path = art->path, .content = art->content, .mode = art->mode >= 0 ? (uint32_t)art->mode : 0644};
        VEC_PUSH(&p->files, f);
        return;
    }
    struct step_input in = {.source = art->source, .content = art->content, .target = art->path, .shared = shared,
                            .bytes = art->bytes, .mode = art->mode >= 0 ? art->mode & 07777 : -1, .recurse = art->recurse};
    VEC_PUSH(&p->inputs, in);
}

static bool inputs(struct pod *p, struct err *e)
{
    for (size_t i = 0; i < p->in->n_artifacts; i++) {
        const struct pod_artifact *art = &p->in->artifacts[i];
        if (!p->is_main && !p->mirrors && !pod_path_shared(p, art->path)) continue;
        if (!absolute(art->path, "input artifact", art->name, e)) return false;
        input(p, art);
    }
    if (p->in->n_artifacts && p->in->tier == STEP_TIER_NONE)
        return err_set(e, ERR_UNSUPPORTED, "input artifacts need a sandbox: run without --runtime=none");
    return true;
}

static bool mentions(const struct pod *p, struct str word)
{
    for (size_t i = 0; i < p->argv.n; i++)
        if (str_find(p->argv.items[i], word, 0) >= 0) return true;
    return p->is_script && str_find(val_get_str(p->main, "source"), word, 0) >= 0;
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
        bool asked = f->path.n && f->path.p[0] == '?'; /* most steps have no use for it */
        struct str path = asked ? str_from(f->path, 1) : f->path;
        bool bare = path.n && path.p[0] != '/';
        if (asked && !mentions(p, path)) continue;
        struct step_file file = {.content = f->text, .mode = 0755,
                                 .path = bare ? str_fmt(p->a, "%.*s/%.*s", STR_ARG(pod_files_dir(p)), STR_ARG(path)) : path};
        VEC_PUSH(&p->files, file);
    }
    for (size_t i = 0; i < p->image.volumes.n; i++)
        if (!pod_has_backstep(p->image.volumes.items[i])) VEC_PUSH(&p->writable, p->image.volumes.items[i]);
    if (p->image.shims.n) VEC_PUSH(&p->dirs, shims);
}

/* A container that asked for none gets none, as from the device plugins; unless it says itself what it sees. */
static void devices(struct pod *p)
{
    static const struct {
        enum pod_resource resource;
        const char *name;
    } vars[] = {{POD_NVIDIA, "CUDA_VISIBLE_DEVICES"}, {POD_AMD, "ROCR_VISIBLE_DEVICES"}};
    for (size_t i = 0; i < ARRAY_LEN(vars); i++) {
        struct str which = p->in->devices[vars[i].resource], name = str_of(vars[i].name);
        if (which.n || (which.p && !pod_env_get(p, name).p)) pod_env_set(p, name, which);
    }
}

static const struct val *shared_resources(const struct pod *p)
{
    const struct val *own = val_get(p->in->tmpl, STR("podResources"));
    return own ? own : val_path(p->in->workflow, "spec.podResources");
}

static void finish(struct pod *p, struct pod_plan *out)
{
    struct step_spec *s = &out->spec;
    struct str dir = val_get_str(p->main, "workingDir");
    s->id = p->in->step_id;
    s->tier = has_own_root(p) ? STEP_TIER_IMAGE : p->in->tier;
    s->uid = p->uid;
    s->gid = p->gid;
    s->cwd = dir.n ? dir : p->image.workdir;
    s->grace_ms = p->in->grace_ms;
    s->log_max_bytes = p->in->log_max_bytes;
    s->capture_result = p->in->capture_result;
    s->fsync_result = false;
    s->probed = p->probed && !p->in->collect;
    if (!p->in->collect) s->progress = pod_progress_path(p);
    if (p->image.kind == IMAGE_ROOT) {
        s->layers.items = ARENA_NEW(p->a, struct str);
        s->layers.items[0] = p->image.root;
        s->layers.n = 1;
    }
    if (p->image.kind == IMAGE_STORED) {
        s->layers.items = (struct str *)(uintptr_t)p->image.layers.items; /* nobody writes to them */
        s->layers.n = p->image.layers.n;
    }
    out->notice = p->notice;
    out->dirs_gid = p->fs_group;
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
    MOVE(s->inputs, p->inputs);
    MOVE(s->tmpfs, p->tmpfs);
    MOVE(s->files, p->files);
    MOVE(s->params, p->params);
    MOVE(s->artifacts, p->artifacts);
    MOVE(out->make_dirs, p->dirs);
    MOVE(out->links, p->links);
    MOVE(out->host_paths, p->host_paths);
    MOVE(out->file_dirs, p->file_dirs);
#undef MOVE
    out->n_command = p->n_command;
    out->container = p->main;
    out->pod = p->pod;
}

static bool is_init(const struct pod *p)
{
    return p->in->part.p && pod_volume_named(val_get(p->in->tmpl, STR("initContainers")), p->in->part);
}

/* A connection is tried to an address of IPv4; requests (httpGet, grpc) may go anywhere. */
static bool is_reachable(const struct val *probe)
{
    struct str host = val_text(val_path(probe, "tcpSocket.host"));
    for (size_t i = 0; i < host.n && !str_is(host, "localhost"); i++)
        if (!(host.p[i] >= '0' && host.p[i] <= '9') && host.p[i] != '.') return false;
    return true;
}

/* What a cluster would not accept; and what restarts, which nothing here does. */
static bool probes_check(struct pod *p, struct err *e)
{
    static const char *const fields[] = {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle.postStart", "lifecycle.preStop"};
    static const char *const ways[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep"};
    struct str policy = val_get_str(p->main, "restartPolicy");
    bool goes_on = is_init(p) && str_is(policy, "Always");
    if (is_init(p) && policy.n && !goes_on)
        return err_set(e, ERR_UNSUPPORTED, "init container '%.*s': restartPolicy: Always is the only one that is supported", STR_ARG(p->in->part));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct val *probe = val_path(p->main, fields[i]);
        size_t n = 0;
        if (!probe) continue;
        if (is_init(p) && !goes_on)
            return err_set(e, ERR_SPEC, "init container '%.*s': %s: may not be set for init containers", STR_ARG(p->in->part), fields[i]);
        for (size_t k = 0; k < ARRAY_LEN(ways); k++) n += val_get(probe, str_of(ways[k])) != NULL;
        if (n != 1) return err_set(e, ERR_SPEC, "%s: %s", fields[i], n ? "may not specify more than 1 handler type" : "must specify a handler type");
        if (!is_reachable(probe))
            return err_set(e, ERR_UNSUPPORTED, "%s: tcpSocket.host: only IPv4 addresses and localhost are supported by this version of Skiff", fields[i]);
        bool asked_inside = val_get(probe, STR("exec")) || val_get(probe, STR("sleep"));
        if (p->in->private_net && !p->in->address.n && !asked_inside && !val_path(probe, "httpGet.host") && !val_path(probe, "tcpSocket.host"))
            return err_set(e, ERR_UNSUPPORTED, "%s: without root a pod's private network is not reached from outside: use exec, or the host's network", fields[i]);
        p->probed |= asked_inside;
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

static const struct val *set_container(const struct pod_input *in)
{
    const struct val *list = val_path(in->tmpl, "containerSet.containers");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), in->container)) return &list->items[i];
    return NULL;
}

const struct val *pod_part(const struct val *tmpl, struct str name)
{
    const struct val *v = pod_volume_named(val_get(tmpl, STR("initContainers")), name);
    return v ? v : pod_volume_named(val_get(tmpl, STR("sidecars")), name);
}

static bool choose_part(struct pod *p, struct err *e)
{
    p->main = pod_part(p->in->tmpl, p->in->part);
    p->is_script = p->is_main = false;
    if (!p->main) return err_set(e, ERR_SPEC, "the pod has no container '%.*s'", STR_ARG(p->in->part));
    const struct val *mirror = val_get(p->main, STR("mirrorVolumeMounts"));
    p->mirrors = mirror && mirror->kind == VAL_BOOL && mirror->b;
    return true;
}

/* Which container it is about; false: there is none. */
static bool choose_main(struct pod *p, struct err *e)
{
    const struct pod_input *in = p->in;
    p->main = val_get(in->tmpl, STR("script"));
    p->is_script = p->main != NULL;
    if (!p->main) p->main = val_get(in->tmpl, STR("container"));
    p->is_main = !in->container.p || str_is(in->container, "main");
    if (in->container.p) p->main = set_container(in);
    if (in->part.p) return p->patched ? choose_part(p, e) : true; /* patches are about the main container, too */
    return p->main || err_set(e, ERR_SPEC, "the set has no container '%.*s'", STR_ARG(in->container));
}

bool pod_build(struct arena *a, const struct pod_input *given, struct pod_plan *out, struct err *e)
{
    struct pod_input in = *given;
    struct pod p = {.a = a, .in = &in, .as_given = given->tmpl};
    memset(out, 0, sizeof *out);
    step_spec_init(&out->spec);
    p.work_dir = step_work_path(a, in.state_dir, in.step_id);
    bool ok = choose_main(&p, e) && pod_patch(&p, &in, e);
    p.patched = true;
    if (!ok || !choose_main(&p, e)) return false;
    ok = probes_check(&p, e) && choose_image(&p, e) && pod_user(&p, e) && pod_security(&p, &out->spec, e) && pod_names(&p, &out->spec, e) &&
         pod_env(&p, e) && pod_command(&p, e) &&
         work_dir_ok(&p, e) && pod_volumes(&p, e) && inputs(&p, e) && outputs(&p, e);
    pod_env_defaults(&p);
    devices(&p);
    if (ok) image_parts(&p);
    finish(&p, out);
    ok = ok && (p.in->collect || pod_limits(p.main, shared_resources(&p), &out->spec.limits, e));
    if (ok && p.overflow)
        return err_set(e, ERR_LIMIT, "with $(NAME) replaced an argument or variable has more than "
                       "LIMIT_STEP_WORD_BYTES (%d) bytes", LIMIT_STEP_WORD_BYTES);
    return ok && words_fit(&out->spec.argv, "an argument", e) && words_fit(&out->spec.env, "an environment variable", e) &&
           (in.engine_image || step_spec_check(&out->spec, e));
}
