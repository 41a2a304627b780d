/* Journals of the past; see past.h. */
#include "step/past.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "step/journal_p.h"
#include "step/slot_p.h"

struct journal {
    char name[JOURNAL_NAME_MAX];
    int fd;
    struct buf bytes; /* all that was read so far */
    size_t at;        /* of it, in the index */
    uint64_t busy;    /* begun last and not ended; 0: none */
    bool dead;        /* its lock is ours: nothing will be added */
    struct slot *slot; /* its supervisor talks to us, until past_find gives it away */
    bool alone;       /* it has talked to us: it begins nothing more */
    bool mute;        /* but in a language that is not ours: only its journal tells how its step ended */
    bool removed;     /* nobody asks for what was in it any more */
};

/* Of one step: where it began, and its result when it has one. */
struct found {
    struct journal *j;
    bool ended;
    size_t result, n; /* in j->bytes */
};

struct past {
    struct arena arena;
    int dir;
    struct map steps; /* id (8 bytes) -> struct found */
    VEC(struct journal *) journals;
    size_t n_open; /* neither dead nor alone: they might still begin something */
};

static struct str key_of(const uint64_t *id) { return str_n((const char *)id, sizeof *id); }

static void note(struct past *p, struct journal *j, const struct journal_record *r)
{
    struct found *f = map_ptr(&p->steps, key_of(&r->id));
    if (!f) {
        uint64_t *id = ARENA_NEW(&p->arena, uint64_t);
        *id = r->id;
        f = ARENA_NEW(&p->arena, struct found);
        map_set_ptr(&p->steps, key_of(id), f);
    }
    *f = (struct found){.j = j, .ended = r->ended};
    j->busy = r->ended ? 0 : r->id;
    if (!r->ended) return;
    f->result = (size_t)(r->result.p - j->bytes.p);
    f->n = r->result.n;
}

static void read_more(struct past *p, struct journal *j)
{
    struct journal_record r;
    struct stat st;
    if (fstat(j->fd, &st) != 0) return;
    while ((uint64_t)st.st_size > j->bytes.n) {
        size_t want = (size_t)st.st_size - j->bytes.n;
        char *room = buf_room(&j->bytes, want);
        ssize_t n = room ? pread(j->fd, room, want, (off_t)j->bytes.n) : 0;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        j->bytes.n += (size_t)n;
    }
    while (journal_next(buf_view(&j->bytes), &j->at, &r)) note(p, j, &r);
}

/* Locked first, read then: what the dead have written is complete. A supervisor listens only after it
 * has noticed that its engine is gone. */
static void look(struct past *p, struct journal *j)
{
    bool open = !j->alone;
    if (j->dead || (j->alone && !j->mute)) return;
    j->dead = flock(j->fd, LOCK_EX | LOCK_NB) == 0;
    read_more(p, j);
    if (!j->dead && j->busy && !j->mute) j->slot = slot_connect(p->dir, j->name, j->busy);
    j->alone = j->alone || j->slot;
    if (open && (j->dead || j->alone)) p->n_open--;
}

void past_add(struct past *p, const char *name, bool talked)
{
    int fd = openat(p->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return; /* removed meanwhile */
    struct journal *j = ARENA_NEW(&p->arena, struct journal);
    *j = (struct journal){.fd = fd, .alone = talked, .mute = talked};
    snprintf(j->name, sizeof j->name, "%s", name);
    buf_init(&j->bytes, LIMIT_SLOT_JOURNAL_BYTES);
    VEC_PUSH(&p->journals, j);
    p->n_open += !talked;
    look(p, j);
}

struct past *past_open(struct str state_dir, struct err *e)
{
    struct past *p = mem_zalloc(sizeof *p);
    arena_init(&p->arena);
    p->dir = journal_dir(state_dir);
    int list = p->dir < 0 ? -1 : openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = list < 0 ? NULL : fdopendir(list);
    if (!d) {
        err_sys(e, "%.*s/slots", STR_ARG(state_dir));
        if (list >= 0) close(list);
        past_close(p);
        return NULL;
    }
    for (struct dirent *de; (de = readdir(d));)
        if (de->d_name[0] != '.' && !strchr(de->d_name, '.') && strlen(de->d_name) < JOURNAL_NAME_MAX)
            past_add(p, de->d_name, false);
    closedir(d);
    return p;
}

static void journal_close(struct journal *j)
{
    slot_close(j->slot);
    close(j->fd);
    buf_fini(&j->bytes);
}

void past_close(struct past *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->journals.n; i++) journal_close(p->journals.items[i]);
    VEC_FINI(&p->journals);
    map_fini(&p->steps);
    if (p->dir >= 0) close(p->dir);
    arena_fini(&p->arena);
    free(p);
}

void past_refresh(struct past *p)
{
    for (size_t i = 0; i < p->journals.n; i++) look(p, p->journals.items[i]);
}

static enum adopt_outcome ended(struct found *f, struct arena *a, struct step_result *result, struct err *e)
{
    struct str bytes = str_dup(a, str_sub(buf_view(&f->j->bytes), f->result, f->n));
    if (!step_result_decode(a, bytes, result, e)) return ADOPT_FAILED;
    return result->end == STEP_END_LOST ? ADOPT_LOST : ADOPT_FINISHED;
}

enum adopt_outcome past_find(struct past *p, struct arena *a, uint64_t id, struct slot **slot,
                             struct step_result *result, struct err *e)
{
    struct found *f = map_ptr(&p->steps, key_of(&id));
    *slot = NULL;
    if (f && f->j->removed) f = NULL;
    if (f && f->ended) return ended(f, a, result, e);
    if (f && f->j->dead) return ADOPT_LOST;
    if (!f) return p->n_open ? ADOPT_BUSY : ADOPT_NEVER;
    if (!f->j->slot) return ADOPT_BUSY;
    *slot = f->j->slot;
    f->j->slot = NULL;
    return ADOPT_RUNNING;
}

void past_remove(struct str state_dir, const char *name)
{
    int dir = journal_dir(state_dir);
    if (dir < 0) return;
    fail_point(FAIL_JOURNAL_REMOVE);
    unlinkat(dir, name, 0);
    close(dir);
}

void past_forget_dead(struct past *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->journals.n; i++) {
        struct journal *j = p->journals.items[i];
        if (!j->dead) {
            p->journals.items[kept++] = j;
            continue;
        }
        fail_point(FAIL_JOURNAL_REMOVE);
        unlinkat(p->dir, j->name, 0);
        j->removed = true;
        journal_close(j);
    }
    p->journals.n = kept;
    if (kept || !p->steps.n) return;
    map_fini(&p->steps);
    p->steps = (struct map){0};
    arena_reset(&p->arena);
}
