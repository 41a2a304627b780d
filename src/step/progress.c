/* What a step says about its progress: the last line of a file of its own (ARGO_PROGRESS_FILE), told to the
 * engine as it stands, whenever it has changed.
 *
 * The file's directory is watched through a descriptor that the step's child opened in its own view, so
 * nothing in that view can lead elsewhere. Most steps are over before anybody could see how far they are: the watch begins
 * after WATCH_AFTER_MS, and until then costs nothing. Where the kernel has no watch left (max_user_instances) the
 * file is looked at every three seconds, as Argo does. Runs on: supervisors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/io_p.h"
#include "step/supervisor_p.h"

enum { POLL_MS = 3000, WATCH_AFTER_MS = 50 };

static const char *file_name(const struct step_spec *s) { return strrchr(s->progress.p, '/') + 1; }

/* Tier none: the directory lasts as long as the state directory, the file as long as the step. */
static const char *plain_dir(struct supervisor *sv)
{
    const struct step_spec *s = &sv->run.spec;
    return str_dup(&sv->arena, str_sub(s->progress, 0, (size_t)(file_name(s) - s->progress.p))).p;
}

void progress_prepare(struct supervisor *sv)
{
    if (!sv->plain || !str_set(sv->run.spec.progress)) return;
    const char *dir = plain_dir(sv);
    if (access(dir, F_OK) != 0) io_mkdirs(dir, 0700); /* a step can do without */
}

static int watch(struct supervisor *sv, int dir)
{
    if (sv->inotify < 0) sv->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (sv->inotify < 0 || fchdir(dir) != 0) return -1;
    int w = inotify_add_watch(sv->inotify, ".", IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
    return chdir("/") == 0 ? w : -1;
}

void progress_begin(struct supervisor *sv)
{
    struct run *r = &sv->run;
    r->progress.watch = -1;
    if (!str_set(r->spec.progress)) return;
    if (sv->plain) r->plan.progress_fd = open(plain_dir(sv), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r->plan.progress_fd < 0) return;
    r->progress.unwatched = true;
    r->progress.due_ms = io_mono_ms() + WATCH_AFTER_MS;
}

int progress_fd(const struct supervisor *sv) { return sv->run.progress.watch >= 0 ? sv->inotify : -1; }

/* Others of the directory are none of its business, nor what is left of a watch before. */
void progress_event(struct supervisor *sv)
{
    _Alignas(struct inotify_event) char room[4096];
    struct progress *g = &sv->run.progress;
    bool ours = false;
    for (ssize_t n; (n = read(sv->inotify, room, sizeof room)) > 0;)
        for (char *p = room; p < room + n; p += sizeof(struct inotify_event) + ((struct inotify_event *)(void *)p)->len) {
            const struct inotify_event *ev = (const void *)p;
            ours |= (ev->mask & IN_Q_OVERFLOW) || (ev->wd == g->watch && ev->len && !strcmp(ev->name, file_name(&sv->run.spec)));
        }
    if (ours && !g->due_ms) g->due_ms = MAX(io_mono_ms(), g->looked_ms + LIMIT_STEP_PROGRESS_MS);
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The last line that is not empty; absent: there is none. */
static struct str last_line(char *p, size_t n)
{
    while (n > 0 && is_blank(p[n - 1])) n--;
    size_t from = n;
    while (from > 0 && p[from - 1] != '\n') from--;
    while (from < n && is_blank(p[from])) from++;
    return n > from ? str_n(p + from, n - from) : STR_NONE;
}

static struct str read_line(struct supervisor *sv, char *room, size_t max)
{
    const struct step_spec *s = &sv->run.spec;
    struct stat st;
    if (s->uid >= 0) setfsuid((uid_t)s->uid); /* what the step may read, and no more */
    int fd = openat(sv->run.plan.progress_fd, file_name(s), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
    if (s->uid >= 0) setfsuid(geteuid());
    ssize_t n = -1;
    sv->run.progress.there |= fd >= 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = pread(fd, room, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
    if (fd >= 0) close(fd);
    return n > 0 ? last_line(room, (size_t)n) : STR_NONE;
}

void progress_look(struct supervisor *sv)
{
    static char room[LIMIT_STEP_PROGRESS_BYTES];
    struct progress *g = &sv->run.progress;
    if (sv->run.plan.progress_fd < 0) return;
    if (g->unwatched) g->watch = watch(sv, sv->run.plan.progress_fd); /* before it is read: nothing is missed */
    g->unwatched = false;
    struct str line = read_line(sv, room, sizeof room);
    g->looked_ms = io_mono_ms();
    g->due_ms = g->watch < 0 ? g->looked_ms + POLL_MS : 0;
    if (!line.n) return;
    line.n = MIN(line.n, sizeof g->last - 1);
    if (strlen(g->last) == line.n && !memcmp(g->last, line.p, line.n)) return;
    memcpy(g->last, line.p, line.n);
    g->last[line.n] = 0;
    supervisor_progress(sv, line);
}

void progress_again(struct supervisor *sv)
{
    sv->run.progress.last[0] = 0;
    progress_look(sv);
}

void progress_end(struct supervisor *sv)
{
    struct run *r = &sv->run;
    if (r->plan.progress_fd < 0) return;
    r->progress.unwatched = false;
    progress_look(sv);
    if (r->progress.watch >= 0) {
        inotify_rm_watch(sv->inotify, r->progress.watch);
        progress_event(sv); /* the next step is not to be woken by it */
    }
    if (sv->plain && r->progress.there) unlinkat(r->plan.progress_fd, file_name(&r->spec), 0);
    r->progress = (struct progress){.watch = -1};
}
