/* Files that users bring: stored as artifacts under keys of their own, which workflows then name as inputs. */
#include "artifact/artifact.h"
#include "os/clock.h"
#include "service/service_p.h"

bool service_upload_save(const char *state_dir, struct str bytes, struct upload *out, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_content content;
    struct artifact_repo *repo;
    arena_init(&a);
    if (!artifact_local_open(str_fmt(&a, "%s/artifacts", state_dir).p, &repo, e)) return false;
    bool ok = artifact_save_text(repo, bytes, &content, e) && artifact_sync(repo, e);
    artifact_close(repo);
    if (!ok) return false;
    snprintf(out->content, sizeof out->content, "%s", content.id);
    out->size_bytes = (int64_t)content.size_bytes;
    return true;
}

bool service_upload_keep(struct arena *a, struct service *s, struct str ns, struct str file, const struct upload *u,
                         struct str *key, struct err *e)
{
    *key = str_fmt(a, "uploads/%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(uuid_random(a)), STR_ARG(file));
    struct artifact_row row = {.ns = ns, .key = *key, .content = str_of(u->content), .form = STR("file"),
                               .size_bytes = u->size_bytes, .hash = STR(""), .created_us = clock_now_us()};
    if (!s->exec) return err_set(e, ERR_UNREACHABLE, "no engine is at work here");
    return exec_begin(s->exec, e) && store_artifact_put(service_store(s), &row, e) && exec_commit(s->exec, e);
}
