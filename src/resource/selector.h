/* Kubernetes selectors, parsed once and matched often. Pure; runs on: any thread.
 *
 * Label selectors: "a=b,c==d,e!=f,g in (x,y),h notin (z),i,!j,k>1,l<2"; all requirements must
 * hold; != and notin also hold when the label is absent. Field selectors: paths with =, == and !=.
 * Format: k8s.io/apimachinery pkg/labels and pkg/fields. */
#pragma once
#include "doc/val.h"

enum selector_op {
    SELECTOR_EXISTS, SELECTOR_NOT_EXISTS, SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_GT, SELECTOR_LT
};
struct selector_req {
    struct str key;
    enum selector_op op;
    struct str *values; /* IN, NOT_IN: at least one; GT, LT: one integer */
    size_t n;
    const char *sign;   /* of a label selector's text: "=", "==", "!=", "in", …; "!" for NOT_EXISTS */
};
struct selector {
    struct selector_req *reqs;
    size_t n; /* 0: matches everything */
};

/* Absent or blank text: matches everything. */
bool selector_parse(struct arena *a, struct str text, struct selector *out, struct err *e);
/* The object form: {matchLabels: {…}, matchExpressions: [{key, operator, values}]}. */
bool selector_from_val(struct arena *a, const struct val *v, struct selector *out, struct err *e);
/* key=value, key==value, key!=value; keys are paths; \ escapes , = and \ in values. */
bool field_selector_parse(struct arena *a, struct str text, struct selector *out, struct err *e);

/* Rules for the parts, as Kubernetes checks them in metadata: SPEC error that quotes the text. */
bool label_key_check(struct str key, struct err *e);     /* [prefix/]name */
bool label_value_check(struct str value, struct err *e); /* at most 63 of A-Za-z0-9 - _ . */
bool dns_subdomain_check(struct str name, struct err *e); /* RFC 1123: a-z 0-9 - . ; LIMIT_NAME_BYTES */
bool dns_label_check(struct str name, struct err *e);     /* the same without dots; 63 bytes */

/* As Kubernetes prints one: "status.phase in (Error,Failed)", values sorted. */
struct str selector_req_text(struct arena *a, const struct selector_req *r);
bool selector_req_holds(const struct selector_req *r, struct str value); /* absent value: no such label */
bool selector_matches(const struct selector *sel, const struct val *labels); /* map of strings, or NULL */
/* Fields of a whole document, an absent field counting as "". */
bool field_selector_matches(const struct selector *sel, const struct val *doc);
