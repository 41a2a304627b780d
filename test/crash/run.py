#!/usr/bin/env python3
"""All crash tests, and the sum of what they counted.

usage: run.py [SKIFF]; without it, the program that SKIFF in the environment names"""
import os
import re
import subprocess
import sys

TESTS = ("kill.py", "nth.py", "imagestore.py", "upkeep.py", "upgrade.py", "retry.py", "shared.py", "locks.py", "faults.py")


def main():
    skiff = sys.argv[1] if len(sys.argv) > 1 else os.environ["SKIFF"]
    here = os.path.dirname(os.path.abspath(__file__))
    total = [0, 0, 0]
    for test in TESTS:
        ran = subprocess.run([sys.executable, os.path.join(here, test), skiff], stdout=subprocess.PIPE, text=True)
        print(f"--- {test}\n{ran.stdout}", end="", flush=True)
        counts = re.search(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", ran.stdout)
        counted = [int(n or 0) for n in counts.groups()] if counts else [0, 1, 0]
        if ran.returncode and not counted[1]:
            counted[1] = 1  # it broke on the way
        total = [a + b for a, b in zip(total, counted)]
    print(f"{total[0]} passed, {total[1]} failed" + (f", {total[2]} skipped" if total[2] else ""))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
