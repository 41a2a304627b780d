"""What must hold of every run, whoever ran it: checked on the normal form of both sides."""
import json

from nodes import FAIL_FAST

COMPOSITE = ("Steps", "DAG", "StepGroup", "TaskGroup", "Retry")
FULFILLED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")


def busiest(spans):
    """How many of the (start, end) spans lie over each other at most; one that ends frees its place at once."""
    edges = sorted([(s, 1) for s, e in spans if e > s] + [(e, -1) for s, e in spans if e > s])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def span(node, end):
    return node["startedAt"], end if node["finishedAt"] is None else node["finishedAt"]


def templates(case):
    return {t["name"]: t for d in case["documents"] if "spec" in d for t in d["spec"]["templates"]}


def check_limits(case, form, end):
    out, nodes = [], form["nodes"]
    limit = case["documents"][-1]["spec"].get("parallelism")
    if "synchronization" in json.dumps(case["documents"]):
        limit = None  # a pod that waits for a lock has its start before it counts
    most = busiest([span(n, end) for n in nodes.values() if n["type"] == "Pod"])
    if limit and most > limit:
        out.append("parallelism %d of the workflow exceeded: %d pods" % (limit, most))
    by_name = templates(case)
    for name, node in nodes.items():
        if node["type"] not in ("Steps", "DAG"):
            continue
        tmpl = by_name.get((node.get("templateRef") or "/").split("/")[1] or node["templateName"], {})
        kids = [n for n in nodes.values() if n["boundary"] == name and n["type"] in ("Pod", "Steps", "DAG")]
        most = busiest([span(n, end) for n in kids])
        if tmpl.get("parallelism") and most > tmpl["parallelism"]:
            out.append("parallelism %d of %s exceeded: %d children" % (tmpl["parallelism"], name, most))
    return out


def check_order(form):
    """Nothing starts before what it hangs on is over."""
    out, nodes = [], form["nodes"]
    for name, node in nodes.items():
        for child in node["children"]:
            if child not in nodes:
                out.append("%s has a child %s that does not exist" % (name, child))
            elif node["type"] in COMPOSITE:
                if nodes[child]["startedAt"] < node["startedAt"]:
                    out.append("%s started before %s" % (child, name))
            elif child.startswith(name + ".hooks."):
                continue  # runs beside it
            elif node["finishedAt"] is None or nodes[child]["startedAt"] < node["finishedAt"]:
                out.append("%s started before %s was over" % (child, name))
    return out


def check_attempts(form):
    """Attempts of a Retry node come one after the other."""
    out = []
    for name, node in form["nodes"].items():
        if node["type"] != "Retry":
            continue
        n = 1
        while "%s(%d)" % (name, n) in form["nodes"]:
            before, at = form["nodes"]["%s(%d)" % (name, n - 1)], form["nodes"]["%s(%d)" % (name, n)]
            if before["finishedAt"] is None or at["startedAt"] < before["finishedAt"]:
                out.append("%s(%d) started before the attempt before it was over" % (name, n))
            n += 1
    return out


def left_behind(form, node):
    """template.failFast counts pods only: what else runs below it stays as it was (operator.go checkParallelism)."""
    while node and node["message"] != FAIL_FAST:
        node = form["nodes"].get(node["boundary"])
    return node is not None


def check_ends(form):
    """When the workflow is over, so is every node, and none of them after it."""
    out = []
    if form["finishedAt"] is None:
        return out
    for name, node in form["nodes"].items():
        if node["phase"] not in FULFILLED or node["finishedAt"] is None:
            if node["type"] not in ("HTTP", "Suspend") or not left_behind(form, node):
                out.append("%s is %s though the workflow is over" % (name, node["phase"]))
        elif not node["startedAt"] <= node["finishedAt"] <= form["finishedAt"]:
            out.append("%s has times that cannot be" % name)
    return out


def check_boundaries(form):
    out = []
    for name, node in form["nodes"].items():
        boundary = form["nodes"].get(node["boundary"])
        if node["boundary"] and boundary is None:
            out.append("%s has a boundary %s that does not exist" % (name, node["boundary"]))
        elif boundary and node["startedAt"] < boundary["startedAt"]:
            out.append("%s started before its boundary" % name)
    return out


def check(case, form):
    end = form["finishedAt"] or max([n["finishedAt"] or n["startedAt"] for n in form["nodes"].values()] or [0]) + 1
    return (check_limits(case, form, end) + check_order(form) + check_attempts(form) + check_ends(form)
            + check_boundaries(form))


def check_trace(trace):
    """The model's own log: a node is made once and ends once."""
    out, made, ended = [], set(), set()
    for _, what, name, phase in trace:
        if what == "make":
            if name in made:
                out.append("%s was made twice" % name)
            made.add(name)
        if what == "phase" and phase in FULFILLED:
            if name in ended:
                out.append("%s ended twice" % name)
            ended.add(name)
    return out
