"""What users of argo are used to: its words, and what scripts read of the answers. Part of run.py."""
import json

import common
import shapes

WITH_PARAMETER = shapes.HEAD + """  arguments: {parameters: [{name: who, value: all}]}
  templates:
  - {name: main, container: {image: busybox, command: ["true"]}}
"""
WAITS = shapes.HEAD + """  templates:
  - {name: main, suspend: {}}
"""
TEMPLATE = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: t}
spec:
  entrypoint: main
  templates:
  - {name: main, container: {image: busybox, command: ["true"]}}
"""


class Said:
    def __init__(self, score, place):
        self.score, self.place = score, place

    def __call__(self, line, status, *texts):
        ran = self.place.call(*line.split())
        self.score.check(ran.returncode == status and all(t in ran.stdout + ran.stderr for t in texts),
                         f"{line}: {ran.returncode} {ran.stdout}{ran.stderr}")
        return ran.stdout


def lists(score, skiff):
    """-o json, yaml and wide have whole workflows; a phase that there is not is no empty list."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    place.run(place.file("w.yaml", WITH_PARAMETER), "--name", "w")
    said("list -o wide", 0, "0/0/1", "who=all")
    w, = json.loads(said("list -o json", 0))
    score.check(w["spec"]["entrypoint"] == "main" and list(w["status"]["nodes"]) == ["w"], f"list -o json: {w}")
    said("retry w", 9, "'w' has succeeded", "--restart-successful", "resubmit")
    head, row = said("archive list", 0).splitlines()
    score.check(head.split() == "NAMESPACE NAME STATUS AGE DURATION PRIORITY MESSAGE P/R/C PARAMETERS UID".split() and row.split()[-1] == w["metadata"]["uid"],
                f"archive list: {head} {row}")
    said("list --status succeeded", 2, "Succeeded")
    said("resubmit -l a=b --status Skipped --wait", 0)
    said("resubmit --field-selector=", 2, "--field-selector is empty")
    said("delete --status Succeeded,Faild --dry-run", 2, "'Faild'")
    score.check(said("list --status Failed --status Succeeded -o name", 0) == "w\n", "--status twice")
    place.remove()


def deletes(score, skiff):
    """What cannot be deleted holds up nothing else."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    place.call("submit", place.file("waits.yaml", WAITS), "--name", "waits")
    for name in ("a", "b"):
        place.run(place.file("w.yaml", WITH_PARAMETER), "--name", name)
    said("delete a nobody b", 4, "Workflow 'a' deleted", "'nobody'", "Workflow 'b' deleted")
    place.run(place.file("w.yaml", WITH_PARAMETER), "--name", "c")
    said("delete --all", 9, "'waits' is not finished", "--force", "Workflow 'c' deleted")
    score.check(said("list -o name", 0) == "waits\n", "what is left")
    for nothing in ("--all=false", "--completed=false", "--prefix=", "--status=", "--status=,", "--field-selector=", "--completed --prefix="):
        said(f"delete {nothing} --force", 2)
    said("stop --field-selector=", 2, "--field-selector is empty")
    score.check(said("list -o name", 0) == "waits\n", "a flag that picks nothing picks nobody")
    said("delete --all --force", 0, "Workflow 'waits' deleted")
    score.check(not (left := place.wait_clean()), f"left behind: {left}")
    place.remove()


def lints(score, skiff):
    """Nothing to lint is wrong; template lint looks at templates."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    w, t = place.file("w.yaml", WITH_PARAMETER), place.file("t.yaml", TEMPLATE)
    said(f"lint {place.count}", 3, "nothing to lint")
    said(f"lint --kinds cronworkflows {w}", 3, "nothing to lint")
    said(f"template lint {w}", 3, "nothing to lint")
    said(f"template lint {t} {w}", 0, "no linting errors")
    users = [place.file(f"{n}.yaml", shapes.HEAD.replace("  entrypoint: main\n", "  workflowTemplateRef: {name: t}\n")) for n in "ab"]
    wrong = place.file("t.yaml", TEMPLATE.replace('["true"]', '["{{workflow.nothing}}"]'))
    said(f"lint -o simple --no-hints {wrong} {' '.join(users)}", 3, "1 linting error found")
    odd = place.file("odd.yaml", WITH_PARAMETER.replace("spec:\n", "spec:\n  another: 1\n"))
    said(f"run {odd}", 3, "unknown field")
    said(f"run {odd} --strict=false --name odd", 0, "W0107")
    score.check("another" not in place.get("odd")["spec"], "an unknown field is not stored")
    place.remove()


def parameters(score, skiff):
    """A file of parameters may have lists and maps: they are JSON."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    w = place.file("w.yaml", WITH_PARAMETER)
    for text, value in (("who: [1, {a: b}]", '[1,{"a":"b"}]'), ("who: 5", "5"), ("who: true", "true"), ("who: null", "null"), ('who: "5"', "5"), ("{\"who\": {}}", "{}")):
        out = json.loads(said(f"submit {w} --dry-run -o json -f {place.file('p.yaml', text)}", 0))
        score.check(out["spec"]["arguments"]["parameters"] == [{"name": "who", "value": value}], f"{text}: {out['spec']['arguments']}")
    said(f"submit {w} --dry-run -f {place.file('p.yaml', '[who]')}", 2, "a map of parameter names")
    place.remove()


LABELLED = shapes.HEAD + """  templates:
  - name: main
    steps:
    - - {name: a, template: a}
      - {name: b, template: b}
  - {name: a, metadata: {labels: {app: th}}, container: {image: busybox, command: [echo, from a]}}
  - {name: b, container: {image: busybox, command: [echo, from b]}}
"""


def logs(score, skiff):
    """logs NAME -l has the pods with these labels, -l alone the runs with them."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    place.run(place.file("w.yaml", LABELLED), "--name", "w", "-l", "team=vision")
    for line, lines in (("logs w -l app=th", ["from a"]), ("logs w a -l app=th", ["from a"]), ("logs w -l app=other", []), ("logs @latest -l app!=th -f", ["from b"]),
                        ("logs -l team=vision", ["from a", "from b"]), ("logs -l team=vision b", ["from b"]), ("logs -l team=none w", [])):
        got = sorted(x.split(": ", 1)[1] for x in said(line, 0).splitlines())
        score.check(got == lines, f"{line}: {got}")
    place.remove()


OLD = """apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: c}
spec:
  schedule: "0 3 * * *"
  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {}}]}
"""


def words(score, skiff):
    """Words of argo that do the same, and words that say what to do instead."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    said("auth token", 5, "ARGO_TOKEN")
    ran = place.call("auth", "token", env={"ARGO_TOKEN": "abc", "ARGO_SERVER": "127.0.0.1:1"})
    score.check((ran.returncode, ran.stdout) == (0, "Bearer abc\n"), f"auth token: {ran}")
    said("executor-plugin build .", 12, "plugins do not run here")
    old = place.file("old.yaml", OLD)
    new = said(f"convert {old} -o json", 0)
    score.check(json.loads(new)["spec"]["schedules"] == ["0 3 * * *"] and "schedule" not in json.loads(new)["spec"], f"convert: {new}")
    said(f"convert {old} {old}", 0, "schedules:\n  - 0 3 * * *\n", "\n---\n")
    said(f"convert {place.file('bad.yaml', OLD.replace('spec:', 'sepc:'))}", 3, "sepc")
    more = place.file("more.yaml", OLD + "  oddity: 1\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n")
    said(f"convert {more}", 3, "oddity")
    said(f"convert {more} --strict=false", 0, "warning", "oddity", "`Pod` is not used here; the document is skipped", "schedules:")
    said(f"convert {place.file('none.yaml', 'a: 1')}", 3, "nothing to convert")
    said("list --kubeconfig x --context y --cluster z --user u --request-timeout 5s --gloglevel 3 --disable-compression --loglevel warn", 0)
    ran = place.call("get", "nobody", "--log-format", "json")
    score.check(json.loads(ran.stderr)["level"] == "error", f"--log-format json: {ran.stderr}")
    said("logs -p nobody", 4)
    said("list --username me", 2, "--token")
    said("server --auth-mode server", 2, "--auth says")
    said("server --secure", 2, "--tls-cert")
    place.remove()


def crons(score, skiff):
    """The flags of cron create and update change the document on its way."""
    place = common.Place(skiff, "none")
    said = Said(score, place)
    path = place.file("c.yaml", OLD)
    out = json.loads(said(f"cron create {path} --name d --schedule @daily -p who=me -l a=b --serviceaccount s -o json", 0))
    spec = out["spec"]
    score.check((out["metadata"]["name"], spec["schedules"], spec["workflowMetadata"], spec["workflowSpec"]["serviceAccountName"],
                 spec["workflowSpec"]["arguments"]["parameters"]) ==
                ("d", ["@daily"], {"labels": {"a": "b"}}, "s", [{"name": "who", "value": "me"}]), f"cron create: {out}")
    said(f"cron create {path} --schedule never", 3, "is not a schedule")
    nowhere = place.file("nowhere.yaml", OLD.replace("spec:", "spec:\n  timezone: Mars/Olympus", 1))
    said(f"cron create {nowhere}", 3, "Mars/Olympus")
    said(f"apply -f {nowhere}", 3, "Mars/Olympus")
    said(f"cron create {path} --entrypoint none", 3, "there is no template `none`")
    out = json.loads(said(f"cron update {path} --name d -f {place.file('p.yaml', 'who: you')} -o json", 0))
    score.check(out["spec"]["workflowSpec"]["arguments"]["parameters"][0]["value"] == "you" and out["spec"]["schedules"] == ["0 3 * * *"], f"cron update: {out}")
    score.check(said(f"cron create {path} --generate-name g- -o name", 0).startswith("g-"), "--generate-name")
    place.remove()


TESTS = (lists, parameters, logs, deletes, lints, words, crons)
