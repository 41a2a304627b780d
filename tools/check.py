#!/usr/bin/env python3
"""Runs the project's checks and ends with the line `N passed, N failed`.

A check is a row: its name, the file without which it does not exist, its command and its time limit.
Every suite of meson's tests is a row; other programs stand in CHECKS; every test/NAME/run.py is a
row without being listed. A program prints TAP lines, or `N passed, N failed[, N skipped]` as its last
line, and exits with 0 only when nothing failed; otherwise it counts as at least one failure. It runs
in the project's directory with SKIFF (the program) and BUILD (the build directory) in its
environment, and SKIFF_CORPUS, a folder of documents written by others, when there is one. What is skipped says why (`skipped: REASON`, or TAP's `# SKIP`), and is not counted as passed.

usage: check.py [--build DIR] [--only NAME]... [--list]
"""
import argparse
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PY = sys.executable
TAIL_LINES = 40
FAILURES = 20  # of one row that are said again at the end
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\b")
TAP = re.compile(r"^(not )?ok \d+")
FAILURE = re.compile(r"^\s*(FAILED\b|not ok \d+|\d+/\d+ \S+ / .* (FAIL|TIMEOUT|ERROR|INTERRUPT)\b)")  # the last: a test program of meson
STEERS = ("CI", "NO_COLOR", "CLICOLOR_FORCE")  # how the program shows things: a test sets them where they matter

# name, file that must exist, command ({build}: the build directory), time limit in seconds
CHECKS = [
    ("tree", "tools/check_tree.py", [PY, "tools/check_tree.py", "--build", "{build}"], 60),
    ("sim cases", "{build}/test/sim/sim", [PY, "test/sim/run.py", "--cases", "--sim", "{build}/test/sim/sim"], 120),
    ("sim cases, crashes", "{build}/test/sim/sim", [PY, "test/sim/run.py", "--cases", "--crash", "40", "--sim", "{build}/test/sim/sim"], 120),
    ("sim random", "{build}/test/sim/sim",
     [PY, "test/sim/run.py", "--runs", "20000", "--quiet", "--sim", "{build}/test/sim/sim"], 900),
    ("sim crashes", "{build}/test/sim/sim",
     [PY, "test/sim/run.py", "--runs", "10000", "--first", "50000", "--crash", "20", "--quiet", "--sim",
      "{build}/test/sim/sim"], 900),
    *[("sim " + what, "{build}/test/sim/sim",
       [PY, "test/sim/run.py", "--then", what, "--runs", "2000", "--first", "70000", "--crash", "15", "--quiet", "--sim",
        "{build}/test/sim/sim"], 600) for what in ("retry", "resubmit", "suspend")],
    ("server kills", "test/server/kills.py", [PY, "test/server/kills.py", "{build}/skiff"], 420),
    ("pty", "{build}/cli_verbs_test", [PY, "test/pty/test_live.py", "{build}/cli_verbs_test"], 120),
    ("api conformance", "test/api/conform.py", [PY, "test/api/conform.py"], 420),
    ("compat images", "test/compat/real_images.py", [PY, "test/compat/run.py", "--images", "--offline"], 420),
]
LISTED = {"sim"}  # directories of test whose run.py stands above
LIMIT_S = 420
LIMITS = {"crash": 1200, "clients": 2400, "server": 1800}  # about 3 minutes, 1 (10 more the first time) and 4 (8 with a sanitizer) where nobody else is at work


def meson_suites(build):
    """Names of meson's test suites, `unit` first."""
    if not os.path.exists(os.path.join(build, "build.ninja")):
        return []
    tests = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True).stdout
    names = {s.split(":")[-1] for t in json.loads(tests) for s in t["suite"]}
    return sorted(names, key=lambda n: (n != "unit", n))


def table(build):
    suites = meson_suites(build)
    rows = [(s, build, ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--logbase", "check-" + s,
                        "--suite", s], LIMIT_S) for s in suites]
    rows[:0] = CHECKS[:1]
    own = [path.split("/")[-2] for path in sorted(glob.glob(os.path.join(ROOT, "test/*/run.py")))]
    rows += [row for row in CHECKS[1:] if row[0] not in suites + own]
    rows += [(n, "test/%s/run.py" % n, [PY, "test/%s/run.py" % n], LIMITS.get(n, LIMIT_S)) for n in own if n not in LISTED]
    return [(name, os.path.join(ROOT, need.format(build=build)), [w.format(build=build) for w in command], limit)
            for name, need, command, limit in rows]


def count_meson(build, suite):
    """(passed, failed, skipped) of meson's test programs: their TAP tests, from the JUnit file; or None."""
    passed = failed = skipped = 0
    path = os.path.join(build, "meson-logs/check-%s.junit.xml" % suite)
    if not os.path.exists(path):
        return None
    for suite in xml.etree.ElementTree.parse(path).iter("testsuite"):
        cases = list(suite.iter("testcase"))
        bad = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
        bad = max(bad, int(suite.get("failures", 0)) + int(suite.get("errors", 0)))
        left_out = sum(1 for c in cases if c.find("skipped") is not None)
        passed += max(len(cases) - bad - left_out, 0)
        failed += bad
        skipped += left_out
    return passed, failed, skipped


def count_suite(log):
    """The numbers of the log's last counting line, else of its TAP lines, else None."""
    for line in reversed(log.splitlines()):
        m = COUNTS.match(line)
        if m:
            return int(m.group(1)), int(m.group(2)), int(m.group(3) or 0)
    tap = [line for line in log.splitlines() if TAP.match(line)]
    failed = sum(1 for line in tap if line.startswith("not ok"))
    skipped = sum(1 for line in tap if "# SKIP" in line)
    return (len(tap) - failed - skipped, failed, skipped) if tap else None


def run(command, env, log_name, limit):
    """(exit status or None when time ran out, output); the log is kept."""
    with open(log_name, "w+", encoding="utf-8", errors="replace") as log:
        p = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = p.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(p.pid, signal.SIGKILL)  # whatever a suite left behind
        except ProcessLookupError:
            pass
        p.wait()
        log.seek(0)
        return status, log.read()


def failures(log, status, limit):
    """What a log says of each failure; at least one line."""
    said = [line.strip()[:400] for line in log.splitlines() if FAILURE.match(line)]
    if status is None:
        said.append("stopped after %d s" % limit)
    return said[:FAILURES] or ["exit status %s, see its log" % status]


def show_tail(log, log_name):
    lines = [line for line in log.splitlines() if not re.match(r"\s*\d+/\d+ .* OK ", line)]
    for line in lines[-TAIL_LINES:]:
        print("    | " + line)
    print("    the whole log: " + os.path.relpath(log_name, ROOT))


def environment(args):
    env = {name: value for name, value in os.environ.items() if name not in STEERS}
    env.update(BUILD=args.build, SKIFF=os.path.join(args.build, "skiff"), LC_ALL="C.UTF-8")
    corpus = sorted(glob.glob(os.path.join(ROOT, "../*/corpus/argo-examples")))
    if corpus:
        env.setdefault("SKIFF_CORPUS", os.path.abspath(corpus[0]))
    return env


def check(row, args):
    name, _, command, limit = row
    log_name = os.path.join(args.build, "check-%s.log" % name.replace(" ", "-"))
    started = time.monotonic()
    status, log = run(command, environment(args), log_name, limit)
    took = time.monotonic() - started
    counts = count_meson(args.build, name) if command[0] == "meson" else count_suite(log)
    passed, failed, skipped = counts or (int(status == 0), 0, 0)
    if status != 0:
        failed = max(failed, 1)
    print("%6d passed  %4d failed%s  %6.1f s" % (passed, failed, "  %d skipped" % skipped if skipped else "", took))
    said = ["failed: %s: %s" % (name, line) for line in failures(log, status, limit)] if failed else []
    if failed:
        show_tail(log, log_name)
    for line in log.splitlines():
        if line.startswith("skipped: ") or "# SKIP" in line:
            print("    " + line)
    sys.stdout.flush()
    return (passed, failed, skipped), said


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--only", action="append", help="rows whose name begins so")
    p.add_argument("--list", action="store_true", help="only print the rows")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    rows = [r for r in table(args.build) if not args.only or r[0].startswith(tuple(args.only))]
    if args.list:
        print("\n".join("%-12s %s" % (r[0], " ".join(r[2])) for r in rows))
        return
    total, said = [0, 0, 0], []
    for i, row in enumerate(rows, 1):
        print("[%2d/%d] %-12s" % (i, len(rows), row[0]), end=" ", flush=True)
        if not os.path.exists(row[1]):
            print("FAILED: not here (%s)" % os.path.relpath(row[1], ROOT))
            total[1] += 1
            said.append("failed: %s: not here" % row[0])
            continue
        counts, more = check(row, args)
        total = [a + b for a, b in zip(total, counts)]
        said += more
    if total[2]:
        print("%d skipped, see above" % total[2])
    for line in said:
        print(line)
    print("%d passed, %d failed" % (total[0], total[1]))
    sys.exit(1 if total[1] or not total[0] else 0)


if __name__ == "__main__":
    main()
