"""The normal form that is compared, and the comparison. README.md sections 1.2 and 3.4."""
import json
import re

# Messages that begin or end in another program's words are compared without those.
CUTS = [(re.compile(p, re.S), to) for p, to in (
    (r"(retry exceeded workflow deadline).*", r"\1"),
    (r".*(withParam value could not be parsed as a JSON list).*", r"\1"),
    (r".*(absent optional).*", r"\1"),
    (r".*(?:Invalid|[Ff]ailed to \w+) 'when' expres{1,2}ion '(.*?)':.*", r"when error: \1"),
    (r".*Expected boolean evaluation for '(.*?)'\. Got.*", r"when error: \1"),
    (r"(error in entry template execution):.*", r"\1"),
    (r"(failed to evaluate expression).*", r"\1"),
    (r"strconv\.Atoi: parsing \"(.*)\": invalid syntax", r"'\1' is not a number"),
    (r"withSequence\.\w+: ('.*' is not a number)", r"\1"),
    (r"(invalid maxAge):.*", r"\1"),
    (r"(malformed cache entry: could not unmarshal JSON; unable to parse).*", r"\1"),
    (r"[Ff]ailed to resolve references: ", ""),
)]


def cut(message):
    for pattern, to in CUTS:
        message = pattern.sub(to, message)
    return message


def outputs_of(node):
    out = {k: node.outputs[k] for k in ("result", "exitCode") if k in node.outputs}
    params = {p["name"]: p["value"] for p in node.outputs.get("parameters", []) if "value" in p}
    if params:
        out["parameters"] = params
    return out


def node_form(node):
    form = {"phase": node.phase, "type": node.type, "displayName": node.display, "message": node.message,
            "templateName": node.template, "children": sorted(node.children), "boundary": node.boundary,
            "startedAt": node.started, "finishedAt": node.finished}
    if node.memo:
        form["memo"] = node.memo
    if node.template_ref:
        form["templateRef"] = node.template_ref
    if node.outputs and outputs_of(node):
        form["outputs"] = outputs_of(node)
    return form


def progress(nodes):
    """[progress/updater.go] Nobody says more than 0/1 here."""
    counted = [n for n in nodes if n.type in ("Pod", "HTTP", "Suspend")]
    done = [n for n in counted if n.phase in ("Succeeded", "Skipped", "Omitted")]
    return "%d/%d" % (len(done), len(counted)) if counted else ""


def form(wf):
    out = {"phase": wf.phase, "message": wf.message, "startedAt": wf.started, "finishedAt": wf.finished,
           "progress": progress(wf.nodes.values()), "nodes": {n.name: node_form(n) for n in wf.nodes.values()}}
    if wf.global_outputs:
        out["outputs"] = {"parameters": dict(wf.global_outputs)}
    return out


def differences(want, got, path=""):
    """Lines that say where the two differ. What is empty on one side may be absent on the other."""
    if isinstance(want, dict) and isinstance(got, dict):
        out = []
        for key in sorted(set(want) | set(got)):
            if key == "message" and cut(want.get(key) or "") == cut(got.get(key) or ""):
                continue
            inner = "%s/%s" % (path, key)
            if key == "outputs" and not want.get(key) and not got.get(key):
                continue
            if key not in want:
                out.append("%s: only in the simulator: %s" % (inner, json.dumps(got[key])))
            elif key not in got:
                out.append("%s: only in the model: %s" % (inner, json.dumps(want[key])))
            else:
                out += differences(want[key], got[key], inner)
        return out
    if want == got:
        return []
    return ["%s: model %s, simulator %s" % (path, json.dumps(want), json.dumps(got))]
