"""Mixed load on a `skiff server` that may die at any time, and what must hold of it afterwards (kills.py, soak.py).

A client tells one story after another: a workflow that is retried when its cause is mended, one that is deleted, an event, a file that is
brought. A request is repeated until it is answered; a story knows what may then have been done twice. Each step that begins appends
`S UID NODE` to a file, so that its executions can be counted."""
import collections
import hashlib
import http.client
import json
import random
import threading
import time

from server import common, workflow
from watchers import Told

API, NS = "/api/v1", "default"
WORKFLOWS = f"{API}/workflows/{NS}"
KEEP_S = 0.005  # between two tries
ARGO = "argoproj.io/v1alpha1"
CHANCE = {"plain": 4, "chain": 3, "batch": 2, "retried": 2, "stopped": 2, "answered": 2, "held": 2, "again": 2, "deleted": 3, "short_lived": 2,
          "brought": 2, "made": 2, "event": 2, "objects": 2, "from_template": 2, "flaky": 2, "locked": 3, "child": 2}


def form(data):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="data"\r\nContent-Type: application/octet-stream\r\n\r\n'
    return head + data + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


class Jobs:
    """Workflows whose steps note that they begin, in the tier of the place. `spec`: what all of them have."""

    def __init__(self, place, spec):
        self.sandboxed = place.tier != "none"
        self.dir = "/mnt/count" if self.sandboxed else place.count
        self.outside = place.count
        self.volumes = [{"name": "count", "hostPath": {"path": place.count}}] if self.sandboxed else []
        self.spec = {**spec, **({"volumes": self.volumes} if self.sandboxed else {})}

    def private(self, name):
        """A path that no other step uses."""
        return f"/tmp/{name}" if self.sandboxed else f"{self.outside}/{name}"

    def container(self, script, key="{{node.name}}", **more):
        c = {"image": "busybox", "command": ["sh", "-c", f'echo "S {{{{workflow.uid}}}} {key}" >> {self.dir}/log; {script}']}
        if self.sandboxed:
            c["volumeMounts"] = [{"name": "count", "mountPath": "/mnt/count"}]
        return {"container": c, **more}

    def one(self, name, script, template=None, **spec):
        wf = workflow("", name=name, **{**self.spec, **spec})
        wf["spec"]["templates"] = [{"name": "main", **self.container(script), **(template or {})}]
        return wf

    def steps(self, name, groups, templates, **spec):
        wf = self.one(name, "", **spec)
        wf["spec"]["templates"] = [{"name": "main", "steps": [[{"name": s, "template": t, **more} for s, t, more in g] for g in groups]}, *templates]
        return wf


class Load:
    """`lossy`: supervisors are killed, too, so that steps may be lost. `headers` go with each request, `spec` is part of each workflow."""

    def __init__(self, server, seed, lossy=False, headers=None, spec=None):
        self.server, self.place, self.seed, self.lossy = server, server.place, seed, lossy
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self.chance = CHANCE
        self.jobs, self.lock = Jobs(self.place, spec or {}), threading.Lock()
        self.up, self.stopping, self.broken = threading.Event(), threading.Event(), []  # broken: why nobody goes on
        self.told = Told(self)
        # what must hold in the end
        self.expected = {}        # uid -> name, phase, output parameter
        self.deleted_uids = {}    # uid -> name
        self.extra = collections.Counter()  # uid, node -> how often it began beside the first time
        self.events = {}          # id -> whether it was taken
        self.forms = {}           # label selector -> how many there may be
        self.config = {}          # name of a ConfigMap -> what it holds, or None
        self.files = []           # target, content
        self.promised_at = 0.0    # when the last request was sent that changed something and was answered
        self.stories, self.requests, self.repeated = collections.Counter(), 0, 0

    # ---- requests ----

    def once(self, method, target, body=None, headers=None):
        """(status, answer); an OSError or HTTPException when nobody answers."""
        c, at = self.server.connect(), time.time()
        try:
            c.request(method, target, json.dumps(body) if isinstance(body, dict) else body, {**self.headers, **(headers or {})})
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        is_json = (r.headers.get("Content-Type") or "").startswith("application/json")
        with self.lock:
            self.requests += 1
            if method != "GET" and r.status == 200:
                self.promised_at = max(self.promised_at, at)
        return r.status, json.loads(data) if is_json and data else data

    def ask(self, method, target, body=None, headers=None):
        """(status, answer, how often it was sent): until it is answered."""
        sent, until = 0, time.monotonic() + common.LIMIT_S
        while time.monotonic() < until and not self.broken:
            self.up.wait(1)
            try:
                sent += 1
                status, answer = self.once(method, target, body, headers)
                if status != 503:
                    return status, answer, sent
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.repeated += 1
            time.sleep(KEEP_S)  # poll
        raise RuntimeError(f"{method} {target}: not answered")

    def must(self, method, target, body=None, ok=(200,), headers=None):
        status, answer, _ = self.ask(method, target, body, headers)
        if status not in ok:
            raise RuntimeError(f"{method} {target}: {status} {answer}")
        return status, answer

    def accept(self, wf):
        """Its uid. Sent again it is there already; or it has gone already, then there is none."""
        status, made = self.must("POST", WORKFLOWS, {"workflow": wf}, ok=(200, 409))
        if status == 409:
            status, made = self.must("GET", f"{WORKFLOWS}/{wf['metadata']['name']}", ok=(200, 404))
        return made["metadata"]["uid"] if status == 200 else None

    def expect(self, uid, name, phase="Succeeded", text=None):
        with self.lock:
            self.expected[uid] = (name, phase, text)

    def ended(self, uid, times=1):
        self.told.wait(lambda: len(self.told.ends[uid]) >= times, f"the end of {uid}")
        return self.told.ends[uid][times - 1]

    def until_running(self, name):
        """A step of it has begun, as the server says; or it is over."""
        def begun():
            wf = self.must("GET", f"{WORKFLOWS}/{name}")[1]
            phases = [n["phase"] for n in wf["status"].get("nodes", {}).values() if n["type"] in ("Pod", "Suspend")]
            return "Running" in phases or wf["status"].get("phase") in common.PHASES_DONE
        while not begun():
            time.sleep(0.02)  # poll

    # ---- stories; each has names of its own ----

    def plain(self, rng, name):
        uid = self.accept(self.jobs.one(name, f"sleep {rng.choice((0, 0, 0.05, 0.2))}"))
        self.expect(uid, name)
        self.ended(uid)

    def chain(self, rng, name):
        """Two steps; the second prints what the first has."""
        p = [{"name": "p", "value": "{{steps.a.outputs.result}}x"}]
        wf = self.jobs.steps(name, [[("a", "a", {})], [("b", "b", {"arguments": {"parameters": p}})]],
                             [{"name": "a", **self.jobs.container("echo " + name)},
                              {"name": "b", "inputs": {"parameters": [{"name": "p"}]}, **self.jobs.container("echo {{inputs.parameters.p}}")}])
        wf["spec"]["templates"][0]["outputs"] = {"parameters": [{"name": "text", "valueFrom": {"parameter": "{{steps.b.outputs.result}}"}}]}
        uid = self.accept(wf)
        self.expect(uid, name, text=name + "x")
        self.ended(uid)

    def batch(self, rng, name):
        """Several, and a stored object, by one request under one token: all of them or none, and once."""
        names = [f"{name}-{i}" for i in range(rng.randrange(2, 6))]
        token = hashlib.md5(f"{self.place.root}{name}".encode()).hexdigest()
        token = "-".join((token[:8], token[8:12], token[12:16], token[16:20], token[20:]))
        config = self.config_map(name, "batch")
        _, made = self.must("POST", f"{API}/skiff/submit", {"token": token, "documents": [config, *(self.jobs.one(n, "true") for n in names)]})
        if [m["metadata"]["name"] for m in made["items"]] != names:
            raise RuntimeError(f"batch {name}: {made}")
        self.config[name] = "batch"
        for n in names:
            uid = self.must("GET", f"{WORKFLOWS}/{n}")[1]["metadata"]["uid"]
            self.expect(uid, n)
            self.ended(uid)

    def retried(self, rng, name):
        """Fails until it is mended; then retried."""
        uid = self.accept(self.jobs.steps(name, [[("fine", "fine", {})], [("bad", "bad", {})]],
                                          [{"name": "fine", **self.jobs.container("true")}, {"name": "bad", **self.jobs.container(f"test -e {self.jobs.dir}/good-{name}")}]))
        self.ended(uid)
        open(f"{self.jobs.outside}/good-{name}", "w").close()
        self.must("PUT", f"{WORKFLOWS}/{name}/retry", {}, ok=(200, 400))
        self.extra[uid, f"{name}[1].bad"] = self.extra[uid, f"{name}[0].fine"] = 1
        if not self.lossy:
            del self.extra[uid, f"{name}[0].fine"]
        self.expect(uid, name)
        self.ended(uid, 2)

    def stopped(self, rng, name):
        """Stopped or terminated while its step is at work."""
        verb = rng.choice(("stop", "terminate"))
        wf = self.jobs.one(name, "sleep 60", onExit="bye")
        wf["spec"]["templates"].append({"name": "bye", **self.jobs.container("true")})
        uid = self.accept(wf)
        self.until_running(name)
        self.must("PUT", f"{WORKFLOWS}/{name}/{verb}", {}, ok=(200, 400))
        self.expect(uid, name, "Failed")
        self.ended(uid)

    def answered(self, rng, name):
        """Waits to be resumed."""
        wf = self.jobs.steps(name, [[("ask", "ask", {})], [("b", "b", {})]], [{"name": "ask", "suspend": {}}, {"name": "b", **self.jobs.container("true")}])
        uid = self.accept(wf)
        self.until_running(name)
        self.must("PUT", f"{WORKFLOWS}/{name}/resume", {}, ok=(200, 400))
        self.expect(uid, name)
        self.ended(uid)

    def held(self, rng, name):
        """Suspended between two steps, and resumed."""
        wf = self.jobs.steps(name, [[("a", "a", {})], [("b", "a", {})]], [{"name": "a", **self.jobs.container("sleep 0.1")}])
        uid = self.accept(wf)
        self.expect(uid, name)
        if self.must("PUT", f"{WORKFLOWS}/{name}/suspend", {}, ok=(200, 400))[0] == 200:
            now = self.must("GET", f"{WORKFLOWS}/{name}")[1]
            if not now["spec"].get("suspend") and now["status"]["phase"] not in common.PHASES_DONE:
                raise RuntimeError(f"{name} was suspended, and is not")
            self.must("PUT", f"{WORKFLOWS}/{name}/resume", {}, ok=(200, 400))
        self.ended(uid)

    def again(self, rng, name):
        """Resubmitted; sent again there may be more than one, each of which runs."""
        uid = self.accept(self.jobs.one(name, "true"))
        self.expect(uid, name)
        self.ended(uid)
        status, made, sent = self.ask("PUT", f"{WORKFLOWS}/{name}/resubmit", {})
        if status != 200:
            raise RuntimeError(f"resubmit {name}: {status} {made}")
        self.forms[f"workflows.argoproj.io/resubmitted-from-workflow={name}"] = sent
        self.expect(made["metadata"]["uid"], made["metadata"]["name"])
        self.ended(made["metadata"]["uid"])

    def deleted(self, rng, name):
        """Deleted when it is over; sometimes its name is used again."""
        uid = self.accept(self.jobs.one(name, "true"))
        self.ended(uid)
        self.must("DELETE", f"{WORKFLOWS}/{name}", ok=(200, 404))
        with self.lock:
            self.deleted_uids[uid] = name
        if self.ask("GET", f"{WORKFLOWS}/{name}")[0] != 404:
            raise RuntimeError(f"{name} was deleted, and is there")
        if rng.random() < 0.3:
            second = self.accept(self.jobs.one(name, "true"))
            self.expect(second, name)
            self.ended(second)

    def short_lived(self, rng, name):
        """Goes by itself."""
        uid = self.accept(self.jobs.one(name, "true", ttlStrategy={"secondsAfterCompletion": 1}))
        if not uid:
            return
        self.ended(uid)
        with self.lock:
            self.deleted_uids[uid] = name

    def brought(self, rng, name):
        """A file is uploaded, and a step reads it."""
        if not self.jobs.sandboxed:
            return  # such steps have no input artifacts
        data = rng.randbytes(rng.choice((10, 1000, 200_000)))
        body, head = form(data)
        _, up = self.must("POST", f"/upload-artifacts/{NS}/takes/in", body, headers=head)
        wf = {"apiVersion": ARGO, "kind": "Workflow", "metadata": {"name": name}, "spec": {
            "workflowTemplateRef": {"name": "takes"}, "arguments": {"artifacts": [{"name": "in", "s3": {"key": up["key"]}}]}}}
        uid = self.accept(wf)
        self.expect(uid, name, text=hashlib.sha256(data).hexdigest())
        self.ended(uid)

    def made(self, rng, name):
        """Saves an artifact, which can be had."""
        path = self.jobs.private(f"made-{name}")
        out = {"outputs": {"artifacts": [{"name": "made", "path": path, "archive": {"none": {}}}]}}
        uid = self.accept(self.jobs.one(name, f"echo {name} > {path}", out))
        self.expect(uid, name)
        if self.ended(uid) == "Succeeded":
            self.files.append((f"/artifacts/{NS}/{name}/{name}/made", f"{name}\n".encode()))

    def event(self, rng, name):
        """Starts one workflow when it was taken, at most one when nobody knows."""
        try:
            status, answer = self.once("POST", f"{API}/events/{NS}/load", {"id": name})
            taken = status == 200
        except (OSError, http.client.HTTPException):
            taken = False
        self.events[name] = taken

    def config_map(self, name, value):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}

    def objects(self, rng, name):
        """Stored, changed, perhaps deleted."""
        path = f"{API}/skiff/objects/configmaps/{NS}/{name}"
        for i in range(rng.randrange(1, 4)):
            self.must("PUT", path, self.config_map(name, str(i)))
            self.config[name] = str(i)
        if rng.random() < 0.4:
            self.must("DELETE", path, ok=(200, 404))
            self.config[name] = None

    def from_template(self, rng, name):
        """By a stored template, under a name that the server makes: as often as it was sent, at most."""
        options = {"submitOptions": {"generateName": name + "-", "labels": f"load={name}"}}
        status, made, sent = self.ask("POST", f"{WORKFLOWS}/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "simple", **options})
        if status != 200:
            raise RuntimeError(f"from a template: {status} {made}")
        self.forms[f"load={name}"] = sent
        self.expect(made["metadata"]["uid"], made["metadata"]["name"])
        self.ended(made["metadata"]["uid"])

    def flaky(self, rng, name):
        """The second of its tries succeeds."""
        container = self.jobs.container("test {{retries}} -ge 1", "{{node.name}}({{retries}})")
        uid = self.accept(self.jobs.one(name, "", {**container, "retryStrategy": {"limit": 3}}))
        self.expect(uid, name)
        self.ended(uid)

    def locked(self, rng, name):
        """Alone among those of this story."""
        mine = f"{self.jobs.dir}/lock"
        script = "sleep 0.03" if self.lossy else f"mkdir {mine} || echo V >> {self.jobs.dir}/log; sleep 0.03; rmdir {mine}"
        uid = self.accept(self.jobs.one(name, script, synchronization={"mutexes": [{"name": "load"}]}))
        self.expect(uid, name)
        self.ended(uid)

    def child(self, rng, name):
        """Makes another workflow, once."""
        manifest = json.dumps(self.of_template("simple", name + "-child"))
        uid = self.accept(self.jobs.steps(name, [[("make", "make", {})]], [{"name": "make", "resource": {"action": "create", "manifest": manifest}}]))
        self.expect(uid, name)
        if self.ended(uid) == "Succeeded":
            made = self.must("GET", f"{WORKFLOWS}/{name}-child")[1]["metadata"]["uid"]
            self.expect(made, name + "-child")
            self.ended(made)

    # ---- clients and watchers ----

    def of_template(self, template, name=None, **spec):
        return {"apiVersion": ARGO, "kind": "Workflow", "metadata": {"name": name}, "spec": {"workflowTemplateRef": {"name": template}, **spec}}

    def prepare(self):
        """The stored documents that stories use."""
        takes = {"metadata": {"name": "takes"}, "spec": {
            **self.jobs.spec, "entrypoint": "main", "arguments": {"artifacts": [{"name": "in", "s3": {"key": "none"}}]}, "templates": [
                {"name": "main", "inputs": {"artifacts": [{"name": "in", "path": self.jobs.private('in-{{workflow.name}}')}]},
                 "outputs": {"parameters": [{"name": "text", "valueFrom": {"path": self.jobs.private("out-{{workflow.name}}")}}]},
                 **self.jobs.container(f"sha256sum < {self.jobs.private('in-{{workflow.name}}')} | cut -c1-64 > {self.jobs.private('out-{{workflow.name}}')}")}]}}
        simple = {"metadata": {"name": "simple"}, "spec": {**self.jobs.spec, "entrypoint": "main", "templates": [{"name": "main", **self.jobs.container("true")}]}}
        for t in (takes, simple):
            self.must("POST", f"{API}/workflow-templates/{NS}", {"template": t})
        self.must("PUT", f"{API}/skiff/objects/workfloweventbindings/{NS}/load", {"apiVersion": ARGO, "kind": "WorkflowEventBinding", "metadata": {"name": "load"}, "spec": {
            "event": {"selector": "discriminator == 'load'"},
            "submit": {"workflowTemplateRef": {"name": "simple"}, "metadata": {"labels": {"event": "payload.id"}}}}})

    def client(self, number):
        rng = random.Random(f"{self.seed}/{number}")
        names, weights = zip(*self.chance.items())
        turn = 0
        while not self.stopping.is_set() and not self.broken:
            story = rng.choices(names, weights)[0]
            try:
                getattr(self, story)(rng, f"{story.replace('_', '-')}-{number}-{turn}")
            except Exception as e:
                if not self.broken:
                    self.broken.append(f"client {number}, story {story} {turn}: {type(e).__name__}: {e}")
                return
            with self.lock:
                self.stories[story] += 1
            turn += 1
