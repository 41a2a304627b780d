#!/usr/bin/env python3
"""Http templates against servers on the loopback, and an engine that is killed during a request.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import gzip
import os
import sys
import threading
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "crash")]
import common  # noqa: E402
import servers  # noqa: E402

HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
"""


def node(wf, name):
    return next((n for n in wf["status"]["nodes"].values() if n["displayName"] == name), {})


class Case:
    """A workflow on a state directory of its own, and a server that notes what it is asked."""

    def __init__(self, skiff, answer, tier="none"):
        self.place = common.Place(skiff, tier)
        self.asked = []
        self.server = servers.Server(lambda r: self.noted(r, answer))

    def noted(self, request, answer):
        self.asked.append(types.SimpleNamespace(url_path=request.url_path, headers=request.headers))
        return answer(request)

    def text(self, body, head=HEAD):
        return head + body.replace("@URL@", self.server.url).replace("@LOG@", self.place.log_path())

    def run(self, body, *words, env=None):
        path = self.place.file("w.yaml", self.text(body))
        self.done = self.place.run(path, *words, env=env)
        return self.place.get("w")

    def start(self, body, env=None):
        return self.place.start(self.place.file("w.yaml", self.text(body)), env=env)

    def close(self, score):
        self.server.close()
        score.check(not (left := self.place.wait_clean()), f"left behind: {left}")
        self.place.remove()


def page(request):
    if request.url_path == "/absent":
        return 404, [("X-Why", "gone")], b"not here"
    if request.url_path == "/moved":
        return 302, [("Location", "/hello")], b""
    if request.url_path == "/big":
        return 200, [], b"x" * (2 << 20)
    if request.url_path == "/bomb":
        return 200, [("Content-Encoding", "gzip")], gzip.compress(bytes(50 << 20))
    if request.url_path == "/bytes":
        return 200, [], b"\xff\xfe"
    if request.url_path == "/close":
        return None
    return 200, [("X-Kind", "a"), ("X-Kind", "b")], b"hello " + request.command.encode() + b" " + request.body


OUTCOMES = [
    # name, http, phase, message, result; None: not looked at
    ("plain", "{url: '@URL@/hello'}", "Succeeded", "", "hello GET "),
    ("post", "{url: '@URL@/hello', method: POST, body: '{\"a\": 1}', headers: [{name: Content-Type, value: application/json}]}",
     "Succeeded", "", 'hello POST {"a": 1}'),
    ("bytes", "{url: '@URL@/hello', method: PUT, bodyFrom: {bytes: aGkh}}", "Succeeded", "", "hello PUT hi!"),
    ("moved", "{url: '@URL@/moved'}", "Succeeded", "", "hello GET "),
    ("absent", "{url: '@URL@/absent'}", "Failed", "received non-2xx response code: 404", "not here"),
    ("wanted", "{url: '@URL@/absent', successCondition: 'response.statusCode == 404 && response.headers[\"X-Why\"][0] == \"gone\"'}",
     "Succeeded", "", "not here"),
    ("unwanted", "{url: '@URL@/hello', successCondition: 'response.headers[\"X-Kind\"][1] == \"c\"'}", "Failed",
     "successCondition 'response.headers[\"X-Kind\"][1] == \"c\"' evaluated false", "hello GET "),
    ("senseless", "{url: '@URL@/hello', successCondition: 'response.absent.sense'}", "Failed", None, None),
    ("big", "{url: '@URL@/big'}", "Failed", "the reply is larger than 1048576 bytes", None),
    ("bomb", "{url: '@URL@/bomb'}", "Failed", "the reply is larger than 1048576 bytes", None),
    ("binary", "{url: '@URL@/bytes'}", "Succeeded", "", "\ufffd\ufffd"),
    ("closed", "{url: '@URL@/close'}", "Failed", "Get \"@URL@/close\": EOF", None),
    ("scheme", "{url: 'gopher://127.0.0.1/'}", "Failed", "Get \"gopher://127.0.0.1/\": unsupported protocol scheme \"gopher\"", None),
    ("lost", "{url: '@URL@/hello', headers: [{name: A, valueFrom: {secretKeyRef: {name: none, key: k}}}]}", "Failed", None, None),
]


def outcomes(score, skiff):
    case = Case(skiff, page)
    tasks = "".join(f"      - {{name: {row[0]}, template: {row[0]}}}\n" for row in OUTCOMES)
    templates = "".join(f"  - {{name: {row[0]}, http: {row[1]}}}\n" for row in OUTCOMES)
    wf = case.run("  - name: main\n    dag:\n      failFast: false\n      tasks:\n" + tasks + templates)
    for name, _, phase, message, result in OUTCOMES:
        n = node(wf, name)
        said = n.get("message", "").replace(case.server.url, "@URL@")
        score.check(n.get("type") == "HTTP" and n.get("phase") == phase, f"{name}: {n.get('type')} {n.get('phase')} {said}")
        score.check(message is None or said == message, f"{name}: message {said}")
        score.check(n.get("outputs", {}).get("result") == result, f"{name}: outputs {str(n.get('outputs'))[:100]}")
        score.check("exitCode" not in n.get("outputs", {}), f"{name}: an exit code")
    score.check(wf["status"]["phase"] == "Failed" and wf["status"]["progress"] == "6/14", f"progress {wf['status'].get('progress')}")
    case.close(score)


SECRET = """apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {key: s3cr3t-value}
---
"""


def secrets(score, skiff):
    case = Case(skiff, lambda r: (200, [], b"ok"))
    path = case.place.file("s.yaml", SECRET + case.text("""  - name: main
    http: {url: "@URL@/", headers: [{name: Authorization, valueFrom: {secretKeyRef: {name: token, key: key}}}],
           successCondition: 'len(request.headers) == 0'}
"""))
    done = case.place.run(path)
    score.check(done.returncode == 0, f"secret: {done.stderr}")
    score.check(case.asked and case.asked[0].headers.get("Authorization") == "s3cr3t-value", "secret: the header arrived")
    shown = case.place.call("get", "w", "-o", "json").stdout
    score.check("s3cr3t" not in shown + done.stdout + done.stderr, "secret: it is shown nowhere")
    case.close(score)


def tls(score, skiff):
    case = Case(skiff, page)
    servers.make_certificates(case.place.root, ["127.0.0.1"])
    secure = servers.TlsServer(page, case.place.root)
    body = f"""  - name: main
    steps: [[{{name: strict, template: strict, continueOn: {{failed: true}}}}, {{name: lax, template: lax}}]]
  - {{name: strict, http: {{url: "{secure.url}/hello"}}}}
  - {{name: lax, http: {{url: "{secure.url}/hello", insecureSkipVerify: true}}}}
"""
    wf = case.run(body)
    score.check(node(wf, "strict").get("phase") == "Failed" and "certificate" in node(wf, "strict").get("message", ""),
                f"tls: {node(wf, 'strict')}")
    score.check(node(wf, "lax").get("outputs", {}).get("result") == "hello GET ", f"tls: {node(wf, 'lax')}")
    case.place.call("delete", "w")
    wf = case.run(body, env={"SSL_CERT_FILE": os.path.join(case.place.root, "ca.pem")})
    score.check(node(wf, "strict").get("phase") == "Succeeded", f"tls with its authority: {node(wf, 'strict')}")
    secure.close()
    case.close(score)


def proxied(score, skiff):
    case = Case(skiff, lambda r: (200, [], ("to " + r.url_host).encode()))
    wf = case.run("  - {name: main, http: {url: 'http://some.example/x'}}\n", env={"http_proxy": case.server.url, "no_proxy": ""})
    score.check(node(wf, "w").get("outputs", {}).get("result") == "to some.example", f"proxy: {node(wf, 'w')}")
    case.close(score)


class Gate:
    """Holds requests back until it is opened."""

    def __init__(self):
        self.open = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def answer(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.waiting.release()
        self.open.wait(common.LIMIT_S)
        with self.lock:
            self.now -= 1
        return 200, [], b"7"  # a loop takes nothing but JSON


def beside_a_step(score, skiff):
    """A slot is taken by a step; four requests are under way at once all the same, and the step ends among them."""
    gate = Gate()
    case = Case(skiff, gate.answer)
    proc = case.start("""  - name: main
    steps: [[{name: ask, template: ask, withSequence: {count: "4"}}, {name: work, template: work}]]
  - {name: ask, http: {url: "@URL@/"}}
  - {name: work, container: {image: busybox, command: [sh, -c, "echo S work >> @LOG@"]}}
""", env={"SKIFF_PARALLEL": "1"})
    for _ in range(4):
        score.check(gate.waiting.acquire(timeout=common.LIMIT_S), "four requests at once")
    common.wait_for(lambda: node(case.place.get("w"), "work").get("phase") == "Succeeded", "the step beside them")
    phases = {node(case.place.get("w"), f"ask({i}:{i})").get("phase") for i in range(4)}
    score.check(phases == {"Pending"}, f"requests under way: {phases}")
    gate.open.set()
    _, said = proc.communicate(timeout=common.LIMIT_S)
    score.check(proc.returncode == 0, f"requests beside a step: {proc.returncode} {said}")
    case.close(score)


def many(score, skiff):
    """Sixteen at once, as Argo's agent; those that wait are not late, and each is made once."""
    gate = Gate()
    case = Case(skiff, gate.answer)
    proc = case.start("""  - name: main
    steps: [[{name: ask, template: ask, withSequence: {count: "200"}}]]
  - {name: ask, http: {url: "@URL@/", timeoutSeconds: 60}}
""")
    for _ in range(16):
        score.check(gate.waiting.acquire(timeout=common.LIMIT_S), "sixteen at once")
    gate.open.set()
    _, said = proc.communicate(timeout=common.LIMIT_S)
    score.check(proc.returncode == 0 and len(case.asked) == 200, f"many: {proc.returncode} {len(case.asked)} {said}")
    score.check(gate.most == 16, f"many: {gate.most} at once")
    case.close(score)


def time_out(score, skiff):
    gate = Gate()
    case = Case(skiff, gate.answer)
    wf = case.run("""  - name: main
    dag: {failFast: false, tasks: [{name: own, template: own}, {name: outer, template: outer}, {name: again, template: again}]}
  - {name: own, http: {url: "@URL@/own", timeoutSeconds: 1}}
  - {name: outer, timeout: 1s, http: {url: "@URL@/outer"}}
  - {name: again, retryStrategy: {limit: 1}, http: {url: "@URL@/again", timeoutSeconds: 1}}
""")
    late = f"Get \"{case.server.url}/own\": context deadline exceeded"
    score.check(node(wf, "own").get("message") == late, f"timeoutSeconds: {node(wf, 'own')}")
    score.check(node(wf, "outer").get("message") == "timeout", f"timeout: {node(wf, 'outer')}")
    score.check([r.url_path for r in case.asked].count("/again") == 2, "a retry asks again")
    gate.open.set()
    case.close(score)


def stopped(score, skiff):
    for verb, strategy, handled in (("stop", "Stop", 1), ("terminate", "Terminate", 0)):
        gate = Gate()
        case = Case(skiff, lambda r: gate.answer(r) if r.url_path == "/wait" else (200, [], b""))
        proc = case.start("""  - {name: main, http: {url: "@URL@/wait"}}
  - {name: bye, http: {url: "@URL@/bye"}}
  onExit: bye
""")
        gate.waiting.acquire(timeout=common.LIMIT_S)
        score.check(case.place.call(verb, "w").returncode == 0, verb)
        score.check(proc.wait(common.LIMIT_S) == 1, f"{verb}: exit status")
        wf = case.place.get("w")
        score.check(node(wf, "w").get("message") == f"Stopped with strategy '{strategy}'", f"{verb}: {node(wf, 'w')}")
        score.check([r.url_path for r in case.asked].count("/bye") == handled, f"{verb}: the exit handler's request")
        gate.open.set()
        case.close(score)


def killed(score, skiff):
    """The engine dies during a request: the next one makes it again, once."""
    gate = Gate()
    case = Case(skiff, lambda r: gate.answer(r) if r.url_path == "/wait" else (200, [], b"early"))
    proc = case.start("""  - name: main
    steps: [[{name: early, template: early}], [{name: ask, template: ask}], [{name: show, template: show,
      arguments: {parameters: [{name: r, value: "{{steps.ask.outputs.result}}"}]}}]]
  - {name: early, http: {url: "@URL@/early"}}
  - {name: ask, http: {url: "@URL@/wait"}}
  - name: show
    inputs: {parameters: [{name: r}]}
    container: {image: busybox, command: [sh, -c, "echo S {{inputs.parameters.r}} >> @LOG@"]}
""")
    gate.waiting.acquire(timeout=common.LIMIT_S)
    common.kill_engine(proc)
    score.check(node(case.place.get("w"), "ask").get("phase") == "Pending", "killed: the request is open")
    gate.open.set()
    resumed = case.place.run("--resume", "w")
    wf = case.place.get("w")
    score.check(resumed.returncode == 0 and wf["status"]["phase"] == "Succeeded", f"killed: {resumed.stderr}")
    paths = [r.url_path for r in case.asked]
    score.check(paths == ["/early", "/wait", "/wait"], f"killed: asked {paths}")
    score.check(node(wf, "ask").get("outputs", {}).get("result") == "7", f"killed: {node(wf, 'ask')}")
    score.check(case.place.lines() == ["S 7"], f"killed: steps {case.place.lines()}")
    case.close(score)


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"])
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
    for test in (outcomes, secrets, tls, proxied, beside_a_step, many, time_out, stopped, killed):
        test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
