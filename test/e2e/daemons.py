"""Daemons: steps that others use while they run, ended with the template that they belong to."""
import os
import socket
import time

import run

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: daemon-}
spec:
  entrypoint: main
  templates:
"""
SERVER = """
  - name: server
    daemon: true
    container:
      image: python:3.11
      command: [python3, -m, http.server, '%d', --bind, 127.0.0.1]
      ports: [{name: web, containerPort: %d}]
      readinessProbe: {%s, periodSeconds: 1}
"""
CLIENT = """
  - name: client
    inputs: {parameters: [{name: ip}]}
    container: {image: curlimages/curl, command: [curl, -sf, 'http://{{inputs.parameters.ip}}:%d/']}
"""
FOR_EVER = "while :; do sleep 0.05; done"


def _port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _is_gone(port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)  # poll
    raise run.Wrong("the daemon still listens")


def a_daemon_serves_the_steps_after_it(b):
    port = _port()
    w = b.run(HEAD + """
  - name: main
    steps:
    - - {name: server, template: server}
    - - {name: client, template: client, arguments: {parameters: [{name: ip, value: '{{steps.server.ip}}'}]}}
""" + SERVER % (port, port, "httpGet: {path: /, port: web}") + CLIENT % port, "--parallel", "1").is_("Succeeded")
    n = w.node("[0].server", "Succeeded")
    assert "daemoned" not in n and n["podIP"] == "127.0.0.1", n
    assert n["finishedAt"] >= w.node("[1].client")["finishedAt"]
    _is_gone(port)


def a_daemon_serves_the_tasks_that_depend_on_it(b):
    port = _port()
    b.run(HEAD + """
  - name: main
    dag:
      tasks:
      - {name: server, template: server}
      - {name: client, template: client, depends: server.Daemoned, arguments: {parameters: [{name: ip, value: '{{tasks.server.ip}}'}]}}
""" + SERVER % (port, port, "tcpSocket: {port: %d}" % port) + CLIENT % port).is_("Succeeded")
    _is_gone(port)


SIMPLE = """
  - name: daemon
    daemon: true
    %s
    container: {image: busybox, command: [sh, -c, '%s']}
  - name: work
    container: {image: busybox, command: [sh, -c, 'sleep 0.3']}
"""
STEPS = """
  - name: main
    steps: [[{name: d, template: daemon}], [{name: work, template: work}]]
"""


def without_a_probe_it_is_ready_when_it_runs(b):
    w = b.run(HEAD + STEPS + SIMPLE % ("", FOR_EVER)).is_("Succeeded")
    w.node("[0].d", "Succeeded")


def a_daemon_that_ends_by_itself_has_failed(b):
    never = "{image: busybox, command: [sh, -c, 'exit 0'], readinessProbe: {exec: {command: ['false']}}}"
    w = b.run(HEAD + STEPS + SIMPLE.replace("{image: busybox, command: [sh, -c, '%s']}", never, 1) % "").is_("Failed")
    w.node("[0].d", "Failed")
    w = b.run(HEAD + STEPS + SIMPLE % ("", "sleep 0.15")).is_("Succeeded")  # its group was over
    w.node("[0].d", "Failed")


def a_daemon_that_died_is_tried_again(b):
    w = b.run(HEAD + STEPS + SIMPLE % ("retryStrategy: {limit: 5}", "sleep 0.1; exit 2")).is_("Succeeded")
    w.node("[0].d", "Succeeded")
    w.node("[0].d(0)", "Failed")
    assert "[0].d(1)" in w.nodes, sorted(w.nodes)


def a_stop_ends_daemon_and_sidecar(b):
    port = _port()
    p = b.start(HEAD + """
  - name: main
    steps: [[{name: server, template: server}], [{name: work, template: work}]]
  - name: work
    container: {image: busybox, command: [sleep, '100']}
""" + SERVER % (port, port, "tcpSocket: {port: %d}" % port) + """
    sidecars: [{name: s, image: busybox, command: [sh, -c, '%s']}]
""" % FOR_EVER)
    b.wait_for(lambda w: w.nodes.get("[1].work", {}).get("phase") == "Running")
    run.same(b.get().node("[0].server", "Running").get("daemoned"), True)
    run.same(b.call("terminate", "@latest").returncode, 0)
    p.wait(timeout=20)
    b.get().is_("Failed")
    _is_gone(port)


def an_engine_that_is_killed_goes_on_with_the_daemon(b):
    port = _port()
    p = b.start(HEAD + """
  - name: main
    steps:
    - - {name: server, template: server}
    - - {name: work, template: work}
    - - {name: client, template: client, arguments: {parameters: [{name: ip, value: '{{steps.server.ip}}'}]}}
  - name: work
    container: {image: busybox, command: [sleep, '1']}
""" + SERVER % (port, port, "httpGet: {port: %d}" % port) + CLIENT % port)
    b.wait_for(lambda w: w.nodes.get("[1].work", {}).get("phase") == "Running")
    p.kill()
    p.wait()
    run.same(b.get().node("[0].server", "Running").get("daemoned"), True)
    name = b.get().workflow["metadata"]["name"]
    run.same(b.call("run", "--resume", name).returncode, 0)
    b.get().is_("Succeeded").node("[0].server", "Succeeded")
    _is_gone(port)
    pods = os.path.join(b.state, "pods")
    run.same(os.listdir(pods) if os.path.exists(pods) else [], [])
