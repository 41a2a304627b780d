/* The local driver: content lies at <dir>/<first two digits>/<id>, where the id is 32 random hex
 * digits, a dot and the form. Content appears there by one rename (or is made there before anyone
 * knows its id) and is then sealed. "<digits>.part" is an archive being unpacked or a copy being made;
 * like content that no row refers to, it is a left-over when nothing is being taken in. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "artifact/pack.h"
#include "artifact/tree_ops.h"
#include "artifact/unpack.h"
#include "artifact/walk.h"
#include "base/fail.h"
#include "base/limits.h"
#include "base/vec.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/random.h"

enum { ID_DIGITS = 32, SHARD_DIGITS = 2, PLACE_MAX = ARTIFACT_ID_MAX + 4 };

struct local {
    struct artifact_repo repo;
    int fd; /* of the repository's directory */
};

static struct local *local_of(struct artifact_repo *r) { return (struct local *)r; }

/* ------------------------------------------------------------------------------ ids, places */

static void digits_new(char out[ID_DIGITS + 1])
{
    uint8_t bytes[ID_DIGITS / 2];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_one_of(s.p[i], "0123456789abcdef")) return false;
    return s.n > 0;
}

/* An id as we make them; nothing else may become part of a path. */
static bool id_check(struct str id, enum artifact_form *form, struct err *e)
{
    struct str digits, suffix;
    bool ok = str_cut(id, '.', &digits, &suffix) && digits.n == ID_DIGITS && is_hex(digits) &&
              artifact_form_parse(suffix, form);
    return ok || err_set(e, ERR_NOT_FOUND, "no artifact content '%.*s'", STR_ARG(str_sub(id, 0, 100)));
}

/* "<shard>/<id>" */
static void place_of(char out[PLACE_MAX], struct str id)
{
    snprintf(out, PLACE_MAX, "%.*s/%.*s", SHARD_DIGITS, id.p, STR_ARG(id));
}

static bool shard_make(struct local *l, const char *digits, struct err *e)
{
    const char shard[SHARD_DIGITS + 1] = {digits[0], digits[1], 0};
    if (mkdirat(l->fd, shard, 0755) == 0 || errno == EEXIST) return true;
    return err_sys(e, "cannot make artifact directory '%s'", shard);
}

static void content_name(struct artifact_content *out, const char *digits, enum artifact_form form,
                         char place[PLACE_MAX])
{
    *out = (struct artifact_content){.form = form};
    snprintf(out->id, sizeof out->id, "%s.%s", digits, artifact_form_name(form));
    place_of(place, str_of(out->id));
}

/* A new content of that form: its id and place. The shard exists afterwards. */
static bool content_begin(struct local *l, enum artifact_form form, struct artifact_content *out,
                          char place[PLACE_MAX], struct err *e)
{
    char digits[ID_DIGITS + 1];
    digits_new(digits);
    content_name(out, digits, form, place);
    return shard_make(l, digits, e);
}

/* Is there a content with these digits already? It appeared by a rename, so it is complete. */
static bool content_find(struct local *l, const char *digits, struct artifact_content *out,
                         char place[PLACE_MAX])
{
    for (int form = 0; digits && form < ARTIFACT_FORM_MAX; form++) {
        content_name(out, digits, (enum artifact_form)form, place);
        if (faccessat(l->fd, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
    }
    return false;
}

static bool place_remove(struct local *l, const char *place, struct err *e)
{
    const char shard[SHARD_DIGITS + 1] = {place[0], place[1], 0};
    int fd CLEANUP(close_fd) = openat(l->fd, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || err_sys(e, "cannot open artifact directory '%s'", shard);
    return dir_remove_tree_at(fd, place + SHARD_DIGITS + 1, e);
}

/* Seals what now lies at `place`, or removes it. */
static bool content_end(struct local *l, const char *place, struct artifact_content *out, struct err *e)
{
    char part[PLACE_MAX];
    snprintf(part, sizeof part, "%.*s.part", SHARD_DIGITS + 1 + ID_DIGITS, place);
    if (place_remove(l, part, e) && tree_seal(l->fd, place, part, out, e)) return true;
    place_remove(l, place, NULL);
    return false;
}

/* ------------------------------------------------------------------------------------ saving */

static bool source_form(const struct artifact_save *in, struct stat *st, enum artifact_form *form,
                        struct err *e)
{
    if (lstat(in->path, st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return err_set(e, ERR_NOT_FOUND, "'%s' does not exist", in->path);
        return err_sys(e, "cannot look at '%s'", in->path);
    }
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        return err_set(e, ERR_SPEC, "'%s' is neither a file nor a directory", in->path);
    *form = S_ISDIR(st->st_mode) ? ARTIFACT_TREE : in->packed;
    if (S_ISREG(st->st_mode) && in->packed == ARTIFACT_TREE) *form = ARTIFACT_FILE;
    return true;
}

/* By rename, when that is possible. A directory must be writable for it: its ".." changes. */
static bool try_move(struct local *l, const struct artifact_save *in, const struct stat *st,
                     const char *place)
{
    if (!in->move) return false;
    if (renameat(AT_FDCWD, in->path, l->fd, place) == 0) return true;
    bool made_writable = errno == EACCES && S_ISDIR(st->st_mode) &&
                         chmod(in->path, (st->st_mode & 07777) | 0700) == 0;
    return made_writable && renameat(AT_FDCWD, in->path, l->fd, place) == 0;
}

/* What a copy that was interrupted left is made anew. */
static bool copy_in(struct local *l, const char *path, const char *digits, const char *place, struct err *e)
{
    char part[PLACE_MAX];
    snprintf(part, sizeof part, "%.*s/%.*s.part", SHARD_DIGITS, digits, ID_DIGITS, digits);
    bool ok = place_remove(l, part, e) && tree_copy(AT_FDCWD, path, l->fd, part, e);
    if (ok && fail_point(FAIL_CONTENT_COPIED)) ok = err_sys(e, "cannot place an artifact");
    if (ok && renameat(l->fd, part, l->fd, place) != 0) ok = err_sys(e, "cannot place an artifact");
    if (!ok) place_remove(l, part, NULL);
    return ok;
}

static bool local_save(struct artifact_repo *r, const struct artifact_save *in,
                       struct artifact_content *out, struct err *e)
{
    struct local *l = local_of(r);
    char place[PLACE_MAX], digits[ID_DIGITS + 1];
    struct stat st;
    enum artifact_form form;
    if (!content_find(l, in->digits, out, place)) {
        if (in->digits) snprintf(digits, sizeof digits, "%s", in->digits);
        else digits_new(digits);
        if (!source_form(in, &st, &form, e) || !shard_make(l, digits, e)) return false;
        content_name(out, digits, form, place);
        if (!try_move(l, in, &st, place) && !copy_in(l, in->path, digits, place, e)) return false;
        fail_point(FAIL_CONTENT_MOVED);
    }
    if (!content_end(l, place, out, e)) return false;
    if (in->move) dir_remove_tree(in->path, NULL); /* saved all the same; its owner's janitor comes */
    return true;
}

static bool local_save_text(struct artifact_repo *r, struct str text, struct artifact_content *out,
                            struct err *e)
{
    struct local *l = local_of(r);
    char place[PLACE_MAX];
    if (!content_begin(l, ARTIFACT_FILE, out, place, e)) return false;
    int fd CLEANUP(close_fd) = openat(l->fd, place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_sys(e, "cannot make an artifact");
    bool ok = fd_write_all(fd, text, e);
    if (ok) fail_point(FAIL_CONTENT_WRITTEN);
    if (ok) return content_end(l, place, out, e);
    place_remove(l, place, NULL);
    return false;
}

/* ----------------------------------------------------------------------------------- import */

/* The lone top-level file or directory of an unpacked archive, or absent. */
static bool single_entry(struct arena *a, int dir_fd, struct str *name, enum artifact_form *form,
                         struct err *e)
{
    struct str *names;
    struct stat st;
    size_t n;
    *name = STR_NONE;
    *form = ARTIFACT_TREE;
    if (!names_read(a, dir_fd, &names, &n, e)) return false;
    if (n != 1) return true;
    if (fstatat(dir_fd, names[0].p, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_sys(e, "cannot look at '%s'", names[0].p);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return true;
    *name = names[0];
    *form = S_ISDIR(st.st_mode) ? ARTIFACT_TREE : ARTIFACT_FILE;
    return true;
}

/* Makes content of an unpacked archive at `part` (open as `part_fd`). */
static bool part_adopt(struct local *l, const char *part, int part_fd, struct artifact_content *out,
                       struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct str name;
    enum artifact_form form;
    char place[PLACE_MAX];
    arena_init(&a);
    if (!single_entry(&a, part_fd, &name, &form, e) || !content_begin(l, form, out, place, e)) return false;
    if (fail_point(FAIL_CONTENT_UNPACKED)) return err_sys(e, "cannot move an unpacked archive");
    bool moved = name.p ? renameat(part_fd, name.p, l->fd, place) == 0
                        : renameat(l->fd, part, l->fd, place) == 0;
    if (!moved) return err_sys(e, "cannot move an unpacked archive");
    return content_end(l, place, out, e);
}

static bool import_unpack(struct local *l, int fd, const struct artifact_import *in,
                          enum artifact_archive archive, struct artifact_content *out, struct err *e)
{
    const uint64_t most = (uint64_t)LIMIT_ARTIFACT_MIB << 20;
    char digits[ID_DIGITS + 1], part[PLACE_MAX];
    digits_new(digits);
    snprintf(part, sizeof part, "%.*s/%s.part", SHARD_DIGITS, digits, digits);
    if (!shard_make(l, digits, e)) return false;
    if (mkdirat(l->fd, part, 0700) != 0) return err_sys(e, "cannot make an unpacking directory");
    int part_fd CLEANUP(close_fd) = openat(l->fd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = part_fd >= 0 || err_sys(e, "cannot open an unpacking directory");
    ok = ok && unpack_archive(fd, part_fd, archive, in->max_bytes ? in->max_bytes : most, e) &&
         part_adopt(l, part, part_fd, out, e);
    place_remove(l, part, NULL); /* what adopting left of it */
    return ok;
}

static bool local_import(struct artifact_repo *r, const struct artifact_import *in,
                         struct artifact_content *out, struct err *e)
{
    struct artifact_save whole = {.path = in->path, .move = in->move};
    int fd CLEANUP(close_fd) = open(in->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return err_set(e, ERR_NOT_FOUND, "'%s' does not exist", in->path);
    if (fd < 0) return err_sys(e, "cannot open '%s'", in->path);
    enum artifact_archive archive = in->archive;
    if (archive == ARTIFACT_ARCHIVE_AUTO)
        archive = unpack_is_tgz(fd) ? ARTIFACT_ARCHIVE_TAR : ARTIFACT_ARCHIVE_NONE;
    if (archive == ARTIFACT_ARCHIVE_NONE) return local_save(r, &whole, out, e);
    if (!import_unpack(local_of(r), fd, in, archive, out, e)) return false;
    if (in->move) unlink(in->path);
    return true;
}

/* ----------------------------------------------------------------------------------- reading */

/* Opens (O_PATH) what lies at `subpath` below a tree, without ever leaving it. */
static int subpath_open(int root, struct str subpath, enum artifact_form *form, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct err why = {0};
    struct stat st;
    arena_init(&a);
    while (subpath.n > 1 && subpath.p[0] == '/') subpath = str_from(subpath, 1); /* joined, as Argo */
    int fd = fd_open_beneath(root, str_z(&a, subpath), O_PATH | O_CLOEXEC, 0, &why);
    if (fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        *form = S_ISDIR(st.st_mode) ? ARTIFACT_TREE : ARTIFACT_FILE;
        return fd;
    }
    close_fd(&fd);
    subpath = str_sub(subpath, 0, 400);
    if (why.sys == EXDEV || why.sys == ELOOP)
        err_set(e, ERR_SPEC, "'%.*s' leads out of the artifact", STR_ARG(subpath));
    else if (why.code == ERR_IO && why.sys != ENOTDIR && why.sys != ENAMETOOLONG && e) *e = why;
    else err_set(e, ERR_NOT_FOUND, "there is no '%.*s' in the artifact", STR_ARG(subpath));
    return -1;
}

/* Opens (O_PATH) what `ref` names. */
static int ref_open(struct local *l, const struct artifact_ref *ref, enum artifact_form *form,
                    struct err *e)
{
    char place[PLACE_MAX];
    if (!id_check(ref->id, form, e)) return -1;
    place_of(place, ref->id);
    int fd = openat(l->fd, place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) err_sys(e, "artifact content '%.*s'", STR_ARG(ref->id));
    else if (fd < 0) err_set(e, ERR_NOT_FOUND, "no artifact content '%.*s'", STR_ARG(ref->id));
    if (fd < 0 || !ref->subpath.n) return fd;
    int root CLEANUP(close_fd) = fd;
    if (*form == ARTIFACT_TREE) return subpath_open(root, ref->subpath, form, e);
    err_set(e, ERR_NOT_FOUND, "there is no '%.*s' in the artifact: it is no directory",
            STR_ARG(str_sub(ref->subpath, 0, 400)));
    return -1;
}

static bool fd_target(struct arena *a, int fd, struct str *out, struct err *e)
{
    char link[32], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target);
    if (n < 0 || n == sizeof target) return err_sys(e, "cannot name an artifact's file");
    *out = str_dup(a, str_n(target, (size_t)n));
    return true;
}

static bool local_path(struct arena *a, struct artifact_repo *r, const struct artifact_ref *ref,
                       struct artifact_place *out, struct err *e)
{
    struct stat st;
    int fd CLEANUP(close_fd) = ref_open(local_of(r), ref, &out->form, e);
    if (fd < 0) return false;
    if (fstat(fd, &st) != 0) return err_sys(e, "cannot look at an artifact");
    out->size_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return fd_target(a, fd, &out->path, e);
}

static bool bytes_export(const char *path, int to_fd, struct err *e)
{
    int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "cannot open an artifact");
    return file_copy(fd, to_fd, e);
}

static bool local_export(struct artifact_repo *r, const struct artifact_ref *ref,
                         const struct artifact_export *how, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_place at;
    arena_init(&a);
    if (!local_path(&a, r, ref, &at, e)) return false;
    bool tgz = how->archive == ARTIFACT_ARCHIVE_TAR || how->archive == ARTIFACT_ARCHIVE_AUTO;
    bool zip = how->archive == ARTIFACT_ARCHIVE_ZIP;
    bool as_is = (at.form == ARTIFACT_TGZ && tgz) || (at.form == ARTIFACT_ZIP && zip);
    if (as_is || (!tgz && !zip && at.form != ARTIFACT_TREE)) return bytes_export(at.path.p, how->fd, e);
    if (!tgz && !zip) return err_set(e, ERR_UNSUPPORTED, "a directory cannot be written without an archive");
    return pack_tree(AT_FDCWD, at.path.p, how, e);
}

static bool local_load(struct artifact_repo *r, const struct artifact_ref *ref, const char *to,
                       struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct artifact_place at;
    arena_init(&a);
    return local_path(&a, r, ref, &at, e) && tree_copy(AT_FDCWD, at.path.p, AT_FDCWD, to, e);
}

/* ------------------------------------------------------------------------ removing, listing */

static bool local_remove(struct artifact_repo *r, struct str id, struct err *e)
{
    char place[PLACE_MAX];
    enum artifact_form form;
    struct str digits, suffix;
    bool part = str_cut(id, '.', &digits, &suffix) && digits.n == ID_DIGITS && is_hex(digits) &&
                str_is(suffix, "part");
    if (!part && !id_check(id, &form, NULL)) return true; /* cannot exist */
    place_of(place, id);
    return place_remove(local_of(r), place, e);
}

struct ids {
    VEC(struct str) all;
};

static bool shard_list(struct arena *a, struct local *l, struct str shard, struct ids *ids, struct err *e)
{
    struct str *names;
    size_t n;
    int fd CLEANUP(close_fd) = openat(l->fd, shard.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "cannot open artifact directory '%s'", shard.p);
    if (!names_read(a, fd, &names, &n, e)) return false;
    for (size_t i = 0; i < n; i++) VEC_PUSH(&ids->all, names[i]);
    return true;
}

static bool local_list(struct arena *a, struct artifact_repo *r, struct str **out, size_t *n,
                       struct err *e)
{
    struct local *l = local_of(r);
    struct ids ids = {0};
    struct str *shards;
    size_t n_shards;
    if (!names_read(a, l->fd, &shards, &n_shards, e)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < n_shards; i++)
        if (shards[i].n == SHARD_DIGITS && is_hex(shards[i])) ok = shard_list(a, l, shards[i], &ids, e);
    *n = ids.all.n;
    *out = ARENA_ARRAY(a, struct str, ids.all.n);
    if (ids.all.n) memcpy(*out, ids.all.items, ids.all.n * sizeof **out);
    VEC_FINI(&ids.all);
    return ok;
}

static bool local_sync(struct artifact_repo *r, struct err *e)
{
    return syncfs(local_of(r)->fd) == 0 || err_sys(e, "cannot sync the artifacts");
}

static void local_close(struct artifact_repo *r)
{
    struct local *l = local_of(r);
    close_fd(&l->fd);
    free(l);
}

static const struct artifact_driver local_driver = {
    .name = "local", .save = local_save, .save_text = local_save_text, .import = local_import,
    .path = local_path, .export = local_export, .load = local_load, .remove = local_remove,
    .list = local_list, .sync = local_sync, .close = local_close,
};

bool artifact_local_open(const char *dir, struct artifact_repo **out, struct err *e)
{
    if (!dir_make_all(dir, 0755, e)) return false;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "cannot open '%s'", dir);
    struct local *l = mem_zalloc(sizeof *l);
    l->repo.driver = &local_driver;
    l->fd = fd;
    *out = &l->repo;
    return true;
}
