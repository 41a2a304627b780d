/* Probes of containers, as the kubelet asks them (pkg/kubelet/prober): startupProbe until it has succeeded, and only
 * then livenessProbe, for as long as the container runs, and readinessProbe, until the pod is ready: a daemon
 * that is ready once stays so, as in Argo. One that is not started, or not alive any more, is ended.
 *
 * A daemon is ready when all its containers are. Nothing is stored about any of this but that: an engine that
 * takes a container over asks anew. Runs on: the loop thread. */
#include <signal.h>

#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "exec/probe_p.h"

static const char *const fields[PROBE_MAX] = {"startupProbe", "livenessProbe", "readinessProbe"};

static void probe_stop(struct probe *p)
{
    try_stop(p);
    loop_timer_free(p->timer);
    p->timer = NULL;
}

void probes_free(struct job *j)
{
    struct probes *ps = j->probes;
    if (!ps) return;
    for (size_t k = 0; k < PROBE_MAX; k++) probe_stop(&ps->items[k]);
    arena_fini(&ps->arena);
    free(ps);
    j->probes = NULL;
}

/* ---- the pod is ready ---- */

/* A container that waits for others runs, as far as a cluster knows; one that is over is not ready any more. */
static bool set_is_ready(const struct active *l, const struct node *pod)
{
    const struct node *c;
    for (uint32_t i = 0; (c = node_set_container(pod, i)); i++) {
        const struct job *j = job_of(l, c, 0);
        if (phase_fulfilled(node_phase(c)) || (j && !j->ready)) return false;
    }
    return true;
}

/* Main and all that run beside it; init containers are over. */
static bool pod_is_ready(const struct active *l, struct node *pod)
{
    uint32_t parts = node_parts(pod);
    if (node_has_containers(pod) && !set_is_ready(l, pod)) return false;
    for (uint32_t i = node_has_containers(pod); i <= parts; i++) {
        const struct job *j = job_of(l, pod, i);
        if (i && !node_part_is_aside(pod, i)) continue;
        if (!j || !j->ready) return false;
    }
    return true;
}

static void ready(struct job *j)
{
    struct active *l = j->live;
    struct exec *x = j->x;
    struct node *pod = node_pod(j->node);
    struct outbox out;
    struct err e;
    j->ready = true;
    if (!node_is_daemon(pod) || node_is_ready(pod) || !pod_is_ready(l, pod)) return;
    if (!exec_begin(x, &e)) {
        exec_fail(x, &e);
        return;
    }
    run_step_ready(l->run, pod, clock_now_us(), &out);
    if (!active_event(l, &out, &e)) exec_fail(x, &e);
    loop_again(x->o.loop);
}

/* ---- one probe ---- */

static void on_timer(void *user)
{
    struct probe *p = user;
    if (try_is_under_way(p)) { /* and too late */
        probe_tried(p, false);
        return;
    }
    if (!try_begin(p)) probe_tried(p, false);
}

static void probe_begin(struct probe *p)
{
    int64_t ran_us = clock_mono_us() - p->of->job->started_us;
    if (!p->spec) return;
    p->timer = loop_timer_new(p->of->job->x->o.loop, on_timer, p);
    loop_timer_arm_us(p->timer, MAX(p->delay_us - ran_us, 0));
}

/* With a readinessProbe it is ready when that says so. */
static void started(struct probes *ps)
{
    struct job *j = ps->job;
    ps->started = true;
    probe_begin(&ps->items[PROBE_LIVENESS]);
    probe_begin(&ps->items[PROBE_READINESS]);
    if (!ps->items[PROBE_READINESS].spec) ready(j);
}

/* Its own grace period, else that of the pod. */
static void give_up(struct probe *p)
{
    struct job *j = p->of->job;
    int64_t grace_s = 0;
    const struct val *grace = val_get(p->spec, STR("terminationGracePeriodSeconds"));
    if (grace) str_to_i64(val_text(grace), &grace_s);
    j->unhealthy = fields[p->kind];
    log_line(LOG_WARN, "a container is ended: its %s has failed %lld times run=%.*s node=%.*s", fields[p->kind], (long long)p->bad,
             STR_ARG(run_name(j->live->run)), STR_ARG(node_name(j->node)));
    if (j->lane) lane_kill(j->lane, SIGTERM, (uint32_t)MIN(MAX(grace_s, 0), LIMIT_GRACE_S) * 1000);
    probes_free(j);
}

void probe_tried(struct probe *p, bool good)
{
    struct probes *ps = p->of;
    try_stop(p);
    p->good = good ? p->good + 1 : 0;
    p->bad = good ? 0 : p->bad + 1;
    if (p->kind != PROBE_READINESS && p->bad >= p->allowed) {
        give_up(p);
        return;
    }
    bool over = p->kind != PROBE_LIVENESS && p->good >= p->needed;
    if (!over) {
        loop_timer_arm_us(p->timer, p->period_us);
        return;
    }
    probe_stop(p);
    if (p->kind == PROBE_STARTUP) started(ps);
    else ready(ps->job);
}

void probes_answered(struct job *j, uint32_t number, bool good)
{
    if (!j->probes || number >= PROBE_MAX || !j->probes->items[number].asked) return;
    probe_tried(&j->probes->items[number], good);
}

/* ---- those of a container ---- */

static const struct val *container_of(struct job *j, const struct val *tmpl)
{
    struct str name = j->part ? node_part_name(j->node, j->part) : node_container(j->node);
    const struct val *set = val_path(tmpl, "containerSet.containers"), *script = val_get(tmpl, STR("script"));
    if (j->part) return pod_part(tmpl, name);
    if (!set) return script ? script : val_get(tmpl, STR("container"));
    for (uint32_t i = 0; set->kind == VAL_LIST && i < set->n; i++)
        if (str_eq(val_get_str(&set->items[i], "name"), name)) return &set->items[i];
    return NULL;
}

static int64_t number(const struct val *map, const char *key, int64_t otherwise)
{
    const struct val *v = val_get(map, str_of(key));
    int64_t n = otherwise;
    if (v) str_to_i64(val_text(v), &n);
    return n > 0 ? MIN(n, INT32_MAX) : otherwise; /* what Kubernetes takes */
}

static void probe_read(struct probes *ps, enum probe_kind kind)
{
    struct probe *p = &ps->items[kind];
    const struct val *spec = val_get(ps->container, str_of(fields[kind]));
    *p = (struct probe){.of = ps, .kind = kind, .spec = spec, .fd = -1,
                        .delay_us = number(spec, "initialDelaySeconds", 0) * 1000000,
                        .period_us = number(spec, "periodSeconds", 10) * 1000000,
                        .timeout_us = number(spec, "timeoutSeconds", 1) * 1000000,
                        .needed = number(spec, "successThreshold", 1), .allowed = number(spec, "failureThreshold", 3)};
}

static bool has_any(const struct val *container)
{
    for (size_t k = 0; k < PROBE_MAX; k++)
        if (val_get(container, str_of(fields[k]))) return true;
    return false;
}

static struct probes *probes_new(struct job *j, const struct val *container)
{
    struct probes *ps = mem_zalloc(sizeof *ps);
    struct val *copy;
    ps->job = j;
    arena_init(&ps->arena);
    copy = ARENA_NEW(&ps->arena, struct val);
    *copy = val_copy(&ps->arena, container);
    ps->container = copy;
    for (size_t k = 0; k < PROBE_MAX; k++) probe_read(ps, (enum probe_kind)k);
    return ps;
}

/* It runs. */
void probes_begin(struct job *j)
{
    struct err ignored; /* it has been planned with the same */
    struct node *pod = j->live ? node_pod(j->node) : NULL;
    if (!pod || j->probes || j->killed || (j->part && !node_part_is_aside(pod, j->part))) return;
    bool may = node_may_be_probed(j->live->run, j->node);
    const struct val *tmpl = may ? node_pod_template(j->live->run, j->node, &ignored) : NULL;
    const struct val *container = tmpl ? container_of(j, tmpl) : NULL;
    if (!has_any(container)) {
        ready(j);
        return;
    }
    j->probes = probes_new(j, container);
    if (j->probes->items[PROBE_STARTUP].spec) probe_begin(&j->probes->items[PROBE_STARTUP]);
    else started(j->probes);
}
