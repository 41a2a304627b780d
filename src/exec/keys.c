/* Names in the repository: the key under which an output is kept, the content that an input's key means.
 *
 * An output without a key of its own lies below the template's archiveLocation, else the configured
 * repository's keyFormat, else Argo's {{workflow.name}}/{{pod.name}}. An input's key may name a whole
 * artifact, a part of a stored tree, or, as in an object store, everything below it. */
#include "base/limits.h"
#include "doc/yaml.h"
#include "exec/exec_p.h"

/* ---- the configured repository ---- */

static struct str repository_key(const struct val *ref, const struct val *map)
{
    struct str key = val_get_str(ref, "key");
    if (key.n) return key;
    const struct val *notes = val_path(map, "metadata.annotations");
    return val_text(val_get(notes, STR("workflows.argoproj.io/default-artifact-repository")));
}

/* The artifactRepositoryRef's entry of its ConfigMap: {archiveLogs, s3: {keyFormat}, …}; NULL: there is none,
 * so the local repository is as it comes. Read once for a run. */
static const struct val *repository(struct active *l)
{
    const struct val *ref = val_path(&l->workflow, "spec.artifactRepositoryRef");
    struct str name = val_get_str(ref, "configMap");
    struct err e;
    if (l->repository_known) return l->repository;
    l->repository_known = true;
    const struct val *map = exec_lookup(l, STR("ConfigMap"), run_namespace(l->run), name.n ? name : STR("artifact-repositories"));
    const struct val *text = map ? val_get(val_get(map, STR("data")), repository_key(ref, map)) : NULL;
    struct val *parsed = ARENA_NEW(&l->arena, struct val);
    if (text && yaml_parse(&l->arena, val_text(text), NULL, parsed, &e) && parsed->kind == VAL_MAP) l->repository = parsed;
    return l->repository;
}

static struct str key_format(const struct val *repo)
{
    static const char *const kinds[] = {"s3", "gcs", "oss", "azure", "hdfs", "artifactory"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct str f = val_get_str(val_get(repo, str_of(kinds[i])), "keyFormat");
        if (f.n) return f;
    }
    return STR_NONE;
}

bool logs_are_archived(struct job *j, const struct val *tmpl)
{
    const struct val *own = val_path(tmpl, "archiveLocation.archiveLogs");
    const struct val *all = val_path(&j->live->workflow, "spec.archiveLogs");
    const struct val *repo = val_get(repository(j->live), STR("archiveLogs"));
    if (repo && repo->kind == VAL_BOOL && repo->b) return true; /* what is configured wins when it is on */
    const struct val *v = own ? own : all ? all : repo;
    return v && v->kind == VAL_BOOL && v->b;
}

static bool base_of(struct job *j, const struct val *tmpl, struct str *out, struct err *e)
{
    struct arena *a = &j->live->x->scratch;
    struct str given = val_text(val_path(tmpl, "archiveLocation.s3.key")), format = key_format(repository(j->live));
    if (given.n) return *out = given, true;
    if (!format.n) format = STR("{{workflow.name}}/{{pod.name}}");
    if (!node_replace(a, j->live->run, j->node, format, out, e)) return err_ctx(e, "keyFormat");
    return true;
}

struct str path_base_name(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '/') return str_from(path, i + 1);
    return path;
}

/* An archive is named after the artifact, a plain file keeps its name (executor.go stageArchiveFile). */
bool output_key(struct job *j, const struct val *tmpl, const struct val *art, struct str *out, struct err *e)
{
    struct arena *a = &j->live->x->scratch;
    struct str key = val_text(val_path(art, "s3.key")), base;
    const struct val *archive = val_get(art, STR("archive"));
    bool plain = val_get(archive, STR("none")) != NULL;
    struct str name = plain ? path_base_name(val_get_str(art, "path")) : val_get_str(art, "name");
    const char *suffix = plain ? "" : val_get(archive, STR("zip")) ? ".zip" : ".tgz";
    if (key.n) return *out = key, true;
    if (!base_of(j, tmpl, &base, e)) return false;
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    *out = str_fmt(a, "%.*s/%.*s%s", STR_ARG(base), STR_ARG(name), suffix);
    return true;
}

bool log_key(struct job *j, const struct val *tmpl, struct str container, struct str *out, struct err *e)
{
    struct str base;
    if (!base_of(j, tmpl, &base, e)) return false;
    *out = str_fmt(&j->live->x->scratch, "%.*s/%.*s.log", STR_ARG(base), STR_ARG(container));
    return true;
}

/* ---- inputs ---- */

static struct str without_slash(struct str key)
{
    while (key.n && key.p[key.n - 1] == '/') key.n--;
    return key;
}

/* A stored key may end in a slash, as that of a tree often does. */
static bool find_row(struct job *j, struct str key, struct artifact_row *row)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct str ns = run_namespace(j->live->run), slash = str_fmt(a, "%.*s/", STR_ARG(key));
    struct err absent;
    return store_artifact_get(a, x->store, ns, key, row, &absent) || store_artifact_get(a, x->store, ns, slash, row, &absent);
}

/* A key below a stored tree names a part of it. */
static bool find_one(struct job *j, struct str key, struct artifact_ref *out, int64_t *bytes)
{
    struct artifact_row row;
    for (size_t n = key.n; n; n--) {
        if (n < key.n && key.p[n] != '/') continue;
        if (!find_row(j, str_sub(key, 0, n), &row)) continue;
        *out = (struct artifact_ref){.id = row.content, .subpath = n < key.n ? str_from(key, n + 1) : STR_NONE};
        *bytes = row.size_bytes;
        return true;
    }
    return false;
}

/* `bytes`: of the whole content. */
static bool place_one(struct job *j, const struct artifact_ref *ref, int64_t bytes, const struct val *art, struct pod_artifact *out,
                      struct err *e)
{
    struct exec *x = j->live->x;
    struct artifact_place place;
    const struct val *recurse = val_get(art, STR("recurseMode"));
    if (!artifact_path(&x->scratch, x->repo, ref, &place, e)) return false;
    out->source = place.path;
    out->bytes = (uint64_t)MAX(bytes, 1);
    out->recurse = recurse && recurse->kind == VAL_BOOL && recurse->b;
    return true;
}

/* Everything below the key, each at its place below the input's path. */
static bool place_below(struct job *j, struct str key, const struct val *art, struct inputs *to, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct artifact_filter f = {.ns = run_namespace(j->live->run), .prefix = str_fmt(a, "%.*s/", STR_ARG(key)),
                                .limit = LIMIT_ARTIFACT_PARTS + 1};
    struct artifact_row *rows;
    size_t n;
    struct pod_artifact whole = to->items[to->n - 1];
    if (!store_artifact_list(a, x->store, &f, &rows, &n, e)) return false;
    if (!n) return err_set(e, ERR_NOT_FOUND, "no artifact has the key '%.*s'", STR_ARG(key));
    if (n > LIMIT_ARTIFACT_PARTS)
        return err_set(e, ERR_LIMIT, "more than LIMIT_ARTIFACT_PARTS (%d) artifacts lie below '%.*s'", LIMIT_ARTIFACT_PARTS,
                       STR_ARG(key));
    to->n--;
    for (size_t i = 0; i < n; i++) {
        struct pod_artifact one = whole;
        struct artifact_ref ref = {.id = rows[i].content};
        one.path = str_fmt(a, "%.*s/%.*s", STR_ARG(whole.path), STR_ARG(without_slash(str_from(rows[i].key, f.prefix.n))));
        if (!place_one(j, &ref, rows[i].size_bytes, art, &one, e)) return false;
        VEC_PUSH(to, one);
    }
    return true;
}

bool input_from_repository(struct job *j, const struct val *art, struct inputs *to, struct err *e)
{
    struct str key = without_slash(val_text(val_path(art, "s3.key"))), sub = val_get_str(art, "subPath");
    struct artifact_ref ref;
    int64_t bytes;
    if (val_path(art, "s3.bucket") || val_path(art, "s3.endpoint"))
        return err_set(e, ERR_UNSUPPORTED, "an own S3 location is not supported by this version of Skiff");
    if (sub.n) key = str_fmt(&j->live->x->scratch, "%.*s/%.*s", STR_ARG(key), STR_ARG(without_slash(sub)));
    if (find_one(j, key, &ref, &bytes)) return place_one(j, &ref, bytes, art, &to->items[to->n - 1], e);
    return place_below(j, key, art, to, e);
}
