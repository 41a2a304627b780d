#!/usr/bin/env python3
"""Signals, closed pipes, full disks, missing permissions, two engines.

usage: faults.py SKIFF"""
import json
import os
import signal
import subprocess
import sys

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
        score.check(phase(place) in common.PHASES_DONE, f"full disk: phase {phase(place)} with room again")
        if proc.returncode:
            ran = place.run(place.file("t.yaml", shapes.TRIVIAL))
            score.check(ran.returncode == 0, f"full disk: the next run: {ran.stderr.strip()}")
        place.wait_clean()
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


def main():
    score = common.Score()
    skiff = os.path.abspath(sys.argv[1])
    for signo in (signal.SIGINT, signal.SIGTERM):
        one_signal(score, skiff, signo)
        two_signals(score, skiff, signo)
    for size_mib in (4, 16):  # the first is full at once, the second in the middle
        full_disk(score, skiff, size_mib)
    for test in (closed_pipe, no_permission, two_engines, lost_step, killed_supervisor):
        test(score, skiff)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
