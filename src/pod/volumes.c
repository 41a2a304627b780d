/* Volumes on one machine: emptyDir is a directory of the step, a claim one of the state directory,
 * ConfigMaps and Secrets are files, hostPath is what it says. */
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

static void place_key(struct pod *p, const struct mount *m, struct str path, struct str content, uint32_t mode)
{
    bool single = m->sub_path.n > 0; /* subPath names one file, mounted at the path itself */
    if (single && !str_eq(m->sub_path, path)) return;
    struct step_file f = {.path = single ? m->path : str_fmt(p->a, "%.*s/%.*s", STR_ARG(m->path), STR_ARG(path)),
                          .content = content, .mode = mode};
    VEC_PUSH(&p->files, f);
}

/* The keys of a Secret or ConfigMap as files. `modes` has the defaultMode. */
static bool files_of(struct pod *p, const struct mount *m, struct str name, const struct val *source, const struct val *modes,
                     bool secret, struct err *e)
{
    const struct val *items = val_get(source, STR("items")), *optional = val_get(source, STR("optional"));
    struct val all;
    struct err own;
    if (!m->sub_path.n) VEC_PUSH(&p->writable, m->path);
    if (!p->in->lookup.all(p->in->lookup.ctx, secret, name, &all, &own)) {
        if (own.code == ERR_NOT_FOUND && optional && optional->kind == VAL_BOOL && optional->b) return true;
        *e = own;
        return err_ctx(e, "volume '%.*s'", STR_ARG(m->volume));
    }
    for (uint32_t i = 0; i < all.n; i++) {
        struct str value = val_text(&all.map[i].v), path = all.map[i].key;
        const struct val *item = NULL;
        for (uint32_t k = 0; items && k < items->n; k++)
            if (str_eq(val_get_str(&items->items[k], "key"), path)) item = &items->items[k];
        if (items && !item) continue;
        if (item) path = val_get_str(item, "path");
        if (!safe_sub_path(path)) return err_set(e, ERR_SPEC, "volume '%.*s': path '%.*s' leaves the volume",
                                                 STR_ARG(m->volume), STR_ARG(path));
        if (secret && value.n >= 4) VEC_PUSH(&p->masks, value);
        place_key(p, m, path, value, file_mode(item, modes));
    }
    return true;
}

static bool files_volume(struct pod *p, const struct mount *m, const struct val *source, bool secret, struct err *e)
{
    return files_of(p, m, val_get_str(source, secret ? "secretName" : "name"), source, source, secret, e);
}

/* Facts about the pod as files. */
static bool facts(struct pod *p, const struct mount *m, const struct val *source, const struct val *modes, struct err *e)
{
    const struct val *items = val_get(source, STR("items"));
    if (!m->sub_path.n) VEC_PUSH(&p->writable, m->path);
    for (uint32_t i = 0; items && items->kind == VAL_LIST && i < items->n; i++) {
        const struct val *item = &items->items[i];
        struct str path = val_get_str(item, "path"), value;
        struct str field = val_text(val_path(item, "fieldRef.fieldPath"));
        if (!field.n) return err_set(e, ERR_UNSUPPORTED, "volume '%.*s': only fieldRef is supported", STR_ARG(m->volume));
        if (!path.n || !safe_sub_path(path))
            return err_set(e, ERR_SPEC, "volume '%.*s': path '%.*s' leaves the volume", STR_ARG(m->volume), STR_ARG(path));
        if (!pod_field(p, field, &value, e)) return err_ctx(e, "volume '%.*s'", STR_ARG(m->volume)), false;
        place_key(p, m, path, value, file_mode(item, modes));
    }
    return true;
}

static bool projected(struct pod *p, const struct mount *m, const struct val *source, struct err *e)
{
    const struct val *list = val_get(source, STR("sources")), *one;
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *from = &list->items[i];
        bool ok;
        if ((one = val_get(from, STR("secret")))) ok = files_of(p, m, val_get_str(one, "name"), one, source, true, e);
        else if ((one = val_get(from, STR("configMap")))) ok = files_of(p, m, val_get_str(one, "name"), one, source, false, e);
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

static bool volume_mount(struct pod *p, const struct mount *m, const struct val *v, struct err *e)
{
    const struct val *source;
    if ((source = val_get(v, STR("emptyDir")))) {
        bool memory = str_is(val_get_str(source, "medium"), "Memory") && !m->sub_path.n && !p->in->pod_dir.n;
        struct str dir = p->in->pod_dir.n ? p->in->pod_dir : str_fmt(p->a, "%.*s/volumes", STR_ARG(p->work_dir));
        if (memory) VEC_PUSH(&p->tmpfs, ((struct step_tmpfs){.path = m->path}));
        else own_dir(p, m, str_fmt(p->a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(m->volume)));
        return true;
    }
    if ((source = val_get(v, STR("configMap")))) return files_volume(p, m, source, false, e);
    if ((source = val_get(v, STR("secret")))) return files_volume(p, m, source, true, e);
    if ((source = val_get(v, STR("downwardAPI")))) return facts(p, m, source, source, e);
    if ((source = val_get(v, STR("projected")))) return projected(p, m, source, e);
    if ((source = val_get(v, STR("persistentVolumeClaim"))))
        return claim_volume(p, m, val_get_str(source, "claimName"), e);
    if ((source = val_get(v, STR("hostPath")))) {
        bind(p, m, val_get_str(source, "path"));
        return true;
    }
    return err_set(e, ERR_UNSUPPORTED, "volume '%.*s' is of a kind that one machine cannot provide",
                   STR_ARG(m->volume));
}

static bool mount_one(struct pod *p, const struct val *vm, struct err *e)
{
    const struct val *ro = val_get(vm, STR("readOnly")), *spec = val_get(p->in->workflow, STR("spec"));
    struct mount m = {.path = val_get_str(vm, "mountPath"), .sub_path = val_get_str(vm, "subPath"),
                      .volume = val_get_str(vm, "name"),
                      .read_only = ro && ro->kind == VAL_BOOL && ro->b};
    if (!m.path.n || m.path.p[0] != '/')
        return err_set(e, ERR_SPEC, "volumeMount '%.*s': mountPath must be absolute", STR_ARG(m.volume));
    if (pod_has_backstep(m.path))
        return err_set(e, ERR_SPEC, "volumeMount '%.*s': mountPath '%.*s' must not contain '..'", STR_ARG(m.volume), STR_ARG(m.path));
    if (!safe_part(m.volume) || !safe_sub_path(m.sub_path))
        return err_set(e, ERR_SPEC, "volumeMount '%.*s' is not valid", STR_ARG(m.volume));
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
    if (any && p->in->tier == STEP_TIER_NONE)
        return err_set(e, ERR_UNSUPPORTED, "volumeMounts need a sandbox: run without --runtime=none");
    return true;
}
