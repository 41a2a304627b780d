#!/usr/bin/env python3
"""Asks simulator, model and program about the documents of test/data/workflows, and compares with what these expect.

usage: run.py [-v] [--show] [WORD...]
  WORD     only documents whose name contains one of these
  --show   print what each judge saw, in the form of an expectation

The simulator (test/sim) has the engine's own objects, a virtual clock and steps whose commands are interpreted; the model is a
second evaluator, asked where it knows every feature of the document; the program runs the document for real, as plain processes
or in sandboxes. `waiting.tsv` lists documents that may fail yet, with the reason; one that passes must leave the list.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sim"))

import documents  # noqa: E402
import invariants  # noqa: E402
import model  # noqa: E402
import normal  # noqa: E402
import server  # noqa: E402

BUILD = os.environ.get("BUILD") or str(documents.ROOT / "build")
SKIFF = os.environ.get("SKIFF") or BUILD + "/skiff"
LIMIT_S = 30
SERVER = []  # the address of the server for http templates, once it runs

# Fields that the model does not know. It knows no commands and no ConfigMaps.
NOT_MODELLED = {"synchronization", "memoize", "daemon", "http", "resource", "data", "plugin", "containerSet", "templateDefaults",
                "workflowTemplateRef", "shutdown", "configMapKeyRef", "sidecars", "initContainers", "fromExpression", "enum"}
KNOWN_HOOKS = {"exit"}


def unknown_to_model(value):
    if isinstance(value, list):
        return any(unknown_to_model(v) for v in value)
    if not isinstance(value, dict):
        return False
    hooks = value.get("hooks")
    return bool(NOT_MODELLED & set(value)) or (isinstance(hooks, dict) and bool(set(hooks) - KNOWN_HOOKS)) \
        or value.get("suspend") is True or any(unknown_to_model(v) for v in value.values())


# ---- judges: each gives what it saw, or raises ----

def ask_simulator(docs):
    """name -> normal form; one process for all."""
    text = "".join(json.dumps(d.case(), separators=(",", ":")) + "\n" for d in docs)
    done = subprocess.run([BUILD + "/test/sim/sim"], input=text, capture_output=True, text=True)
    forms = [json.loads(line) for line in done.stdout.splitlines()]
    forms += [{"error": "the simulator died, status %d: %s" % (done.returncode, done.stderr[-300:])}] * (len(docs) - len(forms))
    return dict(zip([d.name for d in docs], forms))


def ask_program(doc, runtime):
    with tempfile.TemporaryDirectory(prefix="skiff-doc-", ignore_cleanup_errors=True) as where:
        path = os.path.join(where, os.path.basename(doc.name) + ".yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(doc.text.replace(server.ADDRESS, SERVER[0]) if server.ADDRESS in doc.text else doc.text)
        args = [word for a in doc.expect.get("args") or [] for word in ("-p", a)]
        done = subprocess.run([SKIFF, "run", "--state", os.path.join(where, "s"), "--runtime", runtime, "-o", "json", *args, path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=where, timeout=LIMIT_S)
        if "refused" in doc.expect:
            return done.stdout + done.stderr
        if not done.stdout.startswith("{"):
            raise documents.Broken("status %d: %s" % (done.returncode, done.stderr.strip()[-400:]))
        return documents.seen_workflow(json.JSONDecoder().raw_decode(done.stdout)[0])


def ask_lint(doc):
    """(exit status, what it says)"""
    with tempfile.TemporaryDirectory(prefix="skiff-doc-") as where:
        path = os.path.join(where, os.path.basename(doc.name) + ".yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(doc.text)
        done = subprocess.run([SKIFF, "lint", "--state", os.path.join(where, "s"), "-o", "simple", path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, cwd=where, timeout=LIMIT_S)
        return done.returncode, done.stdout + done.stderr


def judge_lint(doc):
    status, said = ask_lint(doc)
    out = []
    if "refused" in doc.expect and "lint" in doc.judges():
        if status == 0 or doc.expect["refused"] not in said:
            out.append("expected to be refused with %r, got status %d: %s" % (doc.expect["refused"], status, said.strip()[-300:]))
    elif status != 0:
        out.append("refused: " + said.strip()[-300:])
    if doc.expect.get("warned", "") not in said:
        out.append("expected the warning %r, got: %s" % (doc.expect["warned"], said.strip()[-300:]))
    return out


def judge_simulator(doc, form, args):
    if "error" in form:
        return ["simulator: " + form["error"]]
    seen = documents.seen_workflow(form["workflow"], form)
    out = ["simulator: " + d for d in documents.differences(doc, seen, "simulator")]
    if args.show:
        show(doc, seen)
    if doc.expect.get("commands") or doc.expect.get("model") is False or unknown_to_model(doc.documents):
        return out
    wf = model.run(doc.case())
    mine = normal.form(wf)
    out += ["model: " + d for d in documents.differences(doc, documents.seen_model(mine), "model")]
    theirs = {k: v for k, v in form.items() if k != "workflow"}
    out += ["model against simulator: " + d for d in normal.differences(mine, theirs)]
    return out + ["model: " + p for p in invariants.check(doc.case(), mine) + invariants.check_trace(wf.trace)]


def judge(doc, forms, args):
    """Lines of what is wrong with one document."""
    out = []
    try:
        out += ["lint: " + line for line in judge_lint(doc)]
        for who in doc.judges():
            if who == "simulator":
                out += judge_simulator(doc, forms[doc.name], args)
            elif who in ("process", "sandbox"):
                seen = ask_program(doc, "none" if who == "process" else "auto")
                if "refused" in doc.expect:
                    if doc.expect["refused"] not in seen or "startedAt" in seen:
                        out.append("expected to be refused with %r, got: %s" % (doc.expect["refused"], seen.strip()[-300:]))
                    continue
                out += ["%s: %s" % (who, d) for d in documents.differences(doc, seen, who)]
                if args.show:
                    show(doc, seen)
    except (documents.Broken, subprocess.TimeoutExpired) as e:
        out.append(str(e))
    except Exception:
        out.append(traceback.format_exc(limit=-3))
    return out


def show(doc, seen):
    lines = ["%s: phase %s, message %r, ends %s, outputs %s" % (doc.name, seen["phase"], seen["message"], seen.get("ends"),
                                                               json.dumps(seen["outputs"]))]
    for name, n in seen["nodes"].items():
        lines.append("  %s: {is: %s, message: %s, starts: %s, ends: %s, outputs: %s, children: %s}" % (
            name, n["is"], json.dumps(n["message"]), n.get("starts"), n.get("ends"), json.dumps(n["outputs"]), json.dumps(n["children"])))
    print("\n".join(lines))


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--show", action="store_true")
    p.add_argument("word", nargs="*")
    args = p.parse_args()
    docs = documents.load_all(args.word)
    forms = ask_simulator([d for d in docs if "simulator" in d.judges()])
    if any(server.ADDRESS in d.text for d in docs):
        SERVER.append(server.start())
    excused, count, reasons = documents.waiting(), collections.Counter(), collections.Counter()
    with ThreadPoolExecutor(1 if args.show else 3) as pool:
        for doc, problems in zip(docs, pool.map(lambda d: judge(d, forms, args), docs)):
            reason = excused.get(doc.name)
            if reason and problems:
                count["skipped"] += 1
                reasons[reason] += 1
                if not args.verbose:
                    continue
            elif reason:
                problems = ["passes now: take it off waiting.tsv"]
            if problems and not (reason and args.verbose):
                count["failed"] += 1
            elif not problems:
                count["passed"] += 1
            if problems or args.verbose:
                print("%s %s\n    %s" % ("FAILED" if problems else "passed", doc.name, doc.rule))
                print("".join("    %s\n" % line for line in problems), end="")
    for name in set(excused) - {d.name for d in docs} if not args.word else ():
        print("FAILED waiting.tsv names %s, which is not there" % name)
        count["failed"] += 1
    for line in documents.surprises():
        print("FAILED %s" % line)
        count["failed"] += 1
    for reason, n in reasons.most_common():
        print("skipped: %3d  %s" % (n, reason))
    print("%d passed, %d failed, %d skipped" % (count["passed"], count["failed"], count["skipped"]))
    sys.exit(1 if count["failed"] else 0)


if __name__ == "__main__":
    main()
