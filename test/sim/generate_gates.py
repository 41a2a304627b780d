"""Locks and memoization for a generated workflow: drawn from a stream of their own, so that all else of a seed stays as it
is without them."""
import random

LEAVES = ("container", "script")


def locks(rng, composite):
    """Instances take other locks than leaves, so that few workflows wait for themselves."""
    mutexes = [{"name": ("g%d" if composite else "m%d") % i} for i in (1, 2)]
    semaphores = [{"configMapKeyRef": {"name": "limits", "key": "%s%d" % ("g" if composite else "s", i)}} for i in (1, 2)]
    pick = rng.sample([("mutexes", x) for x in mutexes] + [("semaphores", x) for x in semaphores], rng.choice((1, 1, 1, 2)))
    out = {}
    for kind, item in pick:
        out.setdefault(kind, []).append(item)
    return out


def decorate(case):
    rng = random.Random("gates/%d" % case["seed"])
    if rng.random() < 0.75:
        return case
    share_locks, share_memo = rng.choice((0, 0.3, 0.7)), rng.choice((0, 0.3))
    templates = [t for d in case["documents"] if "spec" in d for t in d["spec"]["templates"]]
    limited = any("parallelism" in t for t in templates + [case["documents"][-1]["spec"]])
    if limited or any(t.get("failFast") for t in templates):
        return case  # what a limit lets go and what a lock lets go take turns; the hand-made cases have them
    for t in templates:
        leaf = any(k in t for k in LEAVES)
        if rng.random() < (share_locks if leaf else share_locks / 4):
            t["synchronization"] = locks(rng, not leaf)
            sure = "retryStrategy" not in t and "outputs" not in t  # nobody goes on for ever, or asks for what is not there
            if leaf and sure and rng.random() < 0.1:
                t["timeout"] = rng.choice(("30ms", "200ms"))
        if rng.random() < (share_memo if leaf else share_memo / 4):
            t["memoize"] = {"key": t["name"], "cache": {"configMap": {"name": "kept"}}}
            if rng.random() < 0.5:
                t["memoize"]["maxAge"] = rng.choice(("1h", "500ms"))
    limits = {"s1": "1", "s2": "3", "g1": "1", "g2": "2"}
    case["documents"].insert(0, {"apiVersion": "v1", "kind": "ConfigMap",
                                 "metadata": {"name": "limits", "namespace": "default"}, "data": limits})
    return case
