#!/usr/bin/env python3
"""Signals, closed pipes, full disks, missing permissions, two engines.

usage: faults.py SKIFF"""
import ctypes
import glob
import json
import os
import signal
import subprocess
import sys
import time

import common
import shapes

SLEEPER = shapes.HEAD + """  onExit: bye
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "echo S main >> @LOG@; sleep 60"]}
  - name: bye
    container: {image: busybox, command: [sh, -c, "echo S bye >> @LOG@"]}
"""
TALKER = shapes.HEAD + """  templates:
  - name: main
    steps:
    - - {name: s, template: one, withSequence: {count: "30"}}
  - name: one
    container: {image: busybox, command: ["true"]}
"""


def place_of(skiff, tier="none", **more):
    return common.Place(skiff, tier, **more)


def sleeper(place):
    path = place.file("sleeper.yaml", SLEEPER.replace("@LOG@", place.log_path()))
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: "S main" in place.lines(), "the step")
    return proc


def phase(place, name="w"):
    return ((place.get(name) or {}).get("status") or {}).get("phase")


def one_signal(score, skiff, signo):
    """Once: an orderly stop with the exit handler."""
    place = place_of(skiff)
    proc = sleeper(place)
    proc.send_signal(signo)
    proc.communicate(timeout=common.LIMIT_S)
    what = signal.Signals(signo).name
    score.check(proc.returncode == 128 + signo, f"{what}: exit status {proc.returncode}")
    score.check(phase(place) == "Failed", f"{what}: phase {phase(place)}")
    score.check("S bye" in place.lines(), f"{what}: the exit handler did not run")
    score.check(not (left := place.wait_clean()), f"{what}: left behind {left}")
    place.remove()


def two_signals(score, skiff, signo):
    """Twice: steps that do not want to end are killed, and the workflow is over."""
    place = place_of(skiff)
    body = SLEEPER.replace("echo S main >> @LOG@; sleep 60", "trap '' TERM; echo S main >> @LOG@; while :; do sleep 1; done")
    path = place.file("w.yaml", body.replace("@LOG@", place.log_path()))
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: "S main" in place.lines(), "the step")
    proc.send_signal(signo)
    told = proc.stderr.readline()
    while b"stopping" not in told:
        told = proc.stderr.readline()
    proc.send_signal(signo)
    proc.communicate(timeout=common.LIMIT_S)
    what = f"two {signal.Signals(signo).name}"
    score.check(proc.returncode == 128 + signo, f"{what}: exit status {proc.returncode}")
    score.check(phase(place) == "Failed", f"{what}: phase {phase(place)}")
    score.check("S bye" not in place.lines(), f"{what}: an exit handler ran")
    score.check(not (left := place.wait_clean()), f"{what}: left behind {left}")
    place.remove()


def closed_pipe(score, skiff):
    """`skiff run … | head -1`: the run is stopped as by a signal, and nothing of it is left to be resumed."""
    place = place_of(skiff)
    path = place.file("w.yaml", TALKER)
    proc = place.start(path, "--name", "w", stdout=subprocess.PIPE)
    proc.stdout.readline()
    proc.stdout.close()
    proc.wait(timeout=common.LIMIT_S)
    over = (proc.returncode, phase(place))  # it may have done its work before it noticed
    score.check(over in ((0, "Succeeded"), (128 + signal.SIGPIPE, "Succeeded"), (128 + signal.SIGPIPE, "Failed")), f"closed pipe: {over}")
    score.check(not (left := place.wait_clean()), f"closed pipe: left behind {left}")
    place.remove()


def fill(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, b"x" * 4096):
            pass
    except OSError:
        pass
    os.close(fd)


def full_disk(score, skiff, size_mib):
    """The state directory runs full during a run: said, nothing that was committed is lost, and
    with room again the run goes on."""
    if os.geteuid() != 0:
        score.skip("full disk: needs root for a tmpfs")
        return
    place = place_of(skiff)
    os.mkdir(place.state)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "skiff-test", place.state], capture_output=True).returncode:
        score.skip("full disk: no tmpfs can be mounted here")
        return
    try:
        path = place.file("w.yaml", shapes.limited(8).text(place))
        proc = place.start(path, "--name", "w")
        common.wait_for(lambda: place.lines() or proc.poll() is not None, "the first step")
        fill(place.state + "/filler")
        _, err = proc.communicate(timeout=common.LIMIT_S)
        said = b"full" in err or b"No space" in err
        score.check(proc.returncode == 0 or said, f"full disk: exit {proc.returncode}, said {err!r}")
        os.unlink(place.state + "/filler")
        for _ in range(2):
            if phase(place) not in common.PHASES_DONE:
                place.run("--resume", "w")
        status = (place.get("w") or {}).get("status") or {}
        wrong = [n for n in status.get("nodes", {}).values() if n["type"] == "Pod" and n["phase"] != "Succeeded"
                 and not any(word in n.get("message", "") for word in ("No space", "full"))]
        score.check(phase(place) in common.PHASES_DONE and not wrong, f"full disk: {phase(place)} with room again, {wrong}")
        again = {k: n for k, n in place.starts().items() if n != 1}
        score.check(not again, f"full disk: steps that ran more than once: {again}")
        if proc.returncode:
            ran = place.run(place.file("t.yaml", shapes.TRIVIAL))
            score.check(ran.returncode == 0, f"full disk: the next run: {ran.stderr.strip()}")
        left = place.wait_clean(but=f"mount {place.state}")
        score.check(not left, f"full disk: left behind {left}")
    finally:
        subprocess.run(["umount", "-l", place.state], check=False)
    place.remove()


def no_permission(score, skiff):
    """As an ordinary user: said with the path, exit status of an error, nothing crashes."""
    if os.geteuid() != 0:
        score.skip("no permission: needs root to become nobody")
        return
    place = place_of(skiff)
    os.mkdir(place.state, 0o700)
    path = place.file("t.yaml", shapes.TRIVIAL)
    program = place.root + "/skiff"
    subprocess.run(["cp", skiff, program], check=True)
    ran = subprocess.run([program, "run", path, "--state", place.state, "--runtime", "none"], capture_output=True, text=True,
                         user=65534, group=65534, extra_groups=[], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                         timeout=common.LIMIT_S)
    score.check(ran.returncode > 0 and place.state in ran.stderr, f"no permission: exit {ran.returncode}, {ran.stderr!r}")
    place.remove()


def two_engines(score, skiff):
    """However many begin at once: one engine, and all runs are right."""
    place = place_of(skiff)
    path = place.file("t.yaml", SLEEPER.replace("@LOG@", place.log_path()).replace("sleep 60", "true"))
    procs = [place.start(path, "--name", f"t{i}") for i in range(6)]
    for i, p in enumerate(procs):
        _, err = p.communicate(timeout=common.LIMIT_S)
        score.check(p.returncode == 0, f"six at once: run {i} ended with {p.returncode}: {err.decode().strip()}")
    ran = sorted(place.lines())
    score.check(ran == ["S bye"] * 6 + ["S main"] * 6, f"six at once: {ran}")
    score.check(not (left := place.wait_clean()), f"six at once: left behind {left}")
    place.remove()


def lost_step(score, skiff):
    """A step that died with its supervisor: Error by default, retried by a retryStrategy, begun
    again when on_lost says so."""
    for how, expect in (("error", "Error"), ("restart", "Succeeded")):
        place = place_of(skiff)
        body = shapes.HEAD + "  templates:\n  - name: main\n    container: {image: busybox, command: [sh, -c, \"echo S main >> " \
            f"{place.log_path()}; test -f {place.root}/go || sleep 60\"]}}\n"
        proc = place.start(place.file("w.yaml", body), "--name", "w")
        common.wait_for(lambda: "S main" in place.lines(), "the step")
        common.kill_everything(place, proc)
        place.file("go", "")
        place.run(place.file("t.yaml", shapes.TRIVIAL), env={"SKIFF_ON_LOST": how})
        if phase(place) not in common.PHASES_DONE:
            place.run("--resume", "w", env={"SKIFF_ON_LOST": how})
        score.check(phase(place) == expect, f"lost step, on_lost={how}: phase {phase(place)}")
        message = json.dumps((place.get("w") or {}).get("status"))
        score.check(how == "restart" or "step lost" in message, f"lost step: no word of it in {message}")
        score.check(not (left := place.wait_clean()), f"lost step: left behind {left}")
        place.remove()


def killed_supervisor(score, skiff):
    """The engine lives, a supervisor is killed: the step is lost, the retry is not."""
    for tier in common.host_tiers():
        place = place_of(skiff, tier)
        text = shapes.Shape("one", "  templates:\n  - name: main\n" + shapes.step(
            "x", "x-{{retries}}", ["test {{retries}} -gt 0 || sleep 60"], inputs="inputs: {}",
            extra="    retryStrategy: {limit: 2, retryPolicy: Always}\n").split("\n", 1)[1], []).text(place)
        proc = place.start(place.file("w.yaml", text), "--name", "w")
        common.wait_for(lambda: "S x-0" in place.lines(), "the step")
        slots = {p for p in common.descendants({proc.pid}) if common.comm(p) == "skiff-slot"}
        common.signal_all(slots, signal.SIGSTOP)
        common.signal_all(slots, signal.SIGKILL)
        proc.communicate(timeout=common.LIMIT_S)
        score.check(proc.returncode == 0, f"killed supervisor, {tier}: exit status {proc.returncode}")
        score.check("step lost" in json.dumps(place.get("w")), f"killed supervisor, {tier}: no word of it")
        score.check(place.lines() == ["S x-0", "S x-1", "E x-1"], f"killed supervisor, {tier}: {place.lines()}")
        score.check(not (left := place.wait_clean()), f"killed supervisor, {tier}: left behind {left}")
        place.remove()


PIDFD_GETFD = 438


def journals_of(supervisors):
    """Copies of their journals' descriptors: while one is open, the journal's lock is held."""
    held = []
    for pid in supervisors:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if "/slots/" in os.readlink(f"/proc/{pid}/fd/{fd}"):
                held.append(ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, os.pidfd_open(pid), int(fd), 0))
    return [fd for fd in held if fd >= 0 and os.readlink(f"/proc/self/fd/{fd}").rsplit("/", 1)[0].endswith("/slots")]


YOUNG = shapes.HEAD + """  templates:
  - name: main
    steps: [[{name: a, template: a}], [{name: b, template: b}]]
  - name: a
    container: {image: busybox, command: [sh, -c, "echo S a >> @LOG@; while ! test -e @GO@; do sleep 0.02; done"]}
  - name: b
    container: {image: busybox, command: [sh, -c, "kill -9 $PPID; sleep 60"]}
"""


def killed_young(score, skiff):
    """A supervisor dies while its step is too young to be shown as running, and is not seen to be dead yet."""
    place = place_of(skiff)
    go = place.root + "/go"
    path = place.file("w.yaml", YOUNG.replace("@LOG@", place.log_path()).replace("@GO@", go))
    proc = place.start(path, "--name", "w")
    common.wait_for(lambda: "S a" in place.lines(), "the step")
    supervisors = {p for p in common.descendants({proc.pid}) if common.comm(p) == "skiff-slot"}
    held = journals_of(supervisors)
    if not held:
        score.skip("killed young: nobody may take descriptors here")
    place.file("go", "")
    common.wait_for(lambda: proc.poll() is not None or any(common.zombie(p) for p in supervisors), "the end of a supervisor")
    time.sleep(0.1)  # chance: the engine asks again and again meanwhile
    for fd in held:
        os.close(fd)
    _, err = proc.communicate(timeout=common.LIMIT_S)
    score.check(proc.returncode == 1, f"killed young: exit status {proc.returncode}, {err!r}")
    score.check("step lost" in json.dumps(place.get("w")), "killed young: no word of it")
    score.check(not (left := place.wait_clean()), f"killed young: left behind {left}")
    place.remove()


def long_log(score, skiff):
    """What a step prints beyond the limit is dropped, in the log it says so, and the step ends as it ends."""
    for tier in common.host_tiers():
        place = place_of(skiff, tier)
        body = shapes.HEAD + "  templates:\n  - name: main\n    container: {image: busybox, command: [sh, -c, \"" \
            "head -c 3000000 /dev/zero | tr '\\\\0' x; echo; echo end\"]}\n"
        ran = place.run(place.file("w.yaml", body), "--name", "w", env={"SKIFF_LOG_MAX_MIB": "1"})
        logs = glob.glob(place.state + "/steps/*/main.log")
        score.check(ran.returncode == 0 and phase(place) == "Succeeded", f"long log, {tier}: exit {ran.returncode}, {ran.stderr!r}")
        score.check("log is not complete" in ran.stderr, f"long log, {tier}: nothing is said: {ran.stderr!r}")
        size = sum(os.path.getsize(path) for path in logs)
        score.check(900 << 10 < size < 1100 << 10, f"long log, {tier}: {size} bytes")
        said = place.call("logs", "w").stdout.rstrip().rsplit("\n", 1)[-1]
        score.check("log cut" in said, f"long log, {tier}: ends with {said[-100:]!r}")
        place.remove()


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1])
    for signo in (signal.SIGINT, signal.SIGTERM):
        one_signal(score, skiff, signo)
        two_signals(score, skiff, signo)
    for size_mib in (4, 16):  # the first is full at once, the second in the middle
        full_disk(score, skiff, size_mib)
    for test in (closed_pipe, no_permission, two_engines, lost_step, killed_supervisor, killed_young, long_log):
        test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
