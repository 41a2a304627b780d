/* Documents: the objects that a YAML or JSON text holds, decoded and named.
 *
 * A text may hold several documents and List kinds (they are flattened). Kinds that Skiff knows are
 * decoded strictly; other kinds are skipped with a warning. Fields in their 3.x form are converted,
 * with a note, so that everybody else sees 4.x forms only. Everything lives in the arena, except the
 * vector. Runs on: one thread. */
#pragma once
#include "base/map.h"
#include "doc/diag.h"
#include "spec/argo_gen.h"

enum doc_kind {
    DOC_NONE,
#define KIND(name, text, group, version, namespaced, doc) DOC_##name,
#include "spec/kinds.def"
#undef KIND
    DOC_KIND_MAX
};

struct document {
    enum doc_kind kind;
    bool broken; /* errors were found while decoding: `object` may be partly filled */
    struct str api_version, name, generate_name, ns; /* absent when not given */
    const struct val *val;                           /* the whole object, in its 4.x form */
    union {                                          /* the decoded object, by kind */
        const void *object;
        const struct argo_workflow *workflow;
        const struct argo_workflow_template *workflow_template;
        const struct argo_cluster_workflow_template *cluster_workflow_template;
        const struct argo_cron_workflow *cron_workflow;
        const struct argo_workflow_event_binding *event_binding;
        const struct argo_config_map *config_map;
        const struct argo_secret *secret;
        const struct argo_persistent_volume_claim *claim;
    };
    const struct argo_workflow_spec *spec; /* of the four kinds that have one (for a CronWorkflow
                                              its workflowSpec), else NULL */
    const struct argo_object_meta *metadata; /* may be NULL */
    uint16_t file;
    uint32_t line;
};

struct documents {
    struct arena *a;
    struct document *items;
    size_t n, cap;
    uint32_t kinds; /* bit 1 << enum doc_kind: only findings in these kinds count; 0 = in all */
};

/* Whether findings in documents of a kind count. */
static inline bool documents_wanted(const struct documents *d, enum doc_kind kind)
{
    return !d->kinds || (d->kinds & 1u << kind);
}

void documents_init(struct documents *d, struct arena *a);
void documents_fini(struct documents *d); /* the vector only; the rest is the arena's */

/* Adds every document of `text`; `file` is its index among the diagnostics' source files, or 0.
 * The text need not outlive the call. False when there was an error; the documents that could be
 * read are there nevertheless. */
bool documents_add(struct documents *d, struct str text, uint16_t file, struct diags *diags);
/* The same for one value that has been read already (an API body, a stored object). */
bool documents_add_val(struct documents *d, const struct val *v, uint16_t file, struct diags *diags);

/* NULL when there is none. `ns` does not matter for kinds without one; an absent namespace in the
 * document or in `ns` matches any. */
const struct document *documents_find(const struct documents *d, enum doc_kind kind, struct str ns,
                                      struct str name);

enum doc_kind doc_kind_of(struct str kind);            /* DOC_NONE when unknown */
const char *doc_kind_text(enum doc_kind kind);         /* "CronWorkflow" */
const char *doc_kind_api_version(enum doc_kind kind);  /* "argoproj.io/v1alpha1", "v1" */
const char *doc_kind_doc(enum doc_kind kind);
bool doc_kind_namespaced(enum doc_kind kind);
const struct field_type *doc_kind_type(enum doc_kind kind);

/* The value with known fields under their exact names and no others, text where text belongs, without null members, and with 3.x
 * forms replaced by their 4.x forms (schedule, mutex, semaphore, condition, ttlSecondsAfterFinished …); `v` itself when there
 * is nothing to do. */
const struct val *document_upgrade(struct arena *a, const struct field_type *t, const struct val *v);
