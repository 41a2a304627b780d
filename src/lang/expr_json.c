/* Values of the expression language to and from JSON and struct val. See expr_p.h. */
#include <math.h>

#include "base/limits.h"
#include "doc/json.h"
#include "lang/expr_p.h"
#include "lang/gofmt.h"
#include "lang/rune.h"

/* encoding/json's string: HTML characters and the two line separators are escaped. */
static void put_string(struct buf *b, struct str s)
{
    buf_char(b, '"');
    while (s.n) {
        size_t len;
        uint32_t r = rune_read(s, &len);
        static const char names[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
        const char *name = r && r < 0x80 ? strchr(names, (int)r) : NULL;
        if (name) {
            buf_char(b, '\\');
            buf_char(b, letters[name - names]);
        } else if (r < 0x20 || r == '<' || r == '>' || r == '&' || r == 0x2028 || r == 0x2029 ||
                   (r == 0xfffd && len == 1)) {
            buf_printf(b, "\\u%04x", (unsigned)r);
        } else {
            buf_add(b, s.p, len);
        }
        s = str_from(s, len);
    }
    buf_char(b, '"');
}

struct writer {
    struct buf *b;
    struct arena *a;
    int indent;
    bool bad; /* something that JSON has no form for */
};

static void line(struct writer *w, int depth)
{
    if (!w->indent || w->b->overflow) return;
    buf_char(w->b, '\n');
    for (int i = 0; i < depth * w->indent; i++) buf_char(w->b, ' ');
}

static void put(struct writer *w, const struct xv *v, int depth);

static void put_list(struct writer *w, const struct xlist *list, int depth)
{
    buf_char(w->b, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) buf_char(w->b, ',');
        line(w, depth + 1);
        put(w, &list->items[i], depth + 1);
    }
    if (list->n) line(w, depth);
    buf_char(w->b, ']');
}

static void put_map(struct writer *w, const struct xmap *map, int depth)
{
    buf_char(w->b, '{');
    for (size_t i = 0; i < map->n; i++) {
        if (i) buf_char(w->b, ',');
        line(w, depth + 1);
        struct buf key CLEANUP(buf_fini);
        buf_init(&key, LIMIT_VALUE_BYTES);
        xv_put_text(&key, w->a, &map->pairs[i].key);
        put_string(w->b, buf_view(&key));
        buf_str(w->b, w->indent ? STR(": ") : STR(":"));
        put(w, &map->pairs[i].v, depth + 1);
    }
    if (map->n) line(w, depth);
    buf_char(w->b, '}');
}

static void put(struct writer *w, const struct xv *v, int depth)
{
    struct xv plain;
    if (w->b->overflow) return;
    switch ((enum xkind)v->kind) {
    case X_NIL: buf_str(w->b, STR("null")); return;
    case X_BOOL: buf_str(w->b, v->b ? STR("true") : STR("false")); return;
    case X_INT:
    case X_DURATION: buf_printf(w->b, "%lld", (long long)v->i); return;
    case X_FLOAT:
        w->bad = w->bad || !isfinite(v->d);
        buf_str(w->b, gofmt_double_json(w->a, v->d));
        return;
    case X_STR: put_string(w->b, v->s); return;
    case X_LIST:
        if (v->b) buf_str(w->b, STR("null"));
        else put_list(w, v->list, depth);
        return;
    case X_MAP:
        w->bad = w->bad || v->sub >= XM_ANY_KEY;
        if (v->b) buf_str(w->b, STR("null"));
        else put_map(w, v->map, depth);
        return;
    case X_TIME: put_string(w->b, timefmt_rfc3339(w->a, *v->time)); return;
    case X_ZONE: buf_str(w->b, STR("{}")); return;
    case X_OBJECT: plain = xobject_plain(w->a, v); put(w, &plain, depth); return;
    case X_FUNC:
    case X_SPRIG: w->bad = true; return;
    }
}

struct str xv_json(struct xctx *x, const struct xv *v, int indent)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_VALUE_BYTES);
    struct writer w = {&b, x->a, indent, false};
    if (!xweigh(x, v)) return STR_NONE;
    put(&w, v, 0);
    if (b.overflow) {
        xlimit(x, "the text is too long", LIMIT_VALUE_BYTES);
        return STR_NONE;
    }
    if (w.bad) {
        xfail(x, "json: unsupported value: %s", xv_type(v));
        return STR_NONE;
    }
    return buf_dup(x->a, &b);
}

struct xv xv_from_val(struct arena *a, const struct val *v)
{
    double d;
    switch ((enum val_kind)v->kind) {
    case VAL_NULL: return xv_nil();
    case VAL_BOOL: return xv_bool(v->b);
    case VAL_INT:
    case VAL_FLOAT: return xv_float(str_to_double(v->s, &d) ? d : 0);
    case VAL_STR: return xv_str(v->s);
    case VAL_LIST: {
        struct xv list = xv_list(a, v->n);
        for (uint32_t i = 0; i < v->n; i++) xv_items(&list)[i] = xv_from_val(a, &v->items[i]);
        return list;
    }
    case VAL_MAP: {
        struct xbuild b = {.a = a};
        for (uint32_t i = 0; i < v->n; i++)
            xbuild_add(&b, xv_str(v->map[i].key), xv_from_val(a, &v->map[i].v));
        return xbuild_map(&b);
    }
    }
    IMPOSSIBLE("kind of val");
}

bool xv_from_json(struct xctx *x, struct str text, struct xv *out)
{
    struct val v;
    struct err inner = {0};
    if (!json_parse(x->a, text, NULL, &v, &inner)) return xfail(x, "%s", inner.text);
    *out = xv_from_val(x->a, &v);
    return true;
}

static bool map_to_val(struct xctx *x, const struct xmap *map, struct val *out)
{
    struct val_builder b;
    map_begin(&b, x->a);
    for (size_t i = 0; i < map->n; i++) {
        struct val v;
        if (!xv_to_val(x, &map->pairs[i].v, &v)) {
            map_done(&b);
            return false;
        }
        map_add(&b, str_dup(x->a, xv_text(x, &map->pairs[i].key)), v);
    }
    *out = map_done(&b);
    return true;
}

static bool list_to_val(struct xctx *x, const struct xlist *list, struct val *out)
{
    struct val_builder b;
    list_begin(&b, x->a);
    for (size_t i = 0; i < list->n; i++) {
        struct val v;
        if (!xv_to_val(x, &list->items[i], &v)) {
            list_done(&b);
            return false;
        }
        list_add(&b, v);
    }
    *out = list_done(&b);
    return true;
}

bool xv_to_val(struct xctx *x, const struct xv *v, struct val *out)
{
    struct xv plain;
    switch ((enum xkind)v->kind) {
    case X_NIL: *out = val_null; return true;
    case X_BOOL: *out = val_of_bool(v->b); return true;
    case X_INT:
    case X_DURATION: *out = val_of_i64(x->a, v->i); return true;
    case X_FLOAT:
        if (!isfinite(v->d)) return xfail(x, "json: unsupported value: %s", isnan(v->d) ? "NaN" : "Inf");
        *out = (struct val){.kind = VAL_FLOAT, .s = gofmt_double_json(x->a, v->d)};
        return true;
    case X_STR: *out = val_of_str(str_dup(x->a, v->s)); return true;
    case X_LIST: return list_to_val(x, v->list, out);
    case X_MAP: return map_to_val(x, v->map, out);
    case X_TIME: *out = val_of_str(timefmt_rfc3339(x->a, *v->time)); return true;
    case X_ZONE: *out = val_of_str(xv_text(x, v)); return true;
    case X_OBJECT: plain = xobject_plain(x->a, v); return xv_to_val(x, &plain, out);
    case X_FUNC:
    case X_SPRIG: break;
    }
    return xfail(x, "json: unsupported type: %s", xv_type(v));
}
