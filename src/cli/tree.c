/* Nodes become a forest: everyone has at most one parent (the step group or retry that lists it as
 * a child, else its boundary), so walking from the roots ends whatever the object says. */
#include "cli/tree.h"

#include "base/id.h"
#include "base/limits.h"
#include "base/map.h"
#include "cli/human.h"
#include "cli/text.h"
#include "cli/wf.h"

struct tnode {
    const struct val *v;
    struct str id, type, display;
    int64_t started_us;
    struct tnode *parent;
    struct tnode **kids; /* in the sorted array */
    size_t n_kids;
    int64_t order; /* position among equals: the map's order */
    int64_t index; /* of a loop item or attempt, else -1 */
    size_t base_n; /* bytes of display before the index */
};

struct forest {
    struct arena *a;
    const struct val *wf;
    const struct view_opts *o;
    struct tnode *nodes;
    struct tnode **sorted;
    size_t n;
    struct map by_id;
    struct table table;
};

static bool groups_kids(const struct tnode *n) { return str_is(n->type, "StepGroup") || str_is(n->type, "Retry"); }

static bool shown_type(struct str type)
{
    static const char *const types[] = {"DAG", "Steps", "StepGroup", "Retry", "Pod", "Skipped", "Suspend", "HTTP", "Plugin"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(type, types[i])) return true;
    return false;
}

/* "name(3:item)" and "name(3)" → 3 */
static void index_read(struct tnode *n)
{
    ptrdiff_t open = str_find_char(n->display, '(', 0);
    n->index = -1;
    n->base_n = n->display.n;
    if (open < 0) return;
    struct str rest = str_from(n->display, (size_t)open + 1);
    ptrdiff_t colon = str_find_char(rest, ':', 0), close = str_find_char(rest, ')', 0);
    ptrdiff_t end = colon >= 0 ? colon : close;
    if (end > 0 && str_to_i64(str_sub(rest, 0, (size_t)end), &n->index)) n->base_n = (size_t)open;
    else n->index = -1;
}

static int number_cmp(int64_t x, int64_t y) { return (x > y) - (x < y); }

static int tnode_cmp(const void *px, const void *py)
{
    const struct tnode *x = *(struct tnode *const *)px, *y = *(struct tnode *const *)py;
    int c = number_cmp((intptr_t)x->parent, (intptr_t)y->parent);
    if (!c) c = number_cmp(x->started_us ? x->started_us : INT64_MAX, y->started_us ? y->started_us : INT64_MAX);
    if (!c) c = str_cmp(str_sub(x->display, 0, x->base_n), str_sub(y->display, 0, y->base_n));
    if (!c) c = number_cmp(x->index, y->index);
    if (!c) c = str_cmp(x->display, y->display);
    return c ? c : number_cmp(x->order, y->order);
}

static void nodes_read(struct forest *f, const struct val *nodes)
{
    f->nodes = ARENA_ARRAY(f->a, struct tnode, nodes->n);
    for (uint32_t i = 0; i < nodes->n; i++) {
        const struct val *v = &nodes->map[i].v;
        struct tnode n = {.v = v, .id = nodes->map[i].key, .type = val_get_str(v, "type"), .order = i};
        bool omitted = str_is(n.type, "Skipped") && str_is(val_get_str(v, "phase"), "Omitted");
        if (!shown_type(n.type) || omitted) continue;
        n.display = val_get_str(v, "displayName");
        n.started_us = wf_time(v, "startedAt");
        index_read(&n);
        f->nodes[f->n] = n;
        map_set_ptr(&f->by_id, n.id, &f->nodes[f->n++]);
    }
}

/* Steps link each group to the next one's; only the boundary is a group's parent. */
static void parents_find(struct forest *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct val *kids = groups_kids(&f->nodes[i]) ? val_get(f->nodes[i].v, STR("children")) : NULL;
        for (uint32_t k = 0; kids && kids->kind == VAL_LIST && k < kids->n; k++) {
            struct tnode *kid = map_ptr(&f->by_id, val_text(&kids->items[k]));
            if (kid && kid != &f->nodes[i] && !str_is(kid->type, "StepGroup")) kid->parent = &f->nodes[i];
        }
    }
    for (size_t i = 0; i < f->n; i++)
        if (!f->nodes[i].parent) f->nodes[i].parent = map_ptr(&f->by_id, val_get_str(f->nodes[i].v, "boundaryID"));
}

static void kids_sort(struct forest *f)
{
    f->sorted = ARENA_ARRAY(f->a, struct tnode *, f->n);
    for (size_t i = 0; i < f->n; i++) f->sorted[i] = &f->nodes[i];
    if (f->n) qsort(f->sorted, f->n, sizeof *f->sorted, tnode_cmp);
    for (size_t i = 0; i < f->n; i++) {
        struct tnode *p = f->sorted[i]->parent;
        if (!p) continue;
        if (p->n_kids++ == 0) p->kids = &f->sorted[i];
    }
}

/* --- one row --- */

static struct str buf_take(struct forest *f, struct buf *b)
{
    struct str s = buf_dup(f->a, b);
    buf_fini(b);
    return s;
}

static struct str step_cell(struct forest *f, const struct tnode *n, struct str prefix)
{
    struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    struct str phase = node_suspended(n->v) ? STR("Suspended") : val_get_str(n->v, "phase");
    buf_str(&b, prefix);
    icon_put(&b, &f->o->style, icon_of(phase));
    buf_char(&b, ' ');
    text_clean(&b, n->display);
    return buf_take(f, &b);
}

static struct str template_cell(struct forest *f, const struct val *v)
{
    const struct val *ref = val_get(v, STR("templateRef"));
    if (!ref) return val_get_str(v, "templateName");
    return str_fmt(f->a, "%.*s/%.*s", STR_ARG(val_get_str(ref, "name")), STR_ARG(val_get_str(ref, "template")));
}

static struct str pod_cell(struct forest *f, const struct tnode *n)
{
    const struct val *notes = val_path(f->wf, "metadata.annotations");
    if (!str_is(n->type, "Pod")) return STR("");
    if (str_is(val_get_str(notes, "workflows.argoproj.io/pod-name-format"), "v1")) return n->id;
    struct str of_ref = val_text(val_path(n->v, "templateRef.template"));
    struct str name = str_set(of_ref) ? of_ref : val_get_str(n->v, "templateName");
    return pod_name(f->a, wf_name(f->wf), name, val_get_str(n->v, "name"));
}

static struct str duration_cell(struct forest *f, const struct tnode *n)
{
    struct buf b;
    if (!str_is(n->type, "Pod") || !n->started_us) return STR("");
    buf_init(&b, 64);
    int64_t end = wf_time(n->v, "finishedAt");
    human_short(&b, (end ? end : f->o->now_us) - n->started_us);
    return buf_take(f, &b);
}

static struct str message_cell(struct forest *f, const struct tnode *n)
{
    struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    text_clean(&b, val_get_str(n->v, "message"));
    return buf_take(f, &b);
}

static struct str artifacts_cell(struct forest *f, const struct tnode *n)
{
    const struct val *list = val_path(n->v, "outputs.artifacts");
    struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", STR_ARG(val_get_str(&list->items[i], "name")));
    return buf_take(f, &b);
}

static struct str resources_cell(struct forest *f, const struct tnode *n)
{
    struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    wf_resources(&b, val_get(n->v, STR("resourcesDuration")));
    return buf_take(f, &b);
}

static void row_add(struct forest *f, const struct tnode *n, struct str prefix)
{
    struct str host = str_is(n->type, "Pod") ? val_get_str(n->v, "hostNodeName") : STR("");
    struct table *t = &f->table;
    table_cell(t, step_cell(f, n, prefix));
    table_cell(t, template_cell(f, n->v));
    table_cell(t, pod_cell(f, n));
    table_cell(t, duration_cell(f, n));
    if (f->o->form == VIEW_WIDE) table_cell(t, artifacts_cell(f, n));
    table_cell(t, message_cell(f, n));
    if (f->o->form == VIEW_WIDE) table_cell(t, resources_cell(f, n));
    if (f->o->form != VIEW_DEFAULT) table_cell(t, host);
    table_row_end(t);
}

static void head_add(struct forest *f)
{
    static const char *const heads[][9] = {
        [VIEW_DEFAULT] = {"STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE"},
        [VIEW_WIDE] = {"STEP", "TEMPLATE", "PODNAME", "DURATION", "ARTIFACTS", "MESSAGE", "RESOURCESDURATION", "NODENAME"},
        [VIEW_SHORT] = {"STEP", "TEMPLATE", "PODNAME", "DURATION", "MESSAGE", "NODENAME"},
    };
    for (const char *const *h = heads[f->o->form]; *h; h++) table_cell(&f->table, str_of(*h));
    table_row_end(&f->table);
}

/* --- the walk --- */

/* What a hidden node does to its children: takes their place, or groups them. */
enum hidden { SHOWN, REPLACED, GROUPING };

static enum hidden node_hidden(const struct forest *f, const struct tnode *n)
{
    if (str_is(n->type, "Retry") && n->n_kids == 1) return REPLACED;
    if (str_is(n->type, "StepGroup")) return GROUPING;
    return nodesel_matches(&f->o->nodes, n->v) ? SHOWN : REPLACED;
}

struct glyphs {
    const char *part, *below;
};
static struct glyphs glyphs_of(const struct forest *f, enum hidden parent, size_t i, size_t last)
{
    const struct style *s = &f->o->style;
    if (parent == REPLACED) return (struct glyphs){"", ""};
    if (parent == GROUPING && last == 0) return (struct glyphs){style_pick(s, "──", "--"), "  "};
    if (parent == GROUPING && i == 0) return (struct glyphs){style_pick(s, "┬─", "+-"), style_pick(s, "│ ", "| ")};
    if (i == last) return (struct glyphs){style_pick(s, "└─", "`-"), "  "};
    return (struct glyphs){style_pick(s, "├─", "|-"), style_pick(s, "│ ", "| ")};
}

static void node_walk(struct forest *f, const struct tnode *n, struct str own, struct str below, int depth)
{
    enum hidden hidden = node_hidden(f, n);
    if (hidden == SHOWN) row_add(f, n, own);
    if (depth > LIMIT_DOC_DEPTH) return;
    for (size_t i = 0; i < n->n_kids; i++) {
        struct glyphs g = glyphs_of(f, hidden, i, n->n_kids - 1);
        struct str before = hidden != SHOWN && i == 0 ? own : below;
        node_walk(f, n->kids[i], str_cat(f->a, before, str_of(g.part)), str_cat(f->a, below, str_of(g.below)), depth + 1);
    }
}

/* The entrypoint first, then (after an empty line each) hooks and the exit handler. */
static void roots_walk(struct forest *f)
{
    const struct tnode *main_root = map_ptr(&f->by_id, wf_name(f->wf));
    node_walk(f, main_root, STR(" "), STR(" "), 0);
    for (size_t i = 0; i < f->n; i++) {
        const struct tnode *n = f->sorted[i];
        if (n->parent || n == main_root) continue;
        size_t before = f->table.ends.n;
        table_row_end(&f->table);
        node_walk(f, n, STR(" "), STR(" "), 0);
        if (f->table.ends.n == before + 1) f->table.ends.n = before; /* nothing of it was shown */
    }
}

void view_tree(struct arena *a, const struct val *wf, const struct view_opts *o, struct buf *out)
{
    const struct val *nodes = val_path(wf, "status.nodes");
    struct forest f = {.a = a, .wf = wf, .o = o};
    if (!nodes || nodes->kind != VAL_MAP) return;
    nodes_read(&f, nodes);
    if (map_ptr(&f.by_id, wf_name(wf))) {
        parents_find(&f);
        kids_sort(&f);
        table_begin(&f.table, a);
        head_add(&f);
        roots_walk(&f);
        table_print(&f.table, 2, out);
    }
    map_fini(&f.by_id);
}
