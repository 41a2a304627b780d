"""Hera: what its examples are about, with workflows of our own. run.py gives each case a server and a service of Hera's for it."""
import importlib
import io
import json
import os
import sys
import tarfile

import requests
from hera.events.service import EventsService
from hera.events.models import Item
from hera.exceptions import AlreadyExists, BadRequest, Forbidden, NotFound, Unauthorized
from hera.workflows import (DAG, Artifact, ClusterWorkflowTemplate, Container, ContainerNode, ContainerSet, CronWorkflow, EmptyDirVolume, Env,
                            HTTP, NoneArchiveStrategy, Parameter, Resource, RetryStrategy, SecretEnv, Step, Steps, Suspend, Task, TarArchiveStrategy, Workflow,
                            WorkflowsService, WorkflowTemplate, script)
from hera.workflows import models as m
from http_cases import certificate

PHASES_RUNNING = (None, "Pending", "Running")
COMPLETED = "workflows.argoproj.io/completed"


def nodes(wf, kind="Pod"):
    """Its nodes of a type, by what they are called."""
    return {n.display_name: n for n in wf.status.nodes.values() if n.type == kind}


def outputs(node):
    return {p.name: p.value for p in node.outputs.parameters or []}


class Hera:
    """A case's service, and what the cases ask of it."""

    def __init__(self, server, site, token=None, verify=True):
        self.server, self.site = server, site
        self.s = WorkflowsService(host=server.url, namespace="default", token=token, verify_ssl=verify)

    def run(self, w):
        """The workflow, once it is over. Hera's own wait knows no limit, so it comes after ours."""
        self.over(self.start(w))
        return w.wait(poll_interval=0.05)

    def start(self, w):
        w.workflows_service = self.s
        w.namespace = "default"
        return w.create().metadata.name

    def until(self, name, fits):
        def look():
            wf = self.s.get_workflow(name)
            return wf if fits(wf) else None
        return self.server.wait_for(look, name)

    def over(self, name):
        return self.until(name, lambda wf: wf.status.phase not in PHASES_RUNNING)

    def log(self, name, **query):
        """The lines of its log; Hera's own workflow_logs takes the whole stream for one JSON document."""
        r = requests.get(f"{self.server.url}/api/v1/workflows/default/{name}/log", params={"logOptions.container": "main", **query}, timeout=60,
                         headers={"Authorization": self.s.token}, verify=self.s.verify_ssl, stream=True)
        r.raise_for_status()
        return [json.loads(line)["result"]["content"] for line in r.iter_lines()]


def raises(kind, call, *args, **more):
    """What it said, or None when it did not."""
    try:
        call(*args, **more)
    except kind as e:
        return str(e)
    return None


# ---- templates ----

@script()
def greet(who: str):
    print(f"hello {who}")


@script()
def number(n: int):
    print(n * 2)


@script()
def numbers():
    import json
    import sys
    json.dump([{"n": i} for i in range(3)], sys.stdout)


@script()
def total(found: list):
    print(sum(int(x) for x in found))


def scripts_in_steps(score, h):
    """Parameters, results, `when`, parallel steps."""
    with Workflow(generate_name="steps-", entrypoint="main", arguments=[Parameter(name="who", value="world")]) as w:
        with Steps(name="main") as s:
            greet(name="first", arguments={"who": w.get_parameter("who")})
            with s.parallel():
                two = number(name="two", arguments={"n": 2})
                number(name="three", arguments={"n": "3"})
            greet(name="yes", arguments={"who": two.result}, when=f"{two.result} == 4")
            greet(name="no", arguments={"who": two.result}, when=f"{two.result} != 4")
    wf = h.run(w)
    score.check(wf.status.phase == "Succeeded", f"steps: {wf.status.message}")
    score.check(sorted(h.log(w.name)) == ["4", "6", "hello 4", "hello world"], f"log: {h.log(w.name)}")
    score.check(nodes(wf, "Skipped")["no"].phase == "Skipped", "`when` holds one back")
    one = nodes(wf)["two"]
    score.check(h.log(w.name, podName=one.id) == ["4"] and one.outputs.result == "4", "the log of one step, its result")
    entry = h.s.workflow_logs(w.name, pod_name=one.id, container="main")
    score.check(entry is not None, "Hera reads a log of one line")


def fan_out_and_in(score, h):
    """A dag: withItems, withParam, withSequence, a sum over what came out."""
    with Workflow(generate_name="fan-", entrypoint="main") as w:
        with DAG(name="main"):
            gen = numbers()
            each = number(name="each", arguments={"n": "{{item.n}}"}, with_param=gen.result)
            items = greet(name="items", arguments={"who": "{{item}}"}, with_items=["a", "b"])
            greet(name="counted", arguments={"who": "{{item}}"}, with_sequence=m.Sequence(count="2"))
            end = total(arguments={"found": each.result})
            gen >> each >> end
            gen >> items
    wf = h.run(w)
    score.check(wf.status.phase == "Succeeded", f"fan out: {wf.status.message} {[(n.display_name, n.message) for n in nodes(wf).values()]}")
    score.check(h.log(w.name, podName=nodes(wf)["total"].id) == ["6"], "0 + 2 + 4")
    names = set(nodes(wf))
    score.check({"each(0:n:0)", "each(2:n:2)", "items(0:a)", "items(1:b)", "counted(0:0)", "counted(1:1)"} <= names, f"names: {names}")


def diamond(score, h):
    """`>>`, depends with states, `on_success`/`on_failure`, an exit handler. What is left out last takes the phase of its branch, as in Argo."""
    fails = Container(name="fails", image="alpine:3.7", command=["sh", "-c"], args=["exit 3"])
    say = Container(name="say", image="alpine:3.7", command=["echo", "{{inputs.parameters.text}}"], inputs=[Parameter(name="text")])
    with Workflow(generate_name="diamond-", entrypoint="main", on_exit="bye", templates=[fails, say]) as w:
        Container(name="bye", image="alpine:3.7", command=["echo", "bye {{workflow.status}}"])
        with DAG(name="main"):
            a, b, c = (Task(name=x, template="say", arguments={"text": x}) for x in "abc")
            d = Task(name="d", template="say", arguments={"text": "d"})
            bad = Task(name="bad", template="fails")
            a >> [b, c] >> d
            d >> bad
            bad.on_failure(Task(name="mends", template="say", arguments={"text": "mended"}))
            bad.on_success(Task(name="never", template="say", arguments={"text": "never"}))
    wf = h.run(w)
    found = nodes(wf)
    score.check(found["bad"].phase == "Failed" and found["mends"].phase == "Succeeded", f"depends: {wf.status.message}")
    score.check(nodes(wf, "Skipped")["never"].phase == "Omitted", "what needs its success is left out")
    score.check(found[w.name + ".onExit"].phase == "Succeeded" and "bye Failed" in h.log(w.name), f"exit handler: {h.log(w.name)}")
    score.check(found["d"].started_at.root >= found["b"].finished_at.root, "the order")


@script(outputs=[Artifact(name="plain", path="/tmp/plain.json", archive=NoneArchiveStrategy()), Artifact(name="packed", path="/tmp/dir", archive=TarArchiveStrategy())])
def produce():
    import json
    import os
    json.dump({"a": [1, 2]}, open("/tmp/plain.json", "w"))
    os.mkdir("/tmp/dir")
    open("/tmp/dir/one", "w").write("1")


@script(inputs=[Artifact(name="plain", path="/tmp/in.json"), Artifact(name="packed", path="/tmp/d")])
def consume():
    import json
    print(sum(json.load(open("/tmp/in.json"))["a"]), open("/tmp/d/one").read())


def artifacts(score, h):
    """Between steps, and downloaded by each of Argo's addresses."""
    with Workflow(generate_name="art-", entrypoint="main") as w:
        with DAG(name="main"):
            p = produce()
            p >> consume(arguments=[p.get_artifact("plain"), p.get_artifact("packed")])
    wf = h.run(w)
    score.check(wf.status.phase == "Succeeded" and h.log(w.name) == ["3 1"], f"artifacts: {wf.status.message} {h.log(w.name)}")
    made, took = nodes(wf)["produce"], nodes(wf)["consume"]
    want = "b'{\"a\": [1, 2]}'"
    got = {"name": h.s.get_output_artifact(w.name, made.id, "plain"), "uid": h.s.get_output_artifact_by_uid(wf.metadata.uid, made.id, "plain"),
           "input": h.s.get_input_artifact(w.name, took.id, "plain"), "input by uid": h.s.get_input_artifact_by_uid(wf.metadata.uid, took.id, "plain"),
           "file": h.s.get_artifact_file("workflows", w.name, made.id, "plain", "outputs"),
           "archived file": h.s.get_artifact_file("archived-workflows", wf.metadata.uid, made.id, "plain", "outputs")}
    for how, text in got.items():
        score.check(text == want, f"artifact by {how}: {text}")
    packed = requests.get(f"{h.server.url}/artifacts/default/{w.name}/{made.id}/packed", headers={"Authorization": h.s.token}, verify=h.s.verify_ssl, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(packed.content), mode="r:gz") as tar:
        score.check(any(n.endswith("one") for n in tar.getnames()), f"a packed one: {tar.getnames()}")
    score.check(raises(NotFound, h.s.get_output_artifact, w.name, made.id, "absent") is not None, "one that is not there")


def retries(score, h):
    with Workflow(generate_name="retry-", entrypoint="main") as w:
        with Steps(name="main"):
            Step(name="t", template="third")
        Container(name="third", image="alpine:3.7", command=["sh", "-c"], args=["test {{retries}} = 2 || exit 7"],
                  retry_strategy=RetryStrategy(limit=3, retry_policy="Always", expression="asInt(lastRetry.exitCode) == 7"))
    wf = h.run(w)
    score.check(wf.status.phase == "Succeeded" and [nodes(wf)[f"t({i})"].phase for i in range(3)] == ["Failed", "Failed", "Succeeded"],
                f"retries: {wf.status.message} {list(nodes(wf))}")


def pods_of_many_kinds(score, h):
    """Container sets, environment, Secrets, volumes, HTTP, resources."""
    h.server.apply("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}, "stringData": {"word": "s3cret"}})
    with Workflow(generate_name="kinds-", entrypoint="main", volumes=[EmptyDirVolume(name="shared")]) as w:
        with ContainerSet(name="set", volume_mounts=[m.VolumeMount(name="shared", mount_path="/work")]):
            one = ContainerNode(name="one", image="alpine:3.7", command=["sh", "-c"], args=["echo from one > /work/f"])
            one >> ContainerNode(name="main", image="alpine:3.7", command=["sh", "-c"], args=["cat /work/f"])
        Container(name="env", image="alpine:3.7", command=["sh", "-c"], args=["echo $A ${#SECRET}"],
                  env=[Env(name="A", value="1"), SecretEnv(name="SECRET", secret_name="password", secret_key="word")])
        HTTP(name="http", url=h.server.url + "/api/v1/version", insecure_skip_verify=True, success_condition="response.statusCode == 200")
        Resource(name="res", action="create", set_owner_reference=False, manifest=json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made-by-hera"}, "data": {"k": "v"}}))
        with Steps(name="main") as s:
            with s.parallel():
                for name in ("set", "env", "http", "res"):
                    Step(name=name, template=name)
    wf = h.run(w)
    score.check(wf.status.phase == "Succeeded", f"kinds: {wf.status.message} {[(n.display_name, n.message) for n in wf.status.nodes.values()]}")
    log = h.log(w.name)
    score.check("from one" in log and "1 6" in log, f"log: {log}")
    score.check(h.server.ask("GET", "/api/v1/skiff/objects/configmaps/default/made-by-hera")[2]["data"] == {"k": "v"}, "what a resource template made")


def runner(score, h):
    """Hera's runner: the function's module is imported by the step, its parameters come as JSON."""
    with open(os.path.join(h.server.place.root, "flows.py"), "w") as f:
        f.write("from hera.workflows import script\n\n\n@script(constructor='runner')\ndef add(a: int, b: dict) -> int:\n    return a + b['n']\n")
    sys.path.insert(0, h.server.place.root)
    add = importlib.import_module("flows").add
    with Workflow(generate_name="runner-", entrypoint="main") as w:
        with Steps(name="main"):
            add(arguments={"a": 2, "b": {"n": 40}})
    w.templates[1].env = [Env(name="PYTHONPATH", value=h.site + ":" + h.server.place.root)]
    wf = h.run(w)
    sys.path.remove(h.server.place.root)
    score.check(wf.status.phase == "Succeeded" and h.log(w.name) == ["42"], f"runner: {wf.status.message} {h.log(w.name)}")


# ---- steering ----

def approval(name):
    """Waits for somebody to supply `ok`."""
    with Workflow(name=name, entrypoint="main") as w:
        ask = Suspend(name="ask", intermediate_parameters=[Parameter(name="ok", enum=["yes", "no"], default="no")])
        with Steps(name="main"):
            asked = ask(name="approve")
            greet(name="go", arguments={"who": asked.get_parameter("ok")})
    return w


def suspended(wf):
    return any(n.display_name == "approve" and n.phase == "Running" for n in (wf.status.nodes or {}).values())


def suspend_and_supply(score, h):
    name = h.start(approval("approval"))
    h.until(name, suspended)
    h.s.set_workflow(name, m.WorkflowSetRequest(node_field_selector="displayName=approve", output_parameters=json.dumps({"ok": "yes"}), message="by a test"))
    wf = h.until(name, suspended)
    score.check(outputs(nodes(wf, "Suspend")["approve"]) == {"ok": "yes"}, "supplied")
    h.s.resume_workflow(name, m.WorkflowResumeRequest(node_field_selector="displayName=approve"))
    wf = h.over(name)
    score.check(wf.status.phase == "Succeeded" and h.log(name) == ["hello yes"], f"resumed: {wf.status.message} {h.log(name)}")
    again = h.s.resubmit_workflow(name, m.WorkflowResubmitRequest(memoized=False)).metadata.name
    h.until(again, suspended)
    h.s.suspend_workflow(again, m.WorkflowSuspendRequest())
    score.check(h.s.get_workflow(again).spec.suspend is True, "suspended")
    h.s.stop_workflow(again, m.WorkflowStopRequest(node_field_selector="displayName=approve", message="not today"))
    h.s.resume_workflow(again, m.WorkflowResumeRequest())
    wf = h.over(again)
    score.check(wf.status.phase == "Failed" and nodes(wf, "Suspend")["approve"].message.startswith("not today"), f"stopped node: {wf.status.message}")


def stop_retry_resubmit(score, h):
    flag = os.path.join(h.server.place.count, "flag")
    with Workflow(name="flagged", entrypoint="main") as w:
        Container(name="look", image="alpine:3.7", command=["sh", "-c"], args=[f"test -e {flag}"])
        with Steps(name="main"):
            greet(name="before", arguments={"who": "x"})
            Step(name="look", template="look")
    wf = h.run(w)
    score.check(wf.status.phase == "Failed" and nodes(wf)["look"].phase == "Failed", "it fails")
    score.check("exists" in (raises(AlreadyExists, h.run, w) or ""), "the same name again")
    open(flag, "w").close()
    h.s.retry_workflow("flagged", m.WorkflowRetryRequest(restart_successful=False))
    wf = h.over("flagged")
    score.check(wf.status.phase == "Succeeded" and h.log("flagged") == ["hello x"], f"retried: {wf.status.message}")
    made = h.s.resubmit_workflow("flagged", m.WorkflowResubmitRequest(parameters=[]))
    score.check(h.over(made.metadata.name).status.phase == "Succeeded", "resubmitted")
    for end, kind in ((h.s.stop_workflow, m.WorkflowStopRequest), (h.s.terminate_workflow, m.WorkflowTerminateRequest)):
        name = h.start(approval(end.__name__.replace("_", "-")))
        h.until(name, suspended)
        end(name, kind())
        score.check(h.over(name).status.phase == "Failed", end.__name__)
    score.check(h.s.delete_workflow("flagged") is not None and raises(NotFound, h.s.get_workflow, "flagged") is not None, "deleted")


# ---- what is stored ----

def templates(score, h):
    """WorkflowTemplates: made, changed, listed, referred to, run."""
    with WorkflowTemplate(name="greeting", entrypoint="main", arguments=[Parameter(name="who", value="you")], namespace="default", workflows_service=h.s, labels={"team": "a"}) as t:
        with Steps(name="main"):
            greet(arguments={"who": "{{workflow.parameters.who}}"})
    score.check(t.lint().metadata.name == "greeting" and t.create().metadata.resource_version, "linted and made")
    score.check(raises(AlreadyExists, t.create) is not None, "only once")
    score.check([x.metadata.name for x in h.s.list_workflow_templates(label_selector="team=a").items] == ["greeting"], "listed")
    wf = h.run(t._get_as_workflow("as-workflow-"))
    score.check(wf.status.phase == "Succeeded", f"as a workflow: {wf.status.message}")
    by_ref = Workflow(generate_name="by-ref-", workflow_template_ref=m.WorkflowTemplateRef(name="greeting"), arguments={"who": "me"})
    score.check(h.run(by_ref).status.phase == "Succeeded" and h.log(by_ref.name) == ["hello me"], "workflowTemplateRef")
    with Workflow(generate_name="one-of-it-", entrypoint="main") as w:
        with Steps(name="main"):
            Step(name="s", template_ref=m.TemplateRef(name="greeting", template="greet"), arguments={"who": "ref"})
    score.check(h.run(w).status.phase == "Succeeded" and h.log(w.name) == ["hello ref"], "templateRef")
    made = h.s.submit_workflow(m.WorkflowSubmitRequest(resource_kind="WorkflowTemplate", resource_name="greeting", submit_options=m.SubmitOpts(
        parameters=["who=submitted"], labels="a=b", generate_name="sub-", entry_point="main")))
    name = made.metadata.name
    score.check(name.startswith("sub-") and made.metadata.labels["a"] == "b" and h.over(name).status.phase == "Succeeded" and h.log(name) == ["hello submitted"],
                "submitted from it")
    t.arguments = [Parameter(name="who", value="changed")]
    score.check(t.update().spec.arguments.parameters[0].value == "changed" and t.get().spec.arguments.parameters[0].value == "changed", "changed")
    h.s.delete_workflow_template("greeting")
    score.check(raises(NotFound, h.s.get_workflow_template, "greeting") is not None, "deleted")


def cluster_templates(score, h):
    with ClusterWorkflowTemplate(name="everywhere", entrypoint="main", workflows_service=h.s) as t:
        with Steps(name="main"):
            greet(arguments={"who": "all"})
    score.check(t.lint().metadata.name == "everywhere" and t.create().metadata.uid, "linted and made")
    w = Workflow(generate_name="cluster-", workflow_template_ref=m.WorkflowTemplateRef(name="everywhere", cluster_scope=True))
    score.check(h.run(w).status.phase == "Succeeded" and h.log(w.name) == ["hello all"], "workflowTemplateRef with clusterScope")
    score.check([x.metadata.name for x in h.s.list_cluster_workflow_templates().items] == ["everywhere"] and t.update().metadata.name == "everywhere", "listed, changed")
    name = h.s.submit_workflow(m.WorkflowSubmitRequest(resource_kind="ClusterWorkflowTemplate", resource_name="everywhere")).metadata.name
    score.check(h.over(name).status.phase == "Succeeded", "submitted from it")
    h.s.delete_cluster_workflow_template("everywhere")
    score.check(h.s.list_cluster_workflow_templates().items == [], "deleted")


def cron_workflows(score, h):
    with CronWorkflow(name="nightly", entrypoint="main", schedules=["0 3 * * *", "30 3 * * 0"], timezone="Europe/Berlin", concurrency_policy="Forbid",
                      starting_deadline_seconds=60, successful_jobs_history_limit=2, namespace="default", workflows_service=h.s) as c:
        with Steps(name="main"):
            greet(arguments={"who": "night"})
    score.check(c.lint().metadata.name == "nightly" and c.create().spec.concurrency_policy == "Forbid", "linted and made")
    h.s.suspend_cron_workflow("nightly", m.CronWorkflowSuspendRequest())
    score.check(h.s.get_cron_workflow("nightly").spec.suspend is True, "suspended")
    score.check(not h.s.resume_cron_workflow("nightly", m.CronWorkflowResumeRequest()).spec.suspend, "resumed")
    score.check([x.metadata.name for x in h.s.list_cron_workflows().items] == ["nightly"], "listed")
    made = h.s.submit_workflow(m.WorkflowSubmitRequest(resource_kind="CronWorkflow", resource_name="nightly")).metadata
    score.check(made.name.startswith("nightly") and h.over(made.name).status.phase == "Succeeded" and h.log(made.name) == ["hello night"], f"run by hand: {made.name}")
    c.schedules = ["0 4 * * *"]
    score.check(c.update().spec.schedules == ["0 4 * * *"] and c.get().spec.schedules == ["0 4 * * *"], "changed")
    c.schedules = ["61 * * * *"]
    score.check(raises(BadRequest, c.lint) is not None, "a schedule that is none")
    h.s.delete_cron_workflow("nightly")
    score.check(raises(NotFound, h.s.get_cron_workflow, "nightly") is not None, "deleted")


def lists_and_archive(score, h):
    for name, labels in (("list-a", {"team": "x"}), ("list-b", {"team": "y"}), ("other", {"team": "x"})):
        with Workflow(name=name, entrypoint="main", labels=labels) as w:
            with Steps(name="main"):
                greet(arguments={"who": name})
        h.run(w)

    def names(found):
        return sorted(x.metadata.name for x in found.items)
    score.check(names(h.s.list_workflows(label_selector="team=x")) == ["list-a", "other"], "by label")
    score.check(names(h.s.list_workflows(field_selector="metadata.name=list-a")) == ["list-a"], "by name")
    score.check(names(h.s.list_workflows(field_selector="metadata.name=list", name_filter="Prefix")) == ["list-a", "list-b"], "by the start of the name")
    score.check(names(h.s.list_workflows(label_selector="workflows.argoproj.io/phase in (Failed, Error)")) == [], "by phase")
    page = h.s.list_workflows(limit="2")
    rest = h.s.list_workflows(limit="2", continue_=page.metadata.continue_)
    score.check(len(page.items) == 2 and sorted(names(page) + names(rest)) == ["list-a", "list-b", "other"] and not rest.metadata.continue_, "by pages")
    short = h.s.list_workflows(fields="metadata,items.metadata.name,items.status.phase,items.spec")
    score.check(all(x.status.nodes is None and x.status.phase == "Succeeded" for x in short.items), "some fields")
    old = h.s.list_archived_workflows(name_prefix="list-")
    score.check(names(old) == ["list-a", "list-b"], "of the archive")
    uid = next(x.metadata.uid for x in old.items if x.metadata.name == "list-a")
    score.check(h.s.get_archived_workflow(uid).metadata.name == "list-a", "one of the archive")
    score.check({"team", COMPLETED} <= set(h.s.list_archived_workflow_label_keys().items), "label keys")
    score.check(set(h.s.list_archived_workflow_label_values(label_selector="team").items) == {"x", "y"}, "label values")
    again = h.s.resubmit_archived_workflow(uid, m.ResubmitArchivedWorkflowRequest(namespace="default")).metadata.name
    score.check(h.over(again).status.phase == "Succeeded", "resubmitted from the archive")
    h.s.delete_archived_workflow(uid)
    score.check(raises(NotFound, h.s.get_archived_workflow, uid) is not None, "deleted from the archive")


def mistakes(score, h):
    with Workflow(name="wrong", entrypoint="absent", namespace="default", workflows_service=h.s) as w:
        Container(name="a", image="alpine:3.7", command=["true"])
    said = raises(BadRequest, w.lint)
    score.check(said is not None and "absent" in said, f"lint: {said}")
    score.check("absent" in (raises(BadRequest, h.run, w) or ""), "not accepted either")
    score.check("absent" in (raises(NotFound, h.s.get_workflow, "absent") or ""), "not found")


def server_itself(score, h):
    v, info, user = h.s.get_version(), h.s.get_info(), h.s.get_user_info()
    score.check(v.version.startswith("skiff-") and v.platform and info.managed_namespace is not None and user is not None, f"version {v} info {info} user {user}")
    h.s.create_sync_limit(m.CreateSyncLimitRequest(cm_name="limits", key="gpu", limit=2, type="CONFIGMAP"))
    h.s.update_sync_limit("gpu", m.UpdateSyncLimitRequest(cm_name="limits", limit=3, type="CONFIGMAP"))
    status, _, limit = h.server.ask("GET", "/api/v1/sync/default/gpu?type=CONFIGMAP&cmName=limits")  # Hera drops what it is answered
    score.check(status == 200 and limit["limit"] == 3, f"the limit of a semaphore: {limit}")
    h.s.delete_sync_limit("gpu", cm_name="limits", type_="CONFIGMAP")
    score.check(raises(NotFound, h.s.get_sync_limit, "gpu", cm_name="limits", type_="CONFIGMAP") is not None, "and its end")


def events(score, h):
    """An event starts what a WorkflowEventBinding says."""
    with WorkflowTemplate(name="on-event", entrypoint="main", arguments=[Parameter(name="who")], namespace="default", workflows_service=h.s) as t:
        with Steps(name="main"):
            greet(arguments={"who": "{{workflow.parameters.who}}"})
    t.create()
    h.server.apply("workfloweventbindings", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": {"name": "bound"},
        "spec": {"event": {"selector": 'payload.who != "" && discriminator == "hera"'}, "submit": {
            "workflowTemplateRef": {"name": "on-event"}, "metadata": {"generateName": '"evented-"'},
            "arguments": {"parameters": [{"name": "who", "valueFrom": {"event": "payload.who"}}]}}}})
    EventsService(host=h.server.url, namespace="default", token=h.s.token, verify_ssl=h.s.verify_ssl).receive_event("hera", Item({"who": "event"}))
    wf = h.server.wait_for(lambda: next(iter(h.s.list_workflows(field_selector="metadata.name=evented-", name_filter="Prefix").items), None), "the workflow")
    score.check(h.over(wf.metadata.name).status.phase == "Succeeded" and h.log(wf.metadata.name) == ["hello event"], "started by an event")


def tokens_and_https(score, h):
    """A token with or without `Bearer`, and a certificate that signs itself."""
    s = h.server
    token = s.place.call("token", "create", "--name", "ci", "--role", "run", "-n", "default", "-q").stdout.strip()
    s.stop()
    cert, key = certificate(s.place)
    s.start("--auth", "token", "--tls-cert", cert, "--tls-key", key)
    score.check(raises(requests.exceptions.SSLError, Hera(s, h.site, token).s.list_workflows) is not None, "a certificate that nobody vouches for")
    score.check(raises(Unauthorized, Hera(s, h.site, verify=cert).s.list_workflows) is not None, "no token")
    for text in (token, "Bearer " + token):
        signed = Hera(s, h.site, text, cert)
        with Workflow(generate_name="signed-", entrypoint="main") as w:
            with Steps(name="main"):
                greet(arguments={"who": "s"})
        score.check(signed.run(w).status.phase == "Succeeded" and signed.log(w.name) == ["hello s"], "with a token")
    score.check(signed.s.get_user_info() is not None, "whose it is")
    score.check(raises(Forbidden, signed.s.list_workflows, namespace="other") is not None, "another namespace")


runner.tier = stop_retry_resubmit.tier = "none"  # their steps look at files of the test
CASES = (scripts_in_steps, fan_out_and_in, diamond, artifacts, retries, pods_of_many_kinds, runner, suspend_and_supply, stop_retry_resubmit, templates,
         cluster_templates, cron_workflows, lists_and_archive, mistakes, server_itself, events, tokens_and_https)
