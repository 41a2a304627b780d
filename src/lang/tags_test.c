/* Tags: replacement as Argo's, policies, late names, absent values, trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "lang/tags.h"

struct fixture {
    struct arena a;
    struct scope scope;
    enum tags_outcome outcome;
    struct err e;
};

static void fixture_init(struct fixture *f)
{
    arena_init(&f->a);
    scope_init(&f->scope, NULL);
    f->e = (struct err){0};
    static const char *const rows[][2] = {
        {"foo", "bar"}, {"inputs.parameters.message", "hello world"}, {"which", "message"},
        {"inputs.parameters.quote", "a \"b\" \\ \n {{foo}}"}, {"inputs.parameters.n", "5"},
        {"steps.a.outputs.result", "heads"}, {"steps.a.outputs.parameters.p", "v"},
        {"inputs.parameters", "[{}]"}, {"empty", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        scope_set(&f->scope, str_of(rows[i][0]), str_of(rows[i][1]));
    scope_set_nil(&f->scope, STR("steps.skipped.outputs.parameters.p"));
}

static void fixture_fini(struct fixture *f)
{
    scope_fini(&f->scope);
    arena_fini(&f->a);
}

/* The result, or "error: TEXT". */
static struct str replace(struct fixture *f, const char *text, enum tags_policy policy)
{
    struct tags_opts opts = {.scope = &f->scope, .policy = policy, .outcome = &f->outcome};
    struct str out;
    if (!tags_replace(&f->a, str_of(text), &opts, &out, &f->e))
        return str_fmt(&f->a, "error: %s", f->e.text);
    return str_dup(&f->a, out);
}

static void simple_tags_are_replaced(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{{foo}}", "bar"}, {"{{ foo }}", "bar"}, {"a{{foo}}b{{foo}}c", "abarbbarc"}, {"{{empty}}", ""},
        {"no tags", "no tags"}, {"", ""}, {"{{nope}}", "{{nope}}"}, {"{{ nope }} {{foo}}", "{{ nope }} bar"},
        {"{{inputs.parameters.quote}}", "a \"b\" \\ \n {{foo}}"}, {"{{", "{{"}, {"{{foo", "{{foo"},
        {"}} {{foo}}", "}} bar"}, {"{{}}", "{{}}"}, {"{{{foo}}}", "{{{foo}}}"},
        {"{{inputs.parameters.{{which}}}}", "{{inputs.parameters.message}}"},
        {"{{inputs.parameters.{{nope}}}}", "{{inputs.parameters.{{nope}}}}"},
        {"{{nope.{{which}}}} {{foo}}", "{{nope.message}} bar"},
        {"{{- with secret \"{{inputs.parameters.message}}\" -}}\n {{ .Data }}\n {{- end }}",
         "{{- with secret \"hello world\" -}}\n {{ .Data }}\n {{- end }}"},
        {"{{- with {{ secret \"{{inputs.parameters.message}}\" -}} }}\n {{ .x }}",
         "{{- with {{ secret \"hello world\" -}} }}\n {{ .x }}"},
        {"{{- with {{ {{ }} secret \"{{does-not-exist}}\" -}} }} {{- end }}",
         "{{- with {{ {{ }} secret \"{{does-not-exist}}\" -}} }} {{- end }}"},
    };
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(replace(&f, rows[i][0], TAGS_LEAVE).p, rows[i][1]);
}

static void expressions_are_replaced(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{{=foo}}", "bar"}, {"{{=foo + '!'}}", "bar!"}, {"x{{=1 + 1}}y", "x2y"}, {"{{=true == false}}", "false"},
        {"{{=1/2}}", "0.5"}, {"{{=2**3}}", "8"}, {"{{=asInt(inputs.parameters.n) + 1}}", "6"},
        {"{{='test'}}", "test"}, {"{{='\"'}}", "\""}, {"{{=\"'\"}}", "'"}, {"{{=1 + \n1}}", "2"},
        {"{{='some\\\\path'}}", "some\\path"}, {"{{='a\\nb'}}", "a\nb"}, {"{{=toJson('test')}}", "\"test\""},
        {"{{=toJson({test: 1})}}", "{\"test\":1}"}, {"{{=[1, 'a', nil]}}", "[1,\"a\",null]"},
        {"{{={\"a\": foo}}}", "error: failed to evaluate expression: unexpected token EOF (1:9)"},
        {"{{= sprig.trunc(5, inputs.parameters.message) }}", "hello"},
        {"{{=steps.skipped.outputs.parameters.p ?? 'fb'}}", "fb"},
        {"{{=steps.skipped?.outputs.parameters.p ?? 'fb'}}", "fb"},
        {"{{=inputs.parameters.message}} {{foo}}", "hello world bar"},
        {"{{=inputs.parameters.quote}}", "a \"b\" \\ \n {{foo}}"}, {"{{=unknown}}", "{{=unknown}}"},
        {"{{=inputs.parameters['n'] + inputs . parameters.n}}", "55"}, {"{{=type(inputs.parameters)}} {{=len(inputs.parameters) > 2}}", "map true"},
        {"{{=sprig.upper((let inputs = {'parameters': {'n': 'x'} }; inputs.parameters.n))}}", "X"},
        {"{{=unknown ?? 'x'}}", "{{=unknown ?? 'x'}}"}, {"{{=inputs.parameters.zz ?? 'x'}}", "x"},
        {"{{=inputs.parameters.zz}}", "{{=inputs.parameters.zz}}"},
        {"{{=retries}}", "{{=retries}}"}, {"{{=int(retries) + 1}}", "{{=int(retries) + 1}}"},
        {"{{=item.x ?? 'd'}}", "{{=item.x ?? 'd'}}"}, {"{{=lastRetry.exitCode ?? 'd'}}", "{{=lastRetry.exitCode ?? 'd'}}"},
        {"{{=workflow.status == 'x' ? 1 : 2}}", "{{=workflow.status == 'x' ? 1 : 2}}"},
        {"{{=workflow.failures ?? 1}}", "{{=workflow.failures ?? 1}}"}, {"{{=let q = foo; q}}", "bar"},
        {"{{=date('2023-01-02')}}", "2023-01-02T00:00:00Z"}, {"{{=1..3}}", "[1,2,3]"},
        {"{{=int(foo)}}", "{{=int(foo)}}"}, {"{{=item?.q ?? 'd'}}", "{{=item?.q ?? 'd'}}"}, {"{{=(inputs ?? 'a').b ?? 'd'}}", "d"},
        {"{{=toJson}}", "{{=toJson}}"}, {"{{=sprig.upper(unknown)}}x", "x"},
        {"{{=!}}", "error: failed to evaluate expression: unexpected token EOF (1:1)"},
    };
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(replace(&f, rows[i][0], TAGS_LEAVE).p, rows[i][1]);
    scope_set(&f.scope, STR("retries"), STR("2"));
    assert_string_equal(replace(&f, "{{=int(retries) + 1}}", TAGS_LEAVE).p, "3");
    assert_int_equal(f.outcome, TAGS_OK);
}

static void policies_decide_about_unresolved(void **state)
{
    (void)state;
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    replace(&f, "{{foo}}", TAGS_FAIL);
    assert_int_equal(f.outcome, TAGS_OK);
    replace(&f, "{{nope}}", TAGS_LEAVE);
    assert_int_equal(f.outcome, TAGS_UNRESOLVED);
    assert_string_equal(replace(&f, "{{ nope}}", TAGS_FAIL).p, "error: failed to resolve {{ nope}}");
    assert_int_equal(f.outcome, TAGS_UNRESOLVED);
    assert_string_equal(replace(&f, "{{nope}} {{stepsx.y}}", TAGS_FAIL_PREFIXES).p, "{{nope}} {{stepsx.y}}");
    assert_string_equal(replace(&f, "{{steps.b.id}}", TAGS_FAIL_PREFIXES).p,
                        "error: failed to resolve {{steps.b.id}}");
    assert_int_equal(f.outcome, TAGS_UNRESOLVED);
    assert_string_equal(replace(&f, "{{tasks.b.outputs.artifacts.x}}", TAGS_FAIL_PREFIXES).p,
                        "{{tasks.b.outputs.artifacts.x}}");
    assert_string_equal(replace(&f, "{{=steps.b.id}}", TAGS_FAIL_PREFIXES).p,
                        "error: failed to evaluate expression: steps.b.id is missing");
    assert_string_equal(replace(&f, "{{=nope}}", TAGS_FAIL_PREFIXES).p, "{{=nope}}");
    assert_string_equal(replace(&f, "{{=nope}}", TAGS_FAIL).p,
                        "error: failed to evaluate expression: nope is missing");
    static const char *const must[] = {"{{=int(foo)}}", "{{=toJson}}", "{{=[1][2]}}", "{{=foo +}}"};
    for (size_t i = 0; i < ARRAY_LEN(must); i++) {
        replace(&f, must[i], TAGS_FAIL_PREFIXES);
        assert_int_equal(f.outcome, TAGS_ERROR);
    }
    assert_string_equal(replace(&f, "{{=steps.b?.id ?? 'd'}}", TAGS_FAIL_PREFIXES).p, "d");
    assert_string_equal(replace(&f, "{{=nope?.id ?? 'd'}}", TAGS_FAIL_PREFIXES).p, "{{=nope?.id ?? 'd'}}");
    replace(&f, "{{=repeat('a', 1000000) + repeat(repeat('a', 1000), 1000000)}}", TAGS_LEAVE);
    assert_int_equal(f.outcome, TAGS_ERROR); /* a limit is never left in the text */
    replace(&f, "{{=foo +}}", TAGS_LEAVE);
    assert_int_equal(f.outcome, TAGS_ERROR);
}

static void absent_values_are_terminal(void **state)
{
    (void)state;
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    static const char *const texts[] = {"{{steps.skipped.outputs.parameters.p}}",
                                        "{{foo.{{steps.skipped.outputs.parameters.p}}}}",
                                        "x {{=steps.skipped.outputs.parameters.p}}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str got = replace(&f, texts[i], TAGS_FAIL_PREFIXES);
        assert_int_equal(f.outcome, TAGS_ABSENT);
        assert_non_null(strstr(got.p, "absent optional"));
        got = replace(&f, texts[i], TAGS_LEAVE);
        assert_int_equal(f.outcome, i < 2 ? TAGS_ABSENT : TAGS_UNRESOLVED);
    }
}

static bool count(void *ctx, const struct tag *tag)
{
    ++*(int *)ctx;
    return true;
}

static void trees_share_what_did_not_change(void **state)
{
    (void)state;
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    struct val v, out;
    assert_true(json_parse(&f.a, STR("{\"a\":[\"x\",{\"k\":1}],\"b\":[\"{{foo}}\",2],\"{{foo}}\":null}"),
                           NULL, &v, &f.e));
    struct tags_opts opts = {.scope = &f.scope, .outcome = &f.outcome};
    assert_true(tags_present_val(&v));
    assert_true(tags_replace_val(&f.a, &v, &opts, &out, &f.e));
    assert_string_equal(json_text(&f.a, &out).p, "{\"a\":[\"x\",{\"k\":1}],\"b\":[\"bar\",2],\"bar\":null}");
    assert_ptr_equal(out.map[0].v.items, v.map[0].v.items);
    assert_int_equal(out.map[1].v.line, v.map[1].v.line);
    assert_string_equal(json_text(&f.a, &v).p, "{\"a\":[\"x\",{\"k\":1}],\"b\":[\"{{foo}}\",2],\"{{foo}}\":null}");
    struct val same;
    assert_true(tags_replace_val(&f.a, &out, &opts, &same, &f.e));
    assert_ptr_equal(same.map, out.map);
    assert_false(tags_present_val(&out));
    int tags = 0;
    assert_true(tags_scan_val(&v, count, &tags));
    assert_int_equal(tags, 2);
    assert_true(json_parse(&f.a, STR("[\"a {{steps.skipped.outputs.parameters.p}}\"]"), NULL, &v, &f.e));
    assert_false(tags_replace_val(&f.a, &v, &opts, &out, &f.e));
    assert_int_equal(f.outcome, TAGS_ABSENT);
}

static void structured_values_go_in_as_json(void **state)
{
    (void)state;
    struct fixture f CLEANUP(fixture_fini);
    fixture_init(&f);
    struct val v;
    assert_true(json_parse(&f.a, STR("{\"x\":1,\"y\":[\"a\"]}"), NULL, &v, &f.e));
    scope_set_val(&f.scope, STR("item"), &v);
    assert_string_equal(replace(&f, "{{item}}", TAGS_FAIL).p, "{\"x\":1,\"y\":[\"a\"]}");
    assert_string_equal(replace(&f, "{{=item.y[0]}}", TAGS_FAIL).p, "a");
}

static void tags_are_listed(void **state)
{
    (void)state;
    struct str text = STR("a {{ x.y }} {{=f(z)}} {{p.{{q}}}} {{open");
    struct tag tag;
    size_t at = 0;
    assert_true(tags_next(text, &at, &tag));
    assert_true(str_is(tag.inner, "x.y") && !tag.is_expr && tag.offset == 2 && tag.end == 11);
    assert_true(tags_next(text, &at, &tag));
    assert_true(str_is(tag.inner, "f(z)") && tag.is_expr && tag.offset == 12);
    assert_true(tags_next(text, &at, &tag));
    assert_true(str_is(tag.inner, "q") && tag.offset == 26);
    assert_false(tags_next(text, &at, &tag));
    assert_true(str_is(tags_sole_name(STR(" {{ a.b }} ")), "a.b"));
    assert_false(str_set(tags_sole_name(STR("x{{a}}"))));
    assert_false(str_set(tags_sole_name(STR("{{a}}{{b}}"))));
    assert_false(str_set(tags_sole_name(STR("{{=a}}"))));
    assert_false(str_set(tags_sole_name(STR("{{a.{{b}}}}"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_tags_are_replaced),
        cmocka_unit_test(expressions_are_replaced),
        cmocka_unit_test(policies_decide_about_unresolved),
        cmocka_unit_test(absent_values_are_terminal),
        cmocka_unit_test(trees_share_what_did_not_change),
        cmocka_unit_test(structured_values_go_in_as_json),
        cmocka_unit_test(tags_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
