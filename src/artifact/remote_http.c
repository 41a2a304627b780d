/* Files behind a URL: GET to fetch, PUT to send (artifacts/http/http.go); also for Artifactory, which is
 * the same with a user and a password. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "artifact/remote.h"
#include "base/limits.h"
#include "doc/json.h"
#include "os/fd.h"

enum { TOKEN_MAX = 1 << 20, FORM_MAX = 1 << 20 };

/* ---- OAuth 2 ---- */

static void form_text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-_.~", c));
        if (plain) buf_char(b, (char)c);
        else if (c == ' ') buf_char(b, '+');
        else buf_printf(b, "%%%02X", c);
    }
}

static void form_add(struct buf *b, const char *key, struct str value)
{
    if (b->n) buf_char(b, '&');
    form_text(b, str_of(key));
    buf_char(b, '=');
    form_text(b, value);
}

static struct str form_escaped(struct arena *a, struct str s)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, FORM_MAX);
    form_text(&b, s);
    return buf_dup(a, &b);
}

/* As golang.org/x/oauth2: the client's name and secret in the header first, and where that is refused in
 * the form. */
static bool token_ask(struct arena *a, const struct remote *r, bool in_form, struct web_reply *reply, struct err *e)
{
    const struct remote_oauth2 *o = &r->http.oauth2;
    struct web_field type = {STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    struct buf form CLEANUP(buf_fini);
    struct web_request q = {.method = STR("POST"), .url = o->token_url, .fields = &type, .n_fields = 1,
                            .max_bytes = TOKEN_MAX, .timeout_ms = LIMIT_WEB_STALL_S * 1000, .cancelled = r->cancelled};
    buf_init(&form, FORM_MAX);
    form_add(&form, "grant_type", STR("client_credentials"));
    if (o->scopes.n) form_add(&form, "scope", o->scopes);
    for (size_t i = 0; i < o->n_params; i++) form_add(&form, str_z(a, o->params[i].name), o->params[i].value);
    if (in_form) {
        form_add(&form, "client_id", o->client_id);
        form_add(&form, "client_secret", o->client_secret);
    } else {
        q.user = form_escaped(a, o->client_id);
        q.password = form_escaped(a, o->client_secret);
    }
    q.body = buf_view(&form);
    return web_fetch(a, &q, reply, e);
}

static bool token(struct arena *a, const struct remote *r, struct str *header, struct err *e)
{
    struct web_reply reply;
    struct val v;
    if (!token_ask(a, r, false, &reply, e)) return false;
    if (reply.status >= 400 && !token_ask(a, r, true, &reply, e)) return false;
    if (reply.status < 200 || reply.status > 299)
        return err_set(e, ERR_AUTH, "oauth2: cannot fetch token: %.*s", STR_ARG(reply.status_text));
    if (!json_parse(a, reply.body, NULL, &v, e)) return err_ctx(e, "oauth2: cannot parse json");
    struct str access = val_get_str(&v, "access_token");
    if (!access.n) return err_set(e, ERR_AUTH, "oauth2: server response missing access_token");
    *header = str_fmt(a, "Bearer %.*s", STR_ARG(access));
    return true;
}

/* ---- requests ---- */

static bool request(struct arena *a, const struct remote *r, struct web_request *q, struct err *e)
{
    const struct remote_http *h = &r->http;
    bool oauth = h->oauth2.token_url.n && !(h->cert.n && h->key.n);
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, h->n_fields + 1);
    *q = (struct web_request){.url = h->url, .fields = fields, .user = h->user, .password = h->password, .cert = h->cert,
                              .key = h->key, .cancelled = r->cancelled, .max_bytes = (uint64_t)LIMIT_ARTIFACT_MIB << 20};
    for (size_t i = 0; i < h->n_fields; i++) fields[q->n_fields++] = h->fields[i];
    if (!oauth) return true;
    q->user = q->password = STR_NONE;
    fields[q->n_fields].name = STR("Authorization");
    return token(a, r, &fields[q->n_fields++].value, e);
}

static bool http_load(const struct remote *r, const char *to, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct web_request q;
    struct web_reply reply;
    int fd CLEANUP(close_fd) = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot make '%s'", to);
    arena_init(&a);
    if (!request(&a, r, &q, e)) return false;
    q.to_file = true;
    q.sink_fd = fd;
    if (!web_fetch(&a, &q, &reply, e)) return false;
    if (reply.status == 404) return err_set(e, ERR_NOT_FOUND, "%.*s", STR_ARG(reply.status_text));
    if (reply.status >= 200 && reply.status < 300) return true;
    return err_set(e, ERR_UNREACHABLE, "loading content from %.*s failed with reason: %.*s",
                   STR_ARG(str_sub(r->http.url, 0, 400)), STR_ARG(reply.status_text));
}

static bool http_save(const struct remote *r, int fd, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct web_request q;
    struct web_reply reply;
    arena_init(&a);
    if (!request(&a, r, &q, e)) return false;
    q.method = STR("PUT");
    q.from_file = true;
    q.source_fd = fd;
    q.max_bytes = LIMIT_WEB_BODY_BYTES;
    if (!web_fetch(&a, &q, &reply, e)) return false;
    if (reply.status >= 200 && reply.status < 300) return true;
    return err_set(e, ERR_UNREACHABLE, "saving file to %.*s failed with reason: %.*s",
                   STR_ARG(str_sub(r->http.url, 0, 400)), STR_ARG(reply.status_text));
}

const struct remote_driver remote_http_driver = {.name = "http", .load = http_load, .save = http_save};
