/* From a job to what its supervisor gets: inputs looked up, the plan made, host directories ready. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doc/json.h"
#include "os/dir.h"
#include "exec/exec_p.h"

/* ---- input artifacts ---- */

/* It was fetched before the job was queued, unless there is no such file and it is optional. */
static bool fetched(struct job *j, struct pod_artifact *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct artifact_row row;
    struct artifact_place place;
    if (x->plain) { /* refused by its tier: nothing was fetched */
        out->content = STR("");
        return true;
    }
    struct str key = transfer_key(&x->scratch, j, out->name);
    if (!store_artifact_get(&x->scratch, x->store, run_namespace(j->live->run), key, &row, e)) return false;
    struct artifact_ref ref = {.id = row.content};
    if (!artifact_path(&x->scratch, x->repo, &ref, &place, e)) return false;
    out->source = place.path; /* it has its mode already */
    out->bytes = (uint64_t)MAX(row.size_bytes, 1);
    return true;
}

/* Its entry is the last of `to`; one that is many takes the place of it. */
static bool input_one(struct job *j, const struct val *art, struct inputs *to, struct err *e)
{
    const struct val *raw = val_get(art, STR("raw")), *mode = val_get(art, STR("mode"));
    VEC_PUSH(to, ((struct pod_artifact){.name = val_get_str(art, "name"), .path = val_get_str(art, "path"), .mode = -1}));
    struct pod_artifact *out = &to->items[to->n - 1];
    if (mode) val_i64(mode, &out->mode);
    if (raw) {
        out->content = val_get_str(raw, "data");
        if (!out->content.p) out->content = STR("");
        return true;
    }
    if (val_get(art, STR("s3"))) return input_from_repository(j, art, to, e);
    if (place_is_remote(art)) return fetched(j, out, e);
    return err_set(e, ERR_UNSUPPORTED, "this kind of artifact location is not supported by this version of Skiff");
}

bool input_single(struct job *j, const struct val *art, struct pod_artifact *out, struct err *e)
{
    struct inputs all = {0};
    bool ok = input_one(j, art, &all, e) && (all.n == 1 || err_set(e, ERR_SPEC, "the key means several artifacts"));
    if (ok) *out = all.items[0];
    VEC_FINI(&all);
    return ok;
}

static bool inputs_add(struct job *j, const struct val *arts, struct inputs *to, struct err *e)
{
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        const struct val *optional = val_get(&arts->items[i], STR("optional"));
        bool may_miss = optional && optional->kind == VAL_BOOL && optional->b;
        size_t before = to->n;
        if (input_one(j, &arts->items[i], to, e)) continue;
        if (!may_miss || e->code != ERR_NOT_FOUND)
            return err_ctx(e, "input artifact '%.*s'", STR_ARG(val_get_str(&arts->items[i], "name"))), false;
        to->n = before;
    }
    return true;
}

static bool inputs(struct job *j, struct pod_input *in, struct err *e)
{
    struct exec *x = j->live->x;
    struct val decided;
    struct inputs all = {0};
    if (!node_inputs(j->node).n || !job_has_inputs(j)) return true;
    if (!json_parse(&x->scratch, node_inputs(j->node), NULL, &decided, e)) return false;
    bool ok = inputs_add(j, val_get(&decided, STR("artifacts")), &all, e);
    struct pod_artifact *list = ARENA_ARRAY(&x->scratch, struct pod_artifact, all.n + 1);
    if (all.n) memcpy(list, all.items, all.n * sizeof *list);
    in->artifacts = list;
    in->n_artifacts = all.n;
    VEC_FINI(&all);
    return ok;
}

bool job_has_inputs(const struct job *j)
{
    struct err e;
    if (!j->part) return true;
    const struct val *tmpl = node_pod_template(j->live->run, j->node, &e), *mine = pod_part(tmpl, node_part_name(j->node, j->part));
    const struct val *mirror = val_get(mine, STR("mirrorVolumeMounts"));
    return mirror && mirror->kind == VAL_BOOL && mirror->b;
}

struct str pod_dir_path(struct arena *a, const struct active *l, struct node *n)
{
    return str_fmt(a, "%.*s/pods/%.*s/%u", STR_ARG(l->x->o.state_dir), STR_ARG(run_uid(l->run)), node_index(node_pod(n)));
}

bool job_plan(struct job *j, const struct pod_network *net, struct pod_plan *plan, struct err *e)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct arena *a = &x->scratch;
    const struct val *tmpl = node_template(l->run, j->node, e);
    if (!tmpl) return false;
    const struct val *workflow = node_workflow(l->run, j->node, e);
    if (!workflow) return false;
    struct str container = node_container(j->node);
    bool set = container.p || val_get(tmpl, STR("containerSet")), several = set || node_parts(j->node);
    bool collect = set && !container.p && !j->part;
    struct pod_input in = {
        .tmpl = tmpl,
        .workflow = workflow,
        .container = collect ? STR("main") : container,
        .collect = collect,
        .part = node_part_name(j->node, j->part),
        .pod_dir = several ? pod_dir_path(a, l, j->node) : STR_NONE,
        .node_id = node_id_text(a, l->run, node_pod(j->node)),
        .node_name = node_name(node_pod(j->node)),
        .on_exit = node_in_exit(j->node),
        .pod_name = node_pod_name(a, l->run, j->node),
        .cpus = x->cpus,
        .ram_bytes = x->ram_bytes,
        .private_net = net != NULL,
        .address = net ? str_of(net->address) : STR_NONE,
        .host_address = net && net->address[0] ? subnet_address(a, &x->subnet, 1) : STR_NONE,
        .hosts = x->hosts,
        .resolv = x->resolv,
        .step_id = (uint64_t)j->id,
        .tier = x->tier,
        .state_dir = x->o.state_dir,
        .images = {job_image, j},
        .one_user = x->one_user,
        .capture_result = !j->part && node_captures_result(j->node) && !collect,
        .engine_image = x->containers != NULL,
        .lookup = pod_lookup_of(l),
        .grace_ms = (uint32_t)config_int(x->o.config, CONFIG_GRACE) * 1000,
        .log_max_bytes = (uint64_t)MIN(MAX(config_int(x->o.config, CONFIG_LOG_MAX), 0), INT32_MAX) << 20,
    };
    return inputs(j, &in, e) && budget_devices(j, in.devices, e) && pod_build(a, &in, plan, e) &&
           (!x->containers || container_plan(j, &in, plan, e));
}

/* ---- what must be there before the start ---- */

static bool link_make(const struct step_bind *link, struct err *e)
{
    char now[4096];
    ssize_t n = readlink(link->target.p, now, sizeof now);
    if (n >= 0 && str_eq(str_n(now, (size_t)n), link->source)) return true;
    if (n >= 0) unlink(link->target.p);
    if (symlink(link->source.p, link->target.p) == 0 || errno == EEXIST) return true;
    return err_sys(e, "link '%s'", link->target.p);
}

static bool file_make(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) close(fd);
    return fd >= 0 || err_sys(e, "file '%s'", path);
}

/* As a kubelet looks at it (pkg/volume/hostpath): links are followed, and only the last part is made. */
static bool host_path_check(struct arena *a, const struct pod_host_path *h, struct err *e)
{
    static const struct { const char *type, *make_type, *what; mode_t kind; } rows[] = {
        {"Directory", "DirectoryOrCreate", "directory", S_IFDIR}, {"File", "FileOrCreate", "file", S_IFREG},
        {"Socket", "", "socket file", S_IFSOCK}, {"CharDevice", "", "character device", S_IFCHR},
        {"BlockDevice", "", "block device", S_IFBLK}};
    const char *path = str_z(a, h->path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stat st;
        bool make = strcmp(h->type, rows[i].make_type) == 0;
        if (!make && strcmp(h->type, rows[i].type) != 0) continue;
        bool there = stat(path, &st) == 0;
        if (!there && make && rows[i].kind == S_IFDIR) return dir_make_all(path, 0755, e);
        if (!there && make) return file_make(path, e);
        if (there && (st.st_mode & S_IFMT) == rows[i].kind) return true;
        return err_set(e, ERR_SPEC, "hostPath type check failed: %s is not a %s", path, rows[i].what);
    }
    return true;
}

bool plan_prepare(struct exec *x, const struct pod_plan *plan, struct err *e)
{
    struct arena *a = &x->scratch;
    struct stat st;
    for (size_t i = 0; i < plan->make_dirs.n; i++) {
        const char *path = str_z(a, plan->make_dirs.items[i]);
        if (stat(path, &st) == 0) continue;
        if (!dir_make_all(path, 0755, e)) return false;
        bool shared = plan->dirs_gid >= 0;
        if (shared && chown(path, (uid_t)-1, (gid_t)plan->dirs_gid) < 0) return err_sys(e, "group of '%s'", path);
        if (chmod(path, shared ? 02777 : 0777) < 0) return err_sys(e, "directory '%s'", path);
    }
    for (size_t i = 0; i < plan->host_paths.n; i++)
        if (!host_path_check(a, &plan->host_paths.items[i], e)) return false;
    for (size_t i = 0; i < plan->links.n; i++)
        if (!link_make(&plan->links.items[i], e)) return false;
    return true;
}
