/* Everything that has a name is explained: each code, and each field of each type of the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/explain.h"
#include "spec/documents.h"
#include "spec/lint.h"

static struct arena a;

static struct str explain(struct str word)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    if (!explain_write(&a, &b, word)) fail_msg("nothing is said of %.*s", STR_ARG(word));
    struct str s = buf_dup(&a, &b);
    buf_fini(&b);
    return s;
}

static bool says(struct str text, const char *what) { return str_find(text, str_of(what), 0) >= 0; }

/* Wrapped lines: only the beginning can be looked for. */
static bool says_doc(struct str text, const char *doc)
{
    return str_find(text, str_sub(str_of(doc), 0, 30), 0) >= 0;
}

static void every_code_is_explained(void **state)
{
    size_t n;
    const struct spec_code *codes = spec_codes(&n);
    for (size_t i = 0; i < n; i++) {
        struct str text = explain(str_of(codes[i].code));
        assert_true(says(text, codes[i].title));
        assert_true(says(text, (const char *[]){"error[", "warning[", "note["}[codes[i].severity]));
        assert_true(text.n > strlen(codes[i].title) + 30);
    }
}

static void every_field_of_every_type_is_explained(void **state)
{
    size_t n, fields = 0;
    const struct field_type *const *types = spec_types(&n);
    assert_true(n > 150);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < types[i]->n; k++, fields++) {
            const struct field_row *r = &types[i]->rows[k];
            struct str word = str_fmt(&a, "%s.%s", types[i]->name, r->name);
            struct str text = explain(types[i]->wrap ? str_of(types[i]->name) : word);
            if (!r->doc || !r->doc[0]) fail_msg("%.*s has no text", STR_ARG(word));
            if (!says_doc(text, r->doc)) fail_msg("%.*s: %.*s", STR_ARG(word), STR_ARG(text));
            if (types[i]->wrap) continue;
            assert_true(says(text, "support: "));
            assert_true(says(text, field_kind_text(&a, r).p));
            assert_int_equal(str_ends(str_sub(text, 0, (size_t)str_find_char(text, '\n', 0)), STR("  required")),
                             (r->flags & FIELD_REQUIRED) != 0);
        }
    assert_true(fields > 900);
}

/* As people walk through a document; a path ends where a type comes back. */
static void walk(const struct field_type *t, struct str path, const struct field_type **above, size_t depth, size_t *n)
{
    for (size_t i = 0; i < depth; i++)
        if (above[i] == t) return;
    if (depth == 12) return;
    above[depth] = t;
    for (size_t k = 0; k < t->n; k++) {
        const struct field_row *r = &t->rows[k];
        struct str word = t->wrap ? path : str_fmt(&a, "%.*s.%s", STR_ARG(path), r->name);
        if (!t->wrap) assert_true(explain(word).n > 0), ++*n;
        if (r->kind == FIELD_STRUCT && *n < 20000) walk(r->type, word, above, depth + 1, n);
    }
}

static void every_path_from_a_kind_is_explained(void **state)
{
    const struct field_type *above[12];
    for (enum doc_kind k = DOC_NONE + 1; k < DOC_KIND_MAX; k++) {
        size_t n = 0;
        walk(doc_kind_type(k), str_of(doc_kind_text(k)), above, 0, &n);
        assert_true(n >= 5);
    }
}

static void support_is_stated(void **state)
{
    assert_true(says(explain(STR("spec.nodeSelector")), "no effect on one machine"));
    assert_true(says(explain(STR("CronWorkflow.spec.schedule")), "3.x"));
    assert_true(says(explain(STR("workflow.spec.templates.container.image")), "differs: a built-in table"));
    assert_true(says(explain(STR("spec.templates.container.tty")), "no effect in this version (W0105): there is no terminal"));
    assert_true(says(explain(STR("spec.templates.container.command")), "as in Argo"));
    assert_true(says(explain(STR("templates.retryStrategy.retryPolicy")), "Always, OnFailure, OnError"));
    struct buf b;
    buf_init(&b, 1000);
    assert_false(explain_write(&a, &b, STR("spec.templates.nothing")));
    assert_false(explain_write(&a, &b, STR("E9999")));
    assert_int_equal(b.n, 0);
}

static int up(void **state)
{
    arena_init(&a);
    return 0;
}
static int down(void **state)
{
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_explained),
        cmocka_unit_test(every_field_of_every_type_is_explained),
        cmocka_unit_test(every_path_from_a_kind_is_explained),
        cmocka_unit_test(support_is_stated),
    };
    return cmocka_run_group_tests(tests, up, down);
}
