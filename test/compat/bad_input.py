#!/usr/bin/env python3
"""What a new user gets wrong: each mistake has its exit status (src/base/errors.def) and words that
say what it is and what to do. Nothing may take long, crash, or leave a run behind.

usage: bad_input.py [-v]     the program is SKIFF, else build/skiff
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIFF = os.environ.get("SKIFF") or os.path.join(ROOT, "build/skiff")
LIMIT_S = 20
WORKFLOW, USAGE, SPEC, NOT_FOUND, CONFLICT, LIMIT, IO, UNSUPPORTED = 1, 2, 3, 4, 9, 10, 11, 12

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: good-
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [echo, hi]}
"""
NAMED = GOOD.replace("generateName: good-", "name: fixed")
CALLS = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: calls-}
spec:
  entrypoint: main
  templates:
  - name: main
    %s
  - name: work
    inputs: {parameters: [{name: message}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.message}}"]}
"""
NEEDS = CALLS.replace("entrypoint: main", "entrypoint: work") % "steps: [[{name: a, template: work, arguments: {parameters: [{name: message, value: x}]}}]]"


def laughs():
    lines = ["a0: &a0 [%s]" % ",".join("x" * 9)]
    lines += ["a%d: &a%d [%s]" % (i, i, ",".join(["*a%d" % (i - 1)] * 9)) for i in range(1, 12)]
    return "\n".join(lines) + "\n"


FILES = {
    "good.yaml": GOOD,
    "empty.yaml": "",
    "comment.yaml": "# nothing yet\n",
    "text.yaml": "hello, I am text\n",
    "not.yaml": "a: [1,\n b",
    "tabs.yaml": GOOD.replace("  entrypoint", "\tentrypoint"),
    "quotes.yaml": GOOD.replace("[echo, hi]", "[echo, {{workflow.name}}]"),
    "nul.yaml": GOOD.replace("busybox", "busy\0box"),
    "latin1.yaml": GOOD.replace("hi", "h\xef").encode("latin-1"),
    "laughs.yaml": laughs(),
    "deep.yaml": "[" * 100000,
    "no-kind.yaml": GOOD.replace("kind: Workflow\n", ""),
    "kind.yaml": GOOD.replace("kind: Workflow", "kind: Workflw"),
    "foreign.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
    "field.yaml": GOOD.replace("entrypoint", "entrypont"),
    "no-entrypoint.yaml": GOOD.replace("  entrypoint: main\n", ""),
    "template.yaml": GOOD.replace("entrypoint: main", "entrypoint: mian"),
    "image.yaml": GOOD.replace("busybox", "ghcr.io/acme/train:7"),
    "command.yaml": GOOD.replace("echo, hi", "no-such-command"),
    "named.yaml": NAMED,
    "twice.yaml": NAMED + "---\n" + NAMED,
    "name.yaml": NAMED.replace("fixed", "Not_A_Name"),
    "cycle.yaml": CALLS % "dag: {tasks: [{name: a, template: work, depends: b}, {name: b, template: work, depends: a}]}",
    "argument.yaml": CALLS % "steps: [[{name: a, template: work}]]",
    "misspelt.yaml": CALLS % "steps: [[{name: a, template: work, arguments: {parameters: [{name: mesage, value: x}]}}]]",
    "tag.yaml": CALLS % "steps: [[{name: a, template: work, arguments: {parameters: [{name: message, value: '{{steps.b.outputs.result}}'}]}}]]",
    "endless.yaml": CALLS % "steps: [[{name: again, template: main}]]",
    "needs.yaml": NEEDS,
    "value.yaml": NEEDS.replace("  templates:", "  arguments: {parameters: [{name: message}]}\n  templates:", 1),
    "secret.yaml": GOOD.replace("command:", "env: [{name: A, valueFrom: {secretKeyRef: {name: nowhere, key: k}}}], command:"),
    "ref.yaml": GOOD[:GOOD.index("  entrypoint")] + "  workflowTemplateRef: {name: nowhere}\n",
    "params.yaml": "[1, 2]\n",
    "images.yaml": "images: {busybox: yes-please}\n",
    "afile": "",
}

# exit status, what stderr must say (regular expression), what is called
CASES = [
    (USAGE, r"'run' needs a file: skiff run", ["run"]),
    (USAGE, r"no command 'frobnicate' \(try: skiff help\)", ["frobnicate"]),
    (USAGE, r"no command 'rum', did you mean 'run'", ["rum", "good.yaml"]),
    (USAGE, r"no flag --frobnicate \(try: skiff help run\)", ["run", "--frobnicate", "good.yaml"]),
    (USAGE, r"-p is NAME=VALUE, not 'message'", ["run", "needs.yaml", "-p", "message"]),
    (USAGE, r"-p is NAME=VALUE, not '=x'", ["run", "needs.yaml", "-p", "=x"]),
    (USAGE, r"--runtime is one of auto\|none\|ro\|overlay\|container, not 'docker'", ["run", "--runtime", "docker", "good.yaml"]),
    (USAGE, r"--output is one of .*, not 'xml'", ["run", "-o", "xml", "good.yaml"]),
    (USAGE, r"--parallel takes a whole number, not 'many'", ["run", "--parallel", "many", "good.yaml"]),
    (USAGE, r"a map of parameter names to values is expected", ["run", "needs.yaml", "-f", "params.yaml"]),
    (USAGE, r"'get' needs more words: skiff get NAME", ["get"]),
    (USAGE, r"no help on 'nowhere' \(try: skiff help\)", ["help", "nowhere"]),
    (NOT_FOUND, r'no file "nowhere.yaml"', ["run", "nowhere.yaml"]),
    (NOT_FOUND, r'no file "nowhere.yaml"', ["lint", "nowhere.yaml"]),
    (NOT_FOUND, r"no file \"nowhere.yaml\"", ["run", "good.yaml", "--images", "nowhere.yaml"]),
    (NOT_FOUND, r"no workflow 'nowhere'", ["get", "nowhere"]),
    (NOT_FOUND, r"no workflow 'nowhere'", ["logs", "nowhere"]),
    (NOT_FOUND, r"no workflow 'nowhere'", ["stop", "nowhere"]),
    (NOT_FOUND, r"no workflow 'nowhere'", ["run", "--resume", "nowhere"]),
    (SPEC, r"nothing to run", ["run", "."], "emptydir"),
    (SPEC, r"nothing to run", ["run", "empty.yaml"]),
    (SPEC, r"nothing to run", ["run", "comment.yaml"]),
    (SPEC, r"W0001.*write kind: Workflow.*nothing to run", ["run", "no-kind.yaml"]),
    (SPEC, r"W0002.*nothing to run", ["run", "foreign.yaml"]),
    (SPEC, r"E0002.*text\.yaml:1:1", ["run", "text.yaml"]),
    (SPEC, r"E0001.*not\.yaml:", ["run", "not.yaml"]),
    (SPEC, r"E0001.*tabs\.yaml:6:1.*tabs cannot indent", ["run", "tabs.yaml"]),
    (SPEC, r"quotes\.yaml:9:", ["run", "quotes.yaml"]),
    (SPEC, r"E0001.*control characters", ["run", "nul.yaml"]),
    (SPEC, r"E0001.*UTF-8", ["run", "latin1.yaml"]),
    (SPEC, r"E0001.*excessive aliasing", ["run", "laughs.yaml"]),
    (SPEC, r"E0001.*max depth", ["run", "deep.yaml"]),
    (SPEC, r"E0003.*did you mean `Workflow`", ["run", "kind.yaml"]),
    (SPEC, r"E0101.*did you mean `entrypoint`", ["run", "field.yaml"]),
    (SPEC, r"E0201.*add `entrypoint: main`", ["run", "no-entrypoint.yaml"]),
    (SPEC, r"E0202.*did you mean `main`", ["run", "template.yaml"]),
    (SPEC, r"E0202.*no template `nowhere`", ["run", "good.yaml", "--entrypoint", "nowhere"]),
    (SPEC, r"E0209.*nowhere", ["run", "ref.yaml"]),
    (SPEC, r"E0403.*needs the parameter `message`", ["run", "argument.yaml"]),
    (SPEC, r"E0403.*needs the parameter `message`", ["run", "misspelt.yaml"]),
    (SPEC, r"E0403.*add it to arguments\.parameters", ["run", "needs.yaml"]),
    (SPEC, r"E0404.*argument `message` has no value", ["run", "value.yaml"]),
    (SPEC, r"E0503.*a -> b -> a", ["run", "cycle.yaml"]),
    (SPEC, r"E060[12].*steps\.b", ["run", "tag.yaml"]),
    (SPEC, r"Not_A_Name", ["run", "name.yaml"]),
    (SPEC, r"Not_A_Name.*not a valid name", ["run", "good.yaml", "--name", "Not_A_Name"]),
    (SPEC, r"host, absent or a map", ["run", "good.yaml", "--images", "images.yaml"]),
    (WORKFLOW, r"'ghcr.io/acme/train:7' is neither mapped nor available.*--images", ["run", "image.yaml"]),
    (WORKFLOW, r'"no-such-command" not found', ["run", "command.yaml"]),
    (WORKFLOW, r"Maximum recursion depth exceeded", ["run", "endless.yaml"]),
    (WORKFLOW, r"nowhere", ["run", "secret.yaml"]),
    (CONFLICT, r'"fixed" exists already.*--name', ["run", "twice.yaml"]),
    (LIMIT, r"big\.yaml: more than \d+ bytes", ["run", "big.yaml"]),
    (IO, r"state directory: .*afile.* not a directory", ["run", "good.yaml", "--state", "afile"]),
    (IO, r"state directory: .*[Nn]ot a directory", ["run", "good.yaml", "--state", "afile/below"]),
    (IO, r"state directory: /proc/", ["run", "good.yaml", "--state", "/proc/nowhere"]),
    (UNSUPPORTED, r"from files and from http:// and https://", ["run", "ftp://example.com/workflow.yaml"]),
    # and what is no mistake
    (0, r"SUCCEEDED", ["run", "needs.yaml", "-p", "message=hi"]),
    (0, r"SUCCEEDED", ["run", "no-entrypoint.yaml", "--entrypoint", "main"]),
    (0, r"SUCCEEDED", ["run", "value.yaml", "-p", "message=hi"]),
]
AS_NOBODY = [
    (IO, r"state directory: .*Permission denied", ["run", "good.yaml", "--state", "closed/state"]),
    (IO, r"secret\.yaml.*Permission denied", ["run", "closed/secret.yaml", "--state", "nowhere"]),
]


def call(program, words, cwd, uid):
    state = [] if "--state" in words or words[0] in ("help", "lint") else ["--state", "state"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("SKIFF_")}
    env["SKIFF_IMAGE_PULL"] = "never"  # no test asks the internet
    env.update(HOME=cwd, LC_ALL="C.UTF-8")
    drop = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    p = subprocess.run([program, *words[:1], *state, *words[1:]], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=LIMIT_S, **drop)
    return p.returncode, (p.stdout + p.stderr).decode("utf-8", "replace")


def check(case, folder, program, uid):
    """None, or what is wrong."""
    status, words, command = case[:3]
    cwd = os.path.join(folder, case[3]) if len(case) > 3 else folder
    try:
        got, text = call(program, command, cwd, uid)
    except subprocess.TimeoutExpired:
        return "still busy after %d s" % LIMIT_S
    if got != status:
        return "exit status %d, not %d: %s" % (got, status, text.strip()[-400:])
    if not re.search(words, text, re.S):
        return "it does not say /%s/: %s" % (words, text.strip()[-400:])
    long = [line for line in text.splitlines() if len(line) > 2000]
    return "a line of %d characters" % len(long[0]) if long else None


def files_make(folder):
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    with open(os.path.join(folder, "big.yaml"), "wb") as f:
        f.truncate(1 << 30)
    os.mkdir(os.path.join(folder, "emptydir"))
    os.mkdir(os.path.join(folder, "closed"))
    with open(os.path.join(folder, "closed/secret.yaml"), "w", encoding="utf-8") as f:
        f.write(GOOD)
    os.chmod(os.path.join(folder, "closed"), 0)


def main():
    if not os.access(SKIFF, os.X_OK):
        sys.exit("no program at %s: build it, or set SKIFF" % SKIFF)
    count = {"passed": 0, "failed": 0}
    with tempfile.TemporaryDirectory(prefix="skiff-bad-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        files_make(folder)
        program = os.path.join(folder, "skiff")  # where another user reaches it
        shutil.copy(SKIFF, program)
        nobody = 65534 if os.geteuid() == 0 else None
        for case, uid in [(c, None) for c in CASES] + [(c, nobody) for c in AS_NOBODY]:
            wrong = check(case, folder, program, uid)
            count["failed" if wrong else "passed"] += 1
            if wrong or "-v" in sys.argv:
                print("%-8s skiff %s" % ("failed" if wrong else "passed", " ".join(case[2])))
            if wrong:
                print("         " + wrong.replace("\n", "\n         "))
    print("%(passed)d passed, %(failed)d failed" % count)
    sys.exit(1 if count["failed"] else 0)


if __name__ == "__main__":
    main()
