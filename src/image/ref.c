/* See ref.h. */
#include "image/ref.h"

#include <sys/utsname.h>

#include "base/limits.h"
#include "image/digest.h"

enum { TAG_MAX = 128 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_alnum(char c) { return is_digit(c) || is_lower((char)(c | 32)); }

static bool bad(struct err *e, struct str text, const char *why)
{
    return err_set(e, ERR_SPEC, "image reference '%.*s': %s", STR_ARG(str_sub(text, 0, 300)), why);
}

/* ---- parts ---- */

/* Words of a-z 0-9, joined by one dot, one or two underscores, or any number of dashes. */
static const char *path_part_wrong(struct str p)
{
    if (!p.n) return "has an empty part in its path (two slashes, or one at its end)";
    for (size_t i = 0; i < p.n;) {
        size_t from = i;
        while (i < p.n && (is_lower(p.p[i]) || is_digit(p.p[i]))) i++;
        if (i == from) {
            if (p.p[i] >= 'A' && p.p[i] <= 'Z') return "the path must be lower case";
            return char_is_one_of(p.p[i], "._-") ? "a part of the path begins with a separator, or has two in a row"
                                                   : "the path may have a-z, 0-9, '.', '_' and '-' only";
        }
        if (i == p.n) return NULL;
        from = i;
        while (i < p.n && p.p[i] == '-') i++;
        if (i == from) i += p.p[i] == '.' ? 1 : p.p[i] == '_' ? (i + 1 < p.n && p.p[i + 1] == '_' ? 2 : 1) : 0;
        if (i == p.n) return "a part of the path ends with a separator";
    }
    return NULL;
}

static const char *path_wrong(struct str path)
{
    struct str part, rest = path;
    if (!path.n) return "has no name";
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        const char *why = path_part_wrong(part);
        if (why) return why;
    }
    return NULL;
}

static const char *tag_wrong(struct str tag)
{
    if (!tag.n) return "the tag after ':' is empty";
    if (tag.n > TAG_MAX) return "the tag is longer than 128 characters";
    for (size_t i = 0; i < tag.n; i++)
        if (!is_alnum(tag.p[i]) && tag.p[i] != '_' && (!i || (tag.p[i] != '.' && tag.p[i] != '-')))
            return i ? "the tag may have letters, digits, '_', '.' and '-' only"
                     : "the tag must begin with a letter, a digit or '_'";
    return NULL;
}

static const char *port_wrong(struct str port)
{
    int64_t n = 0;
    for (size_t i = 0; i < port.n; i++)
        if (!is_digit(port.p[i])) return "the port of the host is not a number";
    return port.n && port.n < 6 && str_to_i64(port, &n) && n > 0 && n < 65536 ? NULL
                                                                             : "the port of the host is not 1 to 65535";
}

static const char *ipv6_wrong(struct str host, struct str *port)
{
    ptrdiff_t end = str_find_char(host, ']', 0);
    if (end < 3) return "the host's IPv6 address is not closed by ']'";
    for (ptrdiff_t i = 1; i < end; i++)
        if (!is_digit(host.p[i]) && host.p[i] != ':' && !((host.p[i] | 32) >= 'a' && (host.p[i] | 32) <= 'f'))
            return "the host's IPv6 address has characters that do not belong there";
    *port = str_from(host, (size_t)end + 1);
    if (port->n && port->p[0] != ':') return "what follows the host's IPv6 address is no port";
    *port = port->n ? str_from(*port, 1) : STR_NONE;
    return NULL;
}

static const char *name_wrong(struct str name)
{
    struct str label, rest = name;
    while (rest.p) {
        str_cut(rest, '.', &label, &rest);
        if (!label.n) return "the host has an empty part";
        if (label.p[0] == '-' || label.p[label.n - 1] == '-') return "a part of the host begins or ends with '-'";
        for (size_t i = 0; i < label.n; i++)
            if (!is_alnum(label.p[i]) && label.p[i] != '-') return "the host may have letters, digits, '.' and '-' only";
    }
    return NULL;
}

static const char *host_wrong(struct str host)
{
    struct str name = host, port = STR_NONE;
    const char *why;
    if (host.n && host.p[0] == '[') why = ipv6_wrong(host, &port);
    else {
        str_cut(host, ':', &name, &port);
        why = name_wrong(name);
    }
    return why ? why : port.p ? port_wrong(port) : NULL;
}

/* ---- the whole ---- */

static bool is_host(struct str word)
{
    if (str_is(word, "localhost") || str_find_char(word, '.', 0) >= 0 || str_find_char(word, ':', 0) >= 0) return true;
    for (size_t i = 0; i < word.n; i++) /* no path has a capital */
        if (word.p[i] >= 'A' && word.p[i] <= 'Z') return true;
    return false;
}

/* The colon of a tag stands after the last slash. */
static void tag_split(struct str *name, struct str *tag)
{
    for (size_t i = name->n; i-- > 0 && name->p[i] != '/';)
        if (name->p[i] == ':') {
            *tag = str_from(*name, i + 1);
            *name = str_sub(*name, 0, i);
            return;
        }
}

static bool is_hex64(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'f')) return false;
    return s.n == 64;
}

static struct str lower_case(struct arena *a, struct str s)
{
    char *p = arena_alloc_bytes(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 32) : s.p[i];
    p[s.n] = 0;
    return str_n(p, s.n);
}

static void host_split(struct arena *a, struct str name, struct image_ref *r)
{
    struct str first, rest;
    r->host = STR("docker.io");
    r->path = name;
    if (str_cut(name, '/', &first, &rest) && is_host(first)) {
        r->host = first;
        r->path = rest;
    }
    bool named = str_find_char(r->host, '.', 0) >= 0 || str_find_char(r->host, ':', 0) >= 0; /* else a capital makes it a host */
    if (named) r->host = lower_case(a, r->host);
    if (str_is(r->host, "index.docker.io") || str_is(r->host, "registry-1.docker.io")) r->host = STR("docker.io");
}

bool image_ref_parse(struct arena *a, struct str text, struct image_ref *out, struct err *e)
{
    struct image_ref r = {0};
    struct str name = text;
    const char *why;
    if (!text.n) return err_set(e, ERR_SPEC, "an image reference is empty");
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return bad(e, str_sub(text, 0, i), "is followed by a space, a control character or one that is not ASCII");
    if (str_find(text, STR("://"), 0) >= 0) return bad(e, text, "is an address; leave out what stands up to '://'");
    if (str_cut(text, '@', &name, &r.digest) && !digest_check(r.digest, e))
        return err_ctx(e, "image reference '%.*s'", STR_ARG(str_sub(text, 0, 300)));
    tag_split(&name, &r.tag);
    if (is_hex64(name)) return bad(e, text, "64 hexadecimal digits are the id of an image, not a name");
    host_split(a, name, &r);
    if ((why = host_wrong(r.host)) || (why = path_wrong(r.path)) || (r.tag.p && (why = tag_wrong(r.tag))))
        return bad(e, text, why);
    if (str_is(r.host, "docker.io") && str_find_char(r.path, '/', 0) < 0) r.path = str_cat(a, STR("library/"), r.path);
    if (r.host.n + 1 + r.path.n > LIMIT_IMAGE_NAME_BYTES) return bad(e, text, "the name is longer than 255 characters");
    if (!r.tag.p && !r.digest.p) r.tag = STR("latest");
    *out = (struct image_ref){str_dup(a, r.host), str_dup(a, r.path), r.tag.p ? str_dup(a, r.tag) : STR_NONE,
                              r.digest.p ? str_dup(a, r.digest) : STR_NONE};
    return true;
}

static struct str tail(struct arena *a, const struct image_ref *r)
{
    return str_fmt(a, "%s%.*s%s%.*s", r->tag.p ? ":" : "", STR_ARG(r->tag), r->digest.p ? "@" : "", STR_ARG(r->digest));
}

struct str image_ref_text(struct arena *a, const struct image_ref *r)
{
    return str_fmt(a, "%.*s/%.*s%.*s", STR_ARG(r->host), STR_ARG(r->path), STR_ARG(tail(a, r)));
}

struct str image_ref_repository(struct arena *a, const struct image_ref *r)
{
    struct str first, rest;
    bool like_host = str_cut(r->path, '/', &first, &rest) && is_host(first); /* it would be read as one */
    if (!str_is(r->host, "docker.io") || like_host) return str_fmt(a, "%.*s/%.*s", STR_ARG(r->host), STR_ARG(r->path));
    bool official = str_starts(r->path, STR("library/")) && str_find_char(r->path, '/', 8) < 0 &&
                    !is_hex64(str_from(r->path, 8)); /* that would be read as an image's id */
    return official ? str_dup(a, str_from(r->path, 8)) : str_dup(a, r->path);
}

struct str image_ref_short(struct arena *a, const struct image_ref *r)
{
    return str_cat(a, image_ref_repository(a, r), tail(a, r));
}

/* ---- platforms ---- */

static const struct arch {
    const char *machine, *arch, *variant; /* variant: what an image without one is taken for */
} archs[] = {
    {"x86_64", "amd64", NULL}, {"aarch64", "arm64", "v8"}, {"armv7l", "arm", "v7"}, {"armv6l", "arm", "v6"},
    {"i686", "386", NULL},     {"i386", "386", NULL},      {"ppc64le", "ppc64le", NULL},
    {"s390x", "s390x", NULL},  {"riscv64", "riscv64", NULL}, {"armhf", "arm", "v7"},
};

static const struct arch *arch_of(struct str machine)
{
    for (size_t i = 0; i < ARRAY_LEN(archs); i++)
        if (str_is(machine, archs[i].machine)) return &archs[i];
    return NULL;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && !char_is_one_of(s.p[i], "._-")) return false;
    return s.n > 0 && s.n < 64;
}

bool image_platform_parse(struct arena *a, struct str text, struct image_platform *out, struct err *e)
{
    struct image_platform p = {0};
    struct str rest;
    str_cut(text, '/', &p.os, &rest);
    if (rest.p) str_cut(rest, '/', &p.arch, &p.variant);
    if (!is_word(p.os) || !is_word(p.arch) || (p.variant.p && !is_word(p.variant)))
        return err_set(e, ERR_SPEC, "platform '%.*s' is not OS/ARCHITECTURE[/VARIANT], such as linux/arm64/v8",
                       STR_ARG(str_sub(text, 0, 100)));
    const struct arch *known = arch_of(p.arch);
    if (known) {
        p.arch = str_of(known->arch);
        if (!p.variant.p) p.variant = str_of(known->variant);
    }
    *out = (struct image_platform){str_dup(a, p.os), str_dup(a, p.arch), p.variant.p ? str_dup(a, p.variant) : STR_NONE};
    return true;
}

struct image_platform image_platform_host(void)
{
    struct utsname u;
    const struct arch *known = uname(&u) == 0 ? arch_of(str_of(u.machine)) : NULL;
    return (struct image_platform){STR("linux"), str_of(known ? known->arch : "amd64"), str_of(known ? known->variant : NULL)};
}

struct str image_platform_text(struct arena *a, const struct image_platform *p)
{
    return str_fmt(a, "%.*s/%.*s%s%.*s", STR_ARG(p->os), STR_ARG(p->arch), p->variant.n ? "/" : "", STR_ARG(p->variant));
}

bool image_platform_fits(const struct image_platform *want, const struct image_platform *have)
{
    return str_eq(want->os, have->os) && str_eq(want->arch, have->arch) &&
           (!want->variant.n || !have->variant.n || str_eq(want->variant, have->variant));
}
