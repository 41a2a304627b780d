"""Where a test of images works: a home and a state directory of one user, registries that go with the case; and how cases are run."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import common
import images
import registry

NOBODY = 65534
LIMIT_S = common.LIMIT_S
OPEN = []  # registries of the case


def new_registry(*words, **more):
    OPEN.append(registry.Registry(*words, **more))
    return OPEN[-1]


class Place:
    """A home and a state directory of one user, and the program."""

    def __init__(self, skiff, nobody=False):
        self.root = tempfile.mkdtemp(prefix="skiff-image-", dir="/var/tmp")
        os.chmod(self.root, 0o755)
        self.skiff = shutil.copy(skiff, self.root + "/skiff")
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if nobody else {}
        self.home, self.state = self.path("home"), self.path("home", "state")
        os.mkdir(self.home)
        if nobody:
            os.chown(self.home, NOBODY, NOBODY)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def env(self, more=None):
        return {"PATH": os.environ["PATH"], "HOME": self.home, "LC_ALL": "C.UTF-8", "SKIFF_STATE": self.state, **(more or {})}

    def start(self, *words, env=None, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([self.skiff, "image", *words], env=self.env(env), cwd=self.root, **self.user, **more)

    def call(self, *words, env=None, stdin=None):
        p = self.start(*words, env=env, stdin=stdin or subprocess.DEVNULL)
        out, err = p.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess(words, p.returncode, out.decode(), err.decode())

    def inspect(self, ref, *words):
        got = self.call("inspect", ref, "-o", "json", *words)
        return json.loads(got.stdout) if got.returncode == 0 else None

    def names(self):
        return self.call("ls", "-o", "name").stdout.split()

    def files(self, *places):
        """What lies in places of the store, locks apart."""
        return [f"{p}/{n}" for p in places for n in sorted(os.listdir(f"{self.state}/images/{p}"))]

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)


def run_cases(cases, make):
    """The whole of a run.py [SKIFF [CASE...]]: each case with a score and what `make(skiff, nobody)` gives, as this user and,
    when that is root, as nobody too. Without words the program is what SKIFF in the environment names."""
    words, score = sys.argv[1:], common.Score()
    skiff, only = words[0] if words else os.environ["SKIFF"], words[1:]
    if not images.BUSYBOX:
        score.skip("busybox-static is not installed")
        return score.end()
    for nobody in ([False, True] if os.geteuid() == 0 else [False]):
        for case in cases:
            if only and case.__name__ not in only:
                continue
            before, started = score.failed, time.monotonic()
            place = make(skiff, nobody)
            try:
                case(score, place)
            except Exception as e:  # the others still count
                score.check(False, f"{case.__name__}: {type(e).__name__}: {e}")
            finally:
                place.close()
                while OPEN:
                    OPEN.pop().close()
            print(f"{case.__name__}{' as nobody' if nobody else ''}: {'ok' if score.failed == before else 'FAILED'}, "
                  f"{time.monotonic() - started:.1f} s", flush=True)
    return score.end()
