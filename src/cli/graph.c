/* First a small graph of boxes and edges, then one printer for each form. */
#include "cli/graph.h"

#include <ctype.h>

#include "base/map.h"
#include "base/vec.h"
#include "cli/text.h"

struct box {
    struct str name, kind; /* shown text; template name */
    struct str group;      /* the template it stands in, or "" */
    const struct icon *icon;
};
struct edge {
    size_t from, to;
};
struct graph {
    struct arena *a;
    struct map by_key; /* "group\n name" or node id → index + 1 */
    VEC(struct box) boxes;
    VEC(struct edge) edges;
};

static struct str box_key(struct graph *g, struct str group, struct str name)
{
    return str_fmt(g->a, "%.*s\n%.*s", STR_ARG(group), STR_ARG(name));
}

static void box_add(struct graph *g, struct str key, struct box b)
{
    bool fresh;
    struct map_slot *slot = map_put(&g->by_key, key, &fresh);
    if (!fresh) return;
    VEC_PUSH(&g->boxes, b);
    slot->num = g->boxes.n;
}

static size_t box_find(const struct graph *g, struct str key)
{
    struct map_slot *slot = map_get(&g->by_key, key);
    return slot ? slot->num : 0;
}

static void edge_add(struct graph *g, size_t from, size_t to)
{
    if (from && to && from != to) VEC_PUSH(&g->edges, ((struct edge){from - 1, to - 1}));
}

static void graph_fini(struct graph *g)
{
    map_fini(&g->by_key);
    VEC_FINI(&g->boxes);
    VEC_FINI(&g->edges);
}

/* --- from a document --- */

static struct str callee(struct graph *g, const struct val *task)
{
    const struct val *ref = val_get(task, STR("templateRef"));
    if (ref) return str_fmt(g->a, "%.*s/%.*s", STR_ARG(val_get_str(ref, "name")), STR_ARG(val_get_str(ref, "template")));
    struct str name = val_get_str(task, "template");
    return str_set(name) ? name : STR("inline");
}

static struct str loop_mark(const struct val *task)
{
    bool loop = val_get(task, STR("withItems")) || val_get(task, STR("withParam")) || val_get(task, STR("withSequence"));
    return loop ? STR(" (loop)") : STR("");
}

static size_t task_add(struct graph *g, struct str group, const struct val *task)
{
    struct str name = val_get_str(task, "name"), key = box_key(g, group, name);
    struct str shown = str_cat(g->a, str_dup(g->a, name), loop_mark(task));
    box_add(g, key, (struct box){shown, callee(g, task), group, icon_of(STR(""))});
    return box_find(g, key);
}

/* The task names in a depends expression: words, up to a dot. */
static void depends_edges(struct graph *g, struct str group, struct str depends, size_t to)
{
    size_t i = 0;
    while (i < depends.n) {
        size_t start = i;
        while (i < depends.n && (isalnum((unsigned char)depends.p[i]) || depends.p[i] == '-' || depends.p[i] == '_')) i++;
        if (i > start) edge_add(g, box_find(g, box_key(g, group, str_sub(depends, start, i - start))), to);
        if (i < depends.n && depends.p[i] == '.')
            while (i < depends.n && (isalnum((unsigned char)depends.p[i]) || depends.p[i] == '.')) i++;
        else if (i == start) i++;
    }
}

static void dag_add(struct graph *g, struct str group, const struct val *tasks)
{
    for (uint32_t i = 0; i < tasks->n; i++) task_add(g, group, &tasks->items[i]);
    for (uint32_t i = 0; i < tasks->n; i++) {
        const struct val *list = val_get(&tasks->items[i], STR("dependencies"));
        size_t to = box_find(g, box_key(g, group, val_get_str(&tasks->items[i], "name")));
        depends_edges(g, group, val_get_str(&tasks->items[i], "depends"), to);
        for (uint32_t k = 0; list && list->kind == VAL_LIST && k < list->n; k++)
            edge_add(g, box_find(g, box_key(g, group, val_text(&list->items[k]))), to);
    }
}

static void steps_add(struct graph *g, struct str group, const struct val *groups)
{
    size_t before = g->boxes.n, before_end = before; /* the boxes of the group before */
    for (uint32_t i = 0; i < groups->n; i++) {
        const struct val *steps = &groups->items[i];
        size_t start = g->boxes.n;
        bool list = steps->kind == VAL_LIST;
        for (uint32_t k = 0; k < (list ? steps->n : 1); k++) {
            size_t to = task_add(g, group, list ? &steps->items[k] : steps);
            for (size_t from = before; from < before_end; from++) edge_add(g, from + 1, to);
        }
        before = start;
        before_end = g->boxes.n;
    }
}

static void templates_add(struct graph *g, const struct val *spec)
{
    const struct val *list = val_get(spec, STR("templates"));
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        const struct val *t = &list->items[i], *tasks = val_path(t, "dag.tasks"), *steps = val_get(t, STR("steps"));
        struct str name = val_get_str(t, "name");
        if (tasks && tasks->kind == VAL_LIST) dag_add(g, name, tasks);
        else if (steps && steps->kind == VAL_LIST) steps_add(g, name, steps);
    }
    struct str entry = val_get_str(spec, "entrypoint");
    if (g->boxes.n == 0 && entry.n) box_add(g, entry, (struct box){entry, STR(""), STR(""), icon_of(STR(""))});
}

/* --- from a run --- */

static bool node_shown(const struct val *node) { return !str_is(val_get_str(node, "type"), "StepGroup"); }

/* Children through step groups, which are not boxes. Depth ends circles. */
static void children_link(struct graph *g, const struct val *nodes, size_t from, const struct val *node, int depth)
{
    const struct val *kids = val_get(node, STR("children"));
    for (uint32_t i = 0; kids && kids->kind == VAL_LIST && i < kids->n && depth < 100; i++) {
        struct str id = val_text(&kids->items[i]);
        const struct val *kid = val_get(nodes, id);
        if (kid && node_shown(kid)) edge_add(g, from, box_find(g, id));
        else if (kid) children_link(g, nodes, from, kid, depth + 1);
    }
}

static void nodes_add(struct graph *g, const struct val *nodes)
{
    for (uint32_t i = 0; i < nodes->n; i++) {
        const struct val *v = &nodes->map[i].v;
        struct box b = {val_get_str(v, "displayName"), val_get_str(v, "templateName"), STR(""), icon_of(val_get_str(v, "phase"))};
        if (node_shown(v)) box_add(g, nodes->map[i].key, b);
    }
    for (uint32_t i = 0; i < nodes->n; i++)
        if (node_shown(&nodes->map[i].v)) children_link(g, nodes, box_find(g, nodes->map[i].key), &nodes->map[i].v, 0);
}

/* --- printers --- */

static void label_put(struct buf *b, struct str s, char quote)
{
    CLEANUP(buf_fini) struct buf t;
    buf_init(&t, 1 << 16);
    text_clean(&t, s);
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == quote && quote == '"') buf_str(b, STR("'"));
        else if (t.p[i] == '\\' && quote == '"') buf_str(b, STR("/"));
        else buf_char(b, t.p[i]);
    }
}

static const char *fill_of(const struct icon *i)
{
    static const char *const fills[STYLE_MAX] = {[STYLE_OK] = "#c8f0c8", [STYLE_FAILED] = "#f6c6c6",
                                                 [STYLE_RUNNING] = "#c6e2f6", [STYLE_PENDING] = "#f4ecc2"};
    return fills[i->role] ? fills[i->role] : "#ffffff";
}

static void dot_boxes(const struct graph *g, struct buf *b)
{
    struct str group = STR("");
    for (size_t i = 0; i < g->boxes.n; i++) {
        const struct box *x = &g->boxes.items[i];
        if (!str_eq(group, x->group) && group.n) buf_str(b, STR("  }\n"));
        if (!str_eq(group, x->group) && x->group.n) {
            buf_printf(b, "  subgraph cluster_%zu {\n    label=\"", i);
            label_put(b, x->group, '"');
            buf_str(b, STR("\";\n"));
        }
        group = x->group;
        buf_printf(b, "    n%zu [label=\"", i);
        label_put(b, x->name, '"');
        if (x->kind.n) buf_str(b, STR("\\n")), label_put(b, x->kind, '"');
        buf_printf(b, "\", fillcolor=\"%s\"];\n", fill_of(x->icon));
    }
    if (group.n) buf_str(b, STR("  }\n"));
}

static void dot_put(const struct graph *g, struct buf *b)
{
    buf_str(b, STR("digraph workflow {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n"));
    dot_boxes(g, b);
    for (size_t i = 0; i < g->edges.n; i++) buf_printf(b, "  n%zu -> n%zu;\n", g->edges.items[i].from, g->edges.items[i].to);
    buf_str(b, STR("}\n"));
}

static void mermaid_put(const struct graph *g, struct buf *b)
{
    struct str group = STR("");
    buf_str(b, STR("flowchart TD\n"));
    for (size_t i = 0; i < g->boxes.n; i++) {
        const struct box *x = &g->boxes.items[i];
        if (!str_eq(group, x->group) && group.n) buf_str(b, STR("  end\n"));
        if (!str_eq(group, x->group) && x->group.n) {
            buf_printf(b, "  subgraph g%zu[\"", i);
            label_put(b, x->group, '"');
            buf_str(b, STR("\"]\n"));
        }
        group = x->group;
        buf_printf(b, "  n%zu[\"", i);
        label_put(b, x->name, '"');
        if (x->kind.n) buf_str(b, STR("<br/>")), label_put(b, x->kind, '"');
        buf_str(b, STR("\"]\n"));
    }
    if (group.n) buf_str(b, STR("  end\n"));
    for (size_t i = 0; i < g->edges.n; i++) buf_printf(b, "  n%zu --> n%zu\n", g->edges.items[i].from, g->edges.items[i].to);
}

static int edge_cmp(const void *px, const void *py)
{
    const struct edge *x = px, *y = py;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

/* Names of what box `i` waits for, joined. Edges are sorted by `to`; *at is where box i's begin. */
static struct str waits_cell(const struct graph *g, const struct style *s, size_t i, size_t *at)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1 << 20);
    for (; *at < g->edges.n && g->edges.items[*at].to == i; ++*at) {
        buf_str(&b, str_of(b.n ? ", " : style_pick(s, "← ", "after ")));
        label_put(&b, g->boxes.items[g->edges.items[*at].from].name, 0);
    }
    return buf_dup(g->a, &b);
}

static void lines_put(struct graph *g, const struct style *s, struct buf *out)
{
    struct table t;
    struct str group = STR("");
    size_t edge = 0;
    if (g->edges.n) qsort(g->edges.items, g->edges.n, sizeof *g->edges.items, edge_cmp);
    table_begin(&t, g->a);
    for (size_t i = 0; i < g->boxes.n; i++) {
        const struct box *x = &g->boxes.items[i];
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 1 << 20);
        if (!str_eq(group, x->group) && x->group.n) {
            table_cell(&t, x->group);
            table_row_end(&t);
        }
        group = x->group;
        if (group.n) buf_str(&b, STR("  "));
        icon_put(&b, s, x->icon);
        if (x->icon->symbol[0]) buf_char(&b, ' ');
        label_put(&b, x->name, 0);
        table_cell(&t, buf_view(&b));
        table_cell(&t, x->kind);
        table_cell(&t, waits_cell(g, s, i, &edge));
        table_row_end(&t);
    }
    table_print(&t, 2, out);
}

static void graph_put(struct graph *g, enum graph_form form, const struct style *s, struct buf *out)
{
    if (form == GRAPH_DOT) dot_put(g, out);
    else if (form == GRAPH_MERMAID) mermaid_put(g, out);
    else lines_put(g, s, out);
    graph_fini(g);
}

void graph_spec(struct arena *a, const struct val *object, enum graph_form form, const struct style *s, struct buf *out)
{
    struct graph g = {.a = a};
    const struct val *inner = val_path(object, "spec.workflowSpec");
    templates_add(&g, inner ? inner : val_get(object, STR("spec")));
    graph_put(&g, form, s, out);
}

void graph_run(struct arena *a, const struct val *wf, enum graph_form form, const struct style *s, struct buf *out)
{
    struct graph g = {.a = a};
    const struct val *nodes = val_path(wf, "status.nodes");
    if (nodes && nodes->kind == VAL_MAP) nodes_add(&g, nodes);
    graph_put(&g, form, s, out);
}
