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


BESIDE = SET.replace("    volumes: [{name: work, emptyDir: {}}]\n", """    volumes: [{name: work, emptyDir: {}}]
    initContainers:
    - {name: first, image: busybox, command: [sh, -c, '%s'], mirrorVolumeMounts: true}
    sidecars:
    - {name: beside, image: busybox, command: [sh, -c, '%s'], mirrorVolumeMounts: true}
""")
CONTAINERS = """
      containers:
      - {name: a, image: busybox, command: [sh, -c, '%s']}
      - {name: main, image: busybox, command: [sh, -c, 'cat /work/x > /tmp/out'], dependencies: [a]}
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}, {name: work, valueFrom: {path: /work/x}}]}
"""
FOR_EVER = "while :; do sleep 0.05; done"


def init_containers_come_before_a_set_and_sidecars_end_with_it(b):
    w = b.run(BESIDE % ("echo first > /work/x; echo said by first", 'trap "echo told; exit 0" TERM; touch /work/up; ' + FOR_EVER) +
              CONTAINERS % "until [ -e /work/up ]; do sleep 0.02; done; echo a >> /work/x").is_("Succeeded")
    assert w.output("wf", "out") == w.output("wf", "work") == "first\na", w.node("wf")
    assert sorted(w.nodes) == [".a", ".main", "wf"]
    assert "said by first" in b.logs("-c", "first") and "told" in b.logs("-c", "beside")
    assert not os.path.exists(os.path.join(b.state, "pods")) or not os.listdir(os.path.join(b.state, "pods"))


def a_failed_init_container_fails_the_set(b):
    w = b.run(BESIDE % ("exit 4", "true") + CONTAINERS % "true").is_("Failed")
    w.node("wf", "Failed", "first: Error (exit code 4)")
    w.node(".a", "Failed", "first: Error (exit code 4)")


def a_sidecar_of_a_set_that_ends_badly_fails_it(b):
    w = b.run(BESIDE % ("echo > /work/x", "touch /work/over; exit 5") + CONTAINERS % "until [ -e /work/over ]; do sleep 0.02; done; sleep 0.1")
    w.is_("Failed").node("wf", "Failed", "beside: Error (exit code 5)")
    w.node(".main", "Succeeded")


def a_stop_ends_everything_of_a_set(b):
    p = b.start(BESIDE % ("true", FOR_EVER) + CONTAINERS % FOR_EVER)
    b.wait_for(lambda w: w.nodes.get(".a", {}).get("phase") == "Running")
    b.call("terminate", "@latest")
    p.wait(timeout=30)
    w = b.get().is_("Failed")
    w.node(".a", "Failed")
    w.node(".main", "Failed")


def an_engine_that_is_killed_goes_on_with_all_containers_of_a_set(b):
    p = b.start(BESIDE % ("echo begun > /work/x; sleep 0.7", FOR_EVER) + CONTAINERS % "sleep 0.7; echo a >> /work/x")
    b.wait_for(lambda w: w.nodes.get(".a"))
    p.kill()
    p.wait()
    p = b.resume(b.get().workflow["metadata"]["name"])
    b.wait_for(lambda w: w.nodes[".a"]["phase"] == "Running")
    p.kill()
    p.wait()
    b.call("run", "--resume", b.get().workflow["metadata"]["name"])
    w = b.get().is_("Succeeded")
    assert w.output("wf", "out") == w.output("wf", "work") == "begun\na"


def a_patch_adds_containers_to_a_pod(b):
    w = b.run("""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: patch-}
spec:
  entrypoint: main
  volumes: [{name: work, emptyDir: {}}]
  podSpecPatch: |
    initContainers:
    - {name: first, image: busybox, command: [sh, -c, 'echo first > /work/x'], volumeMounts: [{name: work, mountPath: /work}]}
  templates:
  - name: main
    podSpecPatch: '{"containers": [{"name": "beside", "image": "busybox", "command": ["sh", "-c", "touch /work/up; %s"], "volumeMounts": [{"name": "work", "mountPath": "/work"}]}]}'
    container: {image: busybox, command: [sh, -c, 'until [ -e /work/up ]; do sleep 0.02; done; cat /work/x'], volumeMounts: [{name: work, mountPath: /work}]}
""" % FOR_EVER).is_("Succeeded")
    assert len(w.nodes) == 1
    assert b.logs("-c", "main").endswith("first\n"), b.logs("-c", "main")


def a_set_may_be_a_daemon(b):
    w = b.run(SET.replace("  - name: main\n", """  - name: main
    steps: [[{name: d, template: set}], [{name: work, template: work}]]
  - {name: work, container: {image: busybox, command: [sh, -c, 'test -e /here/up'], volumeMounts: [{name: here, mountPath: /here}]}}
  - name: set
    daemon: true
    sidecars: [{name: beside, image: busybox, command: [sh, -c, '%s'], readinessProbe: {exec: {command: [test, -e, /work/b]}, periodSeconds: 1}, mirrorVolumeMounts: true}]
""" % FOR_EVER).replace("spec:\n", "spec:\n  volumes: [{name: here, hostPath: {path: %s}}]\n" % b.directory) + """
      containers:
      - {name: a, image: busybox, command: [sh, -c, 'sleep 0.5; touch /here/up; %s'], volumeMounts: [{name: here, mountPath: /here}],
         readinessProbe: {exec: {command: [test, -e, /here/up]}, periodSeconds: 1}}
      - {name: b, image: busybox, command: [sh, -c, 'touch /work/b; %s']}
""" % (FOR_EVER, FOR_EVER)).is_("Succeeded")
    w.node("[0].d", "Succeeded")
    w.node("[0].d.a", "Succeeded")
