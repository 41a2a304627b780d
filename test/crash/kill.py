#!/usr/bin/env python3
"""SIGKILL to engines, launchers and supervisors of real runs, and going on afterwards.

usage: kill.py [--kills N] [--seed S] [--only ROUND] [--jobs N] SKIFF

Each round draws a workflow, a tier and a way of killing from its seed, kills, and goes on with the run until it is over. Half of
the rounds kill at random instants, half at a fail-point (src/base/fail_points.def): the points take turns, so that each has
its kills. Then every step must have begun exactly as often as it should, phase and outputs must be right, and nothing may be
left behind. What is asserted holds for every instant. A round is replayed by its number: --seed S --only ROUND."""
import argparse
import concurrent.futures
import functools
import glob
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

import common
import points
import shapes

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../image"))
import images  # noqa: E402

KILLS_IN_A_ROUND = 3
SHAPE_OF = {"FETCHED": "remote", "SENT": "remote", "LOG_ARCHIVED": "logs", "CONTENT_WRITTEN": "logs", "MEMO_WRITE": "memo",
            "OBJECT_DONE": "children", "RETIRE": "retired", "ROW_BEFORE": "artifacts", "ROW_AFTER": "artifacts",
            "CONTENT_MOVED": "artifacts", "OUTPUT_SAVED": "artifacts", "RUBBISH": "artifacts", "CONTENT_UNPACKED": "remote", "ADOPTED": "beside"}
POINTS = {name: who for name, who in points.load().items() if name not in points.ELSEWHERE}
lock = threading.Lock()
fired = {name: 0 for name in POINTS}


IMAGE, APPLETS = "local/crash:1", ("sh", "cat", "echo", "grep", "mkdir", "mv", "rm", "sleep", "sort", "test", "tr", "true", "wc")


@functools.cache
def archive():
    """An image of two layers, with what the shapes' scripts need."""
    with open(images.BUSYBOX, "rb") as f:
        busybox = f.read()
    links = [("bin/" + name, "=>bin/busybox") for name in APPLETS]
    image = images.Image(images.tar(("bin/", None), ("bin/busybox", busybox, 0o755), ("tmp/", None, 0o1777), ("etc/", None), *links),
                         images.tar(("etc/", None), ("etc/of-image", "x")), config={"Env": ["PATH=/bin"]})
    return image.save(os.path.join(tempfile.mkdtemp(prefix="skiff-crash-image-"), "image.tar"), IMAGE)


def nodes_of(wf):
    return ((wf or {}).get("status") or {}).get("nodes") or {}


def phase_of(wf):
    return ((wf or {}).get("status") or {}).get("phase")


def finished_keys(wf, begun):
    """Keys of the steps that the state directory says are over, with how often they began. Keys are
    found through the steps' parameter `k`, so only steps that have it count."""
    keys = {}
    for node in nodes_of(wf).values():
        if node.get("type") != "Pod" or node.get("phase") not in common.PHASES_DONE:
            continue
        for p in (node.get("inputs") or {}).get("parameters") or []:
            if p["name"] == "k" and p["value"] in begun:
                keys[p["value"]] = begun[p["value"]]
    return keys


class Round:
    """`how`: engine: only the engine dies; group: its process group; all: launcher and supervisors, too; launcher; supervisor: one
    that has a step; point: whoever comes to a fail-point; point-all: then all of them."""

    def __init__(self, score, skiff, seed, number):
        self.score, self.number = score, number
        self.rng = random.Random(f"{seed}/{number}")
        self.point = None
        names = sorted(POINTS)
        if number % 2:
            self.point = names[number // 2 % len(names)]
            self.how = self.rng.choice(["point", "point", "point-all"])
        else:
            self.how = self.rng.choice(["engine", "engine", "group", "all", "launcher", "supervisor", "supervisor", "supervisor"])
        self.shape = self.rng.choice(shapes.all_shapes())
        if self.point in SHAPE_OF:
            self.shape = next(s for s in shapes.all_shapes() if s.name == SHAPE_OF[self.point])
        self.tier = self.rng.choice([t for t in common.host_tiers() if t in self.shape.tiers])
        self.place = common.Place(skiff, self.tier)
        self.in_image = self.tier != "none" and images.BUSYBOX and self.rng.random() < 0.3
        self.name = "w"
        self.kills = self.lost = 0  # lost: at most so many steps died with their supervisors
        self.done_before = {}
        self.armed = None

    def text(self):
        how = f"{self.how} at {self.point}" if self.point else self.how
        return f"round {self.number}: {self.shape.name}{' in an image' if self.in_image else ''}, tier {self.tier}, kill {how}"

    def check(self, ok, what):
        with lock:
            return self.score.check(ok, f"{self.text()}: {what}")

    # ---- one kill ----

    def start(self, *words, last=False):
        """Nobody comes to the fail-point of the last one."""
        env = {}
        if self.how == "supervisor" or POINTS.get(self.point) == "SUPERVISOR":
            env["SKIFF_ON_LOST"] = "restart"  # else the node is an Error, as faults.py has it
        self.armed = None
        if self.point and not last and not (self.point == "ADOPTED" and self.kills == 0):
            self.armed = points.Armed(self.place, self.point, self.rng.choice([1, 1, 2, 3, 5]), "stop" if self.how == "point-all" else "kill")
            env.update(self.armed.env)
        return self.place.start(*words, env=env)

    def busy_supervisors(self, proc):
        """Those below the launcher that have a child. Steps are short: not all of /proc is looked at."""
        slots = [p for launcher in common.children(proc.pid) for p in common.children(launcher)]
        return sorted(p for p in slots if common.comm(p) == "skiff-slot" and common.children(p))

    def kill_random(self, proc):
        if self.how == "supervisor":
            return self.kill_supervisor(proc)
        time.sleep(self.rng.uniform(0, 0.35))  # chance
        if proc.poll() is not None:
            return False
        if self.how == "all":
            common.kill_everything(self.place, proc)
        elif self.how == "group":
            os.killpg(proc.pid, 9)
            proc.wait()
        elif self.how == "launcher":
            common.signal_all({p for p in common.descendants({proc.pid}) if common.comm(p) == "skiff-launcher"}, signal.SIGKILL)
        else:
            common.kill_engine(proc)
        return True

    def kill_supervisor(self, proc):
        """One that has a step, some time after it got it."""
        until = time.monotonic() + common.LIMIT_S
        while proc.poll() is None and time.monotonic() < until:
            if self.busy_supervisors(proc):
                time.sleep(self.rng.uniform(0, 0.04))  # chance
                if some := self.busy_supervisors(proc):
                    common.signal_all({self.rng.choice(some)}, signal.SIGKILL)
                    self.lost += 1
                    return True
            time.sleep(0.005)  # poll
        return False

    def kill_at_point(self, proc):
        """An engine's end is the kill, or the command's own; a supervisor's is not seen here but in the count of passages."""
        if not self.armed:
            common.wait_for(lambda: proc.poll() is not None or "S " in "".join(self.place.lines()), "a step")
            if proc.poll() is None:
                common.kill_engine(proc)
                return True
            return False
        if self.how == "point-all":
            common.wait_for(lambda: proc.poll() is not None or self.armed.fired(), "the fail-point")
            if not self.armed.fired():
                return False
            common.kill_everything(self.place, proc)
        elif POINTS[self.point] == "ENGINE":
            proc.wait(timeout=common.LIMIT_S)
        else:
            common.wait_for(lambda: proc.poll() is not None or self.armed.fired(), "the fail-point")
        if self.armed.fired():
            with lock:
                fired[self.point] += 1
            self.lost += POINTS[self.point] == "SUPERVISOR"
            return True
        return False

    def kill_once(self, proc):
        """False: it was over before, or nobody was there to be killed."""
        if not (self.kill_at_point(proc) if self.point else self.kill_random(proc)):
            return False
        self.kills += 1
        wf = self.place.get(self.name)  # before what has begun is counted: an engine may be at work
        for key, n in finished_keys(wf, self.place.starts()).items():
            self.done_before.setdefault(key, n)
        return True

    # ---- the round ----

    def first_words(self, path):
        return (path, "--name", self.name)

    def crash(self):
        text = self.shape.text(self.place)
        if self.in_image:
            self.place.call("image", "import", archive())
            text = text.replace("image: busybox", f"image: '{IMAGE}'")
        path = self.place.file("w.yaml", text)
        other = self.place.file("trivial.yaml", shapes.TRIVIAL)
        proc = self.start(*self.first_words(path))
        for left in reversed(range(KILLS_IN_A_ROUND)):
            killed = self.kill_once(proc)
            if proc.poll() is None:
                if killed and self.how in ("launcher", "supervisor"):
                    continue  # the same engine goes on, and somebody else of it is killed
                break
            if not killed:
                break
            if not self.place.get(self.name):
                proc = self.start(*self.first_words(path), last=not left)  # died before it was accepted
                continue
            if self.how in ("engine", "group") and self.rng.random() < 0.3:
                ran = self.place.run(other)
                self.check(ran.returncode == 0, f"another run on the directory: {ran.stderr.strip()}")
            proc = self.start("--resume", self.name, last=not left)
        self.armed = None
        _, err = proc.communicate(timeout=common.LIMIT_S)
        return proc.returncode, err.decode(errors="replace")

    def finish(self, status, err):
        wf = self.place.get(self.name)
        for _ in range(2):
            if phase_of(wf) in common.PHASES_DONE:
                break
            words = ("--resume", self.name) if wf else self.first_words(os.path.join(self.place.root, "w.yaml"))
            ran = self.place.run(*words)
            status, err, wf = ran.returncode, ran.stderr, self.place.get(self.name)
        if not self.check(phase_of(wf) == self.shape.phase, f"phase {phase_of(wf)}, not {self.shape.phase}; exit {status}; {err.strip()}"):
            for node in nodes_of(wf).values():
                print(f"    {node.get('phase')} {node.get('name')}: {node.get('message', '')}")
        return wf

    def check_end(self, wf):
        got = {p["name"]: p.get("value") for n in nodes_of(wf).values() if n["name"] == self.name
               for p in (n.get("outputs") or {}).get("parameters") or []}
        for key, value in self.shape.outputs.items():
            self.check(got.get(key) == value, f"output {key} is {got.get(key)!r}, not {value!r}")
        begun = self.place.starts()
        self.check(set(begun) == set(self.shape.keys), f"steps that ran: {sorted(begun)}, not {sorted(self.shape.keys)}")
        if not self.how.endswith("all"):
            again = {k: n for k, n in begun.items() if n != 1}
            self.check(sum(n - 1 for n in again.values()) <= self.lost, f"steps that ran more than once: {again}, {self.lost} supervisors killed")
        more = {k: (n, begun.get(k)) for k, n in self.done_before.items() if begun.get(k) != n}
        self.check(not more, f"finished steps that ran again: {more}")
        left = self.place.wait_clean(look=self.place.at_work)  # a journal may outlive the last engine by moments, and wait for the next
        self.check(not left, f"left behind: {left}")
        left = self.place.left_groups()
        self.check(not left, f"control groups left behind: {left}")
        if self.in_image:
            gone = self.place.call("image", "rm", IMAGE)
            layers = glob.glob(self.place.state + "/images/layers/*")
            self.check(gone.returncode == 0 and not layers, f"the image is not let go: {gone.stderr.strip()}, {layers}")
        unknown = self.place.unknown_files()
        self.check(not unknown, f"files that nobody knows: {unknown}")

    def run(self):
        self.check_end(self.finish(*self.crash()))
        self.place.remove()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff")
    p.add_argument("--kills", type=int, default=500)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    p.add_argument("--jobs", type=int, default=4)
    p.add_argument("-v", "--verbose", action="store_true")
    o = p.parse_args()
    score = common.Score()
    print(f"seed {o.seed}: replay a round with --seed {o.seed} --only ROUND")
    kills, by_how, numbers = 0, {}, iter([o.only] if o.only is not None else range(1 << 30))

    def work():
        nonlocal kills
        while True:
            with lock:
                number = next(numbers, None) if kills < o.kills else None
            if number is None:
                return
            r = Round(score, o.skiff, o.seed, number)
            try:
                r.run()
            except Exception as e:  # a round that breaks is one that failed
                r.check(False, f"{type(e).__name__}: {e}")
                r.place.kill_all()
            with lock:
                kills += r.kills
                by_how[r.how] = by_how.get(r.how, 0) + r.kills
            if o.verbose:
                print(f"{r.text()}: {r.kills} kills", flush=True)

    kept = archive() if images.BUSYBOX else score.skip("steps in an image: no busybox-static here")
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for f in [pool.submit(work) for _ in range(o.jobs)]:
            f.result()
    if kept:
        shutil.rmtree(os.path.dirname(kept))
    print(f"{kills} kills: " + ", ".join(f"{how} {n}" for how, n in sorted(by_how.items())))
    if o.only is None:
        never = [name for name, n in fired.items() if not n]
        score.check(not never or kills < 500, f"fail-points that killed nobody: {never}")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
