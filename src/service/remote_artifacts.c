/* Artifacts of a server elsewhere: files as the server hands them out, and, unpacked beside where they go, as a step made them. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "artifact/artifact.h"
#include "os/fd.h"
#include "service/beside.h"
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
    struct beside at;
    struct artifact_repo *repo;
    struct artifact_content content;
};

static bool take_in(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, struct unpacked *u, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *file = str_fmt(&a, "%s/file", u->at.dir).p;
    struct artifact_import in = {.path = file, .move = true, .max_bytes = UINT64_MAX,
                                 .archive = art->plain ? ARTIFACT_ARCHIVE_NONE : art->packed_zip ? ARTIFACT_ARCHIVE_ZIP : ARTIFACT_ARCHIVE_AUTO};
    int fd CLEANUP(close_fd) = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "'%s'", file);
    return download(s, ref, art, fd, e) && artifact_local_open(str_fmt(&a, "%s/artifacts", u->at.dir).p, &u->repo, e) &&
           artifact_import(u->repo, &in, &u->content, e);
}

static void unpacked_end(struct unpacked *u)
{
    artifact_close(u->repo);
    beside_end(&u->at);
}

/* Beside `path`, where there is room for it. */
static bool unpacked_begin(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *path, struct unpacked *u,
                           struct err *e)
{
    u->repo = NULL;
    if (!beside_begin(&u->at, path, e)) return false;
    if (take_in(s, ref, art, u, e)) return true;
    unpacked_end(u);
    return false;
}

bool remote_artifact_write(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char path[PATH_MAX];
    struct unpacked u;
    if (!raw || art->plain) return download(s, ref, art, fd, e);
    if (snprintf(path, sizeof path, "%s/x", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof path) return err_set(e, ERR_LIMIT, "TMPDIR is too long");
    if (!unpacked_begin(s, ref, art, path, &u, e)) return false;
    struct artifact_ref content = {.id = str_of(u.content.id)};
    struct artifact_export how = {.fd = fd, .level = -1, .name = art->name.p,
                                  .archive = u.content.form == ARTIFACT_FILE ? ARTIFACT_ARCHIVE_NONE : ARTIFACT_ARCHIVE_TAR};
    bool ok = artifact_export(u.repo, &content, &how, e);
    unpacked_end(&u);
    return ok;
}

bool remote_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e)
{
    struct unpacked u;
    if (!unpacked_begin(s, ref, art, to, &u, e)) return false;
    struct artifact_ref content = {.id = str_of(u.content.id)};
    bool ok = beside_load(&u.at, u.repo, &content, to, e);
    unpacked_end(&u);
    return ok;
}
