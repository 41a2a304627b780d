/* What a pod knows about names: its own, /etc/hosts, /etc/resolv.conf; as a kubelet writes them (pkg/kubelet
 * kubelet_pods.go, network/dns), from what the machine has in these files. */
#include "base/limits.h"
#include "pod/pod_p.h"
#include "spec/pod_patch.h"

enum { MAX_HOSTNAME = 63, MAX_SERVERS = 3, MAX_SEARCHES = 32 };

bool pod_uses_host_network(struct arena *a, const struct val *workflow, const struct val *tmpl, bool *out, struct err *e)
{
    struct val patched, pod;
    if (!pod_patch_apply(a, workflow, tmpl, &patched, &pod, e)) return false;
    const struct val *host = val_get(&pod, STR("hostNetwork"));
    *out = host && host->kind == VAL_BOOL && host->b;
    return true;
}

/* On the machine's network a pod has no name of its own, unless it asks for one. */
static struct str host_name(const struct pod *p)
{
    struct str given = val_get_str(&p->pod, "hostname"), name = given.n ? given : p->in->private_net ? p->in->pod_name : STR("");
    name = str_sub(name, 0, MAX_HOSTNAME);
    while (name.n && (name.p[name.n - 1] == '-' || name.p[name.n - 1] == '.')) name.n--;
    return name;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ') return false;
    return s.n > 0;
}

static void place(struct pod *p, const char *path, struct buf *b)
{
    struct step_file f = {.path = str_of(path), .content = buf_dup(p->a, b), .mode = 0644, .over = true};
    VEC_PUSH(&p->files, f);
}

/* ---- /etc/hosts ---- */

static void own_lines(const struct pod *p, struct str name, struct buf *b)
{
    struct str domain = val_get_str(&p->pod, "subdomain");
    buf_str(b, STR("# written by Skiff\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"));
    buf_printf(b, "%.*s\t", STR_ARG(p->in->address.n ? p->in->address : STR("127.0.0.1")));
    if (domain.n)
        buf_printf(b, "%.*s.%.*s.%.*s.svc.cluster.local\t", STR_ARG(name), STR_ARG(domain),
                   STR_ARG(val_get_str(val_get(p->in->workflow, STR("metadata")), "namespace")));
    buf_printf(b, "%.*s\n", STR_ARG(name));
}

static bool aliases(const struct val *list, struct buf *b, struct err *e)
{
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *names = val_get(&list->items[i], STR("hostnames"));
        struct str ip = val_get_str(&list->items[i], "ip");
        if (!is_word(ip)) return err_set(e, ERR_SPEC, "hostAliases: '%.*s' is no address", STR_ARG(ip));
        buf_str(b, ip);
        for (uint32_t k = 0; names && names->kind == VAL_LIST && k < names->n; k++) {
            struct str name = val_text(&names->items[k]);
            if (!is_word(name)) return err_set(e, ERR_SPEC, "hostAliases: '%.*s' is no host name", STR_ARG(name));
            buf_printf(b, "\t%.*s", STR_ARG(name));
        }
        buf_char(b, '\n');
    }
    return true;
}

/* Images bring one. */
static void name_file(struct pod *p, struct str name)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 2 * MAX_HOSTNAME);
    buf_printf(&b, "%.*s\n", STR_ARG(name));
    place(p, "/etc/hostname", &b);
}

static bool hosts(struct pod *p, struct str name, struct err *e)
{
    const struct val *list = val_get(&p->pod, STR("hostAliases"));
    if (p->in->engine_image) return true; /* asked of the engine: container.c */
    if (!p->in->private_net && (!list || !list->n)) return true;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    if (p->in->private_net) own_lines(p, name, &b);
    else buf_str(&b, p->in->hosts);
    if (b.n && b.p[b.n - 1] != '\n') buf_char(&b, '\n');
    if (!aliases(list, &b, e)) return false;
    place(p, "/etc/hosts", &b);
    return true;
}

/* ---- /etc/resolv.conf ---- */

struct resolver {
    VEC(struct str) servers, searches, options; /* an option: "name" or "name:value" */
};

static struct str option_name(struct str option)
{
    struct str name, value;
    str_cut(option, ':', &name, &value);
    return name;
}

static void option_add(struct resolver *r, struct str option)
{
    for (size_t i = 0; i < r->options.n; i++)
        if (str_eq(option_name(r->options.items[i]), option_name(option))) {
            r->options.items[i] = option;
            return;
        }
    VEC_PUSH(&r->options, option);
}

#define ADD_ONCE(list, s)                                                                          \
    do {                                                                                           \
        bool known_ = false;                                                                       \
        for (size_t i_ = 0; i_ < (list)->n; i_++) known_ |= str_eq((list)->items[i_], (s));        \
        if (!known_) VEC_PUSH((list), (s));                                                        \
    } while (0)

static struct str next_word(struct str *line)
{
    size_t from = 0, to;
    while (from < line->n && (unsigned char)line->p[from] <= ' ') from++;
    for (to = from; to < line->n && (unsigned char)line->p[to] > ' ';) to++;
    struct str word = str_sub(*line, from, to - from);
    *line = str_from(*line, to);
    return word;
}

/* What the machine says; the last `search` or `domain` counts, as for a resolver. */
static void read_host(struct resolver *r, struct str text)
{
    struct str line;
    do {
        str_cut(text, '\n', &line, &text);
        struct str key = next_word(&line), word;
        if (str_is(key, "search") || str_is(key, "domain")) r->searches.n = 0;
        while ((word = next_word(&line)).n) {
            if (word.p[0] == '#' || word.p[0] == ';') break;
            if (str_is(key, "nameserver")) ADD_ONCE(&r->servers, word);
            if (str_is(key, "search") || str_is(key, "domain")) ADD_ONCE(&r->searches, word);
            if (str_is(key, "options")) option_add(r, word);
        }
    } while (str_set(text));
}

static bool read_config(struct arena *a, struct resolver *r, const struct val *config, struct err *e)
{
    const struct val *servers = val_get(config, STR("nameservers")), *searches = val_get(config, STR("searches"));
    const struct val *options = val_get(config, STR("options"));
    bool ok = true;
    for (uint32_t i = 0; servers && servers->kind == VAL_LIST && i < servers->n; i++) {
        ok &= is_word(val_text(&servers->items[i]));
        ADD_ONCE(&r->servers, val_text(&servers->items[i]));
    }
    for (uint32_t i = 0; searches && searches->kind == VAL_LIST && i < searches->n; i++) {
        ok &= is_word(val_text(&searches->items[i]));
        ADD_ONCE(&r->searches, val_text(&searches->items[i]));
    }
    for (uint32_t i = 0; options && options->kind == VAL_LIST && i < options->n; i++) {
        struct str name = val_get_str(&options->items[i], "name"), value = val_get_str(&options->items[i], "value");
        ok &= is_word(name) && (!value.n || is_word(value));
        option_add(r, value.n ? str_fmt(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(value)) : name);
    }
    return ok || err_set(e, ERR_SPEC, "dnsConfig: an entry is empty or has white space in it");
}

static void put_words(struct buf *b, const char *key, const struct str *words, size_t n)
{
    if (n) buf_str(b, str_of(key));
    for (size_t i = 0; i < n; i++) buf_printf(b, " %.*s", STR_ARG(words[i]));
    if (n) buf_char(b, '\n');
}

static bool resolver_text(struct pod *p, struct resolver *r, struct buf *b, struct err *e)
{
    const struct val *config = val_get(&p->pod, STR("dnsConfig"));
    bool none = str_is(val_get_str(&p->pod, "dnsPolicy"), "None");
    if (!none) read_host(r, p->in->resolv);
    if (!read_config(p->a, r, config, e)) return false;
    if (none && !r->servers.n) return err_set(e, ERR_SPEC, "dnsPolicy None needs at least one of dnsConfig.nameservers");
    put_words(b, "search", r->searches.items, MIN(r->searches.n, (size_t)MAX_SEARCHES));
    for (size_t i = 0; i < MIN(r->servers.n, (size_t)MAX_SERVERS); i++) put_words(b, "nameserver", &r->servers.items[i], 1);
    put_words(b, "options", r->options.items, r->options.n);
    return true;
}

static bool resolv(struct pod *p, struct err *e)
{
    struct resolver r = {0};
    if (!val_get(&p->pod, STR("dnsConfig")) && !str_is(val_get_str(&p->pod, "dnsPolicy"), "None")) return true;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    bool ok = resolver_text(p, &r, &b, e);
    if (ok) place(p, "/etc/resolv.conf", &b);
    VEC_FINI(&r.servers);
    VEC_FINI(&r.searches);
    VEC_FINI(&r.options);
    return ok;
}

bool pod_names(struct pod *p, struct step_spec *s, struct err *e)
{
    size_t before = p->files.n;
    struct str name = host_name(p);
    if (name.n) s->hostname = p->hostname = str_dup(p->a, name);
    s->private_net = p->in->private_net;
    s->address = p->in->address;
    if (name.n && (p->image.kind == IMAGE_ROOT || p->image.kind == IMAGE_STORED)) name_file(p, name);
    if (!hosts(p, name, e) || !resolv(p, e)) return false;
    if (p->files.n > before && p->in->tier == STEP_TIER_NONE)
        return err_set(e, ERR_UNSUPPORTED, "hostAliases and dnsConfig need a sandbox: run without --runtime=none");
    return true;
}
