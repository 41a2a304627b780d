/* See id.h. */
#include "base/id.h"

uint32_t fnv1a32(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 16777619u;
    return h;
}

struct str node_id(struct arena *a, struct str workflow, struct str node_name)
{
    if (str_eq(workflow, node_name)) return str_dup(a, workflow);
    return str_fmt(a, "%.*s-%u", STR_ARG(workflow), fnv1a32(node_name));
}

struct str pod_name(struct arena *a, struct str workflow, struct str template_name,
                    struct str node_name)
{
    enum { PREFIX_MAX = 242 };
    if (str_eq(workflow, node_name)) return str_dup(a, workflow);
    struct str prefix = workflow;
    if (template_name.n)
        prefix = str_fmt(a, "%.*s-%.*s", STR_ARG(workflow), STR_ARG(template_name));
    prefix = str_sub(prefix, 0, PREFIX_MAX);
    return str_fmt(a, "%.*s-%u", STR_ARG(prefix), fnv1a32(node_name));
}

struct str uuid_text(struct arena *a, const uint8_t r[16])
{
    return str_fmt(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0],
                   r[1], r[2], r[3], r[4], r[5], (r[6] & 0x0f) | 0x40, r[7], (r[8] & 0x3f) | 0x80,
                   r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

struct str name_suffix(struct arena *a, uint64_t random)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    char out[5];
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = letters[random % (sizeof letters - 1)];
        random /= sizeof letters - 1;
    }
    return str_dup(a, str_n(out, sizeof out));
}
