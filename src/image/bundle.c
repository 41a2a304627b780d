/* See bundle.h. A tar is gone through once, headers only; its files are then read where they lie. */
#include "image/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/stream.h"
#include "os/fd.h"

enum { BLOCK = 64 << 10, FILES_MAX = 100000, HOPS_MAX = 8 };

/* ---- names ---- */

/* Without "./"; ".." taken back. Absent: leads out. */
static struct str clean(struct arena *a, struct str dir, struct str name)
{
    struct buf b CLEANUP(buf_fini);
    struct str part, rest = name;
    buf_init(&b, LIMIT_IMAGE_PATH_BYTES);
    buf_str(&b, name.n && name.p[0] == '/' ? STR("") : dir);
    while (rest.p) {
        str_cut(rest, '/', &part, &rest);
        if (!part.n || str_is(part, ".")) continue;
        if (str_is(part, "..")) {
            if (!b.n) return STR_NONE;
            while (b.n && b.p[b.n - 1] != '/') b.n--;
            if (b.n) b.n--;
            continue;
        }
        if (b.n) buf_char(&b, '/');
        buf_str(&b, part);
    }
    return b.overflow ? STR_NONE : buf_dup(a, &b);
}

static struct str dir_of(struct str name)
{
    while (name.n && name.p[name.n - 1] != '/') name.n--;
    return str_sub(name, 0, name.n ? name.n - 1 : 0);
}

/* ---- a tar ---- */

static void file_note(struct bundle *b, struct archive *ar, struct archive_entry *ae)
{
    struct str name = clean(b->a, STR(""), str_of(archive_entry_pathname(ae)));
    const char *hard = archive_entry_hardlink(ae), *soft = archive_entry_symlink(ae);
    if (!name.n || (archive_entry_filetype(ae) != AE_IFREG && !hard && !soft)) return;
    struct bundle_file *f = ARENA_NEW(b->a, struct bundle_file);
    *f = (struct bundle_file){.name = name, .offset = (uint64_t)archive_filter_bytes(ar, 0), .size = (uint64_t)MAX(archive_entry_size(ae), 0)};
    if (hard) f->target = clean(b->a, STR(""), str_of(hard));
    else if (soft && archive_entry_filetype(ae) == AE_IFLNK) f->target = clean(b->a, dir_of(name), str_of(soft));
    map_set_ptr(&b->files, f->name, f);
}

static bool tar_list(struct bundle *b, struct err *e)
{
    struct archive *ar = archive_read_new();
    struct archive_entry *ae;
    int got, entries = 0;
    if (!ar) IMPOSSIBLE("no memory for an archive");
    archive_read_support_format_tar(ar);
    bool ok = archive_read_open_fd(ar, b->fd, BLOCK) == ARCHIVE_OK;
    while (ok && (got = archive_read_next_header(ar, &ae)) != ARCHIVE_EOF) {
        ok = got >= ARCHIVE_WARN && entries++ < FILES_MAX;
        if (ok) file_note(b, ar, ae);
    }
    if (!ok && entries > FILES_MAX) err_set(e, ERR_LIMIT, "more than %d files: not an archive of images", FILES_MAX);
    else if (!ok) err_set(e, ERR_SPEC, "not a tar archive: %s", archive_error_string(ar) ? archive_error_string(ar) : "unknown error");
    archive_read_free(ar);
    return ok;
}

static bool tar_list_utf8(struct bundle *b, struct err *e)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = utf8 ? uselocale(utf8) : (locale_t)0;
    bool ok = tar_list(b, e);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return ok;
}

/* A file that has no name any more. */
static int tmp_file(struct image_store *s, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    int fd = open(store_path(&a, s, "tmp"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) err_sys(e, "cannot make a file in the image store");
    return fd;
}

static bool unpacked_copy(struct bundle *b, struct image_store *s, uint64_t size, const atomic_bool *cancelled, struct err *e)
{
    struct unpack_source source = {b->fd, 0, size};
    CLEANUP(close_fd) int tmp = tmp_file(s, e);
    struct stream *in = tmp < 0 ? NULL : stream_new(&source, STR_NONE, STR_NONE, cancelled, NULL, e);
    const void *p;
    size_t n = 1;
    bool ok = in != NULL;
    while (ok && n && stream_next(in, &p, &n)) ok = !n || fd_write_all(tmp, str_n(p, n), e);
    if (in) ok = stream_end(in, !ok, e) && ok;
    if (!ok) return false;
    close_fd(&b->fd);
    b->fd = tmp;
    tmp = -1;
    return lseek(b->fd, 0, SEEK_SET) == 0 || err_sys(e, "cannot read the archive");
}

static bool pipe_copy(struct bundle *b, struct image_store *s, const atomic_bool *cancelled, struct err *e)
{
    char block[BLOCK];
    ssize_t n;
    int tmp CLEANUP(close_fd) = tmp_file(s, e);
    if (tmp < 0) return false;
    while ((n = read(b->fd, block, sizeof block)) != 0) {
        if (cancelled && atomic_load(cancelled)) return err_set(e, ERR_TIMEOUT, "not wanted any more");
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "cannot read the archive");
        if (!fd_write_all(tmp, str_n(block, (size_t)n), e)) return false;
    }
    close_fd(&b->fd);
    b->fd = tmp;
    tmp = -1;
    return true;
}

static bool tar_open(struct bundle *b, struct image_store *s, const atomic_bool *cancelled, struct err *e)
{
    struct stat st;
    unsigned char m[4] = {0};
    if (fstat(b->fd, &st) != 0) return err_sys(e, "cannot look at the archive");
    if (!S_ISREG(st.st_mode) && (!pipe_copy(b, s, cancelled, e) || fstat(b->fd, &st) != 0)) return false;
    bool read4 = pread(b->fd, m, 4, 0) == 4;
    bool packed = read4 && ((m[0] == 0x1f && m[1] == 0x8b) || (m[0] == 0x28 && m[1] == 0xb5 && m[2] == 0x2f && m[3] == 0xfd));
    if (packed && !unpacked_copy(b, s, (uint64_t)st.st_size, cancelled, e)) return false;
    if (lseek(b->fd, 0, SEEK_SET) != 0) return err_sys(e, "cannot read the archive");
    return tar_list_utf8(b, e);
}

/* ---- both ---- */

bool bundle_open(struct bundle *b, struct arena *a, struct image_store *s, const char *path, const atomic_bool *cancelled, struct err *e)
{
    struct stat st;
    *b = (struct bundle){.a = a, .fd = -1, .dir_fd = -1};
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 && errno == ENOENT) return err_set(e, ERR_NOT_FOUND, "no file '%s'", path);
    if (fd < 0 || fstat(fd, &st) != 0) {
        close_fd(&fd);
        return err_sys(e, "%s", path);
    }
    if (S_ISDIR(st.st_mode)) {
        b->dir_fd = fd;
        return true;
    }
    b->fd = fd;
    if (strcmp(path, "-")) fd_set_nonblock(fd, false, NULL);
    return tar_open(b, s, cancelled, e) || err_ctx(e, "%s", path);
}

void bundle_close(struct bundle *b)
{
    for (size_t i = 0; i < b->opened.n; i++) close(b->opened.items[i]);
    VEC_FINI(&b->opened);
    close_fd(&b->fd);
    close_fd(&b->dir_fd);
    map_fini(&b->files);
}

static bool dir_find(struct bundle *b, struct str name, struct unpack_source *out, struct err *e)
{
    struct stat st;
    int fd = fd_open_beneath(b->dir_fd, str_z(b->a, name), O_RDONLY | O_NONBLOCK, 0, e);
    if (fd < 0) return false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_SPEC, "'%.*s' is no file", STR_ARG(name));
    }
    VEC_PUSH(&b->opened, fd);
    *out = (struct unpack_source){fd, 0, (uint64_t)st.st_size};
    return true;
}

bool bundle_find(struct bundle *b, struct str name, struct unpack_source *out, struct err *e)
{
    struct str at = clean(b->a, STR(""), name);
    if (!at.n) return err_set(e, ERR_SPEC, "'%.*s' is no name of a file in it", STR_ARG(str_sub(name, 0, 200)));
    if (b->dir_fd >= 0) return dir_find(b, at, out, e);
    for (int hops = 0; at.n && hops < HOPS_MAX; hops++) {
        struct bundle_file *f = map_ptr(&b->files, at);
        if (!f) break;
        *out = (struct unpack_source){b->fd, f->offset, f->size};
        if (!f->target.p) return true;
        at = f->target;
    }
    return err_set(e, ERR_NOT_FOUND, "it has no file '%.*s'", STR_ARG(str_sub(name, 0, 200)));
}

bool bundle_read(struct bundle *b, struct str name, struct str *out, struct err *e)
{
    struct unpack_source from;
    if (!bundle_find(b, name, &from, e)) return false;
    if (from.size > LIMIT_IMAGE_DOCUMENT_BYTES)
        return err_set(e, ERR_LIMIT, "'%.*s' is larger than LIMIT_IMAGE_DOCUMENT_BYTES", STR_ARG(str_sub(name, 0, 200)));
    char *p = arena_alloc_bytes(b->a, from.size + 1);
    for (size_t n = 0; n < from.size;) {
        ssize_t got = pread(from.fd, p + n, from.size - n, (off_t)(from.offset + n));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got ? err_sys(e, "cannot read '%.*s'", STR_ARG(name)) : err_set(e, ERR_SPEC, "'%.*s' is cut off", STR_ARG(name));
        n += (size_t)got;
    }
    p[from.size] = 0;
    *out = str_n(p, from.size);
    return true;
}
