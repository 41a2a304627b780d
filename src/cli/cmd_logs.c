/* skiff logs */
#include "base/rfc3339.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/select.h"
#include "cli/steplog.h"
#include "cli/wf.h"
#include "os/clock.h"

#include <signal.h>

static const struct flag flags[] = {
    {"follow", 'f', FLAG_BOOL, NULL, "also what is written from now on, until the run ends"},
    {"container", 'c', FLAG_STR, "NAME", "of this container (default: main)"},
    {"tail", 0, FLAG_INT, "N", "the last N lines of each step (-1: all)"},
    {"grep", 0, FLAG_STR, "REGEX", "only lines that match"},
    {"since", 0, FLAG_STR, "AGE", "only lines of the last 10m, 3h, …"},
    {"since-time", 0, FLAG_STR, "TIME", "only lines after this RFC 3339 time"},
    {"timestamps", 0, FLAG_BOOL, NULL, "the time in front of each line"},
    {"selector", 'l', FLAG_STR, "LABEL=VALUE,…", "of the pods of the run with these labels; without NAME of every run with them"},
    {"all-namespaces", 'A', FLAG_BOOL, NULL, "with -l and without NAME: of every namespace"},
    {"previous", 'p', FLAG_BOOL, NULL, "of the steps that `retry` has run again"},
};

/* Before 1970 is everything; after 2262 is nothing yet. */
static int64_t ns_of(int64_t us) { return us <= 0 ? 0 : us > INT64_MAX / 1000 ? INT64_MAX : us * 1000; }

static bool since_read(const struct cli *cli, struct steplog_opts *o, struct err *e)
{
    const char *age = args_str(&cli->args, "since"), *time = args_str(&cli->args, "since-time");
    int64_t us;
    if (age && time) return err_set(e, ERR_USAGE, "--since and --since-time exclude each other");
    if (age) {
        if (!human_parse(str_of(age), &us)) return err_set(e, ERR_USAGE, "--since is a duration such as 10m, not '%s'", age);
        o->since_ns = ns_of(clock_now_us() - us);
    }
    if (time) {
        if (!rfc3339_parse(str_of(time), &us)) return err_set(e, ERR_USAGE, "--since-time is an RFC 3339 time, not '%s'", time);
        o->since_ns = ns_of(us);
    }
    return true;
}

/* With -l one word is the name of a run, as in argo, or a step of all that -l selects. */
static bool names_run(struct cli *cli)
{
    const struct args *g = &cli->args;
    struct workflow_ref ref;
    struct err absent;
    if (!args_has(g, "selector") || g->n_words != 1) return g->n_words > 0;
    struct service *s = reader_open(cli, &absent);
    bool is = s && workflow_ref_whole(cli, s, g->words[0], &ref, &absent);
    service_close(s);
    return is;
}

static bool refs_read(struct cli *cli, struct service *s, bool named, struct workflow_ref **refs, size_t *n, struct err *e)
{
    if (named) {
        *refs = ARENA_NEW(&cli->a, struct workflow_ref);
        *n = 1;
        return workflow_ref(cli, s, cli->args.words[0], *refs, e);
    }
    struct list_opts o;
    struct val items;
    if (!select_read(cli, &o, e) || !service_list(&cli->a, s, &o, &items, e)) return false;
    *refs = ARENA_ARRAY(&cli->a, struct workflow_ref, items.n);
    *n = items.n;
    for (uint32_t i = 0; i < items.n; i++)
        (*refs)[i] = (struct workflow_ref){wf_namespace(&items.items[i]), wf_name(&items.items[i])};
    return true;
}

/* --- following --- */

enum { LOOK_US = 50000 }; /* from a change to the look at what it brings: many come at once */

struct tailing {
    struct service *service;
    struct steplog *log;
    struct loop_timer *look;
    struct loop_signal *interrupt, *terminate;
    int signo;
    bool failed;
    struct err e;
};

static void changed(void *user, const struct val *change)
{
    struct tailing *t = user;
    steplog_note(t->log, change);
    if (!loop_timer_armed(t->look)) loop_timer_arm_us(t->look, LOOK_US);
}

static void look(void *user)
{
    struct tailing *t = user;
    struct err ignored = {0}; /* tried again with the next change */
    steplog_refresh(t->log, &ignored);
}

static void ended(void *user, const struct err *e)
{
    struct tailing *t = user;
    t->failed = e != NULL;
    if (e) t->e = *e;
    loop_stop(service_loop(t->service));
}

static void detach(struct tailing *t, int signo)
{
    t->signo = signo;
    loop_stop(service_loop(t->service));
}
static void on_int(void *user) { detach(user, SIGINT); }
static void on_term(void *user) { detach(user, SIGTERM); }

static bool tail_follow(struct cli *cli, struct service *s, const struct workflow_ref *refs, size_t n,
                        const struct steplog_opts *o, struct err *e)
{
    struct tailing t = {.service = s};
    struct follow f = {.refs = refs, .n = n, .from_start = true, .on_change = changed, .on_done = ended, .user = &t};
    t.log = steplog_follow(cli, s, refs, n, o, e);
    t.look = loop_timer_new(service_loop(s), look, &t);
    bool ok = t.log && (t.interrupt = loop_signal_new(service_loop(s), SIGINT, on_int, &t, e)) &&
              (t.terminate = loop_signal_new(service_loop(s), SIGTERM, on_term, &t, e)) && service_follow(s, &f, e);
    if (ok) {
        loop_run(service_loop(s));
        if (!t.signo && !t.failed) steplog_drain(t.log);
        if (t.signo) service_unfollow(s);
        if (t.signo) cli->exit_status = 128 + t.signo;
    }
    loop_signal_free(t.interrupt);
    loop_signal_free(t.terminate);
    loop_timer_free(t.look);
    steplog_free(t.log);
    if (ok && t.failed) *e = t.e;
    return ok && !t.failed;
}

static bool logs_run(struct cli *cli, struct err *e)
{
    const struct args *g = &cli->args;
    struct workflow_ref *refs;
    size_t n;
    bool follow = args_on(g, "follow"), select = args_has(g, "selector"), named = names_run(cli);
    size_t names = named ? 1 : 0; /* words before STEP */
    struct steplog_opts o = {
        .pod = str_of(g->n_words > names ? g->words[names] : NULL),
        .container = str_of(args_str(g, "container")),
        .selector = str_of(named ? args_str(g, "selector") : NULL),
        .grep = str_of(args_str(g, "grep")),
        .tail = args_int(g, "tail", -1),
        .timestamps = args_on(g, "timestamps"),
        .previous = args_on(g, "previous"),
        .style = cli->style,
        .fd = cli->env->out_fd,
    };
    if (g->n_words == 0 && !select) return err_set(e, ERR_USAGE, "'logs' needs a run: skiff logs @latest");
    if (!since_read(cli, &o, e)) return false;
    bool ended = false;
    if (follow && named && !runs_ended(cli, g->words, 1, &ended, e)) return false;
    follow = follow && !ended && !o.previous;
    struct service *s = follow ? writer_open(cli, false, false, e) : reader_open(cli, e);
    if (!s) return false;
    bool ok = refs_read(cli, s, named, &refs, &n, e) &&
              (follow && n ? tail_follow(cli, s, refs, n, &o, e) : steplog_print(cli, s, refs, n, &o, e));
    service_close(s);
    return ok;
}

const struct cmd cmd_logs = {
    .name = "logs",
    .group = "LOOK",
    .usage = "NAME [STEP] [-l LABELS] | -l LABELS [STEP]",
    .summary = "show what the steps of a run printed",
    .details = "Lines of all steps are merged in the order of time; STEP is a pod name, a step's name or a node id.",
    .examples = "  skiff logs @latest\n  skiff logs train-x7k2p -f\n  skiff logs @latest fit --tail 20\n"
                "  skiff logs -l team=vision --grep 'loss=' --since 1h",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .max_words = 2,
    .word = WORD_WORKFLOW,
    .run = logs_run,
};
