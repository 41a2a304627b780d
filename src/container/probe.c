/* skiff-container probe: a command beside what runs in a container. Its exit status is the command's.
 * skiff-container begun: waits for the container. */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/limits.h"
#include "container/api_p.h"
#include "doc/json.h"

enum { STATUS_NONE = 125 };

static struct val request(struct arena *a, char **words)
{
    struct val_builder b, list;
    list_begin(&list, a);
    for (; *words; words++) list_add(&list, val_of_str(str_of(*words)));
    map_begin(&b, a);
    map_add(&b, STR("Cmd"), list_done(&list));
    map_add(&b, STR("AttachStdout"), val_of_bool(true)); /* so that starting it takes until its end */
    map_add(&b, STR("AttachStderr"), val_of_bool(true));
    return map_done(&b);
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    (void)user, (void)head, (void)piece, (void)e;
    return true;
}

static bool exec_run(const struct api *api, const char *name, char **words, int64_t *code, struct err *e)
{
    struct web_reply reply;
    struct val v = request(api->a, words);
    if (!api_call(api, "POST", str_fmt(api->a, "/containers/%s/exec", name), &v, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(api, &reply, "exec", e);
    if (!api_json(api, &reply, &v, e)) return false;
    struct str id = val_get_str(&v, "Id");
    const struct web_field json = {STR("Content-Type"), STR("application/json")};
    struct web_request r = {.body = STR("{\"Detach\":false,\"Tty\":false}"), .fields = &json, .n_fields = 1, .on_piece = on_piece,
                            .stall_s = INT32_MAX, .max_bytes = UINT64_MAX};
    if (!api_fetch(api, "POST", str_fmt(api->a, "/exec/%.*s/start", STR_ARG(id)), &r, &reply, e)) return false;
    if (!api_good(&reply)) return api_refusal(api, &reply, "exec", e);
    if (!api_call(api, "GET", str_fmt(api->a, "/exec/%.*s/json", STR_ARG(id)), NULL, &reply, e) || !api_json(api, &reply, &v, e)) return false;
    const struct val *n = val_get(&v, STR("ExitCode"));
    return (n && val_i64(n, code)) || err_set(e, ERR_IO, "exec: nobody says how it ended");
}

int container_probe(const char *socket, const char *name, char **words)
{
    struct arena a;
    struct err e;
    int64_t code;
    arena_init(&a);
    struct api api = {.a = &a, .socket = socket};
    bool ok = exec_run(&api, name, words, &code, &e);
    arena_fini(&a);
    return ok ? (int)(code & 255) : STATUS_NONE;
}

/* Who ends the step ends this, too. */
int container_begun(const char *path)
{
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];
    const char *name = strrchr(path, '/');
    int fd = inotify_init1(IN_CLOEXEC);
    if (!name || fd < 0) return STATUS_NONE;
    struct str dir = {path, (size_t)(name - path)};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (inotify_add_watch(fd, str_dup(&a, dir).p, IN_CREATE | IN_MOVED_TO) < 0) return STATUS_NONE;
    while (access(path, F_OK) != 0)
        if (read(fd, event, sizeof event) <= 0 && errno != EINTR) return STATUS_NONE;
    close(fd);
    return 0;
}
