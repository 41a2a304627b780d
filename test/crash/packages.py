"""What tests take from the package registries: installed once, into $XDG_CACHE_HOME/skiff-test, whatever checkout asks."""
import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

PIP_S = 300


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
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in glob.glob(path + ".making-*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        if os.path.exists(path):
            yield path, None
            return
        work = tempfile.mkdtemp(prefix=name + ".making-", dir=cache)
        try:
            yield path, work
        finally:
            shutil.rmtree(work, ignore_errors=True)


class Python:
    """A virtual environment with what a file of requirements names: every package, so that it is the same next year."""

    def __init__(self, requirements):
        with open(requirements, "rb") as f:
            key = hashlib.sha256(sys.version.encode() + f.read()).hexdigest()[:12]
        with place("python-" + key) as (self.path, work):
            if work:
                run([sys.executable, "-m", "venv", work + "/venv"], PIP_S)
                run([work + "/venv/bin/pip", "install", "--quiet", "--no-deps", "--requirement", requirements], PIP_S)
                os.rename(work + "/venv", self.path)
        self.site = glob.glob(self.path + "/lib/python3*/site-packages")[0]

    def program(self, name):
        """The command that runs it; its first line names where it was made."""
        return [self.path + "/bin/python", f"{self.path}/bin/{name}"]
