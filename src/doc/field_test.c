/* The field engine on a table of its own: decoding, its complaints, encoding, copies, schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc/field.h"
#include "doc/json_write.h"
#include "doc/yaml.h"

struct leg {
    const struct val *src;
    struct str name;
};
struct leg_list {
    struct leg *items;
    size_t n;
};
struct leg_entry {
    struct str key;
    struct leg v;
};
struct leg_map {
    struct leg_entry *items;
    size_t n;
};
struct pair {
    const struct val *src;
    struct leg_list legs;
};
struct pair_list {
    struct pair *items;
    size_t n;
};
struct animal {
    const struct val *src;
    struct str name, any, port, amount, size;
    struct opt_i64 age, weight;
    struct opt_bool tame;
    const struct val *raw;
    struct val_list items;
    const struct leg *leg;
    struct leg_list legs;
    struct leg_map by_name;
    struct str_list words;
    struct i64_list numbers;
    struct str_map labels;
    struct pair_list pairs;
    struct str old;
};

/* Slots of these small tables: every multiplier 0 but one, found by hand; see name_slot. */
#define ROW(field, json, kind, shape, flags, type, merge, words, was)                              \
    {                                                                                              \
        json, sizeof(json) - 1, FIELD_##kind, FIELD_##shape, flags,                                \
            offsetof(struct animal, field), type, merge, words, NULL, was, "what " json " is"      \
    }

static const struct field_row leg_rows[] = {
    {"name", 4, FIELD_STRING, FIELD_ONE, FIELD_REQUIRED, offsetof(struct leg, name), NULL, NULL,
     NULL, NULL, NULL, "its name"},
};
static const uint8_t one_slot[] = {1};
static const struct field_type leg_type = {"Leg", "a leg", leg_rows, 1,        sizeof(struct leg),
                                           false, 0,       {0},      one_slot, {1, 0}};
static const struct field_row pair_rows[] = {
    {"legs", 4, FIELD_STRUCT, FIELD_LIST, 0, offsetof(struct pair, legs), &leg_type, NULL, NULL,
     NULL, NULL, "two legs"},
};
static const struct field_type pair_type = {
    "Pair", "legs side by side", pair_rows, 1, sizeof(struct pair), true, 0, {0}, one_slot, {0, 0}};

static const struct field_row animal_rows[] = {
    ROW(name, "name", STRING, ONE, FIELD_REQUIRED, NULL, NULL, NULL, NULL),
    ROW(any, "anyText", ANYSTRING, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(port, "port", INTORSTRING, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(amount, "amount", QUANTITY, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(size, "size", STRING, ONE, 0, NULL, NULL, "small|large", NULL),
    ROW(age, "age", INT, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(weight, "weight", INT64, ONE, FIELD_IGNORED, NULL, NULL, NULL, NULL),
    ROW(tame, "tame", BOOL, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(raw, "raw", ANY, ONE, 0, NULL, NULL, NULL, NULL),
    ROW(items, "items", ITEM, LIST, 0, NULL, NULL, NULL, NULL),
    ROW(leg, "leg", STRUCT, ONE, 0, &leg_type, NULL, NULL, NULL),
    ROW(legs, "legs", STRUCT, LIST, 0, &leg_type, "name", NULL, NULL),
    ROW(by_name, "byName", STRUCT, MAP, 0, &leg_type, NULL, NULL, NULL),
    ROW(words, "words", STRING, LIST, 0, NULL, NULL, NULL, NULL),
    ROW(numbers, "numbers", INT64, LIST, 0, NULL, NULL, NULL, NULL),
    ROW(labels, "labels", STRING, MAP, 0, NULL, NULL, NULL, NULL),
    ROW(pairs, "pairs", STRUCT, LIST, 0, &pair_type, NULL, NULL, NULL),
    ROW(old, "old", STRING, ONE, 0, NULL, NULL, NULL, "name"),
};
enum { SLOTS = 256 };
static uint8_t animal_slots[SLOTS];
static struct field_type animal_type = {
    "Animal", "an animal", animal_rows,    ARRAY_LEN(animal_rows), sizeof(struct animal),
    false,    SLOTS - 1,   {3, 7, 13, 29}, animal_slots,           {1, 0}};

/* As tools/mkspec.py does, with fixed multipliers that happen to be free of collisions. */
static int fill_slots(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(animal_rows); i++) {
        const unsigned char *c = (const unsigned char *)animal_rows[i].name;
        uint32_t n = animal_rows[i].name_n;
        uint32_t slot = (n + c[0] * 3u + c[n / 2] * 7u + c[n * 3 / 4] * 13u + c[n - 1] * 29u) &
                        (SLOTS - 1);
        if (animal_slots[slot]) fail_msg("%s collides", animal_rows[i].name);
        animal_slots[slot] = (uint8_t)(i + 1);
    }
    return 0;
}

struct fixture {
    struct arena a;
    struct diags d;
    struct val v;
    struct animal x;
    bool ok;
};

static void decode(struct fixture *f, const char *yaml)
{
    struct err e = {0};
    *f = (struct fixture){0};
    arena_init(&f->a);
    diags_init(&f->d, &f->a);
    if (!yaml_parse(&f->a, str_of(yaml), NULL, &f->v, &e)) fail_msg("%s", e.text);
    f->ok = field_decode(&f->a, &animal_type, &f->v, &f->x, &f->d);
}

static void done(struct fixture *f)
{
    diags_fini(&f->d);
    arena_fini(&f->a);
}

static const char full[] =
    "name: cat\nanyText: 1e3\nport: 80\namount: 2Gi\nsize: small\nage: 3\ntame: true\nraw: {a: "
    "[1]}\n"
    "items: [1, {k: v}]\nleg: {name: l}\nlegs: [{name: a}, {name: b}]\nbyName: {x: {name: w}}\n"
    "words: [u, v]\nnumbers: [1, 2]\nlabels: {k: v, e: ''}\npairs: [[{name: p}], [{name: q}, "
    "{name: r}]]\n";

static void decodes_every_kind(void **state)
{
    struct fixture f;
    decode(&f, full);
    assert_true(f.ok);
    assert_int_equal(f.d.n, 0);
    assert_ptr_equal(f.x.src, &f.v);
    assert_true(str_is(f.x.name, "cat"));
    assert_true(str_is(f.x.any, "1000"));
    assert_true(str_is(f.x.port, "80"));
    assert_int_equal(f.x.age.v, 3);
    assert_false(f.x.weight.set);
    assert_true(f.x.tame.set && f.x.tame.v);
    assert_int_equal(f.x.raw->kind, VAL_MAP);
    assert_int_equal(f.x.items.n, 2);
    assert_true(str_is(f.x.leg->name, "l"));
    assert_int_equal(f.x.leg->src->line, 10);
    assert_true(str_is(f.x.legs.items[1].name, "b"));
    assert_true(str_is(f.x.by_name.items[0].key, "x"));
    assert_true(str_is(f.x.by_name.items[0].v.name, "w"));
    assert_int_equal(f.x.numbers.items[1], 2);
    assert_true(str_is(f.x.labels.items[0].v, "v"));
    assert_int_equal(f.x.labels.items[1].v.n, 0);
    assert_int_equal(f.x.pairs.items[1].legs.n, 2);
    assert_null(f.x.old.p);
    done(&f);
}

static void encodes_and_copies(void **state)
{
    struct fixture f, g;
    decode(&f, full);
    struct val v = field_encode(&f.a, &animal_type, &f.x);
    for (uint32_t i = 0; i < v.n; i++) {
        const struct val *was = val_get(&f.v, v.map[i].key);
        if (str_is(v.map[i].key, "anyText"))
            assert_int_equal(v.map[i].v.kind, VAL_STR); /* as Go prints it */
        else assert_true(was && val_eq(was, &v.map[i].v));
    }
    assert_int_equal(v.n, f.v.n);
    decode(&g, full);
    assert_true(field_eq(&animal_type, &f.x, &g.x));
    struct animal copy;
    field_copy(&g.a, &animal_type, &copy, &f.x);
    assert_true(field_eq(&animal_type, &copy, &f.x));
    assert_ptr_not_equal(copy.name.p, f.x.name.p);
    copy.legs.items[1].name = STR("z");
    assert_false(field_eq(&animal_type, &copy, &f.x));
    done(&f);
    done(&g);
}

static void reports(void **state)
{
    static const struct {
        const char *yaml, *code, *message, *label;
    } rows[] = {
        {"{name: x, agee: 1}", "E0101", "unknown field `agee` in Animal", "did you mean `age`?"},
        {"{name: x, age: a}", "E0102", "`age`: expected an integer, got a string", NULL},
        {"{name: x, age: 99999999999}", "E0105", "`age`: 99999999999 is too large", NULL},
        {"{name: x, legs: a}", "E0102", "`legs`: expected a list, got a string", NULL},
        {"{name: x, leg: [1]}", "E0102", "Leg: expected a map, got a list", NULL},
        {"{name: x, legs: [{}]}", "E0103", "Leg has no `name`", NULL},
        {"{name: [x]}", "E0102", "`name`: expected a string, got a list", NULL},
        {"{name: 1}", "W0103", "`name` is text, but this is an integer", NULL},
        {"{name: x, size: smal}", "E0104", "`size`: \"smal\" is not allowed here",
         "did you mean `small`?"},
        {"{name: x, amount: 1 Gi}", "E0106", "\"1 Gi\" is not a quantity", NULL},
        {"{name: x, tame: 1}", "E0102", "`tame`: expected true or false, got an integer", NULL},
        {"{name: x, port: 1.5}", "E0102", "`port`: expected an integer or a string, got a number",
         NULL},
        {"{name: x, weight: 1}", "W0101", "`weight` is accepted, but has no effect on one machine",
         NULL},
        {"{name: x, old: w}", "N0102", "`old` is the form of Argo 3.x", NULL},
        {"{name: x, labels: [1]}", "E0102", "`labels`: expected a map, got a list", NULL},
        {"{age: 1}", "E0103", "Animal has no `name`", NULL},
        {"[1]", "E0102", "Animal: expected a map, got a list", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        decode(&f, rows[i].yaml);
        assert_int_equal(f.d.n, 1);
        assert_string_equal(f.d.items[0].code, rows[i].code);
        assert_string_equal(f.d.items[0].message.p, rows[i].message);
        if (rows[i].label) assert_string_equal(f.d.items[0].label.p, rows[i].label);
        assert_int_equal(f.ok, rows[i].code[0] != 'E');
        assert_int_equal(f.d.items[0].line, 1);
        done(&f);
    }
}

static void names_match_in_any_case(void **state)
{
    struct fixture f;
    decode(&f, "{NAME: x, AnyText: w, age: null}");
    assert_true(f.ok);
    assert_true(str_is(f.x.name, "x"));
    assert_true(str_is(f.x.any, "w"));
    assert_false(f.x.age.set);
    assert_null(field_find(&animal_type, STR("")));
    assert_null(field_find(&animal_type, STR("nam")));
    done(&f);
}

static void quantities(void **state)
{
    static const char *const good[] = {"1",  "0.5", "100m", "1Gi", "2e3",
                                       "+1", "1E",  "1Ei",  "5k",  ".5"};
    static const char *const bad[] = {"''", "a", "1GB", "1e", "Gi", "1.2.3", "'1 '", "1i"};
    for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
        bool wanted = i < ARRAY_LEN(good);
        char text[64];
        struct fixture f;
        snprintf(text, sizeof text, "{name: x, amount: %s}",
                 wanted ? good[i] : bad[i - ARRAY_LEN(good)]);
        decode(&f, text);
        if (f.ok != wanted) fail_msg("%s", text);
        done(&f);
    }
}

static void any_text_as_go_prints_it(void **state)
{
    static const char *const rows[][2] = {
        {"1e3", "1000"},
        {"1.0", "1"},
        {"1.50", "1.5"},
        {"true", "true"},
        {"0x10", "16"},
        {"1e22", "10000000000000000000000"},
        {"9007199254740993", "9007199254740992"},
        {"1e-7", "0.0000001"},
        {"-1.5e-8", "-0.000000015"},
        {"'007'", "007"},
        {"1.25e25", "12500000000000000000000000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        struct fixture f;
        snprintf(text, sizeof text, "{name: x, anyText: %s}", rows[i][0]);
        decode(&f, text);
        assert_true(f.ok);
        assert_string_equal(str_z(&f.a, f.x.any), rows[i][1]);
        done(&f);
    }
}

static void looks_up_documentation(void **state)
{
    struct arena a;
    const struct field_row *row;
    const struct field_type *type;
    arena_init(&a);
    assert_true(field_lookup(&animal_type, STR("legs.name"), &row, &type));
    assert_string_equal(row->doc, "its name");
    assert_null(type);
    assert_true(field_lookup(&animal_type, STR("legs.0.name"), &row, &type));
    assert_true(field_lookup(&animal_type, STR("byName.anything.name"), &row, &type));
    assert_true(field_lookup(&animal_type, STR("pairs.name"), &row, &type));
    assert_true(field_lookup(&animal_type, STR("raw.a.b"), &row, &type));
    assert_true(field_lookup(&animal_type, STR(""), &row, &type));
    assert_null(row);
    assert_ptr_equal(type, &animal_type);
    assert_false(field_lookup(&animal_type, STR("legs.nam"), &row, &type));
    assert_false(field_lookup(&animal_type, STR("leg.0.name"), &row, &type));
    assert_true(field_lookup(&animal_type, STR("legs"), &row, &type));
    assert_string_equal(str_z(&a, field_kind_text(&a, row)), "list of Leg");
    arena_fini(&a);
}

static void emits_schemas(void **state)
{
    struct arena a;
    arena_init(&a);
    struct field_schemas *schemas = field_schemas_new(&a, "#/x/");
    struct val ref = field_schemas_ref(schemas, &animal_type), s = field_schemas_done(schemas);
    assert_true(str_is(val_text(val_path(&ref, "$ref")), "#/x/Animal"));
    const struct val *animal = val_path(&s, "Animal");
    assert_true(str_is(val_text(val_path(animal, "required.0")), "name"));
    assert_false(val_path(animal, "additionalProperties")->b);
    assert_true(str_is(val_text(val_path(animal, "properties.size.enum.1")), "large"));
    assert_true(str_is(val_text(val_path(animal, "properties.legs.items.$ref")), "#/x/Leg"));
    assert_true(str_is(val_text(val_path(animal, "properties.byName.additionalProperties.$ref")), "#/x/Leg"));
    assert_true(str_is(val_text(val_path(&s, "Pair.type")), "array"));
    assert_true(val_path(animal, "properties.old.deprecated")->b);
    assert_int_equal(s.n, 3);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_kind),
        cmocka_unit_test(encodes_and_copies),
        cmocka_unit_test(reports),
        cmocka_unit_test(names_match_in_any_case),
        cmocka_unit_test(quantities),
        cmocka_unit_test(any_text_as_go_prints_it),
        cmocka_unit_test(looks_up_documentation),
        cmocka_unit_test(emits_schemas),
    };
    return cmocka_run_group_tests(tests, fill_slots, NULL);
}
