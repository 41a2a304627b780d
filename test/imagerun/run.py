#!/usr/bin/env python3
"""Steps in images: what an image says of them, what else a pod has, pulls under every policy, kills, images in use; as this
user and, when that is root, as nobody too.

usage: run.py [SKIFF [CASE...]]; without it, the program that SKIFF in the environment names"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "image"), os.path.join(HERE, "..", "crash")]
import images  # noqa: E402
from place import LIMIT_S, OPEN, Place, new_registry, run_cases  # noqa: E402

APPLETS = ("sh", "echo", "cat", "id", "ls", "env", "pwd", "sleep", "mkdir", "touch", "true", "hostname", "stat", "test", "cp", "rm", "sort",
           "tr", "wc", "readlink", "chmod", "chown", "mount", "mknod")
CAPS = "echo $(while read k v; do case $k in Cap*) echo $v;; esac; done < /proc/self/status | sort -u) > /tmp/out"
CHOWN = "chown 5:6 /opt/base 2>/dev/null; stat -c %u:%g /opt/base > /tmp/out"
RIGHTS = ", securityContext: {%s}"
MAY, NOTHING = "00000000800405fb", "0000000000000000"  # src/step/capabilities.def
SAY = "#!/bin/sh\necho \"say $*\" > /tmp/out\n"
PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"
HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: %s}
spec:
  entrypoint: main
"""


def entries():
    with open(images.BUSYBOX, "rb") as f:
        busybox = f.read()
    base = [("bin/", None), ("bin/busybox", busybox, 0o755)] + [("bin/" + a, "=>bin/busybox") for a in APPLETS]
    base += [("bin/say", SAY, 0o755), ("tmp/", None, 0o1777), ("root/", None, 0o700), ("home/", None), ("etc/", None), ("etc/files/", None),
             ("etc/files/passwd", PASSWD), ("etc/passwd", "->/etc/files/passwd"), ("etc/group", "root:x:0:\nstaff:x:50:\n"),
             ("opt/", None), ("opt/base", "base"), ("opt/gone", "gone"), ("marker", "one"), ("kept", "kept\n")]
    return base


def layers(*more):
    return (images.tar(*entries()), images.tar(("opt/", None), ("opt/.wh.gone", ""), ("marker", "two"), ("etc/resolv.conf", "->../nowhere"), *more))


def make(config=None, *more):
    return images.Image(*layers(*more), config={"Cmd": ["sh"], "Env": ["PATH=/bin"], **(config or {})})


class Runs(Place):
    """With `skiff run` and what comes of it."""

    def skiff_start(self, *words, env=None, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        return subprocess.Popen([self.skiff, *words], env=self.env(env), cwd=self.root, **self.user, **more)

    def skiff_call(self, *words, env=None):
        p = self.skiff_start(*words, env=env)
        p.out, p.err = p.communicate(timeout=LIMIT_S)
        return p

    def run(self, name, text, *words, env=None):
        """The Workflow that came of it."""
        file = self.write(f"{name}.yaml", HEAD % name + text)
        p = self.skiff_call("run", file, "-o", "json", *words, env=env)
        if not p.out.startswith("{"):
            raise RuntimeError(f"{name}: status {p.returncode}, {p.err[-400:]}")
        wf = json.loads(p.out)
        wf["said"] = p.err
        return wf

    def begin(self, name, text, *words, env=None):
        file = self.write(f"{name}.yaml", HEAD % name + text)
        return self.skiff_start("run", file, "--progress", "plain", *words, env=env)

    def get(self, name):
        p = self.skiff_call("get", name, "-o", "json")
        return json.loads(p.out) if p.returncode == 0 else None

    def bring(self, ref, image):
        got = self.call("import", image.save(self.path("bring.tar"), ref))
        assert got.returncode == 0, got


def leaves(wf):
    return [n for n in wf["status"]["nodes"].values() if n["type"] in ("Pod", "Container")]


def outputs(wf):
    """{node: {parameter: value}}"""
    return {n["displayName"]: {p["name"]: p.get("value") for p in n.get("outputs", {}).get("parameters", [])} for n in leaves(wf)}


def errors(wf):
    return {n["displayName"]: n.get("message", "") for n in leaves(wf) if n["phase"] != "Succeeded"}


def one(image, command=None, more=""):
    """Templates of a workflow with one container that leaves /tmp/out as the parameter o."""
    words = f", command: {json.dumps(command)}" if command else ""
    return f"""  templates:
  - name: main
    container: {{image: "{image}"{words}{more}}}
    outputs: {{parameters: [{{name: o, valueFrom: {{path: /tmp/out}}}}]}}
"""


SH = ["sh", "-c"]


def wait_for(score, what, test, *procs):
    until = time.monotonic() + LIMIT_S
    while not (got := test()):
        if time.monotonic() > until or any(p.poll() is not None for p in procs):
            return score.check(False, f"waited in vain for {what}") and None
        time.sleep(0.02)  # poll
    return got


# ---- cases: (score, place) ----

def hello(score, p):
    """The store comes before the built-in table; what a row says comes before both."""
    p.bring("busybox:1.36", make())
    p.bring("app:1", make())
    for name, image in (("builtin", "busybox:1.36"), ("own", "app:1"), ("full", "docker.io/library/app:1")):
        wf = p.run(name, one(image, SH + ["cat /marker > /tmp/out"]))
        score.check(outputs(wf).get(name) == {"o": "two"}, f"{image}: {wf['status']}")
    rows = p.write("rows.yaml", "images:\n  busybox: host\n  python: {image: 'app:1', cmd: [sh, -c, 'echo $A $B > /tmp/out'], env: {A: row}}\n  gone: absent\n")
    wf = p.run("host", one("busybox:1.36", SH + ["test ! -e /marker && echo host > /tmp/out"]), "--images", rows)
    score.check(outputs(wf).get("host") == {"o": "host"}, f"a row before the store: {wf['status']}")
    wf = p.run("row", one("python:3", None, ", env: [{name: B, value: template}]"), "--images", rows)
    score.check(outputs(wf).get("row") == {"o": "row template"}, f"a row that is an image: {wf['status']}")
    wf = p.run("gone", one("gone:1"), "--images", rows)
    score.check("its row says absent" in errors(wf).get("gone", ""), f"absent: {errors(wf)}")
    wf = p.run("real", one("alpine:3", SH + ["true"]), "--no-builtin-images", env={"SKIFF_IMAGE_PULL": "never"})
    score.check("neither mapped nor available: images.pull is never" in errors(wf).get("real", ""), f"without the table: {errors(wf)}")
    wf = p.run("table", one("alpine:3", SH + ["echo table > /tmp/out"]), env={"SKIFF_IMAGE_PULL": "never"})
    score.check(outputs(wf).get("table") == {"o": "table"}, f"with it: {wf['status']}")


def configs(score, p):
    """Entrypoint, command, environment, directory and user."""
    root = not p.user and os.geteuid() == 0
    show = "echo $(id -u):$(id -g) $(pwd) $HOME $PATH ${A-none} > /tmp/out"
    me = "0:0" if root else None
    rows = [  # image's config, container's members, what comes out
        ({"Entrypoint": ["say"], "Cmd": ["a", "b"]}, "", "say a b"),
        ({"Entrypoint": ["say"], "Cmd": ["a", "b"]}, ", args: [x]", "say x"),
        ({"Entrypoint": ["sh"], "Cmd": ["a", "b"]}, ", command: [/bin/say, z]", "say z"),
        ({"Cmd": ["say", "cmd"]}, "", "say cmd"),
        ({"Entrypoint": ["/bin/sh", "-c", "say $A"], "Env": ["A=env", "PATH=/bin"]}, "", "say env"),
        ({"Cmd": SH + [show]}, "", f"{me} / /root /bin none"),
        ({"Cmd": SH + [show], "WorkingDir": "/new/dir", "Env": ["PATH=/bin:/x", "A=1"]}, "", f"{me} /new/dir /root /bin:/x 1"),
        ({"Cmd": SH + [show], "Env": ["HOME=/h", "PATH=/bin", "A=1"]}, ", workingDir: /opt, env: [{name: A, value: '2'}]", f"{me} /opt /h /bin 2"),
        ({"Cmd": SH + ["touch /data/x && stat -c %F /data > /tmp/out"], "Volumes": {"/data": {}}}, "", "directory"),
    ]
    if root:
        rows += [
            ({"Cmd": SH + [show], "User": "app"}, "", "1000:1001 / /home/app /bin none"),
            ({"Cmd": SH + [show], "User": "1000:staff"}, "", "1000:50 / /home/app /bin none"),
            ({"Cmd": SH + [show], "User": "77"}, "", "77:0 / / /bin none"),
            ({"Cmd": SH + [show], "User": "app"}, ", securityContext: {runAsUser: 5, runAsGroup: 6}", "5:6 / / /bin none"),
            ({"Cmd": SH + ["touch /data/x && echo mine > /tmp/out"], "User": "1000", "Volumes": {"/data": {}}}, "", "mine"),
            ({"Cmd": SH + [CAPS]}, "", f"{NOTHING} {MAY}"),
            ({"Cmd": SH + [CAPS]}, RIGHTS % "capabilities: {drop: [ALL]}", NOTHING),
            ({"Cmd": SH + [CAPS]}, RIGHTS % "runAsUser: 5", NOTHING),
            ({"Cmd": SH + [CHOWN]}, "", "5:6"),
            ({"Cmd": SH + [CHOWN]}, RIGHTS % "capabilities: {drop: [CAP_CHOWN]}", "0:0"),
            ({"Cmd": SH + [CHOWN]}, RIGHTS % "capabilities: {drop: [ALL], add: [CHOWN, SYS_ADMIN]}", "5:6"),
            ({"Cmd": SH + ["umask 077; echo mine > /tmp/out; chown 5 /tmp/out"]}, "", "mine"),
            ({"Cmd": SH + ["mount -t tmpfs x /opt 2>/dev/null || mknod /d c 1 3 2>/dev/null || chroot / mount -t proc x /opt 2>/dev/null || echo no > /tmp/out"]},
             "", "no"),
        ]
    else:
        rows.append(({"Cmd": SH + ["echo $HOME > /tmp/out"], "User": "app"}, "", "/home/app"))
    for i, (config, members, want) in enumerate(rows):
        ref = f"config:{i}"
        p.bring(ref, make(config))
        wf = p.run(f"c{i}", one(ref, None, members))
        got = outputs(wf).get(f"c{i}", {}).get("o") or ""
        if want.startswith("None "):  # whoever this is
            got, want = got.partition(" ")[2], want[5:]
        score.check(got == want, f"{config} {members}: {got!r}, not {want!r}; {errors(wf)}")
        if not root and "User" in config:
            score.check("without root" in wf["said"], f"a user that cannot be had is told: {wf['said']}")
    bad = [({"Cmd": None}, "", "no command specified"), ({"Cmd": ["gone"]}, "", '"gone" not found'),
           ({"User": "ghost"}, "", "unable to find user ghost"), ({"User": "app:ghosts"}, "", "unable to find group ghosts"),
           ({}, ", securityContext: {runAsNonRoot: true}", "image will run as root")]
    for i, (config, members, says) in enumerate(bad):
        ref = f"bad:{i}"
        p.bring(ref, make(config))
        wf = p.run(f"b{i}", one(ref, None, members))
        score.check(says in errors(wf).get(f"b{i}", ""), f"{config} {members}: {errors(wf)}")


def shapes(score, p):
    """Many layers; an /etc that is a link; a description that is larger than a message."""
    many = images.Image(*layers(), *[images.tar((f"n/{i}", str(i))) for i in range(124)], config={"Cmd": ["sh"], "Env": ["PATH=/bin"]})
    p.bring("many:1", many)
    wf = p.run("many", one("many:1", SH + ["ls /n | wc -l > /tmp/out"]))
    score.check(outputs(wf).get("many") == {"o": "124"}, f"126 layers: {errors(wf)}")
    parts = [e for e in entries() if not e[0].startswith("etc")]
    linked = images.Image(images.tar(*parts, ("store/", None), ("store/passwd", PASSWD), ("etc", "->/store")), config={"User": "root", "Env": ["PATH=/bin"]})
    p.bring("linked:1", linked)
    wf = p.run("linked", one("linked:1", SH + ["test -s /etc/hosts && test -f /store/resolv.conf && cat /etc/hostname > /tmp/out && test -s /etc/passwd"]))
    score.check(outputs(wf).get("linked") == {"o": "skiff"}, f"/etc is a link: {errors(wf)}")
    wf = p.run("large", one("many:1", SH + ["echo ${#A} > /tmp/out"], f", env: [{{name: A, value: '{'x' * 60000}'}}]"))
    score.check(outputs(wf).get("large") == {"o": "60000"}, f"a large description: {errors(wf)}")


POD = """  arguments: {artifacts: [{name: tree, raw: {data: given}}]}
  volumes:
  - {name: conf, configMap: {name: conf}}
  - {name: keys, secret: {secretName: keys}}
  - {name: scratch, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory}}
  templates:
  - name: main
    dag:
      tasks:
      - {name: make, template: make}
      - name: use
        template: use
        depends: make
        arguments:
          artifacts: [{name: dir, from: "{{tasks.make.outputs.artifacts.opt}}"}, {name: file, from: "{{tasks.make.outputs.artifacts.file}}"}]
  - name: make
    script:
      image: app:1
      command: [sh]
      volumeMounts: [{name: conf, mountPath: /conf}, {name: keys, mountPath: /keys}, {name: scratch, mountPath: /scratch}, {name: memory, mountPath: /memory}]
      source: |
        set -e
        echo own > /opt/own
        echo new > /made
        cat /conf/a /keys/k
        touch /scratch/x /memory/x /dev/shm/x
        test -c /dev/null && test -d /proc/self && test -r /etc/resolv.conf && test -r /etc/hosts && test ! -e /opt/gone
        { echo $(cat /etc/hostname) = $(hostname); cat /kept; echo $0; ls -d /argo/bin; } | tr '\\n' ' ' > /tmp/out
    outputs:
      artifacts: [{name: opt, path: /opt}, {name: file, path: /made}, {name: base, path: /kept}]
      parameters: [{name: o, valueFrom: {path: /tmp/out}}, {name: kept, valueFrom: {path: /kept}}]
  - name: use
    inputs: {artifacts: [{name: dir, path: /in/dir}, {name: file, path: /opt/in}]}
    container:
      image: app:1
      command: [sh, -c, "echo more >> /opt/in; echo x > /in/dir/x; rm /in/dir/base; cat /in/dir/own /opt/in /opt/base | tr '\\\\n' ' ' > /tmp/out; ls /in/dir | tr '\\\\n' ' ' >> /tmp/out"]
    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/out}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: one}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {k: secret}
"""


def pods(score, p):
    """Everything else of a pod."""
    p.bring("app:1", make())
    wf = p.run("pod", POD)
    got = outputs(wf)
    score.check(got.get("make") == {"o": "skiff = skiff kept /argo/staging/script /argo/bin ", "kept": "kept"}, f"{got}, {errors(wf)}")
    score.check(got.get("use") == {"o": "own new more baseown x "}, f"{got}, {errors(wf)}")
    text = """  templates:
  - name: main
    volumes: [{name: both, emptyDir: {}}]
    initContainers: [{name: first, image: "app:1", command: [sh, -c, "cat /marker > /both/init"], volumeMounts: [{name: both, mountPath: /both}]}]
    sidecars: [{name: side, image: "app:1", command: [sh, -c, "cat /marker > /both/side; sleep 1000"], volumeMounts: [{name: both, mountPath: /both}]}]
    container:
      image: app:1
      command: [sh, -c, "while test ! -s /both/side; do sleep 0.01; done; cat /both/init /both/side > /tmp/out"]
      volumeMounts: [{name: both, mountPath: /both}]
    outputs: {parameters: [{name: o, valueFrom: {path: /tmp/out}}]}
"""
    wf = p.run("parts", text)
    score.check(outputs(wf).get("parts") == {"o": "twotwo"}, f"init container and sidecar: {wf['status']}")
    text = """  templates:
  - name: main
    containerSet:
      volumeMounts: [{name: w, mountPath: /w}]
      containers:
      - {name: a, image: "app:1", command: [sh, -c, "cat /marker > /w/a"]}
      - {name: main, image: "app:1", command: [sh, -c, "cat /w/a > /w/out"], dependencies: [a]}
    outputs: {parameters: [{name: o, valueFrom: {path: /w/out}}]}
  volumes: [{name: w, emptyDir: {}}]
"""
    wf = p.run("set", text)
    score.check(outputs(wf).get("set") == {"o": "two"}, f"container set: {wf['status']}")


def policies(score, p):
    reg = new_registry()
    image = make()
    ref = reg.put("app", "1", image)
    command = SH + ["cat /marker > /tmp/out"]
    wf = p.run("never", one(ref, command, ", imagePullPolicy: Never"))
    score.check("ErrImageNeverPull" in errors(wf).get("never", "") and not reg.asked, f"Never, absent: {errors(wf)}")
    wf = p.run("first", one(ref, command))
    score.check(outputs(wf).get("first") == {"o": "two"}, f"pulled: {wf['status']}")
    asked = len(reg.asked)
    for name, more in (("default", ""), ("present", ", imagePullPolicy: IfNotPresent"), ("here", ", imagePullPolicy: Never")):
        wf = p.run(name, one(ref, command, more))
        score.check(outputs(wf).get(name) == {"o": "two"} and len(reg.asked) == asked, f"{name}: {wf['status']}, {reg.asked[asked:]}")
    reg.put("app", "1", make(None, ("marker", "three")))
    wf = p.run("always", one(ref, command, ", imagePullPolicy: Always"))
    score.check(outputs(wf).get("always") == {"o": "three"}, f"Always: {wf['status']}")
    pin = f"{reg.host}/app@{images.digest(image.manifest)}"
    wf = p.run("pin", one(pin, command))
    score.check(outputs(wf).get("pin") == {"o": "two"}, f"a digest: {wf['status']}")
    wf = p.run("wrong", one(f"{reg.host}/app@sha256:{'0' * 64}", command))
    score.check("ErrImagePull" in errors(wf).get("wrong", ""), f"a digest that nobody has: {errors(wf)}")
    latest = reg.put("app", "latest", image)
    for name in ("latest1", "latest2"):
        wf = p.run(name, one(latest[:-len(":latest")], command))
        score.check(outputs(wf).get(name) == {"o": "two"}, f"latest: {wf['status']}")
    reg.close()
    OPEN.remove(reg)
    wf = p.run("offline", one(ref, command))
    score.check(outputs(wf).get("offline") == {"o": "three"}, f"what is here needs no registry: {wf['status']}")
    wf = p.run("unreachable", one(ref, command, ", imagePullPolicy: Always"))
    score.check("its pull policy is Always, and ErrImagePull" in errors(wf).get("unreachable", ""), f"Always, unreachable: {errors(wf)}")
    wf = p.run("told", one(ref, command, ", imagePullPolicy: Always"), "--image-fallback", "host")
    score.check("its pull policy is Always, and ErrImagePull" in errors(wf).get("told", ""), f"the host is no substitute for what is here: {errors(wf)}")
    wf = p.run("alone", one(ref, command, ", imagePullPolicy: Always"), env={"SKIFF_IMAGE_PULL": "never"})
    score.check(outputs(wf).get("alone") == {"o": "three"}, f"images.pull never: {wf['status']}")
    wf = p.run("absent", one("127.0.0.1:1/x:1", command))
    score.check("neither mapped nor available: ErrImagePull" in errors(wf).get("absent", ""), f"unreachable: {errors(wf)}")
    score.check([n["phase"] for n in leaves(wf)] == ["Error"], "that is an Error")
    wf = p.run("fallback", one("127.0.0.1:1/x:1", SH + ["echo host > /tmp/out"]), "--image-fallback", "host")
    score.check(outputs(wf).get("fallback") == {"o": "host"}, f"fallback: {wf['status']}")
    wf = p.run("name", one("Bad//Name", command))
    score.check("InvalidImageName" in errors(wf).get("name", ""), f"no name: {errors(wf)}")


class Gate:
    """A registry that keeps its blobs back until it is opened."""

    def __init__(self):
        self.opened = threading.Event()
        self.registry = new_registry(self.hook)

    def hook(self, r, kind, name):
        if kind == "blob":
            self.opened.wait(LIMIT_S)
        return False


def waiting(score, p):
    """While an image is on its way."""
    gate = Gate()
    ref = gate.registry.put("app", "1", make())
    many = f"""  templates:
  - name: main
    steps: [[{{name: s, template: t, withSequence: {{count: "5"}}}}]]
  - name: t
    container: {{image: "{ref}", command: [cat, /marker]}}
"""
    first = p.begin("first", many)
    wait_for(score, "a pull", lambda: gate.registry.count("blob"), first)
    second = p.begin("second", many)
    wanted = f'Pulling image "{ref}"'
    for name in ("first", "second"):
        wait_for(score, name, lambda: (wf := p.get(name)) and [n.get("message") for n in leaves(wf)] == [wanted] * 5 and
                 {n["phase"] for n in leaves(wf)} == {"Pending"}, first, second)
    stopped = p.begin("stopped", one(ref, ["true"]))
    wait_for(score, "stopped", lambda: (wf := p.get("stopped")) and leaves(wf) and leaves(wf)[0].get("message") == wanted, stopped)
    score.check(p.skiff_call("stop", "stopped").returncode == 0, "stop")
    score.check(stopped.communicate(timeout=LIMIT_S) and stopped.returncode == 1, "a step whose image is on its way is stopped")
    late = p.begin("late", one(ref, ["true"]) + "    timeout: 1s\n")
    out, err = late.communicate(timeout=LIMIT_S)
    score.check(late.returncode == 1 and "deadline" in out + err, f"and its deadline passes: {out}{err}")
    gate.opened.set()
    said = first.communicate(timeout=LIMIT_S)[0], second.communicate(timeout=LIMIT_S)[0]
    score.check(first.returncode == 0 and second.returncode == 0, f"both go on: {said}")
    score.check(all(s.count(wanted) == 5 for s in said), f"each waiting step says so once: {said}")
    blobs = [n for k, n, _ in gate.registry.asked if k == "blob"]
    score.check(len(blobs) == len(set(blobs)) == 3, f"one pull for all: {blobs}")


def killed(score, p):
    """The engine dies while an image is on its way; the next one pulls it."""
    gate = Gate()
    ref = gate.registry.put("app", "1", make())
    x = p.begin("k", one(ref, SH + ["cat /marker > /tmp/out"]))
    wait_for(score, "a pull", lambda: gate.registry.count("blob"), x)
    x.send_signal(signal.SIGKILL)
    x.communicate()
    gate.opened.set()
    again = p.skiff_call("run", "--resume", "k", "-o", "json")
    score.check(again.returncode == 0 and outputs(json.loads(again.out)).get("k") == {"o": "two"}, f"resumed: {again.out[-600:]} {again.err[-300:]}")


def in_use(score, p):
    """An image whose step runs is not removed, whoever else dies; a new engine takes the step over."""
    ref = "app:1"
    p.bring(ref, make())
    os.mkdir(p.path("w"))
    os.chmod(p.path("w"), 0o777)
    text = f"""  volumes: [{{name: w, hostPath: {{path: "{p.path('w')}"}}}}]
""" + one(ref, SH + ["touch /w/begun; while test ! -e /w/go; do sleep 0.02; done; cat /marker > /tmp/out"], ", volumeMounts: [{name: w, mountPath: /w}]")
    x = p.begin("u", text.replace("volumeMounts:", f"env: [{{name: A, value: '{'x' * 60000}'}}], volumeMounts:"))  # the hold comes with a large description
    wait_for(score, "the step", lambda: os.path.exists(p.path("w/begun")), x)
    dirs = [layer["directory"] for layer in p.inspect(ref)["layers"]]
    for who in ("the engine at work", "the engine dead"):
        got = p.call("rm", ref)
        score.check(got.returncode == 9 and "in use" in got.stderr, f"rm, {who}: {got}")
        p.bring(ref, make(None, ("marker", "new" + who[11:])))  # the name moves on
        p.call("gc")
        score.check(all(os.path.isdir(d) for d in dirs), f"gc, {who}")
        p.bring(ref, make())
        if x.poll() is None:
            x.send_signal(signal.SIGKILL)
            x.communicate()
    again = p.skiff_start("run", "--resume", "u", "-o", "json")
    wait_for(score, "the step to be taken over", lambda: (wf := p.get("u")) and [n["phase"] for n in leaves(wf)] == ["Running"], again)
    score.check(p.call("rm", ref).returncode == 9, "rm, a new engine at work")
    open(p.path("w/go"), "w").close()
    out, err = again.communicate(timeout=LIMIT_S)
    score.check(again.returncode == 0 and outputs(json.loads(out)).get("u") == {"o": "two"}, f"the step goes on: {out[-500:]} {err}")
    got = p.call("rm", ref)
    score.check(got.returncode == 0, f"rm afterwards: {got}")
    p.call("gc")
    score.check(not any(os.path.exists(d) for d in dirs) and not p.files("layers"), f"gc afterwards: {p.files('layers')}")


CASES = [hello, configs, shapes, pods, policies, waiting, killed, in_use]

if __name__ == "__main__":
    sys.exit(run_cases(CASES, Runs))
