"""What `skiff server` streams (Argo's log, watch and event routes), and the events that start workflows."""
import json
import os
import urllib.parse

import server
from server import Server, common, memory_check, workflow

API = "/api/v1"


def log_of(s, name, query="", sse=False):
    stream = s.stream(f"{API}/workflows/default/{name}/log?{query}", sse)
    try:
        return stream.status, stream.headers["Content-Type"], stream.rest().decode()
    finally:
        stream.close()


def lines_of(s, name, query=""):
    return [json.loads(line)["result"]["content"] for line in log_of(s, name, query)[2].splitlines()]


def log_framing(score, skiff):
    """Byte for byte as Argo's clients read it."""
    s = Server(skiff).start()
    name = s.submit(workflow("echo one; echo 'say \"two\"' >&2; printf three", name="talks"))
    s.wait(name)
    plain = "".join('{"result":{"content":%s,"podName":"talks"}}\n' % c for c in ('"one"', '"say \\"two\\""', '"three"'))
    got = log_of(s, name, "logOptions.container=main")
    score.check(got == (200, "application/json", plain), f"lines of JSON: {got}")
    sse = "".join(f"data: {line}\n\n" for line in plain.splitlines())
    got = log_of(s, name, "logOptions.container=main&logOptions.follow=true", sse=True)
    score.check(got == (200, "text/event-stream", sse), f"server-sent events: {got}")
    for query, want in (("logOptions.container=wait", []), ("logOptions.tailLines=1", ["three"]), ("logOptions.tailLines=0", []),
                        ("grep=o", ["one", 'say "two"']), ("podName=talks", ["one", 'say "two"', "three"]), ("podName=other", []),
                        ("logOptions.sinceTime=2999-01-01T00:00:00Z", []), ("logOptions.sinceSeconds=600", ["one", 'say "two"', "three"]),
                        ("logOptions.previous=true", []), ("logOptions.limitBytes=33", ["on"]), ("logOptions.limitBytes=35", ["one"]),
                        ("logOptions.limitBytes=31&logOptions.follow=true", []), ("logOptions.limitBytes=1000", ["one", 'say "two"', "three"])):
        got = lines_of(s, name, query)
        score.check(got == want, f"log?{query}: {got}")
    stamped = lines_of(s, name, "logOptions.timestamps=true&logOptions.tailLines=1")
    score.check(len(stamped) == 1 and stamped[0].endswith("Z three") and stamped[0].startswith("20"), f"with times: {stamped}")
    pod = s.stream(f"{API}/workflows/default/{name}/talks/log")
    score.check(pod.rest().decode() == plain, "the log of a pod")
    pod.close()
    for target, status in ((f"/workflows/default/absent/log", 404), (f"/workflows/default/{name}/log?grep=(", 400),
                           (f"/workflows/default/{name}/log?logOptions.tailLines=x", 400), (f"/workflows/default/{name}/log?selector=%3D", 400),
                           (f"/workflows/default/{name}/log?logOptions.limitBytes=0", 400), ("/workflows/default//log", 400)):
        got, _, e = s.ask("GET", API + target)
        score.check(got == status and "message" in e, f"{target}: {got} {e}")
    got = lines_of(s, "", "selector=workflows.argoproj.io/completed%3Dtrue&logOptions.tailLines=1")
    score.check(got == ["three"], f"by labels: {got}")
    s.close()


def log_selector(score, skiff):
    """Beside a name a selector is over the labels that the pods would have."""
    s = Server(skiff).start()
    say = {"container": {"image": "busybox", "command": ["sh", "-c", "echo $0", "{{inputs.parameters.w}}"]}, "inputs": {"parameters": [{"name": "w"}]}}

    def step(name, **ref):
        return {"name": name, **ref, "arguments": {"parameters": [{"name": "w", "value": name}]}}
    s.ask("POST", f"{API}/workflow-templates/default",
          {"template": {"metadata": {"name": "lib"}, "spec": {"templates": [{"name": "far", "metadata": {"labels": {"tier": "back"}}, **say}]}}})
    wf = workflow("true", name="labelled")
    wf["spec"].update(podMetadata={"labels": {"all": "yes", "tier": "front"}}, templates=[
        {"name": "main", "steps": [[step("a", template="near")], [step("b", templateRef={"name": "lib", "template": "far"})], [step("c", template="tagged")],
                                   [step("d", inline={"metadata": {"labels": {"place": "inline"}}, **say})]]},
        {"name": "near", **say}, {"name": "tagged", "metadata": {"labels": {"what": "{{inputs.parameters.w}}-{{workflow.name}}", "tier": "back"}}, **say},
        {"name": "bye", "steps": [[step("x", template="near"), step("y", template="asks")]]},
        {"name": "asks", "inputs": say["inputs"], "container": {"image": "busybox", "command": ["sh", "-c", 'echo "$EXIT $OWN"'], "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{key}']"}}} for name, key in (("EXIT", "workflows.argoproj.io/on-exit"), ("OWN", "own"))]}}],
        onExit="bye")
    wf["spec"]["podMetadata"]["labels"]["own"] = "{{workflow.name}}-{{inputs.parameters.w}}"
    stream = s.stream(f"{API}/workflows/default/{s.submit(wf)}/log?logOptions.follow=true&selector=tier%3Dback")
    got = [json.loads(line)["result"]["content"] for line in stream.rest().decode().splitlines()]
    score.check(got == ["b", "c"], f"followed: {got}")
    stream.close()
    for selector, want in (("tier=front", ["a", "d", "x", "true labelled-y"]), ("tier!=front,all", ["b", "c"]),
                           ("workflows.argoproj.io/workflow=labelled", ["a", "b", "c", "d", "x", "true labelled-y"]),
                           ("workflows.argoproj.io/completed=false", []), ("none", []), ("what=c-labelled", ["c"]), ("what", ["c"]), ("place=inline", ["d"]),
                           ("own in (labelled-a,labelled-x)", ["a", "x"]), ("workflows.argoproj.io/on-exit=true", ["x", "true labelled-y"]),
                           ("!workflows.argoproj.io/on-exit", ["a", "b", "c", "d"])):
        got = lines_of(s, "labelled", "selector=" + urllib.parse.quote(selector))
        score.check(sorted(got) == sorted(want), f"{selector}: {got}")
    s.close()


def log_follow(score, skiff):
    """From before a step begins to after the last has ended, and no longer."""
    s = Server(skiff).start()
    gate = f"until [ -e {s.place.root}/%s ]; do sleep 0.02; done; echo %s"
    wf = workflow("true", name="slowly")
    wf["spec"]["templates"] = [
        {"name": "main", "steps": [[{"name": "a", "template": "first"}], [{"name": "b", "template": "second"}]]},
        {"name": "first", "container": {"image": "busybox", "command": ["sh", "-c", (gate % ("a", "early")) + "; " + (gate % ("b", "late"))]}},
        {"name": "second", "container": {"image": "busybox", "command": ["sh", "-c", gate % ("c", "last")]}}]
    s.submit(wf)
    stream = s.stream(f"{API}/workflows/default/slowly/log?logOptions.follow=true")
    for file, word in (("a", "early"), ("b", "late"), ("c", "last")):
        s.place.file(file, "")
        got = stream.result()
        score.check(got["content"] == word and got["podName"].startswith("slowly-"), f"as it is written: {got}")
    score.check(stream.result() is None, "it ends with the workflow")
    score.check(s.get("slowly")["status"]["phase"] == "Succeeded", "which is over then")
    stream.close()
    s.close()


def log_followed_by_many(score, skiff):
    """More than a user may have inotify instances: one serves them all, and goes with the last."""
    s = Server(skiff).start()
    root, n = s.place.root, 200
    wait = f"until [ -e {root}/%s ]; do sleep 0.02; done; "
    s.submit(workflow("echo first; " + wait % "go" + "for i in $(seq 40); do echo $i; done; " + wait % "end" + "echo last", name="talks"))
    s.submit(workflow(wait % "go" + "echo late; " + wait % "end" + "echo last", name="silent"))
    follow = f"{API}/workflows/default/%s/log?logOptions.follow=true"
    one = s.stream(follow % "talks")
    score.check(one.result()["content"] == "first", "one of them")
    one.close()
    fds = f"/proc/{s.proc.pid}/fd"
    watches = lambda: common.inotify_watches(s.proc.pid)  # noqa: E731
    common.wait_for(lambda: watches() == [], "the end of the first")
    before = len(os.listdir(fds))
    talks, silent = ([s.stream(follow % name) for _ in range(n)] for name in ("talks", "silent"))
    got = {x.result()["content"] for x in talks}
    score.check(got == {"first"}, f"what is there: {got}")
    common.wait_for(lambda: watches() == [2], "one instance that watches one file, and a directory where the other is to appear")
    gone, talks = talks[::3], [x for i, x in enumerate(talks) if i % 3]
    for x in gone:
        x.close()
    s.place.file("go", "")
    got = {x.result()["content"] for x in silent}
    score.check(got == {"late"}, f"a log that was not there yet: {got}")
    got = {tuple(x.result()["content"] for _ in range(40)) for x in talks}
    score.check(got == {tuple(str(i + 1) for i in range(40))}, f"every line: {got}")
    common.wait_for(lambda: watches() == [2], "both files")
    s.place.file("end", "")
    got = {tuple(json.loads(line)["result"]["content"] for line in x.rest().splitlines()) for x in talks + silent}
    score.check(got == {("last",)}, f"to the end: {got}")
    for x in talks + silent:
        x.close()
    common.wait_for(lambda: watches() == [] and len(os.listdir(fds)) <= before, "descriptors, which are as many as before")
    s.stop()
    score.check(not (left := s.place.wait_clean()), f"left behind: {left}")
    s.close()


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def log_slow_reader(score, skiff):
    """50 MB for a client that takes nothing: others are answered, and nothing is made ahead of it."""
    s = Server(skiff).start()
    n, line = 500000, "x" * 99
    name = s.submit(workflow(f"yes {line} | head -n {n}"))
    s.wait(name)
    before = rss_kib(s.proc.pid)
    slow = s.stream(f"{API}/workflows/default/{name}/log")
    grep = s.stream(f"{API}/workflows/default/{name}/log?grep=nowhere")
    done = [s.wait(s.submit(workflow("true")))["status"]["phase"] for _ in range(5)]
    score.check(done == ["Succeeded"] * 5, f"others run meanwhile: {done}")
    score.check(grep.rest() == b"", "a pattern that matches nowhere")
    grep.close()
    grown = rss_kib(s.proc.pid) - before
    memory_check(score, grown < 24 << 10, f"memory grew by {grown} KiB")
    frame, got = '{"result":{"content":"%s","podName":"%s"}}\n' % (line, name), slow.rest()
    score.check(got == frame.encode() * n, f"all of it came: {len(got)} bytes of {len(frame) * n}")
    slow.close()
    s.close()


def phases_by_name(results):
    """The last type and phase of each workflow."""
    return {r["object"]["metadata"]["name"]: (r["type"], r["object"].get("status", {}).get("phase")) for r in results}


def last_is(name, phase):
    return lambda r: r["object"]["metadata"]["name"] == name and r["object"].get("status", {}).get("phase") == phase


def watch_fields(score, skiff):
    """Parts of each workflow, named from the top of an event as Argo's page does; its type is always there."""
    s = Server(skiff).start()
    s.wait(s.submit(workflow("true", name="parts")))
    for fields, want in (("result.type,result.object.metadata.name,result.object.status.phase", {"metadata": {"name": "parts"}, "status": {"phase": "Succeeded"}}),
                         ("metadata.name", {"metadata": {"name": "parts"}}), ("result.type", {})):
        stream = s.stream(f"{API}/workflow-events/default?fields={fields}")
        got = stream.result()
        score.check(got == {"type": "ADDED", "object": want}, f"fields={fields}: {got}")
        stream.close()
    stream = s.stream(f"{API}/workflow-events/default?fields=-result.object.status.nodes,result.object.spec")
    got = stream.result()["object"]
    score.check("nodes" not in got["status"] and "spec" not in got and got["metadata"]["uid"], f"all but some: {got}")
    stream.close()
    s.close()


def deleted(name):
    return lambda r: r["type"] == "DELETED" and r["object"]["metadata"]["name"] == name


def watch(score, skiff):
    """What is there first, then each workflow up to its last state; selectors; what is deleted."""
    s = Server(skiff).start()
    s.wait(s.submit(workflow("true", name="old")))
    stream = s.stream(f"{API}/workflow-events/default")
    first = stream.result()
    score.check(first["type"] == "ADDED" and first["object"]["kind"] == "Workflow" and "old" in first["object"]["status"]["nodes"], f"what is there: {first}")
    s.wait(s.submit(workflow("true", name="new")))
    seen = stream.until(last_is("new", "Succeeded"))
    score.check([r["type"] for r in seen][0] == "ADDED" and all(r["type"] == "MODIFIED" for r in seen[1:]), f"a new one: {[r['type'] for r in seen]}")
    versions = [int(r["object"]["metadata"]["resourceVersion"]) for r in [first, *seen]]
    score.check(versions == sorted(versions), f"in the order of versions: {versions}")
    s.ask("DELETE", f"{API}/workflows/default/old")
    gone = stream.until(deleted("old"))[-1]
    score.check(gone["object"]["metadata"]["uid"] == first["object"]["metadata"]["uid"], f"deleted: {gone}")
    stream.close()

    running = s.stream(f"{API}/workflow-events/default?listOptions.labelSelector=workflows.argoproj.io/phase%3DRunning")
    named = s.stream(f"{API}/workflow-events/?listOptions.fieldSelector=metadata.name%3Dthird", sse=True)
    other = s.stream(f"{API}/workflow-events/elsewhere")
    s.submit(workflow(f"until [ -e {s.place.root}/go ]; do sleep 0.02; done", name="third"))
    r = running.result()
    score.check((r["type"], r["object"]["metadata"]["name"]) == ("ADDED", "third"), f"comes to match: {r['type']}")
    s.place.file("go", "")
    r = running.until(deleted("third"))[-1]
    score.check(r["object"]["status"]["phase"] == "Succeeded", "no longer matches")
    frames, line = [], named.line()
    while line is not None and (not frames or frames[-1]["object"]["status"]["phase"] != "Succeeded"):
        if line:
            score.check(line.startswith('data: {"result":{"type":"'), f"framing: {line[:60]}")
            frames.append(json.loads(line[6:])["result"])
        line = named.line()
    score.check(phases_by_name(frames) == {"third": ("MODIFIED", "Succeeded")}, f"by name: {phases_by_name(frames)}")
    s.submit(workflow("true", name="there"), ns="elsewhere")
    score.check({r["object"]["metadata"]["namespace"] for r in other.until(last_is("there", "Succeeded"))} == {"elsewhere"}, "of one namespace")
    for stream in (running, named, other):
        stream.close()
    for version, status in (("999999", 410), ("x", 400)):
        got = s.ask("GET", f"{API}/workflow-events/default?listOptions.resourceVersion={version}")
        score.check(got[0] == status, f"resourceVersion={version}: {got[0]} {got[2]}")
    s.close()


def watch_resumes(score, skiff):
    """Killed at any time: whoever goes on at the version of the last event misses no final state."""
    s = Server(skiff).start()
    names = [f"w{i}" for i in range(12)]
    started = s.stream(f"{API}/workflow-events/default")
    for name in names:
        s.submit(workflow(f"until [ -e {s.place.root}/{name} ]; do sleep 0.02; done", name=name))
    seen, last = [], 0
    for i, name in enumerate(names):
        s.place.file(name, "")
        if i % 4 != 3:
            continue
        while phases_by_name(seen).get(names[i - 3], (0, 0))[1] != "Succeeded":
            seen.append(started.result())
        last = seen[-1]["object"]["metadata"]["resourceVersion"]
        started.close()
        s.kill()
        s.start()
        started = s.stream(f"{API}/workflow-events/default?listOptions.resourceVersion={last}")
    while {p for _, p in phases_by_name(seen).values()} != {"Succeeded"} or len(phases_by_name(seen)) < len(names):
        seen.append(started.result())
    score.check(len(phases_by_name(seen)) == len(names), "every final state was seen")
    started.close()
    s.close()


def watch_coalesces(score, skiff):
    """A client that takes nothing gets the last states later, not every one of them."""
    s = Server(skiff).start()
    slow = s.stream(f"{API}/workflow-events/default")
    wf = workflow("true", name="wide")
    wf["spec"]["templates"][0]["name"] = "leaf"
    wf["spec"]["templates"].append({"name": "main", "steps": [[{"name": "a", "template": "leaf", "withSequence": {"count": "300"}}]]})
    s.submit(wf)
    s.wait("wide")
    s.wait(s.submit(workflow("true", name="after")))
    seen = slow.until(last_is("after", "Succeeded"))
    changes = s.stream(f"{API}/skiff/changes?after=0")
    every = 0
    while True:
        change = json.loads(changes.line())
        every += change["workflow"]["name"] == "wide"
        if change["workflow"]["name"] == "after" and change.get("status", {}).get("phase") == "Succeeded":
            break
    wide = [r for r in seen if r["object"]["metadata"]["name"] == "wide"]
    score.check(len(wide) < every / 4, f"{len(wide)} events for {every} changes")
    score.check(len(wide[-1]["object"]["status"]["nodes"]) == 302 and wide[-1]["object"]["status"]["phase"] == "Succeeded", "the last one is whole")
    for stream in (slow, changes):
        stream.close()
    s.close()


def deletions(score, skiff):
    """Whoever watches changes hears of each deletion once, in its place: deleted by somebody, with its owner, by ttl or by age; also a later server tells it."""
    s = Server(skiff).start()
    parent = workflow("", name="by-hand")
    parent["spec"]["templates"] = [{"name": "main", "resource": {"action": "create", "setOwnerReference": True, "manifest": json.dumps(workflow("true", name="by-owner"))}}]
    live = s.stream(f"{API}/skiff/changes?after=0")
    uid = s.wait(s.submit(parent))["metadata"]["uid"]
    s.wait("by-owner")
    s.wait(s.submit(workflow("true", name="by-age")))
    s.submit(workflow("true", name="by-ttl", ttlStrategy={"secondsAfterCompletion": 0}))
    common.wait_for(lambda: s.ask("GET", f"{API}/workflows/default/by-ttl")[0] == 404, "the one with a ttl")
    s.ask("DELETE", f"{API}/workflows/default/by-hand")
    s.wait(s.submit(workflow("true", name="last")))

    def gone(lines):
        return [line["workflow"]["name"] for line in lines if line["type"] == "deleted"]

    def told(after, enough, stream=None):
        """What comes after that change, until it is enough."""
        stream, lines = stream or s.stream(f"{API}/skiff/changes?after={after}"), []
        while not enough(lines):
            lines.append(json.loads(stream.line()))
        stream.close()
        return lines

    def last_is_over(lines):
        return lines and lines[-1]["workflow"]["name"] == "last" and lines[-1].get("status", {}).get("phase") == "Succeeded"

    want = ["by-ttl", "by-hand", "by-owner"]
    seen = told(0, last_is_over, live)
    seqs = [line["seq"] for line in seen]
    score.check(gone(seen) == want and seqs == sorted(set(seqs)), f"told as they go: {gone(seen)}")
    deleted = [line for line in seen if line["type"] == "deleted"]
    score.check(deleted[1]["workflow"] == {"namespace": "default", "name": "by-hand", "uid": uid} and deleted[1]["status"] == {"phase": "Failed", "message": "deleted"}, f"{deleted[1]}")
    s.kill()
    s.start()
    again = told(0, last_is_over)
    score.check(gone(again) == want and {line["workflow"]["name"] for line in again if line["type"] != "deleted"} == {"by-age", "last"}, f"after a kill: {gone(again)}")
    score.check(gone(told(deleted[0]["seq"], last_is_over)) == want[1:] and gone(told(deleted[2]["seq"] - 1, last_is_over)) == want[2:], "taken up where one was")
    s.stop()
    s.start(env={"SKIFF_ARCHIVE_TTL": "1ms"})
    rest = told(seqs[-1], lambda lines: len(gone(lines)) == 2)
    score.check(sorted(gone(rest)) == ["by-age", "last"], f"by age: {gone(rest)}")
    s.stop()
    s.close()


def happenings(score, skiff):
    """Kubernetes events, as Argo's controller records them."""
    s = Server(skiff).start()
    live = s.stream(f"{API}/stream/events/default")
    s.wait(s.submit(workflow("true", name="fine")))
    s.wait(s.submit(workflow("exit 3", name="bad")))
    seen = live.until(lambda r: r["reason"] == "WorkflowFailed")
    told = [(r["involvedObject"]["name"], r["type"], r["reason"], r["message"]) for r in seen]
    want = [("fine", "Normal", "WorkflowRunning", "Workflow Running"), ("fine", "Normal", "WorkflowNodeRunning", "Running node fine"),
            ("fine", "Normal", "WorkflowNodeSucceeded", "Succeeded node fine"), ("fine", "Normal", "WorkflowSucceeded", "Workflow completed"),
            ("bad", "Normal", "WorkflowRunning", "Workflow Running"), ("bad", "Normal", "WorkflowNodeRunning", "Running node bad")]
    score.check(sorted(told[:4]) == sorted(want[:4]) and sorted(told[4:6]) == sorted(want[4:]), f"events: {told}")
    score.check(told[-2][:3] == ("bad", "Warning", "WorkflowNodeFailed") and told[-2][3].startswith("Failed node bad: "), f"a failure: {told[-2]}")
    node = next(r for r in seen if r["reason"] == "WorkflowNodeSucceeded")
    score.check(node["metadata"]["annotations"]["workflows.argoproj.io/node-name"] == "fine" and node["involvedObject"]["kind"] == "Workflow", f"{node}")
    live.close()
    again = s.stream(f"{API}/stream/events/default?listOptions.fieldSelector=involvedObject.name%3Dbad")
    later = again.until(lambda r: r["reason"] == "WorkflowFailed")
    score.check([r["metadata"]["name"] for r in later] == [r["metadata"]["name"] for r in seen if r["involvedObject"]["name"] == "bad"],
                "those of one workflow, again under their names")
    again.close()
    s.close()


BINDING = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": {"name": "orders"},
           "spec": {"event": {"selector": 'payload.kind == "order" && discriminator == "shop" && metadata["x-shop"] == ["north"]'},
                    "submit": {"workflowTemplateRef": {"name": "handle"}, "metadata": {"labels": {"order": 'string(payload.id)'}},
                               "arguments": {"parameters": [{"name": "id", "valueFrom": {"event": "payload.id"}},
                                                            {"name": "items", "valueFrom": {"event": "payload.items"}},
                                                            {"name": "who", "valueFrom": {"event": "payload.who"}}]}}}}
BROKEN = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": {"name": "broken"},
          "spec": {"event": {"selector": "payload.kind.x.y > 3"}, "submit": {"workflowTemplateRef": {"name": "handle"}}}}
TEMPLATE = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "handle"},
            "spec": {"entrypoint": "main", "arguments": {"parameters": [{"name": "id"}, {"name": "items"}, {"name": "who"}]},
                     "templates": [{"name": "main", "container": {"image": "busybox", "command": [
                         "echo", "{{workflow.parameters.id}} {{workflow.parameters.items}} {{workflow.parameters.who}}"]}}]}}


def bound(s):
    return s.ask("GET", f"{API}/workflows/default?listOptions.labelSelector=workflows.argoproj.io/workflow-event-binding%3Dorders")[2]["items"] or []


def bindings(score, skiff):
    """Events start workflows, once each, also when the server is killed as soon as it has taken them."""
    s = Server(skiff).start()
    told = s.stream(f"{API}/stream/events/default?listOptions.fieldSelector=involvedObject.name%3Dbroken")
    stored = s.place.run(s.place.file("b.json", "\n---\n".join(json.dumps(d) for d in (TEMPLATE, BINDING, BROKEN))))
    listed = s.ask("GET", f"{API}/workflow-event-bindings/default")[2]
    score.check([b["metadata"]["name"] for b in listed["items"]] == ["broken", "orders"] and listed["kind"] == "WorkflowEventBindingList", f"stored: {listed} {stored.stderr}")
    order = {"kind": "order", "id": 7, "items": ["a", "b"], "who": "me"}
    head = {"X-Shop": "north"}
    for payload, place, headers in ((order, "other", head), (order, "shop", {}), ({"kind": "x"}, "shop", head), ("", "shop", head)):
        got = s.ask("POST", f"{API}/events/default/{place}", payload, headers)
        score.check(got[0] == 500 and got[2]["code"] == 13 and got[2]["message"].startswith("failed to dispatch event: [failed to evaluate the selector: "), f"a binding fails: {got[0]} {got[2]}")
    got = s.ask("POST", f"{API}/events/elsewhere/shop", order, head)
    score.check((got[0], got[2]) == (200, {}), f"no binding is asked: {got[0]} {got[2]}")
    got = s.ask("POST", f"{API}/events/default/shop", "{", head)
    score.check(got[0] == 400, f"not JSON: {got[0]}")
    for depth, want in ((998, 200), (1000, 413)):
        got = s.ask("POST", f"{API}/events/elsewhere/shop", "[" * depth + "]" * depth)
        score.check(got[0] == want, f"what no binding can look at is not taken: {depth} {got[0]} {got[2]}")
    got = s.ask("POST", f"{API}/events/default/shop", order, head)
    score.check(got[0] == 500 and len(bound(s)) == 1, f"one fails, the other one has started its workflow: {got[0]} {got[2]} {bound(s)}")
    event = told.result()
    told.close()
    score.check((event["involvedObject"]["kind"], event["type"], event["reason"]) == ("WorkflowEventBinding", "Warning", "WorkflowEventBindingError") and
                event["message"].startswith("failed to dispatch event: failed to evaluate the selector"), f"a binding that fails: {event}")
    counted = 'skiff_event_binding_errors_total{name="broken",namespace="default"}'
    common.wait_for(lambda: counted in s.ask("GET", "/metrics")[2].decode(), "the count of failures")
    first = common.wait_for(lambda: bound(s), "the workflow of an event")
    wf = s.wait(first[0]["metadata"]["name"])
    score.check(len(first) == 1 and wf["status"]["phase"] == "Succeeded" and wf["metadata"]["labels"]["order"] == "7", f"{wf['metadata']}")
    printed = lines_of(s, wf["metadata"]["name"])
    score.check(printed == ['7 ["a","b"] me'], f"its parameters: {printed}")
    for i in range(1, 9):
        s.ask("POST", f"{API}/events/default/shop", {**order, "id": 100 + i}, head)
        if i % 4 == 0:
            s.kill()
            s.start()
    common.wait_for(lambda: len(bound(s)) >= 9, "the other events")
    s.stop()
    s.start()
    ids = sorted(int(w["metadata"]["labels"]["order"]) for w in bound(s))
    score.check(ids == [7, *range(101, 109)], f"each once: {ids}")
    s.close()


STREAMS = ("/workflows/default/waits/log?logOptions.follow=true", "/workflow-events/default", "/stream/events/default", "/stream/sensors/default")


def streams_end(score, skiff):
    """With their client, with their own time, or with the server; nothing of them is left."""
    s = Server(skiff).start()
    s.submit(workflow(f"echo here; until [ -e {s.place.root}/go ]; do sleep 0.02; done", name="waits"))
    first = s.stream(API + STREAMS[0])
    score.check(first.result()["content"] == "here", "a step at work")
    first.close()
    fds = f"/proc/{s.proc.pid}/fd"
    for method in ("GET", "HEAD"):
        before = len(os.listdir(fds))
        for _ in range(20):
            for target in STREAMS:
                c = s.connect()
                c.request(method, API + target)
                c.getresponse()
                c.close()
        common.wait_for(lambda: len(os.listdir(fds)) <= before, f"descriptors of {method}")
    timed = [s.stream(API + STREAMS[i] + "?listOptions.timeoutSeconds=1") for i in (1, 2, 3)]
    score.check(all(x.rest() is not None for x in timed), "those with a time of their own")
    opened = [s.stream(API + target) for target in STREAMS]
    score.check(s.stop() == 0, f"the server ends: {s.said}")
    for x in opened + timed:
        x.rest()
        x.close()
    s.start()
    s.place.file("go", "")
    score.check(s.wait("waits")["status"]["phase"] == "Succeeded", "and goes on")
    s.stop()
    score.check(not (left := s.place.wait_clean()), f"left behind: {left}")
    s.close()


CASES = (log_framing, log_selector, log_follow, log_followed_by_many, log_slow_reader, watch, watch_fields, watch_resumes, watch_coalesces, deletions, happenings, bindings, streams_end)

if __name__ == "__main__":
    server.sys.exit(server.run_cases(CASES))
