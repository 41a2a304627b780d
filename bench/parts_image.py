"""Parts of the bench about images: steps in one; one of 500 MB into the store, against tar on the same layers."""
import io
import os
import shutil
import sys
import tarfile

import gen
import measure
import parts_steps

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "test", "image"))
import images  # noqa: E402


def layer(roots, most):
    """A tar of this machine's own files, at most so many bytes: sizes and names as in a real image."""
    out, taken = io.BytesIO(), 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for root in roots:
            for at, dirs, files in os.walk(root):
                dirs.sort()
                if taken > most * 0.95:
                    return out.getvalue()
                t.add(at, arcname=at.lstrip("/"), recursive=False)
                for path in sorted(os.path.join(at, f) for f in files):
                    if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
                        continue
                    if taken + os.path.getsize(path) <= most:
                        taken += os.path.getsize(path)
                        t.add(path, arcname=path.lstrip("/"), recursive=False)
    return out.getvalue()


def unpack(b):
    """Reading, checking three digests a layer, unpacking, and syncing to the disk; tar does the second half of that."""
    mib = 1 << (13 if b.quick else 20)
    tars = [layer(["/usr/lib"], 300 * mib), layer(["/usr/share"], 150 * mib), layer(["/usr/bin"], 50 * mib)]
    for packing, name in (("", "tar"), ("gzip", "tar+gzip"), ("zstd", "tar+zstd")):
        image = images.Image(*tars, packing=(packing,))
        at = image.layout(b.path("layout-" + name), "bench:1")
        files = ["%s/blobs/sha256/%s" % (at, images.digest(blob)[7:]) for blob in image.layers]
        to, state = b.path("unpacked"), b.state("root", "image")
        script = "rm -rf %s && mkdir %s && for f in %s; do tar -xf $f -C %s || exit 1; done" % (to, to, " ".join(files), to)
        ours = "rm -rf %s && %s image import %s --state %s" % (state, b.bin["skiff"], at, state)
        every = {"tar -x": lambda: measure.measure(["sh", "-c", script]),
                 "tar -x && sync": lambda: measure.measure(["sh", "-c", script + " && sync -f " + to]),
                 "skiff image import": lambda: measure.measure(["sh", "-c", ours], b.dir, b.env("root"))}
        r = measure.interleave(every, min(b.rounds, 3))
        size = sum(map(len, tars)) / 1e6
        print("    %.0f MB in three layers, %s" % (size, name))
        b.times(r, 1)
        b.ratio("unpack of %.0f MB, %s: skiff image import / tar -x && sync" % (size, name), r["skiff image import"], r["tar -x && sync"], 1.25)
        b.ratio("the same / tar -x, which syncs nothing", r["skiff image import"], r["tar -x"], None)
        for path in (at, to, state):
            shutil.rmtree(path, ignore_errors=True)


IMAGE = "bench.local/noop:1"


def noop_image(b):
    """An image of three layers, as a layout; what is run in it does nothing."""
    with open(b.bin["noop"], "rb") as f:
        program = f.read()
    layers = images.tar(("noop", program, 0o755)), images.tar(("etc", None), ("etc/a", "a")), images.tar(("etc", None), ("etc/b", "b"))
    at = images.Image(*layers, config={"WorkingDir": "/"}).layout(b.path("noop-image"), IMAGE)
    measure.measure(["chmod", "-R", "a+rX", at])
    return at


def steps_in_image(b):
    """A no-op in an unpacked image: many against the floor of tier overlay, one after the other against runc and podman."""
    count, chain = (200, 20) if b.quick else (1000, 100)
    layout, every = noop_image(b), {}
    files = {"many": b.write("image-many.yaml", gen.dag("independent", count, ["/noop"], image=IMAGE)),
             "chain": b.write("image-chain.yaml", gen.dag("chain", chain, ["/noop"], image=IMAGE)),
             "start": b.write("image-one.yaml", gen.single(["/noop"], image=IMAGE))}
    for user in b.users():
        measure.measure(b.as_user(user, [b.bin["skiff"], "image", "import", layout, "--state", b.state(user, "in-image")]), b.dir, b.env(user))
        for name, file in files.items():
            every["%s %s" % (name, user)] = b.skiff(user, "in-image", file)
    every["floor"] = b.floor("root", "overlay", "--workers", str(b.cores), "--count", str(count), "--", b.bin["noop"])
    for name, run in parts_steps.peers(b):
        if name in ("runc", "podman"):
            every[name] = run
    r = measure.interleave(every, b.rounds)
    b.times({k: v for k, v in r.items() if k.startswith("many") or k == "floor"}, count)
    for user in b.users():
        b.ratio("%d steps in an image, %s / floor (overlay)" % (count, user), r["many " + user], r["floor"], 1.3 if user == "root" else None)
    own = (r["chain " + b.users()[0]].wall() - r["start " + b.users()[0]].wall()) / (chain - 1)
    print("    skiff, a step of a chain     %8.0f µs" % (own * 1e6))
    parts_steps.rows_of_peers(b, r, (("runc", 5, "image"), ("podman", 20, "image")), {"image": own})
