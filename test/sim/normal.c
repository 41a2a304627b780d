/* The normal form of README.md 1.2: what both judges print, and nothing else. */
#include "base/map.h"
#include "doc/json.h"
#include "world.h"

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    if (us) buf_printf(b, ",\"%s\":%lld", name, (long long)us);
    else buf_printf(b, ",\"%s\":null", name);
}

static void put_text(struct buf *b, const char *name, struct str text)
{
    buf_printf(b, "%s\"%s\":", b->p[b->n - 1] == '{' ? "" : ",", name);
    buf_json(b, text);
}

/* One that waits for its values shows its parameters without any. */
static const struct val *with_values(const struct val *params)
{
    for (uint32_t i = 0; params && i < params->n; i++)
        if (val_get(&params->items[i], STR("value"))) return params;
    return NULL;
}

static void put_params(struct buf *b, const struct val *params)
{
    bool first = true;
    buf_str(b, STR("\"parameters\":{"));
    for (uint32_t i = 0; i < params->n; i++) {
        const struct val *v = val_get(&params->items[i], STR("value"));
        if (!v) continue;
        if (!first) buf_char(b, ',');
        first = false;
        buf_json(b, val_get_str(&params->items[i], "name"));
        buf_char(b, ':');
        buf_json(b, val_text(v));
    }
    buf_char(b, '}');
}

static void put_outputs(struct buf *b, const struct val *o)
{
    const struct val *params = with_values(val_get(o, STR("parameters")));
    if (!o || (!params && !val_get(o, STR("result")) && !val_get(o, STR("exitCode")))) return;
    buf_str(b, STR(",\"outputs\":{"));
    if (params) put_params(b, params);
    if (val_get(o, STR("result"))) put_text(b, "result", val_get_str(o, "result"));
    if (val_get(o, STR("exitCode"))) put_text(b, "exitCode", val_get_str(o, "exitCode"));
    buf_char(b, '}');
}

static void put_children(struct buf *b, struct arena *a, const struct val *ids,
                         const struct map *names)
{
    uint32_t n = ids ? ids->n : 0;
    struct str *list = ARENA_ARRAY(a, struct str, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct node *c = map_ptr(names, val_text(&ids->items[i]));
        list[i] = c ? node_name(c) : STR("?");
    }
    qsort(list, n, sizeof *list, by_text);
    buf_str(b, STR(",\"children\":["));
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_char(b, ',');
        buf_json(b, list[i]);
    }
    buf_char(b, ']');
}

static void put_node(struct buf *b, struct run *r, struct node *n, const struct map *names)
{
    struct arena a;
    struct buf text;
    struct val s;
    arena_init(&a);
    buf_init(&text, (size_t)1 << 30);
    node_write_status(&text, r, n);
    ASSERT(json_parse(&a, buf_view(&text), NULL, &s, NULL));
    buf_json(b, node_name(n));
    buf_str(b, STR(":{"));
    static const char *const keys[] = {"phase", "type", "displayName", "message", "templateName"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) put_text(b, keys[i], val_get_str(&s, keys[i]));
    const struct val *ref = val_get(&s, STR("templateRef"));
    struct str ref_name = val_get_str(ref, "name"), ref_tmpl = val_get_str(ref, "template");
    if (ref) put_text(b, "templateRef", str_fmt(&a, "%.*s/%.*s", STR_ARG(ref_name), STR_ARG(ref_tmpl)));
    struct node *boundary = map_ptr(names, val_get_str(&s, "boundaryID"));
    put_text(b, "boundary", boundary ? node_name(boundary) : STR(""));
    const struct val *hit = val_path(&s, "memoizationStatus.hit");
    if (hit) put_text(b, "memo", hit->b ? STR("hit") : STR("miss"));
    put_outputs(b, val_get(&s, STR("outputs")));
    put_children(b, &a, val_get(&s, STR("children")), names);
    put_time(b, "startedAt", node_started_us(n));
    put_time(b, "finishedAt", node_finished_us(n));
    buf_char(b, '}');
    buf_fini(&text);
    arena_fini(&a);
}

static void put_run(struct buf *b, struct arena *a, struct run *r)
{
    struct buf text;
    struct val s, p;
    int64_t started = 0, finished = 0;
    buf_init(&text, (size_t)1 << 30);
    run_write_status(&text, r);
    ASSERT(json_parse(a, buf_view(&text), NULL, &s, NULL));
    buf_reset(&text);
    run_write_private(&text, r);
    ASSERT(json_parse(a, buf_view(&text), NULL, &p, NULL));
    val_i64(val_get(&p, STR("s")), &started);
    val_i64(val_get(&p, STR("f")), &finished);
    put_text(b, "phase", val_get_str(&s, "phase"));
    put_text(b, "message", val_get_str(&s, "message"));
    put_text(b, "progress", val_get_str(&s, "progress"));
    put_time(b, "startedAt", started);
    put_time(b, "finishedAt", finished);
    buf_str(b, STR(",\"outputs\":{"));
    const struct val *params = val_path(&s, "outputs.parameters");
    if (params) put_params(b, params);
    buf_char(b, '}');
    buf_fini(&text);
}

void normal_write(struct buf *b, struct run *r, bool whole)
{
    struct arena a;
    struct map names = {0};
    arena_init(&a);
    for (size_t i = 0; i < run_node_count(r); i++) {
        struct node *n = run_node_at(r, i);
        map_set_ptr(&names, node_id_text(&a, r, n), n);
    }
    buf_char(b, '{');
    put_run(b, &a, r);
    buf_str(b, STR(",\"nodes\":{"));
    for (size_t i = 0; i < run_node_count(r); i++) {
        if (i) buf_char(b, ',');
        put_node(b, r, run_node_at(r, i), &names);
    }
    buf_char(b, '}');
    if (whole) {
        buf_str(b, STR(",\"workflow\":"));
        run_write_workflow(b, r);
    }
    buf_char(b, '}');
    map_fini(&names);
    arena_fini(&a);
}
