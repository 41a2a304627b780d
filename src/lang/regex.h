/* Regular expressions with Go's (RE2) syntax, run by PCRE2 under match limits.
 *
 * What RE2 does not know (backreferences, look-around, atomic groups, possessive repeats,
 * conditionals, recursion, verbs) is refused, so that manifests stay portable. Format reference:
 * github.com/google/re2/wiki/Syntax. Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct regex;

/* Error texts are Go's: "error parsing regexp: …". */
struct regex *regex_new(struct str pattern, struct err *e);
void regex_free(struct regex *r);
void regex_clear(struct regex **r); /* for CLEANUP */

struct regex_hit {
    bool found;
    size_t from, to;  /* of the whole match */
    size_t groups;    /* capture groups, the whole match included */
    const size_t *at; /* pairs: from, to of each group; SIZE_MAX = did not take part.
                         Valid until the next search with the same regex. */
};

/* First match at or after `from`; hit->found says whether there is one. False = a limit was passed. */
bool regex_search(struct regex *r, struct str text, size_t from, struct regex_hit *hit,
                  struct err *e);
/* Group index of a name, or -1. */
int regex_group(const struct regex *r, struct str name);

/* Compiles, matches anywhere in the text, frees. */
bool regex_match(struct str pattern, struct str text, bool *out, struct err *e);
