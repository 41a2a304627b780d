/* See container.h: the request that makes the container, and the step that makes the request. */
#include "pod/container.h"

#include "base/limits.h"
#include "base/vec.h"
#include "doc/json_write.h"

struct wrap {
    struct arena *a;
    struct pod_plan *plan;
    const struct pod_container *how;
    struct val_builder mounts, tmpfs, places, fetch;
    struct val all_mounts, all_tmpfs, all_places, all_fetch; /* the same, when they are complete */
    VEC(struct step_file) files;
    VEC(struct str) writable, dirs;
    VEC(struct step_input) inputs;
    VEC(struct step_output) params, artifacts;
};

static struct str work_path(struct wrap *w, const char *what, size_t i)
{
    return str_fmt(w->a, "%.*s/%s/%zu", STR_ARG(w->how->work_dir), what, i);
}

static bool lies_in(struct str path, struct str dir)
{
    while (dir.n && dir.p[dir.n - 1] == '/') dir.n--;
    return path.n > dir.n && str_starts(path, dir) && path.p[dir.n] == '/';
}

/* ---- mounts ---- */

/* Where it lies is told apart from how the engine is asked for it. */
static void place(struct wrap *w, struct str top, struct str path, struct str target)
{
    struct val_builder b;
    map_begin(&b, w->a);
    map_add_str(&b, "target", target);
    map_add_str(&b, "top", top);
    map_add_str(&b, "path", path.n ? path : STR_NONE);
    list_add(&w->places, map_done(&b));
}

static void mount(struct wrap *w, struct str source, struct str target, bool read_only)
{
    struct val_builder b;
    map_begin(&b, w->a);
    map_add_str(&b, "Type", STR("bind"));
    map_add_str(&b, "Source", source);
    map_add_str(&b, "Target", target);
    map_add(&b, STR("ReadOnly"), val_of_bool(read_only));
    list_add(&w->mounts, map_done(&b));
}

static void own_mount(struct wrap *w, struct str source, struct str target)
{
    place(w, source, STR_NONE, target);
    mount(w, source, target, false);
}

/* The engine follows links at a source, and steps may have made some below a volume: skiff-container looks first. */
static void volume(struct wrap *w, const struct step_bind *v)
{
    struct str source = v->source;
    if (v->sub_path.n) source = str_fmt(w->a, "%.*s/%.*s", STR_ARG(v->source), STR_ARG(v->sub_path));
    place(w, v->source, v->sub_path, v->target);
    mount(w, source, v->target, v->read_only);
}

/* Which of the volumes made of files the path lies in: the innermost; -1: none. */
static ptrdiff_t files_dir_of(const struct wrap *w, struct str path)
{
    const struct step_strs *dirs = &w->plan->file_dirs;
    ptrdiff_t best = -1;
    for (size_t i = 0; i < dirs->n; i++)
        if (lies_in(path, dirs->items[i]) && (best < 0 || dirs->items[i].n > dirs->items[best].n)) best = (ptrdiff_t)i;
    return best;
}

static void files_dirs(struct wrap *w)
{
    const struct step_strs *dirs = &w->plan->file_dirs;
    for (size_t i = 0; i < dirs->n; i++) {
        bool known = false; /* of a projected volume */
        for (size_t k = 0; k < i; k++) known |= str_eq(dirs->items[k], dirs->items[i]);
        if (known) continue;
        VEC_PUSH(&w->writable, work_path(w, "mounts", i));
        own_mount(w, work_path(w, "mounts", i), dirs->items[i]);
    }
}

static void file(struct wrap *w, const struct step_file *f)
{
    struct step_file mine = *f;
    ptrdiff_t dir = files_dir_of(w, f->path);
    if (dir >= 0) {
        struct str top = work_path(w, "mounts", (size_t)dir), rest = str_from(f->path, w->plan->file_dirs.items[dir].n);
        while (rest.n && rest.p[0] == '/') rest = str_from(rest, 1);
        mine.path = str_fmt(w->a, "%.*s/%.*s", STR_ARG(top), STR_ARG(rest));
    } else {
        mine.path = work_path(w, "files", w->files.n);
        own_mount(w, mine.path, f->path);
    }
    VEC_PUSH(&w->files, mine);
}

/* It is mounted over what it lies in. In a volume that outlives the pod others would miss it. */
static bool input(struct wrap *w, const struct step_input *in, struct err *e)
{
    const struct step_spec *s = &w->plan->spec;
    struct step_input mine = *in;
    for (size_t i = 0; i < s->binds.n; i++) {
        struct str source = s->binds.items[i].source;
        bool of_pod = lies_in(source, w->how->work_dir) || (w->how->pod_dir.n && lies_in(source, w->how->pod_dir));
        if (lies_in(in->target, s->binds.items[i].target) && !of_pod)
            return err_set(e, ERR_UNSUPPORTED, "input artifact %.*s: a path in a volume that is no emptyDir is not supported by "
                           "--runtime=container", STR_ARG(in->target));
    }
    mine.target = in->shared.p ? str_fmt(w->a, "%.*s/copy", STR_ARG(in->shared)) : work_path(w, "inputs", w->inputs.n);
    own_mount(w, mine.target, in->target);
    VEC_PUSH(&w->inputs, mine);
    return true;
}

static bool memory(struct wrap *w, const struct step_tmpfs *t, struct err *e)
{
    const struct step_spec *s = &w->plan->spec;
    for (size_t i = 0; i < s->params.n + s->artifacts.n; i++) {
        const struct step_output *o = i < s->params.n ? &s->params.items[i] : &s->artifacts.items[i - s->params.n];
        if (lies_in(o->path, t->path) || str_eq(o->path, t->path))
            return err_set(e, ERR_UNSUPPORTED, "output '%.*s': emptyDir.medium Memory is gone when the container has ended: not supported by "
                           "--runtime=container", STR_ARG(o->name));
    }
    struct str words = str_fmt(w->a, "%s,mode=1777", t->read_only ? "ro" : "rw");
    if (t->size) words = str_fmt(w->a, "%.*s,size=%llu", STR_ARG(words), (unsigned long long)t->size);
    map_set(&w->tmpfs, t->path, val_of_str(words));
    place(w, STR_NONE, STR_NONE, t->path);
    return true;
}

/* The directory of the file in which the step says how far it is: the supervisor watches it from outside. */
static void progress(struct wrap *w, struct str path)
{
    size_t slash = path.n;
    while (slash > 1 && path.p[slash - 1] != '/') slash--;
    struct str dir = str_fmt(w->a, "%.*s/progress", STR_ARG(w->how->work_dir));
    own_mount(w, dir, str_dup(w->a, str_sub(path, 0, slash - 1)));
    VEC_PUSH(&w->dirs, dir); /* whoever the container runs as may write there */
}

static void output(struct wrap *w, const struct step_output *o, const char *what, size_t i, struct step_output *mine)
{
    struct val_builder b;
    *mine = *o;
    mine->path = work_path(w, what, i);
    map_begin(&b, w->a);
    map_add_str(&b, "path", o->path);
    map_add_str(&b, "to", mine->path);
    list_add(&w->fetch, map_done(&b));
}

static bool each_mount(struct wrap *w, struct err *e)
{
    const struct step_spec *s = &w->plan->spec;
    struct step_output o;
    for (size_t i = 0; i < s->binds.n; i++) volume(w, &s->binds.items[i]);
    files_dirs(w);
    for (size_t i = 0; i < s->files.n; i++) file(w, &s->files.items[i]);
    for (size_t i = 0; i < s->inputs.n; i++)
        if (!input(w, &s->inputs.items[i], e)) return false;
    for (size_t i = 0; i < s->tmpfs.n; i++)
        if (!memory(w, &s->tmpfs.items[i], e)) return false;
    if (s->progress.n) progress(w, s->progress);
    for (size_t i = 0; i < s->params.n; i++) {
        output(w, &s->params.items[i], "params", i, &o);
        VEC_PUSH(&w->params, o);
    }
    for (size_t i = 0; i < s->artifacts.n; i++) {
        output(w, &s->artifacts.items[i], "artifacts", i, &o);
        VEC_PUSH(&w->artifacts, o);
    }
    return true;
}

static bool mounts(struct wrap *w, struct err *e)
{
    list_begin(&w->mounts, w->a);
    list_begin(&w->places, w->a);
    list_begin(&w->fetch, w->a);
    map_begin(&w->tmpfs, w->a);
    bool ok = each_mount(w, e);
    w->all_mounts = list_done(&w->mounts);
    w->all_places = list_done(&w->places);
    w->all_fetch = list_done(&w->fetch);
    w->all_tmpfs = map_done(&w->tmpfs);
    return ok;
}

/* ---- limits and rights ---- */

static bool known_resources(const struct val *list, const char *which, struct err *e)
{
    for (uint32_t i = 0; list && list->kind == VAL_MAP && i < list->n; i++)
        if (!str_is(list->map[i].key, "cpu") && !str_is(list->map[i].key, "memory"))
            return err_set(e, ERR_UNSUPPORTED, "resources.%s: %.*s is not supported by --runtime=container", which, STR_ARG(list->map[i].key));
    return true;
}

static bool resources(struct wrap *w, struct val_builder *host, struct err *e)
{
    const struct val *limits = val_path(w->plan->container, "resources.limits"), *requests = val_path(w->plan->container, "resources.requests");
    const struct step_limits *l = &w->plan->spec.limits;
    struct str text = val_text(val_get(requests, STR("memory")));
    int64_t reserved = 0;
    if (!known_resources(limits, "limits", e) || !known_resources(requests, "requests", e)) return false;
    if (text.n) pod_quantity(POD_MEMORY, text, &reserved); /* pod_limits has looked at it */
    if (l->cpu_milli) map_add(host, STR("NanoCpus"), val_of_i64(w->a, (int64_t)MIN(l->cpu_milli, (uint64_t)INT64_MAX / 1000000) * 1000000));
    if (l->memory_bytes) map_add(host, STR("Memory"), val_of_i64(w->a, (int64_t)l->memory_bytes));
    if (l->memory_bytes) map_add(host, STR("MemorySwap"), val_of_i64(w->a, (int64_t)l->memory_bytes)); /* no swap besides, as in a pod */
    if (l->share_milli) map_add(host, STR("CpuShares"), val_of_i64(w->a, (int64_t)MAX(MIN(l->share_milli, 256000u) * 1024 / 1000, 2u)));
    if (reserved) map_add(host, STR("MemoryReservation"), val_of_i64(w->a, reserved));
    if (w->how->max_processes) map_add(host, STR("PidsLimit"), val_of_i64(w->a, (int64_t)w->how->max_processes));
    return true;
}

static void copy_list(struct val_builder *host, const char *as, const struct val *list)
{
    if (list && list->kind == VAL_LIST && list->n) map_add(host, str_of(as), *list);
}

/* As texts. */
static struct val numbers(struct arena *a, const int64_t *items, size_t n)
{
    struct val_builder b;
    list_begin(&b, a);
    for (size_t i = 0; i < n; i++) list_add(&b, val_of_str(str_fmt(a, "%lld", (long long)items[i])));
    return list_done(&b);
}

static bool is_true(const struct val *v) { return v && v->kind == VAL_BOOL && v->b; }

static bool rights(struct wrap *w, struct val_builder *host, struct str *user, struct err *e)
{
    static const char *const others[] = {"seLinuxOptions", "windowsOptions", "seccompProfile", "appArmorProfile", "procMount"};
    const struct val *sec = val_get(w->plan->container, STR("securityContext")), *gain = val_get(sec, STR("allowPrivilegeEscalation"));
    const struct step_spec *s = &w->plan->spec;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (val_get(sec, str_of(others[i])))
            return err_set(e, ERR_UNSUPPORTED, "securityContext.%s is not supported by --runtime=container", others[i]);
    if (s->gid >= 0 && s->uid < 0)
        return err_set(e, ERR_UNSUPPORTED, "securityContext.runAsGroup without runAsUser is not supported by --runtime=container");
    if (s->uid >= 0) *user = str_fmt(w->a, s->gid >= 0 ? "%lld:%lld" : "%lld", (long long)s->uid, (long long)s->gid);
    if (is_true(val_get(sec, STR("privileged")))) map_add(host, STR("Privileged"), val_of_bool(true));
    if (is_true(val_get(sec, STR("readOnlyRootFilesystem")))) map_add(host, STR("ReadonlyRootfs"), val_of_bool(true));
    struct val more = numbers(w->a, s->groups.items, s->groups.n);
    copy_list(host, "GroupAdd", &more);
    copy_list(host, "CapAdd", val_path(sec, "capabilities.add"));
    copy_list(host, "CapDrop", val_path(sec, "capabilities.drop"));
    if (!gain || is_true(gain)) return true;
    struct val_builder b;
    list_begin(&b, w->a);
    list_add(&b, val_of_str(STR("no-new-privileges")));
    map_add(host, STR("SecurityOpt"), list_done(&b));
    return true;
}

/* A probe or hook that is made from here. */
static bool is_asked_from_here(const struct val *container)
{
    static const char *const fields[] = {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle.postStart", "lifecycle.preStop"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct val *probe = val_path(container, fields[i]);
        if (probe && !val_get(probe, STR("exec")) && !val_get(probe, STR("sleep"))) return true;
    }
    return false;
}

static bool network(struct wrap *w, struct val_builder *host, struct err *e)
{
    const struct val *aliases = val_get(&w->plan->pod, STR("hostAliases")), *names;
    struct val_builder b;
    if ((w->how->several || is_asked_from_here(w->plan->container)) && !str_is(w->how->network, "host"))
        return err_set(e, ERR_UNSUPPORTED, "sidecars, initContainers, a containerSet, a daemon, probes and hooks over the network need "
                       "container.network = host: others have no way to a container in network '%.*s'", STR_ARG(w->how->network));
    map_add_str(host, "NetworkMode", w->how->network);
    list_begin(&b, w->a);
    for (uint32_t i = 0; aliases && aliases->kind == VAL_LIST && i < aliases->n; i++) {
        names = val_get(&aliases->items[i], STR("hostnames"));
        for (uint32_t k = 0; names && names->kind == VAL_LIST && k < names->n; k++)
            list_add(&b, val_of_str(str_fmt(w->a, "%.*s:%.*s", STR_ARG(val_text(&names->items[k])),
                                            STR_ARG(val_get_str(&aliases->items[i], "ip")))));
    }
    struct val list = list_done(&b);
    copy_list(host, "ExtraHosts", &list);
    return true;
}

/* ---- the request ---- */

static struct val strings(struct arena *a, const struct str *items, size_t n)
{
    struct val_builder b;
    list_begin(&b, a);
    for (size_t i = 0; i < n; i++) list_add(&b, val_of_str(items[i]));
    return list_done(&b);
}

static struct val labels(struct wrap *w)
{
    struct val_builder b;
    map_begin(&b, w->a);
    map_add_str(&b, "io.skiff.step", str_fmt(w->a, "%llu", (unsigned long long)w->plan->spec.id));
    map_add_str(&b, "io.skiff.run", w->how->run);
    map_add_str(&b, "io.skiff.node", w->how->node);
    return map_done(&b);
}

/* What it prints is kept by Skiff, and not by the engine once more. */
static bool host_config(struct wrap *w, struct str *user, struct val *out, struct err *e)
{
    struct val_builder b, log;
    map_begin(&log, w->a);
    map_add_str(&log, "Type", STR("none"));
    map_begin(&b, w->a);
    map_add(&b, STR("LogConfig"), map_done(&log));
    bool ok = network(w, &b, e) && resources(w, &b, e) && rights(w, &b, user, e);
    map_add(&b, STR("Mounts"), w->all_mounts);
    map_add(&b, STR("Tmpfs"), w->all_tmpfs);
    *out = map_done(&b);
    return ok;
}

static bool create(struct wrap *w, struct val *out, struct err *e)
{
    const struct step_spec *s = &w->plan->spec;
    size_t own = w->plan->n_command;
    struct str user = STR_NONE;
    struct val_builder b;
    struct val host;
    if (!host_config(w, &user, &host, e)) return false;
    map_begin(&b, w->a);
    map_add_str(&b, "Image", val_get_str(w->plan->container, "image"));
    if (own) map_add(&b, STR("Entrypoint"), strings(w->a, s->argv.items, own));
    if (s->argv.n > own) map_add(&b, STR("Cmd"), strings(w->a, s->argv.items + own, s->argv.n - own));
    map_add(&b, STR("Env"), strings(w->a, s->env.items, s->env.n));
    if (s->cwd.n) map_add_str(&b, "WorkingDir", s->cwd);
    map_add_str(&b, "User", user);
    map_add_str(&b, "Hostname", s->hostname.n ? s->hostname : str_sub(w->how->pod_name, 0, 63));
    map_add(&b, STR("Labels"), labels(w));
    map_add(&b, STR("AttachStdout"), val_of_bool(true));
    map_add(&b, STR("AttachStderr"), val_of_bool(true));
    map_add(&b, STR("HostConfig"), host);
    *out = map_done(&b);
    return true;
}

static bool job_text(struct wrap *w, struct str *out, struct err *e)
{
    const struct pod_container *how = w->how;
    struct val_builder b;
    struct val request;
    if (!create(w, &request, e)) return false;
    map_begin(&b, w->a);
    map_add_str(&b, "mark", str_fmt(w->a, "%.*s/" POD_CONTAINER_MARK, STR_ARG(how->work_dir)));
    map_add_str(&b, "begun", str_fmt(w->a, "%.*s/" POD_CONTAINER_BEGUN, STR_ARG(how->work_dir)));
    map_add_str(&b, "said", str_fmt(w->a, "%.*s/" POD_CONTAINER_END, STR_ARG(how->work_dir)));
    map_add_str(&b, "image", val_get_str(w->plan->container, "image"));
    map_add_str(&b, "policy", val_get_str(w->plan->container, "imagePullPolicy"));
    map_add_str(&b, "platform", how->platform);
    map_add_str(&b, "auth_file", how->auth_file);
    map_add(&b, STR("grace_s"), val_of_i64(w->a, (w->plan->spec.grace_ms + 999) / 1000));
    map_add(&b, STR("start"), val_of_bool(!how->collect));
    map_add(&b, STR("create"), request);
    map_add(&b, STR("mounts"), w->all_places);
    map_add(&b, STR("outputs"), w->all_fetch);
    struct val all = map_done(&b);
    *out = json_text(w->a, &all);
    return true;
}

/* ---- the step ---- */

static void own_file(struct wrap *w, const char *name, struct str content)
{
    struct str path = str_fmt(w->a, "%.*s/%s", STR_ARG(w->how->work_dir), name);
    VEC_PUSH(&w->files, ((struct step_file){.path = path, .content = content, .mode = 0600}));
}

static struct str mark_text(struct wrap *w)
{
    struct val_builder b;
    map_begin(&b, w->a);
    map_add_str(&b, "socket", w->how->socket);
    map_add_str(&b, "name", w->how->name);
    map_add_str(&b, "step", str_fmt(w->a, "%llu", (unsigned long long)w->plan->spec.id));
    struct val all = map_done(&b);
    return json_text(w->a, &all);
}

#define MOVE(w, to, from)                                                                          \
    do {                                                                                           \
        (to).n = (from).n;                                                                         \
        (to).items = arena_alloc((w)->a, ((from).n + 1) * sizeof *(from).items);                   \
        if ((from).n) memcpy((to).items, (from).items, (from).n * sizeof *(from).items);           \
        VEC_FINI(&(from));                                                                         \
    } while (0)

static void step(struct wrap *w, struct step_spec *out)
{
    const struct step_spec *s = &w->plan->spec;
    struct str job = str_fmt(w->a, "%.*s/" POD_CONTAINER_JOB, STR_ARG(w->how->work_dir));
    struct str words[] = {w->how->program, STR("run"), job};
    step_spec_init(out);
    out->id = s->id;
    out->tier = STEP_TIER_NONE;
    out->argv = (struct step_strs){arena_alloc(w->a, sizeof words), ARRAY_LEN(words)};
    memcpy(out->argv.items, words, sizeof words);
    out->env = w->how->env;
    out->masks = s->masks;
    out->grace_ms = s->grace_ms + POD_CONTAINER_MARGIN_MS;
    out->log_max_bytes = s->log_max_bytes;
    out->capture_result = s->capture_result;
    out->probed = true; /* at least when its container begins is asked */
    out->fsync_result = s->fsync_result;
    if (s->progress.n) out->progress = str_fmt(w->a, "%.*s/progress/progress", STR_ARG(w->how->work_dir));
    MOVE(w, out->files, w->files);
    MOVE(w, out->writable, w->writable);
    MOVE(w, out->inputs, w->inputs);
    MOVE(w, out->params, w->params);
    MOVE(w, out->artifacts, w->artifacts);
}

bool pod_container(struct arena *a, struct pod_plan *plan, const struct pod_container *how, struct err *e)
{
    struct wrap w = {.a = a, .plan = plan, .how = how};
    struct step_spec out;
    struct str text = STR_NONE;
    bool ok = mounts(&w, e);
    for (size_t i = 0; i < plan->make_dirs.n; i++) VEC_PUSH(&w.dirs, plan->make_dirs.items[i]);
    if (ok) own_file(&w, POD_CONTAINER_MARK, mark_text(&w));
    ok = ok && job_text(&w, &text, e);
    if (ok) own_file(&w, POD_CONTAINER_JOB, text);
    step(&w, &out);
    plan->spec = out;
    MOVE(&w, plan->make_dirs, w.dirs);
    return ok && step_spec_check(&plan->spec, e);
}
