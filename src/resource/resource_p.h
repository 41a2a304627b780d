/* Private to resource/: documents between the forms a user wrote, the store keeps, and readers
 * get. The stored form is the whole document except metadata.resourceVersion, which the row has. */
#pragma once
#include "resource/resource.h"

/* Checks a user's document: kind, apiVersion, metadata; and per kind: Secret and ConfigMap. */
bool document_check(const struct val *doc, enum resource_kind_id *kind, struct err *e);

struct document_meta {
    struct str name, ns, uid;
    int64_t created_us, generation;
};
/* The stored form: doc with this metadata, stringData folded in. `status`: taken when doc has
 * none; may be NULL. */
struct val document_store(struct arena *a, const struct val *doc, const struct document_meta *m,
                          const struct val *status);
/* What readers get: with resourceVersion. */
struct val document_show(struct arena *a, const struct val *stored, int64_t rv);
/* Equal but for metadata and status: the generation stays. */
bool document_same_spec(const struct val *x, const struct val *y);

struct str resource_ns(struct str ns, enum resource_kind_id kind); /* "" or ns or "default" */
/* The stored form, parsed, and its row. NOT_FOUND when absent. */
bool resource_load(struct arena *a, struct store *s, const struct resource_key *key, struct object_row *row,
                   struct val *stored, struct err *e);
