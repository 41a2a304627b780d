/* store: what each kind of row keeps, finds, refuses and forgets. */
#include "store/store_test_p.h"

static void runs_are_found_updated_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct run_row row;
    struct str doc;
    OK(f, store_begin(f->s, &f->e));
    int64_t a = fixture_run(f, "a");
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    OK(f, store_begin(f->s, &f->e));
    struct run_row change = {.run = a, .phase = STR("Running"), .started_us = 77, .message = STR("not taken")};
    OK(f, store_run_update(f->s, &change, RUN_PHASE | RUN_STARTED, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));

    OK(f, store_run_find(&f->a, f->s, STR("default"), STR("a"), &row, &f->e));
    assert_int_equal(row.run, a);
    STR_EQUAL(row.phase, "Running");
    STR_EQUAL(row.message, "");
    assert_int_equal(row.started_us, 77);
    assert_int_equal(row.rv, 2);
    OK(f, store_run_find_uid(&f->a, f->s, STR("uid-a"), &row, &f->e));
    OK(f, store_run_doc(&f->a, f->s, a, &doc, &f->e));
    STR_EQUAL(doc, "{\"name\":\"a\"}");
    FAILS(f, ERR_NOT_FOUND, store_run_find(&f->a, f->s, STR("other"), STR("a"), &row, &f->e));

    OK(f, store_begin(f->s, &f->e));
    int64_t ignored;
    struct run_row same = {.uid = STR("uid-other"), .ns = STR("default"), .name = STR("a")};
    FAILS(f, ERR_CONFLICT, store_run_insert(f->s, &same, STR("{}"), &ignored, &f->e));
    OK(f, store_run_delete(f->s, a, 5, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_run_delete(f->s, a, 5, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_run_update(f->s, &change, RUN_PHASE, &f->e));
    int64_t again = fixture_run(f, "a");
    assert_true(again > a);
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_run_get(&f->a, f->s, a, &row, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_run_doc(&f->a, f->s, a, &doc, &f->e));
    OK(f, store_run_get(&f->a, f->s, again, &row, &f->e));
}

struct list_case {
    struct run_filter filter;
    const char *expected; /* names, newest first */
};

static void runs_are_listed_by_every_filter(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *name, *ns, *phase; int64_t created, finished; bool completed; } rows[] = {
        {"ant", "x", "Succeeded", 10, 15, true}, {"bee", "y", "Failed", 20, 25, true},
        {"bear", "x", "Running", 30, 0, false},  {"cat", "x", "", 40, 0, false},
        {"beetle", "x", "Error", 50, 55, true},
    };
    OK(f, store_begin(f->s, &f->e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct run_row row = {.uid = str_of(rows[i].name), .ns = str_of(rows[i].ns), .name = str_of(rows[i].name),
                              .phase = str_of(rows[i].phase), .created_us = rows[i].created,
                              .finished_us = rows[i].finished, .completed = rows[i].completed};
        int64_t run;
        OK(f, store_run_insert(f->s, &row, STR("{}"), &run, &f->e));
    }
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    static const struct str bad[] = {{"Failed", 6}, {"Error", 5}}, fresh[] = {{"", 0}}, many[20] = {[19] = {"Running", 7}};
    const struct list_case cases[] = {
        {.expected = "beetle cat bear bee ant "},
        {{.ns = STR("x")}, "beetle cat bear ant "},
        {{.completed = 1}, "beetle bee ant "},
        {{.completed = -1}, "cat bear "},
        {{.name = STR("bee")}, "beetle bee "},
        {{.phases = bad, .n_phases = 2}, "beetle bee "},
        {{.phases = fresh, .n_phases = 1}, "cat "},
        {{.phases = many, .n_phases = ARRAY_LEN(many)}, "cat bear "},
        {{.created_after_us = 20}, "beetle cat bear "},
        {{.finished_before_us = 25}, "ant "},
        {{.ns = STR("x"), .completed = -1, .name = STR("b"), .created_after_us = 20}, "bear "},
        {{.name = STR("bee"), .match = RUN_NAME_EXACT}, "bee "},
        {{.name = STR("ea"), .match = RUN_NAME_CONTAINS}, "bear "},
        {{.started_before_us = INT64_MAX}, "beetle cat bear bee ant "},
        {{.started_after_us = INT64_MAX - 1}, ""},
        {{.before_run = 3}, "bee ant "},
        {{.ns = STR("none")}, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run_page page;
        struct str names = STR("");
        OK(f, store_run_list(&f->a, f->s, &cases[i].filter, &page, &f->e));
        for (size_t k = 0; k < page.n; k++) names = str_fmt(&f->a, "%s%s ", names.p, page.rows[k].name.p);
        assert_string_equal(names.p, cases[i].expected);
        assert_int_equal(page.next, 0);
    }
}

static bool keep_even(void *ctx, const struct run_row *row)
{
    ++*(int *)ctx;
    return row->run % 2 == 0;
}

/* Labels of 30 runs: parity=odd|even, third=yes for each third. */
static void tagged_insert(struct fixture *f)
{
    OK(f, store_begin(f->s, &f->e));
    for (int i = 1; i <= 30; i++) {
        struct run_row row = {.uid = str_fmt(&f->a, "u%d", i), .ns = STR("x"), .name = str_fmt(&f->a, "r%d", i), .phase = STR("Running"),
                              .labels = str_fmt(&f->a, "{\"parity\":\"%s\"%s}", i % 2 ? "odd" : "even", i % 3 ? "" : ",\"third\":\"yes\"")};
        int64_t run;
        OK(f, store_run_insert(f->s, &row, STR("{}"), &run, &f->e));
    }
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
}

static struct str ids_of(struct fixture *f, struct run_filter filter, int *pages)
{
    struct str ids = STR("");
    for (*pages = 0;; ++*pages) {
        struct run_page page;
        OK(f, store_run_list(&f->a, f->s, &filter, &page, &f->e));
        for (size_t k = 0; k < page.n; k++) ids = str_fmt(&f->a, "%s%lld ", ids.p, (long long)page.rows[k].run);
        if (!(filter.before_run = page.next)) return ids;
    }
}

static void runs_are_found_by_their_labels(void **state)
{
    static const struct str third[] = {{"third=yes", 9}}, both[] = {{"parity=odd", 10}, {"parity=even", 11}};
    struct fixture *f = *state;
    int pages, looked = 0;
    int64_t n;
    tagged_insert(f);
    assert_string_equal(ids_of(f, (struct run_filter){.tags = third, .n_tags = 1, .limit = 4}, &pages).p, "30 27 24 21 18 15 12 9 6 3 ");
    assert_int_equal(pages, 2);
    assert_string_equal(ids_of(f, (struct run_filter){.tags = both, .n_tags = 2, .limit = 7, .before_run = 9}, &pages).p, "8 7 6 5 4 3 2 1 ");
    struct run_filter even = {.tags = both, .n_tags = 2, .keep = keep_even, .ctx = &looked, .look = 3, .limit = 5, .before_run = 13};
    assert_string_equal(ids_of(f, even, &pages).p, "12 10 8 6 4 2 ");
    assert_int_equal(pages, 1); /* and the first */
    OK(f, store_tag_count(f->s, third[0], 10, 100, &n, &f->e));
    assert_int_equal(n, 3);

    struct run_row changed = {.run = 30, .labels = STR("{\"third\":\"no\"}")};
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_run_update(f->s, &changed, RUN_LABELS, &f->e));
    OK(f, store_run_delete(f->s, 27, 1, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    assert_string_equal(ids_of(f, (struct run_filter){.tags = third, .n_tags = 1}, &pages).p, "24 21 18 15 12 9 6 3 ");
    OK(f, store_exec_int(f->s, "SELECT count(*) FROM run_tags WHERE of_run=27", &n, &f->e));
    assert_int_equal(n, 0);
    OK(f, store_run_count(&f->a, f->s, &(struct run_filter){.completed = -1}, &n, &f->e));
    assert_int_equal(n, 29);
}

/* What is no label is not found by it; the run is there all the same. */
static void odd_labels_keep_no_run_out(void **state)
{
    static const char *const labels[] = {"{\"a\":\"b=c\",\"a=b\":\"c\"}", "{\"a\":null}", "{\"a\":{\"b\":1}}", ""};
    static const struct str tag[] = {{"a=b=c", 5}};
    struct fixture *f = *state;
    int pages;
    OK(f, store_begin(f->s, &f->e));
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        struct run_row row = {.uid = str_fmt(&f->a, "u%zu", i), .ns = STR("x"), .name = str_fmt(&f->a, "r%zu", i), .phase = STR("Running"),
                              .labels = str_of(labels[i])}, changed = {.labels = str_of(labels[0])};
        OK(f, store_run_insert(f->s, &row, STR("{}"), &changed.run, &f->e));
        if (i == 1) OK(f, store_run_update(f->s, &changed, RUN_LABELS, &f->e));
    }
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    assert_string_equal(ids_of(f, (struct run_filter){.tags = tag, .n_tags = 1}, &pages).p, "2 1 ");
    assert_string_equal(ids_of(f, (struct run_filter){0}, &pages).p, "4 3 2 1 ");
}

/* Rows are looked at, not found: each page sees no more of them than it may. */
static void a_page_gives_up_in_time(void **state)
{
    struct fixture *f = *state;
    struct run_page page;
    int looked = 0;
    tagged_insert(f);
    struct run_filter filter = {.keep = keep_even, .ctx = &looked, .look = 4, .limit = 10};
    OK(f, store_run_list(&f->a, f->s, &filter, &page, &f->e));
    assert_int_equal(looked, 4);
    assert_int_equal(page.n, 2);
    assert_int_equal(page.next, 27);
}

static void an_update_of_words_alone_is_one_of_all(void **state)
{
    const unsigned all = RUN_PHASE | RUN_STARTED | RUN_FINISHED | RUN_MESSAGE | RUN_PROGRESS | RUN_COMPLETED;
    struct fixture *f = *state;
    struct run_row row = {.run = 1, .phase = STR("Running"), .message = STR("m"), .progress = STR("1/2")}, got;
    tagged_insert(f);
    for (int i = 0; i < 2; i++) {
        OK(f, store_begin(f->s, &f->e));
        OK(f, store_run_update(f->s, &row, all, &f->e));
        OK(f, store_commit(f->s, STORE_FAST, &f->e));
        OK(f, store_run_get(&f->a, f->s, 1, &got, &f->e));
        assert_true(str_eq(got.phase, row.phase) && str_eq(got.message, row.message) && str_eq(got.progress, row.progress));
        assert_true(got.started_us == row.started_us && got.rv == store_version(f->s));
        row = (struct run_row){.run = 1, .phase = STR("Failed"), .message = STR(""), .progress = STR("2/2"), .started_us = 5};
    }
    row.run = 99;
    OK(f, store_begin(f->s, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_run_update(f->s, &row, all, &f->e));
    store_rollback(f->s);
}

static void run_pages_join_without_gap_or_repeat(void **state)
{
    struct fixture *f = *state;
    OK(f, store_begin(f->s, &f->e));
    for (int i = 0; i < 10; i++) fixture_run(f, str_fmt(&f->a, "w%d", i).p);
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    struct run_filter filter = {.limit = 4};
    struct run_page page;
    int64_t expected = 10;
    int pages = 0;
    do {
        OK(f, store_run_list(&f->a, f->s, &filter, &page, &f->e));
        for (size_t i = 0; i < page.n; i++) assert_int_equal(page.rows[i].run, expected--);
        filter.before_run = page.next;
        pages++;
    } while (page.next);
    assert_int_equal(expected, 0);
    assert_int_equal(pages, 3);
    filter = (struct run_filter){.limit = 10};
    OK(f, store_run_list(&f->a, f->s, &filter, &page, &f->e));
    assert_int_equal(page.next, 0); /* exactly full is still the last */
}

static bool node_note(void *ctx, const struct node_row *row, struct err *e)
{
    struct buf *b = ctx;
    buf_printf(b, "%u:%.*s:%.*s:%d ", row->idx, STR_ARG(row->status), STR_ARG(row->private), (int)row->rv);
    return !str_is(row->status, "stop") || err_set(e, ERR_SPEC, "stopped");
}

static void nodes_load_in_order_of_their_run_only(void **state)
{
    struct fixture *f = *state;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1000);
    OK(f, store_begin(f->s, &f->e));
    int64_t one = fixture_run(f, "one"), two = fixture_run(f, "two");
    const struct node_row rows[] = {
        {.run = one, .idx = 2, .id = STR("n2"), .status = STR("c")},
        {.run = one, .idx = 0, .id = STR("n0"), .status = STR("a"), .private = STR("p\0q")},
        {.run = two, .idx = 0, .id = STR("n0"), .status = STR("other")},
        {.run = one, .idx = (1 << 24) - 1, .id = STR("last"), .status = STR("z")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) OK(f, store_node_put(f->s, &rows[i], &f->e));
    struct node_row beyond = {.run = one, .idx = 1 << 24};
    FAILS(f, ERR_LIMIT, store_node_put(f->s, &beyond, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    OK(f, store_begin(f->s, &f->e));
    struct node_row newer = {.run = one, .idx = 2, .id = STR("n2"), .status = STR("cc"), .private = STR("r")};
    OK(f, store_node_put(f->s, &newer, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));

    OK(f, store_nodes_load(f->s, one, node_note, &b, &f->e));
    STR_EQUAL(buf_view(&b), "0:a:p:1 2:cc:r:2 16777215:z::1 "); /* printf stops at the NUL of "p\0q" */
    struct node_row got;
    OK(f, store_node_get(&f->a, f->s, two, STR("n0"), &got, &f->e));
    STR_EQUAL(got.status, "other");
    OK(f, store_node_get(&f->a, f->s, one, STR("n0"), &got, &f->e));
    assert_int_equal(got.private.n, 3);
    FAILS(f, ERR_NOT_FOUND, store_node_get(&f->a, f->s, two, STR("n2"), &got, &f->e));

    OK(f, store_begin(f->s, &f->e));
    OK(f, store_nodes_cut(f->s, one, 2, &f->e));
    newer.idx = 1, newer.id = STR("n1"), newer.status = STR("stop");
    OK(f, store_node_put(f->s, &newer, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    buf_reset(&b);
    FAILS(f, ERR_SPEC, store_nodes_load(f->s, one, node_note, &b, &f->e));
    assert_string_equal(f->e.text, "stopped");
    FAILS(f, ERR_NOT_FOUND, store_node_get(&f->a, f->s, one, STR("n2"), &got, &f->e));
}

static bool value_note(void *ctx, struct str key, struct str bytes, struct err *e)
{
    (void)e;
    buf_printf(ctx, "%.*s=%d ", STR_ARG(key), (int)bytes.n);
    return true;
}

static void values_are_read_by_ranges_of_keys(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct str one;
    buf_init(&b, 1 << 10);
    OK(f, store_begin(f->s, &f->e));
    static const char *const keys[] = {"p", "p/", "p/1", "p/2", "p/2/x", "p0", "q/1"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) OK(f, store_value_put(f->s, 3, str_of(keys[i]), STR("v"), &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    OK(f, store_values_load_prefix(f->s, 3, STR("p/"), value_note, &b, &f->e));
    assert_string_equal(str_z(&f->a, buf_view(&b)), "p/=1 p/1=1 p/2=1 p/2/x=1 ");
    buf_reset(&b);
    OK(f, store_values_load_between(f->s, 3, STR("p/2"), STR("q/1"), value_note, &b, &f->e));
    assert_string_equal(str_z(&f->a, buf_view(&b)), "p/2=1 p/2/x=1 p0=1 ");
    OK(f, store_value_next(&f->a, f->s, 3, STR("p/3"), &one, &f->e));
    STR_EQUAL(one, "p0");
    assert_false(store_value_next(&f->a, f->s, 3, STR("q/2"), &one, &f->e));
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
    buf_fini(&b);
}

static void values_timers_and_commands_survive_reopening(void **state)
{
    struct fixture *f = *state;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1000);
    int64_t c1, c2, c3;
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_value_put(f->s, 1, STR("b"), STR("12"), &f->e));
    OK(f, store_value_put(f->s, 1, STR("a"), STR("1"), &f->e));
    OK(f, store_value_put(f->s, 1, STR("a"), STR(""), &f->e));
    OK(f, store_value_put(f->s, 1, STR("gone"), STR("1"), &f->e));
    OK(f, store_value_del(f->s, 1, STR("gone"), &f->e));
    OK(f, store_value_put(f->s, 2, STR("c"), STR("1"), &f->e));
    const struct timer_row timers[] = {{1, 1, 300, 7, STR("x")}, {2, 1, 100, 8, STR_NONE}, {1, 2, 200, 9, STR("")}};
    for (size_t i = 0; i < 3; i++) OK(f, store_timer_put(f->s, &timers[i], &f->e));
    struct timer_row moved = {1, 1, 50, 7, STR("moved")};
    OK(f, store_timer_put(f->s, &moved, &f->e));
    OK(f, store_timer_del(f->s, 1, 2, &f->e));
    OK(f, store_timer_del(f->s, 1, 99, &f->e));
    OK(f, store_command_put(f->s, &(struct command_row){.run = 1, .node = 4, .kind = 2, .payload = STR("go")}, &c1, &f->e));
    OK(f, store_command_put(f->s, &(struct command_row){.run = 2}, &c2, &f->e));
    OK(f, store_command_ack(f->s, c2, &f->e));
    OK(f, store_command_ack(f->s, c2, &f->e));
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    fixture_reopen(f);

    OK(f, store_values_load(f->s, 1, value_note, &b, &f->e));
    assert_string_equal(str_z(&f->a, buf_view(&b)), "a=0 b=2 ");
    struct str one;
    OK(f, store_value_get(&f->a, f->s, 1, STR("b"), &one, &f->e));
    STR_EQUAL(one, "12");
    assert_false(store_value_get(&f->a, f->s, 1, STR("gone"), &one, &f->e));
    assert_int_equal(f->e.code, ERR_NOT_FOUND);
    struct timer_row *t;
    struct command_row *c;
    size_t n;
    OK(f, store_timers_load(&f->a, f->s, 0, &t, &n, &f->e));
    assert_int_equal(n, 2);
    assert_int_equal(t[0].deadline_us, 50);
    STR_EQUAL(t[0].payload, "moved");
    assert_int_equal(t[1].run, 2);
    OK(f, store_timers_load(&f->a, f->s, 2, &t, &n, &f->e));
    assert_int_equal(n, 1);
    OK(f, store_commands_load(&f->a, f->s, 0, &c, &n, &f->e));
    assert_int_equal(n, 1);
    assert_int_equal(c[0].id, c1);
    assert_int_equal(c[0].node, 4);
    STR_EQUAL(c[0].payload, "go");
    OK(f, store_commands_load(&f->a, f->s, 2, &c, &n, &f->e));
    assert_int_equal(n, 0);
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_commands_orphan(f->s, 1, &f->e));
    OK(f, store_commands_load(&f->a, f->s, 1, &c, &n, &f->e));
    assert_int_equal(n, 1);
    assert_int_equal(c[0].id, c1);
    assert_true(c[0].node == COMMAND_NO_NODE);
    OK(f, store_command_put(f->s, &(struct command_row){.run = 2}, &c3, &f->e));
    assert_true(c3 > c2); /* although the row of c2 is gone */
    store_rollback(f->s);
}

static void add_changes(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++) {
        OK(f, store_begin(f->s, &f->e));
        struct change_row row = {.run = i % 2 + 1, .kind = STR("node"), .payload = str_fmt(&f->a, "{\"i\":%d}", i)};
        OK(f, store_change_add(f->s, &row, NULL, &f->e));
        OK(f, store_commit(f->s, STORE_FAST, &f->e));
    }
}

static void changes_are_read_from_any_point_and_trimmed(void **state)
{
    struct fixture *f = *state;
    struct change_page page;
    int64_t seq;
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){0}, &page, &f->e));
    assert_int_equal(page.n, 0);
    OK(f, store_change_seq_at(f->s, 0, &seq, &f->e));
    assert_int_equal(seq, 0);
    OK(f, store_set_limits(f->s, 0, 10, &f->e));
    add_changes(f, 9);
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){.after = 4, .run = 1}, &page, &f->e));
    assert_int_equal(page.n, 3);
    STR_EQUAL(page.rows[0].payload, "{\"i\":4}");
    assert_int_equal(page.next, 9);
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){.limit = 2}, &page, &f->e));
    assert_int_equal(page.next, 2);
    OK(f, store_change_seq_at(f->s, 6, &seq, &f->e));
    assert_int_equal(seq, 6);

    add_changes(f, 41); /* 50 in all: trimmed to between 10 and 20 */
    assert_int_equal(store_change_last(f->s), 50);
    FAILS(f, ERR_GONE, store_changes_read(&f->a, f->s, &(struct change_query){.after = 9}, &page, &f->e));
    FAILS(f, ERR_GONE, store_changes_read(&f->a, f->s, &(struct change_query){.after = 51}, &page, &f->e));
    FAILS(f, ERR_GONE, store_change_seq_at(f->s, 9, &seq, &f->e));
    FAILS(f, ERR_GONE, store_change_seq_at(f->s, 51, &seq, &f->e));
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){.after = 40}, &page, &f->e));
    assert_int_equal(page.n, 10);
    OK(f, store_changes_read(&f->a, f->s, &(struct change_query){.after = 50}, &page, &f->e));
    assert_int_equal(page.n, 0);
    fixture_reopen(f);
    OK(f, store_set_limits(f->s, 0, 10, &f->e));
    add_changes(f, 1);
    assert_int_equal(store_change_last(f->s), 51);
}

static int64_t count(struct fixture *f, const char *sql)
{
    int64_t n = -1;
    OK(f, store_exec_int(f->s, sql, &n, &f->e));
    return n;
}

static void tombstones_go_with_the_changes_of_their_time(void **state)
{
    struct fixture *f = *state;
    OK(f, store_set_limits(f->s, 0, 10, &f->e));
    for (int i = 0; i < 200; i++) {
        const char *name = str_fmt(&f->a, "x-%d", i).p;
        struct object_row row = {.kind = STR("ConfigMap"), .ns = STR("default"), .name = str_of(name), .uid = str_of(name), .doc = STR("{}")};
        OK(f, store_begin(f->s, &f->e));
        OK(f, store_object_put(f->s, &row, OBJECT_RV_NEW, &f->e));
        int64_t run = fixture_run(f, name);
        OK(f, store_commit(f->s, STORE_FAST, &f->e));
        OK(f, store_begin(f->s, &f->e));
        OK(f, store_object_delete(f->s, &row, OBJECT_RV_ANY, 9, &f->e));
        OK(f, store_run_delete(f->s, run, 9, &f->e));
        struct change_row change = {.run = run, .kind = STR("run"), .payload = STR("{}")};
        OK(f, store_change_add(f->s, &change, NULL, &f->e));
        OK(f, store_commit(f->s, STORE_FAST, &f->e));
    }
    int64_t changes = count(f, "SELECT count(*) FROM changes"), first = count(f, "SELECT min(rv) FROM changes");
    assert_in_range(changes, 10, 40);
    assert_in_range(count(f, "SELECT count(*) FROM runs"), 10, changes + 1);
    assert_in_range(count(f, "SELECT count(*) FROM objects"), 10, changes + 1);
    assert_int_equal(count(f, "SELECT count(*) FROM runs WHERE rv=(SELECT max(rv) FROM changes)"), 1); /* what watches may ask for is there */
    assert_true(count(f, "SELECT min(rv) FROM runs") >= first);
}

static struct object_row object(const char *name, const char *doc)
{
    return (struct object_row){.kind = STR("ConfigMap"), .ns = STR("default"), .name = str_of(name),
                               .uid = STR("u1"), .created_us = 5, .doc = str_of(doc)};
}

static void objects_are_guarded_by_their_version(void **state)
{
    struct fixture *f = *state;
    struct object_row a = object("a", "1"), a2 = object("a", "2"), got;
    a2.uid = STR("u2");
    OK(f, store_begin(f->s, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_object_put(f->s, &a, 3, &f->e));
    OK(f, store_object_put(f->s, &a, OBJECT_RV_NEW, &f->e));
    FAILS(f, ERR_CONFLICT, store_object_put(f->s, &a, OBJECT_RV_NEW, &f->e));
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    OK(f, store_begin(f->s, &f->e));
    OK(f, store_object_put(f->s, &a2, 1, &f->e));
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
    OK(f, store_object_get(&f->a, f->s, &a, &got, &f->e));
    STR_EQUAL(got.doc, "2");
    STR_EQUAL(got.uid, "u1");
    assert_int_equal(got.rv, 2);

    OK(f, store_begin(f->s, &f->e));
    FAILS(f, ERR_CONFLICT, store_object_put(f->s, &a, 1, &f->e));
    FAILS(f, ERR_CONFLICT, store_object_delete(f->s, &a, 1, 9, &f->e));
    OK(f, store_object_delete(f->s, &a, 2, 9, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_object_delete(f->s, &a, OBJECT_RV_ANY, 9, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_object_get(&f->a, f->s, &a, &got, &f->e));
    OK(f, store_object_put(f->s, &a2, OBJECT_RV_NEW, &f->e));
    OK(f, store_object_get(&f->a, f->s, &a, &got, &f->e));
    STR_EQUAL(got.uid, "u2"); /* a new object under the old name */
    OK(f, store_commit(f->s, STORE_DURABLE, &f->e));
}

static void objects_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"c", "a", "b"}, *const spaces[] = {"y", "x"};
    OK(f, store_begin(f->s, &f->e));
    for (size_t i = 0; i < 6; i++) {
        struct object_row row = object(names[i % 3], "{}");
        row.ns = str_of(spaces[i / 3]);
        OK(f, store_object_put(f->s, &row, OBJECT_RV_ANY, &f->e));
    }
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
    struct object_filter filter = {.kind = STR("ConfigMap"), .limit = 4};
    struct object_row *rows;
    size_t n;
    OK(f, store_object_list(&f->a, f->s, &filter, &rows, &n, &f->e));
    assert_int_equal(n, 4);
    STR_EQUAL(rows[3].ns, "y");
    STR_EQUAL(rows[3].name, "a");
    filter.after_ns = rows[3].ns, filter.after_name = rows[3].name;
    OK(f, store_object_list(&f->a, f->s, &filter, &rows, &n, &f->e));
    assert_int_equal(n, 2);
    STR_EQUAL(rows[0].name, "b");
    filter = (struct object_filter){.kind = STR("ConfigMap"), .ns = STR("x")};
    OK(f, store_object_list(&f->a, f->s, &filter, &rows, &n, &f->e));
    assert_int_equal(n, 3);
    filter.kind = STR("Secret");
    OK(f, store_object_list(&f->a, f->s, &filter, &rows, &n, &f->e));
    assert_int_equal(n, 0);
}

static void artifacts_are_orphans_once_their_runs_are_gone(void **state)
{
    struct fixture *f = *state;
    struct artifact_row *rows, got;
    size_t n;
    int64_t uses;
    OK(f, store_begin(f->s, &f->e));
    int64_t run = fixture_run(f, "r");
    static const char *const keys[] = {"r/b", "r/a", "q/a"};
    for (size_t i = 0; i < 3; i++) {
        struct artifact_row row = {.ns = STR("default"), .key = str_of(keys[i]), .content = STR("c1"),
                                   .form = STR("file"), .size_bytes = 3, .created_us = (int64_t)i};
        OK(f, store_artifact_put(f->s, &row, &f->e));
        OK(f, store_artifact_ref(f->s, run, row.ns, row.key, &f->e));
        OK(f, store_artifact_ref(f->s, run, row.ns, row.key, &f->e));
    }
    FAILS(f, ERR_NOT_FOUND, store_artifact_ref(f->s, run, STR("default"), STR("none"), &f->e));
    OK(f, store_artifact_list(&f->a, f->s, &(struct artifact_filter){.ns = STR("default"), .prefix = STR("r/")}, &rows,
                              &n, &f->e));
    assert_int_equal(n, 2);
    STR_EQUAL(rows[0].key, "r/a");
    OK(f, store_artifact_list(&f->a, f->s, &(struct artifact_filter){STR("default"), STR("r/"), STR("r/a"), 5}, &rows,
                              &n, &f->e));
    assert_int_equal(n, 1);
    OK(f, store_content_uses(f->s, STR("c1"), &uses, &f->e));
    assert_int_equal(uses, 3);
    OK(f, store_artifact_unref(f->s, run, STR("default"), STR("q/a"), &f->e));
    OK(f, store_artifact_orphans(&f->a, f->s, 0, &rows, &n, &f->e));
    assert_int_equal(n, 1);
    OK(f, store_run_delete(f->s, run, 9, &f->e));
    OK(f, store_artifact_orphans(&f->a, f->s, 0, &rows, &n, &f->e));
    assert_int_equal(n, 3);
    OK(f, store_artifact_delete(f->s, STR("default"), STR("r/a"), &f->e));
    FAILS(f, ERR_NOT_FOUND, store_artifact_get(&f->a, f->s, STR("default"), STR("r/a"), &got, &f->e));
    FAILS(f, ERR_NOT_FOUND, store_artifact_delete(f->s, STR("default"), STR("r/a"), &f->e));
    OK(f, store_content_uses(f->s, STR("c1"), &uses, &f->e));
    assert_int_equal(uses, 2);
    OK(f, store_commit(f->s, STORE_FAST, &f->e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_are_found_updated_and_deleted), TEST(runs_are_listed_by_every_filter),
        TEST(runs_are_found_by_their_labels), TEST(odd_labels_keep_no_run_out), TEST(a_page_gives_up_in_time),
        TEST(an_update_of_words_alone_is_one_of_all), TEST(run_pages_join_without_gap_or_repeat), TEST(nodes_load_in_order_of_their_run_only),
        TEST(values_timers_and_commands_survive_reopening), TEST(values_are_read_by_ranges_of_keys),
        TEST(changes_are_read_from_any_point_and_trimmed), TEST(tombstones_go_with_the_changes_of_their_time),
        TEST(objects_are_guarded_by_their_version), TEST(objects_are_listed_in_pages),
        TEST(artifacts_are_orphans_once_their_runs_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
