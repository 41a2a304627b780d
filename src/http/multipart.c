/* See multipart.h. */
#include "http/multipart.h"

#include <strings.h>

enum { BOUNDARY_MAX = 70, PART_HEAD_MAX = 8 << 10 };

/* Up to the next ';' that is not within quotes: a file may be called "a;b". */
static void part_cut(struct str *rest, struct str *part)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || rest->p[n] != ';'); n++) quoted ^= rest->p[n] == '"';
    *part = str_sub(*rest, 0, n);
    *rest = n < rest->n ? str_from(*rest, n + 1) : STR_NONE;
}

/* The value of key="…" or key=… after a ';'; absent if there is none. */
static struct str parameter(struct str header, const char *key)
{
    struct str part, rest = header, name, value;
    size_t n = strlen(key);
    part_cut(&rest, &part);
    while (str_set(rest)) {
        part_cut(&rest, &part);
        if (!str_cut(str_trim(part), '=', &name, &value) || name.n != n || strncasecmp(name.p, key, n) != 0) continue;
        bool quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
        return quoted ? str_sub(value, 1, value.n - 2) : value;
    }
    return STR_NONE;
}

/* `mark` is CR LF "--" and the boundary; the first one may have no line before it. The next at or after `from`: where what
 * precedes it ends, and where what follows begins; false: none. */
static bool boundary_find(struct str body, struct str mark, size_t from, size_t *end, size_t *next)
{
    struct str first = str_from(mark, 2);
    if (!from && str_starts(body, first)) {
        *end = 0;
        *next = first.n;
        return true;
    }
    const char *at = from < body.n ? memmem(body.p + from, body.n - from, mark.p, mark.n) : NULL;
    if (!at) return false;
    *end = (size_t)(at - body.p);
    *next = *end + mark.n;
    return true;
}

/* Of the headers of a part: its Content-Disposition. */
static struct str disposition(struct str head)
{
    static const struct str wanted = {"content-disposition:", 20};
    struct str line, rest = head;
    while (str_set(rest)) {
        str_cut(rest, '\n', &line, &rest);
        if (line.n > wanted.n && strncasecmp(line.p, wanted.p, wanted.n) == 0) return str_trim(str_from(line, wanted.n));
    }
    return STR_NONE;
}

/* At the start of what follows a boundary: the headers, and where the content begins. */
static bool head_read(struct str body, size_t at, struct str *head, size_t *content)
{
    struct str rest = str_sub(body, at, PART_HEAD_MAX);
    ptrdiff_t end = str_find(rest, STR("\r\n\r\n"), 0);
    if (end < 0) return false;
    *head = str_sub(rest, 0, (size_t)end);
    *content = at + (size_t)end + 4;
    return true;
}

bool multipart_find(struct str content_type, struct str body, const char *name, struct multipart_part *out, struct err *e)
{
    struct str boundary = parameter(str_set(content_type) ? content_type : STR(""), "boundary"), head;
    char text[BOUNDARY_MAX + 8];
    size_t end, at, content;
    bool is_form = content_type.n >= 19 && strncasecmp(content_type.p, "multipart/form-data", 19) == 0;
    if (!is_form || !boundary.n || boundary.n > BOUNDARY_MAX)
        return err_set(e, ERR_SPEC, "the body has to be multipart/form-data");
    struct str mark = str_n(text, (size_t)snprintf(text, sizeof text, "\r\n--%.*s", STR_ARG(boundary)));
    bool more = boundary_find(body, mark, 0, &end, &at);
    while (more && head_read(body, at, &head, &content)) {
        struct str field = disposition(head);
        more = boundary_find(body, mark, content, &end, &at);
        if (!more) break; /* a part without an end was cut off */
        if (!str_set(field) || !str_is(parameter(field, "name"), name)) continue;
        *out = (struct multipart_part){parameter(field, "filename"), str_sub(body, content, end - content)};
        return true;
    }
    return err_set(e, ERR_SPEC, "the form has no field `%s`", name);
}
