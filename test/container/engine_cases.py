"""With a real engine, Podman and Docker: what a pod is to a step, and that nothing is left of it."""
import glob
import os
import signal

import common
from run import Bench, holds, indented, same, until, wf

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hush-hush}\n---\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a.txt: one, b.txt: two}\n---\n"

SAMPLE = "localhost/sample:1"


class _Bench(Bench):
    """`registry`: HOST:PORT of one that has team/app:1; None: there is none."""

    def __init__(self, directory, engine, registry):
        super().__init__(directory, engine.socket, SAMPLE)
        self.engine_itself, self.registry = engine, registry

    def abandon(self):
        super().abandon()
        self.engine_itself.call("rm", "-f", *self.engine_itself.containers().values())

    def clean(self):
        """Nothing of any step is there any more."""
        until(lambda: not self.engine_itself.containers() and not self.left(), f"left over: {self.engine_itself.containers()} {self.left()}")


def _host(b):
    """The test's directory as a volume, for wf()."""
    return f"  volumes: [{{name: d, hostPath: {{path: {b.directory}}}}}]\n"


def _held(b, before, after="true", more=""):
    """A workflow of one container that has the test's directory at /d, and goes on when the file `go` is there."""
    return wf(f"""
container:
  image: IMAGE
  args: ['{before}; until test -e /d/go; do sleep 0.05; done; {after}']
  volumeMounts: [{{name: d, mountPath: /d}}]
{more}""", _host(b))


def _go(b):
    open(b.directory + "/go", "w").close()


def hello(b):
    """The image's own entrypoint, command, environment and directory; and those of the template over them."""
    b.run(wf("container: {image: IMAGE}")).is_("Succeeded")
    same(b.logs(), "w: from the image\n")
    b.clean()
    b.delete()
    b.run(wf("container: {image: IMAGE, args: ['echo $FROM; pwd; cat /etc/motd; echo at fault >&2']}")).is_("Succeeded")
    same(sorted(b.logs().splitlines()), ["w: /w", "w: at fault", "w: from the image", "w: own"])
    b.delete()
    b.run(wf("container: {image: IMAGE, command: [sh, -c, 'echo $0 $1', a], args: [b], workingDir: /tmp}")).is_("Succeeded")
    same(b.logs(), "w: a b\n")
    b.clean()


def scripts(b):
    """A script's source, parameters in it, its result, and output parameters from files."""
    more = "  arguments: {parameters: [{name: who, value: me}]}\n"
    o = b.run(wf("steps: [[{name: s, template: s}], [{name: t, template: t, arguments: {parameters: [{name: r, value: '{{steps.s.outputs.result}}'}]}}]]",
                 more) + """
  - name: t
    inputs: {parameters: [{name: r}]}
    container: {image: IMAGE, args: ['echo got {{inputs.parameters.r}}']}
  - name: s
""" + indented("""
inputs: {parameters: [{name: who, value: '{{workflow.parameters.who}}'}]}
script:
  image: IMAGE
  command: [sh]
  source: |
    mkdir /tmp/o
    printf '%s' "{{inputs.parameters.who}}" >/tmp/o/who
    ln -s /tmp/o/who /tmp/o/link
    echo hello {{inputs.parameters.who}}
outputs: {parameters: [{name: who, valueFrom: {path: /tmp/o/who}}, {name: link, valueFrom: {path: /tmp/o/link}},
                       {name: none, valueFrom: {path: /tmp/o/none, default: nothing}}]}
"""), "-p", "who=you").is_("Succeeded")
    same([o.parameter("[0].s", n) for n in ("who", "link", "none")], ["you", "you", "nothing"])
    same(o.outputs("[0].s").get("result"), "hello you")
    holds("got hello you" in b.logs(), b.logs())
    b.clean()


def artifacts(b):
    """Files and directories out of one container and into the next, which may change what it got; raw ones; a missing one."""
    o = b.run("""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        arguments: {artifacts: [{name: file, from: '{{steps.make.outputs.artifacts.file}}'}, {name: dir, from: '{{steps.make.outputs.artifacts.dir}}'},
                                {name: raw, raw: {data: given}}]}
    - - name: again
        template: use
        arguments: {artifacts: [{name: file, from: '{{steps.make.outputs.artifacts.file}}'}, {name: dir, from: '{{steps.make.outputs.artifacts.dir}}'},
                                {name: raw, raw: {data: given}}]}
  - name: make
    container: {image: IMAGE, args: ['mkdir -p /out/d/e; echo f >/out/f; echo x >/out/d/e/x; ln -s e/x /out/d/l; ln -s /out/f /out/link']}
    outputs: {artifacts: [{name: file, path: /out/link}, {name: dir, path: /out/d}, {name: none, path: /out/none, optional: true}]}
  - name: use
    inputs: {artifacts: [{name: file, path: /in/f}, {name: dir, path: /in/d}, {name: raw, path: /in/raw}]}
    container: {image: IMAGE, args: ['cat /in/f /in/d/e/x /in/d/l /in/raw; echo changed >/in/f; echo changed >/in/d/e/x; touch /in/d/new']}
    outputs: {artifacts: [{name: dir, path: /in/d}]}
""").is_("Succeeded")
    same(sorted(line.split(": ", 1)[1] for line in b.logs().splitlines()), ["f", "f", "given", "given", "x", "x", "x", "x"])
    same([a["name"] for a in o.nodes["[0].make"]["outputs"]["artifacts"] if a["name"] != "main-logs"], ["file", "dir"])
    got = b.call("cp", "w", b.directory + "/got")
    holds(got.returncode == 0, got.stderr)
    found = {os.path.basename(p) for p in glob.glob(b.directory + "/got/**", recursive=True)}
    holds(found, "cp found nothing")
    b.clean()


def secrets(b):
    """Secrets and ConfigMaps in the environment and as files; they are masked in logs, and in no command line."""
    p = b.start(SECRET + CONFIG + wf("""
container:
  image: IMAGE
  args: ['echo "$PASSWORD" "$(cat /s/password)" "$(ls /c)" "$(cat /one)"; until test -e /w/go; do sleep 0.05; done']
  env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: password}}}]
  volumeMounts: [{name: s, mountPath: /s}, {name: c, mountPath: /c}, {name: c, mountPath: /one, subPath: a.txt}, {name: go, mountPath: /w}]
""", f"  volumes: [{{name: s, secret: {{secretName: s}}}}, {{name: c, configMap: {{name: c}}}}, {{name: go, hostPath: {{path: {b.directory}}}}}]\n"))
    b.up(p, "a.txt")
    words = b"".join(common.contents(f"/proc/{p}/cmdline") for p in os.listdir("/proc") if p.isdigit())
    files = [f for f in glob.glob(b.state + "/work/*/*") if os.path.isfile(f) and b"hush" in common.contents(f)]
    _go(b)
    same(p.wait(120), 0)
    holds(b"hush-hush" not in words, "the secret stands in a command line")
    same(files, [], "secrets lie in")
    same(b.logs().splitlines()[0].split(": ", 1)[1], "*** *** a.txt")
    b.clean()


def exit_codes(b):
    """Exit codes are the container's; what cannot be started is an Error that says why."""
    o = b.run(wf("container: {image: IMAGE, args: ['exit 3']}")).is_("Failed", "exit code 3")
    same(o.outputs("wf").get("exitCode"), "3")
    b.delete()
    b.run(wf("container: {image: IMAGE, command: [nosuch]}")).is_("Error", "nosuch")
    b.delete()
    b.run(wf("container: {image: 'localhost:1/none:1', imagePullPolicy: Never}")).is_("Error", "imagePullPolicy is Never")
    b.delete()
    b.run(wf("container: {image: 'localhost:1/none:1'}")).is_("Error", "localhost:1/none:1")
    b.clean()


def stopping(b):
    """SIGTERM reaches the container, which has its grace period; after that it is killed; `terminate` does not wait."""
    handler = wf("container: {image: IMAGE, args: ['trap \"echo bye; exit 7\" TERM; echo up; while true; do sleep 0.05; done']}")
    deaf = wf("container: {image: IMAGE, args: ['trap \"\" TERM; echo up; while true; do sleep 0.05; done']}",
              "  podSpecPatch: '{\"terminationGracePeriodSeconds\": 1}'\n")
    for text, verb, said, code in ((handler, "stop", ["w: up", "w: bye"], "7"), (deaf, "stop", ["w: up"], "137"), (deaf, "terminate", ["w: up"], "137")):
        p = b.start(text)
        b.up(p)
        got = b.call(verb, "w")
        holds(got.returncode == 0, got.stderr)
        p.wait(120)
        same(b.logs().splitlines(), said, f"{verb}:")
        o = b.get().is_("Failed")
        same(o.outputs("wf").get("exitCode"), code)
        b.clean()
        b.delete()


def engine_killed(b):
    """SIGKILL of Skiff's engine changes nothing for the container: the next engine takes it over, and it ran once."""
    p = b.start(_held(b, "echo x >>/d/starts", "echo done >/tmp/out", "outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}"))
    until(lambda: os.path.exists(b.directory + "/starts"), "it does not start")
    common.kill_engine(p)
    p = b.spawn("run", "--resume", "w")
    _go(b)
    same(p.wait(120), 0)
    same(b.get().is_("Succeeded").parameter("wf", "out"), "done")
    same(common.contents(b.directory + "/starts"), b"x\n")
    b.clean()


def everything_killed(b):
    """With supervisors and skiff-container killed too the step is lost; its container is removed before the next one runs."""
    p = b.start(_held(b, "echo x >>/d/starts"))
    until(lambda: os.path.exists(b.directory + "/starts"), "it does not start")
    first = b.engine_itself.containers()
    same(len(first), 1)
    common.kill_everything(b, p)
    same(b.engine_itself.containers(), first, "it outlives skiff-container:")
    p = b.spawn("run", "--resume", "w", env={"SKIFF_ON_LOST": "restart"})
    until(lambda: common.contents(b.directory + "/starts") == b"x\nx\n", "it does not start again")
    second = b.engine_itself.containers()
    same(list(second), list(first), "the next one has the name of the first:")
    holds(second != first, "the first one is still there")
    _go(b)
    same(p.wait(120), 0)
    b.clean()


def _alone(processes):
    """`skiff-container begun` is there at first, too."""
    return processes[0] if len(processes) == 1 else None


def watcher_killed(b):
    """Only skiff-container is killed: the step ends in Error, its container goes."""
    p = b.start(wf("container: {image: IMAGE, args: ['echo up; while true; do sleep 0.05; done']}"))
    b.up(p)
    watcher = until(lambda: _alone([q for q in b.ours() if common.comm(q) == "skiff-container"]), "the one that watches")
    os.kill(watcher, signal.SIGKILL)
    p.wait(120)
    b.get().is_("Error", "the process that watched the container was killed")
    b.clean()


def pulled(b):
    """An image comes from a registry; a tag that is not there is an Error with the registry's words."""
    if not b.registry:
        return  # run.py has said so
    name = b.registry + "/team/app:1"
    b.run(wf("container: {image: '%s', imagePullPolicy: Always, args: ['echo pulled']}" % name)).is_("Succeeded")
    same(b.logs(), "w: pulled\n")
    b.delete()
    b.run(wf("container: {image: '%s/team/app:none'}" % b.registry)).is_("Error", "team/app:none")
    b.clean()


def pods(b):
    """Init containers and sidecars share volumes and, by the host's network, addresses; a set's outputs lie in its volume."""
    b.run(wf("""
volumes: [{name: v, emptyDir: {}}]
initContainers: [{name: first, image: IMAGE, args: ['echo made >/v/f'], volumeMounts: [{name: v, mountPath: /v}]}]
sidecars: [{name: side, image: IMAGE, args: ['trap "exit 0" TERM; echo here >/v/side; while true; do sleep 0.05; done'], volumeMounts: [{name: v, mountPath: /v}]}]
container: {image: IMAGE, args: ['until test -e /v/side; do sleep 0.05; done; cat /v/f /v/side'], volumeMounts: [{name: v, mountPath: /v}]}
""")).is_("Succeeded")
    holds("made" in b.logs() and "here" in b.logs(), b.logs())
    b.clean()
    b.delete()
    o = b.run(wf("""
volumes: [{name: v, emptyDir: {}}]
containerSet:
  volumeMounts: [{name: v, mountPath: /v}]
  containers:
  - {name: a, image: IMAGE, args: ['echo a >/v/a']}
  - {name: main, image: IMAGE, args: ['cat /v/a; echo b >>/v/a'], dependencies: [a]}
outputs: {parameters: [{name: out, valueFrom: {path: /v/a}}]}
""")).is_("Succeeded")
    same(o.parameter("wf", "out"), "a\nb")
    b.clean()


def probes(b):
    """An exec probe is a command in the container: a daemon is ready once it succeeds, and not before."""
    b.run(wf("steps: [[{name: d, template: d}], [{name: s, template: s}]]", _host(b)) + """
  - name: d
    daemon: true
    container:
      image: IMAGE
      args: ['trap "exit 0" TERM; sleep 0.5; touch /d/ready /tmp/ready; while true; do sleep 0.05; done']
      readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 1}
      volumeMounts: [{name: d, mountPath: /d}]
  - name: s
    container: {image: IMAGE, args: ['test -e /d/ready'], volumeMounts: [{name: d, mountPath: /d}]}
""").is_("Succeeded")
    b.clean()


def hooks(b):
    """postStart and preStop are commands in the container, too."""
    b.run(wf("""
container: {image: IMAGE, args: ['until test -e /d/started; do sleep 0.05; done'], volumeMounts: [{name: d, mountPath: /d}]}
sidecars:
- name: s
  image: IMAGE
  args: ['trap "test -e /d/stopping && touch /d/told; exit 0" TERM; while true; do sleep 0.05; done']
  lifecycle: {postStart: {exec: {command: [touch, /d/started]}}, preStop: {exec: {command: [touch, /d/stopping]}}}
  volumeMounts: [{name: d, mountPath: /d}]
""", _host(b))).is_("Succeeded")
    holds(os.path.exists(b.directory + "/told"), "preStop did not come before the signal")
    b.clean()


def groups(b):
    """supplementalGroups, and fsGroup, which a new volume belongs to."""
    b.run(wf("""
securityContext: {runAsUser: 12, runAsGroup: 13, supplementalGroups: [14], fsGroup: 15}
volumes: [{name: v, emptyDir: {}}]
container: {image: IMAGE, args: ['id -G; touch /v/x'], volumeMounts: [{name: v, mountPath: /v}]}
""")).is_("Succeeded")
    same(sorted(b.logs().split()[1:]), ["13", "14", "15"])
    b.clean()


def progress(b):
    """What a step says about its progress is seen while it runs."""
    p = b.start(_held(b, "echo 5/10 >$ARGO_PROGRESS_FILE"))
    until(lambda: (b.get() or 0) and b.get().nodes.get("wf", {}).get("progress") == "5/10", "no progress is shown")
    _go(b)
    same(p.wait(120), 0)
    b.clean()


def sub_paths(b):
    """A directory of a volume is mounted, made when it is missing; a link in its way, which a step may have made, is an Error."""
    b.run(wf("""
container: {image: IMAGE, args: ['echo x >/v/f'], volumeMounts: [{name: v, mountPath: /v, subPath: a/b}]}
""", f"  volumes: [{{name: v, hostPath: {{path: {b.home}}}}}]\n")).is_("Succeeded")
    same(common.contents(b.home + "/a/b/f"), b"x\n")
    b.delete()
    os.symlink("/etc", b.home + "/link")
    b.run(wf("""
container: {image: IMAGE, args: ['ls /v'], volumeMounts: [{name: v, mountPath: /v, subPath: link/b}]}
""", f"  volumes: [{{name: v, hostPath: {{path: {b.home}}}}}]\n")).is_("Error", "a symbolic link is in its way")
    b.clean()


def much_output(b):
    """A megabyte on both streams is complete, and the result is its tail."""
    b.run(wf("script: {image: IMAGE, command: [sh], source: 'i=0; while [ $i -lt 20000 ]; do echo line $i of many, with words on it; "
             "echo fault $i >&2; i=$((i+1)); done'}")).is_("Succeeded")
    lines = b.logs().splitlines()
    same(len(lines), 40000)
    same([line for line in lines if "line" in line][-1], "w: line 19999 of many, with words on it")
    b.clean()


def doctor(b):
    """It says who answers at the socket, and what to do where nobody does."""
    got = b.call("doctor")
    holds(f"{b.engine_itself.says} " in got.stdout, got.stdout)
    got = b.call("doctor", env={"DOCKER_HOST": "unix:///nowhere/x.sock"})
    holds("/nowhere/x.sock" in got.stdout and got.returncode == 1, got.stdout)
    got = b.call("run", b.file(wf("container: {image: IMAGE}")), env={"DOCKER_HOST": "unix:///nowhere/x.sock"})
    holds(got.returncode == 6 and "--runtime=container" in got.stderr, got.stderr)
    got = b.call("run", b.file(wf("container: {image: IMAGE}")), env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    holds(got.returncode == 12 and "DOCKER_HOST" in got.stderr, got.stderr)
