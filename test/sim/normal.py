"""The normal form that is compared, and the comparison. README.md sections 1.2 and 3.3."""
import json
import re

# Messages that end in another program's words are compared up to there.
CUTS = [re.compile(p, re.S) for p in (
    r"(retry exceeded workflow deadline).*",
    r"(withParam value could not be parsed as a JSON list).*",
    r".*(absent optional).*",
    r".*(Invalid 'when' expression '.*?').*",
    r".*(Failed to evaluate 'when' expresion '.*?').*",
    r".*(Expected boolean evaluation for '.*?').*",
    r"(task '.*?' errored):.*",
    r"(step group deemed errored due to child .*? error):.*",
    r"(error in entry template execution):.*",
)]


def cut(message):
    for pattern in CUTS:
        message = pattern.sub(r"\1", message)
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
    if node.template_ref:
        form["templateRef"] = node.template_ref
    if node.outputs and outputs_of(node):
        form["outputs"] = outputs_of(node)
    return form


def form(wf):
    out = {"phase": wf.phase, "message": wf.message, "startedAt": wf.started, "finishedAt": wf.finished,
           "nodes": {n.name: node_form(n) for n in wf.nodes.values()}}
    if wf.global_outputs:
        out["outputs"] = {"parameters": dict(wf.global_outputs)}
    return out


def differences(want, got, path=""):
    """Lines `path: want … got …`, the model's value first."""
    if isinstance(want, dict) and isinstance(got, dict):
        out = []
        for key in sorted(set(want) | set(got)):
            if key == "message" and cut(want.get(key) or "") == cut(got.get(key) or ""):
                continue
            inner = "%s/%s" % (path, key)
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
