#!/usr/bin/env python3
"""Compares src/lang with the Go libraries that Argo uses, over random texts.

Both sides answer the same cases (grammar.py); a case differs when one gives a value and the other
another value or an error. Error texts are not compared here: the vectors of test/data/lang hold
those. Differences that are meant stand in known.tsv, with the reason. Ends with `N passed, N failed`.

usage: diff.py [--lang NAME]... [--cases N] [--seed N] [--ours PROGRAM] [--oracle PROGRAM] [--show N] [--write FILE]
"""
import argparse
import json
import os
import re
import subprocess
import sys

import grammar

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OF_TODAY = re.compile(r"sprig\.(html)?[dD]ate(InZone|_in_zone)?\(|now\(|ago\(")
LANGS = {"when": grammar.When, "expr": grammar.Expr, "sprig": grammar.Sprig, "objects": grammar.Objects, "keys": grammar.Keys, "tags": grammar.Tags, "depends": grammar.Depends,
         "kubectl": grammar.Kubectl, "jsonpath": grammar.Jsonpath, "jq": grammar.Jq, "regex": grammar.Regex, "cron": grammar.Cron}


def sprig_table():
    with open(os.path.join(ROOT, "src/lang/sprig.def"), encoding="utf-8") as f:
        return re.findall(r'^SP\((\w+),\s*"([^"]*)",\s*(\w+)', f.read(), re.M)


def make(lang, seed, n, kept=False):
    g = LANGS[lang](seed, sprig_table()) if lang == "sprig" else LANGS[lang](seed)
    g.kept = kept
    return [g.case() for _ in range(n)]


def answers(program, cases):
    lines = [json.dumps(["env", grammar.ENV])] + [json.dumps(c, ensure_ascii=False) for c in cases]
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, encoding="utf-8", errors="surrogateescape",
                          env=dict(os.environ, TZ="UTC"))
    out = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(out) != len(lines):
        sys.exit("%s: status %d after %d of %d cases\n%s" % (program, done.returncode, len(out), len(lines), done.stderr[-2000:]))
    return out[1:]


def json_part(answer):
    """What follows the name of the type, which may hold spaces itself."""
    at = -1
    while (at := answer.find(" ", at + 1)) >= 0:
        try:
            return json.dumps(json.loads(answer[at + 1:]), sort_keys=True)
        except ValueError:
            pass
    return answer


def verdict(lang, answer):
    """An answer without the text of its error, and without the name of its Go type."""
    if re.match(r"(COMPILE-ERR|RUN-ERR|UNRESOLVED|ERR)\b", answer):
        return "unresolved" if answer.startswith("UNRESOLVED") else "error"
    if lang in ("expr", "sprig", "objects", "jsonpath"):
        return "no JSON" if answer.endswith(" unmarshalable") else json_part(answer)
    return answer


def known_rows():
    rows = []
    path = os.path.join(HERE, "known.tsv")
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                lang, pattern, reason = line.rstrip("\n").split("\t")
                rows.append((lang, re.compile(pattern, re.S), reason))
    return rows


def difference(lang, case, ours, theirs, known):
    """"" when both say the same; else what known.tsv says about it, or "different"."""
    if verdict(lang, ours) == verdict(lang, theirs) or theirs.startswith("VARIES"):
        return ""
    text = "%s\t%s\t%s" % (json.dumps(case[1:], ensure_ascii=False), ours, theirs)
    return next((row[2] for row in known if row[0] == lang and row[1].search(text)), "different")


def same(lang, case, ours, theirs, known):
    return difference(lang, case, ours, theirs, known) != "different"


def shapes(oracle, cases, given):
    """Keys, certificates and hashes are others each time: what the oracle sees in each."""
    ask = [["shape", answer if verdict("expr", answer) == "error" else json_part(answer), case[2]] for case, answer in zip(cases, given)]
    return answers(oracle, ask)


def compare(lang, args, known):
    slow = lang in ("keys", "jq")
    cases = make(lang, args.seed, max(args.cases // 40, 1) if slow else args.cases, bool(args.write))
    ours, theirs = answers(args.ours, cases), answers(args.oracle, cases)
    if lang == "keys":
        ours, theirs = shapes(args.oracle, cases, ours), shapes(args.oracle, cases, theirs)
    alike = listed = shown = errors = 0
    for case, a, b in zip(cases, ours, theirs):
        errors += verdict(lang, b) in ("error", "unresolved")
        why = difference(lang, case, a, b, known)
        if why != "different":
            alike += not why
            listed += bool(why)
            continue
        shown += 1
        if shown <= args.show:
            print("%s: %s\n    ours   %s\n    oracle %s" % (lang, json.dumps(case[1:], ensure_ascii=False), a[:300], b[:300]))
    print("%-9s seed %d: %d the same (%d of all are errors), %d listed, %d different" % (lang, args.seed, alike, errors, listed, shown))
    if args.write:
        with open(args.write, "w", encoding="utf-8") as f:
            for case, b in zip(cases, theirs):
                if not b.startswith("VARIES") and not OF_TODAY.search(str(case[1])):
                    f.write(json.dumps([*case, b], ensure_ascii=False) + "\n")
    return alike + listed, shown


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--lang", action="append", choices=LANGS)
    p.add_argument("--cases", type=int, default=10000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--ours", default=os.path.join(ROOT, "build/test/oracle/ours"))
    p.add_argument("--oracle", default=os.path.join(ROOT, "build/oracle"))
    p.add_argument("--show", type=int, default=20, help="how many differences to print for each language")
    p.add_argument("--write", help="file for the cases with the oracle's answers, as JSON lines")
    args = p.parse_args()
    known = known_rows()
    passed = failed = 0
    for lang in args.lang or LANGS:
        good, bad = compare(lang, args, known)
        passed, failed = passed + good, failed + bad
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
