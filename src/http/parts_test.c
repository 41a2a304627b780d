/* The pure parts of http: the gate, targets and routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/gate.h"
#include "http/multipart.h"
#include "http/range.h"
#include "http/route.h"
#include "http/server_p.h"

/* Fields as "name: value" lines; a NUL ends the row. Status 0 = passes. */
struct gate_row {
    const char *method, *version, *fields;
    int status;
};

static const struct gate_row gate_rows[] = {
    {"GET", "HTTP/1.1", "Host: a", 0},
    {"GET", "HTTP/1.0", "", 0},
    {"PoST", "HTTP/1.1", "Host: a\nContent-Length: 3", 0},
    {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: Chunked", 0},
    {"GET", "HTTP/1.1", "Host: [::1]:80", 0},
    {"GET", "HTTP/1.1", "Host: ", 0},
    {"GET", "HTTP/1.1", "Host: a\nX-Tab: a\tb\xc3\xa9", 0},
    {"GET", "HTTP/1.2", "Host: a", 400},
    {"GET", "HTTP/2.0", "Host: a", 400},
    {"GET", "", "Host: a", 400},
    {"", "HTTP/1.1", "Host: a", 400},
    {"G3T", "HTTP/1.1", "Host: a", 400},
    {"GETGETGETGETGETGETGETGET", "HTTP/1.1", "Host: a", 400},
    {"GET", "HTTP/1.1", "", 400},
    {"GET", "HTTP/1.1", "Host: a\nHOST: a", 400},
    {"GET", "HTTP/1.0", "Host: a\nHost: b", 400},
    {"GET", "HTTP/1.1", "Host: a b", 400},
    {"GET", "HTTP/1.1", "Host: a,b", 400},
    {"GET", "HTTP/1.1", "Host: u@h", 400},
    {"GET", "HTTP/1.1", "Host: a\nX : b", 400},
    {"GET", "HTTP/1.1", "Host: a\n: b", 400},
    {"GET", "HTTP/1.1", "Host: a\nX\x80: b", 400},
    {"GET", "HTTP/1.1", "Host: a\nX: b\rc", 400},
    {"GET", "HTTP/1.1", "Host: a\nX: b\x7f", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: 3\nTransfer-Encoding: chunked", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: 3\ncontent-length: 3", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: +3", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: -3", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: 3, 3", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: ", 400},
    {"POST", "HTTP/1.1", "Host: a\nContent-Length: 99999999999999999999", 400},
    {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: identity", 400},
    {"POST", "HTTP/1.0", "Transfer-Encoding: chunked", 400},
    {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: xchunked", 501},
    {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip, chunked", 501},
    {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: ", 501},
};

static int gate_status(const struct gate_row *row, struct gate_body *body)
{
    struct http_field fields[10];
    struct str rest = str_of(row->fields), line;
    struct gate_head head = {str_of(row->method), str_of(row->version), fields, 0};
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        ptrdiff_t at = str_find(line, STR(": "), 0);
        fields[head.field_count++] =
            (struct http_field){str_sub(line, 0, (size_t)at), str_from(line, (size_t)at + 2)};
    }
    struct err e = {0};
    if (gate_check(&head, body, &e)) return 0;
    assert_true(strlen(e.text) > 0);
    return err_http_status(e.code);
}

static void the_gate_refuses_what_can_be_read_in_two_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(gate_rows); i++) {
        struct gate_body body;
        int status = gate_status(&gate_rows[i], &body);
        if (status != gate_rows[i].status) print_error("row %zu: %s\n", i, gate_rows[i].fields);
        assert_int_equal(status, gate_rows[i].status);
    }
    struct gate_body body;
    gate_status(&gate_rows[2], &body);
    assert_int_equal(body.length, 3);
    assert_false(body.chunked);
    gate_status(&gate_rows[3], &body);
    assert_true(body.chunked);
}

static void the_gate_counts_fields(void **state)
{
    (void)state;
    struct http_field fields[LIMIT_HTTP_HEADERS + 1];
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) fields[i] = (struct http_field){STR("X"), STR("")};
    fields[0].name = STR("Host");
    struct gate_head head = {STR("GET"), STR("HTTP/1.1"), fields, LIMIT_HTTP_HEADERS};
    struct gate_body body;
    assert_true(gate_check(&head, &body, NULL));
    head.field_count++;
    assert_false(gate_check(&head, &body, NULL));
}

static void targets_are_taken_apart_and_decoded(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct target t;
    assert_true(target_parse(&a, STR("/a%2Fb//c+d/?x=1+2&list.x=%26%3d&&flag&=v&x=3"), &t, NULL));
    assert_true(str_is(t.path, "/a%2Fb//c+d/"));
    assert_int_equal(t.part_count, 4);
    assert_string_equal(t.parts[0].p, "a/b");
    assert_string_equal(t.parts[1].p, "");
    assert_string_equal(t.parts[2].p, "c+d");
    assert_string_equal(t.parts[3].p, "");
    static const char *const query[] = {"x", "1 2", "list.x", "&=", "flag", "", "", "v", "x", "3"};
    assert_int_equal(t.query_count, ARRAY_LEN(query) / 2);
    for (size_t i = 0; i < t.query_count; i++) {
        assert_string_equal(t.query[i].key.p, query[2 * i]);
        assert_string_equal(t.query[i].value.p, query[2 * i + 1]);
    }
    assert_true(target_parse(&a, STR("/"), &t, NULL));
    assert_int_equal(t.part_count, 1);
}

static void bad_targets_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "*", "a", "http://h/a", "/%", "/a%2", "/%g0", "/%0g",
                                       "/%00", "/?a=%", "/?%zz=1", "/?a=%00"};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct target t;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        assert_false(target_parse(&a, str_of(rows[i]), &t, &e));
        assert_int_equal(err_http_status(e.code), 400);
    }
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    for (int i = 0; i <= LIMIT_HTTP_PATH_SEGMENTS; i++) buf_char(&b, '/');
    assert_false(target_parse(&a, buf_view(&b), &t, NULL));
    buf_reset(&b);
    buf_str(&b, STR("/?"));
    for (int i = 0; i <= LIMIT_HTTP_QUERY_KEYS; i++) buf_str(&b, STR("a&"));
    assert_false(target_parse(&a, buf_view(&b), &t, NULL));
}

static void no_handler(struct http_req *r, void *user) { (void)r, (void)user; }

static const struct http_route routes[] = {
    {"GET", "/", no_handler, "root"},
    {"*", "/s3/{bucket}/{key...}", no_handler, "any object"},
    {"PUT", "/s3/{bucket}/{key...}", no_handler, "put object"},
    {"GET", "/wf/{ns}/{name}", no_handler, "get"},
    {"GET", "/wf/{ns}", no_handler, "list"},
    {"PUT", "/wf/{ns}/{name}", no_handler, "put"},
    {"GET", "/wf/{ns}/schema", no_handler, "schema"},
    {"POST", "/wf/{ns}/lint", no_handler, "lint"},
    {"GET", "/wf/fixed/{name}", no_handler, "fixed"},
};

static const struct route_row {
    const char *method, *target, *want; /* route's name and parameters, or the methods allowed */
} route_rows[] = {
    {"GET", "/", "root"},
    {"HEAD", "/", "root"},
    {"POST", "/", "allow GET"},
    {"GET", "/wf", "none"},
    {"GET", "/nothing", "none"},
    {"GET", "/wf/", "list ns="},
    {"GET", "/wf/a%20b", "list ns=a b"},
    {"GET", "/wf/a/b", "get ns=a name=b"},
    {"GET", "/wf//", "get ns= name="},
    {"GET", "/w%66/a/b?x", "get ns=a name=b"},
    {"PUT", "/wf/a/b", "put ns=a name=b"},
    {"GET", "/wf/a/schema", "schema ns=a"},
    {"POST", "/wf/a/lint", "lint ns=a"},
    {"GET", "/wf/a/lint", "get ns=a name=lint"},
    {"GET", "/wf/fixed/schema", "fixed name=schema"},
    {"DELETE", "/wf/a/b", "allow GET, PUT"},
    {"GET", "/wf/a/b/c", "none"},
    {"GET", "/s3/b/x/y%2Fz//", "any object bucket=b key=x/y/z//"},
    {"GET", "/s3/b/", "any object bucket=b key="},
    {"GET", "/s3/b", "none"},
    {"PUT", "/s3/b/k", "put object bucket=b key=k"},
    {"get", "/", "allow GET"},
};

static void routes_choose_the_most_literal_row(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct router *r = router_new(routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < ARRAY_LEN(route_rows); i++) {
        struct target t;
        struct route_match m;
        assert_true(target_parse(&a, str_of(route_rows[i].target), &t, NULL));
        router_match(r, &a, str_of(route_rows[i].method), &t, &m);
        struct buf got;
        buf_init(&got, 1000);
        if (m.route) buf_str(&got, str_of(m.route->user));
        else if (str_set(m.allow)) buf_printf(&got, "allow %s", m.allow.p);
        else buf_str(&got, STR("none"));
        for (size_t k = 0; k < m.param_count; k++)
            buf_printf(&got, " %.*s=%s", STR_ARG(m.params[k].key), m.params[k].value.p);
        assert_string_equal(got.p, route_rows[i].want);
        buf_fini(&got);
    }
    router_free(r);
}

static void gzip_is_for_who_takes_it(void **state)
{
    static const struct { const char *accept; bool wanted; } rows[] = {
        {"", false}, {"gzip", true}, {"GZIP", true}, {"x-gzip", true}, {"deflate, gzip;q=1.0, *;q=0.5", true}, {"gzip;q=0", false},
        {"gzip ; q=0.001", true}, {"gzip;q=0.0, *", false}, {"*", true}, {"*;q=0", false}, {"identity", false}, {"br,deflate", false},
        {"gzipped", false}, {"gzip;q=x", false}, {",,gzip", true}, {"*;q=0, gzip", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (gzip_wanted(str_of(rows[i].accept)) != rows[i].wanted) fail_msg("Accept-Encoding: %s", rows[i].accept);
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (void *)&a;
    struct sockaddr_in6 *v6 = (void *)&a;
    a.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    void *to = a.ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;
    assert_int_equal(inet_pton(a.ss_family, text, to), 1);
    return a;
}

static void addresses_are_counted(void **state)
{
    struct peers p = {0};
    struct sockaddr_storage v4 = address("192.0.2.7"), mapped = address("::ffff:192.0.2.7"), other = address("192.0.2.8"),
                            v6 = address("2001:db8::1"), same_net = address("2001:db8::2:3"), net = address("2001:db8:0:1::1");
    (void)state;
    struct peer *a = peer_add(&p, &v4), *b = peer_add(&p, &mapped), *c = peer_add(&p, &v6);
    assert_ptr_equal(a, b);
    assert_int_equal(peer_connections(&p, &v4), 2);
    assert_int_equal(peer_connections(&p, &other), 0);
    assert_int_equal(peer_connections(&p, &same_net), 1);
    assert_int_equal(peer_connections(&p, &net), 0);
    peer_drop(&p, a);
    assert_int_equal(peer_connections(&p, &mapped), 1);
    peer_drop(&p, b);
    peer_drop(&p, c);
    peer_drop(&p, NULL);
    assert_int_equal(peer_connections(&p, &v4), 0);
    peers_fini(&p);
}

struct range_row {
    const char *header;
    uint64_t size;
    enum range_kind want;
    uint64_t from, n;
};

static const struct range_row range_rows[] = {
    {"bytes=0-9", 100, RANGE_PART, 0, 10},    {"bytes=90-", 100, RANGE_PART, 90, 10},   {"bytes=-7", 100, RANGE_PART, 93, 7},
    {"bytes=-700", 100, RANGE_PART, 0, 100},  {"bytes=99-200", 100, RANGE_PART, 99, 1}, {"bytes=100-", 100, RANGE_BAD, 0, 0},
    {"bytes=-0", 100, RANGE_BAD, 0, 0},       {"bytes=0-", 0, RANGE_BAD, 0, 0},         {"bytes=0-1,5-6", 100, RANGE_NONE, 0, 0},
    {"bytes=5-4", 100, RANGE_NONE, 0, 0},     {"bytes=-", 100, RANGE_NONE, 0, 0},       {"lines=0-1", 100, RANGE_NONE, 0, 0},
    {"bytes", 100, RANGE_NONE, 0, 0},         {"bytes=a-b", 100, RANGE_NONE, 0, 0},     {"bytes=0x1-2", 100, RANGE_NONE, 0, 0},
    {"bytes=1-18446744073709551616", 5, RANGE_PART, 1, 4}, {"bytes=99999999999999999999999-", 5, RANGE_BAD, 0, 0},
};

static void ranges_are_parts_of_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(range_rows); i++) {
        const struct range_row *row = &range_rows[i];
        uint64_t from = 0, n = 0;
        assert_int_equal(range_parse(str_of(row->header), row->size, &from, &n), row->want);
        if (row->want != RANGE_PART) continue;
        assert_int_equal(from, row->from);
        assert_int_equal(n, row->n);
    }
    assert_int_equal(range_parse(STR_NONE, 5, &(uint64_t){0}, &(uint64_t){0}), RANGE_NONE);
}

#define FORM "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nfirst\r\n--b\r\n" \
             "content-disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\nx--b\r\n-y\r\n--b--\r\n"

static void forms_give_their_fields(void **state)
{
    static const struct { const char *type, *body, *field, *bytes, *file; } rows[] = {
        {"multipart/form-data; boundary=b", FORM, "file", "x--b\r\n-y", "a b.txt"},
        {"Multipart/Form-Data; charset=x; boundary=\"b\"", FORM, "other", "first", NULL},
        {"multipart/form-data; boundary=b", "preamble\r\n" FORM, "file", "x--b\r\n-y", "a b.txt"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; filename=\"a; name=x;\"; name=file\r\n\r\nz\r\n--b--", "file", "z", "a; name=x;"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; filename=\"a;\r\n\r\nz\r\n--b--", "file", NULL, NULL},
        {"multipart/form-data; boundary=b", FORM, "none", NULL, NULL},
        {"multipart/form-data; boundary=c", FORM, "file", NULL, NULL},
        {"multipart/form-data", FORM, "file", NULL, NULL},
        {"multipart/mixed; boundary=b", FORM, "file", NULL, NULL},
        {NULL, FORM, "file", NULL, NULL},
        {"multipart/form-data; boundary=b", "", "file", NULL, NULL},
        {"multipart/form-data; boundary=b", "--b", "file", NULL, NULL},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=file\r\n\r\ncut off", "file", NULL, NULL},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=file\r\n\r\n\r\n--b--", "file", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct multipart_part part;
        struct err e = {0};
        bool ok = multipart_find(str_of(rows[i].type), str_of(rows[i].body), rows[i].field, &part, &e);
        assert_int_equal(ok, rows[i].bytes != NULL);
        if (ok) assert_true(str_eq(part.bytes, str_of(rows[i].bytes)) && str_eq(part.file_name, str_of(rows[i].file)));
        else assert_int_equal(e.code, ERR_SPEC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gate_refuses_what_can_be_read_in_two_ways),
        cmocka_unit_test(the_gate_counts_fields),
        cmocka_unit_test(targets_are_taken_apart_and_decoded),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(routes_choose_the_most_literal_row),
        cmocka_unit_test(gzip_is_for_who_takes_it),
        cmocka_unit_test(addresses_are_counted),
        cmocka_unit_test(ranges_are_parts_of_the_file),
        cmocka_unit_test(forms_give_their_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
