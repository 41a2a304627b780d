/* See peer.h. */
#include "http/peer.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum { KEY_BYTES = 9, V6_NETWORK_BYTES = 8 }; /* the family, then the address or the network */

struct peer {
    unsigned connections;
    char key[KEY_BYTES];
};

/* An IPv4 address that came over an IPv6 socket is the IPv4 address. */
static const void *v4_of(const struct sockaddr_storage *a)
{
    enum { MAPPED_AT = 12 };
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    if (a->ss_family == AF_INET) return &v4->sin_addr;
    return a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? v6->sin6_addr.s6_addr + MAPPED_AT : NULL;
}

static struct str key_of(const struct sockaddr_storage *a, char key[KEY_BYTES])
{
    const void *v4 = v4_of(a);
    memset(key, 0, KEY_BYTES);
    key[0] = v4 ? '4' : '6';
    if (v4) memcpy(key + 1, v4, sizeof(struct in_addr));
    else if (a->ss_family == AF_INET6) memcpy(key + 1, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, V6_NETWORK_BYTES);
    return str_n(key, KEY_BYTES);
}

static struct peer *peer_new(const struct sockaddr_storage *a)
{
    struct peer *n = mem_zalloc(sizeof *n);
    key_of(a, n->key);
    return n;
}

struct peer *peer_add(struct peers *p, const struct sockaddr_storage *addr)
{
    char key[KEY_BYTES];
    struct peer *one = map_ptr(&p->by_address, key_of(addr, key));
    if (!one) {
        one = peer_new(addr);
        map_set_ptr(&p->by_address, str_n(one->key, KEY_BYTES), one);
    }
    one->connections++;
    return one;
}

void peer_drop(struct peers *p, struct peer *one)
{
    if (!one || --one->connections) return;
    map_del(&p->by_address, str_n(one->key, KEY_BYTES));
    free(one);
}

unsigned peer_connections(const struct peers *p, const struct sockaddr_storage *addr)
{
    char key[KEY_BYTES];
    const struct peer *one = map_ptr(&p->by_address, key_of(addr, key));
    return one ? one->connections : 0;
}

void peers_fini(struct peers *p)
{
    ASSERT(p->by_address.n == 0);
    map_fini(&p->by_address);
}
