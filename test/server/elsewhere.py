"""The command line on a server elsewhere: the same commands on the state directory and over HTTP say the same; runs are followed
through restarts; whatever may be wrong with a server is said."""
import glob
import http.client
import http.server
import json
import os
import pty
import re
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

from http_cases import certificate
from server import Server, common, workflow

TOKEN = "skt_test_0123456789"


class Away:
    """A user on another machine: no state directory, the server's address and token."""

    def __init__(self, skiff, url, **env):
        self.skiff, self.dir = os.path.abspath(skiff), tempfile.mkdtemp(prefix="skiff-away-")
        self.env = {**common.clean_env(), "ARGO_SERVER": url.split("://", 1)[1], "ARGO_SECURE": "true" if url.startswith("https") else "false",
                    "HOME": self.dir, "XDG_STATE_HOME": self.dir + "/none", **env}

    def call(self, *words, **env):
        return subprocess.run([self.skiff, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.dir,
                              env={**self.env, **env}, timeout=common.LIMIT_S)

    def start(self, *words):
        return subprocess.Popen([self.skiff, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=self.dir, env=self.env)

    def file(self, name, what):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n---\n".join(json.dumps(d) for d in what) if isinstance(what, list) else json.dumps(what))
        return path

    def close(self):
        subprocess.run(["rm", "-rf", self.dir], check=True)


TEMPLATE = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "make", "labels": {"of": "test"}}, "spec": {
    "entrypoint": "main", "arguments": {"parameters": [{"name": "word", "value": "usual"}]}, "templates": [
        {"name": "main", "steps": [[{"name": "one", "template": "say"}], [{"name": "two", "template": "say"}]]},
        {"name": "say", "container": {"image": "busybox", "command": ["sh", "-c", "\n".join((
            "for i in 1 2 3; do echo {{workflow.parameters.word}} $i; done",
            "mkdir -p @DIR@/dir; echo in it > @DIR@/dir/file; echo text > @DIR@/plain; echo packed > @DIR@/packed"))]},
         "outputs": {"artifacts": [{"name": "dir", "path": "@DIR@/dir"}, {"name": "plain", "path": "@DIR@/plain", "archive": {"none": {}}},
                                   {"name": "packed", "path": "@DIR@/packed"}]}}]}}
CRON = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "yearly"},
        "spec": {"schedules": ["0 0 1 1 *"], "workflowSpec": {"workflowTemplateRef": {"name": "make"}}}}
GATE = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "gate-"}, "spec": {
    "entrypoint": "main", "templates": [{"name": "main", "steps": [[{"name": "gate", "template": "gate"}]]}, {"name": "gate", "suspend": {}}]}}


def filled(skiff, *words, env=None):
    """A server that has a bit of everything."""
    s = Server(skiff).start(*words, env=env)
    template = json.loads(json.dumps(TEMPLATE).replace("@DIR@", s.place.count))
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": template})
    s.ask("POST", "/api/v1/cron-workflows/default", {"cronWorkflow": CRON})
    s.ask("POST", "/api/v1/sync/default", {"key": "gpu", "limit": 3, "type": "DATABASE"})
    s.ask("PUT", "/api/v1/skiff/objects/secrets/default/keys", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"a": "Yg=="}})
    ref = {"workflowTemplateRef": {"name": "make"}}
    for name, more in (("good", {"priority": 7}), ("other", {"arguments": {"parameters": [{"name": "word", "value": "another"}]}})):
        s.wait(s.submit({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "labels": {"team": name}}, "spec": {**ref, **more}}))
    s.wait(s.submit(workflow("echo said; exit 3", name="bad")))
    s.wait(s.submit({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "set"}, "spec": {"entrypoint": "main", "templates": [
        {"name": "main", "containerSet": {"containers": [{"name": n, "image": "busybox", "command": ["echo", f"this is {n}"]} for n in ("one", "main")]}}]}}))
    s.submit({**GATE, "metadata": {"name": "open", "labels": {"team": "good"}}})
    common.wait_for(lambda: (s.get("open")["status"].get("nodes") or {}).get("open"), "the gate")
    return s


# Texts that depend on the moment are left out of a comparison.
MOMENT = re.compile(r"\d+ (?:second|minute)s? ago|\(now\)|\(in \d+[a-z ]*\)|\b\d+m?s\b")
READS = """list|list -o json|list -o yaml|list -o name|list -o wide|list -A -o name|list --running -o name|list --completed -o name
list --status Succeeded,Failed -o name|list --prefix g -o name|list -l team=good -o json|list -l team=nobody|list --limit 2 -o name
list --since 1h -o name|list --older 1h -o name|list --field-selector metadata.name=good -o name|list --resubmitted|list -n nowhere
get good|get good -o json|get good -o yaml|get good bad -o name|get @latest -o name|get goo -o name|get UID -o name|get nobody|get o
get good --status Failed|get open --node-field-selector displayName=gate
logs good|logs good two|logs other --timestamps|logs good --tail 1|logs good --grep 2|logs good nobody|logs -l team=good|logs bad -f|logs nobody
logs good --since-time 2000-01-01T00:00:00Z --tail 2|logs good -c wait|logs good -l workflows.argoproj.io/workflow=good|logs good two -l a=b|logs good --previous|logs set|logs set -c one|logs set one
get ..|get .|logs ..|delete ..|stop .|template get ..|cron get .|archive get ..|logs good --grep [|list -l a=b=c|list --field-selector nothing
list --status Nothing|list --since yesterday|list --limit x|get good --status|wait|logs|stop|delete|get good -o nothing
wait good bad|wait nobody|wait nobody --ignore-not-found|watch bad|watch good --status Failed|graph --run good
template list|template list -l of=test -o name|template get make|template get make -o json|template get nobody|cron lint CRON
cron list -o name|cron get yearly -o json|cluster-template list|archive list -o name|archive get UID -o json|archive list-label-keys
archive list-label-values -l team|secret list|sync get gpu --type database|sync get none --type database
artifact list good -o name|artifact get good packed -|token list|lint FILE|lint MISSING|submit MISSING|submit FILE --dry-run -o name --name x
delete good --dry-run|delete goo --dry-run|stop good|retry open|resume bad|node set open --node-field-selector displayName=none --message x
template create TEMPLATE|template delete nobody|cron suspend nobody|sync create gpu --type database --limit 1|top -o json"""


def same(score, skiff):
    """One command in two ways: on the state directory, and elsewhere."""
    s = filled(skiff)
    away = Away(skiff, s.url)
    names = {"UID": s.get("good")["metadata"]["uid"], "CRON": away.file("cron.json", CRON), "TEMPLATE": away.file("t.json", TEMPLATE),
             "FILE": away.file("ok.json", {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "x-"},
                                           "spec": {"workflowTemplateRef": {"name": "make"}}}),
             "MISSING": away.file("no.json", {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "x-"},
                                              "spec": {"workflowTemplateRef": {"name": "nobody"}}})}
    local = {k: v for k, v in away.env.items() if not k.startswith("ARGO_")} | {"SKIFF_STATE": s.place.state}
    for line in READS.replace("\n", "|").split("|"):
        words = [names.get(w, w) for w in line.split()]
        here = subprocess.run([away.skiff, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=local, cwd=away.dir, timeout=common.LIMIT_S)
        there = away.call(*words)
        if "lint" in words:  # templates are only looked up where there is a server
            status, text = (3, "nobody") if "MISSING" in line else (0, "no linting errors")
            score.check(there.returncode == status and text in there.stdout and "not known here" in here.stdout, f"{line}: {there.stdout}{there.stderr}")
            continue
        a, b = (tuple(MOMENT.sub("~", t) for t in (r.stdout, r.stderr)) + (r.returncode,) for r in (here, there))
        score.check(a == b, f"{line}:\n  here:  {a}\n  there: {b}")
    copied = {}
    for how, env in (("here", local), ("there", away.env)):
        ran = subprocess.run([away.skiff, "cp", "good", how], capture_output=True, text=True, env=env, cwd=away.dir, timeout=common.LIMIT_S)
        score.check(ran.returncode == 0, f"cp {how}: {ran.stderr}")
        for art, to in (("dir", "got-dir"), ("dir", "got-slash/"), ("plain", "got-plain"), ("packed", "got-packed")):
            node = [n["id"] for n in s.get("good")["status"]["nodes"].values() if n["displayName"] == "one"][0]
            got = subprocess.run([away.skiff, "artifact", "get", "good", art, f"{how}/{to}", "--node-id", node], capture_output=True, text=True,
                                 env=env, cwd=away.dir, timeout=common.LIMIT_S)
            score.check(got.returncode == 0, f"artifact get {art} {how}/{to}: {got.stderr}")
        files = sorted(p for p in glob.glob(f"{away.dir}/{how}/**", recursive=True) if os.path.isfile(p))
        copied[how] = [(p.split(f"/{how}/", 1)[1], open(p, "rb").read()) for p in files]
    score.check(copied["here"] == copied["there"] and len(copied["here"]) == 10, f"cp: {[n for n, _ in copied['here']]} {[n for n, _ in copied['there']]}")
    score.check(not os.path.exists(away.dir + "/none"), "no state directory is made")
    away.close()
    s.close()


def steered(score, skiff):
    """What changes something there."""
    s = filled(skiff)
    away = Away(skiff, s.url)
    phase = lambda name: s.get(name)["status"]["phase"]  # noqa: E731
    gate = away.file("gate.json", GATE)

    def does(line, status, *texts):
        ran = away.call(*line.split())
        score.check(ran.returncode == status and all(t in ran.stdout + ran.stderr for t in texts), f"{line}: {ran.returncode} {ran.stdout}{ran.stderr}")
        return ran.stdout.strip()
    does("suspend open", 0)
    score.check(s.get("open")["spec"].get("suspend") is True, "suspended")
    does("resume open", 0)
    does("wait open", 0, "open Succeeded at ")
    name = does(f"submit {gate} -p a=b -l x=y --priority 4", 0)
    score.check(s.get(name)["metadata"]["labels"].get("x") == "y" and s.get(name)["spec"]["priority"] == 4, f"submit: {name}")
    does(f"node set {name} --node-field-selector displayName=gate --phase Failed --message no", 0)
    does(f"wait {name}", 1)
    does(f"stop {does(f'submit {gate}', 0)}", 0)
    does(f"terminate {does(f'submit {gate}', 0)}", 0)
    does("submit --from workflowtemplate/make -p word=given --name from --log", 0, "given 2", "from SUCCEEDED")
    does("submit --from cronworkflow/yearly --wait -q", 0)
    does("retry bad", 0, "bad")
    does("wait bad", 1)
    again = does("resubmit bad --wait -q -o name", 1)
    score.check(again.startswith("bad-") and phase(again) == "Failed", f"resubmit: {again}")
    does(f"archive resubmit {s.get('bad')['metadata']['uid']}", 0, "bad-")
    does("delete good", 0, "Workflow 'good' deleted")
    score.check(s.ask("GET", "/api/v1/workflows/default/good")[0] == 404, "deleted")
    does("cron suspend yearly", 0)
    does("cron resume yearly", 0)
    does("cron backfill yearly --start 2023-06-01T00:00:00Z --end 2025-06-01T00:00:00Z", 0, "Total Backfill Schedule: 2")
    does(f"apply -f {away.file('t.json', TEMPLATE)} -f {away.file('c.json', CRON)}", 0, "WorkflowTemplate/make configured")
    does("secret set more a=b -q", 0)
    score.check(s.ask("GET", "/api/v1/skiff/objects/secrets/default/more")[2].get("keys") == ["a"], "secret set")
    does("secret delete more", 0)
    does("sync update gpu --type database --limit 5", 0)
    does("sync get gpu --type database", 0, "Limit: 5")
    does("cron delete yearly", 0)
    does("template delete make", 0)
    does("version", 0, "server: skiff-")
    does("metrics", 0, "argo_workflows_")
    does(f"submit {away.file('two.json', [TEMPLATE, GATE])}", 0, "gate-")
    does("delete --all --force", 0, "deleted")
    away.close()
    s.close()


def on_a_terminal(score, skiff):
    """The live view, too; Ctrl-C only stops looking."""
    s = filled(skiff)
    away = Away(skiff, s.url)
    away.env["TERM"] = "xterm"
    for words, ends in ((("submit", away.file("g.json", GATE), "--watch", "--name", "seen"), False), (("watch", "seen"), True)):
        master, slave = pty.openpty()
        p = subprocess.Popen([away.skiff, *words], stdin=slave, stdout=slave, stderr=slave, env=away.env, cwd=away.dir, start_new_session=True)
        os.close(slave)
        said = b""
        while b"gate" not in said:
            said += os.read(master, 65536)
        if ends:
            away.call("resume", "seen")
        else:
            p.send_signal(signal.SIGINT)
        try:
            while data := os.read(master, 65536):
                said += data
        except OSError:
            pass  # whoever wrote has gone
        os.close(master)
        score.check(p.wait(timeout=common.LIMIT_S) == (0 if ends else 130), f"{words}: {p.returncode} {said[-300:]}")
        score.check((b"Succeeded" if ends else b"detached: seen goes on") in said, f"{words}: {said[-300:]}")
    away.close()
    s.close()


SLOW = "for i in 1 2 3 4 5 6; do echo line $i; until [ -e {0}/go$i ]; do sleep 0.02; done; done"


def answered(s, route):
    """How many requests to this route the server has answered."""
    lines = s.ask("GET", "/metrics")[2].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("skiff_http_request_seconds_count") and f'route="{route}"' in line)


def followed_through_a_restart(score, skiff):
    """The server ends in the middle of watch and logs -f, and is killed; both go on, and no line comes twice."""
    s = Server(skiff).start()
    away = Away(skiff, s.url)
    name = away.call("submit", away.file("w.json", workflow(SLOW.format(s.place.root), name="slow"))).stdout.strip()
    began = []
    one, version = "/api/v1/workflows/{namespace}/{name}", "/api/v1/version"  # who shows logs asks once whose server it is
    for words, route, n in ((("wait", name), one, 1), (("watch", name, "--log"), version, 1), (("logs", "-f", name), version, 2)):
        began.append(away.start(*words))
        common.wait_for(lambda: answered(s, route) >= n, f"{words} to reach the server")
    wait, watch, logs = began
    seen = [logs.stdout.readline()]
    for i, how in enumerate(("stop", "kill", None, None, None, None), 1):
        if how:
            getattr(s, how)()
            s.start(port=s.port)
        s.place.file(f"go{i}", "")
        if i < 6:
            seen.append(logs.stdout.readline())
    said = {}
    for p, what in ((watch, "watch"), (logs, "logs"), (wait, "wait")):
        said[what] = p.communicate(timeout=common.LIMIT_S)
        score.check(p.returncode == 0, f"{what}: {p.returncode} {said[what]}")
    score.check(seen == [f"slow: line {i}\n" for i in range(1, 7)] and said["logs"][0] == "", f"logs: {seen} {said['logs']}")
    score.check(re.findall(r"slow: (line \d)", said["watch"][0]) == [f"line {i}" for i in range(1, 7)] and "slow SUCCEEDED" in said["watch"][0], f"watch: {said['watch']}")
    score.check(said["wait"][0].startswith("slow Succeeded at "), f"wait: {said['wait']}")
    s.stop()
    away.close()
    s.close()


def read_again(score, skiff):
    """A server that was there a moment ago is asked once more, for what changes nothing."""
    answers = iter((200, 503, 200, 503))
    server = Answers(lambda h: h.say(s := next(answers), '{"code":14,"message":"loading"}' if s == 503 else
                                     '{"metadata":{"name":"w","namespace":"default"},"status":{"phase":"Running"}}'))
    away = Away(skiff, server.url)
    ran = away.call("get", "w", "-o", "name")
    score.check(ran.returncode == 0 and ran.stdout == "w\n" and [c for c, _, _ in server.seen] == ["GET"] * 3, f"get: {ran.stdout}{ran.stderr} {server.seen}")
    ran = away.call("delete", "w")
    score.check(ran.returncode == 6 and len(server.seen) == 4, f"the first request is not: {ran.returncode} {ran.stderr}")
    server.close()
    server = OneRun(events=([MODIFIED],), busy=3)  # `wait` opens the server once more then
    ran = away.call("wait", "w", **{"ARGO_SERVER": server.url})
    score.check(ran.returncode == 0 and ran.stdout.startswith("w Succeeded"), f"wait: {ran.returncode} {ran.stdout}{ran.stderr}")
    away.close()
    server.close()


def tokens_and_namespaces(score, skiff):
    """A token for one namespace is enough for what is in it, though the server's own streams are not for it."""
    s = Server(skiff).start()
    make = lambda *words: s.place.call("token", "create", "-q", *words).stdout.strip()  # noqa: E731
    admin, one, looks = make("--name", "all", "--role", "admin"), make("--name", "one", "-n", "team"), make("--name", "looks", "--role", "view")
    away = Away(skiff, s.url, ARGO_TOKEN="Bearer " + one, ARGO_NAMESPACE="team")
    path = away.file("w.json", workflow("echo hello", arguments={"parameters": [{"name": "p"}]}))
    ran = away.call("submit", path, "--watch", "-p", "p=1", "--name", "mine", "-l", "a=b")
    score.check(ran.returncode == 0 and "mine SUCCEEDED" in ran.stdout, f"submit --watch: {ran.stdout}{ran.stderr}")
    score.check(s.ask("GET", "/api/v1/workflows/team/mine", headers={"Authorization": "Bearer " + admin})[2]["metadata"]["labels"]["a"] == "b", "as it was sent")
    ran = away.call("submit", away.file("f.json", workflow("echo bad; exit 1")), "--log")
    score.check(ran.returncode == 1 and "bad\n" in ran.stdout, f"submit --log: {ran.stdout}{ran.stderr}")
    for words, env, status, text in ((("list", "-A"), {}, 5, "not for all namespaces"), (("list", "-n", "other"), {}, 5, "other"),
                                     (("list",), {"ARGO_TOKEN": admin}, 0, "mine"), (("list", "--token", admin), {}, 0, "mine"),
                                     (("list",), {"ARGO_TOKEN": "skt_wrong"}, 5, "ARGO_TOKEN"), (("list",), {"ARGO_TOKEN": ""}, 5, "ARGO_TOKEN"),
                                     (("submit", path, "-p", "p=1"), {"ARGO_TOKEN": looks}, 5, "role view"),
                                     (("token", "list", "-o", "name"), {"ARGO_TOKEN": admin}, 0, "looks")):
        ran = away.call(*words, **env)
        score.check(ran.returncode == status and text in ran.stdout + ran.stderr, f"{words} {env}: {ran.returncode} {ran.stdout}{ran.stderr}")
        score.check(one not in ran.stderr and "skt_wrong" not in ran.stderr, f"{words}: the token is not shown: {ran.stderr}")
    away.close()
    s.close()


def tls(score, skiff):
    """A certificate that nobody knows is refused, and both ways round it; TLS and plain HTTP are told apart."""
    s = Server(skiff)
    cert, key = certificate(s.place)
    s.start("--tls-cert", cert, "--tls-key", key)
    away = Away(skiff, s.url)
    path = away.file("w.json", workflow("echo hello", name="w"))
    ran = away.call("list")
    score.check(ran.returncode == 6 and "certificate" in ran.stderr and "SSL_CERT_FILE" in ran.stderr, f"unknown: {ran.returncode} {ran.stderr}")
    ran = away.call("submit", path, "--log", SSL_CERT_FILE=cert)
    score.check(ran.returncode == 0 and "w: hello" in ran.stdout, f"SSL_CERT_FILE: {ran.stdout}{ran.stderr}")
    for words, env in ((("list", "-k", "-o", "name"), {}), (("list", "-o", "name"), {"ARGO_INSECURE_SKIP_VERIFY": "true"}),
                       (("list", "-o", "name", "-k", "-s", s.url), {"ARGO_SECURE": "false"})):
        ran = away.call(*words, **env)
        score.check(ran.returncode == 0 and ran.stdout == "w\n", f"{words} {env}: {ran.stdout}{ran.stderr}")
    ran = away.call("list", "-o", "name", "--certificate-authority", cert)
    score.check(ran.returncode == 0 and ran.stdout == "w\n", f"--certificate-authority: {ran.stdout}{ran.stderr}")
    ran = away.call("list", "--certificate-authority", key + ".none")
    score.check(ran.returncode != 0 and "--certificate-authority" in ran.stderr, f"no such authority: {ran.returncode} {ran.stderr}")
    ran = away.call("list", ARGO_SECURE="false")
    score.check(ran.returncode == 6 and "ARGO_SECURE=true" in ran.stderr, f"plain to TLS: {ran.returncode} {ran.stderr}")
    s.stop()
    s.close()
    plain = Server(skiff).start()
    ran = away.call("list", "-s", f"127.0.0.1:{plain.port}")
    score.check(ran.returncode == 6 and "ARGO_SECURE=false" in ran.stderr, f"TLS to plain: {ran.returncode} {ran.stderr}")
    plain.close()
    away.close()


# ---- servers that are something else ----

class Answers(http.server.ThreadingHTTPServer):
    """Answers each request by `answer(handler)`."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                self.server.seen.append((self.command, self.path, dict(self.headers)))
                answer(self)
            do_GET = do_POST = do_PUT = do_DELETE = do

            def say(self, status, text, **fields):
                data = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                for k, v in {"Content-Length": str(len(data)), **fields}.items():
                    self.send_header(k.replace("_", "-"), v)
                self.end_headers()
                self.wfile.write(data)
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that went away

    def close(self):
        self.shutdown()
        self.server_close()


def client_certificate(score, skiff):
    """A server that asks for one; and a proxy that is named."""
    away = Away(skiff, "http://127.0.0.1:1")
    front = Answers(lambda h: h.say(200, json.dumps({"items": [], "metadata": {}}), Content_Type="application/json"))
    proxied = away.call("list", "--proxy-url", front.url, "-s", "127.0.0.1:1", "--secure=false")
    away.call("list", "-s", front.url, "-H", "A: 1,Accept-Language: de, en,X-At: http://x,y://z", "-H", "B:2")
    sent = front.seen[-1][2]
    score.check([sent.get(k) for k in ("A", "Accept-Language", "X-At", "B")] == ["1", "de, en", "http://x,y://z", "2"], f"several headers in one flag: {sent}")
    away.call("list", "-s", front.url, "-H", '"A: 1,B: ""2""",C: 3')
    sent = front.seen[-1][2]
    score.check([sent.get(k) for k in "ABC"] == ['1,B: "2"', None, "3"], f"a header in quotes: {sent}")
    for wrong in ('"A: 1', '"A: 1"B: 2', "A B: 1", '"', ",A: 1"):
        ran = away.call("list", "-s", front.url, "-H", wrong)
        score.check(ran.returncode == 2 and "NAME: VALUE" in ran.stderr, f"-H {wrong}: {ran.returncode} {ran.stderr}")
    score.check(proxied.returncode == 0 and front.seen and front.seen[0][1].startswith("http://127.0.0.1:1/api/"), f"--proxy-url: {proxied.stderr} {front.seen}")
    front.close()
    gone = front.url.removeprefix("http://")
    for proxy, text in ((f"http://me:hidden@{gone}", f"proxyconnect tcp: dial tcp {gone}: connect"), (gone, f"proxyconnect tcp: dial tcp {gone}: connect"),
                        ("http://me:hidden@not one", "not a valid address"), (f"odd://me:hidden@{gone}", "unsupported protocol scheme")):
        ran = away.call("list", "--proxy-url", proxy, "-s", "127.0.0.1:1")
        score.check(ran.returncode == 6 and text in ran.stderr and "--proxy-url" in ran.stderr and "hidden" not in ran.stderr, f"--proxy-url {proxy}: {ran.stderr}")
    refuses = Answers(lambda h: h.say(404 if "nobody" in h.path else 403, json.dumps({"code": 5 if "nobody" in h.path else 7, "message": h.path}), Content_Type="application/json"))
    ran = away.call("delete", "nobody", "kept", "-s", refuses.url)
    score.check(ran.returncode == 5 and "nobody" in ran.stderr and "/kept" in ran.stderr, f"delete tells of both: {ran.returncode} {ran.stderr}")
    refuses.close()

    class Here:
        file = staticmethod(lambda name, text: away.file(name, text))
    cert, key = certificate(Here)
    front = Answers(lambda h: h.say(200, json.dumps({"items": [], "metadata": {}}), Content_Type="application/json"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    front.socket = context.wrap_socket(front.socket, server_side=True)
    to = ("list", "-s", front.url.replace("http:", "https:"), "--certificate-authority", cert)
    ran = away.call(*to)
    score.check(ran.returncode == 6, f"no client certificate: {ran.returncode} {ran.stdout}{ran.stderr}")
    ran = away.call(*to, "--client-certificate", cert, "--client-key", key)
    score.check(ran.returncode == 0 and "No workflows" in ran.stdout, f"with one: {ran.stdout}{ran.stderr}")
    for a, c, k, text in ((cert, cert, cert, "is --client-key"), (cert, key, key, "is --client-certificate"), (key, cert, key, "--certificate-authority")):
        ran = away.call("list", "-s", to[2], "--certificate-authority", a, "--client-certificate", c, "--client-key", k)
        score.check(ran.returncode == 6 and text in ran.stderr, f"files that are not it: {ran.returncode} {ran.stderr}")
    ran = away.call(*to, "--client-certificate", cert)
    score.check(ran.returncode == 2 and "--client-key" in ran.stderr, f"half of one: {ran.stderr}")
    front.close()
    away.close()


def argo_like(url):
    """Passes everything on but what is Skiff's own, which it answers as Argo's server would: with a page or in gRPC's words."""
    def answer(h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        if h.path.startswith("/api/v1/skiff/"):
            h.say(404, "<html>404</html>" if h.command == "GET" else '{"code":5,"message":"Not Found","details":[]}', Content_Type="text/html")
            return
        c = http.client.HTTPConnection(url.split("://")[1])
        c.request(h.command, h.path, body, {k: v for k, v in h.headers.items() if k.lower() not in ("host", "accept-encoding")})
        r = c.getresponse()
        h.send_response(r.status)
        h.send_header("Content-Type", r.headers.get("Content-Type") or "text/plain")
        h.send_header("Connection", "close")
        h.end_headers()
        h.close_connection = True
        while data := r.read1(65536):
            h.wfile.write(data)
            h.wfile.flush()
        c.close()
    return answer


def argos_own_routes(score, skiff):
    """A server that knows Argo's routes alone: runs are followed by Argo's watch."""
    s = filled(skiff)
    front = Answers(argo_like(s.url))
    away = Away(skiff, front.url)
    path = away.file("w.json", workflow("echo hello"))
    ran = away.call("submit", path, "--watch")
    score.check(ran.returncode == 0 and re.search(r"w-\w+ SUCCEEDED", ran.stdout), f"submit --watch: {ran.stdout}{ran.stderr}")
    ran = away.call("submit", path, "--log", "--name", "here")
    score.check(ran.returncode == 0 and "here: hello\n" in ran.stdout and ran.stdout.count(" here SUCCEEDED") == 1, f"submit --log: {ran.stdout}{ran.stderr}")
    waits, watch = away.start("wait", "open", "here"), away.start("watch", "open")
    score.check("gate SUSPENDED" in watch.stdout.readline(), "watch: what is there comes first")
    score.check(away.call("resume", "open").returncode == 0, "resume")
    said = watch.communicate(timeout=common.LIMIT_S)
    score.check(watch.returncode == 0 and "gate SUCCEEDED" in said[0] and "open SUCCEEDED" in said[0], f"watch: {said}")
    score.check(waits.communicate(timeout=common.LIMIT_S)[0].count("Succeeded at") == 2 and waits.returncode == 0, "wait")
    gone = away.call("submit", away.file("g.json", GATE)).stdout.strip()
    waits = away.start("wait", gone)
    common.wait_for(lambda: any("workflow-events" in p and gone in p for _, p, _ in front.seen), "the watch")
    away.call("stop", gone)
    score.check(waits.communicate(timeout=common.LIMIT_S) and waits.returncode == 1, "wait for one that is stopped")
    for line, status in (("list -o name", 0), ("get @latest -o name", 0), ("logs good", 0), ("template list", 0), ("cron get yearly -o name", 0), ("get nobody", 4),
                         ("resubmit good --wait -q", 0), ("archive list -o name", 0), ("sync get gpu --type database", 0), ("token list", 4), ("secret list", 4)):
        ran = away.call(*line.split())
        score.check(ran.returncode == status, f"{line}: {ran.returncode} {ran.stdout}{ran.stderr}")
    score.check(all(h.get("User-Agent", "").startswith("skiff/") for _, _, h in front.seen), "it says who it is")
    front.close()
    away.close()
    s.close()


def interrupted_copies(score, skiff):
    """Whoever is killed while files come leaves nothing of them behind, and what was there."""
    s = filled(skiff)
    passes = argo_like(s.url)

    def half(h):
        if not h.path.startswith("/artifacts/"):
            return passes(h)
        h.say(200, b"half", Content_Length="9999")
        h.rfile.read(1)  # until the client goes
        h.close_connection = True
        return None
    front = Answers(half)
    away = Away(skiff, front.url, TMPDIR=tempfile.mkdtemp(prefix="skiff-away-"))
    node = [n["id"] for n in s.get("good")["status"]["nodes"].values() if n["displayName"] == "one"][0]
    os.mkdir(away.dir + "/out")
    away.file("out/mine", "x")

    def there():
        return sorted(os.path.relpath(p, away.dir) for d in (away.dir, away.env["TMPDIR"]) for p in glob.glob(d + "/**", recursive=True, include_hidden=True)
                      if re.search(r"\.skiff-|\.part$|got", p))
    for words, signo in ((("artifact", "get", "good", "dir", "out/got", "--node-id", node), signal.SIGTERM),
                         (("artifact", "get", "good", "packed", "-", "--node-id", node), signal.SIGKILL), (("cp", "good", "out", "--node-id", node), signal.SIGTERM)):
        p = away.start(*words)
        common.wait_for(there, f"{words}: a file that comes")
        p.send_signal(signo)
        p.communicate(timeout=common.LIMIT_S)
        score.check(p.returncode == -signo, f"{words}: {p.returncode}")
        common.wait_for(lambda: not there(), f"{words}: it goes")
    score.check(os.listdir(away.dir + "/out") == ["mine"] or sorted(os.listdir(away.dir + "/out")) == ["default", "mine"], f"{os.listdir(away.dir + '/out')}")
    front.close()
    subprocess.run(["rm", "-rf", away.env["TMPDIR"]], check=True)
    away.close()
    s.close()


MODIFIED = {"result": {"type": "MODIFIED", "object": {"metadata": {"name": "w", "namespace": "default", "resourceVersion": "7"}, "status": {"phase": "Succeeded"}}}}


class OneRun(Answers):
    """A server whose one workflow, `w`, is over when `over` is set. It streams `logs[i]`, a list of (pod, line) or of whole messages, to the i-th request for
    its log, and `events[i]` to the i-th watch, where there are any; else it has Skiff's stream of changes. The `busy`-th request for the workflow
    itself gets 503."""

    def __init__(self, logs=(), events=(), busy=0):
        self.logs, self.events, self.busy, self.over, self.asked = logs, events, busy, threading.Event(), []
        super().__init__(self.answer)

    def workflow(self):
        return {"metadata": {"name": "w", "namespace": "default"}, "status": {"phase": "Succeeded" if self.over.is_set() else "Running"}}

    def stream(self, h, lines):
        h.say(200, "".join(json.dumps(line) + "\n" for line in lines), Connection="close")

    def nth(self, what, rows):
        """The row for this request; with the last one the workflow is over."""
        i = sum(w == what for w, _ in self.asked)
        self.asked.append((what, time.monotonic()))
        if i + 1 >= len(rows):
            self.over.set()
        return rows[min(i, len(rows) - 1)]

    def answer(self, h):
        h.rfile.read(int(h.headers.get("Content-Length") or 0))
        at = urllib.parse.urlsplit(h.path)
        if at.path.endswith("/log"):
            since = urllib.parse.parse_qs(at.query).get("logOptions.sinceTime", [""])[0][:19]
            lines = [x for x in self.nth("log", self.logs) if isinstance(x, dict) or x[1][:19] >= since]
            self.stream(h, [x if isinstance(x, dict) else {"result": {"podName": x[0], "content": x[1]}} for x in lines])
        elif at.path.endswith("/changes") and not self.events:
            self.over.wait(common.LIMIT_S)
            self.stream(h, [{"seq": 1, "type": "workflow", "workflow": self.workflow()["metadata"], "status": {"phase": "Succeeded"}}])
        elif "/workflow-events/" in at.path:
            self.stream(h, self.nth("watch", self.events))
        elif at.path.endswith("/workflows/default/w"):
            self.busy -= 1
            h.say(*((200, json.dumps(self.workflow())) if self.busy else (503, '{"code":14,"message":"loading"}')))
        else:
            h.say(404, '{"code":5,"message":"Not Found"}')


def logs_that_break_off(score, skiff):
    """What is asked for again is what came since, of pods that had said nothing by then, too; and names of pods are looked up once."""
    old, one, two = (("old", "2026-01-01T00:00:01.000000000Z a"), ("new", "2026-01-01T00:00:02.000000000Z b"), ("new", "2026-01-01T00:00:03.000000000Z c"))
    server = OneRun(logs=([one], [old, one, two]))
    away = Away(skiff, server.url)
    ran = away.call("logs", "-f", "w", "--tail", "0")
    score.check(ran.returncode == 0 and ran.stdout == "new: b\nnew: c\n", f"logs -f --tail 0: {ran.returncode} {ran.stdout}{ran.stderr}")
    server.close()
    server = OneRun(logs=([("odd", f"2026-01-01T00:00:{i:02}Z {i}") for i in range(60)],))
    ran = away.call("watch", "w", "--log", **{"ARGO_SERVER": server.url})
    whole = [p for _, p, _ in server.seen if p == "/api/v1/workflows/default/w"]
    score.check(ran.returncode == 0 and ran.stdout.count("odd: ") == 60 and len(whole) == 1, f"watch --log: {ran.returncode} {ran.stdout}{ran.stderr} {len(whole)}")
    server.close()
    server = OneRun(logs=([one, {"error": {"grpc_code": 13, "http_code": 500, "message": "bad \x1b[31mdisk"}}],))
    ran = away.call("logs", "-f", "w", **{"ARGO_SERVER": server.url})
    score.check(ran.stdout == "new: b\n" and "log of w: the server ended the log: bad disk" in ran.stderr, f"an error of the log: {ran.stdout}{ran.stderr!r}")
    server.close()
    away.close()


class LargeRun(OneRun):
    """Its workflow has more than 64 MiB as JSON, whatever parts of it are asked for; it says which ones were."""
    NODES = {f"w-{i}": {"id": f"w-{i}", "name": f"w.n{i}", "displayName": f"n{i}", "type": "Pod", "phase": "Succeeded", "boundaryID": "w",
                        "inputs": {"parameters": [{"name": "p", "value": "x" * (2 << 20)}]}} for i in range(33)}

    def workflow(self):
        wf = super().workflow()
        wf["metadata"]["uid"], wf["status"]["finishedAt"] = "u", "2026-01-01T00:00:00Z"
        wf["status"]["nodes"] = {"w": {"id": "w", "name": "w", "displayName": "w", "type": "DAG", "phase": wf["status"]["phase"], "children": list(self.NODES)}, **self.NODES}
        return wf

    def answer(self, h):
        if "fields=" not in h.path or "/workflow-events/" in h.path:
            return super().answer(h)
        wf = self.workflow()
        del wf["status"]["nodes"]
        return h.say(200, json.dumps(wf))


def large_runs(score, skiff):
    """A workflow that is larger than most answers is had whole, where it is needed whole."""
    server = LargeRun(logs=([],))
    server.over.set()
    away = Away(skiff, server.url)
    ran = away.call("get", "w")
    score.check(ran.returncode == 0 and all(f"n{i} " in ran.stdout for i in range(33)), f"get: {ran.returncode} {ran.stdout[-500:]} {ran.stderr}")
    ran = away.call("get", "w", "-o", "json")
    score.check(ran.returncode == 0 and len(json.loads(ran.stdout)["status"]["nodes"]) == 34, f"get -o json: {ran.returncode} {ran.stderr}")
    server.seen.clear()
    ran = away.call("wait", "w")
    score.check(ran.returncode == 0 and "w Succeeded at 2026-01-01T00:00:00Z" in ran.stdout, f"wait: {ran.returncode} {ran.stdout} {ran.stderr}")
    score.check(all("fields=" in p for c, p, _ in server.seen if c == "GET"), f"without its nodes: {[p for _, p, _ in server.seen]}")
    server.close()
    server = LargeRun(events=([],))
    over = {"result": {"type": "MODIFIED", "object": {**server.workflow(), "status": {**server.workflow()["status"], "phase": "Succeeded"}}}}
    server.events = ([], [over])
    ran = away.call("watch", "w", "--progress", "plain", **{"ARGO_SERVER": server.url})
    score.check(ran.returncode == 0 and "n32 SUCCEEDED" in ran.stdout and "w SUCCEEDED" in ran.stdout, f"watch: {ran.returncode} {ran.stdout[-500:]} {ran.stderr}")
    score.check(any("/workflow-events/" in p and "fields=-" in p and "status.nodes.inputs" in urllib.parse.unquote(p) for _, p, _ in server.seen), "what nobody looks at is not asked for")
    server.close()
    away.close()


def a_watch_that_says_it_broke(score, skiff):
    """An error in the stream is not a change: whoever sends nothing else is asked less and less often."""
    server = OneRun(events=([{"error": {"grpc_code": 13, "http_code": 500, "message": "broken"}}],) * 3 + ([MODIFIED],))
    away = Away(skiff, server.url)
    ran = away.call("wait", "w")
    times = [at for what, at in server.asked if what == "watch"]
    score.check(ran.returncode == 0 and len(times) == 4, f"wait: {ran.returncode} {ran.stdout}{ran.stderr} {len(times)}")
    score.check(times[-1] - times[-2] >= 0.7, f"pauses: {[b - a for a, b in zip(times, times[1:])]}")
    server.close()
    away.close()


def wrong_answers(score, skiff):
    """Each has its exit status, says what to do next, and never the token."""
    def cut(h):
        h.say(200, '{"items": [', Content_Length="9999")
        h.close_connection = True

    def garbage(h):
        h.wfile.write(b"\x00\x01nothing of HTTP\r\n\r\n")
        h.close_connection = True

    def silent(h):
        h.close_connection = True

    def huge(h):
        h.say(200, '{"items": [', Content_Length=str(513 << 20))
        h.rfile.read(1)  # until the client goes, and it need not have all
    rows = (
        (lambda h: h.say(200, "<html>a page</html>"), 6, "ARGO_BASE_HREF"), (lambda h: h.say(200, ""), 6, "not that of an Argo API"),
        (lambda h: h.say(200, '{"status": "up"}'), 6, "(no list) is not that of an Argo API"),
        (lambda h: h.say(404, "<html>nothing</html>"), 4, "ARGO_BASE_HREF"),
        (lambda h: h.say(404, '{"code":5,"message":"there is nothing at this path"}'), 4, "ARGO_BASE_HREF"),
        (lambda h: h.say(502, "bad gateway"), 6, "502"),
        (lambda h: h.say(302, "", Location="https://elsewhere.invalid/login"), 6, "elsewhere.invalid"),
        (lambda h: h.say(301, "", Location="/api/v1/workflows/default/"), 10, "redirects"),
        (lambda h: h.say(401, '{"code":16,"message":"no"}'), 5, "ARGO_TOKEN"), (lambda h: h.say(403, '{"code":7,"message":"not yours"}'), 5, "not yours"),
        (lambda h: h.say(429, '{"code":8,"message":"slow down"}', Retry_After="7"), 10, "in 7 seconds"),
        (lambda h: h.say(503, '{"code":14,"message":"loading"}'), 6, "try again"), (lambda h: h.say(500, '{"code":13,"message":"broken"}'), 11, "broken"),
        (lambda h: h.say(400, '{"code":3,"message":"bad \\u001b[31mthing"}'), 3, "bad "), (lambda h: h.say(400, '{"code":3,"message":"no control"}'), 3, "no control"),
        (cut, 6, "unexpected EOF; its answer broke off"), (garbage, 6, "server http"), (silent, 6, "ended the connection"),
        (lambda h: h.say(200, '{"items": "none"}'), 6, "(no list) is not that of an Argo API"), (huge, 10, "larger than"),
    )
    for i, (answer, status, text) in enumerate(rows):
        server = Answers(answer)
        away = Away(skiff, server.url, ARGO_TOKEN=TOKEN)
        ran = away.call("list")
        score.check(ran.returncode == status and text in ran.stderr, f"answer {i}: {ran.returncode} {ran.stderr}")
        score.check(TOKEN not in ran.stdout + ran.stderr and "\x1b" not in ran.stderr and ran.stderr.startswith("error: "), f"answer {i}: {ran.stderr}")
        score.check(server.seen[0][2].get("Authorization") == "Bearer " + TOKEN, f"answer {i}: {server.seen[0]}")
        away.close()
        server.close()


def credentials_stay(score, skiff):
    """A server that sends its callers to another one does not get them to show the token there."""
    other = Answers(lambda h: h.say(200, '{"items":[]}'))
    server = Answers(lambda h: h.say(307, "", Location=other.url + h.path))
    away = Away(skiff, server.url, ARGO_TOKEN=TOKEN)
    for words in (("list",), ("stop", "x")):
        ran = away.call(*words)
        score.check(ran.returncode == 6 and "sends its callers elsewhere" in ran.stderr, f"{words}: {ran.returncode} {ran.stderr}")
    score.check(not any("Authorization" in h or c != "GET" for c, _, h in other.seen), f"the other one saw: {other.seen}")
    away.close()
    server.close()
    other.close()


def chosen(score, skiff):
    """Which server it is, what is sent there, and what stays here."""
    server = Answers(lambda h: h.say(200, '{"items":[]}'))
    at = server.url.split("://")[1]
    away = Away(skiff, "http://127.0.0.1:1")
    path = away.file("w.json", workflow("true"))

    def does(words, status, text, **env):
        ran = away.call(*words, **env)
        score.check(ran.returncode == status and text in ran.stdout + ran.stderr, f"{words} {env}: {ran.returncode} {ran.stdout}{ran.stderr}")
    does(("list",), 6, "nothing listens there")
    does(("list", "-s", at), 0, "No workflows")
    does(("list",), 0, "No workflows", ARGO_SERVER=at, ARGO_BASE_HREF="/argo/", ARGO_NAMESPACE="mine")
    score.check(server.seen[-1][1].startswith("/argo/api/v1/workflows/mine?"), f"base: {server.seen[-1][1]}")
    does(("list", "-H", "X-One: 1", "--header", "X-Two:2", "-n", "a b/c"), 0, "No workflows", ARGO_SERVER=at)
    score.check(server.seen[-1][2].get("X-One") == "1" and server.seen[-1][2].get("X-Two") == "2" and "/workflows/a%20b%2Fc?" in server.seen[-1][1], f"{server.seen[-1]}")
    does(("list",), 0, "No workflows", ARGO_SERVER=at, ARGO_TOKEN="Basic dTpw")
    score.check(server.seen[-1][2].get("Authorization") == "Basic dTpw", "as it is")
    seen = len(server.seen)
    does(("list", "-s", ""), 0, "No workflows")
    does(("list", "--state", away.dir + "/own"), 0, "No workflows")
    does(("run", path, "--state", away.dir + "/own"), 0, "SUCCEEDED")
    does(("run", path), 0, "skiff submit sends workflows to a server")
    does(("run", path, "-s", at), 2, "skiff submit")
    does(("gc",), 0, "on its machine")
    does(("backup", "-s", at, "x"), 2, "on its machine")
    does(("fmt", path, "-s", at), 0, "")
    does(("explain", "W0101"), 0, "")
    does(("submit", path, "-s", at, "--parallel", "2"), 2, "has its own settings")
    for place in ("ftp://x", ":2746", "http://", "/", "host:", "host:port", "127.0.0.1:99999", "[::1", "::1", "a b:1", "user:word@host:1", "http://host:1/x?y"):
        does(("submit", path, "-s", place), 2, "HOST:PORT")
    does(("get", ""), 4, "empty name", ARGO_SERVER=at)
    does(("template", "get", ""), 4, "empty name", ARGO_SERVER=at)
    does(("cron", "delete", ""), 4, "empty name", ARGO_SERVER=at)
    score.check(len(server.seen) == seen, f"nothing was sent: {server.seen[seen:]}")
    away.close()
    server.close()


CASES = (same, steered, on_a_terminal, followed_through_a_restart, read_again, tokens_and_namespaces, tls, client_certificate, argos_own_routes, logs_that_break_off,
         interrupted_copies, large_runs, a_watch_that_says_it_broke, wrong_answers, credentials_stay, chosen)
