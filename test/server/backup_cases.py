#!/usr/bin/env python3
"""`skiff backup` and `skiff restore`: beside a server at work, under load, killed in the middle.

run.py runs these; alone: backup_cases.py [SKIFF [CASE...]]"""
import fcntl
import glob
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402
from server import Server, common, points, workflow  # noqa: E402

GATE = "echo S held >> {0}; until [ -e {1}/open ]; do sleep 0.02; done"
KILLS = 8


def maker(s, text):
    """A workflow whose step has a log and an output artifact."""
    path = f"{s.place.root}/made-{text}"
    wf = workflow(f"echo said {text}; echo {text} > {path}")
    wf["spec"]["templates"][0]["outputs"] = {"artifacts": [{"name": "made", "path": path}]}
    return wf


def restored(s, path, *words):
    """A server of its own on what was restored from a backup; or what the command said."""
    other = Server(s.place.skiff)
    ran = subprocess.run([other.place.skiff, "restore", path, "--state", other.place.state, *words], capture_output=True, text=True, timeout=common.LIMIT_S)
    return other, ran


def shown(s, name):
    """What must be the same in a copy of a state."""
    wf = s.get(name)
    artifact = s.ask("GET", f"/artifacts/default/{name}/{name}/made")
    return wf["metadata"]["uid"], wf["status"]["phase"], s.place.call("logs", name).stdout, artifact[0], artifact[2]


def all_is_there(score, skiff):
    """What was over is there with logs, artifacts and objects; what was not goes on; numbers are not used twice."""
    s = Server(skiff).start()
    done = s.submit(maker(s, "one"))
    s.wait(done)
    held = s.submit(workflow(GATE.format(s.place.log_path(), s.place.root), name="held"))
    asks = s.submit({**workflow("true", name="asks"), "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]}})
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": workflow("true")["spec"]}
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": template})
    os.makedirs(s.place.state + "/volumes/default/data/deep")
    with open(s.place.state + "/volumes/default/data/deep/file", "w") as f:
        f.write("kept")
    common.wait_for(lambda: s.place.lines() == ["S held"], "the step")
    before, path = shown(s, done), s.place.root + "/b.tar"
    ran = s.place.call("backup", path)
    score.check(ran.returncode == 0 and "3 workflows" in ran.stderr, f"backup: {ran.returncode} {ran.stderr}")
    score.check(os.stat(path).st_mode & 0o777 == 0o600 and not glob.glob(s.place.state + "/*backup*") and not glob.glob(path + ".*"), "one private file, and nothing else")
    with tarfile.open(path) as tar:
        names = tar.getnames()
    score.check(names[0] == "skiff.db" and names[-1] == ".skiff-backup" and not [n for n in names if n.split("/")[0] in ("slots", "work", "images", "engine.lock")],
                f"entries: {names[:3]} {names[-1]}")
    score.check(s.place.call("backup", path).returncode == 9 and s.place.call("backup", path, "--force").returncode == 0, "a file that is there is replaced by --force alone")
    with open(path + ".part", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        ran = s.place.call("backup", path, "--force")
        score.check(ran.returncode == 9 and "another backup" in ran.stderr and os.path.exists(path + ".part"), f"two to one file: {ran.returncode} {ran.stderr}")
    score.check(s.place.call("backup", path, "--force").returncode == 0 and not os.path.exists(path + ".part"), "what one that was killed left goes")
    piped = subprocess.run(s.place.command("backup", "-"), capture_output=True, timeout=common.LIMIT_S).stdout
    other, ran = restored(s, path)
    score.check(ran.returncode == 0 and "restored 3 workflows" in ran.stderr, f"restore: {ran.returncode} {ran.stderr}")
    score.check(not os.path.exists(other.place.state + ".restore"), "nothing is left beside it")
    other.start()
    score.check(shown(other, done) == before, f"what was over: {shown(other, done)} {before}")
    score.check(other.ask("GET", "/api/v1/workflow-templates/default/t")[0] == 200, "a stored template")
    with open(other.place.state + "/volumes/default/data/deep/file") as f:
        score.check(f.read() == "kept", "a volume")
    score.check(other.get(asks)["status"]["phase"] == "Running", "one that waits, waits")
    other.ask("PUT", f"/api/v1/workflows/default/{asks}/resume", {})
    score.check(other.wait(asks)["status"]["phase"] == "Succeeded", "and goes on")
    common.wait_for(lambda: len(s.place.lines()) == 2, "the step that was at work, again")
    s.place.file("open", "")
    score.check(other.wait(held)["status"]["phase"] == "Succeeded" and s.wait(held)["status"]["phase"] == "Succeeded", "the one that was at work ends in both")
    new = other.submit(maker(s, "two"))
    other.wait(new)
    score.check("said two" in other.place.call("logs", new).stdout and "said one" in other.place.call("logs", done).stdout, "new steps have new numbers")
    score.check(other.stop() == 0 and s.stop() == 0, "told to end")
    third = Server(skiff)
    ran = subprocess.run(third.place.command("restore", "-"), input=piped, capture_output=True, timeout=common.LIMIT_S)
    score.check(ran.returncode == 0 and os.path.exists(third.place.state + "/skiff.db"), f"through a pipe: {ran.stderr}")
    for one in (s, other, third):
        one.close()


def refusals(score, skiff):
    s = Server(skiff)
    score.check(s.place.call("backup", s.place.root + "/b.tar").returncode == 4, "nothing to back up")
    s.start()
    name = s.submit(maker(s, "one"))
    s.wait(name)
    path = s.place.root + "/b.tar"
    s.place.call("backup", path)
    with open(path, "rb") as f:
        whole = f.read()
    for words, text in (((), "--force"), (("--force",), "an engine is at work")):
        ran = s.place.call("restore", path, *words)
        score.check(ran.returncode == 9 and text in ran.stderr, f"restore {words}: {ran.returncode} {ran.stderr}")
    for at in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 3000, len(whole) - 2000):
        cut = s.place.root + "/cut.tar"
        with open(cut, "wb") as f:
            f.write(whole[:at])
        other, ran = restored(s, cut)
        score.check(ran.returncode == 3 and not os.path.exists(other.place.state) and not os.path.exists(other.place.state + ".restore"),
                    f"cut at {at}: {ran.returncode} {ran.stderr}")
        other.close()
    s.stop()
    s.place.wait_clean()
    score.check(s.place.call("delete", name).returncode == 0, "delete")
    ran = s.place.call("restore", path, "--force")
    score.check(ran.returncode == 0 and s.place.call("list", "-o", "name").stdout.split() == [name], f"in place of a state: {ran.stderr}")
    for content in glob.glob(s.place.state + "/artifacts/*/*"):
        os.remove(content)
    ran = s.place.call("backup", path, "--force")
    score.check(ran.returncode == 0 and "1 artifacts have no content" in ran.stderr, f"what the state has lost is told: {ran.stderr}")
    os.mkdir(s.place.root + "/precious")
    s.place.file("precious/thesis", "x")
    ran = subprocess.run([s.place.skiff, "restore", path, "--force", "--state", s.place.root + "/precious"], capture_output=True, text=True)
    score.check(ran.returncode == 9 and os.path.exists(s.place.root + "/precious/thesis"), f"what is no state is never replaced: {ran.stderr}")
    s.close()


def killed(score, skiff):
    """Dead before its end, at a chosen and at random moments: no file that passes for a backup, no state that is half restored."""
    s = Server(skiff).start()
    names = [s.submit(maker(s, f"m{i}")) for i in range(12)]
    for name in names:
        s.wait(name)
    path, whole = s.place.root + "/b.tar", s.place.root + "/whole.tar"
    score.check(s.place.call("backup", whole).returncode == 0, "a whole one")
    point = points.Armed(s.place, "BACKUP_WRITTEN")
    ran = s.place.call("backup", path, env=point.env)
    score.check(ran.returncode == -signal.SIGKILL and point.fired() and not os.path.exists(path), f"killed before its end: {ran.returncode}")
    score.check(glob.glob(s.place.state + "/backup-*"), "its stage is left")
    other, ran = restored(s, path + ".part")
    score.check(ran.returncode == 3 and "not whole" in ran.stderr and not os.path.exists(other.place.state), f"what it left: {ran.returncode} {ran.stderr}")
    other.close()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for i in range(KILLS):
        proc = subprocess.Popen(s.place.command("backup", path, "--force"), stderr=subprocess.DEVNULL, env=s.place.env())
        time.sleep(chance.random() * 0.06)  # chance
        proc.kill()
        proc.wait()
        if os.path.exists(path):
            other, ran = restored(s, path)
            score.check(ran.returncode == 0, f"kill {i}: a file that is there is whole: {ran.stderr}")
            other.close()
    score.check(s.place.call("backup", path, "--force").returncode == 0 and not glob.glob(s.place.state + "/*backup-*"), "the next one removes what they left")
    other = Server(skiff)
    point = points.Armed(other.place, "RESTORE")
    ran = other.place.call("restore", whole, env=point.env)
    score.check(ran.returncode == -signal.SIGKILL and point.fired() and not os.path.exists(other.place.state), "a restore that was killed has made nothing")
    ran = other.place.call("restore", whole)
    score.check(ran.returncode == 0 and not os.path.exists(other.place.state + ".restore"), f"the next one does it: {ran.stderr}")
    point = points.Armed(other.place, "RESTORE")
    other.place.call("restore", whole, "--force", env=point.env)
    score.check(point.fired() and len(other.place.call("list", "-o", "name").stdout.split()) == len(names), "what was to be replaced is there")
    other.close()
    s.close()


def under_load(score, skiff):
    """Workflows begin, end and are deleted meanwhile: whatever a backup's database names is in the backup."""
    s = Server(skiff).start()
    stop, broken = threading.Event(), []

    def churn(k):
        i = 0
        while not stop.is_set():
            try:
                name = s.submit(maker(s, f"c{k}-{i}"))
                s.wait(name)
                if i % 2:
                    s.ask("DELETE", f"/api/v1/workflows/default/{name}")
            except Exception as e:  # told by the check below
                broken.append(e)
                return
            i += 1
    threads = [threading.Thread(target=churn, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    common.wait_for(lambda: s.place.call("list", "--completed", "-o", "name").stdout.split(), "the first")
    for i in range(6):
        path = f"{s.place.root}/b{i}.tar"
        ran = s.place.call("backup", path)
        score.check(ran.returncode == 0 and "no content" not in ran.stderr, f"backup {i}: {ran.stderr}")
        other, ran = restored(s, path)
        score.check(ran.returncode == 0 and "no content" not in ran.stderr, f"restore {i}: {ran.stderr}")
        names = other.place.call("list", "--status", "Succeeded", "-o", "name").stdout.split()
        logs = [other.place.call("logs", n).stdout for n in names[:5]]
        score.check(names and all("said c" in text for text in logs), f"logs {i}: {logs}")
        other.close()
    stop.set()
    for t in threads:
        t.join()
    score.check(not broken, f"the server went on: {broken}")
    score.check(s.stop() == 0, "told to end")
    s.close()


CASES = (all_is_there, refusals, killed, under_load)

if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
