#!/usr/bin/env python3
"""Runs src/lang over the answers that Argo's Go libraries once gave (test/data/oracle), without Go.

A line of test/data/oracle/LANG.jsonl is a case as generate.py makes it with the library's answer behind it;
`diff.py --write` makes them. Values must be the same and errors must be errors, as in diff.py. Zones come from
test/data/zoneinfo. Ends with `N passed, N failed`.

usage: run.py [LANG]...
"""
import glob
import json
import os
import sys

import diff

ROOT = diff.ROOT
SHOWN = 10


def main():
    os.environ["ZONEINFO"] = os.path.join(ROOT, "test/data/zoneinfo")
    build = os.environ.get("BUILD", os.path.join(ROOT, "build"))
    known = diff.known_rows()
    passed = failed = 0
    for path in sorted(glob.glob(os.path.join(ROOT, "test/data/oracle/*.jsonl"))):
        lang = os.path.basename(path)[:-6]
        if sys.argv[1:] and lang not in sys.argv[1:]:
            continue
        with open(path, encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        ours = diff.answers(os.path.join(build, "test/oracle/ours"), [row[:-1] for row in rows])
        bad = [(row, got) for row, got in zip(rows, ours) if not diff.same(lang, row[:-1], got, row[-1], known)]
        for row, got in bad[:SHOWN]:
            print("%s: %s\n    got  %s\n    want %s" % (lang, json.dumps(row[1:-1], ensure_ascii=False), got[:300], row[-1][:300]))
        passed, failed = passed + len(rows) - len(bad), failed + len(bad)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
