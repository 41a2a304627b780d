/* See yaml.h. One pass over libyaml's events. Open containers are frames; their children wait on the
 * tree stack. Anchors remember the expanded size of their value, so that the limits hold for what an
 * alias stands for although its children are shared. */
#include "doc/yaml.h"

#include <stdarg.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "doc/scalar.h"
#include "doc/tree.h"
#include "doc/utf8.h"
#include "doc/yaml_pos.h"

struct frame {
    struct val v;        /* position; kind decides what children are */
    size_t base;         /* of its children on the tree stack */
    uint64_t nodes_before;
    uint32_t anchor;     /* 1 + index; 0 = none */
    uint32_t deepest;    /* depth that was reached in it, aliases expanded */
    bool want_key;       /* map: the next value is a key */
    bool merges;         /* map: has << pairs */
};

struct anchor {
    struct val v;
    uint64_t nodes;      /* expanded size */
    uint32_t depth;      /* of nesting, itself included; 0: a scalar */
    bool open;           /* its value is still being read */
};

enum { KEYS_KEPT = 64 }; /* a power of two */

struct composer {
    yaml_parser_t parser;
    struct yaml_cursor cursor;
    struct yaml_opts opts;
    struct tree tree;
    struct frame frames[LIMIT_DOC_DEPTH];
    size_t depth;
    VEC(struct anchor) anchors;
    struct map anchor_names; /* -> 1 + index, the latest of that name */
    struct str keys[KEYS_KEPT]; /* plain keys that are text, each at its key_place */
    uint64_t nodes, alias_nodes;
    struct val root;
    VEC(struct val) docs;
    struct err *e;
};

/* Marks the key of a merge pair by its address; as text it is an ordinary key. */
static const char merge_key[] = "<<";

static bool fail_as(struct composer *c, struct doc_error *d, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static bool fail_as(struct composer *c, struct doc_error *d, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->text, sizeof d->text, fmt, ap);
    va_end(ap);
    d->file = c->opts.file;
    return doc_error_raise(d, c->opts.where, code, c->e);
}

#define FAIL(c, v, code, ...)                                                                      \
    fail_as((c), &(struct doc_error){.line = (v)->line, .col = (v)->col}, code, __VA_ARGS__)

static struct val val_at(struct composer *c, yaml_mark_t mark)
{
    return (struct val){.file = c->opts.file, .line = (uint32_t)mark.line + 1,
                        .col = yaml_cursor_col(&c->cursor, mark)};
}

/* go-yaml's guard: the share of nodes that may come from aliases falls as the document grows. */
static bool alias_ratio_ok(uint64_t nodes, uint64_t from_aliases)
{
    const double low = 400000, high = 4000000, most = 0.99, least = 0.10;
    if (from_aliases <= 100 || nodes <= 1000) return true;
    double n = (double)nodes, share = (double)from_aliases / n;
    if (n <= low) return share <= most;
    if (n >= high) return share <= least;
    return share <= most - (most - least) * (n - low) / (high - low);
}

static bool nodes_add(struct composer *c, const struct val *at, uint64_t n)
{
    c->nodes += n;
    if (c->nodes <= LIMIT_DOC_NODES) return true;
    return FAIL(c, at, ERR_LIMIT, "more than %d values (LIMIT_DOC_NODES)", LIMIT_DOC_NODES);
}

/* ------------------------------------------------------------------------------- anchors */

/* Registers the anchor `name` (NULL: none) for a value now being read. */
static uint32_t anchor_open(struct composer *c, const yaml_char_t *name)
{
    if (!name) return 0;
    VEC_PUSH(&c->anchors, ((struct anchor){.open = true}));
    struct str key = str_dup(c->tree.a, str_of((const char *)name));
    map_put(&c->anchor_names, key, NULL)->num = c->anchors.n;
    return (uint32_t)c->anchors.n;
}

static void anchor_close(struct composer *c, uint32_t anchor, const struct val *v, uint64_t nodes, uint32_t depth)
{
    if (anchor) c->anchors.items[anchor - 1] = (struct anchor){.v = *v, .nodes = nodes, .depth = depth};
}

static void anchors_reset(struct composer *c)
{
    c->anchors.n = 0;
    if (c->anchor_names.n) map_fini(&c->anchor_names);
}

/* ------------------------------------------------------------------------------- scalars */

static bool tag_mismatch(struct composer *c, const struct val *v, struct str text, const char *tag)
{
    return FAIL(c, v, ERR_SPEC, "cannot decode `%.*s` as a !!%s", STR_ARG(str_sub(text, 0, 100)), tag);
}

static bool binary_decode(struct composer *c, struct str text, struct val *v)
{
    v->kind = VAL_STR;
    if (!base64_decode(c->tree.a, text, &v->s))
        return FAIL(c, v, ERR_SPEC, "!!binary value contains invalid base64 data");
    if (utf8_invalid_at(v->s) < v->s.n)
        return FAIL(c, v, ERR_SPEC, "!!binary value is not UTF-8 text");
    return true;
}

/* Sets v from what the text resolves to. */
static bool resolved_set(struct composer *c, const struct scalar *s, struct str text, struct val *v)
{
    switch (s->kind) {
    case SCALAR_NULL: v->kind = VAL_NULL; return true;
    case SCALAR_TRUE:
    case SCALAR_FALSE:
        v->kind = VAL_BOOL;
        v->b = s->kind == SCALAR_TRUE;
        return true;
    case SCALAR_INT:
    case SCALAR_FLOAT:
        v->kind = s->number.kind;
        v->s = s->number.s;
        return true;
    case SCALAR_SPECIAL_FLOAT: {
        struct doc_error d = {.line = v->line, .col = v->col, .len = (uint32_t)text.n};
        snprintf(d.hint, sizeof d.hint, "quote it if it is meant as text");
        return fail_as(c, &d, ERR_SPEC, "unsupported value: %.*s is no JSON number", STR_ARG(text));
    }
    case SCALAR_STR:
    case SCALAR_MERGE: break;
    }
    v->kind = VAL_STR;
    v->s = str_dup(c->tree.a, text);
    return true;
}

struct tag_row {
    const char *tag;
    uint32_t kinds; /* bit set of enum scalar_kind that it takes; 0 = no check */
};

#define KIND(k) (1u << SCALAR_##k)
static const struct tag_row tag_rows[] = {
    {"int", KIND(INT)},
    {"float", KIND(INT) | KIND(FLOAT) | KIND(SPECIAL_FLOAT)},
    {"bool", KIND(TRUE) | KIND(FALSE)},
    {"null", KIND(NULL)},
};

/* Only !!int and its like resolve; any other tag leaves the text a string. */
static bool tagged_set(struct composer *c, const char *tag, struct str text, struct val *v)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    struct str t = str_of(tag);
    if (str_starts(t, STR("tag:yaml.org,2002:"))) t = str_from(t, sizeof prefix - 1);
    else t = STR("");
    if (str_is(t, "binary")) return binary_decode(c, text, v);
    for (size_t i = 0; i < ARRAY_LEN(tag_rows); i++) {
        if (!str_is(t, tag_rows[i].tag)) continue;
        struct scalar s = scalar_resolve(c->tree.a, text);
        if (!(tag_rows[i].kinds & 1u << s.kind)) return tag_mismatch(c, v, text, tag + sizeof prefix - 1);
        return resolved_set(c, &s, text, v);
    }
    v->kind = VAL_STR;
    v->s = str_dup(c->tree.a, text);
    return true;
}

static bool scalar_set(struct composer *c, const yaml_event_t *ev, struct val *v)
{
    struct str text = str_n((const char *)ev->data.scalar.value, ev->data.scalar.length);
    if (ev->data.scalar.tag) return tagged_set(c, (const char *)ev->data.scalar.tag, text, v);
    if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        v->kind = VAL_STR;
        v->s = str_dup(c->tree.a, text);
        return true;
    }
    struct scalar s = scalar_resolve(c->tree.a, text);
    return resolved_set(c, &s, text, v);
}

/* ---------------------------------------------------------------------------- containers */

static bool key_add(struct composer *c, struct frame *f, const struct val *v)
{
    if (v->kind == VAL_LIST || v->kind == VAL_MAP)
        return FAIL(c, v, ERR_SPEC, "invalid map key: a %s cannot be a key", val_kind_name(v->kind));
    if (v->kind == VAL_NULL) return FAIL(c, v, ERR_SPEC, "invalid map key: null cannot be a key");
    struct val_pair *pair = tree_push(&c->tree);
    *pair = (struct val_pair){.key = val_text(v), .line = v->line, .col = v->col};
    f->want_key = false;
    return true;
}

/* A finished value goes where the innermost open container wants it. */
static bool deliver(struct composer *c, const struct val *v)
{
    if (!c->depth) {
        c->root = *v;
        return true;
    }
    struct frame *f = &c->frames[c->depth - 1];
    if (f->v.kind == VAL_LIST) {
        tree_push(&c->tree)->v = *v;
        return true;
    }
    if (f->want_key) return key_add(c, f, v);
    c->tree.stack[c->tree.n - 1].v = *v;
    f->want_key = true;
    return true;
}

static bool is_merge(const yaml_event_t *ev)
{
    const char *tag = (const char *)ev->data.scalar.tag;
    bool merge_tag = tag && !strcmp(tag, "tag:yaml.org,2002:merge");
    return ev->data.scalar.length == 2 && !memcmp(ev->data.scalar.value, merge_key, 2) &&
           ((ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag) || merge_tag);
}

/* Where a key of this text is kept; NULL when it may stand for something else than its text. */
static struct str *key_place(struct composer *c, const yaml_event_t *ev)
{
    const unsigned char *p = ev->data.scalar.value;
    size_t n = ev->data.scalar.length;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!n || !plain || ev->data.scalar.tag || ev->data.scalar.anchor) return NULL;
    return &c->keys[(n * 5 + p[0] * 7u + p[n / 2] * 3u + p[n - 1]) & (KEYS_KEPT - 1)];
}

/* Few keys make up a document: one that was text before is text again and shares its bytes. */
static bool known_key_add(struct composer *c, struct frame *f, const struct val *at, struct str key)
{
    *tree_push(&c->tree) = (struct val_pair){.key = key, .line = at->line, .col = at->col};
    f->want_key = false;
    return true;
}

static bool on_scalar(struct composer *c, const yaml_event_t *ev)
{
    struct val v = val_at(c, ev->start_mark);
    struct frame *f = c->depth ? &c->frames[c->depth - 1] : NULL;
    if (!nodes_add(c, &v, 1)) return false;
    struct str *kept = f && f->want_key ? key_place(c, ev) : NULL;
    if (kept && str_eq(*kept, str_n((const char *)ev->data.scalar.value, ev->data.scalar.length)))
        return known_key_add(c, f, &v, *kept);
    if (f && f->want_key && is_merge(ev)) {
        v.kind = VAL_STR;
        v.s = str_n(merge_key, 2);
        f->merges = true;
        return key_add(c, f, &v);
    }
    uint32_t anchor = anchor_open(c, ev->data.scalar.anchor);
    if (!scalar_set(c, ev, &v)) return false;
    if (kept && v.kind == VAL_STR) *kept = v.s;
    anchor_close(c, anchor, &v, 1, 0);
    return deliver(c, &v);
}

/* A map or list where a key belongs: nearly always an unquoted {{template}}. */
static bool key_container_bad(struct composer *c, const struct val *v)
{
    struct doc_error d = {.line = v->line, .col = v->col};
    yaml_hint_template(&d, c->cursor.text);
    return fail_as(c, &d, ERR_SPEC, "invalid map key: a %s cannot be a key", val_kind_name(v->kind));
}

static bool too_deep(struct composer *c, const struct val *v)
{
    return FAIL(c, v, ERR_LIMIT, "exceeded max depth of %d (LIMIT_DOC_DEPTH)", LIMIT_DOC_DEPTH);
}

static bool on_open(struct composer *c, const yaml_event_t *ev, enum val_kind kind)
{
    struct val v = val_at(c, ev->start_mark);
    v.kind = (uint8_t)kind;
    const yaml_char_t *anchor = kind == VAL_MAP ? ev->data.mapping_start.anchor
                                                : ev->data.sequence_start.anchor;
    if (c->depth && c->frames[c->depth - 1].want_key) return key_container_bad(c, &v);
    if (c->depth == LIMIT_DOC_DEPTH) return too_deep(c, &v);
    struct frame *f = &c->frames[c->depth++];
    *f = (struct frame){.v = v, .base = c->tree.n, .nodes_before = c->nodes, .deepest = (uint32_t)c->depth,
                        .want_key = kind == VAL_MAP, .anchor = anchor_open(c, anchor)};
    return nodes_add(c, &v, 1);
}

/* Pushes the pairs of one merge source: a map, or a list of maps of which the first is strongest. */
static bool merge_push(struct composer *c, const struct val *source)
{
    bool list = source->kind == VAL_LIST;
    for (uint32_t i = list ? source->n : 1; i-- > 0;) {
        const struct val *map = list ? &source->items[i] : source;
        if (map->kind != VAL_MAP)
            return FAIL(c, source, ERR_SPEC, "map merge requires map or sequence of maps as the value");
        for (uint32_t k = 0; k < map->n; k++) *tree_push(&c->tree) = map->map[k];
    }
    return true;
}

/* Takes the << pairs out of the frame's children into `sources`. */
static size_t merges_take(struct composer *c, struct frame *f, struct val *sources)
{
    size_t kept = f->base, n = 0;
    for (size_t i = f->base; i < c->tree.n; i++) {
        if (c->tree.stack[i].key.p == merge_key) sources[n++] = c->tree.stack[i].v;
        else c->tree.stack[kept++] = c->tree.stack[i];
    }
    c->tree.n = kept;
    return n;
}

static bool map_freeze(struct composer *c, struct frame *f)
{
    struct tree_duplicate dup;
    if (tree_map(&c->tree, f->base, &f->v, c->opts.strict ? &dup : NULL)) return true;
    return tree_duplicate_raise(&dup, c->opts.file, c->opts.where, c->e);
}

/* Merged pairs below, the map's own above them, so that the own win. */
static bool map_freeze_merged(struct composer *c, struct frame *f)
{
    struct val *sources CLEANUP(free_ptr) = mem_alloc((c->tree.n - f->base) * sizeof *sources);
    size_t n = merges_take(c, f, sources);
    if (!map_freeze(c, f)) return false;
    while (n-- > 0)
        if (!merge_push(c, &sources[n])) return false;
    for (uint32_t i = 0; i < f->v.n; i++) *tree_push(&c->tree) = f->v.map[i];
    return tree_map(&c->tree, f->base, &f->v, NULL);
}

static bool on_close(struct composer *c)
{
    struct frame *f = &c->frames[c->depth - 1];
    if (f->v.kind == VAL_LIST) tree_list(&c->tree, f->base, &f->v);
    else if (f->merges ? !map_freeze_merged(c, f) : !map_freeze(c, f)) return false;
    anchor_close(c, f->anchor, &f->v, c->nodes - f->nodes_before, f->deepest - (uint32_t)c->depth + 1);
    c->depth--;
    if (c->depth) f[-1].deepest = MAX(f[-1].deepest, f->deepest);
    return deliver(c, &f->v);
}

static bool on_alias(struct composer *c, const yaml_event_t *ev)
{
    struct val at = val_at(c, ev->start_mark);
    const char *name = (const char *)ev->data.alias.anchor;
    struct map_slot *slot = map_get(&c->anchor_names, str_of(name));
    if (!slot) return FAIL(c, &at, ERR_SPEC, "unknown anchor '%.100s' referenced", name);
    const struct anchor *anchor = &c->anchors.items[slot->num - 1];
    if (anchor->open) return FAIL(c, &at, ERR_SPEC, "anchor '%.100s' value contains itself", name);
    c->alias_nodes += anchor->nodes;
    if (!alias_ratio_ok(c->nodes + anchor->nodes, c->alias_nodes))
        return FAIL(c, &at, ERR_LIMIT, "document contains excessive aliasing");
    if (!nodes_add(c, &at, anchor->nodes)) return false;
    uint32_t deepest = (uint32_t)c->depth + anchor->depth;
    if (deepest > LIMIT_DOC_DEPTH) return too_deep(c, &at);
    if (c->depth) c->frames[c->depth - 1].deepest = MAX(c->frames[c->depth - 1].deepest, deepest);
    struct val v = anchor->v;
    v.line = at.line;
    v.col = at.col;
    return deliver(c, &v);
}

static bool on_event(struct composer *c, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT: return on_scalar(c, ev);
    case YAML_SEQUENCE_START_EVENT: return on_open(c, ev, VAL_LIST);
    case YAML_MAPPING_START_EVENT: return on_open(c, ev, VAL_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_close(c);
    case YAML_ALIAS_EVENT: return on_alias(c, ev);
    case YAML_DOCUMENT_START_EVENT: anchors_reset(c); return true;
    case YAML_DOCUMENT_END_EVENT: VEC_PUSH(&c->docs, c->root); return true;
    default: return true;
    }
}

/* ----------------------------------------------------------------------------- documents */

static bool parser_failed(struct composer *c)
{
    struct doc_error d = {.file = c->opts.file};
    yaml_problem(&d, &c->parser, c->cursor.text);
    return doc_error_raise(&d, c->opts.where, ERR_SPEC, c->e);
}

/* Nothing has to be freed: the ends of containers, and their beginnings without anchor and tag. */
static bool is_bare(const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SEQUENCE_START_EVENT:
        return !ev->data.sequence_start.anchor && !ev->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return !ev->data.mapping_start.anchor && !ev->data.mapping_start.tag;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return true;
    default: return false;
    }
}

/* As yaml_event_delete, which also looks for what a plain scalar has not. libyaml's memory is malloc's. */
static inline void event_free(yaml_event_t *ev)
{
    if (ev->type == YAML_SCALAR_EVENT && !ev->data.scalar.anchor && !ev->data.scalar.tag) free(ev->data.scalar.value);
    else if (!is_bare(ev)) yaml_event_delete(ev);
}

/* Reads up to `most` documents into c->docs. */
static bool events_read(struct composer *c, size_t most)
{
    bool more = true;
    while (more && c->docs.n < most) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&c->parser, &ev)) return parser_failed(c);
        more = ev.type != YAML_STREAM_END_EVENT;
        bool ok = on_event(c, &ev);
        event_free(&ev);
        if (!ok) return false;
    }
    return true;
}

static bool text_refused(const struct yaml_opts *opts, struct str text, struct err *e)
{
    struct doc_error d = {.file = opts->file, .line = 1, .col = 1};
    enum err_code code = ERR_SPEC;
    if (text.n > LIMIT_DOC_BYTES) {
        snprintf(d.text, sizeof d.text, "text is longer than %d bytes (LIMIT_DOC_BYTES)", LIMIT_DOC_BYTES);
        code = ERR_LIMIT;
    } else if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff"))) {
        snprintf(d.text, sizeof d.text, "text is UTF-16");
        snprintf(d.hint, sizeof d.hint, "save the file as UTF-8");
    } else {
        return false;
    }
    doc_error_raise(&d, opts->where, code, e);
    return true;
}

static bool yaml_read(struct arena *a, struct str text, const struct yaml_opts *opts, size_t most,
                      struct val **docs, size_t *n, struct err *e)
{
    struct composer *c = mem_alloc(sizeof *c);
    memset(c, 0, offsetof(struct composer, frames));
    memset(&c->depth, 0, sizeof *c - offsetof(struct composer, depth));
    c->opts = *opts;
    c->e = e;
    arena_expect(a, text.n * 2);
    tree_init(&c->tree, a);
    yaml_cursor_init(&c->cursor, text);
    if (!yaml_parser_initialize(&c->parser)) IMPOSSIBLE("no memory for a YAML parser");
    yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c->parser, (const unsigned char *)text.p, text.n);
    bool ok = events_read(c, most);
    if (ok) {
        *n = c->docs.n;
        *docs = ARENA_ARRAY(a, struct val, c->docs.n);
        if (c->docs.n) memcpy(*docs, c->docs.items, c->docs.n * sizeof **docs);
    }
    yaml_parser_delete(&c->parser);
    tree_fini(&c->tree);
    map_fini(&c->anchor_names);
    VEC_FINI(&c->anchors);
    VEC_FINI(&c->docs);
    free(c);
    return ok;
}

static bool looks_like_json(struct str text)
{
    text = str_trim(text);
    return text.n && (text.p[0] == '{' || text.p[0] == '[');
}

static bool is_later(const struct doc_error *a, const struct doc_error *b)
{
    return a->line > b->line || (a->line == b->line && a->col > b->col);
}

/* JSON first. When neither can read it, the reader that got further knows better what is wrong, or
 * YAML when it found an unquoted template. */
static bool json_or_yaml(struct arena *a, struct str text, const struct yaml_opts *opts, size_t most,
                         struct val **docs, size_t *n, struct err *e)
{
    struct doc_error json_where = {0}, yaml_where = {0};
    struct err json_err = {0};
    struct json_opts jo = {.file = opts->file, .strict = opts->strict, .where = &json_where};
    struct yaml_opts yo = *opts;
    yo.where = &yaml_where;
    *docs = ARENA_NEW(a, struct val);
    *n = 1;
    if (json_parse(a, text, &jo, *docs, &json_err)) return true;
    bool final = json_err.code == ERR_LIMIT || json_where.first_line;
    if (!final && yaml_read(a, text, &yo, most, docs, n, e)) return true;
    final = final || (!yaml_where.len && !is_later(&yaml_where, &json_where));
    if (final && e) *e = json_err;
    if (opts->where) *opts->where = final ? json_where : yaml_where;
    return false;
}

static bool docs_read(struct arena *a, struct str text, const struct yaml_opts *opts, size_t most,
                      struct val **docs, size_t *n, struct err *e)
{
    static const struct yaml_opts defaults;
    if (!opts) opts = &defaults;
    if (!text.p) text = STR("");
    if (text_refused(opts, text, e)) return false;
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = str_from(text, 3); /* columns do not count it */
    if (looks_like_json(text)) return json_or_yaml(a, text, opts, most, docs, n, e);
    return yaml_read(a, text, opts, most, docs, n, e);
}

bool yaml_parse(struct arena *a, struct str text, const struct yaml_opts *opts, struct val *out,
                struct err *e)
{
    struct val *docs;
    size_t n;
    if (!docs_read(a, text, opts, 1, &docs, &n, e)) return false;
    *out = n ? docs[0] : val_null;
    return true;
}

bool yaml_parse_all(struct arena *a, struct str text, const struct yaml_opts *opts,
                    struct val **docs, size_t *n, struct err *e)
{
    if (!docs_read(a, text, opts, SIZE_MAX, docs, n, e)) return false;
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if ((*docs)[i].kind != VAL_NULL) (*docs)[kept++] = (*docs)[i];
    *n = kept;
    return true;
}
