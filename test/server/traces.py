#!/usr/bin/env python3
"""Traces of workflows at an OpenTelemetry collector: what arrives there, and that nobody waits for it.

run.py runs these; alone: traces.py [SKIFF [CASE...]]"""
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "http")]
import server  # noqa: E402
import servers  # noqa: E402
from server import Server, common, workflow  # noqa: E402

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DAG = {"entrypoint": "main", "templates": [
    {"name": "main", "dag": {"tasks": [{"name": "good", "template": "good"}, {"name": "inner", "template": "inner", "dependencies": ["good"]}]}},
    {"name": "inner", "steps": [[{"name": "bad", "template": "bad"}], [{"name": "never", "template": "good"}]]},
    {"name": "good", "container": {"image": "busybox", "command": ["true"]}},
    {"name": "bad", "container": {"image": "busybox", "command": ["sh", "-c", "exit 3"]}}]}


class Collector:
    """Takes what it is sent, unless `statuses` says what is answered first."""

    def __init__(self, statuses=()):
        self.statuses, self.requests, self.at = list(statuses), [], []
        self.server = servers.Server(self.answer)
        self.url = self.server.url

    def answer(self, request):
        self.at.append(time.monotonic())
        if self.statuses:
            return self.statuses.pop(0), [], b""
        self.requests.append((request.url_path, dict(request.headers), json.loads(request.body)))
        return 200, [("Content-Type", "application/json")], b"{}"

    def spans(self):
        """By name; each belongs to the one resource."""
        return [s for _, _, body in self.requests for r in body["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]

    def span(self, name):
        return common.wait_for(lambda: next((s for s in self.spans() if s["name"] == name), None), f"the span {name}")

    def close(self):
        self.server.shutdown()


def attributes(span):
    return {a["key"]: a["value"]["stringValue"] for a in span["attributes"]}


def counted(s, result):
    text = s.ask("GET", "/metrics")[2].decode()
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(f'skiff_trace_spans_total{{result="{result}"}}')), None)


def whole(score, skiff):
    c, s = Collector(), Server(skiff)
    s.start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": c.url + "/", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b, x=y%, none", "OTEL_SERVICE_NAME": "ours",
                 "OTEL_RESOURCE_ATTRIBUTES": "team=ml,service.name=other"})
    wf = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": DAG}
    s.submit(wf)
    done = s.wait("w")
    top = common.wait_for(lambda: next((x for x in c.spans() if "parentSpanId" not in x), None), "the workflow's span")
    spans = {(x["name"], attributes(x).get("node_type")): x for x in c.spans()}
    path, headers, body = c.requests[0]
    score.check(path == "/v1/traces" and headers["api-key"] == "a b" and headers["x"] == "y%" and headers["Content-Type"] == "application/json", f"request: {path} {headers}")
    resource = attributes(body["resourceSpans"][0]["resource"])
    score.check(resource["service.name"] == "ours" and resource["team"] == "ml" and resource["service.version"], f"resource: {resource}")
    score.check(len(spans) == len(c.spans()) == 1 + len(done["status"]["nodes"]), f"a span for each node, and one for the workflow: {sorted(spans, key=str)}")
    uid = done["metadata"]["uid"].replace("-", "")
    score.check(all(x["traceId"] == uid for x in c.spans()), "the trace is the uid's")
    root, good, inner, bad = spans["w", "DAG"], spans["good", "Pod"], spans["inner", "Steps"], spans["bad", "Pod"]
    group = next(x for x in c.spans() if attributes(x).get("node_type") == "StepGroup")
    want = [(root, top), (good, root), (inner, root), (group, inner), (bad, inner)]
    score.check(all(x.get("parentSpanId") == p["spanId"] for x, p in want), "each is below its boundary node")
    score.check(len({x["spanId"] for x in c.spans()}) == len(c.spans()), "ids of spans are different")
    score.check(good["status"] == {"code": 1} and bad["status"]["code"] == 2 and "exit code 3" in bad["status"]["message"] and top["status"]["code"] == 2,
                f"status: {good['status']} {bad['status']} {top['status']}")
    a = attributes(bad)
    score.check((a["name"], a["namespace"], a["node_type"], a["node_phase"], a["exit_code"], a["template_name"]) == ("w", "default", "Pod", "Failed", "3", "bad") and
                a["node_id"] in done["status"]["nodes"], f"attributes: {a}")
    times = [(int(x["startTimeUnixNano"]), int(x["endTimeUnixNano"])) for x in (top, root, good)]
    score.check(all(b <= e for b, e in times) and times[0][0] <= times[2][0] and times[2][1] <= times[0][1], f"times: {times}")
    s.stop()
    s.close()
    c.close()


def of_the_caller(score, skiff):
    """A traceparent is continued; one that is not to be sampled is not; one that is broken is as none."""
    c, s = Collector(), Server(skiff)
    s.start(env={"SKIFF_OTLP_ENDPOINT": c.url, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    for name, parent in (("mine", PARENT), ("quiet", PARENT[:-1] + "0"), ("broken", PARENT.replace("-b7", "-B7")), ("zero", f"00-{'0' * 32}-{'0' * 16}-01")):
        status, _, made = s.ask("POST", "/api/v1/workflows/default", {"workflow": workflow("true", name=name)}, {"traceparent": parent})
        score.check(status == 200, f"submit: {made}")
        s.wait(name)
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": {"metadata": {"name": "t"}, "spec": workflow("true")["spec"]}})
    for target, body in (("workflows/default/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "t", "submitOptions": {"name": "stored", "annotations": "a=b"}}),
                         ("skiff/submit", {"documents": [workflow("true", name="ours")], "annotations": [{"name": "a", "value": "b"}]})):
        status, _, made = s.ask("POST", "/api/v1/" + target, body, {"traceparent": PARENT})
        score.check(status == 200, f"submit: {made}")
    for name in ("stored", "ours"):
        notes = s.wait(name)["metadata"].get("annotations", {})
        score.check(notes.get("a") == "b" and notes.get("opentelemetry.io/traceparent") == PARENT, f"beside other annotations: {notes}")
    ran = subprocess.run(s.place.command("submit", s.place.file("c.json", json.dumps(workflow("true", name="cli")))), capture_output=True, text=True,
                         env=s.place.env({"TRACEPARENT": PARENT}))
    score.check(ran.returncode == 0, f"submit: {ran.stderr}")
    s.wait("cli")
    for name in ("mine", "cli"):
        top = common.wait_for(lambda: next((x for x in c.spans() if x["name"] == name and "uid" in attributes(x)), None), name)
        score.check(top["traceId"] == PARENT[3:35] and top["parentSpanId"] == PARENT[36:52], f"{name}: {top}")
    score.check(not [x for x in c.spans() if x["name"] == "quiet"], "not sampled")
    for name in ("broken", "zero"):
        top = next(x for x in c.spans() if x["name"] == name and "uid" in attributes(x))
        score.check(top["traceId"] == s.get(name)["metadata"]["uid"].replace("-", "") and "parentSpanId" not in top, f"{name}: {top}")
    s.stop()
    s.close()
    c.close()


def again(score, skiff):
    """A collector that is busy is asked again; one that refuses is not; what is not sent is counted."""
    c, s = Collector([429, 503]), Server(skiff).start(env={"SKIFF_OTLP_ENDPOINT": (c0 := Collector([400])).url})
    s.submit(workflow("true", name="w"))
    s.wait("w")
    common.wait_for(lambda: counted(s, "dropped") == 2, "the count of what was refused")
    score.check(len(c0.at) == 1, "what is refused is not sent again")
    s.stop()
    s.start(env={"SKIFF_OTLP_ENDPOINT": c.url})
    s.submit(workflow("true", name="v"))
    s.wait("v")
    common.wait_for(lambda: counted(s, "sent") == 2, "the count of what was sent")
    score.check(len(c.at) == 3 and c.at[1] - c.at[0] > 0.9 and c.at[2] - c.at[1] > 1.9, f"later and later: {c.at}")
    score.check({x["name"] for x in c.spans()} == {"v"}, "it arrives in the end, once")
    s.stop()
    s.close()
    c.close()
    c0.close()


def at_the_end(score, skiff):
    """What was not sent yet is sent when the engine ends, `skiff run` too; a collector that never answers does not hold it."""
    c, s = Collector(), Server(skiff)
    ran = s.place.run(s.place.file("w.json", json.dumps(workflow("true", name="w"))), env={"SKIFF_OTLP_ENDPOINT": c.url})
    score.check(ran.returncode == 0 and len(c.spans()) == 2, f"skiff run: {ran.stderr} {c.spans()}")
    c.close()
    held = threading.Event()
    slow = servers.Server(lambda request: held.wait(common.LIMIT_S) and None)
    s.start(env={"SKIFF_OTLP_ENDPOINT": slow.url})
    for i in range(20):
        s.submit(workflow("true", name=f"v{i}"))
    score.check(all(s.wait(f"v{i}")["status"]["phase"] == "Succeeded" for i in range(20)), "workflows do not wait for a collector")
    begin = time.monotonic()
    score.check(s.stop() == 0 and time.monotonic() - begin < 10 and "spans were not taken" in s.said, f"the end does not wait: {s.said}")
    held.set()
    slow.shutdown()
    for env in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
        s.start(env={"SKIFF_OTLP_ENDPOINT": "http://127.0.0.1:1", **env})
        score.check("skiff_trace_spans_total{" not in s.ask("GET", "/metrics")[2].decode() and s.stop() == 0 and "traces" not in s.said, f"{env}: {s.said}")
    s.close()


CASES = (whole, of_the_caller, again, at_the_end)
if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
