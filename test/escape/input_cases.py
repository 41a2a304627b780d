"""Inputs of steps: a step changes what it gets, and nobody else sees that."""
import os


class Failed(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def ended(r, status):
    check(r.get("status") == str(status), "status %s wanted:\n%s" % (status, r["text"]))


CASES = []
SMALL, LARGE = 1000, 3 << 20  # written out; an overlay
TIERS = ("ro", "overlay")


def case(fn):
    CASES.append(fn)
    return fn


def stored(b, size=SMALL, name="x"):
    """A file and a tree as the repository keeps them."""
    top = os.path.join(b.state, "kept-%d-%d" % (b.next_id, size))
    tree = os.path.join(top, "tree")
    os.makedirs(os.path.join(tree, "sub", "deep"))
    for path in (os.path.join(top, name), os.path.join(tree, "a"), os.path.join(tree, "sub/b"), os.path.join(tree, "sub/deep/c")):
        with open(path, "w") as f:
            f.write("old\n" + "." * (size if path.endswith((name, "/a")) else 0))
    for d, _, files in os.walk(top):
        for path in [d] + [os.path.join(d, f) for f in files]:
            os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)
            if os.geteuid() == 0 and not b.root:
                os.chown(path, 65534, 65534)
    return os.path.join(top, name), tree


def seen(top):
    """Everything that is there: path -> mode, size, beginning."""
    out = {}
    for d, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(d, name)
            st = os.lstat(path)
            out[path] = (st.st_mode, st.st_uid, "" if os.path.isdir(path) else open(path).read(4), 0 if os.path.isdir(path) else st.st_size)
    return out


def unchanged(b, paths, before):
    for path in paths:
        check(seen(os.path.dirname(path)) == before, "what is stored was changed: " + path)


@case
def a_file_may_be_changed_and_stays_as_it_is(b):
    for size in (SMALL, LARGE):
        file, _ = stored(b, size, "odd,name:with\\all")
        before = seen(os.path.dirname(file))
        for tier in TIERS:
            r = b.sh("set -e; head -c 3 /tmp/in; wc -c </tmp/in; echo more >>/tmp/in; tail -c 5 /tmp/in; echo new >/tmp/in; cat /tmp/in; stat -c %a /tmp/in",
                     tier=tier, input=link_safe(b, file) + ":/tmp/in", capture=True)
            ended(r, 0)
            check(r["result"].split() == ["old%d" % (size + 4), "more", "new", "644"], "%s %d: %s" % (tier, size, r["text"]))
        unchanged(b, [file], before)


def link_safe(b, file):
    """step_try splits at colons: what has some is reached through a link."""
    link = os.path.join(b.state, "to-%d" % b.next_id)
    os.symlink(file, link)
    return link


@case
def a_directory_may_be_changed_and_stays_as_it_is(b):
    script = """set -e; cd /tmp/in; echo more >>a; rm sub/b; mkdir new; echo 1 >new/file; rm -r sub; mkdir sub; ls -A sub | wc -l
                mv a renamed; tail -c 5 renamed; ls -A | tr '\\n' ' '"""
    for size in (SMALL, LARGE):
        _, tree = stored(b, size)
        before = seen(os.path.dirname(tree))
        for tier in TIERS:
            for bytes_ in (size, 1 << 30):
                r = b.sh(script, tier=tier, input=tree + ":/tmp/in", bytes=bytes_, capture=True)
                ended(r, 0)
                check(r["result"].split() == ["0", "more", "new", "renamed", "sub"], "%s %d: %s" % (tier, size, r["text"]))
        unchanged(b, [tree], before)


@case
def directories_in_a_directory_may_be_renamed(b):
    _, tree = stored(b)
    program = "import os; os.rename('/tmp/in/sub', '/tmp/in/moved'); print(open('/tmp/in/moved/deep/c').read())"
    for tier in TIERS:
        r = b.run(["python3", "-c", program], tier=tier, input=tree + ":/tmp/in", bytes=SMALL, capture=True)
        check(r.get("result") == "old\n", "%s: %s" % (tier, r["text"]))


@case
def a_small_file_may_be_removed_and_replaces_a_link(b):
    file, _ = stored(b)
    for tier in TIERS:
        r = b.sh("rm /tmp/in && ls /tmp", tier=tier, input=file + ":/tmp/in", capture=True)
        ended(r, 0)
        check(r["result"] == "", r["text"])
    r = b.sh("head -c 3 /bin/sh; test ! -L /usr/bin/sh", input=file + ":/usr/bin/sh")
    check("status 0" not in r["text"], "the shell was replaced, so it cannot run: " + r["text"])


@case
def inputs_may_lie_anywhere(b):
    file, tree = stored(b)
    for tier in TIERS:
        for top in ("", "/skiff-data", "/usr/share/skiff-in", "/argo/inputs/artifacts", "/mnt/x"):
            r = b.sh("set -e; cd %s/; echo y >>skiff-in; echo z >skiff-tree/z; ls skiff-tree" % top, tier=tier, capture=True,
                     input=[file + ":" + top + "/skiff-in", tree + ":" + top + "/skiff-tree/"])
            ended(r, 0)
            check(r["result"].split() == ["a", "sub", "z"], "%s %s: %s" % (tier, top, r["text"]))


@case
def an_input_may_lie_in_another(b):
    file, tree = stored(b)
    for tier in TIERS:
        r = b.sh("cat /tmp/in/new/f | head -c 3; ls /tmp/in", tier=tier, input=[file + ":/tmp/in/new/f", tree + ":/tmp/in"], capture=True)
        ended(r, 0)
        check(r["result"].split() == ["olda", "new", "sub"], r["text"])


@case
def what_is_taken_in_and_given_out_at_one_path_has_the_changes(b):
    for size in (SMALL, LARGE):
        file, tree = stored(b, size)
        before = seen(os.path.dirname(file))
        for tier in TIERS:
            r = b.sh("echo more >>/tmp/f; rm -r /tmp/d/sub/deep; echo 1 >/tmp/d/sub/new", tier=tier, input=[file + ":/tmp/f", tree + ":/tmp/d"],
                     artifact=["f=/tmp/f", "d=/tmp/d"])
            ended(r, 0)
            check(r["artifact"]["f"][1] == "moved", r["text"])
            check(open(b.output("f")).read().endswith("more\n"), "the file's change is lost")
            check(sorted(os.listdir(b.output("d"))) == ["a", "sub"] and sorted(os.listdir(b.output("d/sub"))) == ["b", "new"], r["text"])
            check(os.path.getsize(b.output("d/a")) == size + 4, "a file of the directory is not whole")
            r = b.sh("true", tier=tier, input=[file + ":/tmp/f", tree + ":/tmp/d"], artifact=["f=/tmp/f", "d=/tmp/d", "s=/tmp/d/sub"])
            ended(r, 0)
            check(os.path.getsize(b.output("f")) == size + 4 and os.listdir(b.output("s")), "unchanged ones are not whole: " + r["text"])
        unchanged(b, [file], before)


@case
def outputs_beside_and_around_inputs_are_whole(b):
    file, tree = stored(b, LARGE)
    for tier in TIERS:
        r = b.sh("mkdir /tmp/w/d/fresh; echo 1 >/tmp/w/d/fresh/x; echo 2 >/tmp/w/d/y; mv /tmp/w /tmp/v", tier=tier,
                 input=[file + ":/tmp/w/f", tree + ":/tmp/w/d"], artifact=["w=/tmp/v"])
        ended(r, 0)
        check(os.path.getsize(b.output("w/f")) == LARGE + 4 and open(b.output("w/d/fresh/x")).read() == "1\n", r["text"])
        r = b.sh("mkdir /tmp/w/d/fresh; echo 1 >/tmp/w/d/fresh/x; echo 2 >/tmp/w/d/y; ln -s /tmp/w /tmp/way", tier=tier, bind="%s:/tmp/w/v" % b.home,
                 input=[file + ":/tmp/w/f", tree + ":/tmp/w/d"], artifact=["w=/tmp/way", "n=/tmp/w/d/fresh", "y=/tmp/w/d/y"])
        ended(r, 0)
        check(sorted(os.listdir(b.output("w"))) == ["d", "f", "v"], os.listdir(b.output("w")))
        check(os.path.getsize(b.output("w/f")) == LARGE + 4 and os.path.exists(b.output("w/v/secret")), r["text"])
        check(open(b.output("n/x")).read() == "1\n", r["text"])


@case
def modes_are_the_copy_s(b):
    for size in (SMALL, LARGE):
        file, tree = stored(b, size)
        before = seen(os.path.dirname(file))
        r = b.sh("cd /tmp; stat -c %a f d d/a e e/a e/sub", input=[file + ":/tmp/f:750", tree + ":/tmp/d:700", tree + ":/tmp/e:711r"], capture=True)
        ended(r, 0)
        check(r["result"].split() == "750 700 644 711 711 711".split(), r["text"])
        unchanged(b, [file], before)


@case
def another_user_owns_what_he_gets(b):
    if not b.root:
        return
    for size in (SMALL, LARGE):
        file, tree = stored(b, size)
        before = seen(os.path.dirname(file))
        for tier in TIERS:
            r = b.sh("set -e; id -u; echo more >>/tmp/f; echo more >>/tmp/d/a; rm -r /tmp/d/sub; stat -c %u /tmp/f /tmp/d /tmp/d/a", tier=tier,
                     uid=1234, input=[file + ":/tmp/f", tree + ":/tmp/d"], capture=True)
            ended(r, 0)
            check(r["result"].split() == ["1234"] * 4, r["text"])
        unchanged(b, [file], before)


@case
def what_an_older_version_stored_read_only_may_be_changed(b):
    for size in (SMALL, LARGE):
        file, tree = stored(b, size)
        for d, _, files in os.walk(os.path.dirname(file), topdown=False):
            for f in files:
                os.chmod(os.path.join(d, f), 0o444)
            os.chmod(d, 0o555)
        r = b.sh("set -e; echo more >>/tmp/f; echo more >>/tmp/d/a; touch /tmp/d/sub/new", input=[file + ":/tmp/f", tree + ":/tmp/d"])
        ended(r, 0)


@case
def an_input_in_a_volume_is_put_into_it(b):
    file, tree = stored(b)
    for tier in TIERS:
        volume = os.path.join(b.base, "volume-" + tier)
        os.mkdir(volume)
        os.chmod(volume, 0o777)
        for round_ in range(2):
            r = b.sh("cat /v/x/f | head -c 3; echo more >>/v/x/f; echo 1 >/v/d%d/new; ls /v/d%d" % (round_, round_), tier=tier, bind=volume + ":/v/",
                     input=[file + ":/v/x/f", tree + ":/v/d%d" % round_], capture=True)
            ended(r, 0)
            check(r["result"].split() == ["olda", "new", "sub"], r["text"])
            check(open(volume + "/x/f").read().endswith("more\n") and os.path.exists(volume + "/d%d/new" % round_), "it is not in the volume")
        r = b.sh("true", tier=tier, bind=volume + ":/v", input=tree + ":/v/d0")
        check("not empty" in r.get("error", ""), "a directory with something in it was replaced: " + r["text"])
        check(sorted(os.listdir(volume)) == ["d0", "d1", "x"], os.listdir(volume))
        os.symlink(b.home, volume + "/way")
        r = b.sh("true", tier=tier, bind=volume + ":/v", input=file + ":/v/way/f")
        check(r.get("end") == "error" and not os.path.exists(b.home + "/f"), "a link led out of the volume: " + r["text"])
        r = b.sh("true", tier=tier, bind=volume + ":/v:ro", input=file + ":/v/f")
        check("read-only" in r.get("error", ""), r["text"])
        r = b.sh("echo more >>/v/f; head -c 3 /v/f; touch /v/d/x", tier=tier, tmpfs="/v", input=[file + ":/v/f", tree + ":/v/d"], capture=True)
        check(r.get("result") == "old", r["text"])


@case
def containers_of_a_pod_share_one_copy(b):
    for size in (SMALL, LARGE):
        file, tree = stored(b, size)
        before = seen(os.path.dirname(file))
        shared = os.path.join(b.state, "pods-%d" % size)
        want = ""
        for tier in TIERS:
            want += tier + "\n"
            r = b.sh("echo %s >>/tmp/f; tail -c %d /tmp/f" % (tier, len(want)), tier=tier, input=file + ":/tmp/f", shared=shared + "/1", capture=True)
            check(r.get("result") == want.rstrip("\n") or r.get("result") == want, "%r: %s" % (want, r["text"]))
            r = b.sh("touch /tmp/d/%s; ls /tmp/d" % tier, tier=tier, input=tree + ":/tmp/d", shared=shared + "/2", capture=True)
            check(tier in r["result"] and ("ro" in r["result"].split()), r["text"])
        os.rmdir(shared + "/1/done")  # whoever made the copy died
        r = b.sh("wc -c </tmp/f", input=file + ":/tmp/f", shared=shared + "/1", capture=True)
        check(r["result"].strip() == str(size + 4), r["text"])
        unchanged(b, [file], before)


@case
def what_a_step_had_of_its_inputs_can_be_removed(b):
    file, tree = stored(b, LARGE)
    for tier in TIERS:
        r = b.sh("echo more >>/tmp/f; rm -r /tmp/d/sub; chmod 0 /tmp/d", tier=tier, input=[file + ":/tmp/f", tree + ":/tmp/d"], bytes=1 << 30,
                 artifact="o=/etc/hostname")
        ended(r, 0)
        work = os.path.join(b.state, "work", str(b.id))
        check(os.path.isdir(work), "there is nothing to remove")
        b.run_as_user(["chmod", "-R", "u+rwx", work])
        check(b.run_as_user(["rm", "-rf", work]) == 0 and not os.path.exists(work), "left: " + work)


@case
def an_input_that_is_gone_is_an_error(b):
    r = b.sh("true", input="/nowhere/at/all:/tmp/in")
    check(r.get("end") == "error" and "/tmp/in" in r.get("error", ""), r["text"])


@case
def where_no_overlay_can_be_a_copy_does(b):
    """Overlays may be stacked twice at most; the state directory lies in the second one."""
    if not b.root:
        return
    stack = os.path.join(b.base, "stack")
    for d in ("low", "u1", "w1", "m1", "u2", "w2", "m2"):
        os.makedirs(os.path.join(stack, d))
    old, b.state = b.state, os.path.join(stack, "low", "state")
    file, tree = stored(b, LARGE)
    mount = ("mount -t overlay o -o lowerdir=low,upperdir=u1,workdir=w1 m1; mount -t overlay o -o lowerdir=m1,upperdir=u2,workdir=w2 m2")
    try:
        b.state = b.state.replace("/low/", "/m2/")
        for tier in TIERS:
            at = [path.replace("/low/", "/m2/") for path in (file, tree)]
            step = b.argv(["sh", "-ec", "echo more >>/tmp/f; rm -r /tmp/d/sub; tail -c 5 /tmp/f; ls /tmp/d; grep -c '/tmp/[df] .* - overlay' /proc/self/mountinfo || true"], tier=tier, capture=True,
                          input=[at[0] + ":/tmp/f", at[1] + ":/tmp/d"])
            r = b.parsed(["unshare", "-m", "sh", "-ec", "cd %s; %s; set +e; \"$@\"; wc -c <%s; ls %s" % (stack, mount, at[0], at[1]), "sh", *step])
            check(r.get("result") == "more\na\n0" and "%d\na\nsub" % (LARGE + 4) in r["text"], "%s: %s" % (tier, r["text"]))
    finally:
        b.state = old


@case
def the_path_of_an_input_is_a_mount(b):
    file, tree = stored(b, LARGE)
    program = """import errno, os
for f in (lambda: os.unlink('/tmp/f'), lambda: os.rename('/tmp/f', '/tmp/g'), lambda: os.rename('/tmp/d', '/tmp/e'), lambda: os.rename('/tmp/d/sub', '/tmp/d/x')):
    try:
        f(); print('done')
    except OSError as e: print(errno.errorcode[e.errno])
"""
    for tier in TIERS:
        r = b.run(["python3", "-c", program], tier=tier, input=[file + ":/tmp/f", tree + ":/tmp/d"], bytes=LARGE, capture=True)
        check(r["result"].split() == ["EBUSY"] * 3 + ["done" if b.root else "EXDEV"], r["text"])
