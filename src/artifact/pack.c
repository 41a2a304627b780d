/* See pack.h. The same tree gives the same bytes: names sorted, mtime, uid and gid 0, modes 0644 and
 * 0755, no time stamp in the gzip header, no padding behind the last block. */
#include "artifact/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "artifact/archive_util.h"
#include "artifact/walk.h"
#include "os/fd.h"

enum { BUFFER = 128 << 10 };

struct packer {
    struct archive *ar;
    const char *name;
    char *buf;
    int fd;
    bool failed; /* nothing is written any more: half an archive must not end like a whole one */
};

static bool pack_failed(struct packer *p, struct err *e)
{
    const char *why = archive_error_string(p->ar);
    return err_set(e, ERR_IO, "cannot write the archive: %s", why ? why : "unknown error");
}

static bool pack_data(struct packer *p, const struct walk_entry *entry, struct err *e)
{
    int fd CLEANUP(close_fd) = walk_open_file(entry, e);
    if (fd < 0) return false;
    for (;;) {
        ssize_t n = read(fd, p->buf, BUFFER);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, "cannot read '%.*s'", STR_ARG(entry->path));
        if (n == 0) return true;
        if (archive_write_data(p->ar, p->buf, (size_t)n) < 0) return pack_failed(p, e);
    }
}

static bool header_fill(struct archive_entry *ae, enum walk_event ev, const struct walk_entry *entry,
                        struct err *e)
{
    char target[4096];
    archive_entry_set_mtime(ae, 0, 0);
    archive_entry_set_uid(ae, 0);
    archive_entry_set_gid(ae, 0);
    archive_entry_set_size(ae, 0);
    archive_entry_set_perm(ae, ev == WALK_ENTER || entry->st.st_mode & 0111 ? 0755 : 0644);
    archive_entry_set_filetype(ae, ev == WALK_ENTER ? AE_IFDIR : ev == WALK_LINK ? AE_IFLNK : AE_IFREG);
    if (ev == WALK_FILE) archive_entry_set_size(ae, entry->st.st_size);
    if (ev != WALK_LINK) return true;
    ssize_t n = readlinkat(entry->fd, "", target, sizeof target - 1);
    if (n < 0) return err_sys(e, "cannot read link '%.*s'", STR_ARG(entry->path));
    target[n] = 0;
    archive_entry_set_perm(ae, 0777);
    archive_entry_set_symlink(ae, target);
    return true;
}

static bool pack_visit(void *ctx, enum walk_event ev, const struct walk_entry *entry, struct err *e)
{
    struct packer *p = ctx;
    if (ev == WALK_LEAVE || ev == WALK_SPECIAL) return true;
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    const char *path = entry->path.n ? str_fmt(&a, "%s/%.*s", p->name, STR_ARG(entry->path)).p : p->name;
    struct archive_entry *ae = archive_entry_new2(p->ar);
    if (!ae) IMPOSSIBLE("no memory for an archive entry");
    archive_entry_set_pathname(ae, path);
    bool ok = header_fill(ae, ev, entry, e);
    if (ok && archive_write_header(p->ar, ae) < ARCHIVE_WARN) ok = pack_failed(p, e);
    archive_entry_free(ae);
    if (!ok || ev != WALK_FILE) return ok;
    return pack_data(p, entry, e);
}

/* Format, filter and options; the gzip header's time stamp would make every archive different. */
static bool pack_options(struct archive *ar, const struct artifact_export *how)
{
    char level[16];
    snprintf(level, sizeof level, "%d", MIN(how->level, 9));
    archive_write_set_bytes_per_block(ar, 0);
    archive_write_set_bytes_in_last_block(ar, 1);
    if (how->archive == ARTIFACT_ARCHIVE_ZIP) {
        if (archive_write_set_format_zip(ar) != ARCHIVE_OK) return false;
        if (how->level == 0) return archive_write_zip_set_compression_store(ar) == ARCHIVE_OK;
        return how->level < 0 ||
               archive_write_set_format_option(ar, "zip", "compression-level", level) == ARCHIVE_OK;
    }
    if (archive_write_set_format_pax_restricted(ar) != ARCHIVE_OK) return false;
    if (archive_write_add_filter_gzip(ar) != ARCHIVE_OK) return false;
    if (archive_write_set_filter_option(ar, "gzip", "timestamp", NULL) != ARCHIVE_OK) return false;
    return how->level < 0 ||
           archive_write_set_filter_option(ar, "gzip", "compression-level", level) == ARCHIVE_OK;
}

static la_ssize_t fd_write(struct archive *ar, void *ctx, const void *p, size_t n)
{
    struct err e = {0};
    const struct packer *to = ctx;
    if (to->failed || fd_write_all(to->fd, str_n(p, n), &e)) return (la_ssize_t)n;
    archive_set_error(ar, e.sys ? e.sys : EIO, "%s", e.text);
    return -1;
}

bool pack_tree(int dir_fd, const char *name, const struct artifact_export *how, struct err *e)
{
    struct archive_locale loc UNUSED CLEANUP(archive_locale_restore) = archive_locale_utf8();
    char *buf CLEANUP(free_ptr) = mem_alloc(BUFFER);
    struct packer p = {.ar = archive_write_new(), .name = how->name ? how->name : "data", .buf = buf,
                       .fd = how->fd};
    if (!p.ar) IMPOSSIBLE("no memory for an archive");
    bool ok = pack_options(p.ar, how);
    if (ok) ok = archive_write_open(p.ar, &p, NULL, fd_write, NULL) == ARCHIVE_OK;
    if (!ok) pack_failed(&p, e);
    ok = ok && walk_tree(dir_fd, name, pack_visit, &p, e);
    p.failed = !ok;
    if (!ok) archive_write_fail(p.ar); /* spares it filling up the entry that was cut */
    if (archive_write_close(p.ar) != ARCHIVE_OK && ok) ok = pack_failed(&p, e);
    archive_write_free(p.ar);
    return ok;
}
