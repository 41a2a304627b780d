/* Artifacts of a run: which there are, and their content as a file or as it was produced. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "doc/json.h"
#include "os/dir.h"
#include "os/fd.h"
#include "service/beside.h"
#include "service/remote_p.h"

const char *service_state_dir(struct service *s) { return s->o.state_dir.p; }

struct collecting {
    struct arena *a;
    struct store *store;
    struct str ns;
    VEC(struct run_artifact) found;
};

static bool has_strategy(const struct val *art, const char *name)
{
    const struct val *archive = val_get(art, STR("archive"));
    return archive && val_get(archive, str_of(name));
}

/* "main-logs" at ".../main.log": an archived log is kept as it is, as Argo does (exec/keys.c, log_key). */
static bool is_log(struct str name, struct str key)
{
    struct str logs = STR("-logs"), log = STR(".log");
    if (!str_ends(name, logs) || !str_ends(key, log)) return false;
    struct str container = str_sub(name, 0, name.n - logs.n), rest = str_sub(key, 0, key.n - log.n);
    return str_ends(rest, container) && rest.n > container.n && rest.p[rest.n - container.n - 1] == '/';
}

/* A key below a stored tree names a part of it, which is not shown as an artifact of its own. */
static void content_find(struct collecting *x, struct run_artifact *art)
{
    struct artifact_row row;
    struct err absent;
    if (!x->store || !art->key.n || !store_artifact_get(x->a, x->store, x->ns, art->key, &row, &absent)) return;
    art->content = row.content;
    art->form = row.form;
    art->size_bytes = row.size_bytes;
}

static void list_add_artifacts(struct collecting *x, const struct val *node, const char *path, bool input)
{
    const struct val *list = val_path(node, path);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *v = &list->items[i], *raw = val_get(v, STR("raw"));
        struct run_artifact art = {
            .node_id = val_get_str(node, "id"), .node = val_get_str(node, "displayName"),
            .template_name = val_get_str(node, "templateName"), .name = val_get_str(v, "name"),
            .key = val_text(val_path(v, "s3.key")), .input = input, .packed_zip = has_strategy(v, "zip"),
            .plain = raw || has_strategy(v, "none"),
        };
        art.plain = art.plain || is_log(art.name, art.key);
        if (raw) {
            art.text = val_get_str(raw, "data").p ? val_get_str(raw, "data") : STR("");
            art.form = STR("file");
            art.size_bytes = (int64_t)art.text.n;
        }
        content_find(x, &art);
        VEC_PUSH(&x->found, art);
    }
}

/* Groups and retries pass their children's outputs on: only what a step itself has counts. */
static bool is_step(const struct val *node)
{
    return str_is(val_get_str(node, "type"), "Pod");
}

bool service_artifacts(struct arena *a, struct service *s, struct str ns, struct str name, bool inputs,
                       struct run_artifact **out, size_t *n, struct err *e)
{
    struct collecting x = {.a = a, .store = service_store(s), .ns = ns};
    struct val wf;
    if (!service_get(a, s, ns, name, &wf, e)) return false;
    const struct val *nodes = val_path(&wf, "status.nodes");
    for (uint32_t i = 0; nodes && i < nodes->n; i++) {
        const struct val *node = &nodes->map[i].v;
        if (!is_step(node)) continue;
        list_add_artifacts(&x, node, "outputs.artifacts", false);
        if (inputs) list_add_artifacts(&x, node, "inputs.artifacts", true);
    }
    *n = x.found.n;
    *out = ARENA_ARRAY(a, struct run_artifact, x.found.n + 1);
    if (x.found.n) memcpy(*out, x.found.items, x.found.n * sizeof **out);
    VEC_FINI(&x.found);
    return true;
}

struct str artifact_file_name(struct arena *a, const struct run_artifact *art)
{
    struct str key = art->key;
    for (size_t i = key.n; i-- > 0;)
        if (key.p[i] == '/') return str_from(key, i + 1);
    return key.n ? key : str_dup(a, art->name);
}

static bool has_content(const struct run_artifact *art, struct err *e)
{
    return art->content.n || err_set(e, ERR_NOT_FOUND, "the content of artifact '%.*s' is not in this state directory",
                                     STR_ARG(art->name));
}

static bool repo_open(const char *state_dir, struct artifact_repo **out, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    return artifact_local_open(str_fmt(&a, "%s/artifacts", state_dir).p, out, e);
}

bool service_artifact_write(const char *state_dir, const struct run_artifact *art, int fd, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_repo *repo;
    arena_init(&a);
    if (art->text.p) return fd_write_all(fd, art->text, e);
    if (!has_content(art, e) || !repo_open(state_dir, &repo, e)) return false;
    bool plain = art->plain && str_is(art->form, "file");
    struct artifact_ref ref = {.id = art->content};
    struct artifact_export how = {.fd = fd, .level = -1, .name = str_z(&a, art->name),
        .archive = plain ? ARTIFACT_ARCHIVE_NONE : art->packed_zip ? ARTIFACT_ARCHIVE_ZIP : ARTIFACT_ARCHIVE_TAR};
    bool ok = artifact_export(repo, &ref, &how, e);
    artifact_close(repo);
    return ok;
}

/* Nothing but memory holds it. */
static int unnamed_file(const char *state_dir, struct err *e)
{
    int fd = open(state_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) err_sys(e, "'%s'", state_dir);
    return fd;
}

static int content_open(const char *state_dir, const struct run_artifact *art, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_repo *repo;
    struct artifact_place at;
    struct artifact_ref ref = {.id = art->content};
    int fd = -1;
    arena_init(&a);
    if (!has_content(art, e) || !repo_open(state_dir, &repo, e)) return -1;
    if (artifact_path(&a, repo, &ref, &at, e)) {
        fd = open(at.path.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) err_sys(e, "artifact content '%.*s'", STR_ARG(art->content));
    }
    artifact_close(repo);
    return fd;
}

bool service_artifact_open(const char *state_dir, const struct run_artifact *art, int *fd, struct err *e)
{
    bool lies_there = !art->text.p && art->plain && str_is(art->form, "file");
    *fd = lies_there ? content_open(state_dir, art, e) : unnamed_file(state_dir, e);
    if (*fd < 0) return false;
    if (lies_there || service_artifact_write(state_dir, art, *fd, e)) return true;
    close_fd(fd);
    return false;
}

static bool not_there(struct str path, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no '%.*s' in the artifact", STR_ARG(str_sub(path, 0, 400)));
}

static bool names_read(struct arena *a, int fd, struct artifact_view *out, struct err *e)
{
    struct dir_list list;
    if (!dir_read(a, str_fmt(a, "/proc/self/fd/%d", fd).p, &list, e)) return false;
    out->is_directory = true;
    out->names = ARENA_ARRAY(a, struct str, list.n + 1);
    for (size_t i = 0; i < list.n; i++)
        out->names[out->n++] = list.items[i].type == DT_DIR ? str_cat(a, list.items[i].name, STR("/")) : list.items[i].name;
    return true;
}

bool service_artifact_view(struct arena *a, const char *state_dir, const struct run_artifact *art, struct str path,
                           struct artifact_view *out, struct err *e)
{
    struct stat st;
    *out = (struct artifact_view){.fd = -1};
    int root CLEANUP(close_fd) = art->text.p ? unnamed_file(state_dir, e) : content_open(state_dir, art, e);
    if (root < 0 || (art->text.p && !fd_write_all(root, art->text, e))) return false;
    if (fstat(root, &st) != 0) return err_sys(e, "cannot look at an artifact");
    if (path.n && !S_ISDIR(st.st_mode)) return not_there(path, e);
    int fd CLEANUP(close_fd) = path.n ? fd_open_beneath(root, str_z(a, path), O_RDONLY | O_NONBLOCK, 0, NULL) : fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return not_there(path, e);
    if (S_ISDIR(st.st_mode)) return names_read(a, fd, out, e);
    out->fd = fd;
    fd = -1;
    return true;
}

bool service_artifact_fetch(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e)
{
    struct run_artifact as = *art;
    if (s->remote && !art->text.p) return remote_artifact_write(s, ref, art, raw, fd, e);
    as.plain = art->plain || raw;
    return service_artifact_write(service_state_dir(s), &as, fd, e);
}

bool service_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e)
{
    struct artifact_repo *repo;
    struct artifact_ref content = {.id = art->content};
    struct beside b;
    if (art->text.p) return file_write_atomic(to, art->text, 0644, false, e);
    if (s->remote) return remote_artifact_copy(s, ref, art, to, e);
    if (!has_content(art, e) || !repo_open(service_state_dir(s), &repo, e)) return false;
    bool ok = beside_begin(&b, to, e);
    if (ok) {
        ok = beside_load(&b, repo, &content, to, e);
        beside_end(&b);
    }
    artifact_close(repo);
    return ok;
}
