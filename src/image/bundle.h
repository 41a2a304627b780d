/* Private to image: the files of an archive or directory that holds images, by name, without copying them.
 * Runs on: any one thread at a time while opening, any afterwards. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "image/store_p.h"

struct bundle_file {
    struct str name, target; /* target: of a link */
    uint64_t offset, size;
};
struct bundle {
    struct arena *a;
    int fd;      /* of the tar, or -1 */
    int dir_fd;  /* of the directory, or -1 */
    struct map files; /* name → struct bundle_file */
    VEC(int) opened;
};

/* A packed tar is unpacked below the store's tmp/ first. `path` "-": stdin. */
bool bundle_open(struct bundle *b, struct arena *a, struct image_store *s, const char *path, const atomic_bool *cancelled, struct err *e);
void bundle_close(struct bundle *b);
bool bundle_find(struct bundle *b, struct str name, struct unpack_source *out, struct err *e); /* NOT_FOUND */
bool bundle_read(struct bundle *b, struct str name, struct str *out, struct err *e); /* at most LIMIT_IMAGE_DOCUMENT_BYTES */
