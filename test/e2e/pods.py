"""The other containers of a pod: init containers and sidecars, as processes of their own."""
import os

import run

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: pod-}
spec:
  entrypoint: main
  volumes: [{name: work, emptyDir: {}}]
  templates:
  - name: main
"""
MAIN = "    container: {image: busybox, command: [sh, -c, '%s'], volumeMounts: [{name: work, mountPath: /work}]}\n"
FOR_EVER = "while :; do sleep 0.05; done"


def _nothing_is_left(b):
    pods = os.path.join(b.state, "pods")
    run.same(os.listdir(pods) if os.path.exists(pods) else [], [], "directories of pods")


def init_containers_run_one_after_the_other_before_main(b):
    w = b.run(HEAD + """
    inputs: {artifacts: [{name: own, path: /tmp/own, raw: {data: mine}}]}
    outputs: {parameters: [{name: out, valueFrom: {path: /work/x}}]}
    initContainers:
    - {name: a, image: busybox, command: [sh, -c, 'cat /tmp/own > /work/x && echo $ARGO_CONTAINER_NAME'], mirrorVolumeMounts: true}
    - {name: b, image: busybox, command: [sh, -c, 'test ! -e /tmp/own && echo " $WHO" >> /w/x'], env: [{name: WHO, value: two}],
       volumeMounts: [{name: work, mountPath: /w}]}
""" + MAIN % "echo three >> /work/x").is_("Succeeded")
    run.same(w.output("wf", "out"), "mine two\nthree")
    run.same(len(w.nodes), 1, "nodes")
    run.same(b.logs("-c", "a").split(": ")[1], "a\n", "log of a")
    run.same(b.logs(), "", "log of main")
    _nothing_is_left(b)


def a_failed_init_container_fails_the_pod(b):
    w = b.run(HEAD + """
    initContainers:
    - {name: a, image: busybox, command: [sh, -c, 'exit 3']}
    - {name: b, image: busybox, command: [echo, never]}
""" + MAIN % "echo never").is_("Failed")
    run.same(w.node("wf", "Failed")["message"], "a: Error (exit code 3)")
    run.same(b.logs("-c", "b") + b.logs(), "", "what never ran printed")
    _nothing_is_left(b)


def a_sidecar_runs_beside_main_and_is_told_to_end(b):
    w = b.run(HEAD + MAIN % "until test -e /work/up; do sleep 0.01; done; echo main" + """
    sidecars:
    - {name: s, image: busybox, command: [sh, -c, 'trap "echo told; exit 0" TERM; echo up > /work/up; %s'], mirrorVolumeMounts: true}
    - {name: t, image: busybox, command: [sleep, '100']}
""" % FOR_EVER, "--parallel", "1").is_("Succeeded")
    assert "told" in b.logs("-c", "s"), b.logs("-c", "s")
    assert "main" in b.logs(), b.logs()
    run.same(w.node("wf")["outputs"]["exitCode"], "0")
    _nothing_is_left(b)


def a_sidecar_that_does_not_listen_is_killed(b):
    b.run(HEAD + MAIN % "until test -e /work/up; do sleep 0.01; done" + """
    podSpecPatch: 'terminationGracePeriodSeconds: 1'
    sidecars: [{name: s, image: busybox, command: [sh, -c, 'trap "" TERM; echo up > /work/up; %s'], mirrorVolumeMounts: true}]
""" % FOR_EVER).is_("Succeeded")


def a_sidecar_that_ends_badly_fails_the_pod(b):
    w = b.run(HEAD + MAIN % "until test -e /work/up; do sleep 0.01; done; sleep 0.2" + """
    sidecars: [{name: s, image: busybox, command: [sh, -c, 'echo up > /work/up; exit 4'], mirrorVolumeMounts: true}]
""").is_("Failed")
    run.same(w.node("wf")["message"], "s: Error (exit code 4)")


def an_engine_that_is_killed_goes_on_with_sidecars(b):
    p = b.start(HEAD + """
    outputs: {parameters: [{name: out, valueFrom: {path: /work/x}}]}
    initContainers: [{name: a, image: busybox, command: [sh, -c, 'echo init > /work/x'], mirrorVolumeMounts: true}]
    sidecars: [{name: s, image: busybox, command: [sh, -c, 'echo side >> /work/x; %s'], mirrorVolumeMounts: true}]
""" % FOR_EVER + MAIN % "until test -e /work/go; do sleep 0.01; test $((i=i+1)) -lt 150 || break; done; echo main >> /work/x")
    b.wait_for(lambda w: w.nodes.get("wf", {}).get("phase") == "Running")
    p.kill()
    p.wait()
    name = b.get().workflow["metadata"]["name"]
    run.same(b.call("run", "--resume", name).returncode, 0)
    run.same(b.get().is_("Succeeded").output("wf", "out"), "init\nside\nmain")
    _nothing_is_left(b)
