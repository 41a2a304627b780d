"""Cases of run.py: layers that try to get out, and hosts that try to get what only the registry may see."""
import json
import os
import stat
import tarfile

import images


def challenges(score, p, image, new_registry):
    """Where a token is to be fetched is said by the registry alone, and what is sent there stays there."""
    def auth(reg, **entry):
        return {"REGISTRY_AUTH_FILE": p.write("auth.json", json.dumps({"auths": {reg.host: entry}}))}

    def thief(r, kind, name):
        if kind == "blob":
            r.reply(401, b"", [("WWW-Authenticate", f'Bearer realm="http://{away.host}/token"')])
        elif kind == "token":
            r.reply(200, b'{"token":"x"}')
        return True

    def to_thief(r, kind, name):
        if kind == "blob" and reg.allowed(r):
            r.reply(307, b"", [("Location", f"http://{away.host}/v2/x/blobs/{name}")])
            return True

    def token_away(r, kind, name):
        if kind == "token":
            r.reply(307, b"", [("Location", f"http://{away.host}/token")])
            return True

    def realm_away(r, kind, name):
        if kind == "manifest":
            r.reply(401, b"", [("WWW-Authenticate", 'Bearer realm="http://elsewhere.invalid/token"')])
            return True

    away = new_registry(thief)
    for kind in ("basic", "token"):
        reg = new_registry(to_thief, auth=kind)
        ref = reg.put("app", "1", image)
        got = p.call("pull", ref, env=auth(reg, username="me", password="hush-hush"))
        score.check(got.returncode == 5 and away.count("blob") > 0, f"{kind}: a challenge of whom one was redirected to: {got}")
    reg = new_registry(token_away, auth="token", user=None)
    got = p.call("pull", reg.put("app", "1", image), env=auth(reg, identitytoken="hush-hush"))
    score.check(got.returncode == 5, f"a token service that redirects a refresh token: {got}")
    score.check(away.count("token") == 0 and not [h for _, _, h in away.asked if "Authorization" in h], f"the other host sees nothing: {away.asked}")
    reg = new_registry(realm_away)
    got = p.call("pull", reg.put("app", "1", image), env=auth(reg, username="me", password="hush-hush"))
    score.check(got.returncode == 5 and "without TLS" in got.stderr, f"a token from another host without TLS: {got}")


def hostile(score, p):
    """Layers that try to get out, as an archive brings them; each ends as it says, and nothing outside has changed."""
    outside = p.path("outside")
    os.mkdir(outside, 0o777)
    os.chmod(outside, 0o777)
    victim = p.write("outside/victim", "safe", 0o666)
    up = "../" * 30
    device = tarfile.TarInfo("null")
    device.type, device.devmajor, device.devminor, device.mode = tarfile.CHRTYPE, 1, 3, 0o666
    block = tarfile.TarInfo("disk")
    block.type, block.devmajor, block.devminor, block.mode = tarfile.BLKTYPE, 8, 0, 0o666
    holes = images.sparse("sparse", [(0, b"head"), ((1 << 20) - 4, b"tail")], 1 << 20)
    rows = {
        "absolute name": (images.tar((outside + "/new", "x"), (victim, "x")), 0),
        "backsteps": (images.tar((up + outside + "/new", "x")), 3),
        "through a link": (images.tar(("l", "->" + outside), ("l/new", "x")), 3),
        "through links of links": (images.tar(("a", None), ("a/b", "->.."), ("a/b/c", "->" + up), (f"a/b/c{outside}/new", "x")), 3),
        "onto a link": (images.tar(("l", "->" + victim), ("l", "x")), 0),
        "directory onto a link": (images.tar(("l", "->" + outside), ("l", None, 0o700), ("l/new", "x")), 0),
        "hard link out": (images.tar(("l", "=>" + up + victim)), 3),
        "absolute hard link": (images.tar(("l", "=>" + victim)), 3),
        "hard link through a link": (images.tar(("d", "->" + outside), ("l", "=>d/victim")), 3),
        "hard link to a link, then onto it": (images.tar(("a", "->" + victim), ("b", "=>a"), ("b", "x")), 0),
        "whiteout outside": (images.tar(("d", "->" + outside), ("d/.wh.victim", "")), 3),
        "whiteout of the parent": (images.tar(("d", None), ("d/.wh...", "")), 3),
        "opaque outside": (images.tar(("d", "->" + outside), ("d/.wh..wh..opq", "")), 3),
        "devices": (images.tar(device, block), 0),
        "overlayfs' names": (images.tar(("d", None), xattrs={"user.overlay.opaque": "y", "trusted.overlay.redirect": outside, "security.capability": "x", "user.a": "b"}), 0),
        "set-user-id": (images.tar(("su", "x", 0o6755), ("d", None, 0o7777)), 0),
        "long names": (images.tar(("/".join(["n" * 250] * 15), "x"), ("t", "->" + "/".join(["n" * 250] * 16))), 0),
        "longer names": (images.tar(("/".join(["n" * 250] * 17), "x")), 10),
        "a part that is too long": (images.tar(("n" * 300, "x")), (3, 11)),
        "too deep": (images.tar(("/".join("d" * 300), "x")), 10),
        "holes": (holes, 0),
        "a map of holes without end": (images.sparse("sparse", [(0, b"")] * 3000000, 0), 10),
        "a hole too large": (images.sparse("sparse", [(0, b"x")], 1 << 50), 10),
        "owner": (images.tar(("f", "x"), uid=1 << 40), 0 if p.user or os.geteuid() else 3),
        "escape sequences": (images.tar(("\x1b[31m/../x", "x")), 3),
    }
    for what, (layer, status) in rows.items():
        archive = images.Image(layer).save(p.path("h.tar"), "hostile:1")
        got = p.call("import", archive)
        statuses = status if isinstance(status, tuple) else (status,)
        score.check(got.returncode in statuses and "\x1b" not in got.stderr, f"{what}: {got.returncode} {got.stderr[-300:]}")
        with open(victim) as f:
            same = (os.listdir(outside), f.read(), stat.S_IMODE(os.stat(victim).st_mode), os.stat(victim).st_nlink, stat.S_IMODE(os.stat(outside).st_mode))
        score.check(same == (["victim"], "safe", 0o666, 1, 0o777), f"{what}: outside there is {same}")
        shown = p.inspect("hostile:1") if got.returncode == 0 else None
        score.check((shown is None) == (got.returncode != 0), f"{what}: inspect")
        top = shown["layers"][0]["directory"] if shown else None
        if what == "devices":
            score.check(os.listdir(top) == [], f"{what}: {os.listdir(top)}")
        elif what == "overlayfs' names":
            score.check(os.listxattr(top + "/d") == ["user.a"], f"{what}: {os.listxattr(top + '/d')}")
        elif what == "set-user-id":
            score.check(stat.S_IMODE(os.stat(p.state + "/images").st_mode) == 0o700, f"{what}: nobody else may enter")
        elif what == "holes":
            with open(top + "/sparse", "rb") as f:
                data = f.read()
            score.check(data == b"head" + bytes((1 << 20) - 8) + b"tail", f"{what}: {len(data)} bytes, {data[:8]}")
        p.call("rm", *p.names())
    p.call("gc")
    score.check(not p.files("tmp", "layers"), f"hostile layers are gone: {p.files('tmp', 'layers')}")
