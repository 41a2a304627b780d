/* doc: diagnostics in their three shapes, and did-you-mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "doc/closest.h"
#include "doc/diag.h"
#include "doc/yaml.h"

static const char text[] = "spec:\n  t\xc3\xa4g: x\n  dependancies: [extract]\r\nlast";

static struct diag *sample(struct diags *d)
{
    struct diag *g = diags_add(d, DIAG_ERROR, "W0112", "unknown field `%s` in a DAG task", "dependancies");
    g->file = 1;
    g->line = 3;
    g->col = 3;
    g->len = 12;
    diag_label(d, g, "did you mean `%s`?", "dependencies");
    diag_note(d, g, "without it, `transform` starts immediately");
    diag_help(d, g, "skiff fmt --fix etl.yaml");
    static struct diag_edit edit = {22, 34, STR("dependencies")};
    g->edits = &edit;
    g->n_edits = 1;
    return g;
}

static void check(enum diag_format format, bool colour, const char *want)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    struct source_files files CLEANUP(source_files_fini) = {0};
    struct diags d CLEANUP(diags_fini);
    arena_init(&a);
    buf_init(&b, 1 << 16);
    diags_init(&d, &a);
    assert_int_equal(source_files_add(&files, STR("etl.yaml"), STR(text)), 1);
    diag_render(&b, sample(&d), &files, (struct diag_style){format, colour});
    assert_string_equal(b.p, want);
}

static void shapes_are_golden(void **state)
{
    (void)state;
    check(DIAG_HUMAN, false,
          "error[W0112]: unknown field `dependancies` in a DAG task\n"
          " --> etl.yaml:3:3\n"
          "  |\n"
          "3 |   dependancies: [extract]\n"
          "  |   ^^^^^^^^^^^^ did you mean `dependencies`?\n"
          "  = note: without it, `transform` starts immediately\n"
          "  = help: skiff fmt --fix etl.yaml\n");
    check(DIAG_SHORT, false, "etl.yaml:3:3: error: unknown field `dependancies` in a DAG task [W0112]\n");
    check(DIAG_JSON, false,
          "{\"severity\":\"error\",\"code\":\"W0112\",\"file\":\"etl.yaml\",\"line\":3,\"column\":3,"
          "\"length\":12,\"message\":\"unknown field `dependancies` in a DAG task\","
          "\"label\":\"did you mean `dependencies`?\","
          "\"notes\":[\"without it, `transform` starts immediately\"],"
          "\"help\":\"skiff fmt --fix etl.yaml\",\"fix\":{\"edits\":[{\"from\":22,\"to\":34,\"text\":\"dependencies\"}]}}\n");
    check(DIAG_HUMAN, true,
          "\033[1;31merror[W0112]\033[0m\033[1m: unknown field `dependancies` in a DAG task\033[0m\n"
          " \033[1;34m--> \033[0metl.yaml:3:3\n"
          " \033[1;34m |\n\033[0m\033[1;34m3 |\033[0m   dependancies: [extract]\n"
          " \033[1;34m | \033[0m  \033[1;31m^^^^^^^^^^^^ did you mean `dependencies`?\033[0m\n"
          " \033[1;34m = \033[0m\033[1mnote: \033[0mwithout it, `transform` starts immediately\n"
          " \033[1;34m = \033[0m\033[1mhelp: \033[0mskiff fmt --fix etl.yaml\n");
}

static void odd_positions_do_not_break_the_shape(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct source_files files = {0};
    struct diags d;
    arena_init(&a);
    buf_init(&b, 1 << 16);
    diags_init(&d, &a);
    source_files_add(&files, STR("f"), STR(text));
    diags_add(&d, DIAG_WARNING, NULL, "no place");
    struct diag *g = diags_add(&d, DIAG_ERROR, "E1", "past the end");
    g->file = 1, g->line = 99, g->col = 1;
    g = diags_add(&d, DIAG_ERROR, "E2", "behind a wide letter");
    g->file = 1, g->line = 2, g->col = 9, g->len = 500;
    diags_render(&b, &d, &files, (struct diag_style){DIAG_HUMAN, false});
    assert_string_equal(b.p, "warning: no place\n\nerror[E1]: past the end\n  --> f:99:1\n\n"
                             "error[E2]: behind a wide letter\n --> f:2:9\n  |\n"
                             "2 |   t\xc3\xa4g: x\n  |        ^\n\n");
    diags_sort(&d);
    assert_int_equal(d.items[0].line, 0);
    assert_int_equal(d.items[1].line, 2);
    assert_int_equal(d.items[2].line, 99);
    assert_true(str_is(source_line(&files.items[0], 4), "last"));
    assert_false(str_set(source_line(&files.items[0], 5)));
    assert_false(str_set(source_line(&files.items[0], 0)));
    source_files_fini(&files);
    diags_fini(&d);
    buf_fini(&b);
    arena_fini(&a);
}

static void terminal_controls_are_not_passed_on(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct source_files files = {0};
    struct diags d;
    arena_init(&a);
    buf_init(&b, 1 << 16);
    diags_init(&d, &a);
    source_files_add(&files, STR("f\033"), STR("\033[2Jx\ty"));
    struct diag *g = diags_add(&d, DIAG_ERROR, "E1", "bad %s\xc2\x9b" "31m", "\033]0;title\a"); /* CSI as one character */
    g->file = 1, g->line = 1, g->col = 5;
    diag_note(&d, g, "two\nlines");
    diags_render(&b, &d, &files, (struct diag_style){DIAG_HUMAN, false});
    diags_render(&b, &d, &files, (struct diag_style){DIAG_SHORT, false});
    assert_string_equal(b.p, "error[E1]: bad ?]0;title??31m\n --> f?:1:5\n  |\n1 | ?[2Jx y\n  |     ^\n"
                             "  = note: two?lines\n\nf?:1:5: error: bad ?]0;title??31m [E1]\n");
    source_files_fini(&files);
    diags_fini(&d);
    buf_fini(&b);
    arena_fini(&a);
}

static void list_stops_at_its_limit_and_counts_on(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct diags d;
    arena_init(&a);
    buf_init(&b, 1 << 20);
    diags_init(&d, &a);
    for (int i = 0; i < LIMIT_DIAGS + 5; i++) diag_note(&d, diags_add(&d, DIAG_ERROR, "E1", "no %d", i), "n");
    assert_int_equal(d.n, LIMIT_DIAGS);
    assert_int_equal(d.errors, LIMIT_DIAGS + 5);
    assert_int_equal(d.dropped, 5);
    diags_render(&b, &d, NULL, (struct diag_style){DIAG_SHORT, false});
    assert_true(str_ends(buf_view(&b), STR("error: no 999 [E1]\nnote: 5 more not shown\n")));
    buf_fini(&b);
    diags_fini(&d);
    arena_fini(&a);
}

static void reader_errors_become_diagnostics(void **state)
{
    (void)state;
    struct arena a;
    struct diags d;
    struct doc_error where = {0};
    struct val v;
    arena_init(&a);
    diags_init(&d, &a);
    struct yaml_opts o = {.file = 1, .where = &where};
    assert_false(yaml_parse(&a, STR("a: {{x}}"), &o, &v, NULL));
    struct diag *g = diags_add_doc_error(&d, "E0001", &where);
    assert_string_equal(g->message.p, "invalid map key: a map cannot be a key");
    assert_string_equal(g->help.p, "quote the template expression: \"{{x}}\"");
    assert_int_equal(g->col, 4);
    assert_int_equal(g->len, 5);
    diags_fini(&d);
    arena_fini(&a);
}

static void nearest_word_is_found(void **state)
{
    (void)state;
    static const struct str words[] = {
        {"dependencies", 12}, {"depends", 7}, {"template", 8}, {"templateRef", 11}, {"name", 4}, {"y", 1}};
    static const struct { const char *in, *out; } rows[] = {
        {"dependancies", "dependencies"}, {"Template", "template"}, {"tempalte", "template"},
        {"nmae", "name"}, {"depnds", "depends"}, {"templateref", "templateRef"},
        {"zzz", NULL}, {"x", NULL}, {"arguments", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str hit = str_closest(str_of(rows[i].in), words, ARRAY_LEN(words));
        if (rows[i].out) assert_string_equal(hit.p, rows[i].out);
        else assert_null(hit.p);
    }
    assert_int_equal(str_distance(STR("ab"), STR("ba"), 5), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3);
    assert_int_equal(str_distance(STR(""), STR("abc"), 5), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_golden),
        cmocka_unit_test(odd_positions_do_not_break_the_shape),
        cmocka_unit_test(terminal_controls_are_not_passed_on),
        cmocka_unit_test(list_stops_at_its_limit_and_counts_on),
        cmocka_unit_test(reader_errors_become_diagnostics),
        cmocka_unit_test(nearest_word_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
