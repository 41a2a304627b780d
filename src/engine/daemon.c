/* Daemons: pods that others may use as soon as they are ready (operator.go assessNodeStatus,
 * exec_control.go killDaemonedChildren).
 *
 * A daemon that is ready goes on Running and is `daemoned`; whoever waits for its end is told now. It is
 * ended, and Succeeded, when its boundary ends. One that ends by itself is Failed, whatever its exit code;
 * with a retryStrategy the next attempt begins then, and the retry node stays daemoned meanwhile. */
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "spec/pod_patch.h"

static void pod_release(struct run *r, struct node *n)
{
    struct action a = {.kind = ACTION_KILL, .node = n};
    if (has_set(n)) cset_release(r, n);
    if (has_parts(n)) parts_kill(r, n);
    else if (!has_set(n)) VEC_PUSH(&r->actions, a);
}

static void daemon_end(struct run *r, struct node *n)
{
    if (phase_fulfilled(n->phase)) return;
    if (n->type == NTYPE_POD) pod_release(r, n);
    if (n->type == NTYPE_RETRY && n->retry->last) daemon_end(r, n->retry->last); /* also one that is not ready again */
    node_finish(r, n, NODE_SUCCEEDED, STR_NONE);
}

void daemons_end(struct run *r, const struct node *boundary)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->daemons.n; i++) {
        struct node *n = r->daemons.items[i];
        if (n->boundary == boundary) daemon_end(r, n);
        else if (n->daemoned) r->daemons.items[kept++] = n;
    }
    r->daemons.n = kept;
}

static void note(struct run *r, struct node *n)
{
    n->daemoned = true;
    if (n->gate) sync_leave(r, n); /* as in Argo: for executeTemplate it is Fulfilled */
    node_touch(r, n);
    VEC_PUSH(&r->daemons, n);
}

void daemon_ready(struct run *r, struct node *n)
{
    struct node *retry = n->retried && n->parent->type == NTYPE_RETRY ? n->parent : NULL, *outer = retry ? retry : n;
    if (phase_fulfilled(n->phase) || phase_fulfilled(outer->phase) || n->daemoned || n->killed || !node_is_daemon(n)) return;
    note(r, n);
    if (retry && !retry->daemoned) note(r, retry);
    if (!outer->boundary) daemon_end(r, outer); /* there is nobody who could use it */
    else if (!outer->told) daemon_tell(r, outer);
}

static bool container_has(const struct val *c, const char *const *kinds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (val_get(c, str_of(kinds[i]))) return true;
    return false;
}

/* One of these: whoever runs the pod says when it is ready. */
static bool has_probe(const struct val *tmpl, const char *const *kinds, size_t n)
{
    static const char *const bodies[] = {"container", "script"}, *const lists[] = {"sidecars", "containerSet.containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (container_has(val_get(tmpl, str_of(bodies[i])), kinds, n)) return true;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct val *list = val_path(tmpl, lists[k]);
        for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
            if (container_has(&list->items[i], kinds, n)) return true;
    }
    return false;
}

bool node_may_be_probed(const struct run *r, const struct node *n)
{
    static const char *const kinds[] = {"readinessProbe", "startupProbe", "livenessProbe", "lifecycle"};
    bool pod = n->type == NTYPE_POD || n->type == NTYPE_CONTAINER;
    return pod && n->tmpl && (pod_patch_wanted(r->opts.workflow, n->tmpl->src) || has_probe(n->tmpl->src, kinds, ARRAY_LEN(kinds)));
}

/* Without a probe it is ready when it runs. */
void daemon_started(struct run *r, struct node *n)
{
    static const char *const kinds[] = {"readinessProbe", "startupProbe"};
    struct err ignored;
    const struct val *tmpl = node_pod_template(r, n, &ignored);
    if (!tmpl || !has_probe(tmpl, kinds, ARRAY_LEN(kinds))) daemon_ready(r, n);
}

void run_step_ready(struct run *r, struct node *n, int64_t now_us, struct outbox *out)
{
    event_begin(r, now_us);
    daemon_ready(r, n);
    event_end(r, out);
}

void run_pod_address(struct run *r, struct node *n, struct str address)
{
    extra_of(r, n)->address = str_dup(&r->arena, address);
}

/* A retry node has that of its latest attempt, as in Argo. */
struct str node_address(const struct node *n)
{
    if (n->type == NTYPE_RETRY && n->retry && n->retry->last) n = n->retry->last;
    return n->extra && n->extra->address.n ? n->extra->address : STR("127.0.0.1");
}

bool node_is_daemon(const struct node *n)
{
    return n->type == NTYPE_POD && n->tmpl && val_is_true(n->tmpl->src, "daemon");
}

bool node_is_ready(const struct node *n) { return n->daemoned; }
