"""A registry on the loopback that does what a test tells it: it serves images, asks for tokens or passwords, breaks off, lies."""
import base64
import http.server
import re
import threading
import time
import urllib.parse

from images import digest


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def reply(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.registry.answer(self)

    do_POST = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Registry:
    """`hook(request, kind, name)` may answer itself and return True; kind: ping, token, manifest, blob."""

    def __init__(self, hook=None, auth=None, user="me", password="hush-hush"):
        self.hook, self.auth, self.user, self.password = hook, auth, user, password
        self.manifests, self.blobs, self.asked, self.tokens, self.token_uses = {}, {}, [], {}, None
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.registry = self
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, repo, tag, image):
        self.blobs.update(image.blobs())
        self.manifests[repo, digest(image.manifest)] = self.manifests[repo, tag] = (image.type, image.manifest)
        return f"{self.host}/{repo}:{tag}"

    def put_raw(self, repo, tag, media_type, text):
        self.manifests[repo, tag] = self.manifests[repo, digest(text)] = (media_type, text)
        return f"{self.host}/{repo}:{tag}"

    def count(self, kind, name=None):
        return sum(1 for k, n, _ in self.asked if k == kind and name in (None, n))

    # ---- answering ----

    def answer(self, r):
        url = urllib.parse.urlsplit(r.path)
        m = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", url.path)
        kind = "ping" if url.path == "/v2/" else "token" if url.path == "/token" else m.group(2)[:-1] if m else "other"
        name = m.group(3) if m else urllib.parse.unquote(url.query)
        with self.lock:
            self.asked.append((kind, name, dict(r.headers)))
        if self.hook and self.hook(r, kind, name):
            return None
        if kind == "token":
            return self.token(r)
        if not self.allowed(r):
            challenge = f'Bearer realm="http://{self.host}/token",service="reg, \\"x\\""' if self.auth == "token" else 'Basic realm="r"'
            return r.reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', [("WWW-Authenticate", challenge)])
        return self.serve(r, kind, m)

    def serve(self, r, kind, m):
        if kind == "ping":
            return r.reply(200, b"{}")
        if kind == "manifest" and (found := self.manifests.get((m.group(1), m.group(3)))):
            return r.reply(200, found[1], [("Content-Type", found[0]), ("Docker-Content-Digest", digest(found[1]))])
        if kind == "blob" and (data := self.blobs.get(m.group(3))) is not None:
            return self.send_blob(r, data)
        return r.reply(404, b'{"errors":[{"code":"UNKNOWN","message":"not known here"}]}')

    def send_blob(self, r, data):
        at = re.fullmatch(r"bytes=(\d+)-", r.headers.get("Range", ""))
        if not at:
            return r.reply(200, data)
        at = int(at.group(1))
        return r.reply(206, data[at:], [("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")])

    def basic(self):
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def allowed(self, r):
        given = r.headers.get("Authorization", "")
        if self.auth == "basic":
            return given == self.basic()
        if self.auth != "token":
            return True
        with self.lock:
            left = self.tokens.get(given, 0)
            self.tokens[given] = left - 1
        return left > 0

    def token(self, r):
        if self.user and r.headers.get("Authorization") != self.basic():
            return r.reply(401, b'{"errors":[{"message":"wrong name or password"}]}')
        with self.lock:
            token = f"t{len(self.tokens)}-secret"
            self.tokens["Bearer " + token] = self.token_uses or 1 << 30
        return r.reply(200, b'{"token":"%s","expires_in":300}' % token.encode())


def chunks_for_ever(r):
    """A body without an end."""
    r.send_response(200)
    r.send_header("Transfer-Encoding", "chunked")
    r.end_headers()
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            r.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    except OSError:
        pass
    r.close_connection = True
    return True
