/* Steps in containers (--runtime=container): what a plan becomes, and what their ends mean. The work is done by
 * skiff-container, a plain process under the step's supervisor (container/container.h).
 *
 * Whether a step is one of a container stands in its directory (the mark), so that an engine with another runtime can
 * take it over. Runs on: the loop thread. */
#include "container/container.h"

#include <unistd.h>

#include "exec/exec_p.h"
#include "os/fd.h"
#include "os/proc.h"
#include "pod/container.h"

struct containers {
    struct str socket, program;
    struct step_strs env; /* of skiff-container */
};

/* Of this environment it gets what leads to credentials, and to the programs that keep them. */
static struct step_strs own_env(struct arena *a)
{
    static const char *const names[] = {"PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"};
    struct step_strs out = {ARENA_ARRAY(a, struct str, ARRAY_LEN(names)), 0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value) out.items[out.n++] = str_fmt(a, "%s=%s", names[i], value);
    }
    return out;
}

static const char *env_get(const char *name) { return getenv(name); }

bool containers_open(struct exec *x, struct err *e)
{
    struct config_world world = {.getenv = env_get};
    struct containers *c = ARENA_NEW(&x->arena, struct containers);
    struct str engine;
    char *program = proc_program("skiff-container");
    if (!program)
        return err_set(e, ERR_UNSUPPORTED, "--runtime=container needs 'skiff-container', which lies neither beside the program nor in "
                       "../libexec/skiff");
    c->program = str_dup(&x->arena, str_of(program));
    free(program);
    c->env = own_env(&x->arena);
    if (!config_container_socket(&x->arena, x->o.config, &world, &c->socket, e) || !container_engine(&x->scratch, c->socket.p, &engine, e))
        return err_ctx(e, "--runtime=container");
    x->notice = str_fmt(&x->arena, "steps run in containers of %.*s at %.*s", STR_ARG(engine), STR_ARG(c->socket));
    arena_reset(&x->scratch);
    x->containers = c;
    return true;
}

/* The same for each try of one container of one pod: an engine has no two of one name. */
struct str container_name(struct arena *a, const struct job *j)
{
    struct str uid = run_uid(j->live->run), part = node_part_name(j->node, j->part);
    return str_fmt(a, "skiff-%.*s-%u%s%.*s", STR_ARG(uid), node_index(j->node), part.n ? "-" : "", STR_ARG(part));
}

bool container_plan(struct job *j, const struct pod_input *in, struct pod_plan *plan, struct err *e)
{
    struct exec *x = j->x;
    const struct containers *c = x->containers;
    const struct val *daemon = val_get(in->tmpl, STR("daemon"));
    struct pod_container how = {
        .program = c->program,
        .env = c->env,
        .socket = c->socket,
        .network = config_str(x->o.config, CONFIG_CONTAINER_NETWORK),
        .platform = config_str(x->o.config, CONFIG_IMAGE_PLATFORM),
        .auth_file = config_str(x->o.config, CONFIG_IMAGE_AUTH),
        .name = container_name(&x->scratch, j),
        .work_dir = step_work_path(&x->scratch, x->o.state_dir, (uint64_t)j->id),
        .run = run_uid(j->live->run),
        .node = in->node_id,
        .pod_dir = in->pod_dir,
        .pod_name = in->pod_name,
        .several = in->pod_dir.n || (daemon && daemon->kind == VAL_BOOL && daemon->b),
        .collect = in->collect,
        .max_processes = x->max_processes,
    };
    return pod_container(&x->scratch, plan, &how, e);
}

/* ---- one that is there ---- */

bool container_is(struct exec *x, int64_t step)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str dir = step_work_path(&a, x->o.state_dir, (uint64_t)step);
    return file_exists(str_fmt(&a, "%.*s/" POD_CONTAINER_MARK, STR_ARG(dir)).p);
}

struct step_strs container_probe_words(struct exec *x, struct str name, struct step_strs words)
{
    if (!x->containers) return words;
    const struct str head[] = {x->containers->program, STR("probe"), x->containers->socket, name};
    struct step_strs out = {ARENA_ARRAY(&x->scratch, struct str, ARRAY_LEN(head) + words.n), ARRAY_LEN(head) + words.n};
    memcpy(out.items, head, sizeof head);
    if (words.n) memcpy(out.items + ARRAY_LEN(head), words.items, words.n * sizeof *words.items);
    return out;
}

struct step_strs container_begun_words(const struct job *j)
{
    struct arena *a = &j->x->scratch;
    struct str dir = step_work_path(a, j->x->o.state_dir, (uint64_t)j->id);
    struct step_strs out = {ARENA_ARRAY(a, struct str, 3), 3};
    out.items[0] = j->x->containers->program;
    out.items[1] = STR("begun");
    out.items[2] = str_fmt(a, "%.*s/" POD_CONTAINER_BEGUN, STR_ARG(dir));
    return out;
}

/* What the process used is not what the container used, which nobody has counted. */
void container_result(const struct job *j, struct step_result *r)
{
    struct exec *x = j->x;
    struct container_end end;
    struct str dir = step_work_path(&x->scratch, x->o.state_dir, (uint64_t)j->id);
    if (!x->containers && !j->old) return;
    bool unfinished = r->end == STEP_END_SIGNAL && !r->killed && container_is(x, j->id);
    container_end_read(&x->scratch, dir.p, &end);
    if (x->containers) r->rusage = (struct step_rusage){0};
    if (unfinished) end.error = STR("the process that watched the container was killed");
    if (end.error.n) {
        r->end = STEP_END_ERROR;
        r->error = end.error;
    } else if (end.oom) {
        r->end = STEP_END_SIGNAL;
        r->signo = SIGKILL;
    }
}
