"""Container sets: containers as processes of their own that share the set's volumes."""
import os

SET = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: set-}
spec:
  entrypoint: main
  templates:
  - name: main
    volumes: [{name: work, emptyDir: {}}]
    containerSet:
      volumeMounts: [{name: work, mountPath: /work}]
"""


def containers_share_the_volumes_of_the_set_and_nothing_else(b):
    w = b.run(SET + """
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'echo one > /work/x; echo hidden > /tmp/x; echo $ARGO_CONTAINER_NAME']}
      - {name: b, image: busybox, command: [sh, -c, 'cat /work/x; test ! -e /tmp/x && echo two >> /work/x'], dependencies: [a]}
      - {name: main, image: busybox, command: [sh, -c, 'cat /work/x > /tmp/out'], dependencies: [b]}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}, {name: work, valueFrom: {path: /work/x}}], artifacts: [{name: dir, path: /work}]}
""").is_("Succeeded")
    assert w.output("wf", "out") == "one\ntwo", w.output("wf", "out")
    assert w.output("wf", "work") == "one\ntwo"
    assert w.node("wf")["outputs"]["exitCode"] == "0"
    assert [a["name"] for a in w.node("wf")["outputs"]["artifacts"]] == ["dir"]
    for name in (".a", ".b", ".main"):
        assert w.node(name, "Succeeded")["type"] == "Container"
    assert w.status["progress"] == "4/4"
    name = w.workflow["metadata"]["name"]
    assert "%s: a\n" % name in b.logs(), b.logs()
    assert "a" in b.logs("-c", "a") and b.logs("-c", "main") == ""
    assert not os.path.exists(os.path.join(b.state, "pods")) or not os.listdir(os.path.join(b.state, "pods"))


def a_failure_breaks_what_depends_on_it(b):
    w = b.run(SET + """
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'exit 3']}
      - {name: b, image: busybox, command: ['true'], dependencies: [a]}
""").is_("Failed")
    w.node("wf", "Failed", "a: Error (exit code 3)")
    w.node(".b", "Error", 'dependency "a" exited with non-zero code: 3')


def a_container_is_tried_again_in_the_same_pod(b):
    w = b.run(SET + """
      retryStrategy: {retries: 3}
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'echo x >> /work/n; test $(wc -l < /work/n) = 3']}
""").is_("Succeeded")
    w.node(".a", "Succeeded")


def input_artifacts_are_mains_or_in_a_common_mount(b):
    b.run(SET.replace("    volumes:", """    inputs: {artifacts: [{name: own, path: /tmp/own, raw: {data: mine}}, {name: all, path: /work/all, raw: {data: ours}}]}
    volumes:""") + """
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'test ! -e /tmp/own && test "$(cat /work/all)" = ours']}
      - {name: main, image: busybox, command: [sh, -c, 'test "$(cat /tmp/own)" = mine && test "$(cat /work/all)" = ours'], dependencies: [a]}
""").is_("Succeeded")


def an_engine_that_is_killed_goes_on_with_the_containers(b):
    p = b.start(SET + """
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'echo begun > /work/a; sleep 1; echo ended >> /work/a']}
      - {name: main, image: busybox, command: [sh, -c, 'cat /work/a > /tmp/out'], dependencies: [a]}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
""")
    b.wait_for(lambda w: w.nodes.get(".a", {}).get("phase") == "Running")
    p.kill()
    p.wait()
    name = b.get().workflow["metadata"]["name"]
    assert b.call("run", "--resume", name).returncode == 0
    w = b.get().is_("Succeeded")
    assert w.output("wf", "out") == "begun\nended"
