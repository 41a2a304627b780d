"""What a workflow says about itself and its pods."""

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: meta-}
"""


def labels_are_computed_and_kept(b):
    w = b.run(HEAD + """
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: you}]}
  workflowMetadata: {labelsFrom: {who: {expression: workflow.parameters.who}}, annotations: {note: "for {{workflow.parameters.who}}"}}
  podMetadata: {labels: {of: all}}
  templates:
  - name: main
    metadata: {labels: {own: mine}}
    container:
      image: busybox
      command: [sh, -c, 'echo "$OF $OWN {{workflow.labels.who}}"']
      env: [{name: OF, valueFrom: {fieldRef: {fieldPath: "metadata.labels['of']"}}}, {name: OWN, valueFrom: {fieldRef: {fieldPath: "metadata.labels['own']"}}}]
""").is_("Succeeded")
    assert w.workflow["metadata"]["labels"]["who"] == "you"
    assert w.workflow["metadata"]["annotations"]["note"] == "for you"
    assert "all mine you" in b.logs()


def a_label_that_is_not_valid_is_an_error_of_the_workflow(b):
    w = b.run(HEAD + """
spec:
  entrypoint: main
  workflowMetadata: {labelsFrom: {bad: {expression: "'no good'"}}}
  templates: [{name: main, container: {image: busybox, command: ["true"]}}]
""").is_("Error")
    assert "invalid label value" in w.status["message"]


def a_patch_changes_what_runs(b):
    b.run(HEAD + """
spec:
  entrypoint: main
  podSpecPatch: '{"containers": [{"name": "main", "env": [{"name": "X", "value": "{{workflow.name}}"}]}]}'
  templates:
  - name: main
    podSpecPatch: |
      containers:
      - {name: main, args: [-c, 'test "$X" = {{workflow.name}}']}
    container: {image: busybox, command: [sh], args: [-c, 'exit 1']}
""").is_("Succeeded")
