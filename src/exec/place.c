/* Where an artifact lies outside the repository: from its description to a remote, Secrets looked up. */
#include "exec/exec_p.h"

static const char *const kinds[] = {"http", "artifactory", "git"};

bool place_is_remote(const struct val *art)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (val_get(art, str_of(kinds[i]))) return true;
    return false;
}

enum artifact_archive place_archive(const struct val *art)
{
    const struct val *archive = val_get(art, STR("archive"));
    if (val_get(archive, STR("none"))) return ARTIFACT_ARCHIVE_NONE;
    if (val_get(archive, STR("zip"))) return ARTIFACT_ARCHIVE_ZIP;
    return val_get(archive, STR("tar")) ? ARTIFACT_ARCHIVE_TAR : ARTIFACT_ARCHIVE_AUTO;
}

/* What is being made, and for whom. */
struct maker {
    struct active *l;
    struct arena *a;
    struct err *e;
};

/* A key of a Secret; no selector: absent. */
static bool secret(const struct maker *m, const struct val *from, const char *selector, struct str *out)
{
    const struct val *ref = val_get(from, str_of(selector));
    struct pod_lookup look = pod_lookup_of(m->l);
    struct str value;
    *out = STR_NONE;
    if (!ref) return true;
    if (!look.value(look.ctx, true, val_get_str(ref, "name"), val_get_str(ref, "key"), &value, m->e)) return false;
    *out = str_dup(m->a, value);
    return true;
}

static struct str text(const struct maker *m, const struct val *v, const char *key)
{
    return str_dup(m->a, val_text(val_get(v, str_of(key))));
}

static bool is_true(const struct val *v, const char *key)
{
    const struct val *m = val_get(v, str_of(key));
    return m && m->kind == VAL_BOOL && m->b;
}

/* [{name|key, value}] */
static const struct web_field *fields(const struct maker *m, const struct val *list, const char *key, size_t *n)
{
    struct web_field *f = ARENA_ARRAY(m->a, struct web_field, list ? list->n + 1 : 1);
    *n = list ? list->n : 0;
    for (size_t i = 0; i < *n; i++)
        f[i] = (struct web_field){text(m, &list->items[i], key), text(m, &list->items[i], "value")};
    return f;
}

static struct str joined(const struct maker *m, const struct val *list)
{
    struct str s = STR_NONE;
    for (uint32_t i = 0; list && i < list->n; i++)
        s = str_fmt(m->a, "%.*s%s%.*s", STR_ARG(s), s.n ? " " : "", STR_ARG(val_text(&list->items[i])));
    return s;
}

/* All three Secrets, or it does not count (artifacts.go). */
static bool oauth2(const struct maker *m, const struct val *v, struct remote_oauth2 *o)
{
    if (!val_get(v, STR("clientIDSecret")) || !val_get(v, STR("clientSecretSecret")) || !val_get(v, STR("tokenURLSecret")))
        return true;
    o->scopes = joined(m, val_get(v, STR("scopes")));
    o->params = fields(m, val_get(v, STR("endpointParams")), "key", &o->n_params);
    return secret(m, v, "clientIDSecret", &o->client_id) && secret(m, v, "clientSecretSecret", &o->client_secret) &&
           secret(m, v, "tokenURLSecret", &o->token_url);
}

static bool http(const struct maker *m, const struct val *v, struct remote *out)
{
    struct remote_http *h = &out->http;
    const struct val *auth = val_get(v, STR("auth")), *basic = val_get(auth, STR("basicAuth"));
    out->driver = &remote_http_driver;
    h->url = text(m, v, "url");
    h->fields = fields(m, val_get(v, STR("headers")), "name", &h->n_fields);
    if (!secret(m, basic, "usernameSecret", &h->user) || !secret(m, basic, "passwordSecret", &h->password)) return false;
    if (!h->user.n || !h->password.n) h->user = h->password = STR_NONE;
    return secret(m, val_get(auth, STR("clientCert")), "clientCertSecret", &h->cert) &&
           secret(m, val_get(auth, STR("clientCert")), "clientKeySecret", &h->key) &&
           oauth2(m, val_get(auth, STR("oauth2")), &h->oauth2);
}

static bool artifactory(const struct maker *m, const struct val *v, struct remote *out)
{
    out->driver = &remote_http_driver;
    out->http.url = text(m, v, "url");
    return secret(m, v, "usernameSecret", &out->http.user) && secret(m, v, "passwordSecret", &out->http.password);
}

static bool git(const struct maker *m, const struct val *v, struct remote *out)
{
    struct remote_git *g = &out->git;
    const struct val *more = val_get(v, STR("fetch")), *depth = val_get(v, STR("depth"));
    struct str *fetch = ARENA_ARRAY(m->a, struct str, more ? more->n + 1 : 1);
    out->driver = &remote_git_driver;
    *g = (struct remote_git){.repo = text(m, v, "repo"), .revision = text(m, v, "revision"), .branch = text(m, v, "branch"),
                             .fetch = fetch, .single_branch = is_true(v, "singleBranch"),
                             .ignore_host_key = is_true(v, "insecureIgnoreHostKey"),
                             .no_submodules = is_true(v, "disableSubmodules"), .skip_tls = is_true(v, "insecureSkipTLS")};
    for (uint32_t i = 0; more && i < more->n; i++) fetch[g->n_fetch++] = str_dup(m->a, val_text(&more->items[i]));
    if (depth) val_i64(depth, &g->depth);
    return secret(m, v, "usernameSecret", &g->user) && secret(m, v, "passwordSecret", &g->password) &&
           secret(m, v, "sshPrivateKeySecret", &g->ssh_key);
}

bool place_remote(struct active *l, struct arena *a, const struct val *art, struct remote *out, struct err *e)
{
    static bool (*const makers[])(const struct maker *, const struct val *, struct remote *) = {http, artifactory, git};
    struct maker m = {l, a, e};
    *out = (struct remote){0};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct val *v = val_get(art, str_of(kinds[i]));
        if (v) return makers[i](&m, v, out);
    }
    return err_set(e, ERR_INTERNAL, "not a place elsewhere");
}
