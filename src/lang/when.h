/* The language of `when`: govaluate, the commit that Argo pins, with its oddities.
 *
 * No coercion between strings and numbers; a quoted string that looks like a date is a time; a
 * list of one element is no list; a result that is no bool is an error. Format reference:
 * Knetic/govaluate MANUAL.md and its parsing.go. Runs on: any thread; pure. */
#pragma once
#include "doc/val.h"

/* As steps and tasks do: a bare word is a string. Tags must have been replaced before. */
bool when_eval(struct arena *a, struct str expr, bool *out, struct err *e);

/* As CronWorkflow.when and metrics.when do: a bare word is a parameter, looked up in `params` (a
 * map; strings, numbers and bools; may be NULL), else "No parameter 'x' found." */
bool when_eval_params(struct arena *a, struct str expr, const struct val *params, bool *out,
                      struct err *e);
