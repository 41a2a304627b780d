/* What a submitted Workflow becomes, and what watches see of the change log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "doc/json.h"
#include "doc/json_write.h"
#include "os/dir.h"
#include "resource/resource.h"
#include "service/service_p.h"

/* ---- completing ---- */

static struct val complete(struct arena *a, const char *doc, const struct submit_opts *o)
{
    struct service s = {.lock_fd = -1, .o.read_only = true};
    struct val in, out = val_null;
    struct err e = {0};
    assert_true(json_parse(a, str_of(doc), NULL, &in, &e));
    if (!workflow_complete(a, &s, &in, o, &out, &e)) return val_of_str(str_dup(a, str_of(e.text)));
    return out;
}

static void assert_at(const struct val *v, const char *path, const char *expect)
{
    assert_string_equal(val_text(val_path(v, path)).p, expect);
}

static struct str arguments(struct arena *a, const struct val *wf)
{
    return json_text(a, val_path(wf, "spec.arguments.parameters"));
}

static void names_and_labels(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct param label = {STR("team"), STR("vision")};
    struct submit_opts o = {.labels = &label, .n_labels = 1, .uid = STR("u-1")};
    (void)state;
    arena_init(&a);
    struct val wf = complete(&a, "{\"metadata\":{\"generateName\":\"x-\",\"labels\":{\"a\":\"b\"}},\"spec\":{}}", &o);
    struct str name = val_text(val_path(&wf, "metadata.name"));
    assert_true(str_starts(name, STR("x-")) && name.n == 7);
    assert_at(&wf, "metadata.namespace", "default");
    assert_at(&wf, "metadata.uid", "u-1");
    assert_at(&wf, "metadata.labels.a", "b");
    assert_at(&wf, "metadata.labels.team", "vision");
    assert_at(&wf, "kind", "Workflow");
    o = (struct submit_opts){.name = STR("given"), .ns = STR("other")};
    wf = complete(&a, "{\"metadata\":{\"name\":\"own\"},\"spec\":{}}", &o);
    assert_at(&wf, "metadata.name", "given");
    assert_at(&wf, "metadata.namespace", "other");
    assert_int_equal(val_text(val_path(&wf, "metadata.uid")).n, 36);
    o = (struct submit_opts){.name = STR("../etc")};
    wf = complete(&a, "{\"spec\":{}}", &o);
    assert_non_null(strstr(val_text(&wf).p, "metadata.name"));
}

static void parameters(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct param p[] = {{STR("x"), STR("1")}, {STR("new"), STR("2")}, {STR("x"), STR("3")}, {STR("new"), STR("4")}};
    struct submit_opts o = {.entrypoint = STR("other"), .params = p, .n_params = ARRAY_LEN(p)};
    (void)state;
    arena_init(&a);
    struct val wf = complete(&a, "{\"spec\":{\"entrypoint\":\"main\",\"arguments\":{\"parameters\":["
                             "{\"name\":\"y\",\"value\":\"9\"},{\"name\":\"x\",\"enum\":[\"0\"],\"valueFrom\":"
                             "{\"configMapKeyRef\":{\"name\":\"c\",\"key\":\"k\"}}}]}}}", &o);
    assert_at(&wf, "spec.entrypoint", "other");
    assert_string_equal(arguments(&a, &wf).p, "[{\"name\":\"x\",\"value\":\"3\"},{\"name\":\"new\",\"value\":\"4\"},"
                        "{\"name\":\"y\",\"value\":\"9\"}]");
}

/* ---- watching ---- */

struct fixture {
    char dir[64];
    struct service s;
    struct workflow_ref ref;
    struct buf lines;
    struct service_watch *leave; /* freed from inside on_line */
    int room;                    /* lines that are taken before one is refused; below 0: all */
};

static bool on_line(void *user, struct str json)
{
    struct fixture *f = user;
    if (f->room == 0) return false;
    f->room--;
    buf_str(&f->lines, json);
    buf_char(&f->lines, '\n');
    if (f->leave) service_watch_free(f->leave);
    f->leave = NULL;
    return true;
}

static void change(struct fixture *f, int64_t run, const char *kind, const char *payload)
{
    struct change_row row = {.run = run, .kind = str_of(kind), .payload = str_of(payload)};
    assert_true(store_begin(f->s.reader, NULL));
    assert_true(store_change_add(f->s.reader, &row, NULL, NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
}

static int64_t run_add(struct fixture *f, const char *name)
{
    struct run_row row = {.uid = str_of(name), .ns = STR("default"), .name = str_of(name), .phase = STR("Running"),
                          .labels = STR("{}"), .message = STR(""), .progress = STR("")};
    int64_t run;
    assert_true(store_begin(f->s.reader, NULL));
    assert_true(store_run_insert(f->s.reader, &row, STR("{}"), &run, NULL));
    struct node_row node = {.run = run, .id = str_of(name), .status = STR("{\"phase\":\"Running\"}"), .private = STR("{}")};
    assert_true(store_node_put(f->s.reader, &node, NULL));
    assert_true(store_value_put(f->s.reader, run, STR("status"), STR("{\"phase\":\"Running\"}"), NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
    return run;
}

static struct fixture *setup(void)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/skiff-service-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s.lock_fd = -1;
    f->s.reader = store_open(str_of(f->dir), STORE_WRITE, NULL); /* the test is writer and reader */
    assert_non_null(f->s.reader);
    buf_init(&f->lines, 1 << 20);
    f->room = -1;
    f->ref = (struct workflow_ref){STR("default"), STR("one")};
    return f;
}

static void teardown(struct fixture *f)
{
    while (f->s.watches.n) service_watch_free(f->s.watches.items[0]);
    VEC_FINI(&f->s.watches);
    store_close(f->s.reader);
    buf_fini(&f->lines);
    dir_remove_tree(f->dir, NULL);
    free(f);
}

static size_t count(struct fixture *f, const char *text)
{
    size_t n = 0;
    buf_char(&f->lines, 0);
    f->lines.n--;
    for (const char *p = f->lines.p; (p = strstr(p, text)); p++) n++;
    return n;
}

static void watch_sees_each_change_once(void **state)
{
    struct fixture *f = setup();
    int64_t one = run_add(f, "one"), two = run_add(f, "two");
    struct watch_opts o = {.refs = &f->ref, .n = 1, .from_start = true, .on_line = on_line, .user = f};
    (void)state;
    struct service_watch *w = service_watch_new(&f->s, &o, NULL);
    assert_non_null(w);
    service_watch_pump(w);
    assert_int_equal(count(f, "\"type\":\"node\""), 1); /* the states come first */
    assert_int_equal(count(f, "\"type\":\"workflow\""), 1);
    change(f, one, "node", "{\"phase\":\"Succeeded\"}");
    change(f, two, "node", "{\"phase\":\"Failed\"}");
    service_watch_pump(w);
    service_watch_pump(w);
    assert_int_equal(count(f, "Succeeded"), 1);
    assert_int_equal(count(f, "Failed"), 0);
    assert_int_equal(count(f, "\"seq\":1,"), 1);
    f->ref.name = STR("absent");
    struct err e;
    assert_null(service_watch_new(&f->s, &o, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    teardown(f);
}

static void watch_catches_up_with_states(void **state)
{
    struct fixture *f = setup();
    int64_t one = run_add(f, "one");
    struct watch_opts o = {.refs = &f->ref, .n = 1, .after = 0, .on_line = on_line, .user = f};
    (void)state;
    assert_true(store_set_limits(f->s.reader, 0, 10, NULL));
    for (int i = 0; i < 400; i++) change(f, one, "node", "{\"phase\":\"Pending\"}");
    struct service_watch *w = service_watch_new(&f->s, &o, NULL);
    service_watch_pump(w);
    assert_int_equal(count(f, "Pending"), 0); /* its changes are gone */
    assert_int_equal(count(f, "\"type\":\"workflow\""), 1);
    change(f, one, "node", "{\"phase\":\"Succeeded\"}");
    service_watch_pump(w);
    assert_int_equal(count(f, "Succeeded"), 1);
    teardown(f);
}

static void node_set(struct fixture *f, int64_t run, uint32_t idx, const char *phase)
{
    char id[20], status[80];
    snprintf(id, sizeof id, "node-%u", idx);
    snprintf(status, sizeof status, "{\"id\":\"%s\",\"phase\":\"%s\"}", id, phase);
    struct node_row node = {.run = run, .idx = idx, .id = str_of(id), .status = str_of(status), .private = STR("{}")};
    struct change_row row = {.run = run, .kind = STR("node"), .payload = node.status};
    assert_true(store_begin(f->s.reader, NULL));
    assert_true(store_node_put(f->s.reader, &node, NULL) && store_change_add(f->s.reader, &row, NULL, NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
}

static void pump_some(struct fixture *f, struct service_watch *w, int room)
{
    f->room = room;
    service_watch_pump(w);
}

/* Who takes little at a time gets every state once, whatever happens between, and a place to go on from only after the last. */
static void watch_gives_as_much_as_is_taken(void **state)
{
    struct fixture *f = setup();
    int64_t one = run_add(f, "one");
    struct watch_opts o = {.refs = &f->ref, .n = 1, .from_start = true, .on_line = on_line, .user = f};
    (void)state;
    for (uint32_t i = 1; i < 4; i++) node_set(f, one, i, "First");
    struct service_watch *w = service_watch_new(&f->s, &o, NULL);
    pump_some(f, w, 2);
    assert_int_equal(count(f, "First"), 1); /* and that of run_add */
    node_set(f, one, 1, "Second"); /* was shown: it comes as a change */
    node_set(f, one, 2, "Third");  /* comes in its state */
    pump_some(f, w, 1);
    assert_int_equal(count(f, "Third"), 1);
    node_set(f, one, 2, "Fourth");
    pump_some(f, w, 1);
    assert_int_equal(count(f, "First"), 2);
    assert_int_equal(count(f, "seq"), 0);
    pump_some(f, w, 1);
    assert_int_equal(count(f, "\"seq\":3,"), 1); /* the workflow's own, the last of the states */
    pump_some(f, w, 1);
    pump_some(f, w, -1);
    assert_int_equal(count(f, "Second"), 1);
    assert_int_equal(count(f, "Third"), 1);
    assert_int_equal(count(f, "Fourth"), 1);
    assert_int_equal(count(f, "\n"), 7);
    node_set(f, one, 2, "Fifth");
    pump_some(f, w, 0);
    pump_some(f, w, -1);
    assert_int_equal(count(f, "Fifth"), 1);
    teardown(f);
}

static void watch_may_leave_while_it_is_told(void **state)
{
    struct fixture *f = setup();
    int64_t one = run_add(f, "one");
    struct watch_opts o = {.refs = &f->ref, .n = 1, .after = 0, .on_line = on_line, .user = f};
    (void)state;
    change(f, one, "node", "{\"phase\":\"Pending\"}");
    change(f, one, "node", "{\"phase\":\"Running\"}");
    f->leave = service_watch_new(&f->s, &o, NULL);
    service_watch_pump(f->leave);
    assert_int_equal(count(f, "\n"), 1);
    assert_int_equal(f->s.watches.n, 0);
    teardown(f);
}

/* The logs of one node are those that a look at the whole run finds, also after its tail got new indexes. */
static void logs_of_one_node(void **state)
{
    struct fixture *f = setup();
    struct arena a CLEANUP(arena_fini);
    struct step_log *logs;
    size_t n;
    int64_t one = run_add(f, "one");
    (void)state;
    arena_init(&a);
    for (uint32_t i = 1; i < 13; i++) node_set(f, one, i, "Failed");
    assert_true(store_begin(f->s.reader, NULL));
    static const char *const steps[][2] = {{"step/1", "7"}, {"step/1/init", "8"}, {"step/12", "9"}, {"step/2", "10"}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        assert_true(store_value_put(f->s.reader, one, str_of(steps[i][0]), str_of(steps[i][1]), NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
    assert_true(service_logs_node(&a, &f->s, &f->ref, STR("node-1"), &logs, &n, NULL));
    assert_int_equal(n, 2);
    assert_string_equal(logs[0].container.p, "main");
    assert_string_equal(logs[1].container.p, "init");
    assert_true(service_logs_node(&a, &f->s, &f->ref, STR("node-3"), &logs, &n, NULL));
    assert_int_equal(n, 0);
    assert_true(service_logs_node(&a, &f->s, &f->ref, STR("absent"), &logs, &n, NULL));
    assert_int_equal(n, 0);
    assert_true(store_begin(f->s.reader, NULL));
    assert_true(store_nodes_cut(f->s.reader, one, 2, NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
    struct node_row moved = {.run = one, .idx = 2, .id = STR("node-12"), .status = STR("{\"id\":\"node-12\"}"), .private = STR("{}")};
    assert_true(store_begin(f->s.reader, NULL));
    assert_true(store_node_put(f->s.reader, &moved, NULL));
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
    assert_true(service_logs_node(&a, &f->s, &f->ref, STR("node-12"), &logs, &n, NULL));
    assert_int_equal(n, 1);
    assert_true(str_find(logs[0].path, STR("/10/"), 0) >= 0);
    node_indexes_fini(&f->s);
    teardown(f);
}

static bool refers(struct fixture *f, struct arena *a, const char *doc)
{
    struct documents docs CLEANUP(documents_fini);
    struct diags diags CLEANUP(diags_fini);
    struct err e;
    documents_init(&docs, a);
    diags_init(&diags, a);
    assert_true(documents_add(&docs, str_of(doc), 0, &diags));
    return service_lint(a, &f->s, &docs, STR("default"), &diags, &e);
}

/* However many there are: the one that is referred to is read. */
static void stored_templates_are_found(void **state)
{
    struct fixture *f = setup();
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    assert_true(store_begin(f->s.reader, NULL));
    for (int i = 0; i < 1100; i++) {
        struct val doc;
        struct str text = str_fmt(&a, "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"WorkflowTemplate\",\"metadata\":{\"name\":"
                                  "\"t-%04d\"},\"spec\":{\"entrypoint\":\"m\",\"templates\":[{\"name\":\"m\",\"suspend\":{}}]}}", i);
        assert_true(json_parse(&a, text, NULL, &doc, NULL));
        struct resource_write w = {.store = f->s.reader, .verb = RESOURCE_CREATE, .doc = &doc, .ns = STR("default"), .now_us = 1,
                                   .random = {1, (uint64_t)i}};
        struct resource_result r;
        assert_true(resource_put(&a, &w, &r, NULL));
    }
    assert_true(store_commit(f->s.reader, STORE_FAST, NULL));
    static const char head[] = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  ";
    assert_true(refers(f, &a, str_fmt(&a, "%sworkflowTemplateRef: {name: t-1099}\n", head).p));
    assert_false(refers(f, &a, str_fmt(&a, "%sworkflowTemplateRef: {name: t-1100}\n", head).p));
    assert_false(refers(f, &a, str_fmt(&a, "%sworkflowTemplateRef: {name: t-1099, clusterScope: true}\n", head).p));
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_labels),
        cmocka_unit_test(parameters),
        cmocka_unit_test(watch_sees_each_change_once),
        cmocka_unit_test(watch_catches_up_with_states),
        cmocka_unit_test(watch_gives_as_much_as_is_taken),
        cmocka_unit_test(watch_may_leave_while_it_is_told),
        cmocka_unit_test(logs_of_one_node),
        cmocka_unit_test(stored_templates_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
