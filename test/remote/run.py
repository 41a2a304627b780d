#!/usr/bin/env python3
"""Artifacts that lie elsewhere: behind URLs and in git repositories on the loopback, and an engine that is killed
while they are on their way.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import base64
import io
import os
import shutil
import sys
import tarfile
import threading
import types
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "http"), os.path.join(HERE, "..", "crash")]
import common  # noqa: E402
import servers  # noqa: E402

HEAD = """apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {user: me, password: pa ss, id: client, secret: hush, token: "@URL@/token"}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
"""
BASIC = "Basic " + base64.b64encode(b"me:pa ss").decode()


def tgz(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(name, text)
    return out.getvalue()


def untar(body):
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as t:
        return {m.name: t.extractfile(m).read().decode() for m in t.getmembers() if m.isfile()}


def node(wf, name):
    return next((n for n in wf["status"]["nodes"].values() if n["displayName"] == name), {})


class Case:
    """A workflow in a state directory of its own; a server that keeps what is PUT; a folder of git repositories."""

    def __init__(self, skiff, answer=None):
        self.place = common.Place(skiff, "overlay" if os.geteuid() == 0 else "ro")
        self.asked, self.kept = [], {}
        self.special = answer
        self.git = os.path.join(self.place.root, "git")
        os.mkdir(self.git)
        self.server = servers.Server(self.answer)

    def answer(self, r):
        self.asked.append(types.SimpleNamespace(command=r.command, path=r.url_path, headers=dict(r.headers), body=r.body))
        if self.special and (reply := self.special(self, r)) != "other":
            return reply
        if r.url_path.startswith("/git/") or ".git/" in r.url_path:
            return servers.git_backend(self.git, r)
        if r.command == "PUT":
            self.kept[r.url_path] = r.body
            return 201, [], b""
        if r.url_path in self.kept:
            return 200, [], self.kept[r.url_path]
        return 404, [], b"nothing here"

    def text(self, body):
        return (HEAD + body).replace("@URL@", self.server.url).replace("@GIT@", self.git).replace("@LOG@", self.place.log_path())

    def run(self, body, env=None):
        self.done = self.place.run(self.place.file("w.yaml", self.text(body)), env=env)
        return self.place.get("w")

    def start(self, body):
        return self.place.start(self.place.file("w.yaml", self.text(body)))

    def logs(self):
        return self.place.call("logs", "w", "--no-color").stdout

    def close(self, score):
        self.server.close()
        score.check(not (left := self.place.wait_clean()), f"left behind: {left}")
        content = [f for _, _, files in os.walk(self.place.state + "/artifacts") for f in files]
        self.place.remove()
        return content


def steps_of(rows, script="cat /in"):
    """A dag of one task each, which reads its input artifact."""
    text = "  - name: main\n    dag:\n      failFast: false\n      tasks:\n"
    text += "".join(f"      - {{name: {name}, template: {name}}}\n" for name in rows)
    for name, art in rows.items():
        art, run = art if isinstance(art, tuple) else (art, script)
        text += f"  - name: {name}\n    inputs: {{artifacts: [{{name: in, path: /in, {art}}}]}}\n"
        text += f"    container: {{image: busybox, command: [sh, -c, \"{run}\"]}}\n"
    return text


def inputs(score, skiff):
    def answer(case, r):
        if r.url_path == "/guarded":
            good = r.headers.get("Authorization") == BASIC and r.headers.get("X-Extra") == "more"
            return (200, [], b"guarded") if good else (401, [], b"")
        if r.url_path == "/moved":
            return 302, [("Location", "/plain")], b""
        if r.url_path == "/broken":
            return 500, [], b""
        if r.url_path == "/token":
            header = "Basic " + base64.b64encode(b"client:hush").decode()
            wanted = r.headers.get("Authorization") == header and b"grant_type=client_credentials&scope=a+b&k=v+%2B" == r.body
            return (200, [], b'{"access_token": "tok", "token_type": "bearer"}') if wanted else (400, [], b"")
        if r.url_path == "/oauth":
            return (200, [], b"by token") if r.headers.get("Authorization") == "Bearer tok" else (401, [], b"")
        return "other"

    case = Case(skiff, answer)
    case.kept = {"/plain": b"plain text", "/dir.tgz": tgz({"d/a": "one", "d/b": "two"}), "/file.tgz": tgz({"only": "just this"}),
                 "/x.zip": zipped({"z/a": "zip a"}), "/evil.tgz": tgz({"../../evil": "x"})}
    secret = lambda key: "{name: s, key: %s}" % key  # noqa: E731
    auth = "auth: {basicAuth: {usernameSecret: %s, passwordSecret: %s}}" % (secret("user"), secret("password"))
    oauth = "auth: {oauth2: {clientIDSecret: %s, clientSecretSecret: %s, tokenURLSecret: %s, scopes: [a, b], " \
            "endpointParams: [{key: k, value: v +}]}}" % (secret("id"), secret("secret"), secret("token"))
    wf = case.run(steps_of({
        "plain": "http: {url: '@URL@/plain'}",
        "moved": "mode: 0755, http: {url: '@URL@/moved'}",
        "guarded": "http: {url: '@URL@/guarded', headers: [{name: X-Extra, value: more}], %s}" % auth,
        "oauth": "http: {url: '@URL@/oauth', %s}" % oauth,
        "factory": "artifactory: {url: '@URL@/plain', usernameSecret: %s, passwordSecret: %s}" % (secret("user"), secret("password")),
        "dir": ("http: {url: '@URL@/dir.tgz'}", "cat /in/a /in/b"),
        "file": "http: {url: '@URL@/file.tgz'}",
        "packed": ("archive: {none: {}}, http: {url: '@URL@/file.tgz'}", "gzip -dc < /in | tar -xOf - only"),
        "zip": ("archive: {zip: {}}, http: {url: '@URL@/x.zip'}", "cat /in/a"),
        "autozip": ("http: {url: '@URL@/x.zip'}", "head -c 2 /in"),
        "evil": "http: {url: '@URL@/evil.tgz'}",
        "absent": "http: {url: '@URL@/absent'}",
        "optional": ("optional: true, http: {url: '@URL@/absent'}", "ls /in 2>&1 || true"),
        "broken": "optional: true, http: {url: '@URL@/broken'}",
        "nosecret": "http: {url: '@URL@/plain', auth: {basicAuth: {usernameSecret: {name: none, key: k}}}}",
        "mode": ("mode: 0751, http: {url: '@URL@/plain'}", "stat -c %a /in"),
        "modes": ("mode: 0750, recurseMode: true, http: {url: '@URL@/dir.tgz'}", "stat -c %a /in /in/a | tr '\\\\n' -"),
    }))
    said = case.logs()
    for name, text in (("plain", "plain text"), ("moved", "plain text"), ("guarded", "guarded"), ("oauth", "by token"),
                       ("factory", "plain text"), ("dir", "onetwo"), ("file", "just this"), ("packed", "just this"), ("zip", "zip a"),
                       ("autozip", "PK"), ("mode", "751"), ("modes", "750-750-")):
        score.check(node(wf, name).get("phase") == "Succeeded", f"{name}: {node(wf, name).get('message')}")
        score.check(any(f"-{name}-" in line and text in line for line in said.split("\n")), f"{name}: printed {text}")
    for name, message in (("absent", "artifact in failed to load: 404 Not Found"), ("evil", "failed to load: "),
                          ("broken", f"artifact in failed to load: loading content from {case.server.url}/broken failed with reason: "
                                     "500 Internal Server Error"), ("nosecret", "none")):
        n = node(wf, name)
        score.check(n.get("phase") == "Error" and message in n.get("message", ""), f"{name}: {n.get('phase')} {n.get('message')}")
    score.check(node(wf, "optional").get("phase") == "Succeeded", f"optional: {node(wf, 'optional').get('message')}")
    given = [r.headers.get("Authorization") for r in case.asked if r.path == "/plain"]
    score.check(BASIC in given and None in given, f"credentials go where they belong: {given}")
    shown = case.place.call("get", "w", "-o", "json").stdout
    score.check("pa ss" not in shown + case.done.stdout + case.done.stderr and "hush" not in shown, "no secret is shown")
    score.check(not case.close(score), "what was fetched goes with its step")


def arguments(score, skiff):
    case = Case(skiff)
    case.kept = {"/v1/tool": b"tool 1", "/v2/tool": b"tool 2"}
    wf = case.run("""  - name: main
    steps: [[{name: a, template: show, arguments: {artifacts: [{name: in, http: {url: "@URL@/{{item}}/tool"}}]}, withItems: [v1, v2]}]]
  - name: show
    inputs: {artifacts: [{name: in, path: /in}]}
    container: {image: busybox, command: [cat, /in]}
""")
    score.check(wf["status"]["phase"] == "Succeeded" and "tool 1" in case.logs() and "tool 2" in case.logs(), f"arguments: {case.logs()}")
    case.close(score)


def outputs(score, skiff):
    def answer(case, r):
        if r.command == "PUT" and r.url_path == "/full":
            return 507, [], b""
        if r.command == "PUT" and r.url_path == "/there":
            return 307, [("Location", "/elsewhere")], b""
        return "other"

    case = Case(skiff, answer)
    wf = case.run("""  - name: main
    steps:
    - - {name: make, template: make}
      - {name: full, template: full, continueOn: {error: true}}
      - {name: failing, template: failing, continueOn: {failed: true}}
    - - {name: take, template: take, arguments: {artifacts: [{name: in, from: "{{steps.make.outputs.artifacts.packed}}"}]}}
  - name: make
    container: {image: busybox, command: [sh, -c, "mkdir /tmp/d; echo hi > /tmp/d/f; echo plain > /tmp/p; echo here > /tmp/h; echo far > /tmp/far"]}
    outputs:
      artifacts:
      - {name: packed, path: /tmp/d, http: {url: "@URL@/packed.tgz"}}
      - {name: plain, path: /tmp/p, archive: {none: {}}, artifactory: {url: "@URL@/plain", usernameSecret: {name: s, key: user},
         passwordSecret: {name: s, key: password}}}
      - {name: far, path: /tmp/far, archive: {none: {}}, http: {url: "@URL@/there"}}
      - {name: here, path: /tmp/h}
      - {name: none, path: /tmp/none, optional: true, http: {url: "@URL@/none"}}
  - name: full
    container: {image: busybox, command: [sh, -c, "echo x > /tmp/x"]}
    outputs: {artifacts: [{name: x, path: /tmp/x, http: {url: "@URL@/full"}}]}
  - name: failing
    container: {image: busybox, command: [sh, -c, "echo x > /tmp/x; exit 3"]}
    outputs: {artifacts: [{name: x, path: /tmp/x, archive: {none: {}}, http: {url: "@URL@/failing"}}]}
  - name: take
    inputs: {artifacts: [{name: in, path: /in}]}
    container: {image: busybox, command: [cat, /in/f]}
""")
    score.check(wf["status"]["phase"] == "Succeeded", f"outputs: {wf['status'].get('message')} {node(wf, 'make').get('message')}")
    score.check(untar(case.kept.get("/packed.tgz", tgz({}))) == {"d/f": "hi\n"}, f"outputs: {case.kept.keys()}")
    score.check(case.kept.get("/plain") == b"plain\n" and case.kept.get("/elsewhere") == b"far\n", f"outputs: {case.kept}")
    score.check("/none" not in case.kept, "an optional output that is missing is not sent")
    score.check(case.kept.get("/failing") == b"x\n", "outputs of a step that failed are sent")
    full = node(wf, "full")
    score.check(full.get("phase") == "Error" and "failed with reason: 507" in full.get("message", ""), f"full: {full.get('message')}")
    arts = {a["name"]: a for a in node(wf, "make")["outputs"]["artifacts"]}
    score.check("s3" not in arts["packed"] and arts["packed"]["http"]["url"].endswith("/packed.tgz") and "s3" in arts["here"], f"{arts}")
    score.check("hi" in case.logs(), "a later step takes it from there")
    case.close(score)


def client_certificates(score, skiff):
    case = Case(skiff)
    servers.make_certificates(case.place.root, ["127.0.0.1"])
    secure = servers.TlsServer(lambda r: (200, [], b"for friends"), case.place.root, ask_client=True)
    read = lambda name: open(os.path.join(case.place.root, name)).read()  # noqa: E731
    indent = lambda text: "".join("    " + line + "\n" for line in text.splitlines())  # noqa: E731
    secret = ("apiVersion: v1\nkind: Secret\nmetadata: {name: c}\nstringData:\n  cert: |\n" + indent(read("client.crt")) +
              "  key: |\n" + indent(read("client.key")) + "---\n")
    auth = ", auth: {clientCert: {clientCertSecret: {name: c, key: cert}, clientKeySecret: {name: c, key: key}}}"
    body = steps_of({"with": "http: {url: '%s/x'%s}" % (secure.url, auth), "without": "http: {url: '%s/x'}" % secure.url})
    path = case.place.file("w.yaml", secret + case.text(body))
    case.place.run(path, env={"SSL_CERT_FILE": os.path.join(case.place.root, "ca.pem")})
    wf = case.place.get("w")
    score.check(node(wf, "with").get("phase") == "Succeeded" and "for friends" in case.logs(), f"client certificate: {node(wf, 'with')}")
    score.check(node(wf, "without").get("phase") == "Error", "without a client certificate")
    secure.close()
    case.close(score)


def git(score, skiff):
    def answer(case, r):
        return (401, [("WWW-Authenticate", "Basic realm=x")], b"") if r.url_path.startswith("/shut.git/") and \
            r.headers.get("Authorization") != BASIC else "other"

    case = Case(skiff, answer)
    hashes = servers.make_repository(case.git + "/open.git", [("v1", {"f": "one"}), ("v2", {"f": "two"}), ("v3", {"f": "three"})])
    shutil.copytree(case.git + "/open.git", case.git + "/shut.git")
    servers.git(case.git + "/open.git", "branch", "old", hashes[0])
    servers.git(case.git + "/open.git", "update-ref", "refs/changes/7", hashes[1])
    os.mkdir(case.git + "/empty.git")
    servers.git(case.git + "/empty.git", "init", "-q", "--bare")
    work = case.git + "/work"
    servers.git(case.git, "clone", "-q", "open.git", "work")
    servers.git(work, "submodule", "add", "-q", case.server.url + "/open.git", "sub")
    servers.git(work, "commit", "-q", "-m", "sub")
    servers.git(case.git, "clone", "-q", "--bare", "work", "outer.git")
    shutil.rmtree(work)
    show = "cat /in/f; cd /in; git log --oneline 2>/dev/null | wc -l"
    password = "usernameSecret: {name: s, key: user}, passwordSecret: {name: s, key: password}"
    wf = case.run(steps_of({
        "head": "git: {repo: '@URL@/open.git'}",
        "tag": "git: {repo: '@URL@/open.git', revision: v1}",
        "branch": "git: {repo: '@URL@/open.git', revision: old}",
        "hash": "git: {repo: '@URL@/open.git', revision: %s}" % hashes[1][:10],
        "relative": "git: {repo: '@URL@/open.git', revision: 'v3~1'}",
        "local": "git: {repo: 'file://@GIT@/open.git', revision: v2}",
        "path": "git: {repo: '@GIT@/open.git', revision: v2}",
        "shallow": ("git: {repo: '@URL@/open.git', depth: 1}", "test -f /in/.git/shallow && cat /in/f"),
        "single": ("git: {repo: '@URL@/open.git', singleBranch: true, branch: old}", "cat /in/f; ! ls /in/.git/refs/remotes/origin/master"),
        "fetch": ("git: {repo: '@URL@/open.git', depth: 1, fetch: ['refs/changes/*:refs/changes/*'], revision: refs/changes/7}", "cat /in/f"),
        "password": "git: {repo: '@URL@/shut.git', revision: v1, %s}" % password,
        "outer": ("git: {repo: '@URL@/outer.git'}", "cat /in/sub/f"),
        "alone": ("git: {repo: '@URL@/outer.git', disableSubmodules: true}", "cat /in/f; ls -A /in/sub | wc -l"),
        "empty": ("git: {repo: '@URL@/empty.git', revision: v9}", "ls -A /in"),
        "shut": "git: {repo: '@URL@/shut.git'}",
        "absent": "optional: true, git: {repo: '@URL@/absent.git'}",
        "unknown": "git: {repo: '@URL@/open.git', revision: v9}",
        "dashed": "git: {repo: '@URL@/open.git', revision: '--help'}",
        "branchless": "git: {repo: '@URL@/open.git', singleBranch: true}",
        "command": "git: {repo: 'ext::sh -c touch% @GIT@/owned'}",
        "option": "git: {repo: '--upload-pack=touch @GIT@/owned'}",
    }, "cat /in/f"))
    said = case.logs().split("\n")
    for name, text in {"head": "three", "tag": "one", "branch": "one", "hash": "two", "relative": "two", "local": "two", "path": "two",
                       "shallow": "three", "single": "one", "fetch": "two", "password": "one", "outer": "three", "alone": "three",
                       "empty": ".git"}.items():
        score.check(node(wf, name).get("phase") == "Succeeded", f"git {name}: {node(wf, name).get('message')}")
        score.check(any(f"-{name}-" in line and text in line for line in said), f"git {name}: printed {text}")
    for name, text in {"shut": "failed to clone", "absent": "failed to clone", "unknown": "failed to get resolve revision: reference not found",
                       "dashed": "failed to get resolve revision", "branchless": "single branch mode without a branch specified",
                       "command": "transport 'ext' not allowed", "option": "failed to clone"}.items():
        n = node(wf, name)
        score.check(n.get("phase") == "Error" and text in n.get("message", ""), f"git {name}: {n.get('phase')} {n.get('message')}")
    score.check(not os.path.exists(case.git + "/owned"), "a repository's name runs nothing")
    score.check("pa ss" not in case.done.stdout + case.done.stderr + "".join(n.get("message", "") for n in wf["status"]["nodes"].values()),
                "git: no secret is shown")
    case.close(score)


def ended_meanwhile(score, skiff):
    """Stop while an input is on its way: its step never begins."""
    gate, here = threading.Event(), threading.Semaphore(0)

    def answer(case, r):
        here.release()
        gate.wait(common.LIMIT_S)
        return 200, [], b"late"

    case = Case(skiff, answer)
    proc = case.start(steps_of({"one": ("http: {url: '@URL@/x'}", "echo S one >> /in")}))
    here.acquire(timeout=common.LIMIT_S)
    score.check(case.place.call("stop", "w").returncode == 0, "stop during a transfer")
    score.check(proc.wait(common.LIMIT_S) == 1, "stop during a transfer: exit status")
    n = node(case.place.get("w"), "one")
    score.check(n.get("phase") == "Failed" and "shutdown with strategy" in n.get("message", ""), f"stop during a transfer: {n}")
    gate.set()
    case.close(score)


def ended_while_sending(score, skiff):
    """Terminate while an output is on its way: it is given up."""
    gate, here = threading.Event(), threading.Semaphore(0)

    def answer(case, r):
        here.release()
        gate.wait(common.LIMIT_S)
        return 201, [], b""

    case = Case(skiff, answer)
    proc = case.start("""  - name: main
    container: {image: busybox, command: [sh, -c, "echo x > /tmp/x"]}
    outputs: {artifacts: [{name: x, path: /tmp/x, http: {url: "@URL@/x"}}]}
""")
    here.acquire(timeout=common.LIMIT_S)
    score.check(case.place.call("terminate", "w").returncode == 0, "terminate while sending")
    score.check(proc.wait(common.LIMIT_S) == 1, "terminate while sending: exit status")
    n = node(case.place.get("w"), "w")
    score.check(n.get("phase") == "Failed" and "Terminate" in n.get("message", ""), f"terminate while sending: {n}")
    gate.set()
    case.close(score)


def killed(score, skiff):
    """SIGKILL while an input is on its way, and again while an output is: the step runs once."""
    gates = {"GET": threading.Event(), "PUT": threading.Event()}
    here = {"GET": threading.Semaphore(0), "PUT": threading.Semaphore(0)}

    def answer(case, r):
        here[r.command].release()
        gates[r.command].wait(common.LIMIT_S)
        return "other"

    case = Case(skiff, answer)
    case.kept["/in"] = b"content"
    log = case.place.count
    proc = case.start(f"""  - name: main
    inputs: {{artifacts: [{{name: in, path: /in, http: {{url: "@URL@/in"}}}}]}}
    volumes: [{{name: count, hostPath: {{path: "{log}"}}}}]
    container:
      image: busybox
      command: [sh, -c, "echo S one >> /mnt/count/log; cat /in > /tmp/out"]
      volumeMounts: [{{name: count, mountPath: /mnt/count}}]
    outputs: {{artifacts: [{{name: out, path: /tmp/out, archive: {{none: {{}}}}, http: {{url: "@URL@/out"}}}}]}}
""")
    here["GET"].acquire(timeout=common.LIMIT_S)
    common.kill_engine(proc)
    score.check(case.place.lines() == [], "killed: the step waits for its input")
    gates["GET"].set()
    proc = case.place.start("--resume", "w")
    here["PUT"].acquire(timeout=common.LIMIT_S)
    common.kill_engine(proc)
    gates["PUT"].set()
    done = case.place.run("--resume", "w")
    wf = case.place.get("w")
    score.check(done.returncode == 0 and wf["status"]["phase"] == "Succeeded", f"killed: {done.stderr} {node(wf, 'w').get('message')}")
    score.check(case.place.lines() == ["S one"], f"killed: steps {case.place.lines()}")
    score.check(case.kept.get("/out") == b"content", "killed: the output arrived")
    score.check([r.command for r in case.asked] == ["GET", "GET", "PUT", "PUT"], f"killed: {[r.command for r in case.asked]}")
    case.close(score)


def many(score, skiff):
    """More transfers than run at once, and none is lost."""
    case = Case(skiff)
    case.kept["/in"] = b"0123456789" * 1000
    wf = case.run("""  - name: main
    steps: [[{name: a, template: one, withSequence: {count: "40"}}]]
  - name: one
    inputs: {artifacts: [{name: in, path: /in, http: {url: "@URL@/in"}}]}
    container: {image: busybox, command: [sh, -c, "test $(wc -c < /in) = 10000"]}
""")
    score.check(wf["status"]["phase"] == "Succeeded" and wf["status"]["progress"] == "40/40", f"many: {wf['status'].get('progress')}")
    score.check(not case.close(score), "many: what was fetched goes with its step")


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"])
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
    tests = [inputs, arguments, outputs, client_certificates, git, ended_meanwhile, ended_while_sending, killed, many]
    for test in tests:
        if len(sys.argv) < 3 or test.__name__ in sys.argv[2:]:
            test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
