"""CronWorkflows under `skiff server`: they start by themselves, and whatever dies, a scheduled time is started once."""
import datetime
import json
import time

from server import Server, common, workflow

LABEL = "workflows.argoproj.io/cron-workflow"
GATE = "until [ -e {0}/open ]; do sleep 0.02; done"


def cron(name, script="true", schedules=("@every 1s",), **spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": name},
            "spec": {"schedules": list(schedules), "workflowSpec": workflow(script)["spec"], **spec}}


class Crons(Server):
    def store(self, doc):
        status, _, made = self.ask("POST", "/api/v1/cron-workflows/default", {"cronWorkflow": doc})
        if status != 200:
            raise RuntimeError(f"cron: {status} {made}")

    def status(self, name):
        return self.ask("GET", f"/api/v1/cron-workflows/default/{name}")[2].get("status") or {}

    def children(self, name):
        """Oldest first."""
        items = self.ask("GET", f"/api/v1/workflows/default?listOptions.labelSelector={LABEL}={name}")[2]["items"] or []
        return sorted(items, key=lambda w: int(w["metadata"]["name"].rsplit("-", 1)[1]))

    def until(self, name, what, holds):
        return common.wait_for(lambda: holds(self.children(name)), f"{name}: {what}")


def seconds(wf):
    return int(wf["metadata"]["name"].rsplit("-", 1)[1])


def phase(wf):
    return wf["status"].get("phase")


def starts(score, skiff):
    s = Crons(skiff).start()
    begun = time.time()
    s.store(cron("tick", "echo {{workflow.scheduledTime}}", workflowMetadata={"labels": {"team": "a"}}))
    runs = s.until("tick", "three runs that ended", lambda c: c if len(c) >= 3 and all(phase(w) == "Succeeded" for w in c[:3]) else None)
    s.ask("PUT", "/api/v1/cron-workflows/default/tick/suspend", {})
    first = s.get(runs[0]["metadata"]["name"])["metadata"]
    at = datetime.datetime.fromtimestamp(seconds(runs[0]), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    score.check(first["annotations"]["workflows.argoproj.io/scheduled-time"] == at, f"scheduled time: {first}")
    score.check(first["labels"].get("team") == "a" and first["ownerReferences"][0]["kind"] == "CronWorkflow", f"metadata: {first}")
    score.check([seconds(w) - seconds(runs[0]) for w in runs[:3]] == [0, 1, 2], f"each second once: {[seconds(w) for w in runs]}")
    score.check(0 <= seconds(runs[0]) - int(begun) <= 3, "it does not wait for anything else")
    common.wait_for(lambda: not s.status("tick")["active"], "all ended")
    status = s.status("tick")
    score.check(status["phase"] == "Active" and status["succeeded"] == len(s.children("tick")) and not status["failed"], f"status: {status}")
    shown = s.place.call("cron", "get", "tick").stdout
    score.check("LastScheduledTime:" in shown and "NextScheduledTime:" not in shown, f"cron get: {shown}")
    applied = s.place.call("apply", "-f", s.place.file("tick.json", json.dumps({**cron("tick", suspend=True), "status": {"succeeded": 0}})))
    score.check(applied.returncode == 0 and s.status("tick")["succeeded"] == status["succeeded"], f"its status is not the document's: {applied} {s.status('tick')}")
    score.check(s.place.call("cron", "delete", "tick").returncode == 0 and not s.children("tick"), "what it started goes with it")
    score.check(s.stop() == 0, f"told to end: {s.said}")
    s.close()


def suspend_and_resume(score, skiff):
    """At once, and by the command line of another process; a plain `skiff run` starts nothing that is scheduled."""
    s = Crons(skiff).start()
    s.store(cron("tick"))
    s.until("tick", "a run", lambda c: c)
    score.check(s.place.call("cron", "suspend", "tick").returncode == 0, "suspended")
    last = s.status("tick")["lastScheduledTime"]
    s.store(cron("other"))
    s.until("other", "others go on", lambda c: len(c) >= 3)
    score.check(s.status("tick")["lastScheduledTime"] == last, "it rests")
    score.check(s.ask("DELETE", "/api/v1/skiff/objects/cronworkflows/default/other")[0] == 200 and not s.children("other"), "what it started goes with it")
    s.place.call("cron", "resume", "tick")
    common.wait_for(lambda: s.status("tick")["lastScheduledTime"] != last, "it goes on")
    s.place.call("cron", "suspend", "tick")
    s.stop()
    score.check(s.place.call("cron", "update", s.place.file("tick.json", json.dumps(cron("tick")))).returncode == 0, "updated without a server")
    counted = json.loads(s.place.call("cron", "get", "tick", "-o", "json").stdout)["status"]
    score.check(counted["succeeded"] > 0 and counted["lastScheduledTime"], f"the status is kept: {counted}")
    before = time.time()
    ran = s.place.run(s.place.file("w.json", json.dumps(workflow("sleep 2", name="local"))))
    after = time.time()
    s.start()
    s.until("tick", "the server goes on", lambda c: seconds(c[-1]) > after)
    between = [w["metadata"]["name"] for w in s.children("tick") if before < seconds(w) <= after]
    score.check(ran.returncode == 0 and not between, f"skiff run started {between}: {ran.stderr}")
    s.close()


def policies(score, skiff):
    s = Crons(skiff).start()
    gate = GATE.format(s.place.root)
    s.store(cron("allow", gate))
    s.store(cron("forbid", gate, concurrencyPolicy="Forbid"))
    s.store(cron("replace", gate, concurrencyPolicy="Replace"))
    s.until("allow", "three at once", lambda c: len([w for w in c if phase(w) == "Running"]) >= 3)
    s.until("replace", "two that made room", lambda c: len([w for w in c if phase(w) == "Failed"]) >= 1 and phase(c[-1]) != "Failed")
    score.check(len(s.children("forbid")) == 1 and len(s.status("forbid")["active"]) == 1, f"forbid: {s.status('forbid')}")
    text = s.ask("GET", "/metrics")[2].decode()
    for metric, labels, least in (("triggered_total", 'name="allow",namespace="default"', 3), ("triggered_total", 'name="forbid",namespace="default"', 1),
                                  ("concurrencypolicy_triggered", 'name="forbid",namespace="default",concurrency_policy="Forbid"', 1),
                                  ("concurrencypolicy_triggered", 'name="replace",namespace="default",concurrency_policy="Replace"', 1)):
        line = next((x for x in text.splitlines() if x.startswith(f"argo_workflows_cronworkflows_{metric}{{{labels}}} ")), f"{metric} is missing 0")
        score.check(int(line.split()[-1]) >= least, line)
    score.check('concurrency_policy="Allow"' not in text and text.count("cronworkflows_triggered_total{name=\"forbid\"") == 1, "Allow has no effect")
    message = [w for w in s.children("replace") if phase(w) == "Failed"][0]["status"]["message"]
    score.check("Terminate" in message, f"replace: {message}")
    s.place.file("open", "")
    s.until("forbid", "another one", lambda c: len(c) >= 2)
    s.close()


def kills(score, skiff):
    """kill -9, between turns and at commits: with a deadline the latest second that was missed is made up for, none is started twice, and
    the counters are those of the runs."""
    s = Crons(skiff).start()
    log = s.place.log_path()
    s.store(cron("tick", f"echo {{{{workflow.name}}}} >> {log}", startingDeadlineSeconds=3600, successfulJobsHistoryLimit=1000))
    for n, fail in enumerate(("", "COMMIT_BEFORE:2", "COMMIT_AFTER:2", "", "COMMIT_BEFORE:5", "COMMIT_AFTER:7", "START_BEFORE:2"), 1):
        s.until("tick", "goes on", lambda c, n=n: len(c) >= 2 * n)
        s.kill()
        try:
            s.start(env={"SKIFF_FAIL": f"{fail}=kill"} if fail else None)
        except RuntimeError:
            fail = "at the start"  # it died before it listened
        if fail:
            s.proc.wait(timeout=common.LIMIT_S)
            s.start()
        back = time.time()
        s.until("tick", "what was missed", lambda c, back=back: seconds(c[-1]) >= back - 2)
    s.ask("PUT", "/api/v1/cron-workflows/default/tick/suspend", {})
    common.wait_for(lambda: not s.status("tick")["active"], "all ended")
    runs, ran = s.children("tick"), s.place.lines()
    names = [w["metadata"]["name"] for w in runs]
    score.check(sorted(ran) == sorted(names) == sorted(set(ran)), f"started {names}, ran {ran}")
    score.check([phase(w) for w in runs] == ["Succeeded"] * len(runs) and s.status("tick")["succeeded"] == len(runs),
                f"counted: {s.status('tick')}, runs: {len(runs)}")
    s.close()


def stops_and_forgets(score, skiff):
    s = Crons(skiff).start()
    s.store(cron("fails", "exit 1", stopStrategy={"expression": "cronworkflow.failed >= 3"}))
    s.store(cron("none", "true", successfulJobsHistoryLimit=0))
    common.wait_for(lambda: s.status("fails").get("phase") == "Stopped", "it stops")
    doc = s.ask("GET", "/api/v1/cron-workflows/default/fails")[2]
    score.check(doc["metadata"]["labels"]["cronworkflows.argoproj.io/completed"] == "true", f"labels: {doc['metadata']}")
    s.until("fails", "one is kept", lambda c: len(c) == 1)
    count = doc["status"]["failed"]
    common.wait_for(lambda: s.status("none")["succeeded"] > len(s.children("none")), "those that ended go")
    score.check(s.status("fails")["failed"] == count, "it started nothing more")
    s.close()


def by_hand(score, skiff):
    """What somebody submits from a CronWorkflow is one of its children, as in Argo."""
    s = Crons(skiff).start()
    doc = cron("yearly", schedules=("0 0 29 2 *",))
    doc["spec"]["workflowSpec"] = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    s.store(doc)
    stored = s.ask("GET", "/api/v1/cron-workflows/default/yearly")[2]["metadata"]
    made = s.ask("POST", "/api/v1/workflows/default/submit", {"resourceKind": "CronWorkflow", "resourceName": "yearly"})[2]["metadata"]
    more = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-1"}
    options = {"dryRun": True, "ownerReference": more}
    owners = s.ask("POST", "/api/v1/workflows/default/submit", {"resourceKind": "CronWorkflow", "resourceName": "yearly", "submitOptions": options})[2]["metadata"]["ownerReferences"]
    score.check(owners == made.get("ownerReferences", []) + [more], f"another owner comes to it: {owners}")
    owner = made.get("ownerReferences", [{}])[0]
    score.check((owner.get("kind"), owner.get("uid"), owner.get("controller")) == ("CronWorkflow", stored["uid"], True), f"its owner: {made}")
    common.wait_for(lambda: [a["uid"] for a in s.status("yearly").get("active") or []] == [made["uid"]], "it to be active")
    s.ask("PUT", f"/api/v1/workflows/default/{made['name']}/terminate", {})
    common.wait_for(lambda: s.status("yearly")["failed"] == 1 and not s.status("yearly")["active"], "it to be counted")
    s.ask("DELETE", "/api/v1/cron-workflows/default/yearly")
    status, _, e = s.ask("GET", f"/api/v1/workflows/default/{made['name']}")
    score.check(status == 404, f"it goes with its document: {status} {e}")
    s.close()


def owned_elsewhere(score, skiff):
    """A workflow of another namespace is no child, whatever owner it names."""
    s = Crons(skiff).start()
    doc = cron("yearly", schedules=("0 0 29 2 *",))
    doc["spec"]["workflowSpec"] = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    s.store(doc)
    stored = s.ask("GET", "/api/v1/cron-workflows/default/yearly")[2]["metadata"]
    s.ask("POST", "/api/v1/workflow-templates/b", {"template": {"metadata": {"name": "t"}, "spec": doc["spec"]["workflowSpec"]}})
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": "yearly", "uid": stored["uid"], "controller": True}
    status, _, e = s.ask("POST", "/api/v1/workflows/b/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "t", "submitOptions": {"ownerReference": owner}})
    score.check(status == 200, f"started: {status} {e}")
    made = s.ask("POST", "/api/v1/workflows/default/submit", {"resourceKind": "CronWorkflow", "resourceName": "yearly"})[2]["metadata"]
    common.wait_for(lambda: made["uid"] in [a["uid"] for a in s.status("yearly").get("active") or []], "its child to be active")
    active = s.status("yearly")["active"]
    score.check([a["uid"] for a in active] == [made["uid"]], f"its own alone: {active}")
    s.close()


def retried(score, skiff):
    """A workflow that is tried again is active again, and counts again when it ends."""
    s = Crons(skiff).start()
    s.store(cron("once", f"test -e {s.place.root}/good", stopStrategy={"expression": "cronworkflow.failed + cronworkflow.succeeded >= 1"}))
    common.wait_for(lambda: s.status("once").get("phase") == "Stopped", "it stops")
    name = s.children("once")[0]["metadata"]["name"]
    s.place.file("good", "")
    status, _, told = s.ask("PUT", f"/api/v1/workflows/default/{name}/retry", {})
    score.check(status == 200, f"retry: {told}")
    score.check(s.wait(name)["status"]["phase"] == "Succeeded", "it succeeds")
    common.wait_for(lambda: s.status("once")["succeeded"] == 1 and not s.status("once")["active"], "it is counted")
    score.check(s.status("once")["failed"] == 1 and len(s.children("once")) == 1, f"status: {s.status('once')}")
    s.close()


def what_cannot_start(score, skiff):
    """The document says why, and goes on when it can."""
    s = Crons(skiff).start()
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": workflow("true")["spec"]}
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": template})
    doc = cron("c")
    doc["spec"]["workflowSpec"] = {"workflowTemplateRef": {"name": "t"}}
    s.store(doc)
    s.until("c", "a run", lambda c: c)
    s.ask("DELETE", "/api/v1/workflow-templates/default/t")
    told = common.wait_for(lambda: s.status("c")["conditions"], "a condition")
    score.check(told[0]["type"] == "SpecError" and "t" in told[0]["message"], f"told: {told}")
    score.check('argo_workflows_error_count{cause="CronWorkflowSpecError"}' in s.ask("GET", "/metrics")[2].decode(), "the count of errors")
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": template})
    common.wait_for(lambda: not s.status("c")["conditions"], "it goes on")
    s.close()


def backfill(score, skiff):
    """What would have been started: by the server, or by the command itself where there is none."""
    s = Crons(skiff).start()
    doc = cron("c", f"echo {{{{workflow.parameters.when}}}} '{{{{inputs.parameters.own}}}}' >> {s.place.log_path()}", ["0 2 * * *"], timezone="Europe/Berlin")
    doc["spec"]["workflowSpec"]["templates"][0]["inputs"] = {"parameters": [{"name": "own", "value": "mine"}]}
    doc["spec"]["workflowSpec"]["arguments"] = {"parameters": [{"name": "when", "value": "now"}]}
    s.store(doc)
    words = ("cron", "backfill", "c", "--argname", "when", "--start", "2026-03-27T12:00:00Z")
    wanted = ["2026-03-28 01:00:00 +0000 UTC mine", "2026-03-30 00:00:00 +0000 UTC mine", "2026-03-31 00:00:00 +0000 UTC mine"]
    made = s.place.call(*words, "--end", "Tue, 31 Mar 2026 12:00:00 UTC", "--maxworkflowcount", "2", "--name", "march")
    names = [line.split()[-1] for line in made.stdout.splitlines() if " backfill-wf-" in line]
    score.check(made.returncode == 0 and len(names) == 2 and "Total Backfill Schedule: 3" in made.stdout, f"told: {made}")
    score.check([s.wait(n)["status"]["phase"] for n in names] == ["Succeeded"] * 2, "they succeed")
    score.check(sorted(s.place.lines()) == wanted, f"ran: {s.place.lines()}")
    items = s.ask("GET", "/api/v1/workflows/default")[2]["items"]
    score.check(len([w for w in items if w["metadata"]["name"].startswith("c-backfill-march-")]) == 3, "their names")
    none = s.place.call(*words, "--end", "2026-03-27T13:00:00Z")
    score.check(none.stdout == "There is no suitable scheduling time.\n", f"none: {none}")
    many = s.place.call("cron", "backfill", "c", "--start", "1900-01-01T00:00:00Z")
    score.check(many.returncode != 0 and "more than" in many.stderr, f"too many: {many.stderr}")
    s.stop()
    alone = s.place.call(*words, "--end", "2026-03-31T12:00:00Z", "--parallel", env={"SKIFF_RUNTIME": s.place.tier})
    score.check(alone.returncode == 0 and sorted(s.place.lines()) == sorted(wanted * 2), f"without a server: {alone}")
    s.close()


CASES = (starts, suspend_and_resume, policies, kills, stops_and_forgets, by_hand, owned_elsewhere, retried, what_cannot_start, backfill)
