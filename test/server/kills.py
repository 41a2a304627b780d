#!/usr/bin/env python3
"""SIGKILL to servers under mixed load: nothing that was acknowledged is lost, nothing is done twice, whoever watches and goes on misses nothing.

usage: kills.py [--kills N] [--seed S] [--only ROUND] [--jobs N] [--keep] [SKIFF]

A round is one state directory. Clients and watchers (load.py, watchers.py) are at work on a server that dies again and again: at random
instants, while it starts, with its process group, at a fail-point (src/base/fail_points.def); in one round of four its supervisors, too, so that
steps are lost. A round's plan is drawn from its seed and number: --seed S --only ROUND draws the same again."""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import load as loads  # noqa: E402
from load import API, NS, WORKFLOWS, Load  # noqa: E402
from server import Server, Stream, common, points  # noqa: E402
from watchers import Deltas, States  # noqa: E402

KILLS, CLIENTS = 26, 5
POINT_S = 0.8  # a fail-point that nobody passes is none
LABEL = "workflows.argoproj.io/"
# those that such a load passes
POINTS = ("COMMIT_BEFORE", "COMMIT_AFTER", "SLOT_JOURNAL", "START_BEFORE", "START_AFTER", "RESULT_READ", "ADOPTED", "JOURNAL_REMOVE", "ROW_BEFORE", "ROW_AFTER",
          "OBJECT_DONE", "RETIRE", "RUBBISH", "CONTENT_MOVED", "CONTENT_WRITTEN", "SLOT_ASKED", "SLOT_FORKED")
OF_SUPERVISORS = ("BEGIN_BEFORE", "BEGIN_AFTER", "STEP_STARTED", "STEP_ENDED", "OUTPUT_SAVED", "END_BEFORE", "END_AFTER", "RESULT_SENT")


class Life:
    """Of a server: from when it was seen to listen."""

    def __init__(self, begun):
        self.begun, self.promised = begun, 0.0


class Round:
    def __init__(self, skiff, seed, number, keep=False):
        self.score, self.number, self.keep = common.Score(), number, keep
        self.rng = random.Random(f"{seed}/{number}")
        self.lossy = number % 4 == 3
        self.tier = self.rng.choice(common.host_tiers())
        self.server = Server(skiff, self.tier)
        self.place = self.server.place
        self.load = Load(self.server, f"{seed}/{number}", self.lossy)
        self.port, self.lives = free_port(self.rng), []
        self.kills, self.fired = collections.Counter(), collections.Counter()
        self.took = 0

    def check(self, ok, what):
        return self.score.check(ok, f"round {self.number}, tier {self.tier}{', steps may be lost' if self.lossy else ''}: {what}")

    # ---- lives and deaths ----

    def start(self, env=None):
        """False when it died before it listened, as a fail-point may let it."""
        try:
            self.server.start(env={"SKIFF_PARALLEL": "12", **(env or {})}, port=self.port)
        except RuntimeError as e:
            if "somebody else listens" in str(e):
                self.port = free_port(self.rng)
                return self.start(env)
            if self.server.proc.returncode != -signal.SIGKILL:
                raise RuntimeError(f"it does not start: {e}") from e
            return False
        with self.load.lock:
            self.lives.append(Life(time.time()))
            self.load.promised_at = 0.0
        self.load.up.set()
        return True

    def dead(self, how):
        self.load.up.clear()
        self.server.proc.wait()
        self.kills[how] += 1
        with self.load.lock:
            self.lives[-1].promised = self.load.promised_at

    def kill_in_start(self):
        proc = subprocess.Popen(self.place.command("server", "--port", str(self.port)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, process_group=0, env=self.place.env({"SKIFF_RUNTIME": self.tier}))
        time.sleep(self.rng.uniform(0, 0.08))  # chance
        common.kill_engine(proc)
        self.kills["in start"] += 1

    def kill_one(self):
        """One life and its end."""
        how = self.rng.choice(["instant"] * 3 + ["group", "launcher"] + ["point"] * 5 + (["all", "supervisor", "supervisor point"] if self.lossy else []))
        armed = None
        if how.endswith("point"):
            name = self.rng.choice(OF_SUPERVISORS if how == "supervisor point" else POINTS)
            armed = points.Armed(self.place, name, self.rng.choice([1, 1, 2, 3, 5, 8]))
        wait_s = self.rng.uniform(0, 0.4)
        if self.rng.random() < 0.1:
            self.kill_in_start()
        if not self.start(armed.env if armed else None):
            self.fired[armed.name] += 1
            self.kills["point"] += 1
            return
        proc = self.server.proc
        if armed:
            until = time.monotonic() + POINT_S
            while proc.poll() is None and time.monotonic() < until and not (how == "supervisor point" and armed.fired()):
                time.sleep(0.01)  # poll
            if armed.fired():
                self.fired[armed.name] += 1
            else:
                how = "instant"
            if proc.poll() is None:
                time.sleep(wait_s / 4)  # chance
        else:
            time.sleep(wait_s)  # chance
        if how in ("launcher", "supervisor"):
            some = sorted(p for p in common.descendants({proc.pid}) if common.comm(p) == ("skiff-launcher" if how == "launcher" else "skiff-slot"))
            common.signal_all(some[:1], signal.SIGKILL)
            time.sleep(wait_s / 2)  # chance
        if how == "all" and proc.poll() is None:
            common.kill_everything(self.place, proc)
        elif how == "group":
            os.killpg(proc.pid, signal.SIGKILL)
        elif proc.poll() is None:
            proc.kill()
        self.dead(how)
        self.server.proc.stderr.close()

    # ---- the round ----

    def cron(self, name, **spec):
        doc = {"apiVersion": loads.ARGO, "kind": "CronWorkflow", "metadata": {"name": name}, "spec": {
            "schedules": ["@every 1s"], "startingDeadlineSeconds": 3600, "workflowSpec": self.load.jobs.one("x", "true")["spec"], **spec}}
        self.load.must("POST", f"{API}/cron-workflows/{NS}", {"cronWorkflow": doc}, ok=(200, 409))

    def run(self):
        begun = time.monotonic()
        self.start()
        self.load.prepare()
        self.cron("tick", successfulJobsHistoryLimit=1000, failedJobsHistoryLimit=1000)
        self.cron("few", successfulJobsHistoryLimit=1, failedJobsHistoryLimit=1, concurrencyPolicy="Forbid")
        watchers = [Deltas(self.load, tell=True), Deltas(self.load, restless=True), States(self.load, tell=True), States(self.load, restless=True)]
        clients = [threading.Thread(target=self.load.client, args=(i,), daemon=True) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        self.server.kill()
        self.dead("instant")
        while sum(self.kills.values()) < KILLS and not self.load.broken:
            self.kill_one()
        self.start()
        self.load.stopping.set()
        for c in clients:
            c.join()
        if self.check(not self.load.broken, f"{self.load.broken}"):
            self.settle(watchers)
            self.verify(watchers)
        self.took = time.monotonic() - begun

    def settle(self, watchers):
        """Everything is over; then two more workflows, by which watchers know that they have seen all."""
        for name in ("tick", "few"):
            self.load.must("PUT", f"{API}/cron-workflows/{NS}/{name}/suspend", {})
        self.cron_until = time.time()
        common.wait_for(lambda: not self.listed(f"{LABEL}completed=false"), "the end of all")
        common.wait_for(lambda: not [n for n in self.load.deleted_uids.values() if n.startswith("short") and self.load.ask("GET", f"{WORKFLOWS}/{n}")[0] != 404], "those that go")
        self.last = self.load.accept(self.load.jobs.one("last-of-all", "true"))
        self.load.ended(self.last)
        for w in watchers:
            w.last = self.last
        self.load.accept(self.load.jobs.one("after-the-last", "true"))
        for w in watchers:
            w.join(common.LIMIT_S)
            self.check(not w.is_alive(), f"{type(w).__name__} did not see the last")

    def listed(self, selector=""):
        items, token = [], ""
        while True:
            page = self.load.must("GET", f"{WORKFLOWS}?listOptions.limit=200&listOptions.labelSelector={selector.replace('=', '%3D')}&listOptions.continue={token}")[1]
            items += page["items"] or []
            token = page["metadata"].get("continue")
            if not token:
                return items


    # ---- what must hold ----

    def verify(self, watchers):
        workflows = {w["metadata"]["uid"]: w for w in self.listed()}
        self.verify_stories(workflows)
        self.verify_beginnings(workflows)
        self.verify_watchers(workflows, watchers)
        self.verify_cron(workflows)
        self.check(self.server.stop() == 0, f"told to end: {self.server.said}")
        sick = [c for c in json.loads(self.place.call("doctor", "-o", "json").stdout) if c["check"] in ("database", "rows", "artifacts") and c["status"] != "ok"]
        self.check(not sick, f"doctor: {sick}")
        self.check(not (left := self.place.left_after_kills()), f"left behind: {left[:5]}")

    def lost(self, wf):
        """A step of it was lost, so its end may be any."""
        return self.lossy and any("step lost" in n.get("message", "") for n in wf["status"].get("nodes", {}).values())

    def verify_stories(self, workflows):
        l = self.load
        for uid, (name, phase, text) in l.expected.items():
            wf = workflows.get(uid)
            if not self.check(wf, f"{name} is lost") or self.lost(wf):
                continue
            self.check(wf["metadata"]["name"] == name and wf["status"]["phase"] == phase, f"{name}: {wf['status']['phase']}, not {phase}: {wf['status'].get('message')}")
            got = [p.get("value") for n in wf["status"]["nodes"].values() for p in n.get("outputs", {}).get("parameters", [])]
            self.check(not text or text in got, f"{name}: {text} is not among {got}")
        for uid, name in l.deleted_uids.items():
            self.check(uid not in workflows, f"{name} was deleted, and is there")
        of_events = collections.Counter(w["metadata"]["labels"]["event"] for w in workflows.values() if "event" in w["metadata"].get("labels", {}))
        for name, taken in l.events.items():
            self.check(of_events[name] == 1 if taken else of_events[name] < 2, f"event {name}, {'' if taken else 'not '}taken: {of_events[name]} workflows")
        for selector, most in l.forms.items():
            n = len(self.listed(selector))
            self.check(1 <= n <= most, f"{selector}: {n} workflows, sent {most} times")
        for name, value in l.config.items():
            status, got, _ = l.ask("GET", f"{API}/skiff/objects/configmaps/{NS}/{name}")
            self.check(status == 404 if value is None else status == 200 and got["data"]["value"] == value, f"ConfigMap {name}: {status} {got}, not {value}")
        for target, content in l.files:
            status, got, _ = l.ask("GET", target)
            self.check(status == 200 and got == content, f"{target}: {status} {got[:60]}")

    def verify_beginnings(self, workflows):
        """Each step began as often as the engine says, and nothing else did."""
        lines = self.place.lines()
        begun = collections.Counter(tuple(line.split()[1:]) for line in lines if line.startswith("S "))
        self.check("V" not in lines, "two had one lock")
        for uid, wf in workflows.items():
            for node in wf["status"].get("nodes", {}).values():
                if node["type"] != "Pod" or node.get("templateName") == "make":
                    continue
                n, most = begun.pop((uid, node["name"]), 0), 1 + self.load.extra[uid, node["name"]]
                sure = node["phase"] in ("Succeeded", "Failed") and "with strategy" not in node.get("message", "") and not (self.lossy and most > 1)
                self.check(n == most if sure else n <= most, f"{node['name']} {node['phase']} {node.get('message', '')} began {n} times, not {most}")
        gone = set(self.load.deleted_uids) | self.load.told.gone
        strange = {key: n for key, n in begun.items() if key[0] not in gone or n > 1}
        self.check(not strange, f"began, and nobody knows: {strange}")

    def verify_watchers(self, workflows, watchers):
        now = Stream(self.server.connect(), f"{API}/skiff/changes?after=0", self.load.headers)
        log = Deltas.__new__(Deltas)
        log.seen, log.deleted, log.after, log.tell, log.over, log.wrong = [], {}, 0, False, set(), []
        while self.last not in log.over:
            log.take(json.loads(now.line()))
        now.close()
        there = {uid for _, uid, _ in log.seen}
        gone = set(self.load.deleted_uids) | self.load.told.gone
        untold = {name for uid, name in self.load.deleted_uids.items() if uid not in log.deleted}
        self.check(not log.wrong and not untold and not set(log.deleted) & set(workflows), f"the log: {log.wrong[:3]}; deletions that it does not know: {untold}")
        for w in watchers:
            self.check(not w.wrong, f"{type(w).__name__}: {w.wrong[:3]}")
            if isinstance(w, Deltas):
                mine = [c for c in w.seen if c[1] in there and c[0] <= log.after and log.deleted.get(c[1], c[0]) == c[0]]  # of those that are gone the log knows that alone
                self.check(mine == log.seen, f"changes: {len(mine)} were seen of {len(log.seen)}; first that differs: {[p for p in zip(mine, log.seen) if p[0] != p[1]][:1]}")
                self.check({c[1] for c in w.seen} - there <= gone | set(workflows), "changes of workflows that nobody knows")
                continue
            wrong = {wf["metadata"]["name"]: w.state.get(uid) for uid, wf in workflows.items() if w.state.get(uid) != wf["status"]["phase"] and wf["metadata"]["name"] != "after-the-last"}
            self.check(not wrong, f"last states that were missed: {wrong}")
            wrong = {name: w.state[uid] for uid, name in self.load.deleted_uids.items() if w.state.get(uid, "DELETED") != "DELETED"}
            self.check(not wrong, f"deletions that were missed: {wrong}")

    def verify_cron(self, workflows):
        """Each second of a life in which the server answered has its run, and the last one before that life."""
        names = {w["metadata"]["name"] for w in workflows.values() if w["metadata"].get("labels", {}).get(LABEL + "cron-workflow") == "tick"}
        seconds = {int(n.rsplit("-", 1)[1]) for n in names}
        due = set()
        for life in self.lives:
            if life.promised > life.begun:
                due |= set(range(int(life.begun), int(life.promised - 0.02) + 1))
        due = {s for s in due if seconds and min(seconds) < s < self.cron_until}  # what was missed before the first one is not made up for
        self.check(seconds and due <= seconds, f"cron left out {sorted(due - seconds)} of {len(due)}")
        status = self.load.must("GET", f"{API}/cron-workflows/{NS}/tick")[1]["status"]
        self.check(status["succeeded"] + status["failed"] == len(seconds) and not status["active"], f"counted: {status}, runs: {len(seconds)}")
        few = [w for w in workflows.values() if w["metadata"].get("labels", {}).get(LABEL + "cron-workflow") == "few"]
        self.check(few and len(few) <= 2 + 12, f"kept of few: {len(few)}")  # the others go ten seconds after one has ended


def free_port(rng):
    """Below those that are given to clients, so that it is still free when the server comes back."""
    while True:
        port = rng.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def one_round(skiff, seed, number, keep):
    """In a process of its own."""
    r = Round(skiff, seed, number, keep)
    try:
        r.run()
    except Exception as e:  # a round that breaks is one that failed
        r.check(False, f"{type(e).__name__}: {e}")
    if r.score.failed and keep:
        print(f"kept: {r.place.root}", flush=True)
    r.load.broken.append("over")
    if r.server.proc.poll() is None:
        r.server.kill()
    r.place.kill_all()
    if not (r.score.failed and keep):
        r.place.remove()
    l = r.load
    return r.score.passed, r.score.failed, r.kills, r.fired, l.stories, l.requests, l.repeated, r.took


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff", nargs="?", default=os.environ.get("SKIFF"))
    p.add_argument("--kills", type=int, default=312)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    p.add_argument("--only", type=int)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--keep", action="store_true", help="the directories of rounds that failed")
    o = p.parse_args()
    numbers = [o.only] if o.only is not None else range(-(-o.kills // KILLS))
    score, kills, fired, stories, requests, repeated = common.Score(), collections.Counter(), collections.Counter(), collections.Counter(), 0, 0
    print(f"seed {o.seed}: draw a round again with --seed {o.seed} --only ROUND", flush=True)
    with concurrent.futures.ProcessPoolExecutor(o.jobs, max_tasks_per_child=1) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one_round, o.skiff, o.seed, n, o.keep) for n in numbers]):
            passed, failed, k, f, s, asked, again, _ = done.result()
            score.passed, score.failed = score.passed + passed, score.failed + failed
            kills, fired, stories, requests, repeated = kills + k, fired + f, stories + s, requests + asked, repeated + again
    print(f"{kills.total()} kills: " + ", ".join(f"{how} {n}" for how, n in sorted(kills.items())))
    print("fail-points: " + ", ".join(f"{name} {n}" for name, n in sorted(fired.items())))
    print(f"{stories.total()} stories: " + ", ".join(f"{name} {n}" for name, n in sorted(stories.items())))
    print(f"{requests} requests were answered, {repeated} were sent and not answered")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
