/* Templates: their type, and finding them by name. Runs on: any thread. */
#pragma once
#include "base/map.h"
#include "spec/argo_gen.h"

/* In the order in which Argo looks (Template.GetType): the first body that is there counts. */
enum template_type {
    TEMPLATE_NONE,
#define TTYPE(name, text, field, leaf, doc) TEMPLATE_##name,
#include "spec/template_types.def"
#undef TTYPE
    TEMPLATE_TYPE_MAX
};

enum template_type template_type(const struct argo_template *t);
size_t template_bodies(const struct argo_template *t);      /* how many bodies are given; 1 is right */
const char *template_type_text(enum template_type type);    /* "Container", as in node status */
const char *template_type_field(enum template_type type);   /* "container", as in documents */
const char *template_type_doc(enum template_type type);
bool template_type_leaf(enum template_type type);           /* not steps and not dag */

/* Finds templates by name: a scan up to 16 of them, a hash beyond. */
struct template_index {
    const struct argo_template *items;
    size_t n;
    struct map by_name; /* filled when n > 16 */
};
void template_index_init(struct template_index *x, const struct argo_template_list *list);
void template_index_fini(struct template_index *x);
const struct argo_template *template_find(const struct template_index *x, struct str name);

/* The parameter or artifact of a name, or NULL. */
const struct argo_parameter *parameter_find(const struct argo_parameter_list *list, struct str name);
const struct argo_artifact *artifact_find(const struct argo_artifact_list *list, struct str name);

/* The container that a leaf runs in: container, script, or main of a container set; else NULL. */
const struct argo_container *template_container(const struct argo_template *t);
