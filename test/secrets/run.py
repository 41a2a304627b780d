#!/usr/bin/env python3
"""Values of Secrets stand in the database's rows of Secrets, in the steps that ask for them, and nowhere else: not in arguments
or environments of Skiff's processes, not in a file of the state directory (logs, journals, what a kill leaves), not in
what commands print, and not in a core file.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "http"), os.path.join(HERE, "..", "crash")]
import common  # noqa: E402
import servers  # noqa: E402

NOBODY = 65534
PLANTED = {"env": "planted-in-env-8f3a", "file": "planted-in-a-file-77c1", "user": "planted-user-1d20", "password": "planted-password-b9e4", "header": "planted-header-5a5a"}
TEXT = """apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: @DATA@
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  archiveLogs: true
  volumes:
  - {name: s, secret: {secretName: s}}
  - {name: count, hostPath: {path: @COUNT@}}
  templates:
  - name: main
    steps: [[{name: step, template: step}, {name: ask, template: ask}], [{name: bad, template: bad, continueOn: {failed: true, error: true}}]]
  - name: ask
    http: {url: "@URL@/ask", headers: [{name: X-Key, valueFrom: {secretKeyRef: {name: s, key: header}}}]}
  - name: step
    inputs:
      artifacts:
      - {name: in, path: /in, http: {url: "@URL@/in", auth: {basicAuth: {usernameSecret: {name: s, key: user}, passwordSecret: {name: s, key: password}}}}}
    container:
      image: busybox
      command: [sh, -c]
      args: ["echo env $KEY; echo file $(cat /s/file) >&2; printf 'planted-in-'; sleep 0.1; echo env-8f3a; echo S >> /count/log; while ! test -e /count/go; do sleep 0.02; done"]
      env: [{name: KEY, valueFrom: {secretKeyRef: {name: s, key: env}}}]
      volumeMounts: [{name: s, mountPath: /s}, {name: count, mountPath: /count}]
  - name: bad
    container:
      image: busybox
      command: [/nonexistent/program]
      env: [{name: KEY, valueFrom: {secretKeyRef: {name: s, key: env}}}]
"""


def found_in(data):
    return [name for name, value in PLANTED.items() if value.encode() in data]


def processes(score, place, proc):
    """Arguments of everybody, environments of Skiff's own."""
    for pid in common.pids():
        score.check(not (n := found_in(common.contents(f"/proc/{pid}/cmdline"))), f"arguments of {common.comm(pid)} show {n}")
    for pid in {proc.pid} | common.descendants({proc.pid}):
        if common.comm(pid).startswith("skiff"):
            score.check(not (n := found_in(common.contents(f"/proc/{pid}/environ"))), f"the environment of {common.comm(pid)} shows {n}")


def files(score, place, what):
    """Everything but the rows of Secrets."""
    for folder, _, names in os.walk(place.state):
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith("skiff.db") and os.path.isfile(path):
                score.check(not (n := found_in(common.contents(path))), f"{what}: {os.path.relpath(path, place.state)} shows {n}")
    with sqlite3.connect(f"file:{place.state}/skiff.db?mode=ro", uri=True) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'")]
        for table in tables:
            for row in db.execute(f"SELECT * FROM {table}" + (" WHERE kind<>'Secret'" if table == "objects" else "")):
                data = b"".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
                score.check(not (n := found_in(data)), f"{what}: a row of {table} shows {n}")
    db.close()


def planted(score, skiff):
    place = common.Place(skiff, "overlay" if os.geteuid() == 0 else "ro")
    seen = {}

    def answer(r):
        seen[r.url_path] = dict(r.headers)
        return 200, [], b"input"
    server = servers.Server(answer)
    text = TEXT.replace("@DATA@", json.dumps(PLANTED)).replace("@COUNT@", place.count).replace("@URL@", server.url)
    path = place.file("w.yaml", text)
    os.chmod(path, 0o600)
    proc = place.start(path)
    common.wait_for(lambda: place.lines() or proc.poll() is not None, "the step")
    processes(score, place, proc)
    files(score, place, "while it runs")
    common.kill_engine(proc)
    files(score, place, "after a kill")
    place.file("count/go", "")
    ran = place.run("--resume", "w")
    score.check(ran.returncode == 0, f"the run: {ran.stderr}")
    score.check(seen.get("/ask", {}).get("X-Key") == PLANTED["header"] and "Basic" in seen.get("/in", {}).get("Authorization", ""),
                f"secrets did not arrive where they belong: {seen}")
    files(score, place, "afterwards")
    for words in (("get", "w", "-o", "json"), ("get", "w"), ("logs", "w"), ("list", "-o", "json"), ("doctor",), ("gc",)):
        got = place.call(*words)
        score.check(not (n := found_in((got.stdout + got.stderr).encode())), f"skiff {' '.join(words)} shows {n}")
    score.check(not (n := found_in((ran.stdout + ran.stderr).encode())), f"skiff run shows {n}")
    logs = place.call("logs", "w").stdout
    score.check(logs.count("***") >= 3, f"what is masked is shown as masked: {logs}")
    server.close()
    place.remove()


def core_files(score, skiff):
    """Of a process that may not be dumped, files in /proc belong to root."""
    if os.geteuid() != 0:
        score.skip("core files: needs root to become nobody")
        return
    place = common.Place(skiff, "none")
    os.chmod(place.root, 0o777)
    program = place.root + "/skiff"
    subprocess.run(["cp", skiff, program], check=True)
    path = place.file("w.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n  templates:\n"
                                f"  - {{name: main, container: {{image: busybox, command: [sh, -c, 'echo S >> {place.log_path()}; sleep 60']}}}}\n")
    for tier in ("none", "ro"):
        with open(place.log_path(), "w"):
            pass
        proc = subprocess.Popen([program, "run", path, "--state", f"{place.root}/state-{tier}", "--runtime", tier, "-q"], user=NOBODY, group=NOBODY,
                                extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
        if tier == "none":
            common.wait_for(lambda: place.lines() or proc.poll() is not None, "the step")
        else:
            common.wait_for(lambda: proc.poll() is not None or any(common.comm(p) == "sh" for p in common.descendants({proc.pid})), "the step")
        kinds = {}
        tree = {proc.pid} | common.descendants({proc.pid})
        for pid in tree:
            with contextlib.suppress(OSError):  # it has ended
                kinds.setdefault(common.comm(pid), set()).add(os.stat(f"/proc/{pid}/environ").st_uid)
        ours = {name: owners for name, owners in kinds.items() if name.startswith("skiff")}
        score.check(len(ours) == 3 and all(owners == {0} for owners in ours.values()), f"core files, {tier}: who may be dumped: {kinds}")
        common.signal_all(tree | common.descendants({proc.pid}), 9)
        proc.communicate()
    place.remove()


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"])
    for test in (planted, core_files):
        test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
