/* Inside of kubectl's JSONPath templates (kubectl_parse.c, kubectl_path.c). */
#pragma once
#include "lang/expr_p.h"

enum knode_kind {
    K_LIST,      /* kids one after the other; an action "{…}", or the whole template */
    K_VALUE,     /* text, number, bool */
    K_FIELD, K_WILDCARD, K_RECURSIVE, K_ARRAY, K_UNION,
    K_FILTER,    /* kids: left, right; s: operator or "exists" */
    K_WORD,      /* range, end, or an error */
};

struct knode {
    uint8_t kind;
    uint32_t n, cap;
    struct knode *kids;
    struct str s;
    struct xv v;
    int64_t bound[3];
    unsigned given; /* K_ARRAY: bits 0…2: the bound was written; 8: so was the first ":" */
};

struct kubectl {
    struct xctx *x; /* arena, budget, errors */
    int depth;
    struct knode root;
    int begin_range, in_range, end_range;
    uint32_t last_end; /* index in root of the "{end}" that was met last */
};

bool kpath_parse(struct kubectl *k, struct str text, struct knode *root);
/* Go's unquoting of '…' and "…". */
bool kubectl_unquote(struct arena *a, struct str quoted, struct str *out);
