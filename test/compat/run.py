#!/usr/bin/env python3
"""Runs Argo's own example files, unmodified, and compares what becomes of them with expect.tsv.

The files are no part of this repository: SKIFF_CORPUS, else ../shared/corpus/argo-examples beside
it, is where they are looked for. bad_input.py, which needs none of them, runs first.

usage: run.py [--all] [--images [--offline]] [--runtime auto|ro|overlay] [--corpus DIR] [FILE...]
  --all      also the files that take long (slow in the table)
  --images   every step runs in an image, made for the test from this host's programs and from Debian packages (real_images.py): names mean
             nothing else
  --offline  no package is fetched: what needs one is skipped
  --page     writes docs/argo-examples.md from the table, which the run proves; otherwise it must be current
  FILE       only rows whose name contains one of these words; slow ones too

Columns of expect.tsv (tab-separated, - = nothing):
  file      below the corpus
  outcome   Succeeded, Failed  the phase of the workflow
            ended              either of them: the file throws dice
            stored             documents that are kept, nothing runs
            later              needs what this version does not have: must be refused, in words, or warned of;
                               counts as skipped
            skip               not run; the note says why
  with      documents given on the command line before the file: from the corpus, or objects/NAME; `internet`: the
            file asks servers elsewhere. They are not reached: internet.py answers for them through a proxy, the file
            stays as it is, and what is judged is what the program makes of such answers;
            limit:KEY=N makes the limit of a database semaphore first;
            `image`: needs programs that only images have here: with --images; `net`: in private networks, where a step may listen on any
            port and has an address: with --images and as root
  limit     seconds; with "slow" only under --all
  checks    separated by "; ", each is one of
            NAME=PHASE         every node of that displayName has it (there is at least one);
            NAME=PHASE*N       and there are N of them. Phases as in status.
            no NAME            there is no such node
            NAME.OUT==TEXT     an output parameter, or result, of a node
            message~TEXT       part of status.message
            NAME.message~TEXT  part of a node's message
            log~TEXT           part of what the steps printed
            progress=N/M
            stop, terminate    given to `skiff` once a step runs
            set NAME OUT=TEXT  `skiff node set` of an output of the suspend step NAME, once that waits; then
            resume, resume NAME   of everything, or of the suspend step NAME, once it waits
  note      why, or what is special
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import internet
import real_images
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIFF = os.environ.get("SKIFF") or os.path.join(ROOT, "build/skiff")
COLUMNS = ("file", "outcome", "with", "limit", "checks", "note")
ENDED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
REFUSED = re.compile(r"not supported|neither mapped nor available|needs the program|has no effect in this version")
ACTS = ("stop", "terminate", "set", "resume")
GRACE_S = 20
QUICK_S = 15  # rows with a higher limit sleep more than they work, so many run at once


class Wrong(Exception):
    pass


def table():
    rows = []
    with open(os.path.join(HERE, "expect.tsv"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            cells = line.rstrip("\n").split("\t")
            if len(cells) != len(COLUMNS):
                sys.exit("expect.tsv:%d: %d columns, not %d" % (number, len(cells), len(COLUMNS)))
            row = dict(zip(COLUMNS, ["" if c == "-" else c for c in cells]))
            row["slow"] = row["limit"].endswith(" slow")
            row["limit"] = int(row["limit"].split()[0] or 15) if row["limit"] else QUICK_S
            rows.append(row)
    return rows


class Run:
    """One file in a state directory of its own."""

    def __init__(self, row, args, state):
        self.row, self.state = row, state
        self.deadline = time.monotonic() + row["limit"]
        words = row["with"].split()
        net = internet.shared() if "internet" in words else None
        files = [net.secrets] if net else []
        files += [os.path.join(HERE if w.startswith("objects/") else args.corpus, w) for w in words
                  if w not in ("internet", "image", "net") and not w.startswith("limit:")]
        if args.made:
            args.made.share(os.path.join(state, "s"))
        for key, number in [w[6:].split("=") for w in words if w.startswith("limit:")]:
            done = self.ask("sync", "create", key, "--type", "database", "--limit", number)
            if done.returncode:
                raise Wrong("sync create: " + done.stderr.strip())
        network = ["--network", "private"] if "net" in words else []
        command = self.command("run", "-o", "json", "--runtime", args.runtime, *network, *files, os.path.join(args.corpus, row["file"]))
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, cwd=state,
                                        env=dict(os.environ, **net.environment) if net else None)

    def command(self, verb, *words):
        return [SKIFF, verb, "--state", os.path.join(self.state, "s"), *words]

    def ask(self, verb, *words):
        return subprocess.run(self.command(verb, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GRACE_S)

    def wait_for(self, kind, name, why):
        """Until a node of that type (and displayName) runs."""
        while True:
            shown = self.ask("get", "@latest", "-o", "json")
            if shown.returncode == 0 and any(n["type"] == kind and n["phase"] == "Running" and name in ("", n["displayName"])
                                             for n in json.loads(shown.stdout)["status"].get("nodes", {}).values()):
                break
            if time.monotonic() > self.deadline or self.process.poll() is not None:
                raise Wrong("nothing ran that could be told to " + why)
            time.sleep(0.05)  # poll

    def act(self, check):
        """A check that says something to do."""
        verb, _, rest = check.partition(" ")
        if verb in ("stop", "terminate"):
            self.wait_for("Pod", "", verb)
            done = self.ask(verb, "@latest")
        elif verb in ("set", "resume"):
            name, _, out = rest.partition(" ")
            self.wait_for("Suspend", name, verb)
            picked = ["--node-field-selector", "displayName=" + name] if name else []
            done = self.ask("node", "set", "@latest", *picked, "-p", out) if verb == "set" else self.ask("resume", "@latest", *picked)
        else:
            return
        if done.returncode:
            raise Wrong("%s: %s" % (check, done.stderr.strip()))

    def finish(self):
        try:
            self.out, self.err = self.process.communicate(timeout=max(1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.terminate()
            try:
                self.process.communicate(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
            raise Wrong("did not end within %d s" % self.row["limit"])
        self.status_of_process = self.process.returncode
        self.workflow = None
        if self.out.startswith("{"):
            self.workflow = json.JSONDecoder().raw_decode(self.out)[0]  # the first of several

    def logs(self):
        return self.ask("logs", "@latest", "--no-color").stdout


def named(nodes, name):
    return [n for n in nodes if n["displayName"] == name]


def check_one(run, check):
    status = run.workflow["status"]
    nodes = list(status.get("nodes", {}).values())
    if check.startswith("no "):
        good, seen = not named(nodes, check[3:]), "there is one"
    elif check.startswith("log~"):
        good, seen = check[4:] in run.logs(), "the log has it not"
    elif check.startswith("message~"):
        seen = status.get("message", "")
        good = check[8:] in seen
    elif check.startswith("progress="):
        seen = status.get("progress")
        good = seen == check[9:]
    elif ".message~" in check:
        name, text = check.split(".message~")
        seen = [n.get("message", "") for n in named(nodes, name)]
        good = any(text in m for m in seen)
    elif "==" in check:
        place, text = check.split("==", 1)
        name, out = place.rsplit(".", 1)
        seen = []
        for n in named(nodes, name):
            outputs = n.get("outputs", {})
            seen += [p.get("value") for p in outputs.get("parameters", []) if p["name"] == out]
            seen += [outputs["result"]] if out == "result" and "result" in outputs else []
        good = text in seen
    else:
        name, _, phase = check.rpartition("=")
        phase, _, count = phase.partition("*")
        seen = [n["phase"] for n in named(nodes, name)]
        good = seen and all(p == phase for p in seen) and (not count or len(seen) == int(count))
    if not good:
        raise Wrong("%s: %s" % (check, seen))


def check_whole(run):
    """What holds for every workflow that is over."""
    w, status = run.workflow, run.workflow["status"]
    nodes = status.get("nodes", {})
    if not status.get("startedAt") or not status.get("finishedAt"):
        raise Wrong("startedAt or finishedAt is missing")
    if w["metadata"]["labels"].get("workflows.argoproj.io/completed") != "true":
        raise Wrong("the label workflows.argoproj.io/completed is not true")
    for n in nodes.values():
        if n["phase"] not in ENDED or not n.get("finishedAt"):
            raise Wrong("node %s is %s after the end" % (n["name"], n["phase"]))
        for child in n.get("children", []):
            if child not in nodes:
                raise Wrong("node %s has a child %s that is nowhere" % (n["name"], child))


def check_end(run):
    outcome = run.row["outcome"]
    if outcome == "stored":
        if run.status_of_process != 0 or run.workflow:
            raise Wrong("status %d: %s" % (run.status_of_process, run.err.strip()[-300:]))
        return
    if not run.workflow:
        raise Wrong("no workflow was printed, status %d: %s" % (run.status_of_process, run.err.strip()[-300:]))
    phase = run.workflow["status"].get("phase")
    check_whole(run)
    if outcome not in ("ended", phase) or (outcome == "ended" and phase not in ("Succeeded", "Failed")):
        failed = ["%s: %s" % (n["displayName"], n.get("message", "")) for n in run.workflow["status"]["nodes"].values()
                  if n["phase"] in ("Failed", "Error")]
        raise Wrong("%s, not %s: %s" % (phase, outcome, "; ".join(failed)[:400]))
    if run.status_of_process != (0 if phase == "Succeeded" else 1):
        raise Wrong("%s, but the exit status is %d" % (phase, run.status_of_process))
    for check in filter(None, run.row["checks"].split("; ")):
        if check.split()[0] not in ACTS:
            check_one(run, check)


def lacking(run, args):
    """What this host has not got for the row; or None."""
    if found := re.search(r"needs the program '([^']+)', which this host does not have", run.out):
        return "this host has no " + found.group(1)
    found = re.search(r"image '(?:[^':]*/)?([^':/]+)[^']*' is neither mapped", run.out)
    return args.made.lacking.get(found.group(1)) if found and args.made else None


def left_out(row, args):
    """Why a row is not run; or None."""
    words = row["with"].split()
    if row["outcome"] == "skip":
        return row["note"]
    if "image" in words and not args.made:
        return "needs programs that only images have here: --images"
    if "net" in words and os.geteuid() != 0:
        return "needs a network of its own: as root"
    return "slow: only with --all" if row["slow"] and not args.all and not args.file else None


def judge(row, args):
    """(row, "passed" | "failed" | "skipped", what to say, seconds)"""
    started = time.monotonic()
    result = ("passed", "")
    if why := left_out(row, args):
        return row, "skipped", why, 0.0
    with tempfile.TemporaryDirectory(prefix="skiff-compat-", ignore_cleanup_errors=True) as state:
        run = Run(row, args, state)
        try:
            for check in row["checks"].split("; "):
                run.act(check)
            run.finish()
            if row["outcome"] == "later":
                if not REFUSED.search(run.out + run.err):
                    raise Wrong("it says nowhere that it cannot do this")
                result = ("skipped", row["note"])
            elif why := lacking(run, args):
                result = ("skipped", why)
            else:
                check_end(run)
        except (Wrong, ValueError, KeyError, subprocess.TimeoutExpired) as e:
            result = ("failed", "%s: %s" % (type(e).__name__, e) if not isinstance(e, Wrong) else str(e))
        finally:
            if run.process.poll() is None:
                run.process.terminate()
                run.process.wait(GRACE_S)
    return row, result[0], result[1], time.monotonic() - started


def run_table(args):
    rows = [r for r in table() if not args.file or any(w in r["file"] for w in args.file)]
    missing = [r["file"] for r in rows if not os.path.exists(os.path.join(args.corpus, r["file"]))]
    if missing:
        print("not in the corpus: " + ", ".join(missing))
        rows = [r for r in rows if r["file"] not in missing]
    count = {"passed": 0, "failed": len(missing), "skipped": 0}
    reasons = {}
    with ThreadPoolExecutor(16) as sleepers, ThreadPoolExecutor(3) as quick:
        jobs = [(sleepers if r["limit"] > QUICK_S else quick).submit(judge, r, args)
                for r in sorted(rows, key=lambda r: -r["limit"])]
        for row, result, why, seconds in (j.result() for j in jobs):
            count[result] += 1
            if result == "skipped":
                reasons.setdefault(why, []).append(row["file"])
            if result != "skipped" or args.verbose:
                print("%-8s %-72s %-10s %5.1f s" % (result, row["file"], row["outcome"], seconds))
            if result == "failed":
                print("         " + why)
            sys.stdout.flush()
    for why in sorted(reasons, key=lambda w: -len(reasons[w])):
        print("skipped: %3d  %s" % (len(reasons[why]), why))
    return count


def bad_input():
    """The counts of bad_input.py."""
    p = subprocess.run([sys.executable, os.path.join(HERE, "bad_input.py")], stdout=subprocess.PIPE, text=True)
    print("bad_input.py: " + p.stdout, end="", flush=True)
    found = re.search(r"^(\d+) passed, (\d+) failed$", p.stdout, re.M)
    passed, failed = (int(n) for n in found.groups()) if found else (0, 1)
    return {"passed": passed, "failed": failed, "skipped": 0}


PAGE = os.path.join(ROOT, "docs/argo-examples.md")
README = os.path.join(ROOT, "README.md")
PAGE_HEAD = """# Argo's own examples

What becomes of each file in the `examples/` of Argo Workflows, unmodified. `make check` proves it where it finds the files
(`SKIFF_CORPUS`); this page is made of the same table, `test/compat/expect.tsv`. All files are also run in real images
(`test/compat/run.py --images`), those that say so only there.

- **Succeeded**, **Failed**: the phase of the workflow, which is the right one. **ended**: either, the file throws dice.
- **stored**: the documents are kept, nothing is to run.
- **refused**: it needs what this version does not have, and is told so.
- **not run**: the note says why.

| file | outcome | also judged | note |
|---|---|---|---|
"""


def page():
    """The table for readers."""
    def cell(text):
        return text.replace("|", "\\|")
    words = {"later": "refused", "skip": "not run"}
    return PAGE_HEAD + "".join("| %s | %s | %s | %s |\n" % (
        r["file"], words.get(r["outcome"], r["outcome"]), cell(r["checks"]), cell(r["note"])) for r in table())


SUMS = "Of the %d example files of Argo, %d run unmodified, %d are stored, %d are refused and %d are not run"


def sums():
    """What the README says of the table."""
    kinds = [r["outcome"] for r in table()]
    apart = [kinds.count(k) for k in ("stored", "later", "skip")]
    return SUMS % (len(kinds), len(kinds) - sum(apart), *apart)


def page_check(write):
    """Writes the page and the README's numbers, or counts whether they are current."""
    with open(README, encoding="utf-8") as f:
        readme = f.read()
    if write:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(page())
        with open(README, "w", encoding="utf-8") as f:
            f.write(re.sub(SUMS.replace("%d", r"\d+"), sums(), readme))
        return {"passed": 0, "failed": 0, "skipped": 0}
    with open(PAGE, encoding="utf-8") as f:
        same = f.read() == page() and sums() in readme
    if not same:
        print("FAILED: docs/argo-examples.md or README.md is not what the table says: run test/compat/run.py --page")
    return {"passed": int(same), "failed": int(not same), "skipped": 0}


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--all", action="store_true")
    p.add_argument("--images", action="store_true")
    p.add_argument("--offline", action="store_true")
    p.add_argument("--runtime", default="auto")
    p.add_argument("--verbose", "-v", action="store_true")
    p.add_argument("--corpus", default=os.environ.get("SKIFF_CORPUS") or os.path.join(ROOT, "../shared/corpus/argo-examples"))
    p.add_argument("--page", action="store_true")
    p.add_argument("file", nargs="*")
    args = p.parse_args()
    current = page_check(args.page)
    if args.page:
        return
    args.corpus = os.path.abspath(args.corpus)
    os.environ["SKIFF_IMAGE_PULL"] = "never"  # no test asks the internet
    if not os.access(SKIFF, os.X_OK):
        sys.exit("no program at %s: build it, or set SKIFF" % SKIFF)
    total = {"passed": 0, "failed": 0, "skipped": 0} if args.file or args.images else bad_input()
    for name, n in current.items():
        total[name] += n
    if os.path.isdir(args.corpus):
        with tempfile.TemporaryDirectory(prefix="skiff-images-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
            args.made = real_images.Images(SKIFF, folder, args.offline) if args.images else None
            os.environ.update(args.made.environment if args.made else {})
            for name, n in run_table(args).items():
                total[name] += n
    else:
        print("skipped: no corpus at %s: set SKIFF_CORPUS to a copy of Argo's examples" % args.corpus)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % total)
    sys.exit(1 if total["failed"] else 0)


if __name__ == "__main__":
    main()
