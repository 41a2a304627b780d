#!/usr/bin/env python3
"""The Nth system call of a kind fails, or kills its process: in runs with artifacts, archived logs and memoized steps, in
imports of images, in deleting and reclaiming.

usage: nth.py [--all | --runs N | --seconds N] [--seed S] [--only KIND/CLASS/N/ACTION] [--jobs N] SKIFF [NTH.SO]

Each case is a command with one fault (nth.c), and the same again without. Either the first succeeds and everything is right, or
it says what went wrong, and the second completes it. Nobody crashes, nobody hangs, nothing is left behind. Without --all a
sample is drawn by the seed."""
import argparse
import concurrent.futures
import glob
import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time

import common
import shapes

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../image"))
import images  # noqa: E402

CLASSES = ("write", "sync", "rename", "open", "mkdir", "link", "unlink", "truncate", "mode", "mount", "send", "make")
ACTIONS = {"write": ("enospc", "eio", "eintr", "kill"), "sync": ("eio", "enospc", "kill"), "open": ("emfile", "eio", "enospc", "kill"),
           "send": ("emfile", "enospc", "kill"), "make": ("emfile", "kill")}
HANG_S = 60
WORDS = ("No space left", "Input/output error", "Interrupted system call", "Too many open files", "step lost", "full", "disk I/O error",
         "system call failed", "unable to open", "did not confirm", "gone", "lost")
BODY = """  archiveLogs: true
  templates:
  - name: main
    steps: [[{name: make, template: make}], [{name: use, template: use, arguments: {artifacts: [
      {name: f, from: '{{steps.make.outputs.artifacts.file}}'}, {name: d, from: '{{steps.make.outputs.artifacts.dir}}'}]}}]]
    outputs: {parameters: [{name: text, valueFrom: {parameter: '{{steps.use.outputs.parameters.text}}'}}]}
  - name: make
    memoize: {key: k, maxAge: 1h, cache: {configMap: {name: kept}}}
    outputs: {artifacts: [{name: file, path: /tmp/file}, {name: dir, path: /tmp/dir}]}
    container: {image: busybox, command: [sh, -c, 'echo S make >> @LOG@; echo said; mkdir -p /tmp/dir/a; echo one > /tmp/dir/a/x; echo two > /tmp/file']@MOUNT@}
  - name: use
    inputs: {artifacts: [{name: f, path: /in/f}, {name: d, path: /in/d}]}
    outputs: {parameters: [{name: text, valueFrom: {path: /tmp/text}}]}
    container: {image: busybox, command: [sh, -c, 'echo S use >> @LOG@; cat /in/f /in/d/a/x > /tmp/text']@MOUNT@}
"""
lock = threading.Lock()


class Case:
    """`kind`: what is done; subclasses say how it is begun, whether it is right, and how it is completed."""

    def __init__(self, o):
        self.o = o
        self.place = common.Place(o.skiff, "overlay" if os.geteuid() == 0 else "ro")
        self.counts = self.place.root + "/counts"

    def fault(self, which):
        return {"LD_PRELOAD": self.o.module, "NTH": which, "NTH_FILE": self.counts}

    def begin(self, which):
        """(exit status or None when it hung, what it said)"""
        p = subprocess.Popen(self.words(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=self.place.env(self.fault(which)), process_group=0, text=True)
        try:
            said, _ = p.communicate(timeout=HANG_S)
            return p.returncode, said
        except subprocess.TimeoutExpired:
            common.kill_everything(self.place, p)
            return None, ""

    def counted(self):
        with open(self.counts, "rb") as f:
            return dict(zip(CLASSES, struct.unpack(f"{len(CLASSES)}I", f.read(4 * len(CLASSES)))))

    def left(self):
        return self.place.left_after_kills()


class Run(Case):
    kind = "run"

    def words(self):
        text = shapes.HEAD + BODY.replace("@MOUNT@", ", volumeMounts: [{name: count, mountPath: /mnt/count}]").replace("@LOG@", "/mnt/count/log")
        text += f"  volumes: [{{name: count, hostPath: {{path: {json.dumps(self.place.count)}}}}}]\n"
        return self.place.run_words(self.place.file("w.yaml", text), "--name", "w")

    def wrong(self):
        wf = self.place.get("w") or {}
        status = wf.get("status") or {}
        if status.get("phase") != "Succeeded":
            return f"phase {status.get('phase')}: {[n.get('message') for n in status.get('nodes', {}).values() if n.get('message')]}"
        got = [p["value"] for n in status["nodes"].values() if n["name"] == "w" for p in n["outputs"]["parameters"]]
        return None if got == ["two\none"] else f"output {got}"

    def after_success(self):
        again = {k: n for k, n in self.place.starts().items() if n != 1}
        return f"steps that ran {again} times" if again else None

    def complete(self):
        for _ in range(3):
            status = (self.place.get("w") or {}).get("status")
            if status is None:
                self.place.run(*self.words()[2:5])
            elif status.get("phase") not in common.PHASES_DONE:
                self.place.run("--resume", "w")
            elif status["phase"] == "Succeeded":
                return None
            else:
                said = " ".join([status.get("message", "")] + [n.get("message", "") for n in status.get("nodes", {}).values()])
                if not any(w in said for w in WORDS):
                    return f"it ended, and does not say why: {said}"
                subprocess.run([*self.place.command("retry", "w"), "--runtime", self.place.tier], capture_output=True, env=self.place.env(), timeout=HANG_S)
        return None


class Import(Case):
    kind = "image"
    sample = None

    def words(self):
        return self.place.command("image", "import", self.sample, "--name", "local/sample:1")

    def wrong(self):
        got = self.place.call("image", "inspect", "local/sample:1", "-o", "json")
        if got.returncode:
            return got.stderr.strip()
        layers = [layer["diffId"] for layer in json.loads(got.stdout)["layers"]]
        files = glob.glob(self.place.state + "/images/layers/*/fs/etc/kept")
        return None if len(layers) == 3 and sorted(open(f).read() for f in files) == ["1amd64", "2"] else f"layers {layers}, {files}"

    def after_success(self):
        return None

    def complete(self):
        subprocess.run(self.words(), capture_output=True, env=self.place.env(), timeout=HANG_S)

    def left(self):
        """Nothing of a broken import stays once waste is removed, and nothing that is needed goes."""
        self.place.call("image", "gc")
        rest = glob.glob(self.place.state + "/images/tmp/*") + glob.glob(self.place.state + "/images/**/*.tmp", recursive=True)
        return rest + ([] if len(glob.glob(self.place.state + "/images/layers/*")) == 3 else ["layers are missing"])


class Reclaim(Case):
    """`skiff delete` and `skiff gc` of a directory that a run has filled."""
    kind = "gc"
    filled = None

    def __init__(self, o):
        super().__init__(o)
        shutil.copytree(self.filled, self.place.state)
        self.place.call("delete", "w")

    def words(self):
        return self.place.command("gc")

    def wrong(self):
        found = self.place.call("gc", "--dry-run", "-o", "json")
        if found.returncode:
            return found.stderr.strip()
        items = [i for i in json.loads(found.stdout)["items"] if i["kind"] != "database"]
        return f"not reclaimed: {items}" if items or os.listdir(self.place.state + "/steps") else None

    def after_success(self):
        got = self.place.call("get", "v", "-o", "json")
        return None if got.returncode == 0 else "the other run is gone"

    def complete(self):
        self.place.call("gc")


def judge(case, which, score):
    """One fault and what follows."""
    def bad(what):
        with lock:
            score.check(False, f"{case.kind}/{which.replace(':', '/')}: {what}")
    status, err = case.begin(which)
    killed = which.endswith("kill") and status == -9
    if status is None:
        return bad("it hung")
    if (status < 0 and not killed) or status in (134, 139) or "bug:" in err:
        return bad(f"it crashed: {status}, {err.strip()}")
    wrong = case.wrong()
    if status == 0 and wrong:
        return bad(f"it said that all is well: {wrong}")
    if status == 0 and not which.endswith("kill") and (again := case.after_success()):
        return bad(again)
    if status > 0 and not err.strip():
        return bad(f"exit status {status} without a word")
    if wrong:
        said = case.complete()
        wrong = said or case.wrong()
        if wrong:
            return bad(f"not completed afterwards ({status}, {err.strip()[-300:]}): {wrong}")
    left = case.left()
    if left:
        return bad(f"left behind: {left}")
    with lock:
        score.check(True, "")
    return None


def cases(o):
    """All faults there are: (kind, class, n, action)."""
    for kind in KINDS:
        case = KINDS[kind](o)
        status, err = case.begin("write:0:enospc")
        if status or case.wrong():
            raise RuntimeError(f"{kind} without a fault: {status}, {err}, {case.wrong()}")
        counts = case.counted()
        print(f"{kind}: " + ", ".join(f"{n} {c}" for c, n in counts.items() if n), flush=True)
        case.place.remove()
        for c, n in counts.items():
            yield from itertools.product([kind], [c], range(1, n + 1), ACTIONS.get(c, ("enospc", "eio", "kill")))


def prepare(o):
    """An image to import, a directory to reclaim."""
    Import.sample = images.sample().layout(o.work + "/layout", "x")
    place = common.Place(o.skiff, "overlay" if os.geteuid() == 0 else "ro", parent=o.work)
    case = Run.__new__(Run)
    case.o, case.place = o, place
    place.run(*case.words()[2:])
    place.run(*[w if w != "w" else "v" for w in case.words()[2:]])
    Reclaim.filled = place.state


KINDS = {c.kind: c for c in (Run, Import, Reclaim)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff")
    p.add_argument("module", nargs="?")
    p.add_argument("--all", action="store_true")
    p.add_argument("--runs", type=int)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only")
    p.add_argument("--jobs", type=int, default=4)
    o = p.parse_args()
    o.module = os.path.abspath(o.module or os.path.join(os.path.dirname(o.skiff), "test/crash/nth.so"))
    score = common.Score()
    o.work = common.tempfile.mkdtemp(prefix="skiff-nth-")
    prepare(o)
    everything = list(cases(o))
    if o.only:
        kind, c, n, action = o.only.split("/")
        some = [(kind, c, int(n), action)]
    else:
        random.Random(o.seed).shuffle(everything)
        some = everything[:o.runs] if o.runs else everything
    until = time.monotonic() + (1e9 if o.all or o.runs or o.only else o.seconds)
    tried = {}

    def one(fault):
        kind, c, n, action = fault
        if time.monotonic() > until:
            return
        case = KINDS[kind](o)
        try:
            judge(case, f"{c}:{n}:{action}", score)
        except Exception as e:  # a case that breaks is one that failed
            with lock:
                score.check(False, f"{kind}/{c}/{n}/{action}: {type(e).__name__}: {e}")
            case.place.kill_all()
        case.place.remove()
        with lock:
            tried[kind] = tried.get(kind, 0) + 1

    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        list(pool.map(one, some))
    shutil.rmtree(o.work, ignore_errors=True)
    print(f"seed {o.seed}: {sum(tried.values())} of {len(everything)} faults: " + ", ".join(f"{n} {k}" for k, n in tried.items()))
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
