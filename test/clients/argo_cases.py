"""The argo program over HTTP/1: every command that speaks to a server, and what its documentation says of it."""
import contextlib
import json
import os
import re
import subprocess
import threading

import yaml
from http_cases import certificate
from server import common

CONTAINER = "container: {image: alpine:3.7, command: [sh, -c], args: [%s]}"
HELLO = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-, labels: {team: a}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}]}
  templates:
  - name: main
    steps: [[{name: one, template: say, arguments: {parameters: [{name: text, value: "hello {{workflow.parameters.who}}"}]}}],
            [{name: two, template: say, arguments: {parameters: [{name: text, value: "good bye"}]}}]]
  - name: say
    metadata: {labels: {kind: saying}}
    inputs: {parameters: [{name: text}]}
    container: {image: alpine:3.7, command: [echo, "{{inputs.parameters.text}}"]}
"""
APPROVE = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: %s}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: before, template: before}], [{name: approve, template: approve}], [{name: after, template: after, arguments: {parameters: [{name: ok, value: "{{steps.approve.outputs.parameters.ok}}"}]}}]]
  - {name: before, container: {image: alpine:3.7, command: [echo, first]}}
  - {name: approve, suspend: {}, outputs: {parameters: [{name: ok, valueFrom: {supplied: {}, default: "none"}}]}}
  - {name: after, inputs: {parameters: [{name: ok}]}, container: {image: alpine:3.7, command: [echo, "ok={{inputs.parameters.ok}}"]}}
"""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: %s
metadata: {name: %s}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: you}]}
  templates:
  - {name: main, container: {image: alpine:3.7, command: [echo, "hi {{workflow.parameters.who}}"]}}
"""
CRON = """
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 3 * * *"]
  timezone: Etc/UTC
  workflowSpec:
    entrypoint: main
    templates:
    - {name: main, container: {image: alpine:3.7, command: [echo, night]}}
"""


class Argo:
    """The program with the environment that Argo documents for a server elsewhere."""

    def __init__(self, server, program, **env):
        self.server, self.program = server, program
        self.env = {"PATH": os.environ["PATH"], "HOME": server.place.root, "ARGO_HTTP1": "true", "ARGO_SERVER": f"127.0.0.1:{server.port}", "ARGO_SECURE": "false",
                    "ARGO_TOKEN": "", "ARGO_NAMESPACE": "default", "KUBECONFIG": "/dev/null", **env}

    @contextlib.contextmanager
    def beside(self, *words):
        """It goes on beside the test, though not for ever: whoever reads from it sees it end then."""
        with subprocess.Popen([self.program, *words], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as proc:
            limit = threading.Timer(common.LIMIT_S, proc.kill)
            limit.start()
            try:
                yield proc
            finally:
                limit.cancel()
                proc.kill()

    def call(self, *words):
        """(exit status, all that it printed)."""
        ran = subprocess.run([self.program, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=common.LIMIT_S)
        return ran.returncode, ran.stdout + ran.stderr

    def __call__(self, *words):
        """What it printed; it must end well."""
        status, said = self.call(*words)
        if status:
            raise RuntimeError(f"argo {' '.join(words)}: {status}: {said.strip()[-500:]}")
        return said

    def json(self, *words):
        return json.loads(self(*words, "-o", "json"))

    def file(self, text, name="w.yaml"):
        return self.server.place.file(name, text)

    def submit(self, text, *words):
        """Its name."""
        return self("submit", self.file(text), "-o", "name", *words).strip()

    def done(self, text, *words):
        """The same, once it is over."""
        name = self.submit(text, *words)
        self.call("wait", name)
        return name

    def waits(self, name):
        """It is at its suspend step."""
        def look():
            nodes = (self.json("get", name)["status"].get("nodes") or {}).values()
            return [n for n in nodes if n["displayName"] == "approve" and n["phase"] == "Running"]
        common.wait_for(look, f"{name} to wait")


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def column(text, at=0):
    """A column of a table with a head."""
    return [line.split()[at] for line in lines(text)[1:]]


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*[mHJ]", "", text)


def submits(score, argo):
    """submit: parameters, names, labels, --wait, --watch, --log, dry runs, what is refused."""
    w = argo.file(HELLO)
    said = argo("submit", w, "--wait", "-p", "who=all", "-l", "a=b", "--name", "named")
    score.check(re.search(r"^Name: +named$", said, re.M) and "named Succeeded at" in said, f"--wait: {said}")
    got = argo.json("get", "named")
    score.check(got["metadata"]["labels"]["a"] == "b" and got["spec"]["arguments"]["parameters"] == [{"name": "who", "value": "all"}], f"named: {got['metadata']}")
    said = plain(argo("submit", w, "--log"))
    score.check([line.split(": ", 1)[1] for line in lines(said) if re.match(r"hello-\w+-say-\d+: ", line)] == ["hello world", "good bye"], f"--log: {said}")
    said = plain(argo("submit", w, "--watch"))
    score.check(re.search(r"Status: +Succeeded", said) and "one" in said and "two" in said, f"--watch: {said[-800:]}")
    p = argo.file("who: from a file\n", "p.yaml")
    name = argo.done(HELLO, "--parameter-file", p, "--generate-name", "other-", "--entrypoint", "main", "--priority", "3", "--serviceaccount", "me")
    got = argo.json("get", name)
    score.check(name.startswith("other-") and got["spec"]["priority"] == 3 and got["spec"]["serviceAccountName"] == "me",
                f"options: {got['metadata']} {got['spec']}")
    dry = argo.json("submit", w, "--server-dry-run", "--name", "dry")
    score.check(dry["metadata"]["name"] == "dry" and argo.call("get", "dry")[0] == 1, "--server-dry-run")
    score.check(argo.json("submit", w, "--dry-run", "--name", "dry")["metadata"]["name"] == "dry" and argo.call("get", "dry")[0] == 1, "--dry-run")
    status, said = argo.call("submit", argo.file(HELLO.replace("entrypoint: main", "entrypoint: absent"), "bad.yaml"))
    score.check(status == 1 and "InvalidArgument" in said and "absent" in said, f"a bad one: {said}")
    status, said = argo.call("submit", w, "--name", "named")
    score.check(status == 1 and "AlreadyExists" in said, f"a name again: {said}")
    bad = argo.file(HELLO.replace("[echo, ", "[sh, -c, exit 3, "), "fails.yaml")
    score.check(argo.call("submit", bad, "--wait")[0] == 1, "--wait tells of a failure")


def lists(score, argo):
    """list: filters and forms; delete by filters."""
    names = [argo.done(HELLO, "--name", f"l{i}", "-l", f"n={i}") for i in range(3)]
    argo.submit(APPROVE % "open")
    score.check(sorted(column(argo("list"))) == ["l0", "l1", "l2", "open"], f"list: {argo('list')}")
    head = lines(argo("list", "--no-headers", "--prefix", "l0"))
    score.check(len(head) == 1 and head[0].split()[:2] == ["l0", "Succeeded"], f"one: {head}")
    for words, want in ((("--status", "Succeeded"), names), (("--running",), ["open"]), (("--completed",), names), (("-l", "n in (0,2)"), ["l0", "l2"]), (("-l", "n!=1,team=a"), ["l0", "l2"]),
                        (("--prefix", "l"), names), (("--since", "1h"), [*names, "open"]), (("--older", "1h"), []), (("--resubmitted",), []),
                        (("--field-selector", "metadata.name=l1"), ["l1"]), (("--chunk-size", "1"), [*names, "open"]), (("-A",), [*names, "open"])):
        got = sorted(argo("list", "-o", "name", *words).split())
        score.check([n for n in got if n != "No" and n != "workflows" and n != "found"] == want, f"list {words}: {got}")
    score.check(sorted(w["metadata"]["name"] for w in argo.json("list", "--completed")) == names, "-o json")
    score.check(sorted(w["metadata"]["name"] for w in yaml.safe_load(argo("list", "--completed", "-o", "yaml"))) == names, "-o yaml")
    wide = argo("list", "-o", "wide", "--prefix", "l1")
    score.check("who=world" in wide and "0/0/2" in wide, f"-o wide: {wide}")
    score.check("NAMESPACE" in argo("list", "-A") and column(argo("list", "-A"))[0] == "default", "-A shows namespaces")
    score.check("deleted (dry-run)" in argo("delete", "--completed", "--dry-run") and len(column(argo("list"))) == 4, "delete --dry-run")
    score.check(argo("delete", "l0").strip() == "Workflow 'l0' deleted" and "not found" in argo("delete", "l0"), "delete, and again")
    argo("delete", "--prefix", "l")
    score.check(column(argo("list")) == ["open"], "delete --prefix")
    argo("delete", "--all")  # also what is at work, as in Argo
    score.check("No workflows found" in argo("list"), f"delete --all: {argo('list')}")


def shows(score, argo):
    """get, watch, @latest."""
    name = argo.done(HELLO)
    said = plain(argo("get", name))
    for want in (r"Name: +" + name, r"Namespace: +default", r"Status: +Succeeded", r"Conditions:", r"Completed +True", r"Progress: +2/2", r"who: +world", r"STEP +TEMPLATE +PODNAME +DURATION",
                 r"one +say +" + name + r"-say-\d+"):
        score.check(re.search(want, said), f"get has no {want}: {said}")
    score.check(argo("get", "@latest", "-o", "name").strip() == name, "get @latest")
    score.check(yaml.safe_load(argo("get", name, "-o", "yaml"))["status"]["phase"] == "Succeeded", "get -o yaml")
    short = plain(argo("get", name, "-o", "short"))
    score.check(re.match(r"STEP +TEMPLATE +PODNAME +DURATION +MESSAGE +NODENAME\n", short) and "one" in short, f"get -o short: {short}")
    only = plain(argo("get", name, "--node-field-selector", "displayName=one"))
    score.check("one" in only and "two" not in only, f"get --node-field-selector: {only}")
    status, said = argo.call("get", "absent")
    score.check(status == 1 and "NotFound" in said, f"get of none: {said}")
    name = argo.submit(APPROVE % "watched")
    argo.waits(name)
    with argo.beside("watch", "@latest") as watch, argo.beside("wait", "@latest") as wait:
        argo("resume", name)
        seen, said = plain(watch.communicate()[0]), wait.communicate()[0]
    score.check(watch.returncode == 0 and re.search(r"Status: +Succeeded", seen), f"watch: {seen[-600:]}")
    score.check(wait.returncode == 0 and "Succeeded at" in said, f"wait: {said}")
    score.check(argo.call("wait", "absent")[0] == 1 and argo.call("wait", "absent", "--ignore-not-found")[0] == 0, "wait for none")
    status, said = argo.call("watch", "absent")
    score.check(status == 1 and "NotFound" in said, f"watch of none: {said}")


def logs(score, argo):
    """logs: of a workflow, of a pod, containers, tail, since, grep, selector, follow."""
    name = argo.done(HELLO)
    pods = {n["displayName"]: i for i, n in argo.json("get", name)["status"]["nodes"].items() if n["type"] == "Pod"}
    pod_names = dict(re.findall(r"(one|two) +say +(\S+)", plain(argo("get", name))))

    def said(*words):
        return [line.split(": ", 1)[1] for line in lines(plain(argo("logs", *words)))]
    both = ["hello world", "good bye"]
    for words, want in (((name,), both), (("@latest",), both), ((name, pod_names["two"]), ["good bye"]), ((name, pods["one"]), ["hello world"]), ((name, "--tail", "1"), both), ((name, "--tail", "0"), []),
                        ((name, "--since", "1h"), both), ((name, "--since-time", "2099-01-01T00:00:00Z"), []), ((name, "--grep", "b.e"), ["good bye"]),
                        ((name, "-c", "main"), both), ((name, "-c", "wait"), []), ((name, "-l", "kind=saying"), both), ((name, "-l", "kind!=saying"), []), ((name, "--no-color"), both), ((name, "-f"), both), ((name, "-p"), [])):
        score.check((got := said(*words)) == want, f"logs {words}: {got}")
    stamped = said(name, "--timestamps")
    score.check(all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (hello|good)", line) for line in stamped), f"--timestamps: {stamped}")
    status, text = argo.call("logs", "absent")
    score.check(status == 1 and "NotFound" in text, f"logs of none: {text}")
    name = argo.submit(APPROVE % "followed")
    with argo.beside("logs", name, "--follow", "--no-color") as follow:
        first = follow.stdout.readline()
        score.check(first.endswith(": first\n"), f"what is there: {first}")
        argo("resume", name)
        score.check(follow.communicate()[0].strip().endswith(": ok=none") and follow.returncode == 0, "and what comes")


def steers(score, argo):
    """stop, terminate, suspend, resume, retry, resubmit, node set."""
    for verb in ("stop", "terminate"):
        argo.submit(APPROVE % verb)
        argo.waits(verb)
        score.check(f"workflow {verb} {'stopped' if verb == 'stop' else 'terminated'}" in argo(verb, verb), f"{verb} says it")
        argo.call("wait", verb)
        score.check(argo.json("get", verb)["status"]["phase"] == "Failed", verb)
    argo.submit(APPROVE % "steered")
    argo.waits("steered")
    score.check("workflow steered suspended" in argo("suspend", "steered") and argo.json("get", "steered")["spec"]["suspend"] is True, "suspend")
    argo("node", "set", "steered", "--node-field-selector", "displayName=approve", "-p", 'ok="yes, do"', "--message", "by hand")
    score.check("workflow steered resumed" in argo("resume", "steered"), "resume")
    argo("wait", "steered")
    score.check("ok=yes, do" in plain(argo("logs", "steered")) and "by hand" in plain(argo("get", "steered")), "node set")
    argo.submit(APPROVE % "failed")
    argo.waits("failed")
    argo("stop", "failed", "--node-field-selector", "displayName=approve", "--message", "not good")
    score.check(argo.call("wait", "failed")[0] == 1 and "not good" in plain(argo("get", "failed")), "stop of a node")
    with argo.beside("retry", "failed", "--watch", "--node-field-selector", "name=failed[0].before", "--restart-successful") as retry:
        argo.waits("failed")
        argo("resume", "failed", "--node-field-selector", "displayName=approve")
        said = plain(retry.communicate()[0])
    score.check(retry.returncode == 0 and re.search("Status: +Succeeded", said), f"retry --watch: {said[-500:]}")
    status, said = argo.call("retry", "failed")
    score.check(status == 1 and "InvalidArgument" not in said and "restartSuccessful" in said, f"retry of what is well: {said}")
    again = argo("resubmit", "stop", "-o", "name").strip()
    argo.waits(again)
    score.check(again.startswith("stop-") and again in argo("list", "--resubmitted", "-o", "name"), "resubmit")
    score.check("terminated" in argo("terminate", "-l", "workflows.argoproj.io/resubmitted-from-workflow=stop"), "terminate by selector")
    argo.call("wait", again)
    name = argo("resubmit", "--memoized", again, "-o", "name").strip()
    argo.waits(name)
    score.check(not any(n["displayName"] == "before" and n["phase"] != "Succeeded" and n["type"] == "Pod" for n in argo.json("get", name)["status"]["nodes"].values()), "resubmit --memoized")
    argo("stop", "--field-selector", "metadata.name=" + name)
    score.check(argo.call("wait", name)[0] == 1, "stop by field")


def templates(score, argo):
    """template and cluster-template: create, list, get, update, lint, delete; submit --from."""
    for verb, kind, ref in (("template", "WorkflowTemplate", "workflowtemplate"), ("cluster-template", "ClusterWorkflowTemplate", "clusterworkflowtemplate")):
        f = argo.file(TEMPLATE % (kind, "greeter"), "t.yaml")
        score.check("no linting errors" in argo(verb, "lint", f), f"{verb} lint")
        score.check(re.search(r"Name: +greeter", argo(verb, "create", f)), f"{verb} create")
        status, said = argo.call(verb, "create", f)
        score.check(status == 1 and "greeter" in said, f"{verb} create again: {said}")
        score.check("greeter" in column(argo(verb, "list")) and "greeter" in argo(verb, "list", "-o", "name"), f"{verb} list")
        score.check(json.loads(argo(verb, "get", "greeter", "-o", "json"))["kind"] == kind, f"{verb} get")
        argo(verb, "update", argo.file((TEMPLATE % (kind, "greeter")).replace("hi ", "ho "), "t.yaml"))
        name = argo("submit", "--from", f"{ref}/greeter", "-p", "who=me", "-o", "name", "--wait").split()[0]
        score.check(plain(argo("logs", name)).endswith(": ho me\n"), f"submit --from {ref}")
        status, said = argo.call(verb, "lint", argo.file((TEMPLATE % (kind, "g")).replace("entrypoint: main", "entrypoint: absent"), "bad.yaml"))
        score.check(status == 1 and "absent" in said, f"{verb} lint of a bad one: {said}")
        argo(verb, "delete", "greeter")
        score.check(argo.call(verb, "get", "greeter")[0] == 1, f"{verb} delete")


def crons(score, argo):
    """cron: create, list, get, suspend, resume, update, lint, backfill, delete; submit --from."""
    f = argo.file(CRON)
    score.check("no linting errors" in argo("cron", "lint", f), "lint")
    score.check(re.search(r"Name: +nightly", argo("cron", "create", f)), "create")
    said = argo("cron", "list")
    score.check(lines(said)[1].split()[0] == "nightly" and "0 3 * * *" in said, f"list: {said}")
    said = argo("cron", "get", "nightly")
    score.check(re.search(r"Schedules?: +0 3 \* \* \*", said) and "Etc/UTC" in said and "NextScheduledTime" in said, f"get: {said}")
    score.check("suspended" in argo("cron", "suspend", "nightly") and json.loads(argo("cron", "get", "nightly", "-o", "json"))["spec"]["suspend"] is True, "suspend")
    score.check("resumed" in argo("cron", "resume", "nightly") and not json.loads(argo("cron", "get", "nightly", "-o", "json"))["spec"].get("suspend"), "resume")
    argo("cron", "update", argo.file(CRON.replace("0 3", "0 4"), "c.yaml"))
    score.check(json.loads(argo("cron", "get", "nightly", "-o", "json"))["spec"]["schedules"] == ["0 4 * * *"], "update")
    name = argo("submit", "--from", "cronwf/nightly", "-o", "name", "--wait", "--scheduled-time", "2026-01-02T03:04:05Z").split()[0]
    score.check(name.startswith("nightly-") and plain(argo("logs", name)).endswith(": night\n"), f"submit --from cronwf: {name}")
    said = argo("cron", "backfill", "nightly", "--start", "Sun, 01 Mar 2026 00:00:00 UTC", "--end", "Tue, 03 Mar 2026 12:00:00 UTC", "--parallel", "--name", "march")
    score.check("Total Backfill Schedule: 3" in said, f"backfill: {said}")
    monitor = re.search(r"1\. default \t (\S+)", said)[1]
    score.check(argo.call("wait", monitor)[0] == 0, f"backfilled: {plain(argo('get', monitor))}")
    made = [n for n in argo("list", "-o", "name").split() if "march" in n]
    score.check(len(made) == 3, f"what it made: {argo('list', '-o', 'name')}")
    status, said = argo.call("cron", "lint", argo.file(CRON.replace("0 3", "99 3"), "bad.yaml"))
    score.check(status == 1 and "99" in said, f"lint of a bad one: {said}")
    argo("cron", "delete", "nightly")
    score.check(argo.call("cron", "get", "nightly")[0] == 1, "delete")


def archive(score, argo):
    """archive: list, get, list-label-keys, list-label-values, retry, resubmit, delete."""
    flag = os.path.join(argo.server.place.count, "flag")
    name = argo.done(HELLO.replace("[echo, ", f'[sh, -c, "test -e {flag}", '))
    uid = argo.json("get", name)["metadata"]["uid"]
    said = argo("archive", "list")
    score.check(uid in said and name in said and "Failed" in said, f"list: {said}")
    score.check(json.loads(argo("archive", "get", uid, "-o", "json"))["metadata"]["name"] == name and name in argo("archive", "get", uid), "get")
    score.check("team" in argo("archive", "list-label-keys") and argo("archive", "list-label-values", "-l", "team").split() == ["a"], "labels")
    score.check(uid in argo("archive", "list", "-l", "team=a") and uid not in argo("archive", "list", "-l", "team=b"), "list -l")
    open(flag, "w").close()
    argo("archive", "retry", uid)
    score.check(argo.call("wait", name)[0] == 0 and argo.json("get", name)["metadata"]["uid"] == uid, f"retry: {plain(argo('get', name))}")
    again = re.search(r"Name: +(\S+)", argo("archive", "resubmit", uid))[1]
    score.check(argo.call("wait", again)[0] == 0, f"resubmit: {again}")
    score.check("deleted" in argo("archive", "delete", uid) and argo.call("archive", "get", uid)[0] == 1, "delete")


def copies(score, argo):
    """cp: output artifacts into a directory."""
    name = argo.done(HELLO.replace('container: {image: alpine:3.7, command: [echo, "{{inputs.parameters.text}}"]}',
                                   'container: {image: alpine:3.7, command: [sh, -c, "echo {{inputs.parameters.text}} > /tmp/o"]}\n'
                                   "    outputs: {artifacts: [{name: out, path: /tmp/o, archive: {none: {}}}]}"))
    to = os.path.join(argo.server.place.root, "copied")
    argo("cp", name, to, "--artifact-name", "out")
    found = {}
    for folder, _, files in os.walk(to):
        for f in files:
            with open(os.path.join(folder, f)) as opened:
                found[os.path.relpath(folder, to)] = opened.read()
    nodes = {i: n for i, n in argo.json("get", name)["status"]["nodes"].items() if n["type"] == "Pod"}
    want = {f"default/{name}/{i}/outputs/out": {"one": "hello world\n", "two": "good bye\n"}[n["displayName"]] for i, n in nodes.items()}
    score.check(found == want, f"cp: {found}")
    argo("cp", name, to + "2", "--path", "{workflowName}/{templateName}", "--node-id", sorted(nodes)[0])
    score.check(os.listdir(f"{to}2/{name}/say") != [], "cp --path")


def lints(score, argo):
    good = argo.file(HELLO + "---" + CRON + "---" + TEMPLATE % ("WorkflowTemplate", "t"), "good.yaml")
    score.check("no linting errors" in argo("lint", good), "lint of several kinds")
    bad = argo.file(HELLO.replace("template: say", "template: shout"), "bad.yaml")
    for form in ("pretty", "simple"):
        status, said = argo.call("lint", bad, "-o", form)
        score.check(status == 1 and "shout" in said, f"lint -o {form}: {said}")
    score.check("no linting errors" in argo("lint", "--offline", good), "offline")


def itself(score, argo):
    """version, auth token, sync."""
    said = argo("version")
    score.check("argo-server: skiff-" in said and "Platform: linux/" in said, f"version: {said}")
    score.check("argo-server: skiff-" in argo("version", "--short"), "version --short")
    argo.env["ARGO_TOKEN"] = "Bearer x"
    score.check(argo("auth", "token").strip() == "Bearer x", "auth token")
    for kind, words in (("configmap", ("--cm-name", "limits")), ("database", ())):
        argo("sync", "create", "gpu", "--type", kind, "--limit", "2", *words)
        argo("sync", "update", "gpu", "--type", kind, "--limit", "3", *words)
        said = argo("sync", "get", "gpu", "--type", kind, *words)
        score.check("3" in said and "gpu" in said, f"sync {kind}: {said}")
        argo("sync", "delete", "gpu", "--type", kind, *words)
        score.check(argo.call("sync", "get", "gpu", "--type", kind, *words)[0] == 1, f"sync {kind} deleted")


def namespaces(score, argo):
    argo("submit", argo.file(HELLO), "-n", "other", "--name", "there", "--wait")
    score.check(argo.call("get", "there")[0] == 1 and argo.json("get", "there", "-n", "other")["metadata"]["namespace"] == "other", "-n")
    score.check([line.split()[:2] for line in lines(argo("list", "-A"))[1:]] == [["other", "there"]] and "No workflows found" in argo("list"), "-A")
    score.check("there" in plain(argo("logs", "-n", "other", "there")), "logs -n")


def tokens_and_https(score, argo):
    """ARGO_TOKEN, and a certificate that signs itself."""
    s = argo.server
    made = s.place.call("token", "create", "--name", "ci", "--role", "run", "-n", "default", "-q").stdout.strip()
    look = s.place.call("token", "create", "--name", "look", "--role", "view", "-q").stdout.strip()
    s.stop()
    cert, key = certificate(s.place)
    s.start("--auth", "token", "--tls-cert", cert, "--tls-key", key)
    argo.env.update(ARGO_SERVER=f"127.0.0.1:{s.port}", ARGO_SECURE="true")
    w = argo.file(HELLO)
    status, said = argo.call("list")
    score.check(status == 1 and "certificate" in said, f"a certificate that nobody vouches for: {said}")
    argo.env["ARGO_INSECURE_SKIP_VERIFY"] = "true"
    status, said = argo.call("list")
    score.check(status == 1 and "Unauthenticated" in said, f"no token: {said}")
    argo.env["ARGO_TOKEN"] = "Bearer " + made
    score.check("Succeeded at" in argo("submit", w, "--wait", "--name", "signed"), "with a token")
    score.check("hello world" in plain(argo("logs", "signed")) and "signed" in argo("list"), "logs, list")
    status, said = argo.call("list", "-n", "other")
    score.check(status == 1 and "PermissionDenied" in said, f"another namespace: {said}")
    argo.env["ARGO_TOKEN"] = "Bearer " + look
    status, said = argo.call("submit", w)
    score.check(status == 1 and "PermissionDenied" in said and "signed" in argo("list"), f"who may only look: {said}")


archive.tier = "none"  # its step looks at a file of the test
CASES = (submits, lists, shows, logs, steers, templates, crons, archive, copies, lints, itself, namespaces, tokens_and_https)
