#!/usr/bin/env python3
"""Resource and data templates with the real program: every action, conditions, owners, outputs, jq programs
that misbehave, and what a kill of the engine leaves.

usage: run.py [SKIFF] [NAME...]; without it, the program that SKIFF in the environment names"""
import json
import os
import shutil
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
import common  # noqa: E402

API = "argoproj.io/v1alpha1"
OK = {"name": "ok", "container": {"image": "busybox", "command": ["true"]}}
BAD = {"name": "bad", "container": {"image": "busybox", "command": ["false"]}}


# ---- documents ----

def workflow(templates, entry=None, name=None, **spec):
    meta = {"name": name} if name else {"generateName": "child-"}
    return {"apiVersion": API, "kind": "Workflow", "metadata": meta,
            "spec": {"entrypoint": entry or templates[0]["name"], "templates": templates, **spec}}


def child(template=OK, name=None, **meta):
    doc = workflow([template], name=name)
    doc["metadata"].update(meta)
    return doc


def config_map(name, data=None, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}, "data": data or {"k": "v"}}


def resource(name, action, manifest=None, outputs=None, inputs=None, **fields):
    r = {"action": action, **fields}
    if manifest is not None:
        r["manifest"] = manifest if isinstance(manifest, str) else json.dumps(manifest)
    t = {"name": name, "resource": r}
    if outputs:
        t["outputs"] = {"parameters": [{"name": k, "valueFrom": v} for k, v in outputs.items()]}
    return dict(t, inputs=inputs) if inputs else t


def steps(*names):
    return {"name": "main", "steps": [[{"name": n, "template": n}] for n in names]}


def path(text):
    return {"jsonPath": text}


# ---- running and looking ----

class Case:
    """A state directory, and what a run in it came to."""

    def __init__(self, score, skiff, name):
        self.score, self.name = score, name
        self.place = common.Place(skiff, "none")

    def check(self, ok, what):
        return self.score.check(ok, f"{self.name}: {what}")

    def run(self, doc, *more, name="w"):
        text = "\n---\n".join(json.dumps(d) for d in [*more, doc])
        self.ran = self.place.run(self.place.file("w.yaml", text), "--name", name)
        self.wf = self.place.get(name)
        return self.wf

    def begin(self, doc, *more, name="w"):
        text = "\n---\n".join(json.dumps(d) for d in [*more, doc])
        return self.place.start(self.place.file("w.yaml", text), "--name", name)

    def node(self, display):
        nodes = ((self.wf or {}).get("status") or {}).get("nodes") or {}
        found = [n for n in nodes.values() if n["displayName"] == display]
        return found[0] if found else {}

    def ends(self, display, phase, message=None):
        n = self.node(display)
        self.check(n.get("phase") == phase, f"{display}: {n.get('phase')}, not {phase}: {n.get('message')} {self.ran.stderr[-400:]}")
        if message is not None:
            self.check(message in n.get("message", ""), f"{display}: message {n.get('message')!r} has not {message!r}")

    def output(self, display, name, value):
        outputs = self.node(display).get("outputs") or {}
        got = {p["name"]: p.get("value") for p in outputs.get("parameters") or []}.get(name)
        self.check(got == value, f"{display}.{name}: {got!r}, not {value!r}")

    def objects(self, kind):
        """name -> document; workflows: name -> labels and phase."""
        db = sqlite3.connect(f"file:{self.place.state}/skiff.db?mode=ro", uri=True)
        if kind == "Workflow":
            rows = db.execute("SELECT name, phase, labels FROM runs WHERE deleted_us=0").fetchall()
            out = {n: {"phase": p, "labels": json.loads(labels)} for n, p, labels in rows}
        else:
            rows = db.execute("SELECT name, doc FROM objects WHERE kind=? AND deleted_us=0", (kind,)).fetchall()
            out = {n: json.loads(d) for n, d in rows}
        db.close()
        return out

    def end(self):
        left = self.place.wait_clean()
        self.check(not left, f"left behind: {left}")
        self.place.remove()


# ---- actions ----

def create_and_get(c):
    c.run(workflow([steps("make", "look"),
                    resource("make", "create", config_map("cm", {"a": "1"}),
                             {"name": path("{.metadata.name}"), "uid": path("{.metadata.uid}")}),
                    resource("look", "get", None, {"a": path("{.data.a}"), "none": path("{.data.nope}")}, flags=["cm", "cm"])]))
    c.ends("make", "Succeeded")
    c.output("make", "name", "cm")
    c.output("look", "a", "1")
    c.output("look", "none", "")
    c.check(c.node("look")["outputs"].get("exitCode") == "0", "the exit code is 0")
    c.check(c.wf["status"]["progress"] == "2/2", "progress counts the steps")


def create_twice(c):
    c.run(workflow([steps("make", "again"), resource("make", "create", config_map("cm")),
                    resource("again", "create", config_map("cm"))]))
    c.ends("again", "Failed", 'main: Error (exit code 64): no more retries Error from server (AlreadyExists): error when '
                              'creating "/tmp/manifest.yaml": configmaps "cm" already exists')
    c.check(c.node("again")["outputs"]["exitCode"] == "64", "the exit code is 64")


def generate_names(c):
    doc = config_map("x")
    doc["metadata"] = {"generateName": "cm-"}
    c.run(workflow([steps("one", "two"), resource("one", "create", doc, {"n": path("{.metadata.name}")}),
                    resource("two", "create", doc, {"n": path("{.metadata.name}")})]))
    c.ends("two", "Succeeded")
    names = set(c.objects("ConfigMap"))
    c.check(len(names) == 2 and all(n.startswith("cm-") for n in names), f"two names: {names}")


def get_what_is_absent(c):
    c.run(workflow([steps("soft", "hard"),
                    resource("soft", "get", None, {"d": {"jsonPath": "{.data.a}", "default": "fallback"}, "e": path("{.data.a}")},
                             flags=["cm", "absent", "--ignore-not-found"]),
                    resource("hard", "get", {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "absent"}},
                             {"d": {"jsonPath": "{.data.a}", "default": "fallback"}})]))
    c.ends("soft", "Succeeded")
    c.output("soft", "d", "fallback")
    c.output("soft", "e", "")
    c.ends("hard", "Failed", 'Error from server (NotFound): workflows.argoproj.io "absent" not found')


def apply_merges(c):
    first, second = config_map("cm", {"a": "1", "b": "2"}), config_map("cm", {"a": "3"})
    c.run(workflow([steps("one", "other", "two"), resource("one", "apply", first),
                    resource("other", "patch", {"data": {"c": "4"}}, mergeStrategy="merge", flags=["cm", "cm"]),
                    resource("two", "apply", second, {"data": path("{.data}")})]))
    c.ends("two", "Succeeded")
    c.output("two", "data", '{"a":"3","c":"4"}')


def replace_replaces(c):
    c.run(workflow([steps("make", "new", "absent"), resource("make", "create", config_map("cm", {"a": "1", "b": "2"})),
                    resource("new", "replace", config_map("cm", {"z": "9"}), {"data": path("{.data}"), "uid": path("{.metadata.uid}")}),
                    resource("absent", "replace", config_map("nope"))]))
    c.output("new", "data", '{"z":"9"}')
    c.check(c.objects("ConfigMap")["cm"]["metadata"]["uid"] == c.node("new")["outputs"]["parameters"][1]["value"], "the uid stays")
    c.ends("absent", "Failed", 'Error from server (NotFound): error when replacing "/tmp/manifest.yaml": configmaps "nope" not found')


def patches(c):
    ops = [{"op": "add", "path": "/data/j", "value": "x"}, {"op": "remove", "path": "/data/a"}]
    c.run(workflow([steps("make", "strategic", "merge", "json"),
                    resource("make", "create", config_map("cm", {"a": "1"})),
                    resource("strategic", "patch", config_map("cm", {"s": "1"})),
                    resource("merge", "patch", {"data": {"m": "1", "s": None}}, mergeStrategy="merge", flags=["configmaps/cm"]),
                    resource("json", "patch", json.dumps(ops), {"data": path("{.data}")}, mergeStrategy="json", flags=["cm", "cm"])]))
    c.ends("json", "Succeeded")
    c.output("json", "data", '{"j":"x","m":"1"}')


def patches_that_fail(c):
    rows = {
        "strategic": (resource("strategic", "patch", {"metadata": {"labels": {"a": "b"}}}, flags=["wf", "{{workflow.name}}"]),
                      "Error from server (UnsupportedMediaType)"),
        "path": (resource("path", "patch", '[{"op": "remove", "path": "/data/nope"}]', mergeStrategy="json", flags=["cm", "cm"]),
                 'nothing is at "/data/nope"'),
        "name": (resource("name", "patch", {"metadata": {"name": "other"}}, mergeStrategy="merge", flags=["cm", "cm"]),
                 "metadata.name: Invalid value"),
        "none": (resource("none", "patch", {"data": {"a": "b"}}, mergeStrategy="merge", flags=["--wait"]),
                 "You must provide one or more resources"),
    }
    c.run(workflow([{"name": "main", "dag": {"failFast": False, "tasks": [{"name": n, "template": n} for n in rows]}}]
                   + [t for t, _ in rows.values()]), config_map("cm"))
    for name, (_, message) in rows.items():
        c.ends(name, "Failed", message)


def deletes(c):
    c.run(workflow([steps("one", "two", "three", "four"),
                    resource("one", "delete", config_map("a")),
                    resource("two", "delete", None, flags=["cm", "b", "gone"]),
                    resource("three", "delete", None, flags=["configmaps", "-l", "x=y"]),
                    resource("four", "delete", config_map("gone"))]),
          *[config_map(n, labels={"x": "y"} if n in "cd" else {}) for n in "abcde"])
    c.ends("four", "Succeeded")
    c.check(set(c.objects("ConfigMap")) == {"e"}, f"left: {sorted(c.objects('ConfigMap'))}")


def delete_with_outputs(c):
    c.run(workflow([resource("main", "delete", config_map("a"), {"x": path("{.a}")})]), config_map("a"))
    c.ends("w", "Failed", "successCondition, failureCondition and outputs are not supported for delete action")
    c.check("a" in c.objects("ConfigMap"), "nothing was deleted")


def foreign_kinds(c):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    rows = {"create": resource("create", "create", pod), "flags": resource("flags", "get", None, flags=["deploy", "x"]),
            "group": resource("group", "delete", None, flags=["workflows.example.com", "x"]),
            "case": resource("case", "create", dict(config_map("x"), kind="configmap")),
            "version": resource("version", "create", {"apiVersion": "v1", "kind": "Workflow", "metadata": {"name": "x"}})}
    c.run(workflow([{"name": "main", "dag": {"failFast": False, "tasks": [{"name": n, "template": n} for n in rows]}}, *rows.values()]))
    for name in rows:
        c.ends(name, "Error", "is not supported")
    c.ends("create", "Error", "kind 'Pod' is not supported")


def flags_that_are_refused(c):
    c.run(workflow([resource("main", "get", None, flags=["cm", "x", "--dry-run=server"])]))
    c.ends("w", "Failed", "error: unknown flag: --dry-run")


def namespaces(c):
    there = config_map("cm", {"a": "there"}, namespace="other")
    c.run(workflow([steps("make", "look", "wrong"), resource("make", "create", there),
                    resource("look", "get", None, {"a": path("{.data.a}")}, flags=["cm", "cm", "-n", "other"]),
                    resource("wrong", "create", there, flags=["--namespace=third"])]))
    c.output("look", "a", "there")
    c.ends("wrong", "Failed", 'does not match the namespace "third"')


def manifest_from_artifact(c):
    write = {"name": "write", "outputs": {"artifacts": [{"name": "m", "path": "/tmp/m.yaml"}]},
             "container": {"image": "busybox", "command": ["sh", "-c", "cat > /tmp/m.yaml <<EOF\n%s\nEOF" % json.dumps(config_map("cm"))]}}
    use = resource("use", "create", inputs={"artifacts": [{"name": "m", "path": "/tmp/x"}]})
    use["resource"]["manifestFrom"] = {"artifact": {"name": "m"}}
    raw = resource("raw", "apply", inputs={"artifacts": [{"name": "m", "path": "/x", "raw": {"data": json.dumps(config_map("r"))}}]})
    raw["resource"]["manifestFrom"] = {"artifact": {"name": "m"}}
    call = [{"name": "use", "template": "use", "arguments": {"artifacts": [{"name": "m", "from": "{{steps.write.outputs.artifacts.m}}"}]}}]
    sandbox = next((t for t in ("ro",) if t in common.host_tiers()), None)
    c.place.tier = sandbox
    c.run(workflow([{"name": "main", "steps": [[{"name": "write", "template": "write"}], call, [{"name": "raw", "template": "raw"}]]},
                    write, use, raw]))
    c.ends("use", "Succeeded")
    c.ends("raw", "Succeeded")
    c.check({"cm", "r"} <= set(c.objects("ConfigMap")), "both were made")


def templates_and_crons(c):
    wft = {"apiVersion": API, "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {"templates": [OK]}}
    cwft = dict(wft, kind="ClusterWorkflowTemplate")
    cron = {"apiVersion": API, "kind": "CronWorkflow", "metadata": {"name": "c"},
            "spec": {"schedules": ["0 0 1 1 *"], "workflowSpec": {"entrypoint": "ok", "templates": [OK]}}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    docs = {"wft": wft, "cwft": cwft, "cron": cron, "secret": secret, "claim": claim}
    use = {"name": "use", "steps": [[{"name": "call", "templateRef": {"name": "t", "template": "ok"}}]]}
    c.run(workflow([steps(*docs), *[resource(n, "create", d) for n, d in docs.items()]]), name="first")
    c.run(workflow([steps("use", "off"), use, OK,
                    resource("off", "patch", {"spec": {"suspend": True}}, {"s": path("{.spec.suspend}")}, mergeStrategy="merge",
                             flags=["cronwf", "c"])]))
    c.ends("off", "Succeeded")
    c.output("off", "s", "true")
    c.check(all(c.objects(d["kind"]) for d in docs.values()), "all are stored")


# ---- workflows ----

def wait_for_child(c):
    c.run(workflow([resource("main", "create", child(OK),
                             {"phase": path("{.status.phase}"), "nodes": {"jqFilter": ".status.nodes | length"}},
                             successCondition="status.phase == Succeeded", failureCondition="status.phase in (Failed, Error)")]))
    c.ends("w", "Succeeded")
    c.output("w", "phase", "Succeeded")
    c.output("w", "nodes", "1")


def child_that_fails(c):
    t = resource("main", "create", child(BAD), successCondition="status.phase == Succeeded",
                 failureCondition="status.phase in (Failed, Error)")
    c.run(workflow([dict(t, retryStrategy={"limit": 1})]))
    c.ends("w(1)", "Failed", "main: Error (exit code 64): failure condition 'status.phase in (Error,Failed)' evaluated true")
    c.check(len(c.objects("Workflow")) == 3, "each attempt made one")


def child_without_wait(c):
    """The engine stays until what its steps created is over."""
    slow = {"name": "slow", "container": {"image": "busybox", "command": ["sh", "-c", "sleep 0.3"]}}
    c.run(workflow([resource("main", "create", child(slow, name="kid"))]))
    c.check(c.objects("Workflow").get("kid", {}).get("phase") == "Succeeded", f"the child: {c.objects('Workflow')}")
    c.check("waiting for 1 more, which its steps created" in c.ran.stderr, f"it says so: {c.ran.stderr}")


def interrupted_while_a_child_runs(c):
    hold = {"name": "hold", "suspend": {}}
    proc = c.begin(workflow([resource("main", "create", child(hold, name="kid"))]))
    common.wait_for(lambda: ((c.place.get("w") or {}).get("status") or {}).get("phase") == "Succeeded", "the parent")
    common.wait_for(lambda: b"waiting for 1 more" in proc.stderr.readline(), "the notice")
    proc.send_signal(signal.SIGINT)
    proc.communicate(timeout=common.LIMIT_S)
    c.check(proc.returncode == 128 + signal.SIGINT, f"exit status {proc.returncode}")
    c.check(c.objects("Workflow")["kid"]["phase"] == "Running", "the child waits for the next engine")


def condition_that_is_wrong(c):
    c.run(workflow([resource("main", "create", child(OK), successCondition="status.phase ===")]))
    c.ends("w", "Failed", "success condition 'status.phase ===' failed to parse")


def bad_child(c):
    c.run(workflow([resource("main", "create", child({"name": "x", "container": {"image": "busybox", "comand": ["a"]}}))]))
    c.ends("w", "Failed", "E0101")


def deleted_while_waited_for(c):
    hold = {"name": "hold", "suspend": {}}
    c.run(workflow([{"name": "main", "dag": {"failFast": False, "tasks": [
        {"name": "wait", "template": "wait"}, {"name": "drop", "template": "drop", "depends": "pause"},
        {"name": "pause", "template": "pause"}]}},
        resource("wait", "create", child(hold, name="kid"), successCondition="status.phase == Succeeded"),
        {"name": "pause", "suspend": {"duration": "1"}},
        resource("drop", "delete", None, flags=["workflow", "kid"])]))
    c.ends("drop", "Succeeded")
    c.ends("wait", "Failed", "The resource has been deleted while its status was still being checked. Will not be retried: "
                             'workflows.argoproj.io "kid" not found')
    c.check("kid" not in c.objects("Workflow"), "it is gone")


def running_child_is_deleted(c):
    busy = {"name": "busy", "container": {"image": "busybox", "command": ["sh", "-c", f"echo S kid >> {c.place.log_path()}; sleep 60"]}}
    c.run(workflow([steps("make", "pause", "drop"), resource("make", "create", child(busy, name="kid")),
                    {"name": "pause", "suspend": {"duration": "1"}},
                    resource("drop", "delete", {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "kid"}})]))
    c.ends("drop", "Succeeded")
    c.run(workflow([OK]), name="next")  # whoever comes next takes what the killed step's supervisor left
    c.check(set(c.objects("Workflow")) == {"w", "next"}, f"left: {set(c.objects('Workflow'))}")
    c.check(c.place.lines() == ["S kid"], f"what ran: {c.place.lines()}")


def workflow_deletes_itself(c):
    c.run(workflow([resource("main", "delete", None, flags=["workflow", "{{workflow.name}}"])]))
    c.ends("w", "Error", "a workflow that deletes itself is not supported")


def labels_of_itself(c):
    ops = [{"op": "add", "path": "/metadata/labels/foo", "value": "bar"}]
    c.run(workflow([steps("label", "look"),
                    resource("label", "patch", json.dumps(ops), mergeStrategy="json", flags=["workflow", "{{workflow.name}}"]),
                    resource("look", "get", None, {"l": path("{.metadata.labels.foo}")}, flags=["wf", "{{workflow.name}}"])]))
    c.output("look", "l", "bar")
    c.check(c.wf["metadata"]["labels"].get("foo") == "bar" and c.wf["metadata"].get("uid"), "get shows it")
    c.check(c.objects("Workflow")["w"]["labels"] == {"foo": "bar"}, "it is indexed")


def spec_of_a_workflow(c):
    hold = {"name": "hold", "suspend": {}}
    stop = {"spec": {"shutdown": "Terminate"}}
    c.run(workflow([steps("make", "change", "stop"), resource("make", "create", child(hold, name="kid")),
                    {"name": "change", "steps": [[{"name": "try", "template": "entry", "continueOn": {"error": True}}]]},
                    resource("entry", "patch", {"spec": {"priority": 5}}, mergeStrategy="merge", flags=["wf", "kid"]),
                    resource("stop", "patch", stop, mergeStrategy="merge", flags=["wf", "kid"],
                             successCondition="status.phase == Failed")]))
    c.ends("try", "Error")
    c.ends("stop", "Succeeded")


def apply_twice(c):
    c.run(workflow([steps("one", "two"), resource("one", "apply", child(OK, name="kid", labels={"a": "1"})),
                    resource("two", "apply", child(OK, name="kid", labels={"b": "2"}), {"l": path("{.metadata.labels.b}")})]))
    c.ends("two", "Succeeded")
    c.output("two", "l", "2")
    c.check(c.objects("Workflow")["kid"]["labels"] == {"b": "2"}, "the label that is gone from the manifest is gone")


def woken_by_another_command(c):
    """Whoever changes the object: the step that waits for it goes on."""
    proc = c.begin(workflow([resource("main", "get", None, {"go": path("{.data.go}")}, flags=["cm", "cm"], successCondition="data.go == now")]),
                   config_map("cm", {"go": "later"}))
    common.wait_for(lambda: any(n["phase"] == "Running" for n in ((c.place.get("w") or {}).get("status", {}).get("nodes") or {}).values()),
                    "the step")
    other = workflow([OK], name="other")
    ran = c.place.run(c.place.file("other.yaml", json.dumps(config_map("cm", {"go": "now"})) + "\n---\n" + json.dumps(other)))
    c.check(ran.returncode == 0, f"the other command: {ran.stderr}")
    proc.communicate(timeout=common.LIMIT_S)
    c.wf, c.ran = c.place.get("w"), ran
    c.ends("w", "Succeeded")
    c.output("w", "go", "now")


def stop_while_waiting(c):
    hold = {"name": "hold", "suspend": {}}
    proc = c.begin(workflow([resource("main", "create", child(hold, name="kid"), successCondition="status.phase == Succeeded")]))
    common.wait_for(lambda: any(n["phase"] == "Running" for n in ((c.place.get("w") or {}).get("status", {}).get("nodes") or {}).values()),
                    "the step")
    c.place.call("stop", "w")
    proc.communicate(timeout=common.LIMIT_S)
    c.wf, c.ran = c.place.get("w"), proc
    c.check(c.node("w").get("phase") == "Failed", f"stopped: {c.node('w')}")
    c.check("workflow shutdown with strategy:  Stop" in c.node("w").get("message", ""), "in Argo's words")
    c.check(c.objects("Workflow")["kid"]["phase"] == "Running", "the child is not stopped")


def deadline_while_waiting(c):
    hold = {"name": "hold", "suspend": {}}
    t = resource("main", "create", child(hold, name="kid"), successCondition="status.phase == Succeeded")
    proc = c.begin(workflow([dict(t, activeDeadlineSeconds=1)]))
    common.wait_for(lambda: ((c.place.get("w") or {}).get("status") or {}).get("phase") == "Failed", "the deadline")
    c.place.call("terminate", "kid")
    proc.communicate(timeout=common.LIMIT_S)
    c.wf, c.ran = c.place.get("w"), proc
    c.check("longer than the specified deadline" in c.node("w").get("message", ""), f"{c.node('w')}")


# ---- owners ----

def owned_goes_with_its_owner(c):
    ref = {"ownerReferences": [{"apiVersion": API, "kind": "Workflow", "name": "{{workflow.name}}", "uid": "{{workflow.uid}}"}]}
    c.run(workflow([steps("map", "kid", "free", "byhand"),
                    resource("map", "create", config_map("mine"), {"o": path("{.metadata.ownerReferences[0].kind}")}, setOwnerReference=True),
                    resource("kid", "create", child(OK, name="kid"), setOwnerReference=True, successCondition="status.phase=Succeeded"),
                    resource("free", "create", config_map("free")),
                    resource("byhand", "create", config_map("byhand", **ref))]))
    c.output("map", "o", "Workflow")
    refs = c.objects("ConfigMap")["mine"]["metadata"]["ownerReferences"]
    c.check(refs == [{"apiVersion": API, "kind": "Workflow", "name": "w", "uid": c.wf["metadata"]["uid"], "controller": True,
                      "blockOwnerDeletion": True}], f"owner: {refs}")
    c.check(c.place.call("delete", "w").returncode == 0, "delete")
    c.check(set(c.objects("ConfigMap")) == {"free"}, f"left: {set(c.objects('ConfigMap'))}")
    c.check(not c.objects("Workflow"), f"left: {c.objects('Workflow')}")


def two_owners(c):
    def ref(n):
        return {"apiVersion": API, "kind": "Workflow", "name": n, "uid": "{{steps.%s.outputs.parameters.uid}}" % n}
    uid = {"uid": path("{.metadata.uid}")}
    both = resource("both", "create", json.dumps(config_map("cm", ownerReferences=[
        dict(ref("a"), uid="{{inputs.parameters.a}}"), dict(ref("b"), uid="{{inputs.parameters.b}}")])),
        inputs={"parameters": [{"name": "a"}, {"name": "b"}]})
    args = {"parameters": [{"name": n, "value": ref(n)["uid"]} for n in "ab"]}
    c.run(workflow([{"name": "main", "steps": [[{"name": "a", "template": "a"}], [{"name": "b", "template": "b"}],
                                               [{"name": "both", "template": "both", "arguments": args}]]},
                    resource("a", "create", child(OK, name="a"), uid, successCondition="status.phase=Succeeded"),
                    resource("b", "create", child(OK, name="b"), uid, successCondition="status.phase=Succeeded"), both]))
    c.ends("both", "Succeeded")
    c.place.call("delete", "a")
    c.check(set(c.objects("ConfigMap")) == {"cm"}, "one owner is left")
    c.place.call("delete", "b")
    c.check(not c.objects("ConfigMap"), "none is left")


def object_as_owner(c):
    own = {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "top", "uid": "{{inputs.parameters.uid}}"}]}
    below = resource("below", "create", json.dumps(config_map("below", **own)), inputs={"parameters": [{"name": "uid"}]})
    args = {"parameters": [{"name": "uid", "value": "{{steps.top.outputs.parameters.uid}}"}]}
    c.run(workflow([{"name": "main", "steps": [[{"name": "top", "template": "top"}], [{"name": "below", "template": "below", "arguments": args}],
                                               [{"name": "drop", "template": "drop"}]]},
                    resource("top", "create", config_map("top"), {"uid": path("{.metadata.uid}")}), below,
                    resource("drop", "delete", config_map("top"))]))
    c.ends("drop", "Succeeded")
    c.check(not c.objects("ConfigMap"), f"left: {set(c.objects('ConfigMap'))}")


# ---- outputs ----

def jq_outputs(c):
    cm = config_map("cm", {"s": "text", "h": "<a>&"})
    c.run(workflow([resource("main", "create", cm, {
        "string": {"jqFilter": ".data.s"}, "object": {"jqFilter": ".data"}, "many": {"jqFilter": ".data[] | length"},
        "path": path("{.data.s}"), "null": {"jqFilter": ".data.nope"}})]))
    c.ends("w", "Succeeded")
    for name, value in {"string": "text", "object": '{"h":"\\u003ca\\u003e\\u0026","s":"text"}', "many": "4\n4", "path": "text",
                        "null": "null"}.items():
        c.output("w", name, value)


def jq_that_misbehaves(c):
    programs = {"endless": "def f: f; f", "memory": "[range(1e9)]", "syntax": ".[", "error": 'error("mine")', "stack": "reduce range(1e6) as $i (0; [.])",
                "output": '"x" * 1e8'}
    tasks = [{"name": n, "template": n} for n in programs]
    began = time.monotonic()
    c.run(workflow([{"name": "main", "dag": {"failFast": False, "tasks": tasks + [{"name": "other", "template": "ok"}]}}, OK]
                   + [resource(n, "get", None, {"x": {"jqFilter": p}}, flags=["cm", "cm"]) for n, p in programs.items()]), config_map("cm"))
    for name in programs:
        c.check(c.node(name).get("phase") in ("Failed", "Succeeded" if name == "stack" else "Failed"), f"{name}: {c.node(name)}")
    c.ends("endless", "Failed", "did not end within")
    c.ends("error", "Failed", "jq: mine")
    c.ends("other", "Succeeded")
    c.check(time.monotonic() - began < 30, "each within a second or so")


def installed(c):
    """The helper is found where `make install` puts it, and its absence is told."""
    build, root = os.path.dirname(c.place.skiff), os.path.join(c.place.root, "usr")
    for d in ("bin", "libexec/skiff"):
        os.makedirs(os.path.join(root, d))
    shutil.copy(c.place.skiff, root + "/bin/skiff")
    doc = workflow([resource("main", "get", None, {"x": {"jqFilter": ".data.k"}}, flags=["cm", "cm"])])
    c.place.skiff = root + "/bin/skiff"
    c.run(doc, config_map("cm"), name="without")
    c.ends("without", "Error", "jq programs need 'skiff-helper'")
    shutil.copy(build + "/skiff-helper", root + "/libexec/skiff/skiff-helper")
    c.run(doc)
    c.output("w", "x", "v")


# ---- data ----

def data_lists_artifacts(c):
    c.place.tier = "ro"
    write = {"name": "write", "outputs": {"artifacts": [
        {"name": "a", "path": "/tmp/a", "s3": {"key": "logs/a.log"}, "archive": {"none": {}}},
        {"name": "b", "path": "/tmp/b", "s3": {"key": "logs/b.txt"}, "archive": {"none": {}}},
        {"name": "d", "path": "/tmp/d", "s3": {"key": "logs/d"}, "archive": {"none": {}}},
        {"name": "x", "path": "/tmp/a2", "s3": {"key": "other/a.log"}}]},
        "container": {"image": "busybox", "command": ["sh", "-c", "cd /tmp; echo a > a; echo b > b; echo a > a2; mkdir -p d/e; echo 1 > d/e/f.log"]}}
    def data(name, key, *expressions):
        place = {"name": "in"}
        if key is not None:
            place["s3"] = {"key": key}
        return {"name": name, "data": {"source": {"artifactPaths": place}, "transformation": [{"expression": e} for e in expressions]}}
    c.run(workflow([steps("write", "all", "logs", "mapped", "none", "wrong"), write,
                    data("all", "logs", "data"), data("logs", "logs/", 'filter(data, {# endsWith ".log"})'),
                    data("mapped", "logs", 'filter(data, {# endsWith ".log"})', "map(data, {len(#)})"), data("none", "nope", "data"),
                    data("wrong", "logs", "nope(data)")]))
    for name, value in {"all": ["logs/a.log", "logs/b.txt", "logs/d/e/f.log"], "logs": ["logs/a.log", "logs/d/e/f.log"],
                        "mapped": [10, 14], "none": []}.items():
        result = (c.node(name).get("outputs") or {}).get("result")
        c.check(result is not None and json.loads(result) == value, f"{name}: {result}")
    c.ends("wrong", "Failed", "main: Error (exit code 64): unable to process data template: unable to process data transformation: "
                              "error processing data step 0")


def data_of_an_own_place(c):
    c.run(workflow([{"name": "main", "data": {"source": {"artifactPaths": {"name": "a", "s3": {"bucket": "b", "key": "k"}}},
                                              "transformation": [{"expression": "data"}]}}]))
    c.ends("w", "Error", "not supported")


def data_feeds_a_loop(c):
    c.place.tier = "ro"
    write = {"name": "write", "outputs": {"artifacts": [
        {"name": n, "path": f"/tmp/{n}", "s3": {"key": f"in/{n}"}, "archive": {"none": {}}} for n in "ab"]},
        "container": {"image": "busybox", "command": ["sh", "-c", "echo 1 > /tmp/a; echo 2 > /tmp/b"]}}
    find = {"name": "find", "data": {"source": {"artifactPaths": {"name": "f", "s3": {"key": "in"}}}, "transformation": [{"expression": "data"}]}}
    read = {"name": "read", "inputs": {"artifacts": [{"name": "f", "path": "/file"}]},
            "script": {"image": "busybox", "command": ["sh"], "source": "cat /file"}}
    loop = [{"name": "read", "template": "read", "withParam": "{{steps.find.outputs.result}}",
             "arguments": {"artifacts": [{"name": "f", "s3": {"key": "{{item}}"}}]}}]
    c.run(workflow([{"name": "main", "steps": [[{"name": "write", "template": "write"}], [{"name": "find", "template": "find"}], loop]},
                    write, find, read]))
    c.ends("read(0:in/a)", "Succeeded")
    c.ends("read(1:in/b)", "Succeeded")


# ---- kills ----

def killed_while_waiting(c):
    """The engine dies while the parent waits: one child, and it is still waited for."""
    log = c.place.log_path()
    busy = {"name": "busy", "container": {"image": "busybox", "command": ["sh", "-c", f"echo S kid >> {log}; sleep 1; echo E kid >> {log}"]}}
    parent = workflow([steps("make", "after"), OK | {"name": "after"},
                       resource("make", "create", child(busy), {"p": path("{.status.phase}"), "n": {"jqFilter": ".metadata.name"}},
                                successCondition="status.phase == Succeeded", failureCondition="status.phase in (Failed, Error)")])
    proc = c.begin(parent)
    common.wait_for(lambda: "S kid" in c.place.lines(), "the child's step")
    common.kill_engine(proc)
    c.ran = c.place.run("--resume", "w")
    c.wf = c.place.get("w")
    c.ends("make", "Succeeded")
    c.ends("after", "Succeeded")
    c.output("make", "p", "Succeeded")
    c.check(len(c.objects("Workflow")) == 2, f"one child: {c.objects('Workflow')}")
    c.check(c.place.lines() == ["S kid", "E kid"], f"its step ran once: {c.place.lines()}")


def killed_at_any_time(c):
    """Forty children, made one after the other; the engine is killed again and again."""
    n, log = 40, c.place.log_path()
    mark = {"name": "mark", "container": {"image": "busybox", "command": ["sh", "-c", f"echo S {{{{inputs.parameters.i}}}} >> {log}"]},
            "inputs": {"parameters": [{"name": "i"}]}}
    kid = workflow([{"name": "main", "steps": [[{"name": "m", "template": "mark", "arguments": {"parameters": [{"name": "i", "value": "@"}]}}]]}, mark])
    text = json.dumps(kid).replace("{{inputs.parameters.i}}", "{{=inputs.parameters.i}}").replace('"@"', '"{{inputs.parameters.i}}"')
    make = resource("make", "create", text, {"p": {"jqFilter": ".status.phase"}}, {"parameters": [{"name": "i"}]},
                    successCondition="status.phase == Succeeded")
    parent = workflow([{"name": "main", "parallelism": 4, "steps": [[{"name": "make", "template": "make", "withSequence": {"count": str(n)},
                                                                    "arguments": {"parameters": [{"name": "i", "value": "{{item}}"}]}}]]}, make])
    proc, kills = c.begin(parent), 0
    for i in range(6):
        want = len(c.place.lines()) + 3
        common.wait_for(lambda: len(c.place.lines()) >= min(want, n) or proc.poll() is not None, "some children")
        if proc.poll() is not None:
            break
        common.kill_engine(proc)
        kills += 1
        proc = c.place.start("--resume", "w")
    proc.communicate(timeout=common.LIMIT_S)
    c.wf = c.place.get("w")
    c.check(kills > 0, "it was killed")
    c.check(c.wf["status"]["phase"] == "Succeeded", f"phase {c.wf['status']['phase']}: {c.wf['status'].get('message')}")
    c.check(sorted(c.place.lines()) == sorted(f"S {i}" for i in range(n)), f"each child ran once: {sorted(c.place.lines())}")
    c.check(len(c.objects("Workflow")) == n + 1, f"{len(c.objects('Workflow')) - 1} children, not {n}")


CASES = [create_and_get, create_twice, generate_names, get_what_is_absent, apply_merges, replace_replaces, patches, patches_that_fail, deletes,
         delete_with_outputs, foreign_kinds, flags_that_are_refused, namespaces, manifest_from_artifact, templates_and_crons, wait_for_child,
         child_that_fails, child_without_wait, interrupted_while_a_child_runs, condition_that_is_wrong, bad_child, deleted_while_waited_for, running_child_is_deleted,
         workflow_deletes_itself, labels_of_itself, spec_of_a_workflow, apply_twice, woken_by_another_command, stop_while_waiting, deadline_while_waiting,
         owned_goes_with_its_owner, two_owners, object_as_owner, jq_outputs, jq_that_misbehaves, installed, data_lists_artifacts, data_of_an_own_place,
         data_feeds_a_loop, killed_while_waiting, killed_at_any_time]


def main():
    words = sys.argv[1:]
    skiff = os.path.abspath(words.pop(0) if words and os.path.exists(words[0]) else os.environ["SKIFF"])
    score = common.Score()
    for case in CASES:
        if words and not any(w in case.__name__ for w in words):
            continue
        c = Case(score, skiff, case.__name__)
        try:
            case(c)
            c.end()
        except Exception as e:  # the other cases still count
            c.check(False, f"{type(e).__name__}: {e}")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
