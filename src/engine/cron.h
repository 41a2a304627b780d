/* One CronWorkflow as a pure state machine: (state, event, now) -> what is to be done. Semantics: the operator of Argo's cron
 * controller (workflow/cron/operator.go).
 *
 * The caller tells what happened, and as long as cronwf_next_us is not later than now it calls cronwf_tick and does what that
 * says: all in one transaction with the document, so that whatever dies, a scheduled time is started once or not at all. The
 * state is the document's status and its labels; children are told at the beginning. Zones come in by a function; nothing here
 * reads a clock. Runs on: one thread. */
#pragma once
#include "doc/val.h"
#include "lang/tzif.h"

struct cronwf;

/* Absent name: the machine's own zone. It lives as long as what asks. Never NULL. */
typedef const struct zone *cron_zone_fn(void *ctx, struct str name);

/* `first`: the document as it was stored; its status is where we are. */
struct cronwf *cronwf_new(cron_zone_fn *zone, void *ctx, const struct val *first, int64_t now_us);
void cronwf_free(struct cronwf *c); /* NULL is fine */

/* ---- what happened ---- */

/* Somebody else has changed the document. What it says of the status does not count. */
void cronwf_changed(struct cronwf *c, const struct val *doc, int64_t now_us);

/* The wall clock is behind what it was. */
void cronwf_clock_back(struct cronwf *c, int64_t now_us);

struct cron_child {
    struct str name, uid;
    bool active, well; /* not ended; or Succeeded */
    int64_t finished_us;
};
/* A workflow that this one has started: how it is now. */
void cronwf_child(struct cronwf *c, const struct cron_child *child, int64_t now_us);
void cronwf_child_gone(struct cronwf *c, struct str uid);
/* After a restart every child was told: who is still unknown is gone. */
void cronwf_children_told(struct cronwf *c);

/* The answers to `start`. A name that is taken already has none. */
void cronwf_started(struct cronwf *c, const struct cron_child *child, int64_t at_us, int64_t now_us);
enum cron_trouble { CRON_SPEC_ERROR, CRON_SUBMISSION_ERROR, CRON_TROUBLES };
void cronwf_refused(struct cronwf *c, enum cron_trouble which, struct str why, int64_t at_us);

/* ---- what is to be done ---- */

int64_t cronwf_next_us(const struct cronwf *c); /* when cronwf_tick is to be called; INT64_MAX: never */
struct cron_out {
    bool start;
    int64_t at_us;   /* its scheduled time */
    struct str name; /* of the workflow */
    const char *policy; /* the concurrencyPolicy, when it has kept a workflow from starting, or ends one; NULL */
    const struct str *terminate; /* uids: before the start */
    size_t n_terminate;
    const struct str *remove;    /* uids: more have ended than are to be kept */
    size_t n_remove;
};
/* Texts live until the next event. */
void cronwf_tick(struct cronwf *c, int64_t now_us, struct cron_out *out);

bool cronwf_dirty(const struct cronwf *c); /* the document is another than the one that is stored */
/* The document with its status; dirty no more. */
struct val cronwf_document(struct arena *a, struct cronwf *c);
struct str cronwf_uid(const struct cronwf *c);
const struct val *cronwf_given(const struct cronwf *c); /* the document as it came in */

/* ---- without state ---- */

/* The workflow that a CronWorkflow starts, for this scheduled time; name absent: a generateName. */
struct val cron_workflow(struct arena *a, const struct val *cron, struct str name, int64_t at_us);
/* The first time after `after_us` of any of its schedules, suspended or not. "@every" counts from the document's creation,
 * so that neither a restart nor a change moves it. */
bool cron_next_time(cron_zone_fn *zone, void *ctx, const struct val *cron, int64_t after_us, int64_t *next_us);
/* A stopStrategy has come true, or spec.suspend. */
bool cron_rests(const struct val *cron);
