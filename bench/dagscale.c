/* The engine on a large DAG, with steps that end as soon as they are started: no process, no store.
 *
 *   dagscale TASKS      three dependencies a task, layers of 1,000
 *
 * Prints one line: tasks, microseconds a task, bytes of the engine a node (strings excluded), seconds
 * of the whole run. Building the document is not counted, and neither is what a hypervisor needs to
 * find memory for a guest that touches it for the first time (a second and more a GiB, on and off). */
#include <sys/mman.h>
#include <time.h>

#include "base/vec.h"
#include "engine/engine.h"

enum { WIDTH = 1000, EDGES = 3, TOUCHED = 2048 /* bytes a task, more than the engine takes */ };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct str task_name(struct arena *a, size_t i)
{
    return str_fmt(a, "t%zu", i);
}

static struct val task(struct arena *a, size_t i)
{
    struct val_builder b, needs;
    map_begin(&b, a);
    map_add_str(&b, "name", task_name(a, i));
    map_add_str(&b, "template", STR("work"));
    if (i >= WIDTH) {
        size_t layer = i / WIDTH - 1;
        list_begin(&needs, a);
        for (size_t k = 0; k < EDGES; k++) list_add(&needs, val_of_str(task_name(a, layer * WIDTH + (i + k) % WIDTH)));
        map_add(&b, STR("dependencies"), list_done(&needs));
    }
    return map_done(&b);
}

static struct val map_of(struct arena *a, const char *key, struct val v)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add(&b, str_of(key), v);
    return map_done(&b);
}

static struct val template_work(struct arena *a)
{
    struct val_builder b, c, words;
    list_begin(&words, a);
    list_add(&words, val_of_str(STR("/bin/true")));
    map_begin(&c, a);
    map_add_str(&c, "image", STR("busybox"));
    map_add(&c, STR("command"), list_done(&words));
    map_begin(&b, a);
    map_add_str(&b, "name", STR("work"));
    map_add(&b, STR("container"), map_done(&c));
    return map_done(&b);
}

static struct val template_main(struct arena *a, size_t tasks)
{
    struct val_builder b, list;
    list_begin(&list, a);
    for (size_t i = 0; i < tasks; i++) list_add(&list, task(a, i));
    map_begin(&b, a);
    map_add_str(&b, "name", STR("main"));
    map_add(&b, STR("dag"), map_of(a, "tasks", list_done(&list)));
    return map_done(&b);
}

static struct val workflow(struct arena *a, size_t tasks)
{
    struct val_builder wf, meta, spec, templates;
    map_begin(&meta, a);
    map_add_str(&meta, "name", STR("scale"));
    map_add_str(&meta, "namespace", STR("default"));
    map_add_str(&meta, "uid", STR("00000000-0000-4000-8000-000000000001"));
    map_add_str(&meta, "creationTimestamp", STR("2024-01-01T00:00:00Z"));
    list_begin(&templates, a);
    list_add(&templates, template_main(a, tasks));
    list_add(&templates, template_work(a));
    map_begin(&spec, a);
    map_add_str(&spec, "entrypoint", STR("main"));
    map_add(&spec, STR("templates"), list_done(&templates));
    map_begin(&wf, a);
    map_add_str(&wf, "apiVersion", STR("argoproj.io/v1alpha1"));
    map_add_str(&wf, "kind", STR("Workflow"));
    map_add(&wf, STR("metadata"), map_done(&meta));
    map_add(&wf, STR("spec"), map_done(&spec));
    return map_done(&wf);
}

struct queue {
    VEC(struct node *) nodes;
    size_t head;
};

static void take(struct queue *q, const struct outbox *out)
{
    for (size_t i = 0; i < out->n_actions; i++)
        if (out->actions[i].kind == ACTION_START) VEC_PUSH(&q->nodes, out->actions[i].node);
}

/* Runs to the end; false when the workflow did not succeed. */
static bool drive(struct run *r)
{
    const struct step_outcome well = {.phase = NODE_SUCCEEDED};
    const int64_t now_us = 1704067200000000;
    struct queue q = {0};
    struct outbox out;
    enum node_phase phase;
    run_start(r, now_us, &out);
    take(&q, &out);
    while (q.head < q.nodes.n) {
        struct node *n = q.nodes.items[q.head++];
        run_step_started(r, n, now_us, &out);
        run_step_done(r, n, &well, now_us, &out);
        take(&q, &out);
    }
    VEC_FINI(&q.nodes);
    return run_is_done(r) && run_phase(r, &phase) && phase == NODE_SUCCEEDED;
}

static const struct val *no_documents(void *ctx, struct str kind, struct str ns, struct str name)
{
    return NULL;
}

/* Has the machine find memory, and gives it back to the kernel, which clears and hands it out again. */
static void touch(size_t n)
{
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    madvise(p, n, MADV_HUGEPAGE);
    for (size_t i = 0; i < n; i += 4096) *(volatile char *)(p + i) = 1;
    munmap(p, n);
}

int main(int argc, char **argv)
{
    int64_t tasks;
    struct arena a;
    struct err e;
    if (argc != 2 || !str_to_i64(str_of(argv[1]), &tasks) || tasks < 1) {
        fprintf(stderr, "usage: dagscale TASKS\n");
        return 2;
    }
    arena_init(&a);
    struct val wf = workflow(&a, (size_t)tasks);
    struct run_opts opts = {.workflow = &wf, .lookup = no_documents, .seed = 1};
    touch((size_t)tasks * TOUCHED);
    double start = seconds_now();
    struct run *r = run_new(&opts, &e);
    if (!r) {
        fprintf(stderr, "dagscale: %s\n", e.text);
        return 1;
    }
    bool ok = drive(r);
    double took = seconds_now() - start;
    printf("%lld %.3f %.0f %.3f\n", (long long)tasks, took * 1e6 / (double)tasks,
           (double)run_memory_bytes(r) / (double)run_node_count(r), took);
    run_free(r);
    arena_fini(&a);
    if (!ok) fprintf(stderr, "dagscale: the workflow did not succeed\n");
    return ok ? 0 : 1;
}
