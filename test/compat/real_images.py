"""Makes the images that Argo's examples name, for `run.py --images`: small roots of busybox-static and of this host's programs with the
libraries that they load; nginx and influxd come out of Debian packages. All are pulled once, from a registry on the loopback that stands
for docker.io and quay.io, into a store that the runs share.

What is not this image's own program is a stand-in: argosay and cowsay as in src/config/image_scripts.c, `apk`, which finds everything installed."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../image"))
import images  # noqa: E402
import registry  # noqa: E402

PYTHON = "/usr/bin/python3"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\ncurl_user:x:100:101::/home/curl_user:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\ncurl_group:x:101:\n"
NGINX = "user root root;\nmaster_process off;\nerror_log stderr;\npid /tmp/nginx.pid;\nevents {}\nhttp { access_log off; server { listen 80; location / { return 200 'Welcome to nginx!\\n'; } } }\n"
APK = "#!/bin/sh\nfor p in \"$@\"; do case $p in update|add|-*) ;; *) command -v \"$p\" || exit 1 ;; esac; done\n"
CURL = "#!/bin/sh\ncase ${1-} in -*|*://*) exec curl \"$@\" ;; *) exec \"$@\" ;; esac\n"


def script(name):
    """The text of a script of the program's own table."""
    with open(os.path.join(HERE, "../../src/config/image_scripts.c"), encoding="utf-8") as f:
        text = re.search(r"script_%s\[\] =\n(.*?);\n\n" % name, f.read() + "\n", re.S).group(1)
    return "".join(json.loads(line) for line in re.findall(r'"(?:[^"\\]|\\.)*"', text))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def loads(path):
    """The libraries of a program or module."""
    out = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    if "not found" in out:
        raise FileNotFoundError(f"{path} lacks a library")
    return set(re.findall(r"(/\S+) \(0x", out))


class Tree:
    """Entries of one layer, each once, with the directories that they lie in."""

    def __init__(self):
        self.entries, self.dirs = {}, set()

    def put(self, path, what, mode=0o644):
        path = path.strip("/")
        for i in [i for i, c in enumerate(path) if c == "/"]:
            self.dirs.add(path[:i])
        self.entries.setdefault(path, (what, mode))
        return self

    def program(self, host, to=None):
        host = os.path.realpath(host)
        self.put(to or host, read(host), 0o755)
        for lib in loads(host):
            self.put(lib.replace("/lib/", "/usr/lib/", 1) if not lib.startswith("/usr") and "/lib64/" not in lib else lib, read(lib), 0o755)
        return self

    def folder(self, top):
        for at, dirs, files in os.walk(top):
            dirs[:] = [d for d in dirs if d not in ("__pycache__", "test", "ensurepip", "idlelib", "lib2to3")]
            for name in files:
                path = os.path.join(at, name)
                self.put(path, read(path), 0o755 if name.endswith(".so") else 0o644)
                for lib in loads(path) if name.endswith(".so") else ():
                    self.put(lib.replace("/lib/", "/usr/lib/", 1) if not lib.startswith("/usr") else lib, read(lib), 0o755)
        return self

    def tar(self):
        rows = [(d + "/", None) for d in sorted(self.dirs) if d not in self.entries]
        return images.tar(*rows, *[(p, what, mode) for p, (what, mode) in sorted(self.entries.items())])


def base():
    t = Tree().put("usr/bin/busybox", read(images.BUSYBOX), 0o755)
    names = subprocess.run([images.BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            t.put("usr/bin/" + name, "->busybox")
    t.put("bin", "->usr/bin").put("sbin", "->usr/bin").put("usr/sbin", "->bin").put("lib", "->usr/lib").put("lib64", "->usr/lib64")
    t.put("etc/passwd", PASSWD).put("etc/group", GROUP).put("tmp", None, 0o1777).put("root", None, 0o700).put("var/tmp", None, 0o1777)
    t.put("etc/os-release", "NAME=Skiff's stand-in\nID=test\n")
    return t.put("mnt", None, 0o755).put("home/curl_user", None, 0o777).put("usr/lib64", None, 0o755)


def python():
    version = subprocess.run([PYTHON, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True).stdout.strip()
    t = Tree().program(PYTHON, "usr/bin/" + version).folder("/usr/lib/" + version)
    return t.put("usr/bin/python3", "->" + version).put("usr/bin/python", "->" + version)


def debian(folder, package, program):
    """The program of a Debian package, which is not installed here. `folder` None: it is not fetched."""
    if not folder:
        raise FileNotFoundError(f"the package {package} is not fetched with --offline")
    got = subprocess.run(["apt-get", "download", "-q", package], cwd=folder, capture_output=True, text=True)
    files = [f for f in os.listdir(folder) if f.startswith(package + "_")]
    if got.returncode or not files:
        raise FileNotFoundError(f"apt-get download {package}: {got.stderr.strip()[-200:]}")
    subprocess.run(["dpkg-deb", "-x", os.path.join(folder, files[0]), os.path.join(folder, package)], check=True)
    return Tree().program(os.path.join(folder, package, program), program)


def nc():
    """Of busybox as Alpine has it, which Debian's is not; its own shell would take its own nc."""
    return Tree().program("/bin/dash", "usr/bin/sh").program("/usr/bin/perl").folder(os.path.realpath("/usr/lib/x86_64-linux-gnu/perl-base")).put("usr/bin/nc", script("nc"), 0o755)


def table(folder):
    """(repository, tags, layers above busybox's, configuration)"""
    env = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    curl = lambda: Tree().program("/usr/bin/curl").put("etc/ssl/certs/ca-certificates.crt", read("/etc/ssl/certs/ca-certificates.crt"))  # noqa: E731
    return [
        ("library/busybox", "latest", [], {"Cmd": ["sh"]}),
        ("library/alpine", "latest 3.23 3.6 3.7 3.8", [nc, lambda: curl().program("/bin/bash", "usr/bin/bash").put("usr/bin/apk", APK, 0o755)], {"Cmd": ["/bin/sh"], **env}),
        ("library/debian", "latest 9.1 8.9 stretch 9.4 jessie", [lambda: Tree().program("/bin/bash", "usr/bin/bash")], {"Cmd": ["bash"], **env}),
        ("library/ubuntu", "latest 16.10 17.10 18.04", [lambda: Tree().program("/bin/bash", "usr/bin/bash")], {"Cmd": ["bash"], **env}),
        ("library/bash", "latest", [lambda: Tree().program("/bin/bash", "usr/bin/bash")], {"Entrypoint": ["bash"], **env}),
        ("library/python", "latest alpine3.23 alpine3.6 3.11", [python], {"Cmd": ["python3"], **env}),
        ("curlimages/curl", "latest", [lambda: curl().put("entrypoint.sh", CURL, 0o755)],
         {"Entrypoint": ["/entrypoint.sh"], "Cmd": ["curl"], "User": "curl_user", "WorkingDir": "/home/curl_user", **env}),
        ("stedolan/jq", "latest", [lambda: Tree().program("/usr/bin/jq")], {"Entrypoint": ["jq"], **env}),
        ("argoproj/argosay", "v2", [lambda: Tree().program("/bin/bash", "usr/bin/bash").put("argosay", script("argosay"), 0o755)], {"Entrypoint": ["/argosay"], **env}),
        ("argoproj/argosay", "v1", [lambda: Tree().put("usr/bin/cowsay", script("cowsay"), 0o755)], {"Cmd": ["cowsay"], **env}),
        ("docker/whalesay", "latest", [lambda: Tree().put("usr/bin/cowsay", script("cowsay"), 0o755)], {"Cmd": ["cowsay"], **env}),
        ("library/node", "latest 9.1-alpine", [lambda: Tree().program("/usr/bin/node")], {"Cmd": ["node"], **env}),
        ("library/nginx", "latest 1.13", [lambda: debian(folder, "nginx", "usr/sbin/nginx").put("etc/nginx/nginx.conf", NGINX)
                                          .put("var/log/nginx", None, 0o777).put("var/lib/nginx", None, 0o777)], {"Cmd": ["nginx", "-g", "daemon off;"], **env}),
        ("library/influxdb", "latest 1.2", [lambda: debian(folder, "influxdb", "usr/bin/influxd")], {"Cmd": ["influxd"], **env}),
    ]


class Images:
    """A store with all of them, and what a run needs to use it."""

    def __init__(self, skiff, folder, offline=False):
        self.state = os.path.join(folder, "store")
        self.lacking = {}  # repository: why
        self.registry = registry.Registry()
        lowest = base().tar()
        for repo, tags, more, config in table(None if offline else folder):
            try:
                image = images.Image(lowest, *[make().tar() for make in more], packing=("",), config=config)
            except (OSError, subprocess.CalledProcessError) as e:
                self.lacking[repo.rpartition("/")[2]] = str(e)
                continue
            for tag in tags.split():
                self.registry.put(repo, tag, image)
        self.environment = {"SKIFF_IMAGE_BUILTIN": "false", "SKIFF_IMAGE_PULL": "never",
                            "SKIFF_IMAGE_MIRRORS": f"docker.io={self.registry.host} quay.io={self.registry.host}"}
        names = [f"{repo}:{tag}" for repo, tag in self.registry.manifests if ":" not in tag]
        done = subprocess.run([skiff, "image", "pull", *names], env=dict(os.environ, SKIFF_STATE=self.state, **self.environment), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit("the images cannot be pulled: " + done.stderr[-600:])
        self.registry.close()

    def share(self, state):
        """A new state directory gets the store."""
        os.makedirs(state, mode=0o700)
        os.symlink(os.path.join(self.state, "images"), os.path.join(state, "images"))
