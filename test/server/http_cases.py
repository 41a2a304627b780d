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
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server  # noqa: E402
from server import Server, common, workflow  # noqa: E402

IDLE, SLOW = 3000, 500
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
        for _ in range(idle):
            keep(connect(s, "127.0.0.2"))
        slow = [keep(connect(s, "127.0.0.3", b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\nX-A: ")) for _ in range(SLOW)]
        common.wait_for(lambda: descriptors(s.proc.pid) >= fds + idle + SLOW - 5, "the connections")
        grown = (rss_kib(s.proc.pid) - before) / (idle + SLOW)
        score.check(grown < GROWTH_KIB, f"{grown:.1f} KiB for each of {idle + SLOW} connections")
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
    score.check(grown < GROWTH_KIB * (idle + SLOW), f"{grown} KiB more when they are gone")
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


CASES = (ids_and_log, compressed, tls, many_idle_and_slow_clients)

if __name__ == "__main__":
    sys.exit(server.run_cases(CASES))
