#!/usr/bin/env python3
"""`skiff server`: what it serves over TCP, how it ends, and what is there after it was killed.

usage: run.py [SKIFF [CASE...]]; without it, the program that SKIFF in the environment names"""
import concurrent.futures
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import auth  # noqa: E402
import background  # noqa: E402
import backup_cases  # noqa: E402
import cron  # noqa: E402
import elsewhere  # noqa: E402
import http_cases  # noqa: E402
import ops_cases  # noqa: E402
import lists  # noqa: E402
import manager  # noqa: E402
import objects  # noqa: E402
import server  # noqa: E402
import soak  # noqa: E402
import sso  # noqa: E402
import streams  # noqa: E402
import traces  # noqa: E402
from server import Server, common, workflow  # noqa: E402

GATE = "echo S x >> {0}; until [ -e {1}/open ]; do sleep 0.02; done"


def serves(score, skiff):
    s = Server(skiff).start()
    name = s.submit(workflow("echo hello"))
    score.check(s.wait(name)["status"]["phase"] == "Succeeded", "a submitted workflow runs")
    listed = s.place.call("list", "-o", "name").stdout.split()
    score.check(listed == [name], f"the command line sees it: {listed}")
    local = s.place.run(s.place.file("w.json", server.json.dumps(workflow("true", name="local"))))
    score.check(local.returncode == 0 and s.get("local")["status"]["phase"] == "Succeeded", f"skiff run goes through it: {local.stderr}")
    status, _, e = s.ask("GET", "/api/v1/workflows/default/absent")
    score.check(status == 404 and e["code"] == 5, f"absent: {status} {e}")
    score.check(s.stop() == 0, f"told to end: {s.said}")
    score.check(not (left := s.place.wait_clean()), f"left behind: {left}")
    s.close()


def alone(score, skiff):
    """One engine for a directory, one listener for a port."""
    s = Server(skiff).start()
    for words, status, text in ((("--port", "0"), 9, "another skiff is at work"), (("--port", str(s.port)), 9, "somebody else listens"),
                                (("--port", "70000"), 2, "--port"),
                                (("--host", "no.such.host.invalid"), 2, "no.such.host.invalid")):
        ran = s.place.call("server", *words)
        score.check(ran.returncode == status and text in ran.stderr, f"server {words}: {ran.returncode} {ran.stderr}")
    s.close()


def ends_and_is_taken_over(score, skiff):
    """Steps outlive a server that ends or is killed; the next one finishes what they began, and starts nothing twice."""
    for how in ("stop", "kill"):
        s = Server(skiff).start()
        name = s.submit(workflow(GATE.format(s.place.log_path(), s.place.root)))
        common.wait_for(lambda: s.place.lines() == ["S x"], "the step")
        getattr(s, how)()
        s.start()
        score.check(s.get(name)["status"]["phase"] == "Running", f"{how}: it is there")
        s.place.file("open", "")
        score.check(s.wait(name)["status"]["phase"] == "Succeeded" and s.place.lines() == ["S x"], f"{how}: taken over: {s.place.lines()}")
        s.stop()
        score.check(not (left := s.place.wait_clean()), f"{how}: left behind: {left}")
        s.close()


def gone_at_once(score, skiff):
    """ttlStrategy of 0 seconds: an end that shares its commit with others is followed by the deletion, too."""
    s = Server(skiff).start(env={"SKIFF_PARALLEL": "4"})
    names = [f"w-{i}" for i in range(400)]
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda name: s.submit(workflow("true", name=name, ttlStrategy={"secondsAfterCompletion": 0})), names))
    common.wait_for(lambda: not s.ask("GET", "/api/v1/workflows/default?fields=items.metadata.name")[2].get("items"), "the last to go")
    score.check(True, "all are gone")
    s.close()


def refused(score, skiff):
    """A request that is refused takes back what it did, and nothing else of its turn: here a step has ended, and the next one that gets its place cannot
    begin, all while the server slept."""
    s = Server(skiff).start(env={"SKIFF_PARALLEL": "1"})
    c = s.connect()
    c.request("GET", "/healthz")
    c.getresponse().read()
    held = s.submit(workflow(GATE.format(s.place.log_path(), s.place.root)))
    common.wait_for(lambda: s.place.lines() == ["S x"], "the step")
    bad = workflow("true")
    bad["spec"]["templates"][0]["container"]["env"] = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x"}}}]
    waits = s.submit(bad)
    s.proc.send_signal(signal.SIGSTOP)
    s.place.file("open", "")
    common.wait_for(lambda: not [p for p in common.descendants({s.proc.pid}) if common.comm(p) == "sh"], "the end of the step")
    c.request("PUT", f"/api/v1/workflows/default/{waits}/retry", "{}", {"Content-Type": "application/json"})
    s.proc.send_signal(signal.SIGCONT)
    r = c.getresponse()
    score.check(r.status == 400, f"a retry of what is not over: {r.status} {r.read()}")
    ends = [s.wait(n)["status"] for n in (held, waits)]
    score.check([e["phase"] for e in ends] == ["Succeeded", "Error"], f"both go on: {ends}")
    s.stop()
    s.close()


if __name__ == "__main__":
    sys.exit(server.run_cases((serves, alone, ends_and_is_taken_over, gone_at_once, refused, *auth.TESTS, *sso.CASES, *background.CASES, *manager.CASES, *traces.CASES, *cron.CASES, *streams.CASES, *lists.CASES, *objects.CASES,
                               *http_cases.CASES, *ops_cases.CASES, *backup_cases.CASES, *elsewhere.CASES, *soak.CASES)))
