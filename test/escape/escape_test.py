#!/usr/bin/env python3
"""Steps that try to get out, outputs that point outside, engines and supervisors that are killed.

usage: escape_test.py STEP_TRY PROBE [WORD...]      prints TAP

With words, only cases whose name contains one of them.

Each case runs as root (when the test does) and without root (as uid 65534 then). A case that the
host cannot do at all (no user namespaces) is skipped, never passed silently.
"""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from input_cases import Failed, check, ended
import input_cases
import volume_cases

STEP_TRY, PROBE, WORDS = sys.argv[1], sys.argv[2], sys.argv[3:]
NOBODY = 65534


class Bench:
    """A state directory, a home with a secret, and a way to run steps as one user."""

    def __init__(self, root, base):
        self.root = root
        self.base = os.path.join(base, "root" if root else "user")
        self.state = os.path.join(self.base, "state")
        self.home = os.path.join(self.base, "home")
        self.next_id = 1
        self.nice = 0
        for d in (self.base, self.state, self.home):
            os.mkdir(d, 0o755)
        self.bin = os.path.join(self.base, "bin")
        os.mkdir(self.bin)
        self.try_ = shutil.copy(STEP_TRY, self.bin)
        self.probe = shutil.copy(PROBE, self.bin)
        self.secret = os.path.join(self.home, "secret")
        with open(self.secret, "w") as f:
            f.write("planted-in-home")
        self.state_secret = os.path.join(self.state, "secret")
        with open(self.state_secret, "w") as f:
            f.write("planted-in-state")
        if os.geteuid() == 0 and not root:
            for d, dirs, files in os.walk(self.base):
                for n in [d] + [os.path.join(d, f) for f in files]:
                    os.chown(n, NOBODY, NOBODY)

    def drop(self):
        os.nice(self.nice)
        if os.geteuid() == 0 and not self.root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)

    def argv(self, command, **o):
        a = [self.try_, "--state", self.state, "--hide", self.home]
        if "id" not in o:
            o["id"] = self.next_id
            self.next_id += 1
        self.id = o["id"]
        for key, value in o.items():
            for v in value if isinstance(value, list) else [value]:
                a.append("--" + key.replace("_", "-"))
                if v is not True:
                    a.append(str(v))
        return a + ["--"] + list(command)

    def spawn(self, command, **o):
        env = {"PATH": os.environ["PATH"], "ENGINE_SECRET": "planted-in-environment"}
        keep = os.open(self.secret, os.O_RDONLY)
        try:
            return subprocess.Popen(self.argv(command, **o), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    env=env, preexec_fn=self.drop, pass_fds=[keep])
        finally:
            os.close(keep)

    def run_as_user(self, command):
        return subprocess.run(command, preexec_fn=self.drop).returncode

    def parsed(self, command, **o):
        return parse(subprocess.run(command, capture_output=True, text=True, timeout=60, **o).stdout)

    def run(self, command, **o):
        p = self.spawn(command, **o)
        out, _ = p.communicate(timeout=60)
        return parse(out)

    def sh(self, script, **o):
        return self.run(["sh", "-c", script], **o)

    def step_dir(self):
        return os.path.join(self.state, "steps", str(self.id))

    def log(self):
        try:
            with open(os.path.join(self.step_dir(), "main.log"), errors="replace") as f:
                return "".join(line.split(" ", 3)[3] for line in f)
        except FileNotFoundError:
            return ""

    def output(self, name):
        return os.path.join(self.state, "work", str(self.id), "outputs", name)


def parse(out):
    r = {"param": {}, "artifact": {}, "text": out}
    for line in out.splitlines():
        key, _, value = line.partition(" ")
        if key in ("param", "artifact"):
            words, _, text = value.partition(" = ")
            w = words.split()
            r[key][w[0]] = w[1:] + [json.loads(text)]
        elif value.startswith('"'):
            r[key] = json.loads(value)
        else:
            r[key] = value
    return r


CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def wait_for(what, fn, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return
        select.select([], [], [], 0.01)
    raise Failed("never happened: " + what)


def alive(marker):
    """Processes whose command line holds the marker."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().split(b"\0")
                if marker.encode() in words and words[0] == b"sleep":
                    found.append(int(pid))
            except OSError:
                pass
    return found


def marker(b):
    return "%d.%d" % (100000 + os.getpid() % 10000, b.next_id + (500 if b.root else 0))


# ---- getting out ----

def probe(b, tier, **o):
    secrets = [b.secret, b.state_secret, "/hostrw" + b.secret, "/proc/1/root" + b.secret, "/proc/self/fd/3"]
    r = b.run(["/probe"] + secrets + (["caps"] if b.root and "caps" in o else []), tier=tier, bind=b.probe + ":/probe:ro", **o)
    log = b.log()
    check("probe done: 0 escapes" in log, "\n".join(x for x in log.splitlines() if not x.startswith("ok ")) or r["text"])


@case
def probe_finds_no_way_out_of_tier_ro(b):
    probe(b, "ro")


@case
def probe_finds_no_way_out_of_tier_overlay(b):
    probe(b, "overlay")


@case
def probe_finds_no_way_out_of_an_image(b):
    layer = os.path.join(b.base, "layer")
    os.makedirs(os.path.join(layer, "etc"))
    os.symlink("/hostrw" + b.home, os.path.join(layer, "lure"))
    os.symlink("../../../../../.." + b.home, os.path.join(layer, "lure2"))
    if os.geteuid() == 0 and not b.root:  # as an image that this user has unpacked
        for d in (layer, os.path.join(layer, "etc")):
            os.chown(d, NOBODY, NOBODY)
    probe(b, "image", layer=layer, file="/etc/file=y", writable="/tmp")
    probe(b, "image", layer=layer, file="/etc/file=y", writable="/tmp", caps=True)
    for lure in ("lure", "lure2"):
        r = b.run(["/probe"], tier="image", layer=layer, file="/%s/planted=x" % lure, bind=b.probe + ":/probe:ro")
        check(r["end"] == "error" or lure == "lure2", r["text"])
    check(not os.path.exists(os.path.join(b.home, "planted")), "a file was written through the image's symlink")
    check(not os.path.exists(os.path.join(layer, "etc/file")), "the layer was changed")


@case
def a_private_network_has_only_loopback(b):
    r = b.sh("cat /proc/net/dev | tail -n +3 | cut -d: -f1", net=True, capture=True)
    ended(r, 0)
    check(r["result"].split() == ["lo"], r["result"])
    probe(b, "overlay", net=True)


REACH = r"""
import socket, sys
for family, to in ((socket.AF_UNIX, "\0" + sys.argv[1]), (socket.AF_INET, ("127.0.0.1", int(sys.argv[2])))):
    with socket.socket(family) as s:
        try: s.connect(to); print("reached", to)
        except ConnectionRefusedError: print("refused")
"""


@case
def a_pod_s_network_does_not_reach_the_host_s_sockets(b):
    """Abstract sockets belong to a network namespace; so does 127.0.0.1."""
    name = "skiff-escape-%d" % os.getpid()
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket() as local:
        abstract.bind("\0" + name)
        abstract.listen()
        local.bind(("127.0.0.1", 0))
        local.listen()
        reach = ["/usr/bin/python3", "-c", REACH, name, str(local.getsockname()[1])]
        nets = ["-"] + (["10.171.0.0/16"] if b.root else [])
        for tier in ("ro", "overlay"):
            check(b.run(reach, tier=tier, capture=True)["result"].split().count("reached") == 2, "the host's own network does not reach them")
            for net in nets:
                r = b.run(reach, tier=tier, pod_net=net, capture=True)
                check(r["result"].split() == ["refused"] * 2, "%s %s: %s" % (tier, net, r["result"]))
        for net in nets:
            probe(b, "overlay", pod_net=net)
            r = b.run(["/usr/bin/python3", "-c", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"], pod_net=net)
            check(r["status"] == "1" and "PermissionError" in b.log(), "a raw socket: " + b.log())


@case
def environment_and_arguments_of_the_engine_stay_out(b):
    r = b.sh("env; cat /proc/1/cmdline /proc/1/environ /proc/*/environ 2>/dev/null", capture=True, env="A=b")
    check("planted" not in r["result"], r["result"])
    check(b.state not in r["result"] and "--state" not in r["result"], "command line: " + r["result"])
    check("A=b" in r["result"], "the step's own environment is missing")


@case
def set_uid_programs_gain_nothing(b):
    suid = os.path.join(b.base, "suid")
    shutil.copy(PROBE, suid)
    os.chmod(suid, 0o4755)
    o = {"uid": 1234} if b.root else {}
    b.run(["/probe", "suid=/suid"], bind=[b.probe + ":/probe:ro", suid + ":/suid"], **o)
    check("ok set-uid gains nothing" in b.log() and "0 escapes" in b.log(), b.log())


@case
def run_as_user_needs_root(b):
    r = b.sh("id -u; touch /tmp/x; cat /etc/shadow", uid=1234, capture=True)
    if b.root:
        check(r["result"] == "1234", r["text"])
        check("Permission denied" in b.log(), b.log())
    else:
        check(r["end"] == "error" and "runAsUser" in r["error"], r["text"])
        own = NOBODY if os.geteuid() == 0 else os.geteuid()
        if own in (NOBODY, os.getegid()):  # --uid says both
            for tier in ("ro", "none"):
                r = b.sh("id -u; id -g", uid=own, tier=tier, capture=True)
                check(r.get("result", "").split() == [str(own)] * 2, "its own user and group: " + r["text"])


@case
def a_nice_engine_has_nice_steps(b):
    """Also where set-up ran at real-time priority, and nobody may take back what nice(1) gave away."""
    b.nice = 5
    r = b.sh("nice", capture=True, realtime=True, **({"uid": 1234} if b.root else {}))
    before, b.nice = os.nice(0), 0
    check(r.get("result") == str(min(before + 5, 19)), r["text"])


@case
def another_step_s_files_are_not_seen(b):
    b.sh("echo a >/tmp/left; echo b >/dev/shm/left; echo c >/var/tmp/left; echo d >/run/left; sleep 1000 & exit 0")
    r = b.sh("ls /tmp /dev/shm /var/tmp /run; ls /proc | grep -c '^[0-9]'", capture=True)
    check("left" not in r["result"], r["result"])


@case
def inherited_capabilities_stay_out(b):
    if not b.root:
        return  # nobody else has any to pass on
    for tier in ("ro", "overlay"):
        r = b.parsed(["setpriv", "--inh-caps", "+sys_admin,+dac_override,+sys_ptrace", *b.argv(["grep", "Cap", "/proc/self/status"], tier=tier, capture=True)])
        caps = dict(line.split(":\t") for line in r["result"].splitlines())
        check(len(caps) == 5 and not any(int(v, 16) for v in caps.values()), r["text"])


@case
def paths_do_not_lead_back_out_of_the_root(b):
    outside = os.path.join(b.base, "back-%d" % b.next_id)
    for top in ("/mnt", "/argo", "/tmp", "/run", "/dev/shm"):
        for way in ("/..", "/../..", "/../../.."):
            for root in ("/hostrw", ""):
                path = "%s%s%s%s/d" % (top, way, root, outside)
                for o in ({"writable": path}, {"param": "p=" + path, "writable": path}, {"file": path + "/f=x"}, {"cwd": path}, {"tmpfs": path}):
                    p = b.spawn(["true"], tier="ro", **o)
                    out, _ = p.communicate(timeout=60)
                    check(p.returncode != 0 and "step:" in out, "%s: %s" % (o, out))
    check(not os.path.exists(outside), "made on the host")


@case
def a_step_whose_supervisor_breaks_is_no_success(b):
    for tier in ("ro", "overlay", "none"):
        m = marker(b)
        p = b.spawn(["sh", "-c", "sleep %s & while :; do echo x; sleep 0.05; done" % m], tier=tier)
        check(p.stdout.readline().startswith("started"), "start")
        wait_for("the step runs", lambda: len(alive(m)) == 1)
        supervisor = parent_supervisor(alive(m)[0])
        check(b.run_as_user(["prlimit", "--pid", str(supervisor), "--nofile=0:0"]) == 0, "prlimit")  # its next poll fails
        r = parse(p.communicate(timeout=20)[0])
        check(r["end"] == "error" and "cannot watch" in r["error"], r["text"])
        check(alive(m) == [], "the step goes on")
        wait_for("the supervisor ends", lambda: not os.path.exists("/proc/%d" % supervisor))


# ---- writing anywhere stays private ----

@case
def arbitrary_paths_are_writable_and_private(b):
    names = ["/skiff-work", "/skiff-out", "/skiff-result.txt", "/mainctrfs-x"]
    r = b.sh("set -e; mkdir /skiff-work /skiff-out /mainctrfs-x; echo 1 >/skiff-work/a; echo 2 >/skiff-result.txt; echo ok",
             capture=True, param="r=/skiff-result.txt")
    ended(r, 0)
    check(r["param"]["r"] == ["found", "2"], r["text"])
    check(not any(os.path.exists(n) for n in names), "the host was changed")
    check(b.sh("ls / | grep skiff")["status"] == "1", "it is there in the next step")


@case
def tier_ro_writes_only_where_declared(b):
    r = b.sh("touch /x /usr/x /etc/x; set -e; echo 1 >/tmp/a; echo 2 >/skiff-decl/b; echo 3 >/usr/share/skiff-decl/c; ls /etc/passwd",
             tier="ro", writable=["/skiff-decl", "/usr/share/skiff-decl"])
    ended(r, 0)
    check(b.log().count("Read-only file system") == 3, b.log())


@case
def tier_ro_opens_only_the_top_level_for_an_output_in_it(b):
    r = b.sh("touch /usr/x /etc/x; echo 1 >/result.txt; cat /result.txt", tier="ro", writable="/", capture=True)
    ended(r, 0)
    check(r["result"] == "1" and b.log().count("Read-only file system") == 2, b.log())


@case
def declared_paths_keep_what_is_in_them(b):
    before = sorted(os.listdir("/etc"))
    r = b.sh("set -e; echo x >/etc/skiff-new; ls /etc/passwd /etc/skiff-new; rm /etc/passwd; ls -A /etc | wc -l", writable="/etc", capture=True)
    ended(r, 0)
    check(int(r["result"].split()[-1]) == len(before), r["result"])
    check(sorted(os.listdir("/etc")) == before, "the host was changed")


@case
def home_is_private_and_writable(b):
    r = b.sh("echo mine >%s/own; ls -A %s" % (b.home, b.home), capture=True)
    check(r["result"] == "own", r["text"])
    check(not os.path.exists(os.path.join(b.home, "own")), "the host was changed")


@case
def a_writable_parent_does_not_open_the_home(b):
    parent = "/var/skiff-escape-%d" % os.getpid()
    try:
        os.mkdir(parent)
        os.chmod(parent, 0o777)
    except PermissionError:
        return  # only root can make one that is not private anyway
    home = os.path.join(parent, "home")
    os.mkdir(home, 0o755)
    with open(os.path.join(home, "secret"), "w") as f:
        f.write("planted-in-home")
    try:
        for tier in ("ro", "overlay"):
            for writable in (parent, "/var"):
                r = b.sh("cat %s/secret; ls %s; true" % (home, home), tier=tier, hide=home, writable=writable, capture=True)
                ended(r, 0)
                check("planted" not in r["text"] and "secret" not in r["result"], "%s: %s" % (tier, r["text"]))
        r = b.sh("ls /var/tmp %s" % b.state, tier="ro", writable="/var", capture=True)
        check(r["result"].count("skiff") <= 1, "the host's /var/tmp: " + r["text"])
    finally:
        shutil.rmtree(parent)


@case
def binds_show_what_they_should(b):
    d = os.path.join(b.base, "data")
    os.mkdir(d)
    os.chmod(d, 0o777)
    os.symlink(d, os.path.join(b.base, "link"))
    with open(os.path.join(d, "f"), "w") as f:
        f.write("in")
    for tier in ("ro", "overlay"):
        r = b.sh("cat /in/f; touch /in/no; touch /a/b/rw/yes-%s" % tier, tier=tier,
                 bind=[d + ":/in:ro", os.path.join(b.base, "link") + ":/a/b/rw"])
        ended(r, 0)
        check("in" in b.log() and b.log().count("Read-only") == 1, b.log())
    check(sorted(os.listdir(d)) == ["f", "yes-overlay", "yes-ro"], str(os.listdir(d)))


@case
def a_home_can_be_opened_by_a_bind(b):
    r = b.run(["cat", b.secret], bind=b.home + ":" + b.home + ":ro", capture=True)
    check(r["result"] == "planted-in-home", r["text"])


# ---- outputs ----

@case
def outputs_are_moved_not_copied(b):
    r = b.sh("mkdir -p /skiff-w/out/x; echo 1 >/skiff-w/out/x/y; echo 2 >/tmp/f; ln -s /etc/passwd /skiff-w/out/l; ln -s /skiff-w/out /tmp/way",
             artifact=["d=/tmp/way", "f=/tmp/f", "none=/nope"], writable=["/skiff-w"])
    ended(r, 0)
    check(r["artifact"]["d"][:2] == ["dir", "moved"] and r["artifact"]["f"][:2] == ["file", "moved"], r["text"])
    check(r["artifact"]["none"][0] == "missing", r["text"])
    check(open(b.output("d/x/y")).read() == "1\n" and os.path.islink(b.output("d/l")), "content")


@case
def outputs_are_moved_in_every_tier(b):
    for tier in ("ro", "overlay"):
        r = b.sh("mkdir -p /tmp/d /skiff-w; echo 1 >/tmp/d/x; echo 2 >/skiff-w/f", artifact=["d=/tmp/d", "f=/skiff-w/f"], writable=["/skiff-w"], tier=tier)
        check(r["artifact"]["d"][:2] == ["dir", "moved"] and r["artifact"]["f"][:2] == ["file", "moved"], tier + ": " + r["text"])


@case
def a_directory_of_two_layers_comes_out_whole(b):
    r = b.sh("echo x >/usr/share/doc/skiff-new; ", artifact="d=/usr/share/base-files", writable="/usr/share")
    r = b.sh("echo x >/usr/share/base-files/skiff-new", artifact="d=/usr/share/base-files", writable="/usr/share/base-files")
    ended(r, 0)
    want = sorted(os.listdir("/usr/share/base-files") + ["skiff-new"])
    check(sorted(os.listdir(b.output("d"))) == want, r["text"])


@case
def output_links_do_not_lead_outside(b):
    for i, target in enumerate([b.secret, b.state_secret, "/hostrw" + b.secret, "/proc/1/root" + b.secret, "/proc/self/root" + b.secret,
                                "../../../../../../.." + b.secret, "/proc/1/cwd" + b.secret, "/proc/self/fd/0"]):
        r = b.sh("ln -s %s /tmp/l; ln -s %s /tmp/dir; mkdir /tmp/sub; ln -s %s /tmp/sub/x" % (target, os.path.dirname(target), target),
                 param=["p=/tmp/l", "q=/tmp/dir/secret"], artifact=["a=/tmp/l", "b=/tmp/dir/secret", "c=/tmp/sub"])
        for name in ("p", "q"):
            check("planted" not in str(r["param"][name]), "%s: %s" % (target, r["text"]))
        for d, dirs, files in os.walk(os.path.join(b.state, "work", str(b.id), "outputs")):
            for f in files:
                p = os.path.join(d, f)
                check(os.path.islink(p) or "planted" not in open(p, errors="replace").read(), "%s: %s" % (target, f))


@case
def odd_outputs_are_named_not_followed(b):
    r = b.sh("mkfifo /tmp/fifo; mkdir /tmp/d; head -c 1048577 /dev/zero >/tmp/big; printf 'a\\n\\n' >/tmp/nl; mkdir -p /tmp/deep/a; mkfifo /tmp/deep/f",
             param=["fifo=/tmp/fifo", "d=/tmp/d", "big=/tmp/big", "nl=/tmp/nl"], artifact=["f=/tmp/fifo", "null=/dev/null", "deep=/tmp/deep"])
    ended(r, 0)
    check("1 MiB" in r["param"]["big"][1], r["text"])
    check(r["param"]["nl"] == ["found", "a\n"], r["text"])
    check(r["param"]["fifo"][0] == r["param"]["d"][0] == "missing", r["text"])
    check(r["artifact"]["f"][0] == r["artifact"]["null"][0] == "missing", r["text"])


@case
def output_parameters_are_whole(b):
    """Also of files that do not say how long they are, and of those whose size is a limit."""
    for tier in ("none", "ro", "overlay"):
        d = os.path.join(b.base, "whole-%s" % tier)
        os.mkdir(d)
        os.chmod(d, 0o777)
        o = {} if tier == "none" else {"bind": d + ":" + d}
        r = b.sh("printf '' >%s/none; head -c 1048576 /dev/zero | tr '\\0' x >%s/most; head -c 1048577 /dev/zero >%s/more" % (d, d, d), tier=tier,
                 param=["version=/proc/version", "cpus=/proc/cpuinfo", "none=%s/none" % d, "most=%s/most" % d, "more=%s/more" % d], **o)
        ended(r, 0)
        check(r["param"]["version"] == ["found", open("/proc/version").read()[:-1]], r["text"][:300])
        check(r["param"]["cpus"][0] == "found" and len(r["param"]["cpus"][1]) > 500, r["text"][:300])
        check(r["param"]["none"] == ["found", ""] and r["param"]["most"] == ["found", "x" * 1048576], r["text"][:300])
        check("1 MiB" in r["param"]["more"][1], r["text"][:300])


@case
def outputs_of_tier_none_stay_where_they_are(b):
    d = os.path.join(b.base, "plain")
    os.mkdir(d)
    os.chmod(d, 0o777)
    r = b.sh("echo hi >%s/out" % d, tier="none", artifact="a=%s/out" % d, param="p=%s/out" % d)
    check(r["artifact"]["a"][:2] == ["file", "copied"] and r["param"]["p"] == ["found", "hi"], r["text"])
    check(os.path.exists(d + "/out"), "the user's file was taken away")


# ---- how steps end ----

@case
def exit_codes_and_signals(b):
    for tier in ("none", "ro", "overlay"):
        ended(b.sh("exit 7", tier=tier), 7)
        ended(b.sh("kill -9 $$", tier=tier), 137)
        ended(b.sh("kill -TERM $$", tier=tier), 143)
        r = b.run(["skiff-no-such-program"], tier=tier)
        check(r["end"] == "error" and r["error"] == 'executable "skiff-no-such-program" not found', r["text"])


@case
def a_step_keeps_the_niceness_of_its_engine(b):
    for user in ({}, {"uid": 1234} if b.root else {}):
        r = b.parsed(["nice", "-n", "7", *b.argv(["nice"], realtime=True, capture=True, **user)], preexec_fn=b.drop)
        check(r.get("result") == str(min(os.nice(0) + 7, 19)), r["text"])


@case
def a_kill_is_gentle_then_hard(b):
    for tier in ("none", "overlay"):
        ended(b.run(["sleep", "1000"], tier=tier, kill="15:50:60000"), 143)
        ended(b.sh("trap '' TERM; while :; do sleep 0.05; done", tier=tier, kill="15:100:100"), 137)
        ended(b.sh("trap 'exit 3' TERM; while :; do sleep 0.05; done", tier=tier, kill="15:300:60000"), 3)


@case
def nothing_of_a_step_outlives_it(b):
    for tier in ("none", "ro", "overlay"):
        m = marker(b)
        r = b.sh("setsid sleep %s & sleep %s & (setsid sleep %s &) ; sleep 0.1; exit 0" % (m, m, m), tier=tier)
        ended(r, 0)
        check(alive(m) == [], "%s: %s" % (tier, alive(m)))


@case
def logs_results_and_masks(b):
    r = b.sh("echo out; echo err >&2; printf 'the pass'; sleep 0.05; printf 'word\\r\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo",
             capture=True, mask="password")
    check(r["result"].startswith("out\nthe password\r\n") and r["result"].endswith("xx"), "result")
    log = open(os.path.join(b.step_dir(), "main.log")).read().splitlines()
    check(any(x.endswith("stdout F the ***\r") for x in open(os.path.join(b.step_dir(), "main.log"), newline="\n").read().split("\n")), "mask")
    check(sum(" P " in x for x in log) == 2 and any("stderr F err" in x for x in log), str([x[:60] for x in log]))


@case
def large_messages_pass(b):
    text = "x" * 100000
    r = b.run(["sh", "-c", "wc -c </big/script; head -c 300000 /dev/zero | tr '\\0' y", "sh", text], file="/big/script=" + text, capture=True)
    ended(r, 0)
    check(len(r["result"]) == 262144 and "100000" in b.log(), "lengths")


@case
def files_directories_and_hostname(b):
    r = b.sh("pwd; cat /a/b/c; ls -ld /a/b/c; hostname; id -u; df /m | tail -1; stat -c %a /tmp", cwd="/new/dir", file="/a/b/c=text", tmpfs="/m", capture=True)
    check(r["result"].startswith("/new/dir\ntext-rwxr-xr-x") and "skiff" in r["result"] and "tmpfs" in r["result"], r["text"])
    check(r["result"].endswith("1777"), r["text"])


@case
def terminals_and_shared_memory_work(b):
    r = b.run(["python3", "-c", "import os, multiprocessing as m; a, c = os.openpty(); os.write(c, b'x'); "
               "l = m.Lock(); print(len(os.listdir('/dev')), os.path.exists('/proc/self/fd'), open('/proc/meminfo').read()[:8])"], capture=True)
    ended(r, 0)


# ---- who dies with whom ----

@case
def a_step_dies_with_its_supervisor(b):
    for tier in ("none", "ro", "overlay"):
        m = marker(b)
        p = b.spawn(["sh", "-c", "sleep %s & exec sleep %s" % (m, m)], tier=tier)
        check(p.stdout.readline().startswith("started"), "start")
        want = 1 if tier == "none" else 2
        wait_for("the step runs", lambda: len(alive(m)) == 2)
        supervisor = parent_supervisor(alive(m)[0])
        os.kill(supervisor, signal.SIGKILL)
        if tier == "none":  # its main process; what it has started is not in a namespace
            wait_for("the step dies", lambda: len(alive(m)) < 2)
            for pid in alive(m):
                os.kill(pid, signal.SIGKILL)
        else:
            wait_for("the step dies", lambda: alive(m) == [])
        out, _ = p.communicate(timeout=10)
        check("end gone" in out, out)
        r = parse(b.spawn([], id=b.id, adopt=True).communicate(timeout=10)[0])
        check(r["adopt"] == "lost", r["text"])


def parent_supervisor(pid):
    while True:
        with open("/proc/%d/stat" % pid) as f:
            text = f.read()
        if "(skiff-slot)" in text:
            return pid
        pid = int(text.rpartition(")")[2].split()[1])
        check(pid > 1, "no supervisor found")


@case
def a_step_outlives_its_engine_and_is_adopted(b):
    for tier in ("none", "overlay"):
        m = marker(b)
        gate = os.path.join(b.base, "gate-%d" % b.next_id)
        os.mkdir(gate)
        os.chmod(gate, 0o777)
        where = gate if tier == "none" else "/gate"
        o = {} if tier == "none" else {"bind": gate + ":/gate"}
        p = b.spawn(["sh", "-c", "while [ ! -e %s/go ]; do sleep 0.02; done; echo done; exit 5" % where], tier=tier, detach=True, capture=True, **o)
        p.communicate(timeout=20)
        check(p.returncode == -signal.SIGKILL, "the engine was to die")
        again = b.spawn([], id=b.id, adopt=True)
        check(again.stdout.readline() == "adopt running\n", "adoption")
        open(gate + "/go", "w").close()
        r = parse(again.communicate(timeout=20)[0])
        ended(r, 5)
        check(r["result"] == "done", r["text"])
        check(not [n for n in os.listdir(os.path.join(b.state, "slots")) if n.endswith(".sock")], "a socket is left")


@case
def a_step_that_ended_alone_left_its_result(b):
    p = b.spawn(["sh", "-c", "sleep 0.3; exit 6"], detach=True, param="p=/etc/hostname")
    p.communicate(timeout=20)
    r = parse(b.spawn([], id=b.id, adopt=True).communicate(timeout=10)[0])
    check(r["adopt"] in ("finished", "running"), r["text"])
    ended(r, 6)
    r = parse(b.spawn([], id=b.id, adopt=True).communicate(timeout=10)[0])
    check(r["adopt"] == "finished", r["text"])
    ended(r, 6)


@case
def what_never_began_is_known(b):
    r = parse(b.spawn([], id=999999, adopt=True).communicate(timeout=10)[0])
    check(r["adopt"] == "never", r["text"])


@case
def an_adopted_step_can_be_killed(b):
    p = b.spawn(["sleep", "1000"], detach=True)
    p.communicate(timeout=20)
    r = parse(b.spawn([], id=b.id, adopt=True, kill="15:50:60000").communicate(timeout=20)[0])
    ended(r, 143)


@case
def idle_supervisors_end_with_the_engine(b):
    m = marker(b)
    p = b.spawn(["sleep", m])
    wait_for("the step runs", lambda: len(alive(m)) == 1)
    supervisor = parent_supervisor(alive(m)[0])
    os.kill(alive(m)[0], signal.SIGKILL)
    ended(parse(p.communicate(timeout=10)[0]), 137)
    wait_for("the supervisor ends", lambda: not os.path.exists("/proc/%d" % supervisor))


@case
def a_long_state_path_works(b):
    old = b.state
    b.state = os.path.join(b.base, "long-" + "x" * 120)
    os.mkdir(b.state, 0o777)
    os.chmod(b.state, 0o777)
    try:
        p = b.spawn(["sleep", "1000"], detach=True)
        p.communicate(timeout=20)
        r = parse(b.spawn([], id=b.id, adopt=True, kill="9:50:1").communicate(timeout=20)[0])
        ended(r, 137)
    finally:
        b.state = old


CASES += input_cases.CASES + volume_cases.CASES
CASES = [c for c in CASES if not WORDS or any(w in c.__name__ for w in WORDS)]


def can_run(b):
    r = b.sh("true")
    return r.get("status") == "0", r["text"]


def main():
    base = tempfile.mkdtemp(prefix="skiff-escape-", dir="/var/tmp")
    os.chmod(base, 0o755)
    users = [True, False] if os.geteuid() == 0 else [False]
    print("1..%d" % (len(CASES) * len(users)))
    n, bad = 0, 0
    try:
        for root in users:
            b = Bench(root, base)
            able, why = can_run(b)
            for fn in CASES:
                n += 1
                name = "%s: %s" % ("root" if root else "user", fn.__name__.replace("_", " "))
                if not able:
                    print("ok %d - %s # SKIP no sandbox here: %s" % (n, name, why.replace("\n", " ")))
                    continue
                try:
                    fn(b)
                    print("ok %d - %s" % (n, name), flush=True)
                except (Failed, subprocess.TimeoutExpired, KeyError, OSError) as e:
                    bad += 1
                    print("not ok %d - %s" % (n, name))
                    print("# " + ("%s: %s" % (type(e).__name__, e)).replace("\n", "\n# "), flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
