"""Servers on the loopback for tests: an origin whose pages are functions, and a stand-in for the Internet, which
is a proxy that answers for every host itself, TLS included (with a certificate authority of its own), and serves
git repositories."""
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    """Each request becomes a call of server.answer(request): (status, headers, body), or None to close without a reply."""
    protocol_version = "HTTP/1.1"
    host = None  # set for what comes through the proxy

    def log_message(self, *words):
        pass

    def any_method(self):
        url = urllib.parse.urlsplit(self.path)
        length = self.headers.get("Content-Length")
        self.body = self.read_chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(int(length or 0))
        self.url_host = url.hostname or self.host or self.headers.get("Host", "").split(":")[0]
        self.url_path, self.url_query = url.path or "/", url.query
        reply = self.server.answer(self)
        if reply is None:
            self.close_connection = True
            return
        status, headers, body = reply
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = any_method

    def do_CONNECT(self):
        """A tunnel whose far end is this server itself."""
        self.send_response(200)
        self.end_headers()
        with self.server.tls.wrap_socket(self.connection, server_side=True) as inner:
            tunnel = type("Tunnel", (Handler,), {"host": self.path.split(":")[0]})
            try:
                tunnel(inner, self.client_address, self.server)
            except (OSError, ssl.SSLError):
                pass
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that leaves is part of the tests

    def get_request(self):
        s, address = super().get_request()
        return s, address

    def close(self):
        self.shutdown()
        self.server_close()


def openssl(*words, cwd):
    subprocess.run(["openssl", *words], cwd=cwd, check=True, capture_output=True)


def make_certificates(folder, hosts):
    """ca.pem, server.pem (with its key) for the hosts, client.pem and client.key."""
    with open(os.path.join(folder, "names"), "w") as f:
        f.write("subjectAltName=" + ",".join(("IP:" if h[0].isdigit() else "DNS:") + h for h in hosts))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out",
            "ca.pem", cwd=folder)
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".csr", cwd=folder)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-CAcreateserial",
                "-extfile", "names", "-out", name + ".crt", cwd=folder)
    with open(os.path.join(folder, "server.pem"), "w") as out:
        for part in ("server.key", "server.crt"):
            with open(os.path.join(folder, part)) as f:
                out.write(f.read())


def tls_context(folder, ask_client=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"))
    if ask_client:
        context.load_verify_locations(os.path.join(folder, "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsServer(Server):
    def __init__(self, answer, folder, ask_client=False):
        self.context = tls_context(folder, ask_client)
        super().__init__(answer)
        self.url = self.url.replace("http:", "https:")

    def get_request(self):
        s, address = self.socket.accept()
        s.settimeout(30)
        return self.context.wrap_socket(s, server_side=True), address


def git_environment(folder):
    return {"PATH": os.environ["PATH"], "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}


def git(folder, *words):
    return subprocess.run(["git", "-c", "init.defaultBranch=master", "-c", "protocol.file.allow=always", *words], cwd=folder,
                          env=git_environment(folder), check=True, capture_output=True, text=True).stdout.strip()


def make_repository(path, commits):
    """A bare repository; commits: [(tag, {file: text})] on master, one after the other. Their hashes."""
    work, hashes = path + ".work", []
    os.makedirs(work)
    git(work, "init", "-q")
    for tag, files in commits:
        for name, text in files.items():
            with open(os.path.join(work, name), "w") as f:
                f.write(text)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", tag)
        git(work, "tag", tag)
        hashes.append(git(work, "rev-parse", "HEAD"))
    git(work, "clone", "-q", "--bare", work, path)
    git(path, "config", "http.receivepack", "false")
    shutil.rmtree(work)
    return hashes


def git_backend(root, request):
    """What `git http-backend` says to a request for a repository below root."""
    env = dict(git_environment(root), GIT_PROJECT_ROOT=root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=request.url_path,
               QUERY_STRING=request.url_query, REQUEST_METHOD=request.command, CONTENT_TYPE=request.headers.get("Content-Type", ""),
               CONTENT_LENGTH=str(len(request.body)), HTTP_CONTENT_ENCODING=request.headers.get("Content-Encoding", ""),
               GIT_PROTOCOL=request.headers.get("Git-Protocol", ""), GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
               GIT_CONFIG_VALUE_0="*")
    got = subprocess.run(["git", "http-backend"], input=request.body, env=env, capture_output=True).stdout
    head, _, body = got.partition(b"\r\n\r\n")
    headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
    status = next((int(v.split()[0]) for k, v in headers if k == "Status"), 200)
    return status, [h for h in headers if h[0] != "Status"], body


class Internet:
    """answer(request) gets request.url_host and request.url_path; `environment` is what a program needs to ask it."""

    def __init__(self, folder, hosts, answer):
        make_certificates(folder, hosts)
        self.server = Server(answer)
        self.server.tls = tls_context(folder)
        self.environment = {"http_proxy": self.server.url, "https_proxy": self.server.url, "no_proxy": "",
                            "SSL_CERT_FILE": os.path.join(folder, "ca.pem")}

    def close(self):
        self.server.close()


def free_port():
    """Bound and never listened at: a connection is refused."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]
