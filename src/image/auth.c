/* See auth.h. */
#include "image/auth.h"

#include <unistd.h>

#include "doc/base64.h"
#include "doc/json.h"
#include "os/child.h"
#include "os/fd.h"

enum { HELPER_MS = 60000, FILE_MAX = 4 << 20 };
static const char docker_hub[] = "https://index.docker.io/v1/"; /* what docker calls docker.io */

extern char **environ;

/* ---- a file ---- */

/* "https://host/v1/" → "host"; a path stays unless it is that of docker's old protocol. */
static struct str key_host(struct str key)
{
    ptrdiff_t scheme = str_find(key, STR("://"), 0);
    struct str head, rest, k = scheme >= 0 ? str_from(key, (size_t)scheme + 3) : key;
    str_cut(k, '/', &head, &rest);
    bool old = str_is(rest, "v1") || str_is(rest, "v1/") || str_is(rest, "v2") || str_is(rest, "v2/");
    if (scheme >= 0 || !rest.n || old) k = head;
    return str_is(k, "index.docker.io") || str_is(k, "registry-1.docker.io") ? STR("docker.io") : k;
}

static const struct val *entry_of(struct arena *a, const struct val *map, struct str host, struct str path)
{
    struct str want = str_fmt(a, "%.*s/%.*s", STR_ARG(host), STR_ARG(path));
    while (map && map->kind == VAL_MAP) { /* the longest path first */
        for (uint32_t i = 0; i < map->n; i++)
            if (str_eq(key_host(map->map[i].key), want)) return &map->map[i].v;
        if (want.n <= host.n) break;
        while (want.n > host.n && want.p[want.n - 1] != '/') want.n--;
        want.n--;
    }
    return NULL;
}

static bool entry_read(struct arena *a, const struct val *v, struct str host, struct credential *out, struct err *e)
{
    struct str plain, auth = val_get_str(v, "auth");
    *out = (struct credential){val_get_str(v, "username"), val_get_str(v, "password"), val_get_str(v, "identitytoken")};
    if (auth.n && (!base64_decode(a, auth, &plain) || !str_cut(plain, ':', &out->user, &out->password)))
        return err_set(e, ERR_AUTH, "the stored credentials for %.*s are damaged: log in again", STR_ARG(host));
    return out->identity.n || out->user.n;
}

bool credential_in(struct arena *a, const struct val *file, struct str host, struct str path, struct credential *out,
                   struct str *helper, struct err *e)
{
    const struct val *special = entry_of(a, val_get(file, STR("credHelpers")), host, path);
    const struct val *entry = entry_of(a, val_get(file, STR("auths")), host, path);
    *helper = special && special->kind == VAL_STR ? special->s : val_get_str(file, "credsStore");
    return entry && entry_read(a, entry, host, out, e);
}

/* ---- a helper ---- */

static const char *helper_path(struct arena *a, struct str name)
{
    struct str dir, rest = str_of(getenv("PATH"));
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/' || name.p[i] <= ' ') return NULL;
    while (rest.p) {
        str_cut(rest, ':', &dir, &rest);
        const char *path = str_fmt(a, "%.*s/docker-credential-%.*s", STR_ARG(dir), STR_ARG(name)).p;
        if (dir.n && dir.p[0] == '/' && access(path, X_OK) == 0) return path;
    }
    return NULL;
}

static bool helper_ask(struct arena *a, struct str name, struct str host, const atomic_bool *cancelled, struct credential *out, struct err *e)
{
    const char *path = helper_path(a, name), *argv[] = {path, "get", NULL};
    struct child c = {.argv = argv, .env = (const char *const *)environ, .dir = "/", .limit_ms = HELPER_MS, .most_bytes = LIMIT_IMAGE_TOKEN_BYTES,
                      .cancelled = cancelled, .input = str_is(host, "docker.io") ? str_of(docker_hub) : host};
    struct str said, words;
    struct val v;
    int status;
    struct err ignored;
    if (!path) return err_set(e, ERR_AUTH, "docker-credential-%.*s, which keeps the credentials for %.*s, is not installed", STR_ARG(name), STR_ARG(host));
    if (!child_run(a, &c, &status, &said, &words, e)) return false;
    if (status) { /* it has none: said so in words */
        if (str_find(said, STR("credentials not found"), 0) >= 0) return true;
        return err_set(e, ERR_AUTH, "docker-credential-%.*s failed for %.*s (status %d)", STR_ARG(name), STR_ARG(host), status);
    }
    if (!json_parse(a, said, NULL, &v, &ignored)) return err_set(e, ERR_AUTH, "docker-credential-%.*s says no JSON", STR_ARG(name));
    struct str user = val_get_str(&v, "Username"), secret = val_get_str(&v, "Secret");
    if (str_is(user, "<token>")) out->identity = secret;
    else *out = (struct credential){.user = user, .password = secret};
    return true;
}

/* ---- all files ---- */

static bool file_look(struct arena *a, const char *path, bool must, struct str host, struct str path_in, const atomic_bool *cancelled,
                      struct credential *out, bool *found, struct err *e)
{
    struct str text, helper;
    struct val v;
    struct err why = {0};
    if (!file_read(a, path, FILE_MAX, &text, &why)) {
        if (why.code == ERR_NOT_FOUND && !must) return true;
        return e ? (*e = why, false) : false;
    }
    if (!json_parse(a, text, NULL, &v, &why)) return err_set(e, ERR_AUTH, "'%s' is no JSON that can be read", path);
    *found = credential_in(a, &v, host, path_in, out, &helper, &why);
    if (why.code) return e ? (*e = why, false) : false;
    if (!helper.n) return true;
    struct credential kept = {0};
    if (!helper_ask(a, helper, host, cancelled, &kept, e)) return *found; /* a file's own entry still counts */
    if (kept.user.n || kept.identity.n) {
        *out = kept;
        *found = true;
    }
    return true;
}

bool credential_find(struct arena *a, const struct image_settings *settings, struct str host, struct str path,
                     const atomic_bool *cancelled, struct credential *out, struct err *e)
{
    const char *given = settings->auth_file.n ? settings->auth_file.p : getenv("REGISTRY_AUTH_FILE");
    const char *home = getenv("HOME"), *run = getenv("XDG_RUNTIME_DIR"), *conf = getenv("XDG_CONFIG_HOME"), *docker = getenv("DOCKER_CONFIG");
    const char *files[4] = {0};
    size_t n = 0;
    bool found = false;
    *out = (struct credential){0};
    if (given && *given) return file_look(a, given, true, host, path, cancelled, out, &found, e);
    if (run && *run) files[n++] = str_fmt(a, "%s/containers/auth.json", run).p;
    if (conf && *conf) files[n++] = str_fmt(a, "%s/containers/auth.json", conf).p;
    else if (home && *home) files[n++] = str_fmt(a, "%s/.config/containers/auth.json", home).p;
    if (docker && *docker) files[n++] = str_fmt(a, "%s/config.json", docker).p;
    else if (home && *home) files[n++] = str_fmt(a, "%s/.docker/config.json", home).p;
    for (size_t i = 0; i < n && !found; i++)
        if (!file_look(a, files[i], false, host, path, cancelled, out, &found, e)) return false;
    return true;
}

/* ---- challenges ---- */

static bool word_is(struct str s, const char *w)
{
    size_t i = 0;
    for (; i < s.n && w[i]; i++)
        if ((s.p[i] | 32) != w[i]) return false;
    return i == s.n && !w[i];
}

/* name="value" or name=value; what is left begins behind the comma. */
static bool pair_take(struct arena *a, struct str *s, struct str *name, struct str *value)
{
    struct buf b CLEANUP(buf_fini);
    struct str rest = str_trim(*s);
    ptrdiff_t eq = str_find_char(rest, '=', 0);
    buf_init(&b, LIMIT_IMAGE_TOKEN_BYTES);
    if (eq < 1) return false;
    *name = str_trim(str_sub(rest, 0, (size_t)eq));
    size_t i = (size_t)eq + 1;
    bool quoted = i < rest.n && rest.p[i] == '"';
    for (i += quoted; i < rest.n && rest.p[i] != (quoted ? '"' : ','); i++) {
        if (quoted && rest.p[i] == '\\' && i + 1 < rest.n) i++;
        buf_char(&b, rest.p[i]);
    }
    i += quoted && i < rest.n;
    while (i < rest.n && rest.p[i] != ',') i++;
    *value = str_trim(buf_dup(a, &b));
    *s = i < rest.n ? str_from(rest, i + 1) : STR("");
    return true;
}

void challenge_parse(struct arena *a, struct str value, struct challenge *out)
{
    struct str scheme, rest, name, text;
    value = str_trim(value);
    if (!str_cut(value, ' ', &scheme, &rest)) rest = STR("");
    if (word_is(scheme, "basic")) out->basic = true;
    if (!word_is(scheme, "bearer") || out->bearer) return;
    out->bearer = true;
    while (pair_take(a, &rest, &name, &text)) {
        if (word_is(name, "realm")) out->realm = text;
        if (word_is(name, "service")) out->service = text;
        if (word_is(name, "scope")) out->scope = text;
    }
}
