/* See json_write.h. Trees are at most LIMIT_DOC_DEPTH deep, so recursion is bounded. */
#include "doc/json_write.h"

#include "base/limits.h"

static void newline(struct buf *b, int indent, int depth)
{
    if (!indent) return;
    size_t n = (size_t)indent * (size_t)depth;
    buf_char(b, '\n');
    char *to = buf_room(b, n);
    if (!to) return;
    memset(to, ' ', n);
    buf_added(b, n);
}

static void value_write(struct buf *b, const struct val *v, int indent, int depth);

static void list_write(struct buf *b, const struct val *v, int indent, int depth)
{
    buf_char(b, '[');
    for (uint32_t i = 0; i < v->n && !b->overflow; i++) {
        if (i) buf_char(b, ',');
        newline(b, indent, depth + 1);
        value_write(b, &v->items[i], indent, depth + 1);
    }
    if (v->n) newline(b, indent, depth);
    buf_char(b, ']');
}

static void map_write(struct buf *b, const struct val *v, int indent, int depth)
{
    buf_char(b, '{');
    for (uint32_t i = 0; i < v->n && !b->overflow; i++) {
        if (i) buf_char(b, ',');
        newline(b, indent, depth + 1);
        buf_json(b, v->map[i].key);
        buf_add(b, ": ", indent ? 2 : 1);
        value_write(b, &v->map[i].v, indent, depth + 1);
    }
    if (v->n) newline(b, indent, depth);
    buf_char(b, '}');
}

static void value_write(struct buf *b, const struct val *v, int indent, int depth)
{
    switch ((enum val_kind)v->kind) {
    case VAL_NULL: buf_str(b, STR("null")); return;
    case VAL_BOOL: buf_str(b, v->b ? STR("true") : STR("false")); return;
    case VAL_INT:
    case VAL_FLOAT: buf_str(b, v->s); return;
    case VAL_STR: buf_json(b, v->s); return;
    case VAL_LIST: list_write(b, v, indent, depth); return;
    case VAL_MAP: map_write(b, v, indent, depth); return;
    }
    IMPOSSIBLE("kind of a value");
}

void json_write(struct buf *b, const struct val *v, int indent) { value_write(b, v, indent, 0); }

struct str json_text(struct arena *a, const struct val *v)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, SIZE_MAX / 2);
    json_write(&b, v, 0);
    return buf_dup(a, &b);
}
