"""Workflow documents with what is expected of them: test/data/workflows/SUBJECT/RULE.yaml. The README there has the format."""
import json
import pathlib
import re

import yaml

import fate

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "test/data/workflows"
START_US = 1700000000000000
JUDGES = ("simulator", "process", "sandbox", "lint")
EXPECTED = {"phase", "message", "says", "ends", "outputs", "nodes", "more", "workflow", "run", "pods", "commands", "args", "model",
            "refused", "warned", "seconds"}
REAL_TIME = re.compile(r"sleep|suspend|activeDeadlineSeconds|backoff|imeout|volume|artifact|secret|synchronization")


class Loader(yaml.SafeLoader):
    """YAML as Argo reads it: y and n are booleans too."""


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))
Loader.bool_values = dict(yaml.SafeLoader.bool_values, y=True, n=False)


class Broken(Exception):
    """A document that does not keep to the format."""


class Document:
    def __init__(self, path):
        self.path, self.name = path, str(path.relative_to(FOLDER))[:-5]
        text = path.read_text()
        self.rule = text.partition("\n")[0].lstrip("# ")
        if not text.startswith("# %s: " % path.parent.name):
            raise Broken("%s: the first line is not `# %s: RULE`" % (self.name, path.parent.name))
        self.text, cut, _ = text.rpartition("\n---\n")
        self.text += "\n"
        try:
            docs = [d for d in yaml.load_all(text, Loader) if d is not None]
        except yaml.YAMLError as e:
            raise Broken("%s: %s" % (self.name, e))
        self.documents, self.expect = docs[:-1], docs[-1]
        if not cut or "kind" in self.expect or not self.documents or self.documents[-1].get("kind") != "Workflow":
            raise Broken("%s: it must end with a Workflow and what is expected" % self.name)
        unknown = set(self.expect) - EXPECTED
        if unknown:
            raise Broken("%s: unknown key %s" % (self.name, ", ".join(sorted(unknown))))
        self.workflow = self.documents[-1]["metadata"]["name"]

    def judges(self):
        """Who is asked: a list out of JUDGES. Unless the document says, the simulator, and the program where time does not matter."""
        run = self.expect.get("run")
        if run:
            return run if isinstance(run, list) else [run]
        if "refused" in self.expect:
            return ["lint"]
        quick = not REAL_TIME.search(self.text) and not {"pods", "commands"} & set(self.expect)
        return ["simulator", "sandbox"] if quick else ["simulator"]

    def case(self):
        """As the simulators get it: test/sim/README.md."""
        docs = json.loads(json.dumps(self.documents))
        given = [(e.partition("=")[0], e.partition("=")[2]) for e in self.expect.get("args") or []]
        if given:
            override(docs[-1]["spec"], given)
        pods = {n: pod(p) for n, p in (self.expect.get("pods") or {}).items()}
        commands = [command(c) for c in self.expect.get("commands") or []]
        return {"seed": 1, "now_us": START_US, "name": self.workflow, "documents": docs, "shell": True,
                "pods": pods, "commands": commands, "fate": {"seed": 1, "fail_pct": 0, "error_pct": 0}}


def override(spec, given):
    """-p NAME=VALUE"""
    params = spec.setdefault("arguments", {}).setdefault("parameters", [])
    for name, value in given:
        known = [p for p in params if p["name"] == name]
        if known:
            known[0]["value"] = value
        else:
            params.append({"name": name, "value": value})


def us(text):
    """`3s`, `1500ms`, `2m`, `1h` in microseconds."""
    found = re.fullmatch(r"([\d.]+)(ms|s|m|h|d)", str(text))
    if not found:
        raise Broken("%r is no time: 3s, 1500ms, 2m" % (text,))
    return round(float(found.group(1)) * {"ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}[found.group(2)])


def shown(since_us):
    return "%gs" % (since_us / 10**6)


def pod(given):
    out = dict(given)
    if "takes" in out:
        out["takes_us"] = us(out.pop("takes"))
    return out


def command(given):
    out = dict(given)
    if "at" in out:
        out["at_ms"] = us(out.pop("at")) // 1000
    return out


def load_all(words=()):
    paths = sorted(FOLDER.glob("*/*.yaml"))
    return [Document(p) for p in paths if not words or any(w in str(p.relative_to(FOLDER)) for w in words)]


def surprises():
    """Lines for what surprises.tsv names and is not there."""
    lines = [line.split("\t") for line in (FOLDER / "surprises.tsv").read_text().splitlines() if not line.startswith("#")]
    out = ["surprises.tsv: a rule and what holds it, not %r" % line for line in lines if len(line) != 2 or len(line[1].split()) < 2]
    names = {name for line in lines for name in line[-1].split()}
    return out + ["surprises.tsv names %s, which is not there" % name for name in sorted(names)
                  if not (FOLDER / (name + ".yaml")).exists() and not ("." in name and (ROOT / name).exists())]


def waiting():
    """Documents that may fail yet: name -> reason."""
    path = FOLDER / "waiting.tsv"
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")] if path.exists() else []
    return dict(line.split("\t", 1) for line in lines)


# ---- what was seen, in one shape ----

def node_id(workflow, name):
    return workflow if name == workflow else "%s-%d" % (workflow, fate.fnv1a_32(name.encode()))


def plain_outputs(outputs):
    out = {k: outputs[k] for k in ("result", "exitCode") if k in outputs}
    params = {p["name"]: p["value"] for p in outputs.get("parameters") or [] if "value" in p}
    artifacts = {a["name"]: a for a in outputs.get("artifacts") or []}
    return dict(out, **({"parameters": params} if params else {}), **({"artifacts": artifacts} if artifacts else {}))


def seen_workflow(workflow, form=None):
    """From a Workflow object; times from the simulator's normal form."""
    status = workflow.get("status") or {}
    nodes = status.get("nodes") or {}
    names = {i: n["name"] for i, n in nodes.items()}
    out = {"phase": status.get("phase", ""), "message": status.get("message", ""), "workflow": workflow,
           "outputs": plain_outputs(status.get("outputs") or {}), "nodes": {}}
    for n in nodes.values():
        out["nodes"][n["name"]] = dict(
            n, **{"is": "%s %s" % (n["type"], n.get("phase", "")), "message": n.get("message", ""),
                  "outputs": plain_outputs(n.get("outputs") or {}), "boundary": names.get(n.get("boundaryID"), ""),
                  "children": sorted(names.get(c, "?") for c in n.get("children") or [])})
    return timed(out, form) if form else out


def timed(out, form):
    out["ends"] = None if form["finishedAt"] is None else shown(form["finishedAt"] - START_US)
    for name, n in form["nodes"].items():
        out["nodes"][name]["starts"] = None if n["startedAt"] is None else shown(n["startedAt"] - START_US)
        out["nodes"][name]["ends"] = None if n["finishedAt"] is None else shown(n["finishedAt"] - START_US)
    return out


def seen_model(form):
    """From the model's normal form: what it does not know is not compared."""
    out = {"phase": form["phase"], "message": form["message"], "outputs": form.get("outputs") or {}, "nodes": {}}
    for name, n in form["nodes"].items():
        keep = {k: n[k] for k in ("message", "displayName", "templateName", "children", "boundary")}
        out["nodes"][name] = dict(keep, **{"is": "%s %s" % (n["type"], n["phase"]), "outputs": n.get("outputs") or {}})
    return timed(out, form)


# ---- the comparison ----

def named_ids(text, workflow):
    """`<NODE NAME>` in a message stands for the node's id."""
    return re.sub(r"<([^<>]*)>", lambda m: node_id(workflow, m.group(1)), text)


def part_of(want, got, path):
    """Lines for whatever of `want` is not in `got`: maps may have more members, lists may not."""
    if isinstance(want, dict) and isinstance(got, dict):
        return [line for k, v in want.items() for line in part_of(v, got.get(k), "%s.%s" % (path, k))]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [line for i, v in enumerate(want) for line in part_of(v, got[i], "%s[%d]" % (path, i))]
    return [] if want == got or (want == "" and got is None) else ["%s: expected %s, got %s" % (path, json.dumps(want), json.dumps(got))]


def same_outputs(want, got, path):
    """Parameters and result exactly, exit code and artifacts as far as they are said."""
    out = ["%s: expected none, got %s" % (path, json.dumps(got[k])) for k in ("parameters", "result") if k in got and k not in want]
    for key, value in want.items():
        exact = key == "parameters" and isinstance(got.get(key), dict) and set(got[key]) != set(value)
        out += ["%s.parameters: expected %s, got %s" % (path, json.dumps(value), json.dumps(got[key]))] if exact \
            else part_of(value, got.get(key), "%s.%s" % (path, key))
    return out


def same_node(name, want, got, workflow, judge):
    want = {"is": want} if isinstance(want, str) else dict(want)
    if " " not in want.get("is", "x y"):
        got = dict(got, **{"is": got["is"].split(" ")[1]})
    if want.get("is", "").endswith("Succeeded"):
        want.setdefault("message", "")
    out = []
    for key, value in want.items():
        place = "%s: %s" % (name, key)
        if key in ("starts", "ends"):
            if key in got:
                value = None if value is None else shown(us(value))
                out += part_of(value, got[key], place)
        elif key == "outputs":
            out += same_outputs(value, got["outputs"], place)
        elif key == "message":
            out += part_of(named_ids(value, workflow), got["message"], place)
        elif key == "says":
            out += [] if value in got["message"] else ["%s: %r is not in %r" % (place, value, got["message"])]
        elif key == "children":
            out += part_of(sorted(value), got[key], place)
        elif judge != "model" or key in got:
            out += part_of(value, got.get(key), place)
    return out


def differences(doc, seen, judge):
    """What is not as the document expects, line by line."""
    want, out = doc.expect, []
    real = judge in ("process", "sandbox")
    top = {k: want[k] for k in ("phase", "message", "ends", "outputs") if k in want and not (real and k == "ends")}
    if want.get("phase") == "Succeeded":
        top.setdefault("message", "")
    if "message" in top:
        top["message"] = named_ids(top["message"], doc.workflow)
    if top.get("ends"):
        top["ends"] = shown(us(top["ends"]))
    if "outputs" in top:
        out += same_outputs(top.pop("outputs"), seen["outputs"], "outputs")
    out += [line.lstrip(".") for line in part_of(top, seen, "")]
    if want.get("says") and want["says"] not in seen["message"]:
        out.append("message: %r is not in %r" % (want["says"], seen["message"]))
    nodes = want.get("nodes") or {}
    for name, node in nodes.items():
        if name in seen["nodes"]:
            out += same_node(name, node, seen["nodes"][name], doc.workflow, judge)
        else:
            out.append("%s: there is no such node" % name)
    if nodes and not want.get("more"):
        out += ["%s: not expected, it is %s" % (n, seen["nodes"][n]["is"]) for n in seen["nodes"] if n not in nodes]
    if "workflow" in want and judge != "model":
        out += part_of(want["workflow"], seen["workflow"], "workflow")
    return out
