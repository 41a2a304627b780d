#!/usr/bin/env python3
"""Steps in containers (--runtime=container): by a real Podman, and by an engine of the test's own that fails as Podman never does.

usage: run.py [WORD...]     tests whose name contains one of the words; the program is SKIFF, else build/skiff
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "test/crash"), os.path.join(ROOT, "test/image")]
sys.modules.setdefault("run", sys.modules[__name__])  # what the modules import
import common  # noqa: E402
import dockerregistry  # noqa: E402
import images  # noqa: E402

SKIFF = os.environ.get("SKIFF") or os.path.join(ROOT, "build/skiff")
LIMIT_S = 120


class Wrong(Exception):
    pass


class Bench:
    """A state directory, the socket of an engine, and what can be asked."""

    def __init__(self, directory, socket, image):
        self.directory, self.state, self.socket, self.image = directory, os.path.join(directory, "s"), socket, image
        self.home = os.path.join(directory, "home")
        os.makedirs(self.home, exist_ok=True)

    def env(self, more=None):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SKIFF_", "DOCKER_", "CONTAINER_", "XDG_", "REGISTRY_"))}
        return {**keep, "HOME": self.home, "SKIFF_RUNTIME": "container", "DOCKER_HOST": "unix://" + self.socket, **(more or {})}

    def file(self, text):
        path = os.path.join(self.directory, "wf.yaml")
        with open(path, "w") as f:
            f.write(text.replace("IMAGE", self.image))
        return path

    def call(self, verb, *words, env=None):
        return subprocess.run([SKIFF, verb, "--state", self.state, *words], cwd=self.directory, env=self.env(env), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S)

    def run(self, text, *words, env=None):
        """The workflow when it is over."""
        p = self.call("run", "-o", "json", *words, self.file(text), env=env)
        if not p.stdout.startswith("{"):
            raise Wrong("nothing ran: " + (p.stderr or p.stdout)[-800:])
        return Over(json.JSONDecoder().raw_decode(p.stdout)[0])

    def start(self, text, *words, env=None):
        return self.spawn("run", *words, self.file(text), env=env)

    def spawn(self, verb, *words, env=None):
        with open(os.path.join(self.directory, "err"), "w") as err:
            return subprocess.Popen([SKIFF, verb, "--state", self.state, *words], cwd=self.directory, env=self.env(env),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)

    def up(self, p, said="up"):
        """Its step has printed that."""
        until(lambda: said in self.logs() or p.poll() is not None, "it does not come up")
        if p.poll() is not None and said not in self.logs():
            with open(os.path.join(self.directory, "err")) as f:
                raise Wrong(f"it ended with {p.returncode}: {f.read()[-500:]}")

    def get(self):
        p = self.call("get", "@latest", "-o", "json")
        return Over(json.loads(p.stdout)) if p.returncode == 0 else None

    def logs(self, *words):
        return self.call("logs", "@latest", "--no-color", *words).stdout

    def delete(self):
        p = self.call("delete", "w")
        same(p.returncode, 0, "delete: " + p.stderr)

    def ours(self):
        """Skiff's processes of this state directory."""
        return {q for q in common.pids() if common.comm(q).startswith("skiff") and (
            self.state.encode() in common.contents(f"/proc/{q}/cmdline") or any(f.startswith(self.state) for f in common.open_paths(q)))}

    def abandon(self):
        """It went wrong: what it left is not the next one's affair."""
        common.signal_all(self.ours(), signal.SIGKILL)

    def left(self):
        return [n for n in os.listdir(self.state + "/work")] if os.path.isdir(self.state + "/work") else []


class Over:
    def __init__(self, workflow):
        self.workflow, self.status = workflow, workflow["status"]
        self.name = workflow["metadata"]["name"]
        self.nodes = {n["name"][len(self.name):] or "wf": n for n in self.status.get("nodes", {}).values()}

    def is_(self, phase, message=None):
        if self.status.get("phase") != phase or (message and message not in str([n.get("message") for n in self.nodes.values()])):
            raise Wrong("%s (%s), not %s; %s" % (self.status.get("phase"), self.status.get("message"), phase, {
                n: (v["phase"], v.get("message")) for n, v in self.nodes.items()}))
        return self

    def outputs(self, node):
        return self.nodes[node].get("outputs", {})

    def parameter(self, node, name):
        return {p["name"]: p.get("value") for p in self.outputs(node).get("parameters", [])}.get(name)


def same(got, expected, what=""):
    if got != expected:
        raise Wrong("%s %r, not %r" % (what, got, expected))


def holds(ok, what):
    if not ok:
        raise Wrong(str(what))


def until(what, why="it never came to that"):
    end = time.monotonic() + LIMIT_S
    while not (got := what()):
        if time.monotonic() > end:
            raise Wrong(why)
        time.sleep(0.05)  # poll
    return got


def wf(body, more=""):
    """A workflow of one template, `main`."""
    return ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n" + more +
            "  templates:\n  - name: main\n" + indented(body))


def indented(body):
    return "".join("    " + line + "\n" for line in body.strip("\n").split("\n"))


def functions(module):
    for name, fn in list(vars(module).items()):
        if callable(fn) and getattr(fn, "__module__", "") == module.__name__ and not name.startswith("_"):
            yield "%s: %s" % (module.__name__, name.replace("_", " ")), fn


def run_all(score, wanted, module, make):
    """Each in a directory of its own. `make(directory)`: what it gets."""
    for name, fn in functions(module):
        if wanted and not any(w in name for w in wanted):
            continue
        directory = tempfile.mkdtemp(prefix="skiff-container-")
        bench = make(directory)
        try:
            fn(bench)
            score.check(True, name)
        except Exception as e:  # the others still count
            score.check(False, f"{name}: {type(e).__name__}: {e}")
            bench.abandon()
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def sample():
    """busybox, with an entrypoint and a user's directory."""
    with open(images.BUSYBOX, "rb") as f:
        busybox = f.read()
    names = "sh cat echo ls true false sleep test mkdir env id wc head printf ln kill cp pwd hostname touch".split()
    return images.Image(images.tar(("bin/", None), ("bin/busybox", busybox, 0o755), *[("bin/" + n, "->busybox") for n in names], ("etc/", None),
                                   ("etc/motd", "from the image\n"), ("tmp/", None, 0o1777), ("w/", None, 0o777)),
                        config={"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo from the image"], "Env": ["PATH=/bin", "FROM=own"], "WorkingDir": "/w"})


def with_engines(score, wanted, root):
    """The same cases with each engine that runs containers here."""
    import docker_cases
    import engine
    import engine_cases
    image, server, host = sample(), None, None
    if dockerregistry.is_installed():
        server = dockerregistry.DockerRegistry(root)
        host = f"127.0.0.1:{server.port}"
        server.push("team/app", "1", image.type, image.manifest, image.blobs())
    else:
        score.skip("engine cases: pulled: docker-registry is not installed")
    try:
        archive = image.save(os.path.join(root, "image.tar"), engine_cases.SAMPLE)
        for find in (lambda: engine.podman(root, archive, engine_cases.SAMPLE, [host] if host else []),
                     lambda: engine.docker(root, archive, engine_cases.SAMPLE)):
            found, why = find()
            if not found:
                score.skip(f"engine cases: {why}")
                continue
            try:
                run_all(score, wanted, engine_cases, lambda d: engine_cases._Bench(d, found, host))
                if found.program == "podman" and docker_cases._lacking():
                    score.skip(f"docker cases: {docker_cases._lacking()}")
                elif found.program == "podman":
                    run_all(score, wanted, docker_cases, lambda d: engine_cases._Bench(d, found, host))
            finally:
                found.close()
    finally:
        if server:
            server.close()


def main():
    import fake_cases
    wanted, score = sys.argv[1:], common.Score()
    run_all(score, wanted, fake_cases, fake_cases._FakeBench)
    if not images.BUSYBOX:
        score.skip("engine cases: busybox-static is not installed")
        return score.end()
    root = tempfile.mkdtemp(prefix="skiff-engine-", dir="/var/tmp")
    try:
        with_engines(score, wanted, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
