/* A layer's bytes from a registry into the store: hashed as they come, taken up where they broke off, also by another
 * process later. The file HEX.partial is always a beginning of the blob, or it fails its digest at the end and is begun anew. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "image/digest.h"
#include "image/download.h"
#include "os/fd.h"

enum { BLOCK = 256 << 10 };

struct download {
    struct arena *a;
    const struct image_desc *desc;
    const atomic_bool *cancelled;
    struct image_progress_layer *progress;
    int fd;
    uint64_t at; /* bytes that are there and hashed */
    bool begun;  /* the first piece of this reply was seen */
    struct digester digester;
};

static void told(struct download *d)
{
    if (d->progress) atomic_store(&d->progress->got, d->at);
}

static bool anew(struct download *d, struct err *e)
{
    digester_fini(&d->digester);
    digester_init(&d->digester, d->desc->digest);
    d->at = 0;
    told(d);
    return (ftruncate(d->fd, 0) == 0 && lseek(d->fd, 0, SEEK_SET) == 0) || err_sys(e, "cannot begin a layer anew");
}

/* What an earlier attempt left. */
static bool taken_up(struct download *d, struct err *e)
{
    struct stat st;
    char *block = mem_alloc(BLOCK);
    bool ok = (fstat(d->fd, &st) == 0 && lseek(d->fd, 0, SEEK_SET) == 0) || err_sys(e, "cannot read a layer");
    if (ok && (uint64_t)st.st_size > (uint64_t)d->desc->size) {
        ok = anew(d, e);
        st.st_size = 0;
    }
    while (ok && d->at < (uint64_t)st.st_size) {
        ssize_t n = read(d->fd, block, BLOCK);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) ok = err_sys(e, "cannot read a layer");
        if (d->cancelled && atomic_load(d->cancelled)) ok = err_set(e, ERR_TIMEOUT, "not wanted any more");
        if (!ok) break;
        digester_add(&d->digester, block, (size_t)n);
        d->at += (uint64_t)n;
        told(d);
    }
    free(block);
    return ok;
}

/* "bytes 100-199/200" begins at 100 */
static bool range_begins(const struct web_reply *head, uint64_t at)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        struct str from, rest, v = head->fields[i].value;
        int64_t n;
        if (!str_is(head->fields[i].name, "Content-Range") || !str_starts(v, STR("bytes "))) continue;
        return str_cut(str_from(v, 6), '-', &from, &rest) && str_to_i64(str_trim(from), &n) && n >= 0 && (uint64_t)n == at;
    }
    return false;
}

static bool on_piece(void *user, const struct web_reply *head, struct str piece, struct err *e)
{
    struct download *d = user;
    if (!d->begun) {
        d->begun = true;
        if (head->status != 206 && d->at && !anew(d, e)) return false; /* all of it comes */
        if (head->status == 206 && !range_begins(head, d->at))
            return err_set(e, ERR_SPEC, "the registry sends another part of the layer than was asked for");
    }
    if (piece.n > (uint64_t)d->desc->size - d->at)
        return err_set(e, ERR_LIMIT, "the registry sends more than the %lld bytes that the manifest says", (long long)d->desc->size);
    if (!fd_write_all(d->fd, piece, e)) return err_ctx(e, "cannot keep a layer");
    digester_add(&d->digester, piece.p, piece.n);
    d->at += piece.n;
    told(d);
    return true;
}

/* One request. *again: it is worth another. */
static bool attempt(struct download *d, struct registry *r, struct web_reply *reply, bool *again, struct err *e)
{
    *again = false;
    d->begun = false;
    *reply = (struct web_reply){0};
    if (!registry_blob(d->a, r, d->desc->digest, d->at, (uint64_t)d->desc->size, on_piece, d, reply, e)) {
        *again = (e->code == ERR_UNREACHABLE || e->code == ERR_TIMEOUT) && !(r->cancelled && atomic_load(r->cancelled));
        return err_ctx(e, "registry %.*s", STR_ARG(r->host));
    }
    if (reply->status == 416) { /* this part is not to be had */
        if (!d->at) return registry_says(d->a, r, reply, "a layer", e);
        return anew(d, e) && !(*again = true);
    }
    if (reply->status < 200 || reply->status > 299) {
        *again = registry_is_passing(reply);
        return registry_says(d->a, r, reply, "a layer", e);
    }
    if (d->at == (uint64_t)d->desc->size) return true;
    *again = true;
    return err_set(e, ERR_UNREACHABLE, "registry %.*s sent %llu bytes of a layer of %lld", STR_ARG(r->host), (unsigned long long)d->at,
                   (long long)d->desc->size);
}

/* Tries count as long as nothing comes: a layer may break off often on its way. */
static bool fill(struct download *d, struct registry *r, struct err *e)
{
    struct web_reply reply;
    bool again;
    if (d->at == (uint64_t)d->desc->size) return true;
    for (unsigned tries = 1;; tries++) {
        uint64_t before = d->at;
        if (attempt(d, r, &reply, &again, e)) return true;
        if (!again) return false;
        if (d->at > before) tries = 1;
        if (!registry_wait(r, tries, reply.status ? &reply : NULL)) return false;
    }
}

static bool verified(struct download *d, struct err *e)
{
    struct str is = digester_end(&d->digester, d->a);
    if (str_eq(is, d->desc->digest)) return true;
    return err_set(e, ERR_SPEC, "a layer has the digest %.*s instead of %.*s", STR_ARG(is), STR_ARG(d->desc->digest));
}

/* With what was there already; when that was not right, all of it once more. */
static bool filled_and_right(struct download *d, struct registry *r, struct err *e)
{
    bool had = d->at > 0;
    struct err ignored;
    if (!fill(d, r, e)) return false;
    if (verified(d, e)) return true;
    anew(d, &ignored);
    return had && fill(d, r, e) && (verified(d, e) || (anew(d, &ignored), false));
}

static bool there_already(struct arena *a, struct image_store *s, const struct image_desc *desc, struct layer_from *out)
{
    struct stat st;
    const char *path = store_blob_path(a, s, desc->digest);
    struct digester g CLEANUP(digester_fini);
    char *block CLEANUP(free_ptr) = mem_alloc(BLOCK);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;
    digester_init(&g, desc->digest);
    if (fd < 0) return false;
    while ((n = read(fd, block, BLOCK)) > 0) digester_add(&g, block, (size_t)n);
    if (n == 0 && fstat(fd, &st) == 0 && st.st_size == desc->size && str_eq(digester_end(&g, a), desc->digest)) {
        *out = (struct layer_from){.source = {fd, 0, (uint64_t)desc->size}, .own = true};
        return true;
    }
    close(fd); /* a power cut damaged it */
    unlink(path);
    return false;
}

bool layer_download(struct arena *a, struct image_store *s, struct registry *from, size_t n, const struct image_desc *desc, struct layer_work *w,
                    const atomic_bool *cancelled, struct image_progress_layer *progress, struct layer_from *out, struct err *e)
{
    struct download d = {.a = a, .desc = desc, .cancelled = cancelled, .progress = progress};
    const char *path = store_blob_path(a, s, desc->digest), *partial = str_fmt(a, "%s.partial", path).p;
    if (progress) atomic_store(&progress->stage, IMAGE_DOWNLOADING);
    CLEANUP(close_fd) int lock = store_lock_item(s, "blob", digest_hex(desc->digest), cancelled, progress ? &progress->stage : NULL, e);
    if (lock < 0) return false;
    if (layer_look(a, s, w)) {
        *out = (struct layer_from){.source = {.fd = -1}};
        return true;
    }
    if (there_already(a, s, desc, out)) {
        d.at = (uint64_t)desc->size;
        told(&d);
        return true;
    }
    d.fd = open(partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d.fd < 0) return err_sys(e, "%s", partial);
    digester_init(&d.digester, desc->digest);
    bool ok = taken_up(&d, e);
    for (size_t i = 0; ok; i++) {
        struct registry r = from[i];
        r.cancelled = cancelled;
        if ((r.base.p || registry_ping(a, &r, e)) && filled_and_right(&d, &r, e)) break;
        ok = i + 1 < n && !(cancelled && atomic_load(cancelled));
    }
    digester_fini(&d.digester);
    if (ok && (fail_point(FAIL_IMAGE_PARTIAL) || fsync(d.fd) != 0 || rename(partial, path) != 0)) ok = err_sys(e, "cannot keep a layer");
    if (!ok) close(d.fd);
    else *out = (struct layer_from){.source = {d.fd, 0, (uint64_t)desc->size}, .own = true};
    return ok || err_ctx(e, "layer %.*s", STR_ARG(str_sub(digest_hex(desc->digest), 0, 12)));
}
