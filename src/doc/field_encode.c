/* Field tables: encoding, copying, comparing.
 *
 * Absent fields are left out; fields come in the order of the table. See field.h.
 * Runs on: any thread. */
#include "doc/field_p.h"
#include "doc/number.h"

/* digits d1d2… of an exponent form, its point moved to where it belongs */
static void expand_exponent(struct buf *b, struct str mantissa, int64_t exponent)
{
    if (mantissa.n > 0 && mantissa.p[0] == '-') {
        buf_char(b, '-');
        mantissa = str_from(mantissa, 1);
    }
    ptrdiff_t dot = str_find_char(mantissa, '.', 0);
    int64_t point = (dot < 0 ? (int64_t)mantissa.n : dot) + exponent;
    if (point <= 0) buf_str(b, STR("0."));
    for (int64_t i = point; i < 0; i++) buf_char(b, '0');
    int64_t at = 0;
    for (size_t i = 0; i < mantissa.n; i++) {
        if (mantissa.p[i] == '.') continue;
        if (at == point && at > 0) buf_char(b, '.');
        buf_char(b, mantissa.p[i]);
        at++;
    }
    for (; at < point; at++) buf_char(b, '0');
}

struct str field_number_text(struct arena *a, struct str json)
{
    enum { EXACT_DIGITS = 15 };
    double d;
    if (json.n <= EXACT_DIGITS && str_find_char(json, '.', 0) < 0 &&
        str_find_char(json, 'e', 0) < 0)
        return json;
    if (!number_read(json, &d)) return json;
    char text[NUMBER_TEXT_MAX];
    struct str s = str_n(text, number_text(text, d)), mantissa, power;
    int64_t exponent;
    if (!str_cut(s, 'e', &mantissa, &power) || !str_to_i64(power, &exponent)) return str_dup(a, s);
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1000);
    expand_exponent(&b, mantissa, exponent);
    return buf_dup(a, &b);
}

static struct val encode_text(const struct field_row *r, struct str s)
{
    struct val v = val_of_str(s);
    int64_t i;
    if (r->kind == FIELD_NUMBER) v.kind = str_to_i64(s, &i) ? VAL_INT : VAL_FLOAT;
    else if (r->kind == FIELD_INTORSTRING && str_to_i64(s, &i)) v.kind = VAL_INT;
    return v;
}

/* "5" that was written as a string stays one. */
static struct val encode_int_or_string(const struct field_row *r, const void *in, struct str s)
{
    const struct val *was = val_get(*(const struct val *const *)in, str_of(r->name));
    return was && was->kind == VAL_STR ? val_of_str(s) : encode_text(r, s);
}

static struct val encode_value(struct arena *a, const struct field_row *r, const void *at)
{
    switch (r->kind) {
    case FIELD_STRUCT: return field_encode(a, r->type, at);
    case FIELD_INT:
    case FIELD_INT64: return val_of_i64(a, *(const int64_t *)at);
    default: return encode_text(r, *(const struct str *)at);
    }
}

static bool encode_one(struct arena *a, const struct field_row *r, const void *in, struct val *out)
{
    const void *at = (const char *)in + r->offset;
    switch (r->kind) {
    case FIELD_INT:
    case FIELD_INT64: {
        const struct opt_i64 *i = at;
        if (i->set) *out = val_of_i64(a, i->v);
        return i->set;
    }
    case FIELD_BOOL: {
        const struct opt_bool *b = at;
        if (b->set) *out = val_of_bool(b->v);
        return b->set;
    }
    case FIELD_ANY: {
        const struct val *v = *(const struct val *const *)at;
        if (v) *out = *v;
        return v != NULL;
    }
    case FIELD_STRUCT: {
        const void *p = *(const void *const *)at;
        if (p) *out = field_encode(a, r->type, p);
        return p != NULL;
    }
    default: {
        struct str s = *(const struct str *)at;
        if (s.p && r->kind == FIELD_INTORSTRING) *out = encode_int_or_string(r, in, s);
        else if (s.p) *out = encode_text(r, s);
        return s.p != NULL;
    }
    }
}

static bool encode_list(struct arena *a, const struct field_row *r, const void *at, struct val *out)
{
    const struct field_array *list = at;
    if (!list->items) return false;
    struct val_builder b;
    list_begin(&b, a);
    size_t size = field_item_size(r);
    for (size_t i = 0; i < list->n; i++) {
        const char *item = (const char *)list->items;
        if (r->kind == FIELD_ITEM) list_add(&b, ((const struct val *)list->items)[i]);
        else list_add(&b, encode_value(a, r, item + i * size));
    }
    *out = list_done(&b);
    return true;
}

static bool encode_map(struct arena *a, const struct field_row *r, const void *at, struct val *out)
{
    const struct field_array *map = at;
    if (!map->items) return false;
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < map->n; i++) {
        const char *entry = (const char *)map->items + i * field_item_size(r);
        map_add(&b, *(const struct str *)entry, encode_value(a, r, entry + sizeof(struct str)));
    }
    *out = map_done(&b);
    return true;
}

static bool encode_field(struct arena *a, const struct field_row *r, const void *in,
                         struct val *out)
{
    const void *at = (const char *)in + r->offset;
    switch (r->shape) {
    case FIELD_LIST: return encode_list(a, r, at, out);
    case FIELD_MAP: return encode_map(a, r, at, out);
    default: return encode_one(a, r, in, out);
    }
}

struct val field_encode(struct arena *a, const struct field_type *t, const void *in)
{
    struct val v = val_null;
    if (t->wrap) {
        encode_field(a, &t->rows[0], in, &v);
        return v;
    }
    struct val_builder b;
    map_begin(&b, a);
    for (size_t i = 0; i < t->n; i++)
        if (encode_field(a, &t->rows[i], in, &v))
            map_add(&b, str_n(t->rows[i].name, t->rows[i].name_n), v);
    return map_done(&b);
}

/* Struct fields hold pointers only to further structs and arrays: those are copied deeply, texts
 * too; values (any, item) are immutable and copied so that the result outlives the source. */
static void copy_value(struct arena *a, const struct field_row *r, void *out, const void *in)
{
    if (r->kind == FIELD_STRUCT) field_copy(a, r->type, out, in);
    else if (field_item_size(r) == sizeof(int64_t)) *(int64_t *)out = *(const int64_t *)in;
    else *(struct str *)out = str_dup(a, *(const struct str *)in);
}

static void copy_array(struct arena *a, const struct field_row *r, void *out, const void *in)
{
    const struct field_array *from = in;
    struct field_array *to = out;
    size_t size = field_item_size(r);
    if (!from->items) return;
    if (r->kind == FIELD_ITEM) {
        struct val whole = {.kind = VAL_LIST, .n = (uint32_t)from->n, .items = from->items};
        whole = val_copy(a, &whole);
        *(struct val_list *)out = (struct val_list){whole.items, whole.n};
        return;
    }
    to->n = from->n;
    to->items = arena_alloc(a, size * MAX(from->n, 1u));
    for (size_t i = 0; i < from->n; i++) {
        char *dst = (char *)to->items + i * size;
        const char *src = (const char *)from->items + i * size;
        if (r->shape == FIELD_MAP) {
            *(struct str *)dst = str_dup(a, *(const struct str *)src);
            dst += sizeof(struct str);
            src += sizeof(struct str);
        }
        copy_value(a, r, dst, src);
    }
}

static void copy_one(struct arena *a, const struct field_row *r, void *out, const void *in)
{
    switch (r->kind) {
    case FIELD_INT:
    case FIELD_INT64: *(struct opt_i64 *)out = *(const struct opt_i64 *)in; return;
    case FIELD_BOOL: *(struct opt_bool *)out = *(const struct opt_bool *)in; return;
    case FIELD_ANY: {
        const struct val *v = *(const struct val *const *)in;
        if (!v) return;
        struct val *copy = ARENA_NEW(a, struct val);
        *copy = val_copy(a, v);
        *(const struct val **)out = copy;
        return;
    }
    case FIELD_STRUCT: {
        const void *from = *(const void *const *)in;
        if (!from) return;
        void *to = arena_alloc(a, r->type->size);
        field_copy(a, r->type, to, from);
        *(void **)out = to;
        return;
    }
    default: {
        struct str s = *(const struct str *)in;
        if (s.p) *(struct str *)out = str_dup(a, s);
    }
    }
}

void field_copy(struct arena *a, const struct field_type *t, void *out, const void *in)
{
    memset(out, 0, t->size);
    *(const struct val **)out = *(const struct val *const *)in;
    for (size_t i = 0; i < t->n; i++) {
        const struct field_row *r = &t->rows[i];
        void *to = (char *)out + r->offset;
        const void *from = (const char *)in + r->offset;
        if (r->shape == FIELD_ONE) copy_one(a, r, to, from);
        else copy_array(a, r, to, from);
    }
}

static bool text_eq(struct str x, struct str y)
{
    return (x.p == NULL) == (y.p == NULL) && str_eq(x, y);
}

static bool array_eq(const struct field_row *r, const void *x, const void *y)
{
    const struct field_array *p = x, *q = y;
    size_t size = field_item_size(r);
    if (p->n != q->n) return false;
    for (size_t i = 0; i < p->n; i++) {
        const char *m = (const char *)p->items + i * size, *n = (const char *)q->items + i * size;
        if (r->kind == FIELD_ITEM) {
            if (!val_eq((const struct val *)p->items + i, (const struct val *)q->items + i))
                return false;
            continue;
        }
        if (r->shape == FIELD_MAP) {
            if (!str_eq(*(const struct str *)m, *(const struct str *)n)) return false;
            m += sizeof(struct str);
            n += sizeof(struct str);
        }
        bool same = r->kind == FIELD_STRUCT ? field_eq(r->type, m, n)
                    : size == sizeof(int64_t)
                        ? *(const int64_t *)m == *(const int64_t *)n
                        : str_eq(*(const struct str *)m, *(const struct str *)n);
        if (!same) return false;
    }
    return true;
}

static bool one_eq(const struct field_row *r, const void *x, const void *y)
{
    switch (r->kind) {
    case FIELD_INT:
    case FIELD_INT64: {
        const struct opt_i64 *p = x, *q = y;
        return p->set == q->set && (!p->set || p->v == q->v);
    }
    case FIELD_BOOL: {
        const struct opt_bool *p = x, *q = y;
        return p->set == q->set && (!p->set || p->v == q->v);
    }
    case FIELD_ANY: {
        const struct val *p = *(const struct val *const *)x, *q = *(const struct val *const *)y;
        return p && q ? val_eq(p, q) : p == q;
    }
    case FIELD_STRUCT: {
        const void *p = *(const void *const *)x, *q = *(const void *const *)y;
        return p && q ? field_eq(r->type, p, q) : p == q;
    }
    default: return text_eq(*(const struct str *)x, *(const struct str *)y);
    }
}

bool field_eq(const struct field_type *t, const void *x, const void *y)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct field_row *r = &t->rows[i];
        const void *p = (const char *)x + r->offset, *q = (const char *)y + r->offset;
        if (!(r->shape == FIELD_ONE ? one_eq(r, p, q) : array_eq(r, p, q))) return false;
    }
    return true;
}
