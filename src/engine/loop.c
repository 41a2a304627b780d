/* Loops: the items of withItems, withParam and withSequence, and the names of their nodes. */
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/gofmt.h"

static bool too_many(size_t n, struct err *e)
{
    if (n <= LIMIT_LOOP_ITEMS) return false;
    err_set(e, ERR_LIMIT, "a loop of %zu items passes the limit of %d", n, (int)LIMIT_LOOP_ITEMS);
    return true;
}

static bool items_of_text(struct run *r, struct str text, struct val *items, struct err *e)
{
    if (!json_parse(&r->scratch, text, NULL, items, NULL) || items->kind != VAL_LIST) {
        struct str t = str_sub(str_trim(text), 0, 200);
        return err_set(e, ERR_SPEC, "withParam value could not be parsed as a JSON list: %.*s",
                       STR_ARG(t));
    }
    return !too_many(items->n, e);
}

static bool number(struct run *r, const struct val *seq, const char *key, int64_t *out,
                   struct err *e)
{
    struct str text = str_trim(text_of(&r->scratch, val_get(seq, str_of(key))));
    if (!text.n) return true;
    if (str_to_i64(text, out)) return true;
    return err_set(e, ERR_SPEC, "withSequence.%s: '%.*s' is not a number", key, STR_ARG(text));
}

/* From first to last, upwards or downwards; false: there is none (operator.go expandSequence, where a
 * negative count goes downwards, too). */
static bool sequence_ends(struct run *r, const struct val *seq, int64_t *first, int64_t *last, bool *none, struct err *e)
{
    int64_t count = 0;
    *first = *last = 0;
    if (!number(r, seq, "start", first, e) || !number(r, seq, "end", last, e) || !number(r, seq, "count", &count, e))
        return false;
    bool counted = val_get(seq, STR("count")) != NULL;
    *none = counted && !count;
    if (!counted)
        return val_get(seq, STR("end")) || err_set(e, ERR_SPEC, "withSequence: must have end or count");
    if (*none || (!__builtin_add_overflow(*first, count, last) && !__builtin_sub_overflow(*last, 1, last))) return true;
    return err_set(e, ERR_LIMIT, "withSequence: start and count pass the range of 64 bits");
}

static bool items_of_sequence(struct run *r, const struct val *seq, struct val *items,
                              struct err *e)
{
    int64_t first, last;
    bool none;
    if (!sequence_ends(r, seq, &first, &last, &none, e)) return false;
    struct str format = val_get_str(seq, "format");
    bool down = last < first;
    uint64_t steps = down ? (uint64_t)first - (uint64_t)last : (uint64_t)last - (uint64_t)first;
    if (too_many(steps < SIZE_MAX ? steps + 1 : steps, e)) return false;
    struct val_builder b;
    size_t bytes = 0;
    list_begin(&b, &r->scratch);
    for (uint64_t i = 0; !none && i <= steps && bytes <= LIMIT_NODE_BYTES; i++) {
        int64_t v = down ? first - (int64_t)i : first + (int64_t)i;
        struct str item = gofmt_int(&r->scratch, format.n ? format : STR("%d"), v);
        if (!str_set(item)) return err_set(e, ERR_LIMIT, "an item of withSequence is larger than %d MiB (LIMIT_VALUE_BYTES)", LIMIT_VALUE_BYTES >> 20);
        bytes += item.n;
        list_add(&b, val_of_str(item));
    }
    *items = list_done(&b);
    return bytes <= LIMIT_NODE_BYTES ||
           err_set(e, ERR_LIMIT, "the items of withSequence are larger than %d MiB (LIMIT_NODE_BYTES)", LIMIT_NODE_BYTES >> 20);
}

/* A loop that is not going to run need not be one (operator.go expandTask, steps.go expandStep). */
static bool forgiven(struct run *r, const struct val *task, struct val *items, const struct err *e)
{
    struct err ignored;
    bool go = true;
    *items = (struct val){.kind = VAL_LIST};
    return e->code == ERR_SPEC && when_decide(r, val_get_str(task, "when"), &go, &ignored) && !go;
}

/* Not less than the bytes of its JSON: a character becomes six at most. */
static size_t json_bound(const struct val *v)
{
    size_t n = 8 + (v->kind == VAL_LIST || v->kind == VAL_MAP ? 0 : val_text(v).n * 6);
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) n += json_bound(&v->items[i]);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) n += v->map[i].key.n * 6 + json_bound(&v->map[i].v);
    return n;
}

/* They are kept as JSON (loop_begin), which must be readable again. */
static bool items_fit(struct run *r, const struct val *items, struct err *e)
{
    struct str json;
    return json_bound(items) <= LIMIT_NODE_BYTES || json_kept(&r->scratch, items, "the items of a loop", &json, e);
}

static bool items_of(struct run *r, const struct val *task, struct val *items, struct err *e)
{
    const struct val *with_items = val_get(task, STR("withItems"));
    const struct val *seq = val_get(task, STR("withSequence"));
    if (with_items && with_items->kind == VAL_LIST && with_items->n) {
        *items = *with_items;
        return !too_many(items->n, e);
    }
    if (with_items && with_items->kind == VAL_STR) return items_of_text(r, with_items->s, items, e);
    struct str param = val_get_str(task, "withParam");
    if (param.n) return items_of_text(r, param, items, e) || forgiven(r, task, items, e);
    if (seq) return items_of_sequence(r, seq, items, e) || forgiven(r, task, items, e);
    *items = (struct val){.kind = VAL_LIST};
    return true;
}

bool loop_expand(struct run *r, const struct val *task, struct val *items, struct err *e)
{
    return items_of(r, task, items, e) && items_fit(r, items, e);
}

/* Go prints the keys of a map sorted. */
static int key_order(const void *x, const void *y)
{
    return str_cmp(((const struct val_pair *)x)->key, ((const struct val_pair *)y)->key);
}

static struct val sorted(struct arena *a, const struct val *v)
{
    struct val out = *v;
    if (v->kind == VAL_LIST) {
        struct val *items = ARENA_ARRAY(a, struct val, v->n + 1);
        for (uint32_t i = 0; i < v->n; i++) items[i] = sorted(a, &v->items[i]);
        out.items = items;
    }
    if (v->kind == VAL_MAP) {
        struct val_pair *pairs = ARENA_ARRAY(a, struct val_pair, v->n + 1);
        for (uint32_t i = 0; i < v->n; i++) {
            pairs[i] = v->map[i];
            pairs[i].v = sorted(a, &v->map[i].v);
        }
        qsort(pairs, v->n, sizeof *pairs, key_order);
        out.map = pairs;
    }
    return out;
}

/* How an item, or a member of one, reads in text. */
static struct str item_text(struct arena *a, const struct val *v)
{
    if (v->kind == VAL_LIST || v->kind == VAL_MAP) {
        struct val s = sorted(a, v);
        return json_text(a, &s);
    }
    if (v->kind == VAL_NULL) return STR("null");
    return v->kind == VAL_INT ? val_text(v) : text_of(a, v); /* an Item keeps its text */
}

static int pair_order(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static struct str map_words(struct arena *a, const struct val *map)
{
    struct str *words = ARENA_ARRAY(a, struct str, map->n + 1);
    struct str all = STR("");
    for (uint32_t i = 0; i < map->n; i++) {
        struct str v = item_text(a, &map->map[i].v);
        words[i] = str_fmt(a, "%.*s:%.*s", STR_ARG(map->map[i].key), STR_ARG(v));
    }
    qsort(words, map->n, sizeof *words, pair_order);
    for (uint32_t i = 0; i < map->n; i++)
        all = str_fmt(a, "%.*s%s%.*s", STR_ARG(all), i ? "," : "", STR_ARG(words[i]));
    return all;
}

/* "base(idx:words)" without any parenthesis inside (operator.go generateNodeName), so that the
 * index can be read back. */
struct str loop_name(struct arena *a, struct str base, uint32_t idx, const struct val *item)
{
    struct str words = item->kind == VAL_MAP    ? map_words(a, item)
                       : item->kind == VAL_LIST ? gofmt_value(a, item)
                                                : item_text(a, item);
    char *kept = arena_alloc_bytes(a, words.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < words.n; i++)
        if (words.p[i] != '(' && words.p[i] != ')') kept[n++] = words.p[i];
    return str_fmt(a, "%.*s(%u:%.*s)", STR_ARG(base), idx, (int)n, kept);
}

bool task_loops(const struct val *task)
{
    return val_get(task, STR("withItems")) || val_get_str(task, "withParam").p ||
           val_get(task, STR("withSequence"));
}

/* Every item is put into the task before any is started: one that leaves a tag is an error of the
 * whole (steps.go processItem). */
bool loop_check(struct run *r, const struct call *c, const struct val *task, const struct val *items,
                struct err *e)
{
    bool maps = items->n && items->items[0].kind == VAL_MAP;
    for (uint32_t i = 0; c->has_tags && i < (maps ? items->n : MIN(items->n, 1)); i++) {
        struct val v;
        if (!item_task(r, task, &items->items[i], &v, e)) return false;
    }
    return true;
}

void item_scope(struct arena *a, struct scope *s, const struct val *item)
{
    scope_set(s, STR("item"), item_text(a, item));
    for (uint32_t i = 0; item->kind == VAL_MAP && i < item->n; i++)
        scope_set(s, str_fmt(a, "item.%.*s", STR_ARG(item->map[i].key)),
                  item_text(a, &item->map[i].v));
}
