"""Volumes: what a step leaves in one does not lead the next step, or Skiff, to other files."""
import os

from input_cases import Failed, check, ended  # noqa: F401

CASES = []
TIERS = ("ro", "overlay")


def case(fn):
    CASES.append(fn)
    return fn


def volume(b, name="volume"):
    """A directory that steps of any user may write to, and one beside it that no step has mounted."""
    top = os.path.join(b.base, "%s-%d" % (name, b.next_id))
    outside = top + "-outside"
    for d in (top, outside):
        os.mkdir(d)
        os.chmod(d, 0o777)
    return top, outside


@case
def a_sub_path_does_not_leave_its_volume(b):
    for tier in TIERS:
        top, outside = volume(b)
        links = {"abs": outside, "up": "../" + os.path.basename(outside), "root": "/", "magic": "/proc/self/root" + outside}
        script = "".join("ln -s %s /data/%s; " % (to, name) for name, to in links.items())
        ended(b.sh(script, tier=tier, bind=top + ":/data"), 0)
        for name in links:
            for sub in (name, name + "/new", name + "/new/deep", name + outside + "/new"):
                r = b.sh("echo x >/m/planted", tier=tier, bind=top + ":/m", sub_path=sub)
                check(r["end"] == "error", "%s: %s" % (sub, r["text"]))
        check(os.listdir(outside) == [], str(os.listdir(outside)))


@case
def a_sub_path_is_made_and_follows_links_within_its_volume(b):
    for tier in TIERS:
        top, _ = volume(b)
        ended(b.sh("mkdir -p /data/a/b; ln -s ../a /data/a/again; echo f >/data/a/file", tier=tier, bind=top + ":/data"), 0)
        for sub in ("a/b", "new", "new/deep/er", "a/again/b", "a/again/c", "./a//d/"):
            r = b.sh("echo %s >/m/here" % sub, tier=tier, bind=top + ":/m", sub_path=sub)
            ended(r, 0)
            check(os.path.exists(os.path.join(top, sub, "here")), sub)
        check(os.stat(os.path.join(top, "new/deep")).st_mode & 0o777 == 0o777, "the mode of what was made")
        r = b.sh("cat /m", tier=tier, bind=top + ":/m", sub_path="a/file", capture=True)
        check(r.get("result") == "f", r["text"])


@case
def an_input_in_a_sub_path_stays_in_the_volume(b):
    top, outside = volume(b)
    os.symlink(outside, os.path.join(top, "out"))
    source = os.path.join(b.base, "source-%d" % b.next_id)
    with open(source, "w") as f:
        f.write("given")
    ended(b.sh("cat /m/in", bind=top + ":/m", sub_path="sub", input=source + ":/m/in"), 0)
    check(os.path.exists(os.path.join(top, "sub/in")), "it is not in the volume")
    r = b.sh("true", bind=top + ":/m", sub_path="out/sub", input=source + ":/m/in")
    check(r["end"] == "error" and os.listdir(outside) == [], r["text"])


@case
def outputs_are_what_the_step_may_read(b):
    """Root's step has no capability; a file that is closed to it is no output of it, either."""
    if not b.root:
        return  # nobody else could read it
    for tier in TIERS:
        top, _ = volume(b)
        for name, uid, mode in (("theirs", 1234, 0o600), ("sub/theirs", 1234, 0o600), ("sub/own", 0, 0o600), ("own", 0, 0o600), ("open", 1234, 0o644)):
            path = os.path.join(top, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write("text")
            os.chown(path, uid, uid)
            os.chmod(path, mode)
        names = ["theirs", "own", "open"]
        r = b.sh("for f in theirs own open; do cat /m/$f; done", tier=tier, bind=top + ":/m", param=["p%s=/m/%s" % (n, n) for n in names],
                 artifact=["a%s=/m/%s" % (n, n) for n in names] + ["sub=/m/sub"])
        check(b.log().count("Permission denied") == 1 and b.log().count("text") == 2, b.log())
        check(r["param"]["ptheirs"] == ["missing", "Permission denied"], r["text"])
        check(r["artifact"]["atheirs"][0] == "missing" and not os.path.exists(b.output("atheirs")), r["text"])
        check(r["artifact"]["sub"][0] == "dir" and os.listdir(b.output("sub")) == ["own"], r["text"])  # without what it may not read
        for n in ("own", "open"):
            check(r["param"]["p" + n] == ["found", "text"] and r["artifact"]["a" + n][0] == "file", r["text"])


@case
def mounts_are_made_in_the_order_of_their_paths(b):
    for tier in TIERS:
        top, _ = volume(b)
        other, _ = volume(b, "other")
        with open(os.path.join(other, "f"), "w") as f:
            f.write("inner")
        r = b.sh("cat /v/bind/f; echo 1 >/v/mem/x; echo 2 >/v/bind/mem/y; df /v/mem /v/bind/mem | grep -c tmpfs", tier=tier, capture=True,
                 bind=[other + ":/v/bind", top + ":/v"], tmpfs=["/v/bind/mem", "/v/mem"])
        ended(r, 0)
        check(r["result"] == "inner2", r["text"])
        check(os.listdir(os.path.join(top, "mem")) == [] and os.listdir(os.path.join(other, "mem")) == [], "written to a volume")


@case
def a_file_that_is_mounted_into_a_volume_does_not_stay_there(b):
    for tier in TIERS:
        for user in ({}, {"uid": 1234} if b.root else {}):
            top, _ = volume(b)
            r = b.sh("cat /v/key /v/sub/key /k; ls -A /dev/shm; echo x >>/v/key", tier=tier, bind=top + ":/v", capture=True,
                     apart=["/v/key=one,", "/v/sub/key=two,", "/k=three"], **user)
            ended(r, 0)
            check(r["result"] == "one,two,three", r["text"])
            found = {n: open(os.path.join(top, n)).read() for n in ("key", "sub/key")}
            check(set(found.values()) == {""}, str(found))
            r = b.sh("cat /v/key", tier=tier, bind=top + ":/v", apart="/v/key=again", capture=True)
            check(r["result"] == "again", r["text"])
            ended(b.sh("cat /v/key", tier=tier, bind=top + ":/v:ro", apart="/v/key=ro"), 0)
    r = b.sh("ls -l /v/out", bind=top + ":/v", apart="/v/out/key=secret", artifact="o=/v/out")
    check(r["artifact"]["o"][:2] == ["dir", "copied"], r["text"])
