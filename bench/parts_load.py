"""Parts of the bench about `skiff server` under load. The clients are bench/httpload.c: Python would be what is measured."""
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import time

import measure
import parts_server

HELLO = {"image": "busybox", "command": ["/bin/true"]}


def workflow(spec, name=None):
    meta = {"name": name} if name else {"generateName": "w-"}
    return json.dumps({"workflow": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta, "spec": spec}})


def hello(**spec):
    return {"entrypoint": "m", "templates": [{"name": "m", "container": HELLO}], **spec}


class Served:
    """A server for one part, and its clients."""

    def __init__(self, b, name, port=0, **settings):
        self.b, self.name = b, name
        b.settings = {"SKIFF_" + k.upper(): str(v) for k, v in settings.items()}
        self.proc, self.c = parts_server.start(b, name, port)
        self.streams = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.streams:
            s.kill()
            s.wait()
        parts_server.stop(self.proc)

    def get(self, path, method="GET", body=None):
        self.c.request(method, path, body)
        return self.c.getresponse().read()

    def metric(self, name, word=""):
        return sum(float(line.split()[-1]) for line in self.get("/metrics").decode().splitlines() if line.startswith(name) and word in line)

    def load(self, connections, count, method, path, body=None, rate=0):
        words = [self.b.bin["httpload"], "-c", str(connections), "-n", str(count), *(["-r", str(rate)] if rate else []), str(self.c.port), "requests", method, path]
        if body:
            words.append(self.b.write("body.json", body))
        r = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        if r["refused"]:
            raise measure.Broken("%d of %d requests were refused, the first with %s" % (r["refused"], count, r["refusal"]))
        return r

    def watch(self, count, paths):
        file = self.b.write("paths-%d" % len(self.streams), "\n".join(paths) + "\n")
        s = subprocess.Popen([self.b.bin["httpload"], "-c", str(count), str(self.c.port), "streams", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.streams.append(s)
        if s.stdout.readline() != "open\n":
            raise measure.Broken("%d streams cannot be opened" % count)

    def watched(self):
        """What each kind of watchers has got, once nothing more comes."""
        out = [json.loads(s.communicate()[0]) for s in self.streams]
        self.streams = []
        return out

    def wait_idle(self):
        while self.metric("skiff_workflows_active"):
            time.sleep(0.05)

    def pss_kib(self):
        with open("/proc/%d/smaps_rollup" % self.proc.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))

    def cpu(self):
        with open("/proc/%d/stat" % self.proc.pid) as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def switches(self):
        total = 0
        for task in os.listdir("/proc/%d/task" % self.proc.pid):
            with open("/proc/%d/task/%s/status" % (self.proc.pid, task)) as f:
                total += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
        return total


# ---- starting ----

def first_step(b):
    """From just before a request is sent until its step is executed, one after the other on an idle server."""
    count, took = 30 if b.quick else 300, []
    with Served(b, "first") as s:
        for i in range(count):
            path = b.path("first-%d" % i)
            step = {"image": "busybox", "command": [b.bin["when"], path]}
            body, at = workflow({"entrypoint": "m", "templates": [{"name": "m", "container": step}]}), time.time_ns()
            s.get("/api/v1/workflows/default", "POST", body)
            while not os.path.exists(path) or not os.path.getsize(path):
                time.sleep(0.001)
            with open(path) as f:
                took.append((int(f.read()) - at) / 1e6)
            s.wait_idle()
    took.sort()
    for name, q, most in (("p50", 0.5, 5), ("p99", 0.99, 25)):
        ms = took[int(len(took) * q)]
        b.row("submit to first step running, idle server, %s" % name, "≤ %d ms" % most, "%.2f ms" % ms, ms <= most)


def same_rows(path, to, per_commit):
    """Seconds that SQLite alone takes for the rows of all submissions in `path`, as many in a commit, each on the disk before the next."""
    tables = {"runs": "run", "docs": "run", "run_values": "run", "nodes": "key >> 24", "changes": "run", "run_tags": "of_run"}
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as db:
        schema = [sql for sql, in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type<>'trigger'")]
        rows = {t: {} for t in tables}
        for table, run in tables.items():
            for row in db.execute("SELECT %s, * FROM %s" % (run, table)):
                rows[table].setdefault(row[0], []).append(row[1:])
    db = sqlite3.connect(to, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    for sql in schema:
        db.execute(sql)
    runs = sorted(rows["runs"])
    begun = time.perf_counter()
    for i in range(0, len(runs), per_commit):
        db.execute("BEGIN")
        for table in tables:
            some = [row for run in runs[i:i + per_commit] for row in rows[table].get(run, ())]
            if some:
                db.executemany("INSERT INTO %s VALUES(%s)" % (table, ",".join("?" * len(some[0]))), some)
        db.execute("COMMIT")
    return time.perf_counter() - begun


def submissions(b):
    """Each answered when it is on the disk. The workflows are suspended: nothing runs."""
    count = 1_000 if b.quick else 10_000
    with Served(b, "submissions") as s:
        s.load(64, 200, "POST", "/api/v1/workflows/default", workflow(hello(suspend=True)))
        commits, cpu = s.metric('skiff_commits_total{durability="durable"}'), s.cpu()
        r = s.load(64, count, "POST", "/api/v1/workflows/default", workflow(hello(suspend=True)))
        commits = s.metric('skiff_commits_total{durability="durable"}') - commits
        cpu = s.cpu() - cpu
    rate = count / r["seconds"]
    print("    %.0f submissions a commit, %.0f µs CPU each, p99 %.1f ms" % (count / commits, cpu / count * 1e6, r["p99_ms"]))
    b.row("durable submissions, 64 clients", "≥ 2000 /s", "%.0f /s" % rate, rate >= 2000)
    floor = same_rows(b.state("root", "submissions") + "/skiff.db", b.path("floor.db"), max(1, round(count / commits)))
    b.row("durable submissions / SQLite alone with the same rows and commits", "", "%.2f" % (r["seconds"] / (floor * count / (count + 200))), None)


def workflows(b):
    """Submitted by 64 clients, each with one step, until the last one has succeeded."""
    count = 500 if b.quick else 3_000
    with Served(b, "hello") as s:
        begun, cpu = time.perf_counter(), s.cpu()
        s.load(64, count, "POST", "/api/v1/workflows/default", workflow(hello()))
        s.wait_idle()
        took = time.perf_counter() - begun
        good = s.metric("argo_workflows_total_count{", '"Succeeded"')
        print("    engine %.0f µs CPU each, %.2f commits each" % ((s.cpu() - cpu) / count * 1e6, s.metric("skiff_commits_total") / count))
    b.row("hello-world workflows end to end, plain steps, %d cores" % b.cores, "≥ 300 /s",
          "%.0f /s%s" % (count / took, "" if good == count else ", %d succeeded" % good), good == count and count / took >= 300)
    bare = b.floor("root", "plain", "--workers", str(b.cores), "--count", str(count), "--", "/bin/true")()
    b.row("hello-world workflows / bare processes, wall", "", "%.2f" % (took / bare.wall), None)


# ---- watching ----

def ten_nodes():
    """A dag of nine steps, no process: what is measured is the server."""
    tasks = [{"name": "t%d" % i, "template": "n", **({"depends": "t%d" % (i - 1)} if i % 3 else {})} for i in range(9)]
    return {"entrypoint": "d", "suspend": True, "templates": [{"name": "d", "dag": {"tasks": tasks}}, {"name": "n", "suspend": {"duration": "0"}}]}


def row_of_watchers(b, what, got, lines):
    whole = all(g["least"] == g["most"] and not g["disorder"] and not g["broken"] for g in got) and (lines is None or got[0]["least"] == lines)
    p99 = max(g["p99_ms"] for g in got)
    b.row(what, "≤ 250 ms", "p99 %.0f ms%s" % (p99, "" if whole else ", NOT each once and in order"), whole and p99 <= 250)


def watchers(b):
    """Each of two workflows of its own, ten of all, while 200 of ten nodes run a second."""
    count, watches, rate = (400, 200, 100) if b.quick else (2_000, 990, 200)
    each = count // watches
    with Served(b, "watchers") as s:
        s.load(64, count, "POST", "/api/v1/workflows/default", workflow(ten_nodes(), "t-@@@@@@"))
        time.sleep(1)
        before = s.pss_kib()
        s.watch(watches, ["/api/v1/skiff/changes?" + "&".join("workflow=default/t-%06d" % ((w * each + k) % count) for k in range(each)) for w in range(watches)])
        s.watch(10, ["/api/v1/skiff/changes"])
        time.sleep(1)
        opened, cpu, begun = s.pss_kib(), s.cpu(), time.perf_counter()
        s.load(8, count, "PUT", "/api/v1/workflows/default/t-@@@@@@/resume", "{}", rate)
        s.wait_idle()
        took = time.perf_counter() - begun
        cpu = s.cpu() - cpu
        got = s.watched()
    print("    %.0f workflows a second, server %.0f %% CPU, %d lines of each, %d of all" % (count / took, cpu / took * 100, got[0]["least"], got[1]["least"]))
    b.row("ten-node workflows beside %d watchers" % (watches + 10), "≥ %d /s" % rate, "%.0f /s" % (count / took), count / took >= rate * 0.98)
    row_of_watchers(b, "  each delta once and in order", got, None)
    kib = (opened - before) / (watches + 10)
    b.row("  memory of a watcher", "≤ 20 KiB", "%.1f KiB" % kib, kib <= 20)


def large_run(b):
    """A run of 10,000 plain steps: alone, and with 1,000 who watch it."""
    count, watches = (500, 50) if b.quick else (9_997, 1_000)
    took = {}
    for n in (0, watches):
        with Served(b, "large-%d" % n) as s:
            steps = {"name": "d", "parallelism": 50, "steps": [[{"name": "t", "template": "m", "withSequence": {"count": str(count)}}]]}
            spec = hello(suspend=True, entrypoint="d")
            spec["templates"].append(steps)
            s.load(1, 1, "POST", "/api/v1/workflows/default", workflow(spec, "large"))
            if n:
                s.watch(n, ["/api/v1/skiff/changes?workflow=default/large"])
            begun = time.perf_counter()
            s.get("/api/v1/workflows/default/large/resume", "PUT", "{}")
            s.wait_idle()
            took[n] = time.perf_counter() - begun
            if n:
                got = s.watched()
    print("    %.1f s alone, %.1f s watched; %d lines to each, %.1f GB" % (took[0], took[watches], got[0]["least"], got[0]["bytes"] / 1e9))
    row_of_watchers(b, "one run of %d nodes, %d watchers: each delta once, in order" % (count + 3, watches), got, None)


# ---- doing nothing, and beginning again ----

def idle(b):
    """What a server costs that nobody uses: at its start, and when it has been busy."""
    seconds = 5 if b.quick else 20
    with Served(b, "idle") as s:
        for when in ("fresh", "after 1,000 workflows"):
            if when != "fresh":
                s.load(64, 100 if b.quick else 1_000, "POST", "/api/v1/workflows/default", workflow(hello()))
                s.wait_idle()
            s.c.close()
            time.sleep(3)
            before = s.switches()
            time.sleep(seconds)
            woken, mib = s.switches() - before, s.pss_kib() / 1024
            b.row("idle server, %s: memory, context switches in %d s" % (when, seconds), "≤ 25 MiB, 0", "%.1f MiB, %d" % (mib, woken), mib <= 25 and not woken)


def restart(b):
    """Killed with 100,000 workflows that are over and 1,000 whose step runs; the steps are taken over."""
    archived, running = (5_000, 100) if b.quick else (100_000, 1_000)
    proc, _ = parts_server.start(b, "restart")
    parts_server.stop(proc)
    parts_server.fill(b.state("root", "restart") + "/skiff.db", archived)
    sleeper = {"image": "busybox", "command": ["sleep", "600"]}
    with Served(b, "restart", parallel=running) as s:
        s.load(16, running, "POST", "/api/v1/workflows/default", workflow({"entrypoint": "m", "templates": [{"name": "m", "container": sleeper}]}))
        while s.metric('skiff_steps{stage="run"}') < running:
            time.sleep(0.1)
        port, times = s.c.port, []
        for _ in range(2 if b.quick else 5):
            s.proc.send_signal(signal.SIGKILL)
            s.proc.wait()
            s.proc.stderr.close()
            begun = time.perf_counter()
            s.proc, s.c = parts_server.start(b, "restart", port, quiet=True)
            while not ready(s):
                time.sleep(0.002)
            times.append(time.perf_counter() - begun)
            while s.metric('skiff_steps{stage="run"}') < running:
                time.sleep(0.05)
        b.row("restart with %d archived and %d running workflows" % (archived, running), "≤ 1 s", "%.2f s (of %d: %.2f)" % (min(times), len(times), max(times)), min(times) <= 1)
        s.load(16, 1, "POST", "/api/v1/workflows/default", workflow(hello(suspend=True)))
        for w in json.loads(s.get("/api/v1/workflows/?fields=items.metadata.name&listOptions.labelSelector=workflows.argoproj.io/completed%3Dfalse"))["items"]:
            s.get("/api/v1/workflows/default/%s/terminate" % w["metadata"]["name"], "PUT", "{}")


def ready(s):
    try:
        s.c.request("GET", "/readyz")
        r = s.c.getresponse()
        r.read()
        return r.status == 200
    except (OSError, http.client.HTTPException):
        s.c.close()
        return False


def load(b):
    for part in (first_step, submissions, workflows, watchers, large_run, idle, restart):
        try:
            part(b)
        except (measure.Broken, subprocess.CalledProcessError, OSError) as e:
            b.absent(part.__name__, str(e))
