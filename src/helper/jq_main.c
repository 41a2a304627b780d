/* skiff-helper: runs jq programs for the engine, one after the other, with libjq. It is the only program
 * that links it. Requests come in and replies go out on descriptor 0 (helper/proto.h).
 *
 * It has nothing to lose and nothing to give: no environment, no descriptor but this one, no file that
 * could be opened, little memory. It dies with the engine. */
#include <errno.h>
#include <jq.h>
#include <jv.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "helper/jq_text.h"
#include "helper/proto.h"

enum { READ_BYTES = 64 << 10 };

/* What gojq, which Argo uses, has beyond libjq 1.6. */
static const char prelude[] =
    "def abs: if type != \"number\" then error(\"abs cannot be applied to: \" + type) elif . < 0 then - . else . end; "
    "def pick(f): . as $top | reduce path(f) as $p (null; setpath($p; $top | getpath($p))); "
    "def scan($re; $flags): match($re; \"g\" + $flags) | if (.captures | length) > 0 then [.captures[].string] "
    "else .string end; "
    "def add(f): reduce f as $x (null; . + $x); "
    "def skip($n; f): if $n > 0 then foreach f as $x ($n; . - 1; if . < 0 then $x else empty end) else f end; "
    "def ltrim: if type == \"string\" then sub(\"^\\\\s+\"; \"\") else error(\"trim input must be a string\") end; "
    "def rtrim: if type == \"string\" then sub(\"\\\\s+$\"; \"\") else error(\"trim input must be a string\") end; "
    "def trim: ltrim | rtrim; "
    "def limit($n; f): if $n > 0 then label $out | foreach f as $x (0; . + 1; $x, if . >= $n then break $out else empty end) "
    "elif $n == 0 then empty else error(\"limit doesn't support negative count\") end; "
    /* keys of what the program itself makes are sorted at the latest in a text */
    "def _sorted: if type == \"object\" then . as $o | reduce keys[] as $k ({}; .[$k] = ($o[$k] | _sorted)) "
    "elif type == \"array\" then map(_sorted) else . end; "
    "def _tojson: tojson; def tojson: _sorted | _tojson; "
    "def _tostring: tostring; def tostring: if type == \"string\" then . else _sorted | _tostring end; "
    /* gojq keeps integers that it reads from texts; those of the object are doubles for it, too. Nothing catches a halt. */
    "def _within: if fabs >= 9007199254740992 then \"an integer beyond 2^53 in a text: numbers are doubles here\" | halt_error "
    "else . end; "
    "def _tonumber: tonumber; def tonumber: if type == \"string\" and length > 15 and test(\"^-?[0-9]+$\") "
    "then _tonumber | _within else _tonumber end; "
    "def _fromjson: fromjson; def fromjson: if type == \"string\" and test(\"[0-9]{16}\") then _fromjson as $v "
    "| (gsub(\"\\\"(\\\\\\\\.|[^\\\"\\\\\\\\])*\\\"\"; \"\") | [scan(\"[-+.0-9eE]+\")] | map(select(test(\"^-?[0-9]{16,}$\")) | _tonumber | _within)) "
    "| $v else _fromjson end; ";

#define TOO_LARGE "an integer beyond 2^53 in the program: numbers are doubles here"

static void no_memory(void *user)
{
    (void)user;
    _exit(HELPER_EXIT_MEMORY);
}

static void limit(int what, rlim_t n)
{
    struct rlimit r = {n, n};
    setrlimit(what, &r);
}

static void confine(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, 3); /* nothing can be opened */
    limit(RLIMIT_NPROC, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    limit(RLIMIT_AS, (rlim_t)HELPER_MEMORY_MIB << 20);
#endif
    jv_nomem_handler(no_memory, NULL);
    if (chdir("/") != 0) _exit(1);
}

/* Processor time, so that a busy machine fails no program: SIGPROF ends the process then. 0: as much as it needs. */
static void cpu_allow(int ms)
{
    struct itimerval t = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
    setitimer(ITIMER_PROF, &t, NULL);
}

/* ---- one program ---- */

struct running {
    struct buf out;
    struct buf error;
};

static void note_error(void *user, jv message)
{
    struct running *r = user;
    jv text = jq_format_error(message);
    struct str s = str_of(jv_string_value(text));
    static const char advice[] = " (Unix shell quoting issues?)";
    str_cut(s, '\n', &s, &(struct str){0}); /* what follows repeats the program, with the prelude */
    if (str_starts(s, STR("jq: error: "))) s = str_from(s, 11);
    if (str_ends(s, STR(":"))) s = str_sub(s, 0, s.n - 1);
    ptrdiff_t at = str_find(s, STR(advice), 0);
    if (!r->error.n) { /* the first says most */
        buf_str(&r->error, at < 0 ? s : str_sub(s, 0, (size_t)at));
        if (at >= 0) buf_str(&r->error, str_from(s, (size_t)at + sizeof advice - 1));
    }
    jv_free(text);
}

/* libjq 1.6 leaves these callbacks unset and calls them all the same. */
static jv no_input(jq_state *jq, void *user)
{
    (void)jq;
    (void)user;
    return jv_invalid();
}

static void no_debug(void *user, jv v)
{
    (void)user;
    jv_free(v);
}

static void text_of(jv v, struct buf *b)
{
    if (jv_get_kind(v) == JV_KIND_STRING) {
        buf_add(b, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)));
        jv_free(v);
        return;
    }
    jv s = jv_dump_string(v, JV_PRINT_SORTED);
    buf_add(b, jv_string_value(s), (size_t)jv_string_length_bytes(jv_copy(s)));
    jv_free(s);
}

/* Go writes neither infinity nor what is no number. */
static bool is_finite(jv v)
{
    bool fine = true;
    jv_kind kind = jv_get_kind(v);
    if (kind == JV_KIND_NUMBER) fine = isfinite(jv_number_value(v));
    if (kind == JV_KIND_ARRAY) jv_array_foreach(v, i, x) fine = is_finite(x) && fine;
    if (kind == JV_KIND_OBJECT) jv_object_foreach(v, key, x) jv_free(key), fine = is_finite(x) && fine;
    jv_free(v);
    return fine;
}

static void result_add(struct running *r, jv v)
{
    if (!is_finite(jv_copy(v)) && !r->error.n) buf_str(&r->error, STR("json: unsupported value: infinity or NaN"));
    bool json = jv_get_kind(v) != JV_KIND_STRING;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, HELPER_OUTPUT_MAX);
    text_of(v, &b);
    helper_result_write(&r->out, json, buf_view(&b));
    r->out.overflow = r->out.overflow || b.overflow;
}

static void failure(struct running *r, jv v)
{
    text_of(jv_invalid_get_msg(v), &r->error);
    if (!r->error.n) buf_str(&r->error, STR("an error without a message"));
}

/* An error of Argo, too, whatever the program wanted to say with it. */
static void halted(struct running *r, jq_state *jq)
{
    jv message = jq_get_error_message(jq);
    if (jv_is_valid(message) && jv_get_kind(message) != JV_KIND_NULL) text_of(message, &r->error);
    else jv_free(message);
    if (!r->error.n) buf_str(&r->error, STR("the program halted"));
}

/* gojq goes over the members of an object in the order of their names. */
static jv sorted(jv v)
{
    jv_kind kind = jv_get_kind(v);
    if (kind != JV_KIND_ARRAY && kind != JV_KIND_OBJECT) return v;
    jv out = kind == JV_KIND_ARRAY ? jv_array() : jv_object();
    if (kind == JV_KIND_ARRAY) jv_array_foreach(v, i, x) out = jv_array_append(out, sorted(x));
    if (kind == JV_KIND_OBJECT) {
        jv names = jv_keys(jv_copy(v));
        jv_array_foreach(names, i, name) out = jv_object_set(out, jv_copy(name), sorted(jv_object_get(jv_copy(v), name)));
        jv_free(names);
    }
    jv_free(v);
    return out;
}

static void execute(struct running *r, jq_state *jq, jv input)
{
    jq_start(jq, input, 0);
    for (;;) {
        jv v = jq_next(jq);
        if (!jv_is_valid(v)) {
            if (jq_halted(jq)) halted(r, jq);
            if (jv_invalid_has_msg(jv_copy(v))) failure(r, v);
            else jv_free(v);
            return;
        }
        result_add(r, v);
        if (!r->out.overflow) continue;
        buf_reset(&r->error);
        buf_printf(&r->error, "the output is longer than HELPER_OUTPUT_MAX (%d bytes)", HELPER_OUTPUT_MAX);
        return;
    }
}

static void run(struct running *r, struct str program, struct str input)
{
    struct buf text CLEANUP(buf_fini);
    jv value = sorted(jv_parse_sized(input.p, (int)input.n));
    jq_state *jq = jq_init();
    if (!jq) _exit(1);
    jq_set_error_cb(jq, note_error, r);
    jq_set_input_cb(jq, no_input, NULL);
    jq_set_debug_cb(jq, no_debug, NULL);
    jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
    buf_init(&text, 8 * (size_t)HELPER_PROGRAM_MAX);
    buf_str(&text, STR(prelude));
    bool exact = jq_text_adapt(&text, program);
    buf_char(&text, '\0');
    if (!jv_is_valid(value)) failure(r, value);
    else if (memchr(program.p, 0, program.n)) buf_str(&r->error, STR("a NUL byte in the program")), jv_free(value);
    else if (!exact) buf_str(&r->error, STR(TOO_LARGE)), jv_free(value);
    else if (jq_compile(jq, text.p)) execute(r, jq, value);
    else {
        if (!r->error.n) buf_str(&r->error, STR("the program cannot be compiled"));
        jv_free(value);
    }
    jq_teardown(&jq);
}

/* ---- the stream ---- */

static bool send_all(struct str bytes)
{
    while (bytes.n) {
        ssize_t n = send(0, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

static bool serve(struct str program, struct str input, uint32_t id)
{
    struct running r;
    struct buf reply;
    buf_init(&r.out, HELPER_OUTPUT_MAX);
    buf_init(&r.error, 16 << 10);
    buf_init(&reply, HELPER_OUTPUT_MAX + sizeof(struct helper_reply));
    cpu_allow(HELPER_TIME_MS);
    run(&r, program, input);
    cpu_allow(0);
    bool failed = r.error.n > 0;
    helper_reply_write(&reply, id, failed ? HELPER_FAILED : HELPER_DONE, buf_view(failed ? &r.error : &r.out));
    bool ok = send_all(buf_view(&reply));
    buf_fini(&r.out);
    buf_fini(&r.error);
    buf_fini(&reply);
    return ok;
}

/* False: the stream is over or makes no sense. */
static bool next(struct buf *in)
{
    struct helper_request head;
    struct str program, input;
    size_t used;
    for (;;) {
        enum helper_read how = helper_request_read(buf_view(in), &head, &program, &input, &used);
        if (how == HELPER_BAD) return false;
        if (how == HELPER_WHOLE) break;
        char *room = buf_room(in, READ_BYTES);
        ssize_t n = room ? read(0, room, READ_BYTES) : -1;
        if (n < 0 && room && errno == EINTR) continue;
        if (n <= 0) return false;
        buf_added(in, (size_t)n);
    }
    bool ok = used == in->n && serve(program, input, head.id);
    buf_fini(in);
    buf_init(in, (size_t)HELPER_PROGRAM_MAX + HELPER_INPUT_MAX + sizeof head + READ_BYTES);
    return ok;
}

int main(void)
{
    struct buf in;
    confine();
    buf_init(&in, (size_t)HELPER_PROGRAM_MAX + HELPER_INPUT_MAX + sizeof(struct helper_request) + READ_BYTES);
    while (next(&in)) continue;
    buf_fini(&in);
    return 0;
}
