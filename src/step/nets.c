/* The engine's end of the keeper; see nets.h. What is ready waits in the socket. */
#include "step/nets.h"

#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "step/launcher_p.h"
#include "step/proto_p.h"

enum { AHEAD = 8 /* made before they are asked for, once the first were */ };

struct nets {
    int sock;
    unsigned asked, taken; /* asked: not here yet */
};

bool subnet_parse(struct str text, struct subnet *out, struct err *e)
{
    struct str part, rest, bits;
    int64_t n = 0;
    bool ok = str_cut(text, '/', &rest, &bits) && str_to_i64(bits, &n) && n >= 8 && n <= 28;
    *out = (struct subnet){.bits = (unsigned)n};
    for (int i = 0; ok && i < 4; i++) {
        bool more = str_cut(rest, '.', &part, &rest);
        ok = more == (i < 3) && str_to_i64(part, &n) && n >= 0 && n <= 255;
        out->base = out->base << 8 | (uint32_t)n;
    }
    if (ok && (out->base & (~0u >> out->bits)) == 0) return true;
    return err_set(e, ERR_USAGE, "\"%.*s\" is no network: an address such as 10.171.0.0/16, with 8 to 28 bits", STR_ARG(str_sub(text, 0, 60)));
}

struct str subnet_address(struct arena *a, const struct subnet *s, uint32_t number)
{
    uint32_t at = s->base + number;
    return str_fmt(a, "%u.%u.%u.%u", at >> 24, at >> 16 & 255, at >> 8 & 255, at & 255);
}

static bool ask(struct nets *n, struct err *e)
{
    while (n->asked < MIN(n->taken + 1, (unsigned)AHEAD)) {
        struct proto_head h = {.kind = PROTO_NET};
        if (!proto_send(n->sock, &h, STR(""), NULL, e)) return false;
        n->asked++;
    }
    return true;
}

struct nets *nets_open(struct launcher *l, const struct subnet *s, struct err *e)
{
    int ends[2];
    char text[24] = "";
    if (s) snprintf(text, sizeof text, "%u/%u", s->base, s->bits);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return err_sys(e, "networks"), NULL;
    bool ok = launcher_request(l, PROTO_NET, str_of(text), (int[PROTO_PASSED]){ends[1], -1}, e);
    close(ends[1]);
    struct nets *n = mem_zalloc(sizeof *n);
    n->sock = ends[0];
    if (ok && ask(n, e)) return n;
    nets_close(n);
    return NULL;
}

void nets_close(struct nets *n)
{
    if (!n) return;
    close(n->sock);
    free(n);
}

static bool receive(struct nets *n, struct net *out, struct err *e)
{
    struct proto_head h;
    struct str text;
    int passed[PROTO_PASSED];
    struct pollfd p = {.fd = n->sock, .events = POLLIN};
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    if (poll(&p, 1, LIMIT_NETWORK_MS) <= 0) return err_set(e, ERR_UNREACHABLE, "no network namespace was made in %d ms", LIMIT_NETWORK_MS);
    if (proto_recv(n->sock, &a, &h, &text, passed) != PROTO_MESSAGE) return err_set(e, ERR_UNREACHABLE, "the keeper of the pods' networks is gone");
    if (passed[0] < 0) return err_set(e, ERR_UNSUPPORTED, "a network for the pod: %.*s", STR_ARG(text));
    *out = (struct net){.fd = passed[0]};
    snprintf(out->address, sizeof out->address, "%.*s", STR_ARG(text));
    return true;
}

int net_user_ns(int net_fd, uint64_t *id)
{
    struct stat its, ours;
    int fd = ioctl(net_fd, NS_GET_USERNS);
    bool other = fd >= 0 && fstat(fd, &its) == 0 && stat("/proc/self/ns/user", &ours) == 0 && its.st_ino != ours.st_ino;
    *id = other ? (uint64_t)its.st_ino : 0;
    if (other) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

void nets_give_back(struct nets *n, const struct net *net)
{
    struct proto_head h = {.kind = PROTO_NET};
    struct err gone; /* then it is as well */
    proto_send(n->sock, &h, str_of(net->address), (int[PROTO_PASSED]){net->fd, -1}, &gone);
    close(net->fd);
}

bool nets_take(struct nets *n, struct net *out, struct err *e)
{
    if (!receive(n, out, e)) return false;
    n->asked--;
    n->taken++;
    struct err later; /* the next one to take will say it */
    ask(n, &later);
    return true;
}
