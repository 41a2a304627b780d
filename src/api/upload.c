/* Argo's route that takes a file for an input artifact. The body lies in an unnamed file when the handler is called; what is
 * slow (finding the field, storing its bytes) is a worker's. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_p.h"
#include "http/multipart.h"

struct uploading {
    struct http_req *req;
    struct service *s;
    const char *state_dir;
    int fd;
    struct str type, ns, artifact; /* live in the request's arena */
    struct arena a;
    struct str file;
    struct upload saved;
    bool ok;
    struct err e;
};

/* What a client calls its file: the last part of a path, whichever system it is from. */
static bool file_name(struct arena *a, struct str given, struct str *out, struct err *e)
{
    size_t at = given.n;
    while (at && given.p[at - 1] != '/' && given.p[at - 1] != '\\') at--;
    *out = str_dup(a, str_from(given, at));
    bool ok = out->n && out->n <= 255 && !str_is(*out, ".") && !str_is(*out, "..");
    for (size_t i = 0; ok && i < out->n; i++) ok = (unsigned char)out->p[i] >= ' ' && out->p[i] != 127;
    return ok || err_set(e, ERR_SPEC, "the field `file` has no name that a file may have");
}

static bool save(struct uploading *u, struct str body, struct err *e)
{
    struct multipart_part part;
    return multipart_find(u->type, body, "file", &part, e) && file_name(&u->a, part.file_name, &u->file, e) &&
           service_upload_save(u->state_dir, part.bytes, &u->saved, e);
}

static void take(void *user) /* on a pool thread */
{
    struct uploading *u = user;
    struct stat st;
    if (fstat(u->fd, &st) != 0 || !st.st_size) {
        u->ok = save(u, STR(""), &u->e);
        return;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, u->fd, 0);
    if (p == MAP_FAILED) {
        u->ok = err_sys(&u->e, "the body");
        return;
    }
    u->ok = save(u, str_n(p, (size_t)st.st_size), &u->e);
    munmap(p, (size_t)st.st_size);
}

static void taken(void *user)
{
    struct uploading *u = user;
    struct arena *a = http_req_arena(u->req);
    struct str key;
    struct val_builder b;
    close(u->fd);
    if (u->ok && service_upload_keep(a, u->s, u->ns, u->file, &u->saved, &key, &u->e)) {
        map_begin(&b, a);
        map_add_str(&b, "name", u->artifact);
        map_add_str(&b, "key", key);
        struct val reply = map_done(&b);
        api_answer(u->req, &reply);
    } else {
        http_reply_err(u->req, &u->e);
    }
    arena_fini(&u->a);
    free(u);
}

void upload_artifact(struct http_req *r, void *user)
{
    struct arena *a = http_req_arena(r);
    struct service *s = api_service(user);
    struct str ns = http_req_param(r, "namespace"), name = http_req_param(r, "workflowTemplate");
    struct val tmpl;
    struct err e;
    if (!service_object_get(a, s, SERVICE_TEMPLATE, ns, name, &tmpl, &e)) {
        http_reply_err(r, &e);
        return;
    }
    struct uploading *u = mem_zalloc(sizeof *u);
    *u = (struct uploading){.req = r, .s = s, .state_dir = service_state_dir(s), .fd = http_req_spooled(r), .ns = ns,
                            .type = http_req_header(r, "Content-Type"), .artifact = http_req_param(r, "artifactName")};
    arena_init(&u->a);
    loop_job(service_loop(s), take, taken, u);
}
