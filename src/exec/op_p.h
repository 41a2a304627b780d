/* Private to src/exec: steps that the engine does itself, without a slot: resource and data templates.
 *
 * What such a step does to stored things is one transaction with what becomes of its node, so it
 * happens exactly once however often the engine dies; the command row is there before. A step that
 * waits for a condition has its target noted in the same transaction, and is woken by the change log. */
#pragma once
#include "exec/exec_p.h"
#include "resource/condition.h"
#include "resource/kubectl.h"
#include "resource/resource.h"

enum { COMMAND_OP = 3 }; /* command_row.kind; stored */

/* A stored thing: a workflow, or a document of resource/kinds.def. */
struct object_key {
    bool is_run;
    enum resource_kind_id kind; /* unless is_run */
    struct str ns, name;
};

enum op_state {
    OP_DECIDED, /* its command is in the open transaction */
    OP_READY,   /* committed: is done next */
    OP_WAITING, /* done; its conditions are open */
    OP_ASKING,  /* a helper computes its outputs */
    OP_ENDED,   /* about to be forgotten */
};

struct op {
    struct exec *x;
    struct active *live; /* NULL: its workflow is over */
    struct node *node;
    int64_t id; /* of the command */
    enum op_state state;
    bool killed, stirred; /* stirred: looked at again */
    bool parked;          /* noted and shown as Running */
    size_t at;            /* in exec.ops */
    struct arena arena;
    struct val tmpl;      /* substituted; null until it is read */
    struct object_key target;
    struct str wait_key;  /* its entry in exec.waits; absent: it waits for nothing */
    struct op *wait_next, *wait_prev; /* others that wait for the same object */
    struct condition condition;
    struct outputs *outputs; /* while OP_ASKING */
};

/* op.c */
bool op_is(const struct val *tmpl); /* a template that is done here */
bool op_new(struct active *l, struct node *n, struct err *e);
void op_kill(struct active *l, const struct node *n);
void ops_committed(struct exec *x);
void ops_dropped(struct exec *x);
void ops_orphan(struct active *l);
void ops_run(struct exec *x);
void ops_close(struct exec *x);
bool op_restore(struct exec *x, struct active *l, struct node *n, int64_t id, struct err *e);
/* Its end, in the open transaction: `how` without exit code is an Error. */
bool op_finish(struct op *o, const struct step_outcome *how, struct err *e);
/* It goes on after this transaction: its target is noted, its node is Running. */
bool op_park(struct op *o, struct err *e);
/* What kubectl or the executor would have failed with: Failed, exit code 64, as Argo shows it. */
struct step_outcome op_failure(struct op *o, struct str text);
/* For what Skiff cannot do: Error. */
struct step_outcome op_refusal(struct op *o, const char *text);

/* op_resource.c */
/* Does it; false: *how is its end. True: it waits, or its outputs are next. */
bool resource_act(struct op *o, struct step_outcome *how, struct err *fatal);
/* Looks at the conditions of a waiting one. */
enum condition_state resource_judge(struct op *o, struct step_outcome *how, struct val *object);

/* op_output.c */
/* Output parameters of the object; ends the op now or when a helper has answered. */
bool outputs_begin(struct op *o, const struct val *object, struct err *e);
void outputs_cancel(struct op *o);
bool outputs_declared(const struct val *tmpl); /* any that looks into the object */

/* op_data.c */
void data_act(struct op *o, struct step_outcome *how);

/* object.c: errors are in kubectl's words; UNSUPPORTED is what Skiff does not have */
bool object_kind(struct str word, struct object_key *out, struct err *e); /* of a command: "workflows.argoproj.io" */
bool object_kind_of(const struct val *doc, struct object_key *out, struct err *e); /* of a manifest */
struct str object_kind_text(const struct object_key *k);
struct str object_group_name(struct arena *a, const struct object_key *k); /* workflows.argoproj.io "x" */
bool object_get(struct arena *a, struct exec *x, const struct object_key *k, bool nodes, struct val *out, struct err *e);
bool object_exists(struct exec *x, const struct object_key *k);
/* Names of all that match. */
bool object_select(struct arena *a, struct exec *x, const struct object_key *kind, const struct kubectl *how,
                   struct str **names, size_t *n, struct err *e);
/* For a step of `by`; *k gets the name and namespace that it has now. */
bool object_create(struct arena *a, struct active *by, const struct val *doc, struct object_key *k, struct err *e);
/* Makes the live document `doc`; what cannot change is an error. */
bool object_change(struct arena *a, struct exec *x, const struct object_key *k, const struct val *live,
                   const struct val *doc, struct err *e);
bool object_delete(struct arena *a, struct exec *x, const struct object_key *k, struct err *e);

/* run_change.c */
bool run_change(struct arena *a, struct exec *x, const struct object_key *k, const struct val *live,
                const struct val *doc, struct err *e);
/* What belongs to an owner that is gone, goes. */
bool owned_end(struct exec *x, struct str owner, const struct owned *list, size_t n, struct err *e);
bool owned_delete(struct exec *x, int64_t run, struct str owner, struct err *e);
