/* YAML text to struct val, resolved as sigs.k8s.io/yaml does (YAML 1.1, go-yaml v2).
 *
 * Plain scalars become null, bool, int or float by go-yaml's table (yes/no/on/off, 0777, 0b11,
 * 1_000); map keys become strings the same way (y: -> "true"). Merge keys, anchors and tags !!str
 * !!int !!float !!bool !!null !!binary are honoured. An alias shares its anchor's children, so that
 * a tree may hold the same array twice, but the expanded size stays within LIMIT_DOC_NODES and
 * go-yaml's alias ratio. A text that starts with { or [ is read as JSON first. The result does not
 * point into the text. Runs on: any thread. */
#pragma once
#include "doc/doc_error.h"
#include "doc/val.h"

struct yaml_opts {
    uint16_t file;           /* index for diagnostics */
    bool strict;             /* a duplicate key is an error; else the last one wins */
    struct doc_error *where; /* may be NULL: filled on failure */
};

/* The first document; null when there is none. `opts` may be NULL. */
bool yaml_parse(struct arena *a, struct str text, const struct yaml_opts *opts, struct val *out,
                struct err *e);

/* Every document that is not empty, in order: `*docs` is an array of `*n` values in the arena. */
bool yaml_parse_all(struct arena *a, struct str text, const struct yaml_opts *opts,
                    struct val **docs, size_t *n, struct err *e);
