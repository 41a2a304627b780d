#!/usr/bin/env python3
"""SIGKILL at random instants of real runs, and going on afterwards.

usage: kill.py [--kills N] [--seed S] [--only ROUND] SKIFF

Each round draws a workflow, a tier and a way of killing from its seed, kills the engine after random
delays and goes on with the run until it is over. Then every step must have begun exactly as often
as it should, phase and outputs must be right, and nothing may be left behind. When a kill falls is
left to chance; what is asserted holds for every instant. A round is replayed by its number:
--seed S --only ROUND."""
import argparse
import os
import random
import subprocess
import sys
import time

import common
import shapes

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../image"))
import images  # noqa: E402

KILLS_IN_A_ROUND = 3


def nodes_of(wf):
    return ((wf or {}).get("status") or {}).get("nodes") or {}


def finished_keys(place, name):
    """Keys of the steps that the state directory says are over, with how often they began. Keys are
    found through the steps' parameter `k`, so only steps that have it count."""
    begun = place.starts()
    keys = {}
    for node in nodes_of(place.get(name)).values():
        if node.get("type") != "Pod" or node.get("phase") not in common.PHASES_DONE:
            continue
        for p in (node.get("inputs") or {}).get("parameters") or []:
            if p["name"] == "k" and p["value"] in begun:
                keys[p["value"]] = begun[p["value"]]
    return keys


def tiers_of(shape):
    """Beside the host's files, a root of busybox's."""
    tiers = [t for t in common.host_tiers() if t in shape.tiers]
    return tiers + ["image"] if images.BUSYBOX and "ro" in tiers else tiers


def bring_busybox(place):
    """What the shapes' `image: busybox` means from now on."""
    names = subprocess.run([images.BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with open(images.BUSYBOX, "rb") as f:
        entries = [("bin/busybox", f.read(), 0o755), *[("bin/" + n, "->busybox") for n in names if n != "busybox"]]
    image = images.Image(images.tar(("bin/", None), ("tmp/", None, 0o1777), *entries), config={"Cmd": ["sh"], "Env": ["PATH=/bin"]})
    done = place.call("image", "import", image.save(place.root + "/busybox.tar", "busybox:latest"))
    assert done.returncode == 0, done.stderr


class Round:
    def __init__(self, score, skiff, seed, number):
        self.score, self.number = score, number
        self.rng = random.Random(f"{seed}/{number}")
        self.shape = self.rng.choice(shapes.all_shapes())
        self.tier = self.rng.choice(tiers_of(self.shape))
        # engine: only the engine dies; all: with launcher and supervisors; group: a process group
        self.how = self.rng.choice(["engine", "engine", "group", "all"])
        self.place = common.Place(skiff, self.tier)
        if self.tier == "image":
            bring_busybox(self.place)
        self.name = "w"
        self.kills = 0
        self.done_before = {}

    def text(self):
        return f"round {self.number}: {self.shape.name}, tier {self.tier}, kill {self.how}"

    def check(self, ok, what):
        return self.score.check(ok, f"{self.text()}: {what}")

    def kill_once(self, proc, span_s):
        """False: it was over before."""
        time.sleep(self.rng.uniform(0, span_s))  # chance
        if proc.poll() is not None:
            return False
        if self.how == "all":
            common.kill_everything(self.place, proc)
        elif self.how == "group":
            os.killpg(proc.pid, 9)
            proc.wait()
        else:
            common.kill_engine(proc)
        self.kills += 1
        for key, n in finished_keys(self.place, self.name).items():
            self.done_before.setdefault(key, n)
        return True

    def first_words(self, path):
        return (path, "--name", self.name)

    def crash(self):
        path = self.place.file("w.yaml", self.shape.text(self.place))
        other = self.place.file("trivial.yaml", shapes.TRIVIAL)
        proc = self.place.start(*self.first_words(path))
        for _ in range(KILLS_IN_A_ROUND):
            if not self.kill_once(proc, 0.6):
                break
            if not self.place.get(self.name):
                proc = self.place.start(*self.first_words(path))  # died before it was accepted
                continue
            if self.how != "all" and self.rng.random() < 0.3:
                ran = self.place.run(other)
                self.check(ran.returncode == 0, f"another run on the directory: {ran.stderr.strip()}")
            proc = self.place.start("--resume", self.name)
        _, err = proc.communicate(timeout=common.LIMIT_S)
        return proc.returncode, err.decode(errors="replace")

    def finish(self, status, err):
        wf = self.place.get(self.name)
        if wf is None:
            ran = self.place.run(*self.first_words(os.path.join(self.place.root, "w.yaml")))
            status, err, wf = ran.returncode, ran.stderr, self.place.get(self.name)
        phase = ((wf or {}).get("status") or {}).get("phase")
        if phase not in common.PHASES_DONE:
            ran = self.place.run("--resume", self.name)
            status, err, wf = ran.returncode, ran.stderr, self.place.get(self.name)
            phase = ((wf or {}).get("status") or {}).get("phase")
        if not self.check(phase == self.shape.phase, f"phase {phase}, not {self.shape.phase}; exit {status}; {err.strip()}"):
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
        if self.how != "all":
            again = {k: n for k, n in begun.items() if n != 1}
            self.check(not again, f"steps that ran more than once: {again}")
        more = {k: (n, begun.get(k)) for k, n in self.done_before.items() if begun.get(k) != n}
        self.check(not more, f"finished steps that ran again: {more}")
        left = self.place.wait_clean()
        self.check(not left, f"left behind: {left}")

    def run(self):
        self.check_end(self.finish(*self.crash()))
        self.place.remove()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff")
    p.add_argument("--kills", type=int, default=60)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    p.add_argument("-v", "--verbose", action="store_true")
    o = p.parse_args()
    score = common.Score()
    print(f"seed {o.seed}: replay a round with --seed {o.seed} --only ROUND")
    kills, number = 0, o.only or 0
    while kills < o.kills:
        before = score.failed
        r = Round(score, o.skiff, o.seed, number)
        r.run()
        kills += r.kills
        if o.verbose or score.failed > before:
            print(f"{r.text()}: {r.kills} kills", flush=True)
        if o.only is not None:
            break
        number += 1
    print(f"{kills} kills in {number} rounds" if o.only is None else f"{kills} kills")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
