"""Engines of the test's own, Podman and Docker: their own images, containers and socket, all in one directory, as weak as the machine needs them."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

START_S = 30


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


# What Podman may need to be without: tried in this order.
ENGINES = (("crun", "cgroups = \"disabled\"\n"), ("runc", "default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n"))


class Engine:
    """`program`: its command line, `says`: its name. A subclass has `command`, which serves at `socket`."""

    def call(self, *words):
        return subprocess.run([self.program, *words], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)

    def start(self):
        self.service = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.service.poll() is None:
            with contextlib.suppress(OSError):
                if self.get("/_ping")[0] == 200:
                    return True
            time.sleep(0.05)  # poll
        return False

    def stop(self):
        if self.service:
            self.service.terminate()
            self.service.wait(30)
            self.service = None

    def get(self, path):
        c = UnixConnection(self.socket)
        c.request("GET", path)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text

    def containers(self):
        """Of all that exist: name -> id."""
        return {c["Names"][0].lstrip("/"): c["Id"] for c in json.loads(self.get("/v1.40/containers/json?all=1")[1])}


class Podman(Engine):
    program, says = "podman", "Podman"

    def __init__(self, root, form, insecure=()):
        """`insecure`: registries that are asked without TLS."""
        runtime, limits = form
        self.root, self.socket = root, os.path.join(root, "podman.sock")
        self.write("containers.conf", f"[containers]\n{limits}netns = \"host\"\n[engine]\nruntime = \"{runtime}\"\nevents_logger = \"file\"\n"
                   f"cgroup_manager = \"cgroupfs\"\n")
        self.write("storage.conf", f"[storage]\ndriver = \"vfs\"\ngraphroot = \"{root}/store\"\nrunroot = \"{root}/run\"\n")
        self.write("registries.conf", "".join(f"[[registry]]\nlocation = \"{r}\"\ninsecure = true\n" for r in insecure))
        self.write("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        self.env = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "HOME": root, "XDG_RUNTIME_DIR": root,
                    "CONTAINERS_CONF": root + "/containers.conf", "CONTAINERS_STORAGE_CONF": root + "/storage.conf",
                    "CONTAINERS_REGISTRIES_CONF": root + "/registries.conf"}
        self.service = None
        self.command = ["podman", "system", "service", "--time=0", "unix://" + self.socket]

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w") as f:
            f.write(text)

    def is_monitor(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            return False
        return words[0].endswith(b"conmon") and any(w.startswith(self.root.encode()) for w in words)

    def close(self):
        self.call("rm", "-af")
        self.stop()
        for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
            if self.is_monitor(pid):  # of an exec session: it would wait for minutes
                os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


class Docker(Engine):
    """It touches neither the machine's network nor its rules of packets: containers have the host's network, or none."""
    program, says = "docker", "Engine"

    def __init__(self, root):
        self.root, self.socket, self.service = root, os.path.join(root, "docker.sock"), None
        self.env = dict(os.environ, DOCKER_HOST="unix://" + self.socket, HOME=root)
        self.command = ["dockerd", "--data-root", root + "/data", "--exec-root", root + "/exec", "--pidfile", root + "/pid", "--host", "unix://" + self.socket,
                        "--iptables=false", "--ip6tables=false", "--bridge=none"]

    def close(self):
        for name in self.containers() if self.service else ():
            self.call("rm", "-f", name)
        self.stop()
        subprocess.run(["umount", self.root + "/exec/netns/default"], stderr=subprocess.DEVNULL)  # it leaves that
        shutil.rmtree(self.root, ignore_errors=True)


def docker(root, archive, name):
    """A Docker that runs a container of this image here, or why there is none."""
    if not shutil.which("dockerd") or not shutil.which("docker"):
        return None, "docker is not installed"
    if os.geteuid() != 0:
        return None, "docker needs root"
    place = os.path.join(root, "docker")
    os.mkdir(place)
    d = Docker(place)
    why = "its daemon does not start"
    if d.start():
        got = d.call("load", "-i", archive)
        if got.returncode == 0:
            got = d.call("run", "--rm", "--network=host", name, "true")
        if got.returncode == 0:
            return d, ""
        why = (got.stderr.strip().splitlines() or ["no container runs"])[-1]
    d.close()
    return None, "docker runs no container here: " + why


def podman(root, archive, name, insecure):
    """A Podman that runs a container of this image here, or why there is none."""
    if not shutil.which("podman"):
        return None, "podman is not installed"
    why = ""
    for i, form in enumerate(ENGINES):
        place = os.path.join(root, f"podman-{i}")
        os.mkdir(place)
        p = Podman(place, form, insecure)
        got = p.call("load", "-i", archive)
        if got.returncode == 0:
            got = p.call("run", "--rm", "--network=host", name, "true")
        if got.returncode == 0 and p.start():
            return p, ""
        why = (got.stderr.strip().splitlines() or ["its service does not start"])[-1]
        p.close()
    return None, "podman runs no container here: " + why
