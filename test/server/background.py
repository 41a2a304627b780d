#!/usr/bin/env python3
"""`skiff submit` without a server: an engine in the background, which comes when it is needed and goes when it is not.

run.py runs these; alone: background.py [SKIFF [CASE...]]"""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402
from server import Server, common, workflow  # noqa: E402

GATE = "echo S x >> {0}; until [ -e {1}/open ]; do sleep 0.02; done"


class Here(Server):
    """A state directory without a server, at first."""

    def file(self, wf):
        return self.place.file(f"{wf['metadata'].get('name', 'w')}.json", json.dumps(wf))

    def words(self, *words):
        return self.place.command("submit", *words, "--runtime", "none")

    def env(self, idle):
        return self.place.env({"SKIFF_BACKGROUND_IDLE": str(idle)})

    def submit(self, wf, *words, idle=1, status=0):
        ran = subprocess.run(self.words(self.file(wf), *words), stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.env(idle),
                             timeout=common.LIMIT_S)
        if ran.returncode != status:
            raise RuntimeError(f"submit: {ran.returncode} {ran.stderr}")
        return ran

    def phase(self, name):
        wf = self.place.get(name)
        return wf and wf["status"].get("phase")

    def ended(self, name):
        common.wait_for(lambda: self.phase(name) in common.PHASES_DONE, name)
        return self.phase(name)

    def gated(self, name):
        return workflow(GATE.format(self.place.log_path(), self.place.root), name=name)

    def log(self):
        return common.contents(self.place.state + "/engine.log").decode()

    def end(self, score):
        score.check(not (left := self.place.wait_clean()), f"left behind: {left}")
        self.close()


def returns_at_once(score, skiff):
    s = Here(skiff)
    ran = s.submit(s.gated("w"))
    score.check(ran.stdout == "w\n" and ran.stderr == "", f"submit: {ran.stdout} {ran.stderr}")
    common.wait_for(lambda: s.place.lines() == ["S x"], "the step")
    score.check(s.phase("w") == "Running", "it returns before the end")
    s.place.file("open", "")
    score.check(s.ended("w") == "Succeeded", "it is run")
    common.wait_for(lambda: "nothing is at work" in s.log(), "the end of the engine")
    s.end(score)


def waits_when_told(score, skiff):
    s = Here(skiff)
    ran = s.submit(workflow("echo hello", name="w"), "--wait")
    score.check(ran.stdout.startswith("w\nw Succeeded at "), f"--wait: {ran.stdout}")
    ran = s.submit(workflow("echo hello; exit 1", name="f"), "--log", status=1)
    score.check("f: hello" in ran.stdout and "FAILED" in ran.stdout, f"--log: {ran.stdout}")
    ran = s.submit(workflow("true", name="o"), "--wait", "-o", "json")
    score.check(json.loads(ran.stdout)["status"]["phase"] == "Succeeded", f"--wait -o json: {ran.stdout}")
    watch = subprocess.Popen(s.words(s.file(s.gated("g")), "--watch", "--progress", "plain"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=s.env(1), process_group=0)
    while "main RUNNING" not in (line := watch.stdout.readline()) and line:
        pass
    watch.send_signal(signal.SIGINT)
    said = watch.communicate(timeout=common.LIMIT_S)[1]
    score.check(watch.returncode == 130 and "detached: g goes on" in said and s.phase("g") == "Running", f"Ctrl-C in --watch: {watch.returncode} {said}")
    s.place.file("open", "")
    score.check(s.ended("g") == "Succeeded", "it goes on")
    s.end(score)


def many_at_once(score, skiff):
    """Each starts an engine; one is enough."""
    s = Here(skiff)
    procs = [subprocess.Popen(s.words(s.file(workflow(f"echo S {i} >> {s.place.log_path()}", name=f"w{i}"))), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=s.env(1)) for i in range(8)]
    said = [p.communicate(timeout=common.LIMIT_S) for p in procs]
    score.check(all(p.returncode == 0 for p in procs) and [o for o, _ in said] == [f"w{i}\n" for i in range(8)], f"eight at once: {said}")
    score.check(all(s.ended(f"w{i}") == "Succeeded" for i in range(8)), "all are run")
    score.check(sorted(s.place.lines()) == [f"S {i}" for i in range(8)], f"each once: {s.place.lines()}")
    s.end(score)


def meets_its_end(score, skiff):
    """An engine that does not stay idle for a moment: every submission comes while one is ending."""
    s = Here(skiff)
    for i in range(25):
        s.submit(workflow(f"echo S {i} >> {s.place.log_path()}", name=f"w{i}"), idle=0)
    score.check(all(s.ended(f"w{i}") == "Succeeded" for i in range(25)), "none is lost")
    score.check(sorted(s.place.lines()) == sorted(f"S {i}" for i in range(25)), f"each once: {s.place.lines()}")
    score.check(s.log().count("nothing is at work") > 1, "engines came and went")
    s.end(score)


def left_to_a_run(score, skiff):
    """`skiff run` is the engine, and ends first: what was left to it goes on in the background."""
    s = Here(skiff)
    first = s.place.start(s.place.file("a.json", json.dumps(workflow(f"until [ -e {s.place.root}/a ]; do sleep 0.02; done", name="a"))))
    common.wait_for(lambda: s.phase("a") == "Running", "the run")
    score.check(s.submit(s.gated("w")).stdout == "w\n", "submit to a run")
    common.wait_for(lambda: s.place.lines() == ["S x"], "its step")
    s.place.file("a", "")
    score.check(first.wait(timeout=common.LIMIT_S) == 0, "the run ends")
    s.place.file("open", "")
    score.check(s.ended("w") == "Succeeded" and s.place.lines() == ["S x"], f"it goes on: {s.place.lines()}")
    first.stderr.close()
    s.end(score)


def gives_way(score, skiff):
    """A server takes its place, also while steps are at work."""
    s = Here(skiff)
    s.submit(s.gated("w"), idle=600)
    common.wait_for(lambda: s.place.lines() == ["S x"], "the step")
    s.start()
    score.check("a server takes over" in s.log(), f"what the engine says: {s.log()}")
    s.place.file("open", "")
    score.check(s.wait("w")["status"]["phase"] == "Succeeded" and s.place.lines() == ["S x"], f"the server goes on: {s.place.lines()}")
    score.check(s.submit(workflow("true", name="v")).stdout == "v\n" and s.wait("v")["status"]["phase"] == "Succeeded", "submit to a server")
    status, _, e = s.ask("POST", "/api/v1/skiff/yield", {})
    score.check(status == 409, f"a server stays: {status} {e}")
    s.stop()
    s.end(score)


def told_to_end(score, skiff):
    """By a signal: the step goes on, the next engine takes it over."""
    s = Here(skiff)
    s.submit(s.gated("w"), idle=600)
    common.wait_for(lambda: s.place.lines() == ["S x"], "the step")
    engine = next(p for p in s.place.ours() if b"--until-idle" in common.contents(f"/proc/{p}/cmdline"))
    os.kill(engine, signal.SIGTERM)
    common.wait_for(lambda: "told to end" in s.log(), "its end")
    score.check(s.phase("w") == "Running", "the workflow is there")
    s.place.file("open", "")
    s.submit(workflow("true", name="v"), "--wait")
    score.check(s.ended("w") == "Succeeded" and s.place.lines() == ["S x"], f"the next one takes it over: {s.place.lines()}")
    s.end(score)


def says_what_is_wrong(score, skiff):
    s = Here(skiff)
    ran = subprocess.run(s.place.command("submit", s.file(workflow("true", name="w")), "--runtime", "container"), capture_output=True, text=True,
                         env=s.place.env({"SKIFF_CONTAINER_SOCKET": s.place.root + "/none.sock"}), timeout=common.LIMIT_S)
    score.check(ran.returncode == 12 and "no engine could be started in the background" in ran.stderr and "none.sock" in ran.stderr,
                f"an engine that cannot start: {ran.returncode} {ran.stderr}")
    ran = subprocess.run(s.place.command("submit", s.file(workflow("true", name="w")), "--runtime", "container"), capture_output=True, text=True,
                         env=s.place.env({"SKIFF_CONTAINER_SOCKET": s.place.root + "/none.sock", "ARGO_SERVER": "127.0.0.1:1"}), timeout=common.LIMIT_S)
    score.check(ran.returncode == 12 and "none.sock" in ran.stderr, f"after other words of it: {ran.returncode} {ran.stderr}")
    cron = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "c"},
            "spec": {"schedules": ["0 0 1 1 *"], "workflowSpec": workflow("true")["spec"]}}
    s.place.call("cron", "create", s.place.file("c.json", json.dumps(cron)))
    ran = s.submit(workflow("true", name="v"), "--wait")
    score.check("skiff server" in ran.stderr, f"schedules: {ran.stderr}")
    s.end(score)


CASES = (returns_at_once, waits_when_told, many_at_once, meets_its_end, left_to_a_run, gives_way, told_to_end, says_what_is_wrong)
if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
