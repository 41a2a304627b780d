/* Clients of a server, many at once: one thread, one epoll.
 *
 *   httpload [-c CONNECTIONS] [-n COUNT] [-r A-SECOND] PORT requests METHOD PATH [BODY-FILE]
 *   httpload [-c CONNECTIONS] [-k KEY] PORT streams PATHS-FILE
 *
 * Requests go over kept connections, one at a time on each; with -r they are due at that rate, whatever becomes of those
 * before, and the time counts from then. The first @@@@@@ of path and body becomes the request's number.
 *
 * Streams are open until stdin ends, and until nothing has come for two seconds then. "open" is said once each has been answered. Numbers behind KEY must never go down on a
 * connection; what a line says behind "timeUs": is when it was made, and the time until it is here is measured.
 *
 * The result is one JSON object on stdout. */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 20000, BUCKET_US = 20, BUCKETS = 1000000, READ_BYTES = 256 << 10, QUIET_MS = 2000 };

struct conn {
    int fd;
    char *in; /* what has come and is not understood yet: a head, a line, a chunk's size */
    size_t n, cap;
    bool busy, body;      /* an answer is awaited; its head is complete */
    bool chunked, sized;  /* the size of the chunk is known */
    uint64_t left;        /* of the body or chunk */
    double due_us;
    size_t number;
    uint64_t last, lines, sum; /* of a stream */
};

static struct {
    int port, epoll;
    size_t connections, count;
    double rate;
    bool streams;
    const char *key;
    char *path, *body;    /* of all requests */
    size_t body_bytes;
    const char *method;
    char **paths;         /* of streams */
    size_t n_paths;
} o = {.connections = 1, .count = 1, .key = "\"seq\":"};

static struct {
    size_t sent, done, refused, open, broken, disorder;
    uint64_t bytes, lines, timed;
    double first_us, last_us, longest_us;
    char refusal[200];
    uint32_t buckets[BUCKETS];
} seen;

static struct conn *conns;

static void die(const char *what)
{
    fprintf(stderr, "httpload: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double now_us(void) { return clock_us(CLOCK_MONOTONIC); }

static void took(double us)
{
    size_t i = us < 0 ? 0 : (size_t)(us / BUCKET_US);
    seen.buckets[i < BUCKETS ? i : BUCKETS - 1]++;
    seen.timed++;
    if (us > seen.longest_us) seen.longest_us = us;
}

static double quantile_ms(double q)
{
    uint64_t want = (uint64_t)((double)seen.timed * q), had = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        if ((had += seen.buckets[i]) > want) return ((double)i + 0.5) * BUCKET_US / 1e3;
    return seen.longest_us / 1e3;
}

/* ---- sending ---- */

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) die("connect");
    return fd;
}

static void numbered(char *text, size_t n, size_t number)
{
    char *at = text ? memmem(text, n, "@@@@@@", 6) : NULL, digits[24];
    if (!at) return;
    snprintf(digits, sizeof digits, "%06zu", number % 1000000);
    memcpy(at, digits, 6);
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0) die("send");
        p += sent;
        n -= (size_t)sent;
    }
}

static void request_send(struct conn *c, const char *method, const char *path, size_t number)
{
    static char *all;
    static size_t cap;
    size_t need = strlen(path) + o.body_bytes + 512;
    if (cap < need && !(all = realloc(all, cap = need))) die("memory");
    int head = snprintf(all, cap, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", method, path, o.body_bytes);
    if (o.body_bytes) memcpy(all + head, o.body, o.body_bytes);
    numbered(all, strlen(method) + strlen(path) + 1, number);
    numbered(all + head, o.body_bytes, number);
    c->busy = true;
    c->body = c->chunked = c->sized = false;
    send_all(c->fd, all, (size_t)head + o.body_bytes);
}

/* The next one, if it is due. */
static void request_next(struct conn *c)
{
    double now = now_us(), due = o.rate ? seen.first_us + (double)seen.sent * 1e6 / o.rate : now;
    if (seen.sent == o.count || due > now) return;
    c->due_us = due;
    c->number = seen.sent++;
    request_send(c, o.method, o.path, c->number);
}

/* ---- what comes ---- */

static void line_seen(struct conn *c, const char *p, size_t n)
{
    const char *at = memmem(p, n, o.key, strlen(o.key)), *made = memmem(p, n, "\"timeUs\":", 9);
    if (n < 2) return; /* keep-alive */
    c->lines++;
    seen.lines++;
    if (at) {
        uint64_t number = strtoull(at + strlen(o.key), NULL, 10);
        if (number < c->last || (number == c->last && strstr(o.key, "seq"))) seen.disorder++;
        c->last = number;
        c->sum = c->sum * 31 + number;
    }
    if (made) took(clock_us(CLOCK_REALTIME) - strtod(made + 9, NULL));
}

static void answer_done(struct conn *c)
{
    seen.last_us = now_us();
    took(seen.last_us - c->due_us);
    seen.done++;
    c->busy = false;
    request_next(c);
}

/* Status and how the body ends; the answer of a request that was refused is kept for the report. */
static void head_seen(struct conn *c, const char *p, size_t n)
{
    const char *length = memmem(p, n, "Content-Length: ", 16);
    long status = strtol(p + 9, NULL, 10);
    c->body = true;
    c->chunked = memmem(p, n, "chunked", 7) != NULL;
    c->left = length ? strtoull(length + 16, NULL, 10) : 0;
    if (status != 200 && !seen.refused++) snprintf(seen.refusal, sizeof seen.refusal, "%ld", status);
    if (o.streams && status == 200 && ++seen.open == o.connections) {
        puts("open");
        fflush(stdout);
    }
}

/* Lines of a stream: chunks begin and end anywhere, so they are joined in place first. */
static size_t lines_seen(struct conn *c, char *p, size_t n)
{
    size_t at = 0;
    for (char *end; (end = memchr(p + at, '\n', n - at)); at = (size_t)(end - p) + 1) line_seen(c, p + at, (size_t)(end - p) - at);
    return at;
}

/* Takes one piece off what has come; false: more is needed. `text` is where the payload of chunks is put together. */
static bool piece_seen(struct conn *c, size_t *at, size_t *text)
{
    char *p = c->in + *at;
    size_t n = c->n - *at;
    if (!c->body) {
        char *end = memmem(p, n, "\r\n\r\n", 4);
        if (!end) return false;
        head_seen(c, p, (size_t)(end - p));
        *at += (size_t)(end - p) + 4;
        *text = 0;
        if (!c->chunked && !c->left) answer_done(c);
        return true;
    }
    if (c->chunked && !c->sized) {
        char *end = memmem(p, n, "\r\n", 2);
        if (!end) return false;
        c->left = strtoull(p, NULL, 16) + 2;
        c->sized = true;
        *at += (size_t)(end - p) + 2;
        if (c->left == 2) errno = 0, seen.broken += o.streams;
        return true;
    }
    size_t take = n < c->left ? n : (size_t)c->left, tail = c->chunked && c->left - take < 2 ? 2 - (size_t)(c->left - take) : 0;
    size_t payload = take > tail ? take - tail : 0;
    if (!take) return false;
    if (o.streams) memmove(c->in + *text, p, payload), *text += payload;
    *at += take;
    c->left -= take;
    if (c->left == 0 && c->chunked) c->sized = false;
    else if (c->left == 0) answer_done(c);
    return c->left == 0;
}

static void input_seen(struct conn *c, size_t kept)
{
    size_t at = kept, text = kept;
    while (at < c->n && piece_seen(c, &at, &text)) {}
    size_t used = o.streams ? lines_seen(c, c->in, text) : text;
    size_t line = text - used, raw = c->n - at; /* an unfinished line, then an unfinished head or chunk's size */
    memmove(c->in, c->in + used, line);
    memmove(c->in + line, c->in + at, raw);
    c->n = line + raw;
    c->number = o.streams ? line : c->number; /* of a stream: so much of `in` is payload */
}

static void conn_read(struct conn *c)
{
    if (c->cap - c->n < READ_BYTES / 4 && !(c->in = realloc(c->in, c->cap += READ_BYTES))) die("memory");
    ssize_t got = recv(c->fd, c->in + c->n, c->cap - c->n, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (!o.streams) die("the server closed a connection");
        seen.broken++;
        epoll_ctl(o.epoll, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    seen.bytes += (uint64_t)got;
    c->n += (size_t)got;
    input_seen(c, o.streams ? c->number : 0);
}

/* ---- all of them ---- */

/* False: stdin has ended. */
static bool turn(int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(o.epoll, events, 256, wait_ms);
    for (int i = 0; i < n; i++) {
        char rest[64];
        if (events[i].data.ptr) conn_read(events[i].data.ptr);
        else if (read(0, rest, sizeof rest) == 0) return false;
    }
    return true;
}

static void conns_open(void)
{
    conns = calloc(o.connections, sizeof *conns);
    for (size_t i = 0; i < o.connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &conns[i]};
        conns[i].fd = dial();
        if (epoll_ctl(o.epoll, EPOLL_CTL_ADD, conns[i].fd, &e) != 0) die("epoll");
        if (o.streams) request_send(&conns[i], "GET", o.paths[i % o.n_paths], i);
        if (o.streams) turn(0);
    }
}

static void run_requests(void)
{
    seen.first_us = now_us();
    while (seen.done < o.count) {
        for (size_t i = 0; i < o.connections && seen.sent < o.count; i++)
            if (!conns[i].busy) request_next(&conns[i]);
        turn(o.rate ? 1 : 1000);
    }
}

static void run_streams(void)
{
    struct epoll_event e = {.events = EPOLLIN};
    uint64_t had;
    if (epoll_ctl(o.epoll, EPOLL_CTL_ADD, 0, &e) != 0) die("stdin");
    while (turn(-1)) {}
    epoll_ctl(o.epoll, EPOLL_CTL_DEL, 0, NULL);
    do {
        had = seen.bytes;
        turn(QUIET_MS);
    } while (seen.bytes != had);
}

static void report(void)
{
    uint64_t least = UINT64_MAX, most = 0;
    size_t unlike = 0;
    for (size_t i = 0; i < o.connections; i++) {
        if (conns[i].lines < least) least = conns[i].lines;
        if (conns[i].lines > most) most = conns[i].lines;
        unlike += conns[i].sum != conns[0].sum;
    }
    printf("{\"done\":%zu,\"seconds\":%.6f,\"refused\":%zu,\"refusal\":\"%s\",\"bytes\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"lines\":%llu,\"least\":%llu,\"most\":%llu,\"unlike\":%zu,\"disorder\":%zu,\"broken\":%zu}\n",
           seen.done, (seen.last_us - seen.first_us) / 1e6, seen.refused, seen.refusal, (unsigned long long)seen.bytes, quantile_ms(0.5),
           quantile_ms(0.99), seen.longest_us / 1e3, (unsigned long long)seen.lines, (unsigned long long)least, (unsigned long long)most, unlike,
           seen.disorder, seen.broken);
}

static char *file_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "r");
    char *p = NULL;
    *n = 0;
    if (!f || getdelim(&p, n, 0, f) < 0) die(path);
    *n = strlen(p);
    fclose(f);
    return p;
}

static void paths_read(const char *file)
{
    size_t n;
    char *at = file_read(file, &n), *end;
    o.paths = calloc(MOST_CONNECTIONS, sizeof *o.paths);
    for (; (end = strchr(at, '\n')) && o.n_paths < MOST_CONNECTIONS; at = end + 1) {
        *end = 0;
        o.paths[o.n_paths++] = at;
    }
}

int main(int argc, char **argv)
{
    struct rlimit files = {0};
    for (int c; (c = getopt(argc, argv, "c:n:r:k:")) != -1;) {
        if (c == 'c') o.connections = strtoul(optarg, NULL, 10);
        else if (c == 'n') o.count = strtoul(optarg, NULL, 10);
        else if (c == 'r') o.rate = strtod(optarg, NULL);
        else if (c == 'k') o.key = optarg;
        else return 2;
    }
    argv += optind;
    argc -= optind;
    if (argc < 3 || o.connections > MOST_CONNECTIONS) return fprintf(stderr, "usage: see bench/httpload.c\n"), 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    o.port = (int)strtol(argv[0], NULL, 10);
    o.epoll = epoll_create1(EPOLL_CLOEXEC);
    o.streams = strcmp(argv[1], "streams") == 0;
    if (o.streams) {
        paths_read(argv[2]);
    } else {
        o.method = argv[2];
        o.path = argv[3];
        if (argc > 4) o.body = file_read(argv[4], &o.body_bytes);
    }
    conns_open();
    if (o.streams) run_streams();
    else run_requests();
    report();
    return 0;
}
