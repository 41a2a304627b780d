/* Log lines of a run's steps: the last ones of one that failed, or all of them as they are written.
 * Runs on: the loop thread. */
#pragma once
#include "cli/cli_p.h"
#include "service/service.h"

enum { STEPLOG_TAIL_LINES = 10 };

/* The last lines of the step's log, "label: text" each; nothing when there is none. */
void steplog_tail(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct str node_id,
                  struct str label, struct buf *out);

/* "NAME: ", coloured. */
void steplog_prefix_put(struct buf *b, const struct style *style, struct str name);

struct steplog_opts {
    struct str pod;       /* a pod, step or node name; absent: all */
    struct str container; /* absent: main */
    struct str selector;  /* over the labels of pods, of one run; absent: all */
    struct str grep;      /* absent: all lines */
    int64_t since_ns;     /* 0: all */
    int64_t tail;         /* -1: all */
    bool timestamps;
    bool previous; /* of the steps that retries have dropped, instead */
    bool labels;          /* step names in front of the lines instead of pod names */
    struct style style;
    int fd;
};

/* Everything that is written now, of several runs, merged in the order of time. */
bool steplog_print(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n,
                   const struct steplog_opts *o, struct err *e);

/* Follows: new lines are written to o->fd from the loop. */
struct steplog;
struct steplog *steplog_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n,
                               const struct steplog_opts *o, struct err *e);
/* Notes whose node changed (a line of the change stream); the next refresh looks at those only. */
void steplog_note(struct steplog *l, const struct val *change);
/* Looks for steps that have begun or ended since. */
bool steplog_refresh(struct steplog *l, struct err *e);
/* The runs are over: waits for lines that are still on their way from a server elsewhere. */
void steplog_drain(struct steplog *l); /* NULL is fine */
void steplog_free(struct steplog *l); /* NULL is fine; shows what is still unread first */
