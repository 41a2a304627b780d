/* Taking targets apart. */
#include "base/limits.h"
#include "http/target.h"

static size_t count_char(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

static bool path_parse(struct arena *a, struct target *t, struct err *e)
{
    struct str rest = str_from(t->path, 1);
    size_t max = count_char(rest, '/') + 1;
    if (max > LIMIT_HTTP_PATH_SEGMENTS)
        return err_set(e, ERR_USAGE, "the path has more than %d parts", LIMIT_HTTP_PATH_SEGMENTS);
    t->parts = ARENA_ARRAY(a, struct str, max);
    t->raw_parts = ARENA_ARRAY(a, struct str, max);
    for (bool more = true; more; t->part_count++) {
        struct str *raw = &t->raw_parts[t->part_count];
        more = str_cut(rest, '/', raw, &rest);
        if (!str_percent_decode(a, *raw, false, &t->parts[t->part_count]))
            return err_set(e, ERR_USAGE, "the path has a bad escape");
    }
    return true;
}

static bool query_parse(struct arena *a, struct str q, struct target *t, struct err *e)
{
    size_t max = count_char(q, '&') + 1;
    if (max > LIMIT_HTTP_QUERY_KEYS)
        return err_set(e, ERR_USAGE, "the query has more than %d keys", LIMIT_HTTP_QUERY_KEYS);
    t->query = ARENA_ARRAY(a, struct target_pair, max);
    for (bool more = true; more;) {
        struct str pair, key, value;
        more = str_cut(q, '&', &pair, &q);
        if (pair.n == 0) continue;
        if (!str_cut(pair, '=', &key, &value)) value = STR("");
        struct target_pair *p = &t->query[t->query_count++];
        if (!str_percent_decode(a, key, true, &p->key) || !str_percent_decode(a, value, true, &p->value))
            return err_set(e, ERR_USAGE, "the query has a bad escape");
    }
    return true;
}

bool target_parse(struct arena *a, struct str raw, struct target *t, struct err *e)
{
    *t = (struct target){.raw = raw};
    if (!str_starts(raw, STR("/"))) return err_set(e, ERR_USAGE, "the target is not a path");
    struct str query;
    bool has_query = str_cut(raw, '?', &t->path, &query);
    if (!path_parse(a, t, e)) return false;
    return !has_query || query_parse(a, query, t, e);
}
