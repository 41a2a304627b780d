/* Which groups count: those of the userinfo endpoint in place of the ID token's (Argo: userInfoPath), and of them those that a filter
 * lets through (filterGroupsRegex). Whatever comes in is what a provider says: checked, bounded, never trusted to be of a form.
 * Pure. Reference: OpenID Connect Core §5.3. Runs on: the loop thread. */
#pragma once
#include "doc/val.h"

/* What the userinfo endpoint answers (200) about the person of `claims`: those claims, with its groups. AUTH: it is no such answer,
 * or about somebody else. */
bool userinfo_read(struct arena *a, struct str content_type, struct str body, struct str groups_claim, const struct val *claims, struct val *out,
                   struct err *e);

struct regex;
struct group_filter {
    struct regex **items;
    size_t n; /* 0: all groups count */
};
/* Regular expressions, words. USAGE: one is none, or there are too many. Either way it is to be freed. */
bool group_filter_read(struct group_filter *f, struct str words, struct err *e);
void group_filter_free(struct group_filter *f);
/* The claims with those groups alone that one of the filter is found in. LIMIT: that takes too long; they have
 * none then. */
bool groups_filter(struct arena *a, const struct group_filter *f, struct str groups_claim, const struct val *claims, struct val *out, struct err *e);
