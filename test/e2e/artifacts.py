"""Keys, modes, logs and the end of artifacts."""
import os

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: art-}
spec:
  entrypoint: main
"""
STEPS = HEAD + """
  templates:
  - name: main
    steps:
    - [{name: make, template: make}]
    - [{name: use, template: use}]
"""


def _contents(b):
    return sum(len(files) for _, _, files in os.walk(os.path.join(b.state, "artifacts")))


def a_key_may_end_in_a_slash_and_name_a_part(b):
    b.run(STEPS + """
  - name: make
    container: {image: busybox, command: [sh, -c, 'mkdir /tmp/o; echo one > /tmp/o/a; mkdir /tmp/o/d; echo two > /tmp/o/d/b']}
    outputs: {artifacts: [{name: o, path: /tmp/o, archive: {none: {}}, s3: {key: "{{workflow.name}}/parts/"}}]}
  - name: use
    inputs:
      artifacts:
      - {name: a, path: /tmp/a, s3: {key: "{{workflow.name}}/parts/a"}}
      - {name: b, path: /tmp/b, s3: {key: "{{workflow.name}}/parts"}, subPath: d/b}
      - {name: d, path: /tmp/d, s3: {key: "{{workflow.name}}/parts/d/"}}
    container: {image: busybox, command: [sh, -c, 'test "$(cat /tmp/a /tmp/b /tmp/d/b | tr -d "\\n")" = onetwotwo']}
""").is_("Succeeded")


def a_key_may_be_the_beginning_of_several(b):
    b.run(HEAD + """
  templates:
  - name: main
    steps:
    - [{name: make, template: make, withItems: [v, w], arguments: {parameters: [{name: p, value: "{{item}}"}]}}]
    - [{name: use, template: use}]
  - name: make
    inputs: {parameters: [{name: p}]}
    container: {image: busybox, command: [sh, -c, 'echo {{inputs.parameters.p}} > /tmp/o']}
    outputs: {artifacts: [{name: o, path: /tmp/o, archive: {none: {}}, s3: {key: "{{workflow.name}}/all/{{inputs.parameters.p}}.txt"}}]}
  - name: use
    inputs: {artifacts: [{name: all, path: /tmp/all, s3: {key: "{{workflow.name}}/all"}}, {name: no, path: /tmp/no, optional: true, s3: {key: nothing}}]}
    container: {image: busybox, command: [sh, -c, 'test "$(ls /tmp/all | tr "\\n" " ")" = "v.txt w.txt " && test "$(cat /tmp/all/w.txt)" = w && test ! -e /tmp/no']}
""").is_("Succeeded")


def modes_are_set_on_a_copy(b):
    b.run(STEPS + """
  - name: make
    container: {image: busybox, command: [sh, -c, 'mkdir /tmp/o; echo "echo ran" > /tmp/o/a']}
    outputs: {artifacts: [{name: o, path: /tmp/o, s3: {key: "{{workflow.name}}/o"}}]}
  - name: use
    inputs:
      artifacts:
      - {name: a, path: /tmp/a, mode: 0755, s3: {key: "{{workflow.name}}/o/a"}}
      - {name: o, path: /tmp/o, mode: 0700, recurseMode: true, s3: {key: "{{workflow.name}}/o"}}
    container: {image: busybox, command: [sh, -c, 'test "$(/tmp/a)" = ran && test $(stat -c %a /tmp/o/a) = 700 && echo more >> /tmp/o/a']}
""").is_("Succeeded")


def what_a_step_had_of_its_inputs_goes_with_it(b):
    b.run(STEPS + """
  - name: make
    container: {image: busybox, command: [sh, -c, 'mkdir -p /tmp/o/sub; echo 1 > /tmp/o/sub/a; head -c 3000000 /dev/zero > /tmp/o/big']}
    outputs: {artifacts: [{name: o, path: /tmp/o, s3: {key: "{{workflow.name}}/o"}}]}
  - name: use
    inputs:
      artifacts:
      - {name: o, path: /tmp/o, s3: {key: "{{workflow.name}}/o"}}
      - {name: big, path: /tmp/big, s3: {key: "{{workflow.name}}/o/big"}}
    container: {image: busybox, command: [sh, -ec, 'cd /tmp/o; rm -r sub; mkdir sub; chmod 0 sub; echo x >> big; echo x >> /tmp/big']}
    outputs: {artifacts: [{name: big, path: /tmp/big}]}
""").is_("Succeeded")
    left = [os.path.join(d, f) for d, _, files in os.walk(os.path.join(b.state, "work")) for f in files]
    assert os.listdir(os.path.join(b.state, "work")) == [], left


def logs_are_archived_where_it_is_said(b):
    w = b.run(HEAD + """
  archiveLogs: true
  templates:
  - name: main
    steps: [[{name: a, template: say}, {name: b, template: quiet}]]
  - {name: say, container: {image: busybox, command: [echo, spoken]}}
  - {name: quiet, archiveLocation: {archiveLogs: false}, container: {image: busybox, command: [echo, x]}}
""").is_("Succeeded")
    (log,) = w.node("[0].a")["outputs"]["artifacts"]
    assert log["name"] == "main-logs" and log["s3"]["key"].endswith("/main.log"), log
    assert "artifacts" not in w.node("[0].b").get("outputs", {})
    b.run(HEAD + """
  templates:
  - name: main
    inputs: {artifacts: [{name: log, path: /tmp/log, s3: {key: "%s"}}]}
    container: {image: busybox, command: [sh, -c, 'test "$(cat /tmp/log)" = spoken']}
""" % log["s3"]["key"]).is_("Succeeded")


def keys_follow_the_configured_format(b):
    w = b.run("""
apiVersion: v1
kind: ConfigMap
metadata: {name: artifact-repositories, annotations: {workflows.argoproj.io/default-artifact-repository: mine}}
data:
  mine: |
    archiveLogs: true
    s3: {bucket: any, keyFormat: "all/{{workflow.name}}/{{inputs.parameters.p}}"}
---""" + HEAD + """
  templates:
  - name: main
    inputs: {parameters: [{name: p, value: q}]}
    container: {image: busybox, command: [touch, /tmp/o]}
    outputs: {artifacts: [{name: o, path: /tmp/o}, {name: n, path: /tmp/o, archive: {none: {}}}]}
""".replace(", {name: n, path: /tmp/o, archive: {none: {}}}", "")).is_("Succeeded")
    name = w.workflow["metadata"]["name"]
    keys = [a["s3"]["key"] for a in w.node("wf")["outputs"]["artifacts"]]
    assert keys == ["all/%s/q/o.tgz" % name, "all/%s/q/main.log" % name], keys


def artifacts_go_when_their_gc_says(b):
    w = b.run(HEAD + """
  artifactGC: {strategy: OnWorkflowDeletion}
  templates:
  - name: main
    container: {image: busybox, command: [touch, /tmp/a, /tmp/b, /tmp/c]}
    outputs:
      artifacts:
      - {name: a, path: /tmp/a, artifactGC: {strategy: OnWorkflowCompletion}}
      - {name: b, path: /tmp/b}
      - {name: c, path: /tmp/c, artifactGC: {strategy: Never}}
""").is_("Succeeded")
    assert _contents(b) == 2, _contents(b)
    assert b.call("delete", w.workflow["metadata"]["name"]).returncode == 0
    assert _contents(b) == 1


def finished_runs_go_after_their_time(b):
    name = b.run(HEAD + """
  ttlStrategy: {secondsAfterCompletion: 100, secondsAfterSuccess: 0}
  templates: [{name: main, container: {image: busybox, command: [echo, x]}}]
""").is_("Succeeded").workflow["metadata"]["name"]
    b.run(HEAD + """
  ttlStrategy: {secondsAfterCompletion: 100}
  templates: [{name: main, container: {image: busybox, command: [echo, x]}}]
""").is_("Succeeded")
    names = b.call("list", "-o", "name").stdout
    assert name not in names and names.count("art-") == 1, names


def directories_of_steps_go_by_pod_gc(b):
    text = HEAD + """
  podGC: {strategy: OnPodSuccess, deleteDelayDuration: 0s, labelSelector: {matchLabels: {go: "yes"}}}
  templates:
  - name: main
    steps: [[{name: a, template: a}, {name: b, template: b}]]
  - {name: a, metadata: {labels: {go: "yes"}}, container: {image: busybox, command: [echo, gone]}}
  - {name: b, container: {image: busybox, command: [echo, kept]}}
"""
    b.run(text).is_("Succeeded")
    b.run(HEAD + "  templates: [{name: main, container: {image: busybox}}]\n").is_("Succeeded")  # what is due is done at the latest now
    assert len(os.listdir(os.path.join(b.state, "steps"))) <= 3, os.listdir(os.path.join(b.state, "steps"))


def what_pod_gc_cannot_select_stays(b):
    """A selector that is none is refused; where labels cannot be made, the engine goes on."""
    text = HEAD + """
  podGC: {strategy: OnPodCompletion, deleteDelayDuration: 0s, labelSelector: {matchExpressions: [{key: a, operator: %s}]}}
  podMetadata: {labels: {x: "%s"}}
  templates: [{name: main, container: {image: busybox, command: [echo, kept]}}]
"""
    refused = b.call("run", b.file(text % ("In", "y")))
    assert refused.returncode == 3 and "wf.yaml:8:" in refused.stderr and "operator In needs values" in refused.stderr, refused.stderr
    b.run(text % ("DoesNotExist", "{{=1+}}")).is_("Error")
    b.run(HEAD + "  templates: [{name: main, container: {image: busybox}}]\n").is_("Succeeded")


def containers_of_a_set_go_by_pod_gc(b):
    b.run(HEAD + """
  podGC: {strategy: OnWorkflowCompletion, deleteDelayDuration: 0s}
  templates:
  - name: main
    containerSet: {containers: [{name: a, image: busybox, command: [echo, a]}, {name: b, image: busybox, command: [echo, b], dependencies: [a]}]}
""").is_("Succeeded")
    b.run(HEAD + "  templates: [{name: main, container: {image: busybox, command: [echo, kept]}}]\n").is_("Succeeded")
    left = [d for d in os.listdir(os.path.join(b.state, "steps")) if os.path.isdir(os.path.join(b.state, "steps", d))]
    assert len(left) == 1, left


def claims_of_a_run_go_with_it(b):
    text = HEAD + """
  volumeClaimTemplates: [{metadata: {name: work}, spec: {}}]
  %s
  templates: [{name: main, container: {image: busybox, command: [sh, -c, 'touch /w/x; exit %d'], volumeMounts: [{name: work, mountPath: /w}]}}]
"""
    volumes = os.path.join(b.state, "volumes/default")
    b.run(text % ("", 0)).is_("Succeeded")
    assert os.listdir(volumes) == []
    b.run(text % ("", 1)).is_("Failed")
    assert len(os.listdir(volumes)) == 1
    b.run(text % ("volumeClaimGC: {strategy: OnWorkflowCompletion}", 1)).is_("Failed")
    assert len(os.listdir(volumes)) == 1
