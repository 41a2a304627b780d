/* Pictures of a workflow as text: DOT for Graphviz, Mermaid for Markdown, or plain lines.
 *
 * Of a document: every steps and dag template with its tasks and what they wait for. Of a run: its
 * nodes and their children, with their states. Pure. Runs on: any thread. */
#pragma once
#include "cli/style.h"
#include "doc/val.h"

enum graph_form { GRAPH_ASCII, GRAPH_DOT, GRAPH_MERMAID };

/* `object` is anything with a workflow's spec (Workflow, WorkflowTemplate, CronWorkflow, …). */
void graph_spec(struct arena *a, const struct val *object, enum graph_form form, const struct style *s, struct buf *out);
/* `wf` is a Workflow object with status.nodes. */
void graph_run(struct arena *a, const struct val *wf, enum graph_form form, const struct style *s, struct buf *out);
