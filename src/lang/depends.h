/* The `depends` logic of DAG tasks: task results joined with && || ! and parentheses.
 *
 * Parsed once per template, evaluated often and without allocating. A bare name means
 * "(n.Succeeded || n.Skipped || n.Daemoned)". The caller decides which names exist.
 * Format reference: argo-workflows workflow/common/ancestry.go. Runs on: any thread; pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum depends_result {
    DEPENDS_SUCCEEDED = 1 << 0,
    DEPENDS_FAILED = 1 << 1,
    DEPENDS_ERRORED = 1 << 2,
    DEPENDS_SKIPPED = 1 << 3,
    DEPENDS_OMITTED = 1 << 4,
    DEPENDS_DAEMONED = 1 << 5,
    DEPENDS_ANY_SUCCEEDED = 1 << 6, /* loop tasks only: the caller checks */
    DEPENDS_ALL_FAILED = 1 << 7,    /* loop tasks only */
    DEPENDS_BARE = DEPENDS_SUCCEEDED | DEPENDS_SKIPPED | DEPENDS_DAEMONED,
};

struct depends_name {
    struct str name;
    uint32_t asked; /* every result that the text asks of this task, for validation */
    uint32_t bare;  /* what the bare name means; 0 when it is never used bare */
};

struct depends {
    const struct depends_name *names; /* each task once, in order of first mention */
    size_t n_names;
    struct str text; /* the logic with bare names expanded, for messages */
    const struct depends_node *nodes; /* private */
    uint32_t root;
};

/* An empty text has no names and is true. Words such as `and` or `true` are task names. */
bool depends_parse(struct arena *a, struct str text, const struct depends **out, struct err *e);

struct depends_item {
    struct str name;
    bool continue_on_error, continue_on_failed; /* of the task that is depended on */
};
/* The legacy `dependencies` list: each expanded like a bare name, joined with &&. */
const struct depends *depends_from_list(struct arena *a, const struct depends_item *items,
                                        size_t n);

/* The bits that hold for the task names[index]. Asked only for fulfilled tasks' sake: the caller
 * evaluates when every named task is fulfilled. */
typedef uint32_t depends_results_fn(void *ctx, size_t index);
bool depends_eval(const struct depends *d, depends_results_fn *fn, void *ctx);

/* "Succeeded" -> DEPENDS_SUCCEEDED; 0 when it is no result name. */
uint32_t depends_result_of(struct str name);
