/* Operations on a state directory: submit, follow, stop, list, get, logs, delete. No terminal, no
 * HTTP.
 *
 * Who opens a state directory to run something becomes its engine when the lock is free; else it
 * reaches the engine that is there through engine.sock, and takes over (exactly as after a crash)
 * when that one leaves. Readers need neither. Objects are struct val in Argo's JSON shape.
 * Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "config/config.h"
#include "doc/diag.h"
#include "doc/val.h"
#include "loop/loop.h"
#include "spec/documents.h"

struct service;
struct launcher;

struct param {
    struct str name, value;
};

/* One elsewhere, in place of a state directory: Argo's API over HTTP. */
struct service_server {
    struct str url;           /* http://host:port/base or https:// */
    struct str authorization; /* the header's value; absent: none */
    const struct param *headers;
    size_t n_headers;
    bool insecure;            /* its certificate is not checked */
    struct str ca_file;       /* PEM: who vouches for it; absent: the system says */
    struct str cert, key;     /* PEM: what it asks for; absent: nothing */
    struct str proxy;         /* on the way to it; absent: the environment says */
    bool *answered;           /* it was there once, also for another service: what only reads is tried again then */
};

struct service_opts {
    struct str state_dir; /* made when missing */
    const struct config *config;
    const struct service_server *server; /* then nothing of the rest counts, and this process is never the engine; NULL: none */
    struct launcher *launcher; /* NULL: this process cannot be the engine, but when it is idle */
    struct str host_home;      /* the caller's $HOME, hidden from steps; absent: none */
    bool idle;                 /* decides, but starts no step: what follows is left to the next engine */
    bool read_only;            /* list, get, logs: writes nothing, but for a new form of what an older Skiff has left */
    bool schedules;            /* stored CronWorkflows are started when they are due */
    bool resume;               /* steps that were lost with a crash are started again */
    bool yields;               /* as the engine, ends when a server asks it to (service_yield) */
    /* Called whenever this process becomes the engine, so that others can reach it; what `serve`
     * returns goes to `unserve` when it leaves. Both may be NULL. */
    void *(*serve)(struct service *s, struct err *e);
    void (*unserve)(void *server);
    /* Starts an engine in another process. Called when one is needed and none is at work that this process could be; and when this
     * process was the engine and leaves workflows that nobody waits for (service_leave). NULL: neither is done. */
    bool (*start_engine)(void *user, struct err *e);
    void *user;
};

struct service *service_open(const struct service_opts *o, struct err *e);
void service_close(struct service *s); /* NULL is fine */
struct loop *service_loop(struct service *s); /* NULL when read_only, of a state directory */
bool service_is_remote(const struct service *s);
bool service_is_engine(const struct service *s);
bool service_failed(const struct service *s, struct err *e); /* true: its store failed, the loop was stopped, nothing goes on */
const char *service_socket(struct service *s); /* path of engine.sock */
/* A sentence about weaker isolation than the default; absent when there is none to say. */
struct str service_notice(const struct service *s);

/* ---- submitting ---- */

struct workflow_ref {
    struct str ns, name;
};

/* `argo submit --from KIND/NAME`: a Workflow that refers to the stored template, or that of a CronWorkflow.
 * Kinds: workflowtemplate, clusterworkflowtemplate, cronworkflow and their short forms. */
bool service_from(struct arena *a, struct service *s, struct str ns, struct str from, struct val *out, struct err *e);

/* What a request may say besides of that Workflow. */
struct from_more {
    struct str pod_priority_class;
    const struct val *owner;       /* an ownerReference, or NULL */
    const struct param *artifacts; /* key of an artifact among the arguments, as an upload has answered it */
    size_t n_artifacts;
};
bool service_from_more(struct arena *a, struct service *s, const struct from_more *more, struct val *workflow, struct err *e);

struct submit_opts {
    struct str ns;            /* for documents without a namespace; absent: the configured one */
    struct str entrypoint;    /* absent: as in the spec */
    struct str name, generate_name;
    const struct param *params; /* -p and --parameter-file: later ones win */
    size_t n_params;
    const struct param *labels;
    size_t n_labels;
    const struct param *annotations;
    size_t n_annotations;
    struct str service_account, priority; /* absent: as in the spec */
    /* A random UUID of this submission, or absent: the same one again, after an engine died without an
     * answer, is accepted once. */
    struct str token;
    struct str uid; /* of the one workflow; absent: a new one */
    bool unnamed;   /* of a dry run: what would be sent, before it gets a name and a uid */
};

/* The annotation of a workflow that continues the trace of a W3C traceparent: how many there are in *out, 0 when it is none. */
size_t service_traceparent(struct arena *a, struct str traceparent, const struct param **out);

/* Lints the documents, stores the objects among them, completes (name, uid, defaults, references)
 * and accepts the Workflows; all or nothing, and on the disk when it returns true. Problems with
 * positions go to `diags`; `e` is then ERR_SPEC. *out lives in the documents' arena. */
bool service_submit(struct service *s, const struct documents *docs, const struct submit_opts *o,
                    struct diags *diags, struct workflow_ref **out, size_t *n, struct err *e);
/* The same by the engine of this process for many callers: what is submitted in one turn of the loop shares a commit. Linted at once
 * (false: refused, `done` is not called); `done` comes when it is on the disk, or with the error. Documents and what the
 * options point to live until then; refs in the documents' arena. */
typedef void service_submitted_fn(void *user, const struct err *e, const struct workflow_ref *refs, size_t n);
bool service_submit_later(struct service *s, const struct documents *docs, const struct submit_opts *o,
                          struct diags *diags, service_submitted_fn *done, void *user, struct err *e);
/* The same without storing or starting anything: the completed objects as a list. */
bool service_dry_run(struct arena *a, struct service *s, const struct documents *docs,
                     const struct submit_opts *o, struct diags *diags, struct val *objects, struct err *e);

/* ---- stored templates and cron workflows ---- */

enum service_kind { SERVICE_TEMPLATE, SERVICE_CLUSTER_TEMPLATE, SERVICE_CRON, SERVICE_EVENT_BINDING };
const char *service_kind_text(enum service_kind kind); /* "WorkflowTemplate" */
bool service_object_get(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str name,
                        struct val *out, struct err *e);
/* A list, by namespace (absent: all) and name; selector: labels, or absent. */
bool service_object_list(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str selector,
                         struct val *out, struct err *e);
/* One page of it; without a limit, as many as LIMIT_LIST_ROWS. */
struct object_query {
    struct str ns, labels, fields; /* absent: all */
    struct str name_part;          /* what names contain, of service_object_page; absent: all */
    struct str position;           /* `next` of the page before */
    size_t limit;
};
struct object_page {
    struct val items;
    struct str next; /* absent: this was the last */
    int64_t rv;
};
bool service_object_page(struct arena *a, struct service *s, enum service_kind kind, const struct object_query *o,
                         struct object_page *out, struct err *e);
/* Lints the one document and stores it; *out as it is stored. CREATE: CONFLICT when the name is taken; UPDATE:
 * NOT_FOUND when there is none; APPLY: either. Findings go to `diags`; `e` is then ERR_SPEC. */
enum service_put { SERVICE_CREATE, SERVICE_UPDATE, SERVICE_APPLY };
bool service_object_put(struct arena *a, struct service *s, enum service_kind kind, enum service_put how, struct str ns,
                        const struct documents *docs, struct diags *diags, struct val *out, struct err *e);
/* Only lints: against what is stored as well. */
bool service_object_lint(struct arena *a, struct service *s, enum service_kind kind, struct str ns,
                         const struct documents *docs, struct diags *diags, struct err *e);
/* Of a CronWorkflow the workflows that it has started go with it. */
bool service_object_delete(struct service *s, enum service_kind kind, struct str ns, struct str name, struct err *e);
/* When a CronWorkflow is due next after `now_us`: the earliest of its schedules. False: suspended, stopped or never. */
bool service_cron_next(const struct val *cron, int64_t now_us, int64_t *out_us);
/* The document with what the options say in its workflowSpec, labels of its workflows and its own name; a schedule takes the place of all. */
struct val service_cron_override(struct arena *a, const struct val *cron, const struct submit_opts *o, struct str schedule);
/* Sets spec.suspend of a CronWorkflow. */
bool service_cron_suspend(struct arena *a, struct service *s, struct str ns, struct str name, bool suspend,
                          struct val *out, struct err *e);

/* ---- stored objects of any kind, ConfigMaps and Secrets among them ---- */

struct stored_ref {
    struct str kind; /* as users write it: ConfigMap, configmaps, cm */
    struct str ns, name;
};
bool service_kind_is_shared(struct str kind); /* it has no namespace: what is of it is everybody's */
bool service_kind_is(struct str kind, struct str is, struct err *e); /* both mean the same kind; SPEC, NOT_FOUND */
/* Of a Secret come the names of its `keys`, never a value. */
bool service_stored_page(struct arena *a, struct service *s, struct str kind, const struct object_query *o,
                         struct object_page *out, struct err *e);
bool service_stored_get(struct arena *a, struct service *s, const struct stored_ref *ref, struct val *out, struct err *e);
enum stored_how {
    STORED_DRY = 1, /* only says what it would do */
    STORED_JOIN = 2 /* a Secret keeps the values that the document does not name */
};
struct stored_result {
    struct val doc;
    struct str did; /* created, configured, unchanged */
};
/* Lints the one document and stores it, new or not. Findings go to `diags`; `e` is then ERR_SPEC. */
bool service_stored_apply(struct arena *a, struct service *s, struct str ns, const struct documents *one, unsigned how,
                          struct diags *diags, struct stored_result *out, struct err *e);
bool service_stored_delete(struct service *s, const struct stored_ref *ref, struct err *e);

/* ---- cron workflows of the past ---- */

struct backfill_opts {
    struct str start, end; /* RFC 3339, or in `format`; end absent: now */
    struct str format;     /* a layout of Go's */
    struct str name;       /* of this backfill: in names, and the mutex of its workflows */
    struct str arg_name;   /* the parameter that gets the time */
    bool parallel;         /* else one after the other */
    size_t most;           /* times of one workflow that creates others */
};
/* `argo cron backfill`: workflows, to be submitted, that create what a CronWorkflow would have started after `start` and up to
 * `end`. *n: how many times there are. */
bool service_backfill(struct arena *a, struct service *s, struct str ns, struct str name, const struct backfill_opts *o, struct val *out,
                      size_t *n, struct err *e);

/* ---- following ---- */

struct follow {
    const struct workflow_ref *refs;
    size_t n;
    bool from_start; /* also what happened before (node states as they are now come first) */
    /* One change, as cli/change.h describes it. Lives until it returns. */
    void (*on_change)(void *user, const struct val *change);
    /* All refs are finished, but this process stays as the engine of `n` workflows that their steps
     * created. At most once; may be NULL. */
    void (*on_wait)(void *user, size_t n);
    /* All refs are finished (or gone), or it cannot go on (e != NULL). Called once, from the loop. */
    void (*on_done)(void *user, const struct err *e);
    void *user;
};
/* Begins; the caller then runs the loop. One follow at a time. */
bool service_follow(struct service *s, const struct follow *f, struct err *e);
void service_unfollow(struct service *s);
/* Goes on with a workflow that is stored and not finished (`run --resume`). */
bool service_resume_run(struct service *s, struct str ns, struct str name, struct err *e);

/* ---- workflows that nobody waits for ---- */

/* They are to go on when whoever submitted them is gone: noted on the disk by the engine when it returns true. */
bool service_leave(struct service *s, const struct workflow_ref *refs, size_t n, struct err *e);
/* As the engine: nothing is at work, and nothing waits to be. */
bool service_idle(const struct service *s);
/* A server wants this engine's place: with opts.yields the loop is stopped. CONFLICT: it stays. */
bool service_yield(struct service *s, struct err *e);
bool service_yielded(const struct service *s);
/* Takes the place of the engine that is there. CONFLICT: that one stays. */
bool service_displace(struct service *s, struct err *e);

/* ---- steering: reaches the engine where there is one; otherwise takes the lock for a moment ---- */

enum service_stop { SERVICE_STOP, SERVICE_TERMINATE };
bool service_stop(struct service *s, struct str ns, struct str name, enum service_stop how, struct err *e);
bool service_suspend(struct service *s, struct str ns, struct str name, struct err *e);
/* Lifts the suspension and completes what waits; with a node field selector only completes those nodes. */
bool service_resume(struct service *s, struct str ns, struct str name, struct str nodes, struct err *e);

/* `argo node set`; also `argo stop` with a selector. The nodes are suspend nodes that wait. */
struct set_opts {
    struct str nodes;   /* node field selector; must be there */
    struct str phase;   /* absent: they go on waiting */
    struct str message;
    const struct param *params; /* output parameters */
    size_t n_params;
};
bool service_set(struct service *s, struct str ns, struct str name, const struct set_opts *o, struct err *e);

/* `argo retry`: a finished run goes on with what failed. */
struct retry_opts {
    bool restart_successful; /* with `nodes`: those run again although they succeeded */
    struct str nodes;        /* node field selector; has no effect alone, as in Argo */
    const struct param *params;
    size_t n_params;
};
bool service_retry(struct service *s, struct str ns, struct str name, const struct retry_opts *o, struct err *e);

/* `argo resubmit`: a new run with the spec, user labels and annotations of another. */
struct resubmit_opts {
    bool memoized; /* of a failed run: steps that did well are not run again */
    struct str priority; /* absent: as it was */
    const struct param *params;
    size_t n_params;
    const struct param *labels; /* besides those that it has */
    size_t n_labels;
    struct str token; /* as in submit_opts */
};
bool service_resubmit(struct arena *a, struct service *s, struct str ns, struct str name, const struct resubmit_opts *o,
                      struct workflow_ref *out, struct err *e);

/* The second Ctrl-C: what is followed is terminated, its steps are killed without grace. Their ends
 * are awaited for a moment by service_close. */
void service_abort(struct service *s);

/* Changes for somebody else than the follow: what the engine's socket streams. Each JSON line once,
 * in order. Only while this process is the engine. Nothing comes before the first service_watch_pump. */
struct service_watch;
struct watch_opts {
    const struct workflow_ref *refs; /* n == 0: all workflows */
    size_t n;
    bool from_start; /* current node states first; else from `after` on */
    int64_t after;   /* a seq, or -1: from now on. Of all workflows GONE when what came after it is no longer kept, or it is from the future */
    /* False: it was not taken, and comes again with the next service_watch_pump. */
    bool (*on_line)(void *user, struct str json);
    /* Not NULL: after a commit lines do not come by themselves; this says, once, that there are some for service_watch_take. */
    void (*on_ready)(void *user);
    /* Of all workflows, not NULL then: it has fallen behind by more than is kept; only free it then. Of some the current states come again. */
    void (*on_end)(void *user, int64_t last, const struct err *e); /* last: seq of the newest change */
    void *user;
};
struct service_watch *service_watch_new(struct service *s, const struct watch_opts *o, struct err *e);
void service_watch_free(struct service_watch *w); /* NULL is fine; also from inside on_line and on_end */
/* Sends what is there already; later changes come by themselves after each commit, unless a line was not taken. */
void service_watch_pump(struct service_watch *w);
/* Gives what was committed lately, as far as it is taken; may be called anywhere. False: there is more, and only service_watch_pump can
 * give it. */
bool service_watch_take(struct service_watch *w);

/* ---- limits of semaphores ---- */

struct sync_limit_ref {
    struct str ns, key;
    struct str config_map; /* its name; absent: a row of the store (`database: {key}`) */
};
enum sync_verb { SYNC_CREATE, SYNC_UPDATE, SYNC_DELETE };
/* CONFLICT when there is one to be created, NOT_FOUND when there is none. Whoever waits is looked at. */
bool service_sync_change(struct service *s, enum sync_verb verb, const struct sync_limit_ref *ref, int64_t limit,
                         struct err *e);
bool service_sync_get(struct service *s, const struct sync_limit_ref *ref, int64_t *limit, struct err *e);

/* ---- reading ---- */

/* NAME, a unique prefix, @latest, or a uid. */
bool service_find(struct arena *a, struct service *s, struct str ns, struct str name,
                  struct workflow_ref *out, struct err *e);
/* What the engine that is there, or a server elsewhere, says that it is: `version` and more. */
bool service_version(struct arena *a, struct service *s, struct val *out, struct err *e);
/* Exactly this uid, in any namespace. */
bool service_find_uid(struct arena *a, struct service *s, struct str uid, struct workflow_ref *out, struct err *e);
/* The metrics that runs have emitted, in Prometheus' text form with Argo's prefix; as the engine, also its own. */
bool service_metrics(struct arena *a, struct service *s, struct str *out, struct err *e);
struct stats *service_stats(struct service *s); /* exec/stats.h; NULL: this process is not the engine */
/* {"engine": what it has to do (absent: none is at work), "items": workflows that are not over}: by the engine that is there. */
bool service_top(struct arena *a, struct service *s, struct val *out, struct err *e);
/* Only its phase, and whether it has ended: one row. */
bool service_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended,
                   struct err *e);
/* The whole Workflow object with .status.nodes. spec.suspend and spec.shutdown say what was asked since. */
bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out,
                 struct err *e);
/* The same, without .status.nodes unless they are wanted. */
bool service_get_part(struct arena *a, struct service *s, const struct workflow_ref *ref, bool nodes, struct val *out,
                      struct err *e);

enum list_form {
    LIST_SHORT,    /* without nodes and without spec bodies: what the narrow rows say */
    LIST_NO_NODES, /* without .status.nodes */
    LIST_WHOLE
};
struct list_opts {
    struct str ns; /* absent: all namespaces */
    struct str name; /* absent or empty: all */
    enum { LIST_NAME_PREFIX, LIST_NAME_EXACT, LIST_NAME_CONTAINS } match; /* how it is meant */
    struct str selector; /* label selector */
    struct str fields;   /* field selector over metadata and status */
    const struct str *phases;
    size_t n_phases;
    int completed;               /* 1 only completed, -1 only running, 0 both */
    int64_t created_after_us, finished_before_us, started_after_us, started_before_us;
    enum list_form form;
    bool count;                  /* what is left after a page, where an index tells: costs a look at each entry */
    int64_t before_run;          /* `next` of the page before */
    size_t limit;                /* 0: all */
};
/* A list of Workflow objects, newest first. */
bool service_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e);
struct list_page {
    struct val items;
    int64_t next;      /* 0: this was the last; else there may be more, also after fewer than `limit` */
    int64_t remaining; /* after this page, when there is a next one; -1: not known */
    int64_t rv;        /* version of the store that it shows */
};
/* One page of it, of at most LIMIT_LIST_ROWS. Pages that follow each other show every workflow that is there all the time
 * exactly once, whatever comes, changes and goes meanwhile. */
bool service_list_page(struct arena *a, struct service *s, const struct list_opts *o, struct list_page *out, struct err *e);

/* Of such a list: the labels' keys, or the values of `key`; in order, each once. */
struct str *service_labels(struct arena *a, const struct val *items, struct str key, size_t *n);

struct step_log {
    struct str node_id, pod_name, display_name, template_name, container;
    struct str path;   /* of its CRI log file; the file may not exist (yet) */
    bool finished;     /* nothing more will be written */
    bool of_set;       /* a container of a container set: pod_name is that of its pod */
    const struct val *node; /* its status */
    int64_t started_us, step; /* when; the id of what ran */
};
/* Is it among those that are asked for? `pod`: name of a pod or step, or id of a node; absent or "": all. `container`: absent or "": main;
 * of a container set all. */
static inline bool step_log_is_meant(const struct step_log *log, struct str pod, struct str container)
{
    struct str own = log->container.n ? log->container : STR("main");
    bool any = !container.n && log->of_set;
    if (!any && !str_eq(own, container.n ? container : STR("main"))) return false;
    return !pod.n || str_eq(pod, log->pod_name) || str_eq(pod, log->node_id) || str_eq(pod, log->display_name);
}
/* Logs of a workflow's steps in start order. */
bool service_logs(struct arena *a, struct service *s, struct str ns, struct str name,
                  struct step_log **out, size_t *n, struct err *e);

/* Of one node: cheap enough to be asked about each as it ends. */
bool service_logs_node(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str node_id,
                       struct step_log **out, size_t *n, struct err *e);

/* Of the steps that retries have dropped. */
bool service_logs_previous(struct arena *a, struct service *s, struct str ns, struct str name,
                           struct step_log **out, size_t *n, struct err *e);

/* Which steps of a workflow have pods with certain labels. Not of a server elsewhere, which looks by itself (log_opts). */
struct pod_filter;
struct pod_filter *service_pod_filter(struct service *s, const struct workflow_ref *ref, struct str selector, struct err *e);
bool service_pod_passes(struct pod_filter *f, const struct step_log *log, bool *out, struct err *e);
void service_pod_filter_free(struct pod_filter *f); /* NULL is fine */

/* ---- lines of logs, of a server elsewhere ---- */

struct log_line {
    struct str pod, time, text; /* time: RFC 3339 with nanoseconds */
};
struct log_opts {
    struct workflow_ref ref;
    struct str pod, container, grep; /* as in streams.h; absent: all, main, all */
    struct str selector;             /* over the labels of pods; absent: all */
    int64_t since_ns, tail;          /* 0: all; -1: all */
    bool previous;
    void (*on_line)(void *user, const struct log_line *line);
    /* service_log_stream only: the workflow is over and all was given, or it cannot go on. Called once, from the loop; only free
     * it then, or later. */
    void (*on_end)(void *user, const struct err *e);
    void *user;
};
/* What there is; waits for it. */
bool service_log_lines(struct service *s, const struct log_opts *o, struct err *e);
/* And what comes, until the workflow is over. A connection that is lost is made again, and nothing is given twice. */
struct log_stream;
struct log_stream *service_log_stream(struct service *s, const struct log_opts *o);
void service_log_stream_free(struct log_stream *x); /* NULL is fine; not from inside on_line */

/* ---- artifacts ---- */

struct run_artifact {
    struct str node_id, node, template_name; /* node: its display name */
    struct str name, key;   /* key: absent for a raw one */
    struct str content, form; /* form: file, tree, tgz, zip; absent: its content is gone */
    struct str text;        /* of a raw one */
    int64_t size_bytes;
    bool input;
    bool packed_zip, plain; /* how it looks outside: archive.zip; archive.none */
};
/* Output artifacts of all steps (and, with `inputs`, their inputs), in the order of the nodes. */
bool service_artifacts(struct arena *a, struct service *s, struct str ns, struct str name, bool inputs,
                       struct run_artifact **out, size_t *n, struct err *e);
/* The file's name outside: the last part of its key. */
struct str artifact_file_name(struct arena *a, const struct run_artifact *art);
/* Writes it as a file as Argo would have kept it: a gzipped tar, a zip, or plainly. A directory without
 * archive is a gzipped tar too. Reads files only: may run on any thread. */
bool service_artifact_write(const char *state_dir, const struct run_artifact *art, int fd, struct err *e);
/* The same, wherever the workflow is; `raw`: a file as the step produced it, and a directory as a gzipped tar. */
bool service_artifact_fetch(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e);
/* The same, opened for reading; a plain file as it lies there. */
bool service_artifact_open(const char *state_dir, const struct run_artifact *art, int *fd, struct err *e);
/* What is at `path` in it (empty: the artifact itself), as the step produced it; a path or a symlink that leads out of it is
 * NOT_FOUND. May run on any thread, with an arena of its own. */
struct artifact_view {
    int fd;            /* of a file, to be closed */
    bool is_directory;
    struct str *names; /* of a directory, in order; directories among them end with '/' */
    size_t n;
};
bool service_artifact_view(struct arena *a, const char *state_dir, const struct run_artifact *art, struct str path,
                           struct artifact_view *out, struct err *e);
/* A copy of the file or directory as the step produced it, at `to`, which must not exist. */
bool service_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e);
const char *service_state_dir(struct service *s); /* lives as long as the service */

/* A file that a user brings: its bytes become an artifact's content (on any thread; on the disk when it returns true), which
 * then gets the key uploads/NAMESPACE/UUID/FILE (on the loop thread, of the engine). */
struct upload {
    char content[48]; /* its id */
    int64_t size_bytes;
};
bool service_upload_save(const char *state_dir, struct str bytes, struct upload *out, struct err *e);
bool service_upload_keep(struct arena *a, struct service *s, struct str ns, struct str file, const struct upload *u,
                         struct str *key, struct err *e);

/* For spec/lint.h: templates that are stored, read when something refers to them. */
struct stored_templates *stored_templates_new(struct arena *a, struct service *s);
const struct document *stored_templates_fetch(void *templates, enum doc_kind kind, struct str ns, struct str name);
/* What was fetched goes. False: something could not be read, so what lint says counts for nothing. */
bool stored_templates_end(struct stored_templates *t, struct err *e);

/* Lints workflows against what is stored, as a submission would. */
bool service_lint(struct arena *a, struct service *s, const struct documents *docs, struct str ns, struct diags *diags,
                  struct err *e);

/* Removes a workflow with its logs, and those of its artifacts whose artifactGC says so; `force` also one that is at work,
 * whose steps are killed. */
bool service_delete(struct service *s, struct str ns, struct str name, bool force, struct err *e);
