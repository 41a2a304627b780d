#!/usr/bin/env python3
"""HTTP on TCP: many and slow clients, request ids, compressed answers, TLS, the log of requests.

run.py runs these; alone: http_cases.py [SKIFF [CASE...]]"""
import contextlib
import gzip
import http.client
import json
import os
import resource
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import manager  # noqa: E402
import server  # noqa: E402
from server import Server, common, memory_check, workflow  # noqa: E402

IDLE, SLOW = 9400, 500  # of an address at most 4096
HEADER_S = 8  # who has said nothing for 10 s is ended
GROWTH_KIB = 20  # a connection, kernel memory not counted


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(s, own="127.0.0.1", text=b""):
    c = socket.create_connection(("127.0.0.1", s.port), timeout=common.LIMIT_S, source_address=(own, 0))
    if text:
        c.sendall(text)
    return c


def read_all(c):
    """Until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := c.recv(65536):
            data += piece
    return data


def many_idle_and_slow_clients(score, skiff):
    """Thousands of connections that say nothing, and some that say a byte now and then, cost little memory, delay nobody and are ended."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = min(IDLE, hard // 2 - SLOW - 100)
    s = Server(skiff).start()
    s.ask("GET", "/api/v1/version")
    fds, before = descriptors(s.proc.pid), rss_kib(s.proc.pid)  # the connection of that may be there yet
    with contextlib.ExitStack() as all_of_them:
        keep = all_of_them.enter_context
        opened = [(keep(connect(s, f"127.0.0.{4 + i % 4}")), time.monotonic())[1] for i in range(idle)]
        slow = [keep(connect(s, "127.0.0.3", b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\nX-A: ")) for _ in range(SLOW)]
        common.wait_for(lambda: descriptors(s.proc.pid) >= fds + SLOW + sum(t > time.monotonic() - HEADER_S for t in opened) - 5, "the connections")
        grown = (rss_kib(s.proc.pid) - before) / (idle + SLOW)
        memory_check(score, grown < GROWTH_KIB, f"{grown:.1f} KiB for each of {idle + SLOW} connections")
        for c in slow:
            with contextlib.suppress(OSError):
                c.sendall(b"a")
        status, _, version = s.ask("GET", "/api/v1/version")
        score.check(status == 200 and "version" in version, f"others are answered: {status}")
        name = s.submit(workflow("echo hello"))
        score.check(s.wait(name)["status"]["phase"] == "Succeeded", "a workflow runs meanwhile")
        answer = read_all(slow[0])
        score.check(b" 408 " in answer and b'"code":4' in answer, f"a slow one is told: {answer[:100]}")
        common.wait_for(lambda: descriptors(s.proc.pid) <= fds + 5, "their end")
    grown = rss_kib(s.proc.pid) - before
    memory_check(score, grown < LEFT_KIB, f"{grown} KiB more when they are gone")
    score.check(s.stop() == 0, "told to end")
    s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


STAGES = (b"", b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"GET /api/v1/skiff/changes?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
          b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{",
          b"GET /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\n\r\n")
VANISHING, TIMES, LEFT_KIB = 2500, 4, 4096


def ten_thousand_vanish(score, skiff):
    """Ten thousand that go without a word, at any stage of a request: descriptors and memory come back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(VANISHING, hard // 2 - 100)
    s = Server(skiff).start()
    s.ask("GET", "/api/v1/workflows/default")
    fds, before, grown = descriptors(s.proc.pid), rss_kib(s.proc.pid), []
    for _ in range(TIMES):
        some = [connect(s, f"127.0.0.{2 + i % 3}", STAGES[i % len(STAGES)]) for i in range(n)]
        status = s.ask("GET", "/api/v1/version")[0]
        score.check(status == 200, f"others are answered: {status}")
        for c in some:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
            c.close()
        common.wait_for(lambda: descriptors(s.proc.pid) <= fds + 3, "their end")
        grown.append(rss_kib(s.proc.pid) - before)
    memory_check(score, max(grown) < LEFT_KIB, f"memory that is left each time: {grown} KiB")
    score.check(s.stop() == 0, "told to end")
    s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ids_and_log(score, skiff):
    """Every answer has a request id; with -v, so has a line of the log; as JSON, each line is an object."""
    for fmt in ("text", "json"):
        s = Server(skiff).start("-v", "--log-format", fmt)
        given = s.ask("GET", "/api/v1/version", headers={"X-Request-Id": "mine-1"})[1]["X-Request-Id"]
        made = s.ask("GET", "/api/v1/workflows/default/absent?a=b%20c")[1]["X-Request-Id"]
        score.check(given == "mine-1" and made and made != given, f"ids: {given} {made}")
        s.stop()
        lines = [line for line in s.said.splitlines() if "/api/v1/" in line]
        if fmt == "json":
            said = [json.loads(line) for line in s.said.splitlines() if line]
            score.check(all(x["level"] and x["msg"] and x["time"].endswith("Z") for x in said), f"JSON: {s.said}")
            rows = [x for x in said if x["msg"] == "request"]
            want = [("GET", "/api/v1/version", 200, "mine-1"), ("GET", "/api/v1/workflows/default/absent?a=b%20c", 404, made)]
            score.check([(x["method"], x["path"], x["status"], x["requestId"]) for x in rows] == want, f"requests: {rows}")
            score.check(all(x["client"] == "127.0.0.1" and x["ms"] >= 0 and x["whole"] is True for x in rows), f"requests: {rows}")
        else:
            score.check(len(lines) == 2 and "status=404" in lines[1] and f"requestId={made}" in lines[1], f"text: {lines}")
        s.close()


def compressed(score, skiff):
    s = Server(skiff).start()
    names = {s.submit(workflow("true", name=f"w{i}")) for i in range(8)}
    for name in names:
        s.wait(name)
    plain = s.ask("GET", "/api/v1/workflows/default")
    c = s.connect()
    c.request("GET", "/api/v1/workflows/default", headers={"Accept-Encoding": "gzip"})
    r = c.getresponse()
    data = r.read()
    c.close()
    score.check(r.headers["Content-Encoding"] == "gzip" and r.headers["Vary"] == "Accept-Encoding", f"said: {r.headers.items()}")
    score.check(json.loads(gzip.decompress(data)) == plain[2] and len(data) * 2 < len(json.dumps(plain[2])), "the same, in less")
    small = s.ask("GET", "/api/v1/version", headers={"Accept-Encoding": "gzip"})
    score.check(small[1]["Content-Encoding"] is None, "a small answer is plain")
    s.close()


def certificate(place):
    """A key and a certificate of 127.0.0.1 that it signs itself."""
    cert, key = place.file("cert.pem", ""), place.file("key.pem", "")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=skiff",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def tls(score, skiff):
    """HTTPS and nothing else; streams and large bodies too; a client that never shakes hands is ended."""
    s = Server(skiff)
    cert, key = certificate(s.place)
    s.start("--tls-cert", cert, "--tls-key", key)
    score.check(s.url.startswith("https://"), f"said: {s.said}")
    trust = ssl.create_default_context(cafile=cert)

    def ask(method, target, body=None):
        c = http.client.HTTPSConnection("127.0.0.1", s.port, timeout=common.LIMIT_S, context=trust)
        c.request(method, target, json.dumps(body) if body else None)
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, json.loads(data)
    made = ask("POST", "/api/v1/workflows/default", {"workflow": workflow("echo hello", name="w", arguments={"parameters": [{"name": "p", "value": "x" * 500000}]})})
    score.check(made[0] == 200, f"a large body: {made[0]}")
    done = common.wait_for(lambda: (w := ask("GET", "/api/v1/workflows/default/w")[1]).get("status", {}).get("phase") in common.PHASES_DONE and w, "the workflow")
    score.check(done["spec"]["arguments"]["parameters"][0]["value"] == "x" * 500000, "a large answer")
    c = http.client.HTTPSConnection("127.0.0.1", s.port, timeout=common.LIMIT_S, context=trust)
    c.request("GET", "/api/v1/skiff/changes?after=0")
    score.check(b'"seq"' in c.getresponse().readline(), "a stream")
    c.close()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=cert)
        context.maximum_version = context.minimum_version = version
        with context.wrap_socket(connect(s), server_hostname="127.0.0.1") as one:
            score.check(one.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version.value], f"{version}")
    with connect(s, text=b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n") as plain:
        answer = read_all(plain)
        score.check(not answer.startswith(b"HTTP"), f"plain HTTP gets nothing: {answer[:60]}")
    with connect(s) as silent:
        ended = select.select([silent], [], [], common.LIMIT_S)[0] and read_all(silent) == b""
        score.check(ended, "who says nothing is ended without a word")
    score.check(s.stop() == 0, f"told to end: {s.said}")
    other = certificate(s.place)[1]
    bad = s.place.file("bad.pem", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    for words, text in ((("--tls-cert", cert), "belong together"), (("--tls-cert", bad, "--tls-key", other), "cannot be used"),
                        (("--tls-cert", s.place.root + "/absent", "--tls-key", key), "absent")):
        ran = s.place.call("server", "--port", "0", *words)
        score.check(ran.returncode in (2, 4, 5) and text in ran.stderr, f"{words}: {ran.returncode} {ran.stderr}")
    s.close()


def shown(s, c, version=ssl.TLSVersion.TLSv1_3):
    """The certificate that a connection gets, and its answer to a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = context.minimum_version = version
    with context.wrap_socket(c) as one:
        one.sendall(b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return ssl.DER_cert_to_PEM_cert(one.getpeercert(True)), read_all(one)[:12]


class Renewed:
    """A server with TLS whose files change, and a connection to it that stays."""

    def __init__(self, score, skiff):
        self.score, self.s = score, Server(skiff)
        self.pairs = [[common.contents(f).decode() for f in certificate(self.s.place)] for _ in range(3)]
        self.cert, self.key = self.put(*self.pairs[0])
        self.s.start("--tls-cert", self.cert, "--tls-key", self.key)
        self.kept = self.https()
        self.ask()
        self.own = self.kept.sock

    def put(self, cert, key):
        return self.s.place.file("cert.pem", cert), self.s.place.file("key.pem", key)

    def https(self):
        return http.client.HTTPSConnection("127.0.0.1", self.s.port, timeout=common.LIMIT_S, context=ssl.create_default_context(cadata=self.pairs[0][0]))

    def ask(self, method="GET", target="/api/v1/version", body=None):
        """On the connection that stays."""
        self.kept.request(method, target, json.dumps(body) if body else None)
        r = self.kept.getresponse()
        r.read()
        return r.status

    def renew(self, said="new connections get the certificate of "):
        self.s.proc.send_signal(signal.SIGHUP)
        line = manager.until_said(self.s, "certificate")
        self.score.check(said in line, f"{said}: {line}")
        self.score.check(self.ask() == 200 and self.kept.sock is self.own, "a connection that was kept goes on")

    def now(self, **kw):
        return shown(self.s, connect(self.s), **kw)

    def overtaken(self, before, after):
        """A connection that is there when another pair comes, and shakes hands after: what it gets. None: all that took ten seconds."""
        self.put(*before)
        self.renew()
        c = connect(self.s)
        self.now()  # it has been accepted before this one
        for pair in after:
            self.put(*pair)
            self.renew()
        with contextlib.suppress(OSError):
            return shown(self.s, c)
        return None


def another_certificate(score, skiff):
    """SIGHUP: new connections get what the files have now; those that there are go on; what cannot be used changes nothing."""
    x = Renewed(score, skiff)
    first, second, third = x.pairs
    stream = x.https()
    stream.request("GET", "/api/v1/skiff/changes?after=0")
    changes = stream.getresponse()
    score.check(x.now() == (first[0], b"HTTP/1.1 200"), "the first")
    waits = connect(x.s)
    x.put(*second)
    score.check(x.now()[0] == first[0] != second[0], "files alone change nothing")
    x.renew()
    with contextlib.suppress(OSError):  # it took ten seconds
        score.check(shown(x.s, waits) == (first[0], b"HTTP/1.1 200"), "the first, to who came before")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        score.check(x.now(version=version) == (second[0], b"HTTP/1.1 200"), f"another: {version}")
    for name, texts, said in (("another's key", (second[0], first[1]), "cannot be used"), ("another's certificate", (first[0], second[1]), "cannot be used"),
                              ("no certificate", ("", second[1]), "cannot be used"), ("no key", (second[0], ""), "cannot be used"), ("cut off", (third[0][:300], third[1]), "cannot be used"),
                              ("a key only", (third[1], third[1]), "cannot be used"), ("too large", (third[0] + "\n" * (1 << 20), third[1]), "more than"), ("absent", None, "no file")):
        if texts:
            x.put(*texts)
        else:
            os.remove(x.cert)
        x.renew("the certificate stays the one that it was: ")
        score.check(x.now() == (second[0], b"HTTP/1.1 200"), f"{name}: the one before counts")
    got = common.wait_for(lambda: x.overtaken(second, (third, first, third)), "a connection that is overtaken")
    score.check(got == (second[0], b"HTTP/1.1 200") and x.now() == (third[0], b"HTTP/1.1 200"), "who came before has shaken hands with what counted then")
    score.check(x.ask("POST", "/api/v1/workflows/default", {"workflow": workflow("true", name="late")}) == 200, "taken")
    while (line := changes.readline()) and b'"late"' not in line:
        pass
    score.check(line, "a stream goes on")
    score.check(x.s.stop() == 0, f"told to end: {x.s.said}")
    x.s.close()


def renewed_before_it_serves(score, skiff):
    """SIGHUP while a server starts is done when it has started."""
    s = Server(skiff)
    cert, key = certificate(s.place)
    pipe = s.place.root + "/cert.pipe"
    os.mkfifo(pipe)
    starts = threading.Thread(target=s.start, args=("--tls-cert", pipe, "--tls-key", key), daemon=True)
    starts.start()

    def reads():
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
    to = common.wait_for(reads, "the server to read its certificate")
    common.wait_for(lambda: s.proc, "its id")
    s.proc.send_signal(signal.SIGHUP)
    with open(s.place.file("next.pem", common.contents(cert).decode())) as f:
        os.write(to, f.read().encode())
    os.replace(s.place.root + "/next.pem", pipe)
    os.close(to)
    starts.join(common.LIMIT_S)
    said = manager.until_said(s, "certificate") if s.proc.poll() is None else s.said
    score.check("new connections get the certificate of " in said and s.stop() == 0, f"{s.proc.poll()}: {said}")
    s.close()


JSON_ERRORS = [
    # request, body, headers, status, code, part of the message
    ("GET /nowhere", None, {}, 404, 5, "nothing at this path"),
    ("GET /api/v1/workflows/default/absent", None, {}, 404, 5, "absent"),
    ("PATCH /api/v1/version", None, {}, 405, 12, ""),
    ("GET /api/v1/workflows/default?listOptions.limit=many", None, {}, 400, 3, "listOptions.limit is a number"),
    ("GET /api/v1/workflows/default?listOptions.limit=", None, {}, 400, 3, "listOptions.limit"),
    ("GET /api/v1/workflows/default?listOptions.limit=-1", None, {}, 400, 3, "not negative"),
    ("GET /api/v1/workflows/default?listOptions.limit=99999999999999999999", None, {}, 400, 3, "listOptions.limit"),
    ("GET /api/v1/workflows/default?listOptions.watch=maybe", None, {}, 400, 3, "true or false"),
    ("GET /api/v1/workflows/default?nameFilter=Fuzzy", None, {}, 400, 3, "Exact|Contains|Prefix"),
    ("GET /api/v1/workflows/default?createdAfter=soon", None, {}, 400, 3, "is not a time"),
    ("GET /api/v1/workflows/default?listOptions.labelSelector=a%3D%3D%3Db,(", None, {}, 400, 3, ""),
    ("GET /api/v1/workflows/default?listOptions.continue=zz", None, {}, 400, 3, "continue token"),
    ("GET /api/v1/workflow-events/default?listOptions.resourceVersion=99999999", None, {}, 410, 11, "list again"),
    ("DELETE /api/v1/workflows/default/absent?force=perhaps", None, {}, 400, 3, "force is true or false"),
    ("GET /api/v1/workflows/default/absent/log?logOptions.follow=1", None, {}, 400, 3, "logOptions.follow"),
    ("POST /api/v1/workflows/default", "", {}, 400, 3, "the body needs a `workflow`"),
    ("POST /api/v1/workflows/default", "[]", {}, 400, 3, "the body is an object"),
    ("POST /api/v1/workflows/default", "null", {}, 400, 3, "the body is an object"),
    ("POST /api/v1/workflows/default", "{", {}, 400, 3, ""),
    ("POST /api/v1/workflows/default", '{"a":1}x', {}, 400, 3, ""),
    ("POST /api/v1/workflows/default", b"\xff\xfe{}", {}, 400, 3, ""),
    ("POST /api/v1/workflows/default", "[" * 100000, {}, 413, 8, "LIMIT_DOC_DEPTH"),
    ("POST /api/v1/workflows/default", "workflow: {}", {"Content-Type": "application/yaml"}, 400, 3, ""),
    ("POST /api/v1/workflows/default", '{"workflow": "x"}', {}, 400, 3, "workflow is an object"),
    ("POST /api/v1/workflows/default", '{"workflow": {"spec": {"templats": []}}}', {}, 400, 3, "templats"),
    ("POST /api/v1/workflows/default", '{"serverDryRun": "yes", "workflow": {}}', {}, 400, 3, "serverDryRun is true or false"),
    ("POST /api/v1/workflows/default/submit", '{"submitOptions": {"parameters": ["a=b", 7]}}', {}, 400, 3, "submitOptions.parameters[1] is a text"),
    ("POST /api/v1/workflows/default/submit", '{"submitOptions": {"priority": 1e99}}', {}, 400, 3, "submitOptions.priority is an integer"),
    ("PUT /api/v1/workflows/default/absent/terminate", "nonsense", {}, 400, 3, ""),
    ("PUT /api/v1/cron-workflows/default/absent/suspend", "7", {}, 400, 3, "the body is an object"),
    ("POST /api/v1/tracking/event", "nonsense", {}, 400, 3, ""),
    ("POST /api/v1/events/default/x", "nonsense", {}, 400, 3, ""),
    ("POST /api/v1/event-sources/default", "{}", {}, 501, 12, "not supported"),
    ("POST /upload-artifacts/default/t/a", "{}", {"Content-Type": "application/json"}, 400, 3, ""),
    ("POST /api/v1/workflows/default", None, {"Content-Length": str(65 << 20)}, 413, 8, ""),
    ("POST /api/v1/workflows/default", None, {"Content-Length": "12", "Transfer-Encoding": "chunked"}, 400, 3, ""),
]
FINE = [
    # unknown members and keys do not count; of a key that comes again the first value does; whatever the type says, a body is JSON: all as Argo's server
    ("GET /api/v1/workflows/default?nobody=knows&=&x", None, {}),
    ("GET /api/v1/workflows/default?listOptions.limit=1&listOptions.limit=many", None, {}),
    ("GET /api/v1/workflows/default?nameFilter=&createdAfter=&listOptions.continue=", None, {}),
    ("POST /api/v1/tracking/event", '{"name": "x", "nobody": {"knows": []}}', {"Content-Type": "text/plain"}),
    ("POST /api/v1/tracking/event", '{}', {"Content-Type": "application/x-www-form-urlencoded"}),
    ("POST /api/v1/workflows/default/lint", json.dumps({"workflow": workflow("true", name="x"), "nobody": 1, "instanceID": None}), {"Content-Type": ""}),
]


def bad_input(score, skiff):
    """What is wrong with a request is said in JSON, with the status that it has."""
    s = Server(skiff).start()
    s.ask("POST", "/api/v1/workflow-templates/default", {"template": {"metadata": {"name": "t"}, "spec": workflow("true")["spec"]}})

    def ask(request, body, headers):
        method, target = request.split(" ")
        c = s.connect()
        try:
            c.putrequest(method, target)
            if body is not None:
                c.putheader("Content-Length", str(len(body)))
            for name, value in headers.items():
                c.putheader(name, value)
            c.endheaders(body.encode() if isinstance(body, str) else body)
            r = c.getresponse()
            return r, r.read()
        finally:
            c.close()
    for request, body, headers, status, code, text in JSON_ERRORS:
        r, data = ask(request, body, headers)
        what = f"{request} {body[:60] if body else headers}: {r.status} {data[:200]}"
        if score.check(r.status == status and r.headers["Content-Type"] == "application/json", what):
            e = json.loads(data)
            score.check(e["code"] == code and text in e["message"] and e["message"], what)
        score.check(status != 405 or r.headers["Allow"] == "GET", f"allowed: {r.headers['Allow']}")
    for request, body, headers in FINE:
        r, data = ask(request, body, headers)
        score.check(r.status == 200, f"{request}: {r.status} {data[:200]}")
    s.close()


def vanishing_clients(score, skiff):
    """Clients that go in the middle of anything, politely or by a reset, leave nothing behind."""
    s = Server(skiff).start()
    name = s.submit(workflow("yes abc | head -n 200000"))
    s.wait(name)
    head = b" HTTP/1.1\r\nHost: x\r\n"
    form = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\nabc"
    ways = [b"", b"GET /api", b"GET /api/v1/version" + head, b"GET /api/v1/workflows/default" + head + b"\r\n",
            b"POST /api/v1/workflows/default" + head + b"Content-Length: 1000\r\n\r\n{", b"POST /api/v1/workflows/default" + head + b"Transfer-Encoding: chunked\r\n\r\n4\r\n{",
            b"POST /upload-artifacts/default/t/a" + head + form, f"GET /api/v1/workflows/default/{name}/log".encode() + head + b"\r\n",
            b"GET /api/v1/workflow-events/default" + head + b"\r\n", b"GET /api/v1/skiff/changes?after=0" + head + b"Accept: text/event-stream\r\n\r\n",
            b"GET /api/v1/stream/events/default" + head + b"\r\n", f"GET /artifacts/default/{name}/{name}/main-logs".encode() + head + b"\r\n"]

    def round_of_them():
        for n in range(8):
            for way in ways:
                c = connect(s, text=way)
                if n % 2:
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                if n % 4 > 1 and b"\r\n\r\n" in way and way.startswith(b"GET"):
                    c.recv(10)
                c.close()
    s.ask("GET", "/api/v1/version")
    fds = descriptors(s.proc.pid)
    round_of_them()
    common.wait_for(lambda: descriptors(s.proc.pid) <= fds + 2, "the descriptors of the first round")
    before = rss_kib(s.proc.pid)
    for _ in range(5):
        round_of_them()
    common.wait_for(lambda: descriptors(s.proc.pid) <= fds + 2, "the descriptors of further rounds")
    grown = rss_kib(s.proc.pid) - before
    memory_check(score, grown < 8 << 10, f"memory grew by {grown} KiB in {5 * 8 * len(ways)} requests")
    score.check(s.wait(s.submit(workflow("true")))["status"]["phase"] == "Succeeded", "and workflows run")
    score.check(s.stop() == 0, "told to end")
    s.close()


CASES = (ids_and_log, compressed, bad_input, vanishing_clients, tls, another_certificate, renewed_before_it_serves, many_idle_and_slow_clients, ten_thousand_vanish)

if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
