/* See peer.h. */
#include "http/peer.h"

#include "os/sender.h"

struct peer {
    unsigned connections;
    char key[SENDER_BYTES];
};

static struct peer *peer_new(const struct sockaddr_storage *a)
{
    struct peer *n = mem_zalloc(sizeof *n);
    sender_of(a, n->key);
    return n;
}

struct peer *peer_add(struct peers *p, const struct sockaddr_storage *addr)
{
    char key[SENDER_BYTES];
    struct peer *one = map_ptr(&p->by_address, sender_of(addr, key));
    if (!one) {
        one = peer_new(addr);
        map_set_ptr(&p->by_address, str_n(one->key, SENDER_BYTES), one);
    }
    one->connections++;
    return one;
}

void peer_drop(struct peers *p, struct peer *one)
{
    if (!one || --one->connections) return;
    map_del(&p->by_address, str_n(one->key, SENDER_BYTES));
    free(one);
}

unsigned peer_connections(const struct peers *p, const struct sockaddr_storage *addr)
{
    char key[SENDER_BYTES];
    const struct peer *one = map_ptr(&p->by_address, sender_of(addr, key));
    return one ? one->connections : 0;
}

void peers_fini(struct peers *p)
{
    ASSERT(p->by_address.n == 0);
    map_fini(&p->by_address);
}
