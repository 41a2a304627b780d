/* The checks of gate.h. */
#include <strings.h>

#include "base/limits.h"
#include "http/gate.h"

enum { METHOD_BYTES = 20, LENGTH_DIGITS = 18 };

struct counts {
    unsigned length, encoding, host;
    struct str length_value, encoding_value, host_value;
};

static bool is_alpha(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool field_name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!is_alpha(c) && !is_digit(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return name.n > 0;
}

bool field_value_ok(struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

bool field_name_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static bool method_ok(struct str m)
{
    for (size_t i = 0; i < m.n; i++)
        if (!is_alpha(m.p[i])) return false;
    return m.n > 0 && m.n <= METHOD_BYTES;
}

static bool host_ok(struct str h)
{
    for (size_t i = 0; i < h.n; i++)
        if (strchr(" \t,/?#@\\", h.p[i])) return false;
    return true;
}

static bool fields_count(const struct gate_head *h, struct counts *c, struct err *e)
{
    if (h->field_count > LIMIT_HTTP_HEADERS)
        return err_set(e, ERR_USAGE, "more than %d header fields", LIMIT_HTTP_HEADERS);
    for (size_t i = 0; i < h->field_count; i++) {
        const struct http_field *f = &h->fields[i];
        if (!field_name_ok(f->name)) return err_set(e, ERR_USAGE, "a header name is not valid");
        if (!field_value_ok(f->value))
            return err_set(e, ERR_USAGE, "header '%.*s' has control characters", STR_ARG(f->name));
        if (field_name_eq(f->name, STR("content-length"))) {
            c->length++;
            c->length_value = f->value;
        } else if (field_name_eq(f->name, STR("transfer-encoding"))) {
            c->encoding++;
            c->encoding_value = f->value;
        } else if (field_name_eq(f->name, STR("host"))) {
            c->host++;
            c->host_value = f->value;
        }
    }
    return true;
}

static bool length_check(struct str s, uint64_t *length, struct err *e)
{
    if (s.n == 0 || s.n > LENGTH_DIGITS) return err_set(e, ERR_USAGE, "Content-Length is not valid");
    *length = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i])) return err_set(e, ERR_USAGE, "Content-Length is not a number");
        *length = *length * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

bool gate_check(const struct gate_head *h, struct gate_body *body, struct err *e)
{
    struct counts c = {0};
    bool v10 = str_is(h->version, "HTTP/1.0");
    *body = (struct gate_body){0};
    if (!v10 && !str_is(h->version, "HTTP/1.1"))
        return err_set(e, ERR_USAGE, "the protocol is not HTTP/1.1");
    if (!method_ok(h->method)) return err_set(e, ERR_USAGE, "the method is not valid");
    if (!fields_count(h, &c, e)) return false;
    if (c.host > 1 || (c.host == 0 && !v10)) return err_set(e, ERR_USAGE, "exactly one Host is needed");
    if (!host_ok(c.host_value)) return err_set(e, ERR_USAGE, "Host is not valid");
    if (c.length > 1) return err_set(e, ERR_USAGE, "more than one Content-Length");
    if (c.encoding > 1) return err_set(e, ERR_USAGE, "more than one Transfer-Encoding");
    if (c.length && c.encoding)
        return err_set(e, ERR_USAGE, "both Content-Length and Transfer-Encoding");
    if (c.encoding && v10) return err_set(e, ERR_USAGE, "Transfer-Encoding with HTTP/1.0");
    if (c.encoding && !field_name_eq(c.encoding_value, STR("chunked")))
        return err_set(e, ERR_UNSUPPORTED, "Transfer-Encoding is not 'chunked'");
    body->chunked = c.encoding;
    return !c.length || length_check(c.length_value, &body->length, e);
}
