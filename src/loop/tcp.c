/* See tcp.h. */
#include "loop/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, LOOPBACK_NET = 127 };

static bool is_loopback(const struct sockaddr *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
    if (a->sa_family == AF_INET) return ntohl(v4->sin_addr.s_addr) >> 24 == LOOPBACK_NET;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool describe(int fd, struct tcp_place *out, struct err *e)
{
    char host[INET6_ADDRSTRLEN], port[8];
    struct sockaddr_storage at;
    struct sockaddr *a = (struct sockaddr *)&at;
    socklen_t n = sizeof at;
    if (getsockname(fd, a, &n) != 0) return err_sys(e, "a listening socket");
    if (getnameinfo(a, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) return err_set(e, ERR_IO, "a listening socket has no address");
    snprintf(out->text, sizeof out->text, a->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    out->loopback = is_loopback(a);
    return true;
}

static bool listen_at(int fd, const struct addrinfo *a, const char *host, int port, struct err *e)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return true;
    if (errno == EADDRINUSE) return err_set(e, ERR_CONFLICT, "somebody else listens at %s port %d", host, port);
    return err_sys(e, "cannot listen at %s port %d", host, port);
}

int tcp_listen(const char *host, int port, struct tcp_place *out, struct err *e)
{
    const struct addrinfo want = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(host, service, &want, &found);
    if (rc != 0) return err_set(e, ERR_USAGE, "host '%s': %s", host, gai_strerror(rc)), -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = (fd >= 0 || err_sys(e, "a socket")) && listen_at(fd, found, host, port, e) && describe(fd, out, e);
    freeaddrinfo(found);
    if (ok) return fd;
    if (fd >= 0) close(fd);
    return -1;
}
