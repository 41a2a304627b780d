/* See api_p.h. Paths have no version: the engine's own is the newest that it knows, and old ones are no longer
 * served by new engines. */
#include "container/api_p.h"

#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"

struct str api_escape(struct arena *a, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *p = arena_alloc_bytes(a, text.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~", c);
        if (plain && c) {
            p[n++] = (char)c;
            continue;
        }
        p[n++] = '%';
        p[n++] = hex[c >> 4];
        p[n++] = hex[c & 15];
    }
    p[n] = 0;
    return str_n(p, n);
}

bool api_fetch(const struct api *api, const char *method, struct str target, struct web_request *r, struct web_reply *out, struct err *e)
{
    r->socket = api->socket;
    r->method = str_of(method);
    r->url = str_fmt(api->a, "http://localhost%.*s", STR_ARG(target));
    r->cancelled = api->cancelled;
    return web_fetch(api->a, r, out, e) || err_ctx(e, "container engine at %s", api->socket);
}

bool api_call(const struct api *api, const char *method, struct str target, const struct val *body, struct web_reply *out, struct err *e)
{
    const struct web_field json = {STR("Content-Type"), STR("application/json")};
    struct web_request r = {.timeout_ms = API_TIMEOUT_MS};
    if (body) {
        r.body = json_text(api->a, body);
        r.fields = &json;
        r.n_fields = 1;
    }
    return api_fetch(api, method, target, &r, out, e);
}

bool api_json(const struct api *api, const struct web_reply *reply, struct val *out, struct err *e)
{
    return json_parse(api->a, reply->body, NULL, out, e) || err_ctx(e, "answer of the container engine");
}

bool api_refusal(const struct api *api, const struct web_reply *reply, const char *what, struct err *e)
{
    struct val v;
    struct str text = STR_NONE;
    if (json_parse(api->a, reply->body, NULL, &v, NULL)) text = str_trim(val_get_str(&v, "message"));
    if (!text.n) text = reply->status_text;
    enum err_code code = reply->status == 404 ? ERR_NOT_FOUND : reply->status == 409 ? ERR_CONFLICT : ERR_IO;
    return err_set(e, code, "%s: %.*s", what, STR_ARG(str_sub(text, 0, ERR_TEXT_MAX / 2)));
}

bool container_engine(struct arena *a, const char *socket, struct str *out, struct err *e)
{
    struct api api = {.a = a, .socket = socket};
    struct web_request r = {.timeout_ms = API_HELLO_MS};
    struct web_reply reply;
    struct val v;
    if (!api_fetch(&api, "GET", STR("/version"), &r, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(&api, &reply, "version", e);
    if (!api_json(&api, &reply, &v, e)) return false;
    struct str name = val_text(val_path(&v, "Components.0.Name"));
    *out = str_fmt(a, "%.*s %.*s (API %.*s)", STR_ARG(name.n ? name : STR("Engine")), STR_ARG(val_get_str(&v, "Version")),
                   STR_ARG(val_get_str(&v, "ApiVersion")));
    return true;
}
