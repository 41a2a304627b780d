"""Probes of containers: who is asked how, and what comes of it."""
import http.server
import re
import threading

import daemons
import run

STEPS = """
  - name: main
    steps: [[{name: d, template: daemon}], [{name: work, template: work}]]
  - name: work
    container: {image: busybox, command: [sh, -ec, '%s'], volumeMounts: [{name: here, mountPath: /mnt/here}]}
"""
VOLUMES = "  volumes: [{name: here, hostPath: {path: %s}}]\n  templates:\n"
DAEMON = """
  - name: daemon
    daemon: true
%s
    container:
      image: busybox
      command: [sh, -c, '%s']
      volumeMounts: [{name: here, mountPath: /mnt/here}]
"""
MAIN = """
  - name: main
%s
    container:
      image: busybox
      command: [sh, -c, '%s']
      volumeMounts: [{name: here, mountPath: /mnt/here}]
"""


def _head(b):
    return daemons.HEAD.replace("  templates:\n", VOLUMES % b.directory)


def an_exec_probe_runs_in_the_sandbox_of_its_container(b):
    ready = """
      env: [{name: WHO, value: me}]
      workingDir: /tmp
      readinessProbe: {exec: {command: [sh, -c, 'test "$WHO" = me && test "$PWD" = /tmp && test -e up && echo asked >> /mnt/here/asked']}, periodSeconds: 1}
"""
    w = b.run(_head(b) + STEPS % "test -e /mnt/here/up; cat /mnt/here/asked" +
              DAEMON % ("", "sleep 0.5; touch /mnt/here/up; echo x > /tmp/up; " + daemons.FOR_EVER) + ready).is_("Succeeded")
    w.node("[0].d", "Succeeded")
    run.same(open(b.directory + "/asked").read(), "asked\n")


def an_exec_probe_runs_beside_plain_processes_too(b):
    text = daemons.HEAD + STEPS.replace(", volumeMounts: [{name: here, mountPath: /mnt/here}]", "") % "true" + \
        (DAEMON % ("", daemons.FOR_EVER)).replace("      volumeMounts: [{name: here, mountPath: /mnt/here}]\n", "") + \
        "      readinessProbe: {exec: {command: [sh, -c, 'echo up >> %s/asked']}}\n" % b.directory
    b.run(text, "--runtime", "none").is_("Succeeded")
    run.same(open(b.directory + "/asked").read(), "up\n")


def a_probe_opens_no_way_out(b):
    """Until it has its root a probe is the supervisor's; the step looks for it meanwhile."""
    spy = "sh /mnt/here/spy; " + daemons.FOR_EVER
    b.file("end=$(( $(date +%s) + 3 )); while [ $(date +%s) -lt $end ]; do for p in /proc/[0-9]*; do ls -d $p/root/hostrw $p/root/host "
           "2>/dev/null >> /mnt/here/found; grep -q \" /hostrw\" $p/mountinfo 2>/dev/null && echo $p >> /mnt/here/found; done; done; touch /mnt/here/done", "spy")
    w = b.run(_head(b) + STEPS % "until [ -e /mnt/here/done ]; do sleep 0.1; done" + DAEMON % ("", spy) +
              "      livenessProbe: {exec: {command: ['true']}, periodSeconds: 1}\n").is_("Succeeded")
    w.node("[0].d", "Succeeded")
    run.same(open(b.directory + "/found").read(), "")


def a_probe_that_takes_too_long_has_failed(b):
    w = b.run(_head(b) + MAIN % ("", daemons.FOR_EVER) +
              "      livenessProbe: {exec: {command: [sleep, '100']}, periodSeconds: 1, failureThreshold: 1}\n").is_("Failed")
    w.node("wf", "Failed", "main: Error (exit code 143): signal TERM: its livenessProbe failed")


def one_that_is_not_alive_is_ended(b):
    w = b.run(_head(b) + MAIN % ("", 'trap "exit 7" TERM; touch /tmp/alive /mnt/here/up; sleep 1; rm /tmp/alive; ' + daemons.FOR_EVER) +
              "      startupProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1, failureThreshold: 30}\n"
              "      livenessProbe: {exec: {command: [test, -e, /tmp/alive]}, periodSeconds: 1, failureThreshold: 2}\n").is_("Failed")
    w.node("wf", "Failed", "main: Error (exit code 7): its livenessProbe failed")
    assert "livenessProbe has failed 2 times" in w.err, w.err


def one_that_does_not_listen_is_killed_after_the_grace_period_of_the_probe(b):
    w = b.run(_head(b) + MAIN % ("", 'trap "" TERM; touch /mnt/here/up; ' + daemons.FOR_EVER) +
              "      startupProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1, failureThreshold: 30}\n"
              "      livenessProbe: {tcpSocket: {port: %d}, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 1}\n" % daemons._port())
    w.is_("Failed").node("wf", "Failed", "main: Error (exit code 137)")


def liveness_is_not_asked_before_the_start_is_over(b):
    probes = """
      startupProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1, failureThreshold: 30}
      livenessProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1, failureThreshold: 1}
"""
    b.run(_head(b) + MAIN % ("", "sleep 1.5; touch /mnt/here/up; sleep 1.5") + probes).is_("Succeeded")


def one_that_does_not_start_is_ended(b):
    w = b.run(_head(b) + MAIN % ("", daemons.FOR_EVER) + "      startupProbe: {exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 2}\n")
    w.is_("Failed").node("wf", "Failed", "its startupProbe failed")


def a_daemon_is_ready_when_its_sidecars_are(b):
    beside = """
    sidecars:
    - name: beside
      image: busybox
      command: [sh, -c, 'sleep 0.7; touch /mnt/here/up; while :; do sleep 0.05; done']
      volumeMounts: [{name: here, mountPath: /mnt/here}]
      readinessProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1}
"""
    b.run(_head(b) + STEPS % "test -e /mnt/here/up" + DAEMON % (beside, daemons.FOR_EVER)).is_("Succeeded")


def a_sidecar_that_is_not_alive_is_ended_alone(b):
    beside = """
    sidecars:
    - {name: beside, image: busybox, command: [sleep, '100'], livenessProbe: {exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 1}}
"""
    b.run(_head(b) + MAIN % (beside, "sleep 2")).is_("Succeeded")


GRPC = r"""
import socket, struct, threading
def frame(kind, flags, stream, body=b""): return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body
def field(name, value): return bytes([0, len(name)]) + name + bytes([len(value)]) + value
def exactly(c, n):
    got = b""
    while len(got) < n:
        more = c.recv(n - len(got))
        if not more: raise EOFError
        got += more
    return got
asked = 0
def serve(c):
    global asked
    assert exactly(c, 24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    c.sendall(frame(4, 0, 0))
    while True:
        head = exactly(c, 9)
        body, kind, flags, stream = exactly(c, int.from_bytes(head[:3], "big")), head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == 4 and not flags & 1: c.sendall(frame(4, 1, 0))
        if kind != 0 or not flags & 1: continue
        asked += 1
        right = body == b"\0\0\0\0\5\n\3web"
        status = b"\x08\x01" if asked > 2 and right else b"\x08\x02"
        c.sendall(frame(1, 4, stream, b"\x88" + field(b"content-type", b"application/grpc")) + frame(0, 0, stream, b"\0" + struct.pack(">I", 2) + status)
                  + frame(1, 5, stream, field(b"grpc-status", b"0")))
        open("/mnt/here/asked", "w").write("%d %s" % (asked, right))
s = socket.create_server(("127.0.0.1", PORT))
while True:
    threading.Thread(target=serve, args=s.accept()[:1], daemon=True).start()
"""


def a_grpc_probe_asks_for_the_health_of_a_service(b):
    port = daemons._port()
    b.file(GRPC.replace("PORT", str(port)), "server.py")
    server = """
  - name: daemon
    daemon: true
    container:
      image: python:3.11
      command: [python3, /mnt/here/server.py]
      volumeMounts: [{name: here, mountPath: /mnt/here}]
      readinessProbe: {grpc: {port: %d, service: web}, periodSeconds: 1, initialDelaySeconds: 1}
""" % port
    b.run(_head(b) + STEPS % "true" + server).is_("Succeeded")
    run.same(open(b.directory + "/asked").read(), "3 True")


def a_redirect_to_another_host_is_the_answer(b):
    """As for a kubelet: it asks nobody else."""
    class Away(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.invalid/")
            self.end_headers()

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Away)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        ready = "      readinessProbe: {httpGet: {port: %d}, periodSeconds: 1}\n" % server.server_address[1]
        stop = "      livenessProbe: {exec: {command: ['false']}, initialDelaySeconds: 20, failureThreshold: 1}\n"
        b.run(_head(b) + STEPS % "true" + DAEMON % ("", daemons.FOR_EVER) + ready + stop).is_("Succeeded")
    finally:
        server.shutdown()
        server.server_close()


def what_a_cluster_refuses_is_an_error(b):
    probe = "{name: i, image: busybox, command: ['true'], %s}"
    for what, message in (("readinessProbe: {exec: {command: ['true']}}", "may not be set for init containers"),
                          ("restartPolicy: OnFailure", "restartPolicy: Always is the only one")):
        w = b.run(_head(b) + MAIN % ("    initContainers: [%s]" % (probe % what), "true")).is_("Error")
        assert message in w.status["message"], w.status["message"]
        assert re.search("W0105", b.call("lint", "wf.yaml").stdout + b.call("lint", "wf.yaml").stderr)
    w = b.run(_head(b) + MAIN % ("", "true") + "      livenessProbe: {periodSeconds: 1}\n").is_("Error")
    assert "must specify a handler type" in w.status["message"]


def an_engine_that_is_killed_asks_anew(b):
    ready = "      readinessProbe: {exec: {command: [test, -e, /mnt/here/up]}, periodSeconds: 1}\n"
    p = b.start(_head(b) + STEPS % "true" + DAEMON % ("", daemons.FOR_EVER) + ready)
    b.wait_for(lambda w: w.nodes.get("[0].d", {}).get("phase") == "Running")
    p.kill()
    p.wait()
    b.file("", "up")
    b.call("run", "--resume", b.get().workflow["metadata"]["name"])
    b.get().is_("Succeeded")
