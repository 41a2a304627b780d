/* Layers: whatever the bytes are, nothing outside of the directory changes, and what is made can be removed. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/unpack.h"
#include "os/dir.h"
#include "os/fd.h"

static char place[64];

static void leave(void)
{
    struct err e;
    dir_remove_tree(place, &e);
}

/* place/out is watched, place/in unpacked to. */
static void begin(void)
{
    snprintf(place, sizeof place, "/var/tmp/skiff-fuzz-XXXXXX");
    if (!mkdtemp(place)) bug_stop(__FILE__, __LINE__, "no directory");
    atexit(leave);
}

static size_t entries_of(struct arena *a, const char *dir)
{
    struct dir_list l;
    struct err e;
    ASSERT(dir_read(a, dir, &l, &e));
    return l.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct unpack_result r;
    struct err e = {0};
    arena_init(&a);
    if (!place[0]) begin();
    const char *in = str_fmt(&a, "%s/in", place).p;
    CLEANUP(close_fd) int fd = memfd_create("layer", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || mkdir(in, 0700) != 0) bug_stop(__FILE__, __LINE__, "no place");
    CLEANUP(close_fd) int root = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct unpack_opts o = {.source = {fd, 0, size}, .root_fd = root, .lowest = true};
    bool ok = layer_unpack(&o, &r, &e);
    ASSERT(ok || (e.code && e.text[0]));
    ASSERT(entries_of(&a, place) == 1);
    if (!dir_remove_tree(in, &e)) bug_stop(__FILE__, __LINE__, e.text);
    return 0;
}
