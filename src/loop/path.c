/* Paths that change, of loop.h: one inotify instance for all of a loop.
 *
 * libuv's own watches of files say nothing when the kernel's queue has overflowed, and watch a directory for everything
 * that happens in it. Here a path that is told leaves its place, and a place that nobody waits at is watched no more: a file
 * that is written all the time costs nothing while its readers are behind. In a directory paths wait by the name that is to
 * appear, so that others which come there wake nobody. Callbacks run once all events that were read are sorted in, from a
 * list that any of them may change. */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "loop/loop_p.h"

/* Something that is watched: a file, or a directory in which names are to appear. */
struct place {
    int wd;
    size_t n; /* paths that wait here */
    struct path_list here;
    struct map awaited; /* name -> struct awaited */
};

struct awaited {
    struct path_list paths; /* never empty */
    char name[];
};

struct loop_path {
    struct loop *loop;
    char *path;
    loop_fn *fn;
    void *user;
    struct place *place;     /* NULL: not armed */
    struct awaited *awaited; /* of the place; NULL: it is the file itself */
    bool told;               /* in the list of those whose callback is due */
    LIST_ENTRY(loop_path) link;
};

static struct str place_key(const int *wd) { return str_n((const char *)wd, sizeof *wd); }

/* ---- events ---- */

static size_t list_tell(struct paths *x, struct path_list *list)
{
    struct loop_path *p;
    size_t n = 0;
    for (; (p = LIST_FIRST(list)); n++) {
        LIST_REMOVE(p, link);
        LIST_INSERT_HEAD(&x->told, p, link);
        p->place = NULL;
        p->awaited = NULL;
        p->told = true;
    }
    return n;
}

static void place_free(struct paths *x, struct place *at)
{
    inotify_rm_watch(x->fd, at->wd); /* it may have gone with its file */
    map_fini(&at->awaited);
    free(at);
}

static void place_drop(struct paths *x, struct place *at)
{
    map_del(&x->places, place_key(&at->wd));
    place_free(x, at);
}

static void everybody_tell(struct paths *x, struct place *at)
{
    list_tell(x, &at->here);
    for (struct map_slot *slot = NULL; (slot = map_next(&at->awaited, slot));) {
        list_tell(x, &((struct awaited *)slot->ptr)->paths);
        free(slot->ptr);
    }
}

static void awaited_tell(struct paths *x, struct place *at, struct awaited *a)
{
    at->n -= list_tell(x, &a->paths);
    map_del(&at->awaited, str_of(a->name));
    free(a);
    if (!at->n) place_drop(x, at);
}

/* Events were lost: nobody knows whose. */
static void all_tell(struct paths *x)
{
    for (struct map_slot *slot = NULL; (slot = map_next(&x->places, slot));) {
        everybody_tell(x, slot->ptr);
        place_free(x, slot->ptr);
    }
    map_fini(&x->places);
}

static void event_take(struct paths *x, const struct inotify_event *event)
{
    struct place *at = map_ptr(&x->places, place_key(&event->wd));
    if (event->mask & IN_Q_OVERFLOW) {
        all_tell(x);
    } else if (at && event->len) {
        struct awaited *a = map_ptr(&at->awaited, str_of(event->name));
        if (a) awaited_tell(x, at, a);
    } else if (at) { /* the file has grown, or what was watched is gone */
        everybody_tell(x, at);
        place_drop(x, at);
    }
}

/* One piece of what is there; the loop calls again for the rest. */
static void on_events(void *user, unsigned events)
{
    struct paths *x = user;
    char room[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    const struct inotify_event *event;
    struct loop_path *p;
    (void)events;
    ssize_t n = read(x->fd, room, sizeof room);
    for (char *at = room; n > 0 && at < room + n; at += sizeof *event + event->len) {
        event = (const struct inotify_event *)at;
        event_take(x, event);
    }
    while ((p = LIST_FIRST(&x->told))) {
        LIST_REMOVE(p, link);
        p->told = false;
        p->fn(p->user);
    }
}

/* ---- the instance: there as long as there are paths ---- */

static bool instance_open(struct loop *l, struct err *e)
{
    struct paths *x = &l->paths;
    if (x->watch) return true;
    x->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (x->fd < 0) return err_sys(e, "cannot watch files%s", errno == EMFILE ? " (sysctl fs.inotify.max_user_instances says how many processes of a user may)" : "");
    x->watch = loop_fd_new(l, x->fd, on_events, x, e);
    if (x->watch) loop_fd_watch(x->watch, LOOP_READ);
    else close(x->fd);
    return x->watch != NULL;
}

static void instance_close(struct paths *x)
{
    ASSERT(x->places.n == 0);
    map_fini(&x->places);
    if (!x->watch) return;
    loop_fd_free(x->watch);
    x->watch = NULL;
    close(x->fd);
}

/* ---- paths ---- */

struct loop_path *loop_path_new(struct loop *l, const char *path, loop_fn *fn, void *user)
{
    struct loop_path *p = mem_zalloc(sizeof *p);
    *p = (struct loop_path){.loop = l, .path = mem_strdup(path), .fn = fn, .user = user};
    l->paths.n++;
    return p;
}

static void path_leave(struct loop_path *p)
{
    struct paths *x = &p->loop->paths;
    struct place *at = p->place;
    if (at || p->told) LIST_REMOVE(p, link);
    p->told = false;
    if (p->awaited && LIST_EMPTY(&p->awaited->paths)) {
        map_del(&at->awaited, str_of(p->awaited->name));
        free(p->awaited);
    }
    if (at && !--at->n) place_drop(x, at);
    p->place = NULL;
    p->awaited = NULL;
}

void loop_path_free(struct loop_path *p)
{
    if (!p) return;
    struct paths *x = &p->loop->paths;
    path_leave(p);
    if (!--x->n) instance_close(x);
    free(p->path);
    free(p);
}

/* Watches the file, or the nearest directory above that is there; then *name is what has to appear in it. */
static int nearest_watch(int fd, const char *path, struct str *name, struct err *e)
{
    char dir[PATH_MAX];
    int wd = inotify_add_watch(fd, path, IN_MODIFY | IN_MASK_ADD);
    size_t n = strlen(path);
    *name = STR_NONE;
    while (wd < 0 && errno == ENOENT && n) {
        while (n && path[n - 1] != '/') n--;
        *name = str_n(path + n, strcspn(path + n, "/"));
        while (n && path[n - 1] == '/') n--;
        snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, n ? path : path[0] == '/' ? "/" : ".");
        wd = inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD);
    }
    if (wd < 0) err_sys(e, "cannot watch '%s'%s", path, errno == ENOSPC ? " (sysctl fs.inotify.max_user_watches says how many files a user may)" : "");
    return wd;
}

static struct awaited *awaited_get(struct place *at, struct str name)
{
    struct awaited *a = map_ptr(&at->awaited, name);
    if (a) return a;
    a = mem_zalloc(sizeof *a + name.n + 1);
    memcpy(a->name, name.p, name.n);
    map_set_ptr(&at->awaited, str_of(a->name), a);
    return a;
}

static void path_wait(struct loop_path *p, int wd, struct str name)
{
    struct paths *x = &p->loop->paths;
    struct place *at = map_ptr(&x->places, place_key(&wd));
    if (!at) {
        at = mem_zalloc(sizeof *at);
        at->wd = wd;
        map_set_ptr(&x->places, place_key(&at->wd), at);
    }
    at->n++;
    p->place = at;
    p->awaited = name.n ? awaited_get(at, name) : NULL;
    LIST_INSERT_HEAD(p->awaited ? &p->awaited->paths : &at->here, p, link);
}

bool loop_path_arm(struct loop_path *p, struct err *e)
{
    struct paths *x = &p->loop->paths;
    struct str name;
    int wd = -1, before;
    if (p->place) return true;
    path_leave(p);
    if (!instance_open(p->loop, e)) return false;
    do { /* once more: it, or a directory on the way to it, may have appeared before the one above was watched */
        before = wd;
        wd = nearest_watch(x->fd, p->path, &name, e);
        if (before >= 0 && wd != before && !map_get(&x->places, place_key(&before))) inotify_rm_watch(x->fd, before);
    } while (wd >= 0 && name.n && wd != before);
    if (wd >= 0) path_wait(p, wd, name);
    return wd >= 0;
}
