/* The store's directories, locks and blobs. See image.h. */
#include "image/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "image/digest.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/random.h"

enum { LOOK_MS = 50 };

static const char *const places[] = {"refs", "manifests", "blobs/sha256", "blobs/sha512", "layers", "holds", "locks", "tmp"};

const char *store_path(struct arena *a, const struct image_store *s, const char *fmt, ...)
{
    char rest[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(rest, sizeof rest, fmt, ap);
    va_end(ap);
    return str_fmt(a, "%s/%s", s->dir, rest).p;
}

const char *store_blob_path(struct arena *a, const struct image_store *s, struct str digest)
{
    struct str algorithm, hex;
    str_cut(digest, ':', &algorithm, &hex);
    return store_path(a, s, "blobs/%.*s/%.*s", STR_ARG(algorithm), STR_ARG(hex));
}

/* Nobody else may enter: there are files with set-user-id bits below. */
struct image_store *image_store_open(const char *state_dir, const struct image_settings *settings, struct err *e)
{
    struct image_store *s = mem_zalloc(sizeof *s);
    char *full;
    bool ok = dir_make_all(state_dir, 0700, e);
    arena_init(&s->arena);
    if (ok && !(full = realpath(state_dir, NULL))) ok = err_sys(e, "%s", state_dir);
    if (ok) {
        s->dir = str_fmt(&s->arena, "%s/images", full).p;
        free(full);
        ok = dir_make_all(s->dir, 0700, e);
    }
    for (size_t i = 0; ok && i < ARRAY_LEN(places); i++) ok = dir_make_all(store_path(&s->arena, s, "%s", places[i]), 0700, e);
    if (ok) {
        s->settings = settings ? *settings : (struct image_settings){0};
        s->settings.mirrors = str_dup(&s->arena, s->settings.mirrors);
        s->settings.insecure = str_dup(&s->arena, s->settings.insecure);
        if (s->settings.auth_file.n) s->settings.auth_file = str_dup(&s->arena, s->settings.auth_file);
        s->registries = registry_cache_new();
        return s;
    }
    err_ctx(e, "the image store");
    image_store_close(s);
    return NULL;
}

void image_store_close(struct image_store *s)
{
    if (!s) return;
    registry_cache_free(s->registries);
    arena_fini(&s->arena);
    free(s);
}

bool store_tmp(struct arena *a, struct image_store *s, const char **out, struct err *e)
{
    *out = store_path(a, s, "tmp/%016llx", (unsigned long long)random_u64());
    return mkdir(*out, 0700) == 0 || err_sys(e, "%s", *out);
}

/* ---- locks ---- */

static int lock_open(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) err_sys(e, "%s", path);
    return fd;
}

/* flock that can be given up. False: e is set. */
static bool lock_wait(int fd, int how, const atomic_bool *cancelled, struct err *e)
{
    while (flock(fd, how | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return err_sys(e, "flock");
        if (cancelled && atomic_load(cancelled)) return err_set(e, ERR_TIMEOUT, "not wanted any more");
        poll(NULL, 0, LOOK_MS);
    }
    return true;
}

int store_lock(struct image_store *s, enum store_lock how, const atomic_bool *cancelled, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    int fd = lock_open(store_path(&a, s, "lock"), e);
    if (fd < 0) return -1;
    if (how == STORE_SHARED && lock_wait(fd, LOCK_SH, cancelled, e)) return fd;
    if (how == STORE_ALONE && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (how == STORE_NOW && flock(fd, LOCK_SH | LOCK_NB) == 0) return fd;
    if (how == STORE_NOW) err_set(e, ERR_CONFLICT, "images are being removed");
    if (how == STORE_ALONE) err_set(e, ERR_CONFLICT, "images are being pulled or imported: try again afterwards");
    close(fd);
    return -1;
}

int store_lock_item(struct image_store *s, const char *kind, struct str name, const atomic_bool *cancelled, atomic_int *stage,
                    struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    int before = stage ? atomic_load(stage) : 0, fd = lock_open(store_path(&a, s, "locks/%s-%.*s", kind, STR_ARG(name)), e);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (stage) atomic_store(stage, IMAGE_WAITING);
    bool ok = lock_wait(fd, LOCK_EX, cancelled, e);
    if (stage) atomic_store(stage, before);
    if (ok) return fd;
    close(fd);
    return -1;
}

/* `all`: the store's lock, shared, so that nobody removes it meanwhile. Nobody keeps another's hold for long. */
static int hold_under(struct image_store *s, int all, struct str manifest, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    int fd = all < 0 ? -1 : lock_open(store_path(&a, s, "holds/%.*s", STR_ARG(digest_hex(manifest))), e);
    if (fd >= 0 && !lock_wait(fd, LOCK_SH, NULL, e)) close_fd(&fd);
    close_fd(&all);
    return fd;
}

int image_hold(struct image_store *s, struct str manifest, struct err *e)
{
    return hold_under(s, store_lock(s, STORE_SHARED, NULL, e), manifest, e);
}

int image_hold_now(struct image_store *s, struct str manifest, struct err *e)
{
    return hold_under(s, store_lock(s, STORE_NOW, NULL, e), manifest, e);
}

/* Names are files that are renamed into one directory. Its clock ticks every few milliseconds. */
int64_t image_store_stamp(const struct image_store *s)
{
    enum { TICK_US = 20000 };
    struct arena a CLEANUP(arena_fini);
    struct stat st;
    arena_init(&a);
    if (stat(store_path(&a, s, "refs"), &st) != 0) return 0;
    int64_t us = st.st_mtim.tv_sec * 1000000LL + st.st_mtim.tv_nsec / 1000, age_us = clock_now_us() - us;
    return age_us >= 0 && age_us < TICK_US ? 0 : us;
}

/* ---- blobs ---- */

bool store_blob_write(struct image_store *s, struct str digest, struct str bytes, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    bool ok = file_write_atomic(store_blob_path(&a, s, digest), bytes, 0600, true, e);
    if (ok) fail_point(FAIL_IMAGE_BLOB);
    return ok;
}

bool store_blob_read(struct arena *a, struct image_store *s, struct str digest, struct str *out, struct err *e)
{
    return file_read(a, store_blob_path(a, s, digest), LIMIT_IMAGE_DOCUMENT_BYTES, out, e) &&
           digest_verify(digest, *out, "a file of the image store", e);
}
