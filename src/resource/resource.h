/* Stored documents of every kind (kinds.def): create, update, get, list, delete, with Kubernetes'
 * metadata rules: uid, creationTimestamp, resourceVersion, generation, generateName, name checks.
 *
 * Documents go in and come out as values; what comes out has its metadata complete. Only metadata
 * is checked here; whether a spec makes sense is the business of spec/. Writing needs an open write
 * transaction of the caller, who commits it durably before answering. Each write adds one row of
 * kind "object" to the change log: {"type": ADDED|MODIFIED|DELETED, "kind", "namespace", "name",
 * "uid"}. Runs on: the loop thread. */
#pragma once
#include "doc/val.h"
#include "resource/selector.h"
#include "store/store.h"

enum resource_kind_id {
#define RESOURCE(name, kind, plural, shorts, api, namespaced, meaning) RESOURCE_##name,
#include "resource/kinds.def"
#undef RESOURCE
    RESOURCE_MAX
};

struct resource_kind {
    const char *kind, *plural, *shorts, *api_version;
    bool namespaced;
    const char *meaning;
};
extern const struct resource_kind resource_kinds[RESOURCE_MAX];

/* By kind, plural, singular or short name, letter case ignored; false: not one of ours. */
bool resource_kind_find(struct str name, enum resource_kind_id *out);

/* In each case CONFLICT when the document names an old resourceVersion or another uid. */
enum resource_verb {
    RESOURCE_CREATE, /* CONFLICT when the name is taken */
    RESOURCE_UPDATE, /* replaces all but uid and creationTimestamp; NOT_FOUND when there is none */
    RESOURCE_APPLY   /* create or update; a document without status keeps the stored one */
};
struct resource_write {
    struct store *store;
    enum resource_verb verb;
    const struct val *doc;   /* kind is read from it */
    struct str ns;           /* for documents that name none; absent: "default" */
    int64_t now_us;
    uint64_t random[2];      /* becomes the uid and the generateName suffix */
};
struct resource_result {
    struct val doc; /* as stored, metadata complete; may point into the document that came in */
    struct str kind, ns, name, uid;
    bool created, unchanged; /* an update that changes nothing writes nothing */
};
bool resource_put(struct arena *a, const struct resource_write *w, struct resource_result *out, struct err *e);

struct resource_key {
    enum resource_kind_id kind;
    struct str ns, name; /* ns is ignored for cluster-wide kinds; absent: "default" */
};
bool resource_get(struct arena *a, struct store *s, const struct resource_key *key, struct val *out,
                  struct err *e);

struct resource_query {
    enum resource_kind_id kind;
    struct str ns;             /* absent or "": all namespaces */
    struct str label_selector; /* texts as a user wrote them; absent: all */
    struct str field_selector;
    struct str name_part;      /* what names contain; absent or "": all */
    struct str continue_token; /* from the page before */
    size_t limit;              /* 0: LIMIT_LIST_ROWS */
};
struct resource_page {
    struct val *docs; /* in (namespace, name) order */
    size_t n;
    struct str continue_token; /* absent: this was the last page */
    int64_t rv;                /* the version that the page shows */
};
bool resource_list(struct arena *a, struct store *s, const struct resource_query *q, struct resource_page *out,
                   struct err *e);

/* expected_rv: OBJECT_RV_ANY or the version that must still be there. */
bool resource_delete(struct store *s, const struct resource_key *key, int64_t expected_rv, int64_t now_us,
                     struct err *e);

/* Adds an owner reference {apiVersion, kind, name, uid, controller} to a document's metadata, or
 * replaces the one with the same uid. */
struct owner_ref {
    struct str api_version, kind, name, uid;
    bool controller;
};
struct val owner_ref_add(struct arena *a, const struct val *doc, const struct owner_ref *owner);
bool owner_ref_has(const struct val *doc, struct str uid);

/* A thing that has owners: a stored document or a workflow. */
struct owned {
    struct str kind, ns, name, uid;
};
/* Notes `what` with every owner that its document names. resource_put does so for what it stores. */
bool owners_note(struct store *s, const struct val *doc, const struct owned *what, struct err *e);
/* What is noted with an owner, in order of kind, namespace and name. */
bool owned_read(struct arena *a, struct store *s, int64_t run, struct str owner, struct owned **out, size_t *n, struct err *e);
bool owned_forget(struct store *s, int64_t run, struct str owner, const struct owned *what, struct err *e);
/* What is noted with an owner that goes; the notes are removed. run: that of the owner, 0 when it is an
 * object. Things may be gone or may be others by now: compare the uid. */
bool owned_take(struct arena *a, struct store *s, int64_t run, struct str owner, struct owned **out, size_t *n,
                struct err *e);
/* No owner of the document but `gone` (a uid) exists any more: it goes too. */
bool owner_is_last(struct store *s, const struct val *doc, struct str gone);

/* What `kubectl apply` makes of a manifest and the live document (NULL: there is none): as its
 * three-way merge with the annotation kubectl.kubernetes.io/last-applied-configuration, which is set. */
struct val apply_merge(struct arena *a, const struct val *live, const struct val *manifest);

/* One row of kind "object" in the change log; type is ADDED, MODIFIED or DELETED. */
bool resource_change_log(struct store *s, const char *type, const struct owned *what, struct err *e);

/* One value of a ConfigMap (data, or binaryData decoded) or Secret (data decoded). NOT_FOUND names
 * the object or the key that is missing. */
struct value_key {
    struct str ns, name, key; /* ns absent: "default" */
};
bool configmap_value(struct arena *a, struct store *s, const struct value_key *k, struct str *out, struct err *e);
bool secret_value(struct arena *a, struct store *s, const struct value_key *k, struct str *out, struct err *e);
