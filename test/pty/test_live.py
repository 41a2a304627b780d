#!/usr/bin/env python3
"""The live view on a pseudo-terminal: python3 test_live.py PROGRAM

PROGRAM is cli_verbs_test, which with arguments is the command line over a service that serves the
files named in its environment. Prints one TAP line for each check."""
import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from screen import Screen  # noqa: E402

START = "2026-11-21T10:00:00Z"
WF = {"namespace": "default", "name": "big", "uid": "u"}


def make_run(directory, count):
    """A DAG of `count` tasks: its changes, and the object at the end."""
    nodes, changes = {}, []

    def change(kind, body):
        key = "node" if kind == "node" else "status"
        changes.append({"seq": len(changes) + 1, "workflow": WF, "type": kind, key: dict(body)})

    def node(name, kind, **more):
        return {"id": name, "name": "big" if name == "big" else "big." + name, "displayName": name, "type": kind,
                "templateName": "t", "startedAt": START, **more}

    change("workflow", {"phase": "Running", "startedAt": START})
    root = node("big", "DAG", phase="Running")
    change("node", root)
    running = []
    for i in range(count):
        n = node("task-with-a-rather-long-name(%d:日本)" % i, "Pod", boundaryID="big", phase="Running")
        nodes[n["id"]] = n
        change("node", n)
        running.append(n)
        if len(running) == 40 or i == count - 1:
            for k, m in enumerate(running):
                m.update(phase="Failed" if (i + k) % 97 == 0 else "Succeeded", finishedAt=START,
                         message="exit code 1: a message that is long enough to be cut on every terminal" * 2)
                change("node", m)
            running = []
    root = dict(root, phase="Failed", finishedAt=START)
    nodes["big"] = root
    change("node", root)
    status = {"phase": "Failed", "startedAt": START, "finishedAt": START}
    change("workflow", status)
    wf = {"metadata": {"name": "big", "namespace": "default", "creationTimestamp": START}, "spec": {"entrypoint": "m"},
          "status": {"phase": "Running", "startedAt": START, "nodes": nodes}}  # so that watch follows it
    with open(os.path.join(directory, "workflows.json"), "w") as f:
        json.dump([wf], f)
    with open(os.path.join(directory, "changes.jsonl"), "w") as f:
        f.writelines(json.dumps(c) + "\n" for c in changes)


def run(program, words, env, rows, cols, events=()):
    """Returns the screen, the exit status, the bytes and the seconds. events: (after s, function)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(program, [program] + words, env)
    screen, raw, start = Screen(rows, cols), b"", time.monotonic()

    def resize(r, c):
        screen.resize(r, c)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    held, events, decoder = "", list(events), codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        if events and time.monotonic() - start > events[0][0]:
            events.pop(0)[1](pid, resize)
        ready, _, _ = select.select([fd], [], [], 0.02)
        if not ready:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        raw += data
        text = held + decoder.decode(data)
        held = re.search(r"(\x1b(\[[0-9;?]*)?)?\Z", text).group()  # a sequence that is not whole yet
        screen.feed(text[:len(text) - len(held)])
    return screen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), raw, time.monotonic() - start


class Checks:
    def __init__(self):
        self.n = self.failed = 0

    def __call__(self, ok, what, detail=""):
        self.n += 1
        self.failed += not ok
        print("%s %d - %s%s" % ("ok" if ok else "not ok", self.n, what, "" if ok else "  # %s" % (detail,)))


def environment(directory, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR", "CLICOLOR_FORCE")}
    env.update(TERM="xterm-256color", SKIFF_STATE=directory, HOME=directory, TZ="UTC", SKIFF_FAKE_STEP_US="1500",
               SKIFF_FAKE_WORKFLOWS=directory + "/workflows.json", SKIFF_FAKE_CHANGES=directory + "/changes.jsonl")
    env.update(more)
    return env


def frames_stay_on_the_screen(check, program, directory, rows, cols):
    env = environment(directory)
    size = "%dx%d" % (cols, rows)
    # the longest tree is the whole screen's worth many times over; without it only frames are drawn
    screen, status, raw, seconds = run(program, ["watch", "big"], env, rows, cols)
    live = raw[:raw.rfind(b"\x1b[?2026l")]
    seen = Screen(rows, cols)
    seen.feed(live.decode() + "\x1b[?2026l")
    check(not seen.scrolled, size + ": frames never scroll", seen.scrolled[:3])
    check(seen.wrapped == 0, size + ": frames never wrap", seen.wrapped)
    check(b"\x1b[2J" not in raw, size + ": the screen is never cleared")
    frames = raw.count(b"\x1b[?2026h")
    check(3 <= frames <= seconds * 10 + 3, size + ": at most ten frames a second", (frames, seconds))
    check(seen.text()[-1].startswith("["), size + ": the last line counts", seen.text()[-1:])
    check(screen.cursor_shown, size + ": the cursor is back")
    check(status == 1, size + ": the status is the run's", status)
    text = "\n".join(screen.text()).replace("\n", "")
    check(text.startswith("Name:") and text.count("STEP") == 1, size + ": the end is the tree, once", screen.text()[:3])
    check("running" not in text, size + ": nothing is left of the frames")
    plain = subprocess.run([program, "get", "big"], env=env, capture_output=True, text=True).stdout
    check(sum("task-with" in line for line in screen.text()) >= plain.count("task-with"), size + ": every step is in it")


def no_color_means_none(check, program, directory):
    for name, more, words in (("NO_COLOR", {"NO_COLOR": "1"}, []), ("TERM=dumb", {"TERM": "dumb"}, []),
                              ("--no-color", {}, ["--no-color"])):
        screen, _, raw, _ = run(program, ["watch", "big"] + words, environment(directory, SKIFF_FAKE_STEP_US="0", **more), 24, 80)
        colored = [s for s in screen.sequences if s.endswith("m")]
        check(not colored, name + ": no colour", colored[:3])
        check(name != "TERM=dumb" or b"\x1b" not in raw, name + ": no escape sequence where they are not understood")
    _, _, raw, _ = run(program, ["--ascii", "watch", "plain"],
                       environment(directory, SKIFF_FAKE_WORKFLOWS=directory + "/plain.json",
                                   SKIFF_FAKE_CHANGES=directory + "/plain.jsonl"), 24, 80)
    check(all(b < 0x80 for b in raw), "--ascii: every byte is ASCII", [b for b in raw if b >= 0x80][:5])
    _, _, raw, _ = run(program, ["watch", "big"], environment(directory, CI="true", SKIFF_FAKE_STEP_US="0"), 24, 80)
    check(b"\x1b[?2026h" not in raw and b"RUNNING" in raw, "CI=true: plain lines")


def resizing_is_survived(check, program, directory):
    smaller = (0.4, lambda pid, resize: resize(10, 40))
    larger = (0.8, lambda pid, resize: resize(30, 100))
    screen, status, raw, _ = run(program, ["watch", "big"], environment(directory), 24, 80, (smaller, larger))
    check(status == 1 and "Name:" in "\n".join(screen.text()), "a resized terminal ends in the tree", screen.text()[-3:])
    check(b"\x1b[2J" not in raw, "a resized terminal is never cleared")


def ctrl_c_detaches_or_stops(check, program, directory):
    interrupt = (0.4, lambda pid, resize: os.kill(pid, signal.SIGINT))
    again = (0.8, lambda pid, resize: os.kill(pid, signal.SIGINT))
    screen, status, _, _ = run(program, ["watch", "big"], environment(directory), 24, 80, (interrupt,))
    check(status == 130 and any("detached" in line for line in screen.text()), "watch: Ctrl-C detaches", (status, screen.text()[-3:]))
    check(screen.cursor_shown, "watch: the cursor is back after Ctrl-C")
    screen, status, raw, _ = run(program, ["run", "--resume", "big"], environment(directory), 24, 80, (interrupt,))
    check(status == 130, "run: Ctrl-C stops", status)
    env = environment(directory, SKIFF_FAKE_STUBBORN="1", SKIFF_FAKE_STEP_US="10000")
    screen, status, raw, seconds = run(program, ["run", "--resume", "big"], env, 24, 80, (interrupt, again))
    check(status == 130 and seconds < 5, "run: a second Ctrl-C kills", (status, seconds))
    check(b"Ctrl-C again kills" in raw, "run: the first one says so")


def readers_may_leave(check, program, directory):
    env = environment(directory)
    p = subprocess.run("%s list -A -o json | head -c 1; exit ${PIPESTATUS[0]}" % program, shell=True, env=env,
                       executable="/bin/bash", capture_output=True)
    check(p.returncode in (0, 141) and p.stderr == b"", "a reader that leaves is no error", (p.returncode, p.stderr))


def main():
    program = os.path.abspath(sys.argv[1])
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    check = Checks()
    with tempfile.TemporaryDirectory() as directory:
        make_run(directory, 500)
        with open(directory + "/workflows.json") as f:
            text = f.read()
        with open(directory + "/plain.json", "w") as f:
            f.write(text.replace("big", "plain").replace("\\u65e5\\u672c", "x"))
        with open(directory + "/changes.jsonl") as f:
            text = f.read()
        with open(directory + "/plain.jsonl", "w") as f:
            f.write(text.replace("big", "plain").replace("\\u65e5\\u672c", "x"))
        frames_stay_on_the_screen(check, program, directory, 24, 80)
        frames_stay_on_the_screen(check, program, directory, 10, 40)
        no_color_means_none(check, program, directory)
        resizing_is_survived(check, program, directory)
        ctrl_c_detaches_or_stops(check, program, directory)
        readers_may_leave(check, program, directory)
    print("1..%d" % check.n)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
