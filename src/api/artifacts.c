/* Argo's routes that hand out artifacts. Packing is done by a worker; the request waits for it. */
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_p.h"

struct download {
    struct http_req *req;
    struct run_artifact art; /* lives in the request's arena */
    const char *state_dir;
    int fd;
    bool ok;
    struct err e;
};

/* On a pool thread: nothing of the request is touched but what is in the arena. */
static void pack(void *user)
{
    struct download *d = user;
    d->ok = service_artifact_open(d->state_dir, &d->art, &d->fd, &d->e);
}

/* Content never changes, and how it is packed follows from the artifact. */
static struct str etag_of(struct arena *a, const struct run_artifact *art)
{
    if (!art->content.n) return STR_NONE;
    return str_fmt(a, "\"%.*s%s\"", STR_ARG(art->content), art->plain ? "" : art->packed_zip ? "-zip" : "-tgz");
}

/* RFC 6266, a quoted string of RFC 9110. */
static struct str disposition(struct arena *a, struct str file_name)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 2 * file_name.n + 100);
    buf_str(&b, STR("filename=\""));
    for (size_t i = 0; i < file_name.n; i++) buf_printf(&b, "%s%c", file_name.p[i] == '"' || file_name.p[i] == '\\' ? "\\" : "", file_name.p[i]);
    buf_str(&b, STR("\""));
    return buf_dup(a, &b);
}

void api_answer_file(struct http_req *r, int fd, struct str file_name, const char *type, struct str etag)
{
    struct stat st;
    struct err e;
    if (fstat(fd, &st) != 0) {
        err_sys(&e, "artifact");
        close(fd);
        http_reply_err(r, &e);
        return;
    }
    http_reply_header(r, "Content-Disposition", disposition(http_req_arena(r), file_name));
    http_reply_range(r, type, fd, (uint64_t)st.st_size, etag);
}

static void packed(void *user)
{
    struct download *d = user;
    struct arena *a = http_req_arena(d->req);
    if (d->ok) api_answer_file(d->req, d->fd, artifact_file_name(a, &d->art), "application/octet-stream", etag_of(a, &d->art));
    else http_reply_err(d->req, &d->e);
    free(d);
}

bool api_artifact_find(struct http_req *r, struct service *s, const struct workflow_ref *ref, bool input, struct run_artifact *out,
                       struct err *e)
{
    struct str node = http_req_param(r, "nodeId"), name = http_req_param(r, "artifactName");
    struct run_artifact *arts;
    size_t n;
    if (!service_artifacts(http_req_arena(r), s, ref->ns, ref->name, input, &arts, &n, e)) return false;
    for (size_t i = 0; i < n; i++)
        if (arts[i].input == input && str_eq(arts[i].node_id, node) && str_eq(arts[i].name, name)) return *out = arts[i], true;
    return err_set(e, ERR_NOT_FOUND, "artifact not found: node '%.*s' has no %s artifact '%.*s'", STR_ARG(node),
                   input ? "input" : "output", STR_ARG(name));
}

static void hand_out(struct http_req *r, void *user, bool by_uid, bool input)
{
    struct service *s = api_service(user);
    struct workflow_ref ref = {http_req_param(r, "namespace"), http_req_param(r, "name")};
    struct run_artifact art;
    struct err e;
    bool ok = !by_uid || service_find_uid(http_req_arena(r), s, http_req_param(r, "uid"), &ref, &e);
    if (!ok || !api_artifact_find(r, s, &ref, input, &art, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct download *d = mem_zalloc(sizeof *d);
    *d = (struct download){.req = r, .art = art, .state_dir = service_state_dir(s)};
    loop_job(service_loop(s), pack, packed, d);
}

void get_artifact(struct http_req *r, void *user) { hand_out(r, user, false, false); }
void get_input_artifact(struct http_req *r, void *user) { hand_out(r, user, false, true); }
void get_artifact_by_uid(struct http_req *r, void *user) { hand_out(r, user, true, false); }
void get_input_artifact_by_uid(struct http_req *r, void *user) { hand_out(r, user, true, true); }
