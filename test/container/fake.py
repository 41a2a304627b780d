"""A container engine that runs nothing: it answers as Docker does, and as a test tells it where that says otherwise."""
import base64
import http.server
import io
import json
import os
import re
import socketserver
import struct
import tarfile
import threading
import urllib.parse


def frame(stream, data):
    return struct.pack(">BxxxL", stream, len(data)) + data


def tar(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    return out.getvalue()


class Container:
    def __init__(self, number, name, body):
        self.id, self.name, self.body = f"{number:064x}", name, body
        self.started, self.ended, self.code, self.oom = threading.Event(), threading.Event(), 0, False

    def end(self, code):
        if not self.ended.is_set():
            self.code = code
            self.ended.set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def address_string(self):
        return "unix"

    def reply(self, status, what=None):
        body = b"" if what is None else what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def stream(self):
        """Raw bytes from here on, until the connection ends."""
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.end_headers()
        self.close_connection = True

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        self.where, self.query = urllib.parse.unquote(url.path), dict(urllib.parse.parse_qsl(url.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.fake.answer(self)

    do_GET = do_HEAD = do_POST = do_DELETE = answer


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass

    def get_request(self):
        return self.socket.accept()[0], ("unix", 0)


class Fake:
    """`hooks`: {(method, what): function of the request}; what it returns true for it has answered itself. `output`: what a
    container prints, as bytes of the stream; `hold`: it ends only when it is told to."""

    def __init__(self, path, output=b"", hold=False, code=0, files=None):
        self.path, self.output, self.hold, self.code, self.files = path, output, hold, code, files or {}
        self.hooks, self.asked, self.containers, self.made, self.number = {}, [], {}, [], 0
        self.lock = threading.Lock()
        self.server = Server(path, Handler)
        self.server.fake = self
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        for c in list(self.containers.values()):
            c.started.set()
            c.ended.set()
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)

    def count(self, method, what):
        return sum(1 for a in self.asked if a[:2] == (method, what))

    def put(self, name, labels):
        """A container that is there already."""
        return self.add(name, {"Labels": labels})

    def add(self, name, body):
        with self.lock:
            self.number += 1
            c = Container(self.number, name, body)
            self.containers[c.id] = c
            self.made.append(c)
        return c

    def find(self, name):
        with self.lock:
            return next((c for c in self.containers.values() if name in (c.id, c.name)), None)

    def answer(self, r):
        m = re.fullmatch(r"/containers/([^/]+)(?:/(\w+))?", r.where)
        image = re.fullmatch(r"/images/(.+)/json", r.where)
        what = "image" if image else "pull" if r.where == "/images/create" else r.where[1:] if not m else (
            "create" if m.group(1) == "create" else m.group(2) or "container")
        with self.lock:
            self.asked.append((r.command, what, r.query, dict(r.headers)))
            hook = self.hooks.get((r.command, what))
        c = self.find(m.group(1)) if m else None
        if hook and hook(r, c):
            return None
        if m and what != "create" and not c:
            return r.reply(404, {"message": "No such container"})
        return getattr(self, f"{r.command.lower()}_{what}")(r, c)

    # ---- as Docker answers ----

    def get_version(self, r, c):
        r.reply(200, {"Version": "1.2", "ApiVersion": "1.40", "Components": [{"Name": "Fake"}]})

    def get_image(self, r, c):
        r.reply(200, {"Id": "sha256:1"})

    def post_pull(self, r, c):
        r.reply(200, b'{"status":"Pulling"}\r\n{"status":"Done"}\r\n')

    def post_create(self, r, c):
        if self.find(r.query["name"]):
            return r.reply(409, {"message": f"Conflict. The container name \"/{r.query['name']}\" is already in use"})
        made = self.add(r.query["name"], json.loads(r.body))
        made.code = self.code
        return r.reply(201, {"Id": made.id, "Warnings": []})

    def post_attach(self, r, c):
        r.stream()
        r.wfile.flush()
        c.started.wait()
        r.wfile.write(self.output)
        r.wfile.flush()
        c.ended.wait()

    def post_start(self, r, c):
        c.started.set()
        r.reply(204)
        if not self.hold:
            c.end(self.code)

    def post_wait(self, r, c):
        c.ended.wait()
        r.reply(200, {"StatusCode": c.code})

    def get_json(self, r, c):
        r.reply(200, {"Id": c.id, "Config": {"Labels": c.body.get("Labels")},
                      "State": {"ExitCode": c.code, "OOMKilled": c.oom, "Running": not c.ended.is_set()}})

    def head_archive(self, r, c):
        known = r.query["path"] in self.files
        r.send_response(200 if known else 404)
        if known:
            r.send_header("X-Docker-Container-Path-Stat", base64.b64encode(b'{"name":"x","size":1,"mode":420,"linkTarget":""}').decode())
        r.end_headers()

    def get_archive(self, r, c):
        data = self.files.get(r.query["path"])
        r.reply(404, {"message": "Could not find the file"}) if data is None else r.reply(200, data)

    def post_stop(self, r, c):
        if not c.started.is_set():
            return r.reply(304)
        c.end(143)
        return r.reply(204)

    def post_kill(self, r, c):
        c.end(137)
        r.reply(204)

    def delete_container(self, r, c):
        with self.lock:
            self.containers.pop(c.id, None)
        c.started.set()
        c.end(137)
        r.reply(204)
