/* Opening the service and the small reads that several commands share. */
#include "cli/session.h"

#include "cli/background.h"
#include "cli/wf.h"

static struct service *open_with(struct cli *cli, struct service_opts o, struct err *e)
{
    const char *home = getenv("HOME");
    o.config = &cli->config;
    o.host_home = str_of(home && *home ? home : NULL);
    o.server = cli->server;
    if (!o.server && !config_state_dir(&cli->a, &cli->config, &cli->world, &o.state_dir, e)) return NULL;
    return service_open(&o, e);
}

struct service *reader_open(struct cli *cli, struct err *e)
{
    return open_with(cli, (struct service_opts){.read_only = true}, e);
}

static struct service *steps_open(struct cli *cli, struct service_opts o, struct err *e)
{
    cli->lost->stay = true;
    o.serve = cli->env->serve;
    o.unserve = cli->env->unserve;
    return open_with(cli, o, e);
}

struct service *writer_open(struct cli *cli, bool steps, bool resume, struct err *e)
{
    struct service_opts o = {.launcher = steps ? cli->env->steps : NULL, .resume = resume, .start_engine = steps ? background_start : NULL, .user = cli};
    return steps_open(cli, o, e);
}

struct service *leaver_open(struct cli *cli, struct err *e)
{
    return steps_open(cli, (struct service_opts){.start_engine = background_start, .user = cli}, e);
}

struct service *background_open(struct cli *cli, struct err *e)
{
    return steps_open(cli, (struct service_opts){.launcher = cli->env->steps, .resume = true, .yields = true}, e);
}

struct service *server_open(struct cli *cli, struct err *e)
{
    return steps_open(cli, (struct service_opts){.launcher = cli->env->steps, .schedules = true}, e);
}

struct service *changer_open(struct cli *cli, struct err *e)
{
    return steps_open(cli, (struct service_opts){.idle = true, .start_engine = background_start, .user = cli}, e);
}

void changer_note(struct cli *cli, struct service *s, const struct workflow_ref *ref)
{
    struct err ignored = {0};
    struct str phase;
    bool ended = true;
    if (!service_is_engine(s) || !service_phase(&cli->a, s, ref, &phase, &ended, &ignored) || ended) return;
    cli_note(cli, "no engine is at work on it: skiff run --resume %.*s", STR_ARG(ref->name));
}

bool workflow_ref(struct cli *cli, struct service *s, const char *name, struct workflow_ref *out, struct err *e)
{
    return service_find(&cli->a, s, cli_namespace(cli), str_of(name), out, e);
}

bool workflow_ref_whole(struct cli *cli, struct service *s, const char *name, struct workflow_ref *out, struct err *e)
{
    struct workflow_ref by_uid;
    struct err absent;
    if (!workflow_ref(cli, s, name, out, e)) return false;
    if (name[0] == '@' || str_is(out->name, name)) return true;
    if (service_find_uid(&cli->a, s, str_of(name), &by_uid, &absent)) return true;
    return err_set(e, ERR_NOT_FOUND, "no workflow '%s'; %s takes whole names, did you mean '%.*s'?", name, cli->args.cmd->name,
                   STR_ARG(out->name));
}

bool workflow_read(struct cli *cli, struct service *s, const char *name, struct val *out, struct err *e)
{
    struct workflow_ref ref;
    return workflow_ref(cli, s, name, &ref, e) && service_get(&cli->a, s, ref.ns, ref.name, out, e);
}

bool outcome_status(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n, int *status,
                    struct err *e)
{
    *status = 0;
    for (size_t i = 0; i < n; i++) {
        struct str phase;
        bool ended;
        if (!service_phase(&cli->a, s, &refs[i], &phase, &ended, e)) return false;
        if (!str_is(phase, "Succeeded")) *status = err_exit_status(ERR_WORKFLOW);
    }
    return true;
}

bool runs_ended(struct cli *cli, const char *const *names, size_t n, bool *ended, struct err *e)
{
    struct service *s = reader_open(cli, e);
    bool ok = s != NULL;
    *ended = true;
    for (size_t i = 0; i < n && ok && *ended; i++) {
        struct workflow_ref ref;
        struct str phase;
        ok = workflow_ref(cli, s, names[i], &ref, e) && service_phase(&cli->a, s, &ref, &phase, ended, e);
    }
    service_close(s);
    return ok;
}
