/* A party's part of status.synchronization (types.go SynchronizationStatus): semaphores list all
 * holders of a lock, mutexes have one. */
#include "engine/locks_p.h"

static bool is_mutex(const struct lock_line *line)
{
    return line->lock->name.kind == LOCK_MUTEX || line->lock->name.kind == LOCK_DB_MUTEX;
}

static void put_holders(struct buf *b, const struct lock_entry_held *held, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i) buf_char(b, ',');
        buf_json(b, held[i].claim->holder);
    }
}

/* {"semaphore": …, "holders": […]}, or {"mutex": …, "holder": …}. */
static void put_line(struct buf *b, const struct lock_line *line, bool waiting)
{
    const struct lock_entry_held *held = waiting ? line->lock->holders.items : line->held.items;
    size_t n = waiting ? line->lock->holders.n : line->held.n;
    bool mutex = is_mutex(line);
    buf_str(b, mutex ? STR("{\"mutex\":") : STR("{\"semaphore\":"));
    buf_json(b, line->lock->text);
    if (n) {
        buf_str(b, mutex ? STR(",\"holder\":") : STR(",\"holders\":["));
        put_holders(b, held, mutex ? 1 : n);
        if (!mutex) buf_char(b, ']');
    }
    buf_char(b, '}');
}

/* A mutex that nobody holds is not shown as waited for. */
static bool shows(const struct lock_line *line, bool mutex, bool waiting)
{
    if (is_mutex(line) != mutex) return false;
    if (!waiting) return line->held.n;
    return line->groups.n && (!mutex || line->lock->holders.n);
}

static bool put_list(struct buf *b, const struct lock_party *p, bool mutex, bool waiting, bool first)
{
    size_t n = 0;
    for (size_t i = 0; i < p->lines.n; i++) {
        if (!shows(p->lines.items[i], mutex, waiting)) continue;
        if (n++) buf_char(b, ',');
        else buf_printf(b, "%s\"%s\":[", first ? "" : ",", waiting ? "waiting" : "holding");
        put_line(b, p->lines.items[i], waiting);
    }
    if (n) buf_char(b, ']');
    return n;
}

bool lock_party_write(struct buf *b, const struct lock_party *p)
{
    bool kinds[2] = {false, false}; /* semaphores, mutexes */
    bool any = false;
    for (size_t i = 0; p && i < p->lines.n; i++) kinds[is_mutex(p->lines.items[i])] = true;
    for (int mutex = 0; mutex < 2; mutex++) {
        if (!kinds[mutex]) continue;
        buf_printf(b, "%s\"%s\":{", any ? "," : "{", mutex ? "mutex" : "semaphore");
        bool held = put_list(b, p, mutex, false, true);
        put_list(b, p, mutex, true, !held);
        buf_char(b, '}');
        any = true;
    }
    if (any) buf_char(b, '}');
    return any;
}
