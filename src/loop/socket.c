/* Unix sockets of socket.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "loop/socket.h"

enum { BACKLOG = 1024, CONNECT_WAIT_S = 2 };

/* An address, and the directory descriptor that it goes through when the path is long (else -1). */
struct unix_addr {
    struct sockaddr_un un;
    int dir;
};

static bool addr_of_long(struct unix_addr *a, const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    a->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (a->dir < 0) return err_sys(e, "cannot open the directory of '%s'", path);
    int n = snprintf(a->un.sun_path, sizeof a->un.sun_path, "/proc/self/fd/%d/%s", a->dir, name);
    if (n > 0 && (size_t)n < sizeof a->un.sun_path) return true;
    close(a->dir);
    a->dir = -1; /* whoever asked closes what is there */
    return err_set(e, ERR_LIMIT, "the socket name '%s' is too long", name);
}

static bool addr_of(struct unix_addr *a, const char *path, struct err *e)
{
    *a = (struct unix_addr){.un.sun_family = AF_UNIX, .dir = -1};
    size_t n = strlen(path);
    if (n == 0) return err_set(e, ERR_USAGE, "the socket path is empty");
    if (n >= sizeof a->un.sun_path) return addr_of_long(a, path, e);
    memcpy(a->un.sun_path, path, n + 1);
    return true;
}

static void addr_fini(struct unix_addr *a)
{
    if (a->dir >= 0) close(a->dir);
    a->dir = -1;
}

static int addr_connect(int fd, const struct unix_addr *a)
{
    int rc;
    do rc = connect(fd, (const struct sockaddr *)&a->un, sizeof a->un);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* True when the name is a socket that refuses connections: its owner is dead. */
static bool addr_is_stale(const struct unix_addr *a)
{
    struct stat st;
    if (lstat(a->un.sun_path, &st) || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    bool stale = addr_connect(fd, a) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static bool addr_bind(int fd, const struct unix_addr *a, const char *path, struct err *e)
{
    const struct sockaddr *sa = (const struct sockaddr *)&a->un;
    if (bind(fd, sa, sizeof a->un) == 0) return true;
    if (errno != EADDRINUSE) return err_sys(e, "cannot listen at '%s'", path);
    if (!addr_is_stale(a)) return err_set(e, ERR_CONFLICT, "'%s' is in use", path);
    if (unlink(a->un.sun_path) || bind(fd, sa, sizeof a->un))
        return err_sys(e, "cannot replace the stale socket '%s'", path);
    return true;
}

int unix_listen(const char *path, struct err *e)
{
    struct unix_addr a CLEANUP(addr_fini);
    if (!addr_of(&a, path, e)) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err_sys(e, "cannot make a socket");
        return -1;
    }
    /* The name takes its mode from the socket, so it is never open to others, not even briefly. */
    bool ok = fchmod(fd, 0600) == 0 || err_sys(e, "cannot set the mode of a socket");
    ok = ok && addr_bind(fd, &a, path, e);
    ok = ok && (listen(fd, BACKLOG) == 0 || err_sys(e, "cannot listen at '%s'", path));
    if (ok) return fd;
    close(fd);
    return -1;
}

/* A full backlog makes a connect wait, at most CONNECT_WAIT_S. */
int unix_connect(const char *path, struct err *e)
{
    struct unix_addr a CLEANUP(addr_fini);
    if (!addr_of(&a, path, e)) {
        if (e && e->sys) e->code = ERR_UNREACHABLE;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_sys(e, "cannot make a socket");
        return -1;
    }
    struct timeval wait = {.tv_sec = CONNECT_WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (addr_connect(fd, &a) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) return fd;
    err_sys(e, "cannot connect to '%s'", path);
    if (e) e->code = ERR_UNREACHABLE;
    close(fd);
    return -1;
}

bool unix_peer_trusted(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n)) return false;
    return cred.uid == geteuid() || cred.uid == 0;
}
