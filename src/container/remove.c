/* Containers that nobody needs any more: by the mark in a step's directory, or because a next try is in their way. */
#include <poll.h>
#include <unistd.h>

#include "base/limits.h"
#include "container/api_p.h"
#include "doc/json.h"
#include "os/fd.h"
#include "pod/container.h"

enum { TRIES = 25 };

/* By its id: another one may have the name by then. */
static bool drop_once(const struct api *api, struct str name, struct str step, struct str not_step, struct err *e)
{
    struct web_reply reply;
    struct val v;
    if (!api_call(api, "GET", str_fmt(api->a, "/containers/%.*s/json", STR_ARG(name)), NULL, &reply, e)) return false;
    if (reply.status == 404) return true;
    if (!api_good(&reply)) return api_refusal(api, &reply, "inspect", e);
    if (!api_json(api, &reply, &v, e)) return false;
    const struct val *labels = val_path(&v, "Config.Labels");
    struct str of = val_text(val_get(labels, STR("io.skiff.step"))), id = val_get_str(&v, "Id");
    if (!of.n) return err_set(e, ERR_AUTH, "container '%.*s' exists and is not Skiff's", STR_ARG(name));
    if (str_set(step) ? !str_eq(of, step) : str_eq(of, not_step)) return true;
    if (!api_call(api, "DELETE", str_fmt(api->a, "/containers/%.*s?force=true&v=true", STR_ARG(id)), NULL, &reply, e)) return false;
    return api_good(&reply) || reply.status == 404 || api_refusal(api, &reply, "remove", e);
}

/* Two may remove it at once; an engine refuses one of them then, until the other is done. */
bool container_drop(const struct api *api, struct str name, struct str step, struct str not_step, struct err *e)
{
    for (int i = 0; i < TRIES; i++) {
        if (drop_once(api, name, step, not_step, e)) return true;
        if (e->code != ERR_IO && e->code != ERR_CONFLICT) return false;
        poll(NULL, 0, API_PAUSE_MS);
    }
    return false;
}

bool container_remove(const char *work_dir, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct str text;
    struct val mark;
    struct err absent;
    arena_init(&a);
    const char *path = str_fmt(&a, "%s/" POD_CONTAINER_MARK, work_dir).p;
    if (!file_read(&a, path, LIMIT_DOC_BYTES, &text, &absent)) return absent.code == ERR_NOT_FOUND || (*e = absent, false);
    if (!json_parse(&a, text, NULL, &mark, NULL)) return unlink(path), true; /* half written: nothing has begun */
    struct api api = {.a = &a, .socket = val_get_str(&mark, "socket").p};
    struct str name = val_get_str(&mark, "name"), step = val_get_str(&mark, "step");
    if (!api.socket || !name.n || !step.n) return err_set(e, ERR_SPEC, "'%s' names no container", path);
    if (!container_drop(&api, name, step, STR_NONE, e)) return false;
    return unlink(path) == 0 || err_sys(e, "%s", path);
}

void container_end_read(struct arena *a, const char *work_dir, struct container_end *out)
{
    struct str text;
    struct val v;
    struct err absent;
    *out = (struct container_end){0};
    if (!file_read(a, str_fmt(a, "%s/" POD_CONTAINER_END, work_dir).p, LIMIT_DOC_BYTES, &text, &absent)) return;
    if (!json_parse(a, text, NULL, &v, &absent)) return;
    const struct val *oom = val_get(&v, STR("oom"));
    out->error = val_get_str(&v, "error");
    out->oom = oom && oom->kind == VAL_BOOL && oom->b;
}
