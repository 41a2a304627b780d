/* A git repository as a directory, by the system's git (artifacts/git/git.go, which does the same with a
 * library): clone, more refs, the revision detached, submodules.
 *
 * git runs as a bounded helper without the user's configuration, home or agent. A repository may be
 * hostile: of its transports only http, https, ssh, git and file are allowed, file not for submodules;
 * nothing that it brings is run. Passwords go through the environment and to the repository's own host
 * only; the key of ssh lies in a private file meanwhile. */
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/remote.h"
#include "base/limits.h"
#include "base/vec.h"
#include "os/child.h"
#include "os/dir.h"
#include "os/fd.h"

static const char *const programs[] = {"/usr/bin/git", "/usr/local/bin/git", "/bin/git"};

/* Passed on from the engine's environment: how to reach a server. */
static const char *const passed[] = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"};

static const char *const settings[] = {
    "protocol.allow=never",       "protocol.http.allow=always", "protocol.https.allow=always",
    "protocol.ssh.allow=always",  "protocol.git.allow=always",  "protocol.file.allow=user",
    "core.hooksPath=/dev/null",   "core.fsmonitor=false",       "core.askPass=",
    "gc.auto=0",                  "maintenance.auto=false",     "advice.detachedHead=false",
    "submodule.recurse=false",    "init.defaultBranch=master",  "fetch.writeCommitGraph=false",
};

struct words {
    VEC(const char *) list;
};

struct clone {
    const struct remote_git *g;
    const struct remote *r;
    struct arena a;
    const char *program, *to;
    struct words env, common;
};

static void add(struct words *w, const char *word) { VEC_PUSH(&w->list, word); }

static void add_text(struct clone *c, struct words *w, const char *fmt, struct str s)
{
    char head[64];
    snprintf(head, sizeof head, "%s", fmt);
    add(w, str_fmt(&c->a, "%s%.*s", head, STR_ARG(s)).p);
}

static void set(struct clone *c, struct str setting)
{
    add(&c->common, "-c");
    add(&c->common, str_z(&c->a, setting));
}

/* ---- who asks ---- */

/* "scheme://host:port" of an address, or absent for others (ssh's short form, paths). */
static struct str host_of(struct str repo)
{
    ptrdiff_t at = str_find(repo, STR("://"), 0);
    if (at < 0) return STR_NONE;
    size_t from = (size_t)at + 3, end = from;
    while (end < repo.n && repo.p[end] != '/') end++;
    return str_sub(repo, 0, end);
}

static struct str without_user(struct arena *a, struct str host)
{
    ptrdiff_t scheme = str_find(host, STR("://"), 0), at = -1;
    for (ptrdiff_t i = 0; (i = str_find_char(host, '@', (size_t)i)) >= 0; i++) at = i;
    if (at < 0) return host;
    return str_cat(a, str_sub(host, 0, (size_t)scheme + 3), str_from(host, (size_t)at + 1));
}

/* The helper is a line of shell that prints two variables; no secret stands in an argument. */
static void set_password(struct clone *c)
{
    struct str host = without_user(&c->a, host_of(c->g->repo));
    if (!host.n || (!c->g->user.n && !c->g->password.n)) return;
    add_text(c, &c->env, "SKIFF_GIT_USER=", c->g->user);
    add_text(c, &c->env, "SKIFF_GIT_PASSWORD=", c->g->password);
    set(c, str_fmt(&c->a, "credential.%.*s.helper=!f() { [ \"$1\" = get ] && printf 'username=%%s\\npassword=%%s\\n' "
                   "\"$SKIFF_GIT_USER\" \"$SKIFF_GIT_PASSWORD\"; }; f", STR_ARG(host)));
}

static bool is_plain_path(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || strchr("'\"\\$`;&|<>()*?[]#~!{}", *s)) return false;
    return true;
}

/* Hosts that are known: to the system, and to the user who runs the engine. */
static struct str known_hosts(struct clone *c)
{
    const char *own = getenv("SSH_KNOWN_HOSTS"), *home = getenv("HOME");
    if (own && *own && is_plain_path(own)) return str_of(own);
    if (home && *home == '/' && is_plain_path(home)) return str_fmt(&c->a, "%s/.ssh/known_hosts", home);
    return STR("/dev/null");
}

static bool set_ssh(struct clone *c, struct err *e)
{
    const struct remote_git *g = c->g;
    struct str host = host_of(g->repo), key = STR(""), hosts, user = STR("");
    bool named = str_find_char(host.n ? host : g->repo, '@', 0) >= 0;
    if (g->ssh_key.n) {
        const char *path = str_fmt(&c->a, "%s/ssh-key", c->r->scratch).p;
        struct str text = str_ends(g->ssh_key, STR("\n")) ? g->ssh_key : str_cat(&c->a, g->ssh_key, STR("\n"));
        if (!file_write_atomic(path, text, 0600, false, e)) return false;
        key = str_fmt(&c->a, " -i '%s' -o IdentitiesOnly=yes", path);
    }
    hosts = g->ignore_host_key ? STR("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null")
                               : str_fmt(&c->a, "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=%.*s",
                                         STR_ARG(known_hosts(c)));
    if (!named) user = STR(" -o User=git");
    add(&c->env, str_fmt(&c->a, "GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=30 -o LogLevel=ERROR "
                         "%.*s%.*s%.*s", STR_ARG(hosts), STR_ARG(key), STR_ARG(user)).p);
    add(&c->env, "GIT_SSH_VARIANT=ssh");
    return true;
}

static void set_environment(struct clone *c)
{
    const char *ca = getenv("SSL_CERT_FILE");
    add(&c->env, "PATH=/usr/local/bin:/usr/bin:/bin");
    add(&c->env, "LC_ALL=C");
    add(&c->env, "GIT_TERMINAL_PROMPT=0");
    add(&c->env, "GIT_CONFIG_NOSYSTEM=1");
    add(&c->env, "GIT_CONFIG_GLOBAL=/dev/null");
    add(&c->env, "GIT_LFS_SKIP_SMUDGE=1");
    add_text(c, &c->env, "HOME=", str_of(c->r->scratch));
    if (ca && *ca) add_text(c, &c->env, "GIT_SSL_CAINFO=", str_of(ca));
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        const char *value = getenv(passed[i]);
        if (value) add(&c->env, str_fmt(&c->a, "%s=%s", passed[i], value).p);
    }
}

/* ---- commands ---- */

/* The first line that is not about progress; git's "fatal: " says nothing. */
static struct str reason(struct str said)
{
    struct str line, rest = said;
    while (str_cut(rest, '\n', &line, &rest) || line.n) {
        struct str t = str_trim(line);
        if (str_starts(t, STR("fatal: "))) t = str_from(t, 7);
        if (str_starts(t, STR("error: "))) t = str_from(t, 7);
        if (t.n && !str_starts(t, STR("Cloning into")) && !str_starts(t, STR("warning:"))) return str_sub(t, 0, 400);
        if (!rest.p) break;
    }
    return STR("git ended without a word");
}

static bool git_in(struct clone *c, const char *dir, const struct words *args, struct str *out, struct err *e)
{
    struct words argv = {0};
    struct str mine, said;
    int status;
    add(&argv, c->program);
    for (size_t i = 0; i < c->common.list.n; i++) add(&argv, c->common.list.items[i]);
    for (size_t i = 0; i < args->list.n; i++) add(&argv, args->list.items[i]);
    add(&argv, NULL);
    struct child k = {.argv = argv.list.items, .env = c->env.list.items, .dir = dir, .limit_ms = LIMIT_GIT_S * 1000LL,
                      .most_bytes = LIMIT_GIT_SAID_BYTES, .cancelled = c->r->cancelled};
    bool ok = child_run(&c->a, &k, &status, out ? out : &mine, &said, e);
    VEC_FINI(&argv.list);
    if (!ok || !status) return ok;
    struct str why = reason(said);
    return err_set(e, ERR_UNREACHABLE, "%.*s", STR_ARG(why));
}

/* Words up to NULL. */
static bool git(struct clone *c, struct str *out, struct err *e, ...)
{
    struct words args = {0};
    va_list list;
    va_start(list, e);
    for (const char *w = va_arg(list, const char *); w; w = va_arg(list, const char *)) add(&args, w);
    va_end(list);
    bool ok = git_in(c, c->to, &args, out, e);
    VEC_FINI(&args.list);
    return ok;
}

static const char *depth_of(struct clone *c)
{
    return c->g->depth > 0 ? str_fmt(&c->a, "--depth=%lld", (long long)c->g->depth).p : NULL;
}

static bool clone_it(struct clone *c, struct err *e)
{
    const struct remote_git *g = c->g;
    const char *depth = depth_of(c);
    struct words args = {0};
    struct str repo = g->repo.n && g->repo.p[0] == '/' ? str_cat(&c->a, STR("file://"), g->repo) : g->repo;
    add(&args, "clone");
    add(&args, "--quiet");
    if (depth) add(&args, depth);
    add(&args, g->single_branch ? "--single-branch" : "--no-single-branch");
    if (g->single_branch) add_text(c, &args, "--branch=", g->branch);
    if (g->revision.n) add(&args, "--no-checkout");
    add(&args, "--");
    add(&args, str_z(&c->a, repo));
    add(&args, c->to);
    bool ok = git_in(c, c->r->scratch, &args, NULL, e);
    VEC_FINI(&args.list);
    return ok || err_ctx(e, "failed to clone \"%.*s\"", STR_ARG(str_sub(without_user(&c->a, g->repo), 0, 300)));
}

static bool fetch(struct clone *c, struct str refspec, const char *depth, struct err *e)
{
    bool ok = depth ? git(c, NULL, e, "fetch", "--quiet", "--update-head-ok", depth, "--", "origin", str_z(&c->a, refspec), NULL)
                    : git(c, NULL, e, "fetch", "--quiet", "--update-head-ok", "--", "origin", str_z(&c->a, refspec), NULL);
    return ok || err_ctx(e, "failed to fetch [%.*s]", STR_ARG(str_sub(refspec, 0, 300)));
}

/* The branches of the server by their own names, so that the revision may be one of them. */
static bool revision_take(struct clone *c, struct err *e)
{
    const struct remote_git *g = c->g;
    struct str spec = STR("+refs/heads/*:refs/heads/*"), hash;
    if (g->single_branch)
        spec = str_fmt(&c->a, "+refs/heads/%.*s:refs/heads/%.*s", STR_ARG(g->branch), STR_ARG(g->branch));
    if (!fetch(c, spec, NULL, e)) return false;
    const char *commit = str_fmt(&c->a, "%.*s^{commit}", STR_ARG(g->revision)).p;
    if (!git(c, &hash, e, "rev-parse", "--verify", "--quiet", "--end-of-options", commit, NULL))
        return err_set(e, ERR_SPEC, "failed to get resolve revision: reference not found: '%.*s'",
                       STR_ARG(str_sub(g->revision, 0, 200)));
    hash = str_trim(hash);
    return git(c, NULL, e, "checkout", "--quiet", "--force", "--detach", str_z(&c->a, hash), NULL) ||
           err_ctx(e, "failed to checkout \"%.*s\"", STR_ARG(hash));
}

static bool work(struct clone *c, struct err *e)
{
    const struct remote_git *g = c->g;
    struct str refs;
    if (!clone_it(c, e)) return false;
    if (!git(c, &refs, e, "for-each-ref", "--count=1", NULL)) return false;
    if (!refs.n) return true; /* an empty repository, as Argo takes it */
    for (size_t i = 0; i < g->n_fetch; i++)
        if (!fetch(c, g->fetch[i], depth_of(c), e)) return false;
    if (g->revision.n && !revision_take(c, e)) return false;
    if (g->no_submodules) return true;
    return git(c, NULL, e, "submodule", "--quiet", "update", "--init", "--recursive", NULL) ||
           err_ctx(e, "failed to update submodules");
}

static bool program_find(struct clone *c, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        c->program = programs[i];
        if (access(c->program, X_OK) == 0) return true;
    }
    return err_set(e, ERR_UNSUPPORTED, "git artifacts need the program 'git', which this host does not have");
}

static bool git_load(const struct remote *r, const char *to, struct err *e)
{
    struct clone c = {.g = &r->git, .r = r, .to = to};
    arena_init(&c.a);
    bool ok = program_find(&c, e);
    if (ok && r->git.single_branch && !r->git.branch.n)
        ok = err_set(e, ERR_SPEC, "single branch mode without a branch specified");
    set_environment(&c);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) set(&c, str_of(settings[i]));
    if (r->git.skip_tls) set(&c, STR("http.sslVerify=false"));
    set_password(&c);
    ok = ok && set_ssh(&c, e);
    add(&c.env, NULL);
    ok = ok && work(&c, e);
    VEC_FINI(&c.env.list);
    VEC_FINI(&c.common.list);
    arena_fini(&c.a);
    return ok;
}

static bool git_save(const struct remote *r, int fd, struct err *e)
{
    (void)r, (void)fd;
    return err_set(e, ERR_UNSUPPORTED, "git output artifacts unsupported");
}

const struct remote_driver remote_git_driver = {.name = "git", .load = git_load, .save = git_save};
