/* See beside.h. */
#include "service/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/dir.h"
#include "os/fd.h"
#include "os/litter.h"
#include "os/random.h"

/* The directory that holds `path`, as dirname has it. */
static struct str holder(const char *path)
{
    struct str s = str_of(path);
    while (s.n > 1 && s.p[s.n - 1] == '/') s.n--;
    while (s.n && s.p[s.n - 1] != '/') s.n--;
    while (s.n > 1 && s.p[s.n - 1] == '/') s.n--;
    return s.n ? s : STR(".");
}

bool beside_begin(struct beside *b, const char *path, struct err *e)
{
    struct str at = holder(path);
    if (snprintf(b->dir, sizeof b->dir, "%.*s/.skiff-%016llx", STR_ARG(at), (unsigned long long)random_u64()) >= (int)sizeof b->dir)
        return err_set(e, ERR_LIMIT, "the name of the directory is too long");
    b->litter = litter_new();
    litter_add(b->litter, b->dir);
    if (mkdir(b->dir, 0700) == 0) return true;
    err_sys(e, "'%.*s'", STR_ARG(at));
    litter_free(b->litter);
    return false;
}

/* Where the file system knows no other way, what comes there in between is replaced. */
static bool name_give(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL) return false;
    if (!file_exists(to)) return rename(from, to) == 0;
    errno = EEXIST;
    return false;
}

bool beside_load(const struct beside *b, struct artifact_repo *repo, const struct artifact_ref *ref, const char *to, struct err *e)
{
    char made[BESIDE_PATH];
    snprintf(made, sizeof made, "%s/made", b->dir);
    if (!artifact_load(repo, ref, made, e)) return false;
    if (name_give(made, to)) return true;
    return errno == EEXIST ? err_set(e, ERR_CONFLICT, "'%s' exists already", to) : err_sys(e, "'%s'", to);
}

void beside_end(struct beside *b)
{
    dir_remove_tree(b->dir, NULL);
    litter_free(b->litter);
}
