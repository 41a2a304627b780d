/* Private to src/service. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "exec/exec.h"
#include "net/unix_client.h"
#include "resource/resource.h"
#include "resource/selector.h"
#include "service/service.h"

/* recent.c */
struct recent_change {
    int64_t seq, rv, run;
    bool added;        /* the run is new */
    struct str ns, name; /* of the run; absent: it is not there any more */
    struct str object; /* what the change says of an object */
    struct str line;   /* absent: nobody is told of it */
    struct str status; /* within it: of a node */
    struct str gone;   /* uid of the workflow that was deleted */
};

struct recent {
    bool on;
    VEC(struct recent_change) changes; /* without gaps, up to `last` */
    size_t older;                      /* so many of them are in the older arena */
    struct arena arenas[2];
    int newer; /* which of the two */
    int64_t last;
    unsigned users;   /* watches of all kinds */
    unsigned readers; /* that hold one of the lines at the moment */
};

/* shown.c: a workflow as watches show it */
struct shown {
    int64_t run, rv;    /* all commits up to rv are in it */
    struct run_row row; /* without a uid: it was deleted */
    bool nodes;
    struct val shorter, whole; /* run_short_form, and all of it, with or without its nodes; */
    struct str text;    /* that as text; absent: its rows are damaged */
    struct arena arena;
};

struct watched {
    int64_t run;
    struct str ns, name, uid;
    bool gone; /* its deletion was told */
};

struct service_watch {
    struct service *s;
    struct watched *of; /* in the order of their ids, each once */
    int64_t *runs;      /* those ids */
    size_t n;           /* 0: all runs */
    int64_t after;
    size_t state_run;    /* the next state to give: index in `runs`; n: all are given */
    uint32_t state_node; /* and index of its node */
    int64_t states_rv;   /* version of the store when the first was due */
    struct map shown;    /* what changed since then -> last change that its state shows; see watch.c */
    struct arena shown_arena;
    bool full;     /* the last line was not taken */
    bool dead;     /* freed while it was pumped */
    bool pumping;
    bool ready;    /* on_ready was told, and not all is taken yet */
    bool (*on_line)(void *user, struct str json);
    void (*on_ready)(void *user);
    void (*on_end)(void *user, int64_t last, const struct err *e);
    void *user;
};

struct following {
    bool on;
    struct follow f;
    struct service_watch *watch; /* as engine */
    struct unix_call *call;      /* as follower */
    struct remote_follow *far;   /* of a server elsewhere */
    struct loop_timer *retry;
    int64_t seq;                 /* last change that was shown */
    bool *finished;              /* by ref */
    size_t left;
    bool told_wait;              /* on_wait was called */
    bool hurry;                  /* somebody wants it to end: not for what its steps created */
    int tries;                   /* connections in a row that brought nothing */
};

/* Which node of a run has which index, as far as it was looked at. */
struct node_index {
    int64_t run;
    uint32_t next;
    struct map ids; /* node id -> index */
    struct arena arena;
};

/* feed.c: made for a client in pieces. `piece` makes one and says whether there was anything to do; it is asked again
 * after each commit and each feeds_wake. */
struct feed {
    bool (*piece)(struct feed *f);
};

/* bindings.c: whoever waits for what becomes of an event. */
struct event_ack {
    void (*done)(void *user, const struct err *e);
    void *user;
    int64_t number;
    bool stored, looked; /* it is on the disk; all bindings were asked */
    struct err *why;     /* what failed then; NULL: nothing. Freed when it is told */
};

struct service {
    struct service_opts o;
    struct arena arena;
    struct loop *loop;
    struct remote *remote; /* remote_p.h: a server elsewhere; then there is neither engine nor reader */
    int lock_fd;         /* >= 0: this process is the engine */
    struct exec *exec;
    struct store *reader; /* otherwise */
    struct err failure;   /* of the store; no code: none */
    void *server;
    bool yielded;
    struct following follow;
    VEC(int64_t) aborted; /* runs whose killed steps service_close waits for */
    VEC(struct service_watch *) watches;
    struct loop_timer *watch_timer; /* as long as there are any */
    int64_t watches_rest_until_us;
    struct recent recent;
    struct shown_cache *shown; /* as long as there are feeds */
    VEC(struct feed *) feeds;
    size_t feed_next; /* whose turn was last */
    struct loop_timer *feed_timer;
    int64_t feeds_rest_until_us;
    VEC(struct event_ack) event_acks;
    int64_t events_waiting, event_last; /* how many events are stored, and the number of the last one */
    struct loop_timer *event_timer;
    VEC(struct node_index) indexes;
    VEC(struct submission *) submissions; /* of this turn of the loop */
    struct loop_hook *submit_hook;
    struct loop_timer *quiet_timer; /* of a server */
};

struct store *service_store(struct service *s);
/* Becomes the engine if nobody is; *became says whether. */
bool service_take_over(struct service *s, bool *became, struct err *e);
/* A request to the engine that is there, with a JSON answer; its errors become `e`. */
bool service_ask(struct arena *a, struct service *s, const char *method, const char *target,
                 struct str body, struct val *out, struct err *e);
/* For a request that failed with `e`: true = ask again, or go on here when s->exec is set now; false
 * = it stands. Waits a moment when another engine is on its way. */
bool service_unreached(struct service *s, unsigned attempt, struct err *e);
/* follow.c: one change, as JSON or as a value */
void follow_line(struct service *s, struct str line);
void follow_change(struct service *s, const struct val *change);
void follow_gone(struct service *s, const struct workflow_ref *ref); /* it was deleted */
void follow_end(struct service *s, const struct err *e); /* frees what it came over */
struct str follow_body(struct arena *a, const struct following *f);
void follow_commit(struct service *s);
void follow_hurry(struct service *s, struct str ns, struct str name); /* a followed one is to end */
void follow_failed(struct service *s, const struct err *e);

/* watch.c: after a commit */
void watches_turn(struct service *s);
/* recent.c: what was committed; only while this process is the engine */
#define CHANGE_DELETED "{\"phase\":\"Failed\",\"message\":\"deleted\"}" /* the status of a workflow that was deleted: who follows it sees an end */
void recent_open(struct service *s); /* for one more user; nothing is lost from now on */
void recent_close(struct service *s);
void recent_hold(struct service *s); /* lines stay where they are until recent_release */
void recent_release(struct service *s);
void recent_collect(struct service *s);
/* NULL: it is not there, or not there any more. Until the next recent_collect; its texts as long as they are held. */
const struct recent_change *recent_find(const struct service *s, int64_t seq);
/* One line of a watch: of a node, a workflow, or one that was deleted. seq < 0: no place to go on from. */
void change_line(struct buf *b, int64_t seq, const struct run_row *run, struct str kind, struct str payload);
bool change_of_deletion(struct arena *a, const struct change_row *c, struct run_row *out); /* of a workflow */

/* The state that run has now, or had when it was made for somebody else, but not before rv. Lives until the next call. */
const struct shown *shown_get(struct service *s, int64_t run, int64_t rv, bool nodes);
void shown_drop(struct service *s);

void feed_add(struct service *s, struct feed *f);
void feed_remove(struct service *s, struct feed *f);
void feeds_wake(struct service *s);

/* bindings.c: after a commit, and when there will be none (`e`); the second when this process becomes the engine or leaves */
void events_committed(struct service *s, const struct err *e);
bool events_begin(struct service *s, struct err *e);
void events_end(struct service *s);

/* submit.c: while this process is the engine. After exec_open: what a turn has decided is committed before its submissions come. */
void submissions_open(struct service *s);
void submissions_close(struct service *s);

/* objects.c, as the engine. The status of a CronWorkflow is the engine's: a new document does not end what has been counted. */
void cron_status_keep(struct arena *a, struct service *s, struct str ns, struct val *doc);
/* In a transaction of its own, on the disk when it returns true; what has no other owner goes along. */
bool object_delete_here(struct service *s, const struct resource_key *key, struct err *e);

/* list.c: fields that workflows can be selected by */
struct selector;
bool run_fields_check(const struct selector *fields, struct err *e);
/* list.c: a run as lists show it: without nodes and spec */
struct val run_short_form(struct arena *a, struct store *s, const struct run_row *row);
/* read.c: true, and `e` is set, when nothing was ever run here */
bool no_state(struct service *s, struct err *e);
/* logs.c */
void node_indexes_fini(struct service *s);

/* leave.c: is one of the workflows that nobody waits for at work? And workflows as a list of `namespace` and `name` */
bool service_has_left(struct service *s);
struct val refs_val(struct arena *a, const struct workflow_ref *refs, size_t n);

/* act.c: a change of one run, by this process' engine or, over the socket, by another one */
struct act {
    struct str ns, name;
    const char *verb; /* last part of Argo's route */
    struct val body;  /* VAL_NULL: {} */
    bool (*here)(struct service *s, const struct act *a, struct err *e);
    const void *opts;
    bool alone;       /* `here` gets a transaction of its own, which is rolled back when it fails */
    struct val *reply; /* NULL, or where another engine's answer goes, living in `arena` */
    struct arena *arena;
};
bool act(struct service *s, struct act *a, struct err *e);

/* control.c: a node_pick_fn whose ctx is a struct nodesel */
bool node_is_picked(void *ctx, const struct run *r, const struct node *n);

/* submit.c: lint against what is stored */
bool documents_check(struct arena *a, struct service *s, const struct documents *docs, struct str ns, bool to_run,
                     struct diags *diags, struct err *e);
/* submit.c: exec_opts.admit */
bool service_admit(void *user, struct arena *a, const struct val *doc, struct str ns, struct val *out, struct err *e);

/* complete.c */
/* Each workflow of a submission has the submission's UUID, but for its last four digits. */
bool submission_token_check(struct str token, struct err *e);
struct str uid_of_submission(struct arena *a, struct str token, size_t i);
/* The document with the entrypoint and parameters of the options in its spec. */
struct val workflow_override(struct arena *a, const struct val *doc, const struct submit_opts *o);
/* The document as argo's submit would send it: with all that the options say, names and labels among it. */
struct val workflow_to_send(struct arena *a, const struct val *doc, const struct submit_opts *o);
bool workflow_complete(struct arena *a, struct service *s, const struct val *doc,
                       const struct submit_opts *o, struct val *out, struct err *e);
/* The same for a workflow that is stored: in its spec and in that which it was submitted with. */
struct val workflow_stored_override(struct arena *a, const struct val *stored, const struct submit_opts *o);
/* A new workflow from a stored one, with the metadata of `stored`: what was merged into it once is not looked up again. */
bool workflow_copy(struct arena *a, struct service *s, const struct val *stored, const struct submit_opts *o, struct val *out, struct err *e);
struct str uuid_random(struct arena *a);

/* pod_labels.c: podMetadata of the workflow, over it the template's, over both what Argo adds. For one workflow; remembers its templates. */
struct pod_labels;
struct pod_labels *pod_labels_new(void);
void pod_labels_free(struct pod_labels *x); /* NULL is fine */
/* UNSUPPORTED when it asks for a label with a tag of a run of an older version: what became of it is not kept. */
bool pod_labels_match(struct pod_labels *x, struct store *st, const struct workflow_ref *ref, const struct step_log *s, const struct selector *sel,
                      bool *out, struct err *e);
