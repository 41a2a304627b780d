"""Custom metrics."""

TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: metrics-}
spec:
  entrypoint: main
  metrics:
    prometheus:
    - {name: runs, help: Runs, labels: [{key: phase, value: "{{workflow.status}}"}], counter: {value: "1"}}
    - {name: run_time, help: Time, gauge: {realtime: true, value: "{{workflow.duration}}"}}
  templates:
  - name: main
    steps:
    - - {name: a, template: work, arguments: {parameters: [{name: p, value: "3"}]}}
      - {name: b, template: work, arguments: {parameters: [{name: p, value: "8"}]}}
  - name: work
    inputs: {parameters: [{name: p}]}
    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/o}}]}
    metrics:
      prometheus:
      - {name: results, help: Results, labels: [{key: name, value: "p{{inputs.parameters.p}}"}, {key: status, value: "{{status}}"}], counter: {value: "{{outputs.parameters.o}}"}}
      - {name: sizes, help: Sizes, histogram: {value: "{{inputs.parameters.p}}", buckets: [1, 5]}}
      - {name: never, help: Never, when: "{{status}} == Failed", counter: {value: "1"}}
      - {name: codes, help: Codes, gauge: {operation: Add, value: "{{exitCode}}"}}
    container: {image: busybox, command: [sh, -c, 'echo {{inputs.parameters.p}} > /tmp/o']}
"""


def they_are_counted_over_all_runs(b):
    assert b.call("metrics").stdout == ""
    for _ in range(2):
        b.run(TEXT).is_("Succeeded")
    text = b.call("metrics").stdout
    for line in ('argo_workflows_results{name="p3",status="Succeeded"} 6', 'argo_workflows_results{name="p8",status="Succeeded"} 16',
                 'argo_workflows_runs{phase="Succeeded"} 2', 'argo_workflows_sizes_bucket{le="1"} 0', 'argo_workflows_sizes_bucket{le="5"} 2',
                 'argo_workflows_sizes_bucket{le="+Inf"} 4', 'argo_workflows_sizes_sum 22', 'argo_workflows_codes 0',
                 '# TYPE argo_workflows_run_time gauge'):
        assert line + "\n" in text, (line, text)
    assert "never" not in text


def a_wrong_one_is_a_condition_and_no_error(b):
    w = b.run(TEXT.replace("{{exitCode}}", "{{nothing}}")).is_("Succeeded")
    bad = [c for c in w.status["conditions"] if c["type"] == "MetricsError"]
    assert bad and "codes" in bad[0]["message"], w.status["conditions"]
