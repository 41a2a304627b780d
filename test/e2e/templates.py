"""Templates of other documents."""


TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - {name: say, container: {image: busybox, command: [sh, -c, 'echo %s; sleep %s']}}
"""
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: uses-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - [{name: a, templateRef: {name: lib, template: say}}]
    - [{name: b, templateRef: {name: lib, template: say}}]
"""


def the_time_of_an_earlier_run_is_the_estimate(b):
    text = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: slow}
spec: {entrypoint: main, templates: [{name: main, container: {image: busybox, command: [sleep, "1.2"]}}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: uses-}
spec: {workflowTemplateRef: {name: slow}}
"""
    w = b.run(text).is_("Succeeded")
    assert "estimatedDuration" not in w.status and "estimatedDuration" not in w.node("wf")
    w = b.run(text).is_("Succeeded")
    assert w.status["estimatedDuration"] in (1, 2)
    assert w.node("wf")["estimatedDuration"] in (1, 2)


def an_engine_that_comes_later_knows_the_estimates(b):
    text = TEMPLATE % ("x", "1.1; test ! -e /mnt/here/wait || until [ -e /mnt/here/go ]; do sleep 0.02; done") + "---" + WORKFLOW
    text = text.replace("spec:\n  entrypoint", "spec:\n  volumes: [{name: here, hostPath: {path: %s}}]\n  entrypoint" % b.directory)
    text = text.replace("container: {", "container: {volumeMounts: [{name: here, mountPath: /mnt/here}], ")
    text = text.replace("metadata: {generateName: uses-}", "metadata: {generateName: uses-, labels: {workflows.argoproj.io/workflow-template: lib}}")
    b.run(text).is_("Succeeded")
    b.file("", "wait")
    p = b.start(text)
    b.wait_for(lambda w: w.nodes.get("[0].a", {}).get("phase") == "Running")
    p.kill()
    p.wait()
    b.file("", "go")
    b.call("run", "--resume", b.get().workflow["metadata"]["name"])
    assert b.get().is_("Succeeded").node("[1].b")["estimatedDuration"] in (1, 2)


def a_pod_counts_what_it_asked_for(b):
    w = b.run("""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: counts-}
spec:
  entrypoint: main
  podSpecPatch: '{"containers": [{"name": "main", "resources": {"limits": {"cpu": "10"}}}]}'
  templates: [{name: main, container: {image: busybox, command: [sleep, "1.2"], resources: {requests: {memory: 1000Mi}}}}]
""").is_("Succeeded")
    used = w.node("wf")["resourcesDuration"]
    assert used["cpu"] == used["memory"] and used["cpu"] in (10, 20), used
    assert w.status["resourcesDuration"] == used
    assert "10" in b.call("get", "@latest").stdout.split("ResourcesDuration:")[1] or used["cpu"] == 20


def a_run_keeps_the_template_that_it_began_with(b):
    p = b.start(TEMPLATE % ("first", 1) + "---" + WORKFLOW)
    name = b.wait_for(lambda w: w.nodes.get("[0].a", {}).get("phase") == "Running").workflow["metadata"]["name"]
    p.kill()
    p.wait()
    b.run(TEMPLATE % ("second", 0) + "---" + WORKFLOW).is_("Succeeded")
    b.call("run", "--resume", name)
    for node in ("a", "b"):
        log = b.call("logs", name, "--no-color").stdout
    assert log.count("first") == 2 and "second" not in log, log
