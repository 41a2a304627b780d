/* Appending to and reading a slot's journal; see journal_p.h. */
#include "step/journal_p.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "step/io_p.h"

static const uint32_t journal_magic = 0x314a4b53; /* "SKJ1" */
enum journal_kind { JOURNAL_BEGIN = 1, JOURNAL_END };

struct head {
    uint32_t magic, kind;
    uint64_t id;
    uint64_t bytes; /* of the result behind it */
    uint64_t sum;   /* of the head so far; the result has a checksum of its own */
};

static uint64_t head_sum(const struct head *h)
{
    const uint8_t *p = (const uint8_t *)h;
    uint64_t sum = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < offsetof(struct head, sum); i++) sum = (sum ^ p[i]) * 0x100000001b3;
    return sum;
}

int journal_dir(struct str state_dir)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%.*s/slots", STR_ARG(state_dir)) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT) return fd;
    return io_mkdirs(path, 0700) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

int journal_new(struct str state_dir, char name[JOURNAL_NAME_MAX], bool sync, struct err *e)
{
    uint64_t random;
    int dir = journal_dir(state_dir);
    bool ok = dir >= 0 && getrandom(&random, sizeof random, 0) == sizeof random;
    int fd = -1;
    if (ok) {
        snprintf(name, JOURNAL_NAME_MAX, "%016" PRIx64, random);
        fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0 && sync && fsync(dir) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) err_sys(e, "%.*s/slots", STR_ARG(state_dir));
    if (dir >= 0) close(dir);
    return fd;
}

static bool append(int fd, enum journal_kind kind, uint64_t id, struct str result)
{
    struct head h = {.magic = journal_magic, .kind = kind, .id = id, .bytes = result.n};
    struct iovec parts[2] = {{&h, sizeof h}, {(void *)(uintptr_t)result.p, result.n}};
    h.sum = head_sum(&h);
    size_t want = sizeof h + result.n;
    ssize_t n;
    do n = writev(fd, parts, result.n ? 2 : 1);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)want) return true;
    int why = n < 0 ? errno : ENOSPC;
    off_t end = lseek(fd, 0, SEEK_END);
    if (n > 0 && end >= n && ftruncate(fd, end - n) != 0) why = EIO; /* a half record hides all behind it */
    errno = why;
    return false;
}

bool journal_begin(int fd, uint64_t id, bool sync)
{
    bool ok = !fail_point(FAIL_BEGIN_BEFORE) && append(fd, JOURNAL_BEGIN, id, STR("")) && (!sync || fdatasync(fd) == 0);
    if (ok) fail_point(FAIL_BEGIN_AFTER);
    return ok;
}

bool journal_end(int fd, uint64_t id, struct str result, bool sync)
{
    bool ok = !fail_point(FAIL_END_BEFORE) && append(fd, JOURNAL_END, id, result) && (!sync || fdatasync(fd) == 0);
    if (ok) fail_point(FAIL_END_AFTER);
    return ok;
}

bool journal_next(struct str bytes, size_t *at, struct journal_record *out)
{
    struct head h;
    if (*at > bytes.n || bytes.n - *at < sizeof h) return false;
    memcpy(&h, bytes.p + *at, sizeof h);
    size_t left = bytes.n - *at - sizeof h;
    bool ok = h.magic == journal_magic && (h.kind == JOURNAL_BEGIN || h.kind == JOURNAL_END) && h.sum == head_sum(&h) &&
              h.bytes <= LIMIT_STEP_SPEC_BYTES && h.bytes <= left;
    if (!ok) return false;
    *out = (struct journal_record){h.id, h.kind == JOURNAL_END, str_n(bytes.p + *at + sizeof h, (size_t)h.bytes)};
    *at += sizeof h + (size_t)h.bytes;
    return true;
}
