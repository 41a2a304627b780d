/* What retry and resubmit share: which runs, what becomes of each, and following them. */
#pragma once
#include "cli/foreground.h"
#include "cli/select.h"

#define TRYING_FLAGS \
    {"parameter", 'p', FLAG_LIST, "NAME=VALUE", "a parameter of the workflow that is to be another"}, \
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "every completed run with these labels"}, \
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "every completed run with these fields"}, \
    {"no-wait", 'd', FLAG_BOOL, NULL, "leave it to the engine that is at work, or to one in the background, and return"}, \
    SHOWN_FLAGS, \
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "print only the finished workflow on stdout"}, \
    ENGINE_FLAGS, \
    {"status", 0, FLAG_STR, "PHASE", NULL}, \
    {"watch", 0, FLAG_BOOL, NULL, "with --no-wait or a server elsewhere: show the run until it ends"}, \
    {"wait", 'w', FLAG_BOOL, NULL, "the same"}

/* *out is the run that goes on because of it; it lives as long as the service. */
typedef bool try_fn(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct workflow_ref *out, struct err *e);
bool trying_run(struct cli *cli, try_fn *one, struct err *e);
