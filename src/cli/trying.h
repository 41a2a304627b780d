/* What retry and resubmit share: which runs, what becomes of each, and following them. */
#pragma once
#include "cli/foreground.h"
#include "cli/select.h"

#define TRYING_FLAGS \
    {"parameter", 'p', FLAG_LIST, "NAME=VALUE", "a parameter of the workflow that is to be another"}, \
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "every completed run with these labels"}, \
    {"field-selector", 0, FLAG_STR, "FIELD=VALUE,…", "every completed run with these fields"}, \
    {"no-wait", 'd', FLAG_BOOL, NULL, "leave it to the engine that is at work, or to one in the background, and return"}, \
    {"log", 0, FLAG_BOOL, NULL, "print the log lines of the steps"}, \
    {"progress", 0, FLAG_STR, "auto|tty|plain|quiet", "how the run is shown"}, \
    {"output", 'o', FLAG_STR, "name|json|yaml|wide", "print only the finished workflow on stdout"}, \
    {"runtime", 0, FLAG_STR, "auto|none|ro|overlay|container", "how steps are isolated"}, \
    {"network", 0, FLAG_STR, "host|private", "the network that pods are in"}, \
    {"images", 0, FLAG_STR, "FILE", "what image names mean on this machine"}, \
    {"image-fallback", 0, FLAG_STR, "error|host", "what becomes of a step whose image cannot be had"}, \
    {"no-builtin-images", 0, FLAG_BOOL, NULL, "well-known image names do not mean this host's programs"}, \
    {"parallel", 0, FLAG_INT, "N", "most steps that run at once"}, \
    {"cpus", 0, FLAG_STR, "N", "processors that steps may ask for together, or auto for all; others wait"}, \
    {"memory", 0, FLAG_STR, "SIZE", "memory that steps may ask for together, such as 12Gi, or auto"}, \
    {"status", 0, FLAG_STR, "PHASE", NULL}, \
    {"watch", 0, FLAG_BOOL, NULL, "with --no-wait or a server elsewhere: show the run until it ends"}, \
    {"wait", 'w', FLAG_BOOL, NULL, "the same"}

/* *out is the run that goes on because of it; it lives as long as the service. */
typedef bool try_fn(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct workflow_ref *out, struct err *e);
bool trying_run(struct cli *cli, try_fn *one, struct err *e);
