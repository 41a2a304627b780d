/* Http templates: how an answer is judged, and what stop and terminate do to a request. Time-outs,
 * retries and loops are judged by test/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/yaml.h"
#include "engine/engine.h"

enum { T0 = 1000000 };

static void answers(void **state)
{
    static const struct {
        int status;
        const char *condition, *message; /* NULL: none */
    } rows[] = {
        {200, NULL, NULL},
        {299, NULL, NULL},
        {300, NULL, "received non-2xx response code: 300"},
        {404, NULL, "received non-2xx response code: 404"},
        {404, "response.statusCode == 404", NULL},
        {200, "response.statusCode == 404", "successCondition 'response.statusCode == 404' evaluated false"},
        {500, "response.body contains \"body\"", NULL},
        {200, "response.headers[\"X-Two\"][1] == \"b\"", NULL},
        {200, "\"X-Two\" in response.headers and not (\"X-Three\" in response.headers)", NULL},
        {200, "request.method == \"POST\" && request.url == \"http://x/\" && request.body == \"sent\"", NULL},
        {200, "request.headers[\"x-given\"][0] == \"1\" && !(\"x-secret\" in request.headers)", NULL},
        {200, "request.bodyBytes[1] == 101 && len(request.bodyBytes) == 2", NULL},
        {200, "asInt(response.body) == 1", "*"},
        {200, "response.absent.x", "*"},
        {200, "response.statusCode", "*"},
        {200, "nonsense ===", "*"},
    };
    struct val two[] = {val_of_str(STR("a")), val_of_str(STR("b"))};
    struct val_pair pair = {.key = STR("X-Two"), .v = {.kind = VAL_LIST, .n = 2, .items = two}};
    struct val map = {.kind = VAL_MAP, .n = 1, .map = &pair}, tmpl;
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct step_outcome how;
        struct http_answer answer = {.status = rows[i].status, .body = STR("a body"), .headers = &map};
        struct str text = str_fmt(&a, "http:\n  method: POST\n  url: http://x/\n  body: sent\n  bodyFrom: {bytes: aGU=}\n"
                                  "  headers:\n  - {name: x-given, value: 0}\n  - {name: x-given, value: 1}\n"
                                  "  - {name: x-secret, valueFrom: {secretKeyRef: {name: s, key: k}}}\n  %s%s\n",
                                  rows[i].condition ? "successCondition: |-\n    " : "", rows[i].condition ? rows[i].condition : "");
        assert_true(yaml_parse(&a, text, NULL, &tmpl, NULL));
        http_judge(&a, &tmpl, &answer, T0, &how);
        bool good = !rows[i].message, any = rows[i].message && rows[i].message[0] == '*';
        if (how.phase != (good ? NODE_SUCCEEDED : NODE_FAILED)) fail_msg("row %zu: %s", i, how.message.p);
        assert_int_equal(how.exit_code, STEP_NO_EXIT_CODE);
        if (good) assert_null(how.message.p);
        else if (!any) assert_string_equal(how.message.p, rows[i].message);
        if (any) assert_null(how.result.p); /* the agent gives no outputs when it could not judge */
        else assert_string_equal(how.result.p, "a body");
    }
}

struct fixture {
    struct arena a;
    struct val wf;
    struct run_opts opts;
    struct run *run;
    struct outbox out;
};

static void begin(struct fixture *f)
{
    static const char text[] =
        "metadata: {name: wf, namespace: default, uid: u}\n"
        "spec:\n"
        "  entrypoint: ask\n"
        "  onExit: ask\n"
        "  templates:\n"
        "  - {name: ask, http: {url: 'http://{{workflow.name}}/', body: '{{workflow.status}}'}}\n";
    arena_init(&f->a);
    assert_true(yaml_parse(&f->a, STR(text), NULL, &f->wf, NULL));
    f->opts = (struct run_opts){.workflow = &f->wf, .seed = 1};
    f->run = run_new(&f->opts, NULL);
    run_start(f->run, T0, &f->out);
}

static void end(struct fixture *f)
{
    run_free(f->run);
    arena_fini(&f->a);
}

static void expect(const struct fixture *f, const enum action_kind *kinds, size_t n)
{
    assert_int_equal(f->out.n_actions, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(f->out.actions[i].kind, kinds[i]);
}

static void a_request_is_asked_for_with_its_tags_filled_in(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect(&f, (enum action_kind[]){ACTION_REQUEST}, 1);
    assert_string_equal(val_text(val_path(f.out.actions[0].tmpl, "http.url")).p, "http://wf/");
    assert_int_equal(node_phase(run_node_at(f.run, 0)), NODE_PENDING); /* to its end */
    struct step_outcome how = {.phase = NODE_FAILED, .exit_code = STEP_NO_EXIT_CODE, .message = STR("no"), .result = STR("said")};
    run_step_done(f.run, run_node_at(f.run, 0), &how, T0 + 1, &f.out);
    expect(&f, (enum action_kind[]){ACTION_REQUEST}, 1); /* the exit handler's */
    assert_string_equal(val_text(val_path(f.out.actions[0].tmpl, "http.body")).p, "Failed");
    assert_string_equal(node_outputs(run_node_at(f.run, 0)).p, "{\"result\":\"said\"}");
    end(&f);
}

static void stop_drops_the_request_and_runs_the_exit_handler(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    run_stop(f.run, STOP_STOP, T0 + 1, &f.out);
    expect(&f, (enum action_kind[]){ACTION_CANCEL, ACTION_REQUEST}, 2);
    assert_string_equal(node_message(run_node_at(f.run, 0)).p, "Stopped with strategy 'Stop'");
    assert_int_equal(node_phase(run_node_at(f.run, 0)), NODE_FAILED);
    run_stop(f.run, STOP_TERMINATE, T0 + 2, &f.out);
    expect(&f, (enum action_kind[]){ACTION_CANCEL, ACTION_DONE}, 2);
    assert_string_equal(node_message(run_node_at(f.run, 1)).p, "Stopped with strategy 'Terminate'");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(a_request_is_asked_for_with_its_tags_filled_in),
        cmocka_unit_test(stop_drops_the_request_and_runs_the_exit_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
