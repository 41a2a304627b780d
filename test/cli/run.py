#!/usr/bin/env python3
"""Looking at and steering a run from outside while its engine works: the commands on the same state
directory, and Argo's routes on engine.sock.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
import addresses  # noqa: E402
import common  # noqa: E402
import habits  # noqa: E402
import shapes  # noqa: E402
import steer  # noqa: E402

WAITING = shapes.HEAD + """  templates:
  - name: main
    steps:
    - - {name: hello, template: hello}
    - - {name: wait, template: wait}
  - name: hello
    container: {image: busybox, command: [sh, -c, "echo hello from a step"]}
  - name: wait
    container: {image: busybox, command: [sh, -c, "echo S wait >> @LOG@; sleep 60"]}
"""
BASE = "/api/v1/workflows/default"


def ask(place, method, target, body=None):
    c = common.Unix(place)
    c.request(method, target, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read()
    c.close()
    return r.status, json.loads(text) if text else None


def first_changes(place, name, events=False):
    """The states that come before any change, until the run's own status."""
    c = common.Unix(place)
    c.request("GET", f"/api/v1/skiff/changes?workflow=default/{name}", headers={"Accept": "text/event-stream"} if events else {})
    r = c.getresponse()
    lines = []
    while not lines or lines[-1]["type"] != "workflow":
        line = r.readline()
        if events and line != b"\n":
            lines.append(json.loads(line.removeprefix(b"data: ")))
        elif not events:
            lines.append(json.loads(line))
    c.close()
    return lines


def begin(skiff):
    place = common.Place(skiff, "none")
    path = place.file("w.yaml", WAITING.replace("@LOG@", place.log_path()))
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: "S wait" in place.lines(), "the second step")
    return place, proc


def commands(score, skiff):
    place, proc = begin(skiff)
    wait = subprocess.Popen(place.command("wait", *["w"] * 1200), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    listed = place.call("list")
    score.check(listed.returncode == 0 and "w" in listed.stdout.split(), f"list: {listed.stdout} {listed.stderr}")
    wf = place.get("w")
    score.check(wf and wf["status"]["phase"] == "Running", "get: a running workflow")
    score.check(len(wf["status"]["nodes"]) == 5, f"get: {len(wf['status']['nodes'])} nodes, not 5")
    logs = place.call("logs", "w")
    score.check("hello from a step" in logs.stdout, f"logs: {logs.stdout} {logs.stderr}")
    stopped = place.call("stop", "w")
    score.check(stopped.returncode == 0, f"stop: {stopped.stderr}")
    proc.communicate(timeout=common.LIMIT_S)
    said = wait.communicate(timeout=common.LIMIT_S)[0]
    score.check(wait.returncode == 1 and said.count("w Failed at ") == 1200, f"wait for 1200 names: {wait.returncode} {said[:80]}")
    score.check(proc.returncode == 1, f"the run that was stopped: exit status {proc.returncode}")
    score.check(place.get("w")["status"]["phase"] == "Failed", "stop: phase")
    deleted = place.call("delete", "w")
    score.check(deleted.returncode == 0 and place.get("w") is None, f"delete: {deleted.stderr}")
    score.check(not os.listdir(place.state + "/steps"), "delete: directories of steps are gone")
    score.check(not (left := place.wait_clean()), f"left behind: {left}")
    place.remove()


def forced(score, skiff):
    """What is at work is deleted when that is asked for; its steps are killed, and whoever waits is told."""
    place, proc = begin(skiff)
    gone = place.call("delete", "w", "--force")
    said = proc.communicate(timeout=common.LIMIT_S)[1]
    score.check(gone.returncode == 0 and place.get("w") is None, f"delete --force: {gone.stderr}")
    score.check(proc.returncode == 4 and b"no workflow" in said, f"the run that was deleted: {proc.returncode} {said}")
    score.check(not (left := place.wait_clean()), f"left behind: {left}")
    place.remove()


def routes(score, skiff):
    place, proc = begin(skiff)
    status, version = ask(place, "GET", "/api/v1/version")
    score.check(status == 200 and version.get("version"), "GET version")
    status, items = ask(place, "GET", BASE)
    score.check(status == 200 and [w["metadata"]["name"] for w in items["items"]] == ["w"], "GET workflows")
    status, wf = ask(place, "GET", BASE + "/w")
    score.check(status == 200 and wf["status"]["phase"] == "Running", "GET workflow")
    status, error = ask(place, "GET", BASE + "/absent")
    score.check(status == 404 and error.get("code") == 5, f"GET absent: {status} {error}")
    status, error = ask(place, "POST", BASE, {"workflow": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
                                                          "metadata": {"name": "bad"}, "spec": {"entrypoint": "none", "templates": []}}})
    score.check(status == 400, f"POST of a wrong workflow: {status} {error}")
    good = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "sub-"},
            "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}]}}
    status, made = ask(place, "POST", BASE, {"workflow": good})
    score.check(status == 200 and made["metadata"]["name"].startswith("sub-"), f"POST workflow: {status} {made}")
    held = ask(place, "POST", BASE, {"workflow": {**good, "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}})[1]["metadata"]["name"]
    status, _ = ask(place, "DELETE", f"{BASE}/{held}")
    score.check(status == 200 and ask(place, "GET", f"{BASE}/{held}")[0] == 404, f"DELETE of a workflow that is at work, as Argo's server does: {status}")
    lines = first_changes(place, "w")
    score.check({n["node"]["displayName"] for n in lines if n["type"] == "node"} >= {"w", "hello", "wait"}, "changes: states first")
    score.check([n["type"] for n in first_changes(place, "w", events=True)] == [n["type"] for n in lines], "changes: as events")
    name = made["metadata"]["name"]
    common.wait_for(lambda: ask(place, "GET", f"{BASE}/{name}")[1]["status"].get("phase") in common.PHASES_DONE, "the submitted one")
    score.check(ask(place, "GET", f"{BASE}/{name}")[1]["status"]["phase"] == "Succeeded", "the submitted one: phase")
    score.check(ask(place, "DELETE", f"{BASE}/{name}")[0] == 200, "DELETE")
    score.check(ask(place, "GET", f"{BASE}/{name}")[0] == 404, "GET after DELETE")
    status, wf = ask(place, "PUT", BASE + "/w/terminate", {})
    score.check(status == 200, f"PUT terminate: {status}")
    proc.communicate(timeout=common.LIMIT_S)
    score.check(place.get("w")["status"]["phase"] == "Failed", "terminate: phase")
    place.wait_clean()
    place.remove()


def followed(score, skiff):
    """A change that is larger than what is queued for a reader is followed all the same."""
    place = common.Place(skiff, "none")
    texts = "".join(f"\n      - {{name: p{i}, valueFrom: {{path: {place.root}/value}}}}" for i in range(17))
    path = place.file("w.yaml", shapes.HEAD + f"""  templates:
  - name: main
    steps: [[{{name: gate, template: gate}}], [{{name: large, template: large}}]]
  - name: gate
    container: {{image: busybox, command: [sh, -c, "until [ -e {place.root}/value ]; do sleep 0.02; done"]}}
  - name: large
    container: {{image: busybox, command: ["true"]}}
    outputs:
      parameters:{texts}
""")
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: place.get("w"), "the run")
    watch = subprocess.Popen(place.command("watch", "w", "--progress", "plain"), stdout=subprocess.PIPE, text=True)
    common.wait_for(lambda: "gate" in watch.stdout.readline(), "the watch")
    place.file("new", "x" * 1000000)
    os.rename(place.root + "/new", place.root + "/value")
    proc.communicate(timeout=common.LIMIT_S)
    seen = watch.communicate(timeout=common.LIMIT_S)[0]
    score.check(watch.returncode == 0 and "large SUCCEEDED" in seen, f"watch of a large change: {watch.returncode} {seen}")
    place.remove()


def awaited_log(score, skiff):
    """The log of a step that has printed nothing yet is awaited through the directory in which its own will be."""
    place = common.Place(skiff, "none")
    proc = place.start(place.file("w.yaml", shapes.HEAD + f"""  templates:
  - name: main
    container: {{image: busybox, command: [sh, -c, "echo S >> @LOG@; until [ -e {place.root}/go ]; do sleep 0.02; done; echo late"]}}
""".replace("@LOG@", place.log_path())), "--name", "w")
    common.wait_for(lambda: place.lines() == ["S"], "the step")
    logs = subprocess.Popen(place.command("logs", "-f", "w"), stdout=subprocess.PIPE, text=True)
    common.wait_for(lambda: common.inotify_watches(logs.pid) == [1], "the watch")
    score.check(not os.listdir(place.state + "/steps"), "nothing is there yet")
    place.file("go", "")
    said = logs.communicate(timeout=common.LIMIT_S)[0]
    score.check((logs.returncode, said) == (0, "w: late\n"), f"logs -f: {logs.returncode} {said}")
    proc.communicate(timeout=common.LIMIT_S)
    place.remove()


def failed_tail(score, skiff):
    """The last lines of a step that failed, however long, stand with the progress and not among the results."""
    place = common.Place(skiff, "none")
    path = place.file("w.yaml", shapes.HEAD + """  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "for i in 1 2 3 4 5 6 7 8 9; do head -c 12000 /dev/zero | tr '\\\\0' x; echo; done; exit 1"]}
""")
    ran = place.run(path, "--name", "w", "-o", "json")
    try:
        phase = json.loads(ran.stdout)["status"]["phase"]
    except ValueError:
        phase = "no JSON"
    score.check(phase == "Failed" and ran.stderr.count("x" * 12000) == 9, f"-o json of a failed step: {phase}, {len(ran.stderr)}")
    place.remove()


def lost_output(score, skiff):
    """A full disk is an error; a run whose reader went away is stopped as by Ctrl-C, and not left to nobody."""
    place = common.Place(skiff, "none")
    with open("/dev/full", "w") as full:
        ran = subprocess.run([skiff, "version"], stdout=full, stderr=subprocess.PIPE, text=True)
    score.check(ran.returncode == 11 and "standard output: No space left" in ran.stderr, f"/dev/full: {ran.returncode} {ran.stderr}")
    proc = place.start(place.file("w.yaml", WAITING.replace("@LOG@", place.log_path()).replace("sleep 60", "sleep 60; exit 1")),
                       "--name", "w", stdout=subprocess.PIPE)
    proc.stdout.readline()
    proc.stdout.close()
    score.check(proc.wait(timeout=common.LIMIT_S) == 141, f"a reader that went away: exit status {proc.returncode}")
    score.check(place.get("w")["status"]["phase"] == "Failed", "a reader that went away: the run is stopped")
    proc.stderr.close()
    place.remove()


def without_engine(score, skiff):
    """The engine was killed: readers still read; stop and delete do it themselves."""
    place, proc = begin(skiff)
    common.kill_engine(proc)
    score.check(place.get("w")["status"]["phase"] == "Running", "get without an engine")
    score.check("hello from a step" in place.call("logs", "w").stdout, "logs without an engine")
    stopped = place.call("stop", "w")
    score.check(stopped.returncode == 0, f"stop without an engine: {stopped.stderr}")
    if place.get("w")["status"]["phase"] not in common.PHASES_DONE:
        place.run("--resume", "w")
    score.check(place.get("w")["status"]["phase"] == "Failed", "stop without an engine: phase")
    score.check(place.lines() == ["S wait"], f"steps that ran: {place.lines()}")
    score.check(not (left := place.left_after_kills()), f"left behind: {left}")
    place.remove()


def loaded(score, skiff):
    """Start-up stays cheap: what serves and calls over networks is opened only when it is needed."""
    text = subprocess.run(["ldd", skiff], capture_output=True, text=True, check=False).stdout
    heavy = [lib for lib in ("libmicrohttpd", "libcurl", "libssl", "libgnutls", "libsodium") if lib in text]
    score.check(not heavy, f"linked: {heavy}")


def durable(score, skiff):
    place = common.Place(skiff, "none")
    ran = subprocess.run(place.run_words(place.file("t.yaml", shapes.TRIVIAL), "--name", "w"), capture_output=True, text=True,
                         env=place.env({"SKIFF_DURABILITY": "full"}), timeout=common.LIMIT_S)
    score.check(ran.returncode == 0, f"durability full: {ran.stderr}")
    place.wait_clean()
    place.remove()


def own_commands(score, skiff):
    """What stands in for a command that the host lacks is private to its step, and goes with it."""
    place = common.Place(skiff, "none")
    ran = place.run(place.file("w.yaml", shapes.HEAD + """  templates:
  - {name: main, container: {image: busybox, command: [sh, -c, "command -v nc"]}}
"""), "--name", "w")
    score.check(ran.returncode == 0 and "/files/nc" in place.call("logs", "w").stdout, f"nc: {ran.stderr}")
    score.check(not (left := place.wait_clean()), f"left behind: {left}")
    place.remove()


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"])
    for test in (commands, forced, routes, followed, awaited_log, failed_tail, lost_output, without_engine, loaded, durable, own_commands, *addresses.TESTS, *steer.TESTS, *habits.TESTS):
        test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
