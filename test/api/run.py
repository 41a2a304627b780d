#!/usr/bin/env python3
"""Requests to engine.sock and what is answered: cases/NAME.yaml, one engine for each. Of every route of src/api/routes.def there must be
an answer that it is for, and one that says what is wrong with a request.

A case has `run`, a Workflow that keeps the engine at work meanwhile (a suspend step is added), and `steps`:

    ask: PUT /api/v1/workflows/default/w/stop    the request; {name} stands for a saved value
    body: {…}                                    as JSON; a text that is {name} is a saved value
    status: 200                                  of the answer (200 when absent)
    reply: {…}                                   what the answer has at least: objects by member, lists item by item; "*" is any value
    text: …                                      the answer's bytes instead
    save: {uid: metadata.uid}                    for later steps
    until: {…}                                   asks again until the answer has this

usage: run.py [--docs] [SKIFF] [NAME…]; without it, the program that SKIFF in the environment names"""
import contextlib
import glob
import json
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
import common  # noqa: E402
import openapi  # noqa: E402

ROUTES = os.path.join(HERE, "..", "..", "src", "api", "routes.def")
ELSEWHERE = {"GET /api/v1/skiff/changes", "POST /api/v1/skiff/changes",  # test/cli holds both
             "GET /api/v1/workflow-events/{namespace}", "GET /api/v1/stream/events/{namespace}",  # test/server/streams.py
             "GET /api/v1/stream/event-sources/{namespace}", "GET /api/v1/stream/event-sources/{namespace}/logs",
             "GET /api/v1/stream/sensors/{namespace}", "GET /api/v1/stream/sensors/{namespace}/logs"}
GOOD_ELSEWHERE = {"GET /artifact-files/{namespace}/{idDiscriminator}/{id}/{nodeId}/{artifactDiscriminator}/{artifactName}/{file...}",  # test/server/objects.py
                  "POST /upload-artifacts/{namespace}/{workflowTemplate}/{artifactName}",
                  "POST /api/v1/skiff/yield",  # test/server/background.py
                  "GET /oauth2/redirect", "GET /oauth2/callback", "POST /oauth2/logout", "DELETE /api/v1/skiff/sessions/{whose}"}  # test/server/sso.py
REFUSED = ("/api/v1/event-sources/", "/api/v1/sensors/")  # what changes them answers 501
KEEPER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "keeper"},
          "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]}}


def ask(place, method, target, body):
    c = common.Unix(place)
    c.request(method, target, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    r = c.getresponse()
    status, data = r.status, r.read()
    c.close()
    return status, data


@contextlib.contextmanager
def engine(score, what, skiff, documents=()):
    """(its state directory, its process), for as long as the keeper keeps it at work; nothing of it is left."""
    place, proc = common.Place(skiff, "none"), None
    try:
        proc = place.start(place.file("keeper.yaml", yaml.safe_dump_all([KEEPER, *documents])))
        common.wait_for(lambda: os.path.exists(place.state + "/engine.sock") and place.get("keeper"), "the engine")
        yield place, proc
        ask(place, "PUT", "/api/v1/workflows/default/keeper/terminate", {})
        proc.communicate(timeout=common.LIMIT_S)
        left = place.wait_clean()
        score.check(not left, f"{what}: left behind: {left}")
    finally:
        if proc and proc.poll() is None:
            common.kill_engine(proc)
        place.kill_all()
        place.remove()


def lacks(want, got, path=""):
    """What of `want` is not in `got`."""
    if want == "*":
        return [] if got is not None else [f"{path}: missing"]
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return [f"{path}: {got!r} is no object"]
        return [p for k, v in want.items() for p in lacks(v, got.get(k), f"{path}.{k}")]
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return [f"{path}: {got!r} instead of {len(want)} items"]
        return [p for i, v in enumerate(want) for p in lacks(v, got[i], f"{path}[{i}]")]
    return [] if want == got else [f"{path}: {got!r}, not {want!r}"]


def at(value, path):
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def routes():
    with open(ROUTES) as f:
        return [(m, p) for m, p in re.findall(r'^ROUTE\("(\w+)",\s+"([^"]+)"', f.read(), re.M)]


class Case:
    def __init__(self, score, path, hit):
        self.score, self.name, self.hit = score, os.path.basename(path)[:-5], hit
        with open(path) as f:
            self.text = yaml.safe_load(f)
        self.saved = {}
        self.routes = routes()

    def note(self, method, path, status):
        """Of the route that a request means (literals before parameters), whether it was done."""
        fits = [r for r in self.routes if r[0] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{\w+\.\.\.\}", ".*", r[1])), path)]
        if fits:
            route = " ".join(min(fits, key=lambda r: [part.startswith("{") for part in r[1].split("/")]))
            self.hit.setdefault(route, set()).add(status // 100)

    def filled(self, v):
        if isinstance(v, dict):
            return {key: self.filled(part) for key, part in v.items()}
        if isinstance(v, list):
            return [self.filled(part) for part in v]
        return self.saved.get(v[1:-1], v) if isinstance(v, str) and re.fullmatch(r"\{\w+\}", v) else v

    def step(self, i, s):
        method, target = re.sub(r"\{(\w+)\}", lambda m: self.saved[m[1]], s["ask"]).split(" ", 1)
        what = f"{self.name} step {i}: {method} {target}"
        body = self.filled(s.get("body"))

        def once():
            status, data = ask(self.place, method, target, body)
            value = json.loads(data) if data[:1] in (b"{", b"[") else None
            return status, data, value
        if "until" in s:
            common.wait_for(lambda: not lacks(s["until"], once()[2]), what)
        status, data, value = once()
        want = s.get("status", 200)
        self.note(method, target.split("?")[0], status)
        self.score.check(status == want, f"{what}: status {status}, not {want}: {data[:300]}")
        if "text" in s:
            self.score.check(data.decode() == s["text"], f"{what}: {data[:300]}")
        for problem in lacks(s["reply"], value) if "reply" in s else []:
            self.score.check(False, f"{what}: {problem}")
        for name, path in s.get("save", {}).items():
            self.saved[name] = at(value, path)

    def run(self, skiff):
        try:
            with engine(self.score, self.name, skiff, self.text.get("documents", [])) as (self.place, _):
                for i, s in enumerate(self.text["steps"]):
                    self.step(i, s)
        except Exception as e:  # the others still count
            self.score.check(False, f"{self.name}: {type(e).__name__}: {e}")


NONSENSE = [b"[]", b"null", b"1", b'"x"', b"{", b"[" * 5000, b"\xff\xfe{}",
            b'{"parameters":5,"template":[],"workflow":"x","cronWorkflow":null,"submitOptions":[1],"nodeFieldSelector":{}}',
            b'{"parameters":[1,null,{}],"outputParameters":"[1]","nodeFieldSelector":"=,,!=","template":{},"workflow":{},'
            b'"cronWorkflow":{"metadata":7},"resourceKind":"workflowtemplate","submitOptions":{"labels":",,=","parameters":[[]]}}',
            b'{"workflow":{"kind":"Workflow","metadata":{"name":["x"]},"spec":[]},"template":{"kind":"WorkflowTemplate",'
            b'"metadata":{"name":"../x"}},"nodeFieldSelector":"phase=Running","phase":"Pending","outputParameters":"{\\"a\\":{}}"}']


def nonsense(score, skiff):
    """Whatever is asked, the engine answers, blames the request, and lives on."""
    with engine(score, "nonsense", skiff) as (place, proc):
        for method, pattern in routes():
            for name in ("keeper", "absent", "%2e%2e", "a%20b", "%C3%A9"):
                ends_it = pattern.endswith(("/stop", "/terminate", "/resume")) or method == "DELETE" and pattern.startswith("/api/v1/workflows/")
                if ends_it and name == "keeper" or pattern.endswith("/changes"):
                    continue
                target = re.sub(r"\{\w+\}", name, pattern.replace("{namespace}", "default"))
                for body in NONSENSE if method in ("PUT", "POST") else [None]:
                    c = common.Unix(place)
                    c.request(method, target + ("?listOptions.labelSelector=!&listOptions.fieldSelector==" if method == "GET" else ""), body)
                    status = c.getresponse().status
                    c.close()
                    refused = status == 501 and pattern.startswith(REFUSED) and method != "GET"
                    if not (status < 500 or refused):
                        score.check(False, f"{method} {target} {body and body[:80]}: status {status}")
        score.check(proc.poll() is None and place.get("keeper")["status"]["phase"] == "Running", "the engine lives on")


def document(score, skiff):
    with engine(score, "document", skiff) as (place, _):
        doc = json.loads(ask(place, "GET", "/openapi.json", None)[1])
    with open(ROUTES) as f:
        openapi.check(score, doc, re.findall(r'^ROUTE\("(\w+)", "([^"]+)", (\w+),', f.read(), re.M))


def table():
    with open(ROUTES) as f:
        rows = re.findall(r'^ROUTE\("(\w+)", "([^"]+)", \w+, \w+,\n.*,\n\s*"((?:[^"\\]|\\.)*)"\)', f.read(), re.M)
    return "| request | |\n|---|---|\n" + "".join(f"| `{m} {p}` | {doc.replace('|', chr(92) + '|')} |\n" for m, p, doc in rows)


def docs(score, write):
    """docs/http.md lists the routes as routes.def does."""
    path = os.path.join(HERE, "..", "..", "docs", "http.md")
    with open(path) as f:
        text = f.read()
    head, rest = text.split("<!-- routes -->\n", 1)
    new = head + "<!-- routes -->\n" + table() + "<!-- end of routes -->\n" + rest.split("<!-- end of routes -->\n", 1)[1]
    if write:
        with open(path, "w") as f:
            f.write(new)
    score.check(write or new == text, "docs/http.md: the routes are not those of routes.def (run.py --docs writes them)")


def covered(score, hit):
    """`hit`: route -> first digits of what was answered."""
    with open(ROUTES) as f:
        rows = re.findall(r'^ROUTE\("(\w+)", "([^"]+)", .*\n\s+"\w+", (\w+), (\S+), (\S+),$', f.read(), re.M)
    score.check(len(rows) == len(routes()), f"{len(rows)} rows are understood")
    for method, pattern, query, body, answer in rows:
        route, wrong_is_possible = f"{method} {pattern}", query not in ("empty", "fields_query") or body != "NOTHING" or re.search(r"\{(?!namespace)", pattern)
        digits = hit.get(route, set())
        good = {"ABSENT": 4, "REFUSED": 5}.get(answer, 2)
        score.check(good in digits or route in ELSEWHERE | GOOD_ELSEWHERE, f"no case is answered by {route}")
        if wrong_is_possible and body != "ANYTHING" and answer != "REFUSED":
            score.check(4 in digits or route in ELSEWHERE, f"no case does {route} wrongly")


def main():
    score, hit = common.Score(), {}
    words = sys.argv[1:]
    docs(score, "--docs" in words)
    words = [w for w in words if w != "--docs"]
    skiff = os.path.abspath(words.pop(0) if words else os.environ["SKIFF"])
    for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.yaml"))):
        if not words or os.path.basename(path)[:-5] in words:
            Case(score, path, hit).run(skiff)
    if not words or "document" in words:
        document(score, skiff)
    if not words:
        nonsense(score, skiff)
    if not words:
        covered(score, hit)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
