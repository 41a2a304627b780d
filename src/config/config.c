/* The configuration's sources, applied lowest first, so that a later one simply replaces. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "config/toml.h"
#include "doc/closest.h"

const struct config_row config_rows[CONFIG_MAX] = {
#define CONFIG(id, key, type, dflt, unit, env, doc) {key, CONFIG_##type, dflt, unit, env, doc},
#include "config/config.def"
#undef CONFIG
};

/* One of the words that a blank-separated list holds. */
static bool word_listed(const char *list, struct str word)
{
    struct str head, rest = str_of(list);
    while (str_set(rest)) {
        str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word)) return true;
    }
    return false;
}

static bool value_check(const struct config_row *row, struct str text, const char *where, struct err *e)
{
    int64_t n;
    switch (row->type) {
    case CONFIG_BOOL:
        if (str_is(text, "true") || str_is(text, "false")) return true;
        return err_set(e, ERR_USAGE, "%s: '%s' is true or false, not '%.*s'", where, row->key, STR_ARG(text));
    case CONFIG_INT:
        if (str_to_i64(text, &n) && n >= 0) return true;
        return err_set(e, ERR_USAGE, "%s: '%s' is a whole number of %s, not '%.*s'", where, row->key, row->unit,
                       STR_ARG(text));
    case CONFIG_ENUM:
        if (word_listed(row->unit, text)) return true;
        return err_set(e, ERR_USAGE, "%s: '%s' is one of %s, not '%.*s'", where, row->key, row->unit, STR_ARG(text));
    case CONFIG_STR:
    case CONFIG_AMOUNT:
    case CONFIG_PATH: break;
    }
    return true;
}

static bool value_set(struct arena *a, struct config *c, enum config_id id, const struct config_value *v,
                      struct err *e)
{
    struct str where = str_dup(a, v->where);
    if (!value_check(&config_rows[id], v->text, where.p, e)) return false;
    c->values[id] = (struct config_value){str_dup(a, v->text), v->source, where};
    return true;
}

struct file_reading {
    struct arena *a;
    struct config *c;
    const char *file;
    enum config_source source;
};

static bool kind_fits(enum config_type type, enum toml_kind kind)
{
    if (type == CONFIG_INT) return kind == TOML_INT;
    if (type == CONFIG_BOOL) return kind == TOML_BOOL;
    if (type == CONFIG_AMOUNT && kind == TOML_INT) return true;
    return kind == TOML_STR;
}

static bool key_unknown(const struct toml_row *row, const char *where, struct err *e)
{
    struct str keys[CONFIG_MAX];
    for (int i = 0; i < CONFIG_MAX; i++) keys[i] = str_of(config_rows[i].key);
    struct str near = str_closest(row->key, keys, CONFIG_MAX);
    if (!str_set(near)) return err_set(e, ERR_USAGE, "%s: unknown setting '%.*s'", where, STR_ARG(row->key));
    return err_set(e, ERR_USAGE, "%s: unknown setting '%.*s', did you mean '%.*s'?", where, STR_ARG(row->key),
                   STR_ARG(near));
}

static struct str path_beside(struct arena *a, const char *file, struct str path)
{
    const char *slash = strrchr(file, '/');
    if (!slash || path.n == 0 || path.p[0] == '/') return path;
    return str_fmt(a, "%.*s/%.*s", (int)(slash - file), file, STR_ARG(path));
}

static bool row_apply(void *ctx, const struct toml_row *row, struct err *e)
{
    struct file_reading *r = ctx;
    struct str where = str_fmt(r->a, "%s:%d:%d", r->file, row->line, row->col);
    for (int i = 0; i < CONFIG_MAX; i++) {
        if (!str_is(row->key, config_rows[i].key)) continue;
        if (!kind_fits(config_rows[i].type, row->kind))
            return err_set(e, ERR_USAGE, "%s: '%s' has a value of the wrong kind", where.p, config_rows[i].key);
        struct str text = config_rows[i].type == CONFIG_PATH ? path_beside(r->a, r->file, row->text) : row->text;
        struct config_value v = {text, r->source, where};
        return value_set(r->a, r->c, (enum config_id)i, &v, e);
    }
    return key_unknown(row, where.p, e);
}

bool config_read_text(struct arena *a, struct config *c, struct str text, const char *file,
                      enum config_source source, struct err *e)
{
    struct file_reading r = {a, c, file, source};
    return toml_read(a, text, file, row_apply, &r, e);
}

/* Whoever can write the file decides what runs as the caller. */
static const char *file_flaw(const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) return "it is no regular file";
    if (st->st_uid != geteuid() && st->st_uid != 0) return "it belongs to another user";
    if (st->st_mode & S_IWOTH) return "everybody may write to it";
    if ((st->st_mode & S_IWGRP) && st->st_gid != getegid()) return "another group may write to it";
    return NULL;
}

static bool fd_read(int fd, const char *path, struct buf *b, struct err *e)
{
    char chunk[4096];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && !b->overflow) buf_add(b, chunk, (size_t)n);
    if (n < 0) return err_sys(e, "read '%s'", path);
    return !b->overflow || err_set(e, ERR_LIMIT, "'%s' is larger than LIMIT_CONFIG_BYTES (%d bytes)", path, LIMIT_CONFIG_BYTES);
}

/* True without *found: there is none that counts. *flaw says why it does not; the user's own file may be whatever it is. */
static bool file_read(const char *path, bool own, struct buf *b, bool *found, const char **flaw, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | (own ? 0 : O_NONBLOCK | O_NOCTTY));
    *found = false;
    *flaw = NULL;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return true;
    if (fd < 0 && !own && (errno == EACCES || errno == ELOOP || errno == ENXIO)) return *flaw = "it cannot be read", true;
    if (fd < 0) return err_sys(e, "open '%s'", path);
    bool ok = own || fstat(fd, &st) == 0 || err_sys(e, "look at '%s'", path);
    if (ok && !own) *flaw = file_flaw(&st);
    ok = ok && (*flaw || fd_read(fd, path, b, e));
    close(fd);
    *found = ok && !*flaw;
    return ok;
}

static bool file_apply(struct arena *a, struct config *c, const char *path, enum config_source source, bool *found,
                       struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    const char *flaw;
    buf_init(&b, LIMIT_CONFIG_BYTES);
    if (!file_read(path, source == CONFIG_USER_FILE, &b, found, &flaw, e)) return false;
    if (flaw && !c->ignored.n) c->ignored = str_fmt(a, "'%s' is ignored: %s", path, flaw);
    return !*found || config_read_text(a, c, buf_view(&b), path, source, e);
}

static const char *env_of(const struct config_world *w, const char *name)
{
    const char *v = w->getenv ? w->getenv(name) : NULL;
    return v && *v ? v : NULL;
}

static bool user_file_apply(struct arena *a, struct config *c, const struct config_world *w, struct err *e)
{
    const char *xdg = env_of(w, "XDG_CONFIG_HOME"), *home = env_of(w, "HOME");
    bool found;
    if (!xdg && !home) return true;
    struct str path = xdg ? str_fmt(a, "%s/skiff/config.toml", xdg) : str_fmt(a, "%s/.config/skiff/config.toml", home);
    return file_apply(a, c, path.p, CONFIG_USER_FILE, &found, e);
}

/* skiff.toml in the working directory or the nearest directory above it; one that a stranger could have written is
 * passed over. */
static bool project_file_apply(struct arena *a, struct config *c, const struct config_world *w, struct err *e)
{
    struct str dir = str_of(w->cwd ? w->cwd : "");
    while (dir.n > 0) {
        bool found;
        bool root = dir.n == 1;
        struct str path = str_fmt(a, "%.*s/skiff.toml", root ? 0 : (int)dir.n, dir.p);
        if (!file_apply(a, c, path.p, CONFIG_PROJECT_FILE, &found, e)) return false;
        if (found || root) return true;
        size_t n = dir.n;
        while (n > 0 && dir.p[n - 1] != '/') n--;
        dir.n = n > 1 ? n - 1 : n;
    }
    return true;
}

static bool env_apply(struct arena *a, struct config *c, const struct config_world *w, struct err *e)
{
    for (int i = 0; i < CONFIG_MAX; i++) {
        const char *text = env_of(w, config_rows[i].env);
        struct config_value v = {str_of(text), CONFIG_ENV, str_of(config_rows[i].env)};
        if (text && !value_set(a, c, (enum config_id)i, &v, e)) return false;
    }
    const char *argo = env_of(w, "ARGO_NAMESPACE"); /* honoured when ours is not set */
    if (argo && c->values[CONFIG_NAMESPACE].source != CONFIG_ENV)
        c->values[CONFIG_NAMESPACE] = (struct config_value){str_dup(a, str_of(argo)), CONFIG_ENV, STR("ARGO_NAMESPACE")};
    return true;
}

bool config_load(struct arena *a, struct config *c, const struct config_world *w, struct err *e)
{
    c->ignored = STR_NONE;
    for (int i = 0; i < CONFIG_MAX; i++)
        c->values[i] = (struct config_value){str_of(config_rows[i].dflt), CONFIG_DEFAULT, STR("default")};
    return user_file_apply(a, c, w, e) && project_file_apply(a, c, w, e) && env_apply(a, c, w, e);
}

bool config_set_flag(struct arena *a, struct config *c, enum config_id id, struct str text, const char *flag,
                     struct err *e)
{
    struct config_value v = {text, CONFIG_FLAG, str_of(flag)};
    return value_set(a, c, id, &v, e);
}

struct str config_str(const struct config *c, enum config_id id) { return c->values[id].text; }

int64_t config_int(const struct config *c, enum config_id id)
{
    ASSERT(config_rows[id].type == CONFIG_INT);
    int64_t n;
    ASSERT(str_to_i64(c->values[id].text, &n)); /* checked when it was set */
    return n;
}

bool config_bool(const struct config *c, enum config_id id)
{
    ASSERT(config_rows[id].type == CONFIG_BOOL);
    return str_is(c->values[id].text, "true");
}

bool config_is(const struct config *c, enum config_id id, const char *word)
{
    return str_is(c->values[id].text, word);
}

bool config_state_dir(struct arena *a, const struct config *c, const struct config_world *w, struct str *out,
                      struct err *e)
{
    struct str set = config_str(c, CONFIG_STATE_DIR);
    const char *xdg = env_of(w, "XDG_STATE_HOME"), *home = env_of(w, "HOME");
    if (set.n && set.p[0] != '/' && w->cwd) *out = str_fmt(a, "%s/%.*s", w->cwd, STR_ARG(set));
    else if (set.n) *out = set;
    else if (xdg && xdg[0] == '/') *out = str_fmt(a, "%s/skiff", xdg);
    else if (home) *out = str_fmt(a, "%s/.local/state/skiff", home);
    else return err_set(e, ERR_USAGE, "no state directory: neither --state, SKIFF_STATE nor HOME is set");
    return true;
}

/* "unix:///run/x.sock" or a path. Directories of steps are mounted into containers, so the engine is on this machine. */
static bool socket_of(struct arena *a, struct str text, const char *where, struct str *out, struct err *e)
{
    struct str path = str_starts(text, STR("unix://")) ? str_from(text, 7) : text;
    *out = str_dup(a, path);
    if (path.n && path.p[0] == '/') return true;
    return err_set(e, ERR_UNSUPPORTED, "%s: '%.*s' is neither a path nor unix:///PATH: a container engine elsewhere is not supported", where,
                   STR_ARG(text));
}

bool config_container_socket(struct arena *a, const struct config *c, const struct config_world *w, struct str *out, struct err *e)
{
    static const char *const names[] = {"DOCKER_HOST", "CONTAINER_HOST"};
    const char *runtime_dir = env_of(w, "XDG_RUNTIME_DIR");
    struct str set = config_str(c, CONFIG_CONTAINER_SOCKET);
    if (set.n) return socket_of(a, set, "container.socket", out, e);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (env_of(w, names[i])) return socket_of(a, str_of(env_of(w, names[i])), names[i], out, e);
    struct str places[] = {STR("/var/run/docker.sock"), str_fmt(a, "%s/podman/podman.sock", runtime_dir ? runtime_dir : "/run"),
                           STR("/run/podman/podman.sock")};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i].p, F_OK) == 0) return *out = places[i], true;
    return err_set(e, ERR_NOT_FOUND, "no socket of Docker or Podman: start one of them, or say where it is in container.socket or "
                   "$DOCKER_HOST");
}
