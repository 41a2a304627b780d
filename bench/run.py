#!/usr/bin/env python3
"""Measures Skiff against floors and peers, everything in turn in one run, and prints the table.

    bench/run.py [--quick] [--only PART]... [--rounds N] [--build DIR]

Every figure that is compared was taken in this run, interleaved with what it is compared with: only
ratios mean something, and on a busy machine even they swing. Exit status: 0, also when a bound was
missed; 1 when nothing could be measured.
"""
import argparse
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import measure  # noqa: E402
import parts_image  # noqa: E402
import parts_lang  # noqa: E402
import parts_load  # noqa: E402
import parts_scale  # noqa: E402
import parts_server  # noqa: E402
import parts_steps  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARTS = {"steps": parts_steps.steps, "runtimes": parts_steps.runtimes, "chain": parts_steps.chain,
         "cold": parts_steps.cold, "artifact": parts_scale.artifact, "yaml": parts_scale.yaml,
         "dag": parts_scale.dag, "sleepers": parts_scale.sleepers, "adoption": parts_scale.adoption,
         "lang": parts_lang.lang, "image": parts_image.steps_in_image,
         "unpack": parts_image.unpack, "server": parts_server.server, "load": parts_load.load}


class Bench:
    """Where things are, how large they are, and the rows so far."""

    def __init__(self, args):
        self.rounds = args.rounds or (1 if args.quick else 5)
        self.quick, self.cores, self.root = args.quick, os.cpu_count(), os.geteuid() == 0
        self.rows, self.measured, self.settings = [], 0, {}
        self.dir = tempfile.mkdtemp(prefix="skiff-bench-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.bin = {}
        for name in ("skiff", "bench/floor", "bench/dagscale", "bench/yamlfloor", "bench/noop", "bench/when", "bench/langspeed", "bench/httpload"):
            path = os.path.join(args.build, name)
            if os.path.exists(path):
                self.bin[os.path.basename(name)] = shutil.copy(path, os.path.join(self.dir, os.path.basename(name)))
        if self.root:  # the other user must be able to write its state
            os.mkdir(self.path("nobody"))
            os.chown(self.path("nobody"), measure.NOBODY, measure.NOBODY)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def programs(self):
        """A directory with what steps of the bench run, to be mounted in them."""
        directory = self.path("programs")
        os.makedirs(directory, exist_ok=True)
        for name in ("noop", "when"):
            shutil.copy(self.bin[name], directory)
        return directory

    def users(self):
        return ["root", "rootless"] if self.root else ["rootless"]

    def as_user(self, user, command):
        return measure.as_nobody(command) if self.root and user == "rootless" else command

    def env(self, user):
        home = self.path("nobody") if self.root and user == "rootless" else self.dir
        return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "TMPDIR": home}

    def state(self, user, name):
        return os.path.join(self.env(user)["HOME"], "state-" + name)

    def skiff(self, user, name, file, runtime="auto", parallel=None, more=()):
        """A function that runs the workflow in `file` once and returns its Sample; `parallel` None: as many steps
        at once as is the default."""
        command = [self.bin["skiff"], "run", file, "--state", self.state(user, name), "--runtime", runtime, "-o", "name"]
        command += ["--parallel", str(parallel)] if parallel else []
        command += list(more)
        return lambda: measure.measure(self.as_user(user, command), self.dir, self.env(user))

    def floor(self, user, tier, *words):
        command = [self.bin["floor"], "--tier", tier, "--journal", self.state(user, "floor-journal")]
        if user == "rootless" and tier != "plain":
            command.append("--rootless")
        return lambda: measure.measure(self.as_user(user, command + list(words)), self.dir, self.env(user))

    # ---- rows ----

    def row(self, work, must, reached, ok):
        """ok: True, False, or None for a figure without a bound."""
        self.rows.append((work, must, reached, {True: "ok", False: "MISSED", None: ""}[ok]))
        self.measured += 1
        print("  %-58s %-12s %-24s %s" % self.rows[-1], flush=True)

    def absent(self, work, why):
        self.rows.append((work, "", "not measured: " + why, ""))
        print("  %-58s not measured: %s" % (work, why), flush=True)

    def ratio(self, work, a, b, most, note=""):
        """a / b must be at most `most` (None: no bound)."""
        for r in (a, b):
            if not r.ok():
                self.absent(work, r.why or "no samples")
                return
        x = a.wall() / b.wall()
        self.row(work, "≤ %.2f" % most if most else "", "%.2f%s" % (x, note), x <= most if most else None)

    def times(self, results, count):
        """One line a candidate: microseconds a step, wall and processor."""
        for name, r in results.items():
            text = "not here: %s" % r.why
            if r.ok():
                text = "%8.0f µs wall" % (r.wall() / count * 1e6)
                text += "  %8.0f µs CPU" % (r.cpu() / count * 1e6) if r.cpu() is not None else ""
            print("    %-28s %s" % (name, text), flush=True)


def surroundings(b):
    """What the machine does at this moment: without it the figures mean little."""
    print("machine: %d cores, load %s, %s" % (b.cores, " ".join(open("/proc/loadavg").read().split()[:3]), " ".join(os.uname()[0:3:2])))
    if "floor" in b.bin:
        fsync = measure.measure([b.bin["floor"], "--fsync", b.path("fsync")]).out.strip()
        spawn = measure.measure([b.bin["floor"], "--workers", "1", "--count", "200", "--", "/bin/true"])
        print("fsync of a 64-byte append %s µs; bare spawn of /bin/true %.0f µs wall, %.0f µs CPU" %
              (fsync, spawn.wall / 200 * 1e6, spawn.cpu / 200 * 1e6))


def table(rows):
    print("\n| work | must reach | reached | |\n|---|---|---|---|")
    for row in rows:
        print("| %s | %s | %s | %s |" % row)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--only", action="append", choices=list(PARTS), help="this part (may be given several times)")
    p.add_argument("--quick", action="store_true", help="small sizes, one round: does it work at all?")
    p.add_argument("--rounds", type=int)
    args = p.parse_args()
    measure.begin()
    b = Bench(args)
    try:
        surroundings(b)
        for name in args.only or PARTS:
            print("\n%s" % name, flush=True)
            PARTS[name](b)
        print()
        surroundings(b)
        table(b.rows)
    finally:
        measure.group.close()
        shutil.rmtree(b.dir, ignore_errors=True)
    sys.exit(0 if b.measured else 1)


if __name__ == "__main__":
    main()
