"""Measuring: one command's wall and processor time, and many commands in turn.

Processor time counts every process of the command, whoever its parent is: the bench and all that it
starts live in a control group of their own, where that is possible (as root). Elsewhere only processes
that were waited for count. The bench is a subreaper: nothing of one command runs into the next.
"""
import collections
import ctypes
import os
import select
import statistics
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
NOBODY = 65534
ORPHAN_SECONDS = 5

Sample = collections.namedtuple("Sample", "wall cpu out")


class Broken(Exception):
    """The command does not work here; the text says why."""


def become_subreaper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Group:
    """The control group that the processor time is read from."""

    def __init__(self):
        self.dir = self.before = None
        for parent, usage, scale in (("/sys/fs/cgroup", "cpu.stat", 1e6), ("/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e9),
                                     ("/sys/fs/cgroup/cpu,cpuacct", "cpuacct.usage", 1e9)):
            group = os.path.join(parent, "skiff-bench-%d" % os.getpid())
            try:
                os.mkdir(group)
            except OSError:
                continue
            try:
                self.usage, self.scale = os.path.join(group, usage), scale
                self.seconds()
                self.enter(group)
                self.dir, self.before = group, parent
                return
            except (OSError, ValueError, IndexError):
                os.rmdir(group)

    def enter(self, group):
        with open(os.path.join(group, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))

    def seconds(self):
        """Of our group, and of the one that slots move to on machines with one hierarchy."""
        total = 0
        for path in (self.usage, "/sys/fs/cgroup/skiff/cpu.stat"):
            if path == self.usage or os.path.exists(path):
                with open(path) as f:
                    total += int(f.read().replace("usage_usec", "").split()[0])
        return total / self.scale

    def close(self):
        if self.dir:
            self.enter(self.before)
            for directory, _, _ in os.walk(self.dir, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            self.dir = None


group = None


def begin():
    global group
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    group = Group()
    if not group.dir:
        print("no control group: processor time leaves out what nobody waited for")


def reap_orphans():
    """Waits for what the last command left to us; its processor seconds."""
    cpu, until = 0.0, time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < until:
        try:
            pid, _, use = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu
        if pid:
            cpu += use.ru_utime + use.ru_stime
        else:
            time.sleep(0.001)
    return cpu


def as_nobody(command):
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--"] + command


def measure(command, cwd=None, env=None, timeout=600):
    """Runs the command to its end; Broken when it fails."""
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        used = group.seconds() if group.dir else 0
        started = time.perf_counter()
        p = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        watch = os.pidfd_open(p.pid)
        ended = select.select([watch], [], [], timeout)[0]
        os.close(watch)
        if not ended:
            p.kill()
        _, status, use = os.wait4(p.pid, 0)
        wall = time.perf_counter() - started
        p.returncode = os.waitstatus_to_exitcode(status)
        cpu = use.ru_utime + use.ru_stime + reap_orphans()
        if group.dir:
            cpu = group.seconds() - used
        if not ended:
            raise Broken("%s: no end after %d s" % (os.path.basename(command[0]), timeout))
        out.seek(0)
        err.seek(0)
        if p.returncode != 0:
            lines = [line for line in (out.read() + err.read()).splitlines() if line.strip() and not line.startswith("floor: ")]
            raise Broken(lines[-1].strip()[:160] if lines else "exit status %d" % p.returncode)
        return Sample(wall, cpu, out.read())


class Result:
    """What the rounds of one candidate gave: medians, or why there are none."""

    def __init__(self):
        self.samples, self.why = [], None

    def ok(self):
        return bool(self.samples) and self.why is None

    def wall(self):
        return statistics.median(s.wall for s in self.samples)

    def cpu(self):
        """None when a sample has none."""
        return None if any(s.cpu is None for s in self.samples) else statistics.median(s.cpu for s in self.samples)


def interleave(candidates, rounds, warm_up=True):
    """Runs every candidate once a round, in turn; `candidates` maps names to functions that return a Sample."""
    results = {name: Result() for name in candidates}
    for turn in range(rounds + warm_up):
        for name, run in candidates.items():
            r = results[name]
            if r.why:
                continue
            try:
                sample = run()
                if turn >= warm_up:
                    r.samples.append(sample)
            except (Broken, OSError) as e:
                r.why = str(e)
    return results
