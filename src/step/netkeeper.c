/* Makes network namespaces and hands them out, one for each request; see nets.h. What comes back is handed out again, the
 * oldest first: making one, and even more the end of one, costs milliseconds of the kernel's.
 *
 * What is done in a new namespace goes through a socket that was opened in it; what is done on the host through
 * sockets that were opened before. A device is made by one rtnetlink message, all else by the older ioctls. */
#include "step/netkeeper_p.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "step/io_p.h"
#include "step/proto_p.h"

enum { SPARE = 64, FIRST = 2, /* number of an address; the bridge is 1 */ TRIES = 1 << 16 };

struct keeper {
    int home; /* a namespace to be in between two others */
    int host, link; /* of the host: a socket for ioctl, one of rtnetlink; -1: namespaces have no device */
    unsigned bridge; /* its index */
    struct subnet subnet;
    struct net spare[SPARE]; /* a ring */
    size_t first, n;
    int sockets; /* that a namespace has of its own */
    uint32_t next; /* number to be tried next, so that an address rests before it is used again */
};

/* ---- ioctl ---- */

static struct ifreq request(const char *device)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
    return r;
}

static struct sockaddr ipv4(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr s;
    memcpy(&s, &in, sizeof s);
    return s;
}

static bool up(int sock, const char *device)
{
    struct ifreq r = request(device);
    if (ioctl(sock, SIOCGIFFLAGS, &r) != 0) return false;
    r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
    return ioctl(sock, SIOCSIFFLAGS, &r) == 0;
}

static bool address_set(int sock, const char *device, const struct subnet *s, uint32_t number)
{
    struct ifreq r = request(device);
    r.ifr_addr = ipv4(s->base + number);
    if (ioctl(sock, SIOCSIFADDR, &r) != 0) return false;
    r.ifr_netmask = ipv4(~(~0u >> s->bits));
    return ioctl(sock, SIOCSIFNETMASK, &r) == 0 && up(sock, device);
}

static bool route_set(int sock, const struct subnet *s)
{
    struct rtentry r = {.rt_dst = ipv4(0), .rt_genmask = ipv4(0), .rt_gateway = ipv4(s->base + 1), .rt_flags = RTF_UP | RTF_GATEWAY};
    return ioctl(sock, SIOCADDRT, &r) == 0;
}

/* ---- the bridge ---- */

/* A bridge takes its hardware address from its devices unless it was given one, and pods remember it. */
static bool bridge_make(int host)
{
    static const unsigned char hardware[6] = {0x02, 's', 'k', 'i', 'f', 'f'};
    struct ifreq r = request(NETS_BRIDGE);
    if (ioctl(host, SIOCBRADDBR, NETS_BRIDGE) != 0) return errno == EEXIST;
    r.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
    memcpy(r.ifr_hwaddr.sa_data, hardware, sizeof hardware);
    return ioctl(host, SIOCSIFHWADDR, &r) == 0;
}

static bool bridge_ready(struct keeper *k, struct err *e)
{
    struct ifreq r = request(NETS_BRIDGE);
    struct sockaddr_in has;
    if (!bridge_make(k->host)) return err_sys(e, "bridge " NETS_BRIDGE);
    bool known = ioctl(k->host, SIOCGIFADDR, &r) == 0;
    memcpy(&has, &r.ifr_addr, sizeof has);
    if (known && ntohl(has.sin_addr.s_addr) != k->subnet.base + 1)
        return err_set(e, ERR_CONFLICT, "bridge " NETS_BRIDGE " has an address of another network, %s: network_subnet must be the same for all, or "
                       "`ip link delete " NETS_BRIDGE "` when no step runs", inet_ntoa(has.sin_addr));
    if (!address_set(k->host, NETS_BRIDGE, &k->subnet, 1)) return err_sys(e, "address of " NETS_BRIDGE);
    k->bridge = if_nametoindex(NETS_BRIDGE);
    return k->bridge > 0 || err_sys(e, NETS_BRIDGE);
}

/* ---- a pair of devices ---- */

struct message {
    struct nlmsghdr h;
    struct ifinfomsg link;
    char attributes[512];
};

static struct rtattr *attribute(struct message *m, unsigned short type, const void *value, size_t n)
{
    struct rtattr *at = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));
    ASSERT(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_SPACE(n) <= sizeof *m);
    at->rta_type = type;
    at->rta_len = (unsigned short)RTA_LENGTH(n);
    if (n && value) memcpy(RTA_DATA(at), value, n);
    m->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(at->rta_len));
    return at;
}

/* What was added since belongs to it. */
static void attribute_end(const struct message *m, struct rtattr *outer)
{
    outer->rta_len = (unsigned short)((const char *)m + m->h.nlmsg_len - (char *)outer);
}

/* False with errno. */
static bool talk(int link, struct message *m)
{
    struct {
        struct nlmsghdr h;
        struct nlmsgerr error;
        char more[1024];
    } answer;
    if (send(link, m, m->h.nlmsg_len, 0) < 0) return false;
    ssize_t n = recv(link, &answer, sizeof answer, 0);
    if (n < (ssize_t)(sizeof answer.h + sizeof answer.error) || answer.h.nlmsg_type != NLMSG_ERROR) return errno = n < 0 ? errno : EPROTO, false;
    errno = -answer.error.error;
    return errno == 0;
}

/* "skiff-N" on the bridge, "eth0" in the namespace. */
static bool pair_make(const struct keeper *k, uint32_t number, int ns)
{
    char name[IFNAMSIZ];
    struct ifinfomsg inner = {0};
    struct message m = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof m.link), .nlmsg_type = RTM_NEWLINK,
                              .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
                        .link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
    snprintf(name, sizeof name, "skiff-%u", number);
    attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
    attribute(&m, IFLA_MASTER, &k->bridge, sizeof k->bridge);
    struct rtattr *info = attribute(&m, IFLA_LINKINFO, NULL, 0);
    attribute(&m, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = attribute(&m, VETH_INFO_PEER, &inner, sizeof inner);
    attribute(&m, IFLA_IFNAME, "eth0", 5);
    attribute(&m, IFLA_NET_NS_FD, &ns, sizeof ns);
    attribute_end(&m, peer);
    attribute_end(&m, data);
    attribute_end(&m, info);
    return talk(k->link, &m);
}

/* The first number that nobody has. */
static bool number_take(struct keeper *k, int ns, uint32_t *number, struct err *e)
{
    uint32_t all = (~0u >> k->subnet.bits) - FIRST; /* the last address is for broadcasts */
    for (uint32_t i = 0; i < MIN(all, (uint32_t)TRIES); i++) {
        *number = FIRST + k->next++ % all;
        if (pair_make(k, *number, ns)) return true;
        if (errno == EXFULL) return err_set(e, ERR_LIMIT, "bridge " NETS_BRIDGE " has no room for another pod: it takes 1023");
        if (errno != EEXIST) return err_sys(e, "a device for the pod"); /* also where somebody has removed the bridge: the next keeper makes it */
    }
    return err_set(e, ERR_LIMIT, "all %u addresses are taken", all);
}

/* ---- namespaces ---- */

static bool fill(struct keeper *k, int ns, int inside, char address[16], struct err *e)
{
    uint32_t number;
    if (!up(inside, "lo")) return err_sys(e, "loopback device");
    if (k->link < 0) return true;
    if (!number_take(k, ns, &number, e)) return false;
    if (!address_set(inside, "eth0", &k->subnet, number) || !route_set(inside, &k->subnet)) return err_sys(e, "address of the pod");
    struct in_addr in = {htonl(k->subnet.base + number)};
    snprintf(address, 16, "%s", inet_ntoa(in));
    return true;
}

/* Of the namespace that this process is in: as container runtimes have it, low ports and ping need no capability, since
 * most steps have none. Where /proc is read-only a pod goes without. */
static void setting_write(const char *name, const char *text)
{
    char path[80];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, text, strlen(text));
    close(fd);
}

static void settings_write(const struct keeper *k)
{
    char groups[40];
    bool all = k->link >= 0; /* in a user namespace only one is mapped */
    snprintf(groups, sizeof groups, "%u %u", all ? 0 : getegid(), all ? INT32_MAX : getegid());
    setting_write("ip_unprivileged_port_start", "0");
    setting_write("ping_group_range", groups);
}

/* How many sockets belong to the namespace that this process is in, wherever they are held; -1: nobody knows, or
 * connections of before still block their ports. */
static int sockets_here(void)
{
    char text[1024], *tw;
    int used = -1, waiting = -1, fd = open("/proc/self/net/sockstat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (n <= 0) return -1;
    text[n] = 0;
    if ((tw = strstr(text, " tw "))) waiting = (int)strtol(tw + 4, NULL, 10);
    return waiting == 0 && sscanf(text, "sockets: used %d", &used) == 1 ? used : -1;
}

/* Nobody is in it any more. It is as new, unless one of its sockets was given to somebody else. */
static void take_back(struct keeper *k, int ns, struct str address)
{
    bool inside = k->n < SPARE && setns(ns, CLONE_NEWNET) == 0;
    bool clean = inside && k->sockets >= 0 && sockets_here() == k->sockets;
    if (inside && setns(k->home, CLONE_NEWNET) != 0) _exit(1);
    if (!clean) {
        close(ns);
        return;
    }
    struct net *to = &k->spare[(k->first + k->n++) % SPARE];
    to->fd = ns;
    snprintf(to->address, sizeof to->address, "%.*s", STR_ARG(address));
}

static struct net spare_take(struct keeper *k)
{
    struct net net = k->spare[k->first];
    k->first = (k->first + 1) % SPARE;
    k->n--;
    return net;
}

/* -1 with e. */
static int namespace_make(struct keeper *k, char address[16], struct err *e)
{
    if (unshare(CLONE_NEWNET) != 0) return err_sys(e, "new network namespace"), -1;
    int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), inside = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    settings_write(k);
    if (k->sockets < 0 && inside >= 0) k->sockets = sockets_here() - 1; /* but for that */
    bool back = k->home < 0 || setns(k->home, CLONE_NEWNET) == 0;
    bool ok = ns >= 0 && inside >= 0 && back ? fill(k, ns, inside, address, e) : err_sys(e, "new network namespace");
    if (inside >= 0) close(inside);
    if (ok) return ns;
    if (ns >= 0) close(ns);
    return -1;
}

/* Without a network of the host's: in a namespace of its own from the beginning. */
static bool prepare(struct keeper *k, struct str text, struct err *e)
{
    unsigned base, bits;
    *k = (struct keeper){.home = -1, .host = -1, .link = -1, .sockets = -1, .next = (uint32_t)io_now_us()};
    bool devices = sscanf(text.p, "%u/%u", &base, &bits) == 2;
    if (!devices && unshare(CLONE_NEWNET) != 0) return err_sys(e, "new network namespace");
    k->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (k->home < 0) return err_sys(e, "network namespace");
    if (!devices) return true;
    k->subnet = (struct subnet){base, bits};
    k->host = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    k->link = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (k->host < 0 || k->link < 0) return err_sys(e, "rtnetlink");
    return bridge_ready(k, e);
}

static void answer(struct keeper *k, int sock, const struct err *broken)
{
    struct proto_head h = {.kind = PROTO_NET};
    struct err e = *broken, ignored;
    struct net net = {.fd = -1};
    if (k->n) net = spare_take(k);
    else if (!e.code) net.fd = namespace_make(k, net.address, &e);
    proto_send(sock, &h, str_of(net.fd < 0 ? e.text : net.address), (int[PROTO_PASSED]){net.fd, -1}, &ignored);
    if (net.fd >= 0) close(net.fd);
}

NORETURN void netkeeper_main(int sock, struct str text, const struct err *broken)
{
    struct keeper k;
    struct err e = *broken;
    prctl(PR_SET_NAME, "skiff-net");
    if (!e.code) prepare(&k, text, &e);
    for (;;) {
        struct pollfd p = {.fd = sock, .events = POLLIN};
        struct proto_head h;
        struct str body;
        int passed[PROTO_PASSED];
        if (poll(&p, 1, -1) < 0) continue;
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        enum proto_got got = proto_recv(sock, &a, &h, &body, passed);
        if (got == PROTO_CLOSED) _exit(0);
        if (got != PROTO_MESSAGE) continue;
        if (passed[0] >= 0) take_back(&k, passed[0], body);
        else answer(&k, sock, &e);
    }
}
