/* See litter.h. The two are joined by a pair of sockets, and its end is the end of the process that has the other one. A path is one message, an
 * empty one forgets those before it. */
#include "os/litter.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "os/dir.h"

struct litter {
    int fd;
    pid_t pid;
    int n;
};

static void wait_and_remove(int fd)
{
    static char paths[LITTER_MOST + 1][PATH_MAX];
    int known = 0;
    ssize_t n;
    do {
        n = recv(fd, paths[known], PATH_MAX, 0);
        if (n > 0) known = paths[known][0] ? known + 1 : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    for (int i = 0; i < known; i++) dir_remove_tree(paths[i], NULL);
}

/* It holds nothing of what the other one has open: somebody may wait for the end of that. */
static void apart(int fd)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) signal(signals[i], SIG_IGN);
    setsid();
    if (fd > 0) close_range(0, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
}

/* With its NUL. That nobody is there any more who would remove something is no error. */
static bool tell(int fd, const char *path)
{
    size_t n = strlen(path) + 1;
    return n <= PATH_MAX && send(fd, path, n, MSG_NOSIGNAL) == (ssize_t)n;
}

struct litter *litter_new(void)
{
    int ends[2];
    char ready;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        apart(ends[1]);
        if (tell(ends[1], "")) wait_and_remove(ends[1]);
        _exit(0);
    }
    struct litter *l = mem_zalloc(sizeof *l);
    *l = (struct litter){.fd = ends[0], .pid = pid};
    close(ends[1]);
    if (pid > 0 && recv(l->fd, &ready, 1, 0) == 1) return l; /* no signal to all of a group ends it from here on */
    litter_free(l);
    return NULL;
}

void litter_add(struct litter *l, const char *path)
{
    if (!l) return;
    ASSERT(l->n < LITTER_MOST);
    if (path[0] && tell(l->fd, path)) l->n++;
}

void litter_forget(struct litter *l)
{
    if (!l) return;
    tell(l->fd, "");
    l->n = 0;
}

void litter_free(struct litter *l)
{
    if (!l) return;
    litter_forget(l);
    close(l->fd);
    while (l->pid > 0 && waitpid(l->pid, NULL, 0) < 0 && errno == EINTR) {}
    free(l);
}
