/* See bundle.h. */
#include "artifact/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/archive_util.h"
#include "artifact/walk.h"
#include "base/limits.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "doc/val.h"
#include "os/fd.h"

enum { BLOCK = 256 << 10, TARGET_BYTES = 4096, SEAL_BYTES = 64 << 10, FORMAT = 1 };

/* What both ends count; the same entries in the same order give the same digest. */
struct tally {
    EVP_MD_CTX *md;
    struct bundle_count n;
};

/* The order and forms of this are the format. */
static void tally_head(struct tally *t, struct archive_entry *ae)
{
    char line[200];
    const char *path = archive_entry_pathname(ae), *target = archive_entry_symlink(ae);
    int n = snprintf(line, sizeof line, "%o %o %lld %lld %lld %lld", (unsigned)archive_entry_filetype(ae), (unsigned)archive_entry_perm(ae),
                     (long long)archive_entry_uid(ae), (long long)archive_entry_gid(ae), (long long)archive_entry_mtime(ae),
                     archive_entry_filetype(ae) == AE_IFREG ? (long long)archive_entry_size(ae) : 0LL);
    EVP_DigestUpdate(t->md, line, (size_t)n + 1);
    EVP_DigestUpdate(t->md, path, strlen(path) + 1);
    EVP_DigestUpdate(t->md, target ? target : "", target ? strlen(target) + 1 : 1);
    t->n.entries++;
}

static void tally_data(struct tally *t, const void *p, size_t n)
{
    EVP_DigestUpdate(t->md, p, n);
    t->n.bytes += n;
}

static void tally_begin(struct tally *t)
{
    *t = (struct tally){.md = EVP_MD_CTX_new()};
    if (!t->md || EVP_DigestInit_ex(t->md, EVP_sha256(), NULL) != 1) IMPOSSIBLE("no SHA-256");
}

static struct str tally_end(struct tally *t, struct arena *a)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 2 * sizeof digest);
    EVP_DigestFinal_ex(t->md, digest, &n);
    for (unsigned i = 0; i < n; i++) buf_printf(&b, "%02x", digest[i]);
    return buf_dup(a, &b);
}

/* ---- writing ---- */

struct bundle_writer {
    struct archive *ar;
    struct tally tally;
    struct arena arena; /* of one entry */
    const char *name;   /* of what is added */
    char *buf;
    int fd;
    bool failed; /* nothing is written any more */
};

static bool write_failed(struct bundle_writer *w, struct err *e)
{
    const char *why = archive_error_string(w->ar);
    w->failed = true;
    return err_set(e, ERR_IO, "cannot write the archive: %s", why ? why : "unknown error");
}

static la_ssize_t fd_put(struct archive *ar, void *ctx, const void *p, size_t n)
{
    struct err e = {0};
    const struct bundle_writer *w = ctx;
    if (w->failed || fd_write_all(w->fd, str_n(p, n), &e)) return (la_ssize_t)n;
    archive_set_error(ar, e.sys ? e.sys : EIO, "%s", e.text);
    return -1;
}

struct bundle_writer *bundle_begin(int fd, struct err *e)
{
    struct bundle_writer *w = mem_zalloc(sizeof *w);
    w->fd = fd;
    w->buf = mem_alloc(BLOCK);
    w->ar = archive_write_new();
    if (!w->ar) IMPOSSIBLE("no memory for an archive");
    arena_init(&w->arena);
    tally_begin(&w->tally);
    archive_write_set_bytes_per_block(w->ar, 0);
    archive_write_set_bytes_in_last_block(w->ar, 1);
    bool ok = archive_write_set_format_pax_restricted(w->ar) == ARCHIVE_OK &&
              archive_write_set_format_option(w->ar, "pax", "hdrcharset", "BINARY") == ARCHIVE_OK &&
              archive_write_open(w->ar, w, NULL, fd_put, NULL) == ARCHIVE_OK;
    if (ok) return w;
    write_failed(w, e);
    bundle_free(w);
    return NULL;
}

void bundle_free(struct bundle_writer *w)
{
    if (!w) return;
    w->failed = true; /* half an archive must not end like a whole one; archive_write_fail would leak what was opened */
    archive_write_free(w->ar);
    EVP_MD_CTX_free(w->tally.md);
    arena_fini(&w->arena);
    free(w->buf);
    free(w);
}

/* Exactly `left` bytes: more are cut, and where there are fewer now zeros take their place. */
static bool put_data(struct bundle_writer *w, const struct walk_entry *entry, uint64_t left, struct err *e)
{
    int fd CLEANUP(close_fd) = walk_open_file(entry, e);
    if (fd < 0) return false;
    while (left) {
        size_t want = MIN(left, (uint64_t)BLOCK);
        ssize_t n = read(fd, w->buf, want);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "cannot read '%.*s'", STR_ARG(entry->path));
        if (n == 0) memset(w->buf, 0, want), n = (ssize_t)want;
        if (archive_write_data(w->ar, w->buf, (size_t)n) != n) return write_failed(w, e);
        tally_data(&w->tally, w->buf, (size_t)n);
        left -= (uint64_t)n;
    }
    return true;
}

static bool head_fill(struct archive_entry *ae, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    char target[TARGET_BYTES];
    archive_entry_set_filetype(ae, ev == WALK_ENTER ? AE_IFDIR : ev == WALK_LINK ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(ae, entry->st.st_mode & 07777);
    archive_entry_set_uid(ae, entry->st.st_uid);
    archive_entry_set_gid(ae, entry->st.st_gid);
    archive_entry_set_mtime(ae, entry->st.st_mtim.tv_sec, 0);
    archive_entry_set_size(ae, ev == WALK_FILE ? entry->st.st_size : 0);
    if (ev != WALK_LINK) return true;
    ssize_t n = readlinkat(entry->fd, "", target, sizeof target - 1);
    if (n < 0) return err_sys(e, "cannot read link '%.*s'", STR_ARG(entry->path));
    target[n] = 0;
    archive_entry_set_symlink(ae, target);
    return true;
}

static bool put_entry(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    struct bundle_writer *w = ctx;
    if (ev == WALK_LEAVE || ev == WALK_SPECIAL) return true;
    struct archive_entry *ae = archive_entry_new2(w->ar);
    if (!ae) IMPOSSIBLE("no memory for an archive entry");
    arena_reset(&w->arena);
    archive_entry_set_pathname(ae, entry->path.n ? str_fmt(&w->arena, "%s/%.*s", w->name, STR_ARG(entry->path)).p : w->name);
    bool ok = head_fill(ae, ev, entry, e);
    if (ok) tally_head(&w->tally, ae);
    if (ok && archive_write_header(w->ar, ae) < ARCHIVE_WARN) ok = write_failed(w, e);
    archive_entry_free(ae);
    return ok && (ev != WALK_FILE || put_data(w, entry, (uint64_t)entry->st.st_size, e));
}

bool bundle_add(struct bundle_writer *w, int dir_fd, const char *name, struct err *e)
{
    struct archive_locale loc UNUSED CLEANUP(archive_locale_restore) = archive_locale_utf8();
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return true;
    w->name = name;
    return walk_tree_live(dir_fd, name, put_entry, w, e);
}

bool bundle_end(struct bundle_writer *w, struct str note, struct bundle_count *out, struct err *e)
{
    struct archive_entry *ae = archive_entry_new2(w->ar);
    if (!ae) IMPOSSIBLE("no memory for an archive entry");
    *out = w->tally.n;
    struct str digest = tally_end(&w->tally, &w->arena);
    struct str text = str_fmt(&w->arena, "{\"format\":%d,\"entries\":%llu,\"bytes\":%llu,\"sha256\":\"%.*s\",\"note\":%.*s}\n", FORMAT,
                              (unsigned long long)out->entries, (unsigned long long)out->bytes, STR_ARG(digest), STR_ARG(note));
    archive_entry_set_pathname(ae, BUNDLE_SEAL);
    archive_entry_set_filetype(ae, AE_IFREG);
    archive_entry_set_perm(ae, 0600);
    archive_entry_set_size(ae, (la_int64_t)text.n);
    bool ok = archive_write_header(w->ar, ae) >= ARCHIVE_WARN && archive_write_data(w->ar, text.p, text.n) == (la_ssize_t)text.n &&
              archive_write_close(w->ar) == ARCHIVE_OK;
    archive_entry_free(ae);
    return ok || write_failed(w, e);
}

/* ---- reading ---- */

/* Set when all is there: files are still to be made in a directory that may not be written to. */
struct late_dir {
    char *path;
    struct stat st;
};

struct reader {
    struct archive *ar;
    struct tally tally;
    struct arena arena; /* of one entry */
    VEC(struct late_dir) dirs;
    int root;
    bool owners; /* this process may give files away */
    struct err *e;
};

static bool read_failed(struct reader *r)
{
    const char *why = archive_error_string(r->ar);
    return err_set(r->e, ERR_SPEC, "the archive is damaged, or not whole: %s", why ? why : "unknown error");
}

static bool path_ok(struct str path)
{
    struct str part;
    for (bool more = true; more;) {
        more = str_cut(path, '/', &part, &path);
        if (!part.n || str_is(part, ".") || str_is(part, "..")) return false;
    }
    return true;
}

static bool attributes_set(struct reader *r, int fd, const struct stat *st, const char *path)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = st->st_mtime}};
    if (r->owners && fchown(fd, st->st_uid, st->st_gid) != 0) return err_sys(r->e, "cannot give '%s' its owner", path);
    if (fchmod(fd, st->st_mode & 07777) != 0 || futimens(fd, times) != 0) return err_sys(r->e, "cannot set the mode of '%s'", path);
    return true;
}

static bool take_file(struct reader *r, struct archive_entry *ae, const char *path)
{
    int fd CLEANUP(close_fd) = fd_open_beneath(r->root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, r->e);
    const void *p;
    size_t n;
    la_int64_t at, end = 0;
    int got;
    if (fd < 0) return false;
    while ((got = archive_read_data_block(r->ar, &p, &n, &at)) == ARCHIVE_OK) {
        if (at != end) return err_set(r->e, ERR_SPEC, "the archive is damaged: '%s' has a hole", path);
        tally_data(&r->tally, p, n);
        if (!fd_write_all(fd, str_n(p, n), r->e)) return false;
        end += (la_int64_t)n;
    }
    if (got != ARCHIVE_EOF) return read_failed(r);
    const struct stat *st = archive_entry_stat(ae);
    return attributes_set(r, fd, st, path);
}

static int parent_open(struct reader *r, const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    *last = slash ? slash + 1 : path;
    struct str parent = slash ? str_n(path, (size_t)(slash - path)) : STR(".");
    return fd_open_beneath(r->root, str_z(&r->arena, str_dup(&r->arena, parent)), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, r->e);
}

static bool take_other(struct reader *r, struct archive_entry *ae, const char *path)
{
    const char *last, *target = archive_entry_symlink(ae);
    const struct stat *st = archive_entry_stat(ae);
    int dir CLEANUP(close_fd) = parent_open(r, path, &last);
    if (dir < 0) return false;
    if (archive_entry_filetype(ae) == AE_IFLNK) {
        if (!target || symlinkat(target, dir, last) != 0) return err_sys(r->e, "cannot make link '%s'", path);
        return !r->owners || fchownat(dir, last, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) == 0 || err_sys(r->e, "cannot give '%s' its owner", path);
    }
    if (mkdirat(dir, last, 0700) != 0) return err_sys(r->e, "cannot make directory '%s'", path);
    struct late_dir late = {mem_strdup(path), *st};
    VEC_PUSH(&r->dirs, late);
    return true;
}

static bool take_entry(struct reader *r, struct archive_entry *ae)
{
    const char *raw = archive_entry_pathname(ae);
    struct str path = str_of(raw);
    if (path.n && str_ends(path, STR("/"))) path.n--; /* how tar marks a directory */
    if (!path_ok(path)) return err_set(r->e, ERR_SPEC, "the archive has an entry '%.200s', which is no name here", raw ? raw : "");
    const char *z = str_z(&r->arena, str_dup(&r->arena, path));
    unsigned type = archive_entry_filetype(ae);
    if (archive_entry_hardlink(ae) || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
        return err_set(r->e, ERR_SPEC, "the archive has an entry '%s' that is neither file, directory nor symbolic link", z);
    if (r->tally.n.entries >= LIMIT_BUNDLE_ENTRIES) return err_set(r->e, ERR_LIMIT, "the archive has more than %d entries (LIMIT_BUNDLE_ENTRIES)", LIMIT_BUNDLE_ENTRIES);
    archive_entry_set_pathname(ae, z);
    tally_head(&r->tally, ae);
    return type == AE_IFREG ? take_file(r, ae, z) : take_other(r, ae, z);
}

/* The last entry: what was read is what was written. */
static bool seal_check(struct reader *r, struct arena *a, struct str *note)
{
    struct archive_entry *ae;
    struct val seal;
    struct err ignored;
    int64_t format = 0, entries = -1;
    char text[SEAL_BYTES];
    la_ssize_t n = archive_read_data(r->ar, text, sizeof text);
    if (n < 0) return read_failed(r);
    if (!json_parse(a, str_dup(a, str_n(text, (size_t)n)), NULL, &seal, &ignored)) return err_set(r->e, ERR_SPEC, "the archive is damaged: its seal cannot be read");
    const struct val *f = val_get(&seal, STR("format")), *c = val_get(&seal, STR("entries")), *own = val_get(&seal, STR("note"));
    if (f) val_i64(f, &format);
    if (c) val_i64(c, &entries);
    if (format != FORMAT) return err_set(r->e, ERR_UNSUPPORTED, "the archive is of format %lld; this program knows %d", (long long)format, FORMAT);
    if ((uint64_t)entries != r->tally.n.entries || !str_eq(val_get_str(&seal, "sha256"), tally_end(&r->tally, a)))
        return err_set(r->e, ERR_SPEC, "the archive is damaged: its digest is not that of its content");
    int got = archive_read_next_header(r->ar, &ae);
    if (got != ARCHIVE_EOF) return got < ARCHIVE_WARN ? read_failed(r) : err_set(r->e, ERR_SPEC, "the archive has something after its end");
    *note = own ? json_text(a, own) : STR("{}");
    return true;
}

static bool dirs_finish(struct reader *r)
{
    bool ok = true;
    while (r->dirs.n) {
        struct late_dir d = VEC_POP(&r->dirs);
        int fd CLEANUP(close_fd) = ok ? fd_open_beneath(r->root, d.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, r->e) : -1;
        ok = ok && fd >= 0 && attributes_set(r, fd, &d.st, d.path);
        free(d.path);
    }
    VEC_FINI(&r->dirs);
    return ok;
}

static bool entries_take(struct reader *r, struct arena *a, struct str *note)
{
    struct archive_entry *ae;
    int got;
    while ((got = archive_read_next_header(r->ar, &ae)) >= ARCHIVE_WARN && got != ARCHIVE_EOF) {
        const char *path = archive_entry_pathname(ae);
        arena_reset(&r->arena);
        if (path && strcmp(path, BUNDLE_SEAL) == 0) return seal_check(r, a, note);
        if (!take_entry(r, ae)) return false;
    }
    return got == ARCHIVE_EOF ? err_set(r->e, ERR_SPEC, "the archive is not whole: it has no end") : read_failed(r);
}

bool bundle_extract(struct arena *a, int fd, int dir_fd, struct str *note, struct bundle_count *out, struct err *e)
{
    struct archive_locale loc UNUSED CLEANUP(archive_locale_restore) = archive_locale_utf8();
    struct reader r = {.ar = archive_read_new(), .root = dir_fd, .owners = geteuid() == 0, .e = e};
    if (!r.ar) IMPOSSIBLE("no memory for an archive");
    arena_init(&r.arena);
    tally_begin(&r.tally);
    archive_read_support_format_tar(r.ar);
    archive_read_set_options(r.ar, "hdrcharset=BINARY");
    bool ok = archive_read_open_fd(r.ar, fd, BLOCK) == ARCHIVE_OK || read_failed(&r);
    ok = ok && entries_take(&r, a, note);
    ok = dirs_finish(&r) && ok;
    *out = r.tally.n;
    archive_read_free(r.ar);
    EVP_MD_CTX_free(r.tally.md);
    arena_fini(&r.arena);
    return ok;
}
