"""Workflows for the crash tests. Each step appends `S key` when it begins and `E key` when it ends
to a file outside of the sandbox, so that its executions can be counted. A shape says which keys must
have run and what must come out."""
import functools
import io
import json
import os
import sys
import tarfile
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../http"))
import servers  # noqa: E402

HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: c-}
spec:
  entrypoint: main
"""


making = threading.Lock()


@functools.cache
def made():
    """A server that keeps what is PUT, and has a directory packed."""
    packed, kept = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as t:
        for name in ("d/a", "d/b"):
            info = tarfile.TarInfo(name)
            info.size = 4
            t.addfile(info, io.BytesIO(b"one\n"))
    kept["/dir.tgz"] = packed.getvalue()

    def answer(r):
        if r.command == "PUT":
            kept[r.url_path] = r.body
            return 201, [], b""
        return (200, [], kept[r.url_path]) if r.url_path in kept else (404, [], b"")
    return servers.Server(answer)


def server():
    with making:
        return made()


class Shape:
    def __init__(self, name, body, keys, phase="Succeeded", outputs=None, tiers=("none", "ro", "overlay")):
        self.name, self.body, self.keys = name, body, keys
        self.phase, self.outputs, self.tiers = phase, outputs or {}, tiers

    def text(self, place):
        """For tier none the host's directory is there as it is; the others get it mounted."""
        sandbox = place.tier != "none"
        log = "/mnt/count/log" if sandbox else place.log_path()
        text = HEAD + self.body.replace("@LOG@", log).replace("@URL@", server().url if "@URL@" in self.body else "")
        volumes = f"  volumes:\n  - name: count\n    hostPath: {{path: {json.dumps(place.count)}}}\n"
        mounts = "      volumeMounts: [{name: count, mountPath: /mnt/count}]\n"
        text = text.replace("@MOUNTS@\n", mounts if sandbox else "")
        return text + (volumes if sandbox else "")


def step(name, key, script, extra="", inputs="inputs: {parameters: [{name: k}]}"):
    """A script template that notes its beginning and its end under `key`."""
    lines = [f"echo \"S {key}\" >> @LOG@", *script, f"echo \"E {key}\" >> @LOG@"]
    source = "".join(f"        {line}\n" for line in lines)
    return (f"  - name: {name}\n    {inputs}\n{extra}    script:\n      image: busybox\n      command: [sh]\n"
            f"@MOUNTS@\n      source: |\n{source}")


def chain(n=6):
    calls = "".join(
        f"    - - name: s{i}\n        template: add\n        arguments: {{parameters: [{{name: k, value: c{i}}}, "
        f"{{name: sum, value: \"{'{{steps.s%d.outputs.parameters.sum}}' % (i - 1) if i else '0'}\"}}]}}\n"
        for i in range(n))
    body = "  templates:\n  - name: main\n    outputs: {parameters: [{name: sum, valueFrom: {parameter: " \
           f"\"{{{{steps.s{n - 1}.outputs.parameters.sum}}}}\"}}}}]}}\n    steps:\n{calls}" + step(
               "add", "{{inputs.parameters.k}}", ["sleep 0.05", "echo $(({{inputs.parameters.sum}} + 1)) > /tmp/sum-$$",
                                                  "mv /tmp/sum-$$ /tmp/sum-{{workflow.name}}-{{inputs.parameters.k}}"],
               inputs="inputs: {parameters: [{name: k}, {name: sum}]}\n    outputs: {parameters: [{name: sum, "
                      "valueFrom: {path: \"/tmp/sum-{{workflow.name}}-{{inputs.parameters.k}}\"}}]}")
    return Shape("chain", body, [f"c{i}" for i in range(n)], outputs={"sum": str(n)})


def fan(n=12):
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: f\n        template: one\n"
            f"        withSequence: {{count: \"{n}\"}}\n        arguments: {{parameters: [{{name: k, value: \"f{{{{item}}}}\"}}]}}\n"
            "    - - name: last\n        template: sum\n        arguments: {parameters: [{name: all, value: "
            "\"{{steps.f.outputs.result}}\"}, {name: k, value: last}]}\n"
            "    outputs: {parameters: [{name: number, valueFrom: {parameter: \"{{steps.last.outputs.result}}\"}}]}\n")
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.1", "echo 1"])
    body += step("sum", "{{inputs.parameters.k}}", ["echo '{{inputs.parameters.all}}' | tr -cd 1 | wc -c"],
                 inputs="inputs: {parameters: [{name: k}, {name: all}]}")
    return Shape("fan", body, [f"f{i}" for i in range(n)] + ["last"], outputs={"number": str(n)})


def limited(n=8):
    """A loop of which most items are held back by a limit when the engine dies."""
    body = ("  parallelism: 2\n  templates:\n  - name: main\n    dag:\n      tasks:\n      - name: l\n        template: one\n"
            f"        withSequence: {{count: \"{n}\"}}\n        arguments: {{parameters: [{{name: k, value: \"l{{{{item}}}}\"}}]}}\n")
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.06"])
    return Shape("limited", body, [f"l{i}" for i in range(n)])


def dag():
    edges = {"a": "", "b": "a", "c": "a", "d": "b && c", "e": "d", "f": "d.Succeeded || e.Failed"}
    tasks = "".join(f"      - name: {n}\n        template: one\n" + (f"        depends: \"{d}\"\n" if d else "") +
                    f"        arguments: {{parameters: [{{name: k, value: g{n}}}]}}\n" for n, d in edges.items())
    body = "  templates:\n  - name: main\n    dag:\n      tasks:\n" + tasks
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.05"])
    return Shape("dag", body, ["g" + n for n in edges])


def retry():
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: r\n        template: flaky\n        withItems: [1, 2]\n"
            "        arguments: {parameters: [{name: k, value: \"r{{item}}\"}]}\n")
    body += step("flaky", "{{inputs.parameters.k}}-{{retries}}", ["sleep 0.05", "test {{retries}} -ge 2 || exit 3"],
                 extra="    retryStrategy: {limit: \"10\", retryPolicy: OnFailure}\n")
    return Shape("retry", body, [f"r{i}-{k}" for i in (1, 2) for k in range(3)])


def artifacts():
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: make\n        template: make\n        withItems: [1, 2, 3]\n"
            "        arguments: {parameters: [{name: k, value: \"m{{item}}\"}]}\n"
            "    - - name: first\n        template: make\n        arguments: {parameters: [{name: k, value: m4}]}\n"
            "    - - name: use\n        template: use\n        arguments:\n          parameters: [{name: k, value: use}]\n"
            "          artifacts: [{name: in, from: \"{{steps.first.outputs.artifacts.out}}\"}]\n"
            "    outputs: {parameters: [{name: text, valueFrom: {parameter: \"{{steps.use.outputs.result}}\"}}]}\n")
    out = "/tmp/out-{{workflow.name}}-{{inputs.parameters.k}}"
    body += step("make", "{{inputs.parameters.k}}", [f"mkdir -p {out}", f"echo {{{{inputs.parameters.k}}}} > {out}/text", "sleep 0.05"],
                 inputs=f"inputs: {{parameters: [{{name: k}}]}}\n    outputs: {{artifacts: [{{name: out, path: \"{out}\", archive: {{none: {{}}}}}}]}}")
    body += step("use", "{{inputs.parameters.k}}", ["cat /tmp/in/text"],
                 inputs="inputs: {parameters: [{name: k}], artifacts: [{name: in, path: /tmp/in}]}")
    return Shape("artifacts", body, ["m1", "m2", "m3", "m4", "use"], outputs={"text": "m4"}, tiers=("ro", "overlay"))  # inputs need a sandbox


def failing():
    """A step fails, the exit handler runs once."""
    body = ("  onExit: bye\n  templates:\n  - name: main\n    steps:\n    - - name: a\n        template: ok\n"
            "        arguments: {parameters: [{name: k, value: a}]}\n    - - name: b\n        template: bad\n"
            "        arguments: {parameters: [{name: k, value: b}]}\n    - - name: c\n        template: ok\n"
            "        arguments: {parameters: [{name: k, value: never}]}\n")
    body += step("ok", "{{inputs.parameters.k}}", ["sleep 0.05"])
    body += step("bad", "{{inputs.parameters.k}}", ["sleep 0.05", "exit 7"])
    body += step("bye", "bye-{{workflow.status}}", ["sleep 0.05"], inputs="inputs: {}")
    return Shape("failing", body, ["a", "b", "bye-Failed"], phase="Failed")


def children(n=5):
    """A workflow of workflows: each child is made once and waited for, and its output comes back."""
    kid = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "kid-"},
           "spec": {"entrypoint": "one", "templates": [{"name": "one", "container": {
               "image": "busybox", "command": ["sh", "-c", "echo S @KEY@ >> @LOG@; sleep 0.05; echo E @KEY@ >> @LOG@"]}}]}}
    manifest = json.dumps(json.dumps(kid).replace("@KEY@", "{{inputs.parameters.key}}"))
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: kid\n        template: kid\n"
            f"        withSequence: {{count: \"{n}\"}}\n        arguments: {{parameters: [{{name: key, value: \"w{{{{item}}}}\"}}]}}\n"
            "    - - name: last\n        template: kid\n        arguments: {parameters: [{name: key, value: last}]}\n"
            "    outputs: {parameters: [{name: phase, valueFrom: {parameter: \"{{steps.last.outputs.parameters.phase}}\"}}]}\n"
            "  - name: kid\n    inputs: {parameters: [{name: key}]}\n    resource:\n      action: create\n      setOwnerReference: true\n"
            "      successCondition: status.phase == Succeeded\n      failureCondition: status.phase in (Failed, Error)\n"
            f"      manifest: {manifest}\n"
            "    outputs: {parameters: [{name: phase, valueFrom: {jqFilter: .status.phase}}]}\n")
    return Shape("children", body, [f"w{i}" for i in range(n)] + ["last"], outputs={"phase": "Succeeded"}, tiers=("none",))


def hooks():
    """Hooks of the workflow, a step and a task: each fires once, whoever was killed between."""
    def hook(name, key, expression):
        return (f"{name}: {{template: one, expression: '{expression}', arguments: {{parameters: [{{name: k, value: {key}}}]}}}}")
    body = ("  hooks: {" + hook("begun", "h-wf", 'workflow.status == "Running"') + ", " +
            hook("well", "h-wf-well", 'workflow.status == "Succeeded"') + "}\n"
            "  templates:\n  - name: main\n    steps:\n    - - name: a\n        template: one\n"
            "        arguments: {parameters: [{name: k, value: a}]}\n        hooks: {" +
            hook("begun", "h-a", 'steps.a.status == "Running"') + ", " + hook("well", "h-a-well", 'steps.a.status == "Succeeded"') + "}\n"
            "    - - name: d\n        template: inner\n"
            "  - name: inner\n    dag:\n      tasks:\n      - name: t\n        template: one\n"
            "        arguments: {parameters: [{name: k, value: t}]}\n        hooks: {" +
            hook("well", "h-t", 'tasks.t.status == "Succeeded"') + ", " + hook("never", "no", 'tasks.t.status == "Failed"') + "}\n"
            "      - {name: u, template: one, depends: t, arguments: {parameters: [{name: k, value: u}]}}\n")
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.06"])
    return Shape("hooks", body, ["h-wf", "h-wf-well", "a", "h-a", "h-a-well", "t", "h-t", "u"])


def containers():
    """Containers of one pod, in an order, with a volume that they share and an output that is read from it at the end."""
    names, list_ = ["ca", "cb", "main"], ""
    for i, name in enumerate(names):
        before = f", dependencies: [{names[i - 1]}]" if i else ""
        script = f"echo S {name} >> @LOG@; sleep 0.06; grep -qx {name} /work/order || echo {name} >> /work/order; echo E {name} >> @LOG@"
        list_ += f"      - {{name: {name}, image: busybox, command: [sh, -c, \"{script}\"]{before}}}\n"
    body = ("  templates:\n  - name: main\n    volumes: [{name: work, emptyDir: {}}]\n"
            "    outputs: {parameters: [{name: order, valueFrom: {path: /work/order}}]}\n    containerSet:\n"
            "      volumeMounts: [{name: work, mountPath: /work}, {name: count, mountPath: /mnt/count}]\n"
            "      containers:\n" + list_)
    return Shape("containers", body, names, outputs={"order": "ca\ncb\nmain"}, tiers=("ro", "overlay"))


def beside():
    """An init container, main with a sidecar, and a daemon that is there all the time: neither of the two ends by itself."""
    def container(name, key, script, more=""):
        return (f"{{name: {name}, image: busybox, command: [sh, -c, 'echo S {key} >> @LOG@; {script}; echo E {key} >> @LOG@']{more}, "
                "volumeMounts: [{name: work, mountPath: /work}, {name: count, mountPath: /mnt/count}]}")
    for_ever = "while :; do sleep 0.02; done"
    body = ("  templates:\n  - name: main\n    steps: [[{name: d, template: d}], [{name: pod, template: pod}]]\n"
            "    outputs: {parameters: [{name: x, valueFrom: {parameter: '{{steps.pod.outputs.parameters.x}}'}}]}\n"
            "  - name: d\n    daemon: true\n    volumes: [{name: work, emptyDir: {}}]\n"
            "    container: " + container("main", "daemon", for_ever) + "\n"
            "  - name: pod\n    volumes: [{name: work, emptyDir: {}}]\n"
            "    outputs: {parameters: [{name: x, valueFrom: {path: /work/x}}]}\n"
            "    initContainers: [" + container("a", "init", "sleep 0.05; echo one > /work/x") + "]\n"
            "    sidecars: [" + container("s", "sidecar", "echo up > /work/up; " + for_ever) + "]\n"
            "    container: " + container("main", "pod", "until test -e /work/up && grep -q \"S daemon\" @LOG@; do sleep 0.02; done; "
                                          "sleep 0.1; echo two >> /work/x; sort -u -o /work/x /work/x") + "\n")
    return Shape("beside", body, ["daemon", "init", "pod", "sidecar"], outputs={"x": "one\ntwo"}, tiers=("ro", "overlay"))


def memo(n=3):
    """What was kept is not run again, whoever died between the end of a step and the next that has its key."""
    call = f"withSequence: {{count: \"{n}\"}}, arguments: {{parameters: [{{name: k, value: \"o{{{{item}}}}\"}}]}}"
    body = (f"  templates:\n  - name: main\n    steps:\n    - - {{name: a, template: kept, {call}}}\n    - - {{name: b, template: kept, {call}}}\n")
    body += step("kept", "{{inputs.parameters.k}}", ["sleep 0.05", "echo 1 > /tmp/kept-{{workflow.name}}-{{inputs.parameters.k}}"],
                 inputs="inputs: {parameters: [{name: k}]}\n    memoize: {key: \"{{inputs.parameters.k}}\", maxAge: 1h, cache: {configMap: {name: kept}}}\n"
                        "    outputs: {parameters: [{name: x, valueFrom: {path: \"/tmp/kept-{{workflow.name}}-{{inputs.parameters.k}}\"}}]}")
    return Shape("memo", body, [f"o{i}" for i in range(n)])


def logs(n=4):
    body = ("  archiveLogs: true\n  templates:\n  - name: main\n    steps:\n    - - name: l\n      " + f"  template: one\n        withSequence: {{count: \"{n}\"}}\n"
            "        arguments: {parameters: [{name: k, value: \"a{{item}}\"}]}\n")
    body += step("one", "{{inputs.parameters.k}}", ["echo said; sleep 0.05"])
    return Shape("logs", body, [f"a{i}" for i in range(n)])


def mutex(n=4):
    """One at a time; a suspend node that ends by itself; then the same again in a dag."""
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: l\n        template: one\n" + f"        withSequence: {{count: \"{n}\"}}\n"
            "        arguments: {parameters: [{name: k, value: \"x{{item}}\"}]}\n    - - {name: pause, template: pause}\n"
            "    - - {name: last, template: one, arguments: {parameters: [{name: k, value: last}]}}\n"
            "  - {name: pause, suspend: {duration: 100ms}}\n")
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.03"], extra="    synchronization: {mutexes: [{name: m}]}\n")
    return Shape("mutex", body, [f"x{i}" for i in range(n)] + ["last"])


def remote():
    """A packed artifact that comes from a server, and one that goes to it."""
    body = ("  templates:\n  - name: main\n    steps:\n    - - {name: a, template: there, arguments: {parameters: [{name: k, value: there}]}}\n"
            "    - - {name: b, template: back, arguments: {parameters: [{name: k, value: back}]}}\n"
            "    outputs: {parameters: [{name: text, valueFrom: {parameter: \"{{steps.b.outputs.result}}\"}}]}\n")
    url = "@URL@/{{workflow.uid}}"
    body += step("there", "{{inputs.parameters.k}}", ["cat /tmp/in/a > /tmp/out", "sleep 0.05"],
                 inputs="inputs: {parameters: [{name: k}], artifacts: [{name: in, path: /tmp/in, http: {url: \"@URL@/dir.tgz\"}}]}\n"
                        f"    outputs: {{artifacts: [{{name: out, path: /tmp/out, archive: {{none: {{}}}}, http: {{url: \"{url}\"}}}}]}}")
    body += step("back", "{{inputs.parameters.k}}", ["cat /tmp/in"],
                 inputs=f"inputs: {{parameters: [{{name: k}}], artifacts: [{{name: in, path: /tmp/in, archive: {{none: {{}}}}, http: {{url: \"{url}\"}}}}]}}")
    return Shape("remote", body, ["there", "back"], outputs={"text": "one"}, tiers=("ro", "overlay"))


def retired():
    """Artifacts that go with the end of their workflow."""
    shape = artifacts()
    shape.name, shape.body = "retired", "  artifactGC: {strategy: OnWorkflowCompletion}\n" + shape.body
    return shape


def capped(n=4):
    """Steps that are held to limits by control groups, where there are any."""
    body = ("  templates:\n  - name: main\n    steps:\n    - - name: l\n        template: one\n" + f"        withSequence: {{count: \"{n}\"}}\n"
            "        arguments: {parameters: [{name: k, value: \"p{{item}}\"}]}\n")
    body += step("one", "{{inputs.parameters.k}}", ["sleep 0.06"]).replace(
        "      image: busybox\n", "      image: busybox\n      resources: {limits: {memory: 64Mi, cpu: 500m}}\n")
    return Shape("capped", body, [f"p{i}" for i in range(n)])


def all_shapes():
    return [chain(), fan(), limited(), dag(), retry(), artifacts(), failing(), hooks(), containers(), children(), beside(), memo(),
            logs(), mutex(), retired(), remote(), capped()]


TRIVIAL = HEAD + "  templates:\n  - name: main\n    container: {image: busybox, command: [\"true\"]}\n"
