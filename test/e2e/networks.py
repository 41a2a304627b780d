"""Networks of pods: one for each, shared by its containers; names and addresses in it."""
import contextlib
import os
import shutil
import signal
import socket

import run

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: net-}
spec:
  entrypoint: main
%s
  templates:
"""
PRIVATE = ("--network", "private")
SERVER = """
  - name: server
    daemon: true
    retryStrategy: {limit: 2}
    container:
      image: python:3.11
      command: [sh, -c, 'echo $HOSTNAME > /tmp/name; exec python3 -m http.server 80 --directory /tmp']
      ports: [{name: web, containerPort: 80}]
      readinessProbe: {httpGet: {path: /name, port: web}, periodSeconds: 1}
"""
CLIENT = """
  - name: client
    inputs: {parameters: [{name: a}, {name: b}]}
    container: {image: curlimages/curl, command: [curl, -sf, 'http://{{inputs.parameters.a}}/name', 'http://{{inputs.parameters.b}}/name']}
"""
WAIT = """
  - name: wait
    volumes: [{name: here, hostPath: {path: %s}}]
    container: {image: busybox, command: [sh, -c, 'until test -e /here/go; do sleep 0.05; done'], volumeMounts: [{name: here, mountPath: /here}]}
"""
TWO = """
  - name: main
    steps:
    - [{name: a, template: server}, {name: b, template: server}]
    - - {name: client, template: client, arguments: {parameters: [{name: a, value: '{{steps.a.ip}}'}, {name: b, value: '{{steps.b.ip}}'}]}}
"""


def _as_root():
    return os.geteuid() == 0  # only root can give a pod an address


def _devices():
    return {d for d in os.listdir("/sys/class/net") if d.startswith("skiff-")}


def _devices_go(before):
    run.until(lambda: not _devices() - before, "devices are left")  # the kernel takes its time


def two_daemons_listen_on_one_port(b):
    if not _as_root():
        return  # there are no addresses
    before = _devices()
    w = b.run(HEAD % "" + TWO + SERVER + CLIENT, *PRIVATE).is_("Succeeded")
    ips = [w.node("[0].%s(0)" % n, "Succeeded")["podIP"] for n in "ab"]
    assert ips[0] != ips[1] and all(i.startswith("10.171.") for i in ips), ips
    run.same(len(set(line for line in b.logs().splitlines() if "-server-" in line and "GET" not in line)), 2, b.logs())
    _devices_go(before)


def containers_of_a_pod_share_their_loopback_device(b):
    """And nobody else has it: not this machine, not another pod. Where there are no addresses, too."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        b.run(HEAD % "" + """
  - name: main
    container:
      image: python:3.11
      command: [bash, -c, 'until exec 3<>/dev/tcp/127.0.0.1/8080; do sleep 0.05; done 2>/dev/null; read -r x <&3; test "$x" = beside && ! (exec 4<>/dev/tcp/127.0.0.1/%d)']
    sidecars:
    - name: s
      image: python:3.11
      command: [python3, -c, 'import socket; s = socket.create_server(("127.0.0.1", 8080)); c = s.accept()[0]; c.sendall(b"beside\\n"); c.recv(1)']
""" % port, *PRIVATE).is_("Succeeded")


def a_pod_may_ask_for_the_machine_s_network(b):
    show = "  - name: main\n    container: {image: busybox, command: [cat, /proc/self/net/dev]}\n"
    own = [d + ":" for d in os.listdir("/sys/class/net") if not d.startswith("skiff")]
    for how in ("hostNetwork: true", "podSpecPatch: 'hostNetwork: true'"):
        b.run(HEAD % ("  " + how) + show, *PRIVATE).is_("Succeeded")
        assert all(d in b.logs() for d in own), b.logs()


def an_engine_that_is_killed_finds_the_network_again(b):
    if not _as_root():
        return  # there are no addresses
    p = b.start(HEAD % "" + """
  - name: main
    steps:
    - - {name: a, template: server}
    - - {name: wait, template: wait}
    - - {name: client, template: client, arguments: {parameters: [{name: a, value: '{{steps.a.ip}}'}, {name: b, value: '{{steps.a.ip}}'}]}}
""" + SERVER + CLIENT + WAIT % b.directory, *PRIVATE)
    b.wait_for(lambda w: w.nodes.get("[1].wait", {}).get("phase") == "Running")
    ip = b.get().node("[0].a(0)", "Running")["podIP"]
    p.kill()
    p.wait()
    b.file("", "go")
    run.same(b.call("run", "--resume", b.get().workflow["metadata"]["name"], *PRIVATE).returncode, 0)
    run.same(b.get().is_("Succeeded").node("[0].a(0)", "Succeeded")["podIP"], ip)


def _children(pid, name):
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % other) as f:
                comm, rest = f.read().rsplit(")", 1)
        except OSError:
            continue
        if comm.endswith("(" + name) and int(rest.split()[1]) == pid:
            found.append(int(other))
    return found


def _child(pid, name):
    found = _children(pid, name)
    run.same(len(found), 1, "children %s" % name)
    return found[0]


def a_keeper_of_networks_that_is_killed_has_a_successor(b):
    p = b.start(HEAD % "" + """
  - name: main
    steps: [[{name: wait, template: wait}], [{name: more, template: more, withSequence: {count: '12'}}]]
  - name: more
    container: {image: busybox, command: [grep, -q, 'lo:', /proc/net/dev]}
""" + WAIT % b.directory, *PRIVATE)
    b.wait_for(lambda w: w.nodes.get("[0].wait", {}).get("phase") == "Running")
    os.kill(_child(_child(p.pid, "skiff-launcher"), "skiff-net"), signal.SIGKILL)
    b.file("", "go")
    run.same(p.wait(timeout=run.LIMIT_S), 0)
    b.get().is_("Succeeded")


MANY = """
  - name: main
    steps:
    - - {name: first, template: %s}
    - - {name: s, template: s, withSequence: {count: '24'}}
"""


def a_namespace_is_used_again_when_nobody_is_in_it(b):
    if not _as_root():
        return  # there are no addresses to tell them apart
    b.run(HEAD % "" + MANY % "s" + "  - name: s\n    container: {image: busybox, command: [sh, -c, 'grep -v localhost /etc/hosts | grep ^10']}\n",
          "--parallel", "1", *PRIVATE).is_("Succeeded")
    ips = [line.split()[-2] for line in b.logs().splitlines()]
    assert len(ips) == 25 and len(set(ips)) < 20, ips


def what_is_left_in_a_namespace_is_not_met_again(b):
    """A closed connection whose port is still taken; a socket that somebody outside was given."""
    lonely = "import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 5000)); s.listen(); c = socket.create_connection((\"127.0.0.1\", 5000)); s.accept()[0].close(); c.recv(1); c.close()"
    b.run(HEAD % "" + MANY % "s" + "  - name: s\n    container: {image: python:3.11, command: [python3, -c, '%s']}\n" % lonely,
          "--parallel", "1", *PRIVATE).is_("Succeeded")
    give = "import socket; t = socket.create_server((\"127.0.0.1\", 5000)); u = socket.socket(socket.AF_UNIX); u.connect(\"/here/u\"); socket.send_fds(u, [b\"x\"], [t.fileno()])"
    meet = "import socket, sys; sys.exit(socket.socket().connect_ex((\"127.0.0.1\", 5000)) == 0)"
    with socket.socket(socket.AF_UNIX) as u:
        u.bind(os.path.join(b.directory, "u"))
        u.listen()
        p = b.start(HEAD % ("  volumes: [{name: here, hostPath: {path: %s}}]" % b.directory) + MANY % "give" + """
  - name: give
    container: {image: python:3.11, command: [python3, -c, '%s'], volumeMounts: [{name: here, mountPath: /here}]}
  - name: s
    container: {image: python:3.11, command: [python3, -c, '%s']}
""" % (give, meet), "--parallel", "1", *PRIVATE)
        u.settimeout(run.LIMIT_S)
        kept = socket.recv_fds(u.accept()[0], 1, 1)[1]
        run.same(p.wait(timeout=run.LIMIT_S), 0)
        os.close(kept[0])


def names_are_what_the_pod_says(b):
    b.run(HEAD % """
  hostAliases: [{ip: 192.0.2.7, hostnames: [seven.example, seven]}]
  dnsConfig: {nameservers: [192.0.2.53], searches: [here.example], options: [{name: ndots, value: '3'}]}
  dnsPolicy: None""" + """
  - name: main
    hostAliases: [{ip: 192.0.2.8, hostnames: [eight]}]
    container: {image: python:3.11, command: [sh, -c, 'cat /etc/hosts /etc/resolv.conf; getent hosts seven eight']}
""").is_("Succeeded")
    out = b.logs()
    for line in ("192.0.2.7\tseven.example\tseven", "192.0.2.8\teight", "nameserver 192.0.2.53", "search here.example", "options ndots:3"):
        assert line in out, (line, out)
    assert out.count("192.0.2.7 ") and out.count("192.0.2.8 "), out  # getent has found them
    for tier in ("ro", "overlay"):
        b.run(HEAD % "" + "  - name: main\n    container: {image: busybox, command: [sh, -c, 'test -s /etc/hosts && grep -q $(hostname) /etc/hosts']}\n",
              "--runtime", tier, *PRIVATE).is_("Succeeded")


def an_image_has_the_pod_s_names_whatever_it_brings(b):
    for name, bring in (("bare", False), ("own", True)):
        root = os.path.join(b.directory, name)
        os.makedirs(os.path.join(root, "bin"))
        shutil.copy("/bin/busybox", os.path.join(root, "bin"))
        if bring:
            os.mkdir(os.path.join(root, "etc"))
            for f in ("hosts", "resolv.conf"):
                with open(os.path.join(root, "etc", f), "w") as to:
                    to.write("of the image\n")
        images = b.file("images: {there: {root: %s}}\n" % root, name + ".images")
        w = b.run(HEAD % """
  hostAliases: [{ip: 192.0.2.7, hostnames: [seven]}]
  dnsConfig: {searches: [here.example]}""" + """
  - name: main
    container: {image: there, command: [/bin/busybox, cat, /etc/hosts, /etc/resolv.conf, /etc/hostname]}
""", "--images", images, *PRIVATE).is_("Succeeded")
        out = b.logs()
        assert "192.0.2.7\tseven" in out and w.workflow["metadata"]["name"] == out.split()[-1] and "here.example" in out and "of the image" not in out, out
        run.same(os.path.exists(os.path.join(root, "etc")), bring, "the image's /etc")


def nothing_is_left_of_networks_after_sigkill(b):
    """Engine, launcher, keeper and supervisors die; what the pod had goes with its last process."""
    before = _devices()
    p = b.start(HEAD % "" + """
  - name: main
    container: {image: busybox, command: [sleep, '1000']}
    sidecars: [{name: s, image: busybox, command: [sleep, '1000']}]
""", *PRIVATE)
    b.wait_for(lambda w: w.nodes.get("wf", {}).get("phase") == "Running")
    launcher = _child(p.pid, "skiff-launcher")
    assert not _as_root() or _devices() - before
    victims = [p.pid, launcher, _child(launcher, "skiff-net")] + _children(launcher, "skiff-slot")
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):  # an idle one goes with its engine
            os.kill(pid, signal.SIGKILL)
    p.wait()
    _devices_go(before)


def without_root_there_is_a_loopback_device(b):
    if not _as_root():
        return  # all other tests are without
    b.rootless()
    path = b.file(HEAD % "" + """
  - name: main
    container: {image: busybox, command: [sh, -c, 'cat /proc/net/dev | tail -n +3 | cut -d: -f1; exec 3<>/tmp/x']}
    sidecars: [{name: s, image: busybox, command: [sleep, '100']}]
""")
    p = b.call("run", *PRIVATE, path)
    run.same(p.returncode, 0, p.stderr + p.stdout)
    assert "only a loopback device" in p.stderr + p.stdout, p.stderr
    run.same(b.logs().split()[-1], "lo")
    b.file(HEAD % "" + "  - name: main\n    steps: [[{name: s, template: server}]]\n" + SERVER)
    p = b.call("run", *PRIVATE, path)
    assert "is not reached from outside" in p.stderr + p.stdout, p.stdout + p.stderr


def without_root_who_comes_later_finds_the_network_of_its_pod(b):
    """Whoever has died meanwhile: it belongs to a user namespace that only who was put into it may enter."""
    b.rootless()
    for victim in ("launcher", "engine"):
        met = "127.0.0.1\", 8080"
        p = b.start(HEAD % ("  volumes: [{name: here, hostPath: {path: %s}}]" % b.directory) + """
  - name: main
    steps: [[{name: set, template: set}], [{name: more, template: more, withSequence: {count: '6'}}]]
  - name: set
    containerSet:
      volumeMounts: [{name: here, mountPath: /here}]
      containers:
      - {name: server, image: python:3.11, command: [python3, -c, 'import socket; socket.create_server(("%s)).accept()[0].sendall(b"x")']}
      - {name: wait, image: busybox, command: [sh, -c, 'until test -e /here/go-%s; do sleep 0.05; done']}
      - {name: main, image: python:3.11, command: [python3, -c, 'import socket; assert socket.create_connection(("%s)).recv(1)'], dependencies: [wait]}
  - name: more
    container: {image: busybox, command: [grep, -q, 'lo:', /proc/net/dev]}
""" % (met, victim, met), *PRIVATE)
        b.wait_for(lambda w: all(w.nodes.get("[0].set." + n, {}).get("phase") == "Running" for n in ("server", "wait")))
        os.kill(p.pid if victim == "engine" else _child(p.pid, "skiff-launcher"), signal.SIGKILL)
        if victim == "engine":
            p.wait()
            p = b.resume(b.get().workflow["metadata"]["name"], *PRIVATE)
        b.file("", "go-" + victim)
        run.same(p.wait(timeout=run.LIMIT_S), 0, victim)
        b.get().is_("Succeeded")


def a_plain_process_has_no_network_of_its_own(b):
    p = b.call("run", "--runtime", "none", *PRIVATE, b.file(HEAD % "" + "  - name: main\n    container: {image: busybox, command: ['true']}\n"))
    assert p.returncode and "needs a sandbox" in p.stderr, p.stderr
    p = b.call("run", *PRIVATE, "wf.yaml")
    run.same(p.returncode, 0, p.stderr)
