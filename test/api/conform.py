#!/usr/bin/env python3
"""Everything that /openapi.json describes, asked by schemathesis: no 5xx but what the document says, nothing that its schemas do not allow,
no bad value taken, no answer without a token. A fixed seed, a bounded number of requests.

usage: conform.py [SKIFF]"""
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "server"), os.path.join(HERE, "..", "crash")]
import packages  # noqa: E402
from server import Server, common, workflow  # noqa: E402

LIMIT_S = 400
EXAMPLES = 9
REFUSED = "Service_(Create|Update|Delete)(EventSource|Sensor)$"
CONFIG = f"""
seed = 20260101
workers = 2
continue-on-failure = true
max-stream-events = 4
suppress-health-check = ["filter_too_much", "too_slow"]
[generation]
max-examples = {EXAMPLES}
database = "none"
no-shrink = true
[phases]
examples.enabled = false
coverage.enabled = false
stateful.enabled = false
[checks]
# what is wrong with a value that its schema allows (a selector, a name, a workflow) is said with 400
positive_data_acceptance.enabled = false
[[operations]]
include-operation-id-regex = "{REFUSED}"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "501"]
[[operations]]
include-operation-id-regex = "Watch|Logs|Skiff_Changes"
headers = {{ Accept = "text/event-stream" }}
request-timeout = 0.4
[[operations]]
include-operation-id-regex = "_(Create|Update|Lint).*(Workflow|Template)$"
generation.max-examples = {EXAMPLES // 3}
[[operations]]
# any text may stand in their paths or queries, and there is nothing else that could be wrong
include-operation-id-regex = "(Delete|Get)(EventSource|Sensor|Token|Session|Object|ArchivedWorkflow)$|Skiff_Sign"
generation.mode = "positive"
[[operations]]
# a file is no text, so it takes each for one that should be refused
include-operation-id-regex = "Upload"
checks.negative_data_rejection.enabled = false
[[operations]]
include-operation-id-regex = "Skiff_Health|Skiff_Ready|Skiff_Metrics|Skiff_OpenApi"
generation.max-examples = 2
"""
SUSPEND = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}


def of_kind(kind, name, spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def seed(s, headers):
    """Something of every kind; the names and documents that the hooks use."""
    documents = [of_kind("WorkflowTemplate", "tmpl", SUSPEND), of_kind("ClusterWorkflowTemplate", "ctmpl", SUSPEND),
                 of_kind("CronWorkflow", "cron", {"schedules": ["0 0 1 1 *"], "suspend": True, "workflowSpec": SUSPEND}),
                 {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"k": "2"}},
                 of_kind("Workflow", "hold", SUSPEND), workflow("echo said", name="done", archiveLogs=True)]
    status, _, made = s.ask("POST", "/api/v1/skiff/submit", {"documents": documents}, headers)
    if status != 200:
        raise RuntimeError(f"seed: {status} {made}")

    def done():
        wf = s.ask("GET", "/api/v1/workflows/default/done", headers=headers)[2]
        return wf if wf["status"].get("phase") in common.PHASES_DONE else None
    wf = common.wait_for(done, "a workflow to end")
    s.ask("POST", "/api/v1/skiff/tokens", {"name": "spare", "role": "view"}, headers)
    known = {"namespace": ["default"], "name": ["hold", "done", "tmpl", "ctmpl", "cron", "map"], "uid": [wf["metadata"]["uid"]],
             "podName": ["done"], "id": ["done"], "nodeId": ["done"], "key": ["k"], "kind": ["configmaps", "WorkflowTemplate", "secrets"],
             "artifactName": ["main-logs"], "workflowTemplate": ["tmpl"], "token": ["spare"]}
    return known, {"workflow": of_kind("Workflow", "hold", SUSPEND), "template": documents[0], "cronWorkflow": documents[2]}


def conform(score, s, python):
    headers = {"Authorization": "Bearer " + re.search(r"skt_\w+", s.start("--auth", "token").said)[0]}
    known, documents = seed(s, headers)
    operations = sum(len(item) for path, item in s.ask("GET", "/openapi.json")[2]["paths"].items() if path != "/openapi.json")
    with tempfile.TemporaryDirectory() as place:
        with open(os.path.join(place, "schemathesis.toml"), "w") as f:
            f.write(CONFIG)
        env = dict(os.environ, CONFORM_KNOWN=json.dumps(known), CONFORM_DOCUMENTS=json.dumps(documents),
                   SCHEMATHESIS_HOOKS=os.path.join(HERE, "conform_hooks.py"), PYTHONDONTWRITEBYTECODE="1", NO_COLOR="1")
        done = subprocess.run([*python.program("schemathesis"), "run", s.url + "/openapi.json",
                               *(word for name, value in headers.items() for word in ("-H", f"{name}: {value}"))],
                              cwd=place, env=env, capture_output=True, text=True, timeout=LIMIT_S)
    tested = re.search(r"Tested: (\d+)", done.stdout)
    score.check(tested and int(tested[1]) >= operations, f"tested {tested and tested[1]} of {operations} operations")
    if not score.check(done.returncode == 0, "schemathesis has nothing to say"):
        print(done.stdout + done.stderr)
    found = re.search(r"^ *(\d+) generated", done.stdout, re.M)
    print(f"{found[1] if found else '?'} requests by schemathesis")
    score.check(s.proc.poll() is None and s.ask("GET", "/healthz")[0] == 200, "the server lives on")
    score.check(s.stop() == 0, "it ends in order")


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"])
    try:
        python = packages.Python(os.path.join(HERE, "requirements.txt"))
    except packages.Unavailable as e:
        score.skip(f"schemathesis: {e}")
        return score.end()
    s = Server(skiff)
    try:
        conform(score, s, python)
    finally:
        s.close()
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
