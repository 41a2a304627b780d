/* Volumes on one machine: emptyDir is a directory of the step, a claim one of the state directory,
 * ConfigMaps and Secrets are files, hostPath is what it says. */
#include "lang/quantity.h"
#include "pod/pod_p.h"

struct mount {
    struct str path, sub_path;
    bool read_only;
    struct str volume;
};

const struct val *pod_volume_named(const struct val *list, struct str name)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

/* A name from a document that becomes part of a host path. */
static bool safe_part(struct str s)
{
    return s.n && s.n < 256 && s.p[0] != '.' && str_find_char(s, '/', 0) < 0;
}

bool pod_has_backstep(struct str path)
{
    struct str part, rest = path;
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (str_is(part, "..")) return true;
    }
    return false;
}

static bool safe_sub_path(struct str s) { return !(s.n && s.p[0] == '/') && !pod_has_backstep(s); }

static void bind(struct pod *p, const struct mount *m, struct str source)
{
    VEC_PUSH(&p->binds, ((struct step_bind){.source = source, .sub_path = m->sub_path, .target = m->path, .read_only = m->read_only}));
}

/* A directory of ours on the host, made before the start. What is at a subPath of it steps may have replaced by
 * a link, so it is never part of a path here: the supervisor finds or makes it, beneath the volume. */
static void own_dir(struct pod *p, const struct mount *m, struct str dir)
{
    VEC_PUSH(&p->dirs, dir);
    bind(p, m, dir);
}

static uint32_t file_mode(const struct val *item, const struct val *source)
{
    int64_t mode;
    const struct val *own = val_get(item, STR("mode")), *dflt = val_get(source, STR("defaultMode"));
    if (own && val_i64(own, &mode)) return (uint32_t)mode & 0777;
    return dflt && val_i64(dflt, &mode) ? (uint32_t)mode & 0777 : 0644;
}

static bool is_true(const struct val *of, const char *key)
{
    const struct val *v = val_get(of, str_of(key));
    return v && v->kind == VAL_BOOL && v->b;
}

/* One file of a volume that is made of files. They never become part of another volume that this one is mounted in. */
static bool place_file(struct pod *p, const struct mount *m, struct str path, struct str content, uint32_t mode, struct err *e)
{
    bool single = m->sub_path.n > 0; /* subPath names one file, mounted at the path itself */
    if (!path.n || !safe_sub_path(path))
        return err_set(e, ERR_SPEC, "volume '%.*s': path '%.*s' leaves the volume", STR_ARG(m->volume), STR_ARG(path));
    if (single && !str_eq(m->sub_path, path)) return true;
    struct step_file f = {.path = single ? m->path : str_fmt(p->a, "%.*s/%.*s", STR_ARG(m->path), STR_ARG(path)),
                          .content = content, .mode = mode, .apart = true};
    VEC_PUSH(&p->files, f);
    return true;
}

/* The directory that such files are in; pod_volumes says what it becomes. */
static void files_at(struct pod *p, const struct mount *m)
{
    if (!m->sub_path.n) VEC_PUSH(&p->file_dirs, m->path);
}

/* A Secret or ConfigMap as files; `modes` has the defaultMode. */
struct keys {
    struct str name;
    const struct val *source, *modes;
    bool secret;
};

static bool place_key(struct pod *p, const struct mount *m, const struct keys *k, const struct val *item, const struct val_pair *pair,
                      struct err *e)
{
    struct str value = val_text(&pair->v);
    if (k->secret && value.n >= 4) VEC_PUSH(&p->masks, value);
    return place_file(p, m, item ? val_get_str(item, "path") : pair->key, value, file_mode(item, k->modes), e);
}

static bool place_item(struct pod *p, const struct mount *m, const struct keys *k, const struct val *item, const struct val *all,
                       struct err *e)
{
    struct str key = val_get_str(item, "key");
    for (uint32_t i = 0; i < all->n; i++)
        if (str_eq(all->map[i].key, key)) return place_key(p, m, k, item, &all->map[i], e);
    if (is_true(k->source, "optional")) return true;
    return err_set(e, ERR_NOT_FOUND, "volume '%.*s': references non-existent %s key: %.*s", STR_ARG(m->volume),
                   k->secret ? "secret" : "config", STR_ARG(key));
}

static bool files_of(struct pod *p, const struct mount *m, const struct keys *k, struct err *e)
{
    const struct val *items = val_get(k->source, STR("items"));
    struct val all;
    struct err own;
    files_at(p, m);
    if (!p->in->lookup.all(p->in->lookup.ctx, k->secret, k->name, &all, &own)) {
        if (own.code == ERR_NOT_FOUND && is_true(k->source, "optional")) return true;
        *e = own;
        return err_ctx(e, "volume '%.*s'", STR_ARG(m->volume));
    }
    bool some = items && items->kind == VAL_LIST && items->n;
    for (uint32_t i = 0; i < (some ? items->n : all.n); i++)
        if (some ? !place_item(p, m, k, &items->items[i], &all, e) : !place_key(p, m, k, NULL, &all.map[i], e)) return false;
    return true;
}

static bool files_volume(struct pod *p, const struct mount *m, const struct val *source, bool secret, struct err *e)
{
    struct keys k = {val_get_str(source, secret ? "secretName" : "name"), source, source, secret};
    return files_of(p, m, &k, e);
}

/* Facts about the pod as files. */
static bool facts(struct pod *p, const struct mount *m, const struct val *source, const struct val *modes, struct err *e)
{
    const struct val *items = val_get(source, STR("items"));
    files_at(p, m);
    for (uint32_t i = 0; items && items->kind == VAL_LIST && i < items->n; i++) {
        const struct val *item = &items->items[i];
        struct str path = val_get_str(item, "path"), value;
        struct str field = val_text(val_path(item, "fieldRef.fieldPath"));
        const struct val *resource = val_get(item, STR("resourceFieldRef"));
        if (!(resource ? pod_resource_ref(p, resource, &value, e) : pod_field(p, field, &value, e))) return err_ctx(e, "volume '%.*s'", STR_ARG(m->volume)), false;
        if (!place_file(p, m, path, value, file_mode(item, modes), e)) return false;
    }
    return true;
}

static bool projected(struct pod *p, const struct mount *m, const struct val *source, struct err *e)
{
    const struct val *list = val_get(source, STR("sources")), *one;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *from = &list->items[i];
        bool ok, secret = val_get(from, STR("secret")) != NULL;
        if ((one = val_get(from, secret ? STR("secret") : STR("configMap"))))
            ok = files_of(p, m, &(struct keys){val_get_str(one, "name"), one, source, secret}, e);
        else if ((one = val_get(from, STR("downwardAPI")))) ok = facts(p, m, one, source, e);
        else ok = err_set(e, ERR_UNSUPPORTED, "volume '%.*s': one machine has no such source", STR_ARG(m->volume));
        if (!ok) return false;
    }
    return true;
}

static bool claim_volume(struct pod *p, const struct mount *m, struct str claim, struct err *e)
{
    struct str ns = val_get_str(val_get(p->in->workflow, STR("metadata")), "namespace");
    if (!safe_part(claim)) return err_set(e, ERR_SPEC, "claim name '%.*s' is not valid", STR_ARG(claim));
    own_dir(p, m, str_fmt(p->a, "%.*s/volumes/%.*s/%.*s", STR_ARG(p->in->state_dir), STR_ARG(ns), STR_ARG(claim)));
    return true;
}

static bool host_path(struct pod *p, const struct mount *m, const struct val *source, struct err *e)
{
    static const char *const types[] = {"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"};
    struct str path = val_get_str(source, "path"), type = val_get_str(source, "type");
    if (path.p && (path.n == 0 || path.p[0] != '/' || pod_has_backstep(path)))
        return err_set(e, ERR_SPEC, "volume '%.*s': path '%.*s' must be absolute, without '..'", STR_ARG(m->volume), STR_ARG(path));
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_eq(type, str_of(types[i]))) continue;
        if (i) VEC_PUSH(&p->host_paths, ((struct pod_host_path){path, types[i]}));
        bind(p, m, path);
        return true;
    }
    return err_set(e, ERR_SPEC, "volume '%.*s': %.*s is an invalid volume type", STR_ARG(m->volume), STR_ARG(type));
}

static struct str pod_dir(struct pod *p, struct str volume)
{
    struct str dir = p->in->pod_dir.n ? p->in->pod_dir : str_fmt(p->a, "%.*s/volumes", STR_ARG(p->work_dir));
    return str_fmt(p->a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(volume));
}

/* In memory when it is the step's alone. The limit of one on the disk is a cluster's to enforce. */
static bool empty_dir(struct pod *p, const struct mount *m, const struct val *source, struct err *e)
{
    bool memory = str_is(val_get_str(source, "medium"), "Memory") && !m->sub_path.n && !p->in->pod_dir.n;
    struct str limit = val_text(val_get(source, STR("sizeLimit")));
    int64_t milli = 0;
    if (limit.n && (!quantity_milli(limit, &milli) || milli < 0))
        return err_set(e, ERR_SPEC, "volume '%.*s': sizeLimit '%.*s' is no size", STR_ARG(m->volume), STR_ARG(limit));
    if (!memory) return own_dir(p, m, pod_dir(p, m->volume)), true;
    VEC_PUSH(&p->tmpfs, ((struct step_tmpfs){.path = m->path, .size = (uint64_t)(milli / 1000 + (milli % 1000 > 0)), .read_only = m->read_only}));
    return true;
}

static bool volume_mount(struct pod *p, const struct mount *m, const struct val *v, struct err *e)
{
    const struct val *source;
    if ((source = val_get(v, STR("emptyDir")))) return empty_dir(p, m, source, e);
    if ((source = val_get(v, STR("configMap")))) return files_volume(p, m, source, false, e);
    if ((source = val_get(v, STR("secret")))) return files_volume(p, m, source, true, e);
    if ((source = val_get(v, STR("downwardAPI")))) return facts(p, m, source, source, e);
    if ((source = val_get(v, STR("projected")))) return projected(p, m, source, e);
    if ((source = val_get(v, STR("persistentVolumeClaim")))) {
        struct mount claim = *m;
        claim.read_only |= is_true(source, "readOnly");
        return claim_volume(p, &claim, val_get_str(source, "claimName"), e);
    }
    if ((source = val_get(v, STR("hostPath")))) return host_path(p, m, source, e);
    if (val_get(v, STR("ephemeral"))) return own_dir(p, m, pod_dir(p, m->volume)), true; /* a claim that goes with the pod */
    return err_set(e, ERR_UNSUPPORTED, "volume '%.*s' is of a kind that one machine cannot provide",
                   STR_ARG(m->volume));
}

/* From subPath, or from subPathExpr and the environment. */
static bool sub_path_of(struct pod *p, const struct val *vm, struct mount *m, struct err *e)
{
    struct str expr = val_get_str(vm, "subPathExpr"), missing;
    m->sub_path = val_get_str(vm, "subPath");
    if (expr.n) {
        if (m->sub_path.n)
            return err_set(e, ERR_SPEC, "volumeMount '%.*s': subPathExpr and subPath are mutually exclusive", STR_ARG(m->volume));
        m->sub_path = pod_expand(p, expr, &missing);
        if (missing.p)
            return err_set(e, ERR_SPEC, "volumeMount '%.*s': subPathExpr: missing value for \"%.*s\"", STR_ARG(m->volume), STR_ARG(missing));
    }
    if (safe_sub_path(m->sub_path)) return true;
    return err_set(e, ERR_SPEC, "volumeMount '%.*s': subPath '%.*s' must be relative, without '..'", STR_ARG(m->volume), STR_ARG(m->sub_path));
}

static bool mount_one(struct pod *p, const struct val *vm, struct err *e)
{
    const struct val *spec = val_get(p->in->workflow, STR("spec"));
    struct mount m = {.path = val_get_str(vm, "mountPath"), .volume = val_get_str(vm, "name"), .read_only = is_true(vm, "readOnly")};
    if (!m.path.n || m.path.p[0] != '/')
        return err_set(e, ERR_SPEC, "volumeMount '%.*s': mountPath must be absolute", STR_ARG(m.volume));
    if (pod_has_backstep(m.path))
        return err_set(e, ERR_SPEC, "volumeMount '%.*s': mountPath '%.*s' must not contain '..'", STR_ARG(m.volume), STR_ARG(m.path));
    if (!safe_part(m.volume)) return err_set(e, ERR_SPEC, "volumeMount '%.*s' is not valid", STR_ARG(m.volume));
    if (!sub_path_of(p, vm, &m, e)) return false;
    const struct val *v = pod_volume_named(val_get(p->in->tmpl, STR("volumes")), m.volume);
    if (!v) v = pod_volume_named(val_get(spec, STR("volumes")), m.volume);
    if (v) return volume_mount(p, &m, v, e);
    const struct val *templates = val_get(spec, STR("volumeClaimTemplates"));
    for (uint32_t i = 0; templates && i < templates->n; i++)
        if (str_eq(val_text(val_path(&templates->items[i], "metadata.name")), m.volume)) {
            struct str wf = val_get_str(val_get(p->in->workflow, STR("metadata")), "name");
            return claim_volume(p, &m, str_fmt(p->a, "%.*s-%.*s", STR_ARG(wf), STR_ARG(m.volume)), e);
        }
    return err_set(e, ERR_SPEC, "volumeMount refers to volume '%.*s', which is not defined", STR_ARG(m.volume));
}

bool pod_path_shared(const struct pod *p, struct str path)
{
    const struct val *mounts = val_path(p->in->tmpl, "containerSet.volumeMounts");
    for (uint32_t i = 0; mounts && i < mounts->n; i++) {
        struct str at = val_get_str(&mounts->items[i], "mountPath");
        while (at.n > 1 && at.p[at.n - 1] == '/') at.n--;
        if (at.n && str_starts(path, at) && (path.n == at.n || path.p[at.n] == '/')) return true;
    }
    return false;
}

static bool mounts_at(const struct val *list, struct str path)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "mountPath"), path)) return true;
    return false;
}

/* What others have mounted, but where this container mounts something of its own. */
static const struct val *common_mounts(const struct pod *p)
{
    const struct val *script = val_path(p->in->tmpl, "script.volumeMounts");
    const struct val *set = val_path(p->in->tmpl, "containerSet.volumeMounts");
    if (p->in->container.p) return set;
    if (!p->mirrors || set) return p->mirrors ? set : NULL;
    return script ? script : val_path(p->in->tmpl, "container.volumeMounts");
}

static bool lies_in(struct str path, struct str dir)
{
    while (dir.n && dir.p[dir.n - 1] == '/') dir.n--;
    return path.n > dir.n && str_starts(path, dir) && path.p[dir.n] == '/';
}

/* Files that the plan writes go into the step's own root, or, where they would get into another volume, into
 * memory that is mounted there. */
static void place_file_dirs(struct pod *p)
{
    if (p->in->engine_image) return; /* pod_container does it */
    for (size_t i = 0; i < p->file_dirs.n; i++) {
        struct str at = p->file_dirs.items[i];
        bool inside = false, known = false;
        for (size_t k = 0; k < p->binds.n; k++) inside |= lies_in(at, p->binds.items[k].target);
        for (size_t k = 0; k < i; k++) known |= str_eq(at, p->file_dirs.items[k]); /* of a projected volume */
        if (inside && !known) VEC_PUSH(&p->tmpfs, ((struct step_tmpfs){.path = at}));
        if (!inside) VEC_PUSH(&p->writable, at);
    }
    VEC_FINI(&p->file_dirs);
}

bool pod_volumes(struct pod *p, struct err *e)
{
    const struct val *own = val_get(p->main, STR("volumeMounts"));
    const struct val *lists[] = {common_mounts(p), own};
    bool any = false;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (uint32_t i = 0; lists[k] && i < lists[k]->n; i++) {
            if (p->mirrors && k == 0 && mounts_at(own, val_get_str(&lists[k]->items[i], "mountPath"))) continue;
            any = true;
            if (!mount_one(p, &lists[k]->items[i], e)) return false;
        }
    place_file_dirs(p);
    if (any && p->in->tier == STEP_TIER_NONE)
        return err_set(e, ERR_UNSUPPORTED, "volumeMounts need a sandbox: run without --runtime=none");
    return true;
}
