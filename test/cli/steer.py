"""Steering runs from the command line: suspend, resume, node set, retry, resubmit, submit --from, stored objects, cp; with an
engine at work, without one, and with one that was killed. Part of run.py."""
import json
import os

import common
import shapes

# a, then b that waits for a file, then c; each writes to the log
GATED = shapes.HEAD + """  templates:
  - name: main
    steps:
    - - {name: a, template: say, arguments: {parameters: [{name: k, value: a}]}}
    - - {name: b, template: gate}
    - - {name: c, template: say, arguments: {parameters: [{name: k, value: c}]}}
  - name: say
    inputs: {parameters: [{name: k}]}
    container: {image: busybox, command: [sh, -c, "echo S {{inputs.parameters.k}} >> @LOG@"]}
  - name: gate
    container: {image: busybox, command: [sh, -c, "echo S b >> @LOG@; until [ -e @ROOT@/open ]; do sleep 0.02; done; cat @ROOT@/open; exit $(cat @ROOT@/open)"]}
"""
ASKING = shapes.HEAD + """  templates:
  - name: main
    steps:
    - - {name: ask, template: ask}
    - - {name: say, template: say, arguments: {parameters: [{name: m, value: "{{steps.ask.outputs.parameters.answer}}"}]}}
  - {name: ask, suspend: {}, outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}}
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [sh, -c, "echo S {{inputs.parameters.m}} >> @LOG@"]}
"""
TEMPLATE = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: t}
spec:
  entrypoint: main
  arguments: {parameters: [{name: p}]}
  templates:
  - {name: main, container: {image: busybox, command: [sh, -c, "echo S {{workflow.parameters.p}} >> @LOG@"]}}
"""
ARTIFACT = shapes.HEAD + """  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "echo content > /tmp/f; echo other > /tmp/g"]}
    outputs:
      artifacts:
      - {name: out, path: /tmp/f, archive: {none: {}}}
      - {name: two, path: /tmp/g, archive: {none: {}}, s3: {key: two/f}}
"""


class Steered:
    def __init__(self, score, skiff, text, tier="none"):
        self.score, self.place = score, common.Place(skiff, tier)
        self.path = self.place.file("w.yaml", text.replace("@LOG@", self.place.log_path()).replace("@ROOT@", self.place.root))

    def check(self, ok, what):
        return self.score.check(ok, what)

    def open_gate(self, status):
        self.place.file("open", str(status))

    def close_gate(self):
        os.unlink(os.path.join(self.place.root, "open"))

    def begin(self, key):
        proc = self.place.start(self.path, "--name", "w")
        common.wait_for(lambda: "S " + key in self.place.lines(), f"step {key}")
        return proc

    def call(self, *words, status=0):
        ran = self.place.call(*words)
        self.check(ran.returncode == status, f"{' '.join(words)}: exit status {ran.returncode}: {ran.stderr}")
        return ran

    def phase(self, name="w"):
        return self.place.get(name)["status"]["phase"]

    def node(self, display, name="w"):
        nodes = self.place.get(name)["status"]["nodes"].values()
        return next((n for n in nodes if n["displayName"] == display), None)

    def end(self, begun):
        self.check(self.place.lines() == ["S " + k for k in begun], f"steps that ran: {self.place.lines()}, not {begun}")
        left = self.place.left_after_kills()
        self.check(not left, f"left behind: {left}")
        self.place.remove()


def suspended(score, skiff):
    """Nothing begins while it is suspended, not even after its engine was killed; a resume without an engine is kept."""
    w = Steered(score, skiff, GATED)
    proc = w.begin("b")
    w.check("workflow w suspended" in w.call("suspend", "w").stdout, "suspend: what it says")
    w.open_gate(0)
    common.wait_for(lambda: w.node("b")["phase"] == "Succeeded", "the step to end")
    w.check(w.place.get("w")["spec"].get("suspend") is True and w.phase() == "Running", "suspend: spec.suspend")
    w.check("Running (Suspended)" in w.call("list").stdout, "list: suspended")
    common.kill_engine(proc)
    w.check(w.node("c") is None, "a suspended workflow starts nothing")
    resumed = w.call("resume", "w")
    w.check("run --resume w" in resumed.stderr, f"resume without an engine says how it goes on: {resumed.stderr}")
    w.check("suspend" not in w.place.get("w")["spec"] and "S c" not in w.place.lines(), "resume without an engine starts no step")
    ran = w.place.run("--resume", "w")
    w.check(ran.returncode == 0 and w.phase() == "Succeeded", f"run --resume: {ran.stderr}")
    w.call("suspend", "w", status=9)
    w.call("resume", "w", status=9)
    w.end("abc")


def answered(score, skiff):
    """node set and resume, with an engine at work and after it was killed."""
    for kill in (False, True):
        w = Steered(score, skiff, ASKING)
        proc = w.place.start(w.path, "--name", "w")
        common.wait_for(lambda: w.place.get("w") and w.node("ask"), "the suspend step")
        if kill:
            common.kill_engine(proc)
        w.check("answer" in w.call("resume", "w", status=3).stderr, "resume: the missing output is named")
        w.call("node", "set", "w", "-p", "answer=yes", status=2)
        w.call("node", "set", "w", "--node-field-selector", "displayName=nobody", "-p", "answer=yes", status=4)
        said = w.call("node", "set", "w", "--node-field-selector", "displayName=ask", "-p", "answer=yes", "-m", "by me")
        w.check("workflow values set" in said.stdout, "node set: what it says")
        w.check(w.node("ask")["message"] == "by me" and w.node("ask")["phase"] == "Running", "node set: message")
        w.call("resume", "w", "--node-field-selector", "templateName=ask")
        if kill:
            w.place.run("--resume", "w")
        else:
            proc.communicate(timeout=common.LIMIT_S)
        w.check(w.phase() == "Succeeded", "node set: phase")
        w.end(["yes"])


def stopped_node(score, skiff):
    w = Steered(score, skiff, ASKING)
    proc = w.place.start(w.path, "--name", "w")
    common.wait_for(lambda: w.place.get("w") and w.node("ask"), "the suspend step")
    w.call("stop", "w", "--node-field-selector", "displayName=ask", "--message", "no")
    proc.communicate(timeout=common.LIMIT_S)
    w.check(w.phase() == "Failed" and w.node("ask")["message"] == "no", "stop of a node: phase and message")
    w.check("shutdown" not in w.place.get("w")["spec"], "stop of a node: the workflow itself is not stopped")
    w.end([])


def pod_name(node):
    """Of a node of the workflow `w`."""
    return "w-%s-%s" % (node["templateName"], node["id"].rsplit("-", 1)[1])


def retried(score, skiff):
    """In the foreground, without an engine; what had succeeded does not run again; logs are those of the new attempt."""
    w = Steered(score, skiff, GATED)
    w.open_gate(3)
    ran = w.place.run(w.path, "--name", "w")
    w.check(ran.returncode == 1 and w.phase() == "Failed", f"the first attempt: {ran.stderr}")
    before = w.node("a")
    w.open_gate(0)
    ran = w.place.call("retry", "@latest", "--runtime", "none", "--progress", "plain")
    w.check(ran.returncode == 0 and "c SUCCEEDED" in ran.stdout, f"retry: {ran.returncode} {ran.stdout} {ran.stderr}")
    w.check(w.node("a") == before, "retry: a step that succeeded is as it was")
    w.check(w.place.call("logs", "w").stdout.count(": 0") == 1, "retry: logs of the new attempt")
    pod = pod_name(w.node("b"))
    for words in (), (pod,), ("b", "-f"):
        seen = w.place.call("logs", "w", *words, "--previous").stdout
        w.check(seen == f"{pod}: 3\n", f"logs --previous {words}: that of the attempt before, not {seen!r}")
    w.check(w.place.call("logs", "w", "a", "--previous").stdout == "", "logs --previous: nothing of a step that ran once")
    w.call("retry", "w", status=9)
    w.open_gate(3)
    w.place.run(w.path, "--name", "v")
    w.open_gate(0)
    w.call("retry", "v", "absent", status=4)
    w.check(w.phase("v") == "Failed", "retry: no run is changed when another is not there")
    w.call("retry", "v", "w", "--runtime", "none", status=9)
    w.check(w.phase("v") == "Succeeded", "retry: what was reopened is driven although the other was refused")
    w.call("delete", "v")
    w.call("retry", "w", "--restart-successful", "--node-field-selector", "displayName=c", "--runtime", "none")
    w.call("delete", "w")
    w.check(not os.listdir(w.place.state + "/steps"), "delete: directories of forgotten steps are gone")
    w.end("abbc" + "abbc" + "c")


def handed_over(score, skiff):
    """An engine is at work: it is the one that tries again."""
    w = Steered(score, skiff, GATED)
    w.open_gate(1)
    w.place.run(w.path, "--name", "w")
    keeper = w.place.start(w.place.file("k.yaml", ASKING), "--name", "keeper")
    common.wait_for(lambda: w.place.get("keeper") and w.node("ask", "keeper"), "the other run")
    w.check(w.call("retry", "w", "-d").stdout == "w\n", "retry -d: the name")
    w.call("wait", "w", status=1)
    w.open_gate(0)
    w.check(w.call("retry", "w", "-o", "name").stdout == "w\n", "retry -o name")
    w.check(w.phase() == "Succeeded" and keeper.poll() is None, "retry by the engine that is at work")
    w.check(w.call("submit", "-d", w.path, "--name", "left").stdout == "left\n", "submit -d: the name")
    w.call("wait", "left")
    copy = w.call("resubmit", "w", "-d").stdout.strip()
    w.call("wait", copy)
    w.check(copy.startswith("c-") and copy != "w", f"resubmit: the new name {copy}")
    labels = w.place.get(copy)["metadata"]["labels"]
    w.check(labels.get("workflows.argoproj.io/resubmitted-from-workflow") == "w", f"resubmit: labels {labels}")
    w.check(copy in w.call("list", "--resubmitted", "-o", "name").stdout, "list --resubmitted")
    w.call("terminate", "keeper")
    keeper.communicate(timeout=common.LIMIT_S)
    w.end("abbbc" + "abc" + "abc")


def memoized(score, skiff):
    w = Steered(score, skiff, GATED)
    w.open_gate(1)
    w.place.run(w.path, "--name", "w")
    w.open_gate(0)
    made = json.loads(w.call("resubmit", "w", "--memoized", "--runtime", "none", "-o", "json").stdout)
    a = next(n for n in made["status"]["nodes"].values() if n["displayName"] == "a")
    w.check(a["type"] == "Skipped" and a["phase"] == "Skipped" and a["message"].startswith("original pod: w-"), f"memoized: {a}")
    w.check(made["status"]["phase"] == "Succeeded", "memoized: phase")
    w.call("resubmit", "@latest", "--memoized", status=9)
    w.end("abbc")


def stored(score, skiff):
    """Templates and cron workflows without an engine, and runs made of them."""
    w = Steered(score, skiff, TEMPLATE)
    w.check("Name:                t\n" in w.call("template", "create", w.path).stdout, "template create: what it shows")
    w.call("template", "create", w.path, status=9)
    w.call("template", "apply", w.path)
    w.call("cron", "create", w.path, status=3)
    w.check(w.call("template", "list", "-o", "name").stdout == "t\n", "template list")
    w.call("submit", "--from", "workflowtemplate/t", "--runtime", "none", status=3)  # p has no value
    w.call("submit", "--watch", "--from", "wftmpl/t", "-p", "p=x", "-l", "k=v", "--generate-name", "g-", "--serviceaccount", "sa",
           "--priority", "2", "--scheduled-time", "2026-11-21T10:00:00Z", "--runtime", "none")
    wf = w.place.get("@latest")
    w.check(wf["metadata"]["name"].startswith("g-") and wf["metadata"]["labels"]["k"] == "v" and wf["spec"]["priority"] == 2 and
            wf["spec"]["serviceAccountName"] == "sa", f"submit --from: {wf['metadata']}")
    w.check(wf["spec"]["workflowTemplateRef"] == {"name": "t"} and "templates" not in wf["spec"] and
            wf["status"]["storedWorkflowTemplateSpec"]["templates"], f"submit --from: the spec as submitted, not {wf['spec']}")
    rows = [line.split() for line in w.call("list").stdout.splitlines()]
    w.check(rows[1][rows[0].index("PRIORITY")] == "2", f"list: the priority, not {rows}")
    w.call("template", "delete", "t")
    w.call("template", "get", "t", status=4)
    w.call("resubmit", "@latest", "--runtime", "none", "-p", "p=z", "--priority", "-3")  # of a template that is gone
    again = w.place.get("@latest")
    w.check(again["spec"] == dict(wf["spec"], priority=-3, arguments={"parameters": [{"name": "p", "value": "z"}]}) and
            again["metadata"]["name"] != wf["metadata"]["name"], f"resubmit: the spec of the first submission, not {again['spec']}")
    w.call("retry", "@latest", "--restart-successful", "--node-field-selector", "phase=Succeeded", "-p", "p=y", "--runtime", "none")
    again = w.place.get("@latest")
    given = [s["arguments"]["parameters"][0]["value"] for s in (again["spec"], again["status"]["storedWorkflowTemplateSpec"])]
    w.check(given == ["y", "y"] and "templates" not in again["spec"], f"retry -p: the parameters of both specs, not {given}")
    seen = [item["spec"].get("priority") for item in json.loads(w.call("list", "-o", "json").stdout)]
    w.check(seen == [-3, 2], f"list -o json: the priorities, not {seen}")
    w.end("xzy")


def copied(score, skiff):
    for tier in [t for t in common.host_tiers() if t != "none"][:1]:
        w = Steered(score, skiff, ARTIFACT, tier)
        ran = w.place.run(w.path, "--name", "w")
        w.check(ran.returncode == 0, f"a run with an artifact: {ran.stderr}")
        out = os.path.join(w.place.root, "out")
        w.call("cp", "w", out)
        path = os.path.join(out, "default/w/w/outputs/out/f")
        w.check(os.path.exists(path) and open(path).read() == "content\n", "cp: the file")
        flat = ("cp", "w", os.path.join(w.place.root, "flat"), "--path", "x")
        w.check('both be "' in w.call(*flat, status=9).stderr and not os.path.exists(flat[2]), "cp: two artifacts of one path")
        w.call(*flat, "--artifact-name", "out")
        w.call(*flat, "--artifact-name", "two")
        w.check(os.listdir(flat[2] + "/x") == ["f"] and open(flat[2] + "/x/f").read() == "other\n", "cp: replaces the file as a whole")
        w.check(w.call("artifact", "get", "w", "out", "-").stdout == "content\n", "artifact get")
        uid = w.place.get("w")["metadata"]["uid"]
        for start in (uid[:8], ""):
            w.call("archive", "delete", start, status=4)
            w.call("delete", start, status=4)
        w.check(w.call("archive", "delete", uid).stdout == "Archived workflow 'w' deleted\n", "archive delete: by the whole uid")
        w.check(w.place.get("w") is None, "archive delete: it is gone")
        w.end([])


TESTS = (suspended, answered, stopped_node, retried, handed_over, memoized, stored, copied)
