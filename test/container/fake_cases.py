"""With an engine that runs nothing: what it is asked, and what becomes of a step when it fails in ways that Podman does not."""
import base64
import json
import os
import signal
import threading

import fake
from run import Bench, holds, same, until, wf

HELLO = fake.frame(1, b"hello\n")
PLAIN = "container: {image: app:1}"


class _FakeBench(Bench):
    def __init__(self, directory):
        super().__init__(directory, os.path.join(directory, "engine.sock"), "app:1")

    def engine(self, **how):
        return fake.Fake(self.socket, **how)

    def clean(self, f):
        until(lambda: not f.containers and not self.left(), f"left over: {[c.name for c in f.containers.values()]} {self.left()}")


def _ends(b, f, text, phase, message=None, **more):
    o = b.run(text, **more).is_(phase, message)
    b.clean(f)
    f.close()
    return o


def request(b):
    """What stands in a template is what the engine is asked for."""
    f = b.engine(output=HELLO)
    o = _ends(b, f, wf("""
hostAliases: [{ip: 10.0.0.1, hostnames: [one, two]}]
securityContext: {runAsUser: 12, runAsGroup: 13, supplementalGroups: [14], fsGroup: 15}
container:
  image: app:1
  command: [run, '{{workflow.name}}']
  args: [a, b c]
  workingDir: /work
  env: [{name: A, value: x}]
  resources: {limits: {cpu: 500m, memory: 64Mi}, requests: {cpu: 250m, memory: 32Mi}}
  securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN], drop: [ALL]}}
  volumeMounts: [{name: m, mountPath: /mem}, {name: h, mountPath: /h, readOnly: true}]
""", "  volumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}, {name: h, hostPath: {path: /usr}}]\n"
                            "  hostAliases: [{ip: 10.0.0.9, hostnames: [all]}]\n  dnsConfig: {searches: [here.example]}\n"), "Succeeded")
    body = f.made[0].body
    host = body.pop("HostConfig")
    env = body.pop("Env")
    mounts = {m["Target"]: (m["Type"], m["ReadOnly"]) for m in host.pop("Mounts")}
    holds("A=x" in env and not [e for e in env if e.startswith(("PATH=", "HOME="))], env)
    same(body["Labels"]["io.skiff.run"], o.workflow["metadata"]["uid"])
    same({k: v for k, v in body.items() if k not in ("Labels", "Hostname")}, {
        "Image": "app:1", "Entrypoint": ["run", "w"], "Cmd": ["a", "b c"], "WorkingDir": "/work", "User": "12:13",
        "AttachStdout": True, "AttachStderr": True})
    same(host, {"LogConfig": {"Type": "none"}, "NetworkMode": "host", "ExtraHosts": ["all:10.0.0.9", "one:10.0.0.1", "two:10.0.0.1"], "GroupAdd": ["14", "15"], "NanoCpus": 500000000,
                "Memory": 64 << 20, "MemorySwap": 64 << 20, "CpuShares": 256, "MemoryReservation": 32 << 20, "ReadonlyRootfs": True,
                "CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Tmpfs": {"/mem": "rw,mode=1777,size=1048576"}})
    same(mounts, {"/h": ("bind", True), "/var/run/argo": ("bind", False), "/etc/resolv.conf": ("bind", False)})
    same(b.logs(), "w: hello\n")


def refusals(b):
    """What cannot be had is an Error that names the field, and nothing is asked for."""
    f = b.engine()
    rows = (("container: {image: app:1, resources: {limits: {ephemeral-storage: 1Gi}}}", "resources.limits: ephemeral-storage"),
            ("container: {image: app:1, securityContext: {seccompProfile: {type: Unconfined}}}", "securityContext.seccompProfile"),
            ("container: {image: app:1, securityContext: {runAsGroup: 5}}", "securityContext.runAsGroup without runAsUser"),
            ("container: {image: app:1, volumeMounts: [{name: m, mountPath: /m}]}\noutputs: {parameters: [{name: p, valueFrom: {path: /m/p}}]}\n"
             "volumes: [{name: m, emptyDir: {medium: Memory}}]", "emptyDir.medium Memory"),
            ("container: {image: app:1}\nsidecars: [{name: s, image: app:1}]", "container.network = host"))
    for text, message in rows:
        env = {"SKIFF_CONTAINER_NETWORK": "bridge"}
        b.run(wf(text), env=env).is_("Error", message)
        b.delete()
    same(f.made, [])
    b.run(wf(PLAIN), env={"SKIFF_CONTAINER_NETWORK": "bridge"}).is_("Succeeded")
    same(f.made[0].body["HostConfig"]["NetworkMode"], "bridge")
    f.close()


def policies(b):
    """imagePullPolicy is kept, and credentials go to the engine."""
    os.makedirs(b.home + "/.docker")
    with open(b.home + "/.docker/config.json", "w") as out:
        json.dump({"auths": {"reg.example:5": {"auth": base64.b64encode(b"me:se?cret~~").decode()}}}, out)
    for image, policy, present, pulls in (("reg.example:5/a:1", "", True, 0), ("reg.example:5/a:1", "", False, 1), ("reg.example:5/a", "", True, 1),
                                          ("reg.example:5/a:1", "Always", True, 1), ("reg.example:5/a:latest", "IfNotPresent", True, 0)):
        f = b.engine()
        if not present:
            f.hooks["GET", "image"] = lambda r, c: r.reply(404, {"message": "No such image"}) or True
        _ends(b, f, wf(f"container: {{image: '{image}', imagePullPolicy: '{policy}'}}" if policy else f"container: {{image: '{image}'}}"), "Succeeded")
        b.delete()
        same(f.count("POST", "pull"), pulls, f"{image} {policy}:")
        if pulls:
            query, headers = next(a[2:] for a in f.asked if a[1] == "pull")
            same(query, {"fromImage": "reg.example:5/a", "tag": "1" if image.endswith(":1") else "latest"})
            given = json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))
            same(given, {"username": "me", "password": "se?cret~~", "serveraddress": "reg.example:5"})


def pulls_that_fail(b):
    """A failure in the stream of a pull, one instead of it, and a stream that breaks off."""
    def in_stream(r, c):
        r.reply(200, b'{"status":"Pulling"}\n{"errorDetail":{"message":"no such manifest"},"error":"no such manifest"}\n')
        return True

    def cut(r, c):
        r.send_response(200)
        r.send_header("Content-Length", "1000")
        r.end_headers()
        r.wfile.write(b'{"status"')
        r.close_connection = True
        return True
    for hook, message in ((in_stream, "no such manifest"), (lambda r, c: r.reply(500, {"message": "disk is full"}) or True, "disk is full"),
                          (cut, "unexpected EOF")):
        f = b.engine()
        f.hooks["POST", "pull"] = hook
        _ends(b, f, wf("container: {image: app:1, imagePullPolicy: Always}"), "Error", message)
        same(f.made, [])
        b.delete()


def names_that_are_taken(b):
    """A container that a try before this one left goes; one that is not Skiff's stays, and is said to be in the way."""
    def first(labels):
        def hook(r, c):
            if f.made:
                return False
            f.put(r.query["name"], labels)
            return False
        return hook
    f = b.engine(output=HELLO)
    f.hooks["POST", "create"] = first({"io.skiff.step": "999"})
    _ends(b, f, wf(PLAIN), "Succeeded")
    same([len(f.made), f.count("DELETE", "container")], [2, 2])
    b.delete()
    f = b.engine()
    f.hooks["POST", "create"] = first(None)
    b.run(wf(PLAIN)).is_("Error", "is not Skiff's")
    same(len(f.containers), 1)
    f.close()


def starts_that_fail(b):
    """Every request before the start may fail: the step is an Error in the engine's words, and nothing is left."""
    for what, status in (("create", 500), ("create", 404), ("attach", 500), ("start", 400), ("start", 404), ("start", 500)):
        f = b.engine()
        f.hooks["POST", what] = lambda r, c: r.reply(status, {"message": f"because of {what}"}) or True
        _ends(b, f, wf(PLAIN), "Error", f"{what}: because of {what}")
        b.delete()


def output_that_breaks_off(b):
    """A stream that is cut or is none: the step ends as its container did, and its log says that it is not complete."""
    for output, said in ((HELLO + fake.frame(2, b"far more than comes")[:12], ["w: hello", "w: far ", "w: skiff: what the container printed is not complete"]),
                         (b"HTTP/1.1 200 OK", ["w: skiff: what the container printed is not complete: "])):
        f = b.engine(output=output, code=4)
        o = _ends(b, f, wf(PLAIN), "Failed")
        same(o.outputs("wf").get("exitCode"), "4")
        text = b.logs()
        holds(all(s.split(": ", 1)[1] in text for s in said), text)
        b.delete()


def output_that_does_not_end(b):
    """A stream that stays open when the container has ended is left."""
    f = b.engine(code=4)
    end = threading.Event()

    def hook(r, c):
        r.stream()
        r.wfile.write(HELLO)
        end.wait(60)
        return True
    f.hooks["POST", "attach"] = hook
    o = _ends(b, f, wf(PLAIN), "Failed")
    end.set()
    same(o.outputs("wf").get("exitCode"), "4")
    holds("w: hello" in b.logs() and "is not complete" in b.logs(), b.logs())


def engine_that_is_restarted(b):
    """While a container runs its engine may be gone for a moment: whoever waits asks again."""
    f = b.engine(output=HELLO, code=5)
    tries = []

    def hook(r, c):
        tries.append(1)
        if len(tries) < 3:
            r.close_connection = True
            if len(tries) == 2:
                r.reply(503, {"message": "starting"})
            return True
        return False
    f.hooks["POST", "wait"] = hook
    o = _ends(b, f, wf(PLAIN), "Failed")
    same([o.outputs("wf").get("exitCode"), len(tries)], ["5", 3])


def removed_by_others(b):
    """A container that somebody has removed meanwhile is an Error."""
    f = b.engine()
    f.hooks["POST", "wait"] = lambda r, c: r.reply(404, {"message": "No such container: x"}) or True
    _ends(b, f, wf(PLAIN), "Error", "No such container: x")


def memory(b):
    """A container that was killed for its memory ended with 137."""
    f = b.engine(code=137)

    def hook(r, c):
        c.oom = True
        return False
    f.hooks["GET", "json"] = hook
    o = _ends(b, f, wf(PLAIN), "Failed", "out of memory")
    same(o.outputs("wf").get("exitCode"), "137")


def outputs_that_lie(b):
    """Archives that are damaged or lead elsewhere."""
    text = PLAIN + "\noutputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}"
    up = fake.tar("p", b"x").replace(b"p" + bytes(8), b"../../x" + bytes(2), 1)
    rows = ((b"no tar at all" * 100, "output /tmp/p"), (fake.tar("p", b"x" * 3000)[:1024], "output /tmp/p"), (up, "output /tmp/p"))
    for data, message in rows:
        f = b.engine(files={"/tmp/p": data})
        _ends(b, f, wf(text), "Error", message)
        b.delete()
    f = b.engine(files={"/tmp/p": fake.tar("p", b"value\n")})
    same(_ends(b, f, wf(text), "Succeeded").parameter("wf", "p"), "value")


def stopped_while_pulling(b):
    """Who stops a step before its container runs does not wait for the image."""
    f = b.engine()
    pulling, end = threading.Event(), threading.Event()

    def hook(r, c):
        pulling.set()
        end.wait(60)
        return False
    f.hooks["POST", "pull"] = hook
    p = b.start(wf("container: {image: app:1, imagePullPolicy: Always}"))
    holds(pulling.wait(60), "it does not pull")
    same(b.call("stop", "w").returncode, 0)
    p.wait(60)
    end.set()
    same(f.made, [])
    b.get().is_("Failed", "Stop")
    b.clean(f)
    f.close()


def stopped(b):
    """SIGTERM is the engine's `stop` with the grace period, once; who does not want to wait for that kills."""
    f = b.engine(output=HELLO, hold=True)
    p = b.start(wf(PLAIN), env={"SKIFF_GRACE": "17"})
    b.up(p, "hello")
    same(b.call("stop", "w").returncode, 0)
    p.wait(60)
    same([a[2] for a in f.asked if a[1] == "stop"], [{"t": "17"}])
    same(b.get().is_("Failed").outputs("wf").get("exitCode"), "143")
    b.clean(f)
    b.delete()
    f.close()
    f = b.engine(output=HELLO, hold=True)
    asked, end = threading.Event(), threading.Event()

    def hook(r, c):
        asked.set()
        end.wait(60)
        return False
    f.hooks["POST", "stop"] = hook
    p = b.start(wf(PLAIN))
    b.up(p, "hello")
    same(b.call("stop", "w").returncode, 0)
    holds(asked.wait(60), "no stop")
    p.send_signal(signal.SIGINT)
    until(lambda: p.send_signal(signal.SIGINT) or f.count("POST", "kill"), "no kill")
    p.wait(60)
    until(lambda: not f.containers, "the container is left")
    end.set()
    f.close()


_BESIDE = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: d, template: d}], [{name: x, template: x}]]
  - {name: d, daemon: true, container: {image: 'app:2'%s}}
  - {name: x, container: {image: 'app:1'}}
"""


def a_hook_after_the_workflow(b):
    """A daemon whose preStop hook is run when its workflow is over already."""
    f = b.engine(output=HELLO, hold=True)
    f.hooks["POST", "start"] = lambda r, c: c.body["Image"] == "app:1" and c.end(0)
    f.hooks["POST", "exec"] = lambda r, c: r.reply(500, {"message": "none"}) or True
    b.run(_BESIDE % ", lifecycle: {preStop: {exec: {command: ['true']}}}").is_("Succeeded")
    same((f.count("POST", "exec"), f.count("POST", "stop")), (1, 1))
    b.clean(f)
    f.close()


def a_daemon_that_is_not_there_yet(b):
    """Who waits for a daemon waits until its container has started, however long the engine takes."""
    f = b.engine(output=HELLO, hold=True)
    order, second = [], threading.Event()

    def start(r, c):
        if c.body["Image"] == "app:2":
            second.wait(0.5)  # it must not come
        else:
            second.set()
        order.append(c.body["Image"])
        return c.body["Image"] == "app:1" and c.end(0)
    f.hooks["POST", "start"] = start
    b.run(_BESIDE % "").is_("Succeeded")
    same(order, ["app:2", "app:1"])
    b.clean(f)
    f.close()


def removals_that_fail(b):
    """A container that cannot be removed is remembered, and removed by whoever starts next."""
    f = b.engine(output=HELLO)
    f.hooks["DELETE", "container"] = lambda r, c: r.reply(500, {"message": "busy"}) or True
    b.run(wf(PLAIN)).is_("Succeeded")
    same(len(f.containers), 1)
    del f.hooks["DELETE", "container"]
    same(b.call("run", b.file(wf(PLAIN).replace("name: w", "name: next"))).returncode, 0)
    b.clean(f)
    f.close()


def removals_by_upkeep(b):
    """`skiff gc` and `skiff doctor --fix` remove the container before what remembers it, and leave both where they cannot."""
    f = b.engine(output=HELLO)
    b.run(wf(PLAIN)).is_("Succeeded")
    b.clean(f)
    for verb in (("gc",), ("doctor", "--fix")):
        f.put("skiff-lost", {"io.skiff.step": "999"})
        os.makedirs(b.state + "/work/999")
        with open(b.state + "/work/999/container", "w") as out:
            json.dump({"socket": b.socket, "name": "skiff-lost", "step": "999"}, out)
        f.hooks["GET", "json"] = lambda r, c: r.reply(200, b"busy") or True
        p = b.call(*verb)
        holds("the container of step 999 is still there" in p.stdout + p.stderr and b.left() == ["999"], f"{verb}: {p}, {b.left()}")
        del f.hooks["GET", "json"]
        p = b.call(*verb)
        holds(not f.containers and not b.left(), f"{verb}: {p}, {f.containers}, {b.left()}")
    f.close()


def private_networks(b):
    """Those of Skiff's own sandbox are not had here, which is said and not ignored."""
    f = b.engine()
    p = b.call("run", "--network", "private", b.file(wf(PLAIN)))
    holds(p.returncode == 2 and "container.network" in p.stderr and not f.made, p)
    f.close()


def other_runtime(b):
    """What an engine with this runtime left can be taken over by one with another."""
    f = b.engine(output=HELLO, hold=True, code=0)
    p = b.start(wf(PLAIN))
    b.up(p, "hello")
    p.kill()
    p.wait()
    p = b.spawn("run", "--resume", "w", "--runtime", "none")
    next(iter(f.containers.values())).end(6)
    p.wait(60)
    same(b.get().is_("Failed").outputs("wf").get("exitCode"), "6")
    b.clean(f)
    f.close()
