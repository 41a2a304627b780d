/* The query parameter `fields` of Argo's routes: which parts of an answer are wanted ("metadata.name,status.phase") or not
 * ("-status.nodes"). Lists are gone through without a part of their own: items.metadata.name. In "nodes" the parts are those
 * of each node, by whatever id: status.nodes.phase. Pure. Format: Argo's util/fields. */
#pragma once
#include "doc/val.h"

struct field_path {
    struct str path;
    bool minus; /* not wanted, whatever else is said */
};
struct fields {
    struct field_path *paths;
    size_t n; /* 0: everything is wanted */
    bool except; /* everything but the paths */
};

/* Absent or empty: everything. Any text is fine: what no answer has is just not there. At most LIMIT_FIELDS paths count. */
void fields_parse(struct arena *a, struct str text, struct fields *out);
/* Paths below `top`, which ends with a dot, count without it. */
void fields_strip(struct fields *f, const char *top);
/* Nothing at or below `path` is wanted. */
bool fields_leave_out(const struct fields *f, const char *path);
/* Everything that is wanted lies at or below one of these n paths. */
bool fields_within(const struct fields *f, const char *const *paths, size_t n);
/* The wanted parts of v. */
struct val fields_pick(struct arena *a, const struct fields *f, const struct val *v);
