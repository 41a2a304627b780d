/* step: wire forms against damage, the log's lines and masks, trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/io_p.h"
#include "step/journal_p.h"
#include "step/nets.h"
#include "step/past.h"
#include "step/proto_p.h"
#include "step/step_result.h"
#include "step/step_spec.h"
#include "step/steplog_p.h"

static struct step_spec full_spec(void)
{
    static struct step_bind binds[] = {{STR("/a"), STR("/b"), STR("sub/path"), true, false}};
    static struct step_input inputs[] = {{STR("/s"), STR_NONE, STR("/in"), STR("/sh"), 9, 0700, true},
                                         {STR_NONE, STR("x\0y"), STR("/raw"), STR_NONE, 0, -1, false}};
    static struct step_tmpfs tmpfs[] = {{STR("/t"), 4096, true}};
    static struct step_file files[] = {{STR("/f"), STR("a\0b"), 0755, true, true}};
    static int64_t groups[] = {7, 8};
    static struct step_output outs[] = {{STR("o"), STR("/o"), true}};
    static struct step_rlimit limits[] = {{7, 10, 20}};
    static struct str argv[] = {STR("sh"), STR("")}, env[] = {STR("A=b=c")}, masks[] = {STR("secret")};
    struct step_spec s;
    step_spec_init(&s);
    s.id = 77;
    s.tier = STEP_TIER_RO;
    s.argv = (struct step_strs){argv, 2};
    s.env = (struct step_strs){env, 1};
    s.masks = (struct step_strs){masks, 1};
    s.binds.items = binds;
    s.inputs.items = inputs;
    s.inputs.n = 2;
    s.tmpfs.items = tmpfs;
    s.files.items = files;
    s.params.items = s.artifacts.items = outs;
    s.rlimits.items = limits;
    s.binds.n = s.tmpfs.n = s.files.n = s.params.n = s.artifacts.n = s.rlimits.n = 1;
    s.uid = 5;
    s.limits = (struct step_limits){.memory_bytes = 1 << 20, .cpu_milli = 2, .share_milli = 3, .pids = 4};
    s.limits.groups[STEP_GROUP_MEMORY].dir = STR(STEP_GROUPS_TOP "/m");
    s.limits.groups[STEP_GROUP_MEMORY].unified = true;
    s.groups.items = groups;
    s.groups.n = 2;
    s.address = STR("10.0.0.1");
    s.root_read_only = true;
    return s;
}

static void a_spec_survives_the_wire(void **state)
{
    struct err e;
    struct arena a;
    struct buf b, again;
    struct step_spec s = full_spec(), got;
    arena_init(&a);
    buf_init(&b, LIMIT_STEP_SPEC_BYTES);
    buf_init(&again, LIMIT_STEP_SPEC_BYTES);
    assert_true(step_spec_encode(&s, &b, &e));
    assert_true(step_spec_decode(&a, buf_view(&b), &got, &e));
    assert_int_equal(got.id, 77);
    assert_int_equal(got.files.items[0].content.n, 3);
    assert_int_equal(got.inputs.items[0].mode, 0700);
    assert_int_equal(got.inputs.items[1].mode, -1);
    assert_true(str_is(got.inputs.items[0].shared, "/sh"));
    assert_true(str_is(got.env.items[0], "A=b=c"));
    assert_true(got.groups.n == 2 && got.groups.items[1] == 8);
    assert_false(str_set(got.cwd));
    assert_true(got.limits.memory_bytes == 1 << 20 && got.limits.cpu_milli == 2 && got.limits.share_milli == 3 && got.limits.pids == 4);
    assert_true(str_is(got.limits.groups[STEP_GROUP_MEMORY].dir, STEP_GROUPS_TOP "/m") && got.limits.groups[STEP_GROUP_MEMORY].unified);
    assert_false(str_set(got.limits.groups[STEP_GROUP_CPU].dir));
    assert_true(step_spec_encode(&got, &again, &e));
    assert_true(str_eq(buf_view(&b), buf_view(&again)));
    buf_fini(&b);
    buf_fini(&again);
    arena_fini(&a);
}

/* Every cut is refused; every changed byte gives an error or a spec that passes its own check. */
static void damage_is_never_trusted(void **state)
{
    struct err e;
    struct arena a;
    struct buf b;
    struct step_spec s = full_spec(), got;
    arena_init(&a);
    buf_init(&b, LIMIT_STEP_SPEC_BYTES);
    assert_true(step_spec_encode(&s, &b, &e));
    for (size_t n = 0; n < b.n; n++) {
        char *copy = mem_alloc(n ? n : 1); /* exact, so that ASan sees a read past it */
        memcpy(copy, b.p, n);
        assert_false(step_spec_decode(&a, str_n(copy, n), &got, &e));
        free(copy);
    }
    for (size_t i = 0; i < b.n; i++)
        for (int bit = 0; bit < 256; bit += 51) {
            char old = b.p[i];
            b.p[i] = (char)(old ^ (bit ? bit : 1));
            if (step_spec_decode(&a, buf_view(&b), &got, &e)) assert_true(step_spec_check(&got, &e));
            b.p[i] = old;
            arena_reset(&a);
        }
    buf_fini(&b);
    arena_fini(&a);
}

static void bad_specs_are_refused(void **state)
{
    struct err e;
    struct step_spec s = full_spec();
    s.argv.n = 0;
    assert_false(step_spec_check(&s, &e));
    static const char *const names[] = {"", ".", "..", "a/b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct step_output o = {str_of(names[i]), STR("/x"), false};
        s = full_spec();
        s.artifacts.items = &o;
        assert_false(step_spec_check(&s, &e));
    }
    static const char *const paths[] = {"", "a", "/..", "/a/..", "/mnt/../../x", "/a/../b"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct str path = str_of(paths[i]);
        struct step_output o = {STR("o"), path, false};
        struct step_bind b = {.source = STR("/s"), .target = path};
        struct step_input in = {.source = STR("/s"), .target = path};
        struct step_tmpfs t = {.path = path};
        struct step_file f = {.path = path};
        struct step_spec each[8];
        for (size_t k = 0; k < ARRAY_LEN(each); k++) each[k] = full_spec();
        each[0].params.items = each[1].artifacts.items = &o;
        each[2].binds.items = &b;
        each[3].inputs.items = &in;
        each[3].inputs.n = 1;
        each[4].tmpfs.items = &t;
        each[5].files.items = &f;
        each[6].writable = (struct step_strs){&path, 1};
        each[7].cwd = path;
        for (size_t k = 0; k < ARRAY_LEN(each); k++)
            if (step_spec_check(&each[k], &e)) fail_msg("%s at %zu", paths[i], k);
    }
    s = full_spec();
    struct str fine = STR("/a/..b/.c/...");
    s.writable = (struct step_strs){&fine, 1};
    assert_true(step_spec_check(&s, &e));
    s = full_spec();
    s.tier = STEP_TIER_IMAGE;
    assert_false(step_spec_check(&s, &e));
    s = full_spec();
    struct str env = STR("=x");
    s.env = (struct step_strs){&env, 1};
    assert_false(step_spec_check(&s, &e));
    static const char *const groups[] = {"/etc", STEP_GROUPS_TOP, STEP_GROUPS_TOP "/../x", STEP_GROUPS_TOP "x/y"};
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        s = full_spec();
        s.limits.groups[STEP_GROUP_CPU].dir = str_of(groups[i]);
        assert_false(step_spec_check(&s, &e));
    }
}

static char base[64];

static int setup(void **state)
{
    snprintf(base, sizeof base, "/tmp/skiff-step-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state) { return io_remove_tree(AT_FDCWD, base) ? 0 : -1; }

static void networks_are_read(void **state)
{
    static const char *const bad[] = {"", "10.0.0.0", "10.0.0.0/", "10.0.0/16", "10.0.0.0.0/16", "10.0.0.256/16", "10.1.0.1/16", "10.0.0.0/7", "10.0.0.0/29", "::/16"};
    struct subnet s;
    struct err e;
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(subnet_parse(str_of(bad[i]), &s, &e));
    assert_true(subnet_parse(STR("172.16.32.0/20"), &s, &e));
    assert_string_equal(subnet_address(&a, &s, 1).p, "172.16.32.1");
    assert_string_equal(subnet_address(&a, &s, 0x0ffe).p, "172.16.47.254");
    arena_fini(&a);
}

/* Descriptors arrive with a body of any size; where nobody wants them none stays open. */
static void descriptors_come_along(void **state)
{
    struct err e;
    struct arena a;
    int ends[2], sent = open("/dev/null", O_RDONLY | O_CLOEXEC), passed[PROTO_PASSED];
    arena_init(&a);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t bytes = 5; bytes < 4 * PROTO_INLINE_BYTES; bytes *= PROTO_INLINE_BYTES / 2) {
        char *text = arena_alloc(&a, bytes);
        memset(text, 'x', bytes);
        for (int wanted = 0; wanted < 2; wanted++) {
            struct proto_head h = {.kind = PROTO_START}, got;
            struct str body;
            assert_true(proto_send(ends[0], &h, str_n(text, bytes), (int[PROTO_PASSED]){sent, -1}, &e));
            assert_int_equal(proto_recv(ends[1], &a, &got, &body, wanted ? passed : NULL), PROTO_MESSAGE);
            assert_int_equal(body.n, bytes);
            if (!wanted) continue;
            assert_true(passed[0] >= 0 && passed[1] == -1);
            close(passed[0]);
        }
    }
    int next = dup(sent);
    assert_int_equal(next, ends[1] + 1); /* the lowest that is free */
    close(next);
    close(sent);
    close(ends[0]);
    close(ends[1]);
    arena_fini(&a);
}

static void a_damaged_result_is_refused(void **state)
{
    struct err e;
    struct arena a;
    struct buf b;
    struct step_param_out params[] = {{.name = STR("p"), .found = true, .value = STR("v")}};
    struct step_result r = {.id = 9, .end = STEP_END_SIGNAL, .signo = 9, .error = STR("x"), .result = STR("out"),
                            .has_result = true, .params = {params, 1}}, got;
    arena_init(&a);
    buf_init(&b, 1 << 20);
    assert_true(step_result_encode(&r, &b, &e));
    assert_true(step_result_decode(&a, buf_view(&b), &got, &e));
    assert_int_equal(step_result_status(&got), 137);
    assert_true(str_is(got.params.items[0].value, "v"));
    for (size_t i = 0; i < b.n; i++) {
        char *copy = mem_alloc(b.n);
        memcpy(copy, b.p, b.n);
        copy[i] ^= 1;
        assert_false(step_result_decode(&a, str_n(copy, b.n), &got, &e));
        assert_false(step_result_decode(&a, str_n(b.p, i), &got, &e));
        free(copy);
    }
    buf_fini(&b);
    arena_fini(&a);
}

/* What a supervisor of the version before has left: the same but for the last member. */
static void an_older_result_is_read(void **state)
{
    struct err e;
    struct arena a;
    struct buf b;
    struct step_result r = {.id = 9, .end = STEP_END_EXIT, .exit_code = 3, .memory_limit = 7}, got;
    enum { HEAD = 16 };
    (void)state;
    arena_init(&a);
    buf_init(&b, 1 << 20);
    assert_true(step_result_encode(&r, &b, &e));
    assert_true(step_result_decode(&a, buf_view(&b), &got, &e) && got.memory_limit == 7);
    b.n -= 8;
    b.p[4] = 1;
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = HEAD; i < b.n; i++) sum = (sum ^ (uint8_t)b.p[i]) * 0x100000001b3;
    for (int i = 0; i < 8; i++) b.p[8 + i] = (char)(uint8_t)(sum >> (8 * i));
    assert_true(step_result_decode(&a, buf_view(&b), &got, &e));
    assert_true(got.exit_code == 3 && got.memory_limit == 0);
    b.p[4] = 3;
    assert_false(step_result_decode(&a, buf_view(&b), &got, &e));
    buf_fini(&b);
    arena_fini(&a);
}

/* A journal cut anywhere gives its whole records, and no other. */
static void a_torn_journal_gives_its_whole_records(void **state)
{
    struct err e;
    struct arena a;
    struct str bytes;
    struct journal_record r;
    char name[JOURNAL_NAME_MAX];
    int fd = journal_new(str_of(base), name, true, &e), dir = journal_dir(str_of(base));
    arena_init(&a);
    assert_true(journal_begin(fd, 1, false) && journal_end(fd, 1, STR("result of 1"), true) && journal_begin(fd, 2, false));
    assert_true(io_read_file(&a, dir, name, 1 << 20, &bytes));
    size_t head = (bytes.n - 11) / 3;
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        size_t at = 0, n = 0, want = (cut >= head) + (cut >= 2 * head + 11) + (cut >= bytes.n);
        while (journal_next(str_sub(bytes, 0, cut), &at, &r)) n++;
        assert_int_equal(n, want);
    }
    for (size_t i = 0; i < head; i++) {
        char *copy = mem_alloc(bytes.n);
        size_t at = 0;
        memcpy(copy, bytes.p, bytes.n);
        copy[i] ^= 1;
        assert_false(journal_next(str_n(copy, bytes.n), &at, &r));
        free(copy);
    }
    close(fd);
    close(dir);
    arena_fini(&a);
}

static void the_past_tells_what_became_of_steps(void **state)
{
    struct err e;
    struct arena a;
    struct buf b;
    struct slot *slot;
    struct step_result r = {.id = 1, .end = STEP_END_EXIT, .exit_code = 4}, got;
    char dead[JOURNAL_NAME_MAX], alive[JOURNAL_NAME_MAX];
    arena_init(&a);
    buf_init(&b, 1 << 20);
    assert_true(step_result_encode(&r, &b, &e));
    int one = journal_new(str_of(base), dead, false, &e), two = journal_new(str_of(base), alive, false, &e);
    assert_true(journal_begin(one, 1, false) && journal_end(one, 1, buf_view(&b), false) && journal_begin(one, 2, false));
    assert_true(journal_begin(two, 3, false));
    close(one); /* its supervisor is dead */
    struct past *p = past_open(str_of(base), &e);
    assert_int_equal(past_find(p, &a, 1, &slot, &got, &e), ADOPT_FINISHED);
    assert_int_equal(got.exit_code, 4);
    assert_int_equal(past_find(p, &a, 2, &slot, &got, &e), ADOPT_LOST);
    assert_int_equal(past_find(p, &a, 3, &slot, &got, &e), ADOPT_BUSY);
    assert_int_equal(past_find(p, &a, 4, &slot, &got, &e), ADOPT_BUSY); /* the other one might begin it */
    close(two);
    past_refresh(p);
    assert_int_equal(past_find(p, &a, 3, &slot, &got, &e), ADOPT_LOST);
    assert_int_equal(past_find(p, &a, 4, &slot, &got, &e), ADOPT_NEVER);
    past_forget_dead(p);
    int dir = journal_dir(str_of(base));
    assert_int_not_equal(faccessat(dir, dead, F_OK, 0), 0);
    assert_int_not_equal(faccessat(dir, alive, F_OK, 0), 0);
    close(dir);
    past_close(p);
    buf_fini(&b);
    arena_fini(&a);
}

/* The texts of main.log's records, "F:text|P:text|". */
static void log_texts(struct buf *out)
{
    struct arena a;
    struct str text, line;
    arena_init(&a);
    int dir = open(base, O_RDONLY | O_DIRECTORY);
    assert_true(io_read_file(&a, dir, "main.log", 1 << 20, &text));
    close(dir);
    while (str_cut(text, '\n', &line, &text)) {
        assert_int_equal(line.p[29], 'Z');
        buf_printf(out, "%c:%.*s|", line.p[38], STR_ARG(str_from(line, 40)));
    }
    assert_int_equal(line.n, 0);
    arena_fini(&a);
}

static void secrets_are_masked_across_reads(void **state)
{
    static const char text[] = "a secret, secsecret, seecret\nmulti\nline x\rs secre";
    struct str masks[] = {STR("secret"), STR("multi\nline"), STR(""), STR("secretx")};
    struct step_spec spec;
    step_spec_init(&spec);
    spec.masks = (struct step_strs){masks, ARRAY_LEN(masks)};
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        struct steplog l;
        struct buf got;
        buf_init(&got, 1 << 20);
        struct step_dir dir = {base, -1};
        steplog_init(&l, &dir, &spec);
        steplog_feed(&l, STEPLOG_OUT, text, cut);
        steplog_feed(&l, STEPLOG_OUT, text + cut, sizeof text - 1 - cut);
        steplog_end(&l);
        log_texts(&got);
        assert_string_equal(got.p, "F:a ***, sec***, seecret|F:*** x\rs secre|");
        steplog_fini(&l);
        buf_fini(&got);
        unlinkat(dir.fd, "main.log", 0);
        step_dir_close(&dir);
    }
}

static void long_lines_are_split_and_tails_kept(void **state)
{
    struct steplog l;
    struct step_spec spec;
    bool cut;
    step_spec_init(&spec);
    spec.capture_result = true;
    struct step_dir dir = {base, -1};
    steplog_init(&l, &dir, &spec);
    static char big[LIMIT_LOG_LINE_BYTES];
    memset(big, 'x', sizeof big);
    steplog_feed(&l, STEPLOG_OUT, big, sizeof big);
    steplog_feed(&l, STEPLOG_OUT, "y\n\n", 3);
    struct str tail = steplog_result(&l, &cut);
    assert_int_equal(tail.n, sizeof big + 2); /* one newline is dropped, not two */
    assert_false(cut);
    for (int i = 0; i < 40; i++) steplog_feed(&l, STEPLOG_OUT, big, sizeof big);
    steplog_feed(&l, STEPLOG_OUT, "end\n", 4);
    tail = steplog_result(&l, &cut);
    assert_true(cut);
    assert_int_equal(tail.n, LIMIT_RESULT_BYTES - 1);
    assert_true(str_ends(tail, STR("xend")));
    steplog_end(&l);
    struct buf got;
    buf_init(&got, 1 << 24);
    log_texts(&got);
    assert_int_equal(got.p[0], 'P');
    assert_int_equal(str_find(buf_view(&got), STR("|F:y|F:|P:x"), 0), LIMIT_LOG_LINE_BYTES + 2);
    buf_fini(&got);
    steplog_fini(&l);
    step_dir_close(&dir);
}

static void a_log_stops_at_its_size(void **state)
{
    struct steplog l;
    struct step_spec spec;
    struct buf got;
    step_spec_init(&spec);
    spec.log_max_bytes = 200;
    struct step_dir dir = {base, -1};
    steplog_init(&l, &dir, &spec);
    for (int i = 0; i < 100; i++) steplog_feed(&l, STEPLOG_ERR, "0123456789\n", 11);
    steplog_end(&l);
    assert_true(l.cut);
    buf_init(&got, 1 << 20);
    log_texts(&got);
    assert_true(got.n < 200);
    assert_true(str_find(buf_view(&got), STR("log cut"), 0) > 0);
    buf_fini(&got);
    steplog_fini(&l);
    step_dir_close(&dir);
}

/* The program run by hand, as the kernel would. */
static void trees_are_copied_without_following(void **state)
{
    struct io_copy how = {.mode = -1, .uid = -1, .gid = -1};
    int dir = open(base, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(dir, "src", 0755), 0);
    int src = openat(dir, "src", O_RDONLY | O_DIRECTORY);
    int file = openat(src, "file", O_WRONLY | O_CREAT, 0644);
    assert_true(io_write_all(file, "12345", 5));
    close(file);
    assert_int_equal(symlinkat("/etc/passwd", src, "link"), 0);
    assert_int_equal(mkfifoat(src, "fifo", 0600), 0);
    assert_true(io_copy_tree(src, dir, "dst", &how));
    assert_int_equal(how.bytes, 5);
    char to[64];
    assert_int_equal(readlinkat(dir, "dst/link", to, sizeof to), 11);
    assert_int_equal(faccessat(dir, "dst/fifo", F_OK, 0), -1);
    assert_true(io_remove_tree(dir, "dst"));
    struct stat st;
    how = (struct io_copy){.mode = 0500, .add_mode = 0200, .uid = -1, .gid = -1, .max_entries = 3};
    assert_true(io_copy_tree(src, dir, "dst", &how));
    assert_int_equal(fstatat(dir, "dst", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(fstatat(dir, "dst/file", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    how.entries = 0;
    how.max_entries = 1;
    assert_false(io_copy_tree(src, dir, "few", &how));
    assert_int_equal(errno, E2BIG);
    close(src);
    close(dir);
}

/* Deeper than it is removed in one go, closed to its owner, with names in the way. */
static void make_deep(const char *path)
{
    int at = open(path, O_RDONLY | O_DIRECTORY), next;
    assert_int_equal(mkdirat(at, ".deep-0", 0755), 0);
    assert_int_equal(mkdirat(at, ".deep-0/full", 0555), 0);
    next = openat(at, ".deep-1", O_WRONLY | O_CREAT, 0644);
    close(next);
    for (int i = 0; i < LIMIT_STEP_TREE_DEPTH + 100; i++, at = next) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(openat(next, "file", O_WRONLY | O_CREAT, 0600));
        assert_int_equal(fchmod(at, i % 2 ? 0555 : 0), 0);
        close(at);
    }
    close(at);
}

static void deep_trees_are_removed_by_their_owner(void **state)
{
    int status;
    if (geteuid() == 0) assert_int_equal(chmod(base, 0777), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(240); /* one that never ends is what this is about */
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(2);
        char path[80];
        snprintf(path, sizeof path, "%s/deep", base);
        if (mkdir(path, 0755) != 0) _exit(3);
        make_deep(path);
        _exit(io_remove_tree(AT_FDCWD, path) && access(path, F_OK) != 0 ? 0 : 4);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_survives_the_wire),
        cmocka_unit_test(damage_is_never_trusted),
        cmocka_unit_test(bad_specs_are_refused),
        cmocka_unit_test(networks_are_read),
        cmocka_unit_test(descriptors_come_along),
        cmocka_unit_test(a_damaged_result_is_refused),
        cmocka_unit_test(an_older_result_is_read),
        cmocka_unit_test_setup_teardown(a_torn_journal_gives_its_whole_records, setup, teardown),
        cmocka_unit_test_setup_teardown(the_past_tells_what_became_of_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_are_masked_across_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_are_split_and_tails_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_stops_at_its_size, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_are_copied_without_following, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_trees_are_removed_by_their_owner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
