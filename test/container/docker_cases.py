"""Argo's example of Docker in Docker, unmodified, with stand-ins for its two images that are made of this host's Docker. It runs in Podman, whose privileged
containers have what rights the machine has; Docker's need all that the kernel knows."""
import os
import shutil
import sys

import common
from run import holds, same

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../compat"))
import images  # noqa: E402
import real_images  # noqa: E402

# What the example runs must be there before its daemon is reached: nothing is pulled here.
ENTRYPOINT = """#!/bin/sh
serve="--storage-driver=vfs --iptables=false --ip6tables=false --bridge=none"
dockerd $serve --host unix:///var/run/docker.sock & daemon=$!
until docker --host unix:///var/run/docker.sock load </debian.tar; do sleep 1; done
kill $daemon
wait $daemon
exec dockerd $serve --host tcp://127.0.0.1:2375
"""
PROGRAMS = ("/usr/sbin/dockerd", "/usr/bin/containerd", "/usr/bin/containerd-shim-runc-v2", "/usr/sbin/runc", "/usr/sbin/iptables")
ENV = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}


def _loaded(b, root, name, *trees):
    path = images.Image(real_images.base().tar(), *[t.tar() for t in trees], config=ENV).save(os.path.join(root, "i.tar"), name)
    got = b.engine_itself.call("load", "-i", path)
    same(got.returncode, 0, f"load {name}: {got.stderr}")
    return path


EXAMPLE = os.path.join(os.environ.get("SKIFF_CORPUS") or "absent", "sidecar-dind.yaml")


def _lacking():
    """Why it cannot run here, or None."""
    if not os.path.exists(EXAMPLE):
        return "SKIFF_CORPUS is not given"
    return None if shutil.which("docker") and all(os.path.exists(p) for p in PROGRAMS) else "docker is not installed"


def docker_in_docker(b):
    client = real_images.Tree().program(shutil.which("docker"), "usr/bin/docker")
    inner = _loaded(b, b.directory, "docker.io/library/debian:latest")
    daemon = real_images.Tree().put("debian.tar", common.contents(inner)).put("usr/bin/dockerd-entrypoint.sh", ENTRYPOINT, 0o755)
    for path in PROGRAMS:
        daemon.program(path, path.replace("/usr/sbin/", "/usr/bin/").strip("/"))
    _loaded(b, b.directory, "docker.io/library/docker:19.03.13", client)
    _loaded(b, b.directory, "docker.io/library/docker:19.03.13-dind", client, daemon)
    with open(EXAMPLE) as f:
        b.run(f.read()).is_("Succeeded")
    holds("Skiff's stand-in" in b.logs(), b.logs())
    b.clean()
