#!/usr/bin/env python3
"""SIGKILL at each fail-point of the image store: while images are pulled, imported and removed.

usage: imagestore.py SKIFF

The same command once more then ends well; what has a name is whole, and `skiff image gc` leaves nothing that nobody needs."""
import glob
import json
import os
import sys

import common
import points

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../image"))
import images  # noqa: E402
import registry  # noqa: E402


def whole(place, ref):
    got = place.call("image", "inspect", ref, "-o", "json")
    return got.returncode == 0 and all(os.path.isdir(layer["directory"]) for layer in json.loads(got.stdout)["layers"])


def left(place):
    return [p for p in glob.glob(place.state + "/images/**/*", recursive=True)
            if os.path.isfile(p) and not p.endswith("/lock") and "/fs/" not in p] + glob.glob(place.state + "/images/layers/*")


def killed(score, skiff, name, words, nth, ref, before=()):
    place = common.Place(skiff, "none")
    for earlier in before:
        made = place.call("image", *earlier)
        score.check(made.returncode == 0, f"image {earlier}: {made.stderr.strip()}")
    armed = points.Armed(place, name, nth)
    first = place.call("image", *words, env=armed.env)
    what = f"{name}, passage {nth} of image {words[0]}"
    if not armed.fired():
        score.check(first.returncode == 0 or words[0] == "gc", f"image {words}: {first.stderr.strip()}")
        place.remove()
        return False
    score.check(first.returncode == -9, f"{what}: exit status {first.returncode}")
    if first.returncode == -9 and words[0] != "gc":
        for shown in place.call("image", "ls", "-o", "name").stdout.split():
            score.check(whole(place, shown), f"{what}: {shown} is listed and not whole")
    again = place.call("image", *words)
    done = again.returncode == 0 or (words[0] == "rm" and again.returncode == 4)  # its name is gone already
    score.check(done, f"{what}: once more: {again.stderr.strip()}")
    if words[0] in ("pull", "import"):
        score.check(whole(place, ref), f"{what}: once more, and it is not whole")
        sick = json.loads(place.call("doctor", "-o", "json").stdout)
        score.check(all(c["status"] == "ok" for c in sick if c["check"] == "images"), f"{what}: doctor: {sick}")
        place.call("image", "rm", ref)
    place.call("image", "gc")
    score.check(not left(place), f"{what}: left behind {left(place)}")
    place.remove()
    return True


def main():
    score, skiff = common.Score(), sys.argv[1]
    image = images.sample()
    work = common.tempfile.mkdtemp(prefix="skiff-crash-")
    layout = image.layout(work + "/layout", "x")
    reg = registry.Registry()
    pulled, imported = reg.put("app", "1", image), "local/app:1"
    ways = [(["pull", pulled], pulled, ()), (["import", layout, "--name", imported], imported, ()),
            (["gc"], imported, (["import", layout, "--name", imported], ["rm", imported])),
            (["rm", imported], imported, (["import", layout, "--name", imported],))]
    mine = [n for n, where in points.ELSEWHERE.items() if where == "imagestore.py"]
    for name in mine:
        hits = 0
        for words, ref, before in ways:
            nth = 1
            while nth <= 4 and killed(score, skiff, name, words, nth, ref, before):
                nth += 1
            hits += nth - 1
        score.check(hits > 0, f"{name}: nobody passes it")
    reg.close()
    common.shutil.rmtree(work, ignore_errors=True)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
