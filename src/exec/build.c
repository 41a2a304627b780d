/* From a job to what its supervisor gets: inputs looked up, the plan made, host directories ready. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doc/json.h"
#include "os/dir.h"
#include "exec/exec_p.h"

/* ---- input artifacts ---- */

static bool from_repository(struct job *j, const struct val *art, struct pod_artifact *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct artifact_row row;
    struct artifact_place place;
    struct str key = val_text(val_path(art, "s3.key"));
    struct str sub = STR_NONE;
    struct str ns = run_namespace(j->live->run);
    if (val_path(art, "s3.bucket") || val_path(art, "s3.endpoint"))
        return err_set(e, ERR_UNSUPPORTED, "an own S3 location is not supported by this version of Skiff");
    /* a key below a stored tree names a part of it */
    for (size_t n = key.n; n; n--) {
        if (n < key.n && key.p[n] != '/') continue;
        if (!store_artifact_get(&x->scratch, x->store, ns, str_sub(key, 0, n), &row, e)) continue;
        if (n < key.n) sub = str_from(key, n + 1);
        struct artifact_ref ref = {.id = row.content, .subpath = sub};
        if (!artifact_path(&x->scratch, x->repo, &ref, &place, e)) return false;
        out->source = place.path;
        return true;
    }
    return err_set(e, ERR_NOT_FOUND, "no artifact has the key '%.*s'", STR_ARG(key));
}

static bool input_one(struct job *j, const struct val *art, struct pod_artifact *out, struct err *e)
{
    const struct val *raw = val_get(art, STR("raw")), *mode = val_get(art, STR("mode"));
    *out = (struct pod_artifact){.name = val_get_str(art, "name"), .path = val_get_str(art, "path"), .mode = -1};
    if (mode) val_i64(mode, &out->mode);
    if (raw) {
        out->content = val_get_str(raw, "data");
        if (!out->content.p) out->content = STR("");
        return true;
    }
    if (val_get(art, STR("s3"))) return from_repository(j, art, out, e);
    return err_set(e, ERR_UNSUPPORTED, "this kind of artifact location is not supported by this version of Skiff");
}

static bool inputs(struct job *j, struct pod_input *in, struct err *e)
{
    struct exec *x = j->live->x;
    struct val decided;
    if (!node_inputs(j->node).n) return true;
    if (!json_parse(&x->scratch, node_inputs(j->node), NULL, &decided, e)) return false;
    const struct val *arts = val_get(&decided, STR("artifacts"));
    struct pod_artifact *list = ARENA_ARRAY(&x->scratch, struct pod_artifact, arts ? arts->n + 1 : 1);
    for (uint32_t i = 0; arts && i < arts->n; i++) {
        const struct val *optional = val_get(&arts->items[i], STR("optional"));
        bool may_miss = optional && optional->kind == VAL_BOOL && optional->b;
        if (input_one(j, &arts->items[i], &list[in->n_artifacts], e)) in->n_artifacts++;
        else if (!may_miss || e->code != ERR_NOT_FOUND)
            return err_ctx(e, "input artifact '%.*s'", STR_ARG(val_get_str(&arts->items[i], "name")));
    }
    in->artifacts = list;
    return true;
}

struct str pod_dir_path(struct arena *a, const struct active *l, struct node *n)
{
    return str_fmt(a, "%.*s/pods/%.*s/%u", STR_ARG(l->x->o.state_dir), STR_ARG(run_uid(l->run)), node_index(node_pod(n)));
}

bool job_plan(struct job *j, struct pod_plan *plan, struct err *e)
{
    struct active *l = j->live;
    struct exec *x = l->x;
    struct arena *a = &x->scratch;
    const struct val *tmpl = node_template(l->run, j->node, e);
    if (!tmpl) return false;
    const struct val *workflow = node_workflow(l->run, j->node, e);
    if (!workflow) return false;
    struct str container = node_container(j->node);
    bool set = container.p || val_get(tmpl, STR("containerSet"));
    struct pod_input in = {
        .tmpl = tmpl,
        .workflow = workflow,
        .container = set && !container.p ? STR("main") : container,
        .collect = set && !container.p,
        .pod_dir = set ? pod_dir_path(a, l, j->node) : STR_NONE,
        .node_id = node_id_text(a, l->run, node_pod(j->node)),
        .node_name = node_name(node_pod(j->node)),
        .pod_name = node_pod_name(a, l->run, j->node),
        .step_id = (uint64_t)j->id,
        .tier = x->tier,
        .state_dir = x->o.state_dir,
        .images = x->images,
        .image_fallback_host = config_is(x->o.config, CONFIG_IMAGE_FALLBACK, "host"),
        .capture_result = node_captures_result(j->node) && !(set && !container.p),
        .lookup = pod_lookup_of(l),
        .grace_ms = (uint32_t)config_int(x->o.config, CONFIG_GRACE) * 1000,
    };
    return inputs(j, &in, e) && pod_build(a, &in, plan, e);
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

bool plan_prepare(struct exec *x, const struct pod_plan *plan, struct err *e)
{
    struct arena *a = &x->scratch;
    struct stat st;
    for (size_t i = 0; i < plan->make_dirs.n; i++) {
        const char *path = str_z(a, plan->make_dirs.items[i]);
        if (stat(path, &st) == 0) continue;
        if (!dir_make_all(path, 0755, e)) return false;
        if (chmod(path, 0777) < 0) return err_sys(e, "directory '%s'", path);
    }
    for (size_t i = 0; i < plan->links.n; i++)
        if (!link_make(&plan->links.items[i], e)) return false;
    return true;
}
