#!/usr/bin/env python3
"""`skiff doctor` and `skiff gc`: what is wrong or left over is found, said without being changed, mended when asked for, and
never where somebody needs it.

usage: upkeep.py SKIFF"""
import glob
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys

import common
import points
import shapes

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../image"))
import images  # noqa: E402

TALKER = shapes.HEAD + """  templates:
  - name: main
    outputs: {artifacts: [{name: out, path: "/tmp/out-{{workflow.name}}"}]}
    container: {image: busybox, command: [sh, -c, "echo said; echo kept > /tmp/out-{{workflow.name}}"]}
"""
TREE = TALKER.replace("echo kept > /tmp/out-{{workflow.name}}", "mkdir -p /tmp/out-{{workflow.name}}/container")
ASLEEP = shapes.HEAD + """  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "echo S main >> @LOG@; while ! test -e @GO@; do sleep 0.02; done"]}
"""


def sick(place, *words):
    """(exit status, check -> (status, detail)) of what is not ok."""
    got = place.call("doctor", "-o", "json", *words)
    return got.returncode, {c["check"]: (c["status"], c["detail"]) for c in json.loads(got.stdout) if c["status"] != "ok"}


HOST = set()  # what this machine lacks, whatever the directory is like


def ours(found):
    return {check: what for check, what in found.items() if check not in HOST}


def reclaimed(place, *words):
    got = place.call("gc", "-o", "json", *words)
    return sorted(i["kind"] for i in json.loads(got.stdout)["items"] if i["kind"] != "database") if got.returncode == 0 else got.stderr


def files_of(place):
    return sorted(os.path.join(d, f) for d, _, files in os.walk(place.state) for f in files if "skiff.db" not in f)


def filled(skiff):
    """A directory with two runs, each with a log and an artifact."""
    place = common.Place(skiff, "none")
    path = place.file("w.yaml", TALKER)
    for name in "vw":
        place.run(path, "--name", name)
    return place


def in_database(place, *statements):
    db = sqlite3.connect(place.state + "/skiff.db", isolation_level=None)
    for s in statements:
        db.execute(s)
    db.close()


def healthy(score, skiff):
    place = common.Place(skiff, "none")
    HOST.update(sick(place)[1])
    score.check(not os.path.exists(place.state), "doctor made a state directory")
    got = place.call("gc")
    score.check(got.returncode == 4 and "nothing has run here yet" in got.stderr, f"gc of nothing: {got}")
    place.remove()
    place = filled(skiff)
    before = files_of(place)
    status, found = sick(place)
    score.check(not ours(found), f"healthy: {ours(found)}")
    score.check(reclaimed(place, "--dry-run") == [] and reclaimed(place) == [], "nothing is waste in a healthy directory")
    status, found = sick(place, "--fix")
    score.check(not ours(found) and files_of(place) == before, f"doctor --fix of a healthy directory: {ours(found)}")
    place.call("delete", "w")
    place.run(place.file("tree.yaml", TREE), "--name", "t")
    score.check(len(glob.glob(place.state + "/artifacts/*/*.tree")) == 1, "a directory is an artifact")
    place.call("delete", "t")
    score.check(reclaimed(place) == [], "deleting leaves nothing to gc")
    place.remove()


def waste(score, skiff):
    """One of each kind; a dry run and doctor change nothing; what is needed stays."""
    place = filled(skiff)
    needed = files_of(place)

    def at(*names):
        return os.path.join(place.state, *names)

    for d in ("steps/999", "work/998/outputs", "work/transfer-997-1", "pods/00000000-0000-4000-8000-000000000000/1", "artifacts/ab"):
        os.makedirs(at(d))
    for f in ("steps/999/main.log", "work/998/outputs/x", "artifacts/ab/ab0123456789abcdef0123456789abcd.file",
              "artifacts/ab/ab0123456789abcdef0123456789abce.part", "slots/0123456789abcdef", "slots/fedcba9876543210.sock", ".doctor-7"):
        with open(at(f), "w") as out:
            out.write("left over\n")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(at("engine.sock"))
    kinds = sorted(["log", "work", "work", "pod", "artifact", "artifact", "journal", "socket", "socket", "temporary"])
    before = files_of(place)
    score.check(reclaimed(place, "--dry-run") == kinds, f"dry run: {reclaimed(place, '--dry-run')}")
    status, found = sick(place)
    score.check(status == 0 and "left-overs" in found and found["left-overs"][0] == "warning", f"doctor: {found}")
    score.check(files_of(place) == before, "a dry run, or doctor without --fix, changed something")
    said = place.call("gc", "--dry-run").stdout
    score.check("would remove log 999" in said and "would be free" in said, f"gc --dry-run says {said}")
    score.check(reclaimed(place) == kinds, "gc removes what the dry run said")
    score.check(files_of(place) == needed, f"gc left {set(files_of(place)) ^ set(needed)}")
    os.makedirs(at("steps/999"))
    status, found = sick(place, "--repair")
    score.check(found.get("left-overs", "")[0] == "repaired" and not os.path.exists(at("steps/999")), f"doctor --repair: {found}")
    for name in "vw":
        score.check("said" in place.call("logs", name).stdout, "a log that a run has is gone")
    place.remove()


def rows(score, skiff):
    place = filled(skiff)
    in_database(place, "INSERT INTO nodes VALUES(777<<24, 'x', '{}', NULL, 1)", "INSERT INTO run_values VALUES(777, 'k', x'00')",
                "INSERT INTO docs VALUES(777, '{}')", "INSERT INTO timers VALUES(777, 1, 1, 1, NULL)",
                "INSERT INTO artifact_refs VALUES(777, 1), (1, 888)")
    status, found = sick(place)
    score.check("rows" in found and "nodes of no run" in found["rows"][1] and "claims on no artifact" in found["rows"][1], f"strays: {found}")
    status, found = sick(place, "--fix")
    score.check(found.get("rows", "")[0] == "repaired" and status == 0, f"strays repaired: {status} {found}")
    score.check(not ours(sick(place)[1]), f"afterwards: {ours(sick(place)[1])}")
    content = glob.glob(place.state + "/artifacts/*/*")[0]
    os.unlink(content)
    status, found = sick(place)
    score.check("1 of 2 artifacts is gone" in found.get("artifacts", ("", ""))[1], f"an artifact without content: {found}")
    sick(place, "--fix")
    score.check(not ours(sick(place)[1]), f"its key stayed: {ours(sick(place)[1])}")
    place.remove()


def permissions(score, skiff):
    place = filled(skiff)
    os.chmod(place.state, 0o777)
    os.chmod(place.state + "/skiff.db", 0o644)
    status, found = sick(place)
    score.check(status == 1 and "skiff.db is 0644" in found["permissions"][1], f"permissions: {status} {found}")
    status, found = sick(place, "--fix")
    score.check(status == 0 and found["permissions"][0] == "repaired", f"permissions are repaired at once: {status} {found}")
    mode = [stat.S_IMODE(os.stat(place.state + "/" + n).st_mode) for n in ("", "skiff.db")]
    score.check(mode == [0o755, 0o600] and sick(place)[0] == 0, f"permissions repaired: {[oct(m) for m in mode]}")
    place.remove()


def damaged(score, skiff):
    """A database that is broken, or newer, is said to be and stays as it is."""
    place = filled(skiff)
    in_database(place, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA user_version=99")
    status, found = sick(place, "--fix")
    score.check(status == 1 and "newer Skiff" in found["database"][1], f"a newer schema: {status} {found}")
    for words in (("list",), ("get", "w"), ("gc",), ("delete", "w")):
        got = place.call(*words)
        score.check(got.returncode == 12 and "newer Skiff (schema 99" in got.stderr, f"{words} with a newer schema: {got}")
    in_database(place, "PRAGMA user_version=1")
    with sqlite3.connect(place.state + "/skiff.db") as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name='run_values'").fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with open(place.state + "/skiff.db", "r+b") as f:
        f.seek((page - 1) * 4096)
        f.write(b"\x5a" * 4096)
    with open(place.state + "/skiff.db", "rb") as f:
        before = f.read()
    status, found = sick(place, "--fix")
    with open(place.state + "/skiff.db", "rb") as f:
        score.check(f.read() == before, "doctor changed a damaged database")
    score.check(status == 1 and found["database"][0] == "failed", f"a damaged database: {status} {found}")
    place.remove()


def beside(score, skiff):
    """An engine is at work, then a step goes on without one: nothing of them is touched, and the run ends well."""
    place = common.Place(skiff, "none")
    path = place.file("w.yaml", ASLEEP.replace("@LOG@", place.log_path()).replace("@GO@", place.root + "/go"))
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: place.lines(), "the step")
    os.makedirs(place.state + "/steps/999")
    os.makedirs(place.state + "/artifacts/ab")
    with open(place.state + "/artifacts/ab/ab0123456789abcdef0123456789abcd.file", "w"):
        pass
    got = place.call("gc")
    score.check(got.returncode == 0 and "an engine is at work" in got.stderr, f"gc beside an engine: {got}")
    score.check(not os.path.exists(place.state + "/steps/999"), "gc beside an engine takes what is nobody's")
    score.check(len(glob.glob(place.state + "/artifacts/ab/*")) == 1, "gc beside an engine leaves contents alone")
    sick(place, "--fix")
    common.kill_engine(proc)
    got = place.call("gc")
    score.check("1 steps are under way" in got.stderr and len(glob.glob(place.state + "/slots/*")) >= 1, f"gc beside a step: {got}")
    sick(place, "--fix")
    place.file("go", "")
    ran = place.run("--resume", "w")
    score.check(ran.returncode == 0 and place.starts() == {"main": 1}, f"the run afterwards: {ran.stderr}, {place.starts()}")
    score.check(reclaimed(place) == ["artifact"] and not place.wait_clean(), "afterwards the content goes")
    place.remove()


def stored_images(score, skiff):
    place = filled(skiff)
    layout = images.sample().layout(place.root + "/layout", "x")
    place.call("image", "import", layout, "--name", "local/a:1")
    score.check(not ours(sick(place)[1]) and reclaimed(place) == [], "an image is no waste")
    layer = sorted(glob.glob(place.state + "/images/layers/*"))[0]
    common.shutil.rmtree(layer)
    status, found = sick(place)
    score.check("local/a:1" in found.get("images", ("", ""))[1], f"an image without a layer: {found}")
    sick(place, "--fix")
    score.check(place.call("image", "ls", "-o", "name").stdout == "" and not ours(sick(place)[1]), "its name goes")
    kinds = reclaimed(place)
    score.check("image layer" in kinds and "image image" in kinds, f"and gc takes the rest: {kinds}")
    place.remove()


def room(score, skiff):
    """The database gives back what it does not need; killed on the way it is whole."""
    place = filled(skiff)
    big = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) INSERT INTO run_values SELECT 0, 'test/' || i, zeroblob(4096) FROM n"
    in_database(place, big, "DELETE FROM run_values WHERE key LIKE 'test/%'", "PRAGMA wal_checkpoint(TRUNCATE)")
    before = os.path.getsize(place.state + "/skiff.db")
    armed = points.Armed(place, "CHECKPOINT")
    got = subprocess.run(place.command("gc"), env=place.env(armed.env), capture_output=True)
    score.check(got.returncode == -9, f"killed in gc: {got}")
    got = place.call("gc")
    score.check(got.returncode == 0 and "database" in got.stdout and os.path.getsize(place.state + "/skiff.db") < before / 4, f"{before}: {got}")
    score.check(place.call("list").stdout.count("Succeeded") == 2, "the runs are there")
    place.remove()


def main():
    score = common.Score()
    for test in (healthy, waste, rows, permissions, damaged, beside, stored_images, room):
        try:
            test(score, sys.argv[1])
        except Exception as e:
            score.check(False, f"{test.__name__}: {type(e).__name__}: {e}")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
