#!/usr/bin/env python3
"""Several `skiff run` on one state directory: one is the engine, the others follow. The engine is
killed, or leaves because its own workflow is over; somebody else goes on in its place.

usage: shared.py [--rounds N] [--seed S] [--only ROUND] SKIFF"""
import random
import sys
import time

import common
import shapes

RUNS = 3


def owner(place, procs):
    """The process that holds engine.lock, as the kernel says."""
    import os
    try:
        inode = os.stat(place.state + "/engine.lock").st_ino
    except OSError:
        return None
    with open("/proc/locks") as f:
        for line in f:
            words = line.split()
            if "->" not in words and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                return next((p for p in procs if p.pid == int(words[4])), None)
    return None


def loop_text(place, prefix, n, sleep_s):
    shape = shapes.limited(n)
    text = shape.text(place).replace("value: \"l{{item}}\"", f"value: \"{prefix}{{{{item}}}}\"")
    return text.replace("sleep 0.06", f"sleep {sleep_s}")


def crash_round(score, skiff, seed, number):
    rng = random.Random(f"{seed}/{number}")
    tier = rng.choice(common.host_tiers())
    place = common.Place(skiff, tier)
    text = f"round {number}, tier {tier}"
    procs = []
    for i in range(RUNS):
        path = place.file(f"{i}.yaml", loop_text(place, f"w{i}-", rng.randint(3, 9), rng.choice([0.05, 0.1])))
        procs.append(place.start(path, "--name", f"w{i}"))
        time.sleep(rng.uniform(0, 0.05))  # chance
    time.sleep(rng.uniform(0, 0.4))  # chance
    killed = owner(place, procs)
    if killed and killed.poll() is None:
        common.kill_engine(killed)
    for i, p in enumerate(procs):
        _, err = p.communicate(timeout=common.LIMIT_S)
        if p is not killed:
            score.check(p.returncode == 0, f"{text}: run {i} ended with {p.returncode}: {err.decode(errors='replace').strip()}")
    finish(score, place, text, procs, killed)
    return killed is not None


def finish(score, place, text, procs, killed):
    """The killed one's own workflow goes on with whoever is there; when nobody was, it is resumed."""
    for i, p in enumerate(procs):
        wf = place.get(f"w{i}")
        if p is killed and wf is None:
            continue  # it died before it was accepted
        phase = ((wf or {}).get("status") or {}).get("phase")
        if p is killed and phase not in common.PHASES_DONE:
            place.run("--resume", f"w{i}")
            phase = place.get(f"w{i}")["status"]["phase"]
        score.check(phase == "Succeeded", f"{text}: workflow w{i} is {phase}")
    again = {k: n for k, n in place.starts().items() if n != 1}
    score.check(not again, f"{text}: steps that ran more than once: {again}")
    left = place.left_after_kills()
    score.check(not left, f"{text}: left behind: {left}")
    place.remove()


def leave_round(score, skiff):
    """The first leaves when its short workflow is over; the second has to go on by itself."""
    place = common.Place(skiff, "none")
    short = place.file("0.yaml", loop_text(place, "w0-", 1, 0.3))
    long = place.file("1.yaml", loop_text(place, "w1-", 6, 0.3))
    first = place.start(short, "--name", "w0")
    common.wait_for(lambda: owner(place, [first]), "the first engine")
    second = place.start(long, "--name", "w1")
    for p in (first, second):
        _, err = p.communicate(timeout=common.LIMIT_S)
        score.check(p.returncode == 0, f"leaving: ended with {p.returncode}: {err.decode(errors='replace').strip()}")
    finish(score, place, "leaving", [first, second], None)


def main():
    score, o, killed = common.rounds(crash_round, 10)
    leave_round(score, o.skiff)
    print(f"{killed} engines killed")
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
