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

enum { FDS_MAX = PROTO_PASSED + 1 }; /* with that of the body first, when there is one */

union control {
    char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
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
    int file = large ? body_file(body) : -1, fds[FDS_MAX];
    size_t n_fds = 0;
    if (large && file < 0) return err_sys(e, "message of %zu bytes", body.n);
    if (large) fds[n_fds++] = file;
    for (size_t i = 0; pass && i < PROTO_PASSED && pass[i] >= 0; i++) fds[n_fds++] = pass[i];
    struct iovec parts[2] = {{h, sizeof *h}, {(void *)(uintptr_t)body.p, large ? 0 : body.n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (n_fds) {
        size_t bytes = n_fds * sizeof *fds;
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

static void passed_fds(struct msghdr *m, int *fds)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    for (size_t i = 0; i < FDS_MAX; i++) fds[i] = -1;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) return;
    size_t n = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof *fds, (size_t)FDS_MAX);
    memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
}

static void close_fds(const int *fds)
{
    for (size_t i = 0; i < FDS_MAX; i++)
        if (fds[i] >= 0) close(fds[i]);
}

enum proto_got proto_recv(int sock, struct arena *a, struct proto_head *h, struct str *body, int *passed)
{
    static _Thread_local char room[PROTO_INLINE_BYTES];
    union control control;
    struct iovec parts[2] = {{h, sizeof *h}, {room, sizeof room}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    int fds[FDS_MAX];
    for (size_t i = 0; passed && i < PROTO_PASSED; i++) passed[i] = -1;
    ssize_t n;
    do n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return PROTO_NONE;
    if (n <= 0) return PROTO_CLOSED;
    passed_fds(&m, fds);
    bool ok = (size_t)n >= sizeof *h && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && h->version == PROTO_VERSION &&
              h->kind > 0 && h->kind < PROTO_KIND_MAX;
    bool large = ok && h->body > PROTO_INLINE_BYTES;
    if (large) ok = (size_t)n == sizeof *h && body_from_file(fds[0], a, h->body, body);
    else ok = ok && (size_t)n == sizeof *h + h->body;
    if (ok && !large) *body = str_dup(a, str_n(room, (size_t)h->body));
    for (size_t i = 0; ok && passed && i < PROTO_PASSED; i++) {
        passed[i] = fds[i + large];
        fds[i + large] = -1;
    }
    close_fds(fds);
    return ok ? PROTO_MESSAGE : PROTO_CLOSED;
}
