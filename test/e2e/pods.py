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
STAY = "sleep 1000 & wait"  # dash may lose a signal that comes while it starts a command in the foreground


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


def init_containers_that_go_on_begin_in_order_and_end_last_first(b):
    say = "trap \"echo %s ends >> /work/order; exit 7\" TERM; echo %s begins >> /work/order; : > /work/%s; %s"
    one = "    - {name: %s, image: busybox, restartPolicy: Always, command: [sh, -c, '" + say + "'], volumeMounts: [{name: work, mountPath: /work}]%s}\n"
    probe = ", startupProbe: {exec: {command: [test, -e, /work/%s]}, periodSeconds: 1}"
    w = b.run(HEAD + "    initContainers:\n" + one % ("a", "a", "a", "a", STAY, probe % "a") +
              "    - {name: between, image: busybox, command: [sh, -c, 'echo between >> /work/order'], volumeMounts: [{name: work, mountPath: /work}]}\n" +
              one % ("b", "b", "b", "b", STAY, probe % "b") + """
    sidecars: [{name: s, image: busybox, command: [sh, -c, 'trap "echo s ends >> /work/order; exit 0" TERM; : > /work/side; %s'], mirrorVolumeMounts: true}]
    outputs: {parameters: [{name: out, valueFrom: {path: /work/x}}]}
""" % STAY + MAIN.replace("/work}]}", "/work}]}\n    volumes: [{name: work, hostPath: {path: %s, type: Directory}}]") %
              ("until test -e /work/side; do sleep 0.01; done; echo main >> /work/order; echo y > /work/x", b.directory), "--parallel", "1").is_("Succeeded")
    run.same(open(b.directory + "/order").read().splitlines(), ["a begins", "between", "b begins", "main", "s ends", "b ends", "a ends"])
    run.same(w.output("wf", "out"), "y")
    _nothing_is_left(b)


def an_engine_that_is_killed_goes_on_with_those_that_go_on(b):
    p = b.start(HEAD + """
    initContainers:
    - {name: a, image: busybox, restartPolicy: Always, command: [sh, -c, 'echo a >> /work/x; %s'], mirrorVolumeMounts: true}
    - {name: b, image: busybox, command: [sh, -c, 'until test -e /work/x; do sleep 0.01; done; touch /work/up; until test -e /work/go; do sleep 0.01; done'], mirrorVolumeMounts: true}
    outputs: {parameters: [{name: out, valueFrom: {path: /work/x}}]}
""" % STAY + MAIN % "echo main >> /work/x")
    work = run.until(lambda: [d for d, _, files in os.walk(os.path.join(b.state, "pods")) if "up" in files])[0]
    p.kill()
    p.wait()
    open(os.path.join(work, "go"), "w").close()
    run.same(b.call("run", "--resume", b.get().workflow["metadata"]["name"]).returncode, 0)
    run.same(b.get().is_("Succeeded").output("wf", "out"), "a\nmain")
    _nothing_is_left(b)


def hooks_run_after_the_start_and_before_the_end(b):
    hooks = "lifecycle: {postStart: {exec: {command: [sh, -c, 'echo start $WHO >> /work/order']}}, preStop: {exec: {command: [sh, -c, '%s']}}}"
    side = "{name: s, image: busybox, env: [{name: WHO, value: s}], command: [sh, -c, 'trap \"echo told >> /work/order; exit 0\" TERM; %s'], mirrorVolumeMounts: true, %s}"
    head = HEAD.replace("emptyDir: {}", "hostPath: {path: %s}" % b.directory)
    order = b.directory + "/order"
    main = MAIN % "until test -s /work/order; do sleep 0.01; done; echo main >> /work/order"
    b.run(head + main + "    sidecars: [" + side % (STAY, hooks % "echo stop $WHO >> /work/order") + "]\n").is_("Succeeded")
    run.same(open(order).read().splitlines(), ["start s", "main", "stop s", "told"])
    os.remove(order)
    # a hook that hangs takes what there is of the grace period; a container whose postStart fails is ended
    w = b.run(head + main + "    podSpecPatch: 'terminationGracePeriodSeconds: 1'\n    sidecars: [" + side % (STAY, hooks % "exec sleep 100") + "]\n").is_("Succeeded")
    run.same(open(order).read().splitlines(), ["start s", "main", "told"])
    w = b.run(head + (MAIN % "exec sleep 100").replace("image: busybox,", "image: busybox, lifecycle: {postStart: {exec: {command: ['false']}}},")).is_("Failed")
    assert "its lifecycle.postStart failed" in w.node("wf")["message"], w.node("wf")["message"]


def rights_are_what_the_pod_says(b):
    main = "    container: {image: busybox, securityContext: {%s}, command: [sh, -ec, '%s'], volumeMounts: [{name: work, mountPath: /work}]}\n"
    for tier in ("overlay", "ro"):
        b.run(HEAD + main % ("readOnlyRootFilesystem: true", "! touch /x; ! touch /etc/x; touch /work/x /dev/shm/x; echo 1/2 > /var/run/argo/progress"),
              "--runtime", tier).is_("Succeeded")
    b.run(HEAD + main % ("readOnlyRootFilesystem: true", "! touch /tmp/x"), "--runtime", "overlay").is_("Succeeded")
    if os.geteuid() != 0:
        return  # a user has one group and no volume that is another's
    w = b.run(HEAD + main % ("runAsNonRoot: true", "true")).is_("Error")
    assert "runAsNonRoot" in w.status["message"], w.status["message"]
    b.run(HEAD + "    securityContext: {runAsUser: 1234, runAsGroup: 1235, supplementalGroups: [1236], fsGroup: 1237}\n" +
          main % ("runAsNonRoot: true", "test \"$(id -u) $(id -G)\" = \"1234 1235 1236 1237\"; test \"$(stat -c \"%g %a\" /work)\" = \"1237 2777\"; "
                  "touch /work/x; test $(stat -c %g /work/x) = 1237")).is_("Succeeded")


def volumes_of_a_pod_are_its_own(b):
    """A generic ephemeral volume, and what a container may use as a file."""
    w = b.run(HEAD.replace("emptyDir: {}", "ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}") + """
    volumes:
    - {name: facts, downwardAPI: {items: [{path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu}},
        {path: sub/memory, resourceFieldRef: {containerName: a, resource: requests.memory, divisor: 1Mi}}]}}
    initContainers: [{name: a, image: busybox, command: [sh, -c, 'test -z "$(ls -A /work)"; echo a > /work/x'], resources: {requests: {memory: 3Mi}}, mirrorVolumeMounts: true}]
    outputs: {parameters: [{name: out, valueFrom: {path: /work/x}}]}
""" + MAIN.replace("mountPath: /work}]", "mountPath: /work}, {name: facts, mountPath: /facts}], resources: {limits: {cpu: 1500m}}") %
              "cat /facts/cpu /facts/sub/memory >> /work/x").is_("Succeeded")
    run.same(w.output("wf", "out"), "a\n23")
    _nothing_is_left(b)
