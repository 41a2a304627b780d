/* Preloaded into the program: the Nth call of a class of system calls, by any process of a command, fails or kills its process.
 *
 *   NTH=CLASS:N:ACTION   ACTION: enospc, eio, eintr, emfile, kill; N = 0: calls are only counted
 *   NTH_FILE             holds the counts, one 32-bit number for each class in the order below; a test reads them
 *
 * Calls through libc are seen, from SQLite, libarchive and libuv too. What a step's child does with raw system calls before its
 * program begins is not, nor what stdio does inside libc. */
#undef _FILE_OFFSET_BITS /* both names of each function are wrapped */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum class { WRITE, SYNC, RENAME, OPEN, MKDIR, LINK, UNLINK, TRUNCATE, MODE, MOUNT, SEND, MAKE, CLASSES };
static const char *const class_names[CLASSES] = {"write", "sync", "rename", "open", "mkdir", "link", "unlink", "truncate", "mode", "mount", "send", "make"};
static const struct {
    const char *name;
    int sys;
} actions[] = {{"enospc", ENOSPC}, {"eio", EIO}, {"eintr", EINTR}, {"emfile", EMFILE}, {"kill", 0}};

static atomic_uint *counts; /* NULL: nothing is to be done */
static enum class armed = CLASSES;
static unsigned nth;
static int action_sys;

__attribute__((constructor)) static void nth_init(void)
{
    const char *what = getenv("NTH"), *file = getenv("NTH_FILE");
    const char *n = what ? strchr(what, ':') : NULL, *action = n ? strchr(n + 1, ':') : NULL;
    if (!action || !file) return;
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, CLASSES * sizeof *counts) != 0) return;
    for (int i = 0; i < CLASSES; i++)
        if (strncmp(what, class_names[i], strlen(class_names[i])) == 0) armed = i;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(action + 1, actions[i].name) == 0) action_sys = actions[i].sys;
    nth = (unsigned)strtoul(n + 1, NULL, 10);
    void *shared = mmap(NULL, CLASSES * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) counts = shared;
}

static int hits(enum class c)
{
    if (!counts) return 0;
    unsigned n = atomic_fetch_add(&counts[c], 1) + 1;
    if (c != armed || n != nth) return 0;
    if (!action_sys) kill(getpid(), SIGKILL);
    if (!action_sys) _exit(128 + SIGKILL); /* the first process of a pid namespace */
    errno = action_sys;
    return 1;
}

/* What is written into pipes, sockets and counters of events cannot fail so. */
static int is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* libuv aborts when it cannot make the pipe for its signals, which is the first thing that it does. */
static int is_libuv(const void *caller)
{
    Dl_info from;
    return dladdr(caller, &from) && strstr(from.dli_fname, "libuv");
}

/* ret NAME(params): fails as its class, or is what it is. */
#define WRAP(ret, name, c, params, args) WRAP_IF(ret, name, c, params, args, 1)
#define WRAP_WRITE(ret, name, params, args) WRAP_IF(ret, name, WRITE, params, args, is_file(fd))
#define WRAP_IF(ret, name, c, params, args, when)                                                  \
    ret name params;                                                                               \
    ret name params                                                                                \
    {                                                                                              \
        static ret(*real) params;                                                                  \
        if (!real) real = (ret(*) params)(uintptr_t)dlsym(RTLD_NEXT, #name);                       \
        return (when) && hits(c) ? (ret)-1 : real args;                                            \
    }

WRAP_WRITE(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP_WRITE(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP_WRITE(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
WRAP_WRITE(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, copy_file_range, WRITE, (int from, off64_t *at, int to, off64_t *to_at, size_t n, unsigned flags), (from, at, to, to_at, n, flags))
WRAP(int, fsync, SYNC, (int fd), (fd))
WRAP(int, fdatasync, SYNC, (int fd), (fd))
WRAP(int, syncfs, SYNC, (int fd), (fd))
WRAP(int, rename, RENAME, (const char *a, const char *b), (a, b))
WRAP(int, renameat, RENAME, (int at, const char *a, int to, const char *b), (at, a, to, b))
WRAP(int, renameat2, RENAME, (int at, const char *a, int to, const char *b, unsigned flags), (at, a, to, b, flags))
WRAP(int, mkdir, MKDIR, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, MKDIR, (int at, const char *path, mode_t mode), (at, path, mode))
WRAP(int, link, LINK, (const char *a, const char *b), (a, b))
WRAP(int, linkat, LINK, (int at, const char *a, int to, const char *b, int flags), (at, a, to, b, flags))
WRAP(int, symlink, LINK, (const char *a, const char *b), (a, b))
WRAP(int, symlinkat, LINK, (const char *a, int at, const char *b), (a, at, b))
WRAP(int, unlink, UNLINK, (const char *path), (path))
WRAP(int, unlinkat, UNLINK, (int at, const char *path, int flags), (at, path, flags))
WRAP(int, rmdir, UNLINK, (const char *path), (path))
WRAP(int, ftruncate, TRUNCATE, (int fd, off_t n), (fd, n))
WRAP(int, ftruncate64, TRUNCATE, (int fd, off64_t n), (fd, n))
WRAP(int, chmod, MODE, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, MODE, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchmodat, MODE, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags))
WRAP(int, mount, MOUNT, (const char *a, const char *b, const char *type, unsigned long flags, const void *data), (a, b, type, flags, data))
WRAP(int, umount2, MOUNT, (const char *path, int flags), (path, flags))
WRAP(ssize_t, sendmsg, SEND, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP_IF(int, pipe2, MAKE, (int ends[2], int flags), (ends, flags), !is_libuv(__builtin_return_address(0)))
WRAP(int, socketpair, MAKE, (int family, int type, int protocol, int ends[2]), (family, type, protocol, ends))
WRAP(int, socket, MAKE, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, memfd_create, MAKE, (const char *name, unsigned flags), (name, flags))

/* ---- with arguments that may be absent ---- */

#define WRAP_OPEN(name, params, args)                                                              \
    int name params;                                                                               \
    int name params                                                                                \
    {                                                                                              \
        static int(*real) params;                                                                  \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = va_arg(ap, mode_t);                                                          \
        va_end(ap);                                                                                \
        if (!real) real = (int(*) params)(uintptr_t)dlsym(RTLD_NEXT, #name);                       \
        return hits(OPEN) ? -1 : real args;                                                        \
    }

WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
WRAP_OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

static enum class class_of(long number)
{
    if (number == SYS_openat2) return OPEN;
    if (number == SYS_renameat2) return RENAME;
    if (number == SYS_pivot_root || number == SYS_mount_setattr || number == SYS_open_tree || number == SYS_move_mount) return MOUNT;
    return CLASSES;
}

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long v[6];
    va_list ap;
    va_start(ap, number);
    for (int i = 0; i < 6; i++) v[i] = va_arg(ap, long);
    va_end(ap);
    if (!real) real = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
    enum class c = class_of(number);
    return c != CLASSES && hits(c) ? -1 : real(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}
