/* Lint: every corpus file is free of errors (when SKIFF_CORPUS names the folder), and each broken
 * document of test/data/broken gives exactly the diagnostics that its .expected file shows. */
#include <dirent.h>

#include <unistd.h>

#include "doc/yaml_format.h"
#include "spec/fixer.h"
#include "spec/test_p.h"

enum { FILES_MAX = 1000, PATH_BYTES = 2000 };

struct names {
    char items[FILES_MAX][PATH_BYTES];
    size_t n;
};

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void collect(struct names *out, const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[PATH_BYTES];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_type == DT_DIR) collect(out, path);
        if (!str_ends(str_of(path), STR(".yaml")) || out->n == FILES_MAX) continue;
        memcpy(out->items[out->n++], path, sizeof path);
    }
    if (dir) closedir(dir);
}

static void corpus_has_no_errors(void **state)
{
    const char *folder = getenv("SKIFF_CORPUS"); /* main runs this only when it is set */
    struct names *files = mem_zalloc(sizeof *files);
    struct fixture f;
    fixture_init(&f);
    collect(files, folder);
    assert_true(files->n > 200);
    for (size_t i = 0; i < files->n; i++) {
        struct str text = fixture_read(&f.a, files->items[i]);
        fixture_add(&f, files->items[i], text);
    }
    spec_lint(&f.a, &f.docs, NULL, &f.d);
    if (f.d.errors > 0) fail_msg("%s", fixture_messages(&f).p);
    if (getenv("SKIFF_SHOW")) print_message("%s", fixture_messages(&f).p);
    fixture_fini(&f);
    free(files);
}

/* What this version does not act upon yet changes from version to version: one document shows it. */
static void drop_later(struct diags *d, const char *path)
{
    size_t n = 0;
    if (strstr(path, "no-effect")) return;
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->items[i].code, "W0105") != 0) d->items[n++] = d->items[i];
    d->n = n;
}

static struct str lint_text(struct fixture *f, const char *path)
{
    struct str text = fixture_read(&f->a, path), base = str_of(path), head;
    for (struct str rest = base; rest.p; base = head) str_cut(rest, '/', &head, &rest);
    struct lint_opts opts = {.values_required = true, .files = &f->files};
    fixture_add(f, str_z(&f->a, base), text);
    spec_lint(&f->a, &f->docs, &opts, &f->d);
    diags_sort(&f->d);
    drop_later(&f->d, path);
    struct buf b;
    buf_init(&b, 1 << 20);
    diags_render(&b, &f->d, &f->files, (struct diag_style){DIAG_HUMAN, false});
    struct str s = buf_dup(&f->a, &b);
    buf_fini(&b);
    return s;
}

static const char *beside(struct arena *a, const char *path, const char *ending)
{
    return str_z(a, str_fmt(a, "%.*s%s", (int)strlen(path) - 5, path, ending));
}

/* With SKIFF_SNAPSHOT set, expectations are written instead of compared; review the difference. */
static void compare(struct fixture *f, const char *path, const char *ending, struct str got)
{
    const char *file = beside(&f->a, path, ending);
    if (getenv("SKIFF_SNAPSHOT")) {
        FILE *out = fopen(file, "wb");
        assert_non_null(out);
        fwrite(got.p, 1, got.n, out);
        fclose(out);
        return;
    }
    struct str expected = fixture_read(&f->a, file);
    if (!expected.p) fail_msg("%s is missing", file);
    if (!str_eq(expected, got)) fail_msg("%s: expected\n%s\ngot\n%s", path, expected.p, got.p);
}

struct tally {
    size_t files, mended; /* mended: nothing at all is reported after `fmt --fix` */
};

/* What `fmt --fix` makes of it: NAME.fixed when lint has nothing left to say, else NAME.partly. */
static void check_fix(const char *path, struct tally *tally)
{
    struct fixture f;
    struct buf fixed, out, twice;
    struct fixed count;
    struct lint_opts opts = {.values_required = true};
    fixture_init(&f);
    buf_init(&fixed, 1 << 20), buf_init(&out, 1 << 20), buf_init(&twice, 1 << 20);
    struct str text = fixture_read(&f.a, path);
    assert_true(spec_fix(text, &opts, &fixed, &count, NULL));
    if (count.fixes > 0) {
        if (!yaml_format(buf_view(&fixed), &out, NULL)) buf_str(&out, buf_view(&fixed));
        assert_true(spec_fix(buf_view(&out), &opts, &twice, &count, NULL));
        if (count.fixes) fail_msg("%s: fixing twice changes more", path);
        fixture_add(&f, path, buf_view(&out));
        spec_lint(&f.a, &f.docs, &opts, &f.d);
        drop_later(&f.d, path);
        tally->mended += f.d.n == 0;
        compare(&f, path, f.d.n == 0 ? ".fixed" : ".partly", buf_view(&out));
    }
    bool expected = access(beside(&f.a, path, ".fixed"), F_OK) == 0 || access(beside(&f.a, path, ".partly"), F_OK) == 0;
    if (expected && !out.n) fail_msg("%s: nothing was fixed", path);
    tally->files++;
    buf_fini(&fixed), buf_fini(&out), buf_fini(&twice);
    fixture_fini(&f);
}

static void broken_documents_are_mended(void **state)
{
    struct names *files = mem_zalloc(sizeof *files);
    struct tally tally = {0};
    collect(files, "test/data/broken");
    for (size_t i = 0; i < files->n; i++) check_fix(files->items[i], &tally);
    print_message("# %zu of %zu broken documents are mended\n", tally.mended, tally.files);
    assert_true(tally.files >= 150);
    assert_true(tally.mended * 2 >= tally.files);
    free(files);
}

static void broken_documents_are_explained(void **state)
{
    struct names *files = mem_zalloc(sizeof *files);
    collect(files, "test/data/broken");
    assert_true(files->n >= 40);
    qsort(files->items, files->n, sizeof files->items[0], by_text);
    for (size_t i = 0; i < files->n; i++) {
        struct fixture f;
        fixture_init(&f);
        struct str got = lint_text(&f, files->items[i]);
        if (f.d.n == 0) fail_msg("%s: nothing is reported", files->items[i]);
        for (size_t k = 0; k < f.d.n; k++) {
            const struct spec_code *code = spec_code_find(str_of(f.d.items[k].code));
            if (!code) fail_msg("code %s is not explained", f.d.items[k].code);
            assert_int_equal(code->severity, f.d.items[k].severity);
        }
        compare(&f, files->items[i], ".expected", got);
        fixture_fini(&f);
    }
    free(files);
}

static void codes_are_found(void **state)
{
    size_t n;
    const struct spec_code *codes = spec_codes(&n);
    assert_true(n > 60);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(spec_code_find(str_of(codes[i].code)), &codes[i]);
        assert_true(codes[i].code[0] == "EWN"[codes[i].severity]);
    }
    assert_non_null(spec_code_find(STR("e0601")));
    assert_null(spec_code_find(STR("E9999")));
}

static bool lints(struct fixture *f, const struct lint_opts *opts)
{
    return spec_lint(&f->a, &f->docs, opts, &f->d);
}

static const struct document *fetch_from(void *ctx, enum doc_kind kind, struct str ns, struct str name)
{
    assert_string_equal(ns.p, "default");
    return documents_find(ctx, kind, ns, name);
}

static void references_are_looked_up(void **state)
{
    static const char user[] =
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: a-}\n"
        "spec: {workflowTemplateRef: {name: stored}, arguments: {parameters: [{name: p, value: "
        "x}]}}\n";
    static const char stored[] =
        "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: stored}\n"
        "spec: {entrypoint: m, templates: [{name: m, inputs: {parameters: [{name: p}]}, suspend: "
        "{}}]}\n";
    struct fixture f, other;
    fixture_init(&f);
    fixture_init(&other);
    assert_true(fixture_add(&f, "a", str_of(user)));
    assert_true(fixture_add(&other, "b", str_of(stored)));
    assert_true(lints(&f, NULL));
    assert_int_equal(f.d.warnings, 1);
    assert_false(lints(&f, &(struct lint_opts){.refs_required = true}));
    assert_true(lints(&f, &(struct lint_opts){.refs_required = true, .others = &other.docs}));
    assert_true(lints(&f, &(struct lint_opts){.refs_required = true, .fetch = fetch_from, .fetch_ctx = &other.docs}));
    assert_true(lints(&f, &(struct lint_opts){.quiet_refs = true}));
    assert_int_equal(f.d.warnings, 1);
    fixture_fini(&f);
    fixture_fini(&other);
}

/* A chain of tasks, each with a reference to the one before: linear work. */
static void large_dags_are_fast(void **state)
{
    enum { N = 20000 };
    struct fixture f;
    struct buf b;
    fixture_init(&f);
    buf_init(&b, 16 << 20);
    buf_printf(&b, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: "
                   "big}\nspec:\n  entrypoint: d\n"
                   "  templates:\n  - {name: w, inputs: {parameters: [{name: p}]}, suspend: {}}\n  "
                   "- name: d\n    dag:\n      tasks:\n");
    for (int i = 0; i < N; i++) {
        buf_printf(&b,
                   "      - name: t%d\n        template: w\n        arguments: {parameters: "
                   "[{name: p, value: \"{{%s%d.id}}\"}]}\n",
                   i, "tasks.t", i ? i - 1 : 0);
        if (i > 0) buf_printf(&b, "        dependencies: [t%d]\n", i - 1);
    }
    assert_true(fixture_add(&f, "big", buf_view(&b)));
    assert_false(lints(&f, NULL)); /* t0 refers to itself */
    assert_int_equal(f.d.errors, 1);
    assert_string_equal(f.d.items[f.d.n - 1].code, "E0602");
    buf_fini(&b);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_found),      cmocka_unit_test(references_are_looked_up),
        cmocka_unit_test(large_dags_are_fast),  cmocka_unit_test(broken_documents_are_explained),
        cmocka_unit_test(broken_documents_are_mended),
        cmocka_unit_test(corpus_has_no_errors),
    };
    /* the last one reads the corpus; cmocka's own skip counts as a failure in TAP */
    bool corpus = getenv("SKIFF_CORPUS") != NULL;
    if (!corpus) print_message("# SKIFF_CORPUS is not set: the corpus is not read\n");
    return _cmocka_run_group_tests("tests", tests, ARRAY_LEN(tests) - !corpus, NULL, NULL);
}
