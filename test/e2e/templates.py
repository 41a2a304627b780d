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
    assert "estimatedDuration" not in b.run(text).is_("Succeeded").status
    assert b.run(text).is_("Succeeded").status["estimatedDuration"] in (1, 2)


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
