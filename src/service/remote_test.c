/* What is made of the answers of a server elsewhere, and when it is asked again. With servers: test/server/elsewhere.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "service/remote_p.h"

static void each_answer_says_what_to_do(void **state)
{
    static const struct {
        int status;
        const char *body, *after; /* Retry-After */
        enum err_code code;
        const char *text;
    } rows[] = {
        {429, "{\"code\":8,\"message\":\"slow down\"}", "7", ERR_LIMIT, "the server takes no more requests for now, try again in 7 seconds: slow down"},
        {429, "<html>no</html>", "1", ERR_LIMIT, "the server takes no more requests for now, try again in 1 second"},
        {429, "", "Fri, 01 Jan 2100 00:00:00 GMT", ERR_LIMIT, "the server takes no more requests for now, try again soon"},
        {404, "{\"code\":5,\"message\":\"Not Found\",\"details\":[]}", NULL, ERR_NOT_FOUND,
         "server http://h:1 does not know this request: it is one of Argo's or an older Skiff, or ARGO_BASE_HREF is not right"},
        {404, "{\"code\":5,\"message\":\"workflows 'x' not found\"}", NULL, ERR_NOT_FOUND, "workflows 'x' not found"},
        {409, "{\"code\":6,\"message\":\"exists\"}", NULL, ERR_CONFLICT, "exists"},
        {400, "{\"code\":9,\"message\":\"is finished\"}", NULL, ERR_NOT_NOW, "is finished"},
        {503, "{\"code\":14,\"message\":\"loading\"}", NULL, ERR_UNREACHABLE, "the server is not ready, try again soon: loading"},
    };
    struct arena a CLEANUP(arena_fini);
    bool answered = false;
    struct service_server o = {.url = STR("http://h:1/"), .answered = &answered};
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct remote *r = remote_new(&a, &o, &e);
        struct web_field after = {STR("Retry-After"), str_of(rows[i].after)};
        struct web_reply reply = {.status = rows[i].status, .fields = &after, .n_fields = rows[i].after != NULL, .body = str_of(rows[i].body)};
        assert_false(remote_refused(r, &reply, &e));
        assert_string_equal(e.text, rows[i].text);
        assert_int_equal(e.code, rows[i].code);
        remote_close(r);
    }
}

static void what_is_too_large_says_what_to_do(void **state)
{
    struct remote r = {.url = STR("http://h:1")};
    struct err e = {0};
    (void)state;
    err_set(&e, ERR_LIMIT, "the reply is larger than 5 bytes");
    assert_false(remote_unanswered(&r, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.text, "server http://h:1: the reply is larger than 5 bytes; a part of a workflow can be had: GET "
                                "/api/v1/workflows/NAMESPACE/NAME?fields=status.phase; all of it on the server's machine");
}

static void it_is_tried_again_for_a_minute(void **state)
{
    enum { FIRST_US = 200000, MOST_US = 5000000, MINUTE_US = 60000000 };
    struct remote_tries t = {0};
    (void)state;
    remote_tries_begin(&t);
    assert_int_equal(remote_tries_pause_us(&t), FIRST_US);
    assert_int_equal(remote_tries_pause_us(&t), 2 * FIRST_US);
    for (int i = 0; i < 20; i++) remote_tries_pause_us(&t);
    assert_int_equal(remote_tries_pause_us(&t), MOST_US); /* by time, not by number: an attempt may take half a minute itself */
    t.lost_us -= MINUTE_US + 1;
    assert_true(remote_tries_pause_us(&t) < 0);
    t.begun_us -= MINUTE_US; /* the last one was open for a minute, and silent */
    assert_int_equal(remote_tries_pause_us(&t), FIRST_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_answer_says_what_to_do), cmocka_unit_test(what_is_too_large_says_what_to_do),
                                       cmocka_unit_test(it_is_tried_again_for_a_minute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
