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
};

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
    const struct map *by_name; /* name -> index in calls */
    struct dag *dag;           /* tasks: who is whose ancestor */
    const struct call *self;   /* the call that the text belongs to; NULL: all calls are visible */
    const struct tag_scope *outer; /* of an inline template: the call that holds it */
};

static inline struct diag *lint_place(struct diag *g, const struct val *at)
{
    diag_at(g, at);
    return g;
}
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
void lint_did_you_mean(struct lint *l, struct diag *g, struct str word, const struct str *names,
                       size_t n);
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
void lint_hooks(struct lint_doc *ld, const struct argo_lifecycle_hook_map *hooks,
                const struct argo_arguments *fallback);

/* lint_dag.c */
struct dag *dag_new(struct lint *l, const struct argo_dag_template *t, const struct map *by_name);
void dag_free(struct dag *g);
bool dag_is_ancestor(struct dag *g, size_t ancestor, size_t task);

/* lint_tags.c */
void lint_tags(const struct tag_scope *s, const struct val *v, const char *skip_key);

/* lint_later.c: what is accepted but not acted upon in this version */
void lint_later_kind(struct lint *l, const struct val *spec, const char *instead);
void lint_later_workflow(struct lint *l, const struct argo_workflow_spec *spec);
void lint_later_template(struct lint *l, const struct argo_template *t);
void lint_later_hook(struct lint *l, const struct argo_lifecycle_hook *h, struct str name);

/* lint_refs.c */
/* Finds the document; NULL when there is none, which is reported unless opts say otherwise. */
const struct document *lint_document(struct lint *l, const struct document *from,
                                     enum doc_kind kind, struct str name, const struct val *at);
const struct argo_template *lint_other_template(struct lint *l, const struct document *doc,
                                                struct str name);
