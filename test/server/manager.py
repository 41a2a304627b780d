#!/usr/bin/env python3
"""A service manager over the server: what it is told, and the unit that is installed for it.

run.py runs these; alone: manager.py [SKIFF [CASE...]]"""
import fcntl
import glob
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402
from server import Server, common, workflow  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def told(score, skiff):
    """READY when it serves, WATCHDOG while its loop turns, STOPPING at its end; a step knows nothing of it."""
    for abstract in (False, True):
        s = Server(skiff)
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.settimeout(common.LIMIT_S)
        name = s.place.root + "/notify"
        manager.bind("\0" + name if abstract else name)
        s.start(env={"NOTIFY_SOCKET": "@" + name if abstract else name, "WATCHDOG_USEC": "60000"})
        seen = []
        while seen.count("WATCHDOG=1") < 4:
            seen.append(manager.recv(1000).decode())
        score.check("READY=1" in seen and set(seen) == {"READY=1", "WATCHDOG=1"}, f"told: {seen}")
        step = s.wait(s.submit(workflow('[ -z "$NOTIFY_SOCKET$WATCHDOG_USEC" ]')))
        score.check(step["status"]["phase"] == "Succeeded", "a step does not see the manager's socket")
        score.check(s.stop() == 0, f"end: {s.said}")
        while (last := manager.recv(1000).decode()) == "WATCHDOG=1":
            pass
        score.check(last == "STOPPING=1", f"at the end: {last}")
        manager.close()
        s.close()


def no_manager(score, skiff):
    """A socket that is not there, or is none, is nobody's concern; a watchdog of another process is not ours."""
    for env in ({"NOTIFY_SOCKET": "/nowhere/s"}, {"NOTIFY_SOCKET": "x"}, {"NOTIFY_SOCKET": "/" + "x" * 300}, {"WATCHDOG_USEC": "soon"},
                {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}):
        s = Server(skiff).start(env=env)
        score.check(s.stop() == 0, f"{env}: {s.said}")
        s.close()


def told_at_once(score, skiff):
    """Whoever reads that it listens may tell it to end: it is told while it has yet to say so, for the pipe is full."""
    s = Server(skiff)
    ours, its = os.pipe()
    os.set_blocking(its, False)
    while True:
        try:
            os.write(its, b"\n" * fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, 4096))
        except BlockingIOError:
            break
    os.set_blocking(its, True)
    s.proc = subprocess.Popen(s.place.command("server", "--port", "0"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its, process_group=0, env=s.place.env())
    os.close(its)
    common.wait_for(lambda: common.contents(f"/proc/{s.proc.pid}/syscall").split()[1:2] == [b"0x2"], "it waits at its stderr")
    s.proc.terminate()
    with open(ours, "rb") as f:
        said = f.read().decode().strip()
    score.check(s.proc.wait(common.LIMIT_S) == 0 and "listening at" in said, f"{s.proc.returncode}: {said}")
    s.close()


def until_said(s, text):
    """The next line of the server that has it."""
    while (line := s.proc.stderr.readline()) and text not in line:
        pass
    return line


def with_terminal(command, said, env):
    """In the child of a pty.fork."""
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with open(said, "wb") as f:
            os.dup2(f.fileno(), 1)
            os.dup2(f.fileno(), 2)
        os.execvpe(command[0], command, env)
    finally:
        os._exit(127)


def hung_up(score, skiff):
    """SIGHUP asks to read certificates again, and ends nothing where there are none; a terminal that goes says the same, and that ends a server."""
    s = Server(skiff).start()
    s.proc.send_signal(signal.SIGHUP)
    said = until_said(s, "SIGHUP")
    score.check("no certificate" in said and s.ask("GET", "/api/v1/version")[0] == 200, f"without certificates: {said}")
    score.check(s.stop() == 0, f"told to end: {s.said}")
    said = s.place.root + "/said"
    for words in ((), ("nohup",)):
        pid, terminal = pty.fork()
        if not pid:
            with_terminal([*words, *s.place.command("server", "--port", "0")], said, s.place.env())
        common.wait_for(lambda: b"listening at" in common.contents(said), "the server")
        os.close(terminal)
        if words:
            common.wait_for(lambda: b"no certificate" in common.contents(said), "it to hear of it")
            os.kill(pid, signal.SIGTERM)
        ended = common.wait_for(lambda: (got := os.waitpid(pid, os.WNOHANG))[0] and got, "it to end")
        score.check(ended[1] == 0, f"{words}: an orderly end: {ended} {common.contents(said)}")
        os.remove(said)
    s.close()


def installed(score, skiff):
    """What `make install` puts where, and what systemd says about the unit."""
    s = Server(skiff)
    for path in ("build/skiff", "build/skiff-helper", "build/skiff-container"):
        if not os.path.exists(os.path.join(ROOT, path)):
            score.skip("make install: the program was built elsewhere")
            s.close()
            return
    ran = subprocess.run(["make", "-s", "install", "-o", "build", f"DESTDIR={s.place.root}/i", "PREFIX=/opt/s"], cwd=ROOT, capture_output=True, text=True)
    found = sorted(os.path.relpath(os.path.join(d, f), s.place.root + "/i/opt/s") for d, _, files in os.walk(s.place.root + "/i") for f in files)
    score.check(ran.returncode == 0 and found == ["bin/skiff", "lib/systemd/system/skiff.service", "libexec/skiff/skiff-container", "libexec/skiff/skiff-helper",
                                                  "share/doc/skiff/systemd.md"], f"make install: {ran.stderr} {found}")
    unit = s.place.root + "/i/opt/s/lib/systemd/system/skiff.service"
    with open(unit) as f:
        text = f.read()
    score.check("ExecStart=/opt/s/bin/skiff server\n" in text and "\nExecReload=/bin/kill -HUP $MAINPID\n" in text and "@" not in text, f"the unit's paths: {text}")
    if shutil.which("systemd-analyze"):
        path = s.place.file("skiff.service", text.replace("/opt/s/", s.place.root + "/i/opt/s/"))
        ran = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
        score.check(ran.returncode == 0 and not ran.stderr, f"systemd-analyze verify: {ran.stderr}")
    else:
        score.skip("the unit is not verified: no systemd here")
    s.close()


def image(score, skiff):
    """The image that is made for containers has each library that the program opens when it is needed."""
    ours = {"crypto": "ssl", "crypt": None, "gnutls": "microhttpd"}  # package, or one that brings it along; None: every Debian has it
    found = set()
    for path in glob.glob(os.path.join(ROOT, "src", "*", "*.c")):
        with open(path) as f:
            found |= set(re.findall(r'"lib([a-z]+)[a-z-]*\.so\.\d+"', f.read())) if not path.endswith("_test.c") else set()
    with open(os.path.join(ROOT, "packaging", "oci", "Containerfile")) as f:
        packages = re.findall(r"\blib([a-z]+)[\d.-]+", f.read().split("install -y", 1)[1])
    lacking = [n for n in sorted(found) if ours.get(n, n) and ours.get(n, n) not in packages]
    score.check({"jose", "curl", "sodium"} <= found and not lacking, f"not in the image: {lacking} of {sorted(found)}")


CASES = (told, no_manager, told_at_once, hung_up, installed, image)
if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
