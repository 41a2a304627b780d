/* The verbs of template, cluster-template and cron: list, get, create, update, lint, delete, suspend, resume.
 * What a verb is about stands in its table (`kind`, an enum service_kind). Runs on: the main thread. */
#pragma once
#include "cli/cmd.h"
#include "service/service.h"

bool object_list(struct cli *cli, struct err *e);
bool stored_get(struct cli *cli, struct err *e);
bool stored_create(struct cli *cli, struct err *e);
bool object_update(struct cli *cli, struct err *e);
bool object_apply(struct cli *cli, struct err *e);
bool stored_delete(struct cli *cli, struct err *e);
bool object_lint(struct cli *cli, struct err *e);
bool object_suspend(struct cli *cli, struct err *e);
bool object_resume(struct cli *cli, struct err *e);

extern const struct flag object_list_flags[4], object_get_flags[1], object_put_flags[2], object_lint_flags[3],
    object_delete_flags[2], object_no_flags[1];

/* One verb of a group: OBJECT_VERB(symbol, "template", "list", SERVICE_TEMPLATE, object_list, …) */
#define OBJECT_VERB(symbol, group_name, verb, object_kind, fn, verb_flags, verb_usage, verb_summary, least, most, words) \
    static const struct cmd symbol = { \
        .name = group_name " " verb, .group = "STORE", .usage = verb_usage, .summary = verb_summary, .flags = verb_flags, \
        .n_flags = ARRAY_LEN(verb_flags), .min_words = least, .max_words = most, .word = words, \
        .kind = object_kind, .run = fn}
#define OBJECT_PUT_VERBS(group_name, object_kind, noun, put_flags, put_usage) \
    OBJECT_VERB(verb_create, group_name, "create", object_kind, stored_create, put_flags, put_usage, \
                "check and store new " noun "s", 1, -1, WORD_FILE); \
    OBJECT_VERB(verb_update, group_name, "update", object_kind, object_update, put_flags, put_usage, \
                "replace stored " noun "s", 1, -1, WORD_FILE); \
    OBJECT_VERB(verb_apply, group_name, "apply", object_kind, object_apply, put_flags, put_usage, \
                "store " noun "s, new or not", 1, -1, WORD_FILE)
#define OBJECT_VERBS(group_name, object_kind, noun) \
    OBJECT_VERB(verb_list, group_name, "list", object_kind, object_list, object_list_flags, "[-A] [-l LABELS]", \
                "list stored " noun "s", 0, 0, WORD_NONE); \
    OBJECT_VERB(verb_get, group_name, "get", object_kind, stored_get, object_get_flags, "NAME… [-o name|json|yaml|wide]", \
                "show a stored " noun, 1, -1, WORD_OBJECT); \
    OBJECT_VERB(verb_lint, group_name, "lint", object_kind, object_lint, object_lint_flags, "FILE|DIRECTORY…", \
                "find mistakes, as skiff lint", 1, -1, WORD_FILE); \
    OBJECT_VERB(verb_delete, group_name, "delete", object_kind, stored_delete, object_delete_flags, "NAME… | --all", \
                "delete stored " noun "s", 0, -1, WORD_OBJECT)
