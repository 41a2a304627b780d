#!/usr/bin/env python3
"""Observing a server: health, metrics, `skiff top`.

run.py runs these; alone: ops_cases.py [SKIFF [CASE...]]"""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402
from server import Server, common, workflow  # noqa: E402

SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')
GATE = "until [ -e {0}/open ]; do sleep 0.02; done"


def metrics(score, s):
    """{(name, labels): value}; and whether it is a well-formed exposition."""
    status, headers, data = s.ask("GET", "/metrics")
    score.check(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), f"metrics: {status} {headers['Content-Type']}")
    kinds, found = {}, {}
    for line in data.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            score.check(name not in kinds, f"{name} twice")
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            m = SAMPLE.match(line)
            if not score.check(m, f"not a sample: {line}"):
                continue
            name, labels = m[1], tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', m[2] or "")))
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            score.check(name in kinds or kinds.get(base) == "histogram", f"{name} has no type")
            score.check((name, labels) not in found, f"{name} {labels} twice")
            found[name, labels] = float(m[3])
    return found


def value(found, name, /, **labels):
    return found.get((name, tuple(sorted(labels.items()))))


def measures(score, skiff):
    s = Server(skiff).start()
    emits = {"prometheus": [{"name": "mine", "help": "h", "counter": {"value": "1"}}, {"name": "total_count", "help": "h", "counter": {"value": "1"}}]}
    names = [s.submit(workflow("true")), s.submit(workflow("exit 1")), s.submit(workflow("true", metrics=emits))]
    done = [s.wait(n) for n in names]
    held = s.submit(workflow(GATE.format(s.place.root), name="held"))
    common.wait_for(lambda: value(metrics(score, s), "skiff_steps", stage="run") == 1, "the step")
    m = metrics(score, s)
    a = "argo_workflows_"
    for name, labels, want in (("gauge", {"phase": "Succeeded"}, 2), ("gauge", {"phase": "Failed"}, 1), ("gauge", {"phase": "Running"}, 1), ("gauge", {"phase": "Error"}, 0),
                               ("total_count", {"phase": "Succeeded", "namespace": "default"}, 2), ("total_count", {"phase": "Failed", "namespace": "default"}, 1),
                               ("pods_gauge", {"phase": "Running"}, 1), ("pods_total_count", {"phase": "Pending", "namespace": "default"}, 4),
                               ("pods_total_count", {"phase": "Failed", "namespace": "default"}, 1), ("pods_total_count", {"phase": "Succeeded", "namespace": "default"}, 2),
                               ("workflow_condition", {"type": "PodRunning", "status": "true"}, 1), ("is_leader", {}, 1), ("mine", {}, 1),
                               ("queue_depth_gauge", {"queue_name": "workflow_queue"}, 0)):
        score.check(value(m, a + name, **labels) == want, f"{name} {labels}: {value(m, a + name, **labels)}, not {want}")
    for stage in ("commit", "wait", "run"):
        n = value(m, "skiff_step_stage_seconds_count", stage=stage)
        score.check(n == (3 if stage == "run" else 4), f"stage {stage}: {n}")
    score.check(value(m, "skiff_workflow_start_seconds_count") == 4, "starts")
    score.check(value(m, "skiff_http_requests_total", method="POST", route="/api/v1/workflows/{namespace}", code="200") == 4, "requests by route")
    score.check(value(m, "process_resident_memory_bytes") > 1e6 and value(m, "process_open_fds") > 5, "the process")
    conditions = [c for c in done[2]["status"].get("conditions", []) if c["type"] == "MetricsError"]
    score.check(conditions and "total_count" in conditions[0]["message"], f"a name of the engine's: {done[2]['status'].get('conditions')}")
    s.ask("GET", "/nothing/at/all")
    score.check(value(metrics(score, s), "skiff_http_requests_total", method="other", route="none", code="404") == 1, "requests that nobody knows are one series")
    s.place.file("open", "")
    s.wait(held)
    score.check(s.ask("DELETE", f"/api/v1/workflows/default/{names[0]}")[0] == 200, "delete")
    common.wait_for(lambda: value(metrics(score, s), a + "gauge", phase="Succeeded") == 2, "one less, one more")
    score.check(s.stop() == 0, "told to end")
    s.close()


def templates(score, skiff):
    """Workflows with a workflowTemplateRef are counted by their template."""
    s = Server(skiff).start()
    spec = workflow("true")["spec"]
    made = s.ask("POST", "/api/v1/workflow-templates/default", {"template": {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": spec}})
    score.check(made[0] == 200, f"{made}")
    s.wait(s.submit({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"}, "spec": {"workflowTemplateRef": {"name": "t"}}}))
    m, labels = metrics(score, s), {"name": "t", "namespace": "default", "cluster_scope": "false"}
    score.check(value(m, "argo_workflows_workflowtemplate_triggered_total", phase="Succeeded", **labels) == 1, "triggered")
    score.check(value(m, "argo_workflows_workflowtemplate_runtime_count", **labels) == 1, "runtime")
    s.close()


def locks(score, skiff):
    """How often each lock was got, and who holds it and waits for it now; a lock that nobody has anything to do with is at nought."""
    s = Server(skiff).start()
    mutex = {"type": "mutex", "storage": "configmap", "lock_name": "m", "namespace": "default"}
    limit = {"type": "semaphore", "storage": "database", "lock_name": "gpu", "namespace": "default"}
    a = "argo_workflows_locks_"
    s.ask("POST", "/api/v1/sync/default", {"key": "gpu", "limit": 2, "type": "DATABASE"})
    spec = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}],
            "synchronization": {"mutexes": [{"name": "m"}], "semaphores": [{"database": {"key": "gpu"}}]}}
    for name in ("first", "second"):
        s.submit({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec})
    common.wait_for(lambda: (m := metrics(score, s)) and value(m, a + "held", **mutex) == 1 and value(m, a + "pending", **mutex) == 1, "one holds, one waits")
    m = metrics(score, s)
    score.check((value(m, a + "taken_total", **mutex), value(m, a + "held", **limit), value(m, a + "pending", **limit)) == (1, 1, 1), f"{m}")
    for name in ("first", "second"):
        common.wait_for(lambda: (s.get(name)["status"].get("nodes") or {}).get(name), f"{name} is at work")
        s.ask("PUT", f"/api/v1/workflows/default/{name}/resume", {})
        s.wait(name)
    m = metrics(score, s)
    for lock in (mutex, limit):
        score.check((value(m, a + "taken_total", **lock), value(m, a + "held", **lock), value(m, a + "pending", **lock)) == (2, 0, 0), f"in the end: {lock} {m}")
    s.close()


def top(score, skiff):
    s = Server(skiff)
    score.check("no engine" in s.place.call("top").stdout, "nothing has run here yet")
    s.start()
    score.check(s.ask("GET", "/healthz")[0] == 200 and s.ask("GET", "/readyz")[0] == 200, "it is well")
    s.submit(workflow(GATE.format(s.place.root), name="held"))
    common.wait_for(lambda: json.loads(s.place.call("top", "-o", "json").stdout)["engine"]["stepsRunning"] == 1, "the step")
    lines = s.place.call("top").stdout.splitlines()
    score.check(lines[0] == "Workflows: 1 at work, 0 waiting" and lines[1].startswith("Steps:     1 of "), f"{lines}")
    score.check(lines[2].split() == ["NAMESPACE", "NAME", "STATUS", "DURATION", "PROGRESS", "RUNNING", "WAITING", "HELD", "BY"], f"{lines}")
    row = lines[3].split()
    score.check(len(lines) == 4 and row[:3] == ["default", "held", "Running"] and row[4:] == ["0/1", "1", "0", "-"], f"{lines}")
    s.kill()
    lines = s.place.call("top").stdout.splitlines()
    score.check(lines[0] == "no engine is at work here" and lines[2].split()[:3] == ["default", "held", "Running"], f"without an engine: {lines}")
    s.place.file("open", "")
    s.start()
    s.wait("held")
    score.check(s.stop() == 0, "told to end")
    score.check(s.place.call("top", "--interval", "0").returncode == 2, "an interval that is none")
    s.close()


def logs_json(score, skiff):
    """With --log-format json every line of stderr is an object, also what ends the server; what is about a node says which."""
    s = Server(skiff).start("--log-format", "json", "-v", "--auth", "token")
    first = next(line for line in map(json.loads, s.said.splitlines()) if "token" in line)
    head = {"Authorization": first["token"]}
    wf = workflow('echo half > $ARGO_PROGRESS_FILE; until [ -e %s/open ]; do sleep 0.02; done; printf "\\377\\n"' % s.place.root, name="w")
    status, _, made = s.ask("POST", "/api/v1/workflows/default", {"workflow": wf}, head)
    score.check(status == 200, f"submit with the first token: {made}")
    line = {}
    while "progress" not in line.get("msg", ""):
        line = json.loads(s.proc.stderr.readline())
    score.check((line["level"], line["workflow"], line["namespace"], line["node"]) == ("warn", "w", "default", "w"), f"about a node: {line}")
    s.place.file("open", "")
    other = s.place.call("server", "--port", "0", "--log-format", "json")
    said = [json.loads(x) for x in other.stderr.splitlines()]
    score.check(other.returncode == 9 and said[-1]["level"] == "error" and "another skiff" in said[-1]["msg"], f"an error: {other.stderr}")
    begun = len(s.said)
    s.stop()
    try:
        lines = [json.loads(x) for x in s.said[begun:].splitlines()]
    except ValueError as e:
        lines = []
        score.check(False, f"not JSON: {e} {s.said[begun:]}")
    score.check(lines and all({"time", "level", "msg"} <= set(x) for x in lines), f"each has what matters: {lines}")
    s.close()


def held_back(score, skiff):
    """What a workflow waits for is seen in `skiff top` and counted."""
    def held():
        top = json.loads(s.place.call("top", "-o", "json").stdout)
        return {i["name"]: {h["by"]: h["n"] for h in i["heldBy"]} for i in top["items"]}
    s = Server(skiff).start(env={"SKIFF_PARALLELISM": "6", "SKIFF_PARALLEL": "1", "SKIFF_CPUS": "1"})
    gate = GATE.format(s.place.root)
    mutex = {"synchronization": {"mutexes": [{"name": "m"}]}}
    asks = workflow(gate, name="asks")
    asks["spec"]["templates"][0]["container"]["resources"] = {"requests": {"cpu": "1"}}
    more = json.loads(json.dumps(asks).replace('"asks"', '"more"'))
    s.submit(asks)
    common.wait_for(lambda: s.place.call("top", "-o", "json").stdout and json.loads(s.place.call("top", "-o", "json").stdout)["items"][0]["running"] == 1, "the first step")
    s.submit(more)
    s.submit(workflow(gate, name="owner", **mutex))
    s.submit(workflow(gate, name="other", **mutex))
    few = workflow("true", name="few", parallelism=1)
    few["spec"]["templates"] += [{"name": "five", "steps": [[{"name": "s", "template": "main", "withSequence": {"count": "5"}}]]},
                                 {"name": "two", "parallelism": 2, "steps": [[{"name": "s", "template": "main", "withSequence": {"count": "5"}}]]}]
    few["spec"]["entrypoint"] = "five"
    s.submit(few)
    few["metadata"]["name"], few["spec"]["entrypoint"] = "pairs", "two"
    del few["spec"]["parallelism"]
    s.submit(few)
    s.submit(workflow("true", name="seventh"))
    want = {"asks": {}, "more": {"machine": 1}, "owner": {"slot": 1}, "other": {"lock": 1}, "few": {"own-parallelism": 4, "slot": 1},
            "pairs": {"own-parallelism": 3, "slot": 2}, "seventh": {"parallelism": 1}}
    common.wait_for(lambda: held() == want, f"what holds them back: {held()}")
    m = metrics(score, s)
    for by, n in (("machine", 1), ("slot", 4), ("lock", 1), ("parallelism", 1), ("image", 0), ("own-parallelism", 7), ("rate", 0)):
        score.check(value(m, "skiff_held_back", by=by) == n, f"{by}: {value(m, 'skiff_held_back', by=by)}")
    said = s.place.call("top").stdout
    rows = {line.split()[1]: line.rsplit("  ", 1)[-1] for line in said.splitlines() if line.startswith("default")}
    score.check(rows["more"] == "machine 1" and rows["seventh"] == "parallelism" and rows["few"] == "own-parallelism 4, slot 1" and
                "7 have not begun to wait: the parallelism of their workflow" in said and "Locks:     1 waiting for one" in said, f"top: {said}")
    got = {name: s.place.call("get", name).stdout for name in ("more", "other", "seventh")}
    score.check("Unschedulable" in got["more"] and "lock" in got["other"] and "too many workflows" in got["seventh"], f"get: {got}")
    s.place.file("open", "")
    score.check(all(s.wait(n)["status"]["phase"] == "Succeeded" for n in want), "all go on")
    s.stop()
    s.close()


def paced(score, skiff):
    """No more pods begin than the rate of starts allows; the others wait for their turn."""
    s = Server(skiff).start(env={"SKIFF_STARTS_PER_SECOND": "0.001", "SKIFF_STARTS_BURST": "2"})
    wf = workflow("true", name="three")
    wf["spec"]["templates"].append({"name": "all", "steps": [[{"name": n, "template": wf["spec"]["entrypoint"]} for n in "abc"]]})
    wf["spec"]["entrypoint"] = "all"
    s.submit(wf)
    def phases():
        return sorted(n["phase"] for n in s.get("three")["status"].get("nodes", {}).values() if n["type"] == "Pod")
    common.wait_for(lambda: phases() == ["Pending", "Succeeded", "Succeeded"], "two of three")
    s.submit(workflow("true", name="later"))
    top = json.loads(s.place.call("top", "-o", "json").stdout)
    score.check({i["name"]: i["heldBy"] for i in top["items"]} == {n: [{"by": "rate", "n": 1}] for n in ("three", "later")}, f"both wait: {top['items']}")
    m, said = metrics(score, s), s.place.call("top").stdout
    score.check(value(m, "skiff_held_back", by="rate") == 2 and value(m, "skiff_held_back", by="slot") == 0 and top["engine"]["stepsPaced"] == 2 and
                "2 of those that wait begin as starts_per_second allows" in said and said.count("rate 1") == 2, f"{said}")
    score.check(phases() == ["Pending", "Succeeded", "Succeeded"], "and no more have begun")
    s.stop()
    for env, word in (({"SKIFF_STARTS_PER_SECOND": "x"}, "starts_per_second is a number"), ({"SKIFF_STARTS_PER_SECOND": "0"}, "starts_per_second is a number"),
                      ({"SKIFF_STARTS_BURST": "0"}, "starts_burst is from 1")):
        got = s.place.call("run", s.place.file("w.yaml", json.dumps(workflow("true"))), env=env)
        score.check(got.returncode == 2 and word in got.stderr, f"{env}: {got.returncode} {got.stderr}")
    s.close()


def archive_ends(score, skiff):
    """Finished workflows go when they are too old, with their logs; what is at work, and what is not so old, stays."""
    s = Server(skiff).start()
    held = workflow("true", name="held")
    held["spec"]["templates"][0] = {"name": "main", "suspend": {}}
    s.submit(held)
    done = [s.submit(workflow("echo x")) for _ in range(5)]
    for name in done:
        s.wait(name)
    def there():
        return sorted(i["metadata"]["name"] for i in s.ask("GET", "/api/v1/workflows/default")[2]["items"])
    for ttl, stay in (("1h", done), ("30d", done), ("1ms", [])):
        s.stop()
        s.start(env={"SKIFF_ARCHIVE_TTL": ttl})
        score.check(there() == sorted([*stay, "held"]), f"{ttl}: {there()}")
    common.wait_for(lambda: not glob.glob(s.place.state + "/steps/*/main.log"), "their logs")
    s.stop()
    for ttl in ("x", "0d", "d", "-1h", "40000d", "-213503982d", "999999999999999d"):
        got = s.place.call("run", s.place.file("w.yaml", json.dumps(workflow("true"))), env={"SKIFF_ARCHIVE_TTL": ttl})
        score.check(got.returncode == 2 and "archive_ttl is a time" in got.stderr, f"{ttl}: {got.returncode} {got.stderr}")
    s.close()


CASES = (logs_json, archive_ends, held_back, paced, measures, templates, locks, top)

if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
