/* The helper process: what jq programs give, and that hostile ones reach nobody else. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/wait.h>

#include "helper/helper.h"
#include "helper/jq_text.h"
#include "helper/proto.h"

struct answer {
    struct arena *a;
    bool done;
    struct str text;
    enum err_code code;
};

struct fixture {
    struct arena a;
    struct loop *l;
    struct helper *h;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct err e;
    arena_init(&f->a);
    f->l = loop_new(&e);
    f->h = helper_new(f->l, NULL);
    *state = f;
    return f->l ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    helper_free(f->h);
    loop_free(f->l);
    arena_fini(&f->a);
    free(f);
    return 0;
}

static void on_done(void *user, struct str output, const struct err *e)
{
    struct answer *x = user;
    assert_false(x->done);
    x->done = true;
    x->code = e ? e->code : ERR_NONE;
    x->text = str_dup(x->a, e ? str_of(e->text) : output);
}

static struct answer ask(struct fixture *f, const char *program, struct str input)
{
    struct answer x = {.a = &f->a};
    helper_jq(f->h, str_of(program), input, on_done, &x);
    assert_false(x.done); /* never from inside */
    while (!x.done) loop_turn(f->l, true);
    return x;
}

static void results(void **state)
{
    static const char input[] = "{\"b\":1,\"a\":{\"s\":\"x\",\"l\":[1,2.5,null,true]},\"h\":\"<&>\",\"big\":12345678901}";
    static const char *const rows[][2] = {
        {".a.s", "x"},
        {".", "{\"a\":{\"l\":[1,2.5,null,true],\"s\":\"x\"},\"b\":1,\"big\":12345678901,\"h\":\"\\u003c\\u0026\\u003e\"}"},
        {".h", "<&>"},
        {".a.l[]", "1\n2.5\nnull\ntrue"},
        {"empty", ""},
        {"\"  x  \"", "x"},
        {".nope", "null"},
        {"\"123456789012345\" | tonumber", "123456789012345"},
        {"\"{\\\"x\\\":\\\"9007199254740993\\\"}\" | fromjson | .x", "9007199254740993"},
        {"9007199254740992, .a9007199254740993, 12345678901234567.5 # 9007199254740993", "9007199254740992\nnull\n12345678901234568"},
        {"infinite > 1", "true"},
        {".a.l | length", "4"},
        {"def f: .b + 1; f", "2"},
        {".b # comment", "1"},
        {".b | debug | stderr | . + 1", "2"},
        {"[inputs] | length", "0"},
        {"if .b == 1 then \"one\" end", "one"},
        {"if .b == 2 then \"two\" end | .b", "1"},
        {".a.[\"l\"].[1]", "2.5"},
        {"input_filename", "null"},
        {"pick(.a.s)", "{\"a\":{\"s\":\"x\"}}"},
        {"-1 | abs", "1"},
        {"to_entries | map(.key) | join(\",\")", "a,b,big,h"}, /* the order of gojq */
        {".a | tojson, ({z: 1, b: {d: 1, c: 2}} | tostring)", "{\"l\":[1,2.5,null,true],\"s\":\"x\"}\n{\"b\":{\"c\":2,\"d\":1},\"z\":1}"},
        {"[limit(0; 1, 2)], [limit(1; 1, 2)]", "[]\n[1]"},
        {"\" q \" | trim", "q"},
        {"[.a.l[] | select(type == \"number\")] | add", "3.5"},
        {"\"a\\u0000b\" | length", "3"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer x = ask(f, rows[i][0], STR(input));
        if (x.code != ERR_NONE || !str_is(x.text, rows[i][1])) fail_msg("%s: %.*s", rows[i][0], STR_ARG(x.text));
    }
}

static void programs_that_fail(void **state)
{
    static const char *const rows[][2] = {
        {".b.c", "Cannot index number with string \"c\""},
        {"error(\"mine\")", "mine"},
        {".[", "syntax error, unexpected $end at <top-level>, line 1"},
        {"nope", "nope/0 is not defined"},
        {"import \"x\" as x; .", "unexpected import"},
        {"input", "break"},
        {"9007199254740993", "an integer beyond 2^53 in the program"},
        {"\"\\(9007199254740993)\"", "an integer beyond 2^53 in the program"},
        {"\"9007199254740993\" | tonumber", "an integer beyond 2^53 in a text"},
        {"try (\"9007199254740993\" | tonumber) catch 1", "an integer beyond 2^53 in a text"}, /* nothing catches it */
        {"\"[9007199254740993]\" | fromjson?", "an integer beyond 2^53 in a text"},
        {"[{a: nan}]", "json: unsupported value"},
        {"1e1000", "json: unsupported value"},
        {"limit(-1; 1)", "negative count"},
        {"1, halt", "the program halted"},
        {"\"mine\" | halt_error", "mine"},
        {"$ENV.PATH | if . == null then error(\"no environment\") else . end", "no environment"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer x = ask(f, rows[i][0], STR("{\"b\":1}"));
        if (x.code != ERR_SPEC || !strstr(x.text.p, rows[i][1])) fail_msg("%s: %.*s", rows[i][0], STR_ARG(x.text));
    }
    assert_int_equal(ask(f, ".", STR("{")).code, ERR_SPEC);
}

/* As in Argo, whose objects have doubles too: json.Unmarshal makes them. */
static void numbers_of_the_object_are_doubles(void **state)
{
    static const char *const rows[][2] = {
        {".a", "12345678901234567000"}, {".b", "9007199254740992"}, {".b + 1", "9007199254740992"}, {"[.c, .d]", "[1e+21,100000000000000000000]"},
        {".a | tostring", "12345678901234567000"}, {".b == .e", "true"}, {".f", "1e-7"}, {".g", "1"},
    };
    static const char input[] = "{\"a\":12345678901234567890,\"b\":9007199254740993,\"c\":1e21,\"d\":1e20,\"e\":9007199254740992,\"f\":1e-7,\"g\":1.0}";
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer x = ask(f, rows[i][0], STR(input));
        if (x.code != ERR_NONE || !str_is(x.text, rows[i][1])) fail_msg("%s: %.*s", rows[i][0], STR_ARG(x.text));
    }
}

/* Each ends with an error, and the next program finds a helper that works. */
static void hostile_programs(void **state)
{
    static const struct {
        const char *program;
        unsigned codes; /* bits of err_code that are right */
    } rows[] = {
        {"def f: f; f", 1u << ERR_TIMEOUT},
        {"last(range(1e12))", 1u << ERR_TIMEOUT},
        {"[range(1e9)]", 1u << ERR_LIMIT | 1u << ERR_TIMEOUT},
        {"\"x\" * 1e9", 1u << ERR_LIMIT | 1u << ERR_TIMEOUT | 1u << ERR_SPEC},
        {"range(1e9)", 1u << ERR_TIMEOUT | 1u << ERR_LIMIT | 1u << ERR_SPEC},
        {"reduce range(1000000) as $i (0; [.])", 1u << ERR_SPEC | 1u << ERR_TIMEOUT | 1u << ERR_LIMIT | 1u << ERR_NONE},
        {"[limit(100000; repeat(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"))] | join(\"\") | test(\"(a*)*b\")",
         1u << ERR_TIMEOUT | 1u << ERR_SPEC | 1u << ERR_LIMIT},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t began = loop_now_us();
        struct answer x = ask(f, rows[i].program, STR("1"));
        if (!(rows[i].codes & 1u << x.code)) fail_msg("%s: %s: %.*s", rows[i].program, err_name(x.code), STR_ARG(x.text));
        assert_true(loop_now_us() - began < HELPER_WALL_MS * (int64_t)1000); /* a second, on a machine that is not loaded */
        x = ask(f, ".", STR("1"));
        assert_string_equal(x.text.p, "1");
    }
}

static void gojq_becomes_jq(void **state)
{
    static const char *const rows[][2] = {
        {"if a then b end", "if a then b else . end"},
        {"if a then b else c end", "if a then b else c end"},
        {"if a then b elif c then d end", "if a then b elif c then d else . end"},
        {"if if a then b end then c end", "if if a then b else . end then c else . end"},
        {"\"if a then b end\"", "\"if a then b end\""},
        {"\"x\\(if a then b end)y end\"", "\"x\\(if a then b else . end)y end\""},
        {".if.end | $end | {if: 1, end : 2}", ".if.end | $end | {if: 1, end : 2}"},
        {"{a:if b then c end}", "{a:if b then c else . end}"},
        {"# if a then\nif a then b end", "# if a then\nif a then b else . end"},
        {".a.[0].b.[\"c\"]?.[1:]", ".a[0].b[\"c\"]?[1:]"},
        {"..[0], .[1], [.[2]]", "..[0], .[1], [.[2]]"},
        {"if (a then b end", "if (a then b end"}, /* not a program: as it is */
        {"a) if b then c end", "a) if b then c end"},
        {"\"open", "\"open"},
        {"", ""},
    };
    struct buf b CLEANUP(buf_fini);
    (void)state;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&b);
        assert_true(jq_text_adapt(&b, str_of(rows[i][0])));
        if (!str_is(buf_view(&b), rows[i][1])) fail_msg("%s: %.*s", rows[i][0], STR_ARG(buf_view(&b)));
    }
}

static void a_killed_helper_is_started_again(void **state)
{
    struct fixture *f = *state;
    struct answer x = ask(f, ".", STR("1"));
    int first = helper_pid(f->h);
    assert_true(first > 0);
    kill(first, SIGKILL);
    while (helper_pid(f->h) == first) loop_turn(f->l, true);
    x = ask(f, ". + 1", STR("1"));
    assert_string_equal(x.text.p, "2");
    assert_true(helper_pid(f->h) > 0 && helper_pid(f->h) != first);
}

static void let_it_go_on(void *user) { kill(*(pid_t *)user, SIGCONT); }

/* As on a machine where others have the processors: it is not the program that took so long. */
static void a_helper_that_has_to_wait_is_not_late(void **state)
{
    struct fixture *f = *state;
    struct answer x = ask(f, ".", STR("1"));
    pid_t pid = helper_pid(f->h);
    struct loop_timer *timer = loop_timer_new(f->l, let_it_go_on, &pid);
    kill(pid, SIGSTOP);
    loop_timer_arm_us(timer, (HELPER_TIME_MS + 200) * 1000);
    x = ask(f, ". + 1", STR("1"));
    assert_string_equal(x.text.p, "2");
    assert_int_equal(helper_pid(f->h), pid);
    loop_timer_free(timer);
}

static void calls_queue_and_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    struct answer x[3] = {{.a = &f->a}, {.a = &f->a}, {.a = &f->a}};
    struct helper_call *c[3];
    for (size_t i = 0; i < 3; i++) c[i] = helper_jq(f->h, STR(". + 1"), STR("1"), on_done, &x[i]);
    helper_cancel(c[1]);
    while (!x[2].done) loop_turn(f->l, true);
    assert_true(x[0].done && !x[1].done);
    assert_string_equal(x[2].text.p, "2");
    helper_jq(f->h, STR("def f: f; f"), STR("1"), on_done, &x[1]); /* at work when the helper is freed */
    loop_turn(f->l, true);
}

static void what_is_too_large_is_not_asked(void **state)
{
    struct fixture *f = *state;
    char *text = mem_alloc(HELPER_PROGRAM_MAX + 2);
    memset(text, ' ', HELPER_PROGRAM_MAX + 1);
    text[HELPER_PROGRAM_MAX + 1] = '\0';
    assert_int_equal(ask(f, text, STR("1")).code, ERR_LIMIT);
    free(text);
}

static void no_helper(void **state)
{
    struct fixture *f = *state;
    helper_free(f->h);
    f->h = helper_new(f->l, "/nowhere/skiff-helper");
    assert_int_equal(ask(f, ".", STR("1")).code, ERR_IO);
    helper_free(f->h);
    f->h = helper_new(f->l, "/bin/true"); /* says nothing and leaves */
    assert_int_equal(ask(f, ".", STR("1")).code, ERR_SPEC);
    helper_free(f->h);
    f->h = helper_new(f->l, "/bin/cat"); /* has no output: late */
    assert_int_equal(ask(f, ".", STR("1")).code, ERR_TIMEOUT);
}

static void messages_that_make_no_sense(void **state)
{
    struct helper_request q;
    struct helper_reply r;
    struct str one, two;
    struct buf b CLEANUP(buf_fini);
    size_t used;
    (void)state;
    buf_init(&b, 1 << 20);
    helper_request_write(&b, 7, STR(".a"), STR("{}"));
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(helper_request_read(str_sub(buf_view(&b), 0, n), &q, &one, &two, &used), HELPER_MORE);
    assert_int_equal(helper_request_read(buf_view(&b), &q, &one, &two, &used), HELPER_WHOLE);
    assert_true(q.id == 7 && str_is(one, ".a") && str_is(two, "{}") && used == b.n);
    b.p[0] ^= 1;
    assert_int_equal(helper_request_read(buf_view(&b), &q, &one, &two, &used), HELPER_BAD);
    buf_reset(&b);
    helper_reply_write(&b, 7, HELPER_DONE, STR("x"));
    assert_int_equal(helper_reply_read(buf_view(&b), &r, &one, &used), HELPER_WHOLE);
    r.bytes = HELPER_OUTPUT_MAX + 1u;
    memcpy(b.p, &r, sizeof r);
    assert_int_equal(helper_reply_read(buf_view(&b), &r, &one, &used), HELPER_BAD);
    r = (struct helper_reply){HELPER_MAGIC, 7, HELPER_STATUS_MAX, 0};
    memcpy(b.p, &r, sizeof r);
    assert_int_equal(helper_reply_read(buf_view(&b), &r, &one, &used), HELPER_BAD);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results), TEST(programs_that_fail), TEST(numbers_of_the_object_are_doubles), TEST(hostile_programs), TEST(a_killed_helper_is_started_again),
        TEST(a_helper_that_has_to_wait_is_not_late),
        TEST(calls_queue_and_can_be_cancelled), TEST(what_is_too_large_is_not_asked), TEST(no_helper),
        cmocka_unit_test(messages_that_make_no_sense), cmocka_unit_test(gojq_becomes_jq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
