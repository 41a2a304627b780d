/* Field tables: strict decoding.
 *
 * One pass over the value; a map key costs one hash and one memcmp. Whatever is wrong becomes a
 * diagnostic with position and suggestion and decoding goes on, so that one run shows everything.
 * Texts are shared with the source tree. See field.h. Runs on: any thread. */
#include "doc/field.h"

#include "doc/field_p.h"
#include "doc/number.h"

struct decoder {
    struct arena *a;
    struct diags *d;
    bool wrapped; /* the list being read is an item of a list itself */
    const struct val *map; /* the field being read: its map and its key there */
    const struct val_pair *pair;
};

static bool take_struct(struct decoder *dec, const struct field_type *t, const struct val *v,
                        void *out);

static bool field_is_given(const struct val *map, const char *name)
{
    return val_get(map, str_of(name)) != NULL;
}

static uint32_t name_slot(const struct field_type *t, struct str s)
{
    const unsigned char *c = (const unsigned char *)s.p;
    uint32_t n = (uint32_t)s.n;
    return (n + c[0] * (uint32_t)t->mul[0] + c[n / 2] * (uint32_t)t->mul[1] +
            c[n * 3 / 4] * (uint32_t)t->mul[2] + c[n - 1] * (uint32_t)t->mul[3]) &
           t->slot_mask;
}

static bool same_in_any_case(const struct field_row *r, struct str name)
{
    return r->name_n == name.n && strncasecmp(r->name, name.p, name.n) == 0;
}

const struct field_row *field_find(const struct field_type *t, struct str name)
{
    if (name.n == 0 || name.n > UINT8_MAX) return NULL;
    uint8_t i = t->slots[name_slot(t, name)];
    const struct field_row *r = i ? &t->rows[i - 1] : NULL;
    if (r && r->name_n == name.n && bytes_eq(r->name, name.p, name.n)) return r;
    for (size_t k = 0; k < t->n; k++)
        if (same_in_any_case(&t->rows[k], name)) return &t->rows[k];
    return NULL;
}

/* "expected an integer, got a string" at the value */
static struct diag *wrong_kind(struct decoder *dec, const struct field_row *r, const char *wanted,
                               const struct val *v)
{
    const char *got = val_kind_name(v->kind);
    const char *article = strchr("aeiou", got[0]) ? "an" : "a";
    struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0102", "`%s`: expected %s, got %s%s%s",
                               r->name, wanted, v->kind == VAL_NULL ? "" : article,
                               v->kind == VAL_NULL ? "" : " ", got);
    diag_at(g, v);
    return g;
}

static bool check_enum(struct decoder *dec, const struct field_row *r, const struct val *v,
                       struct str text)
{
    if (!r->enum_values || text.n == 0 || tags_in(text)) return true;
    struct str options[16];
    size_t n = 0;
    struct str rest = str_of(r->enum_values), head;
    while (n < ARRAY_LEN(options) && rest.p) {
        str_cut(rest, '|', &head, &rest);
        if (str_eq(head, text)) return true;
        options[n++] = head;
    }
    struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0104", "`%s`: \"%.*s\" is not allowed here",
                               r->name, STR_ARG(text));
    diag_at(g, v);
    struct str near = str_closest(text, options, n);
    if (near.p) {
        diag_label(dec->d, g, "did you mean `%.*s`?", STR_ARG(near));
        if (str_closest_only(text, options, n).p) diag_fix_val(dec->d, g, FIX_VALUE, v, near);
    }
    struct buf list CLEANUP(buf_fini);
    buf_init(&list, 1000);
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s%.*s", i == 0 ? "" : i + 1 == n ? " or " : ", ", STR_ARG(options[i]));
    diag_help(dec->d, g, "write %.*s", STR_ARG(buf_view(&list)));
    return false;
}

/* A number where text is wanted is text, as sigs.k8s.io/yaml converts it; kubectl does not. */
static void warn_unquoted(struct decoder *dec, const struct field_row *r, const struct val *v)
{
    struct str text = val_text(v);
    struct diag *g = diags_add(dec->d, DIAG_WARNING, "W0103", "`%s` is text, but this is %s %s",
                               r->name, v->kind == VAL_INT ? "an" : "a", val_kind_name(v->kind));
    diag_at(g, v);
    diag_fix_val(dec->d, g, FIX_QUOTE, v, v->kind == VAL_BOOL ? text : STR_NONE);
    if (v->kind == VAL_BOOL)
        diag_help(dec->d, g,
                  "put the word in quotes; as it stands (true, yes, on, y …) it means \"%.*s\"",
                  STR_ARG(text));
    else diag_help(dec->d, g, "put it in quotes: \"%.*s\"", STR_ARG(text));
}

/* [+-]digits[.digits] and a suffix: n u m k M G T P E, Ki … Ei, or e±N */
static bool is_quantity(struct str s)
{
    size_t i = 0, digits = 0;
    if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
    for (bool dot = false; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] == '.' && !dot));
         i++) {
        if (s.p[i] == '.') dot = true;
        else digits++;
    }
    struct str rest = str_from(s, i);
    int64_t power;
    if (digits == 0) return false;
    if (rest.n == 0) return true;
    if ((rest.p[0] == 'e' || rest.p[0] == 'E') && rest.n > 1)
        return str_to_i64(str_from(rest, 1), &power) || str_is(rest, "Ei");
    if (rest.n == 1) return char_is_one_of(rest.p[0], "numkMGTPE");
    return rest.n == 2 && rest.p[1] == 'i' && char_is_one_of(rest.p[0], "KMGTPE");
}

/* A list written under withParam, or a text under withItems: the other name is meant. */
static void rename_loop(struct decoder *dec, struct diag *g, const char *to)
{
    if (!dec->pair || dec->map->file != g->file || field_is_given(dec->map, to)) return;
    diag_help(dec->d, g, "write %s", to);
    diag_fix(dec->d, g, FIX_KEY, dec->pair->line, dec->pair->col, str_of(to));
}

/* What was meant by 100MB, 1 Gi, 512mi, 1gb; absent when nobody can say. */
static struct str quantity_meant(struct arena *a, struct str s)
{
    static const char *const units[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P", "m"};
    static const char *const forms[] = {"%s", "%sB", "%sb"};
    size_t n = 0;
    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) n++;
    struct str unit = str_trim(str_from(s, n));
    for (size_t i = 0; n > 0 && i < ARRAY_LEN(units); i++)
        for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
            char word[8];
            snprintf(word, sizeof word, forms[k], units[i]);
            bool same = strlen(word) == unit.n && strncasecmp(word, unit.p, unit.n) == 0;
            bool milli = unit.p[0] == 'm' && units[i][1] == '\0' && k > 0; /* mb: mega, surely */
            if (same && !milli) return str_fmt(a, "%.*s%s", (int)n, s.p, units[i]);
        }
    return STR_NONE;
}

static void no_number(struct decoder *dec, const struct field_row *r, const struct val *v)
{
    double number;
    struct diag *g = wrong_kind(dec, r, "a number", v);
    if (v->kind == VAL_STR && str_to_double(v->s, &number)) diag_fix_val(dec->d, g, FIX_YAML, v, v->s);
}

struct str field_text(struct arena *a, const struct field_row *r, const struct val *v)
{
    bool number = v->kind == VAL_INT || v->kind == VAL_FLOAT;
    return number && r->kind == FIELD_ANYSTRING ? field_number_text(a, val_text(v)) : val_text(v);
}

static bool take_text(struct decoder *dec, const struct field_row *r, const struct val *v,
                      struct str *out)
{
    bool number = v->kind == VAL_INT || v->kind == VAL_FLOAT;
    if (v->kind == VAL_LIST || v->kind == VAL_MAP) {
        struct diag *g = wrong_kind(dec, r,
                                    r->kind == FIELD_ANYSTRING ? "a single value" : "a string", v);
        if (r->kind == FIELD_ANYSTRING) diag_help(dec->d, g, "write it as JSON text in quotes");
        if (v->kind == VAL_LIST && str_is(str_n(r->name, r->name_n), "withParam")) rename_loop(dec, g, "withItems");
        return false;
    }
    *out = field_text(dec->a, r, v);
    switch (r->kind) {
    case FIELD_STRING:
    case FIELD_TIME:
        if (v->kind == VAL_STR) return check_enum(dec, r, v, *out);
        warn_unquoted(dec, r, v);
        dec->d->unquoted = true;
        return check_enum(dec, r, v, *out);
    case FIELD_ANYSTRING:
    case FIELD_DURATION: dec->d->unquoted |= v->kind != VAL_STR; return true;
    case FIELD_INTORSTRING:
        if (v->kind == VAL_INT || v->kind == VAL_STR) return true;
        wrong_kind(dec, r, "an integer or a string", v);
        return false;
    case FIELD_NUMBER:
        if (number) return true;
        no_number(dec, r, v);
        return false;
    case FIELD_QUANTITY: {
        dec->d->unquoted |= v->kind != VAL_STR;
        if (v->kind != VAL_BOOL && is_quantity(*out)) return true;
        struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0106", "\"%.*s\" is not a quantity",
                                   STR_ARG(*out));
        diag_at(g, v);
        diag_help(dec->d, g,
                  tags_in(*out) ? "tags are not replaced here: use podSpecPatch"
                                : "write a number with a unit, such as 500m, 2 or 1Gi");
        struct str meant = v->kind == VAL_STR ? quantity_meant(dec->a, *out) : STR_NONE;
        if (meant.p) diag_fix_val(dec->d, g, FIX_VALUE, v, meant);
        return false;
    }
    default: return true;
    }
}

static bool take_int(struct decoder *dec, const struct field_row *r, const struct val *v,
                     int64_t *out)
{
    if (v->kind != VAL_INT) {
        struct diag *g = wrong_kind(dec, r, "an integer", v);
        int64_t i;
        if (v->kind == VAL_STR && str_to_i64(v->s, &i)) {
            diag_help(dec->d, g, "write it without quotes: %.*s", STR_ARG(v->s));
            if (v->s.p[0] != '0' || v->s.n == 1) diag_fix_val(dec->d, g, FIX_YAML, v, v->s);
        }
        return false;
    }
    if (!val_i64(v, out) || (r->kind == FIELD_INT && (*out > INT32_MAX || *out < INT32_MIN))) {
        struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0105", "`%s`: %.*s is too large", r->name,
                                   STR_ARG(v->s));
        diag_at(g, v);
        return false;
    }
    return true;
}

static const char *bool_meant(struct str s)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strlen(yes[i]) == s.n && strncasecmp(yes[i], s.p, s.n) == 0) return "true";
        if (strlen(no[i]) == s.n && strncasecmp(no[i], s.p, s.n) == 0) return "false";
    }
    return NULL;
}

static bool take_bool(struct decoder *dec, const struct field_row *r, const struct val *v,
                      struct opt_bool *out)
{
    if (v->kind != VAL_BOOL) {
        struct diag *g = wrong_kind(dec, r, "true or false", v);
        const char *meant = v->kind == VAL_STR ? bool_meant(v->s) : NULL;
        if (meant) {
            diag_help(dec->d, g, "write it without quotes: %s", meant);
            diag_fix_val(dec->d, g, FIX_YAML, v, str_of(meant));
        }
        return false;
    }
    *out = (struct opt_bool){v->b, true};
    return true;
}

static bool take_one(struct decoder *dec, const struct field_row *r, const struct val *v, void *at)
{
    switch (r->kind) {
    case FIELD_INT:
    case FIELD_INT64: {
        struct opt_i64 *out = at;
        out->set = take_int(dec, r, v, &out->v);
        return out->set;
    }
    case FIELD_BOOL: return take_bool(dec, r, v, at);
    case FIELD_ANY: *(const struct val **)at = v; return true;
    case FIELD_STRUCT: {
        void *p = arena_alloc(dec->a, r->type->size);
        *(void **)at = p;
        return take_struct(dec, r->type, v, p);
    }
    default: return take_text(dec, r, v, at);
    }
}

static bool no_list(struct decoder *dec, const struct field_row *r, const struct val *v)
{
    struct diag *g = wrong_kind(dec, r, "a list", v);
    if (v->kind == VAL_STR && r->kind == FIELD_ITEM) {
        diag_help(dec->d, g, "for a text that gives a list use withParam");
        rename_loop(dec, g, "withParam");
    } else if (v->kind == VAL_STR && r->kind == FIELD_STRING) {
        diag_help(dec->d, g, "write [\"%.*s\"]", STR_ARG(v->s));
        diag_fix_val(dec->d, g, FIX_LIST, v, STR_NONE);
    } else if (r->kind == FIELD_STRUCT) {
        diag_help(dec->d, g,
                  r->type->wrap || dec->wrapped ? "it is a list of lists: begin each group with \"- - \""
                                                : "begin each item with \"- \"");
        if (v->kind == VAL_MAP) diag_fix_val(dec->d, g, FIX_LIST, v, STR_NONE);
    }
    return false;
}

static bool take_list(struct decoder *dec, const struct field_row *r, const struct val *v, void *at)
{
    bool ok = true;
    size_t size = field_item_size(r);
    struct field_array *out = at;
    if (r->kind == FIELD_ITEM && v->kind == VAL_STR && tags_in(v->s)) { /* gives the list when it is replaced */
        *(struct val_list *)at = (struct val_list){v, 1};
        return true;
    }
    if (v->kind != VAL_LIST) return no_list(dec, r, v);
    if (r->kind == FIELD_ITEM) {
        *(struct val_list *)at = (struct val_list){v->items, v->n};
        return true;
    }
    out->items = arena_alloc(dec->a, size * MAX(v->n, 1u));
    out->n = v->n;
    for (size_t i = 0; i < v->n; i++) {
        char *item = (char *)out->items + i * size;
        if (r->kind == FIELD_STRUCT) ok &= take_struct(dec, r->type, &v->items[i], item);
        else if (size == sizeof(int64_t)) ok &= take_int(dec, r, &v->items[i], (int64_t *)item);
        else if (v->items[i].kind == VAL_NULL) *(struct str *)item = STR(""), dec->d->unquoted = true;
        else ok &= take_text(dec, r, &v->items[i], (struct str *)item);
    }
    return ok;
}

static bool take_map(struct decoder *dec, const struct field_row *r, const struct val *v, void *at)
{
    if (v->kind != VAL_MAP) {
        wrong_kind(dec, r, "a map", v);
        return false;
    }
    bool ok = true;
    size_t size = field_item_size(r);
    struct field_array *out = at;
    out->items = arena_alloc(dec->a, size * MAX(v->n, 1u));
    out->n = v->n;
    for (size_t i = 0; i < v->n; i++) {
        char *entry = (char *)out->items + i * size;
        const struct val *x = &v->map[i].v;
        *(struct str *)entry = v->map[i].key;
        entry += sizeof(struct str);
        if (r->kind == FIELD_STRUCT) ok &= take_struct(dec, r->type, x, entry);
        else if (x->kind == VAL_NULL) *(struct str *)entry = STR(""), dec->d->unquoted = true;
        else ok &= take_text(dec, r, x, (struct str *)entry);
    }
    return ok;
}

static bool take_field(struct decoder *dec, const struct field_row *r, const struct val *v,
                       void *out)
{
    void *at = (char *)out + r->offset;
    if (v->kind == VAL_NULL) return true; /* as Go: the same as absent */
    switch (r->shape) {
    case FIELD_LIST: return take_list(dec, r, v, at);
    case FIELD_MAP: return take_map(dec, r, v, at);
    default: return take_one(dec, r, v, at);
    }
}

/* `*only`: nothing else is as near. */
static const char *suggest(const struct field_type *t, struct str name, bool *only)
{
    struct str names[128];
    ASSERT(t->n <= ARRAY_LEN(names));
    for (size_t i = 0; i < t->n; i++) names[i] = str_n(t->rows[i].name, t->rows[i].name_n);
    if (only) *only = str_closest_only(name, names, t->n).p != NULL;
    return str_closest(name, names, t->n).p;
}

const char *field_suggest(const struct field_type *t, struct str name) { return suggest(t, name, NULL); }

static void unknown_field(struct decoder *dec, const struct field_type *t, const struct val *map,
                          const struct val_pair *pair)
{
    bool lenient = dec->d->lenient;
    struct diag *g = diags_add(dec->d, lenient ? DIAG_WARNING : DIAG_ERROR, lenient ? "W0107" : "E0101",
                               "unknown field `%.*s` in %s", STR_ARG(pair->key), t->name);
    diag_at_key(g, pair, map->file);
    bool only;
    const char *near = suggest(t, pair->key, &only);
    if (!near) return;
    diag_label(dec->d, g, "did you mean `%s`?", near);
    if (only && !field_is_given(map, near)) diag_fix(dec->d, g, FIX_KEY, pair->line, pair->col, str_of(near));
}

/* `was` says how: "name", "name: [...]" or "name: {member: N}". Another type of value is not converted. */
static void convert(struct decoder *dec, struct diag *g, const struct field_type *t, const struct field_row *r,
                    const struct val *map, const struct val_pair *pair)
{
    struct str name, form;
    bool formed = str_cut(str_of(r->was), ':', &name, &form);
    const struct field_row *to = field_find(t, name);
    if (!to || field_is_given(map, to->name) || pair->v.file != map->file) return;
    form = str_trim(form);
    bool list = str_is(form, "[...]"), member = formed && !list && str_set(val_text(&pair->v));
    if (!list && !member && (formed || to->kind != r->kind || to->shape != r->shape)) return;
    diag_fix(dec->d, g, FIX_KEY, pair->line, pair->col, str_of(to->name));
    if (list) diag_fix_val(dec->d, g, FIX_LIST, &pair->v, STR_NONE);
    if (!member) return;
    ptrdiff_t colon = str_find_char(form, ':', 0);
    diag_fix_val(dec->d, g, FIX_YAML, &pair->v,
                 str_fmt(dec->a, "%.*s: %.*s}", (int)MAX(colon, 0), form.p, STR_ARG(val_text(&pair->v))));
}

static void remark(struct decoder *dec, const struct field_type *t, const struct field_row *r, const struct val *map,
                   const struct val_pair *pair)
{
    struct diag *g;
    if (r->was) {
        g = diags_add(dec->d, DIAG_NOTE, "N0102", "`%s` is the form of Argo 3.x", r->name);
        diag_help(dec->d, g, "write %s", r->was);
        diag_at_key(g, pair, map->file);
        convert(dec, g, t, r, map, pair);
    } else if (r->flags & FIELD_IGNORED) {
        g = diags_add(dec->d, DIAG_WARNING, "W0101",
                      "`%s` is accepted, but has no effect on one machine", r->name);
    } else {
        g = diags_add(dec->d, DIAG_WARNING, "W0105", "`%s` has no effect in this version: %s", r->name, r->support_text);
    }
    diag_at_key(g, pair, map->file);
}

/* Go's decoder takes it; kubectl, with the schema of the resource, drops it. */
static void other_case(struct decoder *dec, const struct field_row *r, const struct val *map, const struct val_pair *pair)
{
    struct diag *g = diags_add(dec->d, DIAG_WARNING, "W0108", "`%.*s` is written `%s`", STR_ARG(pair->key), r->name);
    dec->d->loose = true;
    diag_at_key(g, pair, map->file);
    if (!field_is_given(map, r->name)) diag_fix(dec->d, g, FIX_KEY, pair->line, pair->col, str_of(r->name));
}

static void missing_fields(struct decoder *dec, const struct field_type *t, const struct val *v,
                           const uint64_t seen[2])
{
    for (size_t i = 0; i < t->n; i++) {
        if (!(t->required[i / 64] & ~seen[i / 64] & (1ull << (i % 64)))) continue;
        struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0103", "%s has no `%s`", t->name,
                                   t->rows[i].name);
        diag_at(g, v);
        diag_help(dec->d, g, "add `%s:` (%s)", t->rows[i].name, t->rows[i].doc);
    }
}

static bool take_pairs(struct decoder *dec, const struct field_type *t, const struct val *v,
                       void *out)
{
    bool ok = true;
    uint64_t seen[2] = {0, 0};
    for (size_t i = 0; i < v->n; i++) {
        const struct val_pair *pair = &v->map[i];
        const struct field_row *r = field_find(t, pair->key);
        if (!r) {
            unknown_field(dec, t, v, pair);
            ok &= dec->d->lenient;
            dec->d->loose = true;
            continue;
        }
        if (pair->v.kind == VAL_NULL) {
            dec->d->loose = true;
            continue;
        }
        if (!str_eq(pair->key, str_n(r->name, r->name_n))) other_case(dec, r, v, pair);
        size_t index = (size_t)(r - t->rows);
        seen[index / 64] |= 1ull << (index % 64);
        if (r->was || (r->flags & FIELD_IGNORED) || r->support == FIELD_NOTED) remark(dec, t, r, v, pair);
        dec->map = v;
        dec->pair = pair;
        ok &= take_field(dec, r, &pair->v, out);
    }
    if ((t->required[0] & ~seen[0]) || (t->required[1] & ~seen[1])) {
        missing_fields(dec, t, v, seen);
        return false;
    }
    return ok;
}

static bool take_struct(struct decoder *dec, const struct field_type *t, const struct val *v,
                        void *out)
{
    *(const struct val **)out = v;
    if (t->wrap) {
        dec->wrapped = v->kind != VAL_LIST;
        return take_field(dec, &t->rows[0], v, out);
    }
    if (v->kind == VAL_MAP) return take_pairs(dec, t, v, out);
    static const uint64_t nothing[2] = {0, 0};
    if (v->kind == VAL_NULL) { /* an empty item: nothing is set */
        if (t->required[0] || t->required[1]) missing_fields(dec, t, v, nothing);
        return !(t->required[0] || t->required[1]);
    }
    const char *got = val_kind_name(v->kind);
    struct diag *g = diags_add(dec->d, DIAG_ERROR, "E0102", "%s: expected a map, got %s %s",
                               t->name, strchr("aeiou", got[0]) ? "an" : "a", got);
    diag_at(g, v);
    return false;
}

bool field_decode(struct arena *a, const struct field_type *t, const struct val *v, void *out,
                  struct diags *d)
{
    struct decoder dec = {.a = a, .d = d};
    return take_struct(&dec, t, v, out);
}

void *field_new(struct arena *a, const struct field_type *t, const struct val *v, struct diags *d)
{
    void *out = arena_alloc(a, t->size);
    return field_decode(a, t, v, out, d) ? out : NULL;
}
