/* Probes and lifecycle hooks of containers, as the kubelet asks them (pkg/kubelet/prober): startupProbe until it has succeeded, and only
 * then livenessProbe, for as long as the container runs, and readinessProbe, until the pod is ready: a daemon
 * that is ready once stays so, as in Argo. One that is not started, or not alive any more, is ended.
 *
 * A daemon is ready when all its containers are. Nothing is stored about any of this but that: an engine that
 * takes a container over asks anew.
 *
 * A postStart hook comes before all probes; a container whose hook fails is ended. A preStop hook comes before SIGTERM,
 * whoever sends that. Runs on: the loop thread. */
#include <signal.h>

#include "base/limits.h"
#include "os/clock.h"
#include "exec/probe_p.h"

static const char *const fields[PROBE_BEGUN] = {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle.postStart", "lifecycle.preStop"};
enum { MIN_GRACE_MS = 2000 /* after a hook, as of a kubelet */, EVER_MS = INT32_MAX };

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
    if (try_is_under_way(p)) { /* and too late, unless that is all */
        probe_tried(p, p->sleeps);
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

/* Those that wait for it may begin. */
static void part_started(struct job *j)
{
    struct active *l = j->live;
    struct node *pod = node_pod(j->node);
    struct outbox out;
    struct err e;
    if (!j->part || !node_part_is_awaited(pod, j->part)) return;
    if (!exec_begin(l->x, &e)) {
        exec_fail(l->x, &e);
        return;
    }
    run_part_started(l->run, pod, j->part, clock_now_us(), &out);
    if (!active_event(l, &out, &e)) exec_fail(l->x, &e);
    loop_again(l->x->o.loop);
}

/* With a readinessProbe it is ready when that says so. */
static void started(struct probes *ps)
{
    struct job *j = ps->job;
    ps->started = true;
    part_started(j);
    probe_begin(&ps->items[PROBE_LIVENESS]);
    probe_begin(&ps->items[PROBE_READINESS]);
    if (!ps->items[PROBE_READINESS].spec) ready(j);
}

static void probes_ask(struct probes *ps)
{
    if (ps->items[PROBE_STARTUP].spec) probe_begin(&ps->items[PROBE_STARTUP]);
    else started(ps);
}

/* ---- the end ---- */

static void terminate_now(struct probes *ps)
{
    struct job *j = ps->job;
    int64_t left_ms = (ps->end_us - clock_mono_us()) / 1000;
    if (j->lane) lane_kill(j->lane, SIGTERM, (uint32_t)MAX(left_ms, MIN_GRACE_MS));
    probes_free(j);
}

bool probes_are_ending(const struct job *j) { return j->probes && j->probes->ending; }

void job_terminate(struct job *j, uint32_t grace_ms)
{
    struct probes *ps = j->probes;
    if (!ps || !ps->items[PROBE_PRE_STOP].spec) {
        lane_kill(j->lane, SIGTERM, grace_ms);
        probes_free(j);
        return;
    }
    if (ps->ending) return;
    if (!grace_ms) grace_ms = j->grace_ms ? j->grace_ms : (uint32_t)config_int(j->x->o.config, CONFIG_GRACE) * 1000;
    for (size_t k = 0; k < PROBE_MAX; k++) probe_stop(&ps->items[k]);
    ps->ending = true;
    ps->items[PROBE_PRE_STOP].timeout_us = (int64_t)grace_ms * 1000;
    ps->end_us = clock_mono_us() + (int64_t)grace_ms * 1000;
    probe_begin(&ps->items[PROBE_PRE_STOP]);
}

/* Its own grace period, else that of the pod. */
static void give_up(struct probe *p)
{
    struct job *j = p->of->job;
    int64_t grace_s = 0;
    const struct val *grace = val_get(p->spec, STR("terminationGracePeriodSeconds"));
    if (grace) str_to_i64(val_text(grace), &grace_s);
    j->unhealthy = fields[p->kind];
    say(j->live, j->node, "a container is ended: its %s has failed %lld times", fields[p->kind], (long long)MAX(p->bad, 1));
    if (j->lane) job_terminate(j, (uint32_t)MIN(MAX(grace_s, 0), LIMIT_GRACE_S) * 1000);
}

/* Or nobody can know, which whatever is asked next will say. */
static void begun(struct probes *ps)
{
    struct job *j = ps->job;
    probes_free(j);
    j->started_us = clock_mono_us();
    if (j->told_started) probes_begin(j);
    else job_tell_started(j);
}

/* True: it was none of those that are asked again. */
static bool hook_tried(struct probe *p, bool good)
{
    struct probes *ps = p->of;
    if (p->kind == PROBE_PRE_STOP) return terminate_now(ps), true;
    if (p->kind == PROBE_BEGUN) return begun(ps), true;
    if (p->kind != PROBE_POST_START) return false;
    if (!good) return give_up(p), true;
    probe_stop(p);
    probes_ask(ps);
    return true;
}

void probe_tried(struct probe *p, bool good)
{
    struct probes *ps = p->of;
    try_stop(p);
    if (hook_tried(p, good)) return;
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
    const struct val *spec = val_path(ps->container, fields[kind]);
    bool hook = kind == PROBE_POST_START || kind == PROBE_PRE_STOP;
    *p = (struct probe){.of = ps, .kind = kind, .spec = spec, .fd = -1,
                        .delay_us = number(spec, "initialDelaySeconds", 0) * 1000000,
                        .period_us = number(spec, "periodSeconds", 10) * 1000000,
                        .timeout_us = (hook ? (int64_t)LIMIT_GRACE_S : number(spec, "timeoutSeconds", 1)) * 1000000,
                        .needed = number(spec, "successThreshold", 1), .allowed = number(spec, "failureThreshold", 3)};
}

static bool has_any(const struct val *container)
{
    for (size_t k = 0; k < ARRAY_LEN(fields); k++)
        if (val_path(container, fields[k])) return true;
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
    for (size_t k = 0; k < ARRAY_LEN(fields); k++) probe_read(ps, (enum probe_kind)k);
    const struct pod_network *net = pod_network_of(j->live, j->node);
    snprintf(ps->address, sizeof ps->address, "%s", net && net->address[0] ? net->address : "127.0.0.1");
    ps->name = container_name(&ps->arena, j);
    return ps;
}

/* NULL: nothing can be asked of it. */
static const struct val *container_to_ask(struct job *j)
{
    struct err ignored; /* it has been planned with the same */
    bool may = node_may_be_probed(j->live->run, j->node);
    const struct val *tmpl = may ? node_pod_template(j->live->run, j->node, &ignored) : NULL;
    return tmpl ? container_of(j, tmpl) : NULL;
}

bool job_has_post_start(struct job *j) { return val_path(container_to_ask(j), fields[PROBE_POST_START]) != NULL; }

/* It runs. */
void probes_begin(struct job *j)
{
    struct node *pod = j->live ? node_pod(j->node) : NULL;
    if (!pod || j->probes || j->killed || (j->part && !node_part_is_aside(pod, j->part))) return;
    const struct val *container = container_to_ask(j);
    if (!has_any(container)) {
        part_started(j);
        ready(j);
        return;
    }
    j->probes = probes_new(j, container);
    if (j->probes->items[PROBE_POST_START].spec) probe_begin(&j->probes->items[PROBE_POST_START]);
    else probes_ask(j->probes);
}

void job_await_begin(struct job *j)
{
    struct probes *ps = probes_new(j, &val_null);
    struct probe *p = &ps->items[PROBE_BEGUN];
    *p = (struct probe){.of = ps, .kind = PROBE_BEGUN, .spec = ps->container, .fd = -1, .timeout_us = (int64_t)EVER_MS * 1000};
    j->probes = ps;
    probe_begin(p);
}
