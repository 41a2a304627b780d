/* Log lines of runs on a server elsewhere; what steplog.h does for those of a state directory. Runs on: the loop thread. */
#pragma once
#include "cli/steplog.h"

struct farlog;
bool farlog_print(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, const struct steplog_opts *o, struct err *e);
void farlog_tail(struct cli *cli, struct service *s, const struct workflow_ref *ref, struct str node_id, struct str label, struct buf *out);
struct farlog *farlog_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, const struct steplog_opts *o);
void farlog_note(struct farlog *f, const struct val *change);
void farlog_drain(struct farlog *f);
void farlog_free(struct farlog *f);
