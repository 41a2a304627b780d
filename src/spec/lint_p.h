/* Shared by the validator's files; private to the folder.
 *
 * lint.c goes over documents, lint_template.c over templates, lint_io.c over their inputs and
 * outputs, lint_calls.c over steps, tasks and hooks, lint_dag.c over the graph of a DAG,
 * lint_tags.c over
 * {{tags}}. Runs on: one thread per lint. */
#pragma once
#include "base/vec.h"
#include "spec/lint.h"
#include "spec/template.h"

/* Adds a diagnostic at a value: LINT(l, DIAG_ERROR, "E0201", at, "…", …). Returns it. */
#define LINT(l, severity, code, at, ...)                                                           \
    lint_place(diags_add((l)->d, severity, code, __VA_ARGS__), at)

struct lint_index { /* the templates of another document */
    const struct document *doc;
    struct template_index index;
};

struct lint {
    struct arena *a;
    struct diags *d;
    const struct documents *docs;
    const struct lint_opts *opts;
    VEC(struct lint_index *) indexes;
    struct map by_pointer; /* a document's struct lint_index, a long list's struct call_index */
    struct map references; /* "KIND/NAMESPACE/NAME" -> document, or NULL */
    size_t walked;         /* values looked at to mend names, see lint_fix_io.c */
};

/* One document's spec under check. */
struct lint_doc {
    struct lint *l;
    const struct document *doc;
    const struct argo_workflow_spec *spec; /* merged with the template that it refers to */
    struct template_index index;
    bool is_template;   /* a stored template: parameters may come from the run that uses it */
    bool open;          /* parts are not known here (a missing reference): nothing is "undefined" */
    struct map outputs; /* "parameters.x", "artifacts.x": published by globalName */
    bool outputs_open;  /* a published name is computed, or a callee is not known */
    struct flow *flow;  /* who calls whom, as far as it has been checked */
    struct flow *whole; /* the same of the whole document; made when somebody asks */
    uint32_t owner;     /* the template under check; FLOW_NOBODY outside */
    struct map refs;    /* name -> struct lint_ref *: where templates are called; filled when first needed */
    bool refs_known;
    struct map images;  /* that have been remarked upon */
    struct map foreign, foreign_names; /* templates of other documents that have been looked at; what they lack */
};

struct lint_ref {
    const struct val *v;
    struct lint_ref *next;
};

/* Finds calls by name. Hashes and numbers lie side by side, so that a look-up touches little memory. */
struct call_index {
    struct str *names;
    uint64_t *slots; /* hash, and 1 + number in the lower half */
    uint32_t mask;
};
#define CALL_NONE SIZE_MAX
void call_index_init(struct arena *a, struct call_index *x, size_t n);
size_t call_index_add(struct call_index *x, struct str name, size_t i); /* the one of this name, or i itself */
size_t call_find(const struct call_index *x, struct str name);          /* or CALL_NONE */

/* A call of a template: a step, a task, a hook or the entrypoint. */
struct call {
    const struct val *src;
    struct str name, template;
    const struct argo_template_ref *template_ref;
    const struct argo_template *inline_;
    const struct argo_arguments *arguments;
    struct val_list with_items;
    struct str with_param;
    const struct argo_sequence *with_sequence;
    struct str on_exit;
    struct argo_lifecycle_hook_map hooks;
    uint32_t group;                     /* steps: index of the group */
    const struct argo_workflow_step *step; /* what it is made from; neither for hooks */
    const struct argo_dag_task *task;
    bool targets; /* the DAG runs only a part of its tasks */
    const struct argo_template *callee; /* NULL: not known */
    bool callee_known;                  /* false: computed name or missing document */
};

struct dag; /* lint_dag.c */

/* Where a text stands, which decides the tags that it may use. */
struct tag_scope {
    struct lint_doc *ld;
    const struct argo_template *tmpl;
    const char *calls_prefix; /* "steps", "tasks" or NULL */
    const struct call *calls;
    size_t n_calls;
    const struct call_index *by_name;
    struct dag *dag;           /* tasks: who is whose ancestor */
    bool any_depends;          /* tasks: some use depends */
    bool dag_names;            /* tasks: some wait for others, so names must not begin with a digit */
    const struct call *self;   /* the call that the text belongs to; NULL: all calls are visible */
    const struct tag_scope *outer; /* of an inline template: the call that holds it */
};

static inline struct diag *lint_place(struct diag *g, const struct val *at)
{
    diag_at(g, at);
    return g;
}
/* Nothing more is kept: explaining findings further would be in vain, and slow. */
static inline bool lint_full(const struct lint *l) { return l->d->dropped > 0; }
/* The value of a field, or the struct's own value. */
static inline const struct val *lint_at(const struct val *src, const char *field)
{
    const struct val *v = val_get(src, str_of(field));
    return v ? v : src;
}
/* Most texts hold no brace at all, which is found out much sooner. */
static inline bool has_tag(struct str s)
{
    return s.n && memchr(s.p, '{', s.n) && str_find(s, STR("{{"), 0) >= 0;
}

/* lint_names.c */
enum name_form { NAME_FIELD, NAME_PARAMETER, NAME_ARTIFACT, NAME_OBJECT };
/* Reports a missing or malformed name of a "step", "template", … */
bool lint_name(struct lint *l, const struct val *src, struct str name, const char *what,
               enum name_form form);
/* The same; the diagnostic, or NULL when the name is fine. */
struct diag *lint_name_check(struct lint *l, const struct val *src, struct str name, const char *what,
                             enum name_form form);
bool lint_well_formed(struct str name, enum name_form form);
struct unique {
    struct {
        struct str name;
        const struct val *src;
    } few[8];
    size_t n;
    struct map many; /* name -> source value, from the ninth on */
};
void unique_fini(struct unique *u);
void unique_add(struct lint *l, struct unique *u, const struct val *src, struct str name,
                const char *what);
void lint_not_unique(struct lint *l, const struct val *src, struct str name, const char *what,
                     const struct val *first);
/* Names the nearest; where the word is the whole value `at` (else NULL), that is the fix. */
void lint_did_you_mean(struct lint *l, struct diag *g, const struct val *at, struct str word,
                       const struct str *names, size_t n);
bool lint_duration(struct lint *l, const struct val *src, const char *field, struct str text,
                   bool unit_needed);

/* lint_template.c */
void lint_template(struct lint_doc *ld, const struct argo_template *t,
                   const struct tag_scope *outer);

/* lint_locks.c: what a template, or the workflow, has to pass before it begins */
void lint_gates(struct lint_doc *ld, const struct argo_template *t);
void lint_call_locks(struct lint *l, const struct argo_template *t, const struct call *c); /* t calls c */
void lint_workflow_locks(struct lint *l, const struct argo_workflow_spec *spec);

/* lint_leaf.c */
void lint_leaf(struct lint_doc *ld, const struct argo_template *t, enum template_type type);

/* lint_io.c */
void lint_inputs(struct lint_doc *ld, const struct argo_template *t, bool leaf);
void lint_outputs(struct lint_doc *ld, const struct argo_template *t, enum template_type type);
void lint_arguments(struct lint *l, const struct argo_arguments *args, bool values_required);
bool artifact_has_location(const struct argo_artifact_location *x);

/* lint_calls.c */
void lint_steps(struct lint_doc *ld, const struct argo_template *t, const struct tag_scope *outer);
void lint_dag_template(struct lint_doc *ld, const struct argo_template *t,
                       const struct tag_scope *outer);
void lint_call(struct lint_doc *ld, struct call *c, const char *what);
/* The call's arguments against the inputs of its callee; `fallback` may supply more. */
void lint_supply(struct lint_doc *ld, const struct call *c, const struct argo_arguments *fallback);
void lint_said_twice(struct lint *l, const struct val *src, struct str on_exit,
                     const struct argo_lifecycle_hook_map *hooks);
void lint_hooks(struct lint_doc *ld, const struct argo_lifecycle_hook_map *hooks,
                const struct argo_arguments *fallback);

/* lint_dag.c */
struct dag *dag_new(const struct tag_scope *s);
void dag_free(struct dag *g);
bool dag_is_ancestor(struct dag *g, size_t ancestor, size_t task);

/* lint_tags.c */
void lint_tags(const struct tag_scope *s, const struct val *v, const char *skip_key);

/* lint_resource.c: objects that are not Skiff's */
void lint_resource_kind(struct lint *l, const struct argo_resource_template *r);
/* lint_flow.c */
enum flow_root { FLOW_MAIN = 1, FLOW_EXIT = 2 }; /* the entrypoint; exit handlers and hooks of the workflow */
enum { FLOW_NOBODY = UINT32_MAX };
struct flow_call {
    uint32_t to, next_same; /* of the same callee: 1 + index; 0 = none */
    const struct argo_arguments *args;
    const struct argo_workflow_step *step; /* what calls; NULL: a hook, or something inline that may not run */
    const struct argo_dag_task *task;
    bool targets; /* of a task: the DAG runs a part of its tasks only */
};
/* Templates are checked in their order; what they call is noted on the way. */
void flow_begin(struct lint_doc *ld);
void flow_note(struct lint_doc *ld, const struct call *c);
void flow_end(struct lint_doc *ld); /* reports, and frees */
/* From where a template of the document is reached: flow_root bits; 0 for inline ones. */
uint8_t flow_reached(struct lint_doc *ld, const struct argo_template *t);
/* Whether every caller gives this parameter. */
bool flow_all_pass(struct lint_doc *ld, const struct argo_template *t, struct str parameter);

/* lint_text.c: each is silent where the text is absent or has tags */
void lint_expression(struct lint *l, const struct val *v, const char *what);
void lint_expression_tag(struct lint *l, const struct val *v, size_t off, struct str raw);
void lint_when(struct lint *l, const struct val *src);
void lint_with_param(struct lint *l, const struct val *src);
void lint_secret_named(struct lint *l, const struct val *src, const char *field, struct str name, struct str value,
                       bool env);
void lint_secret_text(struct lint *l, const struct val *v);
bool lint_mentions_input(const struct val *template, struct str name);
void lint_unused_inputs(struct lint_doc *ld, const struct argo_template *t, enum template_type type);
void lint_image(struct lint_doc *ld, const struct val *src, struct str image);

/* lint_foreign.c: what a template of another document asks of this workflow */
void lint_foreign(struct lint_doc *ld, const struct document *doc, const struct argo_template_ref *ref);

/* lint_cron.c */
void lint_schedules(struct lint *l, const struct argo_cron_workflow_spec *c);

/* lint_fix.c */
/* Where bytes [off, off + len) of a string stand in its source. */
bool lint_source_place(const struct lint *l, const struct val *v, size_t off, size_t len, uint32_t *line, uint32_t *col);
/* Adds the step that replaces them. */
bool lint_fix_text(struct lint *l, struct diag *g, const struct val *v, size_t off, size_t len, struct str text);
/* Adds the pair to the map, before its member `key` when there is one; NULL: behind the name. */
void lint_fix_add_pair(struct lint *l, struct diag *g, const struct val *map, const char *key, struct str text);
void lint_fix_object_name(struct lint *l, struct diag *g, const struct val *meta, struct str name);
void lint_fix_template_name(struct lint_doc *ld, struct diag *g, const struct argo_template *t);
void lint_fix_call_name(struct lint *l, struct diag *g, const struct tag_scope *s, const struct call *c);
/* lint_fix_io.c: a malformed name of a parameter or artifact */
void lint_fix_io_name(struct lint *l, struct diag *g, struct str name, enum name_form form);
/* lint_pod.c: podSpecPatch of a workflow or a template */
void lint_pod_patch(struct lint *l, const struct val *src);

/* lint_later.c: what is accepted but not acted upon in this version */
void lint_later_volumes(struct lint *l, const struct argo_volume_list *volumes);
void lint_later_template(struct lint *l, const struct argo_template *t);

/* lint_lists.c: parameter_find and artifact_find, fast in long lists too */
const struct argo_parameter *lint_parameter(struct lint *l, const struct argo_parameter_list *list, struct str name);
const struct argo_artifact *lint_artifact(struct lint *l, const struct argo_artifact_list *list, struct str name);
/* The slot of something that is remembered for an address. */
struct map_slot *lint_remembered(struct lint *l, const void *address);

/* lint_refs.c */
/* Finds the document; NULL when there is none, which is reported unless opts say otherwise. */
const struct document *lint_document(struct lint *l, const struct document *from,
                                     enum doc_kind kind, struct str name, const struct val *at);
const struct argo_template *lint_other_template(struct lint *l, const struct document *doc,
                                                struct str name);
