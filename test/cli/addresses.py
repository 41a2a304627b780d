"""Documents from addresses: what http:// gives is read like a file, and what it does not give is said."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))
import common
import servers
import shapes

HELLO = shapes.HEAD.encode() + b"""  arguments: {parameters: [{name: who, value: nobody}]}
  templates:
  - {name: main, container: {image: busybox, command: [echo, "hello {{workflow.parameters.who}}"]}}
"""
MIB = 1 << 20


def answer(request):
    pages = {"/w.yaml": (200, HELLO), "/bad.yaml": (200, HELLO.replace(b"container:", b"contaner:")), "/p.yaml": (200, b"who: you\n"),
             "/large.yaml": (200, b"#" * (65 * MIB)), "/broken": (500, b"kind: Workflow\n")}
    if request.url_path == "/moved":
        return 302, [("Location", "/w.yaml")], b""
    status, body = pages.get(request.url_path, (404, b"kind: Workflow\n"))
    return status, [], body


def fetched(score, skiff):
    place, server = common.Place(skiff, "none"), servers.Server(answer)

    def expect(words, status, *texts):
        ran = place.call(*words)
        seen = ran.stdout + ran.stderr
        score.check(ran.returncode == status and all(t in seen for t in texts), f"{words}: {ran.returncode} {seen}")
        return ran

    run = ["run", "--runtime", "none"]
    expect(run + [server.url + "/w.yaml", "--name", "w"], 0, "SUCCEEDED")
    expect(["submit", "--watch", "--runtime", "none", server.url + "/moved", "-f", server.url + "/p.yaml", "--name", "v"], 0, "SUCCEEDED")
    score.check("hello you" in place.call("logs", "v").stdout, "-f URL: the parameter")
    expect(["lint", server.url + "/bad.yaml"], 3, server.url + "/bad.yaml:", "contaner")
    expect(["lint", server.url.replace("//", "//me:hush@") + "/bad.yaml"], 3, server.url + "/bad.yaml:")
    score.check("hush" not in place.call("lint", server.url.replace("//", "//me:hush@") + "/none.yaml").stderr, "a password is not shown")
    expect(["template", "create", server.url + "/none.yaml"], 4, server.url + "/none.yaml: the server answers with status 404")
    expect(run + [server.url + "/broken"], 11, "status 500")
    expect(run + [server.url + "/large.yaml"], 10)
    expect(run + ["http://127.0.0.1:%d/w.yaml" % closed_port()], 6, "refused")
    expect(run + ["ftp://127.0.0.1/w.yaml"], 12, "http:// and https://")
    printed = expect(["fmt", "--fix", server.url + "/bad.yaml"], 0).stdout
    score.check("container:" in printed and "contaner" not in printed, "fmt of an address prints")
    server.shutdown()
    place.wait_clean()
    place.remove()



def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


TESTS = (fetched,)
