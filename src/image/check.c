/* Are the images that have names whole? See image.h. */
#include <errno.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/store_p.h"
#include "os/dir.h"
#include "os/fd.h"

/* True, with a sentence, when the name stands for nothing that can be used. `why`: by which error. */
static bool is_broken(struct arena *a, struct image_store *s, const char *path, struct str *what, struct err *why)
{
    struct ref_record r;
    struct image_info info;
    if (!ref_file_read(a, path, &r, why)) return *what = str_dup(a, str_of(why->text)), why->code != ERR_NOT_FOUND;
    if (record_read(a, s, r.manifest, &info, why)) return false;
    *what = str_fmt(a, "%.*s: %s", STR_ARG(r.ref), why->text);
    return true;
}

bool image_check(struct arena *a, struct image_store *s, bool mend, struct str **out, size_t *n, struct err *e)
{
    struct dir_list files;
    *n = 0;
    CLEANUP(close_fd) int lock = store_lock(s, mend ? STORE_ALONE : STORE_SHARED, NULL, e);
    if (lock < 0 || !dir_read(a, store_path(a, s, "refs"), &files, e)) return false;
    *out = ARENA_ARRAY(a, struct str, files.n + 1);
    for (size_t i = 0; i < files.n; i++) {
        const char *path = store_path(a, s, "refs/%.*s", STR_ARG(files.items[i].name));
        struct err why = {0};
        if (str_ends(files.items[i].name, STR(".tmp")) || !is_broken(a, s, path, &(*out)[*n], &why)) continue;
        if (why.code == ERR_IO) return e ? (*e = why, false) : false; /* it may be whole: nobody can tell now */
        if (mend && unlink(path) != 0 && errno != ENOENT) return err_sys(e, "%s", path);
        ++*n;
    }
    return true;
}
