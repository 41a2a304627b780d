"""Debian's docker-registry on the loopback: what registry.py says is judged by one that others have made."""
import http.client
import os
import shutil
import socket
import subprocess
import time

import common

PROGRAM = "docker-registry"


def is_installed():
    return shutil.which(PROGRAM) is not None


class DockerRegistry:
    """Its files lie in `root`."""

    def __init__(self, root):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        config = os.path.join(root, "registry.yml")
        with open(config, "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/registry}}}}\n"
                    f"http: {{addr: '127.0.0.1:{self.port}'}}\n")
        self.process = subprocess.Popen([PROGRAM, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + common.LIMIT_S
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > until:
                self.close()
                raise RuntimeError("docker-registry does not listen")
            time.sleep(0.02)  # poll

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def push(self, repo, tag, kind, manifest, blobs):
        c = http.client.HTTPConnection("127.0.0.1", self.port)

        def ask(method, path, body=b"", headers=None):
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            r.read()
            assert r.status < 300, (method, path, r.status)
            return r.headers.get("Location")

        for d, data in blobs.items():
            to = ask("POST", f"/v2/{repo}/blobs/uploads/").split(str(self.port), 1)[-1]
            ask("PUT", to + ("&" if "?" in to else "?") + "digest=" + d, data)
        ask("PUT", f"/v2/{repo}/manifests/{tag}", manifest, {"Content-Type": kind})
        c.close()

    def close(self):
        self.process.terminate()
        self.process.wait()
