/* Private to image: one layer, packed or not, into a directory of its own, as overlayfs wants it.
 *
 * A whiteout (.wh.NAME) becomes a character device 0/0, an opaque directory gets user.overlay.opaque (as root
 * trusted.overlay.opaque too); both may be made without privileges. Nothing in the layer can reach outside: no "..", every
 * parent is opened below the directory, links are followed only while they stay there and are not
 * absolute, the last part of a path never. Devices are left out, of extended attributes only user.* is
 * kept, overlayfs' own names are not.
 * One thread reads, unpacks and hashes, another makes the files. Runs on: any thread that may wait.
 * Reference: OCI image-spec layer.md; kernel Documentation/filesystems/overlayfs.rst. */
#pragma once
#include <stdatomic.h>

#include "base/err.h"
#include "base/str.h"

struct unpack_source {
    int fd; /* a regular file, read with pread */
    uint64_t offset, size;
};

struct unpack_opts {
    struct unpack_source source;
    struct str blob_digest; /* of the source's bytes; absent: known to be right */
    struct str diff_id;     /* of the unpacked tar */
    int root_fd;            /* an empty directory */
    bool lowest;            /* there is no layer below */
    /* Directories of the layers below, topmost first. Needed for hard links into them and for the attributes of directories
     * that the layer does not describe; most layers need neither, and go without. */
    const int *lower_fds;
    size_t n_lower;
    const atomic_bool *cancelled; /* may be NULL */
    atomic_ullong *read_bytes;    /* of the source, counted up; may be NULL */
};

struct unpack_result {
    uint64_t entries, bytes;
    uint64_t devices, xattrs; /* that were left out */
    bool needs_lower;         /* failed for want of lower_fds */
};

bool layer_unpack(const struct unpack_opts *o, struct unpack_result *r, struct err *e);
