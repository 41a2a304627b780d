"""Random workflows to which something is done from outside, and what must hold then. The model knows no commands: it tells
how the run would have been without."""
import copy
import json
import random

import invariants
import model
import normal

# Whether these come in time, or what they still find running, depends on when things happen.
TIMED = ("activeDeadlineSeconds", '"timeout"', "backoff", "failFast", '"duration"')


def kind(case):
    return {"seed": case["seed"], "fail_pct": 0, "error_pct": 0}


def retry(case):
    """After a bad end all pods do well, unless their templates say otherwise."""
    return [{"do": "retry", "fate": kind(case)}]


def resubmit(case):
    return [{"do": "resubmit", "fate": kind(case)}]


def suspend(case):
    """Some time of the run; nothing when time decides anything."""
    text = json.dumps(case)
    if any(word in text for word in TIMED):
        return []
    draw = random.Random(case["seed"])
    at = draw.randrange(200)
    return [{"do": "suspend", "at_ms": at}, {"do": "resume", "at_ms": at + draw.randrange(500)}]


KINDS = {"retry": retry, "resubmit": resubmit, "suspend": suspend}


def case(given, what):
    return dict(given, commands=KINDS[what](given))


def undisturbed(given):
    return normal.form(model.run({k: v for k, v in given.items() if k != "commands"}))


def is_pod(node, phase):
    return node["type"] == "Pod" and node["phase"] == phase


def waits_for_itself(given, got):
    """A node asks for a lock that what it stands in holds: Argo's controller waits for ever, too. The first run ended before it."""
    templates = invariants.templates(given)
    for node in got["nodes"].values():
        words = node["message"].split()
        if node["phase"] != "Pending" or words[:2] != ["Waiting", "for"]:
            continue
        name, above = words[2].split("/")[-1], got["nodes"].get(node["boundary"])
        while above:
            sync = templates.get(above["templateName"], {}).get("synchronization")
            if sync and '"%s"' % name in json.dumps(sync):
                return True
            above = got["nodes"].get(above["boundary"])
    return False


def judge_retry(given, first, got):
    """It ends as every run does, and what had succeeded ran once."""
    out = []
    bad = first["phase"] in ("Failed", "Error")
    if first["finishedAt"] and not got["finishedAt"] and not waits_for_itself(given, got):
        out.append("the retried workflow never ends")
    again = 0
    for name, now in got["nodes"].items():
        later = first["finishedAt"] and now["startedAt"] >= first["finishedAt"]
        again += now["type"] == "Pod" and bool(later)
        then = first["nodes"].get(name)
        if then and is_pod(then, "Succeeded") and not later and now != dict(then, children=now["children"]):
            out.append("%s had succeeded and is changed" % name)
    return out, "steps ran again" if bad and again else "nothing to do" if bad else ""


def judge_resubmit(given, first, got):
    """What had succeeded is Skipped under the new name; nothing of it runs."""
    out = []
    bad = first["phase"] in ("Failed", "Error")
    if not bad:
        return out, ""
    if first["finishedAt"] and not got["finishedAt"] and not waits_for_itself(given, got):
        out.append("the resubmitted workflow never ends")
    skipped = 0
    for name, then in first["nodes"].items():
        now = got["nodes"].get("wf2" + name[2:])
        if not now or not is_pod(then, "Succeeded") or name.startswith("wf.onExit") or name.endswith(")"):
            continue  # an attempt that did well becomes the first one
        kept = now["message"].startswith("original pod: ")
        skipped += kept
        if now["type"] == "Pod":
            out.append("%s had succeeded and runs again" % name)
        elif kept and now.get("outputs") != then.get("outputs"):  # else a condition has come out otherwise
            out.append("%s has other outputs than before" % name)
    return out, "steps were kept" if skipped else "nothing was kept"


def timeless(form):
    out = copy.deepcopy(form)
    for at in [out, *out["nodes"].values()]:
        at.pop("startedAt")
        at["finished"] = at.pop("finishedAt") is not None
    return out


def judge_suspend(_, first, got):
    """Nothing but time differs."""
    return normal.differences(timeless(first), timeless(got)), "suspended"


JUDGES = {"retry": judge_retry, "resubmit": judge_resubmit, "suspend": judge_suspend}


def judge(given, got, what):
    """(problems, rows reached)"""
    if not given["commands"]:
        return [], {"outside: time decides"}
    if "error" in got:
        return ["simulator: " + got["error"]], set()
    first = undisturbed(given)
    problems, row = JUDGES[what](given, first, got)
    return invariants.check_ends(got) + problems, {"outside: " + row} if row else set()
