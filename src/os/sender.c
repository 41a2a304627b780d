/* See sender.h. */
#include "os/sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { MAPPED_AT = 12, V6_NETWORK_BYTES = 8 };

static struct str v4_key(const void *bits, char key[SENDER_BYTES])
{
    memset(key, 0, SENDER_BYTES);
    key[0] = '4';
    memcpy(key + 1, bits, sizeof(struct in_addr));
    return str_n(key, SENDER_BYTES);
}

static struct str v6_key(const struct in6_addr *bits, char key[SENDER_BYTES])
{
    if (IN6_IS_ADDR_V4MAPPED(bits)) return v4_key(bits->s6_addr + MAPPED_AT, key);
    key[0] = '6';
    memcpy(key + 1, bits, V6_NETWORK_BYTES);
    return str_n(key, SENDER_BYTES);
}

struct str sender_of(const struct sockaddr_storage *a, char key[SENDER_BYTES])
{
    if (a->ss_family == AF_INET) return v4_key(&((const struct sockaddr_in *)(const void *)a)->sin_addr, key);
    if (a->ss_family == AF_INET6) return v6_key(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, key);
    memset(key, 0, SENDER_BYTES);
    return str_n(key, SENDER_BYTES);
}

struct str sender_of_text(struct str text, char key[SENDER_BYTES])
{
    char z[INET6_ADDRSTRLEN];
    struct str plain, interface;
    struct in_addr v4;
    struct in6_addr v6;
    str_cut(text, '%', &plain, &interface);
    if (plain.n >= sizeof z) return STR_NONE;
    snprintf(z, sizeof z, "%.*s", STR_ARG(plain));
    if (inet_pton(AF_INET, z, &v4) == 1) return v4_key(&v4, key);
    return inet_pton(AF_INET6, z, &v6) == 1 ? v6_key(&v6, key) : STR_NONE;
}
