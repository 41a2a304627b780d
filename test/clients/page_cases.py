"""What Argo's page asks for, call by call, and the requests of Argo's documentation by curl."""
import json
import subprocess
import time
import urllib.parse

from server import common, workflow

LIST_FIELDS = ("metadata,items.metadata.uid,items.metadata.name,items.metadata.namespace,items.metadata.creationTimestamp,items.metadata.labels,"
               "items.metadata.annotations,items.status.phase,items.status.message,items.status.finishedAt,items.status.startedAt,"
               "items.status.estimatedDuration,items.status.progress,items.spec.suspend,items.spec.arguments")
WATCH_FIELDS = ",".join("result.object." + f for f in (
    "metadata.name", "metadata.namespace", "metadata.resourceVersion", "metadata.creationTimestamp", "metadata.uid", "status.finishedAt", "status.phase",
    "status.message", "status.startedAt", "status.estimatedDuration", "status.progress", "metadata.labels", "metadata.annotations", "spec.suspend",
    "spec.arguments")) + ",result.type"
HOLD = {"metadata": {"name": "hold"}, "spec": {"entrypoint": "main", "arguments": {"parameters": [{"name": "a", "value": "b"}]}, "templates": [
    {"name": "main", "steps": [[{"name": "say", "template": "say"}], [{"name": "ask", "template": "ask"}]]},
    {"name": "say", "container": {"image": "alpine:3.7", "command": ["sh", "-c", "echo one; echo two; mkdir /tmp/o; echo x > /tmp/o/f.txt"]},
     "outputs": {"artifacts": [{"name": "o", "path": "/tmp/o"}]}},
    {"name": "ask", "suspend": {}, "outputs": {"parameters": [{"name": "ok", "valueFrom": {"supplied": {}}}]}}]}}


class Events:
    """As a browser's EventSource reads them."""

    def __init__(self, s, target):
        self.stream = s.stream("/" + target, sse=True)
        self.type = self.stream.headers["Content-Type"]

    def next(self):
        """What the next one carries; None when the stream has ended."""
        until = time.monotonic() + common.LIMIT_S  # what keeps a connection alive must not keep a test
        while (line := self.stream.line()) is not None:
            if line.startswith("data: "):
                return json.loads(line[6:])["result"]
            if time.monotonic() > until:
                raise RuntimeError("waited too long for an event")
        return None

    def until(self, fits):
        while (got := self.next()) is not None:
            if fits(got):
                return got
        raise RuntimeError("the stream ended")

    def close(self):
        self.stream.close()


def ask(s, method, target, body=None):
    """As superagent sends it: without a body no Content-Type either."""
    c = s.connect()
    target = "/" + urllib.parse.quote(target, safe="/?&=,:%")
    c.request(method, target, *((json.dumps(body), {"Content-Type": "application/json"}) if body is not None else (None, {})))
    r = c.getresponse()
    data = r.read()
    c.close()
    if r.status != 200:
        raise RuntimeError(f"{method} {target}: {r.status} {data[:300]}")
    return json.loads(data) if r.headers["Content-Type"].startswith("application/json") else data


def waits(s, name, ns="default"):
    def look():
        nodes = (ask(s, "GET", f"api/v1/workflows/{ns}/{name}")["status"].get("nodes") or {}).values()
        return next((n for n in nodes if n["displayName"] == "ask" and n["phase"] == "Running"), None)
    return common.wait_for(look, f"{name} to wait")


def first_page(score, s):
    """What is asked for before anything is shown."""
    info = ask(s, "GET", "api/v1/info")
    score.check(isinstance(info.get("links"), list) and isinstance(info.get("columns"), list) and isinstance(info.get("modals"), dict), f"info: {info}")
    score.check(ask(s, "GET", "api/v1/version")["version"] and isinstance(ask(s, "GET", "api/v1/userinfo"), dict), "version, userinfo")
    ask(s, "POST", "api/v1/tracking/event", {"name": "openedWorkflowList"})
    for ns in ("default", ""):
        page = ask(s, "GET", f"api/v1/workflows/{ns}?listOptions.labelSelector=workflows.argoproj.io/phase in (Pending,Running)&listOptions.limit=50&fields={LIST_FIELDS}")
        score.check(page["metadata"]["resourceVersion"] and not page.get("items"), f"an empty list: {page}")
        for kind in ("workflow-templates", "cron-workflows", "workflow-event-bindings", "event-sources", "sensors"):
            score.check(not ask(s, "GET", f"api/v1/{kind}/{ns}?").get("items"), f"no {kind}")
    score.check(not ask(s, "GET", "api/v1/cluster-workflow-templates").get("items"), "no cluster templates")
    score.check(not ask(s, "GET", "api/v1/archived-workflows-label-keys?").get("items"), "no labels")


def list_page(score, s):
    """The list, and the watch that keeps it up to date."""
    page = ask(s, "GET", f"api/v1/workflows/default?listOptions.limit=50&fields={LIST_FIELDS}")
    watch = Events(s, f"api/v1/workflow-events/default?listOptions.resourceVersion={page['metadata']['resourceVersion']}&fields={WATCH_FIELDS}")
    everywhere = Events(s, "api/v1/workflow-events/?listOptions.labelSelector=workflows.argoproj.io/phase%20in%20(Running,Succeeded)")
    score.check(watch.type == "text/event-stream", f"a stream of events: {watch.type}")
    made = ask(s, "POST", "api/v1/workflows/default", {"workflow": HOLD})
    first = watch.next()
    got = first["object"]
    score.check(first["type"] == "ADDED" and got["metadata"]["uid"] == made["metadata"]["uid"] and got["spec"] == {"arguments": HOLD["spec"]["arguments"]}, f"first: {first}")
    running = watch.until(lambda e: e["object"]["status"].get("progress") == "1/2")["object"]
    score.check(running["status"]["startedAt"].endswith("Z") and "nodes" not in running["status"] and "kind" not in running, f"parts of it: {running}")
    score.check("nodes" in everywhere.until(lambda e: e["object"]["status"].get("nodes"))["object"]["status"], "without fields, all of it")
    waits(s, "hold")
    item = ask(s, "GET", f"api/v1/workflows/default?nameFilter=Contains&listOptions.fieldSelector=metadata.name=ol&listOptions.limit=50&createdAfter=2020-01-01T00:00:00.000Z&fields={LIST_FIELDS}")
    score.check([w["metadata"]["name"] for w in item["items"]] == ["hold"] and item["items"][0]["spec"] == {"arguments": HOLD["spec"]["arguments"]}, f"filtered: {item}")
    score.check(not ask(s, "GET", f"api/v1/workflows/default?finishedBefore=2020-01-01T00:00:00.000Z&fields={LIST_FIELDS}").get("items"), "by time")
    ask(s, "PUT", "api/v1/workflows/default/hold/terminate")
    end = watch.until(lambda e: e["object"]["status"].get("phase") == "Failed")
    score.check(end["object"]["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true", f"the end: {end}")
    ask(s, "DELETE", "api/v1/workflows/default/hold")
    score.check(watch.until(lambda e: e["type"] == "DELETED")["object"]["metadata"]["name"] == "hold", "deleted")
    watch.close()
    everywhere.close()


def details_page(score, s):
    """One workflow: its watch, events, logs, artifacts, and every button."""
    name, uid = "hold", ask(s, "POST", "api/v1/workflows/default", {"workflow": HOLD})["metadata"]["uid"]
    base = f"api/v1/workflows/default/{name}"
    watch = Events(s, f"api/v1/workflow-events/default?listOptions.fieldSelector=metadata.namespace=default,metadata.name={name}")
    events = Events(s, "api/v1/stream/events/default?listOptions.fieldSelector=involvedObject.kind=Workflow,involvedObject.name=" + name)
    node = waits(s, name)
    whole = ask(s, "GET", f"{base}?uid={uid}")
    say = next(n for n in whole["status"]["nodes"].values() if n["displayName"] == "say")
    score.check(events.until(lambda e: e["reason"] == "WorkflowRunning")["involvedObject"]["uid"] == uid, "events about it")
    pod = f"hold-say-{say['id'].rsplit('-', 1)[1]}"
    logs = Events(s, f"{base}/log?logOptions.container=main&grep=&logOptions.follow=true&podName={pod}")
    score.check([logs.next(), logs.next()] == [{"content": "one", "podName": pod}, {"content": "two", "podName": pod}], "its log, while it runs")
    grep = Events(s, f"{base}/log?logOptions.container=main&grep=tw&logOptions.follow=true")
    score.check(grep.next()["content"] == "two", "grep")
    found = ask(s, "GET", f"artifact-files/default/workflows/{name}/{say['id']}/outputs/o")
    score.check(found[:2] == b"\x1f\x8b", "a packed artifact")
    score.check(b"f.txt" in ask(s, "GET", f"artifact-files/default/workflows/{name}/{say['id']}/outputs/o/"), "the list of what is in it")
    score.check(ask(s, "PUT", f"{base}/suspend")["spec"]["suspend"] is True, "suspend")
    ask(s, "PUT", f"{base}/set", {"nodeFieldSelector": f"id={node['id']}", "outputParameters": json.dumps({"ok": "yes"})})
    ask(s, "PUT", f"{base}/resume", {"nodeFieldSelector": f"id={node['id']}"})
    score.check(not ask(s, "PUT", f"{base}/resume", {})["spec"].get("suspend"), "resume")
    end = watch.until(lambda e: e["object"]["status"].get("phase") == "Succeeded")["object"]
    score.check(end["status"]["nodes"][node["id"]]["outputs"]["parameters"][0]["value"] == "yes" and end["metadata"]["resourceVersion"], f"set: {end['status']}")
    score.check(logs.next() is None and grep.next() is None, "the logs end with it")
    again = ask(s, "PUT", f"{base}/resubmit", {"parameters": ["a=c"], "memoized": False})
    score.check(again["spec"]["arguments"]["parameters"] == [{"name": "a", "value": "c"}], f"resubmit: {again['spec']['arguments']}")
    for button in ("stop", "retry", "terminate"):
        waits(s, again["metadata"]["name"])
        path = f"api/v1/workflows/default/{again['metadata']['name']}"
        if button == "retry":
            ask(s, "PUT", f"{path}/stop")
            s.wait(again["metadata"]["name"])
        ask(s, "PUT", f"{path}/{button}")
        if button != "retry":
            score.check(s.wait(again["metadata"]["name"])["status"]["phase"] == "Failed", button)
        if button == "stop":
            ask(s, "PUT", f"{path}/retry", {"restartSuccessful": True, "nodeFieldSelector": "displayName=say", "parameters": []})
    for stream in (watch, events, logs, grep):
        stream.close()
    old = ask(s, "GET", f"api/v1/archived-workflows/{uid}?namespace=default")
    score.check(old["metadata"]["uid"] == uid and old["status"]["nodes"], "of the archive")
    score.check(ask(s, "GET", f"artifact-files/default/archived-workflows/{uid}/{say['id']}/outputs/o") == found, "an artifact of the archive")
    more = ask(s, "PUT", f"api/v1/archived-workflows/{uid}/resubmit", {"namespace": "default", "parameters": [], "memoized": False})
    ask(s, "PUT", f"api/v1/workflows/default/{more['metadata']['name']}/terminate")
    s.wait(more["metadata"]["name"])
    score.check(ask(s, "PUT", f"api/v1/archived-workflows/{more['metadata']['uid']}/retry", {"namespace": "default"})["metadata"]["name"] == more["metadata"]["name"], "retry of the archive")
    ask(s, "PUT", f"api/v1/workflows/default/{more['metadata']['name']}/terminate")
    ask(s, "DELETE", f"api/v1/archived-workflows/{uid}?namespace=default")
    score.check(s.ask("GET", f"/{base}")[0] == 404, "deleted")


def archived_logs(score, s):
    """The page reads a log that was kept as an artifact from artifact-files."""
    wf = workflow("echo kept", image="alpine:3.7", archiveLogs=True)
    name = s.submit(wf)
    node = s.wait(name)["status"]["nodes"][name]
    score.check(any(a["name"] == "main-logs" for a in node["outputs"]["artifacts"]), f"it is there: {node}")
    text = ask(s, "GET", f"artifact-files/default/workflows/{name}/{node['id']}/outputs/main-logs")
    score.check(text == b"kept\n", f"and read: {text}")


def stored_pages(score, s):
    """Templates, cron workflows: create, list, get, update, submit, suspend, delete."""
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "alpine:3.7", "command": ["echo", "x"]}}]}
    for path, kind, member, ns, one in (("workflow-templates", "WorkflowTemplate", "template", "default/", spec),
                                        ("cluster-workflow-templates", "ClusterWorkflowTemplate", "template", "", spec),
                                        ("cron-workflows", "CronWorkflow", "cronWorkflow", "default/", {"schedules": ["0 3 * * *"], "workflowSpec": spec})):
        base = f"api/v1/{path}/{ns}".rstrip("/")
        doc = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "stored", "labels": {"example": "true"}}, "spec": one}
        made = ask(s, "POST", base, {member: doc})
        score.check([x["metadata"]["name"] for x in ask(s, "GET", f"{base}?listOptions.labelSelector=example=true&namePattern=sto&listOptions.limit=5" if ns else base)["items"]] == ["stored"], f"{path}: listed")
        made["metadata"]["annotations"] = {"a": "b"}
        changed = ask(s, "PUT", f"{base}/stored", {member: made})
        score.check(changed["metadata"]["annotations"]["a"] == "b" and ask(s, "GET", f"{base}/stored")["metadata"]["annotations"]["a"] == "b", f"{path}: changed")
        ran = ask(s, "POST", "api/v1/workflows/default/submit", {"namespace": "default", "resourceKind": kind, "resourceName": "stored", "submitOptions": {
            "entryPoint": "main", "parameters": [], "labels": "submit-from-ui=true"}})
        score.check(ran["metadata"]["labels"]["submit-from-ui"] == "true" and s.wait(ran["metadata"]["name"])["status"]["phase"] == "Succeeded", f"{path}: submitted")
        if kind == "CronWorkflow":
            score.check(ask(s, "PUT", f"{base}/stored/suspend")["spec"]["suspend"] and not ask(s, "PUT", f"{base}/stored/resume")["spec"].get("suspend"), "cron: suspend, resume")
        ask(s, "DELETE", f"{base}/stored")
    score.check("items" in ask(s, "GET", "api/v1/workflow-event-bindings/default"), "bindings")


# ---- curl ----

def curl(s, *words):
    """(status, answer)."""
    words = [w.replace("https://localhost:2746", f"http://127.0.0.1:{s.port}") for w in words]
    ran = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}", *words], capture_output=True, text=True, check=True)
    text, _, status = ran.stdout.rpartition("\n")
    return int(status), json.loads(text) if text else None


def rest_examples(score, s):
    """Submitting, listing, getting and deleting, as in Argo's rest-examples."""
    body = {"namespace": "argo", "serverDryRun": False, "workflow": {
        "metadata": {"generateName": "hello-world-", "namespace": "argo", "labels": {"workflows.argoproj.io/completed": "false"}},
        "spec": {"templates": [{"name": "hello-world", "arguments": {}, "inputs": {}, "outputs": {}, "metadata": {}, "container": {
            "name": "", "image": "busybox", "command": ["echo"], "args": ["hello world"], "resources": {}}}], "entrypoint": "hello-world", "arguments": {}}}}
    url = "https://localhost:2746/api/v1/workflows/argo"
    status, made = curl(s, "--request", "POST", "--url", url, "--header", "content-type: application/json", "--data", json.dumps(body))
    score.check(status == 200 and made["metadata"]["name"].startswith("hello-world-"), f"submit: {status} {made}")
    name = made["metadata"]["name"]
    score.check(s.wait(name, "argo")["status"]["phase"] == "Succeeded", "it runs")
    status, listed = curl(s, "--request", "GET", "--url", url)
    score.check(status == 200 and [w["metadata"]["name"] for w in listed["items"]] == [name], f"list: {status}")
    status, one = curl(s, "--request", "GET", "--url", f"{url}/{name}")
    score.check(status == 200 and one["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true", f"get: {status}")
    score.check(curl(s, "--request", "DELETE", "--url", f"{url}/{name}") == (200, {}) and curl(s, f"{url}/{name}")[0] == 404, "delete")


def async_pattern(score, s):
    """Another service ends a suspend step: resume when it was well, stop with a message when it was not."""
    wf = {"metadata": {"generateName": "async-"}, "spec": {"entrypoint": "main", "templates": [
        {"name": "main", "steps": [[{"name": "ask", "template": "ask", "arguments": {"parameters": [{"name": "uuid", "value": "u-1"}]}}]]},
        {"name": "ask", "inputs": {"parameters": [{"name": "uuid"}]}, "suspend": {}}]}}
    for verb, more, phase in (("resume", {}, "Succeeded"), ("stop", {"message": "it broke"}, "Failed")):
        name = s.submit(wf, "argo")
        waits(s, name, "argo")
        status, _ = curl(s, "--request", "PUT", "--url", f"https://localhost:2746/api/v1/workflows/argo/{name}/{verb}", "--header", "content-type: application/json",
                         "--data", json.dumps({"namespace": "argo", "name": name, "nodeFieldSelector": "inputs.parameters.uuid.value=u-1", **more}))
        score.check(status == 200 and (end := s.wait(name, "argo"))["status"]["phase"] == phase, f"{verb}: {status}")
        score.check("it broke" in json.dumps(end) or verb == "resume", "the message is kept")


def submit_and_events(score, s):
    """curl -d without a content type: submitting from a template, events with and without a discriminator."""
    s.apply("workflowtemplates", {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "my-wf-tmple"}, "spec": {
        "entrypoint": "main", "arguments": {"parameters": [{"name": "message", "value": "none"}]}, "templates": [
            {"name": "main", "inputs": {"parameters": [{"name": "message", "value": "{{workflow.parameters.message}}"}]},
             "container": {"image": "busybox", "command": ["echo"], "args": ["{{inputs.parameters.message}}"]}}]}}, "argo")
    s.apply("workfloweventbindings", {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": {"name": "event-consumer"}, "spec": {
        "event": {"selector": 'payload.message != "" && (discriminator == "" || metadata["x-argo-e2e"] == ["true"] && discriminator == "my-discriminator")'},
        "submit": {"workflowTemplateRef": {"name": "my-wf-tmple"}, "arguments": {"parameters": [{"name": "message", "valueFrom": {"event": "payload.message"}}]}}}}, "argo")
    url = "https://localhost:2746/api/v1"
    status, made = curl(s, url + "/workflows/argo/submit", "-d", json.dumps({"resourceKind": "WorkflowTemplate", "resourceName": "my-wf-tmple", "submitOptions": {
        "labels": "workflows.argoproj.io/workflow-template=wait"}}))
    score.check(status == 200 and made["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] == "wait", f"submit: {status} {made}")
    score.check(s.wait(made["metadata"]["name"], "argo")["status"]["phase"] == "Succeeded", "it runs")
    for target, header, n in (("/events/argo/", "X-Other: 1", 2), ("/events/argo/my-discriminator", "X-Argo-E2E: true", 3)):
        status, _ = curl(s, url + target, "-H", header, "-d", '{"message": "hello events"}')
        score.check(status == 200, f"{target}: {status}")
        common.wait_for(lambda: len(s.ask("GET", "/api/v1/workflows/argo")[2]["items"]) == n, f"the workflow of {target}")


CASES = (first_page, list_page, details_page, archived_logs, stored_pages, rest_examples, async_pattern, submit_and_events)
