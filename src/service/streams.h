/* What streams to clients show, made as they take it: a client that is slow holds at most a piece of what it has not
 * taken. All of it only while this process is the engine. Runs on: the loop thread. */
#pragma once
#include "service/service.h"

/* ---- workflows as they change: latest state per object ----
 *
 * One event per workflow and not per change: what changes while its event waits is shown by that event, the last state
 * always. Events come in the order of metadata.resourceVersion: whoever has seen one has seen the state of every other
 * workflow up to it, so a watch can be taken up again at the version of its last event. */
struct workflow_watch;
struct workflow_watch_opts {
    struct str ns;             /* absent or "": all */
    struct str labels, fields; /* selectors, or absent */
    bool no_nodes;             /* objects come without status.nodes */
    int64_t after_rv;          /* 0: everything that is there comes first, as ADDED */
    /* type: ADDED, MODIFIED, DELETED (the object has only names then). `text` is the object as JSON. False: not taken; comes again with the next
     * workflow_watch_pump. */
    bool (*on_event)(void *user, const char *type, const struct val *object, struct str text);
    void (*on_end)(void *user, const struct err *e); /* it cannot go on; only free it then */
    void *user;
};
/* GONE when changes since `after_rv` are no longer kept. Nothing comes before this returns. */
struct workflow_watch *workflow_watch_new(struct service *s, const struct workflow_watch_opts *o, struct err *e);
void workflow_watch_pump(struct workflow_watch *w);
void workflow_watch_free(struct workflow_watch *w); /* NULL is fine; not from inside on_event */

/* ---- Kubernetes events: what happened to workflows and nodes, as Argo's controller records it ---- */

struct happenings;
struct happenings_opts {
    struct str ns;     /* absent or "": all */
    struct str fields; /* selector over the Event, or absent */
    int64_t after_rv;  /* 0: from the oldest change that is kept */
    bool (*on_event)(void *user, const struct val *event); /* as above */
    void (*on_end)(void *user, const struct err *e);       /* as above: it has fallen behind by more than is kept */
    void *user;
};
struct happenings *happenings_new(struct service *s, const struct happenings_opts *o, struct err *e);
void happenings_pump(struct happenings *h);
void happenings_free(struct happenings *h); /* NULL is fine; not from inside on_event */

/* ---- what steps print ---- */

struct tail;
struct tail_opts {
    const struct workflow_ref *refs; /* need not outlive the call, as none of the texts */
    size_t n;
    struct str pod;       /* name of a pod or step, or id of a node; absent or "": all */
    struct str container; /* absent or "": main; of a container set all */
    struct str selector;  /* over the labels of pods, of one workflow; absent or "": all */
    struct str grep;      /* regular expression, or absent */
    int64_t since_ns;     /* 0: all */
    int64_t tail;         /* -1: all; 0: nothing that is there */
    int64_t bytes;        /* of each log, as logs_query; 0: all */
    bool follow;          /* until all of the workflows are over */
    bool timestamps;      /* in front of each line */
    bool previous;        /* of steps that retries have dropped */
    bool (*on_line)(void *user, struct str pod, struct str line); /* false: as above */
    void (*on_end)(void *user, const struct err *e); /* all was taken, or it cannot go on; only free it then */
    void *user;
};
struct tail *tail_new(struct service *s, const struct tail_opts *o, struct err *e);
void tail_pump(struct tail *t);
void tail_free(struct tail *t); /* NULL is fine; not from inside on_line */

/* ---- events that start workflows ---- */

struct given_event {
    struct str ns, discriminator;
    const struct val *payload;  /* null when there is none */
    const struct val *metadata; /* map of lists of texts */
    const struct val *sender;   /* labels of who sent it, for what it starts; NULL: nobody said */
};
/* Takes it in. `done` is called when all WorkflowEventBindings were asked and what they start is on the disk (INTERNAL: some failed);
 * when it could not be stored, or bindings could not be read; or when the engine leaves: the next one asks them. UNREACHABLE when LIMIT_EVENTS_QUEUED wait
 * already: `done` is not called then. */
bool service_event_take(struct service *s, const struct given_event *g, void (*done)(void *user, const struct err *e),
                        void *user, struct err *e);
