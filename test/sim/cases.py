"""The hand-made cases: cases/NAME.yaml, each named after the rule that it proves. `expect` is a partial normal form."""
import pathlib

import yaml

import fate

HERE = pathlib.Path(__file__).parent
START_US = 1700000000000000


def load(path):
    return yaml.safe_load(path.read_text())


def all_cases():
    return [(p.stem, load(p)) for p in sorted((HERE / "cases").glob("*.yaml"))]


def document(kind, name, spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "default"},
            "spec": spec}


def to_case(text, seed=1):
    """A case as the simulators get it. README.md section 1.1."""
    docs = [document("WorkflowTemplate", n, s) for n, s in (text.get("libraries") or {}).items()]
    for name, data in (text.get("configmaps") or {}).items():
        meta = {"name": name, "namespace": "default"}
        if text.get("cache") == name:
            meta["labels"] = {"workflows.argoproj.io/configmap-type": "Cache"}
        docs.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    docs.append(document("Workflow", "wf", text["spec"]))
    case = {"seed": seed, "now_us": START_US, "name": "wf", "documents": docs,
            "fate": {"seed": seed, "fail_pct": 0, "error_pct": 0}}
    case["fate"].update(text.get("fate") or {})
    if text.get("commands"):
        case["commands"] = text["commands"]
    return case


def named_ids(text):
    """`<NODE NAME>` in an expected message stands for the node's id."""
    while "<" in text:
        start = text.index("<")
        end = text.index(">", start)
        name = text[start + 1:end]
        text = text[:start] + "wf-%d" % fate.fnv1a_32(name.encode()) + text[end + 1:]
    return text


def check_fields(want, got, path):
    out = []
    for key, value in want.items():
        if key in ("started_ms", "finished_ms"):
            have = got[key.replace("_ms", "At")]
            have = None if have is None else (have - START_US) // 1000
        else:
            have = got.get(key, "" if key == "message" else None)
        if key == "message":
            value = named_ids(value)
        if have != value:
            out.append("%s/%s: expected %r, got %r" % (path, key, value, have))
    return out


def check(expect, form):
    """What is wrong with a normal form."""
    top = {k: v for k, v in expect.items() if k not in ("nodes", "absent")}
    out = check_fields(top, form, "")
    for name, want in (expect.get("nodes") or {}).items():
        if name not in form["nodes"]:
            out.append("%s: missing; there are %s" % (name, ", ".join(sorted(form["nodes"]))))
            continue
        out += check_fields({"phase": want} if isinstance(want, str) else want, form["nodes"][name], name)
    out += ["%s: should not exist" % n for n in expect.get("absent") or [] if n in form["nodes"]]
    return out
