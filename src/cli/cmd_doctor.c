/* skiff doctor: what this host allows, what is wrong with the state directory, and what to do about it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli_p.h"
#include "cli/cmds.h"
#include "cli/text.h"
#include "container/container.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/proc.h"
#include "service/upkeep.h"

enum health { GOOD, POOR, BAD, MENDED };

struct checkup {
    struct cli *cli;
    struct buf out;
    bool json, root;
    size_t n, bad;
};

/* fix: a command or a change; NULL when there is nothing to do. */
static void report(struct checkup *c, enum health h, const char *name, struct str detail, const char *fix)
{
    static const struct { const char *word, *phase; } rows[] = {
        [GOOD] = {"ok", "Succeeded"}, [POOR] = {"warning", "Pending"}, [BAD] = {"failed", "Failed"},
                    [MENDED] = {"repaired", "Succeeded"}};
    const struct style *s = &c->cli->style;
    struct buf *b = &c->out;
    c->bad += h == BAD;
    if (c->json) {
        buf_printf(b, "%s{\"check\":\"%s\",\"status\":\"%s\",\"detail\":", c->n++ ? ",\n " : "[", name, rows[h].word);
        buf_json(b, detail);
        buf_str(b, STR(",\"fix\":"));
        if (h == GOOD || h == MENDED || !fix) buf_str(b, STR("null}"));
        else buf_json(b, str_of(fix)), buf_char(b, '}');
        return;
    }
    const struct icon *i = icon_of(str_of(rows[h].phase));
    style_put(b, s, i->role, str_of(h == POOR ? style_pick(s, "⚠", "warning") : style_pick(s, i->symbol, rows[h].word)));
    buf_printf(b, " %s: %.*s%s\n", name, STR_ARG(detail), h == MENDED ? " (repaired)" : "");
    if (h != GOOD && h != MENDED && fix) buf_printf(b, "    %s %s\n", style_pick(s, "→", "fix:"), fix);
}

#define DETAIL(c, ...) str_fmt(&(c)->cli->a, __VA_ARGS__)

static void kernel_check(struct checkup *c)
{
    struct utsname u;
    int major = 0, minor = 0;
    if (uname(&u) != 0) return;
    bool parsed = sscanf(u.release, "%d.%d", &major, &minor) == 2;
    bool ok = parsed && (major > 5 || (major == 5 && minor >= 10));
    report(c, ok ? GOOD : BAD, "kernel", DETAIL(c, "%s %s on %s", u.sysname, u.release, u.machine), "Linux 5.10 or later");
}

/* Optional ones say so in the table. Without root steps get read-only views: no overlay is needed. */
static enum health cap_health(const struct host_caps *caps, enum host_cap id)
{
    if (caps->has[id]) return GOOD;
    bool optional = strstr(host_cap_what(id), "(optional)") || (id == HOST_CAP_OVERLAY && !caps->root);
    return optional || !host_caps_sandbox(caps) ? POOR : BAD;
}

static void caps_check(struct checkup *c)
{
    struct host_caps caps;
    host_caps_probe(&caps);
    c->root = caps.root;
    report(c, GOOD, "machine",
           DETAIL(c, "%u processors, %llu MiB memory, %s", caps.cpus, (unsigned long long)(caps.ram_bytes >> 20),
                  caps.root ? "root" : "not root"), NULL);
    for (int i = 0; i < HOST_CAP_MAX; i++) {
        enum host_cap id = (enum host_cap)i;
        if (caps.root && id == HOST_CAP_USER_NS) continue;
        struct str detail = caps.has[i] ? str_of(host_cap_what(id))
                                        : DETAIL(c, "%s: %s", host_cap_what(id), strerror(caps.error[i]));
        bool rootless_overlay = id == HOST_CAP_OVERLAY && !caps.root;
        report(c, cap_health(&caps, id), host_cap_name(id), detail,
               rootless_overlay ? "nothing for steps on the host's files, which they see read-only; steps in images need Linux 5.11 or later and the overlay module"
                                : host_cap_remedy(id));
    }
    bool sandbox = host_caps_sandbox(&caps);
    report(c, sandbox ? GOOD : POOR, "isolation",
           str_of(sandbox ? "steps run isolated" : "steps can only run as plain processes (--runtime none)"),
           "allow user namespaces (above), or run as root");
}

/* By trying, as the first limited step would; what that makes goes again. */
static void groups_check(struct checkup *c)
{
    struct cgroups g;
    struct str name = DETAIL(c, "skiff-doctor-%d", (int)getpid()), missing = STR_NONE;
    cgroups_open(&c->cli->a, name.p, &g);
    for (int k = 0; k < CGROUP_KINDS; k++) {
        const char *kind = cgroup_kind_name((enum cgroup_kind)k);
        if (g.of[k].dir.p) rmdir(g.of[k].dir.p);
        else missing = DETAIL(c, "%.*s%s%s (%.*s)", STR_ARG(missing), missing.p ? ", " : "", kind, STR_ARG(g.of[k].why));
    }
    report(c, missing.p ? POOR : GOOD, "control groups",
           missing.p ? DETAIL(c, "limits of steps are not applied: %.*s", STR_ARG(missing)) : STR("limits of steps are applied: cpu, memory, pids"),
           c->root ? "mount cgroup2 at " CGROUP_TOP ", or run outside of a container that keeps it read-only"
                   : "in a group of your own: systemd-run --user --scope skiff run ...; or as root");
}

/* The median of five small writes that reach the disk. */
static void fsync_check(struct checkup *c, const char *dir)
{
    const char *path = DETAIL(c, "%s/.doctor-%d", dir, (int)getpid()).p;
    int64_t times[5] = {0};
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        report(c, BAD, "state directory", DETAIL(c, "'%s' is not writable", dir), DETAIL(c, "chown -R $(id -u) '%s'", dir).p);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t start = clock_mono_us();
        bool ok = write(fd, "skiff", 5) == 5 && fdatasync(fd) == 0;
        times[i] = ok ? clock_mono_us() - start : INT64_MAX;
        for (size_t k = i; k > 0 && times[k] < times[k - 1]; k--) {
            int64_t t = times[k];
            times[k] = times[k - 1], times[k - 1] = t;
        }
    }
    close(fd);
    unlink(path);
    int64_t median = times[2];
    bool full = median == INT64_MAX;
    report(c, full ? BAD : median > 50000 ? POOR : GOOD, "fsync",
           full ? STR("writing fails") : DETAIL(c, "%lld.%03lld ms", (long long)(median / 1000), (long long)(median % 1000)),
           "put the state directory on a local disk: skiff --state DIR");
}

static void disk_check(struct checkup *c, const char *dir)
{
    struct statvfs v;
    if (statvfs(dir, &v) != 0) return;
    unsigned long long free_mib = (unsigned long long)v.f_bavail * v.f_frsize >> 20;
    report(c, free_mib < 100 ? BAD : free_mib < 2048 ? POOR : GOOD, "disk", DETAIL(c, "%llu MiB free in %s", free_mib, dir),
           "remove finished workflows: skiff delete --older 7d");
    bool few = v.f_files > 0 && v.f_favail < 10000;
    report(c, few ? POOR : GOOD, "inodes",
           v.f_files ? DETAIL(c, "%llu free", (unsigned long long)v.f_favail) : STR("not limited"),
           "remove finished workflows: skiff delete --older 7d");
}

/* The directory, or the one above it in which it would be made. */
static struct str nearest(struct checkup *c, struct str dir)
{
    struct stat st;
    while (stat(dir.p, &st) != 0 && errno == ENOENT && dir.n > 1) {
        size_t n = dir.n;
        while (n > 1 && dir.p[n - 1] != '/') n--;
        dir = str_dup(&c->cli->a, str_sub(dir, 0, n > 1 ? n - 1 : 1));
    }
    return dir;
}

/* A missing state directory is made by the first run: the place for it is what counts. */
static void state_check(struct checkup *c)
{
    struct str dir;
    struct err e = {0};
    struct stat st;
    if (!config_state_dir(&c->cli->a, &c->cli->config, &c->cli->world, &dir, &e)) {
        report(c, BAD, "state directory", str_of(e.text), "set HOME or use --state DIR");
        return;
    }
    struct str there = nearest(c, dir);
    if (access(there.p, W_OK | X_OK) != 0) {
        report(c, BAD, "state directory", DETAIL(c, "%.*s: %s", STR_ARG(there), strerror(errno)),
               "use another place: skiff --state DIR, or SKIFF_STATE");
        return;
    }
    bool missing = !str_eq(there, dir), open_to_all = !missing && stat(dir.p, &st) == 0 && (st.st_mode & 022);
    report(c, open_to_all ? BAD : GOOD, "state directory",
           DETAIL(c, "%.*s%s", STR_ARG(dir), missing ? " is made by the first run" : open_to_all ? " is writable by others" : ""),
           DETAIL(c, "chmod go-w '%.*s'", STR_ARG(dir)).p);
    fsync_check(c, there.p);
    disk_check(c, there.p);
}

static void on_finding(void *user, const struct upkeep_finding *f)
{
    static const enum health of[] = {[UPKEEP_GOOD] = GOOD, [UPKEEP_MENDED] = MENDED, [UPKEEP_POOR] = POOR, [UPKEEP_BAD] = BAD};
    report(user, of[f->health], f->check, f->detail, f->mends ? "skiff doctor --fix" : f->fix);
}

/* Of a directory that is there; what is in it, too. */
static void content_check(struct checkup *c)
{
    struct str dir;
    struct err e = {0};
    bool fix = args_on(&c->cli->args, "fix") || args_on(&c->cli->args, "repair");
    if (!config_state_dir(&c->cli->a, &c->cli->config, &c->cli->world, &dir, &e)) return; /* state_check says it */
    struct upkeep *u = upkeep_open(&c->cli->config, dir, fix, &e);
    if (u) upkeep_check(u, on_finding, c);
    else if (e.code != ERR_NOT_FOUND) report(c, BAD, "state", str_of(e.text), NULL);
    upkeep_close(u);
}

static void limits_check(struct checkup *c)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0)
        report(c, r.rlim_max < 1024 ? BAD : r.rlim_max < 4096 ? POOR : GOOD, "open files",
               DETAIL(c, "%llu (at most %llu)", (unsigned long long)r.rlim_cur, (unsigned long long)r.rlim_max),
               "ulimit -Hn 65536 (as root), or LimitNOFILE= in the unit");
    if (getrlimit(RLIMIT_NPROC, &r) == 0)
        report(c, r.rlim_cur < 256 ? POOR : GOOD, "processes",
               r.rlim_cur == RLIM_INFINITY ? STR("not limited") : DETAIL(c, "at most %llu", (unsigned long long)r.rlim_cur),
               "ulimit -u 4096");
    report(c, clock_now_us() < 1700000000000000 ? BAD : GOOD, "clock",
           clock_now_us() < 1700000000000000 ? STR("far in the past") : STR("plausible"), "set it: timedatectl set-ntp true");
}

/* Most runs need none. */
static void container_check(struct checkup *c)
{
    struct arena *a = &c->cli->a;
    struct str socket, engine;
    struct err e = {0};
    bool wanted = config_is(&c->cli->config, CONFIG_RUNTIME, "container");
    bool there = config_container_socket(a, &c->cli->config, &c->cli->world, &socket, &e);
    if (there && container_engine(a, socket.p, &engine, &e)) {
        report(c, GOOD, "containers", DETAIL(c, "%.*s at %.*s", STR_ARG(engine), STR_ARG(socket)), NULL);
        return;
    }
    bool absent = !there && e.code == ERR_NOT_FOUND;
    report(c, wanted ? BAD : absent ? GOOD : POOR, "containers",
           absent && !wanted ? STR("neither Docker nor Podman listens (only --runtime=container needs one)") : str_of(e.text),
           "podman system service --time=0, or systemctl start docker; its socket: container.socket or DOCKER_HOST");
}

/* What private networks reach, and what they leave behind. */
static void network_check(struct checkup *c)
{
    bool private = config_is(&c->cli->config, CONFIG_NETWORK, "private"), root = geteuid() == 0;
    bool there = access("/sys/class/net/skiff0", F_OK) == 0;
    struct str calls = STR_NONE;
    bool filtered = private && root && file_read(&c->cli->a, "/proc/sys/net/bridge/bridge-nf-call-iptables", 100, &calls, NULL) && str_is(str_trim(calls), "1");
    const char *kind = !private ? "pods are on this machine's network" : root ? "pods have addresses; they reach one another and this machine, nothing beyond"
                                                                            : "pods have only a loopback device";
    report(c, filtered ? POOR : GOOD, "network",
           DETAIL(c, "%s%s%s", kind, there ? "; bridge skiff0 is there, without steps `ip link delete skiff0` removes it" : "",
                  filtered ? "; the firewall judges what they say to one another" : ""),
           "let the firewall forward between ports of skiff0: iptables -I FORWARD -i skiff0 -o skiff0 -j ACCEPT");
}

static bool doctor_run(struct cli *cli, struct err *e)
{
    const char *o = args_str(&cli->args, "output");
    struct checkup c = {.cli = cli, .json = o && strcmp(o, "json") == 0};
    buf_init(&c.out, LIMIT_VALUE_BYTES);
    kernel_check(&c);
    caps_check(&c);
    groups_check(&c);
    container_check(&c);
    content_check(&c); /* first: what it repairs is no fault any more */
    state_check(&c);
    network_check(&c);
    limits_check(&c);
    if (c.json) buf_str(&c.out, STR("]\n"));
    cli_out(cli, buf_view(&c.out));
    buf_fini(&c.out);
    cli->exit_status = c.bad ? 1 : 0;
    return true;
}

static const struct flag flags[] = {
    {"fix", 0, FLAG_BOOL, NULL, "repair what can be repaired in the state directory"},
    {"repair", 0, FLAG_BOOL, NULL, NULL},
    {"output", 'o', FLAG_STR, "json|table", "form of the output"},
};

const struct cmd cmd_doctor = {
    .name = "doctor",
    .where = WHERE_HERE,
    .group = "MACHINE",
    .usage = "[--fix] [-o json]",
    .summary = "check the machine and the state directory, and say what to change",
    .details = "What can be repaired are permissions, rows and files that belong to nothing, keys of artifacts whose content is gone,\n"
               "and names of images that are not whole. Without --fix nothing is changed; with it nothing that is in use. A damaged\n"
               "database is reported and left alone.\n\n"
               "The exit status is 1 when something that runs need is missing, or broken and not repaired; else 0.",
    .examples = "  skiff doctor\n  skiff doctor -o json | jq '.[] | select(.status != \"ok\")'",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .run = doctor_run,
};
