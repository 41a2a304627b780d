/* Patterns are cut into parts once; a request is compared with every row. A table has some hundred
 * rows of a few parts, so this costs a few microseconds and needs no tree. */
#include "base/limits.h"
#include "http/route.h"

/* In order of preference: a literal beats a parameter beats the rest. */
enum part_kind { PART_LITERAL, PART_PARAM, PART_REST };

struct part {
    enum part_kind kind;
    struct str text; /* the literal, or the parameter's name */
};

struct row {
    const struct http_route *route;
    struct part *parts;
    size_t n;
};

struct router {
    struct arena arena;
    struct row *rows;
    size_t n;
};

static struct part part_of(struct str s)
{
    if (!str_starts(s, STR("{"))) {
        ASSERT(str_find_char(s, '{', 0) < 0);
        return (struct part){PART_LITERAL, s};
    }
    ASSERT(str_ends(s, STR("}")));
    struct str name = str_sub(s, 1, s.n - 2);
    if (!str_ends(name, STR("..."))) return (struct part){PART_PARAM, name};
    return (struct part){PART_REST, str_sub(name, 0, name.n - 3)};
}

static void row_init(struct arena *a, struct row *row, const struct http_route *route)
{
    struct str rest = str_of(route->pattern), part;
    ASSERT(str_starts(rest, STR("/")));
    rest = str_from(rest, 1);
    *row = (struct row){.route = route, .parts = ARENA_ARRAY(a, struct part, rest.n + 1)};
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &part, &rest);
        row->parts[row->n] = part_of(part);
        ASSERT(!more || row->parts[row->n].kind != PART_REST);
        row->n++;
    }
}

struct router *router_new(const struct http_route *routes, size_t n)
{
    struct router *r = mem_zalloc(sizeof *r);
    arena_init(&r->arena);
    r->rows = ARENA_ARRAY(&r->arena, struct row, n + 1);
    r->n = n;
    for (size_t i = 0; i < n; i++) row_init(&r->arena, &r->rows[i], &routes[i]);
    return r;
}

void router_free(struct router *r)
{
    if (!r) return;
    arena_fini(&r->arena);
    free(r);
}

static bool row_fits(const struct row *row, const struct target *t)
{
    for (size_t i = 0; i < row->n; i++) {
        if (row->parts[i].kind == PART_REST) return i < t->part_count;
        if (i >= t->part_count) return false;
        if (row->parts[i].kind == PART_LITERAL && !str_eq(row->parts[i].text, t->parts[i]))
            return false;
    }
    return row->n == t->part_count;
}

static bool method_fits(const struct http_route *route, struct str method)
{
    if (str_is(method, route->method) || strcmp(route->method, "*") == 0) return true;
    return str_is(method, "HEAD") && strcmp(route->method, "GET") == 0;
}

/* Both fit. True: x is the more specific one; of equals the method by name, then the first. */
static bool row_beats(const struct row *x, const struct row *y)
{
    for (size_t i = 0; i < x->n && i < y->n; i++)
        if (x->parts[i].kind != y->parts[i].kind) return x->parts[i].kind < y->parts[i].kind;
    return strcmp(y->route->method, "*") == 0 && strcmp(x->route->method, "*") != 0;
}

/* What the rest of the path is, as received but decoded. */
static struct str rest_of(struct arena *a, const struct target *t, size_t from)
{
    const char *p = t->raw_parts[from].p;
    struct str raw = str_n(p, (size_t)(t->path.p + t->path.n - p)), out;
    bool ok = str_percent_decode(a, raw, false, &out);
    ASSERT(ok); /* its parts were decoded before */
    return out;
}

static void params_fill(const struct row *row, struct arena *a, const struct target *t,
                        struct route_match *out)
{
    out->params = ARENA_ARRAY(a, struct target_pair, row->n);
    for (size_t i = 0; i < row->n; i++) {
        if (row->parts[i].kind == PART_LITERAL) continue;
        bool rest = row->parts[i].kind == PART_REST;
        out->params[out->param_count++] =
            (struct target_pair){row->parts[i].text, rest ? rest_of(a, t, i) : t->parts[i]};
    }
}

static void allow_add(struct arena *a, struct str *allow, const char *method)
{
    if (str_set(*allow) && str_find(*allow, str_of(method), 0) >= 0) return;
    *allow = str_fmt(a, "%.*s%s%s", STR_ARG(*allow), allow->n ? ", " : "", method);
}

void router_match(const struct router *r, struct arena *a, struct str method,
                  const struct target *t, struct route_match *out)
{
    const struct row *best = NULL;
    *out = (struct route_match){0};
    for (size_t i = 0; i < r->n; i++) {
        const struct row *row = &r->rows[i];
        if (!row_fits(row, t)) continue;
        if (!method_fits(row->route, method)) {
            allow_add(a, &out->allow, row->route->method);
        } else if (!best || row_beats(row, best)) {
            best = row;
        }
    }
    if (!best) return;
    out->route = best->route;
    params_fill(best, a, t, out);
}
