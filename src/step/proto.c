/* Sending and receiving messages; see proto_p.h. */
#include "step/proto_p.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/io_p.h"

union control {
    char bytes[CMSG_SPACE(PROTO_PASSED * sizeof(int))];
    struct cmsghdr align;
};

static int body_file(struct str body)
{
    int fd = memfd_create("body", MFD_CLOEXEC);
    if (fd >= 0 && io_write_all(fd, body.p, body.n)) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

bool proto_send(int sock, struct proto_head *h, struct str body, const int *pass, struct err *e)
{
    union control control = {{0}};
    h->version = PROTO_VERSION;
    h->body = body.n;
    bool large = body.n > PROTO_INLINE_BYTES;
    ASSERT(!large || !pass);
    int file = large ? body_file(body) : -1;
    if (large && file < 0) return err_sys(e, "message of %zu bytes", body.n);
    struct iovec parts[2] = {{h, sizeof *h}, {(void *)(uintptr_t)body.p, large ? 0 : body.n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    const int *fds = large ? &file : pass;
    if (fds) {
        size_t bytes = (large ? 1 : PROTO_PASSED) * sizeof *fds;
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(bytes)};
        memcpy(CMSG_DATA(c), fds, bytes);
    }
    ssize_t n;
    do n = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    bool ok = n >= 0 || err_sys(e, "message to a supervisor");
    if (file >= 0) close(file);
    return ok;
}

static bool body_from_file(int fd, struct arena *a, uint64_t n, struct str *body)
{
    struct stat st;
    if (fd < 0 || n > LIMIT_STEP_SPEC_BYTES || fstat(fd, &st) != 0 || (uint64_t)st.st_size != n) return false;
    char *p = arena_alloc_bytes(a, (size_t)n + 1);
    for (size_t done = 0; done < n;) {
        ssize_t r = pread(fd, p + done, (size_t)n - done, (off_t)done);
        if (r <= 0 && errno != EINTR) return false;
        if (r > 0) done += (size_t)r;
    }
    p[n] = 0;
    *body = str_n(p, (size_t)n);
    return true;
}

static size_t passed_fds(struct msghdr *m, int *fds)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    for (size_t i = 0; i < PROTO_PASSED; i++) fds[i] = -1;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) return 0;
    size_t n = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof *fds, (size_t)PROTO_PASSED);
    memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
    return n;
}

static void close_fds(const int *fds)
{
    for (size_t i = 0; i < PROTO_PASSED; i++)
        if (fds[i] >= 0) close(fds[i]);
}

enum proto_got proto_recv(int sock, struct arena *a, struct proto_head *h, struct str *body, int *passed)
{
    static _Thread_local char room[PROTO_INLINE_BYTES];
    union control control;
    struct iovec parts[2] = {{h, sizeof *h}, {room, sizeof room}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    int fds[PROTO_PASSED];
    for (size_t i = 0; passed && i < PROTO_PASSED; i++) passed[i] = -1;
    ssize_t n;
    do n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return PROTO_NONE;
    if (n <= 0) return PROTO_CLOSED;
    size_t n_fds = passed_fds(&m, fds);
    bool ok = (size_t)n >= sizeof *h && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && h->version == PROTO_VERSION &&
              h->kind > 0 && h->kind < PROTO_KIND_MAX;
    bool large = ok && h->body > PROTO_INLINE_BYTES;
    if (large) ok = (size_t)n == sizeof *h && body_from_file(fds[0], a, h->body, body);
    else ok = ok && (size_t)n == sizeof *h + h->body;
    if (ok && !large) *body = str_dup(a, str_n(room, (size_t)h->body));
    bool taken = ok && !large && passed && n_fds == PROTO_PASSED;
    if (taken) memcpy(passed, fds, sizeof fds);
    else close_fds(fds);
    return ok ? PROTO_MESSAGE : PROTO_CLOSED;
}
