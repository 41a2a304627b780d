#!/usr/bin/env python3
"""State directories that earlier versions left, with an engine killed in the middle, are opened, shown and gone on with; supervisors that
speak another version of the protocol keep their steps, whose ends are read in their journals.

usage: upgrade.py SKIFF
       upgrade.py --record DIRECTORY SKIFF   leaves such a directory, for the version that SKIFF is

Recorded are the database as SQL, the journals as hexadecimal digits, and logs: test/data/state/vN/crashed, one for each schema."""
import argparse
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import sys
import time

import common
import shapes

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/state")
DONE = shapes.HEAD + """  templates:
  - name: main
    outputs: {parameters: [{name: text, valueFrom: {parameter: "{{steps.a.outputs.result}}"}}]}
    steps: [[{name: a, template: a}]]
  - {name: a, container: {image: busybox, command: [echo, recorded]}}
"""
ASKING = shapes.HEAD + """  templates:
  - name: main
    steps: [[{name: a, template: a}], [{name: ask, template: ask}], [{name: b, template: a}]]
  - {name: a, container: {image: busybox, command: [echo, recorded]}}
  - {name: ask, suspend: {}}
"""
RUNNING = shapes.HEAD + """  templates:
  - name: main
    outputs: {parameters: [{name: text, valueFrom: {parameter: "{{steps.last.outputs.result}}"}}]}
    steps:
    - - {name: first, template: first}
    - - {name: ends, template: ends}
      - {name: dies, template: dies, continueOn: {error: true}}
    - - {name: last, template: last, arguments: {parameters: [{name: p, value: "{{steps.first.outputs.result}} {{steps.ends.outputs.result}}"}]}}
  - {name: first, container: {image: busybox, command: [echo, one]}}
  - {name: ends, container: {image: busybox, command: [sh, -c, "sleep 1; echo two"]}}
  - {name: dies, container: {image: busybox, command: [sleep, "7.654"]}}
  - {name: last, inputs: {parameters: [{name: p}]}, container: {image: busybox, command: [echo, "{{inputs.parameters.p}}"]}}
"""


# ---- recording ----

def phases(place, name):
    nodes = ((place.get(name) or {}).get("status") or {}).get("nodes") or {}
    return {n["displayName"]: n["phase"] for n in nodes.values()}


def record(skiff, to):
    place = common.Place(skiff, "none")
    place.run(place.file("done.yaml", DONE), "--name", "done")
    proc = place.start(place.file("asking.yaml", ASKING), "--name", "asking")
    common.wait_for(lambda: phases(place, "asking").get("ask") == "Running", "the question")
    common.kill_engine(proc)
    proc = place.start(place.file("running.yaml", RUNNING), "--name", "running")
    common.wait_for(lambda: [phases(place, "running").get(n) for n in ("ends", "dies")] == ["Running"] * 2, "the steps")
    slots = {p for p in common.descendants({proc.pid}) if common.comm(p) == "skiff-slot"}
    common.kill_engine(proc)
    doomed = {up for pid, up in common.parents().items() if up in slots and common.comm(pid) == "sleep"
              and "7.654" in open(f"/proc/{pid}/cmdline").read()}
    common.signal_all(doomed, signal.SIGKILL)
    common.wait_for(lambda: all(common.zombie(p) for p in slots), "the supervisors")
    os.makedirs(to + "/slots")
    with sqlite3.connect(place.state + "/skiff.db") as db, open(to + "/skiff.sql", "w") as out:
        for pragma in ("application_id", "user_version"):
            out.write(f"PRAGMA {pragma}={db.execute(f'PRAGMA {pragma}').fetchone()[0]};\n")
        out.writelines(line + "\n" for line in db.iterdump())
    for path in glob.glob(place.state + "/slots/" + "[0-9a-f]" * 16):
        with open(path, "rb") as f, open(f"{to}/slots/{os.path.basename(path)}", "w") as out:
            out.write(f.read().hex() + "\n")
    shutil.copytree(place.state + "/steps", to + "/steps")
    place.remove()


def restore(place, recorded):
    os.makedirs(place.state + "/slots", 0o700)
    os.chmod(place.state, 0o700)
    with open(recorded + "/skiff.sql") as f:
        db = sqlite3.connect(place.state + "/skiff.db")
        db.executescript(f.read())
        db.execute("PRAGMA journal_mode=WAL")
        db.close()
    for path in glob.glob(recorded + "/slots/*"):
        with open(path) as f, open(f"{place.state}/slots/{os.path.basename(path)}", "wb") as out:
            out.write(bytes.fromhex(f.read().strip()))
    shutil.copytree(recorded + "/steps", place.state + "/steps")


# ---- opening ----

def opened(score, skiff, recorded):
    what = os.path.relpath(recorded, DATA)
    place = common.Place(skiff, "none")
    restore(place, recorded)
    with sqlite3.connect(place.state + "/skiff.db") as db:
        old = db.execute("PRAGMA user_version").fetchone()[0]
    with open(place.state + "/engine.lock", "w") as lock:  # as an engine of that version
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = place.call("list")
    score.check(refused.returncode == 0 or "old schema" in refused.stderr, f"{what}: beside an older engine: {refused}")
    listed = place.call("list").stdout  # who only reads brings the database to this version
    place.run(place.file("t.yaml", shapes.TRIVIAL))  # an engine of it takes all of it over
    score.check(all(name in listed for name in ("done", "asking", "running")), f"{what}: list: {listed}")
    score.check(place.get("done")["status"]["phase"] == "Succeeded" and "recorded" in place.call("logs", "done").stdout, f"{what}: the finished run")
    got = phases(place, "running")
    score.check(got.get("ends") == "Succeeded", f"{what}: a result that only its journal had: {got}")
    score.check(got.get("dies") == "Error", f"{what}: a step whose supervisor is dead: {got}")
    ran = place.run("--resume", "running")
    text = [p["value"] for n in place.get("running")["status"]["nodes"].values() if n["name"] == "running" for p in n["outputs"]["parameters"]]
    score.check(ran.returncode == 0 and text == ["one two"], f"{what}: gone on with: {ran.stderr}, {text}")
    resumed = place.call("resume", "asking")
    ran = place.run("--resume", "asking")
    score.check(resumed.returncode == 0 and ran.returncode == 0 and phases(place, "asking").get("b") == "Succeeded", f"{what}: answered: {ran.stderr}")
    again = place.call("retry", "running", "--runtime", "none")
    score.check(again.returncode != 70, f"{what}: retry: {again.stderr}")
    sick = [c for c in json.loads(place.call("doctor", "-o", "json").stdout) if c["check"] in ("database", "rows", "artifacts")]
    score.check(all(c["status"] == "ok" for c in sick), f"{what}: doctor: {sick}")
    score.check(not (left := place.left_after_kills()), f"{what}: left behind: {left}")
    with sqlite3.connect(place.state + "/skiff.db") as db:
        new = db.execute("PRAGMA user_version").fetchone()[0]
    score.check(new == old or os.path.exists(f"{place.state}/skiff.db.v{old}"), f"{what}: no copy of the database from before")
    place.remove()


# ---- a supervisor of another version ----

def head_sum(data):
    total = 0xcbf29ce484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return total


def journal_record(kind, step, result=b""):
    head = struct.pack("<IIQQ", 0x314a4b53, kind, step, len(result))
    return head + struct.pack("<Q", head_sum(head)) + result


def other_version(score, skiff):
    """Its engine is killed; then it is a stranger who holds the journal's lock, listens, and greets with a version of its own."""
    place = common.Place(skiff, "none")
    text = RUNNING.replace('[sleep, "7.654"]', "[\"true\"]").replace("sleep 1; echo two", f"while ! test -e {place.root}/go; do sleep 0.02; done; echo two")
    proc = place.start(place.file("w.yaml", text), "--name", "w")
    common.wait_for(lambda: phases(place, "w").get("ends") == "Running", "the step")
    common.kill_everything(place, proc)
    name = next(p for p in glob.glob(place.state + "/slots/*") if "." not in os.path.basename(p) and begun(p))
    step = begun(name)
    ended = journal_of_end(step)
    journal = open(name, "r+b")
    fcntl.flock(journal, fcntl.LOCK_EX)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(name + ".sock")
    listener.listen(4)
    proc = place.start("--resume", "w")
    greeted, wait_s = 0, common.LIMIT_S  # until it asks; then for a while, to see that it does not go on asking
    while True:
        listener.settimeout(wait_s)
        try:
            engine, _ = listener.accept()
        except TimeoutError:
            break
        engine.send(struct.pack("<IIQqiIQ", 99, 4, step, 0, 0, 0, 0))  # a head as long as ours, of version 99
        greeted, wait_s = greeted + 1, 1
        if greeted > 3:
            break
    score.check(1 <= greeted <= 3, f"another version: the engine asked {greeted} times")
    score.check(proc.poll() is None and phases(place, "w").get("ends") == "Running", f"another version: {proc.poll()}, {phases(place, 'w')}")
    journal.seek(0, os.SEEK_END)
    journal.write(journal_record(2, step, ended))
    journal.close()
    listener.close()
    _, err = proc.communicate(timeout=common.LIMIT_S)
    os.unlink(name + ".sock")
    score.check(proc.returncode == 0 and phases(place, "w").get("ends") == "Succeeded", f"another version: {proc.returncode}, {err}")
    place.remove()


def begun(path):
    """The step that a journal says has begun and not ended."""
    with open(path, "rb") as f:
        data = f.read()
    at, busy = 0, None
    while at + 32 <= len(data):
        _, kind, step, n, _ = struct.unpack_from("<IIQQQ", data, at)
        busy = step if kind == 1 else None
        at += 32 + n
    return busy


def journal_of_end(step):
    """A result as a version 1 wrote it: exit status 0, and "two" on its output."""
    def text(s):
        return struct.pack("<I", 0xffffffff) if s is None else struct.pack("<I", len(s)) + s + b"\0"
    now = int(time.time() * 1e6)
    body = struct.pack("<QIii", step, 0, 0, 0) + b"\0" + text(None) + struct.pack("<iqq", 0, now, now) + bytes(40)
    body += b"\1\0" + text(b"two") + b"\0" + struct.pack("<II", 0, 0)
    return struct.pack("<IIQ", 0x52534b53, 1, head_sum(body)) + body


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--record")
    p.add_argument("skiff")
    o = p.parse_args()
    if o.record:
        return record(o.skiff, o.record)
    score = common.Score()
    for recorded in sorted(glob.glob(DATA + "/v*/crashed")):
        opened(score, o.skiff, recorded)
    other_version(score, o.skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
