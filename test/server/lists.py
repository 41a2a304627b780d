"""Lists over HTTP: filters, pages that stand still while everything moves, `fields`."""
import threading
import urllib.parse

from server import Server, workflow

NONE = {"entrypoint": "ask", "templates": [{"name": "ask", "suspend": {}}]}


def url(path, **query):
    return path + "?" + urllib.parse.urlencode({k.replace("_", "."): v for k, v in query.items()})


def waiting(name, **labels):
    """A workflow that does nothing but wait."""
    wf = workflow("true", name=name)
    wf["metadata"]["labels"] = labels
    wf["spec"] = NONE
    return wf


def listed(s, path="/api/v1/workflows/default", **query):
    status, _, got = s.ask("GET", url(path, **query))
    if status != 200:
        raise RuntimeError(f"{path} {query}: {status} {got}")
    return got


def names(got):
    return [i["metadata"]["name"] for i in got["items"] or []]


def pages(s, path="/api/v1/workflows/default", between=None, **query):
    """The names of all pages, in order; `between` is called after each page."""
    all_names, token = [], None
    while True:
        got = listed(s, path, **query, **({"listOptions_continue": token} if token else {}))
        all_names += names(got)
        token = got["metadata"].get("continue")
        if not token:
            return all_names
        if between:
            between()


def filters(score, skiff):
    s = Server(skiff).start()
    for i in range(6):
        s.submit(waiting(f"w-{i}", parity="odd" if i % 2 else "even", n=str(i)))
    s.submit(waiting("other", parity="odd"), ns="elsewhere")
    ended = s.submit(workflow("true", name="ended"))
    s.wait(ended)
    cases = (({}, ["ended", "w-5", "w-4", "w-3", "w-2", "w-1", "w-0"]),
             ({"listOptions_labelSelector": "parity=odd"}, ["w-5", "w-3", "w-1"]),
             ({"listOptions_labelSelector": "parity=odd,n!=3"}, ["w-5", "w-1"]),
             ({"listOptions_labelSelector": "n in (1,2)"}, ["w-2", "w-1"]),
             ({"listOptions_labelSelector": "n in (1,2,1)"}, ["w-2", "w-1"]),
             ({"listOptions_labelSelector": "!parity"}, ["ended"]),
             ({"listOptions_labelSelector": "workflows.argoproj.io/phase in (Succeeded,Failed)"}, ["ended"]),
             ({"listOptions_labelSelector": "workflows.argoproj.io/completed=false,parity=even"}, ["w-4", "w-2", "w-0"]),
             ({"listOptions_fieldSelector": "metadata.name=w-3"}, ["w-3"]),
             ({"listOptions_fieldSelector": "metadata.name!=w-3,metadata.namespace=default", "listOptions_labelSelector": "parity=odd"}, ["w-5", "w-1"]),
             ({"listOptions_fieldSelector": "metadata.name=-3", "nameFilter": "Contains"}, ["w-3"]),
             ({"listOptions_fieldSelector": "metadata.name=end", "nameFilter": "Prefix"}, ["ended"]),
             ({"listOptions_fieldSelector": "metadata.name=end", "nameFilter": "Exact"}, []),
             ({"listOptions_fieldSelector": "status.phase=Succeeded"}, ["ended"]),
             ({"listOptions_fieldSelector": "spec.startedAt>2001-01-01T00:00:00Z,ext.showRemainingItemCount=true", "listOptions_labelSelector": "n=1"}, ["w-1"]),
             ({"listOptions_fieldSelector": "spec.startedAt<2001-01-01T00:00:00Z"}, []),
             ({"createdAfter": "2001-01-01T00:00:00Z", "listOptions_labelSelector": "n=1"}, ["w-1"]),
             ({"createdAfter": "2999-01-01T00:00:00Z"}, []),
             ({"finishedBefore": "2999-01-01T00:00:00Z"}, ["ended"]))
    for query, want in cases:
        got = names(listed(s, **query))
        score.check(got == want, f"{query}: {got}")
    score.check(names(listed(s, "/api/v1/workflows/")) [:2] == ["ended", "other"], "all namespaces")
    score.check(names(listed(s, "/api/v1/archived-workflows", namePrefix="en")) == ["ended"], "archived")
    score.check(names(listed(s, "/api/v1/archived-workflows", namespace="elsewhere")) == [], "archived elsewhere")
    for query in ({"listOptions_limit": "x"}, {"listOptions_limit": "-1"}, {"listOptions_continue": "abc"}, {"nameFilter": "Fuzzy"},
                  {"createdAfter": "yesterday"}, {"listOptions_labelSelector": "a in ("}, {"listOptions_resourceVersion": "x"}):
        status, _, e = s.ask("GET", url("/api/v1/workflows/default", **query))
        score.check(status == 400 and e["code"] == 3, f"{query}: {status} {e}")
    s.close()


def paged(score, skiff):
    """Each workflow that is there all the time comes exactly once, whatever comes, changes and goes between pages."""
    s = Server(skiff).start()
    staying = [s.submit(waiting(f"stay-{i:03}", group="a", late=str(i % 3))) for i in range(60)]
    going = [s.submit(waiting(f"go-{i:03}", group="a")) for i in range(20)]
    first = listed(s, listOptions_limit=10)
    score.check(first["metadata"]["remainingItemCount"] == 70 and len(first["items"]) == 10, f"the first page: {first['metadata']}")
    score.check(int(first["metadata"]["resourceVersion"]) > 0, "its version")
    made, stop = [], threading.Event()

    def move():
        while not stop.is_set():
            made.append(s.submit(waiting(f"new-{len(made):04}", group="a")))
            s.ask("PUT", f"/api/v1/workflows/default/{made[-1]}/suspend", {})
            if going:
                name = going.pop()
                s.ask("PUT", f"/api/v1/workflows/default/{name}/terminate", {})
                s.ask("DELETE", f"/api/v1/workflows/default/{name}?force=true")
    mover = threading.Thread(target=move)
    mover.start()
    try:
        for query in ({}, {"listOptions_labelSelector": "group=a"}, {"listOptions_labelSelector": "group in (a,b),late!=1"},
                      {"listOptions_fieldSelector": "metadata.name=stay", "nameFilter": "Prefix"}):
            want = [n for n in reversed(staying) if "late" not in str(query) or int(n[-3:]) % 3 != 1]
            for limit in (1, 7, 50):
                got = pages(s, listOptions_limit=limit, **query)
                score.check(len(got) == len(set(got)), f"{query} by {limit}: one came twice")
                score.check([n for n in got if n.startswith("stay-")] == want, f"{query} by {limit}: {got}")
    finally:
        stop.set()
        mover.join()
    token = listed(s, listOptions_limit=10)["metadata"]["continue"]
    status, _, e = s.ask("GET", url("/api/v1/archived-workflows", listOptions_continue=token))
    score.check(status == 400 and "continue" in e["message"], f"the token of another list: {status} {e}")
    s.close()


def template(name):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": name, "labels": {"n": name[-1]}}, "spec": NONE}


def objects_paged(score, skiff):
    s = Server(skiff).start()
    path = "/api/v1/workflow-templates/default"
    for i in range(25):
        s.ask("POST", path, {"template": template(f"t-{i:02}")})
    between = iter(range(100))

    def move():
        i = next(between)
        s.ask("POST", path, {"template": template(f"s-{i:02}")})
        s.ask("DELETE", f"{path}/s-{i - 1:02}")
    got = pages(s, path, between=move, listOptions_limit=4)
    score.check([n for n in got if n.startswith("t-")] == [f"t-{i:02}" for i in range(25)], f"templates: {got}")
    score.check(names(listed(s, path, listOptions_labelSelector="n=3", listOptions_limit=9)) == ["t-03", "t-13", "t-23"], "by label")
    score.check(names(listed(s, path, listOptions_fieldSelector="metadata.name=t-07")) == ["t-07"], "by field")
    old = s.ask("GET", f"{path}/t-00")[2]
    changed = s.ask("PUT", f"{path}/t-00", {"template": {**old, "spec": {**NONE, "entrypoint": "ask", "parallelism": 2}}})[2]
    score.check(changed["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"], "a change has a new version")
    status, _, e = s.ask("PUT", f"{path}/t-00", {"template": old})
    score.check(status == 409 and e["code"] == 6, f"an update of an old version: {status} {e}")
    status, _, _ = s.ask("GET", url(f"{path}/t-00", getOptions_resourceVersion=old["metadata"]["resourceVersion"]))
    score.check(status == 200, "getOptions.resourceVersion")
    score.check(s.ask("GET", url(f"{path}/t-00", getOptions_resourceVersion="x"))[0] == 400, "one that is no number")
    s.close()


def parts(score, skiff):
    """`fields` on every kind of answer."""
    s = Server(skiff).start()
    name = s.submit(workflow("true", name="w"))
    s.wait(name)
    wf, path = s.get(name), "/api/v1/workflows/default"
    score.check(wf["status"]["nodes"] and "nodes" not in s.ask("GET", f"{path}/w?fields=-status.nodes")[2]["status"], "without nodes")
    got = s.ask("GET", f"{path}/w?fields=metadata.name,status.nodes.phase")[2]
    score.check(got == {"metadata": {"name": "w"}, "status": {"nodes": {"w": {"phase": "Succeeded"}}}}, f"parts of nodes: {got}")
    whole, no_nodes, short = (listed(s, **q)["items"][0] for q in ({}, {"fields": "-items.status.nodes"}, {"fields": "items.metadata.name,items.status.phase"}))
    score.check(whole == wf, f"a list has whole workflows: {whole}")
    score.check("nodes" not in no_nodes["status"] and no_nodes["spec"] == wf["spec"], f"a list without nodes: {no_nodes}")
    score.check(short == {"metadata": {"name": "w"}, "status": {"phase": "Succeeded"}}, f"a list in short: {short}")
    meta = listed(s, fields="metadata,items.metadata.uid")
    score.check(meta["metadata"]["resourceVersion"] and meta["items"] == [{"metadata": {"uid": wf["metadata"]["uid"]}}], f"metadata: {meta}")
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": template("t")})
    got = s.ask("GET", "/api/v1/workflow-templates/default/t?fields=metadata.name,kind")[2]
    score.check(got == {"kind": "WorkflowTemplate", "metadata": {"name": "t"}}, f"a template: {got}")
    got = s.ask("PUT", f"{path}/w/resubmit?fields=metadata.namespace", {})[2]
    score.check(got == {"metadata": {"namespace": "default"}}, f"the answer of a change: {got}")
    s.close()


CASES = (filters, paged, objects_paged, parts)
