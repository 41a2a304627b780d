/* Argo's route for looking at artifacts in a browser: one as a whole, a file in it, or a directory as a page with links.
 *
 * What steps have written is nobody's friend: everything is answered for a sandbox, and nothing outside of the artifact can be
 * named, neither by the path nor by a symlink. Format: Argo's server/artifacts. */
#include <unistd.h>

#include "api/api_p.h"
#include "base/limits.h"

struct viewing {
    struct http_req *req;
    struct run_artifact art; /* lives in the request's arena */
    const char *state_dir;
    struct str path;         /* in the artifact; empty: itself */
    bool whole;              /* as Argo has kept it: packed */
    bool slash;              /* the request's path ends with one: a directory is wanted */
    struct arena a;
    struct artifact_view view;
    bool ok;
    struct err e;
};

static void look(void *user) /* on a pool thread */
{
    struct viewing *v = user;
    v->ok = v->whole ? service_artifact_open(v->state_dir, &v->art, &v->view.fd, &v->e)
                     : service_artifact_view(&v->a, v->state_dir, &v->art, v->path, &v->view, &v->e);
}

static const char *media_type(struct str name)
{
    static const struct { const char *ending, *type; } types[] = {
#define MEDIA(ending, type) {"." ending, type},
#include "api/media_types.def"
#undef MEDIA
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_ends(name, str_of(types[i].ending))) return types[i].type;
    return "application/octet-stream";
}

static void text_escape(struct buf *b, struct str s)
{
    static const struct { char c; const char *as; } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < s.n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(escapes) && escapes[k].c != s.p[i]) k++;
        if (k < ARRAY_LEN(escapes)) buf_str(b, str_of(escapes[k].as));
        else buf_char(b, s.p[i]);
    }
}

/* A relative link: "./" keeps a name with a colon from being a scheme. */
static void link_write(struct buf *b, struct str name)
{
    buf_str(b, STR("<li><a href=\"./"));
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-_./~", c);
        buf_printf(b, plain ? "%c" : "%%%02X", c);
    }
    buf_str(b, STR("\">"));
    text_escape(b, name);
    buf_str(b, STR("</a></li>\n"));
}

static void go_to(struct http_req *r, struct str where)
{
    http_reply_header(r, "Location", where);
    http_reply(r, 307, NULL, STR(""));
}

static void show_directory(struct viewing *v)
{
    struct buf page;
    struct arena *a = http_req_arena(v->req);
    struct str at = http_req_path(v->req);
    if (!v->slash) {
        go_to(v->req, str_cat(a, at, STR("/")));
        return;
    }
    for (size_t i = 0; i < v->view.n; i++)
        if (str_is(v->view.names[i], "index.html")) {
            go_to(v->req, str_cat(a, at, STR("index.html")));
            return;
        }
    buf_init(&page, LIMIT_HTTP_STREAM_BYTES);
    buf_str(&page, STR("<html><body><ul>\n"));
    link_write(&page, STR(".."));
    for (size_t i = 0; i < v->view.n; i++) link_write(&page, v->view.names[i]);
    buf_str(&page, STR("</ul></body></html>\n"));
    if (page.overflow) err_set(&v->e, ERR_LIMIT, "the directory has more names than a page can show");
    if (page.overflow) http_reply_err(v->req, &v->e);
    else http_reply(v->req, 200, "text/html; charset=utf-8", buf_view(&page));
    buf_fini(&page);
}

static void show(void *user)
{
    struct viewing *v = user;
    struct arena *a = http_req_arena(v->req);
    struct str name = artifact_file_name(a, &v->art), dir;
    for (struct str rest = v->path; str_set(rest) && rest.n;) str_cut(rest, '/', &dir, &rest), name = dir.n ? dir : name;
    if (v->ok && v->slash && !v->view.is_directory) {
        close(v->view.fd);
        v->ok = err_set(&v->e, ERR_NOT_FOUND, "'%.*s' is no directory", STR_ARG(name));
    }
    http_reply_header(v->req, "Content-Security-Policy",
                      STR("sandbox; base-uri 'none'; default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'"));
    http_reply_header(v->req, "X-Frame-Options", STR("SAMEORIGIN"));
    http_reply_header(v->req, "X-Content-Type-Options", STR("nosniff"));
    if (!v->ok) http_reply_err(v->req, &v->e);
    else if (v->view.is_directory) show_directory(v);
    else api_answer_file(v->req, v->view.fd, name, media_type(name), STR_NONE);
    arena_fini(&v->a);
    free(v);
}

/* Names of files alone: no "..", and nothing twice. A slash at the end is not part of it. */
static bool path_check(struct str file, struct str *path, struct err *e)
{
    struct str part, rest = file.n && str_ends(file, STR("/")) ? str_sub(file, 0, file.n - 1) : file;
    *path = rest;
    while (str_set(rest) && path->n) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, ".") || str_is(part, ".."))
            return err_set(e, ERR_SPEC, "'%.*s' is not a path in an artifact", STR_ARG(file));
    }
    return true;
}

static bool choice(struct http_req *r, const char *param, const char *no, const char *yes, bool *out, struct err *e)
{
    struct str given = http_req_param(r, param);
    *out = str_is(given, yes);
    return *out || str_is(given, no) ||
           err_set(e, ERR_SPEC, "the path says '%.*s' where %s or %s should be", STR_ARG(given), no, yes);
}

static bool workflow_of(struct http_req *r, void *user, struct workflow_ref *ref, struct err *e)
{
    struct str id = http_req_param(r, "id");
    bool by_uid;
    *ref = (struct workflow_ref){http_req_param(r, "namespace"), id};
    return choice(r, "idDiscriminator", "workflows", "archived-workflows", &by_uid, e) && (!by_uid || api_uid_ref(r, user, id, ref, e));
}

void get_artifact_file(struct http_req *r, void *user)
{
    struct service *s = api_service(user);
    struct str file = http_req_param(r, "file");
    struct viewing v = {.req = r, .state_dir = service_state_dir(s)};
    struct workflow_ref ref;
    struct err e;
    bool input;
    if (!path_check(str_set(file) ? file : STR(""), &v.path, &e) || !choice(r, "artifactDiscriminator", "outputs", "inputs", &input, &e) ||
        !workflow_of(r, user, &ref, &e) || !api_artifact_find(r, s, &ref, input, &v.art, &e)) {
        http_reply_err(r, &e);
        return;
    }
    v.slash = str_set(file) && (!file.n || str_ends(file, STR("/")));
    v.whole = !str_set(file) && !v.art.plain;
    struct viewing *job = mem_zalloc(sizeof *job);
    *job = v;
    arena_init(&job->a);
    loop_job(service_loop(s), look, show, job);
}
