"""Parts of the bench that run real steps: many, against container runtimes, in a chain, one from cold."""
import json
import os
import shutil
import subprocess

import gen
import measure

SPAWNS = 10  # runs of a container runtime in one sample


def steps(b):
    """1,000 steps, independent and layered, in each tier, against make, ninja and the floor. make, ninja and the
    floor get a job for each processor, which is where they are fastest; skiff gets no hint."""
    count = 200 if b.quick else 1000
    for shape in ("independent", "layered"):
        file = b.write(shape + ".yaml", gen.dag(shape, count))
        make, ninja = b.write(shape + ".mk", gen.makefile(shape, count)), b.write(shape + ".ninja", gen.ninjafile(shape, count))
        every = {"make": lambda make=make: measure.measure(["make", "-s", "-j%d" % b.cores, "-f", make], b.dir),
                 "ninja": lambda ninja=ninja: measure.measure(["ninja", "--quiet", "-j%d" % b.cores, "-f", ninja], b.dir)}
        work = ["--workers", str(b.cores), "--count", str(count), "--shape", shape, "--", "/bin/true"]
        for user in b.users():
            for runtime, tier in (("none", "plain"), ("ro", "ro"), ("overlay", "overlay")):
                if user == "rootless" and tier == "overlay":
                    continue  # the kernel refuses an overlay over the host's root in a user namespace
                every["skiff %s %s" % (tier, user)] = b.skiff(user, "steps-" + tier, file, runtime)
                every["floor %s %s" % (tier, user)] = b.floor(user, tier, *work)
        r = measure.interleave(every, b.rounds)
        print("  %d %s steps, per step" % (count, shape))
        b.times(r, count)
        for user in b.users():
            rows_of_steps(b, shape, user, r)


def rows_of_steps(b, shape, user, r):
    what = "%s, %s: " % (shape, user)
    plain = r["skiff plain " + user]
    b.ratio(what + "plain / make -j%d" % b.cores, plain, r["make"], 1.10)
    b.ratio(what + "plain / ninja", plain, r["ninja"], 0.65)
    b.ratio(what + "ro / own plain", r["skiff ro " + user], plain, 2.0)
    b.ratio(what + "ro / floor", r["skiff ro " + user], r["floor ro " + user], 1.3)
    if user == "root":
        overlay = r["skiff overlay root"]
        b.ratio(what + "overlay / own plain", overlay, plain, 3.0)
        b.ratio(what + "overlay / floor", overlay, r["floor overlay root"], 1.3)
        b.ratio(what + "overlay / unsandboxed ninja", overlay, r["ninja"], 1.25)


# ---- container runtimes ----

def bundle(b):
    """An OCI bundle with the host's /usr; returns the directory and the configuration without mounts of ours."""
    root = b.path("bundle", "rootfs")
    for name in ("usr", "etc", "proc", "dev", "sys", "tmp", "srv"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if os.path.islink("/" + name) and not os.path.islink(os.path.join(root, name)):
            os.symlink("usr/" + name, os.path.join(root, name))
    return b.path("bundle")


def write_spec(b, directory, runtime):
    """The runtime's own default configuration, without a terminal, with the host's /usr and network."""
    path = os.path.join(directory, "config.json")
    if os.path.exists(path):
        os.unlink(path)
    subprocess.run([runtime, "spec"], cwd=directory, check=True, capture_output=True)
    with open(path) as f:
        spec = json.load(f)
    spec["process"].update(args=["/srv/noop"], terminal=False)
    spec["root"] = {"path": "rootfs", "readonly": True}
    spec["mounts"] += [{"destination": d, "type": "bind", "source": d, "options": ["rbind", "ro"]} for d in ("/usr", "/etc")]
    spec["mounts"].append({"destination": "/srv", "type": "bind", "source": b.programs(), "options": ["rbind", "ro"]})
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] not in ("network", "cgroup")]
    spec["mounts"] = [m for m in spec["mounts"] if m["type"] != "cgroup"]
    with open(path, "w") as f:
        json.dump(spec, f)


PODMAN = (["--cgroups=disabled"],  # crun, the default runtime, without what a step of ours has not either
          ["--runtime=runc", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"])  # where limits cannot be raised


UNIFIED = "/sys/fs/cgroup/unified"  # crun refuses both versions side by side, so it does not see this one


def podman(b, root):
    """`podman run` over an overlay, in the first of these forms that works here."""
    forms = [["run", "--rm", "--network=host", *form, "-v", b.programs() + ":/srv:ro", "--rootfs", root + ":O", "/srv/noop"]
             for form in PODMAN]
    works = [f for f in forms if shutil.which("podman") and
             subprocess.run(["podman", *f], capture_output=True, timeout=60).returncode == 0]
    return (works or forms)[0]


def peer_commands(b):
    directory, root = bundle(b), b.path("bundle", "rootfs")
    peers = {
        "bwrap": ("bwrap", ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--ro-bind", b.programs(),
                            "/srv", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "/srv/noop"]),
        "crun": ("crun", ["--cgroup-manager=disabled", "--root", b.path("crun"), "run", "--bundle", directory, "bench"]),
        "runc": ("runc", ["--root", b.path("runc"), "run", "--bundle", directory, "bench"]),
        "podman": ("podman", podman(b, root)),
    }
    for name, (program, words) in peers.items():
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        yield name, [path] + words if path else None, directory


def peers(b):
    """Container runtimes by name, each as a function that has it run a few containers that do nothing."""
    for name, command, directory in peer_commands(b):
        def run(name=name, command=command, directory=directory):
            if not command:
                raise measure.Broken("not installed")
            if name in ("crun", "runc"):
                write_spec(b, directory, command[0])
            watched = [b.bin["floor"], "--tier", "plain", "--workers", "1", "--count", str(SPAWNS), "--"]
            if name == "crun" and b.root and os.path.ismount(UNIFIED):
                watched = ["unshare", "-m", "sh", "-c", 'umount "$0" && exec "$@"', UNIFIED] + watched
            return measure.measure(watched + command, b.dir, timeout=60)
        yield name, run


def rows_of_peers(b, results, rows, own):
    """`rows`: (peer, how many times faster we must be, tier); `own`: seconds of one step of ours, by tier."""
    for name, least, tier in rows:
        work = "one sandboxed step (%s), times faster than %s" % (tier, name)
        if not results[name].ok():
            b.absent(work, results[name].why)
            continue
        each = results[name].wall() / SPAWNS
        print("    %-28s %8.0f µs" % (name, each * 1e6))
        b.row(work, "≥ %d" % least, "%.1f" % (each / own[tier]), each / own[tier] >= least)


def runtimes(b):
    """One sandboxed step of ours against one run of a container runtime, one after the other. bwrap, crun and
    runc get a read-only root here, as tier ro has; podman an overlay, and is compared with both. What is run does
    nothing, so that it is the sandboxes that are compared."""
    count = 20 if b.quick else 100
    user = b.users()[0]
    every, mount = {}, (b.programs(), "/srv")
    for tier in ("ro", "overlay"):
        every["skiff " + tier] = b.skiff(user, "one-by-one-" + tier, b.write("by-one.yaml", gen.dag("chain", count, ["/srv/noop"], mount)), tier)
        every["start " + tier] = b.skiff(user, "one-by-one-" + tier, b.write("one-noop.yaml", gen.single(["/srv/noop"], mount)), tier)
    every.update(peers(b))
    r = measure.interleave(every, b.rounds)
    own = {}
    for tier in ("ro", "overlay"):
        if not r["skiff " + tier].ok() or not r["start " + tier].ok():
            b.absent("one sandboxed step", r["skiff " + tier].why or r["start " + tier].why)
            return
        own[tier] = (r["skiff " + tier].wall() - r["start " + tier].wall()) / (count - 1)
        print("    %-28s %8.0f µs" % ("skiff, a step of a chain, " + tier, own[tier] * 1e6))
    rows_of_peers(b, r, (("bwrap", 4, "ro"), ("crun", 8, "ro"), ("runc", 25, "ro"), ("podman", 250, "ro"), ("podman", 20, "overlay")), own)


# ---- chain, cold ----

def with_hogs(b, run):
    """Two endless loops a core beside the command."""
    hogs = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(2 * b.cores)]
    try:
        return run()._replace(cpu=None)  # the hogs' time is in it
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()


def chain(b):
    """A chain of 300 steps, idle and with two hogs a core."""
    count = 50 if b.quick else 300
    file = b.write("chain.yaml", gen.dag("chain", count))
    every = {}
    for user in b.users():
        run = b.skiff(user, "chain", file)
        every["idle " + user] = run
        every["hogs " + user] = lambda run=run: with_hogs(b, run)
    r = measure.interleave(every, b.rounds)
    b.times(r, count)
    for user in b.users():
        b.ratio("chain of %d, %s: with hogs / idle" % (count, user), r["hogs " + user], r["idle " + user],
                1.6 if user == "root" else None)


def cold(b):
    """`skiff run` of one step, its start included; and its memory."""
    user = b.users()[0]
    file = b.write("one.yaml", gen.single())
    command = [b.bin["skiff"], "run", file, "--state", b.state(user, "cold"), "-o", "name"]
    watched = [b.bin["floor"], "--rss", "--workers", "1", "--count", "1", "--"]
    r = measure.interleave({
        "skiff run": lambda: measure.measure(b.as_user(user, watched + command), b.dir, b.env(user)),
        "the step itself": lambda: measure.measure(b.as_user(user, watched + ["/bin/true"]), b.dir, b.env(user)),
    }, max(b.rounds, 5))
    b.times(r, 1)
    if not r["skiff run"].ok():
        b.absent("skiff run of one step from cold", r["skiff run"].why)
        return
    over = (r["skiff run"].wall() - r["the step itself"].wall()) * 1e3
    rss = max(int(s.out.split()[-1]) for s in r["skiff run"].samples) / 1024
    b.row("skiff run of one step from cold, over the step itself", "≤ 25 ms", "%.1f ms" % over, over <= 25)
    b.row("the same: greatest resident set", "≤ 20 MB", "%.1f MB" % rss, rss <= 20)
