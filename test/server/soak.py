#!/usr/bin/env python3
"""A server under mixed load for a long time: what it holds reaches a steady size, and goes when its reason has gone.

usage: soak.py [--minutes N] [--seed S] [--clients N] [SKIFF]

Clients with a token come over TLS, watch, follow logs, fetch artifacts and leave without a word; workflows go by themselves some time after they
have ended, so that the state reaches its size. Memory, descriptors, threads, files and the database are measured all the time; in the second half
they must not grow. Then the load ends, everything that ended goes, and they must be as they were before."""
import argparse
import collections
import contextlib
import http.client
import os
import random
import socket
import sqlite3
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import auth  # noqa: E402
import http_cases  # noqa: E402
import load as loads  # noqa: E402
from load import API, NS, WORKFLOWS, Load  # noqa: E402
from server import Server, Stream, common, memory_check  # noqa: E402
from watchers import BREAKS, Deltas, States  # noqa: E402

CLIENTS = 4
ROWS = 40  # measurements
CHANGES = 99_000  # of LIMIT_CHANGES
MEMORY_KIB = 2048  # that may come in the second half: the allocator's own affair


class TlsServer(Server):
    def start_tls(self):
        cert, key = http_cases.certificate(self.place)
        self.trust = ssl.create_default_context(cafile=cert)
        self.start("--auth", "token", "--tls-cert", cert, "--tls-key", key, env={"SKIFF_PARALLEL": "8"})
        threading.Thread(target=self.proc.stderr.read, daemon=True).start()
        return auth.bearer(auth.first_token(self))

    def connect(self, own="127.0.0.1"):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=common.LIMIT_S, context=self.trust, source_address=(own, 0))


class Visitors(threading.Thread):
    """Clients that look, and those that go without a word."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.number = number
        self.load, self.rng, self.seen = load, random.Random(f"{load.seed}/visitor {number}"), collections.Counter()
        self.start()

    def run(self):
        while not self.load.stopping.is_set() and not self.load.broken:
            what = self.rng.choice((self.lists, self.log, self.metrics, self.half_a_request, self.half_a_handshake, self.short_watch, self.wrong_token, self.own_token))
            try:
                what()
                self.seen[what.__name__] += 1
            except Exception as e:
                self.load.broken.append(f"{what.__name__}: {type(e).__name__}: {e}")

    def lists(self):
        self.load.must("GET", f"{WORKFLOWS}?listOptions.limit=20&fields=metadata,items.metadata.name,items.status.phase", ok=(200,))

    def metrics(self):
        self.load.must("GET", "/metrics")

    def log(self):
        names = [w["metadata"]["name"] for w in self.load.must("GET", f"{WORKFLOWS}?listOptions.limit=5")[1]["items"] or []]
        for name in names[:1]:
            with contextlib.suppress(*BREAKS):
                stream = Stream(self.load.server.connect(), f"{WORKFLOWS}/{name}/log?logOptions.follow=true", self.load.headers)
                if self.rng.random() < 0.5 and stream.status == 200:
                    stream.rest()
                stream.close()

    def wrong_token(self):
        """From an address of its own: soon nobody's new token is looked at there."""
        c = self.load.server.connect("127.0.0.9")
        c.request("GET", WORKFLOWS, headers={"Authorization": "Bearer skt_wrong"})
        c.getresponse().read()
        c.close()

    def own_token(self):
        name = f"visitor-{self.number}"
        made = self.load.must("POST", f"{API}/skiff/tokens", {"name": name, "role": "view"})[1]
        self.load.must("GET", f"{WORKFLOWS}?listOptions.limit=1", headers=auth.bearer(made["token"]))
        self.load.must("DELETE", f"{API}/skiff/tokens/{name}")

    def short_watch(self):
        stream = Stream(self.load.server.connect(), self.rng.choice((f"{API}/workflow-events/{NS}", f"{API}/skiff/changes?after=0", f"{API}/stream/events/{NS}")), self.load.headers)
        for _ in range(self.rng.randrange(8)):
            stream.reply.readline()
        stream.close()

    def half_a_request(self):
        c = self.load.server.connect()
        c.connect()
        c.sock.sendall(b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: x\r\nContent-Le")
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, self.rng.randrange(2)))
        c.close()

    def half_a_handshake(self):
        with socket.create_connection(("127.0.0.1", self.load.server.port)) as c:
            c.sendall(b"\x16\x03\x01")


class Soak(Load):
    """Nothing of it stays for ever: what has no end of its own is deleted."""

    def objects(self, rng, name):
        super().objects(rng, name)
        self.must("DELETE", f"{API}/skiff/objects/configmaps/{NS}/{name}", ok=(200, 404))

    def batch(self, rng, name):
        super().batch(rng, name)
        self.must("DELETE", f"{API}/skiff/objects/configmaps/{NS}/{name}", ok=(200, 404))

    def made(self, rng, name):
        super().made(rng, name)
        target, content = self.files.pop()
        status, got, _ = self.ask("GET", target)
        if status != 200 or got != content:
            raise RuntimeError(f"{target}: {status} {got[:60]}")


def pss_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


class Measure:
    COLUMNS = ("seconds", "stories", "PSS KiB", "of all", "descr.", "threads", "processes", "zombies", "files", "db KiB", "wal KiB", "changes")

    def __init__(self, s):
        self.s, self.begun, self.rows = s, time.monotonic(), []

    def take(self, stories):
        pid, state = self.s.proc.pid, self.s.place.state
        children = common.descendants({pid})
        zombies = 0
        for p in children:
            with contextlib.suppress(OSError):
                zombies += state_of(p) == "Z"
        files = sum(len(names) for _, _, names in os.walk(state))
        size = [os.stat(state + name).st_size >> 10 if os.path.exists(state + name) else 0 for name in ("/skiff.db", "/skiff.db-wal")]
        with contextlib.closing(sqlite3.connect(f"file:{state}/skiff.db?mode=ro", uri=True)) as db:
            first, last = db.execute("SELECT min(seq), max(seq) FROM changes").fetchone()
        row = (int(time.monotonic() - self.begun), stories, pss_kib(pid), pss_kib(pid) + sum(map(pss_kib, children)), http_cases.descriptors(pid),
               len(os.listdir(f"/proc/{pid}/task")), len(children), zombies, files, *size, (last or 0) - (first or 0))
        self.rows.append(row)
        print("  ".join(f"{value:>{max(len(name), 7)}}" for name, value in zip(self.COLUMNS, row)), flush=True)
        return dict(zip(self.COLUMNS, row))

    def header(self):
        print("  ".join(f"{name:>7}" for name in self.COLUMNS), flush=True)

    def column(self, name):
        return [row[self.COLUMNS.index(name)] for row in self.rows]

    def slope_per_minute(self, name):
        """Of a line through the second half."""
        half = len(self.rows) // 2
        x, y = [v / 60 for v in self.column("seconds")[half:]], self.column(name)[half:]
        mx, my = sum(x) / len(x), sum(y) / len(y)
        return sum((a - mx) * (b - my) for a, b in zip(x, y)) / (sum((a - mx) ** 2 for a in x) or 1)

    def thirds(self, name):
        """The largest of the middle third and of the last one."""
        values, n = self.column(name), len(self.rows) // 3
        return max(values[n:-n]), max(values[-n:])


def soak(score, skiff, seconds, seed, clients=CLIENTS):
    s = TlsServer(skiff, common.host_tiers()[-1])
    try:
        at_work(score, s, seconds, seed, clients)
    finally:
        s.close()


def at_work(score, s, seconds, seed, n_clients):
    token = s.start_tls()
    keep_s = max(5, min(30, seconds / 10))
    spec = {"ttlStrategy": {"secondsAfterCompletion": int(keep_s)}, "podGC": {"strategy": "OnPodCompletion"}, "artifactGC": {"strategy": "OnWorkflowDeletion"}}
    load = Soak(s, seed, headers=token, spec=spec)
    load.chance = {k: v for k, v in loads.CHANCE.items() if k != "brought"}  # what was uploaded is kept
    load.up.set()
    load.prepare()
    for _ in range(3):
        load.must("GET", WORKFLOWS)
    measure = Measure(s)
    measure.header()
    before = measure.take(0)
    load.must("POST", f"{API}/cron-workflows/{NS}", {"cronWorkflow": {"apiVersion": loads.ARGO, "kind": "CronWorkflow", "metadata": {"name": "tick"}, "spec": {
        "schedules": ["@every 1s"], "successfulJobsHistoryLimit": 1, "workflowSpec": load.jobs.one("x", "true")["spec"]}}})
    watchers = [Deltas(load, tell=True), States(load, tell=True), Deltas(load, restless=True), States(load, restless=True)]
    visitors = [Visitors(load, i) for i in range(2)]
    clients = [threading.Thread(target=load.client, args=(i,), daemon=True) for i in range(n_clients)]
    for c in clients:
        c.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until and not load.broken:
        load.stopping.wait(seconds / ROWS)
        measure.take(load.stories.total())
    load.stopping.set()
    for t in clients + visitors:
        t.join(common.LIMIT_S)
    if score.check(not load.broken, f"{load.broken}"):
        grows(score, measure, seconds)
        settles(score, s, load, watchers, measure, before)
    seen = sum((v.seen for v in visitors), collections.Counter())
    print(f"{load.stories.total()} stories, {load.requests} requests, visitors: " + ", ".join(f"{k} {n}" for k, n in sorted(seen.items())))
    score.check(s.stop() == 0, "told to end")
    score.check(not (left := s.place.wait_clean()), f"left behind: {left[:5]}")


def grows(score, m, seconds):
    """The second half is like the first; a short run says less."""
    slope = m.slope_per_minute("PSS KiB")
    print(f"second half: PSS {slope:+.1f} KiB a minute")
    mid, last = m.thirds("PSS KiB")
    memory_check(score, last <= mid + (MEMORY_KIB if seconds > 300 else 4 * MEMORY_KIB), f"PSS: {mid} KiB, then {last}")
    mid, last = m.thirds("threads")
    score.check(last <= mid, f"threads: {mid}, then {last}")
    mid, last = m.thirds("descr.")
    score.check(last <= mid + 24, f"descriptors: {mid}, then {last}")
    score.check(max(m.column("zombies")) <= 2, f"zombies: {m.column('zombies')}")  # one may be met between its end and its wait
    mid, last = m.thirds("files")
    score.check(last <= mid * 1.5 + 20, f"files: {mid}, then {last}")
    if max(m.column("changes")[:-len(m.rows) // 3]) < CHANGES:
        print(f"the database has not reached its size: {m.column('changes')[-1]} changes of {CHANGES} that are kept")
        return
    mid, last = m.thirds("db KiB")
    score.check(last <= mid * 1.2, f"db KiB: {mid}, then {last}")


def settles(score, s, load, watchers, m, before):
    """Without load everything that ended goes, and what was held for it."""
    load.must("DELETE", f"{API}/cron-workflows/{NS}/tick")
    common.wait_for(lambda: not load.must("GET", f"{WORKFLOWS}?listOptions.limit=1&fields=items.metadata.name")[1].get("items"), "the end of the last workflow")
    load.broken.append("over")  # watchers end with their next frame
    last = s.ask("POST", WORKFLOWS, {"workflow": load.jobs.one("last-of-all", "true", ttlStrategy={"secondsAfterCompletion": 0})}, headers=load.headers)
    score.check(last[0] == 200, f"one more: {last[2]}")
    for w in watchers:
        w.join(common.LIMIT_S)
        score.check(not w.is_alive() and not w.wrong, f"{type(w).__name__}: {w.wrong[:3]}")
    common.wait_for(lambda: s.ask("GET", f"{WORKFLOWS}/last-of-all", headers=load.headers)[0] == 404, "its end")
    common.wait_for(lambda: http_cases.descriptors(s.proc.pid) <= before["descr."] + 40, "descriptors of supervisors and of nobody else")
    left = [f for part in ("artifacts", "steps", "work", "pods") for _, _, names in os.walk(f"{s.place.state}/{part}") for f in names]
    common.wait_for(lambda: not [f for part in ("artifacts", "steps", "work", "pods") for _, _, names in os.walk(f"{s.place.state}/{part}") for f in names], f"files: {left[:5]}")
    after = m.take(load.stories.total())
    score.check(after["zombies"] == 0, f"zombies: {after['zombies']}")
    print(f"before: {before}\nafter: {after}")


def short(score, skiff):
    """The gate's."""
    soak(score, skiff, 24, random.randrange(1 << 31))


CASES = (short,)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("skiff", nargs="?", default=os.environ.get("SKIFF"))
    p.add_argument("--minutes", type=float, default=20)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--clients", type=int, default=CLIENTS)
    o = p.parse_args()
    score = common.Score()
    soak(score, o.skiff, o.minutes * 60, o.seed, o.clients)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
