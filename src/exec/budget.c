/* What steps ask for of this machine: processors and memory within the configured budget, and devices (GPUs), each
 * given to one pod at a time.
 *
 * A pod takes all that it asks for before its first container starts, and has it until it is over, whatever of it
 * runs. Who must wait stands in a list, first in, first out: a small one does not pass a large one that came first,
 * which would else wait for ever. Which devices a pod has is stored before it may start, so that it has the same
 * ones after a crash. A step that asks for more than there is at all is an error at once: no other machine will come.
 * Runs on: the loop thread. */
#include "os/clock.h"
#include "os/fd.h"
#include "exec/exec_p.h"

enum { DEVICES_MAX = 64 };

/* Of one pod. */
struct share {
    struct budget *b;
    struct pod_needs needs;
    uint64_t devices[POD_RESOURCES]; /* bit i: number i */
    uint32_t pod;    /* index of its node */
    uint32_t n_jobs; /* that have not ended */
    bool over;       /* no more will come */
};

struct budget {
    struct pod_needs all, left; /* of what is limited; `left` may be negative after a restart with less */
    bool limited[POD_RESOURCES];
    uint64_t free[POD_RESOURCES]; /* devices, as above */
};

/* ---- opening ---- */

static bool quantity_of(struct exec *x, enum config_id id, enum pod_resource r, int64_t machine, struct err *e)
{
    struct budget *b = x->budget;
    struct str text = config_str(x->o.config, id);
    int64_t n = machine;
    if (!text.n) return true;
    if (!str_is(text, "auto") && (!pod_quantity(r, text, &n) || n == 0))
        return err_set(e, ERR_USAGE, "'%.*s' is not an amount of %s: a quantity such as %s, or auto", STR_ARG(text),
                       pod_resource_name(r), r == POD_CPU ? "4" : "12Gi");
    b->limited[r] = true;
    b->all.of[r] = n;
    return true;
}

/* Those with a device file; of AMD's, cards for displays included. */
static uint64_t devices_found(enum pod_resource r)
{
    static const struct { const char *sign, *file; int first; } rows[] = {
        [POD_NVIDIA] = {"/dev/nvidiactl", "/dev/nvidia%d", 0}, [POD_AMD] = {"/dev/kfd", "/dev/dri/renderD%d", 128}};
    uint64_t found = 0;
    char path[64];
    if (!file_exists(rows[r].sign)) return 0; /* the driver's own: nearly always the only question */
    for (int i = 0; i < DEVICES_MAX; i++) {
        snprintf(path, sizeof path, rows[r].file, rows[r].first + i);
        if (file_exists(path)) found |= 1ull << i;
    }
    return found;
}

bool budget_open(struct exec *x, struct err *e)
{
    struct budget *b = x->budget = mem_zalloc(sizeof *b);
    struct str text = config_str(x->o.config, CONFIG_GPUS);
    int64_t gpus = -1;
    if (text.n && (!str_to_i64(text, &gpus) || gpus < 0 || gpus > DEVICES_MAX))
        return err_set(e, ERR_USAGE, "gpus is a number from 0 to %d, not '%.*s'", DEVICES_MAX, STR_ARG(text));
    if (!quantity_of(x, CONFIG_CPUS, POD_CPU, (int64_t)x->cpus * 1000, e) ||
        !quantity_of(x, CONFIG_MEMORY, POD_MEMORY, (int64_t)x->ram_bytes, e))
        return false;
    for (enum pod_resource r = POD_DEVICES; r < POD_RESOURCES; r++) {
        b->limited[r] = true;
        b->free[r] = gpus < 0 ? devices_found(r) : gpus == DEVICES_MAX ? UINT64_MAX : (1ull << gpus) - 1;
        b->all.of[r] = __builtin_popcountll(b->free[r]);
    }
    b->left = b->all;
    return true;
}

void budget_close(struct exec *x) { free(x->budget); }

/* ---- shares ---- */

static struct str key_of(const uint32_t *pod) { return str_n((const char *)pod, sizeof *pod); }

static struct share *share_of(const struct active *l, struct node *n)
{
    uint32_t pod = node_index(node_pod(n));
    return l->shares.n ? map_ptr(&l->shares, key_of(&pod)) : NULL;
}

static void share_enter(struct share *h, struct job *j)
{
    h->n_jobs++;
    j->share = h;
}

static struct share *share_new(struct job *j)
{
    struct share *h = mem_zalloc(sizeof *h);
    *h = (struct share){.b = j->x->budget, .needs = j->needs, .pod = node_index(node_pod(j->node))};
    for (int r = 0; r < POD_RESOURCES; r++) h->b->left.of[r] -= h->needs.of[r];
    map_set_ptr(&j->live->shares, key_of(&h->pod), h);
    share_enter(h, j);
    return h;
}

static void share_free(struct share *h)
{
    for (int r = 0; r < POD_RESOURCES; r++) {
        h->b->left.of[r] += h->needs.of[r];
        h->b->free[r] |= h->devices[r];
    }
    free(h);
}

static void share_end(struct active *l, struct share *h)
{
    map_del(&l->shares, key_of(&h->pod));
    share_free(h);
}

void budget_leave(struct job *j)
{
    struct share *h = j->share;
    if (!h) return;
    j->share = NULL;
    h->n_jobs--;
    if (h->over && !h->n_jobs) share_free(h);
}

void budget_settle(struct active *l, struct node *n)
{
    struct share *h = share_of(l, n);
    if (h && !h->n_jobs && phase_fulfilled(node_phase(node_pod(n)))) share_end(l, h);
}

void budget_drop(struct active *l, struct node *n)
{
    struct share *h = share_of(l, n);
    if (h && !h->n_jobs) share_end(l, h);
}

/* Steps of a run that is over have theirs until they have ended. */
void budget_run_over(struct active *l)
{
    for (struct map_slot *s = NULL; (s = map_next(&l->shares, s));) {
        struct share *h = s->ptr;
        h->over = true;
        if (!h->n_jobs) share_free(h);
    }
    map_fini(&l->shares);
    l->shares = (struct map){0};
}

/* ---- what a pod asks for ---- */

static bool needs_read(struct job *j, struct err *e)
{
    struct run *r = j->live->run;
    const struct val *tmpl = node_pod_template(r, j->node, e);
    j->needs = (struct pod_needs){0};
    if (!tmpl || !pod_needs(tmpl, run_pod_resources(r, tmpl), &j->needs, e)) return false;
    for (int i = 0; i < POD_RESOURCES; i++)
        if (!j->x->budget->limited[i]) j->needs.of[i] = 0;
    return true;
}

static bool asks_for_nothing(const struct pod_needs *n)
{
    for (int r = 0; r < POD_RESOURCES; r++)
        if (n->of[r]) return false;
    return true;
}

/* "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory." in Kubernetes' words; absent: it fits. */
static struct str lacking(struct arena *a, const struct pod_needs *needs, const struct pod_needs *have)
{
    struct str s = STR_NONE;
    for (enum pod_resource r = 0; r < POD_RESOURCES; r++)
        if (needs->of[r] > MAX(have->of[r], 0))
            s = str_fmt(a, "%.*s%s1 Insufficient %s", STR_ARG(s), s.n ? ", " : "Unschedulable: 0/1 nodes are available: ", pod_resource_name(r));
    return s.n ? str_fmt(a, "%.*s.", STR_ARG(s)) : STR_NONE;
}

static struct str amount(struct arena *a, enum pod_resource r, int64_t n)
{
    if (r == POD_CPU && n % 1000) return str_fmt(a, "%lldm", (long long)n);
    if (r == POD_MEMORY && n % (1 << 20) == 0) return str_fmt(a, "%lldMi", (long long)(n >> 20));
    return str_fmt(a, "%lld", (long long)(r == POD_CPU ? n / 1000 : n));
}

static bool possible(struct exec *x, const struct pod_needs *needs, struct err *e)
{
    static const char *const settings[POD_RESOURCES] = {[POD_CPU] = "cpus", [POD_MEMORY] = "memory", [POD_NVIDIA] = "gpus", [POD_AMD] = "gpus"};
    const struct pod_needs *all = &x->budget->all;
    struct str why = lacking(&x->scratch, needs, all);
    if (!why.p) return true;
    for (enum pod_resource r = 0; r < POD_RESOURCES; r++)
        if (needs->of[r] > all->of[r])
            why = str_fmt(&x->scratch, "%.*s It asks for %.*s of %s; this machine has %.*s (setting `%s`).", STR_ARG(why),
                          STR_ARG(amount(&x->scratch, r, needs->of[r])), pod_resource_name(r),
                          STR_ARG(amount(&x->scratch, r, all->of[r])), settings[r]);
    return err_set(e, ERR_LIMIT, "%.*s", STR_ARG(why));
}

/* ---- devices ---- */

static struct str devices_key(struct arena *a, const struct share *h, enum pod_resource r)
{
    return str_fmt(a, "devices/%u/%s", h->pod, pod_resource_name(r));
}

/* The lowest that are free; stored in the open transaction. */
static bool devices_take(struct job *j, struct share *h, struct err *e)
{
    struct exec *x = j->x;
    for (enum pod_resource r = POD_DEVICES; r < POD_RESOURCES; r++) {
        if (!h->needs.of[r]) continue;
        for (int64_t i = 0; i < h->needs.of[r]; i++) {
            uint64_t one = h->b->free[r] & -h->b->free[r];
            h->devices[r] |= one;
            h->b->free[r] &= ~one;
        }
        struct str bits = str_fmt(&x->scratch, "%llx", (unsigned long long)h->devices[r]);
        if (!exec_begin(x, e) || !store_value_put(x->store, j->live->id, devices_key(&x->scratch, h, r), bits, e)) return false;
    }
    return true;
}

/* The same as before the crash. */
static void devices_again(struct job *j, struct share *h)
{
    struct exec *x = j->x;
    struct str bits;
    for (enum pod_resource r = POD_DEVICES; r < POD_RESOURCES; r++) {
        if (!h->needs.of[r]) continue;
        if (!store_value_get(&x->scratch, x->store, j->live->id, devices_key(&x->scratch, h, r), &bits, NULL)) continue;
        h->devices[r] = strtoull(str_z(&x->scratch, bits), NULL, 16);
        h->b->free[r] &= ~h->devices[r];
    }
}

static bool has_devices(const struct share *h)
{
    for (enum pod_resource r = POD_DEVICES; h && r < POD_RESOURCES; r++)
        if (h->needs.of[r]) return true;
    return false;
}

static struct str numbers(struct arena *a, uint64_t devices, uint32_t first, uint32_t n)
{
    struct str s = STR("");
    for (int i = 0; i < DEVICES_MAX && n; i++) {
        if (!(devices >> i & 1) || (first && first--)) continue;
        s = str_fmt(a, "%.*s%s%d", STR_ARG(s), s.n ? "," : "", i);
        n--;
    }
    return s;
}

bool budget_devices(struct job *j, struct str out[POD_RESOURCES], struct err *e)
{
    struct exec *x = j->x;
    bool has = has_devices(j->share);
    const struct val *tmpl = has ? node_pod_template(j->live->run, j->node, e) : NULL;
    struct str name = j->part ? node_part_name(j->node, j->part) : node_container(j->node);
    if (has && !tmpl) return false;
    for (enum pod_resource r = POD_DEVICES; r < POD_RESOURCES; r++) {
        uint32_t first = 0, n = has ? pod_devices(tmpl, name.p ? name : STR("main"), r, &first) : 0;
        if (n) out[r] = numbers(&x->scratch, j->share->devices[r], first, n);
        else if (x->budget->all.of[r] && !x->plain) out[r] = STR(""); /* a plain process sees what its user sees */
    }
    return true;
}

/* ---- waiting ---- */

static bool admits(struct job *j)
{
    if (j->share || !j->live || !node_may_ask(j->live->run, j->node)) return true;
    struct share *h = share_of(j->live, j->node);
    if (h) share_enter(h, j);
    return h || (needs_read(j, NULL) && asks_for_nothing(&j->needs));
}

/* With devices it begins once it is stored which. */
struct job_list *budget_list(struct job *j)
{
    struct exec *x = j->x;
    if (!admits(j)) return &x->hungry;
    if (x->dirty && has_devices(j->share)) return &x->promised;
    return j->aside ? &x->asides : &x->queue;
}

void budget_adopt(struct job *j)
{
    if (!admits(j) && needs_read(j, NULL)) devices_again(j, share_new(j));
}

/* From the last one back to where it was said already. */
static void tell_waiting(struct exec *x)
{
    for (struct job *j = x->hungry.last; j && !j->told_waiting && !x->failed; j = j->prev) {
        struct str why = lacking(&x->scratch, &j->needs, &x->budget->left);
        job_waits(j, why.n ? why : STR("Unschedulable: others that came before it wait for what they ask for."));
    }
}

/* It begins when its turn for a slot comes. So do the other containers of its pod: behind others they would wait for what
 * their own pod has. */
static void admit(struct job *first)
{
    struct exec *x = first->x;
    const struct active *l = first->live;
    struct node *pod = node_pod(first->node);
    bool several = node_parts(pod) || node_has_containers(pod);
    struct err e;
    job_list_leave(first);
    if (!devices_take(first, share_new(first), &e)) exec_fail(x, &e);
    job_list_push(budget_list(first), first);
    for (struct job *j = several ? x->hungry.first : NULL, *next; j; j = next) {
        next = j->next;
        if (j->live != l || node_pod(j->node) != pod) continue;
        job_list_leave(j);
        job_list_push(budget_list(j), j);
    }
}

void budget_serve(struct exec *x)
{
    struct job *j;
    struct err e;
    while (!x->failed && (j = x->hungry.first)) {
        if (asks_for_nothing(&j->needs) ? !needs_read(j, &e) : !possible(x, &j->needs, &e)) {
            job_list_leave(j);
            job_failed(j, e.text);
        } else if (!lacking(&x->scratch, &j->needs, &x->budget->left).p) {
            admit(j);
        } else {
            break;
        }
    }
    tell_waiting(x);
    arena_reset(&x->scratch);
}

void budget_committed(struct exec *x)
{
    struct job *j;
    while ((j = job_list_pop(&x->promised))) job_list_push(j->aside ? &x->asides : &x->queue, j);
}
