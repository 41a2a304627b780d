/* See web_lines.h. What libcurl hands over is kept until the loop's next turn: whoever gets a line may cancel, or ask for
 * something else. */
#include "net/web_lines.h"

#include "base/limits.h"
#include "net/exchange_p.h"

struct web_lines {
    struct web_lines_opts o;
    struct web_call *call; /* NULL: it is over */
    struct loop_timer *turn;
    struct buf bytes; /* not told yet; whole lines first */
    struct arena arena;
    struct web_reply reply;
    bool failed, told, busy, cancelled;
    struct err e;
};

static void lines_free(struct web_lines *w)
{
    web_call_cancel(w->call);
    loop_timer_free(w->turn);
    buf_fini(&w->bytes);
    arena_fini(&w->arena);
    free(w);
}

void web_lines_cancel(struct web_lines *w)
{
    if (!w) return;
    w->cancelled = true;
    if (!w->busy) lines_free(w); /* else on_turn does */
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct web_lines *w = user;
    (void)head;
    buf_str(&w->bytes, piece);
    if (str_find_char(piece, '\n', 0) >= 0) loop_timer_arm_us(w->turn, 0); /* a long line is looked through once, when it is whole */
    return !w->bytes.overflow || err_set(e, ERR_LIMIT, "a line of the stream is larger than %d bytes", LIMIT_HTTP_LINE_BYTES);
}

static void on_end(void *user, const struct web_reply *reply, const struct err *e)
{
    struct web_lines *w = user;
    w->call = NULL;
    w->failed = e != NULL;
    if (e) w->e = *e;
    if (reply) reply_copy(&w->arena, reply, &w->reply);
    loop_timer_arm_us(w->turn, 0);
}

/* What was told goes, what is left of a line stays. */
static void lines_tell(struct web_lines *w)
{
    struct str line, rest = buf_view(&w->bytes);
    while (!w->cancelled && str_cut(rest, '\n', &line, &rest)) w->o.on_line(w->o.user, line);
    if (w->cancelled) return;
    size_t left = line.n;
    if (left && line.p != w->bytes.p) memmove(w->bytes.p, line.p, left);
    w->bytes.n = left;
}

static void on_turn(void *user)
{
    struct web_lines *w = user;
    w->busy = true;
    if (w->bytes.n) lines_tell(w);
    if (!w->cancelled && !w->call) w->o.on_done(w->o.user, w->failed ? NULL : &w->reply, w->failed ? &w->e : NULL);
    w->busy = false;
    if (w->cancelled || !w->call) lines_free(w);
}

struct web_lines *web_lines_new(struct loop *l, struct web_client *c, const struct web_lines_opts *o, struct err *e)
{
    struct web_lines *w = mem_zalloc(sizeof *w);
    struct web_request r = *o->request;
    w->o = *o;
    w->o.request = NULL;
    arena_init(&w->arena);
    buf_init(&w->bytes, LIMIT_HTTP_LINE_BYTES);
    w->turn = loop_timer_new(l, on_turn, w);
    r.on_piece = on_piece;
    r.piece_user = w;
    r.max_bytes = UINT64_MAX;
    r.stall_s = -1;
    if ((w->call = web_call_new(c, &r, on_end, w, e))) return w;
    lines_free(w);
    return NULL;
}
