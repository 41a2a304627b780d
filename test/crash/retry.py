#!/usr/bin/env python3
"""SIGKILL around retry and resume: a failed run is tried again, and whoever does it is killed at random instants.

usage: retry.py [--rounds N] [--seed S] [--only ROUND] SKIFF

However often that happens, each step that had succeeded has begun once, each that failed once for every attempt that was
committed, and the run ends Succeeded with nothing left behind."""
import argparse
import os
import random
import subprocess
import sys
import time

import common
import shapes

# wide and deep enough for a kill to fall anywhere: a loop with a bad item, a nested dag, an exit handler
TEXT = shapes.HEAD + """  onExit: bye
  templates:
  - name: main
    dag:
      tasks:
      - {name: first, template: say, arguments: {parameters: [{name: k, value: first}]}}
      - {name: loop, template: item, depends: first, arguments: {parameters: [{name: k, value: "{{item}}"}]}, withItems: [i0, i1, i2, i3]}
      - {name: inner, template: inner, depends: first}
      - {name: ask, template: ask, depends: loop && inner}
      - {name: last, template: say, depends: ask, arguments: {parameters: [{name: k, value: last}]}}
  - name: inner
    steps:
    - - {name: x, template: say, arguments: {parameters: [{name: k, value: x}]}}
    - - {name: y, template: item, arguments: {parameters: [{name: k, value: j}]}}
    - - {name: z, template: say, arguments: {parameters: [{name: k, value: z}]}}
  - {name: ask, suspend: {}}
  - name: say
    inputs: {parameters: [{name: k}]}
    container: {image: busybox, command: [sh, -c, "echo S {{inputs.parameters.k}} >> @LOG@; sleep 0.01"]}
  - name: item
    inputs: {parameters: [{name: k}]}
    container: {image: busybox, command: [sh, -c, "echo S {{inputs.parameters.k}} >> @LOG@; sleep 0.01; ! [ -e @ROOT@/bad-{{inputs.parameters.k}} ]"]}
  - {name: bye, container: {image: busybox, command: ["true"]}}
"""
GOOD = {"first", "i0", "i2", "i3", "x"}
BAD = {"i1", "j"}
AFTER = {"z", "last"}


class Round:
    def __init__(self, score, skiff, seed, number):
        self.score, self.number = score, number
        self.rng = random.Random(f"{seed}/{number}")
        self.how = self.rng.choice(["engine", "engine", "all"])
        self.place = common.Place(skiff, "none")
        self.kills = 0

    def check(self, ok, what):
        return self.score.check(ok, f"round {self.number} ({self.how}): {what}")

    def phase(self):
        return (self.place.get("w") or {}).get("status", {}).get("phase")

    def asking(self):
        nodes = (self.place.get("w") or {}).get("status", {}).get("nodes", {})
        return any(n["type"] == "Suspend" and n["phase"] == "Running" for n in nodes.values())

    def start(self, *words):
        return subprocess.Popen([*self.place.command(*words), "--runtime", "none", "--progress", "plain"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.place.env(), process_group=0)

    def maybe_kill(self, proc):
        """True: it was killed before it was over."""
        if self.kills >= 4 or self.rng.random() < 0.2:
            return False
        time.sleep(self.rng.uniform(0, 0.15))  # chance
        if proc.poll() is not None:
            return False
        if self.how == "all":
            common.kill_everything(self.place, proc)
        else:
            common.kill_engine(proc)
        self.kills += 1
        return True

    def go(self):
        """Tries again, goes on and resumes until it is over."""
        while self.phase() != "Succeeded":
            again = self.phase() in common.PHASES_DONE
            proc = self.start("retry", "w") if again else self.start("run", "--resume", "w")
            if self.maybe_kill(proc):
                continue
            while proc.poll() is None and not self.asking():
                time.sleep(0.01)  # poll
            if proc.poll() is None:
                if self.maybe_kill(proc) and self.rng.random() < 0.5:
                    self.place.call("resume", "w")  # without an engine
                    continue
                self.place.call("resume", "w")
            _, err = proc.communicate(timeout=common.LIMIT_S)
            if not self.check(proc.returncode in (0, 1, -9), f"exit status {proc.returncode}: {err.decode()}"):
                return

    def run(self):
        text = TEXT.replace("@LOG@", self.place.log_path()).replace("@ROOT@", self.place.root)
        bad = [self.place.file("bad-" + k, "") for k in BAD]
        ran = self.place.run(self.place.file("w.yaml", text), "--name", "w")
        self.check(ran.returncode == 1 and self.phase() == "Failed", f"the first attempt: {ran.stderr}")
        for path in bad:
            os.unlink(path)
        self.go()
        begun = self.place.starts()
        self.check(all(begun.get(k) == 1 for k in GOOD), f"steps that had succeeded: {begun}")
        if self.how != "all":  # a lost step begins again
            self.check(all(begun.get(k) == 2 for k in BAD) and all(begun.get(k) == 1 for k in AFTER), f"steps of the retry: {begun}")
        nodes = self.place.get("w")["status"]["nodes"]
        self.check(all(n["phase"] == "Succeeded" for n in nodes.values()), "every node is over")
        self.check(len(nodes) == 17, f"{len(nodes)} nodes")
        # the last kill may fall between the last commit and the removal of what nobody needs any more
        left = self.place.left_after_kills()
        self.check(not left, f"left behind: {left}")
        self.place.remove()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff")
    p.add_argument("--rounds", type=int, default=12)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    o = p.parse_args()
    score = common.Score()
    kills = 0
    for number in range(o.rounds) if o.only is None else [o.only]:
        r = Round(score, o.skiff, o.seed, number)
        r.run()
        kills += r.kills
    if o.only is None:
        score.check(kills > 0, "nobody was killed in any round: nothing was tested")
    print(f"seed {o.seed}: {kills} kills; replay a round with --seed {o.seed} --only ROUND")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
