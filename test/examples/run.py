#!/usr/bin/env python3
"""Runs the examples of examples/ and checks what came of each: phase, the nodes that matter, outputs,
log lines. The training pipeline needs scikit-learn for /usr/bin/python3 and is skipped without.

usage: run.py [--runtime auto|ro|overlay]     the program is SKIFF, else build/skiff
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIFF = os.environ.get("SKIFF") or os.path.join(ROOT, "build/skiff")
LIMIT_S = 120


class Wrong(Exception):
    pass


class Finished:
    """A workflow that is over, by the display names of its nodes."""

    def __init__(self, bench, *words):
        self.bench = bench
        p = bench.call("run", "-o", "json", "--runtime", bench.runtime, *words)
        if p.returncode:
            raise Wrong("exit status %d: %s" % (p.returncode, (p.stderr or p.stdout).strip()[-600:]))
        self.nodes = list(json.loads(p.stdout)["status"]["nodes"].values())

    def phases(self, **expected):
        """name=phase or name=(phase, how many); _ in names stands for -."""
        for name, phase in expected.items():
            name = name.replace("_", "-")
            phase, count = phase if isinstance(phase, tuple) else (phase, 1)
            seen = [n["phase"] for n in self.nodes if re.sub(r"\(.*", "", n["displayName"]) == name and n["type"] != "TaskGroup"]
            if seen != [phase] * count:
                raise Wrong("%s is %s, not %d × %s" % (name, seen, count, phase))

    def output(self, name, parameter):
        for n in self.nodes:
            outputs = n.get("outputs", {})
            for p in outputs.get("parameters", []):
                if n["displayName"] == name and p["name"] == parameter:
                    return p["value"]
            if n["displayName"] == name and parameter == "result" and "result" in outputs:
                return outputs["result"]
        raise Wrong("%s has no output %s" % (name, parameter))

    def artifacts(self):
        return {a["name"] for n in self.nodes for a in n.get("outputs", {}).get("artifacts", [])}

    def logged(self, *patterns):
        log = self.bench.call("logs", "@latest").stdout
        for pattern in patterns:
            if not re.search(pattern, log):
                raise Wrong("the log has no /%s/: %s" % (pattern, log[-600:]))


class Bench:
    def __init__(self, state, runtime):
        self.state, self.runtime = state, runtime

    def call(self, verb, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SKIFF_")}
        return subprocess.run([SKIFF, verb, "--state", self.state, *words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S)


def hello_world(b):
    Finished(b, "examples/hello-world.yaml").logged(r"hello world\n")
    Finished(b, "examples/hello-world.yaml", "-p", "who=you").logged(r"hello you\n")


def fraud_detection_without_tuning(b):
    w = Finished(b, "examples/fraud-detection.yaml")
    w.phases(read_customers="Succeeded", read_payments="Succeeded", transform="Succeeded", hyper_tuning="Skipped",
             train="Succeeded", validate=("Succeeded", 2), publish="Succeeded")
    if w.output("transform", "should-hyper") != "false":
        raise Wrong("600 rows ask for tuning")
    # the Secret's values are masked in the log
    w.logged(r"trained with threshold 8\.0", r"publish to \*\*\*: threshold 8\.0, \{'precision': \d\.\d+, 'recall': \d\.\d+\}")


def fraud_detection_with_tuning(b):
    w = Finished(b, "examples/fraud-detection.yaml", "-p", "rows=4000")
    w.phases(hyper_tuning="Succeeded", train="Succeeded", validate=("Succeeded", 2), publish="Succeeded")
    threshold = w.output("hyper-tuning", "threshold")
    w.logged(r"trained with threshold %s\n" % re.escape(threshold), r"publish to \*\*\*")


def kfp_loop(b):
    w = Finished(b, "examples/kfp-loop.yaml", "-p", "count=5")
    w.phases(list_func="Succeeded", for_loop_1=("Succeeded", 5), print_func=("Succeeded", 5))
    if json.loads(w.output("list-func", "list-func-Output")) != ["item %d" % i for i in range(5)]:
        raise Wrong("the list is " + w.output("list-func", "list-func-Output"))
    w.logged(*(r"item %d\n" % i for i in range(5)))


def daily_etl_is_stored(b):
    p = b.call("run", "examples/daily-etl.yaml")
    if p.returncode or "stored" not in p.stdout + p.stderr:
        raise Wrong("exit status %d: %s" % (p.returncode, p.stderr.strip()))


def daily_etl_runs_as_a_workflow(b):
    """What its schedule would start."""
    with open(os.path.join(ROOT, "examples/daily-etl.yaml"), encoding="utf-8") as f:
        head, spec = f.read().split("  workflowSpec:\n")
    path = os.path.join(os.path.dirname(b.state), "etl.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: daily-etl-\nspec:\n")
        f.writelines(re.sub(r"^  ", "", line) for line in spec.splitlines(True))
    w = Finished(b, path)
    w.phases(transform="Succeeded", load="Succeeded")
    items = [n for n in w.nodes if n["type"] == "Retry" and n["phase"] == "Succeeded"]
    total = sum(len(word) * 5050 for word in ("orders", "returns", "visits"))
    if len(items) != 3 or w.output("transform", "total") != str(total):
        raise Wrong("%d extracts, total %s, not %d" % (len(items), w.output("transform", "total"), total))
    w.logged(r"daily-etl: Succeeded", r"visits: 100 rows")


def training(b):
    w = Finished(b, "examples/training/pipeline.yaml")
    w.phases(fetch="Succeeded", validate="Succeeded", tune=("Succeeded", 5), choose="Succeeded", train="Succeeded",
             evaluate="Succeeded", release="Succeeded", report="Succeeded")
    if float(w.output("evaluate", "accuracy")) < 0.95:
        raise Wrong("accuracy " + w.output("evaluate", "accuracy"))
    if not {"data", "model", "released-model", "report"} <= w.artifacts():
        raise Wrong("artifacts: %s" % sorted(w.artifacts()))
    w.logged(r"569 rows, 31 columns", r"<h1>Breast cancer", r"released with accuracy 0\.9")


def training_not_good_enough(b):
    w = Finished(b, "examples/training/pipeline.yaml", "-p", "settings=[{\"C\": 1}]", "-p", "required=0.9999")
    w.phases(tune="Succeeded", release="Skipped", report="Succeeded")


def lacks_sklearn():
    try:
        return subprocess.run(["/usr/bin/python3", "-c", "import sklearn"], capture_output=True, timeout=LIMIT_S).returncode != 0
    except OSError:
        return True


ALL = [hello_world, fraud_detection_without_tuning, fraud_detection_with_tuning, kfp_loop, daily_etl_is_stored,
       daily_etl_runs_as_a_workflow]
TRAINING = [training, training_not_good_enough]


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--runtime", default="auto")
    args = p.parse_args()
    if not os.access(SKIFF, os.X_OK):
        sys.exit("no program at %s: build it, or set SKIFF" % SKIFF)
    passed = failed = skipped = 0
    cases = ALL + TRAINING
    if lacks_sklearn():
        print("skipped: training: /usr/bin/python3 has no scikit-learn (apt install python3-sklearn)")
        cases, skipped = ALL, len(TRAINING)
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="skiff-examples-") as folder:
            try:
                case(Bench(os.path.join(folder, "state"), args.runtime))
                passed += 1
                print("passed   " + case.__name__)
            except (Wrong, ValueError, KeyError, subprocess.TimeoutExpired) as e:
                failed += 1
                print("failed   %s: %s" % (case.__name__, e))
        sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
