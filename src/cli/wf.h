/* Reading Workflow objects (Argo's JSON shape) for display. Pure. Runs on: any thread. */
#pragma once
#include "doc/val.h"

struct str wf_name(const struct val *wf);
struct str wf_namespace(const struct val *wf);
struct str wf_phase(const struct val *wf); /* "" when not begun */
bool wf_ended(const struct val *wf);       /* Succeeded, Failed or Error */
/* Argo's derived text: "Running (Suspended)", "Failed (Terminated)", "Pending". */
struct str wf_status_text(const struct val *wf);
/* The spec in force: status.storedWorkflowTemplateSpec when there is one. */
const struct val *wf_exec_spec(const struct val *wf);
/* RFC 3339 text at a path; 0 when absent. */
int64_t wf_time(const struct val *v, const char *path);
/* "4s*(1 cpu),8s*(100Mi memory)" */
void wf_resources(struct buf *b, const struct val *durations);
bool node_suspended(const struct val *node); /* a suspend step that waits */
