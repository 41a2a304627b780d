#!/usr/bin/env python3
"""Several `skiff run` on one state directory share locks; the engine among them is killed, in some rounds
the next one, too. No two steps may hold a mutex at once, no more than its limit a semaphore; nothing
runs twice, nobody waits for ever.

usage: locks.py [--rounds N] [--seed S] [--only ROUND] SKIFF"""
import json
import random
import socket
import sys
import time

import common
import shapes
import shared

RUNS = 3
LOCKS = {  # name -> (synchronization, how many at once)
    "mutex": ("{mutexes: [{name: m}]}", 1),
    "database mutex": ("{mutexes: [{name: m, database: true}]}", 1),
    "semaphore": ("{semaphores: [{configMapKeyRef: {name: limits, key: k}}]}", 2),
    "both": ("{semaphores: [{configMapKeyRef: {name: limits, key: k}}], mutexes: [{name: m}]}", 1),
}
LIMITS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: limits}\ndata: {k: \"2\"}\n---\n"


def text_of(place, prefix, items, sync, level):
    """A loop of steps; its keys begin with the prefix."""
    own = f"  synchronization: {sync}\n" if level == "workflow" else ""
    body = (own + "  templates:\n  - name: main\n    steps:\n    - - name: l\n        template: one\n"
            f"        withSequence: {{count: \"{items}\"}}\n"
            f"        arguments: {{parameters: [{{name: k, value: \"{prefix}{{{{item}}}}\"}}]}}\n")
    body += shapes.step("one", "{{inputs.parameters.k}}", ["sleep 0.08"],
                        extra="" if own else f"    synchronization: {sync}\n")
    return LIMITS + shapes.Shape("locks", body, []).text(place)


def most_at_once(lines, key_of):
    """The greatest number of different holders between S and E lines."""
    open_keys, most = {}, 0
    for line in lines:
        what, key = line.split(" ", 1)
        holder = key_of(key)
        open_keys[holder] = open_keys.get(holder, 0) + (1 if what == "S" else -1)
        most = max(most, sum(1 for n in open_keys.values() if n > 0))
    return most


def kill_owner(place, procs):
    found = shared.owner(place, procs)
    if found and found.poll() is None:
        common.kill_engine(found)
        return found
    return None


def crash_round(score, skiff, seed, number):
    rng = random.Random(f"locks/{seed}/{number}")
    tier, level = rng.choice(common.host_tiers()), rng.choice(("workflow", "template"))
    name = rng.choice(sorted(LOCKS))
    sync, limit = LOCKS[name]
    place = common.Place(skiff, tier)
    text = f"round {number}, tier {tier}, {name} of each {level}"
    procs, killed = [], []
    for i in range(RUNS):
        path = place.file(f"{i}.yaml", text_of(place, f"w{i}-", rng.randint(2, 4), sync, level))
        procs.append(place.start(path, "--name", f"w{i}"))
        time.sleep(rng.uniform(0, 0.05))  # chance
    for _ in range(rng.choice((1, 1, 2))):
        time.sleep(rng.uniform(0.02, 0.4))  # chance
        killed.append(kill_owner(place, procs))
    for i, p in enumerate(procs):
        _, err = p.communicate(timeout=common.LIMIT_S)
        if p not in killed:
            score.check(p.returncode == 0, f"{text}: run {i} ended with {p.returncode}: {err.decode(errors='replace').strip()}")
    for i, p in enumerate(procs):
        if p in killed and place.get(f"w{i}") is not None:
            place.run("--resume", f"w{i}")
    for i, p in enumerate(procs):
        wf = place.get(f"w{i}")
        if wf is None and p in killed:
            continue  # it died before it was accepted
        phase = ((wf or {}).get("status") or {}).get("phase")
        score.check(phase == "Succeeded", f"{text}: workflow w{i} is {phase}")
        score.check("synchronization" not in ((wf or {}).get("status") or {}), f"{text}: w{i} still shows locks")
    lines = place.lines()
    by_holder = (lambda key: key.split("-")[0]) if level == "workflow" else (lambda key: key)
    most = most_at_once(lines, by_holder)
    score.check(most <= limit, f"{text}: {most} at once, not {limit}: {lines}")
    again = {k: n for k, n in place.starts().items() if n != 1}
    score.check(not again, f"{text}: steps that ran more than once: {again}")
    left = place.left_after_kills()
    score.check(not left, f"{text}: left behind: {left}")
    place.remove()
    return sum(1 for k in killed if k)


def parallel_round(score, skiff, seed, number):
    """parallelism = 1: one workflow at a time, whoever is the engine."""
    rng = random.Random(f"parallel/{seed}/{number}")
    place = common.Place(skiff, "none")
    text = f"parallelism, round {number}"
    procs = []
    for i in range(RUNS):
        body = text_of(place, f"w{i}-", 2, "{mutexes: [{name: m}]}", "template")
        procs.append(place.start(place.file(f"{i}.yaml", body), "--name", f"w{i}", env={"SKIFF_PARALLELISM": "1"}))
        time.sleep(rng.uniform(0, 0.05))  # chance
    time.sleep(rng.uniform(0.02, 0.4))  # chance
    killed = [kill_owner(place, procs)]
    for p in procs:
        p.communicate(timeout=common.LIMIT_S)
    for i, p in enumerate(procs):
        if p in killed and place.get(f"w{i}") is not None:
            place.run("--resume", f"w{i}", env={"SKIFF_PARALLELISM": "1"})
        wf = place.get(f"w{i}")
        score.check(wf is None and p in killed or wf["status"]["phase"] == "Succeeded", f"{text}: w{i} has not succeeded")
    most = most_at_once(place.lines(), lambda key: key.split("-")[0])
    score.check(most <= 1, f"{text}: {most} workflows at once: {place.lines()}")
    score.check(not (left := place.left_after_kills()), f"{text}: left behind: {left}")
    place.remove()
    return sum(1 for k in killed if k)


def limit_round(score, skiff, where):
    """A limit is raised from outside while others wait: they go on at once."""
    place = common.Place(skiff, "none")
    words = ["slots", *where.split()]
    made = place.call("sync", "create", *words, "--limit", "1")
    score.check(made.returncode == 0, f"sync create: {made.stderr.strip()}")
    sync = "{semaphores: [{%s}]}" % ("database: {key: slots}" if "database" in where else
                                     "configMapKeyRef: {name: numbers, key: slots}")
    body = text_of(place, "a-", 3, sync, "template").replace("sleep 0.08", "while [ ! -e @GO@ ]; do sleep 0.02; done")
    path = place.file("a.yaml", body.replace("@GO@", place.count + "/go"))
    run = place.start(path, "--name", "a")
    common.wait_for(lambda: len(place.starts()) == 1 and "a" or None, "the first step")
    grown = place.call("sync", "update", *words, "--limit", "3")
    score.check(grown.returncode == 0, f"sync update: {grown.stderr.strip()}")
    common.wait_for(lambda: len(place.starts()) == 3 or None, "the steps that a greater limit lets go")
    shown = place.call("sync", "get", *words)
    score.check("Limit: 3" in shown.stdout, f"sync get: {shown.stdout}{shown.stderr}")
    other = place.call("sync", "create", "other", *where.split(), "--limit", "7")
    score.check(other.returncode == 0, f"sync create at the engine: {other.stderr.strip()}")
    kind = "type=DATABASE" if "database" in where else "type=CONFIGMAP&cmName=numbers"
    told = asked(place, f"/api/v1/sync/default/other?{kind}")
    score.check(told.get("limit") == 7 and told.get("key") == "other", f"the engine's answer: {told}")
    gone = place.call("sync", "delete", "other", *where.split())
    score.check(gone.returncode == 0, f"sync delete at the engine: {gone.stderr.strip()}")
    score.check(asked(place, f"/api/v1/sync/default/other?{kind}").get("code") == 5, "a deleted limit is still there")
    open(place.count + "/go", "w").close()
    run.communicate(timeout=common.LIMIT_S)
    score.check(run.returncode == 0, f"the run ended with {run.returncode}")
    score.check(not (left := place.left_after_kills()), f"limit: left behind: {left}")
    place.remove()


def asked(place, target):
    """What the engine answers on its socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(place.state + "/engine.sock")
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        text = b"".join(iter(lambda: s.recv(65536), b""))
    return json.loads(text.split(b"\r\n\r\n", 1)[1])


def applied_round(score, skiff):
    """The same by a document: whoever submits it need not be the engine."""
    place = common.Place(skiff, "none")
    body = text_of(place, "a-", 3, "{semaphores: [{configMapKeyRef: {name: limits, key: k}}]}", "template")
    body = body.replace('k: "2"', 'k: "1"').replace("sleep 0.08", "while [ ! -e @GO@ ]; do sleep 0.02; done")
    run = place.start(place.file("a.yaml", body.replace("@GO@", place.count + "/go")), "--name", "a")
    common.wait_for(lambda: len(place.starts()) == 1 or None, "the first step")
    applied = place.run(place.file("limits.yaml", LIMITS.replace('k: "2"', 'k: "3"').replace("---\n", "")))
    score.check(applied.returncode == 0, f"a ConfigMap alone: {applied.stderr.strip()}")
    common.wait_for(lambda: len(place.starts()) == 3 or None, "the steps that a greater limit lets go")
    open(place.count + "/go", "w").close()
    run.communicate(timeout=common.LIMIT_S)
    score.check(run.returncode == 0, f"the run ended with {run.returncode}")
    score.check(not (left := place.left_after_kills()), f"applied: left behind: {left}")
    place.remove()


def main():
    score, o, killed = common.rounds(crash_round, 8)
    if o.only is None:
        beside = sum(parallel_round(score, o.skiff, o.seed, number) for number in range(5))
        score.check(beside > 0, "parallelism: nobody was killed in any round")
        for where in ("--type database", "--type configmap --cm-name numbers"):
            limit_round(score, o.skiff, where)
        applied_round(score, o.skiff)
    print(f"{killed} engines killed")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
