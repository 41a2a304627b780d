#!/usr/bin/env python3
"""Images: pulled from registries on the loopback that behave and that do not, imported, removed, killed on their way; as this
user and, when that is root, as nobody too.

usage: run.py [SKIFF [CASE...]]; without it, the program that SKIFF in the environment names"""
import base64
import fcntl
import gzip
import json
import os
import pty
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "crash")]
import attacks  # noqa: E402
import dockerregistry  # noqa: E402
import images  # noqa: E402
import registry  # noqa: E402
from place import LIMIT_S, NOBODY, Place, new_registry, run_cases  # noqa: E402


def tree(top):
    """Every path of a directory with what it is."""
    found = {}
    for at, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(at, name)
            st = os.lstat(path)
            what = (stat.filemode(st.st_mode), st.st_rdev if stat.S_ISCHR(st.st_mode) else 0)
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what += (images.digest(f.read()),)
            elif stat.S_ISLNK(st.st_mode):
                what += (os.readlink(path),)
            if stat.S_ISDIR(st.st_mode) and "user.overlay.opaque" in os.listxattr(path):
                what += ("opaque",)
            found[os.path.relpath(path, top)] = what
    return found


def layers_are_right(score, shown, what):
    dirs = [layer["directory"] for layer in shown["layers"]]
    trees = [tree(d) for d in dirs]
    score.check(trees[0].get("bin/su", ("",))[0] == "-rwsr-xr-x", f"{what}: the set-user-id bit")
    score.check(os.stat(dirs[0] + "/bin/sh").st_ino == os.stat(dirs[0] + "/bin/busybox").st_ino, f"{what}: hard link within a layer")
    score.check(trees[0].get("w", ("",))[0] == "drwxrwxrwt", f"{what}: mode of a directory")
    score.check(trees[1].get("etc/gone", ("", 1))[:2] == ("c---------", 0) or trees[1].get("etc/gone", ("?",))[0][0] == "c", f"{what}: whiteout")
    score.check("opaque" in trees[1].get("opt", ()), f"{what}: opaque directory")
    score.check(trees[2].get("bin/ls", ("", 0, 1))[2] == trees[0].get("bin/busybox", ("", 0, 2))[2], f"{what}: hard link across layers")
    score.check(trees[2].get("link", ("", 0, 0))[2] == "etc/kept", f"{what}: symlink")
    score.check(os.stat(dirs[1] + "/etc").st_mtime == 1000000000, f"{what}: time of a directory")
    owner = (0, 0) if os.geteuid() == 0 and "nobody" not in what else None
    score.check(owner is None or (os.stat(dirs[0] + "/etc").st_uid, os.stat(dirs[0] + "/etc").st_gid) == owner, f"{what}: owner")


# ---- cases: (score, place) ----

def plain(score, p):
    reg = new_registry()
    image = images.sample()
    ref = reg.put("app", "1", image)
    got = p.call("pull", ref)
    score.check(got.returncode == 0 and got.stdout == f"{ref}@{images.digest(image.manifest)}\n", f"pull: {got}")
    score.check("\x1b" not in got.stderr and "ready" in got.stderr, "in a pipe progress is lines without escape codes")
    shown = p.inspect(ref)
    if not score.check(shown is not None, "inspect after pull"):
        return
    layers_are_right(score, shown, "pulled" + (" as nobody" if p.user else ""))
    c = shown["config"]
    score.check((c["Entrypoint"], c["Cmd"], c["Env"], c["User"], c["WorkingDir"]) ==
                (["/bin/busybox"], ["sh"], ["PATH=/bin", "A=b"], "1:2", "/w"), f"config: {c}")
    score.check(not [f for f in p.files("blobs/sha256", "tmp") if f.endswith(".partial") or f.startswith("tmp/")] and
                len(p.files("blobs/sha256")) == 2, f"packed layers go: {p.files('blobs/sha256', 'tmp')}")
    blobs = reg.count("blob")
    score.check(p.call("pull", ref).returncode == 0 and reg.count("blob") == blobs, "a second pull fetches no blob")
    asked = len(reg.asked)
    score.check(p.call("pull", "--policy", "IfNotPresent", ref).returncode == 0 and len(reg.asked) == asked, "IfNotPresent asks nobody")
    by_digest = ref[:-2] + "@" + images.digest(image.manifest)
    score.check(p.call("pull", "--policy", "Never", by_digest).returncode == 0, "the digest of an image that is here")
    score.check(p.call("pull", "--policy", "Never", reg.host + "/other:1").returncode == 4, "Never, and not here")
    got = p.call("pull", reg.host + "/other:1")
    score.check(got.returncode == 4 and "not known here" in got.stderr, f"not there: {got}")
    table = p.call("ls").stdout.splitlines()
    score.check(table[0].split() == ["REPOSITORY", "TAG", "DIGEST", "CREATED", "SIZE"] and len(table) == 2, f"ls: {table}")
    score.check(p.call("ls", "-o", "yaml").stdout.count("manifest:") == 1 and len(json.loads(p.call("ls", "-o", "json").stdout)) == 1, "ls -o")
    score.check(p.call("pull", "Bad//Name").returncode == 3, "a reference that is none")


def overlay(score, p):
    """The kernel's opinion about whiteouts, opaque directories and links."""
    if p.user or os.geteuid() != 0:
        return
    reg = new_registry()
    ref = reg.put("app", "1", images.sample())
    p.call("pull", ref)
    dirs = [layer["directory"] for layer in p.inspect(ref)["layers"]]
    os.mkdir(p.path("m"))
    for options in ("userxattr", "metacopy=off,redirect_dir=off"):
        script = f"mount -t overlay o -o ro,{options},lowerdir={':'.join(reversed(dirs))} {p.path('m')} && cd {p.path('m')} && " \
                 "find . | sort | tr '\\n' ' ' && cat link && chroot . /bin/busybox echo ' runs'"
        got = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
        want = ". ./bin ./bin/busybox ./bin/ls ./bin/sh ./bin/su ./dir ./dir/f ./etc ./etc/kept ./extra ./link ./opt ./opt/c ./w 2 runs\n"
        if got.returncode != 0 and "mount" in got.stderr:
            score.skip(f"no overlay here: {got.stderr.strip()}")
        else:
            score.check(got.stdout == want, f"overlay with {options}: {got}")


def lies(score, p):
    """What a registry may send wrong; nothing of it stays, and the right image comes afterwards."""
    image = images.sample()
    layer, config = images.digest(image.layers[0]), images.digest(image.config)
    doc = image.document()

    def body(kind_wanted, data, name_wanted=None):
        def hook(r, kind, name):
            if kind == kind_wanted and name_wanted in (None, name):
                r.reply(200, data, [("Content-Type", image.type)])
                return True
        return hook

    def with_digest(r, kind, name):
        if kind == "manifest":
            r.reply(200, image.manifest, [("Content-Type", image.type), ("Docker-Content-Digest", "sha256:" + "0" * 64)])
            return True

    def endless(r, kind, name):
        return name == layer and registry.chunks_for_ever(r)

    def endless_manifest(r, kind, name):
        return kind == "manifest" and registry.chunks_for_ever(r)

    def changed(**more):
        return body("manifest", json.dumps({**doc, **more}).encode())

    def layer_is(**more):
        return changed(layers=[{**doc["layers"][0], **more}, *doc["layers"][1:]])

    flipped = bytearray(image.layers[0])
    flipped[len(flipped) // 2] ^= 1
    other = images.Image(*image.tars[1:2], *image.tars[1:])  # a configuration whose first diff_id is another layer's
    rows = {
        "layer with another byte": (body("blob", bytes(flipped), layer), 3, "instead of " + layer),
        "other configuration": (body("blob", other.config, config), (3, 10), ""),
        "digest in the header": (with_digest, 3, "says that"),
        "endless layer": (endless, 10, "larger than"),
        "endless manifest": (endless_manifest, 10, "larger than"),
        "no JSON": (body("manifest", b"<html>"), 3, "manifest"),
        "schema 1": (body("manifest", b'{"schemaVersion":1,"fsLayers":[]}'), (3, 12), "schema 1"),
        "foreign layer": (layer_is(mediaType=images.DOCKER + "image.rootfs.foreign.diff.tar.gzip"), 12, "elsewhere"),
        "artifact": (changed(config={**doc["config"], "mediaType": "application/vnd.cncf.helm.config.v1+json"}), 12, "an artifact"),
        "size of a layer": (layer_is(size=len(image.layers[0]) - 1), 10, "more than the"),
        "fewer layers": (changed(layers=doc["layers"][:2]), 3, "layers"),
        "bomb of layers": (changed(layers=doc["layers"][:1] * 5000), 10, "LIMIT_IMAGE_LAYERS"),
        "digest as a path": (layer_is(digest="sha256:../../../../x"), 3, "digits"),
        "unpacked digest": (None, 3, "diff_id"),
    }
    for what, (hook, status, says) in rows.items():
        reg = new_registry(hook)
        wrong = images.Image(*image.tars)
        if what == "unpacked digest":
            text = json.loads(image.config)
            text["rootfs"]["diff_ids"][0] = "sha256:" + "1" * 64
            wrong.config = json.dumps(text).encode()
            wrong.manifest = json.dumps(wrong.document()).encode()
        ref = reg.put("app", "1", wrong if what == "unpacked digest" else image)
        got = p.call("pull", ref)
        statuses = status if isinstance(status, tuple) else (status,)
        score.check(got.returncode in statuses and says in got.stderr, f"{what}: {got.returncode} {got.stderr[-400:]}")
        score.check(p.names() == [] and not p.files("tmp"), f"{what}: leaves {p.names()} {p.files('tmp')}")
    reg = new_registry()
    ref = reg.put("app", "1", image)
    got = p.call("pull", ref)
    score.check(got.returncode == 0, f"the right image afterwards: {got}")
    layers_are_right(score, p.inspect(ref), "after lies" + (" as nobody" if p.user else ""))


def broken(score, p):
    """Connections that break off, servers that are busy."""
    image = images.sample(extra=random.Random(1).randbytes(3 << 20), packing=("gzip",))
    big = images.digest(image.layers[0])
    state = {"n": 0}

    def cut(r, kind, name):
        state["n"] += name == big
        if name != big or state["n"] > 4:
            return False
        at = int((r.headers.get("Range") or "bytes=0-")[6:-1])
        data = image.layers[0]
        part = data[at:at + 500000]
        r.reply(206 if at else 200, part, [("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")] if at else [], length=len(data) - at)
        return True

    def cut_without_ranges(r, kind, name):
        if name != big:
            return False
        state["n"] += 1
        data = image.layers[0]
        r.reply(200, data[:400000] if state["n"] == 1 else data, length=len(data))
        return True

    def wrong_range(r, kind, name):
        if name != big:
            return False
        state["n"] += 1
        data = image.layers[0]
        if state["n"] == 1:
            r.reply(200, data[:400000], length=len(data))
        else:
            r.reply(206, data[5:], [("Content-Range", f"bytes 5-{len(data) - 1}/{len(data)}")])
        return True

    def busy(r, kind, name):
        state["n"] += 1
        if state["n"] % 2 and kind != "ping":
            r.reply(429 if state["n"] % 4 == 1 else 503, b"x" * 20000, [("Retry-After", "0")])  # more than a small blob has
            return True

    def down(r, kind, name):
        if kind == "manifest":
            r.reply(500, b"", [("Retry-After", "0")])
            return True

    for what, hook, status in (("broken off", cut, 0), ("no ranges", cut_without_ranges, 0), ("another range", wrong_range, 3), ("busy", busy, 0),
                               ("down", down, 6)):
        state["n"] = 0
        reg = new_registry(hook)
        ref = reg.put("app", what.replace(" ", "-"), image)
        got = p.call("pull", ref)
        score.check(got.returncode == status, f"{what}: {got}")
        if what == "broken off":
            ranges = [h["Range"] for k, n, h in reg.asked if n == big and "Range" in h]
            score.check(ranges == [f"bytes={i * 500000}-" for i in range(1, 5)], f"goes on where it was: {ranges}")
        if status == 0:
            layers_are_right(score, p.inspect(ref), what + (" as nobody" if p.user else ""))
        for name in p.names():
            p.call("rm", name)
        p.call("gc")
        left = p.files("blobs/sha256", "layers", "manifests", "refs", "tmp")
        score.check(not left, f"{what}: after rm and gc there is {left}")
    score.check(p.call("pull", "127.0.0.1:1/x:1").returncode == 6, "nobody listens")


def credentials(score, p):
    image = images.sample()
    secret = "hush-hush"

    def config(**more):
        return {"DOCKER_CONFIG": os.path.dirname(p.write("docker/config.json", json.dumps(more)))}

    def auths(reg, password=secret):
        return {reg.host: {"auth": base64.b64encode(f"me:{password}".encode()).decode()}}

    for kind in ("basic", "token"):
        reg = new_registry(auth=kind)
        ref = reg.put("team/app", "1", image)
        got = p.call("pull", ref)
        score.check(got.returncode == 5 and "login" in got.stderr, f"{kind}, nothing known: {got}")
        got = p.call("pull", ref, env=config(auths=auths(reg, "wrong-secret")))
        score.check(got.returncode == 5 and "wrong-secret" not in got.stderr, f"{kind}, wrong password: {got}")
        got = p.call("pull", ref, env=config(auths=auths(reg)))
        score.check(got.returncode == 0 and secret not in got.stderr, f"{kind}: {got}")
        file = p.write("auth.json", json.dumps({"auths": {reg.host: {"auth": "eDp5"}, reg.host + "/team": auths(reg)[reg.host]}}))
        for name in ("REGISTRY_AUTH_FILE", "SKIFF_IMAGE_AUTH_FILE"):
            got = p.call("pull", ref, env={name: file})
            score.check(got.returncode == 0, f"{kind}, {name}, the longest path: {got}")
        for name in p.names():
            p.call("rm", name)
    reg = new_registry(auth="token")
    reg.token_uses = 1
    ref = reg.put("app", "1", image)
    got = p.call("pull", ref, env={**config(auths=auths(reg)), "SKIFF_IMAGE_PARALLEL": "1"})
    score.check(got.returncode == 0 and len(reg.tokens) > 4, f"a token that serves once: {got}, {len(reg.tokens)} tokens")
    p.call("rm", ref)
    log = p.write("helper.log", "", 0o666)
    p.write("bin/docker-credential-test", f'#!/bin/sh\nread server || :\necho "$0 $* <$server" >>{log}\n'
            f'[ "$server" = {reg.host} ] || {{ echo "credentials not found in native keychain"; exit 1; }}\n'
            f'echo \'{{"Username":"me","Secret":"{secret}"}}\'\n', 0o755)
    reg.token_uses = None
    path = {"PATH": p.path("bin") + ":" + os.environ["PATH"]}
    for words in ({"credsStore": "test"}, {"credHelpers": {reg.host: "test"}}):
        got = p.call("pull", ref, env={**config(**words), **path})
        score.check(got.returncode == 0, f"helper {words}: {got}")
    with open(log) as f:
        score.check(set(f.read().splitlines()) == {f"{p.path('bin')}/docker-credential-test get <{reg.host}"}, "a helper gets the server on its stdin")
    score.check(p.call("pull", ref, env=config(credsStore="absent")).returncode == 5, "a helper that is not installed")


def elsewhere(score, p):
    """Blobs on other hosts get no credentials; mirrors; the same host under another port is another."""
    image = images.sample()
    store = new_registry()
    store.put("x", "1", image)

    def away(host):
        def hook(r, kind, name):
            if kind == "blob" and reg.allowed(r):
                r.reply(307, b"", [("Location", f"http://{host}:{store.port}/v2/x/blobs/{name}")])
                return True
        return hook

    for auth in ("basic", "token"):
        for host in ("localhost", "127.0.0.1"):
            reg = new_registry(away(host), auth=auth)
            ref = reg.put("app", "1", image)
            store.asked.clear()
            file = p.write("auth.json", json.dumps({"auths": {reg.host: {"username": "me", "password": "hush-hush"}}}))
            got = p.call("pull", ref, env={"REGISTRY_AUTH_FILE": file})
            score.check(got.returncode == 0 and store.count("blob") == 4, f"redirected: {got} {store.count('blob')}")
            score.check(not [h for _, _, h in store.asked if "Authorization" in h], f"no credentials for {host}, which was redirected to")
            p.call("rm", ref)
    attacks.challenges(score, p, image, new_registry)
    mirror = new_registry()
    mirror.put("cache/library/app", "1", image)
    env = {"SKIFF_IMAGE_MIRRORS": f"docker.io=127.0.0.1:1 docker.io={mirror.host}/cache"}
    got = p.call("pull", "app:1", env=env)
    score.check(got.returncode == 0 and p.names() == ["app:1"] and mirror.count("blob") == 4, f"mirrors: {got}")
    p.call("rm", "app:1")
    lying = new_registry(lambda r, kind, name: kind == "blob" and (r.reply(200, b"x" * 10) or True))
    lying.put("app", "1", image)
    reg = new_registry()
    ref = reg.put("app", "1", image)
    got = p.call("pull", ref, env={"SKIFF_IMAGE_MIRRORS": f"{reg.host}={lying.host}"})
    score.check(got.returncode == 0, f"a mirror that lies is passed over: {got}")


def platforms(score, p):
    reg = new_registry()
    two = [images.sample(arch=a) for a in ("amd64", "arm64")]
    for i in two:
        reg.put("app", "x", i)
    ref = reg.put_raw("app", "multi", *images.index(*two))
    for arch in ("amd64", "arm64"):
        got = p.call("pull", ref, "--platform", "linux/" + arch)
        shown = p.inspect(ref, "--platform", "linux/" + arch)
        ok = got.returncode == 0 and shown and shown["platform"].startswith("linux/" + arch)
        if score.check(ok, f"{arch}: {got}"):
            with open(shown["layers"][0]["directory"] + "/etc/kept") as f:
                score.check(f.read() == "1" + arch, "the layers of that platform")
    got = p.call("pull", ref, "--platform", "linux/s390x")
    score.check(got.returncode == 4 and "linux/amd64, linux/arm64" in got.stderr, f"not for that platform: {got}")
    score.check(len(p.names()) == 2 and p.call("rm", ref, "--platform", "linux/arm64").returncode == 0 and len(p.names()) == 1, "rm of one platform")
    score.check(p.call("pull", "--platform", "linux", ref).returncode == 3, "no platform")


def together(score, p):
    """Several processes, one download of each blob; layers that images share come once."""
    go = threading.Event()
    image = images.sample(extra=random.Random(2).randbytes(1 << 20))

    def slow(r, kind, name):
        if kind == "blob":
            go.wait(LIMIT_S)
        return False

    reg = new_registry(slow)
    ref = reg.put("app", "1", image)
    twin = images.Image(*image.tars[:2], images.tar(("more", "m")), packing=("gzip", "zstd"))
    other = reg.put("twin", "1", twin)
    procs = [p.start("pull", r) for r in (ref, other, ref, other)]
    while reg.count("manifest") < 4 and all(x.poll() is None for x in procs):
        time.sleep(0.02)  # poll
    go.set()
    outs = [x.communicate(timeout=LIMIT_S) for x in procs]
    score.check(all(x.returncode == 0 for x in procs), f"together: {outs}")
    for b in image.layers + twin.layers:
        score.check(reg.count("blob", images.digest(b)) == 1, f"a layer came {reg.count('blob', images.digest(b))} times")
    score.check(len(p.files("layers")) == 4, f"layers are shared: {p.files('layers')}")


def in_use(score, p):
    reg = new_registry()
    ref = reg.put("app", "1", images.sample())
    p.call("pull", ref)
    shown = p.inspect(ref)
    hold = f"{p.state}/images/holds/{shown['manifest'][7:]}"
    with open(hold, "a") as f:
        fcntl.flock(f, fcntl.LOCK_SH)
        got = p.call("rm", ref)
        score.check(got.returncode == 9 and "in use" in got.stderr and p.inspect(ref), f"rm of an image in use: {got}")
        reg.put("app", "1", images.Image(images.tar(("new", "n"))))
        score.check(p.call("pull", ref).returncode == 0, "the name moves on")
        p.call("gc")
        score.check(all(os.path.isdir(layer["directory"]) for layer in shown["layers"]), "gc leaves what a step uses, though nobody names it")
    dry = p.call("gc", "--dry-run").stdout
    score.check("would remove layer" in dry and os.path.isdir(shown["layers"][0]["directory"]), f"gc --dry-run: {dry}")
    p.call("gc")
    score.check(not any(os.path.exists(layer["directory"]) for layer in shown["layers"]), "gc takes what nobody uses any more")
    score.check(p.call("rm", "nobody/has:1").returncode == 4, "rm of what is not there")
    top = images.tar(("d/x", "x"))  # does not say what d is: unpacked for itself, or for what lies below
    ref, alone = reg.put("stack", "1", images.Image(images.tar(("d", None, 0o700)), top)), reg.put("alone", "1", images.Image(top))
    p.call("pull", ref)
    before = [layer["directory"] for layer in p.inspect(ref)["layers"]]
    p.call("pull", alone)
    other = p.inspect(alone)["layers"][0]["directory"]
    score.check([layer["directory"] for layer in p.inspect(ref)["layers"]] == before and other not in before, "an image keeps the layers that it came with")
    p.call("rm", alone)
    p.call("gc")
    score.check(all(map(os.path.isdir, before)) and not os.path.exists(other), f"and gc leaves them: {before}, {p.files('layers')}")
    lock = open(f"{p.state}/images/lock", "a")
    fcntl.flock(lock, fcntl.LOCK_SH)
    score.check(p.call("gc").returncode == 9, "gc while something is pulled")
    lock.close()


def imports(score, p):
    image = images.sample(packing=("gzip", "zstd", ""))
    mine = "" if not p.user else " as nobody"
    archive = image.save(p.path("a.tar"), "app:1", "other/app:2")
    p.write("a.tar.gz", gzip.compress(open(archive, "rb").read(), 1))
    p.write("a.tar.zst", images.zstd(open(archive, "rb").read()))
    layout = image.layout(p.path("layout"), "1.0")
    subprocess.run(["tar", "-cf", p.path("layout.tar"), "-C", layout, "."], check=True)
    named = image.layout(p.path("named"), "ghcr.io/x/y:3")
    for words, names in ((["a.tar"], ["app:1", "other/app:2"]), (["a.tar.gz", "--name", "n:1"], ["n:1"]), (["a.tar.zst", "--name", "n"], ["n:latest"]),
                         ([layout, "--name", "l:1"], ["l:1"]), (["layout.tar", "--name", "l:2"], ["l:2"]), ([named], ["ghcr.io/x/y:3"])):
        got = p.call("import", *words)
        score.check(got.returncode == 0 and got.stdout.split() == names, f"import {words}: {got}")
        if got.returncode == 0:
            layers_are_right(score, p.inspect(names[0]), f"import {words}{mine}")
    with open(archive, "rb") as f:
        got = p.call("import", "-", "--name", "pipe:1", stdin=f)
    score.check(got.returncode == 0, f"import from a pipe: {got}")
    got = p.call("import", layout)
    score.check(got.returncode == 2 and "--name" in got.stderr, f"a layout without a name: {got}")
    victim = f"{layout}/blobs/sha256/{images.digest(image.layers[0])[7:]}"
    with open(victim, "r+b") as f:
        f.seek(100)
        f.write(b"\xff\xff")
    p.call("rm", *p.names())
    got = p.call("import", layout, "--name", "bad:1")
    score.check(got.returncode == 3 and p.names() == [], f"a damaged layout: {got}")
    os.remove(victim)
    os.symlink("/etc/hostname", victim)
    score.check(p.call("import", layout, "--name", "bad:1").returncode in (11, 3), "a layout that leads out")
    for name, text in (("empty.tar", b""), ("text", b"hello" * 1000), ("none.tar", images.tar(("a", "b")))):
        got = p.call("import", p.write(name, text), "--name", "bad:1")
        score.check(got.returncode == 3 and p.names() == [], f"{name}: {got}")
    score.check(p.call("import", "absent.tar").returncode == 4, "no such file")
    bombs = {"declared size": b"".join([(b"big" + bytes(97) + b"0000644\0" + b"0000000\0" * 2 + b"\x80" + (1 << 40).to_bytes(11, "big") + b"00000000000\0" +
                                         b"        " + b"0" + bytes(100) + b"ustar\0" + b"00").ljust(512, b"\0")])}
    for what, raw in bombs.items():
        head = bytearray(raw)
        head[148:156] = b"%06o\0 " % sum(head)
        bomb = images.Image(bytes(head) + bytes(1024), packing=("",))
        got = p.call("import", bomb.layout(p.path("bomb")), "--name", "bomb:1")
        score.check(got.returncode == 10 and p.names() == [], f"bomb, {what}: {got}")


def skopeo(score, p):
    """What another program makes of the same images."""
    if not shutil.which("skopeo"):
        return score.skip("skopeo is not installed")
    image = images.sample(packing=("gzip",), docker=True)
    archive = image.save(p.path("a.tar"), "docker.io/library/app:1")
    for to, words in (("oci:" + p.path("oci:app"), [p.path("oci"), "--name", "app:1"]), (f"oci-archive:{p.path('oci.tar')}:app:1", [p.path("oci.tar"), "--name", "app:1"]),
                      (f"docker-archive:{p.path('d.tar')}:app:1", [p.path("d.tar")])):
        done = subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "docker-archive:" + archive, to], capture_output=True, text=True)
        if done.returncode:
            score.skip(f"skopeo: {done.stderr.strip()[:200]}")
            continue
        subprocess.run(["chmod", "-R", "a+rX", p.root + "/oci", p.root + "/oci.tar", p.root + "/d.tar"], capture_output=True)
        got = p.call("import", *words)
        score.check(got.returncode == 0 and p.names() == ["app:1"], f"{to}: {got}")
        if got.returncode == 0:
            layers_are_right(score, p.inspect("app:1"), to + (" nobody" if p.user else ""))
        p.call("rm", "app:1")


def real_registry(score, p):
    """Debian's docker-registry."""
    if not dockerregistry.is_installed():
        return score.skip("docker-registry is not installed")
    server = dockerregistry.DockerRegistry(p.root)
    try:
        two = [images.sample(arch=a, packing=("gzip",), docker=True) for a in ("amd64", "arm64")]
        for i in two:
            server.push("team/app", images.digest(i.manifest), i.type, i.manifest, i.blobs())
        kind, text = images.index(*two)
        server.push("team/app", "1", kind, text, {})
        ref = f"localhost:{server.port}/team/app:1"
        got = p.call("pull", ref, "--platform", "linux/amd64")
        score.check(got.returncode == 0 and got.stdout == f"{ref}@{images.digest(text)}\n", f"docker-registry: {got}")
        layers_are_right(score, p.inspect(ref, "--platform", "linux/amd64"), "docker-registry" + (" as nobody" if p.user else ""))
        got = p.call("pull", f"localhost:{server.port}/team/app:none")
        score.check(got.returncode == 4, f"no such tag: {got}")
    finally:
        server.close()


def killed(score, p):
    """SIGKILL at any instant of a pull or import, again and again; then it ends right, and nothing is left over."""
    rnd = random.Random(7)
    image = images.sample(extra=rnd.randbytes(4 << 20))
    archive = image.save(p.path("a.tar"), "app:1")
    reg = new_registry()
    ref = reg.put("app", "1", image)
    started = time.monotonic()
    p.call("pull", ref)
    whole = time.monotonic() - started
    p.call("rm", ref)
    p.call("gc")
    kills = i = 0
    while kills < 5 or i < (40 if not p.user else 25):
        if (i := i + 1) > 500:
            break
        x = p.start(*(["pull", ref] if i % 2 else ["import", archive]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            x.wait(rnd.uniform(0, whole * 1.1))
        except subprocess.TimeoutExpired:
            x.send_signal(signal.SIGKILL)
            kills += 1
        x.wait()
        for name in p.names():  # what is named is whole
            if not (shown := p.inspect(name)):
                score.check(False, f"kill {i}: {name} is listed and cannot be read")
            elif tree(shown["layers"][0]["directory"]).get("extra", ("", 0, 0))[2] != images.digest(tar_file(image.tars[0], "extra")):
                score.check(False, f"kill {i}: {name} is not whole")
            if rnd.random() < 0.5:
                y = p.start("rm", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    y.wait(rnd.uniform(0, 0.02))
                except subprocess.TimeoutExpired:
                    y.send_signal(signal.SIGKILL)
                y.wait()
    score.check(kills >= 5, f"{kills} kills")
    for words in (["pull", ref], ["import", archive]):
        got = p.call(*words)
        score.check(got.returncode == 0, f"after {kills} kills: {got}")
    layers_are_right(score, p.inspect(ref), f"after {kills} kills" + (" as nobody" if p.user else ""))
    p.call("gc")
    left = [f for f in p.files("tmp", "blobs/sha256", "layers")]
    score.check(len(left) == 3 + 3 and not p.files("tmp"), f"after kills and gc: {left}")  # of both images, which have one configuration
    p.call("rm", *p.names())
    p.call("gc")
    score.check(not p.files("tmp", "blobs/sha256", "layers", "refs", "manifests", "holds"), "after rm and gc nothing")


def tar_file(data, name):
    import io
    import tarfile
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        return t.extractfile(name).read()


def taken_up(score, p):
    """A pull that was killed goes on with what it had."""
    image = images.sample(extra=random.Random(3).randbytes(3 << 20), packing=("gzip",))
    big = images.digest(image.layers[0])
    half, first = threading.Event(), [True]

    def hook(r, kind, name):
        if name != big or not first[0]:
            return False
        first[0] = False
        r.reply(200, image.layers[0][:1000000], length=len(image.layers[0]))
        half.set()
        return True

    def stall(r, kind, name):
        if name == big and half.is_set() and first[0] is False and not done.is_set():
            done.wait(LIMIT_S)
            return False
        return hook(r, kind, name)

    done = threading.Event()
    reg = new_registry(stall)
    ref = reg.put("app", "1", image)
    x = p.start("pull", ref)
    partial = f"{p.state}/images/blobs/sha256/{big[7:]}.partial"
    while x.poll() is None and not (os.path.exists(partial) and os.path.getsize(partial) == 1000000):
        time.sleep(0.02)  # poll
    x.send_signal(signal.SIGKILL)
    x.communicate()
    done.set()
    reg.asked.clear()
    got = p.call("pull", ref)
    ranges = [h.get("Range") for k, n, h in reg.asked if n == big]
    score.check(got.returncode == 0 and "bytes=1000000-" in ranges and None not in ranges, f"taken up: {got}, {ranges}")
    layers_are_right(score, p.inspect(ref), "taken up" + (" as nobody" if p.user else ""))
    p.call("rm", ref)
    with open(partial, "wb") as f:  # and when what is there is wrong
        f.write(b"x" * 500000)
    os.chmod(partial, 0o600)
    if p.user:
        os.chown(partial, NOBODY, NOBODY)
    score.check(p.call("pull", ref).returncode == 0, "a partial file that is wrong is begun anew")


def terminal(score, p):
    reg = new_registry()
    ref = reg.put("app", "1", images.sample())
    for env, bars in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "SKIFF_PROGRESS": "plain"}, False)):
        main, sub = pty.openpty()
        x = p.start("pull", ref, env=env, stderr=sub)
        os.close(sub)
        said = b""
        try:
            while piece := os.read(main, 65536):
                said += piece
        except OSError:
            pass
        os.close(main)
        x.communicate()
        score.check((b"\x1b[" in said) == bars and x.returncode == 0, f"{env}: {said[:200]}")
        score.check(not re.search(rb"\x1b\[[0-9;]*m", said), f"{env}: bars without colours")
        p.call("rm", ref)


CASES = [plain, overlay, lies, broken, credentials, elsewhere, platforms, together, in_use, imports, attacks.hostile, skopeo, real_registry, killed, taken_up, terminal]

if __name__ == "__main__":
    sys.exit(run_cases(CASES, Place))
