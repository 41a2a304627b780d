/* See remote.h. */
#include "cli/remote.h"

#include <ctype.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cmds.h"
#include "os/fd.h"
#include "service/service.h"

static const char *env_or(const char *name, const char *absent)
{
    const char *v = getenv(name);
    return v && *v ? v : absent;
}

/* The flag counts before the variable, also when it is empty. */
static const char *given(const struct cli *cli, const char *flag, const char *env)
{
    return args_has(&cli->args, flag) ? args_str(&cli->args, flag) : env_or(env, "");
}

static bool switched(const struct cli *cli, const char *flag, bool by_env)
{
    return args_has(&cli->args, flag) ? args_on(&cli->args, flag) : by_env;
}

/* HOST, HOST:PORT or [IPV6]:PORT, and a path behind it. */
static bool is_place(struct str at)
{
    struct str host, path;
    int64_t port = 1;
    for (size_t i = 0; i < at.n; i++)
        if ((unsigned char)at.p[i] <= ' ' || char_is_one_of(at.p[i], "\x7f?#@")) return false;
    str_cut(at, '/', &host, &path);
    ptrdiff_t close = str_find_char(host, ']', 0), colon = str_find_char(host, ':', close < 0 ? 0 : (size_t)close);
    size_t end = colon < 0 ? host.n : (size_t)colon;
    bool bracketed = host.n && host.p[0] == '[';
    if (!end || bracketed != (close > 0) || (bracketed && end != (size_t)close + 1)) return false;
    return colon < 0 || (str_to_i64(str_from(host, end + 1), &port) && port > 0 && port < 65536);
}

/* HOST:PORT as argo's; an address with its scheme says by itself whether TLS is spoken. */
static bool url_make(struct cli *cli, const char *place, struct str *out, struct err *e)
{
    struct str at = str_of(place), base = str_of(given(cli, "argo-base-href", "ARGO_BASE_HREF"));
    bool whole = str_starts(at, STR("http://")) || str_starts(at, STR("https://"));
    bool secure = switched(cli, "secure", strcmp(env_or("ARGO_SECURE", ""), "false") != 0);
    ptrdiff_t host = whole ? str_find(at, STR("://"), 0) + 3 : 0;
    if (!is_place(str_from(at, (size_t)host))) return err_set(e, ERR_USAGE, "the server is HOST:PORT, not '%s'", place);
    while (base.n && base.p[0] == '/') base = str_from(base, 1);
    while (at.n && at.p[at.n - 1] == '/') at.n--;
    *out = str_fmt(&cli->a, "%s%.*s%s%.*s", whole ? "" : secure ? "https://" : "http://", STR_ARG(at), base.n ? "/" : "", STR_ARG(base));
    return true;
}

/* "Bearer …" and the like as they are; a token alone is one of a bearer. */
struct str remote_authorization(struct cli *cli)
{
    struct str token = str_trim(str_of(given(cli, "token", "ARGO_TOKEN")));
    if (!token.n) return STR_NONE;
    return str_find_char(token, ' ', 0) >= 0 ? token : str_fmt(&cli->a, "Bearer %.*s", STR_ARG(token));
}

/* Several in one flag have commas between them, as in argo; a comma that no NAME: follows belongs to the value. */
static size_t header_end(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != ',') continue;
        size_t k = i + 1;
        while (k < text.n && text.p[k] == ' ') k++;
        size_t from = k;
        while (k < text.n && (isalnum((unsigned char)text.p[k]) || text.p[k] == '-' || text.p[k] == '_')) k++;
        if (k > from && k < text.n && text.p[k] == ':' && !str_starts(str_from(text, k), STR("://"))) return i;
    }
    return text.n;
}

/* The first of them, and what is left; one in quotes is as it stands ("" in it is a quote), as argo reads them. */
static bool header_cut(struct arena *a, struct str text, struct str *one, struct str *rest)
{
    size_t end = header_end(text);
    *one = str_sub(text, 0, end);
    if (text.n && text.p[0] == '"') {
        char *to = arena_alloc(a, text.n);
        size_t n = 0;
        for (end = 1; end < text.n && (text.p[end] != '"' || (end + 1 < text.n && text.p[end + 1] == '"')); end++) {
            end += text.p[end] == '"';
            to[n++] = text.p[end];
        }
        if (end++ == text.n || (end < text.n && text.p[end] != ',')) return false;
        *one = (struct str){to, n};
    }
    *rest = end < text.n ? str_from(text, end + 1) : STR_NONE;
    return true;
}

static bool is_header_name(struct str s)
{
    size_t i = 0;
    while (i < s.n && (isalnum((unsigned char)s.p[i]) || strchr("!#$%&'*+-.^_`|~", s.p[i]))) i++;
    return s.n && i == s.n;
}

static bool headers_read(struct cli *cli, struct service_server *s, struct err *e)
{
    const char *flag;
    size_t bytes = 0;
    for (size_t i = 0; (flag = args_nth(&cli->args, "header", i)); i++) bytes += strlen(flag);
    struct param *list = ARENA_ARRAY(&cli->a, struct param, bytes / 2 + 1);
    s->headers = list;
    for (size_t i = 0; (flag = args_nth(&cli->args, "header", i)); i++) {
        struct str rest = str_of(flag);
        do {
            struct str name, value, one;
            if (!header_cut(&cli->a, rest, &one, &rest) || !str_cut(one, ':', &name, &value) || !is_header_name(str_trim(name)))
                return err_set(e, ERR_USAGE, "--header is 'NAME: VALUE'"); /* its value may be a secret */
            list[s->n_headers++] = (struct param){str_trim(name), str_trim(value)};
        } while (rest.n);
    }
    return true;
}

/* Both or none: one alone would be left out without a word. */
static bool tls_read(struct cli *cli, struct service_server *s, struct err *e)
{
    const char *cert = args_str(&cli->args, "client-certificate"), *key = args_str(&cli->args, "client-key");
    s->ca_file = str_of(args_str(&cli->args, "certificate-authority"));
    s->proxy = str_of(args_str(&cli->args, "proxy-url"));
    if (s->ca_file.n && access(s->ca_file.p, R_OK) != 0) return err_sys(e, "--certificate-authority '%s'", s->ca_file.p);
    if (!cert != !key) return err_set(e, ERR_USAGE, "--client-certificate and --client-key are needed together");
    return !cert || (file_read(&cli->a, cert, LIMIT_VALUE_BYTES, &s->cert, e) && file_read(&cli->a, key, LIMIT_VALUE_BYTES, &s->key, e));
}

static bool here_only(struct cli *cli, bool by_flag, struct err *e)
{
    const char *name = cli->args.cmd->name;
    const char *else_do = cli->args.cmd == &cmd_run ? "skiff submit sends workflows to a server" : "what is a server's own is done on its machine";
    if (by_flag) return err_set(e, ERR_USAGE, "'%s' is for this machine alone; %s", name, else_do);
    cli_note(cli, "ARGO_SERVER is not used: '%s' is for this machine alone; %s", name, else_do);
    return true;
}

/* What a server decides by itself. */
static bool flags_fit(const struct cli *cli, struct err *e)
{
    static const char *const local[] = {"state", "runtime", "network", "images", "image-fallback", "no-builtin-images", "parallel", "cpus", "memory", "resume"};
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        const struct flag *f = cmd_flag(cli->args.cmd, str_of(local[i]));
        bool own = strcmp(local[i], "parallel") == 0 && f && f->kind == FLAG_BOOL; /* of a backfill */
        if (args_has(&cli->args, local[i]) && !own)
            return err_set(e, ERR_USAGE, "--%s is about runs on this machine; a server elsewhere has its own settings", local[i]);
    }
    return true;
}

/* Where somebody says that there is one; NULL: nobody. --state is about this machine, whatever the environment says. */
static const char *place_of(const struct cli *cli)
{
    const char *place = given(cli, "argo-server", "ARGO_SERVER");
    bool here = args_has(&cli->args, "state") && !args_has(&cli->args, "argo-server");
    return *place && !here ? place : NULL;
}

bool remote_named(const struct cli *cli) { return place_of(cli) && cli->args.cmd->where == WHERE_ANY; }

bool remote_choose(struct cli *cli, struct err *e)
{
    const char *place = place_of(cli);
    if (!place || cli->args.cmd->where == WHERE_NOWHERE) return true;
    if (cli->args.cmd->where == WHERE_HERE) return here_only(cli, args_has(&cli->args, "argo-server"), e);
    if (!flags_fit(cli, e)) return false;
    struct service_server *s = ARENA_NEW(&cli->a, struct service_server);
    *s = (struct service_server){.authorization = remote_authorization(cli), .answered = ARENA_NEW(&cli->a, bool),
                                 .insecure = switched(cli, "insecure-skip-verify", strcmp(env_or("ARGO_INSECURE_SKIP_VERIFY", ""), "true") == 0)};
    cli->server = s;
    return url_make(cli, place, &s->url, e) && headers_read(cli, s, e) && tls_read(cli, s, e);
}
