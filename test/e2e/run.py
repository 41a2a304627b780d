#!/usr/bin/env python3
"""Features that show only with real steps: containers of one pod, volumes, artifacts, logs, clean-up, restarts.

usage: run.py [WORD...]     tests whose name contains one of the words; the program is SKIFF, else build/skiff
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.modules.setdefault("run", sys.modules[__name__])  # what the modules import

import artifacts  # noqa: E402
import daemons  # noqa: E402
import limits  # noqa: E402
import metadata  # noqa: E402
import metrics  # noqa: E402
import networks  # noqa: E402
import pods  # noqa: E402
import probes  # noqa: E402
import progress  # noqa: E402
import sets  # noqa: E402
import templates  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIFF = os.environ.get("SKIFF") or os.path.join(ROOT, "build/skiff")
LIMIT_S = 60
NOBODY = 65534


class Wrong(Exception):
    pass


class Bench:
    """A state directory, and what can be asked of it."""

    def __init__(self, directory):
        self.directory, self.state, self.started = directory, os.path.join(directory, "s"), []
        self.env, self.become = {k: v for k, v in os.environ.items() if not k.startswith("SKIFF_")}, None

    def rootless(self):
        """From now on everything is done by somebody without rights."""
        if os.geteuid() == 0:
            os.chmod(self.directory, 0o777)
            self.env["HOME"] = self.directory
            self.become = lambda: (os.setgroups([]), os.setresgid(*[NOBODY] * 3), os.setresuid(*[NOBODY] * 3))

    def call(self, verb, *words, text=None):
        return subprocess.run([SKIFF, verb, "--state", self.state, *words], cwd=self.directory, env=self.env, input=text or "",
                              capture_output=True, text=True, timeout=LIMIT_S, preexec_fn=self.become)

    def file(self, text, name="wf.yaml"):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def run(self, text, *words):
        """The workflow as JSON when it is over."""
        p = self.call("run", "-o", "json", *words, self.file(text))
        if not p.stdout.startswith("{"):
            raise Wrong("nothing ran: " + (p.stderr or p.stdout)[-800:])
        return Over(json.JSONDecoder().raw_decode(p.stdout)[0], p.stderr)

    def start(self, text, *words):
        return self._spawn(*words, self.file(text))

    def resume(self, name, *words):
        return self._spawn("--resume", name, *words)

    def _spawn(self, *words):
        p = subprocess.Popen([SKIFF, "run", "--state", self.state, *words], cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=self.become)
        self.started.append(p)
        return p

    def close(self):
        """What a test that failed has left at work is stopped."""
        for p in self.started:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(5)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()

    def get(self):
        p = self.call("get", "@latest", "-o", "json")
        return Over(json.loads(p.stdout), "") if p.returncode == 0 else None

    def wait_for(self, what):
        """Polls until what(workflow) holds."""
        def now():
            w = self.get()
            return w if w and what(w) else None
        return until(now)

    def logs(self, *words):
        return self.call("logs", "@latest", "--no-color", *words).stdout


class Over:
    def __init__(self, workflow, err):
        self.workflow, self.status, self.err = workflow, workflow["status"], err
        self.nodes = {n["name"][len(workflow["metadata"]["name"]):] or "wf": n for n in self.status.get("nodes", {}).values()}

    def is_(self, phase, **nodes):
        if self.status.get("phase") != phase:
            raise Wrong("%s (%s), not %s; %s" % (self.status.get("phase"), self.status.get("message"), phase, {
                n: (v["phase"], v.get("message")) for n, v in self.nodes.items()}))
        return self

    def node(self, name, phase=None, message=None):
        if name not in self.nodes:
            raise Wrong("no node %s in %s" % (name, sorted(self.nodes)))
        n = self.nodes[name]
        if (phase and n["phase"] != phase) or (message and message not in n.get("message", "")):
            raise Wrong("%s is %s: %s" % (name, n["phase"], n.get("message")))
        return n

    def output(self, name, parameter):
        return {p["name"]: p.get("value") for p in self.node(name).get("outputs", {}).get("parameters", [])}.get(parameter)


def same(got, expected, what=""):
    if got != expected:
        raise Wrong("%s %r, not %r" % (what, got, expected))


def until(what, why="it never came to that"):
    """Polls until what() holds, and returns it."""
    end = time.monotonic() + LIMIT_S
    while not (got := what()):
        if time.monotonic() > end:
            raise Wrong(why)
        time.sleep(0.02)  # poll
    return got


def tests():
    for module in (artifacts, daemons, limits, metadata, metrics, networks, pods, probes, progress, sets, templates):
        for name, fn in list(vars(module).items()):
            if callable(fn) and getattr(fn, "__module__", "") == module.__name__ and not name.startswith("_"):
                yield "%s: %s" % (module.__name__, name.replace("_", " ")), fn


def main():
    words, passed, failed = sys.argv[1:], 0, 0
    for name, fn in tests():
        if words and not any(w in name for w in words):
            continue
        with tempfile.TemporaryDirectory(prefix="skiff-e2e-", ignore_cleanup_errors=True) as directory:
            bench = Bench(directory)
            try:
                fn(bench)
                passed += 1
            except (Wrong, AssertionError, KeyError, ValueError, subprocess.TimeoutExpired) as e:
                failed += 1
                print("failed: %s\n    %s: %s" % (name, type(e).__name__, str(e)[:2000]), flush=True)
            bench.close()
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
