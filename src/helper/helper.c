/* The engine's side of the helper: a queue of calls, one at work. See helper.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/helper.h"
#include "helper/proto.h"
#include "os/fd.h"
#include "os/proc.h"

enum { READ_BYTES = 64 << 10 };

struct helper_call {
    struct helper *h;
    struct helper_call *next;
    struct buf request; /* the whole message */
    struct err failed;  /* it cannot be asked at all */
    uint32_t id;
    bool cancelled;
    helper_done_fn *done;
    void *user;
};

struct helper {
    struct loop *loop;
    char *program;
    struct loop_timer *timer; /* the next call is to start, or the one at work is late */
    struct helper_call *first, *last;
    bool busy;                /* `first` is at work */
    pid_t pid;
    int fd;
    struct loop_fd *watch;
    size_t sent;
    struct buf in;
    uint32_t last_id;
};

/* ---- the process ---- */

static bool spawn(struct helper *h, int peer, struct err *e)
{
    char *argv[] = {h->program, NULL}, *env[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    proc_spawnattr_init(&attr, POSIX_SPAWN_SETPGROUP); /* a Ctrl-C of the terminal is not for it */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, peer, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    errno = posix_spawn(&h->pid, h->program, &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (errno == 0) return true;
    h->pid = 0;
    return err_sys(e, "start '%s'", h->program);
}

static void on_ready(void *user, unsigned events);

static bool process_start(struct helper *h, struct err *e)
{
    int ends[2];
    if (h->pid) return true;
    if (!h->program) h->program = proc_program("skiff-helper");
    if (!h->program)
        return err_set(e, ERR_UNSUPPORTED, "jq programs need 'skiff-helper', which lies neither beside the program nor in "
                       "../libexec/skiff");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return err_sys(e, "socketpair");
    bool ok = spawn(h, ends[1], e);
    close(ends[1]);
    h->fd = ends[0];
    if (ok) ok = (h->watch = loop_fd_new(h->loop, h->fd, on_ready, h, e)) != NULL;
    if (ok) return true;
    close_fd(&h->fd);
    return false;
}

/* Its wait status. */
static int process_end(struct helper *h)
{
    int status = 0;
    loop_fd_free(h->watch);
    h->watch = NULL;
    close_fd(&h->fd);
    if (h->pid) {
        kill(h->pid, SIGKILL);
        while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    h->pid = 0;
    buf_reset(&h->in);
    return status;
}

/* ---- calls ---- */

static void call_free(struct helper_call *c)
{
    buf_fini(&c->request);
    free(c);
}

static void next_soon(struct helper *h)
{
    if (h->first && !h->busy) loop_timer_arm_us(h->timer, 0);
}

/* The call at work is over. What `done` does may start others. */
static void call_end(struct helper *h, struct str output, const struct err *e)
{
    struct helper_call *c = h->first;
    h->first = c->next;
    if (!h->first) h->last = NULL;
    h->busy = false;
    loop_timer_disarm(h->timer);
    next_soon(h);
    if (!c->cancelled) c->done(c->user, output, e);
    call_free(c);
}

/* The process cannot be used any more, and the call at work has no answer. */
static void broken(struct helper *h, const struct err *e)
{
    process_end(h);
    if (h->busy) call_end(h, STR_NONE, e);
}

static void died(struct helper *h)
{
    struct err e;
    int status = 0;
    if (h->pid) kill(h->pid, SIGKILL); /* one that has closed its end has ended, and how says why; or is to end */
    while (h->pid && waitpid(h->pid, &status, 0) < 0 && errno == EINTR) continue;
    h->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == HELPER_EXIT_MEMORY)
        err_set(&e, ERR_LIMIT, "the jq program needs more memory than HELPER_MEMORY_MIB (%d)", HELPER_MEMORY_MIB);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        err_set(&e, ERR_TIMEOUT, "the jq program did not end within %d ms of processor time", HELPER_TIME_MS);
    else
        err_set(&e, ERR_SPEC, "the jq program broke the process that ran it");
    broken(h, &e);
}

static void late(struct helper *h)
{
    struct err e;
    err_set(&e, ERR_TIMEOUT, "the jq program did not end within %d s", HELPER_WALL_MS / 1000);
    broken(h, &e);
}

static void send_some(struct helper *h)
{
    struct buf *b = &h->first->request;
    while (h->sent < b->n) {
        ssize_t n = send(h->fd, b->p + h->sent, b->n - h->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break; /* full, or gone: which reading tells */
        h->sent += (size_t)n;
    }
    loop_fd_watch(h->watch, LOOP_READ | (h->sent < b->n ? LOOP_WRITE : 0));
}

static void call_start(struct helper *h)
{
    struct helper_call *c = h->first;
    struct err e = c->failed;
    if (c->cancelled) {
        h->busy = true;
        call_end(h, STR_NONE, NULL);
        return;
    }
    h->busy = true;
    h->sent = 0;
    if (e.code || !process_start(h, &e)) {
        call_end(h, STR_NONE, &e);
        return;
    }
    loop_timer_arm_us(h->timer, HELPER_WALL_MS * 1000);
    send_some(h);
}

static void on_timer(void *user)
{
    struct helper *h = user;
    if (h->busy) late(h);
    else if (h->first) call_start(h);
}

static void answered(struct helper *h, const struct helper_reply *r, struct str text)
{
    struct err e;
    struct str output;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    bool ok = r->status == HELPER_DONE && helper_results_text(&a, text, &output, &e);
    if (r->status != HELPER_DONE) err_set(&e, ERR_SPEC, "jq: %.*s", STR_ARG(text));
    buf_reset(&h->in);
    loop_fd_watch(h->watch, LOOP_READ);
    call_end(h, ok ? output : STR_NONE, ok ? NULL : &e);
}

static void take(struct helper *h)
{
    struct helper_reply r;
    struct str text;
    struct err e;
    size_t used;
    enum helper_read how = helper_reply_read(buf_view(&h->in), &r, &text, &used);
    if (how == HELPER_MORE && !h->in.overflow && h->busy) return;
    if (how == HELPER_WHOLE && h->busy && r.id == h->first->id && used == h->in.n && h->sent == h->first->request.n) {
        answered(h, &r, text);
        return;
    }
    err_set(&e, ERR_SPEC, "the process that runs jq programs answered nonsense");
    broken(h, &e);
}

static void on_ready(void *user, unsigned events)
{
    struct helper *h = user;
    char *room = buf_room(&h->in, READ_BYTES);
    ssize_t n = room ? read(h->fd, room, READ_BYTES) : 0; /* no room: more than any answer has */
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if ((events & LOOP_WRITE) && h->busy) send_some(h);
        return;
    }
    if (n <= 0) {
        died(h);
        return;
    }
    buf_added(&h->in, (size_t)n);
    take(h);
}

/* ---- from outside ---- */

struct helper *helper_new(struct loop *l, const char *program)
{
    struct helper *h = mem_zalloc(sizeof *h);
    h->loop = l;
    h->fd = -1;
    h->program = program ? mem_strdup(program) : NULL;
    h->timer = loop_timer_new(l, on_timer, h);
    buf_init(&h->in, HELPER_OUTPUT_MAX + sizeof(struct helper_reply) + 2 * READ_BYTES);
    return h;
}

void helper_free(struct helper *h)
{
    if (!h) return;
    process_end(h);
    while (h->first) {
        struct helper_call *c = h->first;
        h->first = c->next;
        call_free(c);
    }
    loop_timer_free(h->timer);
    buf_fini(&h->in);
    free(h->program);
    free(h);
}

static void check(struct helper_call *c, struct str program, struct str input)
{
    if (program.n > HELPER_PROGRAM_MAX)
        err_set(&c->failed, ERR_LIMIT, "the jq program is longer than HELPER_PROGRAM_MAX (%d bytes)", HELPER_PROGRAM_MAX);
    else if (input.n > HELPER_INPUT_MAX)
        err_set(&c->failed, ERR_LIMIT, "the input of the jq program is longer than HELPER_INPUT_MAX (%d bytes)",
                HELPER_INPUT_MAX);
}

struct helper_call *helper_jq(struct helper *h, struct str program, struct str input_json, helper_done_fn *done,
                              void *user)
{
    struct helper_call *c = mem_zalloc(sizeof *c);
    *c = (struct helper_call){.h = h, .id = ++h->last_id, .done = done, .user = user};
    buf_init(&c->request, (size_t)HELPER_PROGRAM_MAX + HELPER_INPUT_MAX + sizeof(struct helper_request));
    check(c, program, input_json);
    if (!c->failed.code) helper_request_write(&c->request, c->id, program, input_json);
    if (h->last) h->last->next = c;
    else h->first = c;
    h->last = c;
    next_soon(h);
    return c;
}

/* One at work is let go on: its answer is dropped, or it is late. */
void helper_cancel(struct helper_call *c)
{
    c->cancelled = true;
}

int helper_pid(const struct helper *h) { return (int)h->pid; }
