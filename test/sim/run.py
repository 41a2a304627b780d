#!/usr/bin/python3
"""Judges the engine: random workflows, the model against the C simulator. README.md has the contract.

    run.py --runs N [--first SEED] [--sim PROGRAM]     random workflows
    run.py --seed SEED [--sim PROGRAM] [--print]       one of them
"""
import argparse
import collections
import json
import multiprocessing
import shutil
import subprocess
import sys
import time
import traceback

import cases
import generate
import invariants
import model
import normal
import outside

BATCH = 200

# What the random workflows must reach: the rows of the table at the end. `model.reach` marks them.
ROWS = """steps|dag|container|script|http|resource|data|inline|templateRef|retry|suspend|when true|when false|when error|omitted
depends Succeeded true|depends Succeeded false|depends Failed true|depends Failed false|depends Errored true
depends Errored false|depends Skipped true|depends Skipped false|depends Omitted true|depends Omitted false
depends Daemoned false|depends AnySucceeded true|depends AnySucceeded false|depends AllFailed true
depends AllFailed false|depends operator &&|depends operator \\|\\||depends operator !
withItems scalar|withItems map|withItems list|withParam|withSequence|empty loop in steps|empty loop in a dag
fan-in of steps|fan-in of tasks|retry: No more retries left|retry: policy|retry: backoff|retry: maxDuration
retry: retryStrategy.expression evaluated to false|template deadline|workflow activeDeadlineSeconds
exit handler of the workflow|exit handler failed|exit hook of a step or task|life cycle hook|exit hook with expression
continueOn failed|continueOn error|continueOn of a dag target|dag failFast true|dag failFast false|template failFast
parallelism of the workflow|parallelism of a template|skipped output|skipped output: input default
stop|terminate|waits for ever: not judged|valueFrom.parameter|valueFrom.expression|valueFrom.default of a template|globalName|dag target
a lock was free|waits for a lock|a lock came|cache hit|cache miss|outputs kept""".replace(
    "\\|\\|", "OR").replace("\n", "|").split("|")


SIM_ARGS = []  # set before the worker processes begin
THEN = []  # what is done to each run from outside: a name in outside.KINDS


def run_sim(program, batch):
    """The normal forms of the C simulator, one line each. When it dies, the rest goes to a new one."""
    forms = []
    while len(forms) < len(batch):
        rest = batch[len(forms):]
        text = "".join(json.dumps(c, separators=(",", ":")) + "\n" for c in rest)
        done = subprocess.run([program, *SIM_ARGS], input=text, capture_output=True, text=True)
        lines = done.stdout.splitlines()[:len(rest)]
        forms += [json.loads(line) for line in lines]
        if len(lines) < len(rest):
            forms.append({"error": "no answer, exit status %d: %s" % (done.returncode, done.stderr[-400:].strip())})
    return forms


def judge(case, got):
    """(problems, rows reached) of one case; `got` is the C simulator's normal form or None."""
    try:
        wf = model.run(case)
        form = normal.form(wf)
    except Exception:
        return ["the model failed: " + traceback.format_exc(limit=-3)], set()
    if wf.waits and wf.finished is None:
        return [], wf.covered | {"waits for ever: not judged"}
    problems = ["model: " + p for p in invariants.check(case, form) + invariants.check_trace(wf.trace)]
    if got is not None and "error" in got:
        problems.append("simulator: " + got["error"])
    elif got is not None:
        problems += normal.differences(form, got)
        problems += ["simulator: " + p for p in invariants.check(case, got)]
    return problems, wf.covered


def work(job):
    first, count, program = job
    batch = [generate.case(seed) for seed in range(first, first + count)]
    if THEN:
        batch = [outside.case(c, THEN[0]) for c in batch]
    forms = run_sim(program, batch) if program else [None] * count
    bad, rows = [], collections.Counter()
    for case, got in zip(batch, forms):
        problems, reached = outside.judge(case, got, THEN[0]) if THEN else judge(case, got)
        rows.update(reached)
        if problems:
            bad.append((case["seed"], problems))
    return count, bad, rows


def report(seed, problems, program, most=25):
    print("seed %d:" % seed)
    for line in problems[:most]:
        print("    " + line)
    if len(problems) > most:
        print("    … %d more" % (len(problems) - most))
    print("    again: %s --seed %d%s" % (sys.argv[0], seed, " --sim " + program if program else ""))


def coverage(rows):
    print("\n%-52s %s" % ("reached", "workflows"))
    for row in ROWS:
        print("%-52s %d" % (row.replace("OR", "||"), rows[row.replace("OR", "||")]))
    missing = [r for r in ROWS if not rows[r.replace("OR", "||")]]
    if missing:
        print("never reached: " + ", ".join(missing))


def run_random(args):
    start, rows, bad, done = time.time(), collections.Counter(), [], 0
    jobs = [(s, min(BATCH, args.first + args.runs - s), args.sim)
            for s in range(args.first, args.first + args.runs, BATCH)]
    with multiprocessing.Pool(args.jobs) as pool:
        for count, failed, reached in pool.imap(work, jobs):
            done += count
            rows.update(reached)
            for seed, problems in failed:
                if len(bad) < args.show:
                    report(seed, problems, args.sim)
                bad.append(seed)
    if not args.quiet and not THEN:
        coverage(rows)
    for row in sorted(r for r in rows if r.startswith("outside")):
        print("%-52s %d" % (row, rows[row]))
    took = time.time() - start
    print("\n%d passed, %d failed (%.0f workflows a minute%s)" % (
        done - len(bad), len(bad), done * 60 / took, "" if args.sim else ", model alone"))
    return not bad


def run_seed(args):
    case = generate.case(args.seed)
    if THEN:
        case = outside.case(case, THEN[0])
    if args.print:
        print(json.dumps(case, separators=(",", ":")))
        return True
    got = run_sim(args.sim, [case])[0] if args.sim else None
    problems, _ = outside.judge(case, got, THEN[0]) if THEN else judge(case, got)
    print(json.dumps(case["documents"], indent=1) if args.verbose else "", end="")
    if not args.sim:
        print(json.dumps(normal.form(model.run(case)), indent=1, sort_keys=True))
    if problems:
        report(args.seed, problems, args.sim, 1000)
    else:
        print("seed %d passed" % args.seed)
    return not problems


def run_cases(args):
    todo = [(n, t) for n, t in cases.all_cases() if args.cases in ("all", n)]
    given = [cases.to_case(t) for _, t in todo]
    if args.print:
        print("\n".join(json.dumps(c, separators=(",", ":")) for c in given))
        return True
    forms = run_sim(args.sim, given) if args.sim else [None] * len(given)
    failed = 0
    for (name, text), case, got in zip(todo, given, forms):
        problems = []
        if text.get("commands") or text.get("engine_only"):  # beyond the model
            if got is not None and "error" not in got:
                problems += ["simulator: " + p for p in invariants.check_ends(got)]
        else:
            problems += judge(case, got)[0]
            problems += ["model: " + p for p in cases.check(text["expect"], normal.form(model.run(case)))]
        if got is not None and "error" in got:
            problems.append("simulator: " + got["error"])
        if got is not None and "error" not in got:
            problems += ["simulator: " + p for p in cases.check(text["expect"], got)]
        if problems:
            failed += 1
            print("%s: %s" % (name, text["rule"]))
            print("".join("    %s\n" % p for p in problems), end="")
    print("%d passed, %d failed" % (len(todo) - failed, failed))
    return not failed


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sim", help="the C simulator; without it the model runs alone")
    p.add_argument("--crash", type=int, default=0, metavar="PCT",
                   help="the simulator loses its engine before PCT %% of its commits, and after as many")
    p.add_argument("--runs", type=int, default=1000)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--show", type=int, default=5, help="failing seeds to print in full")
    p.add_argument("--then", choices=sorted(outside.KINDS), help="what is done to each run from outside; outside.py judges")
    p.add_argument("--quiet", action="store_true", help="no coverage table")
    p.add_argument("--seed", type=int)
    p.add_argument("--cases", nargs="?", const="all")
    p.add_argument("--print", action="store_true", help="only print the case as the simulator gets it")
    p.add_argument("--verbose", action="store_true", help="with --seed: print the workflow too")
    args = p.parse_args()
    SIM_ARGS[:] = ["--crash", str(args.crash), "--crash-seed", str(args.first)] if args.crash else []
    THEN[:] = [args.then] if args.then else []
    if args.sim and not shutil.which(args.sim):
        p.error("%s is not a program" % args.sim)
    passed = run_cases(args) if args.cases else run_seed(args) if args.seed is not None else run_random(args)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
