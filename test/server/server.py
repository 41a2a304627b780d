"""A `skiff server` on a state directory of its own, and requests to it over TCP."""
import http.client
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
import common  # noqa: E402
import points  # noqa: E402
import shapes  # noqa: E402


def workflow(script, name=None, image="busybox", **spec):
    """A Workflow of one container that runs a shell script."""
    meta = {"name": name} if name else {"generateName": "w-"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta,
            "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": image, "command": ["sh", "-c", script]}}], **spec}}


def memory_check(score, ok, what):
    """`make asan` and `make tsan` keep what is freed for a while, and shadows of all of it."""
    if "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ:
        score.skip(f"memory is the sanitizer's: {what}")
    else:
        score.check(ok, what)


class Stream:
    """One that the server sends: lines as they come, or all that is left of it."""

    def __init__(self, connection, target, headers):
        self.connection = connection
        connection.request("GET", target, headers=headers)
        self.reply = connection.getresponse()
        self.status, self.headers = self.reply.status, self.reply.headers

    def line(self):
        """The next line without its end; None when the stream has ended."""
        data = self.reply.readline()
        return data.decode().rstrip("\n") if data else None

    def result(self):
        """What the next line carries; None when the stream has ended."""
        line = self.line()
        return json.loads(line)["result"] if line is not None else None

    def until(self, fits):
        """The results up to the first one that fits, in order."""
        seen = []
        while not seen or not fits(seen[-1]):
            r = self.result()
            if r is None:
                raise RuntimeError(f"the stream ended after {len(seen)} results: {seen[-3:]}")
            seen.append(r)
        return seen

    def rest(self):
        return self.reply.read()

    def close(self):
        self.connection.close()


OPEN = []  # servers of the case


class Server:
    """`place`: its state directory, logs and tier (test/crash/common.py)."""

    def __init__(self, skiff, tier="none"):
        self.place = common.Place(skiff, tier)
        self.proc = None
        OPEN.append(self)

    def start(self, *words, env=None, port=0):
        self.proc = subprocess.Popen(self.place.command("server", "--port", str(port), *words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True, process_group=0,
                                     env=self.place.env({"SKIFF_RUNTIME": self.place.tier, **(env or {})}))
        self.said = ""
        while "listening at " not in self.said:
            line = self.proc.stderr.readline()
            if not line:
                raise RuntimeError(f"the server ended with {self.proc.wait()}: {self.said}")
            self.said += line
        self.url = self.said.rsplit("listening at ", 1)[1].split()[0].rstrip('"}')
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def stop(self):
        """Told to end; its exit status."""
        self.proc.send_signal(signal.SIGTERM)
        status = self.proc.wait(timeout=common.LIMIT_S)
        self.said += self.proc.stderr.read()
        self.proc.stderr.close()
        return status

    def kill(self):
        common.kill_engine(self.proc)
        self.proc.stderr.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=common.LIMIT_S)

    def ask(self, method, target, body=None, headers=None):
        """(status, headers, the answer: decoded when it is JSON)."""
        c = self.connect()
        try:
            c.request(method, target, json.dumps(body) if isinstance(body, (dict, list)) else body,
                      {"Content-Type": "application/json", **(headers or {})})
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        is_json = (r.headers.get("Content-Type") or "").startswith("application/json")
        return r.status, r.headers, json.loads(data) if is_json and data else data

    def stream(self, target, sse=False):
        return Stream(self.connect(), target, {"Accept": "text/event-stream"} if sse else {})

    def submit(self, wf, ns="default"):
        """Its name."""
        status, _, made = self.ask("POST", f"/api/v1/workflows/{ns}", {"workflow": wf})
        if status != 200:
            raise RuntimeError(f"submit: {status} {made}")
        return made["metadata"]["name"]

    def get(self, name, ns="default"):
        return self.ask("GET", f"/api/v1/workflows/{ns}/{name}")[2]

    def wait(self, name, ns="default"):
        """The workflow, once it is over."""
        def over():
            wf = self.get(name, ns)
            return wf if (wf.get("status") or {}).get("phase") in common.PHASES_DONE else None
        return common.wait_for(over, f"workflow {name}")

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.kill()
        self.place.kill_all()
        self.place.remove()


def run_cases(cases):
    """The whole of a run.py [SKIFF [CASE...]]; each case gets (score, skiff)."""
    words, score = sys.argv[1:], common.Score()
    skiff = words[0] if words else os.environ["SKIFF"]
    for case in cases:
        if words[1:] and case.__name__ not in words[1:]:
            continue
        try:
            case(score, skiff)
        except Exception as e:  # the others still count
            score.check(False, f"{case.__name__}: {type(e).__name__}: {e}")
            for s in OPEN:
                s.close()
        OPEN.clear()
    return score.end()
