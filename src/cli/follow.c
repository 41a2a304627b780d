/* Following runs on the terminal: changes go to the live or the plain view, signals to the run. */
#include <errno.h>
#include <signal.h>

#include "base/limits.h"
#include "cli/change.h"
#include "cli/live.h"
#include "cli/plain.h"
#include "cli/session.h"
#include "cli/steplog.h"
#include "cli/wf.h"
#include "os/clock.h"

enum {
    STEPS_LOOK_US = 100000, /* how often new steps are looked for when logs are shown */
    LINES_BYTES = 32 << 10, /* of plain lines that wait for the end of the turn */
    FAILED_LOGS = 3,        /* failed steps whose last lines are shown after a live view */
};

struct session {
    struct cli *cli;
    struct service *service;
    const struct follow_opts *o;
    struct live *live;
    struct plain *plain;
    struct steplog *logs;
    struct loop_timer *frame, *look, *lost;
    struct loop_signal *signals[3];
    struct buf out;
    int signo, interrupts;
    bool done, failed;
    struct err e;
};

/* Whoever read the progress went away: as with Ctrl-C, yet not from inside a commit. */
static void reader_look(struct session *s)
{
    const struct cli_lost *lost = s->cli->lost;
    int why = s->o->fd == s->cli->env->out_fd ? lost->out : lost->err;
    if (why == EPIPE && !s->interrupts && s->lost) loop_timer_arm_us(s->lost, 0);
}

static void out_put(struct session *s)
{
    if (s->o->fd == s->cli->env->out_fd) cli_out(s->cli, buf_view(&s->out));
    else cli_err(s->cli, buf_view(&s->out));
    buf_reset(&s->out);
    reader_look(s);
}

/* Lines of one turn are written together. */
static void lines_put(void *user)
{
    struct session *s = user;
    if (s->plain && s->out.n) out_put(s);
}

/* --- views --- */

static void frame_arm(struct session *s)
{
    int64_t wait = live_next_us(s->live) - clock_now_us();
    loop_timer_arm_us(s->frame, MAX(wait, 0));
}

static void frame_draw(void *user)
{
    struct session *s = user;
    int rows, cols;
    term_size(s->o->fd, &rows, &cols);
    live_draw(s->live, clock_now_us(), rows, cols, &s->out);
    out_put(s);
    frame_arm(s);
}

static void frame_erase(struct session *s)
{
    int rows, cols;
    term_size(s->o->fd, &rows, &cols);
    live_erase(s->live, rows, cols, &s->out);
    out_put(s);
}

static const struct workflow_ref *ref_of(const struct session *s, struct str workflow)
{
    for (size_t i = 0; i < s->o->n; i++)
        if (str_eq(s->o->refs[i].name, workflow)) return &s->o->refs[i];
    return NULL;
}

static void plain_change(struct session *s, const struct val *v)
{
    struct change c;
    bool failed = plain_feed(s->plain, v, clock_now_us(), &s->out);
    if (failed && !s->logs && change_read(v, &c)) {
        const struct workflow_ref *ref = ref_of(s, c.workflow);
        struct str label = change_node_label(c.workflow, c.node);
        if (ref) steplog_tail(s->cli, s->service, ref, val_get_str(c.node, "id"), label, &s->out);
    }
    if (s->out.n >= LINES_BYTES) out_put(s);
    else if (s->out.n && !loop_timer_armed(s->frame)) loop_timer_arm_us(s->frame, 0);
}

static void change_seen(void *user, const struct val *v)
{
    struct session *s = user;
    if (s->live) {
        live_feed(s->live, v, clock_now_us());
        frame_arm(s);
    }
    if (s->plain) plain_change(s, v);
    if (s->logs) steplog_note(s->logs, v);
    if (s->look && !loop_timer_armed(s->look)) loop_timer_arm_us(s->look, STEPS_LOOK_US);
}

static void steps_look(void *user)
{
    struct session *s = user;
    lines_put(s);
    struct err ignored = {0}; /* a log that cannot be read now is tried again with the next change */
    steplog_refresh(s->logs, &ignored);
}

static void all_done(void *user, const struct err *e)
{
    struct session *s = user;
    s->done = true;
    if (e) {
        s->failed = true;
        s->e = *e;
    }
    loop_stop(service_loop(s->service));
}

/* --- signals --- */

static void say(struct session *s, const char *text)
{
    if (s->live) {
        live_notice(s->live, str_of(text));
        frame_arm(s);
    } else {
        lines_put(s);
        cli_note(s->cli, "%s", text);
    }
}

static void waits(void *user, size_t n)
{
    struct session *s = user;
    say(s, str_fmt(&s->cli->a, "waiting for %zu more, which its steps created; Ctrl-C leaves %s to the next engine", n,
                   n == 1 ? "it" : "them").p);
}

static void stop_all(struct session *s)
{
    for (size_t i = 0; i < s->o->n; i++) {
        struct err e = {0};
        if (!service_stop(s->service, s->o->refs[i].ns, s->o->refs[i].name, SERVICE_STOP, &e) && e.code != ERR_NOT_NOW)
            cli_note(s->cli, "%s", e.text);
    }
}

static void interrupted(struct session *s, int signo)
{
    s->signo = signo;
    s->interrupts++;
    if (s->o->on_interrupt == INTERRUPT_DETACH) {
        loop_stop(service_loop(s->service));
    } else if (s->interrupts == 1) {
        say(s, signo == SIGPIPE ? "nobody reads the output any more: stopping; exit handlers still run"
                                : "stopping: exit handlers still run; Ctrl-C again kills");
        stop_all(s);
    } else {
        service_abort(s->service);
        loop_stop(service_loop(s->service));
    }
}

static void on_lost(void *user)
{
    struct session *s = user;
    if (!s->interrupts && !s->done) interrupted(s, SIGPIPE);
}

static void on_int(void *user) { interrupted(user, SIGINT); }
static void on_term(void *user) { interrupted(user, SIGTERM); }
static void on_winch(void *user)
{
    struct session *s = user;
    if (s->live) loop_timer_arm_us(s->frame, 0);
}

/* --- beginning and end --- */

static bool session_begin(struct session *s, struct err *e)
{
    static const struct { int signo; loop_fn *fn; } rows[] = {{SIGINT, on_int}, {SIGTERM, on_term}, {SIGWINCH, on_winch}};
    struct loop *l = service_loop(s->service);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        s->signals[i] = loop_signal_new(l, rows[i].signo, rows[i].fn, s, e);
        if (!s->signals[i]) return false;
    }
    if (s->o->progress == PROGRESS_TTY && s->o->n == 1) s->live = live_new(term_style(s->cli, s->o->fd));
    else if (s->o->progress != PROGRESS_QUIET)
        s->plain = plain_new(term_style(s->cli, s->o->fd), term_tz_s(clock_now_us()));
    s->frame = loop_timer_new(l, s->live ? frame_draw : lines_put, s);
    s->lost = loop_timer_new(l, on_lost, s);
    if (!s->o->logs) return true;
    struct steplog_opts logs = {.tail = -1, .labels = true, .style = term_style(s->cli, s->o->fd), .fd = s->o->fd};
    s->logs = steplog_follow(s->cli, s->service, s->o->refs, s->o->n, &logs, e);
    s->look = s->logs ? loop_timer_new(l, steps_look, s) : NULL;
    return s->logs != NULL;
}

static void session_end(struct session *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++) loop_signal_free(s->signals[i]);
    loop_timer_free(s->frame);
    loop_timer_free(s->look);
    loop_timer_free(s->lost);
    steplog_free(s->logs);
    live_free(s->live);
    plain_free(s->plain);
    buf_fini(&s->out);
}

/* The last lines of the first steps that failed. */
static void failed_logs_put(struct session *s, const struct workflow_ref *ref, const struct val *wf)
{
    const struct val *nodes = val_path(wf, "status.nodes");
    int shown = 0;
    for (uint32_t i = 0; nodes && nodes->kind == VAL_MAP && i < nodes->n && shown < FAILED_LOGS; i++) {
        const struct val *node = &nodes->map[i].v;
        if (!change_node_is_leaf(node) || icon_of(val_get_str(node, "phase"))->role != STYLE_FAILED) continue;
        size_t before = s->out.n;
        steplog_tail(s->cli, s->service, ref, nodes->map[i].key, change_node_label(ref->name, node), &s->out);
        shown += s->out.n > before;
    }
}

/* What stays on the screen of a live view: the tree, the outcome, and why. */
static bool tree_put(struct session *s, struct err *e)
{
    const struct workflow_ref *ref = &s->o->refs[0];
    struct view_opts v;
    struct val wf;
    if (!cli_view_opts(s->cli, &v, e) || !service_get(&s->cli->a, s->service, ref->ns, ref->name, &wf, e)) return false;
    v.form = VIEW_DEFAULT;
    v.style = term_style(s->cli, s->o->fd);
    if (s->o->tree) view_workflow(&s->cli->a, &wf, &v, &s->out);
    if (wf_ended(&wf) && !str_is(wf_phase(&wf), "Succeeded")) failed_logs_put(s, ref, &wf);
    out_put(s);
    return true;
}

static bool session_finish(struct session *s, struct err *e)
{
    if (s->done && !s->failed) steplog_drain(s->logs);
    if (s->live) frame_erase(s);
    lines_put(s);
    if (s->failed) {
        *e = s->e;
        return false;
    }
    if (s->live && s->done && !tree_put(s, e)) return false;
    if (s->signo && s->o->on_interrupt == INTERRUPT_DETACH && !s->done)
        cli_note(s->cli, "detached: %.*s goes on", STR_ARG(s->o->refs[0].name));
    if (s->signo) {
        s->cli->exit_status = 128 + s->signo;
        return true;
    }
    return outcome_status(s->cli, s->service, s->o->refs, s->o->n, &s->cli->exit_status, e);
}

bool follow_run(struct cli *cli, struct service *service, const struct follow_opts *o, struct err *e)
{
    struct session s = {.cli = cli, .service = service, .o = o};
    buf_init(&s.out, LIMIT_SHOWN_BYTES);
    struct follow f = {.refs = o->refs, .n = o->n, .from_start = true, .on_change = change_seen, .on_wait = waits,
                       .on_done = all_done, .user = &s};
    bool ok = session_begin(&s, e) && service_follow(service, &f, e);
    if (ok) {
        loop_run(service_loop(service));
        if (!s.done) service_unfollow(service);
        ok = session_finish(&s, e);
    } else if (s.live) {
        frame_erase(&s);
    }
    session_end(&s);
    return ok;
}
