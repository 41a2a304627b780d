"""What steps ask for of the machine: memory and processors by control groups, a budget that they wait for, GPUs."""
import http.server
import os
import signal
import subprocess
import threading

import run

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: limits-}
spec:
  entrypoint: main
  volumes: [{name: host, hostPath: {path: %s}}]
  templates:
"""
HOLDS = "command: [sh, -c, 'echo $0 $CUDA_VISIBLE_DEVICES >> /host/begun; until test -e /host/go-$0; do sleep 0.02; done', %s]"
MOUNT = "volumeMounts: [{name: host, mountPath: /host}]"
MEMORY = "image: python:3, command: [python3, -c, 'x = bytearray(%d << 20)']"


def _head(b):
    return HEAD % b.directory


def _step(name, resources):
    """A template that says that it has begun, and goes on when it is told."""
    return "  - {name: %s, container: {image: busybox, %s, %s, resources: %s}}\n" % (name, HOLDS % name, MOUNT, resources)


def _go(b, *names):
    for name in names:
        open(os.path.join(b.directory, "go-" + name), "w").close()


def _begun(b):
    """name -> the devices that it has seen"""
    try:
        with open(os.path.join(b.directory, "begun")) as f:
            return {line.split()[0]: line.split()[1:] for line in f}
    except FileNotFoundError:
        return {}


def _groups(b):
    """The directories of control groups that the engine has noted."""
    try:
        with open(os.path.join(b.state, "cgroups")) as f:
            return f.read().split()
    except FileNotFoundError:
        return []


def _limited(b, w):
    """Where no control group can be made there is nothing to see but that it was said."""
    if "limits of" not in w.err:
        return True
    run.same(w.err.count("limits of memory are not applied"), 1, "notices")
    return False


def _nothing_is_left(dirs):
    run.until(lambda: not any(os.path.exists(d) for d in dirs))


def _value(d, slot, *names):
    for name in names:
        path = os.path.join(d, slot, name)
        if os.path.exists(path):
            with open(path) as f:
                return f.read().split()
    return None


def a_step_that_takes_too_much_memory_is_killed(b):
    w = b.run(_head(b) + """
  - name: main
    container: {%s, resources: {limits: {memory: 64Mi}}}
""" % (MEMORY % 200))
    if not _limited(b, w):
        return
    run.same(w.is_("Failed").node("wf")["message"], "main: OOMKilled (exit code 137): it reached its memory limit of 64Mi")
    run.same(w.node("wf")["outputs"]["exitCode"], "137")


def so_is_one_whose_child_does_so_and_an_init_container(b):
    w = b.run(_head(b) + """
  - name: main
    steps: [[{name: child, template: child}, {name: init, template: init}]]
  - name: child
    container: {image: python:3, command: [sh, -c, 'python3 -c "x = bytearray(200 << 20)"; exit $?'], resources: {limits: {memory: 50M}}}
  - name: init
    container: {image: busybox, command: ['true']}
    initContainers: [{name: i, %s, resources: {limits: {memory: 64Mi}}}]
""" % (MEMORY % 200))
    if not _limited(b, w):
        return
    run.same(w.is_("Failed").node("[0].child")["message"], "main: OOMKilled (exit code 137): it reached its memory limit of 50M")
    run.same(w.node("[0].init")["message"], "Pod failed before main container starts due to PodInitializing: ")  # as in Argo
    run.same(w.err.count("container 'i' was killed: it reached its memory limit of 64Mi"), 1, w.err)


def limits_do_not_stay_for_the_next_step(b):
    w = b.run(_head(b) + """
  - name: main
    steps:
    - [{name: small, template: small}]
    - [{name: none, template: none}]
    - [{name: larger, template: larger}]
    - [{name: cpu, template: cpu}]
  - {name: small, container: {%s, resources: {limits: {memory: 64Mi, cpu: 1}}}}
  - {name: none, container: {%s}}
  - {name: larger, container: {%s, resources: {limits: {memory: 256Mi}}}}
  - {name: cpu, container: {%s, resources: {limits: {cpu: 1500m}}}}
""" % (MEMORY % 1, MEMORY % 150, MEMORY % 150, MEMORY % 150), "--parallel", "1")
    w.is_("Succeeded")
    _nothing_is_left(_groups(b))


def groups_have_the_limits_and_go(b):
    p = b.start(_head(b) + """
  - name: main
    steps: [[{name: a, template: a}]]
""" + _step("a", "{limits: {memory: 100Mi, cpu: 250m}, requests: {cpu: 100m}}"))
    run.until(lambda: "a" in _begun(b))
    dirs = _groups(b)
    values = {}
    for d in dirs:
        slots = [s for s in os.listdir(d) if os.path.isdir(os.path.join(d, s))]
        for slot in slots:
            values["cpu"] = values.get("cpu") or _value(d, slot, "cpu.max", "cpu.cfs_quota_us")
            values["share"] = values.get("share") or _value(d, slot, "cpu.weight", "cpu.shares")
            values["memory"] = values.get("memory") or _value(d, slot, "memory.max", "memory.limit_in_bytes")
            inside = _value(d, slot, "cgroup.procs")
            for pid in inside:  # the step alone: its supervisor does not die with it
                with open("/proc/%s/comm" % pid) as f:
                    assert f.read().strip() != "skiff-slot", "the supervisor is limited"
            assert inside, "nobody is in " + d
    _go(b, "a")
    p.wait()
    b.get().is_("Succeeded")
    if dirs:
        run.same((values["memory"][0], values["cpu"][0], values["share"][0]), (str(100 << 20), "25000", "102" if values["cpu"][1:] == [] else "4"))
        _nothing_is_left(dirs)


def a_supervisor_that_is_killed_leaves_no_group(b):
    p = b.start(_head(b) + """
  - name: main
    steps: [[{name: a, template: a, continueOn: {error: true}}], [{name: b, template: b}]]
""" + _step("a", "{limits: {memory: 100Mi}}") + _step("b", "{limits: {memory: 100Mi}}"))
    run.until(lambda: "a" in _begun(b))
    dirs = _groups(b)
    procs = [pid for d in dirs for s in os.listdir(d) if os.path.isdir(os.path.join(d, s)) for pid in _value(d, s, "cgroup.procs")]
    for pid in procs[:1]:
        with open("/proc/%s/status" % pid) as f:
            os.kill(int(next(line for line in f if line.startswith("PPid")).split()[1]), signal.SIGKILL)
    assert procs or not dirs, "nobody is in " + str(dirs)
    _go(b, "a", "b")
    p.wait()
    b.get().is_("Succeeded").node("[0].a", "Error" if procs else "Succeeded")
    b.run(_head(b) + "  - {name: main, container: {image: busybox, command: ['true']}}\n").is_("Succeeded")
    _nothing_is_left(dirs)
    assert not os.path.exists(os.path.join(b.state, "cgroups")) or not dirs, "the note stays"


def _as_nobody(b, text, before=None):
    os.chmod(b.directory, 0o755)
    os.makedirs(b.state)
    os.chown(b.state, 65534, 65534)
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run([run.SKIFF, "run", "--state", b.state, b.file(text)], cwd="/", env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=run.LIMIT_S, user=65534, group=65534, extra_groups=[], preexec_fn=before)


def without_the_right_to_it_nothing_is_limited_and_that_is_said_once(b):
    if os.geteuid() != 0:
        return  # then the other tests are about this
    p = _as_nobody(b, _head(b) + """
  - name: main
    steps: [[{name: a, template: a, withItems: [1, 2]}]]
  - {name: a, container: {image: busybox, command: ['true'], resources: {limits: {memory: 100Mi, cpu: 1}}}}
""")
    run.same(p.returncode, 0, p.stdout + p.stderr)
    for what in ("memory", "processors"):
        run.same(p.stderr.count("limits of %s are not applied: no control group" % what), 1, p.stderr)


def a_user_who_was_given_a_group_has_limits(b):
    with open("/proc/self/cgroup") as f:
        own = [line.strip().split(":")[2] for line in f if line.split(":")[1] == "memory"]
    top = "/sys/fs/cgroup/memory%s" % own[0].rstrip("/") if own else ""
    if os.geteuid() != 0 or not os.access(top, os.W_OK):
        return  # root gives it, and in a tree of v2 that is a matter for the service manager
    group = os.path.join(top, "skiff-e2e-%d" % os.getpid())
    os.mkdir(group)
    try:
        for name in [""] + os.listdir(group):
            os.chown(os.path.join(group, name), 65534, 65534)
        procs = os.open(os.path.join(group, "cgroup.procs"), os.O_WRONLY)
        p = _as_nobody(b, _head(b) + "  - {name: main, container: {%s, resources: {limits: {memory: 64Mi}}}}\n" % (MEMORY % 200),
                       lambda: os.write(procs, b"0"))
        os.close(procs)
        assert "OOMKilled (exit code 137)" in p.stdout, p.stdout + p.stderr
        run.until(lambda: not any(os.path.isdir(os.path.join(group, d)) for d in os.listdir(group)))
    finally:
        run.until(lambda: not open(os.path.join(group, "cgroup.procs")).read())
        os.rmdir(group)


def processes_are_bounded(b):
    b.file("step_processes = 20\n", "skiff.toml")
    w = b.run(_head(b) + """
  - name: main
    steps: [[{name: few, template: few}, {name: many, template: many}]]
  - {name: few, container: {image: busybox, command: [sh, -c, 'sleep 0 & wait']}}
  - {name: many, container: {image: busybox, command: [sh, -c, 'i=0; while test $i -lt 40; do sleep 100 & i=$((i+1)); done']}}
""")
    if "limits of processes are not applied" in w.err:
        return
    w.node("[0].few", "Succeeded")
    w.node("[0].many", "Failed")


QUEUE = """
  - name: main
    steps: [[{name: a, template: a}, {name: b, template: b}, {name: c, template: c}, {name: d, template: d}]]
"""


def steps_wait_for_the_budget_in_their_order(b):
    p = b.start(_head(b) + QUEUE + _step("a", "{limits: {cpu: 1500m}}") + _step("b", "{requests: {cpu: 1, memory: 1Mi}}") +
                _step("c", "{}") + _step("d", "{requests: {cpu: 500m}}"), "--cpus", "2", "--memory", "1Gi")
    w = b.wait_for(lambda w: "Unschedulable" in w.nodes.get("[0].d", {}).get("message", "") and sorted(_begun(b)) == ["a", "c"])
    run.same(w.node("[0].b", "Pending")["message"], "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.")
    assert "came before it" in w.node("[0].d", "Pending")["message"], w.node("[0].d")  # it would fit
    _go(b, "c")
    b.wait_for(lambda w: w.node("[0].c")["phase"] == "Succeeded")
    run.same(sorted(_begun(b)), ["a", "c"])
    _go(b, "a")
    run.until(lambda: sorted(_begun(b)) == ["a", "b", "c", "d"])
    w = b.wait_for(lambda w: w.node("[0].b")["phase"] == "Running")
    run.same(w.node("[0].b").get("message"), None)
    _go(b, "b", "d")
    p.wait()
    b.get().is_("Succeeded")


def what_no_machine_of_this_size_can_do_is_an_error(b):
    w = b.run(_head(b) + """
  - name: main
    steps: [[{name: cpu, template: cpu}, {name: memory, template: memory}, {name: gpu, template: gpu}, {name: sum, template: sum}, {name: ok, template: ok}]]
  - {name: cpu, container: {image: busybox, command: ['true'], resources: {requests: {cpu: 3}}}}
  - {name: memory, container: {image: busybox, command: ['true'], resources: {limits: {memory: 2Gi}}}}
  - {name: gpu, container: {image: busybox, command: ['true'], resources: {limits: {nvidia.com/gpu: 65}}}}
  - {name: sum, container: {image: busybox, command: ['true'], resources: {requests: {cpu: 1500m}}},
     sidecars: [{name: s, image: busybox, command: [sleep, '9'], resources: {requests: {cpu: 1500m}}}]}
  - {name: ok, container: {image: busybox, command: ['true'], resources: {requests: {cpu: 2, memory: 1Gi}}}}
""", "--cpus", "2", "--memory", "1Gi").is_("Failed")
    words = "Unschedulable: 0/1 nodes are available: 1 Insufficient %s. It asks for %s; this machine has %s (setting `%s`)."
    run.same(w.node("[0].cpu", "Error")["message"], words % ("cpu", "3 of cpu", "2", "cpus"))
    run.same(w.node("[0].memory", "Error")["message"], words % ("memory", "2048Mi of memory", "1024Mi", "memory"))
    assert "65 of nvidia.com/gpu" in w.node("[0].gpu", "Error")["message"], w.node("[0].gpu")
    run.same(w.node("[0].sum", "Error")["message"], words % ("cpu", "3 of cpu", "2", "cpus"))
    w.node("[0].ok", "Succeeded")
    p = b.call("run", "--cpus", "many", b.file(HEAD % b.directory))
    run.same((p.returncode, "'many' is not an amount of cpu" in p.stderr), (2, True), p.stderr)


def a_pod_has_what_it_asks_for_until_it_is_over(b):
    """Its init container, main and sidecar run one after the other and together: it does not ask again."""
    p = b.start(_head(b) + """
  - name: main
    steps: [[{name: pod, template: pod}, {name: b, template: b}]]
  - name: pod
    initContainers: [{name: i, image: busybox, %s, %s, resources: {requests: {cpu: 2}}}]
    sidecars: [{name: s, image: busybox, command: [sleep, '100'], resources: {requests: {cpu: 500m}}}]
    container: {image: busybox, %s, %s, resources: {requests: {cpu: 1}}}
""" % (HOLDS % "i", MOUNT, HOLDS % "m", MOUNT) + _step("b", "{requests: {cpu: 1}}"), "--cpus", "2")
    b.wait_for(lambda w: "Unschedulable" in w.nodes.get("[0].b", {}).get("message", "") and list(_begun(b)) == ["i"])
    _go(b, "i")
    run.until(lambda: "m" in _begun(b))
    run.same(sorted(_begun(b)), ["i", "m"])
    _go(b, "m", "b")
    p.wait()
    b.get().is_("Succeeded")


def the_containers_of_a_pod_wait_together(b):
    """Main comes later than its sidecar, because of its input, and behind another step: yet it has what its pod has."""
    ready, given = threading.Event(), threading.Event()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            (ready if self.path == "/first" else given).wait(run.LIMIT_S)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"x\n")
            self.close_connection = True

        def finish(self):
            super().finish()
            given.set()

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given_by = "inputs: {artifacts: [{name: x, path: /tmp/x, http: {url: 'http://127.0.0.1:%d/%%s'}}]}" % server.server_port
    p = b.start(_head(b) + QUEUE.replace("{name: b, template: b}", "{name: pod, template: pod}, {name: b, template: b}") + """
  - name: pod
    %s
    sidecars: [{name: s, image: busybox, command: [sleep, '100'], resources: {requests: {cpu: 500m}}}]
    container: {image: busybox, command: ['true'], resources: {requests: {cpu: 1500m}}}
""" % (given_by % "first") + _step("a", "{requests: {cpu: 1}}") + _step("b", "{requests: {cpu: 1}}") + _step("c", "{}") +
                _step("d", "{}").replace("container:", given_by % "second" + ", container:"), "--cpus", "2")
    b.wait_for(lambda w: "came before it" in w.nodes.get("[0].b", {}).get("message", ""))
    ready.set()
    run.until(lambda: sorted(_begun(b)) == ["a", "c", "d"])  # what d asked for came after main's
    _go(b, "a", "c", "d")
    b.wait_for(lambda w: w.node("[0].pod")["phase"] == "Succeeded")
    _go(b, "b")
    p.wait()
    b.get().is_("Succeeded")
    server.shutdown()
    server.server_close()


def a_set_that_is_ended_between_two_tries_has_nothing_any_more(b):
    b.run(_head(b) + """
  - name: main
    steps: [[{name: set, template: set, continueOn: {failed: true}}], [{name: b, template: b}]]
  - name: set
    activeDeadlineSeconds: 1
    containerSet:
      retryStrategy: {retries: 2, duration: 100s}
      containers: [{name: main, image: busybox, command: ['false'], resources: {requests: {cpu: 2}}}]
  - {name: b, container: {image: busybox, command: ['true'], resources: {requests: {cpu: 1}}}}
""", "--cpus", "2").node("[1].b", "Succeeded")


def sets_and_daemons_too(b):
    b.run(_head(b) + """
  - name: main
    steps: [[{name: d, template: d}], [{name: set, template: set}], [{name: set2, template: set}]]
  - {name: d, daemon: true, container: {image: busybox, command: [sleep, '100'], resources: {requests: {cpu: 1}}}}
  - name: set
    containerSet:
      containers:
      - {name: a, image: busybox, command: ['true'], resources: {requests: {cpu: 500m}}}
      - {name: main, image: busybox, command: ['true'], resources: {requests: {cpu: 500m}}, dependencies: [a]}
""", "--cpus", "2").is_("Succeeded")


def gpus_are_given_to_one_step_at_a_time(b):
    b.file("gpus = 2\n", "skiff.toml")
    p = b.start(_head(b) + QUEUE + _step("a", "{limits: {nvidia.com/gpu: 1}}") + _step("b", "{limits: {nvidia.com/gpu: 1}}") +
                _step("c", "{limits: {nvidia.com/gpu: 2}}") + _step("d", "{}"))
    w = b.wait_for(lambda w: "Unschedulable" in w.nodes.get("[0].c", {}).get("message", "") and sorted(_begun(b)) == ["a", "b", "d"])
    run.same(w.node("[0].c")["message"], "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    run.same(sorted(_begun(b)["a"] + _begun(b)["b"]), ["0", "1"])
    run.same(_begun(b)["d"], [])  # as from the device plugin: none
    _go(b, "a", "b", "c", "d")
    p.wait()
    b.get().is_("Succeeded")
    run.same(_begun(b)["c"], ["0,1"])
    b.run(_head(b) + """
  - name: main
    container: {image: busybox, command: [sh, -c, 'echo main $ROCR_VISIBLE_DEVICES.$CUDA_VISIBLE_DEVICES. >> /host/amd; until test -e /host/up; do sleep 0.02; done'],
                %s, resources: {limits: {amd.com/gpu: 1}}}
    sidecars: [{name: s, image: busybox, command: [sh, -c, 'echo s $ROCR_VISIBLE_DEVICES >> /host/amd; touch /host/up'],
                %s, resources: {limits: {amd.com/gpu: 1}}}]
""" % (MOUNT, MOUNT)).is_("Succeeded")
    with open(os.path.join(b.directory, "amd")) as f:
        run.same(sorted(f.read().splitlines()), ["main 0..", "s 1"])


def an_engine_that_is_killed_forgets_nothing_of_it(b):
    b.file('gpus = "2"\ncpus = 2\n', "skiff.toml")
    p = b.start(_head(b) + QUEUE + _step("a", "{requests: {cpu: 1500m}, limits: {nvidia.com/gpu: 1}}") +
                _step("b", "{requests: {cpu: 1}}") + _step("c", "{}") + _step("d", "{limits: {nvidia.com/gpu: 1}}"))
    b.wait_for(lambda w: "Unschedulable" in w.nodes.get("[0].d", {}).get("message", "") and sorted(_begun(b)) == ["a", "c"])
    p.kill()
    p.wait()
    q = b.resume(b.get().workflow["metadata"]["name"])
    _go(b, "c")
    b.wait_for(lambda w: w.node("[0].c")["phase"] == "Succeeded")
    run.same(sorted(_begun(b)), ["a", "c"])
    _go(b, "a")
    run.until(lambda: sorted(_begun(b)) == ["a", "b", "c", "d"])
    q.kill()  # two of them run now
    q.wait()
    w = b.get().workflow["metadata"]["name"]
    q = b.resume(w)
    _go(b, "b", "d")
    q.wait()
    b.get().is_("Succeeded")
    run.same((_begun(b)["a"], _begun(b)["d"]), (["0"], ["0"]))


def devices_stay_with_a_step_across_a_crash(b):
    b.file("gpus = 2\n", "skiff.toml")
    p = b.start(_head(b) + """
  - name: main
    steps:
    - [{name: a, template: a}, {name: b, template: b}]
    - [{name: c, template: c}]
""" + _step("a", "{limits: {nvidia.com/gpu: 1}}") + _step("b", "{limits: {nvidia.com/gpu: 1}}") + _step("c", "{limits: {nvidia.com/gpu: 1}}"))
    run.until(lambda: sorted(_begun(b)) == ["a", "b"])
    second = next(name for name, devices in _begun(b).items() if devices == ["1"])
    b.wait_for(lambda w: w.node("[0].a")["phase"] == w.node("[0].b")["phase"] == "Running")
    p.kill()
    p.wait()
    text = _head(b) + "  - {name: main, container: {image: busybox, command: [sh, -c, 'echo $CUDA_VISIBLE_DEVICES.'], resources: {limits: {nvidia.com/gpu: 1}}}}\n"
    q = b.resume(b.get().workflow["metadata"]["name"])
    b.wait_for(lambda w: subprocess.run([run.SKIFF, "run", "--state", b.state, "-d", b.file(text, "more.yaml")], cwd=b.directory,
                                        capture_output=True).returncode == 0)  # poll: when the engine is there
    b.wait_for(lambda w: "Insufficient" in w.node("wf").get("message", ""))
    _go(b, "ab".replace(second, ""))
    b.wait_for(lambda w: w.node("wf")["phase"] == "Succeeded")
    assert b.logs().endswith("0.\n"), b.logs()
    _go(b, "a", "b", "c")
    q.wait()


FAKE_DEV = """
set -e
mount -t tmpfs none "$1" && mkdir "$1/pts" "$1/shm" "$1/mqueue" "$1/dri"
for n in null zero full random urandom tty ptmx; do cp -a /dev/$n "$1/$n"; done
mount --bind /dev/pts "$1/pts" && mount -t tmpfs none "$1/shm"
for n in nvidia0 nvidia3 nvidiactl kfd dri/renderD128; do mknod "$1/$n" c 1 3; done
mount --move "$1" /dev
shift
exec "$@"
"""


def device_files_are_found_and_shown(b):
    if os.geteuid() != 0:
        return  # making device files is for root
    dev = os.path.join(b.directory, "dev")
    os.mkdir(dev)
    path = b.file(_head(b) + """
  - name: main
    container: {image: busybox, command: [sh, -c, 'cd /dev; ls nvidia* kfd dri/*; echo $CUDA_VISIBLE_DEVICES.$ROCR_VISIBLE_DEVICES.'],
                resources: {limits: {nvidia.com/gpu: 2}}}
""")
    p = subprocess.run(["unshare", "-m", "sh", "-c", FAKE_DEV, "sh", dev, run.SKIFF, "run", "--state", b.state, path], cwd=b.directory,
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=run.LIMIT_S)
    run.same(p.returncode, 0, p.stdout + p.stderr)
    run.same([line.split(": ")[1] for line in b.logs().splitlines()], ["dri/renderD128", "kfd", "nvidia0", "nvidia3", "nvidiactl", "0,3.."])
