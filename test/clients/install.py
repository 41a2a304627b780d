"""Argo's clients, from the package registries: installed once, into $XDG_CACHE_HOME/skiff-test, whatever checkout asks."""
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ARGO = "github.com/argoproj/argo-workflows/v4"
ARGO_VERSION = "v4.0.5"
PIP_S, GO_S = 300, 1500

# Takes the place of cmd/argo/commands/server.go: `argo server` embeds a web page that the module does not have.
NO_SERVER = """package commands

import "github.com/spf13/cobra"

func NewServerCommand() *cobra.Command { return &cobra.Command{Use: "server", Hidden: true} }
"""


class Unavailable(Exception):
    """It cannot be had here; why, in a line."""


def run(command, limit, cwd=None, env=None):
    """What it printed."""
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unavailable(f"{' '.join(command[:3])}: {e}") from e
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
        raise Unavailable(f"{' '.join(command[:3])}: {lines[-1]}")
    return done.stdout


@contextlib.contextmanager
def place(name):
    """(where it is, an empty directory to make it in or None when it is there). One at a time makes it."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "skiff-test")
    os.makedirs(cache, exist_ok=True)
    path = os.path.join(cache, name)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in glob.glob(cache + "/making-*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        if os.path.exists(path):
            yield path, None
            return
        work = tempfile.mkdtemp(prefix="making-", dir=cache)
        try:
            yield path, work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def hera():
    """The directory to put on sys.path."""
    wanted = os.path.join(HERE, "requirements.txt")
    with open(wanted, "rb") as f:
        key = hashlib.sha256(f.read()).hexdigest()[:12]
    with place(f"hera-{sys.implementation.cache_tag}-{key}") as (path, work):
        if work:
            run([sys.executable, "-m", "venv", work + "/venv"], PIP_S)
            run([work + "/venv/bin/pip", "install", "--quiet", "--target", work + "/site", "--requirement", wanted], PIP_S)
            os.rename(work + "/site", path)
        return path


def argo():
    """The program."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    with place(f"argo-{ARGO_VERSION}-client") as (path, work):
        if work:
            if not go:
                raise Unavailable("there is no go to build it with")
            module = json.loads(run([go, "mod", "download", "-json", f"{ARGO}@{ARGO_VERSION}"], GO_S, cwd=work))["Dir"]
            source = work + "/source"
            shutil.copytree(module, source, copy_function=shutil.copyfile)
            for folder, _, _ in os.walk(source):
                os.chmod(folder, 0o755)
            with open(source + "/cmd/argo/commands/server.go", "w") as f:
                f.write(NO_SERVER)
            run([go, "build", "-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w -X {ARGO}.version={ARGO_VERSION}", "-o", work + "/argo",
                 "./cmd/argo"], GO_S, cwd=source, env={"CGO_ENABLED": "0"})
            os.rename(work + "/argo", path)
        return path
