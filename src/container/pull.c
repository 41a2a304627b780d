/* The image is there: imagePullPolicy by the engine's own pull, with the credentials of `docker login` and `podman login`. */
#include "container/api_p.h"

#include "base/vec.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "image/auth.h"
#include "image/ref.h"

/* What the engine tells while it pulls: lines of JSON, of which one may be its failure. */
struct told {
    const struct api *api;
    struct buf line;
    struct str error;
};

enum { LINE_BYTES = 1 << 20, STALL_S = 600 };

static void line_read(struct told *t)
{
    struct arena a CLEANUP(arena_fini);
    struct val v;
    arena_init(&a);
    if (json_parse(&a, buf_view(&t->line), NULL, &v, NULL)) {
        struct str why = val_text(val_path(&v, "errorDetail.message"));
        if (!why.n) why = val_get_str(&v, "error");
        if (why.n) t->error = str_dup(t->api->a, why);
    }
    buf_reset(&t->line);
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct told *t = user;
    (void)head;
    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] != '\n') buf_char(&t->line, piece.p[i]);
        else line_read(t);
    }
    return !t->line.overflow || err_set(e, ERR_LIMIT, "a line about a pull is longer than %d bytes", LINE_BYTES);
}

/* X-Registry-Auth; absent: nothing is known. */
static bool credentials(const struct api *api, const struct val *job, const struct image_ref *ref, struct str *out, struct err *e)
{
    struct image_settings settings = {.auth_file = val_get_str(job, "auth_file")};
    struct credential c = {0};
    struct val_builder b;
    *out = STR_NONE;
    if (!credential_find(api->a, &settings, ref->host, ref->path, api->cancelled, &c, e)) return false;
    if (!c.user.n && !c.identity.n) return true;
    map_begin(&b, api->a);
    map_add_str(&b, "username", c.user);
    map_add_str(&b, "password", c.password);
    map_add_str(&b, "identitytoken", c.identity);
    map_add_str(&b, "serveraddress", str_is(ref->host, "docker.io") ? STR("https://index.docker.io/v1/") : ref->host);
    struct val all = map_done(&b);
    struct str text = base64_encode(api->a, json_text(api->a, &all));
    char *p = arena_alloc_bytes(api->a, text.n + 1);
    for (size_t i = 0; i <= text.n; i++) p[i] = text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i];
    *out = str_n(p, text.n);
    return true;
}

static bool pull(const struct api *api, const struct val *job, const struct image_ref *ref, struct err *e)
{
    struct told told = {.api = api};
    struct web_field auth = {.name = STR("X-Registry-Auth")};
    struct web_reply reply;
    struct arena *a = api->a;
    struct str platform = val_get_str(job, "platform");
    if (!credentials(api, job, ref, &auth.value, e)) return false;
    struct str version = ref->digest.n ? ref->digest : ref->tag, from = image_ref_repository(a, ref);
    struct str target = str_fmt(a, "/images/create?fromImage=%.*s&tag=%.*s%s%.*s", STR_ARG(api_escape(a, from)), STR_ARG(api_escape(a, version)),
                                platform.n ? "&platform=" : "", STR_ARG(api_escape(a, platform)));
    buf_init(&told.line, LINE_BYTES);
    struct web_request r = {.fields = &auth, .n_fields = auth.value.n ? 1 : 0, .on_piece = on_piece, .piece_user = &told, .stall_s = STALL_S,
                            .max_bytes = UINT64_MAX};
    bool ok = api_fetch(api, "POST", target, &r, &reply, e);
    if (ok && told.line.n) line_read(&told);
    buf_fini(&told.line);
    if (!ok) return false;
    if (!api_good(&reply)) return api_refusal(api, &reply, "pull", e);
    return !told.error.n || err_set(e, ERR_UNREACHABLE, "pull: %.*s", STR_ARG(str_sub(told.error, 0, ERR_TEXT_MAX / 2)));
}

bool image_present(const struct api *api, const struct val *job, struct err *e)
{
    struct str name = val_get_str(job, "image");
    struct image_ref ref;
    enum image_policy policy;
    struct web_reply reply;
    if (!image_ref_parse(api->a, name, &ref, e) || !image_policy_parse(val_get_str(job, "policy"), &ref, &policy, e))
        return err_ctx(e, "image '%.*s'", STR_ARG(name));
    if (policy == IMAGE_ALWAYS) return pull(api, job, &ref, e) || err_ctx(e, "image '%.*s'", STR_ARG(name));
    struct str full = image_ref_text(api->a, &ref);
    if (!api_call(api, "GET", str_fmt(api->a, "/images/%.*s/json", STR_ARG(full)), NULL, &reply, e)) return false;
    if (api_good(&reply)) return true;
    if (reply.status != 404) return api_refusal(api, &reply, "image", e);
    if (policy == IMAGE_NEVER)
        return err_set(e, ERR_NOT_FOUND, "image '%.*s' is not there, and imagePullPolicy is Never", STR_ARG(name));
    return pull(api, job, &ref, e) || err_ctx(e, "image '%.*s'", STR_ARG(name));
}
