#!/usr/bin/env python3
"""lint and fmt from outside: forms of the findings, exit statuses, standard input, directories, kinds, files
in place, and that large or hostile documents take no time.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

SKIFF = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SKIFF", "build/skiff")
HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: lint-}
spec:
  entrypoint: main
  templates:
"""
GOOD = HEAD + "  - name: main\n    container: {image: \"busybox:1.36\", command: [\"true\"]}\n"
WARNED = GOOD.replace("spec:\n", "spec:\n  schedulerName: x\n")
MISSPELT = GOOD.replace("command", "comand")  # behind a non-ASCII comment below
CRON = """apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 3 * *"]
  workflowSpec:
    entrypoint: main
    templates: [{name: main, suspend: {}}]
"""
SECONDS = 10  # a bound for slow machines; each takes well under a second

passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("not ok: " + what)


def skiff(*args, text=None, cwd=None):
    return subprocess.run([os.path.abspath(SKIFF)] + list(args), input=text, capture_output=True, text=True, cwd=cwd,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}, timeout=120)


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def statuses(folder):
    good, bad, warned = (write(folder, n, t) for n, t in (("good.yaml", GOOD), ("bad.yaml", MISSPELT), ("warned.yaml", WARNED)))
    for args, status in (((good,), 0), ((bad,), 3), ((warned,), 0), ((warned, "--fail-on", "warning"), 3),
                         ((bad, "--fail-on", "never"), 0), ((bad, "--strict=false"), 0), ((good, bad), 3),
                         (("/nonexistent.yaml",), 4), ((good, "-o", "xml"), 2), ((good, "--kinds", "podss"), 2), ((), 2)):
        r = skiff("lint", *args)
        check(r.returncode == status, f"lint {args}: {r.returncode}, not {status}: {r.stderr}")


def forms(folder):
    path = write(folder, "ünder score.yaml", "# für später\n" + MISSPELT)
    human = skiff("lint", path).stdout
    check("error[E0101]" in human and "did you mean `command`?" in human and "skiff fmt --fix" in human, human)
    short = skiff("lint", "-o", "short", path).stdout.splitlines()
    check(re.search(r":9:40: error: .* \[E0101\]$", short[0]), short[0])
    check(skiff("lint", "-o", "simple", path).stdout.splitlines()[0] == short[0], "argo's name of short")
    found = [json.loads(line) for line in skiff("lint", "-o", "json", path).stdout.splitlines()]
    check(found[0]["code"] == "E0101" and found[0]["line"] == 9, found)
    edit, = found[0]["fix"]["edits"]
    data = open(path, "rb").read()
    check(data[edit["from"]:edit["to"]] == b"comand" and edit["text"] == "command", edit)
    github = skiff("lint", "-o", "github", path).stdout
    check(re.search(r"^::error file=[^\n]*,line=9,endLine=9,col=40,endColumn=46,title=E0101::unknown field", github), github)
    check(skiff("lint", "-o", "github", write(folder, "g.yaml", GOOD)).stdout == "", "nothing found, nothing said")


# The part of the schema of SARIF 2.1.0 that is used: members (required ones with !), lists of at least one item with +.
TEXT = {"text!": str}
PLACE = {"uri!": str}
SARIF = {"version!": str, "$schema": str, "runs!": [{
    "tool!": {"driver!": {"name!": str, "version": str, "rules": [{
        "id!": str, "shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT, "defaultConfiguration": {"level": str}}]}},
    "columnKind": str,
    "results": [{
        "ruleId": str, "ruleIndex": int, "level": str, "message!": TEXT,
        "locations": [{"physicalLocation": {"artifactLocation": PLACE,
                                            "region": {"startLine": int, "startColumn": int, "endColumn": int}}}],
        "fixes": [{"description": TEXT, "artifactChanges!+": [{
            "artifactLocation!": PLACE,
            "replacements!+": [{"deletedRegion!": {"byteOffset": int, "byteLength": int}, "insertedContent": TEXT}]}]}]}]}]}


def valid(value, shape, path="$"):
    if isinstance(shape, type):
        return [] if isinstance(value, shape) and not (shape is int and value < 0) else [path]
    if isinstance(shape, list):
        return [e for i, v in enumerate(value) for e in valid(v, shape[0], f"{path}[{i}]")] if isinstance(value, list) else [path]
    if not isinstance(value, dict):
        return [path]
    names = {k.rstrip("!+"): k for k in shape}
    bad = [f"{path}.{k}" for k in value if k not in names] + [f"{path}.{n}" for n, k in names.items() if "!" in k and n not in value]
    bad += [f"{path}.{n}" for n, k in names.items() if "+" in k and not value.get(n)]
    return bad + [e for k, v in value.items() if k in names for e in valid(v, shape[names[k]], f"{path}.{k}")]


def sarif(folder):
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/broken")
    for name in sorted(os.listdir(data)):
        if name.endswith(".yaml"):
            bad = valid(json.loads(skiff("lint", "-o", "sarif", os.path.join(data, name)).stdout), SARIF)
            check(not bad, f"{name}: {bad[:3]}")
    path = write(folder, "ünder score.yaml", "# für später\n" + MISSPELT.replace("busybox:1.36", "büsybox:1"))
    log = json.loads(skiff("lint", "-o", "sarif", "ünder score.yaml", cwd=folder).stdout)
    check(log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json") and len(log["runs"]) == 1, "head")
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    check(len({r["id"] for r in rules}) == len(rules) > 90, "rules are the codes, each once")
    for r in rules:
        check(r["defaultConfiguration"]["level"] == {"E": "error", "W": "warning", "N": "note"}[r["id"][0]] and
              r["shortDescription"]["text"] and r["fullDescription"]["text"], r)
    result = run["results"][0]
    check(rules[result["ruleIndex"]]["id"] == result["ruleId"] == "E0101" and result["level"] == "error", result)
    place = result["locations"][0]["physicalLocation"]
    check(place["artifactLocation"]["uri"] == "%C3%BCnder%20score.yaml", place)
    line = open(path, encoding="utf-8").read().splitlines()[place["region"]["startLine"] - 1]
    check(line[place["region"]["startColumn"] - 1:place["region"]["endColumn"] - 1] == "comand", place)  # characters
    change = result["fixes"][0]["artifactChanges"][0]["replacements"][0]
    at, n = change["deletedRegion"]["byteOffset"], change["deletedRegion"]["byteLength"]
    check(open(path, "rb").read()[at:at + n] == b"comand" and change["insertedContent"]["text"] == "command", change)


def sources(folder):
    r = skiff("lint", "-o", "short", "-", text=MISSPELT)
    check(r.returncode == 3 and r.stdout.startswith("stdin:8:"), r.stdout)
    write(folder, "tree/a.yaml", MISSPELT)
    write(folder, "tree/sub/b.yml", CRON)
    write(folder, "tree/sub/notes.txt", "not: [yaml")
    write(folder, "tree/.hidden/c.yaml", MISSPELT)
    out = skiff("lint", "-o", "short", "tree", cwd=folder).stdout
    check("tree/a.yaml:" in out and "tree/sub/b.yml:" in out and "hidden" not in out and "notes" not in out, out)
    out = skiff("lint", "-o", "short", "--kinds", "cronworkflows", "tree", cwd=folder).stdout
    check("E0702" in out and "E0101" not in out, out)
    out = skiff("lint", "-o", "short", "--kinds=workflows,workflowtemplates", "tree", cwd=folder).stdout
    check("E0101" in out and "E0702" not in out, out)
    caller = write(folder, "caller.yaml", HEAD + "  - name: main\n    steps:\n    - - {name: a, templateRef: {name: lib, template: t}}\n")
    lib = write(folder, "lib.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: lib}\n"
                                    "spec: {templates: [{name: t, suspend: {}}]}\n")
    check(skiff("lint", caller).returncode == 0 and skiff("lint", "--offline", caller).returncode == 3, "offline")
    check(skiff("lint", "--offline", caller, lib).returncode == 0, "offline, with the file")
    check("N0304" in skiff("lint", "-", text=GOOD.replace(":1.36", "")).stdout, "hints")
    check("N0304" not in skiff("lint", "--no-hints", "-", text=GOOD.replace(":1.36", "")).stdout, "no hints")


def formatting(folder):
    path = write(folder, "f.yaml", MISSPELT.replace("  - name", "      -   name").replace("    container", "          container"))
    os.chmod(path, 0o640)
    before = open(path).read()
    r = skiff("fmt", "--check", path)
    check(r.returncode == 3 and r.stdout.strip() == path and open(path).read() == before, r.stdout)
    r = skiff("fmt", "--stdout", path)
    check(r.returncode == 0 and r.stdout == MISSPELT and open(path).read() == before, r.stdout)
    r = skiff("fmt", "--fix", path)
    check(r.returncode == 0 and open(path).read() == GOOD and "1 fix" in r.stderr, r.stdout + r.stderr)
    check(os.stat(path).st_mode & 0o777 == 0o640, "mode")
    check(skiff("fmt", "--check", "--fix", path).returncode == 0 and skiff("lint", path).returncode == 0, "clean now")
    link, other = os.path.join(os.path.dirname(path), "link.yaml"), os.path.join(os.path.dirname(path), "other.yaml")
    os.symlink(path, link)
    os.link(path, other)
    with open(path, "w") as f:
        f.write(MISSPELT)
    os.chmod(path, 0o640)
    check(skiff("fmt", "--fix", link).returncode == 0 and os.path.islink(link) and open(other).read() == GOOD, "fmt follows links")
    os.unlink(other)
    if os.geteuid() == 0:
        with open(path, "w") as f:
            f.write(MISSPELT)
        os.chown(path, 7, 8)
        skiff("fmt", "--fix", link)
        st = os.stat(path)
        check(open(path).read() == GOOD and (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (7, 8, 0o640), f"fmt keeps the owner: {st}")
    os.unlink(link)
    check(skiff("fmt", "--fix", "-", text=MISSPELT).stdout == GOOD, "from stdin to stdout")
    broken = write(folder, "broken.yaml", "a: [1\n")
    r = skiff("fmt", broken, path)
    check(r.returncode == 3 and "broken.yaml" in r.stderr and open(broken).read() == "a: [1\n", r.stderr)


def large(n):
    yield "100k templates", HEAD + "".join("  - {name: t%d, steps: [[{name: a, template: t%d}]]}\n" % (i, (i + 1) % n) for i in range(n))
    yield "a template that calls itself", HEAD + "  - name: main\n    steps: [[{name: a, template: main}]]\n"
    tasks = n // 3
    dag = HEAD + "  - {name: w, inputs: {parameters: [{name: p}]}, suspend: {}}\n  - name: main\n    dag:\n      tasks:\n"
    yield "33k tasks, each of them asks for one far above", dag + "".join(
        "      - {name: a%d, template: w, %sarguments: {parameters: [{name: p, value: '{{tasks.a%d.id}}'}]}}\n" %
        (i, "dependencies: [a%d], " % (i - 1) if i else "", i * 7919 % i if i else 0) for i in range(tasks))
    yield "33k tasks, each with four mistakes", dag + "".join(
        "      - {name: a_%d, template: x, depend: y, arguments: {parameters: [{name: q, value: '{{tasks.b.id}}'}]}}\n" % i
        for i in range(tasks))
    yield "33k dependencies of nothing", dag + "".join("      - {name: a%d, template: w, depends: b%d && !b%d.Sucked}\n" % (i, i, i)
                                                       for i in range(tasks))
    for names in (n // 3, n // 50):
        yield "%d malformed names of parameters" % names, HEAD + "  - {name: w, inputs: {parameters: [%s]}, suspend: {}}\n" % ", ".join(
            "{name: p %d, value: x}" % i for i in range(names))
    many = ", ".join("{name: p%d, value: x}" % i for i in range(tasks))
    yield "33k arguments for as many inputs", HEAD + "  - {name: w, inputs: {parameters: [%s]}, suspend: {}}\n  - name: main\n    steps: " \
        "[[{name: a, template: w, arguments: {parameters: [%s]}}]]\n" % (many, many)
    yield "33k references to 10k documents", HEAD + "  - name: main\n    steps:\n" + "".join(
        "    - - {name: a%d, templateRef: {name: lib%d, template: t}}\n" % (i, i % 10000) for i in range(tasks)) + "".join(
        "---\napiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: lib%d}\nspec: {templates: [{name: t, suspend: {}}]}\n"
        % i for i in range(10000))
    yield "a million braces", HEAD + "  - name: main\n    container: {image: busybox, command: [\"%s}}\"]}\n" % ("{{" * 500000)
    yield "a text of one megabyte that is no condition", HEAD + "  - name: main\n    steps: [[{name: a, template: main, when: \"%s\"}]]\n" % (
        "{{inputs.parameters.x}} == " * 40000)


def speed(folder):
    for what, text in large(100000):
        path = write(folder, "large.yaml", text)
        for args in (("lint", "-o", "short"), ("fmt", "--fix", "--stdout")):
            if args[0] == "fmt" and len(text) > 6e6:
                continue
            started = time.monotonic()
            r = skiff(*args, path)
            took = time.monotonic() - started
            check(r.returncode in (0, 3) and took < SECONDS, f"{what}: {args[0]}: {r.returncode} after {took:.1f} s {r.stderr[:200]}")


for case in (statuses, forms, sarif, sources, formatting, speed):
    with tempfile.TemporaryDirectory() as folder:
        case(folder)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
