/* Runs one command as a step, for tests, for bench and for looking by hand:
 *
 *   step_try [--tier T] [--state DIR] [--id N] [--writable PATH] [--bind SRC:DST[:ro]] [--sub-path P] [--tmpfs PATH]
 *            [--input SRC:DST[:MODE[r]]] [--shared DIR] [--bytes N]
 *            [--file PATH=TEXT] [--apart PATH=TEXT] [--param NAME=PATH] [--artifact NAME=PATH] [--env N=V] [--mask TEXT]
 *            [--hide PATH] [--layer DIR] [--cwd DIR] [--uid N] [--net] [--pod-net NET|-] [--caps] [--capture] [--no-fsync]
 *            [--kill SIG:AFTER_MS:GRACE_MS] [--count N] [--detach] [--adopt] -- COMMAND...
 *
 * Prints what happened, one "key value" a line; exits 0 when a result came. --count repeats the step
 * with growing ids and prints microseconds per step. --detach exits as an engine that is killed right
 * after STARTED; --adopt asks what became of step --id. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "step/launcher.h"
#include "step/nets.h"
#include "step/past.h"

extern char **environ;

struct options {
    struct step_spec spec;
    struct str state;
    struct step_strs env, writable, masks, layers, hide;
    const char *pod_net;
    struct nets *nets;
    struct net net; /* of the next step; fd -1: none is taken */
    int kill_signo, kill_after_ms, kill_grace_ms;
    long count;
    bool detach, adopt, realtime;
    struct arena arena;
};

NORETURN static void die(const char *what)
{
    fprintf(stderr, "step_try: %s\n", what);
    exit(2);
}

static void add(struct arena *a, struct step_strs *l, const char *s)
{
    struct str *items = ARENA_ARRAY(a, struct str, l->n + 1);
    if (l->n) memcpy(items, l->items, l->n * sizeof *items);
    items[l->n] = str_of(s);
    l->items = items;
    l->n++;
}

#define GROW(a, list)                                                                              \
    do {                                                                                           \
        void *old_ = (list)->items;                                                                \
        (list)->items = arena_alloc((a), sizeof *(list)->items * ((list)->n + 1));                 \
        if ((list)->n) memcpy((list)->items, old_, sizeof *(list)->items * (list)->n);             \
        (list)->n++;                                                                               \
    } while (0)
#define LAST(list) (&(list)->items[(list)->n - 1])

static struct str z_str(struct arena *a, struct str s) { return str_dup(a, s); }

static void add_bind(struct options *o, const char *arg)
{
    struct str source, rest, target, mode;
    str_cut(str_of(arg), ':', &source, &rest);
    str_cut(rest, ':', &target, &mode);
    GROW(&o->arena, &o->spec.binds);
    *LAST(&o->spec.binds) = (struct step_bind){.source = z_str(&o->arena, source), .target = z_str(&o->arena, target), .read_only = str_is(mode, "ro")};
}

/* --shared and --bytes are about the last one, as --sub-path is about the last --bind. */
static void add_input(struct options *o, const char *arg)
{
    struct str source, rest, target, mode;
    str_cut(str_of(arg), ':', &source, &rest);
    str_cut(rest, ':', &target, &mode);
    GROW(&o->arena, &o->spec.inputs);
    *LAST(&o->spec.inputs) = (struct step_input){.source = z_str(&o->arena, source), .target = z_str(&o->arena, target), .bytes = 1, .mode = -1};
    if (!mode.n) return;
    LAST(&o->spec.inputs)->mode = strtol(str_z(&o->arena, mode), NULL, 8);
    LAST(&o->spec.inputs)->recurse = str_ends(mode, STR("r"));
}

static struct step_output output(struct arena *a, const char *arg)
{
    struct str name, path;
    if (!str_cut(str_of(arg), '=', &name, &path)) die("NAME=PATH expected");
    return (struct step_output){z_str(a, name), z_str(a, path), false};
}

static void add_file(struct options *o, const char *arg)
{
    struct step_output kv = output(&o->arena, arg);
    GROW(&o->arena, &o->spec.files);
    *LAST(&o->spec.files) = (struct step_file){.path = kv.name, .content = kv.path, .mode = 0755};
}

static void parse_kill(struct options *o, char *arg)
{
    o->kill_signo = (int)strtol(arg, &arg, 10);
    o->kill_after_ms = *arg ? (int)strtol(arg + 1, &arg, 10) : 0;
    o->kill_grace_ms = *arg ? (int)strtol(arg + 1, &arg, 10) : 1000;
}

static const struct option longs[] = {
    {"tier", 1, 0, 't'}, {"state", 1, 0, 's'}, {"id", 1, 0, 'i'}, {"writable", 1, 0, 'w'}, {"bind", 1, 0, 'b'},
    {"tmpfs", 1, 0, 'T'}, {"file", 1, 0, 'f'}, {"param", 1, 0, 'p'}, {"artifact", 1, 0, 'a'}, {"env", 1, 0, 'e'},
    {"mask", 1, 0, 'm'}, {"hide", 1, 0, 'h'}, {"layer", 1, 0, 'l'}, {"cwd", 1, 0, 'c'}, {"uid", 1, 0, 'u'},
    {"net", 0, 0, 'n'}, {"capture", 0, 0, 'C'}, {"no-fsync", 0, 0, 'F'}, {"kill", 1, 0, 'k'}, {"count", 1, 0, 'N'},
    {"detach", 0, 0, 'd'}, {"adopt", 0, 0, 'A'}, {"realtime", 0, 0, 'R'},
    {"input", 1, 0, 'I'}, {"shared", 1, 0, 'S'}, {"bytes", 1, 0, 'B'},
    {"pod-net", 1, 0, 'W'}, {"caps", 0, 0, 'G'}, {"sub-path", 1, 0, 'P'}, {"apart", 1, 0, 'x'}, {0}};

static bool parse_text(struct options *o, int c, char *arg)
{
    struct step_spec *s = &o->spec;
    switch (c) {
    case 's': o->state = str_of(arg); return true;
    case 'w': add(&o->arena, &o->writable, arg); return true;
    case 'b': add_bind(o, arg); return true;
    case 'P': LAST(&s->binds)->sub_path = str_of(arg); return true;
    case 'I': add_input(o, arg); return true;
    case 'S': LAST(&s->inputs)->shared = str_of(arg); return true;
    case 'B': LAST(&s->inputs)->bytes = strtoull(arg, NULL, 10); return true;
    case 'T': GROW(&o->arena, &s->tmpfs); LAST(&s->tmpfs)->path = str_of(arg); return true;
    case 'f': add_file(o, arg); return true;
    case 'x': add_file(o, arg); LAST(&s->files)->apart = true; return true;
    case 'p': GROW(&o->arena, &s->params); *LAST(&s->params) = output(&o->arena, arg); return true;
    case 'a': GROW(&o->arena, &s->artifacts); *LAST(&s->artifacts) = output(&o->arena, arg); return true;
    case 'e': add(&o->arena, &o->env, arg); return true;
    case 'm': add(&o->arena, &o->masks, arg); return true;
    case 'h': add(&o->arena, &o->hide, arg); return true;
    case 'l': add(&o->arena, &o->layers, arg); return true;
    case 'c': s->cwd = str_of(arg); return true;
    default: return false;
    }
}

static void parse(struct options *o, int argc, char **argv)
{
    struct step_spec *s = &o->spec;
    for (int c; (c = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
        if (parse_text(o, c, optarg)) continue;
        switch (c) {
        case 't': if (!step_tier_parse(str_of(optarg), &s->tier)) die("no such tier"); break;
        case 'i': s->id = strtoull(optarg, NULL, 10); break;
        case 'u': s->uid = s->gid = strtol(optarg, NULL, 10); break;
        case 'n': s->private_net = true; break;
        case 'G': s->capabilities = STEP_CAPABILITIES; break;
        case 'W': s->private_net = true; o->pod_net = optarg; break;
        case 'C': s->capture_result = true; break;
        case 'F': s->fsync_result = false; break;
        case 'k': parse_kill(o, optarg); break;
        case 'N': o->count = strtol(optarg, NULL, 10); break;
        case 'd': o->detach = true; break;
        case 'A': o->adopt = true; break;
        case 'R': o->realtime = true; break;
        default: die("bad option");
        }
    }
    for (int i = optind; i < argc; i++) add(&o->arena, &s->argv, argv[i]);
    if (!o->env.n) add(&o->arena, &o->env, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    s->env = o->env;
    s->writable = o->writable;
    s->masks = o->masks;
    s->layers = o->layers;
}

static void print_text(const char *key, struct str s)
{
    struct buf b;
    buf_init(&b, 16 << 20);
    buf_json(&b, s);
    printf("%s %s\n", key, b.p);
    buf_fini(&b);
}

static void print_result(const struct step_result *r)
{
    static const char *const ends[] = {"exit", "signal", "error", "lost"};
    static const char *const forms[] = {"missing", "file", "dir"};
    printf("end %s\nstatus %d\n", ends[r->end], step_result_status(r));
    if (str_set(r->error)) print_text("error", r->error);
    if (r->has_result) print_text("result", r->result);
    for (size_t i = 0; i < r->params.n; i++) {
        printf("param %s %s ", r->params.items[i].name.p, r->params.items[i].found ? "found" : "missing");
        print_text("=", str_set(r->params.items[i].error) ? r->params.items[i].error : r->params.items[i].value);
    }
    for (size_t i = 0; i < r->artifacts.n; i++) {
        const struct step_artifact_out *a = &r->artifacts.items[i];
        printf("artifact %s %s %s ", a->name.p, forms[a->form], a->moved ? "moved" : "copied");
        print_text("=", a->error);
    }
    printf("wall_us %lld\ncpu_us %llu\n", (long long)(r->finished_us - r->started_us),
           (unsigned long long)(r->rusage.user_us + r->rusage.system_us));
}

static void start_one(struct options *o, struct slot *slot)
{
    struct err e = {0};
    struct buf b;
    if (o->nets && o->net.fd < 0 && !nets_take(o->nets, &o->net, &e)) die(e.text);
    struct slot_start_opts opts = {.quiet = o->count > 0, .hold_fd = -1, .net_fd = o->net.fd};
    o->spec.address = str_of(o->net.address);
    buf_init(&b, LIMIT_STEP_SPEC_BYTES);
    if (!step_spec_encode(&o->spec, &b, &e) || !slot_start(slot, &o->spec, buf_view(&b), &opts, &e)) die(e.text);
    if (o->net.fd >= 0) close(o->net.fd);
    o->net.fd = -1;
    buf_fini(&b);
}

/* Waits for the next event; with `kill`, that is sent when nothing came for kill_after_ms. */
static void next_event(struct options *o, struct slot *slot, struct arena *a, struct slot_event *ev, bool kill_it)
{
    struct err e = {0};
    for (;;) {
        slot_read(slot, a, ev);
        if (ev->kind != SLOT_NOTHING) return;
        struct pollfd p = {.fd = slot_fd(slot), .events = POLLIN};
        if (poll(&p, 1, kill_it ? o->kill_after_ms : -1) == 0) {
            if (!slot_kill(slot, o->kill_signo, (uint32_t)o->kill_grace_ms, &e)) die(e.text);
            kill_it = false;
        }
    }
}

/* -1, or the user namespace for slots. */
static int open_nets(struct options *o, struct launcher *l)
{
    uint64_t id;
    struct err e = {0};
    struct subnet s;
    bool devices = o->pod_net && strcmp(o->pod_net, "-") != 0;
    o->net.fd = -1;
    if (!o->pod_net) return -1;
    if (devices && !subnet_parse(str_of(o->pod_net), &s, &e)) die(e.text);
    if (!(o->nets = nets_open(l, devices ? &s : NULL, &e)) || !nets_take(o->nets, &o->net, &e)) die(e.text);
    return net_user_ns(o->net.fd, &id);
}

static void follow(struct options *o, struct slot *slot, bool print)
{
    struct arena a;
    struct slot_event ev;
    arena_init(&a);
    do {
        next_event(o, slot, &a, &ev, o->kill_signo != 0);
        if (ev.kind == SLOT_STARTED && print) {
            printf("started %d\n", ev.pid);
            fflush(stdout);
            if (o->detach) raise(SIGKILL);
        }
    } while (ev.kind == SLOT_STARTED);
    if (ev.kind == SLOT_EXITED) printf("end gone\n");
    else if (print) print_result(&ev.result);
    else if (ev.result.end != STEP_END_EXIT) die(ev.result.error.p ? ev.result.error.p : "signal");
    arena_fini(&a);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void repeat(struct options *o, struct slot *slot)
{
    start_one(o, slot); /* the first waits for the sandbox */
    follow(o, slot, false);
    int64_t t0 = now_us();
    for (long i = 0; i < o->count; i++) {
        o->spec.id++;
        start_one(o, slot);
        follow(o, slot, false);
    }
    printf("us_per_step %.1f\n", (double)(now_us() - t0) / (double)o->count);
}

static int adopt(struct options *o)
{
    struct err e = {0};
    struct slot *slot;
    struct step_result r;
    enum adopt_outcome got;
    struct past *past = past_open(o->state, &e);
    if (!past) die(e.text);
    while ((got = past_find(past, &o->arena, o->spec.id, &slot, &r, &e)) == ADOPT_BUSY) {
        poll(NULL, 0, 2); /* the supervisor has not noticed yet that its engine is gone */
        past_refresh(past);
    }
    static const char *const names[] = {"running", "finished", "lost", "never", "busy", "failed"};
    printf("adopt %s\n", names[got]);
    fflush(stdout);
    if (got == ADOPT_FINISHED) print_result(&r);
    if (got == ADOPT_FAILED) die(e.text);
    if (got == ADOPT_RUNNING) {
        follow(o, slot, true);
        slot_close(slot);
    }
    past_close(past);
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    static struct options o = {.state = {"/tmp/step_try", 13}};
    arena_init(&o.arena);
    step_spec_init(&o.spec);
    o.spec.id = 1;
    o.spec.tier = STEP_TIER_OVERLAY;
    parse(&o, argc, argv);
    if (o.adopt) return adopt(&o);
    if (!o.spec.argv.n) die("no command");
    struct launcher *l = launcher_start(argc, argv, &e);
    if (!l) die(e.text);
    int user_ns = open_nets(&o, l);
    struct slot_config c = {.state_dir = o.state, .plain = o.spec.tier == STEP_TIER_NONE, .masked = o.hide,
                            .realtime = o.realtime};
    struct slot *slot = slot_open(l, &c, user_ns, &e);
    if (!slot) die(e.text);
    if (o.count) {
        repeat(&o, slot);
    } else {
        start_one(&o, slot);
        follow(&o, slot, true);
    }
    slot_close(slot);
    nets_close(o.nets);
    launcher_stop(l);
    arena_fini(&o.arena);
    return 0;
}
