/* Artifacts of a server elsewhere: files as the server hands them out, and, unpacked beside where they go, as a step made them. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/litter.h"
#include "os/random.h"
#include "service/remote_p.h"

static bool download(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, int fd, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *target = str_fmt(&a, "/%s/%.*s/%.*s/%.*s/%.*s", art->input ? "input-artifacts" : "artifacts", STR_ARG(web_escape(&a, ref->ns)),
                                 STR_ARG(web_escape(&a, ref->name)), STR_ARG(web_escape(&a, art->node_id)), STR_ARG(web_escape(&a, art->name))).p;
    return remote_file(s->remote, target, fd, e);
}

/* A repository of its own, for the time of one artifact. */
struct unpacked {
    char dir[PATH_MAX];
    struct litter *litter;
    struct artifact_repo *repo;
    struct artifact_content content;
};

static bool take_in(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, struct unpacked *u, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *file = str_fmt(&a, "%s/file", u->dir).p;
    struct artifact_import in = {.path = file, .move = true, .max_bytes = UINT64_MAX,
                                 .archive = art->plain ? ARTIFACT_ARCHIVE_NONE : art->packed_zip ? ARTIFACT_ARCHIVE_ZIP : ARTIFACT_ARCHIVE_AUTO};
    int fd CLEANUP(close_fd) = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "'%s'", file);
    return download(s, ref, art, fd, e) && artifact_local_open(str_fmt(&a, "%s/artifacts", u->dir).p, &u->repo, e) &&
           artifact_import(u->repo, &in, &u->content, e);
}

static void unpacked_end(struct unpacked *u)
{
    artifact_close(u->repo);
    dir_remove_tree(u->dir, NULL);
    litter_free(u->litter);
}

/* `at`: a directory with room for it. */
static bool unpacked_begin(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, struct str at, struct unpacked *u,
                           struct err *e)
{
    u->repo = NULL;
    if (snprintf(u->dir, sizeof u->dir, "%.*s/.skiff-%016llx", STR_ARG(at), (unsigned long long)random_u64()) >= (int)sizeof u->dir)
        return err_set(e, ERR_LIMIT, "the name of the directory is too long");
    u->litter = litter_new();
    litter_add(u->litter, u->dir);
    if (mkdir(u->dir, 0700) != 0) {
        err_sys(e, "'%.*s'", STR_ARG(at));
        litter_free(u->litter);
        return false;
    }
    if (take_in(s, ref, art, u, e)) return true;
    unpacked_end(u);
    return false;
}

bool remote_artifact_write(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    struct unpacked u;
    if (!raw || art->plain) return download(s, ref, art, fd, e);
    if (!unpacked_begin(s, ref, art, str_of(tmp && *tmp ? tmp : "/tmp"), &u, e)) return false;
    struct artifact_ref content = {.id = str_of(u.content.id)};
    struct artifact_export how = {.fd = fd, .level = -1, .name = art->name.p,
                                  .archive = u.content.form == ARTIFACT_FILE ? ARTIFACT_ARCHIVE_NONE : ARTIFACT_ARCHIVE_TAR};
    bool ok = artifact_export(u.repo, &content, &how, e);
    unpacked_end(&u);
    return ok;
}

bool remote_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e)
{
    const char *slash = strrchr(to, '/');
    struct unpacked u;
    if (!unpacked_begin(s, ref, art, slash ? str_n(to, MAX((size_t)(slash - to), 1)) : STR("."), &u, e)) return false;
    struct artifact_ref content = {.id = str_of(u.content.id)};
    bool ok = artifact_load_whole(u.repo, &content, to, u.litter, e);
    unpacked_end(&u);
    return ok;
}
