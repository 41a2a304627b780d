"""What the crash tests share: running the program, looking at what it left, counting checks."""
import argparse
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

LIMIT_S = 120  # no command of a test may take longer; nothing is asserted about time below that
PHASES_DONE = ("Succeeded", "Failed", "Error")
# What this user's host offers: overlays and read-only views need root or user namespaces.
TIERS = ("none", "ro", "overlay")


class Score:
    def __init__(self, quiet=False):
        self.passed = self.failed = self.skipped = 0
        self.quiet = quiet

    def check(self, ok, what):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}", flush=True)
        return bool(ok)

    def skip(self, what):
        self.skipped += 1
        print(f"skipped: {what}", flush=True)

    def end(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed else 0


def clean_env():
    """The caller's environment without what steers the program or how it shows things."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("SKIFF_", "ARGO_")) and k not in ("CI", "NO_COLOR", "CLICOLOR_FORCE")}


class Place:
    """A state directory, a directory that steps write to, and the program."""

    def __init__(self, skiff, tier, parent=None, state=None):
        self.skiff = os.path.abspath(skiff)
        self.tier = tier
        self.root = tempfile.mkdtemp(prefix="skiff-crash-", dir=parent)
        self.state = state or os.path.join(self.root, "state")
        self.count = os.path.join(self.root, "count")
        os.mkdir(self.count)
        os.chmod(self.root, 0o755)
        os.chmod(self.count, 0o777)
        open(self.log_path(), "w").close()
        os.chmod(self.log_path(), 0o666)

    def log_path(self):
        return os.path.join(self.count, "log")

    def env(self, extra=None):
        return {**clean_env(), **(extra or {})}

    def command(self, *words):
        return [self.skiff, *words, "--state", self.state]

    def run_words(self, *words):
        return self.command("run", *words, "--runtime", self.tier, "--progress", "plain")

    def start(self, *words, env=None, stdout=subprocess.DEVNULL):
        """`skiff run` in the background, in a process group of its own."""
        return subprocess.Popen(self.run_words(*words), stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=subprocess.PIPE, env=self.env(env), process_group=0)

    def run(self, *words, env=None):
        return subprocess.run(self.run_words(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.env(env), timeout=LIMIT_S, process_group=0)

    def call(self, *words, env=None):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.env(env), timeout=LIMIT_S)

    def get(self, name):
        """The Workflow object, or None when there is none (yet)."""
        got = self.call("get", name, "-o", "json")
        return json.loads(got.stdout) if got.returncode == 0 else None

    def file(self, name, text):
        path = os.path.join(self.root, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def lines(self):
        with open(self.log_path()) as f:
            return f.read().split("\n")[:-1]

    def starts(self):
        """How often each step began, by its key."""
        n = {}
        for line in self.lines():
            if line.startswith("S "):
                n[line[2:]] = n.get(line[2:], 0) + 1
        return n

    def remove(self):
        for path, _, _ in os.walk(self.root):
            os.chmod(path, 0o755)  # kept artifacts are read-only
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- processes ----

    def ours(self):
        """Processes that have something of the state directory open, and what came from them."""
        found = {pid for pid in pids() if any(link.startswith(self.state + "/") or "/hostrw" + self.state in link
                                              for link in open_paths(pid))}
        return found | descendants(found)

    def kill_all(self):
        """After a test that broke: nothing of it goes on."""
        signal_all(self.ours(), signal.SIGKILL)

    def at_work(self):
        """Processes and mounts of the state directory."""
        with open("/proc/mounts") as f:
            return [f"process {p} {comm(p)}" for p in self.ours()] + [f"mount {line.split()[1]}" for line in f if self.root in line]

    def left_over(self):
        """What should not be there any more once nothing runs: empty when clean."""
        return self.at_work() + glob.glob(self.state + "/slots/*") + glob.glob(self.state + "/work/*")

    def left_groups(self):
        """Control groups that are noted, once the next engine has looked: empty when clean."""
        note = self.state + "/cgroups"
        if not os.path.exists(note):
            return []
        with open(note) as f:
            groups = f.read().split()
        self.run(self.file("sweep.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: sweep-}\nspec: {entrypoint: a, "
                                         "templates: [{name: a, container: {image: busybox, command: ['true']}}]}\n"))
        return [g for g in groups if os.path.exists(g)] + [note] * os.path.exists(note)

    def unknown_files(self):
        """Files and directories of the state directory that no run refers to, once nothing runs: empty when clean.
        `skiff gc` has removed what a crash between two steps of one thing may leave."""
        gone = self.call("gc")
        if gone.returncode != 0:
            return [f"gc: {gone.stderr.strip()}"]
        with sqlite3.connect(f"file:{self.state}/skiff.db?mode=ro", uri=True) as db:
            contents = {row[0] for row in db.execute("SELECT content FROM artifacts")}
            steps = {bytes(row[0]).decode() for row in db.execute("SELECT bytes FROM run_values WHERE key LIKE 'step/%' OR key LIKE 'lost/%'")}
        db.close()
        found = []
        for path, dirs, files in os.walk(self.state):
            under = os.path.relpath(path, self.state)
            first = under.split("/")[0]
            if first == "artifacts" and under.count("/") == 1:
                found += [f"{under}/{name}" for name in dirs + files if name not in contents]
                dirs.clear()
            elif first == "steps" and under.count("/") == 1:
                found += [] if under.split("/")[1] in steps and files in ([], ["main.log"]) else [under]
            elif under == ".":
                found += [n for n in files if n not in ("skiff.db", "skiff.db-wal", "skiff.db-shm", "engine.lock", "cgroups", "audit.log", "engine.log") and not n.startswith("skiff.db.v")]
            elif first in ("slots", "work", "pods", "steps"):
                found += [f"{under}/{name}" for name in files] + ([f"{under}/{name}" for name in dirs] if first != "steps" else [])
        return found

    def left_after_kills(self):
        """The same where engines were killed: a journal may outlive the last engine by moments, and waits for the next one, or for gc."""
        return self.wait_clean(look=self.at_work) + self.unknown_files()

    def wait_clean(self, but=None, look=None):
        until = time.monotonic() + 30
        while (left := [what for what in (look or self.left_over)() if what != but]) and time.monotonic() < until:
            time.sleep(0.05)  # poll
        return left


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]


def open_paths(pid):
    links = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except OSError:
        pass
    return links


def inotify_watches(pid):
    """For each inotify instance of a process how many files and directories it watches."""
    found = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:inotify":
                with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                    found.append(sum(line.startswith("inotify ") for line in f))
    except OSError:
        return None  # it ended, or closed one just now
    return found


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return "gone"


def contents(path):
    """Bytes of a file; none where it is gone."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def parents():
    up = {}
    for pid in pids():
        try:
            with open(f"/proc/{pid}/stat") as f:
                up[pid] = int(f.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            pass
    return up


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def descendants(roots):
    up = parents()
    found = set(roots)
    while more := {p for p, parent in up.items() if parent in found and p not in found}:
        found |= more
    return found - set(roots)


def kill_engine(proc):
    proc.kill()
    proc.wait()


def kill_everything(place, proc):
    """The engine, its launcher and every supervisor; their steps die with them."""
    stopped = {proc.pid}
    proc.send_signal(signal.SIGSTOP)
    # all are stopped before the first dies: none may see, and note, how another one ended
    while more := {p for p in descendants({proc.pid}) | place.ours() if comm(p).startswith("skiff")} - stopped:
        signal_all(more, signal.SIGSTOP)
        stopped |= more
    signal_all(stopped, signal.SIGKILL)
    proc.wait()
    wait_for(lambda: all(zombie(p) for p in stopped), "killed processes")


def signal_all(processes, signo):
    for p in processes:
        try:
            os.kill(p, signo)
        except ProcessLookupError:
            pass


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, what):
    until = time.monotonic() + LIMIT_S
    while not (value := condition()):
        if time.monotonic() > until:
            raise RuntimeError(f"waited too long for {what}")
        time.sleep(0.01)  # poll
    return value


def host_tiers():
    """The tiers that can be had here, as the program itself judges."""
    return TIERS if os.geteuid() == 0 else ("none", "ro")


def rounds(crash_round, default):
    """The command line of a test in rounds, each replayable by its seed and number: (score, options, engines killed)."""
    p = argparse.ArgumentParser()
    p.add_argument("skiff")
    p.add_argument("--rounds", type=int, default=default)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    o, score, killed = p.parse_args(), Score(), 0
    print(f"seed {o.seed}: replay a round with --seed {o.seed} --only ROUND")
    for number in [o.only] if o.only is not None else range(o.rounds):
        killed += crash_round(score, o.skiff, o.seed, number)
    if o.only is None:
        score.check(killed > 0, "nobody was killed in any round: nothing was tested")
    return score, o, killed


class Unix(http.client.HTTPConnection):
    """To the engine's socket."""

    def __init__(self, place):
        super().__init__("localhost")
        self.path = place.state + "/engine.sock"

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self.path)
