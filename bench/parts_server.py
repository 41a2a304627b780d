"""Parts of the bench about `skiff server`."""
import http.client
import json
import sqlite3
import statistics
import subprocess
import time
import urllib.parse

PHASES = ("Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed", "Error")


def start(b, name, port=0, quiet=False):
    """A server on a state directory of its own, and a connection to it. `quiet`: at this port, without waiting for what it says."""
    command = [b.bin["skiff"], "server", "--port", str(port), "--state", b.state("root", name)]
    proc = subprocess.Popen(command, env={**b.env("root"), "SKIFF_RUNTIME": "none", **b.settings}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if quiet:
        return proc, http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    said = ""
    while "listening at " not in said:
        line = proc.stderr.readline()
        if not line:
            raise RuntimeError(said)
        said += line
    url = urllib.parse.urlsplit(said.rsplit("listening at ", 1)[1].split()[0])
    return proc, http.client.HTTPConnection(url.hostname, url.port, timeout=60)


def stop(proc):
    proc.terminate()
    proc.wait()
    proc.stderr.close()


def fill(path, count):
    """Finished workflows as the engine leaves them, without steps. Rare labels, names and phases are those of one in 10,000."""
    doc = json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {}, "spec": {"entrypoint": "m", "templates": [
        {"name": "m", "container": {"image": "busybox", "command": ["true"]}}]}})
    with sqlite3.connect(path) as db:
        last = db.execute("SELECT last_run FROM meta").fetchone()[0]
        for i in range(last + 1, last + count + 1):
            at, odd = 1_700_000_000_000_000 + i * 1_000_000, i % 10_000 == 0
            labels = json.dumps({"team": f"t{i % 7}", "workflows.argoproj.io/cron-workflow": f"cron-{i % 5000}", **({"rare": "yes"} if odd else {})})
            db.execute("INSERT INTO runs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       (i, f"00000000-0000-4000-8000-{i:012}", "few" if odd else "default", f"{'odd' if odd else 'nightly'}-{i:06}",
                        "Error" if odd else PHASES[i % 5], at, at + 1000, at + 2_000_000, labels, "", "1/1", 1, 1, 0))
            db.execute("INSERT INTO docs VALUES(?,?)", (i, doc))
        db.execute("UPDATE meta SET last_run=?", (last + count,))


LISTS = {
    "all": "", "a rare label": "listOptions.labelSelector=rare%3Dyes", "a common label": "listOptions.labelSelector=team%3Dt3",
    "two labels": "listOptions.labelSelector=team%3Dt3,workflows.argoproj.io/cron-workflow%3Dcron-17",
    "labels that exclude each other": "listOptions.labelSelector=team%3Dt3,team!%3Dt3",
    "a rare phase": "listOptions.labelSelector=workflows.argoproj.io/phase%3DError",
    "a common phase": "listOptions.labelSelector=workflows.argoproj.io/phase+in+(Succeeded,Failed)",
    "part of a name": "listOptions.fieldSelector=metadata.name%3Dodd&nameFilter=Contains",
    "a name's beginning": "listOptions.fieldSelector=metadata.name%3Dodd&nameFilter=Prefix", "a name": "listOptions.fieldSelector=metadata.name%3Dnightly-000123",
    "finished before": "finishedBefore=2023-11-14T22:20:00Z", "created after": "createdAfter=2023-11-15T23:00:00Z",
    "a namespace of few": "listOptions.fieldSelector=metadata.namespace%3Dfew",
}


def lists(b):
    """First pages of many workflows: the median of the slowest filter, for the fields of a table and for whole objects."""
    count, rounds = (5_000, 3) if b.quick else (100_000, 15)
    proc, c = start(b, "lists")
    stop(proc)
    fill(b.state("root", "lists") + "/skiff.db", count)
    proc, c = start(b, "lists")
    try:
        for form, fields in (("in short", "metadata,items.metadata.name,items.status.phase"), ("whole", "")):
            took = {}
            for name, query in LISTS.items():
                times = []
                for _ in range(rounds):
                    begin = time.monotonic()
                    c.request("GET", f"/api/v1/workflows/?listOptions.limit=50&fields={fields}&{query}")
                    reply = c.getresponse()
                    body = reply.read()
                    times.append(time.monotonic() - begin)
                    if reply.status != 200:
                        return b.absent("lists", body.decode()[:100])
                took[name] = statistics.median(times)
                print("    %-32s %6.1f ms, %d items" % (name, took[name] * 1e3, len(json.loads(body)["items"])))
            worst = max(took, key=took.get)
            b.row("first page of %d workflows, %s, slowest filter" % (count, form), "≤ 50 ms", "%.1f ms (%s)" % (took[worst] * 1e3, worst), took[worst] <= 0.05)
    finally:
        stop(proc)


def server(b):
    b.settings = {}
    lists(b)
