"""Who may call: tokens, roles, namespaces, pages of browsers, wrong tokens, too many requests, the audit log."""
import json
import os
import re
import socket
import time

from server import Server, common, workflow

HOLD = {"metadata": {"name": "hold"}, "spec": {"entrypoint": "a", "templates": [{"name": "a", "suspend": {}}]}}
LIST, SUBMIT = ("GET", "/api/v1/workflows/default"), ("POST", "/api/v1/workflows/default")
OWN = "/api/v1/skiff/tokens"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def first_token(s):
    return re.search(r"Bearer (skt_\w+)", s.said)[1]


def made(s, name, role, *namespaces, **more):
    """The text of a new token, by the command line beside the server."""
    words = [w for ns in namespaces for w in ("-n", ns)] + [w for k, v in more.items() for w in (f"--{k}", v)]
    ran = s.place.call("token", "create", "--name", name, "--role", role, *words, "-q")
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return ran.stdout.strip()


def token_server(skiff):
    return Server(skiff).start("--auth", "token")


def audit(s):
    with open(s.place.state + "/audit.log") as f:
        return [json.loads(line) for line in f]


def raw(s, text):
    """The head of the answer to a request as it is written."""
    with socket.create_connection(("127.0.0.1", s.port), timeout=common.LIMIT_S) as c:
        c.sendall(text.encode())
        return c.makefile("rb").readline().decode().split()[1]


def open_until_there_is_a_token(score, skiff):
    s = Server(skiff).start()
    status, _, _ = s.ask(*LIST)
    score.check(status == 200 and "Bearer" not in s.said, f"loopback, no token: {status} {s.said}")
    token = made(s, "ci", "view")
    status, headers, e = s.ask(*LIST)
    score.check((status, e["code"], headers["WWW-Authenticate"]) == (401, 16, "Bearer"), f"now there is one: {status} {e}")
    score.check(s.ask(*LIST, headers=bearer(token))[0] == 200, "and it counts")
    score.check(s.ask("GET", "/api/v1/version")[0] == 200, "the version is everybody's")
    listed = json.loads(s.place.call("token", "list", "-o", "json").stdout)
    score.check([(t["name"], t["role"]) for t in listed] == [("ci", "view")] and "lastUsed" in listed[0], f"listed: {listed}")
    score.check("token" not in listed[0] and token not in s.place.call("token", "list").stdout, "the text is not shown again")
    gone = s.place.call("token", "delete", "ci")
    score.check(gone.returncode == 0 and s.ask(*LIST)[0] == 200, f"deleted, and none is left: {gone.stderr}")
    score.check(s.place.call("token", "delete", "ci").returncode == 4, "deleted twice")
    s.stop()
    without = Server(skiff)
    with open(s.place.state + "/skiff.db", "rb") as f:
        score.check(token.split("_")[2].encode() not in f.read(), "the secret is in no file")
    token = made(without, "x", "admin")  # no engine at work
    without.start()
    score.check(without.ask(*LIST)[0] == 401 and without.ask(*LIST, headers=bearer(token))[0] == 200, "made without an engine")
    without.close()
    s.close()


def the_first_token(score, skiff):
    s = token_server(skiff)
    admin = first_token(s)
    score.check(s.ask(*LIST)[0] == 401 and s.ask(*LIST, headers=bearer(admin))[0] == 200, "it is an admin's")
    status, _, e = s.ask("GET", OWN, headers=bearer(admin))
    score.check(status == 200 and [t["name"] for t in e["items"]] == ["admin"], f"{status} {e}")
    kept = s.ask("POST", OWN, {"name": "kept", "role": "view"}, bearer(admin))[2]["token"]
    s.kill()
    s.start("--auth", "token")
    score.check(s.ask(*LIST, headers=bearer(kept))[0] == 200, "what was answered survives a kill")
    score.check("skt_" not in s.said and s.ask(*LIST, headers=bearer(admin))[0] == 200, f"shown once: {s.said}")
    s.stop()
    s.start("--auth", "none")
    score.check(s.ask(*LIST)[0] == 200, "--auth none: nobody needs one")
    s.stop()
    s.close()
    away = Server(skiff).start("--host", "0.0.0.0")
    score.check("skt_" in away.said and away.ask(*LIST)[0] == 401, "reached from other machines: tokens")
    score.check(away.ask(*LIST, headers=bearer(first_token(away)))[0] == 200, "and with one")
    local = away.place.run(away.place.file("w.json", json.dumps(workflow("true", name="local"))))
    score.check(local.returncode == 0, f"its owner's socket asks for none: {local.stderr}")
    away.close()


def what_is_shown(score, skiff):
    s = token_server(skiff)
    good = first_token(s)
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    cases = [(bearer(good), 200), ({"Authorization": f"bearer  {good}"}, 200), ({"Cookie": f"authorization=Bearer {good}"}, 200),
             ({"Cookie": f"a=b; authorization={good}; c=d"}, 200), ({"Cookie": "authorization=x y; " + f"authorization=Bearer {good}"}, 200),
             ({}, 401), ({"Cookie": "a=b"}, 401), (bearer(wrong), 401), (bearer("x" * 5000), 401), ({"Authorization": good}, 401),
             (bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."), 401), (bearer("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmVk"), 401),
             ({"Authorization": "Basic eDp5"}, 401), ({"Authorization": "Bearer"}, 401),
             ({"Authorization": "Bearer x", "Cookie": f"authorization={good}"}, 401)]
    for headers, want in cases:
        status, answer, e = s.ask(*LIST, headers=headers)
        score.check(status == want, f"{headers}: {status} {e}")
        score.check(want == 200 or (e["code"] == 16 and answer["WWW-Authenticate"].startswith("Bearer")), f"{headers}: {e}")
    two = f"GET {LIST[1]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n\r\n"
    score.check(raw(s, two) == "401", "two Authorization headers")
    status, _, e = s.ask(*SUBMIT, {"workflow": {"metadata": {"annotations": {"a": "x" * 200000}}}})
    score.check(status == 401, f"a body does not hide the answer: {status}")
    s.close()


def roles(score, skiff):
    s = token_server(skiff)
    tokens = {role: bearer(made(s, f"an-{role}", role)) for role in ("view", "run", "admin")}
    cases = [(LIST, {}, "view"), (("POST", "/api/v1/workflows/default/lint"), {"workflow": HOLD}, "view"), (SUBMIT, {"workflow": HOLD}, "run"),
             (("DELETE", "/api/v1/workflows/default/absent"), None, "run"), (("GET", "/api/v1/cluster-workflow-templates"), None, "view"),
             (("POST", "/api/v1/cluster-workflow-templates"), {"template": {}}, "admin"), (("GET", OWN), None, "admin"),
             (("POST", OWN), {"name": "x", "role": "admin"}, "admin")]
    order = ["view", "run", "admin"]
    for (method, target), body, needs in cases:
        for role in order:
            status, _, e = s.ask(method, target, body, tokens[role])
            enough = order.index(role) >= order.index(needs)
            score.check((status == 403) != enough, f"{method} {target} as {role}: {status} {e}")
            score.check(enough or (e["code"] == 7 and needs in e["message"]), f"{method} {target} as {role}: {e}")
    status, _, me = s.ask("GET", "/api/v1/userinfo", headers=tokens["run"])
    score.check(status == 200 and me["subject"] == "an-run" and me["groups"] == ["run"], f"userinfo: {me}")
    s.close()


def namespaces(score, skiff):
    s = token_server(skiff)
    admin, a = bearer(first_token(s)), bearer(made(s, "a", "admin", "a", "a2"))
    template = {"kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": HOLD["spec"]}
    uids = {}
    for ns in ("a", "b"):
        status, _, wf = s.ask("POST", f"/api/v1/workflows/{ns}", {"workflow": HOLD}, admin)
        uids[ns] = wf["metadata"]["uid"]
        s.ask("PUT", f"/api/v1/workflows/{ns}/hold/terminate", {}, admin)
    common.wait_for(lambda: len(s.ask("GET", "/api/v1/archived-workflows", headers=admin)[2]["items"]) == 2, "both to end")
    cases = [("GET", "/api/v1/workflows/a", None, 200), ("GET", "/api/v1/workflows/a2", None, 200), ("GET", "/api/v1/workflows/b", None, 403),
             ("GET", "/api/v1/workflows/", None, 403), ("GET", "/api/v1/workflows/%61", None, 200), ("GET", "/api/v1/workflows/a%00", None, 400),
             ("GET", "/api/v1/workflows/b/hold", None, 403), ("GET", "/api/v1/workflows/b/absent", None, 403),
             ("PUT", "/api/v1/workflows/b/hold/retry", {"namespace": "a", "name": "hold"}, 403),
             ("POST", "/api/v1/workflows/b", {"workflow": HOLD}, 403),
             ("POST", "/api/v1/workflows/a", {"workflow": {**HOLD, "metadata": {"name": "x", "namespace": "b"}}}, 400),
             ("POST", "/api/v1/workflow-templates/a", {"template": {**template, "metadata": {"name": "t", "namespace": "b"}}}, 400),
             ("POST", "/api/v1/workflow-templates/a", {"template": template}, 200),
             ("GET", "/api/v1/archived-workflows", None, 403), ("GET", "/api/v1/archived-workflows?namespace=", None, 403),
             ("GET", "/api/v1/archived-workflows?namespace=b", None, 403), ("GET", "/api/v1/archived-workflows?namespace=a", None, 200),
             ("GET", "/api/v1/archived-workflows-label-keys", None, 403), ("GET", "/api/v1/archived-workflows-label-keys?namespace=a", None, 200),
             ("GET", f"/api/v1/archived-workflows/{uids['a']}", None, 200), ("GET", f"/api/v1/archived-workflows/{uids['b']}", None, 403),
             ("DELETE", f"/api/v1/archived-workflows/{uids['b']}?namespace=a", None, 403), ("GET", "/api/v1/archived-workflows/absent", None, 404),
             ("GET", "/api/v1/archived-workflows/?namespace=b&name=hold", None, 403), ("GET", "/api/v1/archived-workflows/?name=hold", None, 403),
             ("DELETE", "/api/v1/archived-workflows/?namespace=b&namespace=a&name=hold", None, 403),
             ("GET", "/api/v1/archived-workflows/?namespace=a&name=hold", None, 200),
             ("GET", f"/artifacts-by-uid/{uids['b']}/n/x", None, 403), ("GET", "/artifacts/b/hold/n/x", None, 403),
             ("GET", f"/api/v1/workflows/a/hold?uid={uids['b']}", None, 404), ("GET", f"/api/v1/workflows/a/hold?uid={uids['a']}", None, 200),
             ("GET", f"/artifact-files/a/archived-workflows/{uids['b']}/n/outputs/x", None, 404),
             ("POST", "/api/v1/skiff/submit?namespace=a", {"documents": []}, 403), ("GET", "/api/v1/skiff/changes?workflow=a/hold", None, 403),
             ("GET", "/api/v1/cluster-workflow-templates", None, 200), ("GET", OWN, None, 403), ("GET", OWN + "?namespace=a", None, 403),
             ("GET", "/api/v1/workflow-events/", None, 403), ("GET", "/api/v1/workflow-events/b", None, 403), ("GET", "/api/v1/stream/events/", None, 403),
             ("GET", "/api/v1/workflows/b/hold/log", None, 403), ("GET", "/api/v1/workflows//x/log", None, 403), ("POST", "/api/v1/events/b/x", {}, 403),
             ("POST", "/api/v1/events/a/x", {}, 200), ("POST", "/api/v1/tracking/event", {}, 200),
             ("GET", "/api/v1/info", None, 200), ("GET", "/api/v1/userinfo", None, 200)]
    for method, target, body, want in cases:
        status, _, e = s.ask(method, target, body, a)
        score.check(status == want, f"{method} {target}: {status}, not {want}: {e}")
        score.check(want != 403 or e["code"] == 7, f"{method} {target}: {e}")
    listed = s.ask("GET", "/api/v1/archived-workflows?namespace=a", headers=a)[2]["items"]
    score.check([w["metadata"]["uid"] for w in listed] == [uids["a"]], f"only its own: {listed}")
    s.close()


def creator(obj):
    """Who made it, by its labels."""
    start = "workflows.argoproj.io/"
    return {k[len(start):]: v for k, v in obj["metadata"].get("labels", {}).items() if k.startswith(start + "creator")}


def creators(score, skiff):
    """What is made says who made it, whatever it says itself; a change does not."""
    s = token_server(skiff)
    first, second = bearer(first_token(s)), bearer(made(s, "ci@build.host", "admin"))
    wrong = {"workflows.argoproj.io/creator": "somebody", "workflows.argoproj.io/creator-email": "some.at.body", "team": "x"}
    hold = {**HOLD, "metadata": {"name": "hold", "labels": wrong}}
    template = {"metadata": {"name": "t", "labels": wrong}, "spec": {"entrypoint": "a", "templates": [{"name": "a", "container": {"image": "busybox", "command": ["false"]}}]}}
    cron = {"metadata": {"name": "c"}, "spec": {"schedules": ["0 0 1 1 *"], "workflowSpec": HOLD["spec"]}}
    mine = {"creator": "ci-build.host"}
    for target, body in (("/workflows/default", {"workflow": hold}), ("/workflow-templates/default", {"template": template}),
                         ("/cron-workflows/default", {"cronWorkflow": cron}), ("/cluster-workflow-templates", {"template": template}),
                         ("/workflows/default/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "t", "submitOptions": {"name": "w"}}),
                         ("/workflows/default/submit", {"resourceKind": "CronWorkflow", "resourceName": "c"})):
        status, _, obj = s.ask("POST", f"/api/v1{target}", body, second)
        score.check(status == 200 and creator(obj) == mine, f"POST {target}: {status} {obj}")
    bound = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": {"name": "b"},
             "spec": {"event": {"selector": "payload.go"}, "submit": {"workflowTemplateRef": {"name": "t"}, "metadata": {"name": '"sent"'}}}}
    s.ask("PUT", "/api/v1/skiff/objects/workfloweventbindings/default/b", bound, second)
    status, _, e = s.ask("POST", "/api/v1/events/default/x", {"go": True}, second)
    sent = s.ask("GET", "/api/v1/workflows/default/sent", headers=second)[2]
    score.check(status == 200 and creator(sent) == mine, f"an event: {status} {e} {sent}")
    s.ask("POST", "/api/v1/skiff/submit", {"documents": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **hold, "metadata": {"name": "own", "labels": wrong}}]}, second)
    own = s.ask("GET", "/api/v1/workflows/default/own", headers=second)[2]
    score.check(creator(own) == mine and own["metadata"]["labels"]["team"] == "x", f"documents: {own}")
    stored = s.ask("GET", "/api/v1/workflow-templates/default/t", headers=first)[2]
    status, _, obj = s.ask("PUT", "/api/v1/workflow-templates/default/t", {"template": stored}, first)
    score.check(status == 200 and creator(obj) == mine, f"a change: {status} {obj}")
    common.wait_for(lambda: s.ask("GET", "/api/v1/workflows/default/w", headers=first)[2]["status"].get("finishedAt"), "w to end")
    status, _, obj = s.ask("PUT", "/api/v1/workflows/default/w/resubmit", {}, first)
    score.check(status == 200 and creator(obj) == {"creator": "admin"}, f"a copy is whose it is: {status} {obj}")
    found = s.ask("GET", "/api/v1/workflows/default?listOptions.labelSelector=workflows.argoproj.io/creator%3Dadmin", headers=first)[2]["items"]
    score.check([w["metadata"]["name"] for w in found] == [obj["metadata"]["name"]], f"found by it: {found}")
    s.close()


def creators_forged(score, skiff):
    """No way in lets a document or an option say that somebody else made it."""
    s = token_server(skiff)
    first, second = bearer(first_token(s)), bearer(made(s, "ci", "admin"))
    key = "workflows.argoproj.io/creator"
    forged = {key: "admin", f"{key}-email": "a.at.b"}
    named = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": HOLD["spec"]}
    for i, doc in enumerate(({"metadata": {"name": "w0", "labels": {"a": "b"}, "Labels": forged}}, {"metadata": {"name": "w1"}, "Metadata": {"name": "w1", "labels": forged}})):
        status, _, obj = s.ask(*SUBMIT, {"workflow": {**named, **doc}}, second)
        score.check(status == 200 and creator(obj) == {"creator": "ci"}, f"another case {i}: {status} {obj}")
    listed = {"apiVersion": "v1", "kind": "List", "items": [{**named, "metadata": {"name": "l", "labels": forged}}]}
    option = {"documents": [{**named, "metadata": {"name": "o"}}], "labels": [{"name": k, "value": v} for k, v in forged.items()] + [{"name": "team", "value": "x"}]}
    for name, body in (("l", {"documents": [listed]}), ("o", option)):
        status, _, e = s.ask("POST", "/api/v1/skiff/submit", body, second)
        obj = s.ask("GET", f"/api/v1/workflows/default/{name}", headers=second)[2]
        score.check(status == 200 and creator(obj) == {"creator": "ci"}, f"documents: {status} {e} {obj}")
    score.check(obj["metadata"]["labels"]["team"] == "x", f"other labels stay: {obj}")
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t", "labels": forged}, "spec": HOLD["spec"]}
    applied = ("PUT", "/api/v1/skiff/objects/workflowtemplates/default/t", template)
    for token in (second, first):
        status, _, obj = s.ask(*applied, token)
        score.check(status == 200 and creator(obj["object"]) == {"creator": "ci"}, f"apply: {status} {obj}")
    stored = s.ask("GET", "/api/v1/workflow-templates/default/t", headers=first)[2]
    stored["metadata"]["labels"] = {**forged, "team": "x"}
    status, _, obj = s.ask("PUT", "/api/v1/workflow-templates/default/t", {"template": stored}, first)
    score.check(status == 200 and creator(obj) == {"creator": "ci"} and obj["metadata"]["labels"]["team"] == "x", f"a change: {status} {obj}")
    s.ask("POST", "/api/v1/skiff/submit", {"documents": [{**template, "metadata": {"name": "t2", "labels": forged}}]}, second)
    obj = s.ask("GET", "/api/v1/workflow-templates/default/t2", headers=second)[2]
    score.check(creator(obj) == {"creator": "ci"}, f"a template among documents: {obj}")
    for dry in (False, True):
        options = {"name": "s", "dryRun": dry, "labels": f"{key}=admin,team=x"}
        status, _, obj = s.ask("POST", "/api/v1/workflows/default/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "t", "submitOptions": options}, second)
        score.check(status == 200 and creator(obj) == {"creator": "ci"} and obj["metadata"]["labels"]["team"] == "x", f"an option: {status} {obj}")
    s.close()


def pages(score, skiff):
    """What a browser does for a page of somebody else."""
    s = Server(skiff).start()
    own, foreign = f"http://127.0.0.1:{s.port}", "http://evil.example"
    hosts = [(f"127.0.0.1:{s.port}", 200), (f"localhost:{s.port}", 200), ("[::1]:1", 200), ("x.localhost", 200), ("evil.example", 403), ("127.0.0.1.evil.example", 403)]
    for host, want in hosts:
        score.check(s.ask(*LIST, headers={"Host": host})[0] == want, f"Host: {host}")
    submit = {"workflow": {**HOLD, "metadata": {"generateName": "p-"}}}
    for origin, want in ((None, 200), (own, 200), (foreign, 403), ("null", 403), ("", 403)):
        headers = {"Origin": origin} if origin is not None else {}
        score.check(s.ask(*SUBMIT, submit, headers)[0] == want, f"no token, Origin: {origin}")
    status, headers, _ = s.ask("OPTIONS", SUBMIT[1], headers={"Origin": foreign, "Access-Control-Request-Method": "POST"})
    score.check(status == 405 and not headers["Access-Control-Allow-Origin"], f"a question in advance: {status}")
    cookie = {"Cookie": f"authorization=Bearer {made(s, 'me', 'admin')}"}
    for origin, want in ((None, 403), (own, 200), (foreign, 403), (own + "0", 403)):
        headers = {**cookie, **({"Origin": origin} if origin else {})}
        score.check(s.ask(*SUBMIT, submit, headers)[0] == want, f"a cookie, Origin: {origin}")
    score.check(s.ask(*LIST, headers=cookie)[0] == 200, "reading by a cookie")
    s.close()

    s = Server(skiff).start("--auth", "token", env={"SKIFF_SERVER_CORS_ORIGIN": foreign})
    ask = {"Origin": foreign, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    status, headers, _ = s.ask("OPTIONS", SUBMIT[1], headers=ask)
    allowed = [headers[f"Access-Control-Allow-{h}"] for h in ("Origin", "Methods", "Headers")]
    score.check(status == 204 and allowed == [foreign, "GET, POST, PUT, DELETE", "Authorization, Content-Type"], f"allowed: {status} {allowed}")
    token = bearer(first_token(s))
    status, headers, _ = s.ask(*SUBMIT, submit, {**token, "Origin": foreign})
    score.check(status == 200 and headers["Access-Control-Allow-Origin"] == foreign and headers["Vary"] == "Origin", f"a page that may: {status}")
    score.check(s.ask(*SUBMIT, submit, {"Origin": foreign})[0] == 401, "not without a token")
    status, headers, _ = s.ask(*LIST, headers={**token, "Origin": "http://other.example"})
    score.check(status == 200 and not headers["Access-Control-Allow-Origin"], "another origin is told nothing")
    s.close()


def expiry(score, skiff):
    s = token_server(skiff)
    admin = bearer(first_token(s))
    with_end = s.ask("POST", OWN, {"name": "t", "role": "view", "expires": "2099-01-01T00:00:00Z"}, admin)[2]
    score.check(s.ask(*LIST, headers=bearer(with_end["token"]))[0] == 200, "before its end")
    listed = s.place.call("token", "list").stdout
    score.check(re.search(r"^t +view +\* .*from now", listed, re.M), f"listed: {listed}")
    short = made(s, "short", "view", expires="1s")
    common.wait_for(lambda: s.ask(*LIST, headers=bearer(short))[0] == 401, "a token to expire")
    score.check("expired" in s.ask(*LIST, headers=bearer(short))[2]["message"], "and it is said")
    for words in (("--expires", "soon"), ("--expires", "-1h"), ("--role", "root"), ("--name", "a b")):
        ran = s.place.call("token", "create", "--name", "y", *words)
        score.check(ran.returncode in (2, 3), f"{words}: {ran.returncode} {ran.stderr}")
    s.close()


def wrong_again_and_again(score, skiff):
    s = token_server(skiff)
    admin = bearer(first_token(s))
    fresh = bearer(made(s, "fresh", "view"))
    s.ask(*LIST, headers=admin)
    wrong = bearer("skt_" + "0" * 16 + "_" + "0" * 64)
    got = [s.ask(*LIST, headers=wrong)[0] for _ in range(12)]
    score.check(got == [401] * 10 + [429] * 2, f"ten are answered: {got}")
    status, headers, e = s.ask(*LIST, headers=wrong)
    score.check(status == 429 and e["code"] == 8 and 0 < int(headers["Retry-After"]) <= 60, f"later: {status} {e}")
    score.check(s.ask(*LIST, headers=fresh)[0] == 429, "nothing is tried from there")
    score.check(s.ask(*LIST, headers=admin)[0] == 200, "who was known before is not kept out")
    score.check(s.ask(*LIST)[0] == 401 and s.ask("GET", "/api/v1/version")[0] == 200, "no token is no wrong token")
    s.close()


def in_a_row(s, n):
    """Statuses of n requests, sent as fast as they are answered, up to the first that is refused: with it the connection ends."""
    got, batch = [], 250
    with socket.create_connection(("127.0.0.1", s.port), timeout=common.LIMIT_S) as c, c.makefile("rb") as answers:
        while len(got) < n and set(got) <= {200}:
            c.sendall(b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n" * batch)
            for _ in range(batch):
                got.append(int(answers.readline().split()[1]))
                if got[-1] != 200:
                    break
                head = iter(answers.readline, b"\r\n")
                answers.read(max(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")))
    return got


def too_many_requests(score, skiff):
    s = Server(skiff).start("--api-rate-limit", "1")
    began, got = time.monotonic(), []
    while not got or got[-1][0] != 429 and len(got) < 100:
        got.append(s.ask(*LIST))
    status, headers, e = got[-1]
    score.check((status, e["code"], headers["Retry-After"]) == (429, 8, "1") and "too many requests" in e["message"], f"too many: {status} {e}")
    score.check({g[0] for g in got[:-1]} == {200} and len(got) - 1 <= 1 + time.monotonic() - began, f"one a second: {len(got)}")
    common.wait_for(lambda: s.ask(*SUBMIT, {"workflow": HOLD})[0] == 429, "a body to be refused")
    common.wait_for(lambda: s.ask("GET", "/no/such/path")[0] == 429, "what is not there to be refused")
    score.check([s.ask("GET", p)[0] for p in ("/healthz", "/readyz", "/metrics") * 5] == [200] * 15, "who watches it is not held up")
    counted = re.search(r'^skiff_http_requests_total\{method="GET",route="/api/v1/workflows/\{namespace\}",code="429"\} (\d+)', s.ask("GET", "/metrics")[2].decode(), re.M)
    score.check(counted and int(counted[1]) >= 1, "counted")
    score.check(all(line["status"] != 429 for line in audit(s)), "nobody can push out the audit log with it")
    local = s.place.run(s.place.file("w.json", json.dumps(workflow("true", name="local"))))
    score.check(local.returncode == 0, f"its owner's socket has no limit: {local.stderr}")
    common.wait_for(lambda: s.ask(*LIST)[0] == 200, "the next second")
    s.stop()
    for env, want in (({}, {200}), ({"SKIFF_SERVER_API_RATE_LIMIT": "0"}, {200}), ({"SKIFF_SERVER_API_RATE_LIMIT": "20"}, {200, 429})):
        s.start(env=env)
        got = in_a_row(s, 2500)
        score.check(set(got) == want, f"{env}: {set(got)}")
        s.stop()
    for n in ("x", "-1", "1000001"):
        ran = s.place.call("server", "--port", "0", "--api-rate-limit", n)
        score.check(ran.returncode == 2, f"{n}: {ran.returncode} {ran.stderr}")
    s.close()


def audited(score, skiff):
    s = token_server(skiff)
    admin, view = first_token(s), made(s, "eyes", "view")
    s.ask(*SUBMIT, {"workflow": HOLD}, bearer(admin))
    s.ask(*LIST, headers=bearer(admin))
    s.ask("POST", "/api/v1/workflows/default/lint", {"workflow": HOLD}, bearer(admin))
    s.ask("PUT", "/api/v1/workflows/default/hold/stop?x=secret", {}, bearer(view))
    s.ask("DELETE", "/api/v1/workflows/default/absent", None)
    s.ask("DELETE", "/api/v1/workflows/default/absent", None, bearer("skt_" + "1" * 16 + "_" + "1" * 64))
    s.ask("DELETE", f"{OWN}/eyes", None, bearer(admin))
    lines = audit(s)
    path = "/api/v1/workflows/default"
    want = [("admin", "POST", path, 200), ("eyes", "PUT", path + "/hold/stop", 403), ("", "DELETE", path + "/absent", 401),
            ("", "DELETE", path + "/absent", 401), ("admin", "DELETE", OWN + "/eyes", 200)]
    got = [(x["token"], x["method"], x["path"], x["status"]) for x in lines]
    score.check(got == want, f"noted: {got}")
    score.check(all(x["address"] == "127.0.0.1" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", x["time"]) for x in lines), f"{lines[0]}")
    score.check(os.stat(s.place.state + "/audit.log").st_mode & 0o777 == 0o600, "for its owner alone")
    with open(s.place.state + "/audit.log") as f:
        text = f.read()
    score.check("skt_" not in text and "secret" not in text and view not in text, "without secrets")
    score.check(s.stop() == 0 and admin not in s.said.split("listening at", 1)[1], "nor is a token in what the server says")
    s.close()


TESTS = (open_until_there_is_a_token, the_first_token, what_is_shown, roles, namespaces, creators, creators_forged, pages, expiry, wrong_again_and_again, too_many_requests, audited)
