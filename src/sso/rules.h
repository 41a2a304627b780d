/* From claims to what somebody may do: a file of rules, the first that fits.
 *
 *     rules:
 *     - group: platform            # one of the groups
 *       role: admin
 *     - when: "email endsWith '@example.com' && email_verified"    # as Argo's rbac-rule: an expression over the claims
 *       role: run
 *       namespaces: [builds]
 *
 * Pure. Runs on: any thread. */
#pragma once
#include "auth/token.h"
#include "doc/val.h"

struct sso_rule {
    struct str group, when; /* one of the two */
    enum auth_role role;
    const struct str *namespaces; /* n == 0: all */
    size_t n;
};
struct sso_rules {
    struct sso_rule *items;
    size_t n;
    struct val names; /* a map: what expressions mention, as nil where it is not claimed */
};
/* YAML; errors say file:line:column. Lives in the arena. */
bool rules_read(struct arena *a, struct str text, const char *file, struct sso_rules *out, struct err *e);
/* NULL: none fits. Claims that somebody does not have are nil; an expression that cannot be evaluated does not fit. */
const struct sso_rule *rules_match(struct arena *a, const struct sso_rules *r, const struct val *claims, const struct auth_person *p, int64_t now_us);

/* Whom the claims are about; `groups_claim` names the claim with the groups, a list or one text. */
void person_read(struct arena *a, const struct val *claims, struct str groups_claim, struct auth_person *out);
