/* What labels and names may look like. See selector.h; rules: k8s.io/apimachinery
 * pkg/util/validation. */
#include "base/limits.h"
#include "resource/selector.h"

enum { LABEL_BYTES = 63 };

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Begins and ends alphanumeric; between also - _ and dots. */
static bool is_qualified(struct str s)
{
    if (!s.n || s.n > LABEL_BYTES || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1])) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.') return false;
    return true;
}

static bool is_dns_label(struct str s)
{
    if (!s.n || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1])) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '-') return false;
    return true;
}

static bool is_dns_subdomain(struct str s)
{
    if (!s.n || s.n > LIMIT_NAME_BYTES) return false;
    struct str part, rest = s;
    do {
        str_cut(rest, '.', &part, &rest);
        if (!is_dns_label(part)) return false;
    } while (str_set(rest));
    return true;
}

bool label_key_check(struct str key, struct err *e)
{
    struct str prefix, name;
    bool ok = str_cut(key, '/', &prefix, &name) ? is_dns_subdomain(prefix) && is_qualified(name)
                                                : is_qualified(key);
    return ok || err_set(e, ERR_SPEC, "\"%.*s\" is not a valid label key: [prefix/]name, the name at most 63 of "
                                      "A-Za-z0-9 - _ . and alphanumeric at both ends", STR_ARG(key));
}

bool label_value_check(struct str value, struct err *e)
{
    return !value.n || is_qualified(value) ||
           err_set(e, ERR_SPEC, "\"%.*s\" is not a valid label value: at most 63 of A-Za-z0-9 - _ . and "
                                "alphanumeric at both ends", STR_ARG(value));
}

bool dns_subdomain_check(struct str name, struct err *e)
{
    return is_dns_subdomain(name) ||
           err_set(e, ERR_SPEC, "\"%.*s\" is not a valid name: at most %d of a-z 0-9 - . and alphanumeric at both "
                                "ends (RFC 1123)", STR_ARG(name), LIMIT_NAME_BYTES);
}

bool dns_label_check(struct str name, struct err *e)
{
    return (name.n <= LABEL_BYTES && is_dns_label(name)) ||
           err_set(e, ERR_SPEC, "\"%.*s\" is not a valid name: at most %d of a-z 0-9 - and alphanumeric at both "
                                "ends (RFC 1123)", STR_ARG(name), LABEL_BYTES);
}
