/* What was said last of every node is remembered, so that repeated states make no line. */
#include "cli/plain.h"

#include "base/map.h"
#include "base/rfc3339.h"
#include "cli/change.h"
#include "cli/human.h"
#include "cli/text.h"
#include "cli/wf.h"

struct seen {
    const struct icon *icon; /* state shown last; NULL: none */
    int64_t running_us;      /* when RUNNING was seen; 0: not */
    uint64_t message_hash;
    bool known;              /* not its first change */
};

struct plain {
    struct style style;
    int tz_s;
    struct arena a;
    struct map workflows, nodes; /* workflow name, node id → struct seen */
};

struct plain *plain_new(struct style style, int tz_s)
{
    struct plain *p = mem_zalloc(sizeof *p);
    p->style = style;
    p->tz_s = tz_s;
    arena_init(&p->a);
    return p;
}

void plain_free(struct plain *p)
{
    if (!p) return;
    map_fini(&p->workflows);
    map_fini(&p->nodes);
    arena_fini(&p->a);
    free(p);
}

static struct seen *seen_of(struct plain *p, struct map *map, struct str key)
{
    struct seen *s = map_ptr(map, key);
    if (!s) {
        s = ARENA_NEW(&p->a, struct seen);
        map_set_ptr(map, str_dup(&p->a, key), s);
    }
    return s;
}

static bool icon_ends(const struct icon *i)
{
    return i->plain[0] && strcmp(i->plain, "PENDING") != 0 && strcmp(i->plain, "RUNNING") != 0 &&
           strcmp(i->plain, "SUSPENDED") != 0;
}

static void clock_put(struct buf *b, int64_t us, int tz_s)
{
    struct civil c = civil_from_us(us + tz_s * 1000000LL);
    int64_t ms = us / 1000 % 1000;
    buf_printf(b, "%02d:%02d:%02d.%03d", c.hour, c.minute, c.second, (int)(ms < 0 ? ms + 1000 : ms));
}

struct line {
    struct str label, message;
    const struct icon *icon;
    int64_t at_us, took_us; /* took_us -1: not shown */
    bool coarse;            /* took_us is in whole seconds */
};

static void line_put(const struct plain *p, const struct line *l, struct buf *out)
{
    clock_put(out, l->at_us, p->tz_s);
    buf_char(out, ' ');
    text_clean(out, l->label);
    buf_char(out, ' ');
    style_put(out, &p->style, l->icon->role, str_of(l->icon->plain));
    if (l->took_us >= 0) {
        buf_char(out, ' ');
        if (l->coarse) human_short(out, l->took_us);
        else human_exact(out, l->took_us);
    }
    if (l->message.n) {
        buf_str(out, STR(": "));
        text_clean(out, l->message);
    }
    buf_char(out, '\n');
}

/* Measured from RUNNING as it was seen (milliseconds), else from the object's whole seconds. */
static int64_t took(const struct seen *s, const struct val *v, int64_t at_us)
{
    int64_t started = wf_time(v, "startedAt"), finished = wf_time(v, "finishedAt");
    if (s->running_us) return MAX(at_us - s->running_us, 0);
    return started && finished ? MAX(finished - started, 0) : -1;
}

/* Times in objects are whole seconds: what was seen is finer, unless the first sight is of an old story. */
static int64_t begun(int64_t started_us, int64_t seen_us)
{
    return started_us && seen_us - started_us > 2000000 ? started_us : seen_us;
}

static bool worth_a_line(const struct seen *s, const struct icon *i, struct str message)
{
    if (!i->plain[0]) return false;
    bool pending = strcmp(i->plain, "PENDING") == 0;
    if (pending) return message.n > 0 && s->message_hash != str_hash(message);
    return s->icon != i;
}

static bool state_feed(struct plain *p, struct seen *s, struct line l, const struct val *v, struct buf *out)
{
    bool first = !s->known;
    s->known = true;
    if (!worth_a_line(s, l.icon, l.message)) return false;
    bool ends = icon_ends(l.icon);
    l.coarse = !s->running_us;
    l.took_us = ends && l.icon->role != STYLE_SKIPPED ? took(s, v, l.at_us) : -1;
    if (!ends && !s->running_us && strcmp(l.icon->plain, "PENDING") != 0)
        s->running_us = begun(first ? wf_time(v, "startedAt") : 0, l.at_us);
    s->icon = l.icon;
    s->message_hash = str_hash(l.message);
    line_put(p, &l, out);
    return l.icon->role == STYLE_FAILED;
}

bool plain_feed(struct plain *p, const struct val *v, int64_t now_us, struct buf *out)
{
    struct change c;
    if (!change_read(v, &c)) return false;
    int64_t at = c.time_us ? c.time_us : now_us;
    if (c.status) {
        struct line l = {c.workflow, val_get_str(c.status, "message"), icon_of(val_get_str(c.status, "phase")), at, -1};
        state_feed(p, seen_of(p, &p->workflows, c.workflow), l, c.status, out);
        return false;
    }
    if (!change_node_is_leaf(c.node)) return false;
    struct line l = {change_node_label(c.workflow, c.node), val_get_str(c.node, "message"),
                     icon_of(change_node_phase(c.node)), at, -1};
    return state_feed(p, seen_of(p, &p->nodes, val_get_str(c.node, "id")), l, c.node, out);
}
