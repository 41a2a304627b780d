/* The flags that every command has, and looking flags up. */
#include "cli/cmd.h"

#define NOBODY_ELSE "nobody acts for somebody else; who calls is who has the token (--token)"
#define BY_TOKEN "a server elsewhere is called with --token; one that wants a name and password takes 'Basic …' there"

const struct flag global_flags[] = {
    {"help", 'h', FLAG_BOOL, NULL, "show this command's help"},
    {"namespace", 'n', FLAG_STR, "NAME", "namespace (default: default)"},
    {"state", 0, FLAG_STR, "DIR", "state directory"},
    {"quiet", 'q', FLAG_BOOL, NULL, "no progress and no notices"},
    {"verbose", 'v', FLAG_BOOL, NULL, "log what happens on stderr"},
    {"no-color", 0, FLAG_BOOL, NULL, "no colours (as NO_COLOR)"},
    {"ascii", 0, FLAG_BOOL, NULL, "words and ASCII lines instead of symbols"},
    {"no-utf8", 0, FLAG_BOOL, NULL, NULL},
    {"argo-server", 's', FLAG_STR, "HOST:PORT", "a server elsewhere, in place of the state directory (default: ARGO_SERVER)"},
    {"secure", 'e', FLAG_BOOL, NULL, "it speaks TLS (default; --secure=false or ARGO_SECURE=false: plain HTTP)"},
    {"insecure-skip-verify", 'k', FLAG_BOOL, NULL, "its certificate is not checked (default: ARGO_INSECURE_SKIP_VERIFY)"},
    {"argo-http1", 0, FLAG_BOOL, NULL, NULL},
    {"argo-base-href", 0, FLAG_STR, "PATH", "the path below which it answers (default: ARGO_BASE_HREF)"},
    {"token", 0, FLAG_STR, "TOKEN", "what it asks for (default: ARGO_TOKEN, which others on this machine do not see)"},
    {"header", 'H', FLAG_LIST, "NAME:VALUE", "a header more of each request to it"},
    {"instanceid", 0, FLAG_STR, "ID", NULL},
    {"certificate-authority", 0, FLAG_STR, "FILE", "who vouches for its certificate (PEM)"},
    {"client-certificate", 0, FLAG_STR, "FILE", "the certificate that it, or the proxy before it, asks for (PEM)"},
    {"client-key", 0, FLAG_STR, "FILE", "and its private key (PEM)"},
    {"proxy-url", 0, FLAG_STR, "URL", "the proxy to it (default: HTTPS_PROXY and the like, but not for this machine)"},
    {"loglevel", 0, FLAG_STR, "debug|info|warn|error", "how much of the log there is on stderr (default: warn; -v: debug)"},
    {"log-format", 0, FLAG_STR, "text|json", "how lines on stderr look (default: text; with -v a server has one for each request)"},
    /* of argo, where they say how a cluster is reached, and what is shown about that */
    {"kubeconfig", 0, FLAG_STR, "FILE", NULL},
    {"context", 0, FLAG_STR, "NAME", NULL},
    {"cluster", 0, FLAG_STR, "NAME", NULL},
    {"user", 0, FLAG_STR, "NAME", NULL},
    {"request-timeout", 0, FLAG_STR, "TIME", NULL},
    {"disable-compression", 0, FLAG_BOOL, NULL, NULL},
    {"gloglevel", 0, FLAG_INT, "N", NULL},
    {"as", 0, FLAG_NOT, NOBODY_ELSE, NULL},
    {"as-group", 0, FLAG_NOT, NOBODY_ELSE, NULL},
    {"as-uid", 0, FLAG_NOT, NOBODY_ELSE, NULL},
    {"username", 0, FLAG_NOT, BY_TOKEN, NULL},
    {"password", 0, FLAG_NOT, BY_TOKEN, NULL},
    {"server", 0, FLAG_NOT, "there is no cluster; --argo-server HOST:PORT names a server elsewhere", NULL},
    {"insecure-skip-tls-verify", 0, FLAG_NOT, "it is about a cluster; -k does not check the certificate of a server elsewhere", NULL},
    {"tls-server-name", 0, FLAG_NOT, "it is about a cluster; a server's certificate must have the name that --argo-server says", NULL},
};
const size_t n_global_flags = ARRAY_LEN(global_flags);

const struct flag *cmd_flag(const struct cmd *c, struct str name)
{
    for (size_t i = 0; i < c->n_flags; i++)
        if (str_is(name, c->flags[i].name)) return &c->flags[i];
    for (size_t i = 0; i < n_global_flags; i++)
        if (str_is(name, global_flags[i].name)) return &global_flags[i];
    return NULL;
}

bool flag_choices(const struct flag *f) { return (f->kind == FLAG_STR || f->kind == FLAG_LIST) && f->arg && strchr(f->arg, '|'); }

const struct flag *cmd_flag_letter(const struct cmd *c, char letter)
{
    for (size_t i = 0; i < c->n_flags; i++)
        if (c->flags[i].letter == letter) return &c->flags[i];
    for (size_t i = 0; i < n_global_flags; i++)
        if (global_flags[i].letter == letter) return &global_flags[i];
    return NULL;
}
