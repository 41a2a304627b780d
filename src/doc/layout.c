/* See layout.h. One pass over libyaml's events; open collections form a stack. */
#include "doc/layout.h"

#include "base/limits.h"
#include "base/vec.h"
#include "doc/yaml_pos.h"

struct open {
    uint32_t node, last; /* last child so far */
};

struct reader {
    struct layout *out;
    struct yaml_cursor cursor;
    uint32_t base; /* where the text begins that is read */
    VEC(struct layout_node) nodes;
    VEC(struct open) stack;
    uint32_t flow; /* depth of open brackets */
};

size_t layout_line_start(struct str text, size_t at)
{
    while (at > 0 && text.p[at - 1] != '\n') at--;
    return at;
}

size_t layout_line_end(struct str text, size_t at)
{
    if (at >= text.n) return text.n;
    const char *end = memchr(text.p + at, '\n', text.n - at);
    return end ? (size_t)(end - text.p) : text.n;
}

size_t layout_offset(const struct layout *l, uint32_t line, uint32_t col)
{
    if (line == 0 || line > l->n_lines) return l->text.n;
    size_t at = l->lines[line - 1];
    return MIN(at + (col ? col - 1 : 0), layout_line_end(l->text, at));
}

/* Of the byte order mark, which the reader skips and columns do not count. */
static size_t mark_bytes(struct str text) { return str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0; }

static void lines_find(struct arena *a, struct layout *l)
{
    uint32_t n = 1;
    for (ptrdiff_t at = -1; (at = str_find_char(l->text, '\n', (size_t)at + 1)) >= 0;) n++;
    l->lines = arena_alloc_raw(a, n * sizeof *l->lines);
    l->lines[0] = (uint32_t)mark_bytes(l->text);
    l->n_lines = 1;
    for (ptrdiff_t at = -1; (at = str_find_char(l->text, '\n', (size_t)at + 1)) >= 0;)
        l->lines[l->n_lines++] = (uint32_t)at + 1;
}

static uint32_t offset_of(struct reader *r, yaml_mark_t mark, uint32_t *col)
{
    *col = yaml_cursor_col(&r->cursor, mark);
    return r->base + (uint32_t)(r->cursor.ascii ? mark.index : r->cursor.at);
}

/* Adds a node below the innermost open collection. */
static struct layout_node *node_add(struct reader *r, const yaml_event_t *ev, enum layout_kind kind)
{
    uint32_t index = (uint32_t)r->nodes.n, col, end_col;
    struct layout_node node = {.kind = (uint8_t)kind, .parent = LAYOUT_NONE, .prev = LAYOUT_NONE,
                               .next = LAYOUT_NONE, .flow = r->flow > 0};
    node.from = offset_of(r, ev->start_mark, &col);
    node.line = (uint32_t)ev->start_mark.line + 1;
    node.col = col;
    node.to = kind == LAYOUT_LIST || kind == LAYOUT_MAP ? node.from : offset_of(r, ev->end_mark, &end_col);
    if (r->stack.n > 0) {
        struct open *o = &r->stack.items[r->stack.n - 1];
        struct layout_node *parent = &r->nodes.items[o->node];
        node.parent = o->node;
        node.prev = o->last;
        node.key = parent->kind == LAYOUT_MAP && parent->n % 2 == 0;
        parent->n++;
        if (o->last != LAYOUT_NONE) r->nodes.items[o->last].next = index;
        o->last = index;
    }
    VEC_PUSH(&r->nodes, node);
    return &r->nodes.items[index];
}

static uint8_t style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return LAYOUT_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return LAYOUT_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE: return LAYOUT_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE: return LAYOUT_FOLDED;
    default: return LAYOUT_PLAIN;
    }
}

static void scalar_add(struct reader *r, const yaml_event_t *ev)
{
    struct layout_node *n = node_add(r, ev, LAYOUT_SCALAR);
    struct str text = r->out->text;
    n->style = style_of(ev->data.scalar.style);
    n->decorated = ev->data.scalar.anchor || ev->data.scalar.tag;
    if (n->style < LAYOUT_LITERAL) return;
    n->to = MIN(n->to, (uint32_t)text.n);
    while (n->to > n->from && strchr(" \t\r\n", text.p[n->to - 1])) n->to--;
}

static void open_add(struct reader *r, const yaml_event_t *ev, enum layout_kind kind)
{
    bool map = kind == LAYOUT_MAP;
    bool flow = map ? ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                    : ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    struct layout_node *n = node_add(r, ev, kind);
    n->flow |= flow;
    n->decorated = map ? ev->data.mapping_start.anchor || ev->data.mapping_start.tag
                       : ev->data.sequence_start.anchor || ev->data.sequence_start.tag;
    r->flow += n->flow;
    VEC_PUSH(&r->stack, ((struct open){(uint32_t)(n - r->nodes.items), LAYOUT_NONE}));
}

static void close_open(struct reader *r, const yaml_event_t *ev)
{
    struct open o = r->stack.items[--r->stack.n];
    struct layout_node *n = &r->nodes.items[o.node];
    uint32_t col;
    if (n->flow) {
        r->flow--;
        n->to = offset_of(r, ev->end_mark, &col);
    } else if (o.last != LAYOUT_NONE) {
        n->to = MAX(n->to, r->nodes.items[o.last].to);
    }
}

static bool on_event(struct reader *r, const yaml_event_t *ev, struct err *e)
{
    if (r->stack.n >= LIMIT_DOC_DEPTH)
        return err_set(e, ERR_LIMIT, "exceeded max depth of %d (LIMIT_DOC_DEPTH)", LIMIT_DOC_DEPTH);
    switch (ev->type) {
    case YAML_SCALAR_EVENT: scalar_add(r, ev); break;
    case YAML_ALIAS_EVENT: node_add(r, ev, LAYOUT_ALIAS); break;
    case YAML_SEQUENCE_START_EVENT: open_add(r, ev, LAYOUT_LIST); break;
    case YAML_MAPPING_START_EVENT: open_add(r, ev, LAYOUT_MAP); break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: close_open(r, ev); break;
    default: break;
    }
    return true;
}

static bool events_read(struct reader *r, yaml_parser_t *parser, struct err *e)
{
    for (bool more = true; more;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(parser, &ev))
            return err_set(e, ERR_SPEC, "%s", parser->problem ? parser->problem : "not YAML");
        more = ev.type != YAML_STREAM_END_EVENT;
        bool ok = on_event(r, &ev, e);
        yaml_event_delete(&ev);
        if (!ok) return false;
    }
    return true;
}

bool layout_read(struct arena *a, struct str text, struct layout *out, struct err *e)
{
    yaml_parser_t parser;
    struct reader r = {.out = out};
    *out = (struct layout){.text = text};
    if (text.n > LIMIT_DOC_BYTES) return err_set(e, ERR_LIMIT, "text is longer than %d bytes", LIMIT_DOC_BYTES);
    lines_find(a, out);
    r.base = (uint32_t)mark_bytes(text);
    text = str_from(text, r.base);
    yaml_cursor_init(&r.cursor, text);
    if (!yaml_parser_initialize(&parser)) IMPOSSIBLE("no memory for a YAML parser");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    bool ok = events_read(&r, &parser, e);
    yaml_parser_delete(&parser);
    if (ok && r.nodes.n > 0) {
        out->n = (uint32_t)r.nodes.n;
        out->nodes = arena_alloc_raw(a, r.nodes.n * sizeof *out->nodes);
        memcpy(out->nodes, r.nodes.items, r.nodes.n * sizeof *out->nodes);
    }
    VEC_FINI(&r.nodes);
    VEC_FINI(&r.stack);
    return ok;
}

/* The first node at or behind a place. */
static uint32_t lower_bound(const struct layout *l, uint32_t line, uint32_t col)
{
    uint32_t from = 0, to = l->n;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        const struct layout_node *n = &l->nodes[mid];
        if (n->line < line || (n->line == line && n->col < col)) from = mid + 1;
        else to = mid;
    }
    return from;
}

static uint32_t find(const struct layout *l, uint32_t line, uint32_t col, bool key)
{
    for (uint32_t i = lower_bound(l, line, col); i < l->n; i++) {
        if (l->nodes[i].line != line || l->nodes[i].col != col) break;
        if (l->nodes[i].key == key) return i;
    }
    return LAYOUT_NONE;
}

uint32_t layout_key(const struct layout *l, uint32_t line, uint32_t col) { return find(l, line, col, true); }
uint32_t layout_value(const struct layout *l, uint32_t line, uint32_t col) { return find(l, line, col, false); }
