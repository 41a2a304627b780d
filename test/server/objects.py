"""Artifacts that are looked at and brought, and stored objects, over HTTP."""
import base64
import gzip
import hashlib
import io
import tarfile

import auth
import server
from server import Server, workflow

MAKE = """mkdir -p /tmp/dir/sub /tmp/site; printf 0123456789 > /tmp/dir/a.txt; printf '<b>' > '/tmp/dir/<x>&"1.html'; printf deep > /tmp/dir/sub/deep
ln -s a.txt /tmp/dir/inside; ln -s /etc/passwd /tmp/dir/outside; ln -s ../../../../../../etc /tmp/dir/up; printf home > /tmp/site/index.html; printf packed > /tmp/one; cp /tmp/dir/a.txt /tmp/plain.txt"""


def artifact(name, path, **more):
    return {"name": name, "path": path, **more}


def made(s):
    """A workflow with output artifacts; its name."""
    wf = workflow(MAKE, name="w")
    none = {"archive": {"none": {}}}
    wf["spec"]["templates"][0]["outputs"] = {"artifacts": [
        artifact("dir", "/tmp/dir", **none), artifact("site", "/tmp/site", **none), artifact("tgz", "/tmp/one"), artifact("plain", "/tmp/plain.txt", **none)]}
    wf["spec"]["templates"][0]["inputs"] = {"artifacts": [artifact("given", "/tmp/given", raw={"data": "some text"})]}
    return s.wait(s.submit(wf))


def files(score, skiff):
    s = Server(skiff, "ro").start()
    wf = made(s)
    score.check(wf["status"]["phase"] == "Succeeded", f"the workflow: {wf['status'].get('message')}")
    uid, top = wf["metadata"]["uid"], "/artifact-files/default/workflows/w/w/outputs"
    status, head, body = s.ask("GET", f"{top}/plain")
    score.check((status, body) == (200, b"0123456789"), f"a file: {status} {body}")
    score.check("sandbox" in head["Content-Security-Policy"] and head["X-Frame-Options"] == "SAMEORIGIN" and head["X-Content-Type-Options"] == "nosniff"
                and head["Content-Type"] == "text/plain; charset=utf-8", f"its headers: {head.items()}")
    for path, want in ((f"{top}/dir/a.txt", b"0123456789"), (f"{top}/dir/sub/deep", b"deep"), (f"{top}/dir/inside", b"0123456789"),
                       (f"{top}/site/index.html", b"home"), (f"/artifact-files/default/archived-workflows/{uid}/w/outputs/dir/a.txt", b"0123456789"),
                       ("/artifact-files/default/workflows/w/w/inputs/given", b"some text")):
        status, _, body = s.ask("GET", path)
        score.check((status, body) == (200, want), f"{path}: {status} {body}")
    status, head, body = s.ask("GET", f"{top}/dir/")
    page = body.decode()
    score.check(status == 200 and head["Content-Type"].startswith("text/html") and 'href="./sub/"' in page and "&lt;x&gt;&amp;&#34;1.html" in page
                and "%3Cx%3E%26%221.html" in page and "<x>" not in page, f"a directory: {status} {page}")
    _, head, body = s.ask("GET", f"{top}/dir/%3Cx%3E%26%221.html")
    score.check((head["Content-Disposition"], body) == ('filename="<x>&\\"1.html"', b"<b>"), f"a name with a quote: {head['Content-Disposition']} {body}")
    for path, to in ((f"{top}/dir", f"{top}/dir/"), (f"{top}/dir/sub", f"{top}/dir/sub/"), (f"{top}/site/", f"{top}/site/index.html")):
        status, head, _ = s.ask("GET", path)
        score.check(status == 307 and head["Location"] == to, f"{path}: {status} {head.get('Location')}")
    status, _, body = s.ask("GET", f"{top}/tgz")
    inside = tarfile.open(fileobj=io.BytesIO(gzip.decompress(body)))
    score.check(status == 200 and inside.extractfile(inside.getmembers()[0]).read() == b"packed", "one that is packed")
    nowhere = ("/dir/outside", "/dir/up/passwd", "/dir/up/", "/dir/none", "/dir/a.txt/x", "/dir/a.txt/", "/plain/x", "/none", "/none/")
    for path in nowhere:
        status, _, e = s.ask("GET", top + path)
        score.check(status == 404 and e["code"] == 5, f"{path}: {status} {e}")
    for path in ("/dir/..", "/dir/../../x", "/dir/%2e%2e/%2e%2e/skiff.db", "/dir/sub/..%2f..%2f..%2fskiff.db", "/dir/./a.txt", "/dir//etc/passwd", "/dir/%2fetc%2fpasswd"):
        status, _, e = s.ask("GET", top + path)
        score.check(status == 400 and e["code"] == 3, f"{path}: {status} {e}")
    for path in ("/artifact-files/default/other/w/w/outputs/plain", "/artifact-files/default/workflows/w/w/sideways/plain"):
        score.check(s.ask("GET", path)[0] == 400, path)
    score.check(s.ask("GET", f"/artifact-files/other/archived-workflows/{uid}/w/outputs/plain")[0] == 404, "the uid of another namespace")
    s.close()


def ranges(score, skiff):
    s = Server(skiff, "ro").start()
    made(s)
    for path in ("/artifacts/default/w/w/plain", "/artifact-files/default/workflows/w/w/outputs/plain"):
        for given, status, part, body in (("bytes=2-4", 206, "bytes 2-4/10", b"234"), ("bytes=-3", 206, "bytes 7-9/10", b"789"), ("bytes=8-", 206, "bytes 8-9/10", b"89"),
                                          ("bytes=10-", 416, "bytes */10", None), ("bytes=1-2,4-5", 200, None, b"0123456789"), ("lines=1-", 200, None, b"0123456789")):
            got, head, data = s.ask("GET", path, headers={"Range": given})
            score.check(got == status and head.get("Content-Range") == part and (body is None or data == body), f"{path} {given}: {got} {head.get('Content-Range')} {data}")
    _, head, _ = s.ask("GET", "/artifacts/default/w/w/plain")
    score.check(head["Accept-Ranges"] == "bytes" and head["ETag"], "what a client needs to go on later")
    for tag, status in ((head["ETag"], 206), ('"other"', 200)):
        score.check(s.ask("GET", "/artifacts/default/w/w/plain", headers={"Range": "bytes=1-1", "If-Range": tag})[0] == status, f"If-Range {tag}")
    status, head, body = s.ask("GET", "/artifacts/default/w/w/tgz", headers={"Range": "bytes=0-1"})
    score.check((status, body) == (206, b"\x1f\x8b"), "a part of what is packed")
    s.close()


def form(data, file_name="data.bin", field="file"):
    body = (f'--xyz\r\nContent-Disposition: form-data; name="{field}"; filename="{file_name}"\r\n\r\n').encode() + data + b"\r\n--xyz--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=xyz"}


def uploads(score, skiff):
    s = Server(skiff, "ro").start()
    template = {"metadata": {"name": "t"}, "spec": {
        "entrypoint": "main", "arguments": {"artifacts": [{"name": "in", "s3": {"key": "none"}}]}, "templates": [
            {"name": "main", "inputs": {"artifacts": [{"name": "in", "path": "/tmp/in"}]}, "outputs": {"parameters": [
                {"name": "sum", "valueFrom": {"path": "/tmp/sum"}}]}, "container": {"image": "busybox", "command": [
                    "sh", "-c", "sha256sum < /tmp/in | cut -c1-64 > /tmp/sum"]}}]}}
    status, _, e = s.ask("POST", "/api/v1/workflow-templates/default", {"template": template})
    score.check(status == 200, f"the template: {e}")
    data = bytes(range(256)) * 300_000  # 77 MB: more than a body may have that is kept in memory
    body, head = form(data, "../some dir/d\u00e4ta.bin")
    status, _, up = s.ask("POST", "/upload-artifacts/default/t/in", body, head)
    parts = up["key"].split("/") if status == 200 else []
    score.check(status == 200 and up["name"] == "in" and parts[:2] == ["uploads", "default"] and len(parts[2]) == 36 and parts[3:] == ["d\u00e4ta.bin"], f"{status} {up}")
    wf = workflow("true")
    wf["spec"] = {"workflowTemplateRef": {"name": "t"}, "arguments": {"artifacts": [{"name": "in", "s3": {"key": up["key"]}}]}}
    submission = {"resourceKind": "WorkflowTemplate", "resourceName": "t", "submitOptions": {"artifacts": [f"in={up['key']}"]}}
    status, _, from_template = s.ask("POST", "/api/v1/workflows/default/submit", submission)
    score.check(status == 200, f"submitted from the template: {from_template}")
    for name in (s.submit(wf), from_template["metadata"]["name"]):
        done = s.wait(name)
        result = [p["value"] for n in done["status"]["nodes"].values() for p in n.get("outputs", {}).get("parameters", [])]
        score.check(hashlib.sha256(data).hexdigest() in result, f"a step reads it: {done['status']['phase']} {done['status'].get('message')} {result}")
    for target, body, head, want in (("none/in", *form(b"x"), 404), ("t/in", *form(b"x", field="other"), 400), ("t/in", *form(b"x", ".."), 400), ("t/in", *form(b"x", ""), 400),
                                     ("t/in", b"x", {"Content-Type": "text/plain"}, 400), ("t/in", b"", form(b"")[1], 400), ("t/in", form(b"x")[0][:-12], form(b"")[1], 400)):
        status, _, e = s.ask("POST", f"/upload-artifacts/default/{target}", body, head)
        score.check(status == want, f"{target} {body[:60]}: {status} {e}")
    c = s.connect()
    c.putrequest("POST", "/upload-artifacts/default/t/in")
    for key, value in {"Content-Length": str(1 << 50), **form(b"")[1]}.items():
        c.putheader(key, value)
    c.endheaders()
    score.check(c.getresponse().status == 413, "more than there may be")
    c.close()
    s.close()


def config_map(name, ns="default", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns, "labels": {"app": "x"}}, "data": data}


def secret(name, **values):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"app": "x"}}, "stringData": values}


def stored(score, skiff):
    s = Server(skiff).start()
    top = "/api/v1/skiff/objects"
    put = lambda kind, doc, query="": s.ask("PUT", f"{top}/{kind}/default/{doc['metadata']['name']}{query}", doc)  # noqa: E731
    score.check(put("configmaps", config_map("c", a="b"), "?dryRun=true")[2].get("result") == "created" and s.ask("GET", f"{top}/cm/default/c")[0] == 404, "a dry run stores nothing")
    for doc, did in ((config_map("c", a="b"), "created"), (config_map("c", a="b"), "unchanged"), (config_map("c", a="c"), "configured")):
        status, _, got = put("configmaps", doc)
        score.check(status == 200 and got["result"] == did and got["object"]["data"] == doc["data"], f"{did}: {status} {got}")
    old = s.ask("GET", f"{top}/ConfigMap/default/c")[2]
    put("cm", config_map("c", a="d"))
    score.check(put("cm", old)[0] == 409, "an old version")
    for kind, doc, want in (("secrets", config_map("c"), 400), ("nothing", config_map("c"), 404), ("cm", {**config_map("c"), "datum": {}}, 400), ("cm", config_map("d", ns="other"), 400),
                            ("workflows", workflow("true", name="w"), 404), ("cm", {"metadata": {"name": "c"}}, 400)):
        status, _, e = put(kind, doc)
        score.check(status == want and e["code"], f"{kind} {doc}: {status} {e}")
    score.check(s.ask("PUT", f"{top}/cm/default/e", config_map("c"))[0] == 400, "another name")
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    score.check(put("pvc", claim)[0] == 200 and put("wftmpl", {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {
        "entrypoint": "a", "templates": [{"name": "a", "suspend": {}}]}})[0] == 200, "a claim and a template")
    for i in range(5):
        put("cm", config_map(f"m-{i}"))
    got, token = [], ""
    while token is not None:
        page = s.ask("GET", f"{top}/configmaps/default?listOptions.labelSelector=app%3Dx&listOptions.limit=2&listOptions.continue={token}")[2]
        got += [i["metadata"]["name"] for i in page["items"]]
        token = page["metadata"].get("continue")
    score.check(got == ["c"] + [f"m-{i}" for i in range(5)], f"pages: {got}")
    score.check(s.ask("DELETE", f"{top}/cm/default/c")[0] == 200 and s.ask("DELETE", f"{top}/cm/default/c")[0] == 404, "deleted once")
    s.close()


def secrets(score, skiff):
    """Values go in and never come out; steps get them."""
    s = Server(skiff).start()
    top, words = "/api/v1/skiff/objects/secrets/default", []
    words.append(s.ask("PUT", f"{top}/s", secret("s", a="hunter2", b="second"))[2])
    words.append(s.ask("PUT", f"{top}/s?join=true", secret("s", b="third"))[2])
    words += [s.ask("GET", f"{top}/s")[2], s.ask("GET", top)[2], s.ask("GET", f"{top}/s?fields=data,keys")[2]]
    score.check(words[-1] == {"keys": ["a", "b"]}, f"keys: {words[-1]}")
    s.place.file("pass", "from a file")
    words.append(s.place.call("secret", "set", "s", f"c=@{s.place.root}/pass").stdout)
    words.append(s.place.call("secret", "list").stdout)
    score.check(words[-1] == "s\ta,b,c\n", f"secret list: {words[-1]}")
    for word in ("hunter2", "third", "from a file"):
        hidden = [word, base64.b64encode(word.encode()).decode()]
        score.check(not any(h in str(words) for h in hidden), f"{word} is shown: {words}")
    wf = workflow(f'echo "$A $B $C" | rev > {s.place.root}/out')
    wf["spec"]["templates"][0]["container"]["env"] = [{"name": k.upper(), "valueFrom": {"secretKeyRef": {"name": "s", "key": k}}} for k in "abc"]
    s.wait(s.submit(wf))
    with open(s.place.root + "/out") as f:
        got = f.read().strip()[::-1]
    score.check(got == "hunter2 third from a file", f"a step gets: {got}")
    back = s.ask("GET", f"{top}/s")[2]
    score.check(s.ask("PUT", f"{top}/s", back)[0] == 400, "what was read is not what may be written: the values would be lost")
    score.check(s.place.call("secret", "delete", "s").returncode == 0 and s.ask("GET", f"{top}/s")[0] == 404, "deleted")
    s.close()


def applies(score, skiff):
    """skiff apply with and without a server."""
    for served in (True, False):
        s = Server(skiff)
        if served:
            s.start()
        file = lambda *docs: s.place.file("all.yaml", "\n---\n".join(server.json.dumps(d) for d in docs))  # noqa: E731
        ran = s.place.call("apply", "-f", file(config_map("a", k="1"), config_map("b", k="1"), secret("s", k="v")))
        score.check(ran.returncode == 0 and ran.stdout == "ConfigMap/a created\nConfigMap/b created\nSecret/s created\n", f"applied: {ran}")
        path = file(config_map("a", k="1"), config_map("c", k="1"))
        ran = s.place.call("apply", "-f", path, "--prune", "-l", "app=x", "--dry-run")
        want = "ConfigMap/a unchanged{0}\nConfigMap/c created{0}\nConfigMap/b pruned{0}\nSecret/s pruned{0}\n"
        score.check(ran.stdout == want.format(" (dry run)"), f"dry: {ran}")
        ran = s.place.call("apply", "-f", path, "--prune", "-l", "app=x")
        score.check(ran.stdout == want.format(""), f"pruned: {ran}")
        ran = s.place.call("apply", "-f", path, "--prune", "-l", "app=x")
        score.check(ran.stdout == "ConfigMap/a unchanged\nConfigMap/c unchanged\n", f"once more: {ran}")
        ran = s.place.call("apply", "-f", file(workflow("true", name="w")))
        score.check(ran.returncode == 2 and "skiff run" in ran.stderr, f"a workflow: {ran}")
        if served:
            s.stop()
        s.close()


def allowed(score, skiff):
    """What all namespaces share is an admin's, whatever namespace a path names; nobody else's artifacts, nobody else's uploads."""
    s = Server(skiff).start("--auth", "token")
    admin, run = auth.bearer(auth.first_token(s)), auth.bearer(auth.made(s, "ci", "run", "default"))
    shared = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ClusterWorkflowTemplate", "metadata": {"name": "c"}, "spec": {
        "entrypoint": "a", "templates": [{"name": "a", "suspend": {}}]}}
    at = "/api/v1/skiff/objects/cwft/default/c"
    for method, body, who, want in (("PUT", shared, run, 403), ("PUT", shared, admin, 200), ("GET", None, run, 200), ("DELETE", None, run, 403), ("DELETE", None, admin, 200)):
        status, _, e = s.ask(method, at, body, who)
        score.check(status == want, f"{method} of what is shared: {status} {e}")
    for method, path, body, want in (("PUT", "/api/v1/skiff/objects/cm/default/m", config_map("m"), 200), ("PUT", "/api/v1/skiff/objects/cm/other/m", config_map("m", ns="other"), 403),
                                     ("GET", "/api/v1/skiff/objects/cm/", None, 403), ("GET", "/artifact-files/other/workflows/w/w/outputs/a", None, 403),
                                     ("POST", "/upload-artifacts/other/t/in", {"a": "b"}, 403)):
        status, _, e = s.ask(method, path, body, run)
        score.check(status == want, f"{method} {path}: {status} {e}")
    s.close()


CASES = (files, ranges, uploads, stored, secrets, applies, allowed)
